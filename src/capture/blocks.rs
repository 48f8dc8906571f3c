//! The blocks of pcapng, from their bytes alone: what each field is, without a judgement of what it means for the input.
//! A block is given whole, from its type to its trailing length.

use super::LinkType;
use super::time::Clock;

/// Block types.
pub(super) mod kind {
    pub(in super::super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(in super::super) const INTERFACE: u32 = 1;
    /// Obsolete, replaced by the enhanced one.
    pub(in super::super) const PACKET: u32 = 2;
    pub(in super::super) const SIMPLE_PACKET: u32 = 3;
    pub(in super::super) const INTERFACE_STATISTICS: u32 = 5;
    pub(in super::super) const ENHANCED_PACKET: u32 = 6;
    pub(in super::super) const DECRYPTION_SECRETS: u32 = 0x0a;
}

/// Option codes; each belongs to the block of its prefix.
pub(super) mod option {
    pub(super) const END: u16 = 0;
    pub(in super::super) const SHB_USERAPPL: u16 = 4;
    pub(super) const EPB_FLAGS: u16 = 2;
    pub(in super::super) const ISB_IFDROP: u16 = 5;
    pub(in super::super) const IF_NAME: u16 = 2;
    pub(in super::super) const IF_TSRESOL: u16 = 9;
    pub(in super::super) const IF_FCSLEN: u16 = 13;
    pub(super) const IF_TSOFFSET: u16 = 14;
}

/// Byte order of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    /// By the byte-order magic of a section header.
    pub(super) fn of_section(header: &[u8]) -> Option<Self> {
        match *header.get(8..)?.first_chunk()? {
            [0x4d, 0x3c, 0x2b, 0x1a] => Some(Self::Little),
            [0x1a, 0x2b, 0x3c, 0x4d] => Some(Self::Big),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let b = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) })
    }

    #[inline]
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let b = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    fn u64(self, bytes: &[u8]) -> Option<u64> {
        let b = *bytes.first_chunk()?;
        Some(if self == Self::Big { u64::from_be_bytes(b) } else { u64::from_le_bytes(b) })
    }

    /// Walks options; false when one runs past the end.
    fn options(self, mut rest: &[u8], mut f: impl FnMut(u16, &[u8])) -> bool {
        while let (Some(code), Some(len)) = (self.u16(rest, 0), self.u16(rest, 2)) {
            if code == option::END {
                return true;
            }
            let len = usize::from(len);
            let Some(value) = rest.get(4..len.saturating_add(4)) else { return false };
            f(code, value);
            // The padding of the last one may be missing.
            rest = rest.get(len.next_multiple_of(4).saturating_add(4)..).unwrap_or_default();
        }
        rest.is_empty()
    }
}

/// What stands before the trailing length.
pub(super) fn without_trailer(whole: &[u8]) -> &[u8] {
    whole.len().checked_sub(4).and_then(|end| whole.get(..end)).unwrap_or_default()
}

/// What an Interface Description Block says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    pub(super) snap_len: u32,
    pub(super) clock: Clock,
    pub(super) fcs_len: u8,
    /// Packets lost, by the latest statistics.
    pub(super) dropped: u64,
}

impl Interface {
    /// Decodes the block, and says whether its options were whole; `None` when it is too short for its fields.
    pub(super) fn decode(order: Order, whole: &[u8]) -> Option<(Self, bool)> {
        let body = without_trailer(whole);
        let (link, snap_len, options) = (order.u16(body, 8)?, order.u32(body, 12)?, body.get(16..)?);
        let mut face =
            Self { link: LinkType::from_file(link), snap_len, clock: Clock::default(), fcs_len: 0, dropped: 0 };
        let options_whole = order.options(options, |code, value| match (code, value) {
            (option::IF_TSRESOL, [v, ..]) => face.clock.set_resolution(*v),
            (option::IF_FCSLEN, [v, ..]) => face.fcs_len = fcs_bytes(*v),
            (option::IF_TSOFFSET, _) => {
                if let Some(seconds) = order.u64(value) {
                    face.clock.set_offset(seconds.cast_signed());
                }
            }
            _ => {}
        });
        Some((face, options_whole))
    }
}

/// Bytes that an `if_fcslen` means. The specification says "bits" and gives 4 as the example; writers do both.
fn fcs_bytes(value: u8) -> u8 {
    if value > 8 { value / 8 } else { value }
}

/// The fields of an Enhanced, Simple or obsolete Packet Block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) interface: u32,
    /// The time in the interface's unit; a Simple Packet Block has none.
    pub(super) ticks: Option<u64>,
    /// Captured length; of a Simple Packet Block the original one, to be cut by the interface's snap length.
    pub(super) captured: u32,
    pub(super) original: u32,
    /// Offset of the data from the start of the block.
    pub(super) data: usize,
}

impl Packet {
    /// `None` when the block is too short for its fields.
    #[inline]
    pub(super) fn decode(order: Order, whole: &[u8], block: u32) -> Option<Self> {
        let body = without_trailer(whole);
        if block == kind::SIMPLE_PACKET {
            let original = order.u32(body, 8)?;
            return Some(Self { interface: 0, ticks: None, captured: original, original, data: 12 });
        }
        let body = body.first_chunk::<28>()?;
        let interface = if block == kind::PACKET { u32::from(order.u16(body, 8)?) } else { order.u32(body, 8)? };
        let ticks = u64::from(order.u32(body, 12)?) << 32 | u64::from(order.u32(body, 16)?);
        let (captured, original) = (order.u32(body, 20)?, order.u32(body, 24)?);
        Some(Self { interface, ticks: Some(ticks), captured, original, data: 28 })
    }
}

/// FCS length in bytes that the options of a packet say (bits 5 to 8 of its flags); `None` where they do not.
pub(super) fn packet_fcs_len(order: Order, options: &[u8]) -> Option<u8> {
    let mut found = None;
    order.options(options, |code, value| {
        if code == option::EPB_FLAGS
            && let Some(flags) = order.u32(value, 0)
        {
            let len = ((flags >> 5) & 0xf) as u8;
            found = (len != 0).then_some(len);
        }
    });
    found
}

/// Interface and total of its lost packets, from an Interface Statistics Block that says so.
pub(super) fn lost_packets(order: Order, whole: &[u8]) -> Option<(u32, u64)> {
    let body = without_trailer(whole);
    let id = order.u32(body, 8)?;
    let mut lost = None;
    order.options(body.get(20..)?, |code, value| {
        if code == option::ISB_IFDROP {
            lost = order.u64(value);
        }
    });
    Some((id, lost?))
}

/// Type and bytes of a Decryption Secrets Block; as an error the length it claims and the room there is.
pub(super) fn secrets(order: Order, whole: &[u8]) -> Result<(u32, &[u8]), (u32, usize)> {
    let body = without_trailer(whole);
    let data = body.get(16..).unwrap_or_default();
    let Some((kind, len)) = order.u32(body, 8).zip(order.u32(body, 12)) else { return Err((0, 0)) };
    match usize::try_from(len).ok().and_then(|len| data.get(..len)) {
        Some(text) => Ok((kind, text)),
        None => Err((len, data.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_end_where_they_end() {
        // Two options of 1 and 4 bytes, then the end mark and something that is none.
        let all = [9, 0, 1, 0, 9, 0, 0, 0, 13, 0, 4, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0xff];
        let walk = |bytes: &[u8]| {
            let mut seen = Vec::new();
            let whole = Order::Little.options(bytes, |code, value| seen.push((code, value.to_vec())));
            (whole, seen)
        };
        let both = vec![(9, vec![9]), (13, vec![1, 2, 3, 4])];
        assert_eq!(walk(&all), (true, both.clone()));
        for n in 0..all.len() {
            let (whole, seen) = walk(&all[..n]);
            assert_eq!(seen, both[..seen.len()]);
            // Whole without an end mark, and without the padding of the last option, but not in the middle of one.
            assert_eq!(whole, matches!(n, 0 | 5..=8 | 16 | 20..), "{n}");
        }
    }

    #[test]
    fn both_meanings_of_fcs_length() {
        assert_eq!([0, 2, 4, 16, 32].map(fcs_bytes), [0, 2, 4, 2, 4]);
    }

    #[test]
    fn fcs_length_in_the_flags_of_a_packet() {
        assert_eq!(packet_fcs_len(Order::Little, &[2, 0, 4, 0, 0x81, 0, 0, 0]), Some(4));
        assert_eq!(packet_fcs_len(Order::Big, &[0, 2, 0, 4, 0, 0, 0, 0x81]), Some(4));
        assert_eq!(packet_fcs_len(Order::Little, &[2, 0, 4, 0, 1, 0, 0, 0]), None);
        assert_eq!(packet_fcs_len(Order::Little, &[1, 0, 1, 0, b'x', 0, 0, 0]), None);
    }

    #[test]
    fn every_length_of_a_block_is_decoded_or_not() {
        let block = [0x41u8; 64];
        for n in 0..=block.len() {
            for order in [Order::Little, Order::Big] {
                let b = &block[..n];
                assert_eq!(Interface::decode(order, b).is_some(), n >= 20);
                assert_eq!(Packet::decode(order, b, kind::ENHANCED_PACKET).is_some(), n >= 32);
                assert_eq!(Packet::decode(order, b, kind::PACKET).is_some(), n >= 32);
                assert_eq!(Packet::decode(order, b, kind::SIMPLE_PACKET).is_some(), n >= 16);
                assert_eq!(lost_packets(order, b), None);
                assert!(secrets(order, b).is_err());
            }
        }
    }
}

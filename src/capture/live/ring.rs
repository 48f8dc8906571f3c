//! The packets in a block of the kernel's ring (`struct tpacket_block_desc`, `struct tpacket3_hdr`): plain bytes, read
//! without trusting a length.

use crate::capture::LinkType;

/// Offsets in a block's header.
const PACKETS: usize = 12;
const FIRST: usize = 16;

/// Length of `struct tpacket3_hdr`, behind which a `struct sockaddr_ll` follows.
const HEADER: usize = 48;

/// `TP_STATUS_VLAN_VALID` and `TP_STATUS_VLAN_TPID_VALID`.
const VLAN: u32 = 1 << 4;
const VLAN_TYPE: u32 = 1 << 6;

/// Tag type of a tag whose type the kernel does not say (IEEE 802.1Q).
const DOT1Q: u16 = 0x8100;

/// `PACKET_OUTGOING` of a `sockaddr_ll`.
const OUTGOING: u8 = 4;

/// Where the walk through a block stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    at: usize,
    left: u32,
}

/// A packet as it lies in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Seconds and nanoseconds since 1970.
    pub(super) time: (u32, u32),
    /// Length on the wire, without a tag that the kernel took off.
    pub(super) original: u32,
    /// Offset and length of the bytes in the block.
    pub(super) at: usize,
    pub(super) len: usize,
    /// The VLAN tag that the kernel took off: type and content.
    pub(super) vlan: Option<[u8; 4]>,
    /// What `sockaddr_ll` says, in the order in which it stands there from `sll_protocol` on.
    address: [u8; 18],
}

impl Walk {
    /// The walk through a block that the kernel has just handed over.
    pub(super) fn begin(block: &[u8]) -> Self {
        let (left, at) = (word(block, PACKETS).unwrap_or(0), word(block, FIRST).unwrap_or(0));
        Self { at: at as usize, left }
    }

    /// The next packet; `None` at the end of the block.
    pub(super) fn next(&mut self, block: &[u8]) -> Option<Found> {
        self.left = self.left.checked_sub(1)?;
        let header = block.get(self.at..)?;
        let start = self.at;
        self.at = start.checked_add(word(header, 0)? as usize)?;
        let status = word(header, 20)?;
        let mac = usize::from(u16::from_ne_bytes(*header.get(24..)?.first_chunk()?));
        let tag = (status & VLAN != 0).then(|| {
            let content = word(header, 32).unwrap_or(0) as u16;
            let said = header.get(36..).and_then(|b| b.first_chunk()).map_or(DOT1Q, |b| u16::from_ne_bytes(*b));
            let kind = if status & VLAN_TYPE != 0 { said } else { DOT1Q };
            let ([a, b], [c, d]) = (kind.to_be_bytes(), content.to_be_bytes());
            [a, b, c, d]
        });
        let len = word(header, 12)? as usize;
        header.get(mac..mac.checked_add(len)?)?;
        Some(Found {
            time: (word(header, 4)?, word(header, 8)?),
            original: word(header, 16)?,
            at: start.checked_add(mac)?,
            len,
            vlan: tag,
            address: *header.get(HEADER.saturating_add(2)..)?.first_chunk()?,
        })
    }
}

impl Found {
    /// Index of the interface it was seen on.
    pub(super) fn interface(&self) -> u32 {
        word(&self.address, 2).unwrap_or(0)
    }

    /// This host sent it.
    pub(super) fn is_outgoing(&self) -> bool {
        self.address.get(8) == Some(&OUTGOING)
    }

    /// Puts the tag back where it was: behind the addresses of an Ethernet frame.
    pub(super) fn with_tag(tag: [u8; 4], data: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let (addresses, rest) = data.split_at_checked(12).unwrap_or((data, &[]));
        out.extend_from_slice(addresses);
        out.extend_from_slice(&tag);
        out.extend_from_slice(rest);
    }

    /// The header of [`LinkType::LINUX_SLL2`] and the packet behind it.
    pub(super) fn cooked(&self, data: &[u8], out: &mut Vec<u8>) {
        let [p0, p1, i0, i1, i2, i3, h0, h1, kind, halen, hardware @ ..] = self.address;
        let index = u32::from_ne_bytes([i0, i1, i2, i3]).to_be_bytes();
        let hatype = u16::from_ne_bytes([h0, h1]).to_be_bytes();
        out.clear();
        out.extend_from_slice(&[p0, p1, 0, 0]);
        out.extend_from_slice(&index);
        out.extend_from_slice(&hatype);
        out.extend_from_slice(&[kind, halen]);
        out.extend_from_slice(&hardware);
        out.extend_from_slice(data);
    }

    /// Bytes that [`Found::cooked`] puts before a packet.
    pub(super) const COOKED: u32 = 20;
}

/// The link type of what [`Found::cooked`] makes.
pub(super) const COOKED_LINK: LinkType = LinkType::LINUX_SLL2;

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with two packets: an outgoing one with a tag, and a plain one.
    fn block() -> Vec<u8> {
        let mut b = vec![0u8; 48];
        b[12..16].copy_from_slice(&2u32.to_ne_bytes());
        b[16..20].copy_from_slice(&48u32.to_ne_bytes());
        for (next, status, kind, data) in
            [(96 + 16, VLAN, OUTGOING, b"aaaaaabbbbbbccdd"), (0, 0, 0, b"0123456789abcdef")]
        {
            let at = b.len();
            b.resize(at + 80, 0);
            let put = |b: &mut Vec<u8>, off: usize, v: u32| b[at + off..at + off + 4].copy_from_slice(&v.to_ne_bytes());
            put(&mut b, 0, next);
            put(&mut b, 4, 7);
            put(&mut b, 8, 9);
            put(&mut b, 12, 16);
            put(&mut b, 16, 60);
            put(&mut b, 20, status);
            b[at + 24..at + 26].copy_from_slice(&96u16.to_ne_bytes());
            put(&mut b, 32, 5);
            b[at + 50..at + 52].copy_from_slice(&[8, 0]);
            put(&mut b, 52, 3);
            b[at + 58] = kind;
            b.resize(at + 96, 0);
            b.extend_from_slice(data);
        }
        b
    }

    #[test]
    fn packets_are_found_and_named() {
        let b = block();
        let mut w = Walk::begin(&b);
        let first = w.next(&b).unwrap();
        assert_eq!((first.time, first.original, first.interface(), first.is_outgoing()), ((7, 9), 60, 3, true));
        assert_eq!(first.vlan, Some([0x81, 0, 0, 5]));
        let data = &b[first.at..first.at + first.len];
        let mut out = Vec::new();
        Found::with_tag(first.vlan.unwrap(), data, &mut out);
        assert_eq!(out, b"aaaaaabbbbbb\x81\0\0\x05ccdd");
        first.cooked(data, &mut out);
        assert_eq!(out.len(), data.len() + Found::COOKED as usize);
        assert_eq!(out[..12], [8, 0, 0, 0, 0, 0, 0, 3, 0, 0, 4, 0]);
        let second = w.next(&b).unwrap();
        assert_eq!((&b[second.at..second.at + second.len], second.vlan), (&b"0123456789abcdef"[..], None));
        assert_eq!(w.next(&b), None);
    }

    #[test]
    fn every_length_of_a_block_is_walked() {
        let b = block();
        for n in 0..b.len() {
            let mut w = Walk::begin(&b[..n]);
            while w.next(&b[..n]).is_some() {}
        }
    }
}

//! Writing pcapng: blocks as bytes, little-endian, times in nanoseconds. Where the bytes go is the caller's business.

use super::blocks::{kind, option};
use super::{Frame, LinkType};
use crate::span::Timestamp;

/// Bytes of a key log in one block.
const SECRETS_BLOCK: usize = 1 << 20;

/// Type of the secrets of a TLS key log ("TLSK").
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// An interface as frames name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interface {
    index: u32,
    link: LinkType,
    fcs_len: u8,
}

/// Makes the blocks of one file.
#[derive(Clone, Debug, Default)]
pub struct PcapngBlocks {
    interfaces: Vec<Interface>,
    /// Name of the interface, for `if_name`.
    name: String,
    /// Snap length; 0 for none.
    snap_len: u32,
}

impl PcapngBlocks {
    /// For frames of an interface of this name (empty: not known), cut to `snap_len` bytes (0: not cut).
    pub fn new(name: &str, snap_len: u32) -> Self {
        Self { interfaces: Vec::new(), name: name.to_owned(), snap_len }
    }

    /// What a file begins with: the section header and every interface met so far.
    pub fn preamble(&self, out: &mut Vec<u8>) {
        block(out, kind::SECTION, |b| {
            b.extend_from_slice(&0x1a2b_3c4du32.to_le_bytes());
            b.extend_from_slice(&[1, 0, 0, 0]);
            b.extend_from_slice(&u64::MAX.to_le_bytes()); // length of the section: not said
            put_option(b, option::SHB_USERAPPL, concat!("tlscope ", env!("CARGO_PKG_VERSION")).as_bytes());
            end_options(b);
        });
        for i in &self.interfaces {
            self.interface(*i, out);
        }
    }

    fn interface(&self, i: Interface, out: &mut Vec<u8>) {
        block(out, kind::INTERFACE, |b| {
            b.extend_from_slice(&i.link.0.to_le_bytes());
            b.extend_from_slice(&[0, 0]);
            b.extend_from_slice(&self.snap_len.to_le_bytes());
            if !self.name.is_empty() {
                put_option(b, option::IF_NAME, self.name.as_bytes());
            }
            put_option(b, option::IF_TSRESOL, &[9]);
            if i.fcs_len > 0 {
                put_option(b, option::IF_FCSLEN, &[i.fcs_len]);
            }
            end_options(b);
        });
    }

    /// A frame, and the description of its interface when it is the first of it; true when there was one. A frame without a
    /// time gets that of 1970.
    pub fn frame(&mut self, f: &Frame<'_>, out: &mut Vec<u8>) -> bool {
        let own = Interface { index: f.interface, link: f.link, fcs_len: f.fcs_len };
        let known = self.interfaces.iter().position(|i| *i == own);
        let id = known.unwrap_or(self.interfaces.len());
        if known.is_none() {
            self.interfaces.push(own);
            self.interface(own, out);
        }
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        let captured = u32::try_from(f.data.len()).unwrap_or(u32::MAX);
        block(out, kind::ENHANCED_PACKET, |b| {
            b.extend_from_slice(&id.to_le_bytes());
            put_time(b, f.time.unwrap_or_default());
            b.extend_from_slice(&captured.to_le_bytes());
            b.extend_from_slice(&f.orig_len.max(captured).to_le_bytes());
            put_padded(b, f.data);
        });
        known.is_none()
    }

    /// A key log, which stands before the packets it is for: whole lines in as many blocks as are needed for readers that do
    /// not look into large ones.
    pub fn secrets(key_log: &[u8], out: &mut Vec<u8>) {
        let mut rest = key_log;
        while !rest.is_empty() {
            let room = rest.get(..SECRETS_BLOCK).unwrap_or(rest);
            let whole = if room.len() == rest.len() { None } else { room.iter().rposition(|b| *b == b'\n') };
            let (part, behind) = rest.split_at(whole.map_or(room.len(), |end| end.saturating_add(1)));
            block(out, kind::DECRYPTION_SECRETS, |b| {
                b.extend_from_slice(&TLS_KEY_LOG.to_le_bytes());
                b.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
                put_padded(b, part);
            });
            rest = behind;
        }
    }

    /// How many packets were lost, at the end of a file.
    pub fn lost(packets: u64, at: Timestamp, out: &mut Vec<u8>) {
        block(out, kind::INTERFACE_STATISTICS, |b| {
            b.extend_from_slice(&[0; 4]);
            put_time(b, at);
            put_option(b, option::ISB_IFDROP, &packets.to_le_bytes());
            end_options(b);
        });
    }
}

/// A block: type, length, body, length.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len().saturating_sub(start).saturating_add(4)).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(place) = out.get_mut(start.saturating_add(4)..start.saturating_add(8)) {
        place.copy_from_slice(&length);
    }
    out.extend_from_slice(&length);
}

fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    put_padded(out, value);
}

fn end_options(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
}

fn put_padded(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
    out.resize(out.len().saturating_add(bytes.len().wrapping_neg() % 4), 0);
}

/// Nanoseconds since 1970; earlier times become 0.
fn put_time(out: &mut Vec<u8>, t: Timestamp) {
    let t = u64::try_from(t.0).unwrap_or(0);
    out.extend_from_slice(&((t >> 32) as u32).to_le_bytes());
    out.extend_from_slice(&(t as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{CaptureFile, Source as _};
    use super::*;
    use crate::span::FrameNo;

    #[test]
    fn what_is_written_is_read_again() {
        let frame = |no, link, interface, data: &'static [u8]| Frame {
            no: FrameNo(no),
            time: Some(Timestamp(1_700_000_000_123_456_789 + no as i64)),
            link,
            interface,
            orig_len: 99,
            fcs_len: 0,
            data,
        };
        let frames = [
            frame(1, LinkType::ETHERNET, 0, b"abc"),
            frame(2, LinkType::LINUX_SLL2, 3, b""),
            frame(3, LinkType::ETHERNET, 0, b"abcdefgh"),
        ];
        let mut blocks = PcapngBlocks::new("eth0", 4096);
        let mut file = Vec::new();
        blocks.preamble(&mut file);
        PcapngBlocks::secrets(b"CLIENT_RANDOM 00 11\n", &mut file);
        let new: Vec<bool> = frames.iter().map(|f| blocks.frame(f, &mut file)).collect();
        assert_eq!(new, [true, true, false]);
        PcapngBlocks::lost(7, Timestamp(1_700_000_001_000_000_000), &mut file);
        let mut read = CaptureFile::from_reader(io_cursor(file), "x").unwrap();
        for (f, interface) in frames.iter().zip([0, 1, 0]) {
            let got = read.next_frame().unwrap().unwrap();
            assert_eq!(got, Frame { interface, ..*f });
        }
        assert!(read.next_frame().unwrap().is_none());
        assert_eq!(read.take_secrets()[0].as_bytes(), b"CLIENT_RANDOM 00 11\n");
        let info = read.info();
        assert_eq!((info.complete, info.dropped, info.snap_len, info.problems.len()), (true, Some(7), 4096, 0));
        // A second file of the same frames knows their interfaces from its beginning.
        let mut second = Vec::new();
        blocks.preamble(&mut second);
        assert!(!blocks.frame(&frames[1], &mut second));
        let mut read = CaptureFile::from_reader(io_cursor(second), "x").unwrap();
        assert_eq!(read.next_frame().unwrap().unwrap().link, LinkType::LINUX_SLL2);
    }

    #[test]
    fn many_keys_are_read_again() {
        let lines: String = (0..60_000).map(|n| format!("CLIENT_RANDOM {n:064x} 00\n")).collect();
        assert!(lines.len() > 4 * SECRETS_BLOCK);
        let mut file = Vec::new();
        PcapngBlocks::new("any", 0).preamble(&mut file);
        PcapngBlocks::secrets(lines.as_bytes(), &mut file);
        let mut read = CaptureFile::from_reader(io_cursor(file), "x").unwrap();
        assert!(read.next_frame().unwrap().is_none());
        let parts = read.take_secrets();
        assert!(parts.iter().all(|p| p.as_bytes().ends_with(b"\n")));
        assert_eq!(parts.iter().flat_map(|p| p.as_bytes()).copied().collect::<Vec<u8>>(), lines.as_bytes());
        assert!(read.info().complete && read.info().problems.is_empty(), "{:?}", read.info());
    }

    fn io_cursor(bytes: Vec<u8>) -> std::io::Cursor<Vec<u8>> {
        std::io::Cursor::new(bytes)
    }
}

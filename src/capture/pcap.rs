//! Classic pcap (draft-ietf-opsawg-pcap): a file header, then records one behind the other.

use std::io;

use super::log::{Log, Place};
use super::time;
use super::window::Window;
use super::{Format, LinkType};
use crate::limits;
use crate::span::Timestamp;

/// Length of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// Length of a record header.
const RECORD_HEADER: usize = 16;
/// Length of a record header of the "modified" format, which adds interface, protocol and packet type.
const MODIFIED_RECORD_HEADER: usize = 24;
/// Snap length that is believed whatever the header says (libpcap's MAXIMUM_SNAPLEN): some writers give too small a one.
const SNAP_LEN_FLOOR: u32 = 262_144;

/// Magic number: times in microseconds.
const MAGIC: u32 = 0xa1b2_c3d4;
/// Magic number: times in nanoseconds.
const MAGIC_NANO: u32 = 0xa1b2_3c4d;
/// Magic number: the "modified" format of old Linux systems.
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

/// Bits of the link-type word: the low 16 are the type.
const FCS_PRESENT: u32 = 0x0400_0000;

/// A frame as it lies in the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) no: u64,
    pub(super) time: Option<Timestamp>,
    pub(super) link: LinkType,
    pub(super) interface: u32,
    pub(super) orig_len: u32,
    pub(super) fcs_len: u8,
    /// Index in the window, as [`Window::slice`] takes it.
    pub(super) at: usize,
    pub(super) len: usize,
}

/// Number of FCS bytes that are left at the end of a frame of which the capture may have cut some.
#[inline]
pub(super) fn fcs_left(fcs_len: u8, captured: u32, original: u32) -> u8 {
    if fcs_len == 0 {
        return 0;
    }
    let cut = original.saturating_sub(captured);
    let left = u32::from(fcs_len).saturating_sub(cut).min(captured);
    u8::try_from(left).unwrap_or(0)
}

/// Reader of the records.
#[derive(Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    unit_ns: u32,
    modified: bool,
    minor: u16,
    link: LinkType,
    fcs_len: u8,
    max_len: u32,
    noted_time: bool,
    noted_length: bool,
}

/// True when `head` begins with one of the magic numbers.
pub(super) fn is_pcap(head: &[u8]) -> bool {
    head.first_chunk::<4>().is_some_and(|m| {
        [u32::from_le_bytes(*m), u32::from_be_bytes(*m)].iter().any(|m| [MAGIC, MAGIC_NANO, MAGIC_MODIFIED].contains(m))
    })
}

impl Pcap {
    /// Reads the file header.
    pub(super) fn new(header: &[u8; FILE_HEADER], log: &mut Log) -> Self {
        let le = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let big_endian = ![MAGIC, MAGIC_NANO, MAGIC_MODIFIED].contains(&le);
        let word = |b: [u8; 4]| if big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
        let half = |b: [u8; 2]| if big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
        let magic = word([header[0], header[1], header[2], header[3]]);
        let (major, minor) = (half([header[4], header[5]]), half([header[6], header[7]]));
        let snap_len = word([header[16], header[17], header[18], header[19]]);
        let link = word([header[20], header[21], header[22], header[23]]);

        let place = Place { frame: None, offset: 4 };
        let known = major == 2 && minor <= 4;
        if !known {
            log.note(place, || {
                format!("the file header says version {major}.{minor}, which does not exist; the file is read as version 2.4")
            });
        }
        let fcs_len = if link & FCS_PRESENT != 0 { u8::try_from((link >> 28) << 1).unwrap_or(0) } else { 0 };
        if link & 0x0bff_0000 != 0 {
            let place = Place { frame: None, offset: 20 };
            log.note(place, || format!("reserved bits of the link type are set ({link:#010x}); they are ignored"));
        }
        let cap = u32::try_from(limits::FRAME_BYTES).unwrap_or(u32::MAX);
        log.info.format = Some(Format::Pcap);
        log.info.interfaces = 1;
        log.info.snap_len = snap_len;
        Self {
            big_endian,
            unit_ns: if magic == MAGIC_NANO { 1 } else { 1000 },
            modified: magic == MAGIC_MODIFIED,
            minor: if known { minor } else { 4 },
            link: LinkType::from_file((link & 0xffff) as u16),
            fcs_len,
            max_len: if snap_len == 0 { cap } else { snap_len.clamp(SNAP_LEN_FLOOR, cap) },
            noted_time: false,
            noted_length: false,
        }
    }

    /// Goes to the next record. `None`: nothing more can be read, and `log` says why.
    #[inline]
    pub(super) fn next(&mut self, window: &mut Window, log: &mut Log) -> io::Result<Option<Found>> {
        let header_len = if self.modified { MODIFIED_RECORD_HEADER } else { RECORD_HEADER };
        if !window.fill(header_len)? {
            let inside = (!window.bytes().is_empty())
                .then(|| ("the header of the record", here(window, log), header_len as u64));
            log.end(window, inside);
            return Ok(None);
        }
        let Some(header) = window.bytes().first_chunk::<RECORD_HEADER>() else { return Ok(None) };
        let big_endian = self.big_endian;
        let word = |b: [u8; 4]| if big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
        let seconds = word([header[0], header[1], header[2], header[3]]);
        let fraction = word([header[4], header[5], header[6], header[7]]);
        let mut captured = word([header[8], header[9], header[10], header[11]]);
        let mut original = word([header[12], header[13], header[14], header[15]]);
        // Before version 2.3 the two lengths were the other way round, and in 2.3 with some writers.
        if self.minor < 3 || (self.minor == 3 && captured > original) {
            (captured, original) = (original, captured);
        }
        let interface = match window.bytes().get(16..20) {
            Some(&[a, b, c, d]) if self.modified => word([a, b, c, d]),
            _ => 0,
        };
        if captured > self.max_len {
            let max = self.max_len;
            log.stop(here(window, log), || {
                format!(
                    "the record claims {captured} bytes, more than a frame of this file can have ({max}); \
                     reading stops here, since nothing tells where the next record begins"
                )
            });
            return Ok(None);
        }
        let len = captured as usize;
        let whole = header_len.saturating_add(len);
        if !window.fill(whole)? {
            log.end(window, Some(("the record", here(window, log), whole as u64)));
            return Ok(None);
        }
        let stamp = time::classic(seconds, fraction, self.unit_ns);
        if stamp.clamped && !self.noted_time {
            self.noted_time = true;
            let unit = if self.unit_ns == 1 { "nanoseconds" } else { "microseconds" };
            log.note(here(window, log), || {
                format!("the time has {fraction} {unit}, more than a second; here and wherever else, the end of its second is taken")
            });
        }
        if captured > original {
            if !self.noted_length {
                self.noted_length = true;
                log.note(here(window, log), || {
                    format!(
                        "{captured} bytes were captured of a frame that is said to have {original}; \
                         here and wherever else, the captured bytes are believed"
                    )
                });
            }
            original = captured;
        }
        let at = window.position().saturating_add(header_len);
        window.consume(whole);
        log.count(len, stamp.time);
        Ok(Some(Found {
            no: log.info.frames,
            time: stamp.time,
            link: self.link,
            interface,
            orig_len: original,
            fcs_len: fcs_left(self.fcs_len, captured, original),
            at,
            len,
        }))
    }
}

/// The record that the window stands at.
fn here(window: &Window, log: &Log) -> Place {
    Place { frame: Some(log.info.frames.saturating_add(1)), offset: window.offset() }
}

//! The record layer of one direction: finds where records begin and end (RFC 8446, section 5.1; RFC 5246, section 6.2).
//!
//! Whole records in one segment are handed on without a copy; the body of an opaque record is never held, only counted.
//! After a hole the next record boundary is looked for, and what was skipped is told.

use crate::flow::{Mark, Payload};
use crate::limits;
use crate::span::Span;

use super::extent::Extents;
use super::names::ContentType;

/// Length of a record's header.
pub const HEADER_BYTES: usize = 5;

/// The five bytes before a record's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the body is.
    pub content_type: ContentType,
    /// `legacy_record_version`.
    pub version: u16,
    /// Bytes of the body.
    pub len: u16,
}

impl RecordHeader {
    /// From its bytes; `None` when there are too few.
    pub fn parse(b: &[u8]) -> Option<Self> {
        let [t, v1, v2, l1, l2] = b.first_chunk::<HEADER_BYTES>()?;
        Some(Self {
            content_type: ContentType(*t),
            version: u16::from_be_bytes([*v1, *v2]),
            len: u16::from_be_bytes([*l1, *l2]),
        })
    }

    /// A header that a TLS implementation may have sent: a known content type, major version 3, a legal length.
    /// (2^14 + 2048 is the TLS 1.2 maximum of a protected record; TLS 1.3 allows 2^14 + 256.)
    pub fn is_plausible(&self) -> bool {
        (20..=26).contains(&self.content_type.0)
            && self.version >> 8 == 3
            && self.version & 0xff <= 4
            && !self.is_too_long()
    }

    /// Longer than any version of the protocol allows.
    pub fn is_too_long(&self) -> bool {
        self.len > limits::RECORD_BODY_BYTES
    }
}

/// A whole record.
#[derive(Debug)]
pub struct Record<'a> {
    /// Its header.
    pub header: RecordHeader,
    /// Its body; empty for an opaque one.
    pub body: &'a [u8],
    /// Where the body's bytes came from; empty for an opaque one.
    pub extents: &'a Extents,
    /// The frame with which it became complete.
    pub mark: Mark,
}

/// What the record layer says.
#[derive(Debug)]
pub enum RecordEvent<'a> {
    /// A record is complete.
    Record(Record<'a>),
    /// The bytes at this place are no record header: nothing more of this direction can be read.
    Desync {
        /// What stands where a header should.
        header: RecordHeader,
        /// Where.
        mark: Mark,
    },
    /// After a hole, a record boundary was found again behind so many bytes.
    Resynced {
        /// Bytes that were skipped to get there.
        skipped: u64,
        /// Where.
        mark: Mark,
    },
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Mode {
    /// At a record boundary or inside a record that is held.
    #[default]
    Records,
    /// Inside a record that is only counted: header and bytes still to come.
    Opaque(RecordHeader, usize),
    /// A hole lies before: looking for a boundary.
    Lost,
    /// Not a record: nothing more to read.
    Dead,
}

/// The record layer of one direction.
#[derive(Debug, Default)]
pub struct RecordReader {
    mode: Mode,
    held: Vec<u8>,
    held_extents: Extents,
    mark: Mark,
    skipped: u64,
}

impl RecordReader {
    /// Bytes held of a record that is not complete.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Header of a record that began and is not complete: (header, bytes of the body that came).
    pub fn unfinished(&self) -> Option<(RecordHeader, usize)> {
        match self.mode {
            Mode::Opaque(h, left) => Some((h, usize::from(h.len).saturating_sub(left))),
            Mode::Records => RecordHeader::parse(&self.held).map(|h| (h, self.held.len().saturating_sub(HEADER_BYTES))),
            Mode::Lost | Mode::Dead => None,
        }
    }

    /// A hole, or a start in the middle: the next boundary must be found.
    pub fn lose_sync(&mut self) {
        if self.mode != Mode::Dead {
            self.mode = Mode::Lost;
            self.held.clear();
            self.held_extents.clear();
            self.skipped = 0;
        }
    }

    /// A hole of `bytes`: harmless when it lies inside the body of an opaque record.
    pub fn gap(&mut self, bytes: u64) {
        if let Mode::Opaque(_, left) = &mut self.mode
            && let Ok(n) = usize::try_from(bytes)
            && n < *left
        {
            *left = left.saturating_sub(n);
            return;
        }
        self.lose_sync();
    }

    /// The next bytes of the stream. `opaque` says of a header whether the record's body is of no interest.
    /// The sink returns what `opaque` needs to know, so both are one object.
    pub fn push(&mut self, p: Payload<'_>, session: &mut impl RecordSink) {
        let here = Mark { frame: p.frame, time: p.time };
        let mut rest = p;
        while !rest.bytes.is_empty() {
            self.touch(here);
            rest = match self.mode {
                Mode::Dead => return,
                Mode::Opaque(header, left) => {
                    let n = left.min(rest.bytes.len());
                    if n < left {
                        self.mode = Mode::Opaque(header, left.saturating_sub(n));
                        return;
                    }
                    self.mode = Mode::Records;
                    self.emit_opaque(header, session);
                    tail(rest, n)
                }
                Mode::Lost => match self.resync(rest, session) {
                    Some(r) => r,
                    None => return,
                },
                Mode::Records => match self.records(rest, session) {
                    Some(r) => r,
                    None => return,
                },
            };
        }
    }

    /// A record is complete with the latest frame that holds a byte of it.
    fn touch(&mut self, here: Mark) {
        if here.frame > self.mark.frame {
            self.mark = here;
        }
    }

    fn emit_opaque(&mut self, header: RecordHeader, session: &mut impl RecordSink) {
        let none = Extents::default();
        session.record(RecordEvent::Record(Record { header, body: &[], extents: &none, mark: self.mark }));
        self.mark = Mark::default();
    }

    /// At a boundary or inside a held record. Gives back what is left when the mode changes, `None` when all was used.
    fn records<'p>(&mut self, mut p: Payload<'p>, session: &mut impl RecordSink) -> Option<Payload<'p>> {
        let here = Mark { frame: p.frame, time: p.time };
        while !p.bytes.is_empty() {
            self.touch(here);
            if self.held.is_empty() {
                let Some(header) = RecordHeader::parse(p.bytes) else { break };
                if let Some(bad) = self.refused(header, here) {
                    session.record(bad);
                    return None;
                }
                let whole = HEADER_BYTES.saturating_add(usize::from(header.len));
                if session.is_opaque(header) {
                    if p.bytes.len() < whole {
                        self.mode = Mode::Opaque(header, usize::from(header.len));
                        return Some(tail(p, HEADER_BYTES));
                    }
                    self.emit_opaque(header, session);
                } else {
                    let Some(body) = p.bytes.get(HEADER_BYTES..whole) else { break };
                    let from = Payload { bytes: body, ..tail(p, HEADER_BYTES) }.span();
                    let extents = Extents::one(from);
                    session.record(RecordEvent::Record(Record { header, body, extents: &extents, mark: self.mark }));
                    self.mark = Mark::default();
                }
                p = tail(p, whole);
                continue;
            }
            p = self.take_header(p);
            let header = RecordHeader::parse(&self.held)?;
            if let Some(bad) = self.refused(header, here) {
                session.record(bad);
                return None;
            }
            if self.held.len() == HEADER_BYTES && session.is_opaque(header) {
                self.held.clear();
                self.held_extents.clear();
                self.mode = Mode::Opaque(header, usize::from(header.len));
                if header.len == 0 {
                    self.mode = Mode::Records;
                    self.emit_opaque(header, session);
                }
                return Some(p);
            }
            let whole = HEADER_BYTES.saturating_add(usize::from(header.len));
            let need = whole.saturating_sub(self.held.len());
            let n = need.min(p.bytes.len());
            self.hold(p, n);
            p = tail(p, n);
            if n < need {
                return None;
            }
            let held = std::mem::take(&mut self.held);
            let mut extents = Extents::default();
            extents.push_part(0, &self.held_extents, Span::new(HEADER_BYTES, usize::from(header.len)));
            self.held_extents.clear();
            let body = held.get(HEADER_BYTES..).unwrap_or(&[]);
            session.record(RecordEvent::Record(Record { header, body, extents: &extents, mark: self.mark }));
            self.mark = Mark::default();
            self.held = held;
            self.held.clear();
            if self.held.capacity() > limits::KEPT_CAPACITY_BYTES {
                self.held = Vec::new();
            }
        }
        let n = p.bytes.len();
        self.hold(p, n);
        None
    }

    /// Completes a held header from `p`.
    fn take_header<'p>(&mut self, p: Payload<'p>) -> Payload<'p> {
        let n = HEADER_BYTES.saturating_sub(self.held.len()).min(p.bytes.len());
        self.hold(p, n);
        tail(p, n)
    }

    fn hold(&mut self, p: Payload<'_>, n: usize) {
        let bytes = p.bytes.get(..n).unwrap_or(p.bytes);
        if !bytes.is_empty() {
            self.held_extents.push(self.held.len(), Payload { bytes, ..p }.span());
            self.held.extend_from_slice(bytes);
        }
    }

    fn refused(&mut self, header: RecordHeader, mark: Mark) -> Option<RecordEvent<'static>> {
        if header.is_plausible() {
            return None;
        }
        self.mode = Mode::Dead;
        self.held = Vec::new();
        self.held_extents.clear();
        Some(RecordEvent::Desync { header, mark })
    }

    /// Looks for a place where two headers follow each other, or where one record fills the bytes exactly. Only what
    /// came with one segment is looked at: records nearly always begin where a segment begins, and a guess across
    /// segments would have to hold payload.
    fn resync<'p>(&mut self, p: Payload<'p>, session: &mut impl RecordSink) -> Option<Payload<'p>> {
        let b = p.bytes;
        for i in 0..b.len() {
            let Some(rest) = b.get(i..) else { break };
            let Some(h) = RecordHeader::parse(rest).filter(RecordHeader::is_plausible) else { continue };
            let next = HEADER_BYTES.saturating_add(usize::from(h.len));
            let chained = match rest.get(next..) {
                Some([]) => h.len > 0,
                Some(after) => RecordHeader::parse(after).is_some_and(|h| h.is_plausible()),
                // A record that goes on in the next segment: believed only at the very start of this one.
                None => i == 0 && h.len > 0,
            };
            if chained {
                self.mode = Mode::Records;
                let skipped = self.skipped.saturating_add(i as u64);
                session.record(RecordEvent::Resynced { skipped, mark: Mark { frame: p.frame, time: p.time } });
                return Some(tail(p, i));
            }
        }
        self.skipped = self.skipped.saturating_add(b.len() as u64);
        None
    }
}

/// Who takes the records of one direction.
pub trait RecordSink {
    /// True when the body of such a record is of no interest now.
    fn is_opaque(&self, header: RecordHeader) -> bool;
    /// Takes an event.
    fn record(&mut self, event: RecordEvent<'_>);
}

fn tail(p: Payload<'_>, n: usize) -> Payload<'_> {
    Payload {
        bytes: p.bytes.get(n..).unwrap_or(&[]),
        off: p.off.saturating_add(u32::try_from(n).unwrap_or(u32::MAX)),
        ..p
    }
}

//! Handshake messages put together from the bodies of records (RFC 8446, section 5.1): several in one record, or one over
//! several.

use crate::flow::Mark;
use crate::limits;
use crate::span::Span;

use super::extent::Extents;

/// Bytes of a handshake message's header: type and length.
pub(super) const HEADER_BYTES: usize = 4;

/// A message as it lies in the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawMessage<'a> {
    /// Header and body. Shorter than the header says when the message is longer than [`limits::MESSAGE_BYTES`].
    pub bytes: &'a [u8],
    /// Length of the body by the header.
    pub claimed: usize,
    /// Where the bytes came from.
    pub extents: &'a Extents,
    /// When the record that carries the last byte was complete.
    pub mark: Mark,
    /// Records that carry it.
    pub records: u32,
}

/// Joins one direction's handshake messages.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    buf: Vec<u8>,
    extents: Extents,
    /// Bytes of an over-long message that were dropped so far.
    dropped: usize,
    /// Records that the message under way has bytes of.
    records: u32,
}

impl Joiner {
    /// True in the middle of a message.
    pub(super) fn is_inside(&self) -> bool {
        !self.buf.is_empty()
    }

    /// Type, claimed length and bytes so far of the message that is not complete.
    pub(super) fn unfinished(&self) -> Option<(u8, usize, usize)> {
        let kind = *self.buf.first()?;
        Some((kind, self.claimed().unwrap_or(0), self.buf.len().saturating_add(self.dropped)))
    }

    /// Bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        self.buf.len()
    }

    /// A hole: what was begun cannot be completed.
    pub(super) fn reset(&mut self) {
        self.buf = Vec::new();
        self.extents.clear();
        self.dropped = 0;
        self.records = 0;
    }

    fn claimed(&self) -> Option<usize> {
        claimed(&self.buf)
    }

    /// Adds a record's body; whole messages go to `sink`.
    pub(super) fn push(&mut self, body: &[u8], extents: &Extents, mark: Mark, sink: &mut impl FnMut(RawMessage<'_>)) {
        let mut at = 0usize;
        if self.is_inside() {
            self.records = self.records.saturating_add(1);
        }
        while let Some(rest) = body.get(at..).filter(|r| !r.is_empty()) {
            if self.buf.is_empty()
                && let Some(len) = claimed(rest)
                && let Some(bytes) = rest.get(..HEADER_BYTES.saturating_add(len))
                && len <= limits::MESSAGE_BYTES
            {
                let mut own = Extents::default();
                own.push_part(0, extents, Span::new(at, bytes.len()));
                sink(RawMessage { bytes, claimed: len, extents: &own, mark, records: 1 });
                at = at.saturating_add(bytes.len());
                continue;
            }
            if self.buf.is_empty() {
                self.records = 1;
            }
            at = at.saturating_add(self.extend(rest, extents, at));
            if let Some(len) = self.claimed()
                && self.buf.len().saturating_add(self.dropped) >= HEADER_BYTES.saturating_add(len)
            {
                let bytes = std::mem::take(&mut self.buf);
                let records = self.records;
                sink(RawMessage { bytes: &bytes, claimed: len, extents: &self.extents, mark, records });
                self.reset();
            }
        }
    }

    /// Takes what the present message still needs, first its header. Returns how many bytes that was.
    fn extend(&mut self, rest: &[u8], extents: &Extents, at: usize) -> usize {
        let have = self.buf.len().saturating_add(self.dropped);
        let need = match self.claimed() {
            None => HEADER_BYTES.saturating_sub(have),
            Some(len) => HEADER_BYTES.saturating_add(len).saturating_sub(have),
        };
        let n = need.min(rest.len());
        let keep = n.min(HEADER_BYTES.saturating_add(limits::MESSAGE_BYTES).saturating_sub(self.buf.len()));
        if let Some(part) = rest.get(..keep) {
            self.extents.push_part(self.buf.len(), extents, Span::new(at, keep));
            self.buf.extend_from_slice(part);
        }
        self.dropped = self.dropped.saturating_add(n.saturating_sub(keep));
        n
    }
}

fn claimed(b: &[u8]) -> Option<usize> {
    let [_, a, b, c] = b.first_chunk::<HEADER_BYTES>()?;
    Some((usize::from(*a) << 16) | (usize::from(*b) << 8) | usize::from(*c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{FrameNo, FrameSpan};

    fn run(pieces: &[&[u8]]) -> Vec<(Vec<u8>, usize, Vec<u64>)> {
        let mut j = Joiner::default();
        let mut out = Vec::new();
        for (i, p) in pieces.iter().enumerate() {
            let span = FrameSpan { frame: FrameNo(i as u64 + 1), off: 50, len: p.len() as u32 };
            j.push(p, &Extents::one(span), Mark::default(), &mut |m| {
                out.push((m.bytes.to_vec(), m.claimed, m.extents.frames().iter().map(|f| f.0).collect()));
            });
        }
        out
    }

    #[test]
    fn any_cut_gives_the_same_messages() {
        let stream = [2, 0, 0, 3, 9, 8, 7, 14, 0, 0, 0, 11, 0, 0, 1, 5];
        let whole = run(&[&stream]);
        let bytes: Vec<_> = whole.iter().map(|m| m.0.clone()).collect();
        assert_eq!(bytes, [&stream[..7], &stream[7..11], &stream[11..]]);
        for a in 0..=stream.len() {
            for b in a..=stream.len() {
                let got = run(&[&stream[..a], &stream[a..b], &stream[b..]]);
                assert_eq!(got.iter().map(|m| m.0.clone()).collect::<Vec<_>>(), bytes, "cut at {a} and {b}");
                assert_eq!(got[0].2.first(), Some(&(if a == 0 { 2 + u64::from(b == 0) } else { 1 })));
            }
        }
    }

    #[test]
    fn the_records_of_a_message_are_counted() {
        let message = [1, 0, 0, 4, 9, 8, 7, 6];
        let count = |pieces: &[&[u8]]| {
            let (mut j, mut out) = (Joiner::default(), Vec::new());
            for p in pieces {
                let span = FrameSpan { frame: FrameNo(1), off: 0, len: p.len() as u32 };
                j.push(p, &Extents::one(span), Mark::default(), &mut |m| out.push(m.records));
            }
            out
        };
        assert_eq!(count(&[&message, &message]), [1, 1]);
        assert_eq!(count(&[&message[..2], &message[2..5], &[&message[5..], &message[..]].concat()]), [3, 1]);
        assert_eq!(count(&[&[&message[..], &message[..6]].concat(), &message[6..]]), [1, 2]);
    }

    #[test]
    fn of_a_message_that_is_too_long_the_beginning_is_kept() {
        let claimed = limits::MESSAGE_BYTES + 1000;
        let mut stream = vec![11, (claimed >> 16) as u8, (claimed >> 8) as u8, claimed as u8];
        stream.resize(HEADER_BYTES + claimed, 1);
        stream.extend([14, 0, 0, 0]);
        let pieces: Vec<_> = stream.chunks(16_000).collect();
        let got = run(&pieces);
        assert_eq!(got.len(), 2);
        assert_eq!((got[0].0.len(), got[0].1), (HEADER_BYTES + limits::MESSAGE_BYTES, claimed));
        assert_eq!(got[1].0, [14, 0, 0, 0]);
    }
}

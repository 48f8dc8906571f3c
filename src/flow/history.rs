//! What was delivered of a handshake, to know a retransmission that says something else.

use crate::limits;
use crate::span::FrameNo;

use super::stream::Payload;

/// Two copies of the same bytes that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Frame of the copy that was kept.
    pub first: FrameNo,
    /// Frame of the copy that differs.
    pub second: FrameNo,
    /// Offset in the stream of the first byte that differs.
    pub at: u64,
    /// The kept bytes from there (at most [`limits::CONFLICT_BYTES`]).
    pub kept: Box<[u8]>,
    /// The other copy's bytes from there (as many).
    pub other: Box<[u8]>,
}

/// One copy of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy<'a> {
    /// The bytes.
    pub(super) bytes: &'a [u8],
    /// The frame that carried them.
    pub(super) frame: FrameNo,
}

/// The conflicts of one direction, capped.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    list: Vec<Conflict>,
    omitted: u64,
}

impl Conflicts {
    /// Those found so far.
    pub(super) fn list(&self) -> &[Conflict] {
        &self.list
    }

    /// How many more there were.
    pub(super) fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Compares two copies of what stands at `at`; a difference is noted, `kept` being the copy that counts.
    pub(super) fn compare(&mut self, at: u64, kept: Copy<'_>, other: Copy<'_>) {
        let Some(i) = kept.bytes.iter().zip(other.bytes).position(|(a, b)| a != b) else { return };
        if self.list.len() >= limits::CONFLICTS {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let shared = kept.bytes.len().min(other.bytes.len());
        let end = shared.min(i.saturating_add(limits::CONFLICT_BYTES));
        let part = |c: Copy<'_>| c.bytes.get(i..end).unwrap_or(&[]).into();
        self.list.push(Conflict {
            first: kept.frame,
            second: other.frame,
            at: at.saturating_add(i as u64),
            kept: part(kept),
            other: part(other),
        });
    }
}

/// Delivered bytes from the start of a direction, and the frames that brought them.
#[derive(Debug, Default)]
pub(super) struct History {
    bytes: Vec<u8>,
    from: u64,
    frames: Vec<(u64, FrameNo)>,
    done: bool,
}

impl History {
    /// Keeps nothing any more.
    pub(super) fn forget(&mut self) {
        *self = Self { done: true, ..Self::default() };
    }

    /// Adds what was delivered at `at`. What does not fit, or lies behind a hole, stays unknown.
    pub(super) fn remember(&mut self, at: u64, p: Payload<'_>) {
        if self.done {
            return;
        }
        if self.bytes.len().saturating_add(p.bytes.len()) > limits::HISTORY_BYTES
            || self.frames.len() >= limits::HISTORY_SEGMENTS
        {
            self.done = true; // what is kept stays comparable
            return;
        }
        if self.bytes.is_empty() {
            self.from = at;
        } else if self.from.saturating_add(self.bytes.len() as u64) != at {
            return;
        }
        self.frames.push((at, p.frame));
        self.bytes.extend_from_slice(p.bytes);
    }

    /// Compares a segment that begins at `at` with what was delivered there.
    pub(super) fn compare(&self, at: u64, p: Payload<'_>, conflicts: &mut Conflicts) {
        let lo = at.max(self.from);
        let from = usize::try_from(lo.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let Some(old) = self.bytes.get(from..).filter(|b| !b.is_empty()) else { return };
        let i = self.frames.partition_point(|(o, _)| *o <= lo).saturating_sub(1);
        let frame = self.frames.get(i).map_or(FrameNo(0), |(_, f)| *f);
        let new = p.skip(usize::try_from(lo.saturating_sub(at)).unwrap_or(usize::MAX));
        conflicts.compare(lo, Copy { bytes: old, frame }, Copy { bytes: new.bytes, frame: new.frame });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Timestamp;

    fn payload(bytes: &[u8], frame: u64) -> Payload<'_> {
        Payload { bytes, frame: FrameNo(frame), off: 0, time: Timestamp(0) }
    }

    #[test]
    fn a_copy_that_differs_names_both_frames() {
        let (mut h, mut c) = (History::default(), Conflicts::default());
        h.remember(0, payload(b"abc", 4));
        h.remember(3, payload(b"def", 5));
        h.compare(1, payload(b"bcdef", 7), &mut c);
        h.compare(6, payload(b"new", 8), &mut c);
        assert!(c.list().is_empty());
        h.compare(2, payload(b"cdXf", 9), &mut c);
        let x = &c.list()[0];
        // The frame of the first byte that both copies have.
        assert_eq!((x.first.0, x.second.0, x.at), (4, 9, 4));
        assert_eq!((&*x.kept, &*x.other), (&b"ef"[..], &b"Xf"[..]));
        (0..limits::CONFLICTS).for_each(|_| h.compare(2, payload(b"cdXf", 9), &mut c));
        assert_eq!((c.list().len(), c.omitted()), (limits::CONFLICTS, 1));
    }

    #[test]
    fn behind_a_hole_nothing_is_compared() {
        let (mut h, mut c) = (History::default(), Conflicts::default());
        h.remember(0, payload(b"abc", 4));
        h.remember(9, payload(b"xyz", 5));
        h.compare(9, payload(b"XYZ", 6), &mut c);
        assert!(c.list().is_empty());
        h.forget();
        h.compare(0, payload(b"ABC", 7), &mut c);
        assert!(c.list().is_empty());
    }
}

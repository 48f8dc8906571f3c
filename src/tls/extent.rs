//! Which bytes of a message came from which bytes of which frames.

use smallvec::SmallVec;

use crate::limits;
use crate::span::{FrameNo, FrameSpan, Span};

/// A run of a message's (or record's) bytes and the frame bytes that carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset in the message of the first byte.
    pub at: u32,
    /// Where it came from; its length is the run's length.
    pub from: FrameSpan,
}

/// The runs of a message in order, adjoining, from its first byte to its last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents(SmallVec<[Extent; 2]>);

impl Extents {
    /// Of a message that lies in one piece.
    pub fn one(from: FrameSpan) -> Self {
        let mut v = SmallVec::new();
        v.push(Extent { at: 0, from });
        Self(v)
    }

    /// The runs.
    pub fn runs(&self) -> &[Extent] {
        &self.0
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds the run that follows `at` bytes already there.
    pub fn push(&mut self, at: usize, from: FrameSpan) {
        if let Some(last) = self.0.last_mut()
            && last.from.frame == from.frame
            && last.from.off.saturating_add(last.from.len) == from.off
        {
            last.from.len = last.from.len.saturating_add(from.len);
            return;
        }
        if self.0.len() < limits::EXTENTS_PER_MESSAGE {
            self.0.push(Extent { at: u32::try_from(at).unwrap_or(u32::MAX), from });
        }
    }

    /// Adds the runs of `other` that cover its bytes `span`, behind `at` bytes already there.
    pub fn push_part(&mut self, at: usize, other: &Self, span: Span) {
        let mut here = at;
        for from in other.resolve(span) {
            self.push(here, from);
            here = here.saturating_add(from.len as usize);
        }
    }

    /// The frame bytes that carry `span`, in order. Bytes whose origin was not kept are left out.
    pub fn resolve(&self, span: Span) -> impl Iterator<Item = FrameSpan> + '_ {
        // Runs are sorted: the first that matters is the last one that begins at or before the span.
        let first = self.0.partition_point(|e| e.at as usize <= span.at).saturating_sub(1);
        self.0.get(first..).unwrap_or(&[]).iter().take_while(move |e| (e.at as usize) < span.end().max(1)).filter_map(
            move |e| {
                let start = e.at as usize;
                let lo = span.at.max(start);
                let hi = span.end().min(start.saturating_add(e.from.len as usize));
                let len = hi.checked_sub(lo).filter(|n| *n > 0)?;
                Some(FrameSpan {
                    frame: e.from.frame,
                    off: e.from.off.saturating_add(u32::try_from(lo.saturating_sub(start)).unwrap_or(u32::MAX)),
                    len: u32::try_from(len).unwrap_or(u32::MAX),
                })
            },
        )
    }

    /// The frames that hold any byte, each once, in order of number.
    pub fn frames(&self) -> SmallVec<[FrameNo; 2]> {
        let mut f: SmallVec<[FrameNo; 2]> = self.0.iter().map(|e| e.from.frame).collect();
        f.sort_unstable();
        f.dedup();
        f
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(frame: u64, off: u32, len: u32) -> FrameSpan {
        FrameSpan { frame: FrameNo(frame), off, len }
    }

    #[test]
    fn a_span_maps_to_frame_bytes() {
        let mut e = Extents::default();
        e.push(0, span(4, 66, 10));
        e.push(10, span(4, 76, 5)); // adjoins: one run
        e.push(15, span(6, 66, 20));
        assert_eq!(e.runs().len(), 2);
        let got: Vec<_> = e.resolve(Span::new(12, 10)).collect();
        assert_eq!(got, [span(4, 78, 3), span(6, 66, 7)]);
        assert_eq!(e.resolve(Span::new(35, 1)).count(), 0);
        assert_eq!(e.resolve(Span::new(20, 0)).count(), 0);
        let mut part = Extents::default();
        part.push_part(0, &e, Span::new(14, 3));
        assert_eq!(part.resolve(Span::new(0, 3)).collect::<Vec<_>>(), [span(4, 80, 1), span(6, 66, 2)]);
        assert_eq!(e.frames().as_slice(), [FrameNo(4), FrameNo(6)]);
    }
}

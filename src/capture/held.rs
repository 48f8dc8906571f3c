//! Frames that outlive the read buffer.

use std::collections::BTreeMap;

use super::Frame;
use crate::limits::HELD_FRAGMENTS_BYTES;
use crate::span::FrameNo;

/// A frame with its own bytes.
#[derive(Clone, Debug)]
pub struct OwnedFrame {
    head: Frame<'static>,
    data: Vec<u8>,
}

impl OwnedFrame {
    /// Copies it.
    pub fn of(f: &Frame<'_>) -> Self {
        let Frame { no, time, link, interface, orig_len, fcs_len, data } = *f;
        Self { head: Frame { no, time, link, interface, orig_len, fcs_len, data: &[] }, data: data.to_vec() }
    }

    /// As it was.
    pub fn frame(&self) -> Frame<'_> {
        Frame { data: &self.data, ..self.head }
    }

    /// Bytes of memory that it takes, about.
    pub fn cost(&self) -> usize {
        self.data.len().saturating_add(size_of::<Self>())
    }
}

/// Frames that hold fragments of IP datagrams, until the last one of a datagram says which flow it belongs to. The oldest
/// leave when there are too many.
#[derive(Debug, Default)]
pub struct Fragments {
    frames: BTreeMap<FrameNo, OwnedFrame>,
    bytes: usize,
    /// The latest that left for want of room: all before it have left too, or were taken.
    gone: Option<FrameNo>,
}

impl Fragments {
    /// Holds one.
    pub fn add(&mut self, f: &Frame<'_>) {
        let frame = OwnedFrame::of(f);
        self.bytes = self.bytes.saturating_add(frame.cost());
        self.frames.insert(f.no, frame);
        while self.bytes > HELD_FRAGMENTS_BYTES
            && let Some((no, old)) = self.frames.pop_first()
        {
            self.gone = Some(no);
            self.bytes = self.bytes.saturating_sub(old.cost());
        }
    }

    /// The one of this number was held and has left; what was taken counts as such too when a later one has left.
    pub fn has_lost(&self, no: FrameNo) -> bool {
        self.gone.is_some_and(|gone| no <= gone)
    }

    /// The one of this number, if it is held.
    pub fn take(&mut self, no: FrameNo) -> Option<OwnedFrame> {
        let found = self.frames.remove(&no)?;
        self.bytes = self.bytes.saturating_sub(found.cost());
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;

    #[test]
    fn fragments_are_given_back_once_and_the_oldest_leave() {
        let data = vec![7; HELD_FRAGMENTS_BYTES / 4];
        let frame = |no| Frame {
            no: FrameNo(no),
            time: None,
            link: LinkType::ETHERNET,
            interface: 2,
            orig_len: 9,
            fcs_len: 4,
            data: &data,
        };
        let mut held = Fragments::default();
        (1..=5).for_each(|no| held.add(&frame(no)));
        assert!(held.take(FrameNo(1)).is_none() && held.take(FrameNo(2)).is_none());
        assert_eq!([1, 2, 3, 4, 5].map(|no| held.has_lost(FrameNo(no))), [true, true, false, false, false]);
        assert_eq!(held.take(FrameNo(4)).unwrap().frame(), frame(4));
        assert!(held.take(FrameNo(4)).is_none() && held.take(FrameNo(3)).is_some() && held.take(FrameNo(5)).is_some());
        assert_eq!(held.bytes, 0);
    }
}

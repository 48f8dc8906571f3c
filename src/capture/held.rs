//! Frames that outlive the read buffer.

use std::collections::BTreeMap;

use super::Frame;
use crate::span::FrameNo;

/// Bytes of fragments that are held until it is known whose they are.
const FRAGMENTS: usize = 4 << 20;

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
}

impl Fragments {
    /// Holds one.
    pub fn add(&mut self, f: &Frame<'_>) {
        let frame = OwnedFrame::of(f);
        self.bytes = self.bytes.saturating_add(frame.cost());
        self.frames.insert(f.no, frame);
        while self.bytes > FRAGMENTS
            && let Some((_, old)) = self.frames.pop_first()
        {
            self.bytes = self.bytes.saturating_sub(old.cost());
        }
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
        let data = vec![7; FRAGMENTS / 4];
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
        assert_eq!(held.take(FrameNo(4)).unwrap().frame(), frame(4));
        assert!(held.take(FrameNo(4)).is_none() && held.take(FrameNo(3)).is_some() && held.take(FrameNo(5)).is_some());
        assert_eq!(held.bytes, 0);
    }
}

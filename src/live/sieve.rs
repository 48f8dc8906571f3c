//! Of the packets only the handshakes of flows with findings: frames wait until their flow is decided.

use std::collections::{BTreeSet, HashMap};
use std::io;

use super::Sink;
use crate::analyzer::FlowReport;
use crate::capture::{Frame, OwnedFrame, SourceInfo};
use crate::diagnose::Severity;
use crate::limits;
use crate::text::count;

/// Hands on to another sink what it must keep: frame by frame as captured, flow by flow as they are decided.
pub struct Sieve {
    to: Box<dyn Sink>,
    /// A finding of this severity or worse makes a flow worth keeping.
    least: Severity,
    flows: HashMap<u64, Waiting>,
    /// Flows that hold frames, those that are let go first in front: the ones without a finding so far, then the oldest.
    order: BTreeSet<(bool, u64)>,
    /// Bytes of all frames that wait.
    bytes: usize,
    /// Packets that should have been kept and were not, and their flows.
    lost: (u64, u64),
}

/// A flow whose end is not known.
#[derive(Default)]
struct Waiting {
    frames: Vec<OwnedFrame>,
    bytes: usize,
    stage: Stage,
    /// Frames that could not wait.
    dropped: u64,
    /// Frames of fragments that were gone before it was known whose they are.
    missing: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Its handshake goes on.
    #[default]
    Undecided,
    /// It went well so far.
    Clean,
    /// It has a finding: nothing waits any more.
    Found,
}

impl Waiting {
    /// Its place in the order.
    fn place(&self, id: u64) -> (bool, u64) {
        (self.stage == Stage::Undecided, id)
    }
}

impl std::fmt::Debug for Sieve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sieve").field("flows", &self.flows.len()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Sieve {
    /// Lets through to `to` the flows with a finding of this severity or a worse one.
    pub fn new(to: Box<dyn Sink>, least: Severity) -> Self {
        Self { to, least, flows: HashMap::new(), order: BTreeSet::new(), bytes: 0, lost: (0, 0) }
    }

    fn is_found(&self, f: &FlowReport) -> bool {
        f.diagnosis.findings.iter().any(|f| f.severity >= self.least)
    }

    /// A frame of a flow.
    fn take(&mut self, frame: &Frame<'_>, id: u64) -> io::Result<()> {
        let w = self.flows.entry(id).or_default();
        if w.stage == Stage::Found {
            return self.to.frame(frame, Some(id));
        }
        // Behind one that is missing no other is of use: what is kept of a flow is its beginning.
        if w.dropped > 0 || w.bytes.saturating_add(frame.data.len()) > limits::WAITING_FLOW_BYTES {
            w.dropped = w.dropped.saturating_add(1);
            return Ok(());
        }
        let frame = OwnedFrame::of(frame);
        w.bytes = w.bytes.saturating_add(frame.cost());
        self.bytes = self.bytes.saturating_add(frame.cost());
        w.frames.push(frame);
        self.order.insert(w.place(id));
        while self.bytes > limits::WAITING_BYTES
            && let Some((_, id)) = self.order.pop_first()
        {
            if let Some(w) = self.flows.get_mut(&id) {
                let frames = std::mem::take(&mut w.frames);
                w.dropped = w.dropped.saturating_add(frames.len() as u64);
                self.bytes = self.bytes.saturating_sub(std::mem::take(&mut w.bytes));
            }
        }
        Ok(())
    }

    /// Takes a flow out; its frames have the word of whoever asks.
    fn remove(&mut self, id: u64) -> Option<Waiting> {
        let w = self.flows.remove(&id)?;
        self.order.remove(&w.place(id));
        self.bytes = self.bytes.saturating_sub(w.bytes);
        Some(w)
    }

    /// A flow is decided and goes on.
    fn decide(&mut self, id: u64, found: bool) -> io::Result<()> {
        let Some(mut w) = self.remove(id) else { return Ok(()) };
        if found {
            self.keep(id, &w)?;
            w = Waiting { stage: Stage::Found, ..Waiting::default() };
        } else if w.stage == Stage::Undecided {
            w.stage = Stage::Clean;
        }
        if !w.frames.is_empty() {
            self.order.insert(w.place(id));
            self.bytes = self.bytes.saturating_add(w.bytes);
        }
        self.flows.insert(id, w);
        Ok(())
    }

    /// A flow is over.
    fn end_flow(&mut self, id: u64, found: bool) -> io::Result<()> {
        match self.remove(id) {
            Some(w) if found => self.keep(id, &w),
            _ => Ok(()),
        }
    }

    /// What waits of a flow is kept.
    fn keep(&mut self, id: u64, w: &Waiting) -> io::Result<()> {
        let lost = w.dropped.saturating_add(w.missing);
        if lost > 0 {
            self.lost = (self.lost.0.saturating_add(lost), self.lost.1.saturating_add(1));
        }
        w.frames.iter().try_for_each(|f| self.to.frame(&f.frame(), Some(id)))
    }
}

impl Sink for Sieve {
    fn frame(&mut self, frame: &Frame<'_>, wanted: Option<u64>) -> io::Result<()> {
        wanted.map_or(Ok(()), |id| self.take(frame, id))
    }

    fn fragment(&mut self, frame: &Frame<'_>, flow: u64) -> io::Result<()> {
        self.take(frame, flow)
    }

    fn missing(&mut self, flow: u64) {
        let w = self.flows.entry(flow).or_default();
        w.missing = w.missing.saturating_add(1);
    }

    fn decided(&mut self, flow: &FlowReport) -> io::Result<()> {
        self.decide(flow.facts.id, self.is_found(flow))
    }

    fn ended(&mut self, flow: &FlowReport) -> io::Result<()> {
        self.end_flow(flow.facts.id, self.is_found(flow))
    }

    fn silent(&mut self, flow: u64) {
        self.remove(flow);
    }

    fn rest(&mut self) -> io::Result<()> {
        self.to.rest()
    }

    fn end(&mut self, info: &SourceInfo) -> io::Result<()> {
        self.to.end(info)
    }

    fn left_out(&self) -> Option<String> {
        let (packets, flows) = self.lost;
        let what = format!(
            "{} of {} with findings are not in {}: more waited at once than memory is kept for",
            count(packets, "packet"),
            count(flows, "connection"),
            self.name()
        );
        (packets > 0).then_some(what).or_else(|| self.to.left_out())
    }

    fn name(&self) -> &str {
        self.to.name()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::capture::LinkType;
    use crate::span::FrameNo;

    /// Numbers of the frames that came through.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u64>>>);

    impl Kept {
        fn take(&self) -> Vec<u64> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl Sink for Kept {
        fn frame(&mut self, frame: &Frame<'_>, _: Option<u64>) -> io::Result<()> {
            self.0.lock().unwrap().push(frame.no.0);
            Ok(())
        }

        fn name(&self) -> &str {
            "bad.pcapng"
        }
    }

    fn frame(no: u64, data: &[u8]) -> Frame<'_> {
        let orig_len = u32::try_from(data.len()).unwrap();
        Frame { no: FrameNo(no), time: None, link: LinkType::ETHERNET, interface: 0, orig_len, fcs_len: 0, data }
    }

    fn sieve() -> (Sieve, Kept) {
        let kept = Kept::default();
        (Sieve::new(Box::new(kept.clone()), Severity::Warning), kept)
    }

    /// Nothing is held any more.
    fn is_empty(s: &Sieve) -> bool {
        s.bytes == 0 && s.order.is_empty() && s.flows.is_empty()
    }

    #[test]
    fn frames_wait_until_their_flow_is_decided() {
        let (mut s, kept) = sieve();
        for (no, flow) in [(1, Some(1)), (2, Some(2)), (3, None), (4, Some(1)), (5, Some(3))] {
            s.frame(&frame(no, b"abc"), flow).unwrap();
        }
        assert!(kept.take().is_empty());
        s.decide(1, true).unwrap();
        assert_eq!(kept.take(), [1, 4]);
        // What follows goes through at once, and is not written again.
        s.frame(&frame(6, b"abc"), Some(1)).unwrap();
        s.end_flow(1, true).unwrap();
        assert_eq!(kept.take(), [6]);
        // One that went well so far may still end badly.
        s.decide(2, false).unwrap();
        s.fragment(&frame(7, b"abc"), 2).unwrap();
        s.frame(&frame(8, b"abc"), Some(2)).unwrap();
        s.end_flow(2, true).unwrap();
        assert_eq!(kept.take(), [2, 7, 8]);
        s.frame(&frame(9, b"abc"), Some(4)).unwrap();
        s.end_flow(3, false).unwrap();
        s.silent(4);
        assert_eq!((kept.take(), s.left_out()), (vec![], None));
        assert!(is_empty(&s));
    }

    #[test]
    fn fragments_that_are_gone_are_missing_where_they_were_wanted() {
        let (mut s, kept) = sieve();
        for flow in [1, 2] {
            s.missing(flow);
            s.frame(&frame(flow, b"abc"), Some(flow)).unwrap();
        }
        s.end_flow(1, false).unwrap();
        assert_eq!(s.left_out(), None);
        s.decide(2, true).unwrap();
        assert_eq!(kept.take(), [2]);
        s.missing(2);
        s.end_flow(2, true).unwrap();
        assert!(s.left_out().unwrap().starts_with("2 packets of "), "{:?}", s.left_out());
        assert!(is_empty(&s));
    }

    #[test]
    fn memory_is_bounded_and_what_is_missing_is_said() {
        let (mut s, kept) = sieve();
        let large = vec![0; limits::WAITING_FLOW_BYTES / 4];
        // One flow: its beginning stays.
        for no in 1..=9 {
            s.frame(&frame(no, &large), Some(1)).unwrap();
        }
        s.frame(&frame(10, b"small"), Some(1)).unwrap();
        assert!(s.bytes <= limits::WAITING_FLOW_BYTES + 4096);
        s.end_flow(1, true).unwrap();
        assert_eq!(kept.take(), [1, 2, 3]);
        let said = s.left_out().unwrap();
        assert!(said.starts_with("7 packets of 1 connection with findings are not in bad.pcapng: "), "{said}");
        // Many flows: those that went well so far leave first, then the oldest.
        let many = (limits::WAITING_BYTES / large.len()) as u64;
        for id in 1..=many + 2 {
            s.frame(&frame(100 + id, &large), Some(id)).unwrap();
            if id == 5 {
                s.decide(5, false).unwrap();
            }
            assert!(s.bytes <= limits::WAITING_BYTES);
        }
        // The fifth, the first, and the second for what they need besides.
        let gone: Vec<u64> = (1..=many + 2).filter(|id| s.flows[id].frames.is_empty()).collect();
        assert_eq!(gone, [1, 2, 5]);
        s.decide(6, false).unwrap();
        for id in 1..=many + 2 {
            s.end_flow(id, id % 2 == 1).unwrap();
        }
        assert_eq!(
            kept.take(),
            (1..=many + 2).filter(|id| id % 2 == 1 && ![1, 5].contains(id)).map(|id| 100 + id).collect::<Vec<_>>()
        );
        assert!(s.left_out().unwrap().starts_with("9 packets of 3 connections "), "{:?}", s.left_out());
        assert!(is_empty(&s));
    }
}

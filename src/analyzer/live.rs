//! What a live source needs besides: flows are told once their handshake is decided, while they are still open; silent ones
//! time out; and what the kernel dropped is no flow's fault.

use std::collections::VecDeque;

use super::{Analyzer, FlowReport, report};
use crate::flow::FlowIndex;
use crate::limits;
use crate::span::{FrameNo, Timestamp};

/// Flows whose handshake was decided and that wait to be told.
#[derive(Debug, Default)]
pub(super) struct Decided(VecDeque<(Timestamp, FlowIndex, u64)>);

impl Decided {
    /// A flow was decided.
    pub(super) fn push(&mut self, at: Timestamp, i: FlowIndex, id: u64) {
        self.0.push_back((at, i, id));
    }

    /// One that has waited long enough at `now`.
    fn pop(&mut self, now: Timestamp) -> Option<(FlowIndex, u64)> {
        let (at, ..) = self.0.front()?;
        if now.0.saturating_sub(at.0) < limits::DECIDED_DELAY_NS {
            return None;
        }
        self.0.pop_front().map(|(_, i, id)| (i, id))
    }
}

/// What the last frame was.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// See [`Analyzer::wanted`].
    pub(super) wanted: Option<u64>,
    /// See [`Analyzer::fragments`].
    pub(super) fragments: Vec<FrameNo>,
    /// See [`Analyzer::is_fragment`].
    pub(super) is_fragment: bool,
}

impl Last {
    pub(super) fn clear(&mut self) {
        (self.wanted, self.is_fragment) = (None, false);
        self.fragments.clear();
    }
}

/// When packets were lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    total: u64,
    looked: Option<Timestamp>,
    spans: VecDeque<(Timestamp, Timestamp)>,
}

impl Losses {
    /// The source has lost `total` packets up to now.
    fn count(&mut self, total: u64, at: Timestamp) {
        let since = self.looked.replace(at).unwrap_or(at);
        if total <= self.total {
            return;
        }
        self.total = total;
        match self.spans.back_mut() {
            Some(last) if last.1 >= since => last.1 = at,
            _ => self.spans.push_back((since, at)),
        }
        if self.spans.len() > limits::LOSSES {
            // Two become one, with what lies between: too careful rather than too bold.
            if let Some((from, _)) = self.spans.pop_front()
                && let Some(next) = self.spans.front_mut()
            {
                next.0 = from;
            }
        }
    }

    /// Was something lost between two times?
    pub(super) fn within(&self, from: Timestamp, to: Timestamp) -> bool {
        self.spans.iter().rev().any(|(since, until)| *since <= to && *until >= from)
    }
}

impl Analyzer {
    /// For a live source: the clock says `now`, whether frames came or not. Flows that time out are reported. Frames that come
    /// later may be older than that (a stream that stalls): what is left of closed flows stays for them.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(i) = self.table.overdue(self.now, limits::LIVE_LINGER_NS) {
            self.park(i);
        }
        self.park_idle();
        for _ in 0..limits::LIVE_LOOKS {
            if !self.time_out() {
                break;
            }
        }
    }

    /// For a live source: it has lost `total` packets since it began, as counted at the time `at` of the clock. Flows that were
    /// in their handshake since the last count may lack any of them.
    pub fn lost(&mut self, total: u64, at: Timestamp) {
        self.losses.count(total, at);
    }

    /// For a live source: flows that are still open and whose handshake is decided, each once. They are reported again when
    /// they end.
    pub fn take_decided(&mut self) -> Vec<FlowReport> {
        let mut out = Vec::new();
        while let Some((i, id)) = self.decided.pop(self.now) {
            let Some(flow) = self.table.get_mut(i).filter(|f| f.id == id && !f.is_closed()) else { continue };
            let Some(mut facts) = flow.as_it_stands() else { continue };
            facts.packets_lost =
                facts.packets_lost || self.losses.within(facts.first.time, facts.doubtful_until(self.now));
            self.redact(&mut facts);
            facts.siblings = self.memory.recall(&facts);
            out.extend(report(facts, &self.options.policy));
        }
        out
    }

    /// For a live source: the flow that the last frame belongs to, as long as its handshake can still be explained by frames:
    /// those of the data behind it are not worth keeping.
    pub fn wanted(&self) -> Option<u64> {
        self.last.wanted
    }

    /// For a live source: earlier frames that hold fragments of what the last frame completed.
    pub fn fragments(&self) -> &[FrameNo] {
        &self.last.fragments
    }

    /// The last frame is a fragment of something that is not complete.
    pub fn is_fragment(&self) -> bool {
        self.last.is_fragment
    }

    /// For a live source: ids of flows that have ended and of which there is nothing to tell.
    pub fn take_silent(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.silent)
    }

    /// A flow ends without a report.
    pub(super) fn in_silence(&mut self, id: u64) {
        if self.options.live {
            self.silent.push(id);
        }
    }

    /// Looks at the flow that is idle longest and reports it when its time is over; false when none can be near it.
    fn time_out(&mut self) -> bool {
        let Some((i, idle)) = self.table.idle(self.now).filter(|(_, idle)| *idle > limits::IDLE_NS) else {
            return false;
        };
        let complete = self.table.get_mut(i).is_some_and(|f| f.is_complete());
        if complete && idle <= limits::LIVE_IDLE_COMPLETE_NS {
            // Others behind it may have less patience.
            self.table.requeue(i);
        } else {
            self.end_flow(i, true);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_remembered_by_time() {
        let t = |s: i64| Timestamp::from_parts(s, 0);
        let mut l = Losses::default();
        l.count(0, t(1));
        l.count(5, t(2));
        l.count(5, t(3));
        l.count(6, t(4));
        assert!(l.within(t(0), t(1)) && l.within(t(2), t(2)) && l.within(t(3), t(9)));
        assert!(!l.within(t(5), t(9)) && !l.within(Timestamp(0), Timestamp(5)));
        for n in 0..3 * limits::LOSSES as i64 {
            l.count(7 + n as u64, t(10 + 2 * n));
            l.count(7 + n as u64, t(11 + 2 * n));
        }
        assert_eq!(l.spans.len(), limits::LOSSES);
        assert!(l.within(t(2), t(2)));
    }
}

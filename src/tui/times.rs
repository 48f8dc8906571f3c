//! The times beside the ladder: since the first packet, since the step before, since a mark, or of day; and which steps
//! came late.

use crate::facts::{MessageKind, Outcome};
use crate::span::Timestamp;

use super::flow_view::Open;
use super::row::clock;
use crate::ladder::{Kind, Rung, What};
use crate::layout;

/// A step that comes this many microseconds after the one before is late: a person notices half a second.
const LATE_US: u64 = 500_000;

/// What the times are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Times {
    /// The flow's first packet, or the mark where there is one.
    #[default]
    First,
    /// The step before.
    Previous,
    /// Midnight, UTC.
    OfDay,
}

impl Times {
    /// The next one.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::First => Self::Previous,
            Self::Previous => Self::OfDay,
            Self::OfDay => Self::First,
        }
    }

    /// What the times are, for the title of the ladder.
    pub(crate) const fn name(self, marked: bool) -> &'static str {
        match self {
            Self::First if marked => "Δ mark",
            Self::First => "Δ first",
            Self::Previous => "Δ previous",
            Self::OfDay => "UTC",
        }
    }
}

/// The time beside a step, and whether it came late.
pub(crate) fn label(o: &Open, n: usize, times: Times) -> Option<(String, bool)> {
    let rung = o.rungs.get(n)?;
    let time = rung.time?;
    let previous = o.rungs.get(..n).and_then(|l| l.iter().rev().find_map(arrow_time));
    let gap = previous.map_or(0, |p| time.us_since(p));
    let late = gap >= LATE_US && counts(o, rung);
    let marked = o.mark.and_then(|m| o.rungs.get(m)).and_then(|r| r.time);
    let text = match (times, marked) {
        (Times::OfDay, _) => clock(time),
        (Times::Previous, _) => layout::duration(gap),
        (Times::First, Some(mark)) if time < mark => format!("-{}", layout::duration(mark.us_since(time))),
        (Times::First, Some(mark)) => format!("+{}", layout::duration(time.us_since(mark))),
        (Times::First, None) => layout::duration(time.us_since(o.detail.report.facts.first.time)),
    };
    // Where the time itself does not tell how long the gap was, a late step says it.
    let text = match (late, times) {
        (false, _) => text,
        (true, Times::Previous) => format!("▲ {text}"),
        (true, _) => format!("▲ +{}", layout::duration(gap)),
    };
    Some((text, late))
}

fn arrow_time(r: &Rung) -> Option<Timestamp> {
    r.time.filter(|_| matches!(r.kind, Kind::Arrow(_)))
}

/// Is a wait before this step a wait of the handshake? Behind one that worked, an idle connection is not late.
fn counts(o: &Open, r: &Rung) -> bool {
    let Kind::Arrow(a) = &r.kind else { return false };
    if o.detail.report.diagnosis.outcome != Outcome::Established {
        return true;
    }
    match &a.what {
        What::Tcp => a.label.starts_with("SYN"),
        What::Message(MessageKind::Alert(..) | MessageKind::Heartbeat(_), _) => false,
        What::Message(..) => true,
        What::Records(_) => a.label.starts_with("encrypted handshake"),
        What::Ghost(_) => false,
    }
}

//! Which finding explains a failure, and which findings another one makes superfluous.

use super::{Diagnosis, Finding, Rule};
use crate::facts::{FlowFacts, Outcome};

/// Orders the findings and chooses the cause.
pub(super) fn settle(facts: &FlowFacts, mut hits: Vec<(&'static Rule, Finding)>) -> Diagnosis {
    let outcome = facts.outcome();
    let failed = matches!(outcome, Outcome::Failed | Outcome::Rejected);
    let cause = if failed {
        hits.iter().filter(|(r, _)| r.rank > 0).max_by_key(|(r, f)| (f.confidence, r.rank)).map(|(r, _)| r.code)
    } else {
        None
    };
    hits.sort_by_key(|(r, f)| (Some(r.code) != cause, std::cmp::Reverse(f.severity), std::cmp::Reverse(r.rank)));
    Diagnosis { outcome, cause, findings: hits.into_iter().map(|(_, f)| f).collect() }
}

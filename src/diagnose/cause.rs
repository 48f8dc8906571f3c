//! Which finding explains a failure, and which findings another one makes superfluous.
//!
//! Ranks: 1 to 9 how a connection ended, 10 to 19 an alert by its name, 20 to 39 an explanation that names several
//! possible reasons, 40 and above one reason.

use super::{Confidence, Diagnosis, Finding, Rule, Severity, refusal};
use crate::facts::{FlowFacts, Outcome};

/// Below this rank a code only says how a connection ended.
const NAMES_AN_ALERT: u8 = 10;

/// Below this rank a code only repeats what was seen on the wire.
const EXPLAINS: u8 = 20;

/// From this rank on a code names one reason.
const SPECIFIC: u8 = 40;

/// How well a finding explains: specific before general, unless it is a mere possibility.
fn weight((rule, f): &(&'static Rule, Finding)) -> i32 {
    let sure = match f.confidence {
        Confidence::Certain => 5,
        Confidence::Likely => 0,
        Confidence::Possible => -25,
    };
    i32::from(rule.rank).saturating_add(sure)
}

/// Orders the findings and chooses the cause.
pub(super) fn settle(facts: &FlowFacts, mut hits: Vec<(&'static Rule, Finding)>) -> Diagnosis {
    let mut outcome = facts.outcome();
    // A client that finished, found another name than the one it called and left has refused the server, though no
    // message of the handshake says so.
    if outcome == Outcome::Established
        && refusal::left_unsatisfied(facts).is_some()
        && hits.iter().any(|(_, f)| f.explains_failure && f.severity == Severity::Error)
    {
        outcome = Outcome::Rejected;
    }
    let failed = matches!(outcome, Outcome::Failed | Outcome::Rejected);
    let best = hits
        .iter()
        .filter(|(_, f)| failed && f.explains_failure && f.severity == Severity::Error)
        .max_by_key(|h| weight(h))
        .map(|(r, f)| (r.code, r.rank, f.frames.clone()));
    if let Some((code, rank, frames)) = &best {
        hits.retain(|(r, f)| {
            let shared = f.frames.iter().any(|n| frames.contains(n));
            let repeats = (1..NAMES_AN_ALERT).contains(&r.rank) && *rank > r.rank
                || (1..EXPLAINS).contains(&r.rank) && *rank >= EXPLAINS && shared
                // The candidates for a refused ClientHello stay: the specific cause is one of them.
                || (EXPLAINS..SPECIFIC).contains(&r.rank) && *rank >= SPECIFIC && shared && r.code != "handshake-failure-ambiguous";
            r.code == *code || !f.explains_failure || !repeats
        });
    }
    // An alert that a finding of any weight speaks of needs no finding of its own.
    let told: Vec<_> = hits
        .iter()
        .filter(|(r, f)| r.rank >= EXPLAINS && f.explains_failure)
        .flat_map(|(_, f)| f.frames.clone())
        .collect();
    let codes: Vec<&str> = hits.iter().map(|(r, _)| r.code).collect();
    let cause = best.map(|(code, _, _)| code);
    hits.retain(|(r, f)| {
        let Some(name) = r.code.strip_prefix("alert-").filter(|_| Some(r.code) != cause) else { return true };
        !codes.contains(&name) && !f.frames.iter().all(|n| told.contains(n))
    });
    hits.sort_by_key(|(r, f)| (Some(r.code) != cause, std::cmp::Reverse(f.severity), std::cmp::Reverse(r.rank)));
    Diagnosis { outcome, cause, findings: hits.into_iter().map(|(_, f)| f).collect() }
}

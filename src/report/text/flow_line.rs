//! The line of a flow: how it went, who with whom, what was negotiated.

use crate::analyzer::FlowReport;
use crate::diagnose::Severity;
use crate::facts::{FlowFacts, Outcome};
use crate::report::view::{cipher_suite, protocol};
use crate::report::wording::{client_auth, verdict};
use crate::span::Role;
use crate::text::escape_bytes;

use super::page::{Page, Paint, Piece};

/// The pieces of a flow's line.
pub(super) fn pieces<'r>(page: &Page<'_>, f: &'r FlowReport) -> Vec<Piece<'r>> {
    let facts = &f.facts;
    let (paint, sign) = mark(page, f);
    let mut out: Vec<Piece<'r>> = Vec::with_capacity(12);
    out.push((paint, format!("{sign} #{} {}", facts.id, verdict(f)).into()));
    out.push((Paint::Dim, clock(facts).into()));
    let arrow = page.sign("→", "->");
    let ends = format!("{} {arrow} {}", facts.end(Role::Client), facts.end(Role::Server));
    out.push((Paint::Plain, ends.into()));
    if let Some(name) = facts.server_name() {
        out.push((Paint::Plain, escape_bytes(name)));
    }
    if protocol(facts) == "none" {
        out.push((Paint::Dim, "no TLS".into()));
    }
    if let Some(v) = facts.version() {
        out.push((Paint::Plain, v.to_string().into()));
    }
    if let Some(s) = cipher_suite(facts) {
        let name = s.to_string();
        out.push((Paint::Plain, name.strip_prefix("TLS_").map(str::to_owned).unwrap_or(name).into()));
    }
    if facts.resumed() == Some(true) {
        out.push((Paint::Plain, "resumed".into()));
    }
    if let Some(auth) = client_auth(f) {
        out.push((Paint::Plain, auth.into()));
    }
    out
}

fn mark(page: &Page<'_>, f: &FlowReport) -> (Paint, &'static str) {
    let warned = f.diagnosis.findings.iter().any(|x| x.severity >= Severity::Warning);
    match f.diagnosis.outcome {
        Outcome::Failed | Outcome::Rejected => (Paint::Red, page.sign("✖", "x")),
        _ if warned => (Paint::Yellow, page.sign("▲", "!")),
        Outcome::Established => (Paint::Green, page.sign("✔", "+")),
        Outcome::Incomplete => (Paint::Dim, page.sign("·", ".")),
    }
}

/// The time of day of the first frame, to milliseconds.
fn clock(facts: &FlowFacts) -> String {
    let text = facts.first.time.to_string();
    text.get(11..23).unwrap_or_default().to_owned()
}

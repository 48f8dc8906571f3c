//! Words that several formats share.

use std::borrow::Cow;

use crate::analyzer::FlowReport;
use crate::diagnose::{Blame, Finding, Severity};
use crate::facts::Outcome;
use crate::span::{FrameNo, Role};
use crate::text::{self, escape_bytes, guard};

use super::summary::is_mutual;
use super::view::{ClientAuth, Summary, cipher_suite};

/// Frames and flows named of a finding.
const NAMED: usize = 8;

/// Who talks to whom, and by which name: `192.0.2.10:50001 → 198.51.100.20:8443 example.org`.
pub(super) fn who(f: &FlowReport) -> String {
    let facts = &f.facts;
    let mut out = format!("{} → {}", facts.end(Role::Client), facts.end(Role::Server));
    if let Some(name) = facts.server_name() {
        out.push(' ');
        out.push_str(&escape_bytes(name));
    }
    out
}

/// `client-cert-missing (error, certain)`.
pub(super) fn head(f: &Finding) -> String {
    format!("{} ({}, {})", f.code, f.severity.name(), f.confidence.name())
}

/// What stands under a finding's title: what was seen, where to look, what to change, the evidence. Each with its label;
/// without one it is the detail. Safe to print.
pub(super) fn body(f: &Finding) -> Vec<(Option<&'static str>, Cow<'_, str>)> {
    let mut out = Vec::new();
    if !f.detail.is_empty() && f.detail != f.title {
        out.push((None, guard(&f.detail)));
    }
    if let Some(side) = look_at(f.blame) {
        out.push((Some("Look at"), side.into()));
    }
    if !f.remedy.is_empty() {
        out.push((Some("Fix"), guard(&f.remedy)));
    }
    if let Some(frames) = evidence(&f.frames) {
        out.push((Some("Evidence"), frames.into()));
    }
    if !f.flows.is_empty() {
        out.push((Some("Flows"), flows(&f.flows, "").into()));
    }
    out
}

/// Whose configuration to look at first.
pub(super) const fn look_at(b: Blame) -> Option<&'static str> {
    match b {
        Blame::Client => Some("the client"),
        Blame::Server => Some("the server"),
        Blame::Network => Some("the network between them"),
        Blame::Either => Some("both sides; the wire does not say which one has to change"),
        Blame::Nobody => None,
    }
}

/// The frames that prove a finding.
pub(super) fn evidence(frames: &[FrameNo]) -> Option<String> {
    let shown: Vec<String> = frames.iter().take(NAMED).map(ToString::to_string).collect();
    let more = frames.len().saturating_sub(NAMED);
    match (frames.len(), more) {
        (0, _) => None,
        (1, _) => Some(format!("frame {}", shown.join(", "))),
        (_, 0) => Some(format!("frames {}", shown.join(", "))),
        _ => Some(format!("frames {} and {more} more", shown.join(", "))),
    }
}

/// Ids of flows, each behind a sign.
pub(super) fn flows(ids: &[u64], sign: &str) -> String {
    let shown: Vec<String> = ids.iter().take(NAMED).map(|id| format!("{sign}{id}")).collect();
    let more = ids.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// What became of client authentication, where there is something to say.
pub(super) fn client_auth(f: &FlowReport) -> Option<&'static str> {
    let auth = ClientAuth::new(&f.facts, f.diagnosis.outcome)?;
    Some(match auth.certificate {
        "sent" if is_mutual(f) => "mutual TLS",
        "sent" => "client certificate sent",
        "empty" => "client certificate asked for, none sent",
        "unanswered" => "client certificate asked for, not answered",
        "unknown" if auth.requested == Some(true) => "client certificate asked for",
        "none" if f.diagnosis.outcome == Outcome::Established => "one-way TLS",
        "unknown" if f.diagnosis.outcome == Outcome::Established => "client authentication not visible",
        _ => return None,
    })
}

/// How a flow went, and why.
pub(super) fn verdict(f: &FlowReport) -> Cow<'static, str> {
    let outcome = f.diagnosis.outcome;
    match (outcome, f.diagnosis.cause) {
        (Outcome::Established, _) => outcome.name().into(),
        (Outcome::Incomplete, _) => format!("incomplete after {}", f.facts.phase().name()).into(),
        (_, Some(cause)) => format!("{}: {cause}", outcome.name()).into(),
        (_, None) => format!("{} after {}, cause unknown", outcome.name(), f.facts.phase().name()).into(),
    }
}

/// The finding is about an expectation of the user: broken, or not judged.
pub(super) fn is_expectation(f: &Finding) -> bool {
    f.code.starts_with("policy-")
}

/// Why a flow is shown in full: its cause, its worst finding, or how it ended. `None` for a flow with nothing to mend.
pub(super) fn wanting(f: &FlowReport) -> Option<&'static str> {
    let d = &f.diagnosis;
    let error = d.findings.iter().find(|x| x.severity == Severity::Error).map(|x| x.code);
    let bad = matches!(d.outcome, Outcome::Failed | Outcome::Rejected);
    d.cause.or(error).or(bad.then_some(d.outcome.name()))
}

/// What there is to say of a connection, a value each: ends, name, version, suite, client authentication.
pub(super) fn connection(f: &FlowReport) -> Vec<Cow<'_, str>> {
    let facts = &f.facts;
    let mut out: Vec<Cow<'_, str>> = vec![format!("{} → {}", facts.end(Role::Client), facts.end(Role::Server)).into()];
    out.extend(facts.server_name().map(escape_bytes));
    out.extend(facts.version().map(|v| v.to_string().into()));
    out.extend(cipher_suite(facts).map(|s| s.to_string().into()));
    out.extend(client_auth(f).map(Cow::Borrowed));
    out
}

/// What became of all, in a line.
pub(super) fn headline(s: &Summary) -> String {
    let connections = text::count(s.flows, "connection");
    match s.failed.saturating_add(s.rejected) {
        _ if s.flows == 0 => "No TLS was found".to_owned(),
        0 => format!("{connections}, none failed"),
        bad => format!("{bad} of {connections} failed"),
    }
}

/// One or many.
pub(super) const fn plural(n: u64, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

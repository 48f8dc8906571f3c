//! One flow of the page: its row in the table, and its section with ladder, findings and certificates.

use maud::{Markup, Render, html};

use crate::analyzer::FlowReport;
use crate::diagnose::{Confidence, Finding};
use crate::facts::ChainFact;
use crate::ladder::{as_text, rungs, shortened};
use crate::report::wording::{body, connection, verdict, who};
use crate::span::Role;
use crate::text::hex;
use crate::x509::{Certificate, format_time};

use super::{Safe, ladder, outcome, severity, sign};

/// Steps of a ladder shown.
const STEPS: usize = 80;

/// Columns of the ladder as text.
const WIDTH: usize = 72;

/// Certificates shown of a side, and names of a certificate.
const CERTIFICATES: usize = 8;

/// See [`CERTIFICATES`].
const NAMES: usize = 20;

/// A row of the table of flows.
pub(super) fn row(f: &FlowReport, has_section: bool) -> Markup {
    let id = f.facts.id;
    let parts = connection(f);
    // The name stands with the ends, when there is one.
    let at = if f.facts.server_name().is_some() { 2 } else { 1 };
    let (who, what) = parts.split_at(at.min(parts.len()));
    html! {
        tr {
            td.number { @if has_section { a href=(format!("#flow-{id}")) { (id) } } @else { (id) } }
            td { (outcome(f.diagnosis.outcome)) @if let Some(cause) = f.diagnosis.cause { br; code { (cause) } } }
            td { div.connection {
                div { @for part in who { div { (Safe(part)) } } }
                // On a narrow screen the section says it, where there is one.
                div class=[has_section.then_some("again")] { (Safe(&what.join(" · "))) }
            } }
        }
    }
}

/// The section of a flow; folded where there is nothing to mend.
pub(super) fn section(f: &FlowReport, path: Option<&str>, open: bool) -> Markup {
    let id = f.facts.id;
    let steps = shortened(rungs(f), STEPS);
    let findings = &f.diagnosis.findings;
    html! {
        details.flow id=(format!("flow-{id}")) open[open] {
            summary { h3 { (sign(f.diagnosis.outcome)) " Flow " (id) " " (verdict(f)) } span { (Safe(&who(f))) } }
            ul.facts {
                @if let Some(p) = path { li { (Safe(&crate::text::escape(p))) } }
                @for part in connection(f).iter().skip(1) { li { (Safe(part)) } }
                li { "frames " (f.facts.first.frame.0) "–" (f.facts.last.frame.0) }
                li { (Safe(&f.facts.first.time.to_string())) }
            }
            figure {
                figcaption { "What was sent, from top to bottom" }
                (ladder::svg(f, &steps))
            }
            details.text { summary { "The same as text" } pre tabindex="0" { (Lines(&as_text(f, &steps, WIDTH))) } }
            @if !findings.is_empty() {
                h4 { "Findings" }
                @for (n, x) in findings.iter().enumerate() { (finding(x, Some(anchor(id, n)))) }
            }
            @for role in [Role::Client, Role::Server] {
                @if let Some(c) = f.facts.of(role).certificates.as_ref().filter(|c| !c.chain.is_empty()) { (certificates(role, c)) }
            }
        }
    }
}

/// The name of a finding within the page: by its flow and its place there.
pub(super) fn anchor(flow: u64, place: usize) -> String {
    format!("finding-{flow}-{place}")
}

/// A finding in full.
pub(super) fn finding(f: &Finding, id: Option<String>) -> Markup {
    html! {
        article class=(format!("finding {}", f.severity.name())) id=[id] {
            p.head { (severity(f.severity)) " " code { (f.code) } " " (confidence(f.confidence)) }
            p { strong { (Safe(&f.title)) } }
            @for (label, said) in body(f) {
                p { @if let Some(label) = label { b { (label) ":" } " " } (Safe(&said)) }
            }
        }
    }
}

/// How sure, by a word and by bars.
fn confidence(c: Confidence) -> Markup {
    let bars = match c {
        Confidence::Certain => "●●●",
        Confidence::Likely => "●●○",
        Confidence::Possible => "●○○",
    };
    html! { span.sure { span aria-hidden="true" { (bars) } " " (c.name()) } }
}

fn certificates(role: Role, c: &ChainFact) -> Markup {
    let more = c.chain.len().saturating_sub(CERTIFICATES).saturating_add(c.omitted);
    html! {
        h4 { "Certificates of the " (role.name()) }
        @for (n, c) in c.chain.iter().take(CERTIFICATES).enumerate() { (certificate(n, c)) }
        @if more > 0 { p.more { "… and " (more) " more" } }
    }
}

fn certificate(n: usize, c: &Certificate) -> Markup {
    let time = |t: Option<i64>| t.map_or_else(|| "unknown".to_owned(), format_time);
    let mut key = c.key.algorithm.name().to_owned();
    if let Some(bits) = c.key.bits {
        key.push_str(&format!(", {bits} bits"));
    }
    let mut names: Vec<String> = c.subject_alt_names.iter().take(NAMES).map(ToString::to_string).collect();
    let more = c.subject_alt_names.len().saturating_sub(NAMES);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    let rows = [
        ("Subject", c.subject.clone()),
        ("Issuer", c.issuer.clone()),
        ("Valid", format!("{} to {}", time(c.not_before), time(c.not_after))),
        ("Names", names.join(", ")),
        ("Key", key),
        ("Signature", c.signature_algorithm.clone()),
        ("Serial", c.serial.clone()),
        ("SHA-256", hex(&c.sha256)),
    ];
    html! {
        table.certificate {
            caption { (n.saturating_add(1)) ". " @if n == 0 { "own certificate" } @else if c.is_ca() { "CA certificate" } @else { "certificate" } }
            tbody { @for (name, value) in rows.iter().filter(|(_, v)| !v.is_empty()) { tr { th scope="row" { (name) } td { (Safe(value)) } } } }
        }
    }
}

/// Several lines of text.
struct Lines<'a>(&'a str);

impl Render for Lines<'_> {
    fn render_to(&self, buffer: &mut String) {
        for line in self.0.lines() {
            Safe(line).render_to(buffer);
            buffer.push('\n');
        }
    }
}

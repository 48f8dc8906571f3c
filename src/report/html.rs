//! `--format html`: one file for a browser, which asks the network for nothing and runs no script.
//!
//! Every text goes through the escaping of `maud`, and [`Safe`] takes out what could change the reading order. The page forbids
//! itself scripts, frames and requests by its Content-Security-Policy (<https://www.w3.org/TR/CSP3/>), and allows no style but its
//! own. It is kept until the end, because the counts stand above it; how much is kept is bounded and what is left out is counted.

mod flow;
mod ladder;

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};
use sha2::{Digest as _, Sha256};

use crate::analyzer::{FlowReport, SourceReport};
use crate::diagnose::{Finding, Severity};
use crate::facts::Outcome;
use crate::text::guard;

use super::tally::{Codes, Group};
use super::view::{Source, Summary, Tool};
use super::wording::{headline, plural, wanting};
use super::{Options, Writer};

/// Flows shown with their ladder, of each kind: failures by their cause, the others by their outcome.
const PER_KIND: u64 = 20;

/// Bytes of flows kept, and of rows of the table.
const KEPT_BYTES: usize = 8 << 20;

/// Rows of the table of flows, of each kind.
const ROWS_PER_KIND: u64 = 500;

/// Rows of other tables, problems of an input.
const ROWS: usize = 50;

const STYLE: &str = include_str!("html/style.css");

/// Makes a writer of a page.
pub(super) fn page<'o>(out: &'o mut dyn Write, options: &Options) -> Box<dyn Writer + 'o> {
    Box::new(Html {
        out,
        inputs: options.inputs.clone(),
        summary: Summary::default(),
        codes: Codes::default(),
        groups: BTreeMap::new(),
        rows: String::new(),
        bad: String::new(),
        good: String::new(),
    })
}

/// Text of a report: no control and no bidi character is left of it, and its markup is escaped.
struct Safe<'a>(&'a str);

impl Render for Safe<'_> {
    fn render_to(&self, buffer: &mut String) {
        guard(self.0).render_to(buffer);
    }
}

struct Html<'o> {
    out: &'o mut dyn Write,
    inputs: Vec<String>,
    summary: Summary,
    codes: Codes,
    /// By what they are shown for: flows in the table and, of these, flows with a ladder.
    groups: BTreeMap<&'static str, [Group; 2]>,
    rows: String,
    /// Flows with something to mend, and the others.
    bad: String,
    good: String,
}

impl Writer for Html<'_> {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flow(&mut self, f: &FlowReport) -> io::Result<()> {
        self.summary.add_flow(f);
        for finding in &f.diagnosis.findings {
            self.codes.count(finding, f.diagnosis.cause == Some(finding.code));
        }
        let wanting = wanting(f);
        let [listed, drawn] = self.groups.entry(wanting.unwrap_or(f.diagnosis.outcome.name())).or_default();
        let room = |kept: &str, n: u64| if kept.len() < KEPT_BYTES { n } else { 0 };
        let in_table = listed.count(&f.facts, room(&self.rows, ROWS_PER_KIND));
        let path = self.inputs.get(f.facts.source).filter(|_| self.inputs.len() > 1);
        let kept = if wanting.is_some() { &mut self.bad } else { &mut self.good };
        let with_ladder = drawn.count(&f.facts, room(kept, PER_KIND));
        if with_ladder {
            flow::section(f, path.map(String::as_str), wanting.is_some()).render_to(kept);
        }
        if in_table {
            flow::row(f, with_ladder).render_to(&mut self.rows);
        }
        Ok(())
    }

    fn finish(&mut self, sources: &[SourceReport], findings: &[Finding]) -> io::Result<()> {
        for f in findings {
            self.summary.add_finding(f);
        }
        let digest = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        );
        let title = headline(&self.summary);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    // Without one a browser asks the server for it.
                    link rel="icon" href="data:,";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header { h1 { (title) } (self.counts()) }
                    main {
                        @if !self.codes.is_empty() { (self.findings()) }
                        @if !findings.is_empty() {
                            section { h2 { "On the whole capture" } @for f in findings.iter().take(ROWS) { (flow::finding(f, None)) }
                                (more(findings.len(), "finding", "findings")) }
                        }
                        @if !self.rows.is_empty() { (self.table()) }
                        @if !self.bad.is_empty() { h2 { "What failed and why" } (PreEscaped(&self.bad)) }
                        @if !self.good.is_empty() { h2 { "Other connections" } (PreEscaped(&self.good)) }
                        (inputs(sources))
                    }
                    footer { p { (Tool::THIS.name) " " (Tool::THIS.version) } }
                }
            }
        };
        self.out.write_all(page.into_string().as_bytes())?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl Html<'_> {
    fn counts(&self) -> Markup {
        let s = &self.summary;
        html! {
            dl.counts {
                @for (name, n) in [("established", s.established), ("mutual TLS", s.mutual_tls), ("failed", s.failed),
                    ("rejected", s.rejected), ("incomplete", s.incomplete), ("errors", s.findings.error), ("warnings", s.findings.warning)] {
                    div { dt { (name) } dd { (n) } }
                }
            }
        }
    }

    /// The codes met, the worst first, then by how often.
    fn findings(&self) -> Markup {
        let mut all = self.codes.by_number(|s| s.flows);
        all.sort_by_key(|(_, _, seen)| std::cmp::Reverse(seen.severity));
        html! {
            section {
                h2 { "Findings" }
                div.wide tabindex="0" role="region" aria-label="Findings" { table {
                    thead { tr { th scope="col" { "Flows" } th scope="col" { "Finding" } th scope="col" { "What it says" } } }
                    tbody {
                        @for (n, code, seen) in all.iter().take(ROWS) {
                            tr { td.number { (n) } td { (severity(seen.severity)) " " code { (code) } } td { (Safe(&seen.title)) } }
                        }
                    }
                } }
                (more(all.len(), "finding", "findings"))
            }
        }
    }

    fn table(&self) -> Markup {
        let mut left: Vec<_> = self.groups.iter().filter(|(_, [listed, _])| listed.unlisted > 0).collect();
        left.sort_by_key(|(kind, [listed, _])| (std::cmp::Reverse(listed.unlisted), **kind));
        let drawn = self.groups.values().fold(0u64, |n, [_, drawn]| n.saturating_add(drawn.unlisted));
        html! {
            section {
                h2 { "Flows" }
                div.wide tabindex="0" role="region" aria-label="Flows" { table {
                    thead { tr {
                        th scope="col" { "Flow" } th scope="col" { "Result" } th scope="col" { "Connection" }
                    } }
                    tbody { (PreEscaped(&self.rows)) }
                } }
                @for (kind, [listed, _]) in left.iter().take(ROWS) {
                    p.more { "… " (listed.unlisted) " more " (plural(listed.unlisted, "flow", "flows")) ": " (kind) ", " (listed.who()) }
                }
                @if drawn > 0 {
                    p.more { "Of each kind the first " (PER_KIND) " are drawn as ladders; " (drawn) " more "
                        (plural(drawn, "flow is", "flows are")) " not. The formats json and ndjson have them all." }
                }
            }
        }
    }
}

/// How bad, by a sign and a word: never by colour alone.
fn severity(s: Severity) -> Markup {
    html! { span class=(format!("tag {}", s.name())) { (crate::ladder::severity_glyph(s)) " " (s.name()) } }
}

fn outcome(o: Outcome) -> Markup {
    html! { span class=(format!("tag {}", class(o))) { (glyph(o)) " " (o.name()) } }
}

/// The sign of an outcome, beside words that say it.
fn sign(o: Outcome) -> Markup {
    html! { span class=(format!("tag {}", class(o))) aria-hidden="true" { (glyph(o)) } }
}

const fn class(o: Outcome) -> &'static str {
    match o {
        Outcome::Established => "good",
        Outcome::Failed | Outcome::Rejected => "error",
        Outcome::Incomplete => "info",
    }
}

const fn glyph(o: Outcome) -> &'static str {
    match o {
        Outcome::Established => "✔",
        Outcome::Failed | Outcome::Rejected => "✖",
        Outcome::Incomplete => "·",
    }
}

fn more(all: usize, one: &'static str, many: &'static str) -> Markup {
    let n = all.saturating_sub(ROWS) as u64;
    html! { @if n > 0 { p.more { "… and " (n) " more " (plural(n, one, many)) } } }
}

fn inputs(sources: &[SourceReport]) -> Markup {
    html! {
        section {
            h2 { (plural(sources.len() as u64, "Input", "Inputs")) }
            div.wide tabindex="0" role="region" aria-label="Inputs" { table {
                thead { tr {
                    th scope="col" { "File" } th scope="col" { "Frames" } th scope="col" { "TCP connections" } th scope="col" { "Read" }
                } }
                tbody {
                    @for s in sources.iter().take(ROWS).map(Source::new) {
                        tr {
                            td { code { (s.path) } } td.number { (s.frames) } td.number { (s.tcp_connections) }
                            td {
                                @if s.complete { span.tag.good { "✔ whole" } } @else { span.tag.error { "✖ damaged or incomplete" } }
                                @for p in s.problems.iter().take(ROWS) { p { (p.message) } }
                                @if let Some(n) = s.dropped.filter(|n| *n > 0) { p { "The capturing program lost " (n) " packets." } }
                            }
                        }
                    }
                }
            } }
            (more(sources.len(), "input", "inputs"))
        }
    }
}

//! `--format markdown`: for the summary of a CI job and for a ticket.
//!
//! It is short whatever the capture holds: counts first, then of each kind of failure some flows with their ladder. It is kept
//! until the end, because the counts stand above it; how much is kept is bounded.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::analyzer::{FlowReport, SourceReport};
use crate::diagnose::{Finding, Severity};
use crate::ladder;
use crate::text::guard;

use super::tally::{Codes, Group};
use super::view::{Source, Summary, Tool};
use super::wording::{body, connection, head, headline, plural, wanting};
use super::{Options, Writer};

/// Flows shown of each kind of failure.
const PER_KIND: u64 = 3;

/// Bytes of flows kept: a job summary of GitHub holds 1 MiB.
const KEPT_BYTES: usize = 600 << 10;

/// Steps of a ladder shown.
const STEPS: usize = 60;

/// Columns of a ladder.
const WIDTH: usize = 72;

/// Rows of a table, capture-wide findings, inputs.
const ROWS: usize = 30;

/// Makes a writer of Markdown.
pub(super) fn markdown<'o>(out: &'o mut dyn Write, options: &Options) -> Box<dyn Writer + 'o> {
    Box::new(Markdown {
        out,
        inputs: options.inputs.clone(),
        summary: Summary::default(),
        codes: Codes::default(),
        groups: BTreeMap::new(),
        flows: String::new(),
    })
}

struct Markdown<'o> {
    out: &'o mut dyn Write,
    inputs: Vec<String>,
    summary: Summary,
    codes: Codes,
    /// By what they are shown for: flows shown, and who the others belong to.
    groups: BTreeMap<&'static str, Group>,
    /// The flows shown.
    flows: String,
}

impl Writer for Markdown<'_> {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flow(&mut self, f: &FlowReport) -> io::Result<()> {
        self.summary.add_flow(f);
        for finding in &f.diagnosis.findings {
            self.codes.count(finding, f.diagnosis.cause == Some(finding.code));
        }
        if let Some(kind) = wanting(f) {
            let room = if self.flows.len() < KEPT_BYTES { PER_KIND } else { 0 };
            if self.groups.entry(kind).or_default().count(&f.facts, room) {
                let path = self.inputs.get(f.facts.source).filter(|_| self.inputs.len() > 1);
                flow(&mut self.flows, f, path.map(String::as_str));
            }
        }
        Ok(())
    }

    fn finish(&mut self, sources: &[SourceReport], findings: &[Finding]) -> io::Result<()> {
        for f in findings {
            self.summary.add_finding(f);
        }
        let mut text = String::new();
        self.counts(&mut text);
        self.table(&mut text);
        text.push_str(&self.flows);
        self.unlisted(&mut text);
        if !findings.is_empty() {
            text.push_str("\n### On the whole capture\n");
            for f in findings.iter().take(ROWS) {
                why(&mut text, f);
            }
            more(&mut text, findings.len().saturating_sub(ROWS), "finding", "findings");
        }
        inputs(&mut text, sources);
        let _ = writeln!(text, "\n_{} {}_", Tool::THIS.name, Tool::THIS.version);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl Markdown<'_> {
    fn counts(&self, text: &mut String) {
        let s = &self.summary;
        let _ = writeln!(text, "## {}", headline(s));
        let _ = writeln!(
            text,
            "\n| established | mutual TLS | failed | rejected | incomplete | errors | warnings |\n\
             | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n| {} | {} | {} | {} | {} | {} | {} |",
            s.established, s.mutual_tls, s.failed, s.rejected, s.incomplete, s.findings.error, s.findings.warning
        );
    }

    /// The codes that ask for something, the worst first, then by how often.
    fn table(&self, text: &mut String) {
        let mut all = self.codes.by_number(|s| if s.severity > Severity::Info || s.causes > 0 { s.flows } else { 0 });
        all.sort_by_key(|(_, _, seen)| std::cmp::Reverse(seen.severity));
        if all.is_empty() {
            return;
        }
        text.push_str("\n| flows | finding | severity | what it says |\n| ---: | --- | --- | --- |\n");
        for (n, code, seen) in all.iter().take(ROWS) {
            let _ = writeln!(text, "| {n} | `{code}` | {} | {} |", seen.severity.name(), prose(&seen.title));
        }
        more(text, all.len().saturating_sub(ROWS), "finding", "findings");
    }

    fn unlisted(&self, text: &mut String) {
        let mut left: Vec<_> = self.groups.iter().filter(|(_, g)| g.unlisted > 0).collect();
        left.sort_by_key(|(kind, g)| (std::cmp::Reverse(g.unlisted), **kind));
        if left.is_empty() {
            return;
        }
        text.push_str("\n### Not shown one by one\n\n");
        for (kind, g) in left.iter().take(ROWS) {
            let n = g.unlisted;
            let _ = writeln!(text, "- {n} more {} with `{kind}`, {}", plural(n, "flow", "flows"), g.who());
        }
        more(text, left.len().saturating_sub(ROWS), "kind", "kinds");
    }
}

/// A flow with its ladder and the findings that are no mere notes.
fn flow(text: &mut String, f: &FlowReport, path: Option<&str>) {
    let _ = writeln!(text, "\n### Flow {} {}\n", f.facts.id, prose(&super::wording::verdict(f)));
    let parts: Vec<String> = path.into_iter().map(Cow::Borrowed).chain(connection(f)).map(|p| code(&p)).collect();
    let _ = writeln!(text, "{}\n", parts.join(" · "));
    let rungs = ladder::shortened(ladder::rungs(f), STEPS);
    fenced(text, &ladder::as_text(f, &rungs, WIDTH));
    let cause = f.diagnosis.cause;
    for finding in f.diagnosis.findings.iter().filter(|x| x.severity > Severity::Info || cause == Some(x.code)) {
        why(text, finding);
    }
}

fn why(text: &mut String, f: &Finding) {
    let _ = writeln!(text, "\n**{}**: {}\n", prose(&head(f)), prose(&f.title));
    for (label, said) in body(f) {
        let _ = match label {
            Some(label) => writeln!(text, "- **{label}:** {}", prose(&said)),
            None => writeln!(text, "{}\n", prose(&said)),
        };
    }
}

fn inputs(text: &mut String, sources: &[SourceReport]) {
    text.push_str("\n| input | frames | TCP connections | read |\n| --- | ---: | ---: | --- |\n");
    for s in sources.iter().take(ROWS) {
        let s = Source::new(s);
        let state = match s.problems.first() {
            None => "whole".into(),
            Some(p) => prose(&p.message),
        };
        // Of a table's cell the bars are taken first (GFM, section 4.10).
        let _ = writeln!(
            text,
            "| {} | {} | {} | {state} |",
            code(&s.path).replace('|', "\\|"),
            s.frames,
            s.tcp_connections
        );
    }
    more(text, sources.len().saturating_sub(ROWS), "input", "inputs");
}

fn more(text: &mut String, n: usize, one: &'static str, many: &'static str) {
    if n > 0 {
        let _ = writeln!(text, "\nand {n} more {}", plural(n as u64, one, many));
    }
}

/// Text in a code block whose fence it cannot end (CommonMark 0.31, section 4.5).
fn fenced(text: &mut String, content: &str) {
    let fence = "`".repeat(longest_run(content, '`').saturating_add(1).max(3));
    let _ = writeln!(text, "{fence}text");
    for line in content.lines() {
        let _ = writeln!(text, "{}", guard(line));
    }
    let _ = writeln!(text, "{fence}");
}

/// A value as a code span (CommonMark 0.31, section 6.1).
fn code(s: &str) -> String {
    let s = guard(s);
    let fence = "`".repeat(longest_run(&s, '`').saturating_add(1));
    let space = if s.starts_with('`') || s.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{s}{space}{fence}")
}

fn longest_run(s: &str, c: char) -> usize {
    s.split(|other| other != c).map(str::len).max().unwrap_or(0)
}

/// A sentence that stands for itself: no markup of Markdown or HTML, no link, no mention of a person or an issue.
fn prose(s: &str) -> String {
    let s = guard(s);
    let mut out = String::with_capacity(s.len().saturating_add(8));
    let mut before = ' ';
    let mut rest = s.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            // Inside of a word it is no emphasis (CommonMark 0.31, section 6.2).
            '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => out.push_str("\\_"),
            // What GitHub and GitLab make links of: `http://…`, `www.…`, `@name`, `#12`, `!12`.
            ':' if after == '/' => out.push_str("\\:"),
            '.' if before.eq_ignore_ascii_case(&'w') => out.push_str("\\."),
            '@' => out.push_str("@<!-- -->"),
            '#' | '!' if after.is_ascii_digit() => out.extend([c, '<', '!', '-', '-', ' ', '-', '-', '>']),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_code_span() {
        assert_eq!(code("example.org"), "`example.org`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code("a|b"), "`a|b`");
        assert_eq!(code("a\nb"), "`a\\u{a}b`");
    }

    #[test]
    fn a_sentence_holds_no_markup() {
        assert_eq!(prose("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;");
        assert_eq!(prose("[x](http://example.org) **b**"), "\\[x\\](http\\://example.org) \\*\\*b\\*\\*");
        assert_eq!(prose("TLS_AES_128 _x_ rsa_pss"), "TLS_AES_128 \\_x\\_ rsa_pss");
        assert_eq!(
            prose("ask @name in #12, !3; www.example.org"),
            "ask @<!-- -->name in #<!-- -->12, !<!-- -->3; www\\.example.org"
        );
        assert_eq!(prose("row | cell"), "row \\| cell");
    }

    #[test]
    fn a_block_is_not_ended_by_what_it_holds() {
        let mut out = String::new();
        fenced(&mut out, "a\n```\n````b\x1b\n");
        assert_eq!(out, "`````text\na\n```\n````b\\u{1b}\n`````\n");
    }
}

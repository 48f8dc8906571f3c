//! What stands behind the flows: those not listed, findings on the whole capture, counts, inputs.

use std::io;

use crate::analyzer::SourceReport;
use crate::diagnose::{Finding, Severity};
use crate::report::view::Source;
use crate::report::wording::plural;

use super::page::{Paint, Piece};
use super::{Text, label};

/// Codes listed in the summary.
const TOP: usize = 10;

/// Groups of flows that are described.
const GROUPS: usize = 20;

/// Problems listed of one input.
const PROBLEMS: usize = 10;

impl Text<'_> {
    pub(super) fn tail(&mut self, sources: &[SourceReport], findings: &[Finding]) -> io::Result<()> {
        self.unlisted()?;
        if !findings.is_empty() {
            self.title("On the whole capture")?;
            for f in findings {
                self.why(f, None)?;
            }
        }
        self.counts(sources)?;
        self.inputs(sources)
    }

    fn title(&mut self, text: &'static str) -> io::Result<()> {
        self.page.blank()?;
        self.page.pieces(0, 0, 1, &[(Paint::Bold, text.into())])
    }

    /// Flows that were only counted, by what they have in common.
    fn unlisted(&mut self) -> io::Result<()> {
        let dots = self.page.sign("…", "...");
        let mut lines: Vec<(u64, String)> = Vec::new();
        for ((outcome, cause), g) in &self.groups {
            if g.unlisted > 0 {
                let what = cause.map_or_else(|| (*outcome).to_owned(), |c| format!("{outcome}: {c}"));
                lines.push((
                    g.unlisted,
                    format!("{dots} {} more {}: {what}, {}", g.unlisted, flows(g.unlisted), g.who()),
                ));
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        lines.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
        self.title("Not listed one by one (--format ndjson lists all)")?;
        let more = lines.len().saturating_sub(GROUPS);
        for (_, line) in lines.iter().take(GROUPS) {
            self.page.paragraph(2, None, line)?;
        }
        if more > 0 {
            self.page.paragraph(2, None, &format!("{dots} and {more} more kinds"))?;
        }
        Ok(())
    }

    fn counts(&mut self, sources: &[SourceReport]) -> io::Result<()> {
        let s = self.summary;
        self.title("Summary")?;
        if s.flows == 0 {
            let connections = sources.iter().fold(0u64, |n, s| n.saturating_add(s.tcp_connections));
            let text = match connections {
                0 => "No TCP connection was found.".to_owned(),
                n => format!("No TLS was found in {n} TCP {}.", plural(n, "connection", "connections")),
            };
            self.page.paragraph(2, None, &text)?;
        } else {
            let mutual = if s.mutual_tls > 0 { format!(" ({} mutual TLS)", s.mutual_tls) } else { String::new() };
            let text = format!(
                "{} {}: {} established{mutual}, {} failed, {} rejected, {} incomplete",
                s.flows,
                flows(s.flows),
                s.established,
                s.failed,
                s.rejected,
                s.incomplete
            );
            self.page.paragraph(2, None, &text)?;
        }
        let f = s.findings;
        if f.error.saturating_add(f.warning).saturating_add(f.info) > 0 {
            let text = format!(
                "{} {}, {} {}, {} {}",
                f.error,
                plural(f.error, "error", "errors"),
                f.warning,
                plural(f.warning, "warning", "warnings"),
                f.info,
                plural(f.info, "note", "notes")
            );
            self.page.paragraph(2, Some(label("Findings")), &text)?;
        }
        self.top("Causes", |s| s.causes)?;
        self.top("Other findings", |s| if s.severity > Severity::Info { s.flows.saturating_sub(s.causes) } else { 0 })?;
        if !self.codes.is_empty() {
            self.page.paragraph(
                2,
                None,
                "`tlscope explain CODE` says what a code means, how sure it is and what to do.",
            )?;
        }
        Ok(())
    }

    fn top(&mut self, name: &'static str, number: impl Fn(&crate::report::tally::Seen) -> u64) -> io::Result<()> {
        let all = self.codes.by_number(number);
        if all.is_empty() {
            return Ok(());
        }
        self.page.pieces(2, 2, 1, &[label(name)])?;
        for (n, code, seen) in all.iter().take(TOP) {
            let pieces: [Piece<'_>; 3] = [
                (Paint::Plain, format!("{n:>6}").into()),
                (super::paint(seen.severity), (*code).into()),
                (Paint::Dim, seen.title.as_str().into()),
            ];
            self.page.pieces(2, 10, 2, &pieces)?;
        }
        let more = all.len().saturating_sub(TOP);
        if more > 0 {
            let dots = self.page.sign("…", "...");
            self.page.paragraph(10, None, &format!("{dots} and {more} more"))?;
        }
        Ok(())
    }

    /// What became of each input: nothing is left out without a word.
    fn inputs(&mut self, sources: &[SourceReport]) -> io::Result<()> {
        self.title(if sources.len() == 1 { "Input" } else { "Inputs" })?;
        for report in sources {
            let s = Source::new(report);
            let mut pieces: Vec<Piece<'_>> = vec![(Paint::Bold, s.path.clone())];
            if let Some(format) = s.format {
                pieces.push((Paint::Dim, format.into()));
            }
            pieces.push((Paint::Plain, format!("{} {}", s.frames, plural(s.frames, "frame", "frames")).into()));
            let n = s.tcp_connections;
            pieces.push((Paint::Plain, format!("{n} TCP {}", plural(n, "connection", "connections")).into()));
            if !s.complete {
                pieces.push((Paint::Red, "DAMAGED OR INCOMPLETE".into()));
            }
            self.page.pieces(2, 4, 2, &pieces)?;
            if !s.packets.skipped.is_empty() {
                let why: Vec<String> = s.packets.skipped.iter().map(|(why, n)| format!("{n} {why}")).collect();
                let text = format!("{}; {} decoded", why.join(", "), s.packets.decoded);
                self.page.paragraph(4, Some(label("Not decoded")), &text)?;
            }
            if let Some(n) = s.evicted {
                let text = format!(
                    "{n} {} given up because too many were open",
                    plural(n, "connection was", "connections were")
                );
                self.page.paragraph(4, Some(label("Limit")), &text)?;
            }
            if let Some(n) = s.dropped.filter(|n| *n > 0) {
                let packets = plural(n, "packet", "packets");
                let text = if s.format == Some("live") {
                    format!("the kernel or the interface dropped {n} {packets} before they could be read")
                } else {
                    format!("the capturing program says that it lost {n} {packets}")
                };
                self.page.paragraph(4, Some(label("Lost")), &text)?;
            }
            for p in s.problems.iter().take(PROBLEMS) {
                self.page.paragraph(4, Some(label("Problem")), &p.message)?; // it names its frame itself
            }
            let more =
                (s.problems.len().saturating_sub(PROBLEMS) as u64).saturating_add(s.problems_omitted.unwrap_or(0));
            if more > 0 {
                self.page.paragraph(4, None, &format!("and {more} more {}", plural(more, "problem", "problems")))?;
            }
        }
        Ok(())
    }
}

fn flows(n: u64) -> &'static str {
    plural(n, "flow", "flows")
}

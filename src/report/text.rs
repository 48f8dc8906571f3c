//! The report for people: one line a flow, why it failed under it, and a summary.
//!
//! It is written as flows end and stays short whatever the capture holds: of many flows alike the first are shown and the
//! others counted.

mod flow_line;
mod page;
mod tail;

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::analyzer::{FlowReport, SourceReport};
use crate::diagnose::{Finding, Severity};
use crate::facts::Outcome;
use crate::span::Timestamp;

use super::tally::{Codes, Group};
use super::wording::{evidence, flows, look_at};
use super::{Options, Summary, Writer};
use page::{Page, Paint, Piece};

pub use page::Style;

/// Flows shown of each cause, and of those without one.
const PER_CAUSE: u64 = 20;

/// Established flows shown.
const ESTABLISHED: u64 = 200;

/// Flows at which a finding that is no cause is shown in full; later ones name it.
const PER_WARNING: u64 = 3;

/// What flows are counted by: their outcome and cause.
type Kind = (&'static str, Option<&'static str>);

/// Makes a writer of text.
pub(super) fn text<'o>(out: &'o mut dyn Write, options: &Options) -> Box<dyn Writer + 'o> {
    Box::new(Text {
        page: Page::new(out, options.style),
        inputs: options.inputs.clone(),
        summary: Summary::default(),
        codes: Codes::default(),
        groups: BTreeMap::new(),
        source: None,
        day: None,
    })
}

struct Text<'o> {
    page: Page<'o>,
    inputs: Vec<String>,
    summary: Summary,
    codes: Codes,
    groups: BTreeMap<Kind, Group>,
    /// The input and the day that the lines above belong to.
    source: Option<usize>,
    day: Option<i64>,
}

impl Writer for Text<'_> {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flow(&mut self, f: &FlowReport) -> io::Result<()> {
        self.summary.add_flow(f);
        let outcome = f.diagnosis.outcome;
        let listed = if outcome == Outcome::Established { ESTABLISHED } else { PER_CAUSE };
        let group = self.groups.entry((outcome.name(), f.diagnosis.cause)).or_default();
        let listed = group.count(&f.facts, listed);
        if listed {
            self.heading(f)?;
            let pieces = flow_line::pieces(&self.page, f);
            self.page.pieces(0, 4, 2, &pieces)?;
        }
        for finding in &f.diagnosis.findings {
            self.finding(f, finding, listed)?;
        }
        Ok(())
    }

    fn finish(&mut self, sources: &[SourceReport], findings: &[Finding]) -> io::Result<()> {
        for f in findings {
            self.summary.add_finding(f);
        }
        self.tail(sources, findings)?;
        self.page.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.page.flush()
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl Text<'_> {
    /// Names the input and the day where they change.
    fn heading(&mut self, f: &FlowReport) -> io::Result<()> {
        if self.inputs.len() > 1 && self.source != Some(f.facts.source) {
            self.source = Some(f.facts.source);
            let path = self.inputs.get(f.facts.source).map(|p| crate::text::escape(p).into_owned());
            if self.day.take().is_some() {
                self.page.blank()?;
            }
            self.page.pieces(0, 0, 1, &[(Paint::Bold, path.unwrap_or_default().into())])?;
        }
        let day = f.facts.first.time.secs().div_euclid(86_400);
        if self.day != Some(day) {
            self.day = Some(day);
            let date = date(f.facts.first.time);
            self.page.pieces(0, 0, 1, &[(Paint::Dim, format!("{date} UTC").into())])?;
        }
        Ok(())
    }

    /// Counts a finding of a flow and shows it as fully as its number allows.
    fn finding(&mut self, f: &FlowReport, finding: &Finding, listed: bool) -> io::Result<()> {
        let is_cause = f.diagnosis.cause == Some(finding.code);
        let seen = self.codes.count(finding, is_cause);
        if !listed || (finding.severity == Severity::Info && !is_cause) {
            return Ok(());
        }
        if !is_cause && seen.flows > PER_WARNING {
            let also = format!("{}: {}", finding.code, finding.title);
            return self.page.paragraph(4, Some(label("Also")), &also);
        }
        let before = seen.remedy.as_ref().filter(|(text, _)| *text == finding.remedy).map(|(_, id)| *id);
        if before.is_none() {
            seen.remedy = Some((finding.remedy.clone(), f.facts.id));
        }
        self.why(finding, before)
    }

    /// A finding in full; `before` is the flow that showed the same remedy.
    fn why(&mut self, f: &Finding, before: Option<u64>) -> io::Result<()> {
        let head = (paint(f.severity), format!("{} ({}, {}):", f.code, f.severity.name(), f.confidence.name()).into());
        self.page.paragraph(4, Some(head), &f.title)?;
        if !f.detail.is_empty() && f.detail != f.title {
            self.page.paragraph(6, None, &f.detail)?;
        }
        if let Some(side) = look_at(f.blame) {
            self.page.paragraph(6, Some(label("Look at")), side)?;
        }
        match before {
            Some(id) => self.page.paragraph(6, Some(label("Fix")), &format!("as for #{id} above."))?,
            None if f.remedy.is_empty() => {}
            None => self.page.paragraph(6, Some(label("Fix")), &f.remedy)?,
        }
        if let Some(frames) = evidence(&f.frames) {
            self.page.paragraph(6, Some(label("Evidence")), &frames)?;
        }
        if !f.flows.is_empty() {
            self.page.paragraph(6, Some(label("Flows")), &flows(&f.flows, "#"))?;
        }
        Ok(())
    }
}

fn label(text: &str) -> Piece<'static> {
    (Paint::Bold, format!("{text}:").into())
}

const fn paint(s: Severity) -> Paint {
    match s {
        Severity::Error => Paint::Red,
        Severity::Warning => Paint::Yellow,
        Severity::Info => Paint::Plain,
    }
}

/// The date of a time, `2026-11-21`.
fn date(t: Timestamp) -> String {
    let mut text = t.to_string();
    text.truncate(10);
    text
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::report::tests::{finding, report, with_client_hello, written};

    fn options(width: usize, unicode: bool) -> Options {
        Options { style: Style { color: false, unicode, width }, inputs: vec!["a.pcap".into()] }
    }

    fn many(n: u64, outcome: Outcome, code: Option<&'static str>) -> Vec<FlowReport> {
        let flow = |id| {
            let mut facts = with_client_hello();
            facts.id = id;
            report(facts, outcome, code.map(finding).into_iter().collect())
        };
        (1..=n).map(flow).collect()
    }

    #[test]
    fn a_failed_flow_says_why() {
        let got = written("text", &options(100, true), &many(1, Outcome::Failed, Some("client-cert-missing")), &[]);
        let want = "\
2026-06-01 UTC
✖ #1 failed: client-cert-missing  12:00:00.000  192.0.2.10:50001 → 198.51.100.20:8443  example.org
    client-cert-missing (error, certain): The server required a client certificate and the client
    sent none
      The server asked in frame 7, the client answered with an empty list.
      Look at: the client
      Fix: Give the client a certificate.
      Evidence: frames 7, 9

Summary
  1 flow: 0 established, 1 failed, 0 rejected, 0 incomplete
  Findings: 1 error, 0 warnings, 0 notes
  Causes:
       1  client-cert-missing  The server required a client certificate and the client sent none
  `tlscope explain CODE` says what a code means, how sure it is and what to do.

Input
  a\\u{1b}.pcap  pcap  12 frames  1 TCP connection
    Not decoded: 1 not looked at, 3 not tcp, 2 packet record not readable; 6 decoded
";
        assert_eq!(got, want);
    }

    #[test]
    fn the_page_is_kept_in_ascii_too() {
        for width in [60, 100] {
            for unicode in [true, false] {
                let flows = many(3, Outcome::Rejected, Some("client-cert-missing"));
                let got = written("text", &options(width, unicode), &flows, &[finding("whole-capture")]);
                assert!(got.lines().all(|l| l.width() <= width), "{got}");
                assert_eq!(got.is_ascii(), !unicode, "{got}");
                assert!(got.contains("as for #1 above."), "{got}");
                assert!(got.contains("On the whole capture"), "{got}");
            }
        }
    }

    #[test]
    fn many_flows_alike_give_a_short_report() {
        let got = written("text", &options(100, true), &many(5000, Outcome::Failed, Some("client-cert-missing")), &[]);
        assert!(got.lines().count() < 200, "{got}");
        let more = "… 4980 more flows: failed: client-cert-missing, all from 192.0.2.10, all to 198.51.100.20:8443";
        assert!(got.contains(more), "{got}");
        assert!(got.contains("5000  client-cert-missing"), "{got}");
        let got = written("text", &options(100, true), &many(5000, Outcome::Incomplete, None), &[]);
        assert!(got.lines().count() < 50, "{got}");
        let got = written("text", &options(100, true), &many(5000, Outcome::Established, None), &[]);
        assert!(got.lines().count() < 420, "{got}");
        assert!(got.contains("4800 more flows: established"), "{got}");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let flows = many(2, Outcome::Failed, Some("client-cert-missing"));
        let plain = written("text", &options(80, true), &flows, &[]);
        let mut colored = options(80, true);
        colored.style.color = true;
        let mut text = written("text", &colored, &flows, &[]);
        assert!(text.contains("\x1b[31m"));
        for sgr in ["0", "1", "2", "31", "32", "33"] {
            text = text.replace(&format!("\x1b[{sgr}m"), "");
        }
        assert_eq!(text, plain);
    }

    #[test]
    fn a_capture_without_tls() {
        let got = written("text", &options(100, true), &[], &[]);
        assert!(got.contains("No TLS was found in 1 TCP connection."), "{got}");
    }
}

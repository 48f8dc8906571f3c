//! `--format junit`: test results, as Jenkins, GitLab and others read them.
//!
//! A flow is a test case: failed when its handshake failed or was rejected or a finding of it is an error, skipped when the
//! capture does not show how it ended. A broken expectation is a failed case of its own, a damaged input a case with an error.
//! Cases are written in suites of a bounded size, because a suite begins with its counts. What is written satisfies the schema
//! of Ant's JUnit task (<https://github.com/windyroad/JUnit-Schema>) and that of Jenkins' xUnit plugin.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::analyzer::{FlowReport, SourceReport};
use crate::diagnose::{Finding, Severity, breaks_expectation};
use crate::facts::Outcome;
use crate::span::Timestamp;
use crate::text::{escape, guard};

use super::view::Source;
use super::wording::{body, flows, head, is_expectation, verdict, who};
use super::{Options, Summary, Writer};

/// Cases of a suite.
const CASES: u64 = 1000;

/// Warnings listed in a suite.
const WARNINGS: u64 = 100;

/// Makes a writer of test results.
pub(super) fn junit<'o>(out: &'o mut dyn Write, options: &Options) -> Box<dyn Writer + 'o> {
    Box::new(Junit {
        out,
        inputs: options.inputs.clone(),
        summary: Summary::default(),
        source: 0,
        suite: Suite::default(),
        suites: 0,
    })
}

struct Junit<'o> {
    out: &'o mut dyn Write,
    inputs: Vec<String>,
    summary: Summary,
    /// The input that the present suite belongs to.
    source: usize,
    suite: Suite,
    suites: u64,
}

/// Cases that wait for their counts.
#[derive(Debug, Default)]
struct Suite {
    cases: String,
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    micros: u64,
    began: Option<Timestamp>,
    /// Warnings, which fail nothing.
    notes: String,
    warnings: u64,
}

/// How a case ended.
enum Verdict {
    Passed,
    /// Why it could not be judged.
    Skipped(String),
    /// Element, type, message and text.
    Bad(&'static str, &'static str, String, String),
}

impl Writer for Junit<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n")
    }

    fn flow(&mut self, f: &FlowReport) -> io::Result<()> {
        self.summary.add_flow(f);
        if self.source != f.facts.source || self.suite.tests >= CASES {
            self.close()?;
            self.source = f.facts.source;
        }
        self.suite.began.get_or_insert(f.facts.first.time);
        let name = format!("{} (flow {})", who(f), f.facts.id);
        let micros = f.facts.last.time.us_since(f.facts.first.time);
        self.suite.case("tlscope.flow", &name, micros, &handshake(f));
        for finding in &f.diagnosis.findings {
            self.suite.finding(&name, finding);
        }
        Ok(())
    }

    fn finish(&mut self, sources: &[SourceReport], findings: &[Finding]) -> io::Result<()> {
        self.close()?;
        self.suite.began = sources.iter().filter_map(|s| s.info.first_time).min();
        for s in sources {
            let s = Source::new(s);
            let verdict = if s.complete {
                Verdict::Passed
            } else {
                let said: Vec<&str> = s.problems.iter().map(|p| p.message.as_ref()).collect();
                let message = said.first().map_or_else(|| "damaged".to_owned(), |m| (*m).to_owned());
                Verdict::Bad("error", "damaged-input", message, said.join("\n"))
            };
            self.suite.case("tlscope.input", &s.path, 0, &verdict);
        }
        for f in findings {
            self.summary.add_finding(f);
            let name = if f.flows.is_empty() { f.code.to_owned() } else { format!("flows {}", flows(&f.flows, "")) };
            if f.severity == Severity::Error && !is_expectation(f) {
                self.suite.case("tlscope.capture", &format!("{name}: {}", f.code), 0, &failure(f.code, &[f]));
            }
            self.suite.finding(&name, f);
        }
        self.put("tlscope", "inputs and findings on the whole capture")?;
        self.out.write_all(b"</testsuites>\n")?;
        self.out.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl Junit<'_> {
    /// Writes the suite of flows that is waiting, if there is one.
    fn close(&mut self) -> io::Result<()> {
        if self.suite.tests == 0 {
            return Ok(());
        }
        let path = self.inputs.get(self.source).map_or_else(String::new, |p| escape(p).into_owned());
        let path = if path.is_empty() { "capture" } else { &path };
        self.put(path, "flows")
    }

    fn put(&mut self, name: &str, what: &str) -> io::Result<()> {
        let s = std::mem::take(&mut self.suite);
        let id = self.suites;
        self.suites = self.suites.saturating_add(1);
        // The schema of Ant wants no zone and no fraction.
        let mut began = s.began.unwrap_or(Timestamp(0)).to_string();
        began.truncate("2026-01-01T00:00:00".len());
        writeln!(
            self.out,
            "<testsuite name=\"{}\" package=\"tlscope\" id=\"{id}\" timestamp=\"{began}\" hostname=\"localhost\" tests=\"{}\" \
             failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">",
            xml(name),
            s.tests,
            s.failures,
            s.errors,
            s.skipped,
            seconds(s.micros)
        )?;
        writeln!(self.out, "<properties><property name=\"content\" value=\"{}\"/></properties>", xml(what))?;
        self.out.write_all(s.cases.as_bytes())?;
        let mut notes = s.notes;
        let more = s.warnings.saturating_sub(WARNINGS);
        if more > 0 {
            let _ = writeln!(notes, "and {more} more warnings");
        }
        writeln!(self.out, "<system-out>{notes}</system-out>\n<system-err/>\n</testsuite>")
    }
}

impl Suite {
    fn case(&mut self, class: &str, name: &str, micros: u64, verdict: &Verdict) {
        self.tests = self.tests.saturating_add(1);
        self.micros = self.micros.saturating_add(micros);
        let _ =
            write!(self.cases, "<testcase classname=\"{class}\" name=\"{}\" time=\"{}\"", xml(name), seconds(micros));
        let _ = match verdict {
            Verdict::Passed => writeln!(self.cases, "/>"),
            Verdict::Skipped(why) => {
                self.skipped = self.skipped.saturating_add(1);
                writeln!(self.cases, "><skipped message=\"{}\"/></testcase>", xml(why))
            }
            Verdict::Bad(element, kind, message, text) => {
                let n = if *element == "error" { &mut self.errors } else { &mut self.failures };
                *n = n.saturating_add(1);
                let (message, text) = (xml(message), lines(text));
                writeln!(self.cases, "><{element} type=\"{kind}\" message=\"{message}\">{text}</{element}></testcase>")
            }
        };
    }

    /// A finding beside the case of its flow: an expectation has a case of its own, a warning is told.
    fn finding(&mut self, name: &str, f: &Finding) {
        if is_expectation(f) {
            // One that could not be judged is no failure, unless the policy is strict.
            let verdict = if breaks_expectation(f) {
                failure(f.code, &[f])
            } else {
                Verdict::Skipped(format!("{}: {}", f.title, f.detail))
            };
            self.case("tlscope.expectation", &format!("{name}: {}", f.code), 0, &verdict);
        } else if f.severity == Severity::Warning {
            self.warnings = self.warnings.saturating_add(1);
            if self.warnings <= WARNINGS {
                let _ = writeln!(self.notes, "{}", xml(&format!("{name}: {}: {}", head(f), f.title)));
            }
        }
    }
}

/// How the case of a flow ended.
fn handshake(f: &FlowReport) -> Verdict {
    let d = &f.diagnosis;
    let errors: Vec<&Finding> = d
        .findings
        .iter()
        .filter(|x| !is_expectation(x))
        .filter(|x| d.cause == Some(x.code) || x.severity == Severity::Error)
        .collect();
    match (errors.first(), d.outcome) {
        (Some(first), _) => failure(d.cause.unwrap_or(first.code), &errors),
        (None, Outcome::Failed | Outcome::Rejected) => {
            Verdict::Bad("failure", d.outcome.name(), verdict(f).into_owned(), String::new())
        }
        (None, Outcome::Incomplete) => Verdict::Skipped(verdict(f).into_owned()),
        (None, Outcome::Established) => Verdict::Passed,
    }
}

/// A failure by findings, the first of which is its message.
fn failure(kind: &'static str, findings: &[&Finding]) -> Verdict {
    let message = findings.first().map_or_else(String::new, |f| f.title.clone());
    let mut text = String::new();
    for f in findings {
        let _ = writeln!(text, "\n{}: {}", head(f), guard(&f.title));
        for (label, said) in body(f) {
            let _ = match label {
                Some(label) => writeln!(text, "{label}: {said}"),
                None => writeln!(text, "{said}"),
            };
        }
    }
    Verdict::Bad("failure", kind, message, text)
}

/// Seconds with three decimals: the schema of Maven's Surefire, which Jenkins takes too, has no more.
fn seconds(micros: u64) -> String {
    let millis = micros / 1000;
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Text for an element or a quoted attribute: no markup, and no character that XML 1.0 does not know (section 2.2).
fn xml(s: &str) -> Cow<'_, str> {
    let s = guard(s);
    if !s.contains(['&', '<', '>', '"', '\u{fffe}', '\u{ffff}']) {
        return s;
    }
    let mut out = String::with_capacity(s.len().saturating_add(16));
    for c in s.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// [`xml`] line by line.
fn lines(s: &str) -> String {
    s.split('\n').map(xml).collect::<Vec<_>>().join("\n")
}

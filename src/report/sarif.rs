//! `--format sarif`: SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), as code scanning services
//! read it.
//!
//! Each finding is a result at the capture it was found in; its frames are logical locations, because a region of SARIF is
//! made of lines or bytes. Results are written as flows end; the rules they name stand behind them, only those that were met.

mod log;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::analyzer::{FlowReport, SourceReport};
use crate::diagnose::{self, Finding, Severity};
use crate::text::{escape, guard};

use super::json::{BATCH_BYTES, Batch};
use super::view::{Flow, Source, Summary, Tool};
use super::wording::{body, who};
use super::{Options, Writer};
use log::{
    Artifact, ArtifactLocation, Component, Configuration, Descriptor, Driver, Fingerprints, FlowProperties, Invocation,
    Location, LogicalLocation, Message, Notification, PhysicalLocation, Properties, Result as Entry,
};

/// Frames named as locations of a result.
const FRAMES: usize = 32;

/// Makes a writer of SARIF.
pub(super) fn sarif<'o>(out: &'o mut dyn Write, options: &Options) -> Box<dyn Writer + 'o> {
    Box::new(Sarif {
        batch: Batch::new(out),
        inputs: options.inputs.clone(),
        summary: Summary::default(),
        rules: Vec::new(),
        places: BTreeMap::new(),
        any: false,
    })
}

struct Sarif<'o> {
    batch: Batch<'o>,
    inputs: Vec<String>,
    summary: Summary,
    /// The rules met, in the order in which they were, and where each stands.
    rules: Vec<Descriptor>,
    places: BTreeMap<&'static str, usize>,
    /// A result was written.
    any: bool,
}

impl Writer for Sarif<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.batch.text(
            "{\"$schema\":\"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json\",\
             \"version\":\"2.1.0\",\"runs\":[{\"results\":[",
        );
        Ok(())
    }

    fn flow(&mut self, f: &FlowReport) -> io::Result<()> {
        self.summary.add_flow(f);
        if f.diagnosis.findings.is_empty() {
            return Ok(());
        }
        let view = Flow::from_report(f);
        let name = who(f);
        for finding in &f.diagnosis.findings {
            let flow = FlowProperties {
                id: view.id,
                uid: &view.uid,
                community_id: &view.community_id,
                name: &name,
                outcome: view.outcome,
                is_cause: f.diagnosis.cause == Some(finding.code),
            };
            self.result(finding, view.source, Some(flow))?;
        }
        self.batch.hand_on(BATCH_BYTES)
    }

    fn finish(&mut self, sources: &[SourceReport], findings: &[Finding]) -> io::Result<()> {
        for f in findings {
            self.summary.add_finding(f);
            self.result(f, 0, None)?;
        }
        let sources: Vec<Source<'_>> = sources.iter().map(Source::new).collect();
        self.batch.text("],\n\"tool\":");
        let rules = std::mem::take(&mut self.rules);
        self.batch
            .value(&Component { driver: Driver { name: Tool::THIS.name, version: Tool::THIS.version, rules } })?;
        self.batch.text(",\n\"artifacts\":");
        let artifacts: Vec<Artifact> =
            sources.iter().map(|s| Artifact { location: artifact(&s.path, None), roles: ["analysisTarget"] }).collect();
        self.batch.value(&artifacts)?;
        self.batch.text(",\n\"invocations\":");
        self.batch.value(&[invocation(&sources)])?;
        self.batch.text("}]}\n");
        self.batch.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.batch.flush()
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl Sarif<'_> {
    fn result(&mut self, f: &Finding, source: usize, flow: Option<FlowProperties<'_>>) -> io::Result<()> {
        let path = self.inputs.get(source).map_or("capture", String::as_str);
        let place = flow.as_ref().map_or_else(|| "capture".to_owned(), |f| format!("flow {}", f.id));
        let frames = f.frames.iter().take(FRAMES).map(|n| LogicalLocation {
            name: format!("frame {n}"),
            fully_qualified_name: format!("{place}/frame {n}"),
            kind: "frame",
        });
        let location = Location {
            physical_location: PhysicalLocation { artifact_location: artifact(&escape(path), Some(source)) },
            logical_locations: frames.collect(),
        };
        let entry = Entry {
            rule_id: f.code,
            rule_index: self.rule(f),
            level: level(f.severity),
            message: Message { text: message(f, flow.as_ref()) },
            locations: [location],
            partial_fingerprints: Fingerprints { finding: f.fingerprint.to_string() },
            properties: Properties {
                confidence: f.confidence.name(),
                blame: f.blame.name(),
                explains_failure: f.explains_failure,
                frames: f.frames.iter().map(|n| n.0).collect(),
                flow,
                flows: &f.flows,
            },
        };
        self.batch.text(if self.any { ",\n" } else { "\n" });
        self.any = true;
        self.batch.value(&entry)
    }

    /// Where the rule of a finding stands.
    fn rule(&mut self, f: &Finding) -> usize {
        if let Some(place) = self.places.get(f.code) {
            return *place;
        }
        let place = self.rules.len();
        self.rules.push(descriptor(f));
        self.places.insert(f.code, place);
        place
    }
}

/// A rule with its page.
fn descriptor(f: &Finding) -> Descriptor {
    let rule = diagnose::rule(f.code);
    let title = rule.map_or_else(|| f.title.clone(), |r| r.title.to_owned());
    let what = rule.map(|r| r.page.what).filter(|w| !w.is_empty()).map_or_else(|| title.clone(), str::to_owned);
    let severity = rule.map_or(f.severity, |r| r.severity);
    Descriptor {
        id: f.code,
        short_description: Message { text: title.clone() },
        full_description: Message { text: what },
        help: Message { text: diagnose::explain_page(f.code).unwrap_or(title) },
        default_configuration: Configuration { level: level(severity) },
    }
}

fn invocation(sources: &[Source<'_>]) -> Invocation {
    let problem = |s: &Source<'_>, message: &str| Notification {
        level: if s.complete { "warning" } else { "error" },
        message: Message { text: literal(message) },
        locations: [Location {
            physical_location: PhysicalLocation { artifact_location: artifact(&s.path, None) },
            logical_locations: Vec::new(),
        }],
    };
    Invocation {
        execution_successful: sources.iter().all(|s| s.complete),
        tool_execution_notifications: sources
            .iter()
            .flat_map(|s| s.problems.iter().map(move |p| problem(s, &p.message)))
            .collect(),
    }
}

const fn level(s: Severity) -> &'static str {
    match s {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// What a result says: a person reads it beside the capture's name.
fn message(f: &Finding, flow: Option<&FlowProperties<'_>>) -> String {
    let mut out = match flow {
        Some(flow) => format!("Flow {} ({}): {}.", flow.id, flow.name, guard(&f.title)),
        None => format!("{}.", guard(&f.title)),
    };
    for (label, text) in body(f) {
        let _ = match label {
            Some(label) => write!(out, "\n{label}: {text}"),
            None => write!(out, "\n{text}"),
        };
    }
    literal(&out)
}

/// Text that stands for itself: in a message `{0}` is a placeholder and `[text](target)` a link (SARIF, sections 3.11.5 and
/// 3.11.6).
fn literal(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut rest = s;
    let link = s.contains("](");
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let digits = after.trim_start_matches(|d: char| d.is_ascii_digit());
        match c {
            '{' if digits.len() < after.len() && digits.starts_with('}') => {
                let number = after.get(..after.len().saturating_sub(digits.len())).unwrap_or_default();
                let _ = write!(out, "{{{{{number}}}}}");
                rest = digits.get(1..).unwrap_or_default();
                continue;
            }
            '[' | ']' if link => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
        rest = after;
    }
    out
}

/// The capture as a URI reference (RFC 3986): what a path may hold beside the unreserved characters is percent-encoded.
fn artifact(path: &str, index: Option<usize>) -> ArtifactLocation {
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for b in path.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(b)),
            _ => {
                let _ = write!(uri, "%{b:02X}");
            }
        }
    }
    ArtifactLocation { uri, index }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_wire_is_no_placeholder_and_no_link() {
        assert_eq!(literal("a {0} b {12} c"), "a {{0}} b {{12}} c");
        assert_eq!(literal("\\u{1b} {} {x}"), "\\u{1b} {} {x}");
        assert_eq!(literal("name \\u{0}"), "name \\u{{0}}");
        assert_eq!(literal("[2001:db8::1]:443"), "[2001:db8::1]:443");
        assert_eq!(literal("[x](https://example.org)"), "\\[x\\](https://example.org)");
    }

    #[test]
    fn paths_are_uri_references() {
        let uri = |p| artifact(p, None).uri;
        assert_eq!(uri("a b/ü:c.pcap"), "a%20b/%C3%BC%3Ac.pcap");
        assert_eq!(uri("/srv/a.pcap"), "file:///srv/a.pcap");
        assert_eq!(uri("C:\\a?.pcap"), "C%3A%5Ca%3F.pcap");
    }
}

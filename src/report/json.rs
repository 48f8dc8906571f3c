//! The machine-readable formats: one JSON document, or one object a line. Both write a flow when it ends and keep
//! nothing of it.

use std::io::{self, Write};

use serde::Serialize;

use crate::analyzer::{FlowReport, SourceReport};
use crate::diagnose;

use super::view::{Finding, Flow, SCHEMA_VERSION, Source, Summary, Tool};
use super::{Options, Writer};

/// Bytes of output gathered before they are handed on.
pub(super) const BATCH_BYTES: usize = 128 << 10;

/// Bytes gathered and where they go.
pub(super) struct Batch<'o> {
    out: &'o mut dyn Write,
    bytes: Vec<u8>,
}

impl<'o> Batch<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out, bytes: Vec::with_capacity(BATCH_BYTES) }
    }

    pub(super) fn text(&mut self, s: &str) {
        self.bytes.extend_from_slice(s.as_bytes());
    }

    pub(super) fn value(&mut self, v: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.bytes, v).map_err(io::Error::from)
    }

    /// Writes an object with `"type":kind` as its first member.
    fn typed(&mut self, kind: &str, v: &impl Serialize) -> io::Result<()> {
        self.text("{\"type\":\"");
        self.text(kind);
        self.text("\"");
        let brace = self.bytes.len();
        self.value(v)?;
        // The value's own brace becomes the comma behind the type.
        if let Some(b) = self.bytes.get_mut(brace) {
            *b = b',';
        }
        self.text("\n");
        Ok(())
    }

    /// Hands the bytes on when there are so many of them.
    pub(super) fn hand_on(&mut self, at_least: usize) -> io::Result<()> {
        if self.bytes.len() >= at_least {
            self.out.write_all(&self.bytes)?;
            self.bytes.clear();
            self.bytes.shrink_to(4 * BATCH_BYTES);
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.hand_on(1)?;
        self.out.flush()
    }
}

/// `--format json`: one document. Its flows come first, because they are written as they end.
struct Json<'o> {
    batch: Batch<'o>,
    summary: Summary,
}

/// Makes a writer of one document.
pub(super) fn document<'o>(out: &'o mut dyn Write, _: &Options) -> Box<dyn Writer + 'o> {
    Box::new(Json { batch: Batch::new(out), summary: Summary::default() })
}

impl Writer for Json<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.batch.text(&format!("{{\"schema_version\":{SCHEMA_VERSION},\"tool\":"));
        self.batch.value(&Tool::THIS)?;
        self.batch.text(",\"flows\":[");
        Ok(())
    }

    fn flow(&mut self, f: &FlowReport) -> io::Result<()> {
        self.batch.text(if self.summary.flows == 0 { "\n" } else { ",\n" });
        self.summary.add_flow(f);
        self.batch.value(&Flow::from_report(f))?;
        self.batch.hand_on(BATCH_BYTES)
    }

    fn finish(&mut self, sources: &[SourceReport], findings: &[diagnose::Finding]) -> io::Result<()> {
        for f in findings {
            self.summary.add_finding(f);
        }
        self.batch.text("],\n\"sources\":");
        self.batch.value(&sources.iter().map(Source::new).collect::<Vec<_>>())?;
        self.batch.text(",\n\"findings\":");
        self.batch.value(&findings.iter().map(Finding::new).collect::<Vec<_>>())?;
        self.batch.text(",\n\"summary\":");
        self.batch.value(&self.summary)?;
        self.batch.text("}\n");
        self.batch.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.batch.flush()
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }
}

/// `--format ndjson`: one object a line, the summary last.
struct Ndjson<'o> {
    batch: Batch<'o>,
    summary: Summary,
}

/// The last line.
#[derive(Serialize)]
struct Last<'a> {
    schema_version: u32,
    tool: Tool,
    sources: Vec<Source<'a>>,
    #[serde(flatten)]
    summary: Summary,
}

/// Makes a writer of one object a line.
pub(super) fn lines<'o>(out: &'o mut dyn Write, _: &Options) -> Box<dyn Writer + 'o> {
    Box::new(Ndjson { batch: Batch::new(out), summary: Summary::default() })
}

impl Writer for Ndjson<'_> {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flow(&mut self, f: &FlowReport) -> io::Result<()> {
        self.summary.add_flow(f);
        self.batch.typed("flow", &Flow::from_report(f))?;
        self.batch.hand_on(BATCH_BYTES)
    }

    fn decided(&mut self, f: &FlowReport) -> io::Result<()> {
        self.batch.typed("flow", &Flow::from_report(f))?;
        self.batch.hand_on(BATCH_BYTES)
    }

    fn finish(&mut self, sources: &[SourceReport], findings: &[diagnose::Finding]) -> io::Result<()> {
        for f in findings {
            self.summary.add_finding(f);
            self.batch.typed("finding", &Finding::new(f))?;
        }
        let sources = sources.iter().map(Source::new).collect();
        let last = Last { schema_version: SCHEMA_VERSION, tool: Tool::THIS, sources, summary: self.summary };
        self.batch.typed("summary", &last)?;
        self.batch.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.batch.flush()
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }
}

//! Reports: flows and findings as JSON for programs and as text for people.
//!
//! A [`Writer`] takes each flow when it ends and keeps no more than counters of it, so that a capture of any size is reported
//! in bounded memory. A new format is one file with a writer and one line in [`FORMATS`].

mod html;
mod json;
mod junit;
mod markdown;
mod sarif;
mod schema;
mod summary;
mod tally;
#[cfg(test)]
mod tests;
mod text;
pub mod view;
mod wording;

use std::io;

use crate::analyzer::{FlowReport, SourceReport};
use crate::capture::{Problem, SourceInfo};
use crate::diagnose::Finding;

pub use schema::schema;
pub use text::Style;
pub use view::Summary;

/// Writes one report. The calls come in the order [`begin`](Writer::begin), any number of [`flow`](Writer::flow),
/// [`finish`](Writer::finish). Errors are those of the output.
pub trait Writer {
    /// Writes what stands before the flows.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn begin(&mut self) -> io::Result<()>;

    /// Writes a flow that has ended.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn flow(&mut self, f: &FlowReport) -> io::Result<()>;

    /// Writes a flow that is still open but whose handshake is decided; it comes once more when it has ended. Formats in which
    /// a flow stands once wait for that.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn decided(&mut self, _: &FlowReport) -> io::Result<()> {
        Ok(())
    }

    /// Writes the rest: inputs, findings on the whole capture, the summary; and flushes.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn finish(&mut self, sources: &[SourceReport], findings: &[Finding]) -> io::Result<()>;

    /// Hands on what was written so far: for a reader that waits for it.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn flush(&mut self) -> io::Result<()>;

    /// What was counted so far; whole after [`finish`](Writer::finish).
    fn summary(&self) -> &Summary;
}

/// What a writer is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How text looks.
    pub style: Style,
    /// The inputs as they were given, to tell flows of several inputs apart.
    pub inputs: Vec<String>,
}

/// A format of reports.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, for the help.
    pub about: &'static str,
    /// Extension of files that hold it.
    pub extension: &'static str,
    /// Makes a writer to an output that the caller keeps, closes and renames.
    pub make: for<'o> fn(&'o mut dyn io::Write, &Options) -> Box<dyn Writer + 'o>,
}

/// For people.
pub const TEXT: Format = Format { name: "text", about: "for people, the default", extension: "txt", make: text::text };

/// All formats; the first is the default.
pub const FORMATS: &[Format] = &[
    TEXT,
    Format { name: "json", about: "one JSON document", extension: "json", make: json::document },
    Format { name: "ndjson", about: "a JSON object a line, as flows end", extension: "ndjson", make: json::lines },
    Format { name: "html", about: "one page for a browser", extension: "html", make: html::page },
    Format { name: "markdown", about: "for a job summary or a ticket", extension: "md", make: markdown::markdown },
    Format { name: "junit", about: "test results for a CI job", extension: "xml", make: junit::junit },
    Format { name: "sarif", about: "SARIF 2.1.0 for code scanning", extension: "sarif", make: sarif::sarif },
];

/// The format of a name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|f| f.name == name)
}

/// What a report says of an input that could not be opened: no frame, not complete, and why. It takes its place among the
/// inputs by `begin_source` and `end_source` like any other.
pub fn unopened(path: &str, why: &str) -> SourceInfo {
    SourceInfo {
        path: path.to_owned(),
        complete: false,
        problems: vec![Problem { frame: None, offset: None, message: why.to_owned() }],
        ..SourceInfo::default()
    }
}

//! A flow as the report writes it.

use crate::analyzer::FlowReport;
use crate::report::view::Flow;

/// The flow as indented JSON; `None` when it cannot be written.
pub(crate) fn flow(report: &FlowReport) -> Option<String> {
    serde_json::to_string_pretty(&Flow::from_report(report)).ok().map(|s| s + "\n")
}

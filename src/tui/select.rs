//! The list's filter for those who have no list: which flows a report is about.

use super::filter::{Filter, Scratch};
use super::row::{Row, Shared};
use crate::analyzer::FlowReport;

/// A filter and what it needs to look at flows.
#[derive(Debug, Default)]
pub(crate) struct Select {
    filter: Filter,
    shared: Shared,
    scratch: Scratch,
}

impl Select {
    /// Understands a filter as it is typed behind `/`.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { filter: Filter::parse(text)?, ..Self::default() })
    }

    /// The flow passes.
    pub(crate) fn lets_through(&mut self, f: &FlowReport) -> bool {
        self.filter.is_empty() || self.filter.matches(&Row::new(f, &mut self.shared), &mut self.scratch)
    }
}

//! The analyzer of a report; and, where its names are replaced, a second one for what is decided by the true ones.

use std::collections::HashMap;

use crate::analyzer::{Analyzer, FlowReport, Options};
use crate::capture::{Frame, SourceInfo};
use crate::diagnose::Policy;

/// One analyzer, or two that are given the same frames and number the same flows alike.
pub(super) struct Analyzers {
    /// What it says is reported.
    pub(super) told: Analyzer,
    /// What it says is compared and chosen by, where `told` replaces names. Nothing of it is written.
    pub(super) by_name: Option<Analyzer>,
}

impl Analyzers {
    /// `needs_names`: something is decided by names that the policy does not know of.
    pub(super) fn new(policy: Policy, redact: bool, needs_names: bool) -> Self {
        let make = |policy, redact| Analyzer::new(Options { policy, redact, ..Options::default() });
        let by_name = (redact && needs_names).then(|| make(policy.clone(), false));
        Self { told: make(policy, redact), by_name }
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Analyzer> {
        std::iter::once(&mut self.told).chain(self.by_name.as_mut())
    }

    pub(super) fn begin_source(&mut self) {
        self.each().for_each(|a| {
            a.begin_source();
        });
    }

    pub(super) fn push(&mut self, frame: &Frame<'_>) {
        self.each().for_each(|a| a.push(frame));
    }

    pub(super) fn wind_up(&mut self, info: &SourceInfo) -> bool {
        self.each().map(|a| a.wind_up(info)).max().unwrap_or(false)
    }

    pub(super) fn end_source(&mut self, info: &SourceInfo) {
        self.each().for_each(|a| a.end_source(info));
    }

    /// Flows that have ended, as they are told and, where that differs, as they are.
    pub(super) fn take_flows(&mut self) -> Vec<(FlowReport, Option<FlowReport>)> {
        let by_name = self.by_name.iter_mut().flat_map(Analyzer::take_flows).map(|f| (f.facts.id, f));
        let mut by_name: HashMap<u64, FlowReport> = by_name.collect();
        let with_names = |f: FlowReport| {
            let id = f.facts.id;
            (f, by_name.remove(&id))
        };
        self.told.take_flows().into_iter().map(with_names).collect()
    }
}

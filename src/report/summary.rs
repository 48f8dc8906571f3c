//! Counting what a report says.

use crate::analyzer::FlowReport;
use crate::diagnose::{Finding, Severity};
use crate::facts::Outcome;

use super::view::{ClientAuth, Severities, Summary};

impl Summary {
    /// Counts a flow with its findings.
    pub fn add_flow(&mut self, f: &FlowReport) {
        bump(&mut self.flows);
        let outcome = f.diagnosis.outcome;
        bump(match outcome {
            Outcome::Established => &mut self.established,
            Outcome::Failed => &mut self.failed,
            Outcome::Rejected => &mut self.rejected,
            Outcome::Incomplete => &mut self.incomplete,
        });
        if is_mutual(f) {
            bump(&mut self.mutual_tls);
        }
        for finding in &f.diagnosis.findings {
            self.add_finding(finding);
        }
    }

    /// Counts a finding: of a flow, or of the whole capture.
    pub fn add_finding(&mut self, f: &Finding) {
        self.findings.add(f.severity);
    }

    /// The worst severity met.
    pub fn worst(&self) -> Option<Severity> {
        let f = &self.findings;
        match (f.error, f.warning, f.info) {
            (1.., _, _) => Some(Severity::Error),
            (0, 1.., _) => Some(Severity::Warning),
            (0, 0, 1..) => Some(Severity::Info),
            (0, 0, 0) => None,
        }
    }
}

impl Severities {
    fn add(&mut self, s: Severity) {
        bump(match s {
            Severity::Error => &mut self.error,
            Severity::Warning => &mut self.warning,
            Severity::Info => &mut self.info,
        });
    }
}

/// Mutual TLS: the client proved a certificate, and the server went on with it.
pub(crate) fn is_mutual(f: &FlowReport) -> bool {
    f.diagnosis.outcome == Outcome::Established
        && ClientAuth::new(&f.facts, f.diagnosis.outcome).is_some_and(|a| a.is_proven())
}

fn bump(n: &mut u64) {
    *n = n.saturating_add(1);
}

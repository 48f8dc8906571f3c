//! Findings as a report shows them.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnose;
use crate::span::FrameNo;
use crate::text::guard;

/// What is wrong, how sure that is, whose side to look at and what to change.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding<'a> {
    /// Stable kebab-case code; `tlscope explain CODE` prints its page.
    pub code: &'static str,
    /// The same in each run for the same code, severity and server (address, port, name): 16 hexadecimal digits.
    #[schemars(with = "String")]
    pub fingerprint: Shown,
    /// `error`, `warning` or `info`.
    pub severity: &'static str,
    /// `certain`, `likely` or `possible`.
    pub confidence: &'static str,
    /// One line: what happened.
    pub title: Cow<'a, str>,
    /// The same with the values of this flow.
    pub detail: Cow<'a, str>,
    /// What to change, on which side.
    pub remedy: Cow<'a, str>,
    /// Whose configuration to look at first: `client`, `server`, `network` or `either`; null when nobody's.
    pub blame: Option<&'static str>,
    /// Whether it can be a flow's `cause`.
    pub explains_failure: bool,
    /// The evidence: numbers of frames.
    #[schemars(with = "Vec<u64>")]
    pub frames: Frames<'a>,
    /// Ids of the flows that a capture-wide finding speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<&'a [u64]>,
}

impl<'a> Finding<'a> {
    /// As a report shows it.
    pub fn new(f: &'a diagnose::Finding) -> Self {
        Self {
            code: f.code,
            fingerprint: Shown(f.fingerprint),
            severity: f.severity.name(),
            confidence: f.confidence.name(),
            title: guard(&f.title),
            detail: guard(&f.detail),
            remedy: guard(&f.remedy),
            blame: f.blame.name(),
            explains_failure: f.explains_failure,
            frames: Frames(&f.frames),
            flows: (!f.flows.is_empty()).then_some(f.flows.as_slice()),
        }
    }
}

/// A fingerprint, written without a string in between.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub diagnose::Fingerprint);

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

/// A list of frame numbers.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a>(pub &'a [FrameNo]);

impl Serialize for Frames<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(|f| f.0))
    }
}

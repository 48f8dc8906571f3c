//! The one serializable schema of a report: what every machine-readable format writes, and what `tlscope schema` describes.
//!
//! The structs borrow from the facts and are written once; a field named here keeps its name, place and meaning within
//! [`SCHEMA_VERSION`].

mod auth;
mod certificate;
mod finding;
mod flow;
mod hello;
mod ids;
mod message;
mod value;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analyzer::SourceReport;
use crate::text::{escape, guard};

pub use auth::ClientAuth;
pub use certificate::{Certificate, CertificateTime, Names, OcspStaple, PublicKey};
pub use finding::{Finding, Frames, Shown};
pub use flow::{Certificates, End, Flow, KeyExchange, Timing};
pub use hello::{ClientHello, Fingerprints, ServerHello, Suites, Texts};
pub use ids::{community_id, uid};
pub use message::{Alert, EndedBy, Gap, Message, PerRole, Records};
pub use value::{Code, Codes, Hex, Registry, Time};

pub(crate) use flow::{cipher_suite, protocol};

/// Version of the schema: grows when a field changes its name, place or meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// Reason under which packet records are counted that the reader could not give out.
const UNREADABLE: &str = "packet record not readable";

/// Reason of frames that nobody looked at, because reading stopped before.
const NOT_REACHED: &str = "not looked at";

/// A whole report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Document<'a> {
    /// Version of this schema.
    pub schema_version: u32,
    /// What wrote it.
    pub tool: Tool,
    /// One for each input, in order.
    pub sources: Vec<Source<'a>>,
    /// In the order in which they ended.
    pub flows: Vec<Flow<'a>>,
    /// What is true of the whole capture.
    pub findings: Vec<Finding<'a>>,
    /// How many of what.
    pub summary: Summary,
}

/// What wrote a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tool {
    /// `tlscope`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Tool {
    /// This program.
    pub const THIS: Self = Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
}

/// An input and what became of its frames.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Source<'a> {
    /// As it was given.
    pub path: Cow<'a, str>,
    /// `pcap`, `pcapng` or `live`; null when it is not known.
    pub format: Option<&'static str>,
    /// Packet records that were read whole.
    pub frames: u64,
    /// Captured bytes of these.
    pub bytes: u64,
    /// What became of them: `decoded` and every skipped reason together are the frames.
    pub packets: Packets<'a>,
    /// Time of the earliest frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<Time>,
    /// Time of the latest frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<Time>,
    /// Everything could be read.
    pub complete: bool,
    /// What was wrong with it.
    pub problems: Vec<Problem<'a>>,
    /// Problems beyond the cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems_omitted: Option<u64>,
    /// TCP connections, with or without TLS.
    pub tcp_connections: u64,
    /// Connections given up because too many were open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evicted: Option<u64>,
    /// Packets that the capturing program said it lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

/// What became of an input's frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Packets<'a> {
    /// Frames that were understood.
    pub decoded: u64,
    /// All others, by reason.
    pub skipped: BTreeMap<&'a str, u64>,
}

/// Something wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem<'a> {
    /// The frame concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// Where, in bytes from the start of the (uncompressed) input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What is wrong, where, and what was done.
    pub message: Cow<'a, str>,
}

impl<'a> Source<'a> {
    /// As a report shows it.
    pub fn new(s: &'a SourceReport) -> Self {
        let info = &s.info;
        let frames = info.frames.saturating_add(info.skipped);
        Self {
            path: escape(&info.path),
            format: info.format.map(crate::capture::Format::name),
            frames,
            bytes: info.bytes,
            packets: Packets::new(s, frames),
            first_time: info.first_time.map(Time),
            last_time: info.last_time.map(Time),
            complete: info.complete,
            problems: info
                .problems
                .iter()
                .map(|p| Problem { frame: p.frame.map(|f| f.0), offset: p.offset, message: guard(&p.message) })
                .collect(),
            problems_omitted: (info.problems_omitted > 0).then_some(info.problems_omitted),
            tcp_connections: s.tcp_connections,
            evicted: (s.evicted > 0).then_some(s.evicted),
            dropped: info.dropped,
        }
    }
}

impl<'a> Packets<'a> {
    fn new(s: &'a SourceReport, frames: u64) -> Self {
        let mut skipped: BTreeMap<&str, u64> = s.skipped.iter().map(|(why, n)| (*why, *n)).collect();
        if s.info.skipped > 0 {
            skipped.insert(UNREADABLE, s.info.skipped);
        }
        let told = skipped.values().fold(s.decoded, |sum, n| sum.saturating_add(*n));
        let left = frames.saturating_sub(told);
        if left > 0 {
            skipped.insert(NOT_REACHED, left);
        }
        Self { decoded: s.decoded, skipped }
    }
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Flows reported, each once.
    pub flows: u64,
    /// Of these, by outcome: both sides finished and neither refused the other.
    pub established: u64,
    /// Ended before both had finished.
    pub failed: u64,
    /// All messages were sent, then one peer refused the other.
    pub rejected: u64,
    /// The capture does not show how it went on.
    pub incomplete: u64,
    /// Flows in which the client proved a certificate.
    pub mutual_tls: u64,
    /// Findings by severity.
    pub findings: Severities,
}

/// How many findings of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Severities {
    /// Explains a failure, or is broken.
    pub error: u64,
    /// Works today, may not tomorrow, or is weak.
    pub warning: u64,
    /// Worth knowing.
    pub info: u64,
}

//! One flow as the list keeps it: a few hundred bytes, whatever the flow carried.
//!
//! Texts that many flows share (names, details of findings) are held once.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use crate::analyzer::{FlowRef, FlowReport};
use crate::diagnose::{Blame, Confidence, Severity};
use crate::facts::{FlowFacts, Outcome, Siblings, Why};
use crate::flow::{Endpoint, Endpoints};
use crate::limits;
use crate::report::view::ClientAuth;
use crate::span::{FrameNo, Role, Side, Timestamp};
use crate::text;
use crate::tls::names::{AlertDescription, CipherSuite, ProtocolVersion};
use crate::x509::Certificate;

/// Evidence frames and alerts kept for one row.
const FRAMES: usize = 12;
const ALERTS: usize = 4;

/// Certificates of one side kept for one row, and alternative names of one certificate.
const CHAIN: usize = 6;
const NAMES: usize = 8;

/// Texts and certificates held once.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    texts: HashSet<Arc<str>>,
    certificates: HashMap<[u8; 32], Arc<Leaf>>,
}

impl Shared {
    fn get(&mut self, s: &str) -> Arc<str> {
        if let Some(a) = self.texts.get(s) {
            return a.clone();
        }
        let a: Arc<str> = Arc::from(s);
        if self.texts.len() < limits::SHARED_TEXTS {
            self.texts.insert(a.clone());
        }
        a
    }

    fn certificate(&mut self, c: &Certificate) -> Arc<Leaf> {
        if let Some(a) = self.certificates.get(&c.sha256) {
            return a.clone();
        }
        let names: Vec<String> = c.subject_alt_names.iter().take(NAMES).map(ToString::to_string).collect();
        let a = Arc::new(Leaf {
            sha256: c.sha256,
            subject: self.get(if c.subject.is_empty() { "(no subject)" } else { &c.subject }),
            issuer: self.get(&c.issuer),
            names: self.get(&names.join(", ")),
            not_before: c.not_before,
            not_after: c.not_after,
            is_ca: c.is_ca(),
        });
        if self.certificates.len() < limits::SHARED_TEXTS {
            self.certificates.insert(c.sha256, a.clone());
        }
        a
    }
}

/// A certificate as the list keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) sha256: [u8; 32],
    pub(crate) subject: Arc<str>,
    pub(crate) issuer: Arc<str>,
    /// The first alternative names.
    pub(crate) names: Arc<str>,
    /// Seconds since 1970.
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
    pub(crate) is_ca: bool,
}

/// What is known of client authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mtls {
    /// It cannot be known.
    Unknown,
    /// The server did not ask.
    No,
    /// The server asked; the answer is not known.
    Asked,
    /// The server asked and the client sent none.
    Empty,
    /// The client sent a certificate.
    Sent,
    /// The client proved one.
    Mutual,
}

impl Mtls {
    /// As the report has it.
    pub(crate) fn of(f: &FlowFacts, outcome: Outcome) -> Self {
        let Some(auth) = ClientAuth::new(f, outcome) else { return Self::Unknown };
        match (auth.requested, auth.certificate) {
            (_, "sent") if auth.is_proven() => Self::Mutual,
            (_, "sent") => Self::Sent,
            (_, "empty") => Self::Empty,
            (Some(true), _) => Self::Asked,
            // Nothing came from the server: it had no chance to ask.
            (Some(false), _) if f.server_hello.is_none() => Self::Unknown,
            (Some(false), _) => Self::No,
            (None, _) => Self::Unknown,
        }
    }

    /// The word in the list.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "–",
            Self::No => "one-way",
            Self::Asked => "asked",
            Self::Empty => "asked, none",
            Self::Sent => "cert sent",
            Self::Mutual => "mutual",
        }
    }
}

/// A finding as the list keeps it.
#[derive(Clone, Debug)]
pub(crate) struct RowFinding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) blame: Blame,
    pub(crate) title: Arc<str>,
    /// Empty for mere information: it is had again with the flow.
    pub(crate) detail: Arc<str>,
    pub(crate) remedy: Arc<str>,
    pub(crate) frames: Box<[FrameNo]>,
}

/// The mark in front of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    Failed,
    Warning,
    Unknown,
    Good,
}

impl Mark {
    pub(crate) const fn glyph(self) -> &'static str {
        match self {
            Self::Failed => "✖",
            Self::Warning => "▲",
            Self::Unknown => "·",
            Self::Good => "✔",
        }
    }

    pub(crate) const fn paint(self) -> super::theme::Paint {
        use super::theme::Paint;
        match self {
            Self::Failed => Paint::Error,
            Self::Warning => Paint::Warning,
            Self::Unknown => Paint::Dim,
            Self::Good => Paint::Good,
        }
    }
}

/// A flow in the list.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) ends: Endpoints,
    pub(crate) client: Side,
    pub(crate) first: FrameNo,
    pub(crate) last: FrameNo,
    /// What flows before it say about it.
    pub(crate) siblings: Siblings,
    pub(crate) time: Timestamp,
    pub(crate) duration_us: u64,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) cipher: Option<CipherSuite>,
    pub(crate) alpn: Option<Arc<str>>,
    pub(crate) outcome: Outcome,
    pub(crate) cause: Option<&'static str>,
    pub(crate) mtls: Mtls,
    pub(crate) resumed: bool,
    pub(crate) is_tls: bool,
    /// Why more is not known, for flows without an outcome.
    pub(crate) note: &'static str,
    pub(crate) alerts: smallvec::SmallVec<[AlertDescription; ALERTS]>,
    pub(crate) findings: Box<[RowFinding]>,
    /// Those in clear, each with its sender.
    pub(crate) certificates: Box<[(Role, Arc<Leaf>)]>,
    /// Hash of the ClientHello's random and session id: the same on two address pairs is one connection.
    pub(crate) hello: Option<u64>,
    /// It is still open and comes again when it has ended (live captures).
    pub(crate) is_open: bool,
}

impl Row {
    /// From a flow that has ended.
    pub(crate) fn new(report: &FlowReport, shared: &mut Shared) -> Self {
        let f = &report.facts;
        let findings: Box<[RowFinding]> = report
            .diagnosis
            .findings
            .iter()
            .map(|x| {
                let known = x.severity >= Severity::Warning || x.explains_failure;
                RowFinding {
                    code: x.code,
                    severity: x.severity,
                    confidence: x.confidence,
                    blame: x.blame,
                    title: shared.get(&x.title),
                    detail: shared.get(if known { &x.detail } else { "" }),
                    remedy: shared.get(if known { &x.remedy } else { "" }),
                    frames: x.frames.iter().take(FRAMES).copied().collect(),
                }
            })
            .collect();
        let certificates = [Role::Server, Role::Client].into_iter().flat_map(|role| {
            let chain = f.of(role).certificates.iter().flat_map(|c| c.chain.iter().take(CHAIN));
            chain.map(move |c| (role, c))
        });
        let certificates = certificates.map(|(role, c)| (role, shared.certificate(c))).collect();
        let alpn = f.server_hello.as_ref().and_then(|h| h.message.extensions.alpn.first());
        Self {
            id: f.id,
            ends: f.ends,
            client: f.client(),
            first: f.first.frame,
            last: f.last.frame,
            siblings: f.siblings.clone(),
            time: f.first.time,
            duration_us: f.last.time.us_since(f.first.time),
            name: f.server_name().map(|n| shared.get(&text::escape_bytes(n))),
            version: f.version(),
            cipher: f.cipher_suite(),
            alpn: alpn.map(|a| shared.get(&text::escape_bytes(a))),
            outcome: report.diagnosis.outcome,
            cause: report.diagnosis.cause,
            mtls: Mtls::of(f, report.diagnosis.outcome),
            resumed: f.resumed() == Some(true),
            is_tls: f.is_tls(),
            note: note(f),
            alerts: f.alerts.iter().filter_map(|a| a.said.map(|(_, d)| d)).take(ALERTS).collect(),
            findings,
            certificates,
            hello: f
                .client_hello
                .as_ref()
                .filter(|h| !h.message.ssl2_format)
                .map(|h| foldhash::quality::FixedState::default().hash_one((h.message.random, &h.message.session_id))),
            is_open: f.is_open,
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        let worst = self.findings.iter().map(|f| f.severity).max();
        match self.outcome {
            Outcome::Failed | Outcome::Rejected => Mark::Failed,
            _ if worst >= Some(Severity::Warning) => Mark::Warning,
            Outcome::Incomplete => Mark::Unknown,
            Outcome::Established => Mark::Good,
        }
    }

    pub(crate) fn end(&self, role: Role) -> Endpoint {
        match role {
            Role::Client => self.ends.of(self.client),
            Role::Server => self.ends.of(self.client.other()),
        }
    }

    /// What stands under "result": the cause where there is one.
    pub(crate) fn result(&self) -> &'static str {
        self.cause.unwrap_or(match (self.outcome, self.is_tls) {
            (Outcome::Failed, false) => "no TLS",
            (o, _) => o.name(),
        })
    }

    /// Finds the flow again.
    pub(crate) fn flow_ref(&self) -> FlowRef {
        let siblings = self.siblings.clone();
        FlowRef { id: self.id, ends: self.ends, first: self.first, last: self.last, siblings }
    }
}

/// `10.0.0.2:51234`, `[2001:db8::1]:443`.
pub(crate) fn endpoint(e: Endpoint) -> String {
    e.to_string()
}

fn note(f: &FlowFacts) -> &'static str {
    if f.packets_lost {
        return "The capture lost packets while this handshake went on.";
    }
    if f.source_damaged && f.cut_by_end {
        return "The capture file is damaged or cut before the handshake was over.";
    }
    match f.blind(Role::Client).or(f.blind(Role::Server)) {
        Some(Why::OneSided) => "Only one direction was captured.",
        Some(Why::Gap) => "Bytes of the handshake are missing in the capture.",
        Some(Why::Truncated) => {
            "The capture cut its packets short (snap length), so parts of the handshake are missing."
        }
        Some(Why::MidStream) => "The capture starts inside this connection, after its handshake began.",
        Some(Why::Limit) => "Nothing more of it could be read from some point on.",
        _ if f.cut_by_end => "The capture ends before this connection does.",
        _ => "",
    }
}

/// `12:00:03.114`, UTC.
pub(crate) fn clock(t: Timestamp) -> String {
    let tod = t.secs().rem_euclid(86_400);
    let ms = t.0.rem_euclid(1_000_000_000) / 1_000_000;
    format!("{:02}:{:02}:{:02}.{ms:03}", tod / 3600, tod / 60 % 60, tod % 60)
}

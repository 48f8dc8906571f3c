//! From facts to findings: what is wrong, how sure that is, whose side to look at, what to change.
//!
//! A rule is a pure function over [`FlowFacts`] in a const table of its family; the tables together are [`rules`]. A new
//! rule is one [`Rule`] with its check function, its page and its tests, in the file of its family.

mod alert;
mod application;
mod baseline;
mod ca_list;
mod capture;
mod cause;
mod cert_dates;
mod cert_encoding;
mod cert_fields;
mod chain;
mod chain_ca;
mod chain_list;
mod change_cipher_spec;
mod cipher;
mod client_auth;
mod client_cert;
mod client_purpose;
mod closing;
mod delivery;
mod differences;
mod early_data;
mod ending;
mod fingerprint;
mod fleet;
mod hello;
mod inspection;
mod inventory;
mod key_exchange;
mod key_update;
mod latency;
mod lookup;
mod malformed;
mod mesh;
mod negotiation;
mod offer;
mod over_http;
mod page;
mod pattern;
mod peer_error;
mod policy;
mod post_quantum;
mod proxy;
mod psk;
mod refusal;
mod renegotiation;
mod resumption;
mod retry;
mod revocation;
mod server_cert;
mod server_extensions;
mod server_hello;
mod sibling;
mod signatures;
mod stalls;
mod status_check;
#[cfg(test)]
mod testing;
mod transport;
mod vague;
mod version;
mod weak_rsa;
mod words;
mod wrong_protocol;

use std::fmt;
use std::sync::Arc;

pub use crate::facts::Confidence;
pub use baseline::NEW_FINDING;
pub(crate) use baseline::{
    changed as baseline_changed, new_finding as baseline_new_finding, not_compared as baseline_not_compared,
};
pub(crate) use ca_list::is_public_authority;
pub use fingerprint::Fingerprint;
pub use page::{explain_page, index, markdown_table};
pub use policy::{Audit, breaks_expectation};

use crate::expect::Expectations;
use crate::facts::{FlowFacts, Outcome};
use crate::flow::Mark;
use crate::siblings::Memory;
use crate::span::{FrameNo, Role, Timestamp};
use crate::x509::Trust;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Works today, may not tomorrow, or is weak.
    Warning,
    /// Explains a failure, or is broken.
    Error,
}

impl Severity {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Whose configuration to look at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The client's.
    Client,
    /// The server's.
    Server,
    /// What lies between them.
    Network,
    /// One of the two; the wire does not say which.
    Either,
    /// Nobody's: the capture itself, or a mere fact.
    Nobody,
}

impl Blame {
    /// The word of the report; `None` when nobody is to blame.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Client => Some("client"),
            Self::Server => Some("server"),
            Self::Network => Some("network"),
            Self::Either => Some("either"),
            Self::Nobody => None,
        }
    }
}

impl From<Role> for Blame {
    fn from(r: Role) -> Self {
        match r {
            Role::Client => Self::Client,
            Role::Server => Self::Server,
        }
    }
}

/// What a person reads under a code: `tlscope explain CODE`.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// *What*: what was seen.
    pub what: &'static str,
    /// *Why it matters*: and what it usually is.
    pub why: &'static str,
    /// *How sure*: what the evidence proves and what it does not.
    pub how_sure: &'static str,
    /// *Fix*: what to change, with concrete commands or settings.
    pub fix: &'static str,
    /// *How to verify*: a command whose answer shows whether it is mended.
    pub verify: &'static str,
    /// *References*: RFC sections.
    pub references: &'static str,
}

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One line: what happened.
    pub title: &'static str,
    /// Its rank as the cause of a failed or rejected flow: 0 never explains a failure; of several the highest rank is the
    /// cause. Specific causes rank above general ones.
    pub rank: u8,
    /// Row of the troubleshooting guide, where it is one.
    pub guide: Option<u8>,
    /// What to read about it.
    pub page: Page,
    /// Does it hold?
    pub check: Check,
}

/// What a rule looks at.
#[derive(Clone, Copy)]
pub enum Check {
    /// One flow, with what flows before it say about it.
    Flow(fn(&FlowFacts, &Policy) -> Option<Hit>),
    /// All flows of a capture, once they have ended. One hit for each thing that it is about.
    Capture(fn(&Memory, &Policy) -> Vec<Hit>),
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("code", &self.code).finish_non_exhaustive()
    }
}

/// What a rule found in one flow.
#[derive(Clone, Debug, Default)]
pub struct Hit {
    /// Overrides the rule's title where the flow says more.
    pub title: Option<String>,
    /// The values of this flow, in sentences. Safe to print.
    pub detail: String,
    /// What to change, on which side. Safe to print.
    pub remedy: String,
    /// How sure; `Certain` unless said.
    pub confidence: Option<Confidence>,
    /// Whose side to look at; `Either` unless said.
    pub blame: Option<Blame>,
    /// Overrides the rule's severity: what explains a refusal is an error, the same on a connection that worked is not.
    pub severity: Option<Severity>,
    /// It does not explain this flow's failure, though the rule could explain another's.
    pub beside: bool,
    /// The evidence.
    pub frames: Vec<FrameNo>,
    /// What it is about, where that is not one flow.
    pub scope: Option<Box<Scope>>,
}

/// What a hit is about beyond one flow.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Flows it speaks of.
    pub flows: Vec<u64>,
    /// What tells it apart from others of its code at the same server or in the same capture, where there may be several.
    pub about: String,
}

impl Hit {
    /// What was found and what to do about it.
    fn new(detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { detail: detail.into(), remedy: remedy.into(), ..Self::default() }
    }

    fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    fn blame(mut self, blame: impl Into<Blame>) -> Self {
        self.blame = Some(blame.into());
        self
    }

    fn sure(mut self, confidence: Confidence) -> Self {
        self.confidence = Some(confidence);
        self
    }

    fn likely(self) -> Self {
        self.sure(Confidence::Likely)
    }

    fn possible(self) -> Self {
        self.sure(Confidence::Possible)
    }

    fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// True of the flow, yet no reason for its failure.
    fn beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// Adds a frame of evidence.
    fn at(mut self, mark: Mark) -> Self {
        self.frames.push(mark.frame);
        self
    }

    /// What it is about, for its fingerprint.
    fn about(mut self, about: impl Into<String>) -> Self {
        self.scope.get_or_insert_default().about = about.into();
        self
    }

    /// Names the flows that it is about.
    fn of(mut self, flows: impl IntoIterator<Item = u64>) -> Self {
        self.scope.get_or_insert_default().flows.extend(flows);
        self
    }

    /// Adds a frame of evidence, when there is one.
    fn at_any(mut self, mark: Option<Mark>) -> Self {
        self.frames.extend(mark.map(|m| m.frame));
        self
    }
}

/// A rule of a table: code, severity, rank as a cause, title, page, check.
const fn new(
    code: &'static str,
    severity: Severity,
    rank: u8,
    title: &'static str,
    page: Page,
    check: fn(&FlowFacts, &Policy) -> Option<Hit>,
) -> Rule {
    Rule { code, severity, title, rank, guide: None, page, check: Check::Flow(check) }
}

/// A rule about a whole capture; it is never a flow's cause.
const fn wide(
    code: &'static str,
    severity: Severity,
    title: &'static str,
    page: Page,
    check: fn(&Memory, &Policy) -> Vec<Hit>,
) -> Rule {
    Rule { code, severity, title, rank: 0, guide: None, page, check: Check::Capture(check) }
}

/// The same for a row of the troubleshooting guide.
const fn guide(n: u8, rule: Rule) -> Rule {
    Rule { guide: Some(n), ..rule }
}

/// A page, its sections in order: what, why it matters, how sure, fix, how to verify, references.
const fn page(
    what: &'static str,
    why: &'static str,
    how_sure: &'static str,
    fix: &'static str,
    verify: &'static str,
    references: &'static str,
) -> Page {
    Page { what, why, how_sure, fix, verify, references }
}

/// A rule that holds for a flow (or, with `flows`, for several).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// The same for the same trouble in each run.
    pub fingerprint: Fingerprint,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// One line.
    pub title: String,
    /// With the values of the flow.
    pub detail: String,
    /// What to change.
    pub remedy: String,
    /// Whose side to look at.
    pub blame: Blame,
    /// Can be a flow's cause.
    pub explains_failure: bool,
    /// The evidence, in order, each frame once.
    pub frames: Vec<FrameNo>,
    /// Flows it speaks of, for findings about a whole capture; empty otherwise.
    pub flows: Vec<u64>,
}

/// What rules may be told from outside.
#[derive(Clone, Debug)]
pub struct Policy {
    /// A server certificate that ends within so many days of the capture is told.
    pub expiring_days: i64,
    /// What the user expects of servers.
    pub expect: Expectations,
    /// Trust anchors for the servers' chains; without them these are judged by shape and dates only.
    pub trust: Option<Arc<Trust>>,
    /// Trust anchors for the clients' chains.
    pub client_ca: Option<Arc<Trust>>,
    /// Certificates are judged at this time instead of that of their connection.
    pub at: Option<Timestamp>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { expiring_days: 30, expect: Expectations::default(), trust: None, client_ca: None, at: None }
    }
}

/// What the rules say of one flow.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// How the handshake went.
    pub outcome: Outcome,
    /// The finding that explains a failed or rejected flow.
    pub cause: Option<&'static str>,
    /// All findings, the cause first, then by severity.
    pub findings: Vec<Finding>,
}

/// The families, in the order of a connection's life.
const FAMILIES: &[&[Rule]] = &[
    capture::RULES,
    lookup::RULES,
    transport::RULES,
    wrong_protocol::RULES,
    proxy::RULES,
    hello::RULES,
    delivery::RULES,
    offer::RULES,
    post_quantum::RULES,
    negotiation::RULES,
    psk::RULES,
    peer_error::RULES,
    version::RULES,
    server_hello::RULES,
    server_extensions::RULES,
    retry::RULES,
    cipher::RULES,
    key_exchange::RULES,
    server_cert::RULES,
    cert_dates::RULES,
    signatures::RULES,
    cert_fields::RULES,
    cert_encoding::RULES,
    weak_rsa::RULES,
    chain::RULES,
    chain_list::RULES,
    chain_ca::RULES,
    revocation::RULES,
    status_check::RULES,
    client_auth::RULES,
    client_cert::RULES,
    ca_list::RULES,
    client_purpose::RULES,
    mesh::RULES,
    mesh::PLAIN,
    change_cipher_spec::RULES,
    vague::RULES,
    alert::RULES,
    ending::RULES,
    renegotiation::RULES,
    early_data::RULES,
    application::RULES,
    key_update::RULES,
    closing::RULES,
    malformed::RULES,
    policy::RULES,
    latency::RULES,
    stalls::RULES,
    sibling::RULES,
    resumption::RULES,
    pattern::RULES,
    fleet::RULES,
    inspection::RULES,
    inventory::RULES,
    baseline::RULES,
];

/// Families whose rules speak of connections without TLS too.
const BELOW_TLS: &[&[Rule]] = &[transport::RULES, wrong_protocol::RULES, proxy::RULES, mesh::PLAIN, policy::RULES];

/// All rules.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|f| f.iter())
}

/// The rule of a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    rules().find(|r| r.code == code)
}

/// Runs every rule over a flow.
pub fn diagnose(facts: &FlowFacts, policy: &Policy) -> Diagnosis {
    let mut hits: Vec<(&'static Rule, Finding)> = Vec::new();
    let families = if facts.is_tls() { FAMILIES } else { BELOW_TLS };
    for rule in families.iter().flat_map(|f| f.iter()) {
        if let Check::Flow(check) = rule.check
            && let Some(hit) = check(facts, policy)
        {
            hits.push((rule, finding(facts, rule, hit)));
        }
    }
    let mut diagnosis = cause::settle(facts, hits);
    sibling::add_evidence(facts, &mut diagnosis);
    diagnosis
}

/// Runs every rule about whole captures: what is true of several flows together, the worst first.
pub fn diagnose_capture(memory: &Memory, policy: &Policy) -> Vec<Finding> {
    let mut out = Vec::new();
    for rule in rules() {
        if let Check::Capture(check) = rule.check {
            out.extend(check(memory, policy).into_iter().map(|hit| capture_finding(rule, hit)));
        }
    }
    out.sort_by_key(|f| std::cmp::Reverse(f.severity));
    out
}

fn finding(facts: &FlowFacts, rule: &'static Rule, hit: Hit) -> Finding {
    let severity = hit.severity.unwrap_or(rule.severity);
    let about = hit.scope.as_ref().map_or("", |s| &s.about);
    let fingerprint = Fingerprint::of_flow(rule.code, severity, facts, about);
    build(rule, hit, fingerprint)
}

/// A finding about a whole capture.
fn capture_finding(rule: &'static Rule, hit: Hit) -> Finding {
    let severity = hit.severity.unwrap_or(rule.severity);
    let about = hit.scope.as_ref().map_or("", |s| &s.about);
    let fingerprint = Fingerprint::of_capture(rule.code, severity, about);
    build(rule, hit, fingerprint)
}

fn build(rule: &'static Rule, hit: Hit, fingerprint: Fingerprint) -> Finding {
    let mut frames = hit.frames;
    frames.sort_unstable();
    frames.dedup();
    let mut flows = hit.scope.map(|s| s.flows).unwrap_or_default();
    flows.sort_unstable();
    flows.dedup();
    Finding {
        code: rule.code,
        fingerprint,
        severity: hit.severity.unwrap_or(rule.severity),
        confidence: hit.confidence.unwrap_or(Confidence::Certain),
        title: hit.title.unwrap_or_else(|| rule.title.to_owned()),
        detail: hit.detail,
        remedy: hit.remedy,
        blame: hit.blame.unwrap_or(Blame::Either),
        explains_failure: rule.rank > 0 && !hit.beside,
        frames,
        flows,
    }
}

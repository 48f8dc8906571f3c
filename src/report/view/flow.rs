//! One flow as a report shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analyzer::FlowReport;
use crate::facts::{FlowFacts, Outcome, Seen};
use crate::flow::{Endpoint, Mark};
use crate::span::{Pair, Role};
use crate::text::escape_bytes;
use crate::tls::names::{CipherSuite, NamedGroup, ProtocolVersion};

use super::auth::ClientAuth;
use super::certificate::{Certificate, OcspStaple, Written};
use super::finding::Finding;
use super::hello::{ClientHello, Fingerprints, ServerHello};
use super::ids;
use super::message::{Alert, EndedBy, Gap, Message, Messages, PerRole, Records};
use super::value::{Code, Time};

/// One TLS, DTLS or QUIC connection, or one without TLS (`protocol` is `none`) that a finding is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Flow<'a> {
    /// 1-based, by first frame, with gaps.
    pub id: u64,
    /// A name that no other flow has, in this file or another.
    pub uid: String,
    /// Index into `sources`.
    pub source: usize,
    /// Community ID, version 1.
    pub community_id: String,
    /// `tcp` or `udp`.
    pub transport: &'static str,
    /// `ssl2`, `tls`, `dtls`, `quic` or `none`.
    pub protocol: &'static str,
    /// Who sent the first ClientHello.
    pub client: End,
    /// Who answers it.
    pub server: End,
    /// Tags and tunnels around it, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub encapsulation: Vec<String>,
    /// How TLS began when not at the first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<&'static str>,
    /// Its first frame.
    pub first_frame: u64,
    /// Its last frame.
    pub last_frame: u64,
    /// Time of the first frame.
    pub first_time: Time,
    /// From first to last frame.
    pub duration_us: u64,
    /// Packets captured, by sender.
    pub packets: PerRole<u64>,
    /// Payload bytes captured, by sender, retransmissions included.
    pub bytes: PerRole<u64>,
    /// Bytes that the capture lacks, by frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Entries beyond the caps, by list.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub omitted: BTreeMap<&'static str, u64>,
    /// False where the flow is still open and will be reported again (live captures only).
    #[serde(rename = "final")]
    pub is_final: bool,

    /// `established`, `failed`, `rejected` or `incomplete`.
    pub outcome: &'static str,
    /// The code of the finding that explains a failed or rejected flow.
    pub cause: Option<&'static str>,
    /// What ended it; absent while open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<EndedBy>,
    /// The furthest point reached.
    pub phase: &'static str,
    /// The negotiated version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Code<ProtocolVersion>>,
    /// The negotiated cipher suite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<Code<CipherSuite>>,
    /// The key exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_exchange: Option<KeyExchange>,
    /// The selected application protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpn: Option<Cow<'a, str>>,
    /// A session id, ticket or pre-shared key was accepted; absent where that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
    /// `accepted`, `rejected` or `offered` (what became of it is not known); absent where none was offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_data: Option<&'static str>,
    /// There was a HelloRetryRequest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hello_retry: Option<bool>,
    /// The ServerHello supports secure renegotiation (RFC 5746); absent in TLS 1.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_renegotiation: Option<bool>,

    /// The first ClientHello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_hello: Option<ClientHello<'a>>,
    /// The first ServerHello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_hello: Option<ServerHello<'a>>,
    /// Client authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth<'a>>,
    /// Certificates in clear, leaf first; a side whose certificates cannot be known is absent.
    #[serde(skip_serializing_if = "Certificates::is_unknown")]
    pub certificates: Certificates<'a>,
    /// The stapled OCSP response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ocsp_staple: Option<OcspStaple>,
    /// Fingerprints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprints: Option<Fingerprints>,
    /// Handshake messages, change_cipher_spec, alerts and heartbeats, in wire order.
    #[schemars(with = "Vec<Message>")]
    pub messages: Messages<'a>,
    /// Alerts, in wire order.
    pub alerts: Vec<Alert>,
    /// Protected records, by sender.
    pub encrypted_records: PerRole<Records>,
    /// Durations.
    pub timing: Timing,
    /// `none`, `keylog`, `rsa_key` or `failed`.
    pub decryption: &'static str,
    /// What is wrong or worth knowing: the cause first, then by severity.
    pub findings: Vec<Finding<'a>>,
}

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct End {
    /// The innermost address; IPv6 as RFC 5952 has it.
    #[schemars(with = "String")]
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

impl From<Endpoint> for End {
    fn from(e: Endpoint) -> Self {
        Self { ip: e.ip, port: e.port }
    }
}

/// The key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyExchange {
    /// Its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Code<NamedGroup>>,
    /// The group withstands a quantum computer.
    pub post_quantum: bool,
    /// Bits of the prime where the group is not named (DHE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dh_bits: Option<u32>,
}

/// The certificates of both sides.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Certificates<'a> {
    /// The server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Certificate>>")]
    pub server: Option<Vec<Written<'a>>>,
    /// The client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Certificate>>")]
    pub client: Option<Vec<Written<'a>>>,
}

impl<'a> Certificates<'a> {
    fn new(facts: &'a FlowFacts) -> Self {
        let of = |role| match facts.certificates(role) {
            Seen::Yes(c) => Some(c.chain.iter().map(|c| Written(c)).collect()),
            Seen::No => Some(Vec::new()),
            Seen::Unknown(_) => None,
        };
        if !facts.is_tls() {
            return Self::default();
        }
        Self { server: of(Role::Server), client: of(Role::Client) }
    }

    fn is_unknown(&self) -> bool {
        self.server.is_none() && self.client.is_none()
    }
}

/// Durations of a handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timing {
    /// From the first SYN to the first SYN-ACK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_connect_us: Option<u64>,
    /// From the first ClientHello to the ServerHello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_hello_to_server_hello_us: Option<u64>,
    /// From the ServerHello to the client's Finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_hello_to_client_finish_us: Option<u64>,
    /// From the first ClientHello to the last message that completes the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_us: Option<u64>,
}

impl Timing {
    fn new(facts: &FlowFacts) -> Self {
        let opener = facts.tcp.opener();
        let syn = opener.and_then(|o| facts.tcp.syn[o]);
        let answer = opener.and_then(|o| facts.tcp.syn_ack[o.other()]);
        let hello = facts.client_hello.as_ref().map(|h| h.mark);
        let reply = facts.server_hello.as_ref().map(|h| h.mark);
        let finish = |role: Role| {
            let s = facts.of(role);
            if facts.is_tls13() { s.finished_sized } else { s.ccs.and(s.after_ccs) }
        };
        let client = finish(Role::Client);
        // In TLS 1.3 the client's Finished is the last message; without keys only the client's record is known to be it.
        let last = if facts.is_tls13() { client } else { later(client, finish(Role::Server)) };
        Self {
            tcp_connect_us: FlowFacts::duration_us(syn.map(|s| s.first), answer.map(|s| s.first)),
            client_hello_to_server_hello_us: FlowFacts::duration_us(hello, reply),
            server_hello_to_client_finish_us: FlowFacts::duration_us(reply, client),
            handshake_us: if facts.is_complete() { FlowFacts::duration_us(hello, last) } else { None },
        }
    }
}

fn later(a: Option<Mark>, b: Option<Mark>) -> Option<Mark> {
    Some(if a?.frame >= b?.frame { a? } else { b? })
}

impl<'a> Flow<'a> {
    /// As a report shows it.
    pub fn from_report(report: &'a FlowReport) -> Self {
        let facts = &report.facts;
        let outcome = report.diagnosis.outcome;
        let failed = matches!(outcome, Outcome::Failed | Outcome::Rejected);
        let per_role =
            |n: &Pair<u64>| PerRole { client: n[facts.side(Role::Client)], server: n[facts.side(Role::Server)] };
        let tls12 = facts.server_hello.as_ref().filter(|h| !facts.is_tls13() && !h.message.ssl2_format);
        let hello = facts.server_hello.as_ref().or(facts.hello_retry.as_ref());
        Self {
            id: facts.id,
            uid: ids::uid(facts),
            source: facts.source,
            community_id: ids::community_id(facts.ends.a, facts.ends.b, ids::TCP),
            transport: "tcp",
            protocol: protocol(facts),
            client: facts.end(Role::Client).into(),
            server: facts.end(Role::Server).into(),
            encapsulation: facts.vlans.iter().map(|v| format!("vlan {v}")).collect(),
            upgrade: None,
            first_frame: facts.first.frame.0,
            last_frame: facts.last.frame.0,
            first_time: Time(facts.first.time),
            duration_us: facts.last.time.us_since(facts.first.time),
            packets: per_role(&facts.tcp.packets),
            bytes: per_role(&facts.tcp.bytes),
            gaps: Gap::list(facts),
            omitted: omitted(facts),
            is_final: !facts.is_open,
            outcome: outcome.name(),
            cause: report.diagnosis.cause.filter(|_| failed),
            ended_by: facts.ended_by().map(|e| EndedBy {
                from: e.role.name(),
                how: e.how.name(),
                frame: e.mark.frame.0,
            }),
            phase: facts.phase().name(),
            version: facts.version().map(Code),
            cipher_suite: cipher_suite(facts).map(Code),
            key_exchange: key_exchange(facts),
            alpn: facts.server_hello.as_ref().and_then(|h| h.message.extensions.alpn.first()).map(|p| escape_bytes(p)),
            resumed: facts.resumed(),
            early_data: facts.early_data().map(|c| c.value.name()),
            hello_retry: hello_retry(facts, outcome),
            secure_renegotiation: tls12.map(|h| h.message.extensions.renegotiation_info.is_some()),
            client_hello: facts.client_hello.as_ref().map(|h| ClientHello::new(h)),
            server_hello: hello.map(|h| ServerHello::new(h)),
            client_auth: ClientAuth::new(facts, outcome),
            certificates: Certificates::new(facts),
            ocsp_staple: ocsp_staple(facts),
            fingerprints: Fingerprints::new(facts),
            messages: Messages(facts),
            alerts: Alert::list(facts),
            encrypted_records: PerRole {
                client: facts.of(Role::Client).encrypted.into(),
                server: facts.of(Role::Server).encrypted.into(),
            },
            timing: Timing::new(facts),
            decryption: "none",
            findings: report.diagnosis.findings.iter().map(Finding::new).collect(),
        }
    }
}

/// The word of `protocol`.
pub(crate) fn protocol(facts: &FlowFacts) -> &'static str {
    let server = facts.server_hello.as_ref().map(|h| h.message.ssl2_format);
    let client = facts.client_hello.as_ref().map(|h| &h.message);
    let only_ssl2 = client.is_some_and(|h| h.ssl2_format && ProtocolVersion(h.legacy_version) == ProtocolVersion::SSL2);
    match server {
        _ if !facts.is_tls() => "none",
        Some(true) => "ssl2",
        None if only_ssl2 => "ssl2",
        _ => "tls",
    }
}

/// The suite; SSL 2.0's ServerHello only offers some.
pub(crate) fn cipher_suite(facts: &FlowFacts) -> Option<CipherSuite> {
    facts.cipher_suite().filter(|_| facts.server_hello.as_ref().is_some_and(|h| !h.message.ssl2_format))
}

fn key_exchange(facts: &FlowFacts) -> Option<KeyExchange> {
    let group = facts.group();
    let dh_bits = facts.server_key_exchange.as_ref().and_then(|(_, k)| k.dh_bits);
    if group.is_none() && dh_bits.is_none() {
        return None;
    }
    Some(KeyExchange { group: group.map(Code), post_quantum: group.is_some_and(NamedGroup::is_post_quantum), dh_bits })
}

fn hello_retry(facts: &FlowFacts, outcome: Outcome) -> Option<bool> {
    if facts.hello_retry.is_some() {
        return Some(true);
    }
    let seen = facts.server_hello.is_some() || (facts.is_tls() && outcome == Outcome::Failed);
    seen.then_some(false)
}

fn ocsp_staple(facts: &FlowFacts) -> Option<OcspStaple> {
    let leaf = facts.of(Role::Server).certificates.as_ref().and_then(|c| c.chain.first());
    facts.ocsp.as_ref().map(|r| OcspStaple::new(r, leaf.map(|c| c.serial.as_str())))
}

fn omitted(facts: &FlowFacts) -> BTreeMap<&'static str, u64> {
    let mut out = facts.omitted.clone();
    let mut add = |list: &'static str, n: u64| {
        if n > 0 {
            let sum = out.entry(list).or_insert(0);
            *sum = sum.saturating_add(n);
        }
    };
    for side in &facts.sides {
        add("gaps", side.gaps_omitted);
        add("certificates", side.certificates.as_ref().map_or(0, |c| c.omitted as u64));
    }
    add("acceptable_cas", facts.certificate_request.as_ref().map_or(0, |r| r.omitted as u64));
    out
}

//! One flow's events folded into what is known, what is absent, and what cannot be known.
//!
//! [`FlowFacts`] is written by [`collect`](self) while the flow lives and closed by [`FlowFacts::close`]; rules and
//! reports read it. Lists are capped; what did not fit is counted.

mod client_auth;
mod collect;
mod expected;
mod inferred;
mod outcome;
mod seen;
mod transcript;
mod sibling;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use crate::flow::{Conflict, Endpoint, Endpoints, Gap, Mark, Pace, TcpFacts};
use crate::span::{FrameNo, Pair, Role, Side, Timestamp};
use crate::tls::handshake::{ClientHello, NewSessionTicket, ServerHello, ServerKeyExchange};
use crate::tls::names::{
    AlertDescription, AlertLevel, CipherSuite, ContentType, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme,
};
use crate::tls::{Anomaly, Start};
use crate::upgrade::Plain;
use crate::x509::{Certificate, Chain, OcspResponse, broken_link, judge_chain};

pub use client_auth::{ClientAuth, ClientCertificate};
pub use collect::Collector;
pub use expected::Expected;
pub use inferred::{Answer, Claim, Confidence, EarlyData, Inferred, PostHandshake, Step, Verdict};
pub use outcome::{EndedBy, How, Outcome, Phase};
pub use seen::{Seen, Why};
pub use sibling::{Leaf, Offer, Rare, SameClock, Sibling, Siblings};
pub(crate) use transcript::Transcript;

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Read in clear.
    Observed,
    /// Read after decryption.
    Decrypted,
    /// Concluded from the shape of what is protected.
    Inferred,
}

impl Basis {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Decrypted => "decrypted",
            Self::Inferred => "inferred",
        }
    }
}

/// One step of the handshake, as the ladder shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFact {
    /// When it was complete.
    pub mark: Mark,
    /// Who sent it.
    pub side: Side,
    /// Type of the record that carried it.
    pub record: ContentType,
    /// What it is.
    pub kind: MessageKind,
    /// Bytes of its body.
    pub length: usize,
    /// Where the claim comes from.
    pub basis: Basis,
    /// Frames with a byte of it, when there are several.
    pub frames: SmallVec<[FrameNo; 2]>,
}

/// What a step of the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A handshake message.
    Handshake(HandshakeType),
    /// A HelloRetryRequest, which has the type of a ServerHello.
    HelloRetryRequest,
    /// A ClientHello in SSL 2.0's format.
    Ssl2ClientHello,
    /// SSL 2.0's SERVER-HELLO.
    Ssl2ServerHello,
    /// A change_cipher_spec.
    ChangeCipherSpec,
    /// An alert; no description when it is protected.
    Alert(AlertLevel, Option<AlertDescription>),
    /// A heartbeat message: type 1 request, 2 response; its type is not known when it is protected.
    Heartbeat(Option<u8>),
    /// A protected handshake record whose content is not known.
    EncryptedHandshake,
}

/// An alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertFact {
    /// When.
    pub mark: Mark,
    /// Who sent it.
    pub side: Side,
    /// Its level and description; `None` when it is protected.
    pub said: Option<(AlertLevel, AlertDescription)>,
    /// Where the claim comes from.
    pub basis: Basis,
}

/// A hello and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The message.
    pub message: T,
    /// When it was complete.
    pub mark: Mark,
    /// Who sent it.
    pub side: Side,
    /// Every frame with a byte of it.
    pub frames: SmallVec<[FrameNo; 2]>,
}

/// A side's certificates as sent, leaf first; empty for a Certificate message without one.
#[derive(Clone, Debug)]
pub struct ChainFact {
    /// The certificates.
    pub chain: Vec<Arc<Certificate>>,
    /// Certificates beyond what is listed.
    pub omitted: usize,
    /// When the message was complete.
    pub mark: Mark,
    /// How they relate, once somebody asked.
    relations: OnceLock<Box<Chain>>,
    /// The signature that does not verify, once somebody asked.
    broken: OnceLock<Option<(usize, usize)>>,
}

impl ChainFact {
    /// Of the certificates as sent.
    pub fn new(chain: Vec<Arc<Certificate>>, omitted: usize, mark: Mark) -> Self {
        Self { chain, omitted, mark, relations: OnceLock::new(), broken: OnceLock::new() }
    }

    /// How the certificates relate.
    pub fn relations(&self) -> &Chain {
        self.relations.get_or_init(|| Box::new(judge_chain(&self.chain)))
    }

    /// The certificate that is not signed by the one sent with it as its issuer, and that one: see
    /// [`broken_link`]. Costs some signature verifications.
    pub fn broken_link(&self) -> Option<(usize, usize)> {
        *self.broken.get_or_init(|| broken_link(&self.chain, self.relations()))
    }

    /// The end-entity certificate.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.get(self.relations().leaf).or_else(|| self.chain.first()).map(AsRef::as_ref)
    }
}

/// What was signed and the signature: the parameters of a key exchange (RFC 5246, section 7.4.3, there with both
/// randoms before them), or the handshake's messages (section 7.4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The bytes as sent.
    pub params: Box<[u8]>,
    /// The signature.
    pub signature: Box<[u8]>,
}

/// What a CertificateRequest asked for.
#[derive(Clone, Debug, Default)]
pub struct CertificateRequestFact {
    /// `certificate_types`.
    pub types: Vec<u8>,
    /// Signature schemes.
    pub signature_schemes: Vec<u16>,
    /// Acceptable CAs, RFC 4514, in wire order.
    pub authorities: Vec<String>,
    /// Their DER, for comparison.
    pub authorities_raw: Vec<Box<[u8]>>,
    /// CAs beyond what is listed.
    pub omitted: usize,
    /// When the message was complete.
    pub mark: Mark,
}

/// A protected record of the handshake phase: what an observer without keys has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// When it was complete.
    pub mark: Mark,
    /// Who sent it.
    pub side: Side,
    /// Outer content type.
    pub content_type: ContentType,
    /// Length of its body.
    pub len: u16,
}

/// A heartbeat message in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatFact {
    /// When.
    pub mark: Mark,
    /// Who sent it.
    pub side: Side,
    /// 1 request, 2 response.
    pub kind: u8,
    /// The payload length it claims.
    pub claimed: usize,
    /// The bytes it really has behind its header.
    pub room: usize,
}

/// Number and bytes of protected records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records.
    pub records: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// What one side's bytes were like.
#[derive(Clone, Debug, Default)]
pub struct SideFacts {
    /// How its bytes begin, and where.
    pub start: Option<(Start, Mark)>,
    /// What it spoke before TLS began in mid-stream.
    pub upgraded_from: Option<Plain>,
    /// Its change_cipher_spec.
    pub ccs: Option<Mark>,
    /// First record after its change_cipher_spec (TLS 1.2 and before: its Finished).
    pub after_ccs: Option<Mark>,
    /// Protected records (for TLS 1.3 from the ServerHello on), all of them.
    pub encrypted: Totals,
    /// Those behind the handshake that have the size of a KeyUpdate (TLS 1.3: five bytes, a type and a tag).
    pub key_update_sized: u64,
    /// The first protected application_data record after the ServerHello, and the first one long enough for a Finished.
    pub protected: Option<Mark>,
    /// See `protected`.
    pub finished_sized: Option<Mark>,
    /// Application data (TLS 1.2 and before) or protected records behind the handshake.
    pub application_data: Option<Mark>,
    /// Last protected record: outer type and length.
    pub last_record: Option<(ContentType, u16, Mark)>,
    /// Its certificates.
    pub certificates: Option<ChainFact>,
    /// It sent a raw public key (RFC 7250) instead of certificates.
    pub raw_public_key: Option<Mark>,
    /// Its CertificateVerify.
    pub certificate_verify: Option<(Mark, Option<SignatureScheme>)>,
    /// Holes, capped.
    pub gaps: Vec<Gap>,
    /// Holes beyond the cap.
    pub gaps_omitted: u64,
    /// A hole before the handshake was over.
    pub handshake_gap: bool,
    /// Its beginning was not captured.
    pub mid_stream: bool,
    /// Nothing more of it could be read from here on.
    pub unreadable: Option<Mark>,
    /// Conflicting retransmissions.
    pub conflicts: Vec<Conflict>,
    /// Segments with bytes already seen, and segments that came too early.
    pub retransmitted: u32,
    /// See `retransmitted`.
    pub reordered: u32,
    /// Its stream begins with its SYN.
    pub saw_syn: bool,
}

impl SideFacts {
    /// Its Certificate message was seen, whatever it holds.
    pub fn has_answered(&self) -> bool {
        self.certificates.is_some() || self.raw_public_key.is_some()
    }
}

/// Everything that is known of one flow.
#[derive(Clone, Debug)]
pub struct FlowFacts {
    /// 1-based, by first frame.
    pub id: u64,
    /// Index of the input it came from.
    pub source: usize,
    /// Both ends.
    pub ends: Endpoints,
    /// VLAN tags, outermost first.
    pub vlans: SmallVec<[u16; 2]>,
    /// First and last packet.
    pub first: Mark,
    /// See `first`.
    pub last: Mark,
    /// Hash of the first payload bytes (FNV-1a, stable over versions), for the report's `uid`.
    pub first_bytes: u64,
    /// What the TCP headers said.
    pub tcp: TcpFacts,
    /// How the segments of both sides flowed until the handshake was over.
    pub pace: Pair<Pace>,
    /// What each side said, by [`Side`].
    pub sides: Pair<SideFacts>,
    /// Certificates are judged at this time instead of the connection's.
    pub judge_at: Option<Timestamp>,
    /// The first ClientHello.
    pub client_hello: Option<Box<Placed<ClientHello>>>,
    /// Records that carried it.
    pub client_hello_records: u32,
    /// ClientHellos seen, all of them.
    pub client_hellos: u32,
    /// The second ClientHello, when its server name or offer differs from the first's.
    pub second_hello: Option<Box<Placed<ClientHello>>>,
    /// The first ServerHello that is no HelloRetryRequest.
    pub server_hello: Option<Box<Placed<ServerHello>>>,
    /// The first HelloRetryRequest.
    pub hello_retry: Option<Box<Placed<ServerHello>>>,
    /// How many HelloRetryRequests there were.
    pub hello_retries: u32,
    /// ServerKeyExchange.
    pub server_key_exchange: Option<(Mark, ServerKeyExchange)>,
    /// What the server signed in it (its parameters), and the signature.
    pub server_signed: Option<Box<Signed>>,
    /// What the client signed in its CertificateVerify (TLS 1.2: all messages before it), and the signature; dropped
    /// when the server has accepted it.
    pub client_signed: Option<Box<Signed>>,
    /// The handshake's messages so far, while a CertificateVerify may follow.
    pub(crate) transcript: Option<Box<Transcript>>,
    /// The first CertificateRequest.
    pub certificate_request: Option<Box<CertificateRequestFact>>,
    /// ServerHelloDone.
    pub server_hello_done: Option<Mark>,
    /// ClientKeyExchange.
    pub client_key_exchange: Option<Mark>,
    /// NewSessionTicket in clear (TLS 1.2 and before).
    pub ticket: Option<(Mark, NewSessionTicket)>,
    /// Stapled OCSP response.
    pub ocsp: Option<Box<OcspResponse>>,
    /// The handshake's steps in wire order, capped.
    pub messages: Vec<MessageFact>,
    /// Alerts, capped.
    pub alerts: Vec<AlertFact>,
    /// Protected records of the handshake phase, capped.
    pub shapes: Vec<Shape>,
    /// Heartbeats in clear, capped.
    pub heartbeats: Vec<HeartbeatFact>,
    /// Oddities of the bytes, capped.
    pub anomalies: Vec<(Side, Anomaly)>,
    /// What the shapes of protected records say (TLS 1.3), once the flow is over.
    pub inferred: Option<Box<Inferred>>,
    /// Entries beyond the lists' caps, by list.
    pub omitted: BTreeMap<&'static str, u64>,
    /// The input ended before the connection did.
    pub cut_by_end: bool,
    /// The input itself is damaged or cut.
    pub source_damaged: bool,
    /// The flow was dropped because too many were open.
    pub evicted: bool,
    /// While its handshake went on the capture lost packets, of this flow or of others.
    pub packets_lost: bool,
    /// It goes on and will be reported again (live captures).
    pub is_open: bool,
    /// What flows that ended before this one say about it.
    pub siblings: Siblings,
    /// What a policy says by names, where these have been replaced since.
    pub ruling: Option<Box<Ruling>>,
}

/// What a policy decides by addresses and names: found out before they are replaced, and true of the flow behind the new ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// Index of the section of the policy that the flow meets.
    pub section: Option<usize>,
    /// The issuer of the server's certificate is one of those that are required.
    pub issuer_allowed: bool,
}

impl FlowFacts {
    /// The side that is the client: who sent the first ClientHello; else who a message that one side only sends points
    /// to; else who opened the connection; else the one with the higher port.
    pub fn client(&self) -> Side {
        if let Some(h) = &self.client_hello {
            return h.side;
        }
        if let Some(h) = self.server_hello.as_ref().or(self.hello_retry.as_ref()) {
            return h.side.other();
        }
        let by_message = self.messages.iter().find_map(|m| match m.kind {
            MessageKind::Handshake(
                HandshakeType::HELLO_REQUEST
                | HandshakeType::SERVER_HELLO
                | HandshakeType::NEW_SESSION_TICKET
                | HandshakeType::SERVER_KEY_EXCHANGE
                | HandshakeType::CERTIFICATE_REQUEST
                | HandshakeType::SERVER_HELLO_DONE
                | HandshakeType::CERTIFICATE_STATUS,
            ) => Some(m.side.other()),
            MessageKind::Handshake(HandshakeType::CLIENT_KEY_EXCHANGE) => Some(m.side),
            _ => None,
        });
        by_message.or_else(|| self.tcp.opener()).unwrap_or(if self.ends.b.port > self.ends.a.port {
            Side::B
        } else {
            Side::A
        })
    }

    /// The side that plays a role.
    pub fn side(&self, role: Role) -> Side {
        match role {
            Role::Client => self.client(),
            Role::Server => self.client().other(),
        }
    }

    /// The role that a side plays.
    pub fn role(&self, side: Side) -> Role {
        if side == self.client() { Role::Client } else { Role::Server }
    }

    /// Address and port of a role.
    pub fn end(&self, role: Role) -> Endpoint {
        self.ends.of(self.side(role))
    }

    /// What a role's side was like.
    pub fn of(&self, role: Role) -> &SideFacts {
        &self.sides[self.side(role)]
    }

    /// The first FIN or RST of a role.
    pub fn fin(&self, role: Role) -> Option<Mark> {
        self.tcp.fin[self.side(role)]
    }

    /// The first RST of a role.
    pub fn rst(&self, role: Role) -> Option<Mark> {
        self.tcp.rst[self.side(role)]
    }

    /// The negotiated version.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.server_hello.as_ref().map(|h| h.message.version())
    }

    /// TLS 1.3 or a draft of it was negotiated (or a HelloRetryRequest sent, which exists there only).
    pub fn is_tls13(&self) -> bool {
        match self.version() {
            Some(v) => v.is_tls13_or_draft(),
            None => self.hello_retry.is_some(),
        }
    }

    /// The negotiated cipher suite.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.server_hello.as_ref().map(|h| CipherSuite(h.message.cipher_suite))
    }

    /// The group of the key exchange: the ServerHello's key share, or ServerKeyExchange's curve.
    pub fn group(&self) -> Option<NamedGroup> {
        let share = self.server_hello.as_ref().and_then(|h| h.message.extensions.key_shares.first().copied());
        share.map(NamedGroup).or_else(|| self.server_key_exchange.and_then(|(_, k)| k.group))
    }

    /// The server name that the client asked for.
    pub fn server_name(&self) -> Option<&[u8]> {
        self.client_hello.as_ref().and_then(|h| h.message.extensions.host_name()).filter(|n| !n.is_empty())
    }

    /// TLS of some kind was seen.
    pub fn is_tls(&self) -> bool {
        self.sides.iter().any(|s| matches!(s.start, Some((Start::Tls | Start::Ssl2, _))))
    }

    /// The highest version that the client offered.
    pub fn highest_offered(&self) -> Option<ProtocolVersion> {
        let h = &self.client_hello.as_ref()?.message;
        let versions = h.extensions.supported_versions.iter().copied().map(ProtocolVersion);
        versions.filter(|v| v.rank().is_some()).max_by_key(|v| v.rank()).or(Some(ProtocolVersion(h.legacy_version)))
    }

    /// Bytes of the client's stream up to the end of its first ClientHello, when its beginning was seen and TLS began with
    /// the first byte: what the server must acknowledge to have all of it.
    pub fn client_hello_end(&self) -> Option<u64> {
        let h = self.client_hello.as_ref().filter(|h| self.sides[h.side].upgraded_from.is_none())?;
        let header = if h.message.ssl2_format { 2 } else { u64::from(self.client_hello_records).saturating_mul(5) };
        let message = if h.message.ssl2_format { 0 } else { 4 };
        self.sides[h.side].saw_syn.then(|| header.saturating_add(message).saturating_add(h.message.length as u64))
    }

    /// Why something that a side said in clear before its handshake was over might not have been seen; `None` when all of
    /// it could be.
    pub fn blind(&self, role: Role) -> Option<Why> {
        let s = self.of(role);
        let other = self.side(role.other());
        if self.tcp.packets[self.side(role)] == 0 {
            Some(Why::OneSided)
        } else if self.packets_lost {
            Some(Why::Gap)
        } else if s.handshake_gap {
            Some(if s.gaps.iter().any(|g| g.reason == crate::flow::GapReason::Snaplen) {
                Why::Truncated
            } else {
                Why::Gap
            })
        } else if s.mid_stream {
            Some(Why::MidStream)
        } else if s.unreadable.is_some() || self.evicted {
            Some(Why::Limit)
        } else if self.tcp.packets[other] == 0 {
            Some(Why::OneSided)
        } else {
            None
        }
    }

    /// The certificates that a role sent.
    pub fn certificates(&self, role: Role) -> Seen<&ChainFact> {
        if let Some(c) = &self.of(role).certificates {
            return Seen::Yes(c);
        }
        if self.is_tls13() {
            return Seen::Unknown(Why::Encrypted);
        }
        match self.blind(role) {
            Some(why) => Seen::Unknown(why),
            None if self.server_hello.is_none() || (!self.is_complete() && self.cut_by_end) => {
                Seen::Unknown(Why::NotYet)
            }
            None => Seen::No,
        }
    }

    /// The CertificateRequest.
    pub fn certificate_requested(&self) -> Seen<&CertificateRequestFact> {
        if let Some(r) = &self.certificate_request {
            return Seen::Yes(r);
        }
        if self.resumed() == Some(true) {
            return Seen::No;
        }
        if self.is_tls13() {
            return Seen::Unknown(Why::Encrypted);
        }
        match self.blind(Role::Server) {
            Some(why) => Seen::Unknown(why),
            // It comes before ServerHelloDone or not at all.
            None if self.server_hello_done.is_some() => Seen::No,
            None => Seen::Unknown(Why::NotYet),
        }
    }

    /// A stapled OCSP response (RFC 6066, section 8); it stands between Certificate and ServerHelloDone or not at all.
    pub fn stapled(&self) -> Seen<Mark> {
        let status = |m: &&MessageFact| m.kind == MessageKind::Handshake(HandshakeType::CERTIFICATE_STATUS);
        if let Some(m) = self.messages.iter().find(status) {
            return Seen::Yes(m.mark);
        }
        if self.is_tls13() {
            return Seen::Unknown(Why::Encrypted);
        }
        match self.blind(Role::Server) {
            Some(why) => Seen::Unknown(why),
            None if self.server_hello_done.is_some() => Seen::No,
            None => Seen::Unknown(Why::NotYet),
        }
    }

    /// Time from `a` to `b`, when both are known.
    pub fn duration_us(a: Option<Mark>, b: Option<Mark>) -> Option<u64> {
        Some(b?.time.us_since(a?.time))
    }

    /// The time after which a packet that the capture lost says nothing about the handshake any more: `now`, while it goes on.
    pub fn doubtful_until(&self, now: Timestamp) -> Timestamp {
        if !self.is_complete() {
            return now;
        }
        let ends = self.sides.iter().filter_map(|s| if self.is_tls13() { s.finished_sized } else { s.after_ccs });
        let end = ends.map(|m| m.time).max().unwrap_or(now);
        // A refusal of the client follows its Finished at once.
        Timestamp(end.0.saturating_add(1_000_000_000)).min(now)
    }

    /// The time by which certificates are judged: one that was asked for, else that of the flow.
    pub fn judged_at(&self) -> Timestamp {
        self.judge_at.unwrap_or(self.first.time)
    }
}

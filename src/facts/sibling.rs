//! What one flow knows of others: plain values, written by the memory of flows before a flow is diagnosed.

use std::sync::Arc;

use super::Outcome;
use crate::flow::Endpoint;
use crate::span::Timestamp;
use crate::tls::handshake::ClientHello;
use crate::tls::names::{self, CipherSuite, NamedGroup, ProtocolVersion};

/// What flows that ended before a flow say about it. "The same server" is the same address and port.
#[derive(Clone, Debug, Default)]
pub struct Siblings {
    /// The latest flow that the same server accepted with another offer; one for the same server name before others.
    pub accepted: Option<Arc<Sibling>>,
    /// The latest flow of the same client's address to the same server.
    pub before: Option<Arc<Sibling>>,
    /// The latest flow to the same server without a server name, in which it showed its certificate.
    pub unnamed: Option<Arc<Sibling>>,
    /// The latest full handshake in which the same server asked for a client certificate.
    pub requested: Option<Arc<Sibling>>,
    /// The latest flow in which the same server accepted a client's certificate.
    pub client_accepted: Option<Arc<Sibling>>,
    /// The latest flow in which the same client's address showed a certificate, to whichever server.
    pub client_showed: Option<Arc<Sibling>>,
    /// The only client certificate in clear that has as many bytes as the hidden one of this flow (TLS 1.3).
    pub client_leaf: Option<Arc<Leaf>>,
    /// The full handshake whose session (its id or ticket, in clear before TLS 1.3) this flow asks to resume.
    pub session: Option<Arc<Sibling>>,
    /// An earlier flow that offered the same TLS 1.3 ticket.
    pub ticket_used: Option<u64>,
    /// An earlier flow in which the same server used the same public key for its ephemeral key exchange.
    pub key_reused: Option<u64>,
    /// An earlier flow that is this very connection, captured at another point.
    pub twin: Option<Arc<Sibling>>,
    /// An earlier flow, another connection, with the same random in its ClientHello.
    pub random_reused: Option<Arc<Sibling>>,
    /// What few flows have, kept apart so that all others stay small.
    pub rare: Option<Box<Rare>>,
}

/// What is seldom known of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rare {
    /// The latest flow that began with a PROXY protocol header and that the same server answered with a ServerHello; none
    /// when it has answered one without a header too.
    pub with_header: Option<Arc<Sibling>>,
    /// The latest handshake with the same server that succeeded and in which the client offered a protocol of Istio's proxies;
    /// none when it has answered plain text too.
    pub meshed: Option<Arc<Sibling>>,
    /// The latest flow in which the same server seems to have asked for a certificate after the handshake (TLS 1.3).
    pub asked_later: Option<Arc<Sibling>>,
    /// Earlier flows of the same client's address whose ClientHello differs from the capture's clock by as much as this one's.
    pub same_clock: Option<SameClock>,
    /// The configurations (`config_id`) for which the same client's address encrypted its ClientHello to the same server name
    /// within the last minutes, and the flows.
    pub ech_configs: Vec<(u8, u64)>,
}

/// Seconds in the randoms of ClientHellos (`gmt_unix_time`, RFC 5246, section 7.4.1.2) of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameClock {
    /// By how many seconds the client's clock is ahead of the capture's.
    pub ahead: i64,
    /// The flows that agree, besides this one.
    pub flows: Vec<u64>,
    /// Seconds between the first of all of them and the last.
    pub span: i64,
}

/// What is remembered of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// Its id.
    pub id: u64,
    /// The input it came from.
    pub source: usize,
    /// Its client.
    pub client: Endpoint,
    /// Its server.
    pub server: Endpoint,
    /// Its first packet.
    pub first: Timestamp,
    /// Its last packet.
    pub last: Timestamp,
    /// How its handshake went.
    pub outcome: Outcome,
    /// The code that explains why it failed or was rejected.
    pub cause: Option<&'static str>,
    /// Its server refused the ClientHello: with an alert, or by closing.
    pub hello_refused: bool,
    /// What its client offered.
    pub offer: Option<Arc<Offer>>,
    /// Bytes of its ClientHello.
    pub hello_len: usize,
    /// The negotiated version.
    pub version: Option<ProtocolVersion>,
    /// The negotiated cipher suite.
    pub suite: Option<CipherSuite>,
    /// The group of the key exchange.
    pub group: Option<NamedGroup>,
    /// A session was resumed.
    pub resumed: Option<bool>,
    /// The server's certificate, where it was sent in clear.
    pub server_leaf: Option<Arc<Leaf>>,
    /// The client's.
    pub client_leaf: Option<Arc<Leaf>>,
    /// The server asked for a client certificate.
    pub requested: bool,
    /// It seems to have asked for one after the handshake (TLS 1.3).
    pub asked_later: bool,
    /// A PROXY protocol header came before the ClientHello.
    pub has_header: bool,
}

impl Sibling {
    /// Its handshake ended without success.
    pub fn has_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed | Outcome::Rejected)
    }

    /// The server name that its client asked for.
    pub fn name(&self) -> Option<&[u8]> {
        self.offer.as_ref()?.name.as_deref()
    }
}

/// What a ClientHello offers, as far as two of them are compared: without GREASE, lists cut at
/// [`limits::SIBLING_OFFER_LIST`](crate::limits::SIBLING_OFFER_LIST).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Server name.
    pub name: Option<Box<[u8]>>,
    /// Versions: the list of `supported_versions`, else the one highest.
    pub versions: Box<[u16]>,
    /// Cipher suites without signals.
    pub suites: Box<[u16]>,
    /// Groups.
    pub groups: Box<[u16]>,
    /// Signature schemes.
    pub schemes: Box<[u16]>,
    /// Application protocols.
    pub alpn: Box<[Box<[u8]>]>,
    /// Types of extensions, in wire order.
    pub extensions: Box<[u16]>,
    /// Some value of it is GREASE (RFC 8701).
    pub has_grease: bool,
}

impl Offer {
    /// The highest version.
    pub fn highest(&self) -> Option<ProtocolVersion> {
        self.versions.iter().copied().map(ProtocolVersion).max_by_key(|v| v.rank())
    }

    /// Some value of a ClientHello is GREASE.
    pub fn is_greased(h: &ClientHello) -> bool {
        let e = &h.extensions;
        [&h.cipher_suites, &e.types, &e.groups, &e.supported_versions]
            .iter()
            .any(|l| l.iter().any(|v| names::is_grease(*v)))
    }
}

/// What is remembered of a certificate. Texts are cut at [`limits::SIBLING_TEXT`](crate::limits::SIBLING_TEXT) and safe to
/// print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    /// SHA-256 of its DER.
    pub sha256: [u8; 32],
    /// Bytes of its DER.
    pub der_len: usize,
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// DER of the issuer; empty when it is longer than is kept.
    pub issuer_raw: Box<[u8]>,
    /// Serial number.
    pub serial: String,
    /// First second of validity, seconds since 1970.
    pub not_before: Option<i64>,
    /// Last second of validity, seconds since 1970.
    pub not_after: Option<i64>,
    /// Name of the key's algorithm.
    pub key: String,
    /// Subject and issuer are the same name.
    pub is_self_issued: bool,
    /// See [`Certificate::is_public`](crate::x509::Certificate::is_public).
    pub is_public: bool,
}

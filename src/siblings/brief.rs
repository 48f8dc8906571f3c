//! What is kept of one flow: its offer, its certificates, its outcome in few words.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::facts::{Confidence, FlowFacts, Leaf, Offer, Outcome, Sibling};
use crate::limits;
use crate::span::Role;
use crate::tls::Start;
use crate::tls::handshake::{ClientHello, Tail};
use crate::tls::names::{self, CipherSuite, ProtocolVersion};
use crate::upgrade::Plain;
use crate::x509::Certificate;

use super::recent::Recent;

/// A flow and what was concluded of it.
pub(super) struct Brief<'a> {
    pub(super) facts: &'a FlowFacts,
    pub(super) outcome: Outcome,
    pub(super) cause: Option<&'static str>,
    pub(super) offer: Arc<Offer>,
    pub(super) server_leaf: Option<Arc<Leaf>>,
    pub(super) client_leaf: Option<Arc<Leaf>>,
}

impl Brief<'_> {
    pub(super) fn sibling(self) -> Arc<Sibling> {
        let f = self.facts;
        let failed = self.outcome == Outcome::Failed;
        let server_ended = || f.ended_by().is_some_and(|e| e.role == Role::Server);
        Arc::new(Sibling {
            id: f.id,
            source: f.source,
            client: f.end(Role::Client),
            server: f.end(Role::Server),
            first: f.first.time,
            last: f.last.time,
            outcome: self.outcome,
            cause: self.cause,
            hello_refused: failed && f.server_hello.is_none() && server_ended(),
            offer: Some(self.offer),
            hello_len: f.client_hello.as_ref().map_or(0, |h| h.message.length),
            version: f.version(),
            suite: f.cipher_suite(),
            group: f.group(),
            resumed: f.resumed(),
            server_leaf: self.server_leaf,
            client_leaf: self.client_leaf,
            requested: f.certificate_request.is_some() || is_asked(f),
            asked_later: f.inferred.as_ref().is_some_and(|i| i.post_handshake.is_some()),
            has_header: begins_with_header(f),
        })
    }
}

/// The client's first bytes are a header of the PROXY protocol.
pub(super) fn begins_with_header(f: &FlowFacts) -> bool {
    let client = f.of(Role::Client);
    client.upgraded_from == Some(Plain::ProxyHeader)
        || matches!(client.start, Some((Start::Not(Plain::ProxyHeader), _)))
}

/// Days by which a clock that was never set right differs from a capture's; what differs by more is no time.
const PLAUSIBLE_DAYS: i64 = 30;

/// By how many seconds the client's clock is ahead of the capture's, if the first four bytes of its random are a time
/// (RFC 5246, section 7.4.1.2). Clients that know TLS 1.3 put no time there (RFC 8446, section 4.1.2).
pub(super) fn clock_ahead(f: &FlowFacts) -> Option<i64> {
    let h = f.client_hello.as_ref().filter(|h| !h.message.ssl2_format)?;
    let old = f.highest_offered()?.rank()? < ProtocolVersion::TLS13.rank()?;
    let told = u32::from_be_bytes(*h.message.random.first_chunk()?);
    let ahead = i64::from(told).saturating_sub(h.mark.time.secs());
    (old && ahead.abs() <= PLAUSIBLE_DAYS.saturating_mul(86_400)).then_some(ahead)
}

/// Without keys, by the sizes of its records: the server certainly asked for a client certificate (TLS 1.3).
fn is_asked(f: &FlowFacts) -> bool {
    let claim = f.inferred.as_ref().and_then(|i| i.requested);
    claim.is_some_and(|c| c.value && c.confidence == Confidence::Certain)
}

fn listed(values: &[u16]) -> impl Iterator<Item = u16> + Clone + '_ {
    values.iter().copied().filter(|v| !names::is_grease(*v)).take(limits::SIBLING_OFFER_LIST)
}

fn suites(h: &ClientHello) -> impl Iterator<Item = u16> + Clone + '_ {
    let real = h.cipher_suites.iter().copied().filter(|v| !names::is_grease(*v) && !CipherSuite(*v).is_signal());
    real.take(limits::SIBLING_OFFER_LIST)
}

fn versions(h: &ClientHello) -> impl Iterator<Item = u16> + Clone + '_ {
    let all = &h.extensions.supported_versions;
    let only = if all.is_empty() { Some(h.legacy_version) } else { None };
    listed(all).chain(only)
}

fn protocols(h: &ClientHello) -> impl Iterator<Item = &[u8]> + Clone {
    h.extensions.alpn.iter().take(limits::SIBLING_PROTOCOLS).map(|p| cut(p))
}

/// Programs offer different suites and groups: one number for each such offer.
pub(super) fn program(h: &ClientHello) -> u64 {
    let mut hash = FixedState::default().build_hasher();
    suites(h).chain(listed(&h.extensions.groups)).for_each(|v| hash.write_u16(v));
    hash.finish()
}

/// The server name; `None` for an empty one.
pub(super) fn name(h: &ClientHello) -> Option<&[u8]> {
    h.extensions.host_name().filter(|n| !n.is_empty()).map(cut)
}

fn cut(bytes: &[u8]) -> &[u8] {
    bytes.get(..limits::SIBLING_NAME_BYTES).unwrap_or(bytes)
}

/// Two clients of the same kind offer the same, in whatever order their extensions stand (Chrome shuffles them).
pub(super) fn same_offer(o: &Offer, h: &ClientHello) -> bool {
    let e = &h.extensions;
    o.name.as_deref() == name(h)
        && o.suites.iter().copied().eq(suites(h))
        && o.versions.iter().copied().eq(versions(h))
        && o.groups.iter().copied().eq(listed(&e.groups))
        && o.schemes.iter().copied().eq(listed(&e.signature_schemes))
        && o.alpn.iter().map(|p| &**p).eq(protocols(h))
        && o.has_grease == Offer::is_greased(h)
        && o.extensions.len() == listed(&e.types).count()
        && listed(&e.types).all(|t| o.extensions.contains(&t))
}

/// The offer of a ClientHello, shared with those that offered the same.
pub(super) fn intern(offers: &mut Recent<u64, Arc<Offer>>, h: &ClientHello) -> Arc<Offer> {
    let e = &h.extensions;
    let mut hash = FixedState::default().build_hasher();
    name(h).hash(&mut hash);
    for v in suites(h).chain(versions(h)).chain(listed(&e.groups)).chain(listed(&e.signature_schemes)) {
        hash.write_u16(v);
    }
    // In any order.
    hash.write_u64(
        listed(&e.types).fold(0, |n: u64, t| n.wrapping_add(u64::from(t).wrapping_mul(0x9e37_79b9_7f4a_7c15))),
    );
    let make = || {
        Arc::new(Offer {
            name: name(h).map(Box::from),
            versions: versions(h).collect(),
            suites: suites(h).collect(),
            groups: listed(&e.groups).collect(),
            schemes: listed(&e.signature_schemes).collect(),
            alpn: protocols(h).map(Box::from).collect(),
            extensions: listed(&e.types).collect(),
            has_grease: Offer::is_greased(h),
        })
    };
    let found = offers.entry(hash.finish(), make);
    if !same_offer(found, h) {
        *found = make();
    }
    found.clone()
}

/// What is remembered of a certificate.
pub(super) fn leaf(c: &Certificate) -> Leaf {
    let cut = |s: &str| s.chars().take(limits::SIBLING_TEXT).collect::<String>();
    Leaf {
        sha256: c.sha256,
        der_len: c.der_len,
        subject: cut(&c.subject),
        issuer: cut(&c.issuer),
        issuer_raw: if c.issuer_raw.len() <= limits::SIBLING_TEXT { c.issuer_raw.clone() } else { Box::default() },
        serial: cut(&c.serial),
        not_before: c.not_before,
        not_after: c.not_after,
        key: cut(c.key.algorithm.name()),
        is_self_issued: c.is_self_issued,
        is_public: c.is_public,
    }
}

/// The server's ephemeral public key.
pub(super) fn ephemeral_key(f: &FlowFacts) -> Option<Tail> {
    match f.server_key_exchange {
        Some((_, k)) => k.public_key,
        None => f.server_hello.as_ref().and_then(|h| h.message.extensions.key_share),
    }
}

/// The session that a client asks to resume, where it can be known again: a ticket, or the id of a session before TLS 1.3
/// (later clients send a random id for the sake of old devices).
pub(super) fn session_offered(h: &ClientHello) -> Option<Tail> {
    h.extensions.session_ticket_tail.or_else(|| Tail::of(&h.session_id))
}

/// The sessions that a full handshake before TLS 1.3 gave: its id, its ticket.
pub(super) fn sessions_given(f: &FlowFacts) -> impl Iterator<Item = Tail> {
    let old = !f.is_tls13();
    let id = f.server_hello.as_ref().filter(|_| old).and_then(|h| Tail::of(&h.message.session_id));
    let ticket = f.ticket.and_then(|(_, t)| t.tail);
    id.into_iter().chain(ticket)
}

/// A version or cipher suite of another age was negotiated: before TLS 1.2, or a cipher with less than 128 bits of
/// strength (RFC 9325, section 4.1).
pub(super) fn is_obsolete(s: &Sibling) -> bool {
    let Some(rank) = s.version.and_then(ProtocolVersion::rank) else { return false };
    let weak = || {
        let cipher = s.suite.and_then(CipherSuite::attributes).map(|a| a.cipher);
        cipher.is_some_and(|c| c.key_bits < 128 || c.name.starts_with("3DES") || c.name.starts_with("RC4"))
    };
    Some(rank) < ProtocolVersion(0x0303).rank() || (Some(rank) < ProtocolVersion(0x0304).rank() && weak())
}

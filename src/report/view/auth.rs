//! Client authentication as a report shows it: was a certificate asked for, and what came.

use schemars::JsonSchema;
use serde::Serialize;

use crate::facts::{FlowFacts, Outcome, Seen, Why};
use crate::span::Role;
use crate::tls::names::{AlertDescription, ClientCertificateType, SignatureScheme};

use super::value::Codes;

/// Who asked for a client certificate, and what became of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClientAuth<'a> {
    /// A CertificateRequest was sent; null when it cannot be known.
    pub requested: Option<bool>,
    /// `sent`, `empty` (asked, none sent), `none` (never asked), `unanswered` (asked, the handshake ended before the answer)
    /// or `unknown`.
    pub certificate: &'static str,
    /// Bytes of the client's own certificate (DER).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_length: Option<usize>,
    /// A CertificateVerify was seen: the client holds the key of its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_possession: Option<bool>,
    /// Names of the CAs that the server accepts, in wire order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptable_cas: Option<&'a [String]>,
    /// Kinds of certificate that it accepts (TLS 1.2 and before).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptable_types: Option<Codes<'a, u8, ClientCertificateType>>,
    /// Signature schemes that it accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_schemes: Option<Codes<'a, u16, SignatureScheme>>,
    /// `observed`, `decrypted` or `inferred`; absent where nothing is claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<&'static str>,
    /// With basis `inferred`: `certain`, `likely` or `possible`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<&'static str>,
}

impl<'a> ClientAuth<'a> {
    /// What is known of it; `None` for a flow that is no TLS.
    pub fn new(facts: &'a FlowFacts, outcome: Outcome) -> Option<Self> {
        if !facts.is_tls() {
            return None;
        }
        let request = facts.certificate_request.as_deref();
        let chain = facts.of(Role::Client).certificates.as_ref();
        let requested = match facts.certificate_requested() {
            Seen::Yes(_) => Some(true),
            Seen::No => Some(false),
            // A client may not send a certificate that nobody asked for.
            Seen::Unknown(_) if chain.is_some() => Some(true),
            // The handshake failed before the server had come to ask, and all that it said was in clear.
            Seen::Unknown(Why::NotYet) if outcome == Outcome::Failed => Some(false),
            Seen::Unknown(_) => None,
        };
        let certificate = match (requested, chain) {
            (_, Some(c)) if c.chain.is_empty() && c.omitted == 0 => "empty",
            (_, Some(_)) => "sent",
            (Some(true), None) => Self::unseen_answer(facts, outcome),
            (Some(false), None) => "none",
            (None, None) => "unknown",
        };
        let sent = certificate == "sent";
        let resumed13 = requested == Some(false) && facts.is_tls13() && facts.resumed() == Some(true);
        Some(Self {
            requested,
            certificate,
            leaf_length: chain.and_then(|c| c.chain.first()).map(|c| c.der_len),
            verified_possession: sent.then(|| Self::possession(facts)).flatten(),
            acceptable_cas: request.map(|r| r.authorities.as_slice()),
            acceptable_types: request.filter(|r| !r.types.is_empty()).map(|r| Codes::new(&r.types)),
            signature_schemes: request
                .filter(|r| !r.signature_schemes.is_empty())
                .map(|r| Codes::new(&r.signature_schemes)),
            basis: requested.map(|_| if resumed13 { "inferred" } else { "observed" }),
            confidence: resumed13.then_some("certain"),
        })
    }

    /// The client proved that it holds the key of a certificate.
    pub fn is_proven(&self) -> bool {
        self.certificate == "sent" && self.verified_possession == Some(true)
    }

    /// Asked, and no Certificate message was read: what that means.
    fn unseen_answer(facts: &FlowFacts, outcome: Outcome) -> &'static str {
        // SSL 3.0 has an alert in place of the empty Certificate (RFC 6101, section 5.6.6).
        if facts.alerts_of(Role::Client).any(|(_, d, _)| d == AlertDescription::NO_CERTIFICATE) {
            return "empty";
        }
        let client = facts.of(Role::Client);
        let blind = facts.blind(Role::Client).is_some();
        if blind {
            "unknown"
        } else if facts.client_key_exchange.is_some() || client.ccs.is_some() {
            // The answer comes before these or not at all.
            "empty"
        } else if outcome == Outcome::Failed {
            "unanswered"
        } else {
            "unknown"
        }
    }

    fn possession(facts: &FlowFacts) -> Option<bool> {
        let client = facts.of(Role::Client);
        if client.certificate_verify.is_some() {
            return Some(true);
        }
        // It comes before change_cipher_spec or not at all (a fixed Diffie-Hellman certificate needs none).
        let over = client.ccs.is_some() && facts.blind(Role::Client).is_none();
        over.then_some(false)
    }
}

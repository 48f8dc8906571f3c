//! Client authentication as a report shows it: was a certificate asked for, and what came.

use schemars::JsonSchema;
use serde::Serialize;

use crate::facts::{Basis, ClientCertificate, Confidence, FlowFacts, Outcome};
use crate::tls::names::{ClientCertificateType, SignatureScheme};

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
    /// With basis `inferred`, `likely`: the length holds for a single certificate that is not compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_length_confidence: Option<&'static str>,
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
        let auth = facts.client_auth(outcome);
        let inferred = auth.basis == Some(Basis::Inferred);
        Some(Self {
            requested: auth.requested,
            certificate: auth.certificate.name(),
            leaf_length: auth.leaf_len,
            leaf_length_confidence: auth.leaf_len.filter(|_| inferred).map(|_| Confidence::Likely.name()),
            verified_possession: auth.proven,
            acceptable_cas: request.map(|r| r.authorities.as_slice()),
            acceptable_types: request.filter(|r| !r.types.is_empty()).map(|r| Codes::new(&r.types)),
            signature_schemes: request
                .filter(|r| !r.signature_schemes.is_empty())
                .map(|r| Codes::new(&r.signature_schemes)),
            basis: auth.basis.map(Basis::name),
            confidence: inferred.then_some(auth.confidence.name()),
        })
    }

    /// The client proved that it holds the key of a certificate.
    pub fn is_proven(&self) -> bool {
        self.certificate == ClientCertificate::Sent.name() && self.verified_possession == Some(true)
    }
}

//! Client authentication: was a certificate asked for, what came, and where that is known from.

use super::{Answer, Basis, Confidence, FlowFacts, Outcome, Seen, Why};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::AlertDescription;

/// What became of client authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// A certificate was sent.
    Sent,
    /// Asked, and none was sent.
    Empty,
    /// Never asked.
    NotAsked,
    /// Asked, and the handshake ended before the answer.
    Unanswered,
    /// It cannot be known.
    Unknown,
}

impl ClientCertificate {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Empty => "empty",
            Self::NotAsked => "none",
            Self::Unanswered => "unanswered",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Answer> for ClientCertificate {
    fn from(a: Answer) -> Self {
        match a {
            Answer::NotAsked => Self::NotAsked,
            Answer::Empty => Self::Empty,
            Answer::Sent => Self::Sent,
        }
    }
}

/// Client authentication of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// A CertificateRequest was sent; `None` when it cannot be known.
    pub requested: Option<bool>,
    /// What the client answered.
    pub certificate: ClientCertificate,
    /// The record or message of the answer, where there was one.
    pub mark: Option<Mark>,
    /// The client proved that it holds the key of its certificate; `None` when it cannot be known.
    pub proven: Option<bool>,
    /// Bytes of the client's own certificate (DER).
    pub leaf_len: Option<usize>,
    /// Where this is known from; `None` where nothing is claimed.
    pub basis: Option<Basis>,
    /// How sure it is; anything but certain only with [`Basis::Inferred`].
    pub confidence: Confidence,
}

impl FlowFacts {
    /// What is known of client authentication. `outcome`: of [`FlowFacts::outcome`], or as a rule has refined it.
    pub fn client_auth(&self, outcome: Outcome) -> ClientAuth {
        let chain = self.of(Role::Client).certificates.as_ref();
        let raw = self.of(Role::Client).raw_public_key;
        let requested = match self.certificate_requested() {
            Seen::Yes(_) => Some(true),
            Seen::No => Some(false),
            // A client may not send a certificate that nobody asked for.
            Seen::Unknown(_) if chain.is_some() || raw.is_some() => Some(true),
            // The handshake failed before the server had come to ask, and all that it said was in clear.
            Seen::Unknown(Why::NotYet) if outcome == Outcome::Failed => Some(false),
            Seen::Unknown(_) => None,
        };
        if requested.is_none()
            && let Some(inferred) = self.inferred_client_auth(outcome)
        {
            return inferred;
        }
        let certificate = match (requested, chain) {
            (_, Some(c)) if c.chain.is_empty() && c.omitted == 0 => ClientCertificate::Empty,
            (_, Some(_)) => ClientCertificate::Sent,
            (_, None) if raw.is_some() => ClientCertificate::Sent,
            (Some(true), None) => self.unseen_answer(outcome),
            (Some(false), None) => ClientCertificate::NotAsked,
            (None, None) => ClientCertificate::Unknown,
        };
        // That a pre-shared key excludes certificates follows from the protocol (RFC 8446, section 4.3.2).
        let resumed13 = requested == Some(false) && self.is_tls13() && self.resumed() == Some(true);
        ClientAuth {
            requested,
            certificate,
            mark: chain.map(|c| c.mark).or(raw),
            proven: if certificate == ClientCertificate::Sent { self.possession() } else { None },
            leaf_len: chain.and_then(|c| c.chain.first()).map(|c| c.der_len),
            basis: requested.map(|_| if resumed13 { Basis::Inferred } else { Basis::Observed }),
            confidence: Confidence::Certain,
        }
    }

    /// The same from the shapes of TLS 1.3's records.
    fn inferred_client_auth(&self, outcome: Outcome) -> Option<ClientAuth> {
        let i = self.inferred.as_deref()?;
        if let Some(later) = i.post_handshake {
            let sent = later.answer == Answer::Sent;
            return Some(ClientAuth {
                requested: Some(true),
                certificate: later.answer.into(),
                mark: Some(later.mark),
                proven: sent.then_some(true),
                leaf_len: None,
                basis: Some(Basis::Inferred),
                confidence: Confidence::Likely,
            });
        }
        let requested = i.requested?;
        let certificate = match (i.answer, requested.value) {
            (Some(a), _) => a.value.into(),
            (None, false) => ClientCertificate::NotAsked,
            (None, true) if outcome == Outcome::Failed && self.blind(Role::Client).is_none() => {
                ClientCertificate::Unanswered
            }
            (None, true) => ClientCertificate::Unknown,
        };
        Some(ClientAuth {
            requested: Some(requested.value),
            certificate,
            mark: i.flight,
            proven: (certificate == ClientCertificate::Sent && i.proven).then_some(true),
            leaf_len: i.leaf_len,
            basis: Some(Basis::Inferred),
            confidence: requested.confidence,
        })
    }

    /// Asked, and no Certificate message was read: what that means.
    fn unseen_answer(&self, outcome: Outcome) -> ClientCertificate {
        // SSL 3.0 has an alert in place of the empty Certificate (RFC 6101, section 5.6.6).
        if self.alerts_of(Role::Client).any(|(_, d, _)| d == AlertDescription::NO_CERTIFICATE) {
            return ClientCertificate::Empty;
        }
        let client = self.of(Role::Client);
        if self.blind(Role::Client).is_some() {
            ClientCertificate::Unknown
        } else if self.client_key_exchange.is_some() || client.ccs.is_some() {
            // The answer comes before these or not at all.
            ClientCertificate::Empty
        } else if outcome == Outcome::Failed {
            ClientCertificate::Unanswered
        } else {
            ClientCertificate::Unknown
        }
    }

    fn possession(&self) -> Option<bool> {
        let client = self.of(Role::Client);
        if client.certificate_verify.is_some() {
            return Some(true);
        }
        // It comes before change_cipher_spec or not at all (a fixed Diffie-Hellman certificate needs none).
        let over = client.ccs.is_some() && self.blind(Role::Client).is_none();
        over.then_some(false)
    }
}

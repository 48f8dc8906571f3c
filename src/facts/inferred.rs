//! What the shapes of TLS 1.3's protected records say: the words in which `inference` tells it.

use crate::flow::Mark;
use crate::span::{FrameNo, Side};
use crate::tls::names::HandshakeType;

use super::{Basis, EndedBy, FlowFacts, How, Shape};

/// How sure a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// One of several readings.
    Possible,
    /// The usual reading; others exist.
    Likely,
    /// No other reading exists.
    Certain,
}

impl Confidence {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// Something concluded, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<T> {
    /// What.
    pub value: T,
    /// How sure.
    pub confidence: Confidence,
}

/// A client's answer to a CertificateRequest, or that there was none to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No certificate was asked for, so that none was sent.
    NotAsked,
    /// A Certificate message without a certificate.
    Empty,
    /// A certificate and the proof of its key.
    Sent,
}

/// What the server did with the client's flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It went on: with session tickets or with data.
    Accepted(Mark),
    /// It refused the client: with a record of an alert's size or without a word, and closed.
    Refused(Claim<EndedBy>),
}

impl Verdict {
    /// The refusal.
    pub fn refused(self) -> Option<Claim<EndedBy>> {
        match self {
            Self::Refused(r) => Some(r),
            Self::Accepted(_) => None,
        }
    }
}

/// What became of early data that a client offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyData {
    /// The server took it.
    Accepted,
    /// The server did not.
    Rejected,
    /// It is not known.
    Offered,
}

impl EarlyData {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Offered => "offered",
        }
    }
}

/// Authentication after the handshake (RFC 8446, section 4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostHandshake {
    /// The record that can be the server's CertificateRequest.
    pub request: Mark,
    /// [`Answer::Empty`] or [`Answer::Sent`].
    pub answer: Answer,
    /// The first record of the client's answer.
    pub mark: Mark,
}

/// A message whose record is known by its place and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The record that holds (the end of) it.
    pub mark: Mark,
    /// Who sent it.
    pub side: Side,
    /// What it is; `None` for an alert.
    pub kind: Option<HandshakeType>,
    /// Bytes of its record's body; of all of them when it is spread over several.
    pub len: usize,
}

/// What the protected records of a TLS 1.3 handshake prove or suggest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    /// A CertificateRequest was in the server's flight.
    pub requested: Option<Claim<bool>>,
    /// What the client answered.
    pub answer: Option<Claim<Answer>>,
    /// First record of the client's flight.
    pub flight: Option<Mark>,
    /// The record with the client's Finished.
    pub finished: Option<Mark>,
    /// Bytes of the client's certificate (DER), if it sent one, alone and not compressed. Likely, never certain.
    pub leaf_len: Option<usize>,
    /// A record of a CertificateVerify's size stood before the client's Finished.
    pub proven: bool,
    /// What the server did then.
    pub verdict: Option<Verdict>,
    /// The client's alert before its Finished, by its size.
    pub client_alert: Option<Mark>,
    /// EndOfEarlyData was sent: the server had accepted early data.
    pub early_data: Option<bool>,
    /// A certificate was asked for after the handshake. Likely.
    pub post_handshake: Option<PostHandshake>,
    /// Frame of the first session ticket after the handshake, by size and place.
    pub tickets: Option<FrameNo>,
    /// The messages, in the order of their records.
    pub steps: Vec<Step>,
}

impl Inferred {
    /// The server refused the client after its flight, and how.
    pub fn refusal(&self) -> Option<EndedBy> {
        self.verdict?.refused().map(|c| c.value)
    }

    /// The refusal was an alert, not a silent close.
    pub fn refusal_by_alert(&self) -> Option<Mark> {
        self.refusal().filter(|e| e.how == How::Alert).map(|e| e.mark)
    }
}

impl FlowFacts {
    /// What became of early data; `None` where the first ClientHello offered none. In clear: it cannot have been taken when
    /// the server asked for another hello (RFC 8446, section 4.2.10), speaks TLS 1.2 or did a full handshake.
    pub fn early_data(&self) -> Option<Claim<EarlyData>> {
        let offered = self.client_hello.as_ref()?.message.extensions.early_data;
        let refused = self.hello_retry.is_some()
            || self.server_hello.is_some() && (!self.is_tls13() || self.resumed() == Some(false));
        let (value, confidence) = match self.inferred.as_ref().and_then(|i| i.early_data) {
            _ if refused => (EarlyData::Rejected, Confidence::Certain),
            Some(true) => (EarlyData::Accepted, Confidence::Certain),
            Some(false) => (EarlyData::Rejected, Confidence::Likely),
            None => (EarlyData::Offered, Confidence::Certain),
        };
        offered.then_some(Claim { value, confidence })
    }

    /// Every protected record is in [`FlowFacts::shapes`]: what is not there was not sent, as far as the capture goes.
    pub fn every_shape_is_known(&self) -> bool {
        let records = self.sides.iter().map(|s| s.encrypted.records).fold(0u64, u64::saturating_add);
        u64::try_from(self.shapes.len()).is_ok_and(|n| n == records)
    }

    /// A protected record is listed among the messages by what it was concluded to be.
    pub fn is_told(&self, s: &Shape) -> bool {
        let told = |m: &super::MessageFact| m.basis == Basis::Inferred && m.side == s.side && m.mark == s.mark;
        self.messages.iter().any(|m| told(m) && m.length == usize::from(s.len))
    }
}

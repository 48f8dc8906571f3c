//! The handshake's steps, alerts and gaps as a report shows them.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::facts::{AlertFact, FlowFacts, MessageFact, MessageKind, Totals};
use crate::span::{Pair, Role, Side};
use crate::tls::names::{AlertDescription, HandshakeType, HeartbeatMessageType};

use super::finding::Frames;
use super::value::{Code, Time};

/// One step of the handshake.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Message<'a> {
    /// Frame with which it was complete.
    pub frame: u64,
    /// When.
    pub time: Time,
    /// `client` or `server`.
    pub from: &'static str,
    /// Content type of the record that carried it; `ssl2` for SSL 2.0.
    pub record: Cow<'static, str>,
    /// What it is, by IANA's names.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Bytes of its body; of the record where it is protected.
    pub length: usize,
    /// `observed` (read in clear), `decrypted` or `inferred`.
    pub basis: &'static str,
    /// Every frame with a byte of it, when it spans several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<u64>>")]
    pub frames: Option<Frames<'a>>,
}

impl<'a> Message<'a> {
    /// All steps of a flow, in wire order.
    pub fn all(facts: &'a FlowFacts) -> impl Iterator<Item = Self> {
        let client = facts.client();
        // A protected handshake record is the Finished when it is the first after its sender's change_cipher_spec; what
        // comes later (renegotiation) is not known.
        let mut ciphered = Pair::new(false, false);
        let mut finished = Pair::new(false, false);
        facts.messages.iter().map(move |m| {
            let i = m.side;
            let mut first = false;
            match m.kind {
                MessageKind::ChangeCipherSpec => ciphered[i] = true,
                MessageKind::EncryptedHandshake => {
                    let ready = ciphered[i] && !facts.is_tls13();
                    first = ready && !finished[i];
                    finished[i] |= ready;
                }
                _ => {}
            }
            Self::new(m, role(m.side, client), first)
        })
    }

    fn new(m: &'a MessageFact, from: Role, finished: bool) -> Self {
        Self {
            frame: m.mark.frame.0,
            time: Time(m.mark.time),
            from: from.name(),
            record: record(m),
            kind: kind(m, finished),
            length: m.length,
            basis: m.basis.name(),
            frames: (m.frames.len() > 1).then(|| Frames(&m.frames)),
        }
    }
}

/// The steps of a flow, written without a list in between.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a>(pub &'a FlowFacts);

impl Serialize for Messages<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(Message::all(self.0))
    }
}

fn role(side: Side, client: Side) -> Role {
    if side == client { Role::Client } else { Role::Server }
}

fn record(m: &MessageFact) -> Cow<'static, str> {
    match m.kind {
        MessageKind::Ssl2ClientHello | MessageKind::Ssl2ServerHello => "ssl2".into(),
        _ => named(m.record.name(), || m.record.to_string()),
    }
}

/// The name of a step as `messages[].type` has it. `finished`: it is the first protected handshake record behind its
/// sender's change_cipher_spec.
fn kind(m: &MessageFact, finished: bool) -> Cow<'static, str> {
    match m.kind {
        // 9 and 10 have a name in DTLS 1.3 only.
        MessageKind::Handshake(t @ (HandshakeType::REQUEST_CONNECTION_ID | HandshakeType::NEW_CONNECTION_ID)) => {
            t.label(false).into()
        }
        MessageKind::Handshake(t) => named(t.name(), || t.to_string()),
        MessageKind::HelloRetryRequest => "hello_retry_request".into(),
        MessageKind::Ssl2ClientHello => "sslv2_client_hello".into(),
        MessageKind::Ssl2ServerHello => "sslv2_server_hello".into(),
        MessageKind::ChangeCipherSpec => "change_cipher_spec".into(),
        MessageKind::Alert(..) => "alert".into(),
        MessageKind::Heartbeat(Some(t)) => {
            let t = HeartbeatMessageType(t);
            named(t.name(), || t.to_string())
        }
        MessageKind::Heartbeat(None) => "heartbeat".into(),
        MessageKind::EncryptedHandshake if finished => "finished".into(),
        MessageKind::EncryptedHandshake => "encrypted_handshake".into(),
    }
}

fn named(name: Option<&'static str>, other: impl FnOnce() -> String) -> Cow<'static, str> {
    name.map_or_else(|| Cow::Owned(other()), Cow::Borrowed)
}

/// An alert.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Alert {
    /// Its frame.
    pub frame: u64,
    /// When.
    pub time: Time,
    /// `client` or `server`.
    pub from: &'static str,
    /// `warning` or `fatal`; null when it is protected.
    pub level: Option<Cow<'static, str>>,
    /// What it says; null when it is protected.
    pub description: Option<Code<AlertDescription>>,
    /// `observed` (read in clear), `decrypted` or `inferred`.
    pub basis: &'static str,
}

impl Alert {
    /// All alerts of a flow, in wire order.
    pub fn list(facts: &FlowFacts) -> Vec<Self> {
        facts.alerts.iter().map(|a| Self::new(a, facts.role(a.side))).collect()
    }

    fn new(a: &AlertFact, from: Role) -> Self {
        Self {
            frame: a.mark.frame.0,
            time: Time(a.mark.time),
            from: from.name(),
            level: a.said.map(|(l, _)| named(l.name(), || l.to_string())),
            description: a.said.map(|(_, d)| Code(d)),
            basis: a.basis.name(),
        }
    }
}

/// Bytes that the capture lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gap {
    /// Whose bytes: `client` or `server`.
    pub from: &'static str,
    /// The first frame with bytes of that side beyond the gap; else the one whose ACK or FIN covers it.
    pub frame: u64,
    /// How many.
    pub missing_bytes: u64,
    /// `capture` (they were acknowledged), `network` (they were not), `snaplen`, `limit` or `unknown`.
    pub reason: &'static str,
}

impl Gap {
    /// The gaps of both sides, by frame.
    pub fn list(facts: &FlowFacts) -> Vec<Self> {
        let mut out: Vec<Self> = Vec::new();
        for role in [Role::Client, Role::Server] {
            out.extend(facts.of(role).gaps.iter().map(|g| Self {
                from: role.name(),
                frame: g.frame.0,
                missing_bytes: g.bytes,
                reason: g.reason.name(),
            }));
        }
        out.sort_by_key(|g| g.frame);
        out
    }
}

/// What ended a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EndedBy {
    /// `client` or `server`.
    pub from: &'static str,
    /// `alert`, `fin`, `rst` or `close_notify`.
    pub how: &'static str,
    /// Its frame.
    pub frame: u64,
}

/// A number for each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PerRole<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

/// Protected records of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Records {
    /// How many.
    pub records: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl From<Totals> for Records {
    fn from(t: Totals) -> Self {
        Self { records: t.records, bytes: t.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Basis;
    use crate::flow::{Endpoint, Endpoints, Mark};
    use crate::span::{FrameNo, Timestamp};
    use crate::tls::names::ContentType;

    fn step(frame: u64, side: Side, kind: MessageKind, basis: Basis) -> MessageFact {
        MessageFact {
            mark: Mark { frame: FrameNo(frame), time: Timestamp(0) },
            side,
            record: ContentType::HANDSHAKE,
            kind,
            length: 1,
            basis,
            frames: smallvec::smallvec![FrameNo(frame)],
        }
    }

    fn names(messages: Vec<MessageFact>) -> Vec<String> {
        let end = |p| Endpoint { ip: [192, 0, 2, 1].into(), port: p };
        let mut f = FlowFacts::new(1, 0, Endpoints { a: end(50_000), b: end(443) }, Mark::default());
        f.messages = messages;
        Message::all(&f).map(|m| format!("{} {}", m.from, m.kind)).collect()
    }

    #[test]
    fn only_the_first_protected_record_is_a_finished() {
        let hs = |n| MessageKind::Handshake(HandshakeType(n));
        let enc = MessageKind::EncryptedHandshake;
        let got = names(vec![
            step(1, Side::A, hs(1), Basis::Observed),
            step(2, Side::B, hs(2), Basis::Observed),
            step(3, Side::B, enc, Basis::Inferred),
            step(4, Side::A, MessageKind::ChangeCipherSpec, Basis::Observed),
            step(5, Side::A, enc, Basis::Inferred),
            step(6, Side::B, MessageKind::ChangeCipherSpec, Basis::Observed),
            step(7, Side::B, enc, Basis::Inferred),
            step(8, Side::A, enc, Basis::Inferred),
        ]);
        assert_eq!(
            got,
            [
                "client client_hello",
                "server server_hello",
                "server encrypted_handshake",
                "client change_cipher_spec",
                "client finished",
                "server change_cipher_spec",
                "server finished",
                "client encrypted_handshake",
            ]
        );
    }

    #[test]
    fn names_are_those_of_the_contract() {
        let got = names(vec![
            step(1, Side::A, MessageKind::Ssl2ClientHello, Basis::Observed),
            step(2, Side::B, MessageKind::Ssl2ServerHello, Basis::Observed),
            step(3, Side::B, MessageKind::HelloRetryRequest, Basis::Observed),
            step(4, Side::A, MessageKind::Handshake(HandshakeType(9)), Basis::Observed),
            step(5, Side::A, MessageKind::Handshake(HandshakeType(99)), Basis::Observed),
            step(6, Side::A, MessageKind::Heartbeat(Some(1)), Basis::Observed),
            step(7, Side::B, MessageKind::Heartbeat(Some(2)), Basis::Observed),
            step(8, Side::B, MessageKind::Heartbeat(None), Basis::Inferred),
            step(9, Side::B, MessageKind::Handshake(HandshakeType(14)), Basis::Observed),
        ]);
        let kinds: Vec<&str> = got.iter().filter_map(|s| s.split(' ').nth(1)).collect();
        assert_eq!(
            kinds,
            [
                "sslv2_client_hello",
                "sslv2_server_hello",
                "hello_retry_request",
                "type_9",
                "type_99",
                "heartbeat_request",
                "heartbeat_response",
                "heartbeat",
                "server_hello_done"
            ]
        );
    }
}

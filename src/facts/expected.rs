//! What should have come next when a handshake broke off: a person need not know a handshake by heart.

use super::{FlowFacts, MessageKind, Outcome};
use crate::span::Role;
use crate::tls::names::{ExtensionType, HandshakeType, KeyExchange, ProtocolVersion};

/// A flight that did not come, or not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Who should have sent it.
    pub role: Role,
    /// The messages of it that are missing, in order.
    pub messages: Vec<MessageKind>,
    /// It would have been protected.
    pub encrypted: bool,
}

impl FlowFacts {
    /// The flights that a handshake which failed still lacked, in their order, from its version, its key exchange and its
    /// CertificateRequest (RFC 5246, section 7.3; RFC 8446, section 2). Empty where the capture could not have shown what
    /// is missing, and where what comes next depends on what was not seen; only messages that must come are named.
    pub fn expected(&self) -> Vec<Expected> {
        let hidden = self.blind(Role::Client).or(self.blind(Role::Server)).is_some();
        let not_tls = |role| matches!(self.of(role).start, Some((crate::tls::Start::Not(_), _)));
        if hidden || self.client_hello.is_none() || not_tls(Role::Client) || self.outcome() != Outcome::Failed {
            return Vec::new();
        }
        let Some(hello) = &self.server_hello else {
            let mut out = Vec::new();
            if self.hello_retry.is_some() && self.client_hellos < 2 {
                out.push(flight(Role::Client, false, [HandshakeType::CLIENT_HELLO]));
            }
            out.push(flight(Role::Server, false, [HandshakeType::SERVER_HELLO]));
            return out;
        };
        let version = hello.message.version();
        if self.is_tls13() {
            return self.expected_13();
        }
        if version == ProtocolVersion::SSL2 {
            return Vec::new();
        }
        match self.resumed() {
            Some(true) => [Role::Server, Role::Client].into_iter().filter_map(|r| self.finish(r, Vec::new())).collect(),
            Some(false) => self.expected_full(),
            // Whether a session is resumed shows with the server's next message. Where the client offered none, it is not.
            None if !self.offers_session() => self.expected_full(),
            None => Vec::new(),
        }
    }

    /// TLS 1.3: only the first and the last message of a protected flight can be missed without keys.
    fn expected_13(&self) -> Vec<Expected> {
        let mut out = Vec::new();
        if self.of(Role::Server).protected.is_none() {
            let ends = [HandshakeType::ENCRYPTED_EXTENSIONS, HandshakeType::FINISHED];
            out.push(flight(Role::Server, true, ends));
        }
        if self.of(Role::Client).finished_sized.is_none() {
            out.push(flight(Role::Client, true, [HandshakeType::FINISHED]));
        }
        out
    }

    fn offers_session(&self) -> bool {
        self.client_hello.as_ref().is_some_and(|h| {
            let h = &h.message;
            !h.session_id.is_empty() || h.extensions.session_ticket.is_some_and(|n| n > 0)
        })
    }

    /// A full handshake of TLS 1.2 or older.
    fn expected_full(&self) -> Vec<Expected> {
        let Some(suite) = self.cipher_suite() else { return Vec::new() };
        let Some(kx) = suite.attributes().map(|a| a.kx) else { return Vec::new() };
        let mut out = Vec::new();
        // The server's flight ends with ServerHelloDone: behind it nothing of it is missing.
        if self.server_hello_done.is_none() {
            let server = self.of(Role::Server);
            let mut messages = Vec::new();
            if suite.has_server_certificate() == Some(true) && !server.has_answered() {
                messages.push(MessageKind::Handshake(HandshakeType::CERTIFICATE));
            }
            if sends_key(kx) && self.server_key_exchange.is_none() && self.certificate_request.is_none() {
                messages.push(MessageKind::Handshake(HandshakeType::SERVER_KEY_EXCHANGE));
            }
            messages.push(MessageKind::Handshake(HandshakeType::SERVER_HELLO_DONE));
            out.push(Expected { role: Role::Server, messages, encrypted: false });
        }
        let client = self.of(Role::Client);
        let mut messages = Vec::new();
        // In SSL 3.0 a client without a certificate says so with an alert (RFC 6101, section 5.6.6).
        let must_answer = self.certificate_request.is_some() && self.version() != Some(ProtocolVersion::SSL3);
        if must_answer && !client.has_answered() {
            messages.push(MessageKind::Handshake(HandshakeType::CERTIFICATE));
        }
        if self.client_key_exchange.is_none() {
            messages.push(MessageKind::Handshake(HandshakeType::CLIENT_KEY_EXCHANGE));
        }
        out.extend(self.finish(Role::Client, messages));
        let ticket =
            self.server_hello.as_ref().is_some_and(|h| h.message.extensions.has(ExtensionType::SESSION_TICKET));
        let ticket = ticket && self.ticket.is_none() && self.of(Role::Server).ccs.is_none();
        let ticket = ticket.then_some(MessageKind::Handshake(HandshakeType::NEW_SESSION_TICKET));
        out.extend(self.finish(Role::Server, ticket.into_iter().collect()));
        out
    }

    /// What is missing, with the ChangeCipherSpec and Finished of a side; `None` when nothing is.
    fn finish(&self, role: Role, mut messages: Vec<MessageKind>) -> Option<Expected> {
        let side = self.of(role);
        if side.ccs.is_none() {
            messages.push(MessageKind::ChangeCipherSpec);
        }
        if side.after_ccs.is_none() {
            messages.push(MessageKind::Handshake(HandshakeType::FINISHED));
        }
        let encrypted = side.ccs.is_some();
        (!messages.is_empty()).then_some(Expected { role, messages, encrypted })
    }
}

/// A ServerKeyExchange must come with this key exchange (RFC 5246, section 7.4.3; RFC 4279; RFC 5054).
fn sends_key(kx: KeyExchange) -> bool {
    matches!(kx, KeyExchange::Dhe | KeyExchange::Ecdhe | KeyExchange::DhePsk | KeyExchange::EcdhePsk | KeyExchange::Srp)
}

fn flight<const N: usize>(role: Role, encrypted: bool, messages: [HandshakeType; N]) -> Expected {
    Expected { role, encrypted, messages: messages.into_iter().map(MessageKind::Handshake).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Placed;
    use crate::flow::{Endpoint, Endpoints, Mark};
    use crate::span::{FrameNo, Pair, Side, Timestamp};
    use crate::tls::Start;
    use crate::tls::handshake::{ClientHello, Extensions, ServerHello};

    fn at(n: u64) -> Mark {
        Mark { frame: FrameNo(n), time: Timestamp(0) }
    }

    /// A client (side A) that said hello; the server closed.
    fn failed() -> FlowFacts {
        let end = |last, port| Endpoint { ip: [192, 0, 2, last].into(), port };
        let mut f = FlowFacts::new(1, 0, Endpoints { a: end(1, 50_000), b: end(2, 443) }, at(1));
        f.tcp.packets = Pair::new(3, 3);
        f.tcp.fin[Side::B] = Some(at(20));
        f.sides[Side::A].start = Some((Start::Tls, at(4)));
        let message = ClientHello { legacy_version: 0x0303, ..ClientHello::default() };
        f.client_hello = Some(Box::new(Placed { message, mark: at(4), side: Side::A, frames: Default::default() }));
        f.client_hellos = 1;
        f
    }

    fn answered(suite: u16, version: u16) -> FlowFacts {
        let mut f = failed();
        let extensions = Extensions {
            supported_versions: if version == 0x0304 { vec![version] } else { Vec::new() },
            ..Extensions::default()
        };
        let message = ServerHello { legacy_version: 0x0303, cipher_suite: suite, extensions, ..ServerHello::default() };
        f.server_hello = Some(Box::new(Placed { message, mark: at(6), side: Side::B, frames: Default::default() }));
        f.sides[Side::B].start = Some((Start::Tls, at(6)));
        f
    }

    fn said(f: &FlowFacts) -> Vec<String> {
        let word = |m: &MessageKind| match m {
            MessageKind::Handshake(t) => t.to_string(),
            other => format!("{other:?}"),
        };
        let line = |e: Expected| format!("{}: {}", e.role, e.messages.iter().map(word).collect::<Vec<_>>().join(" "));
        f.expected().into_iter().map(line).collect()
    }

    #[test]
    fn the_key_exchange_says_what_the_server_owes() {
        // ECDHE-RSA, RSA, DH-anon: RFC 5246, section 7.4.3.
        assert_eq!(
            said(&answered(0xc02f, 0x0303)),
            [
                "server: certificate server_key_exchange server_hello_done",
                "client: client_key_exchange ChangeCipherSpec finished",
                "server: ChangeCipherSpec finished"
            ]
        );
        assert_eq!(said(&answered(0x009c, 0x0303)).first().unwrap(), "server: certificate server_hello_done");
        assert_eq!(said(&answered(0x00a6, 0x0303)).first().unwrap(), "server: server_key_exchange server_hello_done");
    }

    #[test]
    fn a_request_for_a_certificate_is_owed_an_answer() {
        let mut f = answered(0xc02f, 0x0303);
        f.server_hello_done = Some(at(6));
        f.certificate_request = Some(Box::default());
        assert_eq!(said(&f).first().unwrap(), "client: certificate client_key_exchange ChangeCipherSpec finished");
        f.sides[Side::A].certificates = Some(crate::facts::ChainFact::new(Vec::new(), 0, at(8)));
        f.client_key_exchange = Some(at(8));
        f.sides[Side::A].ccs = Some(at(8));
        f.sides[Side::A].after_ccs = Some(at(8));
        assert_eq!(said(&f), ["server: ChangeCipherSpec finished"]);
    }

    #[test]
    fn the_hellos_come_first() {
        let mut f = failed();
        assert_eq!(said(&f), ["server: server_hello"]);
        let retry = answered(0x1301, 0x0304).server_hello;
        f.hello_retry = retry;
        assert_eq!(said(&f), ["client: client_hello", "server: server_hello"]);
        f.client_hellos = 2;
        assert_eq!(said(&f), ["server: server_hello"]);
        assert_eq!(said(&answered(0x1301, 0x0304)), ["server: encrypted_extensions finished", "client: finished"]);
    }

    #[test]
    fn nothing_is_expected_that_the_capture_may_have_missed() {
        let mut f = answered(0xc02f, 0x0303);
        f.sides[Side::B].handshake_gap = true;
        assert!(f.expected().is_empty());
        let mut f = answered(0xc02f, 0x0303);
        f.tcp.packets = Pair::new(3, 0);
        assert!(f.expected().is_empty());
        let mut f = answered(0xc02f, 0x0303);
        f.tcp.fin[Side::B] = None;
        assert!(f.expected().is_empty(), "it may still come");
        // The client offered a session: the server may resume it.
        let mut f = answered(0xc02f, 0x0303);
        f.client_hello.as_mut().unwrap().message.extensions.session_ticket = Some(100);
        assert!(f.expected().is_empty());
    }
}

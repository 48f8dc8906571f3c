//! Flows made by hand for the tests of the rules.

use std::sync::Arc;

use super::{Diagnosis, Finding, Policy, diagnose, diagnose_capture};
use crate::facts::{AlertFact, Basis, CertificateRequestFact, ChainFact, FlowFacts, MessageFact, MessageKind, Placed};
use crate::flow::{Endpoint, Endpoints, Mark, Sightings};
use crate::siblings::Memory;
use crate::span::{FrameNo, Side, Timestamp};
use crate::tls::Start;
use crate::tls::handshake::{ClientHello, Extensions, ServerHello};
use crate::tls::names::{AlertDescription, AlertLevel, ContentType, HandshakeType};
use crate::x509::{Certificate, KeyAlgorithm, PublicKey, San};

/// 2026-01-01, when the flows of the tests take place.
pub(super) const NOW: i64 = 1_767_225_600;

/// A mark in frame `n`, `n` milliseconds after the beginning.
pub(super) fn mark(n: u64) -> Mark {
    Mark {
        frame: FrameNo(n),
        time: Timestamp::from_parts(NOW, i64::try_from(n).expect("small").saturating_mul(1_000_000)),
    }
}

/// A flow whose client (side A) has sent a ClientHello for `tls-server.local`, with both directions captured.
pub(super) fn hello() -> FlowFacts {
    let end = |last, port| Endpoint { ip: [192, 0, 2, last].into(), port };
    let mut f = FlowFacts::new(1, 0, Endpoints { a: end(1, 50_000), b: end(2, 8443) }, mark(1));
    f.tcp.syn[Side::A] = Some(Sightings { first: mark(1), last: mark(1), count: 1 });
    f.tcp.syn_ack[Side::B] = Some(Sightings { first: mark(2), last: mark(2), count: 1 });
    f.tcp.packets = crate::span::Pair::new(3, 3);
    f.tcp.data[Side::A] = Some(mark(4));
    f.tcp.acked[Side::A] = 209;
    f.tcp.opened = true;
    f.sides[Side::A].start = Some((Start::Tls, mark(4)));
    f.sides[Side::A].saw_syn = true;
    let extensions = Extensions {
        server_name: Some(vec![Box::from(&b"tls-server.local"[..])]),
        supported_versions: vec![0x0304, 0x0303],
        groups: vec![0x001d, 0x0017],
        key_shares: vec![0x001d],
        signature_schemes: vec![0x0403, 0x0804, 0x0401],
        extended_master_secret: true,
        renegotiation_info: Some(0),
        ..Extensions::default()
    };
    let message = ClientHello {
        legacy_version: 0x0303,
        cipher_suites: vec![0x1301, 0x1302, 0x1303, 0xc02f, 0xc030],
        compression_methods: vec![0],
        extensions,
        length: 200,
        ..ClientHello::default()
    };
    f.client_hello = Some(Box::new(Placed { message, mark: mark(4), side: Side::A, frames: Default::default() }));
    f.client_hello_records = 1;
    f.client_hellos = 1;
    step(&mut f, Side::A, HandshakeType::CLIENT_HELLO, 4);
    f.last = mark(20);
    f
}

/// Adds a handshake message to the list of steps.
pub(super) fn step(f: &mut FlowFacts, side: Side, kind: HandshakeType, frame: u64) {
    f.messages.push(MessageFact {
        mark: mark(frame),
        side,
        record: ContentType::HANDSHAKE,
        kind: MessageKind::Handshake(kind),
        length: 1,
        basis: Basis::Observed,
        frames: Default::default(),
    });
}

/// The server has answered with a ServerHello of that version, which is the highest that the client offers.
pub(super) fn server_hello(version: u16) -> FlowFacts {
    let mut f = hello();
    let offered = &mut f.client_hello.as_mut().expect("there").message.extensions.supported_versions;
    offered.retain(|v| *v <= version);
    let tls13 = version == 0x0304;
    let extensions = Extensions {
        supported_versions: if tls13 { vec![version] } else { vec![] },
        key_shares: if tls13 { vec![0x001d] } else { vec![] },
        extended_master_secret: true,
        renegotiation_info: Some(0),
        ..Extensions::default()
    };
    let message = ServerHello {
        legacy_version: version.min(0x0303),
        cipher_suite: if tls13 { 0x1301 } else { 0xc02f },
        extensions,
        ..ServerHello::default()
    };
    f.server_hello = Some(Box::new(Placed { message, mark: mark(6), side: Side::B, frames: Default::default() }));
    f.sides[Side::B].start = Some((Start::Tls, mark(6)));
    f.tcp.data[Side::B] = Some(mark(6));
    step(&mut f, Side::B, HandshakeType::SERVER_HELLO, 6);
    f
}

/// The same with both hellos changed.
pub(super) fn with(version: u16, change: impl FnOnce(&mut ClientHello, &mut ServerHello)) -> FlowFacts {
    let mut f = server_hello(version);
    let mut sh = f.server_hello.take().expect("there");
    change(&mut f.client_hello.as_mut().expect("there").message, &mut sh.message);
    f.server_hello = Some(sh);
    f
}

/// A certificate that is good for `tls-server.local` and of a CA that is not there.
pub(super) fn leaf() -> Certificate {
    Certificate {
        sha256: [7; 32],
        subject: "CN=tls-server.local".into(),
        issuer: "CN=Issuing CA".into(),
        // Name = SEQUENCE OF SET OF SEQUENCE { 2.5.4.3, UTF8String }.
        subject_raw: dn("tls-server.local"),
        issuer_raw: dn("Issuing CA"),
        common_names: vec!["tls-server.local".into()],
        serial: "01".into(),
        version: 3,
        not_before: Some(NOW - 100 * 86_400),
        not_after: Some(NOW + 300 * 86_400),
        key: PublicKey { algorithm: KeyAlgorithm::Rsa, bits: Some(2048), rsa_exponent: Some(65_537) },
        signature_algorithm: "sha256WithRSAEncryption".into(),
        signature_hash: crate::x509::SignatureHash::Sound,
        subject_alt_names: vec![San::Dns("tls-server.local".into())],
        ..Certificate::default()
    }
}

/// A CA.
pub(super) fn ca(n: u8, subject: &str, issuer: &str) -> Certificate {
    let of = Certificate { basic_constraints: Some((true, None)), subject_alt_names: vec![], ..leaf() };
    crate::x509::named(n, subject, issuer, of)
}

/// The DER of a Name with one Common Name.
pub(super) fn dn(cn: &str) -> Box<[u8]> {
    let n = u8::try_from(cn.len()).expect("short");
    let more = |by| n.saturating_add(by);
    let mut out = vec![0x30, more(11), 0x31, more(9), 0x30, more(7), 6, 3, 0x55, 4, 3, 12, n];
    out.extend_from_slice(cn.as_bytes());
    out.into()
}

/// A full server flight of TLS 1.2 with these certificates.
pub(super) fn server_flight(chain: Vec<Certificate>) -> FlowFacts {
    let mut f = server_hello(0x0303);
    f.sides[Side::B].certificates = Some(ChainFact::new(chain.into_iter().map(Arc::new).collect(), 0, mark(7)));
    f.server_hello_done = Some(mark(8));
    step(&mut f, Side::B, HandshakeType::CERTIFICATE, 7);
    step(&mut f, Side::B, HandshakeType::SERVER_HELLO_DONE, 8);
    f
}

/// With a CertificateRequest in it that lists one CA.
pub(super) fn asked(mut f: FlowFacts) -> FlowFacts {
    f.certificate_request = Some(Box::new(CertificateRequestFact {
        types: vec![1, 64],
        authorities: vec!["CN=Client CA".into()],
        authorities_raw: vec![dn("Client CA")],
        mark: mark(8),
        ..CertificateRequestFact::default()
    }));
    f
}

/// The client has answered with these certificates (none: an empty message) and finished.
pub(super) fn client_flight(mut f: FlowFacts, chain: Vec<Certificate>) -> FlowFacts {
    let some = !chain.is_empty();
    f.sides[Side::A].certificates = Some(ChainFact::new(chain.into_iter().map(Arc::new).collect(), 0, mark(9)));
    f.sides[Side::A].certificate_verify = some.then_some((mark(9), None));
    f.client_key_exchange = Some(mark(9));
    f.sides[Side::A].ccs = Some(mark(9));
    f.sides[Side::A].after_ccs = Some(mark(9));
    f
}

/// Both have finished.
pub(super) fn established(mut f: FlowFacts) -> FlowFacts {
    for s in &mut f.sides {
        s.ccs.get_or_insert(mark(10));
        s.after_ccs.get_or_insert(mark(10));
    }
    f.client_key_exchange.get_or_insert(mark(9));
    f.sides[Side::A].application_data = Some(mark(12));
    f.sides[Side::B].application_data = Some(mark(13));
    f
}

/// A side sends a fatal alert in clear, then closes.
pub(super) fn alert(mut f: FlowFacts, side: Side, description: u8) -> FlowFacts {
    f.alerts.push(AlertFact {
        mark: mark(11),
        side,
        said: Some((AlertLevel::FATAL, AlertDescription(description))),
        basis: Basis::Observed,
    });
    f.tcp.fin[side] = Some(mark(12));
    f
}

/// A side closes without a word.
pub(super) fn fin(mut f: FlowFacts, side: Side) -> FlowFacts {
    f.tcp.fin[side] = Some(mark(11));
    f
}

/// A side resets without a word.
pub(super) fn rst(mut f: FlowFacts, side: Side) -> FlowFacts {
    f.tcp.rst[side] = Some(mark(11));
    f
}

/// What the rules say.
pub(super) fn told(f: &FlowFacts) -> Diagnosis {
    diagnose(f, &Policy::default())
}

/// The finding of a code.
pub(super) fn find(f: &FlowFacts, code: &str) -> Option<Finding> {
    told(f).findings.into_iter().find(|x| x.code == code)
}

/// What is said of a capture of these flows, in the order in which they end.
pub(super) fn whole(flows: Vec<FlowFacts>) -> Vec<Finding> {
    let mut memory = Memory::default();
    for (mut f, id) in flows.into_iter().zip(1..) {
        f.id = id;
        f.first.time.0 += i64::try_from(id).expect("small") * 1000;
        f.last.time.0 = f.first.time.0 + 1;
        f.client_hello.as_mut().expect("there").message.random = [u8::try_from(id).expect("few"); 32];
        f.siblings = memory.recall(&f);
        let d = told(&f);
        memory.remember(&f, d.outcome, d.cause);
    }
    diagnose_capture(&memory, &Policy::default())
}

/// The codes of findings.
pub(super) fn codes(found: &[Finding]) -> Vec<&str> {
    found.iter().map(|f| f.code).collect()
}

/// A connection that works, with this certificate.
pub(super) fn shows(cert: Certificate) -> FlowFacts {
    established(server_flight(vec![cert]))
}

/// Another certificate for the same name.
pub(super) fn other(n: u8) -> Certificate {
    Certificate { sha256: [n; 32], serial: format!("{n:02x}"), ..leaf() }
}

/// To another server.
pub(super) fn at(mut f: FlowFacts, last: u8) -> FlowFacts {
    f.ends.b.ip = [192, 0, 2, last].into();
    f
}

/// From another client.
pub(super) fn from(mut f: FlowFacts, last: u8) -> FlowFacts {
    f.ends.a.ip = [198, 51, 100, last].into();
    f
}

/// At a later second, since flows are told apart by when they took place.
pub(super) fn later(mut f: FlowFacts, secs: i64) -> FlowFacts {
    f.first.time.0 += secs * 1_000_000_000;
    f
}

/// A flow after others, as the analyzer would hand it to the rules.
pub(super) fn after(earlier: &[&FlowFacts], mut f: FlowFacts) -> FlowFacts {
    let mut memory = Memory::default();
    for (e, id) in earlier.iter().zip(1..) {
        let mut e = (*e).clone();
        e.id = id;
        e.siblings = memory.recall(&e);
        memory.passed(&e);
        let d = told(&e);
        memory.remember(&e, d.outcome, d.cause);
    }
    f.id = 9;
    f.siblings = memory.recall(&f);
    f
}

/// The client refuses the server's certificate with an alert.
pub(super) fn refused(c: Certificate, a: u8) -> FlowFacts {
    alert(server_flight(vec![c]), Side::A, a)
}

/// Frame `n`, so many milliseconds after the beginning.
pub(super) fn moment(n: u64, ms: i64) -> Mark {
    let mut m = mark(n);
    m.time.0 = mark(0).time.0 + ms * 1_000_000;
    m
}

/// With another random in its ClientHello.
pub(super) fn random(mut f: FlowFacts, n: u8) -> FlowFacts {
    f.client_hello.as_mut().expect("there").message.random = [n; 32];
    f
}

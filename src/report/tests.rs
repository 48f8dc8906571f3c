//! Each field of the contract, there and not there, on facts made by hand.

use std::sync::Arc;

use serde_json::{Value, json};

use super::view::{Document, Flow, SCHEMA_VERSION, Source, Tool};
use super::*;
use crate::diagnose::{Blame, Confidence, Diagnosis, Fingerprint, Severity};
use crate::facts::{
    AlertFact, Basis, CertificateRequestFact, ChainFact, FlowFacts, MessageFact, MessageKind, Outcome, Placed, Totals,
};
use crate::flow::{Endpoint, Endpoints, Gap, GapReason, Mark, Sightings};
use crate::span::{FrameNo, Side, Timestamp};
use crate::tls::Start;
use crate::tls::handshake::{ClientHello, Extensions, ServerHello, ServerKeyExchange};
use crate::tls::names::{AlertDescription, AlertLevel, ContentType, HandshakeType, NamedGroup};
use crate::x509::Certificate;

mod whole;

/// 2026-06-01T12:00:00Z (`date -u -d 2026-06-01T12:00:00 +%s`).
const NOON: i64 = 1_780_315_200;

pub(super) fn mark(frame: u64, ms: i64) -> Mark {
    Mark { frame: FrameNo(frame), time: Timestamp::from_parts(NOON, ms.saturating_mul(1_000_000)) }
}

fn end(ip: &str, port: u16) -> Endpoint {
    Endpoint { ip: ip.parse().unwrap(), port }
}

/// Nothing but addresses.
pub(super) fn bare() -> FlowFacts {
    let ends = Endpoints { a: end("192.0.2.10", 50_001), b: end("198.51.100.20", 8443) };
    FlowFacts::new(7, 0, ends, mark(1, 0))
}

/// A ClientHello by side A.
pub(super) fn with_client_hello() -> FlowFacts {
    let mut f = bare();
    f.last = mark(4, 3);
    f.sides[Side::A].start = Some((Start::Tls, mark(4, 3)));
    f.tcp.packets = crate::span::Pair::new(2, 1);
    f.tcp.bytes = crate::span::Pair::new(517, 0);
    let extensions = Extensions {
        types: vec![0x4a4a, 0, 10, 13, 16, 43, 51],
        server_name: Some(vec![Box::from(&b"example.org"[..])]),
        alpn: vec![Box::from(&b"h2"[..]), Box::from(&b"a\x1b\xff"[..])],
        supported_versions: vec![0x0304, 0x0303],
        groups: vec![0x001d],
        key_shares: vec![0x001d],
        signature_schemes: vec![0x0804],
        ..Extensions::default()
    };
    let message = ClientHello {
        legacy_version: 0x0303,
        random: [0xaa; 32],
        session_id: vec![1, 2],
        cipher_suites: vec![0x4a4a, 0x1301, 0xc02f],
        compression_methods: vec![0],
        extensions,
        length: 508,
        ..ClientHello::default()
    };
    f.client_hello = Some(Box::new(Placed { message, mark: mark(4, 3), side: Side::A, frames: Default::default() }));
    f.client_hellos = 1;
    f.messages.push(step(4, Side::A, ContentType::HANDSHAKE, MessageKind::Handshake(HandshakeType::CLIENT_HELLO)));
    f
}

fn step(frame: u64, side: Side, record: ContentType, kind: MessageKind) -> MessageFact {
    let frames = smallvec::smallvec![FrameNo(frame)];
    MessageFact { mark: mark(frame, frame as i64), side, record, kind, length: 100, basis: Basis::Observed, frames }
}

/// A TLS 1.2 handshake up to ServerHelloDone.
fn with_server_flight() -> FlowFacts {
    let mut f = with_client_hello();
    f.sides[Side::B].start = Some((Start::Tls, mark(6, 5)));
    let extensions = Extensions {
        types: vec![0xff01, 16],
        alpn: vec![Box::from(&b"h2"[..])],
        renegotiation_info: Some(0),
        ..Extensions::default()
    };
    let message = ServerHello {
        legacy_version: 0x0303,
        cipher_suite: 0xc02f,
        random: [0xbb; 32],
        extensions,
        ..ServerHello::default()
    };
    f.server_hello = Some(Box::new(Placed { message, mark: mark(6, 5), side: Side::B, frames: Default::default() }));
    f.server_key_exchange =
        Some((mark(6, 5), ServerKeyExchange { group: Some(NamedGroup::X25519), ..ServerKeyExchange::default() }));
    f.sides[Side::B].certificates = Some(ChainFact::new(vec![certificate()], 0, mark(6, 5)));
    f.server_hello_done = Some(mark(6, 5));
    f
}

/// The rest of it.
fn finished(mut f: FlowFacts) -> FlowFacts {
    for (i, at) in [(crate::span::Side::A, 8), (crate::span::Side::B, 9)] {
        f.sides[i].ccs = Some(mark(at, at as i64));
        f.sides[i].after_ccs = Some(mark(at, at as i64));
    }
    f.client_key_exchange = Some(mark(8, 8));
    f
}

fn certificate() -> Arc<Certificate> {
    Arc::new(Certificate {
        der_len: 819,
        subject: "CN=leaf".into(),
        issuer: "CN=CA".into(),
        serial: "00ff".into(),
        version: 3,
        not_before: Some(NOON),
        not_after: Some(NOON + 86_400),
        ..Certificate::default()
    })
}

pub(super) fn report(facts: FlowFacts, outcome: Outcome, findings: Vec<Finding>) -> FlowReport {
    let cause = findings.iter().find(|f| f.explains_failure).map(|f| f.code);
    let cause = cause.filter(|_| matches!(outcome, Outcome::Failed | Outcome::Rejected));
    FlowReport { facts: Box::new(facts), diagnosis: Diagnosis { outcome, cause, findings } }
}

pub(super) fn finding(code: &'static str) -> Finding {
    Finding {
        code,
        fingerprint: Fingerprint::of_capture(code, Severity::Error, ""),
        severity: Severity::Error,
        confidence: Confidence::Certain,
        title: "The server required a client certificate and the client sent none".into(),
        detail: "The server asked in frame 7, the client answered with an empty list.".into(),
        remedy: "Give the client a certificate.".into(),
        blame: Blame::Client,
        explains_failure: true,
        frames: vec![FrameNo(7), FrameNo(9)],
        flows: Vec::new(),
    }
}

fn of(facts: FlowFacts, outcome: Outcome) -> Value {
    let r = report(facts, outcome, Vec::new());
    serde_json::to_value(Flow::from_report(&r)).unwrap()
}

#[test]
fn a_flow_of_which_nothing_is_known() {
    let f = of(bare(), Outcome::Failed);
    assert_eq!(f["id"], 7);
    assert_eq!(f["transport"], "tcp");
    assert_eq!(f["protocol"], "none");
    assert_eq!(f["client"], json!({"ip": "192.0.2.10", "port": 50_001}));
    assert_eq!(f["server"], json!({"ip": "198.51.100.20", "port": 8443}));
    assert_eq!(f["first_time"], "2026-06-01T12:00:00.000000000Z");
    assert_eq!(f["cause"], Value::Null);
    assert!(f.as_object().unwrap().contains_key("cause"));
    assert_eq!(f["phase"], "tcp_connect");
    assert_eq!(f["decryption"], "none");
    assert_eq!(f["messages"], json!([]));
    for absent in [
        "encapsulation",
        "upgrade",
        "gaps",
        "omitted",
        "ended_by",
        "version",
        "cipher_suite",
        "key_exchange",
        "alpn",
        "resumed",
        "early_data",
        "hello_retry",
        "secure_renegotiation",
        "client_hello",
        "server_hello",
        "client_auth",
        "certificates",
        "ocsp_staple",
        "fingerprints",
    ] {
        assert!(f.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn client_hello_as_offered() {
    let mut facts = with_client_hello();
    facts.vlans.extend([10, 20]);
    facts.tcp.syn[Side::A] = Some(Sightings { first: mark(1, 0), last: mark(1, 0), count: 1 });
    facts.tcp.syn_ack[Side::B] = Some(Sightings { first: mark(2, 1), last: mark(2, 1), count: 1 });
    let f = of(facts, Outcome::Incomplete);
    assert_eq!(f["protocol"], "tls");
    assert_eq!(f["encapsulation"], json!(["vlan 10", "vlan 20"]));
    assert_eq!(f["packets"], json!({"client": 2, "server": 1}));
    assert_eq!(f["bytes"], json!({"client": 517, "server": 0}));
    assert_eq!(f["duration_us"], 3000);
    assert_eq!(f["timing"], json!({"tcp_connect_us": 1000}));
    let h = &f["client_hello"];
    assert_eq!(h["frame"], 4);
    assert_eq!(h["length"], 508);
    assert_eq!(h["server_name"], "example.org");
    assert_eq!(h["alpn"], json!(["h2", "a\\u{1b}\\xff"]));
    assert_eq!(h["session_id"], "0102");
    assert_eq!(h["random"], "aa".repeat(32));
    assert_eq!(h["cipher_suites"][0], json!({"id": "0x4a4a", "name": "GREASE (0x4a4a)"}));
    assert_eq!(h["cipher_suites"][1], json!({"id": "0x1301", "name": "TLS_AES_128_GCM_SHA256"}));
    assert_eq!(h["extensions"][1], json!({"id": "0x0000", "name": "server_name"}));
    assert_eq!(h["versions"][0], json!({"id": "0x0304", "name": "TLS 1.3"}));
    assert_eq!(h["groups"], json!([{"id": "0x001d", "name": "x25519"}]));
    assert_eq!(h["key_shares"], h["groups"]);
    assert_eq!(h["signature_schemes"], json!([{"id": "0x0804", "name": "rsa_pss_rsae_sha256"}]));
    assert_eq!(h["compression_methods"][0]["id"], "0x00");
    assert_eq!((&h["encrypted_client_hello"], &h["psk_offered"]), (&json!(false), &json!(false)));
    let prints = &f["fingerprints"];
    assert_eq!(prints["ja3"].as_str().unwrap().len(), 32);
    assert!(prints.get("ja3s").is_none());
    // ALPN `h2` comes first: t, 13, d, 2 suites, 6 extensions without GREASE.
    assert!(prints["ja4"].as_str().unwrap().starts_with("t13d0206h2_"), "{prints}");
    assert_eq!(f["client_auth"]["requested"], Value::Null);
    assert_eq!(f["client_auth"]["certificate"], "unknown");
    assert!(f["client_auth"].get("basis").is_none());
    assert_eq!(
        f["messages"][0],
        json!({
            "frame": 4, "time": "2026-06-01T12:00:00.004000000Z", "from": "client", "record": "handshake", "type": "client_hello",
            "length": 100, "basis": "observed"
        })
    );
    assert!(f.get("hello_retry").is_none());
}

#[test]
fn a_handshake_that_failed_before_the_server_could_ask() {
    let mut facts = with_client_hello();
    facts.sides[Side::B].start = Some((Start::Tls, mark(5, 4)));
    let said = Some((AlertLevel::FATAL, AlertDescription::HANDSHAKE_FAILURE));
    facts.alerts.push(AlertFact { mark: mark(5, 4), side: Side::B, said, basis: Basis::Observed });
    let f = of(facts, Outcome::Failed);
    assert_eq!(f["client_auth"], json!({"requested": false, "certificate": "none", "basis": "observed"}));
    assert_eq!(
        f["alerts"],
        json!([{
            "frame": 5, "time": "2026-06-01T12:00:00.004000000Z", "from": "server", "level": "fatal",
            "description": {"id": "0x28", "name": "handshake_failure"}, "basis": "observed"
        }])
    );
    assert_eq!(f["ended_by"], json!({"from": "server", "how": "alert", "frame": 5}));
    assert_eq!(f["hello_retry"], false);
}

#[test]
fn a_protected_alert_says_nothing() {
    let mut facts = with_client_hello();
    facts.alerts.push(AlertFact { mark: mark(5, 4), side: Side::B, said: None, basis: Basis::Inferred });
    let f = of(facts, Outcome::Established);
    assert_eq!(f["alerts"][0]["description"], Value::Null);
    assert_eq!(f["alerts"][0]["level"], Value::Null);
    assert_eq!(f["alerts"][0]["basis"], "inferred");
}

#[test]
fn tls12_negotiated() {
    let mut facts = finished(with_server_flight());
    facts.sides[Side::A].encrypted = Totals { records: 2, bytes: 80 };
    let f = of(facts, Outcome::Established);
    assert_eq!(f["version"], json!({"id": "0x0303", "name": "TLS 1.2"}));
    assert_eq!(f["cipher_suite"]["name"], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!(f["key_exchange"], json!({"group": {"id": "0x001d", "name": "x25519"}, "post_quantum": false}));
    assert_eq!(f["alpn"], "h2");
    assert_eq!(f["resumed"], false);
    assert_eq!(f["hello_retry"], false);
    assert_eq!(f["secure_renegotiation"], true);
    assert_eq!(f["phase"], "complete");
    assert_eq!(f["server_hello"]["frame"], 6);
    assert_eq!(f["server_hello"]["downgrade_sentinel"], Value::Null);
    assert!(f["server_hello"].get("selected_group").is_none());
    assert_eq!(f["fingerprints"]["ja3s"].as_str().unwrap().len(), 32);
    assert_eq!(f["client_auth"], json!({"requested": false, "certificate": "none", "basis": "observed"}));
    assert_eq!(f["certificates"]["client"], json!([]));
    let c = &f["certificates"]["server"][0];
    assert_eq!(c["subject"], "CN=leaf");
    assert_eq!(c["serial"], "00ff");
    assert_eq!(c["not_before"], "2026-06-01T12:00:00Z");
    assert_eq!(c["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(f["encrypted_records"]["client"], json!({"records": 2, "bytes": 80}));
    let timing = json!({
        "client_hello_to_server_hello_us": 2000, "server_hello_to_client_finish_us": 3000, "handshake_us": 6000
    });
    assert_eq!(f["timing"], timing);
    assert!(f.get("early_data").is_none());
}

#[test]
fn client_authentication_in_clear() {
    let asked = || {
        let mut f = with_server_flight();
        f.certificate_request = Some(Box::new(CertificateRequestFact {
            types: vec![1, 64],
            signature_schemes: vec![0x0401],
            authorities: vec!["CN=clientCA,O=LMT Corp".into()],
            ..CertificateRequestFact::default()
        }));
        f
    };
    let chain = |chain| Some(ChainFact::new(chain, 0, mark(8, 8)));

    let f = of(asked(), Outcome::Failed);
    assert_eq!(f["client_auth"]["certificate"], "unanswered");
    assert_eq!(f["client_auth"]["acceptable_cas"], json!(["CN=clientCA,O=LMT Corp"]));
    assert_eq!(f["client_auth"]["acceptable_types"][0], json!({"id": "0x01", "name": "rsa_sign"}));
    assert_eq!(f["client_auth"]["signature_schemes"][0], json!({"id": "0x0401", "name": "rsa_pkcs1_sha256"}));

    let f = of(asked(), Outcome::Incomplete);
    assert_eq!((&f["client_auth"]["requested"], &f["client_auth"]["certificate"]), (&json!(true), &json!("unknown")));

    let mut empty = finished(asked());
    empty.sides[Side::A].certificates = chain(Vec::new());
    let f = of(empty, Outcome::Failed);
    assert_eq!(f["client_auth"]["certificate"], "empty");
    assert!(f["client_auth"].get("leaf_length").is_none());
    assert!(f["client_auth"].get("verified_possession").is_none());
    assert_eq!(f["certificates"]["client"], json!([]));

    let mut sent = finished(asked());
    sent.sides[Side::A].certificates = chain(vec![certificate()]);
    let f = of(sent.clone(), Outcome::Established);
    assert_eq!(f["client_auth"]["certificate"], "sent");
    assert_eq!(f["client_auth"]["leaf_length"], 819);
    assert_eq!(f["client_auth"]["verified_possession"], false);
    sent.sides[Side::A].certificate_verify = Some((mark(8, 8), None));
    let f = of(sent.clone(), Outcome::Established);
    assert_eq!(f["client_auth"]["verified_possession"], true);
    assert_eq!(f["client_auth"]["basis"], "observed");
    let mut s = Summary::default();
    s.add_flow(&report(sent.clone(), Outcome::Established, Vec::new()));
    s.add_flow(&report(sent, Outcome::Rejected, Vec::new()));
    assert_eq!((s.flows, s.established, s.rejected, s.mutual_tls), (2, 1, 1, 1));

    // SSL 3.0 says with an alert that there is none (RFC 6101, section 5.6.6).
    let mut ssl3 = finished(asked());
    let said = Some((AlertLevel::WARNING, AlertDescription::NO_CERTIFICATE));
    ssl3.alerts.push(AlertFact { mark: mark(7, 7), side: Side::A, said, basis: Basis::Observed });
    assert_eq!(of(ssl3, Outcome::Failed)["client_auth"]["certificate"], "empty");
}

fn tls13(psk: Option<u16>) -> FlowFacts {
    let mut f = with_client_hello();
    f.sides[Side::B].start = Some((Start::Tls, mark(6, 5)));
    let extensions = Extensions {
        types: vec![43, 51],
        supported_versions: vec![0x0304],
        key_shares: vec![0x11ec],
        psk,
        ..Extensions::default()
    };
    let mut random = [0xbb; 32];
    random[24..].copy_from_slice(b"DOWNGRD\x01");
    let message =
        ServerHello { legacy_version: 0x0303, cipher_suite: 0x1301, random, extensions, ..ServerHello::default() };
    f.server_hello = Some(Box::new(Placed { message, mark: mark(6, 5), side: Side::B, frames: Default::default() }));
    f
}

#[test]
fn tls13_hides_what_it_hides() {
    let mut facts = tls13(None);
    facts.client_hello.as_mut().unwrap().message.extensions.early_data = true;
    let f = of(facts, Outcome::Incomplete);
    assert_eq!(f["version"]["name"], "TLS 1.3");
    assert_eq!(f["key_exchange"], json!({"group": {"id": "0x11ec", "name": "X25519MLKEM768"}, "post_quantum": true}));
    assert_eq!(f["server_hello"]["selected_group"]["id"], "0x11ec");
    assert_eq!(f["server_hello"]["downgrade_sentinel"], "TLS 1.2");
    assert_eq!(f["client_auth"], json!({"requested": null, "certificate": "unknown"}));
    assert_eq!(f["early_data"], "rejected");
    assert_eq!(f["resumed"], false);
    for absent in ["certificates", "secure_renegotiation", "alpn"] {
        assert!(f.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn a_resumed_session_asks_for_nothing() {
    let mut facts = tls13(Some(0));
    facts.client_hello.as_mut().unwrap().message.extensions.early_data = true;
    let f = of(facts, Outcome::Established);
    assert_eq!(f["resumed"], true);
    assert_eq!(f["early_data"], "offered");
    assert_eq!(
        f["client_auth"],
        json!({
            "requested": false, "certificate": "none", "basis": "inferred", "confidence": "certain"
        })
    );
}

#[test]
fn only_a_hello_retry_request() {
    let mut facts = tls13(None);
    facts.client_hello.as_mut().unwrap().message.extensions.early_data = true;
    let mut hrr = facts.server_hello.take().unwrap();
    hrr.message.hello_retry = true;
    facts.hello_retry = Some(hrr);
    let f = of(facts, Outcome::Incomplete);
    assert_eq!(f["hello_retry"], true);
    assert_eq!(f["server_hello"]["frame"], 6);
    assert_eq!(f["early_data"], "rejected");
    for absent in ["version", "cipher_suite", "resumed"] {
        assert!(f.get(absent).is_none(), "{absent}");
    }
    assert!(f["fingerprints"].get("ja3s").is_none());
}

#[test]
fn ssl2_format_and_ssl2_itself() {
    let mut facts = with_client_hello();
    {
        let h = &mut facts.client_hello.as_mut().unwrap().message;
        h.ssl2_format = true;
        h.legacy_version = 0x0301;
        h.extensions = Extensions::default();
        h.cipher_suites = vec![0x0004];
        h.ssl2_specs = vec![0x00_0004, 0x07_00c0];
    }
    let f = of(facts.clone(), Outcome::Incomplete);
    assert_eq!(f["protocol"], "tls");
    assert_eq!(f["client_hello"]["cipher_suites"], json!([{"id": "0x0004", "name": "TLS_RSA_WITH_RC4_128_MD5"}]));
    assert_eq!(f["client_hello"]["extensions"], json!([]));
    assert!(f.get("fingerprints").is_none());
    facts.client_hello.as_mut().unwrap().message.legacy_version = 2;
    let f = of(facts.clone(), Outcome::Incomplete);
    assert_eq!(f["protocol"], "ssl2");
    assert_eq!(f["client_hello"]["cipher_suites"][1]["id"], "0x0700c0");
    let message = ServerHello { legacy_version: 2, ssl2_format: true, ..ServerHello::default() };
    facts.server_hello =
        Some(Box::new(Placed { message, mark: mark(6, 5), side: Side::B, frames: Default::default() }));
    let f = of(facts, Outcome::Incomplete);
    assert_eq!(f["protocol"], "ssl2");
    assert_eq!(f["version"], json!({"id": "0x0002", "name": "SSL 2.0"}));
    assert!(f.get("cipher_suite").is_none());
    assert!(f.get("secure_renegotiation").is_none());
}

#[test]
fn gaps_of_both_sides_by_frame() {
    let mut facts = with_client_hello();
    let gap = |frame, bytes, reason| Gap { at: 0, bytes, frame: FrameNo(frame), reason };
    facts.sides[Side::A].gaps.push(gap(12, 5, GapReason::Network));
    facts.sides[Side::B].gaps.push(gap(9, 1460, GapReason::Capture));
    facts.sides[Side::B].gaps_omitted = 3;
    facts.omitted.insert("messages", 4);
    let f = of(facts, Outcome::Incomplete);
    assert_eq!(
        f["gaps"],
        json!([
            {"from": "server", "frame": 9, "missing_bytes": 1460, "reason": "capture"},
            {"from": "client", "frame": 12, "missing_bytes": 5, "reason": "network"}
        ])
    );
    assert_eq!(f["omitted"], json!({"gaps": 3, "messages": 4}));
}

#[test]
fn a_cause_belongs_to_a_failure() {
    let r = report(with_server_flight(), Outcome::Failed, vec![finding("client-cert-missing")]);
    let f = serde_json::to_value(Flow::from_report(&r)).unwrap();
    assert_eq!(f["cause"], "client-cert-missing");
    assert_eq!(
        f["findings"][0],
        json!({
            "code": "client-cert-missing", "fingerprint": "34447372f1020c91",
            "severity": "error", "confidence": "certain",
            "title": "The server required a client certificate and the client sent none",
            "detail": "The server asked in frame 7, the client answered with an empty list.",
            "remedy": "Give the client a certificate.", "blame": "client", "explains_failure": true, "frames": [7, 9]
        })
    );
    let mut r = report(with_server_flight(), Outcome::Established, vec![finding("client-cert-missing")]);
    r.diagnosis.cause = Some("client-cert-missing");
    assert_eq!(serde_json::to_value(Flow::from_report(&r)).unwrap()["cause"], Value::Null);
}

pub(super) fn written(name: &str, options: &Options, flows: &[FlowReport], findings: &[Finding]) -> String {
    let mut out = Vec::new();
    {
        let mut w = (format(name).unwrap().make)(&mut out, options);
        w.begin().unwrap();
        for f in flows {
            w.flow(f).unwrap();
        }
        w.finish(&[whole::source()], findings).unwrap();
        assert_eq!(w.summary().flows, flows.len() as u64);
    }
    String::from_utf8(out).unwrap()
}

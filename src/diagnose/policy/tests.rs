use super::super::testing::*;
use super::super::{Audit, Confidence, Finding, Policy, Severity, diagnose};
use crate::expect::Expectations;
use crate::facts::FlowFacts;
use crate::span::{FrameNo, Side};
use crate::tls::Start;
use crate::tls::handshake::ServerKeyExchange;
use crate::tls::names::NamedGroup;
use crate::upgrade::Plain;
use crate::x509::{Certificate, San};

fn policy(toml: &str) -> Policy {
    Policy { expect: Expectations::parse(toml, "test").unwrap(), ..Policy::default() }
}

/// The findings about the policy.
fn broken(toml: &str, f: &FlowFacts) -> Vec<Finding> {
    let all = diagnose(f, &policy(toml)).findings;
    all.into_iter().filter(|f| f.code.starts_with("policy-")).collect()
}

/// Their codes.
fn codes(toml: &str, f: &FlowFacts) -> Vec<&'static str> {
    broken(toml, f).iter().map(|f| f.code).collect()
}

const NOTHING: [&str; 0] = [];
const UNKNOWN: [&str; 1] = ["policy-not-judged"];

/// A good TLS 1.2 connection.
fn good() -> FlowFacts {
    let mut f = established(server_flight(vec![leaf()]));
    let key = ServerKeyExchange { group: Some(NamedGroup::X25519), ..ServerKeyExchange::default() };
    f.server_key_exchange = Some((mark(7), key));
    f
}

/// The same in TLS 1.3.
fn good13() -> FlowFacts {
    let mut f = server_hello(0x0304);
    f.sides[Side::B].protected = Some(mark(7));
    f.sides[Side::A].finished_sized = Some(mark(9));
    f
}

/// A connection that begins inside its handshake's end.
fn begun(mut f: FlowFacts) -> FlowFacts {
    f.client_hello = None;
    f.server_hello = None;
    f.server_key_exchange = None;
    for s in &mut f.sides {
        s.mid_stream = true;
        s.certificates = None;
    }
    f
}

#[test]
fn a_client_without_a_certificate() {
    const MUTUAL: &str = "mutual_tls = true";
    let proven = client_flight(asked(server_flight(vec![leaf()])), vec![leaf()]);
    assert_eq!(codes(MUTUAL, &established(proven)), NOTHING);
    // Not asked.
    let found = broken(MUTUAL, &good());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code, found[0].severity), ("policy-mutual-tls", Severity::Error));
    assert!(found[0].detail.contains("192.0.2.2:8443 did not ask"), "{}", found[0].detail);
    assert!(found[0].frames.contains(&FrameNo(6)) && !found[0].explains_failure);
    // Asked, and an empty answer was good enough.
    let empty = client_flight(asked(server_flight(vec![leaf()])), vec![]);
    let found = broken(MUTUAL, &established(empty.clone()));
    assert!(found.len() == 1 && found[0].detail.contains("got an empty answer (frame 9)"), "{found:?}");
    // A server that refuses the empty answer does what is required.
    let refused = alert(empty, Side::B, 40);
    assert_eq!(codes(MUTUAL, &refused), NOTHING);
    let mut audit = Audit::default();
    audit.add(&refused, &policy(MUTUAL));
    assert!(audit.findings(&policy(MUTUAL)).is_empty());
    // What is not shown is not held against anybody.
    assert_eq!(codes(MUTUAL, &begun(good())), UNKNOWN);
    let mut resumed = established(server_hello(0x0303));
    resumed.client_key_exchange = None;
    assert_eq!(codes(MUTUAL, &resumed), UNKNOWN);
    let mut gap = good();
    gap.sides[Side::B].handshake_gap = true;
    gap.server_hello_done = None;
    assert_eq!(codes(MUTUAL, &gap), UNKNOWN);
    // Switched off.
    assert_eq!(codes("mutual_tls = false", &good()), NOTHING);
    assert_eq!(codes("mutual_tls = true\n[[server]]\nport = 8443\nmutual_tls = false", &good()), NOTHING);
}

#[test]
fn an_old_version() {
    assert_eq!(codes("min_version = '1.2'", &good()), NOTHING);
    assert_eq!(codes("min_version = '1.3'", &good13()), NOTHING);
    let found = broken("min_version = '1.3'", &good());
    assert_eq!(found[0].code, "policy-version");
    assert_eq!(found[0].confidence, Confidence::Certain);
    assert_eq!(found[0].frames, [FrameNo(6)]);
    // A handshake that failed before has no version; one that the capture does not show may have.
    assert_eq!(codes("min_version = '1.3'", &alert(hello(), Side::B, 40)), NOTHING);
    assert_eq!(codes("min_version = '1.3'", &begun(good())), UNKNOWN);
    let mut one_sided = hello();
    one_sided.tcp.packets = crate::span::Pair::new(3, 0);
    assert_eq!(codes("min_version = '1.3'", &one_sided), UNKNOWN);
}

#[test]
fn a_suite_that_is_not_allowed() {
    assert_eq!(codes("cipher_suites = 'TLS_ECDHE_*'", &good()), NOTHING);
    let found = broken("cipher_suites = 'TLS_AES_*'", &good());
    assert_eq!(found[0].code, "policy-cipher-suite");
    assert!(found[0].detail.contains("chose TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), "{}", found[0].detail);
    assert_eq!(codes("cipher_suites = 'TLS_AES_*'", &begun(good())), UNKNOWN);
}

#[test]
fn a_group_that_is_not_allowed() {
    assert_eq!(codes("groups = 'x25519'", &good()), NOTHING);
    assert_eq!(codes("groups = 'x25519'", &good13()), NOTHING);
    let found = broken("groups = 'secp256r1'", &good());
    assert_eq!((found[0].code, &found[0].frames[..]), ("policy-group", &[FrameNo(7)][..]));
    assert_eq!(broken("groups = 'secp256r1'", &good13())[0].frames, [FrameNo(6)]);
    // A group without a name is none of them.
    let mut dhe = good();
    dhe.server_key_exchange = Some((mark(7), ServerKeyExchange { dh_bits: Some(2048), ..Default::default() }));
    assert!(broken("groups = 'x25519'", &dhe)[0].detail.contains("2048 bits without a name"));
    // RSA has none, and where the key exchange is missing nothing is known.
    let mut rsa = good();
    rsa.server_key_exchange = None;
    rsa.server_hello.as_mut().unwrap().message.cipher_suite = 0x009c;
    assert_eq!(codes("groups = 'x25519'", &rsa), NOTHING);
    let mut gap = good();
    gap.server_key_exchange = None;
    gap.sides[Side::B].handshake_gap = true;
    assert_eq!(codes("groups = 'x25519'", &gap), UNKNOWN);
}

#[test]
fn a_key_exchange_that_a_quantum_computer_breaks() {
    const PQ: &str = "post_quantum = true";
    let mut hybrid = good13();
    hybrid.server_hello.as_mut().unwrap().message.extensions.key_shares = vec![0x11ec];
    assert_eq!(codes(PQ, &hybrid), NOTHING);
    let found = broken(PQ, &good13());
    assert_eq!(found[0].code, "policy-post-quantum");
    assert!(found[0].detail.ends_with("The client offered no post-quantum group."), "{}", found[0].detail);
    assert_eq!(found[0].blame.name(), Some("client"));
    let mut refused = good13();
    refused.client_hello.as_mut().unwrap().message.extensions.groups.push(0x11ec);
    assert_eq!(broken(PQ, &refused)[0].blame.name(), Some("server"));
    assert_eq!(codes(PQ, &begun(good())), UNKNOWN);
}

#[test]
fn a_certificate_that_ends_soon() {
    // The certificate of the tests ends 300 days after the connection.
    assert_eq!(codes("certificate_days = 300", &good()), NOTHING);
    let found = broken("certificate_days = 301", &good());
    assert_eq!((found[0].code, &found[0].frames[..]), ("policy-certificate-days", &[FrameNo(7)][..]));
    assert!(found[0].detail.contains("valid for 300 days more; the policy requires 301 days"), "{}", found[0].detail);
    let ended = Certificate { not_after: Some(NOW - 1), ..leaf() };
    let found = broken("certificate_days = 0", &established(server_flight(vec![ended])));
    assert!(found[0].detail.contains("had ended"), "{}", found[0].detail);
    // The one that ends first counts, also behind the leaf.
    let ca = Certificate { not_after: Some(NOW + 86_400), ..leaf() };
    assert_eq!(
        codes("certificate_days = 2", &established(server_flight(vec![leaf(), ca]))),
        ["policy-certificate-days"]
    );
    assert_eq!(codes("certificate_days = 301", &good13()), UNKNOWN);
    assert_eq!(codes("certificate_days = 301", &begun(good())), UNKNOWN);
}

#[test]
fn an_issuer_that_is_not_allowed() {
    for allowed in ["CN=Issuing CA", "issuing ca", "CN=*", "Issu*"] {
        assert_eq!(codes(&format!("issuers = '{allowed}'"), &good()), NOTHING, "{allowed}");
    }
    let found = broken("issuers = ['CN=Other CA', 'Issuing']", &good());
    assert_eq!((found[0].code, &found[0].frames[..]), ("policy-issuer", &[FrameNo(7)][..]));
    assert!(found[0].detail.contains("\"CN=Other CA\", \"Issuing\""), "{}", found[0].detail);
    // A comma that belongs to the name does not end it.
    let comma = Certificate { issuer: "O=x,CN=CA\\, Inc.,C=DE".into(), ..leaf() };
    let f = established(server_flight(vec![comma]));
    assert_eq!(codes("issuers = 'CA\\, Inc.'", &f), NOTHING);
    assert_eq!(codes("issuers = 'CA\\'", &f), ["policy-issuer"]);
    assert_eq!(codes("issuers = 'x'", &good13()), UNKNOWN);
}

#[test]
fn an_application_protocol_that_is_not_allowed() {
    let offer = |mut f: FlowFacts, protocols: &[&[u8]]| {
        f.client_hello.as_mut().unwrap().message.extensions.alpn = protocols.iter().map(|p| Box::from(*p)).collect();
        f
    };
    let select = |mut f: FlowFacts, protocol: &[u8]| {
        f.server_hello.as_mut().unwrap().message.extensions.alpn = vec![protocol.into()];
        f
    };
    const H2: &str = "alpn = 'h2'";
    assert_eq!(codes(H2, &select(offer(good(), &[b"h2"]), b"h2")), NOTHING);
    let found = broken(H2, &select(offer(good(), &[b"h2", b"http/1.1"]), b"http/1.1"));
    assert_eq!((found[0].code, found[0].blame.name()), ("policy-alpn", Some("server")));
    assert_eq!(broken(H2, &offer(good(), &[b"h2"]))[0].blame.name(), Some("server"));
    for f in [good(), good13(), offer(good13(), &[b"http/1.1"])] {
        assert_eq!(broken(H2, &f)[0].blame.name(), Some("client"));
    }
    // The server's choice is protected in TLS 1.3.
    assert_eq!(codes(H2, &offer(good13(), &[b"h2"])), UNKNOWN);
}

#[test]
fn a_connection_without_tls() {
    let mut plain = hello();
    plain.client_hello = None;
    plain.messages.clear();
    for (side, frame) in [(Side::A, 4), (Side::B, 5)] {
        plain.sides[side].start = Some((Start::Not(Plain::Text), mark(frame)));
        plain.sides[side].saw_syn = true;
    }
    const FORBIDDEN: &str = "plaintext = false";
    let told = diagnose(&plain, &policy(FORBIDDEN));
    assert_eq!(told.cause, Some("policy-plaintext"));
    assert_eq!(told.findings[0].frames, [FrameNo(4), FrameNo(5)]);
    assert_eq!(codes("plaintext = true", &plain), NOTHING);
    assert_eq!(codes(FORBIDDEN, &good()), NOTHING);
    // Nothing else is asked of it.
    assert_eq!(codes("min_version = '1.2'", &plain), NOTHING);
    // It may be TLS whose beginning is missing.
    plain.sides[Side::B].saw_syn = false;
    plain.tcp.opened = false;
    assert_eq!(codes(FORBIDDEN, &plain), UNKNOWN);
}

#[test]
fn what_cannot_be_judged_is_said_once() {
    let all = "min_version = '1.2'\nalpn = 'h2'\ncertificate_days = 1\nmutual_tls = true";
    let found = broken(all, &begun(good()));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code, found[0].severity), ("policy-not-judged", Severity::Warning));
    for key in ["min_version: the capture begins inside", "alpn: ", "certificate_days: ", "mutual_tls: "] {
        assert!(found[0].detail.contains(key), "{key}: {}", found[0].detail);
    }
    assert!(!super::breaks_expectation(&found[0]));
    let strict = broken(&format!("strict = true\n{all}"), &begun(good()));
    assert!(strict.len() == 1 && strict[0].severity == Severity::Error && super::breaks_expectation(&strict[0]));
}

#[test]
fn what_was_checked_on_nothing_is_said_at_the_end() {
    let toml = "min_version = '1.2'\n[[server]]\nname = 'tls-server.local'\nalpn = 'h2'\nmutual_tls = false\n\
                [[server]]\nport = 1\nmutual_tls = true";
    let p = policy(toml);
    let none = Audit::default().findings(&p);
    assert_eq!(none.len(), 3);
    assert!(none.iter().all(|f| f.code == "policy-not-checked" && super::breaks_expectation(f)));
    assert!(none[0].detail.contains("there is no connection"), "{}", none[0].detail);
    let mut audit = Audit::default();
    audit.add(&good(), &p);
    audit.add(&begun(good()), &p);
    let left = audit.findings(&p);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(
        left[0].detail.contains("port 1, and checked on no connection: mutual_tls; none of 2 connections"),
        "{}",
        left[0].detail
    );
    assert!(none.iter().any(|f| f.fingerprint == left[0].fingerprint));
    // Connections that show nothing check nothing.
    let mut blind = Audit::default();
    blind.add(&begun(good()), &p);
    assert!(blind.findings(&p)[0].detail.contains("or do not show it"));
    assert!(blind.findings(&policy(&format!("allow_unchecked = true\n{toml}"))).is_empty());
}

#[test]
fn sections_are_chosen_by_the_name_that_was_asked_for() {
    let toml = "[[server]]\nname = '*.LOCAL'\nmin_version = '1.3'";
    assert_eq!(codes(toml, &good()), ["policy-version"]);
    assert_eq!(codes("[[server]]\nname = '*.test'\nmin_version = '1.3'", &good()), NOTHING);
    // Names in certificates do not count: a server could escape by them.
    let mut unnamed = good();
    unnamed.client_hello.as_mut().unwrap().message.extensions.server_name = None;
    unnamed.sides[Side::B].certificates.as_mut().unwrap().chain[0] =
        Certificate { subject_alt_names: vec![San::Dns("x.local".into())], ..leaf() }.into();
    assert_eq!(codes(toml, &unnamed), NOTHING);
}

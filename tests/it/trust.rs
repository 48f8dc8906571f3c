//! `--trust` and `--at`: chains of real programs against anchors.

use tlscope::span::{Role, Timestamp};
use tlscope::x509::{Trust, Trusted};

use crate::support::golden;

/// 2026-06-01, when the captures begin.
const THEN: i64 = 1_780_315_200;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_parts(secs, 0)
}

#[test]
fn a_chain_is_good_with_its_own_ca_and_with_no_other() {
    let sent = |name: &str| golden(name).report.flows[0].facts.of(Role::Server).certificates.clone().expect("in clear");
    let good = sent("good/one-way-12");
    let own = Trust::read("lab", &good.chain[1].der).expect("a certificate");
    let judge = |trust: &Trust, secs| trust.judge(&good.chain, good.relations(), Role::Server, at(secs));
    assert_eq!(judge(&own, THEN), Trusted::Yes);
    // The lab's certificates end in 2036.
    assert!(matches!(judge(&own, THEN + 11 * 365 * 86_400), Trusted::No(why) if why.contains("expired")));
    let public = Trust::mozilla().expect("compiled in");
    assert!(public.len() > 100 && !public.is_empty());
    assert_eq!(judge(&public, THEN), Trusted::UnknownIssuer);
    // Made by another run of the lab: the same name, another key.
    let other = sent("server/odd-fields-12");
    assert_ne!(other.chain[1].der, good.chain[1].der);
    let other = Trust::read("lab of another day", &other.chain[1].der).expect("a certificate");
    assert!(matches!(judge(&other, THEN), Trusted::No(_)));
    // A client's certificate serves no server.
    let both = golden("good/mtls-12").report.flows[0].facts.of(Role::Client).certificates.clone().expect("in clear");
    let itself = Trust::read("pinned", &both.chain[0].der).expect("a certificate");
    assert_eq!(itself.judge(&both.chain, both.relations(), Role::Client, at(THEN)), Trusted::Yes);
}

#[test]
fn what_is_no_certificate_is_said() {
    for bytes in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", b"\x30\x00"] {
        assert!(Trust::read("file", bytes).is_err(), "{bytes:?}");
    }
}

//! The signatures of real programs verify: the peers that made the captures accepted them, which is the second source.

use std::collections::BTreeMap;

use tlscope::span::{Role, Side};
use tlscope::x509::{Verdict, is_signed_by, verifies};

use crate::support::goldens;

/// Captures whose signatures are wrong on purpose, or whose chain has a CA that did not sign.
const WRONG: &[&str] = &[
    "server/wrong-generation-12",
    "server/wrong-exchange-signature-12",
    "server/wrong-client-signature-12",
    "server/ca-of-the-same-name-12",
];

#[test]
fn what_peers_accepted_is_never_called_invalid() {
    let mut valid: BTreeMap<String, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for g in goldens().iter().filter(|g| !WRONG.contains(&g.name.as_str())) {
        for f in &g.report.flows {
            let f = &f.facts;
            for side in [Side::A, Side::B] {
                let Some(sent) = &f.sides[side].certificates else { continue };
                for link in sent.relations().path.windows(2) {
                    let (child, issuer) = (&sent.chain[link[0]], &sent.chain[link[1]]);
                    match is_signed_by(child, issuer) {
                        Verdict::Valid => *valid.entry(child.signature_algorithm.clone()).or_default() += 1,
                        Verdict::Invalid => wrong.push(format!("{}: {} by {}", g.name, child.subject, issuer.subject)),
                        Verdict::NotJudged => {}
                    }
                }
            }
            if let (Some(signed), Some((_, Some(scheme)))) = (&f.client_signed, f.of(Role::Client).certificate_verify) {
                let own = &f.of(Role::Client).certificates.as_ref().unwrap().chain[0];
                match verifies(own, scheme, &signed.params, &signed.signature) {
                    Verdict::Valid => *valid.entry("client".to_owned()).or_default() += 1,
                    Verdict::Invalid => wrong.push(format!("{}: the client's signature, {scheme}", g.name)),
                    Verdict::NotJudged => {}
                }
            }
            let (Some(h), Some(sh), Some((_, k)), Some(signed)) =
                (&f.client_hello, &f.server_hello, &f.server_key_exchange, &f.server_signed)
            else {
                continue;
            };
            // After a hole or a conflict the bytes may not be those that were signed.
            let doubtful = f.sides.iter().any(|s| s.handshake_gap || !s.conflicts.is_empty());
            let own = f.of(Role::Server).certificates.as_ref().and_then(|c| c.chain.first());
            let (Some(own), Some(scheme), false) = (own, k.signature_scheme, doubtful) else { continue };
            let message = [&h.message.random[..], &sh.message.random[..], &signed.params[..]].concat();
            match verifies(own, scheme, &message, &signed.signature) {
                Verdict::Valid => *valid.entry(scheme.to_string()).or_default() += 1,
                Verdict::Invalid => wrong.push(format!("{}: the key exchange, {scheme}", g.name)),
                Verdict::NotJudged => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} called invalid:\n{}", wrong.len(), wrong.join("\n"));
    for method in [
        "sha256WithRSAEncryption",
        "ecdsa-with-SHA256",
        "rsa_pss_rsae_sha256",
        "ecdsa_secp256r1_sha256",
        "ed25519",
        "rsa_pkcs1_sha1",
        "client",
    ] {
        assert!(valid.contains_key(method), "{method} was never judged: {valid:?}");
    }
}

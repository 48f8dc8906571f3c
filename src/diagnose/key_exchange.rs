//! Key exchange parameters and heartbeats.

use super::refusal::of_server;
use super::server_hello::broken;
use super::{Blame, Confidence, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::tls::names::{AlertDescription, NamedGroup, is_grease};

const SIGNED: &str = "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep 'Peer signing digest'";

/// Primes that many servers share, so that the work against one of them breaks all: bits, first bytes, name. The
/// groups of RFC 2409 and RFC 3526 begin alike (their digits are those of pi).
const SHARED_PRIMES: &[(u32, [u8; 16], &str)] = &[
    (768, OAKLEY, "Oakley group 1 (RFC 2409)"),
    (1024, OAKLEY, "Oakley group 2 (RFC 2409)"),
    (1536, OAKLEY, "group 5 (RFC 3526)"),
    (512, hex16(0xfca6_82ce_8e12_caba_26ef_ccf7_110e_526d), "the prime of 512 bits that Java ships"),
    (768, hex16(0xe9e6_4259_9d35_5f37_c97f_fd35_6712_0b8e), "the prime of 768 bits that Java ships"),
    (1024, hex16(0xfd7f_5381_1d75_1229_52df_4a9c_2eec_e4e7), "the prime of 1024 bits that Java ships"),
];

const OAKLEY: [u8; 16] = hex16(0xffff_ffff_ffff_ffff_c90f_daa2_2168_c234);

const fn hex16(n: u128) -> [u8; 16] {
    n.to_be_bytes()
}

pub(super) const RULES: &[Rule] = &[
    new(
        "weak-dh-params",
        Severity::Error,
        44,
        "The Diffie-Hellman prime of the server is too short",
        page(
            "The prime in the ServerKeyExchange has fewer than 2048 bits.",
            "1024-bit primes are within reach of large attackers (Logjam). OpenSSL 3 says \"dh key too small\" and refuses; Java 7 the other way round fails with more than 1024.",
            "Read in clear. It is the cause only when the client refused.",
            "Use ECDHE suites, or parameters of 2048 bits and more: openssl dhparam -out dh.pem 2048, nginx ssl_dhparam dh.pem; or the named groups ffdhe2048.",
            "  openssl s_client -connect HOST:PORT -cipher DHE -tls1_2 </dev/null | grep 'Server Temp Key'",
            "RFC 7919; RFC 9325, section 4.1",
        ),
        dh,
    ),
    new(
        "explicit-curve",
        Severity::Warning,
        0,
        "The server describes its curve instead of naming it",
        page(
            "The ServerKeyExchange has explicit curve parameters.",
            "Nobody can check such a curve quickly; clients refuse, and decoders of them had serious bugs.",
            "Read in clear.",
            "Use a named curve: P-256 or X25519.",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep 'Server Temp Key'",
            "RFC 8422, section 5.4",
        ),
        explicit,
    ),
    new(
        "weak-curve",
        Severity::Error,
        44,
        "The elliptic curve of the key exchange is too weak",
        page(
            "The ServerKeyExchange names a curve of fewer than 224 bits, or one over a binary field.",
            "Curves below 224 bits are within reach of large attackers; those over binary fields are deprecated, slow, and no client of today offers them.",
            "Read in clear. It is the cause only when the client refused. Binary curves of 224 bits and more are a warning.",
            "Use X25519 or P-256: nginx ssl_ecdh_curve X25519:prime256v1; OpenSSL Groups = X25519:P-256; Java jdk.tls.namedGroups=x25519,secp256r1.",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep 'Server Temp Key'",
            "RFC 8422, section 5.1.1; RFC 9325, section 4.2",
        ),
        weak_curve,
    ),
    new(
        "curve-not-offered",
        Severity::Error,
        48,
        "The server uses a curve that the client did not offer",
        page(
            "The curve of the ServerKeyExchange is not among the supported_groups of the ClientHello.",
            "A broken server, or one that takes its curve from a fixed setting. The client must refuse with illegal_parameter or handshake_failure.",
            "Certain: both messages were read in clear. It is the cause only when the client refused.",
            "Update the server's TLS library; take fixed curves out of its settings (OpenSSL before 1.1.0: SSL_CTX_set_tmp_ecdh; nginx: ssl_ecdh_curve auto).",
            "  openssl s_client -connect HOST:PORT -tls1_2 -curves X25519:P-256 </dev/null | grep 'Server Temp Key'",
            "RFC 8422, sections 4 and 5.4",
        ),
        curve_not_offered,
    ),
    new(
        "ske-sha1-signature",
        Severity::Warning,
        41,
        "The server signs the key exchange with SHA-1",
        page(
            "The signature of the ServerKeyExchange (TLS 1.2) stands on SHA-1.",
            "RFC 9155 forbids it. Clients at OpenSSL security level 1 and above, Java 17 and browsers do not offer it and refuse it.",
            "Read in clear. It is the cause only when the client refused; likely when the client had not offered the scheme, else possible.",
            "On the server, update the TLS library or let it use SHA-256: OpenSSL SignatureAlgorithms = RSA-PSS+SHA256:ECDSA+SHA256:RSA+SHA256; smart cards and HSM drivers may limit the hash. A client that offers SHA-1 first or alone must be updated too.",
            SIGNED,
            "RFC 9155; RFC 5246, section 7.4.3",
        ),
        ske_sha1,
    ),
    new(
        "ske-md5-signature",
        Severity::Warning,
        42,
        "The server signs the key exchange with MD5",
        page(
            "The signature of the ServerKeyExchange (TLS 1.2) stands on MD5.",
            "Collisions of MD5 take seconds; the handshake can be forged (SLOTH). RFC 9155 forbids it.",
            "Read in clear. It is the cause only when the client refused; likely when the client had not offered the scheme, else possible.",
            "Update the TLS library of the server, and that of the client if it offers MD5: OpenSSL SignatureAlgorithms = RSA-PSS+SHA256:ECDSA+SHA256:RSA+SHA256.",
            SIGNED,
            "RFC 9155; RFC 5246, section 7.4.3",
        ),
        ske_md5,
    ),
    new(
        "heartbleed-attempt",
        Severity::Error,
        0,
        "A heartbeat claims more bytes than it has: an attempt at Heartbleed",
        page(
            "A heartbeat request in clear with a payload length that is larger than its record.",
            "A vulnerable peer (OpenSSL 1.0.1 to 1.0.1f) answers with its own memory: keys, passwords.",
            "Certain: no correct program sends such a message. Scanners do so too.",
            "Find out who the sender is. Update OpenSSL on the target; if it answered, replace its keys.",
            "  nmap --script ssl-heartbleed -p PORT HOST",
            "RFC 6520, section 4; CVE-2014-0160",
        ),
        bleed,
    ),
    new(
        "heartbleed-response",
        Severity::Error,
        0,
        "A peer answered a heartbeat with more than it was sent: it leaks its memory (Heartbleed)",
        page(
            "After a heartbeat request with a false length, the peer sent a heartbeat response longer than that request.",
            "Its memory has left the machine: private keys, session keys and passwords must be held for known.",
            "Certain where both were read in clear.",
            "Update OpenSSL (1.0.1g or later), replace the server's key and certificate, have the old one revoked, let passwords be changed.",
            "  nmap --script ssl-heartbleed -p PORT HOST",
            "RFC 6520, section 4; CVE-2014-0160",
        ),
        bled,
    ),
];

fn dh(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (mark, k) = f.server_key_exchange?;
    let bits = k.dh_bits.filter(|b| *b < 2048 && *b > 0)?;
    let shared = shared_prime(f, bits).map_or_else(String::new, |name| {
        format!(" It is {name}, which many servers share: whoever has broken it once can read them all (Logjam).")
    });
    let detail = format!(
        "The prime in the ServerKeyExchange (frame {}) has {bits} bits; 2048 are the least that is recommended.{shared}",
        mark.frame
    );
    let refused = of_server(f).filter(|r| matches!(r.alert.map(|a| a.0), Some(40 | 47 | 71 | 80)));
    let hit = Hit::new(
        detail,
        "On the server: use ECDHE suites, or Diffie-Hellman parameters of at least 2048 bits (nginx: ssl_dhparam).",
    )
    .at(mark)
    .blame(Blame::Server);
    Some(match refused {
        Some(r) if f.certificate_request.is_none() || r.alert == Some(AlertDescription::INSUFFICIENT_SECURITY) => {
            let said = r.alert.map(|a| words::alert_sentence(r.role, a, r.mark)).unwrap_or_default();
            let mut hit = hit.at(r.mark).likely();
            hit.detail.push(' ');
            hit.detail.push_str(&said);
            hit
        }
        // Its code is among those that are tolerated on a connection that worked: it is about its configuration.
        _ => hit.beside(),
    })
}

/// The name of a prime that is known to be shared; the parameters begin with its length and itself.
fn shared_prime(f: &FlowFacts, bits: u32) -> Option<&'static str> {
    let prime = f.server_signed.as_ref()?.params.get(2..)?;
    let prime = prime.strip_prefix(&[0]).unwrap_or(prime);
    SHARED_PRIMES.iter().find(|(n, head, _)| *n == bits && prime.starts_with(head)).map(|(.., name)| *name)
}

/// A weak or wrong choice in the ServerKeyExchange: likely the reason when the client refused it with one of these
/// alerts, else a remark about the configuration.
fn refused_for(f: &FlowFacts, hit: Hit, alerts: &[u8], sure: Confidence) -> Hit {
    match of_server(f).and_then(|r| Some((r, r.alert.filter(|a| alerts.contains(&a.0))?))) {
        Some((r, alert)) => {
            let mut hit = hit.severity(Severity::Error).at(r.mark).sure(sure);
            hit.detail.push(' ');
            hit.detail.push_str(&words::alert_sentence(r.role, alert, r.mark));
            hit
        }
        None => hit.beside(),
    }
}

fn weak_curve(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (mark, k) = f.server_key_exchange?;
    let group = k.group?;
    // sect163k1 to sect571r1 stand over binary fields; secp160k1 to secp192r1 have fewer than 224 bits.
    let binary = (NamedGroup::SECT163K1..=NamedGroup::SECT571R1).contains(&group);
    let small = (NamedGroup::SECT163K1..NamedGroup::SECT233K1).contains(&group)
        || (NamedGroup::SECP160K1..NamedGroup::SECP224K1).contains(&group);
    if !binary && !small {
        return None;
    }
    let why = if small { "fewer than 224 bits" } else { "a binary field" };
    let detail = format!(
        "The ServerKeyExchange in frame {} names the curve {}, which has {why}.",
        mark.frame,
        group.name().unwrap_or("of an unknown name")
    );
    let remedy = "On the server: use X25519 or P-256 (nginx: ssl_ecdh_curve X25519:prime256v1).";
    let hit = Hit::new(detail, remedy).at(mark).blame(Blame::Server);
    let hit = if small { hit } else { hit.severity(Severity::Warning) };
    Some(refused_for(f, hit, &[40, 47, 71], Confidence::Likely))
}

fn curve_not_offered(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (mark, k) = f.server_key_exchange?;
    let group = k.group?;
    let offered = &f.client_hello.as_ref()?.message.extensions.groups;
    if offered.is_empty() || offered.contains(&group.0) {
        return None;
    }
    let name = group.name().map_or_else(|| group.id(), str::to_owned);
    let detail = format!("The server uses {name}; the client offered {}.", words::groups(offered));
    Some(broken(f, mark, detail))
}

/// The key exchange is signed with a broken hash (the first byte of a TLS 1.2 scheme: 1 MD5, 2 SHA-1).
fn ske_hash(f: &FlowFacts, hash: u16, name: &str) -> Option<Hit> {
    let (mark, k) = f.server_key_exchange?;
    let scheme = k.signature_scheme.filter(|s| s.has_broken_hash() && s.0 >> 8 == hash)?;
    let offered =
        f.client_hello.as_ref().map(|h| h.message.extensions.signature_schemes.as_slice()).unwrap_or_default();
    let asked = offered.contains(&scheme.0);
    let sound = offered.iter().any(|s| (0x0300..0xfe00).contains(s) && !is_grease(*s));
    let (note, blame) = match (asked, sound) {
        (false, true) => ("The client does not offer it.", Blame::Server),
        (true, false) => ("The client offers nothing better.", Blame::Client),
        (true, true) => ("The client offers better ones too.", Blame::Server),
        (false, false) => ("The client does not say what it accepts, which stands for SHA-1.", Blame::Client),
    };
    let detail =
        format!("The ServerKeyExchange in frame {} is signed with {}. {note}", mark.frame, words::schemes(&[scheme.0]));
    let remedy = format!(
        "Update the TLS library of the {}, so that {name} is not used for signatures.",
        blame.name().unwrap_or("server")
    );
    let sure = if asked { Confidence::Possible } else { Confidence::Likely };
    Some(refused_for(f, Hit::new(detail, remedy).at(mark).blame(blame), &[40, 47, 51, 71], sure))
}

fn ske_sha1(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    ske_hash(f, 2, "SHA-1")
}

fn ske_md5(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    ske_hash(f, 1, "MD5")
}

fn explicit(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (mark, _) = f.server_key_exchange.filter(|(_, k)| k.explicit_curve)?;
    Some(
        Hit::new(
            format!("The ServerKeyExchange in frame {} has explicit curve parameters.", mark.frame),
            "On the server: use a named curve (X25519, P-256).",
        )
        .at(mark)
        .blame(Blame::Server),
    )
}

fn bleed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.heartbeats.iter().find(|h| h.kind == 1 && h.claimed > h.room)?;
    let role = f.role(h.side);
    let detail = format!(
        "In frame {} the {role} sent a heartbeat request that claims {} of payload and has room for {}.",
        h.mark.frame,
        words::count(h.claimed as u64, "byte"),
        h.room
    );
    let remedy = format!(
        "Look at who {} is. Update the peer's TLS library if it is OpenSSL 1.0.1 to 1.0.1f.",
        words::end(f.ends.of(h.side))
    );
    Some(Hit::new(detail, remedy).at(h.mark).blame(Blame::from(role)))
}

fn bled(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let request = f.heartbeats.iter().find(|h| h.kind == 1 && h.claimed > h.room)?;
    let answer = f.heartbeats.iter().find(|h| {
        h.kind == 2
            && h.side != request.side
            && h.mark.frame >= request.mark.frame
            && h.claimed.max(h.room) > request.room
    })?;
    let role = f.role(answer.side);
    let detail = format!(
        "The request in frame {} had {} of payload at most; the {role} answered in frame {} with a payload of {} out of its memory.",
        request.mark.frame,
        words::count(request.room as u64, "byte"),
        answer.mark.frame,
        words::count(answer.claimed as u64, "byte")
    );
    let remedy = format!(
        "On the {role}: update OpenSSL at once, replace key and certificate, have the old certificate revoked."
    );
    Some(Hit::new(detail, remedy).at(request.mark).at(answer.mark).blame(Blame::from(role)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, leaf, mark, server_flight, told};
    use crate::diagnose::{Confidence, Severity};
    use crate::facts::{FlowFacts, HeartbeatFact, Signed};
    use crate::span::Side;
    use crate::tls::handshake::ServerKeyExchange;
    use crate::tls::names::{NamedGroup, SignatureScheme};

    fn exchange(k: ServerKeyExchange) -> FlowFacts {
        let mut f = server_flight(vec![leaf()]);
        f.server_key_exchange = Some((mark(7), k));
        f
    }

    #[test]
    fn short_primes() {
        let mut f = server_flight(vec![leaf()]);
        f.server_key_exchange =
            Some((mark(7), ServerKeyExchange { dh_bits: Some(1024), ..ServerKeyExchange::default() }));
        assert_eq!(told(&alert(f.clone(), Side::A, 40)).cause, Some("weak-dh-params"));
        assert!(find(&established(f.clone()), "weak-dh-params").is_some_and(|x| !x.explains_failure));
        f.server_key_exchange =
            Some((mark(7), ServerKeyExchange { dh_bits: Some(2048), ..ServerKeyExchange::default() }));
        assert!(find(&f, "weak-dh-params").is_none());
        assert!(find(&f, "explicit-curve").is_none());
        f.server_key_exchange =
            Some((mark(7), ServerKeyExchange { explicit_curve: true, ..ServerKeyExchange::default() }));
        assert!(find(&f, "explicit-curve").is_some());
    }

    #[test]
    fn primes_that_many_share() {
        let mut f = exchange(ServerKeyExchange { dh_bits: Some(1024), ..ServerKeyExchange::default() });
        let mut params = vec![0, 128];
        // The beginning of 2^1024 - 2^960 - 1 + 2^64 * (floor(2^894 pi) + 129093), RFC 2409, section 6.2.
        params.extend(b"\xff\xff\xff\xff\xff\xff\xff\xff\xc9\x0f\xda\xa2\x21\x68\xc2\x34\xc4\xc6\x62\x8b");
        f.server_signed = Some(Box::new(Signed { params: params.into(), signature: Box::default() }));
        assert!(find(&f, "weak-dh-params").is_some_and(|x| x.detail.contains("Oakley group 2")));
        f.server_signed.as_mut().expect("there").params[10] = 0;
        assert!(find(&f, "weak-dh-params").is_some_and(|x| !x.detail.contains("Logjam")));
    }

    #[test]
    fn curves() {
        let curve = |g| exchange(ServerKeyExchange { group: Some(g), ..ServerKeyExchange::default() });
        for (g, severity) in [
            (NamedGroup::SECP192R1, Some(Severity::Error)),
            (NamedGroup::SECT193R2, Some(Severity::Error)),
            (NamedGroup::SECT233K1, Some(Severity::Warning)),
            (NamedGroup::SECT571R1, Some(Severity::Warning)),
            (NamedGroup::SECP224K1, None),
            (NamedGroup::SECP256R1, None),
            (NamedGroup::X25519, None),
        ] {
            assert_eq!(find(&established(curve(g)), "weak-curve").map(|x| x.severity), severity, "{g}");
        }
        assert_eq!(told(&alert(curve(NamedGroup::SECP192R1), Side::A, 71)).cause, Some("curve-not-offered"));
        assert!(
            find(&established(curve(NamedGroup::SECP384R1)), "curve-not-offered").is_some_and(|x| !x.explains_failure)
        );
        assert!(find(&curve(NamedGroup::X25519), "curve-not-offered").is_none());
    }

    #[test]
    fn signatures_on_broken_hashes() {
        let signed = |s| {
            exchange(ServerKeyExchange { signature_scheme: Some(SignatureScheme(s)), ..ServerKeyExchange::default() })
        };
        for (scheme, code) in [(0x0201, "ske-sha1-signature"), (0x0101, "ske-md5-signature")] {
            let x = find(&established(signed(scheme)), code).expect(code);
            assert!(x.severity == Severity::Warning && !x.explains_failure);
            let d = told(&alert(signed(scheme), Side::A, 47));
            assert_eq!((d.cause, d.findings[0].confidence), (Some(code), Confidence::Likely));
            assert!(find(&signed(0x0401), code).is_none());
        }
    }

    #[test]
    fn heartbeats_that_lie() {
        let beat = |side, kind, claimed, room, n| HeartbeatFact { mark: mark(n), side, kind, claimed, room };
        let mut f = server_flight(vec![leaf()]);
        f.heartbeats = vec![beat(Side::A, 1, 18, 34, 9), beat(Side::B, 2, 18, 34, 10)];
        assert!(find(&f, "heartbleed-attempt").is_none() && find(&f, "heartbleed-response").is_none());
        f.heartbeats = vec![beat(Side::A, 1, 16_384, 0, 9)];
        assert!(find(&f, "heartbleed-attempt").is_some() && find(&f, "heartbleed-response").is_none());
        f.heartbeats.push(beat(Side::B, 2, 16_384, 16_000, 10));
        assert!(find(&f, "heartbleed-response").is_some());
    }
}

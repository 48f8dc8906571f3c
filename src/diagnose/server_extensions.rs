//! What the ServerHello's extensions say and leave out: application protocol, renegotiation, extended master secret,
//! encrypt-then-MAC, heartbeat.

use super::refusal::{Stage, refusal, stage};
use super::server_hello::broken;
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::AnomalyKind;
use crate::tls::handshake::{ClientHello, Extensions, ServerHello};
use crate::tls::names::{AlertDescription, CipherSuite, ExtensionType, HandshakeType, ProtocolVersion};

const TRACE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null";

pub(super) const RULES: &[Rule] = &[
    new(
        "selected-alpn-not-offered",
        Severity::Error,
        48,
        "The server chose an application protocol that the client did not offer",
        page(
            "The protocol in the ServerHello's ALPN extension is not in the client's list, or is more than one.",
            "A broken server, or a device in between that answers in its place. A client must not go on with a protocol it did not offer; most refuse with illegal_parameter.",
            "Certain: both hellos were read in clear. It is the cause only when the client refused.",
            "Update the server's TLS library; look at a custom ALPN callback (OpenSSL: SSL_CTX_set_alpn_select_cb must return one of the client's entries; Go: Config.NextProtos; Java: setHandshakeApplicationProtocolSelector).",
            "  openssl s_client -connect HOST:PORT -servername NAME -alpn http/1.1 </dev/null | grep ALPN",
            "RFC 7301, section 3.2",
        ),
        alpn_not_offered,
    ),
    new(
        "unsolicited-extension",
        Severity::Error,
        47,
        "The ServerHello has an extension that the client did not ask for",
        page(
            "An extension of the ServerHello (or HelloRetryRequest) is not among those of the ClientHello.",
            "A server may only answer what it was asked. A client must refuse with unsupported_extension; some overlook it. A broken server or a device between is at work.",
            "Certain: both hellos were read in clear. renegotiation_info in answer to the signal in the cipher suites and the cookie of a HelloRetryRequest are allowed and not counted. It is the cause only when the client refused.",
            "Update the server's TLS library; look for a device that answers in the server's place.",
            TRACE,
            "RFC 8446, section 4.2; RFC 5246, section 7.4.1.4",
        ),
        unsolicited,
    ),
    new(
        "alpn-ignored",
        Severity::Info,
        0,
        "The server does not answer the client's list of application protocols (ALPN)",
        page(
            "The client offered application protocols, none of them HTTP/1.1, and the ServerHello of TLS 1.2 or older chose none.",
            "HTTP/2 and gRPC need the answer: a gRPC client closes after the handshake (\"missing selected ALPN property\"). A client that offers HTTP/1.1 too goes on with that, and is not told of.",
            "Certain in TLS 1.2 and older: the answer stands in the ServerHello, in clear. In TLS 1.3 it is encrypted.",
            "Where h2 is wanted, enable it where TLS ends: nginx listen … ssl with http2 on; Envoy alpn_protocols: [h2, http/1.1]; HAProxy bind … alpn h2,http/1.1; Go: NextProtos; Java 9 and later: SSLParameters.setApplicationProtocols.",
            "  openssl s_client -connect HOST:PORT -servername NAME -alpn h2,http/1.1 </dev/null | grep ALPN",
            "RFC 7301, section 3.2; RFC 9113, section 3.2",
        ),
        alpn_ignored,
    ),
    new(
        "alpn-h2-tls12-blocked-cipher",
        Severity::Warning,
        0,
        "HTTP/2 was negotiated with a cipher suite that HTTP/2 forbids",
        page(
            "The ServerHello of TLS 1.2 chose the protocol h2 and a suite that is no AEAD or has no ephemeral key exchange.",
            "Such suites are on HTTP/2's list of prohibited ones: browsers and some gRPC clients end the connection with INADEQUATE_SECURITY after a handshake that looks good.",
            "Certain: suite and protocol stand in the ServerHello. Whether the client minds is encrypted.",
            "On the server, prefer ECDHE suites with GCM or ChaCha20-Poly1305: nginx ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; ssl_prefer_server_ciphers on; Envoy cipher_suites; Java jdk.tls.disabledAlgorithms.",
            "  curl -v --http2 --tls-max 1.2 https://HOST:PORT/",
            "RFC 9113, sections 9.2.2 and 5.4.1, appendix A",
        ),
        alpn_h2,
    ),
    new(
        "heartbeat-negotiated",
        Severity::Info,
        0,
        "The heartbeat extension was negotiated",
        page(
            "Both hellos have the heartbeat extension.",
            "Over TCP nothing needs it, and it is where Heartbleed was (OpenSSL 1.0.1 to 1.0.1f). OpenSSL 1.1.1 and later do not have it: a peer that has it is old.",
            "Certain: both hellos were read in clear. It says nothing of whether the peer is vulnerable.",
            "Update the TLS library of both sides (OpenSSL 1.1.1 and later have no heartbeat), or build it with no-heartbeats.",
            "  nmap --script ssl-heartbleed -p PORT HOST",
            "RFC 6520",
        ),
        heartbeat,
    ),
    new(
        "no-secure-renegotiation",
        Severity::Warning,
        0,
        "The server does not support secure renegotiation",
        page(
            "The client announced secure renegotiation (extension or signal) and the ServerHello does not answer it.",
            "An attacker can put data of its own before that of the client (CVE-2009-3555); OpenSSL 3 clients refuse such servers: \"unsafe legacy renegotiation disabled\".",
            "Certain: both hellos were read in clear.",
            "Update the server's TLS library (any of the last ten years supports it), or the device in front of it.",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep -i renegotiation",
            "RFC 5746; RFC 9325, section 3.5",
        ),
        renegotiation,
    ),
    new(
        "no-extended-master-secret",
        Severity::Info,
        0,
        "The session is not bound to its handshake (no extended master secret)",
        page(
            "TLS 1.2 or older was negotiated without extended_master_secret.",
            "Without it the triple-handshake attack is possible, and FIPS-mode clients (OpenSSL 3 on RHEL 9) refuse.",
            "Certain: both hellos were read in clear.",
            "Update the side that lacks it: OpenSSL 1.1.0, GnuTLS 3.4, Java 8u161 and later have it.",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep -i 'extended master'",
            "RFC 7627",
        ),
        ems,
    ),
    new(
        "ems-required",
        Severity::Error,
        42,
        "The client refused a server without extended master secret",
        page(
            "The client offered extended_master_secret, the ServerHello does not have it, and the client ended the handshake with handshake_failure.",
            "Clients in FIPS mode must have it since 2023: OpenSSL 3 on RHEL 9 says \"ems not enabled\" or \"extended master secret is required\", GnuTLS the like.",
            "handshake_failure names no reason: likely where the ServerHello gives no other one, else possible.",
            "On the server: update the TLS library (OpenSSL 1.1.0, GnuTLS 3.4, Java 8u161 and later have it) or use TLS 1.3. To see whether it is the reason, let the client do without for a test: on RHEL update-crypto-policies --set FIPS:NO-ENFORCE-EMS.",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep -i 'extended master'",
            "RFC 7627, section 5.3; NIST FIPS 140-3 implementation guidance, D.Q",
        ),
        ems_required,
    ),
    new(
        "no-encrypt-then-mac",
        Severity::Info,
        0,
        "A CBC suite is used without encrypt-then-MAC",
        page(
            "A CBC cipher suite was negotiated without the extension encrypt_then_mac.",
            "MAC-then-encrypt is what padding oracles (Lucky 13) attack.",
            "Certain: both hellos were read in clear.",
            "Prefer AEAD suites (GCM, ChaCha20-Poly1305), which do not need it.",
            TRACE,
            "RFC 7366",
        ),
        etm,
    ),
    new(
        "raw-public-key",
        Severity::Info,
        0,
        "A side shows a bare public key instead of a certificate",
        page(
            "Both agreed on the certificate type Raw Public Key for the server, the client or both: the Certificate message is to hold a public key and nothing else. Or such a message was seen.",
            "There is no name, no issuer and no end of validity to judge: the peer must know the key beforehand (DANE, a list of keys, devices of the Internet of Things). Where a peer does not know it, it refuses with unknown_ca, bad_certificate or certificate_unknown.",
            "Certain in TLS 1.2 and before, where the answer is in clear. In TLS 1.3 the answer is encrypted: it is told when the client accepts nothing else and the handshake succeeded.",
            "Nothing where it is meant. Else offer certificates of X.509 too: GnuTLS priority +CTYPE-SRV-X509, OpenSSL SSL_CTX_set1_server_cert_type.",
            "  gnutls-cli --priority NORMAL:+CTYPE-SRV-RAWPK HOST -p PORT",
            "RFC 7250, sections 3 and 4",
        ),
        raw_key,
    ),
];

/// No part of the two hellos' extensions is missing or damaged.
fn whole(f: &FlowFacts) -> bool {
    let sound = |e: &Extensions| e.malformed.is_empty();
    f.client_hello.as_ref().is_some_and(|h| sound(&h.message.extensions))
        && f.server_hello.as_ref().or(f.hello_retry.as_ref()).is_some_and(|h| sound(&h.message.extensions))
        && !f.anomalies.iter().any(|(_, a)| {
            matches!(
                a.kind,
                AnomalyKind::Undecodable(HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO, _)
                    | AnomalyKind::MessageTooLong(HandshakeType::CLIENT_HELLO, _)
            )
        })
}

fn alpn_not_offered(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh) = (f.client_hello.as_ref()?, f.server_hello.as_ref()?);
    let (offered, chosen) = (&h.message.extensions.alpn, &sh.message.extensions.alpn);
    let first = chosen.first()?;
    if offered.is_empty() || !whole(f) || (offered.contains(first) && chosen.len() == 1) {
        return None;
    }
    let detail = format!("The client offered {}, the server chose {}.", words::alpn(offered), words::alpn(chosen));
    Some(broken(f, sh.mark, detail))
}

fn unsolicited(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref()?;
    let sh = f.server_hello.as_ref().or(f.hello_retry.as_ref())?;
    if h.message.ssl2_format || sh.message.ssl2_format || !whole(f) {
        return None;
    }
    let second = f.second_hello.as_ref().map(|h| &h.message.extensions);
    let signalled = h.message.cipher_suites.contains(&CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV.0);
    let asked = |t: ExtensionType| {
        h.message.extensions.has(t)
            || second.is_some_and(|e| e.has(t))
            || (t == ExtensionType::RENEGOTIATION_INFO && signalled)
            || (t == ExtensionType::COOKIE && sh.message.hello_retry)
    };
    let extra: Vec<String> = sh
        .message
        .extensions
        .types
        .iter()
        .map(|t| ExtensionType(*t))
        .filter(|t| !asked(*t))
        .map(|t| t.name().map_or_else(|| t.id(), str::to_owned))
        .collect();
    if extra.is_empty() {
        return None;
    }
    let detail = format!("Not asked for by the client, yet in the server's hello: {}.", words::list(&extra));
    Some(broken(f, sh.mark, detail))
}

fn alpn_ignored(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh, mark) = both(f)?;
    let offered = &h.extensions.alpn;
    let answered =
        [ExtensionType::ALPN, ExtensionType::NEXT_PROTOCOL_NEGOTIATION].iter().any(|t| sh.extensions.has(*t));
    // HTTP/1.0 and 1.1 are what a client goes on with when it gets no answer.
    let can_do_without = offered.iter().any(|p| p.starts_with(b"http/1."));
    if offered.is_empty() || answered || can_do_without {
        return None;
    }
    let detail = format!("The client offered {}; the ServerHello has no ALPN extension.", words::alpn(offered));
    let remedy = "Where TLS ends, enable ALPN with the protocol the client needs (nginx: http2 on; Envoy: alpn_protocols: [h2]; HAProxy: alpn h2).";
    Some(Hit::new(detail, remedy).at(mark).blame(Blame::Server))
}

fn alpn_h2(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (_, sh, mark) = both(f)?;
    let suite = f.cipher_suite()?;
    let known = suite.attributes().is_some();
    let fit = suite.is_aead() && suite.forward_secrecy() == Some(true);
    if sh.extensions.alpn.first().is_none_or(|p| **p != *b"h2") || !known || fit {
        return None;
    }
    let detail = format!("The server chose \"h2\" together with {}, which HTTP/2 prohibits.", words::suite(suite));
    let remedy = "On the server: prefer ECDHE suites with GCM or ChaCha20-Poly1305 (nginx: ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; ssl_prefer_server_ciphers on), or TLS 1.3.";
    Some(Hit::new(detail, remedy).at(mark).blame(Blame::Server))
}

fn heartbeat(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh, mark) = both(f)?;
    sh.extensions.heartbeat.and(h.extensions.heartbeat)?;
    let remedy = "Update the TLS libraries of both sides; OpenSSL 1.1.1 and later have no heartbeat.";
    Some(Hit::new("Both hellos have the heartbeat extension.", remedy).at(mark).blame(Blame::Nobody))
}

fn ems_required(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh, mark) = both(f)?;
    if !h.extensions.extended_master_secret || sh.extensions.extended_master_secret {
        return None;
    }
    let r = refusal(f).filter(|r| r.role == Role::Client && r.alert == Some(AlertDescription::HANDSHAKE_FAILURE))?;
    if stage(f) != Stage::CertFlight {
        return None;
    }
    let certs = f.of(Role::Server).certificates.as_ref().map(|c| c.chain.as_slice()).unwrap_or_default();
    let weak = certs.iter().any(|c| c.key.is_weak() || c.has_weak_signature());
    let exchange = f.server_key_exchange.is_some_and(|(_, k)| {
        k.dh_bits.is_some_and(|b| b < 2048) || k.signature_scheme.is_some_and(|s| s.has_broken_hash())
    });
    let other = weak || exchange || f.certificate_request.is_some() || sh.extensions.renegotiation_info.is_none();
    let detail = format!(
        "The client offered extended_master_secret and the ServerHello does not have it. {}",
        words::alert_sentence(Role::Client, AlertDescription::HANDSHAKE_FAILURE, r.mark)
    );
    let remedy = "On the server: update its TLS library so that it supports extended_master_secret (OpenSSL 1.1.0 and later), or use TLS 1.3.";
    let hit = Hit::new(detail, remedy).at(mark).at(r.mark).blame(Blame::Server);
    Some(if other { hit.possible() } else { hit.likely() })
}

/// Both hellos of TLS 1.2 or older, in TLS's own format.
fn both(f: &FlowFacts) -> Option<(&ClientHello, &ServerHello, Mark)> {
    let (h, sh) = (f.client_hello.as_ref()?, f.server_hello.as_ref()?);
    let v = f.version()?;
    let old = v.rank().is_some_and(|r| (1..=4).contains(&r)) && !v.is_tls13_or_draft();
    (old && !sh.message.ssl2_format && sh.message.extensions.malformed.is_empty()).then_some((
        &h.message,
        &sh.message,
        sh.mark,
    ))
}

fn renegotiation(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh, mark) = both(f)?;
    let asked = h.extensions.renegotiation_info.is_some()
        || h.cipher_suites.contains(&CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV.0);
    if !asked || sh.extensions.renegotiation_info.is_some() || sh.extensions.has(ExtensionType::RENEGOTIATION_INFO) {
        return None;
    }
    let detail = "The client announced secure renegotiation; the ServerHello has no renegotiation_info.";
    let refused = refusal(f).filter(|r| r.role == Role::Client && r.alert == Some(AlertDescription::HANDSHAKE_FAILURE));
    let note = if refused.is_some() {
        " The client refused with handshake_failure, as OpenSSL 3 does for this reason (\"unsafe legacy renegotiation disabled\")."
    } else {
        ""
    };
    Some(
        Hit::new(format!("{detail}{note}"), "On the server: update its TLS library, or the device in front of it.")
            .at(mark)
            .blame(Blame::Server),
    )
}

fn ems(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh, mark) = both(f)?;
    if sh.extensions.extended_master_secret || f.version()? == ProtocolVersion(0x0300) || h.ssl2_format {
        return None;
    }
    let (who, blame) = if h.extensions.extended_master_secret {
        ("The client offered it, the server did not take it.", Blame::Server)
    } else {
        ("The client did not offer it.", Blame::Client)
    };
    Some(
        Hit::new(who, "Update the TLS library of the side that lacks it, or use TLS 1.3, where it is built in.")
            .at(mark)
            .blame(blame),
    )
}

fn etm(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh, mark) = both(f)?;
    let suite = f.cipher_suite()?;
    if !suite.is_cbc() || sh.extensions.encrypt_then_mac || f.version()? == ProtocolVersion(0x0300) {
        return None;
    }
    let (who, blame) = if h.extensions.encrypt_then_mac {
        ("The client offered encrypt_then_mac, the server did not take it.", Blame::Server)
    } else {
        ("The client did not offer encrypt_then_mac.", Blame::Client)
    };
    Some(
        Hit::new(
            format!("{who} The suite is {}.", words::suite(suite)),
            "Prefer AEAD suites (GCM, ChaCha20-Poly1305) or TLS 1.3.",
        )
        .at(mark)
        .blame(blame),
    )
}

/// The certificate type Raw Public Key (IANA "TLS Certificate Types").
const RAW_PUBLIC_KEY: u8 = 2;

fn raw_key(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref()?;
    let e = &h.message.extensions;
    let answer = f.server_hello.as_ref().filter(|s| !f.is_tls13() && !s.message.ssl2_format);
    let chosen = |types: &[u8]| types.first() == Some(&RAW_PUBLIC_KEY);
    let by = |offered: &[u8], types: fn(&Extensions) -> &[u8]| match answer {
        Some(s) => chosen(types(&s.message.extensions)) && offered.contains(&RAW_PUBLIC_KEY),
        None => f.is_tls13() && f.is_complete() && f.resumed() == Some(false) && offered == [RAW_PUBLIC_KEY],
    };
    let server = by(&e.server_certificate_types, |e| &e.server_certificate_types);
    // Whether the client shows anything is encrypted in TLS 1.3.
    let client = answer.is_some() && by(&e.client_certificate_types, |e| &e.client_certificate_types);
    let who = match (server, client) {
        (true, true) => "both sides are to show raw public keys",
        (true, false) => "the server is to show a raw public key",
        (false, true) => "the client is to show a raw public key if it is asked for one",
        (false, false) => return unagreed_key(f),
    };
    let mark = answer.map_or(h.mark, |s| s.mark);
    let detail = format!("By the certificate types in the hellos (frame {}) {who}.", mark.frame);
    let marks = [Role::Server, Role::Client].map(|r| f.of(r).raw_public_key);
    let hit = Hit::new(detail, "").at(mark).at_any(marks[0]).at_any(marks[1]).blame(Blame::Nobody);
    Some(if answer.is_some() { hit } else { hit.likely() })
}

/// A public key stands where the hellos, as far as they were read, leave place for certificates only.
fn unagreed_key(f: &FlowFacts) -> Option<Hit> {
    let (role, mark) = [Role::Server, Role::Client].into_iter().find_map(|r| Some((r, f.of(r).raw_public_key?)))?;
    let detail = format!(
        "The {role}'s Certificate message (frame {}) holds a public key only, though the hellos do not agree on that type.",
        mark.frame
    );
    Some(Hit::new(detail, "").at(mark).blame(Blame::Nobody))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, leaf, mark, server_flight, server_hello, told, with};
    use crate::diagnose::{Confidence, Severity};
    use crate::span::Side;

    #[test]
    fn extensions_that_are_missing() {
        for (f, code) in [
            (with(0x0303, |_, s| s.extensions.renegotiation_info = None), "no-secure-renegotiation"),
            (with(0x0303, |_, s| s.extensions.extended_master_secret = false), "no-extended-master-secret"),
            (with(0x0303, |_, s| s.cipher_suite = 0xc013), "no-encrypt-then-mac"),
        ] {
            assert!(find(&f, code).is_some(), "{code}");
            assert!(find(&established(server_flight(vec![leaf()])), code).is_none(), "{code}");
            assert!(find(&server_hello(0x0304), code).is_none(), "{code} means nothing in TLS 1.3");
        }
    }

    #[test]
    fn a_protocol_nobody_offered() {
        let f = with(0x0303, |c, s| {
            c.extensions.alpn = vec![Box::from(&b"http/1.1"[..])];
            s.extensions.alpn = vec![Box::from(&b"h2"[..])];
        });
        assert_eq!(told(&alert(f.clone(), Side::A, 47)).cause, Some("selected-alpn-not-offered"));
        let x = find(&established(f), "selected-alpn-not-offered").expect("told");
        assert!(x.severity < Severity::Error && !x.explains_failure);
        let good = with(0x0303, |c, s| {
            c.extensions.alpn = vec![Box::from(&b"http/1.1"[..]), Box::from(&b"h2"[..])];
            s.extensions.alpn = vec![Box::from(&b"h2"[..])];
        });
        assert!(find(&good, "selected-alpn-not-offered").is_none());
    }

    #[test]
    fn extensions_that_nobody_asked_for() {
        let f = with(0x0303, |c, s| {
            c.extensions.types = vec![23, 43];
            s.extensions.types = vec![23, 16];
        });
        assert_eq!(told(&alert(f.clone(), Side::A, 110)).cause, Some("unsolicited-extension"));
        assert!(find(&established(f), "unsolicited-extension").is_some_and(|x| x.severity == Severity::Warning));
        // The signal among the suites asks for renegotiation_info too (RFC 5746, section 3.4).
        let scsv = with(0x0303, |c, s| {
            c.cipher_suites.push(0x00ff);
            s.extensions.types = vec![0xff01];
        });
        assert!(find(&scsv, "unsolicited-extension").is_none());
        let retried = with(0x0304, |_, s| {
            s.hello_retry = true;
            s.extensions.types = vec![44];
        });
        assert!(find(&retried, "unsolicited-extension").is_none());
    }

    #[test]
    fn protocols_over_old_suites() {
        let h2 = |suite| {
            with(0x0303, move |c, s| {
                c.extensions.alpn = vec![Box::from(&b"h2"[..])];
                s.extensions.alpn = vec![Box::from(&b"h2"[..])];
                s.cipher_suite = suite;
            })
        };
        assert!(find(&h2(0xc013), "alpn-h2-tls12-blocked-cipher").is_some());
        assert!(find(&h2(0x009c), "alpn-h2-tls12-blocked-cipher").is_some(), "no forward secrecy");
        assert!(find(&h2(0xc02f), "alpn-h2-tls12-blocked-cipher").is_none());
        let silent = with(0x0303, |c, _| c.extensions.alpn = vec![Box::from(&b"h2"[..])]);
        assert!(find(&silent, "alpn-ignored").is_some());
        let browser = with(0x0303, |c, _| c.extensions.alpn = vec![Box::from(&b"h2"[..]), Box::from(&b"http/1.1"[..])]);
        assert!(find(&browser, "alpn-ignored").is_none(), "it goes on with HTTP/1.1");
        assert!(find(&with(0x0304, |c, _| c.extensions.alpn = vec![Box::from(&b"h2"[..])]), "alpn-ignored").is_none());
    }

    #[test]
    fn heartbeats_need_both() {
        let f = with(0x0303, |c, s| (c.extensions.heartbeat, s.extensions.heartbeat) = (Some(1), Some(1)));
        assert!(find(&f, "heartbeat-negotiated").is_some());
        let f = with(0x0303, |c, _| c.extensions.heartbeat = Some(1));
        assert!(find(&f, "heartbeat-negotiated").is_none());
    }

    #[test]
    fn a_client_that_insists_on_extended_master_secret() {
        let mut f = server_flight(vec![leaf()]);
        f.server_hello.as_mut().expect("there").message.extensions.extended_master_secret = false;
        assert_eq!(told(&alert(f.clone(), Side::A, 40)).cause, Some("ems-required"));
        assert!(find(&alert(f.clone(), Side::A, 48), "ems-required").is_none());
        f.server_hello.as_mut().expect("there").message.extensions.renegotiation_info = None;
        assert_ne!(told(&alert(f, Side::A, 40)).cause, Some("ems-required"), "one of two reasons");
    }

    #[test]
    fn keys_without_a_certificate() {
        const CODE: &str = "raw-public-key";
        let typed = |version, offered: &[u8], answer: &[u8]| {
            established(with(version, |c, s| {
                c.extensions.server_certificate_types = offered.to_vec();
                s.extensions.server_certificate_types = answer.to_vec();
            }))
        };
        let x = find(&typed(0x0303, &[2, 0], &[2]), CODE).expect("told");
        assert_eq!((x.severity, x.confidence), (Severity::Info, Confidence::Certain));
        assert!(find(&typed(0x0303, &[2, 0], &[0]), CODE).is_none() && find(&typed(0x0303, &[2], &[]), CODE).is_none());
        let mut f = typed(0x0303, &[2, 0], &[]);
        f.sides[Side::B].raw_public_key = Some(mark(7));
        let x = find(&f, CODE).expect("told");
        assert!(x.frames == [mark(7).frame] && x.detail.contains("do not agree"), "{}", x.detail);
        // An answer that the client did not ask for is no agreement.
        assert!(find(&typed(0x0303, &[], &[2]), CODE).is_none());
        // TLS 1.3 hides the answer.
        let tls13 = |offered: &[u8]| {
            let mut f = typed(0x0304, offered, &[]);
            for s in &mut f.sides {
                (s.protected, s.finished_sized) = (Some(mark(8)), Some(mark(9)));
            }
            f
        };
        assert!(find(&tls13(&[2]), CODE).is_some_and(|x| x.confidence == Confidence::Likely));
        assert!(find(&tls13(&[2, 0]), CODE).is_none() && find(&tls13(&[]), CODE).is_none());
        assert!(find(&with(0x0304, |c, _| c.extensions.server_certificate_types = vec![2]), CODE).is_none());
        let mut resumed = tls13(&[2]);
        resumed.server_hello.as_mut().expect("there").message.extensions.psk = Some(0);
        assert!(find(&resumed, CODE).is_none(), "no certificate at all");
    }
}

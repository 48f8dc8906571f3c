//! What flows that ended before say about one: the same server, client, session or key met again.

use super::differences::{self, flow};
use super::refusal::of_client;
use super::{Blame, Diagnosis, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Seen};
use crate::span::Role;
use crate::x509::{NameEquality, NameMatch, compare_names, match_name};

/// A program that falls back to a lower version does so at once; a person takes longer.
const FALLBACK_US: u64 = 10_000_000;

pub(super) const RULES: &[Rule] = &[
    new(
        "capture-nat-both-sides",
        Severity::Info,
        0,
        "This connection stands in the capture twice, with other addresses",
        page(
            "Another flow that began within a second has the same ClientHello with the same random, and the same ServerHello where both were seen.",
            "The capture was made on both sides of an address translator, load balancer or proxy that passes TLS through. It is one connection: counts, rates and reasons for failures count it once.",
            "Certain where both ServerHello randoms are the same too: 32 random bytes of each peer do not come twice by chance. Possible where the server had not answered.",
            "Nothing to mend. To see each connection once, capture on one interface, or filter one side's addresses out.",
            "  tshark -r capture.pcapng -Y tls.handshake.type==1 -T fields -e ip.src -e ip.dst -e tls.handshake.random",
            "RFC 8446, section 4.1.2",
        ),
        twin,
    ),
    new(
        "hello-random-reused",
        Severity::Warning,
        0,
        "Two connections begin with the same client random",
        page(
            "An earlier connection had the same 32 random bytes in its ClientHello, and the servers answered with different ones.",
            "The client's random number generator does not work (a virtual machine restored from a snapshot, an embedded device without entropy), or the hello is a fixed string of a scanner. With a broken generator the keys can be guessed too.",
            "Certain: both hellos were read in clear, and both connections had a ServerHello of their own.",
            "On the client: update the TLS library, seed the generator (virtio-rng for virtual machines, haveged or a hardware source on devices without one), and replace the keys made on that machine.",
            "  for i in 1 2 3; do openssl s_client -connect HOST:PORT -msg </dev/null 2>/dev/null | grep -A3 ClientHello; done",
            "RFC 8446, sections 4.1.2 and C.1",
        ),
        random_reused,
    ),
    new(
        "fallback-dance",
        Severity::Warning,
        0,
        "The client tries again with a lower version",
        page(
            "A connection of the same client to the same server failed, and within seconds its next ClientHello offers a lower highest version.",
            "The client falls back on its own when a handshake fails. An attacker who disturbs the first attempt gets the weaker one; without TLS_FALLBACK_SCSV the server cannot notice.",
            "Likely: two programs with different settings on one address look the same.",
            "On the client: switch the fallback off (old browsers, Java and OpenSSL clients with a retry of their own), and find out why the first attempt failed. On the server: enable the version that was offered first.",
            "  openssl s_client -connect HOST:PORT -servername NAME -fallback_scsv -tls1_1 </dev/null",
            "RFC 7507; RFC 8996",
        ),
        fallback,
    ),
    new(
        "dh-key-reuse",
        Severity::Warning,
        0,
        "The server uses one Diffie-Hellman key for several connections",
        page(
            "The ServerKeyExchange has the same public value (Ys) as an earlier connection with this server.",
            "What was to be ephemeral is not: whoever gets that one key reads every connection that used it, and some attacks on implementations (Raccoon) need its reuse.",
            "Certain: the values were read in clear and compared.",
            "On the server: use a new key for each handshake (OpenSSL before 1.1.0: SSL_OP_SINGLE_DH_USE; F5, Citrix and other appliances have an option \"single DH use\"), or switch DHE off in favour of ECDHE.",
            "  for i in 1 2; do openssl s_client -connect HOST:PORT -cipher DHE -tls1_2 -msg </dev/null 2>/dev/null | grep -A9 ServerKeyExchange; done",
            "RFC 9325, section 7.4; RFC 7919, section 5.1",
        ),
        dh_reuse,
    ),
    new(
        "ecdh-key-reuse",
        Severity::Warning,
        0,
        "The server uses one elliptic-curve key for several connections",
        page(
            "The server's key share (or the point in its ServerKeyExchange) is the same as in an earlier connection with this server.",
            "What was to be ephemeral is not: whoever gets that one key reads every connection that used it. SChannel and some appliances reuse a key for a while on purpose, to save time.",
            "Certain: the values were read in clear and compared.",
            "On the server: use a new key for each handshake (OpenSSL before 1.1.0: SSL_OP_SINGLE_ECDH_USE; Windows: EphemKeyReuseTime = 0 under the SCHANNEL registry key).",
            "  for i in 1 2; do openssl s_client -connect HOST:PORT -msg </dev/null 2>/dev/null | grep -A9 ServerHello; done",
            "RFC 9325, section 7.4; RFC 8446, section C.4",
        ),
        ecdh_reuse,
    ),
    new(
        "sni-default-cert",
        Severity::Warning,
        0,
        "The server has no certificate for the name and shows its default one",
        page(
            "The certificate does not have the name that the client asked for, and is the one that this server shows to clients that ask for none.",
            "No virtual host matches the name, so that the server's default answers. The client sees a certificate of another site and refuses it.",
            "Likely: the certificate and both requests were read in clear; that it is the default for this name too is the usual reason.",
            "On the server: add a virtual host and a certificate for the name (nginx: server_name; Apache: ServerName and ServerAlias; Envoy: filter_chain_match.server_names; Kubernetes: a tls entry of the Ingress), or correct the name at the client or in DNS.",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout -subject -ext subjectAltName\n  openssl s_client -connect HOST:PORT -noservername </dev/null | openssl x509 -noout -subject",
            "RFC 6066, section 3",
        ),
        default_certificate,
    ),
    new(
        "client-cert-filtered-by-ca-list",
        Severity::Error,
        72,
        "The client has a certificate, and sends none because its issuer is not in the server's list",
        page(
            "The client answered the CertificateRequest with an empty list; an earlier connection of the same address showed a certificate whose issuer is not among the CAs that this server names.",
            "Many clients (Java's KeyManager, .NET, browsers) leave out every certificate whose issuer the server does not name, and say nothing about it. OpenSSL clients send theirs anyway.",
            "Likely: the list and the earlier certificate were read in clear; another program on the same address may have none.",
            "On the server: add the CA to the list that it sends (nginx: ssl_client_certificate; Apache: SSLCADNRequestFile; Java: the trust store), or send an empty list. On the client: take a certificate of a CA in the list, or a KeyManager that does not look at the list; and put the intermediates into the key store, so that the chain reaches a listed CA.",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null | sed -n '/Acceptable client/,/Requested/p'\n  java -Djavax.net.debug=ssl:handshake … 2>&1 | grep -i 'no x509 certificate'",
            "RFC 8446, section 4.2.4; RFC 5246, section 7.4.4",
        ),
        filtered,
    ),
    new(
        "client-cert-known-by-length",
        Severity::Info,
        0,
        "The hidden client certificate is as long as one that was seen in clear",
        page(
            "In TLS 1.3 the client's certificate is protected; its length follows from the length of its record, and one client certificate alone in the capture, seen in clear in a connection with TLS 1.2, has that length.",
            "It says which certificate was probably sent, and so who issued it and when it ends.",
            "Likely: two certificates of one CA often have the same length, and the capture need not hold all of them.",
            "Nothing to mend. Wireshark with a key log (SSLKEYLOGFILE) shows the certificate itself.",
            "  openssl x509 -in client.pem -outform DER | wc -c",
            "RFC 8446, sections 4.4.2 and 5.2",
        ),
        known_by_length,
    ),
    new(
        "same-cert-both-sides",
        Severity::Warning,
        0,
        "Client and server show the same certificate",
        page(
            "Both sent the very same leaf certificate in one connection.",
            "One private key lies on both machines: who breaks one of them can play either, and revoking one means revoking both.",
            "Certain: both certificates were read in clear and compared.",
            "Issue a certificate of its own for the client, with extendedKeyUsage clientAuth.",
            "  openssl x509 -in client.pem -noout -fingerprint -sha256; openssl x509 -in server.pem -noout -fingerprint -sha256",
            "RFC 5280, section 4.2.1.12",
        ),
        same_certificate,
    ),
];

/// Codes whose evidence grows with what the same server accepted.
const ABOUT_THE_OFFER: &[&str] = &[
    "version-mismatch",
    "cipher-mismatch",
    "no-shared-group",
    "no-shared-sigalg",
    "cert-type-cipher-mismatch",
    "handshake-failure-ambiguous",
    "server-closed-after-client-hello",
    "insufficient-security",
    "inappropriate-fallback",
    "alpn-mismatch",
    "unrecognized-name",
];

/// Says at the cause what the same server accepted of others.
pub(super) fn add_evidence(f: &FlowFacts, d: &mut Diagnosis) {
    let Some(cause) = d.cause else { return };
    let more = if ABOUT_THE_OFFER.contains(&cause) {
        let hello = f.client_hello.as_ref().map(|h| &h.message);
        f.siblings.accepted.as_ref().zip(hello).map(|(o, h)| differences::sentence(o, h))
    } else if cause.starts_with("client-cert-") || cause == "access-denied" {
        accepted_client(f)
    } else {
        None
    };
    if let Some((more, finding)) = more.zip(d.findings.iter_mut().find(|x| x.code == cause)) {
        finding.detail.push(' ');
        finding.detail.push_str(&more);
    }
}

/// The client certificate that this server accepted before, where it is another one.
fn accepted_client(f: &FlowFacts) -> Option<String> {
    let o = f.siblings.client_accepted.as_ref()?;
    let leaf = o.client_leaf.as_ref()?;
    let here = f.of(Role::Client).certificates.as_ref().and_then(|c| c.chain.first());
    if here.is_some_and(|c| c.sha256 == leaf.sha256) {
        return None;
    }
    Some(format!("The same server accepted, in {}, the certificate {}.", flow(o), differences::leaf(leaf)))
}

pub(super) fn hello_mark(f: &FlowFacts) -> Option<crate::flow::Mark> {
    f.client_hello.as_ref().map(|h| h.mark)
}

fn twin(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let o = f.siblings.twin.as_ref()?;
    let detail = format!(
        "Flow #{} ({} to {}) has the same ClientHello as this one ({} to {}).",
        o.id,
        o.client,
        o.server,
        f.end(Role::Client),
        f.end(Role::Server)
    );
    let hit = Hit::new(detail, "").at_any(hello_mark(f)).blame(Blame::Nobody).of([o.id, f.id]);
    Some(if o.version.is_some() && f.server_hello.is_some() { hit } else { hit.possible() })
}

fn random_reused(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let o = f.siblings.random_reused.as_ref()?;
    let detail = format!("The random of this ClientHello is that of {} too.", flow(o));
    let remedy = "On the client: find out why its random numbers repeat (a snapshot, no entropy at boot, a fixed hello) and replace keys made there.";
    Some(Hit::new(detail, remedy).at_any(hello_mark(f)).blame(Blame::Client).of([o.id, f.id]))
}

fn fallback(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let o = f.siblings.before.as_ref().filter(|o| o.hello_refused)?;
    let offer = o.offer.as_ref()?;
    let hello = f.client_hello.as_ref()?;
    let (was, is) = (offer.highest()?, f.highest_offered()?);
    let soon = f.first.time.us_since(o.last) <= FALLBACK_US && f.first.time >= o.first;
    if was.rank() <= is.rank() || !soon || offer.name.as_deref() != f.server_name() {
        return None;
    }
    let detail = format!(
        "Flow #{} of the same client, {} before, offered {} and failed; this one offers {} at most.",
        o.id,
        words::duration(f.first.time.us_since(o.first)),
        words::version(was),
        words::version(is)
    );
    let remedy = "On the client: switch the fallback to older versions off, and mend what made the first attempt fail.";
    Some(Hit::new(detail, remedy).at(hello.mark).blame(Blame::Client).likely().of([o.id, f.id]))
}

fn key_reuse(f: &FlowFacts, is_dh: bool) -> Option<Hit> {
    let id = f.siblings.key_reused?;
    let finite = f.server_key_exchange.is_some_and(|(_, k)| k.dh_bits.is_some());
    if finite != is_dh {
        return None;
    }
    let mark = f.server_key_exchange.map(|(m, _)| m).or_else(|| f.server_hello.as_ref().map(|h| h.mark))?;
    let detail = format!("The server's public key of this key exchange is the one of flow #{id}.");
    let remedy = "On the server: make a new key for each handshake.";
    Some(Hit::new(detail, remedy).at(mark).blame(Blame::Server).of([id, f.id]))
}

fn dh_reuse(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    key_reuse(f, true)
}

fn ecdh_reuse(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    key_reuse(f, false)
}

fn default_certificate(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let name = crate::text::escape_bytes(f.server_name()?).into_owned();
    let chain = f.of(Role::Server).certificates.as_ref()?;
    let leaf = chain.chain.first()?;
    let o = f.siblings.unnamed.as_ref()?;
    if match_name(leaf, &name) == NameMatch::Match || o.server_leaf.as_ref()?.sha256 != leaf.sha256 {
        return None;
    }
    let detail = format!(
        "The client asked for \"{name}\"; the server showed {}, as it did in {}, whose client asked for no name.",
        words::cert(leaf),
        flow(o)
    );
    let remedy =
        format!("On the server: add a virtual host and certificate for \"{name}\"; or correct the name at the client.");
    Some(Hit::new(detail, remedy).at_any(hello_mark(f)).at(chain.mark).blame(Blame::Server).likely().of([o.id, f.id]))
}

fn filtered(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let Seen::Yes(sent) = f.certificates(Role::Client) else { return None };
    let asked = f.certificate_request.as_ref()?;
    let o = f.siblings.client_showed.as_ref().filter(|o| o.server != f.end(Role::Server))?;
    let leaf = o.client_leaf.as_ref()?;
    // Without the whole list, or the issuer, nothing can be said not to be in it.
    if !sent.chain.is_empty() || asked.authorities_raw.is_empty() || asked.omitted > 0 || leaf.issuer_raw.is_empty() {
        return None;
    }
    let listed = |ca: &[u8]| compare_names(ca, &leaf.issuer_raw) != NameEquality::Different;
    if asked.authorities_raw.iter().any(|ca| listed(ca)) {
        return None;
    }
    let detail = format!(
        "The client sent no certificate; in {}, to {}, it sent {}. That issuer is not among the CAs that this server names: {}.",
        flow(o),
        o.server,
        differences::leaf(leaf),
        words::list(&asked.authorities)
    );
    let remedy = "On the server: name the client's CA in the CertificateRequest, or none. On the client: use a certificate of a CA that is named.";
    let hit = Hit::new(detail, remedy).at(asked.mark).at(sent.mark).likely().of([o.id, f.id]);
    Some(match of_client(f) {
        Some(r) => hit.at(r.mark).blame(Blame::Either),
        None => hit.severity(Severity::Info).blame(Blame::Nobody).beside(),
    })
}

fn known_by_length(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let leaf = f.siblings.client_leaf.as_ref()?;
    let flight = f.inferred.as_ref()?.flight?;
    let end = leaf.not_after.map_or_else(String::new, |t| format!(", valid until {}", words::date(t)));
    let detail = format!(
        "The client's certificate has {} bytes, as {} has{end}, the only client certificate of that length seen in clear.",
        leaf.der_len,
        differences::leaf(leaf)
    );
    Some(Hit::new(detail, "").at(flight).blame(Blame::Nobody).likely())
}

fn same_certificate(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let [client, server] = [Role::Client, Role::Server].map(|r| f.of(r).certificates.as_ref());
    let (client, server) = (client?, server?);
    let leaf = client.chain.first()?;
    if server.chain.first()?.sha256 != leaf.sha256 {
        return None;
    }
    let detail = format!("Both sent {}.", words::cert(leaf));
    let remedy = "Issue the client a certificate and key of its own.";
    Some(Hit::new(detail, remedy).at(server.mark).at(client.mark).blame(Blame::Either))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        after, alert, asked, client_flight, dn, established, find, hello, leaf, random, server_flight, server_hello,
        told,
    };
    use super::super::{Confidence, Severity};
    use crate::facts::{FlowFacts, Inferred, Outcome};
    use crate::siblings::Memory;
    use crate::span::Side;
    use crate::tls::handshake::{ServerKeyExchange, Tail};

    #[test]
    fn what_the_same_server_accepted_is_evidence() {
        let narrow = |f: FlowFacts| {
            let mut f = random(f, 2);
            f.client_hello.as_mut().expect("there").message.cipher_suites = vec![0x1303];
            alert(f, Side::B, 40)
        };
        let good = established(server_flight(vec![leaf()]));
        let d = told(&after(&[&good], narrow(hello())));
        assert_eq!(d.cause, Some("cipher-mismatch"));
        let said = &d.findings[0].detail;
        assert!(
            said.contains("accepted flow #1 (192.0.2.1) with TLS 1.2 with TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
            "{said}"
        );
        assert!(said.contains("cipher suites TLS_AES_128_GCM_SHA256"), "{said}");
        assert!(said.contains("The cipher suite that the server chose there is not offered here"), "{said}");
        // Another server's flows say nothing.
        let mut other = good.clone();
        other.ends.b.port = 1;
        assert!(!told(&after(&[&other], narrow(hello()))).findings[0].detail.contains("accepted"));
    }

    #[test]
    fn one_connection_at_two_points() {
        let first = random(server_hello(0x0303), 1);
        let mut second = first.clone();
        second.ends.a.ip = [203, 0, 113, 1].into();
        let x = find(&after(&[&first], second.clone()), "capture-nat-both-sides").expect("told");
        assert_eq!(x.confidence, Confidence::Certain);
        // Without an answer the random alone may be a scanner's.
        let mut unanswered = second.clone();
        unanswered.server_hello = None;
        let x = find(&after(&[&first], unanswered), "capture-nat-both-sides").expect("told");
        assert_eq!(x.confidence, Confidence::Possible);
        // Another answer: two connections.
        second.server_hello.as_mut().expect("there").message.random = [9; 32];
        let f = after(&[&first], second);
        assert!(find(&f, "capture-nat-both-sides").is_none() && find(&f, "hello-random-reused").is_some());
        assert!(find(&after(&[&first], random(first.clone(), 3)), "hello-random-reused").is_none());
    }

    #[test]
    fn a_retry_with_a_lower_version() {
        let first = alert(random(hello(), 1), Side::B, 70);
        let mut lower = random(hello(), 2);
        lower.client_hello.as_mut().expect("there").message.extensions.supported_versions = vec![0x0303];
        assert!(find(&after(&[&first], lower.clone()), "fallback-dance").is_some());
        assert!(find(&after(&[&first], random(hello(), 2)), "fallback-dance").is_none());
        lower.first.time.0 += 60_000_000_000;
        assert!(find(&after(&[&first], lower), "fallback-dance").is_none(), "a minute later is another attempt");
    }

    #[test]
    fn ephemeral_keys_that_are_not() {
        let with = |n: u8, key: u8, dh: bool| {
            let mut f = random(server_flight(vec![leaf()]), n);
            let k = ServerKeyExchange {
                public_key: Some(Tail([key; 16])),
                dh_bits: dh.then_some(2048),
                ..ServerKeyExchange::default()
            };
            f.server_key_exchange = Some((super::super::testing::mark(7), k));
            established(f)
        };
        for (dh, code) in [(true, "dh-key-reuse"), (false, "ecdh-key-reuse")] {
            assert!(find(&after(&[&with(1, 5, dh)], with(2, 5, dh)), code).is_some());
            assert!(find(&after(&[&with(1, 5, dh)], with(2, 6, dh)), code).is_none());
        }
    }

    #[test]
    fn the_default_certificate() {
        let mut unnamed = random(established(server_flight(vec![leaf()])), 1);
        unnamed.client_hello.as_mut().expect("there").message.extensions.server_name = None;
        let mut named = random(established(server_flight(vec![leaf()])), 2);
        assert!(find(&after(&[&unnamed], named.clone()), "sni-default-cert").is_none(), "it is good for that name");
        let other = Some(vec![Box::from(&b"other.example"[..])]);
        named.client_hello.as_mut().expect("there").message.extensions.server_name = other;
        assert!(find(&after(&[&unnamed], named.clone()), "sni-default-cert").is_some());
        assert!(find(&named, "sni-default-cert").is_none());
    }

    #[test]
    fn a_certificate_that_the_list_leaves_out() {
        let mut elsewhere = random(established(client_flight(asked(server_flight(vec![leaf()])), vec![leaf()])), 1);
        elsewhere.ends.b.port = 9000;
        let empty = || alert(random(client_flight(asked(server_flight(vec![leaf()])), vec![]), 2), Side::B, 40);
        let d = told(&after(&[&elsewhere], empty()));
        let x = d.findings.iter().find(|x| x.code == "client-cert-filtered-by-ca-list").expect("told");
        assert!(x.detail.contains("CN=Issuing CA") && x.detail.contains("CN=Client CA"), "{}", x.detail);
        assert_eq!(d.cause, Some("client-cert-missing"), "which is certain");
        // The issuer is in the list: it was no filter.
        let mut listed = empty();
        listed.certificate_request.as_mut().expect("there").authorities_raw = vec![dn("Issuing CA")];
        assert!(find(&after(&[&elsewhere], listed), "client-cert-filtered-by-ca-list").is_none());
        // The server does not mind.
        let fine = established(random(client_flight(asked(server_flight(vec![leaf()])), vec![]), 2));
        let x = find(&after(&[&elsewhere], fine), "client-cert-filtered-by-ca-list").expect("told");
        assert_eq!(x.severity, Severity::Info);
    }

    #[test]
    fn a_hidden_certificate_is_known_by_its_length() {
        let seen = |n, len| {
            let cert = crate::x509::Certificate { sha256: [n; 32], der_len: len, ..leaf() };
            random(established(client_flight(asked(server_flight(vec![leaf()])), vec![cert])), n)
        };
        let mut f = random(established(server_hello(0x0304)), 9);
        let mark = super::super::testing::mark(9);
        f.inferred = Some(Box::new(Inferred { leaf_len: Some(819), flight: Some(mark), ..Inferred::default() }));
        assert!(find(&after(&[&seen(1, 819), &seen(2, 820)], f.clone()), "client-cert-known-by-length").is_some());
        assert!(find(&after(&[&seen(2, 820)], f.clone()), "client-cert-known-by-length").is_none());
        assert!(find(&after(&[&seen(1, 819), &seen(2, 819)], f), "client-cert-known-by-length").is_none(), "two fit");
    }

    #[test]
    fn one_certificate_for_both() {
        let both = established(client_flight(asked(server_flight(vec![leaf()])), vec![leaf()]));
        assert!(find(&both, "same-cert-both-sides").is_some());
        let other = crate::x509::Certificate { sha256: [8; 32], ..leaf() };
        let f = established(client_flight(asked(server_flight(vec![leaf()])), vec![other]));
        assert!(find(&f, "same-cert-both-sides").is_none());
    }

    #[test]
    fn a_repeated_connection_is_not_remembered_twice() {
        let first = alert(random(hello(), 1), Side::B, 40);
        let mut copy = first.clone();
        copy.ends.b.ip = [203, 0, 113, 9].into();
        let mut memory = Memory::default();
        for f in [first, copy] {
            let mut f = f;
            f.siblings = memory.recall(&f);
            memory.remember(&f, Outcome::Failed, Some("cipher-mismatch"));
        }
        let causes: Vec<_> = memory.causes().map(|(c, x)| (c, x.flows.count)).collect();
        assert_eq!(causes, [("cipher-mismatch", 1)]);
    }
}

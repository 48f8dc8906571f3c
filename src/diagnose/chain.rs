//! The server's chain: order, completeness, keys and signatures; the leaf's key usage.

use super::refusal::{Fault, judged, of_server};
use super::server_cert::{chain, on_cert, own, relations};
use super::{Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Role;
use crate::tls::names::AlertDescription;
use crate::tls::names::KeyExchange;
use crate::x509::{Certificate, KeyAlgorithm, KeyUsage, SignatureHash};

const SHOW: &str = "  openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null";
const READ: &str = "  openssl x509 -in server.pem -noout -text";

pub(super) const RULES: &[Rule] = &[
    new(
        "chain-incomplete",
        Severity::Error,
        45,
        "The server seems not to send an intermediate certificate",
        page(
            "The issuer of the last certificate sent is not in the message, and the client refused the chain with unknown_ca.",
            "Browsers mend this by fetching the intermediate (AIA) or from their cache; curl, Java, Go and Python do not, so that it works for a person and fails for a program.",
            "A missing root is normal, and from the wire an absent intermediate looks like an absent root: likely where the certificate names a place to fetch its issuer from, else possible.",
            "Serve leaf and intermediates in this order, without the root: nginx ssl_certificate fullchain.pem; Apache SSLCertificateFile fullchain.pem; HAProxy crt with all in one file; Java: import the CA's answer with its chain into the key store.",
            SHOW,
            "RFC 8446, section 4.4.2; RFC 5246, section 7.4.2; RFC 5280, section 4.2.2.1",
        ),
        incomplete,
    ),
    new(
        "chain-wrong-order",
        Severity::Warning,
        0,
        "The server sends its certificates in the wrong order",
        page(
            "All certificates of a path are there, but not each behind the one it certifies.",
            "TLS 1.2 and older require the order; many clients put it right themselves, strict ones (old Java, embedded stacks) refuse.",
            "Read from the names of the certificates in clear.",
            "Write the file in order: leaf, the intermediate that issued it, the next one. No root.",
            SHOW,
            "RFC 5246, section 7.4.2; RFC 8446, section 4.4.2",
        ),
        wrong_order,
    ),
    new(
        "chain-unrelated-cert",
        Severity::Info,
        0,
        "The server sends certificates that have nothing to do with its own",
        page(
            "Nothing leads from the leaf to some of the certificates sent.",
            "They cost bytes in every handshake; mostly they are left over from an earlier CA in the bundle.",
            "By names and key identifiers.",
            "Take them out of the chain file.",
            SHOW,
            "RFC 8446, section 4.4.2",
        ),
        unrelated,
    ),
    new(
        "chain-root-included",
        Severity::Info,
        0,
        "The server sends the root certificate too",
        page(
            "The last certificate of the path is issued by itself.",
            "It is allowed and of no use: a client trusts a root because it has it already. It costs about a kilobyte in every handshake.",
            "Subject and issuer are the same name.",
            "Take the root out of the chain file.",
            SHOW,
            "RFC 8446, section 4.4.2",
        ),
        root_included,
    ),
    new(
        "intermediate-not-ca",
        Severity::Error,
        56,
        "A certificate in the chain may not issue certificates",
        page(
            "A certificate that issued another one has no basic constraints with CA:TRUE.",
            "Clients refuse such a path. It happens when a CA is made with openssl req -x509 or x509 -req without the extensions of a CA. OpenSSL says \"invalid CA certificate\".",
            "Read from the certificates in clear. It is the cause only when the client refused.",
            "Issue the CA's certificate again with basicConstraints=critical,CA:TRUE and keyUsage=critical,keyCertSign,cRLSign.",
            "  openssl x509 -in ca.pem -noout -ext basicConstraints,keyUsage",
            "RFC 5280, sections 4.2.1.3 and 4.2.1.9",
        ),
        not_ca,
    ),
    new(
        "server-cert-key-usage",
        Severity::Error,
        48,
        "The key usage of the server's certificate does not fit the key exchange",
        page(
            "An (EC)DHE key exchange is signed and needs digitalSignature; an RSA key exchange encrypts and needs keyEncipherment. The certificate's key usage lacks it.",
            "Strict clients (GnuTLS, NSS, Chrome) refuse the handshake.",
            "Read from ServerHello and certificate in clear. It is the cause only when the client refused.",
            "Issue the certificate with keyUsage = digitalSignature (and keyEncipherment for old RSA suites).",
            "  openssl x509 -in server.pem -noout -ext keyUsage",
            "RFC 5280, section 4.2.1.3; RFC 5246, section 7.4.2",
        ),
        key_usage,
    ),
    new(
        "sha1-signature",
        Severity::Warning,
        44,
        "A certificate of the server is signed with SHA-1",
        page(
            "A certificate below the root is signed with SHA-1.",
            "Collisions of SHA-1 are practical; browsers, Java and OpenSSL 3 at security level 1 refuse such certificates (\"ca md too weak\").",
            "Read from the certificate in clear. It is the cause only when the client refused.",
            "Have the certificate issued again with SHA-256: openssl x509 -req -sha256 …, openssl ca -md sha256.",
            READ,
            "RFC 9155; RFC 8446, section 4.4.2.4",
        ),
        sha1,
    ),
    new(
        "md5-signature",
        Severity::Error,
        46,
        "A certificate of the server is signed with MD5 or an older hash",
        page(
            "A certificate below the root is signed with MD5, MD4 or MD2.",
            "Such signatures have been forged in practice; today's clients refuse them.",
            "Read from the certificate in clear. It is the cause only when the client refused.",
            "Have the certificate issued again with SHA-256.",
            READ,
            "RFC 6151; RFC 8446, section 4.4.2.4",
        ),
        md5,
    ),
    new(
        "rsa-key-weak",
        Severity::Error,
        47,
        "The RSA key of the server's certificate is shorter than 2048 bits",
        page(
            "The modulus of the server's public key has fewer than 2048 bits.",
            "1024 bits are within reach of large attackers; OpenSSL at security level 2 (Debian, Ubuntu, RHEL) says \"ee key too small\" and browsers refuse.",
            "Read from the certificate in clear. It is the cause only when the client refused.",
            "Make a new key and certificate: openssl req -newkey rsa:3072 … or -newkey ec -pkeyopt ec_paramgen_curve:P-256.",
            READ,
            "NIST SP 800-57 part 1; RFC 9325, section 4.5",
        ),
        rsa_weak,
    ),
    new(
        "ec-key-weak",
        Severity::Error,
        47,
        "The elliptic-curve key of the server's certificate is too small",
        page(
            "The curve of the server's public key has fewer than 224 bits.",
            "Clients do not offer such curves any more and refuse the certificate.",
            "Read from the certificate in clear. It is the cause only when the client refused.",
            "Make a new key on P-256 or P-384, or an Ed25519 one.",
            READ,
            "RFC 8422, section 5.1.1; NIST SP 800-57 part 1",
        ),
        ec_weak,
    ),
    new(
        "x509-v1",
        Severity::Warning,
        43,
        "The server's certificate is of X.509 version 1",
        page(
            "The certificate has no extensions: neither alternative names nor key usage.",
            "It was made by openssl x509 -req without -extfile. Clients that need alternative names, or forbid version 1 (Go as CA, rustls, Firefox), refuse it.",
            "Read from the certificate in clear. It is the cause only when the client refused.",
            "Issue it again with extensions: openssl x509 -req … -extfile ext.cnf (subjectAltName, extendedKeyUsage) or -copy_extensions copy.",
            READ,
            "RFC 5280, section 4.1.2.1",
        ),
        v1,
    ),
];

fn incomplete(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    let r = of_server(f).filter(|r| r.alert == Some(AlertDescription::UNKNOWN_CA))?;
    let certs = chain(f)?;
    let judged_chain = relations(f)?;
    let missing = judged_chain.missing_issuer.as_ref()?;
    let last = judged_chain.path.last().and_then(|i| certs.get(*i))?;
    if policy.trust.as_ref().is_some_and(|t| t.knows_issuer_of(last)) {
        return None;
    }
    let aia = last.ca_issuer_urls.first();
    let place = aia.map_or_else(String::new, |u| format!(" It names a place to fetch its issuer from: {u}."));
    let detail = format!(
        "The server sent {}; the issuer \"{}\" of {} is not among them, and the client knows no CA of that name.{place} {}",
        words::count(certs.len() as u64, "certificate"),
        words::name(missing),
        words::cert(last),
        words::alert_sentence(r.role, AlertDescription::UNKNOWN_CA, r.mark)
    );
    let remedy = format!(
        "If \"{}\" is an intermediate: on the server, append it to the certificate file (nginx: ssl_certificate with leaf and intermediates) and reload. If it is a private root: add it to the client's trust store.",
        words::name(missing)
    );
    let hit = on_cert(f, Hit::new(detail, remedy)).at(r.mark);
    Some(if aia.is_some() { hit.likely() } else { hit.possible().severity(Severity::Warning) })
}

fn wrong_order(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let j = relations(f)?;
    // That the server's own certificate is not the first is told apart.
    if !j.out_of_order || j.leaf != 0 {
        return None;
    }
    let names: Vec<String> = certs.iter().take(10).map(|c| format!("\"{}\"", words::name(&c.subject))).collect();
    let detail = format!("In the order sent: {}.", names.join("; "));
    Some(on_cert(
        f,
        Hit::new(detail, "On the server: put the certificates in order, the leaf first, each followed by its issuer."),
    ))
}

fn unrelated(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let j = relations(f)?;
    if j.unrelated.is_empty() {
        return None;
    }
    let detail = format!("Not on any path from the leaf: {}.", words::certs(certs, &j.unrelated));
    Some(on_cert(f, Hit::new(detail, "On the server: take them out of the chain file.")))
}

fn root_included(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let root = certs.get(relations(f)?.root_included?)?;
    let detail = format!("The last certificate of the path is {}, {} bytes.", words::cert(root), root.der_len);
    Some(on_cert(
        f,
        Hit::new(detail, "On the server: take the root out of the chain file; clients have it or do not trust it."),
    ))
}

fn not_ca(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let j = relations(f)?;
    if j.not_ca.is_empty() {
        return None;
    }
    let detail = format!(
        "{} issued another certificate of the chain, but its extensions do not make it a CA.",
        words::certs(certs, &j.not_ca)
    );
    let remedy = "Issue the CA's certificate again with basicConstraints=critical,CA:TRUE and keyUsage=critical,keyCertSign,cRLSign.";
    Some(judged(f, Role::Server, Fault::NotCa, on_cert(f, Hit::new(detail, remedy))))
}

fn key_usage(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let usage = c.key_usage?;
    let suite = f.cipher_suite()?;
    let kx = suite.attributes()?.kx;
    let need = match (kx, &c.key.algorithm) {
        (KeyExchange::Dhe | KeyExchange::Ecdhe, _) => KeyUsage::DIGITAL_SIGNATURE,
        (KeyExchange::Rsa, KeyAlgorithm::Rsa) => KeyUsage::KEY_ENCIPHERMENT,
        _ => return None,
    };
    if usage.contains(need) {
        return None;
    }
    let detail = format!(
        "The cipher suite {} needs the key usage {}; that of {} is {}.",
        words::suite(suite),
        words::list(&need.names()),
        words::cert(c),
        words::list(&usage.names())
    );
    let remedy = "On the server: issue the certificate with keyUsage = digitalSignature, keyEncipherment.";
    Some(judged(f, Role::Server, Fault::Usage, on_cert(f, Hit::new(detail, remedy))))
}

/// Certificates on the path, the root apart, that a predicate picks.
fn weak(f: &FlowFacts, is: impl Fn(&Certificate) -> bool) -> Option<String> {
    let certs = chain(f)?;
    let names: Vec<String> = relations(f)?
        .path
        .iter()
        .filter_map(|i| certs.get(*i))
        .filter(|c| c.self_signed() != Some(true) && is(c))
        .map(|c| format!("{}, {}", words::cert(c), c.signature_algorithm))
        .collect();
    (!names.is_empty()).then(|| words::list(&names))
}

fn sha1(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let which = weak(f, |c| c.signature_hash == SignatureHash::Sha1)?;
    let hit = Hit::new(
        format!("Signed with SHA-1: {which}."),
        "Have the certificate issued again with SHA-256 and reload the server.",
    );
    Some(judged(f, Role::Server, Fault::Weak, on_cert(f, hit)))
}

fn md5(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let which = weak(f, |c| matches!(c.signature_hash, SignatureHash::Md2 | SignatureHash::Md4 | SignatureHash::Md5))?;
    let hit = Hit::new(
        format!("Signed with a broken hash: {which}."),
        "Have the certificate issued again with SHA-256 and reload the server.",
    );
    Some(judged(f, Role::Server, Fault::Weak, on_cert(f, hit)))
}

/// Size of a key, for a sentence.
pub(super) fn key(c: &Certificate) -> String {
    let bits = c.key.bits.map_or_else(|| "of unknown size".to_owned(), |b| format!("of {b} bits"));
    let curve = c.key.algorithm.curve().map_or_else(String::new, |n| format!(" ({n})"));
    format!("{}{curve} key {bits}", c.key.algorithm.name())
}

fn rsa_weak(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if !c.key.is_weak() || matches!(c.key.algorithm, KeyAlgorithm::Ec(_)) {
        return None;
    }
    let detail = format!(
        "The certificate {} has an {}; 2048 are the least that clients of today accept.",
        words::cert(c),
        key(c)
    );
    Some(judged(
        f,
        Role::Server,
        Fault::Weak,
        on_cert(
            f,
            Hit::new(
                detail,
                "On the server: make a key of at least 2048 bits (better 3072, or P-256) and have a certificate issued for it.",
            ),
        ),
    ))
}

fn ec_weak(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if !c.key.is_weak() || !matches!(c.key.algorithm, KeyAlgorithm::Ec(_)) {
        return None;
    }
    let detail = format!("The certificate {} has an {}.", words::cert(c), key(c));
    Some(judged(
        f,
        Role::Server,
        Fault::Weak,
        on_cert(
            f,
            Hit::new(detail, "On the server: make a key on P-256 or P-384 and have a certificate issued for it."),
        ),
    ))
}

fn v1(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if c.version != 1 || !c.problems.is_empty() {
        return None;
    }
    let detail = format!(
        "The certificate {} is of version 1 and so has no alternative names, key usage or purpose.",
        words::cert(c)
    );
    Some(judged(
        f,
        Role::Server,
        Fault::Name,
        on_cert(
            f,
            Hit::new(
                detail,
                "On the server: issue the certificate again with extensions (openssl x509 -req … -extfile ext.cnf).",
            ),
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, ca, established, find, leaf, server_flight, told};
    use crate::diagnose::Severity;
    use crate::span::Side;
    use crate::x509::{Certificate, Curve, KeyAlgorithm, KeyUsage, PublicKey, SignatureHash};

    fn warned(chain: Vec<Certificate>, code: &str) -> bool {
        find(&established(server_flight(chain)), code)
            .is_some_and(|x| x.severity < Severity::Error && !x.explains_failure)
    }

    #[test]
    fn order_leftovers_and_the_root() {
        let (mid, root) = (ca(1, "Issuing CA", "Root"), ca(2, "Root", "Root"));
        assert!(warned(vec![leaf(), root.clone(), mid.clone()], "chain-wrong-order"));
        assert!(!warned(vec![leaf(), mid.clone()], "chain-wrong-order"));
        assert!(warned(vec![leaf(), mid.clone(), root.clone()], "chain-root-included"));
        assert!(!warned(vec![leaf(), mid.clone()], "chain-root-included"));
        assert!(warned(vec![leaf(), mid.clone(), ca(3, "Other", "Other")], "chain-unrelated-cert"));
        assert!(!warned(vec![leaf(), mid, root], "chain-unrelated-cert"));
    }

    #[test]
    fn a_missing_issuer_needs_a_refusal() {
        let f = alert(server_flight(vec![leaf()]), Side::A, 48);
        assert_eq!(told(&f).cause, Some("server-cert-unknown-ca"));
        assert!(find(&f, "chain-incomplete").is_some());
        assert!(find(&established(server_flight(vec![leaf()])), "chain-incomplete").is_none());
    }

    #[test]
    fn a_ca_that_is_none() {
        let bad = Certificate { basic_constraints: Some((false, None)), ..ca(1, "Issuing CA", "Root") };
        let f = alert(server_flight(vec![leaf(), bad]), Side::A, 42);
        assert_eq!(told(&f).cause, Some("intermediate-not-ca"));
        assert!(
            find(&alert(server_flight(vec![leaf(), ca(1, "Issuing CA", "Root")]), Side::A, 42), "intermediate-not-ca")
                .is_none()
        );
    }

    #[test]
    fn weak_keys_signatures_and_versions() {
        let rsa = PublicKey { algorithm: KeyAlgorithm::Rsa, bits: Some(1024), rsa_exponent: Some(3) };
        let ec = PublicKey {
            algorithm: KeyAlgorithm::Ec(Curve::Named("secp192r1", 192)),
            bits: Some(192),
            rsa_exponent: None,
        };
        for (c, code) in [
            (Certificate { key: rsa, ..leaf() }, "rsa-key-weak"),
            (Certificate { key: ec, ..leaf() }, "ec-key-weak"),
            (Certificate { signature_hash: SignatureHash::Sha1, ..leaf() }, "sha1-signature"),
            (Certificate { signature_hash: SignatureHash::Md5, ..leaf() }, "md5-signature"),
            (Certificate { version: 1, ..leaf() }, "x509-v1"),
            (Certificate { key_usage: Some(KeyUsage::KEY_ENCIPHERMENT), ..leaf() }, "server-cert-key-usage"),
        ] {
            assert!(warned(vec![c], code), "{code}");
            assert!(!warned(vec![leaf()], code), "{code}");
        }
    }
}

//! The server's list of certificates as a list: order, repetitions, leftovers, size, cross-signed alternatives.

use super::refusal::{Fault, judged};
use super::server_cert::{chain, on_cert, own, relations};
use super::{Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Role;
use crate::x509::{Certificate, Validity};

const SHOW: &str = "  openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null";

/// Certificates of one message beyond which something is wrong: public chains have two or three.
const MANY: usize = 10;

/// Bytes of certificates beyond which the server's flight takes a further round trip or two (ten segments).
const LARGE: usize = 16 << 10;

/// Roots that signed others across and have expired: Common Name, last second (from the certificates themselves).
const EXPIRED_ROOTS: &[(&str, i64)] = &[
    // 2021-09-30T14:01:15Z, over Let's Encrypt's ISRG Root X1.
    ("DST Root CA X3", 1_633_010_475),
    // 2020-05-30T10:48:38Z, over Sectigo's USERTrust roots.
    ("AddTrust External CA Root", 1_590_835_718),
];

pub(super) const RULES: &[Rule] = &[
    new(
        "leaf-not-first",
        Severity::Warning,
        0,
        "The server's own certificate is not the first one that it sends",
        page(
            "The first certificate of the message is a CA; the server's own comes later.",
            "All versions of TLS want the sender's certificate first. A client takes the first one for the server's: most refuse (wrong name, wrong key), some sort the list.",
            "Read from the certificates in clear: exactly one of them is no CA and issued none of the others.",
            "Write the chain file anew: first the server's certificate, then each issuer: cat server.pem intermediate.pem > fullchain.pem.",
            SHOW,
            "RFC 8446, section 4.4.2; RFC 5246, section 7.4.2",
        ),
        leaf_not_first,
    ),
    new(
        "chain-duplicate",
        Severity::Info,
        0,
        "The server sends a certificate twice",
        page(
            "The same certificate stands in the message more than once.",
            "It costs bytes in every handshake; strict clients call the order wrong. Mostly the certificate is in the chain file and in a second setting too.",
            "Certain: the bytes are the same.",
            "Take one of them out: nginx ssl_certificate must hold each certificate once; Apache: not both in SSLCertificateFile and SSLCertificateChainFile.",
            SHOW,
            "RFC 8446, section 4.4.2",
        ),
        duplicate,
    ),
    new(
        "chain-extra-cert",
        Severity::Info,
        0,
        "The server sends more certificates than a path needs",
        page(
            "Beside the path from the leaf upwards there are further certificates of its issuers (cross-signed alternatives).",
            "Wanted where old clients know only the older root; otherwise bytes in every handshake.",
            "By names and key identifiers.",
            "When no client needs the older root any more, take the alternatives out of the chain file (certbot --preferred-chain NAME).",
            SHOW,
            "RFC 8446, section 4.4.2",
        ),
        extra,
    ),
    new(
        "chain-cross-sign-expired",
        Severity::Warning,
        57,
        "The server's chain leads to a cross-signed certificate whose time is over",
        page(
            "A CA's certificate in the list has expired while another one of the same name has not, or the path ends at a root that is known to have expired (DST Root CA X3, AddTrust External CA Root).",
            "New clients find the other path. Old ones (OpenSSL 1.0.2, GnuTLS before 3.6.14, old Java and Android) follow the expired one and say \"certificate has expired\", though the server's own is valid.",
            "Dates are read in clear and judged at the time of the capture. It is the cause only when the client refused.",
            "Serve the shorter chain that ends at the newer root (certbot --preferred-chain \"ISRG Root X1\"); on the client update the TLS library, or remove the expired root from its trust store (blocklist it on RHEL 7).",
            SHOW,
            "RFC 5280, section 6.1; RFC 8446, section 4.4.2.4",
        ),
        cross_sign_expired,
    ),
    new(
        "chain-too-long",
        Severity::Warning,
        0,
        "The server's list of certificates is very long",
        page(
            "More than 10 certificates or more than 16 KiB of them.",
            "A flight that does not fit into the first window costs one round trip or more in every handshake; clients have limits too (OpenSSL: 100 KB, verification depth 100; Java: 10 certificates, jdk.tls.maxCertificateChainLength).",
            "Counted in clear.",
            "Serve leaf and intermediates only: a whole CA bundle in ssl_certificate, or -cert_chain with the trust store, is the usual mistake.",
            SHOW,
            "RFC 8446, section 4.4.2",
        ),
        too_long,
    ),
];

fn leaf_not_first(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let j = relations(f)?;
    let (first, own) = (certs.first()?, certs.get(j.leaf).filter(|_| j.leaf > 0)?);
    let detail = format!(
        "The first certificate is {}; the server's own, {}, is number {}.",
        words::cert(first),
        words::cert(own),
        j.leaf.saturating_add(1)
    );
    Some(on_cert(f, Hit::new(detail, "On the server: put its own certificate first in the chain file.")))
}

fn duplicate(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let j = relations(f)?;
    if j.duplicates.is_empty() {
        return None;
    }
    let detail = format!("Sent more than once: {}.", words::certs(certs, &j.duplicates));
    Some(on_cert(f, Hit::new(detail, "On the server: take the repeated certificates out of the chain file.")))
}

fn extra(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let j = relations(f)?;
    if j.alternatives.is_empty() {
        return None;
    }
    let detail = format!("Not needed for the path: {}.", words::certs(certs, &j.alternatives));
    Some(on_cert(f, Hit::new(detail, "Where no client needs the other path: take them out of the chain file.")))
}

fn cross_sign_expired(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let at = f.judged_at();
    let j = relations(f)?;
    let own = own(f).filter(|c| c.validity_at(at) == Validity::Valid)?;
    let has_other = |c: &Certificate| {
        certs
            .iter()
            .any(|o| o.sha256 != c.sha256 && o.subject_raw == c.subject_raw && o.validity_at(at) == Validity::Valid)
    };
    let by_date = certs.iter().filter(|c| c.is_ca() && has_other(c)).find_map(|c| match c.validity_at(at) {
        Validity::Expired { since } => Some((words::cert(c), since)),
        _ => None,
    });
    let by_name = || {
        let issuer = j.missing_issuer.as_deref()?;
        let (name, until) = EXPIRED_ROOTS.iter().find(|(cn, _)| {
            issuer
                .strip_prefix("CN=")
                .and_then(|r| r.strip_prefix(cn))
                .is_some_and(|r| r.is_empty() || r.starts_with(','))
        })?;
        (at.secs() > *until).then(|| (format!("\"{name}\", at which the path ends"), *until))
    };
    let (which, since) = by_date.or_else(by_name)?;
    let detail = format!(
        "The server's own certificate {} is valid, but {which}, expired on {}; {}.",
        words::cert(own),
        words::date(since),
        words::when(f)
    );
    let remedy = "On the server: serve the chain that ends at the newer root. On the client: update its TLS library and trust store.";
    Some(judged(f, Role::Server, Fault::Expired, on_cert(f, Hit::new(detail, remedy))))
}

fn too_long(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let sent = f.of(Role::Server).certificates.as_ref()?;
    let count = sent.chain.len().saturating_add(sent.omitted);
    let bytes: usize = sent.chain.iter().map(|c| c.der_len).sum();
    if count <= MANY && bytes <= LARGE {
        return None;
    }
    let detail = format!("The server sends {} of {bytes} bytes.", words::count(count as u64, "certificate"));
    Some(on_cert(f, Hit::new(detail, "On the server: serve its own certificate and the intermediates only.")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, alert, ca, established, find, leaf, server_flight, told};
    use crate::diagnose::Severity;
    use crate::span::Side;
    use crate::x509::Certificate;

    fn has(chain: Vec<Certificate>, code: &str) -> bool {
        find(&established(server_flight(chain)), code)
            .is_some_and(|x| x.severity < Severity::Error && !x.explains_failure)
    }

    #[test]
    fn order_repetition_and_leftovers() {
        let (mid, root) = (ca(1, "Issuing CA", "Root"), ca(2, "Root", "Root"));
        assert!(has(vec![mid.clone(), leaf()], "leaf-not-first") && !has(vec![leaf(), mid.clone()], "leaf-not-first"));
        assert!(has(vec![leaf(), mid.clone(), mid.clone()], "chain-duplicate"));
        assert!(!has(vec![leaf(), mid.clone()], "chain-duplicate"));
        let across = ca(3, "Root", "Older Root");
        assert!(has(vec![leaf(), mid.clone(), root.clone(), across], "chain-extra-cert"));
        assert!(!has(vec![leaf(), mid, root], "chain-extra-cert"));
    }

    #[test]
    fn long_lists() {
        let many = |n: u8| std::iter::once(leaf()).chain((1..n).map(|n| ca(n, "Issuing CA", "Root"))).collect();
        assert!(has(many(11), "chain-too-long") && !has(many(10), "chain-too-long"));
        assert!(has(vec![Certificate { der_len: 17_000, ..leaf() }], "chain-too-long"));
    }

    #[test]
    fn an_expired_cross_signature_is_the_cause_when_the_client_says_expired() {
        let (mid, root) = (ca(1, "Issuing CA", "Root"), ca(2, "Root", "Root"));
        let across = Certificate { not_after: Some(NOW - 60), ..ca(3, "Root", "Older Root") };
        let list = vec![leaf(), mid.clone(), root, across];
        assert!(has(list.clone(), "chain-cross-sign-expired"));
        assert_eq!(told(&alert(server_flight(list), Side::A, 45)).cause, Some("chain-cross-sign-expired"));
        // The root that left the scene in 2021 is known by its name.
        let top = ca(2, "ISRG Root X1", "DST Root CA X3");
        let mid = ca(1, "Issuing CA", "ISRG Root X1");
        assert!(has(vec![leaf(), mid.clone(), top], "chain-cross-sign-expired"));
        assert!(!has(vec![leaf(), mid], "chain-cross-sign-expired"));
    }
}

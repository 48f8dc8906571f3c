//! What the CAs of the server's chain may not do, and where the links between the certificates do not fit.

use std::sync::Arc;

use super::refusal::{Fault, judged};
use super::server_cert::{chain, on_cert, relations};
use super::{Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Role;
use crate::x509::{Certificate, Chain, Validity};

const SHOW: &str = "  openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null";
const VERIFY: &str = "  openssl verify -show_chain -CAfile root.pem -untrusted intermediate.pem server.pem";
const READ: &str = "Read from the certificates in clear. It is the cause only when the client refused.";

pub(super) const RULES: &[Rule] = &[
    new(
        "intermediate-expired",
        Severity::Error,
        59,
        "An intermediate certificate that the server sends has expired",
        page(
            "The server's own certificate is valid, an intermediate of its path was valid only until before the capture.",
            "The certificate was renewed with a new intermediate, and the chain file still has the old one; or the CA replaced its intermediate.",
            "Judged at the time of the capture, not today. It is the cause only when the client refused; a client that has a newer intermediate does not mind.",
            "Download the CA's current intermediate (the certificate's CA Issuers address names it), replace it in the chain file and reload.",
            SHOW,
            "RFC 5280, sections 4.1.2.5 and 6.1.3",
        ),
        intermediate_expired,
    ),
    new(
        "root-expired",
        Severity::Warning,
        58,
        "The root certificate that the server sends has expired",
        page(
            "The last certificate of the path is issued by itself and was valid only until before the capture.",
            "Clients judge their own copy of a root, not this one; if theirs is the same, they refuse everything the CA issued (OpenSSL and Java check a root's dates).",
            "Judged at the time of the capture. It is the cause only when the client refused.",
            "Move to a new root: distribute it to the clients' trust stores, issue the intermediate from it, and take the old one out of the chain file.",
            SHOW,
            "RFC 5280, section 6.1; RFC 8446, section 4.4.2",
        ),
        root_expired,
    ),
    new(
        "issuer-name-mismatch",
        Severity::Warning,
        56,
        "The issuer's name in a certificate is not the name of the CA that is sent as its issuer",
        page(
            "A certificate of the list has the key identifier that another one names as its issuer's, but its subject differs from that issuer name, in words or in its bytes.",
            "Paths are built by names: a client that compares byte by byte (Go, rustls, Java) finds no issuer and says \"unknown authority\". It comes from a CA whose name was changed or re-encoded when its certificate was renewed.",
            "Names and key identifiers are read in clear. Names that are equal as text and differ in their encoding are refused by some clients only. It is the cause only when the client refused.",
            "Issue the CA's certificate again with exactly the subject that stands as issuer in the others (openssl x509 -nameopt show_type shows the encodings), or send the right one.",
            "  openssl x509 -in server.pem -noout -issuer -nameopt RFC2253,show_type; openssl x509 -in intermediate.pem -noout -subject -nameopt RFC2253,show_type",
            "RFC 5280, sections 4.1.2.4, 6.1.3 and 7.1",
        ),
        issuer_name,
    ),
    new(
        "aki-ski-mismatch",
        Severity::Warning,
        56,
        "The CA that is sent as the issuer has the right name and another key",
        page(
            "The authority key identifier of a certificate is not the subject key identifier of the one that bears its issuer's name.",
            "The CA was made anew under the same name (a lab's root, a mesh's rotated CA) and the chain file, or the client's trust store, has the other generation. OpenSSL finds no issuer (\"unable to get local issuer certificate\"), others say that the signature is wrong.",
            "Identifiers are read in clear; they are hashes of the key by custom, so that a CA may have written something else. It is the cause only when the client refused.",
            "Send the CA certificate that belongs to the key that signed: compare the identifiers and the signature with openssl verify.",
            "  openssl x509 -in server.pem -noout -ext authorityKeyIdentifier; openssl x509 -in intermediate.pem -noout -ext subjectKeyIdentifier",
            "RFC 5280, sections 4.2.1.1 and 4.2.1.2",
        ),
        key_ids,
    ),
    new(
        "pathlen-exceeded",
        Severity::Warning,
        56,
        "The chain has more CAs below one of its CAs than that one allows",
        page(
            "A CA's basic constraints have a path length, and more intermediate CAs than that stand below it.",
            "Clients refuse such a path: OpenSSL says \"path length constraint exceeded\", Go \"too many intermediates for path length constraint\". A CA with pathlen:0 may issue end certificates only.",
            READ,
            "Issue the lower certificates from a CA that may have CAs below it, or that CA's certificate again with a larger path length (basicConstraints=critical,CA:TRUE,pathlen:1) or none.",
            VERIFY,
            "RFC 5280, sections 4.2.1.9 and 6.1.4",
        ),
        path_len,
    ),
    new(
        "keycertsign-missing",
        Severity::Warning,
        56,
        "A CA of the chain may not sign certificates by its key usage",
        page(
            "A certificate that issued another one has a key usage without keyCertSign.",
            "Clients refuse such a path: OpenSSL and GnuTLS look for another issuer (\"unable to get issuer certificate\"), Go says \"certificate is not authorized to sign other certificates\".",
            READ,
            "Issue the CA's certificate again with keyUsage=critical,keyCertSign,cRLSign.",
            "  openssl x509 -in intermediate.pem -noout -ext keyUsage",
            "RFC 5280, section 4.2.1.3",
        ),
        cert_sign,
    ),
    new(
        "name-constraints-violated",
        Severity::Warning,
        56,
        "The server's certificate has a name that a CA above it may not certify",
        page(
            "A CA of the path has name constraints, and a name of the server's certificate is excluded by them or not among those permitted.",
            "Clients refuse it: OpenSSL says \"permitted subtree violation\" or \"excluded subtree violation\", Go \"is not permitted by any constraint\". Usual with departmental CAs that may issue for one domain only.",
            "DNS names and addresses are compared, read in clear. It is the cause only when the client refused.",
            "Issue the certificate for permitted names only, or from a CA without that restriction.",
            "  openssl x509 -in intermediate.pem -noout -ext nameConstraints",
            "RFC 5280, sections 4.2.1.10 and 6.1.3",
        ),
        constraints,
    ),
    new(
        "unknown-critical-extension",
        Severity::Warning,
        56,
        "A certificate of the server has a critical extension that few programs know",
        page(
            "An extension marked critical, none of those of RFC 5280 or of today's web PKI, stands in a certificate of the path.",
            "A client that does not know it must refuse the certificate: OpenSSL says \"unhandled critical extension\", Go \"unhandled critical extension\", Java \"unrecognized critical extension(s)\".",
            "Read from the certificates in clear. Whether the client knows the extension is not on the wire; it is the cause only when the client refused.",
            "Issue the certificate again with that extension not critical.",
            "  openssl x509 -in server.pem -noout -text | grep -A1 critical",
            "RFC 5280, section 4.2",
        ),
        critical,
    ),
];

/// The chain with what relates its certificates.
fn judged_chain(f: &FlowFacts) -> Option<(&[Arc<Certificate>], &Chain)> {
    let certs = chain(f)?;
    Some((certs, relations(f)?))
}

/// A CA's fault: it explains a refusal for which it can be the reason.
fn of_ca(f: &FlowFacts, detail: String, remedy: &str) -> Hit {
    judged(f, Role::Server, Fault::NotCa, on_cert(f, Hit::new(detail, remedy)))
}

fn intermediate_expired(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let above = j.path.iter().skip(1).filter_map(|i| certs.get(*i));
    let (c, since) = above.filter(|c| !c.is_self_issued).find_map(|c| match c.validity_at(f.judged_at()) {
        Validity::Expired { since } => Some((c, since)),
        _ => None,
    })?;
    let detail =
        format!("The intermediate {} was valid until {}; {}.", words::cert(c), words::date(since), words::when(f));
    let remedy =
        "On the server: replace the expired intermediate in the chain file by the CA's current one and reload.";
    Some(judged(f, Role::Server, Fault::Expired, on_cert(f, Hit::new(detail, remedy))))
}

fn root_expired(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let root = certs.get(j.root_included?)?;
    let Validity::Expired { since } = root.validity_at(f.judged_at()) else { return None };
    let detail = format!("The root {} was valid until {}; {}.", words::cert(root), words::date(since), words::when(f));
    let remedy = "Give the clients the CA's new root, and take the old one out of the server's chain file.";
    Some(judged(f, Role::Server, Fault::Expired, on_cert(f, Hit::new(detail, remedy))))
}

fn issuer_name(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let by_key = j.issuer_name_differs.first();
    let (child, issuer) = by_key.or_else(|| j.name_encoding_differs.first())?;
    let (child, issuer) = (certs.get(*child)?, certs.get(*issuer)?);
    let how =
        if by_key.is_some() { "though it has the key of that issuer" } else { "which is the same text in other bytes" };
    let detail = format!(
        "The issuer in {} is \"{}\"; the CA that is sent calls itself \"{}\", {how}.",
        words::cert(child),
        words::name(&child.issuer),
        words::name(&issuer.subject)
    );
    let remedy = "Issue the CA's certificate again with exactly the name that the others have as their issuer, or send the right one.";
    let hit = of_ca(f, detail, remedy);
    // Most clients compare names as text.
    Some(if by_key.is_some() || hit.beside { hit } else { hit.possible().severity(Severity::Warning) })
}

fn key_ids(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let (child, issuer) = j.aki_ski_mismatch.first()?;
    let (child, issuer) = (certs.get(*child)?, certs.get(*issuer)?);
    let detail = format!(
        "{} names {} as its issuer's key; {} has {}.",
        words::cert(child),
        child.authority_key_id.as_deref().unwrap_or("none"),
        words::cert(issuer),
        issuer.subject_key_id.as_deref().unwrap_or("none")
    );
    Some(of_ca(f, detail, "On the server: send the CA certificate whose key signed the certificate below it."))
}

fn path_len(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let c = certs.get(*j.path_len_exceeded.first()?)?;
    let max = c.basic_constraints.and_then(|(_, n)| n).unwrap_or_default();
    let detail = format!("{} allows {max} intermediate CAs below it; the path has more.", words::cert(c));
    Some(of_ca(
        f,
        detail,
        "Issue the lower CA from one that may have CAs below it (basicConstraints without pathlen, or a larger one).",
    ))
}

fn cert_sign(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let c = certs.get(*j.cannot_sign.first()?)?;
    let usage = c.key_usage.map(|u| words::list(&u.names())).unwrap_or_default();
    let detail = format!("The key usage of {} is {usage}; keyCertSign is not in it.", words::cert(c));
    Some(of_ca(f, detail, "Issue the CA's certificate again with keyUsage=critical,keyCertSign,cRLSign."))
}

fn constraints(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let own = certs.get(j.leaf)?;
    let above = j.path.iter().skip(1).filter_map(|i| certs.get(*i));
    let (ca, name) = above
        .filter(|c| c.self_signed() != Some(true))
        .find_map(|c| c.name_constraints.as_ref()?.forbidden(own).map(|name| (c, name)))?;
    let detail = format!("{} may not certify {name}, which {} has.", words::cert(ca), words::cert(own));
    Some(of_ca(
        f,
        detail,
        "On the server: use a certificate with permitted names only, or from a CA without the restriction.",
    ))
}

fn critical(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (certs, j) = judged_chain(f)?;
    let c = j.path.iter().filter_map(|i| certs.get(*i)).find(|c| !c.unknown_critical.is_empty())?;
    let detail =
        format!("{} has critical extensions of the types {}.", words::cert(c), words::list(&c.unknown_critical));
    Some(of_ca(f, detail, "Issue the certificate again with these extensions not critical."))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, alert, ca, established, find, leaf, server_flight, told};
    use crate::diagnose::{Confidence, Severity};
    use crate::span::Side;
    use crate::x509::{Certificate, KeyUsage, NameConstraints, Subtree};

    #[test]
    fn faults_of_the_chain_are_causes_only_of_a_refusal() {
        let (mid, root) = (ca(1, "Issuing CA", "Root"), ca(2, "Root", "Root"));
        let tight =
            NameConstraints { permitted: vec![Subtree::Dns("corp.example".into())], ..NameConstraints::default() };
        let key = |id: &str| Some(id.to_owned());
        let own = |id: &str| Certificate { authority_key_id: key(id), ..leaf() };
        for (code, alert_code, list) in [
            ("intermediate-expired", 45, vec![leaf(), Certificate { not_after: Some(NOW - 1), ..mid.clone() }]),
            ("root-expired", 45, vec![leaf(), mid.clone(), Certificate { not_after: Some(NOW - 1), ..root.clone() }]),
            (
                "issuer-name-mismatch",
                48,
                vec![own("01"), Certificate { subject_key_id: key("01"), ..ca(1, "New name", "Root") }],
            ),
            ("aki-ski-mismatch", 48, vec![own("01"), Certificate { subject_key_id: key("02"), ..mid.clone() }]),
            (
                "pathlen-exceeded",
                48,
                vec![
                    leaf(),
                    mid.clone(),
                    Certificate { basic_constraints: Some((true, Some(0))), ..ca(2, "Root", "Older") },
                ],
            ),
            (
                "keycertsign-missing",
                42,
                vec![leaf(), Certificate { key_usage: Some(KeyUsage::CRL_SIGN), ..mid.clone() }],
            ),
            (
                "name-constraints-violated",
                46,
                vec![leaf(), Certificate { name_constraints: Some(tight), ..mid.clone() }],
            ),
            ("unknown-critical-extension", 46, vec![Certificate { unknown_critical: vec!["1.2.3".into()], ..leaf() }]),
        ] {
            let d = told(&alert(server_flight(list.clone()), Side::A, alert_code));
            assert_eq!(d.cause, Some(code));
            assert!(d.findings[0].confidence < Confidence::Certain || alert_code == 45, "{code}");
            let x = find(&established(server_flight(list)), code).expect(code);
            assert!(x.severity == Severity::Warning && !x.explains_failure, "{code}");
            let good = vec![leaf(), mid.clone(), root.clone()];
            assert!(find(&alert(server_flight(good), Side::A, alert_code), code).is_none(), "{code}");
        }
    }
}

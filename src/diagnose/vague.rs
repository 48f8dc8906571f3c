//! Alerts about a certificate that do not say which check failed: the reader gets the checks that fail here, ranked, or
//! the word that all pass.

use super::refusal::{Stage, failed_with, hello_refused, stage};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{ChainFact, FlowFacts};
use crate::flow::Mark;
use crate::span::Role;
use crate::text;
use crate::tls::names::AlertDescription;
use crate::x509::{NameMatch, Trusted, Validity, match_name};

const VERIFY: &str = "  openssl s_client -connect HOST:PORT -servername NAME -CAfile root.pem -verify_return_error -verify_hostname NAME </dev/null";

pub(super) const RULES: &[Rule] = &[
    new(
        "bad-certificate",
        Severity::Error,
        28,
        "A peer refused the other's certificate as bad",
        page(
            "The alert bad_certificate, and no single check explains it better.",
            "Go and GnuTLS send it for nearly every certificate problem, OpenSSL for a name that does not match, a certificate that is not valid yet and signatures too weak; TLS 1.2 servers in Go and Java also when the client sent no certificate.",
            "That a certificate was refused is certain; why, the alert does not say.",
            "Look at the log of the side that sent the alert. Check in this order: name, dates, issuer, purpose, key size, signature hash; then pinning and custom verification.",
            VERIFY,
            "RFC 8446, section 6.2",
        ),
        bad,
    ),
    new(
        "unsupported-certificate",
        Severity::Error,
        28,
        "A peer refused the other's certificate as unsupported",
        page(
            "The alert unsupported_certificate, and no single check explains it better.",
            "The certificate's purpose (extended key usage), key type or key usage does not fit what it is used for. OpenSSL says \"unsuitable certificate purpose\".",
            "That a certificate was refused is certain; in TLS 1.3 the certificate is encrypted, so that the fault cannot be seen.",
            "Check extendedKeyUsage (serverAuth for servers, clientAuth for clients), key type and key usage of the certificate.",
            "  openssl x509 -in cert.pem -noout -purpose -ext extendedKeyUsage,keyUsage",
            "RFC 8446, section 6.2; RFC 5280, section 4.2.1.12",
        ),
        unsupported,
    ),
    new(
        "certificate-unknown",
        Severity::Error,
        28,
        "A peer refused the other's certificate for a reason it did not name",
        page(
            "The alert certificate_unknown, and no single check explains it better.",
            "Java and browsers send it for most certificate problems: issuer not trusted, other name, expired, pinning.",
            "That a certificate was refused is certain; why, the alert does not say.",
            "Look at the log of the side that sent the alert: Java names the reason (\"PKIX path building failed\", \"No subject alternative names matching …\").",
            VERIFY,
            "RFC 8446, section 6.2",
        ),
        unknown,
    ),
    new(
        "access-denied",
        Severity::Error,
        28,
        "A peer accepted the certificate and denied access",
        page(
            "The alert access_denied.",
            "By the standard the certificate was valid and its owner is not permitted: a server that authorises by Common Name, alternative name or SPIFFE ID. GnuTLS servers send it for an unknown CA too.",
            "That access was denied is certain; which rule denied it stands in the log of the side that sent the alert.",
            "On that side: permit the identity (Envoy match_typed_subject_alt_names, Kafka ssl.principal.mapping.rules, PostgreSQL pg_ident.conf), or use a certificate with a permitted one.",
            "  openssl x509 -in client.pem -noout -subject -ext subjectAltName",
            "RFC 8446, section 6.2",
        ),
        denied,
    ),
];

/// The certificates of the side that was refused.
fn refused_chain(f: &FlowFacts, refuser: Role) -> Option<&ChainFact> {
    f.of(refuser.other()).certificates.as_ref().filter(|c| !c.chain.is_empty())
}

/// What fails or may fail, in the order of likelihood, as sentences.
fn candidates(f: &FlowFacts, policy: &Policy, refuser: Role) -> String {
    let owner = refuser.other();
    let Some(sent) = refused_chain(f, refuser) else {
        return if f.is_tls13() {
            format!(
                " The {owner}'s certificate is encrypted (TLS 1.3): check its names, dates, issuer and purpose at the {owner}."
            )
        } else {
            String::new()
        };
    };
    let Some(leaf) = sent.leaf() else { return String::new() };
    let (certs, j) = (&sent.chain, sent.relations());
    let mut found: Vec<String> = Vec::new();
    match leaf.validity_at(f.judged_at()) {
        Validity::Expired { since } => found.push(format!("it expired on {}", words::date(since))),
        Validity::NotYetValid { until } => found.push(format!("it is valid only from {}", words::date(until))),
        Validity::Valid | Validity::Unknown => {}
    }
    let purpose = if owner == Role::Server { "serverAuth" } else { "clientAuth" };
    if owner == Role::Server {
        let name = f.server_name().map(|n| text::escape_bytes(n).into_owned());
        if let Some(n) = name.filter(|n| match_name(leaf, n) != NameMatch::Match) {
            found.push(format!("it is not good for \"{n}\""));
        }
    }
    if !leaf.allows(purpose) {
        found.push(format!("its extended key usage lacks {purpose}"));
    }
    if j.self_signed {
        found.push("it is self-signed".to_owned());
    }
    let trust = if owner == Role::Server { &policy.trust } else { &policy.client_ca };
    let anchored = trust.as_ref().map(|t| (t.judge(certs, j, owner, f.judged_at()), &t.source));
    match (&anchored, &j.missing_issuer) {
        (Some((Trusted::UnknownIssuer, source)), _) if !j.self_signed => {
            found.push(format!("no CA of its chain is in {source}"));
        }
        (Some((Trusted::No(why), source)), _) => found.push(format!("with {source} its path is not good: {why}")),
        (None, Some(top)) => {
            found.push(format!("its path ends at \"{}\", which the {refuser} may not trust", words::name(top)));
        }
        _ => {}
    }
    if let Some(c) = j
        .path
        .iter()
        .skip(1)
        .filter_map(|i| certs.get(*i))
        .find(|c| !c.is_self_issued && matches!(c.validity_at(f.judged_at()), Validity::Expired { .. }))
    {
        found.push(format!("the intermediate {} has expired", words::cert(c)));
    }
    if [&j.not_ca, &j.cannot_sign, &j.path_len_exceeded].iter().any(|l| !l.is_empty()) {
        found.push("a CA of its chain may not issue what it issued".to_owned());
    }
    if !j.aki_ski_mismatch.is_empty() || !j.issuer_name_differs.is_empty() {
        found.push("the CA sent along is not the one that issued it".to_owned());
    }
    if certs.iter().any(|c| !c.unknown_critical.is_empty()) {
        found.push("it has critical extensions that few programs know".to_owned());
    }
    if leaf.key.is_weak() {
        found.push("its key is small".to_owned());
    }
    if certs.iter().any(|c| c.has_weak_signature()) {
        found.push("a signature in its chain stands on a broken hash".to_owned());
    }
    let which = words::cert(leaf);
    if found.is_empty() {
        let issuer = match &anchored {
            Some((_, source)) => format!("and leads to {source}: look for other trust anchors of the {refuser}"),
            None => format!("that can be made here: look for an issuer the {refuser} does not trust"),
        };
        format!(" The {owner}'s certificate {which} passes every check {issuer}, pinning or a custom verifier.")
    } else {
        format!(" Of the {owner}'s certificate {which} could be held against it: {}.", found.join("; "))
    }
}

fn vague(f: &FlowFacts, policy: &Policy, d: AlertDescription, remedy: &str) -> Option<Hit> {
    let (role, mark): (Role, Mark) = failed_with(f, d)?;
    if hello_refused(f, d).is_some() || stage(f) == Stage::Hello {
        return None;
    }
    // A server that asked for no certificate has none to refuse; the alert has a finding of its own.
    if role == Role::Server && f.client_auth(f.outcome()).requested != Some(true) {
        return None;
    }
    let detail = format!("{}{}", words::alert_sentence(role, d, mark), candidates(f, policy, role));
    let title = format!("The {role} refused the {}'s certificate: {}", role.other(), d.name().unwrap_or("alert"));
    let hit = Hit::new(detail, remedy).title(title).at(mark).blame(Blame::from(role.other()));
    Some(hit.at_any(f.of(role.other()).certificates.as_ref().map(|c| c.mark)))
}

fn bad(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    vague(
        f,
        policy,
        AlertDescription::BAD_CERTIFICATE,
        "Look at the log of the side that sent the alert; then check the refused certificate's names, dates, issuer and purpose (openssl x509 -noout -text).",
    )
}

fn unsupported(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    vague(
        f,
        policy,
        AlertDescription::UNSUPPORTED_CERTIFICATE,
        "Check the extended key usage of the refused certificate (serverAuth for a server, clientAuth for a client) and its key type, and issue it again if it does not fit.",
    )
}

fn unknown(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    vague(
        f,
        policy,
        AlertDescription::CERTIFICATE_UNKNOWN,
        "Look at the log of the side that sent the alert (Java names the reason there); then check issuer, names and dates of the refused certificate.",
    )
}

fn denied(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    vague(
        f,
        policy,
        AlertDescription::ACCESS_DENIED,
        "On the side that sent the alert: permit the identity in the certificate, or trust its CA (GnuTLS servers send this alert for an unknown CA too).",
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        alert, asked, client_flight, established, find, hello, leaf, server_flight, server_hello, told,
    };
    use crate::diagnose::Blame;
    use crate::span::Side;

    #[test]
    fn a_refusal_without_a_reason_lists_what_could_be_held_against_it() {
        for (a, code) in [
            (42, "bad-certificate"),
            (43, "unsupported-certificate"),
            (46, "certificate-unknown"),
            (49, "access-denied"),
        ] {
            let d = told(&alert(server_flight(vec![leaf()]), Side::A, a));
            assert_eq!(d.cause, Some(code));
            assert!(d.findings[0].detail.contains("its path ends at \"CN=Issuing CA\""), "{}", d.findings[0].detail);
            assert_eq!(d.findings[0].blame, Blame::Server);
            assert!(find(&established(server_flight(vec![leaf()])), code).is_none());
            assert!(find(&alert(hello(), Side::B, a), code).is_none(), "no certificate was seen by then");
        }
        // TLS 1.3: the certificate is hidden and nothing is said of it.
        let d = told(&alert(server_hello(0x0304), Side::A, 42));
        assert_eq!(d.cause, Some("bad-certificate"));
        assert!(d.findings[0].detail.contains("encrypted"));
    }

    #[test]
    fn a_server_refuses_the_clients() {
        let f = alert(client_flight(asked(server_flight(vec![leaf()])), vec![leaf()]), Side::B, 49);
        let d = told(&f);
        assert_eq!(d.cause, Some("access-denied"));
        assert_eq!(d.findings[0].blame, Blame::Client);
    }

    #[test]
    fn trust_anchors_tell_an_unknown_root_from_pinning() {
        use std::sync::Arc;

        use crate::diagnose::{Policy, diagnose};
        use crate::x509::Trust;

        let root = |name: &str| {
            let mut p = rcgen::CertificateParams::new(vec![]).expect("no names");
            p.distinguished_name = rcgen::DistinguishedName::new();
            p.distinguished_name.push(rcgen::DnType::CommonName, name);
            p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let der = p.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate");
            Policy { trust: Some(Arc::new(Trust::read("root.pem", der.der()).expect("one"))), ..Policy::default() }
        };
        let f = alert(server_flight(vec![leaf()]), Side::A, 46);
        assert_eq!(diagnose(&f, &root("Another CA")).cause, Some("server-cert-unknown-ca"));
        let known = diagnose(&f, &root("Issuing CA"));
        assert_eq!(known.cause, Some("certificate-unknown"));
        assert!(
            known.findings[0].detail.contains("with root.pem its path is not good"),
            "{}",
            known.findings[0].detail
        );
        // On a connection that worked it is a remark.
        let fine = diagnose(&established(server_flight(vec![leaf()])), &root("Another CA"));
        assert!(
            fine.cause.is_none()
                && fine.findings.iter().any(|x| x.code == "server-cert-unknown-ca" && !x.explains_failure)
        );
    }
}

//! Is the client's certificate one that the server asked for and that a client may use: key, purpose, identity.

use super::ca_list::is_public_authority;
use super::client_auth::{acceptable, server_looks_bad};
use super::client_cert::{chain, leaf, on};
use super::refusal::{Fault, Stage, how_it_ended, judged, of_client, of_server, stage};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{CertificateRequestFact, FlowFacts};
use crate::span::Role;
use crate::tls::names::{AlertDescription, ClientCertificateType, SignatureScheme};
use crate::x509::{KeyAlgorithm, KeyUsage, NameEquality, San, Validity, compare_names};

const SHOW: &str =
    "  openssl x509 -in client.pem -noout -subject -issuer -purpose -ext extendedKeyUsage,keyUsage,subjectAltName";
const ASKED: &str = "  openssl s_client -connect HOST:PORT -servername NAME -cert client.pem -key client.key </dev/null\n  (\"Client Certificate Types\" and \"Requested Signature Algorithms\")";

pub(super) const RULES: &[Rule] = &[
    new(
        "client-cert-key-usage",
        Severity::Error,
        54,
        "The key usage of the client's certificate forbids signing",
        page(
            "The certificate has a key usage without digitalSignature, yet a client proves its key by signing the handshake.",
            "The certificate was issued for encryption only (keyEncipherment), as older templates for servers and mail do. Java, GnuTLS and Go's verifiers refuse it, OpenSSL with X509_V_FLAG_X509_STRICT or purpose sslclient.",
            "Read in clear. It is the cause only when the server refused.",
            "Issue the certificate with keyUsage = critical, digitalSignature and extendedKeyUsage = clientAuth.",
            SHOW,
            "RFC 5280, section 4.2.1.3; RFC 5246, section 7.4.8; RFC 8446, section 4.4.2.2",
        ),
        key_usage,
    ),
    new(
        "client-cert-is-server-cert",
        Severity::Warning,
        0,
        "The client uses a server's certificate of a public authority",
        page(
            "The certificate that the client sent is of a public authority and names hosts: it was made for a server.",
            "Public authorities take clientAuth out of what they issue (browsers demand certificates for servers only, from June 2026 on), so that a renewal ends this connection. And whoever may have a certificate from that authority is taken for a client unless its names are checked too.",
            "Likely: by names and issuer, in clear. That the connection works today is no contradiction.",
            "Issue clients' certificates from a private CA with extendedKeyUsage = clientAuth (step-ca, Vault PKI, cert-manager with a CA issuer) and let the server trust that one.",
            SHOW,
            "RFC 5280, section 4.2.1.12; Chrome Root Program Policy, dedicated TLS server authentication hierarchies",
        ),
        is_server_cert,
    ),
    new(
        "client-cert-type-unsupported",
        Severity::Error,
        53,
        "The client's certificate is of a type that the server did not ask for",
        page(
            "The list of certificate types in the CertificateRequest lacks the type of the client's key (rsa_sign for RSA, ecdsa_sign for elliptic curves).",
            "The server's TLS library or its cipher list knows one kind only; the client must not send another.",
            "Read in clear. It is the cause only when the server refused (likely).",
            "Use a client certificate with a key of a listed type, or let the server take both: openssl ciphers with ECDSA and RSA, Java jdk.tls.disabledAlgorithms, nginx ssl_ciphers.",
            ASKED,
            "RFC 5246, sections 7.4.4 and 7.4.6; RFC 8422, section 5.5",
        ),
        type_unsupported,
    ),
    new(
        "client-sigalg-mismatch",
        Severity::Error,
        46,
        "Client and server have no signature algorithm in common for the client's certificate",
        page(
            "The signature algorithms in the CertificateRequest do not fit: the client's key cannot make any of them, or the client signed with another one; or they lack RSA (or ECDSA) as a whole, and the client gave up at the request or sent no certificate.",
            "The list is set too narrow on the server, or the client's key sits in a token (smart card, TPM, PKCS #11) that cannot do RSASSA-PSS, which TLS 1.3 and newer TLS 1.2 stacks want.",
            "Certain where the client's CertificateVerify names an algorithm that was not asked for, likely where its key fits none; possible where the client sent nothing, as its key is not seen then.",
            "On the server, take more: openssl s_server -client_sigalgs RSA+SHA256:ECDSA+SHA256:RSA-PSS+SHA256, nginx and Apache: ssl_conf_command ClientSignatureAlgorithms …, Java: jdk.tls.server.SignatureSchemes. On the client, use a key of a listed kind; for tokens without PSS, TLS 1.2 with rsa_pkcs1_sha256.",
            ASKED,
            "RFC 5246, sections 7.4.4 and 7.4.8; RFC 8446, section 4.2.3",
        ),
        sigalg,
    ),
    new(
        "mtls-server-name-policy",
        Severity::Error,
        57,
        "The server knows the client's certificate and does not let this client in",
        page(
            "The client's certificate is in its validity, of a listed CA and meant for clients, and the server refused it with access_denied: a valid certificate, to which its access control says no.",
            "The server maps names to permissions: common name, SAN, SPIFFE ID, fingerprint. Envoy (match_typed_subject_alt_names), Istio AuthorizationPolicy, Kafka principal mapping, PostgreSQL pg_ident.conf, own verifiers in Go and Java.",
            "Likely: the alert has this meaning only; GnuTLS servers send it for each certificate that does not verify.",
            "On the server: look which identity its log shows and allow it. On the client: use the certificate with the identity that is allowed.",
            SHOW,
            "RFC 8446, section 6.2; RFC 5246, section 7.2.2",
        ),
        name_policy,
    ),
    new(
        "client-cert-privacy-leak",
        Severity::Info,
        0,
        "Everybody on the way can read who the client is",
        page(
            "Before TLS 1.3 the client's certificate goes over the wire in clear; this one names a person: a mailbox, a user principal name, given name and surname, or a user ID.",
            "Whoever sees the traffic can follow this person from network to network.",
            "Certain: it was read here.",
            "Use TLS 1.3, which encrypts the client's certificate, or certificates with pseudonyms.",
            "  openssl s_client -connect HOST:PORT -servername NAME -tls1_3 -cert client.pem -key client.key </dev/null",
            "RFC 8446, appendix E.1; RFC 7258",
        ),
        privacy,
    ),
];

fn key_usage(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = leaf(f)?;
    let usage = c.key_usage.filter(|u| !u.contains(KeyUsage::DIGITAL_SIGNATURE))?;
    // Without a signature (fixed Diffie-Hellman) none is needed.
    f.of(Role::Client).certificate_verify?;
    let detail = format!(
        "The key usage of the client's certificate {} is {}; it has signed the handshake all the same.",
        words::cert(c),
        words::list(&usage.names())
    );
    let hit = Hit::new(detail, "On the client: use a certificate with keyUsage = digitalSignature.");
    Some(judged(f, Role::Client, Fault::Usage, on(f, hit)))
}

fn is_server_cert(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let c = leaf(f)?;
    let issued = certs.iter().any(|c| is_public_authority(&c.issuer));
    let hosts = c.subject_alt_names.iter().any(|n| matches!(n, San::Dns(_)));
    // Where clientAuth is missing, its own rule tells.
    if !issued || !hosts || !c.allows("serverAuth") || !c.allows("clientAuth") {
        return None;
    }
    let detail = format!("The client sent {}, which names the hosts {}.", words::cert(c), words::sans(c));
    let remedy = "Give the client a certificate of a private CA, and let the server trust that CA for clients.";
    Some(on(f, Hit::new(detail, remedy)).likely())
}

/// The certificate type of RFC 5246 and RFC 8422 that a key is of.
fn type_of(key: &KeyAlgorithm) -> Option<ClientCertificateType> {
    Some(match key {
        KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss => ClientCertificateType::RSA_SIGN,
        KeyAlgorithm::Ec(_) | KeyAlgorithm::Ed25519 | KeyAlgorithm::Ed448 => ClientCertificateType::ECDSA_SIGN,
        KeyAlgorithm::Dsa => ClientCertificateType::DSS_SIGN,
        _ => return None,
    })
}

fn type_unsupported(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let request = f.certificate_request.as_ref().filter(|r| !r.types.is_empty())?;
    let c = leaf(f)?;
    let own = type_of(&c.key.algorithm).filter(|t| !request.types.contains(&t.0))?;
    f.of(Role::Client).certificate_verify?;
    let asked: Vec<String> = request.types.iter().map(|t| ClientCertificateType(*t).to_string()).collect();
    let detail = format!(
        "The server asks for {} (frame {}); the client's certificate {} is of the type {own}.",
        words::list(&asked),
        request.mark.frame,
        words::cert(c)
    );
    let hit =
        Hit::new(detail, "Use a client certificate with a key of a listed type, or let the server take this type.");
    let hit = judged(f, Role::Client, Fault::Usage, on(f, hit)).at(request.mark);
    Some(if hit.beside { hit } else { hit.likely() })
}

/// A key can make signatures of a scheme.
fn fits(key: &KeyAlgorithm, scheme: u16) -> bool {
    let s = SignatureScheme(scheme);
    match key {
        // With an ordinary RSA key, PSS goes under the numbers 0804 to 0806; others use either.
        KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss => s.is_rsa(),
        KeyAlgorithm::Ec(_) => s.is_ecdsa(),
        KeyAlgorithm::Ed25519 => s == SignatureScheme::ED25519,
        KeyAlgorithm::Ed448 => s == SignatureScheme::ED448,
        // What is not known is not judged.
        _ => true,
    }
}

fn sigalg(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let request = f.certificate_request.as_ref().filter(|r| !r.signature_schemes.is_empty())?;
    let asked = format!(
        "The server takes the signature algorithms {} (frame {})",
        words::schemes(&request.signature_schemes),
        request.mark.frame
    );
    let Some(c) = leaf(f) else { return sigalg_unseen(f, request, &asked) };
    let signed = f.of(Role::Client).certificate_verify.and_then(|(_, scheme)| scheme);
    let (what, certain) = match signed {
        Some(s) if !request.signature_schemes.contains(&s.0) => {
            (format!("the client signed with {}", words::schemes(&[s.0])), true)
        }
        None if !request.signature_schemes.iter().any(|s| fits(&c.key.algorithm, *s)) => {
            (format!("the client's key ({}) makes none of them", c.key.algorithm.name()), false)
        }
        _ => return None,
    };
    let hit = Hit::new(
        format!("{asked}; {what}."),
        "On the client: use a key that can make one of these signatures. On the server: list the algorithms of the clients' keys.",
    );
    let hit = on(f, hit).at(request.mark).at_any(f.of(Role::Client).certificate_verify.map(|(m, _)| m));
    Some(match of_client(f) {
        Some(r) => {
            let hit = Hit { detail: format!("{} {}", hit.detail, how_it_ended(f, &r)), ..hit }.at(r.mark);
            if certain && r.alert.is_some() { hit } else { hit.likely() }
        }
        None => hit.beside().severity(Severity::Warning),
    })
}

/// The client gave up at the request, or answered without a certificate, and a usual kind of key is not asked for.
fn sigalg_unseen(f: &FlowFacts, request: &CertificateRequestFact, asked: &str) -> Option<Hit> {
    let any = |is: fn(SignatureScheme) -> bool| request.signature_schemes.iter().any(|s| is(SignatureScheme(*s)));
    let lacks = match (any(SignatureScheme::is_rsa), any(SignatureScheme::is_ecdsa)) {
        (false, _) => "RSA",
        (true, false) => "ECDSA",
        _ => return None,
    };
    let empty = f.of(Role::Client).certificates.as_ref();
    let refused = match empty {
        Some(_) => of_client(f)?,
        None => of_server(f).filter(|r| {
            let gave_up = matches!(r.alert, None | Some(AlertDescription(40 | 42 | 43 | 80)));
            stage(f) == Stage::CertFlight && gave_up && !server_looks_bad(f)
        })?,
    };
    let did = if empty.is_some() { "sent no certificate" } else { "gave up at the request" };
    let detail = format!("{asked}, none of them with {lacks}, and the client {did}. {}", how_it_ended(f, &refused));
    let remedy = format!(
        "If the client's key is of {lacks}: list its algorithms on the server (nginx, Apache: ssl_conf_command ClientSignatureAlgorithms …), or use another key. {}",
        acceptable(request)
    );
    let hit = Hit::new(detail, remedy).at(request.mark).at(refused.mark).at_any(empty.map(|c| c.mark));
    Some(hit.possible().blame(Blame::Either))
}

fn name_policy(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_client(f).filter(|r| r.alert == Some(AlertDescription::ACCESS_DENIED))?;
    let certs = chain(f)?;
    let c = leaf(f)?;
    let request = f.certificate_request.as_ref()?;
    let listed = |dn: &[u8]| request.authorities_raw.iter().any(|a| compare_names(a, dn) != NameEquality::Different);
    let known = request.authorities_raw.is_empty() || certs.iter().any(|c| listed(&c.issuer_raw));
    if !known || c.validity_at(f.judged_at()) != Validity::Valid || !c.allows("clientAuth") || c.key.is_weak() {
        return None;
    }
    let detail = format!(
        "The client's certificate is {}, with the names {}; nothing that shows is wrong with it. {}",
        words::cert(c),
        words::sans(c),
        words::alert_sentence(r.role, AlertDescription::ACCESS_DENIED, r.mark)
    );
    let remedy = "On the server: allow this identity (its log names the one that it saw). On the client: use a certificate with an identity that is allowed.";
    Some(on(f, Hit::new(detail, remedy)).at(r.mark).likely())
}

fn privacy(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = leaf(f)?;
    let of_person = |part: &&str| ["emailAddress=", "UID=", "GN=", "SN="].iter().any(|k| part.starts_with(k));
    let mut shown: Vec<String> = c.subject.split(',').filter(of_person).map(str::to_owned).collect();
    for name in &c.subject_alt_names {
        match name {
            San::Email(_) => shown.push(name.to_string()),
            San::Other { value: Some(v), .. } if v.contains('@') => shown.push(v.clone()),
            _ => {}
        }
    }
    if shown.is_empty() {
        return None;
    }
    let detail = format!("The client's certificate shows {} in clear.", words::list(&shown));
    let remedy = "Let client and server use TLS 1.3, in which the client's certificate is encrypted.";
    Some(on(f, Hit::new(detail, remedy)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, alert, asked, client_flight, dn, established, find, mark, server_flight, told};
    use super::*;
    use crate::diagnose::Confidence;
    use crate::span::Side;
    use crate::x509::Certificate;

    fn of_the_right_ca() -> Certificate {
        Certificate { issuer: "CN=Client CA".into(), issuer_raw: dn("Client CA"), ..testing::leaf() }
    }

    fn sent(c: Certificate) -> FlowFacts {
        client_flight(asked(server_flight(vec![testing::leaf()])), vec![c])
    }

    #[test]
    fn a_key_that_may_not_sign() {
        let c = Certificate { key_usage: Some(KeyUsage::KEY_ENCIPHERMENT), ..of_the_right_ca() };
        assert_eq!(told(&alert(sent(c.clone()), Side::B, 43)).cause, Some("client-cert-key-usage"));
        let x = find(&established(sent(c)), "client-cert-key-usage").expect("a warning");
        assert_eq!((x.severity, x.explains_failure), (Severity::Warning, false));
        let good = Certificate { key_usage: Some(KeyUsage::DIGITAL_SIGNATURE), ..of_the_right_ca() };
        assert!(find(&alert(sent(good), Side::B, 43), "client-cert-key-usage").is_none());
    }

    #[test]
    fn a_public_servers_certificate() {
        let c = Certificate { issuer: "CN=R3,O=Let's Encrypt,C=US".into(), ..testing::leaf() };
        assert!(find(&established(sent(c.clone())), "client-cert-is-server-cert").is_some());
        let server_only = Certificate { extended_key_usage: Some(vec!["serverAuth".into()]), ..c };
        assert!(find(&established(sent(server_only)), "client-cert-is-server-cert").is_none());
        assert!(find(&established(sent(testing::leaf())), "client-cert-is-server-cert").is_none());
    }

    #[test]
    fn a_type_that_was_not_asked_for() {
        let mut f = alert(sent(of_the_right_ca()), Side::B, 43);
        f.certificate_request.as_mut().expect("asked").types = vec![64];
        assert_eq!(told(&f).cause, Some("client-cert-type-unsupported"));
        f.certificate_request.as_mut().expect("asked").types = vec![64, 1];
        assert!(find(&f, "client-cert-type-unsupported").is_none());
    }

    #[test]
    fn signature_algorithms() {
        let asking = |f: FlowFacts, schemes: &[u16]| {
            let mut f = f;
            f.certificate_request.as_mut().expect("asked").signature_schemes = schemes.to_vec();
            f
        };
        // The client signed with what was not asked for.
        let mut f = asking(alert(sent(of_the_right_ca()), Side::B, 47), &[0x0804]);
        f.sides[Side::A].certificate_verify = Some((mark(9), Some(SignatureScheme(0x0401))));
        let d = told(&f);
        assert_eq!((d.cause, d.findings[0].confidence), (Some("client-sigalg-mismatch"), Confidence::Certain));
        f.sides[Side::A].certificate_verify = Some((mark(9), Some(SignatureScheme(0x0804))));
        assert!(find(&f, "client-sigalg-mismatch").is_none());
        // It gave up, and its key is not known.
        let gave_up = |schemes| {
            find(
                &asking(alert(asked(server_flight(vec![testing::leaf()])), Side::A, 40), schemes),
                "client-sigalg-mismatch",
            )
        };
        assert_eq!(gave_up(&[0x0403]).map(|x| x.confidence), Some(Confidence::Possible));
        assert!(gave_up(&[0x0403, 0x0401]).is_none());
        // No certificate came; the server did not mind.
        let tolerated =
            asking(established(client_flight(asked(server_flight(vec![testing::leaf()])), vec![])), &[0x0403]);
        assert!(find(&tolerated, "client-sigalg-mismatch").is_none());
    }

    #[test]
    fn access_denied_to_a_good_certificate() {
        let d = told(&alert(sent(of_the_right_ca()), Side::B, 49));
        assert_eq!((d.cause, d.findings[0].confidence), (Some("mtls-server-name-policy"), Confidence::Likely));
        // GnuTLS servers say so of an unknown CA.
        assert!(find(&alert(sent(testing::leaf()), Side::B, 49), "mtls-server-name-policy").is_none());
        let old = Certificate { not_after: Some(0), ..of_the_right_ca() };
        assert!(find(&alert(sent(old), Side::B, 49), "mtls-server-name-policy").is_none());
        assert!(find(&alert(sent(of_the_right_ca()), Side::B, 42), "mtls-server-name-policy").is_none());
    }

    #[test]
    fn what_names_a_person() {
        let mail = Certificate { subject_alt_names: vec![San::Email("a@b.example".into())], ..of_the_right_ca() };
        let user = Certificate { subject: "CN=A B,UID=ab17".into(), ..of_the_right_ca() };
        for c in [mail, user] {
            assert!(find(&established(sent(c)), "client-cert-privacy-leak").is_some());
        }
        assert!(find(&established(sent(of_the_right_ca())), "client-cert-privacy-leak").is_none());
    }
}

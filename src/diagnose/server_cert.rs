//! The server's certificate: who issued it, whom it names, when it is valid, what it is for.

use std::sync::Arc;

use super::refusal::{Fault, hidden_alert, judged, left_unsatisfied, of_server};
use super::{Blame, Confidence, Hit, Policy, Rule, Severity, guide, new, page, words};
use crate::facts::{ChainFact, FlowFacts};
use crate::span::Role;
use crate::text;
use crate::tls::names::AlertDescription;
use crate::x509::{Certificate, Chain, NameMatch, Trust, Trusted, match_name};

const SHOW: &str = "  openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null";
const NAMES: &str =
    "  openssl s_client -connect HOST:PORT -servername NAME -verify_hostname NAME -verify_return_error </dev/null";

pub(super) const RULES: &[Rule] = &[
    guide(
        2,
        new(
            "server-cert-unknown-ca",
            Severity::Error,
            50,
            "The client does not trust the authority that issued the server's certificate",
            page(
                "The client ended the handshake with the alert unknown_ca after it had seen the server's certificate: it found no path to a certificate in its trust store. OpenSSL says \"unable to get local issuer certificate\" or \"self-signed certificate in certificate chain\", Go \"certificate signed by unknown authority\", Java \"PKIX path building failed\".",
                "Either the client's trust store lacks the root CA (private CA, container without ca-certificates, Java's own cacerts), or the server does not send an intermediate certificate, or something between them (a TLS-inspecting proxy) answers with a certificate of its own.",
                "The alert in clear is certain, and what it says: no path to a trusted CA was found. Where the chain itself has faults (a CA that may not be one, another key of the same name), they may be why, and this is only possible. Which of the three it is, the chain shows in TLS 1.2; in TLS 1.3 the certificates are encrypted. With --trust the chain is held against the anchors that the client should have, and a refusal without a reason is explained by a CA that is not among them.",
                "On the client, trust the root CA (not the server's certificate):\n  curl --cacert root.pem …   SSL_CERT_FILE=root.pem   NODE_EXTRA_CA_CERTS=root.pem   REQUESTS_CA_BUNDLE=root.pem\n  keytool -importcert -cacerts -alias my-root -file root.pem\n  cp root.pem /usr/local/share/ca-certificates/my-root.crt && update-ca-certificates\nOn the server, send the whole chain without the root: nginx ssl_certificate fullchain.pem, Apache SSLCertificateFile fullchain.pem, openssl s_server -cert_chain.",
                "  openssl s_client -connect HOST:PORT -servername NAME -CAfile root.pem -verify_return_error </dev/null",
                "RFC 8446, sections 4.4.2.4 and 6.2; RFC 5280, section 6",
            ),
            unknown_ca,
        ),
    ),
    guide(
        2,
        new(
            "server-cert-self-signed",
            Severity::Error,
            56,
            "The server's certificate is self-signed",
            page(
                "The server sent one certificate, and its issuer is its own subject.",
                "No CA vouches for it, so a client accepts it only when exactly this certificate is in its trust store. Usually a development certificate, or the default one that a product makes when it is installed.",
                "Subject, issuer and key identifiers agree; the signature itself is not checked. It is the cause only when the client refused.",
                "Issue the server's certificate from a CA whose root the clients have, or (for a test) give the clients this certificate as a trust anchor: curl --cacert server.pem.",
                SHOW,
                "RFC 5280, section 6.1; RFC 8446, section 4.4.2",
            ),
            self_signed,
        ),
    ),
    guide(
        3,
        new(
            "server-cert-hostname-mismatch",
            Severity::Error,
            54,
            "The name the client called is not in the server's certificate",
            page(
                "None of the certificate's subject alternative names covers the name the client asked for (or, where it asked for none, the server's address).",
                "The client calls the server by an alias or by its address, the certificate was issued for another name, or the server answered with its default certificate because no virtual host matches. curl says \"no alternative certificate subject name matches target host name\", Python \"Hostname mismatch\", Go \"certificate is valid for X, not Y\", Java \"No subject alternative DNS name matching X found\".",
                "The comparison is exact where both the name (SNI) and the certificate are in clear. Without SNI the name that was called is not on the wire; then the address is compared, and the finding is at most likely. It is the cause only when the client refused.",
                "Call the server by a name in its certificate (curl --resolve NAME:PORT:ADDRESS or --connect-to when it must be an address), or issue a certificate that has the name:\n  openssl req -new -key server.key -subj /CN=NAME -addext subjectAltName=DNS:NAME,IP:192.0.2.1\nIf it is the wrong certificate altogether, add a virtual host for the name (nginx server_name, Apache ServerName).",
                NAMES,
                "RFC 9525, section 6; RFC 6066, section 3",
            ),
            hostname,
        ),
    ),
    new(
        "server-cert-cn-only",
        Severity::Error,
        53,
        "The server's certificate has the name only in its Common Name",
        page(
            "The certificate has a Common Name and no subject alternative name of a host.",
            "Clients have ignored the Common Name for years: Go says \"x509: certificate relies on legacy Common Name field, use SANs instead\", browsers ERR_CERT_COMMON_NAME_INVALID. OpenSSL-based clients such as curl still accept it, so that it works in one place and fails in another.",
            "Read from the certificate in clear. It is the cause only when the client refused.",
            "Issue the certificate with subject alternative names:\n  openssl req -new -key server.key -subj /CN=NAME -addext subjectAltName=DNS:NAME\nand make the CA copy them (openssl x509 -copy_extensions copy, or openssl ca with copy_extensions = copy).",
            "  openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -ext subjectAltName",
            "RFC 9525, section 2; RFC 6125, section 6.4.4 (the old rule)",
        ),
        cn_only,
    ),
    new(
        "server-cert-wrong-eku",
        Severity::Error,
        55,
        "The server's certificate is not meant for servers",
        page(
            "The certificate has an extended key usage and serverAuth is not among it.",
            "Usually a client certificate that is used on a server (meshes and message brokers where one certificate serves both ways need both purposes). OpenSSL says \"unsuitable certificate purpose\" and sends unsupported_certificate.",
            "Read from the certificate in clear. It is the cause only when the client refused.",
            "Issue the certificate with extendedKeyUsage = serverAuth (and clientAuth too, where it is used both ways).",
            "  openssl x509 -in server.pem -noout -purpose -ext extendedKeyUsage",
            "RFC 5280, section 4.2.1.12",
        ),
        wrong_eku,
    ),
    new(
        "server-cert-rejected",
        Severity::Error,
        35,
        "The client refused the server's certificate without a reason that could be read",
        page(
            "The server had sent its certificate and all that belongs to it; the client ended the handshake there, without an answer and without an alert in clear.",
            "Most often the client does not trust the certificate (unknown CA, other name, expired); some clients (Node.js, gRPC) close without any alert. Also seen when a user cancels or a program crashes at this point.",
            "Likely at most: a close is no statement. When it came more than a second after the server's flight it is only possible.",
            "Look at the client's own error message or log first; then at the certificate: name, dates, chain, and whether the client has the root.",
            SHOW,
            "RFC 8446, section 4.4.2.4",
        ),
        rejected,
    ),
];

/// The server's certificates in clear.
pub(super) fn chain(f: &FlowFacts) -> Option<&[Arc<Certificate>]> {
    f.of(Role::Server).certificates.as_ref().map(|c| c.chain.as_slice()).filter(|c| !c.is_empty())
}

/// The server's own certificate.
pub(super) fn own(f: &FlowFacts) -> Option<&Certificate> {
    f.of(Role::Server).certificates.as_ref()?.leaf()
}

/// How the server's certificates relate; `None` when there is none in clear.
pub(super) fn relations(f: &FlowFacts) -> Option<&Chain> {
    f.of(Role::Server).certificates.as_ref().filter(|c| !c.chain.is_empty()).map(ChainFact::relations)
}

/// A hit with the frame of the server's certificates.
pub(super) fn on_cert(f: &FlowFacts, hit: Hit) -> Hit {
    hit.at_any(f.of(Role::Server).certificates.as_ref().map(|c| c.mark)).blame(Blame::Server)
}

/// The server name, for a command that somebody may paste into a shell: a host name or a placeholder, nothing else.
pub(super) fn host(f: &FlowFacts) -> String {
    let plain = |n: &&[u8]| {
        n.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) && !n.starts_with(b"-")
    };
    f.server_name().filter(plain).map_or_else(|| "NAME".to_owned(), |n| text::escape_bytes(n).into_owned())
}

/// What the given trust anchors say of the server's chain; `None` without anchors or chain.
fn anchored(f: &FlowFacts, policy: &Policy) -> Option<(Trusted, Arc<Trust>)> {
    let sent = f.of(Role::Server).certificates.as_ref().filter(|c| !c.chain.is_empty())?;
    let trust = policy.trust.clone()?;
    Some((trust.judge(&sent.chain, sent.relations(), Role::Server, f.judged_at()), trust))
}

/// The chain leads to none of the given anchors: the reason of a refusal that names none, else a remark.
fn unanchored(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    let (trust, certs) = (policy.trust.as_ref()?, chain(f)?);
    // A certificate that vouches for itself has a finding of its own.
    if relations(f)?.self_signed || !trust.knows_none_of(certs) {
        return None;
    }
    let names: Vec<String> = certs.iter().map(|c| words::cert(c)).collect();
    let detail = format!(
        "None of the {} in {} issued any of what the server sent: {}.",
        words::count(trust.len() as u64, "trust anchor"),
        trust.source,
        words::list(&names)
    );
    let remedy = "Use a server certificate of a CA that the clients trust, or add its root to their trust stores.";
    let hit = on_cert(f, Hit::new(detail, remedy))
        .title("The server's certificate is of no CA among the given trust anchors");
    Some(judged(f, Role::Server, Fault::Untrusted, hit))
}

fn unknown_ca(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    let Some(r) = of_server(f).filter(|r| r.alert == Some(AlertDescription::UNKNOWN_CA)) else {
        return unanchored(f, policy);
    };
    let said = words::alert_sentence(r.role, AlertDescription::UNKNOWN_CA, r.mark);
    // OpenSSL sends the same alert for a chain whose certificates do not fit together.
    let faulty = relations(f).is_some_and(|j| {
        let lists = [&j.not_ca, &j.cannot_sign, &j.path_len_exceeded];
        let pairs = [&j.aki_ski_mismatch, &j.issuer_name_differs];
        lists.iter().any(|l| !l.is_empty()) || pairs.iter().any(|l| !l.is_empty())
    });
    let (detail, missing) = match chain(f) {
        Some(certs) => {
            let judged = relations(f)?;
            let names: Vec<String> = certs.iter().map(|c| words::cert(c)).collect();
            let top = judged.missing_issuer.clone();
            let top = top.or_else(|| judged.root_included.and_then(|i| certs.get(i)).map(|c| c.subject.clone()));
            let shown = format!(
                "{said} The server had sent {}: {}.",
                words::count(certs.len() as u64, "certificate"),
                words::list(&names)
            );
            match &top {
                Some(dn) if faulty => (
                    format!("{shown} The path ends at \"{}\"; but the chain has faults of its own.", words::name(dn)),
                    top,
                ),
                Some(dn) => (
                    format!("{shown} The path ends at \"{}\", which the client's trust store lacks.", words::name(dn)),
                    top,
                ),
                None => (shown, None),
            }
        }
        None => (format!("{said} The certificates themselves are encrypted (TLS 1.3), the alert is not."), None),
    };
    let who = missing.map_or_else(
        || "the root CA of the server's certificate".to_owned(),
        |dn| format!("the CA \"{}\"", words::name(&dn)),
    );
    let remedy = format!(
        "On the client: add {who} to its trust store (curl --cacert FILE, SSL_CERT_FILE, update-ca-certificates, Java: keytool -importcert -cacerts). \
         If that CA is an intermediate whose root the client has, make the server send it (nginx: ssl_certificate with the full chain). \
         See what the server sends: openssl s_client -connect {} -servername {} -showcerts.",
        words::end(f.end(Role::Server)),
        host(f)
    );
    let compared = anchored(f, policy).map_or_else(String::new, |(trusted, trust)| match trusted {
        Trusted::Yes => format!(" With {} the chain is good: the client has other trust anchors.", trust.source),
        Trusted::UnknownIssuer => format!(" No CA of the chain is in {} either.", trust.source),
        Trusted::No(why) => format!(" A CA of the chain is in {}, yet the path is not good: {why}.", trust.source),
    });
    // A leaf alone may lack its intermediate, which is the server's to send.
    let whole = relations(f).is_some_and(|c| c.path.len() > 1 || c.root_included.is_some());
    let blame = if whole { Blame::Client } else { Blame::Either };
    let hit = on_cert(f, Hit::new(detail + &compared, remedy).at(r.mark)).blame(blame);
    Some(if faulty { hit.possible().severity(Severity::Warning) } else { hit })
}

fn self_signed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if !relations(f)?.self_signed {
        return None;
    }
    let detail = format!("The server's only certificate is {}: it vouches for itself.", words::cert(c));
    let remedy = "On the server: use a certificate issued by a CA that the clients trust. For a test, give this very certificate to the client as a trust anchor (curl --cacert server.pem).";
    Some(judged(f, Role::Server, Fault::Untrusted, on_cert(f, Hit::new(detail, remedy))))
}

/// How the certificate matches what the client called; the second value says what that was.
fn name_match(f: &FlowFacts) -> Option<(NameMatch, String, bool)> {
    let c = own(f)?;
    match f.server_name() {
        Some(n) => {
            let name = text::escape_bytes(n);
            Some((match_name(c, &name), format!("\"{name}\""), true))
        }
        None => {
            f.client_hello.as_ref()?;
            let ip = f.end(Role::Server).ip.to_string();
            Some((match_name(c, &ip), ip, false))
        }
    }
}

fn hostname(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (how, called, by_name) = name_match(f)?;
    let c = own(f)?;
    if how != NameMatch::Mismatch || (!c.has_host_san() && !c.common_names.is_empty() && !by_name) {
        return None;
    }
    let names = if c.subject_alt_names.is_empty() {
        format!("no alternative names, only the Common Name {}", words::list(&c.common_names))
    } else {
        words::sans(c)
    };
    let asked = if by_name {
        format!("The client asked for {called} (SNI)")
    } else {
        // Without SNI the client may have called the server by any name: the address is a guess that only a refusal supports.
        let r = of_server(f)?;
        if !matches!(r.alert.map(|a| a.0), Some(42 | 46)) && left_unsatisfied(f).is_none() {
            return None;
        }
        format!("The client named no host (SNI), as when it calls the address {called}")
    };
    let detail = format!("{asked}; the certificate {} is good for: {names}.", words::cert(c));
    let remedy = format!(
        "Call the server by one of the names in its certificate, or issue a certificate for {called} (subjectAltName); if this is the server's default certificate, add a virtual host for the name. \
         With curl, --resolve or --connect-to reach an address under the right name."
    );
    let hit = judged(f, Role::Server, Fault::Name, on_cert(f, Hit::new(detail, remedy)));
    let hit = if left_unsatisfied(f).is_some() && !hit.beside { hit.likely() } else { hit };
    Some(if by_name || hit.beside { hit } else { hit.sure(Confidence::Likely) })
}

fn cn_only(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if c.has_host_san() || c.common_names.is_empty() || !c.problems.is_empty() {
        return None;
    }
    let called = name_match(f);
    if called.as_ref().is_some_and(|(how, _, by_name)| *by_name && *how == NameMatch::Mismatch) {
        return None;
    }
    let detail = format!(
        "The certificate {} has the Common Name {} and no subject alternative name; clients of today look only at the latter.",
        words::cert(c),
        words::list(&c.common_names)
    );
    let remedy = "On the server: issue the certificate again with subjectAltName (openssl req … -addext subjectAltName=DNS:NAME; for the CA -copy_extensions copy).";
    Some(judged(f, Role::Server, Fault::Name, on_cert(f, Hit::new(detail, remedy))))
}

fn wrong_eku(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if c.allows("serverAuth") {
        return None;
    }
    let has = words::list(c.extended_key_usage.as_deref().unwrap_or_default());
    let detail = format!("The extended key usage of {} is {has}; serverAuth is not in it.", words::cert(c));
    let remedy = "On the server: use a certificate with extendedKeyUsage = serverAuth (with clientAuth too, when the same certificate is used as a client).";
    Some(judged(f, Role::Server, Fault::Purpose, on_cert(f, Hit::new(detail, remedy))))
}

fn rejected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_server(f).filter(|r| r.alert.is_none() && left_unsatisfied(f).is_none())?;
    // Without keys, TLS 1.3 needs the whole server flight to say so; a CertificateRequest offers another reason.
    // A reset is also what a crash or a middlebox leaves behind.
    if (f.is_tls13() && hidden_alert(f).is_none()) || r.how == crate::facts::How::Rst {
        return None;
    }
    if let Some(alert) = hidden_alert(f) {
        let asked = f.inferred.as_ref().and_then(|i| i.requested).is_some_and(|r| r.value);
        let what = if asked {
            "it is about the server's certificate, or the client found no certificate of its own to answer the server's request with."
        } else {
            "nearly always it is about the server's certificate."
        };
        let detail = format!(
            "After the server's flight the client sent one protected record of the size of an alert (frame {}) and ended the handshake. What the alert says is encrypted (TLS 1.3); {what}",
            alert.frame
        );
        let remedy = "Look at the client's own error message. Check that it has the root of the server's certificate, that it calls the server by a name in it, and the dates.";
        let hit = Hit::new(detail, remedy).at(alert).at(r.mark).blame(Blame::Either);
        return Some(if asked { hit.possible() } else { hit.likely() });
    }
    let seen = own(f).map_or_else(String::new, |c| format!(" The certificate was {}.", words::cert(c)));
    let asked = f.certificate_request.is_some();
    let own = if asked {
        " The server had asked for a client certificate: a client that finds none may end it here too."
    } else {
        ""
    };
    let detail = format!(
        "{}{seen} The server's flight was complete and the client had not answered it.{own}",
        super::refusal::how_it_ended(f, &r)
    );
    let remedy = "Look at the client's own error message. Check that it has the root of the server's certificate, that it calls the server by a name in it, and the dates.";
    let hit = on_cert(f, Hit::new(detail, remedy)).at(r.mark).blame(Blame::Either);
    Some(if super::refusal::at_once(f, &r) && !asked { hit.likely() } else { hit.possible() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, dn, established, find, leaf, refused, server_flight, server_hello, told};
    use crate::diagnose::{Confidence, Severity};
    use crate::facts::Outcome;
    use crate::span::Side;
    use crate::x509::{Certificate, San};

    #[test]
    fn a_good_connection_is_blamed_for_nothing() {
        let d = told(&established(server_flight(vec![leaf()])));
        assert_eq!(d.outcome, Outcome::Established);
        assert!(d.cause.is_none());
        assert!(d.findings.is_empty(), "{:?}", d.findings);
    }

    #[test]
    fn unknown_ca_is_what_the_alert_says_and_nothing_else() {
        let f = refused(leaf(), 48);
        let d = told(&f);
        assert_eq!(d.cause, Some("server-cert-unknown-ca"));
        let x = &d.findings[0];
        assert_eq!((x.severity, x.confidence), (Severity::Error, Confidence::Certain));
        assert!(x.detail.contains("CN=Issuing CA") && x.detail.contains("unknown ca"), "{}", x.detail);
        assert!(!d.findings.iter().any(|x| x.code.starts_with("alert-")), "the alert is told once");
        // The same alert of a server is about the client.
        assert!(find(&alert(server_flight(vec![leaf()]), Side::B, 48), "server-cert-unknown-ca").is_none());
    }

    #[test]
    fn unknown_ca_in_tls_13_is_certain_though_the_certificate_is_hidden() {
        let d = told(&alert(server_hello(0x0304), Side::A, 48));
        assert_eq!(d.cause, Some("server-cert-unknown-ca"));
        assert_eq!(d.findings[0].confidence, Confidence::Certain);
    }

    #[test]
    fn names_are_compared_with_what_was_asked_for() {
        let other = Certificate {
            subject_alt_names: vec![San::Dns("other.example".into())],
            common_names: vec!["other.example".into()],
            ..leaf()
        };
        let d = told(&refused(other.clone(), 46));
        assert_eq!(d.cause, Some("server-cert-hostname-mismatch"));
        assert!(d.findings[0].detail.contains("DNS:other.example"));
        let x = find(&established(server_flight(vec![other])), "server-cert-hostname-mismatch").expect("a warning");
        assert_eq!(x.severity, Severity::Warning);
        assert!(find(&refused(leaf(), 46), "server-cert-hostname-mismatch").is_none());
    }

    #[test]
    fn a_common_name_alone_is_its_own_finding() {
        let cn = Certificate { subject_alt_names: vec![], ..leaf() };
        assert_eq!(told(&refused(cn.clone(), 42)).cause, Some("server-cert-cn-only"));
        assert!(find(&refused(cn, 42), "server-cert-hostname-mismatch").is_none());
        assert!(find(&refused(leaf(), 42), "server-cert-cn-only").is_none());
    }

    #[test]
    fn purpose_and_self_signature() {
        let client = Certificate { extended_key_usage: Some(vec!["clientAuth".into()]), ..leaf() };
        assert_eq!(told(&refused(client, 43)).cause, Some("server-cert-wrong-eku"));
        assert!(find(&refused(leaf(), 43), "server-cert-wrong-eku").is_none());
        let own = Certificate {
            issuer: "CN=tls-server.local".into(),
            issuer_raw: dn("tls-server.local"),
            is_self_issued: true,
            ..leaf()
        };
        assert_eq!(told(&refused(own, 48)).cause, Some("server-cert-self-signed"));
        assert!(find(&refused(leaf(), 48), "server-cert-self-signed").is_none());
    }

    #[test]
    fn a_silent_close_is_no_certain_refusal() {
        let d = told(&super::super::testing::fin(server_flight(vec![leaf()]), Side::A));
        assert_eq!(d.cause, Some("server-cert-rejected"));
        assert_ne!(d.findings[0].confidence, Confidence::Certain);
        // Half of the flight: nothing can be said of the certificate.
        let mut f = server_flight(vec![leaf()]);
        f.server_hello_done = None;
        assert!(find(&super::super::testing::fin(f, Side::A), "server-cert-rejected").is_none());
    }

    #[test]
    fn a_command_never_carries_what_a_stranger_wrote() {
        let mut f = refused(leaf(), 48);
        let hello = &mut f.client_hello.as_mut().expect("there").message;
        hello.extensions.server_name = Some(vec![Box::from(&b"$(reboot)"[..])]);
        let x = find(&f, "server-cert-unknown-ca").expect("there");
        assert!(!x.remedy.contains("reboot") && x.remedy.contains("-servername NAME"), "{}", x.remedy);
    }

    #[test]
    fn a_hole_silences() {
        let mut f = super::super::testing::fin(server_flight(vec![leaf()]), Side::A);
        f.sides[Side::B].handshake_gap = true;
        let d = told(&f);
        assert_eq!((d.outcome, d.cause), (Outcome::Incomplete, None));
        assert!(!d.findings.iter().any(|x| x.severity == Severity::Error), "{:?}", d.findings);
    }
}

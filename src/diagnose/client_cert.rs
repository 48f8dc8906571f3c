//! The client's certificate, where it was sent and can be read (TLS 1.2 and before).

use std::sync::Arc;

use super::chain::key;
use super::client_auth::acceptable;
use super::over_http::brief_answer;
use super::refusal::{Fault, at_once, how_it_ended, judged, of_client, sure_of_refusal};
use super::{Blame, Confidence, Hit, Policy, Rule, Severity, guide, new, page, words};
use crate::facts::{Answer, FlowFacts};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::AlertDescription;
use crate::x509::{Certificate, NameEquality, Validity, compare_names, judge_chain};

const PROBE: &str = "  openssl s_client -connect HOST:PORT -cert client.pem -key client.key </dev/null\n  openssl verify -CAfile server-side-ca.pem -purpose sslclient client.pem";
const DATES: &str = "  openssl x509 -in client.pem -noout -dates -subject -issuer";

pub(super) const RULES: &[Rule] = &[
    guide(
        6,
        new(
            "client-cert-unknown-ca",
            Severity::Error,
            55,
            "The server does not trust the authority that issued the client's certificate",
            page(
                "The client sent a certificate and the server refused it with unknown_ca.",
                "The server's list of client CAs lacks the issuer, or the client does not send the intermediate between its certificate and that CA, or it picked the wrong one of several certificates. OpenSSL on the server says \"unable to get local issuer certificate\" or \"self-signed certificate\".",
                "The alert in clear is certain. Whether the CA or an intermediate is missing, the wire does not show.",
                "Either issue the client's certificate from a CA that the server knows, or add its CA on the server: nginx ssl_client_certificate, Apache SSLCACertificateFile, HAProxy ca-file, openssl s_server -CAfile, Java: the trust store. If the client's CA is an intermediate, send it along: curl --cert with leaf and intermediate in one file.",
                PROBE,
                "RFC 8446, section 6.2; RFC 5246, section 7.2.2",
            ),
            unknown_ca,
        ),
    ),
    guide(
        6,
        new(
            "client-cert-issuer-not-in-ca-list",
            Severity::Error,
            52,
            "The client's certificate is of a CA that the server did not list",
            page(
                "The server's CertificateRequest names acceptable CAs; the issuer of no certificate that the client sent is among them.",
                "The client sends a certificate of the wrong CA, or only its leaf while the server lists the root above a missing intermediate.",
                "The names are compared as DER and then as text, in clear. It is the cause only when the server refused.",
                "On the client, choose the certificate that one of the listed CAs issued, or send the intermediate along. On the server, list the CA.",
                PROBE,
                "RFC 5246, sections 7.4.4 and 7.4.6",
            ),
            not_listed,
        ),
    ),
    new(
        "client-chain-incomplete",
        Severity::Warning,
        51,
        "The client seems not to send an intermediate certificate",
        page(
            "The client's path ends at a certificate whose issuer is neither sent nor listed by the server, and that names a place to fetch its issuer from; the server refused with unknown_ca.",
            "Servers do not fetch intermediates. Tools that take one file for the certificate often read only its first one, or the file has only the leaf.",
            "Likely: a certificate that names where its issuer is to be had is seldom issued by a root.",
            "Put leaf and intermediates into the client's certificate file, in this order (curl --cert, openssl s_client -cert_chain, Java: a key entry with its whole chain).",
            PROBE,
            "RFC 5246, section 7.4.2; RFC 5280, section 4.2.2.1",
        ),
        incomplete,
    ),
    new(
        "client-cert-expired",
        Severity::Error,
        60,
        "The client's certificate has expired",
        page(
            "The time of the capture is after the notAfter of the client's certificate.",
            "The renewal was forgotten, or the client still uses the old file.",
            "Judged at the time of the capture. With the alert certificate_expired it is certain.",
            "Renew the client's certificate and restart (or reload) the client.",
            DATES,
            "RFC 5280, section 4.1.2.5",
        ),
        expired,
    ),
    new(
        "client-cert-not-yet-valid",
        Severity::Error,
        60,
        "The client's certificate is not valid yet",
        page(
            "The time of the capture is before the notBefore of the client's certificate.",
            "It was just issued and clocks differ.",
            "Judged at the time of the capture. It is the cause only when the server refused.",
            "Set the clocks; issue certificates with a notBefore some minutes in the past.",
            DATES,
            "RFC 5280, section 4.1.2.5",
        ),
        not_yet_valid,
    ),
    new(
        "client-cert-revoked",
        Severity::Error,
        62,
        "The client's certificate has been revoked",
        page(
            "The server refused the client's certificate with certificate_revoked.",
            "It stands in the server's CRL, or the CA's OCSP responder says so.",
            "Certain: the alert in clear has no other meaning.",
            "Have a new certificate issued for the client, with a new key. If it was revoked by mistake, publish a new CRL and reload it on the server (nginx ssl_crl, Apache SSLCARevocationFile).",
            "  openssl crl -in crl.pem -noout -text | grep -A1 -i SERIAL",
            "RFC 5280, section 5; RFC 8446, section 6.2",
        ),
        revoked,
    ),
    new(
        "client-cert-wrong-eku",
        Severity::Error,
        56,
        "The client's certificate is not meant for clients",
        page(
            "The certificate has an extended key usage and clientAuth is not among it.",
            "Usually a server's certificate that is used as a client, as in meshes, message brokers and databases that talk to each other. Public CAs do not issue clientAuth any more.",
            "Read in clear. It is the cause only when the server refused; OpenSSL sends unsupported_certificate for it.",
            "Issue the certificate with extendedKeyUsage = clientAuth (and serverAuth, where it is used both ways).",
            "  openssl x509 -in client.pem -noout -purpose -ext extendedKeyUsage",
            "RFC 5280, section 4.2.1.12",
        ),
        wrong_eku,
    ),
    new(
        "client-cert-self-signed",
        Severity::Error,
        50,
        "The client's certificate is self-signed",
        page(
            "The only certificate that the client sent is issued by itself.",
            "A server accepts it only when exactly this certificate is in its list of client CAs.",
            "Subject, issuer and key identifiers agree; the signature itself is not checked. It is the cause only when the server refused.",
            "Issue the client's certificate from a CA that the server knows, or add this certificate to the server's list.",
            PROBE,
            "RFC 5280, section 6.1",
        ),
        self_signed,
    ),
    new(
        "client-cert-weak-key",
        Severity::Warning,
        47,
        "The key of the client's certificate is too small",
        page(
            "RSA below 2048 bits or a curve below 224.",
            "OpenSSL at security level 2 refuses it (\"ee key too small\").",
            "Read in clear. It is the cause only when the server refused.",
            "Make a new key and have a certificate issued for it.",
            "  openssl x509 -in client.pem -noout -text | grep -i public-key",
            "NIST SP 800-57 part 1; RFC 9325, section 4.5",
        ),
        weak_key,
    ),
    new(
        "client-cert-sha1",
        Severity::Warning,
        44,
        "A certificate of the client is signed with SHA-1 or an older hash",
        page(
            "A certificate of the client's path, the root apart, is signed with a broken hash.",
            "OpenSSL 3 at security level 1 refuses it (\"ca md too weak\").",
            "Read in clear. It is the cause only when the server refused.",
            "Have the certificate issued again with SHA-256.",
            DATES,
            "RFC 9155",
        ),
        weak_hash,
    ),
    new(
        "client-cert-rejected",
        Severity::Error,
        35,
        "The server refused the client's certificate without a reason that could be read",
        page(
            "The client sent a certificate, and the server ended the handshake without an alert in clear.",
            "Unknown CA, expired, revoked, not permitted: the server's log knows which. Some servers (gRPC, Node.js) close without an alert.",
            "Likely at most. TLS 1.3 encrypts the certificate and the alert: the sizes of the client's records show that a certificate was sent, a record of an alert's size and the close that it was refused (likely), a silent close less so (possible). Over HTTP only the length of the answer speaks (possible). Wireshark with a key log would show the words.",
            "Look at the server's log; then check issuer, dates and purpose of the client's certificate against what the server accepts.",
            PROBE,
            "RFC 8446, section 4.4.2.4",
        ),
        rejected,
    ),
];

/// What the client sent, where it sent any certificate.
pub(super) fn chain(f: &FlowFacts) -> Option<&[Arc<Certificate>]> {
    f.of(Role::Client).certificates.as_ref().map(|c| c.chain.as_slice()).filter(|c| !c.is_empty())
}

/// Its own certificate.
pub(super) fn leaf(f: &FlowFacts) -> Option<&Certificate> {
    f.of(Role::Client).certificates.as_ref()?.leaf()
}

/// A hit with the frame of the client's certificates.
pub(super) fn on(f: &FlowFacts, hit: Hit) -> Hit {
    hit.at_any(f.of(Role::Client).certificates.as_ref().map(|c| c.mark)).blame(Blame::Client)
}

/// None of the client's certificates is issued by a CA that the server listed. `None` when there is no complete list.
fn unlisted(f: &FlowFacts) -> Option<bool> {
    let request = f.certificate_request.as_ref()?;
    if request.authorities_raw.is_empty() || request.omitted > 0 {
        return None;
    }
    let listed = |dn: &[u8]| request.authorities_raw.iter().any(|a| compare_names(a, dn) != NameEquality::Different);
    Some(!chain(f)?.iter().any(|c| listed(&c.issuer_raw) || listed(&c.subject_raw)))
}

/// The client's chain leads to none of the CAs that the server is said to trust.
fn unanchored(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    let (trust, certs) = (policy.client_ca.as_ref()?, chain(f)?);
    if judge_chain(certs).self_signed || !trust.knows_none_of(certs) {
        return None;
    }
    let names: Vec<String> = certs.iter().map(|c| words::cert(c)).collect();
    let detail = format!(
        "None of the {} in {} issued any of what the client sent: {}.",
        words::count(trust.len() as u64, "CA"),
        trust.source,
        words::list(&names)
    );
    let hit = on(
        f,
        Hit::new(
            detail,
            "Give the client a certificate of a CA that the server trusts, or add its CA to the server's.",
        ),
    )
    .title("The client's certificate is of no CA among the given ones");
    Some(judged(f, Role::Client, Fault::Untrusted, hit))
}

fn unknown_ca(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    let Some(r) = of_client(f).filter(|r| r.alert == Some(AlertDescription::UNKNOWN_CA)) else {
        return unanchored(f, policy);
    };
    let certs = chain(f)?;
    let judged = judge_chain(certs);
    let issuer = judged.missing_issuer.clone().or_else(|| certs.first().map(|c| c.issuer.clone())).unwrap_or_default();
    let names: Vec<String> = certs.iter().map(|c| words::cert(c)).collect();
    let list = f.certificate_request.as_ref().map_or_else(String::new, |r| format!(" {}", acceptable(r)));
    let fits = match unlisted(f) {
        Some(true) => " None of them is the issuer of what the client sent.",
        Some(false) => {
            " The issuer of what the client sent is listed, so the server's trust store may differ from the list it sends."
        }
        None => "",
    };
    let detail = format!(
        "The client sent {}: {}. {}{list}{fits}",
        words::count(certs.len() as u64, "certificate"),
        words::list(&names),
        words::alert_sentence(r.role, AlertDescription::UNKNOWN_CA, r.mark)
    );
    let remedy = format!(
        "Give the client a certificate of an acceptable CA, or add \"{}\" to the server's client CAs (nginx: ssl_client_certificate; Apache: SSLCACertificateFile; openssl s_server: -CAfile). \
         If that CA is an intermediate under one the server knows, let the client send it along (leaf and intermediate in one file).",
        words::name(&issuer)
    );
    Some(on(f, Hit::new(detail, remedy)).at(r.mark).at_any(f.certificate_request.as_ref().map(|q| q.mark)))
}

fn not_listed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !unlisted(f)? {
        return None;
    }
    let request = f.certificate_request.as_ref()?;
    let issuers: Vec<String> = chain(f)?.iter().map(|c| format!("\"{}\"", words::name(&c.issuer))).collect();
    let detail = format!("Issuers of what the client sent: {}. {}", words::list(&issuers), acceptable(request));
    let remedy = "On the client: use a certificate that one of the listed CAs issued (or send the intermediate that leads to one). On the server: list the client's CA.";
    let hit = judged(f, Role::Client, Fault::Untrusted, on(f, Hit::new(detail, remedy)).at(request.mark));
    // A refusal that names another reason, or none, leaves other readings.
    Some(if hit.beside { hit } else { hit.likely() })
}

fn incomplete(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_client(f).filter(|r| r.alert == Some(AlertDescription::UNKNOWN_CA))?;
    let certs = chain(f)?;
    let j = judge_chain(certs);
    let missing = j.missing_issuer?;
    let last = j.path.last().and_then(|i| certs.get(*i))?;
    let url = last.ca_issuer_urls.first()?;
    if unlisted(f) == Some(false) {
        return None;
    }
    let detail = format!(
        "The client's path ends at {}; its issuer \"{}\" was not sent. It can be had from {url}. {}",
        words::cert(last),
        words::name(&missing),
        how_it_ended(f, &r)
    );
    Some(
        on(f, Hit::new(detail, "On the client: put the intermediate behind the leaf in its certificate file."))
            .at(r.mark)
            .likely(),
    )
}

fn expired(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = leaf(f)?;
    let Validity::Expired { since } = c.validity_at(f.judged_at()) else { return None };
    let detail = format!(
        "The client's certificate {} was valid until {}; {}.",
        words::cert(c),
        words::date(since),
        words::when(f)
    );
    let hit = Hit::new(detail, "On the client: renew its certificate, install it and restart or reload the client.");
    Some(judged(f, Role::Client, Fault::Expired, on(f, hit)))
}

fn not_yet_valid(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = leaf(f)?;
    let Validity::NotYetValid { until } = c.validity_at(f.judged_at()) else { return None };
    let detail = format!(
        "The client's certificate {} is valid from {}; {}.",
        words::cert(c),
        words::date(until),
        words::when(f)
    );
    let hit = Hit::new(
        detail,
        "Check the clocks of the server, the client and the CA; if they are right, wait or issue the certificate again.",
    );
    Some(judged(f, Role::Client, Fault::NotYetValid, on(f, hit)))
}

fn revoked(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_client(f).filter(|r| r.alert == Some(AlertDescription::CERTIFICATE_REVOKED))?;
    let c = leaf(f)?;
    let detail = format!(
        "{} The certificate is {}, serial {}.",
        words::alert_sentence(r.role, AlertDescription::CERTIFICATE_REVOKED, r.mark),
        words::cert(c),
        c.serial
    );
    Some(on(f, Hit::new(detail, "On the client: use a certificate that is not revoked (a new key, a new certificate). If it was revoked by mistake, publish a new CRL and reload it on the server.")).at(r.mark))
}

fn wrong_eku(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = leaf(f)?;
    if c.allows("clientAuth") {
        return None;
    }
    let has = words::list(c.extended_key_usage.as_deref().unwrap_or_default());
    let detail = format!(
        "The extended key usage of the client's certificate {} is {has}; clientAuth is not in it.",
        words::cert(c)
    );
    let hit = Hit::new(detail, "On the client: use a certificate with extendedKeyUsage = clientAuth.");
    Some(judged(f, Role::Client, Fault::Purpose, on(f, hit)))
}

fn self_signed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    if !judge_chain(certs).self_signed {
        return None;
    }
    let detail = format!("The client's only certificate is {}: no CA vouches for it.", words::cert(leaf(f)?));
    let hit = Hit::new(
        detail,
        "Issue the client's certificate from a CA that the server knows, or add this certificate to the server's client CAs.",
    );
    Some(judged(f, Role::Client, Fault::Untrusted, on(f, hit)))
}

fn weak_key(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = leaf(f).filter(|c| c.key.is_weak())?;
    let hit = Hit::new(
        format!("The client's certificate {} has an {}.", words::cert(c), key(c)),
        "On the client: make a key of at least 2048 bits (or P-256) and have a certificate issued for it.",
    );
    Some(judged(f, Role::Client, Fault::Weak, on(f, hit)))
}

fn weak_hash(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let certs = chain(f)?;
    let weak: Vec<String> = certs
        .iter()
        .filter(|c| c.has_weak_signature())
        .map(|c| format!("{}, {}", words::cert(c), c.signature_algorithm))
        .collect();
    if weak.is_empty() {
        return None;
    }
    let hit = Hit::new(
        format!("Signed with a broken hash: {}.", words::list(&weak)),
        "Have the client's certificate issued again with SHA-256.",
    );
    Some(judged(f, Role::Client, Fault::Weak, on(f, hit)))
}

fn rejected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let remedy = "Look at the server's log; check issuer, dates, purpose and revocation of the client's certificate against what the server accepts.";
    let Some(r) = of_client(f).filter(|r| r.alert.is_none()) else { return rejected_over_http(f) };
    if let Some(c) = leaf(f) {
        let detail = format!("The client sent the certificate {}. {}", words::cert(c), how_it_ended(f, &r));
        let hit = on(f, Hit::new(detail, remedy)).at(r.mark);
        // A flight that was never finished may be what the server waited for in vain.
        f.of(Role::Client).after_ccs?;
        let faint = r.how == crate::facts::How::Rst || !at_once(f, &r);
        return Some(if faint { hit.possible() } else { hit.likely() });
    }
    let sent = sent_unseen(f)?;
    let detail = format!(
        "The client sent a certificate{} in frame {}. {} Which check failed is encrypted; Wireshark with a key log would show it.",
        sent.size,
        sent.mark.frame,
        how_it_ended(f, &r)
    );
    let hit = Hit::new(detail, remedy).at(sent.mark).at(r.mark).blame(Blame::Client);
    Some(hit.sure(sent.confidence.min(sure_of_refusal(f)).min(Confidence::Likely)))
}

/// A client's certificate whose record was seen, encrypted.
struct Unseen {
    mark: Mark,
    confidence: Confidence,
    /// ` (of 819 bytes, by the size of its record)`, where the size is known.
    size: String,
}

fn sent_unseen(f: &FlowFacts) -> Option<Unseen> {
    let i = f.inferred.as_ref()?;
    let answer = i.answer.filter(|a| a.value == Answer::Sent)?;
    let size = i.leaf_len.map_or_else(String::new, |n| format!(" (of {n} bytes, by the size of its record)"));
    Some(Unseen { mark: i.flight?, confidence: answer.confidence, size })
}

/// nginx completes the handshake with a certificate that it does not accept and says so in its first answer.
fn rejected_over_http(f: &FlowFacts) -> Option<Hit> {
    let answer = brief_answer(f).filter(|b| b.is_nginx_bad())?;
    let mark = match sent_unseen(f) {
        Some(sent) => sent.mark,
        None => f.of(Role::Client).certificates.as_ref().filter(|c| !c.chain.is_empty())?.mark,
    };
    let detail = format!(
        "The client sent a certificate in frame {}; the server completed the handshake, answered the first request in frame {} with as many bytes as nginx's \"400 The SSL certificate error\" has, and closed at once.",
        mark.frame, answer.mark.frame
    );
    let remedy = "Look at the server's error log, which names the check that failed; the status code stands in the client's output and in the server's access log.";
    let hit = Hit::new(detail, remedy).at(mark).at(answer.mark).at(answer.closed).blame(Blame::Client);
    Some(
        hit.title("The server may have refused the client's certificate over HTTP")
            .possible()
            .severity(Severity::Warning),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        NOW, alert, asked, client_flight, dn, established, fin, find, leaf, server_flight, told,
    };
    use crate::diagnose::{Confidence, Severity};
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::x509::Certificate;

    fn sent(c: Certificate) -> FlowFacts {
        client_flight(asked(server_flight(vec![leaf()])), vec![c])
    }

    fn refused(c: Certificate, a: u8) -> FlowFacts {
        alert(sent(c), Side::B, a)
    }

    fn of_the_right_ca() -> Certificate {
        Certificate { issuer: "CN=Client CA".into(), issuer_raw: dn("Client CA"), ..leaf() }
    }

    #[test]
    fn unknown_ca_names_the_issuer_and_the_list() {
        let d = told(&refused(leaf(), 48));
        assert_eq!(d.cause, Some("client-cert-unknown-ca"));
        assert!(d.findings[0].detail.contains("CN=Issuing CA") && d.findings[0].detail.contains("CN=Client CA"));
        assert!(find(&refused(leaf(), 45), "client-cert-unknown-ca").is_none());
    }

    #[test]
    fn the_list_decides_where_the_alert_is_vague() {
        let d = told(&refused(leaf(), 42));
        assert_eq!(d.cause, Some("client-cert-issuer-not-in-ca-list"));
        assert_eq!(d.findings[0].confidence, Confidence::Likely);
        assert_eq!(told(&refused(of_the_right_ca(), 42)).cause, Some("bad-certificate"));
    }

    #[test]
    fn dates_purpose_and_revocation() {
        let old = Certificate { not_after: Some(NOW - 1), ..of_the_right_ca() };
        assert_eq!(told(&refused(old.clone(), 45)).cause, Some("client-cert-expired"));
        let x = find(&established(sent(old)), "client-cert-expired").expect("a warning");
        assert_eq!((x.severity, x.explains_failure), (Severity::Warning, false));
        let early = Certificate { not_before: Some(NOW + 60), ..of_the_right_ca() };
        assert_eq!(told(&refused(early, 42)).cause, Some("client-cert-not-yet-valid"));
        let server = Certificate { extended_key_usage: Some(vec!["serverAuth".into()]), ..of_the_right_ca() };
        assert_eq!(told(&refused(server, 43)).cause, Some("client-cert-wrong-eku"));
        assert_eq!(told(&refused(of_the_right_ca(), 44)).cause, Some("client-cert-revoked"));
        for code in ["client-cert-expired", "client-cert-not-yet-valid", "client-cert-wrong-eku", "client-cert-revoked"]
        {
            assert!(find(&refused(of_the_right_ca(), 48), code).is_none(), "{code}");
        }
    }

    #[test]
    fn an_intermediate_that_can_be_fetched_is_missing() {
        let mut of_intermediate = leaf();
        of_intermediate.ca_issuer_urls = vec!["http://ca.example/issuing.cer".into()];
        let x = find(&refused(of_intermediate.clone(), 48), "client-chain-incomplete").expect("refused for its issuer");
        assert_eq!(x.confidence, Confidence::Likely);
        assert!(x.detail.contains("http://ca.example/issuing.cer"), "{}", x.detail);
        assert!(find(&established(sent(of_intermediate)), "client-chain-incomplete").is_none());
        assert!(find(&refused(leaf(), 48), "client-chain-incomplete").is_none());
    }

    #[test]
    fn a_weak_key_and_a_broken_hash() {
        let mut small = of_the_right_ca();
        small.key.bits = Some(1024);
        let weak = Certificate { signature_hash: crate::x509::SignatureHash::Sha1, ..of_the_right_ca() };
        for (c, code) in [(small, "client-cert-weak-key"), (weak, "client-cert-sha1")] {
            let x = find(&established(sent(c)), code).expect("told though it worked");
            assert!(x.severity != Severity::Error && !x.explains_failure, "{code}");
            assert!(find(&established(sent(of_the_right_ca())), code).is_none(), "{code}");
        }
    }

    #[test]
    fn a_silent_close_is_no_certain_refusal() {
        let d = told(&fin(sent(of_the_right_ca()), Side::B));
        assert_eq!(d.cause, Some("client-cert-rejected"));
        assert_ne!(d.findings[0].confidence, Confidence::Certain);
        assert!(find(&established(sent(of_the_right_ca())), "client-cert-rejected").is_none());
    }
}

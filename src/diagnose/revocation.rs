//! Revoked certificates: by the client's alert, or by the OCSP response that the server staples.

use super::refusal::{Fault, failed_with, judged, of_server};
use super::server_cert::own;
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Seen};
use crate::limits;
use crate::span::Role;
use crate::tls::names::AlertDescription;
use crate::x509::{CertStatus, Certificate, OcspStatus};

const VERIFY: &str = "  openssl s_client -connect HOST:PORT -servername NAME -status </dev/null";

pub(super) const RULES: &[Rule] = &[
    new(
        "server-cert-revoked",
        Severity::Error,
        62,
        "The server's certificate has been revoked",
        page(
            "The client refused with certificate_revoked, or the OCSP response that the server itself staples says so.",
            "The key was reported lost or the certificate was replaced; the server still uses the old one.",
            "Certain: the alert in clear, or the CA's own answer, says so.",
            "Find out why it was revoked; make a new key, have a certificate issued, install both and reload.",
            VERIFY,
            "RFC 6960; RFC 8446, section 6.2",
        ),
        revoked,
    ),
    new(
        "ocsp-staple-expired",
        Severity::Warning,
        42,
        "The stapled OCSP response is out of date",
        page(
            "The nextUpdate of the OCSP response that the server staples is before the time of the capture.",
            "The server could not fetch a new one (no route to the responder, a resolver that is not set). Clients that insist on a staple refuse.",
            "Judged at the time of the capture.",
            "Let the server reach the responder (nginx: resolver, ssl_stapling on; Apache: SSLStaplingCache) and look at its error log.",
            VERIFY,
            "RFC 6960, section 3.2; RFC 6066, section 8",
        ),
        staple_expired,
    ),
    new(
        "ocsp-staple-not-yet",
        Severity::Warning,
        42,
        "The stapled OCSP response is from the future",
        page(
            "The thisUpdate of the OCSP response that the server staples is after the time of the capture.",
            "The clock of the responder runs ahead, or that of the machine that captured is behind. Clients that check staples refuse (OpenSSL allows five minutes).",
            "Judged at the time of the capture. It is the cause only when the client refused the staple.",
            "Set the clocks (timedatectl, chronyc tracking) of the CA's responder, the server and the client.",
            VERIFY,
            "RFC 6960, sections 3.2 and 4.2.2.1",
        ),
        staple_not_yet,
    ),
    new(
        "ocsp-staple-unknown",
        Severity::Warning,
        42,
        "The stapled OCSP response says that the responder does not know the certificate",
        page(
            "The status in the OCSP response that the server staples is unknown.",
            "The responder is not the one of the certificate's CA, or does not know it yet (just issued). Firefox refuses (SEC_ERROR_OCSP_UNKNOWN_CERT).",
            "Read in clear. It is the cause only when the client refused the staple.",
            "Ask the responder that the certificate names (openssl x509 -ocsp_uri); wait some minutes after issuing; nginx: take a wrong ssl_stapling_responder out.",
            VERIFY,
            "RFC 6960, section 2.2",
        ),
        staple_unknown,
    ),
    new(
        "ocsp-staple-wrong-cert",
        Severity::Warning,
        43,
        "The stapled OCSP response is about another certificate",
        page(
            "No serial number in the OCSP response that the server staples is that of the server's certificate.",
            "The certificate was renewed and the cached response is still that of the old one, or a file was configured by hand. Clients that check staples refuse.",
            "Read in clear. It is the cause only when the client refused the staple.",
            "Fetch a new response after every renewal: nginx and Apache do so on a restart (not always on a reload); OpenSSL's s_server -status_file and nginx's ssl_stapling_file take what they are given.",
            VERIFY,
            "RFC 6066, section 8; RFC 6960, section 3.2",
        ),
        staple_wrong,
    ),
    new(
        "must-staple-violated",
        Severity::Warning,
        49,
        "The server's certificate demands a stapled OCSP response and the server sent none",
        page(
            "The certificate has the TLS feature status_request (must-staple), the client asked for the response, and none was sent.",
            "Firefox refuses (MOZILLA_PKIX_ERROR_REQUIRED_TLS_FEATURE_MISSING), GnuTLS and curl with --cert-status too. Mostly the server had just been restarted and had no response yet, or it cannot reach the responder.",
            "Certificate and messages are in clear. It is the cause only when the client refused.",
            "Turn stapling on and fill it before the first client comes: nginx ssl_stapling on; resolver …; (or ssl_stapling_file); Apache SSLUseStapling on; or have the certificate issued without must-staple.",
            VERIFY,
            "RFC 7633, section 4.2.2; RFC 6066, section 8",
        ),
        must_staple,
    ),
    new(
        "ocsp-staple-missing",
        Severity::Info,
        0,
        "The client asked for a stapled OCSP response and the server sent none",
        page(
            "The ClientHello has status_request, the certificate names an OCSP responder, and the server staples nothing.",
            "The client may ask the responder itself, which costs time and tells the CA who visits whom; most do not ask.",
            "The handshake is in clear, and no part of the server's flight is missing.",
            "nginx: ssl_stapling on; resolver …; Apache: SSLUseStapling on; HAProxy: ocsp-update on. Where the CA has stopped its responder (Let's Encrypt in 2025), nothing.",
            VERIFY,
            "RFC 6066, section 8; RFC 6961",
        ),
        staple_missing,
    ),
    new(
        "bad-certificate-status-response",
        Severity::Error,
        29,
        "The client refused the stapled OCSP response",
        page(
            "The client ended the handshake with the alert bad_certificate_status_response.",
            "The response that the server staples is out of date, about another certificate, signed by somebody who may not, or missing though the client insists (curl --cert-status: \"No OCSP response received\").",
            "That the response was refused is certain; what is wrong with it shows in TLS 1.2 where a check of its own fails, in TLS 1.3 it is encrypted.",
            "Look at the response: openssl s_client -status shows it. Let the server fetch a new one (nginx: restart, resolver …; Apache: SSLStaplingCache).",
            VERIFY,
            "RFC 6066, section 8; RFC 8446, section 6.2",
        ),
        bad_response,
    ),
];

fn revoked(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let said = of_server(f).filter(|r| r.alert == Some(AlertDescription::CERTIFICATE_REVOKED));
    let subject = own(f);
    let staple = f.ocsp.as_ref().zip(subject).and_then(|(o, c)| o.status_of(&c.serial));
    let remedy =
        "On the server: replace the certificate and its key, and reload. The CA says why and when it was revoked.";
    if let Some(r) = said {
        let which = subject.map_or_else(
            || " The certificate itself is encrypted (TLS 1.3), the alert is not.".to_owned(),
            |c| format!(" The certificate is {}, serial {}.", words::cert(c), c.serial),
        );
        let detail = format!("{}{which}", words::alert_sentence(r.role, AlertDescription::CERTIFICATE_REVOKED, r.mark));
        return Some(Hit::new(detail, remedy).at(r.mark).blame(Blame::Server));
    }
    let (c, status) = (subject?, staple?);
    let CertStatus::Revoked { .. } = status.status else { return None };
    let reason = status.status.reason().map_or_else(String::new, |r| format!(", reason {r}"));
    let detail = format!(
        "The OCSP response that the server staples says that {} (serial {}) is revoked{reason}.",
        words::cert(c),
        c.serial
    );
    let hit =
        Hit::new(detail, remedy).at_any(f.of(Role::Server).certificates.as_ref().map(|c| c.mark)).blame(Blame::Server);
    Some(judged(f, Role::Server, Fault::Revoked, hit))
}

/// What the staple says of the server's own certificate.
fn status(f: &FlowFacts) -> Option<&OcspStatus> {
    f.ocsp.as_ref()?.status_of(&own(f)?.serial)
}

/// A fault of the staple: the reason where the client refused it, else a remark.
fn staple(f: &FlowFacts, detail: String, remedy: &str) -> Hit {
    let hit = Hit::new(detail, remedy).at_any(f.stapled().yes()).blame(Blame::Server);
    let d = AlertDescription::BAD_CERTIFICATE_STATUS_RESPONSE;
    match of_server(f).filter(|r| r.alert == Some(d)) {
        Some(r) => hit.severity(Severity::Error).at(r.mark).likely(),
        None => hit.beside(),
    }
}

fn staple_expired(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let status = status(f).filter(|s| s.is_expired_at(f.judged_at()))?;
    let until = status.next_update.map_or_else(|| "some time".to_owned(), words::date);
    let detail = format!("The response was good until {until}; {}.", words::when(f));
    let remedy =
        "On the server: let it fetch OCSP responses again (route and resolver to the CA's responder), then reload.";
    Some(staple(f, detail, remedy))
}

fn staple_not_yet(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let status = status(f).filter(|s| s.is_from_the_future_at(f.judged_at()))?;
    let from = status.this_update.map_or_else(|| "some time".to_owned(), words::date);
    let detail = format!("The response is good from {from}; {}.", words::when(f));
    Some(staple(f, detail, "Check the clocks of the OCSP responder, the server and the machine that captured."))
}

fn staple_unknown(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    status(f).filter(|s| s.status == CertStatus::Unknown)?;
    let who = f.ocsp.as_ref()?.responder.as_deref().unwrap_or("(not named)");
    let detail = format!("The responder \"{}\" does not know the server's certificate.", words::name(who));
    Some(staple(f, detail, "On the server: ask the responder that the certificate names, and fetch the response anew."))
}

fn staple_wrong(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let o = f.ocsp.as_ref()?;
    // Of a very long list not all is kept.
    let is_whole = o.statuses.len() < limits::CERTIFICATE_LIST;
    if o.statuses.is_empty() || !is_whole || o.status_of(&c.serial).is_some() {
        return None;
    }
    let about: Vec<&str> = o.statuses.iter().map(|s| s.serial.as_str()).collect();
    let detail =
        format!("The response is about serial {}; that of {} is {}.", words::list(&about), words::cert(c), c.serial);
    Some(staple(f, detail, "On the server: fetch a response for the present certificate (restart after a renewal)."))
}

/// The client asked for a staple in a full handshake and none was sent.
fn unstapled(f: &FlowFacts) -> Option<&Certificate> {
    let asked = f.client_hello.as_ref()?.message.extensions.status_request;
    (asked && f.stapled().is_no()).then(|| own(f)).flatten()
}

fn must_staple(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = unstapled(f).filter(|c| c.must_staple)?;
    let detail =
        format!("{} demands a stapled OCSP response, which the client asked for; there is none.", words::cert(c));
    let remedy = "On the server: turn OCSP stapling on and let it reach the responder, or have the certificate issued without must-staple.";
    let hit =
        Hit::new(detail, remedy).at_any(f.of(Role::Server).certificates.as_ref().map(|c| c.mark)).blame(Blame::Server);
    Some(judged(f, Role::Server, Fault::Staple, hit))
}

fn staple_missing(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = unstapled(f).filter(|c| !c.must_staple)?;
    let url = c.ocsp_urls.first()?;
    let detail = format!("The client asked for the status of {}; its responder is {url}.", words::cert(c));
    Some(
        Hit::new(detail, "On the server: turn OCSP stapling on, if the CA still runs its responder.")
            .at_any(f.of(Role::Server).certificates.as_ref().map(|c| c.mark))
            .blame(Blame::Server),
    )
}

fn bad_response(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::BAD_CERTIFICATE_STATUS_RESPONSE;
    let (role, mark) = failed_with(f, d).filter(|(role, _)| *role == Role::Client)?;
    let seen = match f.stapled() {
        Seen::Yes(m) if f.ocsp.is_some() => format!(" The response came in frame {}.", m.frame),
        Seen::Yes(m) => format!(" What came in frame {} as a response cannot be read.", m.frame),
        Seen::No => " The server had sent none, so that the client insists on one.".to_owned(),
        Seen::Unknown(_) => String::new(),
    };
    let detail = format!("{}{seen}", words::alert_sentence(role, d, mark));
    let remedy =
        "On the server: look at the response it staples (openssl s_client -status) and let it fetch a new one.";
    Some(Hit::new(detail, remedy).at(mark).at_any(f.stapled().yes()).blame(Blame::Server))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, alert, established, find, leaf, server_flight, told};
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::x509::{CertStatus, Certificate, OcspResponse, OcspResponseStatus, OcspStatus};

    fn stapled(status: CertStatus, next: i64) -> FlowFacts {
        let mut f = server_flight(vec![leaf()]);
        f.ocsp = Some(Box::new(OcspResponse {
            response_status: OcspResponseStatus::Successful,
            responder: None,
            statuses: vec![OcspStatus {
                serial: leaf().serial,
                issuer_name_hash: String::new(),
                issuer_key_hash: String::new(),
                status,
                this_update: Some(NOW - 86_400),
                next_update: Some(next),
            }],
            signature_algorithm: None,
        }));
        f
    }

    #[test]
    fn revoked_by_alert_or_by_staple() {
        assert_eq!(told(&alert(server_flight(vec![leaf()]), Side::A, 44)).cause, Some("server-cert-revoked"));
        let revoked = CertStatus::Revoked { at: Some(NOW), reason: Some(1) };
        let x = find(&established(stapled(revoked, NOW + 60)), "server-cert-revoked").expect("the staple says so");
        assert!(x.detail.contains("keyCompromise") && !x.explains_failure);
        assert!(find(&established(stapled(CertStatus::Good, NOW + 60)), "server-cert-revoked").is_none());
    }

    #[test]
    fn a_staple_of_which_not_all_is_kept_is_not_judged() {
        let wrong = |n: usize| {
            let mut f = stapled(CertStatus::Good, NOW + 60);
            let o = f.ocsp.as_mut().expect("there");
            o.statuses[0].serial = "77".into();
            o.statuses.resize(n, o.statuses[0].clone());
            find(&f, "ocsp-staple-wrong-cert").is_some()
        };
        assert!(wrong(1) && wrong(crate::limits::CERTIFICATE_LIST - 1));
        assert!(!wrong(crate::limits::CERTIFICATE_LIST));
    }

    #[test]
    fn staples_that_do_not_fit() {
        let day = 86_400;
        let refused = |f| told(&alert(f, Side::A, 113)).cause;
        let with = |change: &dyn Fn(&mut OcspStatus)| {
            let mut f = stapled(CertStatus::Good, NOW + day);
            change(&mut f.ocsp.as_mut().expect("there").statuses[0]);
            f
        };
        for (f, code) in [
            (with(&|s| s.next_update = Some(NOW - day)), "ocsp-staple-expired"),
            (with(&|s| s.this_update = Some(NOW + 1)), "ocsp-staple-not-yet"),
            (with(&|s| s.status = CertStatus::Unknown), "ocsp-staple-unknown"),
            (with(&|s| s.serial = "02".into()), "ocsp-staple-wrong-cert"),
        ] {
            assert_eq!(refused(f.clone()), Some(code));
            assert!(find(&established(f), code).is_some_and(|x| !x.explains_failure), "{code}");
            let good = stapled(CertStatus::Good, NOW + day);
            assert!(find(&established(good.clone()), code).is_none(), "{code}");
            assert_eq!(refused(good), Some("bad-certificate-status-response"));
        }
    }

    #[test]
    fn staples_that_do_not_come() {
        let asked = |c: Certificate| {
            let mut f = server_flight(vec![c]);
            f.client_hello.as_mut().expect("there").message.extensions.status_request = true;
            f
        };
        let strict = Certificate { must_staple: true, ..leaf() };
        assert_eq!(told(&alert(asked(strict.clone()), Side::A, 42)).cause, Some("must-staple-violated"));
        assert!(find(&established(asked(strict.clone())), "must-staple-violated").is_some());
        assert!(find(&server_flight(vec![strict.clone()]), "must-staple-violated").is_none(), "not asked for");
        let mut hole = asked(strict);
        hole.sides[Side::B].handshake_gap = true;
        assert!(find(&hole, "must-staple-violated").is_none(), "it may be in the hole");
        let usual = Certificate { ocsp_urls: vec!["http://ocsp.example".into()], ..leaf() };
        assert!(find(&asked(usual.clone()), "ocsp-staple-missing").is_some());
        assert!(find(&server_flight(vec![usual]), "ocsp-staple-missing").is_none());
        assert!(find(&asked(leaf()), "ocsp-staple-missing").is_none(), "it has no responder");
    }

    #[test]
    fn a_stale_staple() {
        assert!(find(&established(stapled(CertStatus::Good, NOW - 60)), "ocsp-staple-expired").is_some());
        assert!(find(&established(stapled(CertStatus::Good, NOW + 60)), "ocsp-staple-expired").is_none());
    }
}

//! Revoked certificates: by the client's alert, or by the OCSP response that the server staples.

use super::refusal::{Fault, judged, of_server};
use super::server_cert::{chain, leaf};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Role;
use crate::tls::names::AlertDescription;
use crate::x509::CertStatus;

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
];

fn revoked(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let said = of_server(f).filter(|r| r.alert == Some(AlertDescription::CERTIFICATE_REVOKED));
    let subject = chain(f).and_then(leaf);
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

fn staple_expired(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = leaf(chain(f)?)?;
    let status = f.ocsp.as_ref()?.status_of(&c.serial)?;
    if !status.is_expired_at(f.judged_at()) {
        return None;
    }
    let until = status.next_update.map_or_else(|| "some time".to_owned(), words::date);
    let detail = format!("The response was good until {until}; the connection is of {}.", words::when(f));
    let refused = of_server(f).is_some_and(|r| r.alert == Some(AlertDescription::BAD_CERTIFICATE_STATUS_RESPONSE));
    let hit = Hit::new(
        detail,
        "On the server: let it fetch OCSP responses again (route and resolver to the CA's responder), then reload.",
    )
    .blame(Blame::Server);
    Some(if refused { hit.severity(Severity::Error) } else { hit.beside() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, alert, established, find, leaf, server_flight, told};
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::x509::{CertStatus, OcspResponse, OcspResponseStatus, OcspStatus};

    fn stapled(status: CertStatus, next: i64) -> FlowFacts {
        let mut f = server_flight(vec![leaf()]);
        f.ocsp = Some(Box::new(OcspResponse {
            response_status: OcspResponseStatus::Successful,
            responder: None,
            produced_at: None,
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
    fn a_stale_staple() {
        assert!(find(&established(stapled(CertStatus::Good, NOW - 60)), "ocsp-staple-expired").is_some());
        assert!(find(&established(stapled(CertStatus::Good, NOW + 60)), "ocsp-staple-expired").is_none());
    }
}

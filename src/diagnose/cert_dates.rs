//! The times of the server's certificate, and the clocks by which they are judged.

use super::refusal::{Fault, judged, of_server};
use super::server_cert::{chain, host, on_cert, own};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Role;
use crate::tls::names::AlertDescription;
use crate::x509::Validity;

const VALIDITY: &str =
    "  openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout -dates -subject -issuer";

pub(super) const RULES: &[Rule] = &[
    new(
        "server-cert-expired",
        Severity::Error,
        60,
        "The server's certificate has expired",
        page(
            "The time of the capture is after the certificate's notAfter, or the client said so (certificate_expired).",
            "The renewal was forgotten, or it was renewed and the server still serves the old file because it was not reloaded.",
            "Certificates are judged at the time of the capture, not today. In TLS 1.3, where the certificate is encrypted, the alert in clear says that something of its path has expired by the client's clock: likely the certificate.",
            "Renew the certificate and reload the server (nginx -s reload, apachectl graceful, systemctl reload …). If the dates are right, look at the client's clock.",
            VALIDITY,
            "RFC 5280, section 4.1.2.5; RFC 8446, section 6.2",
        ),
        expired,
    ),
    new(
        "server-cert-not-yet-valid",
        Severity::Error,
        60,
        "The server's certificate is not valid yet",
        page(
            "The time of the capture is before the certificate's notBefore.",
            "The certificate was just issued and clocks differ, or the clock of the machine that issued it runs ahead.",
            "Judged at the time of the capture. It is the cause only when the client refused.",
            "Set the clocks (timedatectl, chronyc tracking) of the CA, the server and the client; issue certificates with a notBefore some minutes in the past.",
            VALIDITY,
            "RFC 5280, section 4.1.2.5",
        ),
        not_yet_valid,
    ),
    new(
        "clock-skew-client",
        Severity::Error,
        58,
        "The client says that the server's certificate has expired, though it was valid when the capture was made",
        page(
            "The alert certificate_expired for a certificate that is within its time by the clock of the capture.",
            "The clock of the client is wrong (a device without a battery, a virtual machine that was resumed), or it looks at a certificate of its own store that has expired.",
            "The capture's own clock could be the wrong one, so this is likely at most.",
            "Check the time on the client (date -u; timedatectl), and whether a root or cross-signed intermediate in its trust store has expired.",
            "  date -u   on the client, the server and the machine that captured",
            "RFC 5280, section 4.1.2.5",
        ),
        clock_skew,
    ),
    new(
        "server-cert-expiring",
        Severity::Warning,
        0,
        "The server's certificate expires soon",
        page(
            "The certificate is valid, for fewer days than the limit (30 unless set otherwise), counted from the capture.",
            "Everything works until that day.",
            "Judged at the time of the capture.",
            "Renew it, and automate that (ACME: certbot, cert-manager, lego).",
            VALIDITY,
            "RFC 5280, section 4.1.2.5",
        ),
        expiring,
    ),
];

fn expired(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let refused = of_server(f).filter(|r| r.alert == Some(AlertDescription::CERTIFICATE_EXPIRED));
    let Some(c) = own(f) else {
        let r = refused?;
        let detail = format!(
            "{} The certificate itself is encrypted (TLS 1.3), the alert is not.",
            words::alert_sentence(r.role, AlertDescription::CERTIFICATE_EXPIRED, r.mark)
        );
        let remedy = format!(
            "On the server: renew the certificate (or the expired intermediate) and reload. Check: openssl s_client -connect {} -servername {} | openssl x509 -noout -dates. If it has not expired, the client's clock is wrong.",
            words::end(f.end(Role::Server)),
            host(f)
        );
        return Some(Hit::new(detail, remedy).at(r.mark).likely().blame(Blame::Either));
    };
    let Validity::Expired { since } = c.validity_at(f.judged_at()) else { return None };
    let detail =
        format!("The certificate {} was valid until {}; {}.", words::cert(c), words::date(since), words::when(f));
    let remedy = "On the server: renew the certificate and reload the server, so that it serves the new one.";
    Some(judged(f, Role::Server, Fault::Expired, on_cert(f, Hit::new(detail, remedy))))
}
fn not_yet_valid(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let Validity::NotYetValid { until } = c.validity_at(f.judged_at()) else { return None };
    let detail =
        format!("The certificate {} is valid from {}; {}.", words::cert(c), words::date(until), words::when(f));
    let remedy = "Check the clocks of the client and of the machine that captured; if they are right, issue the certificate again (the CA's clock ran ahead) or wait.";
    Some(judged(f, Role::Server, Fault::NotYetValid, on_cert(f, Hit::new(detail, remedy))))
}
fn clock_skew(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_server(f).filter(|r| r.alert == Some(AlertDescription::CERTIFICATE_EXPIRED))?;
    let certs = chain(f)?;
    if certs.iter().any(|c| c.validity_at(f.judged_at()) != Validity::Valid) {
        return None;
    }
    let c = own(f)?;
    let dates = match (c.not_before, c.not_after) {
        (Some(a), Some(b)) => format!("{} to {}", words::date(a), words::date(b)),
        _ => "unreadable dates".to_owned(),
    };
    let detail = format!(
        "{} Yet every certificate that the server sent was valid; {} ({}: {dates}).",
        words::alert_sentence(r.role, AlertDescription::CERTIFICATE_EXPIRED, r.mark),
        words::when(f),
        words::cert(c)
    );
    let remedy = "On the client: check the clock (date -u, NTP) and whether a root or cross-signed intermediate in its trust store has expired.";
    Some(on_cert(f, Hit::new(detail, remedy)).at(r.mark).blame(Blame::Client).likely())
}
fn expiring(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if c.validity_at(f.judged_at()) != Validity::Valid {
        return None;
    }
    let left = c.not_after?.saturating_sub(f.judged_at().secs()) / 86_400;
    // A certificate that lives for days only is renewed by a machine: it always expires soon.
    let whole = c.not_after?.saturating_sub(c.not_before?) / 86_400;
    if left >= policy.expiring_days || whole < policy.expiring_days.saturating_mul(2) {
        return None;
    }
    let detail = format!(
        "The certificate {} is valid until {}: {} after this connection.",
        words::cert(c),
        words::date(c.not_after?),
        words::count(left.max(0).unsigned_abs(), "day")
    );
    Some(on_cert(f, Hit::new(detail, "On the server: renew the certificate before that day.")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, established, find, leaf, refused, server_flight, told};
    use crate::diagnose::Severity;
    use crate::x509::Certificate;

    #[test]
    fn an_expired_certificate_is_the_cause_only_when_it_was_refused() {
        let old = Certificate { not_after: Some(NOW - 86_400), ..leaf() };
        assert_eq!(told(&refused(old.clone(), 45)).cause, Some("server-cert-expired"));
        assert_eq!(told(&refused(old.clone(), 42)).cause, Some("server-cert-expired"));
        // OpenSSL looks for the issuer first: then the date is not the reason.
        assert_eq!(told(&refused(old.clone(), 48)).cause, Some("server-cert-unknown-ca"));
        let x = find(&established(server_flight(vec![old])), "server-cert-expired").expect("still worth a warning");
        assert_eq!((x.severity, x.explains_failure), (Severity::Warning, false));
        assert!(find(&established(server_flight(vec![leaf()])), "server-cert-expired").is_none());
    }

    #[test]
    fn a_valid_certificate_called_expired_points_to_the_clients_clock() {
        assert_eq!(told(&refused(leaf(), 45)).cause, Some("clock-skew-client"));
        let f = refused(Certificate { not_after: Some(NOW - 1), ..leaf() }, 45);
        assert!(find(&f, "clock-skew-client").is_none());
    }

    #[test]
    fn not_yet_valid_and_expiring() {
        let f = refused(Certificate { not_before: Some(NOW + 3600), ..leaf() }, 42);
        assert_eq!(told(&f).cause, Some("server-cert-not-yet-valid"));
        let f = established(server_flight(vec![Certificate { not_after: Some(NOW + 10 * 86_400), ..leaf() }]));
        assert!(find(&f, "server-cert-expiring").expect("ten days left").detail.contains("10 days"));
        let short = Certificate { not_before: Some(NOW - 86_400), not_after: Some(NOW + 6 * 86_400), ..leaf() };
        assert!(
            find(&established(server_flight(vec![short])), "server-cert-expiring").is_none(),
            "lives for a week only"
        );
    }
}

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
            "The alert certificate_expired for a certificate that is within its time by the clock of the capture. Or: the client writes the time into the random of its ClientHello, as clients did before TLS 1.3 (gmt_unix_time), and it differs from the capture's clock by more than five minutes, in three connections or more by the same difference.",
            "The clock of the client is wrong (a device without a battery, a virtual machine that was resumed), or it looks at a certificate of its own store that has expired. With a wrong clock certificates are refused as expired or not yet valid.",
            "The capture's own clock could be the wrong one, so this is likely at most. A time in the random counts only when the same difference, within a month, stands in at least three hellos of one client over five seconds or more: random bytes do not do that. Where the server's random holds a time that agrees with the client's, nothing is said; where it agrees with the capture's, this is likely, else possible.",
            "Check the time on the client (date -u; timedatectl), and whether a root or cross-signed intermediate in its trust store has expired.",
            "  date -u   on the client, the server and the machine that captured",
            "RFC 5280, section 4.1.2.5; RFC 5246, section 7.4.1.2",
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
    called_expired(f).or_else(|| told_time(f))
}

/// Clocks that differ by less are right.
const SKEW_SECS: i64 = 300;

/// A server's time that agrees with the capture's.
const AGREES_SECS: i64 = 60;

/// By how many seconds the server's clock is ahead of the capture's, if the first four bytes of its random are a time.
fn server_ahead(f: &FlowFacts) -> Option<i64> {
    let sh = f.server_hello.as_ref().filter(|s| !s.message.ssl2_format && !f.is_tls13())?;
    let told = u32::from_be_bytes(*sh.message.random.first_chunk()?);
    Some(i64::from(told).saturating_sub(sh.mark.time.secs()))
}

/// The client's hellos tell the time, and it is another one than the capture's.
fn told_time(f: &FlowFacts) -> Option<Hit> {
    let same = f.siblings.rare.as_ref()?.same_clock.as_ref().filter(|s| s.ahead.abs() > SKEW_SECS)?;
    let h = f.client_hello.as_ref()?;
    let server = server_ahead(f);
    if server.is_some_and(|s| s.abs_diff(same.ahead) <= SKEW_SECS.unsigned_abs()) {
        return None;
    }
    let agrees = server.is_some_and(|s| s.abs() <= AGREES_SECS);
    let by = words::duration(same.ahead.unsigned_abs().saturating_mul(1_000_000));
    let ids: Vec<String> = same.flows.iter().map(|id| format!("#{id}")).collect();
    let mut detail = format!(
        "The random of the ClientHello in frame {} begins with the time {}, {by} {} the capture's clock; in {} ({}) it differs by the same, over {}.",
        h.mark.frame,
        words::date(h.mark.time.secs().saturating_add(same.ahead)),
        if same.ahead > 0 { "ahead of" } else { "behind" },
        words::count(ids.len() as u64, "earlier flow"),
        words::list(&ids),
        words::duration(same.span.unsigned_abs().saturating_mul(1_000_000)),
    );
    if agrees {
        detail.push_str(" The time in the server's random agrees with the capture's clock.");
    }
    let remedy = "On the client: check the clock (date -u, NTP); compare it with that of the machine that captured.";
    let hit = Hit::new(detail, remedy)
        .title("The client's clock differs from the capture's")
        .severity(Severity::Warning)
        .at(h.mark)
        .of(same.flows.iter().copied().chain([f.id]))
        .beside();
    Some(if agrees { hit.likely().blame(Blame::Client) } else { hit.possible().blame(Blame::Either) })
}

fn called_expired(f: &FlowFacts) -> Option<Hit> {
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
    use super::super::testing::{NOW, after, established, find, leaf, refused, server_flight, told, with};
    use crate::diagnose::{Confidence, Severity};
    use crate::facts::FlowFacts;
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

    /// A hello of TLS 1.2 at a second of the capture, whose random tells another one.
    fn telling(at: i64, client: i64, server: Option<i64>) -> FlowFacts {
        let time = |t: i64, rest: u8| {
            let mut random = [rest; 32];
            random[..4].copy_from_slice(&u32::try_from(NOW + t).expect("a time").to_be_bytes());
            random
        };
        let rest = u8::try_from(at).expect("few");
        let mut f = with(0x0303, |c, s| {
            c.random = time(client, rest);
            s.random = server.map_or([0xd7; 32], |t| time(t, rest));
        });
        f.first.time.0 += at * 1_000_000_000;
        f.last.time = f.first.time;
        f.client_hello.as_mut().expect("there").mark.time = f.first.time;
        f.server_hello.as_mut().expect("there").mark.time = f.first.time;
        established(f)
    }

    #[test]
    fn a_clock_that_the_hellos_tell() {
        const CODE: &str = "clock-skew-client";
        let third = |skew: i64, server: Option<i64>| {
            let one = |at: i64| telling(at, at + skew, server.map(|s| at + s));
            after(&[&one(1), &one(4)], one(9))
        };
        let x = find(&third(-7200, None), CODE).expect("told");
        assert_eq!((x.severity, x.confidence, x.explains_failure), (Severity::Warning, Confidence::Possible, false));
        assert!(x.detail.contains("behind") && x.detail.contains("2025-12-31T22:00:09Z"), "{}", x.detail);
        assert!(find(&third(86_400, Some(3)), CODE).is_some_and(|x| x.confidence == Confidence::Likely));
        // The server's clock, which agrees with neither, decides nothing.
        assert!(find(&third(86_400, Some(3600)), CODE).is_some_and(|x| x.confidence == Confidence::Possible));
        // It is the capture's clock that is wrong; the clocks agree; no time at all; two only.
        assert!(find(&third(-7200, Some(-7190)), CODE).is_none());
        assert!(find(&third(-200, None), CODE).is_none());
        assert!(find(&third(40 * 86_400, None), CODE).is_none());
        assert!(find(&after(&[&telling(1, -7200, None)], telling(9, -7192, None)), CODE).is_none());
        // Values that do not go on with the clock: constant, or random in the plausible month.
        let constant = [1, 4].map(|at| telling(at, -7200, None));
        assert!(find(&after(&[&constant[0], &constant[1]], telling(9, -7200, None)), CODE).is_none());
        let random = [telling(1, 90_000, None), telling(4, -400_000, None)];
        assert!(find(&after(&[&random[0], &random[1]], telling(9, -7192, None)), CODE).is_none());
        // The same hello again, in connections that were opened one after another: it is no clock.
        let mut kept = [1, 2, 3].map(|n| {
            let mut f = telling(1, -7200, None);
            f.client_hello.as_mut().expect("there").message.random[31] = n;
            f.first.time.0 -= i64::from(n) * 5_000_000_000;
            f
        });
        kept.reverse();
        assert!(find(&after(&[&kept[0], &kept[1]], kept[2].clone()), CODE).is_none());
        // All within one second.
        let burst = [telling(1, -7199, None), telling(2, -7198, None)];
        assert!(find(&after(&[&burst[0], &burst[1]], telling(3, -7197, None)), CODE).is_none());
        // A client that knows TLS 1.3 puts no time there.
        let mut new = [1, 4, 9].map(|at| telling(at, at - 7200, None));
        for f in &mut new {
            f.client_hello.as_mut().expect("there").message.extensions.supported_versions.push(0x0304);
        }
        assert!(find(&after(&[&new[0], &new[1]], new[2].clone()), CODE).is_none());
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

//! Every alert by its registered name, so that none is lost. A rule that explains more takes its place.

use super::refusal::refusal;
use super::{Blame, Hit, Page, Policy, Rule, Severity, new, words};
use crate::facts::{Basis, FlowFacts, Outcome};
use crate::tls::names::{AlertDescription, AlertLevel};

const SURE: &str = "The alert was read in clear, so that it is certain what was said and by whom; why, it says only as far as its name goes.";
const VERIFY: &str = "  openssl s_client -connect HOST:PORT -servername NAME -msg </dev/null";
const REFERENCES: &str = "RFC 8446, section 6; RFC 5246, section 7.2; IANA, TLS Alerts";

/// One rule per alert: number, code, title, likely causes, what to do.
macro_rules! alerts {
    ($( $number:literal $code:literal $title:literal $why:literal $fix:literal; )*) => {
        pub(super) const RULES: &[Rule] = &[
            $( new($code, Severity::Error, 12, $title, text($why, $fix), |f, _: &Policy| hit(f, |d| d.0 == $number, $why, $fix)), )*
            new(
                "alert-unknown",
                Severity::Error,
                12,
                "A peer sent an alert with an unregistered number",
                Page {
                    what: "The description of the alert is not in IANA's registry.",
                    ..text(
                        "A private or future alert, damaged data, or bytes that are no TLS at all.",
                        "Look at the log of the side that sent it."
                    )
                },
                |f, _: &Policy| {
                    hit(f, |d| d.name().is_none() && d.0 != 255, "A private or future alert, damaged data, or bytes that are no TLS at all.", "Look at the log of the side that sent it.")
                },
            ),
        ];
    };
}

const fn text(why: &'static str, fix: &'static str) -> Page {
    Page { what: "", why, how_sure: SURE, fix, verify: VERIFY, references: REFERENCES }
}

alerts! {
    10 "alert-unexpected-message" "A peer sent the alert unexpected_message"
        "Plaintext or another protocol where TLS is spoken, messages out of order, a bug."
        "Check that both sides agree on when TLS begins; update the TLS library of the side that was complained of.";
    20 "alert-bad-record-mac" "A peer sent the alert bad_record_mac"
        "Damaged bytes, different keys on the two sides, a bug."
        "Compare captures of both ends; switch offloads off for a test.";
    21 "alert-decryption-failed" "A peer sent the alert decryption_failed"
        "Damaged bytes or different keys; only TLS 1.0 and older send it."
        "Update the TLS library of both sides; compare captures of both ends.";
    22 "alert-record-overflow" "A peer sent the alert record_overflow"
        "The peer read bytes that are no TLS record, or a size limit was ignored."
        "Check that both sides speak TLS at this point.";
    30 "alert-decompression-failure" "A peer sent the alert decompression_failure"
        "TLS compression, which nobody should use."
        "Switch TLS compression off.";
    40 "alert-handshake-failure" "A peer sent the alert handshake_failure"
        "Nothing acceptable in common (cipher suites, groups, signatures), a client certificate that is missing, parameters that are too weak."
        "Look at the log of the side that sent it, and compare both sides' lists of versions, cipher suites, groups and signature schemes.";
    41 "alert-no-certificate" "The client said that it has no certificate (SSL 3.0)"
        "The server asked for a client certificate and the client has none."
        "Configure a client certificate, and use TLS 1.2 or 1.3.";
    42 "alert-bad-certificate" "A peer sent the alert bad_certificate"
        "The certificate's signature, name or dates, or (TLS 1.2 servers) none was sent."
        "Check the refused certificate: names, dates, issuer, purpose.";
    43 "alert-unsupported-certificate" "A peer sent the alert unsupported_certificate"
        "Purpose, key usage or key type of the certificate do not fit."
        "Check extendedKeyUsage, keyUsage and key type of the refused certificate.";
    44 "alert-certificate-revoked" "A peer sent the alert certificate_revoked"
        "The certificate stands in a CRL, or OCSP says that it is revoked."
        "Replace the certificate and its key.";
    45 "alert-certificate-expired" "A peer sent the alert certificate_expired"
        "The certificate is outside its time, or the clock of the side that checks is wrong."
        "Renew the certificate; check the clocks.";
    46 "alert-certificate-unknown" "A peer sent the alert certificate_unknown"
        "The certificate was refused for a reason without an alert of its own; Java sends it for most."
        "Look at the log of the side that sent it.";
    47 "alert-illegal-parameter" "A peer sent the alert illegal_parameter"
        "A field is wrong or contradicts another: a bug, or a device that rewrites the handshake."
        "Update the TLS library of the side that was complained of; compare captures of both ends.";
    48 "alert-unknown-ca" "A peer sent the alert unknown_ca"
        "The certificate leads to no CA that the side which sent the alert trusts."
        "Add the CA to that side's trust store, or send the missing intermediate.";
    49 "alert-access-denied" "A peer sent the alert access_denied"
        "The certificate is valid, its owner is not permitted."
        "Permit the identity on the side that sent the alert.";
    50 "alert-decode-error" "A peer sent the alert decode_error"
        "A message with a wrong length or a field out of range: a bug, damage, an intolerant server."
        "Update the TLS library of the side that was complained of; compare captures of both ends.";
    51 "alert-decrypt-error" "A peer sent the alert decrypt_error"
        "A signature or Finished did not verify: a key that does not belong to its certificate, or a handshake changed on its way."
        "Check that key and certificate belong together.";
    52 "alert-too-many-cids-requested" "A peer sent the alert too_many_cids_requested"
        "DTLS 1.3 only: too many connection identifiers were asked for."
        "Update the DTLS library of the side that asked.";
    60 "alert-export-restriction" "A peer sent the alert export_restriction"
        "Export rules of the 1990s."
        "Update both sides; do not use export cipher suites.";
    70 "alert-protocol-version" "A peer sent the alert protocol_version"
        "The ranges of versions do not meet."
        "Enable a common version, TLS 1.2 or 1.3, on both sides.";
    71 "alert-insufficient-security" "A peer sent the alert insufficient_security"
        "Policy forbids all that the other offers."
        "Enable stronger cipher suites and keys on the other side.";
    80 "alert-internal-error" "A peer sent the alert internal_error"
        "A key that cannot be loaded, a failed backend, no memory: nothing the other side did."
        "Look at the log of the side that sent it.";
    86 "alert-inappropriate-fallback" "The server sent the alert inappropriate_fallback"
        "The client retried with an older version than both support."
        "Find out why the client's first attempt failed.";
    90 "alert-user-canceled" "A peer gave up the handshake (user_canceled)"
        "A person closed a dialog, or a program was stopped."
        "Nothing, or ask the person.";
    100 "alert-no-renegotiation" "A peer refuses to renegotiate (no_renegotiation)"
        "The other side asked for a new handshake within the connection, for a client certificate per path, for instance."
        "Require the certificate for the whole server, or use TLS 1.3.";
    109 "alert-missing-extension" "A peer sent the alert missing_extension"
        "A hello lacks an extension that it must carry."
        "Update the TLS library of the side that sent the hello.";
    110 "alert-unsupported-extension" "A peer sent the alert unsupported_extension"
        "An answer carries an extension that was not offered."
        "Update the TLS library of the side that sent it.";
    111 "alert-certificate-unobtainable" "The server could not fetch the client's certificate (certificate_unobtainable)"
        "The URL that the client gave for its certificate cannot be reached."
        "Send the certificate itself.";
    112 "alert-unrecognized-name" "The server sent the alert unrecognized_name"
        "It has no service of the name that the client asked for."
        "Add the name on the server, or call it by one it has.";
    113 "alert-bad-certificate-status-response" "The client refused the stapled OCSP response (bad_certificate_status_response)"
        "The OCSP response is missing, expired or of another certificate."
        "Let the server fetch OCSP responses (nginx ssl_stapling, resolver).";
    114 "alert-bad-certificate-hash-value" "A peer sent the alert bad_certificate_hash_value"
        "A certificate fetched from a URL does not match its hash."
        "Send the certificate itself.";
    115 "alert-unknown-psk-identity" "The server sent the alert unknown_psk_identity"
        "The server does not know the identity of the pre-shared key."
        "Give both sides the same identity and key.";
    116 "alert-certificate-required" "The server sent the alert certificate_required"
        "The client sent no certificate and the server requires one."
        "Configure a client certificate.";
    117 "alert-general-error" "A peer sent the alert general_error"
        "An error that fits no other alert."
        "Look at the log of the side that sent it.";
    120 "alert-no-application-protocol" "The server sent the alert no_application_protocol"
        "The lists of application protocols (ALPN) have nothing in common."
        "Align the lists.";
    121 "alert-ech-required" "The client sent the alert ech_required"
        "The server did not accept Encrypted Client Hello; its configuration in DNS is stale."
        "Update the HTTPS record in DNS with the server's present ECH configuration.";
    255 "alert-255" "A peer sent an alert with the description 255"
        "Some TLS stacks use 255 within for \"no alert\"; on the wire it is a bug."
        "Look at the log of the side that sent it.";
}

/// The first alert in clear of a kind.
fn hit(f: &FlowFacts, is: impl Fn(AlertDescription) -> bool, why: &str, fix: &str) -> Option<Hit> {
    let (side, level, d, mark) = f
        .alerts
        .iter()
        .filter(|a| a.basis != Basis::Inferred)
        .find_map(|a| a.said.filter(|(_, d)| is(*d)).map(|(l, d)| (a.side, l, d, a.mark)))?;
    let role = f.role(side);
    let name = d.name().map_or_else(|| format!("number {}", d.0), str::to_owned);
    let level_name = if level == AlertLevel::WARNING { " as a warning" } else { "" };
    let detail = format!("{} Likely: {}", words::alert_sentence(role, d, mark), lower(why));
    let hit = Hit::new(detail, fix)
        .title(format!("The {role} sent the alert {name}{level_name}"))
        .at(mark)
        .blame(Blame::Either);
    let ended = refusal(f)
        .is_some_and(|r| r.alert == Some(d) || (r.alert.is_none() && r.mark.frame >= mark.frame && r.role == role));
    let failed = matches!(f.outcome(), Outcome::Failed | Outcome::Rejected);
    Some(if failed && ended {
        hit
    } else {
        hit.beside().severity(if d.is_closure() { Severity::Info } else { Severity::Warning })
    })
}

/// The beginning of a sentence inside another one; names and abbreviations keep their capitals.
fn lower(s: &str) -> String {
    let mut c = s.chars();
    match (c.next(), c.clone().next()) {
        (Some(first), Some(second)) if !second.is_ascii_uppercase() && !s.starts_with("TLS") => {
            first.to_lowercase().chain(c).collect()
        }
        _ => s.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, leaf, server_flight, told};
    use super::RULES;
    use crate::diagnose::Severity;
    use crate::facts::{AlertFact, Basis};
    use crate::span::Side;
    use crate::tls::names::{AlertDescription, AlertLevel};

    #[test]
    fn every_registered_alert_but_close_notify_has_a_rule_by_its_name() {
        for d in AlertDescription::all().filter(|d| !matches!(d.0, 0 | 1)) {
            let code = format!("alert-{}", d.name().expect("registered").replace('_', "-"));
            assert!(RULES.iter().any(|r| r.code == code), "{code}");
        }
    }

    #[test]
    fn no_alert_is_lost() {
        for n in 2..=255u8 {
            let f = alert(server_flight(vec![leaf()]), Side::A, n);
            let d = told(&f);
            assert!(d.cause.is_some(), "{n}");
            assert!(d.findings.iter().any(|x| x.frames.contains(&super::super::testing::mark(11).frame)), "{n}");
        }
        assert_eq!(told(&alert(server_flight(vec![leaf()]), Side::A, 200)).cause, Some("alert-unknown"));
        assert_eq!(told(&alert(server_flight(vec![leaf()]), Side::A, 255)).cause, Some("alert-255"));
    }

    #[test]
    fn an_alert_that_ended_nothing_has_the_finding_of_its_name() {
        // Numbers: IANA "TLS Alerts".
        for (n, code) in [
            (10, "alert-unexpected-message"),
            (20, "alert-bad-record-mac"),
            (22, "alert-record-overflow"),
            (40, "alert-handshake-failure"),
            (47, "alert-illegal-parameter"),
            (51, "alert-decrypt-error"),
            (52, "alert-too-many-cids-requested"),
            (70, "alert-protocol-version"),
            (71, "alert-insufficient-security"),
            (80, "alert-internal-error"),
            (86, "alert-inappropriate-fallback"),
            (109, "alert-missing-extension"),
            (110, "alert-unsupported-extension"),
            (115, "alert-unknown-psk-identity"),
            (120, "alert-no-application-protocol"),
        ] {
            let mut f = established(server_flight(vec![leaf()]));
            assert!(find(&f, code).is_none(), "{code}");
            let said = Some((AlertLevel::WARNING, AlertDescription(n)));
            f.alerts.push(AlertFact {
                mark: super::super::testing::mark(9),
                side: Side::B,
                said,
                basis: Basis::Observed,
            });
            assert!(find(&f, code).is_some_and(|x| x.severity == Severity::Warning), "{code}");
        }
    }

    #[test]
    fn a_warning_on_a_connection_that_worked_is_no_error() {
        let mut f = established(server_flight(vec![leaf()]));
        let said = Some((AlertLevel::WARNING, AlertDescription::NO_RENEGOTIATION));
        f.alerts.push(AlertFact { mark: super::super::testing::mark(9), side: Side::A, said, basis: Basis::Observed });
        assert!(told(&f).findings.iter().all(|x| x.severity < Severity::Error));
        assert!(find(&f, "alert-no-renegotiation").is_some() || find(&f, "renegotiation-refused").is_some());
    }
}

//! Fields of the server's own certificate: key type, serial number, lifetime, odd names, transparency.

use std::net::IpAddr;

use super::refusal::{Fault, judged, of_server};
use super::server_cert::{on_cert, own, relations};
use super::{Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Seen};
use crate::span::Role;
use crate::tls::names::{ExtensionType, SignatureScheme};
use crate::x509::{KeyAlgorithm, San};

const READ: &str = "  openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout -text";
const SURE: &str = "Read from the certificate in clear. It is the cause only when the client refused.";
const CLEAR: &str = "Read from the certificate in clear.";

/// Bytes of a serial number that RFC 5280, section 4.1.2.2 allows.
const SERIAL_BYTES: usize = 20;

/// Alternative names beyond which a certificate is unwieldy: public CAs stop at 100 unless asked for more.
const NAMES: usize = 100;

/// Longest lifetime in days of a certificate that a public CA issues from that day on (seconds since 1970), latest
/// first: Baseline Requirements of the CA/Browser Forum, section 6.3.2.
const LIFETIMES: &[(i64, i64)] = &[
    (1_868_227_200 /* 2029-03-15 */, 47),
    (1_805_068_800 /* 2027-03-15 */, 100),
    (1_773_532_800 /* 2026-03-15 */, 200),
    (1_598_918_400 /* 2020-09-01 */, 398),
    (1_519_862_400 /* 2018-03-01 */, 825),
];

pub(super) const RULES: &[Rule] = &[
    new(
        "server-cert-is-ca",
        Severity::Warning,
        41,
        "The server's certificate is a CA's",
        page(
            "The basic constraints of the server's own certificate say CA:TRUE.",
            "The key of a CA belongs off-line, not on a server: whoever steals it can certify anybody. Firefox (MOZILLA_PKIX_ERROR_CA_CERT_USED_AS_END_ENTITY) and rustls (CaUsedAsEndEntity) refuse. openssl req -x509 makes such certificates unless told otherwise.",
            SURE,
            "Make a certificate for the server: openssl req -x509 … -addext basicConstraints=critical,CA:FALSE for a self-signed one, or better have it issued by the CA.",
            "  openssl x509 -in server.pem -noout -ext basicConstraints",
            "RFC 5280, section 4.2.1.9",
        ),
        is_ca,
    ),
    new(
        "negative-serial",
        Severity::Warning,
        41,
        "The serial number of the server's certificate is negative",
        page(
            "The first bit of the serial number is set, so that it reads as a number below zero.",
            "RFC 5280 wants a positive number. Go 1.23 and later refuse to parse such a certificate (\"x509: negative serial number\"); OpenSSL and Java do not mind.",
            SURE,
            "Have the certificate issued again with a positive serial number (openssl ca: rand_serial = yes; openssl x509 -req without -set_serial). A Go client can allow it for a while with GODEBUG=x509negativeserial=1.",
            "  openssl x509 -in server.pem -noout -serial",
            "RFC 5280, section 4.1.2.2",
        ),
        negative_serial,
    ),
    new(
        "serial-zero",
        Severity::Warning,
        0,
        "The serial number of the server's certificate is zero",
        page(
            "The serial number is 0.",
            "RFC 5280 wants a positive number that no other certificate of the CA has; revocation and caches are keyed by it. Such certificates come from scripts that set the serial by hand.",
            CLEAR,
            "Have the certificate issued again with a random serial number: openssl ca with rand_serial = yes, openssl x509 -req without -set_serial.",
            "  openssl x509 -in server.pem -noout -serial",
            "RFC 5280, section 4.1.2.2",
        ),
        zero_serial,
    ),
    new(
        "serial-too-long",
        Severity::Warning,
        0,
        "The serial number of the server's certificate is longer than allowed",
        page(
            "The serial number has more than 20 bytes.",
            "RFC 5280 lets clients refuse it: GnuTLS and embedded stacks do.",
            CLEAR,
            "Have the certificate issued again with a serial number of at most 20 bytes.",
            "  openssl x509 -in server.pem -noout -serial",
            "RFC 5280, section 4.1.2.2",
        ),
        long_serial,
    ),
    new(
        "rsa-exponent-small",
        Severity::Warning,
        41,
        "The RSA key of the server's certificate has a small exponent",
        page(
            "The public exponent is smaller than 65537.",
            "Not broken by itself, but where padding is checked carelessly signatures can be forged for exponent 3 (BERserk); policies forbid it (NIST SP 800-56B, CA/Browser Forum), and some clients refuse.",
            SURE,
            "Make a new key with the usual exponent: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072.",
            "  openssl x509 -in server.pem -noout -text | grep Exponent",
            "NIST SP 800-56B, section 6.2; RFC 8017, section 3.1",
        ),
        exponent,
    ),
    new(
        "rsa-pss-key-unsupported",
        Severity::Warning,
        47,
        "The server's key can sign with RSA-PSS only, which the client does not support",
        page(
            "The certificate's key is of the type id-RSASSA-PSS, and the client's signature_algorithms have no rsa_pss_pss scheme.",
            "Such keys are rare; browsers and Go do not support them. The client refuses with unsupported_certificate, bad_certificate or illegal_parameter.",
            "Both are read in clear. It is the cause only when the client refused.",
            "Use an ordinary RSA key (rsaEncryption), which can sign with PSS too, or an EC one: openssl req -newkey rsa:3072.",
            "  openssl x509 -in server.pem -noout -text | grep 'Public Key Algorithm'",
            "RFC 8446, section 4.2.3; RFC 4055",
        ),
        pss,
    ),
    new(
        "ed25519-unsupported-by-client",
        Severity::Warning,
        47,
        "The server has an Ed25519 key, which the client does not support",
        page(
            "The certificate's key is Ed25519, and the client's signature_algorithms do not have ed25519.",
            "Browsers and Windows do not accept Ed25519 certificates; the client refuses, mostly with illegal_parameter or unsupported_certificate.",
            "Both are read in clear. It is the cause only when the client refused.",
            "Give the server a second certificate with a P-256 or RSA key (nginx, Apache and HAProxy take several), or update the client.",
            READ,
            "RFC 8422, section 5.1.3; RFC 8446, section 4.2.3",
        ),
        ed25519,
    ),
    new(
        "validity-too-long",
        Severity::Warning,
        41,
        "The server's certificate is valid for longer than public CAs may issue it",
        page(
            "The certificate names a policy of the CA/Browser Forum and lives longer than the limit of the day it was issued on (825 days from March 2018, 398 from September 2020, 200 from March 2026, 100 from March 2027, 47 from March 2029).",
            "Browsers and Apple's platforms refuse such certificates (ERR_CERT_VALIDITY_TOO_LONG). A CA that browsers trust does not issue them: it may be an imitation.",
            "Read from the certificate in clear. Private CAs are not judged. It is the cause only when the client refused.",
            "Have a certificate with a shorter life issued, and renew it by machine (ACME: certbot, cert-manager, lego).",
            "  openssl x509 -in server.pem -noout -dates -ext certificatePolicies",
            "CA/Browser Forum Baseline Requirements, section 6.3.2; ballot SC-081",
        ),
        lifetime,
    ),
    new(
        "cert-has-no-sct",
        Severity::Warning,
        41,
        "The server's certificate is of a public CA and is in no transparency log that it could show",
        page(
            "The certificate names a policy of the CA/Browser Forum, and neither it, nor the handshake, nor a stapled OCSP response carries signed certificate timestamps.",
            "Chrome, Edge and Safari refuse certificates of public CAs without them (ERR_CERTIFICATE_TRANSPARENCY_REQUIRED).",
            "The handshake is in clear. Whether the CA is one that browsers trust is concluded from the policy. It is the cause only when the client refused.",
            "Have the certificate issued again with embedded timestamps (every public CA does so unless told not to).",
            "  openssl x509 -in server.pem -noout -ext ct_precert_scts",
            "RFC 6962, section 3.3; RFC 9162",
        ),
        no_sct,
    ),
    new(
        "wildcard-cert",
        Severity::Info,
        0,
        "The server's certificate is good for a whole domain",
        page(
            "An alternative name of the certificate is a wildcard.",
            "Whoever has its key can stand for every host of the domain, and a failed renewal stops all of them at once.",
            CLEAR,
            "Where hosts are run by different people, issue one certificate for each.",
            "  openssl x509 -in server.pem -noout -ext subjectAltName",
            "RFC 9525, section 6.3; RFC 6125, section 7.2",
        ),
        wildcard,
    ),
    new(
        "san-too-many",
        Severity::Info,
        0,
        "The server's certificate has very many names",
        page(
            "The certificate has more than 100 alternative names.",
            "It makes every handshake larger, shows who shares the server, and one name that fails validation blocks the renewal of all.",
            CLEAR,
            "Split it into several certificates; the server chooses by SNI.",
            "  openssl x509 -in server.pem -noout -ext subjectAltName",
            "RFC 5280, section 4.2.1.6",
        ),
        many_names,
    ),
    new(
        "san-has-ip-as-dns",
        Severity::Warning,
        55,
        "An address stands in the server's certificate as if it were a host name",
        page(
            "An alternative name of the type DNS is an IP address.",
            "A client that calls the address looks for names of the type IP and finds none: Go says \"cannot validate certificate for … because it doesn't contain any IP SANs\", Java \"No subject alternative names matching IP address … found\". curl and OpenSSL refuse it too.",
            "Read from the certificate in clear. It is the cause only when the client called that address and refused.",
            "Issue the certificate with the address as an address: subjectAltName=IP:192.0.2.1 (not DNS:192.0.2.1).",
            "  openssl x509 -in server.pem -noout -ext subjectAltName",
            "RFC 5280, section 4.2.1.6; RFC 9525, section 6.2",
        ),
        ip_as_dns,
    ),
];

/// A fault of the certificate's form: likely the reason for a refusal with an alert about certificates.
fn of_form(f: &FlowFacts, detail: String, remedy: &str) -> Hit {
    judged(f, Role::Server, Fault::Usage, on_cert(f, Hit::new(detail, remedy)))
}

fn is_ca(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    if c.basic_constraints.is_none_or(|(ca, _)| !ca) {
        return None;
    }
    let detail = format!("The server's own certificate is {}, with basic constraints CA:TRUE.", words::cert(c));
    let hit = of_form(f, detail, "On the server: use a certificate with CA:FALSE, and keep the CA's key elsewhere.");
    // That it vouches for itself explains more.
    Some(if relations(f)?.self_signed { hit.beside().severity(Severity::Warning) } else { hit })
}

fn negative_serial(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f).filter(|c| c.serial_is_negative())?;
    let detail =
        format!("The serial number of {} is {} (hexadecimal), which reads as negative.", words::cert(c), c.serial);
    Some(of_form(f, detail, "Have the certificate issued again with a positive serial number."))
}

fn zero_serial(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f).filter(|c| !c.serial.is_empty() && c.serial.bytes().all(|b| b == b'0'))?;
    let detail = format!("The serial number of {} is 0.", words::cert(c));
    Some(on_cert(f, Hit::new(detail, "Have the certificate issued again with a random serial number.")))
}

fn long_serial(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    // Two digits a byte; one that was cut ends in another character.
    let digits = c.serial.bytes().filter(u8::is_ascii_hexdigit).count();
    if digits <= SERIAL_BYTES.saturating_mul(2) {
        return None;
    }
    let detail = format!("The serial number of {} has {} bytes or more; 20 are allowed.", words::cert(c), digits / 2);
    Some(on_cert(f, Hit::new(detail, "Have the certificate issued again with a serial number of at most 20 bytes.")))
}

fn exponent(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let e = c.key.rsa_exponent.filter(|e| *e < 65_537)?;
    let detail = format!("The RSA key of {} has the public exponent {e}.", words::cert(c));
    Some(of_form(f, detail, "On the server: make a key with the exponent 65537 and have a certificate issued for it."))
}

/// The client does not offer any of the schemes that the certificate's key can sign with.
fn not_offered(f: &FlowFacts, schemes: &[SignatureScheme], key: &str, remedy: &str) -> Option<Hit> {
    let c = own(f)?;
    let hello = f.client_hello.as_ref()?;
    let offered = &hello.message.extensions.signature_schemes;
    if offered.is_empty() || schemes.iter().any(|s| offered.contains(&s.0)) {
        return None;
    }
    let mut detail = format!(
        "The key of {} is {key}; the client accepts the signatures {}.",
        words::cert(c),
        words::schemes(offered)
    );
    let hit = |detail| on_cert(f, Hit::new(detail, remedy)).at(hello.mark);
    let refused =
        of_server(f).and_then(|r| Some((r, r.alert.filter(|a| matches!(a.0, 40 | 42 | 43 | 46 | 47 | 51 | 80))?)));
    Some(match refused {
        Some((r, alert)) => {
            detail.push(' ');
            detail.push_str(&words::alert_sentence(r.role, alert, r.mark));
            hit(detail).at(r.mark).severity(Severity::Error).likely()
        }
        None => hit(detail).beside(),
    })
}

fn pss(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    own(f).filter(|c| c.key.algorithm == KeyAlgorithm::RsaPss)?;
    let schemes =
        [SignatureScheme::RSA_PSS_PSS_SHA256, SignatureScheme::RSA_PSS_PSS_SHA384, SignatureScheme::RSA_PSS_PSS_SHA512];
    not_offered(f, &schemes, "for RSA-PSS only", "On the server: use an ordinary RSA key or an EC one.")
}

fn ed25519(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    own(f).filter(|c| c.key.algorithm == KeyAlgorithm::Ed25519)?;
    let remedy = "On the server: add a certificate with a P-256 or RSA key; or update the client.";
    not_offered(f, &[SignatureScheme::ED25519], "Ed25519", remedy)
}

fn lifetime(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f).filter(|c| c.is_public)?;
    let (from, to) = (c.not_before?, c.not_after?);
    let (_, days) = LIFETIMES.iter().find(|(since, _)| from >= *since)?;
    let secs = to.saturating_sub(from);
    if secs <= days.saturating_mul(86_400) {
        return None;
    }
    let lives = secs / 86_400;
    let detail = format!(
        "{} is valid from {} to {}, {lives} days; public CAs issued for {days} at most then.",
        words::cert(c),
        words::date(from),
        words::date(to)
    );
    Some(of_form(f, detail, "Have a certificate with a shorter life issued, and renew it by machine."))
}

fn no_sct(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f).filter(|c| c.is_public && c.scts() == 0)?;
    let hello = f.server_hello.as_ref()?;
    let shown = hello.message.extensions.has(ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP);
    if shown || !matches!(f.stapled(), Seen::No) {
        return None;
    }
    let detail = format!("{} has no signed certificate timestamps, and the handshake carries none.", words::cert(c));
    Some(of_form(f, detail, "Have the certificate issued again with embedded timestamps."))
}

fn wildcard(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let wild: Vec<String> = c
        .subject_alt_names
        .iter()
        .filter(|s| matches!(s, San::Dns(n) if n.starts_with("*.")))
        .map(ToString::to_string)
        .collect();
    if wild.is_empty() {
        return None;
    }
    let detail = format!("{} is good for {}.", words::cert(c), words::list(&wild));
    Some(on_cert(f, Hit::new(detail, "Where hosts are run by different people, issue one certificate for each.")))
}

fn many_names(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let n = c.subject_alt_names.len();
    if n <= NAMES {
        return None;
    }
    let detail = format!("{} has {n} alternative names.", words::cert(c));
    Some(on_cert(f, Hit::new(detail, "Split it into several certificates; the server chooses by SNI.")))
}

fn ip_as_dns(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let address = |s: &San| match s {
        San::Dns(n) => n.parse::<IpAddr>().ok(),
        _ => None,
    };
    let wrong: Vec<IpAddr> = c.subject_alt_names.iter().filter_map(address).collect();
    let first = wrong.first()?;
    let detail = format!("The certificate {} has {} as a DNS name: {}.", words::cert(c), first, words::sans(c));
    let remedy = format!("Issue the certificate with subjectAltName=IP:{first}.");
    let called = f.server_name().is_none() && wrong.contains(&f.end(Role::Server).ip);
    let right = c.subject_alt_names.iter().any(|s| matches!(s, San::Ip(a) if *a == f.end(Role::Server).ip));
    let hit = judged(f, Role::Server, Fault::Name, on_cert(f, Hit::new(detail, remedy)));
    Some(if called && !right { hit } else { hit.beside().severity(Severity::Warning) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, alert, ca, established, find, leaf, server_flight, told};
    use crate::diagnose::Severity;
    use crate::span::Side;
    use crate::x509::{Certificate, KeyAlgorithm, PublicKey, San, SctList};

    fn found(c: Certificate, code: &str) -> bool {
        find(&established(server_flight(vec![c])), code)
            .is_some_and(|x| x.severity < Severity::Error && !x.explains_failure)
    }

    fn key(algorithm: KeyAlgorithm, rsa_exponent: Option<u64>) -> Certificate {
        Certificate { key: PublicKey { algorithm, bits: Some(2048), rsa_exponent }, ..leaf() }
    }

    #[test]
    fn fields_that_are_odd() {
        let names = |n: usize, name: &str| Certificate { subject_alt_names: vec![San::Dns(name.into()); n], ..leaf() };
        for (code, c) in [
            ("server-cert-is-ca", Certificate { basic_constraints: Some((true, None)), ..leaf() }),
            ("negative-serial", Certificate { serial: "80".into(), ..leaf() }),
            ("serial-zero", Certificate { serial: "00".into(), ..leaf() }),
            ("serial-too-long", Certificate { serial: "01".repeat(21), ..leaf() }),
            ("rsa-exponent-small", key(KeyAlgorithm::Rsa, Some(3))),
            ("rsa-pss-key-unsupported", key(KeyAlgorithm::RsaPss, Some(65_537))),
            ("ed25519-unsupported-by-client", key(KeyAlgorithm::Ed25519, None)),
            ("validity-too-long", Certificate { is_public: true, ..leaf() }),
            ("cert-has-no-sct", Certificate { is_public: true, ..leaf() }),
            ("wildcard-cert", names(1, "*.tls-server.local")),
            ("san-too-many", names(101, "tls-server.local")),
            ("san-has-ip-as-dns", names(1, "192.0.2.2")),
        ] {
            assert!(found(c, code), "{code}");
            assert!(!found(leaf(), code), "{code}");
        }
        assert!(!found(Certificate { serial: "0080".into(), ..leaf() }, "negative-serial"));
        assert!(!found(Certificate { serial: "01".repeat(20), ..leaf() }, "serial-too-long"));
        assert!(!found(
            Certificate { is_public: true, sct_list: Some(SctList { count: 2, ..SctList::default() }), ..leaf() },
            "cert-has-no-sct"
        ));
    }

    #[test]
    fn lifetimes_by_the_day_of_issue() {
        let public = |from: i64, secs: i64| Certificate {
            is_public: true,
            not_before: Some(from),
            not_after: Some(from + secs),
            ..leaf()
        };
        // Issued 2025-12-22, 10 days before the flow: 398 days, counted with their last second.
        let from = NOW - 10 * 86_400;
        assert!(!found(public(from, 398 * 86_400 - 1), "validity-too-long"));
        assert!(!found(public(from, 398 * 86_400), "validity-too-long"));
        assert!(found(public(from, 398 * 86_400 + 1), "validity-too-long"));
        // Issued 2017-01-01: there was no such limit.
        assert!(!found(public(1_483_228_800, 3000 * 86_400), "validity-too-long"));
    }

    #[test]
    fn what_explains_a_refusal() {
        let refused = |c: Certificate, a| told(&alert(server_flight(vec![c]), Side::A, a)).cause;
        assert_eq!(refused(key(KeyAlgorithm::Ed25519, None), 47), Some("ed25519-unsupported-by-client"));
        assert_eq!(refused(key(KeyAlgorithm::RsaPss, None), 43), Some("rsa-pss-key-unsupported"));
        assert_eq!(refused(Certificate { serial: "ff".into(), ..leaf() }, 42), Some("negative-serial"));
        // A certificate that vouches for itself is refused for that.
        let own = Certificate { issuer: "CN=tls-server.local".into(), ..ca(9, "tls-server.local", "tls-server.local") };
        assert_eq!(
            refused(Certificate { subject_alt_names: leaf().subject_alt_names, ..own }, 46),
            Some("server-cert-self-signed")
        );
        let mut f =
            server_flight(vec![Certificate { subject_alt_names: vec![San::Dns("192.0.2.2".into())], ..leaf() }]);
        f.client_hello.as_mut().expect("there").message.extensions.server_name = None;
        assert_eq!(told(&alert(f, Side::A, 42)).cause, Some("san-has-ip-as-dns"));
    }
}

//! The server refuses the ClientHello: nothing in common, or no such name.

use super::refusal::{hello_refused, refusal};
use super::{Blame, Hit, Policy, Rule, Severity, guide, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::span::Role;
use crate::text;
use crate::tls::handshake::ClientHello;
use crate::tls::names::Authentication;
use crate::tls::names::{self, AlertDescription, AlertLevel, CipherSuite, SignatureScheme};

const SUITES: &str = "  openssl s_client -connect HOST:PORT -servername NAME -tls1_3 -ciphersuites SUITE </dev/null\n  openssl s_client -connect HOST:PORT -servername NAME -tls1_2 -cipher SUITE </dev/null";

pub(super) const RULES: &[Rule] = &[
    guide(
        1,
        new(
            "handshake-failure-ambiguous",
            Severity::Error,
            30,
            "The server found nothing acceptable in the ClientHello",
            page(
                "The server answered the ClientHello with handshake_failure (or insufficient_security), and the ClientHello alone does not show what was missing.",
                "Cipher suites, groups, signature schemes and the type of the server's certificate all end in this one alert. OpenSSL's server says which: \"no shared cipher\", \"no suitable key share\", \"no suitable signature algorithm\".",
                "That the server refused the ClientHello is certain. The candidates are ranked by how unusual the client's offer is.",
                "Look at the server's log. Compare the client's offer with that of a client that works, and align the lists: nginx ssl_ciphers, ssl_conf_command Ciphersuites, ssl_ecdh_curve; OpenSSL -cipher, -ciphersuites, -groups, -sigalgs; curl --ciphers, --tls13-ciphers, --curves.",
                SUITES,
                "RFC 8446, sections 4.1.1 and 6.2; RFC 5246, section 7.4.1.3",
            ),
            ambiguous,
        ),
    ),
    guide(
        1,
        new(
            "cipher-mismatch",
            Severity::Error,
            42,
            "The client and the server share no cipher suite",
            page(
                "The server answered the ClientHello with handshake_failure, and the client's list of cipher suites is so narrow that it is the likely reason.",
                "Somebody restricted the list on one side (curl --ciphers, --tls13-ciphers; a hardened server; FIPS mode) to what the other does not have, or the suites need another type of certificate (ECDSA or RSA) than the server has.",
                "Likely: the server's own list is not on the wire.",
                "Offer the suites that the server has, or enable one of the client's on the server: nginx ssl_ciphers (TLS 1.2) and ssl_conf_command Ciphersuites (TLS 1.3), Apache SSLCipherSuite, Java jdk.tls.disabledAlgorithms.",
                SUITES,
                "RFC 8446, section 4.1.1; RFC 5246, section 7.4.1.3",
            ),
            cipher,
        ),
    ),
    guide(
        1,
        new(
            "cert-type-cipher-mismatch",
            Severity::Error,
            43,
            "The client's cipher suites need an ECDSA certificate, which the server seems not to have",
            page(
                "The server answered the ClientHello with handshake_failure, and all cipher suites of the client are for ECDSA certificates.",
                "In TLS 1.2 the suite names the type of the server's certificate (ECDHE-ECDSA or ECDHE-RSA). A server with an RSA certificate has no use for any of these suites.",
                "Likely: the server's certificate was not sent. The server may also have other ECDSA suites only.",
                "Offer the ECDHE-RSA suites too, give the server a second certificate with an ECDSA key (nginx and Apache take several ssl_certificate lines), or use TLS 1.3, whose suites leave the type open.",
                "  openssl s_client -connect HOST:PORT -servername NAME -tls1_2 -cipher aECDSA </dev/null\n  openssl s_client -connect HOST:PORT -servername NAME -tls1_2 -cipher aRSA </dev/null",
                "RFC 8422, section 2; RFC 5246, section 7.4.2",
            ),
            cert_type,
        ),
    ),
    new(
        "no-shared-group",
        Severity::Error,
        42,
        "The client and the server share no group for the key exchange",
        page(
            "The server answered the ClientHello with handshake_failure, and the client's list of groups is so narrow that it is the likely reason.",
            "The groups were restricted on one side (curl --curves, openssl -groups, nginx ssl_ecdh_curve).",
            "Likely: the server's own list is not on the wire.",
            "Enable X25519 and P-256 on both sides (openssl -groups X25519:P-256, curl --curves X25519:P-256, nginx ssl_ecdh_curve X25519:prime256v1).",
            "  openssl s_client -connect HOST:PORT -servername NAME -groups X25519 </dev/null",
            "RFC 8446, sections 4.1.1 and 4.2.7",
        ),
        group,
    ),
    new(
        "no-shared-sigalg",
        Severity::Error,
        42,
        "The client accepts no signature that the server's certificate can make",
        page(
            "The server answered the ClientHello with handshake_failure, and the client's list of signature schemes lacks a whole type of key (RSA or ECDSA).",
            "The server has a certificate of the other type only. OpenSSL's server says \"no suitable signature algorithm\".",
            "Likely: the server's certificate was not sent.",
            "Allow the type on the client (openssl -sigalgs, Java jdk.tls.client.SignatureSchemes) or give the server a second certificate of the type that the client takes.",
            "  openssl s_client -connect HOST:PORT -servername NAME -sigalgs RSA-PSS+SHA256 </dev/null",
            "RFC 8446, section 4.2.3",
        ),
        sigalg,
    ),
    new(
        "unrecognized-name",
        Severity::Error,
        50,
        "The server has no service for the name the client asked for",
        page(
            "The server sent unrecognized_name.",
            "No virtual host has the name in the client's SNI: a typing error, a name that was not set up on the server or its load balancer, or a name that is sent with a port or as an address. As a warning the server goes on with its default certificate.",
            "Certain: the alert in clear has no other meaning.",
            "Set up a virtual host and a certificate for the name, or call the server by a name it has. Clients can set it: curl --resolve, openssl s_client -servername.",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null",
            "RFC 6066, section 3",
        ),
        unrecognized,
    ),
    new(
        "alpn-mismatch",
        Severity::Error,
        50,
        "The client and the server share no application protocol",
        page(
            "The server sent no_application_protocol.",
            "Both sides have lists of ALPN protocols and nothing in common: h2 against http/1.1, a mesh (istio, istio-peer-exchange) against a plain client, acme-tls/1.",
            "Certain: the alert in clear has no other meaning.",
            "Align the lists: curl --http1.1 or --http2, nginx http2 on, Envoy alpn_protocols, Java SSLParameters.setApplicationProtocols, gRPC needs h2.",
            "  openssl s_client -connect HOST:PORT -servername NAME -alpn h2,http/1.1 </dev/null",
            "RFC 7301, section 3.2",
        ),
        alpn,
    ),
    new(
        "insufficient-security",
        Severity::Error,
        43,
        "A peer found the other's offer too weak",
        page(
            "The alert insufficient_security.",
            "The policy of the side that sent it (security level, FIPS, minimal key size) forbids all that the other offers.",
            "Certain as to the alert; which parameter is too weak stands in that side's log.",
            "Enable stronger cipher suites and groups on the other side; for a test lower the level (OpenSSL: DEFAULT@SECLEVEL=1).",
            SUITES,
            "RFC 8446, section 6.2",
        ),
        insufficient,
    ),
    new(
        "inappropriate-fallback",
        Severity::Error,
        50,
        "The server refused a needless fallback to an older version",
        page(
            "The ClientHello carries TLS_FALLBACK_SCSV, and the server answered inappropriate_fallback.",
            "The client failed once with a newer version (a lost connection is enough), retried with an older one, and the server supports better. Or somebody forces the downgrade.",
            "Certain: the alert in clear has no other meaning.",
            "Find out why the first attempt failed. Take the fallback out of the client (openssl s_client -fallback_scsv is for tests only).",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null",
            "RFC 7507",
        ),
        fallback,
    ),
    new(
        "missing-extension",
        Severity::Error,
        43,
        "A hello lacks an extension that it must carry",
        page(
            "The alert missing_extension.",
            "A TLS 1.3 ClientHello without supported_groups, signature_algorithms or key_share, or without server_name where the server requires it: an unusual TLS stack, or a device that rewrites the hello.",
            "Certain as to the alert.",
            "Update the TLS library of the side that sent the hello; set the server name on the client; take rewriting devices out of the way.",
            "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null",
            "RFC 8446, sections 6.2 and 9.2",
        ),
        missing_extension,
    ),
    new(
        "unsupported-extension",
        Severity::Error,
        43,
        "A message carries an extension that must not be there",
        page(
            "The alert unsupported_extension.",
            "Mostly a server that answered with an extension the client had not offered: a bug, or a device in between that changed the ClientHello.",
            "Certain as to the alert.",
            "Update the TLS library of the side that sent the message; capture on both sides of middleboxes and compare the ClientHello.",
            "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null",
            "RFC 8446, sections 4.2 and 6.2",
        ),
        unsupported_extension,
    ),
];

/// A server's refusal of the ClientHello that names no reason.
fn unnamed(f: &FlowFacts) -> Option<(&ClientHello, AlertDescription, Mark)> {
    let d = [AlertDescription::HANDSHAKE_FAILURE, AlertDescription::INSUFFICIENT_SECURITY];
    let (d, mark) = d.iter().find_map(|d| Some((*d, hello_refused(f, *d)?)))?;
    // After a HelloRetryRequest suites and groups are agreed upon.
    if f.hello_retry.is_some() {
        return None;
    }
    Some((&f.client_hello.as_ref()?.message, d, mark))
}

/// What makes a ClientHello narrow. Each holds of no client that was left as it came.
#[derive(Default)]
struct Narrow {
    suites: bool,
    ecdsa_only: bool,
    rsa_only: bool,
    groups: bool,
    schemes: bool,
}

impl Narrow {
    fn of(h: &ClientHello) -> Self {
        let suites: Vec<CipherSuite> = h
            .cipher_suites
            .iter()
            .copied()
            .filter(|s| !names::is_grease(*s))
            .map(CipherSuite)
            .filter(|s| !s.is_signal())
            .collect();
        let auth: Vec<Authentication> = suites.iter().filter_map(|s| s.attributes()).map(|a| a.auth).collect();
        let all = |a| !auth.is_empty() && auth.iter().all(|x| *x == a);
        let e = &h.extensions;
        let groups: Vec<u16> = e.groups.iter().copied().filter(|g| !names::is_grease(*g)).collect();
        let schemes: Vec<u16> = e.signature_schemes.iter().copied().filter(|g| !names::is_grease(*g)).collect();
        let rsa = |s: &u16| SignatureScheme(*s).is_rsa();
        let ecdsa = |s: &u16| SignatureScheme(*s).is_ecdsa();
        Self {
            suites: suites.len() <= 2,
            ecdsa_only: all(Authentication::Ecdsa),
            rsa_only: all(Authentication::Rsa),
            groups: !groups.is_empty() && !groups.iter().any(|g| matches!(g, 0x0017 | 0x001d)),
            schemes: !schemes.is_empty() && (!schemes.iter().any(rsa) || !schemes.iter().any(ecdsa)),
        }
    }

    /// How many kinds of narrowness there are.
    fn kinds(&self) -> usize {
        [self.suites, self.groups, self.schemes].iter().filter(|b| **b).count()
    }
}

fn refused(mark: Mark, d: AlertDescription) -> String {
    words::alert_sentence(Role::Server, d, mark)
}

fn ambiguous(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, d, mark) = unnamed(f)?;
    let n = Narrow::of(h);
    let e = &h.extensions;
    let mut ranked: Vec<(bool, String)> = vec![
        (n.suites || n.ecdsa_only, format!("cipher suites (the client offers {})", words::suites(&h.cipher_suites))),
        (n.groups, format!("groups (the client offers {})", words::groups(&e.groups))),
        (
            n.schemes,
            format!(
                "signature schemes against the type of the server's certificate (the client accepts {})",
                words::schemes(&e.signature_schemes)
            ),
        ),
        (false, format!("versions (the client offers {})", words::offered_versions(h))),
    ];
    if f.server_name().is_none() {
        ranked.insert(3, (false, "the missing server name (some servers refuse a client without SNI)".to_owned()));
    }
    ranked.sort_by_key(|(narrow, _)| !narrow);
    let list: Vec<String> = ranked.iter().zip(1..).map(|((_, s), n)| format!("{n}. {s}")).collect();
    let detail = format!("{} Candidates, the most likely first: {}.", refused(mark, d), list.join("; "));
    let remedy = "Look at the server's log: it names what it missed (OpenSSL: \"no shared cipher\", \"no suitable key share\", \"no suitable signature algorithm\"). Align that list on both sides; compare with a client that works.";
    Some(at_hello(f, Hit::new(detail, remedy), mark).likely())
}

fn at_hello(f: &FlowFacts, hit: Hit, mark: Mark) -> Hit {
    hit.at_any(f.client_hello.as_ref().map(|h| h.mark)).at(mark).blame(Blame::Either)
}

fn cipher(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, d, mark) = unnamed(f)?;
    let n = Narrow::of(h);
    if !n.suites || n.kinds() != 1 || n.ecdsa_only {
        return None;
    }
    let kind = if n.rsa_only {
        " All of them need an RSA certificate: a server that has an ECDSA one only cannot use them."
    } else {
        ""
    };
    let detail = format!(
        "The client offers no cipher suite but {}.{kind} {}",
        words::suites(&h.cipher_suites),
        refused(mark, d)
    );
    let remedy = "On the client: offer more cipher suites (curl: leave out --ciphers and --tls13-ciphers; openssl: -cipher, -ciphersuites). On the server: enable one of those the client offers (nginx: ssl_ciphers, for TLS 1.3 ssl_conf_command Ciphersuites).";
    Some(at_hello(f, Hit::new(detail, remedy), mark).likely())
}

fn cert_type(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, d, mark) = unnamed(f)?;
    let n = Narrow::of(h);
    if !n.ecdsa_only || n.groups {
        return None;
    }
    let detail = format!(
        "All cipher suites of the client need an ECDSA certificate: {}. {}",
        words::suites(&h.cipher_suites),
        refused(mark, d)
    );
    let remedy = "On the client: offer the ECDHE-RSA suites too, or TLS 1.3. On the server: add a certificate with an ECDSA key, or enable one of the suites the client offers.";
    Some(at_hello(f, Hit::new(detail, remedy), mark).likely())
}

fn group(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, d, mark) = unnamed(f)?;
    let n = Narrow::of(h);
    if !n.groups || n.kinds() != 1 {
        return None;
    }
    let detail = format!(
        "The client offers only the groups {}, neither x25519 nor secp256r1. {}",
        words::groups(&h.extensions.groups),
        refused(mark, d)
    );
    let remedy = "On the client: offer x25519 and secp256r1 too (curl: --curves, openssl: -groups X25519:P-256). On the server: enable the client's group (nginx: ssl_ecdh_curve; openssl: -groups).";
    Some(at_hello(f, Hit::new(detail, remedy), mark).likely())
}

fn sigalg(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, d, mark) = unnamed(f)?;
    let n = Narrow::of(h);
    if !n.schemes || n.kinds() != 1 {
        return None;
    }
    let detail = format!(
        "The client accepts only the signature schemes {}. {}",
        words::schemes(&h.extensions.signature_schemes),
        refused(mark, d)
    );
    let remedy = "On the client: accept the signatures of the server's kind of key (openssl: -sigalgs; Java: jdk.tls.client.SignatureSchemes). On the server: add a certificate of the type that the client accepts.";
    Some(at_hello(f, Hit::new(detail, remedy), mark).likely())
}

fn unrecognized(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (level, _, mark) = f.alerts_of(Role::Server).find(|(_, d, _)| *d == AlertDescription::UNRECOGNIZED_NAME)?;
    let name = words::server_name(f).map_or_else(|| "no name at all".to_owned(), |n| format!("the name {n}"));
    let said = words::alert_sentence(Role::Server, AlertDescription::UNRECOGNIZED_NAME, mark);
    let remedy = format!(
        "On the server: add a virtual host and certificate for it. On the client: ask for a name that {} serves.",
        words::end(f.end(Role::Server))
    );
    let hit = Hit::new(format!("The client asked for {name} (SNI). {said}"), remedy)
        .at_any(f.client_hello.as_ref().map(|h| h.mark))
        .at(mark)
        .blame(Blame::Either);
    let Some(r) = refusal(f) else { return Some(hit.severity(Severity::Warning).beside()) };
    if r.alert == Some(AlertDescription::UNRECOGNIZED_NAME) {
        return Some(hit);
    }
    // A warning: the server went on. A client (old Java) that then left may have taken it for an error.
    let left = level == AlertLevel::WARNING
        && r.role == Role::Client
        && r.alert.is_none_or(|a| a == AlertDescription::UNEXPECTED_MESSAGE);
    Some(if left { hit.likely().at(r.mark) } else { hit.severity(Severity::Warning).beside() })
}

fn alpn(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = refusal(f).filter(|r| r.alert == Some(AlertDescription::NO_APPLICATION_PROTOCOL))?;
    let offered =
        f.client_hello.as_ref().map_or_else(|| "unknown".to_owned(), |h| words::alpn(&h.message.extensions.alpn));
    let detail = format!(
        "The client offers the application protocols {offered}. {}",
        words::alert_sentence(r.role, AlertDescription::NO_APPLICATION_PROTOCOL, r.mark)
    );
    let remedy = "On the client: offer a protocol that the server has (curl --http1.1 or --http2; openssl s_client -alpn h2,http/1.1). On the server: enable one of those the client offers (nginx: http2 on; Envoy: alpn_protocols).";
    Some(at_hello(f, Hit::new(detail, remedy), r.mark))
}

fn insufficient(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::INSUFFICIENT_SECURITY;
    let r = refusal(f).filter(|r| r.alert == Some(d))?;
    let h = &f.client_hello.as_ref()?.message;
    let detail = format!(
        "{} The client offers {} with {}.",
        words::alert_sentence(r.role, d, r.mark),
        words::offered_versions(h),
        words::suites(&h.cipher_suites)
    );
    let remedy = format!(
        "On the {}: enable stronger cipher suites, groups and keys. What was too weak stands in the {}'s log.",
        r.role.other(),
        r.role
    );
    Some(at_hello(f, Hit::new(detail, remedy), r.mark).blame(Blame::from(r.role.other())))
}

fn fallback(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::INAPPROPRIATE_FALLBACK;
    let r = refusal(f).filter(|r| r.alert == Some(d))?;
    let h = &f.client_hello.as_ref()?.message;
    let scsv = if h.cipher_suites.contains(&CipherSuite::TLS_FALLBACK_SCSV.0) {
        " and carries TLS_FALLBACK_SCSV (0x5600), which says that it is a retry"
    } else {
        ""
    };
    let detail = format!(
        "The ClientHello offers {}{scsv}. {}",
        words::offered_versions(h),
        words::alert_sentence(r.role, d, r.mark)
    );
    let remedy = "On the client: do not retry with a lower version; find out why its first attempt, with the higher one, failed.";
    Some(at_hello(f, Hit::new(detail, remedy), r.mark).blame(Blame::Client))
}

/// Extension types of the hello that an alert answers, by name.
fn extensions(f: &FlowFacts, refuser: Role) -> String {
    let types = match refuser {
        Role::Server => f.client_hello.as_ref().map(|h| &h.message.extensions.types),
        Role::Client => f.server_hello.as_ref().map(|h| &h.message.extensions.types),
    };
    let Some(types) = types else { return String::new() };
    let all: Vec<String> = types
        .iter()
        .filter(|t| !names::is_grease(**t))
        .map(|t| names::ExtensionType(*t))
        .map(|t| t.name().map_or_else(|| t.id(), str::to_owned))
        .collect();
    let whole = all.join(", ");
    format!(
        " The {}'s hello has these extensions: {}.",
        refuser.other(),
        if whole.is_empty() { "none" } else { whole.as_str() }
    )
}

fn missing_extension(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::MISSING_EXTENSION;
    let r = refusal(f).filter(|r| r.alert == Some(d))?;
    let named = f.server_name().map_or_else(
        || " It asks for no server name.".to_owned(),
        |n| format!(" It asks for \"{}\".", text::escape_bytes(n)),
    );
    let named = if r.role == Role::Server { named } else { String::new() };
    let detail = format!("{}{}{named}", words::alert_sentence(r.role, d, r.mark), extensions(f, r.role));
    let remedy = format!(
        "On the {}: update its TLS library, and look for a device that takes extensions out. If the client sends no server name, set it.",
        r.role.other()
    );
    Some(at_hello(f, Hit::new(detail, remedy), r.mark).blame(Blame::from(r.role.other())))
}

fn unsupported_extension(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::UNSUPPORTED_EXTENSION;
    let r = refusal(f).filter(|r| r.alert == Some(d))?;
    let detail = format!("{}{}", words::alert_sentence(r.role, d, r.mark), extensions(f, r.role));
    let remedy = format!(
        "On the {}: update its TLS library; look for a device between that changes the hellos.",
        r.role.other()
    );
    Some(at_hello(f, Hit::new(detail, remedy), r.mark).blame(Blame::from(r.role.other())))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, hello, leaf, server_flight, told};
    use crate::facts::FlowFacts;
    use crate::span::Side;

    fn with(change: impl FnOnce(&mut super::ClientHello)) -> FlowFacts {
        let mut f = hello();
        change(&mut f.client_hello.as_mut().expect("there").message);
        f
    }

    #[test]
    fn an_ordinary_hello_leaves_it_open() {
        let d = told(&alert(hello(), Side::B, 40));
        assert_eq!(d.cause, Some("handshake-failure-ambiguous"));
        assert!(d.findings[0].detail.contains("1. cipher suites"), "{}", d.findings[0].detail);
        assert!(d.findings.iter().all(|x| x.code != "alert-handshake-failure"));
    }

    #[test]
    fn what_is_narrow_is_likely() {
        for (f, code) in [
            (with(|h| h.cipher_suites = vec![0x1303, 0x00ff]), "cipher-mismatch"),
            (with(|h| h.cipher_suites = vec![0xc02b, 0xc02c, 0xcca9, 0x00ff]), "cert-type-cipher-mismatch"),
            (with(|h| h.extensions.groups = vec![0x0018]), "no-shared-group"),
            (with(|h| h.extensions.signature_schemes = vec![0x0403]), "no-shared-sigalg"),
        ] {
            assert_eq!(told(&alert(f, Side::B, 40)).cause, Some(code));
            assert!(find(&alert(hello(), Side::B, 40), code).is_none());
        }
        let two = with(|h| {
            h.cipher_suites = vec![0x1303];
            h.extensions.groups = vec![0x0018];
        });
        assert_eq!(told(&alert(two, Side::B, 40)).cause, Some("handshake-failure-ambiguous"));
    }

    #[test]
    fn a_handshake_failure_later_is_another_matter() {
        let f = alert(server_flight(vec![leaf()]), Side::B, 40);
        assert!(find(&f, "handshake-failure-ambiguous").is_none());
        assert_eq!(told(&f).cause, Some("alert-handshake-failure"));
    }

    #[test]
    fn alerts_with_one_meaning() {
        for (a, code) in [
            (112, "unrecognized-name"),
            (120, "alpn-mismatch"),
            (71, "insufficient-security"),
            (86, "inappropriate-fallback"),
            (109, "missing-extension"),
            (110, "unsupported-extension"),
        ] {
            assert_eq!(told(&alert(hello(), Side::B, a)).cause, Some(code), "{a}");
            assert!(find(&established(server_flight(vec![leaf()])), code).is_none());
        }
    }
}

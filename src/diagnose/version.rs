//! Versions: none in common, obsolete ones, downgrades.

use super::refusal::{Stage, hello_refused, refusal, stage};
use super::{Blame, Hit, Policy, Rule, Severity, guide, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Role;
use crate::tls::names::{AlertDescription, ProtocolVersion};

const TRY: &str = "  openssl s_client -connect HOST:PORT -servername NAME -tls1_3 </dev/null\n  openssl s_client -connect HOST:PORT -servername NAME -tls1_2 </dev/null";

pub(super) const RULES: &[Rule] = &[
    guide(
        1,
        new(
            "version-mismatch",
            Severity::Error,
            55,
            "The client and the server share no TLS version",
            page(
                "One side answered the other's hello with the alert protocol_version.",
                "The ranges of versions do not meet: a server set to TLS 1.3 only and a client capped at 1.2 (curl --tls-max 1.2, an old Java, OpenSSL 1.0), or a client that insists on 1.2 or 1.3 and an old server. OpenSSL says \"tlsv1 alert protocol version\" or \"unsupported protocol\".",
                "Certain: the alert in clear has no other meaning.",
                "Enable a common version. nginx: ssl_protocols TLSv1.2 TLSv1.3; Apache: SSLProtocol; Java: jdk.tls.client.protocols, jdk.tls.disabledAlgorithms; OpenSSL: MinProtocol/MaxProtocol in openssl.cnf; curl: --tlsv1.2, --tls-max. Raise the older side rather than lowering the newer.",
                TRY,
                "RFC 8446, sections 4.2.1 and 6.2; RFC 5246, appendix E.1",
            ),
            mismatch,
        ),
    ),
    new(
        "sslv2-negotiated",
        Severity::Error,
        0,
        "SSL 2.0 was negotiated",
        page(
            "The server answered with an SSL 2.0 SERVER-HELLO.",
            "SSL 2.0 is broken in every respect; a server that speaks it endangers its TLS connections too (DROWN).",
            "Read in clear.",
            "Disable SSL 2.0 and 3.0 on the server, and update its TLS library.",
            TRY,
            "RFC 6176",
        ),
        ssl2,
    ),
    new(
        "sslv3-negotiated",
        Severity::Error,
        0,
        "SSL 3.0 was negotiated",
        page(
            "The ServerHello chose SSL 3.0.",
            "Broken by POODLE and forbidden since 2015.",
            "Read in clear.",
            "Enable TLS 1.2 and 1.3 on both sides and disable SSL 3.0 (nginx: ssl_protocols TLSv1.2 TLSv1.3).",
            TRY,
            "RFC 7568",
        ),
        ssl3,
    ),
    new(
        "tls10-negotiated",
        Severity::Error,
        0,
        "TLS 1.0 was negotiated",
        page(
            "The ServerHello chose TLS 1.0.",
            "Deprecated in 2021; browsers, cloud providers and OpenSSL 3 at its default level refuse it, so that the connection will stop working with the next update.",
            "Read in clear.",
            "Enable TLS 1.2 and 1.3 on the side that lacks them (see the offered versions) and disable 1.0 and 1.1.",
            TRY,
            "RFC 8996; RFC 9325",
        ),
        tls10,
    ),
    new(
        "tls11-negotiated",
        Severity::Error,
        0,
        "TLS 1.1 was negotiated",
        page(
            "The ServerHello chose TLS 1.1.",
            "Deprecated in 2021; browsers, cloud providers and OpenSSL 3 at its default level refuse it.",
            "Read in clear.",
            "Enable TLS 1.2 and 1.3 on the side that lacks them (see the offered versions) and disable 1.0 and 1.1.",
            TRY,
            "RFC 8996; RFC 9325",
        ),
        tls11,
    ),
    new(
        "downgrade-sentinel",
        Severity::Error,
        48,
        "The server signals that the client's offer was lowered on its way",
        page(
            "The last bytes of the server's random are \"DOWNGRD\", which a server writes when it supports a newer version than it was asked for, though the client offered that version.",
            "Something between the two (an inspecting proxy, an attacker) removed the newer version from the ClientHello. A client of today must refuse with illegal_parameter.",
            "Certain: both hellos were read in clear, and eight bytes do not come by chance.",
            "Find the device that changes the handshake (capture on both of its sides and compare the ClientHello) and update or bypass it.",
            TRY,
            "RFC 8446, section 4.1.3",
        ),
        sentinel,
    ),
    new(
        "version-downgraded",
        Severity::Info,
        0,
        "TLS 1.2 was negotiated though the client offered TLS 1.3",
        page(
            "The client offered TLS 1.3, the server chose TLS 1.2 and did not sign the choice as a downgrade.",
            "The server's highest version is TLS 1.2: an old TLS library, a setting, or a load balancer in front. In TLS 1.2 certificates are in clear and a handshake takes one more round trip.",
            "Certain: both hellos were read in clear. A server that supports TLS 1.3 would have written a sentinel into its random; where it did, the finding is downgrade-sentinel. (Older choices have findings of their own.)",
            "Enable TLS 1.3 where TLS ends: nginx ssl_protocols TLSv1.2 TLSv1.3 (with OpenSSL 1.1.1 or later); Apache SSLProtocol -all +TLSv1.2 +TLSv1.3; Envoy tls_maximum_protocol_version: TLSv1_3; Java 11 or later; Kafka ssl.enabled.protocols=TLSv1.2,TLSv1.3.",
            TRY,
            "RFC 8446, sections 4.1.3 and 4.2.1; RFC 9325, section 3.1.1",
        ),
        downgraded,
    ),
];

fn mismatch(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::PROTOCOL_VERSION;
    let r = refusal(f).filter(|r| r.alert == Some(d))?;
    if r.role == Role::Server && hello_refused(f, d).is_none() && stage(f) > Stage::CertFlight {
        return None;
    }
    let h = f.client_hello.as_ref();
    let offered = h.map_or_else(
        || "versions that are not known (its ClientHello was not captured)".to_owned(),
        |h| words::offered_versions(&h.message),
    );
    let said = words::alert_sentence(r.role, d, r.mark);
    let (detail, remedy) = match (r.role, f.version()) {
        (Role::Client, Some(v)) => (
            format!("The client offered {offered}, the server chose {}. {said}", words::version(v)),
            format!("On the server: enable a newer version than {} (nginx: ssl_protocols TLSv1.2 TLSv1.3). On the client: its lowest version is set too high for this server (curl --tlsv1.2, MinProtocol in openssl.cnf).", words::version(v)),
        ),
        _ => (
            format!("The client offers {offered}; the server accepts none of them. {said}"),
            match f.highest_offered().and_then(ProtocolVersion::rank) {
                Some(5) if offered == "TLS 1.3" => "On the server: enable TLS 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3; it needs OpenSSL 1.1.1 or newer). On the client: allow TLS 1.2 too (curl: leave out --tlsv1.3).".to_owned(),
                Some(5) => "On the server: look at the versions it allows (nginx: ssl_protocols; OpenSSL: MinProtocol, MaxProtocol) and at what its TLS library supports.".to_owned(),
                Some(4) => "On the client: allow TLS 1.3 (curl: leave out --tls-max 1.2; update an OpenSSL before 1.1.1 or a Java before 11). On the server: allow TLS 1.2 (nginx: ssl_protocols TLSv1.2 TLSv1.3).".to_owned(),
                _ => "On the client: enable TLS 1.2 and 1.3 (update its TLS library); the versions it offers are obsolete. Do not lower the server's.".to_owned(),
            },
        ),
    };
    let blame = match f.highest_offered().and_then(ProtocolVersion::rank) {
        Some(0..=3) if r.role == Role::Server => Blame::Client,
        _ => Blame::Either,
    };
    Some(Hit::new(detail, remedy).at_any(h.map(|h| h.mark)).at(r.mark).blame(blame))
}

/// The version with this number was negotiated.
fn negotiated(f: &FlowFacts, id: u16) -> Option<Hit> {
    let sh = f.server_hello.as_ref()?;
    if f.version()?.0 != id {
        return None;
    }
    let v = words::version(ProtocolVersion(id));
    let (who, blame) = match f.client_hello.as_ref() {
        Some(h) => {
            let offered = words::offered_versions(&h.message);
            let newer = f.highest_offered().and_then(ProtocolVersion::rank) > ProtocolVersion(id).rank();
            if newer {
                (
                    format!("The client offered {offered}, the server chose {v}: it is the server that is behind."),
                    Blame::Server,
                )
            } else {
                (format!("The client offered {offered}, so that the server could choose nothing newer."), Blame::Client)
            }
        }
        None => (format!("The server chose {v}."), Blame::Either),
    };
    let remedy = match blame {
        Blame::Client => {
            "On the client: enable TLS 1.2 and 1.3, updating its TLS library if it lacks them. Then disable the old versions on the server."
        }
        Blame::Server => {
            "On the server: enable TLS 1.2 and 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3; Apache: SSLProtocol -all +TLSv1.2 +TLSv1.3), updating its TLS library if it lacks them."
        }
        _ => "Enable TLS 1.2 and 1.3 on both sides and disable the older versions.",
    };
    Some(Hit::new(who, remedy).at_any(f.client_hello.as_ref().map(|h| h.mark)).at(sh.mark).blame(blame))
}

fn ssl2(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    negotiated(f, 0x0002)
}

fn ssl3(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    negotiated(f, 0x0300)
}

fn tls10(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    negotiated(f, 0x0301)
}

fn tls11(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    negotiated(f, 0x0302)
}

fn sentinel(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let sh = f.server_hello.as_ref()?;
    let named = sh.message.downgrade_sentinel()?;
    let chosen = f.version()?;
    let offered = f.highest_offered()?;
    // The sentinel means nothing where the client offered no more than what was chosen: the server writes it for others.
    if chosen.is_tls13_or_draft() || offered.rank() <= chosen.rank() || offered.rank() < ProtocolVersion(0x0303).rank()
    {
        return None;
    }
    // "TLS 1.2" stands for a server that supports 1.3; a client that offers 1.2 at most is no victim of it.
    if named == "TLS 1.2" && offered.rank() < ProtocolVersion(0x0304).rank() {
        return None;
    }
    let h = f.client_hello.as_ref()?;
    let detail = format!(
        "The client offered {}, the server chose {} and ended its random with the sentinel for \"this client asked for {named} at most\".",
        words::offered_versions(&h.message),
        words::version(chosen)
    );
    let refused = refusal(f).filter(|r| r.role == Role::Client && r.alert == Some(AlertDescription::ILLEGAL_PARAMETER));
    let hit = Hit::new(
        detail,
        "Find the device between client and server that rewrites the ClientHello, and update or bypass it.",
    )
    .at(h.mark)
    .at(sh.mark)
    .blame(Blame::Network);
    Some(match refused {
        Some(r) => hit.at(r.mark),
        None => hit.beside().severity(Severity::Warning),
    })
}

fn downgraded(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh) = (f.client_hello.as_ref()?, f.server_hello.as_ref()?);
    let chosen = f.version()?;
    let newer = f.highest_offered()?;
    if chosen != ProtocolVersion::TLS12 || !newer.is_tls13_or_draft() || sh.message.downgrade_sentinel().is_some() {
        return None;
    }
    let detail = format!(
        "The client offered {}, the server chose {}.",
        words::offered_versions(&h.message),
        words::version(chosen)
    );
    let remedy =
        "On the server (or the load balancer in front of it): enable TLS 1.3, updating its TLS library if it lacks it.";
    Some(Hit::new(detail, remedy).at(h.mark).at(sh.mark).blame(Blame::Server))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, hello, leaf, server_flight, server_hello, told};
    use crate::diagnose::Severity;
    use crate::span::Side;

    #[test]
    fn versions_that_do_not_meet() {
        let mut f = hello();
        f.client_hello.as_mut().expect("there").message.extensions.supported_versions = vec![];
        let d = told(&alert(f, Side::B, 70));
        assert_eq!(d.cause, Some("version-mismatch"));
        assert!(d.findings[0].detail.contains("at most TLS 1.2"));
        let d = told(&alert(server_hello(0x0301), Side::A, 70));
        assert_eq!(d.cause, Some("version-mismatch"));
        assert!(d.findings[0].detail.contains("TLS 1.0"));
        assert!(find(&alert(hello(), Side::B, 40), "version-mismatch").is_none());
    }

    #[test]
    fn obsolete_versions() {
        for (v, code) in [(0x0300, "sslv3-negotiated"), (0x0301, "tls10-negotiated"), (0x0302, "tls11-negotiated")] {
            let f = established(server_hello(v));
            assert!(find(&f, code).is_some_and(|x| x.severity == Severity::Error && !x.explains_failure));
            assert!(told(&f).cause.is_none());
            assert!(find(&established(server_flight(vec![leaf()])), code).is_none());
        }
    }

    #[test]
    fn ssl2_answers_ssl2() {
        let mut f = hello();
        f.server_hello = server_hello(0x0002).server_hello;
        f.server_hello.as_mut().expect("there").message.extensions.supported_versions.clear();
        assert!(find(&f, "sslv2-negotiated").is_some_and(|x| x.severity == Severity::Error && !x.explains_failure));
        assert!(find(&server_hello(0x0300), "sslv2-negotiated").is_none());
    }

    #[test]
    fn a_sentinel_counts_only_against_a_higher_offer() {
        let mut f = server_hello(0x0303);
        f.client_hello.as_mut().expect("there").message.extensions.supported_versions = vec![0x0304, 0x0303];
        assert!(find(&f, "version-downgraded").is_some());
        f.server_hello.as_mut().expect("there").message.random[24..].copy_from_slice(b"DOWNGRD\x01");
        assert!(find(&f, "version-downgraded").is_none());
        assert_eq!(told(&alert(f.clone(), Side::A, 47)).cause, Some("downgrade-sentinel"));
        f.client_hello.as_mut().expect("there").message.extensions.supported_versions = vec![0x0303];
        assert!(find(&f, "downgrade-sentinel").is_none() && find(&f, "version-downgraded").is_none());
    }
}

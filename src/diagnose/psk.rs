//! Pre-shared keys and tickets that the server does not take.

use super::peer_error::complaint;
use super::refusal::{Stage, failed_with, hello_refused, stage};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::{AlertDescription, CipherSuite, KeyExchange};

const CONNECT: &str = "  openssl s_client -connect HOST:PORT -psk_identity ID -psk HEX </dev/null";

pub(super) const RULES: &[Rule] = &[
    new(
        "psk-identity-unknown",
        Severity::Error,
        50,
        "The server does not know the pre-shared key that the client named",
        page(
            "The alert unknown_psk_identity.",
            "Another identity is configured on the two sides, or a ticket is offered to a server that has no key for it and no certificate either.",
            "Certain: the alert in clear has no other meaning.",
            "Give both sides the same identity and key.",
            CONNECT,
            "RFC 8446, section 6.2; RFC 4279, section 2",
        ),
        identity,
    ),
    new(
        "psk-binder-invalid",
        Severity::Error,
        45,
        "The server could not verify the pre-shared key that the client offered",
        page(
            "The ClientHello offers a pre-shared key (or a ticket), and the server refuses it with decrypt_error or illegal_parameter before any ServerHello.",
            "The binder proves that the client has the key: the two sides have different keys under one identity, the hash is another one, or the hello was changed on its way. With tickets: servers that share a ticket key and not the session.",
            "Likely: Go says decrypt_error, OpenSSL illegal_parameter, which has other meanings too.",
            "Give both sides the same key and hash (OpenSSL -psk, GnuTLS --pskkey, external PSKs use SHA-256). With tickets: rotate ticket keys on all servers at once (nginx ssl_session_ticket_key), and let the client forget its tickets.",
            CONNECT,
            "RFC 8446, section 4.2.11.2",
        ),
        binder,
    ),
    new(
        "no-psk-cipher-match",
        Severity::Error,
        45,
        "The client offers cipher suites with pre-shared keys only, and the server takes none",
        page(
            "All cipher suites of the ClientHello are for pre-shared keys (TLS_PSK_…, TLS_DHE_PSK_…, TLS_ECDHE_PSK_…), and the server answered with handshake_failure.",
            "The server has no pre-shared keys configured, or has other suites for them.",
            "Likely: the server's own list is not on the wire.",
            "Configure keys on the server (openssl s_server -psk, stunnel PSKsecrets, Mosquitto psk_file), enable one of the client's suites, or let the client use certificates.",
            "  openssl s_client -connect HOST:PORT -tls1_2 -cipher PSK -psk_identity ID -psk HEX </dev/null",
            "RFC 4279; RFC 5489; RFC 8442",
        ),
        suites,
    ),
];

fn identity(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    complaint(f, AlertDescription::UNKNOWN_PSK_IDENTITY, "Give both sides the same pre-shared key identity and key.")
}

fn at_hello(f: &FlowFacts, detail: String, remedy: &str, mark: Mark) -> Hit {
    Hit::new(detail, remedy).at_any(f.client_hello.as_ref().map(|h| h.mark)).at(mark).blame(Blame::Either)
}

fn binder(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let offered = f.client_hello.as_ref()?.message.extensions.psk.filter(|_| stage(f) == Stage::Hello)?;
    let alerts = [AlertDescription::DECRYPT_ERROR, AlertDescription::ILLEGAL_PARAMETER];
    let (d, mark) =
        alerts.iter().find_map(|d| Some((*d, failed_with(f, *d).filter(|(r, _)| *r == Role::Server)?.1)))?;
    let detail = format!(
        "The client offers {}. {}",
        words::count(offered.into(), "pre-shared key"),
        words::alert_sentence(Role::Server, d, mark)
    );
    let remedy = "Give both sides the same key under that identity; with tickets, let the client forget them and the servers share their keys.";
    let hit = at_hello(f, detail, remedy, mark);
    // After a HelloRetryRequest, illegal_parameter may be about the answer to it.
    let open = d == AlertDescription::ILLEGAL_PARAMETER && f.hello_retry.is_some();
    Some(if open { hit.possible() } else { hit.likely() })
}

fn suites(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::HANDSHAKE_FAILURE;
    let mark = hello_refused(f, d)?;
    let h = &f.client_hello.as_ref()?.message;
    let mut kinds = h.cipher_suites.iter().filter_map(|s| CipherSuite(*s).attributes()).map(|a| a.kx).peekable();
    kinds.peek()?;
    let psk = [KeyExchange::Psk, KeyExchange::DhePsk, KeyExchange::EcdhePsk, KeyExchange::RsaPsk];
    if !kinds.all(|k| psk.contains(&k)) {
        return None;
    }
    let detail = format!(
        "The client offers only {}. {}",
        words::suites(&h.cipher_suites),
        words::alert_sentence(Role::Server, d, mark)
    );
    let remedy = "On the server: configure pre-shared keys and one of these suites. On the client: use certificates, if the server has no keys.";
    Some(at_hello(f, detail, remedy, mark).likely())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, hello, leaf, server_flight, server_hello, told};
    use crate::diagnose::Confidence;
    use crate::span::Side;

    #[test]
    fn a_key_that_is_not_taken() {
        let mut f = hello();
        f.client_hello.as_mut().expect("there").message.extensions.psk = Some(1);
        let d = told(&alert(f.clone(), Side::B, 51));
        assert_eq!((d.cause, d.findings[0].confidence), (Some("psk-binder-invalid"), Confidence::Likely));
        assert_eq!(told(&alert(f.clone(), Side::B, 47)).cause, Some("psk-binder-invalid"));
        f.hello_retry = server_hello(0x0304).server_hello;
        let vague = find(&alert(f, Side::B, 47), "psk-binder-invalid").expect("told");
        assert_eq!(vague.confidence, Confidence::Possible);
        assert!(find(&alert(hello(), Side::B, 51), "psk-binder-invalid").is_none(), "no key was offered");
    }

    #[test]
    fn an_identity_that_nobody_knows() {
        let d = told(&alert(hello(), Side::B, 115));
        assert_eq!(d.cause, Some("psk-identity-unknown"));
        assert!(d.findings[0].detail.contains("client_hello (frame 4)"), "{}", d.findings[0].detail);
        assert!(find(&established(server_flight(vec![leaf()])), "psk-identity-unknown").is_none());
    }

    #[test]
    fn suites_for_keys_only() {
        const CODE: &str = "no-psk-cipher-match";
        let with = |suites: Vec<u16>| {
            let mut f = hello();
            f.client_hello.as_mut().expect("there").message.cipher_suites = suites;
            alert(f, Side::B, 40)
        };
        assert_eq!(told(&with(vec![0x00a8, 0x00aa, 0xc037])).cause, Some(CODE));
        assert!(find(&with(vec![0x00a8, 0x1301]), CODE).is_none() && find(&with(vec![]), CODE).is_none());
    }
}

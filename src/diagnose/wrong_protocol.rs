//! Plaintext where TLS is spoken, TLS where plaintext is spoken.

use super::refusal::{Stage, stage};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::span::Side;
use crate::tls::Start;
use crate::tls::names::AlertDescription;
use crate::upgrade::Plain;

/// Ports on which TLS is spoken from the first byte (IANA): https, smtps, nntps, ldaps, ftps, telnets, imaps, ircs,
/// pop3s, sips, and what is customary for https and others.
const TLS_PORTS: &[u16] =
    &[443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 2376, 5061, 5671, 6443, 6697, 8443, 8883, 9443];

const TEST: &str = "  openssl s_client -connect HOST:PORT </dev/null\n  curl -v http://HOST:PORT/";

pub(super) const RULES: &[Rule] = &[
    new(
        "plaintext-http-to-tls-port",
        Severity::Error,
        60,
        "The client speaks plain HTTP to a port where TLS is expected",
        page(
            "The client's first bytes are an HTTP request; the server answers with a TLS alert, with 400 in plain text, or closes.",
            "The client uses http:// instead of https://, or a proxy in front ends TLS and passes plain HTTP on to a TLS port. nginx says \"The plain HTTP request was sent to HTTPS port\", Go \"Client sent an HTTP request to an HTTPS server\".",
            "Certain when the server answers with a TLS alert. Else by the port and the way the server ends it: likely.",
            "On the client: use https://. In proxies: proxy_pass https://… (nginx), scheme https or a TLS context for the backend (Envoy, HAProxy: server … ssl).",
            TEST,
            "RFC 9110, section 4.2.2",
        ),
        plain_http,
    ),
    new(
        "plaintext-to-tls-port",
        Severity::Error,
        55,
        "The client speaks something else than TLS to a port where TLS is expected",
        page(
            "The client's first bytes are no TLS record, and the server answers with a TLS alert.",
            "The client has TLS switched off, or expects STARTTLS where TLS begins at once.",
            "Certain: the server itself speaks TLS.",
            "Switch TLS on in the client, or use the plain port.",
            TEST,
            "RFC 8446, section 6.2",
        ),
        plain_other,
    ),
    new(
        "tls-to-plaintext-port",
        Severity::Error,
        60,
        "The client speaks TLS to a port where the server does not",
        page(
            "The client sent a ClientHello and the server answered with bytes that are not TLS.",
            "TLS is not enabled on that port, the port is wrong, or a sidecar that ends TLS is missing. OpenSSL says \"wrong version number\", Go \"first record does not look like a TLS handshake\", Java \"Unsupported or unrecognized SSL message\".",
            "Certain: the server's first bytes were read.",
            "Enable TLS on the port, use the port that has it, or speak plain to this one (http://).",
            TEST,
            "RFC 8446, section 5.1",
        ),
        tls_to_plain,
    ),
    new(
        "tls-to-starttls-port",
        Severity::Error,
        62,
        "The client speaks TLS at once to a port where it begins with STARTTLS",
        page(
            "The server greets first, in plain text (SMTP, IMAP, POP3, FTP …), and the client sends a ClientHello.",
            "Implicit TLS on a STARTTLS port: 25 and 587 for SMTP, 143 for IMAP, 110 for POP3, 21 for FTP.",
            "Certain: the greeting was read.",
            "Set the client to STARTTLS, or use the port for implicit TLS: 465, 993, 995, 990.",
            "  openssl s_client -connect HOST:587 -starttls smtp </dev/null",
            "RFC 3207; RFC 8314",
        ),
        starttls,
    ),
];

fn start(f: &FlowFacts, side: Side) -> Option<(Start, Mark)> {
    f.sides[side].start
}

/// The side that opened the connection said something that is not TLS, first; and the other side's number.
fn plain_client(f: &FlowFacts) -> Option<(Plain, Mark, Side)> {
    let client = f.tcp.opener().unwrap_or_else(|| f.client());
    let (Start::Not(plain), mark) = start(f, client)? else { return None };
    let other = client.other();
    let first = f.tcp.data[other].is_none_or(|d| d.frame >= mark.frame);
    let whole = f.sides.iter().all(|s| !s.mid_stream && !s.handshake_gap) && f.tcp.both_sides_seen();
    (first && whole).then_some((plain, mark, other))
}

/// The server's answer is an alert and nothing else of TLS.
fn alert_of(f: &FlowFacts, server: Side) -> Option<(AlertDescription, Mark)> {
    let (Start::Tls, _) = start(f, server)? else { return None };
    f.alerts.iter().find(|a| a.side == server).and_then(|a| a.said.map(|(_, d)| (d, a.mark)))
}

fn plain_http(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (plain, mark, server) = plain_client(f)?;
    if plain != Plain::HttpRequest || f.server_hello.is_some() {
        return None;
    }
    let to = f.ends.of(server);
    let request = format!("In frame {} the client sent {} to {}.", mark.frame, plain.name(), words::end(to));
    let remedy = "On the client: use https://. In a proxy in front: pass the request on over TLS (nginx: proxy_pass https://…; HAProxy: server … ssl; Envoy: a TLS context for the cluster).";
    let hit = |answer: String| Hit::new(format!("{request} {answer}"), remedy).at(mark).blame(Blame::Client);
    if let Some((d, at)) = alert_of(f, server) {
        return Some(
            hit(format!("The server answered in frame {} with the TLS alert {}.", at.frame, words::alert(d))).at(at),
        );
    }
    let tls_port = TLS_PORTS.contains(&to.port);
    let end = f.tcp.fin[server].or(f.tcp.rst[server]);
    match start(f, server) {
        // nginx, Apache and Go answer with 400 in plain text; on a port for TLS that is what it means.
        Some((Start::Not(Plain::HttpResponse), at)) if tls_port && !served(f, server) => Some(
            hit(format!(
                "The server answered in frame {} with plain HTTP and closed, as TLS servers do to say 400.",
                at.frame
            ))
            .at(at)
            .likely(),
        ),
        None if f.tcp.data[server].is_none() => {
            let end = end?;
            let hit = hit(format!(
                "The server closed in frame {} without an answer, as OpenSSL does (\"http request\").",
                end.frame
            ))
            .at(end);
            Some(if tls_port { hit.likely() } else { hit.possible() })
        }
        _ => None,
    }
}

/// The server sent more than an error page: it really speaks plain HTTP.
fn served(f: &FlowFacts, server: Side) -> bool {
    f.tcp.bytes[server] > 2048 || (f.tcp.fin[server].is_none() && f.tcp.rst[server].is_none())
}

fn plain_other(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (plain, mark, server) = plain_client(f)?;
    if plain == Plain::HttpRequest || f.server_hello.is_some() {
        return None;
    }
    let (d, at) = alert_of(f, server)?;
    let detail = format!(
        "In frame {} the client sent {} to {}; the server answered in frame {} with the TLS alert {}.",
        mark.frame,
        plain.name(),
        words::end(f.ends.of(server)),
        at.frame,
        words::alert(d)
    );
    Some(
        Hit::new(
            detail,
            "On the client: switch TLS on (or STARTTLS off, where TLS begins at once), or use the plain port.",
        )
        .at(mark)
        .at(at)
        .blame(Blame::Client),
    )
}

/// The server's first bytes where a ClientHello was sent.
fn plain_server(f: &FlowFacts) -> Option<(Plain, Mark)> {
    let hello = f.client_hello.as_ref()?;
    let (Start::Not(plain), mark) = start(f, hello.side.other())? else { return None };
    let first = f.tcp.data[hello.side].map(|m| m.frame);
    let at_once = first == Some(hello.frames.first().copied().unwrap_or(hello.mark.frame));
    let whole = f.sides.iter().all(|s| !s.mid_stream && !s.handshake_gap);
    (stage(f) == Stage::Hello && at_once && whole).then_some((plain, mark))
}

fn tls_to_plain(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (plain, mark) = plain_server(f)?;
    if plain == Plain::MailGreeting {
        return None;
    }
    let hello = f.client_hello.as_ref()?;
    let detail = format!(
        "The client sent a ClientHello (frame {}) to {}; the server sent {} (frame {}). OpenSSL calls that \"wrong version number\".",
        hello.mark.frame,
        words::end(f.ends.of(hello.side.other())),
        plain.name(),
        mark.frame
    );
    let remedy = match plain {
        Plain::HttpResponse | Plain::Http2 => {
            "On the client: use http:// for this port, or the port that has TLS. On the server: enable TLS on this port (nginx: listen 443 ssl)."
        }
        Plain::Ssh => "On the client: this is an SSH server; correct host and port.",
        _ => "On the server: enable TLS on this port. On the client: use the port that has TLS, or switch TLS off.",
    };
    Some(Hit::new(detail, remedy).at(hello.mark).at(mark).blame(Blame::Either))
}

fn starttls(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (plain, mark) = plain_server(f)?;
    if plain != Plain::MailGreeting {
        return None;
    }
    let hello = f.client_hello.as_ref()?;
    let detail = format!(
        "In frame {} the server on {} sent {}; the client sent a ClientHello (frame {}) without asking for STARTTLS.",
        mark.frame,
        words::end(f.ends.of(hello.side.other())),
        plain.name(),
        hello.mark.frame
    );
    Some(Hit::new(detail, "On the client: choose STARTTLS for this port, or use the port for implicit TLS (465 SMTP, 993 IMAP, 995 POP3, 990 FTP).").at(hello.mark).at(mark).blame(Blame::Client))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, fin, find, hello, mark, told};
    use crate::diagnose::Confidence;
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::tls::Start;
    use crate::upgrade::Plain;

    fn plain(p: Plain) -> FlowFacts {
        let mut f = hello();
        f.client_hello = None;
        f.messages.clear();
        f.sides[Side::A].start = Some((Start::Not(p), mark(4)));
        f
    }

    fn answered(mut f: FlowFacts, s: Start) -> FlowFacts {
        f.sides[Side::B].start = Some((s, mark(6)));
        f.tcp.data[Side::B] = Some(mark(6));
        f
    }

    #[test]
    fn http_to_a_tls_port() {
        let d = told(&answered(alert(plain(Plain::HttpRequest), Side::B, 10), Start::Tls));
        assert_eq!(d.cause, Some("plaintext-http-to-tls-port"));
        assert_eq!(d.findings[0].confidence, Confidence::Certain);
        assert_ne!(told(&fin(plain(Plain::HttpRequest), Side::B)).findings[0].confidence, Confidence::Certain);
        // Plain HTTP that is served is nobody's fault.
        let mut f = fin(answered(plain(Plain::HttpRequest), Start::Not(Plain::HttpResponse)), Side::B);
        f.ends.b.port = 80;
        assert!(told(&f).findings.is_empty());
    }

    #[test]
    fn something_else_to_a_tls_port() {
        let f = answered(alert(plain(Plain::Text), Side::B, 10), Start::Tls);
        assert_eq!(told(&f).cause, Some("plaintext-to-tls-port"));
        assert!(find(&plain(Plain::Text), "plaintext-to-tls-port").is_none());
    }

    #[test]
    fn tls_to_a_plain_port() {
        let f = fin(answered(hello(), Start::Not(Plain::HttpResponse)), Side::B);
        assert_eq!(told(&f).cause, Some("tls-to-plaintext-port"));
        let f = fin(answered(hello(), Start::Not(Plain::MailGreeting)), Side::A);
        assert_eq!(told(&f).cause, Some("tls-to-starttls-port"));
        assert!(find(&f, "tls-to-plaintext-port").is_none());
        // Something was said before: STARTTLS, rightly or not.
        let mut f = f;
        f.tcp.data[Side::A] = Some(mark(3));
        assert!(find(&f, "tls-to-starttls-port").is_none());
    }
}

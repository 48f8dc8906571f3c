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

/// Of these, the ports of protocols in which the server speaks first: smtps, nntps, ftps, imaps, pop3s.
const GREETING_PORTS: &[u16] = &[465, 563, 990, 993, 995];

/// A client that waits so long without a byte waits for the server to begin.
const WAITS_US: u64 = 3_000_000;

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
            "The server greets first, in clear (SMTP, IMAP, POP3, FTP, MySQL …), and the client sends a ClientHello.",
            "Implicit TLS on a STARTTLS port: 25 and 587 for SMTP, 143 for IMAP, 110 for POP3, 21 for FTP, 3306 for MySQL.",
            "Certain: the greeting was read.",
            "Set the client to STARTTLS, or use the port for implicit TLS: 465, 993, 995, 990. For MySQL use its own client library, which asks for TLS in its protocol (mysql --ssl-mode=REQUIRED).",
            "  openssl s_client -connect HOST:587 -starttls smtp </dev/null",
            "RFC 3207; RFC 8314",
        ),
        starttls,
    ),
    new(
        "starttls-to-implicit-port",
        Severity::Error,
        62,
        "The client wants to begin in clear on a port where TLS begins at once",
        page(
            "The client sends a first command in clear (EHLO, CAPABILITY, PostgreSQL's SSLRequest) and the server answers with a TLS alert or closes; or the client waits for a greeting that does not come.",
            "The client is set to STARTTLS (or to no TLS) and the port is one for implicit TLS: 465, 993, 995, 990. Behind a load balancer that ends TLS, a database client must not ask for TLS in its own protocol first.",
            "Certain when the server answers with a TLS alert; likely when it only closes; possible when both only wait.",
            "Set the client to implicit TLS (\"SSL/TLS\" in mail programs, smtps:// and imaps:// in curl; libpq 17: sslnegotiation=direct), or use the STARTTLS port: 587, 143, 110, 21.",
            "  openssl s_client -connect HOST:465 </dev/null\n  openssl s_client -connect HOST:587 -starttls smtp </dev/null",
            "RFC 8314, section 3; RFC 3207",
        ),
        implicit,
    ),
    new(
        "ssh-on-tls-port",
        Severity::Error,
        60,
        "The client speaks SSH to a port where TLS is expected",
        page(
            "The client's first bytes are an SSH banner, and the server answers with a TLS alert or closes.",
            "Wrong port, or a load balancer that ends TLS in front of an SSH server.",
            "Certain when the server answers with a TLS alert; likely when it closes on a port for TLS.",
            "Use the SSH port (22). To run SSH over port 443, put a multiplexer (sslh, HAProxy with req.payload) in front of it.",
            "  ssh -v -p PORT HOST\n  openssl s_client -connect HOST:PORT </dev/null",
            "RFC 4253, section 4.2",
        ),
        ssh,
    ),
    new(
        "dtls-on-tls-port",
        Severity::Error,
        60,
        "The client speaks DTLS over TCP to a port where TLS is expected",
        page(
            "The client's first bytes on a TCP connection are a DTLS record.",
            "The client is set to DTLS (or its tunnel turns UDP into TCP) and the server speaks TLS.",
            "Certain when the server answers with a TLS alert; likely when it closes on a port for TLS.",
            "Set the client to TLS, or send its packets over UDP to a DTLS server.",
            "  openssl s_client -connect HOST:PORT -dtls </dev/null\n  openssl s_client -connect HOST:PORT </dev/null",
            "RFC 9147, section 4",
        ),
        dtls,
    ),
    new(
        "quic-on-tls-port",
        Severity::Error,
        60,
        "The client speaks QUIC over TCP to a port where TLS is expected",
        page(
            "The client's first bytes on a TCP connection are a QUIC packet.",
            "A forwarder or tunnel turns UDP into TCP: QUIC needs UDP.",
            "Certain when the server answers with a TLS alert; likely when it closes on a port for TLS.",
            "Forward UDP as UDP (nginx: listen … udp; socat UDP-LISTEN to UDP), or let the client use HTTP/2 over TCP.",
            "  curl -v --http3-only https://HOST:PORT/\n  curl -v --http2 https://HOST:PORT/",
            "RFC 9000, section 17.2",
        ),
        quic,
    ),
];

fn start(f: &FlowFacts, side: Side) -> Option<(Start, Mark)> {
    f.sides[side].start
}

/// The side that opened the connection said something that is not TLS, first; and the other side's number.
pub(super) fn plain_client(f: &FlowFacts) -> Option<(Plain, Mark, Side)> {
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
    if !matches!(plain, Plain::HttpRequest | Plain::Connect) || f.server_hello.is_some() {
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
        Some((Start::Not(Plain::HttpsWanted), at)) => {
            let said = format!("The server answered in frame {} with a plain HTTP 400 that asks for HTTPS.", at.frame);
            Some(hit(said).at(at))
        }
        // nginx, Apache and Go answer with 400 in plain text; on a port for TLS that is what it means.
        Some((Start::Not(Plain::HttpResponse(_)), at)) if tls_port && !served(f, server) => Some(
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
    // The others have a rule of their own.
    if !matches!(plain, Plain::Text | Plain::Binary) || f.server_hello.is_some() {
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
    if matches!(plain, Plain::MailGreeting | Plain::Greeting) {
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
        Plain::HttpResponse(_) | Plain::Http2 => {
            "On the client: use http:// for this port, or the port that has TLS. On the server: enable TLS on this port (nginx: listen 443 ssl)."
        }
        Plain::Ssh => "On the client: this is an SSH server; correct host and port.",
        _ => "On the server: enable TLS on this port. On the client: use the port that has TLS, or switch TLS off.",
    };
    Some(Hit::new(detail, remedy).at(hello.mark).at(mark).blame(Blame::Either))
}

fn starttls(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (plain, mark) = plain_server(f)?;
    let remedy = match plain {
        Plain::MailGreeting => {
            "On the client: choose STARTTLS for this port, or use the port for implicit TLS (465 SMTP, 993 IMAP, 995 POP3, 990 FTP)."
        }
        Plain::Greeting => {
            "On the client: use the protocol's own way to TLS (MySQL: --ssl-mode=REQUIRED), or a port where TLS begins at once."
        }
        _ => return None,
    };
    let hello = f.client_hello.as_ref()?;
    let detail = format!(
        "In frame {} the server on {} sent {}; the client sent a ClientHello (frame {}) without asking for STARTTLS.",
        mark.frame,
        words::end(f.ends.of(hello.side.other())),
        plain.name(),
        hello.mark.frame
    );
    Some(Hit::new(detail, remedy).at(hello.mark).at(mark).blame(Blame::Client))
}

/// How a TLS server treats a client that begins with something else: an alert tells for certain, a close without a byte
/// on a port for TLS is likely the same.
fn turned_away(f: &FlowFacts, plain: Plain, mark: Mark, server: Side) -> Option<Hit> {
    let to = f.ends.of(server);
    let sent = format!("In frame {} the client sent {} to {}", mark.frame, plain.name(), words::end(to));
    if f.server_hello.is_some() {
        return None;
    }
    let hit = |answer: String| Hit::new(format!("{sent}; the server {answer}."), "").at(mark).blame(Blame::Client);
    if let Some((d, at)) = alert_of(f, server) {
        return Some(hit(format!("answered in frame {} with the TLS alert {}", at.frame, words::alert(d))).at(at));
    }
    let end = f.tcp.fin[server].or(f.tcp.rst[server]).filter(|_| f.tcp.data[server].is_none())?;
    TLS_PORTS.contains(&to.port).then(|| hit(format!("closed in frame {} without a byte", end.frame)).at(end).likely())
}

fn other_protocol(f: &FlowFacts, wanted: Plain, remedy: &str) -> Option<Hit> {
    let (plain, mark, server) = plain_client(f).filter(|(p, ..)| *p == wanted)?;
    let mut hit = turned_away(f, plain, mark, server)?;
    hit.remedy = remedy.to_owned();
    Some(hit)
}

fn ssh(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    other_protocol(f, Plain::Ssh, "On the client: use the port of the SSH server (22 unless set otherwise).")
}

fn dtls(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    other_protocol(f, Plain::Dtls, "On the client: use TLS over TCP, or send DTLS over UDP.")
}

fn quic(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    other_protocol(f, Plain::Quic, "On the network: forward UDP as UDP; QUIC cannot run over TCP.")
}

fn implicit(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let remedy = "On the client: choose TLS from the first byte (implicit TLS, \"SSL/TLS\") for this port, or use the port for STARTTLS (587 SMTP, 143 IMAP, 110 POP3, 21 FTP).";
    if let Some((plain, mark, server)) = plain_client(f) {
        let remedy = match plain {
            Plain::MailCommand => remedy,
            Plain::SslRequest => {
                "On the client: begin with TLS at once (libpq: sslnegotiation=direct), or use PostgreSQL's own port."
            }
            _ => return None,
        };
        let mut hit = turned_away(f, plain, mark, server)?;
        hit.remedy = remedy.to_owned();
        return Some(hit);
    }
    // Both wait for the other to begin.
    let client = f.tcp.opener()?;
    let server = client.other();
    let to = f.ends.of(server);
    let gone = f.tcp.fin[client].or(f.tcp.rst[client])?;
    let server_kept_still = f.tcp.data[server].is_none_or(|d| d.frame > gone.frame);
    let mute = f.tcp.bytes[client] == 0 && f.tcp.opened && server_kept_still;
    let waited = gone.time.us_since(f.first.time);
    if !mute || waited < WAITS_US || !GREETING_PORTS.contains(&to.port) || f.sides.iter().any(|s| !s.gaps.is_empty()) {
        return None;
    }
    let detail = format!(
        "The client connected to {}, waited {} without a byte and left (frame {}), as one does that expects the server to greet first.",
        words::end(to),
        words::duration(waited),
        gone.frame
    );
    Some(Hit::new(detail, remedy).at(f.first).at(gone).possible().blame(Blame::Client))
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
        let d = told(&fin(answered(plain(Plain::HttpRequest), Start::Not(Plain::HttpsWanted)), Side::B));
        assert_eq!(d.cause, Some("plaintext-http-to-tls-port"));
        assert_eq!(d.findings[0].confidence, Confidence::Certain);
        let mut f = fin(answered(plain(Plain::HttpRequest), Start::Not(Plain::HttpResponse(400))), Side::B);
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
    fn protocols_of_other_ports() {
        for (p, code) in [
            (Plain::Ssh, "ssh-on-tls-port"),
            (Plain::Dtls, "dtls-on-tls-port"),
            (Plain::Quic, "quic-on-tls-port"),
            (Plain::MailCommand, "starttls-to-implicit-port"),
            (Plain::SslRequest, "starttls-to-implicit-port"),
        ] {
            let d = told(&answered(alert(plain(p), Side::B, 10), Start::Tls));
            assert_eq!((d.cause, d.findings[0].confidence), (Some(code), Confidence::Certain));
            assert!(find(&fin(plain(p), Side::B), code).is_some_and(|x| x.confidence == Confidence::Likely));
            // A server that answers in clear knows the protocol; one on another port may close for any reason.
            let served = answered(fin(plain(p), Side::B), Start::Not(Plain::Text));
            assert!(find(&served, code).is_none());
            let mut f = fin(plain(p), Side::B);
            f.ends.b.port = 2222;
            assert!(find(&f, code).is_none());
        }
    }

    #[test]
    fn both_wait_for_the_other_to_begin() {
        let waiting = |port, until| {
            let mut f = plain(Plain::Text);
            f.ends.b.port = port;
            f.sides[Side::A].start = None;
            f.tcp.data = Default::default();
            f.tcp.fin[Side::A] = Some(mark(until));
            find(&f, "starttls-to-implicit-port")
        };
        assert!(waiting(465, 10_000).is_some_and(|x| x.confidence == Confidence::Possible));
        assert!(waiting(465, 100).is_none(), "a probe");
        assert!(waiting(443, 10_000).is_none(), "nobody greets there");
    }

    #[test]
    fn tls_to_a_plain_port() {
        let f = fin(answered(hello(), Start::Not(Plain::HttpResponse(400))), Side::B);
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

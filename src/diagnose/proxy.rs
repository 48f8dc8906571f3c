//! What stands before a TLS server: the PROXY protocol, and HTTP proxies that are asked for a tunnel.

use super::refusal::{Stage, refusal, stage};
use super::{Blame, Hit, Policy, Rule, Severity, differences, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::Start;
use crate::upgrade::Plain;

pub(super) const RULES: &[Rule] = &[
    new(
        "proxy-protocol-unexpected",
        Severity::Error,
        62,
        "The connection begins with a PROXY protocol header and the server does not take it",
        page(
            "The first bytes are a header of the PROXY protocol (HAProxy, AWS NLB, nginx proxy_protocol on), and the server answers with a TLS alert, with 400, or closes.",
            "The load balancer sends the header and the server is not set to read it; it takes the header for a broken ClientHello. OpenSSL says \"wrong version number\" or \"http request\", nginx \"400 Bad Request\".",
            "Certain when the server answers with an alert that says it could not read the header; else likely.",
            "Set both alike. On the server: nginx listen 443 ssl proxy_protocol; HAProxy bind … accept-proxy; Apache RemoteIPProxyProtocol On; Envoy: the listener filter proxy_protocol; Traefik entryPoints.…proxyProtocol. Or switch it off on the load balancer (HAProxy: take out send-proxy; AWS: proxy_protocol_v2.enabled=false).",
            "  curl -v --haproxy-protocol https://HOST:PORT/   (sends a header)\n  curl -v https://HOST:PORT/   (sends none)",
            "The PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt)",
        ),
        unexpected_header,
    ),
    new(
        "proxy-protocol-expected",
        Severity::Error,
        62,
        "The server expects a PROXY protocol header and the connection begins without one",
        page(
            "The server closes after the ClientHello without a byte of an answer, and an earlier connection to the same address and port, which began with a PROXY protocol header, was answered.",
            "The server is set to read the header (nginx listen … proxy_protocol, HAProxy accept-proxy, Envoy's listener filter) and takes a ClientHello for a broken one: nginx logs \"broken header while reading PROXY protocol\". Whoever goes around the load balancer, such as a health check, a probe or a client inside of the cluster, is closed.",
            "Likely: what both connections began with is read in clear. It is not told when the server has answered a connection without the header too.",
            "Call the load balancer instead of the server, or let the caller send the header (HAProxy check-send-proxy for health checks). Or give the server a second port without proxy_protocol (HAProxy: a bind without accept-proxy; Envoy: allow_requests_without_proxy_protocol).",
            "  curl -v --haproxy-protocol https://HOST:PORT/   (sends a header)\n  curl -v https://HOST:PORT/   (sends none)",
            "The PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt), section 5",
        ),
        expected_header,
    ),
    new(
        "connect-proxy-denied",
        Severity::Error,
        60,
        "The HTTP proxy refused the tunnel",
        page(
            "The client asked an HTTP proxy for a tunnel (CONNECT) and the proxy answered with a status other than 2xx: TLS never began.",
            "407: the proxy wants credentials; 403: its rules forbid host or port; 502, 503, 504: it could not reach the host.",
            "Certain: the answer was read in clear. A client may try again with credentials on another connection.",
            "407: give credentials (curl --proxy-user, https_proxy=http://USER:PASSWORD@…, Java http.proxyUser). 403: have host and port permitted, or list the host in no_proxy. 5xx: look at the proxy's log, its DNS and its way out.",
            "  curl -v --proxy http://PROXY:PORT https://HOST/",
            "RFC 9110, sections 9.3.6 and 15.5.8",
        ),
        denied,
    ),
];

/// The mark of a PROXY header at the beginning of the client's bytes, whether or not TLS follows it.
fn header(f: &FlowFacts) -> Option<Mark> {
    let client = f.tcp.opener().unwrap_or_else(|| f.client());
    let s = &f.sides[client];
    let first = match s.start? {
        (Start::Not(Plain::ProxyHeader), _) => true,
        _ => s.upgraded_from == Some(Plain::ProxyHeader),
    };
    f.tcp.data[client].filter(|_| first)
}

fn unexpected_header(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let mark = header(f)?;
    let client = f.tcp.opener().unwrap_or_else(|| f.client());
    let server = client.other();
    if f.server_hello.is_some() || f.hello_retry.is_some() {
        return None;
    }
    let sent = format!("The client's first bytes (frame {}) are a PROXY protocol header", mark.frame);
    let remedy = "Set both sides alike. On the server: accept the header (nginx: listen … proxy_protocol; HAProxy: accept-proxy). On the load balancer: or send none (HAProxy: without send-proxy).";
    let hit = |answer: String| Hit::new(format!("{sent}; the server {answer}."), remedy).at(mark).blame(Blame::Either);
    let alert = f.alerts.iter().find(|a| a.side == server).and_then(|a| Some((a.said?.1, a.mark)));
    if let Some((d, at)) = alert {
        let said = hit(format!("answered with the TLS alert {} (frame {})", words::alert(d), at.frame)).at(at);
        // What follows the header may be plain text as well: without a ClientHello that was read, either can be meant.
        return Some(said.likely());
    }
    match f.sides[server].start {
        Some((Start::Not(Plain::HttpResponse(400)), at)) => {
            Some(hit(format!("answered with HTTP status 400 (frame {})", at.frame)).at(at).likely())
        }
        None if f.tcp.data[server].is_none() => {
            let end = f.tcp.fin[server].or(f.tcp.rst[server])?;
            Some(hit(format!("closed in frame {} without a byte", end.frame)).at(end).likely())
        }
        _ => None,
    }
}

fn expected_header(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let o = f.siblings.rare.as_ref()?.with_header.as_ref()?;
    let hello = f.client_hello.as_ref()?;
    let r = refusal(f).filter(|r| r.role == Role::Server && r.alert.is_none() && stage(f) == Stage::Hello)?;
    let silent = f.tcp.data[f.side(Role::Server)].is_none() && f.tcp.both_sides_seen();
    if header(f).is_some() || !silent || f.sides.iter().any(|s| s.mid_stream || s.handshake_gap) {
        return None;
    }
    let detail = format!(
        "The connection begins with a ClientHello (frame {}), and in frame {} the server closed it without a byte. In {} a PROXY protocol header came first, and the same server answered.",
        hello.mark.frame,
        r.mark.frame,
        differences::flow(o)
    );
    let remedy = "Call the load balancer instead of the server, let the caller send the header, or give the server a port that expects none.";
    Some(Hit::new(detail, remedy).at(hello.mark).at(r.mark).likely().blame(Blame::Either).of([o.id, f.id]))
}

fn denied(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let client = f.tcp.opener().unwrap_or_else(|| f.client());
    let (Start::Not(Plain::Connect), asked) = f.sides[client].start? else { return None };
    let (Start::Not(Plain::HttpResponse(status)), answer) = f.sides[client.other()].start? else { return None };
    if f.sides.iter().any(|s| s.mid_stream) || status < 300 {
        return None;
    }
    let (title, remedy, blame) = match status {
        401 | 407 => (
            "The HTTP proxy wants credentials",
            "On the client: give the proxy's user and password (curl --proxy-user, https_proxy=http://USER:PASSWORD@HOST:PORT).",
            Blame::Client,
        ),
        500..=599 => (
            "The HTTP proxy could not reach the host",
            "On the proxy: look at its log, its DNS and its way to the host; check the name of the host on the client.",
            Blame::Network,
        ),
        _ => (
            "The HTTP proxy refused the tunnel",
            "On the proxy: permit the host and port (Squid: acl SSL_ports, http_access). On the client: or go around the proxy (no_proxy).",
            Blame::Either,
        ),
    };
    let detail = format!(
        "In frame {} the client asked the proxy {} for a tunnel (CONNECT); it answered with HTTP status {status} (frame {}).",
        asked.frame,
        words::end(f.ends.of(client.other())),
        answer.frame
    );
    Some(Hit::new(detail, remedy).title(title).at(asked).at(answer).blame(blame))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        after, alert, established, fin, find, hello, leaf, mark, random, server_flight, server_hello, told,
    };
    use crate::diagnose::{Blame, Confidence};
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::tls::Start;
    use crate::upgrade::Plain;

    fn plain(client: Plain, server: Option<Start>) -> FlowFacts {
        let mut f = hello();
        f.client_hello = None;
        f.messages.clear();
        f.sides[Side::A].start = Some((Start::Not(client), mark(4)));
        f.sides[Side::B].start = server.map(|s| (s, mark(6)));
        f.tcp.data[Side::B] = server.map(|_| mark(6));
        f
    }

    #[test]
    fn a_header_that_nobody_reads() {
        const CODE: &str = "proxy-protocol-unexpected";
        let d = told(&alert(plain(Plain::ProxyHeader, Some(Start::Tls)), Side::B, 10));
        assert_eq!((d.cause, d.findings[0].confidence), (Some(CODE), Confidence::Likely));
        assert!(find(&plain(Plain::ProxyHeader, Some(Start::Not(Plain::HttpResponse(400)))), CODE).is_some());
        assert_eq!(told(&fin(plain(Plain::ProxyHeader, None), Side::B)).cause, Some(CODE));
        // The header was taken, and the handshake went on.
        let mut f = server_hello(0x0303);
        f.sides[Side::A].upgraded_from = Some(Plain::ProxyHeader);
        assert!(find(&f, CODE).is_none());
        assert!(find(&alert(hello(), Side::B, 10), CODE).is_none());
    }

    #[test]
    fn a_header_that_is_missing() {
        const CODE: &str = "proxy-protocol-expected";
        let with_header = || {
            let mut f = established(server_flight(vec![leaf()]));
            f.sides[Side::A].upgraded_from = Some(Plain::ProxyHeader);
            f
        };
        let closed = || random(fin(hello(), Side::B), 3);
        let d = told(&after(&[&with_header()], closed()));
        assert_eq!((d.cause, d.findings[0].confidence), (Some(CODE), Confidence::Likely));
        assert!(find(&closed(), CODE).is_none());
        // Others go without; the server says something; it is the client who leaves; another server.
        let without = random(established(server_flight(vec![leaf()])), 2);
        assert!(find(&after(&[&with_header(), &without], closed()), CODE).is_none());
        let mut elsewhere = closed();
        elsewhere.ends.b.port = 443;
        let mut headed = closed();
        headed.sides[Side::A].upgraded_from = Some(Plain::ProxyHeader);
        let mut answered = closed();
        answered.sides[Side::B].start = Some((Start::Not(Plain::HttpResponse(400)), mark(6)));
        answered.tcp.data[Side::B] = Some(mark(6));
        for f in [alert(hello(), Side::B, 10), fin(hello(), Side::A), elsewhere, headed, answered] {
            assert!(find(&after(&[&with_header()], random(f, 3)), CODE).is_none());
        }
    }

    #[test]
    fn a_tunnel_is_refused() {
        const CODE: &str = "connect-proxy-denied";
        for (status, blame) in [(407, Blame::Client), (403, Blame::Either), (502, Blame::Network)] {
            let d = told(&plain(Plain::Connect, Some(Start::Not(Plain::HttpResponse(status)))));
            assert_eq!((d.cause, d.findings[0].blame), (Some(CODE), blame));
            assert!(d.findings[0].detail.contains(&status.to_string()));
        }
        assert!(find(&plain(Plain::Connect, Some(Start::Not(Plain::HttpResponse(200)))), CODE).is_none());
        assert!(find(&plain(Plain::HttpRequest, Some(Start::Not(Plain::HttpResponse(403)))), CODE).is_none());
    }
}

//! The ClientHello and what follows it when no TLS answer comes.

use std::net::IpAddr;

use super::refusal::refusal;
use super::{Blame, Hit, Policy, Rule, Severity, guide, new, page, words};
use crate::facts::{FlowFacts, How, Outcome};
use crate::flow::Mark;
use crate::span::Role;
use crate::text;
use crate::upgrade::Plain;

const CONNECT: &str = "  openssl s_client -connect HOST:PORT -servername NAME -msg </dev/null";

/// `encrypted_server_name`, of the drafts before Encrypted Client Hello.
pub(super) const ENCRYPTED_SERVER_NAME: u16 = 0xffce;

/// A server that did not answer for so long did not answer.
const SILENCE_US: u64 = 1_000_000;

pub(super) const RULES: &[Rule] = &[
    guide(
        1,
        new(
            "server-closed-after-client-hello",
            Severity::Error,
            40,
            "The server closed the connection right after the ClientHello, without a word",
            page(
                "The client sent its ClientHello; the next thing the server did was to close (FIN) or reset (RST) the connection, without a TLS record.",
                "No common version or cipher suite with a server that sends no alert (Windows/Schannel, old Java, some load balancers); a server name that it does not know or misses; an access list by address; a backend that is down behind a load balancer; a middlebox that filters by server name; a PROXY protocol header that the server waits for.",
                "That the server closed is certain; why, it did not say.",
                "Look at the server's log. Compare the ClientHello with that of a client that works (versions, suites, server name, size), and try them one by one. Check address filters and the health of backends.",
                CONNECT,
                "RFC 8446, section 6.2 (an alert would be right)",
            ),
            closed,
        ),
    ),
    new(
        "server-hello-timeout",
        Severity::Error,
        40,
        "The server took the ClientHello and never answered",
        page(
            "The server's TCP acknowledged the ClientHello, no byte came back, and the client gave up (or the capture ends after a long silence).",
            "The process behind the port hangs, its accept queue is served by nobody, a load balancer waits for a backend or for a PROXY protocol header, or something behind the TCP end point swallows large ClientHellos.",
            "Certain as to the silence: the acknowledgement was seen and the server's direction was captured.",
            "Look at the server: is the process alive, does it read (ss -tnp: Recv-Q), does the load balancer reach its backend? Try a small ClientHello (openssl s_client -groups X25519), which tells a size problem.",
            CONNECT,
            "RFC 8446, section 4.1.1",
        ),
        silent,
    ),
    new(
        "client-hello-not-acked",
        Severity::Error,
        40,
        "The ClientHello was sent again and again and never acknowledged",
        page(
            "The client repeated its ClientHello several times; the server's TCP acknowledged nothing of it.",
            "Packets of that size or to that port are dropped: a path MTU black hole (post-quantum key shares make the ClientHello larger than one packet), a stateful firewall, loss.",
            "Certain as to the missing acknowledgement at the point of capture.",
            "Compare with a small ClientHello (openssl s_client -groups X25519). Lower the MTU or clamp the MSS (iptables -t mangle … --clamp-mss-to-pmtu), let ICMP \"fragmentation needed\" through, look at the firewalls on the way.",
            "  tracepath -n HOST\n  ping -M do -s 1472 HOST",
            "RFC 9293, section 3.8; RFC 8899",
        ),
        not_acked,
    ),
    new(
        "no-sni",
        Severity::Warning,
        0,
        "The client does not say which server name it wants",
        page(
            "The ClientHello has no server_name.",
            "A server with several names answers with its default certificate, or not at all. Old clients, tools called with an address, and custom verifiers in Java leave the name out; a client that calls an IP address rightly does.",
            "Read in clear.",
            "Call the server by name; openssl s_client -servername NAME; in Java use an address made from the name.",
            CONNECT,
            "RFC 6066, section 3",
        ),
        no_sni,
    ),
    new(
        "sni-is-ip",
        Severity::Warning,
        0,
        "The client sends an IP address as the server name",
        page(
            "The host name in server_name is an IP address.",
            "The standard forbids it; strict servers answer with unrecognized_name or decode_error.",
            "Read in clear.",
            "Update the client, or call the server by name.",
            CONNECT,
            "RFC 6066, section 3",
        ),
        sni_ip,
    ),
    new(
        "sni-invalid",
        Severity::Warning,
        0,
        "The server name that the client sends is no host name",
        page(
            "The host name in server_name has characters that no host name has.",
            "Strict servers (Jetty, rustls) refuse it, others find no virtual host.",
            "Read in clear.",
            "Correct the name in the client's configuration.",
            CONNECT,
            "RFC 6066, section 3",
        ),
        sni_invalid,
    ),
    new(
        "sni-trailing-dot",
        Severity::Warning,
        0,
        "The server name that the client sends ends in a dot",
        page(
            "The host name in server_name ends in a dot, as names in DNS may; in TLS they must not.",
            "Servers find no virtual host of that name and take the default one, or refuse with unrecognized_name (Jetty, rustls). The certificate's name does not match either.",
            "Read in clear.",
            "Call the server without the dot (https://HOST/, not https://HOST./), or update the client: curl takes the dot away since 7.86.",
            CONNECT,
            "RFC 6066, section 3",
        ),
        sni_dot,
    ),
    new(
        "sni-has-port",
        Severity::Warning,
        0,
        "The server name that the client sends carries a port",
        page(
            "The host name in server_name has a colon and a port behind the name.",
            "No virtual host has such a name: the server takes its default one, or refuses with unrecognized_name. The client hands on \"host:port\" where only a host belongs (Go tls.Config.ServerName, gRPC authority overrides, Envoy sni).",
            "Read in clear.",
            "Correct the name in the client's configuration: host only.",
            CONNECT,
            "RFC 6066, section 3",
        ),
        sni_port,
    ),
    new(
        "sslv2-hello",
        Severity::Warning,
        0,
        "The client begins with a hello in SSL 2.0's format",
        page(
            "The first message is an SSL 2.0 CLIENT-HELLO, be it to offer SSL 3.0 or TLS.",
            "Such a hello has no extensions: no server name, no modern groups. It comes from clients of before 2010 (Java 6, OpenSSL 0.9.8) and from scanners; today's servers refuse it.",
            "Read in clear.",
            "Update the client's TLS library; disable SSL 2.0 in it (Java: remove SSLv2Hello from the enabled protocols).",
            CONNECT,
            "RFC 6176; RFC 5246, appendix E.2",
        ),
        ssl2,
    ),
];

/// The ClientHello's mark, when no TLS byte and no plain byte of the server was seen and all of it could have been.
fn unanswered(f: &FlowFacts) -> Option<Mark> {
    let h = f.client_hello.as_ref()?;
    let server = f.side(Role::Server);
    // An acknowledgement of what was not captured, be it only a FIN, says that there was something.
    let unseen = f.tcp.acked[server] > 0 && f.fin(Role::Server).is_none();
    let mute = f.of(Role::Server).start.is_none() && f.tcp.data[server].is_none() && !unseen;
    let seen = f.blind(Role::Server).is_none() && f.blind(Role::Client).is_none();
    // Of a hello that came only in part another rule speaks.
    let whole = !super::delivery::explains(f);
    (mute && seen && whole && f.outcome() == Outcome::Failed).then_some(h.mark)
}

/// What the client offered, in one sentence.
fn offer(f: &FlowFacts) -> String {
    let Some(h) = f.client_hello.as_ref() else { return String::new() };
    let m = &h.message;
    format!(
        "The client offered {} with {}, {}.",
        words::offered_versions(m),
        words::suites(&m.cipher_suites),
        words::server_name(f).map_or_else(|| "no server name".to_owned(), |n| format!("server name {n}"))
    )
}

fn closed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = unanswered(f)?;
    // What stood before the ClientHello explains more: see `proxy-protocol-unexpected`.
    if f.of(Role::Client).upgraded_from == Some(Plain::ProxyHeader) {
        return None;
    }
    let r = refusal(f).filter(|r| r.role == Role::Server && matches!(r.how, How::Fin | How::Rst))?;
    // An RST against the server's own earlier packets is told by its own rule.
    let how = if r.how == How::Fin { "closed the connection (FIN)" } else { "reset the connection (RST)" };
    let after = r.mark.time.us_since(hello.time);
    let detail = format!(
        "ClientHello in frame {}; {} later, in frame {}, the server {how} without having sent a byte. {}",
        hello.frame,
        words::duration(after),
        r.mark.frame,
        offer(f)
    );
    let remedy = "On the server: look at its log; check versions and cipher suites, whether it knows the server name, address filters, and whether its backend is up. Compare with a client that works.";
    let title =
        (r.how == How::Rst).then_some("The server reset the connection right after the ClientHello, without a word");
    let hit = Hit::new(detail, remedy).at(hello).at(r.mark).blame(Blame::Server);
    Some(match title {
        Some(t) => hit.title(t),
        None => hit,
    })
}

fn silent(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = unanswered(f)?;
    if f.tcp.acked[f.side(Role::Client)] < f.client_hello_end().unwrap_or(1) {
        return None;
    }
    let (end, how) = match f.ended_by() {
        Some(e) if e.role == Role::Client => (e.mark, format!("in frame {} the client gave up", e.mark.frame)),
        Some(_) => return None,
        None => (f.last, "then the capture ends".to_owned()),
    };
    let waited = end.time.us_since(hello.time);
    let cut = f.ended_by().is_none();
    if cut && waited < SILENCE_US {
        return None;
    }
    let detail = format!(
        "The ClientHello in frame {} was acknowledged, then nothing came for {}; {how}. {}",
        hello.frame,
        words::duration(waited),
        offer(f)
    );
    let remedy = "On the server: is the process alive and reading (ss -tnp)? Does the load balancer in front reach its backend, or does it wait for a PROXY protocol header?";
    let hit = Hit::new(detail, remedy).at(hello).at(end).blame(Blame::Server);
    Some(if cut {
        // The answer may have come behind the end of the capture.
        hit.likely()
    } else if waited >= SILENCE_US {
        // The answer may have been lost on its way to where the capture was made.
        hit.likely()
    } else {
        hit.likely().title("The client gave up before the server answered the ClientHello").blame(Blame::Either)
    })
}

fn not_acked(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = unanswered(f)?;
    let client = f.of(Role::Client);
    if f.tcp.acked[f.side(Role::Client)] > 0 || client.retransmitted < 2 {
        return None;
    }
    let size = f.client_hello.as_ref().map_or(0, |h| h.message.length);
    let big = if size > 1300 {
        " A ClientHello of this size needs more than one packet: that points to the path's MTU."
    } else {
        ""
    };
    let detail = format!(
        "The ClientHello ({size} bytes, frame {}) was repeated {} and never acknowledged.{big}",
        hello.frame,
        words::count(u64::from(client.retransmitted), "time")
    );
    let remedy = "On the network: look for a firewall or a path MTU problem between the two (try openssl s_client -groups X25519, which makes the ClientHello small; clamp the MSS).";
    let hit = Hit::new(detail, remedy).at(hello).at(f.last);
    // A server whose accept queue is full repeats its SYN-ACK and takes nothing either.
    let queue = f.tcp.syn_ack[f.side(Role::Server)].is_some_and(|s| s.count > 1);
    Some(if queue { hit.possible().blame(Blame::Either) } else { hit.likely().blame(Blame::Network) })
}

fn no_sni(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref()?;
    if h.message.extensions.server_name.is_some()
        || !h.message.extensions.malformed.is_empty()
        || h.message.ssl2_format
        || h.message.extensions.encrypted_client_hello
        || h.message.extensions.types.contains(&ENCRYPTED_SERVER_NAME)
    {
        return None;
    }
    let detail = format!(
        "The ClientHello in frame {} to {} has no server_name. A client that calls an address sends none; a name may have been meant.",
        h.mark.frame,
        words::end(f.end(Role::Server))
    );
    Some(
        Hit::new(detail, "On the client: call the server by name (openssl s_client -servername NAME).")
            .at(h.mark)
            .blame(Blame::Client),
    )
}

/// What is wrong with a host name as a server name (RFC 6066, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadName {
    Address,
    Dot,
    Port,
    Letters,
}

impl BadName {
    fn of(name: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(name).unwrap_or_default();
        let port = text.rsplit_once(':').is_some_and(|(_, p)| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
        if text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok() {
            Some(Self::Address)
        } else if name.ends_with(b".") {
            Some(Self::Dot)
        } else if port {
            Some(Self::Port)
        } else if !name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
            Some(Self::Letters)
        } else {
            None
        }
    }
}

fn bad_name(f: &FlowFacts, bad: BadName, remedy: &str) -> Option<Hit> {
    let h = f.client_hello.as_ref()?;
    let name = f.server_name().filter(|n| BadName::of(n) == Some(bad))?;
    let detail = format!("The server name in frame {} is \"{}\".", h.mark.frame, text::escape_bytes(name));
    Some(Hit::new(detail, remedy).at(h.mark).blame(Blame::Client))
}

fn sni_ip(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let remedy =
        "On the client: call the server by a name, or update the client (an address must not be sent as a name).";
    bad_name(f, BadName::Address, remedy)
}

fn sni_dot(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    bad_name(f, BadName::Dot, "On the client: call the server by its name without the dot.")
}

fn sni_port(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    bad_name(f, BadName::Port, "On the client: configure the name without the port.")
}

fn sni_invalid(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    bad_name(f, BadName::Letters, "On the client: correct the name it is configured with.")
}

fn ssl2(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref().filter(|h| h.message.ssl2_format)?;
    let detail = format!(
        "The hello in frame {} is in SSL 2.0's format and offers {}.",
        h.mark.frame,
        words::offered_versions(&h.message)
    );
    Some(
        Hit::new(detail, "On the client: update its TLS library, or disable SSL 2.0 in it (Java: remove SSLv2Hello).")
            .at(h.mark)
            .blame(Blame::Client),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, fin, find, hello, leaf, mark, rst, server_flight, told};
    use crate::diagnose::Confidence;
    use crate::facts::{FlowFacts, Outcome};
    use crate::span::Side;

    fn late(mut f: FlowFacts) -> FlowFacts {
        f.tcp.fin[Side::A] = Some(mark(5000));
        f.last = mark(5000);
        f
    }

    #[test]
    fn the_server_closes() {
        assert_eq!(told(&fin(hello(), Side::B)).cause, Some("server-closed-after-client-hello"));
        assert_eq!(told(&rst(hello(), Side::B)).cause, Some("server-closed-after-client-hello"));
        assert!(find(&fin(hello(), Side::A), "server-closed-after-client-hello").is_none());
        assert!(find(&fin(server_flight(vec![leaf()]), Side::B), "server-closed-after-client-hello").is_none());
    }

    #[test]
    fn the_server_says_nothing() {
        let d = told(&late(hello()));
        assert_eq!(d.cause, Some("server-hello-timeout"));
        assert_eq!(d.findings[0].confidence, Confidence::Likely, "the answer may have been lost before the capture");
        assert!(
            find(&fin(hello(), Side::A), "server-hello-timeout").is_some_and(|x| x.confidence == Confidence::Likely)
        );
        assert!(find(&server_flight(vec![leaf()]), "server-hello-timeout").is_none());
    }

    #[test]
    fn one_direction_proves_no_silence() {
        let mut f = late(hello());
        f.tcp.packets[Side::B] = 0;
        let d = told(&f);
        assert_eq!((d.outcome, d.cause), (Outcome::Incomplete, None));
        assert!(d.findings.iter().any(|x| x.code == "capture-one-sided"));
    }

    #[test]
    fn nothing_is_acknowledged() {
        let mut f = late(hello());
        f.tcp.acked[Side::A] = 0;
        f.sides[Side::A].retransmitted = 5;
        assert_eq!(told(&f).cause, Some("client-hello-not-acked"));
        assert!(find(&late(hello()), "client-hello-not-acked").is_none());
    }

    #[test]
    fn names_that_are_missing_or_wrong() {
        let with = |n: Option<&[u8]>| {
            let mut f = established(server_flight(vec![leaf()]));
            f.client_hello.as_mut().expect("there").message.extensions.server_name = n.map(|n| vec![Box::from(n)]);
            f
        };
        assert!(find(&with(None), "no-sni").is_some() && find(&with(Some(b"a.example")), "no-sni").is_none());
        assert!(
            find(&with(Some(b"192.0.2.2")), "sni-is-ip").is_some()
                && find(&with(Some(b"a.example")), "sni-is-ip").is_none()
        );
        let names = |n| -> Vec<&str> {
            let all = told(&with(Some(n))).findings.into_iter().map(|x| x.code);
            all.filter(|c| c.starts_with("sni-")).collect()
        };
        assert_eq!(names(b"a.example."), ["sni-trailing-dot"]);
        assert_eq!(names(b"a.example:443"), ["sni-has-port"]);
        assert_eq!(names(b"a b"), ["sni-invalid"]);
        assert_eq!(names(b"[2001:db8::1]"), ["sni-is-ip"]);
        assert!(names(b"a_b.example").is_empty());
    }

    #[test]
    fn a_hello_of_another_age() {
        let mut f = hello();
        f.client_hello.as_mut().expect("there").message.ssl2_format = true;
        assert!(find(&f, "sslv2-hello").is_some() && find(&hello(), "sslv2-hello").is_none());
    }
}

//! Before TLS: connections that were refused, not answered, or opened for nothing.

use std::net::IpAddr;

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Unreachable;
use crate::span::Side;
use crate::tls::Start;

/// A SYN-ACK that is repeated sooner was not repeated by a timer (RFC 6298, section 2: 1 s, Linux: 1 s, at least 200 ms
/// everywhere).
const TIMER_US: u64 = 200_000;

const PROBE: &str = "  nc -vz HOST PORT\n  traceroute -T -p PORT HOST";

pub(super) const RULES: &[Rule] = &[
    new(
        "tcp-syn-timeout",
        Severity::Error,
        60,
        "Nobody answered: the connection could not be opened",
        page(
            "The client sent its SYN several times, with growing pauses, and no answer came, neither SYN-ACK nor RST.",
            "A firewall drops the packets, there is no route (or none back), or the machine is down. A network problem, not one of TLS.",
            "Certain at the point of capture: an answer that took another way would not be seen.",
            "Check address and port, firewalls and security groups on both sides, and the route back.",
            PROBE,
            "RFC 9293, section 3.8.3",
        ),
        syn_timeout,
    ),
    new(
        "tcp-refused",
        Severity::Error,
        60,
        "The connection was refused",
        page(
            "The SYN was answered with RST.",
            "No program listens on that address and port, it listens on another address (127.0.0.1), or a firewall rejects. A problem before TLS.",
            "Certain that it was refused; whether by the machine or by a firewall, the time to live may tell.",
            "Start the service, or correct the port; check what it listens on (ss -tlnp) and port mappings (docker ps, kubectl get endpoints).",
            PROBE,
            "RFC 9293, section 3.5.2",
        ),
        refused,
    ),
    new(
        "tcp-icmp-unreachable",
        Severity::Error,
        61,
        "The network says that the server cannot be reached",
        page(
            "The client's SYN was answered by an ICMP \"destination unreachable\" that quotes it, and by nothing else.",
            "A firewall rejects (administratively prohibited; iptables REJECT says port unreachable), a router knows no way, or the machine does not answer its neighbors. A problem before TLS.",
            "Certain that it was said; the message names who said it.",
            "Look at the device with the address that the message comes from: its rules (iptables -S, nft list ruleset, security groups, Kubernetes NetworkPolicy) or its routes (ip route get ADDRESS).",
            "  nc -vz HOST PORT\n  traceroute -n -T -p PORT HOST\n  ip route get ADDRESS",
            "RFC 792; RFC 1812, section 5.2.7.1; RFC 4443, section 3.1",
        ),
        unreachable,
    ),
    new(
        "tcp-accept-backlog",
        Severity::Warning,
        0,
        "The server's queue of new connections seems to be full",
        page(
            "The client answered the server's SYN-ACK and sent data, yet the server repeated its SYN-ACK.",
            "When the queue behind listen() is full, Linux drops the client's acknowledgement and repeats the SYN-ACK after a second: connecting takes seconds, or fails. Too few workers accept, or the queue is too short.",
            "Likely. The acknowledgement and the data may also have been lost between this point and the server.",
            "Let the program accept faster (more workers), and lengthen its queue: nginx listen … backlog=, Java ServerSocket(port, backlog), Go uses net.core.somaxconn; sysctl net.core.somaxconn.",
            "  ss -ltn   (Recv-Q against Send-Q of the port)\n  nstat -az TcpExtListenOverflows TcpExtListenDrops",
            "RFC 9293, section 3.5; listen(2)",
        ),
        backlog,
    ),
    new(
        "tcp-half-open-no-data",
        Severity::Info,
        0,
        "The client connected and went away without a byte",
        page(
            "The TCP handshake was completed, the client sent no data, and the connection ended.",
            "Health checks of load balancers, port scans, and browsers that connect ahead of need do that.",
            "Certain: both directions were captured.",
            "Nothing. Let health checks speak TLS if the server's log fills with errors about them.",
            PROBE,
            "RFC 9293, section 3.5",
        ),
        no_data,
    ),
];

fn nothing_said(f: &FlowFacts) -> bool {
    f.tcp.data.iter().all(Option::is_none)
}

fn syn_timeout(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let opener = f.tcp.opener()?;
    let syn = f.tcp.syn[opener]?;
    let answered = f.tcp.packets[opener.other()] > 0;
    // Two SYNs may be all that the capture had time for; one may have been answered behind its end.
    // More packets than SYNs answer something that was not captured.
    let went_on = f.tcp.packets[opener] > u64::from(syn.count);
    if answered || went_on || syn.count < 3 || !nothing_said(f) || f.evicted || f.tcp.unreachable[opener].is_some() {
        return None;
    }
    let detail = format!(
        "{} sent {} SYNs to {} in {} (frames {} to {}), and nothing came back.",
        words::end(f.ends.of(opener)),
        syn.count,
        words::end(f.ends.of(opener.other())),
        words::duration(syn.last.time.us_since(syn.first.time)),
        syn.first.frame,
        syn.last.frame
    );
    let remedy = format!(
        "On the network: check that {} is up and reachable, that no firewall drops the packets, and that the way back exists (nc -vz, traceroute -T).",
        words::end(f.ends.of(opener.other()))
    );
    Some(Hit::new(detail, remedy).at(syn.first).at(syn.last).blame(Blame::Network))
}

/// What the code of an ICMP message says (RFC 792; RFC 1122, section 3.2.2.1; RFC 1812, section 5.2.7.1; RFC 4443,
/// section 3.1).
fn reason(u: &Unreachable) -> &'static str {
    match (u.from, u.code) {
        (IpAddr::V4(_), 9 | 10 | 13) | (IpAddr::V6(_), 1) => "administratively prohibited",
        (IpAddr::V4(_), 0 | 6 | 11) | (IpAddr::V6(_), 0) => "no route to that network",
        (IpAddr::V4(_), 1 | 7 | 12) | (IpAddr::V6(_), 3) => "the host cannot be reached",
        (IpAddr::V4(_), 2) => "the host does not know the protocol",
        (IpAddr::V4(_), 3) | (IpAddr::V6(_), 4) => "port unreachable",
        (IpAddr::V6(_), 2) => "beyond the scope of the source address",
        (IpAddr::V6(_), 5) => "the source address is not permitted",
        (IpAddr::V6(_), 6) => "rejected by a route",
        _ => "destination unreachable",
    }
}

fn unreachable(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let opener = f.tcp.opener()?;
    let syn = f.tcp.syn[opener]?;
    let u = f.tcp.unreachable[opener].as_deref()?;
    // Such a message may be a passing one: a client that goes on and is answered has reached the server.
    if f.tcp.packets[opener.other()] > 0 || !nothing_said(f) {
        return None;
    }
    let to = f.ends.of(opener.other());
    let who = if u.from == to.ip { "the host itself".to_owned() } else { u.from.to_string() };
    let detail = format!(
        "The SYN of {} to {} (frame {}) was answered in frame {} by {who} with ICMP code {}: {}.",
        words::end(f.ends.of(opener)),
        words::end(to),
        syn.first.frame,
        u.mark.frame,
        u.code,
        reason(u)
    );
    let remedy = format!("On the network: look at the rules and routes of {}; check address and port.", u.from);
    Some(Hit::new(detail, remedy).at(syn.first).at(u.mark).blame(Blame::Network))
}

fn backlog(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let opener = f.tcp.opener()?;
    let again = f.tcp.syn_ack[opener.other()].filter(|s| s.count > 1)?;
    let data = f.tcp.data[opener].filter(|d| (again.first.frame..again.last.frame).contains(&d.frame))?;
    let waited = again.last.time.us_since(data.time);
    // What the server sent before the data could have reached it and its answer come back says nothing (counted from the
    // first SYN, since nobody can tell which of several was answered); and data that was taken is not sent again.
    let way = f.tcp.syn[opener].map_or(0, |s| again.first.time.us_since(s.first.time));
    if waited < way.saturating_add(TIMER_US) || f.sides[opener].retransmitted == 0 {
        return None;
    }
    let detail = format!(
        "{} sent its SYN-ACK {} times (frames {} to {}), the last time {} after the client's first data (frame {}).",
        words::end(f.ends.of(opener.other())),
        again.count,
        again.first.frame,
        again.last.frame,
        words::duration(waited),
        data.frame
    );
    let remedy = "On the server: see whether the queue overflows (ss -ltn, nstat -az TcpExtListenOverflows); add workers or lengthen it (listen backlog, net.core.somaxconn).";
    Some(Hit::new(detail, remedy).at(again.first).at(data).at(again.last).likely().blame(Blame::Server))
}

fn refused(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !f.tcp.refused {
        return None;
    }
    let opener = f.tcp.opener()?;
    let server = opener.other();
    let rst = f.tcp.rst[server]?;
    let detail = format!(
        "{} answered the SYN of {} with RST in frame {}.",
        words::end(f.ends.of(server)),
        words::end(f.ends.of(opener)),
        rst.frame
    );
    let remedy = "On the server: start the program, and check address and port it listens on (ss -tlnp). On the client: check host and port.";
    Some(Hit::new(detail, remedy).at_any(f.tcp.syn[opener].map(|s| s.first)).at(rst).blame(Blame::Either))
}

fn no_data(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let opener = f.tcp.opener()?;
    let shaken = f.tcp.syn[opener].is_some() && f.tcp.syn_ack[opener.other()].is_some();
    let ended = f.tcp.fin.iter().chain(&f.tcp.rst).any(Option::is_some);
    let unacked = [Side::A, Side::B].into_iter().any(|s| !f.sides[s].gaps.is_empty());
    // A TLS server may answer the close of a client that said nothing with an alert; one that greets speaks first.
    let server = opener.other();
    let mute = f.tcp.data[server].is_none()
        || (matches!(f.sides[server].start, Some((Start::Tls, _))) && f.server_hello.is_none());
    if !shaken || !ended || !mute || f.tcp.bytes[opener] > 0 || unacked || f.tcp.refused {
        return None;
    }
    let detail = format!(
        "{} connected to {} and the connection ended after {} without a byte of its own.",
        words::end(f.ends.of(opener)),
        words::end(f.ends.of(opener.other())),
        words::duration(f.last.time.us_since(f.first.time))
    );
    Some(Hit::new(detail, "").at(f.first).at(f.last).blame(Blame::Nobody))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, fin, find, hello, leaf, mark, server_flight, told};
    use crate::facts::FlowFacts;
    use crate::flow::{Sightings, Unreachable};
    use crate::span::Side;

    /// A connection on which nothing was said.
    fn mute() -> FlowFacts {
        let mut f = hello();
        f.client_hello = None;
        f.messages.clear();
        f.sides[Side::A].start = None;
        f.tcp.data = Default::default();
        f
    }

    #[test]
    fn nobody_answers() {
        let mut f = mute();
        f.tcp.syn_ack = Default::default();
        f.tcp.packets = crate::span::Pair::new(4, 0);
        f.tcp.syn[Side::A] = Some(Sightings { first: mark(1), last: mark(7000), count: 4 });
        assert_eq!(told(&f).cause, Some("tcp-syn-timeout"));
        f.tcp.packets = crate::span::Pair::new(4, 1);
        assert!(find(&f, "tcp-syn-timeout").is_none());
    }

    #[test]
    fn refused() {
        let mut f = mute();
        f.tcp.syn_ack = Default::default();
        f.tcp.rst[Side::B] = Some(mark(2));
        f.tcp.refused = true;
        assert_eq!(told(&f).cause, Some("tcp-refused"));
        f.tcp.refused = false;
        assert!(find(&f, "tcp-refused").is_none());
    }

    #[test]
    fn a_router_answers() {
        let mut f = mute();
        f.tcp.syn_ack = Default::default();
        f.tcp.packets = crate::span::Pair::new(4, 0);
        f.tcp.syn[Side::A] = Some(Sightings { first: mark(1), last: mark(7000), count: 4 });
        f.tcp.unreachable[Side::A] =
            Some(Box::new(Unreachable { mark: mark(2), from: [198, 51, 100, 1].into(), code: 13, mtu: None }));
        let d = told(&f);
        assert_eq!(d.cause, Some("tcp-icmp-unreachable"));
        assert!(d.findings[0].detail.contains("198.51.100.1") && d.findings[0].detail.contains("prohibited"));
        assert!(find(&f, "tcp-syn-timeout").is_none());
        // The client tried again and was answered.
        f.tcp.packets[Side::B] = 1;
        assert!(find(&f, "tcp-icmp-unreachable").is_none());
    }

    #[test]
    fn a_full_queue() {
        let mut f = established(server_flight(vec![leaf()]));
        let twice = |last| Some(Sightings { first: mark(2), last: mark(last), count: 2 });
        f.sides[Side::A].retransmitted = 1;
        f.tcp.syn_ack[Side::B] = twice(1002);
        assert!(find(&f, "tcp-accept-backlog").is_some_and(|x| x.detail.contains("998 ms")));
        // A way of a second there and back.
        let mut far = f.clone();
        far.tcp.syn[Side::A] = Some(Sightings { first: mark(1), last: mark(1), count: 1 });
        far.tcp.syn_ack[Side::B] = Some(Sightings { first: mark(1001), last: mark(2002), count: 2 });
        far.tcp.data[Side::A] = Some(mark(1003));
        assert!(find(&far, "tcp-accept-backlog").is_none());
        // Answered before the client had sent anything: its acknowledgement was lost or late.
        f.tcp.syn_ack[Side::B] = twice(3);
        assert!(find(&f, "tcp-accept-backlog").is_none());
    }

    #[test]
    fn probes() {
        let f = fin(mute(), Side::A);
        assert!(find(&f, "tcp-half-open-no-data").is_some() && told(&f).cause.is_none());
        let mut f = f;
        f.tcp.bytes[Side::A] = 1;
        assert!(find(&f, "tcp-half-open-no-data").is_none());
    }
}

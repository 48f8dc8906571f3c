//! Before TLS: connections that were refused, not answered, or opened for nothing.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Side;
use crate::tls::Start;

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
        "The connection was refused: nothing listens on the port",
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
    if answered || syn.count < 3 || !nothing_said(f) || f.evicted {
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
    Some(Hit::new(detail, remedy).at_any(f.tcp.syn[opener].map(|s| s.first)).at(rst).blame(Blame::Server))
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
    use super::super::testing::{fin, find, hello, mark, told};
    use crate::facts::FlowFacts;
    use crate::flow::Sightings;
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
    fn probes() {
        let f = fin(mute(), Side::A);
        assert!(find(&f, "tcp-half-open-no-data").is_some() && told(&f).cause.is_none());
        let mut f = f;
        f.tcp.bytes[Side::A] = 1;
        assert!(find(&f, "tcp-half-open-no-data").is_none());
    }
}

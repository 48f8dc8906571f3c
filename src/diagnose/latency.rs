//! Where the time of a handshake went, and what the transport did to it.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, MessageKind, Outcome};
use crate::flow::{GapReason, Mark, Pause};
use crate::span::Role;
use crate::tls::names::HandshakeType;

/// Longer than a handshake step takes on any machine that is not in trouble: the slowest signatures in use (RSA with 4096
/// bits, a smart card) take some tens to hundreds of milliseconds, and a person notices a second.
const SLOW_US: u64 = 1_000_000;

/// Answers of applications take longer by right (a query, a long poll): three seconds are worth a note, no more.
const SLOW_ANSWER_US: u64 = 3_000_000;

/// Bytes that a server may send before the first acknowledgement: ten segments (RFC 6928, section 2) of the usual 1460.
const FIRST_WINDOW: u64 = 14_600;

/// Payload from which a segment counts as full: IPv6's smallest MTU less its headers is 1220.
const FULL_SEGMENT: u32 = 1200;

/// A round trip that is worth a word: below it both ends are on one site, and nobody notices.
const TRIP_US: u64 = 10_000;

/// How much longer than the path an acknowledgement must take to be a delayed one.
const BEYOND_PATH_US: u64 = 30_000;

const TIMES: &str = "  curl -sS -o /dev/null -w 'connect %{time_connect} tls %{time_appconnect} first byte %{time_starttransfer}\\n' https://NAME:PORT/";
const TCP: &str =
    "  ss -tino dst HOST        (rtt, retrans, cwnd, mss)\n  tshark -r capture.pcapng -Y tcp.analysis.flags";

pub(super) const RULES: &[Rule] = &[
    new(
        "slow-tcp-connect",
        Severity::Warning,
        0,
        "The TCP connection took long to open",
        page(
            "A second or more passed between the client's first SYN and the SYN-ACK.",
            "The first SYN (or its answer) was lost and repeated after a second, the server's queue of new connections is full, or the path is very long.",
            "Certain: measured in the capture.",
            "Look for loss on the path and at the queue of the server (ss -ltn: Recv-Q against Send-Q; nstat -az TcpExtListenOverflows).",
            TIMES,
            "RFC 6298, section 2",
        ),
        slow_connect,
    ),
    new(
        "slow-server-hello",
        Severity::Warning,
        0,
        "The server took long to answer the ClientHello",
        page(
            "A second or more passed between ClientHello and ServerHello beyond the time that the path takes.",
            "The server (or the load balancer before it reaches a backend) is overloaded, waits for a lookup (DNS of the client, a session store, OCSP for stapling), or for entropy.",
            "Certain that the time passed behind the point of capture on the server's side; the path's share is taken from the opening of the connection.",
            "Look at the server's load and threads at that time, and at what it asks others before it answers (nginx: resolver, session cache; HAProxy: timeout client-hello; Envoy: SDS).",
            TIMES,
            "RFC 8446, section 2",
        ),
        slow_hello,
    ),
    new(
        "slow-certificate-flight",
        Severity::Warning,
        0,
        "The server took long to send its certificate and the rest of its flight",
        page(
            "A second or more passed between the ServerHello and the end of the server's flight.",
            "The server waits inside its flight: for a signature (HSM, remote key server, TPM), an OCSP response to staple, or a client that reads slowly.",
            "Certain that the time passed; likely that it is the server's, since lost segments are told apart.",
            "Measure the signature (openssl speed rsa2048, the log of the HSM or key server); staple from a cache (nginx: ssl_stapling_file), use an ECDSA key.",
            TIMES,
            "RFC 8446, section 4.4",
        ),
        slow_flight,
    ),
    new(
        "cert-flight-exceeds-initcwnd",
        Severity::Info,
        0,
        "The server's flight is too large for the first window",
        page(
            "The server sent more than ten full segments before the client could answer.",
            "A server may send about 14 KB before it has to wait for the first acknowledgement: more costs each new connection a round trip. Long chains, certificates with hundreds of names, large lists of CAs, post-quantum signatures do this.",
            "The size is certain for TLS 1.2 and before, and by the sum of the records for TLS 1.3; whether the server waited depends on its first window.",
            "Send fewer and smaller certificates (no root, ECDSA instead of RSA, names spread over several certificates), compress them (RFC 8879), trim the list of CAs (nginx: ssl_client_certificate with only the CAs needed), or raise the window (ip route change … initcwnd 20).",
            "  openssl s_client -connect HOST:PORT -servername NAME -showcerts -msg </dev/null | grep 'SSL handshake has read'",
            "RFC 6928; RFC 8879",
        ),
        large_flight,
    ),
    new(
        "slow-client-response",
        Severity::Warning,
        0,
        "The client took long to answer the server's flight",
        page(
            "A second or more passed between the end of the server's flight and the client's answer, beyond the time that the path takes.",
            "The client checks the server's certificate against something slow (OCSP or CRL download, a proxy for it), asks a person (PIN, choice of certificate), or signs with a smart card or HSM.",
            "Certain that the time passed behind the point of capture on the client's side.",
            "On the client: look at its revocation checks (Java: com.sun.security.enableCRLDP; Windows: CAPI2 log; curl --ssl-no-revoke to compare), its key store, and at DNS.",
            TIMES,
            "RFC 8446, section 4.4",
        ),
        slow_client,
    ),
    new(
        "slow-finished",
        Severity::Warning,
        0,
        "The server took long to finish the handshake",
        page(
            "A second or more passed between the client's Finished and the server's, beyond the time that the path takes (TLS 1.2 and before).",
            "The server checks the client's certificate against something slow (OCSP, CRL, LDAP), decrypts the key exchange with an HSM, or is overloaded.",
            "Certain that the time passed behind the point of capture on the server's side.",
            "On the server: look at its checks of client certificates (nginx: ssl_ocsp, ssl_crl; Apache: SSLOCSPEnable) and at its load.",
            TIMES,
            "RFC 5246, section 7.4.9",
        ),
        slow_finished,
    ),
    new(
        "slow-first-byte",
        Severity::Info,
        0,
        "The first answer came long after the first request",
        page(
            "Three seconds or more passed between the client's first application data and the server's (TLS 1.2 and before, where both can be told from handshake messages).",
            "TLS is done: the application behind it takes its time, or what waits is meant to (a long poll).",
            "Certain that the time passed; what was asked is encrypted.",
            "Look at the application, not at TLS.",
            TIMES,
            "RFC 5246, section 10",
        ),
        slow_answer,
    ),
    new(
        "handshake-retransmit-stall",
        Severity::Warning,
        0,
        "The handshake stood still until a lost packet was sent again",
        page(
            "A side sent bytes of its handshake again, or late, after a pause of 200 ms or more.",
            "A packet was lost and only a timer brought it back: each such loss costs 200 ms to seconds, several of them make a handshake fail.",
            "Certain that it was sent again after that pause; where it was lost, a capture at the other end tells.",
            "Look for loss on the path (mtr, interface counters: ip -s link, ethtool -S), for policers and for a full queue. If only large packets are lost, see server-flight-lost-mtu.",
            TCP,
            "RFC 6298; RFC 8985",
        ),
        stall,
    ),
    new(
        "server-flight-lost-mtu",
        Severity::Warning,
        0,
        "Large packets of the server do not reach the client",
        page(
            "Small packets pass both ways, and the server's full-size segments, with its certificate, are never acknowledged though it repeats them (or never reach the point of capture).",
            "A link on the way takes smaller packets than the two ends agreed on, and the ICMP message that would say so is dropped (VPN, PPPoE, GRE, VXLAN, cloud tunnels): a path MTU black hole.",
            "Certain where an ICMP message names the size; else likely: only loss that hits large packets alone looks like this.",
            "On the path: let ICMP type 3 code 4 (v6: type 2) pass, or clamp the MSS (iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu). On the server: net.ipv4.tcp_mtu_probing = 1. In Kubernetes: the MTU of the CNI.",
            "  ping -M do -s 1472 CLIENT      (then smaller until it passes)\n  tracepath CLIENT",
            "RFC 2923, section 2.1; RFC 4821",
        ),
        black_hole,
    ),
    new(
        "zero-window-in-handshake",
        Severity::Warning,
        0,
        "A side told the other to send nothing while the handshake went on",
        page(
            "A segment with a window of 0 during the handshake.",
            "The program does not read: it is stopped, overloaded, or its buffer is too small for the other's flight.",
            "Certain: read from the TCP header.",
            "Look at that program's threads and at its buffer (ss -tnmp; net.ipv4.tcp_rmem, SO_RCVBUF).",
            TCP,
            "RFC 9293, section 3.8.6",
        ),
        zero_window,
    ),
    new(
        "delayed-ack-nagle-stall",
        Severity::Info,
        0,
        "A side held part of its flight back until the other acknowledged the rest",
        page(
            "In the middle of its flight a side waited for an acknowledgement, which its peer delayed by 40 ms or more, and went on the moment it came.",
            "Programs that write each record on its own (Java's JSSE, some embedded stacks) meet Nagle's algorithm on their side and delayed acknowledgements on the other: each flight costs 40 to 200 ms.",
            "Likely: the order and times of the packets fit nothing else well.",
            "On the side that waits: set TCP_NODELAY (Java: Socket.setTcpNoDelay(true)), or write the flight at once (BufferedOutputStream; OpenSSL buffers its handshake by itself).",
            TCP,
            "RFC 9293, section 3.7.4; RFC 1122, section 4.2.3.2",
        ),
        nagle,
    ),
    new(
        "extra-rtt-hrr",
        Severity::Info,
        0,
        "A HelloRetryRequest cost a round trip",
        page(
            "The server asked for another key share, and the client had to send its ClientHello again, 10 ms or more after the first.",
            "Each new connection of this client to this server takes a round trip more than it needs.",
            "Certain: both hellos were read in clear; the time is measured.",
            "On the client: send a key share of the group that the server prefers (put it first: openssl -groups, curl --curves, Java jdk.tls.namedGroups, Go CurvePreferences). On the server: accept a group that clients send a share for (X25519, X25519MLKEM768).",
            "  openssl s_client -connect HOST:PORT -groups GROUP -msg </dev/null | grep -c ClientHello",
            "RFC 8446, section 4.1.4",
        ),
        retry_trip,
    ),
];

/// Time of the path from the point of capture to the server and back, from the opening of the connection; 0 where that was
/// not seen, or not at the first attempt.
fn server_path(f: &FlowFacts) -> u64 {
    let opened = f.tcp.opener().and_then(|o| f.tcp.syn[o].zip(f.tcp.syn_ack[o.other()]));
    opened.filter(|(s, a)| s.count == 1 && a.count == 1).map_or(0, |(s, a)| a.first.time.us_since(s.first.time))
}

/// The same to the client.
fn client_path(f: &FlowFacts) -> u64 {
    let answer = f.tcp.opener().and_then(|o| f.tcp.syn_ack[o.other()]).filter(|a| a.count == 1);
    answer.zip(f.tcp.opened_at).map_or(0, |(a, m)| m.time.us_since(a.first.time))
}

/// Time between two steps beyond what the path takes, when it is long and no lost packet explains it.
fn thought(f: &FlowFacts, from: Mark, to: Mark, path: u64) -> Option<u64> {
    let lost = f.pace.iter().any(|p| p.resent.is_some());
    let us = to.time.us_since(from.time).saturating_sub(path);
    (!lost && us >= SLOW_US && from.frame <= to.frame && f.client_hellos == 1).then_some(us)
}

fn slow_connect(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let opener = f.tcp.opener()?;
    let (syn, answer) = (f.tcp.syn[opener]?, f.tcp.syn_ack[opener.other()]?);
    let us = answer.first.time.us_since(syn.first.time);
    if us < SLOW_US {
        return None;
    }
    let again = match syn.count {
        1 => String::new(),
        n => format!(" The SYN was sent {n} times."),
    };
    let detail = format!("The SYN-ACK came {} after the first SYN.{again}", words::duration(us));
    let remedy = "Look for loss on the path, and for a full queue of new connections on the server (ss -ltn).";
    Some(Hit::new(detail, remedy).at(syn.first).at(answer.first).blame(Blame::Network))
}

fn slow_hello(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.client_hello.as_ref()?.mark;
    let answer = f.server_hello.as_ref()?.mark;
    let us = thought(f, hello, answer, server_path(f))?;
    let detail =
        format!("The ServerHello came {} after the ClientHello, beyond the time of the path.", words::duration(us));
    let remedy = "On the server: look at its load at that time and at what it asks others before it answers.";
    Some(Hit::new(detail, remedy).at(hello).at(answer).blame(Blame::Server))
}

/// The end of the server's flight.
fn flight_end(f: &FlowFacts) -> Option<Mark> {
    if !f.is_tls13() {
        return f.server_hello_done;
    }
    let (server, answer) = (f.side(Role::Server), client_answer(f)?);
    let before = f.shapes.iter().filter(|s| s.side == server && s.mark.frame < answer.frame);
    before.map(|s| s.mark).max_by_key(|m| m.frame)
}

/// The client's first message after the ServerHello.
fn client_answer(f: &FlowFacts) -> Option<Mark> {
    let hello = f.server_hello.as_ref()?.mark;
    let c = f.of(Role::Client);
    let alert = f.alerts_of(Role::Client).map(|(_, _, m)| m).find(|m| m.frame > hello.frame);
    // A change_cipher_spec of TLS 1.3 is sent for the sake of old devices, at any time.
    let ccs = if f.is_tls13() { None } else { c.ccs };
    let sent = c.certificates.as_ref().map(|x| x.mark);
    [sent, f.client_key_exchange, ccs, c.protected, alert].into_iter().flatten().min_by_key(|m| m.frame)
}

fn slow_flight(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.server_hello.as_ref()?.mark;
    let end = flight_end(f)?;
    let us = thought(f, hello, end, server_path(f).saturating_add(client_path(f)))?;
    let detail = format!("The server's flight ended {} after its ServerHello.", words::duration(us));
    let remedy = "On the server: measure its signature (HSM, key server), and what it fetches meanwhile (OCSP).";
    Some(Hit::new(detail, remedy).at(hello).at(end).blame(Blame::Server).likely())
}

fn large_flight(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let server = f.side(Role::Server);
    let hello = f.server_hello.as_ref()?.mark;
    let end = flight_end(f)?;
    let within = |m: Mark| m.frame <= end.frame && m.frame >= hello.frame;
    let clear = f.messages.iter().filter(|m| m.side == server && matches!(m.kind, MessageKind::Handshake(_)));
    let bytes = clear.filter(|m| within(m.mark)).fold(0u64, |n, m| n.saturating_add(m.length as u64));
    let shapes = f.shapes.iter().filter(|s| s.side == server && within(s.mark));
    let bytes = shapes.fold(bytes, |n, s| n.saturating_add(u64::from(s.len)));
    if bytes <= FIRST_WINDOW {
        return None;
    }
    let trip = match server_path(f).saturating_add(client_path(f)) {
        0 => String::new(),
        us => format!(" A round trip takes {} here.", words::duration(us)),
    };
    let detail =
        format!("The server's flight has {bytes} bytes; about {FIRST_WINDOW} fit into the first window.{trip}");
    let remedy = "On the server: send fewer and smaller certificates, and a shorter list of CAs.";
    Some(Hit::new(detail, remedy).at(hello).at(end).blame(Blame::Server))
}

fn slow_client(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (end, answer) = (flight_end(f)?, client_answer(f)?);
    let us = thought(f, end, answer, client_path(f))?;
    let asked = if f.certificate_request.is_some() {
        " The server had asked for a certificate: a person may have chosen one or typed a PIN."
    } else {
        ""
    };
    let detail = format!("The client answered {} after the server's flight.{asked}", words::duration(us));
    let remedy = "On the client: look at its revocation checks (OCSP, CRL), its key store and DNS.";
    Some(Hit::new(detail, remedy).at(end).at(answer).blame(Blame::Client))
}

fn slow_finished(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    // In a resumed session the server finishes first.
    if f.is_tls13() || f.resumed() != Some(false) {
        return None;
    }
    let (client, server) = (f.of(Role::Client).after_ccs?, f.of(Role::Server).after_ccs?);
    let us = thought(f, client, server, server_path(f))?;
    let detail = format!("The server finished {} after the client.", words::duration(us));
    let remedy = "On the server: look at its checks of client certificates (OCSP, CRL, LDAP) and at its load.";
    Some(Hit::new(detail, remedy).at(client).at(server).blame(Blame::Server))
}

fn slow_answer(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if f.is_tls13() || f.outcome() != Outcome::Established {
        return None;
    }
    let (asked, answered) = (f.of(Role::Client).application_data?, f.of(Role::Server).application_data?);
    let us = answered.time.us_since(asked.time);
    if us < SLOW_ANSWER_US || asked.frame > answered.frame {
        return None;
    }
    let detail = format!("The server's first data came {} after the client's.", words::duration(us));
    Some(Hit::new(detail, "Look at the application behind TLS.").at(asked).at(answered).blame(Blame::Server))
}

/// The message of which a side sent bytes again, or late, in a frame: one with bytes in it, else the last one before.
fn message_at(f: &FlowFacts, role: Role, mark: Mark) -> Option<HandshakeType> {
    let side = f.side(role);
    let named = || {
        f.messages.iter().filter(|m| m.side == side).filter_map(|m| match m.kind {
            MessageKind::Handshake(kind) => Some((m, kind)),
            _ => None,
        })
    };
    let late = named().find(|(m, _)| m.mark.frame == mark.frame || m.frames.contains(&mark.frame));
    late.or_else(|| named().rfind(|(m, _)| m.mark.frame < mark.frame)).map(|(_, kind)| kind)
}

/// The longer pause of the two sides, of those that `of` gives.
fn pause(f: &FlowFacts, of: impl Fn(&crate::flow::Pace) -> Option<Pause>) -> Option<(Role, Pause)> {
    let each = [Role::Client, Role::Server].into_iter().filter_map(|r| Some((r, of(&f.pace[f.side(r)])?)));
    each.max_by_key(|(_, p)| p.us)
}

fn stall(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    f.client_hello.as_ref()?;
    let (role, p) = pause(f, |p| p.resent)?;
    let n = f.pace[f.side(role)].resent_count;
    let what = message_at(f, role, p.mark)
        .and_then(|k| k.name())
        .map_or_else(String::new, |name| format!(" Its {name} was concerned."));
    let more = if n > 1 { format!(" It happened {n} times.") } else { String::new() };
    let detail = format!(
        "In frame {} the {role} sent {} again, or late, after a pause of {}.{what}{more}",
        p.mark.frame,
        words::count(p.len.into(), "byte"),
        words::duration(p.us)
    );
    let remedy = "On the network: look for loss between the two (mtr, interface counters, policers).";
    Some(Hit::new(detail, remedy).at(p.mark).blame(Blame::Network))
}

fn black_hole(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let server = f.side(Role::Server);
    let remedy = "On the path: let ICMP \"fragmentation needed\" pass, or clamp the MSS to the path's MTU; lower the MTU of the server's interface to try.";
    // The client's hello must have got through, and the handshake must have come to nothing.
    let hello = f.client_hello.as_ref()?.mark;
    if f.is_complete() || f.tcp.bytes[server] == 0 {
        return None;
    }
    let hit = |detail: String, mark: Mark| Hit::new(detail, remedy).at(hello).at(mark).blame(Blame::Network);
    let p = f.pace[server];
    let repeats = p.resent.filter(|r| r.len >= FULL_SEGMENT && p.resent_count >= 2 && f.tcp.acked[server] == 0);
    if let Some(r) = repeats {
        let said = f.tcp.too_big[server].map(|t| {
            let size = t.mtu.map_or_else(String::new, |m| format!(", which takes {m} bytes"));
            (t.mark, format!(" ICMP from {} says that a link on the way is too small{size}.", t.from))
        });
        let detail = format!(
            "The server repeated segments of {} bytes {} and the client acknowledged nothing of its flight.{}",
            r.len,
            words::count(u64::from(p.resent_count), "time"),
            said.as_ref().map_or("", |(_, s)| s.as_str())
        );
        let hit = hit(detail, r.mark);
        return Some(match said {
            Some((mark, _)) => hit.at(mark),
            None => hit.likely(),
        });
    }
    // At the client's end: what comes after the large segments arrives, they do not.
    let gap = f.sides[server].gaps.iter().find(|g| {
        matches!(g.reason, GapReason::Network) && g.bytes >= u64::from(FULL_SEGMENT) && f.tcp.acked[server] == 0
    })?;
    let detail = format!(
        "{} bytes of the server's flight never arrived, though later, smaller packets did (frame {}).",
        gap.bytes, gap.frame
    );
    let mut hit = hit(detail, hello).likely();
    hit.frames.push(gap.frame);
    Some(hit)
}

fn zero_window(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.client_hello.as_ref()?.mark;
    let each = [Role::Client, Role::Server].into_iter().filter_map(|r| Some((r, f.pace[f.side(r)].zero_window?)));
    let (role, mark) = each.min_by_key(|(_, m)| m.frame)?;
    // Behind the end of the connection a window means nothing.
    let ended = f.ended_by().is_some_and(|e| e.mark.frame <= mark.frame);
    if ended || mark.frame < hello.frame {
        return None;
    }
    let detail = format!("In frame {} the {role} offered a window of 0 bytes.", mark.frame);
    let remedy = format!("On the {role}: look at why its program does not read (threads, buffers, load).");
    Some(Hit::new(detail, remedy).at(mark).blame(Blame::from(role)))
}

fn nagle(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    f.client_hello.as_ref()?;
    let (role, p) = pause(f, |p| p.held)?;
    let path = server_path(f).saturating_add(client_path(f));
    // What comes behind its flight is no part of it.
    let end = match role {
        Role::Server => [flight_end(f), f.of(role).after_ccs],
        Role::Client => [f.of(role).finished_sized, f.of(role).after_ccs],
    };
    let end = end.into_iter().flatten().max_by_key(|m| m.frame);
    if end.is_none_or(|m| p.mark.frame > m.frame) {
        return None;
    }
    // Without the opening, the acknowledgement may simply have come from far away.
    if f.tcp.opened_at.is_none() || p.us < path.saturating_add(BEYOND_PATH_US) {
        return None;
    }
    let detail = format!(
        "The {role} waited {} for an acknowledgement in the middle of its flight and went on in frame {}.",
        words::duration(p.us),
        p.mark.frame
    );
    let remedy = format!("On the {role}: set TCP_NODELAY, or write the whole flight at once.");
    Some(Hit::new(detail, remedy).at(p.mark).blame(Blame::from(role)).likely())
}

fn retry_trip(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let retry = f.hello_retry.as_ref()?.mark;
    let first = f.client_hello.as_ref()?.mark;
    let second = f.second_hello.as_ref()?.mark;
    let us = second.time.us_since(first.time);
    if us < TRIP_US {
        return None;
    }
    let detail = format!("The second ClientHello came {} after the first.", words::duration(us));
    let remedy = "On the client: send a key share of the group that the server prefers.";
    Some(Hit::new(detail, remedy).at(first).at(retry).at(second).blame(Blame::Either))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, hello, leaf, mark, server_flight, server_hello};
    use crate::facts::{FlowFacts, Placed, Shape};
    use crate::flow::{Gap, GapReason, Mark, Pause, Unreachable};
    use crate::span::Side;
    use crate::tls::handshake::ServerHello;
    use crate::tls::names::ContentType;

    /// Frame `n`, so many milliseconds after the beginning.
    fn at(n: u64, ms: i64) -> Mark {
        let mut m = mark(n);
        m.time.0 = mark(0).time.0 + ms * 1_000_000;
        m
    }

    const LATENCY: [&str; 7] = [
        "slow-tcp-connect",
        "slow-server-hello",
        "slow-certificate-flight",
        "slow-client-response",
        "slow-finished",
        "slow-first-byte",
        "cert-flight-exceeds-initcwnd",
    ];

    /// A full handshake whose steps come at these milliseconds: SYN-ACK, ServerHello, ServerHelloDone, the client's answer, the
    /// server's Finished, the server's first data.
    fn steps(ms: [i64; 6]) -> FlowFacts {
        let mut f = established(server_flight(vec![leaf()]));
        let [answer, hello, done, client, finished, data] = ms;
        if let Some(s) = &mut f.tcp.syn_ack[Side::B] {
            s.first = at(2, answer);
        }
        f.tcp.syn[Side::A].as_mut().expect("there").first = at(1, 0);
        f.client_hello.as_mut().expect("there").mark = at(4, answer);
        f.server_hello.as_mut().expect("there").mark = at(6, hello);
        f.server_hello_done = Some(at(8, done));
        f.client_key_exchange = Some(at(9, client));
        (f.sides[Side::A].ccs, f.sides[Side::A].after_ccs) = (Some(at(9, client)), Some(at(9, client)));
        (f.sides[Side::B].ccs, f.sides[Side::B].after_ccs) = (Some(at(10, finished)), Some(at(10, finished)));
        f.sides[Side::A].application_data = Some(at(12, finished));
        f.sides[Side::B].application_data = Some(at(13, data));
        f
    }

    fn slow(f: &FlowFacts) -> Vec<&'static str> {
        LATENCY.into_iter().filter(|c| find(f, c).is_some()).collect()
    }

    #[test]
    fn each_step_has_its_name() {
        assert!(slow(&steps([20, 60, 70, 90, 110, 150])).is_empty());
        for (ms, code) in [
            ([1200, 1210, 1220, 1230, 1240, 1250], "slow-tcp-connect"),
            ([20, 1100, 1110, 1120, 1130, 1140], "slow-server-hello"),
            ([20, 60, 1100, 1120, 1130, 1140], "slow-certificate-flight"),
            ([20, 60, 70, 1100, 1130, 1140], "slow-client-response"),
            ([20, 60, 70, 90, 1150, 1160], "slow-finished"),
            ([20, 60, 70, 90, 110, 3120], "slow-first-byte"),
        ] {
            assert_eq!(slow(&steps(ms)), [code]);
        }
        // A path of 600 ms (a satellite) makes no step slow.
        assert!(slow(&steps([600, 1200, 1210, 1220, 1830, 2440])).is_empty());
    }

    #[test]
    fn a_lost_packet_is_no_thought() {
        let mut f = steps([20, 1100, 1110, 1120, 1130, 1140]);
        f.pace[Side::B].resent = Some(Pause { mark: at(6, 1100), us: 1_000_000, len: 1460 });
        f.pace[Side::B].resent_count = 1;
        assert!(slow(&f).is_empty());
        let x = find(&f, "handshake-retransmit-stall").expect("told");
        assert!(x.detail.contains("the server sent 1460 bytes again, or late, after a pause of 1.0 s"), "{}", x.detail);
        assert!(find(&steps([20, 60, 70, 90, 110, 150]), "handshake-retransmit-stall").is_none());
    }

    #[test]
    fn flights_that_do_not_fit() {
        let mut f = established(server_hello(0x0304));
        let shape = |n, side, len| Shape { mark: mark(n), side, content_type: ContentType::APPLICATION_DATA, len };
        f.shapes = vec![shape(6, Side::B, 9000), shape(7, Side::B, 9000), shape(9, Side::A, 53)];
        f.sides[Side::A].protected = Some(mark(9));
        let x = find(&f, "cert-flight-exceeds-initcwnd").expect("told");
        assert!(x.detail.contains("18001 bytes"), "{}", x.detail);
        f.shapes[1].len = 100;
        assert!(find(&f, "cert-flight-exceeds-initcwnd").is_none());
        // What comes behind the client's answer is no part of it.
        f.shapes.push(shape(12, Side::B, 16000));
        assert!(find(&f, "cert-flight-exceeds-initcwnd").is_none());
    }

    #[test]
    fn a_black_hole_for_large_packets() {
        let lost = |len| {
            let mut f = server_hello(0x0303);
            f.tcp.bytes = crate::span::Pair::new(200, 5000);
            f.pace[Side::B].resent = Some(Pause { mark: mark(12), us: 400_000, len });
            f.pace[Side::B].resent_count = 3;
            f
        };
        let x = find(&lost(1460), "server-flight-lost-mtu").expect("told");
        assert_eq!(x.confidence, crate::diagnose::Confidence::Likely);
        assert!(find(&lost(300), "server-flight-lost-mtu").is_none(), "small packets are lost too");
        let mut acked = lost(1460);
        acked.tcp.acked[Side::B] = 1460;
        assert!(find(&acked, "server-flight-lost-mtu").is_none());
        let mut said = lost(1460);
        said.tcp.too_big[Side::B] =
            Some(Unreachable { mark: mark(13), from: [198, 51, 100, 1].into(), code: 4, mtu: Some(1400) });
        let x = find(&said, "server-flight-lost-mtu").expect("told");
        assert!(x.detail.contains("takes 1400 bytes"), "{}", x.detail);
        assert_eq!(x.confidence, crate::diagnose::Confidence::Certain);
        let mut client_end = server_hello(0x0303);
        client_end.tcp.bytes = crate::span::Pair::new(200, 300);
        let gap = |reason| Gap { at: 90, bytes: 2920, frame: mark(9).frame, reason };
        client_end.sides[Side::B].gaps.push(gap(GapReason::Network));
        assert!(find(&client_end, "server-flight-lost-mtu").is_some());
        client_end.sides[Side::B].gaps = vec![gap(GapReason::Capture)];
        assert!(find(&client_end, "server-flight-lost-mtu").is_none(), "the capture lost them");
    }

    #[test]
    fn windows_and_acknowledgements() {
        let fine = established(server_flight(vec![leaf()]));
        let mut f = fine.clone();
        f.pace[Side::A].zero_window = Some(mark(7));
        assert!(find(&f, "zero-window-in-handshake").is_some() && find(&fine, "zero-window-in-handshake").is_none());
        // Behind the end it means nothing.
        let mut over = alert(hello(), Side::B, 40);
        over.pace[Side::A].zero_window = Some(mark(20));
        assert!(find(&over, "zero-window-in-handshake").is_none());
        let mut f = fine.clone();
        f.tcp.opened_at = Some(mark(3));
        f.pace[Side::B].held = Some(Pause { mark: mark(8), us: 41_000, len: 800 });
        assert!(find(&f, "delayed-ack-nagle-stall").is_some() && find(&fine, "delayed-ack-nagle-stall").is_none());
        // The path itself takes that long.
        f.tcp.syn_ack[Side::B].as_mut().expect("there").first = at(2, 40);
        f.tcp.opened_at = Some(at(3, 41));
        assert!(find(&f, "delayed-ack-nagle-stall").is_none());
    }

    #[test]
    fn a_retry_costs_a_round_trip() {
        let mut f = server_hello(0x0304);
        assert!(find(&f, "extra-rtt-hrr").is_none());
        let first = f.client_hello.clone().expect("there");
        let retry = ServerHello { hello_retry: true, ..ServerHello::default() };
        f.hello_retry =
            Some(Box::new(Placed { message: retry, mark: mark(5), side: Side::B, frames: Default::default() }));
        f.second_hello = Some(Box::new(Placed { mark: at(5, 44), ..*first }));
        let x = find(&f, "extra-rtt-hrr").expect("told");
        assert!(x.detail.contains("came 40 ms after"), "{}", x.detail);
    }
}

//! What TCP did to a handshake: packets that were lost, closed windows, acknowledgements that were held back.

use super::latency::{client_path, flight_end, server_path};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, MessageKind};
use crate::flow::{GapReason, Mark, Pause};
use crate::span::Role;
use crate::tls::names::HandshakeType;

/// Payload from which a segment counts as full: IPv6's smallest MTU less its headers is 1220.
const FULL_SEGMENT: u32 = 1200;

/// How much longer than the path an acknowledgement must take to be a delayed one.
const BEYOND_PATH_US: u64 = 30_000;

const TCP: &str =
    "  ss -tino dst HOST        (rtt, retrans, cwnd, mss)\n  tshark -r capture.pcapng -Y tcp.analysis.flags";

pub(super) const RULES: &[Rule] = &[
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
];

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
        let said = f.tcp.too_big[server].as_ref().map(|t| {
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

#[cfg(test)]
mod tests {
    use super::super::testing::{
        alert, established, find, hello, leaf, mark, moment as at, server_flight, server_hello,
    };
    use crate::flow::{Gap, GapReason, Pause, Unreachable};
    use crate::span::Side;

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
            Some(Box::new(Unreachable { mark: mark(13), from: [198, 51, 100, 1].into(), code: 4, mtu: Some(1400) }));
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
}

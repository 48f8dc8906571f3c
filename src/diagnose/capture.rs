//! What the capture lacks or shows twice. These findings accuse nobody; they say why others keep silent.

use super::{Blame, Confidence, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::GapReason;
use crate::span::Side;

const BLOCKS: &str = "Absence is no evidence: what may have been in the missing part is not held against anybody.";
const CAPTURE: &str = "  tcpdump -i any -s 0 -B 16384 -w cap.pcap host HOST and port PORT";

pub(super) const RULES: &[Rule] = &[
    new(
        "capture-starts-mid-stream",
        Severity::Info,
        0,
        "The capture begins after the connection did",
        page(
            "The first bytes of one or both directions were not captured.",
            "What was negotiated before is not known.",
            BLOCKS,
            "Start the capture before the connection; restart the client if it keeps connections open.",
            CAPTURE,
            "RFC 9293, section 3.5; tcpdump(1)",
        ),
        mid_stream,
    ),
    new(
        "capture-one-sided",
        Severity::Info,
        0,
        "Only one direction of the connection was captured",
        page(
            "Packets of one side are in the capture and none of the other.",
            "Asymmetric routing, a mirror port that copies one direction, or a filter by source or destination only.",
            BLOCKS,
            "Capture at one of the two machines, or mirror both directions; filter with \"host\", not with \"src\" or \"dst\".",
            CAPTURE,
            "RFC 9293, section 3.4; tcpdump(1)",
        ),
        one_sided,
    ),
    new(
        "capture-loss",
        Severity::Info,
        0,
        "The capture lost packets that the peers received",
        page(
            "The receiver acknowledged bytes that are not in the capture.",
            "The capturing machine or mirror port could not keep up. The connection itself did not suffer.",
            BLOCKS,
            "Use a larger buffer (tcpdump -B), a filter, or capture at one of the peers; look at the count of packets \"dropped by kernel\".",
            CAPTURE,
            "RFC 9293, section 3.4; tcpdump(1), option -B",
        ),
        loss,
    ),
    new(
        "capture-snaplen-truncated",
        Severity::Info,
        0,
        "The capture kept only the beginning of each packet",
        page(
            "Packets were cut by the snap length.",
            "Hellos and certificates need whole packets.",
            BLOCKS,
            "Capture with snap length 0 (whole packets): tcpdump -s 0, dumpcap -s 0.",
            CAPTURE,
            "tcpdump(1), option -s; draft-ietf-opsawg-pcapng, section 4.2",
        ),
        snaplen,
    ),
    new(
        "capture-duplicated-packets",
        Severity::Info,
        0,
        "The capture holds packets twice",
        page(
            "The same packets (identification, sequence numbers, length) stand in the capture twice within a millisecond.",
            "A mirror port that copies both the way in and the way out, or a capture on several interfaces (-i any with bridges). They are no retransmissions.",
            "By the packets' own identification.",
            "Capture on one interface. Nothing is wrong with the connection.",
            "  editcap -d cap.pcap once.pcap",
            "RFC 6864, section 4; editcap(1), option -d",
        ),
        duplicates,
    ),
    new(
        "capture-limit-reached",
        Severity::Info,
        0,
        "A limit of the analysis was reached",
        page(
            "The flow was dropped because too many were open, or a list or message was longer than what is held.",
            "Limits keep memory bounded whatever the input is. What lies beyond them is counted and not looked at.",
            BLOCKS,
            "Filter the capture to the connections in question and analyze it again.",
            "  tcpdump -r big.pcap -w small.pcap host HOST and port PORT",
            "SECURITY.md: memory is bounded whatever the input is",
        ),
        limit,
    ),
    new(
        "tcp-overlap-conflict",
        Severity::Warning,
        0,
        "The same bytes were sent twice with different contents",
        page(
            "Two segments cover the same place of the stream and their bytes differ.",
            "A correct TCP never does that. It is an attempt to show an observer something else than the receiver sees, a forged packet, or damage (a broken network card, a middlebox that rewrites).",
            "Certain that the copies differ; which of them the receiver took depends on its TCP. This program reads on with the first, as Linux does.",
            "Look at time to live, IP identification and arrival of both frames: a forged one differs. Compare captures of both ends.",
            "  tshark -r cap.pcap -Y 'tcp.analysis.retransmission' -V",
            "RFC 9293, section 3.10.7.4; RFC 5961",
        ),
        conflict,
    ),
    new(
        "rst-injected-suspected",
        Severity::Warning,
        0,
        "A reset was probably sent by somebody in between",
        page(
            "A side reset the connection and then went on to send data on it.",
            "A real reset ends the connection for its sender. Firewalls, intrusion prevention and censors forge resets, often to both sides; the time to live then differs from that of real packets.",
            "Likely; certain is only that data followed.",
            "Find the device: the difference in time to live tells how far away it is. Capture at both ends: the alleged sender has not sent it.",
            "  tshark -r cap.pcap -T fields -e frame.number -e ip.src -e ip.ttl -e tcp.flags.reset",
            "RFC 9293, section 3.10.7; RFC 3360",
        ),
        injected,
    ),
];

fn capture(detail: String, remedy: &str) -> Hit {
    Hit::new(detail, remedy).blame(Blame::Nobody)
}

fn mid_stream(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let late: Vec<Side> = [Side::A, Side::B].into_iter().filter(|s| f.sides[*s].mid_stream).collect();
    let opened = f.tcp.syn.iter().chain(&f.tcp.syn_ack).any(Option::is_some);
    // Without the SYN, but with the hello, nothing that matters is missing.
    if late.is_empty() || f.client_hello.is_some() || opened {
        return None;
    }
    let detail = format!(
        "Frame {} is the first of the connection; neither its opening nor its ClientHello was captured.",
        f.first.frame
    );
    Some(capture(detail, "Start the capture before the connection begins.").at(f.first))
}

fn one_sided(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if f.tcp.both_sides_seen() {
        return None;
    }
    let (have, lack) = if f.tcp.packets[Side::A] > 0 { (Side::A, Side::B) } else { (Side::B, Side::A) };
    let detail = format!(
        "Only the {}'s packets ({}) were captured, {} of them; what the {} said is not known.",
        f.role(have),
        words::end(f.ends.of(have)),
        f.tcp.packets[have],
        f.role(lack)
    );
    Some(capture(detail, "Capture both directions: at one of the two machines, or with a mirror of both.").at(f.first))
}

/// Holes of a kind, as a sentence.
fn holes(f: &FlowFacts, is: impl Fn(GapReason) -> bool) -> Option<Hit> {
    let mut all = Vec::new();
    let mut frames = Vec::new();
    for side in [Side::A, Side::B] {
        let role = f.role(side);
        for g in f.sides[side].gaps.iter().filter(|g| is(g.reason)) {
            all.push(format!(
                "{} {role}→{} at byte {} of the stream, noticed at frame {}",
                words::count(g.bytes, "byte"),
                role.other(),
                g.at,
                g.frame
            ));
            frames.push(g.frame);
        }
    }
    if all.is_empty() {
        return None;
    }
    let mut hit = capture(format!("Gap of {}.", words::list(&all)), "");
    frames.truncate(16);
    hit.frames = frames;
    Some(hit)
}

fn loss(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let mut hit = holes(f, |r| r == GapReason::Capture)?;
    hit.detail.push_str(" The peer acknowledged these bytes: the capture lost them, not the network.");
    hit.remedy =
        "Capture again with a larger buffer (tcpdump -B 16384), a narrower filter, or at one of the two machines."
            .to_owned();
    Some(hit)
}

fn snaplen(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let cut = f.tcp.cut;
    let mut hit = match holes(f, |r| r == GapReason::Snaplen) {
        Some(h) => h,
        None => {
            let mut h = capture(format!("Frame {} is the first that was cut.", cut?), "");
            h.frames.extend(cut);
            h
        }
    };
    hit.remedy = "Capture whole packets: tcpdump -s 0.".to_owned();
    Some(hit)
}

fn duplicates(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let n = f.tcp.duplicates;
    if n == 0 {
        return None;
    }
    let all: u64 = f.tcp.packets.iter().sum();
    let detail = format!(
        "Of {all} packets of this connection {}.",
        if n == 1 { "one is a second copy".to_owned() } else { format!("{n} are second copies") }
    );
    Some(
        capture(detail, "Capture on one interface only, or remove the copies: editcap -d cap.pcap once.pcap.")
            .at(f.first),
    )
}

fn limit(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let mut what: Vec<String> = Vec::new();
    if f.evicted {
        what.push("the connection was dropped because too many were open".to_owned());
    }
    for (list, n) in &f.omitted {
        let (entries, are) = if *n == 1 { ("entry", "is") } else { ("entries", "are") };
        what.push(format!("{n} {entries} beyond the limit of \"{list}\" {are} not listed"));
    }
    for (side, s) in [Side::A, Side::B].into_iter().zip(&f.sides) {
        if s.gaps.iter().any(|g| g.reason == GapReason::Limit) {
            what.push(format!("too much data of the {} was waiting behind a gap", f.role(side)));
        }
        if s.gaps_omitted > 0 {
            let are = if s.gaps_omitted == 1 { "is" } else { "are" };
            what.push(format!("{} of the {} {are} not listed", words::count(s.gaps_omitted, "more gap"), f.role(side)));
        }
        if s.certificates.as_ref().is_some_and(|c| c.omitted > 0) {
            what.push(format!("the {} sent more certificates than are looked at", f.role(side)));
        }
    }
    let long = f.anomalies.iter().find_map(|(s, a)| match &a.kind {
        crate::tls::AnomalyKind::MessageTooLong(_, n) => Some(format!("a message of the {} has {n} bytes", f.role(*s))),
        _ => None,
    });
    what.extend(long);
    if what.is_empty() {
        return None;
    }
    Some(
        capture(
            format!("{}.", words::list(&what)),
            "Filter the capture to the connections in question and analyze it again.",
        )
        .at(f.first),
    )
}

fn conflict(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let mut all = Vec::new();
    let mut frames = Vec::new();
    for side in [Side::A, Side::B] {
        for c in &f.sides[side].conflicts {
            all.push(format!(
                "byte {} of the {}'s stream: frame {} has {}, frame {} has {}",
                c.at,
                f.role(side),
                c.first,
                words::bytes(&c.kept),
                c.second,
                words::bytes(&c.other)
            ));
            frames.extend([c.first, c.second]);
        }
    }
    if all.is_empty() {
        return None;
    }
    let detail = format!("{}. This report follows the first copy of each.", words::list(&all));
    let mut hit = Hit::new(detail, "Compare time to live and IP identification of both frames, and captures of both ends: one of the copies may be forged.").blame(Blame::Network);
    hit.frames = frames;
    Some(hit)
}

fn injected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (side, (frame, rst_ttl, data_ttl)) =
        [Side::A, Side::B].into_iter().find_map(|s| Some((s, f.tcp.data_after_rst[s]?)))?;
    let role = f.role(side);
    let rst = f.tcp.rst[side];
    let ttl = if rst_ttl == data_ttl {
        format!("both with time to live {rst_ttl}")
    } else {
        format!("the reset with time to live {rst_ttl}, the data with {data_ttl}")
    };
    let detail = format!(
        "The {role} seems to have reset the connection{}, yet in frame {frame} it sends data: {ttl}.",
        rst.map_or_else(String::new, |m| format!(" in frame {}", m.frame))
    );
    let mut hit = Hit::new(
        detail,
        "On the network: look for a firewall or intrusion prevention that sends resets; capture at both ends.",
    )
    .at_any(rst)
    .blame(Blame::Network);
    hit.frames.push(frame);
    Some(hit.sure(if rst_ttl == data_ttl { Confidence::Possible } else { Confidence::Likely }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, find, hello, leaf, mark, server_flight, told};
    use crate::diagnose::{Confidence, Severity};
    use crate::facts::FlowFacts;
    use crate::flow::{Conflict, Gap, GapReason};
    use crate::span::Side;

    fn good() -> FlowFacts {
        established(server_flight(vec![leaf()]))
    }

    #[test]
    fn what_the_capture_lacks() {
        let gap = |reason| {
            let mut f = good();
            f.sides[Side::B].gaps.push(Gap { at: 100, bytes: 1400, frame: mark(7).frame, reason });
            f
        };
        let x = find(&gap(GapReason::Capture), "capture-loss").expect("told");
        assert!(x.detail.contains("1,400 bytes server→client") && x.blame.name().is_none(), "{}", x.detail);
        assert!(find(&gap(GapReason::Network), "capture-loss").is_none());
        assert!(find(&gap(GapReason::Snaplen), "capture-snaplen-truncated").is_some());
        assert!(find(&gap(GapReason::Limit), "capture-limit-reached").is_some());
        let mut f = good();
        f.tcp.duplicates = 3;
        assert!(find(&f, "capture-duplicated-packets").is_some());
        let mut f = hello();
        f.tcp.packets[Side::B] = 0;
        assert!(find(&f, "capture-one-sided").is_some());
        let mut f = server_flight(vec![leaf()]);
        f.client_hello = None;
        f.tcp.syn = Default::default();
        f.tcp.syn_ack = Default::default();
        f.sides[Side::A].mid_stream = true;
        assert!(find(&f, "capture-starts-mid-stream").is_some());
        assert!(told(&good()).findings.is_empty());
    }

    #[test]
    fn one_is_told_as_one() {
        let limit = |n: u64| {
            let mut f = good();
            f.omitted.insert("messages", n);
            f.sides[Side::B].gaps_omitted = n;
            find(&f, "capture-limit-reached").expect("told").detail
        };
        let (one, two) = (limit(1).to_lowercase(), limit(2).to_lowercase());
        assert!(one.contains("1 entry beyond the limit of \"messages\" is not listed"), "{one}");
        assert!(one.contains("1 more gap of the server is not listed"), "{one}");
        assert!(two.contains("2 entries beyond") && two.contains("2 more gaps of the server are not listed"), "{two}");
        let mut f = good();
        f.tcp.duplicates = 1;
        let x = find(&f, "capture-duplicated-packets").expect("told");
        assert!(x.detail.contains("one is a second copy."), "{}", x.detail);
    }

    #[test]
    fn two_readings_are_both_shown() {
        let mut f = good();
        f.sides[Side::A].conflicts.push(Conflict {
            first: mark(4).frame,
            second: mark(5).frame,
            at: 70,
            kept: Box::from(&b"good.example"[..]),
            other: Box::from(&b"evil.example"[..]),
        });
        let x = find(&f, "tcp-overlap-conflict").expect("told");
        assert_eq!((x.severity, x.frames.len()), (Severity::Warning, 2));
        assert!(x.detail.contains("good.example") && x.detail.contains("evil.example"));
        assert!(find(&good(), "tcp-overlap-conflict").is_none());
    }

    #[test]
    fn data_behind_a_reset() {
        let mut f = good();
        f.tcp.rst[Side::B] = Some(mark(11));
        f.tcp.data_after_rst[Side::B] = Some((mark(12).frame, 55, 64));
        let x = find(&f, "rst-injected-suspected").expect("told");
        assert_eq!(x.confidence, Confidence::Likely);
        assert!(x.detail.contains("55") && find(&good(), "rst-injected-suspected").is_none());
    }
}

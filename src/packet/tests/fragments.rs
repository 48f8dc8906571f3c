//! IP fragments: put together in every order, refused, and bounded.

use super::*;

/// Fragments of an IPv4 packet without options, `step` bytes each, as frames of raw IP.
fn cut4(ip: &[u8], id: u16, step: usize) -> Vec<Vec<u8>> {
    let body = &ip[20..];
    let mut out = Vec::new();
    for (i, part) in body.chunks(step).enumerate() {
        let more = (i + 1) * step < body.len();
        out.push(fragment4(ip, id, i * step, more, part));
    }
    out
}

pub(super) fn fragment4(ip: &[u8], id: u16, at: usize, more: bool, part: &[u8]) -> Vec<u8> {
    let mut f = ip[..20].to_vec();
    f[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
    f[4..6].copy_from_slice(&id.to_be_bytes());
    f[6..8].copy_from_slice(&((at / 8) as u16 | if more { 0x2000 } else { 0 }).to_be_bytes());
    f.extend(part);
    f
}

fn cut6(ip: &[u8], id: u32, step: usize) -> Vec<Vec<u8>> {
    let body = &ip[40..];
    let mut out = Vec::new();
    for (i, part) in body.chunks(step).enumerate() {
        let more = u16::from((i + 1) * step < body.len());
        let mut f = ip[..40].to_vec();
        f[6] = 44;
        f.extend([ip[6], 0]);
        f.extend(((i * step) as u16 | more).to_be_bytes());
        f.extend(id.to_be_bytes());
        f.extend(part);
        set_v6_length(&mut f);
        out.push(f);
    }
    out
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let mut out = Vec::new();
    for p in permutations(n - 1) {
        for at in 0..n {
            let mut q = p.clone();
            q.insert(at, n - 1);
            out.push(q);
        }
    }
    out
}

/// Every byte of the payload is where its piece says.
fn check_pieces(p: &Packet<'_>, frames: &[Vec<u8>]) {
    let (payload, pieces) = match p {
        Packet::Tcp(s) => (s.payload, s.pieces),
        // Of UDP nobody asks where its bytes came from.
        Packet::Udp(_) => return,
        other => panic!("{other:?}"),
    };
    let mut at = 0;
    for p in pieces {
        assert_eq!(p.at as usize, at);
        let n = p.span.len as usize;
        let wire = &frames[p.span.frame.0 as usize][p.span.off as usize..][..n];
        assert_eq!(wire, &payload[at..at + n]);
        at += n;
    }
    assert_eq!(at, payload.len());
}

#[test]
fn fragments_in_every_order() {
    let body: Vec<u8> = (0..70).collect();
    let mut with_padding = udp4(&body);
    with_padding.extend([0xee; 5]);
    let n = with_padding.len() as u16;
    with_padding[2..4].copy_from_slice(&n.to_be_bytes());
    let sets = [cut4(&tcp4(&body), 9, 24), cut6(&tcp6(&body), 9, 24), cut4(&with_padding, 9, 24)];
    for frames in sets {
        for order in permutations(frames.len()) {
            let mut d = Decoder::new();
            let (last, held) = order.split_last().unwrap();
            for i in held {
                let p = d.decode(&frame(*i as u64, LinkType::RAW, &frames[*i]));
                assert!(matches!(p, Packet::Skipped(Skip::FragmentHeld)), "{p:?}");
            }
            let p = d.decode(&frame(*last as u64, LinkType::RAW, &frames[*last]));
            check_pieces(&p, &frames);
            assert_eq!(payload(p), body);
            let c = d.fragments();
            assert_eq!((c.completed, c.pending, c.conflicts, c.dropped), (1, 0, 0, 0));
        }
    }
}

#[test]
fn the_first_copy_of_a_byte_wins() {
    let body: Vec<u8> = (0..60).collect();
    let ip = tcp4(&body);
    let all = &ip[20..];
    let mut other = all.to_vec();
    other.iter_mut().for_each(|b| *b ^= 0xff);
    // the middle, then a lying copy of all but the end, then the truth
    let frames = [
        fragment4(&ip, 1, 24, true, &all[24..48]),
        fragment4(&ip, 1, 0, true, &join(&[&all[..24], &other[24..56]])),
        fragment4(&ip, 1, 24, true, &all[24..48]),
        fragment4(&ip, 1, 16, false, &all[16..]),
    ];
    let mut d = Decoder::new();
    for (i, f) in frames[..3].iter().enumerate() {
        let p = d.decode(&frame(i as u64, LinkType::RAW, f));
        assert!(matches!(p, Packet::Skipped(Skip::FragmentHeld)), "{p:?}");
    }
    let p = d.decode(&frame(3, LinkType::RAW, &frames[3]));
    check_pieces(&p, &frames);
    let want = join(&[&all[28..48], &other[48..56], &all[56..]]);
    assert_eq!(payload(p), want);
    assert_eq!(d.fragments().conflicts, 2);
}

#[test]
fn impossible_fragments_are_dropped() {
    let ip = tcp4(&[0; 60]);
    let mut d = Decoder::new();
    let mut drops = |f: &[u8]| matches!(d.decode(&frame(1, LinkType::RAW, f)), Packet::Skipped(Skip::FragmentDropped));
    assert!(drops(&fragment4(&ip, 1, 65_528, false, &[0; 8])), "ends past 65,535");
    assert!(drops(&fragment4(&ip, 1, 8, true, &[0; 12])), "no multiple of 8");
    assert!(drops(&fragment4(&ip, 1, 8, true, &[])), "empty");
    assert!(!drops(&fragment4(&ip, 1, 24, false, &[0; 8])));
    assert!(drops(&fragment4(&ip, 1, 24, false, &[0; 16])), "another end");
    assert!(drops(&fragment4(&ip, 1, 32, true, &[0; 8])), "past the end");
    // teardrop: the last fragment ends before an earlier one does
    assert!(!drops(&fragment4(&ip, 2, 0, true, &[0; 40])));
    assert!(drops(&fragment4(&ip, 2, 24, false, &[0; 4])));
    let c = d.fragments();
    assert_eq!((c.dropped, c.conflicts, c.pending, c.pending_packets), (6, 3, 2, 2));
    // cut by the snap length: cannot be put together
    let f = fragment4(&ip, 3, 0, true, &[0; 40]);
    let cut = Frame { orig_len: f.len() as u32, ..frame(1, LinkType::RAW, &f[..50]) };
    assert_eq!(skip(&cut), Skip::Truncated);
}

#[test]
fn fragments_are_bounded_in_number_bytes_and_time() {
    let ip = tcp4(&[0; 60]);
    let mut d = Decoder::new();
    for id in 0..=FRAGMENT_DATAGRAMS {
        d.decode(&frame(1, LinkType::RAW, &fragment4(&ip, id as u16, 0, true, &[0; 8])));
    }
    let c = d.fragments();
    assert_eq!((c.pending, c.evicted, c.evicted_packets), (FRAGMENT_DATAGRAMS as u64, 1, 1));
    let mut d = Decoder::new();
    let n = FRAGMENT_BYTES / 60_000 + 5;
    for id in 0..n {
        d.decode(&frame(1, LinkType::RAW, &fragment4(&ip, id as u16, 0, true, &[0; 60_000])));
    }
    let c = d.fragments();
    assert!(c.evicted >= 5 && c.pending * 60_000 <= FRAGMENT_BYTES as u64, "{c:?}");
    assert_eq!(c.evicted + c.pending, n as u64);
    for (secs, left) in [(29, 1), (30, 1), (31, 0)] {
        let mut d = Decoder::new();
        let parts = cut4(&ip, 7, 48);
        d.decode(&frame(1, LinkType::RAW, &parts[0]));
        let time = Some(Timestamp::from_parts(1_700_000_000 + secs, 0));
        let done = matches!(d.decode(&Frame { time, ..frame(2, LinkType::RAW, &parts[1]) }), Packet::Tcp(_));
        assert_eq!((done, d.fragments().timed_out), (left == 1, 1 - left), "{secs}");
    }
}

#[test]
fn a_fragment_header_inside_a_datagram_is_refused() {
    let inner = cut6(&tcp6(DATA), 5, 16);
    let outer = cut6(&inner[0], 6, 16);
    let mut d = Decoder::new();
    d.decode(&frame(1, LinkType::RAW, &outer[0]));
    let p = d.decode(&frame(2, LinkType::RAW, &outer[1]));
    assert!(matches!(p, Packet::Skipped(Skip::Malformed(_))), "{p:?}");
}

#[test]
fn what_was_not_put_together_is_told_when_the_input_ends() {
    use crate::analyzer::{Analyzer, Options};
    let ip = tcp4(&[0; 60]);
    let told = |frames: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut a = Analyzer::new(Options::default());
        a.begin_source();
        for (n, f) in frames.enumerate() {
            a.push(&frame(n as u64 + 1, LinkType::RAW, &f));
        }
        a.end_source(&crate::capture::SourceInfo::default());
        let problems = a.sources()[0].info.problems.iter();
        problems.map(|p| (p.frame.map_or(0, |f| f.0), p.message.clone())).collect::<Vec<_>>()
    };
    // A datagram that is whole is no problem.
    assert!(told(&mut cut4(&ip, 7, 24).into_iter()).is_empty());
    let many = told(&mut (0..6000).map(|id| fragment4(&ip, id, 0, true, &[0; 8])));
    let [(1, message)] = &many[..] else { panic!("{many:?}") };
    let evicted = 6000 - FRAGMENT_DATAGRAMS;
    for part in [
        "6,000 packets that came in IP fragments",
        "4,096 not complete when the capture ended (4,096 fragments)",
        &format!("{} given up for newer ones (at most 4,096 are", crate::text::thousands(evicted as u64)),
    ] {
        assert!(message.contains(part), "{message}");
    }
    let one = told(&mut cut4(&ip, 7, 48).into_iter().take(1));
    assert!(one[0].1.starts_with("1 packet that came in IP fragments could not"), "{one:?}");
    assert!(one[0].1.contains("1 not complete when the capture ended (1 fragment)"), "{one:?}");
    let parts = cut4(&ip, 7, 24);
    let other = fragment4(&ip, 7, 0, true, &[9; 24]);
    let lies = told(&mut [parts[0].clone(), other].into_iter().chain(parts[1..].iter().cloned()));
    let [(2, message)] = &lies[..] else { panic!("{lies:?}") };
    assert!(message.starts_with("1 IP fragment did not agree"), "{message}");
}

//! TCP reassembly: whatever the segmentation, order, duplication or overlap, the same bytes, facts and findings.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tlscope::analyzer::{Analyzer, FlowReport, Options};
use tlscope::capture::{self, Source};
use tlscope::flow::{Assembler, GapReason, Payload, StreamEvent};
use tlscope::span::{FrameNo, Timestamp};

use super::wire::{Seg, analyse, analyse_inputs, connection, turns};

/// Pushes (offset, length) runs of `stream` in the given order; the bytes that come out, and the holes as
/// (offset, bytes, frame).
fn assemble(stream: &[u8], isn: u32, runs: &[(usize, usize)]) -> (Vec<u8>, Vec<(u64, u64, u64)>) {
    let mut a = Assembler::new();
    a.syn(isn);
    let (mut out, mut gaps) = (Vec::new(), Vec::new());
    let mut sink = |e: StreamEvent<'_>| match e {
        StreamEvent::Data(p) => out.extend(p.bytes),
        StreamEvent::Gap(g) => gaps.push((g.at, g.bytes, g.frame.0)),
    };
    for (i, (at, len)) in runs.iter().enumerate() {
        let bytes = &stream[*at..at + len];
        let p = Payload { bytes, frame: FrameNo(i as u64 + 1), off: 54, time: Timestamp(0) };
        a.push(isn.wrapping_add(1).wrapping_add(*at as u32), p, *len as u32, &mut sink);
    }
    a.finish(true, &mut sink);
    assert!(a.conflicts().is_empty(), "the same bytes never conflict");
    (out, gaps)
}

proptest! {
    #[test]
    fn any_order_and_overlap_gives_the_stream(
        stream in proptest::collection::vec(any::<u8>(), 1..400),
        isn in any::<u32>(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 1usize..60), 0..40),
        seed in any::<u64>(),
    ) {
        // Runs that cover everything, plus arbitrary ones on top, shuffled.
        let mut runs: Vec<(usize, usize)> = (0..stream.len()).step_by(17).map(|a| (a, 17.min(stream.len() - a))).collect();
        runs.extend(cuts.iter().map(|(i, n)| { let a = i.index(stream.len()); (a, (*n).min(stream.len() - a)) }));
        let mut state = seed | 1;
        for i in (1..runs.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            runs.swap(i, (state >> 33) as usize % (i + 1));
        }
        let (out, gaps) = assemble(&stream, isn, &runs);
        prop_assert_eq!(out, stream);
        prop_assert!(gaps.is_empty());
    }

    #[test]
    fn a_hole_is_told_to_the_byte(
        len in 30usize..300,
        hole in (any::<prop::sample::Index>(), 1usize..20),
        isn in any::<u32>(),
    ) {
        let stream: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let from = hole.0.index(len - 21).max(1);
        let n = hole.1;
        let runs = [(0, from), (from + n, len - from - n)];
        let (out, gaps) = assemble(&stream, isn, &runs);
        prop_assert_eq!(gaps, vec![(from as u64, n as u64, 2)]);
        prop_assert_eq!(out.len(), len - n);
    }
}

fn good(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/good").join(name)
}

/// What must not depend on how the bytes were packed.
fn essence(flows: &[FlowReport]) -> Vec<String> {
    flows
        .iter()
        .map(|f| {
            let messages: Vec<_> = f.facts.messages.iter().map(|m| (m.side, m.kind, m.length)).collect();
            // The times are made up, so what is slow by them is of no interest.
            let timely = |code: &str| !code.starts_with("slow-") && !code.starts_with("delayed-");
            let findings = f.diagnosis.findings.iter().filter(|x| timely(x.code));
            let mut codes: Vec<_> = findings.map(|x| (x.code, x.confidence)).collect();
            codes.sort();
            let hello = f.facts.client_hello.as_ref().map(|h| h.message.clone());
            let server = f.facts.server_hello.as_ref().map(|h| h.message.clone());
            let certificates: Vec<_> = f
                .facts
                .sides
                .iter()
                .map(|s| s.certificates.as_ref().map(|c| c.chain.iter().map(|c| c.sha256).collect::<Vec<_>>()))
                .collect();
            format!(
                "{:?} {:?} {messages:?} {codes:?} {hello:?} {server:?} {certificates:?}",
                f.diagnosis.outcome, f.diagnosis.cause
            )
        })
        .collect()
}

fn frames(segs: &[Seg]) -> Vec<Vec<u8>> {
    segs.iter().enumerate().map(|(i, s)| s.frame(i as u16 + 1)).collect()
}

fn run(segs: &[Seg]) -> Vec<String> {
    let f = frames(segs);
    essence(&analyse(f.iter().map(Vec::as_slice)))
}

#[test]
fn segmentation_order_and_duplication_change_nothing() {
    for name in ["mtls-12.pcapng", "mtls-13.pcapng"] {
        let talk = turns(&good(name));
        let whole = run(&connection(&talk, |n| n.min(1460)));
        assert_eq!(whole.len(), 1, "{name}");
        for size in [1usize, 2, 3, 5, 7, 100, 536, 1200] {
            assert_eq!(run(&connection(&talk, |_| size)), whole, "{name} in segments of {size}");
        }
        // Within a turn any order will do: nothing is acknowledged before all of it was sent.
        let segs = connection(&talk, |_| 300);
        let mut reversed: Vec<Seg> = Vec::new();
        for group in
            segs.chunk_by(|a, b| a.from_client == b.from_client && a.payload.is_empty() == b.payload.is_empty())
        {
            reversed.extend(group.iter().rev().cloned());
        }
        assert_eq!(run(&reversed), whole, "{name} with each turn reversed");
        let mut doubled = Vec::new();
        for s in &segs {
            doubled.push(s.clone());
            doubled.push(s.clone());
        }
        assert_eq!(run(&doubled), whole, "{name} with every segment sent twice");
    }
}

/// Codes of the findings that are errors.
fn errors(f: &FlowReport) -> Vec<&'static str> {
    let all = f.diagnosis.findings.iter().filter(|x| x.severity == tlscope::diagnose::Severity::Error);
    all.map(|x| x.code).collect()
}

#[test]
fn a_capture_cut_anywhere_accuses_nobody_of_what_the_cut_hid() {
    for name in ["mtls-12.pcapng", "mtls-13.pcapng", "one-way-12.pcapng"] {
        let segs = connection(&turns(&good(name)), |n| n.min(1460));
        let all = frames(&segs);
        for end in 1..all.len() {
            for f in analyse(all[..end].iter().map(Vec::as_slice)) {
                let errors = errors(&f);
                assert!(errors.is_empty() && f.diagnosis.cause.is_none(), "{name} cut after frame {end}: {errors:?}");
            }
        }
        // One frame missing anywhere.
        for lost in 0..all.len() {
            let rest = all.iter().enumerate().filter(|(i, _)| *i != lost).map(|(_, f)| f.as_slice());
            for f in analyse(rest) {
                let errors = errors(&f);
                assert!(
                    errors.is_empty() && f.diagnosis.cause.is_none(),
                    "{name} without frame {}: {errors:?}",
                    lost + 1
                );
            }
        }
    }
}

/// Pushes segments (sequence offset, bytes) after a SYN and acknowledges `acked` bytes in the end.
fn holes(runs: &[(u32, &[u8])], acked: Option<u32>) -> (Vec<u8>, Vec<(u64, u64, u64, GapReason)>) {
    let mut a = Assembler::new();
    a.syn(999);
    let (mut out, mut gaps) = (Vec::new(), Vec::new());
    let mut sink = |e: StreamEvent<'_>| match e {
        StreamEvent::Data(p) => out.extend(p.bytes),
        StreamEvent::Gap(g) => gaps.push((g.at, g.bytes, g.frame.0, g.reason)),
    };
    for (i, (at, bytes)) in runs.iter().enumerate() {
        let p = Payload { bytes, frame: FrameNo(i as u64 + 1), off: 54, time: Timestamp(0) };
        a.push(1000 + at, p, bytes.len() as u32, &mut sink);
    }
    if let Some(n) = acked {
        a.ack(1000 + n, FrameNo(90), &mut sink);
    }
    a.finish(acked.is_some(), &mut sink);
    (out, gaps)
}

#[test]
fn who_lost_the_bytes() {
    let runs: &[(u32, &[u8])] = &[(0, b"abc"), (10, b"xyz")];
    assert_eq!(holes(runs, Some(13)).1, [(3, 7, 2, GapReason::Capture)]);
    assert_eq!(holes(runs, Some(3)).1, [(3, 7, 2, GapReason::Network)]);
    assert_eq!(holes(runs, None).1, [(3, 7, 2, GapReason::Unknown)]);
    // Acknowledged, but nothing behind it was captured: the ACK's frame says so.
    assert_eq!(holes(&[(0, b"abc")], Some(50)).1, [(3, 47, 90, GapReason::Capture)]);
    // One more than was seen is what the ACK of a FIN looks like.
    assert_eq!(holes(&[(0, b"abc")], Some(4)).1, []);
}

#[test]
fn delivered_bytes_never_change_and_a_differing_copy_is_named() {
    let mut a = Assembler::new();
    a.syn(0);
    let mut out: Vec<u8> = Vec::new();
    let mut push = |a: &mut Assembler, at: u32, bytes: &[u8], frame: u64| {
        let p = Payload { bytes, frame: FrameNo(frame), off: 54, time: Timestamp(0) };
        a.push(1 + at, p, bytes.len() as u32, &mut |e| {
            if let StreamEvent::Data(p) = e {
                out.extend(p.bytes);
            }
        });
    };
    push(&mut a, 0, b"abcdef", 1);
    push(&mut a, 2, b"cdXf", 2); // a copy that differs
    push(&mut a, 8, b"ijkl", 3); // a hole before it
    push(&mut a, 7, b"hiJ", 4); // overlaps what is held, and differs
    push(&mut a, 6, b"g", 5);
    push(&mut a, 11, b"l", 6);
    assert_eq!(out, b"abcdefghijkl");
    let c: Vec<_> = a.conflicts().iter().map(|c| (c.first.0, c.second.0, c.at, c.kept[0], c.other[0])).collect();
    assert_eq!(c, [(1, 2, 4, b'e', b'X'), (3, 4, 9, b'j', b'J')]);
}

/// The two IP fragments of a frame of [`Seg::frame`] (RFC 791, section 3.2): 24 bytes, and the rest.
fn fragments(frame: &[u8]) -> [Vec<u8>; 2] {
    const HEADERS: usize = 34;
    let part = |flags_and_offset: u16, bytes: &[u8]| {
        let mut f = frame[..HEADERS].to_vec();
        f[16..18].copy_from_slice(&u16::try_from(20 + bytes.len()).unwrap().to_be_bytes());
        f[20..22].copy_from_slice(&flags_and_offset.to_be_bytes());
        f.extend(bytes);
        f
    };
    let (head, tail) = frame[HEADERS..].split_at(24);
    [part(0x2000, head), part(24 / 8, tail)]
}

#[test]
fn fragments_of_one_input_do_not_complete_those_of_another() {
    let all = frames(&connection(&turns(&good("one-way-12.pcapng")), |n| n.min(1460)));
    // The frame behind the TCP handshake holds the ClientHello.
    let [first, second] = fragments(&all[3]);
    let [before, after] = [&all[..3], &all[4..]].map(|l| l.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let whole = [&before[..], &[&first, &second], &after].concat();
    let flows = analyse(whole);
    assert!(flows.len() == 1 && flows[0].facts.client_hello.is_some());
    let flows = analyse_inputs([[&before[..], &[&first]].concat(), [&[second.as_slice()], &after[..]].concat()]);
    assert!(flows.iter().all(|f| f.facts.client_hello.is_none()), "a stranger's fragment was taken");
}

/// A live source's clock runs on while its stream stalls: the packets that come late belong to the flows they belong to.
#[test]
fn a_stream_that_stalls_makes_no_new_connections() {
    for name in ["mtls-12.pcapng", "mtls-13.pcapng"] {
        let live = |stall_behind: usize| {
            let mut file = capture::open(&good(name)).unwrap();
            let mut a = Analyzer::new(Options { live: true, ..Options::default() });
            a.begin_source();
            let mut n = 0;
            while let Some(frame) = file.next_frame().unwrap() {
                let time = frame.time.unwrap();
                a.push(&frame);
                n += 1;
                if n == stall_behind {
                    a.tick(Timestamp(time.0 + 10_000_000_000));
                }
            }
            a.end_source(file.info());
            let flows: Vec<_> = a.take_flows().iter().map(|f| (f.facts.id, f.diagnosis.outcome)).collect();
            (n, a.sources()[0].tcp_connections, flows)
        };
        let (frames, connections, flows) = live(0);
        assert!(connections == 1 && flows.len() == 1);
        for behind in 1..=frames {
            assert_eq!(live(behind), (frames, connections, flows.clone()), "{name}: a stall behind frame {behind}");
        }
    }
}

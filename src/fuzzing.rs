//! Entry points for fuzzing: each takes arbitrary bytes and must return. The targets in `fuzz/` call these, and so do the
//! ordinary tests with a corpus.

use crate::analyzer::{Analyzer, Options};
use crate::capture::{CaptureFile, Frame, LinkType, Source as _};
use crate::flow::{Assembler, Payload};
use crate::packet::Decoder;
use crate::report;
use crate::span::{FrameNo, Pair, Side, Timestamp};
use crate::tls::handshake::Context;
use crate::tls::names::ProtocolVersion;
use crate::{tls, x509};

/// A capture file: read, analysed, reported in every format.
pub fn capture(data: &[u8]) {
    let Ok(mut file) = CaptureFile::from_reader(std::io::Cursor::new(data.to_vec()), "fuzz") else { return };
    let mut analyzer = Analyzer::new(Options::default());
    analyzer.begin_source();
    while let Ok(Some(frame)) = file.next_frame() {
        analyzer.push(&frame);
    }
    let info = file.info().clone();
    analyzer.end_source(&info);
    let flows = analyzer.take_flows();
    for format in report::FORMATS {
        let mut out = std::io::sink();
        let mut writer = (format.make)(&mut out, &report::Options::default());
        let _ = writer.begin();
        for flow in &flows {
            let _ = writer.flow(flow);
        }
        let _ = writer.finish(analyzer.sources(), &analyzer.findings());
    }
}

/// A frame of the link type that the first two bytes name.
pub fn packet(data: &[u8]) {
    let Some(([a, b], data)) = data.split_first_chunk::<2>() else { return };
    let frame = Frame {
        no: FrameNo(1),
        time: Some(Timestamp(0)),
        link: LinkType(u16::from_be_bytes([*a, *b])),
        interface: 0,
        orig_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
        fcs_len: 0,
        data,
    };
    let mut decoder = Decoder::new();
    let _ = decoder.decode(&frame);
}

/// Segments of one direction: two bytes of sequence number, one of length, then the bytes.
pub fn stream(mut data: &[u8]) {
    let mut a = Assembler::new();
    a.syn(0xffff_ff00);
    let mut frame = 0u64;
    while let Some(([hi, lo, n], rest)) = data.split_first_chunk::<3>() {
        frame = frame.saturating_add(1);
        let seq = 0xffff_ff00u32.wrapping_add(u32::from(u16::from_be_bytes([*hi, *lo])));
        let n = usize::from(*n).min(rest.len());
        let bytes = rest.get(..n).unwrap_or(&[]);
        let p = Payload { bytes, frame: FrameNo(frame), off: 0, time: Timestamp(0) };
        let mut sink = |_: crate::flow::StreamEvent<'_>| {};
        match n % 7 {
            0 => a.ack(seq, FrameNo(frame), &mut sink),
            1 => a.fin(seq, FrameNo(frame)),
            _ => a.push(seq, p, u32::try_from(n).unwrap_or(0), &mut sink),
        }
        data = rest.get(n..).unwrap_or(&[]);
    }
    a.finish(true, &mut |_| {});
}

/// A handshake message, decoded as facts and as fields, for each version.
pub fn handshake(data: &[u8]) {
    for version in [None, Some(ProtocolVersion(0x0301)), Some(ProtocolVersion(0x0303)), Some(ProtocolVersion(0x0304))] {
        let context = Context { version, cipher_suite: data.first_chunk::<2>().map(|c| u16::from_be_bytes(*c)) };
        let _ = tls::handshake::decode(data, data.len().saturating_sub(4), &context);
        let _ = tls::explain(data, &context, false);
    }
    let _ = tls::explain(data, &Context::default(), true);
    let _ = tls::explain_alert(data);
}

/// A certificate, a name, an OCSP response.
pub fn certificate(data: &[u8]) {
    let c = std::sync::Arc::new(x509::Certificate::parse(data));
    let _ = x509::match_name(&c, "host.example");
    let _ = x509::judge_chain(&[c.clone(), c]);
    let _ = x509::distinguished_name(data);
    let _ = x509::parse_ocsp(data);
}

/// What both sides of one connection sent, in turns: a byte for the side, two for the length, then the bytes.
pub fn connection(mut data: &[u8]) {
    let mut analyzer = Analyzer::new(Options::default());
    analyzer.begin_source();
    let (mut seq, mut no) = (Pair::new(1u32, 1u32), 0u64);
    while let Some(([side, hi, lo], rest)) = data.split_first_chunk::<3>() {
        let n = usize::from(u16::from_be_bytes([*hi, *lo])).min(rest.len()).min(60_000);
        let bytes = rest.get(..n).unwrap_or(&[]);
        data = rest.get(n..).unwrap_or(&[]);
        no = no.saturating_add(1);
        let from_a = side & 1 == 0;
        let own = if from_a { Side::A } else { Side::B };
        let (mine, theirs) = (seq[own], seq[own.other()]);
        let frame = segment(from_a, mine, theirs, side >> 1, bytes);
        if side & 0x80 == 0 {
            seq[own] = mine.wrapping_add(u32::try_from(n).unwrap_or(0));
        }
        analyzer.push(&Frame {
            no: FrameNo(no),
            time: Some(Timestamp(i64::from(*side).saturating_mul(1_000_000_000))),
            link: LinkType::RAW,
            interface: 0,
            orig_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            fcs_len: 0,
            data: &frame,
        });
    }
    analyzer.end_source(&report::unopened("fuzz", "made up"));
    let _ = analyzer.take_flows();
}

/// IPv4 and TCP around a payload; `odd` chooses FIN or RST now and then.
fn segment(from_a: bool, seq: u32, ack: u32, odd: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst): ([u8; 6], [u8; 6]) = ([192, 0, 2, 1, 0x10, 0x00], [192, 0, 2, 2, 0x01, 0xbb]);
    let (src, dst) = if from_a { (src, dst) } else { (dst, src) };
    let total = u16::try_from(payload.len().saturating_add(40)).unwrap_or(u16::MAX);
    let flags = match odd & 0x3f {
        0x3f => 0x14,
        0x3e => 0x11,
        0x3d => 0x02,
        _ => 0x10,
    };
    let mut f = vec![0x45, 0];
    f.extend(total.to_be_bytes());
    f.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    f.extend(src.get(..4).unwrap_or(&[]));
    f.extend(dst.get(..4).unwrap_or(&[]));
    f.extend(src.get(4..).unwrap_or(&[]));
    f.extend(dst.get(4..).unwrap_or(&[]));
    f.extend(seq.to_be_bytes());
    f.extend(ack.to_be_bytes());
    f.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    f.extend(payload);
    f
}

//! Builds frames, and takes the streams out of a capture so that they can be cut up in other ways.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use tlscope::analyzer::{Analyzer, FlowReport, Options};
use tlscope::capture::{self, Frame, LinkType, Source};
use tlscope::flow::{Assembler, Payload, StreamEvent};
use tlscope::packet::{Decoder, Packet, TcpFlags};
use tlscope::span::{FrameNo, Timestamp};

/// Addresses of the built connection (RFC 5737).
pub const CLIENT: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 10), 50_000);
pub const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(198, 51, 100, 20), 443);

/// One TCP segment to be sent.
#[derive(Clone, Debug)]
pub struct Seg {
    pub from_client: bool,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub payload: Vec<u8>,
}

impl Seg {
    /// The frame as captured on Ethernet.
    pub fn frame(&self, ip_id: u16) -> Vec<u8> {
        let (src, dst) = if self.from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        let total = u16::try_from(40 + self.payload.len()).unwrap();
        f.extend([0x45, 0]);
        f.extend(total.to_be_bytes());
        f.extend(ip_id.to_be_bytes());
        f.extend([0x40, 0, 64, 6, 0, 0]);
        f.extend(src.0.octets());
        f.extend(dst.0.octets());
        f.extend(src.1.to_be_bytes());
        f.extend(dst.1.to_be_bytes());
        f.extend(self.seq.to_be_bytes());
        f.extend(self.ack.to_be_bytes());
        f.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        f.extend(&self.payload);
        f
    }
}

/// Analyses frames one millisecond apart.
pub fn analyse<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<FlowReport> {
    analyse_inputs([frames])
}

/// The same of several inputs, one after the other.
pub fn analyse_inputs<'a, I: IntoIterator<Item = &'a [u8]>>(inputs: impl IntoIterator<Item = I>) -> Vec<FlowReport> {
    let mut a = Analyzer::new(Options::default());
    for frames in inputs {
        a.begin_source();
        let mut no = 0u64;
        for data in frames {
            no += 1;
            a.push(&Frame {
                no: FrameNo(no),
                time: Some(Timestamp(1_780_000_000_000_000_000 + no as i64 * 1_000_000)),
                link: LinkType::ETHERNET,
                interface: 0,
                orig_len: data.len() as u32,
                fcs_len: 0,
                data,
            });
        }
        a.end_source(&source_info(no));
    }
    a.take_flows()
}

fn source_info(frames: u64) -> capture::SourceInfo {
    let empty: &[u8] = &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let mut file = capture::CaptureFile::from_reader(empty, "built").unwrap();
    assert!(file.next_frame().unwrap().is_none());
    capture::SourceInfo { frames, ..file.info().clone() }
}

/// What one side sent, as a run of bytes, in turns: `true` is the client.
pub type Turns = Vec<(bool, Vec<u8>)>;

/// The conversation of a capture with one TCP connection.
pub fn turns(path: &Path) -> Turns {
    let mut file = capture::open(path).unwrap();
    let mut decoder = Decoder::new();
    let mut streams = [Assembler::new(), Assembler::new()];
    let mut client: Option<(IpAddr, u16)> = None;
    let mut out: Turns = Vec::new();
    while let Some(frame) = file.next_frame().unwrap() {
        let Packet::Tcp(s) = decoder.decode(&frame) else { continue };
        let src = (s.src, s.src_port);
        let first = *client.get_or_insert(src);
        let from_client = src == first;
        let stream = &mut streams[usize::from(!from_client)];
        if s.flags.contains(TcpFlags::SYN) {
            stream.syn(s.seq);
            continue;
        }
        let p = Payload { bytes: s.payload, frame: frame.no, off: s.payload_off, time: Timestamp(0) };
        stream.push(s.seq, p, s.wire_len, &mut |e| {
            let StreamEvent::Data(p) = e else { panic!("a hole in {}", path.display()) };
            match out.last_mut() {
                Some((c, bytes)) if *c == from_client => bytes.extend(p.bytes),
                _ => out.push((from_client, p.bytes.to_vec())),
            }
        });
    }
    out
}

/// A whole connection from turns: opened, each turn cut at the places that `cut` gives, acknowledged, closed by FINs.
pub fn connection(turns: &Turns, mut cut: impl FnMut(usize) -> usize) -> Vec<Seg> {
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    const FIN: u8 = 1;
    let mut seq = [0xffff_f000_u32, 77_u32];
    let seg = |from_client: bool, seq: &[u32; 2], flags, payload: &[u8]| Seg {
        from_client,
        seq: seq[usize::from(!from_client)],
        ack: if flags & ACK == 0 { 0 } else { seq[usize::from(from_client)] },
        flags,
        payload: payload.to_vec(),
    };
    let mut out = vec![seg(true, &seq, SYN, &[])];
    seq[0] = seq[0].wrapping_add(1);
    out.push(seg(false, &seq, SYN | ACK, &[]));
    seq[1] += 1;
    out.push(seg(true, &seq, ACK, &[]));
    for (from_client, bytes) in turns {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let n = cut(rest.len()).clamp(1, rest.len());
            out.push(seg(*from_client, &seq, ACK, &rest[..n]));
            let i = usize::from(!from_client);
            seq[i] = seq[i].wrapping_add(n as u32);
            rest = &rest[n..];
        }
        out.push(seg(!from_client, &seq, ACK, &[]));
    }
    for from_client in [true, false] {
        out.push(seg(from_client, &seq, FIN | ACK, &[]));
        let i = usize::from(!from_client);
        seq[i] = seq[i].wrapping_add(1);
    }
    out.push(seg(true, &seq, ACK, &[]));
    out
}

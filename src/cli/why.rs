//! `tlscope why FILE FRAME`: what one frame holds, and what it means for its flow.

use std::io::{self, Write};
use std::path::Path;

use super::args::Global;
use super::{DAMAGED, OK, USAGE, complain, confine, input};
use crate::analyzer::FlowReport;
use crate::capture::{Error, LinkType, Opened, SourceInfo};
use crate::facts::{Basis, FlowFacts};
use crate::flow::{Endpoint, GapReason};
use crate::packet::{Decoder, Packet, Segment, Skip, TcpFlags};
use crate::report::view::Message;
use crate::sandbox::Needs;
use crate::span::{FrameNo, Pair, Side, Timestamp};
use crate::text::{bytes, count, escape, guard};

/// What one frame is, without its flow.
struct Seen {
    no: FrameNo,
    time: Option<Timestamp>,
    link: LinkType,
    interface: u32,
    captured: usize,
    on_wire: u32,
    packet: What,
}

enum What {
    Tcp(Tcp),
    /// In a sentence, why it has no part in a TLS flow.
    Other(String),
}

/// A TCP segment and how it stands in its stream.
struct Tcp {
    src: Endpoint,
    dst: Endpoint,
    seq: u32,
    ack: u32,
    flags: TcpFlags,
    window: u16,
    payload: u32,
    captured: usize,
    vlans: Vec<u16>,
    fragments: usize,
    place: Place,
}

/// Where a segment's bytes stand in what its sender had sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing of that direction was seen before, or it has no bytes.
    First,
    /// They follow.
    Next,
    /// So many of its bytes were sent before.
    Again(u32),
    /// So many bytes before it had not come.
    Beyond(u32),
}

/// The sequence number that comes next in each direction of the connection between two ends.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    next: Pair<Option<u32>>,
}

impl Track {
    /// Takes a segment; says where its bytes stand.
    fn push(&mut self, side: Side, seg: &Segment<'_>) -> Place {
        let syn = seg.flags.contains(TcpFlags::SYN);
        if syn && !seg.flags.contains(TcpFlags::ACK) {
            self.next = Pair::default();
        }
        let space =
            seg.wire_len.wrapping_add(u32::from(syn)).wrapping_add(u32::from(seg.flags.contains(TcpFlags::FIN)));
        let end = seg.seq.wrapping_add(space);
        let Some(next) = self.next[side] else {
            self.next[side] = Some(end);
            return Place::First;
        };
        if space == 0 {
            return Place::First;
        }
        // Sequence numbers wrap: the sign of their difference tells which is later (RFC 9293, section 3.4).
        let ahead = seg.seq.wrapping_sub(next).cast_signed();
        if end.wrapping_sub(next).cast_signed() > 0 {
            self.next[side] = Some(end);
        }
        match ahead {
            0 => Place::Next,
            1.. => Place::Beyond(ahead.unsigned_abs()),
            _ => Place::Again(ahead.unsigned_abs().min(space)),
        }
    }
}

/// Runs it; gives the exit code. `Err` is an error of the output.
pub(super) fn write(out: &mut dyn Write, path: &Path, frame: u64, global: &Global) -> io::Result<u8> {
    if path == Path::new("-") {
        complain("a capture on standard input cannot be read twice; save it to a file first");
        return Ok(USAGE);
    }
    let no = FrameNo(frame);
    // Read three times: for the frame's connection, for what came before in it, for its flow.
    let opened = [Opened::new(path), Opened::new(path), Opened::new(path)];
    if let Err(e) = confine(Needs::default(), global) {
        complain(&e);
        return Ok(DAMAGED);
    }
    let [first, second, third] = opened;
    let looked = first.and_then(|file| ends(file, no)).and_then(|ends| look(second?, no, ends));
    let (seen, frames) = match looked {
        Ok(found) => found,
        Err(e) => {
            complain(&e.to_string());
            return Ok(DAMAGED);
        }
    };
    let Some(seen) = seen else {
        complain(&format!("{} has no frame {frame}; its frames are 1 to {frames}", path.display()));
        return Ok(USAGE);
    };
    writeln!(out, "Frame {} of {}", seen.no, escape(&path.to_string_lossy()))?;
    head(out, &seen)?;
    let What::Tcp(tcp) = &seen.packet else { return Ok(OK) };
    let (flow, info) = match third.and_then(|file| flow_of(file, no, tcp)) {
        Ok(found) => found,
        Err(e) => {
            complain(&e.to_string());
            return Ok(DAMAGED);
        }
    };
    match &flow {
        Some(f) => story(out, no, tcp, f)?,
        None => writeln!(
            out,
            "\nIt belongs to no TLS connection: nothing in its connection begins like TLS, and no finding is about it."
        )?,
    }
    Ok(input::verdict(&info))
}

/// Reads as far as the frame, which is of the connection between `ends`; gives it and the number of frames read.
fn look(file: Opened, no: FrameNo, ends: Option<(Endpoint, Endpoint)>) -> Result<(Option<Seen>, u64), Error> {
    let mut decoder = Decoder::new();
    let mut track = Track::default();
    let mut found = None;
    let frames = input::frames(file, |frame| {
        let packet = decoder.decode(frame);
        let side = match &packet {
            Packet::Tcp(seg) => ends.and_then(|(a, b)| side(seg, a, b)),
            _ => None,
        };
        let place = match (&packet, side) {
            (Packet::Tcp(seg), Some(side)) => track.push(side, seg),
            _ => Place::First,
        };
        if frame.no == no {
            found = Some(Seen {
                no,
                time: frame.time,
                link: frame.link,
                interface: frame.interface,
                captured: frame.data.len(),
                on_wire: frame.orig_len,
                packet: what(packet, place),
            });
        }
        frame.no < no
    })?;
    Ok((found, frames))
}

/// The ends of the connection that a frame belongs to.
fn ends(file: Opened, no: FrameNo) -> Result<Option<(Endpoint, Endpoint)>, Error> {
    let mut decoder = Decoder::new();
    let mut found = None;
    input::frames(file, |frame| {
        if let Packet::Tcp(seg) = decoder.decode(frame)
            && frame.no == no
        {
            found = Some(ends_of(&seg));
        }
        frame.no < no
    })?;
    Ok(found)
}

fn ends_of(seg: &Segment<'_>) -> (Endpoint, Endpoint) {
    (Endpoint { ip: seg.src, port: seg.src_port }, Endpoint { ip: seg.dst, port: seg.dst_port })
}

fn side(seg: &Segment<'_>, a: Endpoint, b: Endpoint) -> Option<Side> {
    match ends_of(seg) {
        ends if ends == (a, b) => Some(Side::A),
        ends if ends == (b, a) => Some(Side::B),
        _ => None,
    }
}

fn what(packet: Packet<'_>, place: Place) -> What {
    match packet {
        Packet::Tcp(seg) => {
            let (src, dst) = ends_of(&seg);
            What::Tcp(Tcp {
                src,
                dst,
                seq: seg.seq,
                ack: seg.ack,
                flags: seg.flags,
                window: seg.window,
                payload: seg.wire_len,
                captured: seg.payload.len(),
                vlans: seg.vlans.to_vec(),
                fragments: seg.pieces.len(),
                place,
            })
        }
        Packet::Udp(d) => {
            let (src, dst) = (Endpoint { ip: d.src, port: d.src_port }, Endpoint { ip: d.dst, port: d.dst_port });
            What::Other(format!(
                "A UDP datagram from {src} to {dst} with {}: no TLS over TCP",
                bytes(d.wire_len as usize)
            ))
        }
        Packet::IcmpUnreachable(i) => What::Other(format!(
            "An ICMP error (code {}) from {} to {} about a {} packet from {} to {}",
            i.code,
            i.from,
            i.to,
            if i.tcp { "TCP" } else { "UDP" },
            Endpoint { ip: i.src, port: i.src_port },
            Endpoint { ip: i.dst, port: i.dst_port },
        )),
        Packet::Skipped(Skip::FragmentHeld) => {
            What::Other("A fragment of an IP datagram: see the frame with the last one".to_owned())
        }
        Packet::Skipped(why) => What::Other(format!("Not looked into: {}", why.reason())),
    }
}

fn head(out: &mut dyn Write, s: &Seen) -> io::Result<()> {
    if let Some(time) = s.time {
        writeln!(out, "  {time}")?;
    }
    let size = if (s.on_wire as usize) > s.captured {
        format!("{} of {} (cut by the snap length)", s.captured, bytes(s.on_wire as usize))
    } else {
        bytes(s.captured)
    };
    writeln!(out, "  Link {}, interface {}, {size}", s.link, s.interface)?;
    match &s.packet {
        What::Other(sentence) => writeln!(out, "  {}.", guard(sentence)),
        What::Tcp(t) => {
            for v in &t.vlans {
                writeln!(out, "  VLAN {v}")?;
            }
            if t.fragments > 0 {
                writeln!(out, "  Completes an IP datagram of {}", count(t.fragments as u64, "fragment"))?;
            }
            writeln!(
                out,
                "  TCP {} to {}, {}, seq {}{}, window {}, {}",
                t.src,
                t.dst,
                flags(t.flags),
                t.seq,
                if t.flags.contains(TcpFlags::ACK) { format!(", ack {}", t.ack) } else { String::new() },
                t.window,
                bytes(t.payload as usize),
            )?;
            if (t.payload as usize) > t.captured {
                writeln!(out, "  Captured: {} of its {}", t.captured, bytes(t.payload as usize))?;
            }
            match t.place {
                Place::First | Place::Next => Ok(()),
                Place::Again(n) if n >= t.payload => writeln!(out, "  All of it was sent before: a retransmission"),
                Place::Again(n) => writeln!(out, "  Sent before: its first {}", bytes(n as usize)),
                Place::Beyond(n) => {
                    writeln!(out, "  Not seen before it: {}, late, lost, or not captured", bytes(n as usize))
                }
            }
        }
    }
}

fn flags(f: TcpFlags) -> String {
    const NAMES: [(TcpFlags, &str); 8] = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ECE, "ECE"),
        (TcpFlags::CWR, "CWR"),
    ];
    let set: Vec<&str> = NAMES.iter().filter(|(bit, _)| f.contains(*bit)).map(|(_, n)| *n).collect();
    if set.is_empty() { "no flags".to_owned() } else { set.join(" ") }
}

/// The reported flow that the frame is a part of.
fn flow_of(file: Opened, no: FrameNo, tcp: &Tcp) -> Result<(Option<FlowReport>, SourceInfo), Error> {
    let mut found = None;
    let info = input::flows(file, |f| {
        let ends = (f.facts.ends.a, f.facts.ends.b);
        let its = ends == (tcp.src, tcp.dst) || ends == (tcp.dst, tcp.src);
        if its && (f.facts.first.frame..=f.facts.last.frame).contains(&no) {
            found.get_or_insert(f);
        }
    })?;
    Ok((found, info))
}

fn story(out: &mut dyn Write, no: FrameNo, tcp: &Tcp, r: &FlowReport) -> io::Result<()> {
    let f = &r.facts;
    let from = if tcp.src == f.ends.a { Side::A } else { Side::B };
    writeln!(
        out,
        "\nFlow #{} (frames {} to {}): {}{}",
        f.id,
        f.first.frame,
        f.last.frame,
        r.diagnosis.outcome.name(),
        r.diagnosis.cause.map_or_else(String::new, |c| format!(", {c}")),
    )?;
    writeln!(out, "  Sent by the {}", f.role(from))?;
    let mut told = messages(out, no, f)?;
    told |= records(out, no, f)?;
    if !told && tcp.payload > 0 {
        writeln!(out, "  Completes no message of the handshake and no alert")?;
    }
    for (s, side) in f.sides.iter().zip([Side::A, Side::B]) {
        for gap in s.gaps.iter().filter(|g| g.frame == no) {
            writeln!(
                out,
                "  Missing of the {}, as this frame shows: {} ({}){}",
                f.role(side),
                count(gap.bytes, "byte"),
                gap.reason.name(),
                if gap.reason == GapReason::Capture { ": the peer acknowledged them" } else { "" },
            )?;
        }
        for c in s.conflicts.iter().filter(|c| c.first == no || c.second == no) {
            let (what, other) = if c.first == no { ("kept", c.second) } else { ("put aside", c.first) };
            writeln!(
                out,
                "  Frame {other} has other bytes at the same place of the stream; those of this frame were {what}"
            )?;
        }
    }
    let mut any = false;
    for x in r.diagnosis.findings.iter().filter(|x| x.frames.contains(&no)) {
        if !any {
            writeln!(out, "\nFindings that it is evidence of")?;
        }
        any = true;
        writeln!(out, "  {} ({}, {}): {}", x.code, x.severity.name(), x.confidence.name(), guard(&x.title))?;
        writeln!(out, "    {}", guard(&x.detail))?;
    }
    Ok(())
}

/// The messages that end in the frame, or have a part in it.
fn messages(out: &mut dyn Write, no: FrameNo, f: &FlowFacts) -> io::Result<bool> {
    let mut any = false;
    for (m, fact) in Message::all(f).zip(&f.messages) {
        let (ends, part) = (fact.mark.frame == no, fact.frames.contains(&no));
        if !ends && !part {
            continue;
        }
        any = true;
        let basis = if fact.basis == Basis::Observed { String::new() } else { format!(", {}", m.basis) };
        let verb = if ends { "Completes" } else { "Holds a part of" };
        let frames: Vec<String> = fact.frames.iter().map(ToString::to_string).collect();
        let over = if frames.len() > 1 { format!(", in frames {}", frames.join(", ")) } else { String::new() };
        writeln!(out, "  {verb} {} of the {} ({}{basis}{over})", m.kind, m.from, bytes(m.length))?;
    }
    Ok(any)
}

/// Protected records of the handshake phase of which is not known what they are.
fn records(out: &mut dyn Write, no: FrameNo, f: &FlowFacts) -> io::Result<bool> {
    let mut any = false;
    for s in f.shapes.iter().filter(|s| s.mark.frame == no && !f.is_told(s)) {
        any = true;
        writeln!(
            out,
            "  Completes a protected record of the {} ({}, {})",
            f.role(s.side),
            s.content_type,
            count(s.len.into(), "byte")
        )?;
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_in_their_stream() {
        let mut t = Track::default();
        let mut push = |seq, len, flags| t.push(Side::A, &Segment::bare(seq, len, flags));
        // The numbers wrap behind the first segment.
        assert_eq!(push(u32::MAX - 1, 0, TcpFlags::SYN), Place::First);
        assert_eq!(push(u32::MAX, 10, TcpFlags::ACK), Place::Next);
        assert_eq!(push(9, 0, TcpFlags::ACK), Place::First);
        assert_eq!(push(u32::MAX, 10, TcpFlags::ACK), Place::Again(10));
        assert_eq!(push(4, 10, TcpFlags::ACK), Place::Again(5));
        assert_eq!(push(20, 5, TcpFlags::ACK), Place::Beyond(6));
        assert_eq!(push(14, 6, TcpFlags::ACK), Place::Again(6));
        assert_eq!(push(25, 0, TcpFlags::FIN), Place::Next);
        // A new connection between the same ends begins anew.
        assert_eq!(push(1000, 0, TcpFlags::SYN), Place::First);
        assert_eq!(push(1001, 1, TcpFlags::ACK), Place::Next);
    }
}

//! One TCP connection: who opened it, how it ended, and its two streams.

use smallvec::SmallVec;

use std::net::IpAddr;

use crate::limits;
use crate::packet::{IcmpUnreachable, Segment, TcpFlags};
use crate::span::{FrameNo, Pair, Side, Timestamp};

use super::key::Endpoints;
use super::pace::{Pace, Watch};
use super::stream::{Assembler, Payload, StreamEvent};

/// When something was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// In which frame.
    pub frame: FrameNo,
    /// At what time.
    pub time: Timestamp,
}

/// How often something was seen, and when for the first and the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sightings {
    /// The first one.
    pub first: Mark,
    /// The last one.
    pub last: Mark,
    /// How many.
    pub count: u32,
}

/// An ICMP message that packets of a side did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// When.
    pub mark: Mark,
    /// Who said so: a router, a firewall or the host itself.
    pub from: IpAddr,
    /// ICMP's code (RFC 792; RFC 1812, section 5.2.7.1), or ICMPv6's (RFC 4443, section 3.1) where `from` is IPv6.
    pub code: u8,
    /// The packet was too big for a link, which takes so many bytes (0: not said).
    pub mtu: Option<u32>,
}

/// What the TCP headers of a connection said, and ICMP messages about it.
#[derive(Clone, Debug, Default)]
pub struct TcpFacts {
    /// SYN without ACK, per side.
    pub syn: Pair<Option<Sightings>>,
    /// SYN with ACK, per side.
    pub syn_ack: Pair<Option<Sightings>>,
    /// The first FIN, per side.
    pub fin: Pair<Option<Mark>>,
    /// The first RST that the receiver would have taken, per side.
    pub rst: Pair<Option<Mark>>,
    /// The RST answered a SYN: nothing listens there.
    pub refused: bool,
    /// RSTs that a receiver ignores (far outside the window).
    pub rst_ignored: u32,
    /// New data of a side behind its own RST, and the two TTLs: the RST was likely injected.
    pub data_after_rst: Pair<Option<(FrameNo, u8, u8)>>,
    /// The first segment with payload, per side.
    pub data: Pair<Option<Mark>>,
    /// The last segment with payload, per side.
    pub last_data: Pair<Option<Mark>>,
    /// A pure acknowledgement of the opening was seen (or data, which implies it).
    pub opened: bool,
    /// The first segment behind the SYN-ACK of the side that had sent the SYN.
    pub opened_at: Option<Mark>,
    /// Time to live of the first packet, per side.
    pub ttl: Pair<Option<u8>>,
    /// Packets per side, as captured.
    pub packets: Pair<u64>,
    /// TCP payload bytes per side, as captured, retransmissions included.
    pub bytes: Pair<u64>,
    /// Packets that the capture holds twice (same IP identification, sequence number and length).
    pub duplicates: u32,
    /// First packet that the snap length cut.
    pub cut: Option<FrameNo>,
    /// Bytes of a side's stream that the peer acknowledged, while the payload was looked at.
    pub acked: Pair<u64>,
    /// The first word that a side's packets do not reach the peer.
    pub unreachable: Pair<Option<Box<Unreachable>>>,
    /// The first word that a side's packets are too big for a link on the way.
    pub too_big: Pair<Option<Box<Unreachable>>>,
}

impl TcpFacts {
    /// The side whose SYN (or whose peer's SYN-ACK) opened the connection.
    pub fn opener(&self) -> Option<Side> {
        match ((self.syn.a, self.syn.b), (self.syn_ack.a, self.syn_ack.b)) {
            ((Some(a), Some(b)), _) => Some(if a.first.frame <= b.first.frame { Side::A } else { Side::B }),
            ((Some(_), None), _) | (_, (None, Some(_))) => Some(Side::A),
            ((None, Some(_)), _) | (_, (Some(_), None)) => Some(Side::B),
            _ => None,
        }
    }

    /// Packets of both sides are in the capture.
    pub fn both_sides_seen(&self) -> bool {
        self.packets[Side::A] > 0 && self.packets[Side::B] > 0
    }
}

/// Payload that may be the padding of a short Ethernet frame, counted into the IP length by some device on the way: up to
/// six zero bytes on a pure acknowledgement. The sender's next segment begins at the same place when it is, behind it when
/// it is not.
#[derive(Clone, Debug)]
struct Doubtful {
    seq: u32,
    bytes: SmallVec<[u8; 6]>,
    mark: Mark,
    off: u32,
}

/// Identification of the last packet of a side, to know the same packet captured again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PacketId {
    ip_id: Option<u16>,
    seq: u32,
    ack: u32,
    len: u32,
    flags: u8,
    time: Timestamp,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// Its ends; side A sent the first captured packet.
    pub ends: Endpoints,
    /// What the headers said.
    pub facts: TcpFacts,
    /// Initial sequence numbers, until the streams exist.
    isn: Pair<Option<u32>>,
    /// Highest sequence number seen at a RST, to know data behind it.
    rst_seq: Pair<u32>,
    last_ttl: Pair<u8>,
    last: Pair<PacketId>,
    /// Made with the first payload: a half-open connection stays small.
    streams: Option<Box<Pair<Assembler>>>,
    /// VLAN tags of the first tagged packet.
    pub vlans: SmallVec<[u16; 2]>,
    /// Per side: a few zero bytes that may be padding, held until the next segment tells.
    doubtful: Pair<Option<Box<Doubtful>>>,
    history_done: bool,
    watch: Option<Box<Watch>>,
    /// Nobody needs the payload any more.
    ignored: bool,
}

impl Connection {
    /// For the packet that is seen first.
    pub fn new(ends: Endpoints) -> Self {
        Self {
            ends,
            facts: TcpFacts::default(),
            isn: Pair::default(),
            rst_seq: Pair::default(),
            last_ttl: Pair::default(),
            last: Pair::default(),
            streams: None,
            vlans: SmallVec::new(),
            doubtful: Pair::default(),
            history_done: false,
            watch: None,
            ignored: false,
        }
    }

    /// How the segments of both sides flowed until the handshake was over.
    pub fn pace(&self) -> Pair<Pace> {
        self.watch.as_ref().map_or_else(Pair::default, |w| w.pace)
    }

    /// The stream of a side, when any payload was seen.
    pub fn stream(&self, side: Side) -> Option<&Assembler> {
        self.streams.as_ref().map(|s| &s[side])
    }

    /// The payload is of no use any more (no TLS): streams are dropped and later bytes only counted.
    pub fn ignore_payload(&mut self) {
        self.ignored = true;
        self.streams = None;
        self.watch = None;
    }

    /// The handshake is over: delivered bytes need not be compared any more.
    pub fn forget_history(&mut self) {
        self.history_done = true;
        for s in self.streams.iter_mut().flat_map(|s| s.iter_mut()) {
            s.forget_history();
        }
    }

    /// Bytes held for out-of-order data, and for what it takes to hold it.
    pub fn pending_bytes(&self) -> usize {
        let held = self.streams.as_ref().map_or(0, |s| s.a.pending_bytes().saturating_add(s.b.pending_bytes()));
        if held == 0 { 0 } else { held.saturating_add(limits::STREAM_OVERHEAD) }
    }

    /// Both sides closed, or one reset.
    pub fn is_closed(&self) -> bool {
        self.facts.rst.iter().any(Option::is_some)
            || (self.facts.fin.iter().all(Option::is_some)
                && self.streams.as_ref().is_none_or(|s| s.iter().all(Assembler::finished)))
    }

    /// True when a SYN with this initial sequence number begins another connection on the same ports.
    pub fn is_reopened_by(&self, side: Side, isn: u32) -> bool {
        let i = side;
        let known = self.isn[i] == Some(isn);
        let data = self.facts.data.iter().any(Option::is_some);
        let closed = self.facts.rst.iter().any(Option::is_some) || self.facts.fin.iter().any(Option::is_some);
        // A SYN captured after the data that it precedes (several queues): its number lies just before that data.
        let late = self.isn[i].is_none()
            && self.stream(side).and_then(|s| s.distance(isn)).is_some_and(|d| (-(1 << 20)..=0).contains(&d));
        !known && !late && (data || closed)
    }

    /// Takes a segment in; in-order bytes and holes of both sides go to `sink`.
    pub fn segment(&mut self, side: Side, seg: &Segment<'_>, mark: Mark, mut sink: impl FnMut(Side, StreamEvent<'_>)) {
        let i = side;
        let flags = seg.flags;
        self.facts.packets[i] = self.facts.packets[i].saturating_add(1);
        self.facts.bytes[i] = self.facts.bytes[i].saturating_add(seg.payload.len() as u64);
        self.facts.ttl[i].get_or_insert(seg.ttl);
        if self.vlans.is_empty() && !seg.vlans.is_empty() {
            self.vlans.extend_from_slice(&seg.vlans);
        }
        if (seg.wire_len as usize) > seg.payload.len() {
            self.facts.cut.get_or_insert(mark.frame);
        }
        if self.is_duplicate(i, seg, mark.time) {
            return;
        }
        let (syn, ack, rst, fin) = (
            flags.contains(TcpFlags::SYN),
            flags.contains(TcpFlags::ACK),
            flags.contains(TcpFlags::RST),
            flags.contains(TcpFlags::FIN),
        );
        // Combinations that no stack sends and every stack drops (scans).
        if (syn && (fin || rst)) || (!syn && !ack && !rst) {
            return;
        }
        if rst {
            self.reset(side, seg, mark);
            if ack {
                self.note_ack(side.other(), seg.ack);
            }
            return;
        }
        if syn {
            self.open(side, seg, mark, ack);
        } else {
            self.facts.opened |= self.facts.syn_ack.iter().any(Option::is_some);
            if self.facts.opened_at.is_none()
                && self.facts.syn[side].is_some()
                && self.facts.syn_ack[side.other()].is_some()
            {
                self.facts.opened_at = Some(mark);
            }
            if !self.history_done && !self.ignored {
                if seg.wire_len > 0 {
                    self.watch.get_or_insert_default();
                }
                if let Some(w) = &mut self.watch {
                    w.segment(side, seg, mark);
                }
            }
        }
        if ack && let Some(s) = self.streams.as_mut() {
            s[side.other()].ack(seg.ack, mark.frame, &mut |e| sink(side.other(), e));
            self.note_ack(side.other(), seg.ack);
        }
        if !seg.payload.is_empty() || seg.wire_len > 0 {
            self.payload(side, seg, mark, syn, &mut sink);
        }
        if fin {
            self.facts.fin[i].get_or_insert(mark);
            if let Some(s) = self.streams.as_mut() {
                let end = seg.seq.wrapping_add(u32::from(syn)).wrapping_add(seg.wire_len);
                s[i].fin(end, mark.frame);
            }
        }
    }

    /// The peer acknowledged what `sender` sent before `ack`. Numbers far from what was sent say nothing.
    fn note_ack(&mut self, sender: Side, ack: u32) {
        let Some(stream) = self.stream(sender) else { return };
        // Distance 0 is "everything that was handed on".
        let acked = stream.distance(ack).and_then(|d| stream.delivered().checked_add_signed(d));
        let most = stream.delivered().saturating_add(limits::TCP_WINDOW);
        if let Some(acked) = acked.filter(|a| *a <= most) {
            let known = &mut self.facts.acked[sender];
            *known = acked.max(*known);
        }
    }

    /// Takes in an ICMP message that quotes a packet of `side`. False when it cannot be about this connection: its
    /// sequence number is none that the side used, as in forged ones (RFC 5927, section 4.1).
    pub fn unreachable(&mut self, side: Side, icmp: &IcmpUnreachable, mark: Mark) -> bool {
        let far = |d: i64| d.unsigned_abs() > limits::TCP_WINDOW;
        let forged =
            icmp.seq.is_some_and(|seq| match (self.stream(side).and_then(|s| s.distance(seq)), self.isn[side]) {
                (Some(d), _) => far(d),
                (None, Some(isn)) => far(i64::from(seq.wrapping_sub(isn).cast_signed())),
                (None, None) => false,
            });
        if forged || self.facts.packets[side] == 0 {
            return false;
        }
        let said = if icmp.mtu.is_some() { &mut self.facts.too_big } else { &mut self.facts.unreachable };
        said[side]
            .get_or_insert_with(|| Box::new(Unreachable { mark, from: icmp.from, code: icmp.code, mtu: icmp.mtu }));
        true
    }

    fn is_duplicate(&mut self, i: Side, seg: &Segment<'_>, time: Timestamp) -> bool {
        let id = PacketId { ip_id: seg.ip_id, seq: seg.seq, ack: seg.ack, len: seg.wire_len, flags: seg.flags.0, time };
        let last = std::mem::replace(&mut self.last[i], id);
        // An identification of 0 says nothing (RFC 6864 allows it for packets that cannot be fragmented).
        let same = id.ip_id.is_some_and(|v| v != 0)
            && PacketId { time, ..last } == id
            && time.0.saturating_sub(last.time.0).unsigned_abs() <= 1_000_000
            && self.facts.packets[i] > 1;
        // Bytes are compared all the same: two readings of one packet are a conflict, not a duplicate.
        if same && seg.payload.is_empty() {
            self.facts.duplicates = self.facts.duplicates.saturating_add(1);
            return true;
        }
        if same {
            self.facts.duplicates = self.facts.duplicates.saturating_add(1);
        }
        false
    }

    fn open(&mut self, side: Side, seg: &Segment<'_>, mark: Mark, ack: bool) {
        let i = side;
        let seen = if ack { &mut self.facts.syn_ack[i] } else { &mut self.facts.syn[i] };
        match seen {
            Some(s) => {
                s.last = mark;
                s.count = s.count.saturating_add(1);
            }
            None => *seen = Some(Sightings { first: mark, last: mark, count: 1 }),
        }
        match (&mut self.streams, self.isn[i]) {
            (Some(s), _) => s[i].syn(seg.seq),
            (None, Some(isn)) if isn != seg.seq => self.make_streams()[i].syn(seg.seq),
            (None, _) => {}
        }
        self.isn[i].get_or_insert(seg.seq);
    }

    fn make_streams(&mut self) -> &mut Pair<Assembler> {
        let (isn, done) = (self.isn, self.history_done);
        self.streams.get_or_insert_with(|| {
            let mut s = Box::new(Pair::<Assembler>::default());
            for (stream, isn) in s.iter_mut().zip(isn.iter()) {
                if let Some(isn) = isn {
                    stream.syn(*isn);
                }
                if done {
                    stream.forget_history();
                }
            }
            s
        })
    }

    /// RFC 9293, section 3.10.7 and RFC 5961: a reset counts when it lies in the window; one that answers a SYN when it
    /// acknowledges it.
    fn reset(&mut self, side: Side, seg: &Segment<'_>, mark: Mark) {
        let i = side;
        let peer = side.other();
        let nothing_yet =
            self.facts.syn[i].is_none() && self.facts.syn_ack[i].is_none() && self.facts.data[i].is_none();
        if nothing_yet
            && self.facts.syn[peer].is_some()
            && self.facts.data[peer].is_none()
            && seg.flags.contains(TcpFlags::ACK)
            && self.isn[peer].is_some_and(|isn| isn.wrapping_add(1) == seg.ack)
        {
            self.facts.refused = true;
        } else {
            let far = match (self.stream(side).and_then(|s| s.distance(seg.seq)), self.isn[i]) {
                (Some(d), _) => !(-65_536..=1 << 20).contains(&d),
                (None, Some(isn)) => !(-1..=1 << 20).contains(&i64::from(seg.seq.wrapping_sub(isn).cast_signed())),
                (None, None) => false,
            };
            if far {
                self.facts.rst_ignored = self.facts.rst_ignored.saturating_add(1);
                return;
            }
        }
        if self.facts.rst[i].is_none() {
            self.facts.rst[i] = Some(mark);
            self.rst_seq[i] = seg.seq;
            self.last_ttl[i] = seg.ttl;
        }
    }

    fn payload(
        &mut self,
        side: Side,
        seg: &Segment<'_>,
        mark: Mark,
        syn: bool,
        sink: &mut impl FnMut(Side, StreamEvent<'_>),
    ) {
        let i = side;
        if !syn {
            self.facts.data[i].get_or_insert(mark);
            self.facts.last_data[i] = Some(mark);
            self.facts.opened = true;
        }
        // Real data behind a reset of the same side: somebody else sent the reset.
        if self.facts.rst[i].is_some()
            && self.facts.data_after_rst[i].is_none()
            && seg.seq.wrapping_add(seg.wire_len).wrapping_sub(self.rst_seq[i]).cast_signed() > 0
        {
            self.facts.data_after_rst[i] = Some((mark.frame, self.last_ttl[i], seg.ttl));
        }
        if self.ignored {
            return;
        }
        let seq = seg.seq.wrapping_add(u32::from(syn));
        if self.doubtful[i].is_some() {
            self.resolve_doubt(side, Some(seg), sink);
        }
        if seg.flags == TcpFlags::ACK
            && seg.payload.len() <= 6
            && seg.payload.iter().all(|b| *b == 0)
            && !seg.payload.is_empty()
        {
            let bytes = SmallVec::from_slice(seg.payload);
            self.doubtful[i] = Some(Box::new(Doubtful { seq, bytes, mark, off: seg.payload_off }));
            return;
        }
        let stream = &mut self.make_streams()[i];
        let whole = Payload { bytes: seg.payload, frame: mark.frame, off: seg.payload_off, time: mark.time };
        if syn {
            stream.syn_payload(whole);
            return;
        }
        let mut forward = |e: StreamEvent<'_>| sink(side, e);
        if seg.pieces.is_empty() {
            stream.push(seq, whole, seg.wire_len, &mut forward);
            return;
        }
        // Put together from IP fragments: each piece has a frame of its own.
        for piece in seg.pieces {
            let (at, span) = (piece.at, piece.span);
            let Some(bytes) = seg.payload.get(at as usize..(at as usize).saturating_add(span.len as usize)) else {
                continue;
            };
            let part = Payload { bytes, frame: span.frame, off: span.off, time: mark.time };
            stream.push(seq.wrapping_add(at), part, span.len, &mut forward);
        }
    }

    /// Uses what was held as doubtful, unless the next segment shows that it was padding.
    fn resolve_doubt(&mut self, side: Side, next: Option<&Segment<'_>>, sink: &mut impl FnMut(Side, StreamEvent<'_>)) {
        let Some(d) = self.doubtful[side].take() else { return };
        if next.is_some_and(|n| n.seq == d.seq) {
            return;
        }
        let p = Payload { bytes: &d.bytes, frame: d.mark.frame, off: d.off, time: d.mark.time };
        let len = u32::try_from(d.bytes.len()).unwrap_or(0);
        self.make_streams()[side].push(d.seq, p, len, &mut |e| sink(side, e));
    }

    /// The connection is over: holes are told, everything held is handed on.
    pub fn finish(&mut self, mut sink: impl FnMut(Side, StreamEvent<'_>)) {
        for side in [Side::A, Side::B] {
            self.resolve_doubt(side, None, &mut sink);
        }
        let packets = self.facts.packets;
        let Some(s) = self.streams.as_mut() else { return };
        for side in [Side::A, Side::B] {
            s[side].finish(packets[side.other()] > 0, &mut |e| sink(side, e));
        }
    }

    /// Hands on what is held because memory is short.
    pub fn release(&mut self, mut sink: impl FnMut(Side, StreamEvent<'_>)) {
        let Some(s) = self.streams.as_mut() else { return };
        for side in [Side::A, Side::B] {
            s[side].release(&mut |e| sink(side, e));
        }
    }
}

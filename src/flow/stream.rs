//! One direction of a TCP connection put back in order.
//!
//! Policy, case by case in `tests/it/streams.rs`: bytes once delivered never change; of two copies of a byte the first
//! one captured wins; a copy that differs is a [`Conflict`] naming both frames; a hole is waited for as long as it may
//! still be filled and then told as a [`Gap`], never papered over.
//!
//! Offsets are 64-bit and relative to the first byte of the stream, so sequence numbers may wrap.
//! Invariant: every chunk in `pending` lies behind `next`, and chunks do not overlap.

use std::collections::BTreeMap;

use super::gap::{Gap, GapReason};
use super::history::{Conflict, Conflicts, Copy, History};
use crate::limits;
use crate::span::{FrameNo, FrameSpan, Timestamp};

/// Where a stream without its SYN begins: far enough from 0 that bytes captured later but sent earlier still have a place.
const MID_STREAM: u64 = 1 << 32;

/// A run of payload with the place it came from.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Frame and offset of the first byte.
    pub frame: FrameNo,
    /// Offset of `bytes[0]` in the captured frame.
    pub off: u32,
    /// When the frame was captured.
    pub time: Timestamp,
}

impl<'a> Payload<'a> {
    /// Without its first `n` bytes.
    pub fn skip(self, n: usize) -> Self {
        Self {
            bytes: self.bytes.get(n..).unwrap_or(&[]),
            off: self.off.saturating_add(u32::try_from(n).unwrap_or(u32::MAX)),
            ..self
        }
    }

    /// Only its first `n` bytes.
    fn first(self, n: usize) -> Self {
        Self { bytes: self.bytes.get(..n).unwrap_or(self.bytes), ..self }
    }

    /// The span of the whole run.
    pub fn span(&self) -> FrameSpan {
        FrameSpan { frame: self.frame, off: self.off, len: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX) }
    }
}

/// What a stream hands on.
#[derive(Debug)]
pub enum StreamEvent<'a> {
    /// The next bytes in order.
    Data(Payload<'a>),
    /// A hole; the bytes behind it follow.
    Gap(Gap),
}

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// Segments with bytes that had been seen before.
    pub retransmitted: u32,
    /// Segments that came before bytes that precede them.
    pub reordered: u32,
    /// Segments outside any window, or before the start.
    pub out_of_window: u32,
    /// Segments with data behind the sender's FIN.
    pub after_fin: u32,
}

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    frame: FrameNo,
    off: u32,
    time: Timestamp,
}

impl Chunk {
    fn payload(&self) -> Payload<'_> {
        Payload { bytes: &self.bytes, frame: self.frame, off: self.off, time: self.time }
    }
}

/// Reassembly of one direction.
#[derive(Debug, Default)]
pub struct Assembler {
    /// Sequence number of offset 0.
    base: u32,
    /// Offset of the next byte to hand on.
    next: u64,
    /// Where the stream begins is known (SYN seen, or decided).
    started: bool,
    /// Some segment was seen, so `base` means something.
    based: bool,
    /// The initial sequence numbers that SYNs named; the peer's first ACK chooses.
    isns: [Option<u32>; 2],
    pending: BTreeMap<u64, Chunk>,
    pending_bytes: usize,
    history: History,
    conflicts: Conflicts,
    /// Data of the SYN, not used until the peer's ACK covers it.
    syn_data: Option<Box<Chunk>>,
    fin: Option<u64>,
    fin_frame: FrameNo,
    /// Highest offset that the peer acknowledged, and the frame that first said so.
    acked: Option<u64>,
    acked_frame: FrameNo,
    /// Segments since the first one that lies behind the present hole.
    since_hole: u32,
    /// Bytes cut off by the snap length: offset → (end, frame).
    cut: BTreeMap<u64, (u64, FrameNo)>,
    counts: StreamCounts,
}

impl Assembler {
    /// Empty; nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted.
    pub fn counts(&self) -> StreamCounts {
        self.counts
    }

    /// Conflicts found so far (capped by [`limits::CONFLICTS`]).
    pub fn conflicts(&self) -> &[Conflict] {
        self.conflicts.list()
    }

    /// How many more there were.
    pub fn conflicts_omitted(&self) -> u64 {
        self.conflicts.omitted()
    }

    /// True when a SYN of this side was seen.
    pub fn saw_syn(&self) -> bool {
        self.isns[0].is_some()
    }

    /// Number of bytes handed on or skipped so far (from the start of the stream as captured).
    pub fn delivered(&self) -> u64 {
        if self.saw_syn() { self.next } else { self.next.saturating_sub(MID_STREAM) }
    }

    /// Bytes held while waiting for earlier ones.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Stops keeping delivered bytes for comparison: the handshake is over.
    pub fn forget_history(&mut self) {
        self.history.forget();
    }

    /// How far (signed) `seq` lies behind the next expected byte; `None` before the first segment.
    pub fn distance(&self, seq: u32) -> Option<i64> {
        self.based.then(|| i64::from(seq.wrapping_sub(self.seq_of(self.next)).cast_signed()))
    }

    fn seq_of(&self, offset: u64) -> u32 {
        self.base.wrapping_add(offset as u32)
    }

    /// Offset of a sequence number near the next expected byte; `None` when it lies before the start.
    fn offset_of(&self, seq: u32) -> Option<u64> {
        let d = i64::from(seq.wrapping_sub(self.seq_of(self.next)).cast_signed());
        self.next.checked_add_signed(d)
    }

    /// A SYN of this side with its initial sequence number. A second one with another number replaces it as long as no
    /// byte was handed on.
    pub fn syn(&mut self, isn: u32) {
        if self.isns.contains(&Some(isn)) {
            return;
        }
        if self.isns[0].is_none() {
            if self.based {
                // Data came before its SYN in the file.
                if !self.started
                    && let Some(at) = self.offset_of(isn.wrapping_add(1))
                {
                    self.next = at;
                    self.started = true;
                }
            } else {
                self.rebase(isn);
            }
            self.isns[0] = Some(isn);
        } else if self.next == 0 {
            self.isns[1] = Some(isn);
            if self.pending.is_empty() {
                self.rebase(isn);
            }
        }
    }

    fn rebase(&mut self, isn: u32) {
        self.base = isn.wrapping_add(1);
        self.next = 0;
        self.based = true;
        self.started = true;
    }

    /// Data that came with the SYN (TCP Fast Open, RFC 7413): held until the peer's ACK covers it.
    pub fn syn_payload(&mut self, p: Payload<'_>) {
        // A few zero bytes are the padding of a short Ethernet frame, counted into the IP length by some device.
        if p.bytes.len() <= 6 && p.bytes.iter().all(|b| *b == 0) {
            return;
        }
        if self.syn_data.is_none() && self.next == 0 && p.bytes.len() <= limits::STREAM_PENDING_BYTES {
            self.syn_data = Some(Box::new(Chunk { bytes: p.bytes.into(), frame: p.frame, off: p.off, time: p.time }));
        }
    }

    /// The peer acknowledged everything before `ack`.
    pub fn ack(&mut self, ack: u32, frame: FrameNo, sink: &mut impl FnMut(StreamEvent<'_>)) {
        if !self.based {
            return;
        }
        if self.next == 0 && self.pending.is_empty() && self.isns[1].is_some() {
            let chosen = self.isns.iter().flatten().find(|isn| isn.wrapping_add(1) == ack);
            if let Some(isn) = chosen.copied() {
                self.rebase(isn);
            }
        }
        let Some(at) = self.offset_of(ack) else { return };
        // An ACK far beyond anything seen belongs to another connection or is forged.
        if at > self.next.saturating_add(limits::TCP_WINDOW) {
            return;
        }
        if self.acked.is_none_or(|a| at > a) {
            self.acked = Some(at);
            self.acked_frame = frame;
        }
        if self.syn_data.is_some() {
            self.judge_syn_data(at, sink);
        }
        self.maybe_give_up(sink);
    }

    /// Uses the SYN's data when the ACK covers it, else drops it (it is sent again).
    fn judge_syn_data(&mut self, acked: u64, sink: &mut impl FnMut(StreamEvent<'_>)) {
        let Some(c) = self.syn_data.take() else { return };
        if self.next == 0 && acked >= c.bytes.len() as u64 {
            self.insert(0, c.payload(), sink);
        } else if self.next == 0 {
            self.syn_data = Some(c); // kept only to be compared with what is sent after
        }
    }

    /// A segment's payload. `wire_len` is its length on the wire: more than `p.bytes` when the capture cut it.
    pub fn push(&mut self, seq: u32, p: Payload<'_>, wire_len: u32, sink: &mut impl FnMut(StreamEvent<'_>)) {
        if !self.based {
            self.base = seq;
            self.next = MID_STREAM;
            self.based = true;
        }
        let Some(at) = self.offset_of(seq) else {
            self.counts.out_of_window = self.counts.out_of_window.saturating_add(1);
            return;
        };
        let cut = (wire_len as usize).saturating_sub(p.bytes.len());
        // The plain case, first: in order, whole, nothing waiting.
        if at == self.next
            && self.started
            && self.pending.is_empty()
            && self.fin.is_none()
            && cut == 0
            && self.syn_data.is_none()
        {
            self.deliver(p, sink);
            return;
        }
        if at > self.next.saturating_add(limits::TCP_WINDOW) || at.saturating_add(limits::TCP_WINDOW) < self.next {
            self.counts.out_of_window = self.counts.out_of_window.saturating_add(1);
            return;
        }
        if let Some(c) = self.syn_data.take() {
            self.compare_syn_data(&c, at, p);
        }
        let p = match self.fin {
            Some(fin) if at >= fin && !p.bytes.is_empty() => {
                self.counts.after_fin = self.counts.after_fin.saturating_add(1);
                return;
            }
            Some(fin) => p.first(usize::try_from(fin.saturating_sub(at)).unwrap_or(usize::MAX)),
            None => p,
        };
        if cut > 0 {
            let from = at.saturating_add(p.bytes.len() as u64);
            if self.cut.len() < limits::STREAM_CHUNKS {
                self.cut.entry(from).or_insert((from.saturating_add(cut as u64), p.frame));
            }
        }
        self.insert(at, p, sink);
        self.maybe_give_up(sink);
    }

    /// The SYN's data was not acknowledged: what is sent after counts; a difference is told.
    fn compare_syn_data(&mut self, c: &Chunk, at: u64, p: Payload<'_>) {
        let skip = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(old) = c.bytes.get(skip..) {
            self.conflicts.compare(at, Copy { bytes: p.bytes, frame: p.frame }, Copy { bytes: old, frame: c.frame });
        }
    }

    /// The sender's FIN, `seq` being the number behind its last byte.
    pub fn fin(&mut self, seq: u32, frame: FrameNo) {
        if !self.based {
            self.base = seq;
            self.next = MID_STREAM;
            self.based = true;
        }
        if let Some(at) = self.offset_of(seq)
            && self.fin.is_none()
            && at >= self.next
            && at <= self.next.saturating_add(limits::TCP_WINDOW)
        {
            self.fin = Some(at);
            self.fin_frame = frame;
        }
    }

    /// True when the sender's FIN was seen and everything before it was handed on.
    pub fn finished(&self) -> bool {
        self.fin.is_some_and(|f| self.next >= f)
    }

    /// Puts a segment at its place: compares what was seen before, hands on or holds what is new.
    fn insert(&mut self, at: u64, p: Payload<'_>, sink: &mut impl FnMut(StreamEvent<'_>)) {
        if p.bytes.is_empty() {
            return;
        }
        let end = at.saturating_add(p.bytes.len() as u64);
        if self.started && at < self.next {
            // A keep-alive probe is at most one byte just before the next one (RFC 1122, section 4.2.3.6); its byte is garbage.
            let keep_alive = p.bytes.len() <= 1 && end == self.next;
            if !keep_alive {
                self.counts.retransmitted = self.counts.retransmitted.saturating_add(1);
                self.history.compare(at, p, &mut self.conflicts);
            }
            if end <= self.next {
                return;
            }
            let skip = usize::try_from(self.next.saturating_sub(at)).unwrap_or(usize::MAX);
            self.insert(self.next, p.skip(skip), sink);
            return;
        }
        if self.started && at == self.next && self.pending.is_empty() {
            self.deliver(p, sink);
            return;
        }
        if at > self.next || !self.started {
            self.counts.reordered = self.counts.reordered.saturating_add(u32::from(self.started));
        }
        self.hold(at, p);
        if !self.started {
            self.try_start();
        }
        if self.started {
            self.drain(sink);
        }
    }

    /// Holds the parts of a segment that no pending chunk has; the first copy of a byte wins.
    fn hold(&mut self, at: u64, p: Payload<'_>) {
        let end = at.saturating_add(p.bytes.len() as u64);
        let mut from = at;
        let mut again = false;
        // Chunks do not overlap, so those that touch [at, end) are the last one that begins at or before it and what follows.
        let first = self.pending.range(..=at).next_back().map_or(at, |(k, _)| *k);
        let mut fresh: smallvec::SmallVec<[(u64, u64); 2]> = smallvec::SmallVec::new();
        let mut seen: smallvec::SmallVec<[u64; 4]> = smallvec::SmallVec::new();
        for (&start, c) in self.pending.range(first..end) {
            let stop = start.saturating_add(c.bytes.len() as u64);
            if stop <= at {
                continue;
            }
            if start > from {
                fresh.push((from, start));
            }
            from = from.max(stop);
            seen.push(start);
        }
        if from < end {
            fresh.push((from, end));
        }
        for start in seen {
            again = true;
            if let Some(c) = self.pending.remove(&start) {
                let lo = start.max(at);
                let old = c.bytes.get(usize::try_from(lo.saturating_sub(start)).unwrap_or(usize::MAX)..).unwrap_or(&[]);
                let new = p.skip(usize::try_from(lo.saturating_sub(at)).unwrap_or(usize::MAX));
                self.conflicts.compare(
                    lo,
                    Copy { bytes: old, frame: c.frame },
                    Copy { bytes: new.bytes, frame: new.frame },
                );
                self.pending.insert(start, c);
            }
        }
        if again {
            self.counts.retransmitted = self.counts.retransmitted.saturating_add(1);
        }
        for (lo, hi) in fresh {
            let part = p
                .skip(usize::try_from(lo.saturating_sub(at)).unwrap_or(usize::MAX))
                .first(usize::try_from(hi.saturating_sub(lo)).unwrap_or(usize::MAX));
            self.pending_bytes =
                self.pending_bytes.saturating_add(part.bytes.len()).saturating_add(limits::CHUNK_OVERHEAD);
            self.pending
                .insert(lo, Chunk { bytes: part.bytes.into(), frame: part.frame, off: part.off, time: part.time });
        }
    }

    /// Without a SYN the first byte is a matter of judgement: a record's beginning is one; else a few more segments are
    /// waited for, because frames near the start of a capture may come in the wrong order.
    fn try_start(&mut self) {
        let Some((&at, c)) = self.pending.first_key_value() else { return };
        let record = matches!(c.bytes.first_chunk(), Some([20..=24, 3, 0..=4, hi, _]) if *hi <= 0x48);
        if record || self.pending.len() >= limits::MID_STREAM_SEGMENTS {
            self.next = at;
            self.started = true;
        }
    }

    /// Hands on what is in order now.
    fn drain(&mut self, sink: &mut impl FnMut(StreamEvent<'_>)) {
        let before = self.next;
        loop {
            match self.pending.first_key_value() {
                Some((&at, _)) if at <= self.next => {}
                _ => break,
            }
            if let Some((at, c)) = self.pending.pop_first() {
                self.pending_bytes =
                    self.pending_bytes.saturating_sub(c.bytes.len()).saturating_sub(limits::CHUNK_OVERHEAD);
                let skip = usize::try_from(self.next.saturating_sub(at)).unwrap_or(usize::MAX);
                if skip < c.bytes.len() {
                    self.deliver(c.payload().skip(skip), sink);
                }
            }
        }
        if self.next != before {
            self.since_hole = 0;
        }
    }

    fn deliver(&mut self, p: Payload<'_>, sink: &mut impl FnMut(StreamEvent<'_>)) {
        if p.bytes.is_empty() {
            return;
        }
        self.history.remember(self.next, p);
        self.next = self.next.saturating_add(p.bytes.len() as u64);
        sink(StreamEvent::Data(p));
    }

    /// Gives a hole up when it will not be filled any more: the peer has all of it and the sender went on for a while,
    /// the capture cut it off, or too much waits behind it.
    fn maybe_give_up(&mut self, sink: &mut impl FnMut(StreamEvent<'_>)) {
        loop {
            if let Some(&(end, frame)) = self.cut.get(&self.next)
                && self.started
            {
                let end = self.pending.first_key_value().map_or(end, |(k, _)| end.min(*k));
                self.cut.remove(&self.next);
                self.gap_to(end, frame, GapReason::Snaplen, sink);
                continue;
            }
            if self.pending.is_empty() {
                return;
            }
            if !self.started {
                return;
            }
            let over = self.pending_bytes > limits::STREAM_PENDING_BYTES || self.pending.len() > limits::STREAM_CHUNKS;
            let acked = self.hole_is_acked();
            if acked {
                self.since_hole = self.since_hole.saturating_add(1);
            }
            if !over && self.since_hole < limits::HOLE_PATIENCE {
                return;
            }
            let reason = match (acked, self.acked) {
                (true, _) => GapReason::Capture,
                (false, None) => GapReason::Unknown,
                (false, Some(_)) => GapReason::Limit,
            };
            self.give_up(reason, sink);
        }
    }

    fn hole_is_acked(&self) -> bool {
        match (self.pending.first_key_value(), self.acked) {
            (Some((&end, _)), Some(acked)) => acked >= end,
            _ => false,
        }
    }

    /// Skips the hole in front of the pending bytes.
    fn give_up(&mut self, reason: GapReason, sink: &mut impl FnMut(StreamEvent<'_>)) {
        let Some((&end, _)) = self.pending.first_key_value() else { return };
        // All that is pending lies behind the hole.
        let frame = self.pending.values().take(limits::STREAM_CHUNKS).map(|c| c.frame).min().unwrap_or_default();
        self.gap_to(end, frame, reason, sink);
    }

    fn gap_to(&mut self, end: u64, frame: FrameNo, reason: GapReason, sink: &mut impl FnMut(StreamEvent<'_>)) {
        let bytes = end.saturating_sub(self.next);
        if bytes > 0 {
            sink(StreamEvent::Gap(Gap { at: self.next, bytes, frame, reason }));
            self.next = end;
        }
        self.cut = self.cut.split_off(&self.next);
        self.drain(sink);
    }

    /// The flow is over: everything still held is handed on, with the holes between; what the peer acknowledged or the
    /// FIN covers and nobody saw is the last hole. `peer_seen`: packets of the peer were captured.
    pub fn finish(&mut self, peer_seen: bool, sink: &mut impl FnMut(StreamEvent<'_>)) {
        if !self.based {
            return;
        }
        if let Some(c) = self.syn_data.take()
            && self.next == 0
            && !peer_seen
        {
            self.insert(0, c.payload(), sink);
        }
        if !self.started
            && let Some((&at, _)) = self.pending.first_key_value()
        {
            self.next = at;
            self.started = true;
            self.drain(sink);
        }
        if !self.started {
            return;
        }
        loop {
            if let Some((end, frame)) = self.cut.remove(&self.next) {
                let end = self.pending.first_key_value().map_or(end, |(k, _)| end.min(*k));
                self.gap_to(end, frame, GapReason::Snaplen, sink);
            } else if self.pending.is_empty() {
                break;
            } else {
                let reason = match (self.hole_is_acked(), peer_seen) {
                    (true, _) => GapReason::Capture,
                    (false, true) => GapReason::Network,
                    (false, false) => GapReason::Unknown,
                };
                self.give_up(reason, sink);
            }
        }
        let fin = self.fin.filter(|f| *f > self.next);
        let acked = self.acked.map(|a| if self.fin.is_some_and(|f| a > f) { a.saturating_sub(1) } else { a });
        // One byte more than was seen is what the ACK of a FIN looks like that was not captured.
        let acked = acked.filter(|a| *a > self.next.saturating_add(u64::from(self.fin.is_none())));
        match (acked, fin) {
            (Some(a), f) if f.is_none_or(|f| f <= a) => {
                self.gap_to(a, self.acked_frame, GapReason::Capture, sink);
            }
            (_, Some(f)) => self.gap_to(f, self.fin_frame, GapReason::Network, sink),
            _ => {}
        }
    }

    /// Gives the present hole up because memory is short elsewhere.
    pub fn release(&mut self, sink: &mut impl FnMut(StreamEvent<'_>)) {
        if !self.started
            && let Some((&at, _)) = self.pending.first_key_value()
        {
            self.next = at;
            self.started = true;
        }
        while !self.pending.is_empty() {
            let reason = if self.hole_is_acked() { GapReason::Capture } else { GapReason::Limit };
            self.give_up(reason, sink);
        }
    }
}

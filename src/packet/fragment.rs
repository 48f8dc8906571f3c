//! IP fragments put together, within bounds of memory and of capture time.
//!
//! The first copy of a byte wins; a later one that differs is counted as a conflict. What is held is charged against
//! `limits::FRAGMENT_BYTES`; the oldest datagram makes room.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use super::ip::{Ip, Part};
use super::{Piece, Skip};
use crate::capture::Frame;
use crate::limits::{CHUNK_OVERHEAD, FRAGMENT_BYTES, FRAGMENT_DATAGRAMS};
use crate::span::{FrameNo, FrameSpan, Timestamp};
use crate::text;

/// Longest IP datagram, header included (without a jumbo payload option, which cannot be fragmented).
const MAX_DATAGRAM: usize = 65_535;

/// Microseconds of capture time after which a datagram's other fragments are not waited for any longer: what Linux
/// waits; RFC 8200 allows 60 s.
const TIMEOUT_US: u64 = 30_000_000;

/// What became of IP fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// Datagrams put together.
    pub completed: u64,
    /// Datagrams not yet complete, and the packets they came in.
    pub pending: u64,
    /// Packets of the pending datagrams.
    pub pending_packets: u64,
    /// Datagrams given up because the rest did not come within 30 s of capture time.
    pub timed_out: u64,
    /// Packets of the datagrams that timed out.
    pub timed_out_packets: u64,
    /// Datagrams given up to make room (`limits::FRAGMENT_DATAGRAMS`, `limits::FRAGMENT_BYTES`).
    pub evicted: u64,
    /// Packets of the evicted datagrams.
    pub evicted_packets: u64,
    /// Fragments that gave a byte, or a datagram's length, another value than an earlier fragment did.
    pub conflicts: u64,
    /// Fragments dropped for what they claim.
    pub dropped: u64,
    /// The earliest frame of a datagram that was not put together.
    pub lost_from: Option<FrameNo>,
    /// The first fragment that is counted in `conflicts`.
    pub conflict_at: Option<FrameNo>,
}

impl FragmentCounts {
    /// What a reader of the report has to know when the input has ended, each with the first frame of its kind: which
    /// datagrams were not put together and why, and that fragments contradicted each other.
    pub fn problems(&self) -> Vec<(Option<FrameNo>, String)> {
        let lost = [
            (self.pending, self.pending_packets, "not complete when the capture ended".to_owned()),
            (self.timed_out, self.timed_out_packets, format!("not complete within {} s", TIMEOUT_US / 1_000_000)),
            (
                self.evicted,
                self.evicted_packets,
                format!(
                    "given up for newer ones (at most {} are put together at once, of {} MiB)",
                    text::thousands(FRAGMENT_DATAGRAMS as u64),
                    FRAGMENT_BYTES >> 20
                ),
            ),
        ];
        let datagrams = lost.iter().fold(0_u64, |n, l| n.saturating_add(l.0));
        let mut out = Vec::new();
        if datagrams > 0 {
            let parts: Vec<String> = lost
                .iter()
                .filter(|l| l.0 > 0)
                .map(|(n, packets, why)| {
                    format!("{} {why} ({})", text::thousands(*n), text::count(*packets, "fragment"))
                })
                .collect();
            let from = self.lost_from.map(|f| format!(", the first from frame {f}")).unwrap_or_default();
            let message = format!(
                "{} that came in IP fragments could not be put together{from}: {}; what they said is lost",
                text::count(datagrams, "packet"),
                parts.join(", ")
            );
            out.push((self.lost_from, message));
        }
        if self.conflicts > 0 {
            let first = self.conflict_at.map(|f| format!(", the first in frame {f}")).unwrap_or_default();
            let message = format!(
                "{} did not agree with earlier ones of the same packet{first}: the earlier bytes were taken, the \
                 receiver may have taken the others",
                text::count(self.conflicts, "IP fragment")
            );
            out.push((self.conflict_at, message));
        }
        out
    }
}

/// A datagram put together: the payload of IP.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
}

/// Which datagram a fragment belongs to (RFC 791, section 3.2; RFC 8200, section 4.5, where the protocol has no part).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    protocol: u8,
}

#[derive(Debug)]
struct Chunk {
    span: FrameSpan,
    bytes: Box<[u8]>,
}

#[derive(Debug)]
struct Pending {
    serial: u64,
    since: Option<Timestamp>,
    /// The frame of its earliest fragment.
    frame: FrameNo,
    packets: u64,
    /// Length of the payload, from the last fragment.
    total: Option<usize>,
    /// Bytes there are, without holes and overlaps.
    have: usize,
    /// By offset, not overlapping.
    chunks: BTreeMap<usize, Chunk>,
    /// What the first fragment's header says of the whole.
    first: Option<Ip>,
    charged: usize,
}

/// Datagrams being put together.
#[derive(Debug, Default)]
pub(super) struct Table {
    pending: BTreeMap<Key, Pending>,
    /// The same in the order of their first fragments.
    by_age: BTreeMap<u64, Key>,
    next_serial: u64,
    charged: usize,
    counts: FragmentCounts,
}

impl Table {
    pub(super) fn counts(&self) -> FragmentCounts {
        FragmentCounts {
            pending: self.pending.len() as u64,
            pending_packets: self.pending.values().map(|p| p.packets).sum(),
            lost_from: self.counts.lost_from.into_iter().chain(self.oldest().map(|(_, p)| p.frame)).min(),
            ..self.counts
        }
    }

    /// Takes a fragment whose payload is `bytes`. When it completes its datagram, `whole` is that, `ip` its header; else
    /// the reason why there is nothing to decode.
    #[cold]
    pub(super) fn push(
        &mut self,
        frame: &Frame<'_>,
        ip: &mut Ip,
        part: Part,
        bytes: &[u8],
        whole: &mut Whole,
    ) -> Result<(), Skip> {
        self.expire(frame.time);
        let end = part.at.saturating_add(bytes.len());
        if bytes.is_empty() || (part.more && bytes.len() & 7 != 0) || end.saturating_add(part.header) > MAX_DATAGRAM {
            return self.drop_one();
        }
        let protocol = if ip.src.is_ipv4() { ip.protocol } else { 0 };
        let key = Key { src: ip.src, dst: ip.dst, id: part.id, protocol };
        let pending = match self.pending.get_mut(&key) {
            Some(p) => p,
            None => {
                self.make_room(1);
                let serial = self.next_serial;
                self.next_serial = serial.saturating_add(1);
                self.by_age.insert(serial, key);
                self.pending.entry(key).or_insert(Pending {
                    serial,
                    since: frame.time,
                    frame: frame.no,
                    packets: 0,
                    total: None,
                    have: 0,
                    chunks: BTreeMap::new(),
                    first: None,
                    charged: 0,
                })
            }
        };
        let off = u32::try_from(ip.at).unwrap_or(u32::MAX);
        let fits = pending.fits(end, part.more);
        if !fits {
            self.conflict(frame);
            return self.drop_one();
        }
        if part.at == 0 && pending.first.is_none() {
            pending.first = Some(*ip);
        }
        let before = pending.charged;
        let conflicts = pending.add(part.at, bytes, frame, off);
        self.charged = self.charged.saturating_add(pending.charged.saturating_sub(before));
        let whole_ip = pending.first.filter(|_| pending.total == Some(pending.have));
        let end = pending.have;
        if conflicts {
            self.conflict(frame);
        }
        if let Some(first) = whole_ip {
            *ip = Ip { at: 0, end, fragment: None, ..first };
            self.complete(&key, whole);
            return Ok(());
        }
        self.make_room(0);
        Err(Skip::FragmentHeld)
    }

    fn conflict(&mut self, frame: &Frame<'_>) {
        self.counts.conflicts = self.counts.conflicts.saturating_add(1);
        self.counts.conflict_at.get_or_insert(frame.no);
    }

    fn drop_one(&mut self) -> Result<(), Skip> {
        self.counts.dropped = self.counts.dropped.saturating_add(1);
        Err(Skip::FragmentDropped)
    }

    fn complete(&mut self, key: &Key, whole: &mut Whole) {
        whole.bytes.clear();
        whole.pieces.clear();
        let Some(p) = self.remove(key) else { return };
        for (at, chunk) in p.chunks {
            whole.bytes.extend_from_slice(&chunk.bytes);
            whole.pieces.push(Piece { at: u32::try_from(at).unwrap_or(u32::MAX), span: chunk.span });
        }
        self.counts.completed = self.counts.completed.saturating_add(1);
    }

    fn remove(&mut self, key: &Key) -> Option<Pending> {
        let p = self.pending.remove(key)?;
        self.by_age.remove(&p.serial);
        self.charged = self.charged.saturating_sub(p.charged);
        Some(p)
    }

    fn oldest(&self) -> Option<(Key, &Pending)> {
        let key = self.by_age.first_key_value()?.1;
        Some((*key, self.pending.get(key)?))
    }

    fn expire(&mut self, now: Option<Timestamp>) {
        let Some(now) = now else { return };
        while let Some((key, p)) = self.oldest()
            && p.since.is_some_and(|t| now.us_since(t) > TIMEOUT_US)
        {
            let (packets, frame) = (p.packets, p.frame);
            self.remove(&key);
            self.counts.lost_from.get_or_insert(frame);
            self.counts.timed_out = self.counts.timed_out.saturating_add(1);
            self.counts.timed_out_packets = self.counts.timed_out_packets.saturating_add(packets);
        }
    }

    /// Gives up the oldest datagrams until `new` more are within the caps.
    fn make_room(&mut self, new: usize) {
        while (self.pending.len().saturating_add(new) > FRAGMENT_DATAGRAMS || self.charged > FRAGMENT_BYTES)
            && let Some((key, p)) = self.oldest()
        {
            let (packets, frame) = (p.packets, p.frame);
            self.remove(&key);
            self.counts.lost_from.get_or_insert(frame);
            self.counts.evicted = self.counts.evicted.saturating_add(1);
            self.counts.evicted_packets = self.counts.evicted_packets.saturating_add(packets);
        }
    }
}

impl Pending {
    /// Whether a fragment that ends at `end` agrees with what is known of the datagram's length.
    fn fits(&mut self, end: usize, more: bool) -> bool {
        let reaches = self.chunks.last_key_value().map_or(0, |(at, c)| at.saturating_add(c.bytes.len()));
        match self.total {
            Some(total) => end <= total && (more || end == total),
            None if more => true,
            None if reaches <= end => {
                self.total = Some(end);
                true
            }
            None => false,
        }
    }

    /// Adds what is new of `bytes`; true when what is not new differs from what was there.
    fn add(&mut self, at: usize, bytes: &[u8], frame: &Frame<'_>, off: u32) -> bool {
        self.packets = self.packets.saturating_add(1);
        let end = at.saturating_add(bytes.len());
        let mut conflict = false;
        let mut holes = Vec::new();
        let mut free = at;
        let first = self.chunks.range(..=at).next_back().map_or(at, |(s, _)| *s);
        for (start, chunk) in self.chunks.range(first..end) {
            let stop = start.saturating_add(chunk.bytes.len());
            if stop <= at {
                continue;
            }
            if free < *start {
                holes.push(free..*start);
            }
            free = free.max(stop);
            let (from, to) = (at.max(*start), end.min(stop));
            let old = chunk.bytes.get(from.saturating_sub(*start)..to.saturating_sub(*start));
            let new = bytes.get(from.saturating_sub(at)..to.saturating_sub(at));
            conflict |= old != new;
        }
        if free < end {
            holes.push(free..end);
        }
        for hole in holes {
            let skip = hole.start.saturating_sub(at);
            let Some(new) = bytes.get(skip..hole.end.saturating_sub(at)) else { continue };
            let span = FrameSpan {
                frame: frame.no,
                off: off.saturating_add(u32::try_from(skip).unwrap_or(u32::MAX)),
                len: u32::try_from(new.len()).unwrap_or(u32::MAX),
            };
            self.have = self.have.saturating_add(new.len());
            self.charged = self.charged.saturating_add(new.len()).saturating_add(CHUNK_OVERHEAD);
            self.chunks.insert(hole.start, Chunk { span, bytes: new.into() });
        }
        conflict
    }
}

/// Makes pieces of an IP payload those of the transport's payload, which is the given range of it.
pub(super) fn rebase(pieces: &mut Vec<Piece>, payload: Range<usize>) {
    let start = u32::try_from(payload.start).unwrap_or(u32::MAX);
    let end = u32::try_from(payload.end).unwrap_or(u32::MAX);
    pieces.retain_mut(|p| {
        let cut = start.saturating_sub(p.at).min(p.span.len);
        p.span.off = p.span.off.saturating_add(cut);
        p.span.len = p.span.len.saturating_sub(cut).min(end.saturating_sub(p.at.max(start)));
        p.at = p.at.max(start).saturating_sub(start);
        p.span.len > 0
    });
}

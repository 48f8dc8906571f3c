//! Frame → transport segment: link layer, IP, IP fragments, TCP and UDP headers.
//!
//! [`Decoder::decode`] makes one [`Packet`] of one [`Frame`], or says why not ([`Skip`]). Nothing is verified that a
//! capture taken on a host with offloading would fail (checksums can be asked for), and the lengths in headers win
//! over what was captured, so that padding and trailers never become payload.
//!
//! The walk: `link` finds where IP begins, `ip` where the transport begins, `fragment` puts datagrams together,
//! `transport` reads TCP, UDP and the flow that an ICMP error quotes; `fast` is the shortcut for the usual frame. IP in
//! IP is taken off by `ip`; other tunnels are named and not looked into.

mod fast;
mod fragment;
mod ip;
mod link;
mod transport;

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::capture::Frame;
use crate::span::FrameSpan;

pub use fragment::FragmentCounts;
pub use transport::{IcmpUnreachable, TcpFlags};

/// Numbers of the VLAN tags around a packet, outermost first.
pub type Vlans = SmallVec<[u16; 2]>;

/// What one frame turned out to be.
#[derive(Clone, Debug)]
pub enum Packet<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram.
    Udp(Datagram<'a>),
    /// An ICMP or ICMPv6 "destination unreachable" or "packet too big" that quotes a TCP or UDP packet.
    IcmpUnreachable(IcmpUnreachable),
    /// Nothing for the flows, and why.
    Skipped(Skip),
}

/// Why a frame gave no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// The frame has no bytes.
    Empty,
    /// Nothing is known about frames of this link type.
    UnsupportedLink,
    /// ARP, LLDP, PPP control and the like.
    NotIp,
    /// IP, but neither TCP nor UDP: the protocol number.
    NotTcpOrUdp(u8),
    /// A wrapping that is not looked into: its name.
    Encapsulated(&'static str),
    /// The snap length cut the headers off.
    Truncated,
    /// The headers contradict themselves or the frame: how.
    Malformed(&'static str),
    /// More stacked tags or headers than `limits::HEADERS_PER_FRAME`.
    TooManyHeaders,
    /// A fragment of an IP datagram whose other fragments are still to come.
    FragmentHeld,
    /// A fragment that fits no datagram: beyond 65,535 bytes, beyond the datagram's end, empty.
    FragmentDropped,
}

impl Skip {
    /// Every reason, for tables that count them. Programs read these words: "not tcp" stays, though it means
    /// [`Skip::NotTcpOrUdp`].
    pub const REASONS: [&'static str; 10] = [
        "empty",
        "unsupported link type",
        "not ip",
        "not tcp",
        "unsupported encapsulation",
        "truncated",
        "malformed",
        "too many headers",
        "fragment held",
        "fragment dropped",
    ];

    /// Position of this reason in [`Skip::REASONS`].
    pub const fn index(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::UnsupportedLink => 1,
            Self::NotIp => 2,
            Self::NotTcpOrUdp(_) => 3,
            Self::Encapsulated(_) => 4,
            Self::Truncated => 5,
            Self::Malformed(_) => 6,
            Self::TooManyHeaders => 7,
            Self::FragmentHeld => 8,
            Self::FragmentDropped => 9,
        }
    }

    /// The stable words that the report counts this under.
    pub fn reason(&self) -> &'static str {
        Self::REASONS.get(self.index()).copied().unwrap_or_default()
    }
}

/// A part of a payload that came in a frame of its own, as IP fragments do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset of its first byte in the payload.
    pub at: u32,
    /// The same bytes in their frame.
    pub span: FrameSpan,
}

/// A TCP segment (RFC 9293, section 3.1).
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    /// Sender.
    pub src: IpAddr,
    /// Receiver (of the IP header; a routing header may lead further).
    pub dst: IpAddr,
    /// Sender's port.
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// Sequence number of the first payload byte, or of the SYN.
    pub seq: u32,
    /// Acknowledgement number; means nothing without [`TcpFlags::ACK`].
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Window as sent, not scaled.
    pub window: u16,
    /// What was captured of the payload.
    pub payload: &'a [u8],
    /// Payload bytes the packet had on the wire: more than `payload.len()` when the snap length cut it.
    pub wire_len: u32,
    /// Offset of `payload[0]` in the frame's data; 0 when `pieces` tells.
    pub payload_off: u32,
    /// Where the payload's bytes came from when the packet was put together from IP fragments: sorted, without holes.
    /// Else empty.
    pub pieces: &'a [Piece],
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// The IPv4 header's identification.
    pub ip_id: Option<u16>,
    /// VLAN tags around the packet.
    pub vlans: Vlans,
}

#[cfg(test)]
impl Segment<'static> {
    /// One without bytes that says it has `wire_len` of them, from 192.0.2.1, port 1, to port 2.
    pub(crate) fn bare(seq: u32, wire_len: u32, flags: TcpFlags) -> Self {
        let ip = [192, 0, 2, 1].into();
        Self {
            src: ip,
            dst: ip,
            src_port: 1,
            dst_port: 2,
            seq,
            ack: 0,
            flags,
            window: 0,
            payload: &[],
            wire_len,
            payload_off: 0,
            pieces: &[],
            ttl: 64,
            ip_id: None,
            vlans: Vlans::default(),
        }
    }
}

/// A UDP datagram (RFC 768).
#[derive(Clone, Debug)]
pub struct Datagram<'a> {
    /// Sender.
    pub src: IpAddr,
    /// Receiver.
    pub dst: IpAddr,
    /// Sender's port.
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// What was captured of the payload.
    pub payload: &'a [u8],
    /// Payload bytes the packet had on the wire: more than `payload.len()` when the snap length cut it.
    pub wire_len: u32,
}

/// Turns frames into packets. Holds fragments of IP datagrams in between, nothing else.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: fragment::Table,
    /// The datagram last put together: what a [`Packet`] made of fragments borrows from.
    whole: fragment::Whole,
}

impl Decoder {
    /// One that holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What became of IP fragments so far.
    pub fn fragments(&self) -> FragmentCounts {
        self.fragments.counts()
    }

    /// Makes one packet of one frame, or says why not. Never fails otherwise, whatever the bytes.
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Packet<'a> {
        match fast::segment(frame) {
            Some(segment) => Packet::Tcp(segment),
            None => self.walk(frame).unwrap_or_else(Packet::Skipped),
        }
    }

    #[inline(never)]
    fn walk<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Packet<'a>, Skip> {
        if frame.data.is_empty() {
            return Err(Skip::Empty);
        }
        let buf = Buf::of(frame);
        let mut vlans = Vlans::new();
        let at = link::find_ip(frame.link, buf, &mut vlans)?;
        let mut ip = ip::innermost(buf, at)?;
        let Some(part) = ip.fragment else {
            return dispatch(buf, &ip, vlans, &[]);
        };
        let bytes = buf.captured(ip.at, ip.end).ok_or(Skip::Truncated)?;
        self.fragments.push(frame, &mut ip, part, bytes, &mut self.whole)?;
        let buf = Buf { data: &self.whole.bytes, wire: self.whole.bytes.len() };
        ip.unwrap_extensions(buf)?;
        if ip.fragment.is_some() {
            return Err(Skip::Malformed("fragment header in a datagram put together from fragments"));
        }
        let payload = transport::payload_range(buf, &ip);
        fragment::rebase(&mut self.whole.pieces, payload);
        dispatch(Buf { data: &self.whole.bytes, wire: self.whole.bytes.len() }, &ip, vlans, &self.whole.pieces)
    }
}

/// What follows IP; tunnels that are not looked into are refused by name.
fn dispatch<'a>(buf: Buf<'a>, ip: &ip::Ip, vlans: Vlans, pieces: &'a [Piece]) -> Result<Packet<'a>, Skip> {
    match ip.protocol {
        ip::TCP => transport::tcp(buf, ip, vlans, pieces).map(Packet::Tcp),
        ip::UDP => transport::udp(buf, ip).map(Packet::Udp),
        ip::ICMP | ip::ICMPV6 => transport::icmp(buf, ip).map(Packet::IcmpUnreachable),
        ip::IPV4 | ip::IPV6 => Err(Skip::Encapsulated("ip in ip")),
        ip::GRE => Err(Skip::Encapsulated("gre")),
        other => Err(Skip::NotTcpOrUdp(other)),
    }
}

/// Captured bytes, and how many there were on the wire.
#[derive(Clone, Copy, Debug)]
struct Buf<'a> {
    data: &'a [u8],
    wire: usize,
}

impl<'a> Buf<'a> {
    /// The bytes of a frame without its check sequence.
    #[inline]
    fn of(frame: &Frame<'a>) -> Self {
        if frame.fcs_len > 0 {
            // where some of it was captured, all before it was
            let end = frame.data.len().saturating_sub(usize::from(frame.fcs_len));
            let data = frame.data.get(..end).unwrap_or(&[]);
            return Self { data, wire: data.len() };
        }
        let wire = usize::try_from(frame.orig_len).unwrap_or(usize::MAX).max(frame.data.len());
        Self { data: frame.data, wire }
    }

    /// `N` bytes from `at`, of a structure that may reach to `end` on the wire.
    #[inline]
    fn take<const N: usize>(self, at: usize, end: usize, what: &'static str) -> Result<&'a [u8; N], Skip> {
        match self.data.get(at..).and_then(|d| d.first_chunk::<N>()) {
            Some(b) if at.saturating_add(N) <= end => Ok(b),
            Some(_) => Err(Skip::Malformed(what)),
            None => Err(self.short(at.saturating_add(N), end, what)),
        }
    }

    /// Why bytes up to `need` cannot be had.
    #[cold]
    fn short(self, need: usize, end: usize, what: &'static str) -> Skip {
        if need <= end.min(self.wire) { Skip::Truncated } else { Skip::Malformed(what) }
    }

    /// All of `at..end`, if it was captured.
    fn captured(self, at: usize, end: usize) -> Option<&'a [u8]> {
        self.data.get(at..end)
    }
}

#[cfg(test)]
mod tests;

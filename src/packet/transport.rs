//! TCP (RFC 9293), UDP (RFC 768) and the flow that an ICMP error (RFC 792, RFC 4443) quotes.

use std::net::IpAddr;
use std::ops::Range;

use super::ip::{self, Ip};
use super::{Buf, Datagram, Piece, Segment, Skip, Vlans};

const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const ICMP_HEADER: usize = 8;

/// Control bits of a TCP header (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// ECN echo.
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced.
    pub const CWR: Self = Self(0x80);

    /// True when all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// An ICMP (type 3) or ICMPv6 (type 1) "destination unreachable", or an ICMPv6 "packet too big" (type 2), and the packet
/// it quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpUnreachable {
    /// Who says so: a router, a firewall or the host.
    pub from: IpAddr,
    /// Whom it is said to.
    pub to: IpAddr,
    /// The code; which list it is from depends on whether `from` is an IPv4 address.
    pub code: u8,
    /// True when the packet was TCP, false for UDP.
    pub tcp: bool,
    /// Sender of the quoted packet.
    pub src: IpAddr,
    /// Receiver of the quoted packet.
    pub dst: IpAddr,
    /// Port of the quoted packet's sender.
    pub src_port: u16,
    /// Port of the quoted packet's receiver.
    pub dst_port: u16,
    /// Sequence number of a quoted TCP segment, where the quote reaches that far.
    pub seq: Option<u32>,
    /// The packet was too big for the next link, which takes so many bytes (0: not said). ICMP code 4, ICMPv6 type 2.
    pub mtu: Option<u32>,
}

/// Bytes of `at..end` that were captured, and the offset they begin at.
#[inline]
fn cut(buf: Buf<'_>, at: usize, end: usize) -> (&[u8], u32) {
    let have = buf.data.len();
    let at = at.min(have);
    (buf.data.get(at..end.min(have)).unwrap_or(&[]), u32::try_from(at).unwrap_or(u32::MAX))
}

fn length(at: usize, end: usize) -> u32 {
    u32::try_from(end.saturating_sub(at)).unwrap_or(u32::MAX)
}

/// Where the transport's payload begins and ends, by its header; means nothing when the header is no good.
pub(super) fn payload_range(buf: Buf<'_>, ip: &Ip) -> Range<usize> {
    match ip.protocol {
        ip::TCP => {
            let offset = buf.data.get(ip.at.saturating_add(12)).map_or(0, |b| usize::from(b >> 4) << 2);
            ip.at.saturating_add(offset)..ip.end
        }
        _ => ip.at.saturating_add(UDP_HEADER)..udp_end(buf, ip),
    }
}

/// Offset behind a UDP datagram, by its length field.
fn udp_end(buf: Buf<'_>, ip: &Ip) -> usize {
    match buf.take::<UDP_HEADER>(ip.at, ip.end, "UDP header") {
        Ok([_, _, _, _, a, b, _, _]) if [*a, *b] != [0, 0] => {
            ip.at.saturating_add(usize::from(u16::from_be_bytes([*a, *b])))
        }
        // longer than the field can say (RFC 2675, section 4), or left to the card
        _ => ip.end,
    }
}

#[inline]
pub(super) fn tcp<'a>(buf: Buf<'a>, ip: &Ip, vlans: Vlans, pieces: &'a [Piece]) -> Result<Segment<'a>, Skip> {
    let h = buf.take::<TCP_HEADER>(ip.at, ip.end, "TCP header")?;
    let header = usize::from(h[12] >> 4) << 2;
    let start = ip.at.saturating_add(header);
    if header < TCP_HEADER || start > ip.end {
        return Err(Skip::Malformed("TCP data offset"));
    }
    let (payload, payload_off) = cut(buf, start, ip.end);
    Ok(Segment {
        src: ip.src,
        dst: ip.dst,
        src_port: u16::from_be_bytes([h[0], h[1]]),
        dst_port: u16::from_be_bytes([h[2], h[3]]),
        seq: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
        ack: u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
        flags: TcpFlags(h[13]),
        window: u16::from_be_bytes([h[14], h[15]]),
        payload,
        wire_len: length(start, ip.end),
        payload_off: if pieces.is_empty() { payload_off } else { 0 },
        pieces,
        ttl: ip.ttl,
        ip_id: ip.id,
        vlans,
    })
}

pub(super) fn udp<'a>(buf: Buf<'a>, ip: &Ip) -> Result<Datagram<'a>, Skip> {
    let h = buf.take::<UDP_HEADER>(ip.at, ip.end, "UDP header")?;
    let end = udp_end(buf, ip);
    let start = ip.at.saturating_add(UDP_HEADER);
    if end < start || end > ip.end {
        return Err(Skip::Malformed("UDP length"));
    }
    let payload = cut(buf, start, end).0;
    Ok(Datagram {
        src: ip.src,
        dst: ip.dst,
        src_port: u16::from_be_bytes([h[0], h[1]]),
        dst_port: u16::from_be_bytes([h[2], h[3]]),
        payload,
        wire_len: length(start, end),
    })
}

/// The "destination unreachable" in an ICMP packet; everything else is of no use to a flow.
#[cold]
pub(super) fn icmp(buf: Buf<'_>, outer: &Ip) -> Result<IcmpUnreachable, Skip> {
    let other = Skip::NotTcpOrUdp(outer.protocol);
    let h = buf.take::<ICMP_HEADER>(outer.at, outer.end, "ICMP header").map_err(|_| other)?;
    let mtu = match (outer.protocol, h[0], h[1]) {
        // RFC 1191, section 4; RFC 4443, section 3.2.
        (ip::ICMP, 3, 4) => Some(u32::from(u16::from_be_bytes([h[6], h[7]]))),
        (ip::ICMPV6, 2, _) => Some(u32::from_be_bytes([h[4], h[5], h[6], h[7]])),
        (ip::ICMP, 3, _) | (ip::ICMPV6, 1, _) => None,
        _ => return Err(other),
    };
    let at = outer.at.saturating_add(ICMP_HEADER);
    // routers quote only the beginning: what the quoted header says of the length is not held against it
    let quote = Buf { data: cut(buf, at, outer.end).0, wire: usize::MAX };
    let inner = ip::decode(quote, 0).map_err(|_| other)?;
    let tcp = match inner.protocol {
        ip::TCP => true,
        ip::UDP => false,
        _ => return Err(other),
    };
    if inner.fragment.is_some_and(|f| f.at != 0) {
        return Err(other);
    }
    let [a, b, c, d] = *quote.take::<4>(inner.at, usize::MAX, "quoted ports").map_err(|_| other)?;
    let seq = quote.take::<8>(inner.at, usize::MAX, "quoted header").ok().filter(|_| tcp);
    Ok(IcmpUnreachable {
        from: outer.src,
        to: outer.dst,
        code: h[1],
        tcp,
        src: inner.src,
        dst: inner.dst,
        src_port: u16::from_be_bytes([a, b]),
        dst_port: u16::from_be_bytes([c, d]),
        seq: seq.map(|h| u32::from_be_bytes([h[4], h[5], h[6], h[7]])),
        mtu,
    })
}

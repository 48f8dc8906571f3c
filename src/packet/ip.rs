//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers: who, what, and where the transport's bytes are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Buf, Skip};
use crate::limits::HEADERS_PER_FRAME;

/// Protocol numbers (IANA's registry).
pub(super) const ICMP: u8 = 1;
pub(super) const IPV4: u8 = 4;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV6: u8 = 41;
pub(super) const GRE: u8 = 47;
pub(super) const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// IPv6 option types.
const PAD1: u8 = 0;
const JUMBO_PAYLOAD: u8 = 0xc2;

const IPV6_HEADER: usize = 40;
const BEYOND: &str = "IP length beyond the frame";

/// Where one fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The datagram's identification.
    pub(super) id: u32,
    /// Offset of the first byte in the datagram's payload.
    pub(super) at: usize,
    /// More fragments follow.
    pub(super) more: bool,
    /// Header bytes that count towards the datagram's 65,535.
    pub(super) header: usize,
}

/// An IP header that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// What the payload is, behind extension headers.
    pub(super) protocol: u8,
    /// Offset of the payload.
    pub(super) at: usize,
    /// Offset behind its last byte on the wire.
    pub(super) end: usize,
    pub(super) ttl: u8,
    pub(super) id: Option<u16>,
    pub(super) fragment: Option<Part>,
}

/// Reads the IP header at `at`, whatever its version.
#[inline]
pub(super) fn decode(buf: Buf<'_>, at: usize) -> Result<Ip, Skip> {
    match buf.data.get(at).map(|b| b >> 4) {
        Some(4) => v4(buf, at),
        Some(6) => v6(buf, at),
        Some(_) => Err(Skip::Malformed("IP version")),
        None => Err(buf.short(at.saturating_add(1), buf.wire, "no IP header")),
    }
}

/// The innermost IP header of IP in IP (RFC 2003, RFC 4213), from the one at `at`. A fragment is not looked into.
#[inline]
pub(super) fn innermost(buf: Buf<'_>, at: usize) -> Result<Ip, Skip> {
    let mut ip = decode(buf, at)?;
    let mut headers = 0usize;
    while matches!(ip.protocol, IPV4 | IPV6) && ip.fragment.is_none() {
        headers = headers.saturating_add(1);
        if headers > HEADERS_PER_FRAME {
            return Err(Skip::TooManyHeaders);
        }
        let data = buf.data.get(..ip.end).unwrap_or(buf.data);
        ip = decode(Buf { data, wire: ip.end }, ip.at)?;
    }
    Ok(ip)
}

#[inline]
fn v4(buf: Buf<'_>, at: usize) -> Result<Ip, Skip> {
    let h = buf.take::<20>(at, buf.wire, "IPv4 header")?;
    let header = usize::from(h[0] & 0x0f) << 2;
    if header < 20 {
        return Err(Skip::Malformed("IPv4 header length"));
    }
    let end = match u16::from_be_bytes([h[2], h[3]]) {
        // segmentation is left to the card, which fills the length in
        0 => buf.wire,
        n => at.saturating_add(usize::from(n)),
    };
    if end > buf.wire {
        return Err(Skip::Malformed(BEYOND));
    }
    let payload = at.saturating_add(header);
    if payload > end {
        return Err(Skip::Malformed("IPv4 total length"));
    }
    if payload > buf.data.len() {
        return Err(Skip::Truncated);
    }
    let id = u16::from_be_bytes([h[4], h[5]]);
    let flags = u16::from_be_bytes([h[6], h[7]]);
    let fragment = (flags & 0x3fff != 0).then(|| Part {
        id: u32::from(id),
        at: usize::from(flags & 0x1fff) << 3,
        more: flags & 0x2000 != 0,
        header,
    });
    let mut ip = Ip {
        src: IpAddr::V4(Ipv4Addr::new(h[12], h[13], h[14], h[15])),
        dst: IpAddr::V4(Ipv4Addr::new(h[16], h[17], h[18], h[19])),
        protocol: h[9],
        at: payload,
        end,
        ttl: h[8],
        id: Some(id),
        fragment,
    };
    if ip.protocol == AUTHENTICATION && fragment.is_none() {
        ip.unwrap_extensions(buf)?;
    }
    Ok(ip)
}

fn v6(buf: Buf<'_>, at: usize) -> Result<Ip, Skip> {
    let h = buf.take::<IPV6_HEADER>(at, buf.wire, "IPv6 header")?;
    let payload = at.saturating_add(IPV6_HEADER);
    let [_, _, _, _, l0, l1, next, ttl, addresses @ ..] = h;
    let (src, dst) = addresses.split_at(16);
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let end = match length {
        0 => match jumbo(buf, payload, *next)? {
            Some(n) => payload.saturating_add(n),
            // as with IPv4: left to the card
            None => buf.wire,
        },
        n => payload.saturating_add(n),
    };
    if end > buf.wire {
        return Err(Skip::Malformed(BEYOND));
    }
    let mut ip = Ip {
        src: v6_address(src),
        dst: v6_address(dst),
        protocol: *next,
        at: payload,
        end,
        ttl: *ttl,
        id: None,
        fragment: None,
    };
    if ip.protocol != TCP {
        ip.unwrap_extensions(buf)?;
    }
    Ok(ip)
}

fn v6_address(b: &[u8]) -> IpAddr {
    IpAddr::V6(b.first_chunk::<16>().map_or(Ipv6Addr::UNSPECIFIED, |b| Ipv6Addr::from(*b)))
}

/// The Jumbo Payload option (RFC 2675, section 2) of a packet whose payload length is 0: bytes behind the IPv6 header.
#[cold]
fn jumbo(buf: Buf<'_>, at: usize, next: u8) -> Result<Option<usize>, Skip> {
    if next != HOP_BY_HOP {
        return Ok(None);
    }
    let [_, n] = *buf.take::<2>(at, buf.wire, "hop-by-hop options")?;
    let end = at.saturating_add(usize::from(n).saturating_add(1) << 3);
    let mut at = at.saturating_add(2);
    while at < end {
        let [kind] = *buf.take::<1>(at, end, "hop-by-hop options")?;
        if kind == PAD1 {
            at = at.saturating_add(1);
            continue;
        }
        let [_, len] = *buf.take::<2>(at, end, "hop-by-hop options")?;
        if kind == JUMBO_PAYLOAD {
            let [_, 4, a, b, c, d] = *buf.take::<6>(at, end, "jumbo payload option")? else {
                return Err(Skip::Malformed("jumbo payload option"));
            };
            let length = u32::from_be_bytes([a, b, c, d]);
            if length <= u32::from(u16::MAX) {
                return Err(Skip::Malformed("jumbo payload option"));
            }
            return Ok(usize::try_from(length).ok());
        }
        at = at.saturating_add(2).saturating_add(usize::from(len));
    }
    Ok(None)
}

impl Ip {
    /// Walks over extension headers (RFC 8200, section 4; AH, which IPv4 has too: RFC 4302) to the transport, or to a
    /// fragment header that says there is more to come.
    pub(super) fn unwrap_extensions(&mut self, buf: Buf<'_>) -> Result<(), Skip> {
        let start = self.at;
        self.fragment = None;
        for _ in 0..HEADERS_PER_FRAME {
            let what = "IPv6 extension header";
            let len = match self.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 if self.src.is_ipv6() => {
                    let [_, n] = *buf.take::<2>(self.at, self.end, what)?;
                    usize::from(n).saturating_add(1) << 3
                }
                AUTHENTICATION => {
                    let [_, n] = *buf.take::<2>(self.at, self.end, what)?;
                    usize::from(n).saturating_add(2) << 2
                }
                FRAGMENT if self.src.is_ipv6() => 8,
                _ => return Ok(()),
            };
            let end = self.at.saturating_add(len);
            if end > self.end {
                return Err(Skip::Malformed(what));
            }
            if end > buf.data.len() {
                return Err(Skip::Truncated);
            }
            let [next, _] = *buf.take::<2>(self.at, self.end, what)?;
            if self.protocol == FRAGMENT {
                let [_, _, a, b, c, d, e, f] = *buf.take::<8>(self.at, self.end, what)?;
                let offset = u16::from_be_bytes([a, b]);
                // offset 0 and nothing to follow: a whole datagram (RFC 6946)
                if offset & 0xfff9 != 0 {
                    self.fragment = Some(Part {
                        id: u32::from_be_bytes([c, d, e, f]),
                        at: usize::from(offset & 0xfff8),
                        more: offset & 1 != 0,
                        header: self.at.saturating_sub(start),
                    });
                }
            }
            self.protocol = next;
            self.at = end;
            if self.fragment.is_some() {
                return Ok(());
            }
        }
        Err(Skip::TooManyHeaders)
    }
}

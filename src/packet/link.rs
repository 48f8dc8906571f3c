//! Where IP begins in a frame: Ethernet with tags or LLC, Linux cooked, BSD loopback, PPP, Cisco HDLC, raw IP.

use super::{Buf, Skip, Vlans};
use crate::capture::LinkType;
use crate::limits::HEADERS_PER_FRAME;

/// EtherTypes (IEEE 802 Numbers registry).
mod ether {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const VLAN: u16 = 0x8100;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    pub(super) const QINQ: u16 = 0x88a8;
    /// Cisco MetaData: a security group tag before the next EtherType.
    pub(super) const CISCO_METADATA: u16 = 0x8909;
    /// Older double tagging, never registered.
    pub(super) const QINQ_9100: u16 = 0x9100;
    pub(super) const QINQ_9200: u16 = 0x9200;
    /// Smaller ones are the length of an IEEE 802.3 frame or undefined.
    pub(super) const MIN: u16 = 0x0600;
    pub(super) const MAX_LENGTH: u16 = 1500;
}

/// Values of raw IP in files of programs that write what the system calls it (DLT_RAW) in place of LINKTYPE_RAW.
const DLT_RAW: LinkType = LinkType(12);
const DLT_RAW_OPENBSD: LinkType = LinkType(14);

/// Protocol of a Linux cooked frame that carries an IEEE 802.2 LLC header.
const SLL_LLC: u16 = 0x0004;

/// PPP protocol numbers (RFC 1661 and its registry).
mod ppp {
    pub(super) const IPV4: u16 = 0x0021;
    pub(super) const IPV6: u16 = 0x0057;
    pub(super) const MPLS: u16 = 0x0281;
}

/// Offset of the IP header (version 4 or 6: its first nibble says). VLAN numbers met on the way go to `vlans`.
#[inline]
pub(super) fn find_ip(link: LinkType, buf: Buf<'_>, vlans: &mut Vlans) -> Result<usize, Skip> {
    match link {
        LinkType::ETHERNET => {
            let kind = be16(buf, 12, "Ethernet header")?;
            ethertype(buf, kind, 14, vlans)
        }
        LinkType::NULL | LinkType::LOOP => loopback(buf),
        // what a serial line speaks is not always what was noted
        LinkType::PPP | LinkType::PPP_HDLC | LinkType::C_HDLC => serial(buf, vlans),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | DLT_RAW | DLT_RAW_OPENBSD => raw(buf),
        LinkType::LINUX_SLL => {
            let kind = be16(buf, 14, "Linux cooked header")?;
            cooked(buf, kind, 16, vlans)
        }
        LinkType::LINUX_SLL2 => {
            buf.take::<20>(0, buf.wire, "Linux cooked header")?;
            let kind = be16(buf, 0, "Linux cooked header")?;
            cooked(buf, kind, 20, vlans)
        }
        _ => Err(Skip::UnsupportedLink),
    }
}

#[inline]
fn be16(buf: Buf<'_>, at: usize, what: &'static str) -> Result<u16, Skip> {
    buf.take::<2>(at, buf.wire, what).map(|b| u16::from_be_bytes(*b))
}

/// Behind an EtherType or IEEE 802.3 length, `at` is the byte after it.
#[inline]
fn ethertype(buf: Buf<'_>, mut kind: u16, mut at: usize, vlans: &mut Vlans) -> Result<usize, Skip> {
    for _ in 0..HEADERS_PER_FRAME {
        match kind {
            ether::IPV4 | ether::IPV6 => return Ok(at),
            ether::VLAN | ether::QINQ | ether::QINQ_9100 | ether::QINQ_9200 => {
                let [a, b, c, d] = *buf.take::<4>(at, buf.wire, "VLAN tag")?;
                vlans.push(u16::from_be_bytes([a, b]) & 0x0fff);
                kind = u16::from_be_bytes([c, d]);
                at = at.saturating_add(4);
            }
            ether::CISCO_METADATA => match *buf.take::<8>(at, buf.wire, "Cisco metadata")? {
                // version 1, one option, which is the group tag
                [1, 1, 0, 1, _, _, a, b] => {
                    kind = u16::from_be_bytes([a, b]);
                    at = at.saturating_add(8);
                }
                _ => return Err(Skip::Encapsulated("cisco metadata")),
            },
            ether::MPLS | ether::MPLS_UPSTREAM => return Err(Skip::Encapsulated("mpls")),
            ether::PPPOE_SESSION => return Err(Skip::Encapsulated("pppoe")),
            0..=ether::MAX_LENGTH => match llc(buf, at)? {
                (k, next) if k >= ether::MIN => {
                    kind = k;
                    at = next;
                }
                _ => return Err(Skip::NotIp),
            },
            _ => return Err(Skip::NotIp),
        }
    }
    Err(Skip::TooManyHeaders)
}

/// IEEE 802.2 LLC, with SNAP: the EtherType it stands for and where its payload begins.
#[cold]
fn llc(buf: Buf<'_>, at: usize) -> Result<(u16, usize), Skip> {
    // a frame that ends before it is not one that claims to be IP
    let not_ip = |s| if s == Skip::Truncated { s } else { Skip::NotIp };
    match buf.take::<3>(at, buf.wire, "LLC header").map_err(not_ip)? {
        // SNAP, unnumbered information; an organisation of zeros (RFC 1042) or 802.1H's: an EtherType follows
        [0xaa, 0xaa, 0x03] => match buf.take::<8>(at, buf.wire, "SNAP header").map_err(not_ip)? {
            [_, _, _, 0, 0, 0 | 0xf8, a, b] => Ok((u16::from_be_bytes([*a, *b]), at.saturating_add(8))),
            _ => Err(Skip::NotIp),
        },
        // the service access point of IP
        [0x06, 0x06, 0x03] => Ok((ether::IPV4, at.saturating_add(3))),
        _ => Err(Skip::NotIp),
    }
}

fn cooked(buf: Buf<'_>, kind: u16, at: usize, vlans: &mut Vlans) -> Result<usize, Skip> {
    match kind {
        SLL_LLC => match llc(buf, at)? {
            (kind, at) if kind >= ether::MIN => ethertype(buf, kind, at, vlans),
            _ => Err(Skip::NotIp),
        },
        0..ether::MIN => Err(Skip::NotIp),
        kind => ethertype(buf, kind, at, vlans),
    }
}

/// An address family in the byte order of whoever captured.
fn loopback(buf: Buf<'_>) -> Result<usize, Skip> {
    let b = *buf.take::<4>(0, buf.wire, "loopback header")?;
    match (u32::from_be_bytes(b), u32::from_le_bytes(b)) {
        // AF_INET is 2 everywhere; AF_INET6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS, 10 on Linux
        (2 | 10 | 24 | 28 | 30, _) | (_, 2 | 10 | 24 | 28 | 30) => Ok(4),
        _ => Err(Skip::NotIp),
    }
}

/// PPP (RFC 1661), with or without HDLC framing (RFC 1662), or Cisco HDLC (RFC 1547, section 4.3.1).
fn serial(buf: Buf<'_>, vlans: &mut Vlans) -> Result<usize, Skip> {
    if let Some([0x0f | 0x8f, 0]) = buf.data.first_chunk() {
        let kind = be16(buf, 2, "Cisco HDLC header")?;
        return ethertype(buf, kind, 4, vlans);
    }
    // address and control field, unless negotiated away (RFC 1661, section 6.6)
    let at = if buf.data.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    let [first] = *buf.take::<1>(at, buf.wire, "PPP header")?;
    // an odd first byte is the whole protocol number (section 6.5)
    let (protocol, at) = if first & 1 == 1 {
        (u16::from(first), at.saturating_add(1))
    } else {
        (be16(buf, at, "PPP header")?, at.saturating_add(2))
    };
    match protocol {
        ppp::IPV4 | ppp::IPV6 => Ok(at),
        ppp::MPLS => Err(Skip::Encapsulated("mpls")),
        _ => Err(Skip::NotIp),
    }
}

fn raw(buf: Buf<'_>) -> Result<usize, Skip> {
    match buf.data.first().map(|b| b >> 4) {
        Some(4 | 6) => Ok(0),
        _ => Err(Skip::NotIp),
    }
}

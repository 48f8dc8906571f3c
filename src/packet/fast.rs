//! The road most frames take: TCP in IPv4 without options in Ethernet without tags, one bounds check for all headers.
//!
//! Anything unusual is left to the walk in [`super`], which says the same of these frames (a test holds the two
//! together) at three times the price.

use std::net::{IpAddr, Ipv4Addr};

use super::{Segment, TcpFlags, Vlans, ip};
use crate::capture::{Frame, LinkType};

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const TCP: usize = 20;
const SEGMENT: usize = ETHERNET + IPV4;
const HEADERS: usize = SEGMENT + TCP;

/// The segment, when the frame is of the usual kind and nothing is wrong with it.
#[inline]
pub(super) fn segment<'a>(frame: &Frame<'a>) -> Option<Segment<'a>> {
    let h = frame.data.first_chunk::<HEADERS>()?;
    let usual = frame.link == LinkType::ETHERNET
        && frame.fcs_len == 0
        // EtherType IPv4; version 4, five words of header
        && [h[12], h[13], h[14]] == [0x08, 0x00, 0x45]
        // no more fragments, offset 0
        && [h[20] & 0x3f, h[21]] == [0, 0]
        && h[23] == ip::TCP;
    // bytes from the start of the IP header
    let total = u32::from(u16::from_be_bytes([h[16], h[17]]));
    let header = u32::from(h[46] >> 4) << 2;
    let captured = u32::try_from(frame.data.len()).ok()?;
    let end = total.saturating_add(ETHERNET as u32);
    let start = header.saturating_add(SEGMENT as u32);
    if !usual || header < TCP as u32 || start > end || end > captured.max(frame.orig_len) {
        return None;
    }
    let payload = frame.data.get(start as usize..end.min(captured) as usize).unwrap_or(&[]);
    Some(Segment {
        src: IpAddr::V4(Ipv4Addr::new(h[26], h[27], h[28], h[29])),
        dst: IpAddr::V4(Ipv4Addr::new(h[30], h[31], h[32], h[33])),
        src_port: u16::from_be_bytes([h[34], h[35]]),
        dst_port: u16::from_be_bytes([h[36], h[37]]),
        seq: u32::from_be_bytes([h[38], h[39], h[40], h[41]]),
        ack: u32::from_be_bytes([h[42], h[43], h[44], h[45]]),
        flags: TcpFlags(h[47]),
        window: u16::from_be_bytes([h[48], h[49]]),
        payload,
        wire_len: end.saturating_sub(start),
        payload_off: start.min(captured),
        pieces: &[],
        ttl: h[22],
        ip_id: Some(u16::from_be_bytes([h[18], h[19]])),
        vlans: Vlans::new(),
    })
}

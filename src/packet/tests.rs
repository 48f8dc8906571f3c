//! Whole frames through [`Decoder`]. The frames are built by etherparse or by hand from the RFCs' layouts.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::capture::LinkType;
use crate::limits::{FRAGMENT_BYTES, FRAGMENT_DATAGRAMS, HEADERS_PER_FRAME};
use crate::span::{FrameNo, Timestamp};

mod any;
mod fragments;

const DATA: &[u8] = b"the payload";
const SRC: [u8; 4] = [192, 0, 2, 1];
const DST: [u8; 4] = [192, 0, 2, 2];
const SRC6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const DST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

fn frame(no: u64, link: LinkType, data: &[u8]) -> Frame<'_> {
    let time = Some(Timestamp::from_parts(1_700_000_000, 0));
    Frame { no: FrameNo(no), time, link, interface: 0, orig_len: data.len() as u32, fcs_len: 0, data }
}

/// An IPv4 packet from etherparse: TCP 40000 → 443 with an MSS option.
fn tcp4(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4(SRC, DST, 63)
        .tcp(40000, 443, 0xfffffff0, 1000)
        .ack(7)
        .syn()
        .options(&[
            etherparse::TcpOptionElement::MaximumSegmentSize(1460),
            etherparse::TcpOptionElement::WindowScale(7),
        ])
        .unwrap()
        .write(&mut out, payload)
        .unwrap();
    out
}

fn tcp6(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv6(SRC6.octets(), DST6.octets(), 62).tcp(40000, 443, 5, 1000).write(&mut out, payload).unwrap();
    out
}

fn udp4(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4(SRC, DST, 64).udp(40000, 443).write(&mut out, payload).unwrap();
    out
}

fn ether(tags: &[(u16, u16)], kind: u16, ip: &[u8]) -> Vec<u8> {
    let mut out = vec![2; 12];
    for (tag, vlan) in tags {
        out.extend(tag.to_be_bytes());
        out.extend(vlan.to_be_bytes());
    }
    out.extend(kind.to_be_bytes());
    out.extend(ip);
    out
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Every way a packet can be wrapped: link type, bytes before IP.
fn wrappings(v6: bool) -> Vec<(LinkType, Vec<u8>)> {
    let kind: u16 = if v6 { 0x86dd } else { 0x0800 };
    let k = kind.to_be_bytes();
    let mut all = vec![
        (LinkType::ETHERNET, ether(&[], kind, &[])),
        (LinkType::ETHERNET, ether(&[(0x8100, 0xe00a)], kind, &[])),
        (LinkType::ETHERNET, ether(&[(0x88a8, 10), (0x9100, 11), (0x9200, 12), (0x8100, 13)], kind, &[])),
        (LinkType::ETHERNET, join(&[&ether(&[], 1000, &[0xaa, 0xaa, 3, 0, 0, 0]), &k])),
        (LinkType::ETHERNET, join(&[&ether(&[(0x8100, 4)], 1000, &[0xaa, 0xaa, 3, 0, 0, 0xf8]), &k])),
        (LinkType::ETHERNET, ether(&[], 1000, &[6, 6, 3])),
        (LinkType::ETHERNET, join(&[&ether(&[], 0x8909, &[1, 1, 0, 1, 0, 2]), &k])),
        (LinkType::LINUX_SLL, join(&[&[0; 14], &k])),
        (LinkType::LINUX_SLL, join(&[&[0; 14], &[0x81, 0, 0, 9], &k])),
        (LinkType::LINUX_SLL, join(&[&[0; 14], &[0, 4, 0xaa, 0xaa, 3, 0, 0, 0], &k])),
        (LinkType::LINUX_SLL2, join(&[&k, &[0; 18]])),
        (LinkType::C_HDLC, join(&[&[0x0f, 0], &k])),
        (LinkType::PPP, join(&[&[0x8f, 0], &k])),
        (LinkType::RAW, vec![]),
        (LinkType(12), vec![]),
        (LinkType(14), vec![]),
        (if v6 { LinkType::IPV6 } else { LinkType::IPV4 }, vec![]),
    ];
    let protocol = if v6 { 0x57 } else { 0x21 };
    for link in [LinkType::PPP, LinkType::PPP_HDLC] {
        for head in [&[0xff, 3, 0][..], &[0xff, 3], &[0], &[]] {
            all.push((link, join(&[head, &[protocol]])));
        }
    }
    for family in if v6 { &[10u8, 24, 28, 30][..] } else { &[2] } {
        for link in [LinkType::NULL, LinkType::LOOP] {
            all.push((link, vec![0, 0, 0, *family]));
            all.push((link, vec![*family, 0, 0, 0]));
        }
    }
    all
}

fn skip(frame: &Frame<'_>) -> Skip {
    match Decoder::new().decode(frame) {
        Packet::Skipped(s) => s,
        other => panic!("{other:?}"),
    }
}

fn payload(p: Packet<'_>) -> Vec<u8> {
    match p {
        Packet::Tcp(s) => s.payload.to_vec(),
        Packet::Udp(d) => d.payload.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_link_layer_whole_and_cut_at_every_byte() {
    for (ip, header) in [(tcp4(DATA), 48), (tcp6(DATA), 60), (udp4(DATA), 28)] {
        let v6 = ip[0] >> 4 == 6;
        let is_tcp = header != 28;
        for (link, head) in wrappings(v6) {
            let data = join(&[&head, &ip, b"trailer"]);
            // the first 20 bytes of a TCP header are enough: options may be cut
            let need = head.len() + if is_tcp && !v6 { 40 } else { header };
            for cut in 0..=data.len() {
                let f = Frame { orig_len: data.len() as u32, ..frame(1, link, &data[..cut]) };
                let start = head.len() + header;
                let want = &data[start.min(cut)..(start + DATA.len()).min(cut).max(start.min(cut))];
                match Decoder::new().decode(&f) {
                    Packet::Tcp(s) => {
                        assert!(is_tcp && cut >= need);
                        assert_eq!((s.payload, s.wire_len as usize), (want, DATA.len()));
                        assert_eq!(s.payload_off as usize, start.min(cut));
                        assert_eq!((s.src_port, s.dst_port, s.window), (40000, 443, 1000));
                        if !v6 && cut >= start {
                            assert_eq!((s.seq, s.ack, s.ttl, s.ip_id.is_some()), (0xfffffff0, 7, 63, true));
                            assert_eq!(s.flags, TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0));
                            assert_eq!((s.src, s.dst), (IpAddr::from(SRC), IpAddr::from(DST)));
                        }
                        if v6 {
                            assert_eq!((s.src, s.dst, s.ttl, s.ip_id), (SRC6.into(), DST6.into(), 62, None));
                        }
                    }
                    Packet::Udp(d) => {
                        assert!(!is_tcp && cut >= need);
                        assert_eq!((d.payload, d.wire_len as usize), (want, DATA.len()));
                    }
                    Packet::Skipped(Skip::Empty) => assert_eq!(cut, 0),
                    Packet::Skipped(s) => {
                        assert!(cut < need, "{s:?} of {link:?} at {cut}");
                        // a raw frame without its first byte, a PPP frame cut in its framing: not known to be IP
                        assert!(s == Skip::Truncated || (s == Skip::NotIp && cut < 4), "{s:?} {link:?} {cut}");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn vlan_numbers_are_told_outermost_first() {
    let data = ether(&[(0x88a8, 0xf00a), (0x8100, 11), (0x8100, 12)], 0x0800, &tcp4(DATA));
    match Decoder::new().decode(&frame(1, LinkType::ETHERNET, &data)) {
        Packet::Tcp(s) => assert_eq!(s.vlans.as_slice(), [10, 11, 12]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn headers_are_bounded() {
    let tags = vec![(0x8100, 1); HEADERS_PER_FRAME];
    let data = ether(&tags, 0x0800, &tcp4(DATA));
    assert_eq!(skip(&frame(1, LinkType::ETHERNET, &data)), Skip::TooManyHeaders);
    let data = ether(&tags[1..], 0x0800, &tcp4(DATA));
    assert_eq!(payload(Decoder::new().decode(&frame(1, LinkType::ETHERNET, &data))), DATA);
    let mut ip = tcp6(DATA);
    for n in 0..=HEADERS_PER_FRAME {
        let ok = matches!(Decoder::new().decode(&frame(1, LinkType::RAW, &ip)), Packet::Tcp(_));
        assert_eq!(ok, n < HEADERS_PER_FRAME, "{n}");
        let next = std::mem::replace(&mut ip[6], 60);
        ip.splice(40..40, [next, 0, 1, 4, 0, 0, 0, 0]);
        set_v6_length(&mut ip);
    }
}

fn set_v6_length(ip: &mut [u8]) {
    let n = (ip.len() - 40) as u16;
    ip[4..6].copy_from_slice(&n.to_be_bytes());
}

#[test]
fn extension_headers_cut_at_every_byte() {
    let mut ip = tcp6(DATA);
    // hop-by-hop, routing, destination options, mobility, AH (24 bytes), atomic fragment
    let mut chain = vec![43, 0, 1, 4, 0, 0, 0, 0, 60, 0, 4, 0, 0, 0, 0, 0, 135, 0, 1, 4, 0, 0, 0, 0];
    chain.extend([51, 0, 0, 0, 0, 0, 0, 0, 44, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    chain.extend([6, 0, 0, 0, 0, 0, 0, 9]);
    ip[6] = 0;
    ip.splice(40..40, chain.iter().copied());
    set_v6_length(&mut ip);
    assert_eq!(payload(Decoder::new().decode(&frame(1, LinkType::RAW, &ip))), DATA);
    for cut in 1..40 + chain.len() + 20 {
        let whole = frame(1, LinkType::RAW, &ip);
        assert_eq!(skip(&Frame { data: &ip[..cut], ..whole }), Skip::Truncated, "{cut}");
        let mut short = ip[..cut].to_vec();
        if cut >= 41 {
            set_v6_length(&mut short);
        }
        assert!(matches!(skip(&frame(1, LinkType::RAW, &short)), Skip::Malformed(_)), "{cut}");
    }
}

#[test]
fn lengths_of_ip() {
    let good = tcp4(DATA);
    let with = |at: usize, v: u16| {
        let mut ip = join(&[&good, b"pad"]);
        ip[at..at + 2].copy_from_slice(&v.to_be_bytes());
        ip
    };
    for n in 0..=u16::try_from(good.len() + 10).unwrap() {
        let ip = with(2, n);
        match Decoder::new().decode(&frame(1, LinkType::RAW, &ip)) {
            // segmentation offload: all of the frame
            Packet::Tcp(s) if n == 0 => assert_eq!(s.payload, b"the payloadpad"),
            Packet::Tcp(s) => assert_eq!(s.payload, &b"the payloadpad"[..usize::from(n) - 48]),
            Packet::Skipped(Skip::Malformed(_)) => assert!(n < 48 || usize::from(n) > ip.len(), "{n}"),
            other => panic!("{n} {other:?}"),
        }
    }
    for words in 0..16u8 {
        let mut ip = good.clone();
        ip[0] = 0x40 | words;
        assert_eq!(matches!(skip_or(&ip), Some(Skip::Malformed(_))), words != 5, "{words}");
        let mut ip = good.clone();
        ip[32] = words << 4;
        // 48 bytes of headers, 11 of payload
        assert_eq!(matches!(skip_or(&ip), Some(Skip::Malformed(_))), !(5..=9).contains(&words), "{words}");
        ip[0] = words << 4 | 5;
        ip[32] = 0x70;
        if words != 4 && words != 6 {
            assert_eq!(skip_or(&ip), Some(Skip::NotIp));
            assert_eq!(skip(&frame(1, LinkType::ETHERNET, &ether(&[], 0x0800, &ip))), Skip::Malformed("IP version"));
        }
    }
}

fn skip_or(ip: &[u8]) -> Option<Skip> {
    match Decoder::new().decode(&frame(1, LinkType::RAW, ip)) {
        Packet::Skipped(s) => Some(s),
        _ => None,
    }
}

#[test]
fn ipv6_payload_length_zero_and_jumbo() {
    let mut ip = tcp6(DATA);
    ip[4..6].fill(0);
    assert_eq!(payload(Decoder::new().decode(&frame(1, LinkType::RAW, &ip))), DATA);
    let big = vec![7; 70_000];
    let mut ip = tcp6(&[]);
    ip.extend(&big);
    ip[4..6].fill(0);
    ip[6] = 0;
    let length = (20 + 8 + big.len()) as u32;
    ip.splice(40..40, join(&[&[6, 0, 0xc2, 4], &length.to_be_bytes()]));
    ip.extend(b"trailer");
    assert_eq!(payload(Decoder::new().decode(&frame(1, LinkType::RAW, &ip))), big);
    ip[44..48].copy_from_slice(&65_535u32.to_be_bytes());
    assert_eq!(skip_or(&ip), Some(Skip::Malformed("jumbo payload option")));
    ip[44..48].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(skip_or(&ip), Some(Skip::Malformed("IP length beyond the frame")));
}

#[test]
fn a_frame_check_sequence_is_not_payload() {
    let mut ip = tcp4(DATA);
    ip[2..4].fill(0);
    let data = join(&[&ip, &[0xfc; 4]]);
    let f = Frame { fcs_len: 4, ..frame(1, LinkType::RAW, &data) };
    assert_eq!(payload(Decoder::new().decode(&f)), DATA);
    assert_eq!(skip(&Frame { fcs_len: 9, data: &data[..5], ..f }), Skip::NotIp);
}

#[test]
fn what_is_not_tcp_or_udp_is_named() {
    let arp = ether(&[], 0x0806, &[0; 28]);
    assert_eq!(skip(&frame(1, LinkType::ETHERNET, &arp)).reason(), "not ip");
    assert_eq!(skip(&frame(1, LinkType(65_000), &arp)).reason(), "unsupported link type");
    assert_eq!(skip(&frame(1, LinkType::ETHERNET, &arp[..9])).reason(), "malformed");
    assert_eq!(skip(&frame(1, LinkType::ETHERNET, &[])).reason(), "empty");
    for (kind, name) in [(0x8847, "mpls"), (0x8864, "pppoe")] {
        let f = ether(&[], kind, &[0; 28]);
        assert_eq!(skip(&frame(1, LinkType::ETHERNET, &f)), Skip::Encapsulated(name));
    }
    let mut ip = tcp4(DATA);
    ip[9] = 132;
    assert_eq!(skip_or(&ip), Some(Skip::NotTcpOrUdp(132)));
    assert_eq!(Skip::NotTcpOrUdp(132).reason(), "not tcp");
    let mut udp = udp4(DATA);
    for n in 0..40u8 {
        udp[25] = n;
        assert_eq!(matches!(skip_or(&udp), Some(Skip::Malformed("UDP length"))), (1..8).contains(&n) || n > 19, "{n}");
    }
}

#[test]
fn bad_tcp_options_do_no_harm() {
    for options in [[2, 0, 5, 180], [2, 1, 5, 180], [1, 2, 40, 5], [1, 1, 1, 2], [2, 3, 5, 180], [0, 2, 4, 1]] {
        let mut ip = tcp4(DATA);
        ip[40..44].copy_from_slice(&options);
        match Decoder::new().decode(&frame(1, LinkType::RAW, &ip)) {
            Packet::Tcp(s) => assert_eq!(s.payload, DATA),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn icmp_names_the_flow_it_is_about() {
    let inner = tcp4(DATA);
    let mut outer = Vec::new();
    PacketBuilder::ipv4([198, 51, 100, 1], SRC, 64).icmpv4_raw(3, 13, [0; 4]).write(&mut outer, &inner[..28]).unwrap();
    let want = IcmpUnreachable {
        from: Ipv4Addr::new(198, 51, 100, 1).into(),
        to: SRC.into(),
        code: 13,
        tcp: true,
        src: SRC.into(),
        dst: DST.into(),
        src_port: 40000,
        dst_port: 443,
        seq: Some(0xfffffff0),
        mtu: None,
    };
    match Decoder::new().decode(&frame(1, LinkType::RAW, &outer)) {
        Packet::IcmpUnreachable(i) => assert_eq!(i, want),
        other => panic!("{other:?}"),
    }
    for cut in 21..outer.len() {
        let f = Frame { orig_len: outer.len() as u32, ..frame(1, LinkType::RAW, &outer[..cut]) };
        match Decoder::new().decode(&f) {
            Packet::IcmpUnreachable(i) => assert_eq!(i, IcmpUnreachable { seq: None, ..want }, "{cut}"),
            Packet::Skipped(s) => assert!(cut < 52 && s == Skip::NotTcpOrUdp(1), "{cut} {s:?}"),
            other => panic!("{other:?}"),
        }
    }
    outer[20] = 8;
    assert_eq!(skip_or(&outer), Some(Skip::NotTcpOrUdp(1)));
    let mut outer = Vec::new();
    PacketBuilder::ipv6(DST6.octets(), SRC6.octets(), 64)
        .icmpv6_raw(1, 4, [0; 4])
        .write(&mut outer, &tcp6(DATA))
        .unwrap();
    match Decoder::new().decode(&frame(1, LinkType::RAW, &outer)) {
        Packet::IcmpUnreachable(i) => {
            assert_eq!((i.code, i.src, i.dst, i.seq, i.mtu), (4, SRC6.into(), DST6.into(), Some(5), None));
        }
        other => panic!("{other:?}"),
    }
    let mtu = |outer: &[u8]| match Decoder::new().decode(&frame(1, LinkType::RAW, outer)) {
        Packet::IcmpUnreachable(i) => i.mtu,
        other => panic!("{other:?}"),
    };
    let mut outer = Vec::new();
    let v4 = PacketBuilder::ipv4([198, 51, 100, 1], SRC, 64).icmpv4_raw(3, 4, [0, 0, 5, 0x14]);
    v4.write(&mut outer, &inner).unwrap();
    assert_eq!(mtu(&outer), Some(1300));
    let mut outer = Vec::new();
    let v6 = PacketBuilder::ipv6(DST6.octets(), SRC6.octets(), 64).icmpv6_raw(2, 0, [0, 0, 5, 0x14]);
    v6.write(&mut outer, &tcp6(DATA)).unwrap();
    assert_eq!(mtu(&outer), Some(1300));
}

//! Any frame: against etherparse, the shortcut against the walk, and no harm from any bytes.

use super::fragments::fragment4;
use super::*;

prop_compose! {
    /// A packet that etherparse builds, with none or some bytes changed, and cut or not.
    fn any_frame()(
        v6: bool, udp: bool, vlans in 0..3u8, options in 0..3u8,
        ports: (u16, u16), seq: u32, window: u16,
        payload in proptest::collection::vec(any::<u8>(), 0..80),
        trailer in 0..10usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::weighted(0.3, any::<proptest::sample::Index>()),
    ) -> (Vec<u8>, bool) {
        let b = PacketBuilder::ethernet2([1; 6], [2; 6]);
        let b = match (vlans, v6) {
            (0, false) => b.ipv4(SRC, DST, 60),
            (0, true) => b.ipv6(SRC6.octets(), DST6.octets(), 60),
            (1, false) => b.single_vlan(5.try_into().unwrap()).ipv4(SRC, DST, 60),
            (1, true) => b.single_vlan(5.try_into().unwrap()).ipv6(SRC6.octets(), DST6.octets(), 60),
            (_, false) => b.double_vlan(5.try_into().unwrap(), 6.try_into().unwrap()).ipv4(SRC, DST, 60),
            (_, true) => b.double_vlan(5.try_into().unwrap(), 6.try_into().unwrap()).ipv6(SRC6.octets(), DST6.octets(), 60),
        };
        let mut out = Vec::new();
        if udp {
            b.udp(ports.0, ports.1).write(&mut out, &payload).unwrap();
        } else {
            let list = vec![etherparse::TcpOptionElement::MaximumSegmentSize(9); usize::from(options)];
            b.tcp(ports.0, ports.1, seq, window).options(&list).unwrap().write(&mut out, &payload).unwrap();
        }
        out.extend(vec![0xee; trailer]);
        let pristine = changes.is_empty() && cut.is_none();
        for (at, value) in changes {
            let i = at.index(out.len());
            out[i] = value;
        }
        if let Some(cut) = cut {
            out.truncate(cut.index(out.len() + 1));
        }
        (out, pristine)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What etherparse takes for TCP or UDP, this does, with the same fields.
    #[test]
    fn agrees_with_etherparse((data, pristine) in any_frame()) {
        let mut d = Decoder::new();
        let ours = d.decode(&frame(1, LinkType::ETHERNET, &data));
        let theirs = SlicedPacket::from_ethernet(&data).ok().and_then(|p| p.transport);
        match (&ours, &theirs) {
            (Packet::Tcp(s), Some(TransportSlice::Tcp(t))) => {
                prop_assert_eq!(s.payload, t.payload());
                prop_assert_eq!(s.wire_len as usize, t.payload().len());
                prop_assert_eq!((s.src_port, s.dst_port), (t.source_port(), t.destination_port()));
                prop_assert_eq!((s.seq, s.ack), (t.sequence_number(), t.acknowledgment_number()));
                prop_assert_eq!(s.window, t.window_size());
                prop_assert_eq!(s.flags.contains(TcpFlags::SYN), t.syn());
                prop_assert_eq!(s.flags.contains(TcpFlags::FIN), t.fin());
                prop_assert_eq!(s.flags.contains(TcpFlags::RST), t.rst());
                prop_assert_eq!(s.flags.contains(TcpFlags::ACK), t.ack());
            }
            (Packet::Udp(u), Some(TransportSlice::Udp(t))) => {
                prop_assert_eq!(u.payload, t.payload());
                prop_assert_eq!((u.src_port, u.dst_port), (t.source_port(), t.destination_port()));
            }
            (_, Some(TransportSlice::Tcp(_) | TransportSlice::Udp(_))) => prop_assert!(false, "{:?}", ours),
            _ => prop_assert!(!pristine, "{:?} {:?}", ours, theirs),
        }
    }

    /// The shortcut says what the walk says.
    #[test]
    fn the_shortcut_agrees((data, _) in any_frame(), longer in 0..40u32) {
        let f = Frame { orig_len: data.len() as u32 + longer, ..frame(1, LinkType::ETHERNET, &data) };
        if let Some(s) = fast::segment(&f) {
            let mut d = Decoder::new();
            let walk = d.walk(&f).map(|p| format!("{p:?}"));
            prop_assert_eq!(walk, Ok(format!("{:?}", Packet::Tcp(s))));
        }
    }

    /// Fragments of any bytes, at any place: nothing panics, and each is counted once.
    #[test]
    fn any_fragments(parts in proptest::collection::vec((0..40usize, any::<bool>(), 0..9usize, 0..3u16, any::<u8>()), 0..60)) {
        let ip = tcp4(&[]);
        let mut d = Decoder::new();
        let (mut held, mut dropped, mut done) = (0, 0, 0);
        for (at, more, len, id, fill) in parts {
            let f = fragment4(&ip, id, at * 8, more, &vec![fill; len * 8]);
            match d.decode(&frame(1, LinkType::RAW, &f)) {
                Packet::Skipped(Skip::FragmentHeld) => held += 1,
                Packet::Skipped(Skip::FragmentDropped) => dropped += 1,
                _ => done += u64::from(at != 0 || more),
            }
        }
        let c = d.fragments();
        prop_assert_eq!((c.dropped, c.completed <= done + 60), (dropped, true));
        prop_assert!(c.pending_packets <= held);
    }

    /// No bytes of any link type do harm.
    #[test]
    fn any_bytes(
        link in prop::sample::select(vec![0u16, 1, 9, 12, 14, 50, 101, 104, 108, 113, 228, 229, 276, 7]),
        data in proptest::collection::vec(any::<u8>(), 0..200), orig: u32, fcs_len: u8,
    ) {
        let mut d = Decoder::new();
        for _ in 0..2 {
            let f = Frame { orig_len: orig, fcs_len, ..frame(1, LinkType(link), &data) };
            d.decode(&f);
        }
    }
}

use super::*;
use crate::facts::Placed;
use crate::flow::{Endpoints, Mark};
use crate::span::Side;

fn flow(n: u32) -> FlowFacts {
    let [_, a, b, c] = n.to_be_bytes();
    let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
    let mut f = FlowFacts::new(
        u64::from(n),
        0,
        Endpoints { a: end([10, a, b, c], 50_000), b: end([11, a, b, c], 443) },
        Mark::default(),
    );
    let message = crate::tls::handshake::ClientHello {
        random: std::array::from_fn(|i| n.to_be_bytes()[i % 4]),
        cipher_suites: vec![0x1301],
        ..Default::default()
    };
    f.client_hello =
        Some(Box::new(Placed { message, mark: Mark::default(), side: Side::A, frames: Default::default() }));
    f
}

#[test]
fn it_stays_within_its_bounds_and_counts_what_it_forgets() {
    let mut m = Memory::default();
    for n in 0..10_000 {
        let f = flow(n);
        m.remember(&f, Outcome::Established, None);
    }
    assert!(m.servers().len() <= limits::SIBLING_SERVERS && m.servers().len() >= limits::SIBLING_SERVERS / 2);
    assert!(m.pairs().len() <= limits::SIBLING_SERVERS);
    assert_eq!(m.servers().len() as u64 + m.servers.forgotten(), 10_000);
    assert!(m.forgotten().parties.iter().any(|(what, n)| *what == "server" && *n > 0));
    // The offer of all of them is one.
    let offers: Vec<_> = m.offers.iter().map(|(_, o)| Arc::strong_count(o)).collect();
    assert_eq!(offers.len(), 1);
}

#[test]
fn what_is_forgotten_depends_on_the_order_of_flows_alone() {
    let run = || {
        let mut m = Memory::default();
        for n in (0..5000).map(|n| n * 7 % 3001) {
            let f = flow(n);
            m.remember(&f, Outcome::Established, None);
        }
        m.servers().into_iter().map(|(e, s)| (*e, s.established.count)).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_list_about_one_thing_is_bounded_too() {
    let mut m = Memory::default();
    for n in 0..1000u16 {
        let mut f = flow(1);
        let h = &mut f.client_hello.as_mut().expect("there").message;
        h.random = [n.to_be_bytes()[0], n.to_be_bytes()[1]].repeat(16).try_into().expect("32");
        h.cipher_suites = vec![n];
        m.remember(&f, Outcome::Established, None);
    }
    let servers = m.servers();
    let (_, s) = servers[0];
    assert_eq!(s.accepted.iter().count(), limits::SIBLING_OFFERS);
    assert_eq!((s.established.count, s.established.ids.len()), (1000, limits::SIBLING_LIST));
}

#[test]
fn the_clock_that_ran_back_farthest_is_kept() {
    let mut m = Memory::default();
    let jump = |back_ns, n| ClockJump { frame: crate::span::FrameNo(n), back_ns, count: 1 };
    m.clock_back(jump(1000, 1));
    assert!(m.clock().is_none(), "frames of several queues are not in order");
    for (back, n) in [(2, 2), (9, 3), (3, 4)] {
        m.clock_back(jump(back * 1_000_000_000, n));
    }
    let c = m.clock().expect("told");
    assert_eq!((c.frame.0, c.count), (3, 3));
}

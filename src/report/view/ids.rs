//! Names of a flow that other tools can compute or join with.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::facts::FlowFacts;
use crate::flow::Endpoint;
use crate::text::hex;

/// IP protocol number of TCP.
pub(crate) const TCP: u8 = 6;

/// Seed of a Community ID where nobody chose one.
const SEED: [u8; 2] = [0, 0];

/// Digits of a `uid`, halved.
const UID_BYTES: usize = 8;

/// Community ID, version 1, seed 0, of a connection with ports (<https://github.com/corelight/community-id-spec>): the
/// same whichever end is named first.
pub fn community_id(a: Endpoint, b: Endpoint, protocol: u8) -> String {
    // Addresses of one family compare as their bytes do; a flow has no two.
    let (low, high) = if (a.ip, a.port) <= (b.ip, b.port) { (a, b) } else { (b, a) };
    let mut h = Sha1::new();
    h.update(SEED);
    for end in [low, high] {
        update_ip(&mut h, end.ip);
    }
    h.update([protocol, 0]);
    for end in [low, high] {
        h.update(end.port.to_be_bytes());
    }
    let mut out = String::with_capacity(30);
    out.push_str("1:");
    STANDARD.encode_string(h.finalize(), &mut out);
    out
}

/// A name of a flow that is the same in each run and another for each flow: from its ends, its first time and its first
/// bytes. 16 hexadecimal digits.
pub fn uid(facts: &FlowFacts) -> String {
    let mut h = Sha1::new();
    for end in [facts.ends.a, facts.ends.b] {
        update_ip(&mut h, end.ip);
        h.update(end.port.to_be_bytes());
    }
    h.update(facts.first.time.0.to_be_bytes());
    h.update(facts.first_bytes.to_be_bytes());
    let digest = h.finalize();
    hex(digest.get(..UID_BYTES).unwrap_or_default())
}

fn update_ip(h: &mut Sha1, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => h.update(ip.octets()),
        IpAddr::V6(ip) => h.update(ip.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoints, Mark};
    use crate::span::{FrameNo, Timestamp};

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse().unwrap(), port }
    }

    #[test]
    fn community_ids_as_published() {
        // From the baselines of the specification's own repository.
        let (a, b) = (end("128.232.110.120", 34855), end("66.35.250.204", 80));
        assert_eq!(community_id(a, b, TCP), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(community_id(b, a, TCP), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        let (a, b) = (end("192.168.1.52", 54585), end("8.8.8.8", 53));
        assert_eq!(community_id(a, b, 17), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        assert_eq!(community_id(b, a, 17), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
    }

    #[test]
    fn uids_differ_by_everything_they_stand_on() {
        let mark = |t| Mark { frame: FrameNo(1), time: Timestamp(t) };
        let flow = |p, t, bytes| {
            let ends = Endpoints { a: end("192.0.2.1", p), b: end("192.0.2.2", 443) };
            let mut f = FlowFacts::new(1, 0, ends, mark(t));
            f.first_bytes = bytes;
            uid(&f)
        };
        let all = [flow(1, 1, 1), flow(2, 1, 1), flow(1, 2, 1), flow(1, 1, 2)];
        for (i, a) in all.iter().enumerate() {
            assert_eq!(a.len(), 16);
            assert!(all.iter().skip(i + 1).all(|b| a != b));
        }
        assert_eq!(all[0], flow(1, 1, 1));
    }
}

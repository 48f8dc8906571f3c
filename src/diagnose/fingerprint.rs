//! A name of a finding that is the same in each run: for `--baseline` and for tools that follow findings over time.

use std::fmt;
use std::net::IpAddr;

use sha1::{Digest, Sha1};

use super::Severity;
use crate::facts::FlowFacts;
use crate::span::Role;

/// What makes a finding this finding and no other: its code, its severity, the server (address, port and the name that was
/// asked for) and what the rule says it is about. Frames, times, the client and its port have no part in it, so that the
/// same trouble has the same fingerprint tomorrow, and ten clients in the same trouble have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of a finding about one flow. `about` tells apart what one rule may find twice at one server; empty where it cannot.
    pub fn of_flow(code: &str, severity: Severity, facts: &FlowFacts, about: &str) -> Self {
        let server = facts.end(Role::Server);
        let name = facts.server_name().unwrap_or_default().to_ascii_lowercase();
        let port = server.port.to_be_bytes();
        match server.ip {
            IpAddr::V4(ip) => Self::new(code, severity, &[&ip.octets(), &port, &name, about.as_bytes()]),
            IpAddr::V6(ip) => Self::new(code, severity, &[&ip.octets(), &port, &name, about.as_bytes()]),
        }
    }

    /// Of a finding about a whole capture, which `about` tells apart from others of its code.
    pub fn of_capture(code: &str, severity: Severity, about: &str) -> Self {
        Self::new(code, severity, &[about.as_bytes()])
    }

    fn new(code: &str, severity: Severity, parts: &[&[u8]]) -> Self {
        let mut h = Sha1::new();
        for part in [code.as_bytes(), severity.name().as_bytes()].iter().chain(parts) {
            // The length keeps "ab", "c" apart from "a", "bc".
            h.update((part.len() as u64).to_be_bytes());
            h.update(part);
        }
        let digest = h.finalize();
        Self(digest.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b)))
    }
}

impl fmt::Display for Fingerprint {
    /// 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::span::{FrameNo, Side};

    fn of(f: &FlowFacts) -> Fingerprint {
        Fingerprint::of_flow("weak", Severity::Error, f, "")
    }

    #[test]
    fn what_changes_from_run_to_run_has_no_part_in_it() {
        let f = testing::hello();
        let mut again = f.clone();
        again.id = 99;
        again.ends.a.port = 1;
        again.ends.a.ip = [192, 0, 2, 77].into();
        again.first.frame = FrameNo(1234);
        again.first.time.0 = 5;
        assert_eq!(of(&f), of(&again));
        // Who opened the connection does not matter either, only who is the server.
        let mut turned = f.clone();
        std::mem::swap(&mut turned.ends.a, &mut turned.ends.b);
        if let Some(h) = &mut turned.client_hello {
            h.side = Side::B;
            h.message.extensions.server_name = Some(vec![Box::from(&b"TLS-Server.local"[..])]);
        }
        assert_eq!(of(&f), of(&turned));
    }

    #[test]
    fn another_server_name_code_or_severity_is_another_finding() {
        let f = testing::hello();
        let mut port = f.clone();
        port.ends.b.port = 1;
        let mut ip = f.clone();
        ip.ends.b.ip = "2001:db8::1".parse().unwrap();
        let mut name = f.clone();
        name.client_hello.as_mut().unwrap().message.extensions.server_name = None;
        let all = [
            of(&f),
            of(&port),
            of(&ip),
            of(&name),
            Fingerprint::of_flow("wea", Severity::Error, &f, ""),
            Fingerprint::of_flow("weak", Severity::Warning, &f, ""),
            Fingerprint::of_flow("weak", Severity::Error, &f, "x"),
            Fingerprint::of_capture("weak", Severity::Error, ""),
            Fingerprint::of_capture("weak", Severity::Error, "x"),
        ];
        for (i, a) in all.iter().enumerate() {
            assert_eq!(a.to_string().len(), 16);
            assert!(all.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
    }
}

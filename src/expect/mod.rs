//! What a person expects of servers: the policy that `tlscope report --expect` checks.
//!
//! Requirements that stand outside of any section hold for every server. The first section whose conditions a flow meets
//! adds to them, and takes the place of those that it names too; no other section is looked at. [`KEYS`] lists what can be
//! required, [`file`] reads it from TOML; the rules that judge flows by it are in `diagnose`.

mod error;
mod file;
mod keys;
mod pattern;

use std::net::IpAddr;

use crate::facts::FlowFacts;
use crate::flow::Prefix;
use crate::span::Role;
use crate::text::escape_bytes;
use crate::tls::names::{CipherSuite, NamedGroup, ProtocolVersion};

pub use error::ExpectError;
pub use keys::{FLAGS, Flag, KEYS, Key};
pub use pattern::Pattern;

/// What is required of a connection. What is `None` is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Each client proves a certificate (`Some(true)`), or need not.
    pub mutual_tls: Option<bool>,
    /// No older version is negotiated.
    pub min_version: Option<ProtocolVersion>,
    /// Only these suites are negotiated.
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// Only these groups are used.
    pub groups: Option<Vec<NamedGroup>>,
    /// The group withstands a quantum computer (`Some(true)`), or need not.
    pub post_quantum: Option<bool>,
    /// The server's certificates are valid for so many days more.
    pub certificate_days: Option<i64>,
    /// The server's own certificate is issued by one of these: its issuer's distinguished name, or Common Name.
    pub issuers: Option<Vec<Pattern>>,
    /// One of these application protocols is selected.
    pub alpn: Option<Vec<String>>,
    /// Connections without TLS are allowed (`Some(true)`), or not.
    pub plaintext: Option<bool>,
}

/// Requirements of some servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The server's address is in one of these; any where there are none.
    pub addresses: Vec<Prefix>,
    /// Its port is one of these (first and last of a range); any where there are none.
    pub ports: Vec<(u16, u16)>,
    /// The client asked for such a name; any, or none, where there are none.
    pub names: Vec<Pattern>,
    /// What is required of them.
    pub require: Requirements,
    /// Its conditions as they were written, safe to print.
    pub title: String,
}

/// All that is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Required of every server.
    pub all: Requirements,
    /// Of some: the first that matches.
    pub sections: Vec<Section>,
    /// What cannot be judged counts as broken.
    pub strict: bool,
    /// An expectation that no flow could be judged by is no error.
    pub allow_unchecked: bool,
}

/// Where a requirement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Outside of the sections.
    All,
    /// In the section of this index.
    Section(usize),
}

impl Expectations {
    /// Reads a policy: `path` names it in errors.
    ///
    /// # Errors
    /// What is wrong, in which line, and what is allowed.
    pub fn parse(toml: &str, path: &str) -> Result<Self, ExpectError> {
        file::parse(toml, path)
    }

    /// Takes one expectation of the command line for every server: `min_version=1.3`, or `mutual_tls` for a yes; or a flag.
    /// Lists grow with each; anything else replaces what the file says.
    ///
    /// # Errors
    /// What is wrong, and what is allowed.
    pub fn set(&mut self, text: &str) -> Result<(), ExpectError> {
        keys::set(self, text).map_err(|message| ExpectError::new(None, message))
    }

    /// Nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty() && self.all == Requirements::default()
    }

    /// What is required of a flow by the field that `get` reads, and where that stands.
    pub fn of<'e, T>(&'e self, facts: &FlowFacts, get: impl Fn(&'e Requirements) -> Option<T>) -> Option<(T, Place)> {
        let section = self.section(facts);
        let own = section.and_then(|(n, s)| get(&s.require).map(|v| (v, Place::Section(n))));
        own.or_else(|| get(&self.all).map(|v| (v, Place::All)))
    }

    /// The same without what it says by name, for a report whose names are replaced: flows are then judged by their
    /// [`Ruling`](crate::facts::Ruling).
    pub fn redacted(&self) -> Self {
        let mut out = self.clone();
        for (n, s) in out.sections.iter_mut().enumerate() {
            let require = std::mem::take(&mut s.require);
            *s = Section { require, title: format!("section {}", n.saturating_add(1)), ..Section::default() };
        }
        for r in std::iter::once(&mut out.all).chain(out.sections.iter_mut().map(|s| &mut s.require)) {
            for (n, p) in r.issuers.iter_mut().flatten().enumerate() {
                *p = Pattern::new(&format!("pattern {}", n.saturating_add(1)));
            }
        }
        out
    }

    /// The first section that a flow meets.
    pub(crate) fn section(&self, facts: &FlowFacts) -> Option<(usize, &Section)> {
        if self.sections.is_empty() {
            return None;
        }
        if let Some(ruling) = &facts.ruling {
            let n = ruling.section?;
            return Some((n, self.sections.get(n)?));
        }
        let server = facts.end(Role::Server);
        let name = facts.server_name().map(escape_bytes);
        self.sections.iter().enumerate().find(|(_, s)| s.matches(server.ip, server.port, name.as_deref()))
    }

    /// How a person finds a place.
    pub fn title(&self, place: Place) -> &str {
        match place {
            Place::All => "every server",
            Place::Section(n) => self.sections.get(n).map_or("", |s| &s.title),
        }
    }
}

impl Section {
    fn matches(&self, ip: IpAddr, port: u16, name: Option<&str>) -> bool {
        let any = |empty: bool, found: bool| empty || found;
        any(self.addresses.is_empty(), self.addresses.iter().any(|p| p.holds(ip)))
            && any(self.ports.is_empty(), self.ports.iter().any(|(from, to)| (*from..=*to).contains(&port)))
            && any(self.names.is_empty(), name.is_some_and(|n| self.names.iter().any(|p| p.matches(n))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, Endpoints, Mark};
    use crate::span::{FrameNo, Timestamp};

    /// A flow to this server, without a ClientHello, so that the higher port is the client's.
    fn to(ip: &str, port: u16) -> FlowFacts {
        let ends = Endpoints {
            a: Endpoint { ip: "192.0.2.9".parse().unwrap(), port: 60_000 },
            b: Endpoint { ip: ip.parse().unwrap(), port },
        };
        FlowFacts::new(1, 0, ends, Mark { frame: FrameNo(1), time: Timestamp(0) })
    }

    #[test]
    fn the_first_section_that_matches_counts() {
        let e = Expectations::parse(
            "certificate_days = 7\nmin_version = '1.2'\n[[server]]\nport = [8443, '9000-9100']\nmin_version = '1.3'\n\
             [[server]]\naddress = '192.0.2.0/24'\nmutual_tls = true\n[[server]]\nname = '*.example.org'\nmutual_tls = true\n",
            "p",
        )
        .unwrap();
        let version = |f: &FlowFacts| e.of(f, |r| r.min_version);
        assert_eq!(version(&to("198.51.100.1", 443)), Some((ProtocolVersion::TLS12, Place::All)));
        for port in [8443, 9000, 9050, 9100] {
            assert_eq!(version(&to("192.0.2.1", port)), Some((ProtocolVersion::TLS13, Place::Section(0))), "{port}");
        }
        // What the section does not name comes from above; sections behind it do not count.
        assert_eq!(e.of(&to("192.0.2.1", 8443), |r| r.certificate_days), Some((7, Place::All)));
        assert_eq!(e.of(&to("192.0.2.1", 8443), |r| r.mutual_tls), None);
        assert_eq!(e.of(&to("192.0.2.1", 9101), |r| r.mutual_tls), Some((true, Place::Section(1))));
        // A flow of which no name is known meets no condition on names.
        assert_eq!(e.of(&to("198.51.100.1", 443), |r| r.mutual_tls), None);
        assert_eq!(e.title(Place::Section(0)), "port 8443, 9000-9100");
        assert_eq!(e.title(Place::Section(2)), "name *.example.org");
    }

    #[test]
    fn conditions_must_all_hold() {
        let e =
            Expectations::parse("[[server]]\nport = 443\naddress = ['192.0.2.1', '2001:db8::/32']\nalpn = 'h2'", "p");
        let e = e.unwrap();
        let met = |ip, port| e.of(&to(ip, port), |r| r.alpn.as_ref()).is_some();
        assert!(met("192.0.2.1", 443) && met("2001:db8::7", 443));
        assert!(!met("192.0.2.2", 443) && !met("192.0.2.1", 444));
    }
}

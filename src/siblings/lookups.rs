//! The names that clients asked DNS for.

use std::net::IpAddr;

use super::recent::Recent;
use crate::dns::{Kind, Message};
use crate::flow::{Mark, Sightings};
use crate::limits;

/// What became of one name that one client asked for.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The client.
    pub client: IpAddr,
    /// The server that it asked last.
    pub server: IpAddr,
    /// The name, in lower case.
    pub name: Box<[u8]>,
    /// When it was asked for an address of it, and how often.
    pub asked: Sightings,
    /// An answer came, whatever it said.
    pub answered: bool,
    /// The first answer that the name does not exist.
    pub no_such_name: Option<Mark>,
    /// Some answer said that it exists.
    pub found: bool,
}

/// Lookups of all clients, those met lately.
#[derive(Debug)]
pub struct Lookups {
    names: Recent<(IpAddr, Box<[u8]>), Lookup>,
    /// Clients to which an answer was seen.
    answered: Recent<IpAddr, ()>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { names: Recent::new(limits::SIBLING_NAMES), answered: Recent::new(limits::SIBLING_NAMES) }
    }
}

impl Lookups {
    /// Takes in a message between a client and a server.
    pub fn message(&mut self, client: IpAddr, server: IpAddr, m: Message, mark: Mark) {
        let key = (client, m.name);
        let matters = self.names.get(&key).is_some() || (m.kind == Kind::Query && m.for_address);
        if m.kind != Kind::Query {
            self.answered.entry(client, || ());
        }
        // Of an answer whose question was not captured, or was for no address, nothing is kept.
        if !matters {
            return;
        }
        let name = key.1.clone();
        let fresh = || Lookup {
            client,
            server,
            name,
            asked: Sightings { first: mark, last: mark, count: 0 },
            answered: false,
            no_such_name: None,
            found: false,
        };
        let l = self.names.entry(key, fresh);
        l.answered |= m.kind != Kind::Query;
        match m.kind {
            Kind::Query if m.for_address => {
                l.server = server;
                l.asked.last = mark;
                l.asked.count = l.asked.count.saturating_add(1);
            }
            Kind::NoSuchName => {
                l.no_such_name.get_or_insert(mark);
            }
            Kind::Found => l.found = true,
            Kind::Query | Kind::Failed(_) => {}
        }
    }

    /// What became of a name, in lower case, that a client asked for.
    pub fn get(&self, client: IpAddr, name: &[u8]) -> Option<&Lookup> {
        self.names.get(&(client, name.into()))
    }

    /// All lookups in the order of their first questions.
    pub fn all(&self) -> Vec<&Lookup> {
        let mut all: Vec<&Lookup> = self.names.iter().map(|(_, l)| l).collect();
        all.sort_unstable_by_key(|l| (l.asked.first.frame, l.client, &l.name));
        all
    }

    /// The client found this name, or what is left of it without labels at its end: a resolver tries the domains of its
    /// search list first.
    pub fn reached(&self, l: &Lookup) -> bool {
        let ends = l.name.iter().enumerate().filter(|(_, b)| **b == b'.').map(|(at, _)| at);
        let shorter = ends.filter_map(|at| l.name.get(..at));
        l.found || shorter.into_iter().any(|n| self.names.get(&(l.client, n.into())).is_some_and(|o| o.found))
    }

    /// Lookups dropped so far.
    pub fn forgotten(&self) -> u64 {
        self.names.forgotten()
    }

    /// Answers to this client are in the capture.
    pub fn hears(&self, client: IpAddr) -> bool {
        self.answered.get(&client).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{FrameNo, Timestamp};

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));

    fn say(l: &mut Lookups, frame: u64, kind: Kind, name: &str) {
        let mark = Mark { frame: FrameNo(frame), time: Timestamp(0) };
        let m = Message { kind, name: name.as_bytes().into(), for_address: true };
        l.message(CLIENT, [198, 51, 100, 53].into(), m, mark);
    }

    #[test]
    fn a_search_list_reaches_the_name_in_the_end() {
        let mut l = Lookups::default();
        for (frame, kind, name) in [
            (1, Kind::Query, "www.example.corp.example"),
            (2, Kind::NoSuchName, "www.example.corp.example"),
            (3, Kind::Query, "www.example"),
            (4, Kind::Found, "www.example"),
            (5, Kind::Query, "nosuch.example"),
            (6, Kind::NoSuchName, "nosuch.example"),
            (7, Kind::Found, "never.asked.example"),
        ] {
            say(&mut l, frame, kind, name);
        }
        let all = l.all();
        assert_eq!(all.iter().map(|x| l.reached(x)).collect::<Vec<_>>(), [true, true, false]);
        assert!(all.iter().all(|x| x.answered) && l.hears(CLIENT));
    }

    #[test]
    fn memory_is_bounded() {
        let mut l = Lookups::default();
        for n in 0..3 * limits::SIBLING_NAMES as u64 {
            say(&mut l, n, Kind::Query, &format!("n{n}.example"));
        }
        assert!(l.all().len() <= limits::SIBLING_NAMES && !l.hears(CLIENT));
        assert_eq!(l.all().len() as u64 + l.forgotten(), 3 * limits::SIBLING_NAMES as u64);
    }
}

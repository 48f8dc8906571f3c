//! What is counted so that a report stays short: how often each code was met, and who is behind flows that are not listed one
//! by one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::diagnose::{Finding, Severity};
use crate::facts::FlowFacts;
use crate::flow::Endpoint;
use crate::span::Role;

/// Distinct values remembered of a group.
const REMEMBERED: usize = 3;

/// What was seen of one code.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Flows with it.
    pub(super) flows: u64,
    /// Flows of which it is the cause.
    pub(super) causes: u64,
    /// How bad.
    pub(super) severity: Severity,
    /// The rule's line, as first met.
    pub(super) title: String,
    /// The remedy as it was last shown, and at which flow: it is not repeated.
    pub(super) remedy: Option<(String, u64)>,
}

/// Counts by code.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes(BTreeMap<&'static str, Seen>);

impl Codes {
    /// Counts a finding; gives what is known of its code.
    pub(super) fn count(&mut self, f: &Finding, is_cause: bool) -> &mut Seen {
        let seen = self.0.entry(f.code).or_insert_with(|| Seen {
            flows: 0,
            causes: 0,
            severity: f.severity,
            title: f.title.clone(),
            remedy: None,
        });
        seen.flows = seen.flows.saturating_add(1);
        seen.causes = seen.causes.saturating_add(u64::from(is_cause));
        seen.severity = seen.severity.max(f.severity);
        seen
    }

    /// Codes with a number, the largest first.
    pub(super) fn by_number(&self, number: impl Fn(&Seen) -> u64) -> Vec<(u64, &'static str, &Seen)> {
        let mut all: Vec<_> = self.0.iter().map(|(code, s)| (number(s), *code, s)).filter(|(n, ..)| *n > 0).collect();
        all.sort_by_key(|(n, code, _)| (std::cmp::Reverse(*n), *code));
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A few distinct values, and whether there were more.
#[derive(Clone, Debug)]
struct Few<T> {
    values: Vec<T>,
    more: bool,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { values: Vec::new(), more: false }
    }
}

impl<T: PartialEq> Few<T> {
    fn add(&mut self, v: T) {
        if self.values.contains(&v) {
            return;
        }
        if self.values.len() < REMEMBERED {
            self.values.push(v);
        } else {
            self.more = true;
        }
    }
}

impl<T: fmt::Display> Few<T> {
    /// `all from 10.0.0.2`, `from 10.0.0.2 and 10.0.0.3`, `from many clients`.
    fn say(&self, before: &str, many: &str) -> String {
        match self.values.as_slice() {
            _ if self.more => format!("{before} {many}"),
            [] => String::new(),
            [one] => format!("all {before} {one}"),
            [first @ .., last] => {
                let first: Vec<String> = first.iter().map(ToString::to_string).collect();
                format!("{before} {} and {last}", first.join(", "))
            }
        }
    }
}

/// Flows of one kind: how many were listed, and what the others have in common.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Flows of this kind.
    pub(super) flows: u64,
    /// Flows of it that were not listed.
    pub(super) unlisted: u64,
    clients: Few<IpAddr>,
    servers: Few<Endpoint>,
}

impl Group {
    /// Counts a flow; true when it is to be listed.
    pub(super) fn count(&mut self, facts: &FlowFacts, listed: u64) -> bool {
        self.flows = self.flows.saturating_add(1);
        if self.flows <= listed {
            return true;
        }
        self.unlisted = self.unlisted.saturating_add(1);
        self.clients.add(facts.end(Role::Client).ip);
        self.servers.add(facts.end(Role::Server));
        false
    }

    /// Who the flows that were not listed belong to.
    pub(super) fn who(&self) -> String {
        format!("{}, {}", self.clients.say("from", "many clients"), self.servers.say("to", "many servers"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoints, Mark};

    #[test]
    fn a_group_says_what_its_flows_have_in_common() {
        let end = |a: [u8; 4], port| Endpoint { ip: a.into(), port };
        let flow = |n: u8, m: u8| {
            let ends = Endpoints { a: end([10, 0, 0, n], 50_000), b: end([10, 0, 1, m], 443) };
            FlowFacts::new(1, 0, ends, Mark::default())
        };
        let mut g = Group::default();
        assert!(g.count(&flow(1, 1), 1));
        assert!(!g.count(&flow(2, 1), 1));
        assert_eq!(g.who(), "all from 10.0.0.2, all to 10.0.1.1:443");
        assert!(!g.count(&flow(3, 1), 1));
        assert_eq!(g.who(), "from 10.0.0.2 and 10.0.0.3, all to 10.0.1.1:443");
        for n in 0..200 {
            g.count(&flow(n, n), 1);
        }
        assert_eq!(g.who(), "from many clients, to many servers");
        assert_eq!((g.flows, g.unlisted), (203, 202));
    }
}

//! The views above the flows: what servers there are, what certificates, what findings, and how many flows each concerns.
//! 40 flows are a list, 400,000 are not.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::diagnose::{Confidence, Severity};
use crate::flow::Endpoint;
use crate::span::{Role, Timestamp};
use crate::tls::names::ProtocolVersion;

use super::columns::{self, Column};
use super::list::List;
use super::row::{Leaf, Mark, Mtls, Row, RowFinding};

/// Different values of one kind kept for a group; of more it is only known that there are more.
const DIFFERENT: usize = 16;

/// What the first pane lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    #[default]
    Flows,
    Servers,
    Certificates,
    Findings,
}

impl View {
    /// All, in the order of their keys.
    pub(crate) const ALL: [Self; 4] = [Self::Flows, Self::Servers, Self::Certificates, Self::Findings];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Servers => "servers",
            Self::Certificates => "certificates",
            Self::Findings => "findings",
        }
    }
}

/// What all flows of a group share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Address and port of the server.
    Server(Endpoint),
    /// SHA-256 of the certificate.
    Certificate([u8; 32]),
    /// Code of the finding.
    Finding(&'static str),
}

/// A few different values.
#[derive(Clone, Debug)]
pub(crate) struct Few<T> {
    pub(crate) some: SmallVec<[T; 1]>,
    /// There are more than are kept.
    pub(crate) more: bool,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { some: SmallVec::new(), more: false }
    }
}

impl<T: PartialEq> Few<T> {
    fn add(&mut self, v: T) {
        if !self.some.contains(&v) {
            if self.some.len() < DIFFERENT {
                self.some.push(v);
            } else {
                self.more = true;
            }
        }
    }

    /// `3`, `16+`.
    pub(crate) fn count(&self) -> String {
        format!("{}{}", self.some.len(), if self.more { "+" } else { "" })
    }

    /// The only one.
    pub(crate) fn one(&self) -> Option<&T> {
        match self.some.as_slice() {
            [one] if !self.more => Some(one),
            _ => None,
        }
    }
}

/// Flows that share something.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) key: Key,
    pub(crate) flows: u32,
    pub(crate) failed: u32,
    pub(crate) warned: u32,
    pub(crate) clients: Few<IpAddr>,
    pub(crate) servers: Few<Endpoint>,
    pub(crate) names: Few<Arc<str>>,
    pub(crate) versions: Few<ProtocolVersion>,
    pub(crate) mtls: Few<Mtls>,
    /// Who sent the certificate.
    pub(crate) senders: Few<Role>,
    /// Causes of failed flows, each with their number.
    pub(crate) causes: SmallVec<[(&'static str, u32); 1]>,
    /// Of the finding: how bad, how sure at best.
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) leaf: Option<Arc<Leaf>>,
    /// The last flow began then.
    pub(crate) last: Timestamp,
    /// A flow to show for all: the first whose finding says most.
    pub(crate) example: u32,
}

impl Group {
    fn new(key: Key, index: u32, leaf: Option<Arc<Leaf>>) -> Self {
        Self {
            key,
            flows: 0,
            failed: 0,
            warned: 0,
            clients: Few::default(),
            servers: Few::default(),
            names: Few::default(),
            versions: Few::default(),
            mtls: Few::default(),
            senders: Few::default(),
            causes: SmallVec::new(),
            severity: Severity::Info,
            confidence: Confidence::Possible,
            leaf,
            last: Timestamp(i64::MIN),
            example: index,
        }
    }

    fn add(&mut self, r: &Row) {
        self.flows += 1;
        match r.mark() {
            Mark::Failed => self.failed += 1,
            Mark::Warning => self.warned += 1,
            Mark::Unknown | Mark::Good => {}
        }
        self.clients.add(r.end(Role::Client).ip);
        self.servers.add(r.end(Role::Server));
        if let Some(n) = &r.name {
            self.names.add(n.clone());
        }
        if let Some(v) = r.version {
            self.versions.add(v);
        }
        if r.mtls != Mtls::Unknown {
            self.mtls.add(r.mtls);
        }
        if let Some(c) = r.cause {
            match self.causes.iter().position(|(code, _)| *code == c) {
                Some(i) => self.causes.get_mut(i).into_iter().for_each(|(_, n)| *n += 1),
                None if self.causes.len() < DIFFERENT => self.causes.push((c, 1)),
                None => {}
            }
        }
        self.last = self.last.max(r.time);
    }

    /// Whole days that the certificate was still valid when the last flow began; negative when it had expired.
    pub(crate) fn days_left(&self) -> Option<i64> {
        let until = self.leaf.as_ref()?.not_after?;
        Some(until.saturating_sub(self.last.secs()).div_euclid(86_400))
    }

    /// The mark in front of it.
    pub(crate) fn mark(&self) -> Mark {
        match self.key {
            Key::Certificate(_) => match self.days_left() {
                Some(d) if d < 0 => Mark::Failed,
                Some(d) if d < 30 => Mark::Warning,
                Some(_) => Mark::Good,
                None => Mark::Unknown,
            },
            Key::Finding(_) => match self.severity {
                Severity::Error => Mark::Failed,
                Severity::Warning => Mark::Warning,
                Severity::Info => Mark::Unknown,
            },
            Key::Server(_) if self.failed > 0 => Mark::Failed,
            Key::Server(_) if self.warned > 0 => Mark::Warning,
            Key::Server(_) => Mark::Good,
        }
    }

    /// The finding that the group is about, in one of its flows.
    pub(crate) fn finding<'r>(&self, r: &'r Row) -> Option<&'r RowFinding> {
        r.findings.iter().find(|f| self.key == Key::Finding(f.code))
    }

    /// The filter that lets through the flows of this group and no others.
    pub(crate) fn filter(&self) -> String {
        match &self.key {
            Key::Server(e) => format!("server:{}", super::row::endpoint(*e)),
            Key::Certificate(sha) => format!("cert:{}", crate::text::hex(sha.get(..8).unwrap_or(sha))),
            Key::Finding(code) => format!("finding:\"{code}\""),
        }
    }
}

/// The groups of a view, over the flows that pass the filter.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) view: View,
    all: Vec<Group>,
    index: HashMap<Key, u32, foldhash::fast::RandomState>,
    /// Indices of `all` in the order on the screen.
    order: Vec<u32>,
    pub(crate) cursor: usize,
    pub(crate) top: usize,
    pub(crate) sort: usize,
    pub(crate) reverse: bool,
    /// The user has moved: new flows must not move the cursor to another group.
    moved: bool,
    /// State of the list that is grouped: which filtering, how many of its rows.
    filtering: u64,
    rows: usize,
}

impl Groups {
    pub(crate) fn new(view: View) -> Self {
        Self {
            view,
            all: Vec::new(),
            index: HashMap::default(),
            order: Vec::new(),
            cursor: 0,
            top: 0,
            sort: columns::first_sort(view),
            reverse: false,
            moved: false,
            filtering: u64::MAX,
            rows: 0,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// The group at a position.
    pub(crate) fn at(&self, pos: usize) -> Option<&Group> {
        self.all.get(*self.order.get(pos)? as usize)
    }

    /// The group under the cursor.
    pub(crate) fn selected(&self) -> Option<&Group> {
        self.at(self.cursor)
    }

    /// Moves the cursor.
    pub(crate) fn move_to(&mut self, pos: usize) {
        self.moved = true;
        self.cursor = pos.min(self.len().saturating_sub(1));
    }

    /// The columns of the view.
    pub(crate) fn columns(&self) -> &'static [Column] {
        columns::of(self.view)
    }

    /// Sorts by a column.
    pub(crate) fn sort_by(&mut self, column: usize, reverse: bool) {
        self.sort = column;
        self.reverse = reverse;
        self.arrange();
    }

    /// Takes in what has come since, or all again when another filter holds.
    pub(crate) fn catch_up(&mut self, list: &List) {
        let again = self.filtering != list.filtering;
        if again {
            self.all.clear();
            self.index.clear();
            self.rows = 0;
            self.filtering = list.filtering;
        }
        let from = self.rows;
        if from == list.rows.len() && !again {
            return;
        }
        self.rows = list.rows.len();
        for index in list.passing(from) {
            if let Some(r) = list.rows.get(index as usize) {
                self.group(r, index);
            }
        }
        self.arrange();
    }

    fn group(&mut self, r: &Row, index: u32) {
        match self.view {
            View::Flows => {}
            View::Servers => {
                let key = Key::Server(r.end(Role::Server));
                if let Some(g) = self.of(key, index, None) {
                    g.add(r);
                }
            }
            View::Certificates => {
                for (n, (role, leaf)) in r.certificates.iter().enumerate() {
                    // A chain that repeats one is one flow all the same.
                    let again = r.certificates.iter().take(n).any(|(_, l)| l.sha256 == leaf.sha256);
                    let Some(g) = self.of(Key::Certificate(leaf.sha256), index, Some(leaf.clone())) else { return };
                    g.senders.add(*role);
                    if !again {
                        g.add(r);
                    }
                }
            }
            View::Findings => {
                for (n, f) in r.findings.iter().enumerate() {
                    let again = r.findings.iter().take(n).any(|x| x.code == f.code);
                    let Some(g) = self.of(Key::Finding(f.code), index, None) else { return };
                    if g.flows == 0 || (f.severity, f.confidence) > (g.severity, g.confidence) {
                        (g.severity, g.confidence, g.example) = (f.severity, f.confidence, index);
                    }
                    if !again {
                        g.add(r);
                    }
                }
            }
        }
    }

    /// The group of a key; `None` where there are more than can be counted.
    fn of(&mut self, key: Key, index: u32, leaf: Option<Arc<Leaf>>) -> Option<&mut Group> {
        let next = u32::try_from(self.all.len()).ok()?;
        let n = *self.index.entry(key.clone()).or_insert(next);
        if n == next {
            self.all.push(Group::new(key, index, leaf));
        }
        self.all.get_mut(n as usize)
    }

    fn arrange(&mut self) {
        let here = if self.moved { self.order.get(self.cursor).copied() } else { None };
        let mut order: Vec<u32> = (0..self.all.len()).filter_map(|i| u32::try_from(i).ok()).collect();
        let column = self.columns().get(self.sort);
        order.sort_by(|a, b| {
            let (Some(x), Some(y), Some(c)) = (self.all.get(*a as usize), self.all.get(*b as usize), column) else {
                return Ordering::Equal;
            };
            let o = (c.order)(x, y).then(y.flows.cmp(&x.flows)).then(a.cmp(b));
            if self.reverse { o.reverse() } else { o }
        });
        self.order = order;
        self.cursor = match here.and_then(|h| self.order.iter().position(|i| *i == h)) {
            Some(p) => p,
            None if self.moved => self.cursor.min(self.len().saturating_sub(1)),
            None => 0,
        };
    }
}

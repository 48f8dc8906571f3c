//! The memory of flows: what those that ended say about one that ends now, and about the capture as a whole.
//!
//! [`Memory::recall`] is asked before a flow is diagnosed, [`Memory::remember`] told afterwards, both in the order in which
//! flows end; nothing else passes between flows. Everything in it is bounded by the caps `limits::SIBLING_…`, and what was
//! forgotten is counted ([`Forgotten`]).

mod brief;
mod fetches;
mod habits;
mod lookups;
mod moduli;
mod recent;
mod seen;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::dns;
use crate::facts::{FlowFacts, Leaf, Offer, Outcome, Rare, Sibling, Siblings};
use crate::flow::{Endpoint, Mark};
use crate::limits;
use crate::span::Role;
use crate::tls::Start;
use crate::tls::handshake::Tail;
use crate::upgrade::Plain;

use brief::{Brief, same_offer};
use fetches::Fetches;
pub use fetches::{Checked, Failure, Fetch, Purpose};
use habits::Habits;
pub use lookups::{Lookup, Lookups};
use moduli::Moduli;
pub use moduli::SharedPrime;
use recent::Recent;
pub use seen::{Cause, ClockJump, Few, Flows, Known, Name, Offers, Pair, Run, Server, Shown, WINDOW_SECS};

/// One connection captured at two points begins at both within this time: a packet's way through a router or proxy.
const TWIN_NS: u64 = 1_000_000_000;

/// Backward steps of the clock below this come from several capture queues or interfaces.
const JUMP_NS: i64 = 1_000_000_000;

/// A ClientHello that was heard.
#[derive(Clone, Debug)]
struct Heard {
    flow: Arc<Sibling>,
    session_id: Option<Tail>,
    server_random: Option<[u8; 32]>,
}

/// What was forgotten, or left out of a comparison: one of it in words, and how many. Offers are not among it: they are held
/// once to save memory, and by each flow that made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Who took part, and what they are known by: a later flow of the same party is compared with less than was seen.
    pub parties: [(&'static str, u64); 9],
    /// Single handshakes: they are compared with those shortly after them, and every long capture has more than are kept.
    pub handshakes: [(&'static str, u64); 5],
}

/// What is known of flows that have ended.
#[derive(Debug)]
pub struct Memory {
    offers: Recent<u64, Arc<Offer>>,
    servers: Recent<Endpoint, Server>,
    pairs: Recent<(IpAddr, Endpoint), Pair>,
    /// The latest flow in which a client's address showed a certificate.
    clients: Recent<IpAddr, Arc<Sibling>>,
    names: Recent<Box<[u8]>, Name>,
    certificates: Recent<[u8; 32], Known>,
    /// The client certificate of a length; `None` where there are several.
    lengths: Recent<usize, Option<[u8; 32]>>,
    serials: Recent<(String, String), ([u8; 32], u64)>,
    hellos: Recent<[u8; 32], Heard>,
    sessions: Recent<Tail, Arc<Sibling>>,
    tickets: Recent<Tail, u64>,
    /// Servers that answered a client's plain text, or spoke it first.
    plain: Recent<Endpoint, ()>,
    moduli: Moduli,
    habits: Habits,
    fetches: Fetches,
    causes: BTreeMap<&'static str, Cause>,
    lookups: Lookups,
    clock: Option<ClockJump>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            offers: Recent::new(limits::SIBLING_NAMES),
            servers: Recent::new(limits::SIBLING_SERVERS),
            pairs: Recent::new(limits::SIBLING_SERVERS),
            clients: Recent::new(limits::SIBLING_NAMES),
            names: Recent::new(limits::SIBLING_NAMES),
            certificates: Recent::new(limits::SIBLING_NAMES),
            lengths: Recent::new(limits::SIBLING_NAMES),
            serials: Recent::new(limits::SIBLING_NAMES),
            hellos: Recent::new(limits::SIBLING_HELLOS),
            sessions: Recent::new(limits::SIBLING_HELLOS),
            tickets: Recent::new(limits::SIBLING_HELLOS),
            plain: Recent::new(limits::SIBLING_SERVERS),
            moduli: Moduli::default(),
            habits: Habits::default(),
            fetches: Fetches::default(),
            causes: BTreeMap::new(),
            lookups: Lookups::default(),
            clock: None,
        }
    }
}

impl Memory {
    /// What flows that ended before say about this one.
    pub fn recall(&self, f: &FlowFacts) -> Siblings {
        let (client, server) = (f.end(Role::Client), f.end(Role::Server));
        let mut out = Siblings::default();
        let known = self.servers.get(&server);
        let meshed = known.and_then(|s| s.meshed.clone()).filter(|_| self.plain.get(&server).is_none());
        let mut rare = Rare { meshed, ..Rare::default() };
        let Some(hello) = f.client_hello.as_ref().map(|h| &h.message) else {
            out.rare = boxed(rare);
            return out;
        };
        let mut is_new = true;
        if let Some(heard) = self.hellos.get(&hello.random).filter(|_| !hello.ssl2_format) {
            match relation(heard, f, client, server) {
                Relation::Twin => {
                    is_new = false;
                    out.twin = Some(heard.flow.clone());
                }
                Relation::Replayed => is_new = false,
                Relation::Reused => out.random_reused = Some(heard.flow.clone()),
                Relation::Unclear => {}
            }
        }
        if let Some(s) = known {
            if !f.is_complete() {
                let others = || s.accepted.iter().filter(|o| o.offer.as_ref().is_some_and(|o| !same_offer(o, hello)));
                out.accepted = others().find(|o| o.name() == brief::name(hello)).or_else(|| others().next()).cloned();
            }
            out.unnamed.clone_from(&s.unnamed);
            out.requested.clone_from(&s.requested);
            out.client_accepted.clone_from(&s.client_accepted);
            rare.with_header = s.with_header.clone().filter(|_| !s.without_header);
            rare.asked_later.clone_from(&s.asked_later);
            let key = brief::ephemeral_key(f).filter(|_| is_new);
            out.key_reused = key.and_then(|k| s.keys.iter().find(|(t, _)| *t == k)).map(|(_, id)| *id);
        }
        out.client_leaf = f.inferred.as_ref().and_then(|i| i.leaf_len).and_then(|len| self.client_leaf(len));
        out.before = self.pairs.get(&(client.ip, server)).and_then(|p| p.last.clone());
        out.client_showed = self.clients.get(&client.ip).cloned();
        out.session = brief::session_offered(hello).and_then(|t| self.sessions.get(&t)).cloned();
        if is_new {
            rare.same_clock = self.habits.same_clock(f);
            rare.ech_configs = self.habits.ech_configs(f);
            out.ticket_used = hello.extensions.psk_ticket.and_then(|t| self.tickets.get(&t)).copied();
        }
        out.rare = boxed(rare);
        out
    }

    /// Takes a flow in that has ended and was diagnosed.
    pub fn remember(&mut self, f: &FlowFacts, outcome: Outcome, cause: Option<&'static str>) {
        let Some(hello) = f.client_hello.as_ref().map(|h| &h.message) else { return };
        // A connection seen twice counts once.
        if f.siblings.twin.is_some() {
            return;
        }
        let offer = brief::intern(&mut self.offers, hello);
        let server_leaf = self.certificate(f, Role::Server);
        let client_leaf = self.certificate(f, Role::Client);
        let sibling = Brief { facts: f, outcome, cause, offer, server_leaf, client_leaf }.sibling();
        self.of_server(f, &sibling);
        self.of_pair(f, &sibling);
        self.of_name(&sibling);
        if sibling.client_leaf.is_some() {
            *self.clients.entry(sibling.client.ip, || sibling.clone()) = sibling.clone();
        }
        self.habits.add(f);
        if let Some(cause) = cause {
            let c = self.causes.entry(cause).or_default();
            c.flows.add(sibling.id);
            c.clients.add(sibling.client.ip);
            c.servers.add(sibling.server);
        }
        if let Some(ticket) = hello.extensions.psk_ticket {
            self.tickets.entry(ticket, || sibling.id);
        }
        if sibling.outcome == Outcome::Established && sibling.resumed == Some(false) {
            for session in brief::sessions_given(f) {
                *self.sessions.entry(session, || sibling.clone()) = sibling.clone();
            }
        }
        let heard = || Heard {
            session_id: Tail::of(&hello.session_id),
            server_random: f.server_hello.as_ref().map(|h| h.message.random),
            flow: sibling.clone(),
        };
        if !hello.ssl2_format {
            self.hellos.entry(hello.random, heard);
        }
    }

    /// Takes in any flow that has ended, with TLS or without, after [`Memory::recall`].
    pub fn passed(&mut self, f: &FlowFacts) {
        self.fetches.add(f);
        let server = f.side(Role::Server);
        let is_plain = |side| matches!(f.sides[side].start, Some((Start::Not(_), _)));
        // A TLS server answers plain text with an alert, or with a page of HTTP that says what is wrong (nginx: 400).
        let is_page = matches!(f.sides[server].start, Some((Start::Not(Plain::HttpResponse(400)), _)));
        if f.client_hello.is_none() && is_plain(server) && !is_page {
            self.plain.entry(f.end(Role::Server), || ());
        }
    }

    /// Handshakes during which the client asked about the status of the server's certificates.
    pub fn status_checks(&self) -> Vec<Checked<'_>> {
        self.fetches.checked(&self.lookups)
    }

    /// Takes in a DNS message between a client and a server.
    pub fn lookup(&mut self, client: IpAddr, server: IpAddr, message: dns::Message, mark: Mark) {
        self.lookups.message(client, server, message, mark);
    }

    /// The names that clients asked DNS for.
    pub fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// A frame is older than the one before it, by so many nanoseconds.
    pub fn clock_back(&mut self, jump: ClockJump) {
        if jump.back_ns < JUMP_NS {
            return;
        }
        match &mut self.clock {
            Some(c) => {
                c.count = c.count.saturating_add(1);
                if jump.back_ns > c.back_ns {
                    *c = ClockJump { count: c.count, ..jump };
                }
            }
            None => self.clock = Some(jump),
        }
    }

    /// The one client certificate in clear that has so many bytes.
    fn client_leaf(&self, len: usize) -> Option<Arc<Leaf>> {
        let only = (*self.lengths.get(&len)?)?;
        self.certificates.get(&only).map(|k| k.leaf.clone())
    }

    /// Servers in the order of their addresses.
    pub fn servers(&self) -> Vec<(&Endpoint, &Server)> {
        sorted(self.servers.iter())
    }

    /// Pairs of client and server, likewise.
    pub fn pairs(&self) -> Vec<(&(IpAddr, Endpoint), &Pair)> {
        sorted(self.pairs.iter())
    }

    /// Names in their order; what was asked for without a name stands under its address and port.
    pub fn names(&self) -> Vec<(&[u8], &Name)> {
        sorted(self.names.iter().map(|(k, v)| (&**k, v)))
    }

    /// Leaf certificates in clear, in the order of their first flows.
    pub fn certificates(&self) -> Vec<&Known> {
        let mut all: Vec<_> = self.certificates.iter().map(|(_, k)| k).collect();
        all.sort_unstable_by_key(|k| (k.flows.ids.first().copied(), k.leaf.sha256));
        all
    }

    /// Causes of failures by code.
    pub fn causes(&self) -> impl Iterator<Item = (&'static str, &Cause)> {
        self.causes.iter().map(|(code, c)| (*code, c))
    }

    /// Pairs of RSA keys that have a prime in common.
    pub fn shared_primes(&self) -> &[SharedPrime] {
        &self.moduli.shared
    }

    /// Where the clock ran backwards farthest.
    pub fn clock(&self) -> Option<ClockJump> {
        self.clock
    }

    /// What was forgotten when newer ones came, or left out of a comparison, because there were too many.
    pub fn forgotten(&self) -> Forgotten {
        Forgotten {
            parties: [
                ("server", self.servers.forgotten()),
                ("client", self.clients.forgotten().saturating_add(self.habits.clients_forgotten())),
                ("pair", self.pairs.forgotten()),
                ("server name", self.names.forgotten()),
                ("certificate", self.certificates.forgotten()),
                ("serial number", self.serials.forgotten()),
                ("length of a client certificate", self.lengths.forgotten()),
                ("DNS name", self.lookups.forgotten()),
                ("RSA key", self.moduli.left_out),
            ],
            handshakes: [
                ("ClientHello", self.hellos.forgotten()),
                ("session", self.sessions.forgotten()),
                ("session ticket", self.tickets.forgotten()),
                ("encrypted ClientHello", self.habits.encrypted_forgotten()),
                ("handshake that may have waited for a certificate's status", self.fetches.forgotten),
            ],
        }
    }

    fn of_server(&mut self, f: &FlowFacts, s: &Arc<Sibling>) {
        let server = self.servers.entry(s.server, Server::default);
        if s.outcome == Outcome::Established {
            server.established.add(s.id);
            server.accepted.add(s);
        }
        if s.has_failed() {
            server.failed.add(s.id);
            server.failed_clients.add(s.client.ip);
        }
        if s.hello_refused {
            server.refused.add(s);
        }
        if brief::is_obsolete(s) {
            server.weak.add(s.id);
            server.weakest = Some(s.clone());
        }
        if s.server_leaf.is_some() && s.name().is_none() {
            server.unnamed = Some(s.clone());
        }
        if s.version.is_some() {
            if s.has_header {
                server.with_header = Some(s.clone());
            } else {
                server.without_header = true;
            }
        }
        if s.asked_later {
            server.asked_later = Some(s.clone());
        }
        let offers_mesh = |o: &Arc<Offer>| o.alpn.iter().any(|p| is_of_mesh(p));
        if s.outcome == Outcome::Established && s.offer.as_ref().is_some_and(offers_mesh) {
            server.meshed = Some(s.clone());
        }
        if s.requested {
            server.requested = Some(s.clone());
        }
        if s.client_leaf.is_some() && s.outcome == Outcome::Established {
            server.client_accepted = Some(s.clone());
        }
        if let Some(key) = brief::ephemeral_key(f) {
            if server.keys.len() >= limits::SIBLING_LIST {
                server.keys.pop_front();
            }
            server.keys.push_back((key, s.id));
        }
    }

    fn of_pair(&mut self, f: &FlowFacts, s: &Arc<Sibling>) {
        let p = self.pairs.entry((s.client.ip, s.server), Pair::default);
        p.last = Some(s.clone());
        if s.hello_refused {
            p.refused.add(s);
        }
        match s.outcome {
            Outcome::Established => {
                p.accepted.add(s);
                p.run = Run::default();
                if s.resumed == Some(true) {
                    p.resumed = p.resumed.saturating_add(1);
                } else {
                    p.full.add(s.id);
                    p.offered = p.offered.saturating_add(u64::from(f.offers_resumption()));
                    p.count_in_window(s);
                }
            }
            Outcome::Failed | Outcome::Rejected => p.count_failure(s),
            Outcome::Incomplete => {}
        }
    }

    fn of_name(&mut self, s: &Arc<Sibling>) {
        let Some(leaf) = &s.server_leaf else { return };
        let key = match s.name() {
            Some(name) => name.to_ascii_lowercase(),
            None => std::net::SocketAddr::new(s.server.ip, s.server.port).to_string().into_bytes(),
        };
        self.names.entry(key.into(), Name::default).show(s, leaf);
    }

    /// The leaf that a role showed in clear: remembered, and what it is known by.
    fn certificate(&mut self, f: &FlowFacts, role: Role) -> Option<Arc<Leaf>> {
        let cert = f.of(role).certificates.as_ref()?.chain.first()?;
        let known =
            self.certificates.entry(cert.sha256, || Known { leaf: Arc::new(brief::leaf(cert)), ..Known::default() });
        let is_new = known.flows.count == 0;
        known.flows.add(f.id);
        known.when = known.when.max(f.judged_at());
        match role {
            Role::Server => known.servers.add(f.end(role)),
            Role::Client => known.clients.add(f.end(role).ip),
        }
        let leaf = known.leaf.clone();
        if is_new {
            self.moduli.add(cert, &leaf, f.id);
        }
        if role == Role::Client {
            let only = self.lengths.entry(leaf.der_len, || Some(leaf.sha256));
            *only = only.filter(|sha| *sha == leaf.sha256);
        }
        // Who issues to himself alone may number as he likes.
        if is_new && !leaf.serial.is_empty() && !leaf.is_self_issued {
            let (sha, id) = *self.serials.entry((leaf.issuer.clone(), leaf.serial.clone()), || (leaf.sha256, f.id));
            let other = self.certificates.get(&sha).filter(|_| sha != leaf.sha256).map(|k| k.leaf.clone());
            if let Some(other) = other {
                self.certificates.entry(leaf.sha256, Known::default).same_serial = Some((other, id));
            }
        }
        Some(leaf)
    }
}

/// Nothing where there is nothing.
fn boxed(rare: Rare) -> Option<Box<Rare>> {
    (rare != Rare::default()).then(|| Box::new(rare))
}

/// An application protocol of Istio's proxies: `istio`, `istio-peer-exchange`, `istio-http/1.1` …
pub fn is_of_mesh(protocol: &[u8]) -> bool {
    protocol == b"istio" || protocol.starts_with(b"istio-")
}

fn sorted<'a, K: Ord + ?Sized, V>(all: impl Iterator<Item = (&'a K, &'a V)>) -> Vec<(&'a K, &'a V)> {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable_by_key(|(k, _)| *k);
    all
}

/// How two flows with the same random in their ClientHellos are related.
enum Relation {
    /// One connection, captured at two points.
    Twin,
    /// Two connections.
    Reused,
    /// The same traffic, with the same answer, at another time: a capture that was replayed.
    Replayed,
    /// Too little is known.
    Unclear,
}

fn relation(heard: &Heard, f: &FlowFacts, client: Endpoint, server: Endpoint) -> Relation {
    let Some(hello) = f.client_hello.as_ref().map(|h| &h.message) else { return Relation::Unclear };
    let o = &heard.flow;
    let apart = o.first.0.abs_diff(f.first.time.0);
    let same_hello = heard.session_id == Tail::of(&hello.session_id)
        && o.hello_len == hello.length
        && o.offer.as_ref().is_some_and(|o| same_offer(o, hello));
    // An address of the other side of a translator or proxy: with both the same it is the client's next connection.
    let elsewhere = o.client.ip != client.ip || o.server.ip != server.ip || o.source != f.source;
    match (heard.server_random, f.server_hello.as_ref().map(|h| h.message.random)) {
        (Some(a), Some(b)) if a == b && same_hello && elsewhere && apart <= TWIN_NS => Relation::Twin,
        (Some(a), Some(b)) if a == b => Relation::Replayed,
        (Some(_), Some(_)) => Relation::Reused,
        _ if same_hello && elsewhere && apart <= TWIN_NS => Relation::Twin,
        _ => Relation::Unclear,
    }
}

impl Pair {
    fn count_in_window(&mut self, s: &Sibling) {
        let window = s.first.secs().div_euclid(WINDOW_SECS);
        if self.window.0 != window {
            self.window = (window, Flows::default());
        }
        self.window.1.add(s.id);
        if self.window.1.count > self.busiest.count {
            self.busiest.clone_from(&self.window.1);
        }
    }

    fn count_failure(&mut self, s: &Sibling) {
        // One that began before the last had ended is no second attempt.
        if self.run.cause == s.cause && self.run.flows.count > 0 && s.first < self.run.ended {
            return;
        }
        if self.run.cause != s.cause || self.run.flows.count == 0 {
            self.run = Run { cause: s.cause, since: s.first, ..Run::default() };
        }
        self.run.flows.add(s.id);
        self.run.until = self.run.until.max(s.first);
        self.run.ended = self.run.ended.max(s.last);
        if self.run.flows.count > self.longest.flows.count {
            self.longest.clone_from(&self.run);
        }
    }
}

impl Name {
    fn show(&mut self, s: &Sibling, leaf: &Arc<Leaf>) {
        // The certificate that this server showed before, of the same kind of key: servers have one of each.
        let before = self
            .shown
            .iter()
            .filter(|o| o.server == s.server && o.leaf.key == leaf.key)
            .max_by_key(|o| o.when)
            .map(|o| o.leaf.sha256);
        let place = self.shown.iter_mut().find(|o| o.server == s.server && o.leaf.sha256 == leaf.sha256);
        if let Some(o) = place {
            o.last = s.id;
            o.when = o.when.max(s.first);
            o.runs = o.runs.saturating_add(u64::from(before != Some(leaf.sha256)));
            o.clients.add(s.client.ip);
        } else if self.shown.len() < limits::SIBLING_LIST {
            let mut clients = Few::default();
            clients.add(s.client.ip);
            let (first, last, when) = (s.id, s.id, s.first);
            self.shown.push(Shown { server: s.server, leaf: leaf.clone(), first, last, when, runs: 1, clients });
        }
    }
}

#[cfg(test)]
mod tests;

//! What a client does again and again: the time that it writes into its hellos, the configurations for which it encrypts them.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::facts::{FlowFacts, SameClock};
use crate::limits;
use crate::span::{Role, Timestamp};

use super::brief;
use super::recent::Recent;

/// Differences of one clock to another one, in whole seconds: one for each rounding.
const SAME_SECS: i64 = 2;

/// Flows that must agree before a value counts as a time, this one included: three random values do not.
const AGREEING: usize = 3;

/// Seconds between the first and the last of them, so that the clock is seen to run.
const RUNS_SECS: i64 = 5;

/// Within so many seconds a server's configuration for encrypted ClientHellos is the same: they are changed every hour or so.
const ECH_SECS: i64 = 600;

/// A hello with a time in it.
#[derive(Clone, Copy, Debug)]
struct Told {
    flow: u64,
    when: Timestamp,
    ahead: i64,
}

/// A hello that is encrypted for a configuration.
#[derive(Clone, Copy, Debug)]
struct Encrypted {
    flow: u64,
    when: Timestamp,
    config: u8,
}

/// A client's address, the name in clear that it called, and what tells its program from others behind that address.
type Called = (IpAddr, Box<[u8]>, u64);

/// The latest hellos of clients' addresses.
#[derive(Debug)]
pub(super) struct Habits {
    clocks: Recent<IpAddr, VecDeque<Told>>,
    encrypted: Recent<Called, VecDeque<Encrypted>>,
}

impl Default for Habits {
    fn default() -> Self {
        Self { clocks: Recent::new(limits::SIBLING_NAMES), encrypted: Recent::new(limits::SIBLING_NAMES) }
    }
}

impl Habits {
    /// Earlier hellos of this client that differ from the capture's clock as this one does.
    pub(super) fn same_clock(&self, f: &FlowFacts) -> Option<SameClock> {
        let ahead = brief::clock_ahead(f)?;
        let known = self.clocks.get(&f.end(Role::Client).ip)?;
        let same: Vec<&Told> = known.iter().filter(|t| t.ahead.abs_diff(ahead) <= SAME_SECS.unsigned_abs()).collect();
        let now = said_at(f).secs();
        let times = || same.iter().map(|t| t.when.secs()).chain([now]);
        let span = times().max()?.saturating_sub(times().min()?);
        let enough = same.len().saturating_add(1) >= AGREEING && span >= RUNS_SECS;
        enough.then(|| SameClock { ahead, flows: same.iter().map(|t| t.flow).collect(), span })
    }

    /// The configurations for which this client lately encrypted hellos to the same name.
    pub(super) fn ech_configs(&self, f: &FlowFacts) -> Vec<(u8, u64)> {
        let Some((key, _)) = encrypted(f) else { return Vec::new() };
        let now = said_at(f).secs();
        let recent = |e: &&Encrypted| now.abs_diff(e.when.secs()) <= ECH_SECS.unsigned_abs();
        let known = self.encrypted.get(&key).into_iter().flatten();
        known.filter(recent).map(|e| (e.config, e.flow)).collect()
    }

    /// Clients whose clock was forgotten.
    pub(super) const fn clients_forgotten(&self) -> u64 {
        self.clocks.forgotten()
    }

    /// Clients and names whose encrypted hellos were forgotten.
    pub(super) const fn encrypted_forgotten(&self) -> u64 {
        self.encrypted.forgotten()
    }

    /// Takes in a hello.
    pub(super) fn add(&mut self, f: &FlowFacts) {
        let (flow, when) = (f.id, said_at(f));
        if let Some(ahead) = brief::clock_ahead(f) {
            push(self.clocks.entry(f.end(Role::Client).ip, VecDeque::new), Told { flow, when, ahead });
        }
        if let Some((key, config)) = encrypted(f) {
            push(self.encrypted.entry(key, VecDeque::new), Encrypted { flow, when, config });
        }
    }
}

/// When the hello was said: a connection may have been open long before.
fn said_at(f: &FlowFacts) -> Timestamp {
    f.client_hello.as_ref().map_or(f.first.time, |h| h.mark.time)
}

fn push<T>(list: &mut VecDeque<T>, value: T) {
    if list.len() >= limits::SIBLING_LIST {
        list.pop_front();
    }
    list.push_back(value);
}

/// The client, the name in clear and the configuration of an encrypted ClientHello.
fn encrypted(f: &FlowFacts) -> Option<(Called, u8)> {
    let h = &f.client_hello.as_ref()?.message;
    let config = h.extensions.ech_config?;
    Some(((f.end(Role::Client).ip, brief::name(h)?.into(), brief::program(h)), config))
}

//! What is remembered of servers, pairs of client and server, names, certificates and causes.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use crate::facts::{Leaf, Sibling};
use crate::flow::Endpoint;
use crate::limits;
use crate::span::{FrameNo, Timestamp};
use crate::tls::handshake::Tail;

/// Seconds over which handshakes of one pair are counted together.
pub const WINDOW_SECS: i64 = 10;

/// Some distinct values, at most [`limits::SIBLING_LIST`].
#[derive(Clone, Debug)]
pub struct Few<T> {
    /// The values, in the order in which they were met.
    pub values: Vec<T>,
    /// There were more.
    pub more: bool,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { values: Vec::new(), more: false }
    }
}

impl<T: PartialEq> Few<T> {
    pub(super) fn add(&mut self, v: T) {
        if self.values.contains(&v) {
            return;
        }
        if self.values.len() < limits::SIBLING_LIST { self.values.push(v) } else { self.more = true }
    }
}

/// Flows: how many, and the ids of the first of them.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    /// How many.
    pub count: u64,
    /// Ids, at most [`limits::SIBLING_LIST`].
    pub ids: Vec<u64>,
}

impl Flows {
    pub(super) fn add(&mut self, id: u64) {
        self.count = self.count.saturating_add(1);
        if self.ids.len() < limits::SIBLING_LIST {
            self.ids.push(id);
        }
    }
}

/// The latest flow of each of the latest different offers, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Offers(Vec<Arc<Sibling>>);

impl Offers {
    pub(super) fn add(&mut self, s: &Arc<Sibling>) {
        self.0.retain(|o| o.offer != s.offer);
        if self.0.len() >= limits::SIBLING_OFFERS {
            self.0.remove(0);
        }
        self.0.push(s.clone());
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Sibling>> {
        self.0.iter().rev()
    }
}

/// A server: address and port.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Flows whose handshake succeeded.
    pub established: Flows,
    /// Flows whose handshake failed or was rejected.
    pub failed: Flows,
    /// Clients of the failed ones.
    pub failed_clients: Few<IpAddr>,
    /// Offers that it accepted.
    pub accepted: Offers,
    /// Offers that it refused.
    pub refused: Offers,
    /// Flows with a version or cipher suite that is obsolete.
    pub weak: Flows,
    /// What was obsolete about the latest of them.
    pub weakest: Option<Arc<Sibling>>,
    /// The latest flow without a server name in which it showed its certificate.
    pub(super) unnamed: Option<Arc<Sibling>>,
    /// The latest full handshake in which it asked for a client certificate.
    pub(super) requested: Option<Arc<Sibling>>,
    /// The latest flow in which it accepted a client's certificate.
    pub(super) client_accepted: Option<Arc<Sibling>>,
    /// The latest flow that began with a PROXY protocol header and that it answered with a ServerHello.
    pub(super) with_header: Option<Arc<Sibling>>,
    /// It answered one that began without.
    pub(super) without_header: bool,
    /// The latest handshake that succeeded and in which a protocol of Istio's proxies was offered.
    pub(super) meshed: Option<Arc<Sibling>>,
    /// The latest flow in which it seems to have asked for a certificate after the handshake.
    pub(super) asked_later: Option<Arc<Sibling>>,
    /// Its latest ephemeral public keys, and the flows that showed them.
    pub(super) keys: VecDeque<(Tail, u64)>,
}

/// Failures in a row for one reason.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The reason.
    pub cause: Option<&'static str>,
    /// The flows.
    pub flows: Flows,
    /// When the first of them began.
    pub since: Timestamp,
    /// When the last of them began.
    pub until: Timestamp,
    /// When the last of them ended.
    pub ended: Timestamp,
}

/// A client's address and a server.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// Full handshakes that succeeded.
    pub full: Flows,
    /// Handshakes that resumed a session.
    pub resumed: u64,
    /// Full handshakes whose client had offered to resume a session.
    pub offered: u64,
    /// The longest run of failures for one reason.
    pub longest: Run,
    /// The most full handshakes that began within the same [`WINDOW_SECS`] seconds.
    pub busiest: Flows,
    /// Offers that the server accepted of this client.
    pub accepted: Offers,
    /// Offers that it refused.
    pub refused: Offers,
    /// The latest flow.
    pub(super) last: Option<Arc<Sibling>>,
    pub(super) run: Run,
    pub(super) window: (i64, Flows),
}

/// A certificate that was shown for a name by a server.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The server.
    pub server: Endpoint,
    /// The certificate.
    pub leaf: Arc<Leaf>,
    /// The first flow.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// When the last one took place.
    pub when: Timestamp,
    /// How many times it came back after another one, and once for its first time.
    pub runs: u64,
    /// Its clients.
    pub clients: Few<IpAddr>,
}

/// A server name, and the certificates that were shown for it.
#[derive(Clone, Debug, Default)]
pub struct Name {
    /// One for each certificate and server, in the order in which they were met; at most [`limits::SIBLING_LIST`].
    pub shown: Vec<Shown>,
}

/// A leaf certificate in clear.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What it says.
    pub leaf: Arc<Leaf>,
    /// Servers that showed it.
    pub servers: Few<Endpoint>,
    /// Clients' addresses that showed it.
    pub clients: Few<IpAddr>,
    /// The flows.
    pub flows: Flows,
    /// When it was seen last.
    pub when: Timestamp,
    /// An earlier certificate of the same issuer with the same serial number, and its flow.
    pub same_serial: Option<(Arc<Leaf>, u64)>,
}

/// A reason for which flows failed.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    /// The flows.
    pub flows: Flows,
    /// Their clients.
    pub clients: Few<IpAddr>,
    /// Their servers.
    pub servers: Few<Endpoint>,
}

/// Where the capture's clock ran backwards.
#[derive(Clone, Copy, Debug)]
pub struct ClockJump {
    /// The frame that is older than the one before it.
    pub frame: FrameNo,
    /// By how many nanoseconds.
    pub back_ns: i64,
    /// How many times it happened.
    pub count: u64,
}

//! What flows know of each other: where the same server accepted somebody, and which two flows are one connection that was
//! captured twice, on both sides of a NAT, of a load balancer, or on two interfaces.

use std::collections::HashMap;

use crate::facts::Outcome;
use crate::flow::Endpoint;
use crate::span::Role;

use super::row::Row;

/// A copy of a connection starts within this many microseconds of the other, or while the other is open.
const NEAR_US: u64 = 1_000_000;

/// Kept for all flows; rows are named by their index.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    /// By server: the first and the last flow that it accepted.
    worked: HashMap<Endpoint, [u32; 2], foldhash::fast::RandomState>,
    /// By ClientHello: the last flow with it.
    hellos: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// The other sighting of a flow.
    twins: HashMap<u32, u32, foldhash::fast::RandomState>,
}

impl Kin {
    /// Takes in the row of an index.
    pub(crate) fn add(&mut self, index: u32, rows: &[Row]) {
        let Some(r) = rows.get(index as usize) else { return };
        if r.outcome == Outcome::Established {
            self.worked.entry(r.end(Role::Server)).and_modify(|w| w[1] = index).or_insert([index; 2]);
        }
        let Some(hello) = r.hello else { return };
        if let Some(before) = self.hellos.insert(hello, index)
            && rows.get(before as usize).is_some_and(|b| is_copy(b, r))
        {
            self.twins.insert(before, index);
            self.twins.insert(index, before);
        }
    }

    /// A flow that the server of this one accepted: the nearer one in time of those that are known.
    pub(crate) fn sibling<'r>(&self, r: &Row, rows: &'r [Row]) -> Option<&'r Row> {
        let known = self.worked.get(&r.end(Role::Server))?;
        let known = known.iter().filter_map(|i| rows.get(*i as usize)).filter(|w| w.id != r.id);
        known.min_by_key(|w| w.time.us_since(r.time).max(r.time.us_since(w.time)))
    }

    /// The other sighting of the row of an index.
    pub(crate) fn twin<'r>(&self, index: u32, rows: &'r [Row]) -> Option<&'r Row> {
        rows.get(*self.twins.get(&index)? as usize)
    }
}

/// The same ClientHello between other addresses, at the same time. (A client that repeats its random does so later.)
fn is_copy(a: &Row, b: &Row) -> bool {
    let (first, second) = if a.time <= b.time { (a, b) } else { (b, a) };
    let other = a.end(Role::Client) != b.end(Role::Client) || a.end(Role::Server) != b.end(Role::Server);
    other && second.time.us_since(first.time) <= first.duration_us.max(NEAR_US)
}

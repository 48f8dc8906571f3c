//! What tells one connection from another.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::span::Side;

/// Address and port of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The (innermost) IP address.
    pub ip: IpAddr,
    /// TCP or UDP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    /// `10.0.0.1:443`, `[2001:db8::1]:443`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// Both ends of a connection in an order that does not depend on who sent the packet, so that both directions find the
/// same flow. VLAN tags are not part of it: a mirror port often tags one direction only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    low: Endpoint,
    high: Endpoint,
}

impl FlowKey {
    /// The key of a packet, and whether its sender is the lower end.
    pub fn new(src: Endpoint, dst: Endpoint) -> (Self, bool) {
        if src <= dst { (Self { low: src, high: dst }, true) } else { (Self { low: dst, high: src }, false) }
    }

    /// True for a packet "from itself to itself" (LAND): its directions cannot be told apart.
    pub fn is_loop(&self) -> bool {
        self.low == self.high
    }
}

/// The ends of a flow by side: `A` sent its first captured frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Side A.
    pub a: Endpoint,
    /// Side B.
    pub b: Endpoint,
}

impl Endpoints {
    /// The end on `side`.
    pub const fn of(&self, side: Side) -> Endpoint {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }
}

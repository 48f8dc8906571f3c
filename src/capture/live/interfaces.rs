//! The network interfaces of this host, as the kernel tells of them.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};

/// `ARPHRD_ETHER` and `ARPHRD_LOOPBACK`: frames begin with an Ethernet header.
const ETHERNET: [&str; 2] = ["1", "772"];

/// Name of the loopback interface.
const LOOPBACK: &str = "lo";

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, not safe to print.
    pub name: String,
    /// It is up.
    pub is_up: bool,
    /// It has a carrier, or needs none.
    pub is_running: bool,
    /// It is the host's loopback.
    pub is_loopback: bool,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// All interfaces, by name.
///
/// # Errors
/// When the system does not say.
pub fn interfaces() -> std::io::Result<Vec<Interface>> {
    let mut all: BTreeMap<String, Interface> = BTreeMap::new();
    for i in getifaddrs()? {
        let flags = i.flags;
        let one = all.entry(i.interface_name.clone()).or_insert_with(|| Interface {
            name: i.interface_name,
            is_up: flags.contains(InterfaceFlags::IFF_UP),
            is_running: flags.contains(InterfaceFlags::IFF_RUNNING),
            is_loopback: flags.contains(InterfaceFlags::IFF_LOOPBACK),
            addresses: Vec::new(),
        });
        let address = i.address.and_then(|a| {
            let v4 = a.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| a.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        });
        one.addresses.extend(address);
    }
    Ok(all.into_values().collect())
}

/// True for an interface that is there and not up: nothing passes it.
pub(super) fn is_down(name: &str) -> bool {
    interfaces().is_ok_and(|all| all.iter().any(|i| i.name == name && !i.is_up))
}

/// What a packet socket has to know of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) index: u32,
    pub(super) ethernet: bool,
}

/// `None` when there is no such interface.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let index = if_nametoindex(name).ok()?;
    // The name is one of an interface now, so it has no slash.
    let kind = fs::read_to_string(Path::new("/sys/class/net").join(name).join("type")).unwrap_or_default();
    Some(Kind { index, ethernet: ETHERNET.contains(&kind.trim()) })
}

/// Index of the loopback interface.
pub(super) fn loopback() -> Option<u32> {
    if_nametoindex(LOOPBACK).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_among_them() {
        let all = interfaces().unwrap();
        let Some(lo) = all.iter().find(|i| i.name == LOOPBACK) else { return };
        assert!(lo.is_loopback);
        assert_eq!(kind(LOOPBACK).map(|k| (Some(k.index), k.ethernet)), Some((loopback(), true)));
        assert_eq!(kind("no-such-interface"), None);
    }
}

//! Address prefixes: `10.0.0.0/8`, or one address.

use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    ip: IpAddr,
    bits: u8,
}

/// It is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPrefix;

impl Prefix {
    /// Does it hold this address? An IPv4 prefix holds no IPv6 address.
    pub fn holds(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32u32.saturating_sub(u32::from(self.bits))).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128u32.saturating_sub(u32::from(self.bits))).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = NoPrefix;

    /// An address, alone or with the number of bits that count behind a slash.
    fn from_str(s: &str) -> Result<Self, NoPrefix> {
        let (ip, bits) = s.split_once('/').map_or((s, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.parse().map_err(|_| NoPrefix)?;
        let all = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|n| *n <= all).ok_or(NoPrefix)?,
            None => all,
        };
        Ok(Self { ip, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_hold_what_begins_with_their_bits() {
        let holds = |net: &str, ip: &str| net.parse::<Prefix>().unwrap().holds(ip.parse().unwrap());
        for (net, ip) in [
            ("10.0.0.0/8", "10.255.0.1"),
            ("10.1.2.3/8", "10.0.0.0"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8:1::1"),
            ("::/0", "::1"),
            ("::1", "::1"),
        ] {
            assert!(holds(net, ip), "{net} {ip}");
        }
        for (net, ip) in [
            ("10.0.0.0/8", "11.0.0.1"),
            ("192.0.2.1", "192.0.2.2"),
            ("192.0.2.0/31", "192.0.2.2"),
            ("2001:db8::/32", "2001:db9::1"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "192.0.2.1"),
        ] {
            assert!(!holds(net, ip), "{net} {ip}");
        }
        for wrong in ["", "10", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "a/8"] {
            assert_eq!(wrong.parse::<Prefix>(), Err(NoPrefix), "{wrong}");
        }
    }
}

//! Whether a certificate is good for a host name (RFC 9525, section 6, which replaced RFC 6125).

use std::net::IpAddr;

use super::cert::Certificate;
use super::san::San;

/// How a certificate covers a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// One of its alternative names covers it.
    Match,
    /// It has no alternative name for hosts and its common name covers the name: old clients accept that, today's
    /// do not.
    CnOnly,
    /// Nothing in it covers the name.
    Mismatch,
}

/// Whether `cert` is good for `name`, a host name (in ASCII: IDNs as A-labels) or an IP address, as it stands in SNI
/// or was typed. A final dot and the brackets of an IPv6 address are ignored, and so is case.
pub fn match_name(cert: &Certificate, name: &str) -> NameMatch {
    let name = name.strip_suffix('.').unwrap_or(name);
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    let address: Option<IpAddr> = bare.parse().ok();
    if address.is_none() && !is_host_name(name) {
        return NameMatch::Mismatch;
    }
    let covered = cert.subject_alt_names.iter().any(|san| match (san, address) {
        (San::Ip(ip), Some(a)) => *ip == a,
        (San::Dns(pattern), None) => covers(pattern, name),
        _ => false,
    });
    if covered {
        return NameMatch::Match;
    }
    let by_common_name = || {
        cert.common_names.iter().any(|cn| match address {
            Some(a) => cn.parse::<IpAddr>().is_ok_and(|c| c == a),
            None => covers(cn, name),
        })
    };
    if !cert.has_host_san() && by_common_name() { NameMatch::CnOnly } else { NameMatch::Mismatch }
}

/// True for what may stand in DNS as a host: labels of letters, digits, hyphens and underscores. Text that was
/// escaped holds a backslash, so that it never matches anything.
fn is_host_name(name: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    name.split('.').all(label)
}

/// Whether a DNS name of a certificate covers a host. `*` stands for one whole label, the left-most one.
fn covers(pattern: &str, host: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            is_host_name(parent) && host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
        }
        None => is_host_name(pattern) && pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cert(sans: &[&str], cns: &[&str]) -> Certificate {
        let san = |s: &&str| match s.parse() {
            Ok(ip) => San::Ip(ip),
            Err(_) => San::Dns((*s).into()),
        };
        Certificate {
            subject_alt_names: sans.iter().map(san).collect(),
            common_names: cns.iter().map(|c| (*c).into()).collect(),
            ..Certificate::default()
        }
    }

    #[test]
    fn names_and_wildcards() {
        let c = cert(
            &["a.example", "*.w.example", "xn--bcher-kva.example", "10.0.0.1", "2001:db8::1", "*", "f*.p.example"],
            &["cn.example"],
        );
        for good in [
            "a.example",
            "A.Example.",
            "x.w.example",
            "xn--bcher-kva.example",
            "10.0.0.1",
            "2001:db8:0::1",
            "[2001:db8::1]",
        ] {
            assert_eq!(match_name(&c, good), NameMatch::Match, "{good}");
        }
        for bad in [
            "",
            ".",
            "b.example",
            "w.example",
            "x.y.w.example",
            ".w.example",
            "10.0.0.2",
            "cn.example",
            "com",
            "foo.p.example",
            "a.example\0",
            "a\\u{0}.example",
            "b\u{fc}cher.example",
            "*.w.example",
        ] {
            assert_eq!(match_name(&c, bad), NameMatch::Mismatch, "{bad}");
        }
    }

    #[test]
    fn the_common_name_counts_only_without_alternative_names() {
        assert_eq!(match_name(&cert(&[], &["x", "cn.example"]), "cn.example"), NameMatch::CnOnly);
        assert_eq!(match_name(&cert(&[], &["*.example"]), "cn.example"), NameMatch::CnOnly);
        assert_eq!(match_name(&cert(&[], &["10.0.0.1"]), "10.0.0.1"), NameMatch::CnOnly);
        assert_eq!(match_name(&cert(&["other.example"], &["cn.example"]), "cn.example"), NameMatch::Mismatch);
        let mut mail = cert(&[], &["cn.example"]);
        mail.subject_alt_names.push(San::Email("a@b.example".into()));
        assert_eq!(match_name(&mail, "cn.example"), NameMatch::CnOnly);
    }

    #[test]
    fn an_address_matches_addresses_only() {
        let c = Certificate { subject_alt_names: vec![San::Dns("10.0.0.1".into())], ..Certificate::default() };
        assert_eq!(match_name(&c, "10.0.0.1"), NameMatch::Mismatch);
        // What escaping made of a NUL does not cover the name before it.
        let nul = cert(&["www.bank.example\\u{0}.evil.example"], &[]);
        assert_eq!(match_name(&nul, "www.bank.example"), NameMatch::Mismatch);
        assert_eq!(match_name(&nul, "www.bank.example\\u{0}.evil.example"), NameMatch::Mismatch);
    }
}

//! Name constraints (RFC 5280, section 4.2.1.10): which host names and addresses certificates below a CA may have.

use std::net::IpAddr;

use crate::reader::Decoded;
use crate::{limits, text};

use super::cert::Certificate;
use super::der::{Der, SEQUENCE, context, context_constructed};
use super::san::San;

/// A restriction of one name form; the forms that TLS servers are found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subtree {
    /// A domain: itself and everything below it. Escaped like all texts.
    Dns(String),
    /// A network: address and mask, 8 or 32 bytes.
    Ip(Box<[u8]>),
}

/// What a CA's certificate permits and excludes; other name forms are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// A name of a form that stands here must be below one of that form.
    pub permitted: Vec<Subtree>,
    /// No name may be below one of these.
    pub excluded: Vec<Subtree>,
    /// There are more than are kept: what is permitted is not known then.
    pub more: bool,
}

impl NameConstraints {
    /// Reads the extension's content.
    pub(super) fn read(mut d: Der<'_>) -> Decoded<Self> {
        let mut fields = d.expect("NameConstraints", SEQUENCE)?.inside();
        let mut out = Self::default();
        for (tag, list) in [(0, &mut out.permitted), (1, &mut out.excluded)] {
            let Some(trees) = fields.optional("GeneralSubtrees", context_constructed(tag))? else { continue };
            let mut trees = trees.inside();
            while !trees.is_empty() {
                let base = trees.expect("GeneralSubtree", SEQUENCE)?.inside().next("base")?;
                let tree = match base.tag {
                    t if t == context(2) => Subtree::Dns(text::escape_bytes(base.content).into_owned()),
                    t if t == context(7) && matches!(base.content.len(), 8 | 32) => Subtree::Ip(base.content.into()),
                    _ => continue,
                };
                if list.len() < limits::CERTIFICATE_LIST {
                    list.push(tree);
                } else {
                    out.more = true;
                }
            }
        }
        d.end("NameConstraints")?;
        Ok(out)
    }

    /// The first alternative name of a certificate that these constraints forbid.
    pub fn forbidden<'a>(&self, cert: &'a Certificate) -> Option<&'a San> {
        cert.subject_alt_names.iter().find(|san| {
            let same_form = |t: &&Subtree| {
                matches!((t, san), (Subtree::Dns(_), San::Dns(_)))
                    || matches!((t, san), (Subtree::Ip(net), San::Ip(a)) if net.len() == if a.is_ipv4() { 8 } else { 32 })
            };
            let mut permitted = self.permitted.iter().filter(same_form).peekable();
            (!self.more && permitted.peek().is_some() && !permitted.any(|t| t.holds(san)))
                || self.excluded.iter().any(|t| t.holds(san))
        })
    }
}

impl Subtree {
    /// True when a name lies below it.
    fn holds(&self, san: &San) -> bool {
        match (self, san) {
            (Self::Dns(domain), San::Dns(name)) => is_below(name, domain),
            (Self::Ip(net), San::Ip(IpAddr::V4(a))) => is_in(&a.octets(), net),
            (Self::Ip(net), San::Ip(IpAddr::V6(a))) => is_in(&a.octets(), net),
            _ => false,
        }
    }
}

/// A name satisfies a domain when it is that domain with any number of labels before it; an empty domain holds all.
/// A leading dot is no part of RFC 5280, yet common: it stands for names below the domain only.
fn is_below(name: &str, domain: &str) -> bool {
    let (domain, below_only) = match domain.strip_prefix('.') {
        Some(rest) => (rest, true),
        None => (domain, false),
    };
    if domain.is_empty() {
        return true;
    }
    let Some(at) = name.len().checked_sub(domain.len()) else { return false };
    let (Some(head), Some(tail)) = (name.get(..at), name.get(at..)) else { return false };
    tail.eq_ignore_ascii_case(domain) && (head.ends_with('.') || (head.is_empty() && !below_only))
}

/// True when an address lies in a network of its length (address and mask).
fn is_in(address: &[u8], net: &[u8]) -> bool {
    let Some((base, mask)) = net.split_at_checked(net.len() / 2).filter(|(b, _)| b.len() == address.len()) else {
        return false;
    };
    address.iter().zip(base).zip(mask).all(|((a, b), m)| a & m == b & m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::tlv;

    fn constraints(permitted: &[(u8, &[u8])], excluded: &[(u8, &[u8])]) -> NameConstraints {
        let trees = |list: &[(u8, &[u8])]| -> Vec<u8> {
            list.iter().flat_map(|(tag, c)| tlv(SEQUENCE, &[&tlv(*tag, &[c])])).collect()
        };
        let mut parts = Vec::new();
        for (tag, list) in [(0xa0, permitted), (0xa1, excluded)] {
            if !list.is_empty() {
                parts.push(tlv(tag, &[&trees(list)]));
            }
        }
        let der = tlv(SEQUENCE, &[&parts.concat()]);
        NameConstraints::read(Der::new(&der)).expect("good")
    }

    fn forbids(c: &NameConstraints, sans: &[San]) -> bool {
        c.forbidden(&Certificate { subject_alt_names: sans.to_vec(), ..Certificate::default() }).is_some()
    }

    fn dns(s: &str) -> San {
        San::Dns(s.into())
    }

    #[test]
    fn domains_as_in_the_rfc() {
        // RFC 5280: "host.example.com" is satisfied by itself and by "my.host.example.com", not by "host1.example.com".
        let c = constraints(&[(0x82, b"host.example.com")], &[]);
        assert!(!forbids(&c, &[dns("host.example.com"), dns("My.Host.example.com"), dns("*.host.example.com")]));
        assert!(forbids(&c, &[dns("host1.example.com")]) && forbids(&c, &[dns("xhost.example.com")]));
        assert!(forbids(&c, &[dns("example.com")]));
        assert!(!forbids(&c, &[San::Ip([192, 0, 2, 1].into())]), "another form is not restricted");
        let c = constraints(&[], &[(0x82, b"internal.example")]);
        assert!(forbids(&c, &[dns("ok.example"), dns("a.internal.example")]) && !forbids(&c, &[dns("ok.example")]));
        assert!(forbids(&constraints(&[], &[(0x82, b"")]), &[dns("any.example")]));
        assert!(!forbids(&constraints(&[(0x82, b".example")], &[]), &[dns("a.example")]));
        assert!(forbids(&constraints(&[(0x82, b".example")], &[]), &[dns("example")]));
    }

    #[test]
    fn networks() {
        let c = constraints(&[(0x87, &[192, 0, 2, 0, 255, 255, 255, 0])], &[]);
        assert!(!forbids(&c, &[San::Ip([192, 0, 2, 77].into())]));
        assert!(forbids(&c, &[San::Ip([198, 51, 100, 1].into())]));
        assert!(!forbids(&c, &[San::Ip(std::net::Ipv6Addr::LOCALHOST.into())]));
    }

    #[test]
    fn damage_is_an_error() {
        assert!(NameConstraints::read(Der::new(&[0x30, 3, 0xa0, 9, 1])).is_err());
        assert!(NameConstraints::read(Der::new(&[5, 0])).is_err());
    }
}

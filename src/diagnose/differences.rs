//! Another flow in words: which one, and in what its ClientHello differs.

use super::words;
use crate::facts::{Leaf, Offer, Sibling};
use crate::tls::handshake::ClientHello;
use crate::tls::names::{CipherSuite, ExtensionType, NamedGroup};

/// `flow #12 (192.0.2.11)`.
pub(super) fn flow(o: &Sibling) -> String {
    format!("flow #{} ({})", o.id, o.client.ip)
}

/// A remembered certificate: subject and issuer.
pub(super) fn leaf(l: &Leaf) -> String {
    if l.is_self_issued {
        format!("\"{}\" (issued by itself)", words::name(&l.subject))
    } else {
        format!("\"{}\" (issued by \"{}\")", words::name(&l.subject), words::name(&l.issuer))
    }
}

/// What a server chose.
fn chosen(o: &Sibling) -> String {
    let version = o.version.map(words::version).unwrap_or_default();
    let suite = o.suite.map_or_else(String::new, |s| format!(" with {}", words::suite(s)));
    let group = o.group.map_or_else(String::new, |g| format!(" and {}", words::groups(&[g.0])));
    format!("{version}{suite}{group}")
}

/// Values of one list that another lacks.
fn without(all: &[u16], other: &[u16]) -> Vec<u16> {
    all.iter().copied().filter(|v| !other.contains(v)).collect()
}

/// What the offer of an accepted flow has and a refused ClientHello has not, in words; empty when there is nothing.
pub(super) fn missing(o: &Offer, h: &ClientHello) -> Vec<String> {
    let e = &h.extensions;
    let mut out = Vec::new();
    let mut add = |what: &str, said: String| {
        if said != "none" {
            out.push(format!("{what} {said}"));
        }
    };
    let versions = if e.supported_versions.is_empty() { vec![h.legacy_version] } else { e.supported_versions.clone() };
    let names: Vec<String> = without(&o.versions, &versions)
        .into_iter()
        .map(|v| words::version(crate::tls::names::ProtocolVersion(v)))
        .collect();
    add("versions", words::list(&names));
    add("cipher suites", words::suites(&without(&o.suites, &h.cipher_suites)));
    add("groups", words::groups(&without(&o.groups, &e.groups)));
    add("signature schemes", words::schemes(&without(&o.schemes, &e.signature_schemes)));
    let here = |p: &[u8]| e.alpn.iter().any(|q| **q == *p);
    let protocols: Vec<Box<[u8]>> = o.alpn.iter().filter(|p| !here(p)).cloned().collect();
    add("application protocols", words::alpn(&protocols));
    let types: Vec<String> = without(&o.extensions, &e.types)
        .into_iter()
        .map(|t| ExtensionType(t).name().map_or_else(|| ExtensionType(t).id(), str::to_owned))
        .collect();
    add("extensions", words::list(&types));
    match (o.name.as_deref(), e.host_name()) {
        (Some(a), b) if b != Some(a) => out.push(format!("the server name {}", words::bytes(a))),
        (None, Some(_)) => out.push("no server name".to_owned()),
        _ => {}
    }
    out
}

/// Sentences: which flow the same server accepted, and what its client offered that this one does not.
pub(super) fn sentence(o: &Sibling, h: &ClientHello) -> String {
    let Some(offer) = &o.offer else { return String::new() };
    let differs = missing(offer, h);
    let what = if differs.is_empty() {
        "Its client offered nothing that this one does not offer too".to_owned()
    } else {
        format!("Its client offered what this one does not: {}", differs.join("; "))
    };
    let lacks_suite = o.suite.is_some_and(|CipherSuite(s)| s != 0 && !h.cipher_suites.contains(&s));
    let e = &h.extensions;
    let lacks_group = o.group.is_some_and(|NamedGroup(g)| !e.groups.is_empty() && !e.groups.contains(&g));
    let decisive = match (lacks_suite, lacks_group) {
        (true, true) => " Neither the cipher suite nor the group that the server chose there is offered here.",
        (true, false) => " The cipher suite that the server chose there is not offered here.",
        (false, true) => " The group that the server chose there is not offered here.",
        (false, false) => "",
    };
    format!("The same server accepted {} with {}. {what}.{decisive}", flow(o), chosen(o))
}

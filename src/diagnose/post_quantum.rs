//! Key exchange that resists quantum computers: who offers it, who takes it.

use std::collections::BTreeSet;

use super::{Blame, Hit, Policy, Rule, Severity, new, page, wide, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::siblings::Memory;
use crate::tls::names::{NamedGroup, ProtocolVersion};

/// Flows of a finding about a whole capture that are named.
const FLOWS: usize = 16;

pub(super) const RULES: &[Rule] = &[
    new(
        "pq-selected",
        Severity::Info,
        0,
        "The key exchange resists quantum computers",
        page(
            "Client and server agreed on a post-quantum group, alone or together with a classical one.",
            "What is recorded today cannot be decrypted by a quantum computer later.",
            "Read from the hellos in clear.",
            "Nothing.",
            "  openssl s_client -connect HOST:PORT -groups X25519MLKEM768 -brief </dev/null   (OpenSSL 3.5)",
            "draft-ietf-tls-ecdhe-mlkem; FIPS 203",
        ),
        pq_selected,
    ),
    new(
        "pq-offered-not-selected",
        Severity::Info,
        0,
        "The server did not take the client's post-quantum group",
        page(
            "The client offers a post-quantum group and the server chose a classical one.",
            "What is recorded today may be decrypted by a quantum computer later. The client's large key share was sent for nothing.",
            "Read from the hellos in clear.",
            "Update the server's TLS library (OpenSSL 3.5, Go 1.24, BoringSSL, rustls) and enable the group: nginx ssl_ecdh_curve X25519MLKEM768:X25519, Apache SSLOpenSSLConfCmd Groups, Envoy ecdh_curves.",
            "  openssl s_client -connect HOST:PORT -groups X25519MLKEM768 -brief </dev/null   (OpenSSL 3.5)",
            "draft-ietf-tls-ecdhe-mlkem; FIPS 203",
        ),
        pq_refused,
    ),
    wide(
        "pq-not-offered",
        Severity::Info,
        "Some clients offer post-quantum key exchange and others do not",
        page(
            "In TLS 1.3 connections of one capture some clients offer a post-quantum group; the ones named here do not.",
            "What these record today may be decrypted by a quantum computer later: they have an older TLS library, or a list of groups of their own.",
            "Read from the hellos in clear.",
            "Update the client's TLS library: OpenSSL 3.5, Go 1.24, Java 27, Node.js 24, browsers of 2024. Take restrictions of groups out: OpenSSL Groups, Go tls.Config.CurvePreferences, Java jdk.tls.namedGroups, curl --curves.",
            "  openssl s_client -connect HOST:PORT -groups X25519MLKEM768 -brief </dev/null   (OpenSSL 3.5)",
            "draft-ietf-tls-ecdhe-mlkem; FIPS 203",
        ),
        pq_missing,
    ),
];

/// The post-quantum groups that the client offers, and what the server of a TLS 1.3 handshake chose.
fn post_quantum(f: &FlowFacts) -> Option<(Vec<u16>, NamedGroup, Mark)> {
    let h = f.client_hello.as_ref()?;
    let sh = f.server_hello.as_ref().filter(|_| f.is_tls13())?;
    let offered = h.message.extensions.groups.iter().copied().filter(|g| NamedGroup(*g).is_post_quantum()).collect();
    Some((offered, f.group()?, sh.mark))
}

fn pq_selected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (_, chosen, at) = post_quantum(f)?;
    chosen.is_post_quantum().then(|| {
        let detail = format!("The key exchange uses {}.", words::groups(&[chosen.0]));
        Hit::new(detail, "").at(at).blame(Blame::Nobody)
    })
}

fn pq_refused(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (offered, chosen, at) = post_quantum(f)?;
    if offered.is_empty() || chosen.is_post_quantum() {
        return None;
    }
    let detail =
        format!("The client offers {}; the server chose {}.", words::groups(&offered), words::groups(&[chosen.0]));
    let remedy = "On the server: update its TLS library and enable X25519MLKEM768 (nginx: ssl_ecdh_curve X25519MLKEM768:X25519, with OpenSSL 3.5).";
    Some(Hit::new(detail, remedy).at(at).blame(Blame::Server))
}

fn pq_missing(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut some_do = false;
    let (mut clients, mut flows) = (BTreeSet::new(), Vec::new());
    for ((client, _), pair) in m.pairs() {
        for s in pair.accepted.iter().filter(|s| s.version == Some(ProtocolVersion::TLS13)) {
            let groups = s.offer.as_ref().map_or(&[][..], |o| &o.groups);
            if groups.iter().any(|g| NamedGroup(*g).is_post_quantum()) {
                some_do = true;
            } else if !groups.is_empty() {
                clients.insert(client.to_string());
                flows.push(s.id);
            }
        }
    }
    if !some_do || clients.is_empty() {
        return Vec::new();
    }
    let clients: Vec<String> = clients.into_iter().collect();
    flows.sort_unstable();
    flows.truncate(FLOWS);
    let detail = format!("No post-quantum group is offered by: {}.", words::list(&clients));
    let remedy = "On the client: update its TLS library, and take restrictions of its groups out.";
    vec![Hit::new(detail, remedy).of(flows).blame(Blame::Client)]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{codes, find, mark, server_hello, whole};
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::tls::handshake::ClientHello;

    fn with(change: impl FnOnce(&mut ClientHello)) -> FlowFacts {
        let mut f = server_hello(0x0304);
        change(&mut f.client_hello.as_mut().expect("there").message);
        f
    }

    #[test]
    fn post_quantum_groups() {
        let f = with(|h| h.extensions.groups.insert(0, 0x11ec));
        assert!(find(&f, "pq-offered-not-selected").is_some() && find(&f, "pq-selected").is_none());
        let mut f = f;
        f.server_hello.as_mut().expect("there").message.extensions.key_shares = vec![0x11ec];
        assert!(find(&f, "pq-selected").is_some() && find(&f, "pq-offered-not-selected").is_none());
        for code in ["pq-selected", "pq-offered-not-selected"] {
            assert!(find(&server_hello(0x0304), code).is_none());
        }
    }

    #[test]
    fn some_clients_are_ahead_of_others() {
        let finished = |groups: Vec<u16>| {
            let mut f = with(|h| h.extensions.groups = groups);
            f.sides[Side::A].finished_sized = Some(mark(8));
            f.sides[Side::B].protected = Some(mark(7));
            f
        };
        let new = || finished(vec![0x11ec, 0x001d]);
        let old = || {
            let mut f = finished(vec![0x001d]);
            f.ends.a.ip = [192, 0, 2, 99].into();
            f
        };
        let found = whole(vec![new(), old()]);
        let x = found.iter().find(|x| x.code == "pq-not-offered").expect("told");
        assert!(x.detail.contains("192.0.2.99") && !x.detail.contains("192.0.2.1,"), "{}", x.detail);
        assert_eq!(x.flows, [2]);
        for flows in [vec![new(), new()], vec![old(), old()]] {
            assert!(!codes(&whole(flows)).contains(&"pq-not-offered"));
        }
    }
}

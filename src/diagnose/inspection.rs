//! Who stands between client and server, and who wants nobody there: inspection products, pinned certificates.

use super::fleet::{SHOW, shown_name};
use super::{Blame, Confidence, Hit, Policy, Rule, Severity, differences, page, wide, words};
use crate::facts::Leaf;
use crate::siblings::{Memory, Name, Shown};
use crate::text;

/// Refusals of a certificate by one client that others accept, before pinning is suspected.
const PINNED: u64 = 3;

/// Makers of devices and programs that open TLS and close it again with a certificate of their own, as they stand in the
/// names of their issuers.
const INSPECTORS: &[&str] = &[
    "Zscaler",
    "Fortinet",
    "FortiGate",
    "Palo Alto",
    "Blue Coat",
    "BlueCoat",
    "Symantec Web Security",
    "McAfee Web Gateway",
    "Skyhigh",
    "Netskope",
    "Forcepoint",
    "Websense",
    "Cisco Umbrella",
    "Cisco Secure Access",
    "Barracuda",
    "Sophos",
    "WatchGuard",
    "Check Point",
    "SonicWall",
    "Untangle",
    "iboss",
    "Kaspersky Anti-Virus Personal Root",
    "ESET SSL Filter",
    "Avast Web/Mail Shield",
    "AVG Web/Mail Shield",
    "Bitdefender Personal CA",
    "mitmproxy",
    "Charles Proxy",
    "PortSwigger",
    "DO_NOT_TRUST_FiddlerRoot",
    "Burp Suite",
];

pub(super) const RULES: &[Rule] = &[
    wide(
        "inspection-proxy-suspected",
        Severity::Warning,
        "A server certificate was issued by a TLS inspection product",
        page(
            "The issuer of a server's certificate bears the name of a product that opens TLS and closes it again. Or: one server showed a certificate of a public CA for a name to one client and, meanwhile, one of a private CA for the same name to another.",
            "The client talks to that device, not to the server: programs that do not trust its CA (Java, Python, containers, pinned apps) refuse it, client certificates do not get through, and versions and cipher suites are the device's.",
            "Likely by the name of the issuer, which anybody can choose; where the same name shows another issuer elsewhere in the capture, the detail says so. Possible by two issuers: a server may have one certificate for each of two audiences.",
            "Exempt the name from inspection (needed for mutual TLS and pinned apps), or install the device's CA in the trust store of the program (Java: keytool -importcert; Python: REQUESTS_CA_BUNDLE; Node.js: NODE_EXTRA_CA_CERTS; Debian: update-ca-certificates).",
            SHOW,
            "RFC 8446, section 9.3",
        ),
        inspected,
    ),
    wide(
        "cert-pinning-suspected",
        Severity::Warning,
        "One client keeps refusing a certificate that others accept",
        page(
            "One client refused the certificate of a server three times or more in a row; other clients accepted the same server, and the certificate is within its time.",
            "The client expects another certificate or CA (pinning in a mobile app, a trust store of its own), or an old one after a renewal.",
            "Possible: a client whose trust store lacks the root does the same.",
            "On the client: update the pins (Android: network_security_config; OkHttp: CertificatePinner; curl: --pinnedpubkey) or its trust store. On the server: announce renewals, keep the key (certbot --reuse-key) where pins are on the key.",
            SHOW,
            "RFC 7469",
        ),
        pinned,
    ),
];

fn inspector(l: &Leaf) -> Option<&'static str> {
    let issuer = l.issuer.to_ascii_lowercase();
    INSPECTORS.iter().copied().find(|v| issuer.contains(&v.to_ascii_lowercase()))
}

fn inspected(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for (name, n) in m.names() {
        let Some((s, vendor)) = n.shown.iter().find_map(|s| Some((s, inspector(&s.leaf)?))) else {
            out.extend(two_issuers(name, n));
            continue;
        };
        // A maker's own site, and a device's own certificate, have its name in the issuer by right.
        let word = vendor.to_ascii_lowercase();
        let own = text::escape_bytes(name).to_ascii_lowercase().contains(&word.replace(' ', ""))
            || s.leaf.subject.to_ascii_lowercase().contains(&word);
        if own {
            continue;
        }
        let other = n.shown.iter().find(|o| inspector(&o.leaf).is_none()).map_or_else(String::new, |o| {
            format!(" In flow #{} the same name has {}.", o.first, differences::leaf(&o.leaf))
        });
        let detail = format!(
            "For {} the client of flow #{} was shown {}: {vendor} is a maker of TLS inspection.{other}",
            shown_name(name),
            s.first,
            differences::leaf(&s.leaf)
        );
        let hit =
            Hit::new(detail, "Exempt the name from inspection, or let the client trust the CA of the device.").likely();
        out.push(hit.blame(Blame::Network).about(shown_name(name)).of([s.first]));
    }
    out
}

/// Two clients called one server by one name and were shown certificates of a public and of a private CA in turns.
fn two_issuers(name: &[u8], n: &Name) -> Option<Hit> {
    let all = || n.shown.iter();
    let private = |s: &Shown| !s.leaf.is_public && !s.leaf.is_self_issued;
    // Neither took the other's place: a renewal is no inspection.
    let in_turns = |a: &Shown, b: &Shown| a.first < b.last && b.first < a.last;
    let apart = |a: &Shown, b: &Shown| {
        !a.clients.more && !b.clients.more && a.clients.values.iter().all(|c| !b.clients.values.contains(c))
    };
    let (theirs, public) = all().filter(|s| private(s)).find_map(|s| {
        let other = all().find(|o| {
            o.leaf.is_public && o.leaf.issuer != s.leaf.issuer && o.server == s.server && in_turns(s, o) && apart(s, o)
        })?;
        Some((s, other))
    })?;
    let detail = format!(
        "For {} {} showed {} to {} (flow #{}) and, meanwhile, {} to other clients (flows #{} to #{}).",
        shown_name(name),
        theirs.server,
        differences::leaf(&theirs.leaf),
        theirs.clients.values.first()?,
        theirs.first,
        differences::leaf(&public.leaf),
        public.first,
        public.last
    );
    let remedy = "Find out who issues the private certificate; exempt the name from inspection, or let that client trust the CA of the device.";
    let hit = Hit::new(detail, remedy)
        .title("Two clients are shown certificates of different CAs for one name by one server");
    Some(hit.possible().blame(Blame::Network).about(shown_name(name)).of([theirs.first, public.first, public.last]))
}

/// Causes by which a client refuses a certificate without a fault that can be seen.
const REFUSES: &[&str] = &[
    "server-cert-rejected",
    "server-cert-unknown-ca",
    "bad-certificate",
    "certificate-unknown",
    "client-closes-after-finished-no-data",
];

fn pinned(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for ((client, server), p) in m.pairs() {
        let run = &p.longest;
        let Some(cause) = run.cause.filter(|c| REFUSES.contains(c) && run.flows.count >= PINNED) else { continue };
        let others = m.pairs().into_iter().find(|((c, s), o)| s == server && c != client && o.full.count > 0);
        let Some(((other, _), o)) = others.filter(|_| p.full.count == 0) else { continue };
        let detail = format!(
            "{client} refused {server} {} in a row ({cause}); {other} accepted it {}.",
            words::count(run.flows.count, "time"),
            words::count(o.full.count, "time")
        );
        let hit =
            Hit::new(detail, format!("On {client}: look for pinned certificates or keys, and at its trust store."));
        let flows = run.flows.ids.iter().chain(o.full.ids.first()).copied();
        out.push(hit.sure(Confidence::Possible).blame(Blame::Client).about(server.to_string()).of(flows));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, at, codes, from, leaf, other, server_flight, shows, whole};
    use crate::diagnose::Confidence;
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::x509::Certificate;

    #[test]
    fn inspection_by_the_name_of_its_maker() {
        let cert = Certificate { issuer: "CN=Zscaler Intermediate Root CA,O=Zscaler Inc.".into(), ..other(8) };
        let found = whole(vec![shows(cert.clone()), at(shows(other(9)), 77)]);
        let x = found.iter().find(|x| x.code == "inspection-proxy-suspected").expect("told");
        assert!(x.detail.contains("In flow #2 the same name has"), "{}", x.detail);
        assert!(!codes(&whole(vec![shows(other(8))])).contains(&"inspection-proxy-suspected"));
        // The certificate of such a device itself.
        let device =
            Certificate { subject: "CN=FGT60E,O=Fortinet".into(), issuer: "CN=support,O=Fortinet".into(), ..other(8) };
        assert!(!codes(&whole(vec![shows(device)])).contains(&"inspection-proxy-suspected"));
        // The maker's own site.
        let mut own = shows(cert);
        let name = Some(vec![Box::from(&b"www.zscaler.com"[..])]);
        own.client_hello.as_mut().expect("there").message.extensions.server_name = name;
        assert!(!codes(&whole(vec![own])).contains(&"inspection-proxy-suspected"));
    }

    #[test]
    fn inspection_by_two_issuers() {
        const CODE: &str = "inspection-proxy-suspected";
        let public = || Certificate { is_public: true, ..other(8) };
        let private = || Certificate { issuer: "CN=Corp Proxy CA".into(), ..other(9) };
        let found = whole(vec![from(shows(public()), 1), from(shows(private()), 2), from(shows(public()), 3)]);
        let x = found.iter().find(|x| x.code == CODE).expect("told");
        assert_eq!((x.confidence, &x.flows[..]), (Confidence::Possible, &[1, 2, 3][..]));
        let silent = |flows: Vec<FlowFacts>| !codes(&whole(flows)).contains(&CODE);
        // Renewed by another CA; one client sees both; both are public; another server; it vouches for itself.
        assert!(silent(vec![from(shows(public()), 1), from(shows(public()), 3), from(shows(private()), 2)]));
        assert!(silent(vec![from(shows(public()), 1), from(shows(private()), 1), from(shows(public()), 3)]));
        let also = Certificate { is_public: true, ..private() };
        assert!(silent(vec![from(shows(public()), 1), from(shows(also), 2), from(shows(public()), 3)]));
        assert!(silent(vec![from(shows(public()), 1), at(from(shows(private()), 2), 77), from(shows(public()), 3)]));
        let same = Certificate { issuer: leaf().issuer, ..private() };
        assert!(silent(vec![from(shows(public()), 1), from(shows(same), 2), from(shows(public()), 3)]));
        let own = Certificate { is_self_issued: true, ..private() };
        assert!(silent(vec![from(shows(public()), 1), from(shows(own), 2), from(shows(public()), 3)]));
    }

    #[test]
    fn pinning() {
        let refuses = || from(alert(server_flight(vec![leaf()]), Side::A, 46), 9);
        let fine = || shows(leaf());
        assert!(codes(&whole(vec![refuses(), refuses(), refuses(), fine()])).contains(&"cert-pinning-suspected"));
        assert!(!codes(&whole(vec![refuses(), refuses(), fine()])).contains(&"cert-pinning-suspected"));
        assert!(!codes(&whole(vec![refuses(), refuses(), refuses()])).contains(&"cert-pinning-suspected"));
    }
}

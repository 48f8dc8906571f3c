//! Certificates over a whole capture: which servers show which, what changes, what runs out; and the capture's own clock.

use std::collections::BTreeSet;

use super::differences;
use super::{Blame, Confidence, Hit, Policy, Rule, Severity, page, wide, words};
use crate::facts::Leaf;
use crate::siblings::{Memory, Name, Shown};
use crate::text;

/// Addresses that show one client certificate before it counts as shared: two may be one machine's.
const SHARED: usize = 3;

/// Refusals of a certificate by one client that others accept, before pinning is suspected.
const PINNED: u64 = 3;

/// Servers, or certificates, from which an inventory says more than the findings of the flows.
const INVENTORY: usize = 2;

/// Rows of an inventory that are named.
const ROWS: usize = 8;

const DAY: i64 = 86_400;

const SHOW: &str = "  openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout -subject -issuer -dates -fingerprint -sha256";

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
        "cert-changed-mid-capture",
        Severity::Info,
        "A server changed its certificate during the capture",
        page(
            "One server showed one certificate for a name at first and another from some flow on, with the same kind of key.",
            "Usually a renewal. Clients that pin the old one fail from then on; if nobody renewed anything, somebody else answers.",
            "Certain: both certificates were read in clear (TLS 1.2 and before).",
            "Nothing to mend if a renewal was due. Else find out who answers at that address.",
            SHOW,
            "RFC 5280, section 4.1",
        ),
        changed,
    ),
    wide(
        "cert-differs-per-backend",
        Severity::Info,
        "Servers show different certificates for one name",
        page(
            "For one name, servers at different addresses (or one address in turns) showed different certificates with the same kind of key.",
            "A pool whose machines do not have the same certificate: half rolled out, or renewed by each machine on its own. A client sees now one, now the other.",
            "Certain: the certificates were read in clear (TLS 1.2 and before). That they belong to one pool is concluded from the name.",
            "Roll the same certificate out to all machines, or let one place issue it (cert-manager, ACME with a shared store). Where each machine has its own on purpose, nothing.",
            SHOW,
            "RFC 5280, section 4.1",
        ),
        per_backend,
    ),
    wide(
        "expired-on-one-backend",
        Severity::Error,
        "One machine of a pool shows an expired certificate, others a valid one",
        page(
            "For one name one certificate had expired when it was shown, while another, shown in the same capture, was valid.",
            "The renewal did not reach every machine: some connections fail, and trying again often helps, which makes it hard to find.",
            "Certain: the certificates were read in clear and judged at the time of the capture.",
            "Put the valid certificate on the machine named and reload it (nginx -s reload, systemctl reload haproxy). Ask each machine by its address, not by the name.",
            "  for ip in A B C; do openssl s_client -connect $ip:PORT -servername NAME </dev/null 2>/dev/null | openssl x509 -noout -enddate; done",
            "RFC 5280, section 4.1.2.5",
        ),
        expired_backend,
    ),
    wide(
        "inspection-proxy-suspected",
        Severity::Warning,
        "A server certificate was issued by a TLS inspection product",
        page(
            "The issuer of a server's certificate bears the name of a product that opens TLS and closes it again.",
            "The client talks to that device, not to the server: programs that do not trust its CA (Java, Python, containers, pinned apps) refuse it, client certificates do not get through, and versions and cipher suites are the device's.",
            "Likely: anybody can choose the name of an issuer. Where the same name shows another issuer elsewhere in the capture, the detail says so.",
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
    wide(
        "client-cert-shared-by-many-ips",
        Severity::Warning,
        "One client certificate is used from many addresses",
        page(
            "The same client certificate was shown from three addresses or more.",
            "Its private key lies on several machines: who has one of them can be taken for any, and revoking it stops all. Pods of one deployment do this on purpose; so does one machine behind changing addresses.",
            "Certain that the certificate is the same; whether the machines are too is not on the wire.",
            "Issue a certificate for each machine or workload (cert-manager csi-driver, SPIRE, Vault agent).",
            "  tlscope report --format ndjson capture.pcapng | jq -r 'select(.certificates.client[0]) | [.certificates.client[0].sha256, .client.ip] | @tsv' | sort -u",
            "RFC 5280, section 4.1.2.6",
        ),
        shared,
    ),
    wide(
        "serial-duplicate",
        Severity::Warning,
        "Two certificates of one issuer have the same serial number",
        page(
            "Two different certificates in the capture have the same issuer and serial number.",
            "An issuer has to give each certificate a number of its own; revocation names certificates by it, and NSS refuses both (SEC_ERROR_REUSED_ISSUER_AND_SERIAL). Scripts that make test certificates do this.",
            "Certain: both were read in clear and compared.",
            "Issue one of them again with another serial number (openssl x509 -set_serial, or -CAcreateserial; openssl ca: rand_serial = yes).",
            "  openssl x509 -in cert.pem -noout -issuer -serial",
            "RFC 5280, section 4.1.2.2",
        ),
        same_serial,
    ),
    wide(
        "cert-expiry-inventory",
        Severity::Info,
        "Certificates of the capture that have expired or soon will",
        page(
            "All leaf certificates in clear that had expired or were to expire within the time set, the first to go first.",
            "One list to renew by.",
            "Certain for what was in clear (TLS 1.2 and before); TLS 1.3 hides certificates.",
            "Renew them, and let a program do it (certbot, cert-manager) with an alarm when it fails.",
            SHOW,
            "RFC 5280, section 4.1.2.5",
        ),
        expiry,
    ),
    wide(
        "weak-tls-inventory",
        Severity::Info,
        "Servers of the capture with an obsolete version or cipher suite",
        page(
            "All servers that negotiated a version before TLS 1.2, or RC4, triple DES, an export or NULL cipher.",
            "One list to clean up by.",
            "Certain: read in clear. Servers that only could negotiate it do not show.",
            "Enable TLS 1.2 and 1.3 with AEAD suites on them, then disable the rest (nginx: ssl_protocols TLSv1.2 TLSv1.3).",
            "  openssl s_client -connect HOST:PORT -servername NAME -tls1_1 </dev/null",
            "RFC 8996; RFC 9325",
        ),
        weak,
    ),
    wide(
        "clock-jump-in-capture",
        Severity::Info,
        "The capture's clock ran backwards",
        page(
            "A frame is more than a second older than the one before it.",
            "The clock was set while the capture ran, or captures were joined without sorting them. Times and what is concluded from them (validity of certificates, delays, timeouts) may be wrong.",
            "Certain.",
            "Sort the frames (reordercap in.pcapng out.pcapng), join captures with mergecap, and let NTP slew the clock instead of setting it.",
            "  tshark -r capture.pcapng -T fields -e frame.number -e frame.time_delta | awk '$2 < -1'",
            "RFC 8633, section 3",
        ),
        clock,
    ),
    wide(
        "siblings-limit-reached",
        Severity::Info,
        "Flows were compared with the latest ones only",
        page(
            "The capture has more servers, pairs of client and server, names or certificates than are remembered.",
            "What is said of several flows together covers those met lately; what each flow says of itself is not touched.",
            "Certain.",
            "Cut the capture into parts by server or time (tshark -Y, editcap -A -B) for a comparison of all.",
            "  editcap -A '2026-01-01 12:00' -B '2026-01-01 13:00' all.pcapng hour.pcapng",
            "RFC 8446, section 1",
        ),
        forgotten,
    ),
];

fn shown_name(name: &[u8]) -> String {
    format!("\"{}\"", text::escape_bytes(name))
}

/// Pairs of certificates, with the same kind of key, that were shown for one name.
fn pairs(n: &Name) -> impl Iterator<Item = (&Shown, &Shown)> {
    let all = || n.shown.iter().enumerate();
    all()
        .flat_map(move |(i, a)| n.shown.iter().skip(i).skip(1).map(move |b| (a, b)))
        .filter(|(a, b)| a.leaf.sha256 != b.leaf.sha256 && a.leaf.key == b.leaf.key)
}

fn changed(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for (name, n) in m.names() {
        // One after the other, neither coming back.
        let once = pairs(n).find(|(a, b)| a.server == b.server && a.runs == 1 && b.runs == 1);
        let Some((a, b)) = once else { continue };
        let detail = format!(
            "{} showed {} for {} until flow #{} and {} from flow #{} on.",
            a.server,
            differences::leaf(&a.leaf),
            shown_name(name),
            a.last,
            differences::leaf(&b.leaf),
            b.first
        );
        let hit = Hit::new(detail, "Nothing, if the certificate was renewed then.").blame(Blame::Nobody);
        out.push(hit.about(format!("{} {}", a.server, shown_name(name))).of([a.last, b.first]));
    }
    out
}

fn per_backend(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for (name, n) in m.names() {
        let turns = |a: &Shown, b: &Shown| a.server == b.server && (a.runs > 1 || b.runs > 1);
        let found =
            pairs(n).find(|(a, b)| turns(a, b) || (a.server.ip != b.server.ip && a.server.port == b.server.port));
        let Some((a, b)) = found else { continue };
        let detail = format!(
            "For {} {} shows {}, {} shows {}.",
            shown_name(name),
            a.server,
            differences::leaf(&a.leaf),
            if a.server == b.server { "in turns also".to_owned() } else { b.server.to_string() },
            differences::leaf(&b.leaf)
        );
        let hit = Hit::new(
            detail,
            "Put the same certificate on all machines behind the name, unless they differ on purpose.",
        );
        out.push(hit.blame(Blame::Server).about(shown_name(name)).of([a.first, b.first]));
    }
    out
}

fn is_expired(s: &Shown) -> bool {
    s.leaf.not_after.is_some_and(|end| end < s.when.secs())
}

fn expired_backend(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for (name, n) in m.names() {
        let Some(old) = n.shown.iter().find(|s| is_expired(s)) else { continue };
        let valid = |s: &&Shown| {
            let (from, to) = (s.leaf.not_before.unwrap_or(i64::MAX), s.leaf.not_after.unwrap_or(i64::MIN));
            (from..=to).contains(&s.when.secs())
        };
        // A server that was renewed in between has no expired one any more.
        let beside = |s: &&Shown| s.server != old.server || old.runs > 1 || s.first < old.last;
        let Some(new) = n.shown.iter().filter(valid).find(beside) else { continue };
        let detail = format!(
            "For {} {} showed a certificate that ended on {} (flow #{}); {} showed one that is valid until {}.",
            shown_name(name),
            old.server,
            words::date(old.leaf.not_after.unwrap_or_default()),
            old.last,
            if old.server == new.server { "the same address also".to_owned() } else { new.server.to_string() },
            words::date(new.leaf.not_after.unwrap_or_default())
        );
        let hit = Hit::new(detail, format!("Put the valid certificate on {} and reload it.", old.server));
        out.push(hit.blame(Blame::Server).about(shown_name(name)).of([old.last, new.last]));
    }
    out
}

fn inspector(l: &Leaf) -> Option<&'static str> {
    let issuer = l.issuer.to_ascii_lowercase();
    INSPECTORS.iter().copied().find(|v| issuer.contains(&v.to_ascii_lowercase()))
}

fn inspected(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for (name, n) in m.names() {
        let Some((s, vendor)) = n.shown.iter().find_map(|s| Some((s, inspector(&s.leaf)?))) else { continue };
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

fn shared(m: &Memory, _: &Policy) -> Vec<Hit> {
    let many = m.certificates().into_iter().filter(|k| k.clients.values.len() >= SHARED);
    let hit = |k: &crate::siblings::Known| {
        let more = if k.clients.more { "more than " } else { "" };
        let some: Vec<String> = k.clients.values.iter().map(ToString::to_string).collect();
        let detail = format!(
            "{} was shown from {more}{} addresses: {}.",
            differences::leaf(&k.leaf),
            some.len(),
            words::list(&some)
        );
        let hit = Hit::new(detail, "Issue a certificate for each machine or workload.").blame(Blame::Client);
        hit.about(text::hex(&k.leaf.sha256)).of(k.flows.ids.iter().copied())
    };
    many.map(hit).collect()
}

fn same_serial(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for k in m.certificates() {
        let Some((other, id)) = &k.same_serial else { continue };
        let detail = format!(
            "{} and {} have the serial number {}.",
            differences::leaf(other),
            differences::leaf(&k.leaf),
            k.leaf.serial
        );
        let hit = Hit::new(detail, "Issue one of them again with another serial number.").blame(Blame::Either);
        out.push(hit.about(text::hex(&k.leaf.sha256)).of(k.flows.ids.first().copied().into_iter().chain([*id])));
    }
    out
}

/// At most [`ROWS`] rows of a list, and how many more there are.
fn table(rows: &[String]) -> String {
    let more = rows.len().saturating_sub(ROWS);
    let shown = rows.iter().take(ROWS).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more == 0 { format!("{shown}.") } else { format!("{shown}; and {more} more.") }
}

fn expiry(m: &Memory, policy: &Policy) -> Vec<Hit> {
    let soon = policy.expiring_days.saturating_mul(DAY);
    let mut ending: Vec<_> = m
        .certificates()
        .into_iter()
        .filter_map(|k| Some((k.leaf.not_after?, k)))
        .filter(|(end, k)| *end < k.when.secs().saturating_add(soon))
        .collect();
    if ending.len() < INVENTORY {
        return Vec::new();
    }
    ending.sort_by_key(|(end, k)| (*end, k.leaf.sha256));
    let row = |(end, k): &(i64, &crate::siblings::Known)| {
        let at = match (k.servers.values.first(), k.clients.values.first()) {
            (Some(s), _) => format!("server {s}"),
            (None, Some(c)) => format!("client {c}"),
            (None, None) => String::new(),
        };
        let state = if *end < k.when.secs() { "ended" } else { "ends" };
        format!("\"{}\" ({at}) {state} {}", words::name(&k.leaf.subject), words::date(*end))
    };
    let rows: Vec<String> = ending.iter().map(row).collect();
    let hit =
        Hit::new(table(&rows), "Renew them.").title(format!("{} certificates have expired or soon will", rows.len()));
    vec![hit.blame(Blame::Nobody).of(ending.iter().filter_map(|(_, k)| k.flows.ids.first().copied()))]
}

fn weak(m: &Memory, _: &Policy) -> Vec<Hit> {
    let weak: Vec<_> = m.servers().into_iter().filter_map(|(at, s)| Some((at, s, s.weakest.as_ref()?))).collect();
    if weak.len() < INVENTORY {
        return Vec::new();
    }
    let rows: Vec<String> = weak
        .iter()
        .map(|(at, s, o)| {
            let version = o.version.map(words::version).unwrap_or_default();
            let suite = o.suite.map(words::suite).unwrap_or_default();
            format!("{at}: {version} with {suite} ({})", words::count(s.weak.count, "flow"))
        })
        .collect();
    let flows: BTreeSet<u64> = weak.iter().filter_map(|(_, s, _)| s.weak.ids.first().copied()).collect();
    let title = format!("{} servers negotiated an obsolete version or cipher suite", rows.len());
    let remedy = "On these servers: enable TLS 1.2 and 1.3 with AEAD suites, disable the rest.";
    vec![Hit::new(table(&rows), remedy).title(title).blame(Blame::Nobody).of(flows)]
}

fn clock(m: &Memory, _: &Policy) -> Vec<Hit> {
    let hit = |c: crate::siblings::ClockJump| {
        let more = c.count.saturating_sub(1);
        let again = if more == 0 { String::new() } else { format!(" It happens {} more.", words::count(more, "time")) };
        let back = words::duration(c.back_ns.unsigned_abs() / 1000);
        let detail = format!("Frame {} is {back} older than the one before it.{again}", c.frame);
        let mut hit = Hit::new(detail, "Sort the frames (reordercap) before times are compared.").blame(Blame::Nobody);
        hit.frames.push(c.frame);
        hit
    };
    m.clock().map(hit).into_iter().collect()
}

fn forgotten(m: &Memory, _: &Policy) -> Vec<Hit> {
    let n = m.forgotten();
    if n == 0 {
        return Vec::new();
    }
    let detail = format!("{n} servers, pairs, names or certificates were forgotten when newer ones came.");
    vec![Hit::new(detail, "Cut the capture into parts to compare all flows of each.").blame(Blame::Nobody)]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        NOW, alert, asked, client_flight, codes, established, leaf, server_flight, server_hello, whole,
    };
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::x509::Certificate;

    fn shows(cert: Certificate) -> FlowFacts {
        established(server_flight(vec![cert]))
    }

    /// Another certificate for the same name.
    fn other(n: u8) -> Certificate {
        Certificate { sha256: [n; 32], serial: format!("{n:02x}"), ..leaf() }
    }

    fn at(mut f: FlowFacts, last: u8) -> FlowFacts {
        f.ends.b.ip = [192, 0, 2, last].into();
        f
    }

    fn from(mut f: FlowFacts, last: u8) -> FlowFacts {
        f.ends.a.ip = [198, 51, 100, last].into();
        f
    }

    /// At a later second, since flows are told apart by when they took place.
    fn later(mut f: FlowFacts, secs: i64) -> FlowFacts {
        f.first.time.0 += secs * 1_000_000_000;
        f
    }

    #[test]
    fn a_renewal_and_a_pool() {
        let found = whole(vec![shows(other(8)), later(shows(other(8)), 1), later(shows(other(9)), 2)]);
        assert_eq!(codes(&found), ["cert-changed-mid-capture"]);
        assert!(
            found[0].detail.contains("until flow #2") && found[0].detail.contains("from flow #3"),
            "{}",
            found[0].detail
        );
        let turns = vec![shows(other(8)), later(shows(other(9)), 1), later(shows(other(8)), 2)];
        assert_eq!(codes(&whole(turns)), ["cert-differs-per-backend"]);
        assert_eq!(codes(&whole(vec![shows(other(8)), at(shows(other(9)), 77)])), ["cert-differs-per-backend"]);
        assert!(whole(vec![shows(other(8)), at(shows(other(8)), 77)]).is_empty());
        // One of each kind of key is usual.
        let mut ec = other(9);
        ec.key.algorithm = crate::x509::KeyAlgorithm::Ed25519;
        assert!(whole(vec![shows(other(8)), shows(ec)]).is_empty());
    }

    #[test]
    fn one_machine_was_forgotten() {
        let old = Certificate { not_after: Some(NOW - 86_400), ..other(8) };
        let found = whole(vec![at(shows(old.clone()), 76), at(shows(other(9)), 77)]);
        assert!(codes(&found).contains(&"expired-on-one-backend"), "{found:?}");
        // Renewed in between.
        let found = whole(vec![shows(old.clone()), later(shows(other(9)), 1)]);
        assert!(!codes(&found).contains(&"expired-on-one-backend"), "{found:?}");
        assert!(!codes(&whole(vec![shows(old.clone()), shows(old)])).contains(&"expired-on-one-backend"));
    }

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
    fn pinning() {
        let refuses = || from(alert(server_flight(vec![leaf()]), Side::A, 46), 9);
        let fine = || shows(leaf());
        assert!(codes(&whole(vec![refuses(), refuses(), refuses(), fine()])).contains(&"cert-pinning-suspected"));
        assert!(!codes(&whole(vec![refuses(), refuses(), fine()])).contains(&"cert-pinning-suspected"));
        assert!(!codes(&whole(vec![refuses(), refuses(), refuses()])).contains(&"cert-pinning-suspected"));
    }

    #[test]
    fn one_client_certificate_on_many_machines() {
        let mutual = |n| from(established(client_flight(asked(server_flight(vec![leaf()])), vec![other(50)])), n);
        assert!(codes(&whole(vec![mutual(1), mutual(2), mutual(3)])).contains(&"client-cert-shared-by-many-ips"));
        assert!(!codes(&whole(vec![mutual(1), mutual(2), mutual(2)])).contains(&"client-cert-shared-by-many-ips"));
    }

    #[test]
    fn serial_numbers() {
        let twice = |n| at(shows(Certificate { serial: "2a".into(), ..other(n) }), n);
        assert!(codes(&whole(vec![twice(8), twice(9)])).contains(&"serial-duplicate"));
        assert!(!codes(&whole(vec![twice(8), at(shows(other(9)), 9)])).contains(&"serial-duplicate"));
    }

    #[test]
    fn inventories() {
        let ending = |n: u8| {
            let name = format!("CN=host-{n}");
            at(shows(Certificate { subject: name, not_after: Some(NOW + i64::from(n) * 86_400), ..other(n) }), n)
        };
        let found = whole(vec![ending(9), ending(8), at(shows(other(7)), 7)]);
        let x = found.iter().find(|x| x.code == "cert-expiry-inventory").expect("told");
        let [eight, nine] = ["host-8", "host-9"].map(|n| x.detail.find(n).expect("listed"));
        assert!(eight < nine && x.title.starts_with("2 certificates"), "{}", x.detail);
        assert!(!codes(&whole(vec![ending(9)])).contains(&"cert-expiry-inventory"));
        let old = |n| at(established(server_hello(0x0301)), n);
        assert!(codes(&whole(vec![old(1), old(2)])).contains(&"weak-tls-inventory"));
        assert!(!codes(&whole(vec![old(1), at(shows(leaf()), 2)])).contains(&"weak-tls-inventory"));
    }

    #[test]
    fn the_capture_itself() {
        use super::super::{Policy, diagnose_capture};
        use crate::siblings::{ClockJump, Memory};
        let mut m = Memory::default();
        assert!(diagnose_capture(&m, &Policy::default()).is_empty());
        let frame = crate::span::FrameNo(12);
        m.clock_back(ClockJump { frame, back_ns: 5_000_000_000, count: 1 });
        let found = diagnose_capture(&m, &Policy::default());
        assert_eq!((codes(&found), &found[0].frames), (vec!["clock-jump-in-capture"], &vec![frame]));
        assert!(found[0].detail.contains("5.0 s older"), "{}", found[0].detail);
        for n in 0..=u16::MAX {
            let [a, b] = n.to_be_bytes();
            let mut f = shows(leaf());
            f.ends.b.ip = [192, 0, a, b].into();
            m.remember(&f, crate::facts::Outcome::Established, None);
        }
        assert!(codes(&diagnose_capture(&m, &Policy::default())).contains(&"siblings-limit-reached"));
    }
}

//! Certificates over a whole capture: which servers and clients show which, and what changes.

use super::differences;
use super::{Blame, Hit, Policy, Rule, Severity, page, wide, words};
use crate::siblings::{Memory, Name, Shown};
use crate::text;

/// Addresses that show one client certificate before it counts as shared: two may be one machine's.
const SHARED: usize = 3;

pub(super) const SHOW: &str = "  openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout -subject -issuer -dates -fingerprint -sha256";

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
];

pub(super) fn shown_name(name: &[u8]) -> String {
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

#[cfg(test)]
mod tests {
    use super::super::testing::{
        NOW, asked, at, client_flight, codes, established, from, later, leaf, other, server_flight, shows, whole,
    };
    use crate::x509::Certificate;

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
}

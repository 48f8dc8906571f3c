//! What a capture holds as a whole: certificates that run out, servers of another age, its own clock, and what was forgotten.

use std::collections::BTreeSet;

use super::fleet::SHOW;
use super::{Blame, Hit, Policy, Rule, Severity, page, wide, words};
use crate::siblings::Memory;

/// Servers, or certificates, from which an inventory says more than the findings of the flows.
const INVENTORY: usize = 2;

/// Rows of an inventory that are named.
const ROWS: usize = 8;

const DAY: i64 = 86_400;

pub(super) const RULES: &[Rule] = &[
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
            "The capture has more servers, clients, pairs of both, names, certificates or RSA keys than are remembered. ClientHellos, sessions and tickets of any long capture are compared with the latest few thousand only: that alone is not told, but listed here with the rest.",
            "What is said of several flows together covers those met lately; what each flow says of itself is not touched. A server's other certificate, a random used twice or a session that is taken up again may not have been noticed.",
            "Certain.",
            "Cut the capture into parts by server or time (tshark -Y, editcap -A -B) for a comparison of all.",
            "  editcap -A '2026-01-01 12:00' -B '2026-01-01 13:00' all.pcapng hour.pcapng",
            "RFC 8446, section 1",
        ),
        forgotten,
    ),
];

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
    let gone = m.forgotten();
    // That single handshakes roll by is no loss to speak of.
    if gone.parties.iter().all(|(_, n)| *n == 0) {
        return Vec::new();
    }
    let all = gone.parties.iter().chain(&gone.handshakes).filter(|(_, n)| *n > 0);
    let all: Vec<String> = all.map(|(what, n)| format!("{what}: {n}")).collect();
    let detail =
        format!("Forgotten when newer ones came, or left out of a comparison, are, by kind: {}.", all.join("; "));
    vec![Hit::new(detail, "Cut the capture into parts to compare all flows of each.").blame(Blame::Nobody)]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, codes, established, leaf, server_hello, whole};
    use super::super::testing::{at, other, shows};
    use crate::x509::Certificate;

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
        assert!(found[0].detail.contains("5.000 s older"), "{}", found[0].detail);
        for n in 0..=u16::MAX {
            let [a, b] = n.to_be_bytes();
            let mut f = shows(leaf());
            f.ends.b.ip = [192, 0, a, b].into();
            m.remember(&f, crate::facts::Outcome::Established, None);
        }
        let found = diagnose_capture(&m, &Policy::default());
        let x = found.iter().find(|x| x.code == "siblings-limit-reached").expect("told");
        assert!(x.detail.contains("are, by kind: server: ") && x.detail.contains("; pair: "), "{}", x.detail);
    }

    /// Hellos that roll by are told with other losses, not alone; a client that is forgotten is.
    #[test]
    fn what_was_not_compared() {
        use super::super::{Policy, diagnose_capture};
        use crate::facts::Outcome;
        use crate::siblings::Memory;
        let mut m = Memory::default();
        let mut many = |flows: u32, each_client: bool| {
            let mut f = shows(leaf());
            f.sides[crate::span::Side::A].certificates = f.sides[crate::span::Side::B].certificates.clone();
            for n in 0..flows {
                let bytes = n.to_be_bytes();
                if each_client {
                    f.ends.a.ip = bytes.into();
                }
                if let Some(h) = f.client_hello.as_mut().and_then(|h| h.message.random.first_chunk_mut()) {
                    *h = bytes;
                }
                m.remember(&f, Outcome::Established, None);
            }
            diagnose_capture(&m, &Policy::default())
        };
        assert!(!codes(&many(20_000, false)).contains(&"siblings-limit-reached"));
        let found = many(5_000, true);
        let x = found.iter().find(|x| x.code == "siblings-limit-reached").expect("told");
        assert!(x.detail.contains("client: ") && x.detail.contains("ClientHello: "), "{}", x.detail);
    }
}

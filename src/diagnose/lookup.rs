//! Before TCP: names that clients asked DNS for and did not get an address of.

use super::{Blame, Hit, Policy, Rule, Severity, page, wide, words};
use crate::siblings::{Lookup, Memory};
use crate::text;

/// Nobody asks the same again so late who has an answer: resolvers begin anew after 1 to 5 s.
const PATIENCE_US: u64 = 2_000_000;

/// Frames of evidence that are named.
const FRAMES: usize = 16;

pub(super) const RULES: &[Rule] = &[
    wide(
        "dns-name-not-found",
        Severity::Warning,
        "A client asked for names that do not exist",
        page(
            "DNS answered NXDOMAIN for a name whose address a client wanted, and the client found neither that name nor the one without its search domain later.",
            "The connection that was meant is never opened: a typing error, a name that was not set up in this zone, a missing search domain, a Kubernetes service in another namespace, a split-horizon DNS seen from outside.",
            "Certain that the answer was given; that the client needed the name for TLS is not known.",
            "Correct the name in the client's configuration, or add it to the zone. In Kubernetes use SERVICE.NAMESPACE.svc.cluster.local.",
            "  dig NAME\n  getent hosts NAME\n  kubectl exec POD -- nslookup NAME",
            "RFC 1035, section 4.1.1; RFC 2308",
        ),
        not_found,
    ),
    wide(
        "dns-no-answer",
        Severity::Warning,
        "A client asked DNS for names and got no answer",
        page(
            "A client asked for a name's address again and again over seconds, and no answer is in the capture.",
            "The DNS server is down or not reachable (UDP port 53 is filtered), or it drops the question: the connection that was meant is never opened, or seconds late.",
            "Likely where other answers to that client were captured; possible where none was, since the capture may have one direction only.",
            "Check the client's DNS servers (/etc/resolv.conf, resolvectl status), firewalls for UDP and TCP port 53, and the server's log.",
            "  dig +tries=1 @SERVER NAME\n  dig +tcp @SERVER NAME",
            "RFC 1035, section 4.2.1; RFC 1123, section 6.1.3.3",
        ),
        no_answer,
    ),
];

/// Names with a dot that are no reverse lookups. Single words are what resolvers and browsers try by themselves.
fn is_host(name: &[u8]) -> bool {
    name.contains(&b'.') && !name.ends_with(b".arpa")
}

fn shown(l: &Lookup, what: &str) -> String {
    format!("\"{}\" (asked by {} in frame {}{what})", text::escape_bytes(&l.name), l.client, l.asked.first.frame)
}

/// One finding for all of them.
fn told(all: &[&Lookup], what: impl Fn(&Lookup) -> String, begin: &str, remedy: &str) -> Hit {
    let names: Vec<String> = all.iter().map(|l| shown(l, &what(l))).collect();
    let mut hit = Hit::new(format!("{begin}: {}.", words::list(&names)), remedy);
    for l in all.iter().take(FRAMES) {
        hit = hit.at(l.asked.first).at_any(l.no_such_name);
    }
    hit
}

fn not_found(m: &Memory, _: &Policy) -> Vec<Hit> {
    let all: Vec<&Lookup> = m.lookups().all();
    let lost: Vec<&Lookup> =
        all.into_iter().filter(|l| l.no_such_name.is_some() && is_host(&l.name) && !m.lookups().reached(l)).collect();
    if lost.is_empty() {
        return Vec::new();
    }
    let answer = |l: &Lookup| l.no_such_name.map_or_else(String::new, |a| format!(", answered in frame {}", a.frame));
    let remedy = "On the client: correct the name it is configured with. In the zone: add the name (dig NAME).";
    vec![told(&lost, answer, "DNS says that there is no such name", remedy).blame(Blame::Either)]
}

fn no_answer(m: &Memory, _: &Policy) -> Vec<Hit> {
    let waits = |l: &Lookup| l.asked.count > 1 && l.asked.last.time.us_since(l.asked.first.time) >= PATIENCE_US;
    let lost: Vec<&Lookup> =
        m.lookups().all().into_iter().filter(|l| !l.answered && is_host(&l.name) && waits(l)).collect();
    if lost.is_empty() {
        return Vec::new();
    }
    let count = |l: &Lookup| {
        format!(" and {} more, at {}", words::count(l.asked.count.saturating_sub(1).into(), "time"), l.server)
    };
    let remedy = "On the network: check that the client reaches its DNS server (dig @SERVER NAME) and that UDP and TCP port 53 are open.";
    let hit = told(&lost, count, "No answer came for", remedy).blame(Blame::Network);
    vec![if lost.iter().all(|l| m.lookups().hears(l.client)) { hit.likely() } else { hit.possible() }]
}

#[cfg(test)]
mod tests {
    use super::super::testing::mark;
    use super::super::{Confidence, Finding, Policy, diagnose_capture};
    use crate::dns::{Kind, Message};
    use crate::siblings::Memory;

    fn said(messages: &[(u64, Kind, &str)]) -> Vec<Finding> {
        let mut m = Memory::default();
        for (at, kind, name) in messages {
            let message = Message { kind: *kind, name: name.as_bytes().into(), for_address: true };
            m.lookup([192, 0, 2, 10].into(), [198, 51, 100, 53].into(), message, mark(*at));
        }
        diagnose_capture(&m, &Policy::default())
    }

    #[test]
    fn names_that_do_not_exist() {
        let found = said(&[(1, Kind::Query, "nosuch.example"), (2, Kind::NoSuchName, "nosuch.example")]);
        assert_eq!(found[0].code, "dns-name-not-found");
        assert!(found[0].detail.contains("\"nosuch.example\" (asked by 192.0.2.10 in frame 1, answered in frame 2)"));
        assert!(said(&[(1, Kind::Query, "a.example"), (2, Kind::Found, "a.example")]).is_empty());
        for noise in ["wpad", "10.2.0.192.in-addr.arpa"] {
            assert!(said(&[(1, Kind::Query, noise), (2, Kind::NoSuchName, noise)]).is_empty());
        }
    }

    #[test]
    fn names_that_nobody_answers() {
        let asked = [(1, Kind::Query, "lost.example"), (5001, Kind::Query, "lost.example")];
        let found = said(&asked);
        assert_eq!((found[0].code, found[0].confidence), ("dns-no-answer", Confidence::Possible));
        let heard = [asked[0], (2, Kind::Query, "a.example"), (3, Kind::Found, "a.example"), asked[1]];
        assert_eq!(said(&heard)[0].confidence, Confidence::Likely);
        // Once may be all that the capture had time for.
        assert!(said(&asked[..1]).is_empty());
        let late = [asked[0], asked[1], (5002, Kind::Failed(2), "lost.example")];
        assert!(said(&late).is_empty());
    }
}

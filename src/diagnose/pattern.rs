//! Patterns over many flows of a capture: failures that repeat, retries, storms; what became known after a flow had ended.

use std::net::IpAddr;

use super::differences;
use super::{Blame, Hit, Policy, Rule, Severity, page, rule, wide, words};
use crate::facts::{Offer, Sibling};
use crate::flow::Endpoint;
use crate::siblings::{Few, Flows, Memory, Pair, WINDOW_SECS};
use crate::tls::handshake::ClientHello;
use crate::tls::names::ExtensionType;

/// Flows that fail for one reason before the reason is told once for all of them.
const RECURRING: u64 = 3;

/// Full handshakes of one pair that begin within ten seconds: a browser opens up to six connections to a host at once, a
/// pool of a service some more when it starts; five times a browser's number is a client that keeps none open.
const STORM: u64 = 30;

/// Failures in a row, for one reason and between one client and one server, that make a loop.
const LOOP: u64 = 5;

/// Handshakes of one server below which a share of failures says nothing.
const RATE_FLOWS: u64 = 10;

/// Percent of failed handshakes from which a server that others reach is told.
const RATE_PERCENT: u64 = 20;

/// Full handshakes in a row, never resumed, from which resumption is worth a word.
const NEVER_RESUMED: u64 = 10;

const LIST: &str = "  tlscope report --format ndjson capture.pcapng | jq -c 'select(.type==\"flow\") | [.client.ip, .server.ip, .outcome, .cause]' | sort | uniq -c | sort -rn";

pub(super) const RULES: &[Rule] = &[
    wide(
        "recurring-failure",
        Severity::Info,
        "Several flows fail for the same reason",
        page(
            "Three flows or more of the capture have the same cause.",
            "One mistake shows in many flows. Who they have in common, one client or one server, says where it is: one client that fails at many servers has the fault, one server that refuses many clients likewise.",
            "As sure as the finding of each of the flows.",
            "See the page of the code named: `tlscope explain CODE`.",
            LIST,
            "RFC 8446, section 6.2",
        ),
        recurring,
    ),
    wide(
        "working-sibling",
        Severity::Info,
        "A server that refused one client accepted another",
        page(
            "The server refused a ClientHello, and later in the capture accepted another one.",
            "The server works. What the accepted client offers and the refused one does not is where to look first.",
            "Certain that both were seen; that the difference is the reason is likely where it is the cipher suite or group that the server chose, else possible.",
            "Give the refused client what the accepted one offers, one thing after the other.",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null",
            "RFC 8446, section 4.1.1",
        ),
        working,
    ),
    wide(
        "version-intolerant",
        Severity::Warning,
        "The server refuses clients that offer a newer TLS version",
        page(
            "One client was refused when it offered a version and accepted by the same server when it did not, its offer being the same otherwise.",
            "A server has to choose a version below the one offered, not to refuse. Such servers, or the load balancers in front of them, break each time clients add a version.",
            "Likely: the two hellos differ in nothing else that is in clear; an overloaded server can refuse by chance.",
            "Update the server's TLS library or the firmware of the device in front of it (F5, A10, Citrix …). Until then: cap the client's version (curl --tls-max 1.2).",
            "  openssl s_client -connect HOST:PORT -servername NAME -tls1_3 </dev/null; openssl s_client -connect HOST:PORT -servername NAME -tls1_2 </dev/null",
            "RFC 8446, section 4.2.1 and appendix D.1",
        ),
        version_intolerant,
    ),
    wide(
        "grease-intolerant",
        Severity::Warning,
        "The server refuses clients that send GREASE",
        page(
            "One client was refused when its ClientHello had GREASE values and accepted by the same server when it had none, its offer being the same otherwise.",
            "A server has to ignore values that it does not know. One that does not will refuse each client that learns anything new; Chrome and what is built on it send GREASE always.",
            "Likely: the two hellos differ in nothing else that is in clear.",
            "Update the server's TLS library or the firmware of the device in front of it.",
            "  curl-impersonate or Chrome against the server, and openssl s_client (which sends no GREASE)",
            "RFC 8701",
        ),
        grease_intolerant,
    ),
    wide(
        "extension-intolerant",
        Severity::Warning,
        "The server refuses clients that send an extension",
        page(
            "One client was refused when its ClientHello had an extension and accepted by the same server when it did not, its offer being the same otherwise.",
            "A server has to ignore extensions that it does not know. Some stop at a long ClientHello instead (post-quantum key shares, padding).",
            "Likely: the two hellos differ in nothing else that is in clear.",
            "Update the server's TLS library or the firmware of the device in front of it. Until then: switch that extension off at the client.",
            "  openssl s_client -connect HOST:PORT -servername NAME -no_ticket </dev/null   (and other options that leave extensions out)",
            "RFC 8446, section 4.2",
        ),
        extension_intolerant,
    ),
    wide(
        "client-retry-loop",
        Severity::Warning,
        "A client tries again and again and fails each time for the same reason",
        page(
            "Five handshakes or more in a row between one client and one server failed with the same cause, none between them succeeded.",
            "A program that retries without end loads the server and fills its log, and hides what else goes wrong. Retrying does not mend a wrong certificate or version.",
            "Certain: each of the flows failed.",
            "Mend the cause (`tlscope explain CODE`), and let the client wait longer after each failure (exponential back-off with jitter; Envoy: retry_policy.retry_back_off; gRPC: connection backoff; systemd: RestartSec).",
            LIST,
            "RFC 8446, section 6.2",
        ),
        retry_loop,
    ),
    wide(
        "handshake-failure-rate",
        Severity::Warning,
        "A server refuses, or is refused in, many of its handshakes",
        page(
            "Of ten handshakes or more with one server at least a fifth failed, and others succeeded.",
            "The server works for some clients and not for others: a certificate or version that part of them does not take, or one bad machine behind the address.",
            "Certain for the flows of the capture; the rate of a short capture need not be the usual one.",
            "Look at the causes of the failed flows. Where one client has them all, look there; where they are spread over clients, look at the server and at each machine behind its address.",
            LIST,
            "RFC 8446, section 6.2",
        ),
        failure_rate,
    ),
    wide(
        "handshake-storm",
        Severity::Warning,
        "A client makes a new connection for each request",
        page(
            "Thirty full handshakes or more between one client and one server began within ten seconds.",
            "Each costs both sides a signature or its check and two or three round trips. Programs do this that keep no connection open (HTTP without keep-alive, a pool of size 0, a health check gone wild).",
            "Certain for what was counted; a load test looks the same.",
            "Keep connections open (HTTP keep-alive, nginx: keepalive in upstream; Java: one HttpClient for all requests; Go: read and close resp.Body; Python: requests.Session), and resume sessions.",
            LIST,
            "RFC 9112, section 9.3; RFC 8446, section 2.2",
        ),
        storm,
    ),
    wide(
        "extra-rtt-no-resumption",
        Severity::Info,
        "A client connects again and again and never resumes a session",
        page(
            "Ten full handshakes or more between one client and one server succeeded; none resumed a session and the client offered none.",
            "Each full handshake shows and checks certificates again; in TLS 1.2 it costs a round trip more than a resumed one.",
            "Certain: offers to resume are in clear.",
            "On the client: share one TLS context or session cache between connections (OpenSSL: SSL_CTX_set_session_cache_mode, SSL_set_session; Go: ClientSessionCache; Python: session= of wrap_socket; Java: one SSLContext).",
            "  openssl s_client -connect HOST:PORT -servername NAME -reconnect </dev/null | grep -E 'New|Reused'",
            "RFC 8446, section 2.2; RFC 5077",
        ),
        never_resumed,
    ),
];

/// `all from 192.0.2.1`, `from 192.0.2.1 and 192.0.2.2`, `from 5 clients`, `from more than 16 clients`.
fn who<T: ToString>(few: &Few<T>, before: &str, many: &str) -> String {
    match few.values.as_slice() {
        _ if few.more => format!("{before} more than {} {many}", few.values.len()),
        [] => String::new(),
        [one] => format!("all {before} {}", one.to_string()),
        [a, b] => format!("{before} {} and {}", a.to_string(), b.to_string()),
        all => format!("{before} {} {many}", all.len()),
    }
}

fn recurring(m: &Memory, _: &Policy) -> Vec<Hit> {
    let many = m.causes().filter(|(_, c)| c.flows.count >= RECURRING);
    let hit = |(code, c): (&'static str, &crate::siblings::Cause)| {
        let title = rule(code).map_or(code, |r| r.title);
        let (from, to) = (who(&c.clients, "from", "clients"), who(&c.servers, "to", "servers"));
        let n = words::count(c.flows.count, "flow");
        Hit::new(
            format!("{n} with the cause {code} ({title}), {from}, {to}."),
            format!("See `tlscope explain {code}`."),
        )
        .title(format!("{n}: {code}, {from}"))
        .blame(Blame::Nobody)
        .about(code)
        .of(c.flows.ids.iter().copied())
    };
    many.map(hit).collect()
}

/// The cause of a refused flow and the flow that was accepted after it, where nothing in the refused flow could know.
fn working(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for (at, s) in m.servers() {
        let Some(refused) = s.refused.iter().next() else { continue };
        let later = s.accepted.iter().find(|o| o.id != refused.id && o.last > refused.last && o.offer != refused.offer);
        let (Some(o), Some(offer)) = (later, refused.offer.as_ref()) else { continue };
        let cause = refused.cause.map_or_else(String::new, |c| format!(" ({c})"));
        let detail = format!(
            "{at} refused {}{cause}. {}",
            differences::flow(refused),
            differences::sentence(o, &as_hello(offer))
        );
        let remedy = "On the refused client: offer what the accepted one offers; or enable on the server what the refused one offers.";
        out.push(Hit::new(detail, remedy).possible().about(at.to_string()).of([refused.id, o.id]));
    }
    out
}

/// What is remembered of a ClientHello as one, to be compared.
fn as_hello(o: &Offer) -> ClientHello {
    let mut h = ClientHello { cipher_suites: o.suites.to_vec(), ..ClientHello::default() };
    let e = &mut h.extensions;
    e.supported_versions = o.versions.to_vec();
    e.groups = o.groups.to_vec();
    e.signature_schemes = o.schemes.to_vec();
    e.alpn = o.alpn.to_vec();
    e.types = o.extensions.to_vec();
    e.server_name = o.name.clone().map(|n| vec![n]);
    h
}

/// Pairs in which the server refused one offer of a client and accepted another, that `differs` as the rule says.
fn intolerant(
    m: &Memory,
    differs: impl Fn(&Offer, &Offer) -> Option<String>,
) -> Vec<(Endpoint, Sibling, Sibling, String)> {
    let mut out = Vec::new();
    for ((_, server), p) in m.pairs() {
        for r in p.refused.iter() {
            for a in p.accepted.iter() {
                if let (Some(x), Some(y)) = (&r.offer, &a.offer)
                    && x.name == y.name
                    && let Some(what) = differs(x, y)
                {
                    out.push((*server, (**r).clone(), (**a).clone(), what));
                }
            }
        }
    }
    out.dedup_by_key(|(server, ..)| *server);
    out
}

fn hits(found: Vec<(Endpoint, Sibling, Sibling, String)>) -> Vec<Hit> {
    let hit = |(server, r, a, what): (Endpoint, Sibling, Sibling, String)| {
        let detail = format!(
            "{server} refused {} and accepted flow #{} of the same client. The first offered {what}, the second did not; all else is the same.",
            differences::flow(&r),
            a.id
        );
        Hit::new(detail, "On the server, or the device in front of it: update its TLS library.")
            .likely()
            .blame(Blame::Server)
            .about(format!("{server} {what}"))
            .of([r.id, a.id])
    };
    found.into_iter().map(hit).collect()
}

fn same_lists(a: &Offer, b: &Offer) -> bool {
    a.groups == b.groups && a.schemes == b.schemes && a.alpn == b.alpn
}

/// Suites and extensions that come with a version.
fn version_intolerant(m: &Memory, _: &Policy) -> Vec<Hit> {
    let goes_with_13 = |v: &u16| (0x1301..=0x1305).contains(v);
    hits(intolerant(m, |refused, accepted| {
        let (was, is) = (refused.highest()?, accepted.highest()?);
        let old = |o: &Offer| o.suites.iter().copied().filter(|s| !goes_with_13(s)).collect::<Vec<_>>();
        // The refused one would have taken the lower version too (before TLS 1.3 a hello names its highest only): else
        // the two simply share no version.
        let both = refused.versions.contains(&is.0) || refused.versions.len() == 1 && was.rank() < Some(5);
        (was.rank() > is.rank() && both && old(refused) == old(accepted)).then(|| words::version(was))
    }))
}

fn grease_intolerant(m: &Memory, _: &Policy) -> Vec<Hit> {
    hits(intolerant(m, |refused, accepted| {
        let same = refused.suites == accepted.suites
            && refused.versions == accepted.versions
            && refused.extensions == accepted.extensions
            && same_lists(refused, accepted);
        (same && refused.has_grease && !accepted.has_grease).then(|| "GREASE values".to_owned())
    }))
}

fn extension_intolerant(m: &Memory, _: &Policy) -> Vec<Hit> {
    hits(intolerant(m, |refused, accepted| {
        let same = refused.suites == accepted.suites
            && refused.versions == accepted.versions
            && refused.has_grease == accepted.has_grease
            && accepted.extensions.iter().all(|t| refused.extensions.contains(t));
        let more: Vec<String> = refused
            .extensions
            .iter()
            .filter(|t| !accepted.extensions.contains(t))
            .map(|t| ExtensionType(*t).name().map_or_else(|| ExtensionType(*t).id(), str::to_owned))
            .collect();
        let what = if more.len() == 1 { "the extension" } else { "the extensions" };
        (same && !more.is_empty() && more.len() <= 3).then(|| format!("{what} {}", words::list(&more)))
    }))
}

/// One hit for each pair of client and server that a rule counts flows of.
fn each_pair(m: &Memory, say: impl Fn(&IpAddr, &Endpoint, &Pair) -> Option<(String, Flows, &'static str)>) -> Vec<Hit> {
    let hit = |((client, server), p): (&(IpAddr, Endpoint), &Pair)| {
        let (detail, flows, remedy) = say(client, server, p)?;
        Some(Hit::new(detail, remedy).blame(Blame::Client).about(server.to_string()).of(flows.ids.iter().copied()))
    };
    m.pairs().into_iter().filter_map(hit).collect()
}

fn retry_loop(m: &Memory, _: &Policy) -> Vec<Hit> {
    each_pair(m, |client, server, p| {
        let run = &p.longest;
        let cause = run.cause.filter(|_| run.flows.count >= LOOP)?;
        let n = run.flows.count;
        let time = words::duration(run.until.us_since(run.since));
        let detail = format!("{client} tried {n} times within {time} to reach {server}; each time: {cause}.");
        Some((detail, run.flows.clone(), "Mend the cause; let the client wait longer after each failure."))
    })
}

fn failure_rate(m: &Memory, _: &Policy) -> Vec<Hit> {
    let mut out = Vec::new();
    for (at, s) in m.servers() {
        let (bad, good) = (s.failed.count, s.established.count);
        let all = bad.saturating_add(good);
        if all < RATE_FLOWS || good == 0 || bad.saturating_mul(100) < all.saturating_mul(RATE_PERCENT) {
            continue;
        }
        let from = who(&s.failed_clients, "from", "clients");
        let detail = format!("{bad} of {all} handshakes with {at} failed, {from}.");
        let blame = if s.failed_clients.values.len() == 1 { Blame::Client } else { Blame::Server };
        let hit =
            Hit::new(detail, "Look at the causes of the flows that failed, and at what their clients have in common.");
        out.push(hit.blame(blame).about(at.to_string()).of(s.failed.ids.iter().copied()));
    }
    out
}

fn storm(m: &Memory, _: &Policy) -> Vec<Hit> {
    each_pair(m, |client, server, p| {
        let n = p.busiest.count;
        let detail = format!("{client} began {n} full handshakes with {server} within {WINDOW_SECS} seconds.");
        (n >= STORM).then(|| (detail, p.busiest.clone(), "On the client: keep connections open and use them again."))
    })
}

fn never_resumed(m: &Memory, _: &Policy) -> Vec<Hit> {
    each_pair(m, |client, server, p| {
        if p.full.count < NEVER_RESUMED || p.resumed > 0 || p.offered > 0 {
            return None;
        }
        let detail = format!(
            "{client} made {} full handshakes with {server} and never offered to resume a session.",
            p.full.count
        );
        Some((detail, p.full.clone(), "On the client: keep sessions and offer them on the next connection."))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, codes, established, hello, leaf, server_flight, whole};
    use crate::facts::FlowFacts;
    use crate::span::Side;

    /// Accepted with the offer of a client of today.
    fn good() -> FlowFacts {
        let mut f = established(server_flight(vec![leaf()]));
        f.client_hello.as_mut().expect("there").message.extensions.supported_versions = vec![0x0304, 0x0303];
        f
    }

    fn refused(change: impl FnOnce(&mut crate::tls::handshake::ClientHello)) -> FlowFacts {
        let mut f = hello();
        change(&mut f.client_hello.as_mut().expect("there").message);
        alert(f, Side::B, 40)
    }

    #[test]
    fn a_few_good_flows_are_nothing_to_tell() {
        assert!(whole(vec![good(), good(), good()]).is_empty());
        assert!(whole(vec![refused(|_| {}), refused(|_| {})]).is_empty());
    }

    #[test]
    fn failures_that_repeat() {
        let found = whole((0..3).map(|_| refused(|_| {})).collect());
        assert_eq!(codes(&found), ["recurring-failure"]);
        assert_eq!(found[0].flows, [1, 2, 3]);
        assert!(
            found[0].title.contains("3 flows: handshake-failure-ambiguous, all from 192.0.2.1"),
            "{}",
            found[0].title
        );
        let found = whole((0..5).map(|_| refused(|_| {})).collect());
        assert_eq!(codes(&found), ["client-retry-loop", "recurring-failure"]);
        // A success in between breaks the row.
        let mixed = (0..8).map(|n| if n == 4 { good() } else { refused(|_| {}) }).collect();
        assert!(!codes(&whole(mixed)).contains(&"client-retry-loop"));
    }

    #[test]
    fn a_server_that_fails_for_some() {
        let some = |bad| (0..10).map(|n| if n < bad { refused(|_| {}) } else { good() }).collect();
        assert!(codes(&whole(some(2))).contains(&"handshake-failure-rate"));
        assert!(!codes(&whole(some(1))).contains(&"handshake-failure-rate"));
        assert!(!codes(&whole(some(10))).contains(&"handshake-failure-rate"), "it is down, not choosy");
    }

    #[test]
    fn many_connections() {
        let times = |n| whole((0..n).map(|_| good()).collect());
        assert!(codes(&times(30)).contains(&"handshake-storm"));
        assert!(!codes(&times(29)).contains(&"handshake-storm"));
        assert!(codes(&times(10)).contains(&"extra-rtt-no-resumption"));
        assert!(codes(&times(9)).is_empty());
        let apart = (0..30).map(|n| {
            let mut f = good();
            f.first.time.0 += n * 2_000_000_000;
            f
        });
        assert!(!codes(&whole(apart.collect())).contains(&"handshake-storm"), "spread over a minute");
    }

    #[test]
    fn what_worked_later() {
        let found = whole(vec![refused(|h| h.cipher_suites = vec![0x1303]), good()]);
        assert_eq!(codes(&found), ["working-sibling"]);
        assert!(
            found[0].detail.contains("192.0.2.2:8443 refused flow #1 (192.0.2.1) (cipher-mismatch)"),
            "{}",
            found[0].detail
        );
        // What worked before is evidence at the flow itself.
        assert!(whole(vec![good(), refused(|h| h.cipher_suites = vec![0x1303])]).is_empty());
    }

    #[test]
    fn intolerance_is_one_difference() {
        let old = || {
            let mut f = good();
            f.client_hello.as_mut().expect("there").message.extensions.supported_versions = vec![0x0303];
            f
        };
        assert!(codes(&whole(vec![refused(|_| {}), old()])).contains(&"version-intolerant"));
        // No version in common is no intolerance.
        let only = refused(|h| h.extensions.supported_versions = vec![0x0304]);
        assert!(!codes(&whole(vec![only, old()])).contains(&"version-intolerant"));
        let grease = || refused(|h| h.cipher_suites.insert(0, 0x1a1a));
        let found = whole(vec![grease(), good()]);
        assert!(codes(&found).contains(&"grease-intolerant"), "{found:?}");
        let both = refused(|h| (h.cipher_suites, h.extensions.groups) = (vec![0x1a1a, 0x1301], vec![0x001d]));
        assert!(!codes(&whole(vec![both, good()])).contains(&"grease-intolerant"));
        let more = refused(|h| h.extensions.types.push(0xfe0d));
        let found = whole(vec![more, good()]);
        let x = found.iter().find(|f| f.code == "extension-intolerant").expect("told");
        assert!(x.detail.contains("the extension encrypted_client_hello"), "{}", x.detail);
    }
}

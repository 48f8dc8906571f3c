//! HelloRetryRequest, and what the client makes of it.

use super::refusal::refusal;
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Placed};
use crate::span::Role;
use crate::tls::AnomalyKind;
use crate::tls::handshake::{ClientHello, ServerHello};
use crate::tls::names::{HandshakeType, NamedGroup, is_grease};

const TRACE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null";
const CLEAR: &str = "Certain: both ClientHellos and the HelloRetryRequest were read in clear.";
const UPDATE: &str = "Update the client's TLS library. Look for a device that keeps or changes its hellos.";

pub(super) const RULES: &[Rule] = &[
    new(
        "hrr",
        Severity::Info,
        0,
        "The server asked the client to begin again with another group",
        page(
            "The server sent a HelloRetryRequest: it does not take the key share that the client sent first, but another group that the client offers.",
            "It costs one round trip in every full handshake.",
            "Read in clear.",
            "Let the client send a share of the server's preferred group first (openssl -groups, curl --curves), or let the server prefer the client's (X25519).",
            TRACE,
            "RFC 8446, section 4.1.4",
        ),
        hrr,
    ),
    new(
        "hrr-loop",
        Severity::Error,
        48,
        "The server sent more than one HelloRetryRequest",
        page(
            "Two or more HelloRetryRequests in one connection.",
            "Only one is allowed; the client must refuse the second with unexpected_message.",
            "Certain: read in clear.",
            "Update the server's TLS library; behind a load balancer, let all servers have the same settings and cookie secret.",
            TRACE,
            "RFC 8446, section 4.1.4",
        ),
        hrr_loop,
    ),
    new(
        "hrr-cookie",
        Severity::Error,
        48,
        "The client does not give the server's cookie back",
        page(
            "The HelloRetryRequest carries a cookie and the second ClientHello has none, or another.",
            "The server keeps its state in the cookie and must refuse with missing_extension or illegal_parameter. A bug in the client.",
            CLEAR,
            UPDATE,
            TRACE,
            "RFC 8446, sections 4.1.2 and 4.2.2",
        ),
        cookie,
    ),
    new(
        "hrr-wrong-group-resend",
        Severity::Error,
        48,
        "The client sends a key share again that is not of the group the server asked for",
        page(
            "The HelloRetryRequest names a group, and the second ClientHello has no key share of it.",
            "The server must refuse with illegal_parameter. A bug in the client.",
            CLEAR,
            UPDATE,
            TRACE,
            "RFC 8446, sections 4.1.2 and 4.2.8",
        ),
        wrong_group,
    ),
    new(
        "hrr-unchanged-hello",
        Severity::Error,
        48,
        "The client sends the same ClientHello again after a HelloRetryRequest",
        page(
            "The second ClientHello is the same as the first one.",
            "The client does not know HelloRetryRequest, or something before it repeats its first message. The server must refuse with illegal_parameter or unexpected_message.",
            CLEAR,
            UPDATE,
            TRACE,
            "RFC 8446, section 4.1.2",
        ),
        unchanged,
    ),
];

fn hrr(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = f.hello_retry.as_ref()?;
    let h = f.client_hello.as_ref();
    let wanted = r.message.extensions.key_shares.first().map(|g| NamedGroup(*g));
    let wanted = wanted.map_or_else(|| "a cookie only".to_owned(), |g| g.name().map_or_else(|| g.id(), str::to_owned));
    let sent = h.map_or_else(String::new, |h| {
        let shares: Vec<u16> = h.message.extensions.key_shares.iter().copied().filter(|g| !is_grease(*g)).collect();
        format!(
            " The client had sent shares for {} and offers {}.",
            words::groups(&shares),
            words::groups(&h.message.extensions.groups)
        )
    });
    let cost = f.server_hello.as_ref().map_or_else(String::new, |s| {
        format!(" The extra round trip took {}.", words::duration(s.mark.time.us_since(r.mark.time)))
    });
    let detail = format!("HelloRetryRequest in frame {}: the server wants {wanted}.{sent}{cost}", r.mark.frame);
    Some(Hit::new(detail, "Put the server's preferred group first in the client's list (openssl: -groups; curl: --curves), or prefer X25519 on the server.").at(r.mark).blame(Blame::Nobody))
}

fn hrr_loop(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = f.hello_retry.as_ref().filter(|_| f.hello_retries > 1)?;
    Some(super::server_hello::broken(
        f,
        r.mark,
        format!("The server sent {} HelloRetryRequests; one is the most that is allowed.", f.hello_retries),
    ))
}

/// The HelloRetryRequest and the ClientHello that answers it, when both could be read whole.
fn answered(f: &FlowFacts) -> Option<(&Placed<ServerHello>, &Placed<ClientHello>)> {
    let (r, h) = (f.hello_retry.as_deref()?, f.second_hello.as_deref()?);
    let damaged = f.anomalies.iter().any(|(_, a)| {
        matches!(a.kind, AnomalyKind::Undecodable(HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO, _))
    });
    let whole = h.message.extensions.malformed.is_empty() && r.message.extensions.malformed.is_empty() && !damaged;
    (whole && h.side != r.side && h.mark.frame >= r.mark.frame).then_some((r, h))
}

/// The client's answer breaks a rule: the cause when the server refused it, a warning when the server did not mind.
fn broken(f: &FlowFacts, detail: String) -> Option<Hit> {
    let (r, h) = answered(f)?;
    let hit = Hit::new(detail, "On the client: update its TLS library.").at(r.mark).at(h.mark).blame(Blame::Client);
    let refused = refusal(f).filter(|e| e.role == Role::Server && f.server_hello.is_none());
    Some(match refused {
        Some(e) => hit.at(e.mark),
        None => hit.severity(Severity::Warning).beside(),
    })
}

fn cookie(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (r, h) = answered(f)?;
    let given = r.message.extensions.cookie?;
    let back = h.message.extensions.cookie;
    if back == Some(given) || is_unchanged(f) {
        return None;
    }
    let has = back.map_or_else(|| "none".to_owned(), |n| format!("one of {}", words::count(n as u64, "byte")));
    broken(
        f,
        format!(
            "The HelloRetryRequest in frame {} has a cookie of {}, the ClientHello in frame {} has {has}.",
            r.mark.frame,
            words::count(given as u64, "byte"),
            h.mark.frame
        ),
    )
}

fn wrong_group(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (r, h) = answered(f)?;
    let wanted = *r.message.extensions.key_shares.first()?;
    let shares: Vec<u16> = h.message.extensions.key_shares.iter().copied().filter(|g| !is_grease(*g)).collect();
    if shares.contains(&wanted) || is_unchanged(f) {
        return None;
    }
    broken(
        f,
        format!(
            "The HelloRetryRequest in frame {} asks for {}, the ClientHello in frame {} has shares for {}.",
            r.mark.frame,
            words::groups(&[wanted]),
            h.mark.frame,
            words::groups(&shares)
        ),
    )
}

fn is_unchanged(f: &FlowFacts) -> bool {
    f.client_hello.as_ref().is_some_and(|first| answered(f).is_some_and(|(_, h)| h.message == first.message))
}

fn unchanged(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (r, h) = answered(f).filter(|_| is_unchanged(f))?;
    broken(
        f,
        format!(
            "The ClientHello in frame {}, after the HelloRetryRequest in frame {}, is the same as the first one.",
            h.mark.frame, r.mark.frame
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, find, mark, server_hello, told};
    use super::{ClientHello, ServerHello};
    use crate::diagnose::Severity;
    use crate::facts::FlowFacts;
    use crate::span::Side;

    /// A HelloRetryRequest for P-256 and the client's answer to it, each with a change.
    fn retried(ask: impl FnOnce(&mut ServerHello), answer: impl FnOnce(&mut ClientHello)) -> FlowFacts {
        let mut f = server_hello(0x0304);
        let mut retry = f.server_hello.take().expect("there");
        retry.message.hello_retry = true;
        retry.message.extensions.key_shares = vec![0x0017];
        ask(&mut retry.message);
        let mut again = f.client_hello.clone().expect("there");
        again.mark = mark(8);
        again.message.extensions.key_shares = vec![0x0017];
        answer(&mut again.message);
        f.hello_retry = Some(retry);
        f.second_hello = Some(again);
        f.client_hellos = 2;
        f
    }

    #[test]
    fn answers_that_do_not_fit() {
        type Case = (FlowFacts, &'static str);
        let cases: [Case; 4] = [
            (retried(|r| r.extensions.cookie = Some(32), |_| ()), "hrr-cookie"),
            (retried(|r| r.extensions.cookie = Some(32), |h| h.extensions.cookie = Some(8)), "hrr-cookie"),
            (retried(|_| (), |h| h.extensions.key_shares = vec![0x0018]), "hrr-wrong-group-resend"),
            (retried(|_| (), |h| h.extensions.key_shares = vec![0x001d]), "hrr-unchanged-hello"),
        ];
        for (f, code) in cases {
            let x = find(&f, code).expect("told");
            assert!(x.severity == Severity::Warning && !x.explains_failure);
            let refused = alert(f, Side::B, 47);
            assert_eq!(told(&refused).cause, Some(code));
            let codes: Vec<_> =
                told(&refused).findings.iter().map(|x| x.code).filter(|c| c.starts_with("hrr-")).collect();
            assert_eq!(codes, [code], "one of them tells it");
        }
        let good = retried(|r| r.extensions.cookie = Some(32), |h| h.extensions.cookie = Some(32));
        for code in ["hrr-cookie", "hrr-wrong-group-resend", "hrr-unchanged-hello"] {
            assert!(find(&good, code).is_none());
            // The second hello was not captured.
            let mut f = good.clone();
            f.second_hello = None;
            assert!(find(&f, code).is_none());
        }
    }

    #[test]
    fn retries() {
        let mut f = server_hello(0x0304);
        assert!(find(&f, "hrr").is_none());
        f.hello_retry.clone_from(&f.server_hello);
        f.hello_retries = 1;
        assert!(find(&f, "hrr").is_some_and(|x| x.detail.contains("x25519")) && find(&f, "hrr-loop").is_none());
        f.hello_retries = 2;
        assert!(find(&f, "hrr-loop").is_some());
    }
}

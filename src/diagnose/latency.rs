//! Where the time of a handshake went, and what the transport did to it.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, MessageKind, Outcome};
use crate::flow::Mark;
use crate::span::Role;

/// Longer than a handshake step takes on any machine that is not in trouble: the slowest signatures in use (RSA with 4096
/// bits, a smart card) take some tens to hundreds of milliseconds, and a person notices a second.
const SLOW_US: u64 = 1_000_000;

/// Answers of applications take longer by right (a query, a long poll): three seconds are worth a note, no more.
const SLOW_ANSWER_US: u64 = 3_000_000;

/// Bytes that a server may send before the first acknowledgement: ten segments (RFC 6928, section 2) of the usual 1460.
const FIRST_WINDOW: u64 = 14_600;

/// A round trip that is worth a word: below it both ends are on one site, and nobody notices.
const TRIP_US: u64 = 10_000;

const TIMES: &str = "  curl -sS -o /dev/null -w 'connect %{time_connect} tls %{time_appconnect} first byte %{time_starttransfer}\\n' https://NAME:PORT/";

pub(super) const RULES: &[Rule] = &[
    new(
        "slow-tcp-connect",
        Severity::Warning,
        0,
        "The TCP connection took long to open",
        page(
            "A second or more passed between the client's first SYN and the SYN-ACK.",
            "The first SYN (or its answer) was lost and repeated after a second, the server's queue of new connections is full, or the path is very long.",
            "Certain: measured in the capture.",
            "Look for loss on the path and at the queue of the server (ss -ltn: Recv-Q against Send-Q; nstat -az TcpExtListenOverflows).",
            TIMES,
            "RFC 6298, section 2",
        ),
        slow_connect,
    ),
    new(
        "slow-server-hello",
        Severity::Warning,
        0,
        "The server took long to answer the ClientHello",
        page(
            "A second or more passed between ClientHello and ServerHello beyond the time that the path takes.",
            "The server (or the load balancer before it reaches a backend) is overloaded, waits for a lookup (DNS of the client, a session store, OCSP for stapling), or for entropy.",
            "Certain that the time passed behind the point of capture on the server's side; the path's share is taken from the opening of the connection.",
            "Look at the server's load and threads at that time, and at what it asks others before it answers (nginx: resolver, session cache; HAProxy: timeout client-hello; Envoy: SDS).",
            TIMES,
            "RFC 8446, section 2",
        ),
        slow_hello,
    ),
    new(
        "slow-certificate-flight",
        Severity::Warning,
        0,
        "The server took long to send its certificate and the rest of its flight",
        page(
            "A second or more passed between the ServerHello and the end of the server's flight.",
            "The server waits inside its flight: for a signature (HSM, remote key server, TPM), an OCSP response to staple, or a client that reads slowly.",
            "Certain that the time passed; likely that it is the server's, since lost segments are told apart.",
            "Measure the signature (openssl speed rsa2048, the log of the HSM or key server); staple from a cache (nginx: ssl_stapling_file), use an ECDSA key.",
            TIMES,
            "RFC 8446, section 4.4",
        ),
        slow_flight,
    ),
    new(
        "cert-flight-exceeds-initcwnd",
        Severity::Info,
        0,
        "The server's flight is too large for the first window",
        page(
            "The server sent more than ten full segments before the client could answer.",
            "A server may send about 14 KB before it has to wait for the first acknowledgement: more costs each new connection a round trip. Long chains, certificates with hundreds of names, large lists of CAs, post-quantum signatures do this.",
            "The size is certain for TLS 1.2 and before, and by the sum of the records for TLS 1.3; whether the server waited depends on its first window.",
            "Send fewer and smaller certificates (no root, ECDSA instead of RSA, names spread over several certificates), compress them (RFC 8879), trim the list of CAs (nginx: ssl_client_certificate with only the CAs needed), or raise the window (ip route change … initcwnd 20).",
            "  openssl s_client -connect HOST:PORT -servername NAME -showcerts -msg </dev/null | grep 'SSL handshake has read'",
            "RFC 6928; RFC 8879",
        ),
        large_flight,
    ),
    new(
        "slow-client-response",
        Severity::Warning,
        0,
        "The client took long to answer the server's flight",
        page(
            "A second or more passed between the end of the server's flight and the client's answer, beyond the time that the path takes.",
            "The client checks the server's certificate against something slow (OCSP or CRL download, a proxy for it), asks a person (PIN, choice of certificate), or signs with a smart card or HSM.",
            "Certain that the time passed behind the point of capture on the client's side.",
            "On the client: look at its revocation checks (Java: com.sun.security.enableCRLDP; Windows: CAPI2 log; curl --ssl-no-revoke to compare), its key store, and at DNS.",
            TIMES,
            "RFC 8446, section 4.4",
        ),
        slow_client,
    ),
    new(
        "slow-finished",
        Severity::Warning,
        0,
        "The server took long to finish the handshake",
        page(
            "A second or more passed between the client's Finished and the server's, beyond the time that the path takes (TLS 1.2 and before).",
            "The server checks the client's certificate against something slow (OCSP, CRL, LDAP), decrypts the key exchange with an HSM, or is overloaded.",
            "Certain that the time passed behind the point of capture on the server's side.",
            "On the server: look at its checks of client certificates (nginx: ssl_ocsp, ssl_crl; Apache: SSLOCSPEnable) and at its load.",
            TIMES,
            "RFC 5246, section 7.4.9",
        ),
        slow_finished,
    ),
    new(
        "slow-first-byte",
        Severity::Info,
        0,
        "The first answer came long after the first request",
        page(
            "Three seconds or more passed between the client's first application data and the server's (TLS 1.2 and before, where both can be told from handshake messages).",
            "TLS is done: the application behind it takes its time, or what waits is meant to (a long poll).",
            "Certain that the time passed; what was asked is encrypted.",
            "Look at the application, not at TLS.",
            TIMES,
            "RFC 5246, section 10",
        ),
        slow_answer,
    ),
    new(
        "extra-rtt-hrr",
        Severity::Info,
        0,
        "A HelloRetryRequest cost a round trip",
        page(
            "The server asked for another key share, and the client had to send its ClientHello again, 10 ms or more after the first.",
            "Each new connection of this client to this server takes a round trip more than it needs.",
            "Certain: both hellos were read in clear; the time is measured.",
            "On the client: send a key share of the group that the server prefers (put it first: openssl -groups, curl --curves, Java jdk.tls.namedGroups, Go CurvePreferences). On the server: accept a group that clients send a share for (X25519, X25519MLKEM768).",
            "  openssl s_client -connect HOST:PORT -groups GROUP -msg </dev/null | grep -c ClientHello",
            "RFC 8446, section 4.1.4",
        ),
        retry_trip,
    ),
];

/// Time of the path from the point of capture to the server and back, from the opening of the connection; 0 where that was
/// not seen, or not at the first attempt.
pub(super) fn server_path(f: &FlowFacts) -> u64 {
    let opened = f.tcp.opener().and_then(|o| f.tcp.syn[o].zip(f.tcp.syn_ack[o.other()]));
    opened.filter(|(s, a)| s.count == 1 && a.count == 1).map_or(0, |(s, a)| a.first.time.us_since(s.first.time))
}

/// The same to the client.
pub(super) fn client_path(f: &FlowFacts) -> u64 {
    let answer = f.tcp.opener().and_then(|o| f.tcp.syn_ack[o.other()]).filter(|a| a.count == 1);
    answer.zip(f.tcp.opened_at).map_or(0, |(a, m)| m.time.us_since(a.first.time))
}

/// Time between two steps beyond what the path takes, when it is long and no lost packet explains it.
fn thought(f: &FlowFacts, from: Mark, to: Mark, path: u64) -> Option<u64> {
    let lost = f.pace.iter().any(|p| p.resent.is_some());
    let us = to.time.us_since(from.time).saturating_sub(path);
    (!lost && us >= SLOW_US && from.frame <= to.frame && f.client_hellos == 1).then_some(us)
}

fn slow_connect(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let opener = f.tcp.opener()?;
    let (syn, answer) = (f.tcp.syn[opener]?, f.tcp.syn_ack[opener.other()]?);
    let us = answer.first.time.us_since(syn.first.time);
    if us < SLOW_US {
        return None;
    }
    let again = match syn.count {
        1 => String::new(),
        n => format!(" The SYN was sent {n} times."),
    };
    let detail = format!("The SYN-ACK came {} after the first SYN.{again}", words::duration(us));
    let remedy = "Look for loss on the path, and for a full queue of new connections on the server (ss -ltn).";
    Some(Hit::new(detail, remedy).at(syn.first).at(answer.first).blame(Blame::Network))
}

fn slow_hello(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.client_hello.as_ref()?.mark;
    let answer = f.server_hello.as_ref()?.mark;
    let us = thought(f, hello, answer, server_path(f))?;
    let detail =
        format!("The ServerHello came {} after the ClientHello, beyond the time of the path.", words::duration(us));
    let remedy = "On the server: look at its load at that time and at what it asks others before it answers.";
    Some(Hit::new(detail, remedy).at(hello).at(answer).blame(Blame::Server))
}

/// The end of the server's flight.
pub(super) fn flight_end(f: &FlowFacts) -> Option<Mark> {
    if !f.is_tls13() {
        return f.server_hello_done;
    }
    let (server, answer) = (f.side(Role::Server), f.client_answer()?);
    let before = f.shapes.iter().filter(|s| s.side == server && s.mark.frame < answer.frame);
    before.map(|s| s.mark).max_by_key(|m| m.frame)
}

fn slow_flight(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.server_hello.as_ref()?.mark;
    let end = flight_end(f)?;
    let us = thought(f, hello, end, server_path(f).saturating_add(client_path(f)))?;
    let detail = format!("The server's flight ended {} after its ServerHello.", words::duration(us));
    let remedy = "On the server: measure its signature (HSM, key server), and what it fetches meanwhile (OCSP).";
    Some(Hit::new(detail, remedy).at(hello).at(end).blame(Blame::Server).likely())
}

fn large_flight(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let server = f.side(Role::Server);
    let hello = f.server_hello.as_ref()?.mark;
    let end = flight_end(f)?;
    let within = |m: Mark| m.frame <= end.frame && m.frame >= hello.frame;
    let clear = f.messages.iter().filter(|m| m.side == server && matches!(m.kind, MessageKind::Handshake(_)));
    let bytes = clear.filter(|m| within(m.mark)).fold(0u64, |n, m| n.saturating_add(m.length as u64));
    let shapes = f.shapes.iter().filter(|s| s.side == server && within(s.mark));
    let bytes = shapes.fold(bytes, |n, s| n.saturating_add(u64::from(s.len)));
    if bytes <= FIRST_WINDOW {
        return None;
    }
    let trip = match server_path(f).saturating_add(client_path(f)) {
        0 => String::new(),
        us => format!(" A round trip takes {} here.", words::duration(us)),
    };
    let detail =
        format!("The server's flight has {bytes} bytes; about {FIRST_WINDOW} fit into the first window.{trip}");
    let remedy = "On the server: send fewer and smaller certificates, and a shorter list of CAs.";
    Some(Hit::new(detail, remedy).at(hello).at(end).blame(Blame::Server))
}

fn slow_client(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (end, answer) = (flight_end(f)?, f.client_answer()?);
    let us = thought(f, end, answer, client_path(f))?;
    let asked = if f.certificate_request.is_some() {
        " The server had asked for a certificate: a person may have chosen one or typed a PIN."
    } else {
        ""
    };
    let detail = format!("The client answered {} after the server's flight.{asked}", words::duration(us));
    let remedy = "On the client: look at its revocation checks (OCSP, CRL), its key store and DNS.";
    Some(Hit::new(detail, remedy).at(end).at(answer).blame(Blame::Client))
}

fn slow_finished(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    // In a resumed session the server finishes first.
    if f.is_tls13() || f.resumed() != Some(false) {
        return None;
    }
    let (client, server) = (f.of(Role::Client).after_ccs?, f.of(Role::Server).after_ccs?);
    let us = thought(f, client, server, server_path(f))?;
    let detail = format!("The server finished {} after the client.", words::duration(us));
    let remedy = "On the server: look at its checks of client certificates (OCSP, CRL, LDAP) and at its load.";
    Some(Hit::new(detail, remedy).at(client).at(server).blame(Blame::Server))
}

fn slow_answer(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if f.is_tls13() || f.outcome() != Outcome::Established {
        return None;
    }
    let (asked, answered) = (f.of(Role::Client).application_data?, f.of(Role::Server).application_data?);
    let us = answered.time.us_since(asked.time);
    if us < SLOW_ANSWER_US || asked.frame > answered.frame {
        return None;
    }
    let detail = format!("The server's first data came {} after the client's.", words::duration(us));
    Some(Hit::new(detail, "Look at the application behind TLS.").at(asked).at(answered).blame(Blame::Server))
}

fn retry_trip(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let retry = f.hello_retry.as_ref()?.mark;
    let first = f.client_hello.as_ref()?.mark;
    let second = f.second_hello.as_ref()?.mark;
    let us = second.time.us_since(first.time);
    if us < TRIP_US {
        return None;
    }
    let detail = format!("The second ClientHello came {} after the first.", words::duration(us));
    let remedy = "On the client: send a key share of the group that the server prefers.";
    Some(Hit::new(detail, remedy).at(first).at(retry).at(second).blame(Blame::Either))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, find, leaf, mark, moment as at, server_flight, server_hello};
    use crate::facts::{FlowFacts, Placed, Shape};
    use crate::flow::Pause;
    use crate::span::Side;
    use crate::tls::handshake::ServerHello;
    use crate::tls::names::ContentType;

    const LATENCY: [&str; 7] = [
        "slow-tcp-connect",
        "slow-server-hello",
        "slow-certificate-flight",
        "slow-client-response",
        "slow-finished",
        "slow-first-byte",
        "cert-flight-exceeds-initcwnd",
    ];

    /// A full handshake whose steps come at these milliseconds: SYN-ACK, ServerHello, ServerHelloDone, the client's answer, the
    /// server's Finished, the server's first data.
    fn steps(ms: [i64; 6]) -> FlowFacts {
        let mut f = established(server_flight(vec![leaf()]));
        let [answer, hello, done, client, finished, data] = ms;
        if let Some(s) = &mut f.tcp.syn_ack[Side::B] {
            s.first = at(2, answer);
        }
        f.tcp.syn[Side::A].as_mut().expect("there").first = at(1, 0);
        f.client_hello.as_mut().expect("there").mark = at(4, answer);
        f.server_hello.as_mut().expect("there").mark = at(6, hello);
        f.server_hello_done = Some(at(8, done));
        f.client_key_exchange = Some(at(9, client));
        (f.sides[Side::A].ccs, f.sides[Side::A].after_ccs) = (Some(at(9, client)), Some(at(9, client)));
        (f.sides[Side::B].ccs, f.sides[Side::B].after_ccs) = (Some(at(10, finished)), Some(at(10, finished)));
        f.sides[Side::A].application_data = Some(at(12, finished));
        f.sides[Side::B].application_data = Some(at(13, data));
        f
    }

    fn slow(f: &FlowFacts) -> Vec<&'static str> {
        LATENCY.into_iter().filter(|c| find(f, c).is_some()).collect()
    }

    #[test]
    fn each_step_has_its_name() {
        assert!(slow(&steps([20, 60, 70, 90, 110, 150])).is_empty());
        for (ms, code) in [
            ([1200, 1210, 1220, 1230, 1240, 1250], "slow-tcp-connect"),
            ([20, 1100, 1110, 1120, 1130, 1140], "slow-server-hello"),
            ([20, 60, 1100, 1120, 1130, 1140], "slow-certificate-flight"),
            ([20, 60, 70, 1100, 1130, 1140], "slow-client-response"),
            ([20, 60, 70, 90, 1150, 1160], "slow-finished"),
            ([20, 60, 70, 90, 110, 3120], "slow-first-byte"),
        ] {
            assert_eq!(slow(&steps(ms)), [code]);
        }
        // A path of 600 ms (a satellite) makes no step slow.
        assert!(slow(&steps([600, 1200, 1210, 1220, 1830, 2440])).is_empty());
    }

    #[test]
    fn a_lost_packet_is_no_thought() {
        let mut f = steps([20, 1100, 1110, 1120, 1130, 1140]);
        f.pace[Side::B].resent = Some(Pause { mark: at(6, 1100), us: 1_000_000, len: 1460 });
        f.pace[Side::B].resent_count = 1;
        assert!(slow(&f).is_empty());
        let x = find(&f, "handshake-retransmit-stall").expect("told");
        assert!(
            x.detail.contains("the server sent 1,460 bytes again, or late, after a pause of 1.000 s"),
            "{}",
            x.detail
        );
        assert!(find(&steps([20, 60, 70, 90, 110, 150]), "handshake-retransmit-stall").is_none());
    }

    #[test]
    fn flights_that_do_not_fit() {
        let mut f = established(server_hello(0x0304));
        let shape = |n, side, len| Shape { mark: mark(n), side, content_type: ContentType::APPLICATION_DATA, len };
        f.shapes = vec![shape(6, Side::B, 9000), shape(7, Side::B, 9000), shape(9, Side::A, 53)];
        f.sides[Side::A].protected = Some(mark(9));
        let x = find(&f, "cert-flight-exceeds-initcwnd").expect("told");
        assert!(x.detail.contains("18001 bytes"), "{}", x.detail);
        f.shapes[1].len = 100;
        assert!(find(&f, "cert-flight-exceeds-initcwnd").is_none());
        // What comes behind the client's answer is no part of it.
        f.shapes.push(shape(12, Side::B, 16000));
        assert!(find(&f, "cert-flight-exceeds-initcwnd").is_none());
    }

    #[test]
    fn a_retry_costs_a_round_trip() {
        let mut f = server_hello(0x0304);
        assert!(find(&f, "extra-rtt-hrr").is_none());
        let first = f.client_hello.clone().expect("there");
        let retry = ServerHello { hello_retry: true, ..ServerHello::default() };
        f.hello_retry =
            Some(Box::new(Placed { message: retry, mark: mark(5), side: Side::B, frames: Default::default() }));
        f.second_hello = Some(Box::new(Placed { mark: at(5, 44), ..*first }));
        let x = find(&f, "extra-rtt-hrr").expect("told");
        assert!(x.detail.contains("came 40.00 ms after"), "{}", x.detail);
    }
}

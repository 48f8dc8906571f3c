//! How an established connection ends: idle, cut, or with words that nobody heard.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{Basis, FlowFacts, Outcome};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::ContentType;

const TIMERS: &str = "  ss -tnoi dst HOST\n  curl -v --keepalive-time 30 https://NAME/";

/// Seconds after which programs and devices usually close idle connections: 30, 60, 75 and 120 s servers, 240 s Azure, 300 s
/// firewalls, 350 s AWS NLB, 600 s Google Cloud and HAProxy, 900 to 7200 s firewalls.
const USUAL: &[u64] = &[30, 60, 65, 75, 90, 120, 180, 240, 300, 350, 400, 600, 900, 1200, 1800, 3600, 7200];

/// A timer is at most so late.
const LATE_US: u64 = 1_500_000;

/// A server that has no answer says so within this time.
const ANSWER_US: u64 = 10_000_000;

/// An end that is not answered for so long is not answered.
const DEAF_US: u64 = 5_000_000;

pub(super) const RULES: &[Rule] = &[
    new(
        "lb-idle-reset",
        Severity::Warning,
        0,
        "The connection was reset when it was used again after a pause",
        page(
            "The connection had been idle, at least half a minute; then it was reset: after a usual idle time, or right behind the first new data.",
            "Load balancers, NAT gateways and firewalls forget idle connections (AWS NLB after 350 s, Azure after 240 s, firewalls after 300 to 3600 s) and reset what comes then. The application sees \"connection reset by peer\" at random, on pooled connections.",
            "Likely where new data was answered by the reset; possible where only the length of the pause speaks.",
            "Keep the pool's idle time below that of the device, or send keep-alives more often: net.ipv4.tcp_keepalive_time with SO_KEEPALIVE, gRPC keepalive_time, HTTP/2 PING, JDBC and Kafka connections.max.idle.ms; or raise the idle time of the load balancer.",
            TIMERS,
            "RFC 9293, section 3.8.4; RFC 5382, section 5",
        ),
        idle_reset,
    ),
    new(
        "idle-timeout-close",
        Severity::Info,
        0,
        "A peer closed the connection after an idle time",
        page(
            "Nothing was sent for a usual idle time (30, 60, 300 s …), then one side closed the connection.",
            "Its keep-alive timer ran out. That is in order; yet where the other side sends a request at that very moment, the request is lost, and that is told as a warning.",
            "Likely: the pause has the length of a timer.",
            "Let the client's idle time be shorter than the server's (nginx keepalive_timeout, Apache KeepAliveTimeout, Envoy idle_timeout, Node server.keepAliveTimeout), and let it repeat requests that met a closed connection.",
            TIMERS,
            "RFC 9112, section 9.5",
        ),
        idle_close,
    ),
    new(
        "close-notify-not-answered",
        Severity::Info,
        0,
        "A peer said goodbye and the other kept the connection open",
        page(
            "One side sent close_notify (or an alert of its size) as its last word; for five seconds or more the other neither answered it nor closed.",
            "A program that does not read while it waits holds sockets in CLOSE_WAIT and runs out of them, or a proxy did not pass the end on.",
            "Likely: a protected alert at the end of an established connection is close_notify.",
            "On the side that did not close: read until the end and close then; look for a leak of connections (ss -tn state close-wait).",
            "  ss -tnp state close-wait",
            "RFC 8446, section 6.1; RFC 5246, section 7.2.1",
        ),
        deaf,
    ),
    new(
        "rst-after-close-notify",
        Severity::Info,
        0,
        "Data was lost behind a goodbye",
        page(
            "After a side's close_notify the other still sent data, and the connection was reset.",
            "The one had closed while the other's data were on their way; they were thrown away. Mostly a client that reuses a connection whose server is just closing it, or a server that does not read a request to its end.",
            "That data came behind the goodbye is certain; that they mattered is not.",
            "Let the client close idle connections before the server does, and repeat requests that are safe to repeat. On the server, read the request to its end before closing (nginx lingering_close).",
            TIMERS,
            "RFC 9112, section 9.6; RFC 8446, section 6.1",
        ),
        lost_behind,
    ),
    new(
        "alert-after-established",
        Severity::Warning,
        0,
        "The server answered the client's first data with an alert",
        page(
            "The handshake was completed and the client sent data; all that the server sent then was a protected alert.",
            "The server ended the connection instead of answering: no client certificate for what was asked (after the handshake), a request that it does not take (HTTP/2 and HTTP/1 mixed up), or a backend that closed. A plain close_notify without an answer looks the same.",
            "Likely as to the alert: by the record's type, in TLS 1.3 by its size. What it says is encrypted; Wireshark with a key log would show it.",
            "Look at the server's log at this time; compare application protocols (ALPN) and what is asked of the client after the handshake.",
            "  openssl s_client -connect HOST:PORT -servername NAME -msg -ign_eof",
            "RFC 8446, section 6; RFC 5246, section 7.2",
        ),
        alert_for_an_answer,
    ),
];

/// An established flow without holes, of which both sides are known to the end.
fn known(f: &FlowFacts) -> bool {
    let whole = f.sides.iter().all(|s| s.gaps.is_empty() && s.unreadable.is_none() && !s.mid_stream);
    whole && f.outcome() == Outcome::Established && !f.evicted && !f.source_damaged && f.tcp.cut.is_none()
}

/// The last payload of each role.
fn last_data(f: &FlowFacts, role: Role) -> Option<Mark> {
    f.tcp.last_data[f.side(role)]
}

/// A pause that a timer makes: its seconds.
fn timer(us: u64) -> Option<u64> {
    USUAL.iter().copied().find(|s| {
        let whole = s.saturating_mul(1_000_000);
        us >= whole.saturating_sub(100_000) && us <= whole.saturating_add(LATE_US)
    })
}

fn idle_reset(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !known(f) {
        return None;
    }
    let (role, reset) =
        [Role::Client, Role::Server].into_iter().filter_map(|r| Some((r, f.rst(r)?))).min_by_key(|(_, m)| m.frame)?;
    // Who had closed before does not wait for anything.
    if [Role::Client, Role::Server].iter().any(|r| f.fin(*r).is_some_and(|m| m.frame < reset.frame)) {
        return None;
    }
    let (own, peer) = (last_data(f, role)?, last_data(f, role.other())?);
    let before = reset.frame;
    if own.frame >= before || peer.frame >= before {
        return None;
    }
    let quiet = reset.time.us_since(own.time.max(peer.time));
    let remedy = "Send keep-alives more often than the device forgets (SO_KEEPALIVE with a short tcp_keepalive_time, gRPC keepalive, HTTP/2 PING), or let the pool close idle connections earlier.";
    if let Some(seconds) = timer(quiet) {
        let detail = format!(
            "The last data were sent {} before the reset in frame {}: a timer of {seconds} s.",
            words::duration(quiet),
            reset.frame
        );
        return Some(Hit::new(detail, remedy).at(reset).possible().blame(Blame::Network));
    }
    // New data after the pause, and the reset behind it.
    let (pause, answer) = (peer.time.us_since(own.time), reset.time.us_since(peer.time));
    let woken = peer.frame > own.frame && pause >= 30_000_000 && answer < 1_000_000;
    let detail = format!(
        "After a pause of at most {} the {} sent data in frame {}; {} later, in frame {}, the connection was reset.",
        words::duration(pause),
        role.other(),
        peer.frame,
        words::duration(answer),
        reset.frame
    );
    // Only the last data of each side are known: what the one sends may have begun before.
    let once = f.of(role.other()).last_record.is_some_and(|(_, _, m)| m.frame == peer.frame);
    (woken && once).then(|| Hit::new(detail, remedy).at(peer).at(reset).likely().blame(Blame::Network))
}

fn idle_close(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !known(f) {
        return None;
    }
    let end = f.ended_by()?;
    if f.rst(end.role) == Some(end.mark) {
        return None;
    }
    let quiet = |role| f.sides[f.side(role)].application_data.and(last_before(f, role, end.mark));
    let last = [Role::Client, Role::Server].into_iter().filter_map(quiet).max_by_key(|m| m.frame)?;
    let pause = end.mark.time.us_since(last.time);
    let seconds = timer(pause)?;
    let late = last_data(f, end.role.other()).filter(|m| m.frame > end.mark.frame);
    let reset = f.rst(end.role).filter(|r| late.is_some_and(|m| r.frame > m.frame));
    let detail = format!(
        "Nothing was sent for {} ({seconds} s is a usual timer); then, in frame {}, the {} closed the connection.{}",
        words::duration(pause),
        end.mark.frame,
        end.role,
        match (late, reset) {
            (Some(m), Some(r)) => format!(
                " The {} sent data in frame {} all the same; the reset in frame {} threw them away.",
                end.role.other(),
                m.frame,
                r.frame
            ),
            _ => String::new(),
        }
    );
    let remedy =
        "Let the client's idle time be shorter than the server's, and let it repeat what met a closed connection.";
    let hit = Hit::new(detail, remedy).at(last).at(end.mark).likely();
    Some(match reset {
        Some(r) => hit.at(r).severity(Severity::Warning).blame(Blame::Client),
        None => hit.blame(Blame::Nobody),
    })
}

/// The last payload of a role before an end; `None` where only a later one is known.
fn last_before(f: &FlowFacts, role: Role, end: Mark) -> Option<Mark> {
    let last = last_data(f, role)?;
    if last.frame < end.frame {
        return Some(last);
    }
    // The goodbye is itself data: what came before it stands among the records, where those are all known.
    let side = f.side(role);
    let before = f.shapes.iter().rfind(|s| s.side == side && s.mark.frame < end.frame).map(|s| s.mark);
    before.filter(|_| f.every_shape_is_known())
}

/// The last record of a role when it was its goodbye.
fn goodbye(f: &FlowFacts, role: Role) -> Option<Mark> {
    let side = f.side(role);
    let (_, _, last) = f.of(role).last_record?;
    let alert = f.alerts.iter().rfind(|a| a.side == side && a.mark == last && a.basis == Basis::Inferred);
    alert.map(|a| a.mark)
}

fn deaf(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !known(f) {
        return None;
    }
    let (role, bye) = [Role::Client, Role::Server]
        .into_iter()
        .filter_map(|r| Some((r, goodbye(f, r)?)))
        .min_by_key(|(_, m)| m.frame)?;
    let peer = role.other();
    let closed = [f.fin(peer), f.rst(peer), f.rst(role), goodbye(f, peer)].into_iter().flatten();
    let end = closed.filter(|m| m.frame >= bye.frame).min_by_key(|m| m.frame);
    let until = end.unwrap_or(f.last);
    let waited = until.time.us_since(bye.time);
    // What it still had to say is a reason to stay.
    let talks = last_data(f, peer).is_some_and(|m| m.frame > bye.frame && Some(m.frame) != end.map(|e| e.frame));
    if waited < DEAF_US || talks {
        return None;
    }
    let detail = format!(
        "The {role} said goodbye in frame {}; the {peer} neither answered nor closed for {}.",
        bye.frame,
        words::duration(waited)
    );
    let remedy = format!("On the {peer}: read until the end and close the connection then.");
    Some(Hit::new(detail, remedy).at(bye).at_any(end).likely().blame(peer))
}

fn lost_behind(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !known(f) {
        return None;
    }
    [Role::Client, Role::Server].into_iter().find_map(|role| {
        let bye = goodbye(f, role)?;
        let reset = f.rst(role)?;
        let peer = role.other();
        let (kind, len, data) = f.of(peer).last_record?;
        // An answer to the goodbye is no loss.
        let goodbye_too = kind == ContentType::ALERT || f.is_tls13() && len < 53 || goodbye(f, peer).is_some();
        if goodbye_too || data.frame <= bye.frame || reset.frame <= data.frame {
            return None;
        }
        let detail = format!(
            "The {role} said goodbye in frame {}; the {peer} sent data until frame {}; the reset is in frame {}.",
            bye.frame, data.frame, reset.frame
        );
        let remedy = "Let the client close idle connections before the server does, and repeat what is safe to repeat; let the server read requests to their end.";
        Some(Hit::new(detail, remedy).at(bye).at(data).at(reset).blame(Blame::Either))
    })
}

fn alert_for_an_answer(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !known(f) || !f.every_shape_is_known() {
        return None;
    }
    let asked = f.of(Role::Client).application_data?;
    let alert = goodbye(f, Role::Server).filter(|m| m.frame > asked.frame)?;
    let left = [f.fin(Role::Client), f.rst(Role::Client), goodbye(f, Role::Client)].into_iter().flatten();
    let left_first = left.map(|m| m.frame).min().is_some_and(|m| m <= alert.frame);
    let server = f.side(Role::Server);
    // Tickets are no answer.
    let answered = f.shapes.iter().any(|s| {
        let data = s.side == server && s.content_type == ContentType::APPLICATION_DATA;
        data && s.mark.frame > asked.frame && !f.is_told(s)
    });
    // Protocols in which only the client speaks end so, too, when the server is stopped: much later.
    if answered || left_first || alert.time.us_since(asked.time) > ANSWER_US {
        return None;
    }
    let detail = format!(
        "The client's first data came in frame {}; the server's only word after them is the alert in frame {}, which is encrypted.{}",
        asked.frame,
        alert.frame,
        // gnutls-serv sends its tickets first and judges the certificate then (measured, 3.7.9).
        match f.client_auth(f.outcome()).requested {
            Some(true) => " It had asked for a client certificate: some servers judge that only after the handshake.",
            _ => "",
        }
    );
    let remedy = "Look at the server's log: it knows why it gave no answer. Wireshark with a key log would show the alert. If it asked for a client certificate, check issuer, dates and purpose of what the client sent.";
    Some(Hit::new(detail, remedy).at(asked).at(alert).likely().blame(Blame::Either))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, find, leaf, mark, server_flight};
    use super::*;
    use crate::diagnose::Confidence;
    use crate::facts::{AlertFact, Shape};
    use crate::span::Side;

    const S: u64 = 1000; // frames are a millisecond apart

    /// An established flow: data of the client in frame 12, of the server in frame 13.
    fn spoken() -> FlowFacts {
        let mut f = established(server_flight(vec![leaf()]));
        f.tcp.last_data = crate::span::Pair::new(Some(mark(12)), Some(mark(13)));
        for (side, frame) in [(Side::A, 12), (Side::B, 13)] {
            record(&mut f, side, ContentType::APPLICATION_DATA, frame);
        }
        f
    }

    fn record(f: &mut FlowFacts, side: Side, content_type: ContentType, frame: u64) {
        f.sides[side].encrypted.records += 1;
        f.sides[side].last_record = Some((content_type, 40, mark(frame)));
        f.tcp.last_data[side] = Some(mark(frame));
        f.shapes.push(Shape { mark: mark(frame), side, content_type, len: 40 });
        f.last = mark(frame);
    }

    fn bye(f: &mut FlowFacts, side: Side, frame: u64) {
        record(f, side, ContentType::ALERT, frame);
        f.alerts.push(AlertFact { mark: mark(frame), side, said: None, basis: Basis::Inferred });
    }

    #[test]
    fn a_reset_after_an_idle_time() {
        let code = "lb-idle-reset";
        let reset = |frame| {
            let mut f = spoken();
            f.tcp.rst[Side::B] = Some(mark(frame));
            find(&f, code).map(|x| x.confidence)
        };
        assert_eq!(reset(13 + 350 * S), Some(Confidence::Possible));
        assert_eq!(reset(13 + 371 * S), None);
        assert_eq!(reset(14), None);
        // New data after the pause, and the reset behind it.
        let mut f = spoken();
        record(&mut f, Side::A, ContentType::APPLICATION_DATA, 13 + 500 * S);
        f.tcp.rst[Side::B] = Some(mark(14 + 500 * S));
        assert_eq!(find(&f, code).map(|x| x.confidence), Some(Confidence::Likely));
        f.tcp.fin[Side::B] = Some(mark(14 + 60 * S));
        assert!(find(&f, code).is_none(), "the server had closed long before");
    }

    #[test]
    fn a_close_after_an_idle_time() {
        let code = "idle-timeout-close";
        let closed = |frame| {
            let mut f = spoken();
            bye(&mut f, Side::B, frame);
            f.tcp.fin[Side::B] = Some(mark(frame + 1));
            f
        };
        assert_eq!(find(&closed(13 + 60 * S), code).map(|x| x.severity), Some(Severity::Info));
        assert!(find(&closed(13 + 5 * S), code).is_none() && find(&closed(13 + 100 * S), code).is_none());
        let mut f = closed(13 + 60 * S);
        record(&mut f, Side::A, ContentType::APPLICATION_DATA, 15 + 60 * S);
        f.tcp.rst[Side::B] = Some(mark(16 + 60 * S));
        assert_eq!(find(&f, code).map(|x| x.severity), Some(Severity::Warning));
    }

    #[test]
    fn a_goodbye_that_nobody_answers() {
        let code = "close-notify-not-answered";
        let mut f = spoken();
        bye(&mut f, Side::A, 14);
        f.tcp.fin[Side::B] = Some(mark(14 + 9 * S));
        assert_eq!(find(&f, code).map(|x| x.blame), Some(Blame::Server));
        f.tcp.fin[Side::B] = Some(mark(15));
        assert!(find(&f, code).is_none());
        f.tcp.fin[Side::B] = Some(mark(14 + 9 * S));
        record(&mut f, Side::B, ContentType::APPLICATION_DATA, 14 + 2 * S);
        assert!(find(&f, code).is_none(), "it still had to say something");
    }

    #[test]
    fn data_behind_a_goodbye() {
        let code = "rst-after-close-notify";
        let mut f = spoken();
        bye(&mut f, Side::B, 14);
        f.tcp.rst[Side::B] = Some(mark(16));
        assert!(find(&f, code).is_none());
        record(&mut f, Side::A, ContentType::APPLICATION_DATA, 15);
        assert!(find(&f, code).is_some());
        bye(&mut f, Side::A, 15);
        assert!(find(&f, code).is_none(), "it answered the goodbye");
    }

    #[test]
    fn an_alert_for_an_answer() {
        let code = "alert-after-established";
        let mut f = spoken();
        bye(&mut f, Side::B, 14);
        assert!(find(&f, code).is_none(), "it had answered");
        f.shapes.retain(|s| s.side == Side::A || s.content_type == ContentType::ALERT);
        f.sides[Side::B].encrypted.records = 1;
        assert_eq!(find(&f, code).map(|x| x.confidence), Some(Confidence::Likely));
        assert!(find(&f, code).is_some_and(|x| !x.detail.contains("client certificate")));
        let of_mutual = super::super::testing::asked(f.clone());
        assert!(find(&of_mutual, code).is_some_and(|x| x.detail.contains("client certificate")));
        f.tcp.fin[Side::A] = Some(mark(13));
        assert!(find(&f, code).is_none(), "the client had left");
    }
}

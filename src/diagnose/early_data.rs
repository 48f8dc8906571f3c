//! Data that a TLS 1.3 client sends with its first flight (0-RTT): taken or not, and what that risks.

use super::{Blame, Hit, Policy, Rule, Severity, new, page};
use crate::facts::{EarlyData, FlowFacts, MessageKind, Outcome, Shape};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::{ContentType, HandshakeType};

const PROBE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -sess_in s.pem -early_data request.txt";

pub(super) const RULES: &[Rule] = &[
    new(
        "early-data-accepted",
        Severity::Info,
        0,
        "The server accepted early data",
        page(
            "The client sent data with its first flight (0-RTT) and the server took it.",
            "One round trip less. Early data can be replayed by anybody who records it: a server must not change anything on its word.",
            "By an EndOfEarlyData, seen by the size of its record before the client's Finished: it is sent only when early data was accepted.",
            "Let the application answer early requests only where a repetition does no harm (RFC 8470, status 425), or switch it off: nginx ssl_early_data off.",
            PROBE,
            "RFC 8446, sections 2.3, 4.5 and 8; RFC 8470",
        ),
        accepted,
    ),
    new(
        "early-data-rejected",
        Severity::Info,
        0,
        "The server did not accept early data",
        page(
            "The client offered data with its first flight (0-RTT) and the server went on without it.",
            "The client sends the data again after the handshake: nothing is lost but the time. The server forgot the ticket, has seen it before, or has early data switched off.",
            "Certain where the server asked for another hello, chose an older version or did a full handshake; likely where only the EndOfEarlyData is missing.",
            "Nothing to mend. Where it happens always, let all servers of a name share their ticket keys, or switch early data off in the client.",
            PROBE,
            "RFC 8446, section 4.2.10",
        ),
        rejected,
    ),
    new(
        "early-data-replay-risk",
        Severity::Warning,
        0,
        "The server answered early data before the client had finished the handshake",
        page(
            "The server accepted early data and sent data of its own before the client's Finished had come.",
            "Until the Finished the server cannot know whether the early data come from a client that is there or from a recording that somebody plays again. It has acted on it already: harmless for a page, not for a payment.",
            "Likely: by the sizes and the order of the records. Whether the request may be repeated without harm, the wire does not show.",
            "Let the application see that a request came early and refuse what changes anything with 425 Too Early: nginx proxy_set_header Early-Data $ssl_early_data, HAProxy http-request wait-for-handshake. Or switch it off: nginx ssl_early_data off.",
            PROBE,
            "RFC 8446, section 8 and appendix E.5; RFC 8470",
        ),
        replay_risk,
    ),
    new(
        "early-data-too-big",
        Severity::Warning,
        26,
        "The server broke off in the midst of the client's early data",
        page(
            "The client sent early data; the server began its flight, then sent an alert and closed before the client's Finished.",
            "More early data than the ticket allows (max_early_data_size) ends the connection with unexpected_message. Mostly a ticket of one server is used at another with a smaller limit, or the limit was lowered after the ticket was given out.",
            "Possible: the alert is encrypted, and the limit stands in an encrypted ticket.",
            "Set the same limit on all servers of a name (openssl s_server -max_early_data and -recv_max_early_data, SSL_CTX_set_recv_max_early_data), and let the client send less early data.",
            PROBE,
            "RFC 8446, sections 4.2.10 and 4.6.1",
        ),
        too_big,
    ),
];

fn accepted(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let claim = f.early_data().filter(|c| c.value == EarlyData::Accepted)?;
    let end = f.messages.iter().find(|m| m.kind == MessageKind::Handshake(HandshakeType::END_OF_EARLY_DATA))?;
    let detail = format!("EndOfEarlyData, by the size of its record, in frame {}.", end.mark.frame);
    Some(Hit::new(detail, "").at(end.mark).sure(claim.confidence).blame(Blame::Nobody))
}

fn rejected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let claim = f.early_data().filter(|c| c.value == EarlyData::Rejected)?;
    let answer = f.hello_retry.as_ref().or(f.server_hello.as_ref())?;
    let why = if f.hello_retry.is_some() {
        "the server asked for another ClientHello"
    } else if !f.is_tls13() {
        "the server chose an older version"
    } else if f.resumed() == Some(false) {
        "the server did a full handshake"
    } else {
        "no EndOfEarlyData followed"
    };
    let detail = format!("The client offered early data; {why} (frame {}).", answer.mark.frame);
    Some(Hit::new(detail, "").at(answer.mark).sure(claim.confidence).blame(Blame::Nobody))
}

/// The server's protected records, in order.
fn of_server(f: &FlowFacts) -> impl Iterator<Item = &Shape> {
    let server = f.side(Role::Server);
    f.shapes.iter().filter(move |s| s.side == server && s.content_type == ContentType::APPLICATION_DATA)
}

fn replay_risk(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    f.early_data().filter(|c| c.value == EarlyData::Accepted && f.outcome() == Outcome::Established)?;
    let finished = f.inferred.as_ref()?.finished?;
    // With a pre-shared key the server's flight is EncryptedExtensions and Finished.
    let own = of_server(f).position(|s| s.len == f.finished_record_len())?;
    let mut early = of_server(f).skip(own.saturating_add(1)).take_while(|s| s.mark.frame < finished.frame);
    let first = early.next()?;
    // Tickets may go ahead of the client's Finished as well: two or more of one size, or one alone.
    if early.all(|s| s.len == first.len) {
        return None;
    }
    let detail = format!(
        "Early data were accepted; the server sent data of its own from frame {} on, the client's Finished came in frame {}.",
        first.mark.frame, finished.frame
    );
    let remedy = "Let the application refuse early requests that change anything (425 Too Early), or switch early data off on the server.";
    Some(Hit::new(detail, remedy).at(first.mark).at(finished).likely().blame(Role::Server))
}

/// The server's alert, by size, right behind its own flight and before the client's Finished, and its close.
fn broke_off(f: &FlowFacts) -> Option<Mark> {
    let known = f.sides.iter().all(|s| s.gaps.is_empty()) && !f.source_damaged && f.every_shape_is_known();
    let own = of_server(f).position(|s| s.len == f.finished_record_len())?;
    let mut behind = of_server(f).skip(own.saturating_add(1));
    let last = behind.next().filter(|s| s.len == 19 && known && behind.next().is_none())?;
    let closed = f.fin(Role::Server).or(f.rst(Role::Server))?;
    let client_done = f.inferred.as_ref().and_then(|i| i.finished).or(f.fin(Role::Client));
    let before = client_done.is_none_or(|m| m.frame > last.mark.frame);
    (before && closed.frame >= last.mark.frame).then_some(last.mark)
}

fn too_big(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    f.early_data().filter(|_| f.is_tls13() && f.resumed() == Some(true))?;
    let alert = broke_off(f)?;
    let client = f.side(Role::Client);
    let early = f.shapes.iter().filter(|s| s.side == client && s.mark.frame <= alert.frame);
    let bytes = early.map(|s| u64::from(s.len)).fold(0, u64::saturating_add);
    let detail = format!(
        "The client sent {bytes} protected bytes with its first flight; in frame {} the server sent a record of an alert's size and closed.",
        alert.frame
    );
    let remedy = "Compare the limits for early data of all servers behind this name; let the client send less with its first flight.";
    let hit = Hit::new(detail, remedy).at(alert).possible().blame(Blame::Either);
    let failed = matches!(f.outcome(), Outcome::Failed | Outcome::Rejected);
    Some(if failed { hit.severity(Severity::Error) } else { hit.beside() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{find, mark, with};
    use super::*;
    use crate::span::Side;

    /// A resumed flow with early data: records of the server, then (unless 0) the client's Finished in frame 9.
    fn early(server: &[(u64, u16)], finished: u64) -> FlowFacts {
        let mut f = with(0x0304, |c, s| {
            c.extensions.early_data = true;
            s.extensions.psk = Some(Default::default());
        });
        let mut records = vec![(Side::A, 4, 1385)];
        records.extend(server.iter().map(|(frame, len)| (Side::B, *frame, *len)));
        if finished > 0 {
            records.extend([(Side::A, finished, 21), (Side::A, finished, 53)]);
        }
        for (side, frame, len) in records {
            let s = &mut f.sides[side];
            s.encrypted.records += 1;
            s.last_record = Some((ContentType::APPLICATION_DATA, len, mark(frame)));
            if frame >= 6 {
                s.protected.get_or_insert(mark(frame));
                if len >= 53 {
                    s.finished_sized.get_or_insert(mark(frame));
                }
            }
            f.shapes.push(Shape { mark: mark(frame), side, content_type: ContentType::APPLICATION_DATA, len });
        }
        crate::inference::apply(&mut f);
        f
    }

    #[test]
    fn an_answer_before_the_finished() {
        let code = "early-data-replay-risk";
        assert!(find(&early(&[(6, 27), (6, 53), (7, 300), (7, 900)], 9), code).is_some());
        assert!(find(&early(&[(6, 27), (6, 53), (10, 300), (10, 900)], 9), code).is_none());
        assert!(find(&early(&[(6, 27), (6, 53), (7, 234), (7, 234)], 9), code).is_none(), "tickets");
    }

    #[test]
    fn more_than_the_server_takes() {
        let code = "early-data-too-big";
        let mut f = early(&[(6, 27), (6, 53), (7, 19)], 0);
        assert!(find(&f, code).is_none(), "nobody has closed");
        f.tcp.fin[Side::B] = Some(mark(8));
        assert!(find(&f, code).is_some());
        let mut f = early(&[(6, 27), (6, 53), (10, 19)], 9);
        f.tcp.fin[Side::B] = Some(mark(11));
        assert!(find(&f, code).is_none(), "the client had finished");
    }
}

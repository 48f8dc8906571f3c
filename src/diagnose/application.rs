//! After the handshake: how an established connection ends.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{EndedBy, FlowFacts, How, Outcome};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::AnomalyKind;
use crate::tls::names::ContentType;

pub(super) const RULES: &[Rule] = &[
    new(
        "no-close-notify",
        Severity::Warning,
        0,
        "A peer ended the connection without close_notify",
        page(
            "The side that ended the connection (FIN or RST) had not sent an alert as its last record.",
            "The other side cannot tell the end from a cut: an answer whose length is not known otherwise may be incomplete. OpenSSL 3 says \"unexpected eof while reading\", Java \"closed before receiving peer's close_notify\".",
            "By the type of the last protected record (TLS 1.2), or its length (TLS 1.3, where an alert has 19 bytes or is padded: there it is likely).",
            "Let the program shut TLS down before it closes the socket (SSL_shutdown, SSLSocket.close, conn.CloseWrite). If it crashed or was killed, its log says so; if neither side did it, a device between cuts idle connections: use keep-alives.",
            "  openssl s_client -connect HOST:PORT -servername NAME -msg </dev/null",
            "RFC 8446, section 6.1; RFC 5246, section 7.2.1",
        ),
        no_close_notify,
    ),
    new(
        "rst-during-app",
        Severity::Warning,
        0,
        "The connection was reset while application data was exchanged",
        page(
            "After the handshake one side reset the connection without having closed it in order.",
            "A program that crashed, was killed or closed its socket with data still unread; a load balancer or firewall that cuts connections after some idle time.",
            "That it was reset is certain; who really sent the reset is not.",
            "Look at the log of the side that reset. If the pause before is a round number (60, 300, 350, 3600 s), raise the idle time of the load balancer or use keep-alives.",
            "  ss -tnoi dst HOST",
            "RFC 9293, section 3.5.2",
        ),
        reset,
    ),
    new(
        "resumption-ok",
        Severity::Info,
        0,
        "An earlier session was resumed",
        page(
            "The server took the client's session id, ticket or pre-shared key, and the handshake was completed without certificates.",
            "Faster, and no certificate is shown or checked again: a client certificate that has expired or was revoked since still counts.",
            "Read in clear: the ServerHello selects a pre-shared key (TLS 1.3), or the server's ChangeCipherSpec follows its ServerHello (TLS 1.2).",
            "Nothing to mend. Where client certificates must be checked each time, switch resumption off or keep tickets short-lived.",
            "  openssl s_client -connect HOST:PORT -servername NAME -reconnect </dev/null",
            "RFC 8446, section 2.2; RFC 5077; RFC 5246, section 7.3",
        ),
        resumed,
    ),
];

fn resumed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.server_hello.as_ref().filter(|_| f.resumed() == Some(true) && f.outcome() == Outcome::Established)?;
    let how = match (f.is_tls13(), f.client_hello.as_ref().map(|h| &h.message)) {
        (true, _) => "The ServerHello selects a pre-shared key that the client had offered",
        (false, Some(h)) if h.extensions.session_ticket.is_some_and(|n| n > 0) => "The server took the client's ticket",
        (false, _) => "The server took the client's session id",
    };
    Some(Hit::new(format!("{how} (frame {}).", hello.mark.frame), "").at(hello.mark).blame(Blame::Nobody))
}

/// The side that ended an established connection first, by TCP, when nothing of its end is hidden.
fn first_end(f: &FlowFacts) -> Option<(Role, How, Mark)> {
    if f.outcome() != Outcome::Established {
        return None;
    }
    let EndedBy { role, how, mark } = f.ended_by()?;
    // A close_notify (or what has its shape) came first: in order.
    if matches!(how, How::Alert | How::CloseNotify) || f.evicted || f.source_damaged {
        return None;
    }
    let s = f.of(role);
    let whole = s.gaps.is_empty() && s.unreadable.is_none() && f.tcp.cut.is_none();
    whole.then_some((role, how, mark))
}

/// The last record of a side was an alert, or could have been one.
fn said_goodbye(f: &FlowFacts, role: Role) -> Option<bool> {
    let (kind, len, _) = f.of(role).last_record?;
    Some(if f.is_tls13() {
        // Two bytes, a type and a tag; JSSE pads by 16 (19, 35, 51).
        matches!(len, 19 | 35 | 51) || len < 19
    } else {
        kind == ContentType::ALERT
    })
}

fn no_close_notify(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (role, how, mark) = first_end(f)?;
    if said_goodbye(f, role)? {
        return None;
    }
    // The peer had said goodbye: this side only answers it.
    if said_goodbye(f, role.other()) == Some(true)
        && f.of(role.other()).last_record.is_some_and(|(_, _, m)| m.frame < mark.frame)
    {
        return None;
    }
    let verb = if how == How::Rst { "reset the connection (RST)" } else { "closed the connection (FIN)" };
    let side = f.side(role);
    let cut = f.anomalies.iter().find_map(|(s, a)| match a.kind {
        AnomalyKind::UnfinishedRecord(_, claimed, have) if *s == side => {
            Some(format!(" Its last record is cut: {have} of {} came.", words::count(claimed as u64, "byte")))
        }
        _ => None,
    });
    let detail = format!(
        "In frame {} the {role} {verb}; its last TLS record was no alert.{}",
        mark.frame,
        cut.as_deref().unwrap_or_default()
    );
    let hit = Hit::new(detail, format!("On the {role}: let the program shut TLS down (SSL_shutdown, close of the TLS object) before it closes the socket; if it was killed, its log says so."))
        .title(format!("The {role} ended the connection without close_notify"))
        .at(mark)
        .at_any(f.of(role).last_record.map(|(_, _, m)| m))
        .blame(role);
    let hit = if f.is_tls13() { hit.likely() } else { hit };
    // A client that goes away loses nothing that it asked for.
    Some(if role == Role::Client && how == How::Fin && cut.is_none() { hit.severity(Severity::Info) } else { hit })
}

fn reset(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (role, how, mark) = first_end(f)?;
    if how != How::Rst || said_goodbye(f, role) == Some(true) {
        return None;
    }
    let last = f.tcp.last_data.iter().flatten().map(|m| m.time).max();
    let pause = last
        .map(|l| format!(" {} after the last data", super::words::duration(mark.time.us_since(l))))
        .unwrap_or_default();
    let detail = format!("In frame {} the {role} reset the connection{pause}.", mark.frame);
    Some(Hit::new(detail, format!("Look at the log of the {role}. If it knows nothing of it, a device between reset the connection: compare captures of both ends.")).title(format!("The {role} reset the connection while application data was exchanged")).at(mark).blame(Blame::from(role)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, fin, find, leaf, mark, rst, server_flight};
    use crate::diagnose::Severity;
    use crate::facts::FlowFacts;
    use crate::span::Side;
    use crate::tls::names::ContentType;

    fn last(kind: ContentType) -> FlowFacts {
        let mut f = established(server_flight(vec![leaf()]));
        for s in &mut f.sides {
            s.last_record = Some((kind, 40, mark(10)));
        }
        f
    }

    #[test]
    fn an_end_without_goodbye() {
        let x = find(&fin(last(ContentType::APPLICATION_DATA), Side::B), "no-close-notify").expect("told");
        assert_eq!(x.severity, Severity::Warning);
        assert!(find(&fin(last(ContentType::ALERT), Side::B), "no-close-notify").is_none());
        let x = find(&rst(last(ContentType::APPLICATION_DATA), Side::B), "rst-during-app").expect("told");
        assert_eq!(x.severity, Severity::Warning);
        assert!(find(&rst(last(ContentType::ALERT), Side::B), "rst-during-app").is_none());
    }

    #[test]
    fn a_session_again() {
        let good = established(server_flight(vec![leaf()]));
        assert!(find(&good, "resumption-ok").is_none());
        let mut f = established(super::super::testing::server_hello(0x0303));
        f.client_key_exchange = None;
        assert!(find(&f, "resumption-ok").is_some());
    }

    #[test]
    fn a_hole_silences() {
        let mut f = fin(last(ContentType::APPLICATION_DATA), Side::B);
        f.sides[Side::B].gaps.push(crate::flow::Gap {
            at: 9,
            bytes: 9,
            frame: mark(9).frame,
            reason: crate::flow::GapReason::Capture,
        });
        assert!(find(&f, "no-close-notify").is_none());
    }
}

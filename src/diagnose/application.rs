//! After the handshake: how an established connection ends.

use super::{Blame, Hit, Policy, Rule, Severity, new, page};
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
];

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
    if said_goodbye(f, role.other()) == Some(true) && f.of(role.other()).last_record.is_some_and(|(_, _, m)| m.frame < mark.frame) {
        return None;
    }
    let verb = if how == How::Rst { "reset the connection (RST)" } else { "closed the connection (FIN)" };
    let side = f.side(role);
    let cut = f.anomalies.iter().find_map(|(s, a)| match a.kind {
        AnomalyKind::UnfinishedRecord(_, claimed, have) if *s == side => Some(format!(" Its last record is cut: {have} of {claimed} bytes came.")),
        _ => None,
    });
    let detail = format!("In frame {} the {role} {verb}; its last TLS record was no alert.{}", mark.frame, cut.as_deref().unwrap_or_default());
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
    let pause = last.map(|l| format!(" {} after the last data", super::words::duration(mark.time.us_since(l)))).unwrap_or_default();
    let detail = format!("In frame {} the {role} reset the connection{pause}.", mark.frame);
    Some(Hit::new(detail, format!("Look at the log of the {role}. If it knows nothing of it, a device between reset the connection: compare captures of both ends.")).title(format!("The {role} reset the connection while application data was exchanged")).at(mark).blame(Blame::from(role)))
}

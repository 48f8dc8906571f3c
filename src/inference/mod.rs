//! TLS 1.3 without keys: what the lengths, directions and order of protected records prove about the handshake.
//!
//! Everything here is arithmetic over [`Shape`]s: `sizes` knows how long each message's record is, `client` and
//! `server` find the messages of each side's flight under each habit of padding, and this file puts both together.
//! A claim is certain only where no other legal reading of the records exists under any habit a stack is known to have;
//! where bytes of a flight are missing, nothing is concluded from it.

mod client;
mod server;
mod sizes;
#[cfg(test)]
mod tests;

use crate::facts::{
    AlertFact, Answer, Basis, Claim, Confidence, EndedBy, FlowFacts, How, Inferred, MessageFact, MessageKind,
    PostHandshake, Shape, Step, Verdict,
};
use crate::flow::Mark;
use crate::span::{Role, Side};
use crate::tls::names::{AlertLevel, ContentType, HandshakeType};
use client::Before;
use sizes::Sizes;

/// A close within this time after the client's flight is an answer to it; later ones may be a timer's.
const AT_ONCE_US: u64 = 2_000_000;

/// Concludes what can be concluded and writes it into the facts of a flow that is over (or looked at while it lives):
/// [`FlowFacts::inferred`], the messages and alerts with [`Basis::Inferred`], and where application data begins.
pub fn apply(facts: &mut FlowFacts) {
    let Some(inferred) = infer(facts) else { return };
    let (client, server) = (facts.side(Role::Client), facts.side(Role::Server));
    for step in &inferred.steps {
        facts.add_inferred(message(step), alert(step));
    }
    if let Some(finished) = inferred.finished {
        let protected = |side| {
            facts
                .shapes
                .iter()
                .filter(move |s: &&Shape| s.side == side && s.content_type == ContentType::APPLICATION_DATA)
        };
        let known = |s: &&Shape| {
            inferred.steps.iter().any(|t| t.side == s.side && t.mark == s.mark && t.len == usize::from(s.len))
        };
        let of_client =
            protected(client).skip_while(|s| s.mark != finished).skip(1).find(|s| !known(s)).map(|s| s.mark);
        let of_server = protected(server).filter(|s| s.mark.frame > finished.frame).find(|s| !known(s)).map(|s| s.mark);
        facts.sides[client].application_data = of_client;
        facts.sides[server].application_data = of_server;
    }
    facts.inferred = Some(Box::new(inferred));
    facts.close();
}

fn message(s: &Step) -> MessageFact {
    MessageFact {
        mark: s.mark,
        side: s.side,
        record: ContentType::APPLICATION_DATA,
        kind: s.kind.map_or(MessageKind::Alert(AlertLevel(0), None), MessageKind::Handshake),
        length: s.len,
        basis: Basis::Inferred,
        frames: Default::default(),
    }
}

fn alert(s: &Step) -> Option<AlertFact> {
    s.kind.is_none().then_some(AlertFact { mark: s.mark, side: s.side, said: None, basis: Basis::Inferred })
}

/// What the protected records say; `None` where there is nothing to conclude from: another version, no ServerHello or
/// ClientHello, bytes missing before the handshake was over, or a suite whose sizes are not known.
pub fn infer(f: &FlowFacts) -> Option<Inferred> {
    let sizes = f.cipher_suite().filter(|_| f.is_tls13()).and_then(Sizes::of)?;
    let (hello, server_hello) = (f.client_hello.as_ref()?, f.server_hello.as_ref()?);
    let blind = f.sides.iter().any(|s| s.handshake_gap || s.mid_stream) || f.evicted;
    if blind {
        return None;
    }
    let (client_side, server_side) = (f.side(Role::Client), f.side(Role::Server));
    let offered = hello.message.extensions.early_data && f.hello_retry.is_none();
    let of = |side| -> Vec<Shape> {
        let list = f.shapes.iter().filter(|s| s.side == side && s.content_type == ContentType::APPLICATION_DATA);
        // What a client protects before the ServerHello is early data.
        list.filter(|s| !offered || side == server_side || s.mark.frame >= server_hello.mark.frame).copied().collect()
    };
    let (client, server) = (of(client_side), of(server_side));
    let mut out = Inferred::default();
    let with_psk = server_hello.message.extensions.psk.is_some();
    let before = match (offered, with_psk) {
        (false, _) => Before::Nothing,
        (true, true) => Before::EarlyData,
        (true, false) => Before::Refused,
    };
    let ours = client::flight(&client, sizes, before);
    let theirs = if with_psk { None } else { server::flight(&server, sizes) };
    let draft = f.version().is_some_and(|v| v.is_tls13_or_draft() && v.0 != 0x0304);
    if let Some(t) = theirs {
        // Half a flight proves nothing about a request; a whole one, by the count of its records, likely.
        out.requested = Some(Claim { value: t.request.is_some(), confidence: t.confidence });
        steps_of_server(&mut out, &server, &t, server_side);
    }
    if let Some(c) = ours.filter(|c| !with_psk || c.answer == Answer::NotAsked) {
        flight_of_client(f, &mut out, &client, &c, sizes, draft);
        if let Some(end) = out.finished {
            let mut after: Vec<Shape> = server.iter().filter(|s| s.mark.frame > end.frame).copied().collect();
            let padding = theirs.map(|t| t.padding);
            let is_alert = |len| sizes.is_alert(len, padding);
            // A client that writes each message by itself may be refused before its Finished is on the wire.
            if let (Some(last), Some(flight)) = (server.last(), out.flight)
                && after.is_empty()
                && last.mark.frame > flight.frame
                && is_alert(last.len)
            {
                after.push(*last);
            }
            judge(f, &mut out, end, &after, is_alert, client_bye(&client, &c, sizes));
            steps_after(&mut out, &after, server_side);
            if hello.message.extensions.post_handshake_auth {
                out.post_handshake = asked_later(&client, &server, &c, sizes);
            }
        }
        out.early_data = (before == Before::EarlyData).then_some(c.early_data);
    } else if let Some(a) = client::alert(&client, sizes) {
        out.client_alert = Some(a.mark);
        out.steps.push(Step { mark: a.mark, side: client_side, kind: None, len: usize::from(a.len) });
    } else if let Some(end) = f.of(Role::Client).finished_sized.filter(|_| !with_psk) {
        // What the client sent is not known; that the server refused it may still show.
        let after: Vec<Shape> = server.iter().filter(|s| s.mark.frame > end.frame).copied().collect();
        let padding = theirs.map(|t| t.padding);
        judge(f, &mut out, end, &after, |len| sizes.is_alert(len, padding), None);
    }
    let paddings = (ours.map(|c| c.padding), theirs.map(|t| t.padding));
    for (records, side, padding) in [(&client, client_side, paddings.0), (&server, server_side, paddings.1)] {
        goodbye(f, &mut out, records.last(), side, |len| sizes.is_alert(len, padding));
    }
    Some(out)
}

/// What the client's flight says, and its messages.
fn flight_of_client(
    f: &FlowFacts,
    out: &mut Inferred,
    records: &[Shape],
    c: &client::Flight,
    sizes: Sizes,
    draft: bool,
) {
    let side = f.side(Role::Client);
    let asked = c.answer != Answer::NotAsked;
    // The sizes of drafts were the same, their messages not always.
    let mut confidence = if draft { c.confidence.min(Confidence::Likely) } else { c.confidence };
    if out.requested.is_some_and(|r| r.value != asked) {
        // The server's records say the opposite: one of both is read wrongly.
        confidence = confidence.min(Confidence::Possible);
    }
    out.answer = Some(Claim { value: c.answer, confidence });
    out.requested = Some(Claim { value: asked, confidence });
    out.flight = records.get(c.first).map(|s| s.mark);
    out.finished = records.get(c.finished).map(|s| s.mark);
    out.proven = c.verify.is_some();
    if c.answer == Answer::Sent {
        out.leaf_len = client::leaf_len(records, c, sizes);
    }
    let mut add = |at: usize, kind, len: Option<usize>| {
        if let Some(s) = records.get(at) {
            out.steps.push(Step { mark: s.mark, side, kind: Some(kind), len: len.unwrap_or(usize::from(s.len)) });
        }
    };
    if c.early_data {
        add(c.first.saturating_sub(1), HandshakeType::END_OF_EARLY_DATA, None);
    }
    if asked {
        let end = c.verify.unwrap_or(c.finished).max(c.first.saturating_add(1));
        let all = records.get(c.first..end).map(|l| l.iter().map(|s| usize::from(s.len)).sum());
        add(end.saturating_sub(1), HandshakeType::CERTIFICATE, all);
        if c.answer == Answer::Sent {
            add(c.verify.unwrap_or(end.saturating_sub(1)), HandshakeType::CERTIFICATE_VERIFY, None);
        }
    }
    add(c.finished, HandshakeType::FINISHED, None);
}

fn steps_of_server(out: &mut Inferred, records: &[Shape], t: &server::Flight, side: Side) {
    let mut add = |from: usize, to: usize, kind| {
        if let (Some(all), Some(last)) = (records.get(from..=to), records.get(to)) {
            let len = all.iter().map(|s| usize::from(s.len)).sum();
            out.steps.push(Step { mark: last.mark, side, kind: Some(kind), len });
        }
    };
    let second = t.request.unwrap_or(t.certificate);
    add(0, second.saturating_sub(1), HandshakeType::ENCRYPTED_EXTENSIONS);
    if let Some(r) = t.request {
        add(r, t.certificate.saturating_sub(1), HandshakeType::CERTIFICATE_REQUEST);
    }
    add(t.certificate, t.verify.saturating_sub(1), HandshakeType::CERTIFICATE);
    add(t.verify, t.verify, HandshakeType::CERTIFICATE_VERIFY);
    add(t.finished, t.finished, HandshakeType::FINISHED);
}

/// The client's own goodbye: a record of an alert's size behind its Finished.
fn client_bye(records: &[Shape], c: &client::Flight, sizes: Sizes) -> Option<Mark> {
    let is_alert = |s: &&Shape| sizes.is_alert(s.len, Some(c.padding));
    records.iter().skip(c.finished.saturating_add(1)).find(is_alert).map(|s| s.mark)
}

/// What the server did after the client's flight: it went on, or it refused.
///
/// `end`: the record with the client's Finished; `after`: the server's records behind it; `bye`: the client's own alert.
fn judge(
    f: &FlowFacts,
    out: &mut Inferred,
    end: Mark,
    after: &[Shape],
    is_alert: impl Fn(u16) -> bool,
    bye: Option<Mark>,
) {
    let whole = f.sides.iter().all(|s| s.gaps.is_empty() && s.unreadable.is_none()) && f.every_shape_is_known();
    let first = after.first();
    if let Some(r) = first.filter(|r| !is_alert(r.len)) {
        out.verdict = Some(Verdict::Accepted(r.mark));
        return;
    }
    // A server that asked for nothing has nothing to refuse; it ends a connection that was of no use to it.
    let asked = match out.answer {
        Some(a) if a.value == Answer::NotAsked => None,
        Some(a) => Some(a.confidence),
        None => Some(Confidence::Possible),
    };
    let closed = [f.fin(Role::Server), f.rst(Role::Server)].into_iter().flatten().min_by_key(|m| m.frame);
    let (Some(answer), Some(closed), true) = (asked, closed, whole && !f.source_damaged) else { return };
    let mark = first.map_or(closed, |r| r.mark);
    // The client closed first: what the server does then is its answer to that.
    let left = [f.fin(Role::Client), f.rst(Role::Client)].into_iter().flatten().any(|m| m.frame < mark.frame);
    // It said goodbye first: then, too, unless the tickets are missing that nearly every server sends to a client that
    // can use them.
    let said_bye = bye.is_some_and(|m| m.frame < mark.frame);
    let wants_tickets = f.client_hello.as_ref().is_some_and(|h| !h.message.extensions.psk_modes.is_empty());
    let alone = after.len() <= 1 && f.of(Role::Server).last_record.is_some_and(|(_, _, m)| m.frame <= mark.frame);
    if left || !alone || said_bye && (!wants_tickets || first.is_none()) {
        return;
    }
    let how = match first {
        Some(_) => How::Alert,
        None if f.rst(Role::Server).is_some_and(|m| m == closed) => How::Rst,
        None => How::Fin,
    };
    let at_once = mark.time.us_since(end.time) < AT_ONCE_US;
    let confidence = match how {
        How::Alert if at_once && !said_bye => Confidence::Likely,
        _ if !at_once && how != How::Alert => return,
        _ => Confidence::Possible,
    };
    let confidence = confidence.min(answer);
    let ended = EndedBy { role: Role::Server, how, mark };
    out.verdict = Some(Verdict::Refused(Claim { value: ended, confidence }));
}

/// Tickets, or the alert with which the server refused.
fn steps_after(out: &mut Inferred, after: &[Shape], side: Side) {
    if let (Some(mark), Some(s)) = (out.refusal_by_alert(), after.first()) {
        out.steps.push(Step { mark, side, kind: None, len: usize::from(s.len) });
    }
    for s in after.iter().take(server::tickets(after)) {
        out.tickets.get_or_insert(s.mark.frame);
        let kind = Some(HandshakeType::NEW_SESSION_TICKET);
        out.steps.push(Step { mark: s.mark, side, kind, len: usize::from(s.len) });
    }
}

/// A side's last record is of an alert's size and the side closed then: close_notify, or the alert that says why.
fn goodbye(f: &FlowFacts, out: &mut Inferred, last: Option<&Shape>, side: Side, is_alert: impl Fn(u16) -> bool) {
    let Some(last) = last.filter(|r| f.sides[side].last_record.is_some_and(|(_, _, m)| m == r.mark)) else { return };
    let known = out.steps.iter().any(|s| s.side == side && s.mark == last.mark && s.len == usize::from(last.len));
    let closed = f.tcp.fin[side].or(f.tcp.rst[side]).is_some();
    if is_alert(last.len) && closed && !known && f.is_complete() {
        out.steps.push(Step { mark: last.mark, side, kind: None, len: usize::from(last.len) });
    }
}

/// A CertificateRequest after the handshake and its answer: the answer's sizes, right behind a record of the server's.
fn asked_later(client: &[Shape], server: &[Shape], c: &client::Flight, sizes: Sizes) -> Option<PostHandshake> {
    let (at, answer) = client::post_handshake(client, c, sizes)?;
    let (first, before) = (client.get(at)?, client.get(at.checked_sub(1)?)?);
    let between = before.mark.frame..first.mark.frame;
    let request = server.iter().rfind(|s| between.contains(&s.mark.frame) && s.mark.frame > before.mark.frame)?;
    Some(PostHandshake { request: request.mark, answer, mark: first.mark })
}

//! ChangeCipherSpec at a place where it must not be, or missing where it must.

use super::refusal::{how_it_ended, refusal};
use super::{Confidence, Hit, Policy, Rule, Severity, new, page};
use crate::facts::{Basis, FlowFacts, MessageFact, MessageKind};
use crate::span::Role;
use crate::tls::names::{HandshakeType, ProtocolVersion};

const TRACE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -msg </dev/null";

pub(super) const RULES: &[Rule] = &[
    new(
        "ccs-unexpected",
        Severity::Error,
        44,
        "A ChangeCipherSpec came before the keys were agreed on",
        page(
            "In a full handshake (TLS 1.2 or older) the client sent ChangeCipherSpec before its ClientKeyExchange, or the server before its ServerHelloDone.",
            "No honest program does that. OpenSSL before 1.0.1h took it and derived keys from an empty secret (CVE-2014-0224, \"CCS injection\"): a scanner tests for it, an attacker in between uses it.",
            "Certain as to the order, which was read in clear and without a gap. A receiver that is not vulnerable answers with unexpected_message.",
            "Find out who sent it: a vulnerability scan, or an attack. If the peer did not refuse it, update its TLS library (OpenSSL 1.0.1h, 1.0.0m, 0.9.8za or newer).",
            "  nmap --script ssl-ccs-injection -p PORT HOST",
            "RFC 5246, section 7.1; CVE-2014-0224",
        ),
        unexpected,
    ),
    new(
        "ccs-missing",
        Severity::Error,
        43,
        "A peer went on without ChangeCipherSpec",
        page(
            "A Finished in clear, or application data, without a ChangeCipherSpec of the same side before it (TLS 1.2 or older).",
            "Everything behind it is unprotected, or the peer refuses it with unexpected_message. State-machine bugs of this kind let attackers skip the protection (SKIP-TLS, CVE-2015-0205, CVE-2014-6593).",
            "Certain: all bytes of that side were read up to here.",
            "Update the TLS library of the side that sent it; look for a device that rewrites the handshake.",
            TRACE,
            "RFC 5246, sections 7.1 and 7.4.9",
        ),
        missing,
    ),
    new(
        "ccs-in-tls13-bad-place",
        Severity::Error,
        43,
        "A ChangeCipherSpec came after the Finished of its sender (TLS 1.3)",
        page(
            "TLS 1.3 uses ChangeCipherSpec for middleboxes only and permits it up to the sender's Finished; this one came later.",
            "The receiver must end the connection with unexpected_message. A bug of the sender, or a device that puts it in.",
            "Likely: where the Finished was follows from the size of its record.",
            "Update the TLS library of the side that sent it; compare captures of both ends.",
            TRACE,
            "RFC 8446, section 5 and appendix D.4",
        ),
        late_in_13,
    ),
];

/// What a side said, in its order, where nothing of it can be missing.
fn said(f: &FlowFacts, role: Role) -> Option<impl Iterator<Item = &MessageFact>> {
    let side = f.side(role);
    let whole = f.blind(role).is_none() && !f.omitted.contains_key("messages") && !f.source_damaged;
    whole.then(|| f.messages.iter().filter(move |m| m.side == side))
}

fn is_old(f: &FlowFacts) -> bool {
    f.version().is_some_and(|v| v != ProtocolVersion::SSL2 && !v.is_tls13_or_draft())
}

/// An error where the peer refused it and the flow failed, else a warning.
fn settled(f: &FlowFacts, by: Role, hit: Hit) -> Hit {
    let hit = hit.blame(by);
    match refusal(f).filter(|r| r.role == by.other()) {
        Some(r) => Hit { detail: format!("{} {}", hit.detail, how_it_ended(f, &r)), ..hit }.at(r.mark),
        None => hit.beside().severity(Severity::Warning),
    }
}

fn unexpected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !is_old(f) || f.resumed() != Some(false) {
        return None;
    }
    let before = [(Role::Client, HandshakeType::CLIENT_KEY_EXCHANGE), (Role::Server, HandshakeType::SERVER_HELLO_DONE)];
    before.into_iter().find_map(|(role, must)| {
        let first = said(f, role)?
            .find(|m| matches!(m.kind, MessageKind::ChangeCipherSpec) || m.kind == MessageKind::Handshake(must))?;
        let early = first.kind == MessageKind::ChangeCipherSpec;
        let detail = format!("The {role}'s ChangeCipherSpec in frame {} came before its {must}.", first.mark.frame);
        let remedy = "Find out which program sent it: scanners do so to test for CVE-2014-0224. If the peer went on, update its TLS library.";
        early.then(|| settled(f, role, Hit::new(detail, remedy).at(first.mark)))
    })
}

fn missing(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !is_old(f) {
        return None;
    }
    [Role::Client, Role::Server].into_iter().find_map(|role| {
        let finished = MessageKind::Handshake(HandshakeType::FINISHED);
        let first = said(f, role)?.find(|m| m.kind == MessageKind::ChangeCipherSpec || m.kind == finished);
        let (what, mark) = match first {
            Some(m) if m.kind == finished => ("Finished in clear", m.mark),
            Some(_) => return None,
            None => {
                let side = f.side(role);
                let s = f.shapes.iter().find(|s| s.side == side).filter(|_| f.sides[side].ccs.is_none())?;
                ("application data", s.mark)
            }
        };
        let detail = format!("In frame {} the {role} sent {what}, without a ChangeCipherSpec before.", mark.frame);
        let remedy =
            format!("On the {role}: update its TLS library; look for a device between that rewrites the handshake.");
        Some(settled(f, role, Hit::new(detail, remedy).at(mark)))
    })
}

fn late_in_13(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if !f.is_tls13() {
        return None;
    }
    [Role::Client, Role::Server].into_iter().find_map(|role| {
        let s = f.of(role);
        if s.retransmitted > 0 || s.reordered > 0 {
            return None; // then the order of frames is not the order of what was sent
        }
        let finished = said(f, role)?
            .find(|m| m.basis == Basis::Inferred && m.kind == MessageKind::Handshake(HandshakeType::FINISHED))?;
        let late =
            said(f, role)?.find(|m| m.kind == MessageKind::ChangeCipherSpec && m.mark.frame > finished.mark.frame)?;
        let detail = format!(
            "The {role}'s Finished is in frame {}, by its size; its ChangeCipherSpec in frame {}.",
            finished.mark.frame, late.mark.frame
        );
        let remedy =
            format!("On the {role}: update its TLS library; look for a device between that rewrites the handshake.");
        let hit = Hit::new(detail, remedy).at(finished.mark).at(late.mark);
        Some(settled(f, role, hit).sure(Confidence::Likely))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, leaf, mark, server_flight, server_hello, step, told};
    use super::*;
    use crate::facts::Shape;
    use crate::span::Side;
    use crate::tls::names::ContentType;

    fn ccs(f: &mut FlowFacts, side: Side, frame: u64) {
        f.sides[side].ccs = Some(mark(frame));
        step(f, side, HandshakeType::FINISHED, frame);
        if let Some(m) = f.messages.last_mut() {
            m.kind = MessageKind::ChangeCipherSpec;
        }
    }

    #[test]
    fn before_the_keys() {
        let mut f = server_flight(vec![leaf()]);
        ccs(&mut f, Side::A, 9);
        assert_eq!(told(&alert(f.clone(), Side::B, 10)).cause, Some("ccs-unexpected"));
        let x = find(&established(f.clone()), "ccs-unexpected").expect("it went on");
        assert_eq!(x.severity, Severity::Warning);
        f.sides[Side::A].handshake_gap = true;
        assert!(find(&f, "ccs-unexpected").is_none(), "the key exchange may be in the hole");
        let mut good = server_flight(vec![leaf()]);
        step(&mut good, Side::A, HandshakeType::CLIENT_KEY_EXCHANGE, 9);
        ccs(&mut good, Side::A, 9);
        assert!(find(&good, "ccs-unexpected").is_none());
    }

    #[test]
    fn not_at_all() {
        let mut f = server_flight(vec![leaf()]);
        step(&mut f, Side::A, HandshakeType::CLIENT_KEY_EXCHANGE, 9);
        assert!(find(&f, "ccs-missing").is_none());
        let mut data = f.clone();
        data.shapes.push(Shape { mark: mark(9), side: Side::A, content_type: ContentType::APPLICATION_DATA, len: 40 });
        assert!(find(&data, "ccs-missing").is_some());
        step(&mut f, Side::A, HandshakeType::FINISHED, 9);
        assert_eq!(told(&alert(f, Side::B, 10)).cause, Some("ccs-missing"));
    }

    #[test]
    fn too_late_for_tls_13() {
        let with = |frame| {
            let mut f = server_hello(0x0304);
            step(&mut f, Side::A, HandshakeType::FINISHED, 9);
            f.messages.last_mut().expect("there").basis = Basis::Inferred;
            ccs(&mut f, Side::A, frame);
            f
        };
        assert!(find(&with(12), "ccs-in-tls13-bad-place").is_some());
        assert!(find(&with(9), "ccs-in-tls13-bad-place").is_none());
    }
}

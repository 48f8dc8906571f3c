//! Bytes that are not what they claim to be.

use super::refusal::refusal;
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::tls::AnomalyKind;
use crate::tls::names::{ContentType, HandshakeType};

pub(super) const RULES: &[Rule] = &[
    new(
        "tls-malformed-message",
        Severity::Warning,
        36,
        "A TLS message or record is malformed",
        page(
            "Our decoder could not read a message, an extension or a record header that was complete, or it broke a rule about records.",
            "A bug in the sender, damage on the way, or a deliberate attack on parsers. The peer usually refuses with decode_error, illegal_parameter or unexpected_message.",
            "Certain for what our decoder says; a peer may be more lenient or more strict.",
            "Update the TLS library of the sender; capture at both ends to see whether the bytes change on their way.",
            "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null",
            "RFC 8446, sections 4, 5 and 6.2",
        ),
        malformed,
    ),
    new(
        "record-too-long",
        Severity::Warning,
        0,
        "A record is longer than TLS allows",
        page(
            "A record claims more bytes than the version allows.",
            "Not TLS at this point, a bug, or damaged bytes.",
            "Certain as to the length field.",
            "Update the TLS library of the sender; check that both sides speak TLS at this point.",
            "  openssl s_client -connect HOST:PORT -servername NAME -msg </dev/null",
            "RFC 8446, section 5.2; RFC 5246, section 6.2.3",
        ),
        too_long,
    ),
];

fn message(t: HandshakeType) -> String {
    t.name().map_or_else(|| format!("a handshake message of type {}", t.0), |n| format!("a {n}"))
}

fn record(t: ContentType) -> String {
    t.name().map_or_else(|| format!("type {}", t.0), str::to_owned)
}

/// What is wrong, as part of a sentence; `None` for what is no fault of the sender (holes, ends).
pub(super) fn sentence(kind: &AnomalyKind) -> Option<String> {
    Some(match kind {
        AnomalyKind::NotARecord(h) => {
            format!("bytes that are no TLS record where one must begin (type {}, length {})", h.content_type.0, h.len)
        }
        AnomalyKind::EmptyRecord(t) => format!("an empty {} record", record(*t)),
        AnomalyKind::Interleaved(t) => format!("a {} record between the parts of one handshake message", record(*t)),
        AnomalyKind::BadChangeCipherSpec => "a change_cipher_spec that is not one byte 1".to_owned(),
        AnomalyKind::Undecodable(t, e) => format!("{} that does not decode ({e})", message(*t)),
        AnomalyKind::MessageTooLong(t, n) => format!("{} of {n} bytes", message(*t)),
        _ => return None,
    })
}

fn malformed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let mut said: Vec<String> = Vec::new();
    let mut frames = Vec::new();
    let mut sender = None;
    for (side, a) in &f.anomalies {
        // A change_cipher_spec after the first one belongs to a renegotiation and is encrypted.
        let again =
            a.kind == AnomalyKind::BadChangeCipherSpec && f.sides[*side].ccs.is_some_and(|m| m.frame < a.mark.frame);
        let odd = !matches!(a.kind, AnomalyKind::MessageTooLong(..)) && !again;
        // After a hole the reader may take up the stream in a wrong place.
        let holes = f.sides[*side].gaps.iter().any(|g| g.frame <= a.mark.frame) || f.sides[*side].mid_stream;
        if let Some(s) = sentence(&a.kind).filter(|_| odd && !holes) {
            said.push(format!("{} from the {} (frame {})", s, f.role(*side), a.mark.frame));
            frames.push(a.mark);
            sender.get_or_insert(*side);
        }
    }
    for (hello, extensions) in [
        f.client_hello.as_ref().map(|h| ((h.mark, h.side), &h.message.extensions)),
        f.server_hello.as_ref().map(|h| ((h.mark, h.side), &h.message.extensions)),
    ]
    .into_iter()
    .flatten()
    {
        for (kind, e) in &extensions.malformed {
            let name = kind.name().map_or_else(|| kind.id(), str::to_owned);
            said.push(format!("the extension {name} of the {}'s hello does not decode ({e})", f.role(hello.1)));
            frames.push(hello.0);
            sender.get_or_insert(hello.1);
        }
    }
    let sender = sender?;
    let role = f.role(sender);
    let mut hit = Hit::new(
        format!("{}.", words::list(&said)),
        format!(
            "On the {role}: update its TLS library. Capture at both ends to see whether the bytes change on their way."
        ),
    )
    .blame(Blame::from(role));
    for m in frames {
        hit = hit.at(m);
    }
    let refused =
        refusal(f).filter(|r| r.role != role && r.alert.is_some_and(|a| matches!(a.0, 10 | 22 | 47 | 50 | 109 | 110)));
    Some(match refused {
        Some(r) => hit.at(r.mark).severity(Severity::Error).likely(),
        None => hit.beside(),
    })
}

fn too_long(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (side, len, mark) = f.anomalies.iter().find_map(|(s, a)| match a.kind {
        AnomalyKind::NotARecord(h)
            if h.len > crate::limits::RECORD_BODY_BYTES && (20..=24).contains(&h.content_type.0) =>
        {
            Some((*s, h.len, a.mark))
        }
        _ => None,
    })?;
    let role = f.role(side);
    let detail = format!(
        "In frame {} a record of the {role} claims {len} bytes; 16384 and what protection adds are the most.",
        mark.frame
    );
    Some(
        Hit::new(
            detail,
            format!("On the {role}: update its TLS library, or find out what changes the bytes on their way."),
        )
        .at(mark)
        .blame(Blame::from(role)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, hello, leaf, mark, server_flight};
    use crate::diagnose::Severity;
    use crate::flow::{Gap, GapReason};
    use crate::span::Side;
    use crate::tls::names::ContentType;
    use crate::tls::record::RecordHeader;
    use crate::tls::{Anomaly, AnomalyKind};

    #[test]
    fn what_does_not_decode() {
        let mut f = hello();
        f.anomalies.push((Side::A, Anomaly { kind: AnomalyKind::EmptyRecord(ContentType::HANDSHAKE), mark: mark(5) }));
        assert!(find(&f, "tls-malformed-message").is_some_and(|x| x.severity == Severity::Warning));
        assert!(
            find(&alert(f.clone(), Side::B, 10), "tls-malformed-message")
                .is_some_and(|x| x.severity == Severity::Error)
        );
        assert!(find(&established(server_flight(vec![leaf()])), "tls-malformed-message").is_none());
        // Behind a hole the reader may be at the wrong place.
        f.sides[Side::A].gaps.push(Gap { at: 0, bytes: 5, frame: mark(4).frame, reason: GapReason::Capture });
        assert!(find(&f, "tls-malformed-message").is_none());
    }

    #[test]
    fn a_second_change_cipher_spec_is_encrypted() {
        let mut f = established(server_flight(vec![leaf()]));
        f.anomalies.push((Side::A, Anomaly { kind: AnomalyKind::BadChangeCipherSpec, mark: mark(15) }));
        assert!(find(&f, "tls-malformed-message").is_none());
    }

    #[test]
    fn too_long() {
        let mut f = hello();
        let header = RecordHeader { content_type: ContentType::HANDSHAKE, version: 0x0303, len: 20_000 };
        f.anomalies.push((Side::A, Anomaly { kind: AnomalyKind::NotARecord(header), mark: mark(5) }));
        assert!(find(&f, "record-too-long").is_some() && find(&hello(), "record-too-long").is_none());
    }
}

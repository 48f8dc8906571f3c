//! A peer complains of the other's messages: what it said, and what our own reading of those messages shows.

use super::refusal::{Stage, failed_with, stage};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, MessageKind};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::Start;
use crate::tls::handshake::Extensions;
use crate::tls::names::AlertDescription;

const TRACE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null";
const BOTH_ENDS: &str = "Capture at both ends and compare the bytes: a device between that rewrites or damages them shows at once. Update the TLS library of the side that sent the message; look at the log of the side that complained.";

pub(super) const RULES: &[Rule] = &[
    new(
        "decode-error",
        Severity::Error,
        32,
        "A peer could not parse a message",
        page(
            "The alert decode_error.",
            "A wrong length or a field out of range: a bug in the sender, a receiver that does not know something new (large key shares, unknown extensions), or bytes damaged on the way.",
            "Certain as to the alert. Where our own decoder finds fault with the message too, the finding says so.",
            BOTH_ENDS,
            TRACE,
            "RFC 8446, section 6.2",
        ),
        decode,
    ),
    new(
        "illegal-parameter",
        Severity::Error,
        32,
        "A peer found a value in a message that must not be there",
        page(
            "The alert illegal_parameter.",
            "A field is wrong or contradicts another one: a choice that was not offered, a downgrade that the client detected, a HelloRetryRequest that changes nothing, a bug.",
            "Certain as to the alert.",
            BOTH_ENDS,
            TRACE,
            "RFC 8446, section 6.2",
        ),
        illegal,
    ),
    new(
        "unexpected-message",
        Severity::Error,
        32,
        "A peer got a message that it did not expect at this point",
        page(
            "The alert unexpected_message.",
            "Plaintext or another protocol where TLS is spoken, a message out of order, STARTTLS on one side only, a warning that the other takes for an error (old Java and unrecognized_name), or a bug.",
            "Certain as to the alert.",
            BOTH_ENDS,
            TRACE,
            "RFC 8446, section 6.2",
        ),
        unexpected,
    ),
    new(
        "internal-error",
        Severity::Error,
        32,
        "A peer failed for a reason of its own",
        page(
            "The alert internal_error.",
            "Nothing the other side did: a key that cannot be loaded or does not fit its certificate, a failed HSM or token, FIPS mode, a backend or a certificate callback that failed, no memory. Go servers send it when they have no certificate for the name.",
            "Certain as to the alert; the reason stands only in the log of the side that sent it.",
            "Look at that side's log. Check that certificate and key belong together and can be read by its user.",
            "  openssl x509 -in cert.pem -noout -pubkey | sha256sum; openssl pkey -in key.pem -pubout | sha256sum",
            "RFC 8446, section 6.2",
        ),
        internal,
    ),
    new(
        "bad-record-mac",
        Severity::Error,
        32,
        "A peer could not decrypt a record",
        page(
            "The alert bad_record_mac.",
            "The two sides have different keys or different bytes: data damaged on the way (a broken network card or its offloads, a middlebox), a wrong pre-shared key, early data that the server cannot skip, a bug.",
            "Certain as to the alert.",
            "Switch offloads off for a test (ethtool -K eth0 tx off gro off), compare captures of both ends, check pre-shared keys.",
            TRACE,
            "RFC 8446, section 6.2",
        ),
        mac,
    ),
    new(
        "decrypt-error",
        Severity::Error,
        32,
        "A signature or Finished did not verify",
        page(
            "The alert decrypt_error.",
            "Usually the private key does not belong to the certificate that was sent, or a token or HSM signs in another way (RSA-PSS); also a handshake that was changed on its way, or a wrong pre-shared key.",
            "Certain as to the alert.",
            "Check that key and certificate of the side that was refused belong together; update its TLS library or token driver.",
            "  openssl x509 -in cert.pem -noout -pubkey | sha256sum; openssl pkey -in key.pem -pubout | sha256sum",
            "RFC 8446, sections 4.4.3 and 6.2",
        ),
        decrypt,
    ),
    new(
        "record-overflow",
        Severity::Error,
        32,
        "A peer got a record that is longer than allowed",
        page(
            "The alert record_overflow.",
            "The peer read something that is no TLS record (plaintext, another protocol), or a record_size_limit was ignored.",
            "Certain as to the alert.",
            BOTH_ENDS,
            TRACE,
            "RFC 8446, sections 5.1 and 6.2; RFC 8449",
        ),
        overflow,
    ),
];

/// What our own reading finds wrong in what a role sent up to a frame.
fn our_view(f: &FlowFacts, sender: Role, until: Mark) -> String {
    let side = f.side(sender);
    let mut odd: Vec<String> = Vec::new();
    for (s, a) in &f.anomalies {
        if *s == side && a.mark.frame <= until.frame {
            odd.extend(super::malformed::sentence(&a.kind).map(|t| format!("{t} (frame {})", a.mark.frame)));
        }
    }
    let hello = match sender {
        Role::Client => f.client_hello.as_ref().map(|h| &h.message.extensions),
        Role::Server => f.server_hello.as_ref().or(f.hello_retry.as_ref()).map(|h| &h.message.extensions),
    };
    for (kind, e) in hello.iter().flat_map(|e| &e.malformed) {
        odd.push(format!("the extension {} of its hello: {e}", kind.name().map_or_else(|| kind.id(), str::to_owned)));
    }
    if let Some(Start::Not(p)) = f.sides[side].start.map(|s| s.0) {
        odd.push(format!("it had sent {}", p.name()));
    }
    let last = f
        .messages
        .iter()
        .rfind(|m| m.side == side && m.mark.frame <= until.frame && !matches!(m.kind, MessageKind::Alert(..)));
    let last = last.map_or_else(String::new, |m| {
        let what = match m.kind {
            MessageKind::Handshake(t) => t.name().map_or_else(|| t.id(), str::to_owned),
            MessageKind::HelloRetryRequest => "hello_retry_request".to_owned(),
            MessageKind::Ssl2ClientHello | MessageKind::Ssl2ServerHello => "an SSL 2.0 hello".to_owned(),
            MessageKind::ChangeCipherSpec => "change_cipher_spec".to_owned(),
            MessageKind::Heartbeat(_) => "a heartbeat".to_owned(),
            _ => "a protected record".to_owned(),
        };
        format!(" The last thing the {sender} had sent was {what} (frame {}).", m.mark.frame)
    });
    if odd.is_empty() {
        format!("{last} Our own reading finds no fault in it.")
    } else {
        format!("{last} Our own reading finds: {}.", words::list(&odd))
    }
}

pub(super) fn complaint(f: &FlowFacts, d: AlertDescription, remedy: &str) -> Option<Hit> {
    let (role, mark) = failed_with(f, d)?;
    let detail = format!("{}{}", words::alert_sentence(role, d, mark), our_view(f, role.other(), mark));
    Some(Hit::new(detail, remedy).at(mark).blame(Blame::Either))
}

fn decode(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    complaint(
        f,
        AlertDescription::DECODE_ERROR,
        "Look at the log of the side that sent the alert; update the TLS library of the other one; compare captures of both ends, in case a device between changes the bytes.",
    )
}

fn illegal(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    complaint(
        f,
        AlertDescription::ILLEGAL_PARAMETER,
        "Look at the log of the side that sent the alert; update the TLS library of the other one; compare captures of both ends, in case a device between changes the handshake.",
    )
}

fn unexpected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    complaint(
        f,
        AlertDescription::UNEXPECTED_MESSAGE,
        "Check that both sides agree on when TLS begins (STARTTLS, PROXY protocol, plain HTTP); then update the TLS library of the side that was complained of.",
    )
}

fn internal(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::INTERNAL_ERROR;
    let (role, _) = failed_with(f, d)?;
    let remedy = format!(
        "On the {role}: its log says what failed. Check that its certificate and key belong together and can be read, HSM and token, FIPS mode, and any backend it asks."
    );
    Some(complaint(f, d, &remedy)?.blame(Blame::from(role)))
}

fn mac(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    complaint(
        f,
        AlertDescription::BAD_RECORD_MAC,
        "Compare captures of both ends for damaged bytes; switch network card offloads off for a test (ethtool -K); check pre-shared keys.",
    )
}

fn decrypt(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let d = AlertDescription::DECRYPT_ERROR;
    let (role, _) = failed_with(f, d)?;
    let owner = role.other();
    let proof = if f.of(owner).certificate_verify.is_some() && stage(f) >= Stage::ClientFlight {
        format!(
            "On the {owner}: the key does not belong to the certificate it sends, or its token signs in another way than announced; compare openssl x509 -noout -pubkey with openssl pkey -pubout."
        )
    } else {
        format!(
            "On the {owner}: check that private key and certificate belong together (openssl x509 -noout -pubkey, openssl pkey -pubout), and pre-shared keys."
        )
    };
    Some(complaint(f, d, &proof)?.blame(Blame::from(owner)))
}

fn overflow(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let mut hit = complaint(
        f,
        AlertDescription::RECORD_OVERFLOW,
        "Check that the other side speaks TLS at this point; update its TLS library if it ignores record_size_limit.",
    )?;
    if let (Some((Role::Client, ..)), Some(hello)) = (f.fatal_alert(), &f.client_hello)
        && let Some(limit) = asked_limit(&hello.message.extensions)
    {
        hit.detail.push_str(&format!(" The ClientHello asks for {limit}."));
    }
    Some(hit)
}

/// What a client says of the longest records that it takes: RFC 8449, section 4, takes the place of RFC 6066, section 4.
fn asked_limit(e: &Extensions) -> Option<String> {
    match (e.record_size_limit, e.max_fragment_length) {
        (Some(n), _) => Some(format!("records of at most {} (record_size_limit)", words::count(n.into(), "byte"))),
        (None, Some(code @ 1..=4)) => {
            Some(format!("records of at most {} bytes (max_fragment_length)", 256u32 << code))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, hello, leaf, mark, server_flight, told};
    use crate::span::Side;
    use crate::tls::handshake::Extensions;
    use crate::tls::{Anomaly, AnomalyKind};

    #[test]
    fn complaints_name_what_came_before() {
        for (a, code) in [
            (50, "decode-error"),
            (47, "illegal-parameter"),
            (10, "unexpected-message"),
            (80, "internal-error"),
            (20, "bad-record-mac"),
            (51, "decrypt-error"),
            (22, "record-overflow"),
        ] {
            let d = told(&alert(hello(), Side::B, a));
            assert_eq!(d.cause, Some(code));
            assert!(d.findings[0].detail.contains("client_hello (frame 4)"), "{}", d.findings[0].detail);
            assert!(find(&established(server_flight(vec![leaf()])), code).is_none());
        }
    }

    #[test]
    fn our_own_reading_is_told() {
        let mut f = hello();
        f.anomalies.push((Side::A, Anomaly { kind: AnomalyKind::BadChangeCipherSpec, mark: mark(5) }));
        let x = find(&alert(f, Side::B, 10), "unexpected-message").expect("there");
        assert!(x.detail.contains("a change_cipher_spec that is not one byte 1"), "{}", x.detail);
    }

    #[test]
    fn a_limit_that_was_asked_for_is_told() {
        let detail = |side, change: fn(&mut Extensions)| {
            let mut f = server_flight(vec![leaf()]);
            change(&mut f.client_hello.as_mut().expect("there").message.extensions);
            find(&alert(f, side, 22), "record-overflow").expect("there").detail
        };
        assert!(detail(Side::A, |e| e.record_size_limit = Some(64)).ends_with("at most 64 bytes (record_size_limit)."));
        assert!(
            detail(Side::A, |e| e.max_fragment_length = Some(1)).ends_with("at most 512 bytes (max_fragment_length).")
        );
        // None, one that is not allowed, and one that did not bind the sender of the alert's peer.
        assert!(!detail(Side::A, |_| ()).contains("asks for"));
        assert!(!detail(Side::A, |e| e.max_fragment_length = Some(9)).contains("asks for"));
        assert!(!detail(Side::B, |e| e.record_size_limit = Some(64)).contains("asks for"));
    }
}

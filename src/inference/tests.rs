//! Flows of record lengths that were measured on real programs, and what those programs were told to do.

use super::{apply, infer};
use crate::facts::{
    Answer, Basis, ClientCertificate, Confidence, EarlyData, FlowFacts, How, Inferred, MessageKind, Outcome, Placed,
    Shape, Verdict,
};
use crate::flow::{Endpoint, Endpoints, Gap, GapReason, Mark};
use crate::span::{FrameNo, Side, Timestamp};
use crate::tls::Start;
use crate::tls::handshake::{ClientHello, Extensions, ServerHello};
use crate::tls::names::{ContentType, HandshakeType};

/// `TLS_AES_128_GCM_SHA256` and `TLS_AES_256_GCM_SHA384`.
const SHA256: u16 = 0x1301;
/// See above.
const SHA384: u16 = 0x1302;

fn mark(frame: u64) -> Mark {
    Mark { frame: FrameNo(frame), time: Timestamp(i64::try_from(frame).expect("small").saturating_mul(1_000_000)) }
}

/// A flow with both hellos in clear: the client is side A.
fn hellos(suite: u16) -> FlowFacts {
    let end = |last, port| Endpoint { ip: [192, 0, 2, last].into(), port };
    let mut f = FlowFacts::new(1, 0, Endpoints { a: end(1, 50_000), b: end(2, 8443) }, mark(1));
    f.tcp.packets = crate::span::Pair::new(9, 9);
    f.sides[Side::A].start = Some((Start::Tls, mark(4)));
    f.sides[Side::B].start = Some((Start::Tls, mark(6)));
    let extensions = Extensions { psk_modes: vec![1], ..Extensions::default() };
    let hello = ClientHello { legacy_version: 0x0303, extensions, ..ClientHello::default() };
    f.client_hello =
        Some(Box::new(Placed { message: hello, mark: mark(4), side: Side::A, frames: Default::default() }));
    let extensions = Extensions { supported_versions: vec![0x0304], key_shares: vec![0x1d], ..Extensions::default() };
    let hello = ServerHello { legacy_version: 0x0303, cipher_suite: suite, extensions, ..ServerHello::default() };
    f.server_hello =
        Some(Box::new(Placed { message: hello, mark: mark(6), side: Side::B, frames: Default::default() }));
    f
}

/// Protected records of a side in one frame.
fn sends(f: &mut FlowFacts, side: Side, frame: u64, lengths: &[u16]) {
    let finished = f.finished_record_len();
    for len in lengths {
        let s = &mut f.sides[side];
        s.encrypted.records += 1;
        s.last_record = Some((ContentType::APPLICATION_DATA, *len, mark(frame)));
        if f.server_hello.as_ref().is_some_and(|h| h.mark.frame.0 <= frame) {
            s.protected.get_or_insert(mark(frame));
            if *len >= finished {
                s.finished_sized.get_or_insert(mark(frame));
            }
        }
        f.shapes.push(Shape { mark: mark(frame), side, content_type: ContentType::APPLICATION_DATA, len: *len });
    }
}

/// A server's flight, a client's flight, what the server sends then, and its FIN.
fn flow(suite: u16, server: &[u16], client: &[u16], then: &[u16]) -> FlowFacts {
    let mut f = hellos(suite);
    sends(&mut f, Side::B, 6, server);
    sends(&mut f, Side::A, 8, client);
    sends(&mut f, Side::B, 10, then);
    f.tcp.fin[Side::B] = Some(mark(12));
    f
}

fn concluded(f: &FlowFacts) -> Inferred {
    infer(f).expect("something is concluded")
}

fn answer(f: &FlowFacts) -> Option<(Answer, Confidence)> {
    concluded(f).answer.map(|a| (a.value, a.confidence))
}

fn refused(f: &FlowFacts) -> Option<(How, Confidence)> {
    concluded(f).verdict.and_then(Verdict::refused).map(|c| (c.value.how, c.confidence))
}

/// Server flight, client flight, what follows, answer, leaf: measured on loopback.
type Measured = (&'static str, u16, &'static [u16], &'static [u16], &'static [u16], Answer, Option<usize>);

const OPENSSL: &[u16] = &[23, 1699, 281, 69];
const OPENSSL_ASKS: &[u16] = &[23, 110, 1699, 281, 69];

#[rustfmt::skip]
const MEASURED: &[Measured] = &[
    ("OpenSSL, one-way", SHA384, OPENSSL, &[69, 35], &[250, 250, 40], Answer::NotAsked, None),
    ("OpenSSL, AES-128", SHA256, &[23, 1699, 281, 53], &[53, 35], &[234, 234, 40], Answer::NotAsked, None),
    ("OpenSSL, mutual, RSA", SHA384, OPENSSL_ASKS, &[849, 281, 69], &[1066, 1066], Answer::Sent, Some(819)),
    ("OpenSSL, mutual, EC", SHA384, OPENSSL_ASKS, &[648, 97, 69], &[874, 874], Answer::Sent, Some(618)),
    ("OpenSSL, none sent", SHA384, OPENSSL_ASKS, &[25, 69], &[19], Answer::Empty, None),
    ("OpenSSL, none sent, optional", SHA384, OPENSSL_ASKS, &[25, 69], &[250, 250, 300], Answer::Empty, None),
    ("Java client, none sent", SHA384, OPENSSL_ASKS, &[41, 85], &[19], Answer::Empty, None),
    ("Java server, none sent", SHA384, &[65, 154, 893, 297, 85], &[25, 69], &[35], Answer::Empty, None),
    ("GnuTLS server, none sent", SHA384, &[23, 114, 1699, 281, 69], &[25, 69], &[19], Answer::Empty, None),
    ("Go server, none sent", SHA256, &[23, 110, 1699, 281, 53], &[25, 53], &[19], Answer::Empty, None),
    ("gRPC, none sent", SHA256, &[2049], &[61], &[], Answer::Empty, None),
    ("BoringSSL client, none sent", SHA256, &[23, 110, 1699, 281, 53], &[61], &[19], Answer::Empty, None),
    ("OpenSSL, wrong CA", SHA384, OPENSSL_ASKS, &[851, 281, 69], &[19], Answer::Sent, Some(821)),
    ("BoringSSL client, wrong CA", SHA256, &[23, 110, 1699, 281, 53], &[1151], &[19], Answer::Sent, None),
    ("nginx, none sent", SHA384, &[42, 110, 1699, 281, 69], &[25, 69, 96], &[282, 282, 406, 19], Answer::Empty, None),
];

#[test]
fn what_real_programs_were_told_to_do_is_what_their_records_say() {
    for (name, suite, server, client, then, expected, leaf) in MEASURED {
        let f = flow(*suite, server, client, then);
        let i = concluded(&f);
        assert_eq!(i.answer.map(|a| a.value), Some(*expected), "{name}");
        assert_eq!(i.requested.map(|r| r.value), Some(*expected != Answer::NotAsked), "{name}");
        assert_eq!(i.leaf_len, *leaf, "{name}");
        let coalesced = client.len() == 1 && *expected == Answer::Sent;
        let confidence = if coalesced { Confidence::Likely } else { Confidence::Certain };
        assert_eq!(i.answer.map(|a| a.confidence), Some(confidence), "{name}");
        match then {
            [19] | [35] => assert_eq!(refused(&f), Some((How::Alert, Confidence::Likely)), "{name}"),
            [] => assert_eq!(refused(&f), Some((How::Fin, Confidence::Possible)), "{name}"),
            _ => assert!(matches!(i.verdict, Some(Verdict::Accepted(_))), "{name}"),
        }
    }
}

/// mbed TLS pads to multiples of 16: an alert and an empty Certificate have one length.
#[test]
fn padding_to_blocks_of_sixteen_is_understood() {
    let f = flow(SHA256, &[32, 128, 1712, 288, 64], &[32, 64], &[32]);
    assert_eq!(answer(&f), Some((Answer::Empty, Confidence::Certain)));
    assert_eq!(refused(&f), Some((How::Alert, Confidence::Likely)));
}

/// `openssl s_client -record_padding 64`: Finished and an empty Certificate look the same.
#[test]
fn padding_to_large_blocks_leaves_it_open() {
    let f = flow(SHA256, &[80, 144, 1744, 336, 80], &[80, 80, 144], &[272]);
    assert_eq!(answer(&f), None);
    let f = flow(SHA256, OPENSSL, &[80, 80, 144], &[272]);
    assert!(answer(&f).is_none_or(|(_, c)| c == Confidence::Possible));
}

#[test]
fn the_servers_records_alone_are_never_certain() {
    for (records, asked) in [(OPENSSL, false), (OPENSSL_ASKS, true)] {
        let mut f = hellos(SHA384);
        sends(&mut f, Side::B, 6, records);
        f.tcp.fin[Side::A] = Some(mark(8));
        let r = concluded(&f).requested.expect("the layout is plain");
        assert_eq!((r.value, r.confidence), (asked, Confidence::Likely));
    }
    // One record for all: nothing is known.
    let mut f = hellos(SHA384);
    sends(&mut f, Side::B, 6, &[2049]);
    assert_eq!(concluded(&f).requested, None);
    // A certificate that needs two records is no request.
    let mut f = hellos(SHA384);
    sends(&mut f, Side::B, 6, &[23, 16_401, 900, 281, 69]);
    assert_eq!(concluded(&f).requested.map(|r| (r.value, r.confidence)), Some((false, Confidence::Possible)));
}

#[test]
fn a_hole_silences_it() {
    for side in [Side::A, Side::B] {
        let mut f = flow(SHA384, OPENSSL_ASKS, &[25, 69], &[19]);
        f.sides[side].handshake_gap = true;
        assert_eq!(infer(&f), None);
        // A hole behind the client's flight hides what the server said.
        let mut f = flow(SHA384, OPENSSL_ASKS, &[25, 69], &[19]);
        f.sides[side].gaps.push(Gap { at: 0, bytes: 500, frame: FrameNo(10), reason: GapReason::Capture });
        assert_eq!(refused(&f), None);
        assert_eq!(answer(&f), Some((Answer::Empty, Confidence::Certain)));
    }
}

#[test]
fn who_leaves_first_is_not_refused() {
    // The client closed, the server answers its close.
    let mut f = flow(SHA384, OPENSSL_ASKS, &[25, 69], &[19]);
    f.tcp.fin[Side::A] = Some(mark(9));
    assert_eq!(refused(&f), None);
    // It only said goodbye: the missing tickets still speak, less loudly; without their being wanted they say nothing.
    let mut f = flow(SHA384, OPENSSL_ASKS, &[25, 69, 19], &[19]);
    assert_eq!(refused(&f), Some((How::Alert, Confidence::Possible)));
    f.client_hello.as_mut().expect("there").message.extensions.psk_modes.clear();
    assert_eq!(refused(&f), None);
    // Nobody closed.
    let mut f = flow(SHA384, OPENSSL_ASKS, &[25, 69], &[19]);
    f.tcp.fin[Side::B] = None;
    assert_eq!(refused(&f), None);
    // A server that asked for nothing refuses nothing.
    assert_eq!(refused(&flow(SHA384, OPENSSL, &[69], &[19])), None);
}

#[test]
fn early_data_is_told_from_the_flight() {
    let with = |psk: bool, early: &[u16], client: &[u16]| {
        let mut f = hellos(SHA384);
        f.client_hello.as_mut().expect("there").message.extensions.early_data = true;
        f.server_hello.as_mut().expect("there").message.extensions.psk = psk.then(Default::default);
        sends(&mut f, Side::A, 5, early);
        sends(&mut f, Side::B, 6, if psk { &[27, 69] } else { OPENSSL });
        sends(&mut f, Side::A, 8, client);
        apply(&mut f);
        f
    };
    let accepted = with(true, &[1385], &[21, 69]);
    assert_eq!(
        accepted.early_data().map(|c| (c.value, c.confidence)),
        Some((EarlyData::Accepted, Confidence::Certain))
    );
    let refused = with(true, &[1385], &[69]);
    assert_eq!(refused.early_data().map(|c| (c.value, c.confidence)), Some((EarlyData::Rejected, Confidence::Likely)));
    let full = with(false, &[1385], &[69]);
    assert_eq!(full.early_data().map(|c| (c.value, c.confidence)), Some((EarlyData::Rejected, Confidence::Certain)));
    assert_eq!(full.inferred.as_ref().and_then(|i| i.answer).map(|a| a.value), Some(Answer::NotAsked));
}

#[test]
fn a_request_after_the_handshake() {
    for (sent, expected) in [(&[57, 69][..], Answer::Empty), (&[881, 281, 69], Answer::Sent)] {
        let mut f = flow(SHA384, OPENSSL, &[69, 96], &[250, 250]);
        sends(&mut f, Side::B, 14, &[94]);
        sends(&mut f, Side::A, 16, sent);
        assert_eq!(concluded(&f).post_handshake, None, "the client had not offered it");
        f.client_hello.as_mut().expect("there").message.extensions.post_handshake_auth = true;
        let later = concluded(&f).post_handshake.expect("asked");
        assert_eq!((later.answer, later.request.frame.0, later.mark.frame.0), (expected, 14, 16));
    }
}

#[test]
fn the_clients_alert_by_its_size() {
    for len in [19, 35, 32] {
        let mut f = hellos(SHA384);
        sends(&mut f, Side::B, 6, OPENSSL);
        sends(&mut f, Side::A, 8, &[len]);
        assert_eq!(concluded(&f).client_alert.map(|m| m.frame.0), Some(8));
    }
}

#[test]
fn conclusions_become_messages_and_facts() {
    let mut f = flow(SHA384, OPENSSL_ASKS, &[849, 281, 69, 100], &[1066, 1066, 400]);
    apply(&mut f);
    let kinds: Vec<_> = f.messages.iter().map(|m| (m.side, m.kind, m.basis)).collect();
    let all = |side, kinds: &[HandshakeType]| -> Vec<_> {
        kinds.iter().map(|k| (side, MessageKind::Handshake(*k), Basis::Inferred)).collect()
    };
    let t = |n| HandshakeType(n);
    let mut expected = all(Side::B, &[t(8), t(13), t(11), t(15), t(20)]);
    expected.extend(all(Side::A, &[t(11), t(15), t(20)]));
    expected.extend(all(Side::B, &[t(4), t(4)]));
    assert_eq!(kinds, expected);
    assert_eq!(f.outcome(), Outcome::Established);
    let auth = f.client_auth(f.outcome());
    assert_eq!((auth.requested, auth.certificate, auth.proven), (Some(true), ClientCertificate::Sent, Some(true)));
    assert_eq!((auth.basis, auth.confidence), (Some(Basis::Inferred), Confidence::Certain));
    assert_eq!(f.sides[Side::A].application_data, Some(mark(8)));
    assert_eq!(f.sides[Side::B].application_data, Some(mark(10)));
    assert!(f.is_told(&f.shapes[0]) && !f.is_told(&f.shapes[8]));
}

proptest::proptest! {
    /// Whatever the lengths are, nothing panics, and a refusal is never certain.
    #[test]
    fn any_lengths_are_survived(
        suite in 0x1301u16..0x1308,
        server in proptest::collection::vec(0u16..17_000, 0..30),
        client in proptest::collection::vec(0u16..17_000, 0..30),
        then in proptest::collection::vec(0u16..400, 0..4),
    ) {
        let mut f = flow(suite, &server, &client, &then);
        apply(&mut f);
        let refused = f.inferred.as_ref().and_then(|i| i.verdict).and_then(Verdict::refused);
        proptest::prop_assert!(refused.is_none_or(|c| c.confidence != Confidence::Certain));
    }
}

//! Messages whole, cut, lengthened and recorded, and beside tls-parser as a second opinion.

use std::fmt::Write as _;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::limits;
use crate::reader::{DecodeErrorKind, Field};
use crate::span::Span;
use crate::tls::explain::explain;
use crate::tls::names::{ExtensionType, NamedGroup, SignatureScheme};

/// A message with its header.
fn message(kind: HandshakeType, body: &[u8]) -> Vec<u8> {
    let mut m = vec![kind.0];
    m.extend(&(body.len() as u32).to_be_bytes()[1..]);
    m.extend(body);
    m
}

/// A vector with its length in `width` bytes.
fn vec_of(width: usize, content: &[u8]) -> Vec<u8> {
    let mut v = content.len().to_be_bytes()[8 - width..].to_vec();
    v.extend(content);
    v
}

fn ext(kind: ExtensionType, content: &[u8]) -> Vec<u8> {
    [kind.0.to_be_bytes().to_vec(), vec_of(2, content)].concat()
}

fn list16(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_be_bytes()).collect()
}

fn client_hello_body(session_id: &[u8], suites: &[u16], extensions: &[u8]) -> Vec<u8> {
    let random: Vec<u8> = (0..32).collect();
    [&[3, 3], &*random, &vec_of(1, session_id), &vec_of(2, &list16(suites)), &[1, 0], &vec_of(2, extensions)].concat()
}

fn server_hello_body(random: &[u8; 32], extensions: &[u8]) -> Vec<u8> {
    [&[3, 3], &random[..], &vec_of(1, b"sid"), &[0x13, 1, 0], &vec_of(2, extensions)].concat()
}

fn typical_extensions() -> Vec<u8> {
    [
        ext(ExtensionType::SERVER_NAME, b"\0\x0e\0\0\x0bexample.com"),
        ext(ExtensionType::SUPPORTED_GROUPS, &vec_of(2, &list16(&[29, 23]))),
        ext(ExtensionType::ALPN, b"\0\x03\x02h2"),
        ext(ExtensionType::SUPPORTED_VERSIONS, b"\x04\x03\x04\x03\x03"),
        ext(ExtensionType::KEY_SHARE, b"\0\x07\0\x1d\0\x03abc"),
        ext(ExtensionType(0x0a0a), b""),
    ]
    .concat()
}

fn known(version: u16, suite: u16) -> Context {
    Context { version: Some(ProtocolVersion(version)), cipher_suite: Some(suite) }
}

fn decode_whole(m: &[u8], ctx: &Context) -> DecodedHandshake {
    decode(m, m.len().saturating_sub(4), ctx)
}

/// Every kind of message, whole, with what a decoder must know.
fn samples() -> Vec<(Vec<u8>, Context)> {
    use HandshakeType as H;
    let tls10 = known(0x0301, 0xc014);
    let tls12 = known(0x0303, 0xc02f);
    let tls13 = known(0x0304, 0x1301);
    let signature = vec_of(2, &[7; 40]);
    let ec = [&[3, 0, 29][..], &vec_of(1, &[4; 32])].concat();
    let dh = [vec_of(2, &[0xff; 128]), vec_of(2, &[2]), vec_of(2, &[9; 128])].concat();
    let ocsp = ext(ExtensionType::STATUS_REQUEST, b"\x01\0\0\x02ab");
    let entries = [vec_of(3, b"leaf"), vec_of(2, &ocsp), vec_of(3, b"issuer"), vec_of(2, b"")].concat();
    let names = [vec_of(2, b"one"), vec_of(2, b"two")].concat();
    let schemes = ext(ExtensionType::SIGNATURE_ALGORITHMS, &vec_of(2, &list16(&[0x0403, 0x0804])));
    let issuers = ext(ExtensionType::CERTIFICATE_AUTHORITIES, &vec_of(2, &names));
    let sh =
        [ext(ExtensionType::SUPPORTED_VERSIONS, &[3, 4]), ext(ExtensionType::KEY_SHARE, b"\0\x1d\0\x01x")].concat();
    let hrr = [ext(ExtensionType::SUPPORTED_VERSIONS, &[3, 4]), ext(ExtensionType::KEY_SHARE, b"\0\x17")].concat();
    let body = |parts: &[&[u8]]| parts.concat();
    vec![
        (message(H::HELLO_REQUEST, b""), tls12),
        (message(H::CLIENT_HELLO, &client_hello_body(&[5; 32], &[0x1301, 0xc02f, 0xff], &typical_extensions())), tls13),
        (message(H::SERVER_HELLO, &server_hello_body(&[1; 32], &sh)), tls13),
        (message(H::SERVER_HELLO, &server_hello_body(&hello::HELLO_RETRY_RANDOM, &hrr)), tls13),
        (message(H::HELLO_RETRY_REQUEST, &body(&[&[0x7f, 0x13, 0x13, 1], &vec_of(2, &hrr[6..])])), tls13),
        (message(H::NEW_SESSION_TICKET, &body(&[&[0, 0, 1, 0], &vec_of(2, b"ticket")])), tls12),
        (message(H::NEW_SESSION_TICKET, &body(&[&[0, 0, 1, 0, 9, 9, 9, 9, 1, 0], &vec_of(2, b"t"), &[0, 0]])), tls13),
        (message(H::ENCRYPTED_EXTENSIONS, &vec_of(2, &ext(ExtensionType::ALPN, b"\0\x03\x02h2"))), tls13),
        (message(H::CERTIFICATE, &vec_of(3, &body(&[&vec_of(3, b"leaf"), &vec_of(3, b"issuer")]))), tls12),
        (message(H::CERTIFICATE, &body(&[&[0], &vec_of(3, &entries)])), tls13),
        (message(H::CERTIFICATE_REQUEST, &body(&[&[1, 1], &vec_of(2, &names)])), tls10),
        (message(H::CERTIFICATE_REQUEST, &body(&[&[1, 1], &vec_of(2, &[4, 3]), &vec_of(2, &names)])), tls12),
        (message(H::CERTIFICATE_REQUEST, &body(&[&[0], &vec_of(2, &body(&[&schemes, &issuers]))])), tls13),
        (message(H::SERVER_HELLO_DONE, b""), tls12),
        (message(H::CERTIFICATE_VERIFY, &signature), tls10),
        (message(H::CERTIFICATE_VERIFY, &body(&[&[8, 4], &signature])), tls12),
        (message(H::SERVER_KEY_EXCHANGE, &body(&[&ec, &signature])), tls10),
        (message(H::SERVER_KEY_EXCHANGE, &body(&[&ec, &[8, 4], &signature])), tls12),
        (message(H::SERVER_KEY_EXCHANGE, &body(&[&dh, &[4, 1], &signature])), known(0x0303, 0x009e)),
        // DH_anon, PSK, ECDHE_PSK, RSA_EXPORT.
        (message(H::SERVER_KEY_EXCHANGE, &dh), known(0x0303, 0x0034)),
        (message(H::SERVER_KEY_EXCHANGE, &vec_of(2, b"hint")), known(0x0303, 0x008c)),
        (message(H::SERVER_KEY_EXCHANGE, &body(&[&vec_of(2, b"hint"), &ec])), known(0x0303, 0xc035)),
        (
            message(H::SERVER_KEY_EXCHANGE, &body(&[&vec_of(2, &[0xff; 64]), &vec_of(2, &[1, 0, 1]), &signature])),
            known(0x0301, 0x0003),
        ),
        (message(H::CERTIFICATE_STATUS, &body(&[&[1], &vec_of(3, b"response")])), tls12),
        (message(H::KEY_UPDATE, &[1]), tls13),
    ]
}

fn tree(fields: &[Field]) -> String {
    let mut out = String::new();
    for f in fields {
        let _ = writeln!(out, "{}{} {}..{} {}", " ".repeat(f.depth.into()), f.name, f.span.at, f.span.end(), f.meaning);
    }
    out
}

/// The tree of fields is one, inside the message, and the facts are the same with it and without.
fn check(m: &[u8], ctx: &Context) -> DecodedHandshake {
    let facts = decode_whole(m, ctx);
    let recorder = crate::reader::Recorder::new();
    let recorded = read(&mut Reader::recording(m, &recorder), m.len().saturating_sub(4), ctx);
    assert_eq!(facts, recorded);
    let fields = explain(m, ctx, false);
    let mut parents: Vec<&Field> = Vec::new();
    for f in &fields {
        while parents.last().is_some_and(|p| p.depth >= f.depth) {
            parents.pop();
        }
        assert_eq!(usize::from(f.depth), parents.len(), "{}", tree(&fields));
        let outer = parents.last().map_or(Span::new(0, m.len()), |p| p.span);
        assert!(f.span.at >= outer.at && f.span.end() <= outer.end(), "{} in\n{}", f.name, tree(&fields));
        assert!(!f.meaning.chars().any(crate::text::is_unsafe), "{}", f.meaning);
        assert!(!f.name.is_empty());
        parents.push(f);
    }
    facts
}

#[test]
fn the_random_of_a_retry_is_what_the_rfc_says() {
    assert_eq!(Sha256::digest(b"HelloRetryRequest")[..], hello::HELLO_RETRY_RANDOM);
}

#[test]
fn whole_messages_have_no_damage() {
    for (m, ctx) in samples() {
        let d = check(&m, &ctx);
        assert_eq!(d.error, None, "{}", tree(&explain(&m, &ctx, false)));
    }
}

#[test]
fn cut_messages_are_named_and_never_worse() {
    for (m, ctx) in samples() {
        for n in 0..m.len() {
            let d = check(&m[..n], &ctx);
            // ClientHello and ServerHello may end before the extension block.
            let is_whole = d.error.is_none();
            let may_end = match d.message {
                Handshake::ClientHello(h) => h.extensions.types.is_empty() && !h.compression_methods.is_empty(),
                Handshake::ServerHello(h) => h.extensions.types.is_empty(),
                _ => false,
            };
            assert!(!is_whole || may_end, "{} cut at {n}", HandshakeType(m[0]));
        }
    }
}

#[test]
fn a_byte_too_many_is_named_and_takes_nothing_away() {
    for (mut m, ctx) in samples() {
        let whole = decode_whole(&m, &ctx);
        m.push(0);
        let d = check(&m, &ctx);
        match (whole.message, d.message) {
            (Handshake::ClientHello(a), Handshake::ClientHello(b)) => assert_eq!(a.extensions, b.extensions),
            (a, b) => assert_eq!(a, b),
        }
        assert!(matches!(d.error.unwrap().kind, DecodeErrorKind::Trailing(1)), "{}", HandshakeType(m[0]));
    }
}

#[test]
fn what_the_samples_say() {
    let s = samples();
    let facts: Vec<Handshake> = s.iter().map(|(m, ctx)| decode_whole(m, ctx).message).collect();
    let Handshake::ClientHello(ch) = &facts[1] else { panic!() };
    assert_eq!(ch.extensions.host_name(), Some(&b"example.com"[..]));
    assert_eq!((&ch.cipher_suites[..], ch.session_id.len()), (&[0x1301, 0xc02f, 0xff][..], 32));
    assert_eq!(ch.extensions.types, [0, 10, 16, 43, 51, 0x0a0a]);
    assert_eq!(ch.length, s[1].0.len() - 4);
    let Handshake::ServerHello(sh) = &facts[2] else { panic!() };
    assert_eq!((sh.version(), sh.cipher_suite, sh.hello_retry), (ProtocolVersion::TLS13, 0x1301, false));
    for (i, suite) in [(3, 0x1301), (4, 0x1301)] {
        let Handshake::ServerHello(sh) = &facts[i] else { panic!() };
        assert!(sh.hello_retry);
        assert_eq!((sh.cipher_suite, &sh.extensions.key_shares[..]), (suite, &[23][..]));
    }
    assert_eq!(facts[5], Handshake::NewSessionTicket(NewSessionTicket { lifetime: 256, ticket: 6, tail: None }));
    assert_eq!(facts[6], Handshake::NewSessionTicket(NewSessionTicket { lifetime: 256, ticket: 1, tail: None }));
    let span_of = |i: usize, text: &[u8]| {
        let at = s[i].0.windows(text.len()).position(|w| w == text).unwrap();
        Span::new(at, text.len())
    };
    for (i, ocsp) in [(8, None), (9, Some(span_of(9, b"ab")))] {
        let entries = vec![span_of(i, b"leaf"), span_of(i, b"issuer")];
        let expected = CertificateMessage { entries, ocsp_response: ocsp, ..CertificateMessage::default() };
        assert_eq!(facts[i], Handshake::Certificate(expected));
    }
    for (i, types, schemes) in [(10, &[1][..], &[][..]), (11, &[1], &[0x0403]), (12, &[], &[0x0403, 0x0804])] {
        let Handshake::CertificateRequest(r) = &facts[i] else { panic!() };
        assert_eq!((&r.types[..], &r.signature_schemes[..]), (types, schemes));
        assert_eq!(r.authorities, [span_of(i, b"one"), span_of(i, b"two")]);
    }
    assert!(matches!(facts[14], Handshake::CertificateVerify(None, _)));
    assert!(matches!(facts[15], Handshake::CertificateVerify(Some(SignatureScheme(0x0804)), _)));
    let ske: Vec<_> = facts[16..23]
        .iter()
        .map(|f| match f {
            Handshake::ServerKeyExchange(k) => (k.group.map(|g| g.0), k.dh_bits, k.signature_scheme.map(|s| s.0)),
            _ => panic!(),
        })
        .collect();
    let x25519 = Some(NamedGroup::X25519.0);
    assert_eq!(
        ske,
        [
            (x25519, None, None),
            (x25519, None, Some(0x0804)),
            (None, Some(1024), Some(0x0401)),
            (None, Some(1024), None),
            (None, None, None),
            (x25519, None, None),
            (None, None, None),
        ]
    );
    assert_eq!(facts[23], Handshake::CertificateStatus(Some(span_of(23, b"response"))));
    assert_eq!(facts[24], Handshake::KeyUpdate(1));
}

#[test]
fn without_the_server_hello_the_form_is_found_out() {
    let unknown = Context::default();
    for (m, ctx) in samples() {
        let kind = HandshakeType(m[0]);
        let is_guessable = matches!(kind, HandshakeType::CERTIFICATE_REQUEST | HandshakeType::CERTIFICATE_VERIFY)
            || (kind == HandshakeType::SERVER_KEY_EXCHANGE && matches!(ctx.cipher_suite, Some(0xc014 | 0xc02f | 0x9e)));
        if ctx.version != Some(ProtocolVersion::TLS13) && is_guessable {
            assert_eq!(check(&m, &unknown), decode_whole(&m, &ctx), "{kind}");
        }
    }
}

#[test]
fn server_hellos_of_drafts() {
    let extensions = ext(ExtensionType::KEY_SHARE_DRAFT, b"\0\x1d\0\x01x");
    for draft in 16..=21 {
        let body = [&[0x7f, draft], &[1; 32][..], &[0x13, 2], &vec_of(2, &extensions)].concat();
        let d = check(&message(HandshakeType::SERVER_HELLO, &body), &Context::default());
        let Handshake::ServerHello(h) = d.message else { panic!() };
        assert_eq!((h.version().draft(), h.cipher_suite, d.error), (Some(draft), 0x1302, None));
        assert_eq!(h.extensions.key_shares, [29]);
    }
    // Draft 18's HelloRetryRequest names no suite.
    let body = [&[0x7f, 18][..], &vec_of(2, &ext(ExtensionType::KEY_SHARE_DRAFT, b"\0\x17"))].concat();
    let d = check(&message(HandshakeType::HELLO_RETRY_REQUEST, &body), &Context::default());
    let Handshake::ServerHello(h) = d.message else { panic!() };
    assert_eq!((h.hello_retry, h.cipher_suite, &h.extensions.key_shares[..], d.error), (true, 0, &[23][..], None));
}

#[test]
fn a_damaged_client_hello_still_says_where_to() {
    let extensions = typical_extensions();
    let good = client_hello_body(&[5; 32], &[0x1301, 0xc02f], &extensions);
    let name = |body: &[u8]| {
        let d = check(&message(HandshakeType::CLIENT_HELLO, body), &Context::default());
        let Handshake::ClientHello(h) = d.message else { panic!() };
        (h.extensions.host_name().map(<[u8]>::to_vec), d.error.map(|e| (e.what, e.kind)))
    };
    let expected = Some(b"example.com".to_vec());
    assert_eq!(name(&good), (expected.clone(), None));
    // Session id of 33 bytes; no suites; an odd list of suites; no compression methods.
    let illegal = |what| Some((what, DecodeErrorKind::Illegal));
    let long_id = client_hello_body(&[5; 33], &[0x1301], &extensions);
    assert_eq!(name(&long_id), (expected.clone(), illegal("legacy_session_id")));
    let no_suites = client_hello_body(&[], &[], &extensions);
    assert_eq!(name(&no_suites), (expected.clone(), illegal("cipher_suites")));
    let head = [&[3, 3], &[0; 32][..], &[0]].concat();
    let odd = [&head[..], &[0, 3, 0x13, 1, 0], &[1, 0], &vec_of(2, &extensions)].concat();
    let short = Some(("cipher_suite", DecodeErrorKind::Short { need: 2, have: 1 }));
    assert_eq!(name(&odd), (expected.clone(), short));
    let no_methods = [&head[..], &[0, 2, 0x13, 1], &[0], &vec_of(2, &extensions)].concat();
    assert_eq!(name(&no_methods), (expected.clone(), illegal("legacy_compression_methods")));
    // The block's length one too long, one too short.
    let at = good.len() - extensions.len() - 1;
    for by in [1, u8::MAX] {
        let mut b = good.clone();
        b[at] = b[at].wrapping_add(by);
        let (found, error) = name(&b);
        assert_eq!(found, expected);
        assert!(error.is_some());
    }
    // SSL 3.0 to TLS 1.2 have no block.
    let bare = &good[..at - 1];
    assert_eq!(name(bare), (None, None));
}

#[test]
fn certificates_that_are_too_many_or_cut_or_empty() {
    let n = limits::CHAIN_CERTIFICATES + 7;
    let list: Vec<u8> = (0..n).flat_map(|_| vec_of(3, b"der")).collect();
    let m = message(HandshakeType::CERTIFICATE, &vec_of(3, &list));
    let d = check(&m, &Context::default());
    let Handshake::Certificate(c) = d.message else { panic!() };
    assert_eq!((c.entries.len(), c.omitted, d.error), (limits::CHAIN_CERTIFICATES, 7, None));
    // Only the beginning was kept.
    let d = decode(&m[..27], m.len() - 4, &Context::default());
    let Handshake::Certificate(c) = d.message else { panic!() };
    assert_eq!((c.entries.len(), d.error), (3, None));
    // The list lies about its length.
    let d = check(&[11, 0, 0, 9, 0xff, 0xff, 0xff, 0, 0, 3, 1, 2, 3], &Context::default());
    let Handshake::Certificate(c) = d.message else { panic!() };
    assert_eq!(c.entries, [Span::new(10, 3)]);
    assert!(matches!(d.error.unwrap().kind, DecodeErrorKind::Short { .. }));
    // No certificates is legal; a certificate without bytes is not, and does not hide the next.
    assert_eq!(check(&[11, 0, 0, 3, 0, 0, 0], &Context::default()).error, None);
    let d = check(&[11, 0, 0, 10, 0, 0, 7, 0, 0, 0, 0, 0, 1, 9], &Context::default());
    let Handshake::Certificate(c) = d.message else { panic!() };
    assert_eq!(c.entries, [Span::new(10, 0), Span::new(13, 1)]);
    assert_eq!(d.error.unwrap().kind, DecodeErrorKind::Illegal);
}

#[test]
fn a_raw_public_key_stands_without_a_list() {
    // RFC 7250, section 3: opaque ASN.1_subjectPublicKeyInfo<1..2^24-1>, here a SEQUENCE of 300 bytes that begins with an
    // AlgorithmIdentifier (rsaEncryption).
    let algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let key = [&[0x30, 0x82, 1, 44][..], &algorithm, &[7; 285]].concat();
    let m = message(HandshakeType::CERTIFICATE, &vec_of(3, &key));
    let raw = |m: &[u8], ctx: &Context| {
        let d = check(m, ctx);
        let Handshake::Certificate(c) = d.message else { panic!() };
        (c.raw_public_key, c.entries.len(), d.error.is_some())
    };
    assert_eq!(raw(&m, &Context::default()), (Some(Span::new(7, 304)), 0, false));
    // A certificate in a list, a key that is cut, one with something behind it, and TLS 1.3, where entries have lengths.
    let listed = message(HandshakeType::CERTIFICATE, &vec_of(3, &vec_of(3, &key)));
    assert_eq!(raw(&listed, &Context::default()), (None, 1, false));
    for other in [&key[..200], &[&key[..], &[0]].concat()] {
        let (found, _, error) = raw(&message(HandshakeType::CERTIFICATE, &vec_of(3, other)), &Context::default());
        assert!(found.is_none() && error);
    }
    // A certificate without the lengths around it is none either: its first element is a SEQUENCE of a version.
    let certificate = [&[0x30, 0x82, 1, 44, 0x30, 0x82, 0, 200, 0xa0, 3, 2, 1, 2][..], &[7; 291]].concat();
    let (found, _, error) = raw(&message(HandshakeType::CERTIFICATE, &vec_of(3, &certificate)), &Context::default());
    assert!(found.is_none() && error);
    let m = message(HandshakeType::CERTIFICATE, &[&[0][..], &vec_of(3, &key)].concat());
    assert_eq!(raw(&m, &known(0x0304, 0x1301)).0, None);
}

#[test]
fn the_tree_of_a_hello() {
    let m = message(HandshakeType::CLIENT_HELLO, &client_hello_body(b"", &[0x1301], &typical_extensions()[..20]));
    let expected = "\
ClientHello 0..67 67 bytes
 msg_type 0..1 client_hello
 length 1..4 63 bytes
 legacy_version 4..6 TLS 1.2
 random 6..38 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
 legacy_session_id 38..39 empty
 cipher_suites 39..43 (1)
  cipher_suite 41..43 TLS_AES_128_GCM_SHA256
 legacy_compression_methods 43..45 (1)
  compression_method 44..45 NULL
 extensions 45..67 (1)
  server_name 47..67 example.com
   extension_type 47..49 0x0000
   extension_data 49..67 
    ServerNameList 51..67 14 bytes
     name_type 53..54 host_name
     HostName 54..67 example.com
";
    assert_eq!(tree(&explain(&m, &Context::default(), false)), expected);
}

/// What tls-parser 0.12.2 says of a hello's extension block, in our words.
///
/// Where it is known to differ, and the input therefore does not go: extensions 21 and 22 are swapped; any type with
/// `0x?a?a` counts as GREASE; GREASE and unknown types within lists are the same as here; one damaged extension hides
/// those after it; PSK, key share and cookie contents are left as bytes; a HelloRetryRequest is a ServerHello;
/// TLS 1.3 Certificate and CertificateRequest come back empty; EncryptedExtensions is an error.
fn oracle(block: &[u8]) -> Extensions {
    use tls_parser::TlsExtension as T;
    let mut out = Extensions::default();
    let (rest, list) = tls_parser::parse_tls_client_hello_extensions(block).unwrap();
    assert!(rest.is_empty());
    for e in list {
        match e {
            T::SNI(l) => out.server_name = Some(l.iter().filter(|(t, _)| t.0 == 0).map(|(_, n)| (*n).into()).collect()),
            T::ALPN(l) => out.alpn = l.iter().map(|n| (*n).into()).collect(),
            T::EllipticCurves(l) => out.groups = l.iter().map(|g| g.0).collect(),
            T::EcPointFormats(l) => out.point_formats = l.to_vec(),
            T::SignatureAlgorithms(l) => out.signature_schemes = l,
            T::SupportedVersions(l) => out.supported_versions = l.iter().map(|v| v.0).collect(),
            T::PskExchangeModes(l) => out.psk_modes = l,
            T::SessionTicket(t) => {
                out.session_ticket = Some(t.len());
                let tail = t.len().checked_sub(16).map(|at| t[at..].try_into().expect("sixteen"));
                out.session_ticket_tail = tail.map(Tail);
            }
            T::RecordSizeLimit(n) => out.record_size_limit = Some(n),
            T::MaxFragmentLength(n) => out.max_fragment_length = Some(n),
            T::Heartbeat(n) => out.heartbeat = Some(n),
            T::RenegotiationInfo(b) => out.renegotiation_info = Some(b.len()),
            T::ExtendedMasterSecret => out.extended_master_secret = true,
            T::PostHandshakeAuth => out.post_handshake_auth = true,
            T::EarlyData(_) => out.early_data = true,
            _ => {}
        }
    }
    out
}

fn names() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..6)
}

/// An extension that both decoders know, with legal content.
fn any_extension() -> impl Strategy<Value = (ExtensionType, Vec<u8>)> {
    use ExtensionType as E;
    let codes = || prop::collection::vec(any::<u16>(), 1..40).prop_map(|l| list16(&l));
    let bytes = || prop::collection::vec(any::<u8>(), 1..30);
    let entries = |width: usize, l: Vec<Vec<u8>>| -> Vec<u8> { l.iter().flat_map(|n| vec_of(width, n)).collect() };
    prop_oneof![
        names().prop_map(|l| {
            let list: Vec<u8> = l.iter().flat_map(|n| [vec![0], vec_of(2, n)].concat()).collect();
            (E::SERVER_NAME, vec_of(2, &list))
        }),
        names().prop_map(move |l| (E::ALPN, vec_of(2, &entries(1, l)))),
        codes().prop_map(|l| (E::SUPPORTED_GROUPS, vec_of(2, &l))),
        codes().prop_map(|l| (E::SIGNATURE_ALGORITHMS, vec_of(2, &l))),
        codes().prop_map(|l| (E::SUPPORTED_VERSIONS, vec_of(1, &l))),
        bytes().prop_map(|l| (E::EC_POINT_FORMATS, vec_of(1, &l))),
        bytes().prop_map(|l| (E::PSK_KEY_EXCHANGE_MODES, vec_of(1, &l))),
        bytes().prop_map(|l| (E::SESSION_TICKET, l)),
        bytes().prop_map(|l| (E::RENEGOTIATION_INFO, vec_of(1, &l))),
        (64u16..).prop_map(|n| (E::RECORD_SIZE_LIMIT, n.to_be_bytes().to_vec())),
        (1u8..=4).prop_map(|n| (E::MAX_FRAGMENT_LENGTH, vec![n])),
        (1u8..=2).prop_map(|n| (E::HEARTBEAT, vec![n])),
        Just((E::EXTENDED_MASTER_SECRET, vec![])),
        Just((E::POST_HANDSHAKE_AUTH, vec![])),
        Just((E::EARLY_DATA, vec![])),
        Just((E(0x1234), vec![1, 2, 3])),
    ]
}

proptest! {
    #[test]
    fn tls_parser_says_the_same_of_hellos(
        session_id in prop::collection::vec(any::<u8>(), 0..=32),
        suites in prop::collection::vec(any::<u16>(), 1..60),
        mut list in prop::collection::vec(any_extension(), 0..12),
    ) {
        // Each once: what a second one means is not said by tls-parser.
        let mut seen = std::collections::HashSet::new();
        list.retain(|(t, _)| seen.insert(*t));
        let block: Vec<u8> = list.iter().flat_map(|(t, c)| ext(*t, c)).collect();
        let m = message(HandshakeType::CLIENT_HELLO, &client_hello_body(&session_id, &suites, &block));
        let d = check(&m, &Context::default());
        prop_assert_eq!(d.error, None);
        let Handshake::ClientHello(ours) = d.message else { panic!() };
        let Ok((_, tls_parser::TlsMessage::Handshake(tls_parser::TlsMessageHandshake::ClientHello(theirs)))) =
            tls_parser::parse_tls_message_handshake(&m) else { panic!() };
        prop_assert_eq!(ours.legacy_version, theirs.version.0);
        prop_assert_eq!(&ours.random[..], theirs.random);
        prop_assert_eq!(&ours.session_id[..], theirs.session_id.unwrap_or_default());
        prop_assert_eq!(ours.cipher_suites, theirs.ciphers.iter().map(|c| c.0).collect::<Vec<_>>());
        prop_assert_eq!(ours.compression_methods, theirs.comp.iter().map(|c| c.0).collect::<Vec<_>>());
        let mut expected = oracle(theirs.ext.unwrap_or_default());
        expected.types = list.iter().map(|(t, _)| t.0).collect();
        prop_assert_eq!(ours.extensions, expected);
    }

    #[test]
    fn tls_parser_says_the_same_of_certificates(certificates in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..9)) {
        let list: Vec<u8> = certificates.iter().flat_map(|c| vec_of(3, c)).collect();
        let m = message(HandshakeType::CERTIFICATE, &vec_of(3, &list));
        let d = check(&m, &Context::default());
        prop_assert_eq!(d.error, None);
        let Handshake::Certificate(ours) = d.message else { panic!() };
        let Ok((_, tls_parser::TlsMessage::Handshake(tls_parser::TlsMessageHandshake::Certificate(theirs)))) =
            tls_parser::parse_tls_message_handshake(&m) else { panic!() };
        let ours: Vec<&[u8]> = ours.entries.iter().map(|s| &m[s.at..s.end()]).collect();
        prop_assert_eq!(ours, theirs.cert_chain.iter().map(|c| c.data).collect::<Vec<_>>());
    }

    #[test]
    fn whatever_comes_is_decoded(
        i in 0usize..25,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        version in prop::option::of(prop::sample::select(vec![0x0300u16, 0x0301, 0x0303, 0x0304, 0x7f12, 0x0101, 0x4a4a])),
        suite in prop::option::of(prop::sample::select(vec![0xc02fu16, 0x9e, 0x34, 0x8c, 0xc035, 3, 0x2f, 0x1301, 0xc01d])),
        kind in prop::option::of(0u8..30),
    ) {
        let (mut m, _) = samples().swap_remove(i);
        for (at, value) in changes {
            let at = at.index(m.len());
            m[at] = value;
        }
        if let Some(kind) = kind {
            m[0] = kind;
        }
        m.truncate(m.len().min(cut.index(m.len() * 3) + 1));
        check(&m, &Context { version: version.map(ProtocolVersion), cipher_suite: suite });
    }
}

//! Extensions one by one, written out as the RFCs draw them.

use super::*;
use crate::reader::DecodeErrorKind;
use crate::span::Span;

/// One extension in its message.
fn one(kind: ExtensionType, place: Place, content: &[u8]) -> Extensions {
    let mut b = kind.0.to_be_bytes().to_vec();
    b.extend((content.len() as u16).to_be_bytes());
    b.extend(content);
    let mut out = Extensions::default();
    read(&mut Reader::new(&b), place, &mut out).unwrap();
    assert_eq!(out.types, [kind.0]);
    out
}

fn is_damaged(kind: ExtensionType, place: Place, content: &[u8]) -> bool {
    !one(kind, place, content).malformed.is_empty()
}

/// Content that is whole: no damage as it is, damage with a byte more, and with any number of bytes less but those
/// in `also` (where a shorter form is legal too).
fn check_lengths(kind: ExtensionType, place: Place, content: &[u8], also: &[usize]) -> Extensions {
    let out = one(kind, place, content);
    assert_eq!(out.malformed, [], "{kind} {place:?}");
    assert_eq!(out.misplaced, None);
    for n in 0..content.len() {
        assert_eq!(is_damaged(kind, place, &content[..n]), !also.contains(&n), "{kind} {place:?} cut at {n}");
    }
    let mut longer = content.to_vec();
    longer.push(0);
    assert!(is_damaged(kind, place, &longer), "{kind} {place:?} with a byte more");
    out
}

#[test]
fn the_registry_is_sorted() {
    assert!(EXTENSIONS.windows(2).all(|p| p[0].kind < p[1].kind));
    assert!(EXTENSIONS.iter().all(|c| c.kind.name().is_some() && c.places != 0));
    assert_eq!(codec(ExtensionType::ALPN).unwrap().kind, ExtensionType::ALPN);
    assert!(codec(ExtensionType(0x0a0a)).is_none());
}

#[test]
fn server_name() {
    let k = ExtensionType::SERVER_NAME;
    let out = check_lengths(k, Place::ClientHello, b"\0\x0c\0\0\x09localhost", &[]);
    assert_eq!(out.host_name(), Some(&b"localhost"[..]));
    assert_eq!(check_lengths(k, Place::ServerHello, b"", &[]).server_name, Some(vec![]));
    // Two names; another type of name between them is skipped.
    let out = one(k, Place::ClientHello, b"\0\x0e\0\0\x01a\x09\0\x03xyz\0\0\x01b");
    assert_eq!(out.server_name.unwrap(), [b"a".to_vec().into(), b"b".to_vec().into_boxed_slice()]);
    assert_eq!(out.malformed, []);
    // An empty name is a name and illegal.
    let out = one(k, Place::ClientHello, b"\0\x03\0\0\0");
    assert_eq!(out.host_name(), Some(&b""[..]));
    assert_eq!(out.malformed[0].1.kind, DecodeErrorKind::Illegal);
    // A length past the end: nothing of what lies outside.
    let out = one(k, Place::ClientHello, b"\0\x10\0\0\x03abc");
    assert_eq!(out.server_name, None);
    assert_eq!(out.malformed[0].1.kind, DecodeErrorKind::Short { need: 16, have: 6 });
    // What came before the damage is kept.
    let out = one(k, Place::ClientHello, b"\0\x08\0\0\x01a\0\0\x09b");
    assert_eq!(out.host_name(), Some(&b"a"[..]));
    assert_eq!(out.malformed.len(), 1);
}

#[test]
fn alpn() {
    let k = ExtensionType::ALPN;
    let out = check_lengths(k, Place::ClientHello, b"\0\x0c\x02h2\x08http/1.1", &[]);
    assert_eq!(out.alpn, [b"h2".to_vec().into_boxed_slice(), b"http/1.1".to_vec().into()]);
    assert_eq!(check_lengths(k, Place::EncryptedExtensions, b"\0\x03\x02h2", &[]).alpn.len(), 1);
    let out = one(k, Place::ClientHello, b"\0\x04\0\x02h2");
    assert_eq!(out.alpn.len(), 2);
    assert_eq!(out.malformed[0].1.kind, DecodeErrorKind::Illegal);
}

#[test]
fn lists_of_code_points() {
    let ch = Place::ClientHello;
    let list = b"\0\x04\x00\x1d\x00\x17";
    assert_eq!(check_lengths(ExtensionType::SUPPORTED_GROUPS, ch, list, &[]).groups, [29, 23]);
    assert_eq!(check_lengths(ExtensionType::SIGNATURE_ALGORITHMS, ch, list, &[]).signature_schemes, [29, 23]);
    check_lengths(ExtensionType::SIGNATURE_ALGORITHMS_CERT, ch, list, &[]);
    check_lengths(ExtensionType::DELEGATED_CREDENTIAL, ch, list, &[]);
    let out = check_lengths(ExtensionType::SUPPORTED_VERSIONS, ch, b"\x04\x03\x04\x03\x03", &[]);
    assert_eq!(out.supported_versions, [0x0304, 0x0303]);
    let out = check_lengths(ExtensionType::SUPPORTED_VERSIONS, Place::ServerHello, b"\x03\x04", &[]);
    assert_eq!(out.supported_versions, [0x0304]);
    assert_eq!(check_lengths(ExtensionType::EC_POINT_FORMATS, ch, b"\x02\0\x01", &[]).point_formats, [0, 1]);
    assert_eq!(check_lengths(ExtensionType::PSK_KEY_EXCHANGE_MODES, ch, b"\x01\x01", &[]).psk_modes, [1]);
    assert_eq!(check_lengths(ExtensionType::COMPRESS_CERTIFICATE, ch, b"\x02\0\x02", &[]).compress_certificate, [2]);
    // An odd byte at the end: the others stay.
    let out = one(ExtensionType::SUPPORTED_GROUPS, ch, b"\0\x03\x00\x1d\x00");
    assert_eq!(out.groups, [29]);
    assert_eq!(out.malformed.len(), 1);
}

#[test]
fn key_shares() {
    let k = ExtensionType::KEY_SHARE;
    let out = check_lengths(k, Place::ClientHello, b"\0\x0c\x0a\x0a\0\x01\0\x00\x1d\0\x03abc", &[]);
    assert_eq!(out.key_shares, [0x0a0a, 29]);
    assert_eq!(check_lengths(k, Place::ServerHello, b"\x00\x1d\0\x03abc", &[]).key_shares, [29]);
    assert_eq!(check_lengths(k, Place::HelloRetryRequest, b"\x00\x17", &[]).key_shares, [23]);
    // Keys without bytes: illegal, but the groups are there.
    let out = one(k, Place::ClientHello, b"\0\x08\x00\x1d\0\0\x00\x17\0\0");
    assert_eq!(out.key_shares, [29, 23]);
    assert_eq!(out.malformed.len(), 1);
    // The number of the drafts: the same where it fits, opaque where not.
    let k = ExtensionType::KEY_SHARE_DRAFT;
    assert_eq!(one(k, Place::ClientHello, b"\0\x07\x00\x1d\0\x03abc").key_shares, [29]);
    let out = one(k, Place::ClientHello, b"\0\x07\x00\x1d\0\x04abc");
    assert_eq!((out.key_shares, out.malformed), (vec![], vec![]));
}

#[test]
fn pre_shared_keys() {
    let k = ExtensionType::PRE_SHARED_KEY;
    let out = check_lengths(k, Place::ClientHello, b"\0\x09\0\x03abc\0\0\0\x01\0\x04\x03xyz", &[]);
    assert_eq!(out.psk, Some(1));
    assert_eq!(check_lengths(k, Place::ServerHello, b"\0\x02", &[]).psk, Some(2));
    // Binders past the end: the identities still count.
    let out = one(k, Place::ClientHello, b"\0\x09\0\x03abc\0\0\0\x01\xff\xff\x03xyz");
    assert_eq!(out.psk, Some(1));
    assert_eq!(out.malformed.len(), 1);
    let out = one(ExtensionType::SESSION_TICKET, Place::ClientHello, b"12345");
    assert_eq!(out.session_ticket, Some(5));
    assert_eq!(one(ExtensionType::SESSION_TICKET, Place::ServerHello, b"").session_ticket, Some(0));
    assert_eq!(check_lengths(ExtensionType::COOKIE, Place::HelloRetryRequest, b"\0\x02ab", &[]).cookie, Some(2));
    let out = check_lengths(ExtensionType::RENEGOTIATION_INFO, Place::ClientHello, b"\x02ab", &[]);
    assert_eq!(out.renegotiation_info, Some(2));
    check_lengths(ExtensionType::TICKET_REQUEST, Place::ClientHello, b"\x01\x02", &[]);
    check_lengths(ExtensionType::TICKET_REQUEST, Place::EncryptedExtensions, b"\x01", &[]);
    check_lengths(ExtensionType::CONNECTION_ID, Place::ClientHello, b"\x01a", &[]);
}

#[test]
fn flags_and_choices() {
    let ch = Place::ClientHello;
    assert!(check_lengths(ExtensionType::EXTENDED_MASTER_SECRET, ch, b"", &[]).extended_master_secret);
    assert!(check_lengths(ExtensionType::ENCRYPT_THEN_MAC, ch, b"", &[]).encrypt_then_mac);
    assert!(check_lengths(ExtensionType::POST_HANDSHAKE_AUTH, ch, b"", &[]).post_handshake_auth);
    assert!(check_lengths(ExtensionType::EARLY_DATA, ch, b"", &[]).early_data);
    check_lengths(ExtensionType::EARLY_DATA, Place::NewSessionTicket, &[0, 0, 1, 0], &[]);
    assert_eq!(check_lengths(ExtensionType::HEARTBEAT, ch, &[1], &[]).heartbeat, Some(1));
    assert!(is_damaged(ExtensionType::HEARTBEAT, ch, &[3]));
    assert_eq!(check_lengths(ExtensionType::MAX_FRAGMENT_LENGTH, ch, &[4], &[]).max_fragment_length, Some(4));
    assert!(is_damaged(ExtensionType::MAX_FRAGMENT_LENGTH, ch, &[5]));
    let out = check_lengths(ExtensionType::RECORD_SIZE_LIMIT, ch, &[0x40, 1], &[]);
    assert_eq!(out.record_size_limit, Some(0x4001));
    assert!(is_damaged(ExtensionType::RECORD_SIZE_LIMIT, ch, &[0, 63]));
    assert!(!is_damaged(ExtensionType::PADDING, ch, &[0; 40]));
    assert!(is_damaged(ExtensionType::PADDING, ch, &[0, 1]));
}

#[test]
fn status() {
    let k = ExtensionType::STATUS_REQUEST;
    assert!(check_lengths(k, Place::ClientHello, &[1, 0, 0, 0, 0], &[]).status_request);
    assert!(check_lengths(k, Place::ServerHello, &[], &[]).status_request);
    check_lengths(k, Place::CertificateRequest, &[1, 0, 0, 0, 0], &[0]);
    let out = check_lengths(k, Place::Certificate, b"\x01\0\0\x03abc", &[]);
    // Behind the header of the extension, the type and the length.
    assert_eq!(out.ocsp_response, Some(Span::new(8, 3)));
    check_lengths(ExtensionType::STATUS_REQUEST_V2, Place::ClientHello, &[0, 7, 2, 0, 4, 0, 0, 0, 0], &[]);
    check_lengths(ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP, Place::ClientHello, &[], &[]);
    check_lengths(ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP, Place::Certificate, b"\0\x04\0\x02ab", &[]);
}

#[test]
fn certificates_and_issuers() {
    let k = ExtensionType::CERTIFICATE_AUTHORITIES;
    let out = check_lengths(k, Place::CertificateRequest, b"\0\x09\0\x020\0\0\x03abc", &[]);
    assert_eq!(out.certificate_authorities, [Span::new(8, 2), Span::new(12, 3)]);
    check_lengths(ExtensionType::OID_FILTERS, Place::CertificateRequest, b"\0\x06\x02ab\0\x01c", &[]);
    check_lengths(ExtensionType::CLIENT_CERTIFICATE_TYPE, Place::ClientHello, &[2, 2, 0], &[]);
    check_lengths(ExtensionType::CLIENT_CERTIFICATE_TYPE, Place::EncryptedExtensions, &[2], &[]);
    check_lengths(ExtensionType::TRUSTED_CA_KEYS, Place::ClientHello, b"\0\x06\0\x02\0\x02ab", &[]);
    let delegated = b"\0\0\0\x01\x04\x03\0\0\x02ab\x04\x03\0\x01x";
    check_lengths(ExtensionType::DELEGATED_CREDENTIAL, Place::Certificate, delegated, &[]);
}

#[test]
fn encrypted_hellos() {
    let k = ExtensionType::ENCRYPTED_CLIENT_HELLO;
    assert!(check_lengths(k, Place::ClientHello, b"\0\0\x01\0\x01\x07\0\x02ab\0\x03xyz", &[]).encrypted_client_hello);
    check_lengths(k, Place::ClientHello, &[1], &[]);
    assert!(is_damaged(k, Place::ClientHello, &[2]));
    check_lengths(k, Place::HelloRetryRequest, &[0; 8], &[]);
    check_lengths(k, Place::EncryptedExtensions, b"\0\x02ab", &[]);
    check_lengths(ExtensionType::ECH_OUTER_EXTENSIONS, Place::ClientHello, &[2, 0, 51], &[]);
    let esni = b"\x13\x01\0\x1d\0\x01a\0\x01b\0\x01c";
    check_lengths(ExtensionType::ENCRYPTED_SERVER_NAME, Place::ClientHello, esni, &[]);
}

#[test]
fn what_stands_in_the_wrong_message_is_named_and_not_decoded() {
    let out = one(ExtensionType::KEY_SHARE, Place::EncryptedExtensions, b"\x00\x1d\0\x03abc");
    assert_eq!(out.misplaced, Some(ExtensionType::KEY_SHARE));
    assert_eq!((out.key_shares, out.malformed), (vec![], vec![]));
}

#[test]
fn of_two_the_first_counts() {
    let b = [0, 0x2b, 0, 3, 2, 3, 4, 0, 0x17, 0, 0, 0, 0x2b, 0, 3, 2, 3, 3, 0, 0x17, 0, 0];
    let mut out = Extensions::default();
    read(&mut Reader::new(&b), Place::ClientHello, &mut out).unwrap();
    assert_eq!(out.types, [43, 23, 43, 23]);
    assert_eq!(out.supported_versions, [0x0304]);
    assert_eq!(out.duplicate, Some(ExtensionType::SUPPORTED_VERSIONS));
}

#[test]
fn duplicates_are_found_in_long_lists_too() {
    for n in [1, limits::TYPICAL_EXTENSIONS - 1, limits::TYPICAL_EXTENSIONS, limits::TYPICAL_EXTENSIONS + 1, 16_000] {
        for again in [0, n / 2, n - 1] {
            let types = (0..n).chain([again]).map(|i| 0x4000 + i as u16);
            let b: Vec<u8> = types.flat_map(|t| [(t >> 8) as u8, t as u8, 0, 0]).collect();
            let mut out = Extensions::default();
            read(&mut Reader::new(&b), Place::ServerHello, &mut out).unwrap();
            assert_eq!(out.duplicate, Some(ExtensionType(0x4000 + again as u16)), "{n} {again}");
            let mut out = Extensions::default();
            read(&mut Reader::new(&b[..4 * n]), Place::ServerHello, &mut out).unwrap();
            assert_eq!((out.duplicate, out.types.len()), (None, n));
        }
    }
}

#[test]
fn damage_is_listed_to_a_limit() {
    let b: Vec<u8> = (0..100).flat_map(|_| [0u8, 23, 0, 1, 0, 0, 22, 0, 1, 0]).collect();
    let mut out = Extensions::default();
    read(&mut Reader::new(&b), Place::ClientHello, &mut out).unwrap();
    assert_eq!(out.malformed.len(), 2, "of an extension sent again nothing counts");
    let b: Vec<u8> = EXTENSIONS.iter().flat_map(|c| [(c.kind.0 >> 8) as u8, c.kind.0 as u8, 0, 1, 0xff]).collect();
    let mut out = Extensions::default();
    read(&mut Reader::new(&b), Place::ClientHello, &mut out).unwrap();
    assert_eq!(out.malformed.len(), limits::MALFORMED_EXTENSIONS);
}

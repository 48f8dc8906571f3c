//! Fingerprints of hellos: JA3 and JA3S (Salesforce) and JA4 of the client (FoxIO; BSD-3-Clause).
//!
//! They say which TLS stack and settings sent a hello, never who. The other methods of the JA4+ family are left out:
//! their licence does not permit free use. Rules: <https://github.com/salesforce/ja3> and
//! <https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::names::{ProtocolVersion, is_grease};
use crate::text::hex;

/// Extensions that JA4 counts but leaves out of its hash: server_name and ALPN.
const NOT_HASHED: [u16; 2] = [0x0000, 0x0010];

/// Digits of a JA4 hash.
const JA4_HASH_BYTES: usize = 6;

/// What JA4 writes in place of the hash of an empty list.
const JA4_EMPTY: &str = "000000000000";

/// Characters of a JA4: ten, and two hashes with a separator each.
const JA4_LEN: usize = 36;

/// Room for the text that a usual hello's fingerprint is made from.
const JA3_ROOM: usize = 256;

/// The parts of a ClientHello that fingerprints are made of, in wire order and with GREASE.
#[derive(Clone, Copy, Debug, Default)]
pub struct HelloView<'a> {
    /// The version field.
    pub legacy_version: u16,
    /// Values of supported_versions; empty without it.
    pub supported_versions: &'a [u16],
    /// Cipher suites.
    pub cipher_suites: &'a [u16],
    /// Types of the extensions.
    pub extensions: &'a [u16],
    /// Values of supported_groups; empty without it.
    pub groups: &'a [u16],
    /// Values of ec_point_formats; empty without it.
    pub point_formats: &'a [u8],
    /// Values of signature_algorithms; empty without it.
    pub signature_schemes: &'a [u16],
    /// The first protocol of the ALPN extension; `None` without any.
    pub alpn_first: Option<&'a [u8]>,
    /// The server_name extension is there.
    pub has_server_name: bool,
    /// The hello came over QUIC.
    pub quic: bool,
    /// The hello came over DTLS.
    pub dtls: bool,
}

/// A JA3 or JA3S fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ja3 {
    /// The text that is hashed.
    pub full: String,
    /// Its MD5, 32 hexadecimal digits: what is usually called the fingerprint.
    pub md5: String,
}

impl Ja3 {
    fn of(full: String) -> Self {
        let md5 = hex(&Md5::digest(full.as_bytes()));
        Self { full, md5 }
    }
}

/// JA3 of a ClientHello: version, suites, extensions, groups and point formats in decimal, without GREASE.
pub fn ja3(hello: &HelloView<'_>) -> Ja3 {
    let mut full = String::with_capacity(JA3_ROOM);
    push_decimal(&mut full, hello.legacy_version);
    for list in [hello.cipher_suites, hello.extensions, hello.groups] {
        full.push(',');
        push_list(&mut full, list.iter().copied().filter(|v| !is_grease(*v)));
    }
    full.push(',');
    push_list(&mut full, hello.point_formats.iter().map(|v| u16::from(*v)));
    Ja3::of(full)
}

/// JA3S of a ServerHello: its version field (not what supported_versions says), suite and extensions in wire order.
pub fn ja3s(legacy_version: u16, cipher_suite: u16, extensions: &[u16]) -> Ja3 {
    let mut full = String::with_capacity(JA3_ROOM);
    push_decimal(&mut full, legacy_version);
    full.push(',');
    push_decimal(&mut full, cipher_suite);
    full.push(',');
    push_list(&mut full, extensions.iter().copied());
    Ja3::of(full)
}

/// JA4 of a ClientHello, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
///
/// `None` where its definition has no code: for versions other than SSL 2.0 to TLS 1.3 and DTLS 1.0 to 1.3 (drafts of
/// TLS 1.3 have none), and where the ALPN value does not begin and end with an ASCII letter or digit.
pub fn ja4(hello: &HelloView<'_>) -> Option<String> {
    let version = version_code(youngest(hello))?;
    let alpn = match hello.alpn_first {
        Some([first, .., last]) => [*first, *last],
        Some([only]) => [*only, *only],
        Some([]) | None => *b"00",
    };
    if !alpn.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let mut ciphers: Vec<u16> = hello.cipher_suites.iter().copied().filter(|v| !is_grease(*v)).collect();
    let mut extensions: Vec<u16> = hello.extensions.iter().copied().filter(|v| !is_grease(*v)).collect();

    let mut out = String::with_capacity(JA4_LEN);
    out.push(if hello.quic {
        'q'
    } else if hello.dtls {
        'd'
    } else {
        't'
    });
    out.push_str(version);
    out.push(if hello.has_server_name { 'd' } else { 'i' });
    push_count(&mut out, ciphers.len());
    push_count(&mut out, extensions.len());
    out.extend(alpn.map(char::from));

    // One buffer for both lists: four digits and a separator each.
    let mut text = Vec::with_capacity(JA3_ROOM);
    out.push('_');
    ciphers.sort_unstable();
    push_hex_list(&mut text, &ciphers);
    push_hash(&mut out, &text);

    out.push('_');
    text.clear();
    extensions.retain(|v| !NOT_HASHED.contains(v));
    extensions.sort_unstable();
    if !extensions.is_empty() {
        push_hex_list(&mut text, &extensions);
        let mut before = b'_';
        for scheme in hello.signature_schemes.iter().filter(|v| !is_grease(**v)) {
            text.push(before);
            push_hex(&mut text, *scheme);
            before = b',';
        }
    }
    push_hash(&mut out, &text);
    Some(out)
}

/// The youngest version that is offered. Versions of DTLS count down (RFC 6347, section 4.1).
fn youngest(hello: &HelloView<'_>) -> u16 {
    let versions = hello.supported_versions.iter().copied().filter(|v| !is_grease(*v));
    let youngest = if hello.dtls { versions.min() } else { versions.max() };
    youngest.unwrap_or(hello.legacy_version)
}

const fn version_code(version: u16) -> Option<&'static str> {
    Some(match ProtocolVersion(version) {
        ProtocolVersion::TLS13 => "13",
        ProtocolVersion::TLS12 => "12",
        ProtocolVersion::TLS11 => "11",
        ProtocolVersion::TLS10 => "10",
        ProtocolVersion::SSL3 => "s3",
        ProtocolVersion::SSL2 => "s2",
        ProtocolVersion::DTLS10 => "d1",
        ProtocolVersion::DTLS12 => "d2",
        ProtocolVersion::DTLS13 => "d3",
        _ => return None,
    })
}

/// Two digits; more than 99 is written as 99.
fn push_count(out: &mut String, count: usize) {
    let count = count.min(99) as u16;
    if count < 10 {
        out.push('0');
    }
    push_decimal(out, count);
}

fn push_hash(out: &mut String, text: &[u8]) {
    if text.is_empty() {
        out.push_str(JA4_EMPTY);
        return;
    }
    let hash = Sha256::digest(text);
    out.push_str(&hex(hash.get(..JA4_HASH_BYTES).unwrap_or_default()));
}

fn push_list(out: &mut String, values: impl Iterator<Item = u16>) {
    let mut first = true;
    for value in values {
        if !first {
            out.push('-');
        }
        first = false;
        push_decimal(out, value);
    }
}

/// Decimal without the formatting machinery, which would take most of the time of a fingerprint.
fn push_decimal(out: &mut String, value: u16) {
    let mut started = false;
    for power in [10_000, 1000, 100, 10, 1] {
        let digit = (value.checked_div(power).unwrap_or(0) % 10) as u8;
        if started || digit != 0 || power == 1 {
            out.push(char::from(b'0' | digit));
            started = true;
        }
    }
}

fn push_hex_list(out: &mut Vec<u8>, values: &[u16]) {
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_hex(out, *value);
    }
}

fn push_hex(out: &mut Vec<u8>, value: u16) {
    out.extend([12, 8, 4, 0].map(|shift| {
        let digit = (value >> shift & 15) as u8;
        char::from_digit(u32::from(digit), 16).map_or(b'0', |c| c as u8)
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    // The ClientHello that FoxIO's description of JA4 takes apart; GREASE added where browsers put it.
    const CIPHERS: [u16; 16] = [
        0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
        0x002f, 0x0035,
    ];
    const EXTENSIONS: [u16; 18] = [
        0x4a4a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01,
        0x000b, 0x000a, 0x0015, 0xfafa,
    ];
    const SCHEMES: [u16; 8] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

    fn example() -> HelloView<'static> {
        HelloView {
            legacy_version: 0x0303,
            supported_versions: &[0x6a6a, 0x0304, 0x0303],
            cipher_suites: &CIPHERS,
            extensions: &EXTENSIONS,
            groups: &[0xdada, 0x001d, 0x0017, 0x0018],
            point_formats: &[0],
            signature_schemes: &SCHEMES,
            alpn_first: Some(b"h2"),
            has_server_name: true,
            quic: false,
            dtls: false,
        }
    }

    #[test]
    fn ja3_as_published() {
        // The two examples of JA3's README.
        let hello = HelloView {
            legacy_version: 769,
            cipher_suites: &[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: &[0, 10, 11],
            groups: &[23, 24, 25],
            point_formats: &[0],
            ..HelloView::default()
        };
        let found = ja3(&hello);
        assert_eq!(found.full, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
        assert_eq!(found.md5, "ada70206e40642a3e4461f35503241d5");
        let hello = HelloView {
            legacy_version: 769,
            cipher_suites: &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99],
            ..HelloView::default()
        };
        let found = ja3(&hello);
        assert_eq!(found.full, "769,4-5-10-9-100-98-3-6-19-18-99,,,");
        assert_eq!(found.md5, "de350869b8c85de67a350c8d186f11e6");
    }

    #[test]
    fn ja3_leaves_grease_out_but_keeps_point_formats() {
        let hello = HelloView {
            legacy_version: 771,
            cipher_suites: &[0x1a1a, 4865],
            extensions: &[0x2a2a, 0, 0x3a3a],
            groups: &[0x4a4a, 29],
            point_formats: &[0, 10],
            ..HelloView::default()
        };
        assert_eq!(ja3(&hello).full, "771,4865,0,29,0-10");
    }

    #[test]
    fn ja3s_keeps_wire_order() {
        assert_eq!(ja3s(771, 49200, &[65281, 0, 11]).full, "771,49200,65281-0-11");
        assert_eq!(ja3s(769, 4, &[]).full, "769,4,");
    }

    #[test]
    fn ja4_as_published() {
        assert_eq!(ja4(&example()).as_deref(), Some("t13d1516h2_8daaf6152771_e5627efa2ab1"));
    }

    #[test]
    fn ja4_first_part() {
        let quic = HelloView { quic: true, alpn_first: Some(b"h3"), ..example() };
        assert!(ja4(&quic).unwrap().starts_with("q13d1516h3_"));
        let bare = HelloView { has_server_name: false, alpn_first: None, ..example() };
        assert!(ja4(&bare).unwrap().starts_with("t13i151600_"));
        let long = HelloView { alpn_first: Some(b"http/1.1"), ..example() };
        assert!(ja4(&long).unwrap().starts_with("t13d1516h1_"));
        let short = HelloView { alpn_first: Some(b"x"), ..example() };
        assert!(ja4(&short).unwrap().starts_with("t13d1516xx_"));
        let old = HelloView { supported_versions: &[], legacy_version: 0x0301, ..example() };
        assert!(ja4(&old).unwrap().starts_with("t10d"));
        let only_grease = HelloView { supported_versions: &[0x7a7a], ..example() };
        assert!(ja4(&only_grease).unwrap().starts_with("t12d"));
        let dtls = HelloView { dtls: true, supported_versions: &[0xfefd, 0xfefc], ..example() };
        assert!(ja4(&dtls).unwrap().starts_with("dd3d"));
        let dtls = HelloView { dtls: true, supported_versions: &[], legacy_version: 0xfefd, ..example() };
        assert!(ja4(&dtls).unwrap().starts_with("dd2d"));
        let many = [0x1301; 120];
        let many = HelloView { cipher_suites: &many, ..example() };
        assert!(ja4(&many).unwrap().starts_with("t13d9916h2_"));
    }

    #[test]
    fn ja4_is_absent_where_it_is_not_defined() {
        assert_eq!(ja4(&HelloView { supported_versions: &[0x7f1c, 0x0304], ..example() }), None);
        assert_eq!(ja4(&HelloView { supported_versions: &[], legacy_version: 0x0100, dtls: true, ..example() }), None);
        for alpn in [&b"\x0a\x0a"[..], b"h2\xff", b"/2", b"h/", b"\xc3\xa9"] {
            assert_eq!(ja4(&HelloView { alpn_first: Some(alpn), ..example() }), None, "{alpn:?}");
        }
    }

    #[test]
    fn ja4_of_empty_lists() {
        let hello =
            HelloView { cipher_suites: &[0x0a0a], extensions: &[0x0000, 0x0010], signature_schemes: &[], ..example() };
        assert_eq!(ja4(&hello).as_deref(), Some("t13d0002h2_000000000000_000000000000"));
        assert_eq!(
            ja4(&HelloView { legacy_version: 0x0300, ..HelloView::default() }).as_deref(),
            Some("ts3i000000_000000000000_000000000000")
        );
    }

    #[test]
    fn numbers_are_written_right() {
        for value in 0..=u16::MAX {
            let mut decimal = String::new();
            push_decimal(&mut decimal, value);
            assert_eq!(decimal, value.to_string());
            let mut digits = Vec::new();
            push_hex(&mut digits, value);
            assert_eq!(digits, format!("{value:04x}").into_bytes());
        }
    }
}

//! Distinguished names: DER to the text of RFC 4514, and when two of them are the same.

use std::fmt::Write as _;

use crate::reader::{DecodeError, Decoded};
use crate::{limits, text};

use super::der::{BMP_STRING, Der, OID, SEQUENCE, SET, T61_STRING, Tlv, UNIVERSAL_STRING};
use super::oid;

/// A name in DER (a SEQUENCE of RelativeDistinguishedName, RFC 5280, section 4.1.2.4) as RFC 4514 text: last RDN
/// first, attribute types by OpenSSL's short names or dotted, values always as text. Control, bidi and invalid bytes
/// are written as `\HH`, other characters stay. A name without RDNs is the empty string.
///
/// # Errors
/// What in it is no Name.
pub fn distinguished_name(der: &[u8]) -> Decoded<String> {
    let mut outer = Der::new(der);
    let name = read(&outer.next("Name")?);
    outer.end("Name")?;
    name.error.map_or(Ok(name.text), Err)
}

/// What a Name says.
#[derive(Debug, Default)]
pub(crate) struct Name {
    /// RFC 4514 text of the RDNs that could be read.
    pub(crate) text: String,
    /// Values of commonName in the order of the DER, escaped as all text outside of names is.
    pub(crate) common_names: Vec<String>,
    /// What stopped the reading.
    pub(crate) error: Option<DecodeError>,
}

/// Reads a Name; what comes before a damaged part is kept.
pub(crate) fn read(name: &Tlv<'_>) -> Name {
    let mut out = Name::default();
    let mut rdns = Vec::with_capacity(8);
    out.error = read_rdns(name, &mut rdns, &mut out.common_names).err();
    let len = rdns.iter().map(|r: &String| r.len().saturating_add(1)).fold(0, usize::saturating_add);
    out.text.reserve(len);
    for rdn in rdns.iter().rev() {
        if !out.text.is_empty() {
            out.text.push(',');
        }
        out.text.push_str(rdn);
    }
    out
}

fn read_rdns(name: &Tlv<'_>, rdns: &mut Vec<String>, common_names: &mut Vec<String>) -> Decoded<()> {
    let mut all = name.of("Name", SEQUENCE)?.inside();
    while !all.is_empty() {
        let mut set = all.expect("RelativeDistinguishedName", SET)?.inside();
        let mut rdn = String::new();
        while !set.is_empty() {
            let (kind, value) = attribute(&mut set)?;
            if !rdn.is_empty() {
                rdn.push('+');
            }
            match oid::find(oid::ATTRIBUTES, kind.content) {
                Some(short) => rdn.push_str(short),
                None => rdn.push_str(&oid::dotted(kind.content)),
            }
            rdn.push('=');
            push_value(&mut rdn, &value);
            if oid::COMMON_NAME.is(kind.content) && common_names.len() < limits::CERTIFICATE_LIST {
                common_names.push(plain(&value));
            }
        }
        // A SET of nothing is no RDN; it would show as an empty name between two commas.
        if !rdn.is_empty() {
            rdns.push(rdn);
        }
    }
    Ok(())
}

/// Type and value of the next AttributeTypeAndValue.
fn attribute<'a>(set: &mut Der<'a>) -> Decoded<(Tlv<'a>, Tlv<'a>)> {
    let mut pair = set.expect("AttributeTypeAndValue", SEQUENCE)?.inside();
    let kind = pair.expect("AttributeType", OID)?;
    let value = pair.next("AttributeValue")?;
    pair.end("AttributeTypeAndValue")?;
    Ok((kind, value))
}

/// A part of a decoded string.
enum Piece<'a> {
    Char(char),
    /// Bytes that are no character in the string's encoding.
    Bad(&'a [u8]),
}

/// Decodes a string of any ASN.1 type. BMPString is read as UTF-16, TeletexString as Latin-1 (as everybody does),
/// the ASCII types as UTF-8 (which is what is found in them when it is not ASCII); so is anything that is no string.
fn pieces<'a>(value: &Tlv<'a>, mut sink: impl FnMut(Piece<'a>)) {
    match value.tag {
        T61_STRING => value.content.iter().for_each(|b| sink(Piece::Char(char::from(*b)))),
        BMP_STRING => {
            let mut rest = value.content;
            while !rest.is_empty() {
                let unit = |at: usize| match rest.get(at..at.saturating_add(2)) {
                    Some([a, b]) => Some(u16::from_be_bytes([*a, *b])),
                    _ => None,
                };
                let one = unit(0).into_iter();
                let (decoded, n) = match char::decode_utf16(one.clone()).next() {
                    Some(Ok(c)) => (Some(c), 2),
                    Some(Err(_)) => match char::decode_utf16(one.chain(unit(2))).next() {
                        Some(Ok(c)) => (Some(c), 4),
                        _ => (None, 2),
                    },
                    None => (None, 1),
                };
                let (used, tail) = rest.split_at(n.min(rest.len()));
                sink(decoded.map_or(Piece::Bad(used), Piece::Char));
                rest = tail;
            }
        }
        UNIVERSAL_STRING => {
            for unit in value.content.chunks(4) {
                let c = match unit {
                    [a, b, c, d] => char::from_u32(u32::from_be_bytes([*a, *b, *c, *d])),
                    _ => None,
                };
                sink(c.map_or(Piece::Bad(unit), Piece::Char));
            }
        }
        _ => {
            for chunk in value.content.utf8_chunks() {
                chunk.valid().chars().for_each(|c| sink(Piece::Char(c)));
                if !chunk.invalid().is_empty() {
                    sink(Piece::Bad(chunk.invalid()));
                }
            }
        }
    }
}

/// Appends an attribute value with the escapes of RFC 4514, section 2.4.
fn push_value(out: &mut String, value: &Tlv<'_>) {
    let start = out.len();
    let mut ends_in_space = false;
    pieces(value, |piece| {
        let first = out.len() == start;
        ends_in_space = false;
        match piece {
            Piece::Char(c) if text::is_unsafe(c) => push_hex(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
            Piece::Char(c) => {
                if matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') || (first && matches!(c, ' ' | '#')) {
                    out.push('\\');
                } else {
                    ends_in_space = c == ' ';
                }
                out.push(c);
            }
            Piece::Bad(bytes) => push_hex(out, bytes),
        }
    });
    if ends_in_space {
        out.pop();
        out.push_str("\\ ");
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for b in bytes {
        let _ = write!(out, "\\{b:02X}");
    }
}

/// A string value with the escapes that are used outside of names.
pub(crate) fn plain(value: &Tlv<'_>) -> String {
    let mut out = String::with_capacity(value.content.len());
    pieces(value, |piece| match piece {
        Piece::Char(c) if c == '\\' || text::is_unsafe(c) => {
            out.push_str(&text::escape(c.encode_utf8(&mut [0; 4])));
        }
        Piece::Char(c) => out.push(c),
        Piece::Bad(bytes) => bytes.iter().for_each(|b| {
            let _ = write!(out, "\\x{b:02x}");
        }),
    });
    out
}

/// How two names compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameEquality {
    /// The same DER.
    Identical,
    /// The same text in other string types, other case or other white space (RFC 5280, section 7.1): equal by the
    /// standard, yet some implementations compare bytes and find no issuer.
    SameText,
    /// Two names.
    Different,
}

/// Compares two Names in DER.
pub fn compare_names(a: &[u8], b: &[u8]) -> NameEquality {
    if a == b {
        return NameEquality::Identical;
    }
    match (normal_form(a), normal_form(b)) {
        (Ok(a), Ok(b)) if a == b => NameEquality::SameText,
        _ => NameEquality::Different,
    }
}

/// RDNs as sorted pairs of type and text in lower case with single spaces.
pub(crate) type NormalForm = Vec<Vec<(Box<[u8]>, String)>>;

/// What is compared of a Name beyond its bytes.
pub(crate) fn normal_form(der: &[u8]) -> Decoded<NormalForm> {
    let mut all = Der::new(der).expect("Name", SEQUENCE)?.inside();
    let mut out = Vec::new();
    while !all.is_empty() {
        let mut set = all.expect("RelativeDistinguishedName", SET)?.inside();
        let mut rdn = Vec::new();
        while !set.is_empty() {
            let (kind, value) = attribute(&mut set)?;
            let lower = plain(&value).to_lowercase();
            let mut text = String::with_capacity(lower.len());
            for word in lower.split_whitespace() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
            }
            rdn.push((kind.content.into(), text));
        }
        rdn.sort_unstable();
        out.push(rdn);
    }
    Ok(out)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::x509::der::{UTF8_STRING, tlv};

    const CN: &[u8] = &[0x55, 4, 3];
    const PRINTABLE: u8 = 0x13;

    fn atv(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[&tlv(OID, &[kind]), &tlv(tag, &[value])])
    }

    /// A Name of single-valued RDNs.
    pub(crate) fn name(parts: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let rdns: Vec<_> = parts.iter().map(|(k, t, v)| tlv(SET, &[&atv(k, *t, v)])).collect();
        tlv(SEQUENCE, &[&rdns.concat()])
    }

    fn cn(tag: u8, value: &[u8]) -> String {
        distinguished_name(&name(&[(CN, tag, value)])).unwrap()
    }

    #[test]
    fn the_last_rdn_comes_first() {
        let der = name(&[
            (&[0x55, 4, 6], PRINTABLE, b"DE"),
            (&[0x55, 4, 10], UTF8_STRING, "Gr\u{fc}n".as_bytes()),
            (CN, UTF8_STRING, b"x"),
        ]);
        assert_eq!(distinguished_name(&der).unwrap(), "CN=x,O=Gr\u{fc}n,C=DE");
        assert_eq!(distinguished_name(&name(&[])).unwrap(), "");
        let der = name(&[(&[0x2a, 0x03, 0x04], UTF8_STRING, b"v")]);
        assert_eq!(distinguished_name(&der).unwrap(), "1.2.3.4=v");
        let two = tlv(SEQUENCE, &[&tlv(SET, &[&atv(CN, UTF8_STRING, b"a"), &atv(&[0x55, 4, 5], PRINTABLE, b"7")])]);
        assert_eq!(distinguished_name(&two).unwrap(), "CN=a+serialNumber=7");
    }

    #[test]
    fn escapes_of_rfc_4514() {
        // The examples of RFC 4514, section 4, and the rules of its section 2.4.
        assert_eq!(cn(UTF8_STRING, b"James \"Jim\" Smith, III"), "CN=James \\\"Jim\\\" Smith\\, III");
        assert_eq!(cn(UTF8_STRING, b"Before\rAfter"), "CN=Before\\0DAfter");
        assert_eq!(cn(UTF8_STRING, b"Lu\xc4\x8di\xc4\x87"), "CN=Lu\u{10d}i\u{107}");
        assert_eq!(cn(UTF8_STRING, b" # x "), "CN=\\ # x\\ ");
        assert_eq!(cn(UTF8_STRING, b"#a+b;<c>=\\"), "CN=\\#a\\+b\\;\\<c\\>=\\\\");
        assert_eq!(cn(UTF8_STRING, b" "), "CN=\\ ");
        assert_eq!(cn(UTF8_STRING, b"  "), "CN=\\ \\ ");
        assert_eq!(cn(UTF8_STRING, b"a\0b"), "CN=a\\00b");
        assert_eq!(cn(UTF8_STRING, b""), "CN=");
    }

    #[test]
    fn bytes_that_drive_a_terminal_or_are_no_text() {
        assert_eq!(cn(UTF8_STRING, b"\x1b[2J\xe2\x80\xae\x7f"), "CN=\\1B[2J\\E2\\80\\AE\\7F");
        assert_eq!(cn(PRINTABLE, b"a\xff\xfe b"), "CN=a\\FF\\FE b");
        assert_eq!(cn(UTF8_STRING, b"\xef\xbf\xbd"), "CN=\\EF\\BF\\BD");
        assert_eq!(cn(T61_STRING, b"\xfc\x9b"), "CN=\u{fc}\\C2\\9B");
    }

    #[test]
    fn wide_strings() {
        assert_eq!(cn(BMP_STRING, b"\0A\x20\xac"), "CN=A\u{20ac}");
        assert_eq!(cn(BMP_STRING, b"\xd8\x3d\xde\x00\0!"), "CN=\u{1f600}!");
        assert_eq!(cn(BMP_STRING, b"\xd8\x3d\0A\xde"), "CN=\\D8\\3DA\\DE");
        assert_eq!(cn(BMP_STRING, b"\xd8\x3d"), "CN=\\D8\\3D");
        assert_eq!(cn(UNIVERSAL_STRING, b"\0\0\0A\0\x01\xf6\0\0\x11\0\0\0"), "CN=A\u{1f600}\\00\\11\\00\\00\\00");
        // What is no string at all is still shown as text.
        assert_eq!(cn(0x02, b"\x05"), "CN=\\05");
    }

    #[test]
    fn damage_keeps_what_came_before() {
        let good = name(&[(&[0x55, 4, 6], PRINTABLE, b"DE"), (CN, UTF8_STRING, b"x")]);
        for n in 0..good.len() {
            assert!(distinguished_name(&good[..n]).is_err(), "{n}");
        }
        let mut trailing = good.clone();
        trailing.push(0);
        assert!(distinguished_name(&trailing).is_err());
        let bad = tlv(SEQUENCE, &[&tlv(SET, &[&atv(CN, UTF8_STRING, b"x")]), &[0x31, 9]]);
        let n = read(&Der::new(&bad).next("n").unwrap());
        assert_eq!((n.text.as_str(), n.common_names.len()), ("CN=x", 1));
        assert!(n.error.is_some());
        let extra = tlv(SEQUENCE, &[&tlv(SET, &[&tlv(SEQUENCE, &[&tlv(OID, &[CN]), &tlv(12, &[b"x"]), &[5, 0]])])]);
        assert!(distinguished_name(&extra).is_err());
        assert!(distinguished_name(&tlv(SET, &[])).is_err());
    }

    #[test]
    fn names_of_other_string_types_are_the_same() {
        let a = name(&[(CN, PRINTABLE, b"Example  CA ")]);
        let b = name(&[(CN, BMP_STRING, b"\0e\0x\0a\0m\0p\0l\0e\0 \0C\0A")]);
        let c = name(&[(CN, PRINTABLE, b"Example CB")]);
        assert_eq!(compare_names(&a, &a), NameEquality::Identical);
        assert_eq!(compare_names(&a, &b), NameEquality::SameText);
        assert_eq!(compare_names(&a, &c), NameEquality::Different);
        assert_eq!(compare_names(&a, &[]), NameEquality::Different);
    }
}

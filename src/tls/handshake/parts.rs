//! What the decoders of messages and extensions have in common: going on after damage, lists of code points, and the
//! texts of the field tree.

use crate::reader::{DecodeError, DecodeErrorKind, Decoded, Reader, Topic};
use crate::text;
use crate::tls::names::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

/// Bytes of an opaque value that its meaning shows.
const SHOWN_BYTES: usize = 32;

/// The damage met while a message is decoded: the first counts.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    first: Option<DecodeError>,
    /// Only the beginning of the message was kept, so that missing bytes are no damage.
    is_cut: bool,
}

impl Notes {
    /// For a message of which only the beginning may be there.
    pub(crate) fn new(is_cut: bool) -> Self {
        Self { first: None, is_cut }
    }

    /// Damage.
    pub(crate) fn add(&mut self, error: DecodeError) {
        let is_expected = self.is_cut && matches!(error.kind, DecodeErrorKind::Short { .. });
        if self.first.is_none() && !is_expected {
            self.first = Some(error);
        }
    }

    /// A value or length that the specification forbids.
    pub(crate) fn illegal(&mut self, what: &'static str, at: usize) {
        self.add(illegal(what, at));
    }

    /// The first damage.
    pub(crate) fn into_error(self) -> Option<DecodeError> {
        self.first
    }
}

/// A value or length, of a field that begins at `at`, that the specification forbids.
pub(crate) const fn illegal(what: &'static str, at: usize) -> DecodeError {
    DecodeError { what, at, kind: DecodeErrorKind::Illegal }
}

/// [`Reader::vector`]; where the length points past the end it is noted and what is there is taken for the content.
pub(crate) fn vector_or_rest<'a>(
    r: &mut Reader<'a>,
    what: &'static str,
    width: usize,
    notes: &mut Notes,
) -> Decoded<Reader<'a>> {
    let before = r.clone();
    match r.vector(what, width) {
        Ok(v) => Ok(v),
        Err(e) if before.left() < width => Err(e),
        Err(e) => {
            notes.add(e);
            *r = before;
            let mut v = r.sub(what, r.left())?;
            v.meaning(|| e.to_string());
            v.bytes("length", width)?;
            Ok(v)
        }
    }
}

/// Reads the content of a vector to its end. Damage inside stays inside: it is noted, and the caller goes on behind.
pub(crate) fn within<'a>(
    mut v: Reader<'a>,
    what: &'static str,
    notes: &mut Notes,
    read: impl FnOnce(&mut Reader<'a>, &mut Notes) -> Decoded<()>,
) {
    if let Err(e) = read(&mut v, notes).and_then(|()| v.end(what)) {
        v.undecoded(&e);
        notes.add(e);
    }
}

/// A vector of bytes that are not looked into: its content.
pub(crate) fn opaque<'a>(r: &mut Reader<'a>, what: &'static str, width: usize) -> Decoded<&'a [u8]> {
    let v = r.vector(what, width)?;
    r.meaning(|| bytes_text(v.rest()));
    Ok(v.rest())
}

/// Meaning and topic of a code point.
pub(crate) type Naming = fn(u16) -> (String, Option<Topic>);

/// Names a cipher suite.
pub(crate) fn suite(v: u16) -> (String, Option<Topic>) {
    (CipherSuite(v).to_string(), Some(Topic::CipherSuite(v)))
}

/// Names a group.
pub(crate) fn group(v: u16) -> (String, Option<Topic>) {
    (NamedGroup(v).to_string(), Some(Topic::Group(v)))
}

/// Names a signature scheme.
pub(crate) fn scheme(v: u16) -> (String, Option<Topic>) {
    (SignatureScheme(v).to_string(), Some(Topic::SignatureScheme(v)))
}

/// Names a protocol version.
pub(crate) fn version(v: u16) -> (String, Option<Topic>) {
    (ProtocolVersion(v).to_string(), Some(Topic::Version(v)))
}

/// A 16-bit code point.
pub(crate) fn code_point(r: &mut Reader<'_>, what: &'static str, name: Naming) -> Decoded<u16> {
    let v = r.u16(what)?;
    if r.is_recording() {
        let (text, topic) = name(v);
        r.meaning(|| text);
        if let Some(topic) = topic {
            r.topic(topic);
        }
    }
    Ok(v)
}

/// 16-bit code points to the end of the vector. A byte left over at the end is an error; the others are kept.
pub(crate) fn code_points(r: &mut Reader<'_>, what: &'static str, name: Naming, out: &mut Vec<u16>) -> Decoded<()> {
    out.reserve_exact(r.left() / 2);
    if !r.is_recording() {
        let whole = r.bytes(what, r.left() & !1)?;
        out.extend(whole.as_chunks::<2>().0.iter().map(|b| u16::from_be_bytes(*b)));
    }
    while !r.is_empty() {
        out.push(code_point(r, what, name)?);
    }
    Ok(())
}

/// A vector of 16-bit code points.
pub(crate) fn code_point_vector(
    r: &mut Reader<'_>,
    list: &'static str,
    width: usize,
    what: &'static str,
    name: Naming,
    out: &mut Vec<u16>,
) -> Decoded<()> {
    let mut v = r.vector(list, width)?;
    r.meaning(|| count_text(v.left() / 2));
    code_points(&mut v, what, name, out)
}

/// A one-byte code point.
pub(crate) fn small(r: &mut Reader<'_>, what: &'static str, name: fn(u8) -> String) -> Decoded<u8> {
    let v = r.u8(what)?;
    r.meaning(|| name(v));
    Ok(v)
}

/// A vector of one-byte code points.
pub(crate) fn small_vector(
    r: &mut Reader<'_>,
    list: &'static str,
    width: usize,
    what: &'static str,
    name: fn(u8) -> String,
    out: &mut Vec<u8>,
) -> Decoded<()> {
    let mut v = r.vector(list, width)?;
    r.meaning(|| count_text(v.left()));
    out.extend_from_slice(v.rest());
    if v.is_recording() {
        while !v.is_empty() {
            small(&mut v, what, name)?;
        }
    }
    Ok(())
}

/// A number for a person.
pub(crate) fn number(r: &Reader<'_>, v: impl ToString) {
    r.meaning(|| v.to_string());
}

/// Bytes as hexadecimal, long ones cut.
pub(crate) fn bytes_text(b: &[u8]) -> String {
    match b.get(..SHOWN_BYTES) {
        _ if b.is_empty() => "empty".into(),
        Some(head) if b.len() > SHOWN_BYTES => format!("{}… ({})", text::hex(head), size_text(b.len())),
        _ => text::hex(b),
    }
}

/// Text from the wire, escaped, long ones cut.
pub(crate) fn name_text(b: &[u8]) -> String {
    const SHOWN: usize = 256;
    match b.get(..SHOWN) {
        _ if b.is_empty() => "empty".into(),
        Some(head) if b.len() > SHOWN => format!("{}… ({})", text::escape_bytes(head), size_text(b.len())),
        _ => text::escape_bytes(b).into_owned(),
    }
}

/// A length.
pub(crate) fn size_text(n: usize) -> String {
    crate::text::bytes(n)
}

/// The number of entries of a list.
pub(crate) fn count_text(n: usize) -> String {
    format!("({n})")
}

//! The one cursor over hostile bytes.
//!
//! Every read names what it reads. With a [`Recorder`] attached the same decoder yields the tree of fields a person
//! looks at ([`Field`], with the exact span of each); without one it costs a test for `None`. So the tree and the facts
//! come from the same code and cannot disagree.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use crate::span::Span;
use crate::text::bytes;

/// Why a decoder stopped: what it was reading, where, and what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field that could not be read.
    pub what: &'static str,
    /// Offset of that field from the start of the message.
    pub at: usize,
    /// What was wrong with it.
    pub kind: DecodeErrorKind,
}

/// What was wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// Fewer bytes than the field needs.
    Short {
        /// Bytes the field needs.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// Bytes are left where the structure must end.
    Trailing(usize),
    /// The value or length is one that the specification forbids.
    Illegal,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DecodeErrorKind::Short { need, have } => {
                write!(f, "{} at byte {} needs {}, {have} left", self.what, self.at, bytes(need))
            }
            DecodeErrorKind::Trailing(n) => write!(f, "{} left over after {} at byte {}", bytes(n), self.what, self.at),
            DecodeErrorKind::Illegal => write!(f, "{} at byte {} has an illegal value", self.what, self.at),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Result of a decoder.
pub type Decoded<T> = Result<T, DecodeError>;

/// A registry entry that a field's value stands for, so that it can be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// TLS handshake message type.
    Message(u8),
    /// TLS alert description.
    Alert(u8),
    /// TLS cipher suite.
    CipherSuite(u16),
    /// TLS extension type.
    Extension(u16),
    /// TLS supported group.
    Group(u16),
    /// TLS signature scheme.
    SignatureScheme(u16),
    /// TLS protocol version.
    Version(u16),
}

/// One decoded part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name by the RFC that defines it.
    pub name: Cow<'static, str>,
    /// 0 for the message itself, then deeper.
    pub depth: u8,
    /// Bytes of the message that hold it.
    pub span: Span,
    /// The value for a person, already safe to print; empty where the children say it.
    pub meaning: String,
    /// The registry entry the value stands for.
    pub topic: Option<Topic>,
}

/// Collects [`Field`]s while a decoder runs.
#[derive(Debug, Default)]
pub struct Recorder {
    fields: RefCell<Vec<Field>>,
    full: Cell<bool>,
}

impl Recorder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was recorded, in reading order (a parent before its children). Where there was no room for all, the last one says
    /// so.
    pub fn into_fields(self) -> Vec<Field> {
        let mut fields = self.fields.into_inner();
        if self.full.get() {
            let span = Span { at: fields.last().map_or(0, |f| f.span.end()), len: 0 };
            let name = "further fields are not listed".into();
            fields.push(Field { name, depth: 1, span, meaning: String::new(), topic: None });
        }
        fields
    }

    fn add(&self, name: Cow<'static, str>, depth: u8, span: Span) {
        let mut fields = self.fields.borrow_mut();
        if fields.len() < crate::limits::FIELDS_PER_MESSAGE {
            fields.push(Field { name, depth, span, meaning: String::new(), topic: None });
        } else {
            self.full.set(true);
        }
    }

    /// Changes the field just recorded; nothing when there was no more room for it.
    fn amend(&self, change: impl FnOnce(&mut Field)) {
        if !self.full.get()
            && let Some(f) = self.fields.borrow_mut().last_mut()
        {
            change(f);
        }
    }
}

/// A cursor over the bytes of one structure inside a message.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    data: &'a [u8],
    pos: usize,
    /// Offset of `data[0]` from the start of the message.
    base: usize,
    depth: u8,
    recorder: Option<&'a Recorder>,
}

impl<'a> Reader<'a> {
    /// Over a whole message, recording nothing.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, pos: 0, base: 0, depth: 0, recorder: None }
    }

    /// Over a whole message; fields go to `recorder`.
    pub fn recording(data: &'a [u8], recorder: &'a Recorder) -> Self {
        Self { data, pos: 0, base: 0, depth: 0, recorder: Some(recorder) }
    }

    /// Bytes not yet read.
    pub fn left(&self) -> usize {
        self.data.len().saturating_sub(self.pos)
    }

    /// True when all was read.
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Offset of the next byte from the start of the message.
    pub fn at(&self) -> usize {
        self.base.saturating_add(self.pos)
    }

    /// All bytes not yet read, without reading them.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.pos..).unwrap_or(&[])
    }

    /// True when somebody wants the field tree: only then is it worth making texts.
    pub fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    fn take(&mut self, what: &'static str, n: usize) -> Decoded<&'a [u8]> {
        match self.data.get(self.pos..self.pos.saturating_add(n)) {
            Some(b) => {
                self.pos = self.pos.saturating_add(n);
                Ok(b)
            }
            None => {
                Err(DecodeError { what, at: self.at(), kind: DecodeErrorKind::Short { need: n, have: self.left() } })
            }
        }
    }

    fn record(&self, name: &'static str, at: usize, len: usize) {
        if let Some(r) = self.recorder {
            r.add(Cow::Borrowed(name), self.depth, Span::new(at, len));
        }
    }

    fn uint(&mut self, what: &'static str, n: usize) -> Decoded<u32> {
        let at = self.at();
        let v = self.take(what, n)?.iter().fold(0u32, |v, b| (v << 8) | u32::from(*b));
        self.record(what, at, n);
        Ok(v)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Decoded<u8> {
        self.uint(what, 1).map(|v| v as u8)
    }

    /// Two bytes, network order.
    pub fn u16(&mut self, what: &'static str) -> Decoded<u16> {
        self.uint(what, 2).map(|v| v as u16)
    }

    /// Three bytes, network order.
    pub fn u24(&mut self, what: &'static str) -> Decoded<u32> {
        self.uint(what, 3)
    }

    /// Four bytes, network order.
    pub fn u32(&mut self, what: &'static str) -> Decoded<u32> {
        self.uint(what, 4)
    }

    /// `n` bytes.
    pub fn bytes(&mut self, what: &'static str, n: usize) -> Decoded<&'a [u8]> {
        let at = self.at();
        let b = self.take(what, n)?;
        self.record(what, at, n);
        Ok(b)
    }

    /// All bytes that are left (may be none).
    pub fn remaining(&mut self, what: &'static str) -> &'a [u8] {
        let at = self.at();
        let b = self.rest();
        self.pos = self.data.len();
        self.record(what, at, b.len());
        b
    }

    /// A vector with a length of `width` bytes before it (RFC 8446, section 3.4): its content as a reader one level
    /// deeper. The recorded span covers the length too.
    pub fn vector(&mut self, what: &'static str, width: usize) -> Decoded<Reader<'a>> {
        let at = self.at();
        let n = self.take(what, width)?.iter().fold(0usize, |v, b| (v << 8) | usize::from(*b));
        let base = self.at();
        let have = self.left();
        let data =
            self.take(what, n).map_err(|_| DecodeError { what, at, kind: DecodeErrorKind::Short { need: n, have } })?;
        self.record(what, at, width.saturating_add(n));
        Ok(Reader { data, pos: 0, base, depth: self.depth.saturating_add(1), recorder: self.recorder })
    }

    /// The next `n` bytes as a reader one level deeper.
    pub fn sub(&mut self, what: &'static str, n: usize) -> Decoded<Reader<'a>> {
        let base = self.at();
        let data = self.bytes(what, n)?;
        Ok(Reader { data, pos: 0, base, depth: self.depth.saturating_add(1), recorder: self.recorder })
    }

    /// The same bytes read once more one level deeper, under a heading: for entries of a list.
    pub fn group(&self, name: impl Into<Cow<'static, str>>, len: usize) -> Reader<'a> {
        if let Some(r) = self.recorder {
            r.add(name.into(), self.depth, Span::new(self.at(), len));
        }
        Reader { depth: self.depth.saturating_add(1), ..self.clone() }
    }

    /// Moves behind what a [`Reader::group`] read.
    pub fn advance_to(&mut self, other: &Reader<'_>) {
        self.pos = other.at().saturating_sub(self.base).min(self.data.len());
    }

    /// Gives the field just recorded its value for a person. Must be safe to print.
    pub fn meaning(&self, text: impl FnOnce() -> String) {
        if let Some(r) = self.recorder {
            r.amend(|f| f.meaning = text());
        }
    }

    /// Names the registry entry that the field just recorded stands for.
    pub fn topic(&self, topic: Topic) {
        if let Some(r) = self.recorder {
            r.amend(|f| f.topic = Some(topic));
        }
    }

    /// Renames the field just recorded (an extension by its type).
    pub fn rename(&self, name: impl FnOnce() -> String) {
        if let Some(r) = self.recorder {
            r.amend(|f| f.name = Cow::Owned(name()));
        }
    }

    /// Records what an inner decoder said of bytes it could not read, and moves behind them.
    pub fn undecoded(&mut self, error: &DecodeError) {
        let at = self.at();
        let n = self.left();
        self.pos = self.data.len();
        self.record("undecoded", at, n);
        self.meaning(|| error.to_string());
    }

    /// Refuses trailing bytes.
    pub fn end(&self, what: &'static str) -> Decoded<()> {
        match self.left() {
            0 => Ok(()),
            n => Err(DecodeError { what, at: self.at(), kind: DecodeErrorKind::Trailing(n) }),
        }
    }

    /// An error at the current place: the value just read is one that the specification forbids.
    pub fn illegal(&self, what: &'static str) -> DecodeError {
        DecodeError { what, at: self.at(), kind: DecodeErrorKind::Illegal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_says_what_and_where() {
        let mut r = Reader::new(&[1, 2, 3]);
        assert_eq!(r.u16("version"), Ok(0x0102));
        let e = r.u16("random").unwrap_err();
        assert_eq!(e.to_string(), "random at byte 2 needs 2 bytes, 1 left");
        let mut r = Reader::new(&[5, 1, 2]);
        let e = r.vector("session_id", 1).unwrap_err();
        assert_eq!(e.to_string(), "session_id at byte 0 needs 5 bytes, 2 left");
    }

    #[test]
    fn the_tree_has_exact_spans() {
        let rec = Recorder::new();
        let data = [0, 4, 0x13, 0x01, 0x13, 0x02, 9];
        let mut r = Reader::recording(&data, &rec);
        let mut v = r.vector("cipher_suites", 2).unwrap();
        assert_eq!([v.u16("cipher_suite"), v.u16("cipher_suite")], [Ok(0x1301), Ok(0x1302)]);
        v.end("cipher_suites").unwrap();
        assert_eq!(r.u8("compression").unwrap(), 9);
        let f: Vec<_> = rec.into_fields().into_iter().map(|f| (f.name.into_owned(), f.depth, f.span)).collect();
        assert_eq!(
            f,
            [
                ("cipher_suites".into(), 0, Span::new(0, 6)),
                ("cipher_suite".into(), 1, Span::new(2, 2)),
                ("cipher_suite".into(), 1, Span::new(4, 2)),
                ("compression".into(), 0, Span::new(6, 1)),
            ]
        );
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let r = Reader::new(&[0]);
        assert_eq!(r.end("x").unwrap_err().kind, DecodeErrorKind::Trailing(1));
    }

    #[test]
    fn fields_beyond_the_cap_are_told() {
        let most = crate::limits::FIELDS_PER_MESSAGE;
        let recorded = |n: usize| {
            let to = Recorder::new();
            (0..n).for_each(|at| to.add("byte".into(), 1, Span { at, len: 1 }));
            to.into_fields()
        };
        assert_eq!((recorded(most).len(), &*recorded(most)[most - 1].name), (most, "byte"));
        let last = recorded(most + 5).pop().unwrap();
        assert_eq!((&*last.name, last.span), ("further fields are not listed", Span { at: most, len: 0 }));
    }
}

//! The walk over DER (X.690): one element after the other, no recursion, offsets kept for the error texts.
//!
//! It is lenient where that loses no safety (lengths that are not the shortest form), because what a peer refuses
//! must still be shown; indefinite lengths are refused.

use crate::reader::{DecodeError, DecodeErrorKind, Decoded};

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const T61_STRING: u8 = 0x14;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Identifier octet of a primitive context-specific tag.
pub(crate) const fn context(n: u8) -> u8 {
    0x80 | n
}

/// Identifier octet of a constructed context-specific tag.
pub(crate) const fn context_constructed(n: u8) -> u8 {
    0xa0 | n
}

/// One element: identifier, length and content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlv<'a> {
    /// The first identifier octet; tag numbers above 30 all end in 0x1f and are told apart nowhere here.
    pub(crate) tag: u8,
    /// Identifier, length and content.
    pub(crate) raw: &'a [u8],
    /// The content alone.
    pub(crate) content: &'a [u8],
    /// Offset of the content from the start of the message.
    pub(crate) at: usize,
}

impl<'a> Tlv<'a> {
    /// The elements inside.
    pub(crate) fn inside(&self) -> Der<'a> {
        Der { data: self.content, pos: 0, base: self.at }
    }

    /// Offset of its identifier from the start of the message.
    pub(crate) fn start(&self) -> usize {
        self.at.saturating_sub(self.raw.len().saturating_sub(self.content.len()))
    }

    /// An error about this element.
    pub(crate) fn illegal(&self, what: &'static str) -> DecodeError {
        DecodeError { what, at: self.at, kind: DecodeErrorKind::Illegal }
    }

    /// The content when the tag is `tag`.
    pub(crate) fn of(self, what: &'static str, tag: u8) -> Decoded<Self> {
        if self.tag == tag { Ok(self) } else { Err(self.illegal(what)) }
    }

    /// Content of a BIT STRING without its count of unused bits, which must be 0 to 7: as bytes, and as a cursor.
    pub(crate) fn bits(&self, what: &'static str) -> Decoded<(&'a [u8], Der<'a>)> {
        match self.content.split_first() {
            Some((0..=7, bits)) if self.tag == BIT_STRING => {
                Ok((bits, Der { data: bits, pos: 0, base: self.at.saturating_add(1) }))
            }
            _ => Err(self.illegal(what)),
        }
    }
}

/// A cursor over the elements of one constructed element.
#[derive(Clone, Debug)]
pub(crate) struct Der<'a> {
    data: &'a [u8],
    pos: usize,
    base: usize,
}

impl<'a> Der<'a> {
    /// Over a whole message.
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, pos: 0, base: 0 }
    }

    /// Bytes not yet read.
    pub(crate) fn left(&self) -> usize {
        self.data.len().saturating_sub(self.pos)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Offset of the next element from the start of the message.
    pub(crate) fn at(&self) -> usize {
        self.base.saturating_add(self.pos)
    }

    /// Identifier octet of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.data.get(self.pos).copied()
    }

    /// True when the next element has BER's indefinite length (X.690, section 8.1.3.6).
    pub(crate) fn is_indefinite(&self) -> bool {
        matches!(self.data.get(self.pos..), Some([tag, 0x80, ..]) if tag & 0x1f != 0x1f && tag & 0x20 != 0)
    }

    /// Tag, offset of the content, and its claimed length.
    fn header(&self, what: &'static str) -> Decoded<(u8, usize, usize)> {
        let short =
            |need: usize| DecodeError { what, at: self.at(), kind: DecodeErrorKind::Short { need, have: self.left() } };
        let illegal = DecodeError { what, at: self.at(), kind: DecodeErrorKind::Illegal };
        let mut rest = self.data.get(self.pos..).unwrap_or(&[]).iter();
        let mut next = || rest.next().copied().ok_or(short(2));
        let tag = next()?;
        let mut header = 2usize;
        if tag & 0x1f == 0x1f {
            // A tag number of more than four base-128 digits has no honest use.
            let mut digits = 1u8;
            while next()? & 0x80 != 0 {
                digits = digits.saturating_add(1);
                if digits > 4 {
                    return Err(illegal);
                }
            }
            header = header.saturating_add(usize::from(digits));
        }
        let first = next()?;
        let len = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x88 => {
                let n = first & 0x7f;
                header = header.saturating_add(usize::from(n));
                let mut len = 0u64;
                for _ in 0..n {
                    len = (len << 8) | u64::from(next()?);
                }
                usize::try_from(len).map_err(|_| illegal)?
            }
            // 0x80 is BER's indefinite length.
            _ => return Err(illegal),
        };
        Ok((tag, self.pos.saturating_add(header), len))
    }

    /// The next element, whatever it is.
    pub(crate) fn next(&mut self, what: &'static str) -> Decoded<Tlv<'a>> {
        let (tag, start, len) = self.header(what)?;
        let end = start.saturating_add(len);
        let (Some(content), Some(raw)) = (self.data.get(start..end), self.data.get(self.pos..end)) else {
            let need = end.saturating_sub(self.pos);
            return Err(DecodeError { what, at: self.at(), kind: DecodeErrorKind::Short { need, have: self.left() } });
        };
        self.pos = end;
        Ok(Tlv { tag, raw, content, at: self.base.saturating_add(start) })
    }

    /// The next element; when it claims more bytes than there are, what there is of it, and what was wrong. For the
    /// outer shells of something that was cut, whose first parts can still be read.
    pub(crate) fn next_or_cut(&mut self, what: &'static str) -> Decoded<(Tlv<'a>, Option<DecodeError>)> {
        let error = match self.next(what) {
            Ok(t) => return Ok((t, None)),
            Err(e) => e,
        };
        let (tag, start, _) = self.header(what)?;
        let content = self.data.get(start..).unwrap_or(&[]);
        let raw = self.data.get(self.pos..).unwrap_or(&[]);
        self.pos = self.data.len();
        Ok((Tlv { tag, raw, content, at: self.base.saturating_add(start) }, Some(error)))
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, what: &'static str, tag: u8) -> Decoded<Tlv<'a>> {
        self.next(what)?.of(what, tag)
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, what: &'static str, tag: u8) -> Decoded<Option<Tlv<'a>>> {
        if self.peek() == Some(tag) { self.next(what).map(Some) } else { Ok(None) }
    }

    /// Refuses trailing bytes.
    pub(crate) fn end(&self, what: &'static str) -> Decoded<()> {
        match self.left() {
            0 => Ok(()),
            n => Err(DecodeError { what, at: self.at(), kind: DecodeErrorKind::Trailing(n) }),
        }
    }
}

/// Magnitude of an unsigned INTEGER: content without leading zeros.
pub(crate) fn magnitude(content: &[u8]) -> &[u8] {
    let zeros = content.iter().take_while(|b| **b == 0).count();
    content.get(zeros..).unwrap_or(&[])
}

/// Number of bits of an unsigned INTEGER.
pub(crate) fn bit_length(content: &[u8]) -> u32 {
    let m = magnitude(content);
    let Some(first) = m.first() else { return 0 };
    let whole = u32::try_from(m.len()).unwrap_or(u32::MAX).saturating_mul(8);
    whole.saturating_sub(first.leading_zeros())
}

/// An INTEGER that is small and not negative.
pub(crate) fn small_uint(content: &[u8]) -> Option<u64> {
    if content.first().is_none_or(|b| b & 0x80 != 0) {
        return None;
    }
    let m = magnitude(content);
    if m.len() > 8 { None } else { Some(m.iter().fold(0, |v, b| (v << 8) | u64::from(*b))) }
}

/// A writer for the tests: an element from its tag and parts.
#[cfg(test)]
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag];
    match body.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n @ 0x80..=0xff => out.extend([0x81, n as u8]),
        n @ 0x100..=0xffff => out.extend([0x82, (n >> 8) as u8, n as u8]),
        n => out.extend([0x83, (n >> 16) as u8, (n >> 8) as u8, n as u8]),
    }
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_with_their_offsets() {
        let data = tlv(SEQUENCE, &[&tlv(INTEGER, &[&[5]]), &tlv(OCTET_STRING, &[&[7; 200]])]);
        let mut d = Der::new(&data);
        let mut inner = d.expect("outer", SEQUENCE).unwrap().inside();
        d.end("outer").unwrap();
        let i = inner.next("i").unwrap();
        assert_eq!((i.tag, i.content, i.at), (INTEGER, &[5][..], 5));
        let o = inner.next("o").unwrap();
        assert_eq!((o.content.len(), o.raw.len(), o.at), (200, 203, 9));
        assert!(inner.is_empty());
    }

    #[test]
    fn every_truncation_is_an_error_and_never_a_panic() {
        for data in [tlv(SEQUENCE, &[&[7; 300]]), vec![0xbf, 0x81, 0x02, 1, 9], tlv(INTEGER, &[&[1]])] {
            assert!(Der::new(&data).next("x").is_ok());
            for n in 0..data.len() {
                assert!(Der::new(&data[..n]).next("x").is_err(), "{n}");
            }
        }
    }

    #[test]
    fn absurd_lengths_do_not_overflow() {
        for data in [
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..],
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0xff],
            &[0x1f, 0xff, 0xff, 0xff, 0xff, 0x01, 0],
        ] {
            assert!(Der::new(data).next("x").is_err());
        }
        assert_eq!(Der::new(&[0x30, 0x80]).next("x").unwrap_err().kind, DecodeErrorKind::Illegal);
    }

    #[test]
    fn a_cut_shell_gives_what_there_is() {
        let (t, e) = Der::new(&[0x30, 9, 2, 1, 5]).next_or_cut("x").unwrap();
        assert_eq!(t.content, [2, 1, 5]);
        assert_eq!(e.unwrap().kind, DecodeErrorKind::Short { need: 11, have: 5 });
        assert!(Der::new(&[0x30]).next_or_cut("x").is_err());
    }

    #[test]
    fn integers() {
        assert_eq!(bit_length(&[0]), 0);
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 0x80, 0]), 16);
        assert_eq!(bit_length(&[1]), 1);
        assert_eq!(small_uint(&[1, 0, 1]), Some(65537));
        assert_eq!(small_uint(&[0xff]), None);
        assert_eq!(small_uint(&[]), None);
        assert_eq!(small_uint(&[0, 0xff, 0, 0, 0, 0, 0, 0, 0]), Some(0xff00_0000_0000_0000));
        assert_eq!(small_uint(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}

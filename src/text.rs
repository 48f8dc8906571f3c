//! Text from the wire made safe to print: a report or a screen never carries a byte that could drive a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// True for characters that may steer a terminal or change the reading order: C0, DEL, C1, bidi controls, line and
/// paragraph separators, and U+FFFD (so that a replacement character is never taken for what was sent).
pub fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{fffd}')
}

/// True for text of printable ASCII alone, which most text is: told from all bytes at once instead of each character.
fn is_plain(s: &str) -> bool {
    s.bytes().fold(true, |plain, b| plain & matches!(b, b' '..=b'~'))
}

/// Bytes as printable UTF-8: unsafe characters as `\u{1b}`, bytes that are not UTF-8 as `\xff`, a backslash as `\\`,
/// so that the bytes can be had back.
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(s) = std::str::from_utf8(bytes) {
        return escape(s);
    }
    let mut out = String::with_capacity(bytes.len().saturating_add(8));
    for chunk in bytes.utf8_chunks() {
        push_escaped(&mut out, chunk.valid());
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
    Cow::Owned(out)
}

/// [`escape_bytes`] for text that is UTF-8 already.
pub fn escape(s: &str) -> Cow<'_, str> {
    if !s.chars().any(|c| c == '\\' || is_unsafe(c)) {
        return Cow::Borrowed(s);
    }
    let mut out = String::with_capacity(s.len().saturating_add(8));
    push_escaped(&mut out, s);
    Cow::Owned(out)
}

fn push_escaped(out: &mut String, s: &str) {
    for c in s.chars() {
        if c == '\\' {
            out.push_str("\\\\");
        } else if is_unsafe(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// Makes already composed text (which may hold backslashes of its own escapes) safe without escaping backslashes again.
/// The last guard before a terminal, for text such as operating-system errors and file names inside messages.
pub fn guard(s: &str) -> Cow<'_, str> {
    if is_plain(s) || !s.chars().any(is_unsafe) {
        return Cow::Borrowed(s);
    }
    let mut out = String::with_capacity(s.len().saturating_add(8));
    for c in s.chars() {
        if is_unsafe(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Lower-case hexadecimal without separators.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    for b in bytes {
        for digit in [b >> 4, b & 15] {
            out.push(char::from(DIGITS.get(usize::from(digit)).copied().unwrap_or_default()));
        }
    }
    out
}

/// `1,482,113`.
pub(crate) fn thousands(n: u64) -> String {
    let s = n.to_string();
    let mut out = String::new();
    for (i, c) in s.chars().enumerate() {
        if i > 0 && (s.len().saturating_sub(i)).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 packet`, `1,460 packets`: a number and what there is so many of, in English.
pub fn count(n: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// The same of bytes.
pub fn bytes(n: usize) -> String {
    count(n as u64, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(count(1_482_113, "frame"), "1,482,113 frames");
        assert_eq!([bytes(0), bytes(1), count(2, "flow")], ["0 bytes", "1 byte", "2 flows"]);
    }

    #[test]
    fn nothing_that_drives_a_terminal_survives() {
        for c in (0..=0x10ffff).filter_map(char::from_u32) {
            let s = c.to_string();
            let e = escape(&s);
            assert!(!e.chars().any(is_unsafe), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn bytes_can_be_had_back() {
        assert_eq!(escape_bytes(b"a\x1b[31m\xff\\"), "a\\u{1b}[31m\\xff\\\\");
        assert_eq!(escape_bytes("é漢".as_bytes()), "é漢");
        assert_eq!(escape_bytes(b"\xe6\xbc"), "\\xe6\\xbc");
    }

    #[test]
    fn hex_is_lower_case() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }
}

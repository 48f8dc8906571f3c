//! Lines of text on a page of some width: wrapped, coloured where wanted, and safe to print.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::text::guard;

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours, which never say more than the words do.
    pub color: bool,
    /// Characters beyond ASCII. Without, what is not ASCII is written as an escape.
    pub unicode: bool,
    /// Columns of the page.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, unicode: true, width: 100 }
    }
}

/// Narrowest page that is believed: below it every line would be broken to pieces.
const MIN_WIDTH: usize = 40;

/// Colour of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
}

impl Paint {
    /// SGR parameters (ECMA-48, section 8.3.117).
    const fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Green => "32",
        }
    }
}

/// A piece of a line that is broken only when it is wider than the page.
pub(super) type Piece<'t> = (Paint, Cow<'t, str>);

/// Writes lines.
pub(super) struct Page<'o> {
    out: &'o mut dyn Write,
    style: Style,
    line: String,
    column: usize,
}

impl<'o> Page<'o> {
    pub(super) fn new(out: &'o mut dyn Write, style: Style) -> Self {
        let style = Style { width: style.width.max(MIN_WIDTH), ..style };
        Self { out, style, line: String::new(), column: 0 }
    }

    /// The sign in this style: the second where only ASCII may be used.
    pub(super) fn sign(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.style.unicode { unicode } else { ascii }
    }

    /// Writes pieces with `gap` spaces between them, from column `indent` on; further lines begin at `hanging`.
    pub(super) fn pieces(&mut self, indent: usize, hanging: usize, gap: usize, pieces: &[Piece<'_>]) -> io::Result<()> {
        self.start(indent);
        let mut fresh = true;
        for (paint, text) in pieces {
            let text = self.safe(text);
            if text.is_empty() {
                continue;
            }
            let room = self.style.width.saturating_sub(self.column).saturating_sub(if fresh { 0 } else { gap });
            if text.width() > room && !fresh {
                self.end()?;
                self.start(hanging);
                fresh = true;
            }
            if !fresh {
                self.space(gap);
            }
            self.put(*paint, &text, hanging)?;
            fresh = false;
        }
        self.end()
    }

    /// Writes a text of sentences, wrapped at its spaces; the label before it is a piece of its own.
    pub(super) fn paragraph(&mut self, indent: usize, label: Option<Piece<'_>>, text: &str) -> io::Result<()> {
        let words = text.split_whitespace().map(|w| (Paint::Plain, Cow::Borrowed(w)));
        let pieces: Vec<Piece<'_>> = label.into_iter().chain(words).collect();
        self.pieces(indent, indent, 1, &pieces)
    }

    /// An empty line.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.start(0);
        self.end()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn safe<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = guard(text);
        if self.style.unicode || text.is_ascii() { text } else { Cow::Owned(ascii(&text)) }
    }

    fn start(&mut self, indent: usize) {
        self.line.clear();
        self.column = 0;
        self.space(indent);
    }

    fn space(&mut self, n: usize) {
        self.line.extend(std::iter::repeat_n(' ', n));
        self.column = self.column.saturating_add(n);
    }

    /// Adds safe text to the line; breaks it where the page ends.
    fn put(&mut self, paint: Paint, text: &str, hanging: usize) -> io::Result<()> {
        let mut rest = text;
        loop {
            let room = self.style.width.saturating_sub(self.column);
            let (now, later) = split_at_width(rest, room);
            self.colored(paint, now);
            if later.is_empty() {
                return Ok(());
            }
            self.end()?;
            self.start(hanging);
            rest = later;
        }
    }

    fn colored(&mut self, paint: Paint, text: &str) {
        let sgr = paint.sgr();
        if self.style.color && !sgr.is_empty() {
            let _ = write!(self.line, "\x1b[{sgr}m{text}\x1b[0m");
        } else {
            self.line.push_str(text);
        }
        self.column = self.column.saturating_add(text.width());
    }

    fn end(&mut self) -> io::Result<()> {
        let kept = self.line.trim_end_matches(' ').len();
        self.line.truncate(kept);
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }
}

/// As many characters as fit into `room` columns, at least one; and the rest.
fn split_at_width(text: &str, room: usize) -> (&str, &str) {
    let mut columns = 0usize;
    for (at, c) in text.char_indices() {
        columns = columns.saturating_add(c.width().unwrap_or(0));
        if columns > room && at > 0 {
            return text.split_at(at);
        }
    }
    (text, "")
}

/// Text without characters beyond ASCII: the usual signs by their likes, others as escapes.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0'..='\x7f' => out.push(c),
            '…' => out.push_str("..."),
            '→' => out.push_str("->"),
            '←' => out.push_str("<-"),
            '–' | '—' | '‑' => out.push('-'),
            '’' | '‘' => out.push('\''),
            '“' | '”' => out.push('"'),
            '·' | '•' => out.push('*'),
            '×' => out.push('x'),
            '≤' => out.push_str("<="),
            '≥' => out.push_str(">="),
            '\u{a0}' => out.push(' '),
            _ => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(style: Style, write: impl FnOnce(&mut Page<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Page::new(&mut out, style));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        let long = format!("{} {} ende", "wort ".repeat(40), "y".repeat(250));
        let wide = "漢字".repeat(80);
        for width in [40, 60, 100, 133] {
            let style = Style { width, ..Style::default() };
            let got = page(style, |p| {
                p.paragraph(6, Some((Paint::Bold, "Fix:".into())), &long).unwrap();
                p.paragraph(0, None, &wide).unwrap();
                p.pieces(0, 4, 2, &[(Paint::Red, "a".into()), (Paint::Plain, "b".repeat(width).into())]).unwrap();
            });
            assert!(got.lines().all(|l| l.width() <= width), "{got}");
            assert!(got.lines().all(|l| !l.ends_with(' ')), "{got}");
            assert_eq!(got.matches("wort").count(), 40);
            assert_eq!(got.matches('y').count(), 250);
            assert_eq!(got.matches('漢').count(), 80);
        }
    }

    #[test]
    fn nothing_drives_the_terminal() {
        let style = Style { color: true, ..Style::default() };
        let got = page(style, |p| p.paragraph(2, None, "a\x1b[2Jb\u{202e}c\u{9b}d").unwrap());
        assert_eq!(got, "  a\\u{1b}[2Jb\\u{202e}c\\u{9b}d\n");
        let got = page(style, |p| p.pieces(0, 0, 1, &[(Paint::Red, "x\x1b".into())]).unwrap());
        assert_eq!(got, "\x1b[31mx\\u{1b}\x1b[0m\n");
    }

    #[test]
    fn ascii_only() {
        let style = Style { unicode: false, ..Style::default() };
        let got = page(style, |p| p.paragraph(0, None, "a→b … café “x” – 漢").unwrap());
        assert_eq!(got, "a->b ... caf\\u{e9} \"x\" - \\u{6f22}\n");
    }
}

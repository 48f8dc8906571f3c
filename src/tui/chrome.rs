//! Frames, cut and wrapped text: everything by display width.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::theme::{Paint, Theme};

/// Columns that a text takes.
pub(crate) fn width(s: &str) -> usize {
    s.width()
}

/// `n` as a screen coordinate.
pub(crate) fn u16_of(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// The text cut to `max` columns; an ellipsis says so.
pub(crate) fn cut(s: &str, max: usize) -> String {
    if width(s) <= max {
        return s.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in s.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > max {
            break;
        }
        used += w;
        out.push(c);
    }
    if max > 0 {
        out.push('…');
    }
    out
}

/// Cut or padded to exactly `max` columns.
pub(crate) fn fit(s: &str, max: usize) -> String {
    let mut out = cut(s, max);
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', max.saturating_sub(used)));
    out
}

/// Lines of at most `max` columns, broken at spaces; a longer word is broken anywhere. Newlines are kept.
pub(crate) fn wrap(s: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut out = Vec::new();
    for line in s.split('\n') {
        let indent: String = line.chars().take_while(|c| *c == ' ').take(max / 2).collect();
        let mut now = indent.clone();
        let mut used = width(&now);
        let start = used;
        for word in line.split(' ').filter(|w| !w.is_empty()) {
            let w = width(word);
            if used > start && used + 1 + w > max {
                out.push(std::mem::replace(&mut now, indent.clone()));
                used = start;
            }
            if used > start {
                now.push(' ');
                used += 1;
            }
            for c in word.chars() {
                let cw = c.width().unwrap_or(0);
                if used + cw > max && used > start {
                    out.push(std::mem::replace(&mut now, indent.clone()));
                    used = start;
                }
                now.push(c);
                used += cw;
            }
        }
        out.push(now);
    }
    out
}

/// A drawing surface: a part of the screen that nothing drawn on it can leave.
pub(crate) struct Canvas<'b> {
    pub(crate) buf: &'b mut Buffer,
    pub(crate) area: Rect,
    pub(crate) theme: Theme,
}

impl<'b> Canvas<'b> {
    pub(crate) fn new(buf: &'b mut Buffer, area: Rect, theme: Theme) -> Self {
        let area = area.intersection(buf.area);
        Self { buf, area, theme }
    }

    /// The same surface, another part.
    pub(crate) fn part(&mut self, area: Rect) -> Canvas<'_> {
        let area = area.intersection(self.buf.area);
        Canvas { buf: self.buf, area, theme: self.theme }
    }

    /// Writes at a place relative to the area, cut at its right end; the columns used.
    pub(crate) fn put(&mut self, x: usize, y: usize, s: &str, paint: Paint) -> usize {
        let style = self.theme.style(paint);
        self.put_styled(x, y, s, style)
    }

    pub(crate) fn put_styled(&mut self, x: usize, y: usize, s: &str, style: Style) -> usize {
        let (w, h) = (usize::from(self.area.width), usize::from(self.area.height));
        if x >= w || y >= h {
            return 0;
        }
        let room = w.saturating_sub(x);
        let (ax, ay) = (self.area.x.saturating_add(u16_of(x)), self.area.y.saturating_add(u16_of(y)));
        let (end, _) = self.buf.set_stringn(ax, ay, s, room, style);
        usize::from(end.saturating_sub(ax))
    }

    /// Gives a whole line of the area a style.
    pub(crate) fn line_style(&mut self, y: usize, paint: Paint) {
        if y < usize::from(self.area.height) {
            let r = Rect::new(self.area.x, self.area.y.saturating_add(u16_of(y)), self.area.width, 1);
            self.buf.set_style(r.intersection(self.buf.area), self.theme.style(paint));
        }
    }

    /// Forgets what was drawn here before.
    pub(crate) fn clear(&mut self) {
        for y in self.area.top()..self.area.bottom() {
            for x in self.area.left()..self.area.right() {
                if let Some(c) = self.buf.cell_mut((x, y)) {
                    c.reset();
                }
            }
        }
    }

    /// A frame around the area with a title; gives the inside. The frame of the pane that has the keys is bold.
    pub(crate) fn frame(&mut self, title: &str, focused: bool) -> Rect {
        let (w, h) = (usize::from(self.area.width), usize::from(self.area.height));
        if w < 2 || h < 2 {
            return Rect { width: 0, height: 0, ..self.area };
        }
        let paint = if focused { Paint::Normal } else { Paint::Dim };
        let bar = "─".repeat(w.saturating_sub(2));
        self.put(0, 0, &format!("┌{bar}┐"), paint);
        for y in 1..h.saturating_sub(1) {
            self.put(0, y, "│", paint);
            self.put(w.saturating_sub(1), y, "│", paint);
        }
        self.put(0, h.saturating_sub(1), &format!("└{bar}┘"), paint);
        let title = cut(title, w.saturating_sub(4));
        if !title.is_empty() {
            self.put(1, 0, &format!(" {title} "), if focused { Paint::Bold } else { Paint::Normal });
        }
        Rect::new(
            self.area.x.saturating_add(1),
            self.area.y.saturating_add(1),
            self.area.width.saturating_sub(2),
            self.area.height.saturating_sub(2),
        )
    }

    /// How far a list is scrolled, on the right border: only where not all of it is visible.
    pub(crate) fn scroll_mark(&mut self, first: usize, visible: usize, total: usize) {
        let h = usize::from(self.area.height);
        if total <= visible || h < 4 {
            return;
        }
        let track = h.saturating_sub(2);
        let size = (track.saturating_mul(visible) / total).max(1);
        let at = (track.saturating_sub(size)).saturating_mul(first) / total.saturating_sub(visible).max(1);
        for y in at..(at + size).min(track) {
            self.put(usize::from(self.area.width).saturating_sub(1), y + 1, "█", Paint::Dim);
        }
    }
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

/// `1.2 GB`, in powers of ten as `ls --si` does.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut v = n as f64;
    let mut unit = "B";
    for u in UNITS {
        if v < 999.5 {
            break;
        }
        v /= 1000.0;
        unit = u;
    }
    if v < 9.95 { format!("{v:.1} {unit}") } else { format!("{v:.0} {unit}") }
}

/// A duration of microseconds for a person: `0.41 ms`, `12.3 ms`, `1.204 s`.
pub(crate) fn duration(us: u64) -> String {
    let ms = us as f64 / 1000.0;
    match us {
        0..100_000 => format!("{ms:.2} ms"),
        100_000..1_000_000 => format!("{ms:.0} ms"),
        1_000_000..600_000_000 => format!("{:.3} s", ms / 1000.0),
        _ => format!("{:.0} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_width() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("漢字", 4), "漢字");
        assert_eq!(cut("ab", 0), "");
        assert_eq!(fit("a", 3), "a  ");
        assert_eq!(width(&fit("漢字漢", 4)), 4);
    }

    #[test]
    fn text_is_wrapped_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("  in out", 5), ["  in", "  out"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("a\nb", 3), ["a", "b"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(1_482_113), "1,482,113");
        assert_eq!(thousands(12), "12");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_200_000_000), "1.2 GB");
        assert_eq!(bytes(503_344_510), "503 MB");
        assert_eq!(duration(410), "0.41 ms");
        assert_eq!(duration(1_204_000), "1.204 s");
    }
}

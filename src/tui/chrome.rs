//! Frames, cut and wrapped text: everything by display width.

use super::theme::{Paint, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(crate) use crate::layout::{bytes, cut, duration, fit, width, wrap};
pub(crate) use crate::text::thousands;

/// `n` as a screen coordinate.
pub(crate) fn u16_of(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
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

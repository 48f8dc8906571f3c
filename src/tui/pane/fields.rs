//! The fields of one message, as a tree.

use crate::tui::app::{App, Pane};
use crate::tui::chrome::{Canvas, cut, width};
use crate::tui::theme::Paint;

/// Draws the pane.
pub(crate) fn draw(app: &App, c: &mut Canvas<'_>) {
    let focused = app.focus == Pane::Fields;
    let label = app.open().map(|o| o.message_label()).unwrap_or_default();
    let inside = c.frame(&format!("Fields: {label}"), focused);
    let Some(o) = app.open() else { return };
    let visible = o.visible();
    c.scroll_mark(o.field_top, usize::from(inside.height), visible.len());
    let mut c = c.part(inside);
    let w = usize::from(inside.width);
    // Values stand in one column, as far as the names allow it.
    let name_width = |i: &usize| o.nodes.get(*i).map_or(0, |n| usize::from(n.depth) * 2 + width(&n.name) + 5);
    let page = visible.iter().skip(o.field_top).take(usize::from(inside.height));
    let value_at = page.clone().map(name_width).max().unwrap_or(0).min(w / 2);
    for (y, i) in page.enumerate() {
        let Some(n) = o.nodes.get(*i) else { continue };
        let x = 1 + usize::from(n.depth) * 2;
        let sign = match (n.parent, o.is_folded(*i)) {
            (true, true) => "▸ ",
            (true, false) => "▾ ",
            _ => "  ",
        };
        c.put(x, y, sign, Paint::Dim);
        let end = x + 2 + c.put(x + 2, y, &n.name, if n.parent { Paint::Bold } else { Paint::Key });
        let at = value_at.max(end + 2);
        let paint = if n.meaning.contains('▲') { Paint::Warning } else { Paint::Normal };
        c.put(at, y, &cut(&n.meaning, w.saturating_sub(at + 1)), paint);
        if *i == o.field {
            c.put(0, y, "▸", Paint::Bold);
            c.line_style(y, if focused { Paint::Selected } else { Paint::Chosen });
        }
    }
}

//! What lies on top of the panes: help, explanations, the columns, writing to a file.

pub(crate) mod columns;
pub(crate) mod compare;
pub(crate) mod help;
pub(crate) mod save;
pub(crate) mod text;

use ratatui::layout::Rect;

use super::app::{App, Popup};
use super::chrome::{Canvas, u16_of};
use super::keymap::Action;
use super::theme::Paint;
use super::update::moved;

/// A line of a popup: parts with their styles.
pub(crate) type Line = Vec<(String, Paint)>;

/// Where the uppermost popup is.
pub(crate) fn area(app: &App) -> Rect {
    area_of(app, app.popups.len().saturating_sub(1))
}

/// Where a popup is: in the middle, as large as what it shows.
pub(crate) fn area_of(app: &App, n: usize) -> Rect {
    let (sw, sh) = app.size;
    let (w, h) = match app.popups.get(n) {
        Some(p @ (Popup::Help { .. } | Popup::Text { .. })) => {
            let w = sw.saturating_sub(4).min(90);
            (w, u16_of(lines(app, p, usize::from(w.saturating_sub(4))).len()).saturating_add(2))
        }
        Some(Popup::Compare(_)) => (sw.min(160), sh),
        Some(Popup::Columns { .. }) => (34, u16_of(columns::count()).saturating_add(2)),
        Some(Popup::Save(_)) => (70, u16_of(save::HEIGHT).saturating_add(2)),
        None => (0, 0),
    };
    let (w, h) = (w.min(sw), h.min(sh.saturating_sub(2)));
    Rect::new(sw.saturating_sub(w) / 2, sh.saturating_sub(h) / 2, w, h)
}

/// The text of a popup that only shows text.
pub(crate) fn lines(app: &App, p: &Popup, width: usize) -> Vec<Line> {
    match p {
        Popup::Help { .. } => help::lines(width),
        Popup::Text { text, .. } => text::lines(text, width),
        Popup::Compare(p) => compare::lines(p, width),
        Popup::Columns { cursor } => columns::lines(app, *cursor),
        Popup::Save(d) => save::lines(app, d),
    }
}

/// Draws a popup into its area.
pub(crate) fn draw(app: &App, p: &Popup, c: &mut Canvas<'_>) {
    c.clear();
    let (title, top) = match p {
        Popup::Help { top } => ("Keys".to_owned(), *top),
        Popup::Text { text, top } => (text.title.clone(), *top),
        Popup::Compare(p) => (compare::title(p), compare::top(p)),
        Popup::Columns { .. } => ("Columns".into(), 0),
        Popup::Save(_) => ("Write to a file".into(), 0),
    };
    let inside = c.frame(&title, true);
    let all = lines(app, p, usize::from(inside.width).saturating_sub(2));
    let page = usize::from(inside.height);
    let cursor = match p {
        Popup::Columns { cursor } | Popup::Save(save::Dialog { cursor, .. }) => Some(*cursor),
        _ => None,
    };
    let top = cursor.map_or(top, |at| at.saturating_sub(page.saturating_sub(1))).min(all.len().saturating_sub(page));
    c.scroll_mark(top, page, all.len());
    let mut c = c.part(inside);
    for (y, line) in all.iter().skip(top).take(page).enumerate() {
        let mut x = 1;
        for (s, paint) in line {
            x += c.put(x, y, s, *paint);
        }
        if cursor == Some(top + y) {
            c.line_style(y, Paint::Selected);
        }
    }
}

/// A key while a popup is open.
pub(crate) fn key(app: &mut App, action: Action) {
    let r = area(app);
    let page = usize::from(r.height.saturating_sub(2)).max(1);
    let count = app.popups.last().map_or(0, |p| lines(app, p, usize::from(r.width.saturating_sub(4))).len());
    match action {
        Action::Quit | Action::Back => {
            app.popups.pop();
            return;
        }
        Action::Help if matches!(app.popups.last(), Some(Popup::Help { .. })) => {
            app.popups.pop();
            return;
        }
        Action::Help => return app.popups.push(Popup::Help { top: 0 }),
        Action::Explain if matches!(app.popups.last(), Some(Popup::Text { .. })) => {
            app.popups.pop();
            return;
        }
        _ => {}
    }
    match app.popups.last_mut() {
        Some(Popup::Help { top } | Popup::Text { top, .. }) => {
            if let Some(to) = moved(action, *top, page, count) {
                *top = to.min(count.saturating_sub(page));
            } else if action == Action::Open {
                app.popups.pop();
            } else if action == Action::Copy
                && let Some(Popup::Text { text, .. }) = app.popups.last()
            {
                let all = text.whole();
                app.effects.push(super::app::Effect::Copy(all));
            }
        }
        Some(Popup::Compare(p)) => {
            if action == Action::Copy {
                let text = compare::text(p);
                app.effects.push(super::app::Effect::Copy(text));
            } else if compare::key(p, action, page, count) {
                app.popups.pop();
            }
        }
        Some(Popup::Columns { cursor }) => {
            if let Some(to) = moved(action, *cursor, page, count) {
                *cursor = to;
            } else if matches!(action, Action::Toggle | Action::Open) {
                let at = *cursor;
                columns::toggle(app, at);
            } else if action == Action::Columns {
                app.popups.pop();
            }
        }
        Some(Popup::Save(d)) => {
            let dialog = *d;
            app.popups.pop();
            if let Some(d) = save::key(app, dialog, action) {
                app.popups.push(Popup::Save(d));
            }
        }
        None => {}
    }
}

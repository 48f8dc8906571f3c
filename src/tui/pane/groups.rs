//! The servers, the certificates, or the findings of all flows that pass the filter.

use crate::ladder::severity_glyph;
use crate::tui::about;
use crate::tui::app::{App, Pane};
use crate::tui::chrome::{Canvas, fit, thousands, width, wrap};
use crate::tui::columns::places;
use crate::tui::groups::{Groups, Key, View};
use crate::tui::theme::Paint;

/// The heading of the first pane: what is listed and what else could be.
pub(crate) fn tabs(app: &App, shown: usize, of: usize) -> String {
    let now = app.view();
    let n = if shown == of {
        thousands(of as u64)
    } else {
        format!("{} of {}", thousands(shown as u64), thousands(of as u64))
    };
    let mut name = now.name().to_owned();
    if let Some(c) = name.get_mut(..1) {
        c.make_ascii_uppercase();
    }
    let mut title = format!("{name} ({n})");
    if app.list.failed_only {
        title.push_str(" ── failed only");
    }
    if !app.list.input.value().is_empty() {
        title.push_str(&format!(" ── filter: {}", app.list.input.value()));
    }
    title
}

/// The other views with their keys.
pub(crate) fn others(app: &App) -> String {
    let all = View::ALL.iter().enumerate().filter(|(_, v)| **v != app.view());
    all.map(|(n, v)| format!("{} {}", n + 1, v.name())).collect::<Vec<_>>().join("  ")
}

/// Draws the pane.
pub(crate) fn draw(app: &App, g: &Groups, c: &mut Canvas<'_>) {
    let focused = app.focus == Pane::Flows;
    let by = g.columns().get(g.sort).map_or("", |c| c.title);
    let title = tabs(app, g.len(), g.len());
    let title = format!("{title} ── by {by}{} ── {}", if g.reverse { " ↑" } else { "" }, others(app));
    let inside = c.frame(&title, focused);
    let page = usize::from(inside.height).saturating_sub(1);
    c.scroll_mark(g.top, page, g.len());
    let mut c = c.part(inside);
    let room = usize::from(inside.width);
    if g.len() == 0 {
        let text = match g.view {
            _ if app.list.view.is_empty() => "No flow passes; Esc takes the filter away.",
            View::Certificates => {
                "No certificate was seen in clear: TLS 1.3 protects them, and resumed sessions send none."
            }
            View::Findings => "Nothing was found.",
            View::Servers | View::Flows => "",
        };
        for (y, l) in wrap(text, room.saturating_sub(4)).iter().enumerate() {
            c.put(2, y + 1, l, Paint::Bold);
        }
        return;
    }
    let shown = (g.top..).map_while(|p| g.at(p)).take(page);
    let places = places(g.view, shown.clone(), room.saturating_sub(3));
    let cell = |text: &str, right: bool, w: usize| {
        if right {
            format!("{}{}", " ".repeat(w.saturating_sub(width(text))), fit(text, w.min(width(text))))
        } else {
            fit(text, w)
        }
    };
    let mut x = 3;
    for (column, w) in &places {
        c.put(x, 0, &cell(column.title, column.right, *w), Paint::Bold);
        x += w + 1;
    }
    for (line, group) in shown.enumerate() {
        let y = line + 1;
        let m = group.mark();
        let glyph = if matches!(group.key, Key::Finding(_)) { severity_glyph(group.severity) } else { m.glyph() };
        c.put(1, y, glyph, m.paint());
        let mut x = 3;
        for (column, w) in &places {
            c.put(x, y, &cell(&(column.text)(group), column.right, *w), Paint::Normal);
            x += w + 1;
        }
        if g.top + line == g.cursor {
            c.put(0, y, "▸", Paint::Bold);
            c.line_style(y, if focused { Paint::Selected } else { Paint::Chosen });
        }
    }
}

/// What the pane below says of the group under the cursor.
pub(crate) fn about(app: &App, width: usize) -> Vec<(String, Paint)> {
    let mut out = Vec::new();
    let Some(g) = app.group() else { return out };
    let mut add = |indent: &str, text: &str, paint: Paint| {
        for l in wrap(text, width.saturating_sub(indent.len())) {
            out.push((format!("{indent}{l}"), paint));
        }
    };
    if let Key::Finding(code) = g.key {
        add("", &format!("{} {code}: {}", severity_glyph(g.severity), about::tally(g)), g.mark().paint());
        if let Some(rule) = crate::diagnose::rule(code) {
            add("  ", rule.page.what, Paint::Normal);
        }
        if let Some((detail, remedy)) = app.list.rows.get(g.example as usize).and_then(|r| about::example(g, r)) {
            add("  ", &detail, Paint::Dim);
            if !remedy.is_empty() {
                add("  ", &format!("Fix: {remedy}"), Paint::Bold);
            }
        }
        return out;
    }
    for (heading, text) in about::text(g).paragraphs {
        if heading.is_empty() {
            add("", &format!("{} {text}", g.mark().glyph()), g.mark().paint());
        } else {
            add("  ", &format!("{heading}: {text}"), Paint::Normal);
        }
    }
    out
}

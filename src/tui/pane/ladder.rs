//! The ladder of one flow.

use crate::diagnose::Severity;
use crate::ladder::{Kind, Rung, Stroke, arrow_text, lines};
use crate::span::Role;
use crate::tui::app::{App, Pane};
use crate::tui::chrome::{self, Canvas, cut};
use crate::tui::flow_view::Opening;
use crate::tui::row::endpoint;
use crate::tui::theme::Paint;
use crate::tui::times;

/// Columns of a time.
const TIME: usize = 12;

/// Draws the pane.
pub(crate) fn draw(app: &App, c: &mut Canvas<'_>) {
    let Some(v) = &app.flow else { return };
    let focused = app.focus == Pane::Ladder;
    let r = &v.row;
    let mut title = format!("Flow {}  {} {}", r.id, r.mark().glyph(), r.result());
    title.push_str(&format!("  {} → {}", endpoint(r.end(Role::Client)), endpoint(r.end(Role::Server))));
    if let Some(v) = r.version {
        title.push_str(&format!("  {v}"));
    }
    let times = format!(" {} ", app.times.name(app.open().is_some_and(|o| o.mark.is_some())));
    let right = usize::from(c.area.width).saturating_sub(chrome::width(&times) + 2);
    let inside = c.frame(&cut(&title, right.saturating_sub(4)), focused);
    c.put(right, 0, &times, Paint::Dim);
    let o = match &v.state {
        Opening::Ready(o) => o,
        Opening::Reading => {
            c.part(inside).put(2, 1, "Reading this flow again …", Paint::Dim);
            return;
        }
        Opening::Failed(e) => {
            let mut c = c.part(inside);
            let w = usize::from(inside.width).saturating_sub(4);
            for (y, l) in chrome::wrap(&format!("✖ {e}"), w).iter().enumerate() {
                c.put(2, y + 1, l, Paint::Error);
            }
            return;
        }
    };
    let rails = app.rails();
    let all = lines(&o.rungs, &o.detail.report, rails);
    c.scroll_mark(o.top, usize::from(inside.height), all.len());
    let mut c = c.part(inside);
    for (y, l) in all.iter().skip(o.top).take(usize::from(inside.height)).enumerate() {
        let Some(rung) = o.rungs.get(l.rung) else { continue };
        let x = App::LADDER_LEFT;
        let is_arrow = matches!(rung.kind, Kind::Arrow(_));
        if is_arrow || (l.head && matches!(rung.kind, Kind::Note(_))) {
            if let Some(f) = rung.frame {
                c.put(1, y, &format!("{:>7}", format!("#{f}")), Paint::Dim);
            }
            if is_arrow && let Some((text, late)) = times::label(o, l.rung, app.times) {
                let text = format!("{text:>TIME$}");
                c.put(App::LADDER_LEFT - TIME - 1, y, &text, if late { Paint::Warning } else { Paint::Dim });
            }
            if o.mark == Some(l.rung) {
                c.put(App::LADDER_LEFT - 1, y, "◆", Paint::Bold);
            }
        }
        let paint = paint_of(app, rung);
        match &rung.kind {
            Kind::Arrow(a) => {
                c.put(x, y, &arrow_text(a, rails.saturating_sub(1)), paint);
            }
            _ => {
                c.put(x, y, &cut(&l.text, rails), paint);
            }
        }
        if l.rung == o.cursor {
            // Of a finding the first line only: a whole block in reverse is hard to read.
            c.put(0, y, if l.head { "▸" } else { "│" }, Paint::Bold);
            if l.head {
                c.line_style(y, if focused { Paint::Selected } else { Paint::Chosen });
            }
        }
    }
}

fn paint_of(app: &App, r: &Rung) -> Paint {
    match &r.kind {
        Kind::Arrow(a) if a.stroke == Stroke::Ghost => Paint::Dim,
        Kind::Arrow(a) if a.label.starts_with("fatal alert") => Paint::Error,
        Kind::Arrow(a) => match a.from {
            Role::Client => Paint::Client,
            Role::Server => Paint::Server,
        },
        Kind::Note(_) => Paint::Warning,
        Kind::Finding(n) => {
            match app.open().and_then(|o| o.detail.report.diagnosis.findings.get(*n)).map(|f| f.severity) {
                Some(Severity::Error) => Paint::Error,
                Some(Severity::Warning) => Paint::Warning,
                _ => Paint::Normal,
            }
        }
    }
}

//! Why the flow under the cursor ended as it did.

use crate::diagnose::Severity;
use crate::ladder::severity_glyph;
use crate::span::Role;
use crate::tui::app::{App, Pane};
use crate::tui::chrome::{Canvas, wrap};
use crate::tui::explain;
use crate::tui::groups::View;
use crate::tui::row::{Mark, Row, clock, endpoint};
use crate::tui::theme::Paint;

/// The text as lines of a width.
pub(crate) fn lines(app: &App, width: usize) -> Vec<(String, Paint)> {
    let mut out = Vec::new();
    let Some(r) = app.list.selected() else { return out };
    let mut add = |indent: &str, text: &str, paint: Paint| {
        for l in wrap(text, width.saturating_sub(indent.len())) {
            out.push((format!("{indent}{l}"), paint));
        }
    };
    if r.cause.is_none() {
        let m = r.mark();
        let paint = if r.findings.is_empty() { m.paint() } else { Paint::Normal };
        let mut text = format!("{} {}", m.glyph(), explain::outcome(r).line());
        if !r.findings.is_empty() {
            text = text.replace("; nothing wrong was found.", ".");
        }
        add("", &text, paint);
        if let Some(s) = summary(r) {
            add("  ", &s, Paint::Dim);
        }
        sibling(app, r, &mut add);
    } else if !r.note.is_empty() {
        add("", r.note, Paint::Dim);
    }
    if let Some(t) = app.list.twin(app.list.cursor) {
        let ends = format!("{} → {}", endpoint(t.end(Role::Client)), endpoint(t.end(Role::Server)));
        let text = "the same ClientHello between other addresses (a NAT, a load balancer, or two interfaces)";
        add("", &format!("⇄ The same connection as flow {}, {ends}: {text}.", t.id), Paint::Bold);
    }
    for f in &r.findings {
        let paint = match f.severity {
            Severity::Error => Paint::Error,
            Severity::Warning => Paint::Warning,
            Severity::Info => Paint::Normal,
        };
        add("", &format!("{} {} ({}) — {}", severity_glyph(f.severity), f.code, f.confidence.name(), f.title), paint);
        if !f.detail.is_empty() {
            add("  ", &f.detail, Paint::Normal);
        }
        let mut last = String::new();
        if !f.frames.is_empty() {
            let s = if f.frames.len() == 1 { "" } else { "s" };
            last.push_str(&format!("Evidence: frame{s} {}. ", explain::join(&f.frames)));
        }
        let look = explain::look_at(f.blame);
        if !look.is_empty() && f.severity > Severity::Info {
            last.push_str(&format!("Look at: {look}. "));
        }
        if !last.is_empty() {
            add("  ", last.trim_end(), Paint::Dim);
        }
        if !f.remedy.is_empty() {
            add("  ", &format!("Fix: {}", f.remedy), Paint::Bold);
        }
        if r.cause == Some(f.code) {
            sibling(app, r, &mut add);
        }
    }
    out
}

/// For a flow that failed: one that the same server accepted.
fn sibling(app: &App, r: &Row, add: &mut impl FnMut(&str, &str, Paint)) {
    if let Some(s) = app.list.sibling(r).filter(|_| r.mark() == Mark::Failed) {
        let from = s.end(Role::Client).ip;
        let text = format!("✔ Flow {} to the same server worked (from {from}): = shows what differs", s.id);
        add("  ", &text, Paint::Good);
    }
}

fn summary(r: &Row) -> Option<String> {
    let v = r.version?;
    let mut s = v.to_string();
    if let Some(c) = r.cipher {
        s.push_str(&format!("  {c}"));
    }
    if let Some(a) = &r.alpn {
        s.push_str(&format!("  ALPN {a}"));
    }
    Some(s)
}

/// Draws the pane.
pub(crate) fn draw(app: &App, c: &mut Canvas<'_>) {
    let title = match (app.view(), app.list.selected()) {
        (View::Flows, Some(r)) => format!("Why: flow {} at {} UTC", r.id, clock(r.time)),
        (View::Flows, None) => "Why".to_owned(),
        (View::Servers, _) => "This server".to_owned(),
        (View::Certificates, _) => "This certificate".to_owned(),
        (View::Findings, _) => "This finding".to_owned(),
    };
    let inside = c.frame(&title, app.focus == Pane::Why);
    let lines = app.why_lines();
    c.scroll_mark(app.why_top, usize::from(inside.height), lines.len());
    let mut c = c.part(inside);
    for (y, (text, paint)) in lines.iter().skip(app.why_top).take(usize::from(inside.height)).enumerate() {
        c.put(1, y, text, *paint);
    }
}

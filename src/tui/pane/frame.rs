//! The lines above and below the panes.

use ratatui::layout::Position;

use crate::text::count;
use crate::tui::app::{App, Message, Pane, Popup, Prompt};
use crate::tui::chrome::{self, Canvas, cut, thousands, u16_of, width};
use crate::tui::row::Mark;
use crate::tui::theme::Paint;

/// The first line: what is read, how far, what was found. And the line about damage.
pub(crate) fn header(app: &App, c: &mut Canvas<'_>) {
    let w = usize::from(c.area.width);
    if c.area.height < 4 {
        return;
    }
    let mut right = counts(app, false);
    let size = |l: &[(String, Paint)]| l.iter().map(|(s, _)| width(s)).sum::<usize>();
    if size(&right) > w / 3 {
        right = counts(app, true);
    }
    let right_width = size(&right);
    let room = w.saturating_sub(right_width + 3);
    let mut x = c.put(0, 0, " tlscope ", Paint::Bold);
    let p = &app.progress;
    let mut parts: Vec<(String, Paint)> = Vec::new();
    if let Some(pace) = p.live.filter(|_| app.loading()) {
        match &app.frozen {
            Some(waiting) => parts.push((format!(" frozen, {} wait", thousands(waiting.len() as u64)), Paint::Warning)),
            None if app.list.following => parts.push((" live, following".into(), Paint::Good)),
            None => parts.push((" live".into(), Paint::Good)),
        }
        parts.push((format!(" {}/s", count(pace.rate, "packet")), Paint::Dim));
        if pace.lost > 0 {
            parts.push((format!(" {} lost", thousands(pace.lost)), Paint::Warning));
        }
    } else if app.loading() {
        let rate = p.bytes as f64 / p.elapsed.as_secs_f64().max(0.001);
        if let Some(total) = p.total.filter(|t| *t > 0) {
            let done = (p.bytes.min(total) as f64) / total as f64;
            let full = (done * 10.0) as usize;
            let bar = format!("{}{}", "█".repeat(full), "░".repeat(10usize.saturating_sub(full)));
            parts.push((format!(" {bar} {:.0} %", done * 100.0), Paint::Normal));
            let left = total.saturating_sub(p.bytes) as f64 / rate.max(1.0);
            parts.push((format!(" {left:.0} s left"), Paint::Normal));
        } else {
            parts.push((" reading …".into(), Paint::Normal));
        }
        parts.push((format!(" {}/s", chrome::bytes(rate as u64)), Paint::Dim));
    }
    if app.left() > 0 {
        parts.push((format!(" oldest {} left the list", thousands(app.left())), Paint::Warning));
    }
    parts.push((format!(" {}", chrome::bytes(p.bytes)), Paint::Dim));
    parts.push((format!(" {}", count(p.frames, "frame")), Paint::Dim));
    let wanted: usize = parts.iter().take(3).map(|(s, _)| width(s)).sum();
    let name = cut(&app.source, room.saturating_sub(x + wanted + 2).clamp(12, (w / 2).max(12)));
    x += c.put(x, 0, &format!(" {name} "), Paint::Normal);
    for (s, paint) in parts {
        if x + width(&s) <= room {
            x += c.put(x, 0, &s, paint);
        }
    }
    let mut x = w.saturating_sub(right_width + 1).max(x + 1);
    for (s, paint) in right {
        x += c.put(x, 0, &s, paint);
    }
    if c.area.height > 8
        && let Some(d) = app.damage()
    {
        c.put(1, 1, &cut(&format!("▲ {d}"), w.saturating_sub(2)), Paint::Warning);
    }
}

/// How many flows ended how; `short` with marks in place of words.
fn counts(app: &App, short: bool) -> Vec<(String, Paint)> {
    let n = &app.list.counts;
    let mut out: Vec<(String, Paint)> = Vec::new();
    if app.damage().is_some() {
        out.push(("▲ damaged  ".into(), Paint::Warning));
    }
    for (count, word, mark) in [
        (n.failed, "failed", Mark::Failed),
        (n.warning, "warning", Mark::Warning),
        (n.unknown, "incomplete", Mark::Unknown),
        (n.good, "ok", Mark::Good),
    ] {
        let count = thousands(count as u64);
        if count == "0" {
            continue;
        }
        if short {
            out.push((format!(" {} {count}", mark.glyph()), mark.paint()));
        } else {
            if out.last().is_some_and(|(s, _)| !s.ends_with(' ')) {
                out.push((" · ".into(), Paint::Dim));
            }
            out.push((format!("{count} {word}"), mark.paint()));
        }
    }
    out
}

/// The two last lines: what the cursor is on (or what is typed), and the keys.
pub(crate) fn bottom(app: &App, c: &mut Canvas<'_>) -> Option<Position> {
    let (w, h) = (usize::from(c.area.width), usize::from(c.area.height));
    if h >= 2 {
        keys(app, c, w, h.saturating_sub(1));
    }
    if h < 6 {
        return None;
    }
    let y = h.saturating_sub(2);
    if let Some(p) = &app.prompt {
        return prompt(app, p, c, w, y);
    }
    match &app.message {
        Some(Message::Info(s)) => {
            c.put(1, y, &cut(s, w.saturating_sub(2)), Paint::Bold);
        }
        Some(Message::Wrong(s)) => {
            c.put(1, y, &cut(&format!("✖ {s}"), w.saturating_sub(2)), Paint::Error);
        }
        None => {
            if let Some(t) = app.explained() {
                c.put(1, y, &cut(&t.line(), w.saturating_sub(2)), Paint::Dim);
            }
        }
    }
    None
}

fn prompt(app: &App, p: &Prompt, c: &mut Canvas<'_>, w: usize, y: usize) -> Option<Position> {
    let (label, input, wrong) = match p {
        Prompt::Filter(_) => ("filter: ", &app.list.input, app.list.wrong.as_deref()),
        Prompt::Search(i) => ("search: ", i, None),
        Prompt::SaveAs(_, i) => ("write to: ", i, None),
    };
    let mut x = 1 + c.put(1, y, label, Paint::Bold);
    let note = match (p, wrong) {
        (_, Some(e)) => format!("✖ {e}"),
        (Prompt::Filter(_), None) => {
            format!("{} of {}", thousands(app.list.view.len() as u64), thousands(app.list.rows.len() as u64))
        }
        _ => String::new(),
    };
    let room = w.saturating_sub(x + 2).min(input.visual_cursor().max(width(input.value())) + 1).max(8);
    let skip = input.visual_scroll(room.saturating_sub(1));
    let shown: String = skip_columns(input.value(), skip);
    let paint = if wrong.is_some() { Paint::Error } else { Paint::Normal };
    c.put(x, y, &cut(&shown, room), paint);
    let at = x + input.visual_cursor().saturating_sub(skip);
    x += room + 1;
    c.put(x, y, &cut(&note, w.saturating_sub(x + 1)), if wrong.is_some() { Paint::Error } else { Paint::Dim });
    (at < w).then(|| Position::new(u16_of(at), u16_of(y)))
}

fn skip_columns(s: &str, n: usize) -> String {
    let mut used = 0;
    s.chars()
        .skip_while(|ch| {
            let skip = used < n;
            used += unicode_width::UnicodeWidthChar::width(*ch).unwrap_or(0);
            skip
        })
        .collect()
}

/// Keys that help here. The last ones stay, whatever the width.
fn keys(app: &App, c: &mut Canvas<'_>, w: usize, y: usize) {
    let list: &[(&str, &str)] = if app.prompt.is_some() {
        match app.prompt {
            Some(Prompt::Filter(_)) => &[
                ("↵", "keep"),
                ("Esc", "as before"),
                ("e.g.", "name:api !is:ok finding:cert ip:10.0.0.0/8 alert:40 /re/"),
            ],
            _ => &[("↵", "go"), ("Esc", "cancel")],
        }
    } else if !app.popups.is_empty() {
        match app.popups.last() {
            Some(Popup::Compare(_)) => &[
                ("Esc", "close"),
                ("↑↓", "scroll"),
                ("↵", "equal ones too"),
                ("Tab", "fields or ladder"),
                ("y", "copy"),
            ],
            _ => &[("Esc", "close"), ("↑↓", "scroll")],
        }
    } else if app.flow.is_some() {
        match app.focus {
            Pane::Ladder => &[
                ("↵", "fields"),
                ("Tab", "pane"),
                ("]", "finding"),
                ("e", "explain"),
                ("/", "search"),
                ("y", "copy"),
                ("w", "write"),
                ("Esc", "back"),
            ],
            Pane::Fields => {
                &[("↵", "fold"), ("Tab", "pane"), ("e", "explain"), ("/", "search"), ("y", "copy"), ("Esc", "back")]
            }
            _ => &[("Tab", "pane"), ("y", "copy"), ("9/0", "resize"), ("Esc", "back")],
        }
    } else if app.groups.is_some() {
        &[
            ("↵", "its flows"),
            ("1-4", "views"),
            ("/", "filter"),
            ("f", "failed only"),
            ("s", "sort"),
            ("e", "explain"),
            ("y", "copy"),
        ]
    } else {
        &[
            ("↵", "open"),
            ("/", "filter"),
            ("1-4", "views"),
            ("f", "failed only"),
            ("]", "finding"),
            ("e", "explain"),
            ("Space", if app.is_live() && app.loading() { "freeze" } else { "mark" }),
            ("s", "sort"),
            ("y", "copy"),
            ("w", "write"),
            ("c", "columns"),
        ]
    };
    let fixed: &[(&str, &str)] = if app.prompt.is_some() { &[] } else { &[("?", "help"), ("q", "quit")] };
    let size = |(k, t): &(&str, &str)| width(k) + width(t) + 3;
    let tail: usize = fixed.iter().map(size).sum();
    let mut x = 1;
    for item in list {
        if x + size(item) + tail <= w + 1 {
            x += one(c, x, y, item);
        }
    }
    for item in fixed {
        x += one(c, x, y, item);
    }
}

fn one(c: &mut Canvas<'_>, x: usize, y: usize, (key, text): &(&str, &str)) -> usize {
    let mut n = c.put(x, y, key, Paint::Key);
    n += c.put(x + n, y, " ", Paint::Normal);
    n += c.put(x + n, y, text, Paint::Dim);
    n + 2
}

//! The keys, from their table, and the words of the filter.

use crate::tui::chrome::{fit, wrap};
use crate::tui::filter;
use crate::tui::keymap::{BINDINGS, Key};
use crate::tui::theme::Paint;

use super::Line;

const KEYS: usize = 18;

/// The help.
pub(crate) fn lines(width: usize) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let mut group = "";
    for b in BINDINGS {
        if b.group != group {
            if !group.is_empty() {
                out.push(Vec::new());
            }
            group = b.group;
            out.push(vec![(group.to_owned(), Paint::Bold)]);
        }
        let keys: Vec<String> = b.keys.iter().map(|k| Key::label(*k)).collect();
        entry(&mut out, &keys.join(" "), b.help, width);
    }
    out.push(Vec::new());
    out.push(vec![("Filter".to_owned(), Paint::Bold)]);
    let rules = [
        ("word", "stands anywhere in the row; several words must all hold"),
        ("!word", "does not hold"),
        ("/re/  name:/re/", "regular expression"),
        ("key:a,b", "either"),
        ("\"a b\"", "spaces and colons as they are"),
    ];
    for (k, text) in rules {
        entry(&mut out, k, text, width);
    }
    for (k, text) in filter::KEYS {
        entry(&mut out, k, text, width);
    }
    out.push(Vec::new());
    out.push(vec![("Marks".to_owned(), Paint::Bold)]);
    for (k, text) in [
        ("✖", "failed, or refused after the handshake"),
        ("▲", "has a warning"),
        ("·", "the capture does not show how it went on"),
        ("✔", "established, nothing found"),
        ("── ══", "in clear, encrypted"),
        ("┄┄", "should have come, and did not"),
        ("◆", "marked"),
        ("⇄", "the same connection was captured elsewhere too"),
    ] {
        entry(&mut out, k, text, width);
    }
    out.push(Vec::new());
    let mouse = "The mouse selects, scrolls, opens what is selected with a second click, and drags the borders between panes. With Shift held the terminal itself selects text.";
    out.extend(wrap(mouse, width).into_iter().map(|l| vec![(l, Paint::Normal)]));
    out
}

fn entry(out: &mut Vec<Line>, key: &str, text: &str, width: usize) {
    for (i, l) in wrap(text, width.saturating_sub(KEYS + 2)).into_iter().enumerate() {
        let key = if i == 0 { key } else { "" };
        out.push(vec![("  ".into(), Paint::Normal), (fit(key, KEYS), Paint::Key), (l, Paint::Normal)]);
    }
}

//! An explanation: headings and paragraphs.

use crate::tui::chrome::{cut, wrap};
use crate::tui::explain::Text;
use crate::tui::theme::Paint;

use super::Line;

/// The text as lines of a width. A line that begins with a space is a command and is not wrapped.
pub(crate) fn lines(text: &Text, width: usize) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    for (heading, body) in &text.paragraphs {
        if !out.is_empty() {
            out.push(Vec::new());
        }
        if !heading.is_empty() {
            out.push(vec![(heading.clone(), Paint::Bold)]);
        }
        let indent = if heading.is_empty() { "" } else { "  " };
        for line in body.split('\n') {
            if line.starts_with(' ') {
                out.push(vec![(cut(&format!("{indent}{line}"), width), Paint::Key)]);
                continue;
            }
            for l in wrap(line, width.saturating_sub(indent.len())) {
                out.push(vec![(format!("{indent}{l}"), Paint::Normal)]);
            }
        }
    }
    out
}

//! Colours and glyphs. A colour never carries a meaning alone: every mark is a character too, every selection has a
//! marker, so that `NO_COLOR`, 16 colours, light and dark backgrounds all show the same.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is, for the choice of its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Plain text.
    Normal,
    /// Beside the point: borders, units, hints.
    Dim,
    /// Headings.
    Bold,
    /// Broken.
    Error,
    /// Doubtful.
    Warning,
    /// In order.
    Good,
    /// Names of keys, of fields.
    Key,
    /// From the client.
    Client,
    /// From the server.
    Server,
    /// The line the keys act on, in the pane that has them.
    Selected,
    /// The chosen line of another pane.
    Chosen,
    /// Bytes of the selected field.
    Lit,
}

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    /// Colours may be used.
    pub(crate) color: bool,
    /// The terminal shows UTF-8.
    pub(crate) unicode: bool,
}

impl Theme {
    /// By the environment: `NO_COLOR`, `TERM`, and the locale.
    pub(crate) fn from_env() -> Self {
        let set = |k: &str| std::env::var_os(k).filter(|v| !v.is_empty());
        let color = set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb");
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        Self { color, unicode: locale.contains("utf-8") || locale.contains("utf8") }
    }

    /// The style of a text. Only the 16 colours that every terminal maps to its own palette, and no background, so that
    /// light and dark terminals both stay readable.
    pub(crate) fn style(self, paint: Paint) -> Style {
        let plain = Style::new();
        let fg = |c: Color| if self.color { plain.fg(c) } else { plain };
        match paint {
            Paint::Normal => plain,
            Paint::Dim => plain.add_modifier(Modifier::DIM),
            Paint::Bold => plain.add_modifier(Modifier::BOLD),
            Paint::Error => fg(Color::Red).add_modifier(Modifier::BOLD),
            Paint::Warning => fg(Color::Yellow).add_modifier(Modifier::BOLD),
            Paint::Good => fg(Color::Green),
            Paint::Key => fg(Color::Cyan),
            Paint::Client => fg(Color::Cyan),
            Paint::Server => fg(Color::Magenta),
            Paint::Selected => plain.add_modifier(Modifier::REVERSED),
            Paint::Chosen => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Paint::Lit => plain.add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }

    /// The last step of drawing: without UTF-8, every character outside ASCII is replaced by one that says the same.
    /// Here and nowhere else, so that no pane can forget it.
    pub(crate) fn finish(self, buf: &mut Buffer) {
        if self.unicode {
            return;
        }
        let area = buf.area;
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = buf.cell_mut((x, y))
                    && !cell.symbol().is_ascii()
                {
                    let c = cell.symbol().chars().next().map_or('?', ascii);
                    cell.set_char(c);
                }
            }
        }
    }
}

fn ascii(c: char) -> char {
    match c {
        '─' | '┄' | '–' | '—' | '┈' => '-',
        '═' => '=',
        '│' | '┊' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' => '+',
        '▶' | '▷' | '▸' | '→' | '›' => '>',
        '◀' | '◁' | '←' => '<',
        '▾' => 'v',
        '✖' => 'x',
        '▲' => '!',
        '✔' => '+',
        '·' | '•' => '.',
        '…' => '~',
        '█' => '#',
        '░' => '.',
        '↑' => '^',
        '↓' => 'v',
        '↵' => '/',
        'Δ' => 'd',
        '⇄' => '=',
        '◆' => '*',
        '×' => 'x',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn without_utf8_nothing_but_ascii_is_left() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        buf.set_string(0, 0, "┌─✖ é漢…═▶│", Style::new());
        Theme { color: false, unicode: false }.finish(&mut buf);
        assert!(buf.content().iter().all(|c| c.symbol().is_ascii()));
        assert_eq!(buf.content()[0].symbol(), "+");
    }
}

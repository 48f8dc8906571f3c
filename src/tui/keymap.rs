//! Keys as data: what each does, and what the help and the footer say of it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::groups::View;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Toggle,
    Back,
    NextPane,
    PrevPane,
    Filter,
    NextMatch,
    PrevMatch,
    NextFinding,
    PrevFinding,
    Sort,
    SortReverse,
    FailedOnly,
    Explain,
    Copy,
    CopyLadder,
    Save,
    Columns,
    View(View),
    Compare,
    Times,
    Mark,
    Smaller,
    Larger,
    Redraw,
    Help,
    Quit,
    Suspend,
}

/// A key with its modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A character, as typed (upper case with Shift).
    Char(char),
    /// Control and a letter.
    Ctrl(char),
    /// A key without a character.
    Code(KeyCode),
}

impl Key {
    fn matches(self, e: &KeyEvent) -> bool {
        let ctrl = e.modifiers.contains(KeyModifiers::CONTROL);
        match self {
            Self::Char(c) => !ctrl && !e.modifiers.contains(KeyModifiers::ALT) && e.code == KeyCode::Char(c),
            Self::Ctrl(c) => ctrl && e.code == KeyCode::Char(c),
            Self::Code(code) => e.code == code,
        }
    }

    /// As the help writes it.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Char(' ') => "Space".into(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("^{}", c.to_ascii_uppercase()),
            Self::Code(code) => match code {
                KeyCode::Up => "↑".into(),
                KeyCode::Down => "↓".into(),
                KeyCode::Left => "←".into(),
                KeyCode::Right => "→".into(),
                KeyCode::PageUp => "PgUp".into(),
                KeyCode::PageDown => "PgDn".into(),
                KeyCode::BackTab => "Shift-Tab".into(),
                KeyCode::Esc => "Esc".into(),
                KeyCode::Enter => "Enter".into(),
                KeyCode::Backspace => "Backspace".into(),
                KeyCode::F(n) => format!("F{n}"),
                other => format!("{other:?}"),
            },
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// The keys that do it.
    pub(crate) keys: &'static [Key],
    /// What they do.
    pub(crate) action: Action,
    /// The heading it stands under in the help.
    pub(crate) group: &'static str,
    /// What the help says.
    pub(crate) help: &'static str,
}

const fn binding(keys: &'static [Key], action: Action, group: &'static str, help: &'static str) -> Binding {
    Binding { keys, action, group, help }
}

use Key::{Char, Code, Ctrl};

const MOVE: &str = "Move";
const VIEWS: &str = "Views";
const FIND: &str = "Find";
const LOOK: &str = "Look closer";
const PROGRAM: &str = "Program";

/// All keys. The first binding that fits counts.
pub(crate) const BINDINGS: &[Binding] = &[
    binding(&[Code(KeyCode::Up), Char('k')], Action::Up, MOVE, "line up"),
    binding(&[Code(KeyCode::Down), Char('j')], Action::Down, MOVE, "line down"),
    binding(&[Code(KeyCode::Left), Char('h')], Action::Left, MOVE, "fold; to the pane on the left; back to the list"),
    binding(&[Code(KeyCode::Right), Char('l')], Action::Right, MOVE, "unfold; to the pane on the right; open"),
    binding(&[Code(KeyCode::PageUp), Ctrl('b')], Action::PageUp, MOVE, "page up"),
    binding(&[Code(KeyCode::PageDown), Ctrl('f')], Action::PageDown, MOVE, "page down"),
    binding(&[Char('g'), Code(KeyCode::Home)], Action::Top, MOVE, "first line"),
    binding(&[Char('G'), Code(KeyCode::End)], Action::Bottom, MOVE, "last line; in a live list, go on with the newest"),
    binding(&[Code(KeyCode::Enter)], Action::Open, MOVE, "open the flow; go into its message; fold or unfold a field"),
    binding(
        &[Char(' ')],
        Action::Toggle,
        MOVE,
        "mark a flow, the second mark compares; freeze a live list (m marks); fold or unfold a field; tick a column",
    ),
    binding(&[Code(KeyCode::Esc), Code(KeyCode::Backspace)], Action::Back, MOVE, "back; close; clear the filter"),
    binding(&[Code(KeyCode::Tab)], Action::NextPane, MOVE, "next pane"),
    binding(&[Code(KeyCode::BackTab)], Action::PrevPane, MOVE, "previous pane"),
    binding(&[Char('1')], Action::View(View::Flows), VIEWS, "the flows"),
    binding(&[Char('2')], Action::View(View::Servers), VIEWS, "the servers; Enter leads to the flows of one"),
    binding(
        &[Char('3')],
        Action::View(View::Certificates),
        VIEWS,
        "the certificates seen in clear, the next to end first",
    ),
    binding(&[Char('4')], Action::View(View::Findings), VIEWS, "the findings, and how many flows have each"),
    binding(&[Char('/')], Action::Filter, FIND, "filter the flows as you type; search in the other panes"),
    binding(&[Char('n')], Action::NextMatch, FIND, "next match"),
    binding(&[Char('N')], Action::PrevMatch, FIND, "previous match"),
    binding(&[Char(']')], Action::NextFinding, FIND, "next finding"),
    binding(&[Char('[')], Action::PrevFinding, FIND, "previous finding"),
    binding(&[Char('f')], Action::FailedOnly, FIND, "only the failed flows, and all again"),
    binding(&[Char('s')], Action::Sort, FIND, "sort by the next column"),
    binding(&[Char('S')], Action::SortReverse, FIND, "sort the other way round"),
    binding(&[Char('e')], Action::Explain, LOOK, "explain what the cursor is on"),
    binding(&[Char('y')], Action::Copy, LOOK, "copy what the cursor is on (needs a terminal with OSC 52)"),
    binding(&[Char('Y')], Action::CopyLadder, LOOK, "copy the whole ladder of the flow as text, for a ticket"),
    binding(&[Char('w')], Action::Save, LOOK, "write flows to a file: their packets, or a report; also redacted"),
    binding(&[Char('c')], Action::Columns, LOOK, "choose the columns"),
    binding(
        &[Char('=')],
        Action::Compare,
        LOOK,
        "compare the marked flows, or a failed flow with one that its server accepted",
    ),
    binding(&[Char('t')], Action::Times, LOOK, "times since the first packet, since the step before, of day"),
    binding(
        &[Char('m')],
        Action::Mark,
        LOOK,
        "mark the flow; in a ladder count the times from this step, and no longer",
    ),
    binding(&[Char('9')], Action::Smaller, LOOK, "make the first pane smaller"),
    binding(&[Char('0')], Action::Larger, LOOK, "make the first pane larger"),
    binding(&[Ctrl('l')], Action::Redraw, PROGRAM, "draw the screen again"),
    binding(&[Char('?'), Code(KeyCode::F(1))], Action::Help, PROGRAM, "these keys"),
    binding(&[Ctrl('z')], Action::Suspend, PROGRAM, "suspend (fg comes back)"),
    binding(&[Char('q'), Ctrl('c')], Action::Quit, PROGRAM, "quit"),
];

/// What a key event does.
pub(crate) fn action(e: &KeyEvent) -> Option<Action> {
    BINDINGS.iter().find(|b| b.keys.iter().any(|k| k.matches(e))).map(|b| b.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_for_two_things() {
        let all: Vec<Key> = BINDINGS.iter().flat_map(|b| b.keys).copied().collect();
        for (i, k) in all.iter().enumerate() {
            assert!(!all[i + 1..].contains(k), "{k:?} twice");
        }
    }

    #[test]
    fn every_action_has_one_line_of_help() {
        for (i, b) in BINDINGS.iter().enumerate() {
            assert!(!b.help.is_empty() && !b.keys.is_empty());
            assert!(!BINDINGS[i + 1..].iter().any(|o| o.action == b.action), "{:?}", b.action);
        }
    }

    #[test]
    fn shifted_keys_arrive_as_capitals() {
        let e = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(action(&e), Some(Action::Bottom));
        assert_eq!(action(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::Quit));
        assert_eq!(action(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::NONE)), Some(Action::Columns));
    }
}

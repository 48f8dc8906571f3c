//! Writing to a file: which flows, in what form, with or without their addresses and names.

use std::path::PathBuf;

use tui_input::Input;

use crate::analyzer::FlowRef;
use crate::text::count;
use crate::tui::app::{App, Effect, Prompt};
use crate::tui::keymap::Action;
use crate::tui::row::Row;
use crate::tui::saver::{Form, Job};
use crate::tui::theme::Paint;
use crate::tui::update::moved;

use super::Line;

/// Which flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The one on the screen, or under the cursor.
    This,
    Marked,
    /// Those that pass the filter.
    Shown,
    All,
}

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) scope: Scope,
    pub(crate) form: Form,
    pub(crate) redact: bool,
}

/// The popup: what is chosen, and on which line the cursor is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialog {
    pub(crate) choice: Choice,
    pub(crate) cursor: usize,
}

/// Lines that can be chosen on, and all lines.
const LINES: usize = 3;
pub(crate) const HEIGHT: usize = 5;

impl Dialog {
    /// One flow's packets at first: what a colleague needs.
    pub(crate) fn new(app: &App) -> Self {
        let scope = if this(app).is_some() { Scope::This } else { Scope::All };
        Self { choice: Choice { scope, form: Form::Pcapng, redact: false }, cursor: 0 }
    }
}

fn this(app: &App) -> Option<&Row> {
    app.flow.as_ref().map_or_else(|| app.list.selected(), |f| Some(&f.row))
}

/// The scopes that hold any flow, with what they are called.
fn scopes(app: &App) -> Vec<(Scope, String)> {
    let mut out = Vec::new();
    if let Some(r) = this(app) {
        out.push((Scope::This, format!("flow {}", r.id)));
    }
    if !app.marked.is_empty() {
        out.push((Scope::Marked, format!("the {}", count(app.marked.len() as u64, "marked flow"))));
    }
    if app.list.view.len() != app.list.rows.len() && !app.list.view.is_empty() {
        out.push((Scope::Shown, format!("the {} that pass the filter", count(app.list.view.len() as u64, "flow"))));
    }
    out.push((Scope::All, format!("all {}", count(app.list.rows.len() as u64, "flow"))));
    out
}

/// The dialog as lines.
pub(crate) fn lines(app: &App, d: &Dialog) -> Vec<Line> {
    let c = d.choice;
    let scope = scopes(app).into_iter().find(|(s, _)| *s == c.scope).map_or_else(String::new, |(_, t)| t);
    let (form, about, _) = c.form.words();
    let line = |name: &str, value: String, more: &str| -> Line {
        vec![
            (format!("{name:<8}"), Paint::Key),
            (format!("◀ {value} ▶"), Paint::Normal),
            (format!("  {more}"), Paint::Dim),
        ]
    };
    let redact = if c.redact { "yes" } else { "no" };
    vec![
        line("flows", scope, ""),
        line("form", form.to_owned(), about),
        line("redact", redact.to_owned(), "other addresses and names in their place"),
        Vec::new(),
        vec![(hint(c).to_owned(), if is_possible(c) { Paint::Dim } else { Paint::Warning })],
    ]
}

/// Packets carry their names inside TLS: with others in their place lengths and hashes would be wrong.
fn is_possible(c: Choice) -> bool {
    !(c.redact && c.form == Form::Pcapng)
}

fn hint(c: Choice) -> &'static str {
    if is_possible(c) {
        "← → change it, Enter asks for the name of the file"
    } else {
        "▲ packets cannot be redacted: choose a report"
    }
}

/// A key; gives the dialog back unless it is done with.
pub(crate) fn key(app: &mut App, mut d: Dialog, action: Action) -> Option<Dialog> {
    if let Some(to) = moved(action, d.cursor, 1, LINES) {
        d.cursor = to;
        return Some(d);
    }
    let forward = match action {
        Action::Open if is_possible(d.choice) => {
            ask(app, d.choice);
            return None;
        }
        Action::Left => false,
        Action::Right | Action::Toggle | Action::NextPane => true,
        _ => return Some(d),
    };
    let c = &mut d.choice;
    match d.cursor {
        0 => {
            let all: Vec<Scope> = scopes(app).into_iter().map(|(s, _)| s).collect();
            c.scope = next(&all, c.scope, forward);
        }
        1 => c.form = next(&Form::all(), c.form, forward),
        _ => c.redact = !c.redact,
    }
    Some(d)
}

fn next<T: Copy + PartialEq>(all: &[T], now: T, forward: bool) -> T {
    let n = all.len().max(1);
    let at = all.iter().position(|x| *x == now).unwrap_or(0);
    let to = if forward { (at + 1) % n } else { (at + n - 1) % n };
    all.get(to).copied().unwrap_or(now)
}

/// Asks for the name of the file.
fn ask(app: &mut App, c: Choice) {
    let (_, _, ending) = c.form.words();
    let name = match (c.scope, this(app)) {
        (Scope::This, Some(r)) => format!("tlscope-flow-{}.{ending}", r.id),
        _ => format!("tlscope-flows.{ending}"),
    };
    app.prompt = Some(Prompt::SaveAs(c, Input::new(name)));
}

/// The name is given: has it written.
pub(crate) fn write(app: &mut App, c: Choice, path: &str) {
    let refs = |ids: &mut dyn Iterator<Item = &Row>| -> Vec<FlowRef> { ids.map(Row::flow_ref).collect() };
    let flows = match c.scope {
        Scope::All => None,
        Scope::This => Some(refs(&mut this(app).into_iter())),
        Scope::Marked => Some(refs(&mut app.list.rows.iter().filter(|r| app.marked.contains(&r.id)))),
        Scope::Shown => Some(refs(&mut (0..app.list.view.len()).filter_map(|p| app.list.at(p)))),
    };
    app.say("writing …".into());
    app.saving = true;
    app.effects.push(Effect::Save(Job { flows, form: c.form, redact: c.redact, path: PathBuf::from(path) }));
}

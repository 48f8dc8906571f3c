//! The views above the flows: how one comes to them, what keys do there, and the way down to the flows.

use tui_input::Input;

use super::app::{App, Effect, Pane};
use super::explain::{self, Text};
use super::groups::{Group, Groups, Key, View};
use super::keymap::Action;
use super::row::Mark;
use super::update::moved;

/// The view that the flows were narrowed from, and the filter that held there.
#[derive(Debug)]
pub(crate) struct Narrowed {
    groups: Groups,
    filter: String,
}

impl App {
    /// What the first pane lists.
    pub(crate) fn view(&self) -> View {
        self.groups.as_ref().map_or(View::Flows, |g| g.view)
    }

    /// Lines that the first pane has.
    pub(crate) fn entries(&self) -> usize {
        self.groups.as_ref().map_or(self.list.rows.len(), Groups::len)
    }

    /// The group under the cursor.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.groups.as_ref()?.selected()
    }

    /// Goes to a view, from wherever.
    pub(super) fn show_view(&mut self, view: View) {
        if self.flow.take().is_some() {
            self.effects.push(Effect::Forget);
        }
        self.focus = Pane::Flows;
        self.why_top = 0;
        self.narrowed = None;
        if self.view() != view {
            self.groups = (view != View::Flows).then(|| Groups::new(view));
        }
    }

    /// A key in a view that is not the flows.
    pub(super) fn group_key(&mut self, action: Action, page: usize) {
        let Some(g) = self.groups.as_mut() else { return };
        let before = g.cursor;
        match action {
            Action::Open | Action::Right => return self.narrow(),
            Action::Sort => {
                let next = (g.sort + 1) % g.columns().len().max(1);
                g.sort_by(next, false);
            }
            Action::SortReverse => {
                let (sort, reverse) = (g.sort, !g.reverse);
                g.sort_by(sort, reverse);
            }
            Action::NextMatch | Action::PrevMatch => {
                let n = g.len().max(1);
                g.move_to(if action == Action::NextMatch { (g.cursor + 1) % n } else { (g.cursor + n - 1) % n });
            }
            Action::NextFinding | Action::PrevFinding => {
                let n = g.len();
                let forward = action == Action::NextFinding;
                let at = |d: usize| if forward { (g.cursor + d) % n } else { (g.cursor + n - d) % n };
                let bad = |p: &usize| g.at(*p).is_some_and(|x| matches!(x.mark(), Mark::Failed | Mark::Warning));
                match (1..=n).map(at).find(bad) {
                    Some(p) => g.move_to(p),
                    None => return self.say("nothing here has a finding".into()),
                }
            }
            _ => {
                if let Some(to) = moved(action, g.cursor, page, g.len()) {
                    g.move_to(to);
                }
            }
        }
        if self.groups.as_ref().is_some_and(|g| g.cursor != before) {
            self.why_top = 0;
        }
    }

    /// From a group to its flows.
    pub(super) fn narrow(&mut self) {
        let Some(filter) = self.group().map(Group::filter) else { return };
        let Some(groups) = self.groups.take() else { return };
        let before = self.list.input.value().to_owned();
        let narrower = if before.trim().is_empty() { filter } else { format!("{before} {filter}") };
        self.narrowed = Some(Narrowed { groups, filter: before });
        self.set_filter(narrower);
    }

    /// Back to the view that the flows were narrowed from; false when they were not.
    pub(super) fn widen(&mut self) -> bool {
        let Some(n) = self.narrowed.take() else { return false };
        self.set_filter(n.filter);
        self.groups = Some(n.groups);
        true
    }

    fn set_filter(&mut self, text: String) {
        self.list.input = Input::new(text);
        self.list.typed();
        self.why_top = 0;
    }

    /// What the group under the cursor is.
    pub(super) fn explain_group(&self) -> Option<Text> {
        let g = self.group()?;
        let example = self.list.rows.get(g.example as usize)?;
        Some(match &g.key {
            Key::Finding(_) => explain::row_finding(g.finding(example)?),
            Key::Server(_) | Key::Certificate(_) => super::about::text(g),
        })
    }
}

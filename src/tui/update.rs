//! What keys and the mouse do.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::{Input, InputRequest};

use crate::diagnose::Severity;

use super::app::{App, Effect, Message, Pane, Popup, Prompt};
use super::explain;
use super::flow_view::{FlowView, Opening, node_text};
use super::keymap::{self, Action};
use super::list::Column;
use super::popup;
use super::row::Mark;
use super::times::Times;
use crate::ladder::{Kind, as_text};

/// Columns of the arrows of a ladder that is copied.
const LADDER: usize = 100;

impl App {
    /// Takes an event of the terminal.
    #[cfg(test)]
    pub(crate) fn event(&mut self, e: Event) {
        self.take(e);
        self.settle();
    }

    /// Takes one of several events; [`App::settle`] must follow before anything is drawn.
    pub(crate) fn take(&mut self, e: Event) {
        match e {
            Event::Key(k) if k.kind != KeyEventKind::Release => {
                self.message = None;
                self.key(k);
            }
            Event::Mouse(m) => self.mouse(m),
            Event::Resize(w, h) => self.size = (w, h),
            Event::Paste(s) => self.paste(&s),
            _ => {}
        }
    }

    fn key(&mut self, k: KeyEvent) {
        let types = self.prompt.is_some() && matches!(k.code, KeyCode::Char(_) | KeyCode::Backspace);
        if !types {
            self.settle();
        }
        if self.prompt.is_some() {
            if k.modifiers.contains(KeyModifiers::CONTROL) && k.code == KeyCode::Char('c') {
                self.quit = true;
            }
            return self.prompt_key(k);
        }
        let Some(action) = keymap::action(&k) else { return };
        match action {
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Redraw => self.effects.push(Effect::Redraw),
            _ if !self.popups.is_empty() => popup::key(self, action),
            Action::Quit => self.ask_to_quit(),
            Action::Help => self.popups.push(Popup::Help { top: 0 }),
            Action::Columns => self.popups.push(Popup::Columns { cursor: 0 }),
            Action::Save => self.popups.push(Popup::Save(popup::save::Dialog::new(self))),
            Action::Explain => {
                if let Some(text) = self.explained() {
                    self.popups.push(Popup::Text { text, top: 0 });
                }
            }
            Action::Copy => self.copy(),
            Action::CopyLadder => {
                let text = self.open().map(|o| as_text(&o.detail.report, &o.rungs, LADDER));
                self.copied(text);
            }
            Action::Filter => self.begin_prompt(),
            Action::Smaller => self.resize(false),
            Action::Larger => self.resize(true),
            Action::View(v) => self.show_view(v),
            Action::Compare => match popup::compare::offered(self) {
                Some((a, b)) => popup::compare::open(self, a, b),
                None => self.say("mark two flows with Space to compare them".into()),
            },
            Action::Times => self.turn_times(),
            Action::Mark => self.mark_step(),
            Action::NextPane => self.turn(true),
            Action::PrevPane => self.turn(false),
            _ if self.flow.is_some() => self.flow_key(action),
            _ => self.list_key(action),
        }
    }

    // ---- the list ---------------------------------------------------------------------------------------------------

    pub(super) fn list_key(&mut self, action: Action) {
        let page = self.inside(Pane::Flows).saturating_sub(1).max(1);
        if self.focus == Pane::Why {
            let end = self.why_lines().len();
            let page = self.inside(Pane::Why).saturating_sub(1).max(1);
            if let Some(to) = moved(action, self.why_top, page, end) {
                self.why_top = to;
                return;
            }
        }
        if self.groups.is_some() && !matches!(action, Action::Back | Action::FailedOnly) {
            return self.group_key(action, page);
        }
        let flowing = self.is_live() && self.loading();
        let l = &mut self.list;
        let before = l.cursor;
        match action {
            Action::Open | Action::Right => return self.open_flow(),
            Action::Back => return self.list_back(),
            Action::Toggle if flowing => return self.freeze(),
            Action::Bottom if flowing => l.follow(),
            Action::Toggle | Action::Mark => return popup::compare::mark(self),
            Action::FailedOnly => {
                l.failed_only = !l.failed_only;
                l.refresh();
            }
            Action::Sort => {
                let at = l.columns.iter().position(|c| *c == l.sort).map_or(0, |p| p + 1);
                let next = l.columns.get(at).or(l.columns.first()).copied().unwrap_or(Column::Number);
                l.sort_by(next, false);
                self.say(format!("sorted by {}", next.title()));
            }
            Action::SortReverse => {
                let (sort, reverse) = (l.sort, !l.reverse);
                l.sort_by(sort, reverse);
                self.say(format!("sorted by {}{}", sort.title(), if reverse { ", the other way round" } else { "" }));
            }
            Action::NextMatch | Action::PrevMatch => {
                if l.filter.is_empty() && !l.failed_only {
                    return self.say("nothing to look for: press / first".into());
                }
                if let Some(p) = l.find(action == Action::NextMatch, |_| true) {
                    l.move_to(p);
                }
            }
            Action::NextFinding | Action::PrevFinding => {
                let bad = |r: &super::row::Row| {
                    r.mark() == Mark::Failed || r.findings.iter().any(|f| f.severity >= Severity::Warning)
                };
                match l.find(action == Action::NextFinding, bad) {
                    Some(p) => l.move_to(p),
                    None => return self.say("no flow here has a finding".into()),
                }
            }
            _ => {
                let end = l.view.len();
                if let Some(to) = moved(action, l.cursor, page, end) {
                    l.move_to(to);
                }
            }
        }
        if self.list.cursor != before {
            self.why_top = 0;
        }
    }

    /// Back: out of a pane, of a group, of a filter, of a view; the first of them that holds.
    fn list_back(&mut self) {
        if self.focus == Pane::Why {
            self.focus = Pane::Flows;
            return;
        }
        if self.widen() {
            return;
        }
        let l = &mut self.list;
        if !l.input.value().is_empty() {
            l.input = Input::default();
            l.typed();
        } else if l.failed_only {
            l.failed_only = false;
            l.refresh();
        } else {
            self.groups = None;
        }
    }

    pub(super) fn open_flow(&mut self) {
        let Some(row) = self.list.selected() else { return };
        let row = row.clone();
        self.effects.push(Effect::Open(row.id));
        self.flow = Some(FlowView { row, state: Opening::Reading });
        self.focus = Pane::Ladder;
    }

    fn close_flow(&mut self) {
        self.effects.push(Effect::Forget);
        self.flow = None;
        self.focus = Pane::Flows;
    }

    // ---- one flow ---------------------------------------------------------------------------------------------------

    pub(super) fn flow_key(&mut self, action: Action) {
        let focus = self.focus;
        let page = self.inside(focus).saturating_sub(1).max(1);
        let per = self.bytes_per_line();
        if action == Action::Back || (action == Action::Left && focus == Pane::Ladder) {
            if focus == Pane::Ladder {
                self.close_flow();
            } else {
                self.focus = Pane::Ladder;
            }
            return;
        }
        if matches!(action, Action::NextMatch | Action::PrevMatch) {
            return self.search_on(action == Action::NextMatch);
        }
        let Some(o) = self.open_mut() else { return };
        if matches!(action, Action::NextFinding | Action::PrevFinding) {
            let n = o.rungs.len();
            let forward = action == Action::NextFinding;
            let is = |p: &usize| o.rungs.get(*p).is_some_and(|r| matches!(r.kind, Kind::Finding(_)));
            let found = (1..=n).map(|d| if forward { (o.cursor + d) % n } else { (o.cursor + n - d) % n }).find(is);
            match found {
                Some(p) => o.select(p),
                None => self.say("this flow has no findings".into()),
            }
            return;
        }
        match focus {
            Pane::Fields => match action {
                Action::Left if o.nodes.get(o.field).is_some_and(|n| n.parent) && !o.is_folded(o.field) => {
                    o.fold(o.field, true);
                }
                Action::Left => match o.parent_of(o.field) {
                    Some(p) => o.choose(p),
                    None => self.focus = Pane::Ladder,
                },
                Action::Right if o.is_folded(o.field) => o.fold(o.field, false),
                Action::Right => self.focus = Pane::Bytes,
                Action::Open | Action::Toggle => {
                    let folded = o.is_folded(o.field);
                    o.fold(o.field, !folded);
                }
                _ => {
                    let visible = o.visible();
                    let at = visible.iter().position(|i| *i == o.field).unwrap_or(0);
                    if let Some(to) = moved(action, at, page, visible.len())
                        && let Some(i) = visible.get(to)
                    {
                        o.choose(*i);
                    }
                }
            },
            Pane::Bytes => match action {
                Action::Left => self.focus = Pane::Fields,
                _ => {
                    let end = o.hex(per).len();
                    if let Some(to) = moved(action, o.bytes_top, page, end) {
                        o.bytes_top = to;
                    }
                }
            },
            _ => match action {
                Action::Open | Action::Right => self.focus = Pane::Fields,
                _ => {
                    if let Some(to) = moved(action, o.cursor, page, o.rungs.len()) {
                        o.select(to);
                    }
                }
            },
        }
    }

    /// The next place in the pane where the search text stands.
    fn search_on(&mut self, forward: bool) {
        if self.search.is_empty() {
            return self.say("nothing to look for: press / first".into());
        }
        let needle = self.search.to_lowercase();
        let focus = self.focus;
        let Some(o) = self.open_mut() else { return };
        let found = if focus == Pane::Ladder {
            let n = o.rungs.len();
            (1..=n)
                .map(|d| if forward { (o.cursor + d) % n } else { (o.cursor + n - d) % n })
                .find(|p| o.rung_text(*p).to_lowercase().contains(&needle))
        } else {
            let n = o.nodes.len();
            (1..=n)
                .map(|d| if forward { (o.field + d) % n } else { (o.field + n - d) % n })
                .find(|p| o.nodes.get(*p).is_some_and(|x| node_text(x).to_lowercase().contains(&needle)))
        };
        match found {
            Some(p) if focus == Pane::Ladder => o.select(p),
            Some(p) => o.choose(p),
            None => {
                let text = format!("{} is not here", self.search);
                self.message = Some(Message::Wrong(text));
            }
        }
    }

    // ---- prompts ----------------------------------------------------------------------------------------------------

    fn begin_prompt(&mut self) {
        if self.flow.is_some() {
            self.prompt = Some(Prompt::Search(Input::default()));
        } else {
            self.focus = Pane::Flows;
            self.prompt = Some(Prompt::Filter(self.list.input.value().to_owned()));
        }
    }

    fn paste(&mut self, s: &str) {
        for c in s.chars().filter(|c| !c.is_control()).take(1000) {
            if self.prompt.is_some() {
                self.prompt_request(InputRequest::InsertChar(c));
            }
        }
    }

    fn prompt_key(&mut self, k: KeyEvent) {
        let ctrl = k.modifiers.contains(KeyModifiers::CONTROL);
        let request = match k.code {
            KeyCode::Enter => return self.accept(),
            KeyCode::Esc => return self.cancel(),
            KeyCode::Char('c') if ctrl => return,
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
                if let (Some(Prompt::Filter(_)), Some(a)) = (&self.prompt, keymap::action(&k)) {
                    self.list_key(a);
                }
                return;
            }
            KeyCode::Char('a') if ctrl => InputRequest::GoToStart,
            KeyCode::Char('e') if ctrl => InputRequest::GoToEnd,
            KeyCode::Char('u') if ctrl => InputRequest::DeleteLine,
            KeyCode::Char('w') if ctrl => InputRequest::DeletePrevWord,
            KeyCode::Char('k') if ctrl => InputRequest::DeleteTillEnd,
            KeyCode::Char(c) if !ctrl => InputRequest::InsertChar(c),
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            _ => return,
        };
        self.prompt_request(request);
    }

    fn prompt_request(&mut self, request: InputRequest) {
        match &mut self.prompt {
            Some(Prompt::Filter(_)) => {
                let before = self.list.input.value().to_owned();
                self.list.input.handle(request);
                if self.list.input.value() != before {
                    self.list.typed();
                    self.why_top = 0;
                }
            }
            Some(Prompt::Search(i) | Prompt::SaveAs(_, i)) => {
                i.handle(request);
            }
            None => {}
        }
    }

    fn accept(&mut self) {
        match self.prompt.take() {
            // A filter that is not understood stays to be mended.
            Some(Prompt::Filter(before)) if self.list.wrong.is_some() => self.prompt = Some(Prompt::Filter(before)),
            Some(Prompt::Filter(_)) => {}
            Some(Prompt::Search(i)) => {
                self.search = i.value().to_owned();
                if !self.search.is_empty() {
                    self.search_on(true);
                }
            }
            Some(Prompt::SaveAs(choice, i)) => popup::save::write(self, choice, i.value()),
            None => {}
        }
    }

    fn cancel(&mut self) {
        if let Some(Prompt::Filter(before)) = self.prompt.take() {
            self.list.input = Input::new(before);
            self.list.typed();
        }
    }

    // ---- the rest ---------------------------------------------------------------------------------------------------

    pub(crate) fn say(&mut self, s: String) {
        self.message = Some(Message::Info(s));
    }

    fn turn(&mut self, forward: bool) {
        const LIST: &[Pane] = &[Pane::Flows, Pane::Why];
        const FLOW: &[Pane] = &[Pane::Ladder, Pane::Fields, Pane::Bytes];
        let ring = if self.flow.is_some() { FLOW } else { LIST };
        let at = ring.iter().position(|p| *p == self.focus).unwrap_or(0);
        let n = ring.len();
        let to = if forward { (at + 1) % n } else { (at + n - 1) % n };
        self.focus = ring.get(to).copied().unwrap_or(self.focus);
    }

    fn resize(&mut self, larger: bool) {
        let step = |v: u16, by: u16, up: bool| if up { v.saturating_add(by) } else { v.saturating_sub(by) };
        match self.focus {
            Pane::Flows | Pane::Why => {
                let max = self.body().height.saturating_sub(5).max(3);
                self.why_height = self.place(Pane::Why).map_or(self.why_height, |r| r.height);
                self.why_by_hand = true;
                self.why_height = step(self.why_height.clamp(3, max), 1, !larger).clamp(3, max);
            }
            Pane::Ladder => self.ladder_share = step(self.ladder_share, 3, larger).clamp(20, 80),
            Pane::Fields | Pane::Bytes => self.fields_share = step(self.fields_share, 5, larger).clamp(15, 85),
        }
    }

    fn turn_times(&mut self) {
        self.times = self.times.next();
        let marked = self.open().is_some_and(|o| o.mark.is_some());
        self.say(format!("times: {}", self.times.name(marked)));
    }

    /// Times are counted from the step under the cursor; on the marked step itself, no longer.
    fn mark_step(&mut self) {
        let Some(o) = self.open_mut() else { return self.say("a mark is set in the ladder of a flow".into()) };
        if o.mark == Some(o.cursor) {
            o.mark = None;
        } else if o.rung().is_some_and(|r| r.time.is_some()) {
            o.mark = Some(o.cursor);
            self.times = Times::First;
        } else {
            self.say("this line has no time: set the mark on an arrow".into());
        }
    }

    /// Only what would be lost is asked about.
    fn ask_to_quit(&mut self) {
        if std::mem::take(&mut self.saving) {
            self.say("a file is still being written: once more gives it up and quits".into());
        } else {
            self.quit = true;
        }
    }

    fn copy(&mut self) {
        let text = match (self.focus, self.open()) {
            (Pane::Ladder, Some(o)) => Some(o.rung_text(o.cursor)),
            (Pane::Fields, Some(o)) => o.field_text(),
            (Pane::Bytes, Some(o)) => o.field_hex(),
            _ if self.groups.is_some() => self.explain_group().map(|t| t.whole()),
            _ => self.list.selected().map(|r| {
                let mut t = format!(
                    "{} -> {} {}: {}",
                    super::row::endpoint(r.end(crate::span::Role::Client)),
                    super::row::endpoint(r.end(crate::span::Role::Server)),
                    r.name.as_deref().unwrap_or(""),
                    r.result()
                );
                for f in &r.findings {
                    let at = explain::join(&f.frames);
                    t.push_str(&format!(
                        "\n{} ({}): {} {} {}",
                        f.code,
                        f.confidence.name(),
                        f.title,
                        f.detail,
                        f.remedy
                    ));
                    if !at.is_empty() {
                        t.push_str(&format!(" [frames {at}]"));
                    }
                }
                t
            }),
        };
        self.copied(text);
    }

    fn copied(&mut self, text: Option<String>) {
        match text.filter(|t| !t.is_empty()) {
            Some(t) => {
                self.say(format!("copied {} characters, if the terminal allows it (OSC 52)", t.chars().count()));
                self.effects.push(Effect::Copy(t));
            }
            None => self.say("there is nothing to copy here".into()),
        }
    }
}

/// Where a movement leads in a list of `n`; `None` for what is no movement.
pub(crate) fn moved(action: Action, at: usize, page: usize, n: usize) -> Option<usize> {
    let last = n.saturating_sub(1);
    Some(match action {
        Action::Up => at.saturating_sub(1),
        Action::Down => (at + 1).min(last),
        Action::PageUp => at.saturating_sub(page),
        Action::PageDown => (at + page).min(last),
        Action::Top => 0,
        Action::Bottom => last,
        _ => return None,
    })
}

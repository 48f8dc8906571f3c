//! The state of the screen. Nothing here knows a terminal: keys and news come in as values, drawing goes to a buffer.

use ratatui::layout::{Position, Rect};
use tui_input::Input;

use crate::analyzer::FlowRef;
use crate::limits;

use super::explain::{self, Text};
use super::flow_view::{FlowView, Open, Opening};
use super::groups::Groups;
use super::list::List;
use super::popup::compare::{self, Compared};
use super::popup::save::{Choice, Dialog};
use super::row::Row;
use super::saver::Job;
use super::theme::Theme;
use super::times::Times;
use super::views::Narrowed;
use super::worker::{End, News, Progress};

/// Below this width the panes of a flow become one.
const WIDE: u16 = 100;

/// Below this height the list and its Why pane become one.
const TALL: u16 = 14;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Flows,
    Why,
    Ladder,
    Fields,
    Bytes,
}

/// A border that the mouse can drag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    /// Between the list and Why.
    Why,
    /// Between the ladder and the fields.
    Ladder,
    /// Between fields and bytes.
    Fields,
}

/// What is on top of the panes.
#[derive(Debug)]
pub(crate) enum Popup {
    Help { top: usize },
    Text { text: Text, top: usize },
    Columns { cursor: usize },
    Save(Dialog),
    Compare(compare::Pair),
}

/// What is being typed.
#[derive(Debug)]
pub(crate) enum Prompt {
    /// The filter; with the text to go back to.
    Filter(String),
    /// A search in a pane.
    Search(Input),
    /// A file name to write to.
    SaveAs(Choice, Input),
}

/// What the program is to do for the screen.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Open(u64),
    /// Two flows are to be read and compared.
    Compare(u64, u64),
    Forget,
    Copy(String),
    Save(Job),
    Suspend,
    Redraw,
}

/// How loud a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Info(String),
    Wrong(String),
}

/// Everything on the screen.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) source: String,
    pub(crate) size: (u16, u16),
    pub(crate) theme: Theme,
    pub(crate) list: List,
    /// The view above the flows; `None` for the flows themselves.
    pub(crate) groups: Option<Groups>,
    pub(crate) narrowed: Option<Narrowed>,
    /// Ids of the marked flows, as they were marked.
    pub(crate) marked: Vec<u64>,
    pub(crate) flow: Option<FlowView>,
    pub(crate) focus: Pane,
    pub(crate) why_top: usize,
    pub(crate) popups: Vec<Popup>,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) search: String,
    pub(crate) message: Option<Message>,
    pub(crate) progress: Progress,
    pub(crate) end: Option<End>,
    /// New flows of a live capture wait here while the view is frozen.
    pub(crate) frozen: Option<Vec<Row>>,
    /// Lines of the Why pane; percent of the width for the ladder, of the height for the fields.
    pub(crate) why_height: u16,
    /// Its height was set by hand.
    pub(crate) why_by_hand: bool,
    pub(crate) ladder_share: u16,
    pub(crate) fields_share: u16,
    pub(crate) drag: Option<Border>,
    /// What times of the ladder are counted from.
    pub(crate) times: Times,
    pub(crate) effects: Vec<Effect>,
    /// A file is being written.
    pub(crate) saving: bool,
    pub(crate) quit: bool,
}

impl App {
    pub(crate) fn new(source: String, theme: Theme, size: (u16, u16)) -> Self {
        Self {
            source,
            size,
            theme,
            list: List::default(),
            groups: None,
            narrowed: None,
            marked: Vec::new(),
            flow: None,
            focus: Pane::Flows,
            why_top: 0,
            popups: Vec::new(),
            prompt: None,
            search: String::new(),
            message: None,
            progress: Progress::default(),
            end: None,
            frozen: None,
            why_height: if size.1 >= 40 { 13 } else { 9 },
            why_by_hand: false,
            ladder_share: 54,
            fields_share: 58,
            drag: None,
            times: Times::default(),
            effects: Vec::new(),
            saving: false,
            quit: false,
        }
    }

    /// Takes what the threads found.
    pub(crate) fn news(&mut self, news: News) {
        match news {
            News::Rows(rows, progress) => {
                self.progress = progress;
                match self.frozen.as_mut() {
                    Some(waiting) => {
                        waiting.extend(rows);
                        let over = waiting.len().saturating_sub(limits::LIVE_ROWS);
                        waiting.drain(..over);
                        self.list.left = self.list.left.saturating_add(over as u64);
                    }
                    None => self.add(rows),
                }
            }
            News::Loaded(end) => self.end = Some(*end),
            News::Compared(a, b, found) => {
                let pairs =
                    self.popups.iter_mut().filter_map(|p| if let Popup::Compare(p) = p { Some(p) } else { None });
                for p in pairs.filter(|p| p.ids == (a, b)) {
                    p.state = match &found {
                        Ok(two) => compare::State::Ready(Box::new(Compared::new(&two.0, &two.1))),
                        Err(e) => compare::State::Failed(e.clone()),
                    };
                }
            }
            News::Saved(told) => {
                self.saving = false;
                self.message = Some(match told {
                    Ok(s) => Message::Info(s),
                    Err(e) => Message::Wrong(e),
                });
            }
            News::Opened(id, found) => {
                if let Some(f) = self.flow.as_mut().filter(|f| f.row.id == id) {
                    f.state = match found {
                        Ok(detail) => Opening::Ready(Box::new(Open::new(detail))),
                        Err(e) => Opening::Failed(e),
                    };
                }
            }
        }
        self.settle();
    }

    fn add(&mut self, rows: Vec<Row>) {
        self.list.add(rows);
        if self.is_live() {
            // Whoever looks at the first flow of a live list goes on looking at that one.
            self.list.hold();
            self.list.forget_oldest(limits::LIVE_ROWS);
            if self.list.following {
                self.list.follow();
                self.why_top = 0;
            }
        }
    }

    /// Flows of a live capture that are not in the list any more, or never were: the oldest ones.
    pub(crate) fn left(&self) -> u64 {
        self.list.left.saturating_add(self.progress.live.map_or(0, |pace| pace.left))
    }

    /// What is shown is a live capture.
    pub(crate) fn is_live(&self) -> bool {
        self.progress.live.is_some()
    }

    /// Freezes the view of a live capture, or lets in what came meanwhile.
    pub(crate) fn freeze(&mut self) {
        match self.frozen.take() {
            Some(waiting) => self.add(waiting),
            None => self.frozen = Some(Vec::new()),
        }
    }

    /// Where a flow of the list is in the capture.
    pub(crate) fn flow_ref(&self, id: u64) -> Option<FlowRef> {
        self.list.rows.iter().find(|r| r.id == id).map(Row::flow_ref)
    }

    /// The flow that is wanted from the thread.
    pub(crate) fn wanted(&self, id: u64) -> Option<FlowRef> {
        self.flow.as_ref().filter(|f| f.row.id == id).map(|f| f.row.flow_ref())
    }

    /// The opened flow, once it was read.
    pub(crate) fn open(&self) -> Option<&Open> {
        match &self.flow.as_ref()?.state {
            Opening::Ready(o) => Some(o),
            _ => None,
        }
    }

    pub(crate) fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.flow.as_mut()?.state {
            Opening::Ready(o) => Some(o),
            _ => None,
        }
    }

    /// True while the input is being read.
    pub(crate) fn loading(&self) -> bool {
        self.end.is_none()
    }

    /// What is wrong with the input, in one line.
    pub(crate) fn damage(&self) -> Option<String> {
        let end = self.end.as_ref()?;
        if let Some(e) = &end.error {
            return Some(e.clone());
        }
        let first = end.info.problems.first()?;
        let more = (end.info.problems.len() as u64).saturating_sub(1).saturating_add(end.info.problems_omitted);
        let more = if more > 0 { format!(" (+{more} more)") } else { String::new() };
        Some(format!("{}{more}", crate::text::guard(&first.message)))
    }

    // ---- where things are -------------------------------------------------------------------------------------------

    /// The whole screen.
    pub(crate) fn screen(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    /// What lies between the header (and the line about damage) and the two lines at the bottom.
    pub(crate) fn body(&self) -> Rect {
        let (w, h) = self.size;
        let above = if h < 4 { 0 } else { 1 + u16::from(self.damage().is_some() && h > 8) };
        let below = if h < 6 { u16::from(h > 1) } else { 2 };
        Rect::new(0, above, w, h.saturating_sub(above).saturating_sub(below))
    }

    /// The panes that show, with their places.
    pub(crate) fn panes(&self) -> Vec<(Pane, Rect)> {
        let b = self.body();
        if self.flow.is_none() {
            if self.list.rows.is_empty() {
                return vec![(Pane::Flows, b)];
            }
            if b.height < TALL {
                return vec![(if self.focus == Pane::Why { Pane::Why } else { Pane::Flows }, b)];
            }
            let mut why = self.why_height.clamp(3, b.height.saturating_sub(5).max(3));
            if !self.why_by_hand && !self.list.rows.is_empty() {
                // A short list leaves the rest to the reasons.
                let rows = u16::try_from(self.entries()).unwrap_or(u16::MAX);
                why = why.max(b.height.saturating_sub(rows.saturating_add(4).max(7)));
            }
            let list = b.height.saturating_sub(why);
            return vec![
                (Pane::Flows, Rect { height: list, ..b }),
                (Pane::Why, Rect { y: b.y.saturating_add(list), height: why, ..b }),
            ];
        }
        if b.width < WIDE {
            return vec![(self.focus, b)];
        }
        let left = share(b.width, self.ladder_share).clamp(30, b.width.saturating_sub(30));
        let right = Rect { x: b.x.saturating_add(left), width: b.width.saturating_sub(left), ..b };
        let ladder = (Pane::Ladder, Rect { width: left, ..b });
        if b.height < 10 {
            return vec![ladder, (if self.focus == Pane::Bytes { Pane::Bytes } else { Pane::Fields }, right)];
        }
        let fields = share(b.height, self.fields_share).clamp(4, b.height.saturating_sub(4));
        vec![
            ladder,
            (Pane::Fields, Rect { height: fields, ..right }),
            (
                Pane::Bytes,
                Rect { y: right.y.saturating_add(fields), height: right.height.saturating_sub(fields), ..right },
            ),
        ]
    }

    /// Where a pane is, when it shows.
    pub(crate) fn place(&self, pane: Pane) -> Option<Rect> {
        self.panes().into_iter().find(|(p, _)| *p == pane).map(|(_, r)| r)
    }

    /// Lines inside the frame of a pane.
    pub(crate) fn inside(&self, pane: Pane) -> usize {
        let lines = self.place(pane).map_or(0, |r| usize::from(r.height.saturating_sub(2)));
        // The list has a line of headings.
        if pane == Pane::Flows { lines.saturating_sub(1) } else { lines }
    }

    /// Columns inside the frame of a pane.
    pub(crate) fn inside_width(&self, pane: Pane) -> usize {
        self.place(pane).map_or(0, |r| usize::from(r.width.saturating_sub(2)))
    }

    /// The pane at a place.
    pub(crate) fn pane_at(&self, at: Position) -> Option<(Pane, Rect)> {
        self.panes().into_iter().find(|(_, r)| r.contains(at))
    }

    /// The border at a place.
    pub(crate) fn border_at(&self, at: Position) -> Option<Border> {
        if self.flow.is_none() {
            return self
                .place(Pane::Why)
                .filter(|r| self.place(Pane::Flows).is_some() && at.y == r.y)
                .map(|_| Border::Why);
        }
        let ladder = self.place(Pane::Ladder)?;
        let fields = self.place(Pane::Fields);
        if fields.is_some() && (at.x == ladder.right().saturating_sub(1) || at.x == ladder.right()) {
            return Some(Border::Ladder);
        }
        self.place(Pane::Bytes).filter(|r| at.y == r.y && at.x > r.x).map(|_| Border::Fields)
    }

    /// Bytes in a line of the bytes pane.
    pub(crate) fn bytes_per_line(&self) -> usize {
        match self.inside_width(Pane::Bytes) {
            0..42 => 4,
            42..72 => 8,
            _ => 16,
        }
    }

    /// Columns of the ladder before its rails: frame number and time.
    pub(crate) const LADDER_LEFT: usize = 22;

    /// Columns that an arrow may take.
    pub(crate) fn rails(&self) -> usize {
        self.inside_width(Pane::Ladder).saturating_sub(Self::LADDER_LEFT)
    }

    // ---- keeping it consistent --------------------------------------------------------------------------------------

    /// After every change: cursors are inside their lists and visible.
    pub(crate) fn settle(&mut self) {
        self.list.catch_up();
        let page = self.inside(Pane::Flows);
        if let Some(g) = &mut self.groups {
            g.catch_up(&self.list);
            g.top = scrolled(g.top, g.cursor, page, g.len());
        }
        if self.focus_is_elsewhere() {
            self.focus = if self.flow.is_some() { Pane::Ladder } else { Pane::Flows };
        }
        let n = self.list.view.len();
        let page = self.inside(Pane::Flows);
        self.list.cursor = self.list.cursor.min(n.saturating_sub(1));
        self.list.top = scrolled(self.list.top, self.list.cursor, page, n);
        let why = self.why_lines().len();
        self.why_top = self.why_top.min(why.saturating_sub(self.inside(Pane::Why)));
        let (ladder, rails) = (self.inside(Pane::Ladder), self.rails());
        let (fields, bytes, per) = (self.inside(Pane::Fields), self.inside(Pane::Bytes), self.bytes_per_line());
        let Some(o) = self.open_mut() else { return };
        let lines = crate::ladder::lines(&o.rungs, &o.detail.report, rails);
        let first = lines.iter().position(|l| l.rung == o.cursor).unwrap_or(0);
        let last = lines.iter().rposition(|l| l.rung == o.cursor).unwrap_or(0);
        o.top = scrolled(o.top, last, ladder, lines.len());
        o.top = scrolled(o.top, first, ladder, lines.len());
        let visible = o.visible();
        let at = visible.iter().rposition(|i| *i <= o.field).unwrap_or(0);
        o.field = visible.get(at).copied().unwrap_or(0);
        o.field_top = scrolled(o.field_top, at, fields, visible.len());
        let hex = o.hex(per).len();
        if o.follow && bytes > 0 {
            if let Some(l) = o.lit_line(per) {
                // One line of context above, where there is room.
                o.bytes_top =
                    if l < o.bytes_top || l >= o.bytes_top + bytes { l.saturating_sub(1) } else { o.bytes_top };
                o.bytes_top = scrolled(o.bytes_top, l, bytes, hex);
            }
            o.follow = false;
        }
        o.bytes_top = o.bytes_top.min(hex.saturating_sub(bytes));
    }

    fn focus_is_elsewhere(&self) -> bool {
        match self.focus {
            Pane::Flows | Pane::Why => self.flow.is_some(),
            Pane::Ladder | Pane::Fields | Pane::Bytes => self.flow.is_none(),
        }
    }

    /// The Why pane's lines.
    pub(crate) fn why_lines(&self) -> Vec<(String, super::theme::Paint)> {
        let width = self.inside_width(Pane::Why).saturating_sub(2);
        if self.groups.is_some() {
            return super::pane::groups::about(self, width);
        }
        super::pane::why::lines(self, width)
    }

    /// What the cursor is on.
    pub(crate) fn explained(&self) -> Option<Text> {
        if let Some(o) = self.open() {
            return match self.focus {
                Pane::Ladder => o.explain_rung(),
                _ => o.explain_field(),
            };
        }
        if self.groups.is_some() {
            return self.explain_group();
        }
        let row = self.list.selected()?;
        Some(match row.findings.first() {
            Some(f) => explain::row_finding(f),
            None => explain::outcome(row),
        })
    }
}

fn share(whole: u16, percent: u16) -> u16 {
    u16::try_from(u32::from(whole) * u32::from(percent.min(100)) / 100).unwrap_or(whole)
}

/// The first line to show so that `at` is visible.
pub(crate) fn scrolled(top: usize, at: usize, page: usize, total: usize) -> usize {
    let page = page.max(1);
    let top = if at < top {
        at
    } else if at >= top + page {
        (at + 1).saturating_sub(page)
    } else {
        top
    };
    top.min(total.saturating_sub(page)).min(at)
}

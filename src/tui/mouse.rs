//! What the mouse does.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::app::{App, Border, Pane};
use super::flow_view::HexLine;
use super::keymap::Action;
use super::popup;

impl App {
    pub(super) fn mouse(&mut self, m: MouseEvent) {
        let at = Position::new(m.column, m.row);
        match m.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.message = None;
                if !self.popups.is_empty() {
                    if !popup::area(self).contains(at) {
                        self.popups.pop();
                    }
                    return;
                }
                self.drag = self.border_at(at);
                if self.drag.is_none() {
                    self.click(at);
                }
            }
            MouseEventKind::Drag(MouseButton::Left) => self.dragged(at),
            MouseEventKind::Up(_) => self.drag = None,
            MouseEventKind::ScrollUp => self.wheel(at, Action::Up),
            MouseEventKind::ScrollDown => self.wheel(at, Action::Down),
            _ => {}
        }
    }

    fn wheel(&mut self, at: Position, action: Action) {
        if self.prompt.is_some() {
            return;
        }
        let target = self.pane_at(at).map(|(p, _)| p);
        for _ in 0..3 {
            if !self.popups.is_empty() {
                popup::key(self, action);
                continue;
            }
            let Some(pane) = target else { return };
            let before = std::mem::replace(&mut self.focus, pane);
            if self.flow.is_some() {
                self.flow_key(action)
            } else {
                self.list_key(action)
            }
            self.focus = before;
        }
    }

    fn click(&mut self, at: Position) {
        let Some((pane, r)) = self.pane_at(at) else { return };
        let was = std::mem::replace(&mut self.focus, pane);
        let (Some(line), Some(column)) =
            (at.y.checked_sub(r.y.saturating_add(1)), at.x.checked_sub(r.x.saturating_add(1)))
        else {
            return;
        };
        let (line, column) = (usize::from(line), usize::from(column));
        if line >= usize::from(r.height.saturating_sub(2)) {
            return;
        }
        let per = self.bytes_per_line();
        let rails = self.rails();
        match pane {
            Pane::Flows => {
                let Some(line) = line.checked_sub(1) else { return };
                if let Some(g) = &mut self.groups {
                    let pos = g.top + line;
                    if pos < g.len() && g.cursor == pos && was == Pane::Flows {
                        return self.narrow();
                    }
                    g.move_to(pos);
                    self.why_top = 0;
                    return;
                }
                let pos = self.list.top + line;
                if pos < self.list.view.len() {
                    if self.list.cursor == pos && was == Pane::Flows {
                        return self.open_flow();
                    }
                    self.list.move_to(pos);
                    self.why_top = 0;
                }
            }
            Pane::Why => {}
            Pane::Ladder => {
                let Some(o) = self.open_mut() else { return };
                let lines = crate::ladder::lines(&o.rungs, &o.detail.report, rails);
                if let Some(l) = lines.get(o.top + line) {
                    o.select(l.rung);
                }
            }
            Pane::Fields => {
                let Some(o) = self.open_mut() else { return };
                if let Some(i) = o.visible().get(o.field_top + line).copied() {
                    if o.field == i && was == Pane::Fields {
                        let folded = o.is_folded(i);
                        o.fold(i, !folded);
                    }
                    o.choose(i);
                }
            }
            Pane::Bytes => {
                let Some(o) = self.open_mut() else { return };
                if let Some(HexLine::Bytes(frame, off)) = o.hex(per).get(o.bytes_top + line).copied()
                    && let Some(n) = super::pane::bytes::column(column, per)
                {
                    o.choose_byte(frame, off + n);
                }
            }
        }
    }

    fn dragged(&mut self, at: Position) {
        let b = self.body();
        let percent =
            |part: u16, whole: u16| u16::try_from(u32::from(part) * 100 / u32::from(whole.max(1))).unwrap_or(50);
        match self.drag {
            Some(Border::Why) => {
                self.why_by_hand = true;
                self.why_height = b.bottom().saturating_sub(at.y).clamp(3, b.height.saturating_sub(5).max(3));
            }
            Some(Border::Ladder) => self.ladder_share = percent(at.x.saturating_sub(b.x), b.width).clamp(20, 80),
            Some(Border::Fields) => self.fields_share = percent(at.y.saturating_sub(b.y), b.height).clamp(15, 85),
            None => {}
        }
    }
}

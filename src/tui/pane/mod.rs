//! The parts of the screen. Each draws the state into its place and changes nothing.

pub(crate) mod bytes;
pub(crate) mod fields;
pub(crate) mod flows;
pub(crate) mod frame;
pub(crate) mod groups;
pub(crate) mod ladder;
pub(crate) mod why;

use ratatui::buffer::Buffer;
use ratatui::layout::Position;

use super::app::{App, Pane};
use super::chrome::Canvas;
use super::popup;

impl App {
    /// Draws everything; gives the place of the cursor where something is typed.
    pub(crate) fn draw(&self, buf: &mut Buffer) -> Option<Position> {
        for (pane, place) in self.panes() {
            let mut c = Canvas::new(buf, place, self.theme);
            match pane {
                Pane::Flows => match &self.groups {
                    Some(g) => groups::draw(self, g, &mut c),
                    None => flows::draw(self, &mut c),
                },
                Pane::Why => why::draw(self, &mut c),
                Pane::Ladder => ladder::draw(self, &mut c),
                Pane::Fields => fields::draw(self, &mut c),
                Pane::Bytes => bytes::draw(self, &mut c),
            }
        }
        let screen = self.screen();
        let mut c = Canvas::new(buf, screen, self.theme);
        frame::header(self, &mut c);
        let cursor = frame::bottom(self, &mut c);
        for (n, p) in self.popups.iter().enumerate() {
            let mut c = Canvas::new(buf, popup::area_of(self, n), self.theme);
            popup::draw(self, p, &mut c);
        }
        self.theme.finish(buf);
        cursor
    }
}

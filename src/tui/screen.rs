//! The loop: keys, news and signals in, drawings and effects out.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use crossterm::event::Event;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::analyzer;
use crate::scribe::Scribe;
use crate::signals::Signals;

use super::app::{App, Effect, Message};
use super::input::Input;
use super::worker::{Details, Request};
use super::{Error, saver, terminal, worker};

/// How often the screen is drawn at most while rows arrive, and how often signals are looked at.
const DRAW: Duration = Duration::from_millis(40);
const LOOK: Duration = Duration::from_millis(200);

/// How often the terminal is asked whether it is still there.
const ALIVE: Duration = Duration::from_millis(600);

/// Reads the terminal in a thread of its own: when the terminal goes away, crossterm reads in vain for ever, and that must
/// not be the thread that has to notice.
pub(super) fn keys() -> io::Result<Receiver<Event>> {
    let (tx, rx): (Sender<Event>, _) = crossbeam_channel::bounded(256);
    std::thread::Builder::new().name("keys".into()).spawn(move || {
        while let Ok(e) = crossterm::event::read() {
            if tx.send(e).is_err() {
                break;
            }
        }
    })?;
    Ok(rx)
}

/// The screen while it is ours.
pub(super) struct Screen {
    pub(super) app: App,
    pub(super) signals: Signals,
    pub(super) scribe: Arc<Mutex<Scribe>>,
    pub(super) details: Details,
    pub(super) rows: Receiver<worker::News>,
    pub(super) opened: Receiver<worker::News>,
    /// Answers of the thread that writes a file.
    pub(super) saved: Receiver<worker::News>,
    pub(super) keys: Receiver<Event>,
    /// What the threads need that are started later.
    pub(super) input: Input,
    pub(super) options: analyzer::Options,
    pub(super) stop: Arc<AtomicBool>,
}

impl Screen {
    /// The loop; gives the signal that ended it.
    pub(super) fn run(&mut self) -> Result<Option<i32>, Error> {
        let mut term = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(Error::Terminal)?;
        let mut dirty = true;
        let mut drawn = Instant::now();
        let mut asked = drawn;
        let mut draw_now = true;
        while !self.app.quit {
            if let Some(s) = self.signals.ending() {
                return Ok(Some(s));
            }
            if terminal::has_panicked() {
                return Ok(None);
            }
            if self.signals.suspended() {
                self.suspend(&mut term)?;
                draw_now = true;
            }
            if draw_now || (dirty && drawn.elapsed() >= DRAW) {
                // A terminal that cannot be written to is gone.
                if self.draw(&mut term).is_err() {
                    return Ok(None);
                }
                (dirty, draw_now, drawn) = (false, false, Instant::now());
            }
            if asked.elapsed() >= ALIVE {
                asked = Instant::now();
                if !terminal::is_alive() {
                    return Ok(None);
                }
            }
            let wait = if dirty { DRAW.saturating_sub(drawn.elapsed()) } else { LOOK };
            // Keys first: however fast rows arrive, a key is answered with the next drawing.
            crossbeam_channel::select_biased! {
                recv(self.keys) -> e => match e {
                    Ok(e) => {
                        self.app.take(e);
                        while let Ok(e) = self.keys.try_recv() {
                            self.app.take(e);
                        }
                        self.app.settle();
                        self.effects(&mut term)?;
                        draw_now = true;
                    }
                    // Nobody can press a key any more.
                    Err(_) => return Ok(None),
                },
                recv(self.opened) -> n => if let Ok(n) = n {
                    self.app.news(n);
                    draw_now = true;
                } else {
                    self.opened = crossbeam_channel::never();
                },
                recv(self.saved) -> n => {
                    if let Ok(n) = n {
                        self.app.news(n);
                        draw_now = true;
                    }
                    self.saved = crossbeam_channel::never();
                },
                recv(self.rows) -> n => if let Ok(n) = n {
                    self.app.news(n);
                    dirty = true;
                } else {
                    self.rows = crossbeam_channel::never();
                },
                default(wait) => {}
            }
        }
        Ok(None)
    }

    fn draw(&self, term: &mut Terminal<CrosstermBackend<io::Stdout>>) -> io::Result<()> {
        term.draw(|f| {
            if let Some(at) = self.app.draw(f.buffer_mut()) {
                f.set_cursor_position(at);
            }
        })?;
        Ok(())
    }

    fn suspend(&mut self, term: &mut Terminal<CrosstermBackend<io::Stdout>>) -> Result<(), Error> {
        terminal::suspend().map_err(Error::Terminal)?;
        clear(term)?;
        // The window may have another size by now.
        if let Ok(size) = crossterm::terminal::size() {
            self.app.take(Event::Resize(size.0, size.1));
            self.app.settle();
        }
        Ok(())
    }

    fn effects(&mut self, term: &mut Terminal<CrosstermBackend<io::Stdout>>) -> Result<(), Error> {
        for e in std::mem::take(&mut self.app.effects) {
            match e {
                Effect::Open(id) => {
                    if let Some(which) = self.app.wanted(id) {
                        self.details.ask(Request::One(which));
                    }
                }
                Effect::Compare(a, b) => {
                    if let (Some(a), Some(b)) = (self.app.flow_ref(a), self.app.flow_ref(b)) {
                        self.details.ask(Request::Two(a, b));
                    }
                }
                Effect::Forget => self.details.forget(),
                Effect::Copy(text) => {
                    if terminal::copy(&text).is_err() {
                        self.app.message = Some(Message::Wrong("the terminal did not take it".into()));
                    }
                }
                Effect::Save(job) => {
                    let to = self.scribe.clone();
                    self.saved = saver::start(job, self.input.clone(), self.options.clone(), self.stop.clone(), to);
                }
                Effect::Suspend => self.suspend(term)?,
                Effect::Redraw => clear(term)?,
            }
        }
        Ok(())
    }
}

/// Forgets what is on the screen, so that all of it is drawn again. `Terminal::clear` would ask the terminal where the
/// cursor is, and the thread that reads keys would take the answer.
fn clear(term: &mut Terminal<CrosstermBackend<io::Stdout>>) -> Result<(), Error> {
    let size = crossterm::terminal::size().map_err(Error::Terminal)?;
    term.resize(ratatui::layout::Rect::new(0, 0, size.0, size.1)).map_err(Error::Terminal)
}

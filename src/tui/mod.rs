//! The terminal UI: a list of flows with the reason under it; one flow as a ladder with its fields and bytes.
//!
//! [`run`] opens the input before it touches the terminal. From then on three threads read (the list, one flow again, the
//! keys) and this one draws; they speak through bounded channels. `app` is the state and does not know a terminal.

// The one place beside the command line with a clock: for the progress of loading and for drawing. Positions on a screen
// are small numbers; where one is subtracted from another it saturates.
#![allow(clippy::disallowed_methods, clippy::arithmetic_side_effects)]

mod about;
mod app;
mod certificate;
mod chrome;
mod columns;
mod explain;
mod filter;
mod flow_view;
mod groups;
mod input;
mod keymap;
mod kin;
mod list;
mod mouse;
mod pane;
mod popup;
mod row;
mod saver;
mod select;
#[cfg(target_os = "linux")]
mod spool;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod times;
mod update;
mod views;
mod worker;

pub(crate) use select::Select;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use crossterm::event::Event;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::scribe::{Job, Scribe};
use crate::signals::Signals;
use crate::{analyzer, capture};

use app::{App, Effect, Message};
use input::Input;
use theme::Theme;
use worker::{Details, Request};

/// What the UI is started with.
#[derive(Clone, Debug)]
pub struct TuiOptions {
    /// The capture; `-` is standard input.
    pub path: PathBuf,
    /// What the rules are told.
    pub analyzer: analyzer::Options,
    /// The filter to begin with; empty for none.
    pub filter: String,
}

/// Why the UI could not start or go on. Each is one sentence and safe to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input cannot be read.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// There is nothing to draw on.
    #[error("standard output is not a terminal; use `tlscope report` to write a report")]
    NoTerminal,
    /// `-` was given and nothing is piped in.
    #[error("standard input is a terminal; give the path of a capture file, or pipe one in")]
    StdinIsTerminal,
    /// The file in which standard input is kept cannot be made.
    #[error("cannot keep standard input in a temporary file: {}", crate::text::guard(&.0.to_string()))]
    Spool(io::Error),
    /// The process that writes files cannot be started.
    #[error("the part that writes files cannot be started: {}", crate::text::guard(&.0.to_string()))]
    Scribe(io::Error),
    /// The rights cannot be given up.
    #[error("{0}")]
    Confine(String),
    /// The filter that was given is wrong.
    #[error("the filter is wrong: {0}")]
    Filter(String),
    /// The terminal refuses.
    #[error("the terminal cannot be used: {}", crate::text::guard(&.0.to_string()))]
    Terminal(io::Error),
    /// A part of the program has failed; the panic was printed before.
    #[error("tlscope has failed inside; please report what is printed above")]
    Panicked,
}

/// How often the screen is drawn at most while rows arrive, and how often signals are looked at.
const DRAW: Duration = Duration::from_millis(40);
const LOOK: Duration = Duration::from_millis(200);

/// How often the terminal is asked whether it is still there.
const ALIVE: Duration = Duration::from_millis(600);

/// Shows a capture until the user quits or the terminal goes away. `confine` is called when everything is open and before
/// anything is read: from then on this needs no right to open files.
///
/// # Errors
/// See [`Error`]; those about the input and the arguments come before the terminal is touched.
pub fn run(options: TuiOptions, confine: impl FnOnce() -> Result<(), String>) -> Result<(), Error> {
    check(&options.filter)?;
    let (input, opened) = Input::open(options.path)?;
    let ready = Ready::new(confine)?;
    let file = opened.begin()?;
    let stop = Arc::new(AtomicBool::new(false));
    let analyzer = options.analyzer.clone();
    let load = |stop: &Arc<AtomicBool>| worker::load(file, analyzer, stop.clone());
    ready.show(input, options.analyzer, options.filter, stop, load)
}

/// Shows a live capture until the user quits or the terminal goes away. `name` says of what; `begin` starts the capture,
/// whose frames go to the given sink too, and is called after `confine`. Gives what the capture ended with.
///
/// # Errors
/// See [`Error`].
#[cfg(target_os = "linux")]
pub fn run_live(
    name: &str,
    options: analyzer::Options,
    confine: impl FnOnce() -> Result<(), String>,
    begin: impl FnOnce(Box<dyn crate::live::Sink>) -> crate::live::Session,
) -> Result<(), Error> {
    check("")?;
    let spool = spool::Spool::new().map_err(Error::Spool)?;
    let ready = Ready::new(confine)?;
    let session = begin(spool.sink());
    let stop = Arc::new(AtomicBool::new(false));
    let mut watcher = None;
    let shown = ready.show(Input::live(name, spool), options, String::new(), stop, |stop| {
        let (rows, thread) = worker::watch(session, stop.clone());
        watcher = Some(thread);
        rows
    });
    // What is kept of the packets is whole when the thread has ended.
    if let Some(thread) = watcher {
        let _ = thread.join();
    }
    shown
}

/// What must hold before anything is opened.
fn check(filter: &str) -> Result<(), Error> {
    if let Err(e) = filter::Filter::parse(filter) {
        return Err(Error::Filter(e));
    }
    if io::stdout().is_terminal() { Ok(()) } else { Err(Error::NoTerminal) }
}

/// Everything is open, and the rights to open more are given up.
struct Ready {
    signals: Signals,
    scribe: Scribe,
}

impl Ready {
    fn new(confine: impl FnOnce() -> Result<(), String>) -> Result<Self, Error> {
        let signals = Signals::register().map_err(Error::Terminal)?;
        let scribe = Scribe::start(&Job::Save).map_err(Error::Scribe)?;
        terminal::prepare().map_err(Error::Terminal)?;
        confine().map_err(Error::Confine)?;
        Ok(Self { signals, scribe })
    }

    /// Takes the terminal and shows what `load` gives.
    fn show(
        self,
        input: Input,
        options: analyzer::Options,
        filter: String,
        stop: Arc<AtomicBool>,
        load: impl FnOnce(&Arc<AtomicBool>) -> Receiver<worker::News>,
    ) -> Result<(), Error> {
        terminal::hook_panics();
        let size = crossterm::terminal::size().map_err(Error::Terminal)?;
        let mut app = App::new(input.name(), Theme::from_env(), size);
        app.progress.live = input.is_live().then(worker::Pace::default);
        app.list.input = tui_input::Input::new(filter);
        app.list.typed();
        app.settle();

        let guard = terminal::Guard;
        terminal::enter().map_err(Error::Terminal)?;
        let rows = load(&stop);
        let (details, opened) = Details::start(input.clone(), options.clone());
        let keys = keys().map_err(Error::Terminal)?;
        let mut screen = Screen {
            app,
            signals: self.signals,
            scribe: Arc::new(Mutex::new(self.scribe)),
            details,
            rows,
            opened,
            saved: crossbeam_channel::never(),
            keys,
            input,
            options,
            stop: stop.clone(),
        };
        let ended = screen.run();
        stop.store(true, Ordering::Relaxed);
        drop(guard);
        if terminal::has_panicked() {
            return Err(Error::Panicked);
        }
        match ended? {
            Some(signal) => {
                // Die of it, so that whoever sent it sees that.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Reads the terminal in a thread of its own: when the terminal goes away, crossterm reads in vain for ever, and that must
/// not be the thread that has to notice.
fn keys() -> io::Result<Receiver<Event>> {
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

struct Screen {
    app: App,
    signals: Signals,
    scribe: Arc<Mutex<Scribe>>,
    details: Details,
    rows: Receiver<worker::News>,
    opened: Receiver<worker::News>,
    /// Answers of the thread that writes a file.
    saved: Receiver<worker::News>,
    keys: Receiver<Event>,
    /// What the threads need that are started later.
    input: Input,
    options: analyzer::Options,
    stop: Arc<AtomicBool>,
}

impl Screen {
    /// The loop; gives the signal that ended it.
    fn run(&mut self) -> Result<Option<i32>, Error> {
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

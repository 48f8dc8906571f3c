//! The terminal UI: a list of flows with the reason under it; one flow as a ladder with its fields and bytes.
//!
//! [`run`] opens the input before it touches the terminal. From then on threads read (the list, one flow again, the keys,
//! what is to be written to a file) and this one draws; they speak through bounded channels. `app` is the state and
//! does not know a terminal.

// It reads a clock for the progress of loading and for drawing. Positions on a screen
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
mod screen;
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
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::scribe::{Job, Rights, Scribe};
use crate::signals::Signals;
use crate::{analyzer, capture, report};

use app::App;
use input::Input;
use screen::Screen;
use theme::Theme;
use worker::{Details, Report};

/// What the UI is started with.
#[derive(Clone, Debug)]
pub struct TuiOptions {
    /// The capture; `-` is standard input.
    pub path: PathBuf,
    /// What the rules are told.
    pub analyzer: analyzer::Options,
    /// The filter to begin with; empty for none.
    pub filter: String,
    /// How the report looks that is printed when a signal ends it.
    pub report: report::Options,
    /// With what rights files are written.
    pub rights: Rights,
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
    /// The file in which a stream is kept cannot be made.
    #[error("cannot keep what is captured in a temporary file: {}", crate::text::guard(&.0.to_string()))]
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
    /// A live capture has ended before its time.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Live(#[from] crate::live::Error),
    /// A part of the program has failed; the panic was printed before.
    #[error("tlscope has failed inside; please report what is printed above")]
    Panicked,
}

/// A hanging screen, which does not answer a signal, is given so long.
const HANGING: Duration = Duration::from_millis(500);

/// Shows a capture until the user quits, the terminal goes away, or a signal comes, which this dies of after the report was
/// printed. `confine` is called when everything is open and before anything is read: from then on this needs no right to open
/// files.
///
/// # Errors
/// See [`Error`]; those about the input and the arguments come before the terminal is touched.
pub fn run(options: TuiOptions, confine: impl FnOnce() -> Result<(), String>) -> Result<(), Error> {
    check(&options.filter)?;
    let (input, opened) = Input::open(options.path)?;
    let ready = Ready::new(&options.rights, confine)?;
    let file = opened.begin()?;
    let analyzer = options.analyzer.clone();
    let (ended, loader) = ready.show(input, options.analyzer, options.filter, |stop| {
        worker::load(file, analyzer, options.report, stop.clone())
    })?;
    // Whoever quits does not wait for what is still being read.
    if let Some(signal) = ended {
        die(signal, loader.join().ok());
    }
    Ok(())
}

/// Shows a live capture, as [`run`] does. `name` says of what; `begin` starts the capture, whose frames go to the given sink
/// too, and is called after `confine`. With `wait` nothing shows before the input is known to be a capture: whoever is asked
/// for a password by its writer can answer; else only what is wrong at once is waited for.
///
/// # Errors
/// See [`Error`]; what a capture ended with before its time comes when the user quits.
#[cfg(target_os = "linux")]
pub fn run_live(
    name: &str,
    options: analyzer::Options,
    report: report::Options,
    rights: Rights,
    wait: bool,
    confine: impl FnOnce() -> Result<(), String>,
    begin: impl FnOnce(Box<dyn crate::live::Sink>) -> crate::live::Session,
) -> Result<(), Error> {
    check("")?;
    let spool = spool::Spool::new().map_err(Error::Spool)?;
    let ready = Ready::new(&rights, confine)?;
    let mut session = begin(spool.sink());
    let mut patience = AT_ONCE;
    while !session.is_begun() && (wait || !patience.is_zero()) {
        if let Some(signal) = ready.signals.ending() {
            session.finish(None);
            die(signal, None);
            return Ok(());
        }
        if !session.turn(TURN)? {
            break;
        }
        patience = patience.saturating_sub(TURN);
    }
    let (ended, watcher) = ready
        .show(Input::live(name, spool), options, String::new(), |stop| worker::watch(session, report, stop.clone()))?;
    // What is kept of the packets is whole when the thread has ended.
    let (told, why) = watcher.join().map_err(|_| Error::Panicked)?;
    if let Some(signal) = ended {
        die(signal, Some(told));
    }
    why.map_or(Ok(()), |why| Err(why.into()))
}

/// How long what is wrong with an input is waited for, and how long one turn may wait.
#[cfg(target_os = "linux")]
const AT_ONCE: Duration = Duration::from_millis(200);
#[cfg(target_os = "linux")]
const TURN: Duration = Duration::from_millis(50);

/// Prints the report and dies of the signal, so that whoever sent it sees that. The terminal may have gone away.
fn die(signal: i32, report: Option<Report>) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(&report.unwrap_or_default()).and_then(|()| out.flush());
    let _ = signal_hook::low_level::emulate_default_handler(signal);
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
    fn new(rights: &Rights, confine: impl FnOnce() -> Result<(), String>) -> Result<Self, Error> {
        let signals = Signals::register_gently().map_err(Error::Terminal)?;
        let scribe = Scribe::start(&Job::Save, rights).map_err(Error::Scribe)?;
        terminal::prepare().map_err(Error::Terminal)?;
        confine().map_err(Error::Confine)?;
        Ok(Self { signals, scribe })
    }

    /// Takes the terminal and shows what `load` gives; gives the signal that ended it, and the thread that reads.
    fn show<T>(
        self,
        input: Input,
        options: analyzer::Options,
        filter: String,
        load: impl FnOnce(&Arc<AtomicBool>) -> (Receiver<worker::News>, JoinHandle<T>),
    ) -> Result<(Option<i32>, JoinHandle<T>), Error> {
        terminal::hook_panics();
        let size = crossterm::terminal::size().map_err(Error::Terminal)?;
        let mut app = App::new(input.name(), Theme::from_env(), size);
        app.progress.live = input.is_live().then(worker::Pace::default);
        app.list.input = tui_input::Input::new(filter);
        app.list.typed();
        app.settle();

        let guard = terminal::Guard;
        terminal::enter().map_err(Error::Terminal)?;
        let signals = self.signals.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let (rows, reader) = load(&stop);
        let (details, opened) = Details::start(input.clone(), options.clone());
        let keys = screen::keys().map_err(Error::Terminal)?;
        help_hanging(signals.clone());
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
        signals.arm();
        // Nobody takes what the reader still has.
        drop(screen);
        if terminal::has_panicked() {
            return Err(Error::Panicked);
        }
        Ok((ended?, reader))
    }
}

/// A screen that hangs (a terminal that takes nothing) must not keep signals from ending the program.
fn help_hanging(signals: Signals) {
    std::thread::spawn(move || {
        while signals.ending().is_none() {
            std::thread::sleep(HANGING);
        }
        std::thread::sleep(HANGING);
        signals.arm();
    });
}

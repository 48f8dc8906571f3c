//! The terminal itself: taking it over, and giving it back whatever happens.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use signal_hook::consts::SIGTSTP;

/// Bytes that are given to the clipboard at most: terminals cut or refuse more.
const CLIPBOARD: usize = 74_000;

/// True while the terminal is ours. The panic hook of any thread must know.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A thread has panicked.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Opens what the reading of keys needs, while files can still be opened.
pub(crate) fn prepare() -> io::Result<()> {
    crossterm::event::poll(std::time::Duration::ZERO).map(|_| ())
}

/// Takes the terminal over.
pub(crate) fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, cursor::Hide)
}

/// Gives it back. Does nothing the second time; errors do not matter any more.
pub(crate) fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Cleared first: tmux would put what is there into the other screen when the window has grown meanwhile.
        let _ = execute!(io::stdout(), DisableBracketedPaste, DisableMouseCapture, Clear(ClearType::All));
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// Gives the terminal back when dropped.
#[derive(Debug)]
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

/// A panic must be readable, and leave a terminal that can be used.
pub(crate) fn hook_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::SeqCst);
        leave();
        before(info);
    }));
}

/// Has any thread panicked?
pub(crate) fn has_panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

/// Stops until somebody says to go on; the terminal is given back meanwhile.
pub(crate) fn suspend() -> io::Result<()> {
    leave();
    signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
    enter()
}

/// Is the terminal still there? Writes something that changes nothing.
pub(crate) fn is_alive() -> bool {
    let mut out = io::stdout();
    out.write_all(b"\x1b[?25l").and_then(|()| out.flush()).is_ok()
}

/// Puts a text into the clipboard of whoever sits at the terminal (OSC 52).
pub(crate) fn copy(text: &str) -> io::Result<()> {
    let mut end = text.len().min(CLIPBOARD);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(text.get(..end).unwrap_or(""));
    let mut out = io::stdout();
    write!(out, "\x1b]52;c;{encoded}\x07")?;
    out.flush()
}

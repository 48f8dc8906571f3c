//! Signals that end or stop the program: noticed, so that whoever works can end in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};

/// Signals that came.
#[derive(Debug)]
pub struct Signals {
    end: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// From now on INT, TERM, HUP and TSTP are remembered. A second one of the first three ends the program at once.
    pub fn register() -> io::Result<Self> {
        let end = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        for s in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_conditional_shutdown(s, 128i32.saturating_add(s), again.clone())?;
            signal_hook::flag::register(s, again.clone())?;
            signal_hook::flag::register_usize(s, end.clone(), usize::try_from(s).unwrap_or(1))?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTSTP, stop.clone())?;
        Ok(Self { end, stop })
    }

    /// The signal that wants the program to end.
    pub fn ending(&self) -> Option<i32> {
        match self.end.load(Ordering::SeqCst) {
            0 => None,
            s => i32::try_from(s).ok(),
        }
    }

    /// The program was asked to stop for a while, from outside.
    pub fn suspended(&self) -> bool {
        self.stop.swap(false, Ordering::SeqCst)
    }
}

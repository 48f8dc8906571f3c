//! Signals that end or stop the program: noticed, so that whoever works can end in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};

/// Those that end the program.
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Signals that came.
#[derive(Clone, Debug)]
pub struct Signals {
    end: Arc<AtomicUsize>,
    again: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// From now on INT, TERM, HUP and TSTP are remembered. A second one of the first three ends the program at once.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn register() -> io::Result<Self> {
        let signals = Self::register_gently()?;
        for s in ENDING {
            signal_hook::flag::register(s, signals.again.clone())?;
        }
        Ok(signals)
    }

    /// The same, but a second one ends the program only after [`Signals::arm`]: for who has to put something in order at the
    /// first.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn register_gently() -> io::Result<Self> {
        let end = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        for s in ENDING {
            signal_hook::flag::register_conditional_shutdown(s, 128i32.saturating_add(s), again.clone())?;
            signal_hook::flag::register_usize(s, end.clone(), usize::try_from(s).unwrap_or(1))?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTSTP, stop.clone())?;
        Ok(Self { end, again, stop })
    }

    /// From now on the next signal ends the program at once.
    pub fn arm(&self) {
        self.again.store(true, Ordering::SeqCst);
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

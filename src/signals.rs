//! Signals that end or stop the program: noticed, so that whoever works can end in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

/// Those that end the program.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// Signals that came.
#[derive(Clone, Debug)]
pub struct Signals {
    end: Arc<AtomicUsize>,
    again: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// From now on INT, TERM, HUP and QUIT are remembered; a second one ends the program at once. TSTP stops it as it stops any.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn register() -> io::Result<Self> {
        let signals = Self::remember()?;
        for s in ENDING {
            signal_hook::flag::register(s, signals.again.clone())?;
        }
        Ok(signals)
    }

    /// For who has to put a terminal in order at the first: a second one ends the program only after [`Signals::arm`], and
    /// TSTP is remembered too.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn register_gently() -> io::Result<Self> {
        let signals = Self::remember()?;
        signal_hook::flag::register(SIGTSTP, signals.stop.clone())?;
        Ok(signals)
    }

    fn remember() -> io::Result<Self> {
        let end = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        for s in ENDING {
            signal_hook::flag::register_conditional_shutdown(s, 128i32.saturating_add(s), again.clone())?;
            signal_hook::flag::register_usize(s, end.clone(), usize::try_from(s).unwrap_or(1))?;
        }
        Ok(Self { end, again, stop: Arc::default() })
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

/// INT, TERM, HUP and QUIT end nothing from now on: for a process that ends with the one that started it, and is reached by what a
/// terminal sends to both.
pub fn leave_to_others() {
    #[cfg(unix)]
    for s in ENDING {
        let _ = signal_hook::flag::register(s, Arc::default());
    }
}

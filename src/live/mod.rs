//! A live source, its analyzer and a clock together: what the command line and the UI both run.
//!
//! [`Session::turn`] does a bounded piece of work, so that whoever calls it stays in command: it looks at signals, writes
//! what was found, and draws, between two turns.
#![allow(
    clippy::disallowed_methods,
    reason = "time-outs must fire on a silent wire; only this hands the engine a clock"
)]

mod keep;
mod sieve;

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::analyzer::{Analyzer, FlowReport, Options, SourceReport};
use crate::capture::live::{self, Live};
use crate::capture::{Format, Fragments, Problem, SourceInfo};
use crate::diagnose::Finding;
use crate::span::Timestamp;

pub use keep::{Direct, Keeper, Sink};
pub use sieve::Sieve;

/// Frames taken in one turn.
const FRAMES: usize = 512;

/// Between two looks at what was lost, and between two moments at which kept packets are handed on.
const LOOK: Duration = Duration::from_millis(100);

/// At the end, what the kernel still holds is waited for so long, and taken for so long at most.
const LAST_WAIT: Duration = Duration::from_millis(50);
const LAST_FRAMES: Duration = Duration::from_millis(400);

/// The clock given to the engine stands this much behind: packets reach us in blocks.
const BEHIND_NS: i64 = 60_000_000;

/// Why a session ended before it was told to. Each is one sentence and safe to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source gives no more.
    #[error(transparent)]
    Source(#[from] live::Error),
    /// The files for the packets cannot be opened.
    #[error("cannot write the packets to {path}: {}", crate::text::guard(&source.to_string()))]
    Begin {
        /// The file, escaped.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The packets cannot be kept any more.
    #[error("cannot write the packets to {path}: {}; the capture ends here", crate::text::guard(&source.to_string()))]
    Keep {
        /// The file, escaped.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// How time passes for the engine.
#[derive(Debug)]
enum Clock {
    /// As it does here: frames are stamped by this host.
    Real,
    /// As it did where the frames were captured: the last frame's time, and what has passed since it came.
    Frames { last: Option<Timestamp>, came: Instant },
}

impl Clock {
    fn now(&self) -> Option<Timestamp> {
        match self {
            Self::Real => Some(wall()),
            Self::Frames { last, came } => {
                let passed = i64::try_from(came.elapsed().as_nanos()).unwrap_or(i64::MAX);
                last.map(|t| Timestamp(t.0.saturating_add(passed)))
            }
        }
    }
}

/// The time of this host.
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A running capture.
pub struct Session {
    source: Box<dyn Live>,
    analyzer: Analyzer,
    sinks: Vec<Box<dyn Sink>>,
    clock: Clock,
    looked: Instant,
    until: Option<Instant>,
    fragments: Fragments,
    /// Told to the sinks and not taken yet.
    ended: Vec<FlowReport>,
    decided: Vec<FlowReport>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("info", self.source.info()).finish_non_exhaustive()
    }
}

impl Session {
    /// Begins to analyse a source; every frame goes to the sinks too.
    pub fn new(source: Box<dyn Live>, options: Options, sinks: Vec<Box<dyn Sink>>) -> Self {
        let mut analyzer = Analyzer::new(Options { live: true, ..options });
        analyzer.begin_source();
        let now = Instant::now();
        let is_here = source.info().format == Some(Format::Live);
        let clock = if is_here { Clock::Real } else { Clock::Frames { last: None, came: now } };
        let (ended, decided) = (Vec::new(), Vec::new());
        let fragments = Fragments::default();
        Self { source, analyzer, sinks, clock, looked: now, until: None, fragments, ended, decided }
    }

    /// No more frames are taken after so long from now.
    pub fn stop_after(&mut self, time: Duration) {
        self.until = Instant::now().checked_add(time);
    }

    /// The source is known to be a capture: see [`Live::is_begun`].
    pub fn is_begun(&self) -> bool {
        self.source.is_begun()
    }

    /// Takes the frames that are there, a bounded number; where there are none, waits for some, at most so long. False
    /// when none will come any more, or the time is over.
    ///
    /// # Errors
    /// When the source or a sink has failed. What was found until then can still be had.
    pub fn turn(&mut self, at_most: Duration) -> Result<bool, Error> {
        let taken = self.take_frames()?;
        if taken == 0
            && let Some(now) = self.clock.now()
        {
            self.analyzer.tick(Timestamp(now.0.saturating_sub(BEHIND_NS)));
        }
        self.tell()?;
        let look = self.looked.elapsed() >= LOOK;
        if look {
            self.looked = Instant::now();
            self.count_lost();
        }
        if look || taken == 0 {
            for s in &mut self.sinks {
                s.rest().map_err(|e| keep_error(s.as_ref(), e))?;
            }
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Ok(false);
        }
        if taken > 0 { Ok(true) } else { Ok(self.source.wait(at_most)?) }
    }

    /// Tells the sinks what became of flows.
    fn tell(&mut self) -> Result<(), Error> {
        let (ended, decided, silent) =
            (self.analyzer.take_flows(), self.analyzer.take_decided(), self.analyzer.take_silent());
        let mut result = Ok(());
        for s in &mut self.sinks {
            let mut told = decided.iter().try_for_each(|f| s.decided(f));
            told = told.and_then(|()| ended.iter().try_for_each(|f| s.ended(f)));
            silent.iter().for_each(|id| s.silent(*id));
            result = result.and(told.map_err(|e| keep_error(s.as_ref(), e)));
        }
        self.ended.extend(ended);
        self.decided.extend(decided);
        result
    }

    fn take_frames(&mut self) -> Result<usize, Error> {
        let mut latest = None;
        for n in 0..FRAMES {
            let Some(frame) = self.source.next()? else {
                self.seen(latest);
                return Ok(n);
            };
            latest = frame.time.or(latest);
            self.analyzer.push(&frame);
            let wanted = self.analyzer.wanted();
            if self.analyzer.is_fragment() {
                self.fragments.add(&frame);
            }
            for no in self.analyzer.fragments() {
                let Some(flow) = wanted else { continue };
                match self.fragments.take(*no) {
                    Some(earlier) => {
                        for s in &mut self.sinks {
                            s.fragment(&earlier.frame(), flow).map_err(|e| keep_error(s.as_ref(), e))?;
                        }
                    }
                    None if self.fragments.has_lost(*no) => self.sinks.iter_mut().for_each(|s| s.missing(flow)),
                    None => {}
                }
            }
            for s in &mut self.sinks {
                s.frame(&frame, wanted).map_err(|e| keep_error(s.as_ref(), e))?;
            }
        }
        self.seen(latest);
        Ok(FRAMES)
    }

    fn seen(&mut self, latest: Option<Timestamp>) {
        if let (Clock::Frames { last, came }, Some(time)) = (&mut self.clock, latest) {
            (*last, *came) = (Some(time), Instant::now());
        }
    }

    fn count_lost(&mut self) {
        if let (Some(total), Some(now)) = (self.source.count_lost(), self.clock.now()) {
            self.analyzer.lost(total, now);
        }
    }

    /// Flows whose handshake is decided and that are still open, each once.
    pub fn take_decided(&mut self) -> Vec<FlowReport> {
        std::mem::take(&mut self.decided)
    }

    /// Flows that have ended.
    pub fn take_flows(&mut self) -> Vec<FlowReport> {
        std::mem::take(&mut self.ended)
    }

    /// What is known of the source.
    pub fn info(&self) -> &SourceInfo {
        self.source.info()
    }

    /// Frames decoded and TCP connections seen.
    pub fn counts(&self) -> (u64, u64) {
        self.analyzer.counts()
    }

    /// The capture is over, of itself or because of `why`: what the kernel still holds is taken, everything open is
    /// reported, sinks are closed. Gives the last flows, and what is to be said: `why`, or that a sink failed at the end.
    pub fn finish(mut self, why: Option<Error>) -> Finished {
        if why.is_none() {
            let end = Instant::now().checked_add(LAST_FRAMES);
            self.source.stop();
            let _ = self.source.wait(LAST_WAIT);
            while end.is_some_and(|end| Instant::now() < end) && self.take_frames().is_ok_and(|n| n > 0) {}
        }
        self.count_lost();
        let mut info = self.source.info().clone();
        let problem = |message: String| Problem { frame: None, offset: None, message };
        if let Some(why) = &why {
            info.complete = false;
            info.problems.push(problem(why.to_string()));
        }
        self.analyzer.end_source(&info);
        // What is still open is decided now; only then sinks have all that they can have.
        let mut failed = self.tell().err();
        let mut left_out = Vec::new();
        for mut s in std::mem::take(&mut self.sinks) {
            if let Err(e) = s.end(&info) {
                failed.get_or_insert(keep_error(s.as_ref(), e));
            }
            left_out.extend(s.left_out());
        }
        let mut sources = self.analyzer.sources().to_vec();
        if let Some(source) = sources.last_mut() {
            if let (Some(failed), None) = (&failed, &why) {
                source.info.complete = false;
                source.info.problems.push(problem(failed.to_string()));
            }
            source.info.problems.extend(left_out.iter().cloned().map(problem));
        }
        let (flows, findings) = (std::mem::take(&mut self.ended), self.analyzer.findings());
        Finished { flows, sources, findings, why: why.or(failed), left_out }
    }
}

/// What is left of a session.
#[derive(Debug)]
pub struct Finished {
    /// The flows that were still open.
    pub flows: Vec<FlowReport>,
    /// The source.
    pub sources: Vec<SourceReport>,
    /// What is true of several flows together.
    pub findings: Vec<Finding>,
    /// Why it ended before it was told to.
    pub why: Option<Error>,
    /// What sinks had to leave out, one sentence each; safe to print. The source's problems have them too.
    pub left_out: Vec<String>,
}

fn keep_error(sink: &dyn Sink, source: io::Error) -> Error {
    Error::Keep { path: sink.name().to_owned(), source }
}

//! A live source, its analyzer and a clock together: what the command line and the UI both run.
//!
//! [`Session::turn`] does a bounded piece of work, so that whoever calls it stays in command: it looks at signals, writes
//! what was found, and draws, between two turns.
#![allow(
    clippy::disallowed_methods,
    reason = "time-outs must fire on a silent wire; only this hands the engine a clock"
)]

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::analyzer::{Analyzer, FlowReport, Options, SourceReport};
use crate::capture::live::{self, Live};
use crate::capture::{Format, Frame, PcapngBlocks, Problem, SourceInfo};
use crate::diagnose::Finding;
use crate::scribe::{Job, Rotation, Scribe};
use crate::span::Timestamp;

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
    /// The packets cannot be kept.
    #[error("cannot write the packets to {path}: {}; the capture ends here", crate::text::guard(&source.to_string()))]
    Keep {
        /// The file, escaped.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Takes every frame when it was analysed.
pub trait Sink: Send {
    /// A frame, and the flow whose handshake it belongs to (see [`Analyzer::wanted`]).
    ///
    /// # Errors
    /// When it cannot be kept.
    fn frame(&mut self, frame: &Frame<'_>, wanted: Option<u64>) -> io::Result<()>;

    /// Nothing comes just now: what was gathered can be handed on.
    ///
    /// # Errors
    /// When it cannot be.
    fn rest(&mut self) -> io::Result<()>;

    /// Nothing comes any more.
    ///
    /// # Errors
    /// When something could not be kept.
    fn end(&mut self, info: &SourceInfo) -> io::Result<()>;

    /// Where it goes, for messages; safe to print.
    fn name(&self) -> &str;
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
        Self { source, analyzer, sinks, clock, looked: now }
    }

    /// Takes the frames that are there, a bounded number; where there are none, waits for some, at most so long. False
    /// when none will come any more.
    ///
    /// # Errors
    /// When the source or a sink has failed. What was found until then can still be had.
    pub fn turn(&mut self, at_most: Duration) -> Result<bool, Error> {
        let taken = self.take_frames()?;
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
        if taken > 0 {
            return Ok(true);
        }
        if let Some(now) = self.clock.now() {
            self.analyzer.tick(Timestamp(now.0.saturating_sub(BEHIND_NS)));
        }
        Ok(self.source.wait(at_most)?)
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
        self.analyzer.take_decided()
    }

    /// Flows that have ended.
    pub fn take_flows(&mut self) -> Vec<FlowReport> {
        self.analyzer.take_flows()
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
    pub fn finish(mut self, mut why: Option<Error>) -> Finished {
        if why.is_none() {
            let end = Instant::now().checked_add(LAST_FRAMES);
            let _ = self.source.wait(LAST_WAIT);
            while end.is_some_and(|end| Instant::now() < end) && self.take_frames().is_ok_and(|n| n > 0) {}
        }
        self.count_lost();
        let mut info = self.source.info().clone();
        for mut s in std::mem::take(&mut self.sinks) {
            if let Err(e) = s.end(&info) {
                why.get_or_insert(keep_error(s.as_ref(), e));
            }
        }
        if let Some(why) = &why {
            info.complete = false;
            info.problems.push(Problem { frame: None, offset: None, message: why.to_string() });
        }
        self.analyzer.end_source(&info);
        let flows = self.analyzer.take_flows();
        let (sources, findings) = (self.analyzer.sources().to_vec(), self.analyzer.findings());
        Finished { flows, sources, findings, why }
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
}

fn keep_error(sink: &dyn Sink, source: io::Error) -> Error {
    Error::Keep { path: sink.name().to_owned(), source }
}

/// Keeps all packets in pcapng files, which a [`Scribe`] writes.
#[derive(Debug)]
pub struct Keeper {
    scribe: Option<Scribe>,
    blocks: PcapngBlocks,
    buffer: Vec<u8>,
    name: String,
}

impl Keeper {
    /// Opens the first file. Interface and snap length are what the file will say of its packets.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn begin(rotation: Rotation, interface: &str, snap_len: u32) -> Result<Self, Error> {
        let name = crate::text::escape(&rotation.path.to_string_lossy()).into_owned();
        let path: PathBuf = rotation.path.clone();
        let fail = |source| Error::Keep { path: crate::text::escape(&path.to_string_lossy()).into_owned(), source };
        let mut scribe = Scribe::start(&Job::Keep(rotation)).map_err(fail)?;
        let blocks = PcapngBlocks::new(interface, snap_len);
        let mut buffer = Vec::new();
        blocks.preamble(&mut buffer);
        scribe.preamble(&buffer).map_err(fail)?;
        Ok(Self { scribe: Some(scribe), blocks, buffer, name })
    }
}

impl Sink for Keeper {
    fn frame(&mut self, frame: &Frame<'_>, _: Option<u64>) -> io::Result<()> {
        let Some(scribe) = self.scribe.as_mut() else { return Ok(()) };
        self.buffer.clear();
        let new = self.blocks.frame(frame, &mut self.buffer);
        scribe.data(&self.buffer)?;
        if new {
            self.buffer.clear();
            self.blocks.preamble(&mut self.buffer);
            scribe.preamble(&self.buffer)?;
        }
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.scribe.as_mut().map_or(Ok(()), Scribe::flush)
    }

    fn end(&mut self, info: &SourceInfo) -> io::Result<()> {
        let Some(mut scribe) = self.scribe.take() else { return Ok(()) };
        self.buffer.clear();
        if let (Some(lost), Some(at)) = (info.dropped, info.last_time) {
            PcapngBlocks::lost(lost, at, &mut self.buffer);
        }
        // Also a file without a packet says what it is.
        scribe.data(&self.buffer)?;
        scribe.finish()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

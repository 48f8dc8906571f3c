//! The threads that read: one loads the list, one reads a single flow again when it is opened. Both speak to the screen
//! through bounded channels, so that a slow terminal holds the reader back instead of filling memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use crossbeam_channel::TrySendError;
use crossbeam_channel::{Receiver, Sender};

use crate::analyzer::{self, Analyzer, Detail, FlowRef, FlowReport, Options, SourceReport};
use crate::capture::{self, CaptureFile, Frame, Problem, Source, SourceInfo};
use crate::diagnose::Finding;
#[cfg(target_os = "linux")]
use crate::live::{self, Session};
use crate::report::{self, Writer};

use super::input::Input;
use super::row::{Row, Shared};

/// Rows that go to the screen at once, and batches that may wait there.
const BATCH: usize = 1024;
const BATCHES: usize = 16;

/// How often progress is told, and after how many frames the clock is looked at.
const TELL: Duration = Duration::from_millis(50);
const FRAMES_PER_LOOK: u64 = 128;

/// How far the loading is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// Bytes of the file read.
    pub(crate) bytes: u64,
    /// Its length, where known.
    pub(crate) total: Option<u64>,
    /// Frames read.
    pub(crate) frames: u64,
    /// Frames that held TCP or UDP.
    pub(crate) decoded: u64,
    /// TCP connections.
    pub(crate) connections: u64,
    /// Time since the loading began.
    pub(crate) elapsed: Duration,
    /// Of a live capture.
    pub(crate) live: Option<Pace>,
}

/// How a live capture goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Packets in the last second.
    pub(crate) rate: u64,
    /// Packets lost by the kernel or the interface.
    pub(crate) lost: u64,
    /// Flows that a screen which did not take them for long will not get.
    pub(crate) left: u64,
}

/// What comes from the threads.
#[derive(Debug)]
pub(crate) enum News {
    /// More flows, or just more progress.
    Rows(Vec<Row>, Progress),
    /// The input was read to its end.
    Loaded(Box<End>),
    /// A flow that was asked for.
    Opened(u64, Result<Box<Detail>, String>),
    /// A file was written, or why not.
    Saved(Result<String, String>),
    /// Two flows that were to be compared.
    Compared(u64, u64, Result<Box<(Detail, Detail)>, String>),
}

/// How the loading ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    /// What the reader says.
    pub(crate) info: SourceInfo,
    /// What was no TCP or UDP, by reason.
    pub(crate) skipped: Vec<(&'static str, u64)>,
    /// Connections dropped because too many were open.
    pub(crate) evicted: u64,
    /// Reading broke off.
    pub(crate) error: Option<String>,
}

/// The report that is printed when a signal ends the UI, in text: nothing else remembers all that is said of a flow. It is
/// short whatever the capture holds.
pub(crate) type Report = Vec<u8>;

/// Writes it as flows come. Memory takes everything, so that there are no errors.
struct Told<'r>(Box<dyn Writer + 'r>);

impl<'r> Told<'r> {
    fn new(to: &'r mut Report, options: &report::Options) -> Self {
        let mut writer = (report::TEXT.make)(to, options);
        let _ = writer.begin();
        Self(writer)
    }

    fn flow(&mut self, f: &FlowReport) {
        let _ = self.0.flow(f);
    }

    fn finish(mut self, sources: &[SourceReport], findings: &[Finding]) {
        let _ = self.0.finish(sources, findings);
    }
}

/// Starts the loader; its thread gives the report of what it read.
pub(crate) fn load(
    file: CaptureFile,
    options: Options,
    report: report::Options,
    stop: Arc<AtomicBool>,
) -> (Receiver<News>, JoinHandle<Report>) {
    let (tx, rx) = crossbeam_channel::bounded(BATCHES);
    (rx, thread::spawn(move || loader(file, options, &report, &stop, &tx)))
}

fn loader(
    mut file: CaptureFile,
    options: Options,
    report: &report::Options,
    stop: &AtomicBool,
    tx: &Sender<News>,
) -> Report {
    let started = Instant::now();
    let mut analyzer = Analyzer::new(options);
    analyzer.begin_source();
    let mut page = Report::new();
    let mut told = Told::new(&mut page, report);
    let mut shared = Shared::default();
    let mut rows: Vec<Row> = Vec::new();
    let mut last = started;
    let mut frames = 0u64;
    let mut error = None;
    // A frame must be given back before the file can be asked for anything else.
    loop {
        match file.next_frame() {
            Ok(Some(frame)) => analyzer.push(&frame),
            Ok(None) => break,
            Err(e) => {
                error = Some(e.to_string());
                break;
            }
        }
        frames = frames.saturating_add(1);
        if analyzer.has_flows() {
            for f in analyzer.take_flows() {
                told.flow(&f);
                rows.push(Row::new(&f, &mut shared));
            }
        }
        if frames.is_multiple_of(FRAMES_PER_LOOK) || rows.len() >= BATCH {
            let now = Instant::now();
            let mut gone = stop.load(Ordering::Relaxed);
            if !gone && (rows.len() >= BATCH || now.duration_since(last) >= TELL) {
                last = now;
                let p = progress(&file, &analyzer, started);
                gone = tx.send(News::Rows(std::mem::take(&mut rows), p)).is_err();
            }
            if gone {
                error = Some(format!("the rest was not read: tlscope was told to end at frame {frames}"));
                break;
            }
        }
    }
    let mut info = file.info().clone();
    if let Some(message) = &error {
        info.complete = false;
        info.problems.push(Problem { frame: None, offset: None, message: message.clone() });
    }
    loop {
        let more = analyzer.wind_up(&info);
        for f in analyzer.take_flows() {
            told.flow(&f);
            rows.push(Row::new(&f, &mut shared));
        }
        // Where nobody is there any more, what was read is still to be reported.
        let _ = tx.send(News::Rows(std::mem::take(&mut rows), progress(&file, &analyzer, started)));
        if !more {
            break;
        }
    }
    analyzer.end_source(&info);
    let mut end = End { error, ..End::default() };
    if let Some(s) = analyzer.sources().last() {
        // With what the analyzer had to say of the input.
        end.info = s.info.clone();
        end.skipped = s.skipped.iter().map(|(k, v)| (*k, *v)).collect();
        end.evicted = s.evicted;
    }
    let _ = tx.send(News::Loaded(Box::new(end)));
    told.finish(analyzer.sources(), &analyzer.findings());
    page
}

/// How a live capture ended: its report, and what went wrong.
#[cfg(target_os = "linux")]
type Watched = (Report, Option<live::Error>);

/// Starts a live capture; the thread has written everything it keeps when it has ended.
#[cfg(target_os = "linux")]
pub(crate) fn watch(
    session: Session,
    report: report::Options,
    stop: Arc<AtomicBool>,
) -> (Receiver<News>, JoinHandle<Watched>) {
    let (tx, rx) = crossbeam_channel::bounded(BATCHES);
    (rx, thread::spawn(move || watcher(session, &report, &stop, &tx)))
}

#[cfg(target_os = "linux")]
fn watcher(mut session: Session, report: &report::Options, stop: &AtomicBool, tx: &Sender<News>) -> Watched {
    let started = Instant::now();
    let mut page = Report::new();
    let mut told = Told::new(&mut page, report);
    let mut shared = Shared::default();
    let mut rows: Vec<Row> = Vec::new();
    let mut last = started;
    let mut second = (started, 0);
    let mut pace = Pace::default();
    let why = loop {
        if stop.load(Ordering::Relaxed) {
            break None;
        }
        let goes_on = session.turn(TELL);
        for f in session.take_flows() {
            told.flow(&f);
            rows.push(Row::new(&f, &mut shared));
        }
        rows.extend(session.take_decided().iter().map(|f| Row::new(f, &mut shared)));
        let now = Instant::now();
        if rows.len() >= BATCH || now.duration_since(last) >= TELL {
            last = now;
            let frames = session.info().frames;
            let passed = now.duration_since(second.0);
            if passed >= Duration::from_secs(1) {
                let new = frames.saturating_sub(second.1) as f64;
                pace.rate = (new / passed.as_secs_f64()) as u64;
                second = (now, frames);
            }
            pace.lost = session.info().dropped.unwrap_or(0);
            // A screen that is slow, or stopped, must not hold the capture back: what it did not take goes with the next.
            match tx.try_send(News::Rows(std::mem::take(&mut rows), live_progress(&session, started, pace))) {
                Ok(()) => {}
                Err(TrySendError::Full(News::Rows(back, _))) => rows = back,
                Err(_) => break None,
            }
            let over = rows.len().saturating_sub(crate::limits::LIVE_ROWS);
            rows.drain(..over);
            pace.left = pace.left.saturating_add(over as u64);
        }
        match goes_on {
            Ok(true) => {}
            Ok(false) => break None,
            Err(e) => break Some(e),
        }
    };
    let p = live_progress(&session, started, pace);
    let finished = session.finish(why);
    finished.flows.iter().for_each(|f| told.flow(f));
    rows.extend(finished.flows.iter().map(|f| Row::new(f, &mut shared)));
    let mut end = End { error: finished.why.as_ref().map(ToString::to_string), ..End::default() };
    if let Some(s) = finished.sources.first() {
        end.info = s.info.clone();
        end.skipped = s.skipped.iter().map(|(k, v)| (*k, *v)).collect();
        end.evicted = s.evicted;
    }
    // Nobody may be there any more.
    if !stop.load(Ordering::Relaxed) && tx.send(News::Rows(rows, p)).is_ok() {
        let _ = tx.send(News::Loaded(Box::new(end)));
    }
    told.finish(&finished.sources, &finished.findings);
    (page, finished.why)
}

#[cfg(target_os = "linux")]
fn live_progress(session: &Session, started: Instant, pace: Pace) -> Progress {
    let (decoded, connections) = session.counts();
    let info = session.info();
    Progress {
        bytes: info.bytes,
        total: None,
        frames: info.frames,
        decoded,
        connections,
        elapsed: started.elapsed(),
        live: Some(pace),
    }
}

fn progress(file: &CaptureFile, analyzer: &Analyzer, started: Instant) -> Progress {
    let (bytes, total) = file.progress();
    let (decoded, connections) = analyzer.counts();
    Progress { bytes, total, frames: file.info().frames, decoded, connections, elapsed: started.elapsed(), live: None }
}

/// What is read again.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// One flow.
    One(FlowRef),
    /// Two, to be compared.
    Two(FlowRef, FlowRef),
}

/// Reads single flows again. A new request breaks off the one before: whoever scrolls on does not wait.
#[derive(Debug)]
pub(crate) struct Details {
    requests: Sender<(u64, Request)>,
    wanted: Arc<AtomicU64>,
    serial: u64,
}

impl Details {
    /// Starts the thread; answers come out of the receiver.
    pub(crate) fn start(input: Input, options: Options) -> (Self, Receiver<News>) {
        let (requests, inbox) = crossbeam_channel::unbounded::<(u64, Request)>();
        let (tx, rx) = crossbeam_channel::bounded(2);
        let wanted = Arc::new(AtomicU64::new(0));
        let want = wanted.clone();
        thread::spawn(move || {
            for (serial, which) in inbox {
                if want.load(Ordering::Relaxed) != serial {
                    continue;
                }
                let read = |which: &FlowRef| read(&input, which, &options, &want, serial);
                let news = match which {
                    Request::One(a) => News::Opened(a.id, read(&a).map(Box::new)),
                    Request::Two(a, b) => {
                        let both = read(&a).and_then(|first| Ok(Box::new((first, read(&b)?))));
                        News::Compared(a.id, b.id, both)
                    }
                };
                if want.load(Ordering::Relaxed) == serial && tx.send(news).is_err() {
                    return;
                }
            }
        });
        (Self { requests, wanted, serial: 0 }, rx)
    }

    /// Asks for a flow or two.
    pub(crate) fn ask(&mut self, which: Request) {
        self.serial = self.serial.saturating_add(1);
        self.wanted.store(self.serial, Ordering::Relaxed);
        let _ = self.requests.send((self.serial, which));
    }

    /// Nobody waits any more.
    pub(crate) fn forget(&mut self) {
        self.serial = self.serial.saturating_add(1);
        self.wanted.store(self.serial, Ordering::Relaxed);
    }
}

fn read(input: &Input, which: &FlowRef, options: &Options, wanted: &AtomicU64, serial: u64) -> Result<Detail, String> {
    let file = input.again().map_err(|e| e.to_string())?;
    let mut file = Breakable { file, wanted, serial };
    analyzer::detail(&mut file, which, options).map_err(|e| e.to_string())
}

/// A capture that ends when another flow is wanted.
struct Breakable<'a> {
    file: Box<dyn Source>,
    wanted: &'a AtomicU64,
    serial: u64,
}

impl Source for Breakable<'_> {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, capture::Error> {
        if self.wanted.load(Ordering::Relaxed) != self.serial {
            return Ok(None);
        }
        self.file.next_frame()
    }

    fn info(&self) -> &SourceInfo {
        self.file.info()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.file.progress()
    }
}

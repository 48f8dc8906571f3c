//! `tlscope report`: reads inputs one after the other, writes one report, says by its exit code what it found.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::analyzers::Analyzers;
use super::args::{Global, ReportArgs};
use super::output::{How, Output, verdict};
use super::{DAMAGED, FOUND, OK, complain, confine};
use crate::analyzer::Analyzer;
use crate::baseline::{Baseline, Comparison};
use crate::capture::{self, Opened, Source};
use crate::diagnose::{Audit, Policy, Severity, breaks_expectation};
use crate::report::{self, Style, Writer};
use crate::sandbox::{self, Needs};
use crate::text::count;
use crate::tui::Select;

/// Frames between two looks at flows that have ended.
const BATCH: u32 = 256;

/// Runs it; gives the exit code.
pub(super) fn run(args: &ReportArgs, global: &Global) -> u8 {
    let to = args.output.as_ref().map_or_else(|| "standard output".to_owned(), |p| p.display().to_string());
    let result = write(args, global);
    verdict(result, &to)
}

fn write(args: &ReportArgs, global: &Global) -> io::Result<u8> {
    let Some(format) = report::format(&args.format) else { return Ok(super::USAGE) };
    let expect = match super::expect::expectations(args) {
        Ok(expect) => expect,
        Err(sentence) => {
            complain(&sentence);
            return Ok(super::USAGE);
        }
    };
    let filter = match args.filter.as_deref().map(Select::parse).transpose() {
        Ok(filter) => filter,
        Err(sentence) => {
            complain(&format!("--filter: {sentence}"));
            return Ok(super::USAGE);
        }
    };
    // Everything is opened while there is a right to.
    let policy = match args.trust.add_to(Policy { expect, ..Policy::default() }) {
        Ok(policy) => policy,
        Err(sentence) => {
            complain(&sentence);
            return Ok(super::USAGE);
        }
    };
    sandbox::make_room(args.files.len());
    let files: Vec<_> = args.files.iter().map(|f| (f.as_path(), Opened::new(f))).collect();
    let baseline = args.baseline.as_deref().map(|p| (p.to_string_lossy(), std::fs::File::open(p)));
    let mut output = Output::open(args.output.as_deref(), How::Whole, &global.rights())?;
    let is_terminal = args.output.is_none() && io::stdout().is_terminal();
    let options = report::Options {
        style: style(global, is_terminal),
        inputs: match args.redact {
            true => (1..=args.files.len()).map(|n| format!("capture {n}")).collect(),
            false => args.files.iter().map(|f| f.to_string_lossy().into_owned()).collect(),
        },
    };
    if let Err(e) = confine(Needs::default(), global) {
        complain(&e);
        return Ok(DAMAGED);
    }
    let old = baseline.map(|(path, file)| {
        let file = file.map_err(|e| format!("--baseline {path}: {e}"))?;
        Baseline::read(file, &path).map_err(|e| e.to_string())
    });
    let old = match old.transpose() {
        Ok(old) => old,
        Err(sentence) => {
            complain(&sentence);
            return Ok(DAMAGED);
        }
    };
    // Beside a baseline the limit is for what is new.
    let least = args.fail_on.map_or(Severity::Error, Severity::from);
    let comparison = old.map(|old| Comparison::new(old, least));
    let limit = args.fail_on.map(Severity::from).filter(|_| comparison.is_none());
    let mut writer = (format.make)(&mut output, &options);
    writer.begin()?;
    let needs_names = filter.is_some() || comparison.is_some();
    let mut analyzers = Analyzers::new(policy, args.redact, needs_names);
    let mut taker = Taker { writer: writer.as_mut(), audit: Audit::default(), comparison, filter, broken: false };
    let mut damaged = false;
    for (path, file) in files {
        damaged |= !read(path, file, &mut analyzers, &mut taker, global)?;
    }
    let broken = taker.finish(&mut analyzers)?;
    let worst = writer.summary().worst();
    drop(writer);
    output.close()?;
    let found = broken || limit.is_some_and(|limit| worst.is_some_and(|w| w >= limit));
    Ok(match (damaged, found) {
        (true, _) => DAMAGED,
        (false, true) => FOUND,
        (false, false) => OK,
    })
}

/// How text looks: as wide as the terminal; in ASCII where the locale is not UTF-8.
pub(super) fn style(global: &Global, is_terminal: bool) -> Style {
    let width = if is_terminal { crossterm::terminal::size().map_or(100, |(w, _)| usize::from(w)) } else { 100 };
    Style { color: global.color.for_terminal(is_terminal), unicode: super::locale_is_utf8(), width }
}

/// Reads one input; false when it could not be read as a whole. `Err` is an error of the output.
fn read(
    path: &Path,
    file: Result<Opened, capture::Error>,
    analyzers: &mut Analyzers,
    taker: &mut Taker<'_, '_>,
    global: &Global,
) -> io::Result<bool> {
    analyzers.begin_source();
    let mut file = match file.and_then(Opened::begin) {
        Ok(file) => file,
        Err(e) => {
            complain(&e.to_string());
            analyzers.end_source(&report::unopened(&path.to_string_lossy(), &e.to_string()));
            return Ok(false);
        }
    };
    let mut progress = Progress::new(global);
    let streaming = path == Path::new("-");
    let mut failure = None;
    let mut batch = 0u32;
    loop {
        match file.next_frame() {
            Ok(Some(frame)) => analyzers.push(&frame),
            Ok(None) => break,
            Err(e) => {
                failure = Some(e.to_string());
                break;
            }
        }
        batch = batch.wrapping_add(1);
        if batch.is_multiple_of(BATCH) || streaming {
            taker.take(analyzers, streaming)?;
            progress.show(&file);
        }
    }
    progress.clear();
    let mut info = file.info().clone();
    if let Some(message) = failure {
        complain(&message);
        info.complete = false;
        info.problems.push(capture::Problem { frame: None, offset: None, message });
    }
    while analyzers.wind_up(&info) {
        taker.take(analyzers, streaming)?;
    }
    analyzers.end_source(&info);
    taker.take(analyzers, streaming)?;
    let Some(source) = analyzers.told.sources().last() else { return Ok(true) };
    if let Some(p) = source.info.problems.last().filter(|_| !source.info.complete) {
        complain(&format!("{}: {}", path.display(), p.message));
    }
    Ok(source.info.complete)
}

/// Takes flows as they end: to the report, and to what is decided when all are there.
struct Taker<'w, 'o> {
    writer: &'w mut (dyn Writer + 'o),
    audit: Audit,
    comparison: Option<Comparison>,
    filter: Option<Select>,
    broken: bool,
}

impl Taker<'_, '_> {
    fn take(&mut self, analyzers: &mut Analyzers, streaming: bool) -> io::Result<()> {
        if !analyzers.told.has_flows() {
            return Ok(());
        }
        for (flow, by_name) in analyzers.take_flows() {
            let by_name = by_name.as_ref().unwrap_or(&flow);
            if self.filter.as_mut().is_some_and(|f| !f.lets_through(by_name)) {
                continue;
            }
            self.audit.add(&flow.facts, analyzers.told.policy());
            if let Some(c) = &mut self.comparison {
                c.add(by_name);
            }
            self.broken |= flow.diagnosis.findings.iter().any(breaks_expectation);
            self.writer.flow(&flow)?;
        }
        if streaming { self.writer.flush() } else { Ok(()) }
    }

    /// Writes the rest; true when an expectation is broken.
    fn finish(self, analyzers: &mut Analyzers) -> io::Result<bool> {
        let of_all = |a: &Analyzer| {
            let mut findings = self.audit.findings(a.policy());
            findings.extend(a.findings());
            findings
        };
        let mut findings = of_all(&analyzers.told);
        if let Some(c) = self.comparison {
            let differences = match &analyzers.by_name {
                Some(a) => c.findings(&of_all(a), Some(analyzers.told.names())),
                None => c.findings(&findings, None),
            };
            findings.extend(differences);
        }
        self.writer.finish(analyzers.told.sources(), &findings)?;
        Ok(self.broken || findings.iter().any(|f| breaks_expectation(f) || Comparison::breaks(f)))
    }
}

/// How far reading has come, on a standard error that is a terminal.
struct Progress {
    shown: bool,
    next: Option<Instant>,
    began: Instant,
}

impl Progress {
    /// Nothing is shown for what is read within this time.
    const PATIENCE: Duration = Duration::from_millis(400);

    fn new(global: &Global) -> Self {
        let wanted = !global.quiet && io::stderr().is_terminal();
        let now = Instant::now();
        Self { shown: false, next: wanted.then(|| now.checked_add(Self::PATIENCE)).flatten(), began: now }
    }

    fn show(&mut self, file: &dyn Source) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = now.checked_add(Duration::from_millis(100));
        self.shown = true;
        let (done, total) = file.progress();
        let mib = |n: u64| n / (1 << 20);
        let frames = file.info().frames;
        let part = match total {
            Some(total) if total > 0 => {
                let left = total
                    .saturating_sub(done)
                    .saturating_mul(self.began.elapsed().as_millis() as u64)
                    .checked_div(done)
                    .unwrap_or(0);
                format!("{} of {} MiB, {} s left", mib(done), mib(total), left / 1000)
            }
            _ => format!("{} MiB", mib(done)),
        };
        let _ = write!(io::stderr(), "\r\x1b[Ktlscope: {part}, {}", count(frames, "frame"));
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

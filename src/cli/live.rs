//! `tlscope live`: an interface, or a capture that grows, reported as it happens.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::args::{FailOn, Global};
use super::live_args::LiveArgs;
use super::output::{How, Output, is_stdout, is_unread, verdict};
use super::report::style;
use super::trust::TrustArgs;
use super::{DAMAGED, FOUND, OK, complain, confine};
use crate::analyzer::Options;
use crate::capture::live::{self, Capture, Live, Stream, Through};
use crate::diagnose::{Policy, Severity};
use crate::live::{Direct, Finished, Keeper, Session, Sieve, Sink};
use crate::report::{self, Writer};
use crate::sandbox::Needs;
use crate::signals::Signals;
use crate::text::count;

/// How long one turn may wait: signals are answered, and flows told, within that.
const TURN: Duration = Duration::from_millis(100);

/// Between two looks at whether anybody reads.
const LOOK: Duration = Duration::from_millis(250);

/// What messages call it.
const STDOUT: &str = "standard output";

/// Between two looks at the counters on a terminal.
const COUNTERS: Duration = Duration::from_millis(500);

/// What was opened while there was a right to.
pub(super) struct Prepared {
    source: Source,
    sinks: Vec<Box<dyn Sink>>,
    duration: Option<Duration>,
    /// How many packets were kept, and where.
    kept: Option<(Arc<AtomicU64>, String)>,
}

enum Source {
    Interface(Box<Capture>),
    Stdin,
    /// A named pipe, or whatever else can be read once only.
    Pipe(File, String),
    Follow(File, String),
}

impl Source {
    /// A capture stream: standard input for `-`.
    fn stream(path: &Path) -> Result<Self, String> {
        if path.as_os_str() != "-" {
            return open_file(path).map(|(file, name)| Self::Pipe(file, name));
        }
        if io::stdin().is_terminal() { Err(crate::tui::Error::StdinIsTerminal.to_string()) } else { Ok(Self::Stdin) }
    }
}

fn open_file(path: &Path) -> Result<(File, String), String> {
    let name = path.to_string_lossy().into_owned();
    let file = File::open(path).map_err(|e| format!("cannot open {}: {e}", crate::text::escape(&name)))?;
    Ok((file, name))
}

/// True for what `tlscope PATH` reads as it grows: standard input, pipes, devices.
pub(super) fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-" || std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// Why something was not opened: a sentence, and the exit code.
pub(super) struct Refusal(pub(super) String, pub(super) u8);

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self(sentence, DAMAGED)
    }
}

impl From<live::Error> for Refusal {
    fn from(e: live::Error) -> Self {
        let code = if matches!(e, live::Error::Filter(_)) { super::USAGE } else { DAMAGED };
        Self(e.to_string(), code)
    }
}

impl Refusal {
    /// Says it; gives the exit code.
    pub(super) fn tell(self) -> u8 {
        complain(&self.0);
        self.1
    }
}

impl Prepared {
    /// Opens source and files.
    pub(super) fn open(args: &LiveArgs, global: &Global) -> Result<Self, Refusal> {
        if let Some(why) = wrong(args) {
            return Err(Refusal(why.into(), super::USAGE));
        }
        let source = match (args.capture(), &args.follow) {
            (Some(options), _) => Source::Interface(Box::new(live::open(&options)?)),
            (None, Some(path)) => open_file(path).map(|(file, name)| Source::Follow(file, name))?,
            (None, None) => Source::stream(Path::new("-"))?,
        };
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        let (name, snap_len) = match &source {
            Source::Interface(c) => (c.info().path.as_str(), c.info().snap_len),
            _ => ("", 0),
        };
        let mut kept = None;
        if args.write.as_deref().is_some_and(is_stdout) {
            let out = io::BufWriter::with_capacity(1 << 16, io::stdout());
            let direct = Direct::begin(out, name, snap_len, STDOUT)
                .map_err(|e| format!("cannot write the packets to {STDOUT}: {e}"))?;
            sinks.push(sieved(Box::new(direct), args.write_on));
        } else if let Some(rotation) = args.rotation() {
            let keeper = Keeper::begin(rotation, &global.rights(), name, snap_len).map_err(|e| e.to_string())?;
            if let Some(note) = keeper.note().filter(|_| !global.quiet) {
                complain(note);
            }
            kept = Some((keeper.kept(), keeper.name().to_owned()));
            sinks.push(sieved(Box::new(keeper), args.write_on));
        }
        Ok(Self { source, sinks, duration: args.duration, kept })
    }

    /// What the sandbox must let through.
    pub(super) fn receive_only(&self) -> Option<i32> {
        match &self.source {
            Source::Interface(c) => c.raw_fd(),
            _ => None,
        }
    }

    /// What the screen calls it.
    fn name(&self) -> String {
        match &self.source {
            Source::Interface(c) => c.info().path.clone(),
            Source::Stdin => "-".into(),
            Source::Pipe(_, name) | Source::Follow(_, name) => name.clone(),
        }
    }

    /// Begins to read; frames go to `sink` too.
    pub(super) fn session(mut self, options: Options, sink: Option<Box<dyn Sink>>) -> Session {
        self.sinks.extend(sink);
        let source: Box<dyn Live> = match self.source {
            Source::Interface(c) => c,
            Source::Stdin => Box::new(Stream::start(io::stdin(), "-")),
            Source::Pipe(file, name) => Box::new(Stream::start(file, &name)),
            Source::Follow(file, name) => Box::new(Stream::follow(file, &name)),
        };
        let mut session = Session::new(source, options, self.sinks);
        if let Some(time) = self.duration {
            session.stop_after(time);
        }
        session
    }
}

/// What does not go together.
fn wrong(args: &LiveArgs) -> Option<&'static str> {
    if args.capture.interface.is_none() && args.input.is_none() && args.follow.is_none() {
        return Some(
            "say what to capture: -i IFACE (`tlscope interfaces` lists them; -i any takes all), - for a capture stream on \
             standard input, or --follow FILE for a file that grows",
        );
    }
    let rotates = args.rotate_size.is_some() || args.rotate_every.is_some();
    let to_stdout = args.write.as_deref().is_some_and(is_stdout);
    if args.rotate_keep.is_some() && !rotates {
        return Some("--rotate-keep counts the files of --rotate-size or --rotate-every: give one of them");
    }
    if to_stdout && rotates {
        return Some("standard output is one file: give a name with -w for more");
    }
    (to_stdout && args.output.as_deref().is_none_or(is_stdout))
        .then_some("the packets cannot go to standard output, where the report goes: give a file for it with -o")
}

/// A sink that gets all packets, or those of `--write-on`.
pub(super) fn sieved(to: Box<dyn Sink>, write_on: Option<FailOn>) -> Box<dyn Sink> {
    match write_on {
        Some(least) => Box::new(Sieve::new(to, least.into())),
        None => to,
    }
}

/// Runs it; gives the exit code.
pub(super) fn run(args: &LiveArgs, global: &Global) -> u8 {
    if args.format.is_none() && args.output.is_none() && args.fail_on.is_none() && io::stdout().is_terminal() {
        return show(|| Prepared::open(args, global), &args.trust, global);
    }
    let to = args.output.as_ref().map_or_else(|| "standard output".to_owned(), |p| p.display().to_string());
    verdict(write(args, global), &to)
}

/// `tlscope -` on a terminal, and of pipes: a capture stream in the UI.
pub(super) fn show_stream(path: &Path, trust: &TrustArgs, global: &Global) -> u8 {
    let open = || {
        let source = Source::stream(path)?;
        Ok(Prepared { source, sinks: Vec::new(), duration: None, kept: None })
    };
    show(open, trust, global)
}

/// In the UI.
fn show(open: impl FnOnce() -> Result<Prepared, Refusal>, trust: &TrustArgs, global: &Global) -> u8 {
    let policy = match trust.add_to(Policy::default()) {
        Ok(policy) => policy,
        Err(e) => {
            complain(&e);
            return super::USAGE;
        }
    };
    let options = Options { policy, ..Options::default() };
    let prepared = match open() {
        Ok(p) => p,
        Err(refusal) => return refusal.tell(),
    };
    say_how(&prepared, global);
    let needs = Needs { terminal: true, receive_only: prepared.receive_only(), ..Needs::default() };
    let name = prepared.name();
    let wait = matches!(prepared.source, Source::Stdin | Source::Pipe(..));
    let report = report::Options { style: style(global, true), ..report::Options::default() };
    let again = options.clone();
    let kept = prepared.kept.clone();
    let begin = |sink| prepared.session(again, Some(sink));
    let shown = crate::tui::run_live(&name, options, report, global.rights(), wait, || confine(needs, global), begin);
    if let Some((packets, path)) = kept.filter(|_| !global.quiet) {
        complain(&format!("kept {} in {path}", count(packets.load(Ordering::Relaxed), "packet")));
    }
    match shown {
        Ok(()) => OK,
        Err(e) => {
            complain(&e.to_string());
            DAMAGED
        }
    }
}

fn write(args: &LiveArgs, global: &Global) -> io::Result<u8> {
    let Some(format) = report::format(args.format.as_deref().unwrap_or("text")) else { return Ok(super::USAGE) };
    let policy = match args.trust.add_to(Policy::default()) {
        Ok(policy) => policy,
        Err(e) => {
            complain(&e);
            return Ok(super::USAGE);
        }
    };
    let prepared = match Prepared::open(args, global) {
        Ok(p) => p,
        Err(refusal) => return Ok(refusal.tell()),
    };
    // Lines can be read as they come; a document is nothing before it is whole.
    let how = if format.name == "ndjson" { How::Growing } else { How::Whole };
    let mut output = Output::open(args.output.as_deref(), how, &global.rights())?;
    let is_terminal = args.output.is_none() && io::stdout().is_terminal();
    let options = report::Options { style: style(global, is_terminal), ..report::Options::default() };
    let signals = Signals::register()?;
    say_how(&prepared, global);
    let needs = Needs { receive_only: prepared.receive_only(), ..Needs::default() };
    if let Err(e) = confine(needs, global) {
        complain(&e);
        return Ok(DAMAGED);
    }
    let session = prepared.session(Options { policy, ..Options::default() }, None);
    let mut writer = (format.make)(&mut output, &options);
    writer.begin()?;
    let why = watch(session, writer.as_mut(), &signals, args, global)?;
    let worst = writer.summary().worst();
    drop(writer);
    output.close()?;
    let found = args.fail_on.is_some_and(|limit| worst.is_some_and(|w| w >= Severity::from(limit)));
    Ok(match (why, found) {
        (true, _) => DAMAGED,
        (false, true) => FOUND,
        (false, false) => OK,
    })
}

/// Says how many packets were lost.
pub(super) fn complain_of_losses(finished: &Finished) {
    for lost in finished.sources.iter().filter_map(|s| s.info.dropped).filter(|n| *n > 0) {
        complain(&format!(
            "lost by the kernel or the interface before they could be read: {}; make --buffer larger or filter with -f",
            count(lost, "packet")
        ));
    }
}

/// Watches until told to stop; true when it ended because something failed.
fn watch(
    mut session: Session,
    writer: &mut dyn Writer,
    signals: &Signals,
    args: &LiveArgs,
    global: &Global,
) -> io::Result<bool> {
    let mut counters = Counters::new(global);
    let mut looked = Instant::now();
    let uses_stdout = args.output.as_deref().is_none_or(is_stdout) || args.write.as_deref().is_some_and(is_stdout);
    let why = loop {
        if signals.ending().is_some() {
            break None;
        }
        if uses_stdout && looked.elapsed() >= LOOK {
            looked = Instant::now();
            if is_unread() {
                break None;
            }
        }
        let goes_on = session.turn(TURN);
        let mut told = false;
        for flow in session.take_flows() {
            writer.flow(&flow)?;
            told = true;
        }
        for flow in session.take_decided() {
            writer.decided(&flow)?;
            told = true;
        }
        if told {
            counters.clear();
            writer.flush()?;
        }
        counters.show(&session);
        match goes_on {
            Ok(true) => {}
            Ok(false) => break None,
            Err(e) => break Some(e),
        }
    };
    counters.clear();
    let finished = session.finish(why);
    for flow in &finished.flows {
        writer.flow(flow)?;
    }
    writer.finish(&finished.sources, &finished.findings)?;
    complain_of_losses(&finished);
    // Who reads the packets from a pipe may have had enough.
    if let Some(crate::live::Error::Keep { source, .. }) = &finished.why
        && source.kind() == io::ErrorKind::BrokenPipe
    {
        return Ok(false);
    }
    for sentence in finished.why.iter().map(ToString::to_string).chain(finished.left_out) {
        complain(&sentence);
    }
    let damaged = finished.sources.iter().any(|s| !s.info.complete);
    if damaged && finished.why.is_none() {
        for p in finished.sources.iter().filter_map(|s| s.info.problems.last()) {
            complain(&p.message);
        }
    }
    Ok(damaged)
}

/// Says by what packets are captured.
fn say_how(prepared: &Prepared, global: &Global) {
    if let (Source::Interface(c), true) = (&prepared.source, global.verbose) {
        let how = match c.through() {
            Through::Libpcap => "libpcap",
            Through::Socket => "a packet socket",
        };
        complain(&format!("capturing on {} through {how}", crate::text::escape(&c.info().path)));
    }
}

/// What was seen so far, on a standard error that is a terminal.
struct Counters {
    next: Option<Instant>,
    shown: bool,
}

impl Counters {
    fn new(global: &Global) -> Self {
        let wanted = !global.quiet && io::stderr().is_terminal();
        Self { next: wanted.then(Instant::now), shown: false }
    }

    fn show(&mut self, session: &Session) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = now.checked_add(COUNTERS);
        self.shown = true;
        let (_, connections) = session.counts();
        let info = session.info();
        let lost = info.dropped.filter(|n| *n > 0).map_or(String::new(), |n| format!(", {n} lost"));
        let _ = write!(
            io::stderr(),
            "\r\x1b[Ktlscope: {}, {}{lost}",
            count(info.frames, "packet"),
            count(connections, "connection")
        );
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

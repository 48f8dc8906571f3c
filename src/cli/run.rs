//! `tlscope run -- CMD`: captures while a command runs, with its keys, and says what became of its TLS connections.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use clap::Args;
use signal_hook::consts::SIGTERM;

use super::args::{FailOn, Global, format_parser};
use super::live_args::CaptureArgs;
use super::output::{Output, verdict};
use super::report::style;
use super::trust::TrustArgs;
use super::{DAMAGED, FOUND, OK, complain, confine};
use crate::analyzer::Options;
use crate::capture::live::{self, Live as _};
use crate::capture::{Frame, PcapngBlocks, SourceInfo};
use crate::diagnose::{Policy, Severity};
use crate::limits;
use crate::live::{Session, Sink};
use crate::report;
use crate::sandbox::{self, Needs};
use crate::signals::Signals;

/// Where programs write their TLS keys, by common consent.
const KEY_LOG: &str = "SSLKEYLOGFILE";

/// How long one turn may wait: the end of the command is noticed within that.
const TURN: Duration = Duration::from_millis(50);

/// What follows the end of the command is captured for so long: the last packets of its connections.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// Exit code of a command that cannot be started, as shells have it.
const NOT_FOUND: u8 = 127;

/// Arguments of `tlscope run`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The command gets SSLKEYLOGFILE; the packets and the keys go into one file. What else passes on the
interface meanwhile is captured too: narrow it with -f. The report goes to standard error.
Exit code: the command's own where it failed, else 1 for --fail-on, 3 when the capture failed, 0.

Examples:
  tlscope run -- curl https://example.org/
  tlscope run -i lo --fail-on error -w test.pcapng -- make integration-test"
)]
#[command(mut_args(|a| match a.get_id().as_str() {
    id if TrustArgs::has(id) => a.hide(true),
    "interface" => a.default_value(live::ANY),
    _ => a,
}))]
pub(super) struct RunArgs {
    #[command(flatten)]
    capture: CaptureArgs,
    /// Where the packets and keys go (pcapng)
    #[arg(short, long, value_name = "FILE", default_value = "tlscope-run.pcapng")]
    write: PathBuf,
    /// Of the packets keep only the handshakes of connections with such a finding or a worse one:
    /// warning (the default), error or info
    #[arg(long, value_enum, value_name = "SEVERITY", hide_possible_values = true, num_args = 0..=1)]
    #[arg(default_missing_value = "warning")]
    write_on: Option<FailOn>,
    /// How to write the report, as for `report`
    #[arg(short = 'F', long, value_parser = format_parser(), default_value = "text", hide_possible_values = true)]
    format: String,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with 1 when there was such a finding or a worse one: error, warning or info
    #[arg(long, value_enum, value_name = "SEVERITY", hide_possible_values = true)]
    fail_on: Option<FailOn>,
    // As for `report`, whose help shows them.
    #[command(flatten)]
    trust: TrustArgs,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs it; gives the exit code.
pub(super) fn run(args: &RunArgs, global: &Global) -> u8 {
    let to = args.output.as_ref().map_or_else(|| "standard error".to_owned(), |p| p.display().to_string());
    verdict(both(args, global), &to)
}

fn both(args: &RunArgs, global: &Global) -> io::Result<u8> {
    let Some(format) = report::format(&args.format) else { return Ok(super::USAGE) };
    let policy = match args.trust.add_to(Policy::default()) {
        Ok(policy) => policy,
        Err(e) => {
            complain(&e);
            return Ok(super::USAGE);
        }
    };
    let options = args.capture.options(args.capture.interface.as_deref().unwrap_or(live::ANY));
    let capture = match live::open(&options) {
        Ok(c) => c,
        Err(e) => {
            complain(&e.to_string());
            return Ok(DAMAGED);
        }
    };
    let mut kept = Kept::begin(capture.info())?;
    let mut file = Output::open(Some(&args.write))?;
    let mut output = match &args.output {
        Some(path) => Output::open(Some(path))?,
        None => Output::stderr(),
    };
    let style = style(global, false);
    let signals = Signals::register()?;
    let mut keys = KeyLog::begin()?;
    let needs = Needs { receive_only: capture.raw_fd(), ..Needs::default() };
    let mut child = match start(args, &keys) {
        Ok(child) => child,
        Err(e) => {
            let name = args.command.first().map(|c| c.to_string_lossy().into_owned()).unwrap_or_default();
            complain(&format!("cannot start {}: {e}", crate::text::escape(&name)));
            return Ok(NOT_FOUND);
        }
    };
    if let Err(e) = confine(needs, global) {
        complain(&e);
        let _ = child.kill();
        return Ok(DAMAGED);
    }
    let mut session = Session::new(
        Box::new(capture),
        Options { policy, ..Options::default() },
        vec![super::live::sieved(kept.sink()?, args.write_on)],
    );
    let mut writer = (format.make)(&mut output, &report::Options { style, ..report::Options::default() });
    writer.begin()?;
    let mut status = None;
    let mut until: Option<Instant> = None;
    let why = loop {
        if status.is_none() {
            status = child.try_wait()?;
            until = status.and_then(|_| Instant::now().checked_add(AFTERWARDS));
        }
        if until.is_some_and(|t| Instant::now() >= t) || (status.is_none() && signals.ending() == Some(SIGTERM)) {
            break None;
        }
        let goes_on = session.turn(TURN);
        for flow in session.take_flows() {
            writer.flow(&flow)?;
        }
        session.take_decided();
        match goes_on {
            Ok(true) => {}
            Ok(false) => break None,
            Err(e) => break Some(e),
        }
    };
    let finished = session.finish(why);
    // The command's result is waited for, whatever became of the capture.
    let status = match status {
        Some(s) => Some(s),
        None if signals.ending().is_none() => Some(child.wait()?),
        None => None,
    };
    for flow in &finished.flows {
        writer.flow(flow)?;
    }
    writer.finish(&finished.sources, &finished.findings)?;
    let worst = writer.summary().worst();
    drop(writer);
    output.close()?;
    for sentence in finished.why.iter().map(ToString::to_string).chain(finished.left_out) {
        complain(&sentence);
    }
    let secrets = keys.read()?;
    kept.copy(&secrets, &mut file).and_then(|()| file.close()).map_err(|e| {
        let name = args.write.to_string_lossy();
        io::Error::other(format!("the packets could not be written to {}: {e}", crate::text::escape(&name)))
    })?;
    if !global.quiet {
        let with = if secrets.is_empty() { "no keys (the command wrote none)" } else { "its keys" };
        complain(&format!("kept the packets and {with} in {}", crate::text::escape(&args.write.to_string_lossy())));
    }
    let found = args.fail_on.is_some_and(|limit| worst.is_some_and(|w| w >= Severity::from(limit)));
    Ok(match (status.map(code), finished.why.is_some(), found) {
        (Some(1..), ..) | (None, ..) => status.map_or(DAMAGED, code),
        (_, true, _) => DAMAGED,
        (_, _, true) => FOUND,
        _ => OK,
    })
}

/// Starts the command as whoever called, with a file for its keys.
fn start(args: &RunArgs, keys: &KeyLog) -> io::Result<Child> {
    let (program, arguments) = args.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env(KEY_LOG, &keys.path);
    if nix::unistd::Uid::effective().is_root()
        && let Some((uid, gid)) = sandbox::caller()
    {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command.spawn()
}

/// An exit code as a shell has it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|s| s.saturating_add(128)));
    code.and_then(|c| u8::try_from(c).ok()).unwrap_or(u8::MAX)
}

/// The key log: the caller's own, or a temporary one.
struct KeyLog {
    path: PathBuf,
    file: File,
    /// Removes the temporary one; also the sandbox leaves that to the process that was started before it.
    _scribe: Option<crate::scribe::Scribe>,
}

impl KeyLog {
    fn begin() -> io::Result<Self> {
        if let Some(path) = std::env::var_os(KEY_LOG).filter(|p| !p.is_empty()) {
            let new = File::options().read(true).append(true).create_new(true).mode(0o600).open(&path);
            let mut file = match new {
                Ok(file) => {
                    give(&file)?;
                    file
                }
                Err(_) => File::options().read(true).append(true).open(&path).map_err(|e| {
                    let path = crate::text::escape(&path.to_string_lossy()).into_owned();
                    io::Error::other(format!("{KEY_LOG} ({path}) cannot be opened: {e}"))
                })?,
            };
            // What other programs wrote before is theirs.
            file.seek(SeekFrom::End(0))?;
            return Ok(Self { path: path.into(), file, _scribe: None });
        }
        let (file, path) = tempfile::Builder::new().prefix("tlscope-keys-").tempfile()?.keep().map_err(|e| e.error)?;
        give(&file)?;
        // One that is never told that the file is whole removes it.
        let job = crate::scribe::Job::Rename { from: path.clone(), to: path.clone() };
        let scribe = crate::scribe::Scribe::start(&job).inspect_err(|_| drop(std::fs::remove_file(&path)))?;
        Ok(Self { path, file, _scribe: Some(scribe) })
    }

    /// What was written to it.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let most = u64::try_from(limits::SECRETS_BYTES).unwrap_or(u64::MAX);
        io::Read::by_ref(&mut self.file).take(most).read_to_end(&mut out)?;
        Ok(out)
    }
}

/// The command writes to it, as whoever called.
fn give(file: &File) -> io::Result<()> {
    let Some((uid, gid)) = sandbox::caller() else { return Ok(()) };
    std::os::unix::fs::fchown(file, Some(uid.as_raw()), Some(gid.as_raw()))
}

/// The packets, in an unnamed file until the keys that stand before them are known.
struct Kept {
    file: File,
    name: String,
    snap_len: u32,
}

impl Kept {
    fn begin(info: &SourceInfo) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, name: info.path.clone(), snap_len: info.snap_len })
    }

    fn blocks(&self) -> PcapngBlocks {
        PcapngBlocks::new(&self.name, self.snap_len)
    }

    fn sink(&self) -> io::Result<Box<dyn Sink>> {
        let file = BufWriter::with_capacity(1 << 17, self.file.try_clone()?);
        Ok(Box::new(Packets { file, blocks: self.blocks(), buffer: Vec::new() }))
    }

    /// Writes all of it: header, keys, packets.
    fn copy(&mut self, secrets: &[u8], to: &mut impl Write) -> io::Result<()> {
        let mut head = Vec::new();
        self.blocks().preamble(&mut head);
        if !secrets.is_empty() {
            PcapngBlocks::secrets(secrets, &mut head);
        }
        to.write_all(&head)?;
        self.file.seek(SeekFrom::Start(0))?;
        io::copy(&mut self.file, to).map(|_| ())
    }
}

struct Packets {
    file: BufWriter<File>,
    blocks: PcapngBlocks,
    buffer: Vec<u8>,
}

impl Sink for Packets {
    fn frame(&mut self, frame: &Frame<'_>, _: Option<u64>) -> io::Result<()> {
        self.buffer.clear();
        self.blocks.frame(frame, &mut self.buffer);
        self.file.write_all(&self.buffer)
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, info: &SourceInfo) -> io::Result<()> {
        self.buffer.clear();
        if let (Some(lost), Some(at)) = (info.dropped, info.last_time) {
            PcapngBlocks::lost(lost, at, &mut self.buffer);
            self.file.write_all(&self.buffer)?;
        }
        self.file.flush()
    }

    fn name(&self) -> &str {
        "a temporary file"
    }
}

//! The witness of `tlscope run`: captures while the command runs, reports, and writes the packets with the keys.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{ENDED, READY, RunArgs, STARTED, keys};
use crate::analyzer::Options;
use crate::capture::live::{self, Live as _};
use crate::capture::{Frame, PcapngBlocks, SourceInfo};
use crate::cli::args::Global;
use crate::cli::live::{Refusal, sieved};
use crate::cli::output::{Output, verdict, without_path};
use crate::cli::report::style;
use crate::cli::{DAMAGED, FOUND, OK, USAGE, complain, confine};
use crate::diagnose::{Policy, Severity};
use crate::limits;
use crate::live::{Session, Sink};
use crate::report;
use crate::sandbox::Needs;
use crate::signals;

/// How long one turn may wait: the end of the command is noticed within that.
const TURN: Duration = Duration::from_millis(50);

/// What follows the end of the command is captured for so long: the last packets of its connections.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// Runs it; gives the exit code.
pub(super) fn run(args: &RunArgs, global: &Global) -> u8 {
    let to = args.output.as_ref().map_or_else(|| "standard error".to_owned(), |p| p.display().to_string());
    verdict(both(args, global), &to)
}

fn both(args: &RunArgs, global: &Global) -> io::Result<u8> {
    // The leader passes on what is for the witness.
    signals::leave_to_others();
    let Some(format) = report::format(&args.format) else { return Ok(USAGE) };
    let policy = match args.trust.add_to(Policy::default()) {
        Ok(policy) => policy,
        Err(e) => {
            complain(&e);
            return Ok(USAGE);
        }
    };
    let options = args.capture.options(args.capture.interface.as_deref().unwrap_or(live::ANY));
    let capture = match live::open(&options) {
        Ok(c) => c,
        Err(e) => return Ok(Refusal::from(e).tell()),
    };
    let failed = |e: io::Error| {
        complain(&e.to_string());
        Ok(DAMAGED)
    };
    let mut kept = match Kept::begin(capture.info()) {
        Ok(kept) => kept,
        Err(e) => return failed(e),
    };
    let not_kept = |e: io::Error| {
        let name = args.write.to_string_lossy();
        io::Error::other(format!("cannot write the packets to {}: {e}", crate::text::escape(&name)))
    };
    // It has the keys.
    let mut file = match Output::secret(&args.write) {
        Ok(file) => file,
        Err(e) => return failed(not_kept(e)),
    };
    let mut output = match &args.output {
        Some(path) => Output::open(Some(path))?,
        None => Output::stderr(),
    };
    let style = style(global, false);
    let mut keys = match keys::reader() {
        Ok(keys) => keys,
        Err(e) => return failed(e),
    };
    let needs = Needs { receive_only: capture.raw_fd(), ..Needs::default() };
    if let Err(e) = confine(needs, global) {
        complain(&e);
        return Ok(DAMAGED);
    }
    let mut leader = Leader::new()?;
    if !leader.begin()? {
        return Ok(DAMAGED);
    }
    let mut session = Session::new(
        Box::new(capture),
        Options { policy, ..Options::default() },
        vec![sieved(kept.sink()?, args.write_on)],
    );
    let mut writer = (format.make)(&mut output, &report::Options { style, ..report::Options::default() });
    writer.begin()?;
    let mut until: Option<Instant> = None;
    let why = loop {
        if until.is_none() && leader.has_ended(PollTimeout::ZERO) {
            until = Instant::now().checked_add(AFTERWARDS);
        }
        if until.is_some_and(|t| Instant::now() >= t) {
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
    // The command is waited for, whatever became of the capture.
    while !leader.has_ended(PollTimeout::NONE) {}
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
    let mut secrets = Vec::new();
    let most = u64::try_from(limits::SECRETS_BYTES).unwrap_or(u64::MAX);
    io::Read::by_ref(&mut keys).take(most).read_to_end(&mut secrets)?;
    if let Err(e) = kept.copy(&secrets, &mut file).and_then(|()| file.close()) {
        return failed(not_kept(e));
    }
    if !global.quiet {
        let with = if secrets.is_empty() { "no keys (the command wrote none)" } else { "its keys" };
        complain(&format!("kept the packets and {with} in {}", crate::text::escape(&args.write.to_string_lossy())));
    }
    let found = args.fail_on.is_some_and(|limit| worst.is_some_and(|w| w >= Severity::from(limit)));
    Ok(match (finished.why.is_some(), found) {
        (true, _) => DAMAGED,
        (_, true) => FOUND,
        _ => OK,
    })
}

/// What the leader says.
struct Leader {
    /// Standard input, without a buffer: what waits in one could not be polled for.
    from: File,
    ended: bool,
}

impl Leader {
    fn new() -> io::Result<Self> {
        Ok(Self { from: io::stdin().as_fd().try_clone_to_owned()?.into(), ended: false })
    }

    /// Says that packets are captured, and waits for the command to begin; false when it does not.
    fn begin(&mut self) -> io::Result<bool> {
        let mut out = io::stdout();
        out.write_all(&[READY]).and_then(|()| out.flush())?;
        Ok(self.word() == Some(STARTED))
    }

    fn word(&mut self) -> Option<u8> {
        let mut word = [0];
        self.from.read_exact(&mut word).ok().map(|()| word[0])
    }

    /// True when the command has ended; waits for it at most so long.
    fn has_ended(&mut self, at_most: PollTimeout) -> bool {
        let said =
            |from: &File| poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], at_most).is_ok_and(|n| n > 0);
        if !self.ended && said(&self.from) {
            self.ended = self.word().is_none_or(|w| w == ENDED);
        }
        self.ended
    }
}

/// The packets, in an unnamed file until the keys that stand before them are known.
struct Kept {
    file: File,
    name: String,
    snap_len: u32,
}

impl Kept {
    fn begin(info: &SourceInfo) -> io::Result<Self> {
        let in_vain =
            |e: io::Error| io::Error::other(format!("cannot keep packets in a temporary file: {}", without_path(e)));
        Ok(Self { file: tempfile::tempfile().map_err(in_vain)?, name: info.path.clone(), snap_len: info.snap_len })
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

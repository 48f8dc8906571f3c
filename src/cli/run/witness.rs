//! The witness of `tlscope run`: captures while the command runs, reports, and writes the packets with the keys.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{ENDED, READY, RunArgs, STARTED, keys};
use crate::analyzer::Options;
use crate::capture::live::{self, Live as _};
use crate::capture::{PcapngBlocks, SourceInfo};
use crate::cli::args::Global;
use crate::cli::live::{Refusal, complain_of_losses, sieved};
use crate::cli::output::{How, Output, is_stdout, verdict};
use crate::cli::report::style;
use crate::cli::{DAMAGED, FOUND, OK, USAGE, complain, confine};
use crate::diagnose::{Policy, Severity};
use crate::limits;
use crate::live::{Direct, Session, Sink};
use crate::report;
use crate::sandbox::Needs;
use crate::scribe::{Job, Readers, Replacement, Rights, Rotation, Scribe, without_path};
use crate::signals;

/// How long one turn may wait: the end of the command is noticed within that.
const TURN: Duration = Duration::from_millis(50);

/// What follows the end of the command is captured for so long: the last packets of its connections.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// Why it ended before it was told to.
enum Failed {
    /// The report cannot be written.
    Report(io::Error),
    /// A sentence, and the exit code.
    Said(String, u8),
}

impl From<io::Error> for Failed {
    fn from(e: io::Error) -> Self {
        Self::Report(e)
    }
}

/// That a file cannot be written.
fn cannot_write(what: &str, path: &Path) -> impl Fn(io::Error) -> Failed + use<> {
    let what = format!("cannot write {what}{}", crate::text::escape(&path.to_string_lossy()));
    move |e| Failed::Said(format!("{what}: {e}"), DAMAGED)
}

/// Runs it; gives the exit code.
pub(super) fn run(args: &RunArgs, global: &Global) -> u8 {
    // The leader passes on what is for the witness.
    signals::leave_to_others();
    let to = args.output.as_ref().map_or_else(|| "standard error".to_owned(), |p| p.display().to_string());
    match both(args, global) {
        Ok(code) => code,
        Err(Failed::Report(e)) => verdict(Err(e), &to),
        Err(Failed::Said(sentence, code)) => {
            complain(&sentence);
            code
        }
    }
}

/// What is opened while there is a right to.
struct Opened {
    capture: live::Capture,
    kept: Kept,
    output: Output,
    keys: File,
}

impl Opened {
    fn open(args: &RunArgs, global: &Global) -> Result<Self, Failed> {
        let said = |sentence| Failed::Said(sentence, DAMAGED);
        let options = args.capture.options(args.capture.interface.as_deref().unwrap_or(live::ANY));
        let capture = live::open(&options).map_err(|e| {
            let Refusal(sentence, code) = e.into();
            Failed::Said(sentence, code)
        })?;
        let kept = Kept::begin(&args.write, &global.rights(), capture.info())?;
        let output = match &args.output {
            Some(path) => Output::open(Some(path), How::Whole, &global.rights()).map_err(cannot_write("to ", path))?,
            None => Output::stderr(),
        };
        let keys = keys::reader().map_err(|e| said(e.to_string()))?;
        Ok(Self { capture, kept, output, keys })
    }
}

fn both(args: &RunArgs, global: &Global) -> Result<u8, Failed> {
    let Some(format) = report::format(&args.format) else { return Ok(USAGE) };
    if is_stdout(&args.write) {
        let why = "standard output is the command's: give a file for the packets with -w";
        return Err(Failed::Said(why.into(), USAGE));
    }
    let policy = args.trust.add_to(Policy::default()).map_err(|e| Failed::Said(e, USAGE))?;
    let Opened { capture, kept, mut output, mut keys } = Opened::open(args, global)?;
    let style = style(global, false);
    let needs = Needs { receive_only: capture.raw_fd(), ..Needs::default() };
    confine(needs, global).map_err(|e| Failed::Said(e, DAMAGED))?;
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
    // What becomes of the report does not matter to the packets.
    let mut told = writer.begin();
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
            told = told.and_then(|()| writer.flow(&flow));
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
        told = told.and_then(|()| writer.flow(flow));
    }
    told = told.and_then(|()| writer.finish(&finished.sources, &finished.findings));
    let worst = writer.summary().worst();
    drop(writer);
    told = told.and_then(|()| output.close());
    complain_of_losses(&finished);
    for sentence in finished.why.iter().map(ToString::to_string).chain(finished.left_out) {
        complain(&sentence);
    }
    let secrets = whole_lines(&mut keys, limits::SECRETS_BYTES);
    let saved = kept.save(&secrets);
    if !global.quiet && saved.is_ok() {
        let with = if secrets.is_empty() { "no keys (the command wrote none)" } else { "its keys" };
        complain(&format!("kept the packets and {with} in {}", crate::text::escape(&args.write.to_string_lossy())));
    }
    match (told, saved) {
        (Err(e), Err(Failed::Said(sentence, _))) => {
            complain(&sentence);
            Err(e)?;
        }
        (told, saved) => {
            saved?;
            told?;
        }
    }
    let found = args.fail_on.is_some_and(|limit| worst.is_some_and(|w| w >= Severity::from(limit)));
    Ok(match (finished.why.is_some(), found) {
        (true, _) => DAMAGED,
        (_, true) => FOUND,
        _ => OK,
    })
}

/// The keys, as far as they have room; what has none is said.
fn whole_lines(from: &mut impl Read, most: usize) -> Vec<u8> {
    let mut lines = Vec::new();
    let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    if let Err(e) = from.take(one_more).read_to_end(&mut lines) {
        complain(&format!("the keys cannot be read: {e}"));
    }
    if lines.len() > most {
        lines.truncate(most);
        lines.truncate(lines.iter().rposition(|b| *b == b'\n').map_or(0, |end| end.saturating_add(1)));
        complain(&format!("only the first {} of the keys are kept: there are more", crate::text::bytes(lines.len())));
    }
    lines
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
    to: Scribe,
    path: PathBuf,
}

impl Kept {
    fn begin(path: &Path, rights: &Rights, info: &SourceInfo) -> Result<Self, Failed> {
        let is_file = std::fs::metadata(path).map_or(true, |m| m.is_file());
        let (owned, readers) = (path.to_owned(), Readers::Owner);
        let job = match is_file {
            true => Job::Replace(Replacement { path: owned, readers, keep_part: true }),
            // A device or pipe cannot be replaced.
            false => Job::Keep(Rotation { path: owned, readers, ..Rotation::default() }),
        };
        let to = Scribe::start(&job, rights).map_err(cannot_write("the packets to ", path))?;
        let file = tempfile::tempfile().map_err(|e| {
            Failed::Said(format!("cannot keep packets in a temporary file: {}", without_path(e)), DAMAGED)
        })?;
        Ok(Self { file, name: info.path.clone(), snap_len: info.snap_len, to, path: path.to_owned() })
    }

    fn blocks(&self) -> PcapngBlocks {
        PcapngBlocks::new(&self.name, self.snap_len)
    }

    fn sink(&self) -> io::Result<Box<dyn Sink>> {
        let file = BufWriter::with_capacity(1 << 17, self.file.try_clone()?);
        Ok(Box::new(Direct::new(file, self.blocks(), "a temporary file")))
    }

    /// Writes all of it: header, keys, packets.
    fn save(mut self, secrets: &[u8]) -> Result<(), Failed> {
        let fail = cannot_write("the packets to ", &self.path);
        self.copy(secrets).and_then(|()| self.to.finish()).map_err(fail)
    }

    /// Block by block, so that what can be written is whole where not all of it can.
    fn copy(&mut self, secrets: &[u8]) -> io::Result<()> {
        let mut head = Vec::new();
        self.blocks().preamble(&mut head);
        if !secrets.is_empty() {
            PcapngBlocks::secrets(secrets, &mut head);
        }
        self.to.data(&head)?;
        self.file.seek(SeekFrom::Start(0))?;
        let mut from = BufReader::with_capacity(1 << 17, &self.file);
        // Type and length, both again in the length (draft-ietf-opsawg-pcapng, section 3.1).
        let mut block = Vec::new();
        loop {
            block.clear();
            if from.by_ref().take(8).read_to_end(&mut block)? < 8 {
                return Ok(());
            }
            let length = block.last_chunk().map_or(0, |n| u32::from_le_bytes(*n));
            from.by_ref().take(u64::from(length).saturating_sub(8)).read_to_end(&mut block)?;
            // The last one of a temporary file that could not be written further.
            if block.len() < length as usize {
                return Ok(());
            }
            self.to.data(&block)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_by_the_line() {
        for (most, kept) in [(0, ""), (3, "a\n"), (5, "a\nbb\n"), (9, "a\nbb\nccc\n"), (100, "a\nbb\nccc\n")] {
            assert_eq!(whole_lines(&mut &b"a\nbb\nccc\n"[..], most), kept.as_bytes(), "{most}");
        }
    }
}

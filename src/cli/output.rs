//! Where output goes: standard output, or a file that is written aside and renamed when it is whole, or in its place.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{DAMAGED, OK, complain};
use crate::scribe::{Job, Readers, Replacement, Rights, Rotation, Scribe};

/// Writes to standard output. A closed pipe is a quiet end; any other error is told.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<u8>) -> u8 {
    let mut out = BufWriter::new(io::stdout().lock());
    let result = write(&mut out).and_then(|code| out.flush().map(|()| code));
    verdict(result, "standard output")
}

/// True for the names of standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|p| Path::new(p) == path)
}

/// True when nobody reads standard output any more, which a quiet network would never show.
#[cfg(target_os = "linux")]
pub(super) fn is_unread() -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let out = io::stdout();
    let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(&out), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|n| n > 0)
        && fds.iter().filter_map(PollFd::revents).any(|r| r.contains(PollFlags::POLLERR))
}

/// The exit code of a write: a closed pipe ends silently.
pub(super) fn verdict(result: io::Result<u8>, to: &str) -> u8 {
    match result {
        Ok(code) => code,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => OK,
        Err(e) => {
            complain(&format!("cannot write to {to}: {e}"));
            DAMAGED
        }
    }
}

/// The destination of a report.
pub(super) enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// Standard error.
    Stderr(BufWriter<io::Stderr>),
    /// A device or pipe (`/dev/stdout`, `/dev/full`), which cannot be replaced by a renamed file.
    Device(BufWriter<File>),
    /// A file, which another process writes.
    File(BufWriter<Page>),
}

/// How a file comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Aside, until it is whole.
    Whole,
    /// In its place, so that what is written can be read at once.
    Growing,
}

/// Hands on what is written.
pub(super) struct Page(Scribe);

impl Write for Page {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.data(buf)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Output {
    /// Opens it. With `None` or `-` it is standard output.
    pub(super) fn open(path: Option<&Path>, how: How, rights: &Rights) -> io::Result<Self> {
        const BUFFER: usize = 1 << 16;
        let Some(path) = path.filter(|p| !is_stdout(p)) else {
            return Ok(Self::Stdout(BufWriter::with_capacity(BUFFER, io::stdout())));
        };
        if std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            let file = File::options().write(true).open(path)?;
            return Ok(Self::Device(BufWriter::with_capacity(BUFFER, file)));
        }
        let (path, readers) = (path.to_owned(), Readers::Usual);
        let job = match how {
            How::Whole => Job::Replace(Replacement { path, readers, keep_part: false }),
            How::Growing => Job::Keep(Rotation { path, readers, ..Rotation::default() }),
        };
        Ok(Self::File(BufWriter::with_capacity(BUFFER, Page(Scribe::start(&job, rights)?))))
    }

    /// Standard error, gathered until it is closed.
    pub(super) fn stderr() -> Self {
        Self::Stderr(BufWriter::new(io::stderr()))
    }

    /// Everything is written: gives the file its name.
    pub(super) fn close(self) -> io::Result<()> {
        match self {
            Self::Stdout(mut out) => out.flush(),
            Self::Stderr(mut out) => out.flush(),
            Self::Device(mut out) => out.flush(),
            Self::File(out) => out.into_inner().map_err(io::IntoInnerError::into_error)?.0.finish(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(buf),
            Self::Stderr(out) => out.write(buf),
            Self::Device(out) => out.write(buf),
            Self::File(out) => out.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Stderr(out) => out.flush(),
            Self::Device(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}

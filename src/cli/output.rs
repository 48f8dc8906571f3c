//! Where output goes: standard output, or a file that is written aside and renamed when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{DAMAGED, OK, complain};
use crate::sandbox::give_to_caller;
use crate::scribe::{Job, Scribe};

/// Writes to standard output. A closed pipe is a quiet end; any other error is told.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<u8>) -> u8 {
    let mut out = BufWriter::new(io::stdout().lock());
    let result = write(&mut out).and_then(|code| out.flush().map(|()| code));
    verdict(result, "standard output")
}

/// What is wrong with a temporary file, without the file's name, which nobody knows.
pub(super) fn without_path(e: io::Error) -> io::Error {
    let text = e.to_string();
    io::Error::new(e.kind(), text.split(" at path ").next().unwrap_or_default().to_owned())
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

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 16;

/// The destination of a report.
pub(super) enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// Standard error.
    Stderr(BufWriter<io::Stderr>),
    /// A device or pipe (`/dev/stdout`, `/dev/full`), which cannot be replaced by a renamed file.
    Device(BufWriter<File>),
    /// A file, still under another name.
    Aside {
        /// The temporary file beside it.
        file: BufWriter<File>,
        /// Who gives it its name in the end, or removes it.
        scribe: Scribe,
    },
}

impl Output {
    /// Opens it. With `None` it is standard output.
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        match path {
            Some(path) => Self::file(path, 0o666), // less what umask takes
            None => Ok(Self::Stdout(BufWriter::with_capacity(BUFFER, io::stdout()))),
        }
    }

    /// A file that only its owner can read.
    pub(super) fn secret(path: &Path) -> io::Result<Self> {
        Self::file(path, 0o600)
    }

    fn file(path: &Path, mode: u32) -> io::Result<Self> {
        if std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            let file = File::options().write(true).open(path)?;
            return Ok(Self::Device(BufWriter::with_capacity(BUFFER, file)));
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        let file = builder.prefix(".tlscope-").tempfile_in(folder).map_err(without_path)?;
        let _ = give_to_caller(file.as_file());
        let (file, from) = file.keep().map_err(|e| e.error)?;
        let job = Job::Rename { from: from.clone(), to: path.to_owned() };
        let scribe = Scribe::start(&job).inspect_err(|_| drop(std::fs::remove_file(&from)))?;
        Ok(Self::Aside { file: BufWriter::with_capacity(BUFFER, file), scribe })
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
            Self::Aside { mut file, scribe } => {
                file.flush()?;
                scribe.finish()
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(buf),
            Self::Stderr(out) => out.write(buf),
            Self::Device(out) => out.write(buf),
            Self::Aside { file, .. } => file.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Stderr(out) => out.flush(),
            Self::Device(out) => out.flush(),
            Self::Aside { file, .. } => file.flush(),
        }
    }
}

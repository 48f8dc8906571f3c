//! The part that writes files: a small process of its own that opens, renames and rotates them and parses nothing.
//!
//! Whoever parses packets has given up the right to open files. It hands finished bytes through a pipe to a process that
//! was started before, kept the caller's rights, and knows from its arguments which files it may write. The messages on the
//! pipe are an operation (one byte), a length (four bytes, little-endian) and so many bytes.

mod serve;

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub use serve::serve;

/// The word on the command line that starts it.
pub const COMMAND: &str = "scribe";

/// Bytes gathered before they go through the pipe.
const BATCH: usize = 128 << 10;

/// What a scribe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Writes one growing file, or a row of files.
    Keep(Rotation),
    /// Writes whole new files that it is told of, and never over an old one.
    Save,
    /// Gives a file that is there its name in the end, when it is told that it is whole; else removes it.
    Rename {
        /// The file as it is written.
        from: PathBuf,
        /// Its name in the end.
        to: PathBuf,
    },
}

/// A file that grows, and when the next one is begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The file; with a limit `NAME-00001.EXT`, `NAME-00002.EXT` and so on.
    pub path: PathBuf,
    /// Bytes after which a new one is begun; 0: no limit.
    pub bytes: u64,
    /// Seconds after which a new one is begun; 0: no limit.
    pub seconds: u64,
    /// Files that are kept; of more the oldest is removed; 0: all.
    pub files: u32,
}

impl Job {
    fn arguments(&self) -> Vec<OsString> {
        let words: &[&OsStr] = match self {
            Self::Keep(r) => {
                let numbers = [r.bytes.to_string(), r.seconds.to_string(), r.files.to_string()];
                let head = [OsString::from("keep"), r.path.clone().into()];
                return head.into_iter().chain(numbers.map(OsString::from)).collect();
            }
            Self::Save => &["save".as_ref()],
            Self::Rename { from, to } => &["rename".as_ref(), from.as_ref(), to.as_ref()],
        };
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    /// From the arguments of the process.
    fn parse(arguments: &[OsString]) -> Option<Self> {
        let number = |w: &OsString| w.to_str()?.parse().ok();
        match arguments {
            [job, path, bytes, seconds, files] if job == "keep" => Some(Self::Keep(Rotation {
                path: path.into(),
                bytes: number(bytes)?,
                seconds: number(seconds)?,
                files: u32::try_from(number(files)?).ok()?,
            })),
            [job] if job == "save" => Some(Self::Save),
            [job, from, to] if job == "rename" => Some(Self::Rename { from: from.into(), to: to.into() }),
            _ => None,
        }
    }
}

/// Operations.
mod op {
    /// What each file begins with; replaces what it was.
    pub(super) const PREAMBLE: u8 = b'P';
    /// Bytes that belong together.
    pub(super) const DATA: u8 = b'D';
    /// A file to be made under this path; its content follows as data. One that was begun before and is not whole is dropped.
    pub(super) const SAVE: u8 = b'S';
    /// The file is whole.
    pub(super) const WHOLE: u8 = b'W';
}

/// A running scribe, as its master sees it.
#[derive(Debug)]
pub struct Scribe {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    batch: Vec<u8>,
}

impl Scribe {
    /// Starts one; its files are open when this returns.
    ///
    /// # Errors
    /// When the program cannot be started again, or a file cannot be opened.
    pub fn start(job: &Job) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .args(job.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut scribe = Self { child, to: Some(to), from: BufReader::new(from), batch: Vec::new() };
        scribe.answer()?;
        Ok(scribe)
    }

    /// What each file begins with.
    ///
    /// # Errors
    /// When the files cannot be written any more.
    pub fn preamble(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(op::PREAMBLE, &[bytes])
    }

    /// Bytes for the present file, never divided over two.
    ///
    /// # Errors
    /// When the files cannot be written any more.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(op::DATA, &[bytes])
    }

    /// Begins a new file, whose content follows with [`Scribe::data`]; nothing has its name before [`Scribe::end`].
    ///
    /// # Errors
    /// When the process has ended. What is wrong with the path is told at the end.
    pub fn begin(&mut self, path: &Path) -> io::Result<()> {
        self.put(op::SAVE, &[path.as_os_str().as_encoded_bytes()])
    }

    /// The file that was begun is whole. Its name must be free.
    ///
    /// # Errors
    /// When it cannot be written; nothing is left of it.
    pub fn end(&mut self) -> io::Result<()> {
        self.put(op::WHOLE, &[])?;
        self.flush()?;
        self.answer()
    }

    fn put(&mut self, op: u8, parts: &[&[u8]]) -> io::Result<()> {
        let length = parts.iter().map(|p| p.len()).fold(0usize, usize::saturating_add);
        let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.batch.push(op);
        self.batch.extend_from_slice(&length.to_le_bytes());
        for part in parts {
            self.batch.extend_from_slice(part);
        }
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Hands on what was gathered.
    ///
    /// # Errors
    /// When the files cannot be written any more.
    pub fn flush(&mut self) -> io::Result<()> {
        let result = match self.to.as_mut() {
            Some(to) if !self.batch.is_empty() => to.write_all(&self.batch),
            // What failed after the last words went through the pipe must not wait for the next ones.
            Some(_) if matches!(self.child.try_wait(), Ok(Some(_))) => Err(io::ErrorKind::BrokenPipe.into()),
            _ => return Ok(()),
        };
        self.batch.clear();
        self.batch.shrink_to(BATCH.saturating_mul(2));
        // It ended; its last words say why.
        result.or_else(|e| self.answer().and(Err(e)))
    }

    /// Everything was said: waits until all of it is written.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.put(op::WHOLE, &[])?;
        self.flush()?;
        drop(self.to.take());
        let result = self.answer();
        let _ = self.child.wait();
        result
    }

    /// Waits for `ok`, or the words of an error.
    fn answer(&mut self) -> io::Result<()> {
        let mut line = String::new();
        let limit = 4096;
        Read::by_ref(&mut self.from).take(limit).read_line(&mut line)?;
        match line.trim_end() {
            "ok" => Ok(()),
            "" => Err(io::Error::other("the process that writes files has ended")),
            words => Err(io::Error::other(words.to_owned())),
        }
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.child.wait();
    }
}

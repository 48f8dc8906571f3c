//! The part that writes files: a small process of its own that opens, renames and rotates them and parses nothing.
//!
//! Whoever parses packets has given up the right to open files. It hands finished bytes through a pipe to a process that
//! was started before, knows from its arguments which files it may write, and has kept the rights to do that and no others
//! (see [`Writer`](crate::sandbox::Writer)). The messages on the pipe are an operation (one byte), a length (four bytes,
//! little-endian) and so many bytes.

mod row;
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
    /// Writes a file aside and gives it its name, in the place of an old one, when it is told that it is whole.
    Replace(Replacement),
    /// Removes a file when its master has ended, however that was.
    Remove(PathBuf),
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// Its owner only: what was sent may be secret.
    #[default]
    Owner,
    /// Whom the caller's umask lets.
    Usual,
}

/// A file that takes the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Its name in the end.
    pub path: PathBuf,
    /// Who may read it.
    pub readers: Readers,
    /// When it cannot be written further, what was written until then gets the name all the same.
    pub keep_part: bool,
}

/// A file that grows, and when the next one is begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The file; with a limit `NAME-00001.EXT`, `NAME-00002.EXT` and so on, from behind the last one that is there.
    pub path: PathBuf,
    /// Bytes after which a new one is begun; 0: no limit.
    pub bytes: u64,
    /// Seconds after which a new one is begun; 0: no limit.
    pub seconds: u64,
    /// Files that are kept, with those of earlier runs; of more the oldest is removed; 0: all.
    pub files: u32,
    /// Who may read them.
    pub readers: Readers,
}

/// With what rights a scribe works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Who owns what root has written; `None`: who called sudo, else root.
    pub user: Option<String>,
    /// It keeps all other rights.
    pub no_sandbox: bool,
    /// It says on standard error which rights it has kept.
    pub verbose: bool,
}

impl Rights {
    /// As a word on the command line.
    fn word(&self) -> String {
        let flag = |is: bool, c: char| if is { c.to_string() } else { String::new() };
        let flags = flag(self.no_sandbox, 'n') + &flag(self.verbose, 'v');
        format!("{flags}:{}", self.user.as_deref().unwrap_or_default())
    }

    fn parse(word: &OsStr) -> Option<Self> {
        let (flags, user) = word.to_str()?.split_once(':')?;
        let user = Some(user.to_owned()).filter(|u| !u.is_empty());
        Some(Self { user, no_sandbox: flags.contains('n'), verbose: flags.contains('v') })
    }
}

impl Readers {
    fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Usual => "usual",
        }
    }

    fn parse(word: &OsStr) -> Option<Self> {
        [Self::Owner, Self::Usual].into_iter().find(|r| r.word() == word)
    }
}

impl Job {
    fn arguments(&self) -> Vec<OsString> {
        let words: [&OsStr; 3] = match self {
            Self::Keep(r) => {
                let numbers = [r.bytes.to_string(), r.seconds.to_string(), r.files.to_string()];
                let head = [OsString::from("keep"), r.path.clone().into(), r.readers.word().into()];
                return head.into_iter().chain(numbers.map(OsString::from)).collect();
            }
            Self::Save => return vec!["save".into()],
            Self::Remove(path) => return vec!["remove".into(), path.into()],
            Self::Replace(r) if r.keep_part => ["replace-part".as_ref(), r.path.as_ref(), r.readers.word().as_ref()],
            Self::Replace(r) => ["replace".as_ref(), r.path.as_ref(), r.readers.word().as_ref()],
        };
        words.map(ToOwned::to_owned).into()
    }

    /// From the arguments of the process.
    fn parse(arguments: &[OsString]) -> Option<Self> {
        let number = |w: &OsString| w.to_str()?.parse().ok();
        match arguments {
            [job, path, readers, bytes, seconds, files] if job == "keep" => Some(Self::Keep(Rotation {
                path: path.into(),
                bytes: number(bytes)?,
                seconds: number(seconds)?,
                files: u32::try_from(number(files)?).ok()?,
                readers: Readers::parse(readers)?,
            })),
            [job] if job == "save" => Some(Self::Save),
            [job, path] if job == "remove" => Some(Self::Remove(path.into())),
            [job, path, readers] if job == "replace" || job == "replace-part" => Some(Self::Replace(Replacement {
                path: path.into(),
                readers: Readers::parse(readers)?,
                keep_part: job == "replace-part",
            })),
            _ => None,
        }
    }
}

/// What is wrong with a temporary file, without the file's name, which nobody knows.
pub(crate) fn without_path(e: io::Error) -> io::Error {
    let words = e.to_string();
    match words.rsplit_once(" at path \"") {
        // As tempfile puts it.
        Some((words, _)) if e.raw_os_error().is_none() => io::Error::new(e.kind(), words.to_owned()),
        _ => e,
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
    note: Option<String>,
}

impl Scribe {
    /// Starts one; its files are open when this returns.
    ///
    /// # Errors
    /// When the program cannot be started again, or a file cannot be opened.
    pub fn start(job: &Job, rights: &Rights) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .arg(rights.word())
            .args(job.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if rights.verbose { Stdio::inherit() } else { Stdio::null() })
            .spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut scribe = Self { child, to: Some(to), from: BufReader::new(from), batch: Vec::new(), note: None };
        scribe.answer()?;
        Ok(scribe)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What is to be known of the files that were there before: a sentence, safe to print.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
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
            note if note.starts_with("ok ") => {
                self.note = note.strip_prefix("ok ").map(str::to_owned);
                Ok(())
            }
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

//! Where the capture comes from: a file, or a stream, which is kept in an unnamed file so that one flow can be read again when
//! somebody looks at it.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::capture::{self, Opened, Source};
use crate::text;

use super::Error;

/// Where the bytes are.
#[derive(Clone, Debug)]
enum Kept {
    /// In the file; of what is no file (standard input, a pipe) what was read so far.
    File(Arc<Mutex<File>>),
    /// Frames of a live capture.
    #[cfg(target_os = "linux")]
    Live(super::spool::Spool),
}

/// An input that was opened once and can be read again and again, also when no file can be opened any more.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    kept: Kept,
    /// As it was given.
    path: String,
    /// Its length, when it is a file.
    total: Option<u64>,
}

impl Input {
    /// Opens the input, and the first reader of it. Nothing was read yet when this returns.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, Opened), Error> {
        let name = path.to_string_lossy().into_owned();
        if path.as_os_str() == "-" && io::stdin().is_terminal() {
            return Err(Error::StdinIsTerminal);
        }
        let opened = Opened::new(&path)?;
        match opened.into_file() {
            Ok((file, total)) => {
                let kept = Arc::new(Mutex::new(file));
                let first = reader(kept.clone(), &name, Some(total));
                Ok((Self { kept: Kept::File(kept), path: name, total: Some(total) }, first))
            }
            Err(stream) => {
                let kept = Arc::new(Mutex::new(tempfile::tempfile().map_err(Error::Spool)?));
                let first = stream.through(|from| Box::new(Tee { from, to: kept.clone() }));
                Ok((Self { kept: Kept::File(kept), path: name, total: None }, first))
            }
        }
    }

    /// A live capture of which this keeps frames.
    #[cfg(target_os = "linux")]
    pub(crate) fn live(name: &str, spool: super::spool::Spool) -> Self {
        Self { kept: Kept::Live(spool), path: name.to_owned(), total: None }
    }

    /// It is a live capture.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.kept, Kept::File(_))
    }

    /// Opens it once more, from its beginning.
    pub(crate) fn again(&self) -> Result<Box<dyn Source>, capture::Error> {
        Ok(match &self.kept {
            Kept::File(kept) => Box::new(reader(kept.clone(), &self.path, self.total).begin()?),
            #[cfg(target_os = "linux")]
            Kept::Live(spool) => Box::new(spool.again()?),
        })
    }

    /// Its name on the screen.
    pub(crate) fn name(&self) -> String {
        if self.path == "-" {
            return "standard input".into();
        }
        let name = Path::new(&self.path).file_name().unwrap_or(self.path.as_ref());
        text::escape(&name.to_string_lossy()).into_owned()
    }
}

/// A reader of its own of what is kept.
fn reader(kept: Arc<Mutex<File>>, path: &str, total: Option<u64>) -> Opened {
    Opened::of(Box::new(Again { spool: kept, at: 0 }), path, total)
}

/// Reads a stream and keeps what was read.
struct Tee {
    from: Box<dyn Read + Send>,
    to: Arc<Mutex<File>>,
}

impl Read for Tee {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        let mut to = lock(&self.to);
        to.seek(SeekFrom::End(0))?;
        to.write_all(buf.get(..n).unwrap_or(&[]))?;
        Ok(n)
    }
}

/// Reads what was kept. Each reader has its own position.
struct Again {
    spool: Arc<Mutex<File>>,
    at: u64,
}

impl Read for Again {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut f = lock(&self.spool);
        f.seek(SeekFrom::Start(self.at))?;
        let n = f.read(buf)?;
        self.at = self.at.saturating_add(n as u64);
        Ok(n)
    }
}

fn lock(f: &Mutex<File>) -> std::sync::MutexGuard<'_, File> {
    // A reader that panicked left the file as it was: every user seeks first.
    f.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_piped_in_can_be_read_again_and_again() {
        let spool = Arc::new(Mutex::new(tempfile::tempfile().unwrap()));
        let data: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        let mut tee = Tee { from: Box::new(io::Cursor::new(data.clone())), to: spool.clone() };
        let mut first = vec![0; 1000];
        tee.read_exact(&mut first).unwrap();
        let mut a = Again { spool: spool.clone(), at: 0 };
        let mut early = Vec::new();
        a.read_to_end(&mut early).unwrap();
        assert_eq!(early, data[..1000]);
        io::copy(&mut tee, &mut io::sink()).unwrap();
        let mut b = Vec::new();
        Again { spool, at: 0 }.read_to_end(&mut b).unwrap();
        assert_eq!(b, data);
        a.read_to_end(&mut early).unwrap();
        assert_eq!(early, data);
    }
}

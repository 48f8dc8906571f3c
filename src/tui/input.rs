//! Where the capture comes from: a file, or standard input, which is kept in an unnamed file so that one flow can be read
//! again when somebody looks at it.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::capture::{self, CaptureFile};
use crate::text;

use super::Error;

/// An input that can be read again.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A file.
    Path(PathBuf),
    /// Standard input and what was read of it so far.
    Spool(Arc<Mutex<File>>),
}

impl Input {
    /// Opens the input for the first time; its header has been read when this returns.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, CaptureFile), Error> {
        if path.as_os_str() != "-" {
            let file = capture::open(&path)?;
            return Ok((Self::Path(path), file));
        }
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(Error::StdinIsTerminal);
        }
        let spool = Arc::new(Mutex::new(tempfile::tempfile().map_err(Error::Spool)?));
        let tee = Tee { from: Box::new(stdin), to: spool.clone() };
        let file = CaptureFile::from_reader(tee, "-")?;
        Ok((Self::Spool(spool), file))
    }

    /// Opens it once more, from its beginning.
    pub(crate) fn again(&self) -> Result<CaptureFile, capture::Error> {
        match self {
            Self::Path(p) => capture::open(p),
            Self::Spool(s) => CaptureFile::from_reader(Again { spool: s.clone(), at: 0 }, "-"),
        }
    }

    /// Its name on the screen.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Path(p) => {
                let name = p.file_name().unwrap_or(p.as_os_str());
                text::escape(&name.to_string_lossy()).into_owned()
            }
            Self::Spool(_) => "standard input".into(),
        }
    }
}

/// Reads standard input and keeps what was read.
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

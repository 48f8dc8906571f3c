//! The key log of the command: the caller's own, or a temporary one.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::sandbox::give_to_caller;
use crate::scribe::without_path;

/// Where programs write their TLS keys, by common consent.
pub(super) const KEY_LOG: &str = "SSLKEYLOGFILE";

/// A file that the command can write its keys to.
pub(super) struct KeyLog {
    pub(super) path: PathBuf,
    is_temporary: bool,
}

impl KeyLog {
    /// The one that [`KEY_LOG`] names, made if it is not there, or a temporary one.
    ///
    /// # Errors
    /// When it cannot be opened; the words say which.
    pub(super) fn begin() -> io::Result<Self> {
        if let Some(path) = std::env::var_os(KEY_LOG).filter(|p| !p.is_empty()) {
            match File::options().append(true).create_new(true).mode(0o600).open(&path) {
                Ok(new) => give_to_caller(&new)?,
                Err(_) => drop(open(&path)?),
            }
            return Ok(Self { path: path.into(), is_temporary: false });
        }
        let temporary = tempfile::Builder::new().prefix("tlscope-keys-").tempfile();
        let (file, path) = temporary
            .and_then(|t| t.keep().map_err(|e| e.error))
            .map_err(|e| io::Error::other(format!("cannot make a temporary file for keys: {}", without_path(e))))?;
        let log = Self { path, is_temporary: true };
        // The command writes to it, as whoever called.
        give_to_caller(&file)?;
        Ok(log)
    }
}

impl KeyLog {
    /// Where the temporary one is.
    pub(super) fn folder(&self) -> Option<&Path> {
        if self.is_temporary { self.path.parent() } else { None }
    }
}

impl Drop for KeyLog {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens the log that [`KEY_LOG`] names, to read what is written to it from now on: what other programs wrote before is
/// theirs.
///
/// # Errors
/// When it cannot be opened; the words say which.
pub(super) fn reader() -> io::Result<File> {
    let path = std::env::var_os(KEY_LOG).ok_or(io::ErrorKind::NotFound)?;
    let mut file = open(&path)?;
    io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
    Ok(file)
}

fn open(path: &std::ffi::OsStr) -> io::Result<File> {
    File::options().read(true).append(true).open(path).map_err(|e| {
        let path = crate::text::escape(&path.to_string_lossy()).into_owned();
        io::Error::other(format!("{KEY_LOG} ({path}) cannot be opened: {e}"))
    })
}

//! The key log of the command: the caller's own, or a temporary one.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::sandbox::give_to_caller;
use crate::scribe::{Job, Rights, Scribe, without_path};

/// Where programs write their TLS keys, by common consent.
pub(super) const KEY_LOG: &str = "SSLKEYLOGFILE";

/// A file that the command can write its keys to.
pub(super) struct KeyLog {
    pub(super) path: PathBuf,
    /// Removes the temporary one, also when this process is killed.
    pub(super) remover: Option<Scribe>,
}

impl KeyLog {
    /// The one that [`KEY_LOG`] names, made if it is not there, or a temporary one.
    ///
    /// # Errors
    /// When it cannot be opened; the words say which.
    pub(super) fn begin(rights: &Rights) -> io::Result<Self> {
        if let Some(path) = std::env::var_os(KEY_LOG).filter(|p| !p.is_empty()) {
            match File::options().append(true).create_new(true).mode(0o600).open(&path) {
                Ok(new) => give_to_caller(&new)?,
                Err(_) => drop(open(&path)?),
            }
            return Ok(Self { path: path.into(), remover: None });
        }
        let temporary = tempfile::Builder::new().prefix("tlscope-keys-").tempfile();
        let (file, path) = temporary
            .and_then(|t| t.keep().map_err(|e| e.error))
            .map_err(|e| io::Error::other(format!("cannot make a temporary file for keys: {}", without_path(e))))?;
        let remover = Scribe::start(&Job::Remove(path.clone()), rights)
            .inspect_err(|_| drop(std::fs::remove_file(&path)))
            .map_err(|e| io::Error::other(format!("cannot see to it that the keys are removed: {e}")))?;
        // The command writes to it, as whoever called.
        give_to_caller(&file)?;
        Ok(Self { path, remover: Some(remover) })
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

//! A file that grows, or a row of numbered files of which the oldest are removed.
#![allow(clippy::disallowed_methods, reason = "files are rotated by the real clock")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Readers, Rotation};

/// What a pcapng file begins with: a file of another kind is none of ours, whatever its name is.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The row of files, of which the last is open.
pub(super) struct Row {
    rotation: Rotation,
    pub(super) preamble: Vec<u8>,
    file: File,
    number: u32,
    /// The numbers of those that are there and are ours, or those of an earlier run.
    there: BTreeSet<u32>,
    written: u64,
    began: Instant,
}

impl Row {
    /// Opens the first file. Numbers go on behind the highest that is there: what was kept before is not written over.
    pub(super) fn begin(rotation: Rotation) -> io::Result<Self> {
        let (there, last) = if is_row(&rotation) { earlier(&rotation)? } else { Default::default() };
        let number = last.checked_add(1).ok_or_else(|| io::Error::other("there is no number left for a file"))?;
        let file = create(&rotation, number)?;
        Ok(Self { rotation, preamble: Vec::new(), file, number, there, written: 0, began: Instant::now() })
    }

    /// What is to be said of files that were there before, when they will be removed.
    pub(super) fn note(&self) -> Option<String> {
        let (first, n) = (self.there.first()?, self.there.len());
        (self.rotation.files > 0).then(|| {
            let (first, count) = (name(&self.rotation, *first), crate::text::count(n as u64, "earlier file"));
            format!(
                "{count} from {} on: {} among the {} that {} kept",
                crate::text::escape(&first.to_string_lossy()),
                if n == 1 { "it counts" } else { "they count" },
                self.rotation.files,
                if self.rotation.files == 1 { "is" } else { "are" }
            )
        })
    }

    /// Where its files are; `None` when no other one is opened.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        is_row(&self.rotation).then(|| folder(&self.rotation.path).to_owned())
    }

    pub(super) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let r = &self.rotation;
        let more = self.written.saturating_add(bytes.len() as u64);
        let full = r.bytes > 0 && more > r.bytes;
        let old = r.seconds > 0 && self.began.elapsed() >= Duration::from_secs(r.seconds);
        if self.written > 0 && (full || old) {
            self.turn()?;
        }
        if self.written == 0 {
            self.put(&self.preamble.clone())?;
        }
        self.put(bytes)
    }

    /// Writes all of it or, as far as that can be had, nothing: what is there can be read.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let put = self.file.write_all(bytes);
        match put {
            Ok(()) => self.written = self.written.saturating_add(bytes.len() as u64),
            Err(_) => drop(self.file.set_len(self.written)),
        }
        put
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn turn(&mut self) -> io::Result<()> {
        self.there.insert(self.number);
        self.number =
            self.number.checked_add(1).ok_or_else(|| io::Error::other("there is no number left for a file"))?;
        self.file = create(&self.rotation, self.number)?;
        (self.written, self.began) = (0, Instant::now());
        self.remove()
    }

    /// Removes the oldest, so that with the present one no more are there than were asked for.
    pub(super) fn remove(&mut self) -> io::Result<()> {
        while self.rotation.files > 0
            && self.there.len() >= self.rotation.files as usize
            && let Some(old) = self.there.pop_first()
        {
            match fs::remove_file(name(&self.rotation, old)) {
                // Somebody else has taken it away.
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The folder that a path lies in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_row(r: &Rotation) -> bool {
    r.bytes > 0 || r.seconds > 0
}

/// Name of a file of the row.
fn name(r: &Rotation, number: u32) -> PathBuf {
    if !is_row(r) {
        return r.path.clone();
    }
    let mut name = r.path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number:05}"));
    if let Some(ending) = r.path.extension() {
        name.push(".");
        name.push(ending);
    }
    r.path.with_file_name(name)
}

/// The numbers of the files of earlier runs, and the highest number that is taken, also by something else.
fn earlier(r: &Rotation) -> io::Result<(BTreeSet<u32>, u32)> {
    let stem = r.path.file_stem().unwrap_or_default().as_encoded_bytes();
    let (mut there, mut last) = (BTreeSet::new(), 0);
    for entry in fs::read_dir(folder(&r.path))? {
        let file = entry?.file_name();
        let number = || {
            let rest = file.as_encoded_bytes().strip_prefix(stem)?.strip_prefix(b"-")?;
            let digits = rest.split(|b| !b.is_ascii_digit()).next()?;
            std::str::from_utf8(digits).ok()?.parse::<u32>().ok()
        };
        let Some(number) = number() else { continue };
        let path = name(r, number);
        if path.file_name() != Some(&file) {
            continue;
        }
        last = last.max(number);
        if is_ours(&path) {
            there.insert(number);
        }
    }
    Ok((there, last))
}

/// A capture, or one in which nothing was written.
fn is_ours(path: &Path) -> bool {
    let mut begin = Vec::new();
    let is_file = fs::symlink_metadata(path).is_ok_and(|m| m.is_file());
    is_file
        && File::open(path).and_then(|f| f.take(4).read_to_end(&mut begin)).is_ok()
        && (begin.is_empty() || begin == PCAPNG)
}

fn create(r: &Rotation, number: u32) -> io::Result<File> {
    let mut options = File::options();
    // One file is written over, as every capture program does; of a row none is.
    options.write(true).create(true).truncate(!is_row(r)).create_new(is_row(r));
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode(r.readers));
    let file = options.open(name(r, number))?;
    #[cfg(unix)]
    if r.readers == Readers::Owner && file.metadata().is_ok_and(|m| m.is_file()) {
        // It may have been there, open to others.
        let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode(r.readers)));
    }
    Ok(file)
}

/// The rights on a file, of which the umask takes some.
#[cfg(unix)]
pub(super) fn mode(readers: Readers) -> u32 {
    match readers {
        Readers::Owner => 0o600,
        Readers::Usual => 0o666,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(folder: &Path, files: u32) -> Rotation {
        Rotation { path: folder.join("a.pcapng"), bytes: 8, files, ..Rotation::default() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Writes so many files.
    fn write(rotation: Rotation, files: usize) {
        let mut row = Row::begin(rotation).unwrap();
        row.preamble = PCAPNG.to_vec();
        row.remove().unwrap();
        (0..files).for_each(|_| row.data(b"12345").unwrap());
    }

    #[test]
    fn the_row_of_an_earlier_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(row(folder, 0), 2);
        assert_eq!(names(folder), ["a-00001.pcapng", "a-00002.pcapng"]);
        // Files that only look so are neither counted nor removed, and their numbers are taken.
        for other in ["a-00004.pcapng", "a-4.pcapng", "a-00009.txt", "a-x.pcapng", "a.pcapng", "b-00011.pcapng"] {
            fs::write(folder.join(other), "of somebody else").unwrap();
        }
        assert_eq!(Row::begin(row(folder, 0)).unwrap().note(), None);
        fs::remove_file(folder.join("a-00005.pcapng")).unwrap();
        let begun = Row::begin(row(folder, 3)).unwrap();
        let note = begun.note().unwrap();
        assert!(note.starts_with("2 earlier files from ") && note.contains("a-00001.pcapng on"), "{note}");
        drop(begun);
        fs::remove_file(folder.join("a-00005.pcapng")).unwrap();
        write(row(folder, 3), 2);
        let ours: Vec<_> = names(folder).into_iter().filter(|n| is_ours(&folder.join(n))).collect();
        assert_eq!(ours, ["a-00002.pcapng", "a-00005.pcapng", "a-00006.pcapng"]);
        assert_eq!(names(folder).len(), 9);
        assert_eq!(fs::read(folder.join("a-00004.pcapng")).unwrap(), b"of somebody else");
    }

    #[test]
    fn what_is_there_already_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut row = Row::begin(row(folder.path(), 0)).unwrap();
        fs::write(folder.path().join("a-00002.pcapng"), "came meanwhile").unwrap();
        row.data(b"12345").unwrap();
        assert_eq!(row.data(b"12345").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(folder.path().join("a-00002.pcapng")).unwrap(), b"came meanwhile");
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_reads_packets() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcapng");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let one = Rotation { path: path.clone(), ..Rotation::default() };
        Row::begin(one).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }
}

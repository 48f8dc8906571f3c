//! What the scribe does when it is told.
#![allow(clippy::disallowed_methods, reason = "files are rotated by the real clock")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Job, Rotation, op};
use crate::sandbox::give_to_caller;
use crate::text;

/// Longest message: a batch of packets or of a report is far shorter.
const LONGEST: u32 = 1 << 30;

/// The process: does what its arguments say until its standard input ends; tells by `ok` or an error what became of it.
/// Gives the exit code.
pub fn serve(arguments: &[OsString]) -> u8 {
    // It ends with its master, however that one is ended.
    crate::signals::leave_to_others();
    let Some(job) = Job::parse(arguments) else {
        tell("the arguments are not understood");
        return 2;
    };
    let input = io::stdin().lock();
    let done = match job {
        Job::Keep(rotation) => keep(input, rotation, &tell),
        Job::Save => save(input, &tell),
        Job::Rename { from, to } => rename(input, &from, &to, &tell),
    };
    match done {
        Ok(()) => 0,
        Err(e) => {
            tell(&e.to_string());
            1
        }
    }
}

fn tell(words: &str) {
    let _ = writeln!(io::stdout(), "{}", text::guard(words));
}

/// The next message; `None` at the end.
fn message(input: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 5];
    match input.read_exact(&mut head) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let [op, length @ ..] = head;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut bytes)?;
    Ok((bytes.len() == length as usize).then_some((op, bytes)))
}

fn rename(mut input: impl Read, from: &Path, to: &Path, tell: &dyn Fn(&str)) -> io::Result<()> {
    tell("ok");
    let whole = matches!(message(&mut input)?, Some((op::WHOLE, _)));
    let done = if whole { fs::rename(from, to) } else { Ok(()) };
    if !whole || done.is_err() {
        let _ = fs::remove_file(from);
    }
    done?;
    tell("ok");
    Ok(())
}

fn save(mut input: impl Read, tell: &dyn Fn(&str)) -> io::Result<()> {
    tell("ok");
    let mut open: Option<io::Result<Saved>> = None;
    while let Some((op, bytes)) = message(&mut input)? {
        match op {
            op::SAVE => open = Some(Saved::begin(bytes)),
            op::DATA => open = open.map(|s| s.and_then(|s| s.data(&bytes))),
            op::WHOLE => match open.take().map(|s| s.and_then(Saved::end)) {
                Some(Err(e)) => tell(&e.to_string()),
                Some(Ok(())) => tell("ok"),
                None => tell("no file was begun"),
            },
            _ => {}
        }
    }
    Ok(())
}

/// A file that is written aside and then given its name, which must be free: nothing is overwritten, nothing is left half.
struct Saved {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Saved {
    fn begin(path: Vec<u8>) -> io::Result<Self> {
        let path = PathBuf::from(os_string(path)?);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { file: tempfile::NamedTempFile::new_in(folder)?, path })
    }

    fn data(mut self, bytes: &[u8]) -> io::Result<Self> {
        self.file.write_all(bytes)?;
        Ok(self)
    }

    fn end(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        let _ = give_to_caller(self.file.as_file());
        self.file.persist_noclobber(self.path).map_err(|e| e.error)?;
        Ok(())
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> io::Result<OsString> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> io::Result<OsString> {
    String::from_utf8(bytes).map(OsString::from).map_err(io::Error::other)
}

fn keep(mut input: impl Read, rotation: Rotation, tell: &dyn Fn(&str)) -> io::Result<()> {
    let mut row = Row::begin(rotation)?;
    tell("ok");
    loop {
        match message(&mut input)? {
            Some((op::PREAMBLE, bytes)) => row.preamble = bytes,
            Some((op::DATA, bytes)) => row.data(&bytes)?,
            Some((op::WHOLE, _)) => {
                row.file.flush()?;
                tell("ok");
                return Ok(());
            }
            Some(_) => {}
            // Without a word of farewell: what was written stays.
            None => return row.file.flush(),
        }
    }
}

/// The row of files, of which the last is open.
struct Row {
    rotation: Rotation,
    preamble: Vec<u8>,
    file: File,
    number: u32,
    written: u64,
    began: Instant,
}

impl Row {
    fn begin(rotation: Rotation) -> io::Result<Self> {
        let file = create(&name(&rotation, 1))?;
        Ok(Self { rotation, preamble: Vec::new(), file, number: 1, written: 0, began: Instant::now() })
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let r = &self.rotation;
        let more = self.written.saturating_add(bytes.len() as u64);
        let full = r.bytes > 0 && more > r.bytes;
        let old = r.seconds > 0 && self.began.elapsed() >= Duration::from_secs(r.seconds);
        if self.written > 0 && (full || old) {
            self.turn()?;
        }
        if self.written == 0 {
            self.file.write_all(&self.preamble)?;
            self.written = self.preamble.len() as u64;
        }
        if let Err(e) = self.file.write_all(bytes) {
            // Half of what belongs together would make the file a damaged one.
            let _ = self.file.set_len(self.written);
            return Err(e);
        }
        self.written = self.written.saturating_add(bytes.len() as u64);
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        self.number = self.number.saturating_add(1);
        self.file = create(&name(&self.rotation, self.number))?;
        (self.written, self.began) = (0, Instant::now());
        if self.rotation.files > 0
            && let Some(old) = self.number.checked_sub(self.rotation.files).filter(|n| *n > 0)
        {
            fs::remove_file(name(&self.rotation, old))?;
        }
        Ok(())
    }
}

/// Name of a file of the row.
fn name(r: &Rotation, number: u32) -> PathBuf {
    if r.bytes == 0 && r.seconds == 0 {
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

/// What was sent may be secret: only the owner can read it.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let _ = give_to_caller(&file);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(parts: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (op, bytes) in parts {
            out.push(*op);
            out.extend((bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out
    }

    #[test]
    fn files_are_rotated_and_the_oldest_removed() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation { path: folder.path().join("a.pcapng"), bytes: 10, seconds: 0, files: 2 };
        let words = said(&[
            (op::PREAMBLE, b"head"),
            (op::DATA, b"1111"),
            (op::DATA, b"2222"),
            (op::DATA, b"a long one, longer than all"),
            (op::DATA, b"3333"),
            (op::WHOLE, b""),
        ]);
        keep(&words[..], rotation, &|_| {}).unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a-00003.pcapng", "a-00004.pcapng"]);
        assert_eq!(fs::read(folder.path().join("a-00003.pcapng")).unwrap(), b"heada long one, longer than all");
        assert_eq!(fs::read(folder.path().join("a-00004.pcapng")).unwrap(), b"head3333");
    }

    #[test]
    fn nothing_is_overwritten_when_saving() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).into_os_string().into_encoded_bytes();
        let (x, y) = (path("x.json"), path("y.json"));
        let words = said(&[
            (op::SAVE, x.as_slice()),
            (op::DATA, b"{"),
            (op::DATA, b"}"),
            (op::WHOLE, b""),
            // Begun and not ended.
            (op::SAVE, y.as_slice()),
            (op::DATA, b"half"),
            (op::SAVE, x.as_slice()),
            (op::DATA, b"other"),
            (op::WHOLE, b""),
            (op::WHOLE, b""),
        ]);
        let told = std::cell::RefCell::new(Vec::new());
        save(&words[..], &|s| told.borrow_mut().push(s.to_owned())).unwrap();
        let told = told.into_inner();
        assert_eq!((told.len(), told[0].as_str(), told[1].as_str()), (4, "ok", "ok"));
        assert!(told[2] != "ok" && told[3] == "no file was begun", "{told:?}");
        assert_eq!(fs::read(folder.path().join("x.json")).unwrap(), b"{}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half is left");
    }

    #[test]
    fn what_is_not_whole_gets_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("aside"), folder.path().join("name"));
        fs::write(&from, "half").unwrap();
        rename(&[][..], &from, &to, &|_| {}).unwrap();
        assert!(!from.exists() && !to.exists());
        fs::write(&from, "whole").unwrap();
        rename(&said(&[(op::WHOLE, b"")])[..], &from, &to, &|_| {}).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"whole");
    }

    #[test]
    fn arguments_come_through() {
        let jobs = [
            Job::Keep(Rotation { path: "a b".into(), bytes: 5, seconds: 6, files: 7 }),
            Job::Save,
            Job::Rename { from: "x".into(), to: "y".into() },
        ];
        for job in jobs {
            assert_eq!(Job::parse(&job.arguments()), Some(job));
        }
        assert_eq!(Job::parse(&["keep".into()]), None);
    }
}

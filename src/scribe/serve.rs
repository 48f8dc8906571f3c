//! What the scribe does when it is told.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::row::{Row, folder};
use super::{Job, Replacement, Rights, op, without_path};
use crate::sandbox::{Folder, Writer};
use crate::text;

/// Longest message: a batch of packets or of a report is far shorter.
const LONGEST: u32 = 1 << 30;

/// The process: does what its arguments say until its standard input ends; tells by `ok` or an error what became of it.
/// Gives the exit code.
pub fn serve(arguments: &[OsString]) -> u8 {
    // It ends with its master, however that one is ended.
    crate::signals::leave_to_others();
    let parsed = arguments.split_first().and_then(|(rights, job)| Some((Rights::parse(rights)?, Job::parse(job)?)));
    let Some((rights, job)) = parsed else {
        tell("the arguments are not understood");
        return 2;
    };
    match open(job, &rights).and_then(|work| work.run(io::stdin().lock(), &tell)) {
        Ok(()) => 0,
        Err(e) => {
            tell(&e.to_string());
            1
        }
    }
}

/// What was opened while there was a right to.
enum Work {
    Keep(Row),
    Replace(Aside),
    Save,
    Remove(PathBuf),
}

/// Opens what the job needs, with the rights of whom it belongs to, and gives up all others.
fn open(job: Job, rights: &Rights) -> io::Result<Work> {
    let mut writer = match &job {
        // What root has made is removed by root.
        Job::Remove(_) => Writer::default(),
        _ => Writer::begin(rights.user.as_deref()).map_err(io::Error::other)?,
    };
    let opened = writer.try_with_less(|| match &job {
        Job::Keep(rotation) => Row::begin(rotation.clone()).map(Work::Keep),
        Job::Replace(to) => Aside::begin(to.clone()).map(Work::Replace),
        Job::Save => Ok(Work::Save),
        // Whoever can make a file there can remove one.
        Job::Remove(path) => tempfile::tempfile_in(folder(path)).map(|_| Work::Remove(path.clone())),
    });
    let work = opened.map_err(|e| match writer.user {
        Some(user) if e.kind() == io::ErrorKind::PermissionDenied => {
            io::Error::other(format!("{}; files are written as user {user}, not as root", without_path(e)))
        }
        _ => without_path(e),
    })?;
    let of = match &work {
        Work::Keep(row) => row.folder(),
        Work::Replace(aside) => {
            writer.will_replace(&aside.to.path, folder(&aside.to.path));
            Some(folder(&aside.to.path).to_owned())
        }
        Work::Remove(path) => {
            writer.will_replace(path, folder(path));
            Some(folder(path).to_owned())
        }
        Work::Save => None,
    };
    if !rights.no_sandbox {
        let level = writer.enter(match (&work, &of) {
            (_, Some(folder)) => Folder::One(folder),
            (Work::Save, None) => Folder::Any,
            (_, None) => Folder::Nowhere,
        });
        if rights.verbose {
            let _ = writeln!(io::stderr(), "tlscope: sandbox of the process that writes files: {level}");
        }
    }
    Ok(work)
}

impl Work {
    fn run(self, mut input: impl Read, tell: &dyn Fn(&str)) -> io::Result<()> {
        match self {
            Self::Keep(row) => keep(input, row, tell),
            Self::Replace(aside) => replace(input, aside, tell),
            Self::Save => save(input, tell),
            Self::Remove(path) => {
                tell("ok");
                while message(&mut input)?.is_some() {}
                std::fs::remove_file(path)
            }
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

/// A file that is written aside.
struct Aside {
    file: tempfile::NamedTempFile,
    to: Replacement,
    /// Bytes that were written whole.
    whole: u64,
}

impl Aside {
    fn begin(to: Replacement) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tlscope-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(super::row::mode(to.readers)));
        Ok(Self { file: builder.tempfile_in(folder(&to.path))?, to, whole: 0 })
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_file_mut().write_all(bytes)?;
        self.whole = self.whole.saturating_add(bytes.len() as u64);
        Ok(())
    }

    fn end(self) -> io::Result<()> {
        self.file.persist(&self.to.path).map(|_| ()).map_err(|e| e.error)
    }
}

fn replace(mut input: impl Read, mut aside: Aside, tell: &dyn Fn(&str)) -> io::Result<()> {
    tell("ok");
    while let Some((op, bytes)) = message(&mut input)? {
        match op {
            op::DATA => match aside.data(&bytes) {
                Err(e) if aside.to.keep_part && aside.whole > 0 => {
                    aside.file.as_file().set_len(aside.whole)?;
                    aside.end()?;
                    return Err(io::Error::other(format!("{e}; what was written until then is kept")));
                }
                written => written?,
            },
            op::WHOLE => {
                aside.end()?;
                tell("ok");
                return Ok(());
            }
            _ => {}
        }
    }
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
                Some(Err(e)) if e.kind() == io::ErrorKind::AlreadyExists => {
                    tell("there is a file of this name, which is left as it is; give another name");
                }
                Some(Err(e)) => tell(&without_path(e).to_string()),
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
        Ok(Self { file: tempfile::NamedTempFile::new_in(folder(&path))?, path })
    }

    fn data(mut self, bytes: &[u8]) -> io::Result<Self> {
        self.file.as_file_mut().write_all(bytes)?;
        Ok(self)
    }

    fn end(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
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

fn keep(mut input: impl Read, mut row: Row, tell: &dyn Fn(&str)) -> io::Result<()> {
    row.remove()?;
    match row.note() {
        Some(note) => tell(&format!("ok {note}")),
        None => tell("ok"),
    }
    loop {
        match message(&mut input)? {
            Some((op::PREAMBLE, bytes)) => row.preamble = bytes,
            Some((op::DATA, bytes)) => row.data(&bytes)?,
            Some((op::WHOLE, _)) => {
                row.flush()?;
                tell("ok");
                return Ok(());
            }
            Some(_) => {}
            // Without a word of farewell: what was written stays.
            None => return row.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Readers, Rotation};
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
        let rotation = Rotation { path: folder.path().join("a.pcapng"), bytes: 10, files: 2, ..Rotation::default() };
        let words = said(&[
            (op::PREAMBLE, b"head"),
            (op::DATA, b"1111"),
            (op::DATA, b"2222"),
            (op::DATA, b"a long one, longer than all"),
            (op::DATA, b"3333"),
            (op::WHOLE, b""),
        ]);
        keep(&words[..], Row::begin(rotation).unwrap(), &|_| {}).unwrap();
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
        let path = folder.path().join("name");
        let to = |keep_part| Replacement { path: path.clone(), readers: Readers::Owner, keep_part };
        let begun = |keep_part| Aside::begin(to(keep_part)).unwrap();
        replace(&said(&[(op::DATA, b"half")])[..], begun(true), &|_| {}).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(&path, "old").unwrap();
        replace(&said(&[(op::DATA, b"new"), (op::WHOLE, b"")])[..], begun(false), &|_| {}).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_no_temporary_file() {
        let e = Aside::begin(Replacement { path: "/nowhere/x".into(), readers: Readers::Owner, keep_part: false });
        assert_eq!(without_path(e.err().unwrap()).to_string(), "No such file or directory (os error 2)");
        assert_eq!(without_path(io::Error::other("words")).to_string(), "words");
    }

    #[test]
    fn arguments_come_through() {
        let rotation = Rotation { path: "a b".into(), bytes: 5, seconds: 6, files: 7, readers: Readers::Usual };
        let replacement = |keep_part| Replacement { path: "x".into(), readers: Readers::Owner, keep_part };
        let jobs = [
            Job::Keep(rotation),
            Job::Save,
            Job::Replace(replacement(true)),
            Job::Replace(replacement(false)),
            Job::Remove("keep".into()),
        ];
        for job in jobs {
            assert_eq!(Job::parse(&job.arguments()), Some(job));
        }
        assert_eq!(Job::parse(&["keep".into()]), None);
        let named = Rights { user: Some("a:b".into()), no_sandbox: true, verbose: true };
        for rights in [Rights::default(), named] {
            assert_eq!(Rights::parse(rights.word().as_ref()), Some(rights));
        }
    }
}

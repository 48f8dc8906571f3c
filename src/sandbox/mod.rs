//! Giving up every right before the first packet is parsed.
//!
//! Whoever reads bytes of strangers should not be able to do more than that. [`enter`] is called once, by the main thread,
//! when all inputs and outputs are open and before any other thread is started. In this order: the user (root becomes
//! somebody else), all capabilities, no new privileges, no core dumps, landlock (no file, no network), seccomp (a list of
//! system calls). What a kernel does not know is left out, and [`Level`] says what was reached.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod syscalls;
#[cfg(target_os = "linux")]
mod writer;

use std::fmt;

/// What the program still has to do.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Who to become when started as root; `None`: who called sudo, else nobody.
    pub user: Option<String>,
    /// It talks to a terminal.
    pub terminal: bool,
    /// A socket from which packets are received: nothing may be sent through it.
    pub receive_only: Option<i32>,
}

/// How far it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Who the program runs as; `None` where users have no numbers.
    pub uid: Option<u32>,
    /// It has no capability.
    pub no_capabilities: bool,
    /// The capabilities that it has kept because it needs them, as the kernel calls them.
    pub kept: Vec<String>,
    /// It cannot gain rights by starting programs.
    pub no_new_privileges: bool,
    /// It can open no file and no connection.
    pub landlock: Strength,
    /// It can make only the system calls it needs.
    pub seccomp: bool,
}

/// How much of a restriction the kernel knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strength {
    /// Nothing.
    #[default]
    None,
    /// A part; the kernel is older than some of it.
    Part,
    /// All of it.
    Full,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |b: bool| if b { "yes" } else { "no" };
        match self.uid {
            Some(uid) => write!(f, "user {uid}")?,
            None => write!(f, "user unchanged")?,
        }
        let landlock = match self.landlock {
            Strength::None => "no",
            Strength::Part => "in part",
            Strength::Full => "yes",
        };
        let dropped = if self.kept.is_empty() {
            yes(self.no_capabilities).to_owned()
        } else {
            format!("all but {}", self.kept.join(" and "))
        };
        write!(
            f,
            ", capabilities dropped: {dropped}, no new privileges: {}, landlock: {landlock}, seccomp: {}",
            yes(self.no_new_privileges),
            yes(self.seccomp)
        )
    }
}

/// What is given up without a sandbox, in one sentence.
pub const WITHOUT: &str = "without the sandbox a flaw in a decoder could be used to read your files, to open connections and, \
                           when started as root, to do anything";

/// Why it could not be entered. Each is one sentence and safe to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `--user` names nobody.
    #[error("there is no user {0}; give a name or number of an account of this system with --user")]
    NoUser(String),
    /// `--user` names root.
    #[error(
        "{0} has the rights of root, which are to be given up; name another account with --user, or keep all rights with --no-sandbox"
    )]
    IsRoot(String),
    /// The new user could become root again.
    #[error("the rights of root could not be given up: {0}; run tlscope as another user, or with --no-sandbox")]
    StillRoot(String),
}

/// Whether [`Needs::user`] can be this account.
///
/// # Errors
/// When there is no such account, or it is root's.
pub fn check_user(name: &str) -> Result<(), Error> {
    #[cfg(target_os = "linux")]
    linux::account(name)?;
    #[cfg(not(target_os = "linux"))]
    let _ = name;
    Ok(())
}

/// Enters the sandbox for good.
///
/// # Errors
/// When root's rights cannot be given up, or the user that was asked for does not exist. Everything else is best effort.
#[cfg(target_os = "linux")]
pub fn enter(needs: &Needs) -> Result<Level, Error> {
    linux::enter(needs)
}

/// There is none on this system.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn enter(_: &Needs) -> Result<Level, Error> {
    Ok(Level::default())
}

/// The sandbox of a process that writes files and parses nothing: it keeps the right to do so in one folder.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    /// Who it became: the owner of what it writes.
    pub user: Option<u32>,
    /// It needs the rights of root over a folder of somebody else.
    pub for_others: bool,
}

/// Where files are written.
#[derive(Clone, Copy, Debug)]
pub enum Folder<'a> {
    /// What is open already; nothing is opened any more.
    Nowhere,
    /// In this one.
    One(&'a std::path::Path),
    /// In any: a person at a screen will say.
    Any,
}

impl Writer {
    /// As tcpdump's `-Z`: when started as root, files are written as `user`, else as who called sudo, so that nobody needs
    /// root's rights to write where they could not. Root that nobody called stays who it is, with no more rights than needed:
    /// without capabilities, unless [`Writer::try_with_less`] finds that it cannot do without.
    ///
    /// # Errors
    /// When the user does not exist, or root's rights cannot be given up.
    #[cfg(target_os = "linux")]
    pub fn begin(user: Option<&str>) -> Result<Self, Error> {
        writer::begin(user)
    }

    /// Tries to open something without any capability first.
    ///
    /// # Errors
    /// Those of `open`.
    #[cfg(target_os = "linux")]
    pub fn try_with_less<T>(&mut self, mut open: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
        writer::lessen(false);
        match open() {
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied && writer::lessen(true) => {
                self.for_others = true;
                open()
            }
            other => other,
        }
    }

    /// What was opened will take the place of `there`, whose folder may let only owners do so.
    #[cfg(target_os = "linux")]
    pub fn will_replace(&mut self, there: &std::path::Path, folder: &std::path::Path) {
        self.for_others |= writer::is_of_others(there, folder) && writer::lessen(true);
    }

    /// Nothing has to be known of it.
    #[cfg(not(target_os = "linux"))]
    pub fn will_replace(&mut self, _: &std::path::Path, _: &std::path::Path) {}

    /// Gives up everything else.
    #[cfg(target_os = "linux")]
    pub fn enter(&self, folder: Folder<'_>) -> Level {
        writer::enter(self, folder)
    }

    /// There are no such rights on this system.
    ///
    /// # Errors
    /// None.
    #[cfg(not(target_os = "linux"))]
    pub fn begin(_: Option<&str>) -> Result<Self, Error> {
        Ok(Self::default())
    }

    /// Opens it.
    ///
    /// # Errors
    /// Those of `open`.
    #[cfg(not(target_os = "linux"))]
    pub fn try_with_less<T>(&mut self, mut open: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
        open()
    }

    /// There is no sandbox on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn enter(&self, _: Folder<'_>) -> Level {
        Level::default()
    }
}

/// The sandbox of a process that ends others and parses nothing: it can send signals, and see its own children.
#[cfg(target_os = "linux")]
pub(crate) fn keep_to_signals() -> Level {
    writer::keep_to_signals()
}

/// All inputs are open at once: makes room for `files` of them, as far as the system's hard limit allows.
pub fn make_room(files: usize) {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        /// For outputs, the terminal and libraries.
        const OTHERS: u64 = 64;
        let wanted = u64::try_from(files).unwrap_or(u64::MAX).saturating_add(OTHERS);
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft < wanted
        {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = files;
}

/// Who called sudo, when root was reached by it: user and group.
#[cfg(target_os = "linux")]
pub(crate) fn caller() -> Option<(nix::unistd::Uid, nix::unistd::Gid)> {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok().filter(|n| *n != 0);
    let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
    Some((uid.into(), gid.into()))
}

/// A file made under sudo belongs to whoever called it.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn give_to_caller(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some((uid, gid)) = caller() {
        return std::os::unix::fs::fchown(file, Some(uid.as_raw()), Some(gid.as_raw()));
    }
    let _ = file;
    Ok(())
}

/// Tries what must fail now: to open a file, to open a socket, to start a program. Gives what did not fail.
pub fn probe() -> Vec<&'static str> {
    let mut open = Vec::new();
    if std::fs::File::open("/etc/passwd").is_ok() {
        open.push("a file");
    }
    if std::net::UdpSocket::bind("127.0.0.1:0").is_ok() {
        open.push("a socket");
    }
    if std::process::Command::new("/bin/true").spawn().is_ok() {
        open.push("a program");
    }
    open
}

//! Leads `tlscope run`: starts the witness and the command, passes signals on, and waits for both. It parses nothing, and
//! has the right to end the command, which the witness has given up.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::keys::{KEY_LOG, KeyLog};
use super::{ENDED, NOT_EXECUTABLE, NOT_FOUND, READY, STARTED, WITNESS};
use crate::cli::args::Global;
use crate::cli::{DAMAGED, complain};
use crate::sandbox;
use crate::scribe::Scribe;

/// Signals that end the command, and with it the capture.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Signals that are for the command alone, whatever it makes of them.
const RELAYED: [Signal; 3] = [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM];

/// A command that was told to end may take so long.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks at what an ended command left behind.
const LOOK: Duration = Duration::from_millis(50);

/// What was killed is waited for so long.
const LAST: Duration = Duration::from_secs(1);

/// `si_code` of a signal that the kernel sent, as for a key of the terminal: the whole process group has had it.
const SI_KERNEL: i32 = 0x80;

/// Runs all of it; gives the exit code.
pub(super) fn lead(command: &[OsString], global: &Global) -> u8 {
    both(command, global).unwrap_or_else(|e| {
        complain(&e.to_string());
        DAMAGED
    })
}

fn both(command: &[OsString], global: &Global) -> io::Result<u8> {
    let mut signals = Signals::catch()?;
    // What the command leaves behind when it was ended is ours to end, not init's.
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let keys = KeyLog::begin(&global.rights())?;
    let mut witness = Witness::start(&keys, &signals)?;
    if !witness.is_ready() {
        return Ok(witness.child.wait().map_or(DAMAGED, code));
    }
    if let Some(came) = signals.wait(Some(Duration::ZERO))?.filter(Came::ends) {
        return Ok(after(came.signal));
    }
    let child = match start(command, &keys, &signals) {
        Ok(child) => child,
        Err(e) => {
            let name = command.first().map(|c| c.to_string_lossy().into_owned()).unwrap_or_default();
            complain(&format!("cannot start {}: {e}", crate::text::escape(&name)));
            return Ok(if e.kind() == io::ErrorKind::PermissionDenied { NOT_EXECUTABLE } else { NOT_FOUND });
        }
    };
    if !global.no_sandbox {
        let level = sandbox::keep_to_signals();
        if global.verbose {
            complain(&format!("sandbox of the process that leads: {level}"));
        }
    }
    witness.say(STARTED);
    let own =
        [child.id(), witness.child.id()].into_iter().chain(keys.remover.as_ref().map(Scribe::id)).map(pid).collect();
    let (status, told) = Commanded { child, told: None, killed: false, passed: Vec::new(), own }.wait(&mut signals)?;
    witness.say(ENDED);
    let result = witness.result(&mut signals, told)?;
    Ok(match code(status) {
        0 => result,
        failed => failed,
    })
}

/// Starts the command as whoever called, with a file for its keys.
fn start(command: &[OsString], keys: &KeyLog, signals: &Signals) -> io::Result<Child> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env(KEY_LOG, &keys.path);
    if nix::unistd::Uid::effective().is_root()
        && let Some((uid, gid)) = sandbox::caller()
    {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    signals.start(&mut command)
}

/// An exit code as a shell has it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|s| s.saturating_add(128)));
    code.and_then(|c| u8::try_from(c).ok()).unwrap_or(u8::MAX)
}

/// A signal that came.
struct Came {
    signal: Signal,
    /// The command has had it too.
    from_terminal: bool,
}

impl Came {
    fn ends(&self) -> bool {
        ENDING.contains(&self.signal)
    }
}

/// Signals, read one by one: a handler would not know who sent them.
struct Signals {
    from: SignalFd,
    mask: SigSet,
    /// One that came while the mask was off.
    missed: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on none of them ends this process. A HUP that was ignored before, as under nohup, still is; INT and QUIT are
    /// not, which a script's shell has ignored by what it starts behind itself (`tlscope run … &`).
    fn catch() -> io::Result<Self> {
        let (ignored, missed) = (ignored(), Arc::new(AtomicUsize::new(0)));
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        let kept = |s: &Signal| *s != Signal::SIGHUP || ignored & bit(*s) == 0;
        for s in ENDING.into_iter().filter(kept).chain(RELAYED) {
            let number = usize::try_from(s as i32).unwrap_or(0);
            signal_hook::flag::register_usize(s as i32, missed.clone(), number)?;
            mask.add(s);
        }
        mask.thread_block()?;
        let from = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { from, mask, missed })
    }

    /// Starts a process without the mask, which it would inherit.
    fn start(&self, command: &mut Command) -> io::Result<Child> {
        self.mask.thread_unblock()?;
        let child = command.spawn();
        self.mask.thread_block()?;
        child
    }

    /// Waits for one, at most so long. `None` also when a child has changed.
    fn wait(&mut self, at_most: Option<Duration>) -> io::Result<Option<Came>> {
        let known = |n| i32::try_from(n).ok().and_then(|n| Signal::try_from(n).ok());
        if let Some(signal) = known(self.missed.swap(0, Ordering::SeqCst)) {
            return Ok(Some(Came { signal, from_terminal: false }));
        }
        let limit = at_most.map_or(PollTimeout::NONE, |t| PollTimeout::try_from(t).unwrap_or(PollTimeout::MAX));
        match poll(&mut [PollFd::new(std::os::fd::AsFd::as_fd(&self.from), PollFlags::POLLIN)], limit) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let came = self.from.read_signal()?.and_then(|info| {
            let from_terminal = info.ssi_code == SI_KERNEL;
            usize::try_from(info.ssi_signo).ok().and_then(known).map(|signal| Came { signal, from_terminal })
        });
        Ok(came.filter(|c| c.signal != Signal::SIGCHLD))
    }
}

fn bit(s: Signal) -> u64 {
    1u64.checked_shl((s as u32).saturating_sub(1)).unwrap_or(0)
}

/// The signals that this process was told to ignore when it was started.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok()).unwrap_or(0)
}

/// The command, and what it was told.
struct Commanded {
    child: Child,
    /// The first signal, and when patience ends.
    told: Option<(Came, Instant)>,
    killed: bool,
    /// Orphans of it that were told the same.
    passed: Vec<Pid>,
    /// Those of this program.
    own: Vec<Pid>,
}

impl Commanded {
    /// Waits until it has ended; of one that was told to end, until nothing is left of it. Gives how it ended, and whether
    /// it was told to.
    fn wait(mut self, signals: &mut Signals) -> io::Result<(ExitStatus, bool)> {
        loop {
            let ended = self.child.try_wait()?;
            let orphans = self.orphans();
            if let Some(status) = ended {
                let Some((_, until)) = &self.told else { return Ok((status, false)) };
                if orphans.is_empty() || (self.killed && Instant::now() >= *until) {
                    return Ok((status, true));
                }
                self.pass_on(&orphans);
            }
            let left = self.told.as_ref().map(|(_, until)| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|l| l.is_zero()) && !self.killed {
                self.kill(&orphans, ended.is_some(), &format!("did not end within {} s", GRACE.as_secs()));
                continue;
            }
            // Orphans become ours without a signal that says so.
            let limit = left.map(|l| if ended.is_some() { l.min(LOOK) } else { l }.max(Duration::from_millis(1)));
            let Some(came) = signals.wait(limit)? else { continue };
            if !came.ends() {
                let _ = kill(pid(self.child.id()), came.signal);
                continue;
            }
            if self.told.is_some() {
                self.kill(&orphans, ended.is_some(), "was told twice to end");
                continue;
            }
            if !came.from_terminal {
                let _ = kill(pid(self.child.id()), came.signal);
                complain(&format!("{} was passed on to the command", came.signal));
            }
            self.told = Instant::now().checked_add(GRACE).map(|until| (came, until));
        }
    }

    /// What the command started and left behind, alive; what of it has ended is done with.
    fn orphans(&self) -> Vec<Pid> {
        let own = Pid::this();
        let list = std::fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap_or_default();
        let all = list.split_whitespace().filter_map(|w| w.parse().ok().map(Pid::from_raw));
        let others = all.filter(|p| !self.own.contains(p));
        others.filter(|p| matches!(waitpid(*p, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))).collect()
    }

    /// Orphans end as the command did. A signal of the terminal they have had.
    fn pass_on(&mut self, orphans: &[Pid]) {
        let signal = match &self.told {
            _ if self.killed => Signal::SIGKILL,
            Some((came, _)) if !came.from_terminal => came.signal,
            _ => return,
        };
        for p in orphans {
            if !self.passed.contains(p) {
                self.passed.push(*p);
                let _ = kill(*p, signal);
            }
        }
    }

    fn kill(&mut self, orphans: &[Pid], has_ended: bool, why: &str) {
        if !std::mem::replace(&mut self.killed, true) {
            let what = if has_ended { "what the command left behind" } else { "the command" };
            complain(&format!("{what} {why}: it was killed"));
        }
        let _ = self.child.kill();
        self.passed.clear();
        self.pass_on(orphans);
        let until = Instant::now().checked_add(LAST);
        self.told = self.told.take().map(|(came, before)| (came, until.unwrap_or(before)));
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap_or(i32::MAX))
}

/// The process that captures, parses and reports.
struct Witness {
    child: Child,
    to: ChildStdin,
}

impl Witness {
    /// Starts this program once more, with the same arguments.
    fn start(keys: &KeyLog, signals: &Signals) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).env(KEY_LOG, &keys.path);
        command.env(WITNESS, std::process::id().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = signals.start(&mut command)?;
        let to = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, to })
    }

    /// Waits until it captures; false when it has ended and said why.
    fn is_ready(&mut self) -> bool {
        let mut word = [0];
        self.child.stdout.take().is_some_and(|mut from| from.read_exact(&mut word).is_ok()) && word == [READY]
    }

    /// One that has ended is noticed when it is waited for.
    fn say(&mut self, word: u8) {
        let _ = self.to.write_all(&[word]).and_then(|()| self.to.flush());
    }

    /// Waits for its report and gives its exit code. What it writes is not given up for a second signal, which a terminal that
    /// is closed sends at once: only for one that comes when it has had its time. `told` says that there was one before.
    fn result(mut self, signals: &mut Signals, mut told: bool) -> io::Result<u8> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                if status.signal().is_some() {
                    complain("the process that captures was killed: the report is not whole");
                    return Ok(DAMAGED);
                }
                return Ok(code(status));
            }
            let Some(came) = signals.wait(None)?.filter(Came::ends) else { continue };
            if std::mem::replace(&mut told, true) && began.elapsed() >= GRACE {
                let _ = self.child.kill();
                return Ok(after(came.signal));
            }
        }
    }
}

/// The exit code of a program that a signal ended, as a shell has it.
fn after(signal: Signal) -> u8 {
    u8::try_from(signal as i32).map_or(u8::MAX, |s| s.saturating_add(128))
}

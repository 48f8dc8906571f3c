//! The system calls that reading, diagnosing and showing need. Every other one fails with EPERM.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::Needs;

/// Calls that are allowed with any arguments: on what is open already, on memory, threads, time and this process.
const ALLOWED: &[i64] = &[
    // What is open already.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_ioctl,
    libc::SYS_pwrite64,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    // Waiting for it.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    // Memory.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Threads. `clone3` hides its flags from this filter: see `NOT_THERE`.
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    // Signals, also to oneself.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_restart_syscall,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // This process and the ones it started before.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getcwd,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_exit_group,
];

/// Calls by which the process that writes files opens, renames and removes them; landlock says where.
const FILES: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_getdents64,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_fchmod,
    libc::SYS_sync_file_range,
    libc::SYS_write,
    libc::SYS_writev,
];
#[cfg(target_arch = "x86_64")]
const OLD_FILES: &[i64] = &[libc::SYS_open, libc::SYS_rename, libc::SYS_renameat, libc::SYS_unlink, libc::SYS_link];
#[cfg(target_arch = "aarch64")]
const OLD_FILES: &[i64] = &[libc::SYS_renameat];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const OLD_FILES: &[i64] = &[];

/// Older names of the same calls.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = &[libc::SYS_poll, libc::SYS_select, libc::SYS_epoll_wait, libc::SYS_stat, libc::SYS_lstat];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[i64] = &[];

/// Calls that write to what is open: not to the socket that packets come from.
const WRITING: &[i64] = &[libc::SYS_write, libc::SYS_writev];

/// Calls that a terminal takes besides: it is opened again by its name, and told of its size by a signal that is passed
/// on through a pair of sockets.
const TERMINAL: &[i64] = &[libc::SYS_openat];
const TERMINAL_WRITING: &[i64] = &[libc::SYS_sendto];

/// Calls that are said not to exist, so that the C library takes the older one.
const NOT_THERE: &[i64] = &[libc::SYS_clone3];

/// `prctl` options that are harmless: names of threads and of memory.
const PRCTL: &[u64] = &[libc::PR_SET_NAME as u64, libc::PR_GET_NAME as u64, 0x5356_4d41];

/// Restricts all threads; false when that is not possible here.
pub(super) fn restrict(needs: &Needs) -> bool {
    build(needs).is_some_and(|programs| programs.iter().all(|p| seccompiler::apply_filter_all_threads(p).is_ok()))
}

/// Calls by which the process that leads ends others and sees what is left of them.
const LEADING: &[i64] = &[libc::SYS_kill, libc::SYS_openat, libc::SYS_write, libc::SYS_writev];

/// Restricts the process that writes files: it starts nothing and connects to nothing.
pub(super) fn restrict_writer() -> bool {
    restrict_to(&[FILES, OLD_FILES])
}

/// Restricts the process that leads another: it starts nothing any more.
pub(super) fn restrict_leader() -> bool {
    restrict_to(&[LEADING])
}

/// Restricts all threads to the usual calls and these.
fn restrict_to(more: &[&[i64]]) -> bool {
    let build = || -> Option<BpfProgram> {
        let all = [ALLOWED, OLD].iter().chain(more).copied().flatten().filter(|n| !NOT_THERE.contains(n));
        let rules = all.map(|n| (*n, Vec::new())).collect();
        let arch = TargetArch::try_from(std::env::consts::ARCH).ok()?;
        let refuse = SeccompAction::Errno(libc::EPERM as u32);
        SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).ok()?.try_into().ok()
    };
    build().is_some_and(|program| seccompiler::apply_filter_all_threads(&program).is_ok())
}

fn build(needs: &Needs) -> Option<[BpfProgram; 2]> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).ok()?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut writing = WRITING.to_vec();
    rules.extend(ALLOWED.iter().chain(OLD).map(|n| (*n, Vec::new())));
    if needs.terminal {
        rules.extend(TERMINAL.iter().map(|n| (*n, Vec::new())));
        writing.extend(TERMINAL_WRITING);
    }
    for n in writing {
        let only = match needs.receive_only.and_then(|fd| u64::try_from(fd).ok()) {
            Some(fd) => vec![rule(0, SeccompCmpOp::Ne, fd)?],
            None => Vec::new(),
        };
        rules.insert(n, only);
    }
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![rule(0, SeccompCmpOp::MaskedEq(thread), thread)?]);
    rules.insert(libc::SYS_prctl, PRCTL.iter().map(|o| rule(0, SeccompCmpOp::Eq, *o)).collect::<Option<_>>()?);
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let allow = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).ok()?;
    let absent = SeccompFilter::new(
        NOT_THERE.iter().map(|n| (*n, Vec::new())).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        arch,
    );
    // Of two filters the stricter answer counts. The list comes last: setting a filter is not on it.
    Some([absent.ok()?.try_into().ok()?, allow.try_into().ok()?])
}

/// Allows a call when an argument compares so.
fn rule(argument: u8, is: SeccompCmpOp, to: u64) -> Option<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, to).ok()?;
    SeccompRule::new(vec![condition]).ok()
}

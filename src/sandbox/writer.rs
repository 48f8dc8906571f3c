//! The rights of processes that parse nothing: one writes files, one ends a command.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use landlock::{AccessFs, PathFd};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, User, initgroups, setgroups};

use super::linux::{account, give_up, lock, no_capabilities};
use super::{Error, Folder, Level, Strength, Writer, syscalls};

/// What root needs in a folder of another user: to write there, and to put a file in the place of another's where only owners may.
const FOR_OTHERS: [Capability; 2] = [Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER];

pub(super) fn begin(asked: Option<&str>) -> Result<Writer, Error> {
    let _ = caps::clear(None, CapSet::Bounding);
    if !Uid::effective().is_root() {
        return Ok(Writer::default());
    }
    let (uid, gid) = match (asked, super::caller()) {
        (Some(name), _) => account(name)?,
        (None, Some(caller)) => caller,
        (None, None) => return Ok(Writer::default()),
    };
    // With all groups, as a folder may be writable by one of them.
    let name = User::from_uid(uid).ok().flatten().and_then(|u| CString::new(u.name).ok());
    give_up(uid, gid, asked.is_some(), || match &name {
        Some(name) => initgroups(name, gid),
        None => setgroups(&[gid]),
    })?;
    Ok(Writer { user: Some(uid.as_raw()), for_others: false })
}

/// Takes effect of no capability, or of those for folders of others; false when there are none to take.
pub(super) fn lessen(for_others: bool) -> bool {
    let wanted: CapsHashSet = if for_others { FOR_OTHERS.into() } else { CapsHashSet::new() };
    caps::set(None, CapSet::Effective, &wanted).is_ok()
}

pub(super) fn enter(writer: &Writer, folder: Folder<'_>) -> Level {
    let kept: CapsHashSet = if writer.for_others { FOR_OTHERS.into() } else { CapsHashSet::new() };
    keep(&kept);
    let no_capabilities = no_capabilities();
    let no_new_privileges = prctl::set_no_new_privs().is_ok();
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
    let open = match folder {
        Folder::Nowhere => None,
        Folder::One(path) => Some(path),
        Folder::Any => Some(Path::new("/")),
    };
    let rights = AccessFs::ReadDir
        | AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile;
    let allowed = open.and_then(|path| PathFd::new(path).ok()).map(|path| (path, rights));
    let landlock = lock(allowed).unwrap_or(Strength::None);
    let seccomp = syscalls::restrict_writer();
    Level {
        uid: Some(Uid::effective().as_raw()),
        no_capabilities,
        writes_for_others: writer.for_others,
        no_new_privileges,
        landlock,
        seccomp,
    }
}

/// True where a file can be put in the place of `there` by its owner only, and that is somebody else.
pub(super) fn is_of_others(there: &Path, folder: &Path) -> bool {
    const STICKY: u32 = 0o1000;
    let own = Uid::effective().as_raw();
    let (Ok(there), Ok(folder)) = (fs::symlink_metadata(there), fs::metadata(folder)) else { return false };
    folder.mode() & STICKY != 0 && there.uid() != own && folder.uid() != own
}

pub(super) fn keep_to_signals() {
    let _ = caps::clear(None, CapSet::Bounding);
    let kept = [Capability::CAP_KILL, Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER];
    let had = caps::read(None, CapSet::Permitted).unwrap_or_default();
    keep(&kept.into_iter().filter(|c| had.contains(c)).collect());
    let _ = prctl::set_no_new_privs();
}

/// Keeps these capabilities, as far as they are there.
fn keep(kept: &CapsHashSet) {
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        let _ = caps::clear(None, set);
    }
    // What takes effect must be permitted, so that the one shrinks before the other.
    let _ = caps::set(None, CapSet::Effective, kept);
    let _ = caps::set(None, CapSet::Permitted, kept);
}

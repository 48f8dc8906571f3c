//! The rights of processes that parse nothing: one writes files, one ends a command.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use landlock::{Access as _, AccessFs, BitFlags, PathFd, Scope};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, User, initgroups, setgroups};

use super::linux::{NEWEST, account, give_up, lock, no_capabilities};
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
    // While there is still a right to.
    let _ = caps::clear(None, CapSet::Bounding);
    let wanted: CapsHashSet = if for_others { FOR_OTHERS.into() } else { CapsHashSet::new() };
    caps::set(None, CapSet::Effective, &wanted).is_ok()
}

pub(super) fn enter(writer: &Writer, folder: Folder<'_>) -> Level {
    let kept: &[Capability] = if writer.for_others { &FOR_OTHERS } else { &[] };
    let folder = match folder {
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
    confine(kept, folder.map(|f| (f, rights)).into_iter(), Scope::from_all(NEWEST), syscalls::restrict_writer)
}

/// The steps, in the order of [`super::enter`].
fn confine<'p>(
    kept: &[Capability],
    allowed: impl Iterator<Item = (&'p Path, BitFlags<AccessFs>)>,
    scope: BitFlags<Scope>,
    restrict: fn() -> bool,
) -> Level {
    keep(&kept.iter().copied().collect());
    let no_capabilities = no_capabilities();
    let no_new_privileges = prctl::set_no_new_privs().is_ok();
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
    let allowed = allowed.filter_map(|(path, rights)| Some((PathFd::new(path).ok()?, rights)));
    let landlock = lock(allowed, scope).unwrap_or(Strength::None);
    let kept = kept.iter().map(ToString::to_string).collect();
    let uid = Some(Uid::effective().as_raw());
    Level { uid, no_capabilities, kept, no_new_privileges, landlock, seccomp: restrict() }
}

/// True where a file can be put in the place of `there` by its owner only, and that is somebody else.
pub(super) fn is_of_others(there: &Path, folder: &Path) -> bool {
    const STICKY: u32 = 0o1000;
    let own = Uid::effective().as_raw();
    let (Ok(there), Ok(folder)) = (fs::symlink_metadata(there), fs::metadata(folder)) else { return false };
    folder.mode() & STICKY != 0 && there.uid() != own && folder.uid() != own
}

pub(super) fn keep_to_signals() -> Level {
    let _ = caps::clear(None, CapSet::Bounding);
    // Only root starts programs as somebody else, whom it may then not end.
    let had = caps::read(None, CapSet::Permitted).unwrap_or_default();
    let wanted = Uid::effective().is_root() && had.contains(&Capability::CAP_KILL);
    let kept: &[Capability] = if wanted { &[Capability::CAP_KILL] } else { &[] };
    // Its children stand there.
    let allowed = [(Path::new("/proc/self"), AccessFs::ReadFile.into())];
    // Without a scope for signals: they are for processes that were started before.
    confine(kept, allowed.into_iter(), BitFlags::EMPTY, syscalls::restrict_leader)
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

//! The steps, on Linux.

use caps::CapSet;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Group, Uid, User, setgroups, setresgid, setresuid, setuid};

use super::{Error, Level, Needs, Strength, syscalls};
use crate::text::escape;

/// The sets of capabilities that count once the bounding set is empty.
const SETS: [CapSet; 4] = [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable];

/// The user that owns nothing, where the system does not name one.
const NOBODY: u32 = 65_534;

/// The newest rules of landlock that are asked for; older kernels do what they know.
pub(super) const NEWEST: ABI = ABI::V6;

pub(super) fn enter(needs: &Needs) -> Result<Level, Error> {
    // While there is still a right to: later nothing could give a capability back, but `CapBnd` should show none either.
    let _ = caps::clear(None, CapSet::Bounding);
    if Uid::effective().is_root() || Uid::current().is_root() {
        become_other(needs.user.as_deref())?;
    }
    for set in SETS {
        let _ = caps::clear(None, set);
    }
    let no_capabilities = no_capabilities();
    let no_new_privileges = prctl::set_no_new_privs().is_ok();
    // What is in memory may be key material.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
    // Of the file system only the terminal.
    let terminal = if needs.terminal { PathFd::new("/dev/tty").ok() } else { None };
    let rights = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let allowed = terminal.map(|tty| (tty, rights)).into_iter();
    let landlock = lock(allowed, Scope::from_all(NEWEST)).unwrap_or(Strength::None);
    let seccomp = syscalls::restrict(needs);
    let uid = Some(Uid::effective().as_raw());
    Ok(Level { uid, no_capabilities, kept: Vec::new(), no_new_privileges, landlock, seccomp })
}

/// Root becomes somebody else for good.
fn become_other(asked: Option<&str>) -> Result<(), Error> {
    let (uid, gid) = match asked {
        Some(name) => account(name)?,
        None => super::caller().unwrap_or_else(nobody),
    };
    give_up(uid, gid, asked.is_some(), || setgroups(&[gid]))
}

/// Becomes this user, whose groups `groups` sets. Where that is not `required`, root of a user namespace in which nobody else
/// exists stays who it is: it is not root.
pub(super) fn give_up(
    uid: Uid,
    gid: Gid,
    required: bool,
    groups: impl FnOnce() -> nix::Result<()>,
) -> Result<(), Error> {
    let steps = || -> nix::Result<()> {
        groups()?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)
    };
    match steps() {
        Ok(()) => {}
        Err(nix::errno::Errno::EINVAL) if !required => return Ok(()),
        Err(e) => return Err(Error::StillRoot(e.desc().to_owned())),
    }
    if setuid(Uid::from_raw(0)).is_ok() {
        return Err(Error::StillRoot("the new user could become root again".into()));
    }
    Ok(())
}

/// True when no set of capabilities holds one.
pub(super) fn no_capabilities() -> bool {
    SETS.iter().all(|s| caps::read(None, *s).is_ok_and(|c| c.is_empty()))
}

/// A user by name or number, with its group.
pub(super) fn account(name: &str) -> Result<(Uid, Gid), Error> {
    let known = || {
        if let Ok(Some(user)) = User::from_name(name) {
            return Some((user.uid, user.gid));
        }
        let uid = Uid::from_raw(name.parse().ok().filter(|n| *n != u32::MAX)?);
        Some(User::from_uid(uid).ok().flatten().map_or((uid, Gid::from_raw(uid.as_raw())), |u| (u.uid, u.gid)))
    };
    let (uid, gid) = known().ok_or_else(|| Error::NoUser(escape(name).into_owned()))?;
    if uid.is_root() {
        return Err(Error::IsRoot(escape(name).into_owned()));
    }
    Ok((uid, gid))
}

fn nobody() -> (Uid, Gid) {
    if let Ok(Some(user)) = User::from_name("nobody") {
        return (user.uid, user.gid);
    }
    let group = Group::from_name("nogroup").ok().flatten().map_or(Gid::from_raw(NOBODY), |g| g.gid);
    (Uid::from_raw(NOBODY), group)
}

/// No file and no network from now on, but what is `allowed` at or below some paths; `scope` is what else ends at this process.
pub(super) fn lock(
    allowed: impl Iterator<Item = (PathFd, BitFlags<AccessFs>)>,
    scope: BitFlags<Scope>,
) -> Result<Strength, RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?;
    let rules = if scope.is_empty() { rules } else { rules.scope(scope)? };
    let mut rules = rules.create()?;
    for (path, rights) in allowed {
        rules = rules.add_rule(PathBeneath::new(path, rights))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Strength::Full,
        RulesetStatus::PartiallyEnforced => Strength::Part,
        RulesetStatus::NotEnforced => Strength::None,
    })
}

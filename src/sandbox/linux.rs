//! The steps, on Linux.

use caps::CapSet;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Group, Uid, User, setgroups, setresgid, setresuid, setuid};

use super::{Error, Level, Needs, Strength, syscalls};
use crate::text::escape;

/// The user that owns nothing, where the system does not name one.
const NOBODY: u32 = 65_534;

/// The newest rules of landlock that are asked for; older kernels do what they know.
const NEWEST: ABI = ABI::V6;

pub(super) fn enter(needs: &Needs) -> Result<Level, Error> {
    // While there is still a right to: later nothing could give a capability back, but `CapBnd` should show none either.
    let _ = caps::clear(None, CapSet::Bounding);
    if Uid::effective().is_root() || Uid::current().is_root() {
        become_other(needs.user.as_deref())?;
    }
    let sets = [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable];
    for set in sets {
        let _ = caps::clear(None, set);
    }
    let no_capabilities = sets.iter().all(|s| caps::read(None, *s).is_ok_and(|c| c.is_empty()));
    let no_new_privileges = prctl::set_no_new_privs().is_ok();
    // What is in memory may be key material.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
    let landlock = lock(needs.terminal).unwrap_or(Strength::None);
    let seccomp = syscalls::restrict(needs);
    Ok(Level { uid: Some(Uid::effective().as_raw()), no_capabilities, no_new_privileges, landlock, seccomp })
}

/// Root becomes somebody else for good.
fn become_other(asked: Option<&str>) -> Result<(), Error> {
    let (uid, gid) = match asked {
        Some(name) => account(name)?,
        None => super::caller().unwrap_or_else(nobody),
    };
    let steps = || -> nix::Result<()> {
        setgroups(&[gid])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)
    };
    match steps() {
        Ok(()) => {}
        // In a user namespace in which nobody else exists root is not root.
        Err(nix::errno::Errno::EINVAL) if asked.is_none() => return Ok(()),
        Err(e) => return Err(Error::StillRoot(e.desc().to_owned())),
    }
    if setuid(Uid::from_raw(0)).is_ok() {
        return Err(Error::StillRoot("the new user could become root again".into()));
    }
    Ok(())
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

/// No file and no network from now on; of the file system only the terminal.
fn lock(terminal: bool) -> Result<Strength, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    if terminal && let Ok(tty) = PathFd::new("/dev/tty") {
        rules = rules.add_rule(PathBeneath::new(tty, AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Strength::Full,
        RulesetStatus::PartiallyEnforced => Strength::Part,
        RulesetStatus::NotEnforced => Strength::None,
    })
}

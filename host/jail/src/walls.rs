//! The walls: no new executable memory, no file system, no network, no signals, and a list of system calls.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::bounds::Bounded;
use crate::calls;
use crate::confinement::{Confinement, Isolation};

/// The version of Landlock that knows all that is wanted of it: signals and abstract sockets were the last to come.
const LANDLOCK_WANTED: ABI = ABI::V6;

/// A process without a file system, a network and signals to others, which may still map code that it was handed.
#[must_use = "a process that is only fenced can still make memory executable"]
pub struct Fenced {
    missing: Vec<String>,
}

/// A process within its walls that may still start threads.
#[must_use = "a process that is not locked can still make any system call"]
pub struct Walled {
    missing: Vec<String>,
}

impl Bounded {
    /// Notes something that this machine did not give.
    pub fn lacks(mut self, what: String) -> Self {
        self.missing.push(what);
        self
    }

    /// Forbids files, the network, and signals to others. Threads are started after it, since Landlock would not bind those
    /// that are there already.
    pub fn fence(self) -> Fenced {
        let mut missing = self.missing;
        missing.extend(landlock().err().map(|why| format!("Landlock: {why}")));
        Fenced { missing }
    }

    /// Fences and walls this process in, with no code to be mapped in between.
    pub fn wall_in(self) -> Walled {
        self.fence().wall_in()
    }
}

impl Fenced {
    /// Forbids memory that becomes executable. Code is mapped by now.
    pub fn wall_in(self) -> Walled {
        let mut missing = self.missing;
        missing.extend(refuse_new_code().err().map(|error| format!("executable memory: {error}")));
        Walled { missing }
    }
}

impl Walled {
    /// Leaves all threads the system calls on the list: any other kills the process.
    pub fn lock(self) -> Confinement {
        let mut missing = self.missing;
        let locked = calls::allow_only_listed();
        let level = match (&locked, missing.is_empty()) {
            (Err(_), _) => Isolation::L1,
            (Ok(()), false) => Isolation::L2,
            (Ok(()), true) => Isolation::L3,
        };
        missing.extend(locked.err().map(|why| format!("seccomp: {why}")));
        Confinement { level, missing }
    }
}

/// From here on no memory becomes executable that was not, and none that is becomes writable.
#[expect(unsafe_code, reason = "no library has this call yet")]
fn refuse_new_code() -> Result<(), String> {
    let refuse_exec_gain = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    let nothing: libc::c_ulong = 0;
    // SAFETY: the call takes numbers alone and changes what later calls may do, not any memory.
    let refused = unsafe { libc::prctl(libc::PR_SET_MDWE, refuse_exec_gain, nothing, nothing, nothing) };
    match refused {
        0 => Ok(()),
        _ => Err(match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EINVAL) => {
                "the kernel cannot refuse it; Linux 6.3 or newer can".to_owned()
            }
            error => error.to_string(),
        }),
    }
}

/// Leaves this process the files in one folder to read, those in another to read, write, make and remove, and nothing else of
/// the file system, of the network and of other processes. Landlock binds the calling thread and those that it starts later, so
/// there must be no other yet.
///
/// # Errors
///
/// Says what the kernel lacks. What it has of it is in force nevertheless.
pub fn fence_to(read: BorrowedFd<'_>, write: &Path) -> Result<(), String> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let changing = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    let write = PathFd::new(write).map_err(|error| error.to_string())?;
    let rules: [(BorrowedFd<'_>, BitFlags<AccessFs>); 2] =
        [(read, reading), (std::os::fd::AsFd::as_fd(&write), reading | changing)];
    restrict(&rules)
}

/// Takes away every right that Landlock knows, with no exception.
fn landlock() -> Result<(), String> {
    restrict(&[])
}

/// Takes away every right that Landlock knows, but those in these folders.
fn restrict(but: &[(BorrowedFd<'_>, BitFlags<AccessFs>)]) -> Result<(), String> {
    let restrict = || -> Result<RestrictionStatus, RulesetError> {
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(LANDLOCK_WANTED))?
            .handle_access(AccessNet::from_all(LANDLOCK_WANTED))?
            .scope(Scope::from_all(LANDLOCK_WANTED))?
            .create()?;
        for (folder, rights) in but {
            rules = rules.add_rule(PathBeneath::new(*folder, *rights))?;
        }
        rules.restrict_self()
    };
    let status = restrict().map_err(|error| error.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, _) => Ok(()),
        (_, LandlockStatus::NotEnabled) => Err("the kernel has it, and it is not switched on".to_owned()),
        (_, LandlockStatus::NotImplemented) => {
            Err("the kernel has none; Linux 6.12 or newer has all of it".to_owned())
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => Err(format!(
            "the kernel has version {effective_abi} of it; version {LANDLOCK_WANTED}, of Linux 6.12, is wanted"
        )),
    }
}

//! Whether this machine can run parsers: one look at each thing that a run needs, with the next move where it is missing.
//!
//! Nothing here builds a parser or opens an input; what a look leaves behind is a cache folder, as a run would.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use casparian_core::fault::FaultReport;
use casparian_jail::{Confinement, Isolation};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FlockOperation, MemfdFlags, RenameFlags, SealFlags};
use rustix::process::{Pid, PidfdFlags, Resource, geteuid, getrlimit, pidfd_open};
use serde::Serialize;

use crate::orders::{News, Task};
use crate::supervisor::Worker;

/// The version of [`Diagnosis`]'s shape.
pub const DIAGNOSIS_SCHEMA: u32 = 1;

/// Where in the cache compiled code lies.
const CODE_FOLDER: &str = "code";
/// A worker that is told nothing ends by itself well within this time.
const WORKER_MS_MAX: i64 = 10_000;
/// Below this, publishing will soon fail.
const FREE_BYTES_WANTED: u64 = 1 << 30;
/// Below this, not even a compiled parser fits.
const FREE_BYTES_NEEDED: u64 = 64 << 20;
/// A run holds a descriptor per table and a handful more.
const OPEN_FILES_NEEDED: u64 = 128;
/// What the sandbox reserves, and does not use, for one guest's memory and the guards around it.
const ADDRESS_SPACE_NEEDED: u64 = 16 << 30;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// [`DIAGNOSIS_SCHEMA`].
    pub schema: u32,
    /// The version of this program.
    pub version: &'static str,
    /// The gravest of all checks.
    pub status: Status,
    /// Every check, in the order of a run.
    pub checks: Vec<Check>,
}

/// One look at one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The thing: a stable word.
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found, with its numbers.
    pub detail: String,
    /// The next move, where one is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Runs will work, and something about them could be better.
    Warn,
    /// Runs will fail.
    Fail,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into(), hint: None }
    }

    fn warn(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, detail: detail.into(), hint: Some(hint.into()) }
    }

    fn fail(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, detail: detail.into(), hint: Some(hint.into()) }
    }
}

/// Looks at this machine. `cache_dir` is where compiled parsers are kept, `program` the one whose `worker` command runs them.
pub fn doctor(cache_dir: &Path, program: &Path) -> Diagnosis {
    let checks = vec![
        version(),
        kernel(),
        cpu(),
        address_space(),
        open_files(),
        cache(&cache_dir.join(CODE_FOLDER)),
        free_space(cache_dir),
        renames(cache_dir),
        locks(cache_dir),
        memfd(),
        worker(program),
        isolation(program),
    ];
    let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
    Diagnosis { schema: DIAGNOSIS_SCHEMA, version: env!("CARGO_PKG_VERSION"), status, checks }
}

fn version() -> Check {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Check::ok("version", format!("casparian {} for {os} on {arch}", env!("CARGO_PKG_VERSION")))
}

fn kernel() -> Check {
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => Check::ok("kernel", release.trim().to_owned()),
        Err(error) => Check::warn(
            "kernel",
            format!("its version cannot be read: {error}"),
            "`/proc` should be there; inside a container, mount it",
        ),
    }
}

#[cfg(target_arch = "x86_64")]
fn cpu() -> Check {
    let has = [
        ("sse4.1", std::arch::is_x86_feature_detected!("sse4.1")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("sha", std::arch::is_x86_feature_detected!("sha")),
    ];
    cpu_check(&has)
}

#[cfg(target_arch = "aarch64")]
fn cpu() -> Check {
    cpu_check(&[("sha", std::arch::is_aarch64_feature_detected!("sha2"))])
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu() -> Check {
    Check::warn("cpu", "nothing is known of this kind of processor", "parsers run best on x86-64 and aarch64")
}

/// Without `sha`, hashing an input is the slowest part of a fast parser's run; without the others, parsing is.
fn cpu_check(has: &[(&str, bool)]) -> Check {
    let names = |wanted: bool| {
        let names: Vec<&str> =
            has.iter().filter(|(_, there)| *there == wanted).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let cores =
        std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    match names(false) {
        none if none.is_empty() => Check::ok("cpu", format!("{cores} cores, with {}", names(true))),
        missing => Check::warn(
            "cpu",
            format!("{cores} cores, without {missing}"),
            "runs give the same results here, only slower; a virtual machine may be hiding what its host has",
        ),
    }
}

fn address_space() -> Check {
    let name = "address space";
    match getrlimit(Resource::As).current {
        None => Check::ok(name, "not limited"),
        Some(limit) if limit >= ADDRESS_SPACE_NEEDED => Check::ok(name, format!("limited to {limit} bytes")),
        Some(limit) => Check::fail(
            name,
            format!(
                "limited to {limit} bytes; a guest's guarded memory reserves up to {ADDRESS_SPACE_NEEDED}"
            ),
            "raise it (`ulimit -v unlimited`); what is reserved is not used",
        ),
    }
}

fn open_files() -> Check {
    let name = "open files";
    match getrlimit(Resource::Nofile).current {
        None => Check::ok(name, "not limited"),
        Some(limit) if limit >= OPEN_FILES_NEEDED => Check::ok(name, format!("limited to {limit}")),
        Some(limit) => Check::warn(
            name,
            format!("limited to {limit}; a run with many tables needs {OPEN_FILES_NEEDED}"),
            "raise it (`ulimit -n 1024`)",
        ),
    }
}

fn cache(cache_dir: &Path) -> Check {
    let shown = cache_dir.display();
    let mend = format!(
        "let nobody else write there: `chmod 700 {shown}`, or set CASPARIAN_CACHE_DIR to another folder"
    );
    if let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(cache_dir) {
        return Check::fail("cache", format!("`{shown}` cannot be made: {error}"), mend);
    }
    let about = match fs::symlink_metadata(cache_dir) {
        Ok(about) => about,
        Err(error) => return Check::fail("cache", format!("`{shown}` cannot be looked at: {error}"), mend),
    };
    if !about.is_dir() {
        return Check::fail(
            "cache",
            format!("`{shown}` is a link; compiled code is kept in a folder of its own"),
            mend,
        );
    }
    // What lies there is run as machine code: whoever may write there may do what its owner may.
    if about.uid() != geteuid().as_raw() {
        return Check::fail("cache", format!("`{shown}` belongs to user {}, not to you", about.uid()), mend);
    }
    if about.mode() & 0o022 != 0 {
        let mode = about.mode() & 0o777;
        return Check::fail("cache", format!("others may write to `{shown}` (mode {mode:o})"), mend);
    }
    match Probe::make(cache_dir, "write").and_then(Probe::remove) {
        Ok(()) => Check::ok("cache", format!("`{shown}`, writable by you alone")),
        Err(error) => Check::fail("cache", format!("`{shown}` cannot be written to: {error}"), mend),
    }
}

fn free_space(cache_dir: &Path) -> Check {
    let name = "free space";
    let free = match rustix::fs::statvfs(cache_dir) {
        Ok(about) => about.f_bavail.saturating_mul(about.f_frsize),
        Err(error) => {
            return Check::warn(name, format!("cannot be asked for: {error}"), "look at the disk by hand");
        }
    };
    let detail = format!("{} MB beside the cache", free / 1_000_000);
    let hint =
        format!("make room, or set CASPARIAN_CACHE_DIR to a larger disk; `{}` is full", cache_dir.display());
    match free {
        0..FREE_BYTES_NEEDED => Check::fail(name, detail, hint),
        FREE_BYTES_NEEDED..FREE_BYTES_WANTED => {
            Check::warn(name, detail, hint.replace("is full", "is nearly full"))
        }
        _ => Check::ok(name, detail),
    }
}

/// Publishing is one rename that never overwrites, replacing is one exchange.
fn renames(dir: &Path) -> Check {
    let name = "atomic renames";
    match try_renames(dir) {
        Ok(()) => Check::ok(name, "no-replace and exchange both work beside the cache"),
        Err(error) => Check::warn(
            name,
            format!("not on the file system of `{}`: {error}", dir.display()),
            "`--out` needs a file system that has them: ext4, xfs, btrfs, tmpfs",
        ),
    }
}

fn try_renames(dir: &Path) -> io::Result<()> {
    let (one, two) = (Probe::make(dir, "one")?, Probe::make(dir, "two")?);
    rustix::fs::renameat_with(CWD, &one.path, CWD, &two.path, RenameFlags::EXCHANGE)?;
    match rustix::fs::renameat_with(CWD, &one.path, CWD, &two.path, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
        Ok(()) => return Err(io::Error::other("a rename that must not replace did")),
    }
    one.remove()?;
    two.remove()
}

/// A folder that a dead run left behind is told by its lock.
fn locks(dir: &Path) -> Check {
    let try_lock = || -> io::Result<()> {
        let probe = Probe::make(dir, "lock")?;
        rustix::fs::flock(&probe.file, FlockOperation::NonBlockingLockExclusive)?;
        probe.remove()
    };
    match try_lock() {
        Ok(()) => Check::ok("file locks", "work beside the cache"),
        Err(error) => Check::warn(
            "file locks",
            format!("do not work in `{}`: {error}", dir.display()),
            "leftovers of interrupted runs may stay; prefer a local disk",
        ),
    }
}

fn memfd() -> Check {
    let name = "sealed memory files";
    let seal = || -> Result<(), rustix::io::Errno> {
        let file =
            rustix::fs::memfd_create("casparian-doctor", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW)
    };
    match seal() {
        Ok(()) => Check::ok(name, "work"),
        Err(error) => Check::fail(
            name,
            format!("the kernel refuses them: {error}"),
            "compiled code travels to the worker in one; Linux 3.17 or newer has them unless a policy forbids it",
        ),
    }
}

/// A worker whose supervisor is gone from the start must come up, see that, and end by itself.
fn worker(program: &Path) -> Check {
    let hint = "the program must be executable where it lies, and may start processes; a container's policy may forbid it";
    match worker_ends(program) {
        Ok(how) => Check::ok("worker", how),
        Err(why) => Check::fail("worker", format!("`{} worker`: {why}", program.display()), hint),
    }
}

/// How far a worker gets to lock itself in is known only once it has tried.
fn isolation(program: &Path) -> Check {
    let name = "isolation";
    let tried = || -> Result<Confinement, FaultReport> {
        let deadline_ms = WORKER_MS_MAX as u64;
        let mut worker =
            Worker::start(program, Isolation::L0, &Task::LockIn, &[], deadline_ms, &Arc::default())?;
        match worker.hear()? {
            News::LockedIn => {}
            News::Failed { fault, .. } => return Err(fault),
            other => return Err(worker.misspoke(&other)),
        }
        worker.confinement().cloned().ok_or_else(|| worker.misspoke(&News::LockedIn))
    };
    match tried() {
        Ok(Confinement { level: Isolation::L3, .. }) => {
            Check::ok(name, "L3: a worker can open no file, make no connection, start nothing")
        }
        Ok(Confinement { level, missing }) => Check::warn(
            name,
            format!("{level}, without {}", missing.join("; ")),
            "parsers run with one wall less; Linux 6.12 or newer has them all, and a container's policy may hide some",
        ),
        Err(fault) => Check::fail(name, fault.message, "see `worker` above"),
    }
}

fn worker_ends(program: &Path) -> io::Result<String> {
    let (ours, theirs) = UnixStream::pair()?;
    drop(ours);
    let mut command = Command::new(program);
    command.arg("worker").stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Reaped(command.spawn()?);
    if !ends_in_time(&child.0)? {
        return Err(io::Error::other(format!(
            "did not end within {WORKER_MS_MAX} ms of losing its supervisor"
        )));
    }
    let status = child.0.wait()?;
    match status.code() {
        Some(_) => Ok("starts in a process of its own, and ends with its supervisor".to_owned()),
        None => Err(io::Error::other(format!("died of {status}"))),
    }
}

fn ends_in_time(child: &Child) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the worker has no process id"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let timeout = Timespec { tv_sec: WORKER_MS_MAX / 1000, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout))?;
    Ok(ready > 0)
}

/// A process that does not outlive the look at it.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only where the process is gone already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file of a passing look. Gone when the look is over, however it ended.
struct Probe {
    path: PathBuf,
    file: File,
}

impl Probe {
    fn make(dir: &Path, purpose: &str) -> io::Result<Self> {
        let path = dir.join(format!(".doctor-{}-{purpose}", std::process::id()));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }

    fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // After `remove` it is gone; after a failure that failure is the one to tell.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        dir
    }

    #[test]
    fn a_cache_that_is_not_there_is_made_for_its_owner_alone() {
        let dir = folder(0o700);
        let cache_dir = dir.path().join("a/b");
        assert_eq!(cache(&cache_dir).status, Status::Ok);
        assert_eq!(fs::metadata(&cache_dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&cache_dir).unwrap().count(), 0);
    }

    #[test]
    fn a_cache_that_others_may_write_to_fails_with_the_command_that_mends_it() {
        let dir = folder(0o777);
        let check = cache(dir.path());
        assert_eq!(check.status, Status::Fail);
        assert!(check.detail.ends_with("(mode 777)"), "{}", check.detail);
        assert!(check.hint.unwrap().contains("chmod 700"));
    }

    #[test]
    fn a_cache_in_place_of_which_a_file_lies_fails() {
        let dir = folder(0o700);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(cache(&file).status, Status::Fail);
    }

    #[test]
    fn a_look_at_the_file_system_leaves_nothing_behind() {
        let dir = folder(0o700);
        assert_eq!(renames(dir.path()).status, Status::Ok);
        assert_eq!(locks(dir.path()).status, Status::Ok);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_program_that_cannot_be_started_is_no_worker() {
        let check = worker(Path::new("/nonexistent/host"));
        assert_eq!(check.status, Status::Fail);
        assert!(check.detail.contains("No such file"), "{}", check.detail);
    }

    #[test]
    fn a_worker_that_ends_by_itself_is_fine_whatever_its_exit_code() {
        assert_eq!(worker(Path::new("/bin/false")).status, Status::Ok);
    }

    #[test]
    fn a_processor_without_a_feature_is_a_warning_that_names_it() {
        let check = cpu_check(&[("sse4.1", true), ("sha", false)]);
        assert_eq!(check.status, Status::Warn);
        assert!(check.detail.ends_with("without sha"), "{}", check.detail);
    }
}

//! Nothing half-published: a run's files are made out of sight and then moved to their place in one step.
//!
//! ```text
//! parent/.casparian-staging-<random>/   0700, locked while its process lives
//!        └── tree/                      becomes parent/out
//! ```
//!
//! At every moment there is either what was there before or all of the new, whatever dies when. A staging folder whose lock
//! can be taken belongs to nobody any more, and the next run beside it takes it away.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use thiserror::Error;

/// The quarantine's place among the tables. No table can have this name.
pub const QUARANTINE_FILE: &str = "_quarantine.parquet";
/// What the receipt beside the tables is called.
const RECEIPT_FILE: &str = "_receipt.json";
/// What comes behind the name of an output whose verdict is no.
const HELD: &str = ".held";

const STAGING_PREFIX: &str = ".casparian-staging-";
const TREE: &str = "tree";
const TREE_HELD: &str = "held";
/// How often a name for a staging folder is tried. Each time somebody must have guessed it, or swept it at once.
const ATTEMPTS: usize = 16;
const PATH_BYTES_MAX: usize = 4096;

/// An output that cannot be made or published.
#[derive(Debug, Error)]
pub enum StagingFault {
    /// `/`, `..` and the like.
    #[error("{out} does not name a folder that could be made")]
    NoName {
        /// As it was given.
        out: GuestText,
    },
    /// The folder that it should be in does not exist.
    #[error("{parent} does not exist, so {out} cannot be made in it")]
    NoParent {
        /// As it was given.
        out: GuestText,
        /// The folder.
        parent: GuestText,
    },
    /// The folder that it should be in cannot be used.
    #[error("nothing can be made in {parent}: {error}")]
    ParentUnusable {
        /// The folder.
        parent: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// There is something by that name.
    #[error("{out} exists")]
    Exists {
        /// As it was given.
        out: GuestText,
    },
    /// There is something by that name that no run has made, so that no run takes it away.
    #[error("{out} {why}, so it is not replaced")]
    NotOurs {
        /// As it was given.
        out: GuestText,
        /// What shows it.
        why: String,
    },
    /// The file system cannot do it in one step.
    #[error("the file system of {out} cannot exchange two folders in one step: {error}")]
    NoExchange {
        /// As it was given.
        out: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// There is no space left.
    #[error("no space left to {doing} {path}: {error}")]
    NoSpace {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// The system failed.
    #[error("cannot {doing} {path}: {error}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: GuestText,
        /// What the system says.
        error: io::Error,
    },
}

impl Blamed for StagingFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Failed { .. } => Blame::Host,
            _ => Blame::Operator,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoName { .. } => "output-unnamed",
            Self::NoParent { .. } => "output-parent-missing",
            Self::ParentUnusable { .. } => "output-parent-unusable",
            Self::Exists { .. } => "output-exists",
            Self::NotOurs { .. } => "output-not-ours",
            Self::NoExchange { .. } => "output-no-exchange",
            Self::NoSpace { .. } => "disk-full",
            Self::Failed { .. } => "output-failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoName { .. } => Some("name a new folder, such as out/".to_owned()),
            Self::NoParent { parent, .. } => Some(format!("make it first: mkdir -p {parent}")),
            Self::ParentUnusable { .. } => Some("choose a folder that you may write to".to_owned()),
            Self::Exists { .. } => Some("choose another name, or exchange it with --replace".to_owned()),
            Self::NotOurs { .. } => Some("choose another name, or take it away yourself".to_owned()),
            Self::NoExchange { .. } => {
                Some("take the old output away first, and leave out --replace".to_owned())
            }
            Self::NoSpace { .. } => {
                Some("free some space, or choose another place for the output".to_owned())
            }
            Self::Failed { .. } => None,
        }
    }
}

/// An output in the making. Dropped before it is published, it leaves nothing behind.
#[derive(Debug)]
pub struct Staging {
    scratch: Scratch,
    tree: Dir,
    out: PathBuf,
    /// The last part of `out`.
    name: OsString,
    replace: bool,
}

impl Staging {
    /// Begins an output that will be at `out`. What is there is refused, or with `replace` exchanged in the end, if it looks
    /// like the output of a run. Takes away what dead processes left beside it.
    pub fn create(out: &Path, replace: bool) -> Result<Self, StagingFault> {
        let name = out.file_name().ok_or_else(|| StagingFault::NoName { out: shown(out) })?.to_owned();
        let folder = parent_of(out);
        let parent = open_parent(out, folder)?;
        check_place(&parent, &name, out, replace)?;
        let unusable = |error| StagingFault::ParentUnusable { parent: shown(folder), error };
        sweep(&parent).map_err(unusable)?;
        let scratch = Scratch::create(parent).map_err(unusable)?;
        let tree = scratch.make(TREE, 0o777).map_err(|error| failed("make", out, error))?;
        Ok(Self { scratch, tree, out: out.to_owned(), name, replace })
    }

    /// Makes a file. Its name must be one that runs write: a table's, or [`QUARANTINE_FILE`], which nobody but its owner may
    /// read.
    pub fn create_file(&self, name: &str) -> Result<File, StagingFault> {
        let place = self.out.join(name);
        if !is_written_by_runs(OsStr::new(name)) {
            return Err(failed("make", &place, io::Error::other("runs make no file of this name")));
        }
        let mode = if name == QUARANTINE_FILE { 0o600 } else { 0o644 };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let made = self.tree.open_with(name, &options);
        made.map(cap_std::fs::File::into_std).map_err(|error| failed("make", &place, error))
    }

    /// Moves everything to its place in one step, safe on disk. Returns the place.
    pub fn publish(self) -> Result<PathBuf, StagingFault> {
        self.sync(&self.tree, &self.out)?;
        self.put(TREE, &self.name, &self.out, self.replace)?;
        Ok(self.out.clone())
    }

    /// Moves one file alone, the quarantine, to `<out>.held` in one step, in place of an older one. Returns that folder.
    pub fn hold(self, file: &str) -> Result<PathBuf, StagingFault> {
        let (name, place) = (with_suffix(&self.name), PathBuf::from(with_suffix(self.out.as_os_str())));
        let held = self.scratch.make(TREE_HELD, 0o777).map_err(|error| failed("make", &place, error))?;
        self.tree.rename(file, &held, file).map_err(|error| failed("move", &self.out.join(file), error))?;
        self.sync(&held, &place)?;
        self.put(TREE_HELD, &name, &place, true)?;
        Ok(place)
    }

    /// Makes sure that the files of `tree` and their names are on disk.
    fn sync(&self, tree: &Dir, place: &Path) -> Result<(), StagingFault> {
        let sync = || {
            for entry in tree.entries()? {
                entry?.open()?.sync_all()?;
            }
            rustix::fs::fsync(tree).map_err(io::Error::from)
        };
        sync().map_err(|error| failed("sync", place, error))
    }

    /// Moves `from`, a folder of the staging folder, to `name` beside it.
    fn put(&self, from: &str, name: &OsStr, place: &Path, replace: bool) -> Result<(), StagingFault> {
        match self.rename(from, name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) if replace => self.exchange(from, name, place)?,
            Err(Errno::EXIST) => return Err(StagingFault::Exists { out: shown(place) }),
            Err(error) if is_unsupported(error) => self.put_where_nothing_is(from, name, place, replace)?,
            Err(error) => return Err(failed("publish", place, error.into())),
        }
        rustix::fs::fsync(&self.scratch.parent)
            .map_err(|error| failed("sync the folder of", place, error.into()))
    }

    /// Exchanges the new for the old. The old one is taken away with the staging folder, now or by whoever sweeps it.
    fn exchange(&self, from: &str, name: &OsStr, place: &Path) -> Result<(), StagingFault> {
        check_place(&self.scratch.parent, name, place, true)?;
        self.rename(from, name, RenameFlags::EXCHANGE).map_err(|error| match is_unsupported(error) {
            true => StagingFault::NoExchange { out: shown(place), error: error.into() },
            false => failed("publish", place, error.into()),
        })
    }

    /// For file systems whose rename knows no flags. A plain rename puts a folder on an empty folder at most.
    fn put_where_nothing_is(
        &self,
        from: &str,
        name: &OsStr,
        place: &Path,
        replace: bool,
    ) -> Result<(), StagingFault> {
        match self.scratch.parent.symlink_metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at", place, error)),
            Ok(_) if replace => {
                return Err(StagingFault::NoExchange { out: shown(place), error: Errno::OPNOTSUPP.into() });
            }
            Ok(_) => return Err(StagingFault::Exists { out: shown(place) }),
        }
        self.rename(from, name, RenameFlags::empty()).map_err(|error| failed("publish", place, error.into()))
    }

    fn rename(&self, from: &str, name: &OsStr, flags: RenameFlags) -> rustix::io::Result<()> {
        rustix::fs::renameat_with(&self.scratch.dir, from, &self.scratch.parent, name, flags)
    }
}

fn is_unsupported(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

fn failed(doing: &'static str, path: &Path, error: io::Error) -> StagingFault {
    let path = shown(path);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StagingFault::NoSpace { doing, path, error }
        }
        _ => StagingFault::Failed { doing, path, error },
    }
}

fn shown(path: &Path) -> GuestText {
    GuestText::new(&path.to_string_lossy(), PATH_BYTES_MAX)
}

fn with_suffix(name: &OsStr) -> OsString {
    let mut name = name.as_bytes().to_vec();
    while name.last() == Some(&b'/') {
        name.pop();
    }
    name.extend_from_slice(HELD.as_bytes());
    OsStr::from_bytes(&name).to_owned()
}

fn parent_of(out: &Path) -> &Path {
    match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn open_parent(out: &Path, parent: &Path) -> Result<Dir, StagingFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(parent, flags, Mode::empty()) {
        Ok(fd) => Ok(Dir::from_std_file(File::from(fd))),
        Err(Errno::NOENT) => Err(StagingFault::NoParent { out: shown(out), parent: shown(parent) }),
        Err(error) => Err(StagingFault::ParentUnusable { parent: shown(parent), error: error.into() }),
    }
}

/// Opens a folder in `parent`, and nothing that a symbolic link leads to.
fn open_beneath(parent: &Dir, name: impl rustix::path::Arg) -> rustix::io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    Ok(Dir::from_std_file(File::from(fd)))
}

/// Checks that nothing is in the way, or that what is may be replaced.
fn check_place(parent: &Dir, name: &OsStr, out: &Path, replace: bool) -> Result<(), StagingFault> {
    let found = match parent.symlink_metadata(name) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", out, error)),
    };
    let not_ours = |why: String| Err(StagingFault::NotOurs { out: shown(out), why });
    if !replace {
        return Err(StagingFault::Exists { out: shown(out) });
    }
    if found.is_symlink() {
        return not_ours("is a symbolic link".to_owned());
    }
    if !found.is_dir() {
        return not_ours("is no folder".to_owned());
    }
    match first_stranger(parent, name).map_err(|error| failed("look into", out, error))? {
        Some(stranger) => not_ours(format!("holds `{}`, which no run has made", shown(Path::new(&stranger)))),
        None => Ok(()),
    }
}

/// Finds something in a folder that no run writes. What is replaced is deleted: `--out ~ --replace` must not be the end.
fn first_stranger(parent: &Dir, name: &OsStr) -> io::Result<Option<OsString>> {
    for entry in open_beneath(parent, name)?.entries()? {
        let entry = entry?;
        if !entry.file_type()?.is_file() || !is_written_by_runs(&entry.file_name()) {
            return Ok(Some(entry.file_name()));
        }
    }
    Ok(None)
}

fn is_written_by_runs(file: &OsStr) -> bool {
    let Some(file) = file.to_str() else { return false };
    let table = file.strip_suffix(".parquet").and_then(TableName::new);
    table.is_some() || file == QUARANTINE_FILE || file == RECEIPT_FILE
}

/// A folder that is gone when its process is: at once, or when the next one sweeps.
#[derive(Debug)]
struct Scratch {
    parent: Dir,
    /// Holds the lock.
    dir: Dir,
    name: String,
}

impl Scratch {
    fn create(parent: Dir) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let name = format!("{STAGING_PREFIX}{:016x}", RandomState::new().hash_one(()));
            if let Some(dir) = make_locked(&parent, &name)? {
                return Ok(Self { parent, dir, name });
            }
        }
        Err(io::Error::other(format!("{ATTEMPTS} staging folders were taken away while they were made")))
    }

    fn make(&self, name: &str, mode: u32) -> io::Result<Dir> {
        rustix::fs::mkdirat(&self.dir, name, Mode::from_bits_truncate(mode))?;
        Ok(open_beneath(&self.dir, name)?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is an orphan once the lock is gone, and the next run beside it tries again.
        let _ = self.parent.remove_dir_all(&self.name);
    }
}

/// Makes a folder and takes its lock. Returns `None` where somebody was quicker: the name is taken, or a sweep came between
/// the making and the lock.
fn make_locked(parent: &Dir, name: &str) -> io::Result<Option<Dir>> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let dir = match open_beneath(parent, name) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Where there are no locks nobody can sweep either.
    if lock(&dir) == Lock::Taken {
        return Ok(None);
    }
    Ok(is_still_there(parent, name, &dir)?.then_some(dir))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Ours,
    Taken,
    Unsupported,
}

/// Takes a folder's lock, which the kernel gives back when the process ends, however it ends.
fn lock(dir: &Dir) -> Lock {
    match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Lock::Ours,
        Err(Errno::WOULDBLOCK) => Lock::Taken,
        Err(_) => Lock::Unsupported,
    }
}

fn is_still_there(parent: &Dir, name: &str, dir: &Dir) -> io::Result<bool> {
    let opened = rustix::fs::fstat(dir)?;
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes away the staging folders of processes that are dead.
fn sweep(parent: &Dir) -> io::Result<()> {
    for entry in parent.entries()? {
        let name = entry?.file_name();
        if name.as_bytes().starts_with(STAGING_PREFIX.as_bytes()) {
            // Whatever cannot be taken away is somebody else's or next time's, and no reason for this run to fail.
            let _ = sweep_one(parent, &name);
        }
    }
    Ok(())
}

fn sweep_one(parent: &Dir, name: &OsStr) -> io::Result<()> {
    let dir = open_beneath(parent, name)?;
    let is_ours = rustix::fs::fstat(&dir)?.st_uid == rustix::process::geteuid().as_raw();
    if is_ours && lock(&dir) == Lock::Ours {
        parent.remove_dir_all(name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Stages a table and a quarantine that hold `text`.
    fn stage(out: &Path, replace: bool, text: &str) -> Staging {
        let staging = Staging::create(out, replace).unwrap();
        staging.create_file("orders.parquet").unwrap().write_all(text.as_bytes()).unwrap();
        staging.create_file(QUARANTINE_FILE).unwrap().write_all(text.as_bytes()).unwrap();
        staging
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    fn refused(out: &Path, replace: bool) -> (&'static str, String) {
        let fault = Staging::create(out, replace).unwrap_err();
        (fault.code(), fault.to_string())
    }

    #[test]
    fn nothing_is_at_its_place_before_it_is_published_and_everything_is_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let staging = stage(&out, false, "new");
        assert!(!out.exists());
        assert_eq!(staging.publish().unwrap(), out);
        assert_eq!(names(folder.path()), ["out"]);
        assert_eq!(names(&out), ["_quarantine.parquet", "orders.parquet"]);
    }

    #[test]
    fn what_is_never_published_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        drop(stage(&folder.path().join("out"), false, "new"));
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn only_its_owner_may_read_the_quarantine() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out/");
        stage(&out, false, "new").publish().unwrap();
        let mode = |file: &str| std::fs::metadata(out.join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(QUARANTINE_FILE), 0o600);
        assert_eq!(mode("orders.parquet") & 0o600, 0o600);
    }

    #[test]
    fn a_staging_folder_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let staging = stage(&folder.path().join("out"), false, "new");
        let staged = folder.path().join(&names(folder.path())[0]);
        assert_eq!(std::fs::metadata(staged).unwrap().permissions().mode() & 0o777, 0o700);
        drop(staging);
    }

    #[test]
    fn an_output_that_exists_is_refused_and_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        stage(&out, false, "old").publish().unwrap();
        let (code, message) = refused(&out, false);
        assert_eq!(code, "output-exists");
        assert!(message.ends_with("/out exists"), "{message}");
        assert_eq!(read(&out.join("orders.parquet")), "old");
    }

    #[test]
    fn replace_exchanges_the_old_output_for_the_new_and_takes_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        stage(&out, false, "old").publish().unwrap();
        let next = stage(&out, true, "new");
        assert_eq!(read(&out.join("orders.parquet")), "old");
        next.publish().unwrap();
        assert_eq!(read(&out.join("orders.parquet")), "new");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn replace_needs_nothing_to_replace() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        stage(&out, true, "new").publish().unwrap();
        assert_eq!(read(&out.join("orders.parquet")), "new");
    }

    #[test]
    fn replace_takes_nothing_away_that_no_run_has_made() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("home");
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join("thesis.tex"), "years").unwrap();
        let (code, message) = refused(&out, true);
        assert_eq!(code, "output-not-ours");
        assert!(
            message.ends_with("holds `thesis.tex`, which no run has made, so it is not replaced"),
            "{message}"
        );
        std::fs::remove_file(out.join("thesis.tex")).unwrap();
        std::fs::create_dir(out.join("orders.parquet")).unwrap();
        assert_eq!(refused(&out, true).0, "output-not-ours");
    }

    #[test]
    fn what_came_into_the_old_output_meanwhile_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        stage(&out, false, "old").publish().unwrap();
        let next = stage(&out, true, "new");
        std::fs::write(out.join("notes.txt"), "mine").unwrap();
        assert_eq!(next.publish().unwrap_err().code(), "output-not-ours");
        assert_eq!(
            (read(&out.join("notes.txt")), read(&out.join("orders.parquet"))),
            ("mine".into(), "old".into())
        );
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn a_symbolic_link_is_neither_followed_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, out) = (folder.path().join("elsewhere"), folder.path().join("out"));
        std::fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, &out).unwrap();
        assert_eq!(refused(&out, false).0, "output-exists");
        let (code, message) = refused(&out, true);
        assert_eq!(code, "output-not-ours");
        assert!(message.ends_with("is a symbolic link, so it is not replaced"), "{message}");
        symlink("nowhere", folder.path().join("dangling")).unwrap();
        assert_eq!(refused(&folder.path().join("dangling"), true).0, "output-not-ours");
        assert_eq!(names(&elsewhere), [""; 0]);
    }

    #[test]
    fn a_file_by_that_name_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        std::fs::write(&out, "mine").unwrap();
        assert_eq!(refused(&out, true).0, "output-not-ours");
        assert_eq!(read(&out), "mine");
    }

    #[test]
    fn a_missing_folder_is_the_operators_to_make() {
        let folder = tempfile::tempdir().unwrap();
        let fault = Staging::create(&folder.path().join("a/b/out"), false).unwrap_err();
        assert_eq!((fault.code(), fault.blame()), ("output-parent-missing", Blame::Operator));
        let wanted = format!("make it first: mkdir -p {}/a/b", folder.path().display());
        assert_eq!(fault.hint(), Some(wanted));
    }

    #[test]
    fn a_folder_that_may_not_be_written_to_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o555)).unwrap();
        // Permissions bind nobody who is root; nobody makes folders in sysfs.
        let is_root = rustix::process::geteuid().is_root();
        let parent = if is_root { Path::new("/sys") } else { folder.path() };
        let (code, message) = refused(&parent.join("out"), false);
        assert_eq!(code, "output-parent-unusable");
        assert!(message.starts_with(&format!("nothing can be made in {}: ", parent.display())), "{message}");
    }

    #[test]
    fn an_output_needs_a_name() {
        for out in ["/", "..", "a/..", ""] {
            assert_eq!(refused(Path::new(out), false).0, "output-unnamed", "{out:?}");
        }
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_what_a_living_one_makes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let orphan = folder.path().join(".casparian-staging-dead");
        std::fs::create_dir_all(orphan.join("tree")).unwrap();
        std::fs::write(orphan.join("tree/orders.parquet"), "half").unwrap();
        let alive = stage(&folder.path().join("one"), false, "one");
        assert!(!orphan.exists());
        let other = stage(&folder.path().join("two"), false, "two");
        alive.publish().unwrap();
        other.publish().unwrap();
        assert_eq!(names(folder.path()), ["one", "two"]);
    }

    #[test]
    fn a_link_that_poses_as_an_orphan_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("orders.parquet"), "mine").unwrap();
        symlink(&elsewhere, folder.path().join(".casparian-staging-link")).unwrap();
        stage(&folder.path().join("out"), false, "new").publish().unwrap();
        assert_eq!(read(&elsewhere.join("orders.parquet")), "mine");
    }

    #[test]
    fn of_two_runs_to_one_place_the_second_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let (first, second) = (stage(&out, false, "first"), stage(&out, false, "second"));
        first.publish().unwrap();
        assert_eq!(second.publish().unwrap_err().code(), "output-exists");
        assert_eq!(read(&out.join("orders.parquet")), "first");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn many_runs_beside_each_other_neither_lose_nor_leave_anything() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    for run in 0..20 {
                        let out = folder.join(format!("out-{thread}-{run}"));
                        let staging = Staging::create(&out, false).unwrap();
                        staging.create_file("orders.parquet").unwrap();
                        if run % 2 == 0 {
                            staging.publish().unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(names(folder.path()).len(), 80);
        assert!(names(folder.path()).iter().all(|name| name.starts_with("out-")));
    }

    #[test]
    fn a_verdict_of_no_publishes_the_quarantine_alone_and_replaces_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out/");
        let held = folder.path().join("out.held");
        for text in ["old", "new"] {
            assert_eq!(stage(&out, false, text).hold(QUARANTINE_FILE).unwrap(), held);
            assert_eq!(names(folder.path()), ["out.held"]);
            assert_eq!(names(&held), [QUARANTINE_FILE]);
            assert_eq!(read(&held.join(QUARANTINE_FILE)), text);
        }
    }

    #[test]
    fn without_a_quarantine_nothing_is_held_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::create(&folder.path().join("out"), false).unwrap();
        staging.create_file("orders.parquet").unwrap();
        let fault = staging.hold(QUARANTINE_FILE).unwrap_err();
        assert!(fault.to_string().contains("_quarantine.parquet: No such file"), "{fault}");
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn no_file_is_made_by_a_name_that_could_lead_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::create(&folder.path().join("out"), false).unwrap();
        for name in ["../x.parquet", "/tmp/x.parquet", "a/b.parquet", "", "orders", "Orders.parquet"] {
            assert_eq!(staging.create_file(name).unwrap_err().code(), "output-failed", "{name:?}");
        }
    }

    #[test]
    fn a_table_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let staging = stage(&folder.path().join("out"), false, "new");
        assert_eq!(staging.create_file("orders.parquet").unwrap_err().code(), "output-failed");
    }
}

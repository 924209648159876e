//! Nothing half-published: a run's files are made out of sight and then moved to their place in one step.
//!
//! ```text
//! parent/.casparian-staging-<random>/   0700, locked while its process lives
//!        └── tree/                      becomes parent/out
//! ```
//!
//! At every moment there is either what was there before or all of the new, whatever dies when. A staging folder whose lock
//! can be taken belongs to nobody any more, and the next run beside it takes it away.
//!
//! An output that is one file takes two steps: first what is known about it moves to the folder `<out>.about`, then the
//! file to its place. So a file that is there is complete, and has its quarantine and its receipt beside it. Between the two
//! the folder holds a mark. Who dies there leaves the marked folder beside no file, which the next run replaces, or beside the
//! old file, whose digest is not the one that the receipt names. A folder without the mark is about a file that somebody has
//! moved away, and is kept.

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

use crate::sinks::Format;

/// The quarantine's place among the tables. No table can have this name.
pub const QUARANTINE_FILE: &str = "_quarantine.parquet";
/// What the receipt beside the tables is called.
pub const RECEIPT_FILE: &str = "_receipt.json";
/// What comes behind the name of an output whose verdict is no.
const HELD: &str = ".held";
/// What comes behind the name of an output that is one file: the folder of what is known about it.
const ABOUT: &str = ".about";

/// Stands in the folder about a file until the file is in its place.
const UNFINISHED: &str = "_unfinished";

const STAGING_PREFIX: &str = ".casparian-staging-";
const TREE: &str = "tree";
const TREE_HELD: &str = "held";
const TREE_STALE: &str = "stale";
const TABLE: &str = "table";
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
    /// The run has no table to make the one file of.
    #[error("the parser opened no table, so there is nothing to make {out} of")]
    NoTable {
        /// As it was given.
        out: GuestText,
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
            Self::NoTable { .. } => "output-without-table",
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
            Self::NoTable { .. } => Some("name a folder instead: it may be without tables".to_owned()),
            Self::Failed { .. } => None,
        }
    }
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// A folder with a file for each table.
    #[default]
    Folder,
    /// The file of the one table there is, with a folder about it beside it.
    File,
}

/// Returns the folder that holds what is said about an output: the output itself, or `<out>.about` beside a file.
pub fn about(out: &Path, extent: Extent) -> PathBuf {
    match extent {
        Extent::Folder => out.to_owned(),
        Extent::File => PathBuf::from(with_suffix(out.as_os_str(), ABOUT)),
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
    extent: Extent,
    replace: bool,
}

impl Staging {
    /// Begins an output that will be at `out`. What is there is refused, or with `replace` exchanged in the end, if it looks
    /// like the output of a run. Takes away what dead processes left beside it.
    pub fn create(out: &Path, extent: Extent, replace: bool) -> Result<Self, StagingFault> {
        let name = out.file_name().ok_or_else(|| StagingFault::NoName { out: shown(out) })?.to_owned();
        let folder = parent_of(out);
        let parent = open_parent(out, folder)?;
        match extent {
            Extent::Folder => check_place(&parent, &name, out, replace)?,
            Extent::File => check_file_place(&parent, &name, out, replace)?,
        }
        let unusable = |error| StagingFault::ParentUnusable { parent: shown(folder), error };
        sweep(&parent).map_err(unusable)?;
        let scratch = Scratch::create(parent).map_err(unusable)?;
        let tree = scratch.make(TREE, 0o777).map_err(|error| failed("make", out, error))?;
        Ok(Self { scratch, tree, out: out.to_owned(), name, extent, replace })
    }

    /// Makes a file. Its name must be one that runs write: a table's, [`RECEIPT_FILE`], or [`QUARANTINE_FILE`], which nobody but its owner may
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

    /// Moves everything to its place, safe on disk: a folder in one step, a file after what is known about it. Returns the
    /// place.
    pub fn publish(self) -> Result<PathBuf, StagingFault> {
        match self.extent {
            Extent::Folder => {
                self.sync(&self.tree, &self.out)?;
                self.put(TREE, &self.name, &self.out, self.replace)?;
            }
            Extent::File => self.publish_file()?,
        }
        self.take_stale_hold();
        Ok(self.out.clone())
    }

    /// Takes away what an earlier run of this name has left instead of an output: now there is one. The output is published
    /// whether this goes well or not, and the next one tries again.
    fn take_stale_hold(&self) {
        let (parent, name) = (&self.scratch.parent, with_suffix(&self.name, HELD));
        if is_hold(parent, &name).unwrap_or(false) {
            let _ = parent.rename(&name, &self.scratch.dir, TREE_STALE);
        }
    }

    fn publish_file(&self) -> Result<(), StagingFault> {
        let table = self.table_file().map_err(|error| failed("look for the table of", &self.out, error))?;
        let table = table.ok_or_else(|| StagingFault::NoTable { out: shown(&self.out) })?;
        let aside = self.tree.rename(&table, &self.scratch.dir, TABLE);
        aside.map_err(|error| failed("move", &self.out, error))?;
        let synced = self.scratch.dir.open(TABLE).and_then(|file| file.sync_all());
        synced.map_err(|error| failed("sync", &self.out, error))?;
        self.tree.create(UNFINISHED).map_err(|error| failed("mark", &self.out, error))?;
        self.sync(&self.tree, &self.out)?;
        check_file_place(&self.scratch.parent, &self.name, &self.out, self.replace)?;
        let place = about(&self.out, self.extent);
        self.put(TREE, &with_suffix(&self.name, ABOUT), &place, true)?;
        match self.replace {
            // In the place of whatever is there, which has just been looked at.
            true => self
                .rename(TABLE, &self.name, RenameFlags::empty())
                .map_err(|error| failed("publish", &self.out, error.into()))?,
            false => self.put(TABLE, &self.name, &self.out, false)?,
        }
        self.sync_parent(&self.out)?;
        // It is published, whatever becomes of the mark: beside a file it says nothing.
        let _ = self.tree.remove_file(UNFINISHED);
        Ok(())
    }

    /// Returns the name of the first file that is a table's.
    fn table_file(&self) -> io::Result<Option<OsString>> {
        for entry in self.tree.entries()? {
            let name = entry?.file_name();
            if is_table_file(&name) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Returns what every file holds that has been made so far, ascending by name.
    pub fn files(&self) -> Result<Vec<(String, File)>, StagingFault> {
        let list = || {
            let mut files = Vec::new();
            for entry in self.tree.entries()? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                files.push((name.clone(), self.tree.open(&name)?.into_std()));
            }
            files.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok(files)
        };
        list().map_err(|error| failed("read", &self.out, error))
    }

    /// Moves these files alone, the quarantine and the receipt, to `<out>.held` in one step, in place of older ones. Returns
    /// that folder.
    pub fn hold(self, files: &[&str]) -> Result<PathBuf, StagingFault> {
        let name = with_suffix(&self.name, HELD);
        let place = PathBuf::from(with_suffix(self.out.as_os_str(), HELD));
        let held = self.scratch.make(TREE_HELD, 0o777).map_err(|error| failed("make", &place, error))?;
        for file in files {
            let moved = self.tree.rename(file, &held, file);
            moved.map_err(|error| failed("move", &self.out.join(file), error))?;
        }
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
        self.sync_parent(place)
    }

    fn sync_parent(&self, place: &Path) -> Result<(), StagingFault> {
        let synced = rustix::fs::fsync(&self.scratch.parent);
        synced.map_err(|error| failed("sync the folder of", place, error.into()))
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

fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.as_bytes().to_vec();
    while name.last() == Some(&b'/') {
        name.pop();
    }
    name.extend_from_slice(suffix.as_bytes());
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

/// Checks the place of an output that is one file. A file is taken for the output of a run where there is a folder about it.
fn check_file_place(parent: &Dir, name: &OsStr, out: &Path, replace: bool) -> Result<(), StagingFault> {
    let (about_name, about) = (with_suffix(name, ABOUT), about(out, Extent::File));
    check_place(parent, &about_name, &about, true)?;
    let look = |name: &OsStr| match parent.symlink_metadata(name) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look at", out, error)),
    };
    let Some(found) = look(name)? else {
        let is_kept = look(&about_name)?.is_some() && !replace && !is_unfinished(parent, &about_name);
        return if is_kept { Err(StagingFault::Exists { out: shown(&about) }) } else { Ok(()) };
    };
    let not_ours = |why: String| Err(StagingFault::NotOurs { out: shown(out), why });
    match replace {
        false => Err(StagingFault::Exists { out: shown(out) }),
        true if !found.is_file() => not_ours("is no file".to_owned()),
        true if look(&about_name)?.is_none() => not_ours(format!("has no {} beside it", shown(&about))),
        true => Ok(()),
    }
}

/// Whether the folder about a file was left by somebody who died before the file was in its place.
fn is_unfinished(parent: &Dir, name: &OsStr) -> bool {
    open_beneath(parent, name).is_ok_and(|about| about.symlink_metadata(UNFINISHED).is_ok())
}

/// Whether a folder holds what a run leaves that publishes nothing: a receipt, perhaps a quarantine, and no more.
fn is_hold(parent: &Dir, name: &OsStr) -> io::Result<bool> {
    let folder = open_beneath(parent, name)?;
    for entry in folder.entries()? {
        let name = entry?.file_name();
        if name != RECEIPT_FILE && name != QUARANTINE_FILE {
            return Ok(false);
        }
    }
    Ok(folder.symlink_metadata(RECEIPT_FILE)?.is_file())
}

/// Finds something in a folder that no run writes. What is replaced is deleted: `--out ~ --replace` must not be the end.
fn first_stranger(parent: &Dir, name: &OsStr) -> io::Result<Option<OsString>> {
    for entry in open_beneath(parent, name)?.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = is_written_by_runs(&name) || name == UNFINISHED;
        if !entry.file_type()?.is_file() || !is_ours {
            return Ok(Some(entry.file_name()));
        }
    }
    Ok(None)
}

fn is_written_by_runs(file: &OsStr) -> bool {
    is_table_file(file) || file == QUARANTINE_FILE || file == RECEIPT_FILE
}

pub(crate) fn is_table_file(file: &OsStr) -> bool {
    let parts = file.to_str().and_then(|file| file.split_once('.'));
    parts.is_some_and(|(table, ending)| {
        TableName::new(table).is_some() && Format::EXTENSIONS.contains(&ending)
    })
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
        let staging = Staging::create(out, Extent::Folder, replace).unwrap();
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
        let fault = Staging::create(out, Extent::Folder, replace).unwrap_err();
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
        let fault = Staging::create(&folder.path().join("a/b/out"), Extent::Folder, false).unwrap_err();
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
                        let staging = Staging::create(&out, Extent::Folder, false).unwrap();
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
            assert_eq!(stage(&out, false, text).hold(&[QUARANTINE_FILE]).unwrap(), held);
            assert_eq!(names(folder.path()), ["out.held"]);
            assert_eq!(names(&held), [QUARANTINE_FILE]);
            assert_eq!(read(&held.join(QUARANTINE_FILE)), text);
        }
    }

    #[test]
    fn without_a_quarantine_nothing_is_held_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::create(&folder.path().join("out"), Extent::Folder, false).unwrap();
        staging.create_file("orders.parquet").unwrap();
        let fault = staging.hold(&[QUARANTINE_FILE]).unwrap_err();
        assert!(fault.to_string().contains("_quarantine.parquet: No such file"), "{fault}");
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn no_file_is_made_by_a_name_that_could_lead_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::create(&folder.path().join("out"), Extent::Folder, false).unwrap();
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

    /// Stages one table, as CSV, and a quarantine.
    fn stage_file(out: &Path, replace: bool, text: &str) -> Staging {
        let staging = Staging::create(out, Extent::File, replace).unwrap();
        staging.create_file("orders.csv").unwrap().write_all(text.as_bytes()).unwrap();
        staging.create_file(QUARANTINE_FILE).unwrap().write_all(text.as_bytes()).unwrap();
        staging
    }

    #[test]
    fn an_output_of_one_file_has_what_is_known_about_it_in_a_folder_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.csv");
        assert_eq!(stage_file(&out, false, "new").publish().unwrap(), out);
        assert_eq!(names(folder.path()), ["o.csv", "o.csv.about"]);
        assert_eq!(names(&about(&out, Extent::File)), [QUARANTINE_FILE]);
        assert_eq!(
            (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
            ("new".into(), "new".into())
        );
    }

    #[test]
    fn a_file_that_exists_is_refused_and_untouched_and_with_replace_it_is_exchanged() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.csv");
        stage_file(&out, false, "old").publish().unwrap();
        assert_eq!(Staging::create(&out, Extent::File, false).unwrap_err().code(), "output-exists");
        assert_eq!(read(&out), "old");
        stage_file(&out, true, "new").publish().unwrap();
        assert_eq!(
            (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
            ("new".into(), "new".into())
        );
        assert_eq!(names(folder.path()), ["o.csv", "o.csv.about"]);
    }

    #[test]
    fn of_two_runs_to_one_file_the_second_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.csv");
        let (first, second) = (stage_file(&out, false, "first"), stage_file(&out, false, "second"));
        first.publish().unwrap();
        assert_eq!(second.publish().unwrap_err().code(), "output-exists");
        assert_eq!(
            (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
            ("first".into(), "first".into())
        );
    }

    #[test]
    fn a_file_that_no_run_has_made_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("accounts.csv");
        std::fs::write(&out, "mine").unwrap();
        let fault = Staging::create(&out, Extent::File, true).unwrap_err();
        assert_eq!(fault.code(), "output-not-ours");
        assert!(fault.to_string().contains("accounts.csv.about beside it"), "{fault}");
        std::fs::remove_file(&out).unwrap();
        std::fs::create_dir(folder.path().join("accounts.csv.about")).unwrap();
        std::fs::create_dir(&out).unwrap();
        assert_eq!(Staging::create(&out, Extent::File, true).unwrap_err().code(), "output-not-ours");
    }

    #[test]
    fn a_folder_of_somebody_else_beside_a_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.csv");
        std::fs::create_dir(folder.path().join("o.csv.about")).unwrap();
        std::fs::write(folder.path().join("o.csv.about/thesis.tex"), "years").unwrap();
        for replace in [false, true] {
            assert_eq!(Staging::create(&out, Extent::File, replace).unwrap_err().code(), "output-not-ours");
        }
        assert_eq!(names(folder.path()), ["o.csv.about"]);
    }

    #[test]
    fn what_a_death_between_the_two_steps_leaves_is_replaced_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.csv");
        stage_file(&out, false, "dead").publish().unwrap();
        std::fs::remove_file(&out).unwrap();
        std::fs::write(about(&out, Extent::File).join(UNFINISHED), "").unwrap();
        stage_file(&out, false, "new").publish().unwrap();
        assert_eq!(
            (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
            ("new".into(), "new".into())
        );
    }

    #[test]
    fn what_is_known_about_a_file_that_somebody_moved_away_is_replaced_on_demand_alone() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.csv");
        stage_file(&out, false, "old").publish().unwrap();
        std::fs::rename(&out, folder.path().join("kept.csv")).unwrap();
        let fault = Staging::create(&out, Extent::File, false).unwrap_err();
        assert_eq!(fault.code(), "output-exists");
        assert!(fault.to_string().ends_with("/o.csv.about exists"), "{fault}");
        assert_eq!(read(&folder.path().join("o.csv.about/_quarantine.parquet")), "old");
        stage_file(&out, true, "new").publish().unwrap();
        assert_eq!(read(&folder.path().join("o.csv.about/_quarantine.parquet")), "new");
        assert_eq!(names(folder.path()), ["kept.csv", "o.csv", "o.csv.about"]);
    }

    #[test]
    fn what_an_earlier_run_was_held_for_is_gone_when_a_later_one_is_published() {
        let folder = tempfile::tempdir().unwrap();
        for (out, extent, table) in
            [("out", Extent::Folder, "orders.parquet"), ("o.csv", Extent::File, "orders.csv")]
        {
            let stage = |table: &str| {
                let staging = Staging::create(&folder.path().join(out), extent, false).unwrap();
                for file in [table, QUARANTINE_FILE, RECEIPT_FILE] {
                    staging.create_file(file).unwrap();
                }
                staging
            };
            let held = stage(table).hold(&[QUARANTINE_FILE, RECEIPT_FILE]).unwrap();
            assert!(held.exists());
            stage(table).publish().unwrap();
            assert!(!held.exists());
        }
        assert_eq!(names(folder.path()), ["o.csv", "o.csv.about", "out"]);
    }

    #[test]
    fn a_folder_that_is_called_held_and_is_something_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        stage(&folder.path().join("out.held"), false, "an output of this name").publish().unwrap();
        std::fs::create_dir(folder.path().join("other.held")).unwrap();
        for out in ["out", "other"] {
            stage(&folder.path().join(out), false, "new").publish().unwrap();
        }
        assert_eq!(names(folder.path()), ["other", "other.held", "out", "out.held"]);
    }

    #[test]
    fn without_a_table_there_is_no_file_and_nothing_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::create(&folder.path().join("o.csv"), Extent::File, false).unwrap();
        staging.create_file(QUARANTINE_FILE).unwrap();
        assert_eq!(staging.publish().unwrap_err().code(), "output-without-table");
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_file_that_is_held_leaves_its_quarantine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.csv");
        assert_eq!(
            stage_file(&out, false, "bad").hold(&[QUARANTINE_FILE]).unwrap(),
            folder.path().join("o.csv.held")
        );
        assert_eq!(names(folder.path()), ["o.csv.held"]);
    }
}

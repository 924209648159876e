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

mod database;
#[cfg(test)]
mod tests;

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

pub(crate) use self::database::Place;
use crate::sinks::Format;

/// The quarantine's place among the tables. No table can have this name.
pub const QUARANTINE_FILE: &str = "_quarantine.parquet";
/// What the receipt beside the tables is called.
pub const RECEIPT_FILE: &str = "_receipt.json";
/// What the receipts of the inputs of a dataset are called: a line each.
pub const RECEIPTS_FILE: &str = "_receipts.jsonl";
/// The folder of the quarantine's parts, in a dataset.
pub const QUARANTINE_PARTS: &str = "_quarantine";
/// What comes behind the name of an output whose verdict is no.
pub(crate) const HELD: &str = ".held";
/// What comes behind the name of an output that is one file: the folder of what is known about it.
pub(crate) const ABOUT: &str = ".about";

/// Stands in the folder about a file until the file is in its place.
const UNFINISHED: &str = "_unfinished";

const STAGING_PREFIX: &str = ".casparian-staging-";
const TREE: &str = "tree";
const TREE_HELD: &str = "held";
const TREE_STALE: &str = "stale";
const PARTS: &str = "parts";
/// Digits of a part's number: names sort as the parts do.
const PART_DIGITS: usize = 6;
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
    /// There is something by that name that no run can be loaded into.
    #[error("{out} {why}, so nothing can be loaded into it")]
    NoDatabase {
        /// As it was given.
        out: GuestText,
        /// What shows it.
        why: &'static str,
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
            Self::NoDatabase { .. } => "not-a-database",
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
            Self::NoDatabase { .. } => Some("name another file, or one that is not there yet".to_owned()),
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
    /// A SQLite database, with a table for each table; all that is said about it is in it.
    Database,
}

/// Returns the folder that holds what is said about an output: the output itself, or `<out>.about` beside a file.
pub fn about(out: &Path, extent: Extent) -> PathBuf {
    match extent {
        Extent::Folder | Extent::Database => out.to_owned(),
        Extent::File => PathBuf::from(with_suffix(out.as_os_str(), ABOUT)),
    }
}

/// An output in the making. Dropped before it is published, it leaves nothing behind.
#[derive(Debug)]
pub struct Staging {
    scratch: Scratch,
    tree: Dir,
    /// Of a dataset: parts that have no place yet.
    parts: Option<Dir>,
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
            Extent::Database => database::check(out)?,
        }
        let unusable = |error| StagingFault::ParentUnusable { parent: shown(folder), error };
        sweep(&parent).map_err(unusable)?;
        let scratch = Scratch::create(parent).map_err(unusable)?;
        let tree = scratch.make(TREE, 0o777).map_err(|error| failed("make", out, error))?;
        Ok(Self { scratch, tree, parts: None, out: out.to_owned(), name, extent, replace })
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

    /// Makes room for parts.
    pub(crate) fn open_parts(&mut self) -> Result<(), StagingFault> {
        let made = self.scratch.make(PARTS, 0o700).map_err(|error| failed("make", &self.out, error))?;
        self.parts = Some(made);
        Ok(())
    }

    /// Makes a part that has no place yet. Its name is ours.
    pub(crate) fn create_part(&self, name: &str, owner_only: bool) -> Result<File, StagingFault> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(if owner_only { 0o600 } else { 0o644 });
        let made = self.parts().and_then(|parts| parts.open_with(name, &options));
        made.map(cap_std::fs::File::into_std).map_err(|error| failed("make a part of", &self.out, error))
    }

    /// Opens a part that has no place yet, to be read.
    pub(crate) fn open_part(&self, name: &str) -> Result<File, StagingFault> {
        let opened = self.parts().and_then(|parts| parts.open(name));
        opened.map(cap_std::fs::File::into_std).map_err(|error| failed("read a part of", &self.out, error))
    }

    /// Takes a part away that is worth nothing.
    pub(crate) fn drop_part(&self, name: &str) -> Result<(), StagingFault> {
        let dropped = self.parts().and_then(|parts| parts.remove_file(name));
        dropped.map_err(|error| failed("take away a part of", &self.out, error))
    }

    /// Gives a part its place: in the folder of its table, or of the quarantine, with its number.
    pub(crate) fn place_part(
        &self,
        name: &str,
        folder: &str,
        number: u64,
        extension: &str,
    ) -> Result<String, StagingFault> {
        let file = numbered(folder, number, extension);
        let place = || {
            if number == 0 {
                let mode = if folder == QUARANTINE_PARTS { 0o700 } else { 0o777 };
                rustix::fs::mkdirat(&self.tree, folder, Mode::from_bits_truncate(mode))?;
            }
            self.parts()?.rename(name, &self.tree, &file)
        };
        place().map_err(|error| failed("move", &self.out.join(&file), error))?;
        Ok(file)
    }

    /// Opens a file that was made, to be read.
    pub(crate) fn open_file(&self, name: &str) -> Result<File, StagingFault> {
        let opened = self.tree.open(name).map(cap_std::fs::File::into_std);
        opened.map_err(|error| failed("read", &self.out.join(name), error))
    }

    fn parts(&self) -> io::Result<&Dir> {
        self.parts.as_ref().ok_or_else(|| io::Error::other("there is no room for parts"))
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
            Extent::Database => {
                return Err(StagingFault::NoDatabase { out: shown(&self.out), why: "is to be loaded" });
            }
        }
        self.take_stale_hold();
        Ok(self.out.clone())
    }

    /// Takes away what an earlier run of this name has left instead of an output: now there is one. The output is published
    /// whether this goes well or not, and the next one tries again.
    pub(crate) fn take_stale_hold(&self) {
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
        sync_folder(tree).map_err(|error| failed("sync", place, error))
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

/// Makes sure that the files of a folder and their names are on disk, and those of the folders in it.
fn sync_folder(folder: &Dir) -> io::Result<()> {
    for entry in folder.entries()? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_folder(&open_beneath(folder, entry.file_name())?)?,
            false => entry.open()?.sync_all()?,
        }
    }
    rustix::fs::fsync(folder).map_err(io::Error::from)
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
        None if is_signed(parent, name).map_err(|error| failed("look into", out, error))? => Ok(()),
        None => not_ours(format!("holds no {RECEIPT_FILE}, so nothing says that a run has made it")),
    }
}

/// Whether a folder is empty or has what every run leaves. Files that are called like tables may be anybody's: inputs, say.
fn is_signed(parent: &Dir, name: &OsStr) -> io::Result<bool> {
    let folder = open_beneath(parent, name)?;
    let is_there = |file: &str| folder.symlink_metadata(file).is_ok_and(|found| found.is_file());
    Ok(is_there(RECEIPT_FILE) || is_there(UNFINISHED) || folder.entries()?.next().is_none())
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
        let is_ours = [RECEIPT_FILE, RECEIPTS_FILE, QUARANTINE_FILE].iter().any(|ours| name == *ours);
        if !is_ours && (name != QUARANTINE_PARTS || first_no_part(&folder, &name)?.is_some()) {
            return Ok(false);
        }
    }
    Ok(folder.symlink_metadata(RECEIPT_FILE)?.is_file())
}

/// Finds something in a folder that no run writes. What is replaced is deleted: `--out ~ --replace` must not be the end.
fn first_stranger(parent: &Dir, name: &OsStr) -> io::Result<Option<OsString>> {
    let folder = open_beneath(parent, name)?;
    for entry in folder.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() && is_parts_folder(&name) {
            match first_no_part(&folder, &name)? {
                None => continue,
                Some(stranger) => return Ok(Some(Path::new(&name).join(stranger).into_os_string())),
            }
        }
        let is_ours = is_written_by_runs(&name) || name == UNFINISHED;
        if !entry.file_type()?.is_file() || !is_ours {
            return Ok(Some(entry.file_name()));
        }
    }
    Ok(None)
}

/// Finds something in a folder of parts that is none.
fn first_no_part(parent: &Dir, name: &OsStr) -> io::Result<Option<OsString>> {
    for entry in open_beneath(parent, name)?.entries()? {
        let entry = entry?;
        if !entry.file_type()?.is_file() || !is_part(&entry.file_name()) {
            return Ok(Some(entry.file_name()));
        }
    }
    Ok(None)
}

/// Returns what a part of a table, or of the quarantine, is called beneath its dataset.
pub(crate) fn part_name(table: Option<&TableName>, number: u64, extension: &str) -> String {
    match table {
        Some(table) => numbered(table.as_str(), number, extension),
        None => numbered(QUARANTINE_PARTS, number, "parquet"),
    }
}

fn numbered(folder: &str, number: u64, extension: &str) -> String {
    format!("{folder}/{number:0PART_DIGITS$}.{extension}")
}

/// Whether a folder of this name holds the parts of a table, or of the quarantine.
pub(crate) fn is_parts_folder(name: &OsStr) -> bool {
    name == QUARANTINE_PARTS || name.to_str().and_then(TableName::new).is_some()
}

fn is_part(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.split_once('.'));
    parts.is_some_and(|(number, ending)| {
        number.len() >= PART_DIGITS
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && Format::EXTENSIONS.contains(&ending)
    })
}

fn is_written_by_runs(file: &OsStr) -> bool {
    is_table_file(file) || [QUARANTINE_FILE, RECEIPT_FILE, RECEIPTS_FILE].iter().any(|ours| file == *ours)
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

//! An output that is a database: what is staged is loaded into it, and never moved to its place.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::{Staging, StagingFault, failed, is_unsupported, parent_of, shown, with_suffix};

/// What a database that is not there yet is called in the staging folder.
const DATABASE: &str = "database";
/// How every SQLite database begins that is not empty.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where a run is loaded.
#[derive(Debug)]
pub(crate) enum Place {
    /// A database in the making, out of sight.
    New(PathBuf),
    /// The database that is there.
    There,
}

impl Staging {
    /// Returns the output's path, as it was given.
    pub(crate) fn out(&self) -> &Path {
        &self.out
    }

    /// Returns the folder of what is staged.
    pub(crate) fn folder(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }

    /// Says where to load: into the database that is there, or one that is made now, which its owner alone may read. It holds
    /// the quarantine, too.
    pub(crate) fn database(&self) -> Result<Place, StagingFault> {
        if self.out.symlink_metadata().is_ok() {
            return Ok(Place::There);
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let made = self.scratch.dir.open_with(DATABASE, &options);
        made.map_err(|error| failed("make", &self.out, error))?;
        Ok(Place::New(self.parent()?.join(&self.scratch.name).join(DATABASE)))
    }

    /// Returns the whole path of the database that is there.
    pub(crate) fn database_there(&self) -> Result<PathBuf, StagingFault> {
        check(&self.out)?;
        Ok(self.parent()?.join(&self.name))
    }

    /// Moves the database that was made to its place, safe on disk. Returns `false` where somebody else's is there.
    pub(crate) fn put_database(&self) -> Result<bool, StagingFault> {
        let synced = self.scratch.dir.open(DATABASE).and_then(|file| file.sync_all());
        synced.map_err(|error| failed("sync", &self.out, error))?;
        check_no_journal(&self.out)?;
        let put = match self.rename(DATABASE, &self.name, RenameFlags::NOREPLACE) {
            // A second name never takes the place of another, whatever the file system knows of renaming.
            Err(error) if is_unsupported(error) => self.link_database(),
            put => put,
        };
        match put {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            Err(error) => return Err(failed("publish", &self.out, error.into())),
        }
        self.sync_parent(&self.out)?;
        Ok(true)
    }

    /// Gives the database its name; the one in the scratch folder goes with that.
    fn link_database(&self) -> rustix::io::Result<()> {
        let (scratch, parent) = (&self.scratch.dir, &self.scratch.parent);
        rustix::fs::linkat(scratch, DATABASE, parent, &self.name, AtFlags::empty())
    }

    fn parent(&self) -> Result<PathBuf, StagingFault> {
        let parent = parent_of(&self.out);
        parent.canonicalize().map_err(|error| failed("find the folder of", &self.out, error))
    }
}

/// Checks that nothing is in the way of a database, or that what is may be one. Whether it is one its loader finds out.
pub(super) fn check(out: &Path) -> Result<(), StagingFault> {
    let no_database = |why: &'static str| Err(StagingFault::NoDatabase { out: shown(out), why });
    match out.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return check_no_journal(out),
        Err(error) => return Err(failed("look at", out, error)),
        Ok(_) => {}
    }
    let found = match out.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return no_database("is a link that leads nowhere");
        }
        found => found.map_err(|error| failed("look at", out, error))?,
    };
    if !found.is_file() {
        return no_database("is no file");
    }
    let head = head_of(out).map_err(|error| failed("read", out, error))?;
    match head.is_empty() || head == MAGIC {
        true => Ok(()),
        false => no_database("is no SQLite database"),
    }
}

/// Checks that no journal of an older database of that name is left. Whoever opens the new one would take it for its own, and
/// undo what is in it or write over it.
fn check_no_journal(out: &Path) -> Result<(), StagingFault> {
    let is_there =
        |ending: &&str| PathBuf::from(with_suffix(out.as_os_str(), ending)).symlink_metadata().is_ok();
    match ["-journal", "-wal", "-shm"].iter().any(is_there) {
        true => {
            let why = "is not there, but a journal (-journal, -wal or -shm) of an older one is beside it";
            Err(StagingFault::NoDatabase { out: shown(out), why })
        }
        false => Ok(()),
    }
}

fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut head = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok(head)
}

//! The one input of a run: opened once, read by offset, and asked at the end whether it is still what it was.
//!
//! It is read with `pread` and never mapped, so that a file which is cut short while we read it is an error and not a signal.
//! Whoever reads it here knows no path: a worker is handed a descriptor, and the name is for people.

mod open;
mod places;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

pub use self::places::{LineCounter, Window};

/// One `pread` while hashing.
const HASH_CHUNK_BYTES: usize = 1 << 20;
/// The longest path that Linux takes.
const PATH_BYTES_MAX: usize = 4096;

/// An input that cannot be read, or that did not stay the same.
#[derive(Debug, Error)]
pub enum SourceFault {
    /// There is no such file.
    #[error("{path} does not exist")]
    Missing {
        /// As it was given.
        path: GuestText,
    },
    /// It cannot be opened.
    #[error("{path} cannot be opened: {error}")]
    Unopened {
        /// As it was given.
        path: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// It is no file of bytes.
    #[error("{path} is {kind}, and only regular files can be read at any offset")]
    NotRegular {
        /// As it was given.
        path: GuestText,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// It was found in a folder, and its name leads out of it.
    #[error("{path} leads out of the folder that it was looked for in")]
    Outside {
        /// What people call it.
        path: GuestText,
    },
    /// It is larger than any input may be.
    #[error("{path}: input bytes: limit {limit}, has {bytes}")]
    TooLarge {
        /// As it was given.
        path: GuestText,
        /// Its size.
        bytes: u64,
        /// The most.
        limit: u64,
    },
    /// Somebody wants it to end.
    #[error("interrupted")]
    Interrupted,
    /// It is not what it was when it was opened.
    #[error("{path} changed while it was read: {change}")]
    Changed {
        /// As it was given.
        path: GuestText,
        /// What is different.
        change: Change,
    },
    /// The system failed to read it.
    #[error("{path} cannot be read at byte {offset}: {error}")]
    Unread {
        /// As it was given.
        path: GuestText,
        /// Where.
        offset: u64,
        /// What the system says.
        error: io::Error,
    },
}

impl Blamed for SourceFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Changed { .. } | Self::TooLarge { .. } => Blame::Input,
            Self::Unread { .. } => Blame::Host,
            _ => Blame::Operator,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "input-missing",
            Self::Unopened { .. } => "input-unopened",
            Self::NotRegular { .. } => "input-not-regular",
            Self::Outside { .. } => "input-outside",
            Self::TooLarge { .. } => "input-too-large",
            Self::Interrupted => "interrupted",
            Self::Changed { .. } => "input-changed",
            Self::Unread { .. } => "input-unread",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotRegular { kind: open::DIRECTORY, .. } => Some("name the files in it".to_owned()),
            Self::NotRegular { kind: open::PIPE, .. } => {
                Some("pipe it in and name `-`, or write it to a file first".to_owned())
            }
            Self::NotRegular { .. } => Some("write it to a file first".to_owned()),
            Self::TooLarge { .. } => {
                Some("if it is meant to be so large, raise it: `--limit input=…`".to_owned())
            }
            Self::Changed { .. } => Some("run it again once nobody writes to it, or on a copy".to_owned()),
            _ => None,
        }
    }
}

impl From<SourceFault> for io::Error {
    fn from(fault: SourceFault) -> Self {
        let kind = match &fault {
            SourceFault::Missing { .. } => io::ErrorKind::NotFound,
            SourceFault::Changed { .. } => io::ErrorKind::UnexpectedEof,
            SourceFault::Unopened { error, .. } | SourceFault::Unread { error, .. } => error.kind(),
            SourceFault::Interrupted => io::ErrorKind::Interrupted,
            _ => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, fault)
    }
}

/// What tells a file from another one and from itself at another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its size in bytes.
    pub size: u64,
    /// When its bytes last changed: seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// When its bytes or anything about it last changed: seconds and nanoseconds.
    pub ctime: (i64, i64),
    /// Its number on its device.
    pub inode: u64,
    /// Its device.
    pub device: u64,
}

impl Identity {
    /// Asks by descriptor alone: a worker that is locked in has no other way, and std takes one with a path in it.
    fn of(file: &File) -> io::Result<Self> {
        let found = rustix::fs::fstat(file)?;
        Ok(Self {
            size: u64::try_from(found.st_size).unwrap_or(0),
            mtime: (found.st_mtime, found.st_mtime_nsec as i64),
            ctime: (found.st_ctime, found.st_ctime_nsec as i64),
            inode: found.st_ino,
            device: found.st_dev,
        })
    }
}

/// How an input differs from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It ended before its end.
    CutShort {
        /// The size that it had.
        size: u64,
        /// Where it ended.
        end: u64,
    },
    /// Its size is another one.
    Size {
        /// The size that it had.
        before: u64,
        /// The size that it has.
        after: u64,
    },
    /// Its size is the same, but it was written to or touched.
    Touched,
}

impl Change {
    fn between(before: Identity, after: Identity) -> Option<Self> {
        match before == after {
            true => None,
            false if before.size != after.size => Some(Self::Size { before: before.size, after: after.size }),
            false => Some(Self::Touched),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort { size, end } => write!(f, "it had {size} bytes and now ends at byte {end}"),
            Self::Size { before, after } => write!(f, "it had {before} bytes and now has {after}"),
            Self::Touched => f.write_str("it was written to or touched, at the same size"),
        }
    }
}

/// How much a read gives of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ReadSizes {
    /// As much as there is.
    #[default]
    Full,
    /// Sometimes less, to find parsers that count on more. The same reads give the same sizes.
    Short {
        /// What tells one schedule from another.
        seed: u64,
        /// The most that any read gives, in bytes; at least 1.
        bytes_max: usize,
    },
}

impl ReadSizes {
    fn grant(self, offset: u64, wanted: usize) -> usize {
        match self {
            Self::Short { seed, bytes_max } if wanted > 0 => {
                let most = wanted.min(bytes_max.max(1)) as u64;
                1 + (scatter(seed ^ scatter(offset)) % most) as usize
            }
            Self::Full | Self::Short { .. } => wanted,
        }
    }
}

/// The finaliser of SplitMix64: neighbours become strangers.
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An input, open.
#[derive(Debug)]
pub struct Source {
    file: File,
    name: String,
    /// Where it led to, if it was a symbolic link that somebody named.
    link: Option<String>,
    /// As it was when it was opened.
    identity: Identity,
    sizes: ReadSizes,
}

impl Source {
    /// Takes an open descriptor; `name` is what people call the file.
    pub fn from_fd(fd: OwnedFd, name: String) -> Result<Self, SourceFault> {
        let file = File::from(fd);
        let identity = match Identity::of(&file) {
            Ok(identity) => identity,
            Err(error) => return Err(SourceFault::Unopened { path: shown(&name), error }),
        };
        Ok(Self { file, name, link: None, identity, sizes: ReadSizes::Full })
    }

    /// Returns it with another policy of read sizes.
    #[must_use]
    pub fn with_read_sizes(mut self, sizes: ReadSizes) -> Self {
        self.sizes = sizes;
        self
    }

    /// Returns what people call it: the path that was given, with bytes that are no text replaced.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns where its name led to, if that was a symbolic link.
    pub fn link(&self) -> Option<&str> {
        self.link.as_deref()
    }

    /// Returns the last part of its name, which is all that a parser learns of its path.
    pub fn base_name(&self) -> &str {
        Self::base_name_of(&self.name)
    }

    /// Returns the last part of a name.
    pub(crate) fn base_name_of(name: &str) -> &str {
        name.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default()
    }

    /// Returns the size that it had when it was opened, in bytes. No read goes past it.
    pub fn size(&self) -> u64 {
        self.identity.size
    }

    /// Returns what it was when it was opened.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns its descriptor, to be handed to a worker.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Returns the digest of its bytes. Looks at `stop` now and then.
    pub fn hash(&self, stop: &AtomicBool) -> Result<Digest, SourceFault> {
        self.hash_until(self.size(), stop)
    }

    /// Does the same for its bytes before `end`, which is not past its own.
    pub(crate) fn hash_until(&self, end: u64, stop: &AtomicBool) -> Result<Digest, SourceFault> {
        let at_most =
            |left: u64| usize::try_from(left).map_or(HASH_CHUNK_BYTES, |left| left.min(HASH_CHUNK_BYTES));
        // No more than is needed: of many small inputs, clearing it would take longer than hashing.
        let mut chunk = vec![0; at_most(end)];
        let mut hasher = Sha256::new();
        let mut done = 0;
        while done < end {
            if stop.load(Ordering::Relaxed) {
                return Err(SourceFault::Interrupted);
            }
            let read = self.fill(done, &mut chunk[..at_most(end - done)])?;
            hasher.update(&chunk[..read]);
            done += read as u64;
        }
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }

    /// Reads from `offset` on, as the policy of read sizes has it. Gives nothing at and past the end only.
    /// A fault of ours travels inside the error: [`SourceFault::within`] finds it.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = self.sizes.grant(offset, bytes.len());
        Ok(self.read_once(offset, &mut bytes[..wanted])?)
    }

    /// Checks that it has no more than `limit` bytes.
    pub fn check_size(&self, limit: u64) -> Result<(), SourceFault> {
        match self.size() {
            bytes if bytes > limit => Err(SourceFault::TooLarge { path: shown(&self.name), bytes, limit }),
            _ => Ok(()),
        }
    }

    /// Checks that it is what it was when it was opened.
    pub fn check_unchanged(&self) -> Result<(), SourceFault> {
        let now = Identity::of(&self.file).map_err(|error| self.unread(0, error))?;
        match Change::between(self.identity, now) {
            Some(change) => Err(SourceFault::Changed { path: shown(&self.name), change }),
            None => Ok(()),
        }
    }

    /// Fills `bytes` from `offset` on, as far as the input goes.
    pub(crate) fn fill(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, SourceFault> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_once(offset + filled as u64, &mut bytes[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }

    fn read_once(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, SourceFault> {
        let left = self.size().saturating_sub(offset);
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        loop {
            match self.file.read_at(&mut bytes[..most], offset) {
                Ok(0) => return Err(self.cut_short(offset)),
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unread(offset, error)),
            }
        }
    }

    fn cut_short(&self, end: u64) -> SourceFault {
        SourceFault::Changed { path: shown(&self.name), change: Change::CutShort { size: self.size(), end } }
    }

    fn unread(&self, offset: u64, error: io::Error) -> SourceFault {
        SourceFault::Unread { path: shown(&self.name), offset, error }
    }
}

impl SourceFault {
    /// Returns the fault that an error of [`Source::read_at`] carries.
    pub fn within(error: &io::Error) -> Option<&SourceFault> {
        error.get_ref()?.downcast_ref()
    }
}

fn shown(path: &str) -> GuestText {
    GuestText::new(path, PATH_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    static GO_ON: AtomicBool = AtomicBool::new(false);

    #[test]
    fn a_file_is_hashed_to_the_digest_of_its_bytes() {
        let bytes = vec![7; HASH_CHUNK_BYTES + 3];
        let file = file(&bytes);
        let digest = Source::open(file.path()).unwrap().hash(&GO_ON).unwrap();
        assert_eq!(digest, Digest::of(&bytes));
    }

    #[test]
    fn a_file_of_eight_exabytes_is_not_read_to_its_end() {
        let file = file(b"");
        // As large as its file system can have one.
        let largest =
            (0..63).rev().map(|bits| 1_u64 << bits).find(|size| file.as_file().set_len(*size).is_ok());
        let source = Source::open(file.path()).unwrap();
        assert_eq!(Some(source.size()), largest);
        assert_eq!(source.check_size(source.size() - 1).unwrap_err().code(), "input-too-large");
        let stop = AtomicBool::new(true);
        assert_eq!(source.hash(&stop).unwrap_err().code(), "interrupted");
        assert_eq!(source.read_at(source.size() - 1, &mut [1; 8]).unwrap(), 1);
        assert_eq!(source.read_at(u64::MAX, &mut [1; 8]).unwrap(), 0);
    }

    #[test]
    fn a_file_that_another_takes_the_place_of_is_read_to_its_own_end() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::write(&old, b"abc").unwrap();
        std::fs::write(&new, b"defghi").unwrap();
        let source = Source::open(&old).unwrap();
        std::fs::rename(&new, &old).unwrap();
        assert_eq!(source.hash(&GO_ON).unwrap(), Digest::of(b"abc"));
        // Its last name is gone, which changes what is known about it and so the time of that.
        assert_eq!(source.check_unchanged().unwrap_err().code(), "input-changed");
    }

    #[test]
    fn an_empty_file_is_an_input() {
        let file = file(b"");
        let source = Source::open(file.path()).unwrap();
        assert_eq!(source.hash(&GO_ON).unwrap(), Digest::of(b""));
        assert_eq!(source.read_at(0, &mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn i_05_a_file_that_grew_is_read_to_its_old_end_and_then_found_out() {
        let mut file = file(b"abc");
        let source = Source::open(file.path()).unwrap();
        source.check_unchanged().unwrap();
        file.write_all(b"def").unwrap();
        assert_eq!(source.read_at(0, &mut [0; 8]).unwrap(), 3);
        let fault = source.check_unchanged().unwrap_err();
        assert!(fault.to_string().ends_with("it had 3 bytes and now has 6"), "{fault}");
        assert_eq!((fault.blame(), fault.code()), (Blame::Input, "input-changed"));
    }

    #[test]
    fn i_05_a_file_that_is_cut_short_while_it_is_read_is_a_fault_and_never_an_early_end() {
        let file = file(b"abcdef");
        let source = Source::open(file.path()).unwrap();
        file.as_file().set_len(2).unwrap();
        let error = source.read_at(2, &mut [0; 4]).unwrap_err();
        let fault = SourceFault::within(&error).unwrap();
        assert_eq!(fault.code(), "input-changed");
        assert!(fault.to_string().ends_with("it had 6 bytes and now ends at byte 2"), "{fault}");
    }

    #[test]
    fn a_file_that_is_rewritten_at_the_same_size_is_found_out() {
        let mut file = file(b"abc");
        let source = Source::open(file.path()).unwrap();
        file.as_file().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        file.flush().unwrap();
        assert_eq!(source.check_unchanged().unwrap_err().code(), "input-changed");
    }

    #[test]
    fn a_worker_reads_the_descriptor_it_was_handed() {
        let file = file(b"abc");
        let supervisor = Source::open(file.path()).unwrap();
        let fd = supervisor.fd().try_clone_to_owned().unwrap();
        let worker = Source::from_fd(fd, "orders.log".to_owned()).unwrap();
        let mut bytes = [0; 3];
        assert_eq!(worker.read_at(0, &mut bytes).unwrap(), 3);
        assert_eq!((&bytes, worker.identity()), (b"abc", supervisor.identity()));
    }

    #[test]
    fn short_reads_are_short_repeatable_and_lose_nothing() {
        let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let file = file(&bytes);
        let read = |seed| {
            let sizes = ReadSizes::Short { seed, bytes_max: 7 };
            let source = Source::open(file.path()).unwrap().with_read_sizes(sizes);
            let (mut all, mut steps) = (Vec::new(), Vec::new());
            loop {
                let mut chunk = [0; 64];
                let read = source.read_at(all.len() as u64, &mut chunk).unwrap();
                if read == 0 {
                    return (all, steps);
                }
                all.extend_from_slice(&chunk[..read]);
                steps.push(read);
            }
        };
        let (all, steps) = read(1);
        assert_eq!(all, bytes);
        assert!(steps.iter().all(|read| (1..=7).contains(read)));
        assert!((1..=7).all(|read| steps.contains(&read)));
        assert_eq!(read(1).1, steps);
        assert_ne!(read(2).1, steps);
    }
}

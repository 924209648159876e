//! The one input of a run: opened once, read by offset, and asked at the end whether it is still what it was.
//!
//! It is read with `pread` and never mapped, so that a file which is cut short while we read it is an error and not a signal.
//! Whoever reads it here knows no path: a worker is handed a descriptor, and the name is for people.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use casparian_core::fault::{Blame, Blamed, Span};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// One `pread` while hashing.
const HASH_CHUNK_BYTES: usize = 1 << 20;
/// One `pread` while looking for line ends or for the bytes of quarantined records.
const WINDOW_BYTES: usize = 256 << 10;
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
            Self::Missing { .. } | Self::Unopened { .. } | Self::NotRegular { .. } => Blame::Operator,
            Self::Changed { .. } => Blame::Input,
            Self::Unread { .. } => Blame::Host,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "input-missing",
            Self::Unopened { .. } => "input-unopened",
            Self::NotRegular { .. } => "input-not-regular",
            Self::Changed { .. } => "input-changed",
            Self::Unread { .. } => "input-unread",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotRegular { kind: DIRECTORY, .. } => Some("name the files in it".to_owned()),
            Self::NotRegular { .. } => Some("write it to a file first".to_owned()),
            Self::Changed { .. } => Some("run it again once nobody writes to it, or on a copy".to_owned()),
            Self::Missing { path } if path.raw() == "-" => {
                Some("standard input cannot be read at any offset: write it to a file first".to_owned())
            }
            Self::Missing { .. } | Self::Unopened { .. } | Self::Unread { .. } => None,
        }
    }
}

impl From<SourceFault> for io::Error {
    fn from(fault: SourceFault) -> Self {
        let kind = match &fault {
            SourceFault::Missing { .. } => io::ErrorKind::NotFound,
            SourceFault::Changed { .. } => io::ErrorKind::UnexpectedEof,
            SourceFault::Unopened { error, .. } | SourceFault::Unread { error, .. } => error.kind(),
            SourceFault::NotRegular { .. } => io::ErrorKind::InvalidInput,
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
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            size: found.size(),
            mtime: (found.mtime(), found.mtime_nsec()),
            ctime: (found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
            device: found.dev(),
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
    /// As it was when it was opened.
    identity: Identity,
    sizes: ReadSizes,
}

impl Source {
    /// Opens the file at `path`, following symbolic links. Never waits for somebody to write to a pipe.
    pub fn open(path: &Path) -> Result<Self, SourceFault> {
        let name = path.to_string_lossy().into_owned();
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path);
        match opened {
            Ok(file) => Self::check(file, name),
            Err(error) => Err(unopened(path, shown(&name), error)),
        }
    }

    /// Takes an open descriptor; `name` is what people call the file.
    pub fn from_fd(fd: OwnedFd, name: String) -> Result<Self, SourceFault> {
        Self::check(File::from(fd), name)
    }

    fn check(file: File, name: String) -> Result<Self, SourceFault> {
        let unopened = |error| SourceFault::Unopened { path: shown(&name), error };
        let found = file.metadata().map_err(unopened)?;
        if let Some(kind) = irregular(found.file_type()) {
            return Err(SourceFault::NotRegular { path: shown(&name), kind });
        }
        let identity = Identity::of(&file).map_err(unopened)?;
        // Files of the kernel say that they are regular and empty, and then hold something.
        if identity.size == 0 && file.read_at(&mut [0], 0).map_or(true, |bytes| bytes > 0) {
            return Err(SourceFault::NotRegular {
                path: shown(&name),
                kind: "a file that does not tell its size",
            });
        }
        Ok(Self { file, name, identity, sizes: ReadSizes::Full })
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

    /// Returns the digest of its bytes. Tells `tick` how many bytes have been hashed, now and then.
    pub fn hash(&self, tick: &mut dyn FnMut(u64)) -> Result<Digest, SourceFault> {
        self.hash_until(self.size(), tick)
    }

    /// Does the same for its bytes before `end`, which is not past its own.
    pub(crate) fn hash_until(&self, end: u64, tick: &mut dyn FnMut(u64)) -> Result<Digest, SourceFault> {
        let mut chunk = vec![0; HASH_CHUNK_BYTES];
        let mut hasher = Sha256::new();
        let mut done = 0;
        while done < end {
            let wanted =
                usize::try_from(end - done).map_or(HASH_CHUNK_BYTES, |left| left.min(HASH_CHUNK_BYTES));
            let read = self.fill(done, &mut chunk[..wanted])?;
            hasher.update(&chunk[..read]);
            done += read as u64;
            tick(done);
        }
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }

    /// Reads from `offset` on, as the policy of read sizes has it. Gives nothing at and past the end only.
    /// A fault of ours travels inside the error: [`SourceFault::within`] finds it.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = self.sizes.grant(offset, bytes.len());
        Ok(self.read_once(offset, &mut bytes[..wanted])?)
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
    fn fill(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, SourceFault> {
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

/// A path that cannot be opened: not there, not ours, or a socket, which `open` does not know how to open.
fn unopened(path: &Path, shown: GuestText, error: io::Error) -> SourceFault {
    if error.kind() == io::ErrorKind::NotFound {
        return SourceFault::Missing { path: shown };
    }
    match std::fs::metadata(path).ok().and_then(|found| irregular(found.file_type())) {
        Some(kind) => SourceFault::NotRegular { path: shown, kind },
        None => SourceFault::Unopened { path: shown, error },
    }
}

const DIRECTORY: &str = "a directory";

fn irregular(kind: std::fs::FileType) -> Option<&'static str> {
    match kind {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some(DIRECTORY),
        kind if kind.is_fifo() => Some("a pipe"),
        kind if kind.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}

/// A stretch of a source, kept in memory: whoever asks for bytes in ascending order reads the file in large pieces.
#[derive(Debug, Default)]
pub struct Window {
    bytes: Vec<u8>,
    /// Where `bytes` begins in the source.
    offset: u64,
}

impl Window {
    /// Returns the bytes of `at`, as far as the source goes. What is longer than `bytes_max` is cut.
    pub fn slice(&mut self, source: &Source, at: Span, bytes_max: usize) -> Result<&[u8], SourceFault> {
        let length = usize::try_from(at.length).map_or(bytes_max, |length| length.min(bytes_max));
        if self.held(at.offset, length).is_none() {
            self.bytes.resize(length.max(WINDOW_BYTES), 0);
            self.offset = at.offset;
            let filled = source.fill(at.offset, &mut self.bytes)?;
            self.bytes.truncate(filled);
        }
        let from = self.held(at.offset, 0).unwrap_or(self.bytes.len());
        let to = self.bytes.len().min(from.saturating_add(length));
        Ok(&self.bytes[from..to])
    }

    /// Returns where in `bytes` the source's byte `offset` is, if it and the `length` bytes from it on are held.
    fn held(&self, offset: u64, length: usize) -> Option<usize> {
        let from = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        (from.checked_add(length)? <= self.bytes.len()).then_some(from)
    }
}

/// Tells on which physical line of a source a byte stands. Asked in ascending order it reads the source once.
#[derive(Debug, Default)]
pub struct LineCounter {
    bytes: Vec<u8>,
    /// Where `bytes` begins in the source.
    offset: u64,
    /// Everything before it has been counted.
    counted: u64,
    /// Line ends before `counted`.
    line_ends: u64,
}

impl LineCounter {
    /// Returns the line of the byte at `offset`, from 1. A line's end belongs to the line.
    pub fn line_of(&mut self, source: &Source, offset: u64) -> Result<u64, SourceFault> {
        if offset < self.counted {
            self.counted = 0;
            self.line_ends = 0;
        }
        let target = offset.min(source.size());
        while self.counted < target {
            self.load(source)?;
            self.count_up_to(target);
        }
        Ok(self.line_ends + 1)
    }

    /// Makes `bytes` hold what comes next.
    fn load(&mut self, source: &Source) -> Result<(), SourceFault> {
        let held = self.offset..self.offset + self.bytes.len() as u64;
        if held.contains(&self.counted) {
            return Ok(());
        }
        self.bytes.resize(WINDOW_BYTES, 0);
        self.offset = self.counted;
        let filled = source.fill(self.counted, &mut self.bytes)?;
        self.bytes.truncate(filled);
        Ok(())
    }

    fn count_up_to(&mut self, target: u64) {
        let from = (self.counted - self.offset) as usize;
        let wanted = usize::try_from(target - self.counted).unwrap_or(usize::MAX);
        let to = self.bytes.len().min(from.saturating_add(wanted));
        self.line_ends += memchr::memchr_iter(b'\n', &self.bytes[from..to]).count() as u64;
        self.counted += (to - from) as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn at(offset: u64, length: u64) -> Span {
        Span { offset, length }
    }

    #[test]
    fn a_file_is_hashed_to_the_digest_of_its_bytes() {
        let bytes = vec![7; HASH_CHUNK_BYTES + 3];
        let file = file(&bytes);
        let mut ticks = Vec::new();
        let digest = Source::open(file.path()).unwrap().hash(&mut |done| ticks.push(done)).unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(ticks, [HASH_CHUNK_BYTES as u64, bytes.len() as u64]);
    }

    #[test]
    fn an_empty_file_is_an_input() {
        let file = file(b"");
        let source = Source::open(file.path()).unwrap();
        assert_eq!(source.hash(&mut |_| ()).unwrap(), Digest::of(b""));
        assert_eq!(source.read_at(0, &mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let cases = [
            (folder.path(), DIRECTORY),
            (&pipe, "a pipe"),
            (&socket, "a socket"),
            (Path::new("/dev/zero"), "a device"),
            (Path::new("/proc/self/maps"), "a file that does not tell its size"),
        ];
        for (path, expected) in cases {
            match Source::open(path).unwrap_err() {
                SourceFault::NotRegular { kind, .. } => assert_eq!(kind, expected, "{path:?}"),
                other => panic!("{path:?}: {other}"),
            }
        }
    }

    #[test]
    fn a_missing_file_is_the_operators_fault_and_its_name_cannot_steer_a_terminal() {
        let fault = Source::open(Path::new("/nowhere/a\u{1b}]52;\n")).unwrap_err();
        assert_eq!(fault.to_string(), "/nowhere/a\\u{1b}]52;\\n does not exist");
        assert_eq!((fault.blame(), fault.code()), (Blame::Operator, "input-missing"));
    }

    #[test]
    fn a_symbolic_link_that_somebody_names_is_followed() {
        let file = file(b"abc");
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        assert_eq!(Source::open(&link).unwrap().size(), 3);
    }

    #[test]
    fn a_name_of_bytes_that_are_no_text_is_read_and_shown() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"x\xff.log"));
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(Source::open(&path).unwrap().base_name(), "x\u{fffd}.log");
    }

    #[test]
    fn a_file_that_grew_is_read_to_its_old_end_and_then_found_out() {
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
    fn a_file_that_is_cut_short_while_it_is_read_is_a_fault_and_never_an_early_end() {
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

    #[test]
    fn lines_are_counted_from_one_and_a_line_end_belongs_to_its_line() {
        let file = file(b"a\n\nbc\n");
        let source = Source::open(file.path()).unwrap();
        let mut lines = LineCounter::default();
        let found: Vec<u64> = (0..=6).map(|offset| lines.line_of(&source, offset).unwrap()).collect();
        assert_eq!(found, [1, 1, 2, 3, 3, 3, 4]);
        assert_eq!(lines.line_of(&source, 2).unwrap(), 2, "going back is slow, not wrong");
    }

    #[test]
    fn lines_are_counted_across_windows() {
        let bytes = b"0123456\n".repeat(WINDOW_BYTES / 4);
        let file = file(&bytes);
        let source = Source::open(file.path()).unwrap();
        let mut lines = LineCounter::default();
        for offset in (0..bytes.len() as u64).step_by(50_021) {
            assert_eq!(lines.line_of(&source, offset).unwrap(), offset / 8 + 1);
        }
    }

    #[test]
    fn a_window_gives_the_bytes_asked_for_wherever_they_are() {
        let bytes: Vec<u8> = (0..WINDOW_BYTES * 3).map(|at| (at % 251) as u8).collect();
        let file = file(&bytes);
        let source = Source::open(file.path()).unwrap();
        let mut window = Window::default();
        for offset in [0, 5, WINDOW_BYTES - 3, WINDOW_BYTES * 2 + 7, 100, bytes.len() - 4, bytes.len()] {
            let end = bytes.len().min(offset + 90);
            let found = window.slice(&source, at(offset as u64, 90), 1 << 16).unwrap();
            assert_eq!(found, &bytes[offset..end], "{offset}");
        }
        assert_eq!(window.slice(&source, at(0, u64::MAX), 10).unwrap(), &bytes[..10]);
    }
}

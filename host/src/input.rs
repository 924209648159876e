//! What somebody named as an input: a file, a member of a ZIP archive, or what is piped in.
//!
//! A file that exists wins over anything else that its name could mean. What is piped in cannot be read at any offset, so it
//! is written to a file without a name first, where the output goes, and hashed on its way.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use casparian_core::fault::{Blame, Blamed, FaultReport};
use casparian_core::id::Digest;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::report::InputReport;
use crate::request::RunRequest;
use crate::scratch;
use crate::source::{Source, SourceFault};

/// What stands for what is piped in.
pub const STDIN: &str = "-";
/// What it is called, unless somebody says otherwise.
pub const STDIN_NAME: &str = "stdin";
/// What stands between an archive and its member.
const MEMBER_MARK: u8 = b'!';
/// How many places of a path are tried as the end of an archive's name.
const MARKS_MAX: usize = 16;
/// One read of what is piped in.
const CHUNK_BYTES: usize = 1 << 20;
/// How often somebody's wish to stop is looked at.
const STOP_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Returns the file that a path names, and the member of it: `a.zip!b` is the member `b` of `a.zip`, unless there is a file of
/// that name.
pub(crate) fn find(path: &Path) -> (PathBuf, Option<String>) {
    let whole = || (path.to_owned(), None);
    if path.symlink_metadata().is_ok() {
        return whole();
    }
    let bytes = path.as_os_str().as_bytes();
    let marks = memchr::memchr_iter(MEMBER_MARK, bytes).take(MARKS_MAX);
    let archive = |at: usize| Path::new(std::ffi::OsStr::from_bytes(&bytes[..at]));
    let found = marks.filter(|at| *at + 1 < bytes.len()).find(|at| archive(*at).is_file());
    found.map_or_else(whole, |at| {
        (archive(at).to_owned(), Some(String::from_utf8_lossy(&bytes[at + 1..]).into_owned()))
    })
}

/// Returns the bytes of a path in hex, if they are no UTF-8: what is shown of it is not all of it then.
pub(crate) fn hex_of_odd(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_bytes();
    str::from_utf8(bytes).is_err().then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The input of a request: found, and not read yet.
pub(crate) enum Named {
    File {
        source: Source,
        /// The member of it that is meant.
        member: Option<String>,
    },
    Piped,
}

/// An input that can be read at any offset.
pub(crate) struct Settled {
    pub(crate) source: Source,
    pub(crate) member: Option<String>,
    /// Digest of its bytes as they stand there; none: nobody has taken it yet.
    pub(crate) sha256: Option<Digest>,
}

impl Settled {
    /// Returns the digest of its bytes as they stand there.
    pub(crate) fn hash(&self, stop: &AtomicBool) -> Result<Digest, FaultReport> {
        self.sha256.map_or_else(|| self.source.hash(stop).map_err(|fault| fault.report()), Ok)
    }
}

impl Named {
    /// Opens the file that a request names.
    pub(crate) fn open(request: &RunRequest) -> Result<Self, FaultReport> {
        if request.is_piped() {
            return Ok(Self::Piped);
        }
        let (path, member) = find(&request.input);
        let source = Source::open(&path).map_err(|fault| fault.report())?;
        source.check_size(request.limits.input.bytes_max).map_err(|fault| fault.report())?;
        Ok(Self::File { source, member: request.member.clone().or(member) })
    }

    /// Takes a file that was found beneath a folder, and opened there.
    pub(crate) fn found(source: Source, request: &RunRequest) -> Result<Self, FaultReport> {
        source.check_size(request.limits.input.bytes_max).map_err(|fault| fault.report())?;
        Ok(Self::File { source, member: None })
    }

    /// Says what is known of it before it is read.
    pub(crate) fn describe(&self, called: &str, report: &mut InputReport) {
        match self {
            Self::File { source, .. } => {
                (report.bytes, report.link) = (source.size(), source.link().map(str::to_owned));
            }
            Self::Piped => report.path = called.to_owned(),
        }
    }

    /// Keeps what is piped in, and takes its digest on the way.
    pub(crate) fn settle(self, request: &RunRequest) -> Result<Settled, FaultReport> {
        match self {
            Self::File { source, member } => Ok(Settled { source, member, sha256: None }),
            Self::Piped => {
                let spool = scratch::beside(request.out.as_deref());
                let spool = spool.map_err(|error| PipeFault::Unkept { bytes: 0, error }.report())?;
                let limit = request.limits.input.unpacked_bytes_max;
                let kept = keep(rustix::stdio::stdin(), spool, request.called(), limit, &request.stop);
                let (source, sha256) = kept.map_err(|fault| fault.report())?;
                Ok(Settled { source, member: request.member.clone(), sha256: Some(sha256) })
            }
        }
    }
}

/// What is piped in cannot be kept.
#[derive(Debug, Error)]
pub(crate) enum PipeFault {
    #[error("piped bytes: limit {limit}, and there are more")]
    TooLarge { limit: u64 },
    #[error("what is piped in cannot be read after {bytes} bytes: {error}")]
    Unread { bytes: u64, error: io::Error },
    #[error("what is piped in cannot be kept after {bytes} bytes: {error}")]
    Unkept { bytes: u64, error: io::Error },
    #[error(transparent)]
    Source(#[from] SourceFault),
}

impl PipeFault {
    fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        matches!(self, Self::Unkept { error, .. } if full.contains(&error.kind()))
    }
}

impl Blamed for PipeFault {
    fn blame(&self) -> Blame {
        match self {
            Self::TooLarge { .. } => Blame::Input,
            Self::Unread { .. } => Blame::Operator,
            Self::Unkept { .. } => {
                if self.is_full() {
                    Blame::Operator
                } else {
                    Blame::Host
                }
            }
            Self::Source(fault) => fault.blame(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "input-too-large",
            Self::Unread { .. } => "input-unread",
            Self::Unkept { .. } => {
                if self.is_full() {
                    "disk-full"
                } else {
                    "spool-failed"
                }
            }
            Self::Source(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooLarge { .. } => {
                Some("if it is meant to be so large, raise it: `--limit unpacked=…`".to_owned())
            }
            Self::Unkept { .. } if self.is_full() => {
                Some("what is piped in is kept where the output goes: free some space".to_owned())
            }
            Self::Source(fault) => fault.hint(),
            _ => None,
        }
    }
}

/// Keeps what is piped in, at most `limit` bytes of it. Returns it as a source that is called `name`, and its digest.
pub(crate) fn keep(
    piped: BorrowedFd<'_>,
    spool: File,
    name: String,
    limit: u64,
    stop: &AtomicBool,
) -> Result<(Source, Digest), PipeFault> {
    let (mut hasher, mut chunk, mut bytes) = (Sha256::new(), vec![0; CHUNK_BYTES], 0);
    loop {
        let read = read_unless(piped, &mut chunk, stop).map_err(|fault| match fault {
            Stopped::Asked => PipeFault::Source(SourceFault::Interrupted),
            Stopped::Failed(error) => PipeFault::Unread { bytes, error: error.into() },
        })?;
        if read == 0 {
            break;
        }
        if read as u64 > limit - bytes {
            return Err(PipeFault::TooLarge { limit });
        }
        hasher.update(&chunk[..read]);
        let kept = spool.write_all_at(&chunk[..read], bytes);
        kept.map_err(|error| PipeFault::Unkept { bytes, error })?;
        bytes += read as u64;
    }
    let source = Source::from_fd(spool.into(), name)?;
    Ok((source, Digest::from_bytes(hasher.finalize().into())))
}

/// Why reading ended before its end.
enum Stopped {
    Asked,
    Failed(Errno),
}

/// Waits for bytes, and for nobody who has gone: whoever wants to stop is heard meanwhile.
fn read_unless(piped: BorrowedFd<'_>, chunk: &mut [u8], stop: &AtomicBool) -> Result<usize, Stopped> {
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Stopped::Asked);
        }
        let mut waited = [PollFd::from_borrowed_fd(piped.as_fd(), PollFlags::IN)];
        match poll(&mut waited, Some(&STOP_EVERY)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(Stopped::Failed(error)),
        }
        match rustix::io::read(piped, &mut *chunk) {
            Ok(read) => return Ok(read),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(Stopped::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn keep_all(bytes: &[u8], limit: u64, stop: bool) -> Result<(Source, Digest), PipeFault> {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(bytes).unwrap();
        drop(writer);
        let spool = tempfile::tempfile().unwrap();
        keep(reader.as_fd(), spool, "stdin".to_owned(), limit, &AtomicBool::new(stop))
    }

    #[test]
    fn what_is_piped_in_is_kept_and_hashed() {
        let bytes = b"abc\n".repeat(5_000);
        let (source, sha256) = keep_all(&bytes, 1 << 20, false).unwrap();
        assert_eq!((source.size(), sha256), (bytes.len() as u64, Digest::of(&bytes)));
        assert_eq!(source.hash(&AtomicBool::new(false)).unwrap(), sha256);
        assert_eq!(keep_all(b"", 0, false).unwrap().0.size(), 0);
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        assert!(keep_all(b"abc", 3, false).is_ok());
        assert_eq!(keep_all(b"abcd", 3, false).unwrap_err().code(), "input-too-large");
    }

    #[test]
    fn nobody_is_waited_for_who_wants_to_stop() {
        let (reader, _writer) = io::pipe().unwrap();
        let spool = tempfile::tempfile().unwrap();
        let kept = keep(reader.as_fd(), spool, String::new(), 9, &AtomicBool::new(true));
        assert_eq!(kept.unwrap_err().code(), "interrupted");
    }

    #[test]
    fn a_member_is_named_behind_its_archive_and_a_file_of_that_name_wins() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a.zip"), b"").unwrap();
        assert_eq!(find(&at("a.zip!x/y!z")), (at("a.zip"), Some("x/y!z".to_owned())));
        assert_eq!(find(&at("a.zip!")), (at("a.zip!"), None));
        assert_eq!(find(&at("b.zip!x")), (at("b.zip!x"), None));
        std::fs::write(at("a.zip!x"), b"").unwrap();
        assert_eq!(find(&at("a.zip!x")), (at("a.zip!x"), None));
    }

    #[test]
    fn only_a_path_that_is_no_text_has_its_bytes_told() {
        assert_eq!(hex_of_odd(Path::new("ä")), None);
        assert_eq!(hex_of_odd(Path::new(std::ffi::OsStr::from_bytes(b"a\xff"))).as_deref(), Some("61ff"));
    }
}

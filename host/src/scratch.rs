//! A file without a name, for what does not fit into memory. It is gone with the process that holds it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use casparian_core::contract::keys::Scratch;
use casparian_core::fault::{Blame, FaultReport};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A scratch file as the judge uses it.
pub(crate) struct ScratchFile(pub(crate) File);

impl Scratch for ScratchFile {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), FaultReport> {
        self.0.read_exact_at(into, at).map_err(|error| failed("read", &error))
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FaultReport> {
        self.0.write_all_at(bytes, at).map_err(|error| failed("written", &error))
    }
}

/// Makes a file without a name where an output goes, or where files of the moment go.
pub(crate) fn beside(out: Option<&Path>) -> io::Result<File> {
    match out.and_then(Path::parent) {
        Some(parent) if parent.as_os_str().is_empty() => make(Path::new(".")),
        Some(parent) => make(parent),
        None => make(&std::env::temp_dir()),
    }
}

/// Makes a file without a name in `folder`, which nobody else can open.
fn make(folder: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => Ok(File::from(fd)),
        // Not every file system has such files: there one is made and its name taken away at once.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => tempfile::tempfile_in(folder),
        Err(error) => Err(error.into()),
    }
}

fn failed(what: &str, error: &io::Error) -> FaultReport {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    FaultReport {
        blame: if full { Blame::Operator } else { Blame::Host },
        code: if full { "disk-full" } else { "scratch-failed" }.to_owned(),
        message: format!("the scratch file of unique keys cannot be {what}: {error}"),
        hint: full.then(|| "free some space where the output goes".to_owned()),
        at: None,
    }
}

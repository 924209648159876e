//! A Python parser on disk: a file, a folder of sources, a bundle of `host build`, or a bundle and its runtime in one component.
//! All of them become the same thing, a [`Bundle`] in sealed memory, which a worker hands to the Python runtime; what the parser is called by is the digest of the
//! runtime and of every file, so that it does not matter which of them it came as.

pub(crate) mod bundle;
pub(crate) mod folder;
pub(crate) mod one_file;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use casparian_core::fault::{Blame, Blamed, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, FieldHasher};
use casparian_core::limits::Limits;
use thiserror::Error;

pub use self::bundle::{Bundle, BundleFault, Dependency};
pub(crate) use self::folder::collect;
use crate::code_cache::{read_sealed, seal};
use crate::source::Source;

/// The default contract of a parser: beside its file, at the top of its folder or bundle.
pub(crate) const CONTRACT_FILE: &str = "contract.odcs.yaml";
/// The entry that stands for the compiler built into the runtime. No module can be called so.
pub const COMPILER: &str = ".casparian/compiler";
/// The path under which the runtime finds the parser compiled. No file of a bundle can be called so.
pub const CODE_PATH: &str = ".casparian/code";

/// A Python parser that cannot be opened.
#[derive(Debug, Error)]
pub enum ProgramFault {
    /// The system refuses.
    #[error("{path} cannot be read: {error}")]
    Unread {
        /// The file or folder.
        path: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// A folder in which nothing says where to start.
    #[error("{path} has no parser.py, and {found} other modules at its top")]
    NoEntry {
        /// The folder.
        path: GuestText,
        /// How many there are.
        found: usize,
    },
    /// Its packages are not there.
    #[error("{path} needs packages of others: its pyproject.toml has dependencies")]
    Dependencies {
        /// The folder.
        path: GuestText,
    },
    /// It does not fit into a bundle.
    #[error("{path}: {fault}")]
    Bundle {
        /// The file or folder.
        path: GuestText,
        /// Why.
        fault: BundleFault,
    },
    /// A source that stands elsewhere.
    #[error(
        "{path} is a symbolic link: what is called as the parser's sources are is copied, or it is left behind"
    )]
    Link {
        /// The link.
        path: GuestText,
    },
    /// Its module has no name that could be imported.
    #[error("{path} cannot be imported: a module is called by letters, digits and `_`")]
    Module {
        /// The file.
        path: GuestText,
    },
}

impl Blamed for ProgramFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Bundle { fault, .. } => fault.blame(),
            _ => Blame::Operator,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unread { .. } => "program-unreadable",
            Self::NoEntry { .. } | Self::Module { .. } => "program-without-entry",
            Self::Link { .. } => "program-has-links",
            Self::Dependencies { .. } => "program-has-dependencies",
            Self::Bundle { fault, .. } => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoEntry { .. } => {
                Some("call the module to start from parser.py, or name its file".to_owned())
            }
            Self::Dependencies { .. } => {
                Some("`host build DIR -o parser.zip` brings them along; run that".to_owned())
            }
            Self::Bundle { fault, .. } => fault.hint(),
            Self::Link { .. } => Some("put a copy of the file in its place".to_owned()),
            Self::Unread { .. } | Self::Module { .. } => None,
        }
    }
}

/// Whether there is a Python parser at a path, with its runtime or without.
pub fn is_program(path: &Path) -> bool {
    let has_program = |source| one_file::find(&source).is_ok_and(|found| found.is_some());
    needs_runtime(path) || Source::open(path).is_ok_and(has_program)
}

/// Whether a path names a Python parser without its runtime: a folder, or a file that ends in .py or .zip.
pub(crate) fn needs_runtime(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    path.is_dir() || matches!(ending.as_deref(), Some("py" | "zip"))
}

/// Returns the bounds of a run of a Python parser that sets no others. An interpreter starts with more memory than a compiled
/// parser ever has, and burns ten times the fuel and the time for a byte.
pub fn limits() -> Limits {
    let usual = Limits::default();
    Limits {
        fuel_base: 5 * usual.fuel_base,
        fuel_per_byte: 10 * usual.fuel_per_byte,
        memory_bytes_max: 2 * usual.memory_bytes_max,
        deadline_per_mib_ms: 10 * usual.deadline_per_mib_ms,
        ..usual
    }
}

fn named(path: &Path, fault: BundleFault) -> ProgramFault {
    ProgramFault::Bundle { path: GuestText::new(&path.to_string_lossy(), 4096), fault }
}

/// A Python parser, open: read once, sealed.
pub(crate) struct Program {
    bundle: Bundle,
    contract: Option<Vec<u8>>,
    sealed: File,
    bytes: u64,
    sha256: Digest,
}

impl Program {
    /// Opens what stands at a path that [`needs_runtime`].
    pub(crate) fn open(path: &Path) -> Result<Self, FaultReport> {
        Self::seal(path, collect(path).map_err(|fault| fault.report())?)
    }

    /// Opens a bundle that was found in the component at a path.
    pub(crate) fn found(path: &Path, bundle: &[u8]) -> Result<Self, FaultReport> {
        Self::seal(path, Bundle::from_bytes(bundle).map_err(|fault| named(path, fault).report())?)
    }

    fn seal(path: &Path, mut bundle: Bundle) -> Result<Self, FaultReport> {
        // What rows are judged by is not what makes them: a contract has a digest of its own.
        let contract = bundle.files.remove(CONTRACT_FILE);
        let bytes = bundle.to_bytes().map_err(|fault| named(path, fault).report())?;
        let sealed = seal(&bytes).map_err(|error| internal(format!("memory for the parser: {error}")))?;
        Ok(Self { bundle, contract, sealed, bytes: bytes.len() as u64, sha256: Digest::of(&bytes) })
    }

    /// Returns the size of it all.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the digest of its files and its entry.
    pub(crate) fn sha256(&self) -> Digest {
        self.sha256
    }

    /// Returns the default contract, unread.
    pub(crate) fn contract(&self) -> Option<&[u8]> {
        self.contract.as_deref()
    }

    /// Returns the descriptor of the bundle.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.sealed.as_fd()
    }

    /// Returns what the parser is called by under a runtime: where a component has its digest.
    pub(crate) fn identity(&self, runtime: Digest) -> Digest {
        let hasher = FieldHasher::new("casparian python parser 1").field(runtime.as_bytes());
        let hasher = hasher.field(self.bundle.entry.as_bytes()).number(self.bundle.files.len() as u64);
        let parts = self.parts();
        parts
            .iter()
            .fold(hasher, |hasher, (name, sha256)| hasher.field(name.as_bytes()).field(sha256.as_bytes()))
            .finish()
    }

    /// Returns every file by its name, with its digest, sorted.
    pub(crate) fn parts(&self) -> Vec<(String, Digest)> {
        self.bundle.files.iter().map(|(name, content)| (name.clone(), Digest::of(content))).collect()
    }
}

/// Reads what a supervisor has sealed, for the sandbox to hand out: the files, and the parser compiled.
pub(crate) fn receive(bundle: File, code: Option<File>) -> Result<casparian_sandbox::Program, FaultReport> {
    let bundle = Bundle::from_bytes(&read_all(bundle)?).map_err(|fault| fault.report())?;
    let mut files: Vec<(String, Vec<u8>)> = bundle.files.into_iter().collect();
    // No bytes: its runtime has given up on it.
    if let Some(code) = code.map(read_all).transpose()?.filter(|code| !code.is_empty()) {
        files.push((CODE_PATH.to_owned(), code));
    }
    Ok(casparian_sandbox::Program { entry: bundle.entry, files })
}

fn read_all(sealed: File) -> Result<Vec<u8>, FaultReport> {
    read_sealed(&sealed, u64::MAX).map_err(|error| internal(format!("reading the parser: {error}")))
}

fn internal(message: String) -> FaultReport {
    FaultReport { blame: Blame::Host, code: "internal".to_owned(), message, hint: None, at: None }
}

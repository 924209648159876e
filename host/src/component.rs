//! A component on disk and its compiled code: opened once, known by its digest, compiled by a worker that is then gone.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::id::Digest;
use casparian_core::limits::Limits;
use casparian_sandbox::{Sandbox, precheck};

use crate::code_cache::{CodeCache, Found, code_key, memory_file};
use crate::orders::{News, Task};
use crate::source::Source;
use crate::supervisor::Worker;

/// How long compiling may take. A language runtime takes seconds, a parser a fraction of one.
const COMPILE_MS_MAX: u64 = 120_000;

/// Most bytes of compiled code: a component of the largest size, ten times over.
const CODE_BYTES_MAX: u64 = 10 * precheck::COMPONENT_BYTES_MAX;

/// A component, open.
pub(crate) struct Component {
    source: Source,
    sha256: Digest,
}

/// Compiled code, sealed.
pub(crate) struct Compiled {
    code: File,
    /// Something to tell the operator about the cache.
    pub(crate) warning: Option<FaultReport>,
}

/// Where code is compiled and kept.
pub(crate) struct Workshop<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) cache_dir: &'a Path,
    pub(crate) worker_exe: &'a Path,
    pub(crate) stop: &'a Arc<AtomicBool>,
}

impl Component {
    /// Opens a component and takes its digest.
    pub(crate) fn open(path: &Path) -> Result<Self, FaultReport> {
        // Whose file it is that cannot be opened: here the operator's, who named it.
        let named = |mut fault: FaultReport| {
            fault.blame = Blame::Operator;
            fault
        };
        let source = Source::open(path).map_err(|fault| named(fault.report()))?;
        if source.size() > precheck::COMPONENT_BYTES_MAX {
            let (limit, bytes) = (precheck::COMPONENT_BYTES_MAX, source.size());
            return Err(precheck::PrecheckFault::TooLarge { limit, bytes }.report());
        }
        let sha256 = source.hash(&mut |_| {}).map_err(|fault| named(fault.report()))?;
        Ok(Self { source, sha256 })
    }

    /// Returns its size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.source.size()
    }

    /// Returns the digest of its bytes.
    pub(crate) fn sha256(&self) -> Digest {
        self.sha256
    }

    /// Reads all of it.
    pub(crate) fn read(&self) -> Result<Vec<u8>, FaultReport> {
        let mut bytes = vec![0; usize::try_from(self.bytes()).unwrap_or(usize::MAX)];
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.source.read_at(read as u64, rest) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) => return Err(unread(&error)),
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Returns its descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.source.fd()
    }

    /// Finds its code in the cache, or has it compiled and keeps it. `compiling` hears the component's size before the wait.
    pub(crate) fn compiled(
        &self,
        workshop: &Workshop<'_>,
        compiling: &mut dyn FnMut(u64),
    ) -> Result<Compiled, FaultReport> {
        let cache = CodeCache::open(&workshop.cache_dir.join("code")).map_err(|fault| fault.report())?;
        let engine = Sandbox::new(workshop.limits).map_err(|fault| fault.report())?.code_key();
        let key = code_key(self.sha256, engine);
        let warning = match cache.find(key).map_err(|fault| fault.report())? {
            Found::Code(code) => return Ok(Compiled { code, warning: None }),
            Found::Nothing => None,
            Found::Tampered => Some(tampered()),
        };
        compiling(self.bytes());
        let code = self.compile(workshop)?;
        // The digest was taken of what the file was then; what was compiled must be the same.
        self.source.check_unchanged().map_err(|fault| fault.report())?;
        let code = cache.keep(key, &code).map_err(|fault| fault.report())?;
        Ok(Compiled { code, warning })
    }

    fn compile(&self, workshop: &Workshop<'_>) -> Result<Vec<u8>, FaultReport> {
        let internal = |error: std::io::Error| FaultReport {
            blame: Blame::Host,
            code: "internal".to_owned(),
            message: format!("memory for compiled code: {error}"),
            hint: None,
            at: None,
        };
        let mut code = File::from(memory_file().map_err(internal)?);
        let task = Task::Compile { limits: workshop.limits.clone() };
        let fds = [self.fd(), code.as_fd()];
        let mut worker = Worker::start(workshop.worker_exe, &task, &fds, COMPILE_MS_MAX, workshop.stop)?;
        match worker.hear()? {
            News::Compiled => {}
            News::Failed { fault, .. } => return Err(fault),
            other => return Err(worker.misspoke(&other)),
        }
        // Gone before its work is read, so that nobody writes to it meanwhile.
        drop(worker);
        let mut bytes = Vec::new();
        code.rewind()
            .and_then(|()| code.take(CODE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(internal)?;
        if bytes.len() as u64 > CODE_BYTES_MAX {
            return Err(internal(std::io::Error::other(format!(
                "there are more than {CODE_BYTES_MAX} bytes"
            ))));
        }
        Ok(bytes)
    }
}

impl Compiled {
    /// Returns the code's descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.code.as_fd()
    }
}

fn unread(error: &std::io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "component-unreadable".to_owned(),
        message: format!("the component cannot be read: {error}"),
        hint: None,
        at: None,
    }
}

fn tampered() -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "cache-tampered".to_owned(),
        message: "cached code of this parser was not written by this host; it was compiled again".to_owned(),
        hint: Some("if nobody restored or copied the cache, find out who wrote to it".to_owned()),
        at: None,
    }
}

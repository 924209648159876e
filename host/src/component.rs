//! A component on disk and its compiled code: opened once, known by its digest, compiled by a worker that is then gone.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_core::limits::Limits;
use casparian_jail::Isolation;
use casparian_sandbox::{Sandbox, precheck};

use crate::code_cache::{CodeCache, Found, code_key, memory_file, program_key, runtime_key};
use crate::orders::{News, Task};
use crate::program::{Program, needs_runtime, one_file};
use crate::source::Source;
use crate::supervisor::Worker;

/// How long compiling may take. A language runtime takes seconds, a parser a fraction of one.
const COMPILE_MS_MAX: u64 = 120_000;

/// Most bytes of compiled code: a component of the largest size, ten times over.
pub(crate) const CODE_BYTES_MAX: u64 = 10 * precheck::COMPONENT_BYTES_MAX;

/// A parser, open: a component, or a program and the component of its runtime, in one file or in two.
pub(crate) struct Component {
    source: Source,
    /// Where the component ends and a program may begin. Digest, compiling and looking stop there alike.
    end: u64,
    /// Digest of the bytes before `end`.
    sha256: Digest,
    program: Option<Program>,
}

/// Compiled code, sealed.
pub(crate) struct Compiled {
    code: File,
    /// The program compiled, by its runtime.
    program_code: Option<File>,
    /// Something to tell the operator about the cache.
    pub(crate) warning: Option<FaultReport>,
}

/// Where code is compiled and kept.
pub(crate) struct Workshop<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) cache_dir: &'a Path,
    pub(crate) worker_exe: &'a Path,
    /// The least isolation that anything is compiled under.
    pub(crate) required: Isolation,
    pub(crate) stop: &'a Arc<AtomicBool>,
}

impl Component {
    /// Opens a parser: a component, or a Python program, which becomes one by the runtime.
    pub(crate) fn open_parser(path: &Path, python_runtime: &Path) -> Result<Self, FaultReport> {
        if !needs_runtime(path) {
            return Self::open(path);
        }
        let program = Program::open(path)?;
        Ok(Self { program: Some(program), ..Self::open_runtime(python_runtime)? })
    }

    /// Opens the Python runtime.
    pub(crate) fn open_runtime(path: &Path) -> Result<Self, FaultReport> {
        Self::open(path).map_err(|fault| no_runtime(path, fault))
    }

    /// Opens a component and takes its digest; of one with a program in it, the digest of the runtime before it.
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
        let found = one_file::find(&source).map_err(|error| unread(&error))?;
        let end = found.as_ref().map_or(source.size(), |(runtime_bytes, _)| *runtime_bytes);
        let sha256 =
            source.hash_until(end, &AtomicBool::new(false)).map_err(|fault| named(fault.report()))?;
        let program = found.map(|(_, bundle)| Program::found(path, &bundle)).transpose()?;
        Ok(Self { source, end, sha256, program })
    }

    /// Returns the size in bytes of what was given: a component, alone or with a program in it, or a program that is handed to one.
    pub(crate) fn bytes(&self) -> u64 {
        let is_one_file = self.end < self.source.size();
        self.program.as_ref().filter(|_| !is_one_file).map_or(self.source.size(), Program::bytes)
    }

    /// Returns what it is called by: the digest of its bytes; of a program and its runtime one digest for both.
    pub(crate) fn sha256(&self) -> Digest {
        self.program.as_ref().map_or(self.sha256, |program| program.identity(self.sha256))
    }

    /// Returns the program, where it is one.
    pub(crate) fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// Returns the size of the component itself.
    pub(crate) fn component_bytes(&self) -> u64 {
        self.end
    }

    /// Reads the component itself.
    pub(crate) fn read(&self) -> Result<Vec<u8>, FaultReport> {
        let mut bytes = vec![0; usize::try_from(self.end).unwrap_or(usize::MAX)];
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

    /// Finds its code in the cache, or has it compiled and keeps it. `compiling` hears the component's size before the wait, and
    /// whether it is a runtime, for which it is a long one.
    pub(crate) fn compiled(
        &self,
        workshop: &Workshop<'_>,
        compiling: &mut dyn FnMut(u64, bool),
    ) -> Result<Compiled, FaultReport> {
        let cache = CodeCache::open(&workshop.cache_dir.join("code")).map_err(|fault| fault.report())?;
        let engine = Sandbox::new(workshop.limits).map_err(|fault| fault.report())?.code_key();
        let name_key = if self.program.is_some() { runtime_key } else { code_key };
        let key = name_key(self.sha256, engine);
        let warning = match cache.find(key, workshop.required).map_err(|fault| fault.report())? {
            Found::Code(code) => return self.with_program(workshop, &cache, engine, code, None),
            Found::Nothing => None,
            Found::Tampered => Some(tampered()),
        };
        compiling(self.end, self.program.is_some());
        let task = Task::Compile {
            limits: workshop.limits.clone(),
            is_runtime: self.program.is_some(),
            component_bytes: self.end,
        };
        let (code, under) = made_by_worker(workshop, &task, &[self.fd()], COMPILE_MS_MAX)?;
        // The digest was taken of what the file was then; what was compiled must be the same.
        self.source.check_unchanged().map_err(|fault| fault.report())?;
        let code = cache.keep(key, &code, under).map_err(|fault| fault.report())?;
        self.with_program(workshop, &cache, engine, code, warning)
    }

    /// Adds the program as its runtime compiles it, kept between runs like the runtime's own code.
    fn with_program(
        &self,
        workshop: &Workshop<'_>,
        cache: &CodeCache,
        engine: Digest,
        code: File,
        warning: Option<FaultReport>,
    ) -> Result<Compiled, FaultReport> {
        let Some(program) = &self.program else { return Ok(Compiled { code, program_code: None, warning }) };
        let key = program_key(self.sha256, engine, program.sha256());
        let (found, warning) = match cache.find(key, workshop.required).map_err(|fault| fault.report())? {
            Found::Code(found) => (Some(found), warning),
            Found::Nothing => (None, warning),
            Found::Tampered => (None, warning.or_else(|| Some(tampered()))),
        };
        let program_code = match found {
            Some(found) => found,
            None => {
                let (made, under) = prepared(workshop, &code, program)?;
                cache.keep(key, &made, under).map_err(|fault| fault.report())?
            }
        };
        Ok(Compiled { code, program_code: Some(program_code), warning })
    }
}

/// Has a program compiled by its runtime, under bounds that follow from its size alone: what comes of it is kept, and neither the
/// input that it waits for nor the operator's bounds of this one run may decide it. One that its runtime gives up on is none
/// the worse: it runs from its sources, and says there what is wrong.
fn prepared(
    workshop: &Workshop<'_>,
    code: &File,
    program: &Program,
) -> Result<(Vec<u8>, Isolation), FaultReport> {
    let usual = crate::program::limits();
    let fuel_base = usual.fuel_base.saturating_add(usual.fuel_per_byte.saturating_mul(program.bytes()));
    let limits = Limits { fuel_base, ..usual.clone() };
    let deadline_ms = usual.deadline_ms(program.bytes());
    let made =
        made_by_worker(workshop, &Task::Prepare { limits }, &[code.as_fd(), program.fd()], deadline_ms);
    match made {
        // Nothing is harmless, whoever made it.
        Err(fault) if fault.blame == Blame::Guest => Ok((Vec::new(), Isolation::L3)),
        made => made,
    }
}

/// Has a worker make something out of what it is given, and returns it with the isolation that it was made under. The worker is
/// gone before anybody looks at its work.
fn made_by_worker(
    workshop: &Workshop<'_>,
    task: &Task,
    given: &[BorrowedFd<'_>],
    deadline_ms: u64,
) -> Result<(Vec<u8>, Isolation), FaultReport> {
    let failed = |error: std::io::Error| FaultReport {
        blame: Blame::Host,
        code: "code-memory".to_owned(),
        message: format!("memory for compiled code: {error}"),
        hint: None,
        at: None,
    };
    let mut code = File::from(memory_file().map_err(failed)?);
    let fds: Vec<BorrowedFd<'_>> = given.iter().copied().chain([code.as_fd()]).collect();
    let mut worker =
        Worker::start(workshop.worker_exe, workshop.required, task, &fds, deadline_ms, workshop.stop)?;
    match worker.hear()? {
        News::Compiled => {}
        News::Failed { fault, .. } => return Err(fault),
        other => return Err(worker.misspoke(&other)),
    }
    let under = worker.confinement().map_or(Isolation::L0, |confinement| confinement.level);
    drop(worker);
    let mut bytes = Vec::new();
    code.rewind().and_then(|()| code.take(CODE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > CODE_BYTES_MAX {
        return Err(failed(std::io::Error::other(format!("there are more than {CODE_BYTES_MAX} bytes"))));
    }
    Ok((bytes, under))
}

impl Compiled {
    /// Returns the code's descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.code.as_fd()
    }

    /// Returns the descriptor of the compiled program, where there is one.
    pub(crate) fn program_fd(&self) -> Option<BorrowedFd<'_>> {
        self.program_code.as_ref().map(File::as_fd)
    }
}

/// A runtime that is not there is the operator's to bring.
fn no_runtime(path: &Path, fault: FaultReport) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "runtime-missing".to_owned(),
        message: format!(
            "no Python runtime at {}: {}",
            GuestText::new(&path.to_string_lossy(), 4096),
            fault.message
        ),
        hint: Some(
            "it comes beside the program; CASPARIAN_PYTHON names another, `cargo xtask guests` builds one"
                .to_owned(),
        ),
        at: None,
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

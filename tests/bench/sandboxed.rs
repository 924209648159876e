//! The same parser as a component, in this process: what a worker does on its guest's thread.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use casparian_core::description::Description;
use casparian_core::intake::Said;
use casparian_core::limits::Limits;
use casparian_core::wanted::Wanted;
use casparian_host::program;
use casparian_sandbox::journal::Level;
use casparian_sandbox::{
    Blob, Ear, Ended, Loaded, Program, Sandbox, Session, SessionFault, Setup, Usage, precheck,
};

use crate::Outcome;
use crate::native::Input;

/// Stack for the host's own calls, on top of the guest's.
const HOST_STACK_BYTES: u64 = 2 << 20;

/// The component, compiled and loaded.
pub(crate) struct Sandboxed {
    loaded: Loaded,
    limits: Limits,
    program: Option<Arc<Program>>,
    /// What the parser says that it is: a worker asks for it once.
    description: OnceLock<Description>,
}

impl Sandboxed {
    pub(crate) fn load(component: &Path) -> Outcome<Sandboxed> {
        let limits = Limits::default();
        let bytes = std::fs::read(component)?;
        let loaded = Sandbox::pooled(&limits, 1)?.load_fresh(&precheck::check(&bytes)?)?;
        Ok(Sandboxed { loaded, limits, program: None, description: OnceLock::new() })
    }

    /// Loads a program of one file under the Python runtime, with the bytecode that the runtime makes of it.
    pub(crate) fn program(runtime: &Path, file: &Path) -> Outcome<Sandboxed> {
        let limits = program::limits();
        let bytes = std::fs::read(runtime)?;
        let loaded = Sandbox::pooled(&limits, 1)?.load_fresh(&precheck::check_runtime(&bytes)?)?;
        let name = file.file_name().ok_or("the program has no name")?.to_string_lossy().into_owned();
        let entry = name.trim_end_matches(".py").to_owned();
        let files = vec![(name, std::fs::read(file)?)];
        let compiler = Program { entry: program::COMPILER.to_owned(), files: files.clone() };
        let program = Some(Arc::new(compiler));
        let compiler = Sandboxed { loaded, limits, program, description: OnceLock::new() };
        let code = on_guest_thread(|| compiler.layout_of_nothing())?;
        let files = files.into_iter().chain([(program::CODE_PATH.to_owned(), code)]).collect();
        let program = Some(Arc::new(Program { entry, files }));
        Ok(Sandboxed { program, description: OnceLock::new(), ..compiler })
    }

    fn description(&self) -> Outcome<&Description> {
        if let Some(description) = self.description.get() {
            return Ok(description);
        }
        let (_session, description) = self.open()?.describe().map_err(fault)?;
        Ok(self.description.get_or_init(|| description))
    }

    fn layout_of_nothing(&self) -> Outcome<Vec<u8>> {
        let (description, session) = (self.description()?, self.open()?);
        let session = session
            .attach(Arc::new(Nothing), description, Wanted::All, Box::new(|_| Ok(())))
            .map_err(fault)?;
        Ok(session.plan(&[], u64::MAX).map_err(fault)?.1.context)
    }

    /// Opens a fresh guest and lets it plan and parse a whole input, all of its tables.
    pub(crate) fn parse_all(&self, input: Input, ear: Ear) -> Outcome<Usage> {
        self.parse(input, Wanted::All, ear)
    }

    /// Opens a fresh guest.
    pub(crate) fn open(&self) -> Outcome<Session> {
        let limits = self.limits.clone();
        let setup = Setup {
            limits,
            attachments: BTreeMap::new(),
            program: self.program.clone(),
            log_level: Level::Warn,
            log: Box::new(|_| {}),
        };
        Ok(self.loaded.open(setup).map_err(fault)?)
    }

    /// Opens a fresh guest and lets it plan, and no more.
    pub(crate) fn plan(&self, input: Input, ear: Ear) -> Outcome<Usage> {
        let (description, session) = (self.description()?, self.open()?);
        let options = description.resolve_options(&[])?;
        let session = session.attach(Arc::new(input), description, Wanted::All, ear).map_err(fault)?;
        Ok(session.plan(&options, u64::MAX).map_err(fault)?.0.usage())
    }

    /// Opens a fresh guest and lets it plan and parse a whole input; what it says goes to `ear`.
    pub(crate) fn parse(&self, input: Input, wanted: impl Into<Wanted>, ear: Ear) -> Outcome<Usage> {
        let (description, session) = (self.description()?, self.open()?);
        let options = description.resolve_options(&[])?;
        let session = session.attach(Arc::new(input), description, wanted, ear).map_err(fault)?;
        let (mut session, layout) = session.plan(&options, u64::MAX).map_err(fault)?;
        for range in layout.ranges {
            session = session.parse(range, &layout.context, &options).map_err(fault)?;
        }
        Ok(session.usage())
    }
}

/// Returns why a session ended. What it left is of no use here.
fn fault(ended: Ended) -> SessionFault {
    ended.fault
}

/// An input without bytes.
struct Nothing;

impl Blob for Nothing {
    fn name(&self) -> &str {
        ""
    }

    fn len(&self) -> u64 {
        0
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

/// Does something on a thread like the one that a worker keeps for its guest.
pub(crate) fn on_guest_thread<T: Send>(work: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
    let stack_bytes = usize::try_from(Limits::default().stack_bytes_max + HOST_STACK_BYTES)?;
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(stack_bytes).spawn_scoped(scope, work)?;
        thread.join().map_err(|_| "the guest's thread panicked")?
    })
}

/// What an ear heard and dropped. Contenders must agree on it.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    rows: AtomicU64,
    rejected: AtomicU64,
    fuel: AtomicU64,
}

impl Heard {
    /// Makes an ear that counts what it hears and drops it.
    pub(crate) fn ear(self: &Arc<Self>) -> Ear {
        let heard = Arc::clone(self);
        Box::new(move |said| {
            match said {
                Said::Rows { batch, .. } => heard.rows.fetch_add(batch.num_rows(), Ordering::Relaxed),
                Said::Rejected(records) => heard.rejected.fetch_add(records.len() as u64, Ordering::Relaxed),
                _ => 0,
            };
            Ok(())
        })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Writes down what a guest has burnt.
    pub(crate) fn burn(&self, usage: Usage) {
        self.fuel.fetch_add(usage.fuel, Ordering::Relaxed);
    }

    pub(crate) fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// Fails unless both heard as many rows and rejections.
    pub(crate) fn agree(&self, other: &Heard) -> Outcome {
        let said = |it: &Heard| (it.rows(), it.rejected.load(Ordering::Relaxed));
        match said(self) == said(other) {
            true => Ok(()),
            false => Err(format!("contenders came to different rows: {self:?} and {other:?}").into()),
        }
    }
}

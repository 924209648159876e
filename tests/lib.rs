//! What the suites share: a guest in this very process, for bounds that no command line sets exactly.

pub mod marks;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use casparian_core::description::Description;
use casparian_core::fault::Blamed as _;
use casparian_core::intake::Said;
use casparian_core::limits::Limits;
use casparian_sandbox::journal::{Level, LogLine};
use casparian_sandbox::session::{Ended, Session};
use casparian_sandbox::{Blob, Loaded, Sandbox, Setup, Usage, precheck};

/// The host's own calls need a stack too, on top of the guest's.
const HOST_STACK_BYTES: usize = 2 << 20;

/// A component, compiled, to be run again and again under whatever limits.
pub struct Bench {
    loaded: Loaded,
    /// What the engine was built for: a guest's stack is not a run's to choose.
    stack_bytes: u64,
}

/// What became of one run on the [`Bench`].
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ended: Result<(), Ended>,
    /// What it used.
    pub usage: Usage,
    /// What it said, in order.
    pub said: Vec<Said>,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl Outcome {
    /// Returns the code of the fault that ended it, or `ok`.
    pub fn code(&self) -> &'static str {
        self.ended.as_ref().map_or_else(|ended| ended.fault.code(), |()| "ok")
    }

    /// Returns the message of the fault that ended it, or nothing.
    pub fn message(&self) -> String {
        self.ended.as_ref().map_or_else(|ended| ended.fault.to_string(), |()| String::new())
    }

    /// Returns the rows of each batch that passed the guard.
    pub fn batches(&self) -> Vec<usize> {
        let rows = |said: &Said| {
            if let Said::Rows { batch, .. } = said { Some(batch.num_rows() as usize) } else { None }
        };
        self.said.iter().filter_map(rows).collect()
    }
}

/// An input in memory.
struct Memory(Vec<u8>);

impl Blob for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).map_or(self.0.len(), |offset| offset.min(self.0.len()));
        let given = bytes.len().min(self.0.len() - from);
        bytes[..given].copy_from_slice(&self.0[from..from + given]);
        Ok(given)
    }
}

impl Bench {
    /// Compiles a component for guests with the usual stack. Fails with the code and the message of the fault.
    pub fn new(component: &[u8]) -> Result<Self, (&'static str, String)> {
        Self::with_stack(component, Limits::default().stack_bytes_max)
    }

    /// Compiles a component for guests with a stack of `stack_bytes`. Fails with the code and the message of the fault.
    pub fn with_stack(component: &[u8], stack_bytes: u64) -> Result<Self, (&'static str, String)> {
        let limits = Limits { stack_bytes_max: stack_bytes, ..Limits::default() };
        let checked = precheck::check(component).map_err(|fault| (fault.code(), fault.to_string()))?;
        let compiled = Sandbox::new(&limits).and_then(|sandbox| sandbox.load_fresh(&checked));
        let loaded = compiled.map_err(|fault| (fault.code(), fault.to_string()))?;
        Ok(Self { loaded, stack_bytes })
    }

    /// Runs a fresh guest over an input, as a worker does.
    pub fn run(&self, limits: &Limits, input: &[u8], options: &[(&str, &str)]) -> Outcome {
        let limits = Limits { stack_bytes_max: self.stack_bytes, ..limits.clone() };
        let stack_bytes = self.stack_bytes as usize + HOST_STACK_BYTES;
        thread::scope(|scope| {
            let guest = thread::Builder::new()
                .stack_size(stack_bytes)
                .spawn_scoped(scope, || self.parse(limits, input, options));
            guest.expect("a thread").join().expect("the host does not panic, whatever a guest does")
        })
    }

    fn parse(&self, limits: Limits, input: &[u8], options: &[(&str, &str)]) -> Outcome {
        let (said, log) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let journal = Arc::clone(&log);
        let setup = Setup {
            limits,
            attachments: BTreeMap::new(),
            log_level: Level::Info,
            program: None,
            log: Box::new(move |line| locked(&journal).push(line)),
        };
        let heard = Arc::clone(&said);
        let ended = self.story(setup, input, options, heard);
        let usage = ended.as_ref().map_or_else(|ended| ended.usage, Session::usage);
        let (said, log) = (std::mem::take(&mut *locked(&said)), std::mem::take(&mut *locked(&log)));
        Outcome { ended: ended.map(drop), usage, said, log }
    }

    fn story(
        &self,
        setup: Setup,
        input: &[u8],
        options: &[(&str, &str)],
        heard: Arc<Mutex<Vec<Said>>>,
    ) -> Result<Session, Ended> {
        let (session, description) = self.loaded.open(setup).and_then(Session::describe)?;
        let options = resolved(&description, options);
        let ear = Box::new(move |word| {
            locked(&heard).push(word);
            Ok(())
        });
        let wanted: Vec<_> = description.tables.iter().map(|table| table.name.clone()).collect();
        let session = session.attach(Arc::new(Memory(input.to_vec())), &description, wanted, ear)?;
        let (mut session, layout) = session.plan(&options, u64::MAX)?;
        for range in layout.ranges {
            session = session.parse(range, &layout.context, &options)?;
        }
        Ok(session)
    }
}

fn resolved(description: &Description, options: &[(&str, &str)]) -> Vec<(String, String)> {
    let given: Vec<_> = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    description.resolve_options(&given).expect("the test gives options that the parser has")
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

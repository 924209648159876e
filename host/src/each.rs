//! Many inputs of one parser, an output each: what a run over each input alone would write, side by side, told as one.
//!
//! An output's place follows from its input's name, and from its path where that name is not its alone: not from the order of
//! inputs, nor from when they were run. An input that fails leaves no output, and does not fail the others.

mod place;
pub mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;

use self::report::EachReport;
use crate::component::{Component, Workshop};
use crate::dataset::{Told, list_inputs};
use crate::report::Report;
use crate::request::{Progress, RunRequest};
use crate::run::run;
use crate::staging::Extent;

/// How far ahead of what has been told inputs may be run: what came of them waits in memory.
const AHEAD: usize = 256;
/// How often it is looked whether somebody wants it to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a person asked of many inputs with an output each.
#[derive(Debug, Clone)]
pub struct EachRequest {
    /// What is asked of each: its own input and output are of no matter.
    pub each: RunRequest,
    /// The folder that outputs go to, a folder each.
    pub out: PathBuf,
    /// Files, folders whose files are meant, and patterns of files.
    pub inputs: Vec<PathBuf>,
    /// Patterns of what is left out of folders and patterns.
    pub ignored: Vec<String>,
    /// Inputs that are run side by side; at least one.
    pub jobs: usize,
}

/// Runs every input into an output of its own. What became of each is told in the order of the inputs.
pub fn run_each(request: &EachRequest, tell: &mut dyn FnMut(Told)) -> EachReport {
    let begun = Instant::now();
    let mut report = EachReport::begin(request);
    if let Err(fault) = attempt(request, &mut report, tell) {
        report.fail(fault);
    }
    report.conclude();
    report.wall_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

fn attempt(
    request: &EachRequest,
    report: &mut EachReport,
    tell: &mut dyn FnMut(Told),
) -> Result<(), FaultReport> {
    let component = Component::open_parser(&request.each.component, &request.each.python_runtime)?;
    report.component.sha256 = Some(component.sha256());
    let listed = list_inputs(&request.inputs, &request.ignored, &request.out)?;
    report.passed_by(listed.passed_by);
    let inputs = &listed.paths;
    report.inputs.found = inputs.len() as u64;
    let places = place::places(&request.out, inputs);
    make_folder(&request.out)?;
    compile(request, &component, tell)?;
    let runs: Vec<(&PathBuf, PathBuf)> = inputs.iter().zip(places).collect();
    let mut has_begun = false;
    run_all(request, &runs, report, &mut |told| match told {
        // Every input says who the parser is. Once is enough, and what is to come are all of them.
        Told::Progress(Progress::Started { .. }) if has_begun => {}
        Told::Progress(Progress::Started { name, version, .. }) => {
            has_begun = true;
            tell(Told::Progress(Progress::Started { name, version, input_bytes: listed.bytes }));
        }
        told => tell(told),
    })
}

/// Compiles the parser before anybody runs it: else all of the first to run would.
fn compile(
    request: &EachRequest,
    component: &Component,
    tell: &mut dyn FnMut(Told),
) -> Result<(), FaultReport> {
    let each = &request.each;
    let workshop = Workshop {
        limits: &each.limits,
        cache_dir: &each.cache_dir,
        worker_exe: &each.worker_exe,
        required: each.require_isolation,
        stop: &each.stop,
    };
    let compiled = component.compiled(&workshop, &mut |bytes, is_runtime| {
        tell(Told::Progress(Progress::Compiling { bytes, is_runtime }));
    });
    compiled.map(drop)
}

/// Makes the folder of outputs. One that is there is added to: no output in it is touched that is not asked for by its name.
fn make_folder(out: &Path) -> Result<(), FaultReport> {
    match std::fs::create_dir(out) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && out.is_dir() => Ok(()),
        Err(error) => Err(FaultReport {
            blame: Blame::Operator,
            code: "output-parent-unusable".to_owned(),
            message: format!("{} cannot be made: {error}", GuestText::new(&out.to_string_lossy(), 4096)),
            hint: Some("name a folder, in one that exists".to_owned()),
            at: None,
        }),
        Ok(()) => Ok(()),
    }
}

/// Which input is next, and how many have been told.
#[derive(Default)]
struct Board {
    state: Mutex<(usize, usize)>,
    moved: Condvar,
}

impl Board {
    /// Takes the next input. Waits where too many have not been told.
    fn take(&self, inputs: usize, ends: impl Fn() -> bool) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if ends() || state.0 >= inputs {
                return None;
            }
            if state.0 < state.1 + AHEAD {
                state.0 += 1;
                return Some(state.0 - 1);
            }
            let waited = self.moved.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn told(&self, inputs: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = inputs;
        self.moved.notify_all();
    }
}

/// What a thread says.
enum Word {
    Progress(Progress),
    Done(usize, Box<Report>),
}

fn run_all(
    request: &EachRequest,
    runs: &[(&PathBuf, PathBuf)],
    report: &mut EachReport,
    tell: &mut dyn FnMut(Told),
) -> Result<(), FaultReport> {
    let (board, jobs) = (Board::default(), request.jobs.clamp(1, runs.len().max(1)));
    let (words, heard) = sync_channel(jobs);
    thread::scope(|scope| {
        for _ in 0..jobs {
            let words = words.clone();
            scope.spawn(|| run_some(request, runs, &board, words));
        }
        drop(words);
        let (mut waiting, mut due) = (BTreeMap::new(), 0);
        loop {
            match heard.recv_timeout(LOOK_EVERY) {
                Ok(Word::Progress(progress)) => tell(Told::Progress(progress)),
                Ok(Word::Done(at, done)) => drop(waiting.insert(at, done)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(done) = waiting.remove(&due) {
                due += 1;
                board.told(due);
                report.add(&done);
                tell(Told::Progress(report.pace()));
                tell(Told::Input(done));
            }
        }
        match (request.each.stop.load(Ordering::Relaxed), due == runs.len()) {
            (_, true) => Ok(()),
            (true, false) => Err(report::interrupted()),
            (false, false) => Err(report::internal("a thread of the supervisor has panicked")),
        }
    })
}

/// What one thread does: an input after the other.
fn run_some(request: &EachRequest, runs: &[(&PathBuf, PathBuf)], board: &Board, words: SyncSender<Word>) {
    let ends = || request.each.stop.load(Ordering::Relaxed);
    while let Some(at) = board.take(runs.len(), ends) {
        let Some((input, out)) = runs.get(at) else { return };
        let one = RunRequest {
            input: (*input).clone(),
            input_name: None,
            out: Some(out.clone()),
            extent: Extent::Folder,
            // Cores that no other input is there for help this one.
            threads: (request.jobs / runs.len().clamp(1, request.jobs.max(1))).max(1),
            ..request.each.clone()
        };
        let name = input.to_string_lossy();
        let mut report = run(&one, &mut |progress| {
            let said = match progress {
                Progress::Log { level, line } => {
                    let line = GuestText::new(&format!("{name}: {}", line.raw()), 4096);
                    words.send(Word::Progress(Progress::Log { level, line }))
                }
                started @ Progress::Started { .. } => words.send(Word::Progress(started)),
                _ => Ok(()),
            };
            // Who is not listened to any more has nothing to add.
            drop(said);
        });
        report.claim = None;
        if words.send(Word::Done(at, Box::new(report))).is_err() {
            return;
        }
    }
}

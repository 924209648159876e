//! Many inputs of one parser, one dataset: tables in parts, rows that say which input they are from, a receipt for each input
//! and one for all of them.
//!
//! Inputs are cut into segments, which follow from their order and sizes alone. A segment is run by one worker, input after
//! input, and its rows are parts of their own; then segments are settled in order. So tables, claims and receipts are the same
//! however many workers there were. An input that fails contributes nothing, and does not fail the others.

mod crew;
mod list;
mod pattern;
pub mod report;
mod segment;
mod settle;
mod widen;

use std::path::PathBuf;
use std::time::Instant;

use casparian_core::fault::{Blamed as _, FaultReport};
use casparian_core::receipt::CodeCache;

use self::crew::Crew;
pub use self::report::DatasetReport;
use self::settle::Settled;
use crate::columns::SchemaRule;
use crate::component::{Component, Workshop};
use crate::report::Report;
use crate::request::{Progress, RunRequest};
use crate::staging::Staging;
use crate::terms::Terms;

/// A worker is replaced after so many inputs, however well it does.
pub const RECYCLE_AFTER: u64 = 1_000;

/// What a person asked of many inputs.
#[derive(Debug, Clone)]
pub struct ManyRequest {
    /// What is asked of each: its own input and name are of no matter. Its output is the dataset's.
    pub each: RunRequest,
    /// Files, folders whose files are meant, and patterns of files.
    pub inputs: Vec<PathBuf>,
    /// What the inputs are called, one by one, where that is not what leads to them: then they are files, and nothing else is looked for.
    pub called: Vec<String>,
    /// Patterns of what is left out of folders and patterns.
    pub ignored: Vec<String>,
    /// What becomes of inputs whose columns differ.
    pub schema: SchemaRule,
    /// Workers side by side; at least one.
    pub jobs: usize,
    /// After how many inputs a worker is replaced.
    pub recycle_after: u64,
}

/// What is told while it goes on.
#[derive(Debug)]
pub enum Told {
    /// How far all of it is.
    Progress(Progress),
    /// What became of an input. They come in their order.
    Input(Box<Report>),
}

/// Runs all inputs through one parser. Never half-publishes; what went wrong is in the report.
pub fn run_many(request: &ManyRequest, tell: &mut dyn FnMut(Told)) -> DatasetReport {
    let begun = Instant::now();
    let mut settled = Settled::new(request, begun);
    if let Err(fault) = attempt(request, &mut settled, tell) {
        settled.fail(fault);
    }
    settled.into_report()
}

/// Returns whether a name stands for several inputs: it is a folder's, or a pattern and no file's.
pub fn is_several(named: &std::path::Path) -> bool {
    // A pattern that is none is one input that nobody finds, or many that nobody finds.
    named.is_dir() || !matches!(pattern::Pattern::of(named), Ok(None))
}

/// The inputs of a dataset, as their paths are.
pub(crate) struct Inputs {
    pub(crate) paths: Vec<PathBuf>,
    /// What they were when they were listed, together.
    pub(crate) bytes: u64,
    /// The first things in folders that are none, and how many there are.
    pub(crate) passed_by: (Vec<report::PassedBy>, u64),
}

/// Lists inputs as a dataset would have them.
pub(crate) fn list_inputs(
    inputs: &[PathBuf],
    ignored: &[String],
    out: &std::path::Path,
) -> Result<Inputs, FaultReport> {
    let listed = list::list(inputs, ignored, Some(out))?;
    let bytes = listed.inputs.iter().map(|listing| listing.bytes).sum();
    let paths = listed.inputs.into_iter().map(|listing| listing.path).collect();
    Ok(Inputs { paths, bytes, passed_by: (listed.passed_by, listed.passed_by_count) })
}

fn attempt(
    request: &ManyRequest,
    settled: &mut Settled<'_>,
    tell: &mut dyn FnMut(Told),
) -> Result<(), FaultReport> {
    let each = &request.each;
    let component = Component::open_parser(&each.component, &each.python_runtime)?;
    settled.component(&component);
    let listed = match request.called.is_empty() {
        true => list::list(&request.inputs, &request.ignored, each.out.as_deref())?,
        false => list::called(&request.inputs, &request.called),
    };
    settled.listed(&listed);
    let staging = match &each.out {
        Some(out) => Some(stage(out, each)?),
        None => None,
    };
    let workshop = Workshop {
        limits: &each.limits,
        cache_dir: &each.cache_dir,
        worker_exe: &each.worker_exe,
        required: each.require_isolation,
        stop: &each.stop,
    };
    let compiled = component.compiled(&workshop, &mut |bytes, is_runtime| {
        settled.code_cache = CodeCache::Cold;
        tell(Told::Progress(Progress::Compiling { bytes, is_runtime }));
    })?;
    settled.warn(compiled.warning.clone());
    let terms = Terms::find(&each.contract, &component)?;
    let crew = Crew::new(request, &component, &compiled, terms.as_ref(), staging.as_ref(), &listed.inputs);
    crew.work(settled, tell)?;
    if let (SchemaRule::Union, Some(staging)) = (request.schema, &staging) {
        widen::widen(request, staging, settled)?;
    }
    settled.conclude(staging)
}

fn stage(out: &std::path::Path, each: &RunRequest) -> Result<Staging, FaultReport> {
    let mut staging = Staging::create(out, each.extent, each.replace).map_err(|fault| fault.report())?;
    staging.open_parts().map_err(|fault| fault.report())?;
    Ok(staging)
}

//! What a parser is, before anybody trusts it with anything.

use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use casparian_core::description::Description;
use casparian_core::fault::FaultReport;
use casparian_core::id::Digest;
use casparian_core::limits::Limits;
use casparian_jail::Isolation;
use serde::Serialize;

use crate::component::{Component, Workshop};
pub use crate::interface::{Column, TableColumns};
use crate::orders::{News, Task};
use crate::program::Program;
use crate::report::ContractReport;
use crate::supervisor::Worker;
use crate::terms::Terms;

/// The version of [`Inspection`]'s shape.
pub const INSPECTION_SCHEMA: u32 = 1;

/// Which parser to look at.
#[derive(Debug, Clone)]
pub struct InspectRequest {
    /// The parser: a component.
    pub component: PathBuf,
    /// The bounds that it describes itself under.
    pub limits: Limits,
    /// The component that makes parsers of Python programs.
    pub python_runtime: PathBuf,
    /// Where compiled code is kept.
    pub cache_dir: PathBuf,
    /// The program whose `worker` command does the work; nearly always this one.
    pub worker_exe: PathBuf,
    /// The least isolation that it may be asked under.
    pub require_isolation: Isolation,
    /// Set by somebody who wants it to end.
    pub stop: Arc<AtomicBool>,
}

/// Everything that is known of a parser.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// [`INSPECTION_SCHEMA`].
    pub schema: u32,
    /// As it was given.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Digest of its bytes.
    pub sha256: Digest,
    /// Who signed it.
    pub signature: Option<String>,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The contract that it carries: what its rows are judged by unless a run says otherwise.
    pub contract: Option<ContractReport>,
    /// Why one of its tables does not fit the contract that it carries: a run would refuse it.
    pub misfit: Option<FaultReport>,
    /// What it says it is.
    pub description: Description,
    /// The columns of those tables whose schema is known beforehand.
    pub columns: Vec<TableColumns>,
    /// The bounds of a run that sets no others.
    pub limits: Limits,
}

/// Asks a parser what it is, in a worker, without giving it anything to read.
pub fn inspect(request: &InspectRequest) -> Result<Inspection, FaultReport> {
    let component = Component::open_parser(&request.component, &request.python_runtime)?;
    let workshop = Workshop {
        limits: &request.limits,
        cache_dir: &request.cache_dir,
        worker_exe: &request.worker_exe,
        required: request.require_isolation,
        stop: &request.stop,
    };
    let compiled = component.compiled(&workshop, &mut |_, _| {})?;
    let contract = Terms::of_program(&component)?;
    let task = Task::Inspect {
        limits: request.limits.clone(),
        component_bytes: component.component_bytes(),
        has_program: component.program().is_some(),
        has_contract: contract.is_some(),
    };
    let deadline_ms = request.limits.deadline_ms(0);
    let mut fds = vec![component.fd(), compiled.fd()];
    fds.extend(component.program().map(Program::fd));
    fds.extend(compiled.program_fd());
    fds.extend(contract.iter().map(|terms| terms.text.as_fd()));
    let mut worker = Worker::start(
        &request.worker_exe,
        request.require_isolation,
        &task,
        &fds,
        deadline_ms,
        &request.stop,
    )?;
    match worker.hear()? {
        News::Inspected(interface) => Ok(Inspection {
            schema: INSPECTION_SCHEMA,
            path: request.component.to_string_lossy().into_owned(),
            bytes: component.bytes(),
            sha256: component.sha256(),
            signature: None,
            imports: interface.imports,
            exports: interface.exports,
            contract: interface.contract,
            misfit: interface.misfit,
            description: interface.description,
            columns: interface.columns,
            limits: request.limits.clone(),
        }),
        News::Failed { fault, .. } => Err(fault),
        other => Err(worker.misspoke(&other)),
    }
}

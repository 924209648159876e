//! What a run has staged, loaded into a database by a process of its own. It alone opens the database; the supervisor, who
//! starts it and may kill it, sees a path and a few words.
//!
//! A database that is not there yet is made out of sight and moved to its place when it is whole. One that is there is changed
//! in a single transaction. So whoever dies when, there is the database as it was, or all of the run in it.

mod columns;
mod database;
mod fault;
mod process;
mod staged;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use casparian_core::fault::{Blamed as _, FaultReport};
use casparian_core::id::{Digest, TableName};
use serde::{Deserialize, Serialize};

use self::fault::LoadFault;
pub use self::process::main;
use crate::link::{Link, Received};
use crate::report::{ComponentReport, ContractReport};
use crate::request::RunRequest;
use crate::staging::{Place, Staging};

/// How long a loader waits for others who use the database.
const BUSY_MS: u64 = 10_000;
/// How often somebody's wish to stop is looked at.
const STOP_EVERY: Duration = Duration::from_millis(50);
/// The table of what is in quarantine. No table of a parser can have this name.
pub const QUARANTINE_TABLE: &str = "_quarantine";
/// The column of every table that says which run a row is of.
pub const RUN_COLUMN: &str = "_cf_run";

/// What became of a run in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    /// The database's path, as it was given.
    pub database: String,
    /// The run's `id` in `_cf_runs`, and `_cf_run` of its rows.
    pub run: i64,
    /// Whether these rows were loaded now; else a run with the same claim was in it already, and nothing was changed.
    pub is_new: bool,
    /// Rows of the run by table, `_quarantine` included.
    pub rows: BTreeMap<String, u64>,
}

/// What a supervisor asks of a loader. The folder of staged files comes with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The bytes of the database's path. There is such a file, perhaps an empty one.
    pub(crate) database: Vec<u8>,
    /// How long to wait for others who use it.
    pub(crate) busy_ms: u64,
    pub(crate) run: Run,
}

/// A run as its supervisor knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) claim_sha256: Digest,
    pub(crate) parser: Named,
    pub(crate) contract: Option<Named>,
    /// The one input; of many, their receipts are among the files.
    pub(crate) input: Option<Input>,
    /// Rows that each table has.
    pub(crate) tables: Vec<(TableName, u64)>,
    /// Rows in quarantine.
    pub(crate) quarantine: u64,
}

/// Something that a run was done with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) sha256: Option<Digest>,
}

/// An input, as `_cf_inputs` has it and as the receipts of a dataset have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) input: String,
    pub(crate) sha256: Option<Digest>,
    pub(crate) bytes: u64,
    pub(crate) status: String,
    pub(crate) claim_sha256: Option<Digest>,
}

impl From<&ComponentReport> for Named {
    fn from(component: &ComponentReport) -> Self {
        let version = component.version.as_ref().map(|version| version.raw().to_owned());
        Self { name: component.name.raw().to_owned(), version, sha256: component.sha256 }
    }
}

impl From<&ContractReport> for Named {
    fn from(contract: &ContractReport) -> Self {
        let version = Some(contract.version.clone());
        Self { name: contract.id.clone(), version, sha256: Some(contract.hash) }
    }
}

/// The last word of a loader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum News {
    /// All of it is in the database, safe on disk.
    Loaded(Loaded),
    /// The database is as it was.
    Failed(FaultReport),
}

/// What a loader has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) run: i64,
    pub(crate) is_new: bool,
}

/// Loads what is staged into the database that the output is to be. `input_bytes` set the deadline.
pub(crate) fn load(
    request: &RunRequest,
    staging: &Staging,
    run: Run,
    input_bytes: u64,
) -> Result<LoadReport, FaultReport> {
    let loaded = place_all(request, staging, &run, input_bytes)?;
    staging.take_stale_hold();
    let tables = run.tables.iter().map(|(table, rows)| (table.to_string(), *rows));
    Ok(LoadReport {
        database: staging.out().to_string_lossy().into_owned(),
        run: loaded.run,
        is_new: loaded.is_new,
        rows: tables.chain([(QUARANTINE_TABLE.to_owned(), run.quarantine)]).collect(),
    })
}

fn place_all(
    request: &RunRequest,
    staging: &Staging,
    run: &Run,
    input_bytes: u64,
) -> Result<Loaded, FaultReport> {
    let have_loaded = |database: &Path| {
        let database = database.as_os_str().as_bytes().to_vec();
        let order = Order { database, busy_ms: BUSY_MS, run: run.clone() };
        let deadline_ms = request.limits.deadline_ms(input_bytes);
        let loader = Loader::start(&request.worker_exe, &order, staging.folder());
        let loaded = loader.and_then(|mut loader| loader.hear_out(request, deadline_ms));
        loaded.map_err(|fault| fault.report())?
    };
    if let Place::New(database) = staging.database().map_err(|fault| fault.report())? {
        let loaded = have_loaded(&database)?;
        if staging.put_database().map_err(|fault| fault.report())? {
            return Ok(loaded);
        }
        // Somebody has made it meanwhile.
    }
    have_loaded(&staging.database_there().map_err(|fault| fault.report())?)
}

/// A running loader. Dropping it kills it.
struct Loader {
    child: Child,
    link: Link,
    begun: Instant,
}

impl Loader {
    fn start(exe: &Path, order: &Order, staged: BorrowedFd<'_>) -> Result<Self, LoadFault> {
        let started = || -> io::Result<Self> {
            let (link, theirs) = Link::pair()?;
            let mut command = Command::new(exe);
            // In a group of its own, so that Ctrl-C reaches the supervisor alone.
            command.arg("loader").env_clear().current_dir("/").process_group(0);
            command.stdin(Stdio::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
            Ok(Self { child: command.spawn()?, link, begun: Instant::now() })
        };
        let loader = started().map_err(|error| LoadFault::Start { exe: exe.display().to_string(), error })?;
        loader.link.send(order, &[staged]).map_err(|error| LoadFault::Link(error.to_string()))?;
        Ok(loader)
    }

    /// Waits for its last word, until the deadline or somebody's wish to stop.
    fn hear_out(
        &mut self,
        request: &RunRequest,
        deadline_ms: u64,
    ) -> Result<Result<Loaded, FaultReport>, LoadFault> {
        let deadline = self.begun + Duration::from_millis(deadline_ms);
        loop {
            if request.stop.load(Ordering::Relaxed) {
                return Err(LoadFault::Interrupted);
            }
            if Instant::now() >= deadline {
                return Err(LoadFault::Deadline { limit_ms: deadline_ms });
            }
            let until = deadline.min(Instant::now() + STOP_EVERY);
            match self.link.receive_until(until).map_err(|error| LoadFault::Link(error.to_string()))? {
                Received::Message(News::Loaded(loaded), _) => return Ok(Ok(loaded)),
                Received::Message(News::Failed(fault), _) => return Ok(Err(fault)),
                Received::Closed => return Err(self.died()),
                Received::Nothing => {}
            }
        }
    }

    fn died(&mut self) -> LoadFault {
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => LoadFault::Died(status.to_string()),
            Err(error) => LoadFault::Died(format!("nobody knows how: {error}")),
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is what we want of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a path from its bytes.
fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Says that a run came to a good end without a claim, which names it in the database.
pub(crate) fn unclaimed() -> FaultReport {
    LoadFault::Link("nothing was claimed".to_owned()).report()
}

//! One run from the outside: what was asked for, what came of it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use casparian_core::description::Description;
use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::flow::TableTally;
use casparian_core::id::{Digest, TableName};
use casparian_core::receipt::{CodeCache, Unpacked};
pub use casparian_sandbox::journal::Level as LogLevel;

use crate::columns::{Column, SchemaRule};
use crate::component::{Compiled, Component, Workshop};
use crate::input::{Named, Settled};
use crate::input_digest::Hashing;
use crate::loader;
use crate::orders::{Answer, Done, FileFor, News, Order, Task};
use crate::packing::{self, Compression, Wish};
use crate::program::Program;
use crate::receipt::Witness;
pub use crate::report::ContractOrigin;
use crate::report::{Accounting, ContractReport, Preview, QuarantineReport, Report, Status, TableReport};
pub use crate::request::{ContractChoice, Progress, RunRequest, TableChoice};
use crate::scratch;
use crate::sinks::Format;
use crate::source::Source;
use crate::staging::{Extent, QUARANTINE_FILE, RECEIPT_FILE, Staging, about};
use crate::supervisor::{SupervisorFault, Worker};
use crate::terms::Terms;

/// Most scratch files that a run may ask for, one for each key of its contract that outgrows memory.
pub(crate) const SCRATCH_FILES_MAX: u64 = 64;

/// Runs one input through one parser. Never half-publishes; what went wrong is in the report.
pub fn run(request: &RunRequest, progress: &mut dyn FnMut(Progress)) -> Report {
    let begun = Instant::now();
    let mut report = Report::begin(&request.component, &request.input);
    if let Err(fault) = attempt(request, &mut report, progress) {
        report.fail(fault);
    }
    report.wall_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

/// The run itself: open everything, have it done, look at the verdict, publish.
fn attempt(
    request: &RunRequest,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FaultReport> {
    let mut witness = Witness::new();
    let component = Component::open_parser(&request.component, &request.python_runtime)?;
    report.component.sha256 = Some(component.sha256());
    let named = Named::open(request)?;
    named.describe(&request.called(), &mut report.input);
    // Refused now rather than after an hour's work.
    let staging = stage(request)?;
    let workshop = Workshop {
        limits: &request.limits,
        cache_dir: &request.cache_dir,
        worker_exe: &request.worker_exe,
        required: request.require_isolation,
        stop: &request.stop,
    };
    let compiled = component.compiled(&workshop, &mut |bytes, is_runtime| {
        witness.code_cache = CodeCache::Cold;
        progress(Progress::Compiling { bytes, is_runtime });
    })?;
    report.warnings.extend(compiled.warning.clone());
    let terms = Terms::find(&request.contract, &component)?;
    let Settled { source, member, sha256 } = named.settle(request)?;
    report.input.bytes = source.size();

    let wish = Wish { compression: request.compression, member, name: source.name().to_owned() };
    let task = Task::Run(Box::new(order(request, &component, wish, terms.as_ref(), sha256)));
    let deadline_ms = request.limits.deadline_ms(component.bytes() + source.size());
    let fds = descriptors(&component, &compiled, Some(&source), terms.as_ref());
    let shelf = &mut Outputs { request, staging: staging.as_ref(), files: 0 };
    thread::scope(|scope| {
        // The worker is started first: it has more to do.
        let worker = Worker::start(
            &request.worker_exe,
            request.require_isolation,
            &task,
            &fds,
            deadline_ms,
            &request.stop,
        );
        let hashing = sha256.map_or_else(|| Hashing::begin(scope, &source, &request.stop), Hashing::Done);
        let supervision = Supervision {
            request,
            report,
            progress,
            shelf,
            witness: &mut witness,
            hashing,
            component_bytes: component.bytes(),
            spool: None,
            known: None,
            is_introduced: false,
        };
        supervision.see_through(worker)
    })?;
    source.check_unchanged().map_err(|fault| fault.report())?;
    report.claim_sha256 = witness.claim_hash()?;
    report.claim = witness.claim().cloned();
    conclude(request, report, staging, &witness)
}

/// Begins the output, if there is to be one.
fn stage(request: &RunRequest) -> Result<Option<Staging>, FaultReport> {
    let begin = |out: &PathBuf| Staging::create(out, request.extent, request.replace);
    request.out.as_ref().map(begin).transpose().map_err(|fault| fault.report())
}

/// Returns what a worker is given in hand: code, the input where there is one, program and contract.
pub(crate) fn descriptors<'a>(
    component: &'a Component,
    compiled: &'a Compiled,
    source: Option<&'a Source>,
    terms: Option<&'a Terms>,
) -> Vec<BorrowedFd<'a>> {
    let mut fds = vec![compiled.fd()];
    fds.extend(source.map(Source::fd));
    fds.extend(component.program().map(Program::fd));
    fds.extend(compiled.program_fd());
    fds.extend(terms.map(|terms| terms.text.as_fd()));
    fds
}

/// Returns what a worker is to do with an input of this name.
pub(crate) fn order(
    request: &RunRequest,
    component: &Component,
    wish: Wish,
    terms: Option<&Terms>,
    input_sha256: Option<Digest>,
) -> Order {
    Order {
        limits: request.limits.clone(),
        input_name: request.called(),
        input_sha256,
        wish,
        component_sha256: component.sha256(),
        has_program: component.program().is_some(),
        contract: terms.map(|terms| terms.origin),
        tables: request.tables.clone(),
        options: request.options.clone(),
        format: request.format,
        schema: SchemaRule::Same,
        one_table: request.out.is_some() && request.extent == Extent::File,
        preview_rows: request.out.is_none().then_some(request.preview_rows),
        log_level: request.log_level,
        read_sizes: request.read_sizes,
        on_trap: request.on_trap,
        range_bytes: request.range_bytes,
        threads: request.threads.max(1),
    }
}

/// Where a worker's files come from.
pub(crate) trait Shelf {
    /// Makes a file. `None` where none is due: the worker is not to be listened to.
    fn file(&mut self, what: &FileFor) -> Option<Result<File, String>>;

    /// Returns where the output goes: scratch files are made beside it.
    fn out(&self) -> Option<&Path>;

    /// Hears columns of a table of a dataset, and behind the last of them answers: why they do not fit in, if they do not. `None`
    /// where none are due.
    fn columns(&mut self, _: TableName, _: Vec<Column>, _is_last: bool) -> Option<Option<Answer>> {
        None
    }

    /// Hears what a worker tells of the parts of a dataset. Gives back what is not due.
    fn part_news(&mut self, news: News) -> Result<(), News> {
        Err(news)
    }
}

/// The output of one run.
struct Outputs<'a> {
    request: &'a RunRequest,
    staging: Option<&'a Staging>,
    /// Files that the worker has asked for.
    files: u64,
}

impl Shelf for Outputs<'_> {
    /// A file's name is ours or a [`TableName`], so it stays inside the staging folder. There is one for each table that may be
    /// opened, and one for the quarantine.
    fn file(&mut self, what: &FileFor) -> Option<Result<File, String>> {
        if self.files > self.request.limits.tables_max.saturating_add(SCRATCH_FILES_MAX) {
            return None;
        }
        self.files += 1;
        let name = match what {
            FileFor::Scratch => return Some(scratch_file(self.out())),
            FileFor::Spool => return None,
            FileFor::Table(table) => table_file(table, self.request.format),
            FileFor::Quarantine => QUARANTINE_FILE.to_owned(),
        };
        Some(self.staging?.create_file(&name).map_err(|fault| fault.to_string()))
    }

    fn out(&self) -> Option<&Path> {
        self.request.out.as_deref()
    }
}

/// Makes a scratch file beside an output.
pub(crate) fn scratch_file(out: Option<&Path>) -> Result<File, String> {
    scratch::beside(out).map_err(|error| format!("a scratch file: {error}"))
}

/// One run as its supervisor sees it.
pub(crate) struct Supervision<'a> {
    pub(crate) request: &'a RunRequest,
    pub(crate) report: &'a mut Report,
    pub(crate) progress: &'a mut dyn FnMut(Progress),
    pub(crate) shelf: &'a mut dyn Shelf,
    pub(crate) witness: &'a mut Witness,
    /// Of the input.
    pub(crate) hashing: Hashing<'a>,
    /// Of the parser: the deadline follows from it, and from the input.
    pub(crate) component_bytes: u64,
    /// The file that the worker unpacks the input into.
    pub(crate) spool: Option<File>,
    /// What is known of the parser.
    pub(crate) known: Option<Known>,
    pub(crate) is_introduced: bool,
}

/// What a parser says that it is, and the contract that its rows are judged by.
pub(crate) type Known = (Box<Description>, Option<ContractReport>);

/// How a run ended, when it did not end well.
pub(crate) enum Ending {
    /// Its worker says so, and is there for more.
    Told(FaultReport),
    /// Its worker says so, and is there for no other input.
    Spent(FaultReport),
    /// Its worker did not come to an end of its own, or is not to be listened to.
    Broken(FaultReport),
}

impl Ending {
    pub(crate) fn into_fault(self) -> FaultReport {
        match self {
            Self::Told(fault) | Self::Spent(fault) | Self::Broken(fault) => fault,
        }
    }
}

impl From<SupervisorFault> for Ending {
    fn from(fault: SupervisorFault) -> Self {
        Self::Broken(fault.into())
    }
}

impl Supervision<'_> {
    /// Listens to a worker until its run has ended and the input is hashed. What is wrong with the input counts before what a
    /// parser made of it.
    fn see_through(mut self, worker: Result<Worker, SupervisorFault>) -> Result<(), FaultReport> {
        let ended = worker.map_err(Ending::from).and_then(|mut worker| self.hear_out(&mut worker));
        self.hash()?;
        ended.map_err(Ending::into_fault)
    }

    /// Listens to a worker until its run has ended.
    pub(crate) fn hear_out(&mut self, worker: &mut Worker) -> Result<(), Ending> {
        let mut may_unpack = true;
        let mut buried = 0;
        loop {
            let news = worker.hear();
            self.report.confine(worker.confinement());
            let news = news?;
            // The last word on a part comes behind the end of the input that completed it: at the beginning of the next.
            let is_early = may_unpack;
            may_unpack = is_early && matches!(news, News::PartEnded(_));
            match news {
                // An input is unpacked before anything is done with it: later the wish is one for more time.
                late @ News::File(FileFor::Spool) if !is_early => {
                    return Err(Ending::Broken(worker.misspoke(&late)));
                }
                News::WantsDigest => self.tell_digest(worker)?,
                News::Done(done) => {
                    self.introduce();
                    self.hash().map_err(Ending::Broken)?;
                    self.done(*done);
                    return Ok(());
                }
                News::Failed { fault, used, leaves_guests } => {
                    self.introduce();
                    self.report.use_up(used);
                    return Err(if leaves_guests { Ending::Spent(fault) } else { Ending::Told(fault) });
                }
                News::Unpacked(unpacked) => self.unpacked(worker, unpacked)?,
                News::File(what) => {
                    if what == FileFor::Spool {
                        // As long as nobody knows how much it holds, it may hold as much as it may.
                        let most = self.request.limits.input.unpacked_bytes(self.report.input.bytes);
                        worker.unpacks(self.deadline_ms(most));
                    }
                    self.hand_over(worker, what)?;
                }
                News::Preview(preview) => self.keep_preview(preview),
                News::Columns { table, columns, is_last } => {
                    self.hear_columns(worker, table, columns, is_last)?;
                }
                News::Described { description, contract } => {
                    self.known = Some((description, contract));
                    self.introduce();
                }
                News::Log(line) => {
                    self.witness.log(&line);
                    (self.progress)(Progress::Log { level: line.level, line: line.text });
                }
                News::Buried if buried < self.request.limits.killers_max => {
                    buried += 1;
                    worker.prolong(self.request.limits.deadline_per_killer_ms());
                }
                News::Progress { bytes, accepted, quarantined } => {
                    (self.progress)(Progress::Committed { bytes, accepted, quarantined });
                }
                other => {
                    let heard = self.shelf.part_news(other);
                    heard.map_err(|other| Ending::Broken(worker.misspoke(&other)))?;
                }
            }
        }
    }

    /// Waits for the digest of the input, and writes it down.
    fn hash(&mut self) -> Result<Digest, FaultReport> {
        let sha256 = self.hashing.finish()?;
        self.report.input.sha256 = Some(sha256);
        Ok(sha256)
    }

    /// Tells a worker the digest of the input. The time that it waits for it is not its own.
    fn tell_digest(&mut self, worker: &mut Worker) -> Result<(), Ending> {
        let asked = Instant::now();
        let sha256 = self.hash().map_err(Ending::Broken)?;
        worker.prolong(u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX));
        Ok(worker.answer(&sha256, &[])?)
    }

    fn hand_over(&mut self, worker: &Worker, what: FileFor) -> Result<(), Ending> {
        let file = match what {
            FileFor::Spool if self.spool.is_some() => None,
            FileFor::Spool => Some(self.keep_spool().map_err(|error| format!("a spool: {error}"))),
            _ => self.shelf.file(&what),
        };
        match file {
            Some(Ok(file)) => Ok(worker.answer(&Answer { error: None }, &[file.as_fd()])?),
            Some(Err(error)) => Ok(worker.answer(&Answer { error: Some(error) }, &[])?),
            None => Err(Ending::Broken(worker.misspoke(&News::File(what)))),
        }
    }

    fn hear_columns(
        &mut self,
        worker: &Worker,
        table: TableName,
        columns: Vec<Column>,
        is_last: bool,
    ) -> Result<(), Ending> {
        match self.shelf.columns(table.clone(), columns, is_last) {
            Some(Some(answer)) => Ok(worker.answer(&answer, &[])?),
            Some(None) => Ok(()),
            None => {
                let odd = News::Columns { table, columns: Vec::new(), is_last };
                Err(Ending::Broken(worker.misspoke(&odd)))
            }
        }
    }

    /// Makes a scratch file to unpack into, and keeps an eye on it.
    fn keep_spool(&mut self) -> io::Result<File> {
        let spool = scratch::beside(self.shelf.out())?;
        self.spool = Some(spool.try_clone()?);
        Ok(spool)
    }

    /// Returns the deadline of a run that has so much to unpack.
    fn deadline_ms(&self, unpacked_bytes: u64) -> u64 {
        let as_it_stands = self.component_bytes.saturating_add(self.report.input.bytes);
        self.request.limits.deadline_ms(as_it_stands.saturating_add(unpacked_bytes))
    }

    /// Hears what a packed input holds, as far as that can be: it is as long as what is in the spool, and said once.
    fn unpacked(&mut self, worker: &mut Worker, unpacked: Unpacked) -> Result<(), Ending> {
        let kept = self.spool.as_ref().and_then(|spool| spool.metadata().ok()).map(|found| found.len());
        if kept != Some(unpacked.bytes) || self.report.input.unpacked.is_some() {
            return Err(Ending::Broken(worker.misspoke(&News::Unpacked(unpacked))));
        }
        worker.has_unpacked(self.deadline_ms(unpacked.bytes));
        self.report.input.unpacked = Some(unpacked);
        Ok(())
    }

    /// Writes down who the parser is, once that is known. Of many inputs only the first hears it said.
    fn introduce(&mut self) {
        let Some((description, contract)) = self.known.as_ref().filter(|_| !self.is_introduced) else {
            return;
        };
        self.is_introduced = true;
        self.report.contract.clone_from(contract);
        self.report.warnings.extend(misnamed(self.request, self.report));
        let (name, version) = (description.name.clone(), description.version.clone());
        self.report.component.name = name.clone();
        self.report.component.version = Some(version.clone());
        (self.progress)(Progress::Started { name, version, input_bytes: self.report.input.read_bytes() });
    }

    /// Adds the rows of one message. A worker that sends more than was asked for is not listened to.
    fn keep_preview(&mut self, part: Preview) {
        let rows_max = self.request.preview_rows;
        let previews = &mut self.report.previews;
        match previews.iter().position(|preview| preview.table == part.table) {
            Some(at) => previews[at].rows.extend(part.rows),
            None if previews.len() as u64 >= self.request.limits.tables_max => return,
            None => previews.push(part),
        }
        previews.iter_mut().for_each(|preview| preview.rows.truncate(rows_max));
    }

    fn done(&mut self, done: Done) {
        let request = self.request;
        let out = request.out.as_deref();
        let Done { has_quarantine, tally, account, ranges, threads, toll, used } = done;
        if let Some((description, _)) = &self.known {
            self.witness.introduce(self.request, self.report, description);
        }
        self.witness.count(&tally, &account, ranges, threads);
        self.report.use_up(used);
        self.report.traps = toll;
        self.report.records = tally.records;
        self.report.rule_warnings = tally.warnings.clone();
        self.report.held = tally.held.clone();
        let wanted = tally.tables.iter().filter(|table| table.wanted);
        self.report.tables = wanted.map(|table| table_report(table, request)).collect();
        self.report.quarantine = QuarantineReport {
            rows: tally.quarantine.rows,
            path: out
                .filter(|_| has_quarantine)
                .map(|out| quarantine_place(out, request.extent).to_string_lossy().into_owned()),
            by_code: tally.quarantine.by_code.clone(),
            by_rule: tally.quarantine.by_rule.clone(),
        };
        self.report.accounting = Accounting::new(&tally, account);
    }
}

/// Returns a warning about an input whose name says that it is packed and whose bytes do not.
fn misnamed(request: &RunRequest, report: &Report) -> Option<FaultReport> {
    let is_asked = request.compression == Compression::Auto && report.input.unpacked.is_none();
    let packing = packing::broken_promise(&request.called()).filter(|_| is_asked)?;
    Some(FaultReport {
        blame: Blame::Input,
        code: "packing-misnamed".to_owned(),
        message: format!(
            "it is called like a {packing} file and does not begin like one: it was read as it is"
        ),
        hint: None,
        at: None,
    })
}

/// Returns where a quarantine goes: a file, or a table of the database.
fn quarantine_place(out: &Path, extent: Extent) -> PathBuf {
    match extent {
        Extent::Database => out.to_owned(),
        Extent::Folder | Extent::File => about(out, extent).join(QUARANTINE_FILE),
    }
}

pub(crate) fn table_file(table: &TableName, format: Format) -> String {
    format!("{table}.{}", format.extension())
}

fn table_report(table: &TableTally, request: &RunRequest) -> TableReport {
    let path = request.out.as_ref().map(|out| match request.extent {
        Extent::Folder => out.join(table_file(&table.name, request.format)),
        Extent::File | Extent::Database => out.clone(),
    });
    TableReport {
        name: table.name.clone(),
        accepted: table.accepted,
        quarantined: table.quarantined,
        path: path.map(|path| path.to_string_lossy().into_owned()),
    }
}

/// Looks at the verdict, then publishes all of it in one step, or none.
fn conclude(
    request: &RunRequest,
    report: &mut Report,
    staging: Option<Staging>,
    witness: &Witness,
) -> Result<(), FaultReport> {
    let held = judge(request, report);
    if held {
        report.tables.iter_mut().for_each(|table| table.path = None);
    }
    let Some(staging) = staging else { return Ok(()) };
    witness.write(request, report, &staging, held)?;
    match request.extent {
        _ if held => hold(report, staging),
        Extent::Database => load(request, report, &staging),
        Extent::Folder | Extent::File => publish(request, report, staging),
    }
}

/// Has what is staged loaded. What a run claims names it in the database.
fn load(request: &RunRequest, report: &mut Report, staging: &Staging) -> Result<(), FaultReport> {
    let claim_sha256 = report.claim_sha256.ok_or_else(loader::unclaimed)?;
    let run = loader::Run {
        claim_sha256,
        parser: (&report.component).into(),
        contract: report.contract.as_ref().map(Into::into),
        input: Some(loader::Input {
            input: report.input.path.clone(),
            sha256: report.input.sha256,
            bytes: report.input.bytes,
            status: report.status.snake().to_owned(),
            claim_sha256: Some(claim_sha256),
        }),
        tables: report.tables.iter().map(|table| (table.name.clone(), table.accepted)).collect(),
        quarantine: report.quarantine.rows,
    };
    report.load = Some(loader::load(request, staging, run, report.input.read_bytes())?);
    Ok(())
}

/// Says what a run came to. Returns whether its output is held.
pub(crate) fn judge(request: &RunRequest, report: &mut Report) -> bool {
    let clean = report.quarantine.rows == 0;
    let held = (request.strict && !clean) || !report.held.is_empty();
    report.status = match (held, clean) {
        (true, _) => Status::Held,
        (false, true) => Status::Completed,
        (false, false) => Status::CompletedWithQuarantine,
    };
    report.exit = report.status.exit_code();
    held
}

fn publish(request: &RunRequest, report: &mut Report, staging: Staging) -> Result<(), FaultReport> {
    staging.publish().map_err(|fault| fault.report())?;
    let place = request.out.as_deref().map(|out| about(out, request.extent).join(RECEIPT_FILE));
    report.receipt = place.map(|place| place.to_string_lossy().into_owned());
    Ok(())
}

/// Leaves the receipt, and the quarantine if there is one, where an output is that was not published.
fn hold(report: &mut Report, staging: Staging) -> Result<(), FaultReport> {
    let quarantine = report.quarantine.path.take().map(|_| QUARANTINE_FILE);
    let files: Vec<&str> = quarantine.into_iter().chain([RECEIPT_FILE]).collect();
    let place = staging.hold(&files).map_err(|fault| fault.report())?;
    let path_of = |file: &str| place.join(file).to_string_lossy().into_owned();
    report.quarantine.path = quarantine.map(path_of);
    report.receipt = Some(path_of(RECEIPT_FILE));
    Ok(())
}

//! The process that does a run, or many of one parser. It is handed descriptors over a socket and reports over it: it opens no
//! file, sees no path, and is gone after one task. Before it looks at anything that a stranger made, it is locked in (`lock_in`).
//!
//! Guests run on threads of their own, where their bytes are guarded too; on this one rows are judged and written. They meet at a
//! board with bounded room (`lanes`, `board`), so parsing overlaps with judging and memory follows the batches. Where there are
//! cores for it, there is more than one thread for guests, and others encode what is written, column by column.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use casparian_core::contract::Contract;
use casparian_core::description::Description;
use casparian_core::fault::{Blame, Blamed, FaultReport};
use casparian_core::flow::{Flow, ProvideScratch};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};
use casparian_core::limits::Limits;
use casparian_core::receipt::Unpacked;
use casparian_core::wanted::Wanted;
use casparian_jail::Isolation;
use casparian_sandbox::drive::Stopped;
use casparian_sandbox::journal::Level;
use casparian_sandbox::precheck::Checked;
use casparian_sandbox::session::{Ended, Session};
use casparian_sandbox::{Blob, CompileFault, Loaded, Sandbox, SessionFault, Setup, precheck};

use crate::component::CODE_BYTES_MAX;
use crate::input_digest::InputDigest;
use crate::interface::Interface;
use crate::link::{Link, LinkFault, MESSAGE_BYTES_MAX, Received};
use crate::orders::{Answer, Done, FileFor, News, Order, Task};
use crate::packing::{self, UnpackFault};
use crate::program;
use crate::quarantine::{self, Circumstances, Quarantine};
use crate::report::{ContractOrigin, ContractReport, Preview, Used};
use crate::request::TableChoice;
use crate::scratch::ScratchFile;
use crate::sinks::parts::Shared;
use crate::sinks::{Encoders, Provenance, Tables};
use crate::source::{Source, SourceFault};
use crate::terms;

mod board;
mod guest_thread;
mod lanes;
mod lock_in;
mod many;
mod widen;

use guest_thread::GuestThreads;
use lanes::{Guests, Parsed};
use lock_in::{Cell, RUN_FILE_BYTES};

/// Most guests that parse one input at a time. Their memory is bounded each by itself.
const LANES_MAX: usize = 16;

/// Does the one task that arrives on standard input, which is a socket, if this machine isolates it as is required.
pub fn main(required: Isolation) -> ExitCode {
    // SAFETY: this is the first thing that a worker does; it has opened nothing, and has no thread that might.
    #[expect(unsafe_code, reason = "what a careless parent left open is closed; nobody here owns it")]
    let closed = unsafe { casparian_jail::close_inherited() };
    let link = match rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) {
        Ok(fd) => Link::from_fd(fd),
        Err(_) => return ExitCode::from(70),
    };
    if let Ok(link) = link.share() {
        std::panic::set_hook(Box::new(move |panic| tell_of_panic(&link, panic)));
    }
    let result = match link.receive::<Task>() {
        Ok(Received::Message(task, fds)) => work(&link, Cell::new(&link, required, closed), task, fds),
        // Nobody has anything to do for us, or nobody is there.
        Ok(Received::Closed | Received::Nothing) => return ExitCode::from(70),
        Err(fault) => Err(broken(&fault).into()),
    };
    let news = result.unwrap_or_else(Failed::news);
    let told = match link.send(&news, &[]) {
        Err(fault @ LinkFault::TooLarge { .. }) => {
            link.send(&Failed::from(too_much_said(&fault)).news(), &[])
        }
        told => told,
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(70),
    }
}

/// Says that we have panicked, and where: our bug, and the end of the run.
fn tell_of_panic(link: &Link, panic: &std::panic::PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or_default();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let fault = internal(GuestText::new(&format!("the host panicked at {place}: {words}"), 1024).to_string());
    // Nobody is left to tell if this fails.
    let _ = link.send(&Failed::from(fault).news(), &[]);
}

/// A task that failed, with what it had used.
struct Failed {
    fault: FaultReport,
    used: Used,
    /// Guests may still be at work, whose words nobody hears any more.
    leaves_guests: bool,
}

impl Failed {
    fn news(self) -> News {
        News::Failed { fault: self.fault, used: self.used, leaves_guests: self.leaves_guests }
    }
}

impl From<FaultReport> for Failed {
    fn from(fault: FaultReport) -> Self {
        Self { fault, used: Used::default(), leaves_guests: false }
    }
}

fn failed(fault: impl Blamed) -> Failed {
    fault.report().into()
}

fn ended(ended: Ended) -> Failed {
    stopped(ended.into())
}

fn stopped(stopped: Stopped) -> Failed {
    let of_source = match &stopped.fault {
        // A file that was cut short while it was read is not the machine's fault.
        SessionFault::Input { error, .. } => SourceFault::within(error).map(Blamed::report),
        _ => None,
    };
    let fault = of_source.unwrap_or_else(|| stopped.report());
    Failed { used: stopped.usage.into(), ..fault.into() }
}

fn internal(message: String) -> FaultReport {
    FaultReport { blame: Blame::Host, code: "internal".to_owned(), message, hint: None, at: None }
}

fn broken(fault: &LinkFault) -> FaultReport {
    internal(format!("the socket between supervisor and worker: {fault}"))
}

fn work(link: &Link, cell: Cell<'_>, task: Task, fds: Vec<OwnedFd>) -> Result<News, Failed> {
    let mut fds = fds.into_iter();
    let mut next =
        || fds.next().map(File::from).ok_or_else(|| internal("a descriptor is missing".to_owned()));
    match task {
        Task::Compile { limits, is_runtime, component_bytes } => {
            let sandbox = cell.around_compilers(&limits)?;
            let component = read_component(&next()?, component_bytes)?;
            compile(&sandbox, is_runtime, &component, next()?)
        }
        Task::Prepare { limits } => {
            let (loaded, guest_threads, _) = cell.around_guests(&limits, &next()?, CODE_BYTES_MAX, 1)?;
            prepare(limits, (loaded, guest_threads), next()?, next()?)
        }
        Task::Inspect { limits, component_bytes, has_program, has_contract } => {
            let component = next()?;
            let (loaded, guest_threads, _) = cell.around_guests(&limits, &next()?, 0, 1)?;
            let component = read_component(&component, component_bytes)?;
            let program = if has_program { Some(program::receive(next()?, Some(next()?))?) } else { None };
            let contract = if has_contract { Some(next()?) } else { None };
            inspect(limits, (loaded, guest_threads), &component, program, contract)
        }
        Task::Run(order) => {
            let guests = cell.around_guests(&order.limits, &next()?, RUN_FILE_BYTES, order.threads)?;
            let input = next()?;
            let bench = Bench::set_up(&order, guests, next)?;
            run(link, &order, &bench, input, None).map(|done| News::Done(Box::new(done)))
        }
        Task::RunMany(order) => {
            let guests = cell.around_guests(&order.limits, &next()?, RUN_FILE_BYTES, order.threads)?;
            let bench = Bench::set_up(&order, guests, next)?;
            many::serve(link, &order, &bench)
        }
        Task::Widen(widening) => {
            cell.around_no_guest(RUN_FILE_BYTES)?;
            widen::serve(link, *widening)
        }
        Task::LockIn => cell.around_no_guest(0).map(|()| News::LockedIn),
    }
}

/// What every input of a parser is run with. Nothing in it remembers an input.
struct Bench {
    loaded: Arc<Loaded>,
    guest_threads: GuestThreads,
    encoders: Encoders,
    program: Option<Arc<casparian_sandbox::Program>>,
    contract: Option<(Arc<Contract>, ContractReport)>,
    /// What the parser says that it is, once that has been passed on.
    description: Mutex<Option<Arc<Description>>>,
}

impl Bench {
    /// Reads program and contract, where `next` has them.
    fn set_up(
        order: &Order,
        (loaded, guest_threads, encoders): (Loaded, GuestThreads, Encoders),
        mut next: impl FnMut() -> Result<File, FaultReport>,
    ) -> Result<Self, Failed> {
        let program = if order.has_program { Some(program::receive(next()?, Some(next()?))?) } else { None };
        let contract = order.contract.map(|origin| terms::receive(origin, next()?)).transpose()?;
        Ok(Self {
            loaded: Arc::new(loaded),
            guest_threads,
            encoders,
            program: program.map(Arc::new),
            contract: contract.map(|(contract, report)| (Arc::new(contract), report)),
            description: Mutex::default(),
        })
    }

    /// Returns how a guest is opened whose log goes straight to the supervisor.
    fn setup(&self, link: &Link, order: &Order) -> Result<Setup, FaultReport> {
        let link = link.share().map_err(|e| internal(format!("the log's way out: {e}")))?;
        let log = Box::new(move |line| {
            // A supervisor that is gone takes us with it; a line more or less is no matter.
            let _ = link.send(&News::Log(line), &[]);
        });
        Ok(Setup {
            limits: order.limits.clone(),
            attachments: BTreeMap::new(),
            program: self.program.clone(),
            log_level: order.log_level,
            log,
        })
    }

    /// Returns what the parser says that it is. That is a constant, so a guest of its own says it once, whatever the number of
    /// inputs, and it is passed on then.
    fn describe(&self, link: &Link, order: &Order) -> Result<Arc<Description>, Failed> {
        let mut known = self.description.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(description) = &*known {
            return Ok(Arc::clone(description));
        }
        let (loaded, setup) = (Arc::clone(&self.loaded), self.setup(link, order)?);
        let described = self.guest_threads.first().run(move || {
            let (_session, description) = loaded.open(setup)?.describe()?;
            Ok(description)
        })?;
        let description = Arc::new(described.map_err(ended)?);
        let contract = self.contract.as_ref().map(|(_, report)| report.clone());
        let news = News::Described { description: Box::new(Description::clone(&description)), contract };
        link.send(&news, &[]).map_err(|e| too_much_said(&e))?;
        Ok(Arc::clone(known.insert(description)))
    }
}

fn compile(sandbox: &Sandbox, is_runtime: bool, component: &[u8], mut code: File) -> Result<News, Failed> {
    let checked = check(component, is_runtime)?;
    let compiled = sandbox.compile(&checked).map_err(failed)?;
    code.write_all(&compiled).map_err(|e| internal(format!("writing compiled code: {e}")))?;
    Ok(News::Compiled)
}

fn check(component: &[u8], is_runtime: bool) -> Result<Checked<'_>, Failed> {
    let checked = if is_runtime { precheck::check_runtime(component) } else { precheck::check(component) };
    checked.map_err(failed)
}

/// Has a runtime compile a program: a parser that is built into it does, whose plan of nothing has the code as its context.
fn prepare(
    limits: Limits,
    (loaded, guest_threads): (Loaded, GuestThreads),
    bundle: File,
    mut out: File,
) -> Result<News, Failed> {
    let program =
        casparian_sandbox::Program { entry: program::COMPILER.to_owned(), ..program::receive(bundle, None)? };
    let setup = Setup {
        limits,
        attachments: BTreeMap::new(),
        program: Some(Arc::new(program)),
        log_level: Level::Error,
        log: Box::new(|_| {}),
    };
    let compiled = guest_threads.first().run(move || {
        let (session, description) = loaded.open(setup)?.describe()?;
        let session = session.attach(Arc::new(Nothing), &description, Wanted::All, Box::new(|_| Ok(())))?;
        session.plan(&[], u64::MAX)
    })?;
    let (_session, layout) = compiled.map_err(ended)?;
    out.write_all(&layout.context).map_err(|e| internal(format!("writing compiled code: {e}")))?;
    Ok(News::Compiled)
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

    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

/// Reads a component from its beginning: the descriptor is shared with other workers, and so is its position. What is behind
/// its end, a program, is not read: nobody has taken its digest as a part of the component.
fn read_component(component: &File, bytes: u64) -> Result<Vec<u8>, FaultReport> {
    let end = bytes.min(precheck::COMPONENT_BYTES_MAX + 1);
    let mut bytes = Vec::new();
    let mut component = component;
    let read = component.rewind().and_then(|()| component.take(end).read_to_end(&mut bytes));
    let unread = |error| FaultReport {
        code: "component-unreadable".to_owned(),
        ..internal(format!("reading the component: {error}"))
    };
    read.map_err(unread)?;
    Ok(bytes)
}

fn inspect(
    limits: Limits,
    (loaded, guest_threads): (Loaded, GuestThreads),
    component: &[u8],
    program: Option<casparian_sandbox::Program>,
    contract: Option<File>,
) -> Result<News, Failed> {
    let checked = check(component, program.is_some())?;
    let contract = match contract {
        Some(contract) => Some(terms::receive(ContractOrigin::Embedded, contract)?),
        None if program.is_some() => None,
        None => terms::embedded(component)?,
    };
    let setup = Setup {
        limits,
        attachments: BTreeMap::new(),
        program: program.map(Arc::new),
        log_level: Level::Error,
        log: Box::new(|_| {}),
    };
    let described = guest_threads.first().run(move || loaded.open(setup).and_then(Session::describe))?;
    let (_session, description) = described.map_err(ended)?;
    Ok(News::Inspected(Box::new(Interface::new(&checked, contract, description))))
}

/// Maps code where so many guests can run, or as many as there are addresses for; returns how many.
fn load(limits: &Limits, code: &File, guests: usize) -> Result<(Loaded, usize), Failed> {
    let mut guests = u32::try_from(guests).unwrap_or(u32::MAX);
    while guests > 0 {
        if let Ok(loaded) = Sandbox::pooled(limits, guests).and_then(|sandbox| load_into(&sandbox, code)) {
            return Ok((loaded, guests as usize));
        }
        guests /= 2;
    }
    // A pool is for speed. Where there is none to be had, or none that a component fits into, runs go on without, one guest at a
    // time: each reserves its addresses anew, and that one can is no promise that two can.
    let loaded = Sandbox::new(limits).and_then(|sandbox| load_into(&sandbox, code)).map_err(failed)?;
    Ok((loaded, 1))
}

fn load_into(sandbox: &Sandbox, code: &File) -> Result<Loaded, CompileFault> {
    // SAFETY: the supervisor hands over code that it has just had compiled by this program or whose HMAC, under a key that
    // only this user has, it has checked; it is sealed, so nobody can change it.
    #[expect(unsafe_code, reason = "the one place where native code is taken on trust")]
    unsafe {
        sandbox.load(code)
    }
}

/// The input as a guest sees it.
struct Input(Source);

impl Blob for Input {
    fn name(&self) -> &str {
        self.0.base_name()
    }

    fn len(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, bytes)
    }
}

/// Runs one input. Its rows go to files of its own, or join `parts`.
fn run(
    link: &Link,
    order: &Order,
    bench: &Bench,
    input: File,
    parts: Option<&Shared>,
) -> Result<Done, Failed> {
    let limits = &order.limits;
    let (input, unpacked) = unpack(link, order, input)?;
    let source = |fd: OwnedFd| Source::from_fd(fd, order.input_name.clone()).map_err(failed);
    let for_hold = input.try_clone().map_err(|e| internal(format!("a second look at the input: {e}")))?;
    let for_one = input.try_clone().map_err(|e| internal(format!("a third look at the input: {e}")))?;
    let source_of_guest = source(input.into())?.with_read_sizes(order.read_sizes);

    let description = bench.describe(link, order)?;
    let (contract, contract_report) = bench.contract.clone().unzip();

    let wanted = choose(&order.tables, &description)?;
    if order.one_table {
        check_one_table(&wanted)?;
    }
    let options = description.resolve_options(&order.options).map_err(failed)?;
    let input_sha256 = input_digest(link, order)?;
    let circumstances =
        circumstances((order, input_sha256), &description, contract_report, unpacked, &options);
    let source_of_hold = source(for_hold.into())?;
    let files = files_at_most(&wanted, limits);
    let (sinks, hold) = match parts {
        Some(parts) => many::ports(parts, order, circumstances, source_of_hold, files),
        None => ports(link, order, circumstances, source_of_hold, (files, &bench.encoders))?,
    };
    let codes = description.faults.iter().map(|fault| fault.code.clone()).collect();
    let mut flow = Flow::new(sinks, hold, wanted.clone(), codes);
    if let Some(contract) = contract {
        flow = flow.with_contract(contract, scratch_files(link)?);
    }

    let input = Arc::new(Input(source_of_guest));
    let input_bytes = input.len();
    let guests = Guests {
        loaded: Arc::clone(&bench.loaded),
        program: bench.program.clone(),
        limits: limits.clone(),
        log_level: order.log_level,
        description,
        wanted,
        options,
        input,
        input_alone: Arc::new(Input(source(for_one.into())?)),
        range_bytes: order.range_bytes,
        on_trap: order.on_trap,
    };
    let parsed = lanes::parse(link, &bench.guest_threads, guests, bench.setup(link, order)?, flow)?;
    let Parsed { flow, usage, toll, ranges } = parsed;
    let (sinks, hold, tally, account) = flow.finish(input_bytes);
    for preview in sinks.finish(&tally).map_err(failed)?.previews {
        // Of many inputs most have nothing that is new.
        if parts.is_none() || !preview.rows.is_empty() {
            send_preview(link, preview)?;
        }
    }
    let has_quarantine = hold.finish().map_err(failed)?.is_some();
    let threads = (1 + bench.guest_threads.count() + bench.encoders.count()) as u32;
    Ok(Done { has_quarantine, tally, account, ranges, threads, toll, used: usage.into() })
}

/// What every row that leaves has in common.
fn circumstances(
    (order, input_sha256): (&Order, InputDigest),
    description: &Description,
    contract: Option<ContractReport>,
    unpacked: Option<Unpacked>,
    options: &[(String, String)],
) -> Circumstances {
    let as_read = unpacked.as_ref().map_or_else(|| input_sha256.clone(), |unpacked| unpacked.sha256.into());
    let provenance = Provenance {
        parser_name: description.name.clone(),
        parser_version: description.version.clone(),
        parser_sha256: order.component_sha256,
        input_sha256: Some(as_read.clone()),
        packed: unpacked.map(|unpacked| (unpacked.packing, input_sha256)),
        contract,
    };
    Circumstances { provenance, input_sha256: as_read, options_hash: quarantine::options_hash(options) }
}

/// Returns what is to be read: the input, or what it holds if it is packed, in a file without a name.
fn unpack(link: &Link, order: &Order, input: File) -> Result<(File, Option<Unpacked>), Failed> {
    let share = input.try_clone().map_err(|e| internal(format!("a first look at the input: {e}")))?;
    let packed = Source::from_fd(share.into(), order.wish.name.clone()).map_err(failed)?;
    let Some(packing) = packing::packing_of(&packed, &order.wish).map_err(failed)? else {
        return Ok((input, None));
    };
    let spool = ask_for_file(link, FileFor::Spool);
    let spool = spool.map_err(|error| failed(UnpackFault::Unkept { bytes: 0, error }))?;
    let unpacked =
        packing::unpack(&packed, packing, &order.wish, &order.limits.input, &spool).map_err(failed)?;
    link.send(&News::Unpacked(unpacked.clone()), &[]).map_err(|e| broken(&e))?;
    Ok((spool, Some(unpacked)))
}

/// A parser may describe itself, or its tables, at more length than we can pass on.
fn too_much_said(fault: &LinkFault) -> FaultReport {
    match fault {
        LinkFault::TooLarge { .. } => FaultReport {
            blame: Blame::Guest,
            code: "description-too-long".to_owned(),
            message: format!("the parser's description: {fault}"),
            hint: None,
            at: None,
        },
        _ => broken(fault),
    }
}

/// Picks the tables that a run writes. Where a parser's tables follow from the input, all of them are wanted unless somebody
/// names some.
pub(crate) fn choose(choice: &TableChoice, description: &Description) -> Result<Wanted, FaultReport> {
    Ok(Wanted::Only(match choice {
        TableChoice::Named(names) => {
            names.iter().map(|name| named(name, description)).collect::<Result<_, _>>()?
        }
        _ if description.tables.is_empty() => return Ok(Wanted::All),
        TableChoice::Default => description.default_tables().cloned().collect(),
        TableChoice::All => description.tables.iter().map(|table| table.name.clone()).collect(),
    }))
}

/// Refuses to write one file where there may be several tables, or none.
fn check_one_table(wanted: &Wanted) -> Result<(), FaultReport> {
    let found = match wanted {
        Wanted::Only(tables) if tables.len() == 1 => return Ok(()),
        Wanted::Only(tables) if tables.is_empty() => "it has no table on by default".to_owned(),
        Wanted::Only(tables) => {
            let names = tables.iter().map(TableName::as_str).collect::<Vec<_>>().join(", ");
            format!("this run writes {}: {names}", tables.len())
        }
        Wanted::All => "which tables this parser has follows from the input".to_owned(),
    };
    Err(FaultReport {
        blame: Blame::Operator,
        code: "one-file-many-tables".to_owned(),
        message: format!("a file holds one table, and {found}"),
        hint: Some("name one with `--tables`, or a folder with `--out`".to_owned()),
        at: None,
    })
}

/// How many files a run may write at once: they share the memory there is.
fn files_at_most(wanted: &Wanted, limits: &Limits) -> usize {
    match wanted {
        Wanted::All => usize::try_from(limits.tables_max).unwrap_or(usize::MAX),
        Wanted::Only(tables) => tables.len(),
    }
}

fn named(name: &str, description: &Description) -> Result<TableName, FaultReport> {
    let known = || description.tables.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
    match TableName::new(name) {
        Some(table) if description.tables.is_empty() || description.table(name).is_some() => Ok(table),
        _ => Err(FaultReport {
            blame: Blame::Operator,
            code: "unknown-table".to_owned(),
            message: format!("the parser has no table `{name}`; it has: {}", known()),
            hint: Some("`host inspect PARSER` lists its tables".to_owned()),
            at: None,
        }),
    }
}

/// Opens what rows go to. Files are the supervisor's to make: each is asked for when it is needed.
fn ports(
    link: &Link,
    order: &Order,
    circumstances: Circumstances,
    source: Source,
    (files, encoders): (usize, &Encoders),
) -> Result<(Tables, Quarantine), FaultReport> {
    if let Some(rows_max) = order.preview_rows {
        return Ok((Tables::previews(rows_max), Quarantine::Nowhere));
    }
    let share = || link.share().map_err(|e| internal(format!("the rows' way out: {e}")));
    let (tables, hold) = (share()?, share()?);
    let provenance = circumstances.provenance.clone();
    let provide_table =
        Box::new(move |table: &TableName| ask_for_file(&tables, FileFor::Table(table.clone())));
    let provide_hold = Box::new(move || ask_for_file(&hold, FileFor::Quarantine));
    Ok((
        Tables::files(provide_table, order.format, provenance, files, encoders),
        Quarantine::file(provide_hold, Arc::new(source), circumstances, encoders),
    ))
}

/// Asks for a scratch file whenever keys outgrow memory.
fn scratch_files(link: &Link) -> Result<ProvideScratch, FaultReport> {
    let link = link.share().map_err(|e| internal(format!("the keys' way out: {e}")))?;
    Ok(Arc::new(move || match ask_for_file(&link, FileFor::Scratch) {
        Ok(file) => Ok(Box::new(ScratchFile(file))),
        Err(error) => Err(FaultReport {
            blame: Blame::Operator,
            code: "scratch-failed".to_owned(),
            message: format!("unique keys do not fit into memory, and no file can be had for them: {error}"),
            hint: Some("make room where the output goes".to_owned()),
            at: None,
        }),
    }))
}

/// Returns the digest of the input as it stands there. The supervisor may be at it still.
fn input_digest(link: &Link, order: &Order) -> Result<InputDigest, FaultReport> {
    let link = link.share().map_err(|e| internal(format!("the digest's way here: {e}")))?;
    Ok(match order.input_sha256 {
        Some(sha256) => sha256.into(),
        None => InputDigest::asked(move || ask_for_digest(&link)),
    })
}

/// Asks the supervisor for the digest of the input. Only the judge's thread asks, so the next message is the answer.
fn ask_for_digest(link: &Link) -> io::Result<Digest> {
    link.send(&News::WantsDigest, &[]).map_err(io::Error::other)?;
    match link.receive::<Digest>().map_err(io::Error::other)? {
        Received::Message(sha256, _) => Ok(sha256),
        Received::Closed | Received::Nothing => Err(io::Error::other("the supervisor is gone")),
    }
}

/// Asks the supervisor for a file. Only the judge's thread asks, so the next message is the answer.
fn ask_for_file(link: &Link, what: FileFor) -> io::Result<File> {
    link.send(&News::File(what), &[]).map_err(io::Error::other)?;
    match link.receive::<Answer>().map_err(io::Error::other)? {
        Received::Message(Answer { error: None }, fds) => {
            let file = fds.into_iter().next().map(File::from);
            file.ok_or_else(|| io::Error::other("no descriptor came"))
        }
        Received::Message(Answer { error: Some(error) }, _) => Err(io::Error::other(error)),
        Received::Closed | Received::Nothing => Err(io::Error::other("the supervisor is gone")),
    }
}

/// Sends a table's first rows in messages that fit.
fn send_preview(link: &Link, mut preview: Preview) -> Result<(), FaultReport> {
    leave_out_columns(&mut preview);
    let Preview { table, columns, mut rows } = preview;
    loop {
        let rest = rows.split_off(rows.len().min(rows_per_message(columns.len())));
        let part = Preview { table: table.clone(), columns: columns.clone(), rows };
        link.send(&News::Preview(part), &[]).map_err(|e| broken(&e))?;
        if rest.is_empty() {
            return Ok(());
        }
        rows = rest;
    }
}

/// Leaves out the columns of a table so wide that not even one row of it fits into a message, and says how many.
fn leave_out_columns(preview: &mut Preview) {
    let mut names_bytes = 0_usize;
    let fits = |column: &&(GuestText, String)| {
        let bytes = serde_json::to_string(column).map_or(usize::MAX, |text| text.len() + 1);
        names_bytes = names_bytes.saturating_add(bytes);
        names_bytes <= NAMES_BYTES_MAX
    };
    let kept = preview.columns.iter().take(CELLS_PER_MESSAGE - 1).take_while(fits).count();
    let left_out = preview.columns.len() - kept;
    if left_out > 0 {
        preview.columns.truncate(kept);
        preview.columns.push((GuestText::new(&format!("{left_out} more"), 64), "columns".to_owned()));
        for row in &mut preview.rows {
            row.truncate(kept);
            row.push(Some(GuestText::new("…", 64)));
        }
    }
}

/// Half of a message is for cells. A cell is cut at 64 bytes and may be six times as long once JSON has escaped it.
const CELLS_PER_MESSAGE: usize = MESSAGE_BYTES_MAX / 2 / 410;
/// The other half is for the names and types of columns, but for what stands around them.
const NAMES_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2 - 1024;

fn rows_per_message(columns: usize) -> usize {
    (CELLS_PER_MESSAGE / columns.max(1)).max(1)
}

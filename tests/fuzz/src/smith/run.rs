//! A generated parser over its input, as a worker does it: checked, compiled, planned, driven range after range, judged. Only the jail
//! around it is missing.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

use arrow_schema::SchemaRef;
use casparian_core::contract::verdict::{Accepted, Rejected};
use casparian_core::digest::{QuarantineDigest, TableDigest};
use casparian_core::fault::{Blame, Blamed, FaultReport, Span};
use casparian_core::flow::{Flow, Hold, PortFault, Sinks, Tally};
use casparian_core::id::TableName;
use casparian_core::intake::{Said, TableId};
use casparian_core::isolate::OnTrap;
use casparian_core::ledger::Account;
use casparian_core::limits::Limits;
use casparian_core::merge::Merge;
use casparian_core::wanted::Wanted;
use casparian_sandbox::drive::{Apart, Driven, Job, Stopped, drive, drive_apart};
use casparian_sandbox::journal::{Level, LogLine};
use casparian_sandbox::session::{Layout, Session};
use casparian_sandbox::{Blob, Loaded, Sandbox, Setup, Usage, precheck};

use super::calls::{CALLS_COUNT, call_told};
use super::frame::INPUT_BYTES;
use super::generate::Generated;
use super::paint::Told;
use crate::targets::assert_refusal;

/// What a parser is asked to cut an input into: one range.
const RANGE_BYTES: u64 = 4 << 20;
/// The host's own calls need a stack too, on top of the guest's.
const HOST_STACK_BYTES: usize = 2 << 20;
/// Codes that are never a parser's doing.
const OURS: [&str; 5] = ["internal", "output-failed", "worker-crash", "machine-failed", "engine"];

/// The bounds that generated parsers have: the usual ones, but that they may burn and take little, for there are many.
pub(super) fn limits() -> Limits {
    Limits {
        fuel_base: 2_000_000,
        fuel_per_byte: 100,
        fuel_window_bytes: 1024,
        memory_bytes_max: 16 << 20,
        killers_max: 8,
        restarts_max: 2,
        ..Limits::default()
    }
}

/// What a parser is run under.
#[derive(Debug, Clone)]
pub struct Under {
    /// The bounds.
    pub limits: Limits,
    /// The least grave log lines that are kept. Calls are told of at [`Level::Trace`].
    pub log_level: Level,
    /// Whether there is anything attached, under a few names.
    pub is_attached: bool,
}

impl Default for Under {
    fn default() -> Self {
        Self { limits: limits(), log_level: Level::Trace, is_attached: true }
    }
}

/// What became of a generated parser.
#[derive(Debug, PartialEq)]
pub struct Ran {
    /// Why it ended; nothing, if it ended well.
    pub fault: Option<FaultReport>,
    /// How often it made each call, by [`super::call_names`], as far as that was heard.
    pub calls: [u64; CALLS_COUNT],
    /// What it came to, if it ended well.
    pub story: Option<(Tally, Account)>,
    /// Records that killed it and are quarantined.
    pub killers: u64,
    /// What its instances used.
    pub usage: Usage,
    log_lines: u64,
}

impl Ran {
    /// Returns the code of the fault that ended it, or `ok`.
    pub fn code(&self) -> &str {
        self.fault.as_ref().map_or("ok", |fault| fault.code.as_str())
    }

    /// Whatever it was, its end is its own doing, and it had no more than it may.
    pub(super) fn assert_sound(&self, under: &Under) {
        if let Some(fault) = &self.fault {
            assert!(!OURS.contains(&fault.code.as_str()), "{fault:?}");
            assert!(matches!(fault.blame, Blame::Guest | Blame::Input), "{fault:?}");
        }
        let limits = &under.limits;
        assert!(self.usage.memory_peak_bytes <= limits.memory_bytes_max, "{:?}", self.usage);
        assert!(self.usage.log_bytes <= limits.log_bytes_max, "{:?}", self.usage);
        assert!(self.log_lines <= limits.log_bytes_max / 64, "{} lines", self.log_lines);
    }
}

/// Runs it.
pub(super) fn run(generated: &Generated, under: &Under) -> Ran {
    let loaded = match load(&generated.component, &under.limits) {
        Ok(loaded) => loaded,
        Err(fault) => return Ran::refused(fault),
    };
    let stack_bytes = usize::try_from(under.limits.stack_bytes_max).expect("a stack") + HOST_STACK_BYTES;
    thread::scope(|scope| {
        let guest = thread::Builder::new()
            .stack_size(stack_bytes)
            .spawn_scoped(scope, || Run::new(generated, under, &loaded).end());
        guest.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Ran {
    fn refused(fault: FaultReport) -> Self {
        let calls = [0; CALLS_COUNT];
        Self { fault: Some(fault), calls, story: None, killers: 0, usage: Usage::default(), log_lines: 0 }
    }
}

/// What compiles and makes guests under some bounds: a pool, and what there is for those that do not fit into it.
struct Sandboxes {
    pooled: Sandbox,
    plain: Sandbox,
}

impl Sandboxes {
    fn new(limits: &Limits) -> Self {
        let pooled = Sandbox::pooled(limits, 2).expect("addresses for a pool");
        Self { pooled, plain: Sandbox::new(limits).expect("an engine") }
    }

    /// Checks and compiles, as a worker does.
    fn load(&self, component: &[u8]) -> Result<Loaded, FaultReport> {
        let checked = precheck::check(component).map_err(|fault| told(&fault))?;
        let loaded = self.pooled.load_fresh(&checked).or_else(|_| self.plain.load_fresh(&checked));
        loaded.map_err(|fault| told(&fault))
    }
}

/// A pool is made for the bounds of a run, so there is one at hand for the usual ones only.
fn load(component: &[u8], bounds: &Limits) -> Result<Loaded, FaultReport> {
    static USUAL: LazyLock<Sandboxes> = LazyLock::new(|| Sandboxes::new(&limits()));
    if *bounds == limits() { USUAL.load(component) } else { Sandboxes::new(bounds).load(component) }
}

/// A refusal, in harmless words. Whose doing it may be is looked at in the end.
fn told(fault: &impl Blamed) -> FaultReport {
    assert_refusal(fault, fault.blame());
    fault.report()
}

/// Something that is written down while a parser is at work.
type Shared<T> = Arc<Mutex<T>>;

fn taken<T: Default>(shared: &Shared<T>) -> T {
    std::mem::take(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

fn put<T>(shared: &Shared<Vec<T>>, one: T) {
    shared.lock().unwrap_or_else(PoisonError::into_inner).push(one);
}

struct Run<'a> {
    generated: &'a Generated,
    under: &'a Under,
    loaded: &'a Loaded,
    input: Arc<dyn Blob>,
    log: Shared<Vec<LogLine>>,
    usage: Usage,
}

impl<'a> Run<'a> {
    fn new(generated: &'a Generated, under: &'a Under, loaded: &'a Loaded) -> Self {
        let input = Arc::new(Memory(generated.input.clone()));
        Self { generated, under, loaded, input, log: Shared::default(), usage: Usage::default() }
    }

    fn end(mut self) -> Ran {
        let ended = self.story();
        let log = taken(&self.log);
        let mut calls = [0; CALLS_COUNT];
        for call in log.iter().filter_map(|line| call_told(line.at?)) {
            calls[call] += 1;
        }
        let (fault, story, killers) = match ended {
            Ok((story, killers)) => (None, Some(story), killers),
            Err(fault) => (Some(*fault), None, 0),
        };
        Ran { fault, calls, story, killers, usage: self.usage, log_lines: log.len() as u64 }
    }

    fn setup(&self) -> Setup {
        let (log, Under { limits, log_level, is_attached }) = (Arc::clone(&self.log), self.under);
        let names = if *is_attached { &["t", "tex", "text", "textsee"][..] } else { &[] };
        let attached = names.iter().map(|name| ((*name).to_owned(), Arc::clone(&self.input)));
        Setup {
            limits: limits.clone(),
            attachments: attached.collect(),
            program: None,
            log_level: *log_level,
            log: Box::new(move |line| put(&log, line)),
        }
    }

    /// Counts what a parser has used that ended.
    fn stopped(&mut self, stopped: Stopped) -> Box<FaultReport> {
        self.usage = self.usage.and(stopped.usage);
        Box::new(stopped.report())
    }

    fn story(&mut self) -> Result<((Tally, Account), u64), Box<FaultReport>> {
        // A guest of its own says what the parser is; those that parse have not described themselves.
        let described = self.loaded.open(self.setup()).and_then(Session::describe);
        let (_, description) = described.map_err(|ended| self.stopped(ended.into()))?;
        let options = description.resolve_options(&[]).map_err(|fault| Box::new(told(&fault)))?;
        let words = Shared::default();
        let codes = description.faults.iter().map(|fault| fault.code.clone()).collect();
        let mut judge = Judge {
            merge: Merge::new(&self.under.limits, self.input.len()),
            flow: Flow::new(Written::default(), Held::default(), Wanted::All, codes),
            told: Told::default(),
        };

        let opened = self.loaded.open(self.setup());
        let attached = opened.and_then(|session| {
            session.attach(Arc::clone(&self.input), &description, Wanted::All, ear(&words))
        });
        let planned = attached.and_then(|session| session.plan(&options, RANGE_BYTES));
        let planned = planned.map_err(|ended| self.stopped(ended.into()));
        let (session, layout) = match planned {
            Ok(planned) => planned,
            Err(fault) => return Err(judge.hear_all(taken(&words)).err().unwrap_or(fault)),
        };
        let on_trap = if self.generated.isolates { OnTrap::Isolate } else { OnTrap::Fail };
        let (input, input_alone) = (Arc::clone(&self.input), Arc::clone(&self.input));
        let job =
            Job { loaded: self.loaded, input, input_alone, layout: &layout, options: &options, on_trap };

        let mut session = Some(session);
        let Layout { ranges, .. } = &layout;
        for range in ranges {
            let driven = match session.take() {
                Some(session) => drive(&job, session, *range),
                None => {
                    if let Some(said) = judge.merge.begin_next(*range) {
                        judge.judge(said)?;
                    }
                    let (setup, description, ear) = (self.setup(), &description, ear(&words));
                    drive_apart(&job, Apart { setup, description, wanted: Wanted::All, ear }, *range)
                }
            };
            // What was said before it ended counts first.
            judge.hear_all(taken(&words))?;
            let Driven { usage, toll, restarts } = driven.map_err(|ended| self.stopped(ended))?;
            self.usage = self.usage.and(usage);
            judge.merge.end(toll, restarts).map_err(|fault| Box::new(told(&fault)))?;
        }
        let killers = judge.merge.toll().killers;
        Ok((judge.finish(), killers))
    }
}

fn ear(words: &Shared<Vec<Said>>) -> casparian_sandbox::Ear {
    let words = Arc::clone(words);
    Box::new(move |said| {
        put(&words, said);
        Ok(())
    })
}

/// The judge's side, and beside it what ought to come of it.
struct Judge {
    merge: Merge,
    flow: Flow<Written, Held>,
    told: Told,
}

impl Judge {
    fn hear_all(&mut self, words: Vec<Said>) -> Result<(), Box<FaultReport>> {
        for said in words {
            if let Some(said) = self.merge.hear(said).map_err(|fault| Box::new(told(&fault)))? {
                self.judge(said)?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, said: Said) -> Result<(), Box<FaultReport>> {
        self.told.hear(&said);
        self.flow.hear(said).map_err(|fault| Box::new(told(&fault)))
    }

    /// Ends it, and holds what came of it to what was said.
    fn finish(self) -> (Tally, Account) {
        let (written, held, tally, account) = self.flow.finish(INPUT_BYTES as u64);
        for (table, written) in tally.tables.iter().zip(&written.0) {
            assert_eq!((&table.name, table.accepted), (&written.name, written.rows), "{tally:?}");
        }
        assert_eq!(tally.accepted() + tally.quarantine.rows, self.told.settled, "{tally:?}");
        assert_eq!(tally.quarantine.rows, held.rows, "{tally:?}");
        let accepted: Vec<_> = written.0.iter().flat_map(|table| table.records.iter().copied()).collect();
        let mut records = [accepted.as_slice(), &held.records].concat();
        records.sort_unstable();
        records.dedup();
        assert_eq!(tally.records, records.len() as u64, "{records:?}");
        assert_eq!(account, self.told.account(INPUT_BYTES, &accepted, &held.records), "{records:?}");
        for (table, written) in tally.tables.iter().zip(written.0) {
            let [without, with] = written.digests.map(TableDigest::finish);
            assert_eq!(table.digest, Some(if table.has_spans { with } else { without }), "{}", table.name);
        }
        assert_eq!(tally.quarantine.digest, Some(held.digest.finish()));
        (tally, account)
    }
}

/// Rows that were accepted, table by table.
#[derive(Default)]
struct Written(Vec<Table>);

struct Table {
    name: TableName,
    rows: u64,
    records: Vec<Span>,
    /// Of rows without spans, and of those that have some: which a table has is seen at its first rows.
    digests: [TableDigest; 2],
}

impl Sinks for Written {
    fn open(&mut self, table: TableId, name: &TableName, schema: &SchemaRef) -> Result<(), PortFault> {
        assert_eq!(table.0, self.0.len(), "tables are opened in order");
        let digests =
            [false, true].map(|has_spans| TableDigest::of_written(name, schema.fields(), has_spans));
        self.0.push(Table { name: name.clone(), rows: 0, records: Vec::new(), digests });
        Ok(())
    }

    fn write(&mut self, table: TableId, rows: &Accepted) -> Result<(), PortFault> {
        let table = &mut self.0[table.0];
        table.rows += rows.rows().num_rows() as u64;
        if let Some((offsets, lengths)) = rows.spans() {
            let spans = offsets.values().iter().zip(lengths.values());
            table
                .records
                .extend(spans.map(|(offset, length)| Span { offset: *offset, length: (*length).into() }));
        }
        table.digests[usize::from(rows.spans().is_some())].add_written(rows).expect("rows have a digest");
        Ok(())
    }
}

/// What is in quarantine.
#[derive(Default)]
struct Held {
    rows: u64,
    records: Vec<Span>,
    digest: QuarantineDigest,
}

impl Hold for Held {
    fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault> {
        self.rows += 1;
        self.records.extend(rejected.at());
        self.digest.add(rejected);
        Ok(())
    }
}

/// An input in memory.
struct Memory(Vec<u8>);

impl Blob for Memory {
    fn name(&self) -> &str {
        "input"
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

//! One segment, input after input, in one worker as long as that one is well.
//!
//! A worker whose guest ended badly, or trapped at all, or left others at work, completes its part and is replaced. One that crashed, or met its deadline, takes its part with
//! it: the inputs in it that had ended well are run again by another one, into a part that is complete before anything else is
//! tried. So each input is run again at most once for an input that takes a worker down.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;

use super::crew::{Columns, Crew, Word};
use super::list::Listing;
use crate::columns::{self, Column};
use crate::input::Settled;
use crate::input_digest::Hashing;
use crate::orders::{Answer, FileFor, Kept, News, Next};
use crate::packing::Wish;
use crate::receipt::Witness;
use crate::report::Report;
use crate::request::{Progress, RunRequest};
use crate::run::{Ending, Known, SCRATCH_FILES_MAX, Shelf, Supervision, judge, scratch_file};
use crate::staging::Staging;
use crate::supervisor::{SupervisorFault, Worker};

/// The longest line of a log that is passed on, with its input's name.
const LINE_BYTES_MAX: usize = 4096;

/// What became of a segment.
pub(super) struct Segment {
    /// Of each input, in their order.
    pub(super) reports: Vec<Report>,
    /// Files without a place, in the order of their rows.
    pub(super) parts: Vec<Part>,
    /// Columns of tables that were seen in it.
    pub(super) columns: Columns,
    /// Why all of it must end.
    pub(super) fatal: Option<FaultReport>,
}

/// Files of a part, by what is in them.
pub(super) type Part = BTreeMap<FileFor, String>;

impl Segment {
    /// Takes its files away.
    pub(super) fn drop_parts(&self, staging: Option<&Staging>) -> Result<(), FaultReport> {
        self.parts.iter().try_for_each(|part| drop_files(staging, part.values()))
    }
}

fn drop_files<'a>(
    staging: Option<&Staging>,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), FaultReport> {
    let Some(staging) = staging else { return Ok(()) };
    let mut names = names;
    names.try_for_each(|name| staging.drop_part(name)).map_err(|fault| fault.report())
}

/// A thread's hand on a worker.
pub(super) struct Hand<'a> {
    crew: &'a Crew<'a>,
    words: SyncSender<Word>,
    /// Who says that its worker must end.
    stop: &'a Arc<AtomicBool>,
    worker: Option<Worker>,
    /// Inputs that the worker has had.
    served: u64,
    /// What it has said of the parser.
    known: Option<Known>,
}

/// How an attempt on an input ended, when it did not end well.
enum Bad {
    /// Before a worker saw it.
    Input(FaultReport),
    /// The worker says so.
    Told(FaultReport),
    /// The worker says so, and is there for no other input.
    Spent(FaultReport),
    /// The worker, or its part, is worth nothing any more.
    Broken(FaultReport),
    /// It would meet every input.
    Fatal(FaultReport),
}

impl Bad {
    /// Of an input that no worker has seen yet. Who presses Ctrl-C means all of them.
    fn before(fault: FaultReport) -> Self {
        if fault.code == "interrupted" { Self::Fatal(fault) } else { Self::Input(fault) }
    }
}

impl From<Ending> for Bad {
    fn from(ending: Ending) -> Self {
        match ending {
            // What an operator must mend is nothing of this input's, but for the choice of what is in its archive.
            Ending::Told(fault) if is_of_packing(&fault) || is_of_columns(&fault) => Self::Told(fault),
            Ending::Spent(fault) if is_of_columns(&fault) => Self::Spent(fault),
            Ending::Told(fault) | Ending::Spent(fault) if fault.blame == Blame::Operator => {
                Self::Fatal(fault)
            }
            Ending::Told(fault) | Ending::Spent(fault) if fault.blame == Blame::Host => Self::Broken(fault),
            Ending::Told(fault) => Self::Told(fault),
            Ending::Spent(fault) => Self::Spent(fault),
            Ending::Broken(fault) => match fault.code.as_str() {
                "interrupted" | "worker-not-started" => Self::Fatal(fault),
                _ => Self::Broken(fault),
            },
        }
    }
}

impl From<SupervisorFault> for Bad {
    fn from(fault: SupervisorFault) -> Self {
        Ending::from(fault).into()
    }
}

/// A segment in the making.
struct Making<'a> {
    shelf: PartShelf<'a>,
    reports: BTreeMap<usize, Report>,
    due: VecDeque<usize>,
    /// Inputs at the head of `due` that had ended well before: behind them a part is completed.
    again: usize,
}

impl<'a> Hand<'a> {
    pub(super) fn new(crew: &'a Crew<'a>, words: &SyncSender<Word>, stop: &'a Arc<AtomicBool>) -> Self {
        Self { crew, words: words.clone(), stop, worker: None, served: 0, known: None }
    }

    /// Runs a segment. `columns` are those of the dataset, as far as they are known.
    pub(super) fn run(&mut self, range: Range<usize>, columns: Columns) -> Segment {
        // Only between segments: where parts end must not follow from who has run what before.
        if self.served.saturating_add(range.len() as u64) > self.crew.request.recycle_after {
            self.worker = None;
        }
        let mut making = Making {
            shelf: PartShelf::new(self.crew, columns),
            reports: BTreeMap::new(),
            due: range.collect(),
            again: 0,
        };
        let fatal = self.run_all(&mut making).err();
        if fatal.is_some() {
            self.worker = None;
        }
        let Making { shelf, reports, .. } = making;
        Segment { reports: reports.into_values().collect(), parts: shelf.done, columns: shelf.columns, fatal }
    }

    fn run_all(&mut self, making: &mut Making<'_>) -> Result<(), FaultReport> {
        self.begin()?;
        while let Some(at) = making.due.pop_front() {
            let report = self.run_one(at, making)?;
            making.reports.insert(at, report);
            if making.again > 0 {
                making.again -= 1;
                if making.again == 0 {
                    self.rest(&mut making.shelf)?;
                }
            }
        }
        self.rest(&mut making.shelf)
    }

    /// Runs one input, whatever becomes of it. An error is about all of them.
    fn run_one(&mut self, at: usize, making: &mut Making<'_>) -> Result<Report, FaultReport> {
        let Some(listing) = self.crew.inputs.get(at) else { return Err(no_such_input(at)) };
        let begun = Instant::now();
        let each = &self.crew.request.each;
        let input_name = listing.name.clone();
        let request = RunRequest { input: listing.path.clone(), input_name, out: None, ..each.clone() };
        let mut report = Report::begin(&each.component, &listing.path);
        report.component.sha256 = Some(self.crew.component.sha256());
        making.shelf.begin_input();
        match self.attempt(listing, &request, &mut report, &mut making.shelf) {
            Ok(()) => {
                making.shelf.keep_input(at);
                // Nothing of a guest that trapped is left; of what it did to the process nobody knows.
                if report.traps.traps > 0 {
                    self.replace(&mut making.shelf)?;
                }
            }
            Err(Bad::Fatal(fault)) => return Err(met_at(fault, &listing.path)),
            Err(Bad::Input(fault)) => report.fail(fault),
            Err(Bad::Told(fault)) => {
                // A machine that refused something is not asked again by the same process either.
                let ended_badly = matches!(fault.blame, Blame::Guest | Blame::Host);
                report.fail(fault);
                if ended_badly {
                    self.replace(&mut making.shelf)?;
                }
            }
            Err(Bad::Spent(fault)) => {
                report.fail(fault);
                self.replace(&mut making.shelf)?;
            }
            Err(Bad::Broken(fault)) => {
                report.fail(fault);
                self.worker = None;
                let lost = making.shelf.drop_open()?;
                // This one is not run again, and whoever counts it off is still to come.
                making.again = making.again.max(1) + lost.len();
                lost.into_iter().rev().for_each(|at| making.due.push_front(at));
            }
        }
        self.crew.pace.bytes.fetch_add(report.input.bytes, Ordering::Relaxed);
        report.wall_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }

    fn attempt(
        &mut self,
        listing: &Listing,
        request: &RunRequest,
        report: &mut Report,
        shelf: &mut PartShelf<'_>,
    ) -> Result<(), Bad> {
        let named = listing.open(request).map_err(Bad::before)?;
        named.describe(&request.called(), &mut report.input);
        let settled = named.settle(request).map_err(Bad::before)?;
        let sha256 = settled.hash(&request.stop).map_err(Bad::before)?;
        let Settled { source, member, .. } = settled;
        (report.input.bytes, report.input.sha256) = (source.size(), Some(sha256));
        let crew = self.crew;
        let deadline_ms = crew.deadline_ms(source.size());
        let words = self.words.clone();
        let worker = self.worker()?;
        let wish = Wish { compression: request.compression, member, name: source.name().to_owned() };
        let next = Next::Input { name: request.called(), sha256, wish };
        worker.give(&next, &[source.fd()], deadline_ms)?;
        let mut witness = Witness::new();
        let progress = &mut |progress| {
            // Nobody listens once all of it is to end.
            let _ = match progress {
                Progress::Log { level, line } => {
                    let line =
                        GuestText::new(&format!("{}: {}", request.called(), line.raw()), LINE_BYTES_MAX);
                    words.send(Word::Log { level, line })
                }
                Progress::Started { name, version, .. } if !crew.has_begun.swap(true, Ordering::Relaxed) => {
                    words.send(Word::Begun { name, version })
                }
                _ => Ok(()),
            };
        };
        let component_bytes = crew.component.bytes();
        let (told, witnessed) = (&mut *report, &mut witness);
        let known = self.known.take();
        let worker = self.worker.as_mut().ok_or_else(|| Bad::Fatal(no_such_input(0)))?;
        let mut supervision = Supervision {
            request,
            report: told,
            progress,
            shelf,
            witness: witnessed,
            hashing: Hashing::Done(sha256),
            component_bytes,
            spool: None,
            known,
            is_introduced: false,
        };
        let ended = supervision.hear_out(worker);
        self.known = supervision.known.take();
        drop(supervision);
        ended?;
        // Its rows have joined the others: with what has changed they must go.
        source.check_unchanged().map_err(|fault| Bad::Broken(fault.report()))?;
        report.claim_sha256 = witness.claim_hash().map_err(Bad::Broken)?;
        report.claim = witness.claim().cloned();
        judge(request, report);
        let accepted = report.tables.iter().map(|table| table.accepted).sum();
        crew.pace.accepted.fetch_add(accepted, Ordering::Relaxed);
        crew.pace.quarantined.fetch_add(report.quarantine.rows, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the worker, started where there is none.
    fn worker(&mut self) -> Result<&mut Worker, Bad> {
        if self.worker.is_none() {
            let mut worker = self.crew.start(self.stop)?;
            match worker.hear()? {
                News::Rests => {}
                // It has read what every input is run with, and nothing else.
                News::Failed { fault, .. } => return Err(Bad::Fatal(fault)),
                other => return Err(Bad::Fatal(worker.misspoke(&other))),
            }
            (self.served, self.known) = (0, None);
            self.worker = Some(worker);
        }
        self.served += 1;
        self.worker.as_mut().ok_or_else(|| Bad::Fatal(no_such_input(0)))
    }

    /// Tells the worker, if there is one, that a segment begins.
    fn begin(&mut self) -> Result<(), FaultReport> {
        let Some(worker) = self.worker.as_mut() else { return Ok(()) };
        Ok(worker.give(&Next::Begin, &[], self.crew.deadline_ms(0))?)
    }

    /// Has the worker complete its part, and lets it go.
    fn replace(&mut self, shelf: &mut PartShelf<'_>) -> Result<(), FaultReport> {
        self.rest(shelf)?;
        self.worker = None;
        Ok(())
    }

    /// Has the worker complete its part.
    fn rest(&mut self, shelf: &mut PartShelf<'_>) -> Result<(), FaultReport> {
        let Some(worker) = self.worker.as_mut() else { return Ok(()) };
        worker.give(&Next::Rest, &[], self.crew.deadline_ms(0))?;
        loop {
            match worker.hear()? {
                News::Rests if shelf.open.is_empty() => return Ok(()),
                News::Failed { fault, .. } => return Err(fault),
                other => shelf.part_news(other).map_err(|other| worker.misspoke(&other))?,
            }
        }
    }
}

/// Files for the parts of a segment, and what is told of them.
struct PartShelf<'a> {
    crew: &'a Crew<'a>,
    /// Of the part that is open.
    open: Part,
    /// Inputs that have joined the part that is open.
    inputs: Vec<usize>,
    done: Vec<Part>,
    columns: Columns,
    /// A table of the input at hand whose columns are being told.
    told: Option<(TableName, Vec<Column>)>,
    /// What columns are with those of the input at hand.
    fresh: Columns,
    /// Files that were asked for during one input.
    files: u64,
}

impl<'a> PartShelf<'a> {
    fn new(crew: &'a Crew<'a>, columns: Columns) -> Self {
        Self {
            crew,
            open: Part::new(),
            inputs: Vec::new(),
            done: Vec::new(),
            columns,
            told: None,
            fresh: Columns::new(),
            files: 0,
        }
    }

    fn begin_input(&mut self) {
        (self.told, self.files) = (None, 0);
        self.fresh.clear();
    }

    /// Hears that an input has ended well: its rows have joined the open part, and its columns are the dataset's.
    fn keep_input(&mut self, at: usize) {
        self.inputs.push(at);
        self.columns.append(&mut self.fresh);
    }

    /// Takes away what the open part has so far. Returns the inputs that were in it.
    fn drop_open(&mut self) -> Result<Vec<usize>, FaultReport> {
        drop_files(self.crew.staging, std::mem::take(&mut self.open).values())?;
        Ok(std::mem::take(&mut self.inputs))
    }

    /// Completes the open part, or what is to be kept of it.
    fn end_part(&mut self, kept: Kept) -> Result<(), FaultReport> {
        let is_kept = |what: &FileFor| match kept {
            Kept::All => true,
            Kept::Quarantine => *what == FileFor::Quarantine,
            Kept::Nothing => false,
        };
        let (keep, lose): (Part, Part) =
            std::mem::take(&mut self.open).into_iter().partition(|(what, _)| is_kept(what));
        drop_files(self.crew.staging, lose.values())?;
        self.inputs.clear();
        if !keep.is_empty() {
            self.done.push(keep);
        }
        Ok(())
    }

    /// Says why a table does not fit into the dataset with the columns that the input at hand has, if it does not.
    fn see_columns(&mut self, table: TableName, found: &[Column]) -> Result<(), String> {
        let tables_max = self.crew.request.each.limits.tables_max.saturating_mul(16);
        let known = self.columns.get(&table);
        if known.is_none() && self.columns.len() as u64 >= tables_max {
            return Err(format!("tables of the dataset: limit {tables_max}, and this is one more"));
        }
        let fit =
            known.map_or(Ok(found.to_vec()), |known| columns::fit(self.crew.request.schema, known, found));
        self.fresh.insert(table, fit?);
        Ok(())
    }
}

impl Shelf for PartShelf<'_> {
    fn file(&mut self, what: &FileFor) -> Option<Result<File, String>> {
        let each = &self.crew.request.each;
        self.files += 1;
        if self.files > each.limits.tables_max.saturating_mul(2).saturating_add(SCRATCH_FILES_MAX) {
            return None;
        }
        if *what == FileFor::Spool {
            return None;
        }
        if *what == FileFor::Scratch {
            return Some(scratch_file(self.out()));
        }
        let staging = self.crew.staging?;
        if self.open.contains_key(what) {
            return None;
        }
        let name = self.crew.name_part();
        let made = staging.create_part(&name, *what == FileFor::Quarantine);
        Some(made.map_err(|fault| fault.to_string()).inspect(|_| drop(self.open.insert(what.clone(), name))))
    }

    fn out(&self) -> Option<&Path> {
        self.crew.request.each.out.as_deref()
    }

    fn columns(&mut self, table: TableName, columns: Vec<Column>, is_last: bool) -> Option<Option<Answer>> {
        let (told, mut gathered) = self.told.take().unwrap_or_else(|| (table.clone(), Vec::new()));
        if told != table || columns::gather(&mut gathered, columns).is_err() {
            return None;
        }
        if !is_last {
            self.told = Some((told, gathered));
            return Some(None);
        }
        let error = self.see_columns(table, &gathered).err();
        Some(Some(Answer { error }))
    }

    fn part_news(&mut self, news: News) -> Result<(), News> {
        match news {
            News::PartEnded(kept) if !self.open.is_empty() => {
                self.end_part(kept).map_err(|_| News::PartEnded(kept))
            }
            other => Err(other),
        }
    }
}

/// Whether a fault is about how one input is packed: nothing that the others meet.
fn is_of_packing(fault: &FaultReport) -> bool {
    ["zip-member-", "packing-"].iter().any(|code| fault.code.starts_with(code))
}

/// Whether a fault is about columns that the contract does not go with: of inputs that bring their own, others may be as it wants.
fn is_of_columns(fault: &FaultReport) -> bool {
    ["column-", "cast-impossible", "table-not-in-contract"].iter().any(|code| fault.code.starts_with(code))
}

/// Names the input at which a fault was met that ends all of it.
fn met_at(fault: FaultReport, path: &Path) -> FaultReport {
    if fault.code == "interrupted" {
        return fault;
    }
    let message = format!("{}; met at {}", fault.message, GuestText::new(&path.to_string_lossy(), 4096));
    FaultReport { message, ..fault }
}

fn no_such_input(at: usize) -> FaultReport {
    FaultReport {
        blame: Blame::Host,
        code: "internal".to_owned(),
        message: format!("there is no input number {at}"),
        hint: None,
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_one_input_is_packed_or_what_columns_it_has_ends_nothing_but_that_input() {
        let ending = |code: &str| {
            Bad::from(Ending::Told(FaultReport {
                blame: Blame::Operator,
                code: code.to_owned(),
                message: String::new(),
                hint: None,
                at: None,
            }))
        };
        let of_packing =
            ["zip-member-unchosen", "zip-member-missing", "zip-member-not-file", "packing-differs"];
        for code in of_packing.into_iter().chain(["column-not-in-contract", "column-type", "cast-impossible"])
        {
            assert!(matches!(ending(code), Bad::Told(_)), "{code}");
        }
        for code in ["disk-full", "contract-unreadable"] {
            assert!(matches!(ending(code), Bad::Fatal(_)), "{code}");
        }
    }
}

//! The story: what a guest says becomes verdicts, and at each commit rows leave for a sink or for the hold.
//!
//! ```text
//! Said::Rows ─────> waiting ──┐
//! Said::Rejected ───────────> │  Said::Committed(up_to): every record that begins before it is complete
//! Said::Skipped ────────────> │    its rows are judged; one bad row makes its whole record bad, in all tables
//!                             ├──> good rows ──> Sinks      (as `Accepted`, which only this room makes)
//!                             ├──> bad rows  ──> Hold       (as `Rejected`, with every reason)
//!                             └──> spans     ──> Ledger     (every byte in exactly one class)
//! ```
//!
//! Nothing leaves between commits. What a commit releases depends on what was said before it and on nothing else: not on
//! where batches were cut, not on threads, not on time. Memory follows what waits: what is made of a bad row is made when
//! it is held, one row at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use arrow_array::UInt64Array;
use arrow_schema::{ArrowError, SchemaRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::batch::Batch;
use crate::contract::TableContract;
use crate::contract::judge::{Finding, Flaws, finding, judge};
use crate::contract::verdict::{Accepted, Code, Rejected, RejectedRow, Violation};
use crate::fault::{Blame, Blamed, FaultReport, Span};
use crate::guest_text::GuestText;
use crate::id::TableName;
use crate::intake::{Rejection, Said, SkipKind, TableId};
use crate::ledger::{Account, Ledger, Overlap, Record};
use crate::wanted::Wanted;

/// Where good rows go.
pub trait Sinks {
    /// Hears of a table before its first row.
    fn open(&mut self, table: TableId, name: &TableName, schema: &SchemaRef) -> Result<(), PortFault>;
    /// Writes rows of an opened table.
    fn write(&mut self, table: TableId, rows: &Accepted) -> Result<(), PortFault>;
}

/// Where bad rows are held, with their reasons, in the order of the input.
pub trait Hold {
    /// Takes one row, or one record that could not be read.
    fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault>;
}

/// A sink or the hold failed: the disk is full, a file is gone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .0.message)]
pub struct PortFault(pub FaultReport);

/// The flow cannot go on.
#[derive(Debug, Error)]
pub enum FlowFault {
    /// Two records share bytes.
    #[error(transparent)]
    Overlap(#[from] Overlap),
    /// A sink or the hold failed.
    #[error(transparent)]
    Port(#[from] PortFault),
    /// Our bug: rows that passed the wire do not fit together.
    #[error("rows that passed the wire do not fit together: {0}")]
    Arrow(#[from] ArrowError),
    /// Our bug: a table was spoken of before it was opened.
    #[error("table {0:?} was spoken of before it was opened")]
    UnknownTable(TableId),
}

impl Blamed for FlowFault {
    fn blame(&self) -> Blame {
        match self {
            FlowFault::Overlap(overlap) => overlap.blame(),
            FlowFault::Port(port) => port.0.blame,
            FlowFault::Arrow(_) | FlowFault::UnknownTable(_) => Blame::Host,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            FlowFault::Overlap(overlap) => overlap.code(),
            FlowFault::Port(_) => "output-failed",
            FlowFault::Arrow(_) | FlowFault::UnknownTable(_) => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            FlowFault::Overlap(overlap) => overlap.hint(),
            FlowFault::Port(port) => port.0.hint.clone(),
            FlowFault::Arrow(_) | FlowFault::UnknownTable(_) => None,
        }
    }
}

/// What a run did, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Per table, in the order of opening.
    pub tables: Vec<TableTally>,
    /// Records of the input: accepted, quarantined and rejected.
    pub records: u64,
    /// What is in quarantine.
    pub quarantine: QuarantineTally,
    /// Bytes said to hold no record, by kind. A byte said twice counts twice here, and once in the account.
    pub skipped_by_kind: BTreeMap<SkipKind, u64>,
}

impl Tally {
    /// Returns the rows accepted, all tables together.
    pub fn accepted(&self) -> u64 {
        self.tables.iter().map(|table| table.accepted).sum()
    }
}

/// What became of one table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTally {
    /// The table.
    pub name: TableName,
    /// Whether its rows are written.
    pub wanted: bool,
    /// Whether its rows carry spans.
    pub has_spans: bool,
    /// Rows that met the contract.
    pub accepted: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
}

/// What is in quarantine, counted by row: a row with two violations of one code counts once for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineTally {
    /// Rows, and records that could not be read.
    pub rows: u64,
    /// By reason code.
    pub by_code: BTreeMap<Code, u64>,
    /// By rule: a contract's rule or the parser's own word for a fault.
    pub by_rule: BTreeMap<String, u64>,
}

impl QuarantineTally {
    fn add(&mut self, rejected: &Rejected) {
        self.rows += 1;
        let mut codes: Vec<Code> = rejected.violations.iter().map(|v| v.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.into_iter().for_each(|code| *self.by_code.entry(code).or_default() += 1);
        let mut rules: Vec<&str> = rejected.violations.iter().map(|v| v.rule.as_str()).collect();
        rules.sort_unstable();
        rules.dedup();
        rules.into_iter().for_each(|rule| *self.by_rule.entry(rule.to_owned()).or_default() += 1);
    }
}

/// One run's flow.
pub struct Flow<S, H> {
    sinks: S,
    hold: H,
    /// The words of the faults that rejections refer to by index.
    fault_codes: Vec<String>,
    /// Tables whose rows are written.
    wanted: Wanted,
    tables: Vec<Table>,
    rejections: Vec<Rejection>,
    ledger: Ledger,
    tally: Tally,
}

/// A table of the run and what of it waits for a commit.
struct Table {
    contract: TableContract,
    waiting: Vec<Waiting>,
    /// Rows released so far. The ordinal of a row that has no record to count in.
    released: u64,
}

impl<S: Sinks, H: Hold> Flow<S, H> {
    /// Opens a flow. `wanted` are the tables to write; `fault_codes` the parser's own words, by index.
    pub fn new(sinks: S, hold: H, wanted: impl Into<Wanted>, fault_codes: Vec<String>) -> Self {
        Self {
            sinks,
            hold,
            fault_codes,
            wanted: wanted.into(),
            tables: Vec::new(),
            rejections: Vec::new(),
            ledger: Ledger::default(),
            tally: Tally::default(),
        }
    }

    /// Hears one thing that the guest said.
    pub fn hear(&mut self, said: Said) -> Result<(), FlowFault> {
        match said {
            Said::Opened { table, name, schema } => {
                let wanted = self.wanted.has(name.as_str());
                if wanted {
                    self.sinks.open(table, &name, schema.declared())?;
                }
                let contract = TableContract::declared(&schema);
                self.tables.push(Table { contract, waiting: Vec::new(), released: 0 });
                let has_spans = schema.has_spans();
                self.tally.tables.push(TableTally { name, wanted, has_spans, accepted: 0, quarantined: 0 });
            }
            Said::Rows { table, batch } => {
                let at = self.tables.get_mut(table.0).ok_or(FlowFault::UnknownTable(table))?;
                at.waiting.push(Waiting::new(batch));
            }
            Said::Rejected(records) => self.rejections.extend(records),
            Said::Skipped(skip) => {
                let skipped = self.tally.skipped_by_kind.entry(skip.kind).or_default();
                // A byte may be said again and again.
                *skipped = skipped.saturating_add(skip.at.length);
                self.ledger.skip(skip.at);
            }
            Said::Committed { up_to } => self.commit(up_to)?,
        }
        Ok(())
    }

    /// Returns what has been counted so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Ends a flow that went well. What was never committed is dropped; the intake has refused it already.
    pub fn finish(self, input_bytes: u64) -> (S, H, Tally, Account) {
        (self.sinks, self.hold, self.tally, self.ledger.close(input_bytes))
    }

    fn commit(&mut self, up_to: u64) -> Result<(), FlowFault> {
        let mut due = Vec::with_capacity(self.tables.len());
        for table in &mut self.tables {
            due.push(Due::of(table, up_to)?);
        }
        let rejections = self.take_due_rejections(up_to);
        let bad = Bad::among(&due, &rejections);
        let records = records_of(&due, &rejections, &bad);
        self.ledger.settle(up_to, &records)?;

        let numbers = Numbers { first: self.tally.records, records: &records };
        self.tally.records += records.len() as u64;
        for (at, due) in due.iter().enumerate() {
            self.accept(TableId(at), due, &bad, &numbers)?;
        }
        self.hold_the_bad(&due, &rejections, &bad, &numbers)
    }

    /// Returns the rejections that a commit releases, in offset order; those of one record as they were said.
    fn take_due_rejections(&mut self, up_to: u64) -> Vec<Rejection> {
        let (mut due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rejections).into_iter().partition(|r| r.at.offset < up_to);
        self.rejections = later;
        due.sort_by_key(|rejection| rejection.at.offset);
        due
    }

    /// Counts the rows of one table and sends the good ones on.
    fn accept(
        &mut self,
        table: TableId,
        due: &Due,
        bad: &Bad,
        numbers: &Numbers<'_>,
    ) -> Result<(), FlowFault> {
        let Some(rows) = &due.rows else { return Ok(()) };
        let tally = self.tally.tables.get_mut(table.0).ok_or(FlowFault::UnknownTable(table))?;
        let quarantined = due.bad_rows(bad).count() as u64;
        tally.accepted += rows.num_rows() - quarantined;
        tally.quarantined += quarantined;
        if let Some(table) = self.tables.get_mut(table.0) {
            table.released += rows.num_rows();
        }
        if tally.wanted && quarantined < rows.num_rows() {
            let good = if quarantined == 0 { rows.clone() } else { due.good_rows(rows, bad)? };
            self.sinks.write(table, &numbers.accepted(&good))?;
        }
        Ok(())
    }

    /// Holds what is bad, in the order of the input: a record that could not be read before its rows, since it is the reason
    /// for what follows; then table by table.
    fn hold_the_bad(
        &mut self,
        due: &[Due],
        rejections: &[Rejection],
        bad: &Bad,
        numbers: &Numbers<'_>,
    ) -> Result<(), FlowFault> {
        for place in in_order(due, rejections, bad) {
            let rejected = match place.what {
                What::Unreadable(at) => rejections.get(at).map(|r| self.unreadable(r, numbers)),
                What::Row { table, row, ordinal } => {
                    due.get(table).and_then(|due| self.bad_row(due, (table, row, ordinal), bad, numbers))
                }
            };
            let Some(rejected) = rejected else { continue };
            self.tally.quarantine.add(&rejected);
            self.hold.hold(&rejected)?;
        }
        Ok(())
    }

    fn unreadable(&self, rejection: &Rejection, numbers: &Numbers<'_>) -> Rejected {
        let violation = Violation {
            code: Code::ParserFault,
            column: None,
            rule: self.fault_codes.get(usize::from(rejection.fault)).cloned().unwrap_or_default(),
            expected: None,
            observed: Some(rejection.message.clone()).filter(|m| !m.raw().is_empty()),
        };
        Rejected {
            record_no: numbers.of(rejection.at.offset),
            at: Some(rejection.at),
            row: None,
            violations: vec![violation],
            n_violations: 1,
        }
    }

    fn bad_row(
        &self,
        due: &Due,
        (table, row, ordinal): (usize, usize, u64),
        bad: &Bad,
        numbers: &Numbers<'_>,
    ) -> Option<Rejected> {
        let rows = due.rows.as_ref()?;
        let mut finding = finding(rows, row, &self.tables.get(table)?.contract);
        let at = rows.span(row);
        if finding.count == 0 {
            let culprit = at.and_then(|at| bad.records.get(&at.offset));
            finding = Finding::of(self.companion(culprit));
        }
        Some(Rejected {
            record_no: at.and_then(|at| numbers.of(at.offset)),
            at,
            row: Some(RejectedRow {
                table: self.tally.tables.get(table)?.name.clone(),
                ordinal,
                cells: rows.rows().slice(row, 1),
            }),
            violations: finding.violations,
            n_violations: finding.count,
        })
    }

    /// The reason of a row that is only there because another row of its record is bad.
    fn companion(&self, culprit: Option<&Culprit>) -> Violation {
        let observed = culprit.map(|culprit| match culprit {
            Culprit::Row { table, ordinal } => {
                let name = self.tally.tables.get(*table).map_or("", |table| table.name.as_str());
                format!("row {ordinal} of table `{name}` is bad")
            }
            Culprit::Unreadable => "the parser could not read the record".to_owned(),
        });
        Violation {
            code: Code::Companion,
            column: None,
            rule: "record".to_owned(),
            expected: Some("every row of the record is good".to_owned()),
            observed: observed.map(|text| GuestText::new(&text, 256)),
        }
    }
}

/// Rows of one table that wait for a commit.
struct Waiting {
    rows: Batch,
    /// Whether the rows stand in offset order. Then a commit cuts them without copying.
    is_ascending: bool,
}

impl Waiting {
    fn new(rows: Batch) -> Self {
        let is_ascending = rows.spans().is_none_or(|spans| spans.offsets().values().is_sorted());
        Self { rows, is_ascending }
    }

    /// Cuts what begins before `up_to` from what does not. Rows without spans are always due.
    fn cut(self, up_to: u64) -> Result<(Option<Batch>, Option<Waiting>), ArrowError> {
        let Self { rows, is_ascending } = self;
        let Some(offsets) = rows.spans().map(|spans| spans.offsets().values()) else {
            return Ok((Some(rows), None));
        };
        let is_due = |offset: &u64| *offset < up_to;
        let count = if is_ascending {
            offsets.partition_point(is_due)
        } else {
            offsets.iter().filter(|offset| is_due(offset)).count()
        };
        // First, so that a batch without rows does not wait for ever.
        if count == offsets.len() {
            return Ok((Some(rows), None));
        }
        if count == 0 {
            return Ok((None, Some(Self { rows, is_ascending })));
        }
        if is_ascending {
            let (due, later) = (rows.slice(0, count), rows.slice(count, offsets.len() - count));
            return Ok((Some(due), Some(Self { rows: later, is_ascending })));
        }
        let offset = |row: &u64| usize::try_from(*row).ok().and_then(|row| offsets.get(row));
        let (now, then): (Vec<u64>, Vec<u64>) =
            (0..rows.num_rows()).partition(|row| offset(row).is_some_and(is_due));
        Ok((Some(rows.take(&now.into())?), Some(Self::new(rows.take(&then.into())?))))
    }
}

/// What a commit releases of one table, in offset order, judged.
#[derive(Default)]
struct Due {
    rows: Option<Batch>,
    flaws: Flaws,
    /// The ordinal of the first row, where rows have no record to count in.
    first_ordinal: u64,
}

impl Due {
    /// Takes what begins before `up_to` out of what waits.
    fn of(table: &mut Table, up_to: u64) -> Result<Self, ArrowError> {
        let mut due = Vec::with_capacity(table.waiting.len());
        for rows in std::mem::take(&mut table.waiting) {
            let (now, later) = rows.cut(up_to)?;
            due.extend(now);
            table.waiting.extend(later);
        }
        let Some(rows) = in_offset_order(due)? else { return Ok(Self::default()) };
        let flaws = judge(&rows, &table.contract);
        Ok(Self { rows: Some(rows), flaws, first_ordinal: table.released })
    }

    fn offsets(&self) -> Option<&[u64]> {
        self.rows.as_ref().and_then(Batch::spans).map(|spans| &**spans.offsets().values())
    }

    /// Lists the rows that go to quarantine, ascending: a row is bad if its record is, or, where it has none, if something is
    /// wrong with itself.
    fn bad_rows<'a>(&'a self, bad: &'a Bad) -> Box<dyn Iterator<Item = usize> + 'a> {
        let Some(offsets) = self.offsets() else { return Box::new(self.flaws.rows()) };
        if bad.records.is_empty() {
            return Box::new(std::iter::empty());
        }
        let is_bad = |(_, offset): &(usize, &u64)| bad.records.contains_key(offset);
        Box::new(offsets.iter().enumerate().filter(is_bad).map(|(row, _)| row))
    }

    fn good_rows(&self, rows: &Batch, bad: &Bad) -> Result<Batch, ArrowError> {
        let mut bad = self.bad_rows(bad).peekable();
        let good = (0..rows.rows().num_rows()).filter(|row| bad.next_if_eq(row).is_none());
        rows.take(&UInt64Array::from_iter_values(good.map(|row| row as u64)))
    }

    /// Lists the rows that go to quarantine, ascending, each with its place among the rows of its record. All rows of a bad
    /// record are bad and stand together, so counting the bad ones is enough.
    fn bad_places<'a>(&'a self, table: usize, bad: &'a Bad) -> impl Iterator<Item = Place> + 'a {
        let mut record = None;
        let mut next = 0;
        self.bad_rows(bad).map(move |row| {
            let offset = self.offsets().and_then(|offsets| offsets.get(row)).copied();
            if record != offset {
                (record, next) = (offset, 0);
            }
            let ordinal = if offset.is_some() { next } else { self.first_ordinal + row as u64 };
            next += 1;
            Place { offset, what: What::Row { table, row, ordinal } }
        })
    }
}

/// Makes one batch of many, in offset order; rows of one record keep the order in which they were said.
fn in_offset_order(mut parts: Vec<Batch>) -> Result<Option<Batch>, ArrowError> {
    let rows = if parts.len() == 1 { parts.pop() } else { Batch::concat(&parts)? };
    let Some(rows) = rows else { return Ok(None) };
    let order = match rows.spans().map(|spans| spans.offsets().values()) {
        Some(offsets) if !offsets.is_sorted() => {
            let mut order: Vec<u64> = (0..rows.num_rows()).collect();
            order.sort_by_key(|row| usize::try_from(*row).ok().and_then(|row| offsets.get(row)));
            UInt64Array::from(order)
        }
        _ => return Ok(Some(rows)),
    };
    rows.take(&order).map(Some)
}

/// Where something in quarantine stands in its order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    offset: Option<u64>,
    what: What,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A rejection, by its place in offset order.
    Unreadable(usize),
    Row {
        table: usize,
        row: usize,
        ordinal: u64,
    },
}

/// Merges what is bad, from lists that are in order each by itself. Nothing is gathered: there may be millions.
fn in_order<'a>(
    due: &'a [Due],
    rejections: &'a [Rejection],
    bad: &'a Bad,
) -> impl Iterator<Item = Place> + 'a {
    let unreadable = rejections
        .iter()
        .enumerate()
        .map(|(at, rejection)| Place { offset: Some(rejection.at.offset), what: What::Unreadable(at) });
    let mut lists: Vec<Box<dyn Iterator<Item = Place> + 'a>> = vec![Box::new(unreadable)];
    lists.extend(due.iter().enumerate().map(|(table, due)| Box::new(due.bad_places(table, bad)) as _));
    let mut heads = BinaryHeap::with_capacity(lists.len());
    heads.extend(lists.iter_mut().enumerate().filter_map(|(at, list)| Some(Reverse((list.next()?, at)))));
    std::iter::from_fn(move || {
        let Reverse((place, at)) = heads.pop()?;
        heads.extend(lists.get_mut(at).and_then(Iterator::next).map(|next| Reverse((next, at))));
        Some(place)
    })
}

/// The first reason for which a record is bad.
enum Culprit {
    Unreadable,
    Row { table: usize, ordinal: u64 },
}

/// The bad records among those that a commit releases, by offset.
struct Bad {
    records: BTreeMap<u64, Culprit>,
}

impl Bad {
    fn among(due: &[Due], rejections: &[Rejection]) -> Self {
        let unreadable = rejections.iter().map(|rejection| (rejection.at.offset, Culprit::Unreadable));
        let mut records: BTreeMap<u64, Culprit> = unreadable.collect();
        for (table, due) in due.iter().enumerate() {
            let Some(offsets) = due.offsets() else { continue };
            for row in due.flaws.rows() {
                let Some(offset) = offsets.get(row) else { continue };
                // Counted back once in a record, for the first of its bad rows.
                let ordinal =
                    || offsets.iter().take(row).rev().take_while(|before| *before == offset).count();
                let culprit = || Culprit::Row { table, ordinal: ordinal() as u64 };
                records.entry(*offset).or_insert_with(culprit);
            }
        }
        Self { records }
    }
}

/// Lists the records that a commit releases, ascending, each once.
fn records_of(due: &[Due], rejections: &[Rejection], bad: &Bad) -> Vec<Record> {
    let mut spans: Vec<Span> = Vec::new();
    for of_table in due.iter().filter_map(|due| due.rows.as_ref().and_then(Batch::spans)) {
        for span in of_table.iter() {
            if spans.last() != Some(&span) {
                spans.push(span);
            }
        }
    }
    spans.extend(rejections.iter().map(|rejection| rejection.at));
    if !spans.is_sorted() {
        spans.sort_unstable();
    }
    spans.dedup();
    let clean = bad.records.is_empty();
    let record = |at: Span| Record { at, accepted: clean || !bad.records.contains_key(&at.offset) };
    spans.into_iter().map(record).collect()
}

/// The numbers of the records that a commit releases.
struct Numbers<'a> {
    first: u64,
    records: &'a [Record],
}

impl Numbers<'_> {
    fn of(&self, offset: u64) -> Option<u64> {
        let at = self.records.binary_search_by_key(&offset, |record| record.at.offset).ok()?;
        Some(self.first + at as u64)
    }

    fn accepted(&self, rows: &Batch) -> Accepted {
        let spans = rows.spans().map(|spans| (spans.offsets().clone(), spans.lengths().clone()));
        Accepted::new(rows.rows().clone(), self.column(rows), spans)
    }

    /// The record number of every row. Rows and records are both in offset order, so one walk finds them all.
    fn column(&self, rows: &Batch) -> UInt64Array {
        let Some(spans) = rows.spans() else { return UInt64Array::new_null(rows.rows().num_rows()) };
        let mut at = 0;
        let number = |offset: &u64| {
            while self.records.get(at).is_some_and(|record| record.at.offset < *offset) {
                at += 1;
            }
            self.first + at as u64
        };
        UInt64Array::from_iter_values(spans.offsets().values().iter().map(number))
    }
}

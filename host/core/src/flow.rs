//! The story: what a guest says becomes verdicts, and at each commit rows leave for a sink or for the hold.
//!
//! ```text
//! Said::Rows ── judge ──> pending ──┐
//! Said::Rejected ─────────────────> │  Said::Committed(up_to): every record that begins before it is complete
//! Said::Skipped ──────────────────> │    one bad row makes its whole record bad, in all tables
//!                                   ├──> good rows ──> Sinks      (as `Accepted`, which only this room makes)
//!                                   ├──> bad rows  ──> Hold       (as `Rejected`, with every reason)
//!                                   └──> spans     ──> Ledger     (every byte in exactly one class)
//! ```
//!
//! Nothing leaves between commits. What a commit releases depends on what was said before it and on nothing else: not on
//! where batches were cut, not on threads, not on time.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::{concat, take};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::batch::Batch;
use crate::contract::TableContract;
use crate::contract::judge::{Finding, Findings, judge};
use crate::contract::verdict::{Accepted, Code, Rejected, RejectedRow, Violation};
use crate::fault::{Blame, Blamed, FaultReport, Span};
use crate::id::TableName;
use crate::intake::{Rejection, Said, SkipKind, TableId};
use crate::ledger::{Account, Ledger, Overlap, Record};

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
    wanted: Vec<TableName>,
    tables: Vec<Table>,
    rejections: Vec<Rejection>,
    ledger: Ledger,
    tally: Tally,
}

/// A table of the run and what of it waits for a commit.
struct Table {
    contract: TableContract,
    pending: Vec<Rows>,
    /// Rows released so far. The ordinal of a row that has no record to count in.
    released: u64,
}

impl<S: Sinks, H: Hold> Flow<S, H> {
    /// Opens a flow. `wanted` are the tables to write; `fault_codes` the parser's own words, by index.
    pub fn new(sinks: S, hold: H, wanted: Vec<TableName>, fault_codes: Vec<String>) -> Self {
        Self {
            sinks,
            hold,
            fault_codes,
            wanted,
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
                let wanted = self.wanted.contains(&name);
                if wanted {
                    self.sinks.open(table, &name, schema.declared())?;
                }
                let contract = TableContract::declared(&schema);
                self.tables.push(Table { contract, pending: Vec::new(), released: 0 });
                let has_spans = schema.has_spans();
                self.tally.tables.push(TableTally { name, wanted, has_spans, accepted: 0, quarantined: 0 });
            }
            Said::Rows { table, batch } => {
                let at = self.tables.get_mut(table.0).ok_or(FlowFault::UnknownTable(table))?;
                at.pending.push(Rows::judged(batch, &at.contract));
            }
            Said::Rejected(records) => self.rejections.extend(records),
            Said::Skipped(skip) => {
                *self.tally.skipped_by_kind.entry(skip.kind).or_default() += skip.at.length;
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
            due.push(Rows::gather(Rows::split_off_due(&mut table.pending, up_to)?)?);
        }
        let rejections = self.take_due_rejections(up_to);
        let bad = Bad::among(&due, &self.tally.tables, &rejections);
        let records = records_of(&due, &rejections, &bad);
        self.ledger.settle(up_to, &records)?;

        let numbers = Numbers { first: self.tally.records, records: &records };
        self.tally.records += records.len() as u64;
        let mut rejected = self.reject_unreadable(rejections, &numbers);
        for (at, rows) in due.into_iter().enumerate() {
            let Some(rows) = rows else { continue };
            self.route(TableId(at), rows, &bad, &numbers, &mut rejected)?;
        }
        self.hold_in_order(rejected)
    }

    fn take_due_rejections(&mut self, up_to: u64) -> Vec<Rejection> {
        let (due, later) =
            std::mem::take(&mut self.rejections).into_iter().partition(|r| r.at.offset < up_to);
        self.rejections = later;
        due
    }

    /// Sends the good rows of one table on and collects the bad ones.
    fn route(
        &mut self,
        table: TableId,
        rows: Rows,
        bad: &Bad,
        numbers: &Numbers<'_>,
        rejected: &mut Vec<(Place, Rejected)>,
    ) -> Result<(), FlowFault> {
        let first_ordinal = self.tables.get(table.0).map_or(0, |t| t.released);
        let verdicts = rows.verdicts(bad);
        let tally = self.tally.tables.get_mut(table.0).ok_or(FlowFault::UnknownTable(table))?;
        tally.accepted += (rows.len() - verdicts.bad.len()) as u64;
        tally.quarantined += verdicts.bad.len() as u64;
        let name = tally.name.clone();
        let wanted = tally.wanted;
        for row in &verdicts.bad {
            let ordinal = if rows.spans.is_some() { rows.ordinal(*row) } else { first_ordinal + *row as u64 };
            let place = Place { offset: rows.offset(*row), table: table.0, ordinal };
            rejected.push((place, rows.reject(*row, ordinal, &name, bad, numbers)));
        }
        if let Some(table) = self.tables.get_mut(table.0) {
            table.released += rows.len() as u64;
        }
        if wanted && verdicts.bad.len() < rows.len() {
            let accepted = rows.accept(&verdicts, numbers)?;
            self.sinks.write(table, &accepted)?;
        }
        Ok(())
    }

    fn reject_unreadable(&self, rejections: Vec<Rejection>, numbers: &Numbers<'_>) -> Vec<(Place, Rejected)> {
        let unreadable = |(ordinal, rejection): (usize, Rejection)| {
            let rule = self.fault_codes.get(usize::from(rejection.fault)).cloned().unwrap_or_default();
            let violation = Violation {
                code: Code::ParserFault,
                column: None,
                rule,
                expected: None,
                observed: Some(rejection.message).filter(|m| !m.raw().is_empty()),
            };
            // Before the rows of any table: what could not be read is the reason for what follows.
            let place = Place { offset: Some(rejection.at.offset), table: 0, ordinal: 0 };
            let rejected = Rejected {
                record_no: numbers.of(rejection.at.offset),
                at: Some(rejection.at),
                row: None,
                violations: vec![violation],
                n_violations: 1,
            };
            (ordinal, (place, rejected))
        };
        rejections.into_iter().enumerate().map(unreadable).map(|(_, placed)| placed).collect()
    }

    fn hold_in_order(&mut self, mut rejected: Vec<(Place, Rejected)>) -> Result<(), FlowFault> {
        rejected.sort_by_key(|(place, rejected)| {
            (place.offset, rejected.row.is_some(), place.table, place.ordinal)
        });
        for (_, rejected) in &rejected {
            self.tally.quarantine.add(rejected);
            self.hold.hold(rejected)?;
        }
        Ok(())
    }
}

/// Where a quarantined row stands in the order of the quarantine.
struct Place {
    offset: Option<u64>,
    table: usize,
    ordinal: u64,
}

/// Rows of one table that were judged and wait for a commit, or have just been released by one.
struct Rows {
    cells: RecordBatch,
    spans: Option<(UInt64Array, UInt32Array)>,
    findings: Findings,
}

/// The rows of a table that go to quarantine, ascending.
struct Verdicts {
    bad: Vec<usize>,
}

impl Rows {
    fn judged(batch: Batch, contract: &TableContract) -> Self {
        let findings = judge(&batch, contract);
        let spans = batch.spans().map(|spans| (spans.offsets().clone(), spans.lengths().clone()));
        Self { cells: batch.into_rows(), spans, findings }
    }

    fn len(&self) -> usize {
        self.cells.num_rows()
    }

    fn offset(&self, row: usize) -> Option<u64> {
        self.spans.as_ref().and_then(|(offsets, _)| offsets.values().get(row).copied())
    }

    fn span(&self, row: usize) -> Option<Span> {
        let (offsets, lengths) = self.spans.as_ref()?;
        let length = u64::from(*lengths.values().get(row)?);
        Some(Span { offset: *offsets.values().get(row)?, length })
    }

    /// The row's place among the rows of its record. Rows are in offset order here, so its record's rows stand together.
    fn ordinal(&self, row: usize) -> u64 {
        let offset = self.offset(row);
        (0..row).rev().take_while(|before| self.offset(*before) == offset).count() as u64
    }

    /// Takes what begins before `up_to` out of `pending`. Rows without spans are always due.
    fn split_off_due(pending: &mut Vec<Rows>, up_to: u64) -> Result<Vec<Rows>, FlowFault> {
        let mut due = Vec::with_capacity(pending.len());
        let mut later = Vec::new();
        for rows in std::mem::take(pending) {
            let is_due = |row: &usize| rows.offset(*row).is_none_or(|offset| offset < up_to);
            let (now, then): (Vec<usize>, Vec<usize>) = match &rows.spans {
                // Nearly always a batch is due as a whole: say so without listing its rows.
                Some((offsets, _)) if offsets.values().iter().any(|offset| *offset >= up_to) => {
                    (0..rows.len()).partition(is_due)
                }
                _ => {
                    due.push(rows);
                    continue;
                }
            };
            if !now.is_empty() {
                due.push(rows.take(&now)?);
            }
            later.push(rows.take(&then)?);
        }
        *pending = later;
        Ok(due)
    }

    /// Makes one of many, in offset order; rows of one record keep the order in which they were said.
    fn gather(mut parts: Vec<Rows>) -> Result<Option<Rows>, FlowFault> {
        let rows = match parts.len() {
            0 => return Ok(None),
            1 => parts.remove(0),
            _ => Self::concat(&parts)?,
        };
        let Some((offsets, _)) = rows.spans.as_ref().filter(|(offsets, _)| !offsets.values().is_sorted())
        else {
            return Ok(Some(rows));
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|row| offsets.values().get(*row));
        rows.take(&order).map(Some)
    }

    fn concat(parts: &[Rows]) -> Result<Rows, FlowFault> {
        let schema = parts
            .first()
            .map(|rows| rows.cells.schema())
            .unwrap_or_else(|| SchemaRef::new(arrow_schema::Schema::empty()));
        let cells = concat::concat_batches(&schema, parts.iter().map(|rows| &rows.cells))?;
        let spans: Option<Vec<_>> = parts.iter().map(|rows| rows.spans.as_ref()).collect();
        let spans = spans.map(|spans| {
            let offsets = spans.iter().flat_map(|(offsets, _)| offsets.values().iter().copied());
            let lengths = spans.iter().flat_map(|(_, lengths)| lengths.values().iter().copied());
            (UInt64Array::from_iter_values(offsets), UInt32Array::from_iter_values(lengths))
        });
        let mut findings = Findings::default();
        let mut base = 0;
        for rows in parts {
            findings.append(&rows.findings, base);
            base += rows.len();
        }
        Ok(Rows { cells, spans, findings })
    }

    /// Returns the listed rows, in the order listed.
    fn take(&self, rows: &[usize]) -> Result<Rows, FlowFault> {
        let indices = UInt64Array::from_iter_values(rows.iter().map(|row| *row as u64));
        let spans = self.spans.as_ref().map(|(offsets, lengths)| {
            let pick =
                |row: &usize| (offsets.values().get(*row).copied(), lengths.values().get(*row).copied());
            let (offsets, lengths): (Vec<_>, Vec<_>) = rows.iter().map(pick).unzip();
            (UInt64Array::from(offsets), UInt32Array::from(lengths))
        });
        Ok(Rows {
            cells: take::take_record_batch(&self.cells, &indices)?,
            spans,
            findings: self.findings.pick(rows),
        })
    }

    /// A row is bad if its record is, or, where it has none, if something is wrong with itself.
    fn verdicts(&self, bad: &Bad) -> Verdicts {
        let Some((offsets, _)) = &self.spans else {
            return Verdicts { bad: self.findings.rows().collect() };
        };
        if bad.records.is_empty() {
            return Verdicts { bad: Vec::new() };
        }
        let is_bad = |(row, offset): (usize, &u64)| bad.records.contains_key(offset).then_some(row);
        Verdicts { bad: offsets.values().iter().enumerate().filter_map(is_bad).collect() }
    }

    fn accept(&self, verdicts: &Verdicts, numbers: &Numbers<'_>) -> Result<Accepted, FlowFault> {
        if verdicts.bad.is_empty() {
            let record_no = numbers.column(self);
            return Ok(Accepted::new(self.cells.clone(), record_no, self.spans.clone()));
        }
        let mut bad = verdicts.bad.iter().peekable();
        let good: Vec<usize> = (0..self.len()).filter(|row| bad.next_if_eq(&row).is_none()).collect();
        let kept = self.take(&good)?;
        let record_no = numbers.column(&kept);
        Ok(Accepted::new(kept.cells, record_no, kept.spans))
    }

    fn reject(
        &self,
        row: usize,
        ordinal: u64,
        table: &TableName,
        bad: &Bad,
        numbers: &Numbers<'_>,
    ) -> Rejected {
        let finding = self.findings.of(row).cloned().unwrap_or_else(|| {
            let culprit = self.offset(row).and_then(|offset| bad.records.get(&offset));
            Finding::of(companion(culprit))
        });
        Rejected {
            record_no: self.offset(row).and_then(|offset| numbers.of(offset)),
            at: self.span(row),
            row: Some(RejectedRow { table: table.clone(), ordinal, cells: self.cells.slice(row, 1) }),
            violations: finding.violations,
            n_violations: finding.count,
        }
    }
}

/// The reason of a row that is only there because another row of its record is bad.
fn companion(culprit: Option<&Culprit>) -> Violation {
    let observed = culprit.map(|culprit| match culprit {
        Culprit::Row { table, ordinal } => format!("row {ordinal} of table `{table}` is bad"),
        Culprit::Unreadable => "the parser could not read the record".to_owned(),
    });
    Violation {
        code: Code::Companion,
        column: None,
        rule: "record".to_owned(),
        expected: Some("every row of the record is good".to_owned()),
        observed: observed.map(|text| crate::guest_text::GuestText::new(&text, 256)),
    }
}

/// The first reason for which a record is bad.
enum Culprit {
    Unreadable,
    Row { table: TableName, ordinal: u64 },
}

/// The bad records among those that a commit releases, by offset.
struct Bad {
    records: BTreeMap<u64, Culprit>,
}

impl Bad {
    fn among(due: &[Option<Rows>], tables: &[TableTally], rejections: &[Rejection]) -> Self {
        let mut records = BTreeMap::new();
        for rejection in rejections {
            records.insert(rejection.at.offset, Culprit::Unreadable);
        }
        for (rows, table) in due.iter().zip(tables).filter_map(|(rows, table)| Some((rows.as_ref()?, table)))
        {
            for row in rows.findings.rows() {
                if let Some(offset) = rows.offset(row) {
                    let culprit = || Culprit::Row { table: table.name.clone(), ordinal: rows.ordinal(row) };
                    records.entry(offset).or_insert_with(culprit);
                }
            }
        }
        Self { records }
    }
}

/// Lists the records that a commit releases, ascending, each once.
fn records_of(due: &[Option<Rows>], rejections: &[Rejection], bad: &Bad) -> Vec<Record> {
    let mut spans: Vec<Span> = Vec::new();
    for (offsets, lengths) in due.iter().flatten().filter_map(|rows| rows.spans.as_ref()) {
        let of_table = offsets
            .values()
            .iter()
            .zip(lengths.values())
            .map(|(offset, length)| Span { offset: *offset, length: u64::from(*length) });
        for span in of_table {
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

    /// The record number of every row. Rows and records are both in offset order, so one walk finds them all.
    fn column(&self, rows: &Rows) -> UInt64Array {
        let Some((offsets, _)) = &rows.spans else { return UInt64Array::new_null(rows.len()) };
        let mut at = 0;
        let number = |offset: &u64| {
            while self.records.get(at).is_some_and(|record| record.at.offset < *offset) {
                at += 1;
            }
            self.first + at as u64
        };
        UInt64Array::from_iter_values(offsets.values().iter().map(number))
    }
}

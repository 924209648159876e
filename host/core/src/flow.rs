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
//!
//! After a trap [`Said::TakenBack`] forgets what waits, tables that were opened among it, and [`Said::Killed`] holds the record that did it.

mod budget;
mod claims;
mod due;
mod tally;

use std::sync::Arc;

use arrow_schema::{ArrowError, Schema, SchemaRef};
use thiserror::Error;

use crate::contract::judge::{SchemaFault, TableJudge, parser_fault};
use crate::contract::verdict::{
    Accepted, BrokenRule, Code, OBSERVED_BYTES_MAX, Rejected, RejectedRow, Violation,
};
use crate::contract::{Contract, ExtraTables, Severity, TableContract};
use crate::digest::{QuarantineDigest, TableDigest};
use crate::fault::{Blame, Blamed, FaultReport};
use crate::guest_text::GuestText;
use crate::id::TableName;
use crate::intake::{Killer, Rejection, Said, Skip, TableId};
use crate::ledger::{Account, Ledger, Overlap, Record};
use crate::wanted::Wanted;
use crate::wire::TableSchema;

use budget::Budgets;
use claims::Claims;
pub use claims::ProvideScratch;
use due::{Bad, Culprit, Due, Numbers, Waiting, What, in_order, records_of};
pub use tally::{BrokenBudget, QuarantineTally, TableTally, Tally, WarningTally};

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
    /// A table does not fit the contract.
    #[error(transparent)]
    Schema(#[from] SchemaFault),
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
            FlowFault::Schema(fault) => fault.blame(),
            FlowFault::Port(port) => port.0.blame,
            FlowFault::Arrow(_) | FlowFault::UnknownTable(_) => Blame::Host,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            FlowFault::Overlap(overlap) => overlap.code(),
            FlowFault::Schema(fault) => fault.code(),
            FlowFault::Port(_) => "output-failed",
            FlowFault::Arrow(_) | FlowFault::UnknownTable(_) => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            FlowFault::Overlap(overlap) => overlap.hint(),
            FlowFault::Schema(fault) => fault.hint(),
            FlowFault::Port(port) => port.0.hint.clone(),
            FlowFault::Arrow(_) | FlowFault::UnknownTable(_) => None,
        }
    }
}

/// One run's flow.
pub struct Flow<S, H> {
    sinks: S,
    hold: H,
    terms: Terms,
    /// What a record breaks that cannot be read: the parser's own word for it, by its index.
    faults: Vec<Arc<BrokenRule>>,
    /// What a row breaks that is good by itself.
    companion: Arc<BrokenRule>,
    /// Tables whose rows are written.
    wanted: Wanted,
    tables: Vec<Table>,
    /// Tables that were opened since the last commit, in the order of their opening, behind those.
    opening: Vec<Opening>,
    claims: Claims,
    rejections: Vec<Rejection>,
    /// Skips that wait for a commit.
    skips: Vec<Skip>,
    /// The end of the furthest skip that was counted.
    skipped_up_to: u64,
    /// The same when a guest trapped: whoever goes on says again what lies before it.
    counted_up_to: u64,
    ledger: Ledger,
    tally: Tally,
    held: QuarantineDigest,
}

/// What rows are judged by.
enum Terms {
    /// The schema that the parser declares.
    Declared,
    /// A written contract. Keys that do not fit into memory go to a scratch file.
    Written { contract: Arc<Contract>, scratch: ProvideScratch },
}

/// Checks that a contract fits a table as a parser declares it: what a flow checks when the table is opened.
pub fn check_fit(contract: &Contract, name: &TableName, columns: &TableSchema) -> Result<(), SchemaFault> {
    let contract = Terms::written(contract, name, columns.meant())?;
    Budgets::new(&contract)?;
    TableJudge::new(contract, columns.declared(), columns.meant()).map(drop)
}

impl Terms {
    fn of_table(&self, name: &TableName, meant: &Schema) -> Result<TableContract, SchemaFault> {
        match self {
            Terms::Declared => Ok(TableContract::declared(name, meant)),
            Terms::Written { contract, .. } => Self::written(contract, name, meant),
        }
    }

    fn written(contract: &Contract, name: &TableName, meant: &Schema) -> Result<TableContract, SchemaFault> {
        match (contract.table(name), contract.extra_tables) {
            (Some(table), _) => Ok(table.clone()),
            (None, ExtraTables::Evolve) => Ok(TableContract::declared(name, meant)),
            (None, ExtraTables::Freeze) => Err(SchemaFault::ExtraTable { table: name.clone() }),
        }
    }
}

/// A table that a trap may still take back.
struct Opening {
    name: TableName,
    schema: TableSchema,
    waiting: Vec<Waiting>,
}

/// A table of the run and what of it waits for a commit.
struct Table {
    judge: TableJudge,
    budgets: Budgets,
    waiting: Vec<Waiting>,
    /// Rows released so far. The ordinal of a row that has no record to count in.
    released: u64,
    /// Of the rows that are written. None: nobody wants any.
    digest: Option<TableDigest>,
}

impl<S: Sinks, H: Hold> Flow<S, H> {
    /// Opens a flow. `wanted` are the tables to write; `fault_codes` the parser's own words, by index. Rows are judged by the
    /// schema that the parser declares.
    pub fn new(sinks: S, hold: H, wanted: impl Into<Wanted>, fault_codes: Vec<String>) -> Self {
        Self {
            sinks,
            hold,
            terms: Terms::Declared,
            faults: fault_codes.iter().map(|word| parser_fault(word)).collect(),
            companion: Arc::new(companion()),
            wanted: wanted.into(),
            tables: Vec::new(),
            opening: Vec::new(),
            claims: Claims::default(),
            rejections: Vec::new(),
            skips: Vec::new(),
            skipped_up_to: 0,
            counted_up_to: 0,
            ledger: Ledger::default(),
            tally: Tally::default(),
            held: QuarantineDigest::default(),
        }
    }

    /// Judges rows by a written contract. `scratch` is asked for a file for each key whose values do not fit into memory.
    #[must_use]
    pub fn with_contract(mut self, contract: impl Into<Arc<Contract>>, scratch: ProvideScratch) -> Self {
        self.terms = Terms::Written { contract: contract.into(), scratch };
        self
    }

    /// Hears one thing that the guest said.
    pub fn hear(&mut self, said: Said) -> Result<(), FlowFault> {
        match said {
            Said::Opened { name, schema, .. } => {
                self.opening.push(Opening { name, schema, waiting: Vec::new() });
            }
            Said::Rows { table, batch } => self.waiting(table)?.push(Waiting::new(batch)),
            Said::Rejected(records) => self.rejections.extend(records),
            Said::Skipped(skip) => self.skips.push(skip),
            Said::Committed { up_to } => {
                self.open_all()?;
                self.commit(up_to)?;
            }
            Said::Stands => {
                self.open_all()?;
                self.pass_skips(u64::MAX);
            }
            Said::TakenBack { .. } => self.forget(),
            Said::Killed(killer) => self.bury(&killer)?,
        }
        Ok(())
    }

    /// Returns where rows of a table wait.
    fn waiting(&mut self, table: TableId) -> Result<&mut Vec<Waiting>, FlowFault> {
        let opened = self.tables.len();
        let waiting = match table.0.checked_sub(opened) {
            None => self.tables.get_mut(table.0).map(|table| &mut table.waiting),
            Some(at) => self.opening.get_mut(at).map(|opening| &mut opening.waiting),
        };
        waiting.ok_or(FlowFault::UnknownTable(table))
    }

    /// Opens the tables that nobody takes back any more.
    fn open_all(&mut self) -> Result<(), FlowFault> {
        std::mem::take(&mut self.opening).into_iter().try_for_each(|opening| self.open(opening))
    }

    /// Tells the ledger of the skips that begin before `up_to`: nobody takes them back any more.
    fn pass_skips(&mut self, up_to: u64) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.skips).into_iter().partition(|skip| skip.at.offset < up_to);
        self.skips = later;
        for Skip { at, kind } in due {
            let end = at.end().unwrap_or(u64::MAX);
            let skipped = self.tally.skipped_by_kind.entry(kind).or_default();
            // A byte may be said again and again.
            *skipped = skipped.saturating_add(end.saturating_sub(at.offset.max(self.counted_up_to)));
            self.skipped_up_to = self.skipped_up_to.max(end);
            self.ledger.skip(at);
        }
    }

    /// Forgets what waits for a commit.
    fn forget(&mut self) {
        self.opening.clear();
        self.tables.iter_mut().for_each(|table| table.waiting.clear());
        self.rejections.clear();
        self.skips.clear();
        self.counted_up_to = self.skipped_up_to;
    }

    /// Holds a record that killed the parser. Nothing waits: what was said before it is committed, the rest was taken back.
    fn bury(&mut self, killer: &Killer) -> Result<(), FlowFault> {
        let end = killer.at.end().unwrap_or(u64::MAX);
        self.pass_skips(end);
        self.ledger.settle(end, &[Record { at: killer.at, accepted: false }])?;
        let record_no = self.tally.records;
        self.tally.records += 1;
        let rule =
            BrokenRule { column: None, name: killer.word.clone(), expected: None, severity: Severity::Error };
        let violation = Violation {
            code: killer.cause.code(),
            rule: Arc::new(rule),
            observed: Some(killer.message.clone()).filter(|message| !message.raw().is_empty()),
        };
        self.put_away(&Rejected {
            record_no: Some(record_no),
            at: Some(killer.at),
            row: None,
            violations: vec![violation],
            n_violations: 1,
        })
    }

    /// Counts a bad row, or a record that could not be read, and holds it.
    fn put_away(&mut self, rejected: &Rejected) -> Result<(), FlowFault> {
        self.tally.quarantine.add(rejected);
        self.held.add(rejected);
        Ok(self.hold.hold(rejected)?)
    }

    fn open(&mut self, opening: Opening) -> Result<(), FlowFault> {
        let Opening { name, schema, waiting } = opening;
        let table = TableId(self.tables.len());
        let contract = self.terms.of_table(&name, schema.meant())?;
        let budgets = Budgets::new(&contract)?;
        let judge = TableJudge::new(contract, schema.declared(), schema.meant())?;
        let wanted = self.wanted.has(name.as_str());
        if wanted {
            self.sinks.open(table, &name, judge.declared())?;
        }
        if let Terms::Written { contract, scratch } = &self.terms {
            self.claims.open(table.0, judge.contract(), claims::share(contract), scratch);
        }
        let has_spans = schema.has_spans();
        let digest = wanted.then(|| TableDigest::of_written(&name, judge.declared().fields(), has_spans));
        self.tables.push(Table { judge, budgets, waiting, released: 0, digest });
        self.tally.tables.push(TableTally::new(name, wanted, has_spans));
        Ok(())
    }

    /// Returns what has been counted so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Ends a flow that went well. What was never committed is dropped; the intake has refused it already, and has had tables stand
    /// that were opened.
    pub fn finish(mut self, input_bytes: u64) -> (S, H, Tally, Account) {
        self.pass_skips(u64::MAX);
        self.look_at_budgets();
        for (tally, table) in self.tally.tables.iter_mut().zip(self.tables) {
            tally.digest = table.digest.map(TableDigest::finish);
        }
        self.tally.quarantine.digest = Some(self.held.finish());
        (self.sinks, self.hold, self.tally, self.ledger.close(input_bytes))
    }

    fn commit(&mut self, up_to: u64) -> Result<(), FlowFault> {
        self.pass_skips(up_to);
        let mut due = Vec::with_capacity(self.tables.len());
        for (table, rank) in self.tables.iter_mut().zip(self.tally.ranks()) {
            due.push(Due::of(&mut table.waiting, &table.judge, (rank, table.released), up_to)?);
        }
        let rejections = self.take_due_rejections(up_to);
        let bad = Bad::among(&due, &rejections);
        let bad = self.claims.settle(&mut due, bad).map_err(PortFault)?;
        due.iter_mut().for_each(|due| due.convict(&bad));
        let records = records_of(&due, &rejections, &bad);
        self.ledger.settle(up_to, &records)?;

        let numbers = Numbers { first: self.tally.records, records: &records };
        self.tally.records += records.len() as u64;
        for (at, due) in due.iter().enumerate() {
            self.accept(TableId(at), due, &numbers)?;
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
    fn accept(&mut self, at: TableId, due: &Due, numbers: &Numbers<'_>) -> Result<(), FlowFault> {
        let Some(judged) = &due.judged else { return Ok(()) };
        let unknown = FlowFault::UnknownTable(at);
        let (Some(table), Some(tally)) = (self.tables.get_mut(at.0), self.tally.tables.get_mut(at.0)) else {
            return Err(unknown);
        };
        let (all, quarantined) = (due.num_rows() as u64, due.count_quarantined());
        table.released += all;
        tally.accepted += all - quarantined;
        tally.quarantined += quarantined;
        let (name, wanted) = (tally.name.clone(), tally.wanted);
        for (rule, rows) in judged.warnings(due.quarantined()) {
            self.tally.warn(&name, rule, rows);
        }
        let is_looked_at = wanted || !table.budgets.is_empty();
        if !is_looked_at || quarantined == all {
            return Ok(());
        }
        let Some((rows, spans)) = due.good_rows()? else { return Ok(()) };
        table.budgets.count(&rows);
        if wanted {
            let accepted = numbers.accepted(rows, spans);
            table.digest.as_mut().map_or(Ok(()), |digest| digest.add_written(&accepted))?;
            self.sinks.write(at, &accepted)?;
        }
        Ok(())
    }

    fn look_at_budgets(&mut self) {
        for (at, table, rows) in self.claims.warnings() {
            if let Some(tally) = self.tally.tables.get(at) {
                let name = tally.name.clone();
                self.tally.warn(&name, table, rows);
            }
        }
        for (at, table) in self.tables.iter().enumerate() {
            let Some(tally) = self.tally.tables.get(at) else { continue };
            for (severity, broken) in table.budgets.broken(at, table.judge.contract(), tally, &self.claims) {
                match severity {
                    Severity::Error => self.tally.held.push(broken),
                    Severity::Warning => self.tally.warnings.push(broken.into()),
                }
            }
        }
    }

    /// Holds what is bad, in the order of the input: a record that could not be read before its rows, since it is the reason
    /// for what follows; then table by table, by name.
    fn hold_the_bad(
        &mut self,
        due: &[Due],
        rejections: &[Rejection],
        bad: &Bad,
        numbers: &Numbers<'_>,
    ) -> Result<(), FlowFault> {
        for place in in_order(due, rejections) {
            let rejected = match place.what {
                What::Unreadable(at) => rejections.get(at).map(|r| self.unreadable(r, numbers)),
                What::Row { table, row, ordinal, .. } => {
                    due.get(table).and_then(|due| self.bad_row(due, (table, row, ordinal), bad, numbers))
                }
            };
            if let Some(rejected) = rejected {
                self.put_away(&rejected)?;
            }
        }
        Ok(())
    }

    fn unreadable(&self, rejection: &Rejection, numbers: &Numbers<'_>) -> Rejected {
        let rule = self.faults.get(usize::from(rejection.fault)).cloned();
        let violation = Violation {
            code: Code::ParserFault,
            rule: rule.unwrap_or_else(|| parser_fault("")),
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
        let judged = due.judged.as_ref()?;
        let at = judged.batch().span(row);
        let (mut violations, mut n_violations) = judged.violations(row);
        if n_violations == 0 {
            let culprit = at.and_then(|at| bad.culprit(at.offset));
            (violations, n_violations) = (vec![self.companion(culprit)], 1);
        }
        Some(Rejected {
            record_no: at.and_then(|at| numbers.of(at.offset)),
            at,
            row: Some(RejectedRow {
                table: self.tally.tables.get(table)?.name.clone(),
                ordinal,
                batch: Arc::clone(judged.sent()),
                row,
            }),
            violations,
            n_violations,
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
            rule: Arc::clone(&self.companion),
            observed: observed.map(|text| GuestText::new(&text, OBSERVED_BYTES_MAX)),
        }
    }
}

fn companion() -> BrokenRule {
    BrokenRule {
        column: None,
        name: "record".to_owned(),
        expected: Some("every row of the record is good".to_owned()),
        severity: Severity::Error,
    }
}

//! What the ranges of one input come to together: each was taken in apart, by an [`crate::intake::Intake`] of its own and perhaps
//! at the same time as others; here their words are heard range after range, as if one guest had said them.
//!
//! A guest of a range knows nothing of the others, so what binds an input as a whole is checked here: a table has one schema,
//! nothing begins before what earlier ranges have said, and bounds on an input hold for the sum. Nothing here knows how many
//! ranges were parsed at a time. So neither does what comes out.

use thiserror::Error;

use crate::batch::Batch;
use crate::fault::{Blame, Blamed, FaultReport, Span};
use crate::guest_text::GuestText;
use crate::id::TableName;
use crate::intake::{Killer, Refusal, Said, TableId, check_fields};
use crate::isolate::{Cause, Restarts, Toll, check_restarts};
use crate::limits::{Budget, LimitExceeded, Limits, Meter, Spent};
use crate::wire::TableSchema;

/// Ranges do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeFault {
    /// A rule of the interface was broken, by ranges that kept it apart.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// All ranges together have too many records that kill the parser, or too large ones.
    #[error(
        "the parser is ended by the record at {} ({}{}), and nothing goes on: {limit}",
        killer.at,
        killer.word,
        said(&killer.message)
    )]
    Killers {
        /// The one that is too many.
        killer: Killer,
        /// The bound.
        limit: LimitExceeded,
    },
    /// All ranges together have too many traps that no record is to blame for.
    #[error("the parser trapped in {range}, and nothing goes on: {limit}")]
    Restarts {
        /// The range with the one that is too many.
        range: Span,
        /// The bound.
        limit: LimitExceeded,
    },
}

fn said(message: &GuestText) -> String {
    if message.raw().is_empty() { String::new() } else { format!(": {message}") }
}

impl From<LimitExceeded> for MergeFault {
    fn from(limit: LimitExceeded) -> Self {
        MergeFault::Refused(Refusal::Limit(limit))
    }
}

impl Blamed for MergeFault {
    fn blame(&self) -> Blame {
        match self {
            MergeFault::Refused(refusal) => refusal.blame(),
            MergeFault::Killers { .. } | MergeFault::Restarts { .. } => Blame::Guest,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            MergeFault::Refused(refusal) => refusal.code(),
            MergeFault::Killers { killer, .. } => match killer.cause {
                Cause::Trap => "guest-trap",
                Cause::Fuel => "fuel-exhausted",
                Cause::Memory => "memory-limit",
                Cause::Handles => "handle-limit",
                Cause::Stack => "limit-exceeded",
                Cause::HostCall => "hostcall-refused",
            },
            MergeFault::Restarts { .. } => "guest-trap",
        }
    }

    fn hint(&self) -> Option<String> {
        if let MergeFault::Refused(refusal) = self { refusal.hint() } else { None }
    }

    fn report(&self) -> FaultReport {
        let at = if let MergeFault::Killers { killer, .. } = self { Some(killer.at) } else { None };
        FaultReport {
            blame: self.blame(),
            code: self.code().to_owned(),
            message: self.to_string(),
            hint: self.hint(),
            at,
        }
    }
}

/// The ranges of one input, heard one after the other.
pub struct Merge {
    limits: Limits,
    tables: Vec<(TableName, TableSchema)>,
    /// How many of them nobody takes back any more.
    tables_settled: usize,
    open_tables: Meter,
    budget: Budget,
    /// Everything before it has been let go.
    watermark: u64,
    /// Of the ranges that have come to their end.
    toll: Toll,
    /// Killers among all that was heard.
    killers: Toll,
    /// Traps since the last killer.
    restarts: u64,
    range: Speaking,
}

/// The range that is heard.
struct Speaking {
    at: Span,
    /// Nothing begins before it: earlier ranges have said all that does.
    floor: u64,
    /// Its own tables, as tables of the run.
    tables: Vec<TableId>,
    /// How many of them it does not take back any more.
    tables_settled: usize,
}

impl Speaking {
    fn new(at: Span, floor: u64) -> Self {
        Self { at, floor, tables: Vec::new(), tables_settled: 0 }
    }
}

impl Merge {
    /// Begins with the range that speaks first. What was said of the input as a whole comes with it.
    pub fn new(limits: &Limits, input_bytes: u64) -> Self {
        Self {
            limits: limits.clone(),
            tables: Vec::new(),
            tables_settled: 0,
            open_tables: Meter::new("open tables", limits.tables_max),
            budget: Budget::new(limits, input_bytes),
            watermark: 0,
            toll: Toll::default(),
            killers: Toll::default(),
            restarts: 0,
            range: Speaking::new(Span { offset: 0, length: input_bytes }, 0),
        }
    }

    /// Goes on with the next range, behind one that has come to its end. Everything before it has been said; the word for it is
    /// returned where that was not said yet.
    pub fn begin_next(&mut self, range: Span) -> Option<Said> {
        let behind = (range.offset > self.watermark).then_some(Said::Committed { up_to: range.offset });
        self.watermark = self.watermark.max(range.offset);
        self.range = Speaking::new(range, self.watermark);
        behind
    }

    /// Hears one thing of the range that speaks. Returns it as a word of the run, unless there is none: a table that is opened
    /// again.
    pub fn hear(&mut self, said: Said) -> Result<Option<Said>, MergeFault> {
        Ok(Some(match said {
            Said::Opened { table, name, schema } => return self.open(table, name, schema),
            Said::Rows { table, batch } => Said::Rows { table: self.take_rows(table, &batch)?, batch },
            Said::Rejected(records) => {
                records.iter().try_for_each(|record| self.check_floor("rejection", record.at))?;
                Said::Rejected(records)
            }
            Said::Skipped(skip) => {
                self.check_floor("skip", skip.at)?;
                Said::Skipped(skip)
            }
            Said::Committed { up_to } => {
                self.settle();
                self.watermark = self.watermark.max(up_to);
                Said::Committed { up_to: self.watermark }
            }
            Said::Stands => {
                self.settle();
                Said::Stands
            }
            Said::TakenBack { cost } => {
                self.take_back(cost);
                Said::TakenBack { cost }
            }
            Said::Killed(killer) => Said::Killed(self.bury(killer)?),
        }))
    }

    /// Ends the range that speaks: what going on behind its traps has cost joins that of the others.
    pub fn end(&mut self, toll: Toll, restarts: Restarts) -> Result<(), MergeFault> {
        self.toll = self.toll.and(toll);
        let checked = check_restarts(&self.limits, self.restarts, restarts.before);
        checked.map_err(|limit| MergeFault::Restarts { range: self.range.at, limit })?;
        self.restarts = match toll.killers {
            0 => self.restarts + restarts.before,
            _ => restarts.behind,
        };
        Ok(())
    }

    /// Returns what going on behind traps has cost in the ranges that have come to their end.
    pub fn toll(&self) -> Toll {
        self.toll
    }

    fn open(
        &mut self,
        table: TableId,
        name: TableName,
        schema: TableSchema,
    ) -> Result<Option<Said>, MergeFault> {
        let known = self.tables.iter().position(|(open, _)| *open == name);
        let is_as_before = |at: usize| self.tables.get(at).is_some_and(|(_, first)| *first == schema);
        let at = match known {
            Some(at) if is_as_before(at) => at,
            Some(_) => return Err(Refusal::SchemaChanged { name }.into()),
            None => {
                self.open_tables.spend(1)?;
                check_fields(&self.tables, &schema)?;
                self.tables.push((name.clone(), schema.clone()));
                self.tables.len() - 1
            }
        };
        // Tables are counted as they are opened, by intakes and here.
        debug_assert_eq!(table.0, self.range.tables.len(), "a table was left out");
        self.range.tables.push(TableId(at));
        Ok(known.is_none().then_some(Said::Opened { table: TableId(at), name, schema }))
    }

    /// Pays for rows, and returns whose they are among the tables of the run.
    fn take_rows(&mut self, table: TableId, batch: &Batch) -> Result<TableId, MergeFault> {
        let known = self.range.tables.get(table.0).copied();
        let table = known.ok_or(Refusal::OutOfPhase { call: "output.table.emit" })?;
        if self.range.floor > self.range.at.offset
            && let Some(spans) = batch.spans()
        {
            spans.iter().try_for_each(|at| self.check_floor("row", at))?;
        }
        self.budget.spend(batch.num_rows(), batch.wire_bytes())?;
        Ok(table)
    }

    /// Refuses what begins before that which earlier ranges have said.
    fn check_floor(&self, what: &'static str, at: Span) -> Result<(), Refusal> {
        let Speaking { at: range, floor, .. } = self.range;
        if at.offset >= floor {
            return Ok(());
        }
        let end = range.end().unwrap_or(u64::MAX);
        let allowed = Span { offset: floor, length: end.saturating_sub(floor) };
        Err(Refusal::SpanOutside { what, at, allowed })
    }

    /// Nobody takes back any more what is open now.
    fn settle(&mut self) {
        self.tables_settled = self.tables.len();
        self.range.tables_settled = self.range.tables.len();
    }

    fn take_back(&mut self, cost: Spent) {
        self.budget.give_back(cost);
        self.open_tables.give_back((self.tables.len() - self.tables_settled) as u64);
        self.tables.truncate(self.tables_settled);
        self.range.tables.truncate(self.range.tables_settled);
    }

    fn bury(&mut self, killer: Killer) -> Result<Killer, MergeFault> {
        self.check_floor("record", killer.at)?;
        if let Err(limit) = self.killers.count_killer(&self.limits, killer.at.length) {
            return Err(MergeFault::Killers { killer, limit });
        }
        self.watermark = self.watermark.max(killer.at.end().unwrap_or(u64::MAX));
        Ok(killer)
    }
}

impl std::fmt::Debug for Merge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merge").field("range", &self.range.at).field("watermark", &self.watermark).finish()
    }
}

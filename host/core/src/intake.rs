//! What a guest says, taken in: the rules of `wit/world.wit` that bind `open`, `emit`, `reject`, `skip` and `commit`.
//!
//! The intake stands on the guest's own thread, so whatever a guest can observe follows from its own history alone. What
//! passes becomes a [`Said`], in order; [`crate::flow`] hears it, perhaps on another thread.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::batch::Batch;
use crate::description::Description;
use crate::fault::{Blame, Blamed, Span};
use crate::guest_text::GuestText;
use crate::id::TableName;
use crate::isolate::Cause;
use crate::limits::{Budget, LimitExceeded, Limits, Meter, RUN_FIELDS_MAX, Spent};
use crate::wire::{self, TableSchema, WireFault};

/// Most bytes of a rejection's or a skip's text that are kept.
pub const NOTE_BYTES_MAX: usize = 256;

/// A table of this run, by the order of its opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub usize);

/// One thing that a guest said and that broke no rule.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a batch is the word that is said most")]
pub enum Said {
    /// A table was opened for the first time.
    Opened {
        /// Its place among the tables of this run.
        table: TableId,
        /// Its name.
        name: TableName,
        /// Its columns.
        schema: TableSchema,
    },
    /// Rows arrived.
    Rows {
        /// For which table.
        table: TableId,
        /// The rows, guarded and decoded.
        batch: Batch,
    },
    /// Records that cannot be read.
    Rejected(Vec<Rejection>),
    /// Bytes that hold no record.
    Skipped(Skip),
    /// Everything before `up_to` has been said.
    Committed {
        /// The watermark.
        up_to: u64,
    },
    /// A call of the guest has come to its end, and skips of it wait for no commit any more: they stand.
    Stands,
    /// The guest has trapped: what it said since its last commit, and what waits for the next one, is as if never said.
    TakenBack {
        /// What of it is given back to the bounds on output.
        cost: Spent,
    },
    /// A record killed the parser. All before it has been said; it is complete by itself.
    Killed(Killer),
}

/// A record on which a parser was ended, again and by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killer {
    /// Where it is.
    pub at: Span,
    /// What ended the parser.
    pub cause: Cause,
    /// The word for it: `unreachable`, `fuel-exhausted`.
    pub word: String,
    /// What there is to say about it.
    pub message: GuestText,
}

/// A record that a parser cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Where it is.
    pub at: Span,
    /// Index into the faults of the parser's description.
    pub fault: u16,
    /// What the parser says about it.
    pub message: GuestText,
}

/// Bytes that hold no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Where they are.
    pub at: Span,
    /// Why they hold none.
    pub kind: SkipKind,
}

/// Why bytes hold no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are the interface's own")]
pub enum SkipKind {
    Blank,
    Comment,
    Preamble,
    Header,
    Footer,
    Separator,
    Padding,
    Other,
}

/// A rule of the interface was broken. The first one is final for the run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The name cannot be a table's.
    #[error("table name {name:?} does not match [a-z][a-z0-9_]{{0,62}}")]
    BadName {
        /// The name.
        name: GuestText,
    },
    /// The parser's description does not list this table.
    #[error("table `{name}` is not among those the parser describes")]
    Undescribed {
        /// The table.
        name: TableName,
    },
    /// The table has other columns than the description says.
    #[error("table `{name}` was opened with another schema than the parser describes")]
    NotAsDescribed {
        /// The table.
        name: TableName,
    },
    /// The schema message is malformed or holds what is not allowed.
    #[error("schema of table `{name}`: {fault}")]
    Schema {
        /// The table.
        name: TableName,
        /// What is wrong with it.
        fault: WireFault,
    },
    /// One table, two schemas.
    #[error("table `{name}` was opened again with another schema")]
    SchemaChanged {
        /// The table.
        name: TableName,
    },
    /// A span reaches out of what may be spoken of now.
    #[error("{what} at {at} is outside {allowed}, which is what may be spoken of now")]
    SpanOutside {
        /// Row, rejection or skip.
        what: &'static str,
        /// Its span.
        at: Span,
        /// Where it may begin; it may end where the input ends.
        allowed: Span,
    },
    /// A record or skip of no bytes.
    #[error("{what} at byte {offset} has no bytes")]
    EmptySpan {
        /// Row, rejection or skip.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// The watermark moved back or too far.
    #[error("commit up to {up_to}, but it may go from {watermark} to {limit}")]
    CommitOutside {
        /// What was asked for.
        up_to: u64,
        /// Where the watermark stands.
        watermark: u64,
        /// How far it may go.
        limit: u64,
    },
    /// `parse` returned, but rows or rejections were never committed.
    #[error("parse returned with {records} rows and rejections not yet committed (watermark {watermark})")]
    Uncommitted {
        /// Rows and rejections.
        records: u64,
        /// Where the watermark stood.
        watermark: u64,
    },
    /// A rejection names a fault that the description does not have.
    #[error("rejection at {at} names fault {fault}, but the parser describes {described}")]
    UnknownFault {
        /// Where.
        at: Span,
        /// The index given.
        fault: u16,
        /// How many there are.
        described: usize,
    },
    /// A `_cf_faults` cell holds a code that the description does not have.
    #[error("`_cf_faults` of table `{table}` holds {code:?}, which the parser does not describe")]
    UnknownFaultCode {
        /// The table.
        table: TableName,
        /// The code.
        code: GuestText,
    },
    /// `describe`, `sniff` or `resync` spoke of output.
    #[error("`{call}` was called outside plan and parse")]
    OutOfPhase {
        /// The call.
        call: &'static str,
    },
    /// Rows that stand for a call and not for a record, by a fresh instance: there would be as many of them as instances.
    #[error(
        "table `{name}` has no spans, and the run has gone on behind a trap: its rows would be written once for each instance"
    )]
    NoSpansBehindTrap {
        /// The table.
        name: TableName,
    },
    /// A bound was reached.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The batch is malformed. This one traps.
    #[error("batch of table `{table}`: {fault}")]
    Batch {
        /// The table.
        table: TableName,
        /// What is wrong with it.
        fault: WireFault,
    },
}

impl Blamed for Refusal {
    fn blame(&self) -> Blame {
        match self {
            Refusal::Schema { fault, .. } | Refusal::Batch { fault, .. } => fault.blame(),
            _ => Blame::Guest,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Refusal::BadName { .. } => "bad-name",
            Refusal::Undescribed { .. } => "undescribed-table",
            Refusal::Schema { fault, .. } | Refusal::Batch { fault, .. } => fault.code(),
            Refusal::SchemaChanged { .. } | Refusal::NotAsDescribed { .. } => "schema-changed",
            Refusal::SpanOutside { .. } => "span-outside",
            Refusal::EmptySpan { .. } => "empty-span",
            Refusal::CommitOutside { .. } => "commit-outside",
            Refusal::Uncommitted { .. } => "uncommitted",
            Refusal::UnknownFault { .. } | Refusal::UnknownFaultCode { .. } => "unknown-fault",
            Refusal::OutOfPhase { .. } => "call-out-of-phase",
            Refusal::NoSpansBehindTrap { .. } => "no-spans-behind-trap",
            Refusal::Limit(limit) => limit.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Refusal::Limit(limit) => limit.hint(),
            Refusal::Uncommitted { .. } => {
                Some("the parser must commit what it has emitted before it returns".to_owned())
            }
            _ => None,
        }
    }
}

/// The guest's side of a run: which tables are open, where the watermark stands, what is left of the bounds.
pub struct Intake {
    input_bytes: u64,
    /// Tables that may be opened, with their schema messages where they are known beforehand. Empty: any.
    described: Vec<(TableName, Option<Vec<u8>>)>,
    fault_codes: BTreeSet<String>,
    tables: Vec<(TableName, TableSchema)>,
    /// How many of them nobody takes back any more.
    tables_settled: usize,
    /// Whether a guest has trapped.
    has_trapped: bool,
    /// What `plan` or `parse` may speak of now; `None` outside them. Records begin in it.
    range: Option<Span>,
    /// Where a commit counts; empty: anywhere. Ascending.
    boundaries: Vec<u64>,
    /// Everything before it has been let go. It only grows.
    watermark: u64,
    /// What the guest takes for the watermark: nothing may begin before it any more. `watermark <= said`.
    said: u64,
    /// The end of the furthest record said so far. A commit may go that far past the range.
    furthest: u64,
    budget: Budget,
    open_tables: Meter,
    pending: Pending,
}

/// Checks that a table that is opened beside others does not have too many fields together with them.
pub(crate) fn check_fields(
    tables: &[(TableName, TableSchema)],
    opened: &TableSchema,
) -> Result<(), LimitExceeded> {
    let mut fields = Meter::new("fields of all tables", RUN_FIELDS_MAX);
    tables.iter().try_for_each(|(_, schema)| fields.spend(schema.count_fields()))?;
    fields.spend(opened.count_fields())
}

impl Intake {
    /// Opens the intake of one run.
    pub fn new(description: &Description, limits: &Limits, input_bytes: u64) -> Self {
        let budget = Budget::new(limits, input_bytes);
        Self {
            input_bytes,
            described: description.tables.iter().map(|t| (t.name.clone(), t.schema.clone())).collect(),
            fault_codes: description.faults.iter().map(|f| f.code.clone()).collect(),
            tables: Vec::new(),
            tables_settled: 0,
            has_trapped: false,
            range: None,
            boundaries: Vec::new(),
            watermark: 0,
            said: 0,
            furthest: 0,
            budget,
            open_tables: Meter::new("open tables", limits.tables_max),
            pending: Pending::new(limits.uncommitted_bytes_max),
        }
    }

    /// Opens the intake of a range that is parsed apart: nothing before `offset` is spoken of in it. What the ranges come to
    /// together [`crate::merge`] looks at.
    #[must_use]
    pub fn starting_at(mut self, offset: u64) -> Self {
        (self.watermark, self.said, self.furthest) = (offset, offset, offset);
        self
    }

    /// Returns the watermark: how much of the input has been said to the end.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// Returns how many bytes wait for a commit. Each commit has to look at them again.
    pub fn waiting_bytes(&self) -> u64 {
        self.pending.bytes
    }

    /// Lets the guest speak of the records that begin in `range`.
    pub fn begin(&mut self, range: Span) {
        self.range = Some(range);
        self.boundaries.clear();
    }

    /// Lets the guest speak of the records that begin in `range`, and lets what it commits go at boundaries only, which ascend:
    /// should it trap, nothing of a record has left.
    pub fn begin_between(&mut self, range: Span, boundaries: &[u64]) {
        self.range = Some(range);
        self.boundaries = boundaries.to_vec();
    }

    /// Ends what [`Intake::begin`] began. What was said and not committed is a refusal: it would be lost without a word. Skips
    /// are not lost: they stand, and so do tables that were opened. Returns the words for what stands only now.
    pub fn end(&mut self) -> Result<Vec<Said>, Refusal> {
        self.range = None;
        let mut words = Vec::new();
        if self.said > self.watermark {
            words.push(self.let_go(self.said));
        }
        self.pending.settled(self.watermark)?;
        if self.pending.stand() | (self.tables_settled < self.tables.len()) {
            self.tables_settled = self.tables.len();
            words.push(Said::Stands);
        }
        Ok(words)
    }

    /// Ends what [`Intake::begin`] began and did not get to its end: what was said since the last commit was never said. It costs
    /// nothing of the bounds on output either.
    pub fn take_back(&mut self) -> Said {
        self.range = None;
        self.has_trapped = true;
        (self.said, self.furthest) = (self.watermark, self.watermark);
        self.open_tables.give_back((self.tables.len() - self.tables_settled) as u64);
        self.tables.truncate(self.tables_settled);
        let cost = self.pending.take_back(self.watermark);
        self.budget.give_back(cost);
        Said::TakenBack { cost }
    }

    /// Takes a record that killed the guest, after [`Intake::take_back`]. The watermark is behind it then.
    pub fn bury(&mut self, killer: Killer) -> Said {
        let end = killer.at.end().unwrap_or(self.input_bytes).min(self.input_bytes);
        self.watermark = self.watermark.max(end);
        self.said = self.watermark;
        self.furthest = self.furthest.max(end);
        self.pending.release(self.watermark);
        Said::Killed(killer)
    }

    /// Lets everything go that begins before `up_to`.
    fn let_go(&mut self, up_to: u64) -> Said {
        self.watermark = up_to;
        self.pending.release(up_to);
        self.tables_settled = self.tables.len();
        Said::Committed { up_to }
    }

    /// Opens a table, or finds it again. The second part is there when it is new.
    pub fn open(&mut self, name: &str, schema: &[u8]) -> Result<(TableId, Option<Said>), Refusal> {
        self.phase("output.table.open")?;
        let name = TableName::new(name).ok_or_else(|| Refusal::BadName { name: GuestText::new(name, 64) })?;
        let described = self.described.iter().find(|(described, _)| *described == name);
        if described.is_none() && !self.described.is_empty() {
            return Err(Refusal::Undescribed { name });
        }
        let read =
            |schema| wire::schema(schema).map_err(|fault| Refusal::Schema { name: name.clone(), fault });
        let promised = described.and_then(|(_, schema)| schema.as_deref()).map(read).transpose()?;
        let schema = read(schema)?;
        if promised.is_some_and(|promised| promised != schema) {
            return Err(Refusal::NotAsDescribed { name });
        }
        if self.has_trapped && !schema.has_spans() {
            return Err(Refusal::NoSpansBehindTrap { name });
        }
        match self.tables.iter().position(|(open, _)| *open == name) {
            Some(at) if self.tables.get(at).is_some_and(|(_, first)| *first == schema) => {
                Ok((TableId(at), None))
            }
            Some(_) => Err(Refusal::SchemaChanged { name }),
            None => {
                self.open_tables.spend(1)?;
                check_fields(&self.tables, &schema)?;
                let table = TableId(self.tables.len());
                self.tables.push((name.clone(), schema.clone()));
                Ok((table, Some(Said::Opened { table, name, schema })))
            }
        }
    }

    /// Takes a batch. [`Refusal::Batch`] is for a malformed one, which ends the guest at once.
    pub fn emit(&mut self, table: TableId, message: &[u8]) -> Result<Said, Refusal> {
        let range = self.phase("output.table.emit")?;
        let Some((name, schema)) = self.tables.get(table.0) else {
            return Err(Refusal::OutOfPhase { call: "output.table.emit" });
        };
        let before = self.budget.spent();
        let batch = wire::decode(schema, message, &mut self.budget).map_err(|fault| match fault {
            WireFault::Limit(limit) => Refusal::Limit(limit),
            fault => Refusal::Batch { table: name.clone(), fault },
        })?;
        self.check_fault_codes(name, &batch)?;
        let begins = self.check_rows(&batch, range)?;
        let rows = batch.num_rows();
        self.pending.add(begins, batch.weight_bytes(), rows, self.budget.spent().since(before))?;
        Ok(Said::Rows { table, batch })
    }

    /// Takes records that cannot be read.
    pub fn reject(&mut self, records: Vec<Rejection>) -> Result<Said, Refusal> {
        let range = self.phase("output.reject")?;
        for record in &records {
            self.check_span("rejection", record.at, range)?;
            if usize::from(record.fault) >= self.fault_codes.len() {
                let described = self.fault_codes.len();
                return Err(Refusal::UnknownFault { at: record.at, fault: record.fault, described });
            }
            let bytes = std::mem::size_of::<Rejection>() + record.message.raw().len();
            self.pending.add(Some(Begins::at(record.at)), bytes as u64, 1, Spent::default())?;
        }
        Ok(Said::Rejected(records))
    }

    /// Takes bytes that hold no record.
    pub fn skip(&mut self, at: Span, kind: SkipKind) -> Result<Said, Refusal> {
        let range = self.phase("output.skip")?;
        self.check_span("skip", at, range)?;
        self.pending.add(Some(Begins::at(at)), std::mem::size_of::<Skip>() as u64, 0, Spent::default())?;
        Ok(Said::Skipped(Skip { at, kind }))
    }

    /// Moves the watermark. There is a word for it where something may be let go.
    pub fn commit(&mut self, up_to: u64) -> Result<Option<Said>, Refusal> {
        let range = self.phase("output.commit")?;
        let limit = range.end().unwrap_or(self.input_bytes).max(self.furthest);
        if up_to < self.said || up_to > limit {
            return Err(Refusal::CommitOutside { up_to, watermark: self.said, limit });
        }
        self.said = up_to;
        if self.boundaries.is_empty() {
            return Ok(Some(self.let_go(up_to)));
        }
        let before = self.boundaries.partition_point(|boundary| *boundary <= up_to);
        let boundary = before.checked_sub(1).and_then(|at| self.boundaries.get(at)).copied();
        Ok(boundary.filter(|boundary| *boundary > self.watermark).map(|boundary| self.let_go(boundary)))
    }

    fn phase(&self, call: &'static str) -> Result<Span, Refusal> {
        self.range.ok_or(Refusal::OutOfPhase { call })
    }

    /// Checks every row's span; returns where the first and the last one begin, or `None` for a table without spans.
    fn check_rows(&mut self, batch: &Batch, range: Span) -> Result<Option<Begins>, Refusal> {
        let Some(spans) = batch.spans() else { return Ok(None) };
        let mut begins: Option<Begins> = None;
        for at in spans.iter() {
            self.check_span("row", at, range)?;
            let (lowest, highest) = begins.map_or((at.offset, at.offset), |it| (it.lowest, it.highest));
            begins = Some(Begins { lowest: lowest.min(at.offset), highest: highest.max(at.offset) });
        }
        Ok(begins.or(Some(Begins { lowest: self.said, highest: self.said })))
    }

    fn check_span(&mut self, what: &'static str, at: Span, range: Span) -> Result<(), Refusal> {
        let begin = range.offset.max(self.said);
        let end = range.end().unwrap_or(self.input_bytes);
        match at.end() {
            Some(past) if at.offset >= begin && at.offset < end && past <= self.input_bytes => {
                if at.length == 0 {
                    return Err(Refusal::EmptySpan { what, offset: at.offset });
                }
                self.furthest = self.furthest.max(past);
                Ok(())
            }
            _ => {
                let allowed = Span { offset: begin, length: end.saturating_sub(begin) };
                Err(Refusal::SpanOutside { what, at, allowed })
            }
        }
    }

    fn check_fault_codes(&self, table: &TableName, batch: &Batch) -> Result<(), Refusal> {
        match batch.fault_codes().find(|code| !self.fault_codes.contains(*code)) {
            Some(code) => {
                Err(Refusal::UnknownFaultCode { table: table.clone(), code: GuestText::new(code, 64) })
            }
            None => Ok(()),
        }
    }
}

/// What was said and is not yet committed.
struct Pending {
    bytes_max: u64,
    entries: Vec<Entry>,
    bytes: u64,
}

/// A batch, a rejection or a skip that waits. A commit releases all of it once the last of its records lies before the
/// watermark.
struct Entry {
    /// Where its records begin; none: rows without spans.
    begins: Option<Begins>,
    bytes: u64,
    /// Rows and rejections. Skips have none.
    records: u64,
    /// What it cost of the bounds on output.
    cost: Spent,
    /// Whether the call that said it has come to its end.
    stands: bool,
}

/// The offsets where the first and the last of some records begin.
#[derive(Clone, Copy)]
struct Begins {
    lowest: u64,
    highest: u64,
}

impl Begins {
    fn at(span: Span) -> Self {
        Self { lowest: span.offset, highest: span.offset }
    }
}

impl Pending {
    fn new(bytes_max: u64) -> Self {
        Self { bytes_max, entries: Vec::new(), bytes: 0 }
    }

    fn add(
        &mut self,
        begins: Option<Begins>,
        bytes: u64,
        records: u64,
        cost: Spent,
    ) -> Result<(), LimitExceeded> {
        if bytes > self.bytes_max - self.bytes {
            let (limit, current) = (self.bytes_max, self.bytes);
            return Err(LimitExceeded { name: "uncommitted bytes", limit, current, wanted: bytes });
        }
        self.bytes += bytes;
        self.entries.push(Entry { begins, bytes, records, cost, stands: false });
        Ok(())
    }

    fn release(&mut self, up_to: u64) {
        self.keep(|entry| entry.begins.is_some_and(|begins| begins.highest >= up_to));
    }

    /// Forgets what does not stand, and returns its cost; nothing of a batch that a commit has cut, part of which was said.
    fn take_back(&mut self, watermark: u64) -> Spent {
        let is_whole = |entry: &Entry| entry.begins.is_none_or(|begins| begins.lowest >= watermark);
        let taken = self.entries.iter().filter(|entry| !entry.stands && is_whole(entry));
        let cost = taken.fold(Spent::default(), |cost, entry| cost.and(entry.cost));
        self.keep(|entry| entry.stands);
        cost
    }

    fn keep(&mut self, is_kept: impl Fn(&Entry) -> bool) {
        self.entries.retain(is_kept);
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
    }

    /// Has everything stand. Returns whether anything did not.
    fn stand(&mut self) -> bool {
        let waited = self.entries.iter().any(|entry| !entry.stands);
        self.entries.iter_mut().for_each(|entry| entry.stands = true);
        waited
    }

    fn settled(&self, watermark: u64) -> Result<(), Refusal> {
        let records = self.entries.iter().map(|entry| entry.records).sum();
        if records > 0 {
            return Err(Refusal::Uncommitted { records, watermark });
        }
        Ok(())
    }
}

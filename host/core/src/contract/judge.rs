//! The judge: rows as a parser sent them in; rows as they are written, and what is wrong with each, out.
//!
//! Columnar. A column is cast, then every check looks at all of it: a clean batch costs what the checks cost and not how
//! many of them could fail. What fails is a bit for each row, kept for a broken rule alone; words are made row by row, when
//! somebody writes them down. The verdict on a row follows from the row alone, but for keys, which the flow looks after.

mod check;
mod column;
mod fit;
mod measure;
mod show;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};

use self::column::ColumnJudge;
pub use self::fit::SchemaFault;
pub use self::measure::Measure;
use self::show::cell;
use super::expression::Expression;
use super::verdict::{BrokenRule, Code, OBSERVED_BYTES_MAX, VIOLATIONS_MAX, Violation};
use super::{Key, RowRule, Severity, TableContract, VerdictUnit};
use crate::batch::Batch;
use crate::guest_text::GuestText;

/// A contract for one table, made ready for the columns that a parser sends.
#[derive(Debug)]
pub struct TableJudge {
    contract: TableContract,
    /// As rows are written: with what must have a value declared so.
    declared: SchemaRef,
    /// The same, but for a null that is still to be found.
    nullable: SchemaRef,
    columns: Vec<ColumnJudge>,
    rules: Vec<Between>,
}

/// A rule between columns.
#[derive(Debug)]
struct Between {
    expression: Expression,
    rule: Arc<BrokenRule>,
}

impl TableJudge {
    /// Fits a contract to the columns that a parser opens its table with. `meant` are the same columns with the types that their
    /// texts are meant to be: so are those that a contract lets come along.
    pub fn new(contract: TableContract, sent: &Schema, meant: &Schema) -> Result<Self, SchemaFault> {
        let evolved = fit::evolved(&contract, meant)?;
        let columns = fit::columns(&contract, &evolved, sent)?;
        let rules = contract.rules.iter().map(|rule| between(rule, &contract));
        let rules = rules.collect::<Result<_, _>>()?;
        let fields: Vec<Arc<Field>> =
            contract.columns.iter().chain(&evolved).map(super::Column::field).collect();
        let nullable: Vec<Field> =
            fields.iter().map(|field| Field::clone(field).with_nullable(true)).collect();
        Ok(Self {
            declared: Arc::new(Schema::new(fields)),
            nullable: Arc::new(Schema::new(nullable)),
            contract,
            columns,
            rules,
        })
    }

    /// Returns the columns as they are written.
    pub fn declared(&self) -> &SchemaRef {
        &self.declared
    }

    /// Returns the contract.
    pub fn contract(&self) -> &TableContract {
        &self.contract
    }

    /// Judges every row of a batch by itself.
    pub fn judge(&self, batch: Batch) -> Result<Judged, ArrowError> {
        let sent = batch.rows().columns();
        let mut found = Found::default();
        let count = batch.rows().num_rows();
        let (mut cells, mut failed) = (Vec::with_capacity(self.columns.len()), Vec::new());
        for column in &self.columns {
            cells.push(column.judge_among(sent, count, &mut found)?);
            failed.push(found.failed.take());
        }
        let rows = self.rows(cells, count)?;
        self.rules.iter().for_each(|between| between.judge(&rows, &failed, &mut found));
        let mut judged = Judged {
            sent: Arc::new(batch.rows().clone()),
            rows,
            found,
            batch,
            unit: self.contract.verdict_unit,
            bad: None,
            faults: BTreeMap::new(),
        };
        judged.look_at_faults(&self.contract);
        Ok(judged)
    }

    fn rows(&self, cells: Vec<ArrayRef>, count: usize) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(&self.nullable), cells, &options)
    }
}

fn between(rule: &RowRule, contract: &TableContract) -> Result<Between, SchemaFault> {
    let expression = Expression::parse(&rule.expression, &contract.columns).map_err(|error| {
        SchemaFault::Rule { table: contract.name.clone(), rule: rule.name.clone(), why: error.to_string() }
    })?;
    let rule = BrokenRule {
        column: None,
        name: rule.name.clone(),
        expected: Some(rule.expression.clone()),
        severity: rule.severity,
    };
    Ok(Between { expression, rule: Arc::new(rule) })
}

impl Between {
    /// `failed` are, per column, the cells that could not be cast: nothing is said of what they might have been.
    fn judge(&self, rows: &RecordBatch, failed: &[Option<BooleanBuffer>], found: &mut Found) {
        let truths = self.expression.judge(rows);
        let columns = self.expression.columns();
        let unknown = columns.iter().filter_map(|at| failed.get(*at).cloned().flatten());
        let unknown = unknown.reduce(|one, other| &one | &other);
        let known = |broken: BooleanBuffer| match &unknown {
            Some(unknown) => &broken & &!unknown,
            None => broken,
        };
        let cells = |at: &usize| {
            Some((rows.schema_ref().fields().get(*at)?.name().clone(), rows.columns().get(*at)?.clone()))
        };
        let mut add = |code, broken: Option<BooleanBuffer>| {
            if let Some(broken) = broken {
                let observed = Observed::Cells(columns.iter().filter_map(cells).collect());
                found.add(Finding { code, rule: Arc::clone(&self.rule), rows: known(broken), observed });
            }
        };
        add(Code::CrossField, truths.broken);
        add(Code::Incomputable, truths.incomputable);
    }
}

/// Returns the rule that a key stands for.
pub(crate) fn key_rule(key: &Key, contract: &TableContract) -> Arc<BrokenRule> {
    let names: Vec<&str> = key
        .columns
        .iter()
        .filter_map(|at| contract.columns.get(*at))
        .map(|column| column.name.as_str())
        .collect();
    Arc::new(BrokenRule {
        column: Some(names.join(", ")),
        name: key.name.clone(),
        expected: Some("no earlier row has the same".to_owned()),
        severity: key.severity,
    })
}

/// Returns the rule that a fault of the parser breaks: its word for it.
pub(crate) fn parser_fault(code: &str) -> Arc<BrokenRule> {
    Arc::new(BrokenRule { column: None, name: code.to_owned(), expected: None, severity: Severity::Error })
}

/// One rule, broken by some rows.
#[derive(Debug, Clone)]
struct Finding {
    code: Code,
    rule: Arc<BrokenRule>,
    /// Set where it is broken. Some are.
    rows: BooleanBuffer,
    observed: Observed,
}

/// What was there, where a rule is broken.
#[derive(Debug, Clone)]
enum Observed {
    Nothing,
    /// A cell of this column, as the parser sent it.
    Cell(ArrayRef),
    /// Cells of these columns, as they would be written.
    Cells(Vec<(String, ArrayRef)>),
}

impl Observed {
    fn of(&self, row: usize) -> Option<GuestText> {
        let text = match self {
            Observed::Nothing => return None,
            Observed::Cell(cells) => cell(cells, row),
            Observed::Cells(columns) => {
                let cells = columns.iter().map(|(name, cells)| format!("{name} = {}", cell(cells, row)));
                cells.collect::<Vec<_>>().join(", ")
            }
        };
        Some(GuestText::new(&text, OBSERVED_BYTES_MAX))
    }
}

/// What has been found in a batch, in the order in which a row lists it.
#[derive(Debug, Default)]
struct Found {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    /// Set where a cell of the column that is being judged could not be cast, or one within it.
    failed: Option<BooleanBuffer>,
}

impl Found {
    fn fail(&mut self, rows: BooleanBuffer) {
        self.failed = Some(match self.failed.take() {
            Some(failed) => &failed | &rows,
            None => rows,
        });
    }

    /// Adds a finding, if it is about any row.
    fn add(&mut self, finding: Finding) {
        if finding.rows.count_set_bits() == 0 {
            return;
        }
        match finding.rule.severity {
            Severity::Error => self.errors.push(finding),
            Severity::Warning => self.warnings.push(finding),
        }
    }
}

/// A batch that has been judged.
#[derive(Debug)]
pub struct Judged {
    rows: RecordBatch,
    batch: Batch,
    /// The rows of `batch`, for all who want to keep one of them.
    sent: Arc<RecordBatch>,
    found: Found,
    unit: VerdictUnit,
    /// Set where a row is bad by itself. None: all are good.
    bad: Option<BooleanBuffer>,
    /// Rules of the faults that rows carry and that the contract does not allow, by the parser's word.
    faults: BTreeMap<String, Arc<BrokenRule>>,
}

impl Judged {
    /// Returns the rows as they are written, with every column nullable. A cell that could not be cast is null.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// Returns the rows as the parser sent them.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Returns the rows as the parser sent them, to keep.
    pub(crate) fn sent(&self) -> &Arc<RecordBatch> {
        &self.sent
    }

    /// Returns what a bad row takes with it.
    pub fn unit(&self) -> VerdictUnit {
        self.unit
    }

    /// Marks the rows that are bad by themselves. None: all are good.
    pub fn bad(&self) -> Option<&BooleanBuffer> {
        self.bad.as_ref()
    }

    /// Adds rows whose key an earlier row has.
    pub(crate) fn add_duplicates(&mut self, rule: &Arc<BrokenRule>, columns: &[usize], rows: &[usize]) {
        let mut duplicates = rows.iter().copied().peekable();
        let marked: BooleanBuffer =
            BooleanBuffer::collect_bool(self.rows.num_rows(), |row| duplicates.next_if_eq(&row).is_some());
        let name = |at: &usize| self.rows.schema_ref().fields().get(*at).map(|field| field.name().clone());
        let cells = columns.iter().filter_map(|at| Some((name(at)?, self.rows.columns().get(*at)?.clone())));
        let observed = Observed::Cells(cells.collect());
        self.found.add(Finding { code: Code::Duplicate, rule: Arc::clone(rule), rows: marked, observed });
        self.mark();
    }

    /// Says what is wrong with one row by itself: the first violations, and how many there are.
    pub fn violations(&self, row: usize) -> (Vec<Violation>, u64) {
        let mut violations = Vec::new();
        let mut count = 0;
        let mut add = |violation: &dyn Fn() -> Violation| {
            count += 1;
            if violations.len() < VIOLATIONS_MAX {
                violations.push(violation());
            }
        };
        for finding in
            self.found.errors.iter().filter(|finding| row < finding.rows.len() && finding.rows.value(row))
        {
            add(&|| finding.violation(row));
        }
        for rule in self.batch.faults(row).filter_map(|code| self.faults.get(code)) {
            add(&|| Violation { code: Code::ParserFault, rule: Arc::clone(rule), observed: None });
        }
        (violations, count)
    }

    /// Counts, for each rule that only warns, the rows that break it and are not in `quarantined`.
    pub(crate) fn warnings(
        &self,
        quarantined: Option<&BooleanBuffer>,
    ) -> impl Iterator<Item = (&Arc<BrokenRule>, u64)> {
        let count = move |rows: &BooleanBuffer| match quarantined {
            Some(quarantined) => (rows & &!quarantined).count_set_bits(),
            None => rows.count_set_bits(),
        };
        self.found.warnings.iter().map(move |finding| (&finding.rule, count(&finding.rows) as u64))
    }

    fn look_at_faults(&mut self, contract: &TableContract) {
        let words = self.batch.fault_codes().filter(|code| !contract.allowed_faults.contains(*code));
        let mut faults = BTreeMap::new();
        for word in words {
            if !faults.contains_key(word) {
                faults.insert(word.to_owned(), parser_fault(word));
            }
        }
        self.faults = faults;
        self.mark();
    }

    /// Writes down which rows are bad, from all that has been found.
    fn mark(&mut self) {
        let marked = self.found.errors.iter().map(|finding| finding.rows.clone()).chain(self.faulty());
        self.bad = marked.reduce(|one, other| &one | &other);
    }

    /// Marks the rows that carry a fault that the contract does not allow.
    fn faulty(&self) -> Option<BooleanBuffer> {
        if self.faults.is_empty() {
            return None;
        }
        let carriers = self.batch.fault_rows().filter(|(_, code)| self.faults.contains_key(*code));
        let mut carriers = carriers.map(|(row, _)| row).peekable();
        let is_carrier = |row: usize| {
            let mut is_carrier = false;
            while carriers.next_if_eq(&row).is_some() {
                is_carrier = true;
            }
            is_carrier
        };
        Some(BooleanBuffer::collect_bool(self.rows.num_rows(), is_carrier))
    }
}

impl Finding {
    fn violation(&self, row: usize) -> Violation {
        Violation { code: self.code, rule: Arc::clone(&self.rule), observed: self.observed.of(row) }
    }
}

/// Leaves of `broken` what has a value.
fn where_valid(broken: BooleanBuffer, nulls: Option<&NullBuffer>) -> BooleanBuffer {
    match nulls {
        Some(nulls) => &broken & nulls.inner(),
        None => broken,
    }
}

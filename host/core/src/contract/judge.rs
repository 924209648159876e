//! The judge: a batch and a contract in, the bad rows out. Columnar: a clean batch costs one look at each null count.
//!
//! Which rows are bad is a bit for each; why a row is bad is asked row by row, when it is written down. Reasons take a
//! thousand times the memory of the row that they are about, so they are never kept.

use std::sync::Arc;

use arrow_array::Array;
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::verdict::{BrokenRule, Code, VIOLATIONS_MAX, Violation};
use super::{Severity, TableContract};
use crate::batch::Batch;

/// The rows of one batch that are bad by themselves.
#[derive(Debug, Clone, Default)]
pub struct Flaws {
    /// Set where a row is bad. None: all are good.
    bad: Option<BooleanBuffer>,
}

impl Flaws {
    /// Returns the bad rows, ascending.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.bad.iter().flat_map(BooleanBuffer::set_indices)
    }
}

/// What is wrong with one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// The violations, at most [`VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
    /// How many there are in all.
    pub count: u64,
}

impl Finding {
    /// Returns the finding of one violation.
    pub fn of(violation: Violation) -> Self {
        Self { violations: vec![violation], count: 1 }
    }

    fn add(&mut self, violation: impl FnOnce() -> Violation) {
        self.count += 1;
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation());
        }
    }
}

/// Judges every row of a batch by itself.
pub fn judge(batch: &Batch, contract: &TableContract) -> Flaws {
    let required = batch.rows().columns().iter().zip(&contract.columns);
    let required = required.filter(|(_, column)| column.required).map(|(cells, _)| cells.nulls());
    let faultless = without_faults(batch);
    let good = NullBuffer::union_many(required.chain([faultless.as_ref()]));
    Flaws { bad: good.filter(|good| good.null_count() > 0).map(|good| !good.inner()) }
}

/// Marks the rows that carry no fault. None: no row carries any.
fn without_faults(batch: &Batch) -> Option<NullBuffer> {
    let mut carriers = batch.fault_rows().map(|(row, _)| row).peekable();
    carriers.peek()?;
    let is_faultless = |row: usize| {
        let mut is_carrier = false;
        while carriers.next_if_eq(&row).is_some() {
            is_carrier = true;
        }
        !is_carrier
    };
    Some(NullBuffer::new((0..batch.rows().num_rows()).map(is_faultless).collect()))
}

/// Says what is wrong with one row by itself.
pub fn finding(batch: &Batch, row: usize, contract: &TableContract) -> Finding {
    let mut finding = Finding::default();
    for (cells, column) in batch.rows().columns().iter().zip(&contract.columns) {
        if column.required && row < cells.len() && cells.is_null(row) {
            finding.add(|| missing(&column.name));
        }
    }
    let faults = batch.faults(row);
    faults.for_each(|code| {
        finding.add(|| Violation { code: Code::ParserFault, rule: parser_fault(code), observed: None });
    });
    finding
}

fn missing(column: &str) -> Violation {
    let rule = BrokenRule {
        column: Some(column.to_owned()),
        name: "required".to_owned(),
        expected: Some("a value".to_owned()),
        severity: Severity::Error,
    };
    Violation { code: Code::Missing, rule: Arc::new(rule), observed: None }
}

/// Returns the rule that a fault of the parser breaks: its word for it.
pub(crate) fn parser_fault(code: &str) -> Arc<BrokenRule> {
    Arc::new(BrokenRule { column: None, name: code.to_owned(), expected: None, severity: Severity::Error })
}

//! The judge: a batch and a contract in, violations by row out. Columnar: a clean batch costs one look at each null count.

use std::collections::BTreeMap;

use arrow_array::Array;

use super::TableContract;
use super::verdict::{Code, VIOLATIONS_MAX, Violation};
use crate::batch::Batch;

/// What is wrong with the rows of one batch. Rows that are not in it are good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    by_row: BTreeMap<usize, Finding>,
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

    fn add(&mut self, violation: Violation) {
        self.count += 1;
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }
}

impl Findings {
    /// Whether every row is good.
    pub fn is_empty(&self) -> bool {
        self.by_row.is_empty()
    }

    /// Returns the rows with something wrong, ascending.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.by_row.keys().copied()
    }

    /// Returns what is wrong with a row.
    pub fn of(&self, row: usize) -> Option<&Finding> {
        self.by_row.get(&row)
    }

    /// Adds another batch's findings, whose first row is row `base` here.
    pub fn append(&mut self, other: &Findings, base: usize) {
        self.by_row.extend(other.by_row.iter().map(|(row, finding)| (base + row, finding.clone())));
    }

    /// Returns the findings of the listed rows, numbered by their place in the list.
    pub fn pick(&self, rows: &[usize]) -> Findings {
        if self.is_empty() {
            return Findings::default();
        }
        let found = |(place, row): (usize, &usize)| Some((place, self.of(*row)?.clone()));
        Findings { by_row: rows.iter().enumerate().filter_map(found).collect() }
    }

    fn add(&mut self, row: usize, violation: Violation) {
        self.by_row.entry(row).or_default().add(violation);
    }
}

/// Judges every row of a batch by itself.
pub fn judge(batch: &Batch, contract: &TableContract) -> Findings {
    let mut findings = Findings::default();
    for (at, column) in contract.required() {
        judge_required(batch, *at, column, &mut findings);
    }
    for (row, code) in batch.fault_rows() {
        findings.add(row, parser_fault(code));
    }
    findings
}

fn judge_required(batch: &Batch, at: usize, column: &str, findings: &mut Findings) {
    let Some(nulls) = batch.rows().columns().get(at).and_then(|cells| cells.nulls()) else { return };
    if nulls.null_count() == 0 {
        return;
    }
    for row in (0..nulls.len()).filter(|row| nulls.is_null(*row)) {
        findings.add(row, missing(column));
    }
}

fn missing(column: &str) -> Violation {
    Violation {
        code: Code::Missing,
        column: Some(column.to_owned()),
        rule: "required".to_owned(),
        expected: Some("a value".to_owned()),
        observed: None,
    }
}

fn parser_fault(code: &str) -> Violation {
    Violation { code: Code::ParserFault, column: None, rule: code.to_owned(), expected: None, observed: None }
}

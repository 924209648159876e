//! What a run did, counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::verdict::{BrokenRule, Code, Rejected};
use crate::id::{Digest, TableName};
use crate::intake::SkipKind;

/// What a run did, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Per table, in the order of opening.
    pub tables: Vec<TableTally>,
    /// Records of the input: accepted, quarantined and rejected.
    pub records: u64,
    /// What is in quarantine.
    pub quarantine: QuarantineTally,
    /// Rules that only warn, and budgets that do, with the accepted rows that broke them.
    pub warnings: Vec<WarningTally>,
    /// Why nothing may be published, once the run has ended.
    pub held: Vec<BrokenBudget>,
    /// Bytes said to hold no record, by kind. A byte said twice counts twice here, and once in the account.
    pub skipped_by_kind: BTreeMap<SkipKind, u64>,
}

impl Tally {
    /// Returns the rows accepted, all tables together.
    pub fn accepted(&self) -> u64 {
        self.tables.iter().map(|table| table.accepted).sum()
    }
}

/// A rule that only warns, broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarningTally {
    /// The table.
    pub table: TableName,
    /// The column that it is about.
    pub column: Option<String>,
    /// The rule.
    pub rule: String,
    /// What it wants.
    pub expected: Option<String>,
    /// Accepted rows that break it; of a budget, none.
    pub rows: u64,
}

/// A budget that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenBudget {
    /// The table.
    pub table: TableName,
    /// The budget's name.
    pub rule: String,
    /// What it wants: `> 0 rows`.
    pub expected: String,
    /// What there was: `0 rows`.
    pub observed: String,
}

impl From<BrokenBudget> for WarningTally {
    fn from(broken: BrokenBudget) -> Self {
        let BrokenBudget { table, rule, expected, observed } = broken;
        Self { table, column: None, rule, expected: Some(format!("{expected}, found {observed}")), rows: 0 }
    }
}

impl Tally {
    /// Returns every table's place among all tables by name.
    pub(super) fn ranks(&self) -> Vec<usize> {
        let before = |name: &TableName| self.tables.iter().filter(|table| table.name < *name).count();
        self.tables.iter().map(|table| before(&table.name)).collect()
    }

    /// Counts accepted rows that break a rule that only warns.
    pub(super) fn warn(&mut self, table: &TableName, rule: &BrokenRule, rows: u64) {
        if rows == 0 {
            return;
        }
        let same = |warning: &&mut WarningTally| {
            warning.table == *table && warning.column == rule.column && warning.rule == rule.name
        };
        match self.warnings.iter_mut().find(same) {
            Some(warning) => warning.rows += rows,
            None => self.warnings.push(WarningTally {
                table: table.clone(),
                column: rule.column.clone(),
                rule: rule.name.clone(),
                expected: rule.expected.clone(),
                rows,
            }),
        }
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
    /// The logical digest of what is written, once the run is over.
    pub digest: Option<Digest>,
}

impl TableTally {
    pub(super) fn new(name: TableName, wanted: bool, has_spans: bool) -> Self {
        Self { name, wanted, has_spans, accepted: 0, quarantined: 0, digest: None }
    }
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
    /// The logical digest, once the run is over.
    pub digest: Option<Digest>,
}

impl QuarantineTally {
    pub(super) fn add(&mut self, rejected: &Rejected) {
        self.rows += 1;
        let violations = &rejected.violations;
        // A row lists few of them: looking back costs less than a set.
        for (at, violation) in violations.iter().enumerate() {
            let before = || violations.iter().take(at);
            if !before().any(|other| other.code == violation.code) {
                *self.by_code.entry(violation.code).or_default() += 1;
            }
            if !before().any(|other| other.rule.name == violation.rule.name) {
                self.count_rule(&violation.rule.name);
            }
        }
    }

    fn count_rule(&mut self, rule: &str) {
        match self.by_rule.get_mut(rule) {
            Some(count) => *count += 1,
            None => drop(self.by_rule.insert(rule.to_owned(), 1)),
        }
    }
}

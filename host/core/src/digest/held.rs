//! The digest of a quarantine, row by row.

use std::collections::BTreeMap;

use super::Stream;
use crate::contract::Severity;
use crate::contract::verdict::{Rejected, Violation};
use crate::id::{Digest, FieldHasher};

/// The digest of a quarantine in the making: what of every row must come out the same in every run.
///
/// It is taken table by table, because rows of different tables are told apart by their names and not by their order. Left out
/// is what follows from the rest (names, lines, bytes of the input) and what does not reproduce (paths, times, jobs).
#[derive(Debug, Clone, Default)]
pub struct QuarantineDigest {
    /// By the table's name; records that could not be read under a name that no table has.
    tables: BTreeMap<String, HeldTable>,
}

/// A row of a quarantine, or a record that could not be read, as far as it counts for the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRow<'a> {
    /// The table that it was sent to; none: a record that could not be read.
    pub table: Option<&'a str>,
    /// The number of its record.
    pub record_no: Option<u64>,
    /// Where its record begins.
    pub offset: Option<u64>,
    /// How many bytes its record has.
    pub length: Option<u64>,
    /// Its place among the rows of its record and table; none where there is no table: it is counted here.
    pub ordinal: Option<u64>,
    /// How many reasons there are.
    pub n_violations: u64,
}

/// A reason, as far as it counts for the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of a quarantine file")]
pub struct HeldViolation<'a> {
    pub code: &'a str,
    pub severity: &'a str,
    pub column: Option<&'a str>,
    pub rule: &'a str,
    pub expected: Option<&'a str>,
    pub observed: Option<&'a str>,
}

impl<'a> From<&'a Violation> for HeldViolation<'a> {
    fn from(violation: &'a Violation) -> Self {
        let rule = violation.rule.as_ref();
        Self {
            code: violation.code.as_str(),
            severity: severity_word(rule.severity),
            column: rule.column.as_deref(),
            rule: &rule.name,
            expected: rule.expected.as_deref(),
            observed: violation.observed.as_ref().map(|text| text.raw()),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct HeldTable {
    rows: u64,
    rejections: Rejections,
    held: Stream,
}

/// Counts the rejections of one record.
#[derive(Debug, Clone, Default)]
struct Rejections {
    /// Where the last one's record begins, and its place among those of that record.
    last: Option<(Option<u64>, u64)>,
}

impl Rejections {
    /// Returns the place of this one among those of its record. Those of one record come one after the other.
    fn place(&mut self, offset: Option<u64>) -> u64 {
        let place = match self.last {
            Some((last, place)) if last == offset => place.saturating_add(1),
            _ => 0,
        };
        self.last = Some((offset, place));
        place
    }
}

impl QuarantineDigest {
    /// Adds a row, or a record that could not be read. Those of one table come in the order of the input.
    pub fn add(&mut self, rejected: &Rejected) {
        let violations = rejected.violations().iter().map(HeldViolation::from);
        let row = HeldRow {
            table: rejected.row().map(|row| row.table().as_str()),
            record_no: rejected.record_no(),
            offset: rejected.at().map(|at| at.offset),
            length: rejected.at().map(|at| at.length),
            ordinal: rejected.row().map(|row| row.ordinal()),
            n_violations: rejected.n_violations(),
        };
        self.add_row(&row, violations);
    }

    /// Adds a row, or a record that could not be read, as a quarantine file has it.
    pub fn add_row<'a>(
        &mut self,
        row: &HeldRow<'_>,
        violations: impl ExactSizeIterator<Item = HeldViolation<'a>>,
    ) {
        let name = row.table.unwrap_or_default();
        if !self.tables.contains_key(name) {
            self.tables.insert(name.to_owned(), HeldTable::default());
        }
        if let Some(table) = self.tables.get_mut(name) {
            table.add(row, violations);
        }
    }

    /// Returns the digest of what was added.
    pub fn finish(self) -> Digest {
        let hasher = FieldHasher::new("casparian:quarantine-digest:1").number(self.tables.len() as u64);
        let add = |hasher: FieldHasher, (name, table): (String, HeldTable)| {
            hasher.field(name.as_bytes()).number(table.rows).field(table.held.finish().as_bytes())
        };
        self.tables.into_iter().fold(hasher, add).finish()
    }
}

impl HeldTable {
    fn add<'a>(&mut self, row: &HeldRow<'_>, violations: impl ExactSizeIterator<Item = HeldViolation<'a>>) {
        let ordinal = row.ordinal.unwrap_or_else(|| self.rejections.place(row.offset));
        self.rows += 1;
        self.held.optional_number(row.record_no);
        self.held.optional_number(row.offset);
        self.held.optional_number(row.length);
        self.held.number(ordinal);
        self.held.number(row.n_violations);
        self.held.number(violations.len() as u64);
        violations.for_each(|violation| self.held.violation(&violation));
    }
}

impl Stream {
    fn violation(&mut self, violation: &HeldViolation<'_>) {
        self.text(violation.code);
        self.text(violation.severity);
        self.optional_text(violation.column);
        self.text(violation.rule);
        self.optional_text(violation.expected);
        self.optional_text(violation.observed);
    }

    fn number(&mut self, number: u64) {
        self.push(&number.to_le_bytes());
    }

    fn optional_number(&mut self, number: Option<u64>) {
        self.push(&[u8::from(number.is_some())]);
        if let Some(number) = number {
            self.number(number);
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.push(text.as_bytes());
    }

    fn optional_text(&mut self, text: Option<&str>) {
        self.push(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            self.text(text);
        }
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

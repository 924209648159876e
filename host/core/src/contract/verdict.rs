//! What the judge says of rows. The proof types are made here only: a sink that holds an [`Accepted`] need not ask again.

use std::fmt;

use arrow_array::{RecordBatch, UInt32Array, UInt64Array};
use serde::{Deserialize, Serialize};

use crate::fault::Span;
use crate::guest_text::GuestText;

/// Rows that met the contract. Only the judge's commit can make one.
#[derive(Debug, Clone)]
pub struct Accepted {
    rows: RecordBatch,
    record_no: UInt64Array,
    spans: Option<(UInt64Array, UInt32Array)>,
}

impl Accepted {
    pub(crate) fn new(
        rows: RecordBatch,
        record_no: UInt64Array,
        spans: Option<(UInt64Array, UInt32Array)>,
    ) -> Self {
        Self { rows, record_no, spans }
    }

    /// Returns the rows, without the reserved columns.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// Returns the number of every row's record within its input, from 0; null in a table without spans.
    pub fn record_no(&self) -> &UInt64Array {
        &self.record_no
    }

    /// Returns offset and length of every row's record, where the table has spans.
    pub fn spans(&self) -> Option<(&UInt64Array, &UInt32Array)> {
        self.spans.as_ref().map(|(offsets, lengths)| (offsets, lengths))
    }
}

/// A record's row, or a whole record that could not be read, on its way to quarantine.
#[derive(Debug, Clone)]
pub struct Rejected {
    pub(crate) record_no: Option<u64>,
    pub(crate) at: Option<Span>,
    pub(crate) row: Option<RejectedRow>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) n_violations: u64,
}

impl Rejected {
    /// Returns the number of its record within its input, where the table has spans.
    pub fn record_no(&self) -> Option<u64> {
        self.record_no
    }

    /// Returns the record's bytes, where the table has spans.
    pub fn at(&self) -> Option<Span> {
        self.at
    }

    /// Returns the row, or `None` for a record that could not be read.
    pub fn row(&self) -> Option<&RejectedRow> {
        self.row.as_ref()
    }

    /// Returns why, at most [`VIOLATIONS_MAX`] of them.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Returns how many violations there were in all.
    pub fn n_violations(&self) -> u64 {
        self.n_violations
    }
}

/// A row in quarantine, with its cells as the parser sent them.
#[derive(Debug, Clone)]
pub struct RejectedRow {
    pub(crate) table: crate::id::TableName,
    pub(crate) ordinal: u64,
    pub(crate) cells: RecordBatch,
}

impl RejectedRow {
    /// Returns the table it was sent to.
    pub fn table(&self) -> &crate::id::TableName {
        &self.table
    }

    /// Returns its place among the rows of its record and table, from 0.
    pub fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// Returns its one row of cells, without the reserved columns.
    pub fn cells(&self) -> &RecordBatch {
        &self.cells
    }
}

/// Most violations that one quarantined row lists. All are counted.
pub const VIOLATIONS_MAX: usize = 64;

/// One reason why a row is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The stable reason code.
    pub code: Code,
    /// The column it is about.
    pub column: Option<String>,
    /// The rule that was broken: `required`, or the parser's own word for a fault.
    pub rule: String,
    /// What the rule wants.
    pub expected: Option<String>,
    /// What was there.
    pub observed: Option<GuestText>,
}

/// Stable reason codes. A code is never given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Code {
    /// Nothing is wrong with this row; another row of its record is bad.
    #[serde(rename = "CF0100")]
    Companion,
    /// A column that must have a value has none.
    #[serde(rename = "CF0301")]
    Missing,
    /// The parser found a fault in the record; the rule is its word for it.
    #[serde(rename = "CF0900")]
    ParserFault,
}

impl Code {
    /// Returns the code as it is written: `CF0301`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Companion => "CF0100",
            Code::Missing => "CF0301",
            Code::ParserFault => "CF0900",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

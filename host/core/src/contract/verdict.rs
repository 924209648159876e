//! What the judge says of rows. The proof types are made here only: a sink that holds an [`Accepted`] need not ask again.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array, UInt64Array};
use serde::{Deserialize, Serialize};

use super::Severity;
use crate::fault::Span;
use crate::guest_text::GuestText;
use crate::id::{Digest, FieldHasher};

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
    pub(crate) batch: Arc<RecordBatch>,
    pub(crate) row: usize,
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

    /// Returns the rows that it came with, without the reserved columns, and its place among them.
    pub fn place(&self) -> (&RecordBatch, usize) {
        (&self.batch, self.row)
    }
}

/// Most violations that one quarantined row lists. All are counted.
pub const VIOLATIONS_MAX: usize = 64;
/// Most bytes of a value that a violation shows.
pub const OBSERVED_BYTES_MAX: usize = 256;

/// One reason why a row is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The stable reason code.
    pub code: Code,
    /// What was broken.
    pub rule: Arc<BrokenRule>,
    /// What was there.
    pub observed: Option<GuestText>,
}

/// A rule as a violation names it. One for all the rows that break it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The column it is about.
    pub column: Option<String>,
    /// `required`, `type`, a check's name, or the parser's own word for a fault.
    pub name: String,
    /// What it wants.
    pub expected: Option<String>,
    /// What it is to those who break it.
    pub severity: Severity,
}

impl BrokenRule {
    /// Returns the digest by which the rule is known whatever contract it stands in.
    pub fn hash(&self) -> Digest {
        FieldHasher::new("casparian:rule:1")
            .field(self.column.as_deref().unwrap_or_default().as_bytes())
            .field(self.name.as_bytes())
            .field(self.expected.as_deref().unwrap_or_default().as_bytes())
            .finish()
    }
}

/// Stable reason codes. A code is never given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Code {
    /// Nothing is wrong with this row; another row of its record is bad.
    #[serde(rename = "CF0100")]
    Companion,
    /// A text is no value of the column's type.
    #[serde(rename = "CF0201")]
    Unparseable,
    /// A value of the column's type, but not this one: writing it back gives another.
    #[serde(rename = "CF0202")]
    Lossy,
    /// Past what the column's type can hold.
    #[serde(rename = "CF0203")]
    Overflow,
    /// A time that does not say where on earth.
    #[serde(rename = "CF0204")]
    NoTimeZone,
    /// A date that reads in two ways.
    #[serde(rename = "CF0205")]
    AmbiguousDate,
    /// A column that must have a value has none.
    #[serde(rename = "CF0301")]
    Missing,
    /// Outside its range.
    #[serde(rename = "CF0401")]
    Range,
    /// Too short or too long.
    #[serde(rename = "CF0402")]
    Length,
    /// Not like its pattern.
    #[serde(rename = "CF0403")]
    Pattern,
    /// None of the values that are allowed.
    #[serde(rename = "CF0404")]
    NotAllowed,
    /// Not written in its format.
    #[serde(rename = "CF0405")]
    Format,
    /// No multiple of what it should be.
    #[serde(rename = "CF0406")]
    Multiple,
    /// Too few items, too many, or one of them twice.
    #[serde(rename = "CF0407")]
    Items,
    /// An earlier row has the same key.
    #[serde(rename = "CF0501")]
    Duplicate,
    /// What must hold between columns does not.
    #[serde(rename = "CF0601")]
    CrossField,
    /// What must hold between columns cannot be computed.
    #[serde(rename = "CF0602")]
    Incomputable,
    /// The parser trapped on the record, also when it had nothing else to read.
    #[serde(rename = "CF0801")]
    Trapped,
    /// The parser burnt all its fuel on the record.
    #[serde(rename = "CF0802")]
    Fuel,
    /// The parser wanted more memory for the record than it may have.
    #[serde(rename = "CF0803")]
    Memory,
    /// The parser ran out of stack over the record.
    #[serde(rename = "CF0804")]
    Stack,
    /// The parser opened more handles over the record than it may have.
    #[serde(rename = "CF0805")]
    Handles,
    /// The parser called the host over the record with arguments that are none.
    #[serde(rename = "CF0806")]
    HostCall,
    /// The parser found a fault in the record; the rule is its word for it.
    #[serde(rename = "CF0900")]
    ParserFault,
}

impl Code {
    /// Every code, ascending.
    pub const ALL: [Code; 24] = [
        Code::Companion,
        Code::Unparseable,
        Code::Lossy,
        Code::Overflow,
        Code::NoTimeZone,
        Code::AmbiguousDate,
        Code::Missing,
        Code::Range,
        Code::Length,
        Code::Pattern,
        Code::NotAllowed,
        Code::Format,
        Code::Multiple,
        Code::Items,
        Code::Duplicate,
        Code::CrossField,
        Code::Incomputable,
        Code::Trapped,
        Code::Fuel,
        Code::Memory,
        Code::Stack,
        Code::Handles,
        Code::HostCall,
        Code::ParserFault,
    ];

    /// Whether it is the reason of a record on which the parser was ended.
    pub fn is_of_a_killer(self) -> bool {
        matches!(
            self,
            Code::Trapped | Code::Fuel | Code::Memory | Code::Stack | Code::Handles | Code::HostCall
        )
    }

    /// Returns the code as it is written: `CF0301`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Companion => "CF0100",
            Code::Unparseable => "CF0201",
            Code::Lossy => "CF0202",
            Code::Overflow => "CF0203",
            Code::NoTimeZone => "CF0204",
            Code::AmbiguousDate => "CF0205",
            Code::Missing => "CF0301",
            Code::Range => "CF0401",
            Code::Length => "CF0402",
            Code::Pattern => "CF0403",
            Code::NotAllowed => "CF0404",
            Code::Format => "CF0405",
            Code::Multiple => "CF0406",
            Code::Items => "CF0407",
            Code::Duplicate => "CF0501",
            Code::CrossField => "CF0601",
            Code::Incomputable => "CF0602",
            Code::Trapped => "CF0801",
            Code::Fuel => "CF0802",
            Code::Memory => "CF0803",
            Code::Stack => "CF0804",
            Code::Handles => "CF0805",
            Code::HostCall => "CF0806",
            Code::ParserFault => "CF0900",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

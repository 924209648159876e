//! A row of a quarantine as it is read back: why it is held, where it stood, its record's bytes and its cells.

use casparian_core::contract::verdict::Code;
use serde::Serialize;

/// A row of a quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldRow {
    /// The name of this quarantined row.
    pub q_id: String,
    /// The name of the row, whatever judged it.
    pub row_id: String,
    /// The table it was sent to; none for a record that could not be read.
    pub table: Option<String>,
    /// The input as it was named.
    pub input_path: String,
    /// The number of its record within the input, from 0.
    pub record_no: Option<u64>,
    /// The line of the record's first byte, from 1.
    pub line_first: Option<u64>,
    /// The line of the record's last byte.
    pub line_last: Option<u64>,
    /// The record's first byte, from 0.
    pub byte_offset: Option<u64>,
    /// Bytes of the record.
    pub byte_length: Option<u64>,
    /// How many reasons there are.
    pub n_violations: u64,
    /// The reasons, as far as they are listed.
    pub violations: Vec<HeldViolation>,
    /// The record's bytes, as far as they are kept; none where they were not asked for.
    #[serde(skip)]
    pub raw: Option<Vec<u8>>,
    /// Whether `raw` is not all of them.
    pub raw_truncated: bool,
    /// The row's cells; none where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<Vec<HeldCell>>,
}

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldViolation {
    /// The reason code as it is written. A later version may know more of them.
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// The column it is about.
    pub column: Option<String>,
    /// The rule that was broken.
    pub rule: String,
    /// What the rule wants.
    pub expected: Option<String>,
    /// What was there.
    pub observed: Option<String>,
}

impl HeldViolation {
    /// Returns the code, if it is one that we know.
    pub fn known_code(&self) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == self.code)
    }
}

/// A cell as the parser sent it, in text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldCell {
    /// Its column.
    pub column: String,
    /// The column's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value; none for null.
    pub value: Option<String>,
}

//! Which rows of a quarantine somebody wants to see.

use super::held::{HeldRow, HeldViolation};

/// What rows must be like. An empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// A reason has one of these codes.
    pub codes: Vec<String>,
    /// The same reason is about one of these rules.
    pub rules: Vec<String>,
    /// The same reason is about one of these columns.
    pub columns: Vec<String>,
    /// The row is of one of these tables.
    pub tables: Vec<String>,
    /// The row is of one of these inputs, as rows name them.
    pub inputs: Vec<String>,
    /// The row is of one of these records.
    pub records: Vec<u64>,
    /// The name of the quarantined row begins so.
    pub id_prefix: String,
}

impl Selection {
    /// Tells whether a row is wanted.
    pub fn has(&self, row: &HeldRow) -> bool {
        among(&self.tables, row.table.as_ref())
            && among(&self.inputs, Some(&row.input_path))
            && among(&self.records, row.record_no.as_ref())
            && row.q_id.starts_with(&self.id_prefix)
            && (!self.asks_for_reasons() || row.violations.iter().any(|reason| self.has_reason(reason)))
    }

    /// Tells whether a reason is one of those asked for; where none was asked for, every one is.
    pub fn has_reason(&self, reason: &HeldViolation) -> bool {
        among(&self.codes, Some(&reason.code))
            && among(&self.rules, Some(&reason.rule))
            && among(&self.columns, reason.column.as_ref())
    }

    fn asks_for_reasons(&self) -> bool {
        !(self.codes.is_empty() && self.rules.is_empty() && self.columns.is_empty())
    }
}

fn among<T: PartialEq>(wanted: &[T], found: Option<&T>) -> bool {
    wanted.is_empty() || found.is_some_and(|found| wanted.contains(found))
}

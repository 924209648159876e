//! What a run over many inputs tells its caller: the last line that `--json` prints, and what the summary renders.

use std::collections::BTreeMap;

use casparian_core::contract::verdict::Code;
use casparian_core::fault::FaultReport;
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};
use serde::Serialize;

pub use super::list::PassedBy;
use crate::loader::LoadReport;
use crate::report::{ComponentReport, ContractReport, Isolation, Preview};

/// The version of [`DatasetReport`]'s shape.
pub const DATASET_SCHEMA: u32 = 1;
/// The exit code of a run of which some inputs are published and some are not.
pub const EXIT_PARTIAL: u8 = 3;
/// Most inputs that are not in the output and are named.
pub const LEFT_OUT_NAMED: usize = 100;

/// Exit codes, the gravest last.
const BY_GRAVITY: [u8; 10] = [0, 1, EXIT_PARTIAL, 11, 10, 12, 2, 75, 70, 130];

/// Returns the graver of two exit codes.
pub(crate) fn graver(one: u8, other: u8) -> u8 {
    let gravity = |code: u8| BY_GRAVITY.iter().position(|known| *known == code).unwrap_or(BY_GRAVITY.len());
    if gravity(one) < gravity(other) { other } else { one }
}

/// What became of many inputs.
#[derive(Debug, Clone, Serialize)]
pub struct DatasetReport {
    /// [`DATASET_SCHEMA`].
    pub schema: u32,
    /// `dataset`: what tells this line from those of inputs.
    pub kind: &'static str,
    /// The parser.
    pub component: ComponentReport,
    /// The contract that rows were judged by; none: the schema that the parser declares.
    pub contract: Option<ContractReport>,
    /// How it ended.
    pub status: DatasetStatus,
    /// The exit code.
    pub exit: u8,
    /// Why all of it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultReport>,
    /// The inputs, counted.
    pub inputs: InputCounts,
    /// The first inputs that are not in the output.
    pub left_out: Vec<LeftOut>,
    /// The first things in folders that were no inputs.
    pub passed_by: Vec<PassedBy>,
    /// The tables, by name.
    pub tables: Vec<DatasetTable>,
    /// What is in quarantine.
    pub quarantine: DatasetQuarantine,
    /// Records of the inputs that did not fail.
    pub records: u64,
    /// Bytes of those inputs that nobody spoke for.
    pub dark_bytes: u64,
    /// Fuel burnt by them.
    pub fuel: u64,
    /// The least that stood between the parser and this machine for any input; [`Isolation::L0`] where no worker got far enough to
    /// say.
    pub isolation: Isolation,
    /// What this machine did not give of it, a line each.
    pub isolation_missing: Vec<String>,
    /// Workers side by side.
    pub jobs: usize,
    /// What did not end it and should be known.
    pub warnings: Vec<FaultReport>,
    /// Time from the first look at the inputs to the last word about them.
    pub wall_ms: u64,
    /// Digest of what it claims; none where nothing came of it.
    pub claim_sha256: Option<Digest>,
    /// Where the receipt was published.
    pub receipt: Option<String>,
    /// What became of it in a database; none where its output is files, or nothing was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadReport>,
    /// First rows of each table, where nothing is written.
    #[serde(skip)]
    pub previews: Vec<Preview>,
}

/// How a run over many inputs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetStatus {
    /// Every record of every input met the contract.
    Completed,
    /// Every input is published, and some records are in quarantine.
    CompletedWithQuarantine,
    /// Some inputs are published, and some failed or were held.
    Partial,
    /// The verdict is no: nothing is published.
    Held,
    /// Nothing came of it.
    Failed,
}

impl DatasetStatus {
    /// Returns the words for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::CompletedWithQuarantine => "completed with quarantine",
            Self::Partial => "partial",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// Inputs, counted by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InputCounts {
    /// Those that were found.
    pub found: u64,
    /// Of which every record met the contract.
    pub completed: u64,
    /// That left something in quarantine.
    pub completed_with_quarantine: u64,
    /// Whose verdict is no.
    pub held: u64,
    /// That failed.
    pub failed: u64,
    /// Things in folders that were no inputs.
    pub passed_by: u64,
    /// Bytes of the inputs that did not fail.
    pub bytes: u64,
}

/// An input that is not in the output.
#[derive(Debug, Clone, Serialize)]
pub struct LeftOut {
    /// Its path.
    pub input: String,
    /// Why: its fault, or in words why it was held.
    pub fault: FaultReport,
}

/// One table of a dataset.
#[derive(Debug, Clone, Serialize)]
pub struct DatasetTable {
    /// Its name.
    pub name: TableName,
    /// Rows that met the contract.
    pub accepted: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
    /// Files that it is in.
    pub parts: u64,
    /// The folder that they were published in.
    pub path: Option<String>,
}

/// The quarantine of a dataset.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DatasetQuarantine {
    /// Rows, and records that could not be read.
    pub rows: u64,
    /// The folder that they were published in.
    pub path: Option<String>,
    /// Rows by reason code.
    pub by_code: BTreeMap<Code, u64>,
    /// Rows by rule: a contract's, or the parser's own word for a fault.
    pub by_rule: BTreeMap<String, u64>,
}

impl DatasetReport {
    /// Begins the report of a run of which nothing is known yet.
    pub(super) fn begin(component: &std::path::Path, jobs: usize) -> Self {
        let stem = component.file_stem().unwrap_or_default().to_string_lossy();
        Self {
            schema: DATASET_SCHEMA,
            kind: "dataset",
            component: ComponentReport { name: GuestText::new(&stem, 128), version: None, sha256: None },
            contract: None,
            status: DatasetStatus::Failed,
            exit: 0,
            fault: None,
            inputs: InputCounts::default(),
            left_out: Vec::new(),
            passed_by: Vec::new(),
            tables: Vec::new(),
            quarantine: DatasetQuarantine::default(),
            records: 0,
            dark_bytes: 0,
            fuel: 0,
            isolation: Isolation::L0,
            isolation_missing: Vec::new(),
            jobs,
            warnings: Vec::new(),
            wall_ms: 0,
            claim_sha256: None,
            receipt: None,
            load: None,
            previews: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graver_exit_counts() {
        assert_eq!([graver(0, 11), graver(11, 10), graver(12, 3), graver(130, 70)], [11, 10, 12, 130]);
        assert_eq!(graver(99, 0), 99, "what nobody knows is the gravest");
    }
}

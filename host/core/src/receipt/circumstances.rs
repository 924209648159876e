//! What a receipt says beside its claim: under no digest, and not to come out again.

use serde::{Deserialize, Serialize};

use crate::id::{Digest, TableName};
use crate::isolate::{OnTrap, Toll};
use crate::limits::Limits;

/// What a run came about under. Nothing here need reproduce.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circumstances {
    /// The version of the host.
    pub host_version: String,
    /// The engine that ran the parser, with its version.
    pub engine: String,
    /// What stood between the parser and the machine.
    pub isolation: String,
    /// What was missing of it, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub isolation_missing: Vec<String>,
    /// What people called the input.
    pub input_path: String,
    /// The bytes of that in hex; none: they are the UTF-8 that it is, and the field is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_path_hex: Option<String>,
    /// Where the contract came from; none: there was none.
    pub contract_origin: Option<String>,
    /// Fuel burnt.
    pub fuel: u64,
    /// The most linear memory that the parser had, in bytes.
    pub memory_peak_bytes: u64,
    /// Every bound of the run.
    pub limits: Limits,
    /// The parser's log.
    pub log: LogCircumstances,
    /// How much a read gave; none: as much as was asked for.
    pub short_reads: Option<ShortReads>,
    /// How its tables are written: `parquet`, `csv`, `csv-escaped-formulas` or `jsonl`.
    pub format: String,
    /// The size that the parser was asked to make its batches.
    pub batch_bytes: u64,
    /// The size that the parser was asked to make its ranges; none: the usual one, and in early receipts as large as it liked.
    pub range_bytes: Option<u64>,
    /// Ranges that the parser cut the input into.
    pub ranges: u64,
    /// What was to be done where the parser traps; none: nobody said, as in early receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_trap: Option<OnTrap>,
    /// Traps of the parser that the run went on behind.
    pub traps: Toll,
    /// Threads that worked on it.
    pub threads: u32,
    /// Whether compiled code was at hand.
    pub code_cache: CodeCache,
    /// Time from the first look at the input to the writing of the receipt.
    pub wall_ms: u64,
    /// The files beside the receipt, by name.
    pub files: Vec<FileCircumstances>,
}

/// The log of a parser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogCircumstances {
    /// Lines that were told.
    pub lines: u64,
    /// Lines that were dropped because the log was full.
    pub lines_dropped: u64,
    /// Digest of the lines that were told.
    pub sha256: Digest,
}

/// Reads that give less than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortReads {
    /// What tells one schedule from another.
    pub seed: u64,
    /// The most that any read gave.
    pub bytes_max: u64,
}

/// Whether compiled code was at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeCache {
    /// It was compiled for this run.
    Cold,
    /// It was kept from an earlier run.
    Warm,
}

/// A file beside a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCircumstances {
    /// Where it is, seen from the receipt: a name, behind `../` where the output is one file.
    pub name: String,
    /// The table that it holds; none: the quarantine.
    pub table: Option<TableName>,
    /// Its size.
    pub bytes: u64,
    /// Digest of its bytes.
    pub sha256: Digest,
}

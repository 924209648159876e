//! A parser under `cargo test`, without wasm.

use std::collections::BTreeMap;

use crate::Parser;
use crate::fault::{Fault, Span};
use crate::host::{Level, Rejection};
use crate::output::SkipKind;

/// A cell of a row, decoded from what the parser emitted.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// Any integer; days of a date; units of a time or timestamp.
    Int(i128),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A decimal: digits and scale.
    Decimal(i128, i8),
    /// A list.
    List(Vec<Value>),
}

/// A row that the parser emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The record it comes from.
    pub span: Span,
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// Its cells, by column.
    pub cells: BTreeMap<String, Value>,
}

impl std::ops::Index<&str> for Decoded {
    type Output = Value;
    fn index(&self, column: &str) -> &Value {
        self.cells.get(column).unwrap_or(&Value::Null)
    }
}

/// What a parser said about an input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Rows by table, in the order they were emitted.
    pub tables: BTreeMap<String, Vec<Decoded>>,
    /// Rejected records.
    pub rejects: Vec<Rejection>,
    /// Skipped ranges.
    pub skips: Vec<(Span, SkipKind, String)>,
    /// The watermarks, in order.
    pub commits: Vec<u64>,
    /// Lines of the log.
    pub log: Vec<(Level, String, Option<Span>)>,
}

impl Said {
    /// Returns the rows of a table; none where it was not opened.
    pub fn rows(&self, table: &str) -> &[Decoded] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }
}

/// How to run a parser: what is set from outside, and how capricious the host is.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The name of the input.
    pub name: String,
    /// Options by name.
    pub options: Vec<(String, String)>,
    /// Tables that are wanted; all of them where empty.
    pub tables: Vec<String>,
    /// Reference data by name.
    pub attachments: Vec<(String, Vec<u8>)>,
    /// The size of ranges asked of `plan`, in bytes; one range where 0.
    pub target_bytes: u64,
    /// The batch size that the host asks for, in bytes; 1 MiB where 0.
    pub batch_bytes: u32,
    /// Where not 0, reads return fewer bytes than asked for, varied by this seed.
    pub read_seed: u64,
}

/// Runs a parser over an input with the defaults.
pub fn run(parser: &dyn Parser, input: &[u8]) -> Result<Said, Fault> {
    Run::default().over(parser, input)
}

impl Run {
    /// Runs a parser over an input: plan, then every range. Fails where the parser does, or where it breaks a rule of the interface.
    pub fn over(&self, parser: &dyn Parser, input: &[u8]) -> Result<Said, Fault> {
        let _ = (parser, input);
        unimplemented!()
    }
}

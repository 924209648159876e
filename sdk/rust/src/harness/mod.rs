//! A parser under `cargo test`, without wasm: an input in memory, a host that keeps the rules of `wit/world.wit` and remembers what
//! it was told.
//!
//! ```
//! # use casparian_sdk::prelude::*;
//! # table! { struct Words = "words" { word: String } }
//! # struct Split;
//! # impl Parser for Split {
//! #     fn describe(&self) -> Description { Description::new("split", "1.0.0").table::<Words>() }
//! #     fn parse(&self, input: &Input, range: Span, _: &[u8], _: &Options, out: &Output) -> Result<(), Fault> {
//! #         let mut words = out.table::<Words>()?;
//! #         for line in input.lines(range) {
//! #             let mut row = words.row(line.span())?;
//! #             let at = row.at();
//! #             row.word.set(at, line.text().unwrap_or_default());
//! #         }
//! #         Ok(())
//! #     }
//! # }
//! let said = casparian_sdk::harness::run(&Split, b"one\ntwo\n")?;
//! assert_eq!(said.rows("words")[1]["word"], "two");
//! assert_eq!(said.dark(), []);
//! # Ok::<(), casparian_sdk::Fault>(())
//! ```

mod decode;
mod memory;
mod recorder;

use std::collections::BTreeMap;
use std::ops::Index;

pub use memory::Memory;
use recorder::Recorder;

use crate::describe::{Description, Options};
use crate::fault::{Fault, Span};
use crate::host::SkipKind;
use crate::host::{Level, Rejection};
use crate::{Parser, session};

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
    /// A decimal: its digits and its scale.
    Decimal(i128, i8),
    /// A list, or the fields of a struct in the order of the schema.
    List(Vec<Value>),
}

impl Value {
    /// Returns the text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether there is no value.
    pub fn is_null(&self) -> bool {
        *self == Value::Null
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.text() == Some(other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self.text() == Some(*other)
    }
}

impl PartialEq<i128> for Value {
    fn eq(&self, other: &i128) -> bool {
        *self == Value::Int(*other)
    }
}

impl PartialEq<bool> for Value {
    fn eq(&self, other: &bool) -> bool {
        *self == Value::Bool(*other)
    }
}

/// A row that the parser emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The record it comes from; empty for a row of a table without spans.
    pub span: Span,
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// Its cells, by column.
    pub cells: BTreeMap<String, Value>,
}

impl Index<&str> for Decoded {
    type Output = Value;

    /// Returns a cell. Panics where the table has no such column: the test is wrong then.
    fn index(&self, column: &str) -> &Value {
        match self.cells.get(column) {
            Some(value) => value,
            None => panic!("no column `{column}`; there are {:?}", self.cells.keys()),
        }
    }
}

/// What a parser said about an input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The length of the input, in bytes.
    pub input_bytes: u64,
    /// Rows by table, in the order they were emitted.
    pub tables: BTreeMap<String, Vec<Decoded>>,
    /// Rejected records.
    pub rejects: Vec<Rejection>,
    /// Skipped ranges; neighbours of the same kind and note are one.
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

    /// Returns the spans of the records: those that rows come from and those rejected, each once, ascending.
    pub fn records(&self) -> Vec<Span> {
        let rows = self.tables.values().flatten().map(|row| row.span).filter(|span| !span.is_empty());
        let mut spans: Vec<Span> = rows.chain(self.rejects.iter().map(|it| it.at)).collect();
        spans.sort_unstable();
        spans.dedup();
        spans
    }

    /// Returns the ranges of the input about which nothing was said.
    pub fn dark(&self) -> Vec<Span> {
        let mut said = self.records();
        said.extend(self.skips.iter().map(|skip| skip.0));
        said.sort_unstable();
        let mut dark = Vec::new();
        let mut lit = 0;
        for span in said.into_iter().chain([Span::new(self.input_bytes, 0)]) {
            if span.offset > lit {
                dark.push(Span::between(lit, span.offset));
            }
            lit = lit.max(span.end());
        }
        dark
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
    /// The size of ranges asked of `plan`, in bytes; as large as the input where 0.
    pub target_bytes: u64,
    /// The batch size that the host asks for, in bytes; 1 MiB where 0.
    pub batch_bytes: u32,
    /// Where not 0, reads return fewer bytes than asked for, varied by this seed.
    pub read_seed: u64,
}

/// Runs a parser over an input with the defaults. Fails where the parser does, or where it breaks a rule of the interface.
pub fn run(parser: &dyn Parser, input: &[u8]) -> Result<Said, Fault> {
    Run::default().over(parser, input)
}

/// Runs a parser over an input many times, with reads and batches cut differently, and returns what it said. Fails as [`run`] does,
/// and where what it says depends on how they are cut.
pub fn run_steadily(parser: &dyn Parser, input: &[u8]) -> Result<Said, Fault> {
    Run::default().steadily(parser, input)
}

impl Run {
    /// Runs a parser over an input: plan, then every range. Fails where the parser does, or where it breaks a rule of the interface.
    pub fn over(&self, parser: &dyn Parser, input: &[u8]) -> Result<Said, Fault> {
        let description = parser.describe();
        let options = Options::new(&description, self.options.clone());
        let blob = Memory::new(&self.name, input).with_read_seed(self.read_seed);
        let recorder = Recorder::new(self, &description, input.len() as u64);
        let target = if self.target_bytes == 0 { u64::MAX } else { self.target_bytes };
        let layout = session::plan(parser, &recorder, &blob, &options, target)?;
        recorder.judge_layout(&layout)?;
        for range in layout.ranges {
            recorder.enter(range);
            session::parse(parser, &recorder, &blob, range, &layout.context, &options)?;
            recorder.leave()?;
        }
        recorder.finish()
    }

    /// Does the same many times with reads and batches cut differently. Fails as [`Run::over`] does, and where what the parser
    /// says depends on how they are cut.
    pub fn steadily(&self, parser: &dyn Parser, input: &[u8]) -> Result<Said, Fault> {
        let said = self.over(parser, input)?;
        for (read_seed, batch_bytes) in [(1, 0), (2, 1), (3, 4096), (4, 100_000)] {
            let other = Run { read_seed, batch_bytes, ..self.clone() }.over(parser, input)?;
            let same =
                other.tables == said.tables && other.rejects == said.rejects && other.skips == said.skips;
            if !same {
                let message = format!(
                    "said something else with reads of seed {read_seed} and batches of {batch_bytes} bytes"
                );
                return Err(Fault::new("parser-unsteady", message));
            }
        }
        Ok(said)
    }
}

/// Returns what a description says about a table's faults, by index.
fn fault_codes(description: &Description) -> Vec<String> {
    description.faults.iter().map(|(code, _)| (*code).to_owned()).collect()
}

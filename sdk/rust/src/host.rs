//! The far side of a parser, as traits: the component's imports on wasm, and natively whatever wants to run a parser.

use crate::fault::{Fault, Span};

/// Bytes that can be read anywhere: the input of a run, or an attachment.
pub trait Blob {
    /// Returns its base name; never a path.
    fn name(&self) -> String;

    /// Returns its length in bytes, which does not change.
    fn len(&self) -> u64;

    /// Returns whether it holds no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends at most `len` bytes from `offset` on to `into`. May append fewer anywhere; none only at or past the end.
    fn read(&self, offset: u64, len: u32, into: &mut Vec<u8>);
}

/// A record that cannot be read. `fault` indexes the description's faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Where the record is.
    pub at: Span,
    /// Which of the declared faults it has.
    pub fault: u16,
    /// What exactly is wrong, for people.
    pub message: String,
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Step by step.
    Trace,
    /// For the parser's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Worth looking at.
    Warn,
    /// Wrong.
    Error,
}

/// Everything a parser can reach besides its input. A fault returned is a refusal, and final.
pub trait Host {
    /// Returns the reference data that the operator attached under this name.
    fn attachment(&self, name: &str) -> Option<Box<dyn Blob>>;

    /// Opens a table; `schema` is an encapsulated Arrow IPC schema message. Returns what [`Host::emit`] calls it.
    fn open(&self, table: &str, schema: &[u8]) -> Result<u32, Fault>;

    /// Takes rows: an encapsulated Arrow IPC record batch message of the schema opened.
    fn emit(&self, table: u32, batch: &[u8]) -> Result<(), Fault>;

    /// Takes records that cannot be read.
    fn reject(&self, records: &[Rejection]) -> Result<(), Fault>;

    /// Takes note of bytes that hold no record.
    fn skip(&self, at: Span, kind: SkipKind, note: &str) -> Result<(), Fault>;

    /// Moves the watermark: every record that begins before `up_to` is complete.
    fn commit(&self, up_to: u64) -> Result<(), Fault>;

    /// Returns whether anybody wants this table's rows.
    fn wanted(&self, table: &str) -> bool;

    /// Returns the batch size that suits it, in bytes.
    fn batch_bytes(&self) -> u32;

    /// Returns whether lines of this level are kept.
    fn log_enabled(&self, level: Level) -> bool;

    /// Takes a line for people.
    fn log(&self, level: Level, message: &str, at: Option<Span>);
}

/// Why a range holds no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipKind {
    /// Nothing, or white space.
    Blank,
    /// A comment.
    Comment,
    /// What stands before the first record.
    Preamble,
    /// A header.
    Header,
    /// A footer.
    Footer,
    /// What stands between records.
    Separator,
    /// Filling.
    Padding,
    /// Something else.
    Other,
}

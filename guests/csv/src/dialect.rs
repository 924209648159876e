//! How a table is written: what parts cells and records, what quotes them, what is no record.

use crate::encoding::Encoding;

/// A decision with its score (0 to 1) and what speaks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decided<T> {
    /// What was decided.
    pub value: T,
    /// How sure it is.
    pub score: f64,
    /// Why.
    pub evidence: String,
    /// Whether an option said so.
    pub by_option: bool,
}

impl<T> Decided<T> {
    /// Makes a decision that was found.
    pub fn new(value: T, score: f64, evidence: String) -> Decided<T> {
        Decided { value, score, evidence, by_option: false }
    }

    /// Makes a decision that an option made.
    pub fn told(value: T) -> Decided<T> {
        Decided { value, score: 1.0, evidence: "an option says so".to_owned(), by_option: true }
    }
}

/// What ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Ends {
    /// A line feed, with or without a carriage return before it.
    #[default]
    Feed = 0,
    /// A carriage return.
    Return = 1,
    /// Either, or both.
    Any = 2,
}

impl Ends {
    /// All of them with their names, by their number.
    pub const ALL: [(Ends, &'static str); 3] = [(Ends::Feed, "lf"), (Ends::Return, "cr"), (Ends::Any, "any")];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Ends::ALL[self as usize].1
    }

    /// Returns whether a byte ends a line, or begins to.
    #[inline]
    pub fn is_end(self, byte: u8) -> bool {
        match self {
            Ends::Feed => byte == b'\n',
            Ends::Return => byte == b'\r',
            Ends::Any => byte == b'\n' || byte == b'\r',
        }
    }
}

/// How a table is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// How its characters are.
    pub encoding: Encoding,
    /// What parts cells; nothing where a record is one cell.
    pub delimiter: Vec<u8>,
    /// What stands around cells that hold delimiters.
    pub quote: Option<u8>,
    /// Whether a backslash makes the next character an ordinary one.
    pub backslash: bool,
    /// Whether spaces may stand around quotes.
    pub spaces: bool,
    /// What begins a comment.
    pub comment: Vec<u8>,
    /// What ends a line.
    pub ends: Ends,
}

/// Returns a text in which every character can be seen.
pub fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

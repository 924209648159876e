//! Whose fault it is. Every error of the house knows its blame; this room holds the shape they share and imports nothing of ours.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who has to act on a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The parser did what it must not, or what its limits forbid.
    Guest,
    /// The bytes to be parsed are not what they should be.
    Input,
    /// Someone who configured or called us: a path, an option, a policy.
    Operator,
    /// We, or the machine below us.
    Host,
}

impl Blame {
    /// Returns the process exit code that stands for this blame.
    pub fn exit_code(self) -> u8 {
        match self {
            Blame::Guest => 10,
            Blame::Input => 11,
            Blame::Operator => 12,
            Blame::Host => 70,
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blame::Guest => "parser",
            Blame::Input => "input",
            Blame::Operator => "operator",
            Blame::Host => "host",
        })
    }
}

/// An error that knows who has to act on it.
pub trait Blamed: std::error::Error {
    /// Returns whose fault it is.
    fn blame(&self) -> Blame;

    /// Returns a stable machine word for it, in kebab case.
    fn code(&self) -> &'static str;

    /// Returns the next move, where there is one.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Returns the fault in the form that crosses process walls.
    fn report(&self) -> FaultReport {
        FaultReport {
            blame: self.blame(),
            code: self.code().to_owned(),
            message: self.to_string(),
            hint: self.hint(),
            at: None,
        }
    }
}

/// A fault that has been rendered: what travels from the worker to its supervisor, and into `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Whose fault it is.
    pub blame: Blame,
    /// A stable machine word in kebab case.
    pub code: String,
    /// A lower-case fragment with its numbers, already escaped.
    pub message: String,
    /// The next move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The input bytes it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
}

/// A half-open range of input bytes: `[offset, offset + length)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte, from 0.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

impl Span {
    /// Returns the offset just past the span, or `None` where the numbers overflow.
    pub fn end(self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}..{}", self.offset, self.offset.saturating_add(self.length))
    }
}

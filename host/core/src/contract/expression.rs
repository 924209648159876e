//! Rules between the columns of a row, in a small language that reads like SQL.
//!
//! ```text
//! text ── token, parse ──> Node, typed ──> canonical text
//!                            │ columns of a batch
//!                            ▼
//!                         evaluate ──> Truths: which rows break the rule, for which it cannot be computed
//! ```
//!
//! Everything is typed when the rule is read, so that no row can be of a wrong type. Numbers are exact: integers and
//! decimals are 128-bit integers with a scale that the types fix, and what leaves 128 bits makes the row incomputable,
//! never wrong. There is no division: a quotient is seldom exact, and `a = b / c` is `a * c = b` without one.

mod canonical;
mod cells;
mod evaluate;
mod literal;
mod parse;
mod token;
mod tree;

use arrow_array::RecordBatch;
use arrow_buffer::BooleanBuffer;
use thiserror::Error;

use self::tree::Node;
use super::Column;
use crate::fault::{Blame, Blamed};

/// Most bytes of an expression, as it is written and in its canonical form.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
/// Deepest nesting of brackets, functions, `NOT` and signs.
pub const EXPRESSION_DEPTH_MAX: usize = 32;
/// Most operators, columns and literals of an expression; what stands in a list is not counted.
pub const EXPRESSION_NODES_MAX: usize = 256;

/// A rule that has been read against the columns of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    root: Node,
    /// Places of the columns in the table, in the order in which the expression first names them.
    columns: Vec<usize>,
    canonical: String,
}

impl Expression {
    /// Reads a rule about the columns of a table, or says what is wrong with it and where.
    pub fn parse(text: &str, columns: &[Column]) -> Result<Self, ExpressionFault> {
        let (root, used) = parse::parse(text, columns)?;
        let names: Vec<&str> =
            used.iter().filter_map(|place| columns.get(*place)).map(|column| column.name.as_str()).collect();
        let canonical = canonical::text(&root, &names);
        if canonical.len() > EXPRESSION_BYTES_MAX {
            return Err(ExpressionFault::too_long(canonical.len(), "once it is spaced out"));
        }
        Ok(Self { root, columns: used, canonical })
    }

    /// Judges the rows of a batch whose columns are those of the table, in its order. Rows of a batch with other columns
    /// are incomputable.
    pub fn judge(&self, rows: &RecordBatch) -> Truths {
        evaluate::judge(&self.root, &self.columns, rows)
    }

    /// Returns the places of the columns that it names, ascending.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = self.columns.clone();
        columns.sort_unstable();
        columns
    }

    /// Returns it as it is spelt by everyone: the same tree, one text.
    pub fn canonical(&self) -> String {
        self.canonical.clone()
    }
}

/// What a rule says of the rows of a batch. A row that is in neither is fine: the rule holds, or a null leaves it open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truths {
    /// Set where the rule is false. None: nowhere.
    pub broken: Option<BooleanBuffer>,
    /// Set where a number on the way to the answer is too large. None: nowhere.
    pub incomputable: Option<BooleanBuffer>,
}

/// Why a text is no rule about these columns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ExpressionFault {
    /// The byte of the text at which it is wrong, from 0.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// The next move.
    pub hint: Option<String>,
}

impl ExpressionFault {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), hint: None }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn too_long(bytes: usize, when: &str) -> Self {
        Self::new(
            0,
            format!("the rule has {bytes} bytes {when}, and at most {EXPRESSION_BYTES_MAX} are allowed"),
        )
        .with_hint("make two rules of it: rows must meet all of them")
    }
}

impl Blamed for ExpressionFault {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        "expression-invalid"
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

#[cfg(test)]
mod tests;

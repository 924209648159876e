//! Columns from one type to another: losslessly, or not at all.
//!
//! A cell is taken only where writing its value back gives the cell, up to what the table of the specification declares
//! insignificant ([docs/spec/lossless.md](../../../../docs/spec/lossless.md)). Whatever is not taken is null, and said with
//! its row and a [`Code`]; where several codes apply it is the lowest.
//!
//! This room judges cells. It knows no contract, and lists and structs are taken apart by whoever calls it.

mod bytes;
mod calendar;
mod cells;
mod exact;
mod float;
mod moment;
mod number;
mod pattern;
mod reader;
mod render;
mod word;

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_schema::DataType;
use thiserror::Error;

use self::cells::Cleaning;
use self::exact::Exact;
use self::reader::Reader;
use super::Decoding;
use super::verdict::Code;
use super::words;
use crate::fault::{Blame, Blamed};
use crate::guest_text::GuestText;

/// Most patterns that one column may be written in.
pub const PATTERNS_MAX: usize = 16;

/// How one column becomes another type. Compiled once per column.
#[derive(Debug, Clone)]
pub struct Cast {
    to: DataType,
    way: Way,
}

/// What came of a column.
#[derive(Debug, Clone)]
pub struct CastColumn {
    /// Values of the wanted type: null where the source is null, stands for null, or failed.
    pub values: ArrayRef,
    /// The rows that failed, ascending, each once, and why.
    pub failed: Vec<(u32, Code)>,
}

/// Why no cast could be planned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CannotCast {
    /// No value of the one type is ever a value of the other.
    #[error("no {} is ever a {}: {why}", words::data_type(from), words::data_type(to))]
    Pair {
        /// The type that the parser sends.
        from: DataType,
        /// The type that the contract wants.
        to: DataType,
        /// What stands between them.
        why: &'static str,
    },
    /// The decoding contradicts itself.
    #[error("this decoding reads nothing: {why}")]
    Decoding {
        /// What is wrong with it.
        why: String,
    },
    /// A pattern that could not be read back.
    #[error("the pattern `{pattern}` cannot be used: {why}")]
    Pattern {
        /// The pattern.
        pattern: GuestText,
        /// What is wrong with it.
        why: String,
    },
}

impl Blamed for CannotCast {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        match self {
            CannotCast::Pair { .. } => "cast-impossible",
            CannotCast::Decoding { .. } => "decoding-contradicts",
            CannotCast::Pattern { .. } => "decode-pattern",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            CannotCast::Pair { from, .. } => {
                format!("declare the column as {}, or let the parser send text", words::data_type(from))
            }
            CannotCast::Decoding { .. } => "give each character and each word one meaning".to_owned(),
            CannotCast::Pattern { .. } => {
                "`yyyy-MM-dd HH:mm:ss.SSSXXX` has every part that there is".to_owned()
            }
        })
    }
}

/// What is done to the cells.
#[derive(Debug, Clone)]
enum Way {
    /// Nothing.
    Identity,
    /// Texts are read.
    Read(Reader),
    /// Bytes are texts, if they are UTF-8.
    Utf8(Cleaning),
    /// Bytes stay bytes, in another layout.
    Bytes,
    /// Numbers and moments become others that are equal.
    Exact(Exact),
    /// Values are written as texts.
    Render,
}

impl Cast {
    /// Plans how a column of one leaf type becomes another. Refuses pairs that never fit.
    pub fn plan(from: &DataType, to: &DataType, decoding: &Decoding) -> Result<Cast, CannotCast> {
        let refuse = |why| CannotCast::Pair { from: from.clone(), to: to.clone(), why };
        let way = match (from, to) {
            _ if from.is_nested() || to.is_nested() => Err(refuse("nested types are taken apart first")),
            (DataType::Utf8 | DataType::LargeUtf8, _) => plan_text(from, to, decoding),
            (DataType::Decimal128(..) | DataType::Decimal256(..), _) if from == to => {
                Ok(Way::Exact(Exact::Digits))
            }
            (DataType::Time32(_) | DataType::Time64(_), _) if from == to => Ok(Way::Exact(Exact::OfDay)),
            _ if from == to => Ok(Way::Identity),
            (from, DataType::Utf8) if is_bytes(from) => Ok(Way::Utf8(Cleaning::new(decoding))),
            (from, DataType::Binary) if is_bytes(from) => Ok(Way::Bytes),
            (from, DataType::Utf8) if render::is_rendered(from) => Ok(Way::Render),
            _ => Exact::plan(from, to, decoding).map(Way::Exact).map_err(refuse),
        };
        Ok(Cast { to: to.clone(), way: way? })
    }

    /// Returns whether there is nothing to do: the array can be handed through.
    pub fn is_identity(&self) -> bool {
        matches!(self.way, Way::Identity)
    }

    /// Casts a column. The source must be of the type that was planned for.
    pub fn run(&self, source: &ArrayRef) -> CastColumn {
        match &self.way {
            Way::Identity => CastColumn { values: Arc::clone(source), failed: Vec::new() },
            Way::Read(reader) => reader.run(source),
            Way::Utf8(cleaning) => bytes::to_text(source, cleaning),
            Way::Bytes => bytes::to_bytes(source),
            Way::Exact(exact) => exact.run(source, &self.to),
            Way::Render => render::run(source),
        }
    }
}

fn plan_text(from: &DataType, to: &DataType, decoding: &Decoding) -> Result<Way, CannotCast> {
    if from == to && Cleaning::new(decoding).is_nothing() {
        return Ok(Way::Identity);
    }
    Reader::plan(from, to, decoding).map(Way::Read)
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_))
}

/// Reads a rule's value as one value of a type, under the default decoding.
pub fn literal(text: &str, data_type: &DataType) -> Result<ArrayRef, Code> {
    let cast = Cast::plan(&DataType::Utf8, data_type, &Decoding::default()).map_err(|_| Code::Unparseable)?;
    let source: ArrayRef = Arc::new(StringArray::from_iter_values([text]));
    let CastColumn { values, failed } = cast.run(&source);
    match failed.first() {
        Some((_, code)) => Err(*code),
        None => Ok(values),
    }
}

/// Checks that a pattern can be used for a date, a time or a timestamp, and that what it reads can be written back.
pub fn check_pattern(pattern: &str, to: &DataType) -> Result<(), String> {
    pattern::Pattern::compile(pattern, to).map(|_| ())
}

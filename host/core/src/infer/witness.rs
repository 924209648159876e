//! Where something was seen: the proof that goes with everything that is said of a column.

use std::fmt;

use arrow_array::{Array as _, StringArray, UInt64Array};
use serde::Serialize;

use crate::contract::verdict::Code;
use crate::guest_text::GuestText;

/// Most bytes of a value that a witness shows.
const VALUE_BYTES_MAX: usize = 64;
/// Most bytes of an input's name that a witness shows.
const INPUT_BYTES_MAX: usize = 256;

/// Where a row stands among all that are looked at. No two rows of a table have one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Which piece of the rows, in the order of the inputs.
    pub piece: u64,
    /// Which row of it, from 0.
    pub row: u64,
}

impl Place {
    /// Returns the place so many rows further on.
    pub(super) fn behind(self, rows: usize) -> Self {
        Self { row: self.row.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX)), ..self }
    }
}

/// One value that was seen, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Its row.
    pub place: Place,
    /// The input that it stands in, where that is known.
    pub input: Option<GuestText>,
    /// Where its record begins there, in bytes, where that is known.
    pub offset: Option<u64>,
    /// The value, cut.
    pub value: GuestText,
    /// What is wrong with it, where it speaks against something.
    pub code: Option<Code>,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.value)?;
        if let Some(input) = &self.input {
            write!(f, " in {input}")?;
        }
        match self.offset {
            Some(offset) => write!(f, " at byte {offset}"),
            None => write!(f, " in row {}", self.place.row),
        }
    }
}

/// Keeps the witness that stands first. So it does not matter in what order they are found.
pub(super) fn keep_first(kept: &mut Option<Witness>, found: Option<Witness>) {
    let is_first = |found: &Witness| kept.as_ref().is_none_or(|kept| found.place < kept.place);
    if let Some(found) = found.filter(is_first) {
        *kept = Some(found);
    }
}

/// Where the rows of a batch stand.
#[derive(Debug, Clone)]
pub struct Places {
    /// Of the first row.
    pub first: Place,
    /// The input of every row.
    pub inputs: Option<StringArray>,
    /// Where the record of every row begins in its input.
    pub offsets: Option<UInt64Array>,
}

impl Places {
    /// Returns those of some of the rows.
    pub(super) fn slice(&self, from: usize, rows: usize) -> Self {
        Self {
            first: self.first.behind(from),
            inputs: self.inputs.as_ref().map(|inputs| inputs.slice(from, rows)),
            offsets: self.offsets.as_ref().map(|offsets| offsets.slice(from, rows)),
        }
    }

    pub(super) fn place(&self, row: usize) -> Place {
        self.first.behind(row)
    }

    /// Makes the witness of a value in a row.
    pub(super) fn witness(&self, row: usize, value: &str, code: Option<Code>) -> Witness {
        let input = self.inputs.as_ref().filter(|inputs| row < inputs.len() && inputs.is_valid(row));
        let offset = self.offsets.as_ref().filter(|offsets| row < offsets.len() && offsets.is_valid(row));
        Witness {
            place: self.place(row),
            input: input.map(|inputs| GuestText::new(inputs.value(row), INPUT_BYTES_MAX)),
            offset: offset.map(|offsets| offsets.value(row)),
            value: GuestText::new(value, VALUE_BYTES_MAX),
            code,
        }
    }
}

//! What is wrong with a contract, or odd about it: a place, a word for machines, numbers, and the next move.

use std::fmt;

use thiserror::Error;

use crate::fault::{Blame, Blamed};
use crate::guest_text::GuestText;

/// Most faults that one reading tells. All are counted.
pub const FAULTS_MAX: usize = 64;
/// Most notes that one reading tells.
pub const NOTES_MAX: usize = 64;
const SHOWN_BYTES_MAX: usize = 80;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing that is wrong with a contract.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{at}: {message}")]
pub struct ContractFault {
    /// Where.
    pub at: Place,
    /// A stable machine word in kebab case.
    pub code: &'static str,
    /// A lower-case fragment with its numbers, already escaped.
    pub message: String,
    /// The next move.
    pub hint: Option<String>,
}

/// Everything that is wrong with a contract, as far as one reading can see.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("contract, {}{}", self.first(), self.others())]
pub struct ContractFaults {
    /// Never empty; in the order of the file; at most [`FAULTS_MAX`].
    faults: Vec<ContractFault>,
    /// How many there are in all.
    count: usize,
}

impl ContractFaults {
    /// Returns the faults in the order of the file, at most [`FAULTS_MAX`] of them.
    pub fn faults(&self) -> &[ContractFault] {
        &self.faults
    }

    /// Returns how many there are in all.
    pub fn count(&self) -> usize {
        self.count
    }

    fn first(&self) -> String {
        self.faults.first().map(ContractFault::to_string).unwrap_or_default()
    }

    fn others(&self) -> String {
        match self.count {
            0 | 1 => String::new(),
            2 => " (and 1 more fault)".to_owned(),
            count => format!(" (and {} more faults)", count.saturating_sub(1)),
        }
    }
}

impl Blamed for ContractFaults {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        "bad-contract"
    }

    fn hint(&self) -> Option<String> {
        self.faults.first().and_then(|fault| fault.hint.clone())
    }
}

/// Something that is allowed and hardly meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub at: Place,
    /// A stable machine word in kebab case.
    pub code: &'static str,
    /// A lower-case fragment, already escaped.
    pub message: String,
    /// The next move.
    pub hint: Option<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// What a reading has found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    faults: Vec<ContractFault>,
    count: usize,
    notes: Vec<Note>,
}

impl Findings {
    pub(super) fn fault(&mut self, at: Place, code: &'static str, message: impl Into<String>) {
        self.add(at, code, message.into(), None);
    }

    pub(super) fn fault_with_hint(
        &mut self,
        at: Place,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(at, code, message.into(), Some(hint.into()));
    }

    fn add(&mut self, at: Place, code: &'static str, message: String, hint: Option<String>) {
        self.count = self.count.saturating_add(1);
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(ContractFault { at, code, message, hint });
        }
    }

    pub(super) fn note(
        &mut self,
        at: Place,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(Note { at, code, message: message.into(), hint: Some(hint.into()) });
        }
    }

    /// Returns how many faults there are, to tell whether something added any.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns whether more faults would only be counted.
    pub(super) fn is_full(&self) -> bool {
        self.count >= FAULTS_MAX
    }

    /// Returns the notes of a contract without faults.
    pub(super) fn close(mut self) -> Result<Vec<Note>, ContractFaults> {
        self.notes.sort_by_key(|note| note.at);
        self.faults.sort_by_key(|fault| fault.at);
        match self.count {
            0 => Ok(self.notes),
            count => Err(ContractFaults { faults: self.faults, count }),
        }
    }
}

/// Shows a stranger's text between back-ticks, cut and escaped.
pub(super) fn shown(text: &str) -> String {
    format!("`{}`", GuestText::new(text, SHOWN_BYTES_MAX))
}

/// Lists words: `a`, `b` or `c`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or `{last}`", most.join(", "))
        }
    }
}

/// Asks whether the nearest of `known` was meant, if one is near enough.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    let far = (word.chars().count() / 3).clamp(1, 3);
    let distances = known.iter().map(|known| (edits(word, known), known));
    let (edits, nearest) = distances.min_by_key(|(edits, _)| *edits)?;
    (edits <= far).then(|| format!("did you mean `{nearest}`?"))
}

/// Longest word that a misspelling is looked up for.
const WORD_CHARS_MAX: usize = 48;

/// Counts the characters to add, drop or change on the way from one word to the other, whatever their case. Words that
/// are too long to be misspellings, or far from as long, are as far as can be.
fn edits(from: &str, to: &str) -> usize {
    let length = from.chars().count();
    if length > WORD_CHARS_MAX || to.chars().count().abs_diff(length) > 3 {
        return usize::MAX;
    }
    let to: Vec<char> = to.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, c) in from.chars().flat_map(char::to_lowercase).enumerate() {
        let mut corner = line;
        let mut left = line.saturating_add(1);
        for (cell, d) in row.iter_mut().zip(std::iter::once(None).chain(to.iter().map(Some))) {
            let above = *cell;
            let changed = corner.saturating_add(usize::from(d != Some(&c)));
            *cell = match d {
                None => left,
                Some(_) => changed.min(above.saturating_add(1)).min(left.saturating_add(1)),
            };
            (corner, left) = (above, *cell);
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_is_met_with_the_word_that_was_meant() {
        let known = ["required", "unique", "primaryKey"];
        assert_eq!(did_you_mean("requierd", &known).as_deref(), Some("did you mean `required`?"));
        assert_eq!(did_you_mean("PrimaryKey", &known).as_deref(), Some("did you mean `primaryKey`?"));
        assert_eq!(did_you_mean("cheese", &known), None);
        assert_eq!(did_you_mean(&"x".repeat(100_000), &known), None);
    }

    #[test]
    fn edits_are_counted() {
        for (from, to, count) in [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3)] {
            assert_eq!(edits(from, to), count, "{from} {to}");
        }
    }
}

//! What the values of one column say: which readings are out, and by which value; what would have to be declared for those that
//! are left.
//!
//! Nothing here depends on the order in which rows come, nor on how they are grouped, and seeing a row twice changes nothing:
//! a value can only take away, the witness is always the first one by place, and whatever nobody will need any more is dropped
//! in the same way whoever comes to know it.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, StringArray};

use super::reading::{Inquiry, MARKS, Reading, TOKENS};
use super::sketch::Sketch;
use super::witness::{Places, Witness, keep_first};

/// Most different values of which all are kept.
pub(super) const VALUES_MAX: usize = 64;
/// Longest value that is kept, in bytes.
const VALUE_BYTES_MAX: usize = 64;
/// The first rows are looked at a few at a time: most readings are out at once, and each asks for all rows it is shown.
const FIRST_STEPS: [usize; 2] = [16, 256];

/// What the values of one column say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Of each reading the first value that it cannot take.
    pub(super) against: Vec<Option<Witness>>,
    /// The first value that is no token.
    pub(super) value: Option<Witness>,
    /// Texts that often stand for nothing.
    pub(super) tokens: BTreeMap<&'static str, Witness>,
    /// The first value with blanks around it.
    pub(super) padded: Option<Witness>,
    /// What stands between digits. As long as a number is among the readings.
    pub(super) marks: BTreeMap<char, Witness>,
    /// The first number with a plus sign. As long as a number is among the readings.
    pub(super) plus: Option<Witness>,
    /// Digits, by the mark before the fraction. As long as a number is among the readings.
    pub(super) digits: BTreeMap<char, Digits>,
    /// The values, as long as they are few and short.
    pub(super) values: Option<BTreeSet<String>>,
    pub(super) sketch: Sketch,
}

/// How many digits numbers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) whole_max: usize,
    /// Of those that have a fraction; none has one where it is more than the most.
    pub(super) fraction_min: usize,
    pub(super) fraction_max: usize,
}

const NO_DIGITS: Digits = Digits { whole_max: 0, fraction_min: usize::MAX, fraction_max: 0 };

impl Digits {
    fn widen(&mut self, other: Self) {
        self.whole_max = self.whole_max.max(other.whole_max);
        self.fraction_min = self.fraction_min.min(other.fraction_min);
        self.fraction_max = self.fraction_max.max(other.fraction_max);
    }
}

impl Evidence {
    /// Begins with every reading alive.
    pub(super) fn new(readings: &[Reading]) -> Self {
        Self {
            against: vec![None; readings.len()],
            value: None,
            tokens: BTreeMap::new(),
            padded: None,
            marks: BTreeMap::new(),
            plus: None,
            digits: BTreeMap::new(),
            values: Some(BTreeSet::new()),
            sketch: Sketch::default(),
        }
    }

    /// Looks at the cells of some rows.
    pub(super) fn see(&mut self, readings: &[Reading], cells: &ArrayRef, places: &Places) {
        let mut from = 0;
        for step in FIRST_STEPS.into_iter().chain([cells.len()]) {
            let rows = step.min(cells.len().saturating_sub(from));
            self.see_slice(readings, &cells.slice(from, rows), &places.slice(from, rows));
            from = from.saturating_add(rows);
        }
    }

    fn see_slice(&mut self, readings: &[Reading], cells: &ArrayRef, places: &Places) {
        if cells.is_empty() {
            return;
        }
        self.eliminate(readings, cells, places);
        self.normalise(readings);
        let looks_at_numbers = self.has_number(readings);
        let Some(texts) = cells.as_string_opt::<i32>() else { return };
        for (row, text) in texts.iter().enumerate() {
            let Some(text) = text else { continue };
            self.see_text(text, row, places);
            if looks_at_numbers {
                self.see_number(text.trim_ascii(), row, places);
            }
        }
    }

    /// Asks every reading that is alive, or that is out for a value further on.
    fn eliminate(&mut self, readings: &[Reading], cells: &ArrayRef, places: &Places) {
        let texts = cells.as_string_opt::<i32>();
        let mut inquiry = Inquiry::of(cells);
        for (reading, against) in readings.iter().zip(&mut self.against) {
            if against.as_ref().is_some_and(|against| against.place < places.first) {
                continue;
            }
            let Some((row, code)) = inquiry.ask(reading) else { continue };
            let row = usize::try_from(row).unwrap_or(usize::MAX);
            keep_first(against, Some(places.witness(row, text_of(texts, row), Some(code))));
        }
    }

    fn see_text(&mut self, text: &str, row: usize, places: &Places) {
        let bare = text.trim_ascii();
        self.sketch.add(text.as_bytes(), places.place(row));
        let note = |kept: &mut Option<Witness>| {
            if kept.as_ref().is_none_or(|kept| places.place(row) < kept.place) {
                *kept = Some(places.witness(row, text, None));
            }
        };
        if bare.len() < text.len() {
            note(&mut self.padded);
        }
        match TOKENS.binary_search(&bare).ok().and_then(|at| TOKENS.get(at)) {
            Some(token) => insert_first(&mut self.tokens, *token, || places.witness(row, text, None)),
            None => note(&mut self.value),
        }
        self.keep_value(text);
    }

    fn keep_value(&mut self, text: &str) {
        let Some(values) = &mut self.values else { return };
        let is_short = text.len() <= VALUE_BYTES_MAX;
        if is_short && !values.contains(text) {
            values.insert(text.to_owned());
        }
        if !is_short || values.len() > VALUES_MAX {
            self.values = None;
        }
    }

    /// Looks at a text that may be a number: what stands between its digits, and how many there are.
    fn see_number(&mut self, text: &str, row: usize, places: &Places) {
        if TOKENS.binary_search(&text).is_ok() {
            return;
        }
        if text.starts_with('+') {
            keep_first(&mut self.plus, Some(places.witness(row, text, None)));
        }
        for mark in text.chars().filter(|c| MARKS.contains(c)) {
            insert_first(&mut self.marks, mark, || places.witness(row, text, None));
        }
        for decimal in ['.', ','] {
            self.digits.entry(decimal).or_insert(NO_DIGITS).widen(digits_of(text, decimal));
        }
    }

    /// Drops what is of no use once no reading is a number.
    fn normalise(&mut self, readings: &[Reading]) {
        if !self.has_number(readings) {
            self.marks.clear();
            self.plus = None;
            self.digits.clear();
        }
    }

    fn has_number(&self, readings: &[Reading]) -> bool {
        readings
            .iter()
            .zip(&self.against)
            .any(|(reading, against)| reading.sense.is_number() && against.is_none())
    }

    /// Adds what another has seen.
    pub(super) fn merge(&mut self, other: Self, readings: &[Reading]) {
        for (against, found) in self.against.iter_mut().zip(other.against) {
            keep_first(against, found);
        }
        keep_first(&mut self.value, other.value);
        keep_first(&mut self.padded, other.padded);
        keep_first(&mut self.plus, other.plus);
        other.tokens.into_iter().for_each(|(token, found)| insert_first(&mut self.tokens, token, || found));
        other.marks.into_iter().for_each(|(mark, found)| insert_first(&mut self.marks, mark, || found));
        for (decimal, digits) in other.digits {
            self.digits.entry(decimal).or_insert(NO_DIGITS).widen(digits);
        }
        self.values = self.values.take().zip(other.values).map(|(one, other)| &one | &other);
        self.values.take_if(|values| values.len() > VALUES_MAX);
        self.sketch.merge(&other.sketch);
        self.normalise(readings);
    }
}

fn text_of(texts: Option<&StringArray>, row: usize) -> &str {
    texts.filter(|texts| row < texts.len() && texts.is_valid(row)).map_or("", |texts| texts.value(row))
}

/// Keeps the witness that stands first under a key. It is only made where it is wanted.
fn insert_first<K: Ord + Copy>(kept: &mut BTreeMap<K, Witness>, key: K, found: impl FnOnce() -> Witness) {
    match kept.get_mut(&key) {
        None => drop(kept.insert(key, found())),
        Some(kept) => {
            let found = found();
            if found.place < kept.place {
                *kept = found;
            }
        }
    }
}

/// Counts the digits of a number before and behind its last such mark.
fn digits_of(text: &str, decimal: char) -> Digits {
    let count = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    match text.rsplit_once(decimal) {
        None => Digits { whole_max: count(text), ..NO_DIGITS },
        Some((whole, fraction)) => {
            let fraction = count(fraction);
            Digits { whole_max: count(whole), fraction_min: fraction, fraction_max: fraction }
        }
    }
}

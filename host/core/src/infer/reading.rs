//! All that a column of texts could be: types, each with a way to write it. Whether a value can be taken is for the casts of
//! contracts to say, and nobody else, so that what is inferred is what the judge accepts.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_array::{Array as _, ArrayRef, StringArray};
use arrow_schema::{DataType, TimeUnit};

use crate::contract::cast::Cast;
use crate::contract::verdict::Code;
use crate::contract::{DateOrder, Decoding, words};

/// Texts that often stand for nothing. Sorted.
pub(super) const TOKENS: [&str; 25] = [
    "", "#N/A", "#NA", "(null)", "-", "--", ".", "<NA>", "?", "N/A", "NA", "NULL", "NaT", "Nil", "None",
    "Null", "\\N", "n/a", "na", "nan", "nil", "none", "null", "~", "—",
];

/// Words for true and false, in small letters.
const TRUTHS: [(&str, &str); 7] =
    [("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off"), ("ja", "nein"), ("oui", "non")];

/// What may stand between digits.
pub(super) const MARKS: [char; 9] = ['.', ',', ' ', '\'', '_', '\u{a0}', '\u{202f}', '\u{2009}', '\u{2019}'];

/// The decimals that are tried. Their digits are counted apart.
pub(super) const DECIMAL_DIGITS: (u8, i8) = (38, 12);
/// Longest number that every float of 64 bits holds.
const FLOAT_DIGITS: usize = 15;

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sense {
    Truth,
    Integer,
    Unsigned,
    Whole,
    Decimal,
    Float,
    Date,
    Time,
    Timestamp,
    Zoned,
    /// Another type of the same meaning.
    Typed,
}

impl Sense {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Unsigned | Self::Whole | Self::Decimal | Self::Float)
    }

    fn is_temporal(self) -> bool {
        matches!(self, Self::Date | Self::Time | Self::Timestamp | Self::Zoned)
    }
}

/// What marks between digits mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Notation {
    pub(super) decimal: char,
    pub(super) group: Option<char>,
}

/// The plainest first.
pub(super) const NOTATIONS: [Notation; 15] = [
    notation('.', None),
    notation(',', None),
    notation('.', Some(',')),
    notation(',', Some('.')),
    notation('.', Some(' ')),
    notation(',', Some(' ')),
    notation('.', Some('\'')),
    notation('.', Some('_')),
    notation('.', Some('\u{a0}')),
    notation(',', Some('\u{a0}')),
    notation('.', Some('\u{202f}')),
    notation(',', Some('\u{202f}')),
    notation('.', Some('\u{2009}')),
    notation(',', Some('\u{2009}')),
    notation('.', Some('\u{2019}')),
];

const fn notation(decimal: char, group: Option<char>) -> Notation {
    Notation { decimal, group }
}

impl Notation {
    /// Returns the plainest notation that reads the same where no other marks than these occur.
    fn within(self, marks: Marks) -> Self {
        let has_decimal = marks.has('.') || marks.has(',');
        Self {
            decimal: if has_decimal { self.decimal } else { '.' },
            group: self.group.filter(|group| marks.has(*group)),
        }
    }
}

/// Which marks occur.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks(u16);

impl Marks {
    pub(super) fn of(texts: &StringArray) -> Self {
        texts.iter().flatten().fold(Self::default(), Self::with)
    }

    fn with(self, text: &str) -> Self {
        text.chars().filter(|c| !c.is_ascii_alphanumeric()).fold(self, |marks, c| Self(marks.0 | bit(c)))
    }

    fn has(self, mark: char) -> bool {
        self.0 & bit(mark) != 0
    }
}

fn bit(mark: char) -> u16 {
    MARKS.iter().position(|known| *known == mark).map_or(0, |at| 1 << at)
}

/// One way to read a column.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) sense: Sense,
    pub(super) notation: Notation,
    pub(super) data_type: DataType,
    /// Takes every token for null and every text without the blanks around it: what of that is needed is noted apart.
    pub(super) decoding: Decoding,
    cast: Cast,
}

impl Reading {
    fn new(sense: Sense, data_type: DataType, decoding: Decoding) -> Option<Self> {
        let notation = notation(decoding.decimal_char, decoding.group_char);
        let decoding =
            Decoding { missing_values: TOKENS.map(str::to_owned).to_vec(), trim: true, ..decoding };
        let cast = Cast::plan(&DataType::Utf8, &data_type, &decoding).ok()?;
        Some(Self { sense, notation, data_type, decoding, cast })
    }

    /// Returns the reading of values of one type as another.
    pub(super) fn typed(from: &DataType, to: DataType) -> Option<Self> {
        let decoding = Decoding::default();
        let cast = Cast::plan(from, &to, &decoding).ok()?;
        Some(Self { sense: Sense::Typed, notation: notation('.', None), data_type: to, decoding, cast })
    }

    /// Returns the first row that this reading cannot take.
    pub(super) fn first_refusal(&self, cells: &ArrayRef) -> Option<(u32, Code)> {
        self.cast.run(cells).failed.into_iter().next()
    }

    /// Returns whether hardly anybody would think of it first.
    pub(super) fn is_odd(&self) -> bool {
        let is_plain = self.notation == notation('.', None) && self.decoding.decode_patterns.is_empty();
        self.sense == Sense::Truth || !is_plain
    }

    /// Returns whether it reads digits alone as something that is no number.
    pub(super) fn is_compact(&self) -> bool {
        self.sense.is_temporal()
            && matches!(self.decoding.decode_patterns.as_slice(), [pattern] if !pattern.contains(|c: char| !c.is_ascii_alphabetic()))
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words::data_type(&self.data_type))?;
        if self.sense.is_number() && self.notation.decimal != '.' {
            write!(f, ", `{}` before the fraction", self.notation.decimal)?;
        }
        if let Some(group) = self.notation.group {
            write!(f, ", `{group}` between groups of digits")?;
        }
        if let Some(order) = self.decoding.date_order {
            write!(f, ", {}", words::date_order(order))?;
        }
        if let Some(pattern) = self.decoding.decode_patterns.first() {
            write!(f, ", written {pattern}")?;
        }
        if self.sense == Sense::Truth {
            let word = |words: &[String]| words.first().cloned().unwrap_or_default();
            write!(f, ", {} or {}", word(&self.decoding.true_values), word(&self.decoding.false_values))?;
        }
        Ok(())
    }
}

/// Returns all readings of texts.
pub(super) fn of_texts() -> Arc<[Reading]> {
    static TEXTS: LazyLock<Arc<[Reading]>> =
        LazyLock::new(|| truths().chain(numbers()).chain(temporals()).flatten().collect());
    Arc::clone(&TEXTS)
}

fn truths() -> impl Iterator<Item = Option<Reading>> {
    TRUTHS.into_iter().map(|(yes, no)| {
        let decoding = Decoding { true_values: cases(yes), false_values: cases(no), ..Decoding::default() };
        Reading::new(Sense::Truth, DataType::Boolean, decoding)
    })
}

/// Returns a word in small letters, in capitals, and with a capital.
fn cases(word: &str) -> Vec<String> {
    let upper = word.to_uppercase();
    let mut title: String = upper.chars().take(1).collect();
    title.extend(word.chars().skip(1));
    let mut cases = vec![word.to_owned(), upper, title];
    cases.dedup();
    cases
}

/// Of each notation the narrow types stand before the wide ones: what one takes tells of the next.
fn numbers() -> impl Iterator<Item = Option<Reading>> {
    let types = [
        (Sense::Integer, DataType::Int64),
        (Sense::Unsigned, DataType::UInt64),
        (Sense::Whole, DataType::Decimal128(DECIMAL_DIGITS.0, 0)),
        (Sense::Decimal, DataType::Decimal128(DECIMAL_DIGITS.0, DECIMAL_DIGITS.1)),
        (Sense::Float, DataType::Float64),
    ];
    NOTATIONS.into_iter().flat_map(move |notation| {
        types.clone().into_iter().map(move |(sense, data_type)| {
            let Notation { decimal: decimal_char, group: group_char } = notation;
            Reading::new(sense, data_type, Decoding { decimal_char, group_char, ..Decoding::default() })
        })
    })
}

const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const NANOS: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);

/// Of each sense the plainest stands first.
fn temporals() -> impl Iterator<Item = Option<Reading>> {
    let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    let time = DataType::Time64(TimeUnit::Microsecond);
    let plain = [
        (Sense::Date, DataType::Date32),
        (Sense::Time, time.clone()),
        (Sense::Timestamp, MICROS),
        (Sense::Timestamp, NANOS),
        (Sense::Zoned, utc(TimeUnit::Microsecond)),
        (Sense::Zoned, utc(TimeUnit::Nanosecond)),
    ];
    let ordered = [
        (Sense::Date, DataType::Date32),
        (Sense::Timestamp, MICROS),
        (Sense::Zoned, utc(TimeUnit::Microsecond)),
    ];
    let plain = plain.into_iter().map(|(sense, to)| Reading::new(sense, to, Decoding::default()));
    let orders = [DateOrder::YearMonthDay, DateOrder::DayMonthYear, DateOrder::MonthDayYear];
    let ordered = orders.into_iter().flat_map(move |order| {
        ordered.clone().into_iter().map(move |(sense, to)| {
            Reading::new(sense, to, Decoding { date_order: Some(order), ..Decoding::default() })
        })
    });
    let written = |sense, to: DataType, lists: &'static [&'static [&'static str]]| {
        lists.iter().map(move |patterns| {
            let decode_patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            Reading::new(sense, to.clone(), Decoding { decode_patterns, ..Decoding::default() })
        })
    };
    plain
        .chain(ordered)
        .chain(written(Sense::Date, DataType::Date32, DATES))
        .chain(written(Sense::Time, time, TIMES))
        .chain(written(Sense::Timestamp, MICROS, TIMESTAMPS))
        .chain(written(Sense::Zoned, utc(TimeUnit::Microsecond), ZONED))
}

const DATES: &[&[&str]] = &[
    &["yyyyMMdd"],
    &["dd MMM yyyy", "d MMM yyyy"],
    &["dd-MMM-yyyy", "d-MMM-yyyy"],
    &["MMM d, yyyy", "MMM dd, yyyy"],
    &["ddMMMyyyy"],
];
const TIMES: &[&[&str]] =
    &[&["HH:mm", "H:mm", "H:mm:ss", "HH:mm:ss"], &["h:mm a", "hh:mm a", "h:mm:ss a", "hh:mm:ss a"]];
const TIMESTAMPS: &[&[&str]] = &[
    &["yyyyMMddHHmmss"],
    &["yyyy-MM-dd HH:mm", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd HH:mm:ss"],
    &["yyyy-MM-dd HH:mm:ss,SSS", "yyyy-MM-dd'T'HH:mm:ss,SSS"],
    &["yyyyMMdd-HH:mm:ss", "yyyyMMdd-HH:mm:ss.SSS", "yyyyMMdd-HH:mm:ss.SSSSSS"],
    &["yyyyMMdd HH:mm:ss", "yyyyMMdd HH:mm", "yyyyMMdd HHmmss"],
    &["yyyy/MM/dd HH:mm", "yyyy/M/d H:mm"],
    &["dd/MM/yyyy HH:mm", "d/M/yyyy H:mm", "d/M/yyyy HH:mm"],
    &["MM/dd/yyyy HH:mm", "M/d/yyyy H:mm", "M/d/yyyy HH:mm"],
    &["dd.MM.yyyy HH:mm", "d.M.yyyy H:mm", "d.M.yyyy HH:mm"],
    &["dd-MM-yyyy HH:mm", "d-M-yyyy H:mm", "d-M-yyyy HH:mm"],
    &["MM-dd-yyyy HH:mm", "M-d-yyyy H:mm", "M-d-yyyy HH:mm"],
    &["d/M/yyyy h:mm a", "d/M/yyyy h:mm:ss a", "dd/MM/yyyy hh:mm a", "dd/MM/yyyy hh:mm:ss a"],
    &["M/d/yyyy h:mm a", "M/d/yyyy h:mm:ss a", "MM/dd/yyyy hh:mm a", "MM/dd/yyyy hh:mm:ss a"],
    &["dd MMM yyyy HH:mm:ss", "d MMM yyyy HH:mm:ss", "dd-MMM-yyyy HH:mm:ss"],
];
const ZONED: &[&[&str]] = &[
    &["dd/MMM/yyyy:HH:mm:ss xx"],
    &["yyyy-MM-dd HH:mm:ss xx", "yyyy-MM-dd HH:mm:ssxx", "yyyy-MM-dd'T'HH:mm:ssxx"],
    &["yyyy-MM-dd HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mmXXX", "yyyy-MM-dd HH:mmXXX"],
    &["yyyy-MM-dd HH:mm:ss.SSSxx", "yyyy-MM-dd'T'HH:mm:ss.SSSxx"],
];

/// A type of numbers, and how they are written.
type Number = (Sense, Notation);
/// The first row that a reading cannot take, and why.
type Refusal = Option<(u32, Code)>;

/// Asks readings about the cells of one slice, and none twice.
pub(super) struct Inquiry<'a> {
    cells: &'a ArrayRef,
    marks: Marks,
    /// Of the longest cell.
    longest: usize,
    has_minus: bool,
    /// What numbers came to, by type and notation.
    known: Vec<(Number, Refusal)>,
    takes_iso_dates: bool,
}

impl<'a> Inquiry<'a> {
    pub(super) fn of(cells: &'a ArrayRef) -> Self {
        let texts = cells.as_any().downcast_ref::<StringArray>();
        let cell = || texts.into_iter().flat_map(StringArray::iter).flatten();
        Self {
            cells,
            marks: texts.map(Marks::of).unwrap_or_default(),
            longest: cell().map(str::len).max().unwrap_or_default(),
            has_minus: cell().any(|text| text.contains('-')),
            known: Vec::new(),
            takes_iso_dates: false,
        }
    }

    /// Returns the first row that a reading cannot take.
    pub(super) fn ask(&mut self, reading: &Reading) -> Refusal {
        if !reading.sense.is_number() {
            return self.ask_other(reading);
        }
        let key = (reading.sense, reading.notation.within(self.marks));
        if let Some((_, refusal)) = self.known.iter().find(|(known, _)| *known == key) {
            return *refusal;
        }
        let refusal = if self.follows(key) { None } else { reading.first_refusal(self.cells) };
        self.known.push((key, refusal));
        refusal
    }

    /// Whether a type of numbers takes all cells because a narrower one does.
    fn follows(&self, (sense, notation): Number) -> bool {
        let takes = |narrow| self.known.contains(&((narrow, notation), None));
        match sense {
            Sense::Unsigned => takes(Sense::Integer) && !self.has_minus,
            Sense::Whole | Sense::Decimal => takes(Sense::Integer),
            Sense::Float => self.longest <= FLOAT_DIGITS && (takes(Sense::Integer) || takes(Sense::Decimal)),
            _ => false,
        }
    }

    /// A date that is written plainly is one in the order of the plain ones.
    fn ask_other(&mut self, reading: &Reading) -> Refusal {
        let is_date = reading.sense == Sense::Date && reading.decoding.decode_patterns.is_empty();
        if is_date && reading.decoding.date_order == Some(DateOrder::YearMonthDay) && self.takes_iso_dates {
            return None;
        }
        let refusal = reading.first_refusal(self.cells);
        self.takes_iso_dates |= is_date && reading.decoding.date_order.is_none() && refusal.is_none();
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_can_be_planned() {
        let wanted = TRUTHS.len() + NOTATIONS.len() * 5 + 6 + 9;
        let written = DATES.len() + TIMES.len() + TIMESTAMPS.len() + ZONED.len();
        assert_eq!(of_texts().len(), wanted + written);
    }

    #[test]
    fn what_is_told_without_a_cast_is_what_the_cast_would_tell() {
        let columns: [&[&str]; 8] = [
            &["1", "-2", ""],
            &["1", "18446744073709551615"],
            &["9007199254740993", "1"],
            &["1.5", "1,5"],
            &["1.234", "1.234.567", "NA"],
            &["2024-01-02", "2024-1-2"],
            &["0.30000000000000004", "123456789012345"],
            &["1 000", "x"],
        ];
        for cells in columns {
            let cells: ArrayRef = Arc::new(StringArray::from(cells.to_vec()));
            let mut inquiry = Inquiry::of(&cells);
            for reading in of_texts().iter() {
                assert_eq!(inquiry.ask(reading), reading.first_refusal(&cells), "{reading} of {cells:?}");
            }
        }
    }

    #[test]
    fn tokens_are_sorted_and_no_number_nor_truth() {
        assert!(TOKENS.is_sorted());
        let words: Vec<String> =
            TRUTHS.iter().flat_map(|(yes, no)| [cases(yes), cases(no)].concat()).collect();
        assert!(TOKENS.iter().all(|token| !words.iter().any(|word| word == token)));
    }
}

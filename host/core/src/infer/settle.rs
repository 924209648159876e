//! What follows from the evidence: a column of a contract, or a question with what speaks for either answer.
//!
//! Rules, where more than one thing could be said:
//!
//! * A type is taken only where every value has it. Where two readings are left that mean different things, the column stays
//!   text, which loses nothing, until the question is answered.
//! * What the parser has given a type keeps it.
//! * No bound is drawn around the values that happened to be there: the contract would refuse tomorrow's larger one. The same
//!   holds for lengths. A list of few values only warns. A key is a remark: that no value came twice is no promise.
//! * That a column is never null is taken for a rule once there were [`REQUIRED_ROWS_MIN`] rows without one.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use serde::Serialize;

use super::evidence::Digits;
use super::reading::{DECIMAL_DIGITS, NOTATIONS, Notation, Reading, Sense};
use super::witness::{Place, Witness};
use super::{ColumnSeen, Distinct, Inference, Table, typed};
use crate::contract::{Check, Column, DateOrder, Decoding, Rule, Severity, words};
use crate::guest_text::{GuestText, steers};
use crate::id::TableName;

/// So many rows without a null make a column required.
pub const REQUIRED_ROWS_MIN: u64 = 100;
/// A list of values warns of others where it is no longer than this, and there were so many rows for each value.
const LISTED_MAX: usize = 16;
const ROWS_FOR_EACH_LISTED: u64 = 20;
/// Most digits behind the mark where a decimal is taken although numbers have now more, now fewer of them.
const UNEVEN_DIGITS_MAX: usize = 6;
/// Digits that a decimal gets unless it needs more.
const PRECISION: u8 = 18;
/// From this row on it is worth a word that a column was something else until then.
const NEARLY_ROWS: u64 = 100;
/// Most texts that one remark names.
const NAMED_MAX: usize = 4;

/// The questions that may come up, with the answers to each. `text` always leaves the column as it is.
pub const QUESTIONS: [(&str, &[&str]); 5] = [
    ("dates", &["dmy", "mdy", "text"]),
    ("comma", &["decimal", "group", "text"]),
    ("point", &["decimal", "group", "text"]),
    ("digits", &["date", "number", "text"]),
    ("plus", &["number", "text"]),
];

/// Answers that were given beforehand, by question.
pub type Answers = BTreeMap<String, String>;

/// What a table could be held to.
#[derive(Debug, Clone, Serialize)]
pub struct TableFinding {
    /// Its name.
    pub table: TableName,
    /// Rows that were seen.
    pub rows: u64,
    /// Its columns, in their order.
    pub columns: Vec<ColumnFinding>,
}

/// What a column could be held to.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnFinding {
    /// Its name.
    pub name: GuestText,
    /// The type that the parser sends.
    pub sent: String,
    /// The type that it could have; none: a contract file has no word for it.
    #[serde(rename = "type")]
    pub data_type: Option<String>,
    /// Whether everything about its type is certain.
    pub outcome: Outcome,
    /// Rows that have no value.
    pub nulls: u64,
    /// How many different values there are, where they were counted.
    pub distinct: Option<Distinct>,
    /// What somebody has to decide.
    pub questions: Vec<Question>,
    /// What else is worth knowing.
    pub remarks: Vec<String>,
    /// What it is not, and by which value.
    pub ruled_out: Vec<RuledOut>,
    /// The column as a contract has it.
    #[serde(skip)]
    pub column: Option<Column>,
}

/// How certain a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// One reading is left.
    Resolved,
    /// Several are left that mean different things: it stays text.
    Ambiguous,
    /// No value was seen.
    Unseen,
    /// A contract file cannot say it.
    Unsayable,
}

/// Something that the values leave open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Its word, one of [`QUESTIONS`].
    pub key: &'static str,
    /// What is asked, with the evidence.
    pub asks: String,
    /// The answers there are.
    pub answers: &'static [&'static str],
}

/// Readings that one value has ruled out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuledOut {
    /// The readings.
    pub readings: Vec<String>,
    /// The value.
    pub by: Witness,
}

/// What a column of texts is read as.
#[derive(Debug, Default)]
struct Choice {
    /// None: it stays text.
    read: Option<(DataType, Decoding)>,
    questions: Vec<Question>,
    remarks: Vec<String>,
}

impl Inference {
    /// Draws the conclusions.
    pub fn settle(&self, answers: &Answers) -> Vec<TableFinding> {
        let finding = |(name, table): (&TableName, &Table)| TableFinding {
            table: name.clone(),
            rows: table.rows,
            columns: table.columns.iter().map(|column| column.settle(table.rows, answers)).collect(),
        };
        self.tables.iter().map(finding).collect()
    }
}

impl ColumnSeen {
    fn settle(&self, rows: u64, answers: &Answers) -> ColumnFinding {
        let is_text = matches!(self.field.data_type(), DataType::Utf8 | DataType::LargeUtf8);
        let choice = if is_text { self.choose(answers) } else { Choice::default() };
        let read = choice.read.clone().or_else(|| self.as_sent().map(|to| (to, Decoding::default())));
        let column = read.map(|(data_type, decoding)| self.column(data_type, decoding, rows));
        let outcome = match (&column, choice.questions.is_empty()) {
            (None, _) => Outcome::Unsayable,
            (_, false) => Outcome::Ambiguous,
            _ if is_text && self.evidence.value.is_none() => Outcome::Unseen,
            _ => Outcome::Resolved,
        };
        let mut remarks = choice.remarks;
        remarks.extend(self.remarks(rows, column.as_ref()));
        ColumnFinding {
            name: GuestText::new(self.field.name(), 256),
            sent: words::data_type(self.field.data_type()),
            data_type: column.as_ref().map(|column| words::data_type(&column.data_type)),
            outcome,
            nulls: self.nulls,
            distinct: self.distinct(),
            questions: choice.questions,
            remarks,
            ruled_out: self.ruled_out(),
            column,
        }
    }

    /// Returns the type that values keep, or the best that all of them can become.
    fn as_sent(&self) -> Option<DataType> {
        let alive = || self.alive().map(|reading| reading.data_type.clone()).next();
        match self.field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => Some(DataType::Utf8),
            sent => typed::written(sent).or_else(alive),
        }
    }

    fn alive(&self) -> impl Iterator<Item = &Reading> {
        let pairs = self.readings.iter().zip(&self.evidence.against);
        pairs.filter(|(_, against)| against.is_none()).map(|(reading, _)| reading)
    }

    fn distinct(&self) -> Option<Distinct> {
        let distinct = self.evidence.sketch.distinct();
        (distinct.count() > 0).then_some(distinct)
    }

    fn column(&self, data_type: DataType, decoding: Decoding, rows: u64) -> Column {
        let is_full = self.nulls == 0 && decoding.missing_values.is_empty();
        let required = is_full && (!self.field.is_nullable() || rows >= REQUIRED_ROWS_MIN);
        let listed = Some(&data_type).filter(|to| **to == DataType::Utf8).and_then(|_| self.listed(rows));
        let check = |values| Check {
            name: "validValues".to_owned(),
            rule: Rule::OneOf(values),
            severity: Severity::Warning,
        };
        let checks = listed.map(check).into_iter().collect();
        Column { decoding, checks, ..typed::column(self.field.name(), data_type, required) }
    }

    /// Returns the values of a column, where they are few and come again and again.
    fn listed(&self, rows: u64) -> Option<Vec<String>> {
        let values =
            self.evidence.values.as_ref().filter(|values| (1..=LISTED_MAX).contains(&values.len()))?;
        let enough = u64::try_from(values.len()).ok()?.checked_mul(ROWS_FOR_EACH_LISTED)?;
        let is_plain = values.iter().all(|value| !value.chars().any(|c| steers(c) || is_unprintable(c)));
        (rows >= enough.max(REQUIRED_ROWS_MIN) && is_plain).then(|| values.iter().cloned().collect())
    }

    /// Groups what is out by the value that it is out for, what people ask for first.
    fn ruled_out(&self) -> Vec<RuledOut> {
        let mut grouped: BTreeMap<Place, RuledOut> = BTreeMap::new();
        let mut pairs: Vec<_> = self.readings.iter().zip(&self.evidence.against).collect();
        pairs.sort_by_key(|(reading, _)| reading.is_odd());
        for (reading, against) in pairs {
            let Some(by) = against else { continue };
            let group = grouped.entry(by.place);
            let group = group.or_insert_with(|| RuledOut { readings: Vec::new(), by: by.clone() });
            group.readings.push(reading.to_string());
        }
        grouped.into_values().collect()
    }

    fn remarks(&self, rows: u64, column: Option<&Column>) -> Vec<String> {
        let mut remarks = Vec::new();
        let Some(column) = column else {
            let sent = words::data_type(self.field.data_type());
            return vec![format!("no contract file can say {sent}: the column comes along as it is sent")];
        };
        if rows == 0 {
            remarks.push("no row was seen".to_owned());
        }
        remarks.extend(self.blanks_remark(column));
        remarks.extend(self.tokens_remark(column));
        remarks.extend(self.key_remark(rows));
        remarks
    }

    fn blanks_remark(&self, column: &Column) -> Option<String> {
        let padded = self.evidence.padded.as_ref()?;
        let what = if column.decoding.trim { "are taken off" } else { "are kept" };
        Some(format!("blanks around values {what}, as in {padded}"))
    }

    fn tokens_remark(&self, column: &Column) -> Option<String> {
        let tokens = &self.evidence.tokens;
        let (_, first) = tokens.first_key_value()?;
        let named: Vec<String> = tokens.keys().take(NAMED_MAX).map(|token| format!("\"{token}\"")).collect();
        let named = named.join(", ");
        Some(match column.decoding.missing_values.is_empty() {
            true => format!("{named} kept as texts, as in {first}; `missingValues` would make nulls of them"),
            false => format!("{named} taken for null, as in {first}"),
        })
    }

    /// Says that a column might be a key. Only a sample of its values is watched.
    fn key_remark(&self, rows: u64) -> Option<String> {
        let sketch = &self.evidence.sketch;
        let may_be = sketch.is_unique() && rows >= REQUIRED_ROWS_MIN && self.nulls == 0;
        may_be.then(|| match sketch.distinct() {
            Distinct::Exactly(_) => "no value comes twice: a key?".to_owned(),
            Distinct::About(_) => {
                format!("no value of a fair sample comes twice in {rows} rows: a key?")
            }
        })
    }

    /// Chooses what texts are read as.
    fn choose(&self, answers: &Answers) -> Choice {
        if self.evidence.value.is_none() {
            return Choice { remarks: vec!["no value was seen".to_owned()], ..Choice::default() };
        }
        if let Some(choice) = self.truth() {
            return choice;
        }
        if self.alive().any(|reading| reading.sense.is_number()) {
            return self.number(answers);
        }
        let choice = self.temporal(answers);
        if choice.read.is_some() || !choice.questions.is_empty() {
            return choice;
        }
        Choice { remarks: self.nearly().into_iter().collect(), ..choice }
    }

    /// Declares what of blanks and tokens is needed, and nothing more.
    fn declared(&self, decoding: Decoding) -> Decoding {
        Decoding {
            missing_values: self.evidence.tokens.keys().map(|token| (*token).to_owned()).collect(),
            trim: self.evidence.padded.is_some(),
            ..decoding
        }
    }

    /// Takes a column for truth where both words were seen. One word alone is a text that is always the same.
    fn truth(&self) -> Option<Choice> {
        let reading = self.alive().find(|reading| reading.sense == Sense::Truth)?;
        let values = self.evidence.values.as_ref()?;
        let seen = |words: &[String]| -> Vec<String> {
            let is_seen = |word: &&String| values.iter().any(|value| value.trim_ascii() == word.as_str());
            words.iter().filter(is_seen).cloned().collect()
        };
        let true_values = seen(&reading.decoding.true_values);
        let false_values = seen(&reading.decoding.false_values);
        if true_values.is_empty() || false_values.is_empty() {
            let word = words::texts(true_values.iter().chain(&false_values));
            let remark = format!("no value but {word}: true or false, perhaps, and the other was never seen");
            return Some(Choice { remarks: vec![remark], ..Choice::default() });
        }
        let decoding = self.declared(Decoding { true_values, false_values, ..Decoding::default() });
        Some(Choice { read: Some((DataType::Boolean, decoding)), ..Choice::default() })
    }

    /// Settles what the marks between digits mean, then which type is wide enough.
    fn number(&self, answers: &Answers) -> Choice {
        let notation = match self.notation(answers) {
            Ok(Some(notation)) => notation,
            Ok(None) => return Choice::default(),
            Err(question) => return Choice { questions: vec![question], ..Choice::default() },
        };
        let Some((sense, data_type)) = self.number_type(notation) else { return Choice::default() };
        let is_whole = matches!(sense, Sense::Integer | Sense::Unsigned | Sense::Whole);
        if is_whole && let Some(choice) = self.compact(answers) {
            return choice;
        }
        if is_whole && let Some(plus) = self.evidence.plus.as_ref() {
            match answers.get("plus").map(String::as_str) {
                Some("number") => {}
                Some(_) => return Choice::default(),
                None => {
                    let asks = format!(
                        "is {plus} a number, whose plus means nothing, or a text such as a telephone number?"
                    );
                    return Choice { questions: vec![question("plus", asks)], ..Choice::default() };
                }
            }
        }
        let has_fraction = !matches!(data_type, DataType::Int64 | DataType::UInt64);
        let decimal_char = if has_fraction { notation.decimal } else { '.' };
        let decoding = Decoding { decimal_char, group_char: notation.group, ..Decoding::default() };
        Choice { read: Some((data_type, self.declared(decoding))), ..Choice::default() }
    }

    /// Returns what the marks that were seen mean, in the plainest notation that says so; none: somebody wants text.
    fn notation(&self, answers: &Answers) -> Result<Option<Notation>, Question> {
        let mut meanings: Vec<(Vec<Role>, Notation)> = Vec::new();
        for notation in NOTATIONS {
            let is_alive =
                self.alive().any(|reading| reading.sense.is_number() && reading.notation == notation);
            let roles: Vec<Role> = self.evidence.marks.keys().map(|mark| notation.role(*mark)).collect();
            if is_alive && !meanings.iter().any(|(known, _)| *known == roles) {
                meanings.push((roles, notation));
            }
        }
        let mut marks = self.evidence.marks.iter().enumerate();
        let open = marks.find(|(at, _)| {
            let mut roles = meanings.iter().map(|(roles, _)| roles.get(*at));
            roles.next().is_some_and(|first| roles.any(|other| other != first))
        });
        let Some((at, (mark, seen))) = open else {
            return Ok(meanings.first().map(|(_, notation)| self.plainest(*notation)));
        };
        let key = if *mark == ',' { "comma" } else { "point" };
        let wanted = match answers.get(key).map(String::as_str) {
            None => {
                let asks = format!(
                    "does the {key} stand before the fraction or between groups of digits? Every value can be \
                     read both ways, such as {seen}"
                );
                return Err(question(key, asks));
            }
            Some("decimal") => Role::Decimal,
            Some("group") => Role::Group,
            Some(_) => return Ok(None),
        };
        let meant = meanings.iter().find(|(roles, _)| roles.get(at) == Some(&wanted));
        Ok(meant.map(|(_, notation)| self.plainest(*notation)))
    }

    /// Leaves out of a notation what was never needed.
    fn plainest(&self, notation: Notation) -> Notation {
        let is_seen = |mark: &char| self.evidence.marks.contains_key(mark);
        let group = notation.group.filter(is_seen);
        // A point between groups leaves no room for one before the fraction.
        let needs_comma = is_seen(&notation.decimal) || group == Some('.');
        Notation { decimal: if needs_comma { notation.decimal } else { '.' }, group }
    }

    /// Returns the narrowest type that takes every value as it is meant, of those that a contract names.
    fn number_type(&self, notation: Notation) -> Option<(Sense, DataType)> {
        let alive: Vec<&Reading> = self
            .alive()
            .filter(|reading| reading.sense.is_number() && self.plainest(reading.notation) == notation)
            .collect();
        let takes = |sense: Sense| alive.iter().any(|reading| reading.sense == sense);
        let digits = self.evidence.digits.get(&notation.decimal).copied();
        let decimal =
            digits.filter(|_| takes(Sense::Decimal)).map(|digits| (is_even(digits), decimal(digits)));
        // An integer's groups cannot be told from a fraction by a point: a decimal's can.
        let is_pointed = notation.group == Some('.');
        if takes(Sense::Integer) && !is_pointed {
            return Some((Sense::Integer, DataType::Int64));
        }
        if takes(Sense::Unsigned) && !is_pointed {
            return Some((Sense::Unsigned, DataType::UInt64));
        }
        if takes(Sense::Whole) {
            return Some((Sense::Whole, DataType::Decimal128(DECIMAL_DIGITS.0, 0)));
        }
        match decimal {
            Some((is_even, decimal)) if is_even || !takes(Sense::Float) => Some((Sense::Decimal, decimal)),
            _ if takes(Sense::Float) => Some((Sense::Float, DataType::Float64)),
            _ => None,
        }
    }

    /// Asks whether digits alone are a date or a number, where they can be both.
    fn compact(&self, answers: &Answers) -> Option<Choice> {
        let date = self.alive().find(|reading| reading.is_compact())?;
        match answers.get("digits").map(String::as_str) {
            Some("number") => None,
            Some("date") => {
                let read = Some((date.data_type.clone(), self.declared(date.decoding.clone())));
                Some(Choice { read, ..Choice::default() })
            }
            Some(_) => Some(Choice::default()),
            None => {
                let seen = self.evidence.value.as_ref().map(ToString::to_string).unwrap_or_default();
                let asks = format!(
                    "is it a date or a number? Every value can be read both ways ({date}), such as {seen}"
                );
                Some(Choice { questions: vec![question("digits", asks)], ..Choice::default() })
            }
        }
    }

    /// Settles whether the day or the month comes first, where that matters.
    fn temporal(&self, answers: &Answers) -> Choice {
        let alive: Vec<&Reading> = self.alive().filter(|reading| reading.sense != Sense::Truth).collect();
        let find =
            |first: Option<DayOrMonth>| alive.iter().find(|reading| first_of(reading) == first).copied();
        let (day, month) = (find(Some(DayOrMonth::Day)), find(Some(DayOrMonth::Month)));
        let chosen = match (find(None), day, month) {
            (Some(clear), _, _) => Some(clear),
            (None, Some(day), Some(month)) => match answers.get("dates").map(String::as_str) {
                Some("dmy") => Some(day),
                Some("mdy") => Some(month),
                Some(_) => None,
                None => {
                    let seen = self.first_odd(day.sense).map(ToString::to_string).unwrap_or_default();
                    let distinct = self.evidence.sketch.distinct().count();
                    let asks = format!(
                        "does the day or the month come first? Both fit all of {distinct} different values: no \
                         number above 12 settles it. The first is {seen}"
                    );
                    return Choice { questions: vec![question("dates", asks)], ..Choice::default() };
                }
            },
            (None, day, month) => day.or(month),
        };
        let read = chosen.map(|reading| (reading.data_type.clone(), self.declared(reading.decoding.clone())));
        Choice { read, ..Choice::default() }
    }

    /// Returns the first value that is not written plainly: beside it there may be others that are.
    fn first_odd(&self, sense: Sense) -> Option<&Witness> {
        let pairs = self.readings.iter().zip(&self.evidence.against);
        let mut of_sense = pairs.filter(|(reading, _)| reading.sense == sense && !reading.is_odd());
        of_sense
            .find(|(reading, _)| reading.decoding.date_order.is_none())
            .and_then(|(_, against)| against.as_ref())
    }

    /// Tells of the reading that lasted longest, where a single value far on has ended it.
    fn nearly(&self) -> Option<String> {
        let out = self.readings.iter().zip(&self.evidence.against);
        let out = out.filter_map(|(reading, against)| against.as_ref().map(|against| (reading, against)));
        let last = out.clone().map(|(_, against)| against.place).max()?;
        let (reading, against) = out.into_iter().find(|(_, against)| against.place == last)?;
        let is_late = last.piece > 0 || last.row >= NEARLY_ROWS;
        is_late.then(|| format!("{reading} until {against}: one bad value, or a text after all?"))
    }
}

fn question(key: &'static str, asks: String) -> Question {
    let answers = QUESTIONS.iter().find(|(known, _)| *known == key).map(|(_, answers)| *answers);
    Question { key, asks, answers: answers.unwrap_or_default() }
}

/// What a mark between digits is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Decimal,
    Group,
    None,
}

impl Notation {
    fn role(self, mark: char) -> Role {
        match mark {
            mark if mark == self.decimal => Role::Decimal,
            mark if Some(mark) == self.group => Role::Group,
            _ => Role::None,
        }
    }
}

/// Whether numbers look as if their places were fixed.
fn is_even(digits: Digits) -> bool {
    digits.fraction_min == digits.fraction_max || digits.fraction_max <= UNEVEN_DIGITS_MAX
}

/// Returns a decimal that has room for such numbers, and for larger ones.
fn decimal(digits: Digits) -> DataType {
    let places = i8::try_from(digits.fraction_max).unwrap_or(DECIMAL_DIGITS.1).min(DECIMAL_DIGITS.1);
    let needed = digits.whole_max.saturating_add(digits.fraction_max);
    let precision = if needed <= usize::from(PRECISION) { PRECISION } else { DECIMAL_DIGITS.0 };
    DataType::Decimal128(precision, places)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOrMonth {
    Day,
    Month,
}

/// Returns which number comes first where day and month are numbers that could be taken for one another.
fn first_of(reading: &Reading) -> Option<DayOrMonth> {
    match (reading.decoding.date_order, reading.decoding.decode_patterns.first()) {
        (Some(DateOrder::DayMonthYear), _) => Some(DayOrMonth::Day),
        (Some(DateOrder::MonthDayYear), _) => Some(DayOrMonth::Month),
        (_, Some(pattern)) if pattern.contains("MMM") => None,
        (_, Some(pattern)) if pattern.starts_with('d') => Some(DayOrMonth::Day),
        (_, Some(pattern)) if pattern.starts_with('M') => Some(DayOrMonth::Month),
        _ => None,
    }
}

/// Whether a file of YAML cannot hold a character as it is, besides those that steer.
pub(super) fn is_unprintable(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}')
}

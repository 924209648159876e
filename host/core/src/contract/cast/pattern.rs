//! Declared patterns of dates and times: a part of Unicode TR 35 in which every value is written in one way only, so that
//! whatever matches writes back to what was read.

use arrow_schema::DataType;

use super::super::verdict::Code;
use super::super::words;
use super::calendar::{DAY_SECONDS, Day, Moment, Place, offset};
use super::number::{digit, two};
use super::{CannotCast, PATTERNS_MAX};
use crate::guest_text::GuestText;

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 128;
/// Most bytes of a pattern that a message shows.
const SHOWN_BYTES_MAX: usize = 160;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The patterns of one column.
#[derive(Debug, Clone)]
pub(super) struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Compiles the patterns of a column. `None`: there are none.
    pub(super) fn compile(patterns: &[String], to: &DataType) -> Result<Option<Self>, CannotCast> {
        if patterns.len() > PATTERNS_MAX {
            let why = format!("{} patterns, and {PATTERNS_MAX} are the most", patterns.len());
            return Err(CannotCast::Decoding { why });
        }
        let compile = |pattern: &String| {
            let refuse = |why| CannotCast::Pattern { pattern: GuestText::new(pattern, SHOWN_BYTES_MAX), why };
            Pattern::compile(pattern, to).map_err(refuse)
        };
        let patterns: Vec<Pattern> = patterns.iter().map(compile).collect::<Result<_, _>>()?;
        Ok((!patterns.is_empty()).then_some(Self(patterns)))
    }

    /// Reads a text by whichever pattern fits. Where two fit and mean different moments, it reads in two ways. Where none
    /// does, the text is what comes closest says of it: the lowest code but that it is written otherwise. In what order the
    /// patterns stand does not matter.
    pub(super) fn read(&self, text: &str, place: Place) -> Result<Moment, Code> {
        let mut found = Err(Code::Unparseable);
        for pattern in &self.0 {
            found = match (found, pattern.read(text, place)) {
                (Ok(one), Ok(other)) if one != other => return Err(Code::AmbiguousDate),
                (Ok(one), _) => Ok(one),
                (Err(Code::Unparseable), next) => next,
                (earlier @ Err(_), Err(Code::Unparseable)) => earlier,
                (Err(one), Err(other)) => Err(one.min(other)),
                (_, found) => found,
            };
        }
        found
    }
}

/// One pattern, compiled.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Vec<Item>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(char),
    Field(Field),
}

/// A part of a moment, and how it is written. `padded`: two digits always; else no more than needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month {
        padded: bool,
    },
    MonthName,
    Day {
        padded: bool,
    },
    /// Three digits where padded.
    DayOfYear {
        padded: bool,
    },
    Hour {
        padded: bool,
    },
    /// 1 to 12.
    HalfDayHour {
        padded: bool,
    },
    HalfDay,
    Minute {
        padded: bool,
    },
    Second {
        padded: bool,
    },
    /// So many digits.
    Fraction(usize),
    Offset {
        form: OffsetForm,
        has_zulu: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OffsetForm {
    /// `+01`, and `+0130` where there are minutes.
    Short,
    /// `+0130`.
    Basic,
    /// `+01:30`.
    Extended,
}

impl Field {
    fn of(letter: char, count: usize) -> Result<Self, String> {
        let padded = count == 2;
        Ok(match (letter, count) {
            ('y', 4) => Field::Year,
            ('y', _) => return Err("a year has four digits: `yyyy`".to_owned()),
            ('M', 1 | 2) => Field::Month { padded },
            ('M', 3) => Field::MonthName,
            ('d', 1 | 2) => Field::Day { padded },
            ('D', 1 | 3) => Field::DayOfYear { padded: count == 3 },
            ('H', 1 | 2) => Field::Hour { padded },
            ('h', 1 | 2) => Field::HalfDayHour { padded },
            ('a', 1) => Field::HalfDay,
            ('m', 1 | 2) => Field::Minute { padded },
            ('s', 1 | 2) => Field::Second { padded },
            ('S', 1..=9) => Field::Fraction(count),
            ('X' | 'x', 1..=3) => Field::Offset { form: OffsetForm::of(count), has_zulu: letter == 'X' },
            _ => return Err(format!("`{}` is no field that is read here", letter.to_string().repeat(count))),
        })
    }

    /// Returns what no other field of a pattern may say again.
    fn says(self) -> &'static str {
        match self {
            Field::Year => "the year",
            Field::Month { .. } | Field::MonthName => "the month",
            Field::Day { .. } => "the day",
            Field::DayOfYear { .. } => "the day of the year",
            Field::Hour { .. } => "the hour",
            Field::HalfDayHour { .. } => "the hour of half a day",
            Field::HalfDay => "the half of the day",
            Field::Minute { .. } => "the minute",
            Field::Second { .. } => "the second",
            Field::Fraction(_) => "the fraction",
            Field::Offset { .. } => "the offset",
        }
    }

    /// Whether it may end before a digit that follows.
    fn has_open_end(self) -> bool {
        match self {
            Field::Month { padded }
            | Field::Day { padded }
            | Field::DayOfYear { padded }
            | Field::Hour { padded }
            | Field::HalfDayHour { padded }
            | Field::Minute { padded }
            | Field::Second { padded } => !padded,
            Field::Offset { form, .. } => form == OffsetForm::Short,
            _ => false,
        }
    }

    fn begins_with_digit(self) -> bool {
        !matches!(self, Field::MonthName | Field::HalfDay | Field::Offset { .. })
    }
}

impl OffsetForm {
    fn of(count: usize) -> Self {
        match count {
            1 => OffsetForm::Short,
            2 => OffsetForm::Basic,
            _ => OffsetForm::Extended,
        }
    }
}

impl Pattern {
    /// Compiles a pattern for a type, or says what is wrong with it.
    pub(super) fn compile(pattern: &str, to: &DataType) -> Result<Self, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("{} bytes, and {PATTERN_BYTES_MAX} are the most", pattern.len()));
        }
        let compiled = Self(items(pattern)?);
        compiled.check_neighbours()?;
        compiled.check_fields(to)?;
        Ok(compiled)
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        self.0.iter().filter_map(|item| match item {
            Item::Field(field) => Some(*field),
            Item::Literal(_) => None,
        })
    }

    fn says(&self, what: &str) -> bool {
        self.fields().any(|field| field.says() == what)
    }

    /// A number of no fixed width ends where the next is no digit.
    fn check_neighbours(&self) -> Result<(), String> {
        let is_digit = |item: &Item| match item {
            Item::Literal(c) => c.is_ascii_digit(),
            Item::Field(field) => field.begins_with_digit(),
        };
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        for (item, next) in pairs {
            if let Item::Field(field) = item
                && field.has_open_end()
                && is_digit(next)
            {
                return Err(format!("nobody can tell where {} ends: a digit follows", field.says()));
            }
        }
        Ok(())
    }

    fn check_fields(&self, to: &DataType) -> Result<(), String> {
        self.check_repeated()?;
        let needs_date = matches!(to, DataType::Date32 | DataType::Timestamp(..));
        let needs_time = matches!(to, DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..));
        let has_zone = matches!(to, DataType::Timestamp(_, Some(_)));
        match (needs_date, needs_time) {
            (false, false) => return Err(format!("a {} is not read by patterns", words::data_type(to))),
            (true, _) => self.check_date()?,
            (false, _) => self.refuse_any(["the year", "the month", "the day", "the day of the year"], to)?,
        }
        match needs_time {
            true => self.check_time()?,
            false => {
                self.refuse_any(["the hour", "the hour of half a day", "the half of the day"], to)?;
                self.refuse_any(["the minute", "the second", "the fraction"], to)?;
            }
        }
        if has_zone { Ok(()) } else { self.refuse_any(["the offset"], to) }
    }

    fn check_repeated(&self) -> Result<(), String> {
        let mut said: Vec<&str> = self.fields().map(Field::says).collect();
        said.sort_unstable();
        let repeated = said.iter().zip(said.iter().skip(1)).find(|(one, other)| one == other);
        repeated.map_or(Ok(()), |(what, _)| Err(format!("it says {what} twice")))
    }

    fn refuse_any<const N: usize>(&self, what: [&str; N], to: &DataType) -> Result<(), String> {
        match what.into_iter().find(|what| self.says(what)) {
            Some(what) => Err(format!("a {} has no room for {what}", words::data_type(to))),
            None => Ok(()),
        }
    }

    fn check_date(&self) -> Result<(), String> {
        let has = |what| self.says(what);
        match (has("the month"), has("the day"), has("the day of the year")) {
            _ if !has("the year") => Err("it does not say the year".to_owned()),
            (true, true, false) | (false, false, true) => Ok(()),
            (_, _, true) => Err("it says the day of the year, and a month or day beside it".to_owned()),
            _ => Err("it says neither month and day nor the day of the year".to_owned()),
        }
    }

    fn check_time(&self) -> Result<(), String> {
        let has = |what| self.says(what);
        match (has("the hour"), has("the hour of half a day"), has("the half of the day")) {
            (true, false, false) | (false, true, true) => {}
            (false, false, false) => return Err("it does not say the hour".to_owned()),
            _ => return Err("the hour is `HH`, or `hh` and `a`".to_owned()),
        }
        match (has("the minute"), has("the second"), has("the fraction")) {
            (false, _, _) => Err("it does not say the minute".to_owned()),
            (true, false, true) => Err("it says the fraction of a second, and no second".to_owned()),
            _ => Ok(()),
        }
    }

    /// Reads a text, if it is written so.
    fn read(&self, text: &str, place: Place) -> Result<Moment, Code> {
        let mut parts = Parts::default();
        let mut rest = text;
        for item in &self.0 {
            let next = match item {
                Item::Literal(c) => rest.strip_prefix(*c),
                Item::Field(field) => parts.read(*field, rest),
            };
            rest = next.ok_or(Code::Unparseable)?;
        }
        if rest.is_empty() { parts.moment(place) } else { Err(Code::Unparseable) }
    }
}

/// Parts a pattern into fields and what stands between them.
fn items(pattern: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let (taken, behind) = match first {
            '\'' => quoted(rest)?,
            letter if letter.is_ascii_alphabetic() => {
                let behind = rest.trim_start_matches(letter);
                (vec![Item::Field(Field::of(letter, rest.len() - behind.len())?)], behind)
            }
            other => (vec![Item::Literal(other)], rest.get(other.len_utf8()..).unwrap_or_default()),
        };
        items.extend(taken);
        rest = behind;
    }
    Ok(items)
}

/// Reads what stands between two quotes; a quote in it is written twice. Two alone are a quote.
fn quoted(rest: &str) -> Result<(Vec<Item>, &str), String> {
    let inside = rest.strip_prefix('\'').unwrap_or(rest);
    if let Some(behind) = inside.strip_prefix('\'') {
        return Ok((vec![Item::Literal('\'')], behind));
    }
    let mut literals = Vec::new();
    let mut rest = inside;
    while let Some((text, behind)) = rest.split_once('\'') {
        literals.extend(text.chars().map(Item::Literal));
        match behind.strip_prefix('\'') {
            None => return Ok((literals, behind)),
            Some(behind) => {
                literals.push(Item::Literal('\''));
                rest = behind;
            }
        }
    }
    Err("a quote is not closed".to_owned())
}

/// What a text said.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    year: Option<u32>,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    hour: u32,
    half_day_hour: Option<u32>,
    is_afternoon: bool,
    minute: u32,
    second: u32,
    nanos: u32,
    offset: Option<i32>,
    /// Written as no writer of this pattern would.
    is_odd: bool,
}

impl Parts {
    /// Reads one field; what is left stands behind it.
    fn read<'a>(&mut self, field: Field, text: &'a str) -> Option<&'a str> {
        let (value, rest) = match field {
            Field::MonthName | Field::HalfDay => return self.read_name(field, text),
            Field::Offset { form, has_zulu } => return self.read_offset(form, has_zulu, text),
            Field::Year => fixed(text, 4)?,
            Field::Fraction(digits) => fixed(text, digits)?,
            Field::DayOfYear { padded: true } => fixed(text, 3)?,
            Field::DayOfYear { padded: false } => open(text, 3)?,
            field if field.has_open_end() => open(text, 2)?,
            _ => fixed(text, 2)?,
        };
        match field {
            Field::Year => self.year = Some(value),
            Field::Month { .. } => self.month = value,
            Field::Day { .. } => self.day = value,
            Field::DayOfYear { .. } => self.day_of_year = Some(value),
            Field::Hour { .. } => self.hour = value,
            Field::HalfDayHour { .. } => self.half_day_hour = Some(value),
            Field::Minute { .. } => self.minute = value,
            Field::Second { .. } => self.second = value,
            Field::Fraction(digits) => {
                self.nanos = value * 10u32.pow(u32::try_from(9usize.checked_sub(digits)?).ok()?);
            }
            Field::MonthName | Field::HalfDay | Field::Offset { .. } => {}
        }
        Some(rest)
    }

    fn read_name<'a>(&mut self, field: Field, text: &'a str) -> Option<&'a str> {
        if field == Field::MonthName {
            let (month, rest) =
                (1..).zip(MONTHS).find_map(|(month, name)| Some((month, text.strip_prefix(name)?)))?;
            self.month = month;
            return Some(rest);
        }
        let halves = [("AM", false), ("PM", true)];
        let (half, rest) = halves.iter().find_map(|(name, half)| Some((*half, text.strip_prefix(name)?)))?;
        self.is_afternoon = half;
        Some(rest)
    }

    fn read_offset<'a>(&mut self, form: OffsetForm, has_zulu: bool, text: &'a str) -> Option<&'a str> {
        if has_zulu && let Some(rest) = text.strip_prefix('Z') {
            self.offset = Some(0);
            return Some(rest);
        }
        let (sign, rest) = text.as_bytes().split_first().filter(|(sign, _)| b"+-".contains(sign))?;
        let (hours, minutes, length) = match (form, rest) {
            (OffsetForm::Extended, [h1, h2, b':', m1, m2, ..]) => (two(*h1, *h2)?, two(*m1, *m2)?, 6),
            (OffsetForm::Extended, _) => return None,
            (OffsetForm::Basic, [h1, h2, m1, m2, ..]) => (two(*h1, *h2)?, two(*m1, *m2)?, 5),
            (OffsetForm::Basic, _) => return None,
            (OffsetForm::Short, [h1, h2, m1, m2, ..]) if two(*m1, *m2).is_some() => {
                (two(*h1, *h2)?, two(*m1, *m2)?, 5)
            }
            (OffsetForm::Short, [h1, h2, ..]) => (two(*h1, *h2)?, 0, 3),
            (OffsetForm::Short, _) => return None,
        };
        let is_zero = hours == 0 && minutes == 0;
        let has_idle_minutes = form == OffsetForm::Short && length == 5 && minutes == 0;
        self.is_odd |= (is_zero && (has_zulu || *sign == b'-')) || has_idle_minutes;
        self.offset = Some(offset(*sign == b'-', hours, minutes)?);
        text.get(length..)
    }

    /// Puts the parts together. What is not said is zero.
    fn moment(self, place: Place) -> Result<Moment, Code> {
        let days = self.days()?;
        let hour = self.hour_of_day()?;
        if self.minute > 59 || self.second > 60 {
            return Err(Code::Unparseable);
        }
        // 24:00 and a leap second would come back as something else.
        if self.is_odd || hour > 23 || self.second > 59 {
            return Err(Code::Lossy);
        }
        let offset = match (place, self.offset) {
            (Place::Anywhere, _) => 0,
            (Place::Earth(default), said) => said.or(default).ok_or(Code::NoTimeZone)?,
        };
        let of_day = i64::from((hour * 60 + self.minute) * 60 + self.second);
        Ok(Moment { seconds: days * DAY_SECONDS + of_day - i64::from(offset), nanos: self.nanos })
    }

    fn days(&self) -> Result<i64, Code> {
        let Some(year) = self.year else { return Ok(0) };
        let first = |year| Day { year, month: 1, day: 1 }.days();
        let days = match self.day_of_year {
            Some(day) => {
                let length = 365 + u32::from(super::calendar::is_leap(year));
                (1..=length)
                    .contains(&day)
                    .then(|| first(year).map(|first| i64::from(first) + i64::from(day) - 1))
            }
            None => Some(Day { year, month: self.month, day: self.day }.days().map(i64::from)),
        };
        match days.flatten() {
            Some(days) => Ok(days),
            None if year == 0 => Err(Code::Overflow),
            None => Err(Code::Unparseable),
        }
    }

    fn hour_of_day(&self) -> Result<u32, Code> {
        match self.half_day_hour {
            None if self.hour == 24 && self.minute == 0 && self.second == 0 && self.nanos == 0 => Ok(24),
            None if self.hour <= 23 => Ok(self.hour),
            Some(hour @ 1..=12) => Ok(hour % 12 + if self.is_afternoon { 12 } else { 0 }),
            _ => Err(Code::Unparseable),
        }
    }
}

/// Reads so many digits.
fn fixed(text: &str, digits: usize) -> Option<(u32, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    Some((value(number)?, rest))
}

/// Reads up to so many digits, without padding.
fn open(text: &str, digits_max: usize) -> Option<(u32, &str)> {
    let digits = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    let is_padded = digits > 1 && number.starts_with('0');
    if digits == 0 || is_padded { None } else { Some((value(number)?, rest)) }
}

fn value(number: &str) -> Option<u32> {
    number.bytes().try_fold(0u32, |value, byte| value.checked_mul(10)?.checked_add(digit(byte)?.into()))
}

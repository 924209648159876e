//! Dates, times of day and timestamps out of text: ISO 8601 as RFC 3339 narrows it, dates of numbers in a declared order,
//! and declared patterns.
//!
//! What is written plainly is read at once. Whatever is not is looked at again, slowly, to say what is wrong with it.

use arrow_schema::DataType;

use super::super::verdict::Code;
use super::super::{DateOrder, Decoding};
use super::CannotCast;
use super::calendar::{DAY_SECONDS, DAYS, Day, Moment, Place, offset};
use super::cells::bare;
use super::number::{digit, two};
use super::pattern::Patterns;

/// How moments are written.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    patterns: Option<Patterns>,
    date_order: Option<DateOrder>,
    pub(super) place: Place,
}

impl Writing {
    pub(super) fn new(decoding: &Decoding, to: &DataType) -> Result<Self, CannotCast> {
        let is_utc = matches!(to, DataType::Timestamp(_, Some(_)));
        Ok(Self {
            patterns: Patterns::compile(&decoding.decode_patterns, to)?,
            date_order: decoding.date_order,
            place: if is_utc { Place::Earth(decoding.default_offset_seconds) } else { Place::Anywhere },
        })
    }

    /// Reads a date as days since 1970-01-01.
    #[inline]
    pub(super) fn date(&self, text: &str) -> Result<i32, Code> {
        if self.patterns.is_none()
            && let Some((days, [])) = iso_date(text.as_bytes())
        {
            return Ok(days);
        }
        self.other_date(text)
    }

    fn other_date(&self, text: &str) -> Result<i32, Code> {
        let ordered = match self.ordered(text) {
            Some((days, [])) => Some(days),
            _ => None,
        };
        match &self.patterns {
            Some(patterns) => one_of(ordered, patterns.read(text, self.place).map(days)),
            None => ordered.ok_or_else(|| date_code(text, self.date_order).unwrap_or(Code::Lossy)),
        }
    }

    fn ordered<'a>(&self, text: &'a str) -> Option<(i32, &'a [u8])> {
        self.date_order.and_then(|order| ordered_date(text.as_bytes(), order))
    }

    /// Reads a time of day.
    #[inline]
    pub(super) fn time(&self, text: &str) -> Result<Moment, Code> {
        match &self.patterns {
            Some(patterns) => patterns.read(text, self.place),
            None => match iso_time(text.as_bytes()) {
                Some((time, [])) => Ok(time),
                _ => Err(time_code(text).unwrap_or(Code::Lossy)),
            },
        }
    }

    /// Reads a timestamp.
    #[inline]
    pub(super) fn timestamp(&self, text: &str) -> Result<Moment, Code> {
        if self.patterns.is_none()
            && let Some((days, rest)) = iso_date(text.as_bytes())
            && let Some(moment) = self.on_day(days, rest)
        {
            return within_years(moment);
        }
        self.other_timestamp(text)
    }

    fn other_timestamp(&self, text: &str) -> Result<Moment, Code> {
        let ordered = self.ordered(text).and_then(|(days, rest)| self.on_day(days, rest));
        let read = match &self.patterns {
            Some(patterns) => one_of(ordered, patterns.read(text, self.place)),
            None => ordered.ok_or_else(|| timestamp_code(text, self.date_order, self.place)),
        };
        read.and_then(within_years)
    }

    /// Reads what stands behind a date: the time, and the offset where there should be one.
    #[inline]
    fn on_day(&self, days: i32, rest: &[u8]) -> Option<Moment> {
        let [b'T' | b't' | b' ', rest @ ..] = rest else { return None };
        let (time, rest) = iso_time(rest)?;
        let offset = match (self.place, rest) {
            (Place::Anywhere, []) => 0,
            (Place::Anywhere, _) => return None,
            (Place::Earth(default), []) => default?,
            (Place::Earth(_), zone) => iso_offset(zone)?,
        };
        let seconds = i64::from(days) * DAY_SECONDS + time.seconds - i64::from(offset);
        Some(Moment { seconds, nanos: time.nanos })
    }
}

/// Takes what a declared order and declared patterns read, if they agree.
fn one_of<M: PartialEq>(ordered: Option<M>, by_pattern: Result<M, Code>) -> Result<M, Code> {
    match (ordered, by_pattern) {
        (Some(one), Ok(other)) if one != other => Err(Code::AmbiguousDate),
        (Some(one), _) => Ok(one),
        (None, by_pattern) => by_pattern,
    }
}

/// An offset may carry a moment out of the years that are written.
#[inline]
fn within_years(moment: Moment) -> Result<Moment, Code> {
    let (first, last) = (i64::from(*DAYS.start()), i64::from(*DAYS.end()));
    let is_within = (first * DAY_SECONDS..(last + 1) * DAY_SECONDS).contains(&moment.seconds);
    if is_within { Ok(moment) } else { Err(Code::Overflow) }
}

fn days(moment: Moment) -> i32 {
    // Patterns read days of the calendar only, and those fit.
    i32::try_from(moment.seconds.div_euclid(DAY_SECONDS)).unwrap_or_default()
}

/// Reads `yyyy-mm-dd`; what is left stands behind it.
#[inline]
fn iso_date(text: &[u8]) -> Option<(i32, &[u8])> {
    let ([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2], rest) = text.split_first_chunk::<10>()? else {
        return None;
    };
    let day = Day { year: two(*y1, *y2)? * 100 + two(*y3, *y4)?, month: two(*m1, *m2)?, day: two(*d1, *d2)? };
    Some((day.days()?, rest))
}

/// Reads `hh:mm:ss` and a fraction; what is left stands behind it.
#[inline]
fn iso_time(text: &[u8]) -> Option<(Moment, &[u8])> {
    let ([h1, h2, b':', m1, m2, b':', s1, s2], rest) = text.split_first_chunk::<8>()? else { return None };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from((hour * 60 + minute) * 60 + second);
    let (nanos, rest) = match rest {
        [b'.', rest @ ..] => fraction(rest)?,
        rest => (0, rest),
    };
    Some((Moment { seconds, nanos }, rest))
}

/// Reads the digits of a fraction as nanoseconds. Past the ninth they must be zeros.
#[inline]
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut nanos = 0;
    let mut place = 100_000_000;
    let mut rest = text;
    while let [first, behind @ ..] = rest
        && let Some(digit) = digit(*first)
    {
        if place == 0 && digit != 0 {
            return None;
        }
        nanos += u32::from(digit) * place;
        place /= 10;
        rest = behind;
    }
    (rest.len() < text.len()).then_some((nanos, rest))
}

/// Reads the whole of `Z`, `z` or `±hh:mm` as seconds east of UTC.
#[inline]
fn iso_offset(text: &[u8]) -> Option<i32> {
    match text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            offset(*sign == b'-', hours, minutes)
        }
        _ => None,
    }
}

/// Reads a date of numbers in a declared order: one separator, `-`, `.` or `/`; the year of four digits; month and day of
/// one or two.
fn ordered_date(text: &[u8], order: DateOrder) -> Option<(i32, &[u8])> {
    let (numbers, rest) = three_numbers(text)?;
    let [first, second, third] = numbers;
    let (year, month, day) = match order {
        DateOrder::YearMonthDay => (first, second, third),
        DateOrder::MonthDayYear => (third, first, second),
        DateOrder::DayMonthYear => (third, second, first),
    };
    if year.digits != 4 || month.digits > 2 || day.digits > 2 {
        return None;
    }
    Some((to_days(year, month, day)?, rest))
}

#[derive(Debug, Clone, Copy, Default)]
struct Number {
    value: u32,
    digits: usize,
}

fn to_days(year: Number, month: Number, day: Number) -> Option<i32> {
    Day { year: year.value, month: month.value, day: day.value }.days()
}

/// Reads three numbers of at most nine digits with one separator between them; what is left stands behind them.
fn three_numbers(text: &[u8]) -> Option<([Number; 3], &[u8])> {
    let (first, rest) = number(text)?;
    let (separator, rest) = rest.split_first().filter(|(separator, _)| b"-./".contains(separator))?;
    let (second, rest) = number(rest)?;
    let (third, rest) = number(rest.strip_prefix(&[*separator])?)?;
    Some(([first, second, third], rest))
}

fn number(text: &[u8]) -> Option<(Number, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    let value = std::str::from_utf8(number).ok().filter(|number| number.len() <= 9)?.parse().ok()?;
    Some((Number { value, digits }, rest))
}

/// Returns what is wrong with a text that is no date.
#[cold]
fn date_code(text: &str, order: Option<DateOrder>) -> Option<Code> {
    let (date, behind) = split_date(bare(text));
    let code = day_code(date, order);
    let tail = match behind {
        "" => None,
        behind => Some(
            time_and_offset_code(behind).filter(|code| *code == Code::Unparseable).unwrap_or(Code::Lossy),
        ),
    };
    code.into_iter().chain(tail).min()
}

/// Returns what is wrong with a text that is no time of day; `None`: it is one, but for white space around it.
#[cold]
fn time_code(text: &str) -> Option<Code> {
    let (time, zone) = split_zone(bare(text));
    let zone = offset_code(zone, Place::Anywhere);
    clock_code(time).into_iter().chain(zone).min()
}

/// Returns what is wrong with a text that is no timestamp.
#[cold]
fn timestamp_code(text: &str, order: Option<DateOrder>, place: Place) -> Code {
    let (date, behind) = split_date(bare(text));
    let (time, zone) = split_zone(behind);
    let midnight = (behind.is_empty()).then_some(Code::Lossy);
    let time = midnight.or_else(|| clock_code(time));
    let zone = if behind.is_empty() { None } else { offset_code(zone, place) };
    let date = day_code(date, order);
    date.into_iter().chain(time).chain(zone).min().unwrap_or(Code::Lossy)
}

fn time_and_offset_code(text: &str) -> Option<Code> {
    let (time, zone) = split_zone(text);
    clock_code(time).into_iter().chain(offset_code(zone, Place::Anywhere)).min()
}

/// Parts a date from what stands behind it.
fn split_date(text: &str) -> (&str, &str) {
    match text.find(['T', 't', ' ']) {
        // What ends here promised a time.
        Some(at) if at + 1 < text.len() => {
            (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
        }
        _ => (text, ""),
    }
}

/// Parts a time from what it says of the place.
fn split_zone(text: &str) -> (&str, &str) {
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(text.len());
    text.split_at(end)
}

/// Returns what is wrong with a date; `None`: nothing.
fn day_code(text: &str, order: Option<DateOrder>) -> Option<Code> {
    if matches!(iso_date(text.as_bytes()), Some((_, []))) {
        return None;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(code) = eight_digits(unsigned) {
        return Some(code);
    }
    let Some(([first, second, third], [])) = three_numbers(unsigned.as_bytes()) else {
        return Some(Code::Unparseable);
    };
    if first.digits > 2 {
        return Some(year_first_code(text.starts_with('-'), first, second, third));
    }
    if unsigned.len() < text.len() {
        return Some(Code::Unparseable);
    }
    Some(match (third.digits, order) {
        (..=2, _) => two_digit_year_code(first, second, third),
        (4, Some(order)) => match ordered_date(unsigned.as_bytes(), order) {
            Some(_) => return None,
            None => Code::Unparseable,
        },
        (4, None) if to_days(third, first, second).or(to_days(third, second, first)).is_some() => {
            Code::AmbiguousDate
        }
        _ => Code::Unparseable,
    })
}

fn eight_digits(text: &str) -> Option<Code> {
    let [y1, y2, y3, y4, m1, m2, d1, d2] = *text.as_bytes() else { return None };
    let day = Day { year: two(y1, y2)? * 100 + two(y3, y4)?, month: two(m1, m2)?, day: two(d1, d2)? };
    Some(if day.days().is_some() { Code::Lossy } else { Code::Unparseable })
}

/// A year that no date can have is past what the type holds, if the rest could be a day.
fn year_first_code(is_negative: bool, year: Number, month: Number, day: Number) -> Code {
    // 2000 has every day that a year can have, and stands for years that are none.
    let is_year = (1..=9999).contains(&year.value) && !is_negative;
    let days = to_days(Number { value: if is_year { year.value } else { 2000 }, ..year }, month, day);
    match (days.is_some() && month.digits <= 2 && day.digits <= 2, is_year) {
        (false, _) => Code::Unparseable,
        (true, true) => Code::Lossy,
        (true, false) => Code::Overflow,
    }
}

/// Which century, and often which order, nobody said.
fn two_digit_year_code(first: Number, second: Number, third: Number) -> Code {
    let at = |number: Number| Number { value: number.value + 2000, ..number };
    let days = [
        to_days(at(first), second, third),
        to_days(at(third), first, second),
        to_days(at(third), second, first),
    ];
    if days.iter().any(Option::is_some) { Code::AmbiguousDate } else { Code::Unparseable }
}

/// Returns what is wrong with a time of day; `None`: nothing.
fn clock_code(text: &str) -> Option<Code> {
    if matches!(iso_time(text.as_bytes()), Some((_, []))) {
        return None;
    }
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let Some([hour, minute, second]) = clock_numbers(clock).filter(|_| is_digits(fraction)) else {
        return Some(Code::Unparseable);
    };
    let is_midnight = hour == 24 && minute == 0 && second == 0 && fraction.bytes().all(|digit| digit == b'0');
    let is_near = (hour <= 23 || is_midnight) && minute <= 59 && second <= 60;
    Some(if is_near { Code::Lossy } else { Code::Unparseable })
}

/// Reads `h:mm`, `h:mm:ss` or `hhmmss`.
fn clock_numbers(text: &str) -> Option<[u32; 3]> {
    if let [h1, h2, m1, m2, s1, s2] = *text.as_bytes() {
        let packed = (two(h1, h2), two(m1, m2), two(s1, s2));
        if let (Some(hour), Some(minute), Some(second)) = packed {
            return Some([hour, minute, second]);
        }
    }
    let mut parts = text.split(':');
    let hour = parts.next().filter(|hour| hour.len() <= 2)?;
    let minute = parts.next().filter(|minute| minute.len() == 2)?;
    let second = parts.next().filter(|second| second.len() == 2);
    let is_all = parts.next().is_none() && (second.is_some() || text.split(':').count() == 2);
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    is_all.then_some([number(hour)?, number(minute)?, number(second.unwrap_or("0"))?])
}

/// Returns what is wrong with what is said of the place; `None`: nothing.
fn offset_code(text: &str, place: Place) -> Option<Code> {
    match (place, text) {
        (Place::Earth(None), "") => Some(Code::NoTimeZone),
        (_, "") => None,
        (Place::Earth(_), text) if iso_offset(text.as_bytes()).is_some() => None,
        (_, text) if is_near_offset(text.trim_start()) => Some(Code::Lossy),
        _ => Some(Code::Unparseable),
    }
}

/// Whether a text could only mean an offset: `Z`, `UTC`, `GMT`, or a sign with hours and minutes in any usual form.
fn is_near_offset(text: &str) -> bool {
    if ["Z", "UTC", "GMT"].iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return true;
    }
    match *text.as_bytes() {
        [b'+' | b'-', h1, h2] => two(h1, h2).is_some_and(|hours| hours <= 23),
        [b'+' | b'-', h1, h2, m1, m2] | [b'+' | b'-', h1, h2, b':', m1, m2] => {
            two(h1, h2).zip(two(m1, m2)).and_then(|(h, m)| offset(false, h, m)).is_some()
        }
        _ => false,
    }
}

//! Points in time: FIX's UTC time stamps and what a log puts before its messages.

use std::ops::Range;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Reads UTC time stamps, and keeps the last day it worked out: neighbours share it.
#[derive(Debug, Default)]
pub struct Clock {
    day_text: [u8; 8],
    /// Seconds from 1970 to the day of `day_text`.
    day_seconds: i64,
}

impl Clock {
    /// Reads `YYYYMMDD-HH:MM:SS[.fraction]` as nanoseconds since 1970; `None` where it is none or is finer than a nanosecond.
    ///
    /// A leap second, 60, is the second after it: the column has no other place for it.
    #[inline(always)]
    pub fn utc(&mut self, text: &[u8]) -> Option<i64> {
        let (date, rest) = text.split_first_chunk::<8>()?;
        let (dash, rest) = rest.split_first()?;
        let (time, fraction) = rest.split_first_chunk::<8>()?;
        if *dash != b'-' {
            return None;
        }
        let seconds = self.day(date)? + second_of_day(time)?;
        let nanos = match fraction {
            [] => 0,
            [b'.', a, b, c] => milliseconds([*a, *b, *c])? * 1_000_000,
            [b'.', digits @ ..] => nanoseconds(digits)?,
            _ => return None,
        };
        Some(seconds * SECOND + nanos)
    }

    #[inline]
    fn day(&mut self, date: &[u8; 8]) -> Option<i64> {
        if *date == self.day_text { Some(self.day_seconds) } else { self.learn_day(date) }
    }

    #[cold]
    fn learn_day(&mut self, date: &[u8; 8]) -> Option<i64> {
        let number = digits(date)?;
        self.day_seconds = days_since_1970(number / 10_000, number / 100 % 100, number % 100)? * DAY;
        self.day_text = *date;
        Some(self.day_seconds)
    }
}

/// Reads `YYYYMMDD` as days since 1970.
pub fn date(text: &[u8]) -> Option<i32> {
    let Some((date, [])) = text.split_first_chunk::<8>() else { return None };
    let number = digits(date)?;
    i32::try_from(days_since_1970(number / 10_000, number / 100 % 100, number % 100)?).ok()
}

/// Returns whether `YYYYMMDD` is a day of the calendar.
pub fn is_day(date: &[u8; 8]) -> bool {
    let Some(number) = digits(date) else { return false };
    let length = days_in_month(number / 10_000, number / 100 % 100);
    length.is_some_and(|length| (1..=length).contains(&(number % 100)))
}

/// Reads `HH:MM:SS` as seconds, all eight bytes at once.
#[inline]
pub fn second_of_day(time: &[u8; 8]) -> Option<i64> {
    const ZEROS: u64 = u64::from_le_bytes(*b"00:00:00");
    let digits = u64::from_le_bytes(*time) ^ ZEROS;
    let not_digits = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let not_colons = digits & 0x0000_FF00_00FF_0000;
    let two = |at: u32| (digits >> at & 0xF) * 10 + (digits >> (at + 8) & 0xF);
    let (hour, minute, second) = (two(0), two(24), two(48));
    if (not_digits | not_colons) != 0 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some((hour * 3600 + minute * 60 + second) as i64)
}

#[inline]
fn milliseconds(digits: [u8; 3]) -> Option<i64> {
    let [a, b, c] = digits.map(|byte| byte.wrapping_sub(b'0'));
    (a <= 9 && b <= 9 && c <= 9).then_some(i64::from(a) * 100 + i64::from(b) * 10 + i64::from(c))
}

/// One to nine digits behind a point, or more where the rest are zeros.
#[inline]
fn nanoseconds(fraction: &[u8]) -> Option<i64> {
    const POWERS: [u64; 10] =
        [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let (kept, beyond) = fraction.split_at(fraction.len().min(9));
    if kept.is_empty() || beyond.iter().any(|byte| *byte != b'0') {
        return None;
    }
    Some((digits(kept)? * POWERS[kept.len()]) as i64)
}

/// At most nine digits.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    let mut wrong = false;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        wrong |= digit > 9;
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (!wrong).then_some(value)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, from 1678 to 2261: a count of nanoseconds in 64 bits reaches
/// a little further, so that no sum of such a day and a time can overflow.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<i64> {
    let length = days_in_month(year, month)?;
    if !(1678..=2261).contains(&year) || day == 0 || day > length {
        return None;
    }
    // Years begin in March here, so that the leap day is the last day of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    i64::try_from(days).ok()?.checked_sub(719_468)
}

fn days_in_month(year: u64, month: u64) -> Option<u64> {
    const LENGTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = LENGTHS.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    Some(length + u64::from(leap && month == 2))
}

/// A time stamp found in a log's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTime {
    /// The wall clock as written, as nanoseconds since 1970 without a zone.
    pub nanos: i64,
    /// Where the zone stands (`Z`, `+02:00`), if one is written.
    pub zone: Option<Range<usize>>,
    /// Where the time stamp ends.
    pub end: usize,
}

/// Reads the time stamp that begins at `at`: `2025-03-14T13:30:02.170Z`, `2025-03-14 13:30:01,325`, `2025/03/14 13:30:01`,
/// `20250314-13:30:03.518`.
pub fn log_time(text: &[u8], at: usize) -> Option<LogTime> {
    let (date, after_date) = log_date(text, at)?;
    if !matches!(text.get(after_date), Some(b'T' | b' ' | b'-' | b'_')) {
        return None;
    }
    let time_at = after_date + 1;
    let time = text.get(time_at..)?.first_chunk::<8>()?;
    let (nanos, end) = log_fraction(text, time_at + 8)?;
    let seconds = date * DAY + second_of_day(time)?;
    let zone = zone(text, end);
    let end = zone.as_ref().map_or(end, |zone| zone.end);
    Some(LogTime { nanos: seconds * SECOND + nanos, zone, end })
}

fn log_date(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let rest = text.get(at..)?;
    let number = |range: Range<usize>| digits(rest.get(range)?);
    let days = |year, month, day| days_since_1970(year?, month?, day?);
    match rest.get(4)? {
        mark @ (b'-' | b'/') if rest.get(7) == Some(mark) => {
            Some((days(number(0..4), number(5..7), number(8..10))?, at + 10))
        }
        _ => Some((days(number(0..4), number(4..6), number(6..8))?, at + 8)),
    }
}

/// `.518` or `,325` as nanoseconds; no fraction is 0, more than nine digits are none that we know.
fn log_fraction(text: &[u8], at: usize) -> Option<(i64, usize)> {
    if !matches!(text.get(at), Some(b'.' | b',')) {
        return Some((0, at));
    }
    let rest = &text[at + 1..];
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Some((0, at)); // `13:30:01, text`: the comma belongs to the sentence
    }
    Some((nanoseconds(&rest[..length])?, at + 1 + length))
}

fn zone(text: &[u8], at: usize) -> Option<Range<usize>> {
    let ends_at = |end: usize| !text.get(end).is_some_and(u8::is_ascii_alphanumeric);
    let sign_at = if text.get(at) == Some(&b' ') { at + 1 } else { at };
    match text.get(sign_at)? {
        b'Z' if sign_at == at && ends_at(at + 1) => Some(at..at + 1),
        b'+' | b'-' => {
            let rest = text.get(sign_at + 1..)?;
            let digits =
                |range: Range<usize>| rest.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
            let length = if digits(0..2) && rest.get(2) == Some(&b':') && digits(3..5) {
                6
            } else if digits(0..4) {
                5
            } else {
                return None;
            };
            ends_at(sign_at + length).then_some(sign_at..sign_at + length)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_741_959_002 * SECOND; // 2025-03-14T13:30:02Z

    #[test]
    fn a_utc_time_stamp_is_exact_or_none() {
        let cases: [(&str, Option<i64>); 19] = [
            ("20250314-13:30:02", Some(T)),
            ("20250314-13:30:02.1", Some(T + 100_000_000)),
            ("20250314-13:30:02.123", Some(T + 123_000_000)),
            ("20250314-13:30:02.123456", Some(T + 123_456_000)),
            ("20250314-13:30:02.123456789", Some(T + 123_456_789)),
            ("20250314-13:30:02.123456789000", Some(T + 123_456_789)),
            ("20250314-13:30:02.1234567891", None),
            ("20161231-23:59:60", Some(1_483_228_800 * SECOND)),
            ("19700101-00:00:00", Some(0)),
            ("19691231-23:59:59.5", Some(-500_000_000)),
            ("20240229-00:00:00", Some(1_709_164_800 * SECOND)),
            ("20230229-00:00:00", None),
            ("00000000-00:00:00", None),
            ("20250314-24:00:00", None),
            ("20250314 13:30:02", None),
            ("20250314-13:30", None),
            ("20250314-13:30:02.", None),
            ("20250314-13:30:02Z", None),
            ("", None),
        ];
        let mut clock = Clock::default();
        for (text, expected) in cases {
            assert_eq!(clock.utc(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_day_is_counted_like_the_calendar() {
        let mut expected = days_since_1970(1678, 1, 1).expect("the first day");
        for year in 1678..=2261 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_since_1970(year, month, day) {
                        assert_eq!(days, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(days_since_1970(1970, 1, 1), Some(0));
        assert_eq!(expected, days_since_1970(2261, 12, 31).expect("the last day") + 1);
    }

    #[test]
    fn a_log_s_time_stamp_keeps_its_zone_apart() {
        let cases: [(&str, Option<(i64, &str)>); 11] = [
            ("2025-03-14T13:30:02.170091Z x", Some((T + 170_091_000, "Z"))),
            ("2025-03-14T13:30:02+02:00", Some((T, "+02:00"))),
            ("2025-03-14 13:30:02.5 -0500 x", Some((T + 500_000_000, "-0500"))),
            ("2025-03-14 13:30:02,325 [x]", Some((T + 325_000_000, ""))),
            ("2025/03/14 13:30:02", Some((T, ""))),
            ("20250314-13:30:02.518 : ", Some((T + 518_000_000, ""))),
            ("2025-03-14 13:30:02 - text", Some((T, ""))),
            ("2025-03-14 13:30:02Zulu", Some((T, ""))),
            ("2025-13-14 13:30:02", None),
            ("2025-03-14", None),
            ("13:30:02.170", None),
        ];
        for (text, expected) in cases {
            let found = log_time(text.as_bytes(), 0);
            let seen = found.map(|time| (time.nanos, text[time.zone.unwrap_or(0..0)].to_owned()));
            assert_eq!(seen, expected.map(|(nanos, zone)| (nanos, zone.to_owned())), "{text}");
        }
    }
}

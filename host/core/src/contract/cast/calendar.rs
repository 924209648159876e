//! The Gregorian calendar, extended to the year 1: days and seconds since 1970-01-01, and back;
//! moments on it, and how far from UTC they are told.

use arrow_schema::TimeUnit;

use super::super::verdict::Code;

/// Seconds of a day.
pub(super) const DAY_SECONDS: i64 = 86_400;
/// The first and the last day that a date or timestamp may be written as: 0001-01-01 and 9999-12-31.
pub(super) const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// Days before each month of a year without a leap day; the last is the year.
const BEFORE_MONTH: [u32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
/// Days from 0001-01-01 to 1970-01-01.
const EPOCH: i32 = 719_162;

/// A day as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: u32,
    pub(super) month: u32,
    pub(super) day: u32,
}

impl Day {
    /// Returns the days since 1970-01-01, or `None` where the calendar of the years 1 to 9999 has no such day.
    #[inline]
    pub(super) fn days(self) -> Option<i32> {
        let Self { year, month, day } = self;
        if !(1..=9999).contains(&year) || day == 0 || day > month_days(year, month) {
            return None;
        }
        i32::try_from(before_year(year) + before_month(year, month) + day - 1).ok().map(|days| days - EPOCH)
    }

    /// Returns the day that is so many days after 1970-01-01, or `None` outside the years 1 to 9999.
    pub(super) fn of(days: i32) -> Option<Self> {
        let since = DAYS.contains(&days).then(|| days.wrapping_add(EPOCH).unsigned_abs())?;
        // 400 years have 146,097 days: the guess is one year short or long at most.
        let guess = since * 400 / 146_097 + 1;
        let year = [guess + 1, guess, guess.saturating_sub(1)]
            .into_iter()
            .find(|year| before_year(*year) <= since)?;
        let of_year = since - before_year(year);
        let month = (1..=12).rev().find(|month| before_month(year, *month) <= of_year)?;
        Some(Self { year, month, day: of_year - before_month(year, month) + 1 })
    }
}

#[inline]
pub(super) fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days of a month; 0 where there is no such month.
#[inline]
fn month_days(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap(year)),
        _ => 0,
    }
}

/// Days from 0001-01-01 to the first of a year.
#[inline]
fn before_year(year: u32) -> u32 {
    let full = year.saturating_sub(1);
    full * 365 + full / 4 - full / 100 + full / 400
}

/// Days of a year before its month.
#[inline]
fn before_month(year: u32, month: u32) -> u32 {
    let days = BEFORE_MONTH.get(month.saturating_sub(1) as usize).copied().unwrap_or_default();
    days + u32::from(month > 2 && is_leap(year))
}

/// A point on the line of time, or on a clock or a calendar: seconds, and what is left in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) seconds: i64,
    pub(super) nanos: u32,
}

/// What a timestamp says of the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing: a clock and a calendar somewhere.
    Anywhere,
    /// Where they stand is known: in the text, or so many seconds east of UTC.
    Earth(Option<i32>),
}

impl Moment {
    /// Returns the moment in whole units, if it is a whole number of them.
    #[inline]
    pub(super) fn in_unit(self, unit: TimeUnit) -> Result<i64, Code> {
        let Self { seconds, nanos } = self;
        let (per_second, nanos_each) = match unit {
            TimeUnit::Second => (1, 1_000_000_000),
            TimeUnit::Millisecond => (1_000, 1_000_000),
            TimeUnit::Microsecond => (1_000_000, 1_000),
            TimeUnit::Nanosecond => (1_000_000_000, 1),
        };
        if nanos % nanos_each != 0 {
            return Err(Code::Lossy);
        }
        let units = i128::from(seconds) * per_second + i128::from(nanos / nanos_each);
        i64::try_from(units).map_err(|_| Code::Overflow)
    }
}

/// Returns an offset in seconds, if there can be such a one.
pub(super) fn offset(is_west: bool, hours: u32, minutes: u32) -> Option<i32> {
    let seconds = (hours <= 23 && minutes <= 59).then_some((hours * 60 + minutes) * 60)?;
    let seconds = i32::try_from(seconds).ok()?;
    Some(if is_west { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_calendar_is_the_one_after_the_day_before() {
        let mut expected = Day { year: 1, month: 1, day: 1 };
        for days in DAYS {
            assert_eq!(Day::of(days), Some(expected));
            assert_eq!(expected.days(), Some(days));
            let next = [
                Day { day: expected.day + 1, ..expected },
                Day { day: 1, month: expected.month + 1, ..expected },
                Day { day: 1, month: 1, year: expected.year + 1 },
            ];
            expected = next.into_iter().find(|day| day.days().is_some()).unwrap_or(expected);
        }
        assert_eq!((Day::of(DAYS.end() + 1), Day::of(DAYS.start() - 1)), (None, None));
    }

    #[test]
    fn known_days_are_where_they_should_be() {
        let days = |year, month, day| Day { year, month, day }.days();
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 3, 1), Some(11_017));
        assert_eq!(days(1900, 2, 29), None);
        assert_eq!(days(2000, 2, 29), Some(11_016));
        assert_eq!(days(9999, 12, 31), Some(*DAYS.end()));
        assert_eq!(days(1, 1, 1), Some(*DAYS.start()));
    }
}

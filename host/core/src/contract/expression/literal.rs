//! Literals of exact kinds: numbers, dates, times, timestamps. What is read here is written back the same.

use super::tree::Kind;

/// Most digits of a number: what 128 bits hold for certain.
pub(super) const DIGITS_MAX: usize = 38;

/// Reads digits, and perhaps a point with digits behind it. None: more than [`DIGITS_MAX`] of them count.
pub(super) fn number(text: &str) -> Option<(i128, u8)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if whole.len().checked_add(fraction.len())? > DIGITS_MAX {
        return None;
    }
    let digits = format!("0{whole}{fraction}").parse().ok()?;
    Some((digits, u8::try_from(fraction.len()).ok()?))
}

/// Writes a number.
pub(super) fn number_text(digits: i128, scale: u8) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let all = format!("{:0width$}", digits.unsigned_abs(), width = scale.saturating_add(1));
    let (whole, fraction) = all.split_at(all.len().saturating_sub(scale));
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Reads `2024-01-31` as days since 1970-01-01.
pub(super) fn date(text: &str) -> Option<i128> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let is_real = year >= 1 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    is_real.then(|| days(year, month, day))
}

/// Reads `10:00:00` or `10:00:00.5` as units of 10^-scale seconds since midnight.
pub(super) fn time(text: &str) -> Option<(i128, u8)> {
    let (clock, fraction) =
        text.split_once('.').map_or((text, None), |(clock, fraction)| (clock, Some(fraction)));
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let Some(fraction) = fraction else { return Some((seconds, 0)) };
    let fraction_value = digits(fraction, fraction.len().clamp(1, 9))?;
    let (_, scale) = number(&format!("0.{fraction}"))?;
    let unit = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let all = seconds.checked_mul(unit)?.checked_add(fraction_value)?;
    let dropped = u32::try_from(fraction.len()).ok()?.checked_sub(u32::from(scale))?;
    Some((all.checked_div(10_i128.checked_pow(dropped)?)?, scale))
}

/// Reads a date, `T`, a time, and for UTC a `Z`, as units of 10^-scale seconds since 1970.
pub(super) fn timestamp(text: &str) -> Option<(i128, Kind)> {
    let (day, clock) = text.split_once('T')?;
    let local = clock.strip_suffix('Z');
    let (of_day, scale) = time(local.unwrap_or(clock))?;
    let unit = 10_i128.checked_pow(u32::from(scale))?;
    let whole = date(day)?.checked_mul(86_400)?.checked_mul(unit)?.checked_add(of_day)?;
    Some((whole, if local.is_some() { Kind::Utc { scale } } else { Kind::Timestamp { scale } }))
}

/// Writes a literal of an exact kind.
pub(super) fn text(value: i128, kind: Kind) -> String {
    match kind {
        Kind::Date => format!("date '{}'", date_text(value)),
        Kind::Time { scale } => format!("time '{}'", time_text(value, scale)),
        Kind::Timestamp { scale } => format!("timestamp '{}'", timestamp_text(value, scale)),
        Kind::Utc { scale } => format!("timestamp '{}Z'", timestamp_text(value, scale)),
        _ => number_text(value, kind.scale().unwrap_or(0)),
    }
}

fn timestamp_text(value: i128, scale: u8) -> String {
    let day = 86_400 * 10_i128.saturating_pow(u32::from(scale));
    format!("{}T{}", date_text(value.div_euclid(day)), time_text(value.rem_euclid(day), scale))
}

fn time_text(value: i128, scale: u8) -> String {
    let unit = 10_i128.saturating_pow(u32::from(scale));
    let (seconds, fraction) = (value.div_euclid(unit), value.rem_euclid(unit));
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if scale == 0 { clock } else { format!("{clock}.{fraction:0width$}", width = usize::from(scale)) }
}

fn date_text(days_since: i128) -> String {
    // Years of 365 days count too many from 1970 on, and before it too few: six at most, in ten thousand years.
    let guess = (1970 + days_since.div_euclid(365)).max(1) + 6;
    let year = (1..=guess).rev().find(|year| days(*year, 1, 1) <= days_since).unwrap_or(1);
    let mut left = days_since - days(year, 1, 1);
    let mut month = 1;
    while month < 12 && left >= days_of(year, month) {
        left -= days_of(year, month);
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, which is taken to have been in use always.
fn days(year: i128, month: i128, day: i128) -> i128 {
    let before = year - 1;
    let of_years = before * 365 + before / 4 - before / 100 + before / 400;
    let of_months: i128 = (1..month).map(|month| days_of(year, month)).sum();
    of_years + of_months + day - 1 - 719_162
}

fn days_of(year: i128, month: i128) -> i128 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn digits(text: &str, count: usize) -> Option<i128> {
    let is_digits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

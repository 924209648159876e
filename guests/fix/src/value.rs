//! Whether a value is written as the dictionary says, and is one that it allows.

use crate::dictionary::{Definition, Kind};
use crate::faults::{Flaw, Flaws};
use crate::fields::Field;
use crate::tags::{self, slot_of};
use crate::time::{self, Clock};

/// Begin string, length, message type and sum: framing has looked at them.
const FRAMING: [u32; 4] = [8, 9, 10, 35];

/// Adds what is wrong with the value of a field that the dictionary defines.
pub fn check(bytes: &[u8], definition: Definition, field: &Field, flaws: &mut Flaws) {
    let value = field.text(bytes);
    if value.is_empty() || field.tag == 0 || FRAMING.contains(&field.tag) {
        return;
    }
    // Some time stamps are looked at in every message, with a fault of their own.
    let is_seen_to = tags::TIMES >> slot_of(field.tag) & 1 == 1;
    if !is_seen_to && !is_written_as(definition.kind, value) {
        flaws.insert(Flaw::BadFormat);
    } else if !is_allowed(definition, value) {
        flaws.insert(Flaw::BadEnum);
    }
}

fn is_allowed(definition: Definition, value: &[u8]) -> bool {
    let allows = |one: &[u8]| definition.values().is_none_or(|mut values| values.any(|value| value == one));
    match definition.kind {
        Kind::Words | Kind::Chars => value.split(|byte| *byte == b' ').all(allows),
        _ => allows(value),
    }
}

/// Returns whether a value is written as values of a kind are.
pub fn is_written_as(kind: Kind, value: &[u8]) -> bool {
    match kind {
        Kind::Text | Kind::Data | Kind::Words => true,
        Kind::Char => value.len() == 1,
        Kind::Chars => value.split(|byte| *byte == b' ').all(|one| one.len() == 1),
        Kind::Boolean => matches!(value, b"Y" | b"N"),
        Kind::Integer => is_digits(value.strip_prefix(b"-").unwrap_or(value)),
        Kind::Count => is_digits(value),
        Kind::Decimal => is_decimal(value.strip_prefix(b"-").unwrap_or(value)),
        Kind::Day => matches!(number(value), Some(1..=31)),
        Kind::Date => is_date(value),
        Kind::Month => is_month(value),
        Kind::UtcTimestamp => Clock::default().utc(value).is_some(),
        Kind::UtcTime => is_time(value),
        Kind::LocalTime => value.len() == 8 && is_time(value),
        Kind::ZonedTime => is_zoned_time(value),
        Kind::ZonedTimestamp => value
            .split_at_checked(9)
            .is_some_and(|(date, time)| date.strip_suffix(b"-").is_some_and(is_date) && is_zoned_time(time)),
    }
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_decimal(text: &[u8]) -> bool {
    let mut points = 0;
    let plain = text.iter().all(|byte| {
        points += usize::from(*byte == b'.');
        byte.is_ascii_digit() || *byte == b'.'
    });
    plain && points < 2 && text.len() > points
}

/// One or two digits.
fn number(text: &[u8]) -> Option<u8> {
    (is_digits(text) && text.len() <= 2)
        .then(|| text.iter().fold(0, |number, digit| number * 10 + (digit - b'0')))
}

fn is_date(text: &[u8]) -> bool {
    let Some((date, [])) = text.split_first_chunk::<8>() else { return false };
    time::is_day(date)
}

fn is_month(text: &[u8]) -> bool {
    match text.split_at_checked(6) {
        Some((month, [])) => is_date(&[month, b"01"].concat()),
        Some((month, [b'w', b'1'..=b'5'])) => is_date(&[month, b"01"].concat()),
        _ => is_date(text),
    }
}

/// `HH:MM:SS`, perhaps with a fraction.
fn is_time(text: &[u8]) -> bool {
    let Some((time, fraction)) = text.split_first_chunk::<8>() else { return false };
    let is_fraction = match fraction {
        [] => true,
        [b'.', digits @ ..] => is_digits(digits),
        _ => false,
    };
    is_fraction && time::second_of_day(time).is_some()
}

/// `HH:MM[:SS[.fraction]]`, then `Z` or an offset: `+02`, `-05:30`.
fn is_zoned_time(text: &[u8]) -> bool {
    let Some(zone) = text.iter().position(|byte| matches!(byte, b'Z' | b'+' | b'-')) else { return false };
    let (time, zone) = text.split_at(zone);
    let is_time = if time.len() == 5 { is_time(&[time, b":00"].concat()) } else { is_time(time) };
    let is_zone = match zone {
        [b'Z'] => true,
        [_, hours @ ..] if hours.len() == 2 => is_hours(hours),
        [_, offset @ ..] => is_offset(offset),
        [] => false,
    };
    is_time && is_zone
}

fn is_hours(text: &[u8]) -> bool {
    matches!(number(text), Some(0..=14))
}

fn is_offset(text: &[u8]) -> bool {
    let Some((hours, [b':', minutes @ ..])) = text.split_at_checked(2) else { return false };
    is_hours(hours) && minutes.len() == 2 && matches!(number(minutes), Some(0..=59))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_as_its_kind_is_or_it_is_not() {
        let cases: [(Kind, &[&str], &[&str]); 13] = [
            (Kind::Char, &["1", "A"], &["12"]),
            (Kind::Chars, &["1", "1 A"], &["1  A", "12"]),
            (Kind::Boolean, &["Y", "N"], &["y", "1"]),
            (Kind::Integer, &["0", "-12", "0042"], &["+1", "1.0", "-", "1e3"]),
            (Kind::Count, &["0", "12"], &["-1", " 1"]),
            (Kind::Decimal, &["002000.00", "-.5", "7."], &["+200.00", "1.2.3", ".", "-", "1E5"]),
            (Kind::Day, &["1", "31", "07"], &["0", "32", "x"]),
            (Kind::Date, &["20240229"], &["20230229", "2024-02-29", "202402"]),
            (Kind::Month, &["202402", "20240229", "202402w5"], &["202413", "202402w6"]),
            (Kind::UtcTime, &["23:59:60", "01:02:03.123456"], &["24:00:00", "1:02:03", "01:02:03."]),
            (Kind::LocalTime, &["23:59:00"], &["23:59", "23:59:00.1"]),
            (
                Kind::ZonedTime,
                &["07:39Z", "02:39-05", "15:39:01.5+08:30"],
                &["07:39", "07:39+8", "07:39+08:3x"],
            ),
            (
                Kind::ZonedTimestamp,
                &["20060901-07:39Z", "20060901-07:39:00+05"],
                &["20060901T07:39Z", "20060901-07:39"],
            ),
        ];
        for (kind, good, bad) in cases {
            let fits = |text: &&str| is_written_as(kind, text.as_bytes());
            assert_eq!(good.iter().find(|text| !fits(text)), None, "{kind:?}");
            assert_eq!(bad.iter().find(|text| fits(text)), None, "{kind:?}");
        }
    }
}

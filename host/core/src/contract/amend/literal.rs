//! Values of rules, compared as values of their column's type. What cannot be compared is not guessed at.

use std::cmp::Ordering;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_schema::{DataType, TimeUnit};

use crate::contract::cast;

/// Compares two values of a type. None: they cannot be compared.
pub(super) fn compare(one: &str, other: &str, data_type: &DataType) -> Option<Ordering> {
    if one == other {
        return Some(Ordering::Equal);
    }
    match data_type {
        DataType::Float32 | DataType::Float64 => {
            one.parse::<f64>().ok()?.partial_cmp(&other.parse::<f64>().ok()?)
        }
        data_type if data_type.is_temporal() => Some(moment(one, data_type)?.cmp(&moment(other, data_type)?)),
        _ => Some(scaled(one, data_type)?.cmp(&scaled(other, data_type)?)),
    }
}

/// Whether two texts are one value.
pub(super) fn is_same(one: &str, other: &str, data_type: &DataType) -> bool {
    compare(one, other, data_type) == Some(Ordering::Equal)
}

/// Whether whatever is a multiple of `old` is a multiple of `new`. False as well where it cannot be told.
pub(super) fn divides(new: &str, old: &str, data_type: &DataType) -> bool {
    let quotient = || scaled(old, data_type)?.checked_rem(scaled(new, data_type)?);
    new == old || quotient() == Some(0)
}

/// Returns the whole number behind a value without a fraction.
pub(super) fn whole(text: &str, data_type: &DataType) -> Option<i128> {
    if data_type.is_integer() { scaled(text, data_type) } else { None }
}

/// Returns a number in units of its type's last digit.
fn scaled(text: &str, data_type: &DataType) -> Option<i128> {
    match data_type {
        DataType::Decimal128(_, scale) => decimal(text, usize::try_from(*scale).ok()?),
        data_type if data_type.is_integer() => text.parse().ok(),
        _ => None,
    }
}

/// Returns a date or a time in units of its type, as rows have it.
fn moment(text: &str, data_type: &DataType) -> Option<i64> {
    match data_type {
        DataType::Date32 => first::<Date32Type>(text, data_type),
        DataType::Time32(TimeUnit::Second) => first::<Time32SecondType>(text, data_type),
        DataType::Time32(_) => first::<Time32MillisecondType>(text, data_type),
        DataType::Time64(TimeUnit::Nanosecond) => first::<Time64NanosecondType>(text, data_type),
        DataType::Time64(_) => first::<Time64MicrosecondType>(text, data_type),
        DataType::Timestamp(TimeUnit::Second, _) => first::<TimestampSecondType>(text, data_type),
        DataType::Timestamp(TimeUnit::Millisecond, _) => first::<TimestampMillisecondType>(text, data_type),
        DataType::Timestamp(TimeUnit::Microsecond, _) => first::<TimestampMicrosecondType>(text, data_type),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => first::<TimestampNanosecondType>(text, data_type),
        _ => None,
    }
}

fn first<T: ArrowPrimitiveType<Native: Into<i64>>>(text: &str, data_type: &DataType) -> Option<i64> {
    let values = cast::literal(text, data_type).ok()?;
    values.as_primitive_opt::<T>()?.values().first().map(|value| (*value).into())
}

fn decimal(text: &str, scale: usize) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > scale || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{fraction:0<scale$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        let decimal = DataType::Decimal128(18, 4);
        assert_eq!(compare("10", "9", &DataType::Int64), Some(Ordering::Greater));
        assert_eq!(compare("1.0", "1", &decimal), Some(Ordering::Equal));
        assert_eq!(compare("-0.5", "-0.25", &decimal), Some(Ordering::Less));
        assert_eq!(compare("1e3", "999", &DataType::Float64), Some(Ordering::Greater));
    }

    #[test]
    fn times_are_compared_as_instants() {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(compare("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000Z", &utc), Some(Ordering::Equal));
        assert_eq!(compare("2023-12-31", "2024-01-01", &DataType::Date32), Some(Ordering::Less));
    }

    #[test]
    fn what_is_no_number_is_not_guessed_at() {
        assert_eq!(compare("b", "a", &DataType::Utf8), None);
        assert_eq!(compare("nan", "1", &DataType::Float64), None);
        assert_eq!(compare("1.23456", "1", &DataType::Decimal128(18, 4)), None);
    }

    #[test]
    fn multiples_are_told_exactly() {
        let decimal = DataType::Decimal128(18, 4);
        assert!(divides("0.05", "0.25", &decimal) && !divides("0.25", "0.05", &decimal));
        assert!(!divides("0", "5", &DataType::Int64), "nothing but 0 is a multiple of 0");
    }
}

//! Values of rules: texts that a column's type reads without loss, each brought to the one way in which it is written.

use std::borrow::Cow;
use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, downcast_primitive_array};
use arrow_schema::DataType;

use super::fault::{Findings, shown};
use super::fields;
use super::tree::Node;
use crate::contract::cast::{self, Cast};
use crate::contract::verdict::Code;
use crate::contract::{Decoding, words};

/// Reads a value of a column: a number for numbers, `true` or `false`, a text for everything else.
pub(super) fn value(node: &Node, data_type: &DataType, found: &mut Findings) -> Option<String> {
    let text = match data_type {
        DataType::Boolean => return fields::flag(node, found).map(|flag| flag.to_string()),
        data_type if data_type.is_numeric() => fields::number(node, found)?,
        _ => fields::text(node, found)?,
    };
    match normal(text, data_type) {
        Ok(value) => Some(value),
        Err(code) => {
            let message = format!("{} is no value of {} ({code})", shown(text), words::data_type(data_type));
            found.fault(node.at, "bad-value", message);
            None
        }
    }
}

/// Compares two values as they are written here. None: they have no order.
pub(super) fn order(left: &str, right: &str, data_type: &DataType) -> Option<Ordering> {
    let (left, right) = cast::literal(left, data_type).ok().zip(cast::literal(right, data_type).ok())?;
    let (left, right) = (left.as_ref(), right.as_ref());
    downcast_primitive_array!(
        (left, right) => Some(left.values().first()?.compare(*right.values().first()?)),
        _ => None
    )
}

/// Whether a number is more than nothing.
pub(super) fn is_positive(number: &str) -> bool {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    !number.starts_with('-') && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// Most digits before or behind the point that an exponent may stand for.
const DIGITS_MAX: usize = 400;

/// Brings a value to the one way in which a cast writes it.
fn normal(text: &str, data_type: &DataType) -> Result<String, Code> {
    let text = match data_type {
        DataType::Float32 | DataType::Float64 => Cow::Borrowed(text),
        data_type if data_type.is_numeric() => Cow::Owned(without_exponent(text).ok_or(Code::Overflow)?),
        _ => Cow::Borrowed(text),
    };
    let value = cast::literal(&text, data_type)?;
    Ok(written(&value).map(without_sign_of_zero).unwrap_or_else(|| text.into_owned()))
}

/// The two zeros of a float compare alike, so that they are one bound.
fn without_sign_of_zero(number: String) -> String {
    match number.strip_prefix('-') {
        Some(size) if size.parse() == Ok(0.0_f64) => size.to_owned(),
        _ => number,
    }
}

/// Writes a value. None: bytes that are no text.
fn written(value: &ArrayRef) -> Option<String> {
    let cast = Cast::plan(value.data_type(), &DataType::Utf8, &Decoding::default()).ok()?;
    let column = cast.run(value);
    let texts = column.values.as_string_opt::<i32>()?;
    texts.iter().next().flatten().map(str::to_owned)
}

/// Writes a number of JSON without exponent and without needless zeros. None: that would be too long.
fn without_exponent(number: &str) -> Option<String> {
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let zeros = digits.len().saturating_sub(significant.len());
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let point = i64::try_from(whole.len()).ok()?.checked_sub(i64::try_from(zeros).ok()?)?;
    let point = point
        .checked_add(exponent.parse().ok()?)
        .filter(|point| point.unsigned_abs() <= DIGITS_MAX as u64)?;
    let behind = usize::try_from(point).unwrap_or(0);
    Some(match significant.split_at_checked(behind) {
        None => format!("{sign}{significant:0<behind$}"),
        Some((whole, "")) => format!("{sign}{whole}"),
        Some(("", fraction)) => {
            let width = fraction.len().saturating_add(usize::try_from(point.unsigned_abs()).ok()?);
            if width > DIGITS_MAX {
                return None;
            }
            format!("{sign}0.{fraction:0>width$}")
        }
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        for (written, plain) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("1.25e1", "12.5"),
            ("125e-4", "0.0125"),
            ("-0.5e0", "-0.5"),
            ("100", "100"),
            ("0.001E+3", "1"),
            ("1200e-2", "12"),
        ] {
            assert_eq!(without_exponent(written).as_deref(), Some(plain), "{written}");
        }
    }

    #[test]
    fn the_two_zeros_of_a_float_are_one_value() {
        for data_type in [DataType::Float32, DataType::Float64] {
            for zero in ["0", "-0", "-0.0", "0e9", "-0E-9"] {
                assert_eq!(normal(zero, &data_type), normal("0", &data_type), "{zero}");
            }
            assert_ne!(normal("-1", &data_type), normal("1", &data_type));
        }
    }

    #[test]
    fn a_huge_exponent_is_refused_before_it_is_written_out() {
        for huge in ["1e401", "1e-401", "1e99999999999999999999", "-1e9223372036854775807"] {
            assert_eq!(without_exponent(huge), None, "{huge}");
        }
    }
}

//! Values as texts, each in one canonical form, which reads back as the value under the default decoding.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use super::super::verdict::Code;
use super::CastColumn;
use super::calendar::{DAY_SECONDS, Day};
use super::cells::Texts;
use super::exact::units;

/// Returns whether values of a type have a written form.
pub(super) fn is_rendered(from: &DataType) -> bool {
    let is_half = *from == DataType::Float16;
    match from {
        DataType::Boolean | DataType::Date32 | DataType::Date64 => true,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..) => true,
        DataType::Decimal128(_, 0..) | DataType::Decimal256(_, 0..) => true,
        other => other.is_integer() || (other.is_floating() && !is_half),
    }
}

/// Writes a column as texts.
pub(super) fn run(source: &ArrayRef) -> CastColumn {
    use DataType::*;
    match source.data_type() {
        Boolean => write(source.as_boolean().iter(), shown),
        Int8 => plain::<Int8Type>(source),
        Int16 => plain::<Int16Type>(source),
        Int32 => plain::<Int32Type>(source),
        Int64 => plain::<Int64Type>(source),
        UInt8 => plain::<UInt8Type>(source),
        UInt16 => plain::<UInt16Type>(source),
        UInt32 => plain::<UInt32Type>(source),
        UInt64 => plain::<UInt64Type>(source),
        Float32 => {
            write(source.as_primitive::<Float32Type>().iter(), |value, text| float(value, value.into(), text))
        }
        Float64 => {
            write(source.as_primitive::<Float64Type>().iter(), |value, text| float(value, value, text))
        }
        Decimal128(precision, scale) => {
            let limit = super::number::power((*precision).into());
            write(source.as_primitive::<Decimal128Type>().iter(), |value: i128, text| {
                let fits = limit.is_none_or(|limit| value.unsigned_abs() < limit);
                if fits { decimal(value, *scale, text) } else { Err(Code::Overflow) }
            })
        }
        Decimal256(precision, scale) => {
            let limit = arrow_buffer::i256::from(10).checked_pow((*precision).into());
            write(source.as_primitive::<Decimal256Type>().iter(), |value, text| {
                let size = value.checked_abs().ok_or(Code::Overflow)?;
                let fits = limit.is_none_or(|limit| size < limit);
                if fits { decimal(value, *scale, text) } else { Err(Code::Overflow) }
            })
        }
        Date32 => write(units(source), date),
        Date64 => write(units(source), |ms, text| match ms % (DAY_SECONDS * 1000) {
            0 => date(ms / (DAY_SECONDS * 1000), text),
            _ => Err(Code::Lossy),
        }),
        Time32(unit) | Time64(unit) => write(units(source), |units, text| time_of_day(units, *unit, text)),
        Timestamp(unit, zone) => {
            write(units(source), |units, text| timestamp(units, *unit, zone.is_some(), text))
        }
        _ => write(std::iter::empty::<Option<bool>>(), shown),
    }
}

/// Writes cells with a writer that leaves a text in the room it is given.
fn write<V>(
    cells: impl Iterator<Item = Option<V>>,
    mut value: impl FnMut(V, &mut String) -> Result<(), Code>,
) -> CastColumn {
    let mut texts = Texts::new(cells.size_hint().0, 0);
    let mut text = String::new();
    for cell in cells {
        text.clear();
        let written = cell.map(|cell| value(cell, &mut text)).transpose();
        texts.push(written.map(|there| there.map(|()| text.as_str())));
    }
    let (values, failed) = texts.finish();
    CastColumn { values: Arc::new(values), failed }
}

fn plain<T: ArrowPrimitiveType<Native: std::fmt::Display>>(source: &ArrayRef) -> CastColumn {
    write(source.as_primitive::<T>().iter(), shown)
}

/// Writing into a `String` cannot fail.
fn shown(value: impl std::fmt::Display, text: &mut String) -> Result<(), Code> {
    write!(text, "{value}").map_err(|_| Code::Lossy)
}

/// The shortest digits that read back; an exponent where there would be many zeros.
fn float<N: std::fmt::Display + std::fmt::LowerExp>(
    value: N,
    size: f64,
    text: &mut String,
) -> Result<(), Code> {
    let is_plain = size == 0.0 || !size.is_finite() || (1e-5..1e16).contains(&size.abs());
    if is_plain { shown(value, text) } else { write!(text, "{value:e}").map_err(|_| Code::Lossy) }
}

/// All places of the scale.
fn decimal(units: impl std::fmt::Display, scale: i8, text: &mut String) -> Result<(), Code> {
    let scale = usize::from(scale.unsigned_abs());
    shown(units, text)?;
    if scale == 0 {
        return Ok(());
    }
    let sign = usize::from(text.starts_with('-'));
    // At least one digit stands before the point.
    let digits = text.len() - sign;
    if digits <= scale {
        text.insert_str(sign, &"0".repeat(scale + 1 - digits));
    }
    text.insert(text.len() - scale, '.');
    Ok(())
}

fn date(days: i64, text: &mut String) -> Result<(), Code> {
    let day = i32::try_from(days).ok().and_then(Day::of).ok_or(Code::Overflow)?;
    write!(text, "{:04}-{:02}-{:02}", day.year, day.month, day.day).map_err(|_| Code::Lossy)
}

fn time_of_day(units: i64, unit: TimeUnit, text: &mut String) -> Result<(), Code> {
    let (per_second, places) = per_second(unit);
    let seconds = units.div_euclid(per_second);
    if !(0..DAY_SECONDS).contains(&seconds) {
        return Err(Code::Overflow);
    }
    clock(seconds, units.rem_euclid(per_second), places, text)
}

fn timestamp(units: i64, unit: TimeUnit, is_utc: bool, text: &mut String) -> Result<(), Code> {
    let (per_second, places) = per_second(unit);
    let seconds = units.div_euclid(per_second);
    date(seconds.div_euclid(DAY_SECONDS), text)?;
    text.push('T');
    clock(seconds.rem_euclid(DAY_SECONDS), units.rem_euclid(per_second), places, text)?;
    if is_utc {
        text.push('Z');
    }
    Ok(())
}

/// All places of the unit.
fn clock(seconds: i64, fraction: i64, places: usize, text: &mut String) -> Result<(), Code> {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(text, "{hour:02}:{minute:02}:{second:02}").map_err(|_| Code::Lossy)?;
    match places {
        0 => Ok(()),
        places => write!(text, ".{fraction:0places$}").map_err(|_| Code::Lossy),
    }
}

fn per_second(unit: TimeUnit) -> (i64, usize) {
    match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    }
}

//! How values are written, canonically. Slow, plain, and sharing no code with what is tested.

use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

/// Writes the value of a row; `None` for null.
pub(crate) fn written(array: &ArrayRef, row: usize) -> Option<String> {
    use DataType::*;
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        Boolean => array.as_boolean().value(row).to_string(),
        Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        UInt8 => array.as_primitive::<UInt8Type>().value(row).to_string(),
        UInt16 => array.as_primitive::<UInt16Type>().value(row).to_string(),
        UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            float(&value.to_string(), &format!("{value:e}"), value.abs().into())
        }
        Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            float(&value.to_string(), &format!("{value:e}"), value.abs())
        }
        Decimal128(_, scale) => {
            decimal(&array.as_primitive::<Decimal128Type>().value(row).to_string(), *scale)
        }
        Decimal256(_, scale) => {
            decimal(&array.as_primitive::<Decimal256Type>().value(row).to_string(), *scale)
        }
        Utf8 => array.as_string::<i32>().value(row).to_owned(),
        LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        Binary => hex(array.as_binary::<i32>().value(row)),
        LargeBinary => hex(array.as_binary::<i64>().value(row)),
        FixedSizeBinary(_) => hex(array.as_fixed_size_binary().value(row)),
        Date32 => date(array.as_primitive::<Date32Type>().value(row).into()),
        Date64 => date(array.as_primitive::<Date64Type>().value(row) / 86_400_000),
        Time32(unit) | Time64(unit) => clock(count(array, row).into(), *unit),
        Timestamp(unit, zone) => {
            let each_day = 86_400 * i128::from(per_second(*unit));
            let units = i128::from(count(array, row));
            let day = date(units.div_euclid(each_day) as i64);
            let zulu = if zone.is_some() { "Z" } else { "" };
            format!("{day}T{}{zulu}", clock(units.rem_euclid(each_day), *unit))
        }
        other => panic!("no value of {other} is written"),
    })
}

/// Returns what a time or a timestamp counts.
pub(crate) fn count(array: &ArrayRef, row: usize) -> i64 {
    use DataType::*;
    match array.data_type() {
        Time32(TimeUnit::Second) => array.as_primitive::<Time32SecondType>().value(row).into(),
        Time32(_) => array.as_primitive::<Time32MillisecondType>().value(row).into(),
        Time64(TimeUnit::Microsecond) => array.as_primitive::<Time64MicrosecondType>().value(row),
        Time64(_) => array.as_primitive::<Time64NanosecondType>().value(row),
        Timestamp(TimeUnit::Second, _) => array.as_primitive::<TimestampSecondType>().value(row),
        Timestamp(TimeUnit::Millisecond, _) => array.as_primitive::<TimestampMillisecondType>().value(row),
        Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().value(row),
        Timestamp(TimeUnit::Nanosecond, _) => array.as_primitive::<TimestampNanosecondType>().value(row),
        other => panic!("{other} counts no time"),
    }
}

fn float(plain: &str, exponential: &str, size: f64) -> String {
    let is_plain = size == 0.0 || !size.is_finite() || (1e-5..1e16).contains(&size);
    if is_plain { plain.to_owned() } else { exponential.to_owned() }
}

fn decimal(units: &str, scale: i8) -> String {
    let (sign, digits) = units.split_at(usize::from(units.starts_with('-')));
    let scale = scale as usize;
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    if scale == 0 { units.to_owned() } else { format!("{sign}{whole}.{fraction}") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts the years, then the months, one by one.
fn date(days: i64) -> String {
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let of_year = |year: i64| if is_leap(year) { 366 } else { 365 };
    let (mut year, mut left) = (1970, days);
    while left < 0 {
        year -= 1;
        left += of_year(year);
    }
    while left >= of_year(year) {
        left -= of_year(year);
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}

fn clock(units: i128, unit: TimeUnit) -> String {
    let each = i128::from(per_second(unit));
    let (seconds, fraction) = (units / each, units % each);
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60);
    match each.to_string().len() - 1 {
        0 => time,
        places => format!("{time}.{fraction:0places$}"),
    }
}

pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

//! One cell, in words, for a reason. It must hold whatever a parser sends: moments outside of any calendar, decimals of more digits
//! than their type has, lists of a million items.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, downcast_primitive_array};
use arrow_schema::DataType;

use crate::contract::Decoding;
use crate::contract::cast::Cast;
use crate::contract::verdict::OBSERVED_BYTES_MAX;

/// Writes one cell out. What is longer than a reason may show is cut somewhere behind that.
pub(super) fn cell(cells: &ArrayRef, row: usize) -> String {
    let mut text = String::new();
    if row < cells.len() {
        write_cell(cells, row, &mut text);
    }
    text
}

fn write_cell(cells: &ArrayRef, row: usize, text: &mut String) {
    if cells.is_null(row) {
        text.push_str("null");
        return;
    }
    match cells.data_type() {
        // As a cast would, but most of what is shown is text.
        DataType::Utf8 => text.push_str(cells.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text.push_str(cells.as_string::<i64>().value(row)),
        DataType::Float32 => {
            write_any(text, format_args!("{:?}", cells.as_primitive::<Float32Type>().value(row)))
        }
        DataType::Float64 => {
            write_any(text, format_args!("{:?}", cells.as_primitive::<Float64Type>().value(row)))
        }
        DataType::Binary => hex(cells.as_binary::<i32>().value(row), text),
        DataType::LargeBinary => hex(cells.as_binary::<i64>().value(row), text),
        DataType::FixedSizeBinary(_) => hex(cells.as_fixed_size_binary().value(row), text),
        DataType::Decimal128(_, scale) => {
            decimal(&cells.as_primitive::<Decimal128Type>().value(row).to_string(), *scale, text);
        }
        DataType::Decimal256(_, scale) => {
            decimal(&cells.as_primitive::<Decimal256Type>().value(row).to_string(), *scale, text);
        }
        DataType::List(_) => items(&cells.as_list::<i32>().value(row), text),
        DataType::LargeList(_) => items(&cells.as_list::<i64>().value(row), text),
        DataType::Struct(fields) => {
            let columns = cells.as_struct().columns().iter().zip(fields);
            between(text, '{', '}', columns, |(column, field), text| {
                write_any(text, format_args!("{}: ", field.name()));
                write_cell(column, row, text);
            });
        }
        _ => number_or_moment(cells, row, text),
    }
}

fn items(list: &ArrayRef, text: &mut String) {
    between(text, '[', ']', 0..list.len(), |row, text| write_cell(list, row, text));
}

fn between<T>(
    text: &mut String,
    open: char,
    close: char,
    parts: impl Iterator<Item = T>,
    mut write: impl FnMut(T, &mut String),
) {
    text.push(open);
    for (at, part) in parts.enumerate() {
        // The rest would be cut anyway.
        if text.len() > OBSERVED_BYTES_MAX {
            break;
        }
        if at > 0 {
            text.push_str(", ");
        }
        write(part, text);
    }
    text.push(close);
}

/// Puts the point where the scale has it, and shows every digit that is there.
fn decimal(units: &str, scale: i8, text: &mut String) {
    let (sign, digits) = units.strip_prefix('-').map_or(("", units), |digits| ("-", digits));
    let fraction = usize::from(scale.max(0).unsigned_abs());
    let digits = format!("{digits:0>width$}", width = fraction + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - fraction).unwrap_or((&digits, ""));
    text.push_str(sign);
    text.push_str(whole);
    if !fraction.is_empty() {
        write_any(text, format_args!(".{fraction}"));
    }
}

fn hex(bytes: &[u8], text: &mut String) {
    bytes.iter().take(OBSERVED_BYTES_MAX).for_each(|byte| write_any(text, format_args!("{byte:02x}")));
}

/// Writes a moment as a cast to text does; one outside of the calendar, like any other number, as the number that it is.
fn number_or_moment(cells: &ArrayRef, row: usize, text: &mut String) {
    let only = cells.slice(row, 1);
    let cast = Cast::plan(only.data_type(), &DataType::Utf8, &Decoding::default());
    let moment = cast.ok().map(|cast| cast.run(&only)).filter(|cast| cast.failed.is_empty());
    if let Some(moment) =
        moment.and_then(|cast| cast.values.as_string_opt::<i32>().map(|texts| texts.value(0).to_owned()))
    {
        text.push_str(&moment);
        return;
    }
    let cells: &dyn Array = &Arc::clone(cells);
    downcast_primitive_array!(
        cells => write_any(text, format_args!("{:?}", cells.value(row))),
        _ => text.push('?'),
    );
}

fn write_any(text: &mut String, words: std::fmt::Arguments<'_>) {
    // A text takes whatever is written to it.
    let _ = text.write_fmt(words);
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int64Type;
    use arrow_array::*;
    use arrow_buffer::i256;
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn a_moment_outside_of_the_calendar_is_the_number_that_it_is_whatever_its_zone() {
        for zone in ["+05:00", "-14:00", "America/New_York", "UTC", "nowhere"] {
            let moments: ArrayRef = Arc::new(
                TimestampSecondArray::from(vec![8_210_266_876_799, i64::MAX, i64::MIN]).with_timezone(zone),
            );
            assert_eq!(cell(&moments, 1), "9223372036854775807", "{zone}");
            assert!((0..3).all(|row| !cell(&moments, row).is_empty()));
        }
        let ordinary: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_500_000_000]));
        assert_eq!(cell(&ordinary, 0), "1970-01-01T00:00:01.500000000");
    }

    #[test]
    fn a_decimal_shows_every_digit_that_it_has() {
        let decimals = Decimal128Array::from(vec![9_999_999_999, -5, 0]).with_precision_and_scale(5, 2);
        let decimals: ArrayRef = Arc::new(decimals.expect("a scale"));
        assert_eq!(
            [cell(&decimals, 0), cell(&decimals, 1), cell(&decimals, 2)],
            ["99999999.99", "-0.05", "0.00"]
        );
    }

    fn shown(cells: impl Array + 'static) -> Vec<String> {
        let cells: ArrayRef = Arc::new(cells);
        (0..cells.len()).map(|row| cell(&cells, row)).collect()
    }

    #[test]
    fn every_type_is_shown_as_people_write_it() {
        assert_eq!(shown(LargeStringArray::from(vec![Some(" a"), None])), [" a", "null"]);
        assert_eq!(shown(BooleanArray::from(vec![true, false])), ["true", "false"]);
        assert_eq!(shown(Float32Array::from(vec![0.1, 1.0, -0.0, f32::NAN])), ["0.1", "1.0", "-0.0", "NaN"]);
        assert_eq!(shown(Float64Array::from(vec![0.1, 1.0, 1e300])), ["0.1", "1.0", "1e300"]);
        assert_eq!(shown(UInt64Array::from(vec![u64::MAX])), ["18446744073709551615"]);
        let wide = Decimal256Array::from(vec![i256::MAX, i256::from(-5)]).with_precision_and_scale(76, 2);
        let digits = i256::MAX.to_string();
        let (whole, fraction) = digits.split_at(digits.len() - 2);
        assert_eq!(shown(wide.expect("a scale")), [format!("{whole}.{fraction}"), "-0.05".to_owned()]);
    }

    #[test]
    fn bytes_are_shown_in_hex_though_they_might_be_read_as_text() {
        assert_eq!(shown(BinaryArray::from(vec![&b"abc"[..], b"\xff\x00", b""])), ["616263", "ff00", ""]);
        assert_eq!(shown(LargeBinaryArray::from(vec![&b"abc"[..]])), ["616263"]);
        let fixed = FixedSizeBinaryArray::try_from_iter([b"abc"].into_iter());
        assert_eq!(shown(fixed.expect("one width")), ["616263"]);
    }

    #[test]
    fn a_long_list_is_written_no_further_than_it_is_shown() {
        for item in [1, 10, 100, 1_000] {
            let items = (0..10_000).map(|_| Some(item));
            let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(items)]));
            let text = cell(&lists, 0);
            assert!((OBSERVED_BYTES_MAX..OBSERVED_BYTES_MAX + 10).contains(&text.len()), "{}", text.len());
        }
    }

    #[test]
    fn nothing_is_shown_of_a_row_that_is_not_there() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert_eq!([cell(&texts, 0), cell(&texts, 1)], ["a", ""]);
    }

    #[test]
    fn what_is_nested_is_shown_in_its_brackets() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(f64::NAN), None]));
        let field = Arc::new(Field::new("x", DataType::Float64, true));
        let objects: ArrayRef = Arc::new(StructArray::from(vec![(field, floats)]));
        assert_eq!([cell(&objects, 0), cell(&objects, 1)], ["{x: NaN}", "{x: null}"]);
    }
}

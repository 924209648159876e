//! Values as text, for the files that are text. Every value has its own: nothing is rounded, cut or left out, and where a
//! calendar ends ours goes on. `docs/spec/table-file.md` has the table.

use std::io::Write as _;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Appends the text of a value, which is there.
pub(super) type Put<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// The cells of a column, or of what is nested in one.
pub(super) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    pub(super) kind: Kind<'a>,
}

/// How the cells of a column are written.
pub(super) enum Kind<'a> {
    /// Integers and truth values.
    Word(Put<'a>),
    /// Floats: numbers, and words for what is none.
    Float(Put<'a>),
    /// Texts of ours, which nobody need escape: decimals, dates, times.
    Plain(Put<'a>),
    /// Bytes, in base64.
    Bytes(Put<'a>),
    /// Texts of somebody else.
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// A list: which items are a row's.
    List(Box<dyn Fn(usize) -> Range<usize> + 'a>, Box<Cells<'a>>),
    /// A struct: its fields by name.
    Struct(Vec<(&'a str, Cells<'a>)>),
}

impl<'a> Cells<'a> {
    /// Makes ready what is in an array. Types are those that pass the wire, nested at most as deep.
    pub(super) fn new(array: &'a ArrayRef) -> Self {
        Self { nulls: array.nulls(), kind: kind(array) }
    }

    /// Makes ready the columns of a batch.
    pub(super) fn of(rows: &'a RecordBatch) -> Vec<Self> {
        rows.columns().iter().map(Self::new).collect()
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

fn kind(array: &ArrayRef) -> Kind<'_> {
    use Kind::{Bytes, Float, List, Plain, Struct, Text, Word};
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            Word(Box::new(move |row, out| show(out, values.value(row))))
        }
        DataType::Int8 => Word(integers::<Int8Type>(array)),
        DataType::Int16 => Word(integers::<Int16Type>(array)),
        DataType::Int32 => Word(integers::<Int32Type>(array)),
        DataType::Int64 => Word(integers::<Int64Type>(array)),
        DataType::UInt8 => Word(integers::<UInt8Type>(array)),
        DataType::UInt16 => Word(integers::<UInt16Type>(array)),
        DataType::UInt32 => Word(integers::<UInt32Type>(array)),
        DataType::UInt64 => Word(integers::<UInt64Type>(array)),
        DataType::Float32 => {
            Float(values::<Float32Type>(array, |value, out| put_float(value.into(), value, out)))
        }
        DataType::Float64 => Float(values::<Float64Type>(array, |value, out| put_float(value, value, out))),
        DataType::Decimal128(_, scale) => Plain(decimals::<Decimal128Type>(array, *scale)),
        DataType::Decimal256(_, scale) => Plain(decimals::<Decimal256Type>(array, *scale)),
        DataType::Date32 => Plain(values::<Date32Type>(array, |days, out| put_date(days.into(), out))),
        DataType::Date64 => Plain(values::<Date64Type>(array, put_date_of_millis)),
        DataType::Time32(TimeUnit::Second) => Plain(times::<Time32SecondType>(array, TimeUnit::Second)),
        DataType::Time32(unit) => Plain(times::<Time32MillisecondType>(array, *unit)),
        DataType::Time64(TimeUnit::Nanosecond) => {
            Plain(times::<Time64NanosecondType>(array, TimeUnit::Nanosecond))
        }
        DataType::Time64(unit) => Plain(times::<Time64MicrosecondType>(array, *unit)),
        DataType::Timestamp(unit, zone) => Plain(timestamps(array, *unit, zone.is_some())),
        DataType::Duration(unit) => Plain(durations(array, *unit)),
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            Text(Box::new(|row| texts.value(row)))
        }
        DataType::LargeUtf8 => {
            let texts = array.as_string::<i64>();
            Text(Box::new(|row| texts.value(row)))
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            Bytes(Box::new(|row, out| put_base64(values.value(row), out)))
        }
        DataType::LargeBinary => {
            let values = array.as_binary::<i64>();
            Bytes(Box::new(|row, out| put_base64(values.value(row), out)))
        }
        DataType::FixedSizeBinary(_) => {
            let values = array.as_fixed_size_binary();
            Bytes(Box::new(|row, out| put_base64(values.value(row), out)))
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let items =
                |row: usize| lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
            List(Box::new(items), Box::new(Cells::new(lists.values())))
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            let items =
                |row: usize| lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
            List(Box::new(items), Box::new(Cells::new(lists.values())))
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            Struct(
                fields
                    .iter()
                    .map(|field| field.name().as_str())
                    .zip(columns.iter().map(Cells::new))
                    .collect(),
            )
        }
        other => unreachable!("a column of {other} has passed the wire and the contract"),
    }
}

/// Writes to memory, which does not fail.
fn show(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

fn values<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    put: impl Fn(T::Native, &mut Vec<u8>) + 'static,
) -> Put<'_> {
    let values = array.as_primitive::<T>();
    Box::new(move |row, out| put(values.value(row), out))
}

fn integers<T: ArrowPrimitiveType<Native: std::fmt::Display>>(array: &ArrayRef) -> Put<'_> {
    values::<T>(array, |value, out| show(out, value))
}

/// The fewest digits that read back as the same number; `0` and `-0` are two. A NaN is a NaN, whatever its payload.
fn put_float(value: f64, shown: impl std::fmt::Debug, out: &mut Vec<u8>) {
    let _ = match value {
        f64::INFINITY => write!(out, "Infinity"),
        f64::NEG_INFINITY => write!(out, "-Infinity"),
        _ => write!(out, "{shown:?}"),
    };
}

/// All digits of the scale, zeros too, and nothing else: no exponent, no grouping.
fn decimals<T: DecimalType>(array: &ArrayRef, scale: i8) -> Put<'_>
where
    T::Native: std::fmt::Display,
{
    let scale = usize::from(scale.unsigned_abs());
    values::<T>(array, move |value, out| {
        let digits = value.to_string();
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(sign.as_bytes());
        out.extend_from_slice(whole.as_bytes());
        if scale > 0 {
            out.push(b'.');
            out.extend_from_slice(fraction.as_bytes());
        }
    })
}

fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(BASE64.encode(bytes).as_bytes());
}

const SECONDS_PER_DAY: i64 = 86_400;

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Digits of a second that a unit has. All of them are written, so that the text tells the unit.
fn fraction_digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Writes a day of the proleptic Gregorian calendar. Years that do not have four digits have a sign and six or more.
fn put_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    let _ = match year {
        0..=9999 => write!(out, "{year:04}-{month:02}-{day:02}"),
        _ => write!(out, "{year:+07}-{month:02}-{day:02}"),
    };
}

/// Returns year, month and day. Counted in eras of 400 years from the first of a March, so that leap days come last; exact for
/// every day that a timestamp of 64 bits can name.
fn civil(days: i64) -> (i64, i64, i64) {
    const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    const DAYS_PER_ERA: i64 = 146_097;
    let since = days + FROM_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (since.div_euclid(DAYS_PER_ERA), since.rem_euclid(DAYS_PER_ERA));
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let (month, years) = if months < 10 { (months + 3, 0) } else { (months - 9, 1) };
    (era * 400 + year_of_era + years, month, day)
}

/// A date in milliseconds should be a whole day. One that is none keeps its time.
fn put_date_of_millis(millis: i64, out: &mut Vec<u8>) {
    match millis % (SECONDS_PER_DAY * 1_000) {
        0 => put_date(millis / (SECONDS_PER_DAY * 1_000), out),
        _ => put_timestamp(millis, TimeUnit::Millisecond, out),
    }
}

fn put_timestamp(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let per_day = SECONDS_PER_DAY * per_second(unit);
    put_date(value.div_euclid(per_day), out);
    out.push(b'T');
    put_time(value.rem_euclid(per_day).unsigned_abs(), unit, out);
}

/// Writes a time of day, or more hours than a day has.
fn put_time(value: u64, unit: TimeUnit, out: &mut Vec<u8>) {
    let seconds = value / per_second(unit).unsigned_abs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let _ = write!(out, "{hours:02}:{minutes:02}:{:02}", seconds % 60);
    put_fraction(value, unit, out);
}

fn put_fraction(value: u64, unit: TimeUnit, out: &mut Vec<u8>) {
    let digits = fraction_digits(unit);
    if digits > 0 {
        let _ = write!(out, ".{:0digits$}", value % per_second(unit).unsigned_abs());
    }
}

/// An instant is written in UTC, whatever zone its column names; a wall clock without any.
fn timestamps(array: &ArrayRef, unit: TimeUnit, is_instant: bool) -> Put<'_> {
    let put = move |value: i64, out: &mut Vec<u8>| {
        put_timestamp(value, unit, out);
        if is_instant {
            out.push(b'Z');
        }
    };
    match unit {
        TimeUnit::Second => values::<TimestampSecondType>(array, put),
        TimeUnit::Millisecond => values::<TimestampMillisecondType>(array, put),
        TimeUnit::Microsecond => values::<TimestampMicrosecondType>(array, put),
        TimeUnit::Nanosecond => values::<TimestampNanosecondType>(array, put),
    }
}

/// Times of day. A parser may send one before midnight or past the next: it has a sign, or more hours.
fn times<T: ArrowPrimitiveType<Native: Into<i64>>>(array: &ArrayRef, unit: TimeUnit) -> Put<'_> {
    values::<T>(array, move |value, out| {
        let value: i64 = value.into();
        if value < 0 {
            out.push(b'-');
        }
        put_time(value.unsigned_abs(), unit, out);
    })
}

/// Durations of ISO 8601, in seconds alone: how long a day is depends on the day.
fn durations(array: &ArrayRef, unit: TimeUnit) -> Put<'_> {
    let put = move |value: i64, out: &mut Vec<u8>| {
        let sign = if value < 0 { "-" } else { "" };
        let _ = write!(out, "{sign}PT{}", value.unsigned_abs() / per_second(unit).unsigned_abs());
        put_fraction(value.unsigned_abs(), unit, out);
        out.push(b'S');
    };
    match unit {
        TimeUnit::Second => values::<DurationSecondType>(array, put),
        TimeUnit::Millisecond => values::<DurationMillisecondType>(array, put),
        TimeUnit::Microsecond => values::<DurationMicrosecondType>(array, put),
        TimeUnit::Nanosecond => values::<DurationNanosecondType>(array, put),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::*;

    use super::*;

    fn texts(array: impl Array + 'static) -> Vec<String> {
        let array: ArrayRef = Arc::new(array);
        let cells = Cells::new(&array);
        let (Kind::Word(put) | Kind::Float(put) | Kind::Plain(put) | Kind::Bytes(put)) = &cells.kind else {
            panic!("no simple column")
        };
        let text = |row| {
            let mut out = Vec::new();
            put(row, &mut out);
            String::from_utf8(out).unwrap()
        };
        (0..array.len()).map(text).collect()
    }

    #[test]
    fn floats_have_the_fewest_digits_that_read_back_and_words_for_what_is_no_number() {
        let written = texts(Float64Array::from(vec![0.1, -0.0, 1e300, 5e-324, f64::MAX, 1.0, f64::NAN]));
        assert_eq!(written, ["0.1", "-0.0", "1e300", "5e-324", "1.7976931348623157e308", "1.0", "NaN"]);
        let written = texts(Float32Array::from(vec![0.1, f32::INFINITY, f32::NEG_INFINITY]));
        assert_eq!(written, ["0.1", "Infinity", "-Infinity"]);
    }

    #[test]
    fn decimals_have_all_digits_of_their_scale() {
        let decimals = |values: Vec<i128>, scale| {
            texts(Decimal128Array::from(values).with_precision_and_scale(38, scale).unwrap())
        };
        assert_eq!(decimals(vec![-1, 0, 12_345, 50_000], 4), ["-0.0001", "0.0000", "1.2345", "5.0000"]);
        assert_eq!(
            decimals(vec![-1, 0, i128::MAX], 0),
            ["-1", "0", "170141183460469231731687303715884105727"]
        );
        assert_eq!(decimals(vec![5], 38), [format!("0.{}5", "0".repeat(37))]);
    }

    #[test]
    fn days_are_those_of_the_calendar_and_go_on_where_it_ends() {
        let days = vec![0, -1, 11_016, 10_956, -719_468, -719_529, 2_932_896, 2_932_897, i32::MAX, i32::MIN];
        let written = [
            "1970-01-01",
            "1969-12-31",
            "2000-02-29",
            "1999-12-31",
            "0000-03-01",
            "-000001-12-31",
            "9999-12-31",
            "+010000-01-01",
            "+5881580-07-11",
            "-5877641-06-23",
        ];
        assert_eq!(texts(Date32Array::from(days)), written);
    }

    #[test]
    fn a_date_in_milliseconds_that_is_no_whole_day_keeps_its_time() {
        let written = texts(Date64Array::from(vec![86_400_000, -86_400_000, -1]));
        assert_eq!(written, ["1970-01-02", "1969-12-31", "1969-12-31T23:59:59.999"]);
    }

    #[test]
    fn timestamps_have_all_digits_of_their_unit_and_a_zone_only_where_they_are_instants() {
        let second = TimestampSecondArray::from(vec![0, i64::MAX, i64::MIN]);
        let far = ["1970-01-01T00:00:00", "+292277026596-12-04T15:30:07", "-292277022657-01-27T08:29:52"];
        assert_eq!(texts(second), far);
        let nano = TimestampNanosecondArray::from(vec![-1, 1]).with_timezone("Europe/Berlin");
        assert_eq!(texts(nano), ["1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00.000000001Z"]);
        assert_eq!(texts(TimestampMillisecondArray::from(vec![1_500])), ["1970-01-01T00:00:01.500"]);
        assert_eq!(texts(TimestampMicrosecondArray::from(vec![-1])), ["1969-12-31T23:59:59.999999"]);
    }

    #[test]
    fn times_of_day_have_all_digits_even_those_that_no_day_has() {
        assert_eq!(
            texts(Time32SecondArray::from(vec![86_399, 90_000, -1])),
            ["23:59:59", "25:00:00", "-00:00:01"]
        );
        assert_eq!(texts(Time64NanosecondArray::from(vec![1])), ["00:00:00.000000001"]);
        let microseconds = texts(Time64MicrosecondArray::from(vec![i64::MIN]));
        assert_eq!(microseconds, ["-2562047788:00:54.775808"]);
    }

    #[test]
    fn durations_are_seconds() {
        assert_eq!(
            texts(DurationMillisecondArray::from(vec![-1, 90_061_000])),
            ["-PT0.001S", "PT90061.000S"]
        );
        assert_eq!(texts(DurationSecondArray::from(vec![i64::MIN])), ["-PT9223372036854775808S"]);
    }

    #[test]
    fn bytes_are_base64_of_the_standard_alphabet_with_padding() {
        assert_eq!(texts(BinaryArray::from(vec![&b"\xff\xef"[..], b"", b"abc"])), ["/+8=", "", "YWJj"]);
    }
}

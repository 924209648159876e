//! Numbers that become other types of numbers, and moments that become other units: equal, or not at all.
//!
//! Between integers and floats, and among floats, the two must be one number. Between decimals and floats a float stands
//! for the shortest decimal that reads as it, as it does in text: a decimal fraction is seldom a binary one.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};

use super::super::Decoding;
use super::super::verdict::Code;
use super::CastColumn;
use super::calendar::DAY_SECONDS;
use super::cells::convert;
use super::float::{self, Float, Shortest};
use super::number::{power, signed};

/// What is done to the cells.
#[derive(Debug, Clone)]
pub(super) enum Exact {
    /// Decimals are held to their own precision.
    Digits,
    /// Times of day are held to the day.
    OfDay,
    /// Numbers become integers or decimals.
    Whole,
    /// Integers become floats.
    WholeToFloat,
    /// Decimals become floats.
    DecimalToFloat,
    /// Floats become floats, integers or decimals.
    Float,
    /// Units of so many nanoseconds become units of so many, and are moved by so many seconds first.
    Time { from_nanos: i64, to_nanos: i64, moved_seconds: i64 },
}

/// A cell on its way: `None` is null.
type Cell<N> = Option<Result<N, Code>>;
type Cells<'a, N> = Box<dyn Iterator<Item = Cell<N>> + 'a>;

impl Exact {
    /// Plans a pair of types, or says what stands between them.
    pub(super) fn plan(from: &DataType, to: &DataType, decoding: &Decoding) -> Result<Self, &'static str> {
        let is_whole = |of: &DataType| of.is_integer() || matches!(of, DataType::Decimal128(_, 0..));
        match (from, to) {
            (DataType::Timestamp(..), DataType::Timestamp(..)) => Self::plan_timestamps(from, to, decoding),
            _ if from.is_temporal() || to.is_temporal() => Self::plan_clock(from, to),
            (from, to) if from.is_floating() && (to.is_floating() || is_whole(to)) => Ok(Exact::Float),
            (from, to) if from.is_integer() && is_narrow_float(to) => Ok(Exact::WholeToFloat),
            (DataType::Decimal128(_, 0..) | DataType::Decimal256(_, 0..), to) if is_narrow_float(to) => {
                Ok(Exact::DecimalToFloat)
            }
            (DataType::Decimal256(_, 0..), to) if is_whole(to) => Ok(Exact::Whole),
            (from, to) if is_whole(from) && is_whole(to) => Ok(Exact::Whole),
            _ => Err("their values have nothing in common"),
        }
    }

    fn plan_clock(from: &DataType, to: &DataType) -> Result<Self, &'static str> {
        match (from, to) {
            (DataType::Date64, DataType::Date32) => Ok(Exact::Time {
                from_nanos: 1_000_000,
                to_nanos: DAY_SECONDS * 1_000_000_000,
                moved_seconds: 0,
            }),
            (
                DataType::Time32(from) | DataType::Time64(from),
                DataType::Time32(to) | DataType::Time64(to),
            ) => Ok(Exact::Time { from_nanos: nanos(*from), to_nanos: nanos(*to), moved_seconds: 0 }),
            (DataType::Date32 | DataType::Date64, DataType::Timestamp(..)) => {
                Err("a date has no time of day")
            }
            (DataType::Timestamp(..), DataType::Date32) => Err("the time of day would be lost"),
            _ => Err("one of them is a time, and the other is not"),
        }
    }

    fn plan_timestamps(from: &DataType, to: &DataType, decoding: &Decoding) -> Result<Self, &'static str> {
        let (DataType::Timestamp(from, zone), DataType::Timestamp(to, wanted)) = (from, to) else {
            return Err("they are no timestamps");
        };
        let moved_seconds = match (zone, wanted.as_deref()) {
            (None, None) | (Some(_), Some("UTC")) => 0,
            (None, Some("UTC")) => {
                let offset = decoding.default_offset_seconds;
                -i64::from(offset.ok_or("a time without a zone is nowhere; declare defaultTimezone")?)
            }
            (Some(_), None) => return Err("the time zone would be lost"),
            (_, Some(_)) => return Err("UTC is the only zone that a column is written in"),
        };
        Ok(Exact::Time { from_nanos: nanos(*from), to_nanos: nanos(*to), moved_seconds })
    }

    pub(super) fn run(&self, source: &ArrayRef, to: &DataType) -> CastColumn {
        match self {
            Exact::Digits => check_digits(source),
            Exact::OfDay => check_of_day(source),
            Exact::Whole => whole(at_scale(source, scale_of(to)), source.len(), to),
            Exact::Float => from_floats(source, to),
            Exact::WholeToFloat if *to == DataType::Float32 => whole_to_float::<Float32Type>(source),
            Exact::WholeToFloat => whole_to_float::<Float64Type>(source),
            Exact::DecimalToFloat if *to == DataType::Float32 => decimal_to_float::<Float32Type>(source),
            Exact::DecimalToFloat => decimal_to_float::<Float64Type>(source),
            Exact::Time { from_nanos, to_nanos, moved_seconds } => {
                let shift =
                    Shift { from: (*from_nanos).into(), to: (*to_nanos).into(), seconds: *moved_seconds };
                times(source, to, shift)
            }
        }
    }
}

fn is_narrow_float(of: &DataType) -> bool {
    matches!(of, DataType::Float32 | DataType::Float64)
}

fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn scale_of(of: &DataType) -> i32 {
    match of {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => (*scale).into(),
        _ => 0,
    }
}

/// Holds decimals to the precision of their own type.
fn check_digits(source: &ArrayRef) -> CastColumn {
    match source.data_type() {
        DataType::Decimal256(precision, _) => {
            let limit = i256::from(10).checked_pow((*precision).into());
            let fits =
                |value: i256| limit.is_none_or(|limit| value.checked_abs().is_some_and(|size| size < limit));
            check_each::<Decimal256Type>(source, fits)
        }
        DataType::Decimal128(precision, _) => {
            let limit = power((*precision).into());
            let fits = |value: i128| limit.is_none_or(|limit| value.unsigned_abs() < limit);
            check_each::<Decimal128Type>(source, fits)
        }
        _ => CastColumn { values: Arc::clone(source), failed: Vec::new() },
    }
}

/// Holds times of day to the one day that there is: a producer may have counted on past midnight, or before it.
fn check_of_day(source: &ArrayRef) -> CastColumn {
    use TimeUnit::{Microsecond, Second};
    fn check<T: ArrowPrimitiveType<Native: Into<i64>>>(source: &ArrayRef, unit: TimeUnit) -> CastColumn {
        let of_day = 0..DAY_SECONDS * 1_000_000_000 / nanos(unit);
        check_each::<T>(source, |units| of_day.contains(&units.into()))
    }
    match source.data_type() {
        DataType::Time32(Second) => check::<Time32SecondType>(source, Second),
        DataType::Time32(unit) => check::<Time32MillisecondType>(source, *unit),
        DataType::Time64(Microsecond) => check::<Time64MicrosecondType>(source, Microsecond),
        DataType::Time64(unit) => check::<Time64NanosecondType>(source, *unit),
        _ => CastColumn { values: Arc::clone(source), failed: Vec::new() },
    }
}

fn check_each<T: ArrowPrimitiveType>(source: &ArrayRef, fits: impl Fn(T::Native) -> bool) -> CastColumn {
    let cells = source.as_primitive::<T>();
    // What is not there need not fit: under a null anything may stand.
    if cells.values().iter().all(|value| fits(*value)) {
        return CastColumn { values: Arc::clone(source), failed: Vec::new() };
    }
    let held = |value| if fits(value) { Ok(Some(value)) } else { Err(Code::Overflow) };
    let (values, failed) = convert::<T, _>(cells.iter(), cells.len(), held);
    CastColumn { values: Arc::new(values.with_data_type(source.data_type().clone())), failed }
}

/// Returns integers or decimals as units of the last place of a scale.
fn at_scale(source: &ArrayRef, scale: i32) -> Cells<'_, i128> {
    match source.data_type() {
        DataType::Decimal256(_, own) => {
            let by = scale - i32::from(*own);
            Box::new(
                source.as_primitive::<Decimal256Type>().iter().map(move |cell| Some(rescale_wide(cell?, by))),
            )
        }
        DataType::Decimal128(_, own) => {
            let by = scale - i32::from(*own);
            Box::new(source.as_primitive::<Decimal128Type>().iter().map(move |cell| Some(rescale(cell?, by))))
        }
        _ => Box::new(integers(source).map(move |cell| Some(rescale(cell?.ok()?, scale)))),
    }
}

fn integers(source: &ArrayRef) -> Cells<'_, i128> {
    match source.data_type() {
        DataType::Int8 => integers_of::<Int8Type>(source),
        DataType::Int16 => integers_of::<Int16Type>(source),
        DataType::Int32 => integers_of::<Int32Type>(source),
        DataType::UInt8 => integers_of::<UInt8Type>(source),
        DataType::UInt16 => integers_of::<UInt16Type>(source),
        DataType::UInt32 => integers_of::<UInt32Type>(source),
        DataType::UInt64 => integers_of::<UInt64Type>(source),
        _ => integers_of::<Int64Type>(source),
    }
}

fn integers_of<T: ArrowPrimitiveType<Native: Into<i128>>>(source: &ArrayRef) -> Cells<'_, i128> {
    Box::new(source.as_primitive::<T>().iter().map(|cell| Some(Ok(cell?.into()))))
}

/// Moves the point of a number by some places.
fn rescale(value: i128, by: i32) -> Result<i128, Code> {
    let factor = power(by.unsigned_abs() as usize).and_then(|factor| i128::try_from(factor).ok());
    match factor {
        Some(factor) if by >= 0 => value.checked_mul(factor).ok_or(Code::Overflow),
        Some(factor) if value % factor == 0 => Ok(value / factor),
        None if by >= 0 => Err(Code::Overflow),
        _ => Err(Code::Lossy),
    }
}

fn rescale_wide(value: i256, by: i32) -> Result<i128, Code> {
    // By 76 places at most, and 256 bits hold that power.
    let moved = match i256::from(10).checked_pow(by.unsigned_abs()) {
        Some(factor) if by >= 0 => value.checked_mul(factor).ok_or(Code::Overflow),
        Some(factor) if value % factor == i256::ZERO => Ok(value / factor),
        _ => Err(Code::Lossy),
    };
    moved?.to_i128().ok_or(Code::Overflow)
}

/// Makes integers or decimals of whole numbers.
fn whole(cells: Cells<'_, i128>, rows: usize, to: &DataType) -> CastColumn {
    match to {
        DataType::Int8 => whole_as::<Int8Type>(cells, rows),
        DataType::Int16 => whole_as::<Int16Type>(cells, rows),
        DataType::Int32 => whole_as::<Int32Type>(cells, rows),
        DataType::UInt8 => whole_as::<UInt8Type>(cells, rows),
        DataType::UInt16 => whole_as::<UInt16Type>(cells, rows),
        DataType::UInt32 => whole_as::<UInt32Type>(cells, rows),
        DataType::UInt64 => whole_as::<UInt64Type>(cells, rows),
        DataType::Decimal128(precision, _) => {
            let value = |cell: Result<i128, Code>| cell.and_then(|value| digits(value, *precision)).map(Some);
            let (values, failed) = convert::<Decimal128Type, _>(cells, rows, value);
            CastColumn { values: Arc::new(values.with_data_type(to.clone())), failed }
        }
        _ => whole_as::<Int64Type>(cells, rows),
    }
}

fn digits(value: i128, precision: u8) -> Result<i128, Code> {
    signed(value < 0, value.unsigned_abs(), precision)
}

fn whole_as<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(cells: Cells<'_, i128>, rows: usize) -> CastColumn {
    let value = |cell: Result<i128, Code>| T::Native::try_from(cell?).map(Some).map_err(|_| Code::Overflow);
    let (values, failed) = convert::<T, _>(cells, rows, value);
    CastColumn { values: Arc::new(values), failed }
}

fn whole_to_float<F: Float>(source: &ArrayRef) -> CastColumn {
    let value = |cell: Result<i128, Code>| {
        let number = cell?;
        let value = F::narrow(number as f64);
        // The one cast rounds to 53 digits, the other to 24: what is left is compared with what was there.
        if F::widen(value) as i128 == number { Ok(Some(value)) } else { Err(Code::Lossy) }
    };
    let (values, failed) = convert::<F, _>(integers(source), source.len(), value);
    CastColumn { values: Arc::new(values), failed }
}

fn decimal_to_float<F: Float>(source: &ArrayRef) -> CastColumn {
    let scale = scale_of(source.data_type());
    let mut text = String::new();
    let value = |digits: String| {
        text.clear();
        text.push_str(&digits);
        text.push_str("e-");
        text.push_str(&scale.to_string());
        float::read::<F>(&text).map(Some)
    };
    let wide = matches!(source.data_type(), DataType::Decimal256(..));
    let cells: Box<dyn Iterator<Item = Option<String>>> = match wide {
        true => Box::new(source.as_primitive::<Decimal256Type>().iter().map(|cell| Some(cell?.to_string()))),
        false => Box::new(source.as_primitive::<Decimal128Type>().iter().map(|cell| Some(cell?.to_string()))),
    };
    let (values, failed) = convert::<F, _>(cells, source.len(), value);
    CastColumn { values: Arc::new(values), failed }
}

fn from_floats(source: &ArrayRef, to: &DataType) -> CastColumn {
    let is_f32 = *source.data_type() == DataType::Float32;
    match to {
        DataType::Float32 => floats_as::<Float32Type>(floats(source), source.len()),
        DataType::Float64 => floats_as::<Float64Type>(floats(source), source.len()),
        DataType::Decimal128(_, scale) => {
            let scale = i64::from(*scale);
            // A float is as short as its own type has it: 0.1 has other digits when it is widened.
            let places =
                move |value: f64| if is_f32 { shortest(value as f32, scale) } else { shortest(value, scale) };
            let cells = floats(source).map(move |cell| Some(finite(cell?.ok()?).and_then(places)));
            whole(Box::new(cells), source.len(), to)
        }
        to => whole(Box::new(floats(source).map(|cell| Some(integral(cell?.ok()?)))), source.len(), to),
    }
}

fn floats(source: &ArrayRef) -> Cells<'_, f64> {
    match source.data_type() {
        DataType::Float32 => {
            Box::new(source.as_primitive::<Float32Type>().iter().map(|cell| Some(Ok(cell?.into()))))
        }
        _ => Box::new(source.as_primitive::<Float64Type>().iter().map(|cell| Some(Ok(cell?)))),
    }
}

/// Narrows or widens floats. Which of the many NaN it is does not matter.
fn floats_as<F: Float>(cells: Cells<'_, f64>, rows: usize) -> CastColumn {
    let value = |cell: Result<f64, Code>| {
        let number = cell?;
        let value = F::narrow(number);
        let back = F::widen(value);
        match () {
            _ if back.to_bits() == number.to_bits() || number.is_nan() => Ok(Some(value)),
            _ if back.is_infinite() => Err(Code::Overflow),
            _ => Err(Code::Lossy),
        }
    };
    let (values, failed) = convert::<F, _>(cells, rows, value);
    CastColumn { values: Arc::new(values), failed }
}

/// Takes a number that has digits and whose sign is not lost.
fn finite(value: f64) -> Result<f64, Code> {
    match value {
        value if value.is_nan() || (value == 0.0 && value.is_sign_negative()) => Err(Code::Lossy),
        value if value.is_infinite() => Err(Code::Overflow),
        value => Ok(value),
    }
}

fn integral(value: f64) -> Result<i128, Code> {
    let value = finite(value)?;
    // The cast stops at the ends of its range, and those are past whatever a column can hold.
    if value.fract() == 0.0 { Ok(value as i128) } else { Err(Code::Lossy) }
}

/// Returns the shortest decimal of a float as units of the last place of a scale.
fn shortest<N: std::fmt::LowerExp>(value: N, scale: i64) -> Result<i128, Code> {
    let shortest = Shortest::of(value).ok_or(Code::Lossy)?;
    let (magnitude, exponent) = shortest.scaled();
    let number = if shortest.is_negative() { -i128::from(magnitude) } else { i128::from(magnitude) };
    // No float's exponent is past some hundreds.
    rescale(number, i32::try_from(exponent + scale).map_err(|_| Code::Overflow)?)
}

/// What is done to a count of units of time.
#[derive(Clone, Copy)]
struct Shift {
    from: i128,
    to: i128,
    seconds: i64,
}

impl Shift {
    fn apply(self, units: i64) -> Result<i64, Code> {
        let nanos = i128::from(units) * self.from + i128::from(self.seconds) * 1_000_000_000;
        if nanos % self.to != 0 {
            return Err(Code::Lossy);
        }
        i64::try_from(nanos / self.to).map_err(|_| Code::Overflow)
    }

    /// A time of day is of one day.
    fn apply_of_day(self, units: i64) -> Result<i64, Code> {
        let shifted = self.apply(units)?;
        let units_of_day = i128::from(DAY_SECONDS) * 1_000_000_000 / self.to;
        if (0..units_of_day).contains(&i128::from(shifted)) { Ok(shifted) } else { Err(Code::Overflow) }
    }
}

fn times(source: &ArrayRef, to: &DataType, shift: Shift) -> CastColumn {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let short = move |units| i32::try_from(shift.apply_of_day(units)?).map_err(|_| Code::Overflow);
    let long = move |units| shift.apply_of_day(units);
    match to {
        DataType::Date32 => {
            times_as::<Date32Type>(source, |ms| i32::try_from(shift.apply(ms)?).map_err(|_| Code::Overflow))
        }
        DataType::Time32(Second) => times_as::<Time32SecondType>(source, short),
        DataType::Time32(_) => times_as::<Time32MillisecondType>(source, short),
        DataType::Time64(Microsecond) => times_as::<Time64MicrosecondType>(source, long),
        DataType::Time64(_) => times_as::<Time64NanosecondType>(source, long),
        DataType::Timestamp(Second, zone) => timestamps_as::<TimestampSecondType>(source, zone, shift),
        DataType::Timestamp(Millisecond, zone) => {
            timestamps_as::<TimestampMillisecondType>(source, zone, shift)
        }
        DataType::Timestamp(Microsecond, zone) => {
            timestamps_as::<TimestampMicrosecondType>(source, zone, shift)
        }
        DataType::Timestamp(Nanosecond, zone) => {
            timestamps_as::<TimestampNanosecondType>(source, zone, shift)
        }
        _ => CastColumn { values: Arc::clone(source), failed: Vec::new() },
    }
}

fn timestamps_as<T: ArrowTimestampType>(
    source: &ArrayRef,
    zone: &Option<Arc<str>>,
    shift: Shift,
) -> CastColumn {
    let (values, failed) =
        convert::<T, _>(units(source), source.len(), |units: i64| shift.apply(units).map(Some));
    CastColumn { values: Arc::new(values.with_timezone_opt(zone.clone())), failed }
}

fn times_as<T: ArrowPrimitiveType>(
    source: &ArrayRef,
    value: impl Fn(i64) -> Result<T::Native, Code>,
) -> CastColumn {
    let (values, failed) = convert::<T, _>(units(source), source.len(), |units| value(units).map(Some));
    CastColumn { values: Arc::new(values), failed }
}

/// Returns what a column of times counts.
pub(super) fn units(source: &ArrayRef) -> Box<dyn Iterator<Item = Option<i64>> + '_> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    fn of<T: ArrowPrimitiveType<Native: Into<i64>>>(
        source: &ArrayRef,
    ) -> Box<dyn Iterator<Item = Option<i64>> + '_> {
        Box::new(source.as_primitive::<T>().iter().map(|cell| cell.map(Into::into)))
    }
    match source.data_type() {
        DataType::Date32 => of::<Date32Type>(source),
        DataType::Date64 => of::<Date64Type>(source),
        DataType::Time32(Second) => of::<Time32SecondType>(source),
        DataType::Time32(_) => of::<Time32MillisecondType>(source),
        DataType::Time64(Microsecond) => of::<Time64MicrosecondType>(source),
        DataType::Time64(_) => of::<Time64NanosecondType>(source),
        DataType::Timestamp(Second, _) => of::<TimestampSecondType>(source),
        DataType::Timestamp(Millisecond, _) => of::<TimestampMillisecondType>(source),
        DataType::Timestamp(Microsecond, _) => of::<TimestampMicrosecondType>(source),
        DataType::Timestamp(Nanosecond, _) => of::<TimestampNanosecondType>(source),
        _ => Box::new(std::iter::empty()),
    }
}

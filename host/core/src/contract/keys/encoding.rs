//! The bytes that stand for a key. Equal values are equal bytes in columns of any type; unequal ones never are.
//!
//! Every value begins with a byte that says what it is and is as long as that says, or as a number before it does. So the
//! bytes of two keys can only be equal if their values are, one by one. The table is `docs/spec/keys.md`.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeStringArray, OffsetSizeTrait, StringArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, i256};
use arrow_schema::{DataType, TimeUnit};
use sha2::{Digest as _, Sha256};

use super::KeyHash;

/// The version of the encoding: the first byte of what is hashed.
const VERSION: u8 = 1;

const NULL: u8 = 0;
const BOOLEAN: u8 = 1;
const NUMBER: u8 = 2;
const LARGE_NUMBER: u8 = 3;
const FLOAT: u8 = 4;
const TEXT: u8 = 5;
const BINARY: u8 = 6;
const DATE: u8 = 7;
const TIME: u8 = 8;
const TIMESTAMP: u8 = 9;
const ZONED: u8 = 10;
const DURATION: u8 = 11;
const LIST: u8 = 12;
const STRUCT: u8 = 13;

/// Returns the hash of every row's key, whose values are in these columns, in the order of the key. A row with a null in one
/// of them has none; nor has a row with a value of a type that no table has.
pub fn hash_keys(columns: &[ArrayRef]) -> Vec<Option<KeyHash>> {
    let rows = columns.iter().map(|column| column.len()).min().unwrap_or(0);
    let columns: Vec<Column> = columns.iter().map(|column| Column::of(column.as_ref())).collect();
    let mut bytes = Vec::with_capacity(64);
    let hash = |row| {
        bytes.clear();
        bytes.push(VERSION);
        let is_whole = columns.iter().all(|column| column.write(row, &mut bytes));
        is_whole.then(|| hash(&bytes))
    };
    (0..rows).map(hash).collect()
}

fn hash(bytes: &[u8]) -> KeyHash {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// A column, made ready to be written value by value.
struct Column {
    rows: usize,
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Booleans(BooleanBuffer),
    /// Digits, with one scale for all.
    Numbers(Vec<i128>, i16),
    LargeNumbers(Vec<i256>, i16),
    Floats(Vec<f64>),
    Texts(StringArray),
    LargeTexts(LargeStringArray),
    Binaries(BinaryArray),
    LargeBinaries(LargeBinaryArray),
    FixedBinaries(FixedSizeBinaryArray),
    Days(Vec<i128>),
    /// Milliseconds that may be whole days.
    DayMillis(Vec<i128>),
    /// In nanoseconds.
    Moments(u8, Vec<i128>),
    /// Where the items of each row begin and end.
    Lists(Vec<(usize, usize)>, Box<Column>),
    Structs(Vec<Column>),
    Unknown,
}

impl Column {
    fn of(array: &dyn Array) -> Self {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        Self { rows: array.len(), nulls, values: Values::of(array) }
    }

    /// Writes a value, or returns that there is none.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> bool {
        let is_there = row < self.rows && self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        is_there && self.values.write(row, out).is_some()
    }

    /// Writes a value that is within another one.
    fn write_nested(&self, row: usize, out: &mut Vec<u8>) {
        if !self.write(row, out) {
            out.push(NULL);
        }
    }
}

impl Values {
    fn of(array: &dyn Array) -> Self {
        match array.data_type() {
            DataType::Boolean => Values::Booleans(array.as_boolean().values().clone()),
            DataType::Utf8 => Values::Texts(array.as_string().clone()),
            DataType::LargeUtf8 => Values::LargeTexts(array.as_string().clone()),
            DataType::Binary => Values::Binaries(array.as_binary().clone()),
            DataType::LargeBinary => Values::LargeBinaries(array.as_binary().clone()),
            DataType::FixedSizeBinary(_) => Values::FixedBinaries(array.as_fixed_size_binary().clone()),
            DataType::Float16 => Values::Floats(
                array.as_primitive::<Float16Type>().values().iter().map(|value| value.to_f64()).collect(),
            ),
            DataType::Float32 => Values::Floats(
                array.as_primitive::<Float32Type>().values().iter().map(|value| f64::from(*value)).collect(),
            ),
            DataType::Float64 => Values::Floats(array.as_primitive::<Float64Type>().values().to_vec()),
            DataType::List(_) => lists::<i32>(array),
            DataType::LargeList(_) => lists::<i64>(array),
            DataType::Struct(_) => Values::Structs(
                array.as_struct().columns().iter().map(|column| Column::of(column.as_ref())).collect(),
            ),
            data_type if data_type.is_temporal() => Self::of_moments(array),
            _ => Self::of_numbers(array),
        }
    }

    fn of_numbers(array: &dyn Array) -> Self {
        match array.data_type() {
            DataType::Int8 => Values::Numbers(integers::<Int8Type>(array), 0),
            DataType::Int16 => Values::Numbers(integers::<Int16Type>(array), 0),
            DataType::Int32 => Values::Numbers(integers::<Int32Type>(array), 0),
            DataType::Int64 => Values::Numbers(integers::<Int64Type>(array), 0),
            DataType::UInt8 => Values::Numbers(integers::<UInt8Type>(array), 0),
            DataType::UInt16 => Values::Numbers(integers::<UInt16Type>(array), 0),
            DataType::UInt32 => Values::Numbers(integers::<UInt32Type>(array), 0),
            DataType::UInt64 => Values::Numbers(integers::<UInt64Type>(array), 0),
            DataType::Decimal128(_, scale) => {
                Values::Numbers(integers::<Decimal128Type>(array), i16::from(*scale))
            }
            DataType::Decimal256(_, scale) => Values::LargeNumbers(
                array.as_primitive::<Decimal256Type>().values().to_vec(),
                i16::from(*scale),
            ),
            _ => Values::Unknown,
        }
    }

    fn of_moments(array: &dyn Array) -> Self {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        let zoned = |zone: &Option<_>| if zone.is_some() { ZONED } else { TIMESTAMP };
        match array.data_type() {
            DataType::Date32 => Values::Days(integers::<Date32Type>(array)),
            DataType::Date64 => Values::DayMillis(integers::<Date64Type>(array)),
            DataType::Time32(Second) => moments::<Time32SecondType>(array, TIME, Second),
            DataType::Time32(Millisecond) => moments::<Time32MillisecondType>(array, TIME, Millisecond),
            DataType::Time64(Microsecond) => moments::<Time64MicrosecondType>(array, TIME, Microsecond),
            DataType::Time64(Nanosecond) => moments::<Time64NanosecondType>(array, TIME, Nanosecond),
            DataType::Timestamp(Second, zone) => moments::<TimestampSecondType>(array, zoned(zone), Second),
            DataType::Timestamp(Millisecond, zone) => {
                moments::<TimestampMillisecondType>(array, zoned(zone), Millisecond)
            }
            DataType::Timestamp(Microsecond, zone) => {
                moments::<TimestampMicrosecondType>(array, zoned(zone), Microsecond)
            }
            DataType::Timestamp(Nanosecond, zone) => {
                moments::<TimestampNanosecondType>(array, zoned(zone), Nanosecond)
            }
            DataType::Duration(Second) => moments::<DurationSecondType>(array, DURATION, Second),
            DataType::Duration(Millisecond) => {
                moments::<DurationMillisecondType>(array, DURATION, Millisecond)
            }
            DataType::Duration(Microsecond) => {
                moments::<DurationMicrosecondType>(array, DURATION, Microsecond)
            }
            DataType::Duration(Nanosecond) => moments::<DurationNanosecondType>(array, DURATION, Nanosecond),
            _ => Values::Unknown,
        }
    }

    /// Writes the value of a row that there is.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Values::Booleans(values) => out.extend([BOOLEAN, u8::from(values.value(row))]),
            Values::Numbers(values, scale) => write_number(*values.get(row)?, *scale, out),
            Values::LargeNumbers(values, scale) => write_large_number(*values.get(row)?, *scale, out),
            Values::Floats(values) => write_float(*values.get(row)?, out),
            Values::Texts(values) => write_bytes(TEXT, values.value(row).as_bytes(), out),
            Values::LargeTexts(values) => write_bytes(TEXT, values.value(row).as_bytes(), out),
            Values::Binaries(values) => write_bytes(BINARY, values.value(row), out),
            Values::LargeBinaries(values) => write_bytes(BINARY, values.value(row), out),
            Values::FixedBinaries(values) => write_bytes(BINARY, values.value(row), out),
            Values::Days(values) => write_moment(DATE, *values.get(row)?, out),
            Values::DayMillis(values) => write_day_millis(*values.get(row)?, out),
            Values::Moments(what, values) => write_moment(*what, *values.get(row)?, out),
            Values::Lists(ends, items) => {
                let (from, to) = *ends.get(row)?;
                out.push(LIST);
                out.extend((to.saturating_sub(from) as u64).to_be_bytes());
                (from..to).for_each(|item| items.write_nested(item, out));
            }
            Values::Structs(fields) => {
                out.push(STRUCT);
                out.extend((fields.len() as u64).to_be_bytes());
                fields.iter().for_each(|field| field.write_nested(row, out));
            }
            Values::Unknown => return None,
        }
        Some(())
    }
}

fn integers<T: ArrowPrimitiveType>(array: &dyn Array) -> Vec<i128>
where
    T::Native: Into<i128>,
{
    array.as_primitive::<T>().values().iter().map(|value| (*value).into()).collect()
}

fn moments<T: ArrowPrimitiveType>(array: &dyn Array, what: u8, unit: TimeUnit) -> Values
where
    T::Native: Into<i128>,
{
    let nanoseconds = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    // 64 bits times 30 bits: 128 hold it.
    Values::Moments(
        what,
        integers::<T>(array).into_iter().map(|value| value.saturating_mul(nanoseconds)).collect(),
    )
}

/// Takes only the items that these rows have: a slice of a column still holds the items of the whole.
fn lists<O: OffsetSizeTrait>(array: &dyn Array) -> Values {
    let lists = array.as_list::<O>();
    let offsets: Vec<usize> = lists.value_offsets().iter().map(|offset| offset.as_usize()).collect();
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    let items = lists.values().slice(first, last.saturating_sub(first));
    let starts = offsets.iter().map(|offset| offset.saturating_sub(first));
    let ends = starts.clone().zip(starts.skip(1)).collect();
    Values::Lists(ends, Box::new(Column::of(items.as_ref())))
}

/// Digits without trailing zeros, and the power of ten that they count. So 1.50 is 15 times 10^-1 in any scale.
fn write_number(digits: i128, scale: i16, out: &mut Vec<u8>) {
    let (digits, power) = match i64::try_from(digits) {
        // Dividing 64 bits is ten times as cheap.
        Ok(digits) => stripped(digits, scale, 0, |digits| (digits % 10 == 0).then_some(digits / 10)),
        Err(_) => {
            let (digits, power) =
                stripped(digits, scale, 0, |digits| (digits % 10 == 0).then_some(digits / 10));
            return push_number(digits, power, out);
        }
    };
    push_number(i128::from(digits), power, out);
}

fn push_number(digits: i128, power: i16, out: &mut Vec<u8>) {
    out.push(NUMBER);
    out.extend(power.to_be_bytes());
    out.extend(digits.to_be_bytes());
}

fn stripped<T: Copy + PartialEq>(digits: T, scale: i16, zero: T, tenth: impl Fn(T) -> Option<T>) -> (T, i16) {
    if digits == zero {
        return (zero, 0);
    }
    let (mut digits, mut power) = (digits, scale.saturating_neg());
    while let Some(less) = tenth(digits) {
        digits = less;
        power = power.saturating_add(1);
    }
    (digits, power)
}

fn write_large_number(digits: i256, scale: i16, out: &mut Vec<u8>) {
    let ten = i256::from_i128(10);
    let tenth = |digits: i256| {
        let rest = digits.checked_rem(ten)?;
        (rest == i256::ZERO).then(|| digits.checked_div(ten)).flatten()
    };
    let (digits, power) = stripped(digits, scale, i256::ZERO, tenth);
    if let Some(digits) = digits.to_i128() {
        return push_number(digits, power, out);
    }
    out.push(LARGE_NUMBER);
    out.extend(power.to_be_bytes());
    out.extend(digits.to_be_bytes());
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    let bits = match value {
        value if value.is_nan() => 0x7ff8_0000_0000_0000,
        // The negative zero equals the other.
        0.0 => 0,
        value => value.to_bits(),
    };
    out.push(FLOAT);
    out.extend(bits.to_be_bytes());
}

fn write_bytes(what: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(what);
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn write_moment(what: u8, value: i128, out: &mut Vec<u8>) {
    out.push(what);
    out.extend(value.to_be_bytes());
}

fn write_day_millis(millis: i128, out: &mut Vec<u8>) {
    if millis % 86_400_000 == 0 {
        write_moment(DATE, millis / 86_400_000, out);
    } else {
        write_moment(TIMESTAMP, millis.saturating_mul(1_000_000), out);
    }
}

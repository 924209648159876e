//! A column of values on the way through a rule: what is known, what is null, what could not be computed.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_schema::{DataType, TimeUnit};

use super::tree::Comparison;

/// A bit for each row; none: no bit is set.
pub(super) type Mask = Option<BooleanBuffer>;

/// A value for each row. No row is both unknown and failed; where it is either, its value means nothing.
pub(super) struct Cells<'a> {
    pub(super) values: Values<'a>,
    /// Null.
    pub(super) unknown: Mask,
    /// A number on the way here was too large.
    pub(super) failed: Mask,
}

pub(super) enum Values<'a> {
    Exact(Vec<i128>),
    Float(Vec<f64>),
    Truth(BooleanBuffer),
    Bytes(Vec<&'a [u8]>),
    Opaque,
}

impl<'a> Cells<'a> {
    /// Takes values that are all there.
    pub(super) fn known(values: Values<'a>) -> Self {
        Self { values, unknown: None, failed: None }
    }

    /// Takes what follows from one or two columns: null where one of them is, failed where one of them is or the step itself.
    pub(super) fn strict(values: Values<'a>, operands: &[(Mask, Mask)], overflow: Mask) -> Self {
        let mut unknown = None;
        let mut failed = None;
        for (operand_unknown, operand_failed) in operands {
            unknown = either(unknown, operand_unknown.clone());
            failed = either(failed, operand_failed.clone());
        }
        // A null holds any bits, and what they overflow to is nobody's fault.
        let failed = either(failed, without(overflow, unknown.as_ref()));
        Self { values, unknown: without(unknown, failed.as_ref()), failed }
    }

    /// Takes the two masks out.
    pub(super) fn masks(&self) -> (Mask, Mask) {
        (self.unknown.clone(), self.failed.clone())
    }

    /// Reads a column.
    pub(super) fn load(array: &'a dyn Array) -> Self {
        let unknown = array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| !nulls.inner());
        Self { values: values(array), unknown, failed: None }
    }
}

fn values(array: &dyn Array) -> Values<'_> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let rows = 0..array.len();
    match array.data_type() {
        DataType::Boolean => Values::Truth(array.as_boolean().values().clone()),
        DataType::Int8 => exact::<Int8Type>(array),
        DataType::Int16 => exact::<Int16Type>(array),
        DataType::Int32 => exact::<Int32Type>(array),
        DataType::Int64 => exact::<Int64Type>(array),
        DataType::UInt8 => exact::<UInt8Type>(array),
        DataType::UInt16 => exact::<UInt16Type>(array),
        DataType::UInt32 => exact::<UInt32Type>(array),
        DataType::UInt64 => exact::<UInt64Type>(array),
        DataType::Decimal128(..) => exact::<Decimal128Type>(array),
        DataType::Date32 => exact::<Date32Type>(array),
        DataType::Time32(Second) => exact::<Time32SecondType>(array),
        DataType::Time32(Millisecond) => exact::<Time32MillisecondType>(array),
        DataType::Time64(Microsecond) => exact::<Time64MicrosecondType>(array),
        DataType::Time64(Nanosecond) => exact::<Time64NanosecondType>(array),
        DataType::Timestamp(Second, _) => exact::<TimestampSecondType>(array),
        DataType::Timestamp(Millisecond, _) => exact::<TimestampMillisecondType>(array),
        DataType::Timestamp(Microsecond, _) => exact::<TimestampMicrosecondType>(array),
        DataType::Timestamp(Nanosecond, _) => exact::<TimestampNanosecondType>(array),
        DataType::Float32 => Values::Float(
            array.as_primitive::<Float32Type>().values().iter().map(|value| f64::from(*value)).collect(),
        ),
        DataType::Float64 => Values::Float(array.as_primitive::<Float64Type>().values().to_vec()),
        DataType::Utf8 => {
            Values::Bytes(rows.map(|row| array.as_string::<i32>().value(row).as_bytes()).collect())
        }
        DataType::LargeUtf8 => {
            Values::Bytes(rows.map(|row| array.as_string::<i64>().value(row).as_bytes()).collect())
        }
        DataType::Binary => Values::Bytes(rows.map(|row| array.as_binary::<i32>().value(row)).collect()),
        DataType::LargeBinary => Values::Bytes(rows.map(|row| array.as_binary::<i64>().value(row)).collect()),
        _ => Values::Opaque,
    }
}

fn exact<T: ArrowPrimitiveType>(array: &dyn Array) -> Values<'_>
where
    T::Native: Into<i128>,
{
    Values::Exact(array.as_primitive::<T>().values().iter().map(|value| (*value).into()).collect())
}

/// Returns what is set in one of two masks.
pub(super) fn either(left: Mask, right: Mask) -> Mask {
    match (left, right) {
        (Some(left), Some(right)) => Some(&left | &right),
        (left, right) => left.or(right),
    }
}

/// Returns what is set in one mask and not in another.
pub(super) fn without(mask: Mask, other: Option<&BooleanBuffer>) -> Mask {
    match (mask, other) {
        (Some(mask), Some(other)) => Some(&mask & &!other),
        (mask, _) => mask,
    }
}

/// Returns a mask that is none where no bit is set.
pub(super) fn tidy(mask: Mask) -> Mask {
    mask.filter(|mask| mask.count_set_bits() > 0)
}

/// Asks a question of each pair of values.
pub(super) fn ask<L, R>(left: &[L], right: &[R], question: impl Fn(&L, &R) -> bool) -> BooleanBuffer {
    let words = left.chunks(64).zip(right.chunks(64)).map(|(left, right)| {
        let answers = left.iter().zip(right).map(|(left, right)| question(left, right));
        answers.enumerate().fold(0_u64, |word, (row, answer)| word | u64::from(answer) << row)
    });
    let words: Vec<u64> = words.collect();
    BooleanBuffer::new(Buffer::from_vec(words), 0, left.len().min(right.len()))
}

/// Asks a question of each value.
pub(super) fn ask_one<T>(values: &[T], question: impl Fn(&T) -> bool) -> BooleanBuffer {
    ask(values, values, |value, _| question(value))
}

/// Compares values of a kind with an order, pair by pair.
pub(super) fn compare<T: PartialOrd>(comparison: Comparison, left: &[T], right: &[T]) -> BooleanBuffer {
    match comparison {
        Comparison::Equal => ask(left, right, |a, b| a == b),
        Comparison::Unequal => ask(left, right, |a, b| a != b),
        Comparison::Less => ask(left, right, |a, b| a < b),
        Comparison::AtMost => ask(left, right, |a, b| a <= b),
        Comparison::Greater => ask(left, right, |a, b| a > b),
        Comparison::AtLeast => ask(left, right, |a, b| a >= b),
    }
}

/// Compares numbers of two scales, pair by pair. Comparing never overflows: a number that does not fit the larger scale is
/// further from zero than all that do.
pub(super) fn compare_scaled(
    comparison: Comparison,
    (left, left_scale): (&[i128], u8),
    (right, right_scale): (&[i128], u8),
) -> BooleanBuffer {
    let scale = left_scale.max(right_scale);
    let one_scale = |values: &[i128], of: u8| {
        let (scaled, overflow) = rescaled(values.to_vec(), scale.saturating_sub(of));
        overflow.is_none().then_some(scaled)
    };
    match (left_scale.cmp(&right_scale), comparison) {
        (Ordering::Equal, _) => compare(comparison, left, right),
        (Ordering::Less, _) if let Some(left) = one_scale(left, left_scale) => {
            compare(comparison, &left, right)
        }
        (Ordering::Greater, _) if let Some(right) = one_scale(right, right_scale) => {
            compare(comparison, left, &right)
        }
        _ => ask(left, right, |a, b| {
            let order = compare_exact((*a, Some(left_scale)), (*b, Some(right_scale)));
            match comparison {
                Comparison::Equal => order.is_eq(),
                Comparison::Unequal => order.is_ne(),
                Comparison::Less => order.is_lt(),
                Comparison::AtMost => order.is_le(),
                Comparison::Greater => order.is_gt(),
                Comparison::AtLeast => order.is_ge(),
            }
        }),
    }
}

/// Compares two exact numbers, each with its scale.
pub(super) fn compare_exact(
    (left, left_scale): (i128, Option<u8>),
    (right, right_scale): (i128, Option<u8>),
) -> Ordering {
    let (left_scale, right_scale) = (left_scale.unwrap_or(0), right_scale.unwrap_or(0));
    let scale = left_scale.max(right_scale);
    let scaled = |value: i128, of: u8| match product(value, ten_to(scale.saturating_sub(of))) {
        (value, false) => Ok(value),
        _ => Err(value > 0),
    };
    match (scaled(left, left_scale), scaled(right, right_scale)) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Err(true), _) | (_, Err(false)) => Ordering::Greater,
        (Err(false), _) | (_, Err(true)) => Ordering::Less,
    }
}

/// Brings numbers to a scale of so many more digits.
pub(super) fn rescaled(values: Vec<i128>, more: u8) -> (Vec<i128>, Mask) {
    if more == 0 {
        return (values, None);
    }
    let factor = ten_to(more);
    each(values, |value| product(value, factor))
}

/// Computes a number from each number, and marks those that left 128 bits.
pub(super) fn each(values: Vec<i128>, step: impl Fn(i128) -> (i128, bool)) -> (Vec<i128>, Mask) {
    let mut values = values;
    let mut overflows = Vec::new();
    for (row, value) in values.iter_mut().enumerate() {
        let (result, is_over) = step(*value);
        *value = result;
        if is_over {
            overflows.push(row);
        }
    }
    let mask = marks(values.len(), &overflows);
    (values, mask)
}

/// Computes a number from each pair of numbers, and marks those that left 128 bits.
pub(super) fn pairs(
    left: Vec<i128>,
    right: &[i128],
    step: impl Fn(i128, i128) -> (i128, bool),
) -> (Vec<i128>, Mask) {
    let mut left = left;
    let mut overflows = Vec::new();
    for (row, (left, right)) in left.iter_mut().zip(right).enumerate() {
        let (result, is_over) = step(*left, *right);
        *left = result;
        if is_over {
            overflows.push(row);
        }
    }
    let mask = marks(left.len(), &overflows);
    (left, mask)
}

fn marks(rows: usize, marked: &[usize]) -> Mask {
    if marked.is_empty() {
        return None;
    }
    let mut rest = marked.iter().peekable();
    Some((0..rows).map(|row| rest.next_if(|marked| **marked == row).is_some()).collect())
}

/// Multiplies, and tells whether the product left 128 bits.
pub(super) fn product(left: i128, right: i128) -> (i128, bool) {
    // What fits 64 bits, which is nearly everything, is a hundred times as cheap.
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => (i128::from(left).wrapping_mul(i128::from(right)), false),
        _ => left.overflowing_mul(right),
    }
}

/// Returns a power of ten. There are 38 at most: scales are no larger.
fn ten_to(digits: u8) -> i128 {
    10_i128.saturating_pow(u32::from(digits))
}

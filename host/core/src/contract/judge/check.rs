//! What one check looks at, over a whole column at a time. A kernel marks what is broken among values; nulls are not its affair.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Scalar};
use arrow_buffer::BooleanBuffer;
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType};

use crate::contract::cast::literal;
use crate::contract::keys::{KeyHash, hash_keys};
use crate::contract::text::Pattern;
use crate::contract::verdict::Code;
use crate::contract::{Rule, TextFormat, words};

/// Up to so many allowed values are compared one after the other.
const FEW: usize = 8;

/// A rule, ready for columns of one type.
#[derive(Debug)]
pub(super) enum Kernel {
    NotNull,
    /// Broken where the comparison holds.
    Compare(Comparison, Scalar<ArrayRef>),
    Multiple(ArrayRef),
    Length {
        min: u64,
        max: u64,
    },
    Pattern(Pattern),
    Format(TextFormat),
    /// Floats are compared as IEEE 754 has it: the two zeros are equal, and NaN is in no range and no list.
    CompareFloat(Comparison, f64),
    OneOfFloats(Vec<f64>),
    OneOfFew(Vec<Scalar<ArrayRef>>),
    OneOfMany(HashSet<KeyHash>),
    Items {
        min: u64,
        max: u64,
    },
    UniqueItems,
}

/// How a value must not compare with a bound.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Kernel {
    /// Makes a rule ready, or says why it cannot be one of this type.
    pub(super) fn new(rule: &Rule, data_type: &DataType) -> Result<Self, String> {
        if !has_meaning(rule, data_type) {
            return Err(format!("it says nothing of {}", words::data_type(data_type)));
        }
        let value = |text: &str| {
            literal(text, data_type)
                .map_err(|code| format!("`{text}` is no {} ({code})", words::data_type(data_type)))
        };
        let compare = |comparison, text: &str| {
            let bound = value(text)?;
            Ok(match floats(&bound).and_then(|mut floats| floats.next()) {
                Some(bound) => Self::CompareFloat(comparison, bound),
                None => Self::Compare(comparison, Scalar::new(bound)),
            })
        };
        match rule {
            Rule::NotNull => Ok(Self::NotNull),
            Rule::Minimum(text) => compare(Comparison::Less, text),
            Rule::Maximum(text) => compare(Comparison::Greater, text),
            Rule::ExclusiveMinimum(text) => compare(Comparison::LessOrEqual, text),
            Rule::ExclusiveMaximum(text) => compare(Comparison::GreaterOrEqual, text),
            Rule::MultipleOf(text) => Ok(Self::Multiple(value(text)?)),
            Rule::MinLength(min) => Ok(Self::Length { min: *min, max: u64::MAX }),
            Rule::MaxLength(max) => Ok(Self::Length { min: 0, max: *max }),
            Rule::Pattern(text) => {
                Pattern::compile(text).map(Self::Pattern).map_err(|fault| fault.to_string())
            }
            Rule::Format(format) => Ok(Self::Format(*format)),
            Rule::OneOf(texts) => one_of(texts.iter().map(|text| value(text)).collect::<Result<_, _>>()?),
            Rule::MinItems(min) => Ok(Self::Items { min: *min, max: u64::MAX }),
            Rule::MaxItems(max) => Ok(Self::Items { min: 0, max: *max }),
            Rule::UniqueItems => Ok(Self::UniqueItems),
        }
    }

    /// Returns the code of a row that breaks it.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::NotNull => Code::Missing,
            Self::Compare(..) | Self::CompareFloat(..) => Code::Range,
            Self::Multiple(_) => Code::Multiple,
            Self::Length { .. } => Code::Length,
            Self::Pattern(_) => Code::Pattern,
            Self::Format(_) => Code::Format,
            Self::OneOfFloats(_) | Self::OneOfFew(_) | Self::OneOfMany(_) => Code::NotAllowed,
            Self::Items { .. } | Self::UniqueItems => Code::Items,
        }
    }

    /// Marks what is broken. What it says of a null means nothing.
    pub(super) fn broken(&self, values: &ArrayRef) -> BooleanBuffer {
        let none = || BooleanBuffer::new_unset(values.len());
        // A value that cannot be compared has not been found good.
        let all = || BooleanBuffer::new_set(values.len());
        match self {
            Self::NotNull => none(),
            Self::Compare(comparison, bound) => compare(*comparison, values, bound).unwrap_or_else(|_| all()),
            Self::CompareFloat(comparison, bound) => {
                floats_where(values, |value| !comparison.passes(value, *bound))
            }
            Self::OneOfFloats(allowed) => floats_where(values, |value| !allowed.contains(&value)),
            Self::Multiple(of) => indivisible(values, of),
            Self::Length { min, max } => outside(lengths(values), *min, *max, values.len()),
            Self::Pattern(pattern) => texts_where(values, |text| !pattern.is_match(text)),
            Self::Format(format) => texts_where(values, |text| !format.matches(text)),
            Self::OneOfFew(allowed) => !&is_any(values, allowed).unwrap_or_else(|_| none()),
            Self::OneOfMany(allowed) => {
                let keys = hash_keys(std::slice::from_ref(values));
                keys.iter().map(|key| key.is_none_or(|key| !allowed.contains(&key))).collect()
            }
            Self::Items { min, max } => outside(items(values), *min, *max, values.len()),
            Self::UniqueItems => repeated(values),
        }
    }

    /// Returns in words what the rule wants.
    pub(super) fn expected(&self, rule: &Rule) -> String {
        match rule {
            Rule::NotNull => "a value".to_owned(),
            Rule::Minimum(bound) => format!(">= {bound}"),
            Rule::Maximum(bound) => format!("<= {bound}"),
            Rule::ExclusiveMinimum(bound) => format!("> {bound}"),
            Rule::ExclusiveMaximum(bound) => format!("< {bound}"),
            Rule::MultipleOf(of) => format!("a multiple of {of}"),
            Rule::MinLength(min) => format!("a length of at least {min}"),
            Rule::MaxLength(max) => format!("a length of at most {max}"),
            Rule::Pattern(pattern) => format!("a match of {pattern}"),
            Rule::Format(format) => format.word().to_owned(),
            Rule::OneOf(values) => one_of_words(values),
            Rule::MinItems(min) => format!("at least {min} items"),
            Rule::MaxItems(max) => format!("at most {max} items"),
            Rule::UniqueItems => "no item twice".to_owned(),
        }
    }
}

/// Whether a rule looks at values of a type. One that does not would pass everything.
fn has_meaning(rule: &Rule, data_type: &DataType) -> bool {
    match rule {
        Rule::MinLength(_) | Rule::MaxLength(_) => matches!(data_type, DataType::Utf8 | DataType::Binary),
        Rule::Pattern(_) | Rule::Format(_) => *data_type == DataType::Utf8,
        Rule::MinItems(_) | Rule::MaxItems(_) | Rule::UniqueItems => matches!(data_type, DataType::List(_)),
        Rule::MultipleOf(_) => data_type.is_numeric(),
        _ => true,
    }
}

/// Most allowed values that a message lists.
const LISTED_MAX: usize = 12;

fn one_of_words(values: &[String]) -> String {
    let listed: Vec<&str> = values.iter().take(LISTED_MAX).map(String::as_str).collect();
    let more = values.len() - listed.len();
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("one of {}{tail}", listed.join(", "))
}

/// Returns the values of a column of floats, exactly.
fn floats(values: &ArrayRef) -> Option<Box<dyn Iterator<Item = f64> + '_>> {
    match values.data_type() {
        DataType::Float64 => Some(Box::new(values.as_primitive::<Float64Type>().values().iter().copied())),
        DataType::Float32 => {
            Some(Box::new(values.as_primitive::<Float32Type>().values().iter().map(|v| f64::from(*v))))
        }
        _ => None,
    }
}

fn floats_where(values: &ArrayRef, is_broken: impl Fn(f64) -> bool) -> BooleanBuffer {
    match floats(values) {
        Some(floats) => floats.map(is_broken).collect(),
        None => BooleanBuffer::new_unset(values.len()),
    }
}

impl Comparison {
    /// Whether a value is where it should be. NaN never is.
    fn passes(self, value: f64, bound: f64) -> bool {
        match self {
            Comparison::Less => value >= bound,
            Comparison::LessOrEqual => value > bound,
            Comparison::Greater => value <= bound,
            Comparison::GreaterOrEqual => value < bound,
        }
    }
}

fn one_of(values: Vec<ArrayRef>) -> Result<Kernel, String> {
    if values.first().is_some_and(|value| floats(value).is_some()) {
        return Ok(Kernel::OneOfFloats(values.iter().filter_map(floats).flatten().collect()));
    }
    if values.len() <= FEW {
        return Ok(Kernel::OneOfFew(values.into_iter().map(Scalar::new).collect()));
    }
    let keys = values.iter().flat_map(|value| hash_keys(std::slice::from_ref(value)));
    Ok(Kernel::OneOfMany(keys.flatten().collect()))
}

fn is_any(values: &ArrayRef, allowed: &[Scalar<ArrayRef>]) -> Result<BooleanBuffer, ArrowError> {
    let mut any = BooleanBuffer::new_unset(values.len());
    for value in allowed {
        any = &any | cmp::eq(values, value)?.values();
    }
    Ok(any)
}

fn compare(
    comparison: Comparison,
    values: &ArrayRef,
    bound: &Scalar<ArrayRef>,
) -> Result<BooleanBuffer, ArrowError> {
    let broken: BooleanArray = match comparison {
        Comparison::Less => cmp::lt(values, bound)?,
        Comparison::LessOrEqual => cmp::lt_eq(values, bound)?,
        Comparison::Greater => cmp::gt(values, bound)?,
        Comparison::GreaterOrEqual => cmp::gt_eq(values, bound)?,
    };
    Ok(broken.values().clone())
}

/// Marks what is no multiple. Floats are taken for the exact numbers that they are.
fn indivisible(values: &ArrayRef, of: &ArrayRef) -> BooleanBuffer {
    fn by<T: ArrowPrimitiveType>(values: &ArrayRef, of: &ArrayRef, zero: T::Native) -> BooleanBuffer
    where
        T::Native: std::ops::Rem<Output = T::Native>,
    {
        let of = of.as_primitive::<T>().values().first().copied().filter(|of| *of != zero);
        let is_rest = |value: &T::Native| of.is_none_or(|of| *value % of != zero);
        values.as_primitive::<T>().values().iter().map(is_rest).collect()
    }
    /// The least integer divided by -1 overflows, so the sign, which does not matter, is taken away.
    fn by_signed<T: ArrowPrimitiveType<Native: Into<i128>>>(
        values: &ArrayRef,
        of: &ArrayRef,
    ) -> BooleanBuffer {
        let of = of.as_primitive::<T>().values().first().map_or(0, |of| (*of).into().unsigned_abs());
        let is_rest = |value: &T::Native| (*value).into().unsigned_abs().checked_rem(of) != Some(0);
        values.as_primitive::<T>().values().iter().map(is_rest).collect()
    }
    match values.data_type() {
        DataType::Int8 => by_signed::<Int8Type>(values, of),
        DataType::Int16 => by_signed::<Int16Type>(values, of),
        DataType::Int32 => by_signed::<Int32Type>(values, of),
        DataType::Int64 => by_signed::<Int64Type>(values, of),
        DataType::Decimal128(..) => by_signed::<Decimal128Type>(values, of),
        DataType::UInt8 => by::<UInt8Type>(values, of, 0),
        DataType::UInt16 => by::<UInt16Type>(values, of, 0),
        DataType::UInt32 => by::<UInt32Type>(values, of, 0),
        DataType::UInt64 => by::<UInt64Type>(values, of, 0),
        DataType::Float32 => by::<Float32Type>(values, of, 0.0),
        DataType::Float64 => by::<Float64Type>(values, of, 0.0),
        _ => BooleanBuffer::new_unset(values.len()),
    }
}

fn outside(lengths: Option<Vec<u64>>, min: u64, max: u64, count: usize) -> BooleanBuffer {
    match lengths {
        Some(lengths) => lengths.into_iter().map(|length| length < min || length > max).collect(),
        None => BooleanBuffer::new_unset(count),
    }
}

/// Returns the characters of every text, or the bytes of every binary.
fn lengths(values: &ArrayRef) -> Option<Vec<u64>> {
    match values.data_type() {
        DataType::Utf8 => {
            let texts = values.as_string::<i32>();
            let bytes = texts.value_offsets().iter().zip(texts.value_offsets().iter().skip(1));
            if texts.value_data().is_ascii() {
                return Some(bytes.map(|(from, to)| u64::from(from.abs_diff(*to))).collect());
            }
            Some((0..texts.len()).map(|row| texts.value(row).chars().count() as u64).collect())
        }
        DataType::Binary => {
            let offsets = values.as_binary::<i32>().value_offsets();
            let ends = offsets.iter().zip(offsets.iter().skip(1));
            Some(ends.map(|(from, to)| u64::from(from.abs_diff(*to))).collect())
        }
        _ => None,
    }
}

fn items(values: &ArrayRef) -> Option<Vec<u64>> {
    let offsets = values.as_list_opt::<i32>()?.value_offsets();
    let ends = offsets.iter().zip(offsets.iter().skip(1));
    Some(ends.map(|(from, to)| u64::from(from.abs_diff(*to))).collect())
}

fn texts_where(values: &ArrayRef, is_broken: impl Fn(&str) -> bool) -> BooleanBuffer {
    match values.as_string_opt::<i32>() {
        Some(texts) => {
            (0..texts.len()).map(|row| texts.is_valid(row) && is_broken(texts.value(row))).collect()
        }
        None => BooleanBuffer::new_unset(values.len()),
    }
}

/// Marks lists that hold an item twice. Two nulls are the same item.
fn repeated(values: &ArrayRef) -> BooleanBuffer {
    let Some(lists) = values.as_list_opt::<i32>() else { return BooleanBuffer::new_unset(values.len()) };
    let keys = hash_keys(std::slice::from_ref(lists.values()));
    let offsets = lists.value_offsets().iter().zip(lists.value_offsets().iter().skip(1));
    let place = |at: &i32| usize::try_from(*at).unwrap_or(0);
    let has_twice = |(from, to): (&i32, &i32)| {
        let mut seen = HashSet::new();
        keys.get(place(from)..place(to)).is_some_and(|items| items.iter().any(|item| !seen.insert(item)))
    };
    offsets.map(has_twice).collect()
}

impl TextFormat {
    /// Returns its name in a contract.
    pub fn word(self) -> &'static str {
        match self {
            TextFormat::Uuid => "uuid",
            TextFormat::Email => "email",
            TextFormat::Uri => "uri",
            TextFormat::Ipv4 => "ipv4",
            TextFormat::Ipv6 => "ipv6",
            TextFormat::Hostname => "hostname",
        }
    }
}

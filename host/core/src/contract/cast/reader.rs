//! Columns of text, read as another type: the loop over the cells, and which room reads them.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBufferBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, GenericStringArray, OffsetSizeTrait, PrimitiveArray, StringArray,
};
use arrow_buffer::{NullBuffer, NullBufferBuilder};
use arrow_schema::{DataType, TimeUnit};

use super::super::Decoding;
use super::super::verdict::Code;
use super::cells::{Cleaning, Failed, Texts, convert};
use super::float::{self, Float};
use super::moment::Writing;
use super::number::{self, Notation};
use super::word::Words;
use super::{CannotCast, CastColumn};

/// Reads the texts of a column.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    cleaning: Cleaning,
    target: Target,
}

/// What a text is read as.
#[derive(Debug, Clone)]
enum Target {
    Text,
    Bytes,
    Boolean(Words),
    Integer(Notation, DataType),
    Float(Notation, DataType),
    Decimal(Notation, u8, i8),
    Date(Writing),
    Time(Writing, TimeUnit),
    Timestamp(Writing, TimeUnit, Option<Arc<str>>),
}

impl Reader {
    pub(super) fn plan(from: &DataType, to: &DataType, decoding: &Decoding) -> Result<Self, CannotCast> {
        let writing = || Writing::new(decoding, to);
        let target = match to {
            DataType::Utf8 => Target::Text,
            DataType::Binary => Target::Bytes,
            DataType::Boolean => Target::Boolean(Words::new(decoding)?),
            to if to.is_integer() => Target::Integer(Notation::new(decoding)?, to.clone()),
            DataType::Float32 | DataType::Float64 => Target::Float(Notation::new(decoding)?, to.clone()),
            DataType::Decimal128(precision, scale @ 0..) => {
                Target::Decimal(Notation::new(decoding)?, *precision, *scale)
            }
            DataType::Date32 => Target::Date(writing()?),
            DataType::Time32(unit) | DataType::Time64(unit) => Target::Time(writing()?, *unit),
            DataType::Timestamp(unit, zone) if zone.as_deref().is_none_or(|zone| zone == "UTC") => {
                Target::Timestamp(writing()?, *unit, zone.clone())
            }
            _ => {
                let why = "such values have no written form";
                return Err(CannotCast::Pair { from: from.clone(), to: to.clone(), why });
            }
        };
        Ok(Self { cleaning: Cleaning::new(decoding), target })
    }

    pub(super) fn run(&self, source: &ArrayRef) -> CastColumn {
        match source.data_type() {
            DataType::LargeUtf8 => self.run_texts(source.as_string::<i64>()),
            _ => self.run_texts(source.as_string::<i32>()),
        }
    }

    fn run_texts<O: OffsetSizeTrait>(&self, source: &GenericStringArray<O>) -> CastColumn {
        match &self.target {
            Target::Text => self.texts(source),
            Target::Bytes => self.bytes(source),
            Target::Boolean(words) => self.booleans(source, words),
            Target::Integer(notation, to) => self.integers(source, notation, to),
            Target::Float(notation, DataType::Float32) => self.floats::<Float32Type, O>(source, notation),
            Target::Float(notation, _) => self.floats::<Float64Type, O>(source, notation),
            Target::Decimal(notation, precision, scale) => {
                self.decimals(source, notation, *precision, *scale)
            }
            Target::Date(writing) => self.read::<Date32Type, O>(source, |text| writing.date(text)),
            Target::Time(writing, unit) => self.times(source, writing, *unit),
            Target::Timestamp(writing, unit, zone) => self.timestamps(source, writing, *unit, zone),
        }
    }

    /// Reads each cell that does not stand for null.
    #[inline]
    fn values<T: ArrowPrimitiveType, O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        mut value: impl FnMut(&str) -> Result<T::Native, Code>,
    ) -> (PrimitiveArray<T>, Failed) {
        let cell = |text| match self.cleaning.clean(text) {
            Some(text) => value(text).map(Some),
            None => Ok(None),
        };
        convert(source.iter(), source.len(), cell)
    }

    #[inline]
    fn read<T: ArrowPrimitiveType, O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        value: impl FnMut(&str) -> Result<T::Native, Code>,
    ) -> CastColumn {
        let (values, failed) = self.values::<T, O>(source, value);
        CastColumn { values: Arc::new(values), failed }
    }

    fn integers<O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        notation: &Notation,
        to: &DataType,
    ) -> CastColumn {
        match to {
            DataType::Int8 => self.integers_as::<Int8Type, O>(source, notation),
            DataType::Int16 => self.integers_as::<Int16Type, O>(source, notation),
            DataType::Int32 => self.integers_as::<Int32Type, O>(source, notation),
            DataType::UInt8 => self.integers_as::<UInt8Type, O>(source, notation),
            DataType::UInt16 => self.integers_as::<UInt16Type, O>(source, notation),
            DataType::UInt32 => self.integers_as::<UInt32Type, O>(source, notation),
            DataType::UInt64 => self.integers_as::<UInt64Type, O>(source, notation),
            _ => self.integers_as::<Int64Type, O>(source, notation),
        }
    }

    fn integers_as<T, O>(&self, source: &GenericStringArray<O>, notation: &Notation) -> CastColumn
    where
        T: ArrowPrimitiveType<Native: TryFrom<i128>>,
        O: OffsetSizeTrait,
    {
        let mut plain = String::new();
        self.read::<T, O>(source, |text| notation.read(text, &mut plain, number::integer::<T::Native>))
    }

    fn floats<F: Float, O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        notation: &Notation,
    ) -> CastColumn {
        let mut plain = String::new();
        self.read::<F, O>(source, |text| notation.read(text, &mut plain, float::read::<F>))
    }

    fn decimals<O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        notation: &Notation,
        precision: u8,
        scale: i8,
    ) -> CastColumn {
        let mut plain = String::new();
        let places = usize::from(scale.unsigned_abs());
        let (values, failed) = self.values::<Decimal128Type, O>(source, |text| {
            notation.read(text, &mut plain, |text| number::decimal(text, precision, places))
        });
        CastColumn { values: Arc::new(values.with_data_type(DataType::Decimal128(precision, scale))), failed }
    }

    fn times<O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        writing: &Writing,
        unit: TimeUnit,
    ) -> CastColumn {
        let units = |text: &str| writing.time(text)?.in_unit(unit);
        let short = |text: &str| i32::try_from(units(text)?).map_err(|_| Code::Overflow);
        match unit {
            TimeUnit::Second => self.read::<Time32SecondType, O>(source, short),
            TimeUnit::Millisecond => self.read::<Time32MillisecondType, O>(source, short),
            TimeUnit::Microsecond => self.read::<Time64MicrosecondType, O>(source, units),
            TimeUnit::Nanosecond => self.read::<Time64NanosecondType, O>(source, units),
        }
    }

    fn timestamps<O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        writing: &Writing,
        unit: TimeUnit,
        zone: &Option<Arc<str>>,
    ) -> CastColumn {
        match unit {
            TimeUnit::Second => self.timestamps_as::<TimestampSecondType, O>(source, writing, zone),
            TimeUnit::Millisecond => self.timestamps_as::<TimestampMillisecondType, O>(source, writing, zone),
            TimeUnit::Microsecond => self.timestamps_as::<TimestampMicrosecondType, O>(source, writing, zone),
            TimeUnit::Nanosecond => self.timestamps_as::<TimestampNanosecondType, O>(source, writing, zone),
        }
    }

    fn timestamps_as<T: ArrowTimestampType, O: OffsetSizeTrait>(
        &self,
        source: &GenericStringArray<O>,
        writing: &Writing,
        zone: &Option<Arc<str>>,
    ) -> CastColumn {
        let units = |text: &str| writing.timestamp(text)?.in_unit(T::UNIT);
        let (values, failed) = self.values::<T, O>(source, units);
        CastColumn { values: Arc::new(values.with_timezone_opt(zone.clone())), failed }
    }

    fn booleans<O: OffsetSizeTrait>(&self, source: &GenericStringArray<O>, words: &Words) -> CastColumn {
        let mut truths = BooleanBufferBuilder::new(source.len());
        let mut nulls = NullBufferBuilder::new(source.len());
        let mut failed = Failed::new();
        for (row, cell) in (0u32..).zip(source) {
            let truth = cell.and_then(|text| self.cleaning.clean(text)).map(|text| words.read(text));
            truths.append(truth == Some(Ok(true)));
            nulls.append(matches!(truth, Some(Ok(_))));
            failed.extend(truth.and_then(Result::err).map(|code| (row, code)));
        }
        let values = BooleanArray::new(truths.finish(), nulls.finish());
        CastColumn { values: Arc::new(values), failed }
    }

    fn texts<O: OffsetSizeTrait>(&self, source: &GenericStringArray<O>) -> CastColumn {
        if let Some(source) = source.as_any().downcast_ref::<StringArray>()
            && !self.cleaning.trims()
        {
            return CastColumn { values: Arc::new(self.without_missing(source)), failed: Failed::new() };
        }
        let mut texts = Texts::new(source.len(), source.value_data().len());
        source.iter().for_each(|cell| texts.push(Ok(cell.and_then(|text| self.cleaning.clean(text)))));
        let (values, failed) = texts.finish();
        CastColumn { values: Arc::new(values), failed }
    }

    /// Takes the texts as they are, but for those that stand for null.
    fn without_missing(&self, source: &StringArray) -> StringArray {
        let is_there = |cell: Option<&str>| cell.is_some_and(|text| self.cleaning.clean(text).is_some());
        let there = NullBuffer::new(source.iter().map(is_there).collect());
        let nulls = Some(there).filter(|there| there.null_count() > 0);
        StringArray::new(source.offsets().clone(), source.values().clone(), nulls)
    }

    fn bytes<O: OffsetSizeTrait>(&self, source: &GenericStringArray<O>) -> CastColumn {
        let mut values = BinaryBuilder::with_capacity(source.len(), source.value_data().len());
        let mut failed = Failed::new();
        for (row, cell) in (0u32..).zip(source) {
            let text = cell.and_then(|text| self.cleaning.clean(text));
            let end = values.values_slice().len() + text.map_or(0, str::len);
            match i32::try_from(end) {
                Ok(_) => values.append_option(text),
                Err(_) => {
                    values.append_null();
                    failed.push((row, Code::Overflow));
                }
            }
        }
        CastColumn { values: Arc::new(values.finish()), failed }
    }
}

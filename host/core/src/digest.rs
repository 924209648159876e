//! The logical digest: what rows say, whatever file they stand in.
//!
//! Two tables have one digest if and only if they have one name, the same columns and the same rows in the same order. The
//! format of a file, its compression, where batches and row groups were cut, whether offsets take 32 bits or 64: none of it
//! shows. `docs/spec/digest.md` is the definition; this is one way to compute it.
//!
//! A digest is taken column by column, so that whole buffers are hashed. Memory does not follow the rows.

mod held;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{self, ByteArrayType};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, GenericByteArray, OffsetSizeTrait, UInt64Array,
};
use arrow_buffer::bit_chunk_iterator::BitChunks;
use arrow_buffer::{NullBuffer, ToByteSlice as _};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, TimeUnit};
use arrow_select::filter::filter;
use sha2::{Digest as _, Sha256};

use crate::contract::verdict::Accepted;
use crate::id::{Digest, FieldHasher, TableName};
pub use held::{HeldRow, HeldViolation, QuarantineDigest};

/// The columns that say which record a row comes from.
const WHENCE: [(&str, DataType); 3] =
    [("_cf_record_no", DataType::UInt64), ("_cf_offset", DataType::UInt64), ("_cf_length", DataType::UInt32)];
/// Those of them that never go back from one row to the next: their steps are hashed, which are a tenth of the bytes.
const ASCENDING: [&str; 2] = ["_cf_record_no", "_cf_offset"];
/// Bytes that are gathered before they are hashed.
const SCRATCH_BYTES: usize = 1 << 10;
/// A length that does not fit into one byte is this one, and eight bytes behind it.
const LENGTH_LONG: u8 = u8::MAX;

/// The digest of a table in the making.
#[derive(Debug, Clone)]
pub struct TableDigest {
    name: TableName,
    rows: u64,
    columns: Vec<Column>,
}

impl TableDigest {
    /// Begins the digest of a table without rows.
    pub fn new(name: &TableName, fields: &[FieldRef]) -> Self {
        let columns = fields.iter().map(|field| Column::of_table(field)).collect();
        Self { name: name.clone(), rows: 0, columns }
    }

    /// Begins the digest of a table as it is written: its columns, then where each row comes from if its rows have spans.
    pub fn of_written(name: &TableName, columns: &[FieldRef], has_spans: bool) -> Self {
        let mut fields = columns.to_vec();
        if has_spans {
            fields.extend(WHENCE.map(|(name, data_type)| Arc::new(Field::new(name, data_type, false))));
        }
        Self::new(name, &fields)
    }

    /// Adds rows as they are written.
    pub fn add_written(&mut self, rows: &Accepted) -> Result<(), ArrowError> {
        let mut columns = rows.rows().columns().to_vec();
        if let Some((offset, length)) = rows.spans() {
            let record_no: ArrayRef = Arc::new(rows.record_no().clone());
            columns.extend([record_no, Arc::new(offset.clone()), Arc::new(length.clone())]);
        }
        if columns.is_empty() {
            self.rows += rows.rows().num_rows() as u64;
        }
        self.add(&columns)
    }

    /// Adds rows: one array for each field, of its type, all of one length.
    pub fn add(&mut self, columns: &[ArrayRef]) -> Result<(), ArrowError> {
        let rows = columns.first().map_or(0, |column| column.len());
        if columns.len() != self.columns.len() || columns.iter().any(|column| column.len() != rows) {
            return Err(misfit(format!(
                "{} columns of {rows} rows each were to be digested, and {} came",
                self.columns.len(),
                columns.len()
            )));
        }
        self.rows += rows as u64;
        self.columns.iter_mut().zip(columns).try_for_each(|(digest, column)| digest.add(column.as_ref()))
    }

    /// Returns the digest of the rows added.
    pub fn finish(self) -> Digest {
        let hasher = FieldHasher::new("casparian:table-digest:1")
            .field(self.name.as_str().as_bytes())
            .number(self.rows)
            .number(self.columns.len() as u64);
        let add = |hasher: FieldHasher, column: Column| hasher.field(column.finish().as_bytes());
        self.columns.into_iter().fold(hasher, add).finish()
    }
}

fn misfit(message: String) -> ArrowError {
    ArrowError::InvalidArgumentError(message)
}

/// One column, an item of a list, or a field of a struct.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    data_type: DataType,
    nullable: bool,
    rows: u64,
    validity: Bits,
    values: Values,
}

/// What a column hashes of those rows that are not null.
#[derive(Debug, Clone)]
enum Values {
    /// Values of one width, little endian.
    Fixed(Stream),
    /// Each number less the one before it, which is the last of what came so far.
    Steps {
        last: u64,
        steps: Stream,
    },
    Bytes {
        lengths: Stream,
        values: Stream,
    },
    List {
        lengths: Stream,
        item: Box<Column>,
    },
    Struct(Vec<Column>),
    /// No value of such a type passes the wire.
    Unknown,
}

impl Values {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                Self::Bytes { lengths: Stream::default(), values: Stream::default() }
            }
            DataType::List(item) | DataType::LargeList(item) => Self::List {
                lengths: Stream::default(),
                item: Box::new(Column::new("item", item.data_type(), true)),
            },
            DataType::Struct(fields) => {
                let column = |field: &FieldRef| Column::new(field.name(), field.data_type(), true);
                Self::Struct(fields.iter().map(column).collect())
            }
            _ if word(data_type).is_some() => Self::Fixed(Stream::default()),
            _ => Self::Unknown,
        }
    }
}

impl Column {
    fn of_table(field: &Field) -> Self {
        let mut column = Self::new(field.name(), field.data_type(), field.is_nullable());
        if ASCENDING.contains(&field.name().as_str()) && *field.data_type() == DataType::UInt64 {
            column.values = Values::Steps { last: 0, steps: Stream::default() };
        }
        column
    }

    /// Begins a column. Whether what is nested may be null is nothing that files keep, so it does not count.
    fn new(name: &str, data_type: &DataType, nullable: bool) -> Self {
        Self {
            name: name.to_owned(),
            data_type: data_type.clone(),
            nullable,
            rows: 0,
            validity: Bits::default(),
            values: Values::of(data_type),
        }
    }

    fn add(&mut self, array: &dyn Array) -> Result<(), ArrowError> {
        if word(array.data_type()) != word(&self.data_type) {
            let (is, should) = (array.data_type(), &self.data_type);
            return Err(misfit(format!("column `{}` is to be {should} and is {is}", self.name)));
        }
        self.rows += array.len() as u64;
        self.validity.add(array.nulls(), array.len());
        match &mut self.values {
            Values::Fixed(stream) => add_fixed(stream, array),
            Values::Steps { last, steps } => add_steps(last, steps, array.as_primitive()),
            Values::Bytes { lengths, values } => match array.data_type() {
                DataType::Utf8 => add_bytes(lengths, values, array.as_string::<i32>()),
                DataType::LargeUtf8 => add_bytes(lengths, values, array.as_string::<i64>()),
                DataType::LargeBinary => add_bytes(lengths, values, array.as_binary::<i64>()),
                _ => add_bytes(lengths, values, array.as_binary::<i32>()),
            },
            Values::List { lengths, item } => match array.data_type() {
                DataType::LargeList(_) => add_list::<i64>(lengths, item, array),
                _ => add_list::<i32>(lengths, item, array),
            },
            Values::Struct(fields) => add_struct(fields, array),
            Values::Unknown => {
                let message = format!("column `{}`: no digest is defined for {}", self.name, self.data_type);
                Err(ArrowError::NotYetImplemented(message))
            }
        }
    }

    fn finish(self) -> Digest {
        let hasher = FieldHasher::new("casparian:column-digest:1")
            .field(self.name.as_bytes())
            .field(word(&self.data_type).unwrap_or_default().as_bytes())
            .number(u64::from(self.nullable))
            .number(self.rows)
            .field(self.validity.finish().as_bytes());
        match self.values {
            Values::Fixed(values) | Values::Steps { steps: values, .. } => {
                hasher.field(values.finish().as_bytes())
            }
            Values::Bytes { lengths, values } => {
                hasher.field(lengths.finish().as_bytes()).field(values.finish().as_bytes())
            }
            Values::List { lengths, item } => {
                hasher.field(lengths.finish().as_bytes()).field(item.finish().as_bytes())
            }
            Values::Struct(fields) => {
                let hasher = hasher.number(fields.len() as u64);
                fields.into_iter().fold(hasher, |hasher, field| hasher.field(field.finish().as_bytes()))
            }
            Values::Unknown => hasher,
        }
        .finish()
    }
}

/// The word for a type. What is nested has a word of its own; the width of offsets has none.
fn word(data_type: &DataType) -> Option<String> {
    use DataType as T;
    Some(match data_type {
        T::Boolean => "bool".to_owned(),
        T::Int8 => "int8".to_owned(),
        T::Int16 => "int16".to_owned(),
        T::Int32 => "int32".to_owned(),
        T::Int64 => "int64".to_owned(),
        T::UInt8 => "uint8".to_owned(),
        T::UInt16 => "uint16".to_owned(),
        T::UInt32 => "uint32".to_owned(),
        T::UInt64 => "uint64".to_owned(),
        T::Float32 => "float32".to_owned(),
        T::Float64 => "float64".to_owned(),
        T::Decimal128(precision, scale) => format!("decimal128({precision},{scale})"),
        T::Decimal256(precision, scale) => format!("decimal256({precision},{scale})"),
        T::Utf8 | T::LargeUtf8 => "utf8".to_owned(),
        T::Binary | T::LargeBinary => "binary".to_owned(),
        T::FixedSizeBinary(width) => format!("fixed({width})"),
        T::Date32 => "date32".to_owned(),
        T::Date64 => "date64".to_owned(),
        T::Time32(unit) => format!("time32({})", unit_word(unit)),
        T::Time64(unit) => format!("time64({})", unit_word(unit)),
        T::Timestamp(unit, None) => format!("timestamp({})", unit_word(unit)),
        T::Timestamp(unit, Some(zone)) => format!("timestamp({},{zone})", unit_word(unit)),
        T::Duration(unit) => format!("duration({})", unit_word(unit)),
        T::List(_) | T::LargeList(_) => "list".to_owned(),
        T::Struct(_) => "struct".to_owned(),
        _ => return None,
    })
}

fn unit_word(unit: &TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

fn add_fixed(values: &mut Stream, array: &dyn Array) -> Result<(), ArrowError> {
    match array.data_type() {
        DataType::Boolean => add_booleans(values, array.as_boolean()),
        DataType::Float32 => add_floats::<types::Float32Type>(values, array, |value| {
            if value.is_nan() { Some(f32::from_bits(0x7fc0_0000)) } else { None }
        }),
        DataType::Float64 => add_floats::<types::Float64Type>(values, array, |value| {
            if value.is_nan() { Some(f64::from_bits(0x7ff8_0000_0000_0000)) } else { None }
        }),
        DataType::FixedSizeBinary(width) => add_buffer(values, array, usize::try_from(*width).unwrap_or(0)),
        other => add_buffer(values, array, other.primitive_width().unwrap_or(0)),
    }
}

fn add_booleans(values: &mut Stream, array: &BooleanArray) -> Result<(), ArrowError> {
    let bits = array.values();
    let runs = valid_runs(array.nulls(), array.len());
    let all = runs.flatten().map(|row| u8::from(row < bits.len() && bits.value(row)));
    all.for_each(|value| values.push(&[value]));
    Ok(())
}

/// Adds floats. Every NaN is the same one: `canonical` returns it for a NaN, and nothing for a number.
fn add_floats<T: ArrowPrimitiveType>(
    values: &mut Stream,
    array: &dyn Array,
    canonical: fn(T::Native) -> Option<T::Native>,
) -> Result<(), ArrowError> {
    let array = array.as_primitive::<T>();
    for run in valid_runs(array.nulls(), array.len()) {
        let Some(run) = array.values().get(run) else { return Err(torn()) };
        if run.iter().any(|value| canonical(*value).is_some()) {
            let run: Vec<T::Native> = run.iter().map(|value| canonical(*value).unwrap_or(*value)).collect();
            values.push(run.to_byte_slice());
        } else {
            values.push(run.to_byte_slice());
        }
    }
    Ok(())
}

/// Adds values of one width as they lie in memory, which is little endian on every machine that we run on.
fn add_buffer(values: &mut Stream, array: &dyn Array, width: usize) -> Result<(), ArrowError> {
    let data = array.to_data();
    let buffer = data.buffers().first().ok_or_else(torn)?;
    for run in valid_runs(array.nulls(), array.len()) {
        let (from, to) = (data.offset().saturating_add(run.start), data.offset().saturating_add(run.end));
        let bytes = buffer.get(from.saturating_mul(width)..to.saturating_mul(width));
        values.push(bytes.ok_or_else(torn)?);
    }
    Ok(())
}

fn add_steps(last: &mut u64, steps: &mut Stream, array: &UInt64Array) -> Result<(), ArrowError> {
    for run in valid_runs(array.nulls(), array.len()) {
        for number in array.values().get(run).ok_or_else(torn)? {
            steps.leb128(number.wrapping_sub(*last));
            *last = *number;
        }
    }
    Ok(())
}

fn add_bytes<T: ByteArrayType>(
    lengths: &mut Stream,
    values: &mut Stream,
    array: &GenericByteArray<T>,
) -> Result<(), ArrowError> {
    for run in valid_runs(array.nulls(), array.len()) {
        let offsets = array.value_offsets().get(run.start..=run.end).ok_or_else(torn)?;
        let bytes = add_lengths(lengths, offsets).and_then(|span| array.values().get(span));
        values.push(bytes.ok_or_else(torn)?);
    }
    Ok(())
}

fn add_list<O: OffsetSizeTrait>(
    lengths: &mut Stream,
    item: &mut Column,
    array: &dyn Array,
) -> Result<(), ArrowError> {
    let array = without_nulls(array)?;
    let array = array.as_list::<O>();
    let span = add_lengths(lengths, array.value_offsets()).ok_or_else(torn)?;
    item.add(array.values().slice(span.start, span.len()).as_ref())
}

fn add_struct(fields: &mut [Column], array: &dyn Array) -> Result<(), ArrowError> {
    let array = without_nulls(array)?;
    let columns = array.as_struct().columns();
    if columns.len() != fields.len() {
        return Err(misfit(format!("a struct is to have {} fields and has {}", fields.len(), columns.len())));
    }
    fields.iter_mut().zip(columns).try_for_each(|(field, column)| field.add(column.as_ref()))
}

/// Adds the lengths between offsets. Returns what they span.
fn add_lengths<O: OffsetSizeTrait>(lengths: &mut Stream, offsets: &[O]) -> Option<Range<usize>> {
    let mut rest = offsets;
    while rest.len() > 1 {
        let last = (rest.len() - 1).min(SCRATCH_BYTES);
        let (now, next) = (rest.get(..=last)?, rest.get(last..)?);
        let pairs = now.iter().zip(now.iter().skip(1));
        let all = pairs.map(|(from, to)| to.as_usize().wrapping_sub(from.as_usize()));
        if all.clone().all(|length| length < usize::from(LENGTH_LONG)) {
            lengths.extend(all.map(|length| length as u8));
        } else {
            all.for_each(|length| lengths.length(length));
        }
        rest = next;
    }
    Some(offsets.first()?.as_usize()..offsets.last()?.as_usize())
}

/// Our bug: the parts of an array do not fit together.
fn torn() -> ArrowError {
    misfit("the parts of an array do not fit together".to_owned())
}

/// Lists the rows that are not null, as ranges.
fn valid_runs(nulls: Option<&NullBuffer>, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let whole = nulls.is_none().then_some(0..rows);
    let runs = nulls.into_iter().flat_map(NullBuffer::valid_slices).map(|(from, to)| from..to);
    whole.into_iter().chain(runs)
}

/// Drops the rows that are null, with whatever is nested in them.
fn without_nulls(array: &dyn Array) -> Result<ArrayRef, ArrowError> {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => Ok(array.slice(0, array.len())),
        Some(nulls) => filter(array, &BooleanArray::new(nulls.inner().clone(), None)),
    }
}

/// Bytes that are hashed one after the other, in pieces that are worth it.
#[derive(Debug, Clone, Default)]
struct Stream {
    hasher: Sha256,
    scratch: Vec<u8>,
}

impl Stream {
    fn push(&mut self, bytes: &[u8]) {
        if self.scratch.len() + bytes.len() > SCRATCH_BYTES {
            self.hasher.update(&self.scratch);
            self.scratch.clear();
        }
        if bytes.len() > SCRATCH_BYTES {
            self.hasher.update(bytes);
        } else {
            self.scratch.extend_from_slice(bytes);
        }
    }

    /// Adds a few bytes, at most [`SCRATCH_BYTES`].
    fn extend(&mut self, bytes: impl Iterator<Item = u8>) {
        self.scratch.extend(bytes);
        if self.scratch.len() >= SCRATCH_BYTES {
            self.hasher.update(&self.scratch);
            self.scratch.clear();
        }
    }

    fn length(&mut self, length: usize) {
        match u8::try_from(length) {
            Ok(short) if short < LENGTH_LONG => self.push(&[short]),
            _ => {
                self.push(&[LENGTH_LONG]);
                self.push(&(length as u64).to_le_bytes());
            }
        }
    }

    /// Adds a number in as few bytes as it takes, seven bits in each, the lowest first.
    fn leb128(&mut self, mut number: u64) {
        while number > 0x7f {
            self.scratch.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.extend(std::iter::once(number as u8));
    }

    fn finish(mut self) -> Digest {
        self.hasher.update(&self.scratch);
        Digest::from_bytes(self.hasher.finalize().into())
    }
}

/// One bit for each row, set where there is a value: packed from the lowest bit of a byte up, the last byte filled up with 0.
#[derive(Debug, Clone, Default)]
struct Bits {
    bytes: Stream,
    /// Bits that make no whole byte yet, from the lowest up; those above are 0.
    partial: u8,
    partial_bits: u32,
}

impl Bits {
    fn add(&mut self, nulls: Option<&NullBuffer>, rows: usize) {
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => self.add_ones(rows),
            Some(nulls) => self.add_words(nulls.inner().bit_chunks()),
        }
    }

    fn add_ones(&mut self, rows: usize) {
        for _ in 0..rows / 64 {
            self.push(u64::MAX, 64);
        }
        let rest = (rows % 64) as u32;
        self.push((1_u64 << rest) - 1, rest);
    }

    fn add_words(&mut self, words: BitChunks<'_>) {
        words.iter().for_each(|word| self.push(word, 64));
        self.push(words.remainder_bits(), words.remainder_len() as u32);
    }

    /// Adds the lowest `bits` bits of a word, at most 64. Those above are 0.
    fn push(&mut self, word: u64, bits: u32) {
        let joined = u128::from(word) << self.partial_bits | u128::from(self.partial);
        let joined_bits = self.partial_bits + bits;
        let bytes = joined.to_le_bytes();
        let whole = (joined_bits / 8) as usize;
        self.bytes.push(bytes.get(..whole).unwrap_or_default());
        self.partial = bytes.get(whole).copied().unwrap_or_default();
        self.partial_bits = joined_bits % 8;
    }

    fn finish(mut self) -> Digest {
        if self.partial_bits > 0 {
            self.bytes.push(&[self.partial]);
        }
        self.bytes.finish()
    }
}

#[cfg(test)]
mod tests;

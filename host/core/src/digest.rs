//! The logical digest: what rows say, whatever file they stand in.
//!
//! Two tables have one digest if and only if they have one name, the same columns and the same rows in the same order. The
//! format of a file, its compression, where batches and row groups were cut, whether offsets take 32 bits or 64: none of it
//! shows. `docs/spec/digest.md` is the definition; this is one way to compute it.
//!
//! A digest is taken column by column, so that whole buffers are hashed. Memory does not follow the rows.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{self, ByteArrayType};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, GenericByteArray, OffsetSizeTrait};
use arrow_buffer::bit_chunk_iterator::BitChunks;
use arrow_buffer::{NullBuffer, ToByteSlice as _};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, TimeUnit};
use arrow_select::filter::filter;
use sha2::{Digest as _, Sha256};

use crate::contract::Severity;
use crate::contract::verdict::{Accepted, Rejected, Violation};
use crate::id::{Digest, FieldHasher, TableName};

/// The columns that say which record a row comes from.
const WHENCE: [(&str, DataType); 3] =
    [("_cf_record_no", DataType::UInt64), ("_cf_offset", DataType::UInt64), ("_cf_length", DataType::UInt32)];
/// Bytes that are gathered before they are hashed.
const SCRATCH_BYTES: usize = 1 << 10;
/// A length that does not fit into four bytes is this one, and eight bytes behind it.
const LENGTH_LONG: u32 = u32::MAX;

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
        let columns = fields
            .iter()
            .map(|field| Column::new(field.name(), field.data_type(), field.is_nullable()))
            .collect();
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
            Values::Fixed(values) => hasher.field(values.finish().as_bytes()),
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
    for (from, to) in offsets.iter().zip(offsets.iter().skip(1)) {
        let length = to.as_usize().checked_sub(from.as_usize())?;
        match u32::try_from(length) {
            Ok(short) if short < LENGTH_LONG => lengths.push(&short.to_le_bytes()),
            _ => {
                lengths.push(&LENGTH_LONG.to_le_bytes());
                lengths.push(&(length as u64).to_le_bytes());
            }
        }
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

/// The digest of a quarantine in the making: what of every row must come out the same in every run.
///
/// It is taken table by table, because rows of different tables are told apart by their names and not by their order. Left out
/// is what follows from the rest (names, lines, bytes of the input) and what does not reproduce (paths, times, jobs).
#[derive(Debug, Clone, Default)]
pub struct QuarantineDigest {
    /// By the table's name; records that could not be read under a name that no table has.
    tables: BTreeMap<String, HeldTable>,
}

#[derive(Debug, Clone, Default)]
struct HeldTable {
    rows: u64,
    rejections: Rejections,
    held: Stream,
}

/// Counts the rejections of one record.
#[derive(Debug, Clone, Default)]
struct Rejections {
    /// Where the last one's record begins, and its place among those of that record.
    last: Option<(Option<u64>, u64)>,
}

impl Rejections {
    /// Returns the place of this one among those of its record. Those of one record come one after the other.
    fn place(&mut self, offset: Option<u64>) -> u64 {
        let place = match self.last {
            Some((last, place)) if last == offset => place.saturating_add(1),
            _ => 0,
        };
        self.last = Some((offset, place));
        place
    }
}

impl QuarantineDigest {
    /// Adds a row, or a record that could not be read. Those of one table come in the order of the input.
    pub fn add(&mut self, rejected: &Rejected) {
        let name = rejected.row().map_or("", |row| row.table().as_str());
        if !self.tables.contains_key(name) {
            self.tables.insert(name.to_owned(), HeldTable::default());
        }
        if let Some(table) = self.tables.get_mut(name) {
            table.add(rejected);
        }
    }

    /// Returns the digest of what was added.
    pub fn finish(self) -> Digest {
        let hasher = FieldHasher::new("casparian:quarantine-digest:1").number(self.tables.len() as u64);
        let add = |hasher: FieldHasher, (name, table): (String, HeldTable)| {
            hasher.field(name.as_bytes()).number(table.rows).field(table.held.finish().as_bytes())
        };
        self.tables.into_iter().fold(hasher, add).finish()
    }
}

impl HeldTable {
    fn add(&mut self, rejected: &Rejected) {
        let offset = rejected.at().map(|at| at.offset);
        let ordinal = match rejected.row() {
            Some(row) => row.ordinal(),
            None => self.rejections.place(offset),
        };
        self.rows += 1;
        self.held.optional_number(rejected.record_no());
        self.held.optional_number(offset);
        self.held.optional_number(rejected.at().map(|at| at.length));
        self.held.number(ordinal);
        self.held.number(rejected.n_violations());
        self.held.number(rejected.violations().len() as u64);
        rejected.violations().iter().for_each(|violation| self.held.violation(violation));
    }
}

impl Stream {
    fn violation(&mut self, violation: &Violation) {
        let rule = &violation.rule;
        self.text(violation.code.as_str());
        self.text(severity_word(rule.severity));
        self.optional_text(rule.column.as_deref());
        self.text(&rule.name);
        self.optional_text(rule.expected.as_deref());
        self.optional_text(violation.observed.as_ref().map(|text| text.raw()));
    }

    fn number(&mut self, number: u64) {
        self.push(&number.to_le_bytes());
    }

    fn optional_number(&mut self, number: Option<u64>) {
        self.push(&[u8::from(number.is_some())]);
        if let Some(number) = number {
            self.number(number);
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.push(text.as_bytes());
    }

    fn optional_text(&mut self, text: Option<&str>) {
        self.push(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            self.text(text);
        }
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Int32Builder, ListBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::*;
    use arrow_buffer::{Buffer, OffsetBuffer, i256};
    use arrow_data::ArrayData;
    use arrow_schema::Fields;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::contract::verdict::{BrokenRule, Code, RejectedRow};
    use crate::fault::Span;
    use crate::guest_text::GuestText;

    /// A row of every kind of column that is hashed differently.
    type Row = (
        Option<i64>,
        Option<String>,
        Option<u64>,
        Option<bool>,
        Option<Vec<Option<i32>>>,
        Option<Option<i16>>,
    );

    fn row() -> impl Strategy<Value = Row> {
        (
            any::<Option<i64>>(),
            prop::option::of("[a-zé\0]{0,6}"),
            prop::option::of(prop_oneof![Just(f64::NAN.to_bits()), Just(1 << 63), any::<u64>()]),
            any::<Option<bool>>(),
            prop::option::of(prop::collection::vec(any::<Option<i32>>(), 0..4)),
            any::<Option<Option<i16>>>(),
        )
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        prop::collection::vec(row(), 0..150)
    }

    fn columns(rows: &[Row]) -> Vec<ArrayRef> {
        let mut lists = ListBuilder::new(Int32Builder::new());
        rows.iter().for_each(|row| lists.append_option(row.4.clone()));
        let inner = Int16Array::from_iter(rows.iter().map(|row| row.5.flatten()));
        let valid = NullBuffer::from_iter(rows.iter().map(|row| row.5.is_some()));
        let fields = Fields::from(vec![Field::new("x", DataType::Int16, true)]);
        vec![
            Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.0))),
            Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.as_deref()))),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.2.map(f64::from_bits)))),
            Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.3))),
            Arc::new(lists.finish()),
            Arc::new(StructArray::new(fields, vec![Arc::new(inner)], Some(valid))),
        ]
    }

    fn fields_of(columns: &[ArrayRef]) -> Vec<FieldRef> {
        let field = |(at, column): (usize, &ArrayRef)| {
            Arc::new(Field::new(format!("c{at}"), column.data_type().clone(), true))
        };
        columns.iter().enumerate().map(field).collect()
    }

    fn name() -> TableName {
        TableName::new("orders").unwrap()
    }

    fn digest(columns: &[ArrayRef]) -> Digest {
        let mut digest = TableDigest::new(&name(), &fields_of(columns));
        digest.add(columns).unwrap();
        digest.finish()
    }

    fn one(column: impl Array + 'static) -> Digest {
        digest(&[Arc::new(column)])
    }

    /// Takes every NaN for the same one.
    fn meaning(rows: &[Row]) -> Vec<Row> {
        let canonical = |bits: u64| if f64::from_bits(bits).is_nan() { f64::NAN.to_bits() } else { bits };
        rows.iter()
            .cloned()
            .map(|mut row| {
                row.2 = row.2.map(canonical);
                row
            })
            .collect()
    }

    proptest! {
        #[test]
        fn where_batches_are_cut_does_not_show(
            rows in rows(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let whole = columns(&rows);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len() + 1)).collect();
            cuts.extend([0, rows.len()]);
            cuts.sort_unstable();
            let (mut sliced, mut rebuilt) =
                (TableDigest::new(&name(), &fields_of(&whole)), TableDigest::new(&name(), &fields_of(&whole)));
            for cut in cuts.windows(2) {
                let slice: Vec<ArrayRef> =
                    whole.iter().map(|column| column.slice(cut[0], cut[1] - cut[0])).collect();
                sliced.add(&slice).unwrap();
                rebuilt.add(&columns(&rows[cut[0]..cut[1]])).unwrap();
            }
            prop_assert_eq!(sliced.finish(), digest(&whole));
            prop_assert_eq!(rebuilt.finish(), digest(&whole));
        }

        #[test]
        fn two_tables_have_one_digest_exactly_if_they_say_the_same(
            rows in rows(),
            other in row(),
            at in any::<prop::sample::Index>(),
        ) {
            let mut changed = rows.clone();
            match changed.is_empty() {
                true => changed.push(other),
                false => { let at = at.index(rows.len()); changed[at] = other }
            }
            let same = meaning(&rows) == meaning(&changed);
            prop_assert_eq!(digest(&columns(&rows)) == digest(&columns(&changed)), same);
        }

        #[test]
        fn one_cell_is_enough_to_change_it(rows in rows(), at in any::<prop::sample::Index>(), column in 0..6) {
            prop_assume!(!rows.is_empty());
            let mut changed = rows.clone();
            let row = &mut changed[at.index(rows.len())];
            match column {
                0 => row.0 = row.0.map_or(Some(0), |_| None),
                1 => row.1 = row.1.take().map_or(Some(String::new()), |text| Some(text + "a")),
                2 => row.2 = row.2.map_or(Some(0), |_| None),
                3 => row.3 = row.3.map_or(Some(false), |value| if value { None } else { Some(true) }),
                4 => row.4 = row.4.take().map_or(Some(Vec::new()), |mut items| { items.push(None); Some(items) }),
                _ => row.5 = row.5.map_or(Some(None), |x| if x.is_none() { Some(Some(0)) } else { None }),
            }
            prop_assert_ne!(digest(&columns(&rows)), digest(&columns(&changed)));
        }

        #[test]
        fn the_order_of_rows_counts(rows in rows()) {
            let mut reversed = rows.clone();
            reversed.reverse();
            let same = meaning(&rows) == meaning(&reversed);
            prop_assert_eq!(digest(&columns(&rows)) == digest(&columns(&reversed)), same);
        }

        #[test]
        fn what_lies_under_a_null_does_not_show(
            cells in prop::collection::vec((any::<bool>(), any::<i64>(), any::<i64>(), "[a-z]{0,3}", "[a-z]{0,3}"), 0..50),
        ) {
            let nulls = NullBuffer::from_iter(cells.iter().map(|cell| cell.0));
            let numbers = |pick: fn(&(bool, i64, i64, String, String)) -> i64| {
                let value = |cell| if nulls_of(cell) { cell.1 } else { pick(cell) };
                Int64Array::new(cells.iter().map(value).collect::<Vec<_>>().into(), Some(nulls.clone()))
            };
            prop_assert_eq!(one(numbers(|cell| cell.1)), one(numbers(|cell| cell.2)));
            let texts = |pick: fn(&(bool, i64, i64, String, String)) -> &str| {
                let value = |cell| if nulls_of(cell) { cell.3.as_str() } else { pick(cell) };
                let all: Vec<&str> = cells.iter().map(value).collect();
                let offsets = OffsetBuffer::<i32>::from_lengths(all.iter().map(|text| text.len()));
                StringArray::new(offsets, Buffer::from(all.concat().into_bytes()), Some(nulls.clone()))
            };
            prop_assert_eq!(one(texts(|cell| &cell.3)), one(texts(|cell| &cell.4)));
            let lists = |pick: fn(&(bool, i64, i64, String, String)) -> &str| {
                let value = |cell| if nulls_of(cell) { cell.3.as_str() } else { pick(cell) };
                let all: Vec<&str> = cells.iter().map(value).collect();
                let offsets = OffsetBuffer::<i32>::from_lengths(all.iter().map(|text| text.len()));
                let items = Int8Array::from_iter_values(all.concat().bytes().map(u8::cast_signed));
                let item = Arc::new(Field::new("item", DataType::Int8, true));
                ListArray::new(item, offsets, Arc::new(items), Some(nulls.clone()))
            };
            prop_assert_eq!(one(lists(|cell| &cell.3)), one(lists(|cell| &cell.4)));
        }

        #[test]
        fn bits_are_packed_as_if_they_had_come_one_by_one(pieces in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..200), 0..6)) {
            let mut bits = Bits::default();
            for piece in &pieces {
                bits.add(Some(&NullBuffer::from_iter(piece.iter().copied())), piece.len());
            }
            let mut bytes = vec![0_u8; pieces.concat().len().div_ceil(8)];
            pieces.concat().iter().enumerate().filter(|(_, bit)| **bit).for_each(|(at, _)| bytes[at / 8] |= 1 << (at % 8));
            prop_assert_eq!(bits.finish(), Digest::of(&bytes));
        }
    }

    fn nulls_of(cell: &(bool, i64, i64, String, String)) -> bool {
        cell.0
    }

    #[test]
    fn the_width_of_offsets_does_not_show() {
        let texts = [Some("a"), None, Some("")];
        assert_eq!(one(StringArray::from_iter(texts)), one(LargeStringArray::from_iter(texts)));
        let bytes = [Some(b"a".as_slice()), None];
        assert_eq!(one(BinaryArray::from_iter(bytes)), one(LargeBinaryArray::from_iter(bytes)));
        let lists = [Some(vec![Some(1), None]), None, Some(vec![])];
        let small = ListArray::from_iter_primitive::<Int32Type, _, _>(lists.clone());
        assert_eq!(one(small), one(LargeListArray::from_iter_primitive::<Int32Type, _, _>(lists)));
    }

    #[test]
    fn every_nan_is_one_and_a_negative_zero_is_none_of_zero() {
        let quiet = f64::from_bits(0xfff8_0000_0000_0001);
        assert_eq!(one(Float64Array::from(vec![f64::NAN, 1.0])), one(Float64Array::from(vec![quiet, 1.0])));
        assert_ne!(one(Float64Array::from(vec![0.0])), one(Float64Array::from(vec![-0.0])));
        let quiet = f32::from_bits(0xffc0_0001);
        assert_eq!(one(Float32Array::from(vec![f32::NAN])), one(Float32Array::from(vec![quiet])));
    }

    #[test]
    fn names_types_and_nullability_count() {
        let field = |name: &str, data_type, nullable| Arc::new(Field::new(name, data_type, nullable));
        let of = |table: &str, field: FieldRef| {
            TableDigest::new(&TableName::new(table).unwrap(), &[field]).finish()
        };
        let digests = [
            of("a", field("x", DataType::Int64, true)),
            of("b", field("x", DataType::Int64, true)),
            of("a", field("y", DataType::Int64, true)),
            of("a", field("x", DataType::UInt64, true)),
            of("a", field("x", DataType::Int64, false)),
            of("a", field("x", DataType::Decimal128(10, 2), true)),
            of("a", field("x", DataType::Decimal128(10, 3), true)),
            of("a", field("x", DataType::Timestamp(TimeUnit::Microsecond, None), true)),
            of("a", field("x", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)),
            TableDigest::new(&TableName::new("a").unwrap(), &[]).finish(),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn arrays_of_another_type_are_refused() {
        let mut digest = TableDigest::new(&name(), &[Arc::new(Field::new("x", DataType::Int64, true))]);
        let wrong: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert!(digest.add(&[wrong]).unwrap_err().to_string().contains("is to be Int64 and is Int32"));
        assert!(digest.add(&[]).is_err());
    }

    /// The vectors that other implementations are held to: `docs/spec/vectors/digest.jsonl`.
    #[test]
    fn the_published_vectors_hold() {
        let vectors = include_str!("../../../docs/spec/vectors/digest.jsonl");
        let mut count = 0;
        for vector in vectors.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let fields: Vec<FieldRef> =
                vector["columns"].as_array().unwrap().iter().map(|field| Arc::new(field_of(field))).collect();
            let rows = vector["rows"].as_array().unwrap();
            let columns: Vec<ArrayRef> = fields
                .iter()
                .enumerate()
                .map(|(at, field)| {
                    array(field.data_type(), &rows.iter().map(|row| &row[at]).collect::<Vec<_>>())
                })
                .collect();
            let mut digest = TableDigest::new(&TableName::new(text(&vector["table"])).unwrap(), &fields);
            digest.add(&columns).unwrap();
            assert_eq!(digest.finish().to_string(), text(&vector["digest"]), "{}", vector["what"]);
            count += 1;
        }
        assert!(count >= 20, "{count} vectors");
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    fn field_of(spec: &Value) -> Field {
        let name = spec["name"].as_str().unwrap_or("item");
        Field::new(name, type_of(spec), spec["nullable"].as_bool().unwrap_or(true))
    }

    /// Reads a type by its word: the words are those of the specification.
    fn type_of(spec: &Value) -> DataType {
        let simple = [
            DataType::Boolean,
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Float32,
            DataType::Float64,
            DataType::Utf8,
            DataType::Binary,
            DataType::FixedSizeBinary(3),
            DataType::Date32,
            DataType::Date64,
            DataType::Time32(TimeUnit::Second),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Timestamp(TimeUnit::Second, None),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Zurich".into())),
            DataType::Duration(TimeUnit::Millisecond),
            DataType::Decimal128(38, 10),
            DataType::Decimal128(5, -2),
            DataType::Decimal256(76, 20),
        ];
        match text(&spec["type"]) {
            "list" => DataType::List(Arc::new(field_of(&spec["item"]))),
            "struct" => DataType::Struct(spec["fields"].as_array().unwrap().iter().map(field_of).collect()),
            wanted => simple.into_iter().find(|simple| word(simple).unwrap() == wanted).expect(wanted),
        }
    }

    fn array(data_type: &DataType, values: &[&Value]) -> ArrayRef {
        let nulls = NullBuffer::from_iter(values.iter().map(|value| !value.is_null()));
        match data_type {
            DataType::Boolean => {
                Arc::new(BooleanArray::from_iter(values.iter().map(|value| value.as_bool())))
            }
            DataType::Utf8 => Arc::new(StringArray::from_iter(values.iter().map(|value| value.as_str()))),
            DataType::Binary => {
                Arc::new(BinaryArray::from_iter(values.iter().map(|value| value.as_str().map(unhex))))
            }
            DataType::List(item) => {
                let lengths = values.iter().map(|value| value.as_array().map_or(0, Vec::len));
                let items: Vec<&Value> =
                    values.iter().filter_map(|value| value.as_array()).flatten().collect();
                let items = array(item.data_type(), &items);
                Arc::new(ListArray::new(
                    Arc::clone(item),
                    OffsetBuffer::from_lengths(lengths),
                    items,
                    Some(nulls),
                ))
            }
            DataType::Struct(fields) => {
                let column = |(at, field): (usize, &FieldRef)| {
                    array(field.data_type(), &values.iter().map(|value| &value[at]).collect::<Vec<_>>())
                };
                let columns = fields.iter().enumerate().map(column).collect();
                Arc::new(StructArray::new(fields.clone(), columns, Some(nulls)))
            }
            fixed => {
                let width = fixed.primitive_width().unwrap_or(3);
                let bytes: Vec<u8> =
                    values.iter().flat_map(|value| fixed_bytes(fixed, value, width)).collect();
                let data = ArrayData::builder(fixed.clone()).len(values.len()).nulls(Some(nulls));
                make_array(data.add_buffer(Buffer::from(bytes)).align_buffers(true).build().unwrap())
            }
        }
    }

    /// Floats are written as the hex digits of their bits, fixed bytes in hex, everything else as a whole number.
    fn fixed_bytes(data_type: &DataType, value: &Value, width: usize) -> Vec<u8> {
        let Some(text) = value.as_str() else { return vec![0xaa; width] };
        match data_type {
            DataType::FixedSizeBinary(_) => unhex(text),
            DataType::Float32 | DataType::Float64 => unhex(text).into_iter().rev().collect(),
            _ => i256::from_string(text).unwrap().to_le_bytes().into_iter().take(width).collect(),
        }
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    fn rejected(table: Option<&str>, offset: Option<u64>, ordinal: u64) -> Rejected {
        let batch = RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty()));
        let rule = BrokenRule {
            column: Some("price".to_owned()),
            name: "required".to_owned(),
            expected: Some("a value".to_owned()),
            severity: Severity::Error,
        };
        let violation =
            Violation { code: Code::Missing, rule: Arc::new(rule), observed: Some(GuestText::new("x", 9)) };
        Rejected {
            record_no: offset,
            at: offset.map(|offset| Span { offset, length: 5 }),
            row: table.map(|table| RejectedRow {
                table: TableName::new(table).unwrap(),
                ordinal,
                batch,
                row: 0,
            }),
            violations: vec![violation],
            n_violations: 1,
        }
    }

    fn held(rows: &[Rejected]) -> Digest {
        let mut digest = QuarantineDigest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest.finish()
    }

    #[test]
    fn rows_of_different_tables_may_come_in_any_order_and_rows_of_one_may_not() {
        let (a, b) = (rejected(Some("a"), None, 0), rejected(Some("b"), Some(5), 0));
        let c = rejected(Some("b"), Some(9), 0);
        assert_eq!(held(&[a.clone(), b.clone(), c.clone()]), held(&[b.clone(), a.clone(), c.clone()]));
        assert_ne!(held(&[a.clone(), b.clone(), c.clone()]), held(&[a, c, b]));
    }

    #[test]
    fn everything_that_a_quarantined_row_says_counts() {
        let rule = |change: fn(&mut BrokenRule)| {
            let mut row = rejected(Some("a"), Some(5), 0);
            change(Arc::make_mut(&mut row.violations[0].rule));
            row
        };
        let row = |change: fn(&mut Rejected)| {
            let mut row = rejected(Some("a"), Some(5), 0);
            change(&mut row);
            row
        };
        let all = [
            row(|_| ()),
            row(|row| row.record_no = None),
            row(|row| row.record_no = Some(6)),
            row(|row| row.at = None),
            row(|row| row.at = Some(Span { offset: 6, length: 5 })),
            row(|row| row.at = Some(Span { offset: 5, length: 6 })),
            row(|row| row.row = None),
            row(|row| row.n_violations = 2),
            row(|row| row.violations.clear()),
            row(|row| row.violations[0].code = Code::Range),
            row(|row| row.violations[0].observed = None),
            row(|row| row.violations[0].observed = Some(GuestText::new("y", 9))),
            rule(|rule| rule.column = None),
            rule(|rule| rule.name.push('x')),
            rule(|rule| rule.expected = None),
            rule(|rule| rule.severity = Severity::Warning),
            rejected(Some("a"), Some(5), 1),
            rejected(Some("b"), Some(5), 0),
        ];
        let distinct: std::collections::BTreeSet<_> =
            all.iter().map(|row| held(std::slice::from_ref(row))).collect();
        assert_eq!(distinct.len(), all.len());
    }
}

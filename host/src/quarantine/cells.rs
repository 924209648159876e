//! One row as an Arrow IPC stream: schema, one batch, end.
//!
//! An input of bad rows only makes as many streams as it has rows. The schema message of a table is written once and copied,
//! and so is the metadata of the batch: in a row of flat columns only the lengths of texts and which cells are null differ.
//! A row with nested columns takes the library's general way, which costs about ten times as much.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, GenericByteArray, RecordBatch, downcast_primitive_array};
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{
    CompressionContext, DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message,
};
use arrow_schema::{ArrowError, DataType, Schema};
use casparian_core::id::TableName;

/// What stands before every message.
const CONTINUATION: [u8; 4] = [0xff; 4];
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
/// Buffers begin at multiples of it.
const ALIGNMENT: usize = 8;

/// Writes rows, each as a stream.
#[derive(Default)]
pub(super) struct RowEncoder {
    tables: BTreeMap<TableName, Prepared>,
    stream: Vec<u8>,
    compression: CompressionContext,
}

/// What is the same in all rows of a table.
struct Prepared {
    schema_message: Vec<u8>,
    /// None where a column is nested.
    flat: Option<FlatMetadata>,
}

impl RowEncoder {
    /// Writes the one row of `cells`.
    pub(super) fn encode(&mut self, table: &TableName, cells: &RecordBatch) -> Result<&[u8], ArrowError> {
        let prepared = match self.tables.entry(table.clone()) {
            Entry::Occupied(prepared) => prepared.into_mut(),
            Entry::Vacant(place) => place.insert(Prepared::new(&cells.schema())?),
        };
        self.stream.clear();
        self.stream.extend_from_slice(&prepared.schema_message);
        match &prepared.flat {
            Some(metadata) => metadata.write(cells, &mut self.stream),
            None => write_any(cells, &mut self.stream, &mut self.compression)?,
        }
        self.stream.extend_from_slice(&END);
        Ok(&self.stream)
    }
}

impl Prepared {
    fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let options = options()?;
        let mut schema_message = Vec::new();
        write_message(&mut schema_message, encode_schema(schema, &options), &options)?;
        Ok(Self { schema_message, flat: FlatMetadata::new(schema) })
    }
}

fn options() -> Result<IpcWriteOptions, ArrowError> {
    IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)
}

fn encode_schema(schema: &Schema, options: &IpcWriteOptions) -> EncodedData {
    let mut tracker = DictionaryTracker::new(true);
    IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, options)
}

fn write_any(
    cells: &RecordBatch,
    stream: &mut Vec<u8>,
    compression: &mut CompressionContext,
) -> Result<(), ArrowError> {
    let (options, mut tracker) = (options()?, DictionaryTracker::new(true));
    let (_, batch) = IpcDataGenerator::default().encode(cells, &mut tracker, &options, compression)?;
    write_message(stream, batch, &options)?;
    Ok(())
}

/// The metadata of a batch of one row and flat columns, a flatbuffer of `Message.fbs`, with zeros where rows differ.
///
/// ```text
///  0  root          -> 16
///  4  vtable of     16   Message      { version, header_type, header, bodyLength }
/// 16  Message            header -> 48, bodyLength at 24
/// 36  vtable of     48   RecordBatch  { length, nodes, buffers }
/// 48  RecordBatch        length = 1, nodes -> 68, buffers -> 76 + 16 n
/// 68  n, then n times    FieldNode    { length = 1, null_count }
///  …  b, then b times    Buffer       { offset, length }
/// ```
struct FlatMetadata {
    bytes: Vec<u8>,
    columns: usize,
}

impl FlatMetadata {
    const BODY_LENGTH: usize = 24;
    const NODES: usize = 72;
    /// A node and a buffer are two numbers of 8 bytes each.
    const PAIR: usize = 16;

    /// Returns `None` where a column is nested.
    fn new(schema: &Schema) -> Option<Self> {
        let columns = schema.fields().len();
        let counts: Option<Vec<u32>> =
            schema.fields().iter().map(|field| buffers(field.data_type())).collect();
        let (nodes, buffers) = (u32::try_from(columns).ok()?, counts?.iter().sum::<u32>());
        let mut bytes = Vec::new();
        let halves = |bytes: &mut Vec<u8>, values: &[u16]| {
            values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        };
        let words = |bytes: &mut Vec<u8>, values: &[u32]| {
            values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        };
        words(&mut bytes, &[16]);
        halves(&mut bytes, &[12, 20, 16, 18, 4, 8]);
        words(&mut bytes, &[12, 48 - 20, 0, 0]);
        halves(&mut bytes, &[VERSION_5, u16::from(RECORD_BATCH)]);
        halves(&mut bytes, &[10, 20, 8, 4, 16, 0]);
        words(&mut bytes, &[12, 68 - 52, 1, 0, 12 + 16 * nodes, nodes]);
        (0..nodes).for_each(|_| words(&mut bytes, &[1, 0, 0, 0]));
        words(&mut bytes, &[0, buffers]);
        bytes.resize(bytes.len() + buffers as usize * Self::PAIR, 0);
        Some(Self { bytes, columns })
    }

    fn write(&self, cells: &RecordBatch, stream: &mut Vec<u8>) {
        stream.extend_from_slice(&CONTINUATION);
        stream.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        let metadata = stream.len();
        stream.extend_from_slice(&self.bytes);
        let nodes = metadata + Self::NODES;
        let mut body = Body {
            begin: stream.len(),
            next_node: nodes,
            next_buffer: nodes + self.columns * Self::PAIR + ALIGNMENT,
            stream,
        };
        cells.columns().iter().for_each(|column| body.column(column.as_ref()));
        let length = body.stream.len() - body.begin;
        put(body.stream, metadata + Self::BODY_LENGTH, length);
    }
}

const VERSION_5: u16 = MetadataVersion::V5.0.cast_unsigned();
const RECORD_BATCH: u8 = arrow_ipc::MessageHeader::RecordBatch.0;

/// Returns how many buffers a column has, or `None` where it is nested or of a kind that no parser may send.
fn buffers(kind: &DataType) -> Option<u32> {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => Some(3),
        DataType::Boolean | DataType::FixedSizeBinary(_) => Some(2),
        kind if kind.is_primitive() => Some(2),
        _ => None,
    }
}

/// The values of a row, behind their metadata.
struct Body<'a> {
    stream: &'a mut Vec<u8>,
    /// Where in `stream` the body begins.
    begin: usize,
    /// Where in `stream` the next column's node is.
    next_node: usize,
    /// Where in `stream` the next buffer's place and length belong.
    next_buffer: usize,
}

impl Body<'_> {
    /// Writes the first cell of a column. What stands in the place of a null is zeros: what the parser left there is nothing
    /// that it said.
    fn column(&mut self, column: &dyn Array) {
        let is_null = column.is_null(0);
        put(self.stream, self.next_node + 8, usize::from(is_null));
        self.next_node += FlatMetadata::PAIR;
        self.buffer(if is_null { &[0] } else { &[] });
        match column.data_type() {
            DataType::Utf8 => self.text(column.as_string::<i32>()),
            DataType::LargeUtf8 => self.text(column.as_string::<i64>()),
            DataType::Binary => self.text(column.as_binary::<i32>()),
            DataType::LargeBinary => self.text(column.as_binary::<i64>()),
            DataType::Boolean => self.buffer(&[u8::from(!is_null && column.as_boolean().value(0))]),
            DataType::FixedSizeBinary(_) => self.fixed(column.as_fixed_size_binary().value(0), is_null),
            _ => downcast_primitive_array!(
                column => self.fixed(column.values().inner().as_slice(), is_null),
                other => debug_assert!(false, "{other} is not flat"),
            ),
        }
    }

    fn fixed(&mut self, value: &[u8], is_null: bool) {
        let at = self.stream.len();
        self.buffer(value);
        if is_null {
            self.stream[at..].fill(0);
        }
    }

    fn text<T: ByteArrayType>(&mut self, column: &GenericByteArray<T>) {
        let value: &[u8] = if column.is_null(0) { &[] } else { column.value(0).as_ref() };
        let mut offsets = [0; 16];
        let width = size_of::<T::Offset>();
        offsets[width..width + 8].copy_from_slice(&(value.len() as u64).to_le_bytes());
        self.buffer(&offsets[..width * 2]);
        self.buffer(value);
    }

    fn buffer(&mut self, bytes: &[u8]) {
        let offset = self.stream.len() - self.begin;
        put(self.stream, self.next_buffer, offset);
        put(self.stream, self.next_buffer + 8, bytes.len());
        self.next_buffer += FlatMetadata::PAIR;
        self.stream.extend_from_slice(bytes);
        self.stream.resize(self.stream.len().next_multiple_of(ALIGNMENT), 0);
    }
}

fn put(stream: &mut [u8], at: usize, number: usize) {
    stream[at..at + 8].copy_from_slice(&(number as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array};
    use arrow_ipc::reader::StreamReader;
    use arrow_schema::Field;

    use super::*;
    use crate::sinks::guest::every_type;

    fn round_trip(encoder: &mut RowEncoder, row: &RecordBatch) -> RecordBatch {
        let table = TableName::new("orders").unwrap();
        let stream = encoder.encode(&table, row).unwrap();
        let mut reader = StreamReader::try_new(stream, None).unwrap();
        let read = reader.next().unwrap().unwrap();
        assert!(reader.next().is_none());
        read.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
        read
    }

    fn is_flat(rows: &RecordBatch) -> bool {
        FlatMetadata::new(&rows.schema()).is_some()
    }

    #[test]
    fn a_row_of_every_type_reads_back_as_it_was() {
        let rows = every_type();
        assert!(!is_flat(&rows));
        let mut encoder = RowEncoder::default();
        for at in 0..rows.num_rows() {
            let row = rows.slice(at, 1);
            assert_eq!(round_trip(&mut encoder, &row), row);
        }
    }

    #[test]
    fn a_row_of_every_flat_type_takes_the_short_way_and_reads_back_as_it_was() {
        let rows = every_type();
        let kinds = rows.schema();
        let flat: Vec<usize> =
            (0..kinds.fields().len()).filter(|at| !kinds.field(*at).data_type().is_nested()).collect();
        assert!(flat.len() > 25);
        let rows = rows.project(&flat).unwrap();
        assert!(is_flat(&rows));
        let mut encoder = RowEncoder::default();
        for at in 0..rows.num_rows() {
            let row = rows.slice(at, 1);
            assert_eq!(round_trip(&mut encoder, &row), row);
        }
    }

    #[test]
    fn each_flat_type_alone_reads_back_as_it_was() {
        let rows = every_type();
        for at in 0..rows.num_columns() {
            let column = rows.project(&[at]).unwrap();
            let mut encoder = RowEncoder::default();
            for row in 0..column.num_rows() {
                let row = column.slice(row, 1);
                assert_eq!(round_trip(&mut encoder, &row), row, "{}", row.schema().field(0));
            }
        }
    }

    #[test]
    fn what_a_parser_left_in_the_place_of_a_null_does_not_show() {
        let null = |left: i32| -> RecordBatch {
            let column: ArrayRef = Arc::new(Int32Array::new(vec![left].into(), Some(vec![false].into())));
            let field = Field::new("n", DataType::Int32, true);
            RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap()
        };
        let (table, mut encoder) = (TableName::new("orders").unwrap(), RowEncoder::default());
        let one = encoder.encode(&table, &null(7)).unwrap().to_vec();
        assert_eq!(encoder.encode(&table, &null(8)).unwrap(), one);
    }
}

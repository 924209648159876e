//! The cells of one row as bytes, and back. `docs/spec/quarantine-file.md` has the format: what is the same in all rows of a
//! table, its schema, stands once in the file; a row has its values and nothing else.
//!
//! Not an Arrow IPC stream for each row: of such a stream nine bytes in ten are schema, metadata and padding, and writing
//! them took longer than judging the row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, ArrayRef, GenericByteArray, RecordBatch, downcast_primitive_array, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_data::ArrayData;
use arrow_ipc::MetadataVersion;
use arrow_ipc::convert::try_schema_from_ipc_buffer;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use thiserror::Error;

const NULL: u8 = 0;
const VALUE: u8 = 1;
/// Buffers of a message begin at multiples of it.
const ALIGNMENT: usize = 8;

/// Stored cells that cannot be read: the file was made by something else, or is damaged.
#[derive(Debug, Error)]
pub enum CellsFault {
    /// The bytes end within a cell.
    #[error("the cells end at byte {bytes}, within a value of {wanted} bytes")]
    CutShort {
        /// How many there are.
        bytes: usize,
        /// What the value would take.
        wanted: usize,
    },
    /// There are bytes behind the last cell.
    #[error("{bytes} bytes follow the last cell")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// A cell is neither null nor a value.
    #[error("a cell begins with the byte {mark}, and may with 0 (null) or 1 (a value)")]
    Mark {
        /// What it begins with.
        mark: u8,
    },
    /// The schema or a value is not what its type allows.
    #[error("the cells are not of their types: {0}")]
    Arrow(#[from] ArrowError),
}

/// Returns a schema as an encapsulated Arrow IPC message.
pub(crate) fn schema_message(schema: &Schema) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut tracker = DictionaryTracker::new(true);
    let generator = IpcDataGenerator::default();
    let encoded = generator.schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options);
    let mut message = Vec::new();
    write_message(&mut message, encoded, &options)?;
    Ok(message)
}

/// Reads what [`schema_message`] has written. The message is checked: it may come from anybody.
pub(super) fn read_schema(message: &[u8]) -> Result<SchemaRef, ArrowError> {
    Ok(Arc::new(try_schema_from_ipc_buffer(message)?))
}

/// Adds the cells of one row to `bytes`.
pub(super) fn write(batch: &RecordBatch, row: usize, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    batch.columns().iter().try_for_each(|column| write_cell(column.as_ref(), row, bytes))
}

/// Adds a cell. Of a null nothing is kept: what the parser left in its place is nothing that it said.
fn write_cell(column: &dyn Array, row: usize, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    if column.is_null(row) {
        bytes.push(NULL);
        return Ok(());
    }
    bytes.push(VALUE);
    match column.data_type() {
        DataType::Utf8 => write_bytes(column.as_string::<i32>(), row, bytes)?,
        DataType::LargeUtf8 => write_bytes(column.as_string::<i64>(), row, bytes)?,
        DataType::Binary => write_bytes(column.as_binary::<i32>(), row, bytes)?,
        DataType::LargeBinary => write_bytes(column.as_binary::<i64>(), row, bytes)?,
        DataType::Boolean => bytes.push(u8::from(column.as_boolean().value(row))),
        DataType::FixedSizeBinary(_) => bytes.extend_from_slice(column.as_fixed_size_binary().value(row)),
        DataType::List(_) => write_items(&column.as_list::<i32>().value(row), bytes)?,
        DataType::LargeList(_) => write_items(&column.as_list::<i64>().value(row), bytes)?,
        DataType::Struct(_) => {
            let fields = column.as_struct().columns();
            fields.iter().try_for_each(|field| write_cell(field.as_ref(), row, bytes))?;
        }
        _ => downcast_primitive_array!(
            column => bytes.extend_from_slice(arrow_buffer::ToByteSlice::to_byte_slice(&column.value(row))),
            other => return Err(ArrowError::NotYetImplemented(format!("cells of {other}"))),
        ),
    }
    Ok(())
}

fn write_bytes<T: ByteArrayType>(
    column: &GenericByteArray<T>,
    row: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    let value: &[u8] = column.value(row).as_ref();
    write_length(value.len(), bytes)?;
    bytes.extend_from_slice(value);
    Ok(())
}

fn write_items(items: &ArrayRef, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    write_length(items.len(), bytes)?;
    (0..items.len()).try_for_each(|item| write_cell(items.as_ref(), item, bytes))
}

fn write_length(length: usize, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    let length = u32::try_from(length)
        .map_err(|_| ArrowError::InvalidArgumentError(format!("a value of {length} bytes or items")))?;
    bytes.extend_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Reads the cells of one row: a batch of one row.
pub(super) fn read(schema: &SchemaRef, bytes: &[u8]) -> Result<RecordBatch, CellsFault> {
    let mut rest = Rest { bytes, at: 0 };
    let columns: Vec<ArrayRef> =
        schema.fields().iter().map(|field| rest.column(field)).collect::<Result<_, _>>()?;
    match bytes.len() - rest.at {
        0 => Ok(RecordBatch::try_new(Arc::clone(schema), columns)?),
        bytes => Err(CellsFault::TooLong { bytes }),
    }
}

/// A value as it is stored. Its depth is that of its type, and types are as deep as a checked message may be.
enum Cell<'a> {
    Null,
    Bytes(&'a [u8]),
    Cells(Vec<Cell<'a>>),
}

/// Bytes that are read from the front.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn column(&mut self, field: &Field) -> Result<ArrayRef, CellsFault> {
        let cell = self.cell(field.data_type())?;
        Ok(make_array(array(field.data_type(), &[&cell])?))
    }

    fn take(&mut self, wanted: usize) -> Result<&'a [u8], CellsFault> {
        let cut_short = CellsFault::CutShort { bytes: self.bytes.len(), wanted };
        let end = self.at.checked_add(wanted).filter(|end| *end <= self.bytes.len()).ok_or(cut_short)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn length(&mut self) -> Result<usize, CellsFault> {
        let bytes = self.take(size_of::<u32>())?;
        Ok(bytes.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn cell(&mut self, kind: &DataType) -> Result<Cell<'a>, CellsFault> {
        match self.take(1)? {
            [NULL] => return Ok(Cell::Null),
            [VALUE] => {}
            other => return Err(CellsFault::Mark { mark: other.first().copied().unwrap_or_default() }),
        }
        match kind {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                let length = self.length()?;
                self.take(length).map(Cell::Bytes)
            }
            DataType::List(item) | DataType::LargeList(item) => {
                // A count may lie. Every item takes a byte at least, so a liar is found out before he has cost anything.
                let count = self.length()?;
                (0..count).map(|_| self.cell(item.data_type())).collect::<Result<_, _>>().map(Cell::Cells)
            }
            DataType::Struct(fields) => {
                let cells = fields.iter().map(|field| self.cell(field.data_type()));
                cells.collect::<Result<_, _>>().map(Cell::Cells)
            }
            other => self.take(width(other)?).map(Cell::Bytes),
        }
    }
}

/// Returns the bytes that each value of a type takes.
fn width(kind: &DataType) -> Result<usize, ArrowError> {
    let width = match kind {
        DataType::Boolean => Some(1),
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok(),
        other => other.primitive_width(),
    };
    width.ok_or_else(|| ArrowError::NotYetImplemented(format!("cells of {kind}")))
}

/// Builds an array; building checks every value against its type.
fn array(kind: &DataType, cells: &[&Cell<'_>]) -> Result<ArrayData, ArrowError> {
    let nulls: NullBuffer = cells.iter().map(|cell| !matches!(cell, Cell::Null)).collect();
    let builder = ArrayData::builder(kind.clone()).len(cells.len()).nulls(Some(nulls));
    let builder = match kind {
        DataType::Utf8 | DataType::Binary => {
            builder.add_buffer(offsets::<i32>(cells)).add_buffer(joined(cells))
        }
        DataType::LargeUtf8 | DataType::LargeBinary => {
            builder.add_buffer(offsets::<i64>(cells)).add_buffer(joined(cells))
        }
        DataType::List(item) => {
            builder.add_buffer(offsets::<i32>(cells)).add_child_data(array(item.data_type(), &items(cells))?)
        }
        DataType::LargeList(item) => {
            builder.add_buffer(offsets::<i64>(cells)).add_child_data(array(item.data_type(), &items(cells))?)
        }
        DataType::Struct(fields) => {
            let children = fields.iter().enumerate().map(|(at, field)| {
                array(field.data_type(), &cells.iter().map(|cell| child(cell, at)).collect::<Vec<_>>())
            });
            builder.child_data(children.collect::<Result<_, _>>()?)
        }
        DataType::Boolean => {
            let bits: BooleanBuffer = cells.iter().map(|cell| bytes_of(cell) == [1]).collect();
            builder.add_buffer(bits.into_inner())
        }
        other => builder.add_buffer(padded(cells, width(other)?)),
    };
    builder.align_buffers(true).build()
}

fn offsets<O: arrow_array::OffsetSizeTrait>(cells: &[&Cell<'_>]) -> Buffer {
    let lengths = cells.iter().map(|cell| match cell {
        Cell::Null => 0,
        Cell::Bytes(bytes) => bytes.len(),
        Cell::Cells(items) => items.len(),
    });
    OffsetBuffer::<O>::from_lengths(lengths).into_inner().into_inner()
}

fn joined(cells: &[&Cell<'_>]) -> Buffer {
    cells.iter().flat_map(|cell| bytes_of(cell).iter().copied()).collect::<Vec<u8>>().into()
}

/// Joins values of one width; nulls are zeros.
fn padded(cells: &[&Cell<'_>], width: usize) -> Buffer {
    let mut joined = Vec::with_capacity(cells.len() * width);
    for (at, cell) in cells.iter().enumerate() {
        joined.extend_from_slice(bytes_of(cell));
        joined.resize((at + 1) * width, 0);
    }
    joined.into()
}

fn bytes_of<'a>(cell: &Cell<'a>) -> &'a [u8] {
    if let Cell::Bytes(bytes) = cell { bytes } else { &[] }
}

fn items<'a, 'b>(cells: &[&'b Cell<'a>]) -> Vec<&'b Cell<'a>> {
    cells.iter().flat_map(|cell| if let Cell::Cells(items) = cell { items.as_slice() } else { &[] }).collect()
}

fn child<'a, 'b>(cell: &'b Cell<'a>, at: usize) -> &'b Cell<'a> {
    if let Cell::Cells(cells) = cell { cells.get(at).unwrap_or(&Cell::Null) } else { &Cell::Null }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;

    use super::*;
    use crate::sinks::guest::every_type;

    fn written(batch: &RecordBatch, row: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(batch, row, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_row_of_every_type_reads_back_as_it_was() {
        let rows = every_type();
        let schema = read_schema(&schema_message(&rows.schema()).unwrap()).unwrap();
        for at in 0..rows.num_rows() {
            assert_eq!(read(&schema, &written(&rows, at)).unwrap(), rows.slice(at, 1));
        }
    }

    #[test]
    fn each_type_alone_reads_back_as_it_was() {
        let rows = every_type();
        for at in 0..rows.num_columns() {
            let column = rows.project(&[at]).unwrap();
            for row in 0..column.num_rows() {
                let read = read(&column.schema(), &written(&column, row)).unwrap();
                assert_eq!(read, column.slice(row, 1), "{}", column.schema().field(0));
            }
        }
    }

    #[test]
    fn a_row_of_a_slice_is_the_row_of_the_whole() {
        let rows = every_type();
        for row in 1..rows.num_rows() {
            assert_eq!(written(&rows.slice(1, 2), row - 1), written(&rows, row));
        }
    }

    #[test]
    fn what_a_parser_left_in_the_place_of_a_null_does_not_show() {
        let null = |left: i32| -> RecordBatch {
            let column: ArrayRef = Arc::new(Int32Array::new(vec![left].into(), Some(vec![false].into())));
            let field = Field::new("n", DataType::Int32, true);
            RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap()
        };
        assert_eq!(written(&null(7), 0), [NULL]);
        assert_eq!(written(&null(8), 0), [NULL]);
    }

    #[test]
    fn cells_are_laid_out_as_the_specification_says() {
        let names: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["AB"]));
        let counts: ArrayRef = Arc::new(Int32Array::from(vec![None]));
        let sizes: ArrayRef = Arc::new(arrow_array::UInt16Array::from(vec![258]));
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("name", names, true),
            ("count", counts, true),
            ("size", sizes, true),
        ]);
        assert_eq!(written(&batch.unwrap(), 0), [1, 2, 0, 0, 0, b'A', b'B', 0, 1, 2, 1]);
    }

    #[test]
    fn no_damage_to_stored_cells_is_a_panic() {
        let rows = every_type();
        let schema = rows.schema();
        let whole = written(&rows, 0);
        for end in 0..whole.len() {
            assert!(read(&schema, &whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            for damage in [0x00, 0x02, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = damage;
                let _ = read(&schema, &damaged);
            }
        }
        assert!(matches!(read(&schema, &[&whole[..], b"x"].concat()), Err(CellsFault::TooLong { bytes: 1 })));
    }

    #[test]
    fn a_list_that_claims_more_items_than_there_are_bytes_is_refused() {
        let item = Arc::new(Field::new("item", DataType::Int8, true));
        let schema = Arc::new(Schema::new(vec![Field::new("l", DataType::List(item), true)]));
        let fault = read(&schema, &[1, 255, 255, 255, 255, 0]).unwrap_err();
        assert!(matches!(fault, CellsFault::CutShort { bytes: 6, wanted: 1 }), "{fault}");
    }
}

//! Arrow's own reader, asked for a second opinion on what the guard has accepted. The fuzzer asks it too.

#![allow(unreachable_pub, reason = "the fuzzer's crate exports this module, these tests do not")]

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field, Schema};
use casparian_core::batch::Batch;
use casparian_core::wire::{self, Checked, TableSchema};

/// Reads a schema message that was accepted as Arrow does, and compares the columns.
pub fn check_columns(schema: &TableSchema, message: &[u8]) {
    let arrow = arrow_ipc::convert::fb_to_schema(metadata(message).header_as_schema().unwrap());
    let plain: Vec<Field> = arrow.fields().iter().map(|field| rebuilt(field, Field::is_nullable)).collect();
    assert_eq!(**schema.columns(), Schema::new(plain));
}

fn metadata(message: &[u8]) -> arrow_ipc::Message<'_> {
    let length = u32::from_le_bytes(message[4..8].try_into().unwrap()) as usize;
    arrow_ipc::root_as_message(&message[8..8 + length]).unwrap()
}

/// Reads a checked batch, validates what comes out in full, and compares it with what Arrow's own reader makes of the
/// message.
pub fn check_reading(schema: &TableSchema, checked: &Checked<'_>, message: &[u8]) -> Batch {
    let batch =
        checked.read().unwrap_or_else(|fault| panic!("the guard agreed, the reader did not: {fault}"));
    batch.rows().columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
    let arrow = arrow_reading(schema, message);
    assert_eq!(arrow.num_rows() as u64, batch.num_rows());
    let payload = schema.columns().fields().iter().zip(arrow.columns());
    let payload = payload
        .filter(|(field, _)| ![wire::OFFSET, wire::LENGTH, wire::FAULTS].contains(&field.name().as_str()));
    for ((field, theirs), ours) in payload.zip(batch.rows().columns()) {
        assert_eq!(theirs.to_data(), ours.to_data(), "column {}", field.name());
    }
    if let Some(spans) = batch.spans() {
        let column = |name| arrow.column_by_name(name).unwrap().to_data();
        assert_eq!(
            (column(wire::OFFSET), column(wire::LENGTH)),
            (spans.offsets().to_data(), spans.lengths().to_data())
        );
    }
    batch
}

/// Reads a message as Arrow does, every column nullable.
fn arrow_reading(schema: &TableSchema, message: &[u8]) -> RecordBatch {
    let metadata = metadata(message);
    let batch = metadata.header_as_record_batch().unwrap();
    let relaxed = schema.columns().fields().iter().map(|field| rebuilt(field, |_| true));
    let body = Buffer::from(&message[message.len() - metadata.bodyLength() as usize..]);
    let relaxed = Arc::new(Schema::new(relaxed.collect::<Vec<_>>()));
    arrow_ipc::reader::read_record_batch(&body, batch, relaxed, &HashMap::new(), None, &metadata.version())
        .unwrap()
}

/// Rebuilds a field without its metadata, calls the items of lists `item`, and decides anew what is nullable.
fn rebuilt(field: &Field, nullable: fn(&Field) -> bool) -> Field {
    let item = |item: &Field| Arc::new(rebuilt(item, nullable).with_name(Field::LIST_FIELD_DEFAULT_NAME));
    let data_type = match field.data_type() {
        DataType::List(field) => DataType::List(item(field)),
        DataType::LargeList(field) => DataType::LargeList(item(field)),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| rebuilt(field, nullable)).collect())
        }
        other => other.clone(),
    };
    Field::new(field.name(), data_type, nullable(field))
}

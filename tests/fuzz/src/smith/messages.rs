//! The schema and the batch that a generated parser has to begin with: one number, and the span of its record.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow_ipc::writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{DataType, Field, Schema};

use super::frame::RECORD_BYTES;

/// Where a record is not, so that it can be found in a message.
const NOWHERE: u64 = 0x5eed_5eed_5eed_5eed;

/// Returns a schema, a batch of one row, and where in the batch the offset of its record stands.
pub(super) fn of_one_row() -> (Vec<u8>, Vec<u8>, usize) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("_cf_offset", DataType::UInt64, false),
        Field::new("_cf_length", DataType::UInt32, false),
        Field::new("n", DataType::Int64, true),
    ]));
    let length = u32::try_from(RECORD_BYTES).expect("a small one");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(vec![NOWHERE])),
        Arc::new(UInt32Array::from(vec![length])),
        Arc::new(Int64Array::from(vec![7])),
    ];
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns of one length");
    let options = IpcWriteOptions::default();
    let writer = IpcDataGenerator::default();
    let mut tracker = DictionaryTracker::new(false);
    let head = writer.schema_to_bytes_with_dictionary_tracker(&schema, &mut tracker, &options);
    let (_, body) = writer
        .encode(&rows, &mut tracker, &options, &mut CompressionContext::default())
        .expect("rows are written");
    let mut messages = [head, body].map(|message| {
        let mut bytes = Vec::new();
        arrow_ipc::writer::write_message(&mut bytes, message, &options).expect("memory takes it");
        bytes
    });
    let [schema, batch] = &mut messages;
    let at = batch.windows(8).position(|bytes| bytes == NOWHERE.to_le_bytes()).expect("the span is in it");
    (std::mem::take(schema), std::mem::take(batch), at)
}

//! A guest's words, for tests: what it says goes through the wire and the flow, as in a run.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_ipc::writer::{DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow_schema::{DataType, Field, Schema};
use casparian_core::fault::Span;
use casparian_core::id::TableName;
use casparian_core::intake::{Said, TableId};
use casparian_core::limits::{Budget, Limits};
use casparian_core::wire::{self, TableSchema};

/// A table as a guest opens it.
pub(crate) struct Spoken {
    id: TableId,
    name: TableName,
    schema: TableSchema,
}

/// Adds to columns what says where each row comes from.
pub(crate) fn with_spans(rows: &RecordBatch, spans: &[Span]) -> RecordBatch {
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(wire::OFFSET, DataType::UInt64, false)));
    fields.push(Arc::new(Field::new(wire::LENGTH, DataType::UInt32, false)));
    let mut columns = rows.columns().to_vec();
    let offsets: ArrayRef = Arc::new(UInt64Array::from_iter_values(spans.iter().map(|span| span.offset)));
    let lengths = UInt32Array::from_iter_values(spans.iter().map(|span| u32::try_from(span.length).unwrap()));
    columns.extend([offsets, Arc::new(lengths)]);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Spans of `length` bytes each that touch, from byte 0 on.
pub(crate) fn spans(count: usize, length: u64) -> Vec<Span> {
    (0..count as u64).map(|at| Span { offset: at * length, length }).collect()
}

impl Spoken {
    pub(crate) fn table(id: usize, name: &str, columns: &Schema) -> Self {
        let mut tracker = DictionaryTracker::new(true);
        let options = IpcWriteOptions::default();
        let encoded = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
            columns,
            &mut tracker,
            &options,
        );
        let schema = wire::schema(&message(encoded)).unwrap();
        Self { id: TableId(id), name: TableName::new(name).unwrap(), schema }
    }

    pub(crate) fn opened(&self) -> Said {
        Said::Opened { table: self.id, name: self.name.clone(), schema: self.schema.clone() }
    }

    pub(crate) fn rows(&self, rows: &RecordBatch) -> Said {
        let mut tracker = DictionaryTracker::new(true);
        let options = IpcWriteOptions::default();
        let (_, encoded) = IpcDataGenerator::default()
            .encode(rows, &mut tracker, &options, &mut Default::default())
            .unwrap();
        let mut budget = Budget::new(&Limits::default(), 1 << 40);
        let batch = wire::decode(&self.schema, &message(encoded), &mut budget).unwrap();
        Said::Rows { table: self.id, batch }
    }
}

fn message(encoded: EncodedData) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, encoded, &IpcWriteOptions::default()).unwrap();
    bytes
}

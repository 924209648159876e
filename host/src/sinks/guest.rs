//! A guest's words, for tests: what it says goes through the wire and the flow, as in a run.

use std::sync::Arc;

use arrow_array::types::Decimal128Type;
use arrow_array::*;
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

/// Three rows of every type that the wire allows; the second holds nulls.
pub(crate) fn every_type() -> RecordBatch {
    let nested = StructArray::from(vec![
        (
            Arc::new(Field::new("n", DataType::Int16, true)),
            Arc::new(Int16Array::from(vec![1, 2, 3])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("t", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["a", "b", "c"])) as _,
        ),
    ]);
    let lists = ListArray::from_iter_primitive::<Decimal128Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let mut large_lists = builder::LargeListBuilder::new(builder::StringBuilder::new());
    large_lists.append_value([Some("a"), None]);
    large_lists.append_null();
    large_lists.append_value([Some("b")]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(1)])),
        Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(1)])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(1)])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(1)])),
        Arc::new(UInt8Array::from(vec![Some(u8::MAX), None, Some(1)])),
        Arc::new(UInt16Array::from(vec![Some(u16::MAX), None, Some(1)])),
        Arc::new(UInt32Array::from(vec![Some(u32::MAX), None, Some(1)])),
        Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(1)])),
        Arc::new(Float32Array::from(vec![Some(-0.0), None, Some(f32::INFINITY)])),
        Arc::new(Float64Array::from(vec![Some(f64::MIN_POSITIVE), None, Some(-0.0)])),
        Arc::new(StringArray::from(vec![Some(""), None, Some("=cmd|' /C calc'!A0")])),
        Arc::new(LargeStringArray::from(vec![Some("ä"), None, Some("b")])),
        Arc::new(BinaryArray::from(vec![Some(&b"\0\xff"[..]), None, Some(b"")])),
        Arc::new(LargeBinaryArray::from(vec![Some(&b"\0\xff"[..]), None, Some(b"")])),
        Arc::new(FixedSizeBinaryArray::from(vec![Some(&[1_u8, 2][..]), None, Some(&[3, 4])])),
        Arc::new(Date32Array::from(vec![Some(i32::MAX), None, Some(1)])),
        Arc::new(Date64Array::from(vec![Some(86_400_000), None, Some(0)])),
        Arc::new(Time32SecondArray::from(vec![Some(86_399), None, Some(0)])),
        Arc::new(Time32MillisecondArray::from(vec![Some(86_399_999), None, Some(0)])),
        Arc::new(Time64MicrosecondArray::from(vec![Some(1), None, Some(0)])),
        Arc::new(Time64NanosecondArray::from(vec![Some(1), None, Some(0)])),
        Arc::new(TimestampSecondArray::from(vec![Some(i64::MAX), None, Some(0)])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(i64::MAX), None, Some(0)]).with_timezone("UTC")),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(i64::MIN), None, Some(0)])),
        Arc::new(TimestampNanosecondArray::from(vec![Some(1), None, Some(0)]).with_timezone("+01:00")),
        Arc::new(DurationMillisecondArray::from(vec![Some(-1), None, Some(0)])),
        Arc::new(
            Decimal128Array::from(vec![Some(-1), None, Some(0)]).with_precision_and_scale(18, 4).unwrap(),
        ),
        Arc::new(
            Decimal256Array::from(vec![Some(arrow_buffer::i256::MINUS_ONE), None, None])
                .with_precision_and_scale(76, 10)
                .unwrap(),
        ),
        Arc::new(lists),
        Arc::new(large_lists.finish()),
        Arc::new(nested),
    ];
    let field =
        |(at, column): (usize, &ArrayRef)| Field::new(format!("c{at}"), column.data_type().clone(), true);
    let fields: Vec<Field> = columns.iter().enumerate().map(field).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

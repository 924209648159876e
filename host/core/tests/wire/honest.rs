//! What an honest writer sends passes, and comes out as it went in; and what passes is read by Arrow's own reader to the
//! same rows.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array, new_null_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use casparian_core::wire;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::forge::{batch_message, budget, schema_of, table};
use crate::oracle::check_reading;

/// So many cases, the same ones in every run: what is new, the fuzzer looks for.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(u64::from(count)),
        ..ProptestConfig::with_cases(count)
    }
}

/// Returns every type that is allowed, those with parameters more than once.
pub(crate) fn leaf_types() -> Vec<DataType> {
    use DataType::*;
    use TimeUnit::*;
    let mut types = vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Utf8,
        LargeUtf8,
        Binary,
        LargeBinary,
        FixedSizeBinary(1),
        FixedSizeBinary(16),
        Date32,
        Date64,
        Time32(Second),
        Time32(Millisecond),
        Time64(Microsecond),
        Time64(Nanosecond),
        Decimal128(38, 10),
        Decimal128(1, 0),
        Decimal256(76, 76),
    ];
    for unit in [Second, Millisecond, Microsecond, Nanosecond] {
        types.extend([Timestamp(unit, None), Timestamp(unit, Some("Europe/Zurich".into())), Duration(unit)]);
    }
    types
}

fn nested_types() -> Vec<DataType> {
    let item = |data_type| Arc::new(Field::new_list_field(data_type, true));
    let pair: Fields =
        vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Boolean, true)].into();
    vec![
        DataType::List(item(DataType::Int32)),
        DataType::LargeList(item(DataType::LargeUtf8)),
        DataType::Struct(pair.clone()),
        DataType::List(item(DataType::Struct(pair))),
    ]
}

/// Returns a batch with a column of every type. The values count up; every third is null.
pub(crate) fn every_type(rows: usize) -> RecordBatch {
    let types = leaf_types().into_iter().chain(nested_types());
    let seeds: Vec<u64> = (0..rows as u64).collect();
    let columns = types.enumerate().map(|(at, data_type)| {
        let array = make_array(grown(&data_type, &seeds));
        (Field::new(format!("c{at:02}"), data_type, true), array)
    });
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// Grows an array of any allowed type from seeds, one for each value.
fn grown(data_type: &DataType, seeds: &[u64]) -> ArrayData {
    let nulls = NullBuffer::new(BooleanBuffer::from_iter(seeds.iter().map(|seed| seed % 3 != 2)));
    let array = ArrayData::builder(data_type.clone()).len(seeds.len()).nulls(Some(nulls));
    let array = match data_type {
        DataType::Boolean => {
            array.add_buffer(BooleanBuffer::from_iter(seeds.iter().map(|seed| seed & 1 == 1)).into_inner())
        }
        DataType::Utf8 | DataType::Binary | DataType::LargeUtf8 | DataType::LargeBinary => {
            let (offsets, data) = texts(data_type, seeds);
            array.add_buffer(offsets).add_buffer(data)
        }
        DataType::List(item) | DataType::LargeList(item) => {
            let lengths = seeds.iter().map(|seed| (seed % 4) as usize);
            let children: Vec<u64> =
                seeds.iter().flat_map(|seed| (0..seed % 4).map(move |at| seed / 4 + at)).collect();
            let offsets = match data_type {
                DataType::List(_) => OffsetBuffer::<i32>::from_lengths(lengths).into_inner().into_inner(),
                _ => OffsetBuffer::<i64>::from_lengths(lengths).into_inner().into_inner(),
            };
            array.add_buffer(offsets).add_child_data(grown(item.data_type(), &children))
        }
        DataType::Struct(fields) => {
            array.child_data(fields.iter().map(|field| grown(field.data_type(), seeds)).collect())
        }
        fixed => array.add_buffer(fixed_values(fixed, seeds)),
    };
    array.align_buffers(true).build().unwrap()
}

fn texts(data_type: &DataType, seeds: &[u64]) -> (Buffer, Buffer) {
    let text = |seed: &u64| {
        "aßé漢🦀 ".chars().cycle().skip((seed % 6) as usize).take((seed % 9) as usize).collect::<String>()
    };
    let texts: Vec<String> = seeds.iter().map(text).collect();
    let lengths = texts.iter().map(String::len);
    let offsets = match data_type {
        DataType::Utf8 | DataType::Binary => {
            OffsetBuffer::<i32>::from_lengths(lengths).into_inner().into_inner()
        }
        _ => OffsetBuffer::<i64>::from_lengths(lengths).into_inner().into_inner(),
    };
    (offsets, Buffer::from(texts.concat().as_bytes()))
}

fn fixed_values(data_type: &DataType, seeds: &[u64]) -> Buffer {
    match data_type {
        DataType::FixedSizeBinary(width) => {
            seeds.iter().flat_map(|seed| vec![*seed as u8; *width as usize]).collect()
        }
        other => {
            let width = other.primitive_width().unwrap();
            let value = |seed: &u64| [u128::from(*seed).to_le_bytes(), [0; 16]].concat()[..width].to_vec();
            seeds.iter().flat_map(value).collect()
        }
    }
}

fn any_type() -> impl Strategy<Value = DataType> {
    let leaf = proptest::sample::select(leaf_types());
    // Three levels above a leaf: four types deep at most.
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|item| DataType::new_list(item, true)),
            inner.clone().prop_map(|item| DataType::new_large_list(item, true)),
            vec(inner, 1..4).prop_map(|types| {
                let field = |(at, data_type)| Field::new(format!("f{at}"), data_type, true);
                DataType::Struct(types.into_iter().enumerate().map(field).collect())
            }),
        ]
    })
}

/// Batches of any types, some of them slices, so that offsets and bitmaps do not begin where their buffers do.
pub(crate) fn any_batch() -> impl Strategy<Value = RecordBatch> {
    let types = vec(any_type(), 1..6);
    (types, vec(any::<u64>(), 0..40), 0..4_usize, any::<bool>()).prop_map(|(types, seeds, skip, no_nulls)| {
        let columns = types.iter().enumerate().map(|(at, data_type)| {
            let array = make_array(grown(data_type, &seeds));
            let array = if no_nulls { without_nulls(&array) } else { array };
            (Field::new(format!("c{at}"), data_type.clone(), true), array)
        });
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(seeds.len()));
        let batch =
            RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap();
        let skip = skip.min(batch.num_rows());
        batch.slice(skip, batch.num_rows() - skip)
    })
}

fn without_nulls(array: &ArrayRef) -> ArrayRef {
    make_array(array.to_data().into_builder().nulls(None).build().unwrap())
}

fn decoded(batch: &RecordBatch, alignment: usize) -> RecordBatch {
    let schema = table(batch);
    let message = batch_message(batch, alignment);
    let checked =
        wire::guard(&schema, &message, &mut budget()).unwrap_or_else(|fault| panic!("refused: {fault}"));
    check_reading(&schema, &checked, &message).into_rows()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_batch_of_allowed_types_comes_out_as_it_went_in(
        batch in any_batch(),
        alignment in proptest::sample::select(vec![8_usize, 64]),
    ) {
        prop_assert_eq!(decoded(&batch, alignment), batch);
    }
}

#[test]
fn a_null_where_the_schema_says_there_is_none_passes_for_the_judge_to_see() {
    let column = new_null_array(&DataType::Utf8, 2);
    let honest = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
    let strict = Schema::new(vec![Field::new("c", DataType::Utf8, false)]);
    let schema = wire::schema(&crate::forge::schema_message(&strict)).unwrap();
    let batch = wire::decode(&schema, &batch_message(&honest, 8), &mut budget()).unwrap();
    assert_eq!(batch.rows().column(0).null_count(), 2);
    assert!(!schema.declared().field(0).is_nullable());
}

#[test]
fn spans_and_faults_come_apart_from_the_payload() {
    let batch = crate::vectors::fills();
    let decoded = wire::decode(&table(&batch), &batch_message(&batch, 8), &mut budget()).unwrap();
    let names: Vec<&str> =
        decoded.rows().schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["symbol", "qty", "legs"]);
    let spans: Vec<_> = decoded.spans().unwrap().iter().map(|span| (span.offset, span.length)).collect();
    assert_eq!(spans, [(0, 40), (40, 50), (90, 7)]);
    assert_eq!(decoded.fault_rows().collect::<Vec<_>>(), [(0, "bad_checksum")]);
}

#[test]
fn every_type_comes_out_as_it_went_in() {
    for rows in [0, 1, 3, 100] {
        assert_eq!(decoded(&every_type(rows), 8), every_type(rows));
    }
}

#[test]
fn what_columns_hold_is_passed_on_cut_and_changes_nothing_else() {
    let with_doc = |field: Field, doc: &str| field.with_metadata([("doc".to_owned(), doc.to_owned())].into());
    let nested = DataType::Struct(vec![with_doc(Field::new("in", DataType::Utf8, true), "nested")].into());
    let fields = [
        with_doc(Field::new("px", DataType::Int64, false), "What was paid.\u{1b}[2J"),
        Field::new("qty", DataType::Int64, false),
        with_doc(Field::new(wire::OFFSET, DataType::UInt64, false), "not a column of the payload"),
        Field::new(wire::LENGTH, DataType::UInt32, false),
        Field::new("leg", nested, true),
        with_doc(Field::new("long", DataType::Utf8, true), &"x".repeat(10_000)),
    ];
    let plain = fields.clone().map(|field| field.with_metadata(Default::default()));
    let schema = wire::schema(&schema_of(fields)).unwrap();
    let docs: Vec<String> = schema.docs().iter().map(ToString::to_string).collect();
    let long = format!("{}…", "x".repeat(256));
    assert_eq!(docs, ["What was paid.\\u{1b}[2J", "", "", long.as_str()]);
    assert_eq!(schema, wire::schema(&schema_of(plain)).unwrap());
    assert!(schema.declared().fields().iter().all(|field| field.metadata().is_empty()));
}

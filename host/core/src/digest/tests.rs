use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::types::Int32Type;
use arrow_array::*;
use arrow_buffer::{Buffer, OffsetBuffer, i256};
use arrow_data::ArrayData;
use arrow_schema::Fields;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::contract::Severity;
use crate::contract::verdict::{BrokenRule, Code, Rejected, RejectedRow, Violation};
use crate::fault::Span;
use crate::guest_text::GuestText;

/// A row of every kind of column that is hashed differently.
type Row =
    (Option<i64>, Option<String>, Option<u64>, Option<bool>, Option<Vec<Option<i32>>>, Option<Option<i16>>);

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
fn steps_go_on_from_one_batch_to_the_next() {
    let offset: FieldRef = Arc::new(Field::new("_cf_offset", DataType::UInt64, false));
    let of = |batches: &[&[u64]]| {
        let mut digest = TableDigest::new(&name(), std::slice::from_ref(&offset));
        for batch in batches {
            digest.add(&[Arc::new(UInt64Array::from(batch.to_vec()))]).unwrap();
        }
        digest.finish()
    };
    let whole = of(&[&[3, 5, 900, 1 << 40]]);
    assert_eq!(of(&[&[3], &[], &[5, 900], &[1 << 40]]), whole);
    for other in [[3, 5, 900, 1 << 41], [2, 5, 900, 1 << 40], [3, 5, 5 + (895 << 7), 1 << 40]] {
        assert_ne!(of(&[&other]), whole);
    }
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
    let of =
        |table: &str, field: FieldRef| TableDigest::new(&TableName::new(table).unwrap(), &[field]).finish();
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
    let vectors = include_str!("../../../../docs/spec/vectors/digest.jsonl");
    let mut count = 0;
    for vector in vectors.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let fields: Vec<FieldRef> =
            vector["columns"].as_array().unwrap().iter().map(|field| Arc::new(field_of(field))).collect();
        let rows = vector["rows"].as_array().unwrap();
        let columns: Vec<ArrayRef> = fields
            .iter()
            .enumerate()
            .map(|(at, field)| array(field.data_type(), &rows.iter().map(|row| &row[at]).collect::<Vec<_>>()))
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
        DataType::Boolean => Arc::new(BooleanArray::from_iter(values.iter().map(|value| value.as_bool()))),
        DataType::Utf8 => Arc::new(StringArray::from_iter(values.iter().map(|value| value.as_str()))),
        DataType::Binary => {
            Arc::new(BinaryArray::from_iter(values.iter().map(|value| value.as_str().map(unhex))))
        }
        DataType::List(item) => {
            let lengths = values.iter().map(|value| value.as_array().map_or(0, Vec::len));
            let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
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
            let bytes: Vec<u8> = values.iter().flat_map(|value| fixed_bytes(fixed, value, width)).collect();
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
            batch: std::sync::Arc::new(batch),
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

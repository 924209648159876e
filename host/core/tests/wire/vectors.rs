//! The golden messages of `wit/vectors`: what each of them is, and why it must be accepted or refused.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Int8Array, Int64Array, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_ipc::{CompressionType, Endianness, MessageHeader, MetadataVersion, Type};
use arrow_schema::{DataType, Field, IntervalUnit, Schema, TimeUnit, UnionFields, UnionMode};

use crate::forge::{
    Forged, ForgedField, batch_message, batch_of, encapsulate, forged_schema, schema_message, schema_of,
    shared_field_schema,
};
use crate::honest::every_type;

/// A message and its verdict.
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    /// The vector that holds the schema of this batch; `None` where this is a schema itself.
    pub(crate) schema: Option<&'static str>,
    pub(crate) message: Vec<u8>,
    /// The code of its refusal; `None` where it must be accepted.
    pub(crate) code: Option<&'static str>,
    pub(crate) why: &'static str,
}

/// Returns all of them, schemas before the batches that need them.
pub(crate) fn all() -> Vec<Vector> {
    let mut all = good_schemas();
    all.extend(bad_envelopes());
    all.extend(bad_metadata());
    all.extend(bad_types());
    all.extend(bad_parameters());
    all.extend(bad_names());
    all.extend(bad_reserved());
    all.extend(good_batches());
    all.extend(bad_batches());
    all.extend(bad_nodes());
    all.extend(bad_buffers());
    all.extend(bad_values());
    all
}

fn schema(
    name: &'static str,
    message: Vec<u8>,
    code: impl Into<Option<&'static str>>,
    why: &'static str,
) -> Vector {
    Vector { name, schema: None, message, code: code.into(), why }
}

fn batch(
    name: &'static str,
    schema: &'static str,
    message: Vec<u8>,
    code: impl Into<Option<&'static str>>,
    why: &'static str,
) -> Vector {
    Vector { name, schema: Some(schema), message, code: code.into(), why }
}

fn number() -> Field {
    Field::new("n", DataType::Int8, true)
}

fn good_schemas() -> Vec<Vector> {
    let metadata = HashMap::from([("author".to_owned(), "nobody".to_owned())]);
    let names = ["Straße 7", "ciudad/país", "名前", "=cmd|'/c calc'!A0", "_cfx"];
    let deep = DataType::new_list(struct_of(DataType::new_list(DataType::Int16, true)), true);
    vec![
        schema("schema-minimal", schema_of([number()]), None, "one nullable int8 column `n`"),
        schema(
            "schema-every-type",
            schema_message(&every_type(0).schema()),
            None,
            "every allowed type once or more",
        ),
        schema(
            "schema-fills",
            schema_message(&fills().schema()),
            None,
            "spans, faults, and three columns of payload",
        ),
        schema(
            "schema-deep",
            schema_of([Field::new("d", deep, true)]),
            None,
            "list of struct of list of int16: four types deep",
        ),
        schema(
            "schema-metadata",
            schema_message(&Schema::new_with_metadata(vec![number()], metadata)),
            None,
            "custom metadata are ignored",
        ),
        schema("schema-meant", meant("d:18,4", DataType::Utf8), None, "texts that are meant to be decimals"),
        schema(
            "schema-names",
            schema_of(names.map(|name| Field::new(name, DataType::Utf8, true))),
            None,
            "any printable text is a name",
        ),
    ]
}

fn struct_of(inner: DataType) -> DataType {
    DataType::Struct(vec![Field::new("inner", inner, true)].into())
}

fn spoilt(message: &[u8], spoil: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut message = message.to_vec();
    spoil(&mut message);
    message
}

fn bad_envelopes() -> Vec<Vector> {
    let good = schema_of([number()]);
    let length = |declared: i32| spoilt(&good, |m| m[4..8].copy_from_slice(&declared.to_le_bytes()));
    let end_of_stream = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    vec![
        schema("empty", Vec::new(), "message-short", "there is nothing"),
        schema("seven-bytes", good[..7].to_vec(), "message-short", "the prefix is cut off"),
        schema(
            "no-marker",
            good[4..].to_vec(),
            "continuation-missing",
            "the form before Arrow 0.15, without the marker",
        ),
        schema(
            "end-of-stream",
            end_of_stream.to_vec(),
            "metadata-length",
            "the mark that ends a stream is no message",
        ),
        schema("length-negative", length(-1), "metadata-length", "the metadata length is -1"),
        schema("length-huge", length(i32::MAX), "metadata-length", "the metadata length is 2^31 - 1"),
        schema("length-odd", length(63), "metadata-unpadded", "the metadata length is no multiple of 8"),
        schema(
            "length-past-end",
            length(1 << 19),
            "metadata-truncated",
            "the metadata length goes past the message",
        ),
        schema(
            "schema-then-end",
            spoilt(&good, |m| m.extend(end_of_stream)),
            "trailing-bytes",
            "a whole stream where one message is due",
        ),
    ]
}

fn bad_metadata() -> Vec<Vector> {
    let good = schema_of([number()]);
    let version = |version| Forged::of(&fills()).with(|f| f.version = version).message();
    vec![
        schema(
            "root-outside",
            spoilt(&good, |m| m[8..12].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes())),
            "metadata-malformed",
            "the root table lies outside of the metadata",
        ),
        schema(
            "root-misaligned",
            spoilt(&good, |m| m[8..12].copy_from_slice(&6_u32.to_le_bytes())),
            "metadata-malformed",
            "the root table is not aligned",
        ),
        schema(
            "all-zero",
            encapsulate(&[0; 64], &[]),
            "metadata-malformed",
            "tables that refer to themselves",
        ),
        schema("all-ones", encapsulate(&[0xff; 64], &[]), "metadata-malformed", "every offset leads outside"),
        batch(
            "version-4",
            "schema-fills",
            version(MetadataVersion::V4),
            "metadata-version",
            "V4 lays unions out otherwise",
        ),
        schema(
            "batch-for-schema",
            batch_message(&fills(), 8),
            "wrong-header",
            "a record batch where a schema is due",
        ),
        schema("big-endian", forged_schema(&int_field(8), Endianness::Big), "endianness", "big endian"),
        schema(
            "no-columns",
            schema_of([]),
            "no-columns",
            "rows without columns take no bytes, so nothing bounds them",
        ),
        schema(
            "reserved-columns-only",
            schema_of([
                Field::new("_cf_offset", DataType::UInt64, false),
                Field::new("_cf_length", DataType::UInt32, false),
            ]),
            "no-columns",
            "no column besides the reserved ones",
        ),
        schema("many-fields", shared_field_schema(4097, 1), "too-many-fields", "4097 columns"),
    ]
}

fn typed(name: &'static str, data_type: DataType, code: &'static str, why: &'static str) -> Vector {
    schema(name, schema_of([Field::new("c", data_type, true)]), code, why)
}

fn bad_types() -> Vec<Vector> {
    let int = || Arc::new(Field::new("item", DataType::Int32, true));
    let entries = struct_fields([("keys", DataType::Utf8, false), ("values", DataType::Int32, true)]);
    let union = UnionFields::try_new([0], [Field::new("a", DataType::Int32, true)]).unwrap();
    let run_ends = Arc::new(Field::new("run_ends", DataType::Int64, false));
    let denied = "type-denied";
    vec![
        typed("type-null", DataType::Null, denied, "2^40 nulls take no bytes"),
        typed("type-utf8-view", DataType::Utf8View, denied, "views let few bytes stand for many"),
        typed("type-binary-view", DataType::BinaryView, denied, "views let few bytes stand for many"),
        typed("type-list-view", DataType::ListView(int()), denied, "views let few values stand for many"),
        typed(
            "type-large-list-view",
            DataType::LargeListView(int()),
            denied,
            "views let few values stand for many",
        ),
        typed(
            "type-run-ends",
            DataType::RunEndEncoded(run_ends, int()),
            denied,
            "one run can stand for 2^50 rows",
        ),
        typed(
            "type-dictionary",
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
            denied,
            "dictionaries come in messages of their own",
        ),
        typed("type-union", DataType::Union(union, UnionMode::Sparse), denied, "not among the allowed types"),
        typed(
            "type-map",
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false),
            denied,
            "not among the allowed types",
        ),
        typed(
            "type-fixed-size-list",
            DataType::FixedSizeList(int(), 2),
            denied,
            "not among the allowed types",
        ),
        typed(
            "type-interval",
            DataType::Interval(IntervalUnit::DayTime),
            denied,
            "not among the allowed types",
        ),
        typed("type-denied-within", DataType::new_list(DataType::Null, true), denied, "a list of nulls"),
        schema("type-none", forged_type(Type::NONE), denied, "a field of no type"),
        schema("type-unknown", forged_type(Type(99)), denied, "a type from the future"),
        schema(
            "type-meant-no-text",
            meant("u", DataType::Utf8),
            "type-meant",
            "a text is a text without saying so",
        ),
        schema(
            "type-meant-odd",
            meant("d:5,9", DataType::Utf8),
            "type-meant",
            "texts meant to be no type that there is",
        ),
        schema("type-meant-int", meant("l", DataType::Int64), "type-meant", "a meaning for what is no text"),
        schema("type-extension", extension(), "extension-denied", "storage that means something else"),
        typed(
            "struct-empty",
            DataType::Struct(Vec::<Field>::new().into()),
            "child-count",
            "rows that take no bytes",
        ),
        schema("list-childless", forged_type(Type::List), "child-count", "a list of nothing"),
        typed("too-deep", nested(5), "type-too-deep", "five types deep"),
    ]
}

fn struct_fields<const N: usize>(fields: [(&str, DataType, bool); N]) -> DataType {
    DataType::Struct(
        fields.map(|(name, data_type, nullable)| Field::new(name, data_type, nullable)).to_vec().into(),
    )
}

/// Returns a type so many types deep, itself counted.
pub(crate) fn nested(depth: usize) -> DataType {
    (1..depth).fold(DataType::Int8, |inner, _| struct_of(inner))
}

/// A column whose values are meant to be of a type.
fn meant(format: &str, data_type: DataType) -> Vec<u8> {
    let metadata = HashMap::from([("casparian.type".to_owned(), format.to_owned())]);
    schema_of([Field::new("n", data_type, true).with_metadata(metadata)])
}

fn extension() -> Vec<u8> {
    let metadata = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
    schema_of([Field::new("id", DataType::FixedSizeBinary(16), true).with_metadata(metadata)])
}

/// Any field at all, with the parameters of an int.
fn forged_type(type_type: Type) -> Vec<u8> {
    forged_schema(&ForgedField { type_type, ..int_field(8) }, Endianness::Little)
}

fn int_field(width: i32) -> ForgedField {
    ForgedField {
        name: Some("n"),
        type_type: Type::Int,
        parameters: Box::new(move |fbb| {
            let args = arrow_ipc::IntArgs { bitWidth: width, is_signed: true };
            arrow_ipc::Int::create(fbb, &args).as_union_value()
        }),
    }
}

fn decimal_field(precision: i32, scale: i32, width: i32) -> Vec<u8> {
    let field = ForgedField {
        name: Some("n"),
        type_type: Type::Decimal,
        parameters: Box::new(move |fbb| {
            let args = arrow_ipc::DecimalArgs { precision, scale, bitWidth: width };
            arrow_ipc::Decimal::create(fbb, &args).as_union_value()
        }),
    };
    forged_schema(&field, Endianness::Little)
}

fn time_field(unit: i16, width: i32) -> Vec<u8> {
    let field = ForgedField {
        name: Some("n"),
        type_type: Type::Time,
        parameters: Box::new(move |fbb| {
            let args = arrow_ipc::TimeArgs { unit: arrow_ipc::TimeUnit(unit), bitWidth: width };
            arrow_ipc::Time::create(fbb, &args).as_union_value()
        }),
    };
    forged_schema(&field, Endianness::Little)
}

fn zone_field(zone: &'static str) -> Vec<u8> {
    let field = ForgedField {
        name: Some("n"),
        type_type: Type::Timestamp,
        parameters: Box::new(move |fbb| {
            let timezone = Some(fbb.create_string(zone));
            let args = arrow_ipc::TimestampArgs { unit: arrow_ipc::TimeUnit::SECOND, timezone };
            arrow_ipc::Timestamp::create(fbb, &args).as_union_value()
        }),
    };
    forged_schema(&field, Endianness::Little)
}

fn bad_parameters() -> Vec<Vector> {
    let code = "type-parameter";
    let zone = |zone: &str| DataType::Timestamp(TimeUnit::Second, Some(zone.into()));
    vec![
        schema(
            "int-7",
            forged_schema(&int_field(7), Endianness::Little),
            code,
            "ints have 8, 16, 32 or 64 bits",
        ),
        typed("float-16", DataType::Float16, code, "floats have 32 or 64 bits"),
        typed("fixed-size-binary-0", DataType::FixedSizeBinary(0), code, "values that take no bytes"),
        typed(
            "fixed-size-binary-65537",
            DataType::FixedSizeBinary(65_537),
            code,
            "one null of it would take more than 64 KiB",
        ),
        schema("decimal-32", decimal_field(9, 2, 32), code, "decimals have 128 or 256 bits"),
        schema("decimal-precision-0", decimal_field(0, 0, 128), code, "a decimal has a digit"),
        schema("decimal-precision-39", decimal_field(39, 0, 128), code, "128 bits hold 38 digits"),
        schema("decimal-precision-77", decimal_field(77, 0, 256), code, "256 bits hold 76 digits"),
        schema(
            "decimal-scale-minus",
            decimal_field(10, -2, 128),
            code,
            "the scale is from 0 to the precision",
        ),
        schema("decimal-scale-11", decimal_field(10, 11, 128), code, "the scale is from 0 to the precision"),
        schema("time-64-seconds", time_field(0, 64), code, "seconds and milliseconds have 32 bits"),
        schema("time-32-nanoseconds", time_field(3, 32), code, "microseconds and nanoseconds have 64 bits"),
        schema("time-unit-9", time_field(9, 64), code, "there is no such unit"),
        schema("zone-empty", zone_field(""), "time-zone", "no zone is no zone, not an empty one"),
        typed("zone-escape", zone("UTC\u{1b}[2J"), "time-zone", "letters, digits and `+-:/_` make a zone"),
    ]
}

fn bad_names() -> Vec<Vector> {
    let named = |name: &str| schema_of([Field::new(name, DataType::Int8, true)]);
    let two = |a: &str, b: &str| {
        schema_of([Field::new(a, DataType::Int8, true), Field::new(b, DataType::Int8, true)])
    };
    let within = struct_fields([("_cf_offset", DataType::UInt64, false)]);
    let nameless = ForgedField { name: None, ..int_field(8) };
    vec![
        schema("name-empty", named(""), "name-length", "a name has a character"),
        schema(
            "name-absent",
            forged_schema(&nameless, Endianness::Little),
            "name-length",
            "a field without a name",
        ),
        schema("name-long", named(&"x".repeat(257)), "name-length", "257 bytes"),
        schema("name-newline", named("a\nb"), "name-unprintable", "a control character"),
        schema("name-bidi", named("a\u{202e}b"), "name-unprintable", "it would be shown in another order"),
        schema("name-joiner", named("a\u{200d}b"), "name-unprintable", "a character that cannot be seen"),
        schema("name-twice", two("a", "a"), "name-repeated", "two columns of one name"),
        schema("name-case", two("Id", "iD"), "name-repeated", "they differ in case only"),
        schema("name-case-folded", two("straße", "STRASSE"), "name-repeated", "they differ in case only"),
        schema("name-reserved", named("_cf_record_no"), "name-reserved", "the host's own column"),
        schema("name-reserved-case", named("_CF_offset"), "name-reserved", "the prefix in another case"),
        typed("name-reserved-within", within, "name-reserved", "reserved columns are not nested"),
    ]
}

fn bad_reserved() -> Vec<Vector> {
    let with = |name: &str, data_type: DataType, nullable| {
        schema_of([Field::new(name, data_type, nullable), number()])
    };
    vec![
        schema("offset-int64", with("_cf_offset", DataType::Int64, false), "reserved-type", "it is uint64"),
        schema(
            "offset-nullable",
            with("_cf_offset", DataType::UInt64, true),
            "reserved-type",
            "it is not nullable",
        ),
        schema("length-uint64", with("_cf_length", DataType::UInt64, false), "reserved-type", "it is uint32"),
        schema("faults-utf8", with("_cf_faults", DataType::Utf8, true), "reserved-type", "it is list<utf8>"),
        schema(
            "faults-not-null",
            with("_cf_faults", DataType::new_list(DataType::Utf8, true), false),
            "reserved-type",
            "it is nullable",
        ),
        schema("offset-alone", with("_cf_offset", DataType::UInt64, false), "half-span", "both or neither"),
        schema("length-alone", with("_cf_length", DataType::UInt32, false), "half-span", "both or neither"),
    ]
}

/// Three rows with spans and faults. The numbers of its arrays and buffers are used below:
///
/// | column | nodes | buffers |
/// |---|---|---|
/// | `_cf_offset` | 0 | 0 validity, 1 values |
/// | `_cf_length` | 1 | 2 validity, 3 values |
/// | `_cf_faults` | 2, item 3 | 4 validity, 5 offsets; item 6 validity, 7 offsets, 8 data |
/// | `symbol` | 4 | 9 validity, 10 offsets, 11 data |
/// | `qty` | 5 | 12 validity, 13 values |
/// | `legs` | 6, item 7 | 14 validity, 15 offsets; item 16 validity, 17 values |
pub(crate) fn fills() -> RecordBatch {
    let mut faults = ListBuilder::new(StringBuilder::new());
    faults.append_value([Some("bad_checksum")]);
    faults.append_null();
    faults.append_value(Vec::<Option<&str>>::new());
    let legs = [Some(vec![Some(1), Some(2)]), Some(vec![]), Some(vec![Some(3)])];
    batch_of([
        ("_cf_offset", Arc::new(UInt64Array::from(vec![0, 40, 90])) as ArrayRef),
        ("_cf_length", Arc::new(UInt32Array::from(vec![40, 50, 7]))),
        ("_cf_faults", Arc::new(faults.finish())),
        ("symbol", Arc::new(StringArray::from(vec!["ABC", "Zürich", ""]))),
        ("qty", Arc::new(Int64Array::from(vec![Some(100), None, Some(-5)]))),
        ("legs", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(legs))),
    ])
}

fn good_batches() -> Vec<Vector> {
    let numbers = |values: Vec<Option<i8>>| batch_of([("n", Arc::new(Int8Array::from(values)) as ArrayRef)]);
    let good = Forged::of(&numbers(vec![Some(1), Some(2), Some(3)]));
    let bitmap = good.with(|f| {
        f.buffers = vec![(0, 1), (8, 3)];
        f.body = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0];
    });
    let loose = Forged::of(&fills()).with(|f| {
        // The first offset of `legs` may be past 0 where the item is as long as its last one says.
        f.poke(15, 0, &1_i32.to_le_bytes());
    });
    vec![
        batch(
            "batch-minimal",
            "schema-minimal",
            good.message(),
            None,
            "1, 2, 3; no validity bitmap, as there are no nulls",
        ),
        batch(
            "batch-nulls",
            "schema-minimal",
            batch_message(&numbers(vec![None, Some(2), None]), 8),
            None,
            "null, 2, null",
        ),
        batch("batch-empty", "schema-minimal", batch_message(&numbers(vec![]), 8), None, "no rows"),
        batch(
            "batch-bitmap-of-ones",
            "schema-minimal",
            bitmap.message(),
            None,
            "1, 2, 3; a validity bitmap that says nothing",
        ),
        batch(
            "batch-fills",
            "schema-fills",
            batch_message(&fills(), 8),
            None,
            "three rows with spans, one with a fault",
        ),
        batch(
            "batch-fills-64",
            "schema-fills",
            batch_message(&fills(), 64),
            None,
            "the same, buffers aligned to 64 bytes",
        ),
        batch(
            "batch-first-offset",
            "schema-fills",
            loose.message(),
            None,
            "the first leg of the first list is in no list",
        ),
        batch(
            "batch-every-type",
            "schema-every-type",
            batch_message(&every_type(3), 8),
            None,
            "three rows of every type, some null",
        ),
        batch(
            "batch-every-type-empty",
            "schema-every-type",
            batch_message(&every_type(0), 8),
            None,
            "no rows; offset buffers may be empty then",
        ),
    ]
}

/// The batch `fills`, spoilt.
fn spoil(name: &'static str, code: &'static str, why: &'static str, how: impl FnOnce(&mut Forged)) -> Vector {
    batch(name, "schema-fills", Forged::of(&fills()).with(how).message(), code, why)
}

fn bad_batches() -> Vec<Vector> {
    let good = batch_message(&fills(), 8);
    let two = [good.clone(), good.clone()].concat();
    vec![
        batch(
            "schema-for-batch",
            "schema-fills",
            schema_message(&fills().schema()),
            "wrong-header",
            "a schema where a batch is due",
        ),
        spoil("dictionary-for-batch", "wrong-header", "a dictionary where a batch is due", |f| {
            f.header = MessageHeader::DictionaryBatch;
        }),
        batch("two-batches", "schema-fills", two, "trailing-bytes", "one message at a time"),
        batch(
            "body-cut",
            "schema-fills",
            good[..good.len() - 8].to_vec(),
            "body-truncated",
            "the last 8 bytes are missing",
        ),
        spoil("body-length-minus", "body-length", "the body length is -8", |f| f.body_length = Some(-8)),
        spoil("body-length-odd", "body-length", "bodies are padded to 8 bytes", |f| f.body_length = Some(63)),
        spoil("body-length-huge", "body-length", "the body length is 2^63 - 1", |f| {
            f.body_length = Some(i64::MAX)
        }),
        spoil("body-length-past-end", "body-truncated", "the body length is 2^60", |f| {
            f.body_length = Some(1 << 60)
        }),
        spoil("compressed-lz4", "compression-denied", "lz4", |f| {
            f.compression = Some(CompressionType::LZ4_FRAME)
        }),
        spoil("compressed-zstd", "compression-denied", "zstd", |f| {
            f.compression = Some(CompressionType::ZSTD)
        }),
        spoil("variadic", "variadic-counts", "counts for views, which are not allowed", |f| {
            f.variadic = Some(vec![1])
        }),
        spoil("rows-minus", "row-count", "minus one row", |f| f.rows = -1),
        spoil("rows-many", "limit-exceeded", "2^60 rows", |f| f.rows = 1 << 60),
        spoil("rows-lie", "array-length", "4 rows are declared, 3 are there", |f| f.rows = 4),
        spoil("nodes-few", "node-count", "an array is missing", |f| f.nodes.truncate(7)),
        spoil("nodes-many", "node-count", "an array too many", |f| f.nodes.push((3, 0))),
        spoil("buffers-few", "buffer-count", "a buffer is missing", |f| f.buffers.truncate(17)),
        spoil("buffers-many", "buffer-count", "a buffer too many", |f| f.buffers.push((0, 0))),
        batch("other-table", "schema-minimal", good, "node-count", "a batch of another table"),
    ]
}

fn bad_nodes() -> Vec<Vector> {
    vec![
        spoil("length-minus", "array-length", "an array of -3 values", |f| f.nodes[4].0 = -3),
        spoil("length-short", "array-length", "an array of 2 values among arrays of 3", |f| f.nodes[4].0 = 2),
        spoil("child-long", "array-length", "a list item of 4 values whose last offset is 3", |f| {
            f.nodes[7].0 = 4
        }),
        spoil("nulls-minus", "null-count", "minus one null", |f| f.nodes[5].1 = -1),
        spoil("nulls-many", "null-count", "4 nulls among 3 values", |f| f.nodes[5].1 = 4),
        spoil("nulls-lie", "null-count-lie", "2 nulls are declared, the bitmap has 1", |f| f.nodes[5].1 = 2),
        spoil("nulls-hidden", "null-count-lie", "no nulls are declared, the bitmap has 1", |f| {
            f.nodes[5].1 = 0
        }),
        spoil("bitmap-absent", "buffer-short", "a null is declared, there is no bitmap", |f| {
            f.nodes[4].1 = 1
        }),
        spoil("span-null", "reserved-null", "a row of no record", |f| {
            // Both `qty` and the span lie in the body already: a bitmap before everything else moves them up.
            f.body.splice(0..0, [0b110, 0, 0, 0, 0, 0, 0, 0]);
            f.buffers.iter_mut().for_each(|buffer| buffer.0 += 8);
            f.buffers[0] = (0, 1);
            f.nodes[0].1 = 1;
        }),
        spoil("fault-null", "reserved-null", "a fault of no name", |f| {
            let at = f.buffers[6].0 as usize;
            f.body.splice(at..at, [0; 8]);
            f.buffers.iter_mut().skip(7).for_each(|buffer| buffer.0 += 8);
            f.buffers[6].1 = 1;
            f.nodes[3].1 = 1;
        }),
    ]
}

fn bad_buffers() -> Vec<Vector> {
    vec![
        spoil("buffer-past-end", "buffer-bounds", "a buffer behind the body", |f| f.buffers[17].0 = 1 << 20),
        spoil("buffer-minus", "buffer-bounds", "a buffer before the body", |f| f.buffers[13].0 = -8),
        spoil("buffer-length-minus", "buffer-bounds", "a buffer of -1 bytes", |f| f.buffers[13].1 = -1),
        spoil("buffer-overflow", "buffer-bounds", "offset and length overflow together", |f| {
            f.buffers[13] = (i64::MAX - 7, 8)
        }),
        spoil("buffer-huge", "buffer-bounds", "a buffer of 2^60 bytes", |f| f.buffers[13].1 = 1 << 60),
        spoil("buffer-odd", "buffer-misaligned", "a buffer at 1", |f| f.buffers[1].0 = 1),
        spoil("buffer-twice", "buffer-order", "two columns share their bytes", |f| {
            f.buffers[11].0 = f.buffers[10].0
        }),
        spoil("buffers-overlap", "buffer-order", "two columns share some bytes", |f| f.buffers[1].0 += 16),
        spoil("buffer-gap", "buffer-gap", "128 bytes in no buffer", |f| {
            f.body.splice(0..0, [0; 128]);
            f.buffers.iter_mut().for_each(|buffer| buffer.0 += 128);
        }),
        spoil("buffer-short", "buffer-short", "3 int64 in 23 bytes", |f| f.buffers[13].1 = 23),
        spoil("offsets-partial", "buffer-partial", "Arrow's Rust reader panics at half an offset", |f| {
            f.buffers[10].1 += 2
        }),
        spoil("offsets-short", "buffer-short", "3 values have 4 offsets", |f| f.buffers[10].1 = 12),
        spoil("bitmap-short", "buffer-short", "9 rows in a bitmap of 1 byte", nine_rows),
        spoil("buffer-long", "buffer-slack", "a kilobyte of padding", |f| {
            f.body.resize(f.body.len() + 1024, 0);
            f.buffers[17].1 += 1024;
        }),
        spoil("body-long", "body-slack", "a kilobyte in no buffer", |f| {
            f.body.resize(f.body.len() + 1024, 0)
        }),
    ]
}

/// The first column grows to nine rows, one of them null, and keeps a bitmap for eight.
fn nine_rows(f: &mut Forged) {
    f.rows = 9;
    f.nodes[0] = (9, 1);
    f.body.splice(0..0, [0xfe, 0, 0, 0, 0, 0, 0, 0]);
    f.buffers.iter_mut().for_each(|buffer| buffer.0 += 8);
    f.buffers[0] = (0, 1);
}

fn bad_values() -> Vec<Vector> {
    vec![
        spoil("offset-minus", "offset-negative", "the first offset is -1", |f| {
            f.poke(10, 0, &(-1_i32).to_le_bytes())
        }),
        spoil("offset-falls", "offset-order", "offsets 0, 11, 10, 10", |f| {
            f.poke(10, 4, &11_i32.to_le_bytes())
        }),
        spoil("offset-beyond", "offset-beyond", "the last offset is past the data", |f| {
            f.poke(10, 12, &1000_i32.to_le_bytes())
        }),
        spoil("list-offset-minus", "offset-negative", "the first offset is -1", |f| {
            f.poke(15, 0, &(-1_i32).to_le_bytes())
        }),
        spoil("list-offset-falls", "offset-order", "offsets 0, 3, 2, 3", |f| {
            f.poke(15, 4, &3_i32.to_le_bytes())
        }),
        spoil("list-elements", "limit-exceeded", "a list of 2^31 - 1 values", |f| {
            f.poke(15, 12, &i32::MAX.to_le_bytes())
        }),
        spoil("utf8-broken", "not-utf8", "a byte that is never in UTF-8", |f| f.poke(11, 0, &[0xff])),
        spoil("utf8-cut", "not-utf8", "a character that ends in the next value", |f| {
            f.poke(10, 4, &5_i32.to_le_bytes())
        }),
        spoil("utf8-before", "not-utf8", "a broken byte before the first value", |f| {
            f.poke(10, 0, &1_i32.to_le_bytes());
            f.poke(11, 0, &[0xff]);
        }),
        spoil("fault-utf8", "not-utf8", "a fault's name is text too", |f| f.poke(8, 0, &[0x80])),
    ]
}

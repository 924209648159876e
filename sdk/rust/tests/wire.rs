//! What the SDK writes, arrow-rs reads: every type, any mixture of cells and gaps.
#![allow(missing_docs, reason = "tests are named as sentences")]

use std::cell::RefCell;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, LargeStringBuilder, ListBuilder,
    PrimitiveBuilder, StringBuilder, StructBuilder, Time64MicrosecondBuilder, TimestampNanosecondBuilder,
    TimestampSecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use casparian_sdk::dynamic::{AnyColumn, Dynamic};
use casparian_sdk::harness::Memory;
use casparian_sdk::host::{Blob, Host, Level, Rejection};
use casparian_sdk::prelude::*;
use casparian_sdk::session;
use proptest::prelude::*;

table! {
    /// Every type there is.
    pub struct Everything = "everything" {
        flag: Option<bool>,
        tiny: i8,
        small: Option<i16>,
        day_count: Option<i32>,
        big: i64,
        utiny: Option<u8>,
        usmall: Option<u16>,
        uint: Option<u32>,
        ubig: Option<u64>,
        float: Option<f32>,
        double: Option<f64>,
        text: Option<String>,
        large: Option<LargeText>,
        bytes: Option<Vec<u8>>,
        hash: Option<FixedBytes<3>>,
        date: Option<Date>,
        seen: Option<Timestamp<Nanos, Utc>>,
        local: Option<Timestamp<Seconds>>,
        time: Option<Time<Micros>>,
        price: Option<Decimal<38, 10>>,
        words: Option<Vec<String>>,
        numbers: Option<Vec<i64>> = "type",
        never: Option<u32>,
        place: Option<Nested<Place>>,
        places: Vec<Nested<Place>>,
    }
}

table! {
    /// Two fields in one cell.
    pub struct Place = "place" {
        name: Option<String>,
        number: i64,
    }
}

faults! {
    /// What can be wrong.
    pub enum Wrong {
        /// Odd.
        Odd = "odd",
        /// Prime.
        Prime = "prime",
    }
}

/// One row: each cell may be there or not.
#[derive(Clone, Debug, Default)]
struct Cells {
    flag: Option<bool>,
    integer: Option<i64>,
    double: Option<f64>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    hash: Option<[u8; 3]>,
    price: Option<i128>,
    words: Option<Vec<String>>,
    odd: bool,
    prime: bool,
}

fn cells() -> impl Strategy<Value = Cells> {
    let text = prop_oneof![Just(String::new()), ".{0,5}", "[a-z]{30,36}", ".{60,70}"];
    let words = prop::collection::vec(".{0,6}", 0..4);
    let first = (
        any::<Option<bool>>(),
        any::<Option<i64>>(),
        prop::option::of(-1e300..1e300_f64),
        prop::option::of(text),
    );
    let bytes = prop::option::of(prop::collection::vec(any::<u8>(), 0..70));
    let price = prop::option::of(-(10_i128.pow(38) - 1)..10_i128.pow(38));
    let second =
        (bytes, any::<Option<[u8; 3]>>(), price, prop::option::of(words), any::<bool>(), any::<bool>());
    (first, second).prop_map(|((flag, integer, double, text), (bytes, hash, price, words, odd, prime))| {
        Cells { flag, integer, double, text, bytes, hash, price, words, odd, prime }
    })
}

/// Says the rows it was made with, into columns that are known beforehand or are not.
struct Fixed(Vec<Cells>, bool);

impl Parser for Fixed {
    fn describe(&self) -> Description {
        Description::new("fixed", "1.0.0").table::<Everything>().faults::<Wrong>()
    }

    fn parse(&self, _: &Input, _: Span, _: &[u8], _: &Options, out: &Output) -> Result<(), Fault> {
        if self.1 {
            return self.parse_dynamic(out);
        }
        let mut table = out.table::<Everything>()?;
        for (index, cells) in self.0.iter().enumerate() {
            fill(&mut table.row(Span::new(index as u64, 1))?, cells);
        }
        Ok(())
    }
}

impl Fixed {
    fn parse_dynamic(&self, out: &Output) -> Result<(), Fault> {
        let schema = Everything::schema();
        let mut table = out.open(&schema, Dynamic::new(&schema))?;
        for (index, cells) in self.0.iter().enumerate() {
            let mut row = table.row(Span::new(index as u64, 1))?;
            let at = row.at();
            for place in 0..schema.fields.len() {
                fill_any(row.column(place).unwrap(), &schema.fields[place].name, at, cells);
            }
            row.faults(cells.wrong());
        }
        Ok(())
    }
}

/// Does to one column of any type what [`fill`] does to all.
fn fill_any(column: &mut AnyColumn, name: &str, at: At, cells: &Cells) {
    match (column, cells.integer) {
        (AnyColumn::Bool(column), _) => cells.flag.into_iter().for_each(|flag| column.set(at, flag)),
        (AnyColumn::Int8(column), _) => column.set(at, 7),
        (AnyColumn::Int64(column), None) if name == "big" => column.set(at, -1),
        (AnyColumn::Uint32(_), Some(_)) if name == "never" => {}
        (AnyColumn::Int16(column), Some(integer)) => column.set(at, integer as i16),
        (AnyColumn::Int32(column), Some(integer)) => column.set(at, integer as i32),
        (AnyColumn::Int64(column), Some(integer)) if name == "local" => column.set(at, integer >> 20),
        (AnyColumn::Int64(column), Some(integer)) if name == "time" => column.set(at, integer & 0xFFFF_FFFF),
        (AnyColumn::Int64(column), Some(integer)) => column.set(at, integer),
        (AnyColumn::Uint8(column), Some(integer)) => column.set(at, integer as u8),
        (AnyColumn::Uint16(column), Some(integer)) => column.set(at, integer as u16),
        (AnyColumn::Uint32(column), Some(integer)) => column.set(at, integer as u32),
        (AnyColumn::Uint64(column), Some(integer)) => column.set(at, integer as u64),
        (AnyColumn::Float32(column), _) => cells.double.into_iter().for_each(|it| column.set(at, it as f32)),
        (AnyColumn::Float64(column), _) => cells.double.into_iter().for_each(|it| column.set(at, it)),
        (AnyColumn::Decimal(column), _) => cells.price.into_iter().for_each(|it| column.set(at, it)),
        (column @ AnyColumn::Text(_), _) => {
            cells.text.iter().for_each(|text| assert!(column.set_text(at, text)))
        }
        (AnyColumn::Binary(column), _) => cells.bytes.iter().for_each(|bytes| column.set(at, bytes)),
        (AnyColumn::Packed(column), _) => cells.hash.iter().for_each(|hash| assert!(column.set(at, hash))),
        (AnyColumn::List(column), Some(integer)) if name == "type" => {
            column.begin(at);
            for value in 0..integer & 3 {
                let (AnyColumn::Int64(items), item) = column.item(at) else {
                    panic!("not a list of integers")
                };
                items.set(item, value);
            }
        }
        (AnyColumn::Struct(column), Some(integer)) => {
            if let Some(text) = &cells.text {
                fill_place(column.set(at), at, Some(text), integer);
            }
        }
        (AnyColumn::List(column), _) if name == "places" => {
            column.begin(at);
            for word in cells.words.iter().flatten() {
                let (AnyColumn::Struct(items), item) = column.item(at) else {
                    panic!("not a list of structs")
                };
                fill_place(items.set(item), item, (word.len() > 2).then_some(word), word.len() as i64);
            }
        }
        (AnyColumn::List(column), _) if name == "words" => {
            cells.words.iter().for_each(|_| column.begin(at));
            for word in cells.words.iter().flatten() {
                let (items, item) = column.item(at);
                assert!(items.set_text(item, word));
            }
        }
        _ => {}
    }
}

fn fill_place(place: &mut Dynamic, at: At, name: Option<&str>, number: i64) {
    name.into_iter().for_each(|name| place.text(0).unwrap().set(at, name));
    let Some(AnyColumn::Int64(column)) = place.column(1) else { panic!("not a column of integers") };
    column.set(at, number);
}

impl Cells {
    fn wrong(&self) -> FaultSet<Wrong> {
        let odd = if self.odd { FaultSet::NONE.with(Wrong::Odd) } else { FaultSet::NONE };
        if self.prime { odd.with(Wrong::Prime) } else { odd }
    }
}

fn fill(row: &mut Row<Everything>, cells: &Cells) {
    let at = row.at();
    row.tiny.set(at, 7);
    row.big.set(at, cells.integer.unwrap_or(-1));
    if let Some(flag) = cells.flag {
        row.flag.set(at, flag);
    }
    if let Some(integer) = cells.integer {
        row.small.set(at, integer as i16);
        row.day_count.set(at, integer as i32);
        row.utiny.set(at, integer as u8);
        row.usmall.set(at, integer as u16);
        row.uint.set(at, integer as u32);
        row.ubig.set(at, integer as u64);
        row.date.set(at, integer as i32);
        row.seen.set(at, integer);
        row.local.set(at, integer >> 20);
        row.time.set(at, integer & 0xFFFF_FFFF);
        row.numbers.begin(at);
        (0..integer & 3).for_each(|item| row.numbers.push(at, item));
    }
    if let (Some(text), Some(integer)) = (&cells.text, cells.integer) {
        let place = row.place.set(at);
        place.name.set(at, text);
        place.number.set(at, integer);
    }
    row.places.begin(at);
    for word in cells.words.iter().flatten() {
        let (places, item) = row.places.item(at);
        let place = places.set(item);
        place.number.set(item, word.len() as i64);
        if word.len() > 2 {
            place.name.set(item, word);
        }
    }
    if let Some(double) = cells.double {
        row.float.set(at, double as f32);
        row.double.set(at, double);
    }
    if let Some(text) = &cells.text {
        row.text.set(at, text);
        row.text.set(at, "too late");
        assert!(row.large.set_utf8(at, text.as_bytes()));
    }
    if let Some(bytes) = &cells.bytes {
        row.bytes.set(at, bytes);
    }
    if let Some(hash) = cells.hash {
        assert!(row.hash.set(at, &hash) && !row.hash.set(at, b"four"));
    }
    if let Some(price) = cells.price {
        row.price.set(at, price);
    }
    if let Some(words) = &cells.words {
        row.words.begin(at);
        words.iter().for_each(|word| row.words.push(at, word));
    }
    row.faults(cells.wrong());
}

/// Keeps the messages.
#[derive(Default)]
struct Keeper {
    stream: RefCell<Vec<u8>>,
    batches: RefCell<usize>,
    batch_bytes: u32,
}

impl Host for Keeper {
    fn attachment(&self, _: &str) -> Option<Box<dyn Blob>> {
        None
    }
    fn open(&self, _: &str, schema: &[u8]) -> Result<u32, Fault> {
        self.stream.borrow_mut().extend_from_slice(schema);
        Ok(0)
    }
    fn emit(&self, _: u32, batch: &[u8]) -> Result<(), Fault> {
        assert!(batch.len().is_multiple_of(64));
        self.stream.borrow_mut().extend_from_slice(batch);
        *self.batches.borrow_mut() += 1;
        Ok(())
    }
    fn reject(&self, _: &[Rejection]) -> Result<(), Fault> {
        Ok(())
    }
    fn skip(&self, _: Span, _: SkipKind, _: &str) -> Result<(), Fault> {
        Ok(())
    }
    fn commit(&self, _: u64) -> Result<(), Fault> {
        Ok(())
    }
    fn wanted(&self, _: &str) -> bool {
        true
    }
    fn batch_bytes(&self) -> u32 {
        self.batch_bytes
    }
    fn log_enabled(&self, _: Level) -> bool {
        false
    }
    fn log(&self, _: Level, _: &str, _: Option<Span>) {}
}

/// Runs the parser and reads what it emitted with arrow-rs.
fn emitted(rows: &[Cells], batch_bytes: u32, dynamic: bool) -> Vec<RecordBatch> {
    let keeper = Keeper { batch_bytes, ..Keeper::default() };
    let blob = Memory::new("t", &vec![b'.'; rows.len()]);
    let parser = Fixed(rows.to_vec(), dynamic);
    let range = Span::new(0, rows.len() as u64);
    session::parse(&parser, &keeper, &blob, range, &[], &Options::default()).unwrap();
    let reader = StreamReader::try_new(Cursor::new(keeper.stream.take()), None).unwrap();
    reader
        .map(|batch| {
            batch
                .inspect(|batch| batch.columns().iter().for_each(|it| it.to_data().validate_full().unwrap()))
                .unwrap()
        })
        .collect()
}

fn place_fields() -> Fields {
    vec![Field::new("name", DataType::Utf8, true), Field::new("number", DataType::Int64, false)].into()
}

fn place_type() -> DataType {
    DataType::Struct(place_fields())
}

/// Appends one place, or a gap.
fn append_place(builder: &mut StructBuilder, place: Option<(Option<&str>, i64)>) {
    builder.field_builder::<StringBuilder>(0).unwrap().append_option(place.and_then(|place| place.0));
    // Where there is no place its number is not looked at.
    builder.field_builder::<Int64Builder>(1).unwrap().append_value(place.map_or(0, |place| place.1));
    builder.append(place.is_some());
}

fn wire_schema() -> Schema {
    let field = |name: &str, kind: DataType, nullable: bool| Field::new(name, kind, nullable);
    let list = |kind: DataType| DataType::List(Arc::new(Field::new("item", kind, true)));
    Schema::new(vec![
        field("_cf_offset", DataType::UInt64, false),
        field("_cf_length", DataType::UInt32, false),
        field("flag", DataType::Boolean, true),
        field("tiny", DataType::Int8, false),
        field("small", DataType::Int16, true),
        field("day_count", DataType::Int32, true),
        field("big", DataType::Int64, false),
        field("utiny", DataType::UInt8, true),
        field("usmall", DataType::UInt16, true),
        field("uint", DataType::UInt32, true),
        field("ubig", DataType::UInt64, true),
        field("float", DataType::Float32, true),
        field("double", DataType::Float64, true),
        field("text", DataType::Utf8, true),
        field("large", DataType::LargeUtf8, true),
        field("bytes", DataType::Binary, true),
        field("hash", DataType::FixedSizeBinary(3), true),
        field("date", DataType::Date32, true),
        field("seen", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), true),
        field("local", DataType::Timestamp(TimeUnit::Second, None), true),
        field("time", DataType::Time64(TimeUnit::Microsecond), true),
        field("price", DataType::Decimal128(38, 10), true),
        field("words", list(DataType::Utf8), true),
        field("type", list(DataType::Int64), true),
        field("never", DataType::UInt32, true),
        field("place", place_type(), true),
        field("places", list(place_type()), false),
        field("_cf_faults", list(DataType::Utf8), true),
    ])
}

/// The same rows by arrow-rs's own builders.
fn expected(rows: &[Cells]) -> RecordBatch {
    macro_rules! column {
        ($builder:expr, $cell:expr) => {{
            let mut builder = $builder;
            rows.iter().for_each(|cells| builder.append_option($cell(cells)));
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    let integer = |cells: &Cells| cells.integer;
    let offsets = UInt64Array::from_iter_values(0..rows.len() as u64);
    let mut hashes = FixedSizeBinaryBuilder::new(3);
    let mut lists = [ListBuilder::new(StringBuilder::new()), ListBuilder::new(StringBuilder::new())];
    let mut numbers = ListBuilder::new(PrimitiveBuilder::<Int64Type>::new());
    let place_builder = || StructBuilder::from_fields(place_fields(), rows.len());
    let mut place = place_builder();
    let mut places = ListBuilder::new(place_builder());
    for cells in rows {
        append_place(&mut place, cells.text.as_deref().map(Some).zip(cells.integer));
        for word in cells.words.iter().flatten() {
            append_place(places.values(), Some(((word.len() > 2).then_some(word), word.len() as i64)));
        }
        places.append(true);
        match cells.hash {
            Some(hash) => hashes.append_value(hash).unwrap(),
            None => hashes.append_null(),
        }
        let faults: Vec<&str> =
            [(cells.odd, "odd"), (cells.prime, "prime")].iter().filter(|it| it.0).map(|it| it.1).collect();
        lists[0].append_option(cells.words.as_ref().map(|words| words.iter().map(Some)));
        lists[1].append_option((!faults.is_empty()).then(|| faults.into_iter().map(Some)));
        numbers.append_option(cells.integer.map(|integer| (0..integer & 3).map(Some)));
    }
    let [mut words, mut faults] = lists;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(offsets),
        column!(PrimitiveBuilder::<UInt32Type>::new(), |_: &Cells| Some(1)),
        column!(BooleanBuilder::new(), |cells: &Cells| cells.flag),
        column!(Int8Builder::new(), |_: &Cells| Some(7)),
        column!(Int16Builder::new(), |cells| integer(cells).map(|it| it as i16)),
        column!(Int32Builder::new(), |cells| integer(cells).map(|it| it as i32)),
        column!(Int64Builder::new(), |cells| integer(cells).or(Some(-1))),
        column!(UInt8Builder::new(), |cells| integer(cells).map(|it| it as u8)),
        column!(UInt16Builder::new(), |cells| integer(cells).map(|it| it as u16)),
        column!(UInt32Builder::new(), |cells| integer(cells).map(|it| it as u32)),
        column!(UInt64Builder::new(), |cells| integer(cells).map(|it| it as u64)),
        column!(Float32Builder::new(), |cells: &Cells| cells.double.map(|it| it as f32)),
        column!(Float64Builder::new(), |cells: &Cells| cells.double),
        column!(StringBuilder::new(), |cells: &Cells| cells.text.clone()),
        column!(LargeStringBuilder::new(), |cells: &Cells| cells.text.clone()),
        column!(BinaryBuilder::new(), |cells: &Cells| cells.bytes.clone()),
        Arc::new(hashes.finish()),
        column!(Date32Builder::new(), |cells| integer(cells).map(|it| it as i32)),
        column!(TimestampNanosecondBuilder::new().with_timezone("UTC"), integer),
        column!(TimestampSecondBuilder::new(), |cells| integer(cells).map(|it| it >> 20)),
        column!(Time64MicrosecondBuilder::new(), |cells| integer(cells).map(|it| it & 0xFFFF_FFFF)),
        column!(Decimal128Builder::new().with_precision_and_scale(38, 10).unwrap(), |cells: &Cells| cells
            .price),
        Arc::new(words.finish()),
        Arc::new(numbers.finish()),
        column!(UInt32Builder::new(), |_: &Cells| None),
        Arc::new(place.finish()),
        Arc::new(places.finish()),
        Arc::new(faults.finish()),
    ];
    RecordBatch::try_new(Arc::new(wire_schema()), columns).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_sdk_writes_arrow_reads(rows in prop::collection::vec(cells(), 1..150)) {
        let batches = emitted(&rows, 1 << 20, false);
        prop_assert_eq!(batches.len(), 1);
        prop_assert_eq!(&batches[0], &expected(&rows));
        prop_assert_eq!(emitted(&rows, 1 << 20, true), batches);
    }

    #[test]
    fn where_batches_are_cut_changes_no_row(rows in prop::collection::vec(cells(), 1..60), batch_bytes in 1_u32..9000) {
        let mut first = 0;
        for batch in emitted(&rows, batch_bytes, false) {
            prop_assert_eq!(&batch, &expected(&rows).slice(first, batch.num_rows()));
            first += batch.num_rows();
        }
        prop_assert_eq!(first, rows.len());
    }
}

#[test]
fn a_column_without_gaps_sends_no_validity_and_one_without_cells_costs_few_bytes() {
    let rows = vec![Cells { integer: Some(5), ..Cells::default() }; 1000];
    let batches = emitted(&rows, 1 << 20, false);
    assert_eq!(batches.len(), 1);
    assert!(batches[0].column_by_name("ubig").unwrap().nulls().is_none());
    assert_eq!(batches[0].column_by_name("never").unwrap().null_count(), 1000);
}

#[test]
fn a_batch_reaches_about_the_size_that_the_host_asked_for() {
    let dense = Cells { integer: Some(5), text: Some("x".repeat(100)), ..Cells::default() };
    let sparse = Cells::default();
    let rows: Vec<Cells> = [dense, sparse].into_iter().cycle().take(40_000).collect();
    let keeper = Keeper { batch_bytes: 1 << 20, ..Keeper::default() };
    let blob = Memory::new("t", &vec![b'.'; rows.len()]);
    session::parse(&Fixed(rows, false), &keeper, &blob, Span::new(0, 40_000), &[], &Options::default())
        .unwrap();
    let (bytes, batches) = (keeper.stream.borrow().len(), *keeper.batches.borrow());
    let mean = bytes / batches;
    assert!((900 << 10..1150 << 10).contains(&mean), "{batches} batches of {mean} bytes");
}

//! The judge, by the row: ten columns under a contract with twenty checks, as types and as text, clean and with every tenth row bad.

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow_ipc::writer::{DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow_schema::{Field, Schema};
use casparian_core::batch::Batch;
use casparian_core::contract::judge::TableJudge;
use casparian_core::contract::odcs;
use casparian_core::limits::{Budget, Limits};
use casparian_core::wire;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, Series, contest};
use crate::order::Order;
use crate::report::{Section, Target};
use crate::site::Site;

const CONTRACT: &str = include_str!("judge.odcs.yaml");
const ROWS: usize = 8 << 10;
/// Each turn judges the batch as often, so that a turn is long enough for the clock.
const PASSES: usize = 100;
const TYPED_WANTED: f64 = 5.0;
const TEXT_WANTED: f64 = 2.0;

const ABOUT: &str = "A batch of 8,192 rows of ten columns (three integers, two decimals, a float, a boolean, a date, a time stamp, \
a text of four values), each required and most within a range, judged over and over: as types, and all ten as text that is \
cast. Bad: every tenth row has a side that is not allowed, and its reasons are asked for. Left out: the wire, the flow, files.";

pub(crate) fn measure(_: &Site, order: &Order) -> Outcome<Section> {
    let contenders = vec![
        contender("typed", &columns(false))?,
        contender("typed, 10 % bad", &columns(true))?,
        contender("text", &texts(&columns(false)))?,
        contender("text, 10 % bad", &texts(&columns(true)))?,
    ];
    let series = contest(contenders, order.rounds)?;
    let rate = |it: &Series| (ROWS * PASSES) as f64 / it.cpu() / 1e6;
    let row = |it: &Series| {
        let cell = it.cpu() * 1e9 / (ROWS * PASSES * 10) as f64;
        vec![it.name.to_owned(), format!("{:.2}", rate(it)), format!("{cell:.1}")]
    };
    let rows = series.iter().map(row).collect();
    let mut targets = Vec::new();
    if let [typed, _, text, _] = series.as_slice() {
        targets.push(Target::at_least("typed, million rows per CPU second", TYPED_WANTED, rate(typed)));
        targets.push(Target::at_least("text, million rows per CPU second", TEXT_WANTED, rate(text)));
    }
    let columns = vec!["what", "million rows per CPU s", "ns per cell"];
    Ok(Section { title: "The judge".to_owned(), about: ABOUT.to_owned(), columns, rows, targets })
}

fn contender<'a>(name: &'static str, columns: &[(&'static str, ArrayRef)]) -> Outcome<Contender<'a>> {
    let contract = odcs::read(CONTRACT.as_bytes())?.contract;
    let batch = batch(columns)?;
    let judge = TableJudge::new(contract.tables[0].clone(), &batch.rows().schema(), &batch.rows().schema())?;
    let turn = move |_| {
        let passes = || (0..PASSES).try_for_each(|_| pass(&judge, batch.clone()));
        let (done, spent) = Spent::on_thread(passes);
        done.map(|()| spent)
    };
    Ok(Contender::new(name, turn))
}

fn pass(judge: &TableJudge, batch: Batch) -> Outcome {
    let judged = judge.judge(batch)?;
    for row in judged.bad().into_iter().flat_map(|bad| bad.set_indices()) {
        black_box(judged.violations(row));
    }
    black_box(judged.rows());
    Ok(())
}

fn columns(is_dirty: bool) -> Vec<(&'static str, ArrayRef)> {
    let at = || 0..ROWS as i64;
    let side = |at: i64| match (is_dirty && at % 10 == 3, at % 4) {
        (true, _) => "hold",
        (_, 0) => "buy",
        (_, 1) => "sell",
        (_, 2) => "short",
        _ => "cover",
    };
    let price = Decimal128Array::from_iter_values(at().map(|at| i128::from(at * 7 + 10_000)));
    let fee = Decimal128Array::from_iter_values(at().map(|at| i128::from(at % 977)));
    vec![
        ("trade_id", Arc::new(Int64Array::from_iter_values(at().map(|at| at + 1_000_000)))),
        ("account", Arc::new(Int32Array::from_iter_values(at().map(|at| (at % 5_000) as i32)))),
        ("quantity", Arc::new(Int64Array::from_iter_values(at().map(|at| at % 1_000 + 1)))),
        ("price", Arc::new(price.with_precision_and_scale(18, 4).expect("it fits"))),
        ("fee", Arc::new(fee.with_precision_and_scale(10, 2).expect("it fits"))),
        ("ratio", Arc::new(Float64Array::from_iter_values(at().map(|at| at as f64 / 8.0)))),
        ("is_open", Arc::new(BooleanArray::from_iter(at().map(|at| Some(at % 3 == 0))))),
        ("day", Arc::new(Date32Array::from_iter_values(at().map(|at| 19_700 + (at % 365) as i32)))),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                at().map(|at| 1_700_000_000_000_000 + at * 1_237),
            )),
        ),
        ("side", Arc::new(StringArray::from_iter_values(at().map(side)))),
    ]
}

/// Writes every column as text.
fn texts(columns: &[(&'static str, ArrayRef)]) -> Vec<(&'static str, ArrayRef)> {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Date32Type, TimestampMicrosecondType};
    let text = |column: &ArrayRef| -> Vec<String> {
        if let Some(days) = column.as_primitive_opt::<Date32Type>() {
            return days.values().iter().map(|days| date(i64::from(*days))).collect();
        }
        if let Some(moments) = column.as_primitive_opt::<TimestampMicrosecondType>() {
            return moments.values().iter().map(|micros| moment(*micros)).collect();
        }
        shown(column)
    };
    columns
        .iter()
        .map(|(name, column)| (*name, Arc::new(StringArray::from(text(column))) as ArrayRef))
        .collect()
}

fn shown(column: &ArrayRef) -> Vec<String> {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Decimal128Type, Float64Type, Int32Type, Int64Type};
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return values.values().iter().map(i64::to_string).collect();
    }
    if let Some(values) = column.as_primitive_opt::<Int32Type>() {
        return values.values().iter().map(i32::to_string).collect();
    }
    if let Some(values) = column.as_primitive_opt::<Float64Type>() {
        return values.values().iter().map(f64::to_string).collect();
    }
    if let Some(values) = column.as_primitive_opt::<Decimal128Type>() {
        return (0..values.len()).map(|row| values.value_as_string(row)).collect();
    }
    if let Some(values) = column.as_boolean_opt() {
        return values.values().iter().map(|value| value.to_string()).collect();
    }
    column.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

/// Days since 1970-01-01 as ISO 8601.
fn date(days: i64) -> String {
    // Years of the generator begin in March 2024 at the latest, so a search year by year is soon over.
    let (mut year, mut left) = (1970, days);
    let days_in = |year: i64| if year % 4 == 0 { 366 } else { 365 };
    while left >= days_in(year) {
        left -= days_in(year);
        year += 1;
    }
    let february = days_in(year) - 337;
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}

fn moment(micros: i64) -> String {
    let (day, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{micros:06}", date(day))
}

/// Takes columns through the wire: nothing else makes a batch.
fn batch(columns: &[(&'static str, ArrayRef)]) -> Outcome<Batch> {
    let field =
        |(name, column): &(&'static str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let rows = RecordBatch::try_new(
        Arc::clone(&schema),
        columns.iter().map(|(_, column)| Arc::clone(column)).collect(),
    )?;
    let (options, mut tracker) = (IpcWriteOptions::default(), DictionaryTracker::new(true));
    let encoder = IpcDataGenerator::default();
    let schema = encoder.schema_to_bytes_with_dictionary_tracker(&schema, &mut tracker, &options);
    let (_, rows) = encoder.encode(&rows, &mut tracker, &options, &mut Default::default())?;
    let schema = wire::schema(&message(schema)?)?;
    Ok(wire::decode(&schema, &message(rows)?, &mut Budget::new(&Limits::default(), 1 << 40))?)
}

fn message(encoded: EncodedData) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, encoded, &IpcWriteOptions::default())?;
    Ok(bytes)
}

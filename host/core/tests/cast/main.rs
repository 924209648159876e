//! Casts, held to the table of the specification: by its vectors, by a slow writer that shares nothing with the fast
//! readers, and by a corpus of texts that are commonly changed without a word.

mod corpus;
mod oracle;
mod properties;
mod typed;
mod vectors;
mod written;

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, TimeUnit};
use casparian_core::contract::cast::{Cast, CastColumn};
use casparian_core::contract::verdict::Code;
use casparian_core::contract::{DateOrder, Decoding};
use serde_json::Value as Json;

/// Reads the name of a type as the vectors spell it: `i64`, `decimal(10,2)`, `timestamp(us,UTC)`.
fn data_type(name: &str) -> DataType {
    let (kind, parameters) = name.split_once('(').unwrap_or((name, ""));
    let parameters: Vec<&str> = parameters.trim_end_matches(')').split(',').collect();
    let number = |at: usize| -> i32 { parameters[at].parse().expect("a number") };
    match kind {
        "bool" => DataType::Boolean,
        "i8" => DataType::Int8,
        "i16" => DataType::Int16,
        "i32" => DataType::Int32,
        "i64" => DataType::Int64,
        "u8" => DataType::UInt8,
        "u16" => DataType::UInt16,
        "u32" => DataType::UInt32,
        "u64" => DataType::UInt64,
        "f32" => DataType::Float32,
        "f64" => DataType::Float64,
        "utf8" => DataType::Utf8,
        "large_utf8" => DataType::LargeUtf8,
        "binary" => DataType::Binary,
        "large_binary" => DataType::LargeBinary,
        "fixed" => DataType::FixedSizeBinary(number(0)),
        "date32" => DataType::Date32,
        "date64" => DataType::Date64,
        "time32" => DataType::Time32(unit(parameters[0])),
        "time64" => DataType::Time64(unit(parameters[0])),
        "duration" => DataType::Duration(unit(parameters[0])),
        "timestamp" => {
            DataType::Timestamp(unit(parameters[0]), parameters.get(1).map(|zone| Arc::from(*zone)))
        }
        "decimal" => DataType::Decimal128(number(0) as u8, number(1) as i8),
        "decimal256" => DataType::Decimal256(number(0) as u8, number(1) as i8),
        other => panic!("no type is called {other}"),
    }
}

fn unit(name: &str) -> TimeUnit {
    match name {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        other => panic!("no unit is called {other}"),
    }
}

/// Reads a decoding as the vectors spell it: what is not there is as by default.
fn decoding(json: &Json) -> Decoding {
    let list = |json: &Json| -> Vec<String> {
        json.as_array()
            .expect("a list")
            .iter()
            .map(|text| text.as_str().expect("a text").to_owned())
            .collect()
    };
    let one = |json: &Json| json.as_str().and_then(|text| text.chars().next()).expect("a character");
    let mut decoding = Decoding::default();
    for (name, value) in json.as_object().into_iter().flatten() {
        match name.as_str() {
            "missingValues" => decoding.missing_values = list(value),
            "trueValues" => decoding.true_values = list(value),
            "falseValues" => decoding.false_values = list(value),
            "decimalChar" => decoding.decimal_char = one(value),
            "groupChar" => decoding.group_char = Some(one(value)),
            "trim" => decoding.trim = value.as_bool().expect("a truth"),
            "dateOrder" => decoding.date_order = Some(date_order(value.as_str().expect("a text"))),
            "defaultOffsetSeconds" => {
                decoding.default_offset_seconds = Some(value.as_i64().expect("a number") as i32);
            }
            "decodePatterns" => decoding.decode_patterns = list(value),
            other => panic!("no decoding has {other}"),
        }
    }
    decoding
}

fn date_order(name: &str) -> DateOrder {
    match name {
        "YMD" => DateOrder::YearMonthDay,
        "MDY" => DateOrder::MonthDayYear,
        "DMY" => DateOrder::DayMonthYear,
        other => panic!("no order is called {other}"),
    }
}

/// Casts texts.
fn cast_texts(texts: &[Option<&str>], to: &DataType, decoding: &Decoding) -> CastColumn {
    let source: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    Cast::plan(&DataType::Utf8, to, decoding).expect("a cast from text").run(&source)
}

/// Casts one text: how its value is written, `None` for null.
fn cast_text(text: &str, to: &DataType, decoding: &Decoding) -> Result<Option<String>, Code> {
    outcome(&cast_texts(&[Some(text)], to, decoding))
}

/// Returns what became of the only row.
fn outcome(column: &CastColumn) -> Result<Option<String>, Code> {
    match column.failed.as_slice() {
        [] => Ok(written::written(&column.values, 0)),
        [(0, code)] => {
            assert!(column.values.is_null(0), "what failed must be null");
            Err(*code)
        }
        other => panic!("one row fails once: {other:?}"),
    }
}

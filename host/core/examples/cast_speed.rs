//! How long a cell takes from text to value, per type: `cargo run --release -p casparian-core --example cast_speed`.
//!
//! Each column has 65,536 cells; the best of 15 passes counts, on one thread. The last line is a row of ten columns.

#![expect(clippy::print_stdout, reason = "it is there to be read")]

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, TimeUnit};
use casparian_core::contract::Decoding;
use casparian_core::contract::cast::Cast;

const ROWS: u64 = 65_536;
const PASSES: usize = 15;

/// A column: what it is called, its type, how a number becomes a cell, and how it is decoded.
type Column = (&'static str, DataType, fn(u64) -> String, Decoding);

fn main() {
    let times: Vec<(&str, f64)> = columns().into_iter().map(|column| (column.0, nanos(column))).collect();
    times.iter().for_each(|(name, nanos)| println!("{name:<34}{nanos:>8.1} ns a cell"));
    let ten = [
        "i64",
        "i32",
        "decimal(18,4)",
        "decimal(10,2)",
        "f64, 6 digits",
        "bool",
        "date32",
        "timestamp(us,UTC)",
    ];
    let ten = ten.iter().chain(&["utf8, missing values", "timestamp(us)"]);
    let row: f64 =
        ten.filter_map(|name| times.iter().find(|(found, _)| found == name)).map(|(_, nanos)| nanos).sum();
    println!("{:<34}{row:>8.1} ns, {:.2} M rows/s", "a row of ten columns", 1e3 / row);
}

/// Scatters a number, the same way always.
fn scatter(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 8
}

fn columns() -> Vec<Column> {
    use DataType::*;
    let plain = Decoding::default;
    let missing = || Decoding { missing_values: vec![String::new(), "NULL".to_owned()], ..plain() };
    let grouped = || Decoding { group_char: Some(','), ..plain() };
    let ordered =
        || Decoding { date_order: Some(casparian_core::contract::DateOrder::MonthDayYear), ..plain() };
    let pattern = || Decoding {
        decode_patterns: vec!["yyyyMMdd-HH:mm:ss.SSS".to_owned()],
        default_offset_seconds: Some(0),
        ..plain()
    };
    let utc = || Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    vec![
        ("i64", Int64, |n| (scatter(n) % 10_000_000_000).to_string(), plain()),
        ("i32", Int32, |n| (scatter(n) % 100_000).to_string(), plain()),
        ("u64, 20 digits", UInt64, |n| (u64::MAX - scatter(n) % 1_000_000).to_string(), plain()),
        ("i64, grouped", Int64, |n| format!("{},{:03}", scatter(n) % 900 + 1, n % 1000), grouped()),
        ("i64, padded (all refused)", Int64, |n| format!("{n:08}"), plain()),
        (
            "decimal(18,4)",
            Decimal128(18, 4),
            |n| format!("{}.{:04}", scatter(n) % 100_000, n % 10_000),
            plain(),
        ),
        ("decimal(10,2)", Decimal128(10, 2), |n| format!("{}.{:02}", scatter(n) % 10_000, n % 100), plain()),
        (
            "decimal(38,10), 24 digits",
            Decimal128(38, 10),
            |n| format!("{:014}.{:010}", scatter(n) | 1 << 46, n),
            plain(),
        ),
        ("f64, 6 digits", Float64, |n| format!("{}.{:02}", scatter(n) % 10_000, n % 100), plain()),
        ("f64, 17 digits", Float64, |n| (scatter(n) as f64 / 1e7).sqrt().to_string(), plain()),
        ("bool", Boolean, |n| scatter(n).is_multiple_of(2).to_string(), plain()),
        (
            "date32",
            Date32,
            |n| format!("20{:02}-{:02}-{:02}", n % 100, scatter(n) % 12 + 1, n % 28 + 1),
            plain(),
        ),
        (
            "date32, in an order",
            Date32,
            |n| format!("{}/{}/20{:02}", scatter(n) % 12 + 1, n % 28 + 1, n % 100),
            ordered(),
        ),
        (
            "time64(us)",
            Time64(TimeUnit::Microsecond),
            |n| format!("{:02}:{:02}:07.{:06}", n % 24, n % 60, n),
            plain(),
        ),
        (
            "timestamp(us)",
            Timestamp(TimeUnit::Microsecond, None),
            |n| format!("2024-{:02}-{:02} {:02}:30:{:02}", n % 12 + 1, scatter(n) % 28 + 1, n % 24, n % 60),
            plain(),
        ),
        (
            "timestamp(us,UTC)",
            utc(),
            |n| {
                format!(
                    "2024-{:02}-{:02}T{:02}:30:{:02}.{:06}Z",
                    n % 12 + 1,
                    scatter(n) % 28 + 1,
                    n % 24,
                    n % 60,
                    n
                )
            },
            plain(),
        ),
        (
            "timestamp(us,UTC), by a pattern",
            utc(),
            |n| {
                format!(
                    "2024{:02}{:02}-{:02}:30:{:02}.{:03}",
                    n % 12 + 1,
                    scatter(n) % 28 + 1,
                    n % 24,
                    n % 60,
                    n % 1000
                )
            },
            pattern(),
        ),
        ("utf8, missing values", Utf8, |n| format!("order {}", scatter(n) % 100_000), missing()),
        (
            "utf8, trimmed",
            Utf8,
            |n| format!(" order {} ", scatter(n) % 100_000),
            Decoding { trim: true, ..plain() },
        ),
    ]
}

fn nanos((_, to, cell, decoding): Column) -> f64 {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(cell)));
    let cast = Cast::plan(&DataType::Utf8, &to, &decoding).expect("a cast from text");
    let pass = || {
        let begun = Instant::now();
        std::hint::black_box(cast.run(std::hint::black_box(&texts)));
        begun.elapsed().as_nanos() as f64 / ROWS as f64
    };
    (0..PASSES).map(|_| pass()).fold(f64::INFINITY, f64::min)
}

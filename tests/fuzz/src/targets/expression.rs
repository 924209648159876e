//! Rules between columns: a rule that is read has a canonical form that reads as itself, and judges rows without a fault.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use casparian_core::contract::expression::Expression;
use casparian_core::contract::{Column, TableContract};
use casparian_core::fault::Blame;
use casparian_core::id::TableName;

use super::assert_refusal;
use crate::Target;

pub(super) const TARGET: Target = Target { name: "expression", bytes_max: 2048, run, seeds };

/// Rows of extremes and nulls.
static ROWS: LazyLock<RecordBatch> = LazyLock::new(|| {
    let decimals = Decimal128Array::from(vec![Some(i128::from(i64::MAX)), Some(-1), None]);
    let decimals = decimals.with_precision_and_scale(38, 4).expect("a decimal");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None]))),
        ("u", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(0), None]))),
        ("d", Arc::new(decimals)),
        ("f", Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(f64::MIN), None]))),
        ("g", Arc::new(Float32Array::from(vec![Some(-0.0), Some(f32::INFINITY), None]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("s", Arc::new(StringArray::from(vec![Some("a'b"), Some(""), None]))),
        ("raw", Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), Some(b""), None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(i64::MIN), Some(i64::MAX), None]))),
        ("And", Arc::new(Int64Array::from(vec![Some(0), Some(1), None]))),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
});

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let name = TableName::new("t").expect("a name");
    TableContract::declared(&name, ROWS.schema().as_ref()).columns
});

fn seeds() -> Vec<Vec<u8>> {
    let rules = [
        "n >= 0 AND u < 18446744073709551615 OR NOT b",
        "abs(n) * 2 - -d = 1.50 OR d BETWEEN -1 AND +2",
        "s IN ('a''b', '') OR s IS NOT NULL AND length(s) <= 3",
        "coalesce(f, g, 1e3) <> 0.1 AND \"And\" = 1",
        "day >= date '2024-02-29' AND at < timestamp '2024-01-01T00:00:00Z'",
        "(((n + 1) * (n - 1)) NOT BETWEEN 0 AND 9) = TRUE",
        "raw IS NULL OR n NOT IN (1, 2, 3)",
    ];
    rules.map(|rule| rule.as_bytes().to_vec()).into()
}

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Expression::parse(text, &COLUMNS) {
        Ok(rule) => {
            let canonical = rule.canonical();
            let again = Expression::parse(&canonical, &COLUMNS);
            let again = again.unwrap_or_else(|fault| panic!("`{canonical}` of `{text}`: {fault}"));
            assert_eq!(again.canonical(), canonical, "of `{text}`");
            assert_eq!(again.judge(&ROWS), rule.judge(&ROWS), "`{canonical}` of `{text}`");
        }
        Err(fault) => {
            assert_refusal(&fault, Blame::Operator);
            assert!(fault.offset <= text.len(), "{fault}: byte {} of {}", fault.offset, text.len());
        }
    }
}

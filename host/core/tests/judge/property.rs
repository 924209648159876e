//! The verdict on a row follows from the row: not from its neighbours, its place in a batch, or where batches are cut.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray};
use proptest::prelude::*;

use super::{batch, judge_for, reasons};

const PROPERTIES: &str = "\
- {name: id, logicalType: integer, required: true, logicalTypeOptions: {minimum: 0}}
- {name: px, logicalType: number, physicalType: 'DECIMAL(9,3)', logicalTypeOptions: {exclusiveMinimum: 0}}
- {name: at, logicalType: timestamp, physicalType: TIMESTAMP(3)}
- name: side
  logicalType: string
  logicalTypeOptions: {maxLength: 4}
  quality: [{type: library, metric: invalidValues, arguments: {validValues: [buy, sell]}, mustBe: 0}]";
const REST: &str = "quality:\n  - {type: custom, name: cheap, engine: casparian, implementation: 'px <= id'}";

fn cell() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        2 => Just(None),
        2 => Just(Some(String::new())),
        6 => (-5_i64..400).prop_map(|n| Some(n.to_string())),
        4 => (0_u32..99_999).prop_map(|n| Some(format!("{}.{:03}", n / 1000, n % 1000))),
        2 => "0[0-9]{1,3}|[0-9]e[0-9]|[0-9]{1,12}".prop_map(Some),
        2 => Just(Some("2024-02-01T10:00:00.5".to_owned())),
        2 => prop_oneof![Just("buy"), Just("sell"), Just("hold")].prop_map(|text| Some(text.to_owned())),
        1 => "\\PC{0,6}".prop_map(Some),
    ]
}

type Row = [Option<String>; 4];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec([cell(), cell(), cell(), cell()], 1..24)
}

fn columns(rows: &[Row]) -> Vec<(&'static str, ArrayRef)> {
    let column =
        |at: usize| Arc::new(StringArray::from_iter(rows.iter().map(|row| row[at].as_deref()))) as ArrayRef;
    ["id", "px", "at", "side"].into_iter().enumerate().map(|(at, name)| (name, column(at))).collect()
}

/// Per row: its reasons, and its cells where there are none.
fn verdicts(rows: &[Row]) -> Vec<(Vec<String>, Vec<String>)> {
    let batch = batch(&columns(rows));
    let judge = judge_for(PROPERTIES, REST, &batch.rows().schema()).expect("it fits");
    let judged = judge.judge(batch).expect("one length");
    let cells =
        |row: usize| judged.rows().columns().iter().map(|c| format!("{:?}", c.slice(row, 1))).collect();
    (0..rows.len())
        .map(|row| {
            let is_bad = judged.bad().is_some_and(|bad| bad.value(row));
            let reasons = reasons(&judged, row);
            assert_eq!(is_bad, !reasons.is_empty(), "a row is bad if and only if something is said of it");
            (reasons, if is_bad { Vec::new() } else { cells(row) })
        })
        .collect()
}

proptest! {
    #[test]
    fn a_row_is_judged_alone_as_among_others(rows in rows()) {
        let together = verdicts(&rows);
        let alone: Vec<_> = rows.iter().flat_map(|row| verdicts(std::slice::from_ref(row))).collect();
        prop_assert_eq!(together, alone);
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in rows(), by in 0_usize..24) {
        let by = by % rows.len();
        let mut turned = rows.clone();
        turned.rotate_left(by);
        let mut expected = verdicts(&rows);
        expected.rotate_left(by);
        prop_assert_eq!(verdicts(&turned), expected);
    }
}

//! What a budget counts in rows as they are written.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use casparian_core::contract::judge::Measure;
use casparian_core::contract::{Metric, Rule, TableContract};
use casparian_core::id::TableName;

fn rows() -> RecordBatch {
    let schema =
        Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("s", DataType::Utf8, true)]);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4)]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![None, None, None, Some("x")]));
    RecordBatch::try_new(Arc::new(schema), vec![numbers, texts]).expect("columns of one length")
}

fn measure(metric: &Metric) -> Result<Measure, String> {
    let contract = TableContract::declared(&TableName::new("t").expect("a name"), &rows().schema());
    Measure::new(metric, &contract, "few").map_err(|refused| refused.to_string())
}

fn count(metric: &Metric) -> u64 {
    measure(metric).expect("a metric of the table").count(&rows())
}

#[test]
fn rows_nulls_and_values_that_break_a_rule_are_counted() {
    assert_eq!(count(&Metric::RowCount), 4);
    assert_eq!([count(&Metric::NullValues(0)), count(&Metric::NullValues(1))], [1, 3]);
    assert_eq!(count(&Metric::InvalidValues(0, Rule::Minimum("3".to_owned()))), 1);
    assert_eq!(count(&Metric::InvalidValues(1, Rule::MaxLength(0))), 1);
}

#[test]
fn values_that_come_twice_are_counted_where_keys_are_claimed() {
    assert_eq!(count(&Metric::DuplicateValues(vec![0])), 0);
}

#[test]
fn a_metric_of_a_column_that_is_not_there_is_refused_by_the_budgets_name() {
    let refused = measure(&Metric::InvalidValues(2, Rule::NotNull)).expect_err("two columns");
    assert_eq!(refused, "rule `few` of table `t`: its column is not there");
    let refused = measure(&Metric::InvalidValues(0, Rule::MinLength(1))).expect_err("a number");
    assert_eq!(refused, "rule `few` of table `t`: it says nothing of i64");
}

//! Every rule over every type that it looks at: which values break it, and what it says that it wanted.

use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::{
    Array as _, ArrayRef, ArrowPrimitiveType, BinaryArray, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int32Array, Int64Array, PrimitiveArray, StringArray, UInt64Array,
};
use arrow_schema::{DataType, Schema};
use casparian_core::contract::judge::{Judged, TableJudge};
use casparian_core::contract::{Check, Rule, Severity, TableContract, TextFormat};
use casparian_core::id::TableName;

use super::{bad_rows, batch, texts};

/// Judges a column under one rule.
fn under(rule: Rule, column: &ArrayRef) -> Result<Judged, String> {
    let batch = batch(&[("v", Arc::clone(column))]);
    let schema = batch.rows().schema();
    let mut contract = TableContract::declared(&TableName::new("t").expect("a name"), &schema);
    let check = Check { name: "rule".to_owned(), rule, severity: Severity::Error };
    contract.columns[0].checks.push(check);
    let judge = TableJudge::new(contract, &schema, &schema).map_err(|refused| refused.to_string())?;
    Ok(judge.judge(batch).expect("columns of one length"))
}

/// Returns the rows that break a rule.
fn broken(rule: Rule, column: &ArrayRef) -> Vec<usize> {
    bad_rows(&under(rule, column).expect("the rule has a meaning"))
}

fn numbers<T: ArrowPrimitiveType>(values: [T::Native; 4]) -> ArrayRef {
    let with_null = values.map(Some).into_iter().chain([None]);
    Arc::new(with_null.collect::<PrimitiveArray<T>>())
}

/// 6, 7, 0 and 9, and no value.
fn of_every_number_type() -> Vec<ArrayRef> {
    let decimals = Decimal128Array::from(vec![Some(600), Some(700), Some(0), Some(900), None]);
    vec![
        numbers::<Int8Type>([6, 7, 0, 9]),
        numbers::<Int16Type>([6, 7, 0, 9]),
        numbers::<Int32Type>([6, 7, 0, 9]),
        numbers::<Int64Type>([6, 7, 0, 9]),
        numbers::<UInt8Type>([6, 7, 0, 9]),
        numbers::<UInt16Type>([6, 7, 0, 9]),
        numbers::<UInt32Type>([6, 7, 0, 9]),
        numbers::<UInt64Type>([6, 7, 0, 9]),
        numbers::<Float32Type>([6.0, 7.0, 0.0, 9.0]),
        numbers::<Float64Type>([6.0, 7.0, 0.0, 9.0]),
        Arc::new(decimals.with_precision_and_scale(5, 2).expect("a scale")),
    ]
}

#[test]
fn a_bound_is_met_or_passed_alike_in_every_type() {
    let bound = || "7".to_owned();
    for column in of_every_number_type() {
        let of = column.data_type();
        assert_eq!(broken(Rule::Minimum(bound()), &column), [0, 2], "{of}");
        assert_eq!(broken(Rule::Maximum(bound()), &column), [3], "{of}");
        assert_eq!(broken(Rule::ExclusiveMinimum(bound()), &column), [0, 1, 2], "{of}");
        assert_eq!(broken(Rule::ExclusiveMaximum(bound()), &column), [1, 3], "{of}");
    }
}

#[test]
fn a_multiple_is_exact_in_every_type_and_zero_is_one_of_all() {
    for column in of_every_number_type() {
        let of = column.data_type();
        assert_eq!(broken(Rule::MultipleOf("3".to_owned()), &column), [1], "{of}");
        assert_eq!(broken(Rule::MultipleOf("0".to_owned()), &column), [0, 1, 2, 3], "{of}");
    }
}

#[test]
fn the_sign_of_a_multiple_does_not_matter() {
    let column: ArrayRef = Arc::new(Int8Array::from(vec![i8::MIN, -4, -3, 6]));
    assert_eq!(broken(Rule::MultipleOf("-1".to_owned()), &column), [0; 0]);
    assert_eq!(broken(Rule::MultipleOf("-2".to_owned()), &column), [2]);
}

#[test]
fn not_a_number_is_in_no_range_and_no_list_of_either_size() {
    let columns: [ArrayRef; 2] = [
        Arc::new(Float32Array::from(vec![f32::NAN, -0.0, 1.5])),
        Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 1.5])),
    ];
    for column in columns {
        for rule in [Rule::Minimum("-9".to_owned()), Rule::Maximum("9".to_owned())] {
            assert_eq!(broken(rule, &column), [0], "{}", column.data_type());
        }
        let listed = |words: &[&str]| Rule::OneOf(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(broken(listed(&["0", "NaN"]), &column), [0, 2], "{}", column.data_type());
        assert_eq!(broken(listed(&["1.5"]), &column), [0, 1], "{}", column.data_type());
    }
}

#[test]
fn a_value_that_is_allowed_twice_is_allowed() {
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let listed = ["1", "+1", "3"].map(str::to_owned).to_vec();
    assert_eq!(broken(Rule::OneOf(listed), &column), [1]);
}

#[test]
fn a_length_counts_characters_of_texts_and_bytes_of_binaries() {
    let ascii = texts(&[Some("ab"), Some("abc"), Some("abcd"), None]);
    let other = texts(&[Some("äö"), Some("äöü"), Some("äöüß"), None]);
    let bytes: ArrayRef =
        Arc::new(BinaryArray::from(vec![Some(&b"ab"[..]), Some(b"abc"), Some(b"abcd"), None]));
    for column in [ascii, other, bytes] {
        assert_eq!(broken(Rule::MinLength(3), &column), [0], "{}", column.data_type());
        assert_eq!(broken(Rule::MaxLength(3), &column), [2], "{}", column.data_type());
    }
}

#[test]
fn a_text_that_is_written_like_none_of_its_format_breaks_it() {
    let cases = [
        (TextFormat::Uuid, "01234567-89ab-cdef-0123-456789abcdef"),
        (TextFormat::Email, "a@example.org"),
        (TextFormat::Uri, "https://example.org/"),
        (TextFormat::Ipv4, "192.0.2.1"),
        (TextFormat::Ipv6, "2001:db8::1"),
        (TextFormat::Hostname, "example.org"),
    ];
    for (format, good) in cases {
        let column = texts(&[Some(good), Some(" "), None]);
        assert_eq!(broken(Rule::Format(format), &column), [1], "{format:?}");
    }
}

#[test]
fn a_rule_that_looks_at_no_value_of_a_type_is_refused() {
    let text = texts(&[Some("a")]);
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let refusals = [
        (Rule::MinLength(1), &number, "i64"),
        (Rule::MaxLength(1), &number, "i64"),
        (Rule::Pattern("a".to_owned()), &number, "i64"),
        (Rule::Format(TextFormat::Uuid), &number, "i64"),
        (Rule::MinItems(1), &text, "string"),
        (Rule::MaxItems(1), &text, "string"),
        (Rule::UniqueItems, &text, "string"),
        (Rule::MultipleOf("1".to_owned()), &text, "string"),
    ];
    for (rule, column, of) in refusals {
        let refused = under(rule.clone(), column).expect_err("it would pass everything");
        assert_eq!(refused, format!("rule `v: rule` of table `t`: it says nothing of {of}"), "{rule:?}");
    }
    let refused = under(Rule::Minimum("x".to_owned()), &number).expect_err("a bound that is none");
    assert_eq!(refused, "rule `v: rule` of table `t`: `x` is no i64 (CF0201)");
}

#[test]
fn what_a_rule_wanted_is_said_in_words() {
    let seven = || "7".to_owned();
    let number: ArrayRef = Arc::new(UInt64Array::from(vec![Some(3), Some(9), Some(7), None]));
    let text = texts(&[Some("ab"), Some("")]);
    let list = |words: &[i32]| Rule::OneOf(words.iter().map(ToString::to_string).collect());
    let said = [
        (Rule::NotNull, &number, "a value"),
        (Rule::Minimum(seven()), &number, ">= 7"),
        (Rule::Maximum(seven()), &number, "<= 7"),
        (Rule::ExclusiveMinimum(seven()), &number, "> 7"),
        (Rule::ExclusiveMaximum(seven()), &number, "< 7"),
        (Rule::MultipleOf(seven()), &number, "a multiple of 7"),
        (list(&[1, 2]), &number, "one of 1, 2"),
        (
            list(&[10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]),
            &number,
            "one of 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21",
        ),
        (
            list(&[10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]),
            &number,
            "one of 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21 and 2 more",
        ),
        (Rule::MinLength(1), &text, "a length of at least 1"),
        (Rule::MaxLength(1), &text, "a length of at most 1"),
        (Rule::Pattern("^b".to_owned()), &text, "a match of ^b"),
        (Rule::Format(TextFormat::Uuid), &text, "uuid"),
        (Rule::Format(TextFormat::Email), &text, "email"),
        (Rule::Format(TextFormat::Uri), &text, "uri"),
        (Rule::Format(TextFormat::Ipv4), &text, "ipv4"),
        (Rule::Format(TextFormat::Ipv6), &text, "ipv6"),
        (Rule::Format(TextFormat::Hostname), &text, "hostname"),
    ];
    for (rule, column, wanted) in said {
        assert_eq!(expected(rule.clone(), column), wanted, "{rule:?}");
    }
}

#[test]
fn what_is_wanted_of_a_list_is_said_in_words() {
    let lists: ArrayRef = Arc::new(arrow_array::ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), Some(1)]),
        Some(vec![]),
    ]));
    assert_eq!(expected(Rule::MinItems(1), &lists), "at least 1 items");
    assert_eq!(expected(Rule::MaxItems(1), &lists), "at most 1 items");
    assert_eq!(expected(Rule::UniqueItems, &lists), "no item twice");
    assert_eq!(broken(Rule::MinItems(1), &lists), [1]);
    assert_eq!(broken(Rule::MaxItems(1), &lists), [0]);
}

/// Returns what the first row that breaks a rule is told.
fn expected(rule: Rule, column: &ArrayRef) -> String {
    let judged = under(rule, column).expect("the rule has a meaning");
    let row = *bad_rows(&judged).first().expect("a row that breaks it");
    let (violations, _) = judged.violations(row);
    violations[0].rule.expected.clone().expect("words")
}

#[test]
fn the_type_that_a_cell_is_not_is_said_as_contracts_write_it() {
    use arrow_schema::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let utc = || Some(Arc::from("UTC"));
    let words = [
        (DataType::Boolean, "boolean"),
        (DataType::Int8, "i8"),
        (DataType::Int16, "i16"),
        (DataType::Int32, "i32"),
        (DataType::Int64, "i64"),
        (DataType::UInt8, "u8"),
        (DataType::UInt16, "u16"),
        (DataType::UInt32, "u32"),
        (DataType::UInt64, "u64"),
        (DataType::Float32, "f32"),
        (DataType::Float64, "f64"),
        (DataType::Decimal128(6, 2), "decimal(6,2)"),
        (DataType::Date32, "date"),
        (DataType::Time32(Second), "time(0)"),
        (DataType::Time32(Millisecond), "time(3)"),
        (DataType::Time64(Microsecond), "time(6)"),
        (DataType::Time64(Nanosecond), "time(9)"),
        (DataType::Timestamp(Microsecond, None), "timestamp(6)"),
        (DataType::Timestamp(Millisecond, utc()), "timestamp(3, UTC)"),
    ];
    let sent: ArrayRef = Arc::new(StringArray::from(vec!["?"]));
    for (of, word) in words {
        let batch = batch(&[("v", Arc::clone(&sent))]);
        let wanted = Schema::new(vec![arrow_schema::Field::new("v", of, true)]);
        let contract = TableContract::declared(&TableName::new("t").expect("a name"), &wanted);
        let schema = batch.rows().schema();
        let judge = TableJudge::new(contract, &schema, &schema).expect("a text may be anything");
        let judged = judge.judge(batch).expect("columns of one length");
        let (violations, _) = judged.violations(0);
        assert_eq!(violations[0].rule.expected.as_deref(), Some(word));
    }
}

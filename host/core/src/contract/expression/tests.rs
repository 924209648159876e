mod naive;

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;

fn columns(of: &[(&str, DataType)]) -> Vec<Column> {
    let fields: Vec<Field> =
        of.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect();
    let name = crate::id::TableName::new("t").unwrap();
    crate::contract::TableContract::declared(&name, &Schema::new(fields)).columns
}

fn table() -> Vec<Column> {
    let utc = Some(Arc::from("UTC"));
    columns(&[
        ("quantity", DataType::Int64),
        ("price", DataType::Decimal128(18, 4)),
        ("factor", DataType::Float64),
        ("share", DataType::Float32),
        ("is_open", DataType::Boolean),
        ("symbol", DataType::Utf8),
        ("raw", DataType::Binary),
        ("day", DataType::Date32),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, utc)),
        ("local", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("clock", DataType::Time32(TimeUnit::Second)),
        ("wide", DataType::Decimal128(38, 20)),
        ("legs", DataType::new_list(DataType::Int64, true)),
        ("order", DataType::Int64),
        ("And", DataType::Int64),
        ("größe \"x\"", DataType::Int64),
        ("date", DataType::Date32),
    ])
}

fn parse(text: &str) -> Expression {
    Expression::parse(text, &table()).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

/// Where it is wrong, what is wrong, and the hint.
fn refusal(text: &str) -> (usize, String, String) {
    let fault = Expression::parse(text, &table()).expect_err(text);
    (fault.offset, fault.message, fault.hint.unwrap_or_default())
}

fn refused(text: &str, offset: usize, message: &str, hint: &str) {
    assert_eq!(refusal(text), (offset, message.to_owned(), hint.to_owned()), "{text}");
}

fn batch(of: Vec<(&str, ArrayRef)>) -> (Vec<Column>, RecordBatch) {
    let types: Vec<_> = of.iter().map(|(name, array)| (*name, array.data_type().clone())).collect();
    let rows =
        RecordBatch::try_from_iter_with_nullable(of.into_iter().map(|(name, array)| (name, array, true)))
            .unwrap();
    (columns(&types), rows)
}

/// Judges rows: `.` fine, `x` broken, `?` incomputable.
fn judged(text: &str, of: Vec<(&str, ArrayRef)>) -> String {
    let (columns, rows) = batch(of);
    let rule = Expression::parse(text, &columns).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    shown(&rule.judge(&rows), rows.num_rows())
}

fn shown(truths: &Truths, rows: usize) -> String {
    let is_set = |mask: &Option<BooleanBuffer>, row| mask.as_ref().is_some_and(|mask| mask.value(row));
    let sign = |row| match (is_set(&truths.broken, row), is_set(&truths.incomputable, row)) {
        (false, false) => '.',
        (true, false) => 'x',
        (false, true) => '?',
        (true, true) => '!',
    };
    (0..rows).map(sign).collect()
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn decimals(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale).unwrap())
}

#[test]
fn a_rule_that_is_false_is_broken_and_one_that_is_null_is_not() {
    let a = ints(&[Some(1), Some(2), None, Some(1)]);
    let b = ints(&[Some(1), Some(1), Some(1), None]);
    assert_eq!(judged("a = b", vec![("a", a), ("b", b)]), ".x..");
}

#[test]
fn a_batch_that_is_clean_has_no_masks() {
    let (columns, rows) = batch(vec![("a", ints(&[Some(1), None]))]);
    let truths = Expression::parse("a = 1", &columns).unwrap().judge(&rows);
    assert_eq!(truths, Truths::default());
}

#[test]
fn decimals_add_up_exactly() {
    let (a, b, c) = (decimals(&[30, 30], 9, 2), decimals(&[10, 10], 9, 2), decimals(&[200, 201], 9, 3));
    assert_eq!(judged("a = b + c", vec![("a", a), ("b", b), ("c", c)]), ".x");
}

#[test]
fn what_leaves_128_bits_is_incomputable_and_nothing_else_is() {
    let big = decimals(&[10_i128.pow(37), 5], 38, 0);
    assert_eq!(judged("a * a * 100 > 0", vec![("a", big.clone())]), "?.");
    assert_eq!(judged("a * a > 0 OR TRUE", vec![("a", big.clone())]), "..");
    assert_eq!(judged("a * a > 0 AND FALSE", vec![("a", big.clone())]), "xx");
    assert_eq!(judged("NOT a * a > 0", vec![("a", big.clone())]), "?x");
    assert_eq!(judged("a * a IS NULL", vec![("a", big.clone())]), "?x");
    assert_eq!(judged("coalesce(a, a * a) > 0", vec![("a", big)]), "..");
}

#[test]
fn a_comparison_of_any_two_scales_is_computable() {
    let (a, b) = (
        decimals(&[10_i128.pow(37), -(10_i128.pow(37)), 1], 38, 0),
        decimals(&[1, 1, 10_i128.pow(30)], 38, 30),
    );
    assert_eq!(judged("a > b", vec![("a", a.clone()), ("b", b.clone())]), ".xx");
    assert_eq!(judged("a = b", vec![("a", a), ("b", b)]), "xx.");
}

#[test]
fn bits_below_a_null_do_not_overflow() {
    let nulls = arrow_buffer::NullBuffer::from(vec![false, true]);
    let hidden = Int64Array::new(vec![i64::MAX, 2].into(), Some(nulls));
    assert_eq!(judged("a * a * a * a = 1", vec![("a", Arc::new(hidden))]), ".x");
}

#[test]
fn the_largest_unsigned_numbers_are_themselves() {
    let a: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, u64::MAX - 1]));
    assert_eq!(judged("a + 1 = 18446744073709551616", vec![("a", a)]), ".x");
}

#[test]
fn between_takes_both_ends() {
    let a = ints(&[Some(0), Some(1), Some(3), Some(4), None]);
    assert_eq!(judged("a BETWEEN 1 AND 3", vec![("a", a.clone())]), "x..x.");
    assert_eq!(judged("a NOT BETWEEN 1 AND 3", vec![("a", a)]), ".xx..");
}

#[test]
fn a_list_holds_values_of_other_scales() {
    let a = decimals(&[150, 200, 175], 9, 2);
    assert_eq!(judged("a IN (1.5, 2, 1.755)", vec![("a", a)]), "..x");
    let s: ArrayRef = Arc::new(StringArray::from(vec![Some("buy"), Some("it's"), Some("hold"), None]));
    assert_eq!(judged("s IN ('sell', 'buy', 'it''s')", vec![("s", s)]), "..x.");
}

#[test]
fn length_counts_characters() {
    let s: ArrayRef = Arc::new(StringArray::from(vec![Some("äöü"), Some("a\u{1f600}"), Some(""), None]));
    assert_eq!(judged("length(s) = 3", vec![("s", s.clone())]), ".xx.");
    assert_eq!(judged("length(s) IN (2, 3)", vec![("s", s)]), "..x.");
}

#[test]
fn a_literal_meets_a_float_as_the_nearest_one_of_its_width() {
    let single: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 0.2]));
    assert_eq!(judged("a = 0.1", vec![("a", single.clone())]), ".x");
    assert_eq!(judged("a IN (0.1)", vec![("a", single.clone())]), ".x");
    assert_eq!(judged("a BETWEEN 0.1 AND 0.1", vec![("a", single)]), ".x");
    let double: ArrayRef = Arc::new(Float64Array::from(vec![-0.1, 0.0, -0.0, f64::NAN]));
    assert_eq!(judged("-0.1 = a", vec![("a", double.clone())]), ".xxx");
    assert_eq!(judged("a = 0", vec![("a", double)]), "x..x");
}

#[test]
fn floats_that_grow_out_of_range_are_incomputable() {
    let a: ArrayRef = Arc::new(Float64Array::from(vec![f64::MAX, f64::INFINITY, 1.0, f64::NAN]));
    assert_eq!(judged("a + a > 0", vec![("a", a)]), "?..x");
}

#[test]
fn rows_with_other_columns_than_the_rule_was_read_against_are_incomputable() {
    let rule =
        Expression::parse("a = b", &columns(&[("a", DataType::Int64), ("b", DataType::Int64)])).unwrap();
    let (_, fewer) = batch(vec![("a", ints(&[Some(1)]))]);
    let (_, others) = batch(vec![("a", ints(&[Some(1)])), ("b", Arc::new(StringArray::from(vec!["1"])))]);
    assert_eq!(shown(&rule.judge(&fewer), 1), "?");
    assert_eq!(shown(&rule.judge(&others), 1), "?");
}

#[test]
fn columns_are_listed_once_and_ascending() {
    assert_eq!(parse("price > 0 AND quantity > price AND price < 5").columns(), [0, 1]);
    assert!(parse("1 = 1").columns().is_empty());
}

#[test]
fn one_tree_has_one_spelling() {
    for (text, canonical) in [
        ("quantity>0", "quantity > 0"),
        ("((\"quantity\")) != 007.500", "quantity <> 7.5"),
        ("not (is_open)", "NOT is_open"),
        ("not quantity is null", "quantity IS NOT NULL"),
        ("not (quantity in (2,1.0,1))", "quantity NOT IN (1, 2)"),
        ("quantity not between -(-1) and - 2", "quantity NOT BETWEEN 1 AND -2"),
        (
            "is_open and (quantity>1 and price>2) or true or (false or is_open)",
            "is_open AND quantity > 1 AND price > 2 OR TRUE OR FALSE OR is_open",
        ),
        ("is_open and (true or false)", "is_open AND (TRUE OR FALSE)"),
        ("(quantity+1)*2-(quantity-1)=0", "(quantity + 1) * 2 - (quantity - 1) = 0"),
        ("(quantity-1)-1=(quantity*2)*3", "quantity - 1 - 1 = quantity * 2 * 3"),
        ("--quantity=-(quantity*-1)", "- -quantity = -(quantity * -1)"),
        ("symbol='it''s'", "symbol = 'it''s'"),
        ("\"And\"+\"order\" = \"größe \"\"x\"\"\"", "\"And\" + order = \"größe \"\"x\"\"\""),
        ("Date = DATE '2024-02-29'", ""),
        ("date = DATE '2024-02-29'", "date = date '2024-02-29'"),
        ("at > TimeStamp '1969-12-31T23:59:59.120Z'", "at > timestamp '1969-12-31T23:59:59.12Z'"),
        ("local > timestamp '0001-01-01T00:00:00'", "local > timestamp '0001-01-01T00:00:00'"),
        ("day <= date '9999-12-31'", "day <= date '9999-12-31'"),
        ("clock = time '23:59:00.000'", "clock = time '23:59:00'"),
        ("LENGTH(symbol)>COALESCE(ABS(-quantity),0)", "length(symbol) > coalesce(abs(-quantity), 0)"),
        ("(quantity=1)=(is_open is null)", "(quantity = 1) = (is_open IS NULL)"),
        ("factor > 1.50 and share = -0.10", "factor > 1.5 AND share = -0.1"),
        ("quantity > 0.0000000000000000000000000000000000000", "quantity > 0"),
    ] {
        let Ok(read) = Expression::parse(text, &table()) else {
            assert_eq!(canonical, "", "{text}");
            continue;
        };
        assert_eq!(read.canonical(), canonical, "{text}");
        assert_eq!(parse(canonical), read, "{text}");
    }
}

#[test]
fn a_misspelt_name_is_refused_with_the_nearest_one() {
    refused("qantity > 0", 0, "no column is called `qantity`", "did you mean `quantity`?");
    refused("price > \"Symbol\"", 8, "no column is called `Symbol`", "did you mean `symbol`?");
    refused("len(symbol) > 0", 0, "no function is called `len`", "there are abs, coalesce and length");
    refused("lenght(symbol) > 0", 0, "no function is called `lenght`", "did you mean `length`?");
    refused(
        "and > 0",
        0,
        "expected a column, a literal or a bracket, found `and`",
        "a column of this name stands in quotes: \"and\"",
    );
}

#[test]
fn two_kinds_are_refused_with_both_their_names() {
    refused(
        "quantity = 'x'",
        9,
        "`quantity` is an integer and `'x'` is a text: they cannot be compared",
        "texts stand in 'single quotes', numbers in none, columns in \"double quotes\" or none",
    );
    refused(
        "price < factor",
        6,
        "`price` is a decimal and `factor` is a float: they cannot be compared",
        "a float is compared with floats and with literals; declare both columns alike",
    );
    refused(
        "at > '2024-01-01'",
        3,
        "`at` is a timestamp in UTC and `'2024-01-01'` is a text: they cannot be compared",
        "write timestamp '2024-01-31T00:00:00Z', without Z for one that has no zone",
    );
    refused(
        "at > local",
        3,
        "`at` is a timestamp in UTC and `local` is a timestamp without a zone: they cannot be compared",
        "values are compared with their own kind only: declare both columns alike",
    );
    refused(
        "day + 1 > day",
        4,
        "`+` takes two exact numbers or two floats, and `day` is a date, `1` is an integer",
        "dates and times are compared, not computed with; give both columns one kind of number",
    );
    refused(
        "quantity",
        0,
        "a rule takes what is true or false, and `quantity` is an integer",
        "compare it with something: `quantity > 0`",
    );
    refused(
        "legs = legs",
        5,
        "`legs` is of a type that rules only ask whether it is null and `legs` is of a type that rules only ask whether it is null: they cannot be compared",
        "values are compared with their own kind only: declare both columns alike",
    );
}

#[test]
fn what_the_language_has_not_is_refused_with_another_way() {
    refused(
        "quantity / 2 = 1",
        9,
        "`/` means nothing here",
        "there is no division: multiply the other side, `a * c = b`",
    );
    refused(
        "symbol LIKE 'a%'",
        7,
        "expected an operator, or the end, found `LIKE`",
        "give the column a `pattern` instead",
    );
    refused(
        "quantity = NULL",
        11,
        "nothing equals NULL, not even NULL",
        "ask `… IS NULL` or `… IS NOT NULL`",
    );
    refused(
        "1 < quantity < 5",
        13,
        "a comparison is not compared with something else",
        "join two comparisons with AND: `a < b AND b < c`",
    );
    refused(
        "quantity > 1e5",
        11,
        "`1e5` is no number",
        "write digits, and behind a point more of them: `1000`, `0.5`",
    );
    refused("quantity == 1", 10, "expected a column, a literal or a bracket, found `=`", "");
    refused(
        "symbol = 'x",
        9,
        "a text begins here and does not end",
        "close it with '; within it write '' for one",
    );
    refused("day > date '2023-02-29'", 6, "`2023-02-29` is no date", "write it as `date '2024-01-31'`");
    refused(
        "at > timestamp '2024-01-01T24:00:00Z'",
        5,
        "`2024-01-01T24:00:00Z` is no timestamp",
        "write it as `timestamp '2024-01-31T23:59:59.999Z'`, with Z for UTC or without for no zone",
    );
    refused(
        "wide * wide > 0",
        5,
        "a product of 20 and 20 decimal places has 40, and at most 38 are exact",
        "",
    );
    refused(
        "is_open > TRUE",
        8,
        "booleans have no order, so `>` does not hold for them",
        "compare them with = or <>",
    );
    refused(
        "quantity IN (1, price)",
        16,
        "`price` is no literal",
        "a list holds numbers, texts, dates and times as they are; join other comparisons with OR",
    );
    refused("abs(symbol, 1) > 1", 0, "abs takes one value, and 2 are given", "");
    refused(
        "quantity > 123456789012345678901234567890123456789",
        11,
        "the number has more than 38 digits",
        "",
    );
    refused("", 0, "expected a column, a literal or a bracket, found the end", "");
}

#[test]
fn a_rule_is_bounded_in_bytes_depth_and_nodes() {
    let nested = |depth: usize| format!("{}is_open{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(32), &table()).is_ok());
    assert_eq!(refusal(&nested(33)).1, "the rule is nested deeper than 32");
    assert_eq!(refusal(&format!("{}is_open", "NOT ".repeat(33))).1, "the rule is nested deeper than 32");
    assert_eq!(refusal(&format!("{}quantity = 1", "-".repeat(33))).1, "the rule is nested deeper than 32");
    let sum = |terms: usize| format!("quantity{} = 1", " + 1".repeat(terms));
    assert!(Expression::parse(&sum(126), &table()).is_ok());
    assert_eq!(refusal(&sum(127)).1, "the rule has more than 256 operators, columns and literals");
    let listed = |items: usize| format!("quantity IN ({}1)", "1,".repeat(items));
    assert!(Expression::parse(&listed(2000), &table()).is_ok());
    assert_eq!(
        refusal(&listed(3000)).1,
        "the rule has 6015 bytes as it is written, and at most 4096 are allowed"
    );
    let crowded = (1..1300).fold(String::from("quantity IN (1000"), |text, _| text + ",-9") + ")";
    assert!(Expression::parse(&crowded, &table()).is_ok(), "what is there twice is spelt once");
    let spread =
        (100..1000).fold(String::from("quantity IN (1"), |text, item| format!("{text},{item}")) + ")";
    assert_eq!(spread.len(), 3615);
    assert_eq!(
        refusal(&spread).1,
        "the rule has 4515 bytes once it is spaced out, and at most 4096 are allowed"
    );
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (text, days) in [
        ("1970-01-01", 0),
        ("2000-02-29", 11_016),
        ("1969-12-31", -1),
        ("9999-12-31", 2_932_896),
        ("0001-01-01", -719_162),
    ] {
        assert_eq!(literal::date(text), Some(days), "{text}");
    }
    for bad in [
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-01",
        "2024-01-32",
        "2024-1-1",
        "0000-01-01",
        "+2024-01-01",
        "2024-01-01 ",
        "",
    ] {
        assert_eq!(literal::date(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn every_day_is_written_as_it_is_read(day in -719_162_i128..=2_932_896) {
        let text = literal::text(day, tree::Kind::Date);
        prop_assert_eq!(literal::date(text.trim_start_matches("date '").trim_end_matches('\'')), Some(day));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text: String) {
        let _ = Expression::parse(&text, &table());
    }

    #[test]
    fn no_heap_of_tokens_makes_the_parser_panic_and_what_is_read_is_read_again(
        words in proptest::collection::vec(prop::sample::select(vec![
            "quantity", "price", "factor", "share", "is_open", "symbol", "raw", "day", "at", "legs", "1", "0.50", "'x'", "TRUE",
            "date '2024-01-31'", "=", "<>", "<", "+", "-", "*", "(", ")", "(", ")", ",", "AND", "OR", "NOT", "IN", "BETWEEN",
            "IS NULL", "IS NOT NULL", "length(", "abs(", "coalesce(", "\"And\"", "\"",
        ]), 0..16),
    ) {
        if let Ok(read) = Expression::parse(&words.join(" "), &table()) {
            prop_assert_eq!(Expression::parse(&read.canonical(), &table()).unwrap(), read);
        }
    }
}

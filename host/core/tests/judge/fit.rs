//! What a contract and a table's columns must have in common.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, StructArray};
use arrow_schema::{DataType, Field, Schema};
use casparian_core::contract::judge::SchemaFault;
use casparian_core::fault::{Blame, Blamed as _};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;

use super::{batch, judge_for, judged, texts};

const TWO: &str = "- {name: a, logicalType: string}\n- {name: b, logicalType: integer, required: true}";

fn sent(columns: &[(&str, DataType)]) -> Schema {
    Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>())
}

fn numbers() -> ArrayRef {
    Arc::new(Int64Array::from(vec![1, 2]))
}

fn refusal(rest: &str, columns: &[(&str, DataType)]) -> String {
    judge_for(TWO, rest, &sent(columns)).expect_err("they do not fit").to_string()
}

const EXTRA: &str = "customProperties:\n  - {property: extraColumns, value: POLICY}";

#[test]
fn columns_are_found_by_name_and_written_in_the_contracts_order() {
    let judged = judged(TWO, "", &[("b", numbers()), ("a", texts(&[Some("x"), None]))]);
    let schema = judged.rows().schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_column_that_must_have_values_must_be_sent() {
    let message = refusal("", &[("a", DataType::Utf8)]);
    assert_eq!(message, "CF0701: table `t` comes without column `b`, which the contract requires");
}

#[test]
fn a_column_that_may_be_null_is_null_where_it_is_not_sent() {
    let judged = judged(TWO, "", &[("b", numbers())]);
    assert!(super::is_null(&judged, "a", 0) && super::is_null(&judged, "a", 1));
    assert_eq!(judged.bad(), None);
}

#[test]
fn a_column_that_nobody_named_is_refused_left_out_or_passed_on() {
    let columns = [("a", DataType::Utf8), ("b", DataType::Int64), ("c", DataType::Date32)];
    assert!(refusal("", &columns).starts_with("CF0702: table `t` comes with column `c`"));
    let rest = |policy| EXTRA.replace("POLICY", policy);
    let names = |policy| {
        let judge = judge_for(TWO, &rest(policy), &sent(&columns)).expect("it fits");
        judge.declared().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("discard_value"), ["a", "b"]);
    assert_eq!(names("evolve"), ["a", "b", "c"]);
}

#[test]
fn a_type_that_never_fits_is_refused_before_the_first_row() {
    let message = refusal("", &[("a", DataType::Utf8), ("b", DataType::Date32)]);
    assert!(message.starts_with("CF0703: column `b` of table `t`: "), "{message}");
}

#[test]
fn a_strict_order_is_the_contracts() {
    let rest = "customProperties:\n  - {property: columnOrder, value: strict}";
    let columns = [("b", DataType::Int64), ("a", DataType::Utf8)];
    let message = refusal(rest, &columns);
    assert_eq!(message, "CF0704: table `t` comes with column `b` before `a`, the contract has it behind");
}

#[test]
fn what_must_have_a_value_is_declared_so() {
    let judge = judge_for(TWO, "", &batch(&[("b", numbers())]).rows().schema()).expect("it fits");
    let nullable: Vec<_> = judge.declared().fields().iter().map(|field| field.is_nullable()).collect();
    assert_eq!(nullable, [true, false]);
}

#[test]
fn a_column_that_comes_along_is_judged_as_the_parser_declares_it() {
    let rest = EXTRA.replace("POLICY", "evolve");
    let wide = arrow_array::Decimal128Array::from(vec![1, 9_999_999_999]).with_precision_and_scale(5, 2);
    let columns = [("b", numbers()), ("extra", Arc::new(wide.expect("a scale")) as ArrayRef)];
    let judged = judged(TWO, &rest, &columns);
    assert_eq!(super::bad_rows(&judged), [1]);
    assert_eq!(super::reasons(&judged, 1), ["CF0203 extra type `99999999.99`"]);
    let sent = Schema::new(vec![
        Field::new("b", DataType::Int64, false),
        Field::new("extra", DataType::Utf8, false),
    ]);
    let judge = judge_for(TWO, &rest, &sent).expect("it fits");
    let judged =
        judge.judge(batch(&[("b", numbers()), ("extra", texts(&[None, Some("x")]))])).expect("judged");
    assert_eq!(super::reasons(&judged, 0), ["CF0301 extra required"]);
}

#[test]
fn a_name_that_differs_by_case_alone_is_refused_whatever_becomes_of_others() {
    for policy in ["freeze", "discard_value", "evolve"] {
        let rest = EXTRA.replace("POLICY", policy);
        let message = refusal(&rest, &[("A", DataType::Utf8), ("b", DataType::Int64)]);
        assert_eq!(
            message, "CF0702: table `t` comes with column `A`, which the contract spells `a`",
            "{policy}"
        );
    }
}

#[test]
fn an_extra_field_of_an_object_is_left_out_only_where_the_contract_says_so() {
    let who = "- {name: who, logicalType: object, properties: [{name: x, logicalType: integer}]}";
    let object = |names: &[&str]| {
        DataType::Struct(names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect())
    };
    let fits =
        |policy| judge_for(who, &EXTRA.replace("POLICY", policy), &sent(&[("who", object(&["x", "y"]))]));
    assert!(fits("discard_value").is_ok());
    for policy in ["freeze", "evolve"] {
        let message = fits(policy).expect_err("a field would be lost").to_string();
        assert!(message.contains("comes with column `who.y`"), "{message}");
    }
}

#[test]
fn fields_of_an_object_are_found_by_name_too() {
    let properties = "\
- name: who
  logicalType: object
  properties: [{name: a, logicalType: integer}, {name: b, logicalType: integer}]";
    let field = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
    let column = |value| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let objects = StructArray::from(vec![(field("b"), column(2)), (field("a"), column(1))]);
    let judged = judged(properties, "", &[("who", Arc::new(objects))]);
    let written = judged.rows().column(0).as_struct();
    assert_eq!(written.column_names(), ["a", "b"]);
    let value = |at| written.column(at).as_primitive::<Int64Type>().value(0);
    assert_eq!([value(0), value(1)], [1, 2]);
}

#[test]
fn what_does_not_fit_is_the_operators_and_says_what_to_do() {
    let table = || TableName::new("t").expect("a name");
    let (column, why) = (|| "a".to_owned(), || "w".to_owned());
    let faults = [
        (
            SchemaFault::ExtraTable { table: table() },
            "table-not-in-contract",
            "choose tables with --tables, add it to the contract, or set `extraTables: evolve`",
        ),
        (
            SchemaFault::MissingColumn { table: table(), column: column() },
            "column-missing",
            "is this the contract of this parser?",
        ),
        (
            SchemaFault::ExtraColumn { table: table(), column: GuestText::new("a", 8) },
            "column-not-in-contract",
            "add it to the contract, or set `extraColumns: discard_value` or `evolve`",
        ),
        (
            SchemaFault::Spelling { table: table(), sent: GuestText::new("A", 8), column: column() },
            "column-spelling",
            "names are compared letter by letter; amend one of the two",
        ),
        (
            SchemaFault::WrongType { table: table(), column: column(), why: why() },
            "column-type",
            "`host inspect PARSER` shows the types that it sends",
        ),
        (
            SchemaFault::Order { table: table(), column: column(), before: why() },
            "column-order",
            "leave out `columnOrder: strict`, or amend the contract",
        ),
        (
            SchemaFault::Rule { table: table(), rule: column(), why: why() },
            "contract-rule",
            "`host contract lint FILE` shows the place",
        ),
    ];
    for (fault, code, hint) in faults {
        assert_eq!((fault.blame(), fault.code()), (Blame::Operator, code), "{fault}");
        assert_eq!(fault.hint().as_deref(), Some(hint), "{fault}");
    }
}

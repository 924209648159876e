//! What is said of a row: everything that is wrong with it, in the order of the contract.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, Float64Array, Int64Array, LargeListArray, ListArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};

use super::{bad_rows, is_null, judged, reasons, texts};

fn integers(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[test]
fn a_row_lists_all_that_is_wrong_with_it() {
    let properties = "\
- {name: id, logicalType: string, required: true, logicalTypeOptions: {minLength: 2, pattern: '^[A-Z]+$'}}
- {name: qty, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1, maximum: 10, multipleOf: 5}}";
    let columns =
        [("id", texts(&[Some("AB"), Some("x"), None])), ("qty", integers(&[Some(5), Some(12), None]))];
    let judged = judged(properties, "", &columns);
    assert_eq!(bad_rows(&judged), [1, 2]);
    let second = [
        "CF0402 id minLength `x`",
        "CF0403 id pattern `x`",
        "CF0401 qty maximum `12`",
        "CF0406 qty multipleOf `12`",
    ];
    let mut found = reasons(&judged, 1);
    found.sort();
    let mut wanted = second.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(reasons(&judged, 2), ["CF0301 id required", "CF0301 qty required"]);
    assert_eq!(reasons(&judged, 0), [""; 0]);
}

#[test]
fn a_text_that_is_cast_becomes_the_value_or_a_reason_and_never_another_value() {
    let properties = "- {name: px, logicalType: number, physicalType: 'DECIMAL(6,2)', required: true}";
    let judged = judged(
        properties,
        "",
        &[("px", texts(&[Some("1.50"), Some("1.505"), Some("x"), Some("99999"), None]))],
    );
    assert_eq!(judged.rows().column(0).as_primitive::<Decimal128Type>().value(0), 150);
    assert_eq!(bad_rows(&judged), [1, 2, 3, 4]);
    assert_eq!(reasons(&judged, 1), ["CF0202 px type `1.505`"]);
    assert_eq!(reasons(&judged, 2), ["CF0201 px type `x`"]);
    assert_eq!(reasons(&judged, 3), ["CF0203 px type `99999`"]);
    assert_eq!(reasons(&judged, 4), ["CF0301 px required"]);
    assert!((1..5).all(|row| is_null(&judged, "px", row)));
}

#[test]
fn not_a_number_is_in_no_range() {
    let properties = "- {name: x, logicalType: number, logicalTypeOptions: {maximum: 10}}\n\
                      - {name: y, logicalType: number, logicalTypeOptions: {minimum: 0}}";
    let column =
        || Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(1.0), None, Some(-0.0)])) as ArrayRef;
    let judged = judged(properties, "", &[("x", column()), ("y", column())]);
    assert_eq!(reasons(&judged, 0), ["CF0401 x maximum `NaN`", "CF0401 y minimum `NaN`"]);
    assert_eq!(bad_rows(&judged), [0]);
}

#[test]
fn allowed_values_are_compared_as_values_however_many_there_are() {
    let few = "- {name: n, logicalType: integer, quality: [{type: library, metric: invalidValues, arguments: {validValues: [1, 2]}, mustBe: 0}]}";
    let many = few.replace("[1, 2]", "[1, 2, 30, 31, 32, 33, 34, 35, 36, 37]");
    for properties in [few, many.as_str()] {
        let judged = judged(properties, "", &[("n", texts(&[Some("+1"), Some("3"), None]))]);
        assert_eq!(bad_rows(&judged), [1], "{properties}");
        assert_eq!(reasons(&judged, 1).len(), 1);
        assert!(reasons(&judged, 1)[0].starts_with("CF0404 n "), "{:?}", reasons(&judged, 1));
    }
}

#[test]
fn a_warning_leaves_the_row_where_it_is() {
    let properties = "- {name: n, logicalType: integer, quality: [{type: library, metric: nullValues, mustBe: 0, severity: warning}]}";
    let judged = judged(properties, "", &[("n", integers(&[None, Some(1)]))]);
    assert_eq!(judged.bad(), None);
}

#[test]
fn what_is_wrong_with_an_item_is_wrong_with_its_row() {
    let properties = "\
- name: legs
  logicalType: array
  items: {name: item, logicalType: integer, logicalTypeOptions: {minimum: 1}}
  logicalTypeOptions: {minItems: 1, maxItems: 2, uniqueItems: true}";
    let mut lists = ListBuilder::new(Int64Builder::new());
    for list in
        [Some(vec![1, 2]), Some(vec![0, 2]), Some(vec![]), Some(vec![3, 3]), None, Some(vec![1, 2, 3])]
    {
        match list {
            Some(items) => lists.append_value(items.into_iter().map(Some)),
            None => lists.append_null(),
        }
    }
    let judged = judged(properties, "", &[("legs", Arc::new(lists.finish()))]);
    assert_eq!(bad_rows(&judged), [1, 2, 3, 5]);
    assert_eq!(reasons(&judged, 1), ["CF0401 legs.item minimum `[0, 2]`"]);
    assert_eq!(reasons(&judged, 2), ["CF0407 legs minItems `[]`"]);
    assert_eq!(reasons(&judged, 3), ["CF0407 legs uniqueItems `[3, 3]`"]);
}

#[test]
fn what_is_wrong_with_a_field_is_wrong_with_its_row_unless_the_object_is_not_there() {
    let properties = "\
- name: who
  logicalType: object
  properties:
    - {name: age, logicalType: integer, logicalTypeOptions: {minimum: 18}}";
    let age = integers(&[Some(20), Some(3), Some(4)]);
    let nulls = Some(vec![true, true, false].into());
    let field = Arc::new(Field::new("age", DataType::Int64, true));
    let objects = StructArray::try_new(vec![field].into(), vec![age], nulls).expect("one length");
    let judged = judged(properties, "", &[("who", Arc::new(objects))]);
    assert_eq!(bad_rows(&judged), [1]);
    assert!(reasons(&judged, 1)[0].starts_with("CF0401 who.age minimum"), "{:?}", reasons(&judged, 1));
}

#[test]
fn a_rule_between_columns_shows_what_it_looked_at() {
    let properties = "- {name: a, logicalType: integer}\n- {name: b, logicalType: integer}";
    let rest = "quality:\n  - {type: custom, name: in_order, engine: casparian, implementation: 'a <= b'}";
    let judged = judged(
        properties,
        rest,
        &[("a", integers(&[Some(1), Some(3), None])), ("b", integers(&[Some(2), Some(2), Some(2)]))],
    );
    assert_eq!(bad_rows(&judged), [1]);
    assert_eq!(reasons(&judged, 1), ["CF0601  in_order `a = 3, b = 2`"]);
}

#[test]
fn a_decimal_past_its_precision_is_a_reason_and_not_the_end() {
    let wide = arrow_array::Decimal128Array::from(vec![150, 1_000_000])
        .with_precision_and_scale(6, 2)
        .expect("it fits");
    let properties = "- {name: px, logicalType: number, physicalType: 'DECIMAL(6,2)'}";
    let judged = judged(properties, "", &[("px", Arc::new(wide))]);
    assert_eq!(bad_rows(&judged), [1]);
    assert!(reasons(&judged, 1)[0].starts_with("CF0203 px type"), "{:?}", reasons(&judged, 1));
}

#[test]
fn nothing_is_said_of_what_a_cell_that_could_not_be_cast_might_have_been() {
    let rule =
        "quality:\n  - {type: custom, name: there, engine: casparian, implementation: 'n IS NOT NULL'}";
    let judged =
        judged("- {name: n, logicalType: integer}", rule, &[("n", texts(&[Some("x"), None, Some("1")]))]);
    assert_eq!(reasons(&judged, 0), ["CF0201 n type `x`"]);
    assert_eq!(reasons(&judged, 1), ["CF0601  there `n = null`"]);
    assert_eq!(bad_rows(&judged), [0, 1]);
}

#[test]
fn reasons_stand_in_one_order_however_the_contract_is_written() {
    let checks = ["{minimum: 5, multipleOf: 7, maximum: 9}", "{maximum: 9, multipleOf: 7, minimum: 5}"];
    let found = checks.map(|checks| {
        let properties = format!("- {{name: n, logicalType: integer, logicalTypeOptions: {checks}}}");
        reasons(&judged(&properties, "", &[("n", integers(&[Some(3)]))]), 0)
    });
    assert_eq!((found[0].len(), &found[0]), (2, &found[1]));
}

#[test]
fn a_rule_between_columns_says_nothing_where_a_cell_of_any_of_them_could_not_be_cast() {
    let rule = "quality:\n  - {type: custom, name: there, engine: casparian, implementation: 'a IS NOT NULL AND b IS NOT NULL'}";
    let judged = judged(
        "- {name: a, logicalType: integer}\n- {name: b, logicalType: integer}",
        rule,
        &[
            ("a", texts(&[Some("x"), Some("1"), Some("x"), None])),
            ("b", texts(&[Some("1"), Some("y"), Some("y"), Some("1")])),
        ],
    );
    assert_eq!(reasons(&judged, 0), ["CF0201 a type `x`"]);
    assert_eq!(reasons(&judged, 1), ["CF0201 b type `y`"]);
    assert_eq!(reasons(&judged, 2), ["CF0201 a type `x`", "CF0201 b type `y`"]);
    assert_eq!(reasons(&judged, 3), ["CF0601  there `a = null, b = 1`"]);
}

#[test]
fn items_are_not_taken_for_the_same_where_any_field_of_theirs_could_not_be_cast() {
    let properties = "\
- name: legs
  logicalType: array
  items:
    name: item
    logicalType: object
    properties: [{name: a, logicalType: integer}, {name: b, logicalType: integer}]
  logicalTypeOptions: {uniqueItems: true}";
    let a = texts(&["x", "y", "1", "1", "x", "y", "1", "1"].map(Some));
    let b = texts(&["1", "1", "x", "y", "x", "y", "2", "2"].map(Some));
    let field = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let objects = StructArray::from(vec![(field("a"), a), (field("b"), b)]);
    let item = Arc::new(Field::new("item", objects.data_type().clone(), true));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([2; 4]), Arc::new(objects), None);
    let judged = judged(properties, "", &[("legs", Arc::new(lists))]);
    let rules = |row| -> Vec<String> {
        judged.violations(row).0.iter().map(|violation| violation.rule.name.clone()).collect()
    };
    assert_eq!([rules(0), rules(1)], [["type"], ["type"]]);
    assert_eq!(rules(2), ["type", "type"]);
    assert_eq!(rules(3), ["uniqueItems"]);
}

#[test]
fn the_first_64_reasons_are_listed_and_all_are_counted() {
    let names: Vec<String> = (0..70).map(|at| format!("c{at}")).collect();
    let properties: Vec<String> =
        names.iter().map(|name| format!("- {{name: {name}, logicalType: integer}}")).collect();
    let columns: Vec<(&str, ArrayRef)> =
        names.iter().map(|name| (name.as_str(), texts(&[Some("x")]))).collect();
    let (listed, count) = judged(&properties.join("\n"), "", &columns).violations(0);
    assert_eq!((listed.len(), count), (64, 70));
    assert_eq!(listed.last().and_then(|last| last.rule.column.as_deref()), Some("c63"));
}

#[test]
fn nothing_is_wrong_with_a_row_that_is_not_there() {
    let judged = judged("- {name: n, logicalType: integer}", "", &[("n", texts(&[Some("x")]))]);
    assert_eq!(judged.violations(0).1, 1);
    assert_eq!(judged.violations(1), (Vec::new(), 0));
}

#[test]
fn items_beneath_a_list_that_is_null_are_in_no_list_however_wide_its_offsets() {
    let properties = "- {name: legs, logicalType: array, items: {name: item, logicalType: integer}}";
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    let items = texts(&["1", "2", "x", "y", "3", "z"].map(Some));
    let nulls = || Some(vec![true, false, true].into());
    let narrow: ArrayRef = Arc::new(ListArray::new(
        Arc::clone(&item),
        OffsetBuffer::from_lengths([2; 3]),
        Arc::clone(&items),
        nulls(),
    ));
    let wide: ArrayRef =
        Arc::new(LargeListArray::new(item, OffsetBuffer::from_lengths([2; 3]), items, nulls()));
    for lists in [narrow, wide] {
        let judged = judged(properties, "", &[("legs", Arc::clone(&lists))]);
        assert_eq!(bad_rows(&judged), [2], "{}", lists.data_type());
        assert_eq!(reasons(&judged, 2), ["CF0201 legs.item type `[3, z]`"]);
        let written = judged.rows().column(0).as_list::<i32>();
        let row = |at| written.value(at).as_primitive::<Int64Type>().iter().collect::<Vec<_>>();
        assert_eq!((row(0), written.is_null(1), row(2)), (vec![Some(1), Some(2)], true, vec![Some(3), None]));
    }
}

#[test]
fn wide_lists_of_what_they_should_hold_become_narrow_ones() {
    let properties = "- {name: legs, logicalType: array, items: {name: item, logicalType: integer}}";
    let wide = LargeListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), Some(2)]), None]);
    let judged = judged(properties, "", &[("legs", Arc::new(wide))]);
    let written = judged.rows().column(0).as_list::<i32>();
    assert_eq!(*written.value(0), Int64Array::from(vec![1, 2]));
    assert!(written.is_null(1));
}

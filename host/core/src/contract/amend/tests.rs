//! That the class is true, by random contracts, amendments and rows; and what each single change is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, RecordBatch, StringArray};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, Field, TimeUnit};
use proptest::prelude::*;

use super::oracle::{Row, run};
use super::{Amendment, Class, Subject, Verb, diff};
use crate::batch::Batch;
use crate::contract::canon;
use crate::contract::judge::TableJudge;
use crate::contract::{
    Bound, Budget, Check, Column, ColumnOrder, Contract, DateOrder, Decoding, ExtraColumns,
};
use crate::contract::{ExtraTables, Key, Metric, QuarantineBudget, RowRule, Rule, Severity, TableContract};
use crate::contract::{TextFormat, Unit, VerdictUnit};
use crate::id::TableName;

fn column(name: &str, data_type: DataType) -> Column {
    Column {
        name: name.to_owned(),
        data_type,
        required: false,
        decoding: Decoding::default(),
        checks: Vec::new(),
        children: Vec::new(),
    }
}

fn table(name: &str, columns: Vec<Column>) -> TableContract {
    let empty = arrow_schema::Schema::empty();
    let declared = TableContract::declared(&TableName::new(name).expect("a name"), &empty);
    TableContract { columns, ..declared }
}

fn contract(tables: Vec<TableContract>) -> Contract {
    Contract { id: "c".to_owned(), version: "1".to_owned(), tables, extra_tables: ExtraTables::Freeze }
}

/// One table of a text, an integer, a decimal, a boolean and a time.
fn plain() -> Contract {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = vec![
        column("s", DataType::Utf8),
        column("i", DataType::Int32),
        column("d", DataType::Decimal128(10, 2)),
        column("b", DataType::Boolean),
        column("t", time),
    ];
    contract(vec![table("t0", columns)])
}

fn error(name: &str, rule: Rule) -> Check {
    Check { name: name.to_owned(), rule, severity: Severity::Error }
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Amends the plain contract, both sides prepared.
fn amended(prepare: impl Fn(&mut TableContract), change: impl Fn(&mut TableContract)) -> Amendment {
    let mut old = plain();
    prepare(&mut old.tables[0]);
    let mut new = old.clone();
    change(&mut new.tables[0]);
    diff(&old, &new)
}

/// Checks that a change of the plain contract is one operation, and the reverse another.
#[track_caller]
fn assert_change(
    prepare: impl Fn(&mut TableContract),
    change: impl Fn(&mut TableContract),
    there: (&str, Class),
    back: (&str, Class),
) {
    let mut old = plain();
    prepare(&mut old.tables[0]);
    let mut new = old.clone();
    change(&mut new.tables[0]);
    for (amendment, wanted) in [(diff(&old, &new), there), (diff(&new, &old), back)] {
        let found: Vec<String> = amendment.operations.iter().map(super::Operation::word).collect();
        assert_eq!((found, amendment.class), (vec![wanted.0.to_owned()], wanted.1), "{amendment:#?}");
    }
}

fn nothing(_: &mut TableContract) {}

const WIDENS: fn(&str) -> (&str, Class) = |word| (word, Class::Widening);
const NARROWS: fn(&str) -> (&str, Class) = |word| (word, Class::Narrowing);
const RESHAPES: fn(&str) -> (&str, Class) = |word| (word, Class::Reshaping);

#[test]
fn nothing_is_unchanged_and_a_version_is_nothing() {
    let mut new = plain();
    new.version = "2".to_owned();
    assert_eq!(
        diff(&plain(), &new),
        Amendment { class: Class::Unchanged, operations: vec![], caveats: vec![] }
    );
}

#[test]
fn columns_come_and_go() {
    let drop = |table: &mut TableContract| drop(table.columns.remove(1));
    assert_change(nothing, drop, RESHAPES("drop-column"), RESHAPES("add-column"));
    assert!(amended(nothing, drop).may_refuse(), "a parser that still sends it is refused");
    assert!(!amended(drop, |table| table.columns.push(column("n", DataType::Utf8))).may_refuse());
}

#[test]
fn a_column_alike_in_all_but_the_name_is_perhaps_renamed() {
    let rename = |table: &mut TableContract| table.columns[1].name = "n".to_owned();
    assert_change(nothing, rename, RESHAPES("rename-column"), RESHAPES("rename-column"));
    let keyed = |table: &mut TableContract| {
        table.keys = vec![Key { name: "k".to_owned(), columns: vec![1], severity: Severity::Error }];
    };
    assert_change(keyed, rename, RESHAPES("rename-column"), RESHAPES("rename-column"));
}

#[test]
fn two_that_might_be_the_renamed_one_are_neither() {
    let two = |table: &mut TableContract| {
        table.columns[1].name = "n".to_owned();
        table.columns.push(column("m", DataType::Int32));
    };
    let words: Vec<String> = amended(nothing, two).operations.iter().map(super::Operation::word).collect();
    assert_eq!(words, ["drop-column", "add-column", "add-column"]);
}

#[test]
fn the_order_of_columns_is_shape() {
    let swap = |table: &mut TableContract| table.columns.swap(0, 1);
    assert_change(nothing, swap, RESHAPES("reorder-columns"), RESHAPES("reorder-columns"));
}

#[test]
fn a_type_is_shape_and_a_wider_one_keeps_all_rows() {
    let wider = |table: &mut TableContract| table.columns[1].data_type = DataType::Int64;
    assert_change(nothing, wider, RESHAPES("widen-type"), RESHAPES("narrow-type"));
    assert!(!amended(nothing, wider).may_refuse());
    let scaled = |table: &mut TableContract| table.columns[2].data_type = DataType::Decimal128(11, 3);
    assert_change(nothing, scaled, RESHAPES("widen-type"), RESHAPES("narrow-type"));
    let other = |table: &mut TableContract| table.columns[2].data_type = DataType::Decimal128(10, 3);
    assert_change(nothing, other, RESHAPES("change-type"), RESHAPES("change-type"));
    let finer = |table: &mut TableContract| {
        table.columns[4].data_type = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    };
    assert_change(nothing, finer, RESHAPES("change-type"), RESHAPES("change-type"));
}

#[test]
fn null_is_allowed_and_forbidden() {
    let require = |table: &mut TableContract| table.columns[0].required = true;
    assert_change(nothing, require, NARROWS("require-null"), WIDENS("relax-null"));
}

/// Checks what becomes of a column whose rule moves, there and back.
#[track_caller]
fn assert_rule(at: usize, old: Rule, new: Rule, there: (&str, Class), back: (&str, Class)) {
    let set = |rule: Rule| {
        move |table: &mut TableContract| table.columns[at].checks = vec![error("c", rule.clone())]
    };
    assert_change(set(old), set(new), there, back);
}

#[test]
fn limits_move_both_ways() {
    let text = str::to_owned;
    let wide = |subject: &'static str| (format!("widen-{subject}"), format!("narrow-{subject}"));
    for (at, subject, tight, loose) in [
        (1, "range", Rule::Minimum(text("10")), Rule::Minimum(text("9"))),
        (1, "range", Rule::ExclusiveMinimum(text("10")), Rule::Minimum(text("10"))),
        (1, "range", Rule::Maximum(text("9")), Rule::Maximum(text("10"))),
        (2, "range", Rule::ExclusiveMaximum(text("0.5")), Rule::Maximum(text("0.50"))),
        (0, "length", Rule::MinLength(2), Rule::MinLength(1)),
        (0, "length", Rule::MaxLength(2), Rule::MaxLength(3)),
        (1, "multiple", Rule::MultipleOf(text("10")), Rule::MultipleOf(text("5"))),
    ] {
        let (widen, narrow) = wide(subject);
        assert_rule(at, tight, loose, (&widen, Class::Widening), (&narrow, Class::Narrowing));
    }
}

#[test]
fn the_same_limit_written_otherwise_moves_nothing() {
    let (more, least) = (Rule::ExclusiveMinimum("0".to_owned()), Rule::Minimum("1".to_owned()));
    assert_rule(1, more, least, WIDENS("change-range"), WIDENS("change-range"));
}

#[test]
fn what_cannot_be_compared_is_narrowing_both_ways_and_says_so() {
    let pattern = |text: &str| Rule::Pattern(text.to_owned());
    assert_rule(0, pattern("^a"), pattern("a"), NARROWS("change-pattern"), NARROWS("change-pattern"));
    let (uuid, uri) = (Rule::Format(TextFormat::Uuid), Rule::Format(TextFormat::Uri));
    assert_rule(0, uuid, uri, NARROWS("change-format"), NARROWS("change-format"));
    let rule = |expression: &str| {
        let rule =
            RowRule { name: "r".to_owned(), expression: expression.to_owned(), severity: Severity::Error };
        move |table: &mut TableContract| table.rules = vec![rule.clone()]
    };
    assert_change(rule("i > 0"), rule("i >= 0"), NARROWS("change-rule"), NARROWS("change-rule"));
    assert!(amended(rule("i > 0"), rule("i >= 0")).operations[0].because.is_some());
}

#[test]
fn values_come_and_go() {
    let list = |values: &[&str]| Rule::OneOf(texts(values));
    assert_rule(0, list(&["a"]), list(&["b", "a"]), WIDENS("add-value"), NARROWS("drop-value"));
    assert_rule(2, list(&["1"]), list(&["1.00"]), WIDENS("change-check"), WIDENS("change-check"));
}

#[test]
fn a_check_that_warns_moves_no_row() {
    let warn = |table: &mut TableContract| {
        let rule = Rule::Minimum("1".to_owned());
        table.columns[1].checks = vec![Check { name: "m".to_owned(), rule, severity: Severity::Warning }];
    };
    assert_change(nothing, warn, WIDENS("narrow-range"), WIDENS("widen-range"));
    let stop = |table: &mut TableContract| table.columns[1].checks[0].severity = Severity::Error;
    assert_change(warn, stop, NARROWS("narrow-severity"), WIDENS("widen-severity"));
}

/// Checks what another decoding is, there and back.
#[track_caller]
fn assert_decoding(at: usize, change: impl Fn(&mut Decoding), there: Class, back: Class) {
    let change = |table: &mut TableContract| change(&mut table.columns[at].decoding);
    assert_change(nothing, change, ("change-decoding", there), ("change-decoding", back));
}

#[test]
fn a_text_that_becomes_null_loses_values_of_texts_only() {
    let empty = |decoding: &mut Decoding| decoding.missing_values = texts(&["", "NULL"]);
    assert_decoding(0, empty, Class::Narrowing, Class::Narrowing);
    assert_decoding(1, empty, Class::Widening, Class::Narrowing);
    assert_decoding(3, empty, Class::Widening, Class::Narrowing);
    let zero = |decoding: &mut Decoding| decoding.missing_values = texts(&["0"]);
    assert_decoding(1, zero, Class::Narrowing, Class::Narrowing);
}

#[test]
fn another_decimal_character_reads_other_values() {
    let comma = |decoding: &mut Decoding| decoding.decimal_char = ',';
    assert_decoding(2, comma, Class::Narrowing, Class::Narrowing);
    assert_decoding(0, comma, Class::Widening, Class::Widening);
}

#[test]
fn trimming_alters_texts_and_lets_numbers_in() {
    let trim = |decoding: &mut Decoding| decoding.trim = true;
    assert_decoding(0, trim, Class::Narrowing, Class::Narrowing);
    assert_decoding(1, trim, Class::Widening, Class::Narrowing);
    let spaced = |table: &mut TableContract| table.columns[1].decoding.missing_values = texts(&[" "]);
    let amendment = amended(spaced, |table| table.columns[1].decoding.trim = true);
    assert_eq!(amendment.class, Class::Narrowing, "a space that was null is no value any more");
}

#[test]
fn the_rest_of_a_decoding_is_told_too() {
    let group = |decoding: &mut Decoding| decoding.group_char = Some('_');
    assert_decoding(2, group, Class::Widening, Class::Narrowing);
    let yes = |decoding: &mut Decoding| decoding.true_values.push("yes".to_owned());
    assert_decoding(3, yes, Class::Widening, Class::Narrowing);
    let order = |decoding: &mut Decoding| decoding.date_order = Some(DateOrder::DayMonthYear);
    assert_decoding(4, order, Class::Narrowing, Class::Narrowing);
    let zone = |decoding: &mut Decoding| decoding.default_offset_seconds = Some(3600);
    assert_decoding(4, zone, Class::Widening, Class::Narrowing);
    let patterns = |decoding: &mut Decoding| decoding.decode_patterns = texts(&["yyyy"]);
    assert_decoding(4, patterns, Class::Narrowing, Class::Narrowing);
}

#[test]
fn keys_grow_looser_with_their_columns() {
    let key = |columns: &[usize]| {
        let key = Key { name: "k".to_owned(), columns: columns.to_vec(), severity: Severity::Error };
        move |table: &mut TableContract| table.keys = vec![key.clone()]
    };
    assert_change(nothing, key(&[0]), NARROWS("add-key"), WIDENS("drop-key"));
    assert_change(key(&[0]), key(&[1, 0]), WIDENS("widen-key"), NARROWS("narrow-key"));
    assert_change(key(&[0]), key(&[1]), NARROWS("change-key"), NARROWS("change-key"));
    assert_change(key(&[0, 1]), key(&[1, 0]), WIDENS("change-key"), WIDENS("change-key"));
}

#[test]
fn a_row_let_in_may_take_a_key_so_the_whole_is_narrowing() {
    let keyed = |table: &mut TableContract| {
        table.keys = vec![Key { name: "k".to_owned(), columns: vec![0], severity: Severity::Error }];
        table.columns[1].required = true;
    };
    let amendment = amended(keyed, |table| table.columns[1].required = false);
    assert_eq!(amendment.operations[0].class, Class::Widening);
    assert_eq!((amendment.class, amendment.caveats.len()), (Class::Narrowing, 1));
}

#[test]
fn a_row_let_in_is_counted_so_a_budget_may_break() {
    let budget = |bound| {
        let budget = Budget {
            name: "rowCount".to_owned(),
            metric: Metric::RowCount,
            bound,
            unit: Unit::Rows,
            severity: Severity::Error,
        };
        move |table: &mut TableContract| {
            table.budgets = vec![budget.clone()];
            table.columns[1].required = true;
        }
    };
    let relax = |table: &mut TableContract| table.columns[1].required = false;
    assert_eq!(amended(budget(Bound::Less(9.0)), relax).class, Class::Narrowing);
    assert_eq!(amended(budget(Bound::Greater(9.0)), relax).class, Class::Widening);
}

#[test]
fn budgets_widen_where_more_counts_pass() {
    let budget = |bound| {
        let metric = Metric::NullValues(0);
        let severity = Severity::Error;
        let budget = Budget { name: "n".to_owned(), metric, bound, unit: Unit::Percent, severity };
        move |table: &mut TableContract| table.budgets = vec![budget.clone()]
    };
    for (tight, loose) in [
        (Bound::Less(1.0), Bound::LessOrEqual(1.0)),
        (Bound::Equal(1.0), Bound::Between(0.0, 2.0)),
        (Bound::Greater(5.0), Bound::NotEqual(5.0)),
        (Bound::NotBetween(0.0, 9.0), Bound::NotBetween(1.0, 2.0)),
    ] {
        assert_change(budget(tight), budget(loose), WIDENS("widen-budget"), NARROWS("narrow-budget"));
    }
    assert_change(nothing, budget(Bound::Less(1.0)), NARROWS("add-budget"), WIDENS("drop-budget"));
}

#[test]
fn settings_of_a_table_are_told() {
    let rows = |table: &mut TableContract| table.verdict_unit = VerdictUnit::Row;
    assert_change(nothing, rows, WIDENS("change-verdict-unit"), NARROWS("change-verdict-unit"));
    let strict = |table: &mut TableContract| table.column_order = ColumnOrder::Strict;
    assert_change(nothing, strict, NARROWS("change-column-order"), WIDENS("change-column-order"));
    let discard = |table: &mut TableContract| table.extra_columns = ExtraColumns::DiscardValue;
    assert_change(nothing, discard, WIDENS("change-extra-columns"), NARROWS("change-extra-columns"));
    let evolve = |table: &mut TableContract| table.extra_columns = ExtraColumns::Evolve;
    assert_change(nothing, evolve, RESHAPES("change-extra-columns"), RESHAPES("change-extra-columns"));
    let fault = |table: &mut TableContract| table.allowed_faults = BTreeSet::from(["odd".to_owned()]);
    assert_change(nothing, fault, WIDENS("add-allowed-fault"), NARROWS("drop-allowed-fault"));
    let budget = |table: &mut TableContract| table.quarantine_budget.rows_max = Some(9);
    assert_change(nothing, budget, NARROWS("narrow-quarantine-budget"), WIDENS("widen-quarantine-budget"));
}

#[test]
fn tables_come_go_and_are_perhaps_renamed() {
    let (old, mut new) = (plain(), plain());
    new.tables[0].name = TableName::new("t1").expect("a name");
    let word = |old: &Contract, new: &Contract| {
        diff(old, new).operations.iter().map(super::Operation::word).collect::<Vec<_>>()
    };
    assert_eq!(word(&old, &new), ["rename-table"]);
    new.tables[0].columns.remove(0);
    assert_eq!(word(&old, &new), ["drop-table", "add-table"]);
    new.extra_tables = ExtraTables::Evolve;
    assert_eq!(word(&new, &old).first().map(String::as_str), Some("change-extra-tables"));
}

#[test]
fn what_is_nested_is_told_where_it_is() {
    let nested = |price: DataType| {
        let legs = DataType::Struct(vec![Field::new("price", price.clone(), true)].into());
        let item = Column { children: vec![column("price", price)], ..column("item", legs.clone()) };
        let list = DataType::List(Arc::new(Field::new("item", legs, true)));
        let legs = Column { children: vec![item], ..column("legs", list) };
        contract(vec![table("t0", vec![legs])])
    };
    let amendment = diff(&nested(DataType::Int32), &nested(DataType::Int64));
    let [operation] = amendment.operations.as_slice() else { panic!("{amendment:#?}") };
    assert_eq!(operation.column.as_deref(), Some("legs[].price"));
    assert_eq!((operation.verb, operation.subject), (Verb::Widen, Subject::Type));
}

// Random contracts and amendments.

fn names(columns: &[Column]) -> BTreeSet<&str> {
    columns.iter().map(|column| column.name.as_str()).collect()
}

const TEXTS: [&str; 12] = ["", " ", "a", "ab", "NULL", "true", "yes", "1", "5", "10", " 5", "1_0"];
/// What the oracle knows.
const TYPES: [DataType; 4] = [DataType::Utf8, DataType::Int8, DataType::Int64, DataType::Boolean];

/// What the judge knows besides.
const MORE_TEXTS: [&str; 12] = [
    "1,5",
    "1.5",
    "1_000",
    "01/02/2024",
    "2024-02-01",
    "20240201",
    "2024-02-01T10:00:00",
    "NaN",
    "1e3",
    "0",
    "-1",
    "x ",
];

fn more_types() -> Vec<DataType> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let more =
        [DataType::Decimal128(5, 2), DataType::Decimal128(7, 3), DataType::Float64, DataType::Date32, utc];
    TYPES.into_iter().chain(more).collect()
}

/// Turns a number into one of several things.
fn pick<T: Clone>(things: &[T], seed: usize) -> T {
    things[seed % things.len()].clone()
}

/// A check that fits a type.
fn a_check(data_type: &DataType, seed: usize) -> Check {
    let number = (seed / 7 % 12).to_string();
    let count = (seed / 7 % 4) as u64;
    let rules = match data_type {
        DataType::Utf8 => vec![Rule::MinLength(count), Rule::MaxLength(count), one_of(seed / 7)],
        DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) => vec![Rule::NotNull],
        _ => vec![
            Rule::Minimum(number.clone()),
            Rule::ExclusiveMinimum(number.clone()),
            Rule::Maximum(number.clone()),
            Rule::ExclusiveMaximum(number),
            Rule::MultipleOf((seed / 7 % 4 + 1).to_string()),
        ],
    };
    let severity = if seed.is_multiple_of(5) { Severity::Warning } else { Severity::Error };
    Check { name: "check".to_owned(), rule: pick(&rules, seed), severity }
}

fn one_of(seed: usize) -> Rule {
    let chosen = TEXTS.iter().enumerate().filter(|(at, _)| seed >> at & 1 == 1);
    Rule::OneOf(chosen.map(|(_, text)| (*text).to_owned()).collect())
}

/// Changes something of a contract; what, the numbers say.
fn mutate(contract: &mut Contract, types: &[DataType], what: usize, place: usize, seed: usize) {
    let at = place % contract.tables.len();
    let table = &mut contract.tables[at];
    let width = table.columns.len();
    let column = &mut table.columns[place / 3 % width];
    let key = |seed: usize| {
        let columns = (0..width).filter(|at| seed >> at & 1 == 1 || *at == seed % width).collect();
        Key { name: format!("k{}", seed % 2), columns, severity: Severity::Error }
    };
    match what {
        0 => column.required = !column.required,
        1 => {
            column.data_type =
                if column.checks.is_empty() { pick(types, seed) } else { column.data_type.clone() }
        }
        2 | 3 => column.checks.push(a_check(&column.data_type, seed)),
        4 => drop(column.checks.pop()),
        5 | 6 if !column.checks.is_empty() => column.checks[0] = a_check(&column.data_type, seed),
        7 => {
            column.decoding.missing_values =
                TEXTS[..seed % TEXTS.len()].iter().map(|t| (*t).to_owned()).collect()
        }
        8 => column.decoding.trim = !column.decoding.trim,
        9 => {
            column.decoding.true_values =
                pick(&[texts(&["true"]), texts(&["yes", "true"]), texts(&["1"])], seed)
        }
        10 => column.decoding.group_char = pick(&[None, Some('_'), Some('0')], seed),
        11 => column.name = format!("x{}", seed % 3),
        12 => table.columns.swap(0, seed % width),
        13 if width > 1 && table.keys.is_empty() && table.budgets.is_empty() => drop(table.columns.pop()),
        14 => table.keys.push(key(seed)),
        15 => drop(table.keys.pop()),
        16 if !table.keys.is_empty() => table.keys[0] = key(seed),
        17 => table.budgets = vec![a_budget(seed, width)],
        18 => table.verdict_unit = pick(&[VerdictUnit::Row, VerdictUnit::Record], seed),
        19 => table.allowed_faults = BTreeSet::from([pick(&["f", "g"], seed).to_owned()]),
        20 => {
            table.quarantine_budget = QuarantineBudget { percent_max: None, rows_max: Some(seed as u64 % 9) }
        }
        21 => table.extra_columns = pick(&[ExtraColumns::Freeze, ExtraColumns::DiscardValue], seed),
        22 => column.decoding.decimal_char = pick(&['.', ','], seed),
        23 => column.decoding.date_order = pick(&[None, Some(DateOrder::DayMonthYear)], seed),
        24 => column.decoding.default_offset_seconds = pick(&[None, Some(0), Some(3600)], seed),
        25 => column.decoding.decode_patterns = pick(&[vec![], texts(&["yyyyMMdd"])], seed),
        _ => {}
    }
    // No two columns have one name.
    let names = names(&table.columns).len();
    if names < table.columns.len() {
        table.columns.iter_mut().enumerate().for_each(|(at, column)| column.name = format!("c{at}"));
    }
}

fn a_budget(seed: usize, width: usize) -> Budget {
    let value = (seed / 5 % 9) as f64;
    let bounds =
        [Bound::Less(value), Bound::LessOrEqual(value), Bound::Greater(value), Bound::NotEqual(value)];
    let metrics = [Metric::RowCount, Metric::NullValues(seed % width)];
    Budget {
        name: "b".to_owned(),
        metric: pick(&metrics, seed / 3),
        bound: pick(&bounds, seed),
        unit: pick(&[Unit::Rows, Unit::Percent], seed / 11),
        severity: Severity::Error,
    }
}

type Mutations = Vec<(usize, usize, usize)>;

fn mutations(count: std::ops::Range<usize>) -> impl Strategy<Value = Mutations> {
    proptest::collection::vec((0..26_usize, 0..60_usize, 0..10_000_usize), count)
}

fn mutated(mut contract: Contract, types: &[DataType], mutations: &Mutations) -> Contract {
    mutations.iter().for_each(|(what, place, seed)| mutate(&mut contract, types, *what, *place, *seed));
    contract
}

fn seedling() -> Contract {
    let columns =
        || vec![column("c0", DataType::Utf8), column("c1", DataType::Int8), column("c2", DataType::Boolean)];
    contract(vec![table("t0", columns()), table("t1", columns())])
}

/// Rows that fit the columns of a contract, in records of one to three.
fn rows(contract: &Contract, texts: &[&str], seeds: &[usize]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (at, seed) in seeds.iter().enumerate() {
        let table = seed % contract.tables.len();
        let cell = |(place, column): (usize, &Column)| {
            let text = pick(texts, (seed / 7) >> (2 * place));
            (column.name.clone(), (seed / 11 % 8 != place).then(|| text.to_owned()))
        };
        let cells = contract.tables[table].columns.iter().enumerate().map(cell).collect();
        let fault = seed.is_multiple_of(13).then(|| pick(&["f", "g"], *seed).to_owned());
        rows.push(Row { record: at / (1 + seeds[0] % 3), table, cells, fault });
    }
    rows
}

fn shape(contract: &Contract) -> Vec<(String, Vec<(String, DataType)>)> {
    let columns = |table: &TableContract| {
        table.columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect()
    };
    contract.tables.iter().map(|table| (table.name.to_string(), columns(table))).collect()
}

/// Whether everything that was published by the old contract is by the new, columns that both have with the same values.
fn keeps(old: &Contract, new: &Contract, rows: &[Row]) -> bool {
    let Some(before) = run(old, rows) else { return true };
    let Some(after) = run(new, rows) else { return false };
    before.iter().all(|(row, values)| {
        let Some(others) = after.get(row) else { return false };
        values.iter().all(|(name, value)| others.get(name).is_none_or(|other| other == value))
    })
}

/// The rows of a table as a parser of texts sends them.
fn sent(table: &TableContract, rows: &[Row]) -> RecordBatch {
    let rows: Vec<&Row> =
        rows.iter().filter(|row| table.name.as_str() == format!("t{}", row.table)).collect();
    let column = |(place, column): (usize, &Column)| {
        let cells: StringArray = rows.iter().map(|row| row.cells[place].1.as_deref()).collect();
        (column.name.clone(), Arc::new(cells) as ArrayRef, true)
    };
    RecordBatch::try_from_iter_with_nullable(table.columns.iter().enumerate().map(column)).expect("a batch")
}

type Values = BTreeMap<usize, BTreeMap<String, String>>;

/// The rows that the judge accepts by themselves, and the columns as they are written. None: the table is refused.
fn accepted(table: &TableContract, sent: &RecordBatch) -> Option<(Values, Vec<(String, DataType)>)> {
    let judge = TableJudge::new(table.clone(), sent.schema_ref(), sent.schema_ref()).ok()?;
    let judged = judge.judge(Batch::new(sent.clone(), None, None, 0, 0)).expect("a verdict");
    let is_good = |row: &usize| judged.bad().is_none_or(|bad| !bad.value(*row));
    let shown = |row: usize| {
        let fields = judged.rows().schema_ref().fields().iter().zip(judged.rows().columns());
        let cell = |cells: &ArrayRef| match cells.is_null(row) {
            true => "null".to_owned(),
            false => format!("={}", array_value_to_string(cells, row).expect("a text")),
        };
        fields.map(|(field, cells)| (field.name().clone(), cell(cells))).collect()
    };
    let values = (0..sent.num_rows()).filter(is_good).map(|row| (row, shown(row))).collect();
    let written = judge.declared().fields().iter();
    Some((values, written.map(|field| (field.name().clone(), field.data_type().clone())).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_class_is_true(
        base in mutations(0..6),
        change in mutations(1..4),
        seeds in proptest::collection::vec(0..1_000_000_usize, 1..24),
    ) {
        let old = mutated(seedling(), &TYPES, &base);
        let new = mutated(old.clone(), &TYPES, &change);
        let amendment = diff(&old, &new);
        let rows = rows(&old, &TEXTS, &seeds);
        if !amendment.may_refuse() {
            prop_assert!(keeps(&old, &new, &rows), "{:#?}\n{:#?}\n{:#?}\n{:#?}", amendment, old, new, rows);
        }
        if amendment.class < Class::Reshaping {
            prop_assert_eq!(shape(&old), shape(&new));
        }
        if !amendment.may_admit() && amendment.class < Class::Reshaping && run(&old, &rows).is_some() {
            prop_assert_eq!(run(&new, &rows).is_some_and(|after| after.len() > run(&old, &rows).unwrap().len()), false);
        }
        prop_assert_eq!(amendment.class == Class::Unchanged, amendment.operations.is_empty());
        let is_one = canon::hash(&old) == canon::hash(&new);
        prop_assert_eq!(is_one, amendment.operations.is_empty(), "{:#?}\n{:#?}", amendment, new);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_class_is_true_by_the_judge(
        base in mutations(0..5),
        change in mutations(1..3),
        seeds in proptest::collection::vec(0..100_000_000_usize, 1..24),
    ) {
        let old = mutated(seedling(), &more_types(), &base);
        let new = mutated(old.clone(), &more_types(), &change);
        let amendment = diff(&old, &new);
        let texts: Vec<&str> = TEXTS.into_iter().chain(MORE_TEXTS).collect();
        let rows = rows(&old, &texts, &seeds);
        for (one, other) in old.tables.iter().zip(&new.tables).filter(|_| !amendment.may_refuse()) {
            let sent = sent(one, &rows);
            let Some((before, columns)) = accepted(one, &sent) else { continue };
            let Some((after, others)) = accepted(other, &sent) else {
                return Err(TestCaseError::fail(format!("refused: {amendment:#?}")));
            };
            for (row, values) in before {
                let Some(now) = after.get(&row) else {
                    return Err(TestCaseError::fail(format!("lost {values:?}: {amendment:#?}\n{old:#?}\n{new:#?}")));
                };
                for (name, value) in values {
                    prop_assert!(now.get(&name).is_none_or(|now| *now == value), "{value}: {amendment:#?}");
                }
            }
            if amendment.class < Class::Reshaping {
                prop_assert_eq!(columns, others);
            }
        }
    }
}

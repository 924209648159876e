//! One meaning, one hash; another meaning, another hash.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use arrow_schema::{DataType, TimeUnit};
use casparian_core::contract::canon::{canonical, hash};
use casparian_core::contract::{
    Bound, Budget, Check, Column, ColumnOrder, Contract, DateOrder, Decoding, ExtraColumns, ExtraTables, Key,
    Metric, QuarantineBudget, RowRule, Rule, Severity, TableContract, TextFormat, Unit, VerdictUnit, odcs,
};
use casparian_core::id::TableName;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn severity() -> impl Strategy<Value = Severity> {
    select(vec![Severity::Error, Severity::Warning])
}

fn word() -> impl Strategy<Value = String> {
    "[a-c]{1,2}"
}

fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(word(), 0..3)
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        Just(Rule::NotNull),
        Just(Rule::UniqueItems),
        word().prop_map(Rule::Minimum),
        word().prop_map(Rule::Maximum),
        word().prop_map(Rule::ExclusiveMinimum),
        word().prop_map(Rule::ExclusiveMaximum),
        word().prop_map(Rule::MultipleOf),
        any::<u64>().prop_map(Rule::MinLength),
        any::<u64>().prop_map(Rule::MaxLength),
        any::<u64>().prop_map(Rule::MinItems),
        any::<u64>().prop_map(Rule::MaxItems),
        word().prop_map(Rule::Pattern),
        select(vec![
            TextFormat::Uuid,
            TextFormat::Email,
            TextFormat::Uri,
            TextFormat::Ipv4,
            TextFormat::Ipv6,
            TextFormat::Hostname,
        ])
        .prop_map(Rule::Format),
        words().prop_map(Rule::OneOf),
    ]
}

fn check() -> impl Strategy<Value = Check> {
    (word(), rule(), severity()).prop_map(|(name, rule, severity)| Check { name, rule, severity })
}

fn decoding() -> impl Strategy<Value = Decoding> {
    let marks = (select(vec!['.', ',']), prop::option::of(select(vec!['.', ',', '_'])), any::<bool>());
    let order = select(vec![DateOrder::YearMonthDay, DateOrder::MonthDayYear, DateOrder::DayMonthYear]);
    (words(), words(), words(), marks, prop::option::of(order), prop::option::of(-2..2), words()).prop_map(
        |(
            missing_values,
            true_values,
            false_values,
            marks,
            date_order,
            default_offset_seconds,
            decode_patterns,
        )| {
            let (decimal_char, group_char, trim) = marks;
            Decoding {
                missing_values,
                true_values,
                false_values,
                decimal_char,
                group_char,
                trim,
                date_order,
                default_offset_seconds,
                decode_patterns,
            }
        },
    )
}

fn leaf_type() -> impl Strategy<Value = DataType> {
    select(vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int64,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(18, 4),
        DataType::Decimal128(18, 5),
        DataType::Utf8,
        DataType::Binary,
        DataType::Date32,
        DataType::Time32(TimeUnit::Second),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
    ])
}

fn column() -> impl Strategy<Value = Column> {
    let leaf = (word(), leaf_type(), any::<bool>(), decoding(), prop::collection::vec(check(), 0..3))
        .prop_map(|(name, data_type, required, decoding, checks)| Column {
            name,
            data_type,
            required,
            decoding,
            checks,
            children: Vec::new(),
        });
    leaf.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), prop::collection::vec(inner, 1..3)).prop_map(|(column, children)| Column {
            data_type: DataType::Struct(children.iter().map(Column::field).collect()),
            children,
            ..column
        })
    })
}

fn places() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..3, 1..3)
}

fn bound() -> impl Strategy<Value = Bound> {
    let amount = || select(vec![0.0, 0.5, 1.0, 1e300]);
    prop_oneof![
        amount().prop_map(Bound::Equal),
        amount().prop_map(Bound::NotEqual),
        amount().prop_map(Bound::Greater),
        amount().prop_map(Bound::GreaterOrEqual),
        amount().prop_map(Bound::Less),
        amount().prop_map(Bound::LessOrEqual),
        (amount(), amount()).prop_map(|(low, high)| Bound::Between(low, high)),
        (amount(), amount()).prop_map(|(low, high)| Bound::NotBetween(low, high)),
    ]
}

fn metric() -> impl Strategy<Value = Metric> {
    prop_oneof![
        Just(Metric::RowCount),
        (0_usize..3).prop_map(Metric::NullValues),
        (0_usize..3, rule()).prop_map(|(place, rule)| Metric::InvalidValues(place, rule)),
        places().prop_map(Metric::DuplicateValues),
    ]
}

fn budget() -> impl Strategy<Value = Budget> {
    (word(), metric(), bound(), select(vec![Unit::Rows, Unit::Percent]), severity())
        .prop_map(|(name, metric, bound, unit, severity)| Budget { name, metric, bound, unit, severity })
}

fn table() -> impl Strategy<Value = TableContract> {
    let key =
        (word(), places(), severity()).prop_map(|(name, columns, severity)| Key { name, columns, severity });
    let row_rule = (word(), word(), severity()).prop_map(|(name, expression, severity)| RowRule {
        name,
        expression,
        severity,
    });
    let body = (
        prop::collection::vec(column(), 1..3),
        prop::collection::vec(key, 0..3),
        prop::collection::vec(row_rule, 0..3),
        prop::collection::vec(budget(), 0..3),
    );
    let manners = (
        select(vec![ExtraColumns::Freeze, ExtraColumns::DiscardValue, ExtraColumns::Evolve]),
        select(vec![ColumnOrder::Any, ColumnOrder::Strict]),
        select(vec![VerdictUnit::Record, VerdictUnit::Row]),
        prop::collection::btree_set(word(), 0..3),
        prop::option::of(select(vec![0.0, 0.5, 100.0])),
        prop::option::of(any::<u64>()),
    );
    (word(), body, manners).prop_map(|(name, (columns, keys, rules, budgets), manners)| {
        let (extra_columns, column_order, verdict_unit, allowed_faults, percent_max, rows_max) = manners;
        TableContract {
            name: TableName::new(&name).expect("a word is a name"),
            columns,
            keys,
            rules,
            budgets,
            extra_columns,
            column_order,
            verdict_unit,
            allowed_faults,
            quarantine_budget: QuarantineBudget { percent_max, rows_max },
        }
    })
}

fn contract() -> impl Strategy<Value = Contract> {
    let extra = select(vec![ExtraTables::Freeze, ExtraTables::Evolve]);
    (word(), word(), prop::collection::vec(table(), 1..3), extra)
        .prop_map(|(id, version, tables, extra_tables)| Contract { id, version, tables, extra_tables })
}

/// Puts what has no order into one, as an oracle that knows nothing of JSON.
fn in_order(mut contract: Contract) -> Contract {
    for table in &mut contract.tables {
        table.columns.iter_mut().for_each(order_column);
        table.keys.sort_by_key(|key| format!("{key:?}"));
        table.rules.sort_by_key(|rule| format!("{rule:?}"));
        for budget in &mut table.budgets {
            if let Metric::InvalidValues(_, rule) = &mut budget.metric {
                order_rule(rule);
            }
        }
        table.budgets.sort_by_key(|budget| format!("{budget:?}"));
    }
    contract.tables.sort_by_key(|table| format!("{table:?}"));
    contract
}

fn order_column(column: &mut Column) {
    let Decoding { missing_values, true_values, false_values, .. } = &mut column.decoding;
    [missing_values, true_values, false_values].into_iter().for_each(as_set);
    column.checks.iter_mut().for_each(|check| order_rule(&mut check.rule));
    column.checks.sort_by_key(|check| format!("{check:?}"));
    column.children.iter_mut().for_each(order_column);
    if !column.children.is_empty() {
        column.data_type = DataType::Struct(column.children.iter().map(Column::field).collect());
    }
}

fn order_rule(rule: &mut Rule) {
    if let Rule::OneOf(values) = rule {
        as_set(values);
    }
}

fn as_set(texts: &mut Vec<String>) {
    *texts = texts.drain(..).collect::<BTreeSet<_>>().into_iter().collect();
}

/// Takes over one field of another contract. Every field is named, so that a new one does not compile until it is here.
fn graft(into: &mut Contract, from: Contract, choice: usize) {
    let Contract { id, version, mut tables, extra_tables } = from;
    let TableContract {
        name,
        mut columns,
        keys,
        rules,
        budgets,
        extra_columns,
        column_order,
        verdict_unit,
        allowed_faults,
        quarantine_budget,
    } = tables.remove(0);
    let Column { name: column_name, data_type, required, decoding, checks, children } = columns.remove(0);
    let table = &mut into.tables[0];
    let column = &mut table.columns[0];
    match choice {
        0 => into.id = id,
        1 => into.version = version,
        2 => into.extra_tables = extra_tables,
        3 => into.tables.extend(tables),
        4 => table.name = name,
        5 => table.columns.extend(columns),
        6 => table.keys = keys,
        7 => table.rules = rules,
        8 => table.budgets = budgets,
        9 => table.extra_columns = extra_columns,
        10 => table.column_order = column_order,
        11 => table.verdict_unit = verdict_unit,
        12 => table.allowed_faults = allowed_faults,
        13 => table.quarantine_budget = quarantine_budget,
        14 => column.name = column_name,
        15 => column.required = required,
        16 => column.decoding = decoding,
        17 => column.checks = checks,
        _ => (column.data_type, column.children) = (data_type, children),
    }
}
const FIELDS: usize = 19;

proptest! {
    #[test]
    fn two_contracts_have_one_hash_exactly_if_they_judge_alike(one in contract(), other in contract(), choice in 0..FIELDS) {
        let mut grafted = one.clone();
        graft(&mut grafted, other, choice);
        let is_same = in_order(one.clone()) == in_order(grafted.clone());
        prop_assert_eq!(hash(&one) == hash(&grafted), is_same, "{}\n{}", canonical(&one), canonical(&grafted));
    }

    #[test]
    fn the_order_of_what_has_no_order_does_not_show(one in contract()) {
        prop_assert_eq!(canonical(&in_order(one.clone())), canonical(&one));
    }

    #[test]
    fn the_canonical_text_is_canonical_json(one in contract()) {
        let text = canonical(&one);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(serde_json_canonicalizer::to_string(&value).expect("canonical"), text);
    }

    #[test]
    fn no_order_of_keys_and_no_documentation_shows(seed in any::<u64>()) {
        let plain = spelled(&document(), &mut Dice(0));
        let shuffled = spelled(&document(), &mut Dice(seed | 1));
        let hash_of = |text: &str| {
            let read = odcs::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{:#?}\n{text}", faults.faults()));
            hash(&read.contract)
        };
        prop_assert_eq!(hash_of(&plain), hash_of(&shuffled), "{}", shuffled);
    }
}

/// A contract with something of everything, as JSON, which is YAML.
fn document() -> Value {
    json!({
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "all", "version": "1.0.0", "status": "draft",
        "customProperties": [{"property": "extraTables", "value": "evolve"}],
        "schema": [{
            "name": "rows", "logicalType": "object",
            "properties": [
                {"name": "a", "logicalType": "string", "required": true, "unique": true,
                 "logicalTypeOptions": {"minLength": 1, "maxLength": 5, "pattern": "^a+$"},
                 "customProperties": [{"property": "trim", "value": true}, {"property": "missingValues", "value": ["", "-"]}]},
                {"name": "b", "logicalType": "number", "physicalType": "DECIMAL(18,4)", "primaryKey": true,
                 "logicalTypeOptions": {"minimum": 1, "maximum": 2.5, "multipleOf": 0.5},
                 "quality": [{"metric": "nullValues", "mustBe": 0}, {"metric": "duplicateValues", "mustBeLessThan": 5}]},
                {"name": "c", "logicalType": "array", "items": {"logicalType": "object", "properties": [
                    {"name": "d", "logicalType": "date"}]}},
            ],
            "quality": [{"metric": "rowCount", "mustBeBetween": [1, 5]}, {"metric": "rowCount", "mustNotBe": 3}],
            "customProperties": [{"property": "verdictUnit", "value": "row"}, {"property": "extraColumns", "value": "evolve"}],
        }],
    })
}

/// A source of choices; 0 always chooses the first.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        usize::try_from(self.0 >> 40).expect("24 bits") % sides
    }
}

/// Writes JSON with its keys in any order, documentation among them, and lists of named things shuffled too.
fn spelled(value: &Value, dice: &mut Dice) -> String {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("\"{key}\": {}", spelled_field(key, value, dice)))
                .collect();
            if object.contains_key("name") && dice.roll(2) == 1 {
                fields.push("\"description\": \"said for people\", \"tags\": [\"x\"]".to_owned());
            }
            shuffle(&mut fields, dice);
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| spelled(item, dice)).collect();
            format!("[{}]", items.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn spelled_field(key: &str, value: &Value, dice: &mut Dice) -> String {
    match (key, value) {
        ("quality" | "customProperties", Value::Array(items)) => {
            let mut items: Vec<String> = items.iter().map(|item| spelled(item, dice)).collect();
            shuffle(&mut items, dice);
            let mut text = String::from("[");
            items.iter().for_each(|item| write!(text, "{item},").expect("a text grows"));
            text + "]"
        }
        _ => spelled(value, dice),
    }
}

fn shuffle<T>(items: &mut [T], dice: &mut Dice) {
    for at in (1..items.len()).rev() {
        items.swap(at, dice.roll(at + 1));
    }
}

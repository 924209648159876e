//! What a contract is, whatever file it stands in: one JSON text, by RFC 8785, and its digest.
//!
//! The shape is laid down in `docs/spec/contract.md`. Documentation is not in it; every default is. What has no order
//! (tables, checks, keys, rules, budgets, patterns, lists of values) is sorted, so that two contracts which judge alike have one
//! digest. Whole numbers are texts, since JSON's end at 2^53.

use arrow_schema::{DataType, TimeUnit};
use serde_json::{Value, json};

use super::{
    Bound, Budget, Check, Column, ColumnOrder, Contract, DateOrder, Decoding, ExtraColumns, ExtraTables, Key,
    Metric, RowRule, Rule, Severity, TableContract, TextFormat, Unit, VerdictUnit,
};
use crate::id::Digest;

/// The version of the shape. Another shape gives other digests, so it has another version.
pub const FORMAT: &str = "casparian-contract/1";

/// Returns the contract as canonical JSON.
pub fn canonical(contract: &Contract) -> String {
    let tables = sorted(contract.tables.iter().map(table));
    let document = json!({
        "format": FORMAT,
        "id": contract.id,
        "version": contract.version,
        "extraTables": match contract.extra_tables {
            ExtraTables::Freeze => "freeze",
            ExtraTables::Evolve => "evolve",
        },
        "tables": tables,
    });
    text(&document)
}

/// Returns the digest by which a contract is known: the SHA-256 of its canonical JSON.
pub fn hash(contract: &Contract) -> Digest {
    Digest::of(canonical(contract).as_bytes())
}

fn text(value: &Value) -> String {
    #[expect(
        clippy::expect_used,
        reason = "a JSON value has texts for keys, each once, and no number without end"
    )]
    serde_json_canonicalizer::to_string(value).expect("a JSON value has a canonical form")
}

/// Puts what has no order of its own into the order of the canonical form, so that contracts of one hash say the same reasons in
/// the same order.
pub(super) fn put_in_order(contract: &mut Contract) {
    for of_table in &mut contract.tables {
        of_table.keys.sort_by_cached_key(|each| text(&key(each)));
        of_table.rules.sort_by_cached_key(|each| text(&row_rule(each)));
        of_table.budgets.sort_by_cached_key(|each| text(&budget(each)));
        of_table.columns.iter_mut().for_each(put_checks_in_order);
    }
}

fn put_checks_in_order(column: &mut Column) {
    column.decoding.decode_patterns.sort_unstable();
    column.checks.sort_by_cached_key(|each| text(&check(each)));
    column.children.iter_mut().for_each(put_checks_in_order);
}

/// Sorts by canonical text, which leaves no two orders.
fn sorted(values: impl Iterator<Item = Value>) -> Value {
    let mut values: Vec<Value> = values.collect();
    if values.len() > 1 {
        values.sort_by_cached_key(text);
    }
    Value::Array(values)
}

fn texts(texts: &[String]) -> Value {
    let mut texts: Vec<&String> = texts.iter().collect();
    texts.sort_unstable();
    texts.dedup();
    json!(texts)
}

fn table(table: &TableContract) -> Value {
    json!({
        "name": table.name.as_str(),
        "columns": table.columns.iter().map(column).collect::<Value>(),
        "keys": sorted(table.keys.iter().map(key)),
        "rules": sorted(table.rules.iter().map(row_rule)),
        "budgets": sorted(table.budgets.iter().map(budget)),
        "extraColumns": match table.extra_columns {
            ExtraColumns::Freeze => "freeze",
            ExtraColumns::DiscardValue => "discard_value",
            ExtraColumns::Evolve => "evolve",
        },
        "columnOrder": match table.column_order {
            ColumnOrder::Any => "any",
            ColumnOrder::Strict => "strict",
        },
        "verdictUnit": match table.verdict_unit {
            VerdictUnit::Record => "record",
            VerdictUnit::Row => "row",
        },
        "allowedFaults": table.allowed_faults,
        "quarantineBudget": {
            "maxPercent": table.quarantine_budget.percent_max,
            "maxRows": table.quarantine_budget.rows_max.map(whole),
        },
    })
}

fn column(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": type_name(&column.data_type),
        "required": column.required,
        "decoding": decoding(&column.decoding),
        "checks": sorted(column.checks.iter().map(check)),
        "children": column.children.iter().map(self::column).collect::<Value>(),
    })
}

fn decoding(decoding: &Decoding) -> Value {
    json!({
        "missingValues": texts(&decoding.missing_values),
        "trueValues": texts(&decoding.true_values),
        "falseValues": texts(&decoding.false_values),
        "decimalChar": decoding.decimal_char,
        "groupChar": decoding.group_char,
        "trim": decoding.trim,
        "dateOrder": decoding.date_order.map(|order| match order {
            DateOrder::YearMonthDay => "YMD",
            DateOrder::MonthDayYear => "MDY",
            DateOrder::DayMonthYear => "DMY",
        }),
        "defaultOffsetSeconds": decoding.default_offset_seconds,
        "decodePatterns": texts(&decoding.decode_patterns),
    })
}

fn check(check: &Check) -> Value {
    json!({ "name": check.name, "rule": rule(&check.rule), "severity": severity(check.severity) })
}

fn rule(rule: &Rule) -> Value {
    match rule {
        Rule::NotNull => json!({ "notNull": true }),
        Rule::Minimum(value) => json!({ "minimum": value }),
        Rule::Maximum(value) => json!({ "maximum": value }),
        Rule::ExclusiveMinimum(value) => json!({ "exclusiveMinimum": value }),
        Rule::ExclusiveMaximum(value) => json!({ "exclusiveMaximum": value }),
        Rule::MultipleOf(value) => json!({ "multipleOf": value }),
        Rule::MinLength(length) => json!({ "minLength": whole(*length) }),
        Rule::MaxLength(length) => json!({ "maxLength": whole(*length) }),
        Rule::Pattern(pattern) => json!({ "pattern": pattern }),
        Rule::Format(format) => json!({ "format": text_format(*format) }),
        Rule::OneOf(values) => json!({ "oneOf": texts(values) }),
        Rule::MinItems(count) => json!({ "minItems": whole(*count) }),
        Rule::MaxItems(count) => json!({ "maxItems": whole(*count) }),
        Rule::UniqueItems => json!({ "uniqueItems": true }),
    }
}

fn text_format(format: TextFormat) -> &'static str {
    match format {
        TextFormat::Uuid => "uuid",
        TextFormat::Email => "email",
        TextFormat::Uri => "uri",
        TextFormat::Ipv4 => "ipv4",
        TextFormat::Ipv6 => "ipv6",
        TextFormat::Hostname => "hostname",
    }
}

fn key(key: &Key) -> Value {
    json!({ "name": key.name, "columns": places(&key.columns), "severity": severity(key.severity) })
}

fn row_rule(rule: &RowRule) -> Value {
    json!({ "name": rule.name, "expression": rule.expression, "severity": severity(rule.severity) })
}

fn budget(budget: &Budget) -> Value {
    json!({
        "name": budget.name,
        "metric": metric(&budget.metric),
        "bound": bound(budget.bound),
        "unit": match budget.unit {
            Unit::Rows => "rows",
            Unit::Percent => "percent",
        },
        "severity": severity(budget.severity),
    })
}

fn metric(metric: &Metric) -> Value {
    match metric {
        Metric::RowCount => json!({ "rowCount": true }),
        Metric::NullValues(place) => json!({ "nullValues": place }),
        Metric::InvalidValues(place, broken) => json!({ "invalidValues": place, "rule": rule(broken) }),
        Metric::DuplicateValues(columns) => json!({ "duplicateValues": places(columns) }),
    }
}

fn bound(bound: Bound) -> Value {
    match bound {
        Bound::Equal(amount) => json!({ "equal": amount }),
        Bound::NotEqual(amount) => json!({ "notEqual": amount }),
        Bound::Greater(amount) => json!({ "greater": amount }),
        Bound::GreaterOrEqual(amount) => json!({ "greaterOrEqual": amount }),
        Bound::Less(amount) => json!({ "less": amount }),
        Bound::LessOrEqual(amount) => json!({ "lessOrEqual": amount }),
        Bound::Between(low, high) => json!({ "between": [low, high] }),
        Bound::NotBetween(low, high) => json!({ "notBetween": [low, high] }),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Places of columns are numbers: a table has few.
fn places(places: &[usize]) -> Value {
    json!(places)
}

fn whole(number: u64) -> String {
    number.to_string()
}

/// Returns the name of a type in the canonical form: `i64`, `decimal(18,4)`, `timestamp(us,UTC)`. It is what hashes are taken
/// of, and no word for people. What is in a list or a struct is said of its children.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::Int8 => "i8".to_owned(),
        DataType::Int16 => "i16".to_owned(),
        DataType::Int32 => "i32".to_owned(),
        DataType::Int64 => "i64".to_owned(),
        DataType::UInt8 => "u8".to_owned(),
        DataType::UInt16 => "u16".to_owned(),
        DataType::UInt32 => "u32".to_owned(),
        DataType::UInt64 => "u64".to_owned(),
        DataType::Float32 => "f32".to_owned(),
        DataType::Float64 => "f64".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Decimal256(precision, scale) => format!("decimal256({precision},{scale})"),
        DataType::Utf8 => "text".to_owned(),
        DataType::LargeUtf8 => "large_text".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::LargeBinary => "large_binary".to_owned(),
        DataType::FixedSizeBinary(width) => format!("binary({width})"),
        DataType::Date32 => "date".to_owned(),
        DataType::Date64 => "date64".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time({})", unit_name(*unit)),
        DataType::Timestamp(unit, None) => format!("timestamp({})", unit_name(*unit)),
        DataType::Timestamp(unit, Some(zone)) => format!("timestamp({},{zone})", unit_name(*unit)),
        DataType::Duration(unit) => format!("duration({})", unit_name(*unit)),
        DataType::List(_) => "list".to_owned(),
        DataType::LargeList(_) => "large_list".to_owned(),
        DataType::Struct(_) => "struct".to_owned(),
        // Nothing else passes the wire.
        other => other.to_string(),
    }
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

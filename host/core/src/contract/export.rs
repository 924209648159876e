//! A contract in other languages: JSON Schema, and the schema of Arrow.
//!
//! A JSON Schema takes every row that the contract takes, as lines of JSON carry it. The reverse does not hold: decimals are texts
//! there, keys and rules look at more than one value, and patterns are of another dialect. What it cannot say stands in a `$comment`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use serde_json::{Map, Value, json};

use super::{Check, Column, Contract, ExtraColumns, Rule, Severity, TableContract, canon, words};

/// Returns a JSON Schema (2020-12) of the rows: one definition for each table, by name.
pub fn json_schema(contract: &Contract) -> Value {
    let rows = contract.tables.iter().map(|table| (table.name.to_string(), row(table)));
    let defs: Map<String, Value> = rows.collect();
    let refs: Vec<Value> = defs.keys().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:casparian:contract:{}", canon::hash(contract)),
        "title": format!("{} {}", contract.id, contract.version),
        "anyOf": refs,
        "$defs": defs,
    })
}

fn row(table: &TableContract) -> Value {
    let mut row = object(&table.columns, table.extra_columns == ExtraColumns::Evolve);
    // Where a table's rows say which bytes they come from, they have columns of ours.
    row.insert("patternProperties".to_owned(), json!({ "^_cf_": true }));
    let rules = table.rules.iter().filter(|rule| rule.severity == Severity::Error);
    let keys = table.keys.iter().filter(|key| key.severity == Severity::Error);
    let names = |key: &super::Key| {
        let columns = key.columns.iter().filter_map(|place| table.columns.get(*place));
        columns.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let said = rules.map(|rule| rule.expression.clone());
    let said = said.chain(keys.map(|key| format!("no two rows share {}", names(key))));
    comment(&mut row, said.collect());
    Value::Object(row)
}

/// Returns an object that has every field, as rows of lines of JSON do.
fn object(columns: &[Column], is_open: bool) -> Map<String, Value> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let fields: Map<String, Value> =
        columns.iter().map(|column| (column.name.clone(), value(column))).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(fields));
    object.insert("required".to_owned(), json!(names));
    object.insert("additionalProperties".to_owned(), json!(is_open));
    object
}

/// Adds what has no word in JSON Schema.
fn comment(schema: &mut Map<String, Value>, said: Vec<String>) {
    if !said.is_empty() {
        schema.insert("$comment".to_owned(), json!(said.join("; ")));
    }
}

fn value(column: &Column) -> Value {
    let (mut schema, mut taken) = (bare(column), BTreeSet::new());
    let errors = || column.checks.iter().filter(|check| check.severity == Severity::Error);
    let mut said = Vec::new();
    for check in errors() {
        match said_in_json(check, &column.data_type) {
            // The first limit replaces that of the type, which is wider. Of two limits the second would replace the first.
            Some((keyword, value)) if taken.insert(keyword) => {
                schema.insert(keyword.to_owned(), value);
            }
            _ if check.rule == Rule::NotNull => {}
            _ => said.push(words::rule(&check.rule)),
        }
    }
    comment(&mut schema, said);
    let schema = or_no_number(schema, &column.data_type);
    let is_nullable = !column.required && !errors().any(|check| check.rule == Rule::NotNull);
    if is_nullable { json!({ "anyOf": [{ "type": "null" }, schema] }) } else { schema }
}

/// Floats that are no numbers are texts.
fn or_no_number(schema: Map<String, Value>, data_type: &DataType) -> Value {
    match data_type {
        DataType::Float32 | DataType::Float64 => {
            json!({ "anyOf": [schema, { "enum": ["NaN", "Infinity", "-Infinity"] }] })
        }
        _ => Value::Object(schema),
    }
}

/// Returns what a value of a type looks like in a line of JSON.
fn bare(column: &Column) -> Map<String, Value> {
    let text = |pattern: String| json!({ "type": "string", "pattern": pattern });
    let schema = match &column.data_type {
        DataType::Boolean => json!({ "type": "boolean" }),
        DataType::Int8 => json!({ "type": "integer", "minimum": i8::MIN, "maximum": i8::MAX }),
        DataType::Int16 => json!({ "type": "integer", "minimum": i16::MIN, "maximum": i16::MAX }),
        DataType::Int32 => json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
        DataType::Int64 => json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX }),
        DataType::UInt8 => json!({ "type": "integer", "minimum": 0, "maximum": u8::MAX }),
        DataType::UInt16 => json!({ "type": "integer", "minimum": 0, "maximum": u16::MAX }),
        DataType::UInt32 => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        DataType::UInt64 => json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
        DataType::Float32 | DataType::Float64 => json!({ "type": "number" }),
        DataType::Decimal128(_, 0) => text("^-?[0-9]+$".to_owned()),
        DataType::Decimal128(_, scale) => text(format!("^-?[0-9]+\\.[0-9]{{{scale}}}$")),
        DataType::Utf8 => json!({ "type": "string" }),
        DataType::Binary => json!({ "type": "string", "contentEncoding": "base64" }),
        DataType::Date32 => text(format!("^{DAY}$")),
        DataType::Time32(unit) | DataType::Time64(unit) => text(format!("^-?{CLOCK}{}$", fraction(*unit))),
        DataType::Timestamp(unit, zone) => {
            let zone = if zone.is_some() { "Z" } else { "" };
            text(format!("^{DAY}T{CLOCK}{}{zone}$", fraction(*unit)))
        }
        DataType::List(_) => json!({ "type": "array", "items": column.children.first().map(value) }),
        DataType::Struct(_) => return object(&column.children, false),
        _ => json!({}),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

const DAY: &str = "([0-9]{4}|[+-][0-9]{6,})-[0-9]{2}-[0-9]{2}";
const CLOCK: &str = "[0-9]{2,}:[0-9]{2}:[0-9]{2}";

/// Returns the pattern of a second's fraction. All digits of the unit are written.
fn fraction(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "",
        TimeUnit::Millisecond => "\\.[0-9]{3}",
        TimeUnit::Microsecond => "\\.[0-9]{6}",
        TimeUnit::Nanosecond => "\\.[0-9]{9}",
    }
}

/// Returns the keyword that says a check, where there is one that means the same.
fn said_in_json(check: &Check, data_type: &DataType) -> Option<(&'static str, Value)> {
    let is_text = *data_type == DataType::Utf8;
    let number = |text: &str| number(text, data_type);
    Some(match &check.rule {
        Rule::Minimum(value) => ("minimum", number(value)?),
        Rule::Maximum(value) => ("maximum", number(value)?),
        Rule::ExclusiveMinimum(value) => ("exclusiveMinimum", number(value)?),
        Rule::ExclusiveMaximum(value) => ("exclusiveMaximum", number(value)?),
        Rule::MultipleOf(value) if data_type.is_integer() => ("multipleOf", number(value)?),
        Rule::MinLength(count) if is_text => ("minLength", json!(count)),
        Rule::MaxLength(count) if is_text => ("maxLength", json!(count)),
        Rule::Pattern(pattern) if is_text && is_of_both_dialects(pattern) => ("pattern", json!(pattern)),
        Rule::Format(format) if is_text => ("format", json!(words::format(*format))),
        Rule::OneOf(values) if is_text => ("enum", json!(values)),
        Rule::OneOf(values) if data_type.is_integer() => {
            ("enum", json!(values.iter().map(|value| number(value)).collect::<Option<Vec<_>>>()?))
        }
        Rule::MinItems(count) => ("minItems", json!(count)),
        Rule::MaxItems(count) => ("maxItems", json!(count)),
        Rule::UniqueItems => ("uniqueItems", json!(true)),
        _ => return None,
    })
}

fn number(text: &str, data_type: &DataType) -> Option<Value> {
    match data_type {
        DataType::Float32 | DataType::Float64 => {
            text.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| json!(value))
        }
        data_type if data_type.is_signed_integer() => text.parse::<i64>().ok().map(|value| json!(value)),
        data_type if data_type.is_integer() => text.parse::<u64>().ok().map(|value| json!(value)),
        _ => None,
    }
}

/// Whether a pattern means the same to ECMA 262, which JSON Schema has its patterns from. A dot and `\s` do not, nor do flags,
/// sets within sets and named classes; what is not plainly common is taken not to.
fn is_of_both_dialects(pattern: &str) -> bool {
    let mut rest = pattern.chars();
    let mut is_class = false;
    while let Some(c) = rest.next() {
        let is_common = match c {
            '\\' => rest.next().is_some_and(|escaped| r"dDwW\.+*?()|[]{}^$/-".contains(escaped)),
            '[' if is_class => false,
            '[' | ']' => {
                is_class = c == '[';
                true
            }
            '.' => is_class,
            '&' | '~' => !is_class,
            _ => c.is_ascii(),
        };
        if !is_common {
            return false;
        }
    }
    !pattern.contains("(?") && !pattern.contains("[]") && !pattern.contains("[^]")
}

/// Returns the schema of each table as Arrow's JSON format of schemas has it, by the table's name.
pub fn arrow(contract: &Contract) -> Value {
    let schema = |table: &TableContract| {
        let fields: Vec<Value> = table.columns.iter().map(|column| field(&column.field())).collect();
        json!({ "name": table.name.as_str(), "schema": { "fields": fields } })
    };
    json!({ "tables": contract.tables.iter().map(schema).collect::<Vec<_>>() })
}

fn field(field: &Arc<Field>) -> Value {
    let children: Vec<Value> = match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) => vec![self::field(item)],
        DataType::Struct(fields) => fields.iter().map(self::field).collect(),
        _ => Vec::new(),
    };
    json!({
        "name": field.name(),
        "nullable": field.is_nullable(),
        "type": arrow_type(field.data_type()),
        "children": children,
    })
}

fn arrow_type(data_type: &DataType) -> Value {
    let bits = data_type.primitive_width().map(|bytes| bytes.saturating_mul(8));
    match data_type {
        DataType::Boolean => json!({ "name": "bool" }),
        DataType::Float32 => json!({ "name": "floatingpoint", "precision": "SINGLE" }),
        DataType::Float64 => json!({ "name": "floatingpoint", "precision": "DOUBLE" }),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            json!({ "name": "decimal", "precision": precision, "scale": scale, "bitWidth": bits })
        }
        DataType::Utf8 => json!({ "name": "utf8" }),
        DataType::LargeUtf8 => json!({ "name": "largeutf8" }),
        DataType::Binary => json!({ "name": "binary" }),
        DataType::LargeBinary => json!({ "name": "largebinary" }),
        DataType::FixedSizeBinary(width) => json!({ "name": "fixedsizebinary", "byteWidth": width }),
        DataType::Date32 => json!({ "name": "date", "unit": "DAY" }),
        DataType::Date64 => json!({ "name": "date", "unit": "MILLISECOND" }),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            json!({ "name": "time", "unit": arrow_unit(*unit), "bitWidth": bits })
        }
        DataType::Timestamp(unit, None) => json!({ "name": "timestamp", "unit": arrow_unit(*unit) }),
        DataType::Timestamp(unit, Some(zone)) => {
            json!({ "name": "timestamp", "unit": arrow_unit(*unit), "timezone": zone.as_ref() })
        }
        DataType::Duration(unit) => json!({ "name": "duration", "unit": arrow_unit(*unit) }),
        DataType::List(_) => json!({ "name": "list" }),
        DataType::LargeList(_) => json!({ "name": "largelist" }),
        DataType::Struct(_) => json!({ "name": "struct" }),
        data_type if data_type.is_integer() => {
            json!({ "name": "int", "bitWidth": bits, "isSigned": data_type.is_signed_integer() })
        }
        other => json!({ "name": other.to_string() }),
    }
}

fn arrow_unit(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "SECOND",
        TimeUnit::Millisecond => "MILLISECOND",
        TimeUnit::Microsecond => "MICROSECOND",
        TimeUnit::Nanosecond => "NANOSECOND",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_one_dialect_only_are_left_to_the_comment() {
        for both in ["^[A-Z0-9-]+$", "^a|b{2,3}$", r"\d+\.\d", "[.]"] {
            assert!(is_of_both_dialects(both), "{both}");
        }
        for one in [".", r"\s", "(?i)a", r"\p{L}", "[[:alpha:]]", "[a&&b]", r"\x{41}", "ä", r"\A", r"\b"] {
            assert!(!is_of_both_dialects(one), "{one}");
        }
    }

    fn contract() -> Contract {
        let yaml = include_bytes!("../../../../examples/contracts/fills.odcs.yaml");
        crate::contract::odcs::read(yaml).expect("the example is a contract").contract
    }

    #[test]
    fn a_json_schema_says_what_lines_of_json_carry() {
        let schema = json_schema(&contract());
        let row = &schema["$defs"]["fills"];
        assert_eq!(
            row["properties"]["quantity"],
            json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
        );
        assert_eq!(row["properties"]["side"]["enum"], json!(["buy", "sell", "sell_short"]));
        let price =
            json!({ "type": "string", "pattern": "^-?[0-9]+\\.[0-9]{4}$", "$comment": "more than 0.0000" });
        assert_eq!(row["properties"]["price"], price);
        assert_eq!(row["properties"]["fee"]["anyOf"][0], json!({ "type": "null" }));
        assert!(
            row["required"].as_array().is_some_and(|names| names.contains(&json!("fee"))),
            "keys are never left out"
        );
    }

    #[test]
    fn an_arrow_schema_is_that_of_the_table() {
        let arrow = arrow(&contract());
        let fields = arrow["tables"][0]["schema"]["fields"].as_array().expect("fields");
        let time = json!({ "name": "timestamp", "unit": "MICROSECOND", "timezone": "UTC" });
        assert!(fields.iter().any(|field| field["name"] == "executed_at" && field["type"] == time));
        let flags = fields.iter().find(|field| field["name"] == "flags").expect("a list");
        assert_eq!(flags["children"][0]["type"], json!({ "name": "utf8" }));
    }
}

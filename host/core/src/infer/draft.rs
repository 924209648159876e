//! Writes conclusions down: a contract file, with what is open or worth knowing beside the column it is about.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use arrow_schema::{DataType, TimeUnit};
use serde_json::json;

use super::settle::{ColumnFinding, Outcome, TableFinding, is_unprintable};
use crate::contract::odcs::BYTES_MAX;
use crate::contract::{Column, Contract, Decoding, ExtraColumns, ExtraTables, Rule, TableContract, words};
use crate::guest_text::GuestText;
use crate::id::TableName;

/// What the draft is about.
#[derive(Debug, Clone)]
pub struct About {
    /// What the contract is called.
    pub id: String,
    /// What stands at the top of the file, for people: a line each.
    pub preamble: Vec<String>,
    /// Tables that the parser knows and that did not appear: each comes along as it is declared.
    pub unseen: Vec<String>,
    /// What the parser says of its columns.
    pub docs: BTreeMap<(TableName, String), String>,
}

/// The version of every draft.
const VERSION: &str = "0.1.0";
/// Longest line of a remark.
const REMARK_BYTES_MAX: usize = 400;

/// Returns the contract that a draft states.
pub fn contract(about: &About, tables: &[TableFinding]) -> Contract {
    Contract {
        id: about.id.clone(),
        version: VERSION.to_owned(),
        tables: tables.iter().filter(|table| is_sayable(table)).map(table).collect(),
        extra_tables: if leaves_out(about, tables) { ExtraTables::Evolve } else { ExtraTables::Freeze },
    }
}

fn table(finding: &TableFinding) -> TableContract {
    let columns: Vec<Column> = finding.columns.iter().filter_map(|found| found.column.clone()).collect();
    let is_whole = columns.len() == finding.columns.len();
    let none = TableContract::declared(&finding.table, &arrow_schema::Schema::empty());
    let extra_columns = if is_whole { ExtraColumns::Freeze } else { ExtraColumns::Evolve };
    TableContract { columns, extra_columns, ..none }
}

/// Writes the contract file. Tables of which no column can be said are left out and come along as they are declared. Where all
/// that is worth knowing makes it longer than a contract may be, it says no more than it must.
pub fn write(about: &About, tables: &[TableFinding]) -> String {
    let whole = written(about, tables, true);
    if whole.len() <= BYTES_MAX { whole } else { written(about, tables, false) }
}

fn written(about: &About, tables: &[TableFinding], has_remarks: bool) -> String {
    let mut page = Page { text: String::new(), has_remarks };
    page.head(about, leaves_out(about, tables));
    tables.iter().filter(|table| is_sayable(table)).for_each(|table| page.table(about, table));
    page.text
}

/// Whether there are tables that the contract does not name.
fn leaves_out(about: &About, tables: &[TableFinding]) -> bool {
    !about.unseen.is_empty() || !tables.iter().all(is_sayable)
}

fn is_sayable(table: &TableFinding) -> bool {
    table.columns.iter().any(|column| column.column.is_some())
}

/// A file in the making.
struct Page {
    text: String,
    has_remarks: bool,
}

impl Page {
    fn line(&mut self, indent: usize, line: impl fmt::Display) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{:indent$}{line}", "");
    }

    fn remark(&mut self, indent: usize, remark: &str) {
        if self.has_remarks {
            self.line(indent, format_args!("# {}", Plain(remark)));
        }
    }

    fn head(&mut self, about: &About, leaves_out: bool) {
        about.preamble.iter().for_each(|line| self.line(0, format_args!("# {}", Plain(line))));
        self.line(0, "apiVersion: v3.1.0");
        self.line(0, "kind: DataContract");
        self.line(0, format_args!("id: {}", quoted(&about.id)));
        self.line(0, format_args!("version: {VERSION}"));
        self.line(0, "status: draft");
        if leaves_out {
            let unseen = about.unseen.iter().take(16).cloned().collect::<Vec<_>>().join(", ");
            self.remark(
                0,
                &format!("not seen: {unseen}. Such tables are taken as the parser declares them."),
            );
            self.line(0, "customProperties:");
            self.line(2, "- {property: extraTables, value: evolve}");
        }
        self.line(0, "schema:");
    }

    fn table(&mut self, about: &About, finding: &TableFinding) {
        let rows = if finding.rows == 1 { "1 row".to_owned() } else { format!("{} rows", finding.rows) };
        self.remark(2, &format!("{rows} seen"));
        self.line(2, format_args!("- name: {}", finding.table));
        self.line(4, "logicalType: object");
        self.line(4, "physicalType: table");
        if finding.columns.iter().any(|column| column.column.is_none()) {
            self.line(4, "customProperties:");
            self.line(6, "- {property: extraColumns, value: evolve}");
        }
        self.line(4, "properties:");
        for column in &finding.columns {
            let key = (finding.table.clone(), column.name.raw().to_owned());
            self.finding(column, about.docs.get(&key));
        }
    }

    fn finding(&mut self, finding: &ColumnFinding, doc: Option<&String>) {
        for question in &finding.questions {
            self.remark(6, &format!("QUESTION {}: {}", question.key, question.asks));
            let answers = question.answers.join(" | ");
            self.remark(6, &format!("  --assume {}={answers}", question.key));
        }
        if finding.outcome == Outcome::Unsayable {
            self.remark(6, &format!("{}:", finding.name));
        }
        finding.remarks.iter().for_each(|remark| self.remark(6, remark));
        if let Some(column) = &finding.column {
            self.line(6, format_args!("- name: {}", quoted(&column.name)));
            self.column(8, column);
            if let Some(doc) = doc.filter(|_| self.has_remarks) {
                self.line(8, format_args!("description: {}", quoted(&Plain(doc).to_string())));
            }
        }
    }

    /// Writes what stands below a column's name.
    fn column(&mut self, indent: usize, column: &Column) {
        let words = Words::of(&column.data_type);
        self.line(indent, format_args!("logicalType: {}", words.logical));
        if let Some(physical) = words.physical {
            self.line(indent, format_args!("physicalType: {physical}"));
        }
        if column.required {
            self.line(indent, "required: true");
        }
        if let Some(options) = words.options {
            self.line(indent, format_args!("logicalTypeOptions: {{{options}}}"));
        }
        self.decoding(indent, &column.decoding);
        self.checks(indent, column);
        self.children(indent, column);
    }

    fn decoding(&mut self, indent: usize, decoding: &Decoding) {
        let default = Decoding::default();
        let mut said: Vec<(&str, String)> = Vec::new();
        let mut say = |key, is_other: bool, value: String| said.extend(is_other.then_some((key, value)));
        let texts = |texts: &[String]| json!(texts).to_string();
        say("missingValues", !decoding.missing_values.is_empty(), texts(&decoding.missing_values));
        say("trueValues", decoding.true_values != default.true_values, texts(&decoding.true_values));
        say("falseValues", decoding.false_values != default.false_values, texts(&decoding.false_values));
        say("decimalChar", decoding.decimal_char != '.', quoted(&decoding.decimal_char.to_string()));
        let group = decoding.group_char.map(|group| quoted(&group.to_string()));
        say("groupChar", group.is_some(), group.unwrap_or_default());
        say("trim", decoding.trim, "true".to_owned());
        let order = decoding.date_order.map(words::date_order);
        say("dateOrder", order.is_some(), order.unwrap_or_default().to_owned());
        say("decodePatterns", !decoding.decode_patterns.is_empty(), texts(&decoding.decode_patterns));
        if said.is_empty() {
            return;
        }
        self.line(indent, "customProperties:");
        for (key, value) in said {
            self.line(indent.saturating_add(2), format_args!("- {{property: {key}, value: {value}}}"));
        }
    }

    fn checks(&mut self, indent: usize, column: &Column) {
        let lists = column.checks.iter().filter_map(|check| match &check.rule {
            Rule::OneOf(values) => Some((values, check.severity)),
            _ => None,
        });
        for (values, severity) in lists {
            self.line(indent, "quality:");
            let indent = indent.saturating_add(2);
            self.line(indent, "- type: library");
            let indent = indent.saturating_add(2);
            self.line(indent, "metric: invalidValues");
            self.line(indent, format_args!("arguments: {{validValues: {}}}", json!(values)));
            self.line(indent, "mustBe: 0");
            self.line(indent, format_args!("severity: {}", words::severity(severity)));
        }
    }

    fn children(&mut self, indent: usize, column: &Column) {
        match (&column.data_type, column.children.as_slice()) {
            (DataType::List(_), [item]) => {
                self.line(indent, "items:");
                self.column(indent.saturating_add(2), item);
            }
            (DataType::Struct(_), fields) => {
                self.line(indent, "properties:");
                for field in fields {
                    self.line(indent.saturating_add(2), format_args!("- name: {}", quoted(&field.name)));
                    self.column(indent.saturating_add(4), field);
                }
            }
            _ => {}
        }
    }
}

/// A type in the words of a contract file.
struct Words {
    logical: &'static str,
    physical: Option<String>,
    options: Option<&'static str>,
}

impl Words {
    fn of(data_type: &DataType) -> Self {
        let say = |logical, physical, options| Self { logical, physical, options };
        match data_type {
            DataType::Boolean => say("boolean", None, None),
            DataType::Int64 => say("integer", None, None),
            DataType::Int8 => say("integer", None, Some("format: i8")),
            DataType::Int16 => say("integer", None, Some("format: i16")),
            DataType::Int32 => say("integer", None, Some("format: i32")),
            DataType::UInt8 => say("integer", None, Some("format: u8")),
            DataType::UInt16 => say("integer", None, Some("format: u16")),
            DataType::UInt32 => say("integer", None, Some("format: u32")),
            DataType::UInt64 => say("integer", None, Some("format: u64")),
            DataType::Float32 => say("number", None, Some("format: f32")),
            DataType::Float64 => say("number", None, None),
            DataType::Decimal128(precision, 0) => say("integer", Some(format!("DECIMAL({precision})")), None),
            DataType::Decimal128(precision, scale) => {
                say("number", Some(format!("DECIMAL({precision},{scale})")), None)
            }
            DataType::Binary => say("string", Some("BINARY".to_owned()), None),
            DataType::Date32 => say("date", None, None),
            DataType::Time32(unit) | DataType::Time64(unit) => {
                say("time", Some(format!("TIME({})", places(*unit))), None)
            }
            DataType::Timestamp(unit, zone) => {
                let physical = Some(format!("TIMESTAMP({})", places(*unit)));
                say("timestamp", physical, zone.as_ref().map(|_| "timezone: true"))
            }
            DataType::List(_) => say("array", None, None),
            DataType::Struct(_) => say("object", None, None),
            _ => say("string", None, None),
        }
    }
}

fn places(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Writes a text in double quotes. What JSON can hold, YAML reads as the same.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// A line of a comment: nothing in it ends the line or cannot stand in a file.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = GuestText::new(self.0, REMARK_BYTES_MAX).to_string();
        shown.chars().try_for_each(|c| f.write_char(if is_unprintable(c) { '?' } else { c }))
    }
}

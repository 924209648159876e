//! What rows must be, and the judge.
//!
//! ```text
//! ODCS YAML ── odcs ──> Contract ── canon ──> canonical JSON ──> contract_hash
//!                          │ per table, against the columns that the parser opens it with
//!                          ▼
//!        Batch ──────> judge: cast (lossless, or CF02xx), checks, keys ──> Judged ──> Accepted | Rejected
//! ```
//!
//! [`Contract`] is resolved: every default is filled in, documentation is gone, every number and pattern in it has been
//! tried. Without a written contract, the schema that a parser declares is the contract: types and nullability only.

pub mod amend;
pub mod canon;
pub mod cast;
pub mod export;
pub mod expression;
pub mod judge;
pub mod keys;
pub mod odcs;
pub mod text;
pub mod verdict;
pub mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use crate::id::TableName;

/// What the tables of one parser must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Its name, unique in a registry.
    pub id: String,
    /// Its version.
    pub version: String,
    /// One for each table, in the order of the file. No two have one name.
    pub tables: Vec<TableContract>,
    /// What becomes of a table that the contract does not name.
    pub extra_tables: ExtraTables,
}

impl Contract {
    /// Returns what the contract says of a table.
    pub fn table(&self, name: &TableName) -> Option<&TableContract> {
        self.tables.iter().find(|table| table.name == *name)
    }
}

/// What becomes of a table that a contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtraTables {
    /// It is refused when it is opened.
    #[default]
    Freeze,
    /// The schema that the parser declares is its contract.
    Evolve,
}

/// What the rows of one table must be.
#[derive(Debug, Clone, PartialEq)]
pub struct TableContract {
    /// The table.
    pub name: TableName,
    /// Its columns, in the order in which they are written. No two have one name.
    pub columns: Vec<Column>,
    /// What no two rows may share, no two with the same columns. Keys, rules, budgets and checks stand in the order of the canonical
    /// form, and so do the reasons of a row.
    pub keys: Vec<Key>,
    /// What must hold between the columns of a row.
    pub rules: Vec<RowRule>,
    /// What must hold for a run as a whole, or nothing is published.
    pub budgets: Vec<Budget>,
    /// What becomes of columns that the contract does not name.
    pub extra_columns: ExtraColumns,
    /// Whether the parser's columns must stand in the contract's order.
    pub column_order: ColumnOrder,
    /// What a bad row takes with it.
    pub verdict_unit: VerdictUnit,
    /// Faults of the parser that do not quarantine a record.
    pub allowed_faults: BTreeSet<String>,
    /// How much may be in quarantine before nothing is published.
    pub quarantine_budget: QuarantineBudget,
}

/// What becomes of columns that a contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtraColumns {
    /// The table is refused when it is opened.
    #[default]
    Freeze,
    /// They are left out.
    DiscardValue,
    /// They are written behind the others, as the parser declares them.
    Evolve,
}

/// Whether the order of the parser's columns matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnOrder {
    /// Columns are found by name.
    #[default]
    Any,
    /// Columns that both know must stand in the contract's order.
    Strict,
}

/// What a bad row takes with it into quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerdictUnit {
    /// All rows of its record, in all tables.
    #[default]
    Record,
    /// Nothing.
    Row,
}

/// How much of a table may be in quarantine before nothing is published. None: any amount.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct QuarantineBudget {
    /// Of the table's rows, 0 to 100.
    pub percent_max: Option<f64>,
    /// Rows.
    pub rows_max: Option<u64>,
}

/// A column, an item of an array, or a field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name. An item of an array is called `item`.
    pub name: String,
    /// Its type as it is written: boolean, integers, floats, `Decimal128` to 38 digits, `Utf8`, `Binary`, `Date32`, `Time32` and
    /// `Time64`, `Timestamp` without a zone or in `UTC`, `List`, `Struct`. Nested fields are nullable. In a contract that was
    /// declared by a parser it is whatever passes the wire.
    pub data_type: DataType,
    /// Whether it must have a value.
    pub required: bool,
    /// How text becomes a value.
    pub decoding: Decoding,
    /// What a value must be. Null passes each of them but [`Rule::NotNull`].
    pub checks: Vec<Check>,
    /// The one item of an array, the fields of an object; nothing else has any.
    pub children: Vec<Column>,
}

/// How text becomes a value. The default takes nothing for granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoding {
    /// Texts that stand for null, compared after trimming where `trim` is set.
    pub missing_values: Vec<String>,
    /// Texts that stand for true.
    pub true_values: Vec<String>,
    /// Texts that stand for false.
    pub false_values: Vec<String>,
    /// Between the digits of the whole and of the fraction.
    pub decimal_char: char,
    /// Between groups of digits.
    pub group_char: Option<char>,
    /// Whether ASCII white space around a text is insignificant.
    pub trim: bool,
    /// The order of day, month and year in dates of numbers; none: ISO 8601 and the patterns only.
    pub date_order: Option<DateOrder>,
    /// The offset of times that do not name one, in seconds east of UTC; none: they are refused where a zone is wanted.
    pub default_offset_seconds: Option<i32>,
    /// Unicode TR 35 patterns that a date, time or timestamp may be written in; none: ISO 8601.
    pub decode_patterns: Vec<String>,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            missing_values: Vec::new(),
            true_values: vec!["true".to_owned()],
            false_values: vec!["false".to_owned()],
            decimal_char: '.',
            group_char: None,
            trim: false,
            date_order: None,
            default_offset_seconds: None,
            decode_patterns: Vec::new(),
        }
    }
}

/// The order of day, month and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// 2024-12-31.
    YearMonthDay,
    /// 12/31/2024.
    MonthDayYear,
    /// 31.12.2024.
    DayMonthYear,
}

/// Something that a value must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What it is called in reports: `minimum`, or the name that the contract gives it.
    pub name: String,
    /// What is looked at.
    pub rule: Rule,
    /// What happens where it is broken.
    pub severity: Severity,
}

/// What happens where a check is broken.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The row goes to quarantine.
    #[default]
    Error,
    /// The row is accepted, and counted.
    Warning,
}

/// What a value must be. Values of a rule are texts that the column's type reads losslessly, under the default decoding.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// There.
    NotNull,
    /// At least this.
    Minimum(String),
    /// At most this.
    Maximum(String),
    /// More than this.
    ExclusiveMinimum(String),
    /// Less than this.
    ExclusiveMaximum(String),
    /// A multiple of this, exactly.
    MultipleOf(String),
    /// At least so many characters (Unicode scalar values), or bytes of a binary.
    MinLength(u64),
    /// At most so many.
    MaxLength(u64),
    /// Somewhere in it this pattern is found: syntax of the `regex` crate, ASCII classes.
    Pattern(String),
    /// Written like one of these.
    Format(TextFormat),
    /// One of these.
    OneOf(Vec<String>),
    /// At least so many items.
    MinItems(u64),
    /// At most so many.
    MaxItems(u64),
    /// No item twice.
    UniqueItems,
}

/// A way to write a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// RFC 9562.
    Uuid,
    /// RFC 5321, the mailbox of ASCII.
    Email,
    /// RFC 3986, with a scheme.
    Uri,
    /// Four decimal numbers.
    Ipv4,
    /// RFC 4291.
    Ipv6,
    /// RFC 1123.
    Hostname,
}

/// Columns of which no two accepted rows of a run have the same values. A row with a null in one of them is unlike any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What it is called in reports: `primaryKey`, `unique`, or the name that the contract gives it.
    pub name: String,
    /// Places of its columns in the table, in the order of the key.
    pub columns: Vec<usize>,
    /// What happens to the second row.
    pub severity: Severity,
}

/// What must hold between the columns of a row. Not knowing (a null) is no violation, as in an SQL `CHECK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRule {
    /// What it is called in reports.
    pub name: String,
    /// An expression, checked against the table's columns.
    pub expression: String,
    /// What happens where it is false.
    pub severity: Severity,
}

/// What must hold for the accepted rows of a run, or nothing is published.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// What it is called in reports.
    pub name: String,
    /// What is counted.
    pub metric: Metric,
    /// What the count must be.
    pub bound: Bound,
    /// What is compared.
    pub unit: Unit,
    /// A broken warning publishes and says so.
    pub severity: Severity,
}

/// What a budget counts, among accepted rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// Rows.
    RowCount,
    /// Rows with a null in a column, by place.
    NullValues(usize),
    /// Rows with a value of a column, by place, that is not as the rule wants it.
    InvalidValues(usize, Rule),
    /// Rows whose values in these columns, by place, an earlier row has.
    DuplicateValues(Vec<usize>),
}

/// What a count is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Equal to.
    Equal(f64),
    /// Anything but.
    NotEqual(f64),
    /// More than.
    Greater(f64),
    /// At least.
    GreaterOrEqual(f64),
    /// Less than.
    Less(f64),
    /// At most.
    LessOrEqual(f64),
    /// Between the two, which are not in it.
    Between(f64, f64),
    /// Not between the two.
    NotBetween(f64, f64),
}

/// The unit of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Rows.
    #[default]
    Rows,
    /// Of the accepted rows of the table; 0 where there are none.
    Percent,
}

impl TableContract {
    /// Takes a declared schema as the contract.
    pub fn declared(name: &TableName, schema: &Schema) -> Self {
        Self {
            name: name.clone(),
            columns: schema.fields().iter().map(|field| Column::declared(field)).collect(),
            keys: Vec::new(),
            rules: Vec::new(),
            budgets: Vec::new(),
            extra_columns: ExtraColumns::default(),
            column_order: ColumnOrder::default(),
            verdict_unit: VerdictUnit::default(),
            allowed_faults: BTreeSet::new(),
            quarantine_budget: QuarantineBudget::default(),
        }
    }

    /// Returns the columns as a file has them, without any that the contract does not name.
    pub fn schema(&self) -> Schema {
        Schema::new(self.columns.iter().map(Column::field).collect::<Vec<_>>())
    }
}

impl Column {
    /// Takes a declared field as the contract.
    pub(crate) fn declared(field: &Field) -> Self {
        let children: Vec<Column> = match field.data_type() {
            DataType::List(item) | DataType::LargeList(item) => vec![Self::declared(item)],
            DataType::Struct(fields) => fields.iter().map(|field| Self::declared(field)).collect(),
            _ => Vec::new(),
        };
        Self {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
            required: !field.is_nullable(),
            decoding: Decoding::default(),
            checks: Vec::new(),
            children,
        }
    }

    /// Returns the column as a file has it.
    pub fn field(&self) -> Arc<Field> {
        Arc::new(Field::new(&self.name, self.data_type.clone(), !self.required))
    }
}

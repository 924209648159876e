//! How the parts of a contract are said to people: one short, exact text for each, in the words of a contract file.

use arrow_schema::{DataType, TimeUnit};

use super::{Bound, ColumnOrder, DateOrder, ExtraColumns, ExtraTables, Metric, QuarantineBudget, Rule};
use super::{Severity, TextFormat, Unit, VerdictUnit};

/// Returns a type as people are told of it, in contracts, reasons and faults alike: `i64`, `decimal(18,4)`, `timestamp(6, UTC)`.
/// How widths are laid out in memory is not said.
pub fn data_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
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
        DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 => "string".to_owned(),
        DataType::Binary | DataType::LargeBinary => "binary".to_owned(),
        DataType::FixedSizeBinary(width) => format!("binary({width})"),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time({})", digits(*unit)),
        DataType::Timestamp(unit, None) => format!("timestamp({})", digits(*unit)),
        DataType::Timestamp(unit, Some(zone)) => format!("timestamp({}, {zone})", digits(*unit)),
        DataType::Duration(unit) => format!("duration({})", digits(*unit)),
        DataType::List(item) | DataType::LargeList(item) => {
            format!("array of {}", self::data_type(item.data_type()))
        }
        DataType::Struct(_) => "object".to_owned(),
        // Nothing else passes the wire.
        other => other.to_string(),
    }
}

/// Returns how many digits a second has behind its point.
fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Returns what a rule wants: `at least 1`, `one of "buy", "sell"`.
pub fn rule(rule: &Rule) -> String {
    match rule {
        Rule::NotNull => "never null".to_owned(),
        Rule::Minimum(value) => format!("at least {value}"),
        Rule::Maximum(value) => format!("at most {value}"),
        Rule::ExclusiveMinimum(value) => format!("more than {value}"),
        Rule::ExclusiveMaximum(value) => format!("less than {value}"),
        Rule::MultipleOf(value) => format!("a multiple of {value}"),
        Rule::MinLength(count) => format!("at least {}", counted(*count, "character")),
        Rule::MaxLength(count) => format!("at most {}", counted(*count, "character")),
        Rule::Pattern(pattern) => format!("like {pattern}"),
        Rule::Format(format) => format!("written as {}", self::format(*format)),
        Rule::OneOf(values) => format!("one of {}", texts(values)),
        Rule::MinItems(count) => format!("at least {}", counted(*count, "item")),
        Rule::MaxItems(count) => format!("at most {}", counted(*count, "item")),
        Rule::UniqueItems => "no item twice".to_owned(),
    }
}

/// Returns a number with its noun.
fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Returns texts, each in quotation marks, so that an empty one is seen.
pub fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(|text| format!("\"{text}\"")).collect();
    if quoted.is_empty() { "nothing".to_owned() } else { quoted.join(", ") }
}

/// Returns a format's name.
pub fn format(format: TextFormat) -> &'static str {
    match format {
        TextFormat::Uuid => "uuid",
        TextFormat::Email => "email",
        TextFormat::Uri => "uri",
        TextFormat::Ipv4 => "ipv4",
        TextFormat::Ipv6 => "ipv6",
        TextFormat::Hostname => "hostname",
    }
}

/// Returns a severity's name.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Returns an order of dates as a contract writes it.
pub fn date_order(order: DateOrder) -> &'static str {
    match order {
        DateOrder::YearMonthDay => "YMD",
        DateOrder::MonthDayYear => "MDY",
        DateOrder::DayMonthYear => "DMY",
    }
}

/// Returns an offset from UTC: `UTC`, `+01:00`.
pub fn offset(seconds: i32) -> String {
    if seconds == 0 {
        return "UTC".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let (minutes, rest) = (seconds.unsigned_abs() / 60, seconds.unsigned_abs() % 60);
    let rest = if rest == 0 { String::new() } else { format!(":{rest:02}") };
    format!("{sign}{:02}:{:02}{rest}", minutes / 60, minutes % 60)
}

/// Returns what becomes of tables that a contract does not name, in its word.
pub fn extra_tables(extra: ExtraTables) -> &'static str {
    match extra {
        ExtraTables::Freeze => "freeze",
        ExtraTables::Evolve => "evolve",
    }
}

/// Returns what becomes of columns that a contract does not name, in its word.
pub fn extra_columns(extra: ExtraColumns) -> &'static str {
    match extra {
        ExtraColumns::Freeze => "freeze",
        ExtraColumns::DiscardValue => "discard_value",
        ExtraColumns::Evolve => "evolve",
    }
}

/// Returns whether the order of columns matters, in a contract's word.
pub fn column_order(order: ColumnOrder) -> &'static str {
    match order {
        ColumnOrder::Any => "any",
        ColumnOrder::Strict => "strict",
    }
}

/// Returns what a bad row takes with it, in a contract's word.
pub fn verdict_unit(unit: VerdictUnit) -> &'static str {
    match unit {
        VerdictUnit::Record => "record",
        VerdictUnit::Row => "row",
    }
}

/// Returns how much may be in quarantine: `at most 1 % and 1000 rows`.
pub fn quarantine_budget(budget: QuarantineBudget) -> String {
    let percent = budget.percent_max.map(|percent| format!("{percent} %"));
    let rows = budget.rows_max.map(|rows| counted(rows, "row"));
    match (percent, rows) {
        (None, None) => "any amount".to_owned(),
        (Some(one), None) | (None, Some(one)) => format!("at most {one}"),
        (Some(percent), Some(rows)) => format!("at most {percent} and {rows}"),
    }
}

/// Returns what a budget counts. `name` tells the column of a place.
pub fn metric(metric: &Metric, name: impl Fn(usize) -> String) -> String {
    match metric {
        Metric::RowCount => "rows".to_owned(),
        Metric::NullValues(column) => format!("rows without {}", name(*column)),
        Metric::InvalidValues(column, wanted) => {
            format!("rows with {} not {}", name(*column), rule(wanted))
        }
        Metric::DuplicateValues(columns) => {
            let names: Vec<String> = columns.iter().map(|column| name(*column)).collect();
            format!("rows with {} of an earlier row", names.join(", "))
        }
    }
}

/// Returns what a count must be: `> 0`, `<= 1 %`.
pub fn bound(bound: Bound, unit: Unit) -> String {
    let unit = if unit == Unit::Percent { " %" } else { "" };
    match bound {
        Bound::Equal(value) => format!("= {value}{unit}"),
        Bound::NotEqual(value) => format!("not {value}{unit}"),
        Bound::Greater(value) => format!("> {value}{unit}"),
        Bound::GreaterOrEqual(value) => format!(">= {value}{unit}"),
        Bound::Less(value) => format!("< {value}{unit}"),
        Bound::LessOrEqual(value) => format!("<= {value}{unit}"),
        Bound::Between(low, high) => format!("between {low} and {high}{unit}, exclusive"),
        Bound::NotBetween(low, high) => format!("not between {low} and {high}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_contracts_name_them() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(data_type(&zoned), "timestamp(6, UTC)");
        assert_eq!(data_type(&DataType::Decimal128(18, 4)), "decimal(18,4)");
    }

    #[test]
    fn an_offset_reads_as_it_is_written() {
        assert_eq!([offset(0), offset(3600), offset(-12_600)], ["UTC", "+01:00", "-03:30"]);
    }

    #[test]
    fn an_empty_text_in_a_list_is_seen() {
        assert_eq!(rule(&Rule::OneOf(vec![String::new(), "a".to_owned()])), "one of \"\", \"a\"");
    }
}

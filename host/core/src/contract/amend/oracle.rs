//! A judge for tests: slow, plain, over cells of text. It knows nothing of amendments.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::DataType;

use crate::contract::{Bound, Budget, Check, Column, Contract, Decoding, ExtraColumns, Metric, Rule};
use crate::contract::{Severity, TableContract, Unit, VerdictUnit};

/// A row as a parser sends it: its record, its table, its cells by the columns' names, its faults.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) record: usize,
    pub(super) table: usize,
    pub(super) cells: Vec<(String, Option<String>)>,
    pub(super) fault: Option<String>,
}

/// The rows of a run that were published, by place, each with its values. None: the run failed, or was held.
pub(super) type Published = Option<BTreeMap<usize, BTreeMap<String, Option<String>>>>;

/// Runs `rows` through a contract.
pub(super) fn run(contract: &Contract, rows: &[Row]) -> Published {
    let mut judged = Vec::new();
    for row in rows {
        let table = contract.tables.iter().find(|table| table.name.as_str() == format!("t{}", row.table))?;
        judged.push((table, row, judge(table, row)?));
    }
    let mut bad: BTreeSet<usize> = (0..judged.len()).filter(|at| judged[*at].2.is_none()).collect();
    let all = || (0..judged.len()).collect::<Vec<usize>>();
    // Records are judged in order; a row of a bad record claims no key.
    let mut claimed: BTreeSet<String> = BTreeSet::new();
    let mut records: Vec<usize> = rows.iter().map(|row| row.record).collect();
    records.dedup();
    for record in records {
        let members: Vec<usize> = all().into_iter().filter(|at| rows[*at].record == record).collect();
        let takes = |at: &usize| judged[*at].0.verdict_unit == VerdictUnit::Record;
        if members.iter().any(|at| bad.contains(at) && takes(at)) {
            bad.extend(&members);
        }
        for at in members.iter().filter(|at| !bad.contains(at)).copied().collect::<Vec<_>>() {
            let keys = keys(judged[at].0, judged[at].2.as_ref().expect("values"));
            if keys.iter().any(|key| claimed.contains(key)) {
                bad.insert(at);
                if takes(&at) {
                    bad.extend(&members);
                }
            }
        }
        for at in members.iter().filter(|at| !bad.contains(at)) {
            claimed.extend(keys(judged[*at].0, judged[*at].2.as_ref().expect("values")));
        }
    }
    for table in &contract.tables {
        let of = |at: &usize| judged[*at].0.name == table.name;
        let good = all().into_iter().filter(|at| of(at) && !bad.contains(at));
        let good: Vec<_> = good.map(|at| judged[at].2.clone().expect("values")).collect();
        let n_bad = bad.iter().filter(|at| of(at)).count();
        let held = table.budgets.iter().filter(|budget| budget.severity == Severity::Error);
        if held.into_iter().any(|budget| !passes(table, budget, &good))
            || is_over(table, n_bad, n_bad + good.len())
        {
            return None;
        }
    }
    let good = all().into_iter().filter(|at| !bad.contains(at));
    Some(good.map(|at| (at, judged[at].2.clone().expect("values"))).collect())
}

/// Judges a row by itself. The outer none: the table was refused when it was opened.
#[expect(clippy::option_option, reason = "a refused table is not a refused row")]
fn judge(table: &TableContract, row: &Row) -> Option<Option<BTreeMap<String, Option<String>>>> {
    let mut values = BTreeMap::new();
    let mut is_good = row.fault.iter().all(|fault| table.allowed_faults.contains(fault));
    for column in &table.columns {
        // A column that is not sent is null, where it may be.
        let sent = row.cells.iter().find(|(name, _)| *name == column.name);
        let cell = if column.required { &sent?.1 } else { sent.map_or(&None, |(_, cell)| cell) };
        let value = match cell.as_deref().map(|text| decode(text, column)) {
            Some(Err(())) => {
                is_good = false;
                None
            }
            Some(Ok(value)) => value,
            None => None,
        };
        let errors = || column.checks.iter().filter(|check| check.severity == Severity::Error);
        let is_broken = |check: &Check| !holds(&check.rule, value.as_deref());
        is_good &= !(errors().any(is_broken) || column.required && value.is_none());
        values.insert(column.name.clone(), value);
    }
    let is_extra = |(name, _): &(String, Option<String>)| !values.contains_key(name);
    if table.extra_columns == ExtraColumns::Freeze && row.cells.iter().any(is_extra) {
        return None;
    }
    Some(is_good.then_some(values))
}

fn decode(text: &str, column: &Column) -> Result<Option<String>, ()> {
    let Decoding { missing_values, true_values, false_values, group_char, trim, .. } = &column.decoding;
    let text = if *trim { text.trim() } else { text };
    if missing_values.iter().any(|missing| missing == text) {
        return Ok(None);
    }
    let in_range = |text: String, low: i64, high: i64| {
        let plain: String = text.chars().filter(|c| Some(*c) != *group_char).collect();
        let value: i64 = plain.parse().map_err(|_| ())?;
        let is_itself = value.to_string() == plain && (low..=high).contains(&value);
        if is_itself { Ok(Some(plain)) } else { Err(()) }
    };
    match column.data_type {
        DataType::Utf8 => Ok(Some(text.to_owned())),
        DataType::Boolean if true_values.iter().any(|value| value == text) => Ok(Some("true".to_owned())),
        DataType::Boolean if false_values.iter().any(|value| value == text) => Ok(Some("false".to_owned())),
        DataType::Boolean => Err(()),
        DataType::Int8 => in_range(text.to_owned(), -128, 127),
        _ => in_range(text.to_owned(), i64::MIN, i64::MAX),
    }
}

fn holds(rule: &Rule, value: Option<&str>) -> bool {
    let Some(value) = value else { return *rule != Rule::NotNull };
    let number = |text: &str| text.parse::<i64>().expect("a number");
    match rule {
        Rule::NotNull => true,
        Rule::Minimum(least) => number(value) >= number(least),
        Rule::Maximum(most) => number(value) <= number(most),
        Rule::ExclusiveMinimum(least) => number(value) > number(least),
        Rule::ExclusiveMaximum(most) => number(value) < number(most),
        Rule::MultipleOf(step) => number(value) % number(step) == 0,
        Rule::MinLength(least) => value.chars().count() as u64 >= *least,
        Rule::MaxLength(most) => value.chars().count() as u64 <= *most,
        Rule::OneOf(values) => values.iter().any(|one| one == value),
        other => panic!("the oracle does not know {other:?}"),
    }
}

fn keys(table: &TableContract, values: &BTreeMap<String, Option<String>>) -> Vec<String> {
    let errors = table.keys.iter().filter(|key| key.severity == Severity::Error);
    let key = |key: &crate::contract::Key| {
        let cells = key.columns.iter().map(|place| values[&table.columns[*place].name].clone());
        let cells: Option<Vec<String>> = cells.collect();
        cells.map(|cells| {
            let named = key.columns.iter().map(|place| &table.columns[*place].name).zip(cells);
            format!("{} {} {:?}", table.name, key.name, named.collect::<BTreeMap<_, _>>())
        })
    };
    errors.filter_map(key).collect()
}

fn passes(table: &TableContract, budget: &Budget, good: &[BTreeMap<String, Option<String>>]) -> bool {
    let count = match &budget.metric {
        Metric::RowCount => good.len(),
        Metric::NullValues(place) => {
            good.iter().filter(|row| row[&table.columns[*place].name].is_none()).count()
        }
        other => panic!("the oracle does not know {other:?}"),
    };
    let count = match budget.unit {
        Unit::Rows => count as f64,
        Unit::Percent if good.is_empty() => 0.0,
        Unit::Percent => 100.0 * count as f64 / good.len() as f64,
    };
    match budget.bound {
        Bound::Equal(value) => count == value,
        Bound::NotEqual(value) => count != value,
        Bound::Greater(value) => count > value,
        Bound::GreaterOrEqual(value) => count >= value,
        Bound::Less(value) => count < value,
        Bound::LessOrEqual(value) => count <= value,
        Bound::Between(low, high) => count > low && count < high,
        Bound::NotBetween(low, high) => count <= low || count >= high,
    }
}

fn is_over(table: &TableContract, bad: usize, all: usize) -> bool {
    let budget = table.quarantine_budget;
    let percent = 100.0 * bad as f64 / all.max(1) as f64;
    budget.percent_max.is_some_and(|most| percent > most)
        || budget.rows_max.is_some_and(|most| bad as u64 > most)
}

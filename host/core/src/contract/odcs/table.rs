//! One entry of `schema` becomes a table: columns, keys, rules, budgets, and what becomes of everything else.

use std::collections::BTreeSet;

use super::Reading;
use super::column::{ColumnReader, PrimaryKey, Property};
use super::fault::{Findings, Place, shown};
use super::fields::{self, Fields, Word};
use super::quality::{self, TableRule};
use super::tree::Node;
use crate::contract::expression::Expression;
use crate::contract::{
    Budget, Column, ColumnOrder, ExtraColumns, Key, Metric, QuarantineBudget, RowRule, Severity,
    TableContract, VerdictUnit,
};
use crate::id::{TableName, is_word};

/// Most keys of one table. Each keeps a hash for every row of a commit.
const KEYS_MAX: usize = 16;

/// Most faults that a table may allow.
const ALLOWED_FAULTS_MAX: usize = 1024;

const DOCUMENTATION: [&str; 8] = [
    "id",
    "physicalName",
    "physicalType",
    "description",
    "businessName",
    "authoritativeDefinitions",
    "tags",
    "dataGranularityDescription",
];

/// Reads a table. None: the findings say why.
pub(super) fn table(node: &Node, reading: &mut Reading) -> Option<TableContract> {
    let found = &mut reading.found;
    let mut fields = Fields::open(node, "a table", found)?;
    let name = fields.want("name", found).and_then(|node| name(node, found));
    if let Some(node) = fields.take("logicalType") {
        fields::word(node, &[("object", ())], found);
    }
    if let Some(node) = fields.take("relationships") {
        let hint = "take them for documentation";
        found.note(node.at, "not-judged", "relationships to other tables are not judged", hint);
    }
    fields.pass(&DOCUMENTATION);
    let manners = Manners::read(fields.take("customProperties"), found);
    let quality = fields.take("quality");
    let before = found.count();
    let properties = fields.want("properties", found);
    fields.close(found);
    let properties =
        properties.map(|node| ColumnReader::default().siblings(node, 1, reading)).unwrap_or_default();
    let is_whole = reading.found.count() == before;
    let body = Body::read(properties, quality, is_whole, reading);
    Some(TableContract {
        name: name?,
        columns: body.columns,
        keys: body.keys,
        rules: body.rules,
        budgets: body.budgets,
        extra_columns: manners.extra_columns,
        column_order: manners.column_order,
        verdict_unit: manners.verdict_unit,
        allowed_faults: manners.allowed_faults,
        quarantine_budget: manners.quarantine_budget,
    })
}

fn name(node: &Node, found: &mut Findings) -> Option<TableName> {
    let text = fields::text(node, found)?;
    let name = TableName::new(text);
    if name.is_none() {
        let message = format!("{} is no name of a table", shown(text));
        let hint = "a small letter, then up to 62 small letters, digits and `_`";
        found.fault_with_hint(node.at, "bad-name", message, hint);
    }
    name
}

/// What becomes of everything that is not as the columns say.
#[derive(Debug, Default)]
struct Manners {
    extra_columns: ExtraColumns,
    column_order: ColumnOrder,
    verdict_unit: VerdictUnit,
    allowed_faults: BTreeSet<String>,
    quarantine_budget: QuarantineBudget,
}

impl Manners {
    fn read(node: Option<&Node>, found: &mut Findings) -> Self {
        let custom = node.and_then(|node| Fields::open_custom(node, "customProperties of a table", found));
        let Some(mut custom) = custom else { return Self::default() };
        let extra = [
            ("freeze", ExtraColumns::Freeze),
            ("discard_value", ExtraColumns::DiscardValue),
            ("evolve", ExtraColumns::Evolve),
        ];
        let order = [("any", ColumnOrder::Any), ("strict", ColumnOrder::Strict)];
        let unit = [("record", VerdictUnit::Record), ("row", VerdictUnit::Row)];
        let manners = Self {
            extra_columns: word(&mut custom, "extraColumns", &extra, found),
            column_order: word(&mut custom, "columnOrder", &order, found),
            verdict_unit: word(&mut custom, "verdictUnit", &unit, found),
            allowed_faults: custom.take("allowedFaults").map(|node| faults(node, found)).unwrap_or_default(),
            quarantine_budget: custom
                .take("quarantineBudget")
                .map(|node| quarantine(node, found))
                .unwrap_or_default(),
        };
        custom.close(found);
        manners
    }
}

fn word<T: Copy + Default>(
    fields: &mut Fields<'_>,
    key: &'static str,
    words: &[Word<T>],
    found: &mut Findings,
) -> T {
    fields.take(key).and_then(|node| fields::word(node, words, found)).unwrap_or_default()
}

fn faults(node: &Node, found: &mut Findings) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    for item in fields::list(node, ALLOWED_FAULTS_MAX, found).unwrap_or_default() {
        let Some(text) = fields::text(item, found) else { continue };
        if !is_word(text) {
            let message = format!("{} is no fault that a parser can tell", shown(text));
            let hint = "a small letter, then up to 62 small letters, digits and `_`";
            found.fault_with_hint(item.at, "bad-name", message, hint);
        }
        faults.insert(text.to_owned());
    }
    faults
}

fn quarantine(node: &Node, found: &mut Findings) -> QuarantineBudget {
    let Some(mut fields) = Fields::open(node, "quarantineBudget", found) else {
        return QuarantineBudget::default();
    };
    let percent_max = fields.take("maxPercent").and_then(|node| percent(node, found));
    let rows_max = fields.take("maxRows").and_then(|node| fields::count(node, found));
    fields.close(found);
    QuarantineBudget { percent_max, rows_max }
}

fn percent(node: &Node, found: &mut Findings) -> Option<f64> {
    let percent = fields::amount(node, found)?;
    if percent > 100.0 {
        found.fault(node.at, "bad-value", format!("{percent} percent, and there are 100"));
    }
    Some(percent)
}

/// What must be.
#[derive(Debug, Default)]
struct Body {
    columns: Vec<Column>,
    keys: Vec<Key>,
    rules: Vec<RowRule>,
    budgets: Vec<Budget>,
}

impl Body {
    /// Puts a table together. Where a column could not be read, what looks for columns by place or name is passed over.
    fn read(
        properties: Vec<Property>,
        quality: Option<&Node>,
        is_whole: bool,
        reading: &mut Reading,
    ) -> Self {
        let mut rules: Vec<TableRule> = primary_key(&properties, &mut reading.found).into_iter().collect();
        let mut columns = Vec::with_capacity(properties.len());
        for (place, property) in properties.into_iter().enumerate() {
            rules.extend(property.unique.map(|at| TableRule::Key { at, key: key("unique", vec![place]) }));
            rules.extend(property.rules);
            columns.push(property.column);
        }
        let mut body = Self { columns, ..Self::default() };
        if is_whole {
            let names: Vec<&str> = body.columns.iter().map(|column| column.name.as_str()).collect();
            rules.extend(quality.map(|node| quality::of_table(node, &names, reading)).unwrap_or_default());
            rules.into_iter().for_each(|rule| body.add(rule, &mut reading.found));
        }
        body
    }

    fn add(&mut self, rule: TableRule, found: &mut Findings) {
        match rule {
            TableRule::Key { at, key } => {
                self.check_key(at, &key.columns, found);
                if self.keys.iter().any(|other| other.columns == key.columns) {
                    found.note(at, "said-twice", "another key has the same columns", "one is enough");
                } else if self.keys.len() >= KEYS_MAX {
                    found.fault(at, "too-many", format!("more than {KEYS_MAX} keys of one table"));
                } else {
                    self.keys.push(key);
                }
            }
            TableRule::Budget { at, budget } => {
                if let Metric::DuplicateValues(columns) = &budget.metric {
                    self.check_key(at, columns, found);
                }
                self.budgets.push(budget);
            }
            TableRule::Row { at, rule } => self.rules.extend(self.row_rule(at, rule, found)),
        }
    }

    /// Finds fault with columns that have no equal, and says which are hardly meant.
    fn check_key(&self, at: Place, places: &[usize], found: &mut Findings) {
        for column in places.iter().filter_map(|place| self.columns.get(*place)) {
            let name = shown(&column.name);
            if column.data_type.is_nested() {
                found.fault(
                    at,
                    "does-not-apply",
                    format!("{name} is a list or an object, and no part of a key"),
                );
            }
            if column.data_type.is_floating() {
                let hint = "make it a decimal: `physicalType: DECIMAL(p,s)`";
                found.note(
                    at,
                    "float-equality",
                    format!("{name} is a binary number, compared bit by bit"),
                    hint,
                );
            }
            if !column.required {
                let message =
                    format!("{name} may be null, and a row with a null in its key is unlike any other");
                found.note(at, "nullable-key", message, "write `required: true`");
            }
        }
    }

    /// Reads the expression of a rule, and spells it in the one way.
    fn row_rule(&self, at: Place, rule: RowRule, found: &mut Findings) -> Option<RowRule> {
        match Expression::parse(&rule.expression, &self.columns) {
            Ok(expression) => Some(RowRule { expression: expression.canonical(), ..rule }),
            Err(fault) => {
                let message = format!("at byte {} of the expression: {}", fault.offset, fault.message);
                match fault.hint {
                    Some(hint) => found.fault_with_hint(at, "bad-expression", message, hint),
                    None => found.fault(at, "bad-expression", message),
                }
                None
            }
        }
    }
}

fn key(name: &str, columns: Vec<usize>) -> Key {
    Key { name: name.to_owned(), columns, severity: Severity::Error }
}

/// Puts the primary key together: in the order of its positions, or of the columns where none has one.
fn primary_key(properties: &[Property], found: &mut Findings) -> Option<TableRule> {
    let parts = properties.iter().enumerate();
    let mut parts: Vec<(usize, PrimaryKey)> =
        parts.filter_map(|(place, property)| property.primary_key.map(|key| (place, key))).collect();
    let at = parts.first()?.1.at;
    if parts.iter().any(|(_, part)| part.position.is_some()) {
        parts.sort_by_key(|(_, part)| part.position);
        for (wanted, (_, part)) in (1..).zip(&parts) {
            if part.position != Some(wanted) {
                let is = part.position.map_or("none".to_owned(), |position| position.to_string());
                let count = parts.len();
                let message =
                    format!("the positions of a key of {count} run from 1 to {count}, and this one has {is}");
                let hint = "number all columns of the key, or none";
                found.fault_with_hint(part.at, "key-position", message, hint);
                return None;
            }
        }
    }
    let columns = parts.into_iter().map(|(place, _)| place).collect();
    Some(TableRule::Key { at, key: key("primaryKey", columns) })
}

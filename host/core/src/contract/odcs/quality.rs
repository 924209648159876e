//! `quality`: rules with a name and a severity. What is `mustBe: 0` of a property judges its values, what is `mustBe: 0`
//! of duplicates makes a key, an expression judges rows; everything else is a budget, and judges the run.

use arrow_schema::DataType;

use super::fault::{Findings, Place, did_you_mean, shown};
use super::fields::{self, Fields, Word};
use super::tree::Node;
use super::{Reading, options, value};
use crate::contract::{Bound, Budget, Check, Key, Metric, RowRule, Rule, Severity, Unit};

/// Most rules of one property.
const OF_PROPERTY_MAX: usize = 64;
/// Most rules of one table, besides those of its properties.
const OF_TABLE_MAX: usize = 256;
/// Most values that a rule lists.
const VALUES_MAX: usize = 65_536;
/// Most columns of one key.
const KEY_COLUMNS_MAX: usize = 64;

const DOCUMENTATION: [&str; 9] = [
    "id",
    "authoritativeDefinitions",
    "businessImpact",
    "description",
    "dimension",
    "method",
    "schedule",
    "scheduler",
    "tags",
];

/// A rule that is about more than a value.
#[derive(Debug)]
pub(super) enum TableRule {
    Key {
        at: Place,
        key: Key,
    },
    /// Its expression is not yet read.
    Row {
        at: Place,
        rule: RowRule,
    },
    Budget {
        at: Place,
        budget: Budget,
    },
}

/// The property that a rule is about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) data_type: &'a DataType,
    /// Its place among the columns of the table; none where it is nested.
    pub(super) place: Option<usize>,
    pub(super) required: bool,
}

/// Reads the rules of a property: checks of its values, and rules of the table that name it.
pub(super) fn of_property(
    node: &Node,
    about: About<'_>,
    checks: &mut Vec<Check>,
    rules: &mut Vec<TableRule>,
    reading: &mut Reading,
) {
    for item in fields::list(node, OF_PROPERTY_MAX, &mut reading.found).unwrap_or_default() {
        match rule(item, reading) {
            Some(Statement::Library(library)) => match library.of_property(about, reading) {
                Some(Judged::Value(check)) => checks.push(check),
                Some(Judged::Table(rule)) => rules.push(rule),
                None => {}
            },
            Some(Statement::Row(rule)) => rules.push(rule),
            None => {}
        }
    }
}

/// Reads the rules of a table.
pub(super) fn of_table(node: &Node, columns: &[&str], reading: &mut Reading) -> Vec<TableRule> {
    let mut rules = Vec::new();
    for item in fields::list(node, OF_TABLE_MAX, &mut reading.found).unwrap_or_default() {
        rules.extend(match rule(item, reading) {
            Some(Statement::Library(library)) => library.of_table(columns, &mut reading.found),
            Some(Statement::Row(rule)) => Some(rule),
            None => None,
        });
    }
    rules
}

/// A rule, before it is known what it is about.
enum Statement<'n> {
    Library(Library<'n>),
    Row(TableRule),
}

enum Judged {
    Value(Check),
    Table(TableRule),
}

#[derive(Debug, Clone, Copy)]
enum RuleType {
    Text,
    Library,
    Sql,
    Custom,
}

const TYPES: [Word<RuleType>; 4] = [
    ("text", RuleType::Text),
    ("library", RuleType::Library),
    ("sql", RuleType::Sql),
    ("custom", RuleType::Custom),
];

fn rule<'n>(node: &'n Node, reading: &mut Reading) -> Option<Statement<'n>> {
    let found = &mut reading.found;
    let mut fields = Fields::open(node, "a quality rule", found)?;
    fields.pass(&DOCUMENTATION);
    let head = Head::read(&mut fields, found);
    let rule_type = match fields.take("type") {
        Some(node) => fields::word(node, &TYPES, found)?,
        None => RuleType::Library,
    };
    let statement = match rule_type {
        RuleType::Text => None,
        RuleType::Library => library(&mut fields, head, found).map(Statement::Library),
        RuleType::Custom => row_rule(&mut fields, head, reading).map(Statement::Row),
        RuleType::Sql => {
            let hint =
                "write `type: custom, engine: casparian, implementation: \"<expression>\"`, or `type: text`";
            found.fault_with_hint(node.at, "not-judged", "there is no data base here to ask in SQL", hint);
            fields.pass(&["query", "mustBe"]);
            return None;
        }
    };
    fields.close(&mut reading.found);
    statement
}

/// What all rules may have.
struct Head {
    at: Place,
    name: Option<String>,
    severity: Severity,
    unit: Unit,
}

impl Head {
    fn read(fields: &mut Fields<'_>, found: &mut Findings) -> Self {
        let severities = [("error", Severity::Error), ("warning", Severity::Warning)];
        let units = [("rows", Unit::Rows), ("percent", Unit::Percent)];
        if let Some(node) = fields.take("customProperties")
            && let Some(custom) = Fields::open_custom(node, "customProperties of a quality rule", found)
        {
            custom.close(found);
        }
        Self {
            at: fields.at,
            name: fields.take("name").and_then(|node| fields::name(node, found)),
            severity: fields
                .take("severity")
                .and_then(|node| fields::word(node, &severities, found))
                .unwrap_or_default(),
            unit: fields.take("unit").and_then(|node| fields::word(node, &units, found)).unwrap_or_default(),
        }
    }

    fn name(&self, default: &str) -> String {
        self.name.clone().unwrap_or_else(|| default.to_owned())
    }
}

fn row_rule(fields: &mut Fields<'_>, head: Head, reading: &mut Reading) -> Option<TableRule> {
    let found = &mut reading.found;
    let engine = fields.want("engine", found);
    let engine = engine.and_then(|node| fields::word(node, &[("casparian", ())], found));
    let node = fields.want("implementation", found)?;
    engine?;
    let text = fields::text(node, found)?;
    let rule = RowRule { name: head.name("rule"), expression: text.to_owned(), severity: head.severity };
    reading.try_expression(node.at).then_some(TableRule::Row { at: node.at, rule })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricWord {
    RowCount,
    NullValues,
    InvalidValues,
    DuplicateValues,
    MissingValues,
}

const METRICS: [Word<MetricWord>; 5] = [
    ("rowCount", MetricWord::RowCount),
    ("nullValues", MetricWord::NullValues),
    ("invalidValues", MetricWord::InvalidValues),
    ("duplicateValues", MetricWord::DuplicateValues),
    ("missingValues", MetricWord::MissingValues),
];

/// One of the metrics that the standard knows, and what its count must be.
struct Library<'n> {
    head: Head,
    metric: MetricWord,
    bound: Bound,
    arguments: Fields<'n>,
}

fn library<'n>(fields: &mut Fields<'n>, head: Head, found: &mut Findings) -> Option<Library<'n>> {
    if let Some(node) = fields.take("rule") {
        found.fault_with_hint(node.at, "deprecated", "`rule` is an old name", "write `metric`");
    }
    let metric = fields.want("metric", found).and_then(|node| fields::word(node, &METRICS, found));
    let bound = bound(fields, found);
    let arguments = fields.take("arguments");
    let arguments = arguments.and_then(|node| Fields::open(node, "arguments of this metric", found));
    let arguments = arguments.unwrap_or_else(|| Fields::empty(fields.at, "arguments"));
    let (metric, bound) = metric.zip(bound)?;
    if let (Unit::Percent, Some(amount)) = (head.unit, largest(bound).filter(|amount| *amount > 100.0)) {
        found.fault(head.at, "bad-value", format!("{amount} percent, and there are 100"));
    }
    Some(Library { head, metric, bound, arguments })
}

impl Library<'_> {
    fn of_property(mut self, about: About<'_>, reading: &mut Reading) -> Option<Judged> {
        let judged = match self.metric {
            MetricWord::RowCount => {
                self.misplaced("stands under the table, not under a property", &mut reading.found)
            }
            MetricWord::MissingValues => self.misplaced(NO_MISSING_VALUES, &mut reading.found),
            MetricWord::NullValues => self.null_values(about, &mut reading.found),
            MetricWord::DuplicateValues => self.duplicates_of_one(about, &mut reading.found),
            MetricWord::InvalidValues => self.invalid_values(about, reading),
        };
        self.arguments.close(&mut reading.found);
        judged
    }

    fn of_table(mut self, columns: &[&str], found: &mut Findings) -> Option<TableRule> {
        let rule = match self.metric {
            MetricWord::RowCount => Some(self.budget(Metric::RowCount, "rowCount")),
            MetricWord::DuplicateValues => self.duplicates(columns, found),
            MetricWord::MissingValues => self.misplaced(NO_MISSING_VALUES, found),
            MetricWord::NullValues | MetricWord::InvalidValues => {
                self.misplaced("stands under the property that it is about", found)
            }
        };
        self.arguments.close(found);
        rule
    }

    /// Whether it says that there is none.
    fn is_none(&self) -> bool {
        self.bound == Bound::Equal(0.0)
    }

    fn misplaced<T>(&mut self, why: &str, found: &mut Findings) -> Option<T> {
        let word = METRICS.iter().find(|(_, metric)| *metric == self.metric).map_or("", |(word, _)| *word);
        found.fault(self.head.at, "does-not-apply", format!("`{word}` {why}"));
        self.arguments.pass(&["validValues", "pattern", "properties", "missingValues"]);
        None
    }

    fn check(&self, rule: Rule, name: &str) -> Judged {
        Judged::Value(Check { name: self.head.name(name), rule, severity: self.head.severity })
    }

    fn budget(&self, metric: Metric, name: &str) -> TableRule {
        let budget = Budget {
            name: self.head.name(name),
            metric,
            bound: self.bound,
            unit: self.head.unit,
            severity: self.head.severity,
        };
        TableRule::Budget { at: self.head.at, budget }
    }

    fn null_values(&self, about: About<'_>, found: &mut Findings) -> Option<Judged> {
        if !self.is_none() {
            let place = self.place(about, found)?;
            return Some(Judged::Table(self.budget(Metric::NullValues(place), "nullValues")));
        }
        if about.required {
            let hint = "leave the rule out, or `required` if a null is but a warning";
            found.note(self.head.at, "said-twice", "the property is required already", hint);
        }
        Some(self.check(Rule::NotNull, "nullValues"))
    }

    fn duplicates_of_one(&self, about: About<'_>, found: &mut Findings) -> Option<Judged> {
        let place = self.place(about, found)?;
        Some(Judged::Table(self.no_duplicates(vec![place])))
    }

    fn duplicates(&mut self, columns: &[&str], found: &mut Findings) -> Option<TableRule> {
        let node = self.arguments.want("properties", found)?;
        let mut places: Vec<usize> = Vec::new();
        for item in fields::list(node, KEY_COLUMNS_MAX, found)? {
            let place = column(item, columns, found)?;
            if places.contains(&place) {
                found.fault(item.at, "name-twice", "the property comes twice");
            }
            places.push(place);
        }
        if places.is_empty() {
            found.fault(node.at, "empty-list", "a key of no property");
        }
        Some(self.no_duplicates(places))
    }

    fn no_duplicates(&self, columns: Vec<usize>) -> TableRule {
        if self.is_none() {
            let key = Key { name: self.head.name("unique"), columns, severity: self.head.severity };
            TableRule::Key { at: self.head.at, key }
        } else {
            self.budget(Metric::DuplicateValues(columns), "duplicateValues")
        }
    }

    fn invalid_values(&mut self, about: About<'_>, reading: &mut Reading) -> Option<Judged> {
        let (rule, name) = self.valid(about.data_type, reading)?;
        if self.is_none() {
            return Some(self.check(rule, name));
        }
        let place = self.place(about, &mut reading.found)?;
        Some(Judged::Table(self.budget(Metric::InvalidValues(place, rule), "invalidValues")))
    }

    /// Reads what makes a value valid.
    fn valid(&mut self, data_type: &DataType, reading: &mut Reading) -> Option<(Rule, &'static str)> {
        let values = self.arguments.take("validValues");
        let pattern = self.arguments.take("pattern");
        match (values, pattern) {
            (Some(node), None) if !data_type.is_nested() => valid_values(node, data_type, &mut reading.found)
                .map(|values| (Rule::OneOf(values), "validValues")),
            (None, Some(node)) if *data_type == DataType::Utf8 => {
                options::pattern(node, reading).map(|pattern| (Rule::Pattern(pattern), "pattern"))
            }
            (Some(node), None) => {
                reading.found.fault(node.at, "does-not-apply", "`validValues` of a list or an object");
                None
            }
            (None, Some(node)) => {
                reading.found.fault(node.at, "does-not-apply", "`pattern` of something that is no text");
                None
            }
            _ => {
                let hint = "two rules can say two things";
                let message = "`invalidValues` wants one argument: `validValues` or `pattern`";
                reading.found.fault_with_hint(self.head.at, "arguments", message, hint);
                None
            }
        }
    }

    /// Returns the place of the property among the columns.
    fn place(&self, about: About<'_>, found: &mut Findings) -> Option<usize> {
        if about.place.is_none() {
            let message =
                "keys and budgets are about the columns of a table, not about what is nested in them";
            found.fault(self.head.at, "does-not-apply", message);
        }
        about.place
    }
}

const NO_MISSING_VALUES: &str =
    "is not counted: list the texts under `customProperties: missingValues`, and count `nullValues`";

fn valid_values(node: &Node, data_type: &DataType, found: &mut Findings) -> Option<Vec<String>> {
    let items = fields::list(node, VALUES_MAX, found)?;
    if data_type.is_floating() {
        let hint = "make it a decimal: `physicalType: DECIMAL(p,s)`";
        found.note(node.at, "float-equality", "binary numbers are compared bit by bit", hint);
    }
    if items.is_empty() {
        found.fault(node.at, "empty-list", "no value is valid");
    }
    let mut values: Vec<String> =
        items.iter().filter_map(|item| value::value(item, data_type, found)).collect();
    let count = values.len();
    values.sort_unstable();
    values.dedup();
    if values.len() < count {
        let message = format!("{} of {count} values come again", count.saturating_sub(values.len()));
        found.note(node.at, "said-twice", message, "once is enough");
    }
    Some(values)
}

/// Returns the place of a column by its name.
pub(super) fn column(node: &Node, columns: &[&str], found: &mut Findings) -> Option<usize> {
    let name = fields::text(node, found)?;
    let place = columns.iter().position(|column| *column == name);
    if place.is_none() && !found.is_full() {
        let message = format!("the table has no property {}", shown(name));
        match did_you_mean(name, columns) {
            Some(hint) => found.fault_with_hint(node.at, "unknown-column", message, hint),
            None => found.fault(node.at, "unknown-column", message),
        }
    }
    place
}

type BoundOfOne = fn(f64) -> Bound;
type BoundOfTwo = fn(f64, f64) -> Bound;

const SINGLE: [Word<BoundOfOne>; 6] = [
    ("mustBe", Bound::Equal),
    ("mustNotBe", Bound::NotEqual),
    ("mustBeGreaterThan", Bound::Greater),
    ("mustBeGreaterOrEqualTo", Bound::GreaterOrEqual),
    ("mustBeLessThan", Bound::Less),
    ("mustBeLessOrEqualTo", Bound::LessOrEqual),
];
const DOUBLE: [Word<BoundOfTwo>; 2] =
    [("mustBeBetween", Bound::Between), ("mustNotBeBetween", Bound::NotBetween)];

/// Reads the one operator of a rule.
fn bound(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Bound> {
    let before = found.count();
    let mut bounds = Vec::new();
    for (key, make) in SINGLE {
        bounds.extend(fields.take(key).and_then(|node| fields::amount(node, found)).map(make));
    }
    for (key, make) in DOUBLE {
        bounds.extend(fields.take(key).and_then(|node| pair(node, found)).map(|(low, high)| make(low, high)));
    }
    match bounds.as_slice() {
        [bound] => Some(*bound),
        _ if found.count() > before => None,
        several => {
            let message = format!("a rule has one operator, this one has {}", several.len());
            found.fault_with_hint(fields.at, "operator", message, "`mustBe: 0`, `mustBeLessThan: 5`, …");
            None
        }
    }
}

fn pair(node: &Node, found: &mut Findings) -> Option<(f64, f64)> {
    match fields::list(node, 2, found)? {
        [low, high] => {
            let (low, high) = fields::amount(low, found).zip(fields::amount(high, found))?;
            if low >= high {
                found.fault(node.at, "bad-value", format!("between {low} and {high} there is nothing"));
            }
            Some((low, high))
        }
        _ => fields::wrong_kind(node, "a list of two numbers, the smaller first", found),
    }
}

fn largest(bound: Bound) -> Option<f64> {
    Some(match bound {
        Bound::Equal(amount)
        | Bound::NotEqual(amount)
        | Bound::Greater(amount)
        | Bound::GreaterOrEqual(amount)
        | Bound::Less(amount)
        | Bound::LessOrEqual(amount)
        | Bound::Between(_, amount)
        | Bound::NotBetween(_, amount) => amount,
    })
}

//! What one contract changes of another: typed operations, and the class of the whole, computed and never typed in by hand.
//!
//! Every operation says what it does to rows that were accepted so far, as far as that can be *proved* from the two
//! contracts alone. What cannot be proved (does pattern A accept whatever B accepted?) counts as a loss, and says so: a class
//! may be graver than the truth, never lighter. `docs/spec/amendments.md` is the table behind the code.

mod budget;
mod check;
mod columns;
mod decoding;
mod literal;
mod pairs;
mod table;

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Contract, Key, Severity, TableContract, VerdictUnit};

/// Everything that a new contract changes of an old one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Amendment {
    /// The class of the whole: the gravest of its operations and caveats.
    pub class: Class,
    /// What was done, table by table.
    pub operations: Vec<Operation>,
    /// What operations do to rows that they are not about.
    pub caveats: Vec<Caveat>,
}

impl Amendment {
    /// Returns whether rows accepted so far may be refused, or get other values: what a backtest would look for.
    pub fn may_refuse(&self) -> bool {
        !self.caveats.is_empty() || self.operations.iter().any(|operation| operation.may_refuse)
    }

    /// Returns whether rows refused so far may be accepted: what a preview of the quarantine would look for.
    pub fn may_admit(&self) -> bool {
        self.operations.iter().any(|operation| operation.may_admit)
    }
}

/// What an amendment is to rows that were accepted so far. Ascending by gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Nothing changes.
    Unchanged,
    /// Every row that was accepted stays accepted, with the same values.
    Widening,
    /// Some may be refused, or get other values.
    Narrowing,
    /// The tables that come out have other columns: names, order or types.
    Reshaping,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Unchanged => "unchanged",
            Class::Widening => "widening",
            Class::Narrowing => "narrowing",
            Class::Reshaping => "reshaping",
        })
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// The table it is about; none: the contract as a whole.
    pub table: Option<String>,
    /// The column it is about: `price`, `legs[].price`. Its old name, where it is renamed.
    pub column: Option<String>,
    /// What was done.
    pub verb: Verb,
    /// To what.
    pub subject: Subject,
    /// The name of the check, rule, key, budget or setting it is about.
    pub name: Option<String>,
    /// What was there.
    pub old: Option<String>,
    /// What is there now.
    pub new: Option<String>,
    /// What this operation alone is.
    pub class: Class,
    /// Whether rows accepted so far may be refused, or get other values.
    pub may_refuse: bool,
    /// Whether rows refused so far may be accepted.
    pub may_admit: bool,
    /// Why the class is what it is, where the operation does not say it.
    pub because: Option<&'static str>,
}

impl Operation {
    /// Returns the operation's word: `widen-range`.
    pub fn word(&self) -> String {
        match (self.verb, self.subject) {
            (Verb::Widen, Subject::Null) => "relax-null".to_owned(),
            (Verb::Narrow, Subject::Null) => "require-null".to_owned(),
            (verb, subject) => format!("{}-{}", verb.as_str(), subject.as_str()),
        }
    }
}

/// What was done to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// It is new.
    Add,
    /// It is gone.
    Drop,
    /// It has another name. Of tables and columns this is a guess: what went and what came are alike in all else.
    Rename,
    /// It stands elsewhere.
    Reorder,
    /// It lets in all that it let in before.
    Widen,
    /// It may not.
    Narrow,
    /// It is another.
    Change,
}

impl Verb {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Add => "add",
            Verb::Drop => "drop",
            Verb::Rename => "rename",
            Verb::Reorder => "reorder",
            Verb::Widen => "widen",
            Verb::Narrow => "narrow",
            Verb::Change => "change",
        }
    }
}

impl Serialize for Verb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What something was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A table.
    Table,
    /// A column, or a field of an object.
    Column,
    /// The order of columns as they are written.
    Columns,
    /// A column's type.
    Type,
    /// Whether a column may be null.
    Null,
    /// How text becomes a value; the name is the setting's.
    Decoding,
    /// A minimum or a maximum.
    Range,
    /// A minimum or a maximum of characters.
    Length,
    /// A minimum or a maximum of items.
    Items,
    /// What values are multiples of.
    Multiple,
    /// A pattern.
    Pattern,
    /// A format of texts.
    Format,
    /// One of the values that are allowed.
    Value,
    /// A check of a column as a whole: one that has no limits to move, or its name.
    Check,
    /// What happens where a check, rule, key or budget is broken.
    Severity,
    /// A key.
    Key,
    /// A rule between columns.
    Rule,
    /// A budget of a run.
    Budget,
    /// How much may be in quarantine.
    QuarantineBudget,
    /// A fault of the parser that is allowed.
    AllowedFault,
    /// What becomes of tables that the contract does not name.
    ExtraTables,
    /// What becomes of columns that the contract does not name.
    ExtraColumns,
    /// Whether the order of the parser's columns matters.
    ColumnOrder,
    /// What a bad row takes with it.
    VerdictUnit,
}

impl Subject {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Subject::Table => "table",
            Subject::Column => "column",
            Subject::Columns => "columns",
            Subject::Type => "type",
            Subject::Null => "null",
            Subject::Decoding => "decoding",
            Subject::Range => "range",
            Subject::Length => "length",
            Subject::Items => "items",
            Subject::Multiple => "multiple",
            Subject::Pattern => "pattern",
            Subject::Format => "format",
            Subject::Value => "value",
            Subject::Check => "check",
            Subject::Severity => "severity",
            Subject::Key => "key",
            Subject::Rule => "rule",
            Subject::Budget => "budget",
            Subject::QuarantineBudget => "quarantine-budget",
            Subject::AllowedFault => "allowed-fault",
            Subject::ExtraTables => "extra-tables",
            Subject::ExtraColumns => "extra-columns",
            Subject::ColumnOrder => "column-order",
            Subject::VerdictUnit => "verdict-unit",
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What an amendment does to rows that none of its operations is about: rows let in take part in whatever compares rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caveat {
    /// The table.
    pub table: String,
    /// A key or a budget.
    pub subject: Subject,
    /// Its name.
    pub name: String,
    /// What may happen.
    pub because: &'static str,
}

impl Caveat {
    /// Returns what the caveat makes of the amendment.
    pub fn class(&self) -> Class {
        Class::Narrowing
    }
}

const KEY_CONTENDED: &str =
    "the first row of a key wins, and a row let in may come before one accepted so far";
const BUDGET_CONTENDED: &str = "rows let in are counted, and a run published so far may be held";

/// What a change does to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// No row is accepted or refused because of it.
    Neutral,
    /// Whatever was accepted still is, with the same values; more may be.
    Admits,
    /// Something that was accepted may be refused, or get another value.
    Refuses(Option<&'static str>),
    /// Columns that come out change. Rows accepted so far are accepted still, with the same values where columns are the same.
    Reshapes(Option<&'static str>),
    /// Columns that come out change, and rows accepted so far may be refused or get other values.
    ReshapesAndRefuses(Option<&'static str>),
}

impl Effect {
    fn class(self) -> Class {
        match self {
            // No row moves, but reports read otherwise: the least class that is a change.
            Effect::Neutral | Effect::Admits => Class::Widening,
            Effect::Refuses(_) => Class::Narrowing,
            Effect::Reshapes(_) | Effect::ReshapesAndRefuses(_) => Class::Reshaping,
        }
    }

    fn may_refuse(self) -> bool {
        matches!(self, Effect::Refuses(_) | Effect::ReshapesAndRefuses(_))
    }

    /// A change that cannot be shown to refuse only is taken to admit as well.
    fn may_admit(self) -> bool {
        self != Effect::Neutral
    }

    fn because(self) -> Option<&'static str> {
        match self {
            Effect::Neutral | Effect::Admits => None,
            Effect::Refuses(because) | Effect::Reshapes(because) | Effect::ReshapesAndRefuses(because) => {
                because
            }
        }
    }
}

/// Where operations are put as they are found.
#[derive(Default)]
struct Ops {
    found: Vec<Operation>,
    table: Option<String>,
    column: Option<String>,
}

impl Ops {
    fn add(&mut self, verb: Verb, subject: Subject, effect: Effect) -> &mut Operation {
        let operation = Operation {
            table: self.table.clone(),
            column: self.column.clone(),
            verb,
            subject,
            name: None,
            old: None,
            new: None,
            class: effect.class(),
            may_refuse: effect.may_refuse(),
            may_admit: effect.may_admit(),
            because: effect.because(),
        };
        self.found.push_mut(operation)
    }
}

impl Operation {
    fn named(&mut self, name: impl Into<String>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    fn was(&mut self, old: impl Into<String>) -> &mut Self {
        self.old = Some(old.into());
        self
    }

    fn is(&mut self, new: impl Into<String>) -> &mut Self {
        self.new = Some(new.into());
        self
    }
}

/// Says what `new` changes of `old`. Ids, versions and the order of tables are no matter of rows, and are passed by.
pub fn diff(old: &Contract, new: &Contract) -> Amendment {
    let mut ops = Ops::default();
    table::extra_tables(old, new, &mut ops);
    table::tables(old, new, &mut ops);
    let operations = ops.found;
    let caveats = caveats(new, &operations);
    let classes = operations.iter().map(|operation| operation.class);
    let class = classes.chain(caveats.iter().map(Caveat::class)).max().unwrap_or(Class::Unchanged);
    Amendment { class, operations, caveats }
}

/// Lists what rows let in may do to others. Where rows may be refused anyhow there is nothing to add.
fn caveats(new: &Contract, operations: &[Operation]) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    if operations.iter().any(|operation| operation.may_refuse) {
        return caveats;
    }
    for table in &new.tables {
        // Where a bad row takes its record along, a row let in frees rows of other tables.
        let is_near = |operation: &&Operation| {
            operation.may_admit
                && (operation.table.as_deref() == Some(table.name.as_str()) || frees_others(new, operation))
        };
        let admitting: Vec<&Operation> = operations.iter().filter(is_near).collect();
        let of = |subject, name: &str, because| Caveat {
            table: table.name.to_string(),
            subject,
            name: name.to_owned(),
            because,
        };
        let keys = table.keys.iter().filter(|key| is_contended(key, table.name.as_str(), &admitting));
        caveats.extend(keys.map(|key| of(Subject::Key, &key.name, KEY_CONTENDED)));
        let budgets = table
            .budgets
            .iter()
            .filter(|_| !admitting.is_empty())
            .filter(|budget| budget::is_contended(budget));
        caveats.extend(budgets.map(|budget| of(Subject::Budget, &budget.name, BUDGET_CONTENDED)));
    }
    caveats
}

fn frees_others(new: &Contract, operation: &Operation) -> bool {
    let of = |table: &&TableContract| Some(table.name.as_str()) == operation.table.as_deref();
    let unit = new.tables.iter().find(of).map(|table| table.verdict_unit);
    // The unit itself may be what changed: then rows of other tables were taken along until now.
    unit != Some(VerdictUnit::Row) || operation.subject == Subject::VerdictUnit
}

/// Whether a key sees rows that it has not seen so far. Loosening a key lets in rows that share it with others; those lose to
/// the same rows as before.
fn is_contended(key: &Key, table: &str, admitting: &[&Operation]) -> bool {
    let by_itself = |operation: &&&Operation| {
        operation.subject == Subject::Key
            && operation.table.as_deref() == Some(table)
            && operation.name.as_deref() == Some(key.name.as_str())
    };
    key.severity == Severity::Error && admitting.iter().any(|operation| !by_itself(&operation))
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

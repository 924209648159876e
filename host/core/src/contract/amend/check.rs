//! Checks of a column. The values that pass are those that pass every check, so each check is compared by itself.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use arrow_schema::DataType;

use super::literal::{compare, divides, is_same, whole};
use super::pairs::pair;
use super::{Effect, Operation, Ops, Subject, Verb};
use crate::contract::{Check, Column, Rule, Severity, words};

const PATTERNS: &str = "whether one pattern finds whatever another finds is not decided";
const FORMATS: &str = "formats are not compared";
const VALUES: &str = "the two values cannot be compared";

/// Says what became of the checks of a column.
pub(super) fn checks(old: &Column, new: &Column, ops: &mut Ops) {
    let pairs = pair(
        &old.checks,
        &new.checks,
        &[
            &|one, other| one == other,
            &|one, other| one.rule == other.rule && one.severity == other.severity,
            &|one, other| is_kin(&one.rule, &other.rule) && one.name == other.name,
            &|one, other| is_kin(&one.rule, &other.rule),
        ],
    );
    for check in pairs.gone {
        let effect = if check.severity == Severity::Error { Effect::Admits } else { Effect::Neutral };
        let verb = if has_limits(&check.rule) { Verb::Widen } else { Verb::Drop };
        ops.add(verb, subject(&check.rule), effect).named(&check.name).was(text(check));
    }
    for (one, other) in pairs.both {
        changed(one, other, old.data_type == new.data_type, &new.data_type, ops);
    }
    for check in pairs.come {
        let effect = refuses_if(check.severity, None);
        let verb = if has_limits(&check.rule) { Verb::Narrow } else { Verb::Add };
        ops.add(verb, subject(&check.rule), effect).named(&check.name).is(text(check));
    }
}

/// Returns what a new demand does: nothing, where it only warns.
pub(super) fn refuses_if(severity: Severity, because: Option<&'static str>) -> Effect {
    match severity {
        Severity::Error => Effect::Refuses(because),
        Severity::Warning => Effect::Neutral,
    }
}

/// Returns what another severity does.
pub(super) fn other_severity(new: Severity) -> Effect {
    match new {
        Severity::Error => Effect::Refuses(None),
        Severity::Warning => Effect::Admits,
    }
}

fn text(check: &Check) -> String {
    let rule = words::rule(&check.rule);
    if check.severity == Severity::Warning { format!("{rule} (a warning)") } else { rule }
}

/// Whether two rules limit the same thing from the same side.
fn is_kin(one: &Rule, other: &Rule) -> bool {
    side(one) == side(other)
}

/// Returns what a rule limits, and a number for the side.
fn side(rule: &Rule) -> (Subject, u8) {
    let side = match rule {
        Rule::Minimum(_) | Rule::ExclusiveMinimum(_) | Rule::MinLength(_) | Rule::MinItems(_) => 1,
        Rule::Maximum(_) | Rule::ExclusiveMaximum(_) | Rule::MaxLength(_) | Rule::MaxItems(_) => 2,
        Rule::NotNull => 3,
        Rule::UniqueItems => 4,
        Rule::OneOf(_) => 5,
        Rule::MultipleOf(_) | Rule::Pattern(_) | Rule::Format(_) => 0,
    };
    (subject(rule), side)
}

fn subject(rule: &Rule) -> Subject {
    match rule {
        Rule::Minimum(_) | Rule::Maximum(_) | Rule::ExclusiveMinimum(_) | Rule::ExclusiveMaximum(_) => {
            Subject::Range
        }
        Rule::MinLength(_) | Rule::MaxLength(_) => Subject::Length,
        Rule::MinItems(_) | Rule::MaxItems(_) => Subject::Items,
        Rule::MultipleOf(_) => Subject::Multiple,
        Rule::Pattern(_) => Subject::Pattern,
        Rule::Format(_) => Subject::Format,
        Rule::NotNull | Rule::OneOf(_) | Rule::UniqueItems => Subject::Check,
    }
}

/// Whether a rule's absence is the same as its widest limit.
fn has_limits(rule: &Rule) -> bool {
    matches!(subject(rule), Subject::Range | Subject::Length | Subject::Items)
}

fn changed(old: &Check, new: &Check, is_same_type: bool, data_type: &DataType, ops: &mut Ops) {
    if old.name != new.name {
        ops.add(Verb::Rename, Subject::Check, Effect::Neutral).was(&old.name).is(&new.name);
    }
    if old.severity != new.severity {
        severity(&old.name, old.severity, new.severity, ops);
    }
    if old.rule == new.rule {
        return;
    }
    match (&old.rule, &new.rule) {
        (Rule::OneOf(before), Rule::OneOf(after)) if is_same_type => {
            values(&new.name, before, after, data_type, new.severity, ops);
        }
        _ => {
            let comparison =
                if is_same_type { compared(&old.rule, &new.rule, data_type) } else { Comparison::Unknown };
            moved(old, new, comparison, ops);
        }
    }
}

/// Says that a severity is another.
pub(super) fn severity<'a>(name: &str, old: Severity, new: Severity, ops: &'a mut Ops) -> &'a mut Operation {
    let verb = if new == Severity::Warning { Verb::Widen } else { Verb::Narrow };
    let operation = ops.add(verb, Subject::Severity, other_severity(new));
    operation.named(name).was(words::severity(old)).is(words::severity(new))
}

/// How the values that pass one rule lie to those that pass another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Same,
    Wider,
    Narrower,
    Unknown,
}

/// Says that a limit is another. A rule that only warns moves no row; a severity that changed is told by itself.
fn moved(old: &Check, new: &Check, comparison: Comparison, ops: &mut Ops) {
    let undecided = match new.rule {
        Rule::Pattern(_) => PATTERNS,
        Rule::Format(_) => FORMATS,
        _ => VALUES,
    };
    let warns = old.severity == Severity::Warning && new.severity == Severity::Warning;
    let (verb, effect) = match comparison {
        Comparison::Same => (Verb::Change, Effect::Neutral),
        Comparison::Wider => (Verb::Widen, Effect::Admits),
        Comparison::Narrower => (Verb::Narrow, refuses_if(new.severity, None)),
        Comparison::Unknown => (Verb::Change, refuses_if(new.severity, Some(undecided))),
    };
    let effect = if warns { Effect::Neutral } else { effect };
    ops.add(verb, subject(&new.rule), effect).named(&new.name).was(text(old)).is(text(new));
}

fn compared(old: &Rule, new: &Rule, data_type: &DataType) -> Comparison {
    match (old, new) {
        (Rule::MinLength(old), Rule::MinLength(new)) | (Rule::MinItems(old), Rule::MinItems(new)) => {
            limit(old.cmp(new))
        }
        (Rule::MaxLength(old), Rule::MaxLength(new)) | (Rule::MaxItems(old), Rule::MaxItems(new)) => {
            limit(new.cmp(old))
        }
        (Rule::MultipleOf(old), Rule::MultipleOf(new)) => multiples(old, new, data_type),
        _ => match (End::of(old, data_type), End::of(new, data_type)) {
            (Some(old), Some(new)) => old.to(&new, data_type),
            _ => Comparison::Unknown,
        },
    }
}

/// Reads how a lower limit moved: down is wider.
fn limit(old_to_new: Ordering) -> Comparison {
    match old_to_new {
        Ordering::Equal => Comparison::Same,
        Ordering::Greater => Comparison::Wider,
        Ordering::Less => Comparison::Narrower,
    }
}

fn multiples(old: &str, new: &str, data_type: &DataType) -> Comparison {
    match (divides(new, old, data_type), divides(old, new, data_type)) {
        (true, true) => Comparison::Same,
        (true, false) => Comparison::Wider,
        (false, true) => Comparison::Narrower,
        (false, false) => Comparison::Unknown,
    }
}

/// One end of a range.
struct End {
    value: String,
    is_upper: bool,
    /// Whether the value itself is in the range.
    is_closed: bool,
}

impl End {
    /// Returns the end that a rule sets. Among whole numbers `> 0` is `>= 1`.
    fn of(rule: &Rule, data_type: &DataType) -> Option<Self> {
        let (value, is_upper, is_closed) = match rule {
            Rule::Minimum(value) => (value, false, true),
            Rule::ExclusiveMinimum(value) => (value, false, false),
            Rule::Maximum(value) => (value, true, true),
            Rule::ExclusiveMaximum(value) => (value, true, false),
            _ => return None,
        };
        let step = if is_upper { -1 } else { 1 };
        let neighbour =
            whole(value, data_type).filter(|_| !is_closed).and_then(|whole| whole.checked_add(step));
        Some(match neighbour {
            Some(value) => Self { value: value.to_string(), is_upper, is_closed: true },
            None => Self { value: value.clone(), is_upper, is_closed },
        })
    }

    fn to(&self, new: &End, data_type: &DataType) -> Comparison {
        match compare(&self.value, &new.value, data_type) {
            None => Comparison::Unknown,
            Some(Ordering::Equal) => limit(new.is_closed.cmp(&self.is_closed)),
            Some(order) if self.is_upper => limit(order.reverse()),
            Some(order) => limit(order),
        }
    }
}

/// Says which values a list has more, and which it has no longer.
fn values(
    name: &str,
    old: &[String],
    new: &[String],
    data_type: &DataType,
    severity: Severity,
    ops: &mut Ops,
) {
    let come = missing_from(old, new, data_type);
    let gone = missing_from(new, old, data_type);
    if come.is_empty() && gone.is_empty() {
        // The same values in another order, or spelt otherwise.
        let operation = ops.add(Verb::Change, Subject::Check, Effect::Neutral);
        operation.named(name).was(words::texts(old)).is(words::texts(new));
    }
    let warns = severity == Severity::Warning;
    for value in come {
        let effect = if warns { Effect::Neutral } else { Effect::Admits };
        ops.add(Verb::Add, Subject::Value, effect).named(name).is(value);
    }
    for value in gone {
        ops.add(Verb::Drop, Subject::Value, refuses_if(severity, None)).named(name).was(value);
    }
}

/// Lists the values that a list has not. Most lists are of texts, where a look into a set is enough.
fn missing_from<'a>(list: &[String], values: &'a [String], data_type: &DataType) -> Vec<&'a String> {
    let texts: BTreeSet<&String> = list.iter().collect();
    let is_in = |value: &String| {
        texts.contains(value)
            || (!matches!(data_type, DataType::Utf8)
                && list.iter().any(|other| is_same(value, other, data_type)))
    };
    values.iter().filter(|value| !is_in(value)).collect()
}

//! Budgets: which counts let a run pass, and whether those of one bound are among those of another.

use super::check::{refuses_if, severity};
use super::columns::Names;
use super::pairs::pair;
use super::{Effect, Ops, Subject, Verb};
use crate::contract::{Bound, Budget, Metric, Rule, Severity, Unit, words};

const COUNTS: &str = "another count: the two are not compared";

/// Says what became of the budgets of a table. They hold or publish whole runs, so no row is let in or refused by one; but a
/// run that is held now and was published before is a loss.
pub(super) fn budgets(old: &[Budget], new: &[Budget], names: &Names<'_>, ops: &mut Ops) {
    let before = |budget: &Budget| words::metric(&budget.metric, |place| names.was(place));
    let after = |budget: &Budget| words::metric(&budget.metric, |place| names.is(place));
    let is_same_count =
        |one: &Budget, other: &Budget| one.unit == other.unit && counts_alike(one, other, names);
    let pairs = pair(
        old,
        new,
        &[
            &|one, other| one.name == other.name && is_same_count(one, other) && one.bound == other.bound,
            &|one, other| one.name == other.name && is_same_count(one, other),
            &|one, other| is_same_count(one, other),
            &|one, other| one.name == other.name,
        ],
    );
    for budget in pairs.gone {
        let was = format!("{} {}", before(budget), words::bound(budget.bound, budget.unit));
        ops.add(Verb::Drop, Subject::Budget, Effect::Neutral).named(&budget.name).was(was);
    }
    for (one, other) in pairs.both {
        if one.name != other.name {
            ops.add(Verb::Rename, Subject::Budget, Effect::Neutral).was(&one.name).is(&other.name);
        }
        if one.severity != other.severity {
            // Nothing but the publication depends on it.
            let effect = refuses_if(other.severity, None);
            set_effect(severity(&other.name, one.severity, other.severity, ops), effect);
        }
        let is_alike = is_same_count(one, other);
        if !is_alike || one.bound != other.bound {
            let (verb, effect) = match is_alike && is_within(one.bound, other.bound) {
                true => (Verb::Widen, Effect::Neutral),
                false if is_alike => (Verb::Narrow, refuses_if(other.severity, None)),
                false => (Verb::Change, refuses_if(other.severity, Some(COUNTS))),
            };
            let was = format!("{} {}", before(one), words::bound(one.bound, one.unit));
            let is = format!("{} {}", after(other), words::bound(other.bound, other.unit));
            ops.add(verb, Subject::Budget, effect).named(&other.name).was(was).is(is);
        }
    }
    for budget in pairs.come {
        let is = format!("{} {}", after(budget), words::bound(budget.bound, budget.unit));
        let effect = refuses_if(budget.severity, None);
        ops.add(Verb::Add, Subject::Budget, effect).named(&budget.name).is(is);
    }
}

fn set_effect(operation: &mut super::Operation, effect: Effect) {
    operation.class = effect.class();
    operation.may_refuse = effect.may_refuse();
    operation.may_admit = effect.may_admit();
}

/// Whether two budgets count the same rows.
fn counts_alike(old: &Budget, new: &Budget, names: &Names<'_>) -> bool {
    let old = counted(&old.metric, |place| names.was(place));
    old == counted(&new.metric, |place| names.is(place))
}

fn counted(metric: &Metric, name: impl Fn(usize) -> String) -> (u8, Vec<String>, Option<&Rule>) {
    match metric {
        Metric::RowCount => (0, Vec::new(), None),
        Metric::NullValues(column) => (1, vec![name(*column)], None),
        Metric::InvalidValues(column, rule) => (2, vec![name(*column)], Some(rule)),
        Metric::DuplicateValues(columns) => (3, columns.iter().map(|place| name(*place)).collect(), None),
    }
}

/// Whether rows let in may break a budget that held. Only a count of rows that need not stop anywhere is safe.
pub(super) fn is_contended(budget: &Budget) -> bool {
    let grows =
        matches!(budget.bound, Bound::Greater(_) | Bound::GreaterOrEqual(_)) && budget.unit == Unit::Rows;
    budget.severity == Severity::Error && !grows
}

/// Counts between two ends.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    low: f64,
    high: f64,
    has_low: bool,
    has_high: bool,
}

impl Stretch {
    fn new(low: f64, has_low: bool, high: f64, has_high: bool) -> Self {
        Self { low, high, has_low, has_high }
    }

    fn is_empty(self) -> bool {
        self.low > self.high || (self.low == self.high && !(self.has_low && self.has_high))
    }

    fn is_within(self, other: Stretch) -> bool {
        let low = other.low < self.low || (other.low == self.low && (other.has_low || !self.has_low));
        let high = other.high > self.high || (other.high == self.high && (other.has_high || !self.has_high));
        self.is_empty() || (low && high)
    }
}

/// Whether every count that `old` lets pass, `new` lets pass too. What is no number is within nothing.
fn is_within(old: Bound, new: Bound) -> bool {
    stretches(old).iter().all(|old| stretches(new).iter().any(|new| old.is_within(*new)))
}

fn stretches(bound: Bound) -> Vec<Stretch> {
    let (least, most) = (f64::NEG_INFINITY, f64::INFINITY);
    let below = |value, has| Stretch::new(least, false, value, has);
    let above = |value, has| Stretch::new(value, has, most, false);
    match bound {
        Bound::Equal(value) => vec![Stretch::new(value, true, value, true)],
        Bound::NotEqual(value) => vec![below(value, false), above(value, false)],
        Bound::Greater(value) => vec![above(value, false)],
        Bound::GreaterOrEqual(value) => vec![above(value, true)],
        Bound::Less(value) => vec![below(value, false)],
        Bound::LessOrEqual(value) => vec![below(value, true)],
        Bound::Between(low, high) => vec![Stretch::new(low, false, high, false)],
        Bound::NotBetween(low, high) => vec![below(low, true), above(high, true)],
    }
}

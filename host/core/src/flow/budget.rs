//! What must hold for a run as a whole: counted over accepted rows while they pass, compared when the last has passed.

use super::claims::Claims;
use super::tally::{BrokenBudget, TableTally};
use crate::contract::judge::{Measure, SchemaFault};
use crate::contract::{Bound, Budget, Metric, Severity, TableContract, Unit};

use arrow_array::RecordBatch;

/// The budgets of one table.
pub(super) struct Budgets {
    counted: Vec<Counted>,
}

struct Counted {
    budget: Budget,
    measure: Measure,
    count: u64,
}

impl Budgets {
    pub(super) fn new(contract: &TableContract) -> Result<Self, SchemaFault> {
        let counted = contract.budgets.iter().map(|budget| {
            let measure = Measure::new(&budget.metric, contract, &budget.name)?;
            Ok(Counted { budget: budget.clone(), measure, count: 0 })
        });
        Ok(Self { counted: counted.collect::<Result<_, _>>()? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// Counts accepted rows.
    pub(super) fn count(&mut self, rows: &RecordBatch) {
        for counted in &mut self.counted {
            counted.count += counted.measure.count(rows);
        }
    }

    /// Lists what was not kept, each with what that means.
    pub(super) fn broken(
        &self,
        table: usize,
        contract: &TableContract,
        tally: &TableTally,
        claims: &Claims,
    ) -> Vec<(Severity, BrokenBudget)> {
        let mut broken: Vec<(Severity, BrokenBudget)> = Vec::new();
        for Counted { budget, count, .. } in &self.counted {
            let count = match &budget.metric {
                Metric::DuplicateValues(columns) => claims.repeated(table, columns),
                _ => *count,
            };
            let value = match budget.unit {
                Unit::Rows => count as f64,
                Unit::Percent => percent(count, tally.accepted),
            };
            if !budget.bound.holds(value) {
                broken.push((
                    budget.severity,
                    BrokenBudget {
                        table: tally.name.clone(),
                        rule: budget.name.clone(),
                        expected: format!("{} {}", budget.bound.words(), budget.unit.word()),
                        observed: format!("{} {}", short(value), budget.unit.word()),
                    },
                ));
            }
        }
        broken.extend(quarantine_broken(contract, tally).map(|broken| (Severity::Error, broken)));
        broken
    }
}

/// Says whether more of a table is in quarantine than its contract bears.
fn quarantine_broken(contract: &TableContract, tally: &TableTally) -> Option<BrokenBudget> {
    let share = percent(tally.quarantined, tally.accepted + tally.quarantined);
    let budget = contract.quarantine_budget;
    let (expected, observed) = match (budget.rows_max, budget.percent_max) {
        (Some(max), _) if tally.quarantined > max => {
            (format!("<= {max} rows in quarantine"), format!("{} rows", tally.quarantined))
        }
        (_, Some(max)) if share > max => {
            (format!("<= {} % in quarantine", short(max)), format!("{} %", short(share)))
        }
        _ => return None,
    };
    let (table, rule) = (tally.name.clone(), "quarantineBudget".to_owned());
    Some(BrokenBudget { table, rule, expected, observed })
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Three digits behind the point are enough to see by how much.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Bound::Equal(bound) => value == bound,
            Bound::NotEqual(bound) => value != bound,
            Bound::Greater(bound) => value > bound,
            Bound::GreaterOrEqual(bound) => value >= bound,
            Bound::Less(bound) => value < bound,
            Bound::LessOrEqual(bound) => value <= bound,
            Bound::Between(low, high) => value > low && value < high,
            Bound::NotBetween(low, high) => value <= low || value >= high,
        }
    }

    fn words(self) -> String {
        match self {
            Bound::Equal(bound) => format!("= {bound}"),
            Bound::NotEqual(bound) => format!("not {bound}"),
            Bound::Greater(bound) => format!("> {bound}"),
            Bound::GreaterOrEqual(bound) => format!(">= {bound}"),
            Bound::Less(bound) => format!("< {bound}"),
            Bound::LessOrEqual(bound) => format!("<= {bound}"),
            Bound::Between(low, high) => format!("between {low} and {high}, neither of them,"),
            Bound::NotBetween(low, high) => format!("not between {low} and {high}"),
        }
    }
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Unit::Rows => "rows",
            Unit::Percent => "%",
        }
    }
}

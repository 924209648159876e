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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};
    use arrow_schema::{DataType, Field, Schema};

    use super::*;
    use crate::contract::{QuarantineBudget, Rule};
    use crate::id::TableName;

    fn rows(values: &[Option<i64>]) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        RecordBatch::try_new(Arc::new(schema), vec![column]).expect("one column")
    }

    fn contract(budgets: Vec<Budget>, quarantine_budget: QuarantineBudget) -> TableContract {
        let name = TableName::new("t").expect("a name");
        let declared = TableContract::declared(&name, &rows(&[]).schema());
        TableContract { budgets, quarantine_budget, ..declared }
    }

    fn tally(accepted: u64, quarantined: u64) -> TableTally {
        let name = TableName::new("t").expect("a name");
        TableTally { accepted, quarantined, ..TableTally::new(name, true, false) }
    }

    fn budget(metric: Metric, bound: Bound, unit: Unit) -> Budget {
        Budget { name: "few".to_owned(), metric, bound, unit, severity: Severity::Warning }
    }

    /// What two batches of rows break, in words.
    fn broken(budget: Budget) -> Vec<(Severity, String, String)> {
        let contract = contract(vec![budget], QuarantineBudget::default());
        let mut budgets = Budgets::new(&contract).expect("a metric of the table");
        budgets.count(&rows(&[Some(1), None, Some(3)]));
        budgets.count(&rows(&[None]));
        let broken = budgets.broken(0, &contract, &tally(4, 0), &Claims::default());
        broken.into_iter().map(|(severity, broken)| (severity, broken.expected, broken.observed)).collect()
    }

    fn kept(quarantine_budget: QuarantineBudget, accepted: u64, quarantined: u64) -> Option<[String; 2]> {
        let contract = contract(Vec::new(), quarantine_budget);
        let budgets = Budgets::new(&contract).expect("no budgets");
        let broken = budgets.broken(0, &contract, &tally(accepted, quarantined), &Claims::default());
        broken.into_iter().next().map(|(severity, broken)| {
            assert_eq!((severity, broken.rule.as_str()), (Severity::Error, "quarantineBudget"));
            [broken.expected, broken.observed]
        })
    }

    #[test]
    fn a_bound_holds_what_its_words_say() {
        let bounds = [
            (Bound::Equal(3.0), "= 3", [false, true, false, false, false]),
            (Bound::NotEqual(3.0), "not 3", [true, false, true, true, true]),
            (Bound::Greater(3.0), "> 3", [false, false, true, true, true]),
            (Bound::GreaterOrEqual(3.0), ">= 3", [false, true, true, true, true]),
            (Bound::Less(3.0), "< 3", [true, false, false, false, false]),
            (Bound::LessOrEqual(3.0), "<= 3", [true, true, false, false, false]),
            (
                Bound::Between(3.0, 5.0),
                "between 3 and 5, neither of them,",
                [false, false, true, false, false],
            ),
            (Bound::NotBetween(3.0, 5.0), "not between 3 and 5", [true, true, false, true, true]),
        ];
        for (bound, words, holds) in bounds {
            assert_eq!([2.0, 3.0, 4.0, 5.0, 6.0].map(|value| bound.holds(value)), holds, "{words}");
            assert_eq!(bound.words(), words);
        }
    }

    #[test]
    fn rows_of_all_batches_are_counted_and_compared_at_the_end() {
        let none = Vec::new();
        assert_eq!(broken(budget(Metric::RowCount, Bound::Equal(4.0), Unit::Rows)), none);
        assert_eq!(broken(budget(Metric::NullValues(0), Bound::Equal(2.0), Unit::Rows)), none);
        let at_most_one = budget(Metric::NullValues(0), Bound::LessOrEqual(1.0), Unit::Rows);
        let wanted = (Severity::Warning, "<= 1 rows".to_owned(), "2 rows".to_owned());
        assert_eq!(broken(at_most_one), [wanted]);
    }

    #[test]
    fn a_share_is_one_of_the_accepted_rows() {
        let invalid = Metric::InvalidValues(0, Rule::Minimum("2".to_owned()));
        assert_eq!(broken(budget(invalid.clone(), Bound::Equal(25.0), Unit::Percent)), []);
        let wanted = (Severity::Warning, "< 12.5 %".to_owned(), "25 %".to_owned());
        assert_eq!(broken(budget(invalid, Bound::Less(12.5), Unit::Percent)), [wanted]);
        assert_eq!([percent(0, 0), percent(5, 0), percent(1, 8)], [0.0, 0.0, 12.5]);
        assert_eq!([100.0, 0.0, 12.5, 100.0 / 3.0].map(short), ["100", "0", "12.5", "33.333"]);
    }

    #[test]
    fn a_quarantine_may_be_as_large_as_its_budget_and_no_larger() {
        let rows = QuarantineBudget { rows_max: Some(2), percent_max: None };
        assert_eq!([kept(rows, 0, 0), kept(rows, 0, 2)], [None, None]);
        let wanted = ["<= 2 rows in quarantine", "3 rows"].map(str::to_owned);
        assert_eq!(kept(rows, 1_000, 3), Some(wanted));

        let share = QuarantineBudget { rows_max: None, percent_max: Some(12.5) };
        assert_eq!([kept(share, 0, 0), kept(share, 7, 1)], [None, None]);
        let wanted = ["<= 12.5 % in quarantine", "25 %"].map(str::to_owned);
        assert_eq!(kept(share, 6, 2), Some(wanted));
    }

    #[test]
    fn a_quarantine_within_one_budget_is_still_held_to_the_other() {
        let both = QuarantineBudget { rows_max: Some(2), percent_max: Some(50.0) };
        assert_eq!(kept(both, 2, 2), None);
        assert_eq!(kept(both, 0, 2), Some(["<= 50 % in quarantine", "100 %"].map(str::to_owned)));
        assert_eq!(kept(both, 9, 3), Some(["<= 2 rows in quarantine", "3 rows"].map(str::to_owned)));
    }

    #[test]
    fn no_table_has_budgets_but_one_whose_contract_has() {
        let without = contract(Vec::new(), QuarantineBudget::default());
        assert!(Budgets::new(&without).expect("no budgets").is_empty());
        let one = vec![budget(Metric::RowCount, Bound::Greater(0.0), Unit::Rows)];
        let with = contract(one, QuarantineBudget::default());
        assert!(!Budgets::new(&with).expect("one budget").is_empty());
    }
}

//! Why rows are held, by count, and which reasons come together. Memory follows the number of reasons, not of rows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::held::{HeldRow, HeldViolation};

/// Most different reasons, and most pairs of them, that are told apart. A contract has fewer; a file may be anybody's.
const REASONS_MAX: usize = 4096;

/// Counts over the rows of a quarantine. A row with a reason several times counts once.
#[derive(Debug, Default)]
pub struct Counting {
    rows: u64,
    places: BTreeMap<Reason, usize>,
    reasons: Vec<(Reason, u64)>,
    columns: BTreeMap<String, u64>,
    tables: BTreeMap<String, u64>,
    pairs: BTreeMap<(usize, usize), u64>,
    rows_cut: u64,
}

/// What is counted: a rule, as it is known in one column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Reason {
    /// The reason code.
    pub code: String,
    /// The rule.
    pub rule: String,
    /// The column it is about.
    pub column: Option<String>,
}

/// What was counted, the most frequent first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Top {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows by reason.
    pub reasons: Vec<Counted<Reason>>,
    /// Rows by column.
    pub columns: Vec<Counted<String>>,
    /// Rows by table; those that are in none are not there.
    pub tables: Vec<Counted<String>>,
    /// Reasons that come together more often than chance has it.
    pub pairs: Vec<Pair>,
    /// Rows with a reason, or a pair of them, past what is told apart: it is not counted.
    pub rows_cut: u64,
}

/// Something and in how many rows it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted<T> {
    /// What.
    pub what: T,
    /// In how many rows.
    pub rows: u64,
}

/// Two reasons in the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// One.
    pub one: Reason,
    /// The other.
    pub other: Reason,
    /// Rows with both.
    pub rows: u64,
    /// How many times as often as it would be if neither knew of the other.
    pub lift: f64,
}

impl Counting {
    /// Counts a row.
    pub fn add(&mut self, row: &HeldRow) {
        self.rows += 1;
        let mut is_cut = false;
        if let Some(table) = &row.table {
            is_cut |= !count(&mut self.tables, table.clone());
        }
        let columns: BTreeSet<_> =
            row.violations.iter().filter_map(|reason| reason.column.as_ref()).collect();
        for column in columns {
            is_cut |= !count(&mut self.columns, column.clone());
        }
        let mut places: Vec<usize> = Vec::new();
        for reason in row.violations.iter().map(Reason::of).collect::<BTreeSet<_>>() {
            match self.place(reason) {
                Some(place) => places.push(place),
                None => is_cut = true,
            }
        }
        places.sort_unstable();
        for (at, one) in places.iter().enumerate() {
            self.reasons[*one].1 += 1;
            for other in &places[at + 1..] {
                is_cut |= !count(&mut self.pairs, (*one, *other));
            }
        }
        self.rows_cut += u64::from(is_cut);
    }

    fn place(&mut self, reason: Reason) -> Option<usize> {
        if let Some(place) = self.places.get(&reason) {
            return Some(*place);
        }
        if self.places.len() == REASONS_MAX {
            return None;
        }
        let place = self.reasons.len();
        self.reasons.push((reason.clone(), 0));
        self.places.insert(reason, place);
        Some(place)
    }

    /// Returns what was counted.
    pub fn finish(self) -> Top {
        let pairs = self.pairs.iter().map(|((one, other), rows)| self.pair(*one, *other, *rows));
        let mut pairs: Vec<Pair> = pairs.filter(|pair| pair.lift > 1.0).collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.rows));
        Top {
            rows: self.rows,
            columns: sorted(self.columns),
            tables: sorted(self.tables),
            reasons: sorted(self.reasons),
            pairs,
            rows_cut: self.rows_cut,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio to two places is shown")]
    fn pair(&self, one: usize, other: usize, rows: u64) -> Pair {
        let ((one, of_one), (other, of_other)) = (&self.reasons[one], &self.reasons[other]);
        let by_chance = *of_one as f64 * *of_other as f64 / self.rows as f64;
        Pair { one: one.clone(), other: other.clone(), rows, lift: rows as f64 / by_chance }
    }
}

impl Reason {
    fn of(reason: &HeldViolation) -> Self {
        let (code, rule, column) = (reason.code.clone(), reason.rule.clone(), reason.column.clone());
        Self { code, rule, column }
    }
}

/// Counts one more. Returns false where there are too many to tell apart.
fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) -> bool {
    let is_known = counts.len() < REASONS_MAX || counts.contains_key(&key);
    if is_known {
        *counts.entry(key).or_default() += 1;
    }
    is_known
}

fn sorted<T: Ord>(counts: impl IntoIterator<Item = (T, u64)>) -> Vec<Counted<T>> {
    let mut counts: Vec<_> = counts.into_iter().map(|(what, rows)| Counted { what, rows }).collect();
    counts.sort_by(|one, other| other.rows.cmp(&one.rows).then_with(|| one.what.cmp(&other.what)));
    counts
}

//! Keys: of all rows with one key the first in the order of the input has it. A row that goes to quarantine claims no key, so
//! that a good row behind it may.
//!
//! Commits come in the order of the input, so who was first is known at once, and a verdict never changes afterwards.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::ArrayRef;

use super::due::{Bad, Culprit, Due, by_rank};
use crate::contract::judge::key_rule;
use crate::contract::keys::{KeyHash, KeySet, Scratch, hash_keys};
use crate::contract::verdict::BrokenRule;
use crate::contract::{Budget, Contract, Key, Metric, Severity, TableContract};
use crate::fault::FaultReport;

/// Keys that are kept in memory, of all claims together. More go to the scratch file.
const KEYS_IN_MEMORY: usize = 1 << 20;

/// Gives a scratch file, for keys that do not fit into memory.
pub type ProvideScratch = Arc<dyn Fn() -> Result<Box<dyn Scratch>, FaultReport> + Send + Sync>;

/// Returns how many keys in memory each key of a contract gets.
pub(super) fn share(contract: &Contract) -> usize {
    let duplicates = |budget: &&Budget| matches!(budget.metric, Metric::DuplicateValues(_));
    let of_table = |table: &TableContract| table.keys.len() + table.budgets.iter().filter(duplicates).count();
    KEYS_IN_MEMORY / contract.tables.iter().map(of_table).sum::<usize>().max(1)
}

/// The keys of a run.
#[derive(Default)]
pub(super) struct Claims {
    claims: Vec<Claim>,
}

/// One key of one table, and who has it.
struct Claim {
    table: usize,
    columns: Vec<usize>,
    /// What the second row breaks; none: it is only counted, for a budget.
    rule: Option<Arc<BrokenRule>>,
    holders: KeySet,
    /// Accepted rows whose key an earlier row has.
    repeated: u64,
}

/// A row that may claim keys.
#[derive(Clone, Copy)]
struct Claimant {
    offset: Option<u64>,
    table: usize,
    row: usize,
}

impl Claims {
    /// Adds the keys of a table.
    /// `share` is the part of [`KEYS_IN_MEMORY`] that each of a contract's keys gets.
    pub(super) fn open(
        &mut self,
        table: usize,
        contract: &TableContract,
        share: usize,
        scratch: &ProvideScratch,
    ) {
        let of_key = |key: &Key| (key.columns.clone(), Some(key_rule(key, contract)));
        let of_budget = contract.budgets.iter().filter_map(|budget| match &budget.metric {
            Metric::DuplicateValues(columns) => Some((columns.clone(), None)),
            _ => None,
        });
        for (columns, rule) in contract.keys.iter().map(of_key).chain(of_budget) {
            let scratch = Arc::clone(scratch);
            let holders = KeySet::new(share, Box::new(move || scratch()));
            self.claims.push(Claim { table, columns, rule, holders, repeated: 0 });
        }
    }

    /// Returns how many accepted rows of a table have the values that an earlier row has in these columns.
    pub(super) fn repeated(&self, table: usize, columns: &[usize]) -> u64 {
        let counted =
            |claim: &&Claim| claim.table == table && claim.columns == columns && claim.rule.is_none();
        self.claims.iter().find(counted).map_or(0, |claim| claim.repeated)
    }

    /// Returns the rules that only warn, with the table and the accepted rows that broke them.
    pub(super) fn warnings(&self) -> impl Iterator<Item = (usize, &Arc<BrokenRule>, u64)> {
        let warns = |rule: &&Arc<BrokenRule>| rule.severity == Severity::Warning;
        self.claims.iter().filter_map(move |claim| {
            let rule = claim.rule.as_ref().filter(warns)?;
            Some((claim.table, rule, claim.repeated))
        })
    }

    /// Lets the rows of a commit claim their keys, record by record. Rows that come too late are bad from then on.
    pub(super) fn settle(&mut self, due: &mut [Due], bad: Bad) -> Result<Bad, FaultReport> {
        if self.claims.is_empty() {
            return Ok(bad);
        }
        let hashes: Vec<Vec<Option<KeyHash>>> = self.claims.iter().map(|claim| claim.hashes(due)).collect();
        let claimants = self.claimants(due);
        let mut late = Late::new(self.claims.len());
        for record in claimants.chunk_by(|one, next| one.offset.is_some() && one.offset == next.offset) {
            let is_bad = |offset| bad.culprit(offset).is_some();
            if !record.first().and_then(|row| row.offset).is_some_and(is_bad) {
                self.settle_record(record, due, &hashes, &mut late)?;
            }
        }
        for (claim, rows) in self.claims.iter().zip(&late.rows) {
            if let (Some(rule), false) = (&claim.rule, rows.is_empty())
                && let Some(judged) = due.get_mut(claim.table).and_then(|due| due.judged.as_mut())
            {
                judged.add_duplicates(rule, &claim.columns, rows);
            }
        }
        Ok(bad.with(late.records, late.touched))
    }

    fn settle_record(
        &mut self,
        record: &[Claimant],
        due: &[Due],
        hashes: &[Vec<Option<KeyHash>>],
        late: &mut Late,
    ) -> Result<(), FaultReport> {
        let mut pending = Pending::default();
        let mut is_bad = false;
        for claimant in record {
            let Some(due) = due.get(claimant.table).filter(|due| !due.is_flawed(claimant.row)) else {
                continue;
            };
            let mut own = Pending::default();
            let mut is_late = false;
            for (at, claim) in self.claims.iter_mut().enumerate().filter(|(_, c)| c.table == claimant.table) {
                let Some(Some(key)) = hashes.get(at).and_then(|hashes| hashes.get(claimant.row)) else {
                    continue;
                };
                if !pending.has(at, key) && !claim.holders.contains(key)? {
                    own.claimed.insert((at, *key));
                } else if claim.quarantines() {
                    is_late = true;
                    late.add(at, claimant, due);
                } else {
                    own.repeated.push(at);
                }
            }
            is_bad |= is_late && claimant.offset.is_some() && due.convicts_records();
            if !is_late {
                pending.extend(own);
            }
        }
        if is_bad { Ok(()) } else { self.claim(pending) }
    }

    fn claim(&mut self, pending: Pending) -> Result<(), FaultReport> {
        for (at, key) in pending.claimed {
            if let Some(claim) = self.claims.get_mut(at) {
                claim.holders.insert(key)?;
            }
        }
        for at in pending.repeated {
            if let Some(claim) = self.claims.get_mut(at) {
                claim.repeated += 1;
            }
        }
        Ok(())
    }

    /// Lists the rows of all tables with keys: those without a record first, then record by record, table by table.
    fn claimants(&self, due: &[Due]) -> Vec<Claimant> {
        let mut claimants = Vec::new();
        let has_keys = |table: &usize| self.claims.iter().any(|claim| claim.table == *table);
        for (table, due) in by_rank(due).into_iter().filter(|(table, _)| has_keys(table)) {
            let offset = |row| due.offsets().and_then(|offsets| offsets.get(row)).copied();
            claimants.extend((0..due.num_rows()).map(|row| Claimant { offset: offset(row), table, row }));
        }
        if !claimants.is_sorted_by_key(|claimant| claimant.offset) {
            // Stable, so that the rows of a record stay in the order of tables and of what was said.
            claimants.sort_by_key(|claimant| claimant.offset);
        }
        claimants
    }
}

impl Claim {
    fn quarantines(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| rule.severity == Severity::Error)
    }

    fn hashes(&self, due: &[Due]) -> Vec<Option<KeyHash>> {
        let Some(judged) = due.get(self.table).and_then(|due| due.judged.as_ref()) else { return Vec::new() };
        let columns = self.columns.iter().filter_map(|at| judged.rows().columns().get(*at));
        hash_keys(&columns.cloned().collect::<Vec<ArrayRef>>())
    }
}

/// What a record will claim if it is good as a whole.
#[derive(Default)]
struct Pending {
    claimed: HashSet<(usize, KeyHash)>,
    /// Claims that an earlier row has and that are only counted.
    repeated: Vec<usize>,
}

impl Pending {
    fn has(&self, claim: usize, key: &KeyHash) -> bool {
        self.claimed.contains(&(claim, *key))
    }

    fn extend(&mut self, other: Self) {
        self.claimed.extend(other.claimed);
        self.repeated.extend(other.repeated);
    }
}

/// Rows that came too late for a key.
struct Late {
    /// Per claim, ascending.
    rows: Vec<Vec<usize>>,
    records: Vec<(u64, Culprit)>,
    touched: Vec<u64>,
}

impl Late {
    fn new(claims: usize) -> Self {
        Self { rows: vec![Vec::new(); claims], records: Vec::new(), touched: Vec::new() }
    }

    fn add(&mut self, claim: usize, claimant: &Claimant, due: &Due) {
        if let Some(rows) = self.rows.get_mut(claim) {
            rows.push(claimant.row);
        }
        match claimant.offset {
            // The first of a record's is reason enough, and counting back to it costs as much as the record has rows.
            Some(offset) if self.records.last().is_some_and(|(last, _)| *last == offset) => {}
            Some(offset) if due.convicts_records() => {
                let culprit = Culprit::Row { table: claimant.table, ordinal: due.ordinal(claimant.row) };
                self.records.push((offset, culprit));
            }
            Some(offset) => self.touched.push(offset),
            None => {}
        }
    }
}

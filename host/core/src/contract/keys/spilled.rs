//! Keys that outgrew memory. Most keys of a run are new, so a new one costs no look into the file: the filter does not know it,
//! and it waits among the newest ones until there are enough of them to be written in the order of the file.

use std::collections::HashSet;

use super::filter::{FILTER_BYTES_MAX, Filter};
use super::table::Table;
use super::{KeyHash, Scratch};
use crate::fault::FaultReport;

/// 4 MiB: keys are written in order, and seldom looked up.
const PAGES_IN_MEMORY_MAX: usize = 1024;

/// Keys in a scratch file, and the newest ones in memory.
pub(super) struct Spilled {
    newest: HashSet<KeyHash>,
    /// One or more.
    newest_max: usize,
    /// Of the keys in the table.
    filter: Filter,
    /// None of them is among the newest ones.
    table: Table,
}

impl Spilled {
    /// Moves keys into a scratch file. What it takes of memory follows from how many keys were allowed there.
    pub(super) fn of(
        keys: HashSet<KeyHash>,
        in_memory_max: usize,
        scratch: Box<dyn Scratch>,
    ) -> Result<Self, FaultReport> {
        let bytes_max = in_memory_max.saturating_mul(size_of::<KeyHash>());
        let mut spilled = Self {
            newest: keys,
            newest_max: (in_memory_max / 2).max(1),
            filter: Filter::new(bytes_max.min(FILTER_BYTES_MAX)),
            table: Table::new(scratch, (in_memory_max / 1024).min(PAGES_IN_MEMORY_MAX)),
        };
        spilled.write()?;
        Ok(spilled)
    }

    pub(super) fn len(&self) -> u64 {
        self.table.len().saturating_add(self.newest.len() as u64)
    }

    pub(super) fn contains(&mut self, key: &KeyHash) -> Result<bool, FaultReport> {
        if self.newest.contains(key) {
            return Ok(true);
        }
        Ok(self.filter.may_have(key) && self.table.contains(key)?)
    }

    /// Puts a key in, and returns whether it is new.
    pub(super) fn insert(&mut self, key: KeyHash) -> Result<bool, FaultReport> {
        if self.contains(&key)? {
            return Ok(false);
        }
        self.newest.insert(key);
        if self.newest.len() >= self.newest_max {
            self.write()?;
        }
        Ok(true)
    }

    /// Moves the newest keys into the table, in its order: each page is turned to once.
    fn write(&mut self) -> Result<(), FaultReport> {
        let mut sorted: Vec<KeyHash> = std::mem::take(&mut self.newest).into_iter().collect();
        sorted.sort_unstable();
        self.table.reserve(sorted.len())?;
        for key in &sorted {
            self.table.insert(key)?;
            self.filter.add(key);
        }
        Ok(())
    }
}

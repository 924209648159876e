//! Keys that no two rows may share: what of a row is hashed, and an exact set of hashes that does not follow the input.
//!
//! A key is known by the first 16 bytes of a SHA-256 over its values, each written so that equal values of any type are
//! equal bytes and unequal ones never are ([`hash_keys`], `docs/spec/keys.md`). Two keys with one hash are one key: an
//! accident of one in 2^49 among a million million keys, and nothing that is brought about with fewer than some 2^64 trials.

mod encoding;
mod filter;
mod pages;
mod spilled;
mod table;

use std::collections::HashSet;

pub use self::encoding::hash_keys;
use self::spilled::Spilled;
use crate::fault::FaultReport;

/// What a key is known by.
pub type KeyHash = [u8; 16];

/// Room for what does not fit into memory: a file that the host gives, and takes away again.
pub trait Scratch: Send {
    /// Reads bytes that end where something was written, or before. What was never written among them is zeros.
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), FaultReport>;
    /// Writes bytes. The room grows as it must.
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FaultReport>;
}

/// Gives the room, when it is needed.
type Provide = Box<dyn FnOnce() -> Result<Box<dyn Scratch>, FaultReport> + Send>;

/// A set of keys. In memory up to a number of them; from then on in a [`Scratch`], behind the newest ones and a filter, which
/// take about as much memory as all of them did.
pub struct KeySet {
    held: Held,
    in_memory_max: usize,
}

enum Held {
    Memory(HashSet<KeyHash>, Provide),
    Scratch(Box<Spilled>),
    /// The room failed, and keys with it: whatever is asked now would be a guess.
    Lost(FaultReport),
}

impl KeySet {
    /// Opens an empty set that holds so many keys in memory.
    pub fn new(in_memory_max: usize, scratch: Provide) -> Self {
        Self { held: Held::Memory(HashSet::new(), scratch), in_memory_max }
    }

    /// Returns whether a key is in the set, or what became of the room.
    pub fn contains(&mut self, key: &KeyHash) -> Result<bool, FaultReport> {
        match &mut self.held {
            Held::Memory(keys, _) => Ok(keys.contains(key)),
            Held::Scratch(spilled) => spilled.contains(key),
            Held::Lost(fault) => Err(fault.clone()),
        }
    }

    /// Puts a key into the set. Returns whether it is new, or what became of the room; then the set is lost.
    pub fn insert(&mut self, key: KeyHash) -> Result<bool, FaultReport> {
        let inserted = self.insert_or_spill(key);
        if let Err(fault) = &inserted {
            self.held = Held::Lost(fault.clone());
        }
        inserted
    }

    fn insert_or_spill(&mut self, key: KeyHash) -> Result<bool, FaultReport> {
        match &mut self.held {
            Held::Memory(keys, _) if keys.contains(&key) => Ok(false),
            Held::Memory(keys, _) if keys.len() < self.in_memory_max => Ok(keys.insert(key)),
            Held::Memory(..) => self.spill()?.insert(key),
            Held::Scratch(spilled) => spilled.insert(key),
            Held::Lost(fault) => Err(fault.clone()),
        }
    }

    /// Returns how many keys are in the set.
    pub fn len(&self) -> u64 {
        match &self.held {
            Held::Memory(keys, _) => keys.len() as u64,
            Held::Scratch(spilled) => spilled.len(),
            Held::Lost(_) => 0,
        }
    }

    /// Returns whether no key is in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves all keys into the room.
    fn spill(&mut self) -> Result<&mut Spilled, FaultReport> {
        let emptied = Held::Lost(lost());
        let spilled = match std::mem::replace(&mut self.held, emptied) {
            Held::Memory(keys, scratch) => Box::new(Spilled::of(keys, self.in_memory_max, scratch()?)?),
            Held::Scratch(spilled) => spilled,
            Held::Lost(fault) => return Err(fault),
        };
        self.held = Held::Scratch(spilled);
        match &mut self.held {
            Held::Scratch(spilled) => Ok(spilled),
            _ => Err(lost()),
        }
    }
}

/// Nobody gets to see it: a fault of the room comes first.
fn lost() -> FaultReport {
    FaultReport {
        blame: crate::fault::Blame::Host,
        code: "keys-lost".to_owned(),
        message: "the keys of the run are lost".to_owned(),
        hint: None,
        at: None,
    }
}

#[cfg(test)]
mod tests;

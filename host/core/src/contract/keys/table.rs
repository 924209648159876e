//! A hash table in a scratch file: 16 bytes a slot, open addressing, the next slot where one is taken.
//!
//! Keys are hashes already, so a key's first slot is its leading bits. Slots are therefore nearly in the order of the keys,
//! whatever the size of the table, and doubling it is one pass through the old table that writes the new one from its
//! beginning to its end. There is no way around the end: slots go on behind it for as long as they are taken.

use super::pages::{PAGE_BYTES, Pages};
use super::{KeyHash, Scratch};
use crate::fault::FaultReport;

const SLOT_BYTES: usize = size_of::<KeyHash>();
const SLOTS_PER_PAGE: u64 = (PAGE_BYTES / SLOT_BYTES) as u64;
/// What a slot holds that nobody has taken. The key that looks the same is kept aside.
const EMPTY: KeyHash = [0; SLOT_BYTES];

/// Keys in a scratch file.
pub(super) struct Table {
    pages: Pages,
    /// Its first page. Pages before it belonged to smaller tables.
    first_page: u64,
    /// The number of slots that keys begin in is 2^bits.
    bits: u32,
    /// No slot from here on is taken.
    end: u64,
    /// Slots that are taken.
    taken: u64,
    has_empty_key: bool,
}

/// Where a key is, or where it belongs.
enum Place {
    Taken,
    Free(u64),
}

impl Table {
    /// Opens an empty table in a scratch file, of which so many pages may be kept in memory.
    pub(super) fn new(scratch: Box<dyn Scratch>, pages_in_memory_max: usize) -> Self {
        let pages = Pages::new(scratch, pages_in_memory_max);
        Self { pages, first_page: 0, bits: 8, end: 0, taken: 0, has_empty_key: false }
    }

    /// Makes room for so many more keys.
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), FaultReport> {
        let wanted = self.taken.saturating_add(more as u64);
        let mut bits = self.bits;
        while is_full(bits, wanted) {
            bits = bits.saturating_add(1);
        }
        if bits > self.bits { self.grow(bits) } else { Ok(()) }
    }

    pub(super) fn len(&self) -> u64 {
        self.taken.saturating_add(u64::from(self.has_empty_key))
    }

    pub(super) fn contains(&mut self, key: &KeyHash) -> Result<bool, FaultReport> {
        if *key == EMPTY {
            return Ok(self.has_empty_key);
        }
        Ok(matches!(self.place(key)?, Place::Taken))
    }

    /// Puts a key in, and returns whether it is new.
    pub(super) fn insert(&mut self, key: &KeyHash) -> Result<bool, FaultReport> {
        if *key == EMPTY {
            return Ok(!std::mem::replace(&mut self.has_empty_key, true));
        }
        let Place::Free(slot) = self.place(key)? else { return Ok(false) };
        if is_full(self.bits, self.taken) {
            self.grow(self.bits.saturating_add(1))?;
            return self.insert(key);
        }
        self.take(slot, key)?;
        Ok(true)
    }

    fn take(&mut self, slot: u64, key: &KeyHash) -> Result<(), FaultReport> {
        let (page, within) = self.page_of(slot);
        let bytes = self.pages.change(page)?;
        if let Some(free) = bytes.get_mut(within..).and_then(|bytes| bytes.first_chunk_mut::<SLOT_BYTES>()) {
            *free = *key;
        }
        self.taken = self.taken.saturating_add(1);
        self.end = self.end.max(slot.saturating_add(1));
        Ok(())
    }

    fn place(&mut self, key: &KeyHash) -> Result<Place, FaultReport> {
        let mut slot = self.first_slot(key);
        // Behind the last slot that is taken the first one is free.
        loop {
            let (page, within) = self.page_of(slot);
            let bytes = self.pages.read(page)?;
            let (slots, _) = bytes.get(within..).unwrap_or_default().as_chunks::<SLOT_BYTES>();
            for there in slots {
                if there == key {
                    return Ok(Place::Taken);
                }
                if *there == EMPTY {
                    return Ok(Place::Free(slot));
                }
                slot = slot.saturating_add(1);
            }
        }
    }

    fn first_slot(&self, key: &KeyHash) -> u64 {
        let leading = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        leading >> (64_u32.saturating_sub(self.bits))
    }

    /// Returns the page that a slot is on, and its first byte there.
    fn page_of(&self, slot: u64) -> (u64, usize) {
        let within = usize::try_from(slot % SLOTS_PER_PAGE).unwrap_or(0).saturating_mul(SLOT_BYTES);
        (self.first_page.saturating_add(slot / SLOTS_PER_PAGE), within)
    }

    /// Writes a larger table behind this one.
    fn grow(&mut self, bits: u32) -> Result<(), FaultReport> {
        let old = self.first_page..self.first_page.saturating_add(self.end.div_ceil(SLOTS_PER_PAGE));
        self.first_page = old.end;
        self.bits = bits;
        self.end = 0;
        self.taken = 0;
        let mut page_bytes = [0; PAGE_BYTES];
        for page in old {
            page_bytes.copy_from_slice(self.pages.read(page)?);
            let (slots, _) = page_bytes.as_chunks::<SLOT_BYTES>();
            for key in slots.iter().filter(|key| **key != EMPTY) {
                if let Place::Free(slot) = self.place(key)? {
                    self.take(slot, key)?;
                }
            }
        }
        Ok(())
    }
}

/// Past three quarters one would look through many slots.
fn is_full(bits: u32, taken: u64) -> bool {
    taken >= (1_u64 << bits) / 4 * 3
}

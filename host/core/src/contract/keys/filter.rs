//! Tells most keys that were never seen from all that were, in a fixed piece of memory: a Bloom filter in which a key has one
//! cache line. The fuller it is the more often it says "perhaps" of a key that was not seen; never does it say "no" of one that was.

use super::KeyHash;

/// 16 MiB: of ten million keys that were not seen it lets one in five hundred pass, of thirty million one in four.
pub(super) const FILTER_BYTES_MAX: usize = 1 << 24;

/// Words of a line.
const LINE: usize = 8;

/// The keys that were added, and others that look like them.
pub(super) struct Filter {
    lines: Vec<[u64; LINE]>,
}

impl Filter {
    /// Opens an empty filter of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { lines: vec![[0; LINE]; (bytes / size_of::<[u64; LINE]>()).max(1)] }
    }

    pub(super) fn add(&mut self, key: &KeyHash) {
        let place = self.line_of(key);
        let Some(line) = self.lines.get_mut(place) else { return };
        for (word, bit) in line.iter_mut().zip(marks(key)) {
            *word |= bit;
        }
    }

    /// Returns false only of a key that was never added.
    pub(super) fn may_have(&self, key: &KeyHash) -> bool {
        let has = |line: &[u64; LINE]| line.iter().zip(marks(key)).all(|(word, bit)| word & bit == bit);
        self.lines.get(self.line_of(key)).is_none_or(has)
    }

    fn line_of(&self, key: &KeyHash) -> usize {
        let [_, _, _, _, a, b, c, d, ..] = *key;
        let number = u32::from_be_bytes([a, b, c, d]) as usize;
        number % self.lines.len().max(1)
    }
}

/// One bit of each word, by the last bits of the key.
fn marks(key: &KeyHash) -> impl Iterator<Item = u64> {
    let bits = u128::from_be_bytes(*key);
    (0..LINE).map(move |word| 1_u64 << (bits >> (6 * word) & 63))
}

//! An input in memory, whose reads may be as short as a host's may.

use std::cell::Cell;

use crate::host::Blob;

/// Bytes in memory that can be read anywhere.
pub struct Memory {
    name: String,
    bytes: Vec<u8>,
    /// Where not 0: the state from which the next read's length comes.
    state: Cell<u64>,
}

impl Memory {
    /// Makes an input whose reads return what is asked for.
    pub fn new(name: &str, bytes: &[u8]) -> Memory {
        Memory { name: name.into(), bytes: bytes.to_vec(), state: Cell::new(0) }
    }

    /// Makes reads return fewer bytes than asked for, varied by a seed; not where the seed is 0.
    #[must_use]
    pub fn with_read_seed(self, seed: u64) -> Memory {
        self.state.set(seed);
        self
    }

    /// Returns how many bytes the next read of `len` returns: 1 or more, often very few.
    fn shortened(&self, len: u64) -> u64 {
        let mut state = self.state.get();
        if state == 0 {
            return len;
        }
        // xorshift64: never 0 again.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.state.set(state);
        let most = if state.is_multiple_of(4) { 8 } else { len };
        1 + (state >> 8) % len.min(most)
    }
}

impl Blob for Memory {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, len: u32, into: &mut Vec<u8>) {
        let wanted = u64::from(len).min(1 << 20).min(self.len().saturating_sub(offset));
        if wanted > 0 {
            let start = offset as usize;
            into.extend_from_slice(&self.bytes[start..start + self.shortened(wanted) as usize]);
        }
    }
}

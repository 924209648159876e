//! Finding, counting and reading bytes many at a time: 16 to a comparison on wasm (simd128) and x86-64, 8 elsewhere.

mod cells;
mod lanes;
mod number;

pub use cells::{Cells, Grid, Quotes};
use lanes::Needle;
pub use number::{parse_decimal, parse_i64, parse_u64};

/// Bytes that make one mask.
const WORD: usize = 64;

/// Positions of bytes in a block, kept between blocks so that the memory is.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// `len` positions, then room for those of one word more.
    positions: Vec<u32>,
    len: usize,
    /// What was found in each word, on its way to becoming positions.
    masks: Vec<u64>,
}

impl Index {
    /// Makes an empty index.
    pub fn new() -> Index {
        Index::default()
    }

    /// Finds every `needle` in `block` (up to 4 GiB).
    pub fn fill(&mut self, block: &[u8], needle: u8) {
        self.fill_from(block, 0, needle);
    }

    /// Finds every `needle` in `block` at position `from` or later.
    pub fn fill_from(&mut self, block: &[u8], from: usize, needle: u8) {
        let needle = Needle::new(needle);
        self.collect(block, from, |word| needle.mask(word));
    }

    /// Finds every byte of `block` that is one of two; `block[position]` tells which.
    pub fn fill_either(&mut self, block: &[u8], one: u8, other: u8) {
        let (one, other) = (Needle::new(one), Needle::new(other));
        self.collect(block, 0, |word| one.mask(word) | other.mask(word));
    }

    /// Forgets what it found.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Returns the positions found, ascending.
    #[inline]
    pub fn positions(&self) -> &[u32] {
        &self.positions[..self.len]
    }

    #[inline(always)]
    fn collect(&mut self, block: &[u8], from: usize, mask: impl Fn(&[u8; WORD]) -> u64) {
        let (words, rest) = block.get(from..).unwrap_or_default().as_chunks::<WORD>();
        self.masks.clear();
        self.masks.extend(words.iter().map(&mask));
        if !rest.is_empty() {
            self.masks.push(mask(&padded(rest)) & within(rest));
        }
        self.list(from as u32);
    }

    /// Makes room for the masks of so many words, of which none has anything.
    fn make_words(&mut self, words: usize) {
        self.masks.clear();
        self.masks.resize(words, 0);
    }

    /// Turns masks into positions: all of them, once all are there. A mask that is used behind a branch is computed there, and
    /// again behind the next one, by compilers that put off what has no effect, as the one in the sandbox does.
    fn list(&mut self, from: u32) {
        self.len = 0;
        let mut word = 0;
        while word < self.masks.len() {
            self.make_room();
            word = self.list_words(from, word);
        }
    }

    /// Lists the positions of words as long as there is room; returns the word it came to. They are written eight at a time
    /// whether or not there are eight: a branch for eight costs less than one for each. Nothing is called from here: what is
    /// alive across a call goes through memory in the sandbox.
    #[inline(never)]
    fn list_words(&mut self, from: u32, mut word: usize) -> usize {
        let mut len = self.len;
        while let Some(mut mask) = self.masks.get(word).copied() {
            let found = mask.count_ones() as usize;
            let room = self.positions.get_mut(len..).and_then(|room| room.first_chunk_mut::<WORD>());
            let Some(room) = room else { break };
            let at = from.wrapping_add((word * WORD) as u32);
            for eight in room.as_chunks_mut::<8>().0.iter_mut().take(found.div_ceil(8)) {
                for slot in eight {
                    *slot = at.wrapping_add(mask.trailing_zeros());
                    mask &= mask.wrapping_sub(1);
                }
            }
            len += found;
            word += 1;
        }
        self.len = len;
        word
    }

    /// Makes room for the positions of one word at least.
    fn make_room(&mut self) {
        if self.len + WORD > self.positions.len() {
            self.positions.resize((self.positions.len() * 2).max(1 << 10), 0);
        }
    }
}

/// Returns which bits stand for bytes of a rest, of which there is at least one.
fn within(rest: &[u8]) -> u64 {
    u64::MAX >> (WORD - rest.len())
}

/// Returns fewer than 64 bytes followed by zeros.
#[inline]
fn padded(rest: &[u8]) -> [u8; WORD] {
    let mut word = [0; WORD];
    word[..rest.len()].copy_from_slice(rest);
    word
}

/// Returns the position of the first `needle`.
pub fn find(block: &[u8], needle: u8) -> Option<usize> {
    let needle = Needle::new(needle);
    first(block, |word| needle.mask(word))
}

/// Returns the position of the first byte that is one of two.
pub fn find_either(block: &[u8], one: u8, other: u8) -> Option<usize> {
    let (one, other) = (Needle::new(one), Needle::new(other));
    first(block, |word| one.mask(word) | other.mask(word))
}

#[inline(always)]
fn first(block: &[u8], mask: impl Fn(&[u8; WORD]) -> u64) -> Option<usize> {
    let (words, rest) = block.as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        let mask = mask(word);
        if mask != 0 {
            return Some(index * WORD + mask.trailing_zeros() as usize);
        }
    }
    let at = mask(&padded(rest)).trailing_zeros() as usize;
    (at < rest.len()).then_some(words.len() * WORD + at)
}

/// Returns how often `needle` occurs.
pub fn count(block: &[u8], needle: u8) -> usize {
    let finder = Needle::new(needle);
    let (words, rest) = block.as_chunks::<WORD>();
    let in_words: usize = words.iter().map(|word| finder.mask(word).count_ones() as usize).sum();
    in_words + rest.iter().filter(|byte| **byte == needle).count()
}

/// Returns the sum of all bytes modulo 256: a FIX checksum.
#[inline]
pub fn checksum(block: &[u8]) -> u8 {
    checksum_and_ascii(block).0
}

/// Returns the sum of all bytes modulo 256, and whether all of them are below 128, in one pass.
#[inline]
pub fn checksum_and_ascii(block: &[u8]) -> (u8, bool) {
    let (parts, rest) = block.as_chunks::<16>();
    match block.last_chunk::<16>() {
        // The last 16 bytes overlap those before them; the weights leave out what was counted.
        Some(last) => lanes::sum(parts, last, WEIGHTS[rest.len()..].first_chunk().unwrap_or(&[0; 16])),
        None => {
            rest.iter().fold((0, true), |(sum, ascii), byte| (sum.wrapping_add(*byte), ascii && *byte < 128))
        }
    }
}

/// 16 zeros and 16 ones: the 16 from `n` on let the last `n` of 16 bytes count.
const WEIGHTS: [u8; 32] = {
    let mut weights = [0; 32];
    let mut at = 16;
    while at < weights.len() {
        weights[at] = 0xFF;
        at += 1;
    }
    weights
};

/// Returns the sum of all bytes.
pub fn sum(block: &[u8]) -> u64 {
    // 2^16 bytes do not overflow 32 bits, in which the compiler adds several at a time.
    let parts = block.chunks(1 << 16).map(|part| part.iter().map(|byte| u32::from(*byte)).sum::<u32>());
    parts.map(u64::from).sum()
}

/// Returns whether every byte is below 128.
pub fn is_ascii(block: &[u8]) -> bool {
    let (words, rest) = block.as_chunks::<WORD>();
    let any = |word: &[u8; WORD]| {
        word.as_chunks::<8>().0.iter().fold(0, |any, eight| any | u64::from_le_bytes(*eight))
    };
    words.iter().all(|word| any(word) & 0x8080_8080_8080_8080 == 0) && is_short_ascii(rest)
}

/// The same for a few bytes: by eights, the last eight overlapping those before.
#[inline]
fn is_short_ascii(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks::<8>();
    let any = eights.iter().fold(0, |any, eight| any | u64::from_le_bytes(*eight));
    let last = match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().fold(0, |any, byte| any | u64::from(*byte)),
    };
    (any | last) & 0x8080_8080_8080_8080 == 0
}

/// Returns whether the bytes are UTF-8; fast where they are ASCII.
#[inline]
pub fn is_utf8(bytes: &[u8]) -> bool {
    let ascii = if bytes.len() <= WORD { is_short_ascii(bytes) } else { is_ascii(bytes) };
    ascii || is_wide_utf8(bytes)
}

#[cold]
#[inline(never)]
fn is_wide_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn positions(block: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u32> {
        (0..block.len() as u32).filter(|at| wanted(block[*at as usize])).collect()
    }

    /// Blocks in which the bytes looked for are frequent, and their neighbours in value too.
    fn block() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(1_u8), Just(0), Just(b'='), any::<u8>()], 0..300)
    }

    proptest! {
        #[test]
        fn an_index_holds_what_a_loop_finds(block in block(), from in 0_usize..320) {
            let mut index = Index::new();
            index.fill(&block, 1);
            prop_assert_eq!(index.positions(), positions(&block, |byte| byte == 1));
            index.fill_either(&block, 0, b'=');
            prop_assert_eq!(index.positions(), positions(&block, |byte| byte == 0 || byte == b'='));
            index.fill_from(&block, from, 0);
            let behind: Vec<u32> = positions(&block, |byte| byte == 0).into_iter().filter(|at| *at >= from as u32).collect();
            prop_assert_eq!(index.positions(), behind);
        }

        #[test]
        fn find_count_and_sum_agree_with_a_loop(block in block(), needle in any::<u8>()) {
            prop_assert_eq!(find(&block, needle), block.iter().position(|byte| *byte == needle));
            prop_assert_eq!(find_either(&block, needle, 1), block.iter().position(|byte| *byte == needle || *byte == 1));
            prop_assert_eq!(count(&block, needle), block.iter().filter(|byte| **byte == needle).count());
            prop_assert_eq!(sum(&block), block.iter().map(|byte| u64::from(*byte)).sum::<u64>());
            prop_assert_eq!(u64::from(checksum(&block)), sum(&block) % 256);
            prop_assert_eq!(checksum_and_ascii(&block).1, block.is_ascii());
        }

        #[test]
        fn utf8_is_what_the_standard_library_says(text in ".{0,80}", noise in prop::collection::vec(any::<u8>(), 0..4), cut in 0_usize..200) {
            let mut bytes = text.into_bytes();
            bytes.truncate(cut);
            prop_assert_eq!(is_utf8(&bytes), std::str::from_utf8(&bytes).is_ok());
            bytes.extend(noise);
            prop_assert_eq!(is_utf8(&bytes), std::str::from_utf8(&bytes).is_ok());
            prop_assert_eq!(is_ascii(&bytes), bytes.is_ascii());
        }
    }

    /// Cells and records of a block by a loop, where quotes open, and how they are; written apart from the masks.
    fn by_loop(block: &[u8]) -> (Vec<u32>, Vec<u32>, Vec<u32>, Quotes) {
        let (mut ends, mut records, mut opens) = (Vec::new(), Vec::new(), Vec::new());
        let (mut is_inside, mut is_tidy, mut is_doubled) = (false, true, false);
        for (at, byte) in block.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| block[at]);
            match byte {
                b'"' if is_inside => {
                    is_inside = false;
                    is_tidy &= match block.get(at + 1) {
                        None | Some(b',' | b'\n' | b'"') => true,
                        Some(b'\r') => block.get(at + 2) == Some(&b'\n'),
                        Some(_) => false,
                    };
                }
                b'"' => {
                    is_inside = true;
                    is_doubled |= before == Some(b'"');
                    opens.push(at as u32);
                    is_tidy &= matches!(before, None | Some(b',' | b'\n' | b'"'));
                }
                b',' | b'\n' if !is_inside => {
                    ends.push(at as u32);
                    records.extend((*byte == b'\n').then_some(at as u32));
                }
                _ => {}
            }
        }
        let quotes = match (opens.is_empty(), is_tidy, is_doubled) {
            (true, ..) => Quotes::None,
            (_, false, _) => Quotes::Untidy,
            (_, _, true) => Quotes::Doubled,
            _ => Quotes::Tidy,
        };
        (ends, records, opens, quotes)
    }

    proptest! {
        #[test]
        fn cells_end_where_a_loop_finds_them(block in prop::collection::vec(prop::sample::select(b"ab,\"\n\r".to_vec()), 0..400)) {
            let mut cells = Cells::new();
            cells.fill(&block, b',', b'\n', Some(b'"'));
            let (ends, records, opens, quotes) = by_loop(&block);
            prop_assert_eq!(cells.quotes(), quotes);
            prop_assert_eq!((cells.ends(), cells.record_ends()), (&ends[..], &records[..]));
            prop_assert_eq!(cells.opens(), opens);
            cells.fill(&block, b',', b'\n', None);
            prop_assert_eq!(cells.ends(), positions(&block, |byte| byte == b',' || byte == b'\n'));
            prop_assert_eq!(cells.record_ends(), positions(&block, |byte| byte == b'\n'));
        }
    }

    #[test]
    fn a_checksum_counts_every_byte_once_at_any_length() {
        let bytes: Vec<u8> = (0..700_u32).map(|at| (at * 37 % 128) as u8).collect();
        for length in 0..bytes.len() {
            let block = &bytes[..length];
            assert_eq!(checksum_and_ascii(block), ((sum(block) % 256) as u8, true), "{length} bytes");
        }
    }

    #[test]
    fn an_index_grows_where_every_byte_is_found() {
        let mut index = Index::new();
        index.fill(&[b'|'; 5000], b'|');
        assert!(index.positions().iter().copied().eq(0..5000));
    }
}

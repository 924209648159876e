//! Changes of inputs, the same ones for the same seed: for machines without a fuzzer.

/// Words that formats and readers stumble over.
const WORDS: [&[u8]; 12] = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0\0\0\0\x80",
    b"9223372036854775807",
    b"-1",
    b"1e999",
    b"\x1b]52;c",
    "\u{202e}".as_bytes(),
    b"\xc3\x28",
    b"((((((((",
    b"[[[[{\"",
];

/// Numbers that look like chance and are the same for the same seed: SplitMix64.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Begins a row of numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number of 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % (bound.max(1) as u64)).unwrap_or(0)
    }
}

/// An endless row of changed inputs.
#[derive(Debug)]
pub struct Mutations<'a> {
    corpus: &'a [Vec<u8>],
    bytes_max: usize,
    dice: Dice,
}

impl<'a> Mutations<'a> {
    /// Begins a row. A corpus of nothing is one with the empty input.
    pub fn new(corpus: &'a [Vec<u8>], bytes_max: usize, seed: u64) -> Self {
        Self { corpus, bytes_max, dice: Dice::new(seed) }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.dice.below(bound)
    }

    fn pick(&mut self) -> &'a [u8] {
        let place = self.below(self.corpus.len());
        self.corpus.get(place).map_or(&[], Vec::as_slice)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(7) {
            0 => input.truncate(at),
            1 if at < input.len() => input[at] ^= 1 << self.below(8),
            2 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap_or(0),
            3 if at < input.len() => {
                let end = at + self.below(input.len() - at).min(64);
                input.drain(at..end);
            }
            4 => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(at..at, word.iter().copied());
            }
            5 => {
                let end = at + self.below(input.len() - at).min(64);
                let again: Vec<u8> = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            _ => {
                let other = self.pick();
                let from = self.below(other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.pick().to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        input.truncate(self.bytes_max);
        Some(input)
    }
}

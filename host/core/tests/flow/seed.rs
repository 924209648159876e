//! Numbers that look random and are the same every time (SplitMix64: Steele, Lea, Flood 2014).

#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(crate) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// Lists the seeds to play, from 0 on: `most` of them, or fewer where `CASPARIAN_SCHEDULES` says so (mutation testing plays
/// the story thousands of times).
pub(crate) fn seeds(most: u64) -> std::ops::Range<u64> {
    let wanted = std::env::var("CASPARIAN_SCHEDULES").ok().and_then(|text| text.parse().ok());
    0..wanted.map_or(most, |wanted: u64| wanted.min(most))
}

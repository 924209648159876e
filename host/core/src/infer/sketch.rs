//! How many different values there are, and whether any comes twice, in memory that has an end.
//!
//! The values with the least hashes are kept, with the first two rows of each: a fair sample of the values, whatever order they
//! come in. As long as there is room for all, the sample is everything.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::Serialize;

use super::witness::Place;

/// Most values that are kept.
const KEPT_MAX: usize = 256;

/// A sample of the different values of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    /// By hash. `kept.len() <= KEPT_MAX`.
    kept: BTreeMap<u64, Sightings>,
}

/// The first two rows that have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sightings {
    first: Place,
    second: Option<Place>,
}

/// How many different values there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distinct {
    /// So many.
    Exactly(u64),
    /// So many, mostly within a tenth.
    About(u64),
}

impl Distinct {
    /// Returns the number.
    pub fn count(self) -> u64 {
        match self {
            Self::Exactly(count) | Self::About(count) => count,
        }
    }
}

impl Sightings {
    fn see(&mut self, place: Place) {
        if place < self.first {
            self.second = Some(self.first);
            self.first = place;
        } else if place > self.first && self.second.is_none_or(|second| place < second) {
            self.second = Some(place);
        }
    }
}

impl Sketch {
    /// Adds a value.
    pub fn add(&mut self, value: &[u8], place: Place) {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        self.see(hasher.finish(), place);
    }

    fn see(&mut self, hash: u64, place: Place) {
        let is_full = self.kept.len() >= KEPT_MAX;
        let most = self.kept.last_key_value().map_or(u64::MAX, |(most, _)| *most);
        if is_full && hash > most {
            return;
        }
        match self.kept.entry(hash) {
            Entry::Occupied(mut kept) => kept.get_mut().see(place),
            Entry::Vacant(room) => {
                room.insert(Sightings { first: place, second: None });
                if is_full {
                    self.kept.pop_last();
                }
            }
        }
    }

    /// Adds what another has seen.
    pub fn merge(&mut self, other: &Self) {
        for (hash, seen) in &other.kept {
            self.see(*hash, seen.first);
            seen.second.into_iter().for_each(|place| self.see(*hash, place));
        }
    }

    /// Returns how many different values were added.
    pub fn distinct(&self) -> Distinct {
        let kept = u64::try_from(self.kept.len()).unwrap_or(u64::MAX);
        match self.kept.last_key_value() {
            // Hashes fall evenly: the share of the room that the least ones take tells how many there are in all.
            Some((most, _)) if self.kept.len() >= KEPT_MAX && *most > 0 => {
                let all = u128::from(kept.saturating_sub(1)) * (u128::from(u64::MAX) + 1) / u128::from(*most);
                Distinct::About(u64::try_from(all).unwrap_or(u64::MAX))
            }
            _ => Distinct::Exactly(kept),
        }
    }

    /// Returns whether no value of the sample comes twice.
    pub fn is_unique(&self) -> bool {
        !self.kept.is_empty() && self.kept.values().all(|seen| seen.second.is_none())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(row: u64) -> Place {
        Place { piece: 0, row }
    }

    fn sketch(values: &[(u32, u64)]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|(value, row)| sketch.add(&value.to_le_bytes(), place(*row)));
        sketch
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_within_a_fifth() {
        let few: Vec<_> = (0..200).map(|at| (at % 100, u64::from(at))).collect();
        assert_eq!(sketch(&few).distinct(), Distinct::Exactly(100));
        let many: Vec<_> = (0..100_000).map(|at| (at, u64::from(at))).collect();
        let Distinct::About(count) = sketch(&many).distinct() else { panic!("not an estimate") };
        assert!((80_000..120_000).contains(&count), "{count}");
    }

    #[test]
    fn a_value_in_two_rows_is_not_unique_and_a_row_seen_twice_is_one() {
        assert!(sketch(&[(1, 1), (1, 1), (2, 2)]).is_unique());
        assert!(!sketch(&[(1, 1), (2, 2), (1, 3)]).is_unique());
    }

    proptest! {
        #[test]
        fn neither_order_nor_grouping_nor_repetition_changes_a_sketch(
            values in prop::collection::vec((0_u32..2_000, 0_u64..100_000), 0..1_500),
            cut in 0_usize..1_500,
        ) {
            let cut = cut.min(values.len());
            let (one, other) = (sketch(&values[..cut]), sketch(&values[cut..]));
            let (mut forth, mut back) = (one.clone(), other.clone());
            forth.merge(&other);
            back.merge(&one);
            prop_assert_eq!(&forth, &sketch(&values));
            prop_assert_eq!(&forth, &back);
            let again = forth.clone();
            forth.merge(&again);
            prop_assert_eq!(&forth, &again);
        }
    }
}

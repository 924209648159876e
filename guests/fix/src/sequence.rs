//! Sequences of tags. Messages of a log come in few shapes, so that what a field is can mostly be told by one comparison with
//! what followed the same fields before: a tree of steps, each a tag and all that is known of a field with it there.
//!
//! The tree is memory only. It decides how fast a field is recognised, never as what.

use crate::dictionary::is_counter;
use crate::tags::{self, slot, slot_of};

/// Repeats of these make a message unusual, as do length fields.
const WATCHED_REPEATS: u64 = tags::UNREPEATABLE | tags::TIMES;
/// Steps remembered. A power of two, so that an index needs no check.
const STEPS: usize = 1 << 10;
/// The first ones are where sequences begin, by the kind of message.
const ROOTS: usize = 64;
/// The last one stands for whatever there is no room for.
const UNNAMED: usize = STEPS - 1;
/// Steps behind the same step, at most.
const SIBLINGS_MAX: usize = 16;
/// After so many steps without room all is forgotten: the log may have changed.
const UNNAMED_MAX: u32 = 1 << 16;

/// A tag at a place in a message, behind certain others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// The tag and its equals sign.
    key: u64,
    /// Which bits of `key` count: none of the step that stands for no step, so that it always fits.
    mask: u64,
    /// The slots that hold a value once this field is read.
    pub seen: u64,
    /// The step that was first behind this one.
    child: u16,
    /// The next of the steps behind the same step.
    sibling: u16,
    /// Bytes of tag and equals sign.
    pub width: u8,
    /// The slot of the value: that of the tag if it is the first with it.
    pub place: u8,
    /// Whether the message is to be read the careful way.
    pub is_unusual: bool,
    /// Whether the dictionary may have to say something of the message's structure: one of its fields counts a group, or is
    /// there twice, or this cannot be told.
    pub is_grouped: bool,
}

impl Step {
    #[inline(always)]
    fn fits(&self, word: u64) -> bool {
        (word ^ self.key) & self.mask == 0
    }
}

/// The sequences met so far.
#[derive(Debug)]
pub struct Sequences {
    steps: Box<[Step; STEPS]>,
    /// The step before each step.
    before: Box<[u16; STEPS]>,
    used: usize,
    unnamed: u32,
    /// How often all was forgotten.
    forgotten: u32,
}

impl Sequences {
    /// Makes an empty memory. `seen` are the slots that hold a value before the first field.
    pub fn new(seen: u64) -> Sequences {
        let mut steps = Box::new([Step::default(); STEPS]);
        for root in steps.iter_mut().take(ROOTS) {
            root.seen = seen;
        }
        Sequences { steps, before: Box::new([0; STEPS]), used: ROOTS, unnamed: 0, forgotten: 0 }
    }

    /// Returns where sequences of a kind of message begin. What a kind is does not matter.
    #[inline(always)]
    pub fn root(&self, kind: u8) -> usize {
        usize::from(kind) % ROOTS
    }

    /// Returns a step.
    #[inline(always)]
    pub fn step(&self, at: usize) -> &Step {
        &self.steps[at % STEPS]
    }

    /// Returns what names the sequence that ends with a step, as long as this memory does; `None` where it has no name.
    #[inline(always)]
    pub fn name(&self, at: usize) -> Option<(u32, u16)> {
        (at != UNNAMED).then_some((self.forgotten, at as u16))
    }

    /// Returns the step behind `before` for the field that begins with these eight bytes; `None` where it has no tag.
    #[inline(always)]
    pub fn follow(&mut self, before: usize, word: u64) -> Option<usize> {
        let first = usize::from(self.step(before).child);
        if first != 0 && self.step(first).fits(word) { Some(first) } else { self.search(before, first, word) }
    }

    /// Looks among the other steps behind `before`. Apart, because most of the time the first one fits.
    #[inline(never)]
    fn search(&mut self, before: usize, first: usize, word: u64) -> Option<usize> {
        let mut at = first;
        while !self.step(at).fits(word) {
            at = usize::from(self.step(at).sibling);
        }
        if at != 0 { Some(at) } else { self.learn(before, word) }
    }

    #[cold]
    fn learn(&mut self, before: usize, word: u64) -> Option<usize> {
        let (tag, digits) = tag(word)?;
        let (before_step, slot) = (*self.step(before), slot_of(tag));
        let bit = 1u64 << slot;
        let repeated = before_step.seen & bit;
        let mask = u64::MAX >> (56 - 8 * digits);
        let at = if self.has_many(before) { UNNAMED } else { self.room() };
        let is_again = before == UNNAMED || at == UNNAMED || self.has_before(before, word & mask, mask);
        let step = Step {
            key: word & mask,
            mask,
            seen: before_step.seen | bit,
            child: 0,
            sibling: before_step.child,
            width: digits as u8 + 1,
            place: if repeated == 0 { slot } else { slot::OTHER },
            is_unusual: before_step.is_unusual || slot == slot::LENGTH || repeated & WATCHED_REPEATS != 0,
            is_grouped: before_step.is_grouped || is_again || is_counter(tag),
        };
        self.steps[at % STEPS] = step;
        self.before[at % STEPS] = before as u16;
        if at != UNNAMED {
            self.steps[before % STEPS].child = at as u16;
        }
        Some(at)
    }

    /// Whether a field with this tag is among those up to a step.
    fn has_before(&self, last: usize, key: u64, mask: u64) -> bool {
        let mut at = last;
        // No sequence is longer than there are steps.
        for _ in 0..STEPS {
            if at < ROOTS {
                return false;
            }
            let step = self.step(at);
            if step.key == key && step.mask == mask {
                return true;
            }
            at = usize::from(self.before[at % STEPS]);
        }
        true
    }

    /// Whether so many steps are behind this one that looking through more would cost more than it saves.
    fn has_many(&self, before: usize) -> bool {
        let mut at = usize::from(self.step(before).child);
        (0..SIBLINGS_MAX).all(|_| {
            let some = at != 0;
            at = usize::from(self.step(at).sibling);
            some
        })
    }

    /// Where the next step goes.
    fn room(&mut self) -> usize {
        if self.used < UNNAMED {
            self.used += 1;
            return self.used - 1;
        }
        self.unnamed += 1;
        if self.unnamed >= UNNAMED_MAX {
            // The steps of the message at hand stay readable: they are overwritten from the next one on.
            (self.used, self.unnamed) = (ROOTS, 0);
            self.forgotten = self.forgotten.wrapping_add(1);
            self.steps.iter_mut().take(ROOTS).for_each(|root| root.child = 0);
        }
        UNNAMED
    }
}

/// The tag that these bytes begin with, if it is one of one to seven digits with an equals sign, and how many digits it has.
fn tag(word: u64) -> Option<(u32, usize)> {
    let bytes = word.to_le_bytes();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = bytes.iter().take(digits).fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    (bytes.get(digits) == Some(&b'=') && digits > 0 && bytes[0] != b'0').then_some((number, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(field: &str) -> u64 {
        let mut bytes = [b'~'; 8];
        bytes[..field.len().min(8)].copy_from_slice(&field.as_bytes()[..field.len().min(8)]);
        u64::from_le_bytes(bytes)
    }

    #[test]
    fn a_tag_is_one_to_seven_digits_and_an_equals_sign() {
        let cases = [
            ("8=FIX.4.", Some((8, 1))),
            ("1128=9", Some((1128, 4))),
            ("1234567=", Some((1_234_567, 7))),
            ("35==D", Some((35, 2))),
            ("12345678", None),
            ("=D", None),
            ("035=D", None),
            ("5X=bad", None),
            ("-5=bad", None),
            ("58", None),
        ];
        for (field, expected) in cases {
            assert_eq!(tag(word(field)), expected, "{field}");
        }
    }

    #[test]
    fn a_sequence_met_before_is_the_same_steps_again() {
        let mut sequences = Sequences::new(0);
        let mut walk = |fields: &[&str]| {
            let mut at = sequences.root(7);
            fields
                .iter()
                .map(|field| {
                    at = sequences.follow(at, word(field)).expect("a tag");
                    at
                })
                .collect::<Vec<_>>()
        };
        let order = walk(&["35=D", "49=A", "55=X"]);
        assert_eq!(walk(&["35=D", "49=B", "55=Y"]), order);
        let other = walk(&["35=D", "49=A", "558=Y"]);
        assert_eq!((&other[..2], other[2] == order[2]), (&order[..2], false));
        assert_eq!(walk(&["35=D", "49=B", "55=Y"]), order);
    }

    #[test]
    fn a_step_knows_what_came_before_it() {
        let mut sequences = Sequences::new(0);
        let mut at = sequences.root(0);
        let expected = [
            ("35=8", slot::MSG_TYPE, false),
            ("55=X", slot::SYMBOL, false),
            ("55=Y", slot::OTHER, false),
            ("9000=1", slot::OTHER, false),
            ("35=9", slot::OTHER, true),
            ("54=1", slot::SIDE, true),
        ];
        for (field, place, is_unusual) in expected {
            at = sequences.follow(at, word(field)).expect("a tag");
            let step = sequences.step(at);
            assert_eq!(
                (step.place, step.is_unusual, usize::from(step.width)),
                (place, is_unusual, field.find('=').unwrap_or(0) + 1)
            );
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_recognised_all_the_same() {
        let mut sequences = Sequences::new(0);
        for round in 0..200_000u32 {
            let mut at = sequences.root(0);
            for (tag, place) in [
                (35, slot::MSG_TYPE),
                (100_000 + round % 7000, slot::OTHER),
                (55, slot::SYMBOL),
                (55, slot::OTHER),
            ] {
                at = sequences.follow(at, word(&format!("{tag}="))).expect("a tag");
                assert_eq!(sequences.step(at).place, place, "{tag} in round {round}");
            }
        }
    }
}

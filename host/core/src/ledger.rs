//! Every byte accounted for. Each byte of an input is in exactly one class, and the four add up to its size.
//!
//! Classes, the first that applies: quarantined, accepted, skipped, dark. Dark bytes are those nobody spoke for. The ledger
//! settles everything that begins before the watermark and keeps only what reaches past it, so its memory follows the
//! commits, not the file.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fault::{Blame, Blamed, Span};

/// Most dark ranges that are listed; all of them are counted.
pub const DARK_RANGES_MAX: usize = 64;

/// Bytes of an input by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteClasses {
    /// Bytes of records that met the contract.
    pub accepted_bytes: u64,
    /// Bytes of records in quarantine.
    pub quarantined_bytes: u64,
    /// Bytes that the parser said hold no record.
    pub skipped_bytes: u64,
    /// Bytes that nobody spoke for.
    pub dark_bytes: u64,
}

/// One record of the input, with its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub at: Span,
    /// Whether it met the contract.
    pub accepted: bool,
}

/// Two records share bytes without being the same record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("record at {second} overlaps the record at {first}")]
pub struct Overlap {
    /// The earlier one.
    pub first: Span,
    /// The later one.
    pub second: Span,
}

impl Blamed for Overlap {
    fn blame(&self) -> Blame {
        Blame::Guest
    }

    fn code(&self) -> &'static str {
        "span-overlap"
    }

    fn hint(&self) -> Option<String> {
        Some("rows of one record carry the same span; spans of two records never share a byte".to_owned())
    }
}

/// The account of one input, kept as its watermark moves.
#[derive(Debug, Default)]
pub struct Ledger {
    classes: ByteClasses,
    /// Everything before it is settled. `settled <= ` every offset still to come.
    settled: u64,
    /// The record that ended furthest, to find an overlap across commits.
    last: Option<Span>,
    /// Skips that reach past `settled`.
    skips: VecDeque<Span>,
    dark: Vec<Span>,
    dark_ranges: u64,
}

impl Ledger {
    /// Adds a skip. It is settled with the records around it.
    pub fn skip(&mut self, at: Span) {
        match self.skips.back_mut() {
            Some(last) if end(*last) == at.offset => last.length += at.length,
            _ => self.skips.push_back(at),
        }
    }

    /// Settles everything that begins before `up_to`. `records` are those that begin in `settled..up_to`, ascending, each
    /// once.
    pub fn settle(&mut self, up_to: u64, records: &[Record]) -> Result<(), Overlap> {
        self.merge_skips();
        for record in records {
            if let Some(first) = self.last.filter(|last| end(*last) > record.at.offset) {
                return Err(Overlap { first, second: record.at });
            }
            self.last = Some(record.at);
            self.gap(record.at.offset);
            let class = if record.accepted {
                &mut self.classes.accepted_bytes
            } else {
                &mut self.classes.quarantined_bytes
            };
            *class += record.at.length;
            self.settled = end(record.at);
        }
        self.gap(up_to);
        Ok(())
    }

    /// Ends the account of an input of `input_bytes` and returns it.
    pub fn close(mut self, input_bytes: u64) -> Account {
        self.merge_skips();
        self.gap(input_bytes);
        let sum = self.classes.accepted_bytes
            + self.classes.quarantined_bytes
            + self.classes.skipped_bytes
            + self.classes.dark_bytes;
        assert_eq!(sum, input_bytes, "our bug: the byte classes do not add up to the input");
        Account { classes: self.classes, dark: self.dark, dark_ranges: self.dark_ranges }
    }

    /// Settles the bytes up to `up_to`, where no record is: skipped where a skip says so, dark elsewhere.
    fn gap(&mut self, up_to: u64) {
        while let Some(skip) = self.skips.front().copied().filter(|skip| skip.offset < up_to) {
            let from = skip.offset.max(self.settled);
            let to = end(skip).min(up_to);
            if from < to {
                self.darken(self.settled, from);
                self.classes.skipped_bytes += to - from;
                self.settled = to;
            }
            if end(skip) > up_to {
                break;
            }
            self.skips.pop_front();
        }
        self.darken(self.settled, up_to);
        self.settled = self.settled.max(up_to);
    }

    /// Makes the skips ascending and disjoint, so that settling passes over each of them once.
    fn merge_skips(&mut self) {
        self.skips.make_contiguous().sort_unstable();
        let mut merged: VecDeque<Span> = VecDeque::with_capacity(self.skips.len());
        for skip in self.skips.drain(..) {
            match merged.back_mut() {
                Some(last) if end(*last) >= skip.offset => {
                    last.length = end(skip).max(end(*last)) - last.offset;
                }
                _ => merged.push_back(skip),
            }
        }
        self.skips = merged;
    }

    fn darken(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        self.classes.dark_bytes += to - from;
        match self.dark.last_mut() {
            Some(last) if end(*last) == from => last.length += to - from,
            _ => {
                self.dark_ranges += 1;
                if self.dark.len() < DARK_RANGES_MAX {
                    self.dark.push(Span { offset: from, length: to - from });
                }
            }
        }
    }
}

/// A span's end. Spans are checked against the input's size at the door, so the sum cannot overflow.
fn end(span: Span) -> u64 {
    span.offset.saturating_add(span.length)
}

/// The account of one input. `classes` add up to its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Bytes by class.
    #[serde(flatten)]
    pub classes: ByteClasses,
    /// The first dark ranges.
    pub dark: Vec<Span>,
    /// How many dark ranges there are in all.
    pub dark_ranges: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(offset: u64, length: u64) -> Span {
        Span { offset, length }
    }

    fn record(offset: u64, length: u64, accepted: bool) -> Record {
        Record { at: span(offset, length), accepted }
    }

    #[test]
    fn bytes_nobody_spoke_for_are_dark_and_listed() {
        let mut ledger = Ledger::default();
        ledger.skip(span(10, 2));
        ledger.settle(20, &[record(0, 5, true), record(12, 4, false)]).unwrap();
        let account = ledger.close(30);
        let classes =
            ByteClasses { accepted_bytes: 5, quarantined_bytes: 4, skipped_bytes: 2, dark_bytes: 19 };
        assert_eq!(account.classes, classes);
        assert_eq!(account.dark, [span(5, 5), span(16, 14)]);
    }

    #[test]
    fn a_record_that_overlaps_one_of_an_earlier_commit_is_found() {
        let mut ledger = Ledger::default();
        ledger.settle(5, &[record(0, 10, true)]).unwrap();
        let overlap = ledger.settle(20, &[record(8, 4, true)]).unwrap_err();
        assert_eq!(overlap, Overlap { first: span(0, 10), second: span(8, 4) });
    }

    #[test]
    fn an_overlap_is_the_guests_and_says_where_and_what_to_do() {
        let overlap = Overlap { first: span(0, 10), second: span(8, 4) };
        assert_eq!(overlap.to_string(), "record at bytes 8..12 overlaps the record at bytes 0..10");
        assert_eq!((overlap.blame(), overlap.code()), (Blame::Guest, "span-overlap"));
        assert_eq!(
            overlap.hint().unwrap(),
            "rows of one record carry the same span; spans of two records never share a byte"
        );
    }

    #[test]
    fn dark_bytes_of_two_commits_that_touch_are_one_range() {
        let mut ledger = Ledger::default();
        ledger.settle(5, &[]).unwrap();
        ledger.settle(12, &[]).unwrap();
        let account = ledger.close(12);
        assert_eq!((account.dark, account.dark_ranges), (vec![span(0, 12)], 1));
    }

    #[test]
    fn the_first_64_dark_ranges_are_listed_and_all_are_counted() {
        let mut ledger = Ledger::default();
        let records: Vec<Record> = (0..70).map(|at| record(at * 2, 1, true)).collect();
        ledger.settle(140, &records).unwrap();
        let account = ledger.close(140);
        let listed: Vec<Span> = (0..64).map(|at| span(at * 2 + 1, 1)).collect();
        assert_eq!((account.dark, account.dark_ranges, account.classes.dark_bytes), (listed, 70, 70));
    }

    #[test]
    fn skips_that_follow_each_other_or_overlap_are_kept_as_one() {
        let mut following = Ledger::default();
        (0..100).for_each(|at| following.skip(span(at * 3, 3)));
        assert_eq!(following.skips, [span(0, 300)]);
        let mut overlapping = Ledger::default();
        (0..100).for_each(|at| overlapping.skip(span(at, 1000 - at)));
        overlapping.settle(50, &[]).unwrap();
        assert_eq!(overlapping.skips, [span(0, 1000)]);
    }

    #[test]
    fn a_skip_across_a_record_leaves_the_record_its_bytes() {
        let mut ledger = Ledger::default();
        ledger.skip(span(0, 30));
        ledger.settle(30, &[record(10, 5, true)]).unwrap();
        let account = ledger.close(30);
        assert_eq!((account.classes.skipped_bytes, account.classes.accepted_bytes), (25, 5));
    }

    #[test]
    fn a_skip_past_the_watermark_is_kept_for_the_next_commit() {
        let mut ledger = Ledger::default();
        ledger.skip(span(5, 20));
        ledger.settle(10, &[record(0, 5, true)]).unwrap();
        ledger.settle(30, &[record(12, 3, true)]).unwrap();
        assert_eq!(ledger.close(30).classes.skipped_bytes, 17);
    }

    proptest! {
        /// The oracle paints every byte by the rules' own words.
        #[test]
        fn the_ledger_agrees_with_painting_every_byte(
            lengths in prop::collection::vec((0_u64..6, 1_u64..8, any::<bool>()), 0..40),
            skips in prop::collection::vec((0_u64..200, 1_u64..30), 0..12),
            cuts in prop::collection::vec(0_u64..400, 0..6),
        ) {
            let mut at = 0;
            let mut records = Vec::new();
            for (gap, length, accepted) in lengths {
                records.push(record(at + gap, length, accepted));
                at += gap + length;
            }
            let input_bytes = at + 50;
            let skips: Vec<Span> = skips.iter()
                .map(|(offset, length)| span(*offset % input_bytes, *length))
                .map(|s| span(s.offset, s.length.min(input_bytes - s.offset)))
                .collect();
            let mut cuts: Vec<u64> = cuts.iter().map(|c| c % input_bytes).chain([input_bytes]).collect();
            cuts.sort_unstable();

            let mut ledger = Ledger::default();
            let mut from = 0;
            for cut in cuts {
                skips.iter().filter(|s| (from..cut).contains(&s.offset)).for_each(|s| ledger.skip(*s));
                let due: Vec<Record> =
                    records.iter().filter(|r| (from..cut).contains(&r.at.offset)).copied().collect();
                ledger.settle(cut, &due).unwrap();
                from = cut;
            }
            let account = ledger.close(input_bytes);

            let mut paint = vec!['d'; usize::try_from(input_bytes).unwrap()];
            let mut brush = |s: Span, colour| (s.offset..s.offset + s.length)
                .for_each(|b| paint[usize::try_from(b).unwrap()] = colour);
            skips.iter().for_each(|s| brush(*s, 's'));
            records.iter().for_each(|r| brush(r.at, if r.accepted { 'a' } else { 'q' }));
            let count = |colour| paint.iter().filter(|c| **c == colour).count() as u64;
            prop_assert_eq!(account.classes, ByteClasses {
                accepted_bytes: count('a'), quarantined_bytes: count('q'),
                skipped_bytes: count('s'), dark_bytes: count('d'),
            });
        }
    }
}

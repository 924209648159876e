//! What an account must be: an input painted byte by byte with what was said of it and what left. It knows nothing of how the ledger
//! counts.

use casparian_core::fault::Span;
use casparian_core::intake::Said;
use casparian_core::ledger::{Account, ByteClasses, DARK_RANGES_MAX};

/// What was said and may yet be taken back, and what was not.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Rows and rejections that wait, by where their records begin. Rows without a record are due at once.
    waiting: Vec<u64>,
    skips_waiting: Vec<Span>,
    skips: Vec<Span>,
    /// Rows, rejections and killers that nobody can take back.
    pub(super) settled: u64,
}

impl Told {
    /// Hears one thing, before the flow does.
    pub(super) fn hear(&mut self, said: &Said) {
        match said {
            Said::Rows { batch, .. } => {
                let rows = 0..usize::try_from(batch.num_rows()).unwrap_or(0);
                self.waiting.extend(rows.map(|row| batch.span(row).map_or(0, |at| at.offset)));
            }
            Said::Rejected(records) => self.waiting.extend(records.iter().map(|record| record.at.offset)),
            Said::Skipped(skip) => self.skips_waiting.push(skip.at),
            Said::Committed { up_to } => {
                let before = self.waiting.len();
                self.waiting.retain(|offset| offset >= up_to);
                self.settled += (before - self.waiting.len()) as u64;
                self.pass_skips(*up_to);
            }
            Said::Stands => self.pass_skips(u64::MAX),
            Said::TakenBack { .. } => {
                self.waiting.clear();
                self.skips_waiting.clear();
            }
            Said::Killed(killer) => {
                self.settled += 1;
                self.pass_skips(killer.at.end().unwrap_or(u64::MAX));
            }
            Said::Opened { .. } => {}
        }
    }

    fn pass_skips(&mut self, up_to: u64) {
        let (due, later) =
            std::mem::take(&mut self.skips_waiting).into_iter().partition(|skip| skip.offset < up_to);
        self.skips_waiting = later;
        self.skips.extend::<Vec<_>>(due);
    }

    /// Paints an input: skips first, over them the records that were accepted, over those the bad ones.
    pub(super) fn account(mut self, input_bytes: usize, accepted: &[Span], quarantined: &[Span]) -> Account {
        self.pass_skips(u64::MAX);
        let mut paint = vec![b'd'; input_bytes];
        for (spans, colour) in [(&self.skips[..], b's'), (accepted, b'a'), (quarantined, b'q')] {
            for span in spans {
                let end = span.end().expect("spans end");
                (span.offset..end)
                    .for_each(|byte| paint[usize::try_from(byte).expect("within the input")] = colour);
            }
        }
        let count = |colour| paint.iter().filter(|byte| **byte == colour).count() as u64;
        let classes = ByteClasses {
            accepted_bytes: count(b'a'),
            quarantined_bytes: count(b'q'),
            skipped_bytes: count(b's'),
            dark_bytes: count(b'd'),
        };
        let mut dark = dark_ranges(&paint);
        let ranges = dark.len() as u64;
        dark.truncate(DARK_RANGES_MAX);
        Account { classes, dark, dark_ranges: ranges }
    }
}

fn dark_ranges(paint: &[u8]) -> Vec<Span> {
    let mut ranges: Vec<Span> = Vec::new();
    for (at, _) in paint.iter().enumerate().filter(|(_, colour)| **colour == b'd') {
        let at = at as u64;
        match ranges.last_mut() {
            Some(last) if last.offset + last.length == at => last.length += 1,
            _ => ranges.push(Span { offset: at, length: 1 }),
        }
    }
    ranges
}

//! What must come out, from the records alone: no batches, no commits, one byte at a time.

use casparian_core::fault::Span;
use casparian_core::id::TableName;
use casparian_core::ledger::ByteClasses;

use super::Left;
use super::seed::Seed;

pub(crate) const TABLES: usize = 3;
pub(crate) const FAULTS: [&str; 2] = ["bad_checksum", "unreadable"];

pub(crate) fn table_name(at: usize) -> TableName {
    TableName::new(&format!("t{at}")).expect("a name")
}

pub(crate) fn table_of(name: &TableName) -> usize {
    (0..TABLES).find(|at| table_name(*at) == *name).expect("one of ours")
}

/// A row that the guest reads out of a record.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) table: usize,
    /// None is a violation: the column is declared not null.
    pub(crate) value: Option<i64>,
    pub(crate) is_faulty: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) at: Span,
    pub(crate) rows: Vec<Row>,
    pub(crate) is_rejected: bool,
}

/// An input: records, and what lies between them.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) input_bytes: u64,
    pub(crate) records: Vec<Record>,
    pub(crate) skips: Vec<Span>,
}

impl Truth {
    pub(crate) fn draw(seed: &mut Seed) -> Self {
        let mut at = 0;
        let (mut records, mut skips) = (Vec::new(), Vec::new());
        let is_dirty = seed.one_in(2);
        for value in 0..seed.below(12) {
            let gap = if seed.one_in(3) { 1 + seed.below(4) } else { 0 };
            if gap > 0 && !seed.one_in(4) {
                skips.push(Span { offset: at, length: gap });
            }
            at += gap;
            let length = 1 + seed.below(9);
            records.push(Record::draw(Span { offset: at, length }, value, is_dirty, seed));
            at += length;
        }
        Self { input_bytes: at + seed.below(3), records, skips }
    }

    /// What has left once every record that begins before `up_to` was committed.
    pub(crate) fn released_before(&self, up_to: u64) -> (Left, ByteClasses) {
        let mut left = Left { accepted: vec![Vec::new(); TABLES], quarantined: Vec::new() };
        // A record without rows and without a rejection is one that the guest never spoke of.
        let spoken = self.records.iter().filter(|r| r.is_rejected || !r.rows.is_empty());
        for (number, record) in spoken.clone().take_while(|r| r.at.offset < up_to).enumerate() {
            record.release(number as u64, &mut left);
        }
        let mut paint = vec![b'd'; usize::try_from(self.input_bytes).expect("small")];
        let mut brush = |span: Span, colour| {
            (span.offset..span.offset + span.length).for_each(|byte| paint[byte as usize] = colour);
        };
        self.skips.iter().for_each(|span| brush(*span, b's'));
        spoken.for_each(|r| brush(r.at, if r.is_bad() { b'q' } else { b'a' }));
        let count = |colour| paint.iter().filter(|byte| **byte == colour).count() as u64;
        let classes = ByteClasses {
            accepted_bytes: count(b'a'),
            quarantined_bytes: count(b'q'),
            skipped_bytes: count(b's'),
            dark_bytes: count(b'd'),
        };
        (left, classes)
    }
}

impl Record {
    fn draw(at: Span, value: u64, is_dirty: bool, seed: &mut Seed) -> Self {
        let mut row = |n: u64| Row {
            table: seed.below(TABLES as u64) as usize,
            value: (!(is_dirty && seed.one_in(6))).then_some((value * 100 + n) as i64),
            is_faulty: is_dirty && seed.one_in(8),
        };
        let rows: Vec<Row> = (0..1 + value % 4).map(&mut row).collect();
        // Some records are never spoken of, some are rejected, some of those after a few rows.
        match seed.below(12) {
            0 => Self { at, rows: Vec::new(), is_rejected: false },
            1 if is_dirty => Self { at, rows: Vec::new(), is_rejected: true },
            2 if is_dirty => Self { at, rows, is_rejected: true },
            _ => Self { at, rows, is_rejected: false },
        }
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.is_rejected || self.rows.iter().any(|row| row.value.is_none() || row.is_faulty)
    }

    fn release(&self, number: u64, left: &mut Left) {
        if !self.is_bad() {
            for row in &self.rows {
                left.accepted[row.table].push((number, self.at, row.value.expect("a good row has a value")));
            }
            return;
        }
        if self.is_rejected {
            left.quarantined.push((number, self.at, None, vec![FAULTS[1].to_owned()]));
        }
        for table in 0..TABLES {
            let rows = self.rows.iter().filter(|row| row.table == table);
            for (ordinal, row) in rows.enumerate() {
                let mut rules = Vec::new();
                rules.extend(row.value.is_none().then(|| "required".to_owned()));
                rules.extend(row.is_faulty.then(|| FAULTS[0].to_owned()));
                if rules.is_empty() {
                    rules.push("record".to_owned());
                }
                left.quarantined.push((number, self.at, Some((table, ordinal as u64, row.value)), rules));
            }
        }
    }
}

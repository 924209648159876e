//! What a commit releases: rows cut at the watermark, put in the order of the input, judged, and told apart by record.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use arrow_array::UInt64Array;
use arrow_schema::ArrowError;

use crate::batch::Batch;
use crate::contract::TableContract;
use crate::contract::judge::{Flaws, judge};
use crate::contract::verdict::Accepted;
use crate::fault::Span;
use crate::intake::Rejection;
use crate::ledger::Record;

/// Rows of one table that wait for a commit.
pub(super) struct Waiting {
    pub(super) rows: Batch,
    /// Whether the rows stand in offset order. Then a commit cuts them without copying.
    is_ascending: bool,
}

impl Waiting {
    pub(super) fn new(rows: Batch) -> Self {
        let is_ascending = rows.spans().is_none_or(|spans| spans.offsets().values().is_sorted());
        Self { rows, is_ascending }
    }

    /// Cuts what begins before `up_to` from what does not. Rows without spans are always due.
    fn cut(self, up_to: u64) -> Result<(Option<Batch>, Option<Waiting>), ArrowError> {
        let Self { rows, is_ascending } = self;
        let Some(offsets) = rows.spans().map(|spans| spans.offsets().values()) else {
            return Ok((Some(rows), None));
        };
        let is_due = |offset: &u64| *offset < up_to;
        let count = if is_ascending {
            offsets.partition_point(is_due)
        } else {
            offsets.iter().filter(|offset| is_due(offset)).count()
        };
        // First, so that a batch without rows does not wait for ever.
        if count == offsets.len() {
            return Ok((Some(rows), None));
        }
        if count == 0 {
            return Ok((None, Some(Self { rows, is_ascending })));
        }
        if is_ascending {
            let (due, later) = (rows.slice(0, count), rows.slice(count, offsets.len() - count));
            return Ok((Some(due), Some(Self { rows: later, is_ascending })));
        }
        let offset = |row: &u64| usize::try_from(*row).ok().and_then(|row| offsets.get(row));
        let (now, then): (Vec<u64>, Vec<u64>) =
            (0..rows.num_rows()).partition(|row| offset(row).is_some_and(is_due));
        Ok((Some(rows.take(&now.into())?), Some(Self::new(rows.take(&then.into())?))))
    }
}

/// What a commit releases of one table, in offset order, judged.
#[derive(Default)]
pub(super) struct Due {
    pub(super) rows: Option<Batch>,
    pub(super) flaws: Flaws,
    /// The ordinal of the first row, where rows have no record to count in.
    pub(super) first_ordinal: u64,
}

impl Due {
    /// Takes what begins before `up_to` out of what waits.
    pub(super) fn of(
        waiting: &mut Vec<Waiting>,
        contract: &TableContract,
        released: u64,
        up_to: u64,
    ) -> Result<Self, ArrowError> {
        let mut due = Vec::with_capacity(waiting.len());
        for rows in std::mem::take(waiting) {
            let (now, later) = rows.cut(up_to)?;
            due.extend(now);
            waiting.extend(later);
        }
        let Some(rows) = in_offset_order(due)? else { return Ok(Self::default()) };
        let flaws = judge(&rows, contract);
        Ok(Self { rows: Some(rows), flaws, first_ordinal: released })
    }

    fn offsets(&self) -> Option<&[u64]> {
        self.rows.as_ref().and_then(Batch::spans).map(|spans| &**spans.offsets().values())
    }

    /// Lists the rows that go to quarantine, ascending: a row is bad if its record is, or, where it has none, if something is
    /// wrong with itself.
    pub(super) fn bad_rows<'a>(&'a self, bad: &'a Bad) -> Box<dyn Iterator<Item = usize> + 'a> {
        let Some(offsets) = self.offsets() else { return Box::new(self.flaws.rows()) };
        if bad.records.is_empty() {
            return Box::new(std::iter::empty());
        }
        let is_bad = |(_, offset): &(usize, &u64)| bad.records.contains_key(offset);
        Box::new(offsets.iter().enumerate().filter(is_bad).map(|(row, _)| row))
    }

    pub(super) fn good_rows(&self, rows: &Batch, bad: &Bad) -> Result<Batch, ArrowError> {
        let mut bad = self.bad_rows(bad).peekable();
        let good = (0..rows.rows().num_rows()).filter(|row| bad.next_if_eq(row).is_none());
        rows.take(&UInt64Array::from_iter_values(good.map(|row| row as u64)))
    }

    /// Lists the rows that go to quarantine, ascending, each with its place among the rows of its record. All rows of a bad
    /// record are bad and stand together, so counting the bad ones is enough.
    fn bad_places<'a>(&'a self, table: usize, bad: &'a Bad) -> impl Iterator<Item = Place> + 'a {
        let mut record = None;
        let mut next = 0;
        self.bad_rows(bad).map(move |row| {
            let offset = self.offsets().and_then(|offsets| offsets.get(row)).copied();
            if record != offset {
                (record, next) = (offset, 0);
            }
            let ordinal = if offset.is_some() { next } else { self.first_ordinal + row as u64 };
            next += 1;
            Place { offset, what: What::Row { table, row, ordinal } }
        })
    }
}

/// Makes one batch of many, in offset order; rows of one record keep the order in which they were said.
fn in_offset_order(mut parts: Vec<Batch>) -> Result<Option<Batch>, ArrowError> {
    let rows = if parts.len() == 1 { parts.pop() } else { Batch::concat(&parts)? };
    let Some(rows) = rows else { return Ok(None) };
    let order = match rows.spans().map(|spans| spans.offsets().values()) {
        Some(offsets) if !offsets.is_sorted() => {
            let mut order: Vec<u64> = (0..rows.num_rows()).collect();
            order.sort_by_key(|row| usize::try_from(*row).ok().and_then(|row| offsets.get(row)));
            UInt64Array::from(order)
        }
        _ => return Ok(Some(rows)),
    };
    rows.take(&order).map(Some)
}

/// Where something in quarantine stands in its order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) offset: Option<u64>,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A rejection, by its place in offset order.
    Unreadable(usize),
    Row {
        table: usize,
        row: usize,
        ordinal: u64,
    },
}

/// Merges what is bad, from lists that are in order each by itself. Nothing is gathered: there may be millions.
pub(super) fn in_order<'a>(
    due: &'a [Due],
    rejections: &'a [Rejection],
    bad: &'a Bad,
) -> impl Iterator<Item = Place> + 'a {
    let unreadable = rejections
        .iter()
        .enumerate()
        .map(|(at, rejection)| Place { offset: Some(rejection.at.offset), what: What::Unreadable(at) });
    let mut lists: Vec<Box<dyn Iterator<Item = Place> + 'a>> = vec![Box::new(unreadable)];
    lists.extend(due.iter().enumerate().map(|(table, due)| Box::new(due.bad_places(table, bad)) as _));
    let mut heads = BinaryHeap::with_capacity(lists.len());
    heads.extend(lists.iter_mut().enumerate().filter_map(|(at, list)| Some(Reverse((list.next()?, at)))));
    std::iter::from_fn(move || {
        let Reverse((place, at)) = heads.pop()?;
        heads.extend(lists.get_mut(at).and_then(Iterator::next).map(|next| Reverse((next, at))));
        Some(place)
    })
}

/// The first reason for which a record is bad.
pub(super) enum Culprit {
    Unreadable,
    Row { table: usize, ordinal: u64 },
}

/// The bad records among those that a commit releases, by offset.
pub(super) struct Bad {
    pub(super) records: BTreeMap<u64, Culprit>,
}

impl Bad {
    pub(super) fn among(due: &[Due], rejections: &[Rejection]) -> Self {
        let unreadable = rejections.iter().map(|rejection| (rejection.at.offset, Culprit::Unreadable));
        let mut records: BTreeMap<u64, Culprit> = unreadable.collect();
        for (table, due) in due.iter().enumerate() {
            let Some(offsets) = due.offsets() else { continue };
            for row in due.flaws.rows() {
                let Some(offset) = offsets.get(row) else { continue };
                // Counted back once in a record, for the first of its bad rows.
                let ordinal =
                    || offsets.iter().take(row).rev().take_while(|before| *before == offset).count();
                let culprit = || Culprit::Row { table, ordinal: ordinal() as u64 };
                records.entry(*offset).or_insert_with(culprit);
            }
        }
        Self { records }
    }
}

/// Lists the records that a commit releases, ascending, each once.
pub(super) fn records_of(due: &[Due], rejections: &[Rejection], bad: &Bad) -> Vec<Record> {
    let mut spans: Vec<Span> = Vec::new();
    for of_table in due.iter().filter_map(|due| due.rows.as_ref().and_then(Batch::spans)) {
        for span in of_table.iter() {
            if spans.last() != Some(&span) {
                spans.push(span);
            }
        }
    }
    spans.extend(rejections.iter().map(|rejection| rejection.at));
    if !spans.is_sorted() {
        spans.sort_unstable();
    }
    spans.dedup();
    let clean = bad.records.is_empty();
    let record = |at: Span| Record { at, accepted: clean || !bad.records.contains_key(&at.offset) };
    spans.into_iter().map(record).collect()
}

/// The numbers of the records that a commit releases.
pub(super) struct Numbers<'a> {
    pub(super) first: u64,
    pub(super) records: &'a [Record],
}

impl Numbers<'_> {
    pub(super) fn of(&self, offset: u64) -> Option<u64> {
        let at = self.records.binary_search_by_key(&offset, |record| record.at.offset).ok()?;
        Some(self.first + at as u64)
    }

    pub(super) fn accepted(&self, rows: &Batch) -> Accepted {
        let spans = rows.spans().map(|spans| (spans.offsets().clone(), spans.lengths().clone()));
        Accepted::new(rows.rows().clone(), self.column(rows), spans)
    }

    /// The record number of every row. Rows and records are both in offset order, so one walk finds them all.
    fn column(&self, rows: &Batch) -> UInt64Array {
        let Some(spans) = rows.spans() else { return UInt64Array::new_null(rows.rows().num_rows()) };
        let mut at = 0;
        let number = |offset: &u64| {
            while self.records.get(at).is_some_and(|record| record.at.offset < *offset) {
                at += 1;
            }
            self.first + at as u64
        };
        UInt64Array::from_iter_values(spans.offsets().values().iter().map(number))
    }
}

//! What a commit releases: rows cut at the watermark, put in the order of the input, judged, and told apart by record.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;

use crate::batch::{Batch, Spans};
use crate::contract::VerdictUnit;
use crate::contract::judge::{Judged, TableJudge};
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
    pub(super) judged: Option<Judged>,
    /// The table's place among all tables by name. When a table is first spoken of may depend on where batches are cut; what
    /// it is called does not.
    pub(super) rank: usize,
    /// The ordinal of the first row, where rows have no record to count in.
    pub(super) first_ordinal: u64,
    /// Set where a row goes to quarantine, once [`Due::convict`] has been called. None: nowhere.
    quarantined: Option<BooleanBuffer>,
}

impl Due {
    /// Takes what begins before `up_to` out of what waits.
    pub(super) fn of(
        waiting: &mut Vec<Waiting>,
        judge: &TableJudge,
        (rank, released): (usize, u64),
        up_to: u64,
    ) -> Result<Self, ArrowError> {
        let mut due = Vec::with_capacity(waiting.len());
        for rows in std::mem::take(waiting) {
            let (now, later) = rows.cut(up_to)?;
            due.extend(now);
            waiting.extend(later);
        }
        let Some(rows) = in_offset_order(due)? else { return Ok(Self::default()) };
        Ok(Self { judged: Some(judge.judge(rows)?), rank, first_ordinal: released, quarantined: None })
    }

    pub(super) fn num_rows(&self) -> usize {
        self.judged.as_ref().map_or(0, |judged| judged.rows().num_rows())
    }

    /// Returns where the record of each row begins, where the table says.
    pub(super) fn offsets(&self) -> Option<&[u64]> {
        let spans = self.judged.as_ref()?.batch().spans()?;
        Some(spans.offsets().values())
    }

    /// Lists the rows that are bad by themselves.
    fn flaws(&self) -> impl Iterator<Item = usize> {
        self.judged.iter().filter_map(Judged::bad).flat_map(BooleanBuffer::set_indices)
    }

    /// Whether a row is bad by itself.
    pub(super) fn is_flawed(&self, row: usize) -> bool {
        let bad = self.judged.as_ref().and_then(Judged::bad);
        bad.is_some_and(|bad| row < bad.len() && bad.value(row))
    }

    /// Returns a row's place among the rows of its record; of a row without a record, among all rows of its table.
    pub(super) fn ordinal(&self, row: usize) -> u64 {
        match self.offsets() {
            Some(offsets) => (row - first_of(offsets, row)) as u64,
            None => self.first_ordinal + row as u64,
        }
    }

    /// Whether a bad row takes its whole record with it.
    pub(super) fn convicts_records(&self) -> bool {
        self.judged.as_ref().is_some_and(|judged| judged.unit() == VerdictUnit::Record)
    }

    /// Decides which rows go to quarantine: those that are bad by themselves, and those whose record is.
    pub(super) fn convict(&mut self, bad: &Bad) {
        let by_itself = self.judged.as_ref().and_then(Judged::bad).cloned();
        let by_record = self.offsets().and_then(|offsets| bad.rows_of(offsets));
        self.quarantined = match (by_itself, by_record) {
            (Some(one), Some(other)) => Some(&one | &other),
            (one, other) => one.or(other),
        };
    }

    /// Marks the rows that go to quarantine. None: all are good.
    pub(super) fn quarantined(&self) -> Option<&BooleanBuffer> {
        self.quarantined.as_ref()
    }

    pub(super) fn count_quarantined(&self) -> u64 {
        self.quarantined.as_ref().map_or(0, |rows| rows.count_set_bits() as u64)
    }

    /// Returns the good rows as they are written, and where they come from.
    pub(super) fn good_rows(&self) -> Result<Option<(RecordBatch, Option<Spans>)>, ArrowError> {
        let Some(judged) = &self.judged else { return Ok(None) };
        let (rows, spans) = (judged.rows(), judged.batch().spans());
        let Some(quarantined) = &self.quarantined else { return Ok(Some((rows.clone(), spans.cloned()))) };
        let good = BooleanArray::new(!quarantined, None);
        let spans = spans.map(|spans| spans.filter(&good)).transpose()?;
        Ok(Some((filter_record_batch(rows, &good)?, spans)))
    }

    /// Lists the rows that go to quarantine, ascending, each with its place among the rows of its record.
    fn bad_places(&self, table: usize) -> impl Iterator<Item = Place> {
        let offsets = self.offsets();
        let (mut record, mut first) = (None, 0);
        self.quarantined.iter().flat_map(BooleanBuffer::set_indices).map(move |row| {
            let offset = offsets.and_then(|offsets| offsets.get(row)).copied();
            let ordinal = match (offset, offsets) {
                (Some(offset), Some(offsets)) => {
                    if record != Some(offset) {
                        (record, first) = (Some(offset), first_of(offsets, row));
                    }
                    (row - first) as u64
                }
                _ => self.first_ordinal + row as u64,
            };
            Place { offset, what: What::Row { rank: self.rank, table, row, ordinal } }
        })
    }
}

/// Lists tables with their numbers, by name.
pub(super) fn by_rank(due: &[Due]) -> Vec<(usize, &Due)> {
    let mut tables: Vec<(usize, &Due)> = due.iter().enumerate().collect();
    tables.sort_by_key(|(_, due)| due.rank);
    tables
}

/// Returns the first row of a row's record.
fn first_of(offsets: &[u64], row: usize) -> usize {
    let record = offsets.get(row);
    row - offsets.iter().take(row).rev().take_while(|before| Some(*before) == record).count()
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
        rank: usize,
        table: usize,
        row: usize,
        ordinal: u64,
    },
}

/// Merges what is bad, from lists that are in order each by itself. Nothing is gathered: there may be millions.
pub(super) fn in_order<'a>(due: &'a [Due], rejections: &'a [Rejection]) -> impl Iterator<Item = Place> + 'a {
    let unreadable = rejections
        .iter()
        .enumerate()
        .map(|(at, rejection)| Place { offset: Some(rejection.at.offset), what: What::Unreadable(at) });
    let mut lists: Vec<Box<dyn Iterator<Item = Place> + 'a>> = vec![Box::new(unreadable)];
    lists.extend(due.iter().enumerate().map(|(table, due)| Box::new(due.bad_places(table)) as _));
    let mut heads = BinaryHeap::with_capacity(lists.len());
    heads.extend(lists.iter_mut().enumerate().filter_map(|(at, list)| Some(Reverse((list.next()?, at)))));
    std::iter::from_fn(move || {
        let Reverse((place, at)) = heads.pop()?;
        heads.extend(lists.get_mut(at).and_then(Iterator::next).map(|next| Reverse((next, at))));
        Some(place)
    })
}

/// The first reason for which a record is bad.
#[derive(Debug, Clone)]
pub(super) enum Culprit {
    Unreadable,
    Row { table: usize, ordinal: u64 },
}

/// The bad records among those that a commit releases, ascending by offset, each once.
#[derive(Default)]
pub(super) struct Bad {
    records: Vec<(u64, Culprit)>,
    /// Records of which a bad row leaves the others alone, ascending.
    touched: Vec<u64>,
}

impl Bad {
    /// Finds the records that are bad for what is wrong with their rows, or for not being readable.
    pub(super) fn among(due: &[Due], rejections: &[Rejection]) -> Self {
        let mut bad = Self::default();
        bad.records.extend(rejections.iter().map(|rejection| (rejection.at.offset, Culprit::Unreadable)));
        for (table, due) in by_rank(due) {
            let Some(offsets) = due.offsets() else { continue };
            let flaws = due.flaws().filter_map(|row| Some((row, *offsets.get(row)?)));
            if !due.convicts_records() {
                bad.touched.extend(flaws.map(|(_, offset)| offset));
                continue;
            }
            let mut last = None;
            for (row, offset) in flaws.filter(|(_, offset)| last.replace(*offset) != Some(*offset)) {
                let ordinal = (row - first_of(offsets, row)) as u64;
                bad.records.push((offset, Culprit::Row { table, ordinal }));
            }
        }
        bad.in_order()
    }

    /// Adds what was found out later.
    pub(super) fn with(mut self, records: Vec<(u64, Culprit)>, touched: Vec<u64>) -> Self {
        if records.is_empty() && touched.is_empty() {
            return self;
        }
        self.records.extend(records);
        self.touched.extend(touched);
        self.in_order()
    }

    /// The first reason that was given for a record stays.
    fn in_order(mut self) -> Self {
        self.records.sort_by_key(|(offset, _)| *offset);
        self.records.dedup_by_key(|(offset, _)| *offset);
        self.touched.sort_unstable();
        self.touched.dedup();
        self
    }

    /// Returns why a record is bad as a whole.
    pub(super) fn culprit(&self, offset: u64) -> Option<&Culprit> {
        let at = self.records.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        self.records.get(at).map(|(_, culprit)| culprit)
    }

    /// Marks the rows whose record is bad as a whole. `offsets` are ascending. None: there are none.
    fn rows_of(&self, offsets: &[u64]) -> Option<BooleanBuffer> {
        let (first, last) = (offsets.first()?, offsets.last()?);
        let from = self.records.partition_point(|(offset, _)| offset < first);
        let mut records = self.records.iter().skip(from).map(|(offset, _)| offset).peekable();
        records.peek().filter(|offset| **offset <= last)?;
        let mut is_bad = |offset: &u64| {
            while records.next_if(|record| *record < offset).is_some() {}
            records.peek().is_some_and(|record| *record == offset)
        };
        let mut offsets = offsets.iter();
        Some(BooleanBuffer::collect_bool(offsets.len(), |_| offsets.next().is_some_and(&mut is_bad)))
    }

    fn has_quarantined(&self, offset: u64) -> bool {
        self.culprit(offset).is_some() || self.touched.binary_search(&offset).is_ok()
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.touched.is_empty()
    }
}

/// Lists the records that a commit releases, ascending, each once.
pub(super) fn records_of(due: &[Due], rejections: &[Rejection], bad: &Bad) -> Vec<Record> {
    let mut spans: Vec<Span> = Vec::new();
    for of_table in due.iter().filter_map(|due| due.judged.as_ref()?.batch().spans()) {
        for span in of_table.iter() {
            if spans.last() != Some(&span) {
                spans.push(span);
            }
        }
    }
    spans.extend(rejections.iter().map(|rejection| rejection.at));
    // They are a few lists one behind the other, each in order: the stable sort finds them and merges.
    spans.sort();
    spans.dedup();
    let clean = bad.is_empty();
    let record = |at: Span| Record { at, accepted: clean || !bad.has_quarantined(at.offset) };
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

    pub(super) fn accepted(&self, rows: RecordBatch, spans: Option<Spans>) -> Accepted {
        let record_no = self.column(spans.as_ref(), rows.num_rows());
        Accepted::new(rows, record_no, spans.map(|spans| (spans.offset, spans.length)))
    }

    /// The record number of every row. Rows and records are both in offset order, so one walk finds them all.
    fn column(&self, spans: Option<&Spans>, count: usize) -> UInt64Array {
        let Some(spans) = spans else { return UInt64Array::new_null(count) };
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

//! Many records at once, where they are as they should be: every one as wide as the table, quotes by the book.
//!
//! A block's delimiters and ends of lines are found sixty-four bytes at a time; records whose last cell ends where the line does are
//! taken in runs, column by column. What is anything else is left to [`crate::reader`], one record at a time. Both come to the same.

use casparian_sdk::column::{At, Cut, Text};
use casparian_sdk::dynamic::Dynamic;
use casparian_sdk::prelude::*;
use casparian_sdk::scan::{Cells, Grid, Quotes, find};

use crate::dialect::{Dialect, Ends};
use crate::encoding::is_readable;
use crate::reader::Records;

/// Bytes whose cells are found at a time.
const BLOCK_BYTES: usize = 48 << 10;

/// The run of regular records at the start of the view, and the index that it was found by.
#[derive(Default)]
pub struct Runs {
    cells: Cells,
    /// Where in the input the indexed block starts, and where it ends.
    block: Span,
    /// Whether the block can be read by its index.
    is_regular: bool,
    /// Cells and records of the block that were passed.
    passed: (usize, usize),
    /// Opening quotes of the block that were passed.
    passed_opens: usize,
    /// Which columns of a run have a cell that is quoted.
    has_quoted: Vec<bool>,
    spans: Vec<(u64, u32)>,
    scratch: Vec<u8>,
}

/// Whether tables of a dialect can be read in runs at all.
pub fn suits(dialect: &Dialect, usual: usize) -> bool {
    let is_narrow = dialect.delimiter.len() == 1 && usual >= 2;
    is_narrow && !dialect.encoding.is_wide() && dialect.ends != Ends::Any
}

impl Runs {
    /// Writes the regular records at the start of the view that begin before `end`, and passes them. Returns whether there were
    /// any.
    pub fn take(
        &mut self,
        records: &mut Records<'_, '_>,
        end: u64,
        rows: &mut Table<'_, Dynamic>,
    ) -> Result<bool, Fault> {
        if records.source.offset() >= self.block.end() {
            self.index(records);
        }
        if !self.is_regular {
            return Ok(false);
        }
        let Some((first, count)) = self.run(records, end) else { return Ok(false) };
        self.write(records, first, rows)?;
        let behind = self.spans.last().map_or(0, |last| last.0 + u64::from(last.1));
        records.source.consume((behind - records.source.offset()) as usize);
        self.passed = (first + count * records.plan.usual, self.passed.1 + count);
        Ok(true)
    }

    /// Finds the cells of the block at the start of the view.
    fn index(&mut self, records: &mut Records<'_, '_>) {
        while records.source.text().len() < BLOCK_BYTES && records.source.grow() {}
        let text = records.source.text();
        let block = &text[..text.len().min(BLOCK_BYTES)];
        let dialect = records.dialect;
        let end = if dialect.ends == Ends::Return { b'\r' } else { b'\n' };
        self.cells.fill(block, dialect.delimiter[0], end, dialect.quote);
        (self.passed, self.passed_opens) = ((0, 0), 0);
        // A block ends with a record: what follows it may be half a character.
        let whole = self.cells.record_ends().last().map_or(0, |last| *last as usize + 1);
        self.is_regular = whole > 0 && is_taken(&block[..whole], dialect, self.cells.quotes());
        self.block = Span::new(records.source.offset(), (if whole > 0 { whole } else { block.len() }) as u64);
    }

    /// Looks for records of the table's width at the start of the view. Fills `spans`; returns where their cells start in the index,
    /// and how many records there are.
    fn run(&mut self, records: &Records<'_, '_>, end: u64) -> Option<(usize, usize)> {
        let at = (records.source.offset() - self.block.offset) as u32;
        let (mut cell, mut record) = self.passed;
        let (ends, record_ends) = (self.cells.ends(), self.cells.record_ends());
        // What was read one at a time meanwhile is passed here.
        while *ends.get(cell)? < at {
            cell += 1;
        }
        while *record_ends.get(record)? < at {
            record += 1;
        }
        self.passed = (cell, record);
        // A record that was read one at a time may have ended where the index sees none.
        let begins = at == 0 || record > 0 && record_ends[record - 1] + 1 == at;
        if !begins {
            self.is_regular = false;
            return None;
        }
        self.collect(records, end, (cell, record), at);
        (!self.spans.is_empty()).then_some((cell, self.spans.len()))
    }

    /// Fills `spans` with the records from a place of the index on that are as wide as the table.
    fn collect(&mut self, records: &Records<'_, '_>, end: u64, place: (usize, usize), at: u32) {
        let usual = records.plan.usual;
        let (ends, record_ends) = (&self.cells.ends()[place.0..], &self.cells.record_ends()[place.1..]);
        let text = records.source.text();
        // Records that begin before the range ends, by their places in the block.
        let before = (end - self.block.offset).min(u64::from(u32::MAX)) as u32;
        let special = Special::new(records);
        let mut start = at;
        self.spans.clear();
        self.spans.reserve(record_ends.len());
        loop {
            let taken = self.spans.len();
            let (ends, record_ends) = (&ends[taken * usual..], &record_ends[taken..]);
            let is_wanted = |start: u32, end: u32| {
                start < before && !special.may_be(text.get((start - at) as usize), end - start)
            };
            start = regular(ends, usual, record_ends, start, &is_wanted, self.block.offset, &mut self.spans);
            // What looked like something else may be a record all the same.
            let taken = self.spans.len() - taken;
            let (Some(cell_end), Some(record_end)) =
                (ends.get(taken * usual + usual - 1), record_ends.get(taken))
            else {
                return;
            };
            let line = &text[(start - at) as usize..(*record_end - at) as usize];
            if cell_end != record_end || start >= before || special.is(line) {
                return;
            }
            self.spans.push((self.block.offset + u64::from(start), record_end + 1 - start));
            start = record_end + 1;
        }
    }

    /// Writes the records of `spans` column by column.
    fn write(
        &mut self,
        records: &Records<'_, '_>,
        first: usize,
        rows: &mut Table<'_, Dynamic>,
    ) -> Result<(), Fault> {
        let usual = records.plan.usual;
        let Some((view, _)) = records.source.padded() else { return Ok(()) };
        let at = (records.source.offset() - self.block.offset) as usize;
        let ends = &self.cells.ends()[first..first + self.spans.len() * usual];
        let quotes = self.cells.quotes();
        let quote = records.dialect.quote.filter(|_| quotes != Quotes::None);
        mark_quoted(&mut self.has_quoted, usual, ends, self.cells.opens(), &mut self.passed_opens);
        let feeds = records.dialect.ends == Ends::Feed;
        let mut row = rows.rows(&self.spans)?;
        let row_at = row.at();
        let grid = Grid::new(ends, usual, at as u32);
        for column in 0..usual {
            let Some(text) = row.text(column) else { continue };
            let trimmed = Some(b'\r').filter(|_| feeds && column + 1 == usual);
            match quote.filter(|_| self.has_quoted[column]) {
                Some(quote) if quotes == Quotes::Doubled => {
                    quoted(text, row_at, view, (&grid, column, trimmed), quote, &mut self.scratch);
                }
                quote => text.set_column(row_at, view, &grid, column, Cut { behind: trimmed, quote }),
            }
        }
        Ok(())
    }
}

/// Finds out which columns have a cell that is quoted: quotes that open one are few, or stand in the next cell.
fn mark_quoted(has_quoted: &mut Vec<bool>, usual: usize, ends: &[u32], opens: &[u32], passed: &mut usize) {
    has_quoted.clear();
    has_quoted.resize(usual, false);
    let Some(last) = ends.last() else { return };
    let mut cell = 0;
    for open in opens[*passed..].iter().take_while(|open| *open <= last) {
        *passed += 1;
        cell += leap(&ends[cell..], *open);
        has_quoted[cell % usual] = true;
    }
}

/// How many of the ends lie before a place: in steps that double, then halve.
fn leap(ends: &[u32], place: u32) -> usize {
    let mut step = 1;
    while ends.get(step - 1).is_some_and(|end| *end < place) {
        step *= 2;
    }
    let from = step / 2;
    from + ends[from..ends.len().min(step)].partition_point(|end| *end < place)
}

/// Writes a column in which cells may be quoted.
fn quoted(
    text: &mut Text,
    at: At,
    view: &[u8],
    (grid, column, trimmed): (&Grid<'_>, usize, Option<u8>),
    quote: u8,
    scratch: &mut Vec<u8>,
) {
    for (row, (start, end)) in grid.cells(0, column).enumerate() {
        let end = end - usize::from(end > start && trimmed == Some(view[end - 1]));
        let at = at.plus(row as u32);
        if end < start + 2 || view[start] != quote {
            text.set_slice(at, view, start, end);
        } else if find(&view[start + 1..end - 1], quote).is_none() {
            text.set_slice(at, view, start + 1, end - 1);
        } else {
            scratch.clear();
            undouble(&view[start + 1..end - 1], quote, scratch);
            text.set_slice(at, scratch, 0, scratch.len());
        }
    }
}

fn undouble(cell: &[u8], quote: u8, into: &mut Vec<u8>) {
    let mut bytes = cell.iter();
    while let Some(byte) = bytes.next() {
        into.push(*byte);
        if *byte == quote {
            bytes.next();
        }
    }
}

/// Whether a block can be read by its index.
fn is_taken(block: &[u8], dialect: &Dialect, quotes: Quotes) -> bool {
    let is_plain = match quotes {
        Quotes::None => true,
        Quotes::Tidy | Quotes::Doubled => !dialect.spaces && dialect.ends == Ends::Feed,
        Quotes::Untidy => false,
    };
    let is_escaped = dialect.backslash && memchr::memchr(b'\\', block).is_some();
    let is_decoded =
        if dialect.encoding.is_single() { block.is_ascii() } else { is_readable(dialect.encoding, block) };
    is_plain && !is_escaped && is_decoded
}

/// Adds records as long as each has `usual` cells and is wanted; returns where the next one begins. Nothing is called from here:
/// what is alive across a call goes through memory in the sandbox.
#[inline(never)]
fn regular(
    ends: &[u32],
    usual: usize,
    record_ends: &[u32],
    mut start: u32,
    is_wanted: &impl Fn(u32, u32) -> bool,
    offset: u64,
    spans: &mut Vec<(u64, u32)>,
) -> u32 {
    let room = spans.capacity() - spans.len();
    let taken = ends.chunks_exact(usual).zip(record_ends).take(room).map_while(|(ends, record_end)| {
        let span = (offset + u64::from(start), record_end + 1 - start);
        let is_regular = ends[usual - 1] == *record_end && is_wanted(start, *record_end);
        start = if is_regular { record_end + 1 } else { start };
        is_regular.then_some(span)
    });
    spans.extend(taken);
    start
}

/// What a record of the right width may be all the same: a comment, or the header once more.
struct Special<'c> {
    comment: Option<u8>,
    header: &'c [u8],
}

impl<'c> Special<'c> {
    fn new(records: &Records<'_, 'c>) -> Special<'c> {
        Special { comment: records.dialect.comment.first().copied(), header: &records.plan.header }
    }

    /// Whether a line may be one of them, by its first byte and its length.
    #[inline(always)]
    fn may_be(&self, first: Option<&u8>, length: u32) -> bool {
        let may_be_header =
            (length as usize).abs_diff(self.header.len()) <= 1 && first == self.header.first();
        may_be_header || first.is_some() && first == self.comment.as_ref()
    }

    /// Whether a line is one of them.
    fn is(&self, line: &[u8]) -> bool {
        let is_comment = self.comment.is_some() && line.first() == self.comment.as_ref();
        let is_header = !self.header.is_empty()
            && line.len().abs_diff(self.header.len()) <= 1
            && line.starts_with(self.header);
        is_comment || is_header
    }
}

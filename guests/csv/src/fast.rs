//! Many records at once, where they are as they should be: every one as wide as the table, quotes by the book.
//!
//! A block's delimiters and ends of lines are found sixty-four bytes at a time; records whose last cell ends where the line does are
//! taken in runs, column by column. What is anything else is left to [`crate::reader`], one record at a time. Both come to the same.

use casparian_sdk::column::{At, Text};
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
        let length = self.spans.iter().map(|span| span.1 as usize).sum();
        records.source.consume(length);
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
        self.passed = (0, 0);
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
        let bounds = self.block.offset..end;
        let mut start = at;
        self.spans.clear();
        for (ends, record_end) in ends.chunks_exact(usual).zip(record_ends) {
            let offset = bounds.start + u64::from(start);
            if ends[usual - 1] != *record_end
                || offset >= bounds.end
                || is_special(records, at, start, *record_end)
            {
                return;
            }
            self.spans.push((offset, record_end + 1 - start));
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
        let quote = records.dialect.quote.filter(|_| self.cells.quotes() == Quotes::Tidy);
        let feeds = records.dialect.ends == Ends::Feed;
        let mut row = rows.rows(&self.spans)?;
        let row_at = row.at();
        let grid = Grid::new(ends, usual, at as u32);
        for column in 0..usual {
            let Some(text) = row.text(column) else { continue };
            let trimmed = Some(b'\r').filter(|_| feeds && column + 1 == usual);
            match quote.filter(|quote| has_quoted(view, &grid, column, *quote)) {
                None => text.set_column(row_at, view, &grid, column, trimmed),
                Some(quote) => quoted(text, row_at, view, (&grid, column, trimmed), quote, &mut self.scratch),
            }
        }
        Ok(())
    }
}

/// Whether a column has a cell that is quoted.
fn has_quoted(view: &[u8], grid: &Grid<'_>, column: usize, quote: u8) -> bool {
    let mut found = false;
    grid.each(column, |start, _| found |= view.get(start) == Some(&quote));
    found
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
    let mut row = 0;
    grid.each(column, |start, end| {
        let end = end - usize::from(end > start && trimmed == Some(view[end - 1]));
        let at = at.plus(row);
        row += 1;
        if end < start + 2 || view[start] != quote {
            text.set_slice(at, view, start, end);
        } else if find(&view[start + 1..end - 1], quote).is_none() {
            text.set_slice(at, view, start + 1, end - 1);
        } else {
            scratch.clear();
            undouble(&view[start + 1..end - 1], quote, scratch);
            text.set_slice(at, scratch, 0, scratch.len());
        }
    });
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
        Quotes::Tidy => !dialect.spaces && dialect.ends == Ends::Feed,
        Quotes::Untidy => false,
    };
    let is_escaped = dialect.backslash && memchr::memchr(b'\\', block).is_some();
    let is_decoded =
        if dialect.encoding.is_single() { block.is_ascii() } else { is_readable(dialect.encoding, block) };
    is_plain && !is_escaped && is_decoded
}

/// Whether a record of the right width may still be something else: a comment, or the header once more.
#[inline(always)]
fn is_special(records: &Records<'_, '_>, at: u32, start: u32, end: u32) -> bool {
    let text = records.source.text();
    let (start, end) = ((start - at) as usize, (end - at) as usize);
    let header = &records.plan.header;
    let is_comment = records.dialect.comment.first().is_some_and(|first| text.get(start) == Some(first));
    let is_header = !header.is_empty()
        && (end - start).abs_diff(header.len()) <= 1
        && text[start..end].starts_with(header);
    is_comment || is_header
}

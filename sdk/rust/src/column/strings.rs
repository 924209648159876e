//! Columns of text and of bytes: where a parser of text spends its time. What they do many times is done in small functions.

use super::{At, Column, validity};
use crate::ipc::{Body, narrow, wide};
use crate::scan::Grid;

/// What is no part of the cells of a column.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cut {
    /// A byte that they may end with, as the last ones of records do where lines end by two.
    pub behind: Option<u8>,
    /// What those that are quoted begin and end with, without that byte.
    pub quote: Option<u8>,
}

/// Bytes of cells, one behind the other: what text and binary columns share.
struct Strings {
    /// Where in `data` the cell of each row ends, `rows` of them, then room for more. A row without a cell ends where the one
    /// before it does.
    ends: Vec<u32>,
    rows: usize,
    /// Rows without a cell among them: from, and up to.
    gaps: Vec<(u32, u32)>,
    /// How many rows that is.
    missing: usize,
    /// `used` bytes of cells, then room for at least one fixed-size copy (once anything was stored).
    data: Vec<u8>,
    used: usize,
    /// 64-bit offsets.
    wide: bool,
}

/// Cells of up to this many bytes are stored by one copy of this size.
const COPY: usize = 32;

impl Strings {
    const fn new(wide: bool) -> Strings {
        Strings { ends: Vec::new(), rows: 0, gaps: Vec::new(), missing: 0, data: Vec::new(), used: 0, wide }
    }

    #[inline]
    fn is_set(&self, at: At) -> bool {
        (at.0 as usize) < self.rows
    }

    /// Stores `block[start..end]` by one fixed-size copy where that stays inside both blocks.
    #[inline]
    fn set_slice(&mut self, at: At, block: &[u8], start: usize, end: usize) {
        if self.is_set(at) {
            return;
        }
        let len = end.wrapping_sub(start);
        let from = block.get(start..).and_then(|rest| rest.first_chunk::<COPY>());
        let into = self.data.get_mut(self.used..).and_then(|rest| rest.first_chunk_mut::<COPY>());
        match (from, into) {
            (Some(from), Some(into)) if len <= COPY => *into = *from,
            _ => self.store(&block[start..end]),
        }
        let used = self.used + len;
        let row = at.0 as usize;
        match self.ends.get_mut(row).filter(|_| row == self.rows) {
            Some(slot) => *slot = used as u32,
            None => self.set_end(row, used as u32),
        }
        (self.used, self.rows) = (used, row + 1);
    }

    /// Notes where the cell of a row ends that is not the next one, or has no room yet.
    #[inline(never)]
    fn set_end(&mut self, row: usize, end: u32) {
        self.pass_over(row);
        self.make_rows(row + 1);
        self.ends[row] = end;
    }

    /// Stores a column of a grid, one cell for each row from `at` on. Where the first of them has its cell already, all have.
    #[inline(never)]
    fn set_column(
        &mut self,
        at: At,
        block: &[u8],
        grid: &Grid<'_>,
        column: usize,
        cut: impl Fn(usize, usize) -> (usize, usize),
    ) {
        if self.is_set(at) || column >= grid.width() || grid.records() == 0 {
            return;
        }
        // All the cells together are shorter than the records, so there is room for a fixed-size copy behind each.
        self.make_room(grid.end().min(block.len()));
        self.pass_over(at.0 as usize);
        let rows = self.rows + grid.records();
        self.make_rows(rows);
        let ends = &mut self.ends[self.rows..rows];
        let (mut row, mut used) = (0, self.used);
        loop {
            (row, used) = copy_short(block, &mut self.data, used, (grid, column), row, ends, &cut);
            let Some(slot) = ends.get_mut(row) else { break };
            let (start, end) = grid.cell(row, column);
            let (start, end) = cut(start, end);
            self.data[used..used + (end - start)].copy_from_slice(&block[start..end]);
            used += end - start;
            *slot = used as u32;
            row += 1;
        }
        (self.used, self.rows) = (used, rows);
    }

    /// Notes that there is no cell up to a row.
    fn pass_over(&mut self, row: usize) {
        if row > self.rows {
            self.make_rows(row);
            self.ends[self.rows..row].fill(self.used as u32);
            self.gaps.push((self.rows as u32, row as u32));
            self.missing += row - self.rows;
            self.rows = row;
        }
    }

    /// Makes room for the ends of so many rows, growing by doubling.
    fn make_rows(&mut self, rows: usize) {
        if rows > self.ends.len() {
            self.ends.resize(rows.next_power_of_two().max(1 << 6), 0);
        }
    }

    /// Makes room for so many bytes, and for a fixed-size copy behind them, growing by doubling.
    fn make_room(&mut self, bytes: usize) {
        let room = self.used + bytes + COPY;
        if room > self.data.len() {
            self.data.resize(room.next_power_of_two().max(1 << 10), 0);
        }
    }

    /// Puts `bytes` behind what is stored, and keeps room for a fixed-size copy behind them.
    #[inline(never)]
    fn store(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.data[self.used..self.used + bytes.len()].copy_from_slice(bytes);
    }

    #[inline(never)]
    fn write(&mut self, rows: u32, body: &mut Body) {
        self.pass_over(rows as usize);
        body.node_but(rows, self.missing, &self.gaps);
        if self.wide {
            body.ends(&self.ends[..self.rows], wide);
        } else {
            body.ends(&self.ends[..self.rows], narrow);
        }
        body.buffer_of(&self.data[..self.used]);
        self.gaps.clear();
        (self.rows, self.missing, self.used) = (0, 0, 0);
    }

    fn bytes(&self, rows: usize) -> usize {
        self.used + rows * if self.wide { 8 } else { 4 } + validity(rows, self.rows - self.missing)
    }
}

/// Copies cells of a column from a record on, up to one that takes more than a fixed-size copy, and notes their ends; returns
/// which record that is, and what of `data` is used. Nothing else is called from here: what is alive across a call goes
/// through memory in the sandbox.
#[inline(never)]
fn copy_short(
    block: &[u8],
    data: &mut [u8],
    mut used: usize,
    (grid, column): (&Grid<'_>, usize),
    mut row: usize,
    ends: &mut [u32],
    cut: impl Fn(usize, usize) -> (usize, usize),
) -> (usize, usize) {
    let Some(slots) = ends.get_mut(row..) else { return (row, used) };
    for ((start, end), slot) in grid.cells(row, column).zip(slots) {
        let (start, end) = cut(start, end);
        let len = end.wrapping_sub(start);
        let from = block.get(start..).and_then(|rest| rest.first_chunk::<COPY>());
        let into = data.get_mut(used..).and_then(|rest| rest.first_chunk_mut::<COPY>());
        let (Some(from), Some(into), true) = (from, into, len <= COPY) else { break };
        *into = *from;
        used = used.wrapping_add(len);
        *slot = used as u32;
        row += 1;
    }
    (row, used)
}

/// Returns where a cell ends without a byte that may be its last.
#[inline(always)]
fn trim(block: &[u8], start: usize, end: usize, byte: u8) -> usize {
    end - usize::from(end > start && block.get(end.wrapping_sub(1)) == Some(&byte))
}

/// A column of text. What is stored is UTF-8: a batch with anything else is the parser's fault and ends the run.
pub struct Text(Strings);

impl Text {
    pub(crate) const fn new(wide: bool) -> Text {
        Text(Strings::new(wide))
    }

    /// Sets the cell of a row.
    #[inline]
    pub fn set(&mut self, at: At, text: &str) {
        self.0.set_slice(at, text.as_bytes(), 0, text.len());
    }

    /// Sets the cell of a row, if the bytes are UTF-8; returns whether they are.
    #[inline]
    pub fn set_utf8(&mut self, at: At, bytes: &[u8]) -> bool {
        let valid = crate::scan::is_utf8(bytes);
        if valid {
            self.0.set_slice(at, bytes, 0, bytes.len());
        }
        valid
    }

    /// Sets the cell of a row to `block[start..end]`, which the caller knows to be UTF-8 (having checked the block). The fastest
    /// way where `block` goes on for 32 bytes, as [`crate::Window::padded`] does.
    #[inline]
    pub fn set_slice(&mut self, at: At, block: &[u8], start: usize, end: usize) {
        self.0.set_slice(at, block, start, end);
    }

    /// Sets the cells of as many rows as a grid has records, from the row `at` on, to what stands in one of its columns, which the
    /// caller knows to be UTF-8, less what is cut off. As [`Text::set_slice`] is, it is fastest where `block` goes on for 32 bytes.
    pub fn set_column(&mut self, at: At, block: &[u8], grid: &Grid<'_>, column: usize, cut: Cut) {
        match cut {
            Cut { behind: None, quote: None } => {
                self.0.set_column(at, block, grid, column, |start, end| (start, end));
            }
            Cut { behind: Some(byte), quote: None } => {
                self.0
                    .set_column(at, block, grid, column, |start, end| (start, trim(block, start, end, byte)));
            }
            Cut { behind, quote: Some(quote) } => self.0.set_column(at, block, grid, column, |start, end| {
                let end = behind.map_or(end, |byte| trim(block, start, end, byte));
                let quoted = usize::from(end >= start + 2 && block.get(start) == Some(&quote));
                (start + quoted, end - quoted)
            }),
        }
    }

    /// Returns whether the row has its cell.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        self.0.is_set(at)
    }
}

impl Column for Text {
    fn bytes(&mut self, rows: usize) -> usize {
        self.0.bytes(rows)
    }
    fn write(&mut self, rows: u32, body: &mut Body) {
        self.0.write(rows, body);
    }
}

/// A column of bytes.
pub struct Binary(Strings);

impl Binary {
    pub(crate) const fn new() -> Binary {
        Binary(Strings::new(false))
    }

    /// Sets the cell of a row.
    #[inline]
    pub fn set(&mut self, at: At, bytes: &[u8]) {
        self.0.set_slice(at, bytes, 0, bytes.len());
    }

    /// Sets the cell of a row to `block[start..end]`. The fastest way where `block` goes on for 32 bytes.
    #[inline]
    pub fn set_slice(&mut self, at: At, block: &[u8], start: usize, end: usize) {
        self.0.set_slice(at, block, start, end);
    }

    /// Returns whether the row has its cell.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        self.0.is_set(at)
    }
}

impl Column for Binary {
    fn bytes(&mut self, rows: usize) -> usize {
        self.0.bytes(rows)
    }
    fn write(&mut self, rows: u32, body: &mut Body) {
        self.0.write(rows, body);
    }
}

//! Where cells and records of delimited text end, sixty-four bytes at a time.

use super::lanes::Needle;
use super::{Index, WORD, find, padded, within};

/// How the quotes of a block are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quotes {
    /// There are none.
    #[default]
    None,
    /// Every one begins a cell or ends one.
    Tidy,
    /// Every one begins a cell, ends one, or is one of two that stand for one.
    Doubled,
    /// There are others: the index is of no use.
    Untidy,
}

/// Where the cells and the records of a block of delimited text end, kept between blocks so that the memory is.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    ends: Index,
    record_ends: Index,
    opens: Index,
    quotes: Quotes,
}

impl Cells {
    /// Makes an empty index.
    pub fn new() -> Cells {
        Cells::default()
    }

    /// Finds every `delimiter` and every `end` of a record outside of quotes in a block that begins with a record.
    pub fn fill(&mut self, block: &[u8], delimiter: u8, end: u8, quote: Option<u8>) {
        let (words, rest) = block.as_chunks::<WORD>();
        let last = if rest.is_empty() { 0 } else { within(rest) };
        self.each_mut(|index| index.make_words(words.len() + 1));
        match quote.filter(|quote| find(block, *quote).is_some()) {
            None => {
                let needles = [delimiter, end].map(Needle::new);
                self.look(words, 0, u64::MAX, needles);
                self.look(&[padded(rest)], words.len(), last, needles);
                self.quotes = Quotes::None;
            }
            Some(quote) => {
                let mut quoting = Quoting::new(delimiter, end, quote);
                self.look_quoted(words, 0, u64::MAX, block, &mut quoting);
                self.look_quoted(&[padded(rest)], words.len(), last, block, &mut quoting);
                self.quotes = quoting.quotes();
            }
        }
        self.each_mut(|index| index.list(0));
    }

    /// Returns where cells end, ascending: at a delimiter, or where the record does.
    #[inline]
    pub fn ends(&self) -> &[u32] {
        self.ends.positions()
    }

    /// Returns where records end, ascending.
    #[inline]
    pub fn record_ends(&self) -> &[u32] {
        self.record_ends.positions()
    }

    /// Returns where quotes open a cell, ascending, and the second ones of two that stand for one.
    #[inline]
    pub fn opens(&self) -> &[u32] {
        self.opens.positions()
    }

    /// Returns how the quotes of the block are.
    pub fn quotes(&self) -> Quotes {
        self.quotes
    }

    fn each_mut(&mut self, change: impl FnMut(&mut Index)) {
        [&mut self.ends, &mut self.record_ends, &mut self.opens].into_iter().for_each(change);
    }

    /// Notes what is found in words, the first of which is the block's `number`th, where there are no quotes.
    #[inline(never)]
    fn look(&mut self, words: &[[u8; WORD]], number: usize, within: u64, [delimiter, end]: [Needle; 2]) {
        let slots = self.ends.masks[number..].iter_mut().zip(&mut self.record_ends.masks[number..]);
        for (word, (ends, record_ends)) in words.iter().zip(slots) {
            let found = end.mask(word) & within;
            *record_ends = found;
            *ends = delimiter.mask(word) & within | found;
        }
    }

    /// Notes what is found in words outside of quotes. A function of its own: with registers of its own, that is, where all
    /// that a parser does becomes one large function otherwise.
    #[inline(never)]
    fn look_quoted(
        &mut self,
        words: &[[u8; WORD]],
        number: usize,
        within: u64,
        block: &[u8],
        quoting: &mut Quoting,
    ) {
        let mut state = *quoting;
        let slots = self.ends.masks[number..].iter_mut().zip(&mut self.record_ends.masks[number..]);
        let slots = slots.zip(&mut self.opens.masks[number..]);
        let mut next = number * WORD + WORD;
        for (word, ((ends, record_ends), opens)) in words.iter().zip(slots) {
            let found = state.look(word, block.get(next), within);
            (*ends, *record_ends, *opens) = found;
            next += WORD;
        }
        *quoting = state;
    }
}

/// What is looked for, whether a word begins within quotes, and what its first byte may be.
#[derive(Clone, Copy)]
struct Quoting {
    delimiter: Needle,
    end: Needle,
    quote: Needle,
    feed: Needle,
    end_byte: u8,
    /// All ones within quotes.
    inside: u64,
    /// Whether a quote may open a cell at the first byte.
    may_open: u64,
    /// Whether the byte before was a quote that closed.
    closed: u64,
    /// Quotes that are none of a cell's.
    stray: u64,
    /// Quotes that stand for one with the one before.
    doubled: u64,
}

impl Quoting {
    fn new(delimiter: u8, end: u8, quote: u8) -> Quoting {
        Quoting {
            delimiter: Needle::new(delimiter),
            end: Needle::new(end),
            quote: Needle::new(quote),
            feed: Needle::new(b'\r'),
            end_byte: end,
            inside: 0,
            may_open: 1,
            closed: 0,
            stray: 0,
            doubled: 0,
        }
    }

    /// Finds the ends of cells and of records outside of quotes, and the quotes that open.
    #[inline(always)]
    fn look(&mut self, word: &[u8; WORD], next: Option<&u8>, within: u64) -> (u64, u64, u64) {
        let quotes = self.quote.mask(word) & within;
        let record_ends = self.end.mask(word) & within;
        let separators = self.delimiter.mask(word) & within | record_ends;
        let half_ends =
            self.feed.mask(word) & (record_ends >> 1 | u64::from(next == Some(&self.end_byte)) << 63);
        let inside = prefix_xor(quotes) ^ self.inside;
        let (opens, closes) = (quotes & inside, quotes & !inside);
        let behind_close = (closes << 1 | self.closed) & within;
        let stray_opens = opens & !((separators | quotes) << 1 | self.may_open);
        let stray_closes = behind_close & !(separators | quotes | half_ends);
        self.stray |= stray_opens | stray_closes;
        self.doubled |= behind_close & quotes;
        self.inside = (inside.cast_signed() >> 63).cast_unsigned();
        self.may_open = (separators | quotes) >> 63;
        self.closed = closes >> 63;
        (separators & !inside, record_ends & !inside, opens)
    }

    fn quotes(&self) -> Quotes {
        match (self.stray, self.doubled) {
            (0, 0) => Quotes::Tidy,
            (0, _) => Quotes::Doubled,
            _ => Quotes::Untidy,
        }
    }
}

/// Returns a word whose every bit says whether an odd number of bits is set up to it.
#[inline(always)]
fn prefix_xor(bits: u64) -> u64 {
    let mut bits = bits;
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Records of one width that follow each other in a block: where their cells end.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'i> {
    ends: &'i [u32],
    width: usize,
    shift: u32,
}

impl<'i> Grid<'i> {
    /// Makes a grid of the ends of cells, `width` to a record. The block that they are to be taken from begins `shift` bytes behind
    /// the one that was indexed, and with the first of the records.
    pub fn new(ends: &'i [u32], width: usize, shift: u32) -> Grid<'i> {
        Grid { ends, width: width.max(1), shift }
    }

    /// Returns how many records there are.
    pub fn records(&self) -> usize {
        self.ends.len() / self.width
    }

    /// Returns how many cells a record has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns where the last record ends.
    pub(crate) fn end(&self) -> usize {
        self.ends.last().map_or(0, |end| self.place(*end))
    }

    /// Lists the cells of a column from a record on: where each starts and ends in the block.
    #[inline(always)]
    pub fn cells(&self, record: usize, column: usize) -> impl Iterator<Item = (usize, usize)> + use<'i> {
        let grid = *self;
        let mut behind = match record
            .checked_sub(1)
            .and_then(|before| self.ends.get(before * self.width + self.width - 1))
        {
            Some(end) => self.place(*end) + 1,
            None => 0,
        };
        let records = self.ends.get(record * self.width..).unwrap_or_default().chunks_exact(self.width);
        records.map(move |record| {
            let first = behind;
            behind = grid.place(record[grid.width - 1]) + 1;
            let start = if column == 0 { first } else { grid.place(record[column - 1]) + 1 };
            (start, grid.place(record[column]))
        })
    }

    /// Returns where a cell starts and ends in the block.
    pub(crate) fn cell(&self, record: usize, column: usize) -> (usize, usize) {
        self.cells(record, column).next().unwrap_or((0, 0))
    }

    /// Returns where in the block something is that was indexed.
    #[inline(always)]
    fn place(&self, end: u32) -> usize {
        end.wrapping_sub(self.shift) as usize
    }
}

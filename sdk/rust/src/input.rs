//! The input: lines and records for whoever thinks in them, a window over the bytes for whoever does not.
//!
//! Whatever a host's reads return, blocks are filled to their full size: what a parser sees depends on the input alone.

use std::rc::Rc;

use crate::fault::Span;
use crate::host::Blob;
use crate::scan::{self, Index};

/// The one input of a run: random access, bounded. A parser never sees a path.
pub struct Input<'a> {
    blob: &'a dyn Blob,
    len: u64,
}

/// A read of the host returns 1 MiB at most.
const READ_MAX: u64 = 1 << 20;

impl<'a> Input<'a> {
    /// Wraps bytes that can be read anywhere.
    pub fn new(blob: &'a dyn Blob) -> Input<'a> {
        Input { blob, len: blob.len() }
    }

    /// Returns the base name of the file, for messages and for formats that carry meaning in it.
    pub fn name(&self) -> String {
        self.blob.name()
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns up to `len` bytes from `offset` on: fewer only at the end of the input.
    pub fn bytes(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.fill(offset, len, &mut bytes);
        bytes
    }

    /// Returns the lines that begin in `range`, the last one read past its end. A line ends with LF, CRLF or the input. A byte
    /// order mark is part of the first line.
    pub fn lines(&self, range: Span) -> Lines<'a> {
        self.records(range, b'\n')
    }

    /// Returns the stretches that end with `delimiter` (or the input) and begin in `range`.
    pub fn records(&self, range: Span, delimiter: u8) -> Lines<'a> {
        Lines::new(Input { ..*self }, range, delimiter)
    }

    /// Returns a window over the bytes from `offset` on.
    pub fn window(&self, offset: u64) -> Window<'a> {
        let offset = offset.min(self.len);
        Window {
            input: Input { ..*self },
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset,
            chunk: Window::CHUNK,
            cap: Window::CAP,
        }
    }

    /// Returns offsets just behind a `delimiter`, about `target_bytes` apart: where to cut for [`crate::Layout::cut_at`].
    pub fn cuts(&self, delimiter: u8, target_bytes: u64) -> Vec<u64> {
        let mut cuts = Vec::new();
        let mut next = target_bytes.max(1);
        while next < self.len
            && let Some(cut) = self.behind(delimiter, next - 1)
        {
            cuts.push(cut);
            next = cut.max(next).saturating_add(target_bytes);
        }
        cuts
    }

    /// Returns the offset behind the first `delimiter` at or past `from`.
    pub fn behind(&self, delimiter: u8, from: u64) -> Option<u64> {
        let mut window = self.window(from).with_chunk(16 << 10);
        while window.grow() == Grown::More {
            if let Some(at) = scan::find(window.bytes(), delimiter) {
                return Some(window.offset() + at as u64 + 1);
            }
            window.consume(window.bytes().len());
        }
        None
    }

    /// Returns where the line ends that begins at `from`, its line feed included; `None` at the end of the input. The answer of a
    /// [`crate::Parser::resync`] for parsers that can begin at any line.
    pub fn line_end(&self, from: u64) -> Option<u64> {
        if from >= self.len { None } else { Some(self.behind(b'\n', from).unwrap_or(self.len)) }
    }

    /// Appends `len` bytes from `offset` on, fewer only at the end of the input. Returns how many.
    fn fill(&self, offset: u64, len: usize, into: &mut Vec<u8>) -> usize {
        let before = into.len();
        let end = offset.saturating_add(len as u64).min(self.len);
        let mut at = offset;
        while at < end {
            let held = into.len();
            self.blob.read(at, (end - at).min(READ_MAX) as u32, into);
            // A host that has no bytes before the end is broken; going on would not end.
            if into.len() == held {
                break;
            }
            at += (into.len() - held) as u64;
        }
        into.len() - before
    }
}

/// The lines of a range. Made by [`Input::lines`] and [`Input::records`].
///
/// The lines of a block share it; it is used again when the parser kept none of them.
pub struct Lines<'a> {
    input: Input<'a>,
    range_end: u64,
    delimiter: u8,
    block: Rc<Vec<u8>>,
    /// Where in the input the block starts.
    offset: u64,
    /// Where in the block the next line starts.
    start: usize,
    /// The delimiters of the block, and how many of them were passed.
    index: Index,
    passed: usize,
    /// Whether the next line begins before the range and is another range's.
    foreign: bool,
}

impl<'a> Lines<'a> {
    fn new(input: Input<'a>, range: Span, delimiter: u8) -> Lines<'a> {
        // A line begins where the one before it ends, so the byte before the range decides.
        let foreign = range.offset > 0;
        let offset = range.offset.saturating_sub(1).min(input.len);
        let (block, index) = (Rc::default(), Index::new());
        Lines { input, range_end: range.end(), delimiter, block, offset, start: 0, index, passed: 0, foreign }
    }

    /// Returns the next line, wherever it begins.
    #[inline]
    fn line(&mut self) -> Option<Line> {
        if let Some(at) = self.index.positions().get(self.passed) {
            self.passed += 1;
            return Some(self.cut(*at as usize, 1));
        }
        self.line_past_block()
    }

    /// Makes a line of the bytes up to `end`, which `terminator` bytes follow.
    #[inline]
    fn cut(&mut self, end: usize, terminator: usize) -> Line {
        let (start, next) = (self.start, end + terminator);
        self.start = next;
        let carriage_return =
            terminator == 1 && self.delimiter == b'\n' && self.block[start..end].ends_with(b"\r");
        let span = Span::new(self.offset + start as u64, (next - start) as u64);
        Line { block: self.block.clone(), start, end: end - usize::from(carriage_return), span, cut: false }
    }

    /// Goes on to the next block, with what is left of this one before it.
    #[cold]
    fn line_past_block(&mut self) -> Option<Line> {
        self.slide();
        loop {
            let held = self.block.len();
            // Nobody shares the block: `slide` saw to it.
            let block = Rc::get_mut(&mut self.block)?;
            if self.input.fill(self.offset + held as u64, Window::CHUNK, block) == 0 {
                return (held > 0).then(|| self.cut(held, 0));
            }
            self.index.fill_from(block, held, self.delimiter);
            if let Some(at) = self.index.positions().first() {
                self.passed = 1;
                return Some(self.cut(*at as usize, 1));
            }
            if self.block.len() >= Window::CAP {
                return Some(self.giant());
            }
        }
    }

    /// Starts the block where the next line does.
    fn slide(&mut self) {
        match Rc::get_mut(&mut self.block) {
            Some(block) => drop(block.drain(..self.start)),
            None => self.block = Rc::new(self.block[self.start..].to_vec()),
        }
        self.offset += self.start as u64;
        self.start = 0;
        self.index.clear();
        self.passed = 0;
    }

    /// Makes a line of the beginning of one that is longer than the cap, and looks for its end.
    fn giant(&mut self) -> Line {
        let held = self.block.len();
        let end = self.input.behind(self.delimiter, self.offset + held as u64).unwrap_or(self.input.len);
        let span = Span::between(self.offset, end);
        let block = std::mem::take(&mut self.block);
        (self.offset, self.start) = (end, 0);
        Line { block, start: 0, end: held, span, cut: true }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    #[inline]
    fn next(&mut self) -> Option<Line> {
        if self.foreign {
            self.foreign = false;
            self.line();
        }
        if self.offset + self.start as u64 >= self.range_end {
            return None;
        }
        self.line()
    }
}

/// One line (or record) of the input. Cheap to keep: it shares the block it was found in.
#[derive(Clone, Debug)]
pub struct Line {
    block: Rc<Vec<u8>>,
    start: usize,
    end: usize,
    span: Span,
    cut: bool,
}

impl Line {
    /// Returns its bytes without the terminator.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    /// Returns its text without the terminator; `None` where it is not UTF-8, or where only its beginning is here.
    #[inline]
    pub fn text(&self) -> Option<&str> {
        if self.cut { None } else { std::str::from_utf8(self.bytes()).ok() }
    }

    /// Returns where it is, terminator included.
    #[inline]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Returns whether it was longer than [`Window::CAP`]: then `bytes` are its beginning only (`span` is the whole of it).
    #[inline]
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// What came of an attempt to see more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grown {
    /// There are more bytes in the window now.
    More,
    /// The input has ended: there are no more bytes.
    End,
    /// The window holds as much as it may: whatever begins at its start is too long.
    Full,
}

/// A sliding view of the input.
pub struct Window<'a> {
    input: Input<'a>,
    /// Consumed bytes up to `start`, the view up to `end`, then [`Window::PADDING`] zeros (once anything was read).
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the input the view starts.
    offset: u64,
    chunk: usize,
    cap: usize,
}

impl Window<'_> {
    /// Bytes read at a time unless [`Window::with_chunk`] says otherwise.
    pub const CHUNK: usize = 128 << 10;
    /// Bytes held at most unless [`Window::with_cap`] says otherwise.
    pub const CAP: usize = 16 << 20;
    /// Zero bytes behind the end of [`Window::padded`].
    pub const PADDING: usize = 64;

    /// Sets the bytes read at a time (1 or more).
    #[must_use]
    pub fn with_chunk(mut self, chunk: usize) -> Self {
        self.chunk = chunk.max(1);
        self
    }

    /// Sets the bytes held at most (1 or more).
    #[must_use]
    pub fn with_cap(mut self, cap: usize) -> Self {
        self.cap = cap.max(1);
        self
    }

    /// Returns the bytes in view. Empty until the first [`Window::grow`].
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns the bytes in view with [`Window::PADDING`] zero bytes behind them (none before the first [`Window::grow`]), so that
    /// fixed-size loads and copies near the end stay inside.
    #[inline]
    pub fn padded(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Returns where in the input the view starts.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves the start of the view by `count` bytes (at most to its end).
    #[inline]
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads a chunk more behind the bytes in view, which keep their positions in [`Window::bytes`].
    pub fn grow(&mut self) -> Grown {
        if self.at_end() {
            return Grown::End;
        }
        let held = self.end - self.start;
        let room = self.cap.saturating_sub(held).min(self.chunk);
        if room == 0 {
            return Grown::Full;
        }
        self.buffer.truncate(self.end);
        self.buffer.drain(..self.start);
        let got = self.input.fill(self.offset + held as u64, room, &mut self.buffer);
        (self.start, self.end) = (0, held + got);
        self.buffer.resize(self.end + Self::PADDING, 0);
        if got == 0 { Grown::End } else { Grown::More }
    }

    /// Returns whether the view reaches the end of the input.
    pub fn at_end(&self) -> bool {
        self.offset + (self.end - self.start) as u64 >= self.input.len
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::harness::Memory;

    /// What `str::split_inclusive` says the lines are, as spans and contents.
    fn expected(input: &[u8]) -> Vec<(Span, Vec<u8>)> {
        let mut offset = 0;
        let lines = input.split_inclusive(|byte| *byte == b'\n').map(|line| {
            let span = Span::new(offset, line.len() as u64);
            offset = span.end();
            let body = line.strip_suffix(b"\n").map_or(line, |body| body.strip_suffix(b"\r").unwrap_or(body));
            (span, body.to_vec())
        });
        lines.collect()
    }

    fn found(blob: &dyn Blob, range: Span) -> Vec<(Span, Vec<u8>)> {
        Input::new(blob).lines(range).map(|line| (line.span(), line.bytes().to_vec())).collect()
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\r".to_vec()),
            prop::collection::vec(any::<u8>(), 0..40)
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn lines_are_the_same_for_every_schedule_of_reads(input in text(), seed in any::<u64>()) {
            let blob = Memory::new("t", &input).with_read_seed(seed);
            prop_assert_eq!(found(&blob, Span::new(0, input.len() as u64)), expected(&input));
        }

        #[test]
        fn a_split_at_every_offset_gives_each_line_exactly_once(input in text()) {
            let blob = Memory::new("t", &input);
            for cut in 0..=input.len() as u64 {
                let mut lines = found(&blob, Span::between(0, cut));
                lines.extend(found(&blob, Span::between(cut, input.len() as u64)));
                prop_assert_eq!(&lines, &expected(&input), "cut at {}", cut);
            }
        }

        #[test]
        fn a_window_shows_the_input_for_every_schedule_of_reads(
            input in text(), seed in any::<u64>(), chunk in 1_usize..50, steps in prop::collection::vec(0_usize..60, 0..40),
        ) {
            let blob = Memory::new("t", &input).with_read_seed(seed);
            let mut window = Input::new(&blob).window(0).with_chunk(chunk);
            for step in steps {
                window.consume(step);
                let before = window.bytes().len();
                let grown = window.grow();
                let at = window.offset() as usize;
                prop_assert_eq!(window.bytes(), &input[at..at + window.bytes().len()]);
                prop_assert_eq!(window.bytes().len(), (before + chunk).min(input.len() - at));
                prop_assert_eq!(grown == Grown::End, window.bytes().len() == before);
            }
        }
    }

    #[test]
    fn lines_across_many_blocks_are_found_with_crlf_on_the_seams() {
        for shift in 0..4 {
            let mut input = vec![b'.'; shift];
            (0..40_000).for_each(|line| input.extend(format!("line {line}\r\n").bytes()));
            let blob = Memory::new("t", &input).with_read_seed(7);
            assert_eq!(found(&blob, Span::new(0, input.len() as u64)), expected(&input));
        }
    }

    #[test]
    fn a_line_that_the_parser_keeps_outlives_its_block() {
        let input = vec![b"0123456789\n".as_slice(); 50_000].concat();
        let blob = Memory::new("t", &input);
        let kept: Vec<Line> = Input::new(&blob).lines(Span::new(0, input.len() as u64)).collect();
        assert!(kept.len() == 50_000 && kept.iter().all(|line| line.bytes() == b"0123456789"));
    }

    #[test]
    fn a_byte_order_mark_stays_in_the_first_line() {
        let blob = Memory::new("t", b"\xEF\xBB\xBFa\nb");
        assert_eq!(found(&blob, Span::new(0, 6))[0].1, b"\xEF\xBB\xBFa");
    }

    #[test]
    fn a_line_past_the_cap_is_cut_and_its_neighbours_are_whole() {
        let input =
            [b"before\n".to_vec(), vec![b'x'; Window::CAP + (300 << 10)], b"\nafter".to_vec()].concat();
        let blob = Memory::new("t", &input);
        let lines: Vec<Line> = Input::new(&blob).lines(Span::new(0, input.len() as u64)).collect();
        assert_eq!([lines[0].bytes(), lines[2].bytes()], [b"before".as_slice(), b"after"]);
        assert!(lines[1].is_cut() && lines[1].text().is_none() && lines[1].bytes().len() >= Window::CAP);
        assert_eq!(lines[1].span(), Span::between(7, input.len() as u64 - 5));
    }

    #[test]
    fn a_window_at_its_cap_says_so() {
        let blob = Memory::new("t", &[b'x'; 100]);
        let mut window = Input::new(&blob).window(10).with_chunk(32).with_cap(50);
        assert_eq!([window.grow(), window.grow(), window.grow()], [Grown::More, Grown::More, Grown::Full]);
        window.consume(45);
        assert_eq!((window.grow(), window.bytes().len(), window.padded().len()), (Grown::More, 37, 37 + 64));
    }

    #[test]
    fn cuts_lie_behind_delimiters_about_as_far_apart_as_asked() {
        let blob = Memory::new("t", &b"0123456789abcde\n".repeat(100));
        let cuts = Input::new(&blob).cuts(b'\n', 100);
        assert!(cuts.len() > 12 && cuts.iter().all(|cut| cut % 16 == 0), "{cuts:?}");
        assert_eq!(Input::new(&Memory::new("t", b"")).cuts(b'\n', 100), []);
    }
}

//! The input: lines and records for whoever thinks in them, a window over the bytes for whoever does not.

use crate::fault::Span;
use crate::host::Blob;

/// The one input of a run: random access, bounded. A parser never sees a path.
pub struct Input<'a> {
    blob: &'a dyn Blob,
    len: u64,
}

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
        let _ = (offset, len);
        unimplemented!()
    }

    /// Returns the lines that begin in `range`, the last one read past its end. A line ends with LF, CRLF or the input. A byte
    /// order mark is part of the first line.
    pub fn lines(&self, range: Span) -> Lines<'a> {
        self.records(range, b'\n')
    }

    /// Returns the stretches that end with `delimiter` (or the input) and begin in `range`.
    pub fn records(&self, range: Span, delimiter: u8) -> Lines<'a> {
        let _ = (range, delimiter);
        unimplemented!()
    }

    /// Returns a window over the bytes from `offset` on.
    pub fn window(&self, offset: u64) -> Window<'a> {
        let _ = offset;
        unimplemented!()
    }

    /// Returns offsets just behind a `delimiter`, about `target_bytes` apart: where to cut for [`crate::Layout::cut_at`].
    pub fn cuts(&self, delimiter: u8, target_bytes: u64) -> Vec<u64> {
        let _ = (delimiter, target_bytes);
        unimplemented!()
    }
}

/// The lines of a range. Made by [`Input::lines`] and [`Input::records`].
pub struct Lines<'a> {
    #[expect(dead_code, reason = "being built")]
    window: Window<'a>,
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        unimplemented!()
    }
}

/// One line (or record) of the input. Cheap to keep: it shares the block it was found in.
pub struct Line {}

impl Line {
    /// Returns its bytes without the terminator.
    pub fn bytes(&self) -> &[u8] {
        unimplemented!()
    }

    /// Returns its text without the terminator; `None` where it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()).ok()
    }

    /// Returns where it is, terminator included.
    pub fn span(&self) -> Span {
        unimplemented!()
    }

    /// Returns whether it was longer than the window's cap: then `bytes` are its beginning only (`span` is the whole of it).
    pub fn is_cut(&self) -> bool {
        unimplemented!()
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

/// A sliding view of the input. Blocks are whole multiples of the chunk whatever the host's reads return, so that what a parser
/// sees depends on the input alone.
pub struct Window<'a> {
    #[expect(dead_code, reason = "being built")]
    input: &'a dyn Blob,
}

impl Window<'_> {
    /// Bytes read at a time unless [`Window::with_chunk`] says otherwise.
    pub const CHUNK: usize = 128 << 10;
    /// Bytes held at most unless [`Window::with_cap`] says otherwise.
    pub const CAP: usize = 16 << 20;
    /// Zero bytes behind the end of [`Window::padded`].
    pub const PADDING: usize = 64;

    /// Sets the bytes read at a time.
    #[must_use]
    pub fn with_chunk(self, chunk: usize) -> Self {
        let _ = chunk;
        self
    }

    /// Sets the bytes held at most.
    #[must_use]
    pub fn with_cap(self, cap: usize) -> Self {
        let _ = cap;
        self
    }

    /// Returns the bytes in view. Empty until the first [`Window::grow`].
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        unimplemented!()
    }

    /// Returns the bytes in view with [`Window::PADDING`] zero bytes behind them, so that fixed-size loads and copies
    /// near the end stay inside.
    #[inline]
    pub fn padded(&self) -> &[u8] {
        unimplemented!()
    }

    /// Returns where in the input the view starts.
    #[inline]
    pub fn offset(&self) -> u64 {
        unimplemented!()
    }

    /// Moves the start of the view by `count` bytes (at most to its end).
    #[inline]
    pub fn consume(&mut self, count: usize) {
        let _ = count;
    }

    /// Reads a chunk more behind the bytes in view. Positions in [`Window::bytes`] stay what they are.
    pub fn grow(&mut self) -> Grown {
        unimplemented!()
    }

    /// Returns whether the view reaches the end of the input.
    pub fn at_end(&self) -> bool {
        unimplemented!()
    }
}

//! A stretch of a source, read from its beginning to its end.

use std::io::{self, BufRead, Read};

use crate::source::Source;

/// One `pread`.
const READ_BYTES: usize = 256 << 10;

/// Bytes of a source from one offset to another.
pub(super) struct Stretch<'a> {
    source: &'a Source,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were taken. At most its length.
    taken: usize,
    /// Where `buffer` begins in the source.
    offset: u64,
    end: u64,
}

impl<'a> Stretch<'a> {
    /// `end` is not past the source's own.
    pub(super) fn new(source: &'a Source, offset: u64, end: u64) -> Self {
        Self { source, buffer: Vec::new(), taken: 0, offset, end: end.max(offset) }
    }

    /// Returns a stretch of the same source that holds nothing.
    pub(super) fn nothing(&self) -> Self {
        Self::new(self.source, self.offset, self.offset)
    }

    /// Returns where the next byte stands in the source.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.taken as u64
    }

    /// Returns how many bytes are left.
    pub(super) fn left(&self) -> u64 {
        self.end - self.position()
    }

    /// Returns the next four bytes, or as many as there are, and takes none.
    pub(super) fn peek(&self) -> io::Result<Vec<u8>> {
        let mut next = vec![0; self.left().min(4) as usize];
        let read = self.source.fill(self.position(), &mut next)?;
        next.truncate(read);
        Ok(next)
    }
}

impl Read for Stretch<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut next = self.fill_buf()?;
        let read = next.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Stretch<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.buffer.len() {
            self.offset = self.position();
            self.taken = 0;
            self.buffer
                .resize(usize::try_from(self.left()).map_or(READ_BYTES, |left| left.min(READ_BYTES)), 0);
            let read = self.source.fill(self.offset, &mut self.buffer)?;
            self.buffer.truncate(read);
        }
        Ok(&self.buffer[self.taken..])
    }

    fn consume(&mut self, bytes: usize) {
        self.taken = self.buffer.len().min(self.taken + bytes);
    }
}

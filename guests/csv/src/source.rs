//! The input as decoded text, a window at a time: UTF-16 becomes UTF-8, everything else stays as it is until a cell is written.

use casparian_sdk::prelude::*;

use crate::dialect::Dialect;
use crate::encoding::{Encoding, decode_wide};
use crate::record::RECORD_BYTES_MAX;

/// A sliding view of the text from one offset of the input up to another.
pub struct Source<'a> {
    window: Window<'a>,
    encoding: Encoding,
    /// The text ends here, whatever the input holds behind.
    limit: u64,
    /// Decoded text, where it is not the input's own bytes, and how much of it was passed.
    text: Vec<u8>,
    passed: usize,
    /// Where in the input the decoded text in view starts.
    offset: u64,
}

impl<'a> Source<'a> {
    /// Opens the text of `input` from `offset` up to `limit`.
    pub fn new(input: &Input<'a>, encoding: Encoding, offset: u64, limit: u64) -> Source<'a> {
        let window = input.window(offset).with_cap(4 * RECORD_BYTES_MAX);
        Source { window, encoding, limit: limit.min(input.len()), text: Vec::new(), passed: 0, offset }
    }

    /// Returns where in the input the view starts.
    #[inline]
    pub fn offset(&self) -> u64 {
        if self.encoding.is_wide() { self.offset } else { self.window.offset() }
    }

    /// Returns the text in view.
    #[inline]
    pub fn text(&self) -> &[u8] {
        if self.encoding.is_wide() {
            return &self.text[self.passed..];
        }
        let bytes = self.window.bytes();
        &bytes[..self.room().min(bytes.len() as u64) as usize]
    }

    /// Returns the bytes in view, with some behind them to load from, and how many of them are text. Only where the text is the
    /// input's own bytes.
    pub fn padded(&self) -> Option<(&[u8], usize)> {
        (!self.encoding.is_wide()).then(|| (self.window.padded(), self.text().len()))
    }

    fn room(&self) -> u64 {
        self.limit.saturating_sub(self.window.offset())
    }

    /// Returns whether the text ends with the view.
    #[inline]
    pub fn at_end(&self) -> bool {
        self.window.at_end() || self.window.bytes().len() as u64 >= self.room()
    }

    /// Returns how many bytes of the input the first `len` bytes of the view were made of.
    #[inline]
    pub fn source_bytes(&self, len: usize) -> u64 {
        if self.encoding.is_wide() { self.encoding.source_bytes(&self.text()[..len]) } else { len as u64 }
    }

    /// Passes the first `len` bytes of the view.
    #[inline]
    pub fn consume(&mut self, len: usize) {
        if self.encoding.is_wide() {
            self.offset += self.source_bytes(len);
            self.passed += len;
        } else {
            self.window.consume(len);
        }
    }

    /// Reads more. Returns whether there is more in view now.
    pub fn grow(&mut self) -> bool {
        if self.at_end() || self.window.grow() != Grown::More {
            return false;
        }
        if self.encoding.is_wide() {
            self.text.drain(..self.passed);
            self.passed = 0;
            let bytes = self.window.bytes();
            let bytes = &bytes[..self.room().min(bytes.len() as u64) as usize];
            let ends = self.window.at_end() || bytes.len() as u64 == self.room();
            let used = decode_wide(self.encoding, bytes, ends, &mut self.text);
            self.window.consume(used);
        }
        true
    }

    /// Returns where the line ends that begins at the start of the view, however long it is, and passes it.
    pub fn pass_line(&mut self, dialect: &Dialect) -> u64 {
        loop {
            if let Some((_, next)) = dialect.line(self.text(), self.at_end()) {
                self.consume(next);
                return self.offset();
            }
            // The last character may be half of an end of a line.
            let seen = self.text().len().saturating_sub(1);
            self.consume(seen);
            if !self.grow() {
                let rest = self.text().len();
                self.consume(rest);
                return self.offset();
            }
        }
    }
}

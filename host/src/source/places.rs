//! Where in a source something stands: its bytes, and the lines they are on.

use casparian_core::fault::Span;

use super::{Source, SourceFault};

/// One `pread` while looking for line ends or for the bytes of quarantined records.
const WINDOW_BYTES: usize = 256 << 10;

/// A stretch of a source, kept in memory: whoever asks for bytes in ascending order reads the file in large pieces.
#[derive(Debug, Default)]
pub struct Window {
    bytes: Vec<u8>,
    /// Where `bytes` begins in the source.
    offset: u64,
}

impl Window {
    /// Returns the bytes of `at`, as far as the source goes. What is longer than `bytes_max` is cut.
    pub fn slice(&mut self, source: &Source, at: Span, bytes_max: usize) -> Result<&[u8], SourceFault> {
        let length = usize::try_from(at.length).map_or(bytes_max, |length| length.min(bytes_max));
        self.load(source, at.offset, length)?;
        let from = self.held(at.offset, 0).unwrap_or(self.bytes.len());
        let to = self.bytes.len().min(from.saturating_add(length));
        Ok(&self.bytes[from..to])
    }

    /// Returns what is held from `offset` on: a byte at least, where the source has one there.
    fn onwards(&mut self, source: &Source, offset: u64) -> Result<&[u8], SourceFault> {
        self.load(source, offset, 1)?;
        let from = self.held(offset, 0).unwrap_or(self.bytes.len());
        Ok(&self.bytes[from..])
    }

    /// Makes `bytes` hold so much from `offset` on, as far as the source goes.
    fn load(&mut self, source: &Source, offset: u64, length: usize) -> Result<(), SourceFault> {
        if self.held(offset, length).is_none() {
            self.bytes.resize(length.max(WINDOW_BYTES), 0);
            self.offset = offset;
            let filled = source.fill(offset, &mut self.bytes)?;
            self.bytes.truncate(filled);
        }
        Ok(())
    }

    /// Returns where in `bytes` the source's byte `offset` is, if it and the `length` bytes from it on are held.
    fn held(&self, offset: u64, length: usize) -> Option<usize> {
        let from = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        (from.checked_add(length)? <= self.bytes.len()).then_some(from)
    }
}

/// Tells on which physical line of a source a byte stands. Asked in ascending order, together with a window, it reads the
/// source once.
#[derive(Debug, Default)]
pub struct LineCounter {
    /// Everything before it has been counted.
    counted: u64,
    /// Line ends before `counted`.
    line_ends: u64,
}

impl LineCounter {
    /// Returns the line of the byte at `offset`, from 1. A line's end belongs to the line.
    pub fn line_of(&mut self, window: &mut Window, source: &Source, offset: u64) -> Result<u64, SourceFault> {
        if offset < self.counted {
            self.counted = 0;
            self.line_ends = 0;
        }
        let target = offset.min(source.size());
        while self.counted < target {
            let stretch = window.onwards(source, self.counted)?;
            let wanted = usize::try_from(target - self.counted).unwrap_or(usize::MAX);
            let counted = &stretch[..stretch.len().min(wanted)];
            self.line_ends += memchr::memchr_iter(b'\n', counted).count() as u64;
            self.counted += counted.len() as u64;
        }
        Ok(self.line_ends + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn source(bytes: &[u8]) -> Source {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Source::open(file.path()).unwrap()
    }

    fn at(offset: u64, length: u64) -> Span {
        Span { offset, length }
    }

    #[test]
    fn lines_are_counted_from_one_and_a_line_end_belongs_to_its_line() {
        let source = source(b"a\n\nbc\n");
        let (mut lines, mut window) = (LineCounter::default(), Window::default());
        let found: Vec<u64> =
            (0..=6).map(|offset| lines.line_of(&mut window, &source, offset).unwrap()).collect();
        assert_eq!(found, [1, 1, 2, 3, 3, 3, 4]);
        assert_eq!(lines.line_of(&mut window, &source, 2).unwrap(), 2, "going back is slow, not wrong");
    }

    #[test]
    fn lines_are_counted_across_windows() {
        let bytes = b"0123456\n".repeat(WINDOW_BYTES / 4);
        let source = source(&bytes);
        let (mut lines, mut window) = (LineCounter::default(), Window::default());
        for offset in (0..bytes.len() as u64).step_by(50_021) {
            assert_eq!(lines.line_of(&mut window, &source, offset).unwrap(), offset / 8 + 1);
        }
    }

    #[test]
    fn a_window_gives_the_bytes_asked_for_wherever_they_are() {
        let bytes: Vec<u8> = (0..WINDOW_BYTES * 3).map(|at| (at % 251) as u8).collect();
        let source = source(&bytes);
        let mut window = Window::default();
        for offset in [0, 5, WINDOW_BYTES - 3, WINDOW_BYTES * 2 + 7, 100, bytes.len() - 4, bytes.len()] {
            let end = bytes.len().min(offset + 90);
            let found = window.slice(&source, at(offset as u64, 90), 1 << 16).unwrap();
            assert_eq!(found, &bytes[offset..end], "{offset}");
        }
        assert_eq!(window.slice(&source, at(0, u64::MAX), 10).unwrap(), &bytes[..10]);
    }
}

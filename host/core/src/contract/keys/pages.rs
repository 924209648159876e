//! Pages of a scratch file behind a cache of fixed size: each page has one place in it, which it shares with others.

use crate::contract::keys::Scratch;
use crate::fault::FaultReport;

/// Bytes of a page: what a file system reads anyway.
pub(super) const PAGE_BYTES: usize = 4096;

/// The pages of a scratch file.
pub(super) struct Pages {
    scratch: Box<dyn Scratch>,
    /// No page from here on was ever written to the file. They are zeros.
    end: u64,
    /// One or more.
    frames: Vec<Frame>,
}

struct Frame {
    /// The page that is in it; none: its bytes mean nothing.
    page: Option<u64>,
    is_changed: bool,
    bytes: Box<[u8]>,
}

impl Pages {
    /// Opens the pages of a file, of which so many may be kept in memory.
    pub(super) fn new(scratch: Box<dyn Scratch>, in_memory_max: usize) -> Self {
        let frame = || Frame { page: None, is_changed: false, bytes: vec![0; PAGE_BYTES].into_boxed_slice() };
        Self { scratch, end: 0, frames: (0..in_memory_max.max(1)).map(|_| frame()).collect() }
    }

    /// Returns the bytes of a page.
    pub(super) fn read(&mut self, page: u64) -> Result<&[u8], FaultReport> {
        Ok(&self.frame(page)?.bytes)
    }

    /// Returns the bytes of a page, to be changed.
    pub(super) fn change(&mut self, page: u64) -> Result<&mut [u8], FaultReport> {
        let frame = self.frame(page)?;
        frame.is_changed = true;
        Ok(&mut frame.bytes)
    }

    fn frame(&mut self, page: u64) -> Result<&mut Frame, FaultReport> {
        let place = usize::try_from(page % self.frames.len() as u64).unwrap_or(0);
        let Some(frame) = self.frames.get_mut(place) else { return Err(super::lost()) };
        if frame.page != Some(page) {
            frame.turn_to(page, self.scratch.as_mut(), &mut self.end)?;
        }
        Ok(frame)
    }
}

impl Frame {
    fn turn_to(&mut self, page: u64, scratch: &mut dyn Scratch, end: &mut u64) -> Result<(), FaultReport> {
        if let (Some(old), true) = (self.page, self.is_changed) {
            scratch.write(place(old), &self.bytes)?;
            *end = old.saturating_add(1).max(*end);
        }
        self.is_changed = false;
        self.page = None;
        if page < *end {
            scratch.read(place(page), &mut self.bytes)?;
        } else {
            self.bytes.fill(0);
        }
        self.page = Some(page);
        Ok(())
    }
}

fn place(page: u64) -> u64 {
    page.saturating_mul(PAGE_BYTES as u64)
}

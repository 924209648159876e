//! What was said and waits for a flush, and the watermark that follows it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::fault::{Fault, Span};
use crate::host::{Host, Rejection, SkipKind};

/// Input bytes that may wait for a commit.
const UNCOMMITTED_BYTES_MAX: u64 = 4 << 20;
/// Rejections that may wait for a flush.
const REJECTIONS_MAX: usize = 1 << 10;
/// Input bytes after which the sizes of the batches are looked at, at most.
const LOOK_EVERY_BYTES_MAX: u64 = 64 << 10;
/// Rows after which the size of a table's batch is looked at, at most.
const LOOK_EVERY_ROWS_MAX: usize = 256;

/// Rows that wait for a flush.
pub(crate) trait Pending {
    /// Returns about how many bytes they take.
    fn bytes(&mut self) -> usize;
    /// Hands them to the host.
    fn emit(&mut self, host: &dyn Host) -> Result<(), Fault>;
}

/// A skip that waits for a neighbour to join.
struct Skip {
    at: Span,
    kind: SkipKind,
    note: String,
}

/// What was said and waits, and how far it reaches. The output and its tables share it.
pub(crate) struct Backlog<'a> {
    pub(crate) host: &'a dyn Host,
    /// The batch size that suits the host.
    batch_bytes: usize,
    look_every: u64,
    /// Whether anything was said at all.
    pub(crate) said: Cell<bool>,
    /// Whether rows without a record wait: they are let go by a commit even where the watermark cannot move.
    loose: Cell<bool>,
    /// Where the furthest record said begins: all before it are complete.
    pub(crate) begun: Cell<u64>,
    /// Where the furthest thing said ends.
    pub(crate) end: Cell<u64>,
    /// The watermark that the parser moves itself, if it does.
    pub(crate) by_hand: Cell<Option<u64>>,
    /// The watermark that the host knows. Nothing may begin before it.
    pub(crate) committed: Cell<u64>,
    /// The offset at which sizes are looked at again.
    pub(crate) look_at: Cell<u64>,
    tables: RefCell<Vec<Rc<RefCell<dyn Pending>>>>,
    rejections: RefCell<Vec<Rejection>>,
    skipped: RefCell<Option<Skip>>,
}

impl<'a> Backlog<'a> {
    pub(crate) fn new(host: &'a dyn Host, start: u64) -> Backlog<'a> {
        let batch_bytes = host.batch_bytes() as usize;
        let look_every = (batch_bytes as u64 / 8).clamp(1, LOOK_EVERY_BYTES_MAX);
        Backlog {
            host,
            batch_bytes,
            look_every,
            said: Cell::new(false),
            loose: Cell::new(false),
            begun: Cell::new(start),
            end: Cell::new(start),
            by_hand: Cell::new(None),
            committed: Cell::new(start),
            look_at: Cell::new(start.saturating_add(look_every)),
            tables: RefCell::default(),
            rejections: RefCell::default(),
            skipped: RefCell::default(),
        }
    }

    pub(crate) fn register(&self, table: Rc<RefCell<dyn Pending>>) {
        self.tables.borrow_mut().push(table);
    }

    /// Returns after how many rows a table looks at its size.
    pub(crate) fn look_every_rows(&self) -> usize {
        (self.batch_bytes / 4096).clamp(1, LOOK_EVERY_ROWS_MAX)
    }

    /// Notes that something begins, and lets go what is complete where it is time to.
    #[inline]
    pub(crate) fn begin(&self, span: Span) -> Result<(), Fault> {
        if span.offset < self.committed.get() {
            return Err(self.late(span));
        }
        self.note(span);
        if span.offset >= self.look_at.get() { self.settle() } else { Ok(()) }
    }

    /// Notes that something begins, and lets nothing go.
    #[inline]
    pub(crate) fn note(&self, span: Span) {
        self.said.set(true);
        self.begun.set(self.begun.get().max(span.offset));
        self.end.set(self.end.get().max(span.end()));
    }

    /// Notes that a row without a record was said.
    pub(crate) fn loosen(&self) {
        self.said.set(true);
        self.loose.set(true);
    }

    #[cold]
    fn late(&self, span: Span) -> Fault {
        let message =
            format!("a record begins at {}, before the watermark at {}", span.offset, self.committed.get());
        Fault::new("record-late", message).at(span)
    }

    /// Flushes where a batch is large enough or too much input waits.
    #[cold]
    pub(crate) fn settle(&self) -> Result<(), Fault> {
        let watermark = self.watermark();
        // A table whose row is being filled cannot be measured; it measures itself.
        let largest =
            self.tables.borrow().iter().filter_map(|table| Some(table.try_borrow_mut().ok()?.bytes())).max();
        let waiting = watermark - self.committed.get().min(watermark);
        if largest.unwrap_or(0) >= self.batch_bytes || waiting >= UNCOMMITTED_BYTES_MAX {
            self.flush()?;
        }
        self.look_at.set(self.begun.get().max(watermark).saturating_add(self.look_every));
        Ok(())
    }

    /// Flushes where a table that measured itself is large enough.
    #[cold]
    pub(crate) fn settle_table(&self, bytes: usize) -> Result<(), Fault> {
        if bytes >= self.batch_bytes { self.flush() } else { Ok(()) }
    }

    pub(crate) fn watermark(&self) -> u64 {
        self.by_hand.get().unwrap_or(self.begun.get())
    }

    pub(crate) fn reject(&self, rejection: Rejection) -> Result<(), Fault> {
        let mut waiting = self.rejections.borrow_mut();
        waiting.push(rejection);
        if waiting.len() < REJECTIONS_MAX {
            return Ok(());
        }
        self.host.reject(&waiting)?;
        waiting.clear();
        Ok(())
    }

    pub(crate) fn skip(&self, at: Span, kind: SkipKind, note: &str) -> Result<(), Fault> {
        let mut waiting = self.skipped.borrow_mut();
        match &mut *waiting {
            Some(last) if last.at.end() == at.offset && last.kind == kind && last.note == note => {
                last.at.length += at.length;
                return Ok(());
            }
            Some(last) => self.host.skip(last.at, last.kind, &last.note)?,
            None => {}
        }
        *waiting = Some(Skip { at, kind, note: note.to_owned() });
        Ok(())
    }

    /// Hands over everything that waits; moves the watermark if that was really everything.
    pub(crate) fn flush(&self) -> Result<(), Fault> {
        crate::log::deliver(self.host);
        if let Some(last) = self.skipped.borrow_mut().take() {
            self.host.skip(last.at, last.kind, &last.note)?;
        }
        let mut rejections = self.rejections.borrow_mut();
        if !rejections.is_empty() {
            self.host.reject(&rejections)?;
            rejections.clear();
        }
        let mut everything = true;
        for table in self.tables.borrow().iter() {
            match table.try_borrow_mut() {
                Ok(mut table) => table.emit(self.host)?,
                // A row of it is being filled: it waits, and the watermark with it.
                Err(_) => everything = false,
            }
        }
        if everything { self.commit(self.watermark()) } else { Ok(()) }
    }

    pub(crate) fn commit(&self, up_to: u64) -> Result<(), Fault> {
        if up_to > self.committed.get() || self.loose.take() {
            let up_to = up_to.max(self.committed.get());
            self.host.commit(up_to)?;
            self.committed.set(up_to);
        }
        Ok(())
    }
}

//! Where rows go. Batches are cut and the watermark is moved here, so that a parser need not think of either.
//!
//! What was said is held back until a table's batch is as large as the host likes it, or 4 MiB of input wait for a commit. Then
//! everything goes: skips, rejections, the rows of every table; and the watermark moves to the start of the record that is being
//! said, since all before it is complete.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::fault::{Fault, FaultCode, Span};
use crate::host::{Blob, Host, Rejection};
use crate::input::Input;
use crate::schema::Schema;
use crate::table::{ColumnSet, Columns, Pending, Table};

/// Input bytes that may wait for a commit.
const UNCOMMITTED_BYTES_MAX: u64 = 4 << 20;
/// Rejections that may wait for a flush.
const REJECTIONS_MAX: usize = 1 << 10;
/// Input bytes after which the sizes of the batches are looked at, at most.
const LOOK_EVERY_BYTES_MAX: u64 = 64 << 10;
/// Rows after which the size of a table's batch is looked at, at most.
const LOOK_EVERY_ROWS_MAX: usize = 256;

/// Why a range holds no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipKind {
    /// Nothing, or white space.
    Blank,
    /// A comment.
    Comment,
    /// What stands before the first record.
    Preamble,
    /// A header.
    Header,
    /// A footer.
    Footer,
    /// What stands between records.
    Separator,
    /// Filling.
    Padding,
    /// Something else.
    Other,
}

/// Where rows go.
///
/// Records are said in the order of their spans: whatever begins (a row, a rejection, a skip) says that the records before it are
/// complete. A parser that works in another order calls [`Output::complete`] before it says anything.
pub struct Output<'a> {
    session: Rc<Session<'a>>,
}

impl<'a> Output<'a> {
    /// Makes the output of a run over a range that starts at `start`.
    #[cold]
    pub(crate) fn new(host: &'a dyn Host, start: u64) -> Output<'a> {
        Output { session: Rc::new(Session::new(host, start)) }
    }

    /// Opens a table made with [`table!`](crate::table!). Fails where the host refuses it.
    pub fn table<C: Columns>(&self) -> Result<Table<'a, C>, Fault> {
        self.open(&C::schema(), C::empty())
    }

    /// Opens a table by its schema, with columns that fit it: [`crate::dynamic::Dynamic`]. Fails where the host refuses it.
    pub fn open<C: ColumnSet>(&self, schema: &Schema, columns: C) -> Result<Table<'a, C>, Fault> {
        let id = self.session.host.open(&schema.name, &crate::ipc::schema_message(schema))?;
        Ok(Table::new(id, schema, columns, self.session.clone()))
    }

    /// Says that the record at `span` cannot be read. Fails where the host refuses, or where the record begins before the
    /// watermark.
    pub fn reject(&self, span: Span, fault: impl FaultCode, message: impl Into<String>) -> Result<(), Fault> {
        self.session.begin(span)?;
        self.session.reject(Rejection { at: span, fault: fault.index(), message: message.into() })
    }

    /// Says that a range holds no record. Neighbours of the same kind and note become one. Fails where the host refuses, or
    /// where the range begins before the watermark.
    pub fn skip(&self, span: Span, kind: SkipKind, note: &str) -> Result<(), Fault> {
        self.session.begin(span)?;
        self.session.skip(span, kind, note)
    }

    /// Says that every record that begins before `up_to` is complete. From the first call on nothing else moves the watermark.
    /// Fails where the host refuses.
    pub fn complete(&self, up_to: u64) -> Result<(), Fault> {
        let watermark = self.session.by_hand.get().unwrap_or(0).max(up_to);
        self.session.by_hand.set(Some(watermark));
        if watermark >= self.session.look_at.get() { self.session.settle() } else { Ok(()) }
    }

    /// Returns whether anybody wants the rows of a table.
    pub fn wanted(&self, table: &str) -> bool {
        self.session.host.wanted(table)
    }

    /// Returns the reference data that the operator attached under a name.
    pub fn attachment(&self, name: &str) -> Option<Attachment> {
        self.session.host.attachment(name).map(Attachment)
    }

    /// Flushes everything and moves the watermark to the end of the range, or of the last thing said where that is further.
    #[inline(never)]
    pub(crate) fn finish(&self, range_end: u64) -> Result<(), Fault> {
        self.session.flush()?;
        self.session.commit(self.session.end.get().max(range_end))
    }

    /// Flushes everything and moves the watermark to the end of what was said, if anything was.
    pub(crate) fn finish_said(&self) -> Result<(), Fault> {
        if self.session.said.get() { self.finish(0) } else { Ok(()) }
    }
}

/// Reference data that the operator attached.
pub struct Attachment(Box<dyn Blob>);

impl Attachment {
    /// Returns it as something to read.
    pub fn input(&self) -> Input<'_> {
        Input::new(&*self.0)
    }
}

/// A skip that waits for a neighbour to join.
struct Skip {
    at: Span,
    kind: SkipKind,
    note: String,
}

/// What the output and its tables share.
pub(crate) struct Session<'a> {
    host: &'a dyn Host,
    /// The batch size that suits the host.
    batch_bytes: usize,
    look_every: u64,
    /// Whether anything was said at all.
    said: Cell<bool>,
    /// Where the furthest record said begins: all before it are complete.
    begun: Cell<u64>,
    /// Where the furthest thing said ends.
    end: Cell<u64>,
    /// The watermark that the parser moves itself, if it does.
    by_hand: Cell<Option<u64>>,
    /// The watermark that the host knows. Nothing may begin before it.
    committed: Cell<u64>,
    /// The offset at which sizes are looked at again.
    look_at: Cell<u64>,
    tables: RefCell<Vec<Rc<RefCell<dyn Pending>>>>,
    rejections: RefCell<Vec<Rejection>>,
    skipped: RefCell<Option<Skip>>,
}

impl<'a> Session<'a> {
    fn new(host: &'a dyn Host, start: u64) -> Session<'a> {
        let batch_bytes = host.batch_bytes() as usize;
        let look_every = (batch_bytes as u64 / 8).clamp(1, LOOK_EVERY_BYTES_MAX);
        Session {
            host,
            batch_bytes,
            look_every,
            said: Cell::new(false),
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
        self.said.set(true);
        self.begun.set(self.begun.get().max(span.offset));
        self.end.set(self.end.get().max(span.end()));
        if span.offset >= self.look_at.get() { self.settle() } else { Ok(()) }
    }

    #[cold]
    fn late(&self, span: Span) -> Fault {
        let message =
            format!("a record begins at {}, before the watermark at {}", span.offset, self.committed.get());
        Fault::new("record-late", message).at(span)
    }

    /// Flushes where a batch is large enough or too much input waits.
    #[cold]
    fn settle(&self) -> Result<(), Fault> {
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

    fn watermark(&self) -> u64 {
        self.by_hand.get().unwrap_or(self.begun.get())
    }

    fn reject(&self, rejection: Rejection) -> Result<(), Fault> {
        let mut waiting = self.rejections.borrow_mut();
        waiting.push(rejection);
        if waiting.len() < REJECTIONS_MAX {
            return Ok(());
        }
        self.host.reject(&waiting)?;
        waiting.clear();
        Ok(())
    }

    fn skip(&self, at: Span, kind: SkipKind, note: &str) -> Result<(), Fault> {
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
    fn flush(&self) -> Result<(), Fault> {
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

    fn commit(&self, up_to: u64) -> Result<(), Fault> {
        if up_to > self.committed.get() {
            self.host.commit(up_to)?;
            self.committed.set(up_to);
        }
        Ok(())
    }
}

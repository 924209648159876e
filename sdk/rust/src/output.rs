//! Where rows go. Batches are cut and the watermark is moved here, so that a parser need not think of either.
//!
//! What was said is held back until a table's batch is as large as the host likes it, or 4 MiB of input wait for a commit. Then
//! everything goes: skips, rejections, the rows of every table; and the watermark moves to the start of the record that is being
//! said, since all before it is complete.

use std::rc::Rc;

use crate::backlog::Backlog;
use crate::column::{ColumnSet, Columns, IntoRow};
use crate::fault::{Fault, FaultCode, Span};
use crate::host::{Blob, Host, Rejection, SkipKind};
use crate::input::Input;
use crate::schema::Schema;
use crate::table::Table;

/// Where rows go.
///
/// Records are said in the order of their spans: whatever begins (a row, a rejection, a skip) says that the records before it are
/// complete. A parser that works in another order calls [`Output::complete`] before it says anything.
pub struct Output<'a> {
    backlog: Rc<Backlog<'a>>,
}

impl<'a> Output<'a> {
    /// Makes the output of a run over a range that starts at `start`.
    #[cold]
    pub(crate) fn new(host: &'a dyn Host, start: u64) -> Output<'a> {
        Output { backlog: Rc::new(Backlog::new(host, start)) }
    }

    /// Opens a table made with [`table!`](crate::table!). Fails where the host refuses it.
    pub fn table<C: Columns>(&self) -> Result<Table<'a, C>, Fault> {
        self.open(&C::schema(), C::empty())
    }

    /// Opens the table whose rows are values of `R`, a struct with `#[derive(Row)]`. Fails where the host refuses it.
    pub fn rows<R: IntoRow>(&self) -> Result<Table<'a, R::Columns>, Fault> {
        self.table()
    }

    /// Opens a table by its schema, with columns that fit it: [`crate::dynamic::Dynamic`]. Fails where the host refuses it.
    pub fn open<C: ColumnSet>(&self, schema: &Schema, columns: C) -> Result<Table<'a, C>, Fault> {
        let id = self.backlog.host.open(&schema.name, &crate::ipc::schema_message(schema))?;
        Ok(Table::new(id, schema, columns, self.backlog.clone()))
    }

    /// Says that the record at `span` cannot be read. Fails where the host refuses, or where the record begins before the
    /// watermark.
    pub fn reject(&self, span: Span, fault: impl FaultCode, message: impl Into<String>) -> Result<(), Fault> {
        self.backlog.begin(span)?;
        self.backlog.reject(Rejection { at: span, fault: fault.index(), message: message.into() })
    }

    /// Says that a range holds no record. Neighbours of the same kind and note become one. Fails where the host refuses, or
    /// where the range begins before the watermark.
    pub fn skip(&self, span: Span, kind: SkipKind, note: &str) -> Result<(), Fault> {
        self.backlog.begin(span)?;
        self.backlog.skip(span, kind, note)
    }

    /// Says that every record that begins before `up_to` is complete. From the first call on nothing else moves the watermark.
    /// Fails where the host refuses.
    pub fn complete(&self, up_to: u64) -> Result<(), Fault> {
        let watermark = self.backlog.by_hand.get().unwrap_or(0).max(up_to);
        self.backlog.by_hand.set(Some(watermark));
        if watermark >= self.backlog.look_at.get() { self.backlog.settle() } else { Ok(()) }
    }

    /// Returns whether anybody wants the rows of a table.
    pub fn wanted(&self, table: &str) -> bool {
        self.backlog.host.wanted(table)
    }

    /// Returns the reference data that the operator attached under a name.
    pub fn attachment(&self, name: &str) -> Option<Attachment> {
        self.backlog.host.attachment(name).map(Attachment)
    }

    /// Flushes everything and moves the watermark to the end of the range, or of the last thing said where that is further.
    #[inline(never)]
    pub(crate) fn finish(&self, range_end: u64) -> Result<(), Fault> {
        self.backlog.flush()?;
        self.backlog.commit(self.backlog.end.get().max(range_end))
    }

    /// Flushes everything and moves the watermark to the end of what was said, if anything was.
    pub(crate) fn finish_said(&self) -> Result<(), Fault> {
        if self.backlog.said.get() { self.finish(0) } else { Ok(()) }
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

//! Where rows go. Batches are cut and the watermark is moved here, so that a parser need not think of either.

use std::marker::PhantomData;

use crate::fault::{Fault, FaultCode, Span};
use crate::input::Input;
use crate::table::{Columns, Table};

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
/// complete. A parser that works in another order calls [`Output::complete`] instead.
pub struct Output<'a> {
    host: PhantomData<&'a ()>,
}

impl<'a> Output<'a> {
    /// Opens a table made with [`table!`](crate::table). Fails where the host refuses it.
    pub fn table<C: Columns>(&self) -> Result<Table<'a, C>, Fault> {
        unimplemented!()
    }

    /// Says that the record at `span` cannot be read. Fails where the host refuses.
    pub fn reject(&self, span: Span, fault: impl FaultCode, message: impl Into<String>) -> Result<(), Fault> {
        let _ = (span, fault.index(), message.into());
        unimplemented!()
    }

    /// Says that a range holds no record. Neighbours of the same kind and note become one.
    pub fn skip(&self, span: Span, kind: SkipKind, note: &str) -> Result<(), Fault> {
        let _ = (span, kind, note);
        unimplemented!()
    }

    /// Says that every record that begins before `up_to` is complete. From the first call on nothing else moves the watermark.
    pub fn complete(&self, up_to: u64) -> Result<(), Fault> {
        let _ = up_to;
        unimplemented!()
    }

    /// Returns whether anybody wants the rows of a table.
    pub fn wanted(&self, table: &str) -> bool {
        let _ = table;
        unimplemented!()
    }

    /// Returns the reference data that the operator attached under a name.
    pub fn attachment(&self, name: &str) -> Option<Attachment> {
        let _ = name;
        unimplemented!()
    }
}

/// Reference data that the operator attached.
pub struct Attachment(Box<dyn crate::host::Blob>);

impl Attachment {
    /// Returns it as something to read.
    pub fn input(&self) -> Input<'_> {
        Input::new(&*self.0)
    }
}

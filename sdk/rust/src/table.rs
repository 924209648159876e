//! Tables: a set of typed columns whose rows know the record they come from.

use std::cell::{RefCell, RefMut};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::backlog::{Backlog, Pending};
use crate::column::{At, Column, ColumnSet, IntoRow, List, Text};
use crate::fault::{Fault, FaultCode, FaultSet, Span};
use crate::host::Host;
use crate::ipc::{Body, by_eights};
use crate::schema::Schema;

/// An open table.
pub struct Table<'a, C> {
    core: Rc<RefCell<Core<C>>>,
    backlog: Rc<Backlog<'a>>,
}

/// What the table and the output share: rows that were not emitted yet.
pub(crate) struct Core<C> {
    /// What the host calls the table.
    id: u32,
    columns: C,
    /// Offset and length of each row's record.
    spans: Vec<(u64, u32)>,
    /// Whether the rows come from records: without, a row's span is a placeholder.
    with_spans: bool,
    faults: Option<List<Text>>,
    /// How many rows there may be before their size is looked at again.
    look_at: usize,
    look_every: usize,
    body: Body,
}

impl<'a, C: ColumnSet> Table<'a, C> {
    pub(crate) fn new(id: u32, schema: &Schema, columns: C, backlog: Rc<Backlog<'a>>) -> Table<'a, C> {
        let look_every = backlog.look_every_rows();
        let core = Core {
            id,
            columns,
            spans: Vec::new(),
            with_spans: schema.with_spans,
            faults: schema.with_faults.then(|| List::new(Text::new(false))),
            look_at: look_every,
            look_every,
            body: Body::new(schema),
        };
        let core = Rc::new(RefCell::new(core));
        backlog.register(core.clone());
        Table { core, backlog }
    }

    /// Starts a row of the record at `span`. Fails where the host refuses a batch, where the record begins before the
    /// watermark, or where it has 4 GiB or more.
    #[inline]
    pub fn row(&mut self, span: Span) -> Result<Row<'_, C>, Fault> {
        self.backlog.begin(span)?;
        let Ok(length) = u32::try_from(span.length) else { return Err(too_long(span)) };
        let mut core = self.core.borrow_mut();
        if core.spans.len() >= core.look_at {
            let bytes = core.bytes();
            drop(core);
            self.backlog.settle_table(bytes)?;
            core = self.core.borrow_mut();
            core.look_at = core.spans.len() + core.look_every;
        }
        let at = At(core.spans.len() as u32);
        core.spans.push((span.offset, length));
        Ok(Row { core, at })
    }

    /// Starts a row of a table without spans: it is about the input and comes from no record. It goes to the host when the call
    /// ends.
    pub fn loose_row(&mut self) -> Row<'_, C> {
        self.backlog.loosen();
        let mut core = self.core.borrow_mut();
        let at = At(core.spans.len() as u32);
        core.spans.push((0, 0));
        Row { core, at }
    }

    /// Starts as many rows as there are records, which follow each other; returns the first of them. Their cells are set column by
    /// column. Fails where [`Table::row`] does.
    #[inline(never)]
    pub fn rows(&mut self, spans: &[(u64, u32)]) -> Result<Row<'_, C>, Fault> {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(self.behind_last()) };
        self.backlog.begin(Span::new(first.0, u64::from(first.1)))?;
        let mut core = self.core.borrow_mut();
        if core.spans.len() >= core.look_at {
            let bytes = core.bytes();
            drop(core);
            self.backlog.settle_table(bytes)?;
            core = self.core.borrow_mut();
            core.look_at = core.spans.len() + core.look_every;
        }
        // Only now: what is flushed before must not say that these records are complete.
        self.backlog.note(Span::new(last.0, u64::from(last.1)));
        let at = At(core.spans.len() as u32);
        core.spans.extend_from_slice(spans);
        Ok(Row { core, at })
    }

    fn behind_last(&mut self) -> Row<'_, C> {
        let core = self.core.borrow_mut();
        let at = At(core.spans.len() as u32);
        Row { core, at }
    }

    /// Adds a row of the record at `span`. Fails where [`Table::row`] does.
    #[inline]
    pub fn push<R: IntoRow<Columns = C>>(&mut self, span: Span, row: R) -> Result<Row<'_, C>, Fault> {
        let mut made = self.row(span)?;
        let at = made.at;
        row.into_row(&mut made, at);
        Ok(made)
    }
}

#[cold]
fn too_long(span: Span) -> Fault {
    let message = format!("a record has {} bytes: limit {}", span.length, u32::MAX);
    Fault::new("record-too-long", message).at(span)
}

impl<C: ColumnSet> Pending for Core<C> {
    fn bytes(&mut self) -> usize {
        let rows = self.spans.len();
        let mut bytes = rows * 12 + self.faults.as_mut().map_or(0, |faults| faults.bytes(rows));
        self.columns.each(&mut |column| bytes += column.bytes(rows));
        bytes
    }

    fn emit(&mut self, host: &dyn Host) -> Result<(), Fault> {
        let rows = self.spans.len() as u32;
        if rows == 0 {
            return Ok(());
        }
        let body = &mut self.body;
        body.begin(rows);
        if self.with_spans {
            body.node(rows, self.spans.len(), std::iter::empty());
            let offsets = body.buffer(self.spans.len() * 8).as_chunks_mut().0;
            by_eights(offsets, &self.spans, |slot, span| *slot = span.0.to_le_bytes());
            body.node(rows, self.spans.len(), std::iter::empty());
            let lengths = body.buffer(self.spans.len() * 4).as_chunks_mut().0;
            by_eights(lengths, &self.spans, |slot, span| *slot = span.1.to_le_bytes());
        }
        self.columns.each(&mut |column| column.write(rows, body));
        if let Some(faults) = &mut self.faults {
            faults.write(rows, body);
        }
        self.spans.clear();
        self.look_at = self.look_every;
        host.emit(self.id, self.body.end())
    }
}

/// A row that is being filled, or was: `row.symbol.set(row.at(), "ACME")`.
pub struct Row<'t, C> {
    core: RefMut<'t, Core<C>>,
    at: At,
}

impl<C> Row<'_, C> {
    /// Returns which row this is, for the columns.
    #[inline]
    pub fn at(&self) -> At {
        self.at
    }

    /// Says that something is wrong with the record of this row.
    pub fn fault<F: FaultCode>(&mut self, fault: F) {
        self.faults(FaultSet::NONE.with(fault));
    }

    /// Says what is wrong with the record of this row.
    #[inline]
    pub fn faults<F: FaultCode>(&mut self, faults: FaultSet<F>) {
        if !faults.is_empty()
            && let Some(column) = self.core.faults.as_mut()
        {
            faults.codes().for_each(|code| column.push(self.at, code));
        }
    }
}

impl<C> Deref for Row<'_, C> {
    type Target = C;
    #[inline]
    fn deref(&self) -> &C {
        &self.core.columns
    }
}

impl<C> DerefMut for Row<'_, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut C {
        &mut self.core.columns
    }
}

/// Declares the columns of a table: a struct whose fields become columns, each filled by itself. Where rows are values, a struct
/// with `#[derive(Row)]` ([`IntoRow`]) is shorter; this is for parsers that find their cells one by one, or many at a time. The types of the fields are those of [`crate::column::Cell`]
/// (`String`, `i64`, `Decimal<18, 4>`, `Option<Timestamp<Nanos, Utc>>`, `Nested<Fills>`, ...); an `Option` is a column that a row may leave out. Doc comments
/// become the docs of table and columns. A column whose name is no Rust word is written `kind: String = "type"`.
///
/// ```
/// use casparian_sdk::prelude::*;
/// table! {
///     /// One row per fill.
///     pub struct Fills = "fills" {
///         /// What was traded.
///         symbol: String,
///         px: Option<Decimal<18, 4>>,
///     }
/// }
/// table! {
///     /// One row per field; written only when asked for, its faults stand in `fills`.
///     pub struct Fields = "fields", default_off, without_faults {
///         tag: u32,
///         value: Vec<u8>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! table {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident = $table:literal $(, $mark:ident)* {
            $($(#[doc = $about:literal])* $field:ident : $cell:ty $(= $column:literal)?),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        $vis struct $name {
            $($(#[doc = $about])* pub $field: <$cell as $crate::column::Cell>::Column),+
        }

        impl $crate::column::Columns for $name {
            fn schema() -> $crate::schema::Schema {
                $crate::schema::Schema::new($table)
                    .doc(const { concat!($($doc, "\n"),*).trim_ascii() })
                    $(.$mark())*
                    $(.field($crate::schema::Field {
                        name: [$($column,)? stringify!($field)][0].to_owned(),
                        kind: <$cell as $crate::column::Cell>::kind(),
                        nullable: <$cell as $crate::column::Cell>::NULLABLE,
                        doc: const { concat!($($about, "\n"),*).trim_ascii() }.to_owned(),
                    }))+
            }

            fn empty() -> Self {
                $name { $($field: <$cell as $crate::column::Cell>::column()),+ }
            }
        }

        impl $crate::column::ColumnSet for $name {
            fn each(&mut self, visit: &mut dyn FnMut(&mut dyn $crate::column::Column)) {
                $(visit(&mut self.$field);)+
            }
        }
    };
}

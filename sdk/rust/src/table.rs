//! Tables: a set of typed columns whose rows know the record they come from.

use std::cell::{RefCell, RefMut};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::column::{At, Column, List, Text};
use crate::fault::{Fault, FaultCode, FaultSet, Span};
use crate::schema::Schema;

/// The columns of a table. Made by [`table!`](crate::table).
pub trait Columns: 'static {
    /// Returns name and columns.
    fn schema() -> Schema
    where
        Self: Sized;

    /// Makes empty columns.
    fn empty() -> Self
    where
        Self: Sized;

    /// Visits the columns in the order of the schema.
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Column));
}

/// An open table.
pub struct Table<'a, C> {
    core: Rc<RefCell<Core<C>>>,
    out: PhantomData<&'a ()>,
}

pub(crate) struct Core<C> {
    columns: C,
    faults: Option<List<Text>>,
}

impl<C: Columns> Table<'_, C> {
    /// Starts a row of the record at `span`. Fails where the host refuses a batch, or where the record begins before the
    /// watermark.
    #[inline]
    pub fn row(&mut self, span: Span) -> Result<Row<'_, C>, Fault> {
        let _ = span;
        Ok(Row { core: self.core.borrow_mut(), at: At(0) })
    }
}

/// A row that is being filled: `row.symbol.set(row.at(), "ACME")`.
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

/// Declares a table: a struct whose fields become columns. The types of the fields are those of [`crate::column::Cell`]
/// (`String`, `i64`, `Decimal<18, 4>`, `Option<Timestamp<Nanos, Utc>>`, ...); an `Option` is a column that a row may leave out. Doc comments
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

        impl $crate::table::Columns for $name {
            fn schema() -> $crate::schema::Schema {
                $crate::schema::Schema::new($table)
                    .doc(concat!($($doc, "\n"),*).trim())
                    $(.$mark())*
                    $(.field($crate::schema::Field {
                        name: [$($column,)? stringify!($field)][0].to_owned(),
                        kind: <$cell as $crate::column::Cell>::kind(),
                        nullable: <$cell as $crate::column::Cell>::NULLABLE,
                        doc: concat!($($about, "\n"),*).trim().to_owned(),
                    }))+
            }

            fn empty() -> Self {
                $name { $($field: <$cell as $crate::column::Cell>::column()),+ }
            }

            fn each(&mut self, visit: &mut dyn FnMut(&mut dyn $crate::column::Column)) {
                $(visit(&mut self.$field);)+
            }
        }
    };
}

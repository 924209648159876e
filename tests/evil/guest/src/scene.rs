//! What an evil is given, and the honest words that most of them begin with.

use crate::arrow::{Cells, Column, batch, schema};
use crate::bindings::casparian::parser::output::{self, Table};
use crate::bindings::casparian::parser::types::{Fault, Span};

pub(crate) use crate::bindings::casparian::parser::input::Blob;

/// What was asked for.
pub(crate) struct Scene<'a> {
    pub(crate) input: &'a Blob,
    pub(crate) range: Span,
    pub(crate) evil: &'a str,
    pub(crate) n: u64,
    pub(crate) m: u64,
    pub(crate) text: &'a str,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(input: &'a Blob, range: Span, options: &'a [(String, String)]) -> Self {
        let value =
            |name: &str| options.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let number = |name: &str| value(name).parse().unwrap_or(0);
        Scene { input, range, evil: value("evil"), n: number("n"), m: number("m"), text: value("text") }
    }

    /// Opens the table `rows`.
    pub(crate) fn rows(&self) -> Result<Table, Fault> {
        Table::open("rows", &schema(&columns(&[], &[])))
    }

    /// Says that everything of the range has been said.
    pub(crate) fn commit(&self) -> Result<(), Fault> {
        output::commit(self.range.offset + self.range.length)
    }
}

/// The columns of `rows`, with rows: a span and a text each.
pub(crate) fn columns(spans: &[(u64, u32)], texts: &[&str]) -> Vec<Column> {
    vec![
        Column {
            name: "_cf_offset".into(),
            nullable: false,
            cells: Cells::U64(spans.iter().map(|s| s.0).collect()),
        },
        Column {
            name: "_cf_length".into(),
            nullable: false,
            cells: Cells::U32(spans.iter().map(|s| s.1).collect()),
        },
        Column {
            name: "text".into(),
            nullable: true,
            cells: Cells::Text(texts.iter().map(|t| (*t).into()).collect()),
        },
    ]
}

/// A batch of `rows`: `count` rows of one record.
pub(crate) fn rows_of(span: (u64, u32), count: u64, text: &str) -> Vec<u8> {
    let count = count as usize;
    batch(&columns(&vec![span; count], &vec![text; count])).message()
}

/// A fault of the guest's own.
pub(crate) fn fault(code: &str, message: &str) -> Fault {
    Fault { code: code.into(), message: message.into(), at: None }
}

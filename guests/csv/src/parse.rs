//! One range: its parts in order, its records into rows.

use casparian_sdk::dynamic::Dynamic;
use casparian_sdk::prelude::*;
use casparian_sdk::schema::{Field, Schema, Type};

use crate::context::{Context, Is, Part, Plan};
use crate::encoding::decode_single;
use crate::fast::{self, Runs};
use crate::reader::{Records, Stands};
use crate::record::Cell;
use crate::source::Source;

/// Whether records are read many at a time, where they can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// They are.
    Fast,
    /// Each is read by itself.
    Careful,
}

/// Reads the records that begin in a range.
pub fn range(
    input: &Input<'_>,
    range: Span,
    context: &Context,
    pace: Pace,
    out: &Output<'_>,
) -> Result<(), Fault> {
    for part in &context.parts {
        let start = part.at.offset.max(range.offset);
        match &part.is {
            Is::Skip(kind, note) if start < part.at.end().min(range.end()) => {
                out.skip(Span::between(start, part.at.end()), *kind, note)?;
            }
            Is::Skip(..) => {}
            Is::Table(table) => table_part(input, range, part, &context.tables[*table], context, pace, out)?,
        }
    }
    Ok(())
}

/// Reads what of a table begins in a range. A table without records is opened all the same.
fn table_part(
    input: &Input<'_>,
    range: Span,
    part: &Part,
    plan: &Plan,
    context: &Context,
    pace: Pace,
    out: &Output<'_>,
) -> Result<(), Fault> {
    let start = part.at.offset.max(range.offset);
    if part.at.offset > range.end() || part.at.end() < range.offset {
        return Ok(());
    }
    let schema = schema(plan);
    let mut rows = out.open(&schema, Dynamic::new(&schema))?;
    let end = part.at.end().min(range.end());
    if start >= end {
        return Ok(());
    }
    let source = Source::new(input, context.dialect.encoding, start, part.at.end());
    let mut records = Records::new(source, &context.dialect, plan, context.keeps_short);
    let mut writer = Writer::default();
    let mut runs = Runs::default();
    let is_fast = pace == Pace::Fast && fast::suits(&context.dialect, plan.usual);
    while records.source.offset() < end {
        if is_fast && runs.take(&mut records, end, &mut rows)? {
            continue;
        }
        let Some((stands, length)) = records.look() else { break };
        match stands {
            Stands::Row => {
                let span = Span::new(records.source.offset(), records.source.source_bytes(length));
                writer.row(&records, span, &mut rows)?;
                records.pass(length);
            }
            Stands::Blank => out.skip(records.pass(length), SkipKind::Blank, "")?,
            Stands::Comment => out.skip(records.pass(length), SkipKind::Comment, "")?,
            Stands::Header => out.skip(records.pass(length), SkipKind::Header, "names of columns, again")?,
            Stands::Reject(flaw, message) => {
                let span = records.pass(length);
                out.reject(span, flaw, message)?;
            }
        }
    }
    Ok(())
}

/// The columns of a table: text, all of it.
pub fn schema(plan: &Plan) -> Schema {
    plan.columns.iter().fold(Schema::new(&plan.name).without_faults(), |schema, (name, doc)| {
        schema.field(Field { name: name.clone(), kind: Type::Utf8, nullable: true, doc: doc.clone() })
    })
}

/// Writes cells as they are meant.
#[derive(Default)]
struct Writer {
    unescaped: Vec<u8>,
    decoded: Vec<u8>,
}

impl Writer {
    fn row(
        &mut self,
        records: &Records<'_, '_>,
        span: Span,
        rows: &mut Table<'_, Dynamic>,
    ) -> Result<(), Fault> {
        let mut row = rows.row(span)?;
        let at = row.at();
        let text = records.source.text();
        for (column, cell) in records.cells.iter().enumerate() {
            let said = self.said(records, text, cell);
            if let Some(column) = row.text(column) {
                column.set_slice(at, said, 0, said.len());
            }
        }
        Ok(())
    }

    /// What a cell says, as UTF-8. The record was found readable.
    fn said<'t>(&'t mut self, records: &Records<'_, '_>, text: &'t [u8], cell: &Cell) -> &'t [u8] {
        let mut said = &text[cell.start as usize..cell.end as usize];
        if cell.escaped {
            self.unescaped.clear();
            records.dialect.unescape(said, cell.quoted, &mut self.unescaped);
            said = &self.unescaped;
        }
        if records.dialect.encoding.is_single() && !said.is_ascii() {
            self.decoded.clear();
            decode_single(records.dialect.encoding, said, &mut self.decoded);
            said = &self.decoded;
        }
        said
    }
}

//! The first rows of a table as text, where nothing is written.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, RecordBatch, make_array};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Schema};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;

use crate::report::Preview;

/// Past this a cell is cut.
const CELL_BYTES_MAX: usize = 64;
/// Past this a column's type is cut: structs name their fields.
const TYPE_BYTES_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 256;
/// Stands for a value that cannot be written as text.
const NOT_SHOWN: &str = "(not shown)";

/// Begins the preview of a table.
pub(super) fn begin(table: TableName, schema: &Schema) -> Preview {
    let column = |field: &arrow_schema::FieldRef| {
        // The names of a struct's fields are the guest's own words, so the type is escaped like them.
        let kind = GuestText::new(&field.data_type().to_string(), TYPE_BYTES_MAX).to_string();
        (GuestText::new(field.name(), NAME_BYTES_MAX), kind)
    };
    Preview { table, columns: schema.fields().iter().map(column).collect(), rows: Vec::new() }
}

/// Adds rows until the preview has `rows_max`.
pub(super) fn add(preview: &mut Preview, rows: &RecordBatch, rows_max: usize) -> Result<(), ArrowError> {
    let wanted = rows_max.saturating_sub(preview.rows.len()).min(rows.num_rows());
    if wanted == 0 {
        return Ok(());
    }
    let columns: Vec<ArrayRef> = rows.columns().iter().map(without_zone).collect::<Result<_, _>>()?;
    let options = FormatOptions::default();
    // A nested column may name a zone that nobody here knows; that is no reason to show nothing of the others.
    let formatters: Vec<_> =
        columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).ok()).collect();
    for row in 0..wanted {
        let cells = columns.iter().zip(&formatters).map(|(column, formatter)| {
            if column.is_null(row) {
                return None;
            }
            // A parser may send days that no calendar has.
            let text = formatter.as_ref().and_then(|formatter| formatter.value(row).try_to_string().ok());
            Some(GuestText::new(text.as_deref().unwrap_or(NOT_SHOWN), CELL_BYTES_MAX))
        });
        preview.rows.push(cells.collect());
    }
    Ok(())
}

/// Takes the zone off a column of times: they are shown as the instants they are, and the column's type names the zone.
pub(crate) fn without_zone(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let plain = column.to_data().into_builder().data_type(DataType::Timestamp(*unit, None));
            Ok(make_array(plain.build()?))
        }
        _ => Ok(Arc::clone(column)),
    }
}

//! The first rows of a table as text, where nothing is written.

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, Schema};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;

use crate::report::Preview;

/// Past this a cell is cut.
const CELL_BYTES_MAX: usize = 64;
/// Past this a column's type is cut: structs name their fields.
const TYPE_BYTES_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 256;

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
    let options = FormatOptions::default();
    let formatters = rows.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let formatters = formatters.collect::<Result<Vec<_>, _>>()?;
    for row in 0..wanted {
        let cells = rows.columns().iter().zip(&formatters).map(|(column, formatter)| {
            if column.is_null(row) {
                return Ok(None);
            }
            let text = formatter.value(row).try_to_string()?;
            Ok(Some(GuestText::new(&text, CELL_BYTES_MAX)))
        });
        preview.rows.push(cells.collect::<Result<_, ArrowError>>()?);
    }
    Ok(())
}

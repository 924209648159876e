//! What another run wrote against what stands beside a receipt: text byte by byte, a quarantine column by column, and what a
//! footer says. Rows of a Parquet table are the claim's to compare.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BooleanArray, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use casparian_core::digest::TableDigest;
use casparian_core::fault::FaultReport;
use casparian_core::id::{Digest, TableName};
use casparian_core::receipt::{Comparison, FileCircumstances, Receipt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::files::{BATCH_ROWS, Found, is_parquet, open_regular, place, unreadable};

/// The column whose beginning is what people called the input: it need not be called so again.
const PATH: &str = "input_path";
/// Tables that a quarantine may have rows of. No host opens more.
const TABLES_MAX: usize = 4096;

/// Compares the files of a receipt with those of the receipt at `again`, whose run has just been made.
pub(super) fn compare((folder, receipt): (&Path, &Receipt), again: &Path) -> Result<Comparison, FaultReport> {
    let second = super::read_receipt(again)?;
    let fresh = again.parent().unwrap_or(Path::new("."));
    let mut found = Found::default();
    for file in &receipt.circumstances.files {
        // A file that is elsewhere, or of which the other run has none, is told of by those who look at names and claims.
        let Some(path) = place(folder, &file.name) else { continue };
        let Some(other) = second.circumstances.files.iter().find(|other| other.table == file.table) else {
            continue;
        };
        if is_parquet(&path) && is_parquet(Path::new(&other.name)) {
            compare_parquet(file, &path, &fresh.join(&other.name), &mut found)?;
        } else {
            // That the file has this digest has been looked at.
            let name = &file.name;
            found.compare(format!("{name}.text"), file.sha256.to_string(), other.sha256.to_string());
        }
    }
    Ok(found.into_comparison())
}

fn compare_parquet(
    file: &FileCircumstances,
    path: &Path,
    fresh: &Path,
    found: &mut Found,
) -> Result<(), FaultReport> {
    let name = &file.name;
    let fresh = Content::open(fresh, file.table.is_none())?;
    // What cannot be read is none of the files that runs write, and has been told of as such.
    let fresh = fresh.map_err(|why| super::internal(format!("a file just written: {why}")))?;
    let Ok(old) = Content::open(path, file.table.is_none())? else { return Ok(()) };
    found.compare(format!("{name}.footer"), json!(old.footer), json!(fresh.footer));
    let mut columns: Vec<&String> = old.columns.keys().chain(fresh.columns.keys()).collect();
    columns.sort();
    columns.dedup();
    let value = |column: Option<&Digest>| column.map_or(Value::Null, |digest| digest.to_string().into());
    for column in columns {
        let (claimed, again) = (value(old.columns.get(column)), value(fresh.columns.get(column)));
        found.compare(format!("{name}.{column}"), claimed, again);
    }
    Ok(())
}

/// What of a Parquet file is compared.
struct Content {
    /// The key-value pairs.
    footer: BTreeMap<String, Option<String>>,
    /// Of a quarantine the digest of each column. The rows of each table are taken apart, since how those without a place
    /// in the input stand between others depends on when they were committed.
    columns: BTreeMap<String, Digest>,
}

impl Content {
    fn open(path: &Path, is_quarantine: bool) -> Result<Result<Self, String>, FaultReport> {
        match open_regular(path) {
            Ok(file) => Ok(Self::read(file, is_quarantine)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Err(error.to_string())),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    fn read(file: File, is_quarantine: bool) -> Result<Self, String> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
        let pairs = reader.metadata().file_metadata().key_value_metadata().into_iter().flatten();
        let footer = pairs.map(|pair| (pair.key.clone(), pair.value.clone())).collect();
        let mut columns = ColumnDigests::default();
        if is_quarantine {
            let rows = reader.with_batch_size(BATCH_ROWS).build().map_err(|error| error.to_string())?;
            for batch in rows {
                columns.add(&batch.map_err(|error| error.to_string())?)?;
            }
        }
        Ok(Self { footer, columns: columns.finish() })
    }
}

/// The digest of each column of a quarantine, by the table that rows are of.
#[derive(Default)]
struct ColumnDigests {
    schema: Option<SchemaRef>,
    tables: BTreeMap<String, Vec<TableDigest>>,
}

impl ColumnDigests {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let tables = batch.column_by_name("table").and_then(|column| column.as_string_opt::<i32>());
        let tables = tables.ok_or("it has no column `table`")?;
        let of_row = |row: usize| if tables.is_valid(row) { tables.value(row) } else { "" };
        let mut names: Vec<&str> = (0..tables.len()).map(of_row).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let rows: BooleanArray = (0..tables.len()).map(|row| Some(of_row(row) == name)).collect();
            let rows = filter_record_batch(batch, &rows).map_err(|error| error.to_string())?;
            self.add_rows(name, &rows)?;
        }
        Ok(())
    }

    fn add_rows(&mut self, table: &str, rows: &RecordBatch) -> Result<(), String> {
        let schema = self.schema.get_or_insert_with(|| rows.schema());
        if self.tables.len() >= TABLES_MAX && !self.tables.contains_key(table) {
            return Err(format!("rows of more than {TABLES_MAX} tables"));
        }
        let digests = self.tables.entry(table.to_owned()).or_insert_with(|| begin(schema));
        let mut columns = digests.iter_mut().zip(rows.columns());
        columns
            .try_for_each(|(digest, column)| digest.add(std::slice::from_ref(column)))
            .map_err(|error| error.to_string())
    }

    fn finish(self) -> BTreeMap<String, Digest> {
        let Some(schema) = self.schema else { return BTreeMap::new() };
        let mut columns: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (table, digests) in self.tables {
            for (field, digest) in schema.fields().iter().zip(digests) {
                let told = columns.entry(field.name().clone()).or_default();
                told.extend((table.len() as u64).to_le_bytes());
                told.extend(table.as_bytes());
                told.extend(digest.finish().as_bytes());
            }
        }
        columns.remove(PATH);
        columns.into_iter().map(|(name, told)| (name, Digest::of(&told))).collect()
    }
}

/// Begins a digest for each column.
fn begin(schema: &Schema) -> Vec<TableDigest> {
    let Some(name) = TableName::new("quarantine") else { return Vec::new() };
    schema.fields().iter().map(|field| TableDigest::new(&name, &[Arc::clone(field)])).collect()
}

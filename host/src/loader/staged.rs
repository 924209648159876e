//! The files that a run has staged, read back: a table's rows in their order, whether in one file or in parts.

use std::io::{self, BufRead as _, BufReader, Read as _};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use cap_std::fs::Dir;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Input;
use super::fault::LoadFault;
use crate::sinks::Format;
use crate::staging::{RECEIPT_FILE, RECEIPTS_FILE};

/// Rows that are decoded at once. A row of the quarantine has 64 KiB of its input's bytes at most.
const BATCH_ROWS: usize = 512;

/// The rows of one table.
pub(super) struct Rows<'a> {
    staged: &'a Dir,
    files: Vec<String>,
}

impl<'a> Rows<'a> {
    /// Finds the files of a table, in their order. A table that was never opened has none.
    pub(super) fn of(staged: &'a Dir, table: &str) -> Result<Self, LoadFault> {
        let files = files_of(staged, table).map_err(|error| unread(table, &error))?;
        Ok(Self { staged, files })
    }

    /// Returns the columns; none: there are no files.
    pub(super) fn schema(&self) -> Result<Option<SchemaRef>, LoadFault> {
        let first = self.files.first();
        first.map(|file| Ok(self.open(file)?.schema().clone())).transpose()
    }

    /// Hands over all rows, batch by batch. The columns of each are those of the first.
    pub(super) fn each(
        &self,
        mut take: impl FnMut(&RecordBatch) -> Result<(), LoadFault>,
    ) -> Result<(), LoadFault> {
        let schema = self.schema()?;
        for file in &self.files {
            let reader = self.open(file)?;
            if schema.as_ref().is_none_or(|schema| schema.fields() != reader.schema().fields()) {
                return Err(unread(file, &"its columns are not those of the parts before it"));
            }
            // Group by group: a batch that goes on over the end of one would hold more bytes than any was written with.
            for group in 0..reader.metadata().num_row_groups() {
                let reader = self.open(file)?.with_row_groups(vec![group]).with_batch_size(BATCH_ROWS);
                for batch in reader.build().map_err(|error| unread(file, &error))? {
                    take(&batch.map_err(|error| unread(file, &error))?)?;
                }
            }
        }
        Ok(())
    }

    fn open(&self, file: &str) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>, LoadFault> {
        let opened = self.staged.open(file).map_err(|error| unread(file, &error))?;
        ParquetRecordBatchReaderBuilder::try_new(opened.into_std()).map_err(|error| unread(file, &error))
    }
}

fn files_of(staged: &Dir, table: &str) -> io::Result<Vec<String>> {
    let file = format!("{table}.{}", Format::Parquet.extension());
    if staged.try_exists(&file)? {
        return Ok(vec![file]);
    }
    if !staged.try_exists(table)? {
        return Ok(Vec::new());
    }
    let part = |entry: io::Result<cap_std::fs::DirEntry>| {
        Ok(format!("{table}/{}", entry?.file_name().to_string_lossy()))
    };
    let mut parts: Vec<String> = staged.read_dir(table)?.map(part).collect::<io::Result<_>>()?;
    // By number: a name has six digits or, past a million parts, more.
    parts.sort_by(|one, other| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
    Ok(parts)
}

/// Reads the receipt.
pub(super) fn receipt(staged: &Dir) -> Result<String, LoadFault> {
    let mut text = String::new();
    let read = staged.open(RECEIPT_FILE).and_then(|mut file| file.read_to_string(&mut text));
    read.map(|_| text).map_err(|error| unread(RECEIPT_FILE, &error))
}

/// Hands over the inputs of a dataset, as their receipts have them.
pub(super) fn each_input(
    staged: &Dir,
    mut take: impl FnMut(&Input) -> Result<(), LoadFault>,
) -> Result<(), LoadFault> {
    let file = staged.open(RECEIPTS_FILE).map_err(|error| unread(RECEIPTS_FILE, &error))?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| unread(RECEIPTS_FILE, &error))?;
        take(&serde_json::from_str(&line).map_err(|error| unread(RECEIPTS_FILE, &error))?)?;
    }
    Ok(())
}

fn unread(file: &str, error: &dyn std::fmt::Display) -> LoadFault {
    LoadFault::Staged { file: file.to_owned(), error: error.to_string() }
}

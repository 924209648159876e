//! A part of a dataset, written again with all columns of its table: those that no input in it had are null.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use bytes::Bytes;
use casparian_core::id::TableName;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::{Encoders, Format, Making, Provenance, SinkFault, TableFile, parts, what};
use crate::columns::{self, Column};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8 << 10;

/// How parts are written again.
pub(crate) struct Widener {
    making: Making,
}

impl Widener {
    /// Writes parts as they are written the first time, but for their columns and format.
    pub(crate) fn new(format: Format, provenance: Provenance, tables_wanted: usize) -> Self {
        let layout = parts::layout(tables_wanted);
        Self { making: Making { format, provenance, layout, encoders: Encoders::default() } }
    }

    /// Writes a part again, into a file that is asked for, unless it is as it should be. Returns whether it was.
    pub(crate) fn widen(
        &self,
        table: &TableName,
        part: File,
        columns: &[Column],
        provide: impl FnOnce() -> io::Result<File>,
    ) -> Result<bool, SinkFault> {
        let unread = |error: &dyn std::fmt::Display| unread(table, error);
        let part = Part::new(part).map_err(|error| unread(&error))?;
        let known = ArrowReaderMetadata::load(&part, Default::default()).map_err(|error| unread(&error))?;
        let schema = columns::schema(columns, known.schema()).map_err(|error| unread(&error))?;
        if self.making.format == Format::Parquet && known.schema().fields() == schema.fields() {
            return Ok(false);
        }
        let file = provide().map_err(|error| SinkFault::NoFile { file: what(table), error })?;
        let file = TableFile::create(file, what(table), Arc::clone(&schema), &self.making)?;
        let written = write(file, &part, &known, &schema, table)?;
        let due = u64::try_from(known.metadata().file_metadata().num_rows()).unwrap_or_default();
        match written == due {
            true => Ok(true),
            false => Err(unread(&format!("it has {written} rows, and says that it has {due}"))),
        }
    }
}

fn write(
    mut file: TableFile,
    part: &Part,
    known: &ArrowReaderMetadata,
    schema: &SchemaRef,
    table: &TableName,
) -> Result<u64, SinkFault> {
    // Group by group: a batch that goes on over the end of one would hold more bytes than any was written with.
    for group in 0..known.metadata().num_row_groups() {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(part.clone(), known.clone());
        let reader = reader.with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build();
        for rows in reader.map_err(|error| unread(table, &error))? {
            let rows = rows.and_then(|rows| columns::conform(rows, schema));
            file.write(rows.map_err(|error| unread(table, &error))?)?;
        }
    }
    Ok(file.close()?.rows)
}

fn unread(table: &TableName, error: &dyn std::fmt::Display) -> SinkFault {
    let error = format!("a part of it cannot be read back: {error}");
    SinkFault::Unwritten { file: what(table), bytes: 0, error }
}

/// A file that is read at any place. Unlike the one of the standard library it asks the system for nothing that a worker may
/// not ask for.
#[derive(Clone)]
struct Part {
    file: Arc<File>,
    bytes: u64,
}

impl Part {
    fn new(file: File) -> io::Result<Self> {
        let found = rustix::fs::fstat(&file)?;
        Ok(Self { file: Arc::new(file), bytes: u64::try_from(found.st_size).unwrap_or_default() })
    }
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Part {
    type T = Onward;

    fn get_read(&self, start: u64) -> ParquetResult<Onward> {
        Ok(Onward { file: Arc::clone(&self.file), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.bytes) {
            return Err(ParquetError::EOF(format!("{length} bytes from {start} on, of {}", self.bytes)));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A file from some place on.
struct Onward {
    file: Arc<File>,
    at: u64,
}

impl Read for Onward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use arrow_array::RecordBatch;

    use super::*;
    use crate::sinks::guest::every_type;
    use crate::sinks::tests::provenance;

    fn orders() -> TableName {
        TableName::new("orders").unwrap()
    }

    fn bytes(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    /// Writes rows as they are written the first time.
    fn written(format: Format, rows: &RecordBatch) -> File {
        let file = tempfile::tempfile().unwrap();
        let widener = Widener::new(format, provenance(), 1);
        let shared = file.try_clone().unwrap();
        let mut table = TableFile::create(shared, what(&orders()), rows.schema(), &widener.making).unwrap();
        table.write(rows.clone()).unwrap();
        table.close().unwrap();
        file
    }

    fn widened(format: Format, part: File, columns: &[Column]) -> Result<Option<File>, SinkFault> {
        let file = tempfile::tempfile().unwrap();
        let shared = file.try_clone().unwrap();
        let widener = Widener::new(format, provenance(), 1);
        Ok(widener.widen(&orders(), part, columns, || Ok(shared))?.then_some(file))
    }

    /// Columns of every type, with one more of each before them.
    fn twice(rows: &RecordBatch) -> Vec<Column> {
        let mut all = columns::of(&rows.schema());
        let more = all.clone().into_iter().map(|column| Column {
            name: format!("new_{}", column.name),
            nullable: true,
            ..column
        });
        all.splice(0..0, more);
        all
    }

    #[test]
    fn a_part_that_is_written_again_has_the_bytes_of_one_that_was_written_so_at_once() {
        let rows = every_type();
        let columns = twice(&rows);
        let schema = columns::schema(&columns, &rows.schema()).unwrap();
        let wide = columns::conform(rows.clone(), &schema).unwrap();
        for format in
            [Format::Parquet, Format::Arrow, Format::Csv { escapes_formulas: false }, Format::JsonLines]
        {
            let again = widened(format, written(Format::Parquet, &rows), &columns).unwrap().unwrap();
            assert!(bytes(&again) == bytes(&written(format, &wide)), "{format:?}");
        }
    }

    #[test]
    fn a_part_that_is_as_it_should_be_is_left_alone() {
        let rows = every_type();
        let part = written(Format::Parquet, &rows);
        assert!(widened(Format::Parquet, part, &columns::of(&rows.schema())).unwrap().is_none());
    }

    #[test]
    fn what_is_no_part_is_refused() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1 and then nothing").unwrap();
        let fault = widened(Format::Parquet, file, &[]).err().unwrap();
        assert!(fault.to_string().contains("cannot be read back"), "{fault}");
    }
}

//! The rows of a dataset against the claims of its inputs: they stand in the order of the inputs, so each claim is held against
//! as many rows as it accepted. Memory follows a batch of each table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::FieldRef;
use casparian_core::digest::TableDigest;
use casparian_core::id::TableName;
use casparian_core::receipt::Claim;
use casparian_core::receipt::dataset::DatasetReceipt;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::json;

use super::dataset::{is_held, place};
use super::files::{BATCH_ROWS, Found, Held, is_parquet, open_regular};
use crate::sinks::SOURCE;
use crate::staging::RECEIPTS_FILE;

/// The rows of a dataset that have not been held against a claim yet.
pub(super) struct Rows {
    tables: BTreeMap<TableName, Stream>,
    quarantine: Stream,
    /// Whether tables have the columns of all inputs, so that a claim's digest is of others.
    is_union: bool,
    /// Set where a file cannot be read, or rows are not whose they should be: what is behind that is nobody's any more.
    has_lost: bool,
}

/// Rows of one table, part by part.
struct Stream {
    files: std::vec::IntoIter<PathBuf>,
    reader: Option<ParquetRecordBatchReader>,
    rest: Option<RecordBatch>,
}

impl Rows {
    /// Finds the files that can be read back. Tables as text have no types, and are left alone.
    pub(super) fn of(folder: &std::path::Path, receipt: &DatasetReceipt) -> Self {
        let files = &receipt.circumstances.files;
        let stream = |table: Option<&TableName>| {
            let of_table =
                files.iter().filter(|file| file.table.as_ref() == table && file.name != RECEIPTS_FILE);
            let paths = of_table.filter_map(|file| place(folder, &file.name));
            Stream { files: paths.collect::<Vec<_>>().into_iter(), reader: None, rest: None }
        };
        let tables = receipt.claim.tables.keys().filter(|_| !is_held(&receipt.claim));
        let tables = tables.map(|table| (table.clone(), stream(Some(table))));
        Self {
            tables: tables.filter(|(_, stream)| stream.is_readable()).collect(),
            quarantine: stream(None),
            is_union: receipt.claim.columns.is_some(),
            has_lost: false,
        }
    }

    /// Holds the claim of the next input against the rows that come next.
    pub(super) fn check(
        &mut self,
        (number, input): (u64, &str),
        claim: &Claim,
        is_out: bool,
        found: &mut Found,
    ) {
        if self.has_lost {
            return;
        }
        let tables = self.check_tables((number, input), claim, is_out, found);
        if let Err(why) = tables.and_then(|()| self.check_quarantine(number, claim, found)) {
            self.has_lost = true;
            found.compare(format!("inputs.{number}.rows"), "readable", why);
        }
    }

    fn check_tables(
        &mut self,
        (number, input): (u64, &str),
        claim: &Claim,
        is_out: bool,
        found: &mut Found,
    ) -> Result<(), String> {
        for (name, claimed) in claim.tables.iter().filter(|_| is_out) {
            let Some(stream) = self.tables.get_mut(name) else { continue };
            let mut digest = None;
            let mut rows = 0;
            stream.take(claimed.accepted, |batch| {
                rows += batch.num_rows() as u64;
                check_source(&batch, input)?;
                let (fields, columns) = without_source(&batch);
                let digest = digest.get_or_insert_with(|| TableDigest::new(name, &fields));
                digest.add(&columns).map_err(|error| error.to_string())
            })?;
            let field = format!("inputs.{number}.{name}");
            found.compare(format!("{field}.rows"), claimed.accepted, rows);
            // A table without rows says nothing of them, and its columns need not be those of this input.
            if let Some(digest) = digest.filter(|_| !self.is_union) {
                found.compare(
                    format!("{field}.digest"),
                    claimed.digest.to_string(),
                    digest.finish().to_string(),
                );
            }
        }
        Ok(())
    }

    fn check_quarantine(&mut self, number: u64, claim: &Claim, found: &mut Found) -> Result<(), String> {
        let claimed = &claim.quarantine;
        if claimed.rows == 0 {
            return Ok(());
        }
        let mut held = Held::new(claim);
        self.quarantine.take(claimed.rows, |batch| held.add(&batch))?;
        held.compare(&format!("inputs.{number}.quarantine"), found);
        Ok(())
    }

    /// Says whether rows are left that no claim is about.
    pub(super) fn finish(mut self, found: &mut Found) {
        if self.has_lost {
            return;
        }
        for (name, stream) in &mut self.tables {
            let left = stream.count_rest();
            found.compare(format!("tables.{name}.unclaimed_rows"), json!(0), json!(left.ok()));
        }
        let left = self.quarantine.count_rest();
        found.compare("quarantine.unclaimed_rows".to_owned(), json!(0), json!(left.ok()));
    }
}

impl Stream {
    fn is_readable(&self) -> bool {
        self.files.as_slice().iter().all(|path| is_parquet(path))
    }

    /// Hands over the next rows, as many as are wanted or there are.
    fn take(
        &mut self,
        wanted: u64,
        mut hand: impl FnMut(RecordBatch) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut left = wanted;
        while left > 0 {
            let Some(batch) = self.next()? else { return Ok(()) };
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(batch.num_rows());
            left -= here as u64;
            if here < batch.num_rows() {
                self.rest = Some(batch.slice(here, batch.num_rows() - here));
            }
            hand(batch.slice(0, here))?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, String> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                return Ok(Some(batch.map_err(|error| error.to_string())?));
            }
            let Some(path) = self.files.next() else { return Ok(None) };
            let file = open_regular(&path).map_err(|error| error.to_string())?;
            let reader = ParquetRecordBatchReaderBuilder::try_new(file);
            let reader = reader.and_then(|reader| reader.with_batch_size(BATCH_ROWS).build());
            self.reader = Some(reader.map_err(|error| error.to_string())?);
        }
    }

    fn count_rest(&mut self) -> Result<u64, String> {
        let mut rows = 0;
        while let Some(batch) = self.next()? {
            rows += batch.num_rows() as u64;
        }
        Ok(rows)
    }
}

/// Checks that rows say that they are from an input. What another one is shown as has its bytes beside it.
fn check_source(batch: &RecordBatch, input: &str) -> Result<(), String> {
    let sources = batch.column_by_name(SOURCE).and_then(|column| column.as_string_opt::<i32>());
    let sources = sources.ok_or_else(|| format!("it has no column `{SOURCE}`"))?;
    let is_its = |source: Option<&str>| {
        source
            .and_then(|source| source.strip_prefix(input))
            .is_some_and(|rest| rest.is_empty() || is_bytes_of_name(rest))
    };
    match sources.is_empty() || sources.iter().all(is_its) {
        true => Ok(()),
        false => Err(format!("rows of another input stand where those of `{input}` should")),
    }
}

/// Whether something is what a name is shown with that another input has too: its bytes in hex.
fn is_bytes_of_name(rest: &str) -> bool {
    let hex = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    hex.is_some_and(|hex| {
        !hex.is_empty() && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn without_source(batch: &RecordBatch) -> (Vec<FieldRef>, Vec<arrow_array::ArrayRef>) {
    let schema = batch.schema();
    let both = schema.fields().iter().zip(batch.columns()).filter(|(field, _)| field.name() != SOURCE);
    both.map(|(field, column)| (field.clone(), column.clone())).unzip()
}

//! What was written, read back by another reader than the one that wrote it has in mind: whole files, as batches.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{Array as _, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Reads a Parquet file.
#[track_caller]
pub(crate) fn read(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    let reader = reader.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.map(|batch| batch.expect("a batch")).collect()
}

/// Reads an Arrow IPC file.
#[track_caller]
pub(crate) fn read_arrow(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = arrow_ipc::reader::FileReader::try_new(file, None);
    let reader = reader.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.map(|batch| batch.expect("a batch")).collect()
}

/// Returns the key-value pairs of a file's footer.
#[track_caller]
pub(crate) fn footer(path: &Path) -> BTreeMap<String, Option<String>> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let pairs = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

/// Returns how many rows there are.
pub(crate) fn count(rows: &[RecordBatch]) -> u64 {
    rows.iter().map(|batch| batch.num_rows() as u64).sum()
}

/// Returns a column of texts.
#[track_caller]
pub(crate) fn texts(rows: &[RecordBatch], column: &str) -> Vec<Option<String>> {
    let of_batch = |batch: &RecordBatch| -> Vec<Option<String>> {
        let cells =
            batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}")).as_string::<i32>();
        cells.iter().map(|cell| cell.map(str::to_owned)).collect()
    };
    rows.iter().flat_map(of_batch).collect()
}

/// Returns a column of bytes.
#[track_caller]
pub(crate) fn blobs(rows: &[RecordBatch], column: &str) -> Vec<Option<Vec<u8>>> {
    let of_batch = |batch: &RecordBatch| -> Vec<Option<Vec<u8>>> {
        let cells =
            batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}")).as_binary::<i32>();
        cells.iter().map(|cell| cell.map(<[u8]>::to_vec)).collect()
    };
    rows.iter().flat_map(of_batch).collect()
}

/// Returns a column of unsigned numbers, of 32 or 64 bits.
#[track_caller]
pub(crate) fn numbers(rows: &[RecordBatch], column: &str) -> Vec<Option<u64>> {
    let of_batch = |batch: &RecordBatch| -> Vec<Option<u64>> {
        let cells = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
        match cells.as_primitive_opt::<UInt64Type>() {
            Some(cells) => cells.iter().collect(),
            None => cells.as_primitive::<UInt32Type>().iter().map(|cell| cell.map(u64::from)).collect(),
        }
    };
    rows.iter().flat_map(of_batch).collect()
}

/// Returns offset and length of every row's record; none for a row without one.
#[track_caller]
pub(crate) fn spans(rows: &[RecordBatch], offset: &str, length: &str) -> Vec<Option<(u64, u64)>> {
    let (offsets, lengths) = (numbers(rows, offset), numbers(rows, length));
    offsets.into_iter().zip(lengths).map(|(offset, length)| offset.zip(length)).collect()
}

/// A reason of a quarantined row: its code and its rule.
pub(crate) type Reason = (String, String);

/// Returns the reasons of every row of a quarantine.
#[track_caller]
pub(crate) fn reasons(rows: &[RecordBatch]) -> Vec<Vec<Reason>> {
    let of_batch = |batch: &RecordBatch| -> Vec<Vec<Reason>> {
        let lists = batch.column_by_name("violations").expect("violations").as_list::<i32>().clone();
        (0..lists.len()).map(|row| of_row(&lists.value(row))).collect()
    };
    rows.iter().flat_map(of_batch).collect()
}

fn of_row(violations: &arrow_array::ArrayRef) -> Vec<Reason> {
    let violations = violations.as_struct();
    let field = |name: &str| {
        violations.column_by_name(name).expect("a field of a violation").as_string::<i32>().clone()
    };
    let (codes, rules) = (field("code"), field("rule"));
    (0..violations.len()).map(|at| (codes.value(at).to_owned(), rules.value(at).to_owned())).collect()
}

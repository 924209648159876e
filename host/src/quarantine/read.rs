//! A quarantine file, read back row by row. Memory follows a row group and not the file. The file may be anybody's: what is
//! not as `docs/spec/quarantine-file.md` has it is an error that says what and where.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{
    Array, BinaryArray, BooleanArray, ListArray, RecordBatch, StringArray, UInt64Array, make_array,
};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use thiserror::Error;

use super::cells::{self, CellsFault};
use super::held::{HeldCell, HeldRow, HeldViolation};
use super::select::Selection;
use super::{QUARANTINE_FILE, ROW_SCHEMA};
use crate::sinks::FORMAT_VERSION;
use crate::staging::{self, Extent, QUARANTINE_PARTS, RECEIPT_FILE};

/// Rows that are decoded at once. With their own bytes they may be 64 KiB each.
const BATCH_ROWS: usize = 256;
/// Most folders that a hint names.
const FOLDERS_NAMED: usize = 8;
/// The longest path that Linux takes.
const PATH_BYTES_MAX: usize = 4096;
/// Behind an output's name: where a run that was held keeps its quarantine.
const HELD: &str = ".held";
/// Stands for a value that cannot be written as text.
const NOT_SHOWN: &str = "(not shown)";

/// A quarantine cannot be read.
#[derive(Debug, Error)]
pub enum ReadFault {
    /// There is nothing of that name.
    #[error("{path} does not exist")]
    Missing {
        /// As it was given.
        path: GuestText,
    },
    /// A folder without a quarantine and without tables.
    #[error("{path} is no output of a run")]
    NoOutput {
        /// As it was given.
        path: GuestText,
        /// Folders in it that hold a quarantine.
        folders: Vec<String>,
    },
    /// It cannot be opened.
    #[error("{path} cannot be opened: {error}")]
    Unopened {
        /// The file.
        path: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// It is no Parquet file, or a damaged one.
    #[error("{path} cannot be read: {error}")]
    Damaged {
        /// The file.
        path: GuestText,
        /// What the decoder says.
        error: GuestText,
    },
    /// It is some other Parquet file.
    #[error("{path} is no quarantine: it has no column `{column}` of type {kind}")]
    NoQuarantine {
        /// The file.
        path: GuestText,
        /// What it lacks.
        column: &'static str,
        /// Of which type that should be.
        kind: &'static str,
    },
    /// A later version of ours wrote it.
    #[error("{path} is of format version {found}, and this program reads {FORMAT_VERSION}")]
    Version {
        /// The file.
        path: GuestText,
        /// The version that it names.
        found: GuestText,
    },
    /// The cells of a row are not what the file says they are.
    #[error("{path}, the cells of {q_id}: {error}")]
    Cells {
        /// The file.
        path: GuestText,
        /// The row.
        q_id: GuestText,
        /// What is wrong with them.
        error: CellsFault,
    },
}

impl Blamed for ReadFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Missing { .. } | Self::NoOutput { .. } | Self::Unopened { .. } => Blame::Operator,
            Self::NoQuarantine { .. } | Self::Version { .. } => Blame::Operator,
            Self::Damaged { .. } | Self::Cells { .. } => Blame::Input,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "quarantine-missing",
            Self::NoOutput { .. } => "not-an-output",
            Self::Unopened { .. } => "quarantine-unopened",
            Self::Damaged { .. } | Self::Cells { .. } => "quarantine-damaged",
            Self::NoQuarantine { .. } => "not-a-quarantine",
            Self::Version { .. } => "quarantine-version",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoOutput { folders, .. } if !folders.is_empty() => {
                Some(format!("these folders in it have a quarantine: {}", folders.join(", ")))
            }
            Self::Missing { .. } | Self::NoOutput { .. } | Self::NoQuarantine { .. } => {
                Some("name the folder that `host run --out` wrote, or its `_quarantine.parquet`".to_owned())
            }
            Self::Version { .. } => Some("read it with the program that wrote it, or a later one".to_owned()),
            Self::Damaged { .. } | Self::Cells { .. } => {
                Some("run the parser again; every row gets the name that it had".to_owned())
            }
            Self::Unopened { .. } => None,
        }
    }
}

/// The quarantine of an output: a file, or of a dataset its parts.
#[derive(Debug)]
pub struct Quarantine {
    /// The files, in the order of their rows; none: nothing was held back.
    files: Vec<PathBuf>,
    /// Whether it is of many inputs.
    is_dataset: bool,
}

impl Quarantine {
    /// Finds the quarantine of an output: in the folder, in the folder of a run that was held, or the file or folder itself.
    pub fn find(out: &Path) -> Result<Self, ReadFault> {
        let place = place_of(out)?;
        let Some(place) = place else { return Ok(Self { files: Vec::new(), is_dataset: false }) };
        let is_dataset = place.is_dir();
        Ok(Self { files: if is_dataset { parts_of(&place)? } else { vec![place] }, is_dataset })
    }

    /// Returns whether nothing was held back.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns whether its rows are of many inputs.
    pub fn is_dataset(&self) -> bool {
        self.is_dataset
    }

    /// Returns how many rows it holds.
    pub fn rows(&self) -> Result<u64, ReadFault> {
        self.files
            .iter()
            .try_fold(0_u64, |sum, file| Ok(sum.saturating_add(QuarantineReader::open(file)?.rows())))
    }

    /// Reads the rows that are selected, in their order. One file is open at a time.
    pub fn read(
        &self,
        selection: Selection,
        detail: Detail,
    ) -> impl Iterator<Item = Result<HeldRow, ReadFault>> + '_ {
        let rows_of = move |file: &PathBuf| {
            let rows = QuarantineReader::open(file).and_then(|file| file.read(selection.clone(), detail));
            let (rows, fault) = match rows {
                Ok(rows) => (Some(rows), None),
                Err(fault) => (None, Some(Err(fault))),
            };
            rows.into_iter().flatten().chain(fault)
        };
        self.files.iter().flat_map(rows_of)
    }
}

/// Returns the file of a quarantine, or the folder of its parts. `None` where a run held nothing back.
fn place_of(out: &Path) -> Result<Option<PathBuf>, ReadFault> {
    let path = GuestText::new(&out.to_string_lossy(), PATH_BYTES_MAX);
    if out.is_dir() {
        if out.file_name().is_some_and(|name| name == QUARANTINE_PARTS) && !is_output(out) {
            return Ok(Some(out.to_owned()));
        }
        return match (in_folder(out), is_output(out)) {
            (Some(found), _) => Ok(Some(found)),
            (None, true) => Ok(None),
            (None, false) => Err(ReadFault::NoOutput { path, folders: folders_with_quarantine(out) }),
        };
    }
    let about = staging::about(out, Extent::File);
    if is_output(&about) {
        return place_of(&about);
    }
    let held = held_of(out).and_then(|held| in_folder(&held));
    match (out.exists(), held) {
        (true, _) => Ok(Some(out.to_owned())),
        (false, Some(held)) => Ok(Some(held)),
        (false, None) => Err(ReadFault::Missing { path }),
    }
}

fn in_folder(folder: &Path) -> Option<PathBuf> {
    let parts = Some(folder.join(QUARANTINE_PARTS)).filter(|parts| parts.is_dir());
    parts.or_else(|| Some(folder.join(QUARANTINE_FILE)).filter(|file| file.exists()))
}

/// Returns the parts of a dataset's quarantine, by their numbers: a name has six digits or, past a million parts, more.
fn parts_of(folder: &Path) -> Result<Vec<PathBuf>, ReadFault> {
    let entries = folder.read_dir().and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.map_err(|error| ReadFault::Unopened {
        path: GuestText::new(&folder.to_string_lossy(), PATH_BYTES_MAX),
        error,
    })?;
    let names = entries.into_iter().map(|entry| entry.file_name());
    let mut names: Vec<_> =
        names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "parquet")).collect();
    names.sort_by(|one, other| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn held_of(out: &Path) -> Option<PathBuf> {
    let mut name = out.file_name()?.to_owned();
    name.push(HELD);
    Some(out.with_file_name(name))
}

/// Whether a run has left a folder: each leaves its receipt.
fn is_output(folder: &Path) -> bool {
    folder.join(RECEIPT_FILE).exists()
}

fn folders_with_quarantine(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let with = entries.filter(|entry| in_folder(&entry.path()).is_some());
    let mut names: Vec<String> =
        with.take(FOLDERS_NAMED).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// How much of each row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Where it is and why it is held.
    Reasons,
    /// Its record's bytes and its cells too.
    Everything,
}

/// A quarantine file, open.
struct QuarantineReader {
    path: GuestText,
    file: File,
    /// What the cells of each table's rows are.
    row_schemas: BTreeMap<String, SchemaRef>,
    rows: u64,
}

impl QuarantineReader {
    /// Opens a file.
    fn open(path: &Path) -> Result<Self, ReadFault> {
        let shown = GuestText::new(&path.to_string_lossy(), PATH_BYTES_MAX);
        let file = File::open(path).map_err(|error| ReadFault::Unopened { path: shown.clone(), error })?;
        let builder = builder(&file, &shown)?;
        let metadata = builder.metadata().file_metadata();
        let rows = u64::try_from(metadata.num_rows()).unwrap_or_default();
        let notes: BTreeMap<&str, &str> = metadata
            .key_value_metadata()
            .into_iter()
            .flatten()
            .filter_map(|pair| Some((pair.key.as_str(), pair.value.as_deref()?)))
            .collect();
        check_version(&notes, &shown)?;
        let row_schemas = row_schemas(&notes).map_err(|error| damaged(&shown, &error))?;
        Ok(Self { path: shown, file, row_schemas, rows })
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads the rows that are selected, in their order.
    fn read(self, selection: Selection, detail: Detail) -> Result<HeldRows, ReadFault> {
        let builder = builder(&self.file, &self.path)?;
        let heavy = ["raw", "row"];
        let mask = match detail {
            Detail::Everything => ProjectionMask::all(),
            Detail::Reasons => {
                let roots = builder.parquet_schema().root_schema().get_fields().to_vec();
                let light = (0..roots.len()).filter(|at| !heavy.contains(&roots[*at].name()));
                ProjectionMask::roots(builder.parquet_schema(), light)
            }
        };
        let batches = builder
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| damaged(&self.path, &error))?;
        Ok(HeldRows { reader: self, selection, detail, batches, batch: None, record: None })
    }

    fn cells(&self, row: &HeldRow, bytes: &[u8]) -> Result<Vec<HeldCell>, CellsFault> {
        let schema = row.table.as_ref().and_then(|table| self.row_schemas.get(table));
        schema.map_or(Ok(Vec::new()), |schema| Ok(in_text(&cells::read(schema, bytes)?)))
    }
}

fn builder(file: &File, path: &GuestText) -> Result<ParquetRecordBatchReaderBuilder<File>, ReadFault> {
    let file = file.try_clone().map_err(|error| ReadFault::Unopened { path: path.clone(), error })?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error: ParquetError| damaged(path, &error))
}

fn damaged(path: &GuestText, error: &dyn std::error::Error) -> ReadFault {
    ReadFault::Damaged { path: path.clone(), error: GuestText::new(&error.to_string(), 256) }
}

fn check_version(notes: &BTreeMap<&str, &str>, path: &GuestText) -> Result<(), ReadFault> {
    match notes.get("casparian.format_version") {
        Some(found) if *found != FORMAT_VERSION.to_string() => {
            Err(ReadFault::Version { path: path.clone(), found: GuestText::new(found, 16) })
        }
        _ => Ok(()),
    }
}

fn row_schemas(notes: &BTreeMap<&str, &str>) -> Result<BTreeMap<String, SchemaRef>, ArrowError> {
    let of_tables = notes.iter().filter_map(|(key, hex)| Some((key.strip_prefix(ROW_SCHEMA)?, hex)));
    let schema = |(table, hex): (&str, &&str)| {
        let message =
            from_hex(hex).ok_or_else(|| ArrowError::ParseError(format!("{ROW_SCHEMA}{table} is no hex")))?;
        Ok((table.to_owned(), cells::read_schema(&message)?))
    };
    of_tables.map(schema).collect()
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| u8::try_from(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?).ok();
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// Returns the cells of a batch of one row as text.
fn in_text(row: &RecordBatch) -> Vec<HeldCell> {
    let schema = row.schema();
    let cell = |(field, column): (&arrow_schema::FieldRef, &arrow_array::ArrayRef)| HeldCell {
        column: field.name().clone(),
        kind: field.data_type().to_string(),
        value: (!column.is_null(0)).then(|| value_in_text(column)),
    };
    schema.fields().iter().zip(row.columns()).map(cell).collect()
}

fn value_in_text(column: &arrow_array::ArrayRef) -> String {
    match column.data_type() {
        // A time with a zone is an instant, and shown as one: names of zones mean nothing to us.
        DataType::Timestamp(unit, Some(_)) => {
            let plain = column.to_data().into_builder().data_type(DataType::Timestamp(*unit, None)).build();
            plain.map_or_else(|_| NOT_SHOWN.to_owned(), |plain| format!("{}Z", formatted(&make_array(plain))))
        }
        _ => formatted(column),
    }
}

fn formatted(column: &dyn Array) -> String {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).ok();
    formatter.and_then(|found| found.value(0).try_to_string().ok()).unwrap_or_else(|| NOT_SHOWN.to_owned())
}

/// Rows of a quarantine, one after the other.
struct HeldRows {
    reader: QuarantineReader,
    selection: Selection,
    detail: Detail,
    batches: ParquetRecordBatchReader,
    batch: Option<(Columns, usize)>,
    /// Where the last record with bytes begins, and these: its other rows have none of their own.
    record: Option<(u64, Vec<u8>)>,
}

impl Iterator for HeldRows {
    type Item = Result<HeldRow, ReadFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (columns, at) = match self.batch.take() {
                Some(batch) => batch,
                None => match self.batches.next()?.map_err(|error| damaged(&self.reader.path, &error)) {
                    Ok(batch) => match Columns::of(&batch, self.detail, &self.reader.path) {
                        Ok(columns) => (columns, 0),
                        Err(fault) => return Some(Err(fault)),
                    },
                    Err(fault) => return Some(Err(fault)),
                },
            };
            if at == columns.rows() {
                continue;
            }
            let found = self.row(&columns, at);
            self.batch = Some((columns, at + 1));
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
    }
}

impl HeldRows {
    /// Returns a row, if it is selected.
    fn row(&mut self, columns: &Columns, at: usize) -> Result<Option<HeldRow>, ReadFault> {
        let mut row = columns.row(at);
        if let (Some(offset), Some(raw)) = (row.byte_offset, columns.raw(at)) {
            self.record = Some((offset, raw.to_vec()));
        }
        if !self.selection.has(&row) {
            return Ok(None);
        }
        if self.detail == Detail::Everything {
            let of_record = self.record.as_ref().filter(|(offset, _)| Some(*offset) == row.byte_offset);
            row.raw = of_record.map(|(_, raw)| raw.clone());
            let cells = columns.cells(at).map(|bytes| self.reader.cells(&row, bytes)).transpose();
            row.cells = cells.map_err(|error| ReadFault::Cells {
                path: self.reader.path.clone(),
                q_id: GuestText::new(&row.q_id, 64),
                error,
            })?;
        }
        Ok(Some(row))
    }
}

/// The columns of a batch, each of its type.
struct Columns {
    q_id: StringArray,
    row_id: StringArray,
    table: StringArray,
    input_path: StringArray,
    record_no: UInt64Array,
    line_first: UInt64Array,
    line_last: UInt64Array,
    byte_offset: UInt64Array,
    byte_length: UInt64Array,
    n_violations: UInt64Array,
    raw_truncated: BooleanArray,
    raw: Option<BinaryArray>,
    row: Option<BinaryArray>,
    violations: ListArray,
    reasons: Reasons,
}

/// The fields of all violations of a batch.
struct Reasons {
    code: StringArray,
    severity: StringArray,
    column: StringArray,
    rule: StringArray,
    expected: StringArray,
    observed: StringArray,
}

/// Takes columns out of a batch, or says which is not there.
struct Taker<'a> {
    path: &'a GuestText,
    column: &'a dyn Fn(&str) -> Option<arrow_array::ArrayRef>,
}

impl Taker<'_> {
    fn take<T>(
        &self,
        name: &'static str,
        kind: &'static str,
        cast: impl Fn(&dyn Array) -> Option<T>,
    ) -> Result<T, ReadFault> {
        let found = (self.column)(name).and_then(|column| cast(column.as_ref()));
        found.ok_or_else(|| ReadFault::NoQuarantine { path: self.path.clone(), column: name, kind })
    }

    fn text(&self, name: &'static str) -> Result<StringArray, ReadFault> {
        self.take(name, "utf8", |column| column.as_string_opt::<i32>().cloned())
    }

    fn number(&self, name: &'static str) -> Result<UInt64Array, ReadFault> {
        self.take(name, "uint64", |column| column.as_primitive_opt::<UInt64Type>().cloned())
    }

    fn bytes(&self, name: &'static str) -> Result<BinaryArray, ReadFault> {
        self.take(name, "binary", |column| column.as_binary_opt::<i32>().cloned())
    }
}

impl Columns {
    fn of(batch: &RecordBatch, detail: Detail, path: &GuestText) -> Result<Self, ReadFault> {
        let column = |name: &str| batch.column_by_name(name).cloned();
        let all = Taker { path, column: &column };
        let heavy = |name| (detail == Detail::Everything).then(|| all.bytes(name)).transpose();
        let violations =
            all.take("violations", "list<struct>", |column| column.as_list_opt::<i32>().cloned())?;
        Ok(Self {
            q_id: all.text("q_id")?,
            row_id: all.text("row_id")?,
            table: all.text("table")?,
            input_path: all.text("input_path")?,
            record_no: all.number("record_no")?,
            line_first: all.number("line_first")?,
            line_last: all.number("line_last")?,
            byte_offset: all.number("byte_offset")?,
            byte_length: all.number("byte_length")?,
            n_violations: all.number("n_violations")?,
            raw_truncated: all.take("raw_truncated", "boolean", |column| column.as_boolean_opt().cloned())?,
            raw: heavy("raw")?,
            row: heavy("row")?,
            reasons: Reasons::of(&violations, path)?,
            violations,
        })
    }

    fn rows(&self) -> usize {
        self.q_id.len()
    }

    fn raw(&self, at: usize) -> Option<&[u8]> {
        self.raw.as_ref().filter(|raw| raw.is_valid(at)).map(|raw| raw.value(at))
    }

    fn cells(&self, at: usize) -> Option<&[u8]> {
        self.row.as_ref().filter(|row| row.is_valid(at)).map(|row| row.value(at))
    }

    fn row(&self, at: usize) -> HeldRow {
        let reasons =
            self.violations.value_offsets()[at] as usize..self.violations.value_offsets()[at + 1] as usize;
        HeldRow {
            q_id: self.q_id.value(at).to_owned(),
            row_id: self.row_id.value(at).to_owned(),
            table: text(&self.table, at),
            input_path: self.input_path.value(at).to_owned(),
            record_no: number(&self.record_no, at),
            line_first: number(&self.line_first, at),
            line_last: number(&self.line_last, at),
            byte_offset: number(&self.byte_offset, at),
            byte_length: number(&self.byte_length, at),
            n_violations: self.n_violations.value(at),
            violations: reasons.map(|at| self.reasons.violation(at)).collect(),
            raw: None,
            raw_truncated: self.raw_truncated.value(at),
            cells: None,
        }
    }
}

impl Reasons {
    fn of(violations: &ListArray, path: &GuestText) -> Result<Self, ReadFault> {
        let fields = violations.values().as_struct_opt();
        let column = |name: &str| fields.and_then(|fields| fields.column_by_name(name)).cloned();
        let all = Taker { path, column: &column };
        Ok(Self {
            code: all.text("code")?,
            severity: all.text("severity")?,
            column: all.text("column")?,
            rule: all.text("rule")?,
            expected: all.text("expected")?,
            observed: all.text("observed")?,
        })
    }

    fn violation(&self, at: usize) -> HeldViolation {
        HeldViolation {
            code: self.code.value(at).to_owned(),
            severity: self.severity.value(at).to_owned(),
            column: text(&self.column, at),
            rule: self.rule.value(at).to_owned(),
            expected: text(&self.expected, at),
            observed: text(&self.observed, at),
        }
    }
}

fn text(column: &StringArray, at: usize) -> Option<String> {
    column.is_valid(at).then(|| column.value(at).to_owned())
}

fn number(column: &UInt64Array, at: usize) -> Option<u64> {
    column.is_valid(at).then(|| column.value(at))
}

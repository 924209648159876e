//! A contract for files that nobody has described: the parser runs over all of them without one, and what its rows have in
//! common is drafted.
//!
//! The rows go to a folder of the moment, as they would to a dataset, and are looked at from there: that is the whole data, in
//! memory that does not follow its size, and what is said of a value names its input and its place. The draft is read back
//! before anybody sees it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use casparian_core::contract::{canon, odcs};
use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};
use casparian_core::infer::draft::{self, About};
use casparian_core::infer::settle::{Answers, ColumnFinding, Outcome, TableFinding};
use casparian_core::infer::{Inference, Place, Places};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use crate::dataset::report::{DatasetReport, DatasetStatus, InputCounts, LeftOut};
use crate::dataset::{ManyRequest, Told, run_many};
use crate::inspect::{InspectRequest, Inspection, inspect};
use crate::request::ContractChoice;
use crate::sinks::{Format, LENGTH, OFFSET, RECORD_NO, SOURCE};
use crate::staging::Extent;

/// The version of [`Inferred`]'s shape.
pub const INFERRED_SCHEMA: u32 = 1;
/// Rows that are looked at at once.
const BATCH_ROWS: usize = 8 << 10;
/// What is no column of the parser's.
const OURS: [&str; 4] = [SOURCE, RECORD_NO, OFFSET, LENGTH];

/// What somebody wants a contract of.
#[derive(Debug, Clone)]
pub struct InferRequest {
    /// The run over all inputs. Its output and its contract are of no matter.
    pub many: ManyRequest,
    /// Where files of the moment go; none: where the system has them.
    pub beside: Option<PathBuf>,
    /// Answers to questions that may come up.
    pub answers: Answers,
}

/// A contract that was drafted, and what speaks for it.
#[derive(Debug, Serialize)]
pub struct Inferred {
    /// [`INFERRED_SCHEMA`].
    pub schema: u32,
    /// The draft: ODCS 3.1.0 YAML.
    pub draft: String,
    /// Its `contract_hash`.
    pub hash: Digest,
    /// The inputs, counted.
    pub inputs: InputCounts,
    /// The first inputs that say nothing in it, and why.
    pub left_out: Vec<LeftOut>,
    /// Rows and records that were held back, for what the parser found in them or declares of them.
    pub quarantined: u64,
    /// Questions that are open.
    pub questions: usize,
    /// What was found of each column.
    pub tables: Vec<TableFinding>,
    /// The exit code: that of the run.
    pub exit: u8,
}

/// What was found of one column.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Its table.
    pub table: &'a TableFinding,
    /// The column.
    pub column: &'a ColumnFinding,
}

/// Most columns that a hint names.
const COLUMNS_NAMED: usize = 12;

impl Inferred {
    /// Finds columns by name, in all tables or, as `TABLE.COLUMN`, in one.
    pub fn find(&self, name: &str) -> Vec<Found<'_>> {
        let is_it = |found: &Found<'_>| {
            let (table, column) = (found.table.table.as_str(), found.column.name.raw());
            column == name || name.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')) == Some(column)
        };
        self.columns().filter(is_it).collect()
    }

    /// Names some columns.
    pub fn some_columns(&self) -> String {
        let name = |found: Found<'_>| format!("{}.{}", found.table.table, found.column.name);
        let named: Vec<String> = self.columns().take(COLUMNS_NAMED).map(name).collect();
        let rest = self.columns().count().saturating_sub(named.len());
        named.join(", ") + &if rest > 0 { format!(" and {rest} more") } else { String::new() }
    }

    fn columns(&self) -> impl Iterator<Item = Found<'_>> {
        self.tables.iter().flat_map(|table| table.columns.iter().map(move |column| Found { table, column }))
    }
}

/// Runs the parser over all inputs and drafts a contract of what comes out.
pub fn infer(request: &InferRequest, tell: &mut dyn FnMut(Told)) -> Result<Inferred, FaultReport> {
    let moment = moment(request.beside.as_deref())?;
    let mut many = request.many.clone();
    let each = &mut many.each;
    each.out = Some(moment.path().join("rows"));
    (each.contract, each.extent, each.format) = (ContractChoice::Declared, Extent::Folder, Format::Parquet);
    (each.strict, each.replace) = (false, false);
    let parser = inspect(&question(&many))?;
    let report = run_many(&many, tell);
    if let Some(fault) = report.fault.clone().filter(|_| report.status == DatasetStatus::Failed) {
        return Err(fault);
    }
    let parts = parts(&report)?;
    let inference = look_at_all(&parts, many.jobs, &many.each.stop)?;
    let tables = inference.settle(&request.answers);
    conclude(&parser, report, tables)
}

fn moment(beside: Option<&Path>) -> Result<tempfile::TempDir, FaultReport> {
    let made = match beside {
        Some(folder) if folder.as_os_str().is_empty() => tempfile::tempdir_in("."),
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    made.map_err(|error| FaultReport {
        blame: Blame::Operator,
        code: "output-parent-unusable".to_owned(),
        message: format!("no folder of the moment can be made: {error}"),
        hint: Some("it goes where --out goes, or else where TMPDIR says; choose another place".to_owned()),
        at: None,
    })
}

fn question(many: &ManyRequest) -> InspectRequest {
    let each = &many.each;
    InspectRequest {
        component: each.component.clone(),
        limits: each.limits.clone(),
        python_runtime: each.python_runtime.clone(),
        cache_dir: each.cache_dir.clone(),
        worker_exe: each.worker_exe.clone(),
        require_isolation: each.require_isolation,
        stop: Arc::clone(&each.stop),
    }
}

/// One file of rows.
#[derive(Debug)]
struct Part {
    table: TableName,
    /// Its number among those of its table: they stand in the order of the inputs.
    number: u64,
    path: PathBuf,
}

fn parts(report: &DatasetReport) -> Result<Vec<Part>, FaultReport> {
    let mut parts = Vec::new();
    for table in &report.tables {
        let Some(folder) = &table.path else { continue };
        let entries =
            Path::new(folder).read_dir().and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut paths: Vec<PathBuf> =
            entries.map_err(|error| lost(folder, &error))?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        let part = |(number, path)| Part { table: table.name.clone(), number, path };
        parts.extend((0..).zip(paths).map(part));
    }
    let rows: u64 = report.tables.iter().map(|table| table.accepted).sum();
    if rows == 0 { Err(nothing(report)) } else { Ok(parts) }
}

fn nothing(report: &DatasetReport) -> FaultReport {
    let first = report.left_out.first().map(|out| {
        let input = GuestText::new(&out.input, 256);
        format!("; {input}: {}", out.fault.message)
    });
    FaultReport {
        blame: Blame::Input,
        code: "nothing-to-infer-from".to_owned(),
        message: format!(
            "the parser gave no row of {} inputs, and {} rows or records were held back{}",
            report.inputs.found,
            report.quarantine.rows,
            first.unwrap_or_default()
        ),
        hint: Some("`host run --no-contract` over one of them shows what it makes of it".to_owned()),
        at: None,
    }
}

/// Looks at all files, on several threads. What comes out does not depend on who looked at what.
fn look_at_all(parts: &[Part], jobs: usize, stop: &AtomicBool) -> Result<Inference, FaultReport> {
    let next = AtomicUsize::new(0);
    let look = || -> Result<Inference, FaultReport> {
        let mut inference = Inference::default();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            look_at(part, &mut inference, stop)?;
        }
        Ok(inference)
    };
    thread::scope(|scope| {
        let threads = jobs.clamp(1, parts.len().max(1));
        let looking: Vec<_> = (0..threads).map(|_| scope.spawn(look)).collect();
        let mut all = Inference::default();
        for looked in looking {
            let seen = looked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.merge(seen).map_err(|fault| fault.report())?;
        }
        Ok(all)
    })
}

fn look_at(part: &Part, inference: &mut Inference, stop: &AtomicBool) -> Result<(), FaultReport> {
    let unread = |error: &dyn std::fmt::Display| lost(&part.path.to_string_lossy(), error);
    let file = File::open(&part.path).map_err(|error| unread(&error))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unread(&error))?;
    // Known by its columns, should it have no rows.
    inference.open(&part.table, &theirs(reader.schema()).0).map_err(|fault| fault.report())?;
    let rows = reader.with_batch_size(BATCH_ROWS).build().map_err(|error| unread(&error))?;
    let mut first = Place { piece: part.number, row: 0 };
    for batch in rows {
        if stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        let batch = batch.map_err(|error| unread(&error))?;
        see(part, &batch, first, inference);
        first.row = first.row.saturating_add(u64::try_from(batch.num_rows()).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Returns the parser's own columns, without what our files say of them, and their places.
fn theirs(schema: &Schema) -> (Schema, Vec<usize>) {
    let columns = schema.fields().iter().enumerate();
    let columns = columns.filter(|(_, field)| !OURS.contains(&field.name().as_str()));
    let (places, fields): (Vec<usize>, Vec<Field>) = columns
        .map(|(at, field)| (at, Field::new(field.name(), field.data_type().clone(), field.is_nullable())))
        .unzip();
    (Schema::new(fields), places)
}

/// Looks at rows of a table that is open.
fn see(part: &Part, batch: &RecordBatch, first: Place, inference: &mut Inference) {
    let (_, at) = theirs(&batch.schema());
    let columns: Vec<ArrayRef> = at.into_iter().map(|at| Arc::clone(batch.column(at))).collect();
    let ours = |name| batch.column_by_name(name);
    let places = Places {
        first,
        inputs: ours(SOURCE).and_then(|names| names.as_string_opt::<i32>()).cloned(),
        offsets: ours(OFFSET).and_then(|offsets| offsets.as_primitive_opt::<UInt64Type>()).cloned(),
    };
    inference.see(&part.table, &columns, &places);
}

fn conclude(
    parser: &Inspection,
    report: DatasetReport,
    tables: Vec<TableFinding>,
) -> Result<Inferred, FaultReport> {
    let described = &parser.description;
    let is_seen = |name: &TableName| tables.iter().any(|table| table.table == *name);
    let unseen = described.tables.iter().map(|table| &table.name).filter(|name| !is_seen(name));
    let about = About {
        id: if described.name.raw().is_empty() { "draft".to_owned() } else { described.name.to_string() },
        preamble: preamble(&report, described.version.to_string()),
        unseen: unseen.map(ToString::to_string).collect(),
        docs: docs(parser),
    };
    let text = draft::write(&about, &tables);
    if text.len() > odcs::BYTES_MAX {
        return Err(too_large(text.len()));
    }
    // Whoever runs this should not have to find out that we cannot write what we read.
    let read = odcs::read(text.as_bytes()).map_err(|faults| internal(&faults.report().message))?;
    let columns = tables.iter().flat_map(|table| &table.columns);
    let questions = columns.filter(|column| column.outcome == Outcome::Ambiguous);
    Ok(Inferred {
        schema: INFERRED_SCHEMA,
        draft: text,
        hash: canon::hash(&read.contract),
        inputs: report.inputs,
        left_out: report.left_out,
        quarantined: report.quarantine.rows,
        questions: questions.map(|column| column.questions.len()).sum(),
        tables,
        exit: report.exit,
    })
}

fn preamble(report: &DatasetReport, version: String) -> Vec<String> {
    let InputCounts { found, failed, held, bytes, .. } = report.inputs;
    let taken = found.saturating_sub(failed).saturating_sub(held);
    let mut lines = vec![format!(
        "Drafted from {taken} of {found} inputs ({bytes} bytes), as {} {version} reads them.",
        report.component.name
    )];
    if report.quarantine.rows > 0 {
        lines.push(format!(
            "Bad rows, and records that cannot be read, say nothing here: {}.",
            report.quarantine.rows
        ));
    }
    lines.push("Nothing in it is certain of tomorrow's files: read it, and answer its questions.".to_owned());
    lines
}

/// What the parser says of its columns, by table and column.
fn docs(parser: &Inspection) -> BTreeMap<(TableName, String), String> {
    let columns =
        parser.columns.iter().flat_map(|table| table.columns.iter().map(|column| (&table.table, column)));
    let with_doc = columns.filter(|(_, column)| !column.doc.raw().is_empty());
    with_doc
        .map(|(table, column)| ((table.clone(), column.name.raw().to_owned()), column.doc.to_string()))
        .collect()
}

fn lost(path: &str, error: &dyn std::fmt::Display) -> FaultReport {
    FaultReport {
        blame: Blame::Host,
        code: "rows-unreadable".to_owned(),
        message: format!("rows just written, {}: {error}", GuestText::new(path, 4096)),
        hint: Some("is the disk full, or does somebody else clean up there?".to_owned()),
        at: None,
    }
}

fn too_large(bytes: usize) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "draft-too-large".to_owned(),
        message: format!("contract bytes: limit {}, and the draft has {bytes}", odcs::BYTES_MAX),
        hint: Some("draft a contract for some of the tables: --tables".to_owned()),
        at: None,
    }
}

fn interrupted() -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "interrupted".to_owned(),
        message: "interrupted".to_owned(),
        hint: None,
        at: None,
    }
}

fn internal(message: &str) -> FaultReport {
    FaultReport {
        blame: Blame::Host,
        code: "internal".to_owned(),
        message: format!("the draft is no contract: {message}"),
        hint: Some("please report it".to_owned()),
        at: None,
    }
}

//! The hold: rows that did not meet the contract and records that could not be read, each with its reasons, its own bytes
//! and a name that is the same in every run. `docs/spec/quarantine-file.md` says what the file looks like.
//!
//! Everything here follows from the input, the parser, the contract and the options. There is no clock, so the columns about
//! time and jobs are null until somebody who has one keeps the quarantine. Memory does not follow the number of rows, and
//! neither does what a record's own bytes take: they are written with the first of its rows.

mod cells;
mod columns;
pub mod export;
pub mod held;
pub mod read;
pub mod select;
pub mod sentence;
pub mod top;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_schema::{ArrowError, SchemaRef};
use casparian_core::contract::verdict::{Rejected, RejectedRow};
use casparian_core::fault::{Blamed, Span};
use casparian_core::flow::{Hold, PortFault};
use casparian_core::id::{Digest, FieldHasher, TableName};

pub use self::cells::CellsFault;

use self::columns::Gathered;
use crate::input_digest::InputDigest;
use crate::orders::FileFor;
use crate::sinks::parts::{Shared, lock};
use crate::sinks::{Encoders, Layout, ParquetFile, Provenance, SinkFault, Written};
use crate::source::{LineCounter, Source, SourceFault, Window};
pub use crate::staging::QUARANTINE_FILE;

/// Past this a record's own bytes are cut.
pub const RAW_BYTES_MAX: usize = 64 << 10;
/// The quarantine's share of the memory for row groups is that of one table among so many.
const SHARE: usize = 4;
/// Before a table's name: the key under which the file's footer has what the cells of its rows are.
const ROW_SCHEMA: &str = "casparian.row_schema.";
/// What the file holds, for messages.
const WHAT: &str = "the quarantine";

/// Gives an empty file to write the quarantine to.
pub type ProvideQuarantine = Box<dyn FnOnce() -> io::Result<File> + Send>;

/// Where a run holds bad rows.
pub enum Quarantine {
    /// In a file, which is asked for when the first row comes.
    File(Box<QuarantineFile>),
    /// Nowhere: they are counted by the flow, and that is all.
    Nowhere,
}

/// What every row of a quarantine has in common.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The parser and the contract.
    pub provenance: Provenance,
    /// Digest of the input. The first row waits for it.
    pub input_sha256: InputDigest,
    /// Digest of the parser's options: [`options_hash`].
    pub options_hash: Digest,
}

impl Quarantine {
    /// Opens a quarantine in a file. `provide` is asked once, when there is something to hold, or never.
    pub fn file(
        provide: ProvideQuarantine,
        source: Arc<Source>,
        circumstances: Circumstances,
        encoders: &Encoders,
    ) -> Self {
        Self::begin(FileState::Due(provide, encoders.clone()), source, circumstances)
    }

    /// Opens a quarantine in the parts of a dataset.
    pub(crate) fn parts(parts: Shared, source: Arc<Source>, circumstances: Circumstances) -> Self {
        Self::begin(FileState::Parts(parts, 0), source, circumstances)
    }

    fn begin(file: FileState, source: Arc<Source>, circumstances: Circumstances) -> Self {
        Self::File(Box::new(QuarantineFile {
            file,
            gathered: Gathered::default(),
            records: Records { source, window: Window::default(), lines: LineCounter::default(), last: None },
            noted: BTreeSet::new(),
            unreadable: None,
            circumstances,
            schema: columns::schema(),
        }))
    }

    /// Closes the file. Returns `None` where nothing was held in one.
    pub fn finish(self) -> Result<Option<Written>, SinkFault> {
        match self {
            Self::File(file) => file.finish(),
            Self::Nowhere => Ok(None),
        }
    }
}

impl Hold for Quarantine {
    fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault> {
        match self {
            Self::File(file) => file.hold(rejected),
            Self::Nowhere => Ok(()),
        }
    }
}

/// Returns the columns of a quarantine file, in their order.
pub(crate) fn schema() -> SchemaRef {
    columns::schema()
}

/// Returns the digest of a parser's options, whatever order they are in.
pub fn options_hash(options: &[(String, String)]) -> Digest {
    let mut sorted: Vec<_> = options.iter().collect();
    sorted.sort();
    let hasher = FieldHasher::new("casparian:options:1");
    let add = |hasher: FieldHasher, (name, value): &(String, String)| {
        hasher.field(name.as_bytes()).field(value.as_bytes())
    };
    sorted.into_iter().fold(hasher, add).finish()
}

/// A quarantine that is being written.
pub struct QuarantineFile {
    file: FileState,
    gathered: Gathered,
    records: Records,
    /// Tables whose schemas stand in the file.
    noted: BTreeSet<TableName>,
    /// Where the last record that could not be read begins, and how many were rejected there before.
    unreadable: Option<(u64, u64)>,
    circumstances: Circumstances,
    schema: SchemaRef,
}

enum FileState {
    /// Nothing was held yet.
    Due(ProvideQuarantine, Encoders),
    Begun(Box<ParquetFile>),
    /// Rows join a part of a dataset: so many of them so far.
    Parts(Shared, u64),
    /// Writing failed.
    Broken,
}

impl QuarantineFile {
    fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault> {
        let input_sha256 = self.circumstances.input_sha256.get().map_err(unnamed)?;
        let ids = self.ids(input_sha256, rejected);
        if let Some(row) = rejected.row() {
            self.note_schema(row)?;
        }
        let record = self.records.look_up(rejected.at()).map_err(|fault| PortFault(fault.report()))?;
        self.gathered.add(&ids, rejected, &record).map_err(unencoded)?;
        let shared = self.circumstances.bytes_per_row(&self.records.source);
        if self.gathered.is_full(shared) { Ok(self.flush()?) } else { Ok(()) }
    }

    /// Writes down what the cells of a table are, before the first of them.
    fn note_schema(&mut self, row: &RejectedRow) -> Result<(), PortFault> {
        if self.noted.contains(row.table()) {
            return Ok(());
        }
        let message = cells::schema_message(&row.place().0.schema()).map_err(unencoded)?;
        let (key, value) = (format!("{ROW_SCHEMA}{}", row.table()), columns::hex(&message));
        if let FileState::Parts(parts, _) = &self.file {
            lock(parts).note(key, value);
        } else {
            let mut file = self.take_file()?;
            file.note(key, value);
            self.file = FileState::Begun(file);
        }
        self.noted.insert(row.table().clone());
        Ok(())
    }

    fn finish(mut self) -> Result<Option<Written>, SinkFault> {
        if !self.gathered.is_empty() {
            self.flush()?;
        }
        match self.file {
            FileState::Due(..) => Ok(None),
            FileState::Begun(file) => file.close().map(Some),
            FileState::Parts(_, rows) => Ok((rows > 0).then_some(Written { rows, bytes: 0 })),
            FileState::Broken => Err(broken()),
        }
    }

    fn flush(&mut self) -> Result<(), SinkFault> {
        if let FileState::Parts(parts, rows) = &mut self.file {
            let gathered = std::mem::take(&mut self.gathered);
            let batch = gathered.into_batch(&self.schema, &self.circumstances, &self.records.source);
            let batch = batch.map_err(unwritten)?;
            *rows += batch.num_rows() as u64;
            return lock(parts).keep(FileFor::Quarantine, batch);
        }
        let mut file = self.take_file()?;
        let gathered = self.gathered.take();
        let rows = gathered.into_batch(&self.schema, &self.circumstances, &self.records.source);
        file.write(rows.map_err(|error| file.fault(error.into()))?)?;
        self.file = FileState::Begun(file);
        Ok(())
    }

    /// Takes the file out, begun. Until it is put back the quarantine is broken.
    fn take_file(&mut self) -> Result<Box<ParquetFile>, SinkFault> {
        match std::mem::replace(&mut self.file, FileState::Broken) {
            FileState::Begun(file) => Ok(file),
            FileState::Due(provide, encoders) => {
                let file = provide().map_err(|error| SinkFault::NoFile { file: WHAT.to_owned(), error })?;
                let (schema, provenance) = (Arc::clone(&self.schema), &self.circumstances.provenance);
                let what = WHAT.to_owned();
                let file = ParquetFile::create(file, what, schema, &layout(), provenance, &encoders)?;
                Ok(Box::new(file))
            }
            FileState::Parts(..) | FileState::Broken => Err(broken()),
        }
    }

    fn ids(&mut self, input_sha256: Digest, rejected: &Rejected) -> Ids {
        let (table, ordinal) = match rejected.row() {
            Some(row) => (row.table().as_str(), row.ordinal()),
            None => ("", self.count_unreadable(rejected.at())),
        };
        self.circumstances.ids(input_sha256, table, rejected.at(), ordinal)
    }

    /// Several rejections of one record are told apart by the order in which they were said.
    fn count_unreadable(&mut self, at: Option<Span>) -> u64 {
        let offset = at.map_or(0, |at| at.offset);
        let before = match self.unreadable {
            Some((last, before)) if last == offset => before + 1,
            _ => 0,
        };
        self.unreadable = Some((offset, before));
        before
    }
}

fn broken() -> SinkFault {
    SinkFault::NoFile { file: WHAT.to_owned(), error: io::Error::other("writing it failed before") }
}

/// Nobody tells the digest of the input, which is a part of a row's name.
fn unnamed(error: io::Error) -> SinkFault {
    SinkFault::Unwritten { file: WHAT.to_owned(), bytes: 0, error: error.to_string() }
}

fn unencoded(error: ArrowError) -> PortFault {
    unwritten(error).into()
}

fn unwritten(error: ArrowError) -> SinkFault {
    SinkFault::Unwritten { file: WHAT.to_owned(), bytes: 0, error: error.to_string() }
}

/// Returns how a quarantine's file is laid out.
pub(crate) fn layout() -> Layout {
    Layout {
        ascending: &["record_no", "line_first", "line_last", "byte_offset", "byte_length"],
        unique: &["q_id", "row_id"],
        opaque: &["raw", "row"],
        ..Layout::among(SHARE)
    }
}

/// Returns the name of a row, whatever parser, contract and options judged it.
pub(crate) fn row_id(input_sha256: Digest, table: &str, offset: Option<u64>, ordinal: u64) -> Digest {
    let hasher = FieldHasher::new("casparian:row-id:1")
        .field(input_sha256.as_bytes())
        // The number of the input among those of one document. A document is one file as yet.
        .number(0)
        .field(table.as_bytes());
    let hasher = match offset {
        Some(offset) => hasher.number(offset),
        None => hasher.field(b""),
    };
    hasher.number(ordinal).finish()
}

/// Returns the name of a quarantined row.
pub(crate) fn q_id(row: Digest, contract: Option<Digest>, parser: Digest, options: Digest) -> Digest {
    FieldHasher::new("casparian:quarantine-id:1")
        .field(row.as_bytes())
        .field(contract.as_ref().map_or(&[][..], |hash| hash.as_bytes()))
        .field(parser.as_bytes())
        .field(options.as_bytes())
        .finish()
}

/// What a quarantined row is called.
struct Ids {
    quarantined: Digest,
    row: Digest,
}

impl Circumstances {
    fn ids(&self, input_sha256: Digest, table: &str, at: Option<Span>, ordinal: u64) -> Ids {
        let row = row_id(input_sha256, table, at.map(|at| at.offset), ordinal);
        let contract = self.provenance.contract.as_ref().map(|contract| contract.hash);
        let quarantined = q_id(row, contract, self.provenance.parser_sha256, self.options_hash);
        Ids { quarantined, row }
    }

    /// Bytes of what is the same in every row, while rows are gathered into a batch.
    fn bytes_per_row(&self, source: &Source) -> usize {
        const DIGESTS_AND_NUMBERS: usize = 512;
        let provenance = &self.provenance;
        let contract =
            provenance.contract.as_ref().map_or(0, |contract| contract.id.len() + contract.version.len());
        let names = provenance.parser_name.raw().len() + provenance.parser_version.raw().len();
        DIGESTS_AND_NUMBERS + source.name().len() + names + contract
    }
}

/// The bytes of records, and the lines they stand on. Records come in the order of the input.
struct Records {
    source: Arc<Source>,
    window: Window,
    lines: LineCounter,
    /// The last record and its lines: its other rows ask again.
    last: Option<(Span, Lines)>,
}

#[derive(Clone, Copy)]
struct Lines {
    first: u64,
    last: u64,
}

/// What the input says about a row's record.
struct Record<'a> {
    at: Option<Span>,
    lines: Option<Lines>,
    /// None where the row before is of the same record and has them.
    raw: Option<&'a [u8]>,
}

impl Records {
    fn look_up(&mut self, at: Option<Span>) -> Result<Record<'_>, SourceFault> {
        let Some(span) = at else { return Ok(Record { at, lines: None, raw: None }) };
        if let Some((_, lines)) = self.last.filter(|(last, _)| *last == span) {
            return Ok(Record { at, lines: Some(lines), raw: None });
        }
        let lines = self.lines_of(span)?;
        let raw = self.window.slice(&self.source, span, RAW_BYTES_MAX)?;
        Ok(Record { at, lines: Some(lines), raw: Some(raw) })
    }

    /// Counts up to where the record begins, then on: what the window holds in between has its bytes.
    fn lines_of(&mut self, at: Span) -> Result<Lines, SourceFault> {
        let last_byte = at.offset.saturating_add(at.length.saturating_sub(1));
        let Self { source, window, lines, .. } = self;
        let first = lines.line_of(window, source, at.offset)?;
        window.slice(source, at, RAW_BYTES_MAX)?;
        let lines = Lines { first, last: lines.line_of(window, source, last_byte)? };
        self.last = Some((at, lines));
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use arrow_array::cast::AsArray;
    use arrow_array::types::{UInt32Type, UInt64Type};
    use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
    use arrow_schema::{DataType, Field, Schema};
    use casparian_core::contract::verdict::Accepted;
    use casparian_core::flow::{Flow, Sinks};
    use casparian_core::guest_text::GuestText;
    use casparian_core::intake::{Rejection, Said, TableId};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::metadata::KeyValue;

    use super::columns::GATHERED_ROWS_MAX;
    use super::*;
    use crate::sinks::guest::{Spoken, spans, with_spans};

    struct NoSinks;

    impl Sinks for NoSinks {
        fn open(&mut self, _: TableId, _: &TableName, _: &SchemaRef) -> Result<(), PortFault> {
            Ok(())
        }

        fn write(&mut self, _: TableId, _: &Accepted) -> Result<(), PortFault> {
            Ok(())
        }
    }

    fn circumstances() -> Circumstances {
        let provenance = Provenance {
            parser_name: GuestText::new("trades", 64),
            parser_version: GuestText::new("1.2.0", 64),
            parser_sha256: Digest::of(b"parser"),
            input_sha256: Some(Digest::of(b"input").into()),
            packed: None,
            contract: None,
        };
        let input_sha256 = Digest::of(b"input").into();
        Circumstances { provenance, input_sha256, options_hash: options_hash(&[]) }
    }

    /// Runs what a guest said about `input` and returns what is in quarantine then.
    fn run(input: &[u8], circumstances: Circumstances, said: Vec<Said>) -> Option<RecordBatch> {
        run_to_file(input, circumstances, said).map(|(held, _)| held)
    }

    /// Does the same, and returns the footer too.
    fn run_to_file(
        input: &[u8],
        circumstances: Circumstances,
        said: Vec<Said>,
    ) -> Option<(RecordBatch, Vec<KeyValue>)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(input).unwrap();
        let source = Arc::new(Source::open(file.path()).unwrap());
        let given: Arc<Mutex<Option<File>>> = Arc::default();
        let keep = Arc::clone(&given);
        let provide = move || {
            let file = tempfile::tempfile()?;
            *keep.lock().unwrap() = Some(file.try_clone()?);
            Ok(file)
        };
        let hold = Quarantine::file(Box::new(provide), source, circumstances, &Encoders::default());
        let wanted = vec![TableName::new("orders").unwrap()];
        let faults = vec!["torn".to_owned(), "bad_sum".to_owned()];
        let mut flow = Flow::new(NoSinks, hold, wanted, faults);
        said.into_iter().for_each(|said| flow.hear(said).unwrap());
        let (_, hold, tally, _) = flow.finish(input.len() as u64);
        let written = hold.finish().unwrap();
        assert_eq!(written.map_or(0, |written| written.rows), tally.quarantine.rows);
        let file = given.lock().unwrap().take()?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(1 << 20);
        let footer = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap();
        let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        Some((arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap(), footer))
    }

    fn price_schema(nullable: bool) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("price", DataType::Int64, nullable)]))
    }

    /// Prices, one for each line of `length` bytes; the table says that none is missing.
    fn prices(prices: &[Option<i64>], length: u64) -> Vec<Said> {
        let schema = price_schema;
        let cells: ArrayRef = Arc::new(Int64Array::from(prices.to_vec()));
        let spans = spans(prices.len(), length);
        let rows = with_spans(&RecordBatch::try_new(schema(true), vec![cells]).unwrap(), &spans);
        let declared = with_spans(&RecordBatch::new_empty(schema(false)), &[]);
        let table = Spoken::table(0, "orders", &declared.schema());
        vec![table.opened(), table.rows(&rows), Said::Committed { up_to: prices.len() as u64 * length }]
    }

    fn rejected(offset: u64, length: u64, message: &str) -> Said {
        let at = Span { offset, length };
        Said::Rejected(vec![Rejection { at, fault: 0, message: GuestText::new(message, 256) }])
    }

    fn text(rows: &RecordBatch, column: &str, row: usize) -> Option<String> {
        let column = rows.column_by_name(column).unwrap().as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    fn number(rows: &RecordBatch, column: &str, row: usize) -> Option<u64> {
        let column = rows.column_by_name(column).unwrap().as_primitive::<UInt64Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn bytes<'a>(rows: &'a RecordBatch, column: &str, row: usize) -> Option<&'a [u8]> {
        let column = rows.column_by_name(column).unwrap().as_binary::<i32>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn violation(rows: &RecordBatch, row: usize, field: &str) -> Option<String> {
        let lists = rows.column_by_name("violations").unwrap().as_list::<i32>();
        let structs = lists.value(row);
        let column = structs.as_struct().column_by_name(field).unwrap().as_string::<i32>();
        column.is_valid(0).then(|| column.value(0).to_owned())
    }

    #[test]
    fn a_bad_row_is_held_with_its_place_its_bytes_its_cells_and_its_reason() {
        let held = run(b"aaa\nbbb\nccc\n", circumstances(), prices(&[Some(1), None, Some(3)], 4)).unwrap();
        assert_eq!(held.num_rows(), 1);
        assert_eq!(text(&held, "table", 0).as_deref(), Some("orders"));
        assert_eq!(number(&held, "record_no", 0), Some(1));
        assert_eq!((number(&held, "line_first", 0), number(&held, "line_last", 0)), (Some(2), Some(2)));
        assert_eq!((number(&held, "byte_offset", 0), number(&held, "byte_length", 0)), (Some(4), Some(4)));
        assert_eq!(bytes(&held, "raw", 0), Some(&b"bbb\n"[..]));
        assert_eq!(violation(&held, 0, "code").as_deref(), Some("CF0301"));
        assert_eq!(violation(&held, 0, "column").as_deref(), Some("price"));
        assert_eq!(violation(&held, 0, "severity").as_deref(), Some("error"));
        assert_eq!(
            (text(&held, "status", 0).as_deref(), number(&held, "n_violations", 0)),
            (Some("open"), Some(1))
        );
        assert_eq!(text(&held, "input_sha256", 0), Some(Digest::of(b"input").to_string()));
        assert_eq!(text(&held, "job_id", 0), None);
        assert!(held.column_by_name("attempt").unwrap().as_primitive::<UInt32Type>().is_null(0));
        let cells = cells::read(&price_schema(true), bytes(&held, "row", 0).unwrap()).unwrap();
        assert_eq!((cells.num_rows(), cells.column(0).null_count()), (1, 1));
    }

    #[test]
    fn what_the_cells_of_a_table_are_stands_once_in_the_file() {
        let (held, footer) =
            run_to_file(&b"12345\n".repeat(300), circumstances(), prices(&[None; 300], 6)).unwrap();
        let notes: Vec<_> = footer.iter().filter(|pair| pair.key.starts_with(ROW_SCHEMA)).collect();
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].key, "casparian.row_schema.orders");
        let message = columns::hex(&cells::schema_message(&price_schema(true)).unwrap());
        assert_eq!(notes[0].value.as_ref(), Some(&message));
        assert_eq!(bytes(&held, "row", 299), Some(&[0][..]));
    }

    #[test]
    fn the_bytes_of_a_record_are_written_with_the_first_of_its_rows() {
        let said = vec![
            rejected(0, 3, "one"),
            rejected(0, 3, "two"),
            rejected(3, 3, "three"),
            Said::Committed { up_to: 6 },
        ];
        let held = run(b"ab\ncd\n", circumstances(), said).unwrap();
        let raw = |row| bytes(&held, "raw", row);
        assert_eq!((raw(0), raw(1), raw(2)), (Some(&b"ab\n"[..]), None, Some(&b"cd\n"[..])));
        assert_eq!((number(&held, "line_last", 1), number(&held, "byte_length", 1)), (Some(1), Some(3)));
    }

    #[test]
    fn a_record_that_could_not_be_read_is_held_without_cells() {
        let said = vec![rejected(3, 6, "no end\u{1b}"), Said::Committed { up_to: 9 }];
        let held = run(b"ab\ncd\nef\n", circumstances(), said).unwrap();
        assert_eq!((text(&held, "table", 0), bytes(&held, "row", 0)), (None, None));
        assert_eq!(bytes(&held, "raw", 0), Some(&b"cd\nef\n"[..]));
        assert_eq!((number(&held, "line_first", 0), number(&held, "line_last", 0)), (Some(2), Some(3)));
        assert_eq!(violation(&held, 0, "rule").as_deref(), Some("torn"));
        assert_eq!(violation(&held, 0, "observed").as_deref(), Some("no end\u{1b}"), "stored as it is");
    }

    #[test]
    fn two_rejections_of_one_record_have_two_names() {
        let said = vec![rejected(0, 3, "one"), rejected(0, 3, "two"), Said::Committed { up_to: 3 }];
        let held = run(b"ab\n", circumstances(), said).unwrap();
        assert_eq!(held.num_rows(), 2);
        assert_ne!(text(&held, "q_id", 0), text(&held, "q_id", 1));
    }

    #[test]
    fn ids_are_what_the_specification_says() {
        let held = run(b"aaa\n", circumstances(), prices(&[None], 4)).unwrap();
        assert_eq!(text(&held, "row_id", 0).as_deref(), Some(VECTOR_ROW_ID));
        assert_eq!(text(&held, "q_id", 0).as_deref(), Some(VECTOR_Q_ID));
    }

    /// The vector of `docs/spec/quarantine-file.md`, computed there by other means.
    const VECTOR_ROW_ID: &str = "3ab4098c705f26265606fa96850bbc85dc25c2916ec54c44179d48aa334f770a";
    const VECTOR_Q_ID: &str = "26dc92d91c3519f736d26c37ff3d13f40d8ccd7eec7897c031fd82eaaaec48a9";

    #[test]
    fn the_parser_and_its_options_change_the_quarantine_id_and_not_the_row_id() {
        let ids = |circumstances| {
            let held = run(b"aaa\n", circumstances, prices(&[None], 4)).unwrap();
            (text(&held, "row_id", 0).unwrap(), text(&held, "q_id", 0).unwrap())
        };
        let (row, quarantined) = ids(circumstances());
        let mut fixed = circumstances();
        fixed.provenance.parser_sha256 = Digest::of(b"fixed parser");
        let mut tuned = circumstances();
        tuned.options_hash = options_hash(&[("zone".to_owned(), "UTC".to_owned())]);
        for other in [fixed, tuned] {
            let (other_row, other_quarantined) = ids(other);
            assert_eq!(other_row, row);
            assert_ne!(other_quarantined, quarantined);
        }
    }

    #[test]
    fn options_have_one_digest_in_any_order() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let one = options_hash(&[pair("a", "1"), pair("b", "2")]);
        assert_eq!(one, options_hash(&[pair("b", "2"), pair("a", "1")]));
        assert_ne!(one, options_hash(&[pair("a", "12"), pair("b", "")]));
    }

    #[test]
    fn the_bytes_of_a_long_record_are_cut_and_it_says_so() {
        let long = RAW_BYTES_MAX + 1;
        let said = vec![
            rejected(0, long as u64, ""),
            rejected(long as u64, 5, ""),
            Said::Committed { up_to: long as u64 + 5 },
        ];
        let held = run(&vec![b'x'; long + 5], circumstances(), said).unwrap();
        let truncated = held.column_by_name("raw_truncated").unwrap().as_boolean();
        assert_eq!(bytes(&held, "raw", 0).unwrap().len(), RAW_BYTES_MAX);
        assert_eq!(bytes(&held, "raw", 1).unwrap().len(), 5);
        assert_eq!((truncated.value(0), truncated.value(1)), (true, false));
        assert_eq!(number(&held, "byte_length", 0), Some(long as u64));
    }

    #[test]
    fn many_rows_keep_their_order_and_their_lines() {
        let count = GATHERED_ROWS_MAX * 2 + 7;
        let held = run(&b"1234567\n".repeat(count), circumstances(), prices(&vec![None; count], 8)).unwrap();
        assert_eq!(held.num_rows(), count);
        for row in (0..count).step_by(501).chain([count - 1]) {
            assert_eq!(number(&held, "record_no", row), Some(row as u64));
            assert_eq!(number(&held, "line_first", row), Some(row as u64 + 1));
        }
    }

    #[test]
    fn nothing_to_hold_makes_no_file() {
        assert!(run(b"aaa\n", circumstances(), prices(&[Some(1)], 4)).is_none());
    }

    #[test]
    fn an_input_that_was_cut_short_is_the_inputs_fault_here_too() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"aaa\nbbb\n").unwrap();
        let source = Arc::new(Source::open(file.path()).unwrap());
        file.as_file().set_len(2).unwrap();
        let hold =
            Quarantine::file(Box::new(tempfile::tempfile), source, circumstances(), &Encoders::default());
        let mut flow = Flow::new(NoSinks, hold, Vec::new(), Vec::new());
        let mut said = prices(&[None, None], 4);
        let commit = said.pop().unwrap();
        said.into_iter().for_each(|said| flow.hear(said).unwrap());
        let fault = flow.hear(commit).unwrap_err();
        assert!(fault.to_string().contains("changed while it was read"), "{fault}");
    }
}

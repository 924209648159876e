//! One Parquet file, written to a descriptor. Memory follows the row group and not the file; the bytes follow the rows and
//! their provenance alone: no clock, no random number, no regard for how rows arrived or how many threads encoded them.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, FieldRef, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::chunks::{Chunk, Chunks, Cut};
use super::encoders::{Encoders, Pending};
use super::fault::{SinkFault, of_system};
use super::{Provenance, Written};

/// What goes to the encoder at once.
const CHUNK: Cut = Cut { rows: 8 << 10, bytes: 1 << 20 };

/// Past this many rows a row group ends.
const GROUP_ROWS: usize = 128 << 10;
/// Past this many logical bytes, over all files of a run that are open at once, a row group ends: they wait in memory.
const GROUPS_BYTES: u64 = 32 << 20;
/// No file's row groups are made smaller than this, in logical bytes.
const GROUP_BYTES_MIN: u64 = 2 << 20;
/// No file's row groups are made larger than this, in logical bytes.
const GROUP_BYTES_MAX: u64 = 8 << 20;

/// Past this a column of a row group gives up its dictionary. Columns with hardly a value twice do so soon, and are written
/// in two thirds of the time and memory of the default, 1 MiB, and smaller.
const DICTIONARY_BYTES_MAX: usize = 128 << 10;

/// Level 3 takes a third more time, and makes no smaller files of numbers and identifiers.
const ZSTD_LEVEL: i32 = 1;

/// How large row groups may be, and which columns are encoded in their own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Where a row group ends.
    pub(crate) group: Cut,
    /// Columns of ascending numbers, by path.
    pub(crate) ascending: &'static [&'static str],
    /// Columns with hardly a value twice, by path: no dictionary.
    pub(crate) unique: &'static [&'static str],
    /// Columns that nobody will ever compare, by path: no dictionary, no statistics.
    pub(crate) opaque: &'static [&'static str],
}

impl Layout {
    /// Makes row groups so small that those of `files` files fit in memory at once.
    pub(crate) fn among(files: usize) -> Self {
        let share = GROUPS_BYTES / files.max(1) as u64;
        let group = Cut { rows: GROUP_ROWS, bytes: share.clamp(GROUP_BYTES_MIN, GROUP_BYTES_MAX) };
        Self { group, ascending: &[], unique: &[], opaque: &[] }
    }

    fn properties(&self) -> WriterPropertiesBuilder {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("casparian ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(level))
            .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
            // A row group of ours is a page or two in each column, so its statistics serve as well as those of pages. Those
            // would be kept in memory until the file is closed: the one thing that follows its size.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true);
        for column in self.ascending {
            let path = ColumnPath::from(*column);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
        for column in self.unique.iter().chain(self.opaque) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
        }
        for column in self.opaque {
            properties =
                properties.set_column_statistics_enabled(ColumnPath::from(*column), EnabledStatistics::None);
        }
        properties
    }
}

/// A Parquet file that is being written.
///
/// Rows wait as they are until a row group is full; then its columns are handed to the encoders, one after the other, and while
/// they are encoded the next row group fills up. Encoding all of them at once, row by row, would keep a dictionary and a
/// compressor alive for each: a megabyte a column.
pub(crate) struct ParquetFile {
    writer: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    encoders: Encoders,
    /// For the footer, which is written last: the digest of the input may not be known before.
    provenance: Provenance,
    /// What it holds, for messages: "table `orders`".
    what: String,
    schema: SchemaRef,
    chunks: Chunks,
    group: Group,
    group_end: Cut,
    /// The columns of the file that each column of the schema becomes.
    leaves: Vec<usize>,
    /// Row groups that were handed to the encoders.
    groups: usize,
    /// The last of them, if it is not in the file yet. It goes there when the next one is handed over and no sooner, ready or
    /// not: so what is wrong with it is told at the same row whoever encoded it.
    pending: Option<PendingGroup>,
    rows: u64,
}

/// A row group that is being encoded: for each column of the schema those of the file.
type PendingGroup = Vec<Pending<Result<Vec<ArrowColumnChunk>, ParquetError>>>;

/// Rows that wait for their row group to be full.
#[derive(Default)]
struct Group {
    chunks: Vec<RecordBatch>,
    rows: usize,
    bytes: u64,
}

impl ParquetFile {
    /// Begins a file. `what` it holds is for messages.
    pub(crate) fn create(
        file: File,
        what: String,
        schema: SchemaRef,
        layout: &Layout,
        provenance: &Provenance,
        encoders: &Encoders,
    ) -> Result<Self, SinkFault> {
        let properties = layout.properties().build();
        let (writer, factory) = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|error| fault(&what, 0, error))?;
        let chunks = Chunks::new(Arc::clone(&schema), CHUNK);
        let leaves = leaves_of(&schema, &writer);
        Ok(Self {
            writer,
            factory,
            encoders: encoders.clone(),
            provenance: provenance.clone(),
            what,
            schema,
            chunks,
            group: Group::default(),
            group_end: layout.group,
            leaves,
            groups: 0,
            pending: None,
            rows: 0,
        })
    }

    /// Writes rows of its schema.
    pub(crate) fn write(&mut self, mut rows: RecordBatch) -> Result<(), SinkFault> {
        self.rows += rows.num_rows() as u64;
        while rows.num_rows() > 0 {
            if let Some(chunk) = self.chunks.take_from(&mut rows).map_err(|error| self.fault(error.into()))? {
                self.add(chunk)?;
            }
        }
        Ok(())
    }

    /// Adds a pair to the footer.
    pub(crate) fn note(&mut self, key: String, value: String) {
        self.writer.append_key_value_metadata(KeyValue { key, value: Some(value) });
    }

    /// Writes what is left and the footer.
    pub(crate) fn close(mut self) -> Result<Written, SinkFault> {
        if let Some(chunk) = self.chunks.take_rest().map_err(|error| self.fault(error.into()))? {
            self.add(chunk)?;
        }
        if self.group.rows > 0 {
            self.end_group().map_err(|error| self.fault(error))?;
        }
        self.write_group().map_err(|error| self.fault(error))?;
        let pairs =
            self.provenance.pairs().map_err(|error| self.fault(ParquetError::External(error.into())))?;
        pairs.into_iter().for_each(|(key, value)| self.note(key.to_owned(), value));
        self.writer.finish().map_err(|error| self.fault(error))?;
        Ok(Written { rows: self.rows, bytes: self.writer.bytes_written() as u64 })
    }

    fn add(&mut self, chunk: Chunk) -> Result<(), SinkFault> {
        self.group.rows += chunk.rows.num_rows();
        self.group.bytes += chunk.bytes;
        self.group.chunks.push(chunk.rows);
        match self.group_end.is_reached(self.group.rows, self.group.bytes) {
            true => self.end_group().map_err(|error| self.fault(error)),
            false => Ok(()),
        }
    }

    /// Hands the row group over, and writes the one before it.
    fn end_group(&mut self) -> Result<(), ParquetError> {
        let begun = self.begin_group()?;
        self.write_group()?;
        self.pending = Some(begun);
        Ok(())
    }

    fn begin_group(&mut self) -> Result<PendingGroup, ParquetError> {
        let chunks = std::mem::take(&mut self.group).chunks;
        let mut writers = self.factory.create_column_writers(self.groups)?.into_iter();
        self.groups += 1;
        let begin = |(at, (field, leaves)): (usize, (&FieldRef, &usize))| {
            let pieces: Vec<_> = chunks.iter().map(|rows| Arc::clone(rows.column(at))).collect();
            let writers: Vec<_> = writers.by_ref().take(*leaves).collect();
            let field = Arc::clone(field);
            self.encoders.begin(move || encode_column(&field, pieces, writers))
        };
        Ok(self.schema.fields().iter().zip(&self.leaves).enumerate().map(begin).collect())
    }

    /// Waits for the row group that is with the encoders, if one is, and writes it, its columns in their order.
    fn write_group(&mut self) -> Result<(), ParquetError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let mut row_group = self.writer.next_row_group()?;
        for column in pending {
            for encoded in column.finish().ok_or_else(panicked)?? {
                encoded.append_to_row_group(&mut row_group)?;
            }
        }
        row_group.close()?;
        Ok(())
    }

    pub(crate) fn fault(&self, error: ParquetError) -> SinkFault {
        fault(&self.what, self.writer.bytes_written() as u64, error)
    }
}

/// Returns how many columns of the file each column of a schema becomes: what is nested is several.
fn leaves_of(schema: &SchemaRef, writer: &SerializedFileWriter<File>) -> Vec<usize> {
    let file_schema = writer.schema_descr();
    let mut leaves = vec![0; schema.fields().len()];
    for leaf in 0..file_schema.num_columns() {
        leaves[file_schema.get_column_root_idx(leaf)] += 1;
    }
    leaves
}

/// Encodes one column of a row group, piece by piece: each is given back as soon as it is encoded.
fn encode_column(
    field: &Field,
    pieces: Vec<ArrayRef>,
    mut writers: Vec<ArrowColumnWriter>,
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    for piece in pieces {
        let leaves = compute_leaves(field, &piece)?;
        for (writer, leaf) in writers.iter_mut().zip(&leaves) {
            writer.write(leaf)?;
        }
    }
    writers.into_iter().map(ArrowColumnWriter::close).collect()
}

/// What was wrong the panic hook has told.
fn panicked() -> ParquetError {
    ParquetError::General("the host panicked over a column".to_owned())
}

fn fault(what: &str, bytes: u64, error: ParquetError) -> SinkFault {
    let from_system = match &error {
        ParquetError::External(inner) => inner.downcast_ref::<io::Error>(),
        _ => None,
    };
    match from_system {
        Some(from_system) => of_system(what, bytes, from_system),
        None => SinkFault::Unwritten { file: what.to_owned(), bytes, error: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::{DataType, Schema};
    use casparian_core::fault::Blamed as _;
    use proptest::prelude::{ProptestConfig, prop_assert, proptest};

    use super::*;
    use crate::sinks::guest::every_type;
    use crate::sinks::tests::provenance;

    /// Row groups as small as chunks are.
    fn small_groups() -> Layout {
        Layout { group: Cut { rows: 1, bytes: u64::MAX }, ..Layout::among(1) }
    }

    fn encoders(threads: usize) -> Encoders {
        Encoders::start(threads)
    }

    fn begin(file: &File, schema: SchemaRef, encoders: &Encoders) -> ParquetFile {
        let file = file.try_clone().unwrap();
        let what = "table `t`".to_owned();
        ParquetFile::create(file, what, schema, &small_groups(), &provenance(), encoders).unwrap()
    }

    /// Writes rows, so many at a time, and returns the file's bytes.
    fn written(rows: &RecordBatch, step: usize, threads: usize) -> Vec<u8> {
        let file = tempfile::tempfile().unwrap();
        let mut parquet = begin(&file, rows.schema(), &encoders(threads));
        for from in (0..rows.num_rows()).step_by(step) {
            parquet.write(rows.slice(from, step.min(rows.num_rows() - from))).unwrap();
        }
        let said = parquet.close().unwrap();
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!((said.rows, said.bytes), (rows.num_rows() as u64, bytes.len() as u64));
        bytes
    }

    fn many(times: usize) -> RecordBatch {
        let three = every_type();
        arrow_select::concat::concat_batches(&three.schema(), &vec![three; times]).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_number_of_threads_never_changes_a_byte(times in 1_usize..9_000, step in 1_000_usize..30_000) {
            let rows = many(times);
            let alone = written(&rows, step, 0);
            for threads in [1, 3] {
                prop_assert!(written(&rows, step, threads) == alone, "{threads} threads make another file");
            }
        }
    }

    #[test]
    fn files_that_share_their_encoders_do_not_mix() {
        let (shared, rows) = (encoders(3), many(9_000));
        let files = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
        let mut parquets = files.each_ref().map(|file| begin(file, rows.schema(), &shared));
        for from in (0..rows.num_rows()).step_by(5_000) {
            let piece = rows.slice(from, 5_000.min(rows.num_rows() - from));
            parquets.iter_mut().for_each(|parquet| parquet.write(piece.clone()).unwrap());
        }
        for parquet in parquets {
            parquet.close().unwrap();
        }
        let alone = written(&rows, 5_000, 0);
        for file in files {
            let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert!(bytes == alone);
        }
    }

    /// Writes row groups of numbers, and texts in the place of the second one's. Returns at which write it is told, and how.
    fn spoilt(threads: usize) -> (usize, String, String) {
        let column = |name: &str, data_type| Arc::new(Schema::new(vec![Field::new(name, data_type, true)]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7; CHUNK.rows]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["7"; CHUNK.rows]));
        let schema = column("n", DataType::Int64);
        let good = RecordBatch::try_new(Arc::clone(&schema), vec![numbers]).unwrap();
        let bad = RecordBatch::try_new(column("n", DataType::Utf8), vec![texts]).unwrap();
        let mut parquet = begin(&tempfile::tempfile().unwrap(), schema, &encoders(threads));
        let all = [good.clone(), bad, good.clone(), good];
        let told =
            all.into_iter().enumerate().find_map(|(at, rows)| parquet.write(rows).err().map(|it| (at, it)));
        let (at, fault) = told.expect("a column of texts is no column of numbers");
        (at, fault.code().to_owned(), fault.to_string())
    }

    #[test]
    fn a_column_that_cannot_be_encoded_is_told_at_the_same_row_whoever_encoded_it() {
        let (at, code, message) = spoilt(0);
        assert_eq!((at, code.as_str()), (2, "output-failed"));
        assert!(message.starts_with("table `t` cannot be written after "), "{message}");
        assert_eq!(spoilt(1), spoilt(0));
        assert_eq!(spoilt(3), spoilt(0));
    }

    #[test]
    fn a_panic_over_a_column_is_a_fault_and_no_file() {
        let rows = many(1);
        let mut parquet = begin(&tempfile::tempfile().unwrap(), rows.schema(), &encoders(1));
        drop(parquet.encoders.begin(|| panic!("on purpose")));
        parquet.write(rows).unwrap();
        let fault = parquet.close().unwrap_err();
        assert_eq!((fault.code(), fault.to_string().contains("panicked")), ("output-failed", true));
    }
}

//! One Parquet file, written to a descriptor. Memory follows the row group and not the file; the bytes follow the rows and
//! their provenance alone: no clock, no random number, no regard for how rows arrived.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, SchemaRef};
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
/// Rows wait as they are until a row group is full; then its columns are encoded one after the other. Encoding all of them
/// side by side, row by row, would keep a dictionary and a compressor alive for each: a megabyte a column.
pub(crate) struct ParquetFile {
    writer: SerializedFileWriter<File>,
    encoders: ArrowRowGroupWriterFactory,
    /// What it holds, for messages: "table `orders`".
    what: String,
    schema: SchemaRef,
    chunks: Chunks,
    group: Group,
    group_end: Cut,
    rows: u64,
}

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
    ) -> Result<Self, SinkFault> {
        let metadata = key_values(provenance);
        let properties = layout.properties().set_key_value_metadata(Some(metadata)).build();
        let (writer, encoders) = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|error| fault(&what, 0, error))?;
        let chunks = Chunks::new(Arc::clone(&schema), CHUNK);
        let (group, group_end) = (Group::default(), layout.group);
        Ok(Self { writer, encoders, what, schema, chunks, group, group_end, rows: 0 })
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

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let chunks = std::mem::take(&mut self.group).chunks;
        let place = self.writer.flushed_row_groups().len();
        let mut encoders = self.encoders.create_column_writers(place)?.into_iter();
        let mut row_group = self.writer.next_row_group()?;
        for (at, field) in self.schema.fields().iter().enumerate() {
            let pieces = chunks.iter().map(|rows| rows.column(at));
            for encoded in encode_column(field, pieces, &mut encoders)? {
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

/// Encodes one column of a row group. A nested column is several in the file, and takes as many of `encoders`.
fn encode_column<'a>(
    field: &Field,
    pieces: impl Iterator<Item = &'a ArrayRef>,
    encoders: &mut impl Iterator<Item = ArrowColumnWriter>,
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    let mut own: Vec<ArrowColumnWriter> = Vec::new();
    for piece in pieces {
        let leaves = compute_leaves(field, piece)?;
        if own.is_empty() {
            own.extend(encoders.take(leaves.len()));
        }
        for (encoder, leaf) in own.iter_mut().zip(&leaves) {
            encoder.write(leaf)?;
        }
    }
    own.into_iter().map(ArrowColumnWriter::close).collect()
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

fn key_values(provenance: &Provenance) -> Vec<KeyValue> {
    let pairs = provenance.pairs().into_iter();
    pairs.map(|(key, value)| KeyValue { key: key.to_owned(), value: Some(value) }).collect()
}

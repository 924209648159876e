//! One Arrow IPC file, uncompressed: other programs map it and read its columns where they are.
//!
//! Its bytes follow the rows alone. Arrow leaves open what stands under a null, behind the last bit of a bitmap and before the
//! first value of a slice, so columns are copied into a form of which there is one.

use std::fs::File;
use std::io::{self, Write};

use arrow_array::{ArrayRef, RecordBatch, make_array};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, SchemaRef};

use super::chunks::{Chunk, Chunks, Cut};
use super::fault::{SinkFault, of_system};
use super::{Provenance, Written};

/// What becomes one record batch of the file.
const BATCH: Cut = Cut { rows: 64 << 10, bytes: 4 << 20 };
/// Buffers begin at multiples of it: what Arrow recommends, and what a processor reads at once.
const ALIGNMENT: usize = 64;

/// An Arrow IPC file that is being written.
pub(crate) struct ArrowFile {
    writer: FileWriter<io::BufWriter<Counted>>,
    /// For the footer, which is written last: the digest of the input may not be known before.
    provenance: Provenance,
    what: String,
    chunks: Chunks,
    rows: u64,
}

impl ArrowFile {
    /// Begins a file. `what` it holds is for messages.
    pub(crate) fn create(
        file: File,
        what: String,
        schema: SchemaRef,
        provenance: &Provenance,
    ) -> Result<Self, SinkFault> {
        let counted = io::BufWriter::new(Counted { file, bytes: 0 });
        let begin = || -> Result<_, ArrowError> {
            let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
            FileWriter::try_new_with_options(counted, &schema, options)
        };
        let writer = begin().map_err(|error| fault(&what, 0, error))?;
        let (chunks, provenance) = (Chunks::new(schema, BATCH), provenance.clone());
        Ok(Self { writer, provenance, what, chunks, rows: 0 })
    }

    /// Writes rows of its schema.
    pub(crate) fn write(&mut self, mut rows: RecordBatch) -> Result<(), SinkFault> {
        self.rows += rows.num_rows() as u64;
        while rows.num_rows() > 0 {
            let full = self.chunks.take_from(&mut rows).map_err(|error| self.fault(error))?;
            full.map_or(Ok(()), |chunk| self.add(&chunk))?;
        }
        Ok(())
    }

    /// Writes what is left and the footer.
    pub(crate) fn close(mut self) -> Result<Written, SinkFault> {
        if let Some(chunk) = self.chunks.take_rest().map_err(|error| self.fault(error))? {
            self.add(&chunk)?;
        }
        let pairs = self.provenance.pairs().map_err(|error| of_system(&self.what, self.bytes(), &error))?;
        pairs.into_iter().for_each(|(key, value)| self.writer.write_metadata(key, value));
        self.writer.finish().map_err(|error| self.fault(error))?;
        Ok(Written { rows: self.rows, bytes: self.bytes() })
    }

    fn add(&mut self, chunk: &Chunk) -> Result<(), SinkFault> {
        let columns = chunk.rows.columns().iter().map(of_one_form).collect::<Result<_, _>>();
        let rows = columns.and_then(|columns| RecordBatch::try_new(chunk.rows.schema(), columns));
        rows.and_then(|rows| self.writer.write(&rows)).map_err(|error| self.fault(error))
    }

    /// Returns what has reached the file.
    fn bytes(&self) -> u64 {
        self.writer.get_ref().get_ref().bytes
    }

    fn fault(&self, error: ArrowError) -> SinkFault {
        fault(&self.what, self.bytes(), error)
    }
}

/// Returns a column with the same values, and nothing under its nulls, at any depth.
fn of_one_form(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    data_of_one_form(&column.to_data()).map(make_array)
}

fn data_of_one_form(data: &ArrayData) -> Result<ArrayData, ArrowError> {
    let children: Vec<_> = data.child_data().iter().map(data_of_one_form).collect::<Result<_, _>>()?;
    let data = match children.is_empty() {
        true => data.clone(),
        false => data.clone().into_builder().child_data(children).build()?,
    };
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    match data.nulls() {
        None => copy.extend(0, 0, data.len()),
        Some(nulls) => {
            let mut copied = 0;
            for (from, to) in nulls.valid_slices() {
                copy.extend_nulls(from - copied);
                copy.extend(0, from, to);
                copied = to;
            }
            copy.extend_nulls(data.len() - copied);
        }
    }
    Ok(copy.freeze())
}

fn fault(what: &str, bytes: u64, error: ArrowError) -> SinkFault {
    match &error {
        ArrowError::IoError(_, from_system) => of_system(what, bytes, from_system),
        _ => SinkFault::Unwritten { file: what.to_owned(), bytes, error: error.to_string() },
    }
}

/// A file, and how much of it there is.
struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Int32Array, StructArray};
    use arrow_ipc::reader::FileReader;
    use arrow_schema::{DataType, Field};

    use super::*;
    use crate::sinks::guest::every_type;
    use crate::sinks::tests::provenance;

    /// Writes rows, so many at a time, and returns the file's bytes.
    fn written(rows: &RecordBatch, step: usize) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        let (ours, what) = (file.try_clone().unwrap(), "table `t`".to_owned());
        let mut arrow = ArrowFile::create(ours, what, rows.schema(), &provenance()).unwrap();
        for from in (0..rows.num_rows()).step_by(step) {
            arrow.write(rows.slice(from, step.min(rows.num_rows() - from))).unwrap();
        }
        let said = arrow.close().unwrap();
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap();
        assert_eq!((said.rows, said.bytes), (rows.num_rows() as u64, bytes.len() as u64));
        bytes
    }

    fn read(bytes: &[u8]) -> RecordBatch {
        let reader = FileReader::try_new(io::Cursor::new(bytes), None).unwrap();
        let schema = reader.schema();
        let batches: Vec<_> = reader.map(Result::unwrap).collect();
        arrow_select::concat::concat_batches(&schema, &batches).unwrap()
    }

    #[test]
    fn rows_of_every_type_read_back_as_they_were() {
        let rows = every_type();
        assert_eq!(read(&written(&rows, 2)), rows);
    }

    #[test]
    fn where_batches_are_cut_changes_no_byte() {
        let many = vec![every_type(); 3_000];
        let rows = arrow_select::concat::concat_batches(&many[0].schema(), &many).unwrap();
        let whole = written(&rows, rows.num_rows());
        for step in [1, 7, 64, 1_000] {
            assert!(written(&rows, step) == whole, "{step} at a time");
        }
    }

    #[test]
    fn a_file_without_rows_has_its_schema() {
        let none = every_type().slice(0, 0);
        assert_eq!(read(&written(&none, 1)), none);
    }

    #[test]
    fn what_a_parser_left_under_a_null_does_not_show() {
        let with = |left: i32, bit: bool| {
            let nulls = Some(vec![true, false].into());
            let number: ArrayRef = Arc::new(Int32Array::new(vec![1, left].into(), nulls.clone()));
            let flag: ArrayRef = Arc::new(BooleanArray::new(vec![true, bit].into(), nulls));
            let inner = vec![Arc::new(Field::new("n", DataType::Int32, true))];
            let within: ArrayRef = Arc::new(StructArray::new(inner.into(), vec![Arc::clone(&number)], None));
            let columns = [("n", number, true), ("f", flag, true), ("s", within, false)];
            RecordBatch::try_from_iter_with_nullable(columns).unwrap()
        };
        assert!(written(&with(7, true), 2) == written(&with(8, false), 2));
    }

    #[test]
    fn the_footer_says_what_the_rows_were_made_of() {
        let bytes = written(&every_type(), 1);
        let reader = FileReader::try_new(io::Cursor::new(bytes), None).unwrap();
        assert_eq!(reader.custom_metadata().get("casparian.parser.name").map(String::as_str), Some("trades"));
    }
}

//! Rows, cut anew. A file's pages and row groups follow these cuts, and these follow the rows alone: where a parser cut its
//! batches changes no byte of a file.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, SchemaRef};

/// Past this many, pieces are joined before their chunk is full: a row of its own may take a hundred times its bytes.
const PIECES_MAX: usize = 64;

/// Where to cut: behind the first row at which one of the two is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Rows.
    pub(crate) rows: usize,
    /// Logical bytes: values and offsets, whatever becomes of them in a file.
    pub(crate) bytes: u64,
}

impl Cut {
    pub(crate) fn is_reached(self, rows: usize, bytes: u64) -> bool {
        rows >= self.rows || bytes >= self.bytes
    }
}

/// Rows of one piece, and their logical bytes.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) rows: RecordBatch,
    pub(crate) bytes: u64,
}

/// Cuts batches of one schema into chunks.
#[derive(Debug)]
pub(crate) struct Chunks {
    schema: SchemaRef,
    cut: Cut,
    held: Vec<RecordBatch>,
    /// Rows in `held`. Less than `cut.rows`.
    held_rows: usize,
    /// Logical bytes in `held`. Less than `cut.bytes`.
    held_bytes: u64,
}

impl Chunks {
    pub(crate) fn new(schema: SchemaRef, cut: Cut) -> Self {
        Self { schema, cut, held: Vec::new(), held_rows: 0, held_bytes: 0 }
    }

    /// Takes rows up to the next cut. Returns a chunk where that is reached; call it until nothing is left of `rows`.
    pub(crate) fn take_from(&mut self, rows: &mut RecordBatch) -> Result<Option<Chunk>, ArrowError> {
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let fitting = self.rows_that_fit(rows);
        let piece = rows.slice(0, fitting);
        *rows = rows.slice(fitting, rows.num_rows() - fitting);
        self.held_rows += fitting;
        self.held_bytes += logical_bytes(&piece, fitting);
        self.held.push(piece);
        if self.held.len() == PIECES_MAX {
            self.held = vec![self.join()?];
        }
        match self.cut.is_reached(self.held_rows, self.held_bytes) {
            true => self.take_rest(),
            false => Ok(None),
        }
    }

    /// Returns what has been added since the last cut.
    pub(crate) fn take_rest(&mut self) -> Result<Option<Chunk>, ArrowError> {
        if self.held.is_empty() {
            return Ok(None);
        }
        let chunk = Chunk { rows: self.join()?, bytes: self.held_bytes };
        self.held.clear();
        (self.held_rows, self.held_bytes) = (0, 0);
        Ok(Some(chunk))
    }

    fn join(&self) -> Result<RecordBatch, ArrowError> {
        match self.held.as_slice() {
            [only] => Ok(only.clone()),
            several => arrow_select::concat::concat_batches(&self.schema, several),
        }
    }

    /// How many of `rows` are left before the next cut; at least one. Bytes grow with rows, so halving finds it.
    fn rows_that_fit(&self, rows: &RecordBatch) -> usize {
        let (mut few, mut many) = (1, rows.num_rows());
        while few < many {
            let middle = few + (many - few) / 2;
            match self.cut.is_reached(self.held_rows + middle, self.held_bytes + logical_bytes(rows, middle))
            {
                true => many = middle,
                false => few = middle + 1,
            }
        }
        many
    }
}

/// Returns the logical bytes of the first `count` rows. Cheap: it looks at ends, not at values.
pub(super) fn logical_bytes(rows: &RecordBatch, count: usize) -> u64 {
    rows.columns().iter().map(|column| array_bytes(column.as_ref(), 0, count)).sum()
}

/// Adds up without regard to where an array is cut: the bytes of two pieces are those of the whole.
fn array_bytes(array: &dyn Array, from: usize, to: usize) -> u64 {
    let count = (to - from) as u64;
    match array.data_type() {
        DataType::Utf8 => count * 4 + between(array.as_string::<i32>().value_offsets(), from, to),
        DataType::LargeUtf8 => count * 8 + between(array.as_string::<i64>().value_offsets(), from, to),
        DataType::Binary => count * 4 + between(array.as_binary::<i32>().value_offsets(), from, to),
        DataType::LargeBinary => count * 8 + between(array.as_binary::<i64>().value_offsets(), from, to),
        DataType::FixedSizeBinary(width) => count * u64::from(width.unsigned_abs()),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let (first, last) = (lists.value_offsets()[from] as usize, lists.value_offsets()[to] as usize);
            count * 4 + array_bytes(lists.values().as_ref(), first, last)
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            let (first, last) = (lists.value_offsets()[from] as usize, lists.value_offsets()[to] as usize);
            count * 8 + array_bytes(lists.values().as_ref(), first, last)
        }
        DataType::Struct(_) => {
            let fields = array.as_struct().columns().iter();
            fields.map(|field| array_bytes(field.as_ref(), from, to)).sum()
        }
        other => count * other.primitive_width().unwrap_or(1) as u64,
    }
}

fn between<O: arrow_array::OffsetSizeTrait>(offsets: &[O], from: usize, to: usize) -> u64 {
    (offsets[to] - offsets[from]).as_usize() as u64
}

//! Cells on their way through a cast: what is taken off a text before it is read, and how results become a column.

use arrow_array::builder::StringBuilder;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{PrimitiveArray, StringArray};
use arrow_buffer::NullBufferBuilder;

use super::super::Decoding;
use super::super::verdict::Code;

/// The rows that failed, ascending, and why.
pub(super) type Failed = Vec<(u32, Code)>;

/// What is done to a text before it is read.
#[derive(Debug, Clone)]
pub(super) struct Cleaning {
    trim: bool,
    /// Sorted.
    missing: Vec<String>,
    /// Bit `n` is set where a missing value has `n` bytes, the last bit where one has more. Most texts end here.
    lengths: u64,
}

impl Cleaning {
    pub(super) fn new(decoding: &Decoding) -> Self {
        let mut missing = decoding.missing_values.clone();
        missing.sort();
        let lengths = missing.iter().fold(0, |lengths, text| lengths | length_bit(text));
        Self { trim: decoding.trim, missing, lengths }
    }

    /// Returns whether every text stays as it is.
    pub(super) fn is_nothing(&self) -> bool {
        !self.trim && self.missing.is_empty()
    }

    pub(super) fn trims(&self) -> bool {
        self.trim
    }

    /// Returns what there is to read, or `None` where the text stands for null.
    #[inline]
    pub(super) fn clean<'a>(&self, text: &'a str) -> Option<&'a str> {
        let text = if self.trim { text.trim_ascii() } else { text };
        if self.lengths & length_bit(text) != 0 && self.is_missing(text) {
            return None;
        }
        Some(text)
    }

    fn is_missing(&self, text: &str) -> bool {
        self.missing.binary_search_by(|missing| missing.as_str().cmp(text)).is_ok()
    }
}

#[inline]
fn length_bit(text: &str) -> u64 {
    1 << text.len().min(63)
}

/// Makes a column of what becomes of each cell: a value, null, or a failure, which is null and said.
pub(super) fn convert<T: ArrowPrimitiveType, C>(
    cells: impl Iterator<Item = Option<C>>,
    rows: usize,
    mut value: impl FnMut(C) -> Result<Option<T::Native>, Code>,
) -> (PrimitiveArray<T>, Failed) {
    let mut values = Vec::with_capacity(rows);
    let mut nulls = NullBufferBuilder::new(rows);
    let mut failed = Failed::new();
    for (row, cell) in (0u32..).zip(cells) {
        match cell.map_or(Ok(None), &mut value) {
            Ok(Some(value)) => {
                values.push(value);
                nulls.append_non_null();
            }
            other => {
                values.push(T::Native::default());
                nulls.append_null();
                failed.extend(other.err().map(|code| (row, code)));
            }
        }
    }
    (PrimitiveArray::new(values.into(), nulls.finish()), failed)
}

/// A column of texts in the making.
pub(super) struct Texts {
    texts: StringBuilder,
    failed: Failed,
    row: u32,
}

impl Texts {
    pub(super) fn new(rows: usize, bytes: usize) -> Self {
        Self { texts: StringBuilder::with_capacity(rows, bytes), failed: Failed::new(), row: 0 }
    }

    /// Adds what became of the next cell. A text that offsets of 32 bits cannot reach is past what the column can hold.
    pub(super) fn push(&mut self, cell: Result<Option<&str>, Code>) {
        match cell {
            Ok(Some(text)) if self.reaches(text) => self.texts.append_value(text),
            Ok(None) => self.texts.append_null(),
            refused => {
                self.texts.append_null();
                self.failed.push((self.row, refused.err().unwrap_or(Code::Overflow)));
            }
        }
        self.row = self.row.saturating_add(1);
    }

    fn reaches(&self, text: &str) -> bool {
        i32::try_from(self.texts.values_slice().len() + text.len()).is_ok()
    }

    pub(super) fn finish(mut self) -> (StringArray, Failed) {
        (self.texts.finish(), self.failed)
    }
}

/// Takes off what a lenient reader would pass over: white space, and a byte order mark.
pub(super) fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

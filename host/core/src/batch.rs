//! Decoded rows that nobody has judged yet, and where in the input each of them comes from.

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::ArrowError;
use arrow_select::{concat, filter, take};

use crate::fault::Span;

/// What a row weighs at least, in bytes. Rows with spans have sixteen to say where they are.
const ROW_BYTES_MIN: u64 = 16;
/// What a batch takes besides its values and its arrays, and what each array does, in bytes: 530 and up to 210 were seen.
const BATCH_BYTES: u64 = 512;
const ARRAY_BYTES: u64 = 192;

/// Rows as the guest sent them, without the reserved columns. Only [`crate::wire`] makes one from a guest's bytes.
#[derive(Debug, Clone)]
pub struct Batch {
    rows: RecordBatch,
    /// As many as rows.
    spans: Option<Spans>,
    /// As many as rows; holds lists of utf8 without nulls in them.
    faults: Option<ListArray>,
    wire_bytes: u64,
    /// Arrays in it, children and reserved columns counted.
    arrays: u64,
}

/// Where the records are that the rows of a batch come from. Both columns are of one length and have no nulls.
#[derive(Debug, Clone)]
pub struct Spans {
    pub(crate) offset: UInt64Array,
    pub(crate) length: UInt32Array,
}

impl Spans {
    /// Returns the spans in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Span> + '_ {
        let (offsets, lengths) = (self.offset.values().iter(), self.length.values().iter());
        offsets.zip(lengths).map(|(offset, length)| Span { offset: *offset, length: u64::from(*length) })
    }

    /// Returns those that are marked.
    pub(crate) fn filter(&self, marked: &BooleanArray) -> Result<Self, ArrowError> {
        Ok(Self {
            offset: filter::filter(&self.offset, marked)?.as_primitive::<UInt64Type>().clone(),
            length: filter::filter(&self.length, marked)?.as_primitive::<UInt32Type>().clone(),
        })
    }

    /// Returns where each row's record begins.
    pub fn offsets(&self) -> &UInt64Array {
        &self.offset
    }

    /// Returns how long each row's record is.
    pub fn lengths(&self) -> &UInt32Array {
        &self.length
    }
}

impl Batch {
    pub(crate) fn new(
        rows: RecordBatch,
        spans: Option<Spans>,
        faults: Option<ListArray>,
        wire_bytes: u64,
        arrays: u64,
    ) -> Self {
        debug_assert!(spans.as_ref().is_none_or(|spans| spans.offset.len() == rows.num_rows()));
        debug_assert!(spans.as_ref().is_none_or(|spans| spans.length.len() == rows.num_rows()));
        debug_assert!(faults.as_ref().is_none_or(|faults| faults.len() == rows.num_rows()));
        Self { rows, spans, faults, wire_bytes, arrays }
    }

    /// Returns the payload columns. All of them are nullable, whatever the guest declared.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// Gives up everything but the payload columns.
    pub fn into_rows(self) -> RecordBatch {
        self.rows
    }

    /// Returns `count` rows from row `from` on, which must be there. Nothing is copied.
    pub(crate) fn slice(&self, from: usize, count: usize) -> Self {
        let slice = |spans: &Spans| Spans {
            offset: spans.offset.slice(from, count),
            length: spans.length.slice(from, count),
        };
        Self {
            rows: self.rows.slice(from, count),
            spans: self.spans.as_ref().map(slice),
            faults: self.faults.as_ref().map(|faults| faults.slice(from, count)),
            wire_bytes: self.wire_bytes,
            arrays: self.arrays,
        }
    }

    /// Returns the listed rows, in the order listed.
    pub(crate) fn take(&self, rows: &UInt64Array) -> Result<Self, ArrowError> {
        let pick = |column: &dyn Array| take::take(column, rows, None);
        let spans = match &self.spans {
            Some(Spans { offset, length }) => Some(Spans {
                offset: pick(offset)?.as_primitive::<UInt64Type>().clone(),
                length: pick(length)?.as_primitive::<UInt32Type>().clone(),
            }),
            None => None,
        };
        let faults = match &self.faults {
            Some(faults) => Some(pick(faults)?.as_list::<i32>().clone()),
            None => None,
        };
        let rows = take::take_record_batch(&self.rows, rows)?;
        Ok(Self { rows, spans, faults, wire_bytes: self.wire_bytes, arrays: self.arrays })
    }

    /// Makes one batch of many of the same table. None: of none.
    pub(crate) fn concat(parts: &[Batch]) -> Result<Option<Self>, ArrowError> {
        let Some(first) = parts.first() else { return Ok(None) };
        let join = |column: fn(&Batch) -> Option<&dyn Array>| -> Result<Option<ArrayRef>, ArrowError> {
            let columns: Option<Vec<&dyn Array>> = parts.iter().map(column).collect();
            columns.map(|columns| concat::concat(&columns)).transpose()
        };
        let offset = join(|part| part.spans.as_ref().map(|spans| &spans.offset as &dyn Array))?;
        let length = join(|part| part.spans.as_ref().map(|spans| &spans.length as &dyn Array))?;
        let faults = join(|part| part.faults.as_ref().map(|faults| faults as &dyn Array))?;
        let spans = offset.zip(length).map(|(offset, length)| Spans {
            offset: offset.as_primitive::<UInt64Type>().clone(),
            length: length.as_primitive::<UInt32Type>().clone(),
        });
        Ok(Some(Self {
            rows: concat::concat_batches(&first.rows.schema(), parts.iter().map(|part| &part.rows))?,
            spans,
            faults: faults.map(|faults| faults.as_list::<i32>().clone()),
            wire_bytes: parts.iter().map(|part| part.wire_bytes).sum(),
            arrays: first.arrays,
        }))
    }

    /// Returns how many rows there are.
    pub fn num_rows(&self) -> u64 {
        self.rows.num_rows() as u64
    }

    /// Returns the length of the message that the rows came in, in bytes.
    pub fn wire_bytes(&self) -> u64 {
        self.wire_bytes
    }

    /// Returns what it weighs while it waits, in bytes: its message, and never less than what there is of it beside its values. A row
    /// of one bit weighs more once it is judged.
    pub fn weight_bytes(&self) -> u64 {
        let frame = BATCH_BYTES.saturating_add(self.arrays.saturating_mul(ARRAY_BYTES));
        self.wire_bytes.max(self.num_rows().saturating_mul(ROW_BYTES_MIN)).saturating_add(frame)
    }

    /// Returns where all the rows come from, or `None` where the table does not say.
    pub fn spans(&self) -> Option<&Spans> {
        self.spans.as_ref()
    }

    /// Returns where a row comes from, or `None` where the table does not say or has no such row.
    pub fn span(&self, row: usize) -> Option<Span> {
        let spans = self.spans.as_ref()?;
        let (offset, length) = (spans.offset.values().get(row)?, spans.length.values().get(row)?);
        Some(Span { offset: *offset, length: u64::from(*length) })
    }

    /// Returns the codes of the faults that a row carries, in the guest's order. A null and an empty list are both none.
    pub fn faults(&self, row: usize) -> impl Iterator<Item = &str> {
        self.faults.as_ref().into_iter().flat_map(move |faults| codes(faults, row))
    }

    /// Returns every fault with its row, in the order of the rows. Costs nothing where no row carries any.
    pub fn fault_rows(&self) -> impl Iterator<Item = (usize, &str)> {
        let carriers = self.faults.as_ref().filter(|faults| !faults.values().is_empty()).into_iter();
        carriers.flat_map(|faults| {
            (0..faults.len()).flat_map(|row| codes(faults, row).map(move |code| (row, code)))
        })
    }

    /// Returns the codes of all faults, as often as they occur.
    pub fn fault_codes(&self) -> impl Iterator<Item = &str> {
        self.fault_rows().map(|(_, code)| code)
    }
}

/// Returns the codes of one row; none where there is no such row.
fn codes(faults: &ListArray, row: usize) -> impl Iterator<Item = &str> {
    let offsets = faults.value_offsets();
    let place = |at: usize| offsets.get(at).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    // A null may stand over codes that the list skips.
    let range = if row < faults.len() && faults.is_valid(row) {
        place(row)..place(row.saturating_add(1))
    } else {
        0..0
    };
    let all = faults.values().as_string_opt::<i32>();
    all.into_iter().flat_map(move |all| range.clone().map(|code| all.value(code)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int8Array;
    use arrow_array::builder::{ListBuilder, StringBuilder};

    use super::*;

    fn three_rows() -> Batch {
        let numbers: ArrayRef = Arc::new(Int8Array::from(vec![1, 2, 3]));
        let mut faults = ListBuilder::new(StringBuilder::new());
        faults.append_value([Some("bad_checksum"), Some("truncated")]);
        faults.append_null();
        faults.append_value(Vec::<Option<&str>>::new());
        let spans = Spans { offset: vec![0, 10, 30].into(), length: vec![10, 20, 5].into() };
        let rows = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        Batch::new(rows, Some(spans), Some(faults.finish()), 64, 4)
    }

    #[test]
    fn null_and_empty_both_mean_no_fault() {
        let batch = three_rows();
        assert_eq!(batch.faults(0).collect::<Vec<_>>(), ["bad_checksum", "truncated"]);
        assert_eq!(batch.faults(1).count() + batch.faults(2).count() + batch.faults(3).count(), 0);
    }

    #[test]
    fn a_row_knows_its_span_and_a_row_that_is_not_there_has_none() {
        let batch = three_rows();
        assert_eq!(batch.span(1), Some(Span { offset: 10, length: 20 }));
        assert_eq!(batch.span(3), None);
        assert_eq!(batch.spans().map(|spans| spans.iter().len()), Some(3));
    }

    #[test]
    fn faults_come_with_their_rows() {
        let found: Vec<_> = three_rows().fault_rows().map(|(row, code)| (row, code.to_owned())).collect();
        assert_eq!(found, [(0, "bad_checksum".to_owned()), (0, "truncated".to_owned())]);
    }
}

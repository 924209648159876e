//! A checked batch, made into arrays: the body is copied once, and every array is a view of the copy.
//!
//! Arrow's own IPC reader is not used here. It would read the guest's metadata a second time, with rules of its own, and
//! what two readers understand differently is where attacks live. The arrays are built from what the guard understood, by
//! arrow's checking constructors, which look at every value once more; a test holds the two readers to the same answer.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, UInt32Type, UInt64Type, Utf8Type,
};
use arrow_array::{
    ArrayRef, GenericByteArray, GenericListArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions,
    StructArray, make_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, FieldRef};

use super::fault::WireFault;
use super::guard::{Checked, Node};
use crate::batch::{Batch, Spans};
use crate::guest_text::GuestText;

const MESSAGE_BYTES_MAX: usize = 1024;

/// Builds the arrays. See [`Checked::read`].
pub(super) fn read(checked: &Checked<'_>) -> Result<Batch, WireFault> {
    let built = catch_unwind(AssertUnwindSafe(|| batch(checked)));
    let ours = |message: &str| WireFault::Reader(GuestText::new(message, MESSAGE_BYTES_MAX));
    match built {
        Ok(built) => built.map_err(|refused| ours(&refused.to_string())),
        Err(panic) => Err(ours(match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(message), _) => message,
            (None, Some(message)) => message,
            (None, None) => "it panicked",
        })),
    }
}

fn batch(checked: &Checked<'_>) -> Result<Batch, ArrowError> {
    let schema = checked.schema;
    let reserved = schema.reserved();
    // One copy: arrow allocates aligned to 64 bytes or more.
    let mut arrays = Arrays {
        body: Buffer::from(checked.body),
        nodes: checked.nodes.iter(),
        buffers: checked.buffers.iter(),
    };
    let mut payload = Vec::with_capacity(schema.nullable().fields().len());
    let mut relaxed = schema.nullable().fields().iter();
    let (mut offset, mut length, mut faults) = (None, None, None);
    for (at, field) in schema.columns().fields().iter().enumerate() {
        if !reserved.has(at) {
            let field = relaxed.next().ok_or_else(|| missing("column"))?;
            payload.push(arrays.array(field.data_type())?);
            continue;
        }
        let column = Some(arrays.array(field.data_type())?);
        match at {
            at if reserved.offset == Some(at) => offset = column,
            at if reserved.length == Some(at) => length = column,
            _ => faults = column,
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(checked.rows));
    let rows = RecordBatch::try_new_with_options(schema.nullable().clone(), payload, &options)?;
    let faults =
        faults.map(|faults| faults.as_list_opt().cloned().ok_or_else(|| missing("list"))).transpose()?;
    let arrays = checked.nodes.len() as u64;
    Ok(Batch::new(rows, spans(offset, length)?, faults, checked.wire_bytes, arrays))
}

fn spans(offset: Option<ArrayRef>, length: Option<ArrayRef>) -> Result<Option<Spans>, ArrowError> {
    let (Some(offset), Some(length)) = (offset, length) else { return Ok(None) };
    let offset = offset.as_primitive_opt::<UInt64Type>().ok_or_else(|| missing("uint64"))?;
    let length = length.as_primitive_opt::<UInt32Type>().ok_or_else(|| missing("uint32"))?;
    Ok(Some(Spans { offset: offset.clone(), length: length.clone() }))
}

fn missing(what: &str) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("{what} missing behind the guard"))
}

/// The way through what the guard accepted, in the guard's own order.
struct Arrays<'a> {
    body: Buffer,
    nodes: std::slice::Iter<'a, Node>,
    buffers: std::slice::Iter<'a, Range<usize>>,
}

impl Arrays<'_> {
    /// Builds the next array and its children. The schema bounds the recursion.
    fn array(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let Node { length, nulls } = *self.nodes.next().ok_or_else(|| missing("node"))?;
        let validity = self.buffer()?;
        let nulls = (nulls > 0).then(|| NullBuffer::new(BooleanBuffer::new(validity, 0, length)));
        match data_type {
            DataType::Utf8 => self.bytes::<Utf8Type>(length, nulls),
            DataType::LargeUtf8 => self.bytes::<LargeUtf8Type>(length, nulls),
            DataType::Binary => self.bytes::<BinaryType>(length, nulls),
            DataType::LargeBinary => self.bytes::<LargeBinaryType>(length, nulls),
            DataType::List(item) => self.list::<i32>(item, length, nulls),
            DataType::LargeList(item) => self.list::<i64>(item, length, nulls),
            DataType::Struct(fields) => {
                let children = fields.iter().map(|field| self.array(field.data_type()));
                let children = children.collect::<Result<_, _>>()?;
                Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), children, nulls, length)?))
            }
            fixed => self.fixed(fixed, length, nulls),
        }
    }

    fn bytes<T: ByteArrayType>(
        &mut self,
        length: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        let offsets = self.offsets::<T::Offset>(length)?;
        Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, self.buffer()?, nulls)?))
    }

    fn list<O: OffsetSizeTrait>(
        &mut self,
        item: &FieldRef,
        length: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        let offsets = self.offsets::<O>(length)?;
        let values = self.array(item.data_type())?;
        Ok(Arc::new(GenericListArray::try_new(item.clone(), offsets, values, nulls)?))
    }

    fn fixed(
        &mut self,
        data_type: &DataType,
        length: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        let array = ArrayData::builder(data_type.clone()).len(length).nulls(nulls).add_buffer(self.buffer()?);
        // Decimals need 16 bytes, the wire promises 8: such a column is copied once more where it has to be.
        array.align_buffers(true).build().map(make_array)
    }

    fn offsets<O: OffsetSizeTrait>(&mut self, length: usize) -> Result<OffsetBuffer<O>, ArrowError> {
        let offsets = self.buffer()?;
        if offsets.is_empty() {
            return Ok(OffsetBuffer::new_empty());
        }
        Ok(OffsetBuffer::new(ScalarBuffer::new(offsets, 0, length.saturating_add(1))))
    }

    fn buffer(&mut self) -> Result<Buffer, ArrowError> {
        let range = self.buffers.next().ok_or_else(|| missing("buffer"))?;
        Ok(self.body.slice_with_length(range.start, range.len()))
    }
}

//! Bytes that stay bytes, and bytes that are texts.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;

use super::super::verdict::Code;
use super::CastColumn;
use super::cells::{Cleaning, Failed, Texts};

/// Reads bytes as UTF-8.
pub(super) fn to_text(source: &ArrayRef, cleaning: &Cleaning) -> CastColumn {
    let mut texts = Texts::new(source.len(), 0);
    each(source, |cell| {
        let text = cell.map(|bytes| simdutf8::basic::from_utf8(bytes).map_err(|_| Code::Unparseable));
        texts.push(text.transpose().map(|text| text.and_then(|text| cleaning.clean(text))));
    });
    let (values, failed) = texts.finish();
    CastColumn { values: Arc::new(values), failed }
}

/// Lays bytes out anew. Where offsets of 32 bits cannot reach them they are past what the type can hold.
pub(super) fn to_bytes(source: &ArrayRef) -> CastColumn {
    let mut values = BinaryBuilder::with_capacity(source.len(), 0);
    let mut failed = Failed::new();
    let mut row = 0u32;
    each(source, |cell| {
        let reaches = |bytes: &[u8]| i32::try_from(values.values_slice().len() + bytes.len()).is_ok();
        match cell {
            Some(bytes) if !reaches(bytes) => {
                values.append_null();
                failed.push((row, Code::Overflow));
            }
            cell => values.append_option(cell),
        }
        row = row.saturating_add(1);
    });
    CastColumn { values: Arc::new(values.finish()), failed }
}

fn each(source: &ArrayRef, cell: impl FnMut(Option<&[u8]>)) {
    match source.data_type() {
        DataType::LargeBinary => source.as_binary::<i64>().iter().for_each(cell),
        DataType::FixedSizeBinary(_) => source.as_fixed_size_binary().iter().for_each(cell),
        _ => source.as_binary::<i32>().iter().for_each(cell),
    }
}

//! Emits rows of two records that share `n` of their 4 bytes.

use crate::arrow::batch;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let first = scene.range.offset;
    let spans = [(first, 4), (first + 4 - scene.n, 4)];
    scene.rows()?.emit(&batch(&columns(&spans, &["x", "y"])).message())?;
    scene.commit()
}

//! Emits `n` batches of `m` rows, each batch a record of one byte, and commits after each.

use crate::bindings::casparian::parser::output;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let rows = scene.rows()?;
    for batch in 0..scene.n {
        let offset = scene.range.offset + batch % scene.range.length;
        rows.emit(&rows_of((offset, 1), scene.m, scene.text))?;
        // Only the last lap may pass: nothing may be said before the watermark.
        output::commit(offset + 1)?;
    }
    scene.commit()
}

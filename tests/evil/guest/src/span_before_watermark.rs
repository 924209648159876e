//! Emits a row of a record that begins `n` bytes before what is committed.

use crate::bindings::casparian::parser::output;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let watermark = scene.range.offset + scene.range.length / 2;
    output::commit(watermark)?;
    scene.rows()?.emit(&rows_of((watermark - scene.n, 1), 1, "x"))?;
    scene.commit()
}

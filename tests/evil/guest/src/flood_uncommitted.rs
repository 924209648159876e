//! Emits `n` batches of `m` rows of one record, and commits when all are out.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let rows = scene.rows()?;
    for _ in 0..scene.n {
        rows.emit(&rows_of((scene.range.offset, 1), scene.m, scene.text))?;
    }
    scene.commit()
}

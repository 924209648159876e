//! Emits a row of a record of no bytes.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    scene.rows()?.emit(&rows_of((scene.range.offset, 0), 1, "x"))?;
    scene.commit()
}

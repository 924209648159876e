//! Emits a row of a record `n` bytes behind the end of the input.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    scene.rows()?.emit(&rows_of((scene.input.len() + scene.n, 1), 1, "x"))?;
    scene.commit()
}

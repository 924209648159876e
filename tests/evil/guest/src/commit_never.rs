//! Emits `n` rows and returns without committing them.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    scene.rows()?.emit(&rows_of((scene.range.offset, 1), scene.n, scene.text))
}

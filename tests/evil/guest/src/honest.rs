//! Behaves: one record, `n` rows of it (at least one), each saying `text`.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let span = (scene.range.offset, scene.range.length as u32);
    scene.rows()?.emit(&rows_of(span, scene.n.max(1), scene.text))?;
    scene.commit()
}

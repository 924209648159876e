//! Hands over a batch that lacks a column of its table.

use crate::arrow::batch;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let mut columns = columns(&[(scene.range.offset, 1)], &["x"]);
    columns.pop();
    scene.rows()?.emit(&batch(&columns).message())?;
    scene.commit()
}

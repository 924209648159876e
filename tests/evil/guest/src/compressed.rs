//! Hands over a batch that says it is compressed, and would unpack to an exabyte.

use crate::arrow::batch;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let mut bomb = batch(&columns(&[(scene.range.offset, 1)], &["x"]));
    bomb.compressed = true;
    bomb.body[..8].copy_from_slice(&(1_i64 << 60).to_le_bytes());
    scene.rows()?.emit(&bomb.message())?;
    scene.commit()
}

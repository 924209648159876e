//! Says that a column has a null, with a validity bitmap that has none.

use crate::arrow::batch;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let mut lie = batch(&columns(&[(scene.range.offset, 1)], &["x"]));
    lie.nodes[2].1 = 1;
    // The bitmap comes before the text's offsets and bytes, which make room for it.
    let at = lie.buffers[5].0;
    lie.body.splice(at as usize..at as usize, [1, 0, 0, 0, 0, 0, 0, 0]);
    lie.buffers[4] = (at, 1);
    lie.buffers[5..].iter_mut().for_each(|buffer| buffer.0 += 8);
    scene.rows()?.emit(&lie.message())?;
    scene.commit()
}

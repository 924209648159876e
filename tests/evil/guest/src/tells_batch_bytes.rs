//! Says how large a batch its host would like: what hangs on the host, and not on the input.

use crate::bindings::casparian::parser::output;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let span = (scene.range.offset, scene.range.length as u32);
    scene.rows()?.emit(&rows_of(span, 1, &format!("{} bytes", output::batch_bytes())))?;
    scene.commit()
}

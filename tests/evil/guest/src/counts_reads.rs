//! Says how often it had to read: what hangs on how much a read gives, and not on the input.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let (mut at, mut reads) = (0, 0);
    while at < scene.input.len() {
        at += scene.input.read(at, u32::MAX).len() as u64;
        reads += 1;
    }
    let span = (scene.range.offset, scene.range.length as u32);
    scene.rows()?.emit(&rows_of(span, 1, &format!("{reads} reads")))?;
    scene.commit()
}

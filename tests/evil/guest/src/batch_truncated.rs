//! Hands over the first `n` bytes of a good batch, all but the last `m` where `n` is 0.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let whole = rows_of((scene.range.offset, 1), 3, scene.text);
    let kept = if scene.n > 0 { scene.n as usize } else { whole.len() - scene.m as usize };
    scene.rows()?.emit(&whole[..kept.min(whole.len())])?;
    scene.commit()
}

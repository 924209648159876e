//! Calls itself `n` levels deep before it behaves; for ever where `n` is 0.

use std::hint::black_box;

use crate::bindings::casparian::parser::types::Fault;
use crate::honest;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    black_box(down(if scene.n == 0 { u64::MAX } else { scene.n }));
    honest::parse(&Scene { n: 1, ..*scene })
}

#[inline(never)]
fn down(levels: u64) -> u64 {
    // What is done on the way back keeps it from being a loop.
    if levels == 0 { 0 } else { black_box(down(black_box(levels - 1))) ^ levels }
}

//! Hands over `n` random bytes as a batch; `m` seeds them.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let mut state = scene.m;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let garbage: Vec<u8> = (0..scene.n).map(|_| random()).collect();
    scene.rows()?.emit(&garbage)?;
    scene.commit()
}

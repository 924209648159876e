//! Loops `n` times before it behaves; for ever, and saying so, where `n` is 0.

use std::hint::black_box;

use crate::bindings::casparian::parser::log;
use crate::bindings::casparian::parser::types::{Fault, Level};
use crate::honest;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    if scene.n == 0 {
        log::log(Level::Warn, "spinning", None);
    }
    let mut turn = 0_u64;
    while scene.n == 0 || turn < scene.n {
        turn = black_box(turn) + 1;
    }
    honest::parse(&Scene { n: 1, ..*scene })
}

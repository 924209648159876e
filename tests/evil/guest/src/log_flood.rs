//! Logs `n` lines of `m` bytes before it behaves.

use crate::bindings::casparian::parser::log;
use crate::bindings::casparian::parser::types::{Fault, Level};
use crate::honest;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let line = "x".repeat(scene.m as usize);
    for _ in 0..scene.n {
        log::log(Level::Warn, &line, None);
    }
    honest::parse(&Scene { n: 1, ..*scene })
}

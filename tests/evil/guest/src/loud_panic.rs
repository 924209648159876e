//! Panics with a message of `n` bytes, made of `text`.

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let message: String = scene.text.chars().cycle().take(scene.n as usize).collect();
    panic!("{message}");
}

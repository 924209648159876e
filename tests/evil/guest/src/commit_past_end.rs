//! Commits `n` bytes more than there are.

use crate::bindings::casparian::parser::output;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    output::commit(scene.range.offset + scene.range.length + scene.n)
}

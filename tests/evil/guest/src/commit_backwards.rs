//! Commits, and then takes a byte of it back.

use crate::bindings::casparian::parser::output;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    scene.commit()?;
    output::commit(scene.range.offset + scene.range.length - 1)
}

//! Says that the whole input is preamble, and nothing else.

use crate::bindings::casparian::parser::output::{self, SkipKind};
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    output::skip(scene.range, SkipKind::Preamble, scene.text)?;
    scene.commit()
}

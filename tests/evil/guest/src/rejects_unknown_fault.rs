//! Rejects a record for its fault number `n`, of which there is one.

use crate::bindings::casparian::parser::output::{self, Rejection};
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    output::reject(&[Rejection { at: scene.range, fault: scene.n as u16, message: scene.text.into() }])?;
    scene.commit()
}

//! Behaves for `n` batches of `m` rows, all of them committed, and then traps.

use crate::bindings::casparian::parser::types::Fault;
use crate::flood;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    flood::parse(scene)?;
    panic!("after {} rows", scene.n * scene.m);
}

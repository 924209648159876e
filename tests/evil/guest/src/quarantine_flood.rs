//! Rejects every byte of its range as a record of its own, with a reason of `n` bytes.

use crate::bindings::casparian::parser::output::{self, Rejection};
use crate::bindings::casparian::parser::types::{Fault, Span};
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    for offset in scene.range.offset..scene.range.offset + scene.range.length {
        let message = "\u{1b}[2J".repeat(scene.n as usize / 4);
        output::reject(&[Rejection { at: Span { offset, length: 1 }, fault: 0, message }])?;
    }
    scene.commit()
}

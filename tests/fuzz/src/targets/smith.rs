//! Parsers and other components that wasm-smith makes of any bytes.

use crate::smith;
use crate::{Dice, Target};

pub(super) const GUEST: Target = Target { name: "guest", bytes_max: 4096, run: guest, seeds };
pub(super) const STRANGER: Target = Target { name: "stranger", bytes_max: 4096, run: stranger, seeds };

/// What is generated of chance is as good a beginning as any.
fn seeds() -> Vec<Vec<u8>> {
    (0..8).map(|seed| smith::chance(&mut Dice::new(seed))).collect()
}

/// A parser ends, well or by a fault of its own, and nothing is lost.
fn guest(bytes: &[u8]) {
    smith::run(bytes);
}

/// A component that is no parser is refused, whichever door it comes to.
fn stranger(bytes: &[u8]) {
    smith::stranger::refuse(bytes);
}

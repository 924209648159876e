//! Parsers that nobody wrote: core modules by wasm-smith, which call the host as chance has it, each put into a frame that makes a
//! component of our world of it. What becomes of them is looked at from outside, byte by byte.
//!
//! * `generate`: bytes -> a component and an input; `frame`: the component around, with a shim (`calls`) between it and the host; `messages`: a schema and a batch for it.
//! * `run`: compiled, driven, judged, as a worker does it, in this process.
//! * `paint`: what the account must be, byte by byte, from what was said.

mod calls;
mod frame;
mod generate;
mod messages;
mod paint;
mod run;
mod soften;
pub mod stranger;

use crate::Dice;
pub use calls::{CALLS_COUNT, call_names};
pub use generate::{Generated, generate};
pub use run::{Ran, Under};

/// Returns bytes by chance, as many as make something of a module.
pub fn chance(dice: &mut Dice) -> Vec<u8> {
    let words = 128 + dice.below(384);
    (0..words).flat_map(|_| dice.roll().to_le_bytes()).collect()
}

/// What must hold of whatever is generated: it ends, well or by a fault of its own, and nothing is lost. None: the bytes stand for no
/// module.
pub fn run(bytes: &[u8]) -> Option<Ran> {
    generate(bytes).map(|generated| run_under(&generated, &Under::default()))
}

/// The same for what was generated, under other bounds.
pub fn run_under(generated: &Generated, under: &Under) -> Ran {
    let ran = run::run(generated, under);
    ran.assert_sound(under);
    ran
}

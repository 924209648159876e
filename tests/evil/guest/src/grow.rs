//! Asks for `n` pages of memory, one by one, without end where `n` is 0, and panics where it gets none.

use core::arch::wasm32::memory_grow;

use crate::bindings::casparian::parser::types::Fault;
use crate::honest;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let mut pages = 0;
    while scene.n == 0 || pages < scene.n {
        assert_ne!(memory_grow::<0>(1), usize::MAX, "no page after {pages}");
        pages += 1;
    }
    honest::parse(&Scene { n: 1, ..*scene })
}

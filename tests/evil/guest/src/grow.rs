//! Asks for `n` pages of memory, one by one, without end where `n` is 0, and panics where it gets none. Where `text` is
//! `touch`, writes to all of them, says so, and spins.

use core::arch::wasm32::memory_grow;

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;
use crate::{honest, spin};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    if scene.text == "touch" {
        touch(scene.n as usize * PAGE_BYTES);
        return spin::parse(&Scene { n: 0, ..*scene });
    }
    let mut pages = 0;
    while scene.n == 0 || pages < scene.n {
        assert_ne!(memory_grow::<0>(1), usize::MAX, "no page after {pages}");
        pages += 1;
    }
    honest::parse(&Scene { n: 1, ..*scene })
}

const PAGE_BYTES: usize = 64 << 10;

fn touch(bytes: usize) {
    let mut memory = vec![0_u8; bytes];
    memory.iter_mut().step_by(4 << 10).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
    // Kept: the spinning that follows is to be looked at with all of it in use.
    std::mem::forget(memory);
}

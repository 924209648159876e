//! The engine profile: which parts of wasmtime are on, and the settings nobody remembers.

use casparian_core::limits::Limits;
use wasmtime::{Config, Engine, OptLevel};

/// What runs guests, for receipts. A test holds it to the lock file.
pub const ENGINE: &str = "wasmtime 48.0.8";

/// Builds the engine that every component is compiled for and runs in.
pub(crate) fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    Engine::new(&profile(limits))
}

fn profile(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        // The supervisor's deadline does what epochs would do, at no cost in the guest's loops.
        .epoch_interruption(false)
        .max_wasm_stack(usize::try_from(limits.stack_bytes_max).unwrap_or(usize::MAX))
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16))
        .shared_memory(false)
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_stack_switching(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .gc_support(false)
        .concurrency_support(false);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_knob_that_bounds_a_guest_stands_at_its_default() {
        let limits = Limits { stack_bytes_max: 768 * 1024, ..Limits::default() };
        let (ours, default) = (engine(&limits).expect("our engine"), Engine::default());
        assert_eq!(ours.get_max_wasm_stack(), 768 * 1024);
        assert_ne!(ours.get_max_wasm_stack(), default.get_max_wasm_stack());
        assert!(ours.get_consume_fuel() && !default.get_consume_fuel());
        assert_eq!(ours.get_cranelift_nan_canonicalization(), Some(true));
        assert!(ours.get_relaxed_simd_deterministic());
        assert!(!ours.get_shared_memory());
    }
}

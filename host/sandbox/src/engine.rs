//! The engine profile: which parts of wasmtime are on, and the settings nobody remembers.

use casparian_core::limits::Limits;
use wasmtime::{Config, Engine, OptLevel, PoolingAllocationConfig};

/// What runs guests, for receipts. A test holds it to the lock file.
pub const ENGINE: &str = "wasmtime 48.0.8";

/// Builds the engine that every component is compiled for and runs in.
pub(crate) fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    Engine::new(&profile(limits))
}

/// Bytes of a guest's memory, and of each of its tables, that are wiped by copying when it is gone; what is past them goes back
/// to the kernel, and costs a fault for each page that is touched again. An interpreter with a program takes some 13 MB.
const MEMORY_BYTES_KEPT: usize = 64 << 20;
const TABLE_BYTES_KEPT: usize = 1 << 20;
/// Each keeps what it kept: a parser with many memories that fills another one for every input would find less and less room.
const MEMORIES_MAX: u32 = 4;
/// As much as a memory with 32-bit addresses can have.
const ADDRESSABLE_BYTES: u64 = 1 << 32;
/// What wasmtime keeps of an instance beside memories and tables. It is allocated as needed: this bounds nothing that is not
/// bounded before anything is compiled.
const INSTANCE_BYTES_MAX: usize = 1 << 30;

/// Builds an engine that runs the same code and keeps the addresses and pages of a guest that is gone for the next one. There
/// is room for so many guests at a time.
pub(crate) fn pooled_engine(limits: &Limits, guests: u32) -> wasmtime::Result<Engine> {
    let most = u32::try_from(limits.instances_max).unwrap_or(u32::MAX);
    let most_of_all = most.saturating_mul(guests);
    let elements = usize::try_from(limits.table_elements_max).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(guests)
        .total_core_instances(most_of_all)
        .total_memories(MEMORIES_MAX.saturating_mul(guests))
        .total_tables(most_of_all)
        .total_stacks(0)
        .max_memories_per_module(MEMORIES_MAX)
        // What does not fit is refused when it is loaded, and runs without a pool then.
        .max_core_instances_per_component(most)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(most)
        .max_tables_per_module(most)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .table_elements(elements)
        // What begins with more is refused when it is loaded: the machine must not be the one that says no.
        .max_memory_size(
            usize::try_from(limits.memory_bytes_max.min(ADDRESSABLE_BYTES)).unwrap_or(usize::MAX),
        )
        .linear_memory_keep_resident(MEMORY_BYTES_KEPT)
        .table_keep_resident(TABLE_BYTES_KEPT);
    let mut config = profile(limits);
    config.allocation_strategy(pool);
    Engine::new(&config)
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

    #[test]
    fn a_pool_changes_nothing_that_code_depends_on() {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let limits = Limits::default();
        let [plain, pooled] = [engine(&limits), pooled_engine(&limits, 1)].map(|engine| {
            let mut hasher = DefaultHasher::new();
            engine.expect("an engine").precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        });
        assert_eq!(plain, pooled);
    }
}

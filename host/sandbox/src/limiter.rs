//! Memory and tables: growth is refused, not fatal, and the refusal is remembered, so that what follows is blamed on it.

use casparian_core::limits::{LimitExceeded, Limits};
use wasmtime::ResourceLimiter;

/// Counts what a guest's memories and tables take.
#[derive(Debug)]
pub struct Limiter {
    memory_bytes: u64,
    memory_bytes_max: u64,
    memory_peak_bytes: u64,
    table_elements: u64,
    table_elements_max: u64,
    instances_max: usize,
    refused: Option<LimitExceeded>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes_max,
            memory_peak_bytes: 0,
            table_elements: 0,
            table_elements_max: limits.table_elements_max,
            instances_max: usize::try_from(limits.instances_max).unwrap_or(usize::MAX),
            refused: None,
        }
    }

    /// Returns the most that all memories had together, in bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak_bytes
    }

    /// Returns the last growth that was refused.
    pub fn refused(&self) -> Option<LimitExceeded> {
        self.refused
    }

    fn refuse(
        &mut self,
        name: &'static str,
        limit: u64,
        current: u64,
        wanted: u64,
    ) -> wasmtime::Result<bool> {
        self.refused = Some(LimitExceeded { name, limit, current, wanted });
        Ok(false)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = desired.saturating_sub(current) as u64;
        let total = self.memory_bytes.saturating_add(wanted);
        if total > self.memory_bytes_max {
            return self.refuse("memory bytes", self.memory_bytes_max, self.memory_bytes, wanted);
        }
        // What a guest got over is not what ends it later.
        self.refused = None;
        self.memory_bytes = total;
        self.memory_peak_bytes = self.memory_peak_bytes.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = desired.saturating_sub(current) as u64;
        let total = self.table_elements.saturating_add(wanted);
        if total > self.table_elements_max {
            return self.refuse("table elements", self.table_elements_max, self.table_elements, wanted);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    fn tables(&self) -> usize {
        self.instances_max
    }

    fn memories(&self) -> usize {
        self.instances_max
    }
}

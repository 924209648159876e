//! Memory and tables: growth is refused, not fatal, and the refusal is remembered, so that what follows is blamed on it. What the
//! machine refuses although it may be had is remembered, too, and is fatal: what a guest makes of it says nothing of its input.

use casparian_core::guest_text::GuestText;
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
    failure: Option<GuestText>,
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
            failure: None,
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

    /// Returns the first growth that the machine has failed to give, once.
    pub(crate) fn take_failure(&mut self) -> Option<GuestText> {
        self.failure.take()
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

    fn fail(&mut self, what: &str, error: &wasmtime::Error) {
        let why = GuestText::new(&format!("{what} did not grow: {error:#}"), 256);
        self.failure.get_or_insert(why);
    }
}

fn is_past(desired: usize, most: Option<usize>) -> bool {
    most.is_some_and(|most| desired > most)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = desired.saturating_sub(current) as u64;
        let total = self.memory_bytes.saturating_add(wanted);
        if total > self.memory_bytes_max {
            return self.refuse("memory bytes", self.memory_bytes_max, self.memory_bytes, wanted);
        }
        // A bound of the guest's own: nobody else refuses anything.
        if is_past(desired, most) {
            return Ok(false);
        }
        // What a guest got over is not what ends it later.
        self.refused = None;
        self.memory_bytes = total;
        self.memory_peak_bytes = self.memory_peak_bytes.max(total);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.fail("memory", &error);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = desired.saturating_sub(current) as u64;
        let total = self.table_elements.saturating_add(wanted);
        if total > self.table_elements_max {
            return self.refuse("table elements", self.table_elements_max, self.table_elements, wanted);
        }
        if is_past(desired, most) {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.fail("a table", &error);
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_fails_to_give_is_told_once_and_is_no_refusal() {
        let mut limiter = Limiter::new(&Limits::default());
        assert!(limiter.memory_growing(0, 65_536, None).expect("asked"));
        limiter.memory_grow_failed(wasmtime::Error::msg("Cannot allocate memory")).expect("heard");
        assert_eq!(limiter.refused(), None);
        let why = limiter.take_failure().expect("it failed");
        assert_eq!(why.raw(), "memory did not grow: Cannot allocate memory");
        assert_eq!(limiter.take_failure(), None);
    }

    #[test]
    fn a_bound_of_the_guests_own_is_nobodys_refusal() {
        let mut limiter = Limiter::new(&Limits::default());
        assert!(!limiter.memory_growing(0, 65_537, Some(65_536)).expect("asked"));
        assert!(!limiter.table_growing(0, 11, Some(10)).expect("asked"));
        assert_eq!((limiter.refused(), limiter.take_failure()), (None, None));
    }
}

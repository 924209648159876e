//! Every bound of a run, with its unit. What a stranger can make us do ends at one of these numbers.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fault::{Blame, Blamed};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// The bounds on what is read. In a receipt they stand where somebody has set them otherwise than usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputLimits {
    /// The input as it stands on disk.
    pub bytes_max: u64,
    /// A packed input once it is unpacked, and what is piped in.
    pub unpacked_bytes_max: u64,
    /// A packed input once it is unpacked, before its first packed byte.
    pub unpacked_bytes_base: u64,
    /// A packed input once it is unpacked, for every packed byte.
    pub unpacked_bytes_per_byte: u64,
}

impl Default for InputLimits {
    fn default() -> Self {
        Self {
            // Hashed within minutes. A file with holes in it may say that it is far larger.
            bytes_max: 1024 * GIB,
            unpacked_bytes_max: 16 * GIB,
            unpacked_bytes_base: 64 * MIB,
            // Logs reach 20 to 50, the dullest of them 100. Zeros reach 1,030 in gzip and 20,000 in zstd.
            unpacked_bytes_per_byte: 250,
        }
    }
}

impl InputLimits {
    /// Returns the most bytes that an input of `packed_bytes` may unpack to.
    pub fn unpacked_bytes(&self, packed_bytes: u64) -> u64 {
        let by_size = self.unpacked_bytes_per_byte.saturating_mul(packed_bytes);
        self.unpacked_bytes_base.saturating_add(by_size).min(self.unpacked_bytes_max)
    }

    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The bounds of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// What is read.
    #[serde(default, skip_serializing_if = "InputLimits::is_usual")]
    pub input: InputLimits,
    /// Fuel (wasmtime's unit, about one per wasm instruction) that a run may burn before its first input byte.
    pub fuel_base: u64,
    /// Fuel for every committed input byte, and for [`Limits::fuel_window_bytes`] bytes ahead of them.
    pub fuel_per_byte: u64,
    /// How far ahead of the watermark fuel is granted, in input bytes. What is left at a commit is never more than this is
    /// worth and the base, so that a record that spins cannot burn what the records before it saved.
    pub fuel_window_bytes: u64,
    /// How far behind the furthest byte read fuel is granted, in input bytes: a guest that reads on without a commit has work to
    /// do. A parser that commits as it goes never reads that far ahead.
    pub fuel_lag_bytes: u64,
    /// All linear memories of the guest together.
    pub memory_bytes_max: u64,
    /// The guest's call stack.
    pub stack_bytes_max: u64,
    /// Elements in all tables of the guest together.
    pub table_elements_max: u64,
    /// Core instances and memories that one component may be made of.
    pub instances_max: u64,
    /// Open resource handles of the guest.
    pub handles_max: u64,
    /// What one host call may carry out of the guest.
    pub hostcall_bytes_max: u64,
    /// Random bytes that one host call may ask for.
    pub random_bytes_max: u64,
    /// Wall-clock time of the whole run before its first input byte.
    pub deadline_base_ms: u64,
    /// Wall-clock time for every MiB of input.
    pub deadline_per_mib_ms: u64,
    /// One emitted batch.
    pub batch_bytes_max: u64,
    /// Rows of one emitted batch.
    pub batch_rows_max: u64,
    /// What the host asks guests to aim at for a batch.
    pub batch_bytes_wanted: u64,
    /// Batches of one run.
    pub batches_max: u64,
    /// Rows of one run, all tables together.
    pub output_rows_max: u64,
    /// Logical bytes of all rows before their first input byte.
    pub output_bytes_base: u64,
    /// Logical bytes of all rows for every input byte.
    pub output_bytes_per_byte: u64,
    /// Emitted and not yet committed, in logical bytes of rows and rejections.
    pub uncommitted_bytes_max: u64,
    /// Tables that one run may open.
    pub tables_max: u64,
    /// Records of one input that may kill the parser and be quarantined for it.
    pub killers_max: u64,
    /// Bytes of all those records.
    pub killer_bytes_max: u64,
    /// Traps of one input that the run goes on behind although no record by itself is to blame.
    pub restarts_max: u64,
    /// Log text of one run; a line counts for at least 64 bytes. Past it lines are dropped and counted.
    pub log_bytes_max: u64,
    /// One log line. Past it the line is cut.
    pub log_line_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: InputLimits::default(),
            fuel_base: 1_000_000_000,
            // An ordinary Rust parser burns about 80 a byte, a Python one 640.
            fuel_per_byte: 5_000,
            // With the base, less than two seconds for a record that spins.
            fuel_window_bytes: 256 * KIB,
            fuel_lag_bytes: MIB,
            memory_bytes_max: 256 * MIB,
            stack_bytes_max: MIB,
            table_elements_max: 100_000,
            // A language runtime may be made of dozens of core modules.
            instances_max: 64,
            handles_max: 64,
            hostcall_bytes_max: 16 * MIB + 64 * KIB,
            random_bytes_max: 64 * KIB,
            deadline_base_ms: 30_000,
            // 1 MiB/s is slower than the slowest parser we know.
            deadline_per_mib_ms: 1_000,
            batch_bytes_max: 16 * MIB,
            batch_rows_max: 1_000_000,
            // Four times as much would fall out of the caches between guard, judge and encoder, and cost more memory and time.
            batch_bytes_wanted: 256 * KIB,
            batches_max: 10_000_000,
            output_rows_max: 100_000_000_000,
            output_bytes_base: 64 * MIB,
            output_bytes_per_byte: 100,
            uncommitted_bytes_max: 64 * MIB,
            tables_max: 64,
            killers_max: 16,
            killer_bytes_max: MIB,
            restarts_max: 16,
            log_bytes_max: 10 * MIB,
            log_line_bytes_max: KIB,
        }
    }
}

impl Limits {
    /// Returns the fuel that an instance has to begin with, over an input of `input_bytes`. It is what a record that kills the
    /// parser is given by itself, and at no commit has an instance more.
    pub fn fuel_to_begin(&self, input_bytes: u64) -> u64 {
        self.fuel_for(self.fuel_window_bytes.min(input_bytes))
    }

    /// Returns the fuel for so many input bytes, with the base.
    pub fn fuel_for(&self, bytes: u64) -> u64 {
        self.fuel_base.saturating_add(self.fuel_per_byte.saturating_mul(bytes))
    }

    /// Returns how far into an input of `input_bytes` fuel is granted, where the watermark stands at `committed` and all before
    /// `read` has been read.
    pub fn fuel_reach(&self, committed: u64, read: u64, input_bytes: u64) -> u64 {
        let ahead = committed.saturating_add(self.fuel_window_bytes);
        ahead.max(read.saturating_sub(self.fuel_lag_bytes)).min(input_bytes)
    }

    /// Returns the wall-clock deadline for an input of `input_bytes`, in milliseconds.
    pub fn deadline_ms(&self, input_bytes: u64) -> u64 {
        let per_input = u128::from(self.deadline_per_mib_ms) * u128::from(input_bytes) / u128::from(MIB);
        self.deadline_base_ms.saturating_add(u64::try_from(per_input).unwrap_or(u64::MAX))
    }

    /// Returns the most logical bytes that the rows from an input of `input_bytes` may take.
    pub fn output_bytes_max(&self, input_bytes: u64) -> u64 {
        self.output_bytes_base.saturating_add(self.output_bytes_per_byte.saturating_mul(input_bytes))
    }

    /// Returns the most that any limit of memory may be set to. wasm32 ends here.
    pub const fn memory_bytes_ceiling() -> u64 {
        4 * GIB
    }
}

/// A bound was reached. One shape for all of them; `name` says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize)]
#[error("{name}: limit {limit}, used {current}, wanted {wanted} more")]
pub struct LimitExceeded {
    /// The bound, as people call it, with its unit: `memory bytes`.
    pub name: &'static str,
    /// The bound.
    pub limit: u64,
    /// What was in use when it was hit.
    pub current: u64,
    /// What was asked for on top.
    pub wanted: u64,
}

impl Blamed for LimitExceeded {
    fn blame(&self) -> Blame {
        Blame::Guest
    }

    fn code(&self) -> &'static str {
        match self.name {
            "fuel" => "fuel-exhausted",
            "memory bytes" => "memory-limit",
            "table elements" => "table-limit",
            "deadline ms" => "deadline-exceeded",
            "compile ms" => "compile-deadline-exceeded",
            "open handles" => "handle-limit",
            _ => "limit-exceeded",
        }
    }

    fn hint(&self) -> Option<String> {
        let flag = match self.name {
            "fuel" => "fuel",
            "memory bytes" => "memory",
            "deadline ms" => "time",
            "output bytes" | "output rows" => "output",
            _ => return None,
        };
        Some(format!("if the parser is trusted to need more, raise it: `--limit {flag}=…`"))
    }
}

/// What is left of the bounds on output. Spent batch by batch; nothing is given back.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Most bytes of one batch.
    pub batch_bytes_max: u64,
    /// Most rows of one batch.
    pub batch_rows_max: u64,
    batches: Meter,
    rows: Meter,
    bytes: Meter,
}

impl Budget {
    /// Opens the budget for an input of `input_bytes`.
    pub fn new(limits: &Limits, input_bytes: u64) -> Self {
        Self {
            batch_bytes_max: limits.batch_bytes_max,
            batch_rows_max: limits.batch_rows_max,
            batches: Meter::new("output batches", limits.batches_max),
            rows: Meter::new("output rows", limits.output_rows_max),
            bytes: Meter::new("output bytes", limits.output_bytes_max(input_bytes)),
        }
    }

    /// Pays for one batch, or refuses with the first bound that it would break. A refused batch costs nothing.
    pub fn spend(&mut self, rows: u64, bytes: u64) -> Result<(), LimitExceeded> {
        let batch = Meter::new("batch rows", self.batch_rows_max);
        batch.check(rows)?;
        Meter::new("batch bytes", self.batch_bytes_max).check(bytes)?;
        self.batches.check(1)?;
        self.rows.check(rows)?;
        self.bytes.check(bytes)?;
        self.batches.used += 1;
        self.rows.used += rows;
        self.bytes.used += bytes;
        Ok(())
    }
}

/// One bound and what of it is used. `used <= limit`.
#[derive(Debug, Clone)]
pub struct Meter {
    name: &'static str,
    limit: u64,
    used: u64,
}

impl Meter {
    /// Opens a meter at nothing used.
    pub const fn new(name: &'static str, limit: u64) -> Self {
        Self { name, limit, used: 0 }
    }

    /// Returns what is used.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Uses `wanted` more, or refuses and leaves the meter as it is.
    pub fn spend(&mut self, wanted: u64) -> Result<(), LimitExceeded> {
        self.check(wanted)?;
        self.used += wanted;
        Ok(())
    }

    /// Sets the meter back to nothing used.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    fn check(&self, wanted: u64) -> Result<(), LimitExceeded> {
        // `used <= limit` holds, so the difference cannot wrap.
        if wanted > self.limit - self.used {
            return Err(LimitExceeded { name: self.name, limit: self.limit, current: self.used, wanted });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_lets_the_last_unit_pass_and_refuses_the_next_with_its_numbers() {
        let mut meter = Meter::new("output rows", 10);
        assert_eq!(meter.spend(10), Ok(()));
        let refused = meter.spend(1).unwrap_err();
        assert_eq!(refused.to_string(), "output rows: limit 10, used 10, wanted 1 more");
    }

    #[test]
    fn what_may_be_unpacked_follows_the_packed_size_up_to_a_bound() {
        let limits = InputLimits::default();
        assert_eq!(limits.unpacked_bytes(0), 64 * MIB);
        assert_eq!(limits.unpacked_bytes(MIB), (64 + 250) * MIB);
        assert_eq!(limits.unpacked_bytes(u64::MAX), 16 * GIB);
    }

    #[test]
    fn bounds_on_the_input_are_written_down_where_they_are_not_the_usual_ones() {
        let written = |limits: &Limits| serde_json::to_string(limits).unwrap();
        assert!(!written(&Limits::default()).contains("unpacked"));
        let mut wider = Limits::default();
        wider.input.unpacked_bytes_max = 1;
        for limits in [Limits::default(), wider] {
            assert_eq!(serde_json::from_str::<Limits>(&written(&limits)).unwrap(), limits);
        }
    }

    #[test]
    fn a_refused_batch_costs_nothing() {
        let limits = Limits { output_rows_max: 5, ..Limits::default() };
        let mut budget = Budget::new(&limits, 0);
        assert!(budget.spend(6, 1).is_err());
        assert_eq!(budget.spend(5, 1), Ok(()));
    }

    #[test]
    fn fuel_follows_the_watermark_or_what_was_read_and_never_passes_the_whole_input() {
        let limits = Limits { fuel_window_bytes: 10, fuel_lag_bytes: 30, ..Limits::default() };
        assert_eq!(limits.fuel_reach(0, 0, 100), 10);
        assert_eq!(limits.fuel_reach(50, 60, 100), 60);
        assert_eq!(limits.fuel_reach(50, 95, 100), 65);
        assert_eq!(limits.fuel_reach(95, 100, 100), 100);
    }

    #[test]
    fn an_instance_begins_with_fuel_for_the_window_or_for_a_smaller_input() {
        let limits = Limits { fuel_base: 7, fuel_per_byte: 2, fuel_window_bytes: 10, ..Limits::default() };
        assert_eq!((limits.fuel_to_begin(100), limits.fuel_to_begin(3)), (27, 13));
    }
}

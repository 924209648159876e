//! Every bound of a run, with its unit. What a stranger can make us do ends at one of these numbers.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fault::{Blame, Blamed};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// What part of the base a search may burn for each stretch of records.
const SEARCH_SHARE: u64 = 4;
/// Most fields of all tables of a run, children counted. Files that are written keep 4 to 25 KiB for each, however few rows there
/// are: 230 MiB for two tables of 4,096.
pub const RUN_FIELDS_MAX: u64 = 8_192;
/// What the slowest machine that we know of burns in a millisecond.
const FUEL_PER_MS: u64 = 500_000;

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
    /// Fuel is granted for bytes that are read without a commit, too, but for so many of them: a guest that reads on has work
    /// to do. Only where nothing goes on behind a trap; elsewhere a record might burn in company what it may not alone.
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
    /// Emitted and not yet committed: what batches and rejections weigh, in bytes.
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
            // With the base, about a second for a record that spins.
            fuel_window_bytes: 64 * KIB,
            fuel_lag_bytes: 256 * KIB,
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
    /// Returns the fuel that an instance has to begin with, and that it never has more of at a commit.
    pub fn fuel_to_begin(&self) -> u64 {
        self.fuel_for(self.fuel_window_bytes)
    }

    /// Returns the fuel for records of so many bytes while a killer is looked for among them. Never more than in other company.
    pub fn fuel_in_search(&self, bytes: u64) -> u64 {
        let base = self.fuel_base / SEARCH_SHARE;
        base.saturating_add(self.fuel_per_byte.saturating_mul(bytes)).min(self.fuel_to_begin())
    }

    /// Returns the fuel for one record of so many bytes by itself. It is more than the record can have burnt in company: work on
    /// one record may lie on both sides of a commit, and what an instance does once it did for others.
    pub fn fuel_alone(&self, bytes: u64) -> u64 {
        let twice = self.fuel_to_begin().saturating_mul(2);
        let once = self.fuel_to_begin() / 4;
        twice.saturating_add(once).saturating_add(self.fuel_per_byte.saturating_mul(bytes))
    }

    /// Returns the fuel for so many input bytes, with the base.
    pub fn fuel_for(&self, bytes: u64) -> u64 {
        self.fuel_base.saturating_add(self.fuel_per_byte.saturating_mul(bytes))
    }

    /// Returns how far into an input of `input_bytes` fuel is granted, where the watermark stands at `committed` and so many
    /// bytes have been read since. A byte that is read again has been paid for.
    pub fn fuel_reach(&self, committed: u64, read_bytes: u64, input_bytes: u64) -> u64 {
        let read_bytes = read_bytes.min(input_bytes.saturating_sub(committed));
        let ahead = self.fuel_window_bytes.max(read_bytes.saturating_sub(self.fuel_lag_bytes));
        committed.saturating_add(ahead)
    }

    /// Returns whether reading an input of `input_bytes` can be worth any fuel: [`Limits::fuel_reach`] hangs on it.
    pub fn reading_is_worth_fuel(&self, input_bytes: u64) -> bool {
        self.fuel_reach(0, input_bytes, input_bytes) > self.fuel_reach(0, 0, input_bytes)
    }

    /// Returns the wall-clock deadline for an input of `input_bytes`, in milliseconds.
    pub fn deadline_ms(&self, input_bytes: u64) -> u64 {
        let per_input = u128::from(self.deadline_per_mib_ms) * u128::from(input_bytes) / u128::from(MIB);
        self.deadline_base_ms.saturating_add(u64::try_from(per_input).unwrap_or(u64::MAX))
    }

    /// Returns the wall-clock time that a run may take longer for each record that killed the parser, in milliseconds: what such
    /// records burn has nothing to do with the size of the input. A deadline that somebody has set is absolute.
    pub fn deadline_per_killer_ms(&self) -> u64 {
        let fuel = self.fuel_to_begin().saturating_mul(2).saturating_add(self.fuel_alone(0));
        if self.deadline_per_mib_ms == 0 { 0 } else { fuel / FUEL_PER_MS }
    }

    /// Returns these bounds, but where a verdict hangs on one of them, as `decided` has it. An error names the first that
    /// `decided` has higher: nobody else says how much of this machine may be had. The deadline does not decide.
    pub fn deciding_as(&self, decided: &Self) -> Result<Self, LimitExceeded> {
        let bounds = [
            ("fuel", self.fuel_base, decided.fuel_base),
            ("fuel", self.fuel_per_byte, decided.fuel_per_byte),
            ("bytes ahead that fuel is granted for", self.fuel_window_bytes, decided.fuel_window_bytes),
            ("memory bytes", self.memory_bytes_max, decided.memory_bytes_max),
            ("stack bytes", self.stack_bytes_max, decided.stack_bytes_max),
            ("table elements", self.table_elements_max, decided.table_elements_max),
            ("open handles", self.handles_max, decided.handles_max),
            ("host call bytes", self.hostcall_bytes_max, decided.hostcall_bytes_max),
            ("killers", self.killers_max, decided.killers_max),
            ("bytes of killers", self.killer_bytes_max, decided.killer_bytes_max),
        ];
        if let Some((name, limit, wanted)) = bounds.into_iter().find(|(_, own, wanted)| wanted > own) {
            return Err(LimitExceeded { name, limit, current: 0, wanted });
        }
        // The less of reading on is not paid for, the more is.
        if decided.fuel_lag_bytes < self.fuel_lag_bytes {
            let (limit, wanted) = (self.fuel_lag_bytes, decided.fuel_lag_bytes);
            let name = "bytes read before fuel is granted for more (at least)";
            return Err(LimitExceeded { name, limit, current: 0, wanted });
        }
        Ok(Self {
            fuel_base: decided.fuel_base,
            fuel_per_byte: decided.fuel_per_byte,
            fuel_window_bytes: decided.fuel_window_bytes,
            fuel_lag_bytes: decided.fuel_lag_bytes,
            memory_bytes_max: decided.memory_bytes_max,
            stack_bytes_max: decided.stack_bytes_max,
            table_elements_max: decided.table_elements_max,
            handles_max: decided.handles_max,
            hostcall_bytes_max: decided.hostcall_bytes_max,
            killers_max: decided.killers_max,
            killer_bytes_max: decided.killer_bytes_max,
            ..self.clone()
        })
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

/// What is left of the bounds on output. Spent batch by batch; what a guest said before it trapped is given back.
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

    /// Returns what has been used.
    pub fn spent(&self) -> Spent {
        Spent { batches: self.batches.used, rows: self.rows.used, bytes: self.bytes.used }
    }

    /// Gives back what was used for what is as if never said.
    pub fn give_back(&mut self, spent: Spent) {
        self.batches.give_back(spent.batches);
        self.rows.give_back(spent.rows);
        self.bytes.give_back(spent.bytes);
    }
}

/// What has been used of the bounds on output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    batches: u64,
    rows: u64,
    bytes: u64,
}

impl Spent {
    /// Returns both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            batches: self.batches.saturating_add(other.batches),
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Returns what has been used since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            batches: self.batches.saturating_sub(before.batches),
            rows: self.rows.saturating_sub(before.rows),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
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

    /// Gives back what was used.
    pub fn give_back(&mut self, used: u64) {
        self.used = self.used.saturating_sub(used);
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
    fn nobody_else_says_how_far_ahead_fuel_is_granted() {
        let own = Limits::default();
        let with = |window: u64, lag: u64| {
            let (fuel_window_bytes, fuel_lag_bytes) =
                (own.fuel_window_bytes + window, own.fuel_lag_bytes - 1 + lag);
            own.deciding_as(&Limits { fuel_window_bytes, fuel_lag_bytes, ..own.clone() })
        };
        assert!(with(1, 1).is_err() && with(0, 0).is_err());
        assert_eq!(with(0, 2).map(|decided| decided.fuel_lag_bytes), Ok(own.fuel_lag_bytes + 1));
    }

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
    fn bounds_that_decide_are_those_of_the_other_unless_they_are_higher() {
        let own = Limits { deadline_base_ms: 7, ..Limits::default() };
        let decided = Limits { fuel_base: 5, memory_bytes_max: 6, deadline_base_ms: 8, ..Limits::default() };
        let both = own.deciding_as(&decided).unwrap();
        assert_eq!((both.fuel_base, both.memory_bytes_max, both.deadline_base_ms), (5, 6, 7));
        let refused = decided.deciding_as(&own).unwrap_err();
        assert_eq!((refused.name, refused.limit, refused.wanted), ("fuel", 5, 1_000_000_000));
    }

    #[test]
    fn a_deadline_that_somebody_has_set_is_not_prolonged() {
        assert!((5_000..60_000).contains(&Limits::default().deadline_per_killer_ms()));
        let set = Limits { deadline_per_mib_ms: 0, ..Limits::default() };
        assert_eq!(set.deadline_per_killer_ms(), 0);
    }

    #[test]
    fn fuel_follows_the_watermark_or_what_was_read_since_and_never_passes_the_input() {
        let limits = Limits { fuel_window_bytes: 10, fuel_lag_bytes: 30, ..Limits::default() };
        assert_eq!(limits.fuel_reach(0, 0, 100), 10);
        assert_eq!(limits.fuel_reach(50, 20, 100), 60);
        assert_eq!(limits.fuel_reach(50, 45, 100), 65);
        assert_eq!(limits.fuel_reach(50, u64::MAX, 100), 70);
        assert_eq!([40, 41].map(|bytes| limits.reading_is_worth_fuel(bytes)), [false, true]);
    }

    proptest::proptest! {
        #[test]
        fn whoever_is_alone_has_more_than_any_two_stretches_in_company(
            fuel_base in 0..u64::MAX / 64, fuel_per_byte in 0..1_000_000_u64, bytes in 0..u64::MAX / (1 << 30), own in 0..1000_u64
        ) {
            let limits = Limits { fuel_base, fuel_per_byte, ..Limits::default() };
            proptest::prop_assert!(limits.fuel_in_search(bytes) <= limits.fuel_to_begin());
            proptest::prop_assert!(limits.fuel_alone(own) >= 2 * limits.fuel_to_begin());
        }
    }
}

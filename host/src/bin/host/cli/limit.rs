//! `--limit`: the bounds that a person may set, in the units that people write.

use std::path::Path;

use casparian_core::limits::Limits;
use casparian_host::program;

/// One bound, as it was typed. Units are settled; the bound is not yet in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitSetting {
    key: LimitKey,
    value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LimitKey {
    Fuel,
    Memory,
    Time,
    Output,
    Log,
    Input,
    Unpacked,
}

/// What `--help` says about it.
pub(super) const HELP: &str = "\
Bounds for a run, instead of the usual ones: `fuel=2G` (about one per instruction, from one commit to the next), `memory=512MiB` (at most \
4GiB), `time=30s`, `output=10GB` (all rows together), `log=1MiB`; and for the input: `input=2TiB` as it stands on disk, \
`unpacked=50GB` once unpacked or piped in. Counts and sizes take K, M, G, T (powers of 1000) \
and, sizes, KiB, MiB, GiB, TiB (of 1024); times take ms, s, m, h";

/// A year. Deadlines are added to clocks, which end somewhere.
const TIME_MS_MAX: u64 = 366 * 24 * 3_600_000;

const KEYS: [(&str, LimitKey); 7] = [
    ("fuel", LimitKey::Fuel),
    ("memory", LimitKey::Memory),
    ("time", LimitKey::Time),
    ("output", LimitKey::Output),
    ("log", LimitKey::Log),
    ("input", LimitKey::Input),
    ("unpacked", LimitKey::Unpacked),
];

const COUNTS: [(&str, u64); 5] =
    [("", 1), ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000)];

const SIZES: [(&str, u64); 14] = [
    ("", 1),
    ("B", 1),
    ("K", 1_000),
    ("KB", 1_000),
    ("M", 1_000_000),
    ("MB", 1_000_000),
    ("G", 1_000_000_000),
    ("GB", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const TIMES: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads `key=value`. The error says what would be accepted.
pub(super) fn parse(text: &str) -> Result<LimitSetting, String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("not `key=value`; {}", known_keys()))?;
    let (_, key) = KEYS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("there is no limit `{name}`; {}", known_keys()))?;
    let value = quantity(value, key.units()).map_err(|why| format!("{why}; {}", key.accepted()))?;
    key.check(value)?;
    Ok(LimitSetting { key: *key, value })
}

/// Returns the usual bounds with `settings` in force. Fails where one bound is set twice.
#[cfg(test)]
fn apply(settings: &[LimitSetting]) -> Result<Limits, String> {
    apply_to(Limits::default(), settings)
}

/// Returns the bounds that are usual for a parser with `settings` in force. Fails where one bound is set twice.
pub(super) fn apply_for(parser: Option<&Path>, settings: &[LimitSetting]) -> Result<Limits, String> {
    let usual = if parser.is_some_and(program::is_program) { program::limits() } else { Limits::default() };
    apply_to(usual, settings)
}

fn apply_to(mut limits: Limits, settings: &[LimitSetting]) -> Result<Limits, String> {
    for (at, setting) in settings.iter().enumerate() {
        if settings.iter().take(at).any(|earlier| earlier.key == setting.key) {
            return Err(format!("`--limit {}=` is given twice", setting.key.name()));
        }
        setting.put_into(&mut limits);
    }
    Ok(limits)
}

impl LimitSetting {
    fn put_into(self, limits: &mut Limits) {
        match self.key {
            // Absolute: a person who names a number means that number, whatever the input's size.
            LimitKey::Fuel => (limits.fuel_base, limits.fuel_per_byte) = (self.value, 0),
            LimitKey::Time => (limits.deadline_base_ms, limits.deadline_per_mib_ms) = (self.value, 0),
            LimitKey::Output => (limits.output_bytes_base, limits.output_bytes_per_byte) = (self.value, 0),
            LimitKey::Memory => limits.memory_bytes_max = self.value,
            LimitKey::Log => limits.log_bytes_max = self.value,
            LimitKey::Input => limits.input.bytes_max = self.value,
            LimitKey::Unpacked => {
                let input = &mut limits.input;
                (input.unpacked_bytes_max, input.unpacked_bytes_base) = (self.value, self.value);
                input.unpacked_bytes_per_byte = 0;
            }
        }
    }
}

impl LimitKey {
    fn name(self) -> &'static str {
        KEYS.iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }

    fn units(self) -> &'static [(&'static str, u64)] {
        match self {
            LimitKey::Fuel => &COUNTS,
            LimitKey::Time => &TIMES,
            _ => &SIZES,
        }
    }

    fn accepted(self) -> &'static str {
        match self {
            LimitKey::Fuel => "fuel is a count such as 500M, 2G or 1500000",
            LimitKey::Time => "time is such as 500ms, 30s, 2m or 1h",
            LimitKey::Memory => "memory is a size such as 64MiB, 512M or 1GiB",
            LimitKey::Output => "output is a size such as 500MB, 10G or 1TiB",
            LimitKey::Log => "log is a size such as 64KiB or 10M",
            LimitKey::Input => "input is a size such as 500GB or 2TiB",
            LimitKey::Unpacked => "unpacked is a size such as 500MB or 50GiB",
        }
    }

    fn check(self, value: u64) -> Result<(), String> {
        let ceiling = Limits::memory_bytes_ceiling();
        match self {
            LimitKey::Memory if value > ceiling => Err(format!(
                "memory of {value} bytes is more than a 32-bit parser can have ({ceiling} bytes, 4GiB)"
            )),
            LimitKey::Time if value > TIME_MS_MAX => {
                Err(format!("time of {value} ms is more than a year ({TIME_MS_MAX} ms), which no run needs"))
            }
            LimitKey::Fuel | LimitKey::Time | LimitKey::Memory if value == 0 => {
                Err(format!("with a {} of 0 no parser can begin; {}", self.name(), self.accepted()))
            }
            _ => Ok(()),
        }
    }
}

fn known_keys() -> String {
    let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    format!("the limits are {}", names.join(", "))
}

/// Reads a decimal number with a unit. Exact: `1.5K` is 1500, and `1.0005K` is refused.
fn quantity(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor);
    let factor = factor.ok_or_else(|| format!("`{text}` has no unit that fits"))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let not_a_number = || format!("`{text}` is not a number with a unit");
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).map_err(|_| not_a_number())?);
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || fraction.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_a_number());
    }
    let too_large = || format!("`{text}` is more than {}", u64::MAX);
    let scaled =
        digits.parse::<u128>().ok().and_then(|n| n.checked_mul(factor.into())).ok_or_else(too_large)?;
    let scale = scale.ok_or_else(not_a_number)?;
    if scaled % scale != 0 {
        return Err(format!("`{text}` is not a whole number of units"));
    }
    u64::try_from(scaled / scale).map_err(|_| too_large())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> u64 {
        parse(text).unwrap().value
    }

    #[test]
    fn every_suffix_means_what_it_says() {
        let sizes = [
            ("7", 7),
            ("7B", 7),
            ("7K", 7_000),
            ("7kB", 7_000),
            ("7M", 7_000_000),
            ("7MB", 7_000_000),
            ("7G", 7_000_000_000),
            ("7GB", 7_000_000_000),
            ("7T", 7_000_000_000_000),
            ("7TB", 7_000_000_000_000),
            ("7KiB", 7 << 10),
            ("7mib", 7 << 20),
            ("7GiB", 7 << 30),
            ("7TiB", 7 << 40),
        ];
        for (text, bytes) in sizes {
            assert_eq!(value(&format!("output={text}")), bytes, "{text}");
        }
        let times = [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000), ("1.5s", 1_500)];
        for (text, ms) in times {
            assert_eq!(value(&format!("time={text}")), ms, "{text}");
        }
        for (text, fuel) in [("1500000", 1_500_000), ("2G", 2_000_000_000), ("1.5T", 1_500_000_000_000)] {
            assert_eq!(value(&format!("fuel={text}")), fuel, "{text}");
        }
    }

    #[test]
    fn what_overflows_is_refused_at_the_edge() {
        assert_eq!(value("fuel=18446744073709551615"), u64::MAX);
        for text in [
            "fuel=18446744073709551616",
            "output=16777216TiB",
            "time=5124095576031h",
            "time=8785h",
            "log=9e9",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(
            parse(&format!("fuel={}", "9".repeat(60)))
                .unwrap_err()
                .contains("more than 18446744073709551615")
        );
        assert!(parse(&format!("fuel=1.{}", "0".repeat(60))).is_err());
    }

    #[test]
    fn an_error_says_what_would_be_accepted() {
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(
            refused("fuel"),
            "not `key=value`; the limits are fuel, memory, time, output, log, input, unpacked"
        );
        assert_eq!(
            refused("cpu=1"),
            "there is no limit `cpu`; the limits are fuel, memory, time, output, log, input, unpacked"
        );
        assert_eq!(refused("time=30"), "`30` has no unit that fits; time is such as 500ms, 30s, 2m or 1h");
        assert_eq!(
            refused("memory=-1"),
            "`-1` has no unit that fits; memory is a size such as 64MiB, 512M or 1GiB"
        );
        assert_eq!(
            refused("fuel=1.0005K"),
            "`1.0005K` is not a whole number of units; fuel is a count such as 500M, 2G or 1500000"
        );
        assert!(refused("fuel=1KiB").starts_with("`1KiB` has no unit that fits"));
        for text in ["fuel=", "fuel=.", "fuel=.5G", "fuel=5.G", "fuel=1.2.3", "time=s", "memory= 1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_more_memory_than_a_32_bit_parser_can_have() {
        assert_eq!(value("memory=4GiB"), 4 << 30);
        assert!(parse("memory=5GiB").unwrap_err().contains("4294967296"));
        assert!(parse("memory=0").is_err());
    }

    #[test]
    fn a_budget_that_a_person_sets_is_absolute() {
        let limits = apply(&["fuel=5", "time=1s", "output=9"].map(|text| parse(text).unwrap())).unwrap();
        assert_eq!(limits.fuel_to_begin(), 5);
        assert_eq!(limits.deadline_ms(1 << 40), 1_000);
        assert_eq!(limits.output_bytes_max(1 << 40), 9);
        assert_eq!(limits.memory_bytes_max, Limits::default().memory_bytes_max);
    }

    #[test]
    fn one_limit_given_twice_is_refused() {
        let twice = ["log=1K", "log=2K"].map(|text| parse(text).unwrap());
        assert_eq!(apply(&twice).unwrap_err(), "`--limit log=` is given twice");
    }
}

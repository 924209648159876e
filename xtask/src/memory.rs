//! `memory`: what memory the host takes throughout the suite. The suite weighs every call that it waits for; here it is told.

use std::path::Path;

use crate::Outcome;
use crate::command::{cargo, run};
use crate::guests;
use crate::suite::build_host;
use crate::workspace::{host_target, make_folder, read, write};

/// How many of the heaviest calls are told.
const TOLD: usize = 10;
const MIB: u64 = 1 << 20;

/// Runs the suite and prints its heaviest calls, most of what guests have not to answer for first.
pub(crate) fn run_all(root: &Path, filter: &[String]) -> Outcome {
    guests::build(root, &[])?;
    build_host()?;
    let weights = host_target(root).join("memory");
    make_folder(&weights)?;
    let file = weights.join("weights");
    write(&file, b"")?;
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace", "--test", "suite", "--no-fail-fast", "--"]).args(filter);
    let outcome = run(tests.env("CASPARIAN_MEMORY", &file));
    tell(&String::from_utf8_lossy(&read(&file)?))?;
    outcome
}

/// What a call weighed, in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Weight<'a> {
    largest: u64,
    together: u64,
    /// What each of its guests had at most, or might have had where nobody says.
    guest: u64,
    guests: u64,
    test: &'a str,
}

impl<'a> Weight<'a> {
    /// Reads a line of the suite's: largest process, all together, what a guest may have, what it had, guests, test, words.
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut next = || words.next();
        let (largest, together) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (may, had) = (next()?.parse().ok()?, next()?);
        let (guests, test) = (next()?.parse().ok()?, next()?);
        Some(Self { largest, together, guest: had.parse().unwrap_or(may), guests, test })
    }

    fn over(&self) -> u64 {
        self.largest.saturating_sub(self.guest.saturating_mul(self.guests))
    }
}

fn tell(lines: &str) -> Outcome {
    let mut weights = Vec::new();
    for line in lines.lines() {
        weights.push(Weight::read(line).ok_or_else(|| format!("no weight: {line}"))?);
    }
    weights.sort_by_key(|weight| std::cmp::Reverse((weight.over(), weight.largest)));
    println!(
        "{} calls; MiB besides their guests, of the largest process, and of all together:",
        weights.len()
    );
    for weight in weights.iter().take(TOLD) {
        let [over, largest, together] =
            [weight.over(), weight.largest, weight.together].map(|bytes| bytes / MIB);
        let Weight { guest, guests, test, .. } = weight;
        println!("{over:>5} {largest:>5} {together:>5}  {guests} x {} MiB  {test}", guest / MIB);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_weighs_what_its_guests_have_not_to_answer_for() {
        let weight = Weight::read("700 900 400 100 2 evil::grow `host run evil.wasm`").expect("a weight");
        let found = (weight.over(), weight.together, weight.test);
        assert_eq!(found, (500, 900, "evil::grow"));
        let silent = Weight::read("700 900 400 - 1 evil::grow `host inspect`").expect("a weight");
        assert_eq!(silent.over(), 300, "what it may have is what it had, for all that is known");
        assert_eq!(Weight::read("700 900"), None);
    }
}

//! `test`: all tests of the workspace, over freshly built guests and the binary that people run.

use crate::Outcome;
use crate::command::{cargo, run, run_watched};
use crate::guests;
use crate::python;
use crate::sdk_python;
use std::path::Path;

/// Builds the host as tests and benches use it.
///
/// Always `--workspace`, and always the release profile: cargo unites the features of what it is asked for, so another
/// selection (`-p casparian-host`) would build wasmtime, the work of minutes, a second time with other features.
/// `--bins`, for a guest is no library of this machine.
pub(crate) fn build_host() -> Outcome {
    run(cargo().args(["build", "--release", "--workspace", "--bins"]))
}

/// Runs every test and prints how many there were.
pub(crate) fn run_all(root: &Path) -> Outcome {
    guests::build(root, &[])?;
    build_host()?;
    sdk_python::test(root, &[])?;
    // Where the suite looks for it, whatever the target folder of this machine is.
    let verifier = root.join("target/venv-verifier");
    python::environment(&verifier, &root.join("tests/verifier/requirements.txt"))?;
    let mut totals = Totals::default();
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace", "--no-fail-fast"]);
    let outcome = run_watched(&mut tests, |line| totals.add(line));
    let Totals { binaries, passed, failed, ignored } = totals;
    println!("total: {passed} passed, {failed} failed, {ignored} ignored, in {binaries} test binaries");
    outcome
}

#[derive(Debug, Default, PartialEq)]
struct Totals {
    binaries: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Totals {
    /// Adds what a line says, if it is a summary: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.binaries += 1;
        for count in counts.split("; ") {
            match count.split_once(' ').map(|(number, what)| (number.parse().unwrap_or(0), what)) {
                Some((number, "passed")) => self.passed += number,
                Some((number, "failed")) => self.failed += number,
                Some((number, "ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_added_up_and_other_lines_are_not() {
        let mut totals = Totals::default();
        totals.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        totals.add("test a_result_of_4_passed ... ok");
        totals.add("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s");
        assert_eq!(totals, Totals { binaries: 2, passed: 5, failed: 5, ignored: 1 });
    }
}

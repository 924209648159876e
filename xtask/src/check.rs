//! `check`: what can be said of the sources without running them.

use crate::Outcome;
use crate::command::{answers, cargo, run};
use crate::{machine_paths, wit_lock};
use std::path::Path;

/// Runs every check, the quick ones first, and stops at the first that fails.
pub(crate) fn run_all(root: &Path) -> Outcome {
    wit_lock::check(root)?;
    machine_paths::check(root)?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    licences()?;
    run(cargo().args(["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Licences, sources and bans of dependencies. cargo-deny is not something that we install for people: where it is
/// missing the check says that it did not run.
fn licences() -> Outcome {
    if !answers(cargo().args(["deny", "--version"])) {
        println!("licences and sources of dependencies: NOT CHECKED, cargo-deny is not installed");
        return Ok(());
    }
    // Not advisories: they need the network, and change while the sources stand still.
    run(cargo().args(["deny", "--workspace", "check", "bans", "licenses", "sources"]))
}

//! `contracts`: what others say of our contracts. Every contract of the repository that we read must pass the linter of the
//! standard that it is written in.
//!
//! The linter is a program in Python with its pinned packages, kept under `target/` and made anew when the pins change.

use crate::Outcome;
use crate::command::run_unseen;
use crate::python;
use crate::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

const PINS: &str = "tests/contracts/requirements.txt";
const LINTER: &str = "tests/contracts/lint.py";
/// Files that are wrong on purpose.
const REFUSED: &str = "docs/spec/vectors/contract/refused";

/// Lints every contract.
pub(crate) fn lint(root: &Path) -> Outcome {
    let contracts = contracts(root)?;
    let python = python(root)?;
    eprintln!("$ python {LINTER} ({} contracts)", contracts.len());
    // Isolated: neither the caller's folder nor the caller's own packages are looked into.
    run_unseen(Command::new(python).arg("-I").arg(LINTER).args(contracts))
}

fn contracts(root: &Path) -> Outcome<Vec<PathBuf>> {
    let mut contracts = workspace::tracked(root, true)?;
    contracts.retain(|path| is_contract(path) && !path.starts_with(REFUSED));
    Ok(contracts)
}

fn is_contract(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".odcs.yaml")
}

/// Returns the Python that has the linter, after making it where it is missing or has other pins.
fn python(root: &Path) -> Outcome<PathBuf> {
    python::environment(&workspace::host_target(root).join("contracts-linter"), &root.join(PINS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_are_found_and_the_wrong_ones_left_out() {
        let found = contracts(&workspace::root().unwrap()).unwrap();
        assert!(found.iter().any(|path| path.ends_with("fills.odcs.yaml")), "{found:?}");
        assert!(found.iter().all(|path| !path.starts_with(REFUSED)), "{found:?}");
    }
}

//! `sweep`: a fault at every system call of a run. `test` tries some of them, this all.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::command::{answers, cargo, run};
use crate::guests;
use crate::suite::build_host;

/// Tries every point. Without `strace` nothing is tried, which is a failure here.
pub(crate) fn run_all(root: &Path) -> Outcome {
    if !answers(Command::new("strace").arg("--version")) {
        return Err("strace is not installed: `apt-get install strace`".to_owned());
    }
    guests::build(root, &["evil".to_owned(), "hello_parser".to_owned()])?;
    build_host()?;
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace", "--test", "suite", "s_02_"]);
    run(tests.env("CASPARIAN_SWEEP", "whole"))
}

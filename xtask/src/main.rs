//! All chores of the repository: `cargo xtask` lists them. CI calls the same ones.
//!
//! Rust and nothing else, so that a machine that can build the project can also run its chores. One module a chore; what
//! they share is `command` (running programs) and `workspace` (where things stand).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for people at a terminal")]

mod bench;
mod check;
mod command;
mod contract_section;
mod contracts;
mod debian;
mod demo;
mod docs;
mod fuzz;
mod guests;
mod machine_paths;
mod memory;
mod one_module;
mod python;
mod python_runtime;
mod python_speed;
mod reproducible;
mod rustc;
mod sdk_python;
mod site;
mod suite;
mod sweep;
mod toolchain;
mod wit_lock;
mod workspace;

use std::process::ExitCode;

/// What a chore comes to. A failure is a sentence for the person who called it, with the file or command it is about.
pub(crate) type Outcome<T = ()> = Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask CHORE

  demo                  build everything, run the FIX parser on its demo log, show what was written
  guests [NAME…]        build parsers into target/guests/NAME.wasm
  test                  every test there is; CASPARIAN_DATA names a folder of real files to use as well
  python [ARG…]         the SDK for Python: types and tests; arguments are those of pytest
  check                 format, lints, version of the interface, licences, paths
  check --bless-wit     write wit/LOCK after the version in wit/world.wit was raised
  check --reproducible  build the parsers twice, in two places, and compare
  bench [ARG…]          the benchmarks; arguments are theirs
  fuzz [TARGET…] [--seconds N] [--keep]
                        fuzz the doors for strangers' bytes, a minute each; --keep stores what was found
  memory [FILTER…]      what memory the host takes throughout the suite, the heaviest calls of it
  sweep                 a fault at every system call of a run; needs strace
  contracts             lint every contract with the linter of the standard (Python, from the network once)
  docs [--check]        write docs/cli.md from the help texts, or only compare";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match chore(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn chore(args: &[String]) -> Outcome {
    let root = workspace::enter()?;
    let (name, rest) = args.split_first().ok_or(USAGE)?;
    let rest_words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (name.as_str(), rest_words.as_slice()) {
        ("guests", _) => guests::build(&root, rest),
        ("bench", _) => bench::run_all(&root, rest),
        ("memory", _) => memory::run_all(&root, rest),
        ("sweep", []) => sweep::run_all(&root),
        ("fuzz", _) => fuzz::run_all(&root, rest),
        ("demo", []) => demo::run_demo(&root),
        ("python", _) => sdk_python::test(&root, rest),
        ("test", []) => suite::run_all(&root),
        ("check", []) => check::run_all(&root),
        ("check", ["--bless-wit"]) => wit_lock::bless(&root),
        ("check", ["--reproducible"]) => reproducible::run(&root),
        ("contracts", []) => contracts::lint(&root),
        ("docs", []) => docs::write(&root),
        ("docs", ["--check"]) => docs::compare(&root),
        _ => Err(format!("not a chore: {}\n\n{USAGE}", args.join(" "))),
    }
}

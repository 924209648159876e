//! What is fuzzed, bounded: every stored input, and some thousand changes of them that are the same on every machine.
//! `CASPARIAN_FUZZ_RUNS=n` tries n changes of each target. `cargo xtask fuzz` looks at coverage and goes on for longer.

use std::panic;

use casparian_fuzz::{Mutations, TARGETS, target};

/// Changes for each target, and for those that compile each of them.
const RUNS: usize = 4000;
const RUNS_COMPILED: usize = 40;

#[track_caller]
fn run(name: &str) {
    run_some(name, RUNS);
}

#[track_caller]
fn run_some(name: &str, usual: usize) {
    let target = target(name).unwrap_or_else(|| panic!("there is a target {name}"));
    let corpus = target.corpus();
    assert!(corpus.len() > 2, "{name} has nothing to begin with");
    let runs = std::env::var("CASPARIAN_FUZZ_RUNS").map_or(usual, |runs| runs.parse().expect("a number"));
    let changed = Mutations::new(&corpus, target.bytes_max, 1).take(runs);
    for input in corpus.iter().cloned().chain(changed) {
        if panic::catch_unwind(|| (target.run)(&input)).is_err() {
            let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("{name} does not hold for {digits}");
        }
    }
}

#[test]
fn every_schema_is_read_as_arrow_reads_it_or_refused() {
    run("wire_schema");
}

#[test]
fn every_batch_is_read_as_arrow_reads_it_or_refused() {
    run("wire_batch");
}

#[test]
fn every_contract_is_read_or_refused_in_words() {
    run("contract");
}

#[test]
fn every_rule_has_a_canonical_form_that_reads_as_itself() {
    run("expression");
}

#[test]
fn every_name_is_cut_and_shown_escaped() {
    run("names");
}

#[test]
fn every_receipt_is_read_as_it_was_written_or_refused() {
    run("receipt");
}

#[test]
fn every_component_is_looked_at_or_refused() {
    run("precheck");
}

#[test]
fn every_contract_that_is_put_into_a_component_is_found() {
    run("section");
}

#[test]
fn every_bundle_is_the_one_that_would_be_written() {
    run("bundle");
}

#[test]
fn every_word_of_a_worker_is_understood_or_refused() {
    run("news");
}

#[test]
fn every_packed_input_is_unpacked_within_its_bounds_or_refused() {
    run("packing");
}

#[test]
fn every_generated_parser_ends_well_or_by_a_fault_of_its_own() {
    run_some("guest", RUNS_COMPILED);
}

#[test]
fn every_generated_component_that_is_no_parser_is_refused() {
    run_some("stranger", RUNS_COMPILED);
}

#[test]
fn every_target_is_run() {
    let tests = std::fs::read_to_string(crate::host::root().join("tests/suite/fuzz.rs")).expect("this file");
    for target in TARGETS {
        let is_run = |call: &str| tests.contains(&format!("{call}(\"{}\"", target.name));
        assert!(is_run("run") || is_run("run_some"), "nothing runs {}", target.name);
    }
}

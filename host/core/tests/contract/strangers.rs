//! Contracts from strangers: nothing in a file makes its reader panic, or work without end.

use std::fs;
use std::path::Path;

use casparian_core::contract::odcs::{self, BYTES_MAX, ContractFaults, FAULTS_MAX};
use casparian_core::contract::text::Pattern;
use proptest::prelude::*;

const HEAD: &str = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: '1'\nstatus: draft\n";

/// Reads what must be refused.
#[track_caller]
fn refused(yaml: &str) -> ContractFaults {
    match odcs::read(yaml.as_bytes()) {
        Ok(read) => panic!("{} bytes are read as {:.200?}", yaml.len(), read.contract),
        Err(faults) => faults,
    }
}

#[track_caller]
fn code(yaml: &str) -> &'static str {
    refused(yaml).faults()[0].code
}

#[test]
fn k_03_a_million_open_brackets_are_refused() {
    for open in ["[", "{", "[{", "? [", "a: ["] {
        refused(&open.repeat(BYTES_MAX / open.len()));
    }
}

#[test]
fn k_03_keys_that_close_late_are_refused() {
    refused(&format!("{}{}{}", "[".repeat(250), "a,".repeat(400_000), "]: x,".repeat(250)));
}

#[test]
fn k_03_depth_ends_where_it_is_said_to_end() {
    for step in ["- ", "? ", "- - - "] {
        assert_eq!(code(&step.repeat(10_000)), "too-deep", "{step:?}");
    }
}

#[test]
fn a_file_of_more_than_the_bound_is_not_looked_at() {
    assert_eq!(code(&"#".repeat(BYTES_MAX + 1)), "too-large");
    assert_eq!(code(&"#".repeat(BYTES_MAX)), "empty");
}

#[test]
fn k_03_aliases_never_multiply() {
    let mut bomb = String::from("a: &a [x, x]\n");
    for (name, of) in ('b'..='z').zip('a'..='y') {
        bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(", "));
    }
    assert!(refused(&bomb).faults().iter().any(|fault| fault.code == "alias"));
}

#[test]
fn a_flood_of_faults_is_counted_and_cut() {
    let unknown: String = (0..50_000).map(|number| format!("key{number}: x\n")).collect();
    let faults = refused(&format!("{HEAD}schema: []\n{unknown}"));
    assert_eq!(faults.faults().len(), FAULTS_MAX);
    assert_eq!(faults.count(), 50_001);
}

#[test]
fn k_05_numbers_of_a_million_digits_are_refused() {
    for number in ["9".repeat(500_000), format!("0.{}1", "0".repeat(500_000)), "1.0e+999999999".to_owned()] {
        for (logical, physical) in [("integer", "BIGINT"), ("number", "DECIMAL(38,9)")] {
            let options = format!("logicalTypeOptions: {{minimum: {number}}}");
            let property =
                format!("{{name: a, logicalType: {logical}, physicalType: '{physical}', {options}}}");
            let yaml = format!("{HEAD}schema:\n  - name: rows\n    properties:\n      - {property}\n");
            assert_eq!(code(&yaml), "bad-value", "{logical}");
        }
    }
}

/// A contract of one table with one column.
fn with_property(property: &str) -> String {
    format!("{HEAD}schema:\n  - name: rows\n    properties:\n      - {property}\n")
}

#[test]
fn k_01_patterns_that_others_go_back_and_forth_in_take_one_pass() {
    // Twice as many ways with each letter: whoever tries them all is still at it when the sun has burnt out.
    let text = "a".repeat(200_000) + "!";
    for pattern in ["^(a+)+$", "^(a|a)*b$", "^(a*)*c$", "(x+x+)+y"] {
        assert!(
            odcs::read(
                with_property(&format!(
                    "{{name: a, logicalType: string, logicalTypeOptions: {{pattern: '{pattern}'}}}}"
                ))
                .as_bytes()
            )
            .is_ok(),
            "{pattern}"
        );
        assert!(!Pattern::compile(pattern).expect("a pattern").is_match(&text), "{pattern}");
    }
}

#[test]
fn k_04_a_key_that_stands_twice_or_is_unknown_is_told_with_its_place() {
    let is_told = |yaml: &str, code: &str, line: u32, column: u32| {
        let faults = refused(yaml);
        let place = odcs::Place { line, column };
        assert!(faults.faults().iter().any(|fault| fault.code == code && fault.at == place), "{faults:?}");
    };
    is_told(&with_property("{name: a, logicalType: string, name: b}"), "key-twice", 9, 40);
    is_told(&with_property("{name: a, logicaltype: string}"), "unknown-key", 9, 19);
}

#[test]
fn k_05_bounds_that_are_no_numbers_of_their_kind_are_refused() {
    for bound in ["18446744073709551616", "-1", ".nan", ".inf", "1.5", "'3'"] {
        let options = format!("logicalTypeOptions: {{maxLength: {bound}}}");
        let yaml = with_property(&format!("{{name: a, logicalType: string, {options}}}"));
        let code = code(&yaml);
        assert!(["bad-value", "odd-number", "wrong-kind"].contains(&code), "{bound}: {code}");
    }
}

#[test]
fn k_08_names_that_are_paths_or_more_are_refused() {
    for name in ["../x", "a/b", "/etc/passwd", "x\"; drop table y; --", "con\0", "a b", ""] {
        let name = serde_json::to_string(name).expect("a text");
        let yaml =
            format!("{HEAD}schema:\n  - name: {name}\n    properties: [{{name: a, logicalType: string}}]\n");
        let code = code(&yaml);
        assert!(
            ["bad-name", "bad-value", "not-yaml", "zero-character", "empty"].contains(&code),
            "{name}: {code}"
        );
    }
}

#[test]
fn k_09_a_file_that_refers_to_itself_is_refused() {
    for circle in ["&a [*a]", "&a {b: *a}", "[&a [&b [*a, *b]]]"] {
        let faults = refused(&format!("{HEAD}schema: {circle}\n"));
        assert!(faults.faults().iter().any(|fault| fault.code == "alias"), "{circle}: {faults}");
    }
}

#[test]
fn so_many_patterns_are_compiled_and_no_more() {
    let property = |number: usize| {
        format!(
            "      - {{name: c{number}, logicalType: string, logicalTypeOptions: {{pattern: '^a{{{number}}}$'}}}}\n"
        )
    };
    let columns: String = (1..=600).map(property).collect();
    let yaml = format!("{HEAD}schema:\n  - name: rows\n    properties:\n{columns}");
    assert_eq!(code(&yaml), "too-many");
}

#[test]
fn patterns_that_ignore_case_cost_more() {
    let property = |number: usize| {
        format!(
            "      - {{name: c{number}, logicalType: string, logicalTypeOptions: {{pattern: '^(?i)[a-z]$'}}}}\n"
        )
    };
    let columns: String = (1..=200).map(property).collect();
    let faults = refused(&format!("{HEAD}schema:\n  - name: rows\n    properties:\n{columns}"));
    assert!(faults.faults().iter().all(|fault| fault.code == "too-many"));
}

#[test]
fn so_many_columns_are_read_and_no_more() {
    let columns: String =
        (0..5_000).map(|number| format!("      - {{name: c{number}, logicalType: date}}\n")).collect();
    let yaml = format!("{HEAD}schema:\n  - name: rows\n    properties:\n{columns}");
    assert_eq!(code(&yaml), "too-many");
}

/// The files of the vectors, good and bad.
fn vectors() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/contract");
    let rooms = ["accepted", "refused"].map(|room| fs::read_dir(folder.join(room)).expect("the vectors"));
    let paths = rooms.into_iter().flatten().map(|entry| entry.expect("a file").path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| fs::read(path).expect("a file"))
        .collect()
}

/// Whatever is read is either a contract with a canonical text, or faults that can be shown.
fn read(bytes: &[u8]) {
    match odcs::read(bytes) {
        Ok(read) => assert!(!casparian_core::contract::canon::canonical(&read.contract).is_empty()),
        Err(faults) => {
            assert!((1..=FAULTS_MAX).contains(&faults.faults().len()));
            let shown = faults.to_string();
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn arbitrary_signs_of_yaml_are_no_danger(text in r#"[-?:,\[\]{}#&*!|>'"%@` \na1.~<\t=]{0,80}"#) {
        read(text.as_bytes());
    }

    #[test]
    fn a_contract_with_something_else_in_it_is_no_danger(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        text in r#"[-?:,\[\]{}#&*!|>'" \na05.~<]{0,12}"#,
    ) {
        let vectors = vectors();
        let mut bytes = which.get(&vectors).clone();
        let at = at.index(bytes.len() + 1);
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, text.bytes());
        read(&bytes);
    }

    #[test]
    fn a_contract_with_lines_swapped_is_no_danger(
        which in any::<prop::sample::Index>(),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        let vectors = vectors();
        let bytes: &Vec<u8> = which.get(&vectors);
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut lines: Vec<&str> = text.lines().collect();
        prop_assume!(!lines.is_empty());
        for (one, other) in swaps {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
        }
        read(lines.join("\n").as_bytes());
    }
}

#[test]
fn a_name_that_comes_twice_is_told_of_whatever_else_is_wrong_with_it() {
    let yaml = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: draft\nschema:\n  - name: t\n    \
                logicalType: object\n    properties:\n      - {name: a, logicalType: strnig}\n      - {name: A, \
                logicalType: string}\n";
    let faults = refused(yaml);
    let codes: Vec<&str> = faults.faults().iter().map(|fault| fault.code).collect();
    assert!(codes.contains(&"name-twice") && codes.len() == 2, "{codes:?}");
}

//! `host contract …`, as people type it: what it says of good contracts and of bad ones, and its exit codes.

use std::path::PathBuf;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::host::{Desk, Said, root};

/// A desk with the example contract on it, and with what an amendment makes of it.
fn desk(amend: impl Fn(String) -> String) -> Desk {
    let example = std::fs::read_to_string(example()).expect("the example");
    let desk = Desk::new(b"");
    let amended = amend(example.clone());
    assert_ne!(amended, example, "the amendment has missed its text");
    desk.write("old.yaml", example.as_bytes());
    desk.write("new.yaml", amended.as_bytes());
    desk
}

fn example() -> PathBuf {
    root().join("examples/contracts/fills.odcs.yaml")
}

fn call(desk: &Desk, words: &[&str]) -> Said {
    desk.call(&["contract"]).args(words).done()
}

/// A component that is nothing but its contract.
fn component(contract: &[u8]) -> Vec<u8> {
    let name = b"casparian:contract";
    let mut bytes = b"\0asm\x0d\0\x01\0\0".to_vec();
    leb(1 + name.len() + contract.len(), &mut bytes);
    bytes.push(name.len() as u8);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(contract);
    bytes
}

fn leb(mut number: usize, bytes: &mut Vec<u8>) {
    while number > 127 {
        bytes.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[test]
fn every_contract_of_the_examples_is_fine() {
    let said = Desk::new(b"").call(&["contract", "lint"]).arg(example()).done();
    assert_eq!((said.exit, said.stderr.as_str()), (0, ""), "{said:?}");
    assert!(said.stdout.ends_with(": ok\n"), "{said:?}");
}

#[test]
fn each_fault_is_told_with_its_place_its_line_and_the_next_move() {
    let desk = desk(|text| {
        text.replacen("required: true", "requierd: true", 1).replace("maxItems: 8", "maxItems: x")
    });
    let said = call(&desk, &["lint", "new.yaml", "old.yaml"]);
    assert_eq!(said.exit, 1, "{said:?}");
    let shown = "error: a property has no key `requierd`\n   25 |         requierd: true\n      |         ^\n  hint: did you mean `required`?\n";
    assert!(said.stdout.contains(shown), "{}", said.stdout);
    assert!(said.stdout.ends_with("new.yaml: 2 errors\nold.yaml: ok\n"), "{}", said.stdout);
}

#[test]
fn faults_are_told_to_machines_too() {
    let desk = desk(|text| text.replacen("required: true", "requierd: true", 1));
    let said = call(&desk, &["lint", "new.yaml", "nowhere.yaml", "old.yaml", "--json"]);
    let report = said.report();
    assert_eq!((said.exit, &report["schema"]), (12, &Json::from(1)), "{report}");
    let finding = &report["files"][0]["findings"][0];
    assert_eq!((&finding["line"], &finding["severity"]), (&Json::from(25), &Json::from("error")));
    assert_eq!(report["files"][1]["fault"]["code"], "contract-unreadable");
    assert_eq!(report["files"][2]["id"], "fills");
}

#[test]
fn a_hostile_contract_is_shown_and_not_obeyed() {
    let desk = Desk::new(b"");
    desk.write("evil.yaml", "kind: \"\u{1b}]0;x\u{7}\u{202e}\u{9b}2J\"\n\u{feff}x: [\n".as_bytes());
    desk.write("zeros.yaml", &[0; 5000]);
    desk.write("huge.yaml", &vec![b'['; 3 << 20]);
    // `done` checks that nothing of it steers the terminal.
    assert_eq!(call(&desk, &["lint", "evil.yaml", "zeros.yaml", "huge.yaml"]).exit, 1);
    assert_eq!(call(&desk, &["lint", "/dev/zero"]).exit, 1);
    assert_eq!(call(&desk, &["lint", "."]).exit, 12);
}

#[test]
fn the_hash_is_that_of_the_canonical_text() {
    let desk = desk(|text| text + "\n# a remark\n");
    let canonical = call(&desk, &["show", "old.yaml", "--canonical"]).stdout;
    let digest: String =
        Sha256::digest(canonical.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = call(&desk, &["show", "new.yaml", "--json"]).report();
    assert_eq!(shown["hash"], digest, "a remark is no part of a contract");
    assert_eq!(serde_json::from_str::<Json>(&canonical).expect("JSON"), shown["contract"]);
    assert!(call(&desk, &["show", "old.yaml"]).stdout.contains(&digest));
}

#[test]
fn a_contract_is_shown_as_people_read_it() {
    let said = call(&desk(|text| text + "\n"), &["show", "old.yaml"]);
    for line in [
        "  price        decimal(18,4)      required  more than 0.0000",
        "    primaryKey  no two rows share fill_id",
        "    not_empty  rows > 0",
    ] {
        assert!(said.stdout.lines().any(|shown| shown == line), "{line}\n{}", said.stdout);
    }
}

#[test]
fn a_component_stands_for_the_contract_that_it_carries() {
    let desk = desk(|text| text.replace("maxLength: 40", "maxLength: 64"));
    let contract = std::fs::read(desk.path("old.yaml")).expect("the contract");
    desk.write("parser.wasm", &component(&contract));
    desk.write("bare.wasm", b"\0asm\x0d\0\x01\0");
    let hash = |name: &str| call(&desk, &["show", name, "--json"]).report()["hash"].clone();
    assert_eq!(hash("parser.wasm"), hash("old.yaml"));
    let report = call(&desk, &["diff", "parser.wasm", "new.yaml", "--json"]).report();
    assert_eq!(report["operations"].as_array().map(Vec::len), Some(1), "{report}");
    let said = call(&desk, &["show", "bare.wasm"]);
    assert!(said.exit == 12 && said.stderr.contains("bare.wasm carries no contract"), "{said:?}");
}

#[test]
fn a_class_graver_than_wanted_is_a_no() {
    let relaxed = desk(|text| text.replace("maxPercent: 1", "maxPercent: 2"));
    let diff =
        |desk: &Desk, most: &str| call(desk, &["diff", "old.yaml", "new.yaml", "--at-most", most]).exit;
    assert_eq!((diff(&relaxed, "unchanged"), diff(&relaxed, "widening")), (1, 0));
    let narrowed = desk(|text| text.replace("[buy, sell, sell_short]", "[buy, sell]"));
    assert_eq!((diff(&narrowed, "widening"), diff(&narrowed, "narrowing")), (1, 0));
    let reshaped = desk(|text| text.replace("format: u32", "format: i64"));
    assert_eq!((diff(&reshaped, "narrowing"), diff(&reshaped, "reshaping")), (1, 0));
    assert_eq!(call(&reshaped, &["diff", "old.yaml", "new.yaml"]).exit, 0);
}

#[test]
fn a_difference_is_told_by_table_and_column() {
    let desk = desk(|text| text.replace("[buy, sell, sell_short]", "[buy, sell, cross]"));
    let report = call(&desk, &["diff", "old.yaml", "new.yaml", "--json"]).report();
    assert_eq!((&report["schema"], &report["class"]), (&Json::from(1), &Json::from("narrowing")));
    let operation = &report["operations"][1];
    assert_eq!((&operation["table"], &operation["column"]), (&Json::from("fills"), &Json::from("side")));
    assert_eq!((&operation["verb"], &operation["subject"]), (&Json::from("drop"), &Json::from("value")));
    assert_eq!(operation["old"], "sell_short");
    let said = call(&desk, &["diff", "old.yaml", "new.yaml"]).stdout;
    assert!(said.contains("  narrowing  drop-value  side  known_side: sell_short\n"), "{said}");
}

#[test]
fn a_contract_that_cannot_be_read_has_no_difference() {
    let desk = desk(|text| text.replacen("required: true", "requierd: true", 1));
    let said = call(&desk, &["diff", "old.yaml", "new.yaml", "--json"]);
    assert_eq!((said.exit, said.stdout.as_str()), (12, ""));
    assert!(said.stderr.contains("new.yaml:25:9: error:"), "{}", said.stderr);
}

#[test]
fn an_export_is_json_and_replaces_no_file() {
    let desk = desk(|text| text + "\n");
    let schema = call(&desk, &["export", "old.yaml", "--format", "json-schema"]).stdout;
    let schema: Json = serde_json::from_str(&schema).expect("JSON");
    assert_eq!(schema["$defs"]["fills"]["properties"]["quantity"]["minimum"], 1);
    let export = || call(&desk, &["export", "old.yaml", "--format", "arrow", "--out", "arrow.json"]);
    assert_eq!(export().exit, 0);
    let written: Json =
        serde_json::from_slice(&std::fs::read(desk.path("arrow.json")).expect("a file")).expect("JSON");
    assert_eq!(written["tables"][0]["name"], "fills");
    assert_eq!(export().exit, 12, "a file that is there is not touched");
}

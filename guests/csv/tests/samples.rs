//! Every sample against what it is known to hold, as JSON lines beside it.
//!
//! A change of the parser that changes a row or a decision shows here as a difference to be read. `CASPARIAN_BLESS=1` writes the
//! files anew.

use std::path::{Path, PathBuf};

use casparian_sdk::FaultCode;
use casparian_sdk::harness::{Decoded, Run, Said, Value};
use csv::Csv;
use csv::faults::Flaw;
use serde_json::{Map, Value as Json, json};

fn samples(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(kind);
    let entries = std::fs::read_dir(&directory).expect("a directory of samples");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    paths
}

fn read(path: &Path) -> Said {
    let bytes = std::fs::read(path).expect("a sample");
    let said = Run::default().steadily(&Csv, &bytes).expect("a run");
    assert_eq!(said.dark(), [], "{}", path.display());
    said
}

fn code(fault: u16) -> &'static str {
    Flaw::ALL[usize::from(fault)].0
}

fn cell(value: &Value) -> Json {
    match value {
        Value::Float(number) => json!(number),
        value => value.text().map_or(Json::Null, |text| json!(text)),
    }
}

fn row(table: &str, row: &Decoded) -> Json {
    let mut object = Map::new();
    object.insert("at".into(), json!([row.span.offset, row.span.length]));
    object.insert("table".into(), json!(table));
    object.extend(
        row.cells
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(column, value)| (column.clone(), cell(value))),
    );
    Json::Object(object)
}

/// What was said of a sample: the decisions, then everything else by its place.
fn lines(said: &Said) -> String {
    let mut lines: Vec<(u64, Json)> = Vec::new();
    for (table, rows) in said.tables.iter().filter(|(table, _)| *table != "file_profile") {
        lines.extend(rows.iter().map(|found| (found.span.offset, row(table, found))));
    }
    lines.extend(said.rejects.iter().map(|it| {
        (
            it.at.offset,
            json!({ "at": [it.at.offset, it.at.length], "rejected": code(it.fault), "message": it.message }),
        )
    }));
    lines.extend(said.skips.iter().map(|(at, kind, note)| {
        let kind = format!("{kind:?}").to_lowercase();
        (at.offset, json!({ "at": [at.offset, at.length], "skipped": kind, "note": note }))
    }));
    lines.sort_by_key(|line| line.0);
    let decisions = said.rows("file_profile").iter().map(|found| row("file_profile", found));
    decisions.chain(lines.into_iter().map(|(_, line)| line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_sample_holds_what_it_is_known_to_hold() {
    for path in samples("good").into_iter().chain(samples("bad")) {
        let found = lines(&read(&path));
        let beside = path.with_extension("expected.jsonl");
        if std::env::var_os("CASPARIAN_BLESS").is_some() {
            std::fs::write(&beside, &found).expect("a place to write");
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{}", path.display());
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "{}", path.display());
    }
}

#[test]
fn a_good_sample_has_no_rejection() {
    for path in samples("good") {
        let said = read(&path);
        assert_eq!(said.rejects, [], "{}", path.display());
        assert!(!said.rows("rows").is_empty(), "{}", path.display());
    }
}

#[test]
fn every_fault_has_a_sample_of_its_name_and_its_neighbours_are_rows() {
    for (code_of, _) in Flaw::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/bad").join(format!("{code_of}.csv"));
        let said = read(&path);
        let found: Vec<&str> = said.rejects.iter().map(|reject| code(reject.fault)).collect();
        assert_eq!(found, [*code_of], "{}", path.display());
        assert!(said.rows("rows").len() >= 3, "{}", path.display());
    }
}

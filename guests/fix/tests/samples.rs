//! Every sample against what it is known to hold, as JSON lines beside it.
//!
//! A change of the parser that changes a row shows here as a difference to be read. `CASPARIAN_BLESS=1` writes the files anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use casparian_sdk::FaultCode;
use casparian_sdk::harness::{Decoded, Run, Said, Value};
use fix::Fix;
use fix::faults::Flaw;
use serde_json::{Map, Value as Json, json};

fn samples(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(kind);
    let entries = std::fs::read_dir(&directory).expect("a directory of samples");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    paths
}

fn read(path: &Path) -> Said {
    let mut run = Run::default();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if stem == "oversized_record" {
        // A sample of the usual limit would be a megabyte.
        run.options.push(("record-bytes-max".into(), "1024".into()));
    }
    if CHECKED.contains(&stem.as_str()) {
        run.options.push(("dictionary".into(), "check".into()));
    }
    run.over(&Fix, &std::fs::read(path).expect("a sample")).expect("a run")
}

/// What is found only where everything is looked up.
const CHECKED: [&str; 9] = [
    "unknown_msg_type",
    "undefined_tag",
    "misplaced_tag",
    "missing_required",
    "bad_enum",
    "bad_format",
    "out_of_order",
    "group_out_of_order",
    "nested_groups",
];

/// The tables, in the order in which a record's rows are listed.
const TABLES: [&str; 6] =
    ["messages", "execution_reports", "session_events", "market_data_entries", "groups", "fields"];

fn code(fault: u16) -> &'static str {
    Flaw::ALL[usize::from(fault)].0
}

fn cell(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => {
            json!(i64::try_from(*number).map_or_else(|_| json!(number.to_string()), |number| json!(number)))
        }
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!(bytes.escape_ascii().to_string()),
        Value::Decimal(digits, scale) => json!(format!("{digits}e-{scale}")),
        Value::List(values) => values.iter().map(cell).collect(),
    }
}

/// One record as one line: where it is, what it is, and every cell that is not null.
fn row(table: &str, row: &Decoded) -> (u64, String) {
    let mut object = Map::new();
    object.insert("at".into(), json!([row.span.offset, row.span.length]));
    object.insert("table".into(), json!(table));
    if !row.faults.is_empty() {
        object.insert("faults".into(), json!(row.faults));
    }
    let cells = row.cells.iter().filter(|(_, value)| **value != Value::Null);
    object.extend(cells.map(|(column, value)| (column.clone(), cell(value))));
    (row.span.offset, Json::Object(object).to_string())
}

fn lines(said: &Said) -> String {
    let rows = |table| said.rows(table).iter().map(move |found| row(table, found));
    let mut lines: Vec<(u64, String)> = TABLES.into_iter().flat_map(rows).collect();
    lines.extend(said.rejects.iter().map(|reject| {
        let line = json!({ "at": [reject.at.offset, reject.at.length], "rejected": code(reject.fault), "message": reject.message });
        (reject.at.offset, line.to_string())
    }));
    lines.extend(said.skips.iter().map(|(at, kind, _)| {
        (
            at.offset,
            json!({ "at": [at.offset, at.length], "skipped": format!("{kind:?}").to_lowercase() })
                .to_string(),
        )
    }));
    lines.sort_by_key(|line| line.0);
    lines.into_iter().fold(String::new(), |mut all, (_, line)| {
        let _ = writeln!(all, "{line}");
        all
    })
}

fn codes(said: &Said) -> Vec<String> {
    let emitted = said.rows("messages").iter().flat_map(|row| row.faults.clone());
    emitted.chain(said.rejects.iter().map(|reject| code(reject.fault).to_owned())).collect()
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
fn a_good_sample_has_no_fault() {
    for path in samples("good") {
        assert_eq!(codes(&read(&path)), [""; 0], "{}", path.display());
    }
}

#[test]
fn every_fault_has_a_sample_of_its_name_and_its_neighbours_are_clean() {
    for (code, _) in Flaw::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/bad").join(format!("{code}.log"));
        assert!(path.is_file(), "no sample for {code}");
        let said = read(&path);
        let found = codes(&said);
        assert!(found.iter().any(|found| found == code), "{} has {found:?}", path.display());
        let rows = said.rows("messages");
        let clean = |row: Option<&Decoded>| row.is_some_and(|row| row.faults.is_empty());
        assert!(clean(rows.first()) && clean(rows.last()), "{}", path.display());
    }
}

#[test]
fn the_demo_shows_rows_rejections_and_most_faults() {
    let said = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/demo.log"));
    let mut codes = codes(&said);
    codes.sort();
    codes.dedup();
    assert!((200..=500).contains(&said.rows("messages").len()));
    assert!(said.rejects.len() >= 3, "{} rejections", said.rejects.len());
    assert!(codes.len() >= 8, "{codes:?}");
}

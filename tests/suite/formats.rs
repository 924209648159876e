//! Tables as Arrow, as CSV and as lines of JSON, and outputs that are one file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value as Json;

use crate::host::{self, Desk, INPUT, OUT, guest, root};
use crate::tables;

fn demo() -> Vec<u8> {
    std::fs::read(root().join("guests/fix/samples/demo.log")).expect("the demo log")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Begins `host run fix.wasm input --json`.
fn fix<'a>(desk: &'a Desk, words: &[&str]) -> host::Call<'a> {
    desk.call(&["run"]).arg(guest("fix")).arg(desk.path(INPUT)).arg("--json").args(words)
}

#[test]
fn all_formats_hold_the_same_rows_of_the_same_tables() {
    let desk = Desk::new(&demo());
    for format in ["parquet", "arrow", "csv", "jsonl"] {
        let report =
            fix(&desk, &["--format", format, "--out", format, "--tables", "messages,fields"]).done().report();
        let paths: Vec<_> =
            report["tables"].as_array().into_iter().flatten().map(|table| &table["path"]).collect();
        let written = ["messages", "fields"].map(|table| format!("{format}/{table}.{format}"));
        assert_eq!(paths, written.each_ref().map(|path| path.as_str()), "{report}");
        let names =
            ["_quarantine.parquet".to_owned(), format!("fields.{format}"), format!("messages.{format}")];
        for name in &names {
            assert!(host::names(&desk.path(format)).contains(name), "{name}");
        }
    }
    let parquet = tables::read(&desk.path("parquet/messages.parquet"));
    let json: Vec<Json> = text(&desk.path("jsonl/messages.jsonl"))
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let json_texts =
        |column: &str| json.iter().map(|row| row[column].as_str().map(str::to_owned)).collect::<Vec<_>>();
    let json_numbers = |column: &str| json.iter().map(|row| row[column].as_u64()).collect::<Vec<_>>();
    for column in ["msg_type", "sending_time_raw", "symbol", "text"] {
        assert_eq!(json_texts(column), tables::texts(&parquet, column), "{column}");
    }
    for column in ["_cf_offset", "_cf_length", "msg_seq_num"] {
        assert_eq!(json_numbers(column), tables::numbers(&parquet, column), "{column}");
    }
    let arrow = tables::read_arrow(&desk.path("arrow/messages.arrow"));
    for column in ["msg_type", "sending_time_raw", "symbol", "text"] {
        assert_eq!(tables::texts(&arrow, column), tables::texts(&parquet, column), "{column}");
    }
    for column in ["_cf_offset", "_cf_length", "msg_seq_num"] {
        assert_eq!(tables::numbers(&arrow, column), tables::numbers(&parquet, column), "{column}");
    }
    // A record of this log has no line end in its cells, so a line is a row.
    let csv = text(&desk.path("csv/messages.csv"));
    let offsets: Vec<u64> = csv
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').nth(1).and_then(|cell| cell.parse().ok()).expect("an offset"))
        .collect();
    assert_eq!(offsets, tables::numbers(&parquet, "_cf_offset").into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn how_much_a_read_gives_changes_no_byte_of_a_file() {
    let desk = Desk::new(&demo());
    for format in ["parquet", "arrow", "csv", "jsonl"] {
        let table = |out: &str, words: &[&str]| {
            fix(&desk, &["--format", format, "--out", out]).args(words).done().report();
            std::fs::read(desk.path(out).join(format!("messages.{format}"))).expect("a table")
        };
        let whole = table(&format!("whole-{format}"), &[]);
        let short = table(&format!("short-{format}"), &["--read-sizes", "7:100"]);
        assert!(whole == short, "{format}");
    }
}

#[test]
fn a_file_holds_one_table_and_its_quarantine_stands_beside_it() {
    let desk = Desk::new(&demo());
    let report = fix(&desk, &["--out", "m.csv", "--tables", "messages"]).done().report();
    assert_eq!(report["tables"][0]["path"], "m.csv", "{report}");
    assert_eq!(report["quarantine"]["path"], "m.csv.about/_quarantine.parquet");
    assert_eq!(desk.names(), [INPUT, "m.csv", "m.csv.about"]);
    let quarantine = desk.path("m.csv.about/_quarantine.parquet");
    assert_eq!(std::fs::metadata(&quarantine).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(
        tables::count(&tables::read(&quarantine)),
        report["quarantine"]["rows"].as_u64().expect("a count")
    );
    assert!(text(&desk.path("m.csv")).starts_with("begin_string,"));
}

#[test]
fn a_file_for_several_tables_is_refused_with_their_names() {
    let desk = Desk::new(&demo());
    let message = fix(&desk, &["--out", "m.jsonl", "--tables", "messages,fields"])
        .done()
        .assert_fault("operator", "one-file-many-tables");
    assert_eq!(message, "a file holds one table, and this run writes 2: messages, fields");
    desk.assert_untouched();
}

#[test]
fn a_file_is_replaced_only_when_asked_for() {
    let desk = Desk::new(&demo());
    let run = |words: &[&str]| fix(&desk, &["--out", "m.parquet", "--tables", "messages"]).args(words).done();
    run(&[]).report();
    let before = std::fs::read(desk.path("m.parquet")).expect("a table");
    run(&[]).assert_fault("operator", "output-exists");
    assert_eq!(std::fs::read(desk.path("m.parquet")).expect("a table"), before);
    assert_eq!(run(&["--replace"]).report()["tables"][0]["path"], "m.parquet");
    assert_eq!(desk.names(), [INPUT, "m.parquet", "m.parquet.about"]);
}

#[test]
fn a_file_whose_verdict_is_no_is_not_there() {
    let desk = Desk::new(&demo());
    let said = fix(&desk, &["--out", "m.csv", "--tables", "messages", "--strict"]).done();
    assert_eq!((said.exit, &said.report()["status"]), (1, &Json::from("held")));
    assert_eq!(desk.names(), [INPUT, "m.csv.held"]);
}

#[test]
fn replace_exchanges_an_output_of_another_format() {
    let desk = Desk::new(&demo());
    let run =
        |words: &[&str]| fix(&desk, &["--out", OUT, "--tables", "messages"]).args(words).done().report();
    run(&["--format", "csv"]);
    run(&["--format", "jsonl", "--replace"]);
    let names = host::names(&desk.path(OUT));
    assert!(
        names.contains(&"messages.jsonl".to_owned()) && !names.contains(&"messages.csv".to_owned()),
        "{names:?}"
    );
}

#[test]
fn a_type_that_only_a_hostile_parser_would_send_is_written_too() {
    let desk = Desk::new(b"sixteen bytes...");
    for format in ["csv", "jsonl"] {
        let out = format!("out-{format}");
        let call =
            desk.call(&["run"]).arg(guest("evil")).arg(desk.path(INPUT)).option("evil", "extreme_values");
        call.args(&["--json", "--tables", "extremes", "--format", format, "--out", &out])
            .done()
            .assert_completed();
        assert!(!text(&desk.path(&out).join(format!("extremes.{format}"))).is_empty());
    }
}

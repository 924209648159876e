//! What was held back, as somebody looks at it afterwards: list, show, top, export, and what codes mean.

use std::os::unix::fs::PermissionsExt as _;

use casparian_core::contract::verdict::Code;
use serde_json::Value as Json;

use crate::host::{Desk, OUT, Said, guest, root};

/// A log with a message whose checksum is wrong, a line that is no message, and one that is good.
fn desk() -> Desk {
    let samples = root().join("guests/fix/samples/bad");
    let mut log = std::fs::read(samples.join("bad_checksum.log")).expect("a sample");
    log.extend(std::fs::read(samples.join("non_fix_line.log")).expect("a sample"));
    let desk = Desk::new(&log);
    assert_eq!(desk.run(&guest("fix")).done().exit, 0);
    desk
}

fn quarantine(desk: &Desk, words: &[&str]) -> Said {
    let said = desk.call(&["quarantine"]).args(words).done();
    assert_eq!(said.exit, 0, "{said:?}");
    said
}

#[test]
fn a_list_has_a_line_for_each_row_that_was_held_back() {
    let said = quarantine(&desk(), &["list", OUT]);
    let lines: Vec<Vec<&str>> =
        said.stdout.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    assert_eq!(lines[0], ["record", "lines", "table", "code", "rule", "column", "observed"]);
    assert_eq!(lines[1], ["1", "2", "messages", "CF0900", "bad_checksum"]);
    let unread = "4 5 CF0900 non_fix_line no FIX message in this line";
    assert_eq!(lines[2].join(" "), unread);
    assert_eq!(lines.len(), 4, "{said:?}");
    assert_eq!(said.stderr, "");
}

#[test]
fn a_list_in_json_is_an_object_a_line() {
    let rows = quarantine(&desk(), &["list", OUT, "--json", "--rule", "bad_checksum"]).reports();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["record_no"], &rows[0]["line_first"]), (&Json::from(1), &Json::from(2)));
    assert_eq!(rows[0]["reasons"][0], "the parser found `bad_checksum`");
    assert_eq!(rows[0]["violations"][0]["code"], "CF0900");
    assert!(rows[0].get("raw_base64").is_none(), "a list has no bytes of records");
}

#[test]
fn a_row_is_shown_with_its_bytes_its_reasons_and_its_cells() {
    let said = quarantine(&desk(), &["show", OUT, "--record", "1"]);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("record 1  line 2  bytes 162..324  table messages  id "), "{}", lines[0]);
    assert_eq!(lines[1], "  CF0900  the parser found `bad_checksum`");
    assert!(
        lines[2].starts_with("  2 | 8=FIX.4.4\u{2401}9=138\u{2401}35=D\u{2401}49=BUYSIDE"),
        "{}",
        lines[2]
    );
    assert_eq!(lines[3].chars().count(), lines[2].chars().count(), "all of it is marked");
    let is_cell = |line: &&str| line.split_whitespace().eq(["checksum_declared", "UInt8", "82"]);
    assert!(lines.iter().any(is_cell), "{}", said.stdout);
    assert!(said.stdout.contains("\n    null: "), "{}", said.stdout);
}

#[test]
fn rows_are_found_by_code_rule_table_record_and_name() {
    let desk = desk();
    let count = |words: &[&str]| {
        let words = [&["list", OUT, "--json"], words].concat();
        quarantine(&desk, &words).reports().len()
    };
    assert_eq!(count(&[]), 3);
    assert_eq!(count(&["--code", "cf0900"]), 3);
    assert_eq!(count(&["--code", "CF0301"]), 0);
    assert_eq!(count(&["--rule", "non_fix_line"]), 2);
    assert_eq!(count(&["--rule", "non_fix_line", "--rule", "bad_checksum"]), 3);
    assert_eq!(count(&["--table", "messages"]), 1);
    assert_eq!(count(&["--rule", "non_fix_line", "--table", "messages"]), 0);
    assert_eq!(count(&["--record", "4"]), 1);
    assert_eq!(count(&["--limit", "2"]), 2);
    assert_eq!(count(&["--offset", "2"]), 1);
    let rows = quarantine(&desk, &["list", OUT, "--json"]).reports();
    let id = rows[1]["q_id"].as_str().expect("a name");
    assert_eq!(count(&["--id", &id[..12]]), 1);
}

#[test]
fn reasons_are_counted_the_most_frequent_first() {
    let desk = desk();
    let said = quarantine(&desk, &["top", OUT]);
    let expected = "\
3 rows
by reason
  2  66.667 %  CF0900  non_fix_line
  1  33.333 %  CF0900  bad_checksum
";
    assert_eq!(said.stdout, expected);
    let top = quarantine(&desk, &["top", OUT, "--json"]).report();
    assert_eq!((&top["rows"], &top["reasons"][0]["rows"]), (&Json::from(3), &Json::from(2)));
}

#[test]
fn an_export_is_whole_and_for_its_owner_alone() {
    let desk = desk();
    quarantine(&desk, &["export", OUT, "--format", "jsonl", "--raw", "base64", "--out", "rows.jsonl"]);
    let text = std::fs::read_to_string(desk.path("rows.jsonl")).expect("an export");
    let rows: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0]["raw"].as_str().expect("bytes").starts_with("OD1GSVguNC40AT"), "{}", rows[0]);
    let mode = std::fs::metadata(desk.path("rows.jsonl")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    quarantine(&desk, &["export", OUT, "--format", "csv", "--out", "rows.csv"]);
    let text = std::fs::read_to_string(desk.path("rows.csv")).expect("an export");
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("q_id,row_id,table,input_path,record_no,"), "{}", lines[0]);
    assert!(lines[1].contains("8=FIX.4.4\\x019=138\\x01"), "{}", lines[1]);
}

#[test]
fn an_export_takes_nobodys_place() {
    let desk = desk();
    desk.write("mine.csv", b"years of work");
    let call = desk.call(&["quarantine", "export", OUT, "--format", "csv", "--out", "mine.csv"]);
    let said = call.done();
    assert_eq!((said.exit, said.stderr.lines().next()), (12, Some("error: operator: mine.csv exists")));
    assert_eq!(std::fs::read(desk.path("mine.csv")).expect("a file"), b"years of work");
    assert!(desk.names().iter().all(|name| !name.ends_with(".part")), "{:?}", desk.names());
}

#[test]
fn a_run_that_held_nothing_back_has_nothing_to_show() {
    let desk = Desk::new(b"no record is bad");
    desk.evil("honest").done().assert_completed();
    let said = quarantine(&desk, &["list", OUT]);
    assert_eq!(said.stdout, "");
    assert_eq!(said.stderr, "nothing is in quarantine: the run held nothing back\n");
    assert_eq!(quarantine(&desk, &["show", OUT, "--json"]).stdout, "");
}

#[test]
fn the_quarantine_of_a_run_that_was_held_is_found_by_the_name_of_its_output() {
    let desk = desk();
    std::fs::remove_dir_all(desk.path(OUT)).expect("an output");
    let said = desk.run(&guest("fix")).arg("--strict").done();
    assert_eq!(said.exit, 1, "{said:?}");
    for place in [OUT, "out.held", "out.held/_quarantine.parquet"] {
        assert_eq!(quarantine(&desk, &["list", place, "--json"]).reports().len(), 3, "{place}");
    }
}

#[test]
fn what_is_no_quarantine_is_refused_with_what_to_name_instead() {
    let desk = desk();
    desk.write("text.parquet", b"no Parquet at all");
    let refused = |place: &str| {
        let said = desk.call(&["quarantine", "list", place]).done();
        (said.exit, said.stderr)
    };
    let (exit, message) = refused("nowhere");
    assert_eq!((exit, message.lines().next()), (12, Some("error: operator: nowhere does not exist")));
    let (exit, message) = refused("out/messages.parquet");
    assert_eq!(exit, 12);
    assert!(message.contains("is no quarantine: it has no column `"), "{message}");
    let (exit, message) = refused("text.parquet");
    assert_eq!(exit, 11);
    assert!(message.contains("cannot be read: "), "{message}");
    let (exit, message) = refused(".");
    assert_eq!(exit, 12, "{message}");
}

#[test]
fn the_summary_of_a_run_names_the_command_that_shows_more() {
    let desk = desk();
    let call = desk.call(&["run"]).arg(guest("fix")).arg("input").args(&["--out", "more"]);
    let said = call.done();
    assert!(
        said.stderr.contains("  hint: host quarantine show more --rule non_fix_line\n"),
        "{}",
        said.stderr
    );
    quarantine(&desk, &["show", "more", "--rule", "non_fix_line"]);
}

#[test]
fn every_reason_code_is_explained() {
    let desk = Desk::new(b"");
    let list = desk.call(&["explain"]).done();
    let of_schemas = ["CF0701", "CF0702", "CF0703", "CF0704", "CF0705"];
    assert_eq!((list.exit, list.stdout.lines().count()), (0, Code::ALL.len() + of_schemas.len()));
    for code in Code::ALL.iter().map(|code| code.as_str()).chain(of_schemas) {
        let page = desk.call(&["explain", code]).done();
        assert!(page.stdout.starts_with(&format!("# {code}: ")), "{page:?}");
    }
    let of_rule = desk.call(&["explain", "maxLength", "--json"]).done().report();
    assert_eq!(of_rule["code"], "CF0402");
    let unknown = desk.call(&["explain", "CF0302"]).done();
    assert_eq!(unknown.exit, 12);
    assert!(unknown.stderr.contains("did you mean `CF0301`"), "{}", unknown.stderr);
}

#[test]
fn i_13_what_stands_in_a_bad_record_is_nowhere_but_in_a_quarantine_that_its_owner_reads() {
    let secret = "patient-4711-X5O!P%@AP";
    let desk = Desk::new(format!("a=1\n{secret}\nb=2\n").as_bytes());
    let said = desk.run(&guest("hello_parser")).done();
    assert_eq!(said.exit, 0, "{said:?}");
    let out = desk.path("out");
    let mode = |name: &str| std::fs::metadata(out.join(name)).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode("_quarantine.parquet"), 0o600);
    assert!(!said.stdout.contains(secret) && !said.stderr.contains(secret), "{said:?}");
    let receipt = std::fs::read_to_string(out.join("_receipt.json")).expect("a receipt");
    assert!(!receipt.contains(secret), "{receipt}");
}

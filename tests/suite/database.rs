//! Runs that are loaded into a database: all of one or nothing of it, once, and as it would have been written to files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value as Json;

use crate::host::{self, Call, Desk, INPUT, guest, program, root};

const DB: &str = "x.db";

fn demo() -> Vec<u8> {
    std::fs::read(root().join("guests/fix/samples/demo.log")).expect("the demo log")
}

/// Begins `host run PARSER input --json --sink sqlite://x.db`.
fn load<'a>(desk: &'a Desk, parser: &str) -> Call<'a> {
    desk.call(&["run"]).arg(guest(parser)).arg(INPUT).args(&["--json", "--sink", "sqlite://x.db"])
}

fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database")
}

/// All that is in a database, table by table, but for receipts: they tell the time.
pub(crate) fn dump(path: &Path) -> Vec<String> {
    let database = open(path);
    let tables = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut statement = database.prepare(tables).expect("a schema");
    let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("tables");
    let tables: Vec<(String, String)> = tables.map(|table| table.expect("a table")).collect();
    let mut lines = Vec::new();
    for (table, sql) in tables {
        lines.push(sql);
        lines.extend(rows(&database, &table).into_iter().map(|mut row| {
            row.retain(
                |cell| !matches!(cell, Value::Text(text) if text.starts_with("{\n  \"format_version\"")),
            );
            format!("{row:?}")
        }));
    }
    lines
}

fn rows(database: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\"")).expect("a table");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

fn count(desk: &Desk, sql: &str) -> i64 {
    open(&desk.path(DB)).query_row(sql, [], |row| row.get(0)).expect("a count")
}

#[test]
fn every_cell_in_the_database_is_as_it_is_in_lines_of_json() {
    let desk = Desk::new(&demo());
    load(&desk, "fix").done().report();
    let files = desk.call(&["run"]).arg(guest("fix")).args(&[INPUT, "--format", "jsonl"]);
    files.args(&["--json", "--out", "out"]).done().report();
    let database = open(&desk.path(DB));
    let mut compared = 0;
    for file in host::names(&desk.path("out")).iter().filter(|name| name.ends_with(".jsonl")) {
        let lines = std::fs::read_to_string(desk.path("out").join(file)).expect("a table");
        let found = rows(&database, file.trim_end_matches(".jsonl"));
        assert_eq!(found.len(), lines.lines().count(), "{file}");
        for (line, row) in lines.lines().zip(found) {
            let json: serde_json::Map<String, Json> = serde_json::from_str(line).expect("a line");
            assert_eq!(json.len() + 1, row.len());
            for (cell, (column, json)) in row[1..].iter().zip(&json_in_order(line, &json)) {
                assert!(is_same(cell, json), "{file} {column}: {cell:?} is not {json}");
                compared += 1;
            }
        }
    }
    assert!(compared > 1_000, "{compared} cells");
}

/// The pairs of a line as they stand in it: a map may keep them in another order.
fn json_in_order(line: &str, json: &serde_json::Map<String, Json>) -> Vec<(String, Json)> {
    let place = |key: &str| line.find(&format!("{}:", Json::from(key))).expect("a key stands in its line");
    let mut pairs: Vec<(String, Json)> = json.clone().into_iter().collect();
    pairs.sort_by_key(|(key, _)| place(key));
    pairs
}

fn is_same(cell: &Value, json: &Json) -> bool {
    match (cell, json) {
        (Value::Null, Json::Null) => true,
        (Value::Integer(cell), Json::Bool(json)) => *cell == i64::from(*json),
        (Value::Integer(cell), json) => json.as_i64() == Some(*cell),
        (Value::Real(cell), json) => json.as_f64() == Some(*cell),
        (Value::Text(cell), Json::String(json)) => cell == json,
        (Value::Text(cell), json) => serde_json::from_str::<Json>(cell).ok().as_ref() == Some(json),
        _ => false,
    }
}

#[test]
fn a_run_says_what_it_loaded_and_where_and_leaves_nothing_else() {
    let desk = Desk::new(&demo());
    let report = load(&desk, "fix").args(&["--tables", "messages"]).done().report();
    assert_eq!((&report["load"]["database"], &report["load"]["is_new"]), (&DB.into(), &true.into()));
    assert_eq!(report["load"]["rows"]["messages"], report["tables"][0]["accepted"], "{report}");
    assert_eq!(report["load"]["rows"]["_quarantine"], report["quarantine"]["rows"], "{report}");
    let held = count(&desk, "SELECT count(*) FROM _quarantine WHERE _cf_run = 1 AND length(raw) > 0");
    assert_eq!(Some(held), report["quarantine"]["rows"].as_i64());
    assert_eq!(desk.names(), [INPUT, DB]);
    let mode = std::fs::metadata(desk.path(DB)).expect("a database").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the quarantine is its owner's");
}

#[test]
fn what_is_known_of_a_run_stands_in_the_database() {
    let desk = Desk::new(&demo());
    let report = load(&desk, "fix").done().report();
    let database = open(&desk.path(DB));
    let text = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).expect("a text");
    assert_eq!(text("SELECT claim_sha256 FROM _cf_runs"), report["claim_sha256"].as_str().expect("a claim"));
    let receipt: Json = serde_json::from_str(&text("SELECT receipt FROM _cf_runs")).expect("a receipt");
    assert_eq!(receipt["claim_sha256"], report["claim_sha256"]);
    assert_eq!(text("SELECT parser_name || ' ' || contract_id FROM _cf_runs"), "fix fix");
    assert_eq!(text("SELECT input FROM _cf_inputs WHERE _cf_run = 1"), INPUT);
    assert_eq!(Json::from(text("SELECT sha256 FROM _cf_inputs")), report["input"]["sha256"]);
}

#[test]
fn a_run_that_is_loaded_again_changes_nothing_and_says_so() {
    let desk = Desk::new(&demo());
    load(&desk, "fix").done().report();
    let before = std::fs::read(desk.path(DB)).expect("a database");
    let report = load(&desk, "fix").done().report();
    assert_eq!((&report["load"]["run"], &report["load"]["is_new"]), (&1.into(), &false.into()));
    assert!(std::fs::read(desk.path(DB)).expect("a database") == before);
    let words = desk.call(&["run"]).arg(guest("fix")).args(&[INPUT, "--sink", "sqlite://x.db"]).done();
    assert!(words.stderr.contains("x.db has these rows already, as run 1; nothing was changed"), "{words:?}");
}

#[test]
fn names_with_quotes_and_spaces_are_columns_of_that_name() {
    let desk = Desk::new("\"he said \"\"x\"\"\",select,two words,ä\na,b,c,d\na,b,c,e\n".as_bytes());
    load(&desk, "csv").args(&["--tables", "rows"]).done().assert_completed();
    let sql = "SELECT count(*) FROM rows WHERE \"he said \"\"x\"\"\" = 'a' AND \"select\" = 'b' AND \"two words\" = 'c' \
               AND \"ä\" = 'd'";
    assert_eq!(count(&desk, sql), 1);
}

#[test]
fn other_columns_are_refused_with_the_difference_and_the_database_is_as_it_was() {
    let desk = Desk::new(b"a,b\n1,2\n3,4\n");
    load(&desk, "csv").args(&["--tables", "rows"]).done().assert_completed();
    let before = dump(&desk.path(DB));
    desk.write(INPUT, b"a,c\n1,2\n3,4\n");
    let message = load(&desk, "csv").args(&["--tables", "rows"]).done();
    let message = message.assert_fault("operator", "database-other-columns");
    assert!(message.ends_with("the run has `c` TEXT; the table has `b` TEXT"), "{message}");
    assert_eq!(dump(&desk.path(DB)), before);
}

#[test]
fn a_table_that_no_run_has_made_is_left_alone() {
    let desk = Desk::new(b"a,b\n1,2\n");
    let theirs = Connection::open(desk.path(DB)).expect("a database");
    theirs.execute_batch("CREATE TABLE rows (a, b); INSERT INTO rows VALUES (1, 2)").expect("a table");
    let before = dump(&desk.path(DB));
    let said = load(&desk, "csv").args(&["--tables", "rows"]).done();
    said.assert_fault("operator", "database-foreign-table");
    assert_eq!(dump(&desk.path(DB)), before);
}

#[test]
fn what_is_no_database_is_refused_before_anything_is_run() {
    let desk = Desk::new(&demo());
    desk.write(DB, b"not a database, and longer than its first sixteen bytes");
    load(&desk, "fix").done().assert_fault("operator", "not-a-database");
    assert_eq!(desk.names(), [INPUT, DB]);
    std::fs::remove_file(desk.path(DB)).expect("it goes");
    std::fs::create_dir(desk.path(DB)).expect("a folder");
    load(&desk, "fix").done().assert_fault("operator", "not-a-database");
    let call = desk.call(&["run"]).arg(guest("fix")).args(&[INPUT, "--json", "--sink", "sqlite://no/x.db"]);
    call.done().assert_fault("operator", "output-parent-missing");
}

#[test]
fn a_journal_of_a_database_that_is_gone_is_refused_and_left() {
    for ending in ["-journal", "-wal", "-shm"] {
        let desk = Desk::new(&demo());
        let journal = desk.path(&format!("{DB}{ending}"));
        std::fs::write(&journal, b"of an older one").expect("written");
        let message = load(&desk, "fix").done().assert_fault("operator", "not-a-database");
        assert!(
            message.contains("a journal (-journal, -wal or -shm) of an older one is beside it"),
            "{message}"
        );
        assert_eq!(std::fs::read(journal).expect("still there"), b"of an older one");
        assert!(!desk.path(DB).exists());
    }
}

#[test]
fn a_value_that_no_database_keeps_fails_the_run_and_no_database_is_made() {
    let desk = Desk::new(b"sixteen bytes...");
    let said = load(&desk, "evil").option("evil", "extreme_values").args(&["--tables", "extremes"]).done();
    let message = said.assert_fault("operator", "database-value");
    assert!(message.starts_with("table `extremes`, column `"), "{message}");
    desk.assert_untouched();
}

#[test]
fn a_verdict_that_is_no_loads_nothing() {
    let desk = Desk::new(&demo());
    let said = load(&desk, "fix").args(&["--strict"]).done();
    let report = said.report();
    assert_eq!((said.exit, &report["status"], &report["load"]), (1, &"held".into(), &Json::Null));
    assert_eq!(desk.names(), [INPUT, "x.db.held"]);
    load(&desk, "fix").done().report();
    assert_eq!(desk.names(), [INPUT, DB], "what was held before is taken away");
}

#[test]
fn whatif_loads_nothing() {
    let desk = Desk::new(&demo());
    load(&desk, "fix").args(&["--whatif"]).done().report();
    desk.assert_untouched();
}

#[test]
fn many_inputs_are_one_run_and_rows_say_which_they_are_of() {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("logs")).expect("a folder");
    desk.write("logs/a.log", &demo());
    desk.write("logs/b.log", &demo());
    let call = || {
        let call = desk.call(&["run"]).arg(guest("fix")).args(&["logs", "--json", "--tables", "messages"]);
        call.args(&["--sink", "sqlite://logs/x.db"]).done().reports().pop().expect("a report")
    };
    let report = call();
    assert_eq!(report["load"]["is_new"], true, "{report}");
    let database = open(&desk.path("logs/x.db"));
    let messages = database.prepare("SELECT _cf_source, count(*) FROM messages GROUP BY 1").expect("a table");
    let mut messages = messages;
    let found = messages.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    let found: Vec<(String, i64)> = found.map(|row| row.expect("a row")).collect();
    let each = report["tables"][0]["accepted"].as_i64().expect("a count") / 2;
    assert_eq!(found, [("logs/a.log".to_owned(), each), ("logs/b.log".to_owned(), each)]);
    assert_eq!(rows(&database, "_cf_inputs").len(), 2);
    let again = call();
    assert_eq!(again["load"]["is_new"], false, "the database is no input: {again}");
    assert_eq!(again["inputs"]["found"], 2);
}

#[test]
fn a_loader_that_is_killed_at_a_write_leaves_the_database_as_it_was() {
    let trial = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !trial.is_ok_and(|status| status.success()) {
        return;
    }
    let desk = Desk::new(b"a,b\n1,2\n");
    load(&desk, "csv").args(&["--tables", "rows"]).done().assert_completed();
    let before = dump(&desk.path(DB));
    for (database, nth) in [(DB, 1), (DB, 4), (DB, 20), ("new.db", 1), ("new.db", 20)] {
        desk.write(INPUT, &demo());
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", &format!("inject=pwrite64:signal=SIGKILL:when={nth}")]);
        let call = desk.call(&["run"]).arg(guest("fix")).args(&[INPUT, "--json"]);
        let command = call.arg("--sink").arg(format!("sqlite://{database}")).command();
        strace.arg("--").arg(program()).args(command.get_args()).current_dir(desk.path("."));
        for (key, value) in command.get_envs() {
            strace.env(key, value.unwrap_or_default());
        }
        let said = host::Said::new(strace.output().expect("strace starts"));
        said.assert_fault("host", "loader-crash");
        assert!(!desk.path("new.db").exists(), "no part of a new database is seen");
        assert_eq!(dump(&desk.path(DB)), before, "killed at write {nth} of {database}");
    }
    load(&desk, "fix").done().report();
    assert_eq!(count(&desk, "SELECT count(*) FROM _cf_runs"), 2);
    assert_eq!(desk.names(), [INPUT, DB]);
}

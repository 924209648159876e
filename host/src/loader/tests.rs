use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use casparian_core::fault::{Blame, Blamed as _};
use parquet::arrow::ArrowWriter;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::Value as Json;

use super::columns::Shape;
use super::fault::LoadFault;
use super::*;
use crate::sinks::guest::every_type;
use crate::sinks::json_lines;
use crate::staging::RECEIPT_FILE;

/// A folder of staged files, and a database beside it.
struct Desk {
    folder: tempfile::TempDir,
    tables: Vec<(TableName, u64)>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("staged")).unwrap();
        File::create(folder.path().join("db")).unwrap();
        let desk = Self { folder, tables: Vec::new() };
        std::fs::write(desk.staged().join(RECEIPT_FILE), "{}").unwrap();
        desk
    }

    fn staged(&self) -> PathBuf {
        self.folder.path().join("staged")
    }

    /// Stages a table, in the place of one of that name.
    fn stage(&mut self, table: &str, rows: &RecordBatch) {
        let file = File::create(self.staged().join(format!("{table}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
        writer.write(rows).unwrap();
        writer.close().unwrap();
        let table = TableName::new(table).unwrap();
        self.tables.retain(|(known, _)| *known != table);
        self.tables.push((table, rows.num_rows() as u64));
    }

    fn order(&self, claim: &str) -> Order {
        let named = |name: &str| Named { name: name.to_owned(), version: None, sha256: None };
        Order {
            database: self.folder.path().join("db").as_os_str().as_bytes().to_vec(),
            busy_ms: 0,
            run: Run {
                claim_sha256: Digest::of(claim.as_bytes()),
                parser: named("p"),
                contract: Some(named("c")),
                input: Some(Input {
                    input: "in.log".to_owned(),
                    sha256: None,
                    bytes: 7,
                    status: "completed".to_owned(),
                    claim_sha256: None,
                }),
                tables: self.tables.clone(),
                quarantine: 0,
            },
        }
    }

    fn load(&self, claim: &str) -> Result<Loaded, LoadFault> {
        let staged = Dir::open_ambient_dir(self.staged(), ambient_authority()).unwrap();
        database::load(&self.order(claim), &staged)
    }

    fn database(&self) -> Connection {
        Connection::open(self.folder.path().join("db")).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {}", columns::quoted(table));
        self.database().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// The file's bytes.
    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("db")).unwrap()
    }
}

fn one(name: &str, array: ArrayRef) -> RecordBatch {
    let field = Field::new(name, array.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap()
}

fn numbers(values: &[i64]) -> RecordBatch {
    one("n", Arc::new(Int64Array::from(values.to_vec())))
}

/// What SQLite can keep of [`every_type`].
fn storable() -> RecordBatch {
    let rows = every_type();
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::UInt64 => Arc::new(UInt64Array::from(vec![Some(1), None, Some(2)])) as ArrayRef,
        DataType::Float32 => {
            Arc::new(arrow_array::Float32Array::from(vec![Some(0.1), None, Some(f32::INFINITY)]))
        }
        DataType::Float64 => Arc::new(Float64Array::from(vec![Some(f64::MIN_POSITIVE), None, Some(0.1)])),
        _ => Arc::clone(column),
    });
    RecordBatch::try_new(rows.schema(), columns.collect()).unwrap()
}

/// Whether a cell says what JSONL says of it.
fn is_same(cell: &Value, json: &Json) -> bool {
    match (cell, json) {
        (Value::Null, Json::Null) => true,
        (Value::Integer(cell), Json::Number(json)) => Some(*cell) == json.as_i64(),
        (Value::Integer(cell), Json::Bool(json)) => *cell == i64::from(*json),
        (Value::Real(cell), Json::Number(json)) => {
            Some(*cell) == json.as_f64() || Some(*cell as f32) == json.as_f64().map(|json| json as f32)
        }
        (Value::Real(cell), Json::String(json)) => cell.is_infinite() && json == "Infinity",
        (Value::Text(cell), Json::String(json)) => cell == json,
        (Value::Text(cell), json) => serde_json::from_str::<Json>(cell).ok().as_ref() == Some(json),
        (Value::Blob(cell), Json::String(json)) => BASE64.encode(cell) == *json,
        _ => false,
    }
}

#[test]
fn a_cell_of_every_type_says_what_its_json_says() {
    let (mut desk, rows) = (Desk::new(), storable());
    desk.stage("t", &rows);
    desk.load("a").unwrap();
    let database = desk.database();
    let mut statement = database.prepare("SELECT * FROM t ORDER BY rowid").unwrap();
    let mut found = statement.query([]).unwrap();
    for line in json_lines(&rows) {
        let json: serde_json::Map<String, Json> = serde_json::from_str(&line).unwrap();
        let row = found.next().unwrap().expect("a row for each line");
        assert_eq!(row.get::<_, i64>(0).unwrap(), 1);
        for field in rows.schema().fields() {
            let (cell, json) = (row.get::<_, Value>(field.name().as_str()).unwrap(), &json[field.name()]);
            assert!(is_same(&cell, json), "{}: {cell:?} is not {json}", field.data_type());
        }
    }
    assert!(found.next().unwrap().is_none());
}

#[test]
fn a_claim_is_loaded_once() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1, 2]));
    assert_eq!(desk.load("a").unwrap(), Loaded { run: 1, is_new: true });
    let before = desk.bytes();
    assert_eq!(desk.load("a").unwrap(), Loaded { run: 1, is_new: false });
    assert!(desk.bytes() == before);
    assert_eq!(desk.load("b").unwrap(), Loaded { run: 2, is_new: true });
    assert_eq!((desk.count("t"), desk.count("_cf_runs"), desk.count("_cf_inputs")), (4, 2, 2));
}

#[test]
fn a_value_that_sqlite_would_alter_is_refused_with_its_place_and_nothing_is_loaded() {
    let mut desk = Desk::new();
    desk.stage("a", &numbers(&[1]));
    desk.stage("t", &one("big", Arc::new(UInt64Array::from(vec![1, u64::MAX]))));
    let fault = desk.load("a").unwrap_err();
    let said = "table `t`, column `big`, row 2 of the run: 18446744073709551615 is past 9223372036854775807, \
                the largest integer of SQLite";
    assert_eq!((fault.to_string().as_str(), fault.blame()), (said, Blame::Operator));
    assert!(fault.hint().is_some());
    assert!(desk.bytes().is_empty());
    desk.stage("t", &one("x", Arc::new(Float64Array::from(vec![f64::NAN]))));
    assert_eq!(desk.load("a").unwrap_err().code(), "database-value");
}

#[test]
fn columns_may_be_called_anything_that_sqlite_can_tell_apart() {
    let names = ["a \"b\" c", "select", "", "ä", "Ä", "x'; DROP TABLE t; --", "[q]", "`w`", "rowid", "%s\n"];
    let column = || Arc::new(StringArray::from(vec!["v"])) as ArrayRef;
    let fields: Vec<Field> = names.map(|name| Field::new(name, DataType::Utf8, true)).into();
    let columns = names.iter().map(|_| column()).collect();
    let mut desk = Desk::new();
    desk.stage("order", &RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap());
    desk.load("a").unwrap();
    let database = desk.database();
    let statement = database.prepare("SELECT * FROM \"order\"").unwrap();
    assert!(statement.column_names().skip(1).eq(names));
    assert!(!desk.load("a").unwrap().is_new);
    desk.load("b").unwrap();
}

#[test]
fn columns_that_sqlite_cannot_tell_apart_are_refused() {
    let refused = |table: &str, names: &[&str]| {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        Shape::new(table, &Schema::new(fields)).err().map(|fault| fault.to_string()).unwrap()
    };
    assert_eq!(
        refused("t", &["Name", "x", "nAME"]),
        "table `t`: columns `Name` and `nAME` are one to SQLite, which takes A for a"
    );
    assert!(refused("t", &["_CF_run"]).contains("`_cf_run` and `_CF_run`"));
    assert!(refused("t", &["a\0b"]).contains("`a\\u{0}b`"), "{}", refused("t", &["a\0b"]));
    assert!(refused("sqlite_t", &["a"]).contains("to itself"));
    let many: Vec<String> = (0..2_000).map(|n| format!("c{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(refused("t", &many), "table `t`: columns: limit 1999, wanted 2000");
}

#[test]
fn a_table_of_as_many_columns_as_sqlite_takes_is_loaded() {
    let fields: Vec<Field> = (0..1_999).map(|n| Field::new(format!("c{n}"), DataType::Int64, true)).collect();
    let columns = fields.iter().map(|_| Arc::new(Int64Array::from(vec![7])) as ArrayRef).collect();
    let mut desk = Desk::new();
    desk.stage("t", &RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap());
    desk.load("a").unwrap();
    assert_eq!(desk.count("t"), 1);
}

#[test]
fn other_columns_are_refused_with_the_difference_and_nothing_is_altered() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1]));
    desk.load("a").unwrap();
    let before = desk.bytes();
    desk.stage("t", &one("n", Arc::new(StringArray::from(vec!["1"]))));
    let fault = desk.load("b").unwrap_err().to_string();
    assert_eq!(
        fault,
        "table `t` of the database has other columns: the run has `n` TEXT; the table has `n` INTEGER"
    );
    assert!(desk.bytes() == before);
}

#[test]
fn what_somebody_else_has_made_is_left_alone() {
    for made in [
        "CREATE TABLE t (n INTEGER)",
        "CREATE TABLE T (_cf_run INTEGER NOT NULL, n INTEGER)",
        "CREATE VIEW t AS SELECT 1 AS n",
        "CREATE TABLE _cf_runs (id INTEGER)",
        "CREATE TABLE o (a); CREATE INDEX t ON o (a)",
    ] {
        let mut desk = Desk::new();
        desk.stage("t", &numbers(&[1]));
        desk.database().execute_batch(made).unwrap();
        let before = desk.bytes();
        let code = desk.load("a").unwrap_err().code();
        assert!(["database-foreign-table", "database-other-columns"].contains(&code), "{made}: {code}");
        assert!(desk.bytes() == before, "{made}");
    }
}

#[test]
fn a_database_of_somebody_else_gets_the_tables_beside_its_own() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1]));
    desk.database().execute_batch("CREATE TABLE theirs (n); INSERT INTO theirs VALUES (1)").unwrap();
    desk.load("a").unwrap();
    assert_eq!((desk.count("theirs"), desk.count("t"), desk.count("_quarantine")), (1, 1, 0));
}

#[test]
fn a_trigger_that_somebody_put_on_a_table_does_not_touch_what_is_loaded() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1, 2]));
    desk.load("a").unwrap();
    let trigger = "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END";
    desk.database().execute_batch(trigger).unwrap();
    desk.load("b").unwrap();
    assert_eq!(desk.count("t"), 4);
}

#[test]
fn a_database_that_somebody_else_writes_to_is_waited_for_and_then_refused() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1]));
    let theirs = desk.database();
    theirs.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fault = desk.load("a").unwrap_err();
    assert_eq!(fault.to_string(), "the database is in use by somebody else: waited 0 ms");
    theirs.execute_batch("ROLLBACK").unwrap();
    desk.load("a").unwrap();
}

#[test]
fn readers_of_a_database_with_a_log_of_its_own_see_what_was_there() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1]));
    desk.load("a").unwrap();
    let reader = desk.database();
    reader.execute_batch("PRAGMA journal_mode = WAL; BEGIN; SELECT count(*) FROM t").unwrap();
    let count = || reader.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1);
    desk.load("b").unwrap();
    assert_eq!(count(), 1);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(), 2);
}

#[test]
fn a_database_in_which_text_would_be_altered_is_refused() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1]));
    desk.database().execute_batch("PRAGMA encoding = 'UTF-16'; CREATE TABLE theirs (n)").unwrap();
    assert_eq!(desk.load("a").unwrap_err().code(), "database-encoding");
}

#[test]
fn a_file_that_only_begins_like_a_database_is_refused() {
    let desk = Desk::new();
    std::fs::write(desk.folder.path().join("db"), b"SQLite format 3\0 and so on".repeat(100)).unwrap();
    let fault = desk.load("a").unwrap_err();
    assert_eq!((fault.code(), fault.blame()), ("not-a-database", Blame::Operator));
}

#[test]
fn rows_that_are_not_as_many_as_are_claimed_are_not_loaded() {
    let mut desk = Desk::new();
    desk.stage("t", &numbers(&[1, 2]));
    desk.tables[0].1 = 3;
    let fault = desk.load("a").unwrap_err();
    assert_eq!(fault.to_string(), "table `t` was staged with 2 rows, and 3 are claimed");
    assert!(desk.bytes().is_empty());
}

#[test]
fn parts_are_loaded_in_their_order() {
    let mut desk = Desk::new();
    std::fs::create_dir(desk.staged().join("t")).unwrap();
    for (part, value) in [("1000000", 3), ("000002", 1), ("000010", 2)] {
        desk.stage("part", &numbers(&[value]));
        let to = desk.staged().join("t").join(format!("{part}.parquet"));
        std::fs::rename(desk.staged().join("part.parquet"), to).unwrap();
    }
    desk.tables = vec![(TableName::new("t").unwrap(), 3)];
    desk.load("a").unwrap();
    let sql = "SELECT group_concat(n) FROM (SELECT n FROM t ORDER BY rowid)";
    assert_eq!(desk.database().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap(), "1,2,3");
}

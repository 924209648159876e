//! Inputs whose columns differ: left out and said so, or one table with the columns of all, whoever wrote which part when.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;
use serde_json::Value as Json;

use crate::host::{self, Call, Desk, OUT, Said, guest};
use crate::tables;

/// A desk with a folder of CSV files.
fn desk(files: &[(&str, &str)]) -> Desk {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("in")).expect("a folder");
    for (name, text) in files {
        desk.write(&format!("in/{name}"), text.as_bytes());
    }
    desk
}

/// Files whose columns come and go, the last of them in another order.
const FILES: [(&str, &str); 3] = [
    ("a.csv", "id,name\n1,ann\n2,bob\n3,cy\n"),
    ("b.csv", "id,price,name\n4,1.5,dan\n5,2.5,eve\n6,3.5,fay\n"),
    ("c.csv", "name,id\ngus,7\nhal,8\nivy,9\n"),
];
/// Writes one name otherwise than the others, and brings one of its own.
const ODD: (&str, &str) = ("b2.csv", "ID,colour\n10,red\n11,blue\n12,green\n");

fn over<'a>(desk: &'a Desk, out: &str) -> Call<'a> {
    let call = desk.call(&["run"]).arg(guest("csv"));
    call.args(&["in", "--json", "--tables", "rows", "--out", out])
}

fn united<'a>(desk: &'a Desk, out: &str) -> Call<'a> {
    over(desk, out).args(&["--schema", "union"])
}

#[track_caller]
fn all(said: &Said) -> Json {
    said.reports().pop().unwrap_or_else(|| panic!("nothing was said: {said:?}"))
}

/// Reads a dataset's table, part by part.
#[track_caller]
fn parts(out: &Path) -> Vec<Vec<RecordBatch>> {
    let folder = out.join("rows");
    host::names(&folder).iter().map(|part| tables::read(&folder.join(part))).collect()
}

/// Returns the columns that every part has.
#[track_caller]
fn columns(out: &Path) -> Vec<String> {
    let parts = parts(out);
    let names = |rows: &RecordBatch| -> Vec<String> {
        rows.schema()
            .fields()
            .iter()
            .map(|field| format!("{} {}", field.name(), field.is_nullable()))
            .collect()
    };
    let first = names(&parts[0][0]);
    assert!(parts.iter().flatten().all(|rows| names(rows) == first), "parts differ in their columns");
    first
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).expect("a file");
        (name, bytes)
    };
    host::names(folder).into_iter().map(read).collect()
}

#[test]
fn an_input_with_other_columns_is_left_out_with_the_difference_and_a_hint() {
    let desk = desk(&FILES);
    let all = all(&over(&desk, OUT).done());
    assert_eq!(all["status"], "partial");
    let fault = &all["left_out"][0]["fault"];
    assert_eq!(fault["code"], "columns-differ");
    let message = fault["message"].as_str().unwrap_or_default();
    assert!(message.contains("column 2 is `price` (Utf8), there `name` (Utf8)"), "{message}");
    assert!(!message.contains("_cf_"), "{message}");
    assert!(fault["hint"].as_str().unwrap_or_default().contains("--schema union"), "{fault}");
    let shown =
        desk.call(&["run"]).arg(guest("csv")).args(&["in", "--tables", "rows", "--out", "again"]).done();
    assert!(shown.stderr.contains("hint: `--schema union`"), "{shown:?}");
}

#[test]
fn a_union_has_the_columns_of_all_inputs_as_they_were_first_met_and_null_where_one_lacks_them() {
    let desk = desk(&FILES);
    let said = united(&desk, OUT).done();
    assert_eq!((said.exit, all(&said)["status"].as_str()), (0, Some("completed")), "{said:?}");
    let out = desk.path(OUT);
    let ours = ["_cf_source false", "_cf_record_no false", "_cf_offset false", "_cf_length false"];
    assert_eq!(columns(&out), [&["id true", "name true", "price true"], ours.as_slice()].concat());
    let rows: Vec<RecordBatch> = parts(&out).into_iter().flatten().collect();
    let texts = |texts: &[Option<&str>]| -> Vec<Option<String>> {
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    };
    let ids: Vec<String> = (1..10).map(|id| id.to_string()).collect();
    let ids: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    assert_eq!(tables::texts(&rows, "id"), texts(&ids));
    let prices = [None, None, None, Some("1.5"), Some("2.5"), Some("3.5"), None, None, None];
    assert_eq!(tables::texts(&rows, "price"), texts(&prices));
}

#[test]
fn an_input_that_spells_a_column_otherwise_is_left_out_and_brings_no_column() {
    let files = [FILES.as_slice(), &[ODD]].concat();
    let desk = desk(&files);
    let all = all(&united(&desk, OUT).done());
    assert_eq!(all["left_out"][0]["input"], "in/b2.csv");
    let fault = &all["left_out"][0]["fault"];
    assert_eq!(fault["code"], "columns-differ");
    assert!(fault["message"].as_str().unwrap_or_default().ends_with("`ID` is written `id` there"), "{fault}");
    assert!(!columns(&desk.path(OUT)).iter().any(|column| column.starts_with("colour")));
}

#[test]
fn an_input_claims_the_same_alone_and_in_a_union() {
    let desk = desk(&FILES);
    let reports = united(&desk, OUT).done().reports();
    for (at, (name, _)) in FILES.iter().enumerate() {
        let alone = desk.call(&["run"]).arg(guest("csv")).arg(format!("in/{name}"));
        let alone =
            alone.args(&["--json", "--tables", "rows", "--out", &format!("alone{at}")]).done().report();
        assert!(alone["claim_sha256"].is_string(), "{alone}");
        assert_eq!(alone["claim_sha256"], reports[at]["claim_sha256"], "{name}");
    }
}

#[test]
fn a_union_claims_its_columns_and_its_receipt_is_verified() {
    let desk = desk(&FILES);
    united(&desk, OUT).done();
    let text = std::fs::read(desk.path("out/_receipt.json")).expect("a receipt");
    let receipt: Json = serde_json::from_slice(&text).expect("JSON");
    let price = &receipt["claim"]["columns"]["rows"][2];
    assert_eq!(*price, serde_json::json!({ "name": "price", "type": "Utf8", "nullable": true }));
    assert_eq!(desk.call(&["verify", "out/_receipt.json"]).done().exit, 0);
}

#[test]
fn inputs_with_the_same_columns_are_one_table_byte_by_byte_whether_united_or_not() {
    let desk = desk(&[FILES[0], ("b.csv", "id,name\n4,dan\n5,eve\n6,fay\n")]);
    let claim = |out: &str, call: Call<'_>| {
        let all = all(&call.done());
        assert_eq!(all["status"], "completed", "{all}");
        files(&desk.path(out).join("rows"))
    };
    assert!(claim(OUT, over(&desk, OUT)) == claim("united", united(&desk, "united")));
}

/// Columns come late and early, and some inputs do not fit in: segments that were run before all was known must not show.
#[test]
fn the_number_of_workers_changes_no_byte_and_no_claim_of_a_union() {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("in")).expect("a folder");
    for at in 0..700 {
        let own = match at {
            40 => "early",
            300 => "middle",
            690 => "late",
            301 | 650 => "EARLY",
            _ => "name",
        };
        let text = format!("id,{own}\n{at},x\n{at},y\n{at},z\n");
        desk.write(&format!("in/{at:03}.csv"), text.as_bytes());
    }
    let run = |jobs: &str, format: &str| {
        let out = format!("out{jobs}{format}");
        let said = united(&desk, &out).args(&["--jobs", jobs, "--format", format]).done();
        let all = all(&said);
        assert_eq!(all["inputs"]["failed"], 2, "{all}");
        (all["claim_sha256"].clone(), files(&desk.path(&out).join("rows")), columns_of(&desk.path(&out)))
    };
    let one = run("1", "parquet");
    assert_eq!(one.2, ["id", "name", "early", "middle", "late"]);
    assert!(one.1.len() >= 3 && one.0.is_string());
    for jobs in ["2", "4"] {
        let other = run(jobs, "parquet");
        assert!(one.0 == other.0, "{jobs} workers make another claim");
        assert!(one.1 == other.1, "{jobs} workers write other parts");
    }
    assert_eq!(
        run("1", "csv")
            .1
            .values()
            .flat_map(|part| part.split(|byte| *byte == b'\n').next())
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1
    );
}

/// Returns the columns that a receipt claims, without ours.
#[track_caller]
fn columns_of(out: &Path) -> Vec<String> {
    let text = std::fs::read(out.join("_receipt.json")).expect("a receipt");
    let receipt: Json = serde_json::from_slice(&text).expect("JSON");
    let columns = receipt["claim"]["columns"]["rows"].as_array().cloned().unwrap_or_default();
    let names = columns.iter().filter_map(|column| column["name"].as_str().map(str::to_owned));
    names.filter(|name| !name.starts_with("_cf_")).collect()
}

#[test]
fn a_worker_that_is_replaced_changes_no_row_of_a_union() {
    let desk = desk(&FILES);
    let rows = |out: &str, more: &[&str]| {
        let all = all(&united(&desk, out).args(more).done());
        let rows: Vec<RecordBatch> = parts(&desk.path(out)).into_iter().flatten().collect();
        let cells = ["id", "name", "price", "_cf_source"].map(|column| tables::texts(&rows, column));
        (all["claim_sha256"].clone(), columns(&desk.path(out)), cells)
    };
    assert_eq!(rows(OUT, &[]), rows("often", &["--recycle-after", "1"]));
}

#[test]
fn a_union_is_loaded_into_a_database_and_shown_in_a_preview() {
    let desk = desk(&FILES);
    let call = desk.call(&["run"]).arg(guest("csv"));
    let call = call.args(&["in", "--tables", "rows", "--schema", "union", "--sink", "sqlite://all.db"]);
    let said = call.done();
    assert_eq!(said.exit, 0, "{said:?}");
    let call = desk.call(&["run"]).arg(guest("csv"));
    let shown = call.args(&["in", "--tables", "rows", "--schema", "union"]).done();
    let line = shown.stdout.lines().find(|line| line.contains("dan")).unwrap_or_default().to_owned();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["4", "dan", "1.5", "in/b.csv"], "{shown:?}");
}

#[test]
fn one_input_is_no_union() {
    let desk = desk(&FILES);
    let call = desk.call(&["run"]).arg(guest("csv")).args(&["in/a.csv", "--schema", "union"]);
    assert_eq!(call.done().exit, 2);
}

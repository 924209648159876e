//! Contracts from the outside: which one a run is judged by, what comes of it, and what is said of one that is no good.

use std::fs::File;
use std::path::PathBuf;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType;
use casparian_sandbox::section;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::host::{Desk, OUT, Said, guest, names};

/// Lines of `key=value` whose values are numbers, most of them.
const PAIRS: &[u8] = b"a=1\nb=2\nc=0042\nd=x\na=5\n";

/// A contract for `hello`; `table` is what it says of the table besides its columns.
fn contract(value: &str, table: &str) -> String {
    format!(
        "apiVersion: v3.1.0
kind: DataContract
id: pairs-of-numbers
name: Pairs of numbers
version: 1.2.0
status: draft
schema:
  - name: pairs
    logicalType: object
    physicalType: table
    properties:
      - {{name: key, logicalType: string, required: true}}
      - {{name: value, logicalType: integer, {value}}}
{table}"
    )
}

const BUDGET: &str = "    quality:\n      - {type: library, metric: rowCount, mustBeGreaterThan: 10}\n";

/// Puts a contract into `hello`.
fn hello_with(desk: &Desk, contract: &str) -> PathBuf {
    let hello = std::fs::read(guest("hello_parser")).expect("the component");
    let component = section::with_contract(&hello, contract.as_bytes()).expect("a contract of bearable size");
    desk.write("hello.wasm", &component)
}

fn run_given(desk: &Desk, contract: &str) -> Said {
    let file = desk.write("pairs.odcs.yaml", contract.as_bytes());
    desk.run(&guest("hello_parser")).arg("--contract").arg(file).done()
}

fn pairs(desk: &Desk) -> (RecordBatch, Vec<(String, Option<String>)>) {
    let file = File::open(desk.path(OUT).join("pairs.parquet")).expect("the table");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let keys = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let keys = keys.into_iter().map(|pair| (pair.key, pair.value)).collect();
    let rows = reader.build().expect("rows").next().expect("a batch").expect("readable");
    (rows, keys)
}

#[test]
fn texts_become_what_the_contract_says_or_go_to_quarantine() {
    let desk = Desk::new(PAIRS);
    let report = run_given(&desk, &contract("required: true", "")).report();
    assert_eq!(report["status"], "completed_with_quarantine");
    assert_eq!(report["quarantine"]["by_code"], serde_json::json!({"CF0201": 1, "CF0202": 1}));
    assert_eq!(report["contract"]["id"], "pairs-of-numbers");
    assert_eq!(report["contract"]["origin"], "given");
    let (rows, keys) = pairs(&desk);
    let values = rows.column_by_name("value").expect("the column");
    assert_eq!((values.data_type(), values.len()), (&DataType::Int64, 3));
    assert_eq!(values.as_primitive::<Int64Type>().values(), &[1, 2, 5]);
    let hash = report["contract"]["hash"].as_str().map(str::to_owned);
    assert!(keys.contains(&("casparian.contract.sha256".to_owned(), hash)), "{keys:?}");
    assert!(keys.contains(&("casparian.contract.id".to_owned(), Some("pairs-of-numbers".to_owned()))));
}

#[test]
fn a_component_brings_its_contract_along_and_somebody_may_want_another_or_none() {
    let desk = Desk::new(PAIRS);
    let hello = hello_with(&desk, &contract("required: true", ""));
    let quarantined = |said: Said| {
        let report = said.report();
        (report["quarantine"]["rows"].as_u64(), report["contract"]["origin"].as_str().map(str::to_owned))
    };
    let run = || desk.run(&hello).arg("--replace");
    assert_eq!(quarantined(run().done()), (Some(2), Some("embedded".to_owned())));
    assert_eq!(quarantined(run().arg("--no-contract").done()), (Some(0), None));
    let small = desk.write("small.odcs.yaml", contract("logicalTypeOptions: {maximum: 1}", "").as_bytes());
    let said = run().arg("--contract").arg(small).done();
    assert_eq!(quarantined(said), (Some(4), Some("given".to_owned())));
}

#[test]
fn one_key_has_one_row_and_it_is_the_first() {
    let desk = Desk::new(b"a=1\nb=2\na=3\nc=x\nc=4\n");
    let yaml = contract("required: true", "")
        .replace("string, required: true", "string, required: true, unique: true");
    let report = run_given(&desk, &yaml).report();
    assert_eq!(report["quarantine"]["by_code"], serde_json::json!({"CF0201": 1, "CF0501": 1}));
    let (rows, _) = pairs(&desk);
    assert_eq!(rows.column_by_name("value").expect("it").as_primitive::<Int64Type>().values(), &[1, 2, 4]);
}

#[test]
fn a_budget_that_is_not_kept_holds_everything_but_the_quarantine() {
    let desk = Desk::new(PAIRS);
    let said = run_given(&desk, &contract("required: true", BUDGET));
    let report = said.report();
    assert_eq!((said.exit, report["status"].as_str()), (1, Some("held")));
    let held = serde_json::json!([{"table": "pairs", "rule": "rowCount", "expected": "> 10 rows", "observed": "3 rows"}]);
    assert_eq!(report["held"], held);
    assert!(!desk.path(OUT).exists(), "nothing is published");
    assert!(names(&desk.path("out.held")).contains(&"_quarantine.parquet".to_owned()));
}

#[test]
fn a_budget_holds_a_run_without_a_quarantine_too() {
    let desk = Desk::new(b"a=1\n");
    let said = run_given(&desk, &contract("required: true", BUDGET));
    assert_eq!((said.exit, said.report()["status"].as_str()), (1, Some("held")));
    assert!(!desk.path(OUT).exists(), "nothing is published");
}

#[test]
fn a_share_of_rows_in_quarantine_may_be_too_large() {
    let budget = "    customProperties:\n      - {property: quarantineBudget, value: {maxPercent: 30}}\n";
    let said = run_given(&Desk::new(PAIRS), &contract("required: true", budget));
    assert_eq!(said.report()["held"][0]["observed"], "40 %");
    let bearable = budget.replace("30", "40");
    let said = run_given(&Desk::new(PAIRS), &contract("required: true", &bearable));
    assert_eq!((said.exit, said.report()["held"].as_array().map(Vec::len)), (0, Some(0)));
}

#[test]
fn a_rule_that_only_warns_is_counted_and_the_row_is_written() {
    let warning = "quality: [{type: library, metric: invalidValues, arguments: {validValues: [1]}, mustBe: 0, severity: warning}]";
    let desk = Desk::new(b"a=1\nb=2\nc=3\n");
    let report = run_given(&desk, &contract(warning, "")).assert_completed();
    assert_eq!(report["rule_warnings"][0]["rows"], 2, "{report}");
    assert_eq!(pairs(&desk).0.num_rows(), 3);
}

#[test]
fn a_contract_that_is_no_good_is_refused_with_its_place_before_anything_is_made() {
    let desk = Desk::new(PAIRS);
    let said = run_given(&desk, &contract("requird: true", ""));
    let message = said.assert_fault("operator", "bad-contract");
    assert!(message.contains("pairs.odcs.yaml: ") && message.contains("line 13, column "), "{message}");
    let hint = said.report()["fault"]["hint"].to_string();
    assert!(hint.contains("required"), "{hint}");
    assert!(!desk.path(OUT).exists());
}

#[test]
fn a_contract_that_a_component_brings_along_and_that_is_no_good_is_the_parsers_fault() {
    let desk = Desk::new(PAIRS);
    for bad in ["]]]", &"[".repeat(100_000), &contract("requird: true", ""), "\u{0}", "a: &a [*a, *a]"] {
        let hello = hello_with(&desk, bad);
        let said = desk.run(&hello).arg("--replace").done();
        said.assert_fault("guest", "bad-contract");
        desk.run(&hello).arg("--no-contract").arg("--replace").done().assert_completed();
    }
}

#[test]
fn a_contract_of_another_parser_is_refused_by_name() {
    let desk = Desk::new(PAIRS);
    let message =
        run_given(&desk, &contract("required: true", "").replace("name: pairs\n", "name: orders\n"))
            .assert_fault("operator", "table-not-in-contract");
    assert_eq!(message, "CF0705: the parser opens table `pairs`, which the contract does not name");
}

#[test]
fn a_contract_of_another_parser_is_not_embedded_unless_somebody_insists() {
    let desk = Desk::new(b"");
    let other = contract("required: true", "").replace("name: pairs\n", "name: orders\n");
    let (good, bad) = (contract("required: true", ""), other);
    let embed = |yaml: &str, words: &[&str]| {
        let yaml = desk.write("c.odcs.yaml", yaml.as_bytes());
        let call = desk.call(&["contract", "embed"]).arg(guest("hello_parser")).arg(yaml);
        call.args(&["--out", "made.wasm"]).args(words).done()
    };
    let said = embed(&bad, &[]);
    assert_eq!(said.exit, 12, "{said:?}");
    assert!(said.stderr.contains("CF0705: the parser opens table `pairs`"), "{said:?}");
    assert!(said.stderr.contains("--force embeds it all the same"), "{said:?}");
    assert!(!desk.path("made.wasm").exists());
    assert_eq!(embed(&good, &[]).exit, 0);
    std::fs::remove_file(desk.path("made.wasm")).expect("removed");
    assert_eq!(embed(&bad, &["--force"]).exit, 0);
    let said = desk.call(&["inspect", "made.wasm", "--json"]).done();
    assert_eq!(said.report()["misfit"]["code"], "table-not-in-contract");
}

#[test]
fn a_preview_shows_rows_as_the_contract_makes_them() {
    let desk = Desk::new(PAIRS);
    let file = desk.write("pairs.odcs.yaml", contract("required: true", "").as_bytes());
    let said = desk
        .call(&["run"])
        .arg(guest("hello_parser"))
        .arg(desk.path("input"))
        .arg("--contract")
        .arg(file)
        .done();
    assert!(said.stdout.contains("Int64"), "{}", said.stdout);
    assert!(said.stderr.contains("contract pairs-of-numbers 1.2.0"), "{}", said.stderr);
}

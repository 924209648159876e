//! Many inputs of one parser: one dataset, whatever the number of workers, whatever becomes of single inputs.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

use arrow_array::RecordBatch;
use serde_json::Value as Json;

use crate::host::{self, Call, Desk, OUT, Said, guest};
use crate::tables;

/// Some FIX messages: good ones, and where `bad` one that cannot be read.
fn log(at: usize, bad: bool) -> Vec<u8> {
    let samples = host::root().join("guests/fix/samples");
    let demo = std::fs::read(samples.join("good/soh_lines.log")).expect("a sample");
    let lines: Vec<&[u8]> = demo.split_inclusive(|byte| *byte == b'\n').collect();
    let mut log: Vec<u8> = (0..=at % 3).flat_map(|line| lines[(at + line) % lines.len()]).copied().collect();
    if bad {
        log.extend_from_slice(b"8=FIX.4.4\x019=5\x0135=D\x01garbage\n");
    }
    log
}

/// A log that takes more fuel than [`frugal`] grants.
fn long() -> Vec<u8> {
    let demo = std::fs::read(host::root().join("guests/fix/samples/demo.log")).expect("a sample");
    demo.repeat(1 + (2 << 20) / demo.len())
}

/// A desk with a folder of logs.
fn desk(count: usize, is_bad: impl Fn(usize) -> bool) -> Desk {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("logs")).expect("a folder");
    for at in 0..count {
        desk.write(&format!("logs/{at:04}.log"), &log(at, is_bad(at)));
    }
    desk
}

/// Begins a run over the folder of logs.
fn over<'a>(desk: &'a Desk, inputs: &[&str], out: &str) -> Call<'a> {
    let call = desk.call(&["run"]).arg(guest("fix"));
    call.args(inputs).args(&["--json", "--tables", "messages,fields", "--out", out])
}

fn frugal(call: Call<'_>) -> Call<'_> {
    call.limit("fuel", "20M").args(&["--on-trap", "fail"])
}

/// Returns the reports of inputs, and the one of them all.
#[track_caller]
fn taken_apart(said: &Said) -> (Vec<Json>, Json) {
    let mut reports = said.reports();
    let all = reports.pop().unwrap_or_else(|| panic!("nothing was said: {said:?}"));
    assert_eq!(all["kind"], "dataset", "{said:?}");
    (reports, all)
}

/// Reads a table of a dataset, part by part.
#[track_caller]
fn rows(out: &Path, table: &str) -> Vec<RecordBatch> {
    let folder = out.join(table);
    host::names(&folder).iter().flat_map(|part| tables::read(&folder.join(part))).collect()
}

fn sources(rows: &[RecordBatch]) -> Vec<String> {
    let mut sources: Vec<String> = tables::texts(rows, "_cf_source").into_iter().flatten().collect();
    sources.dedup();
    sources
}

/// All files below a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in host::names(folder) {
        let path = folder.join(&name);
        match path.is_dir() {
            true => {
                found.extend(files(&path).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)))
            }
            false => drop(found.insert(name, std::fs::read(&path).expect("a file"))),
        }
    }
    found
}

#[test]
fn a_folder_becomes_one_table_in_the_order_of_its_files() {
    let desk = desk(5, |at| at == 2);
    let said = over(&desk, &["logs"], OUT).done();
    let (inputs, all) = taken_apart(&said);
    assert_eq!((said.exit, all["status"].as_str()), (0, Some("completed_with_quarantine")), "{all}");
    assert_eq!(inputs.len(), 5);
    assert_eq!(
        host::names(&desk.path(OUT)),
        ["_quarantine", "_receipt.json", "_receipts.jsonl", "fields", "messages"]
    );
    let messages = rows(&desk.path(OUT), "messages");
    let due: Vec<String> = (0..5).map(|at| format!("logs/{at:04}.log")).collect();
    assert_eq!(sources(&messages), due);
    assert_eq!(Some(tables::count(&messages)), all["tables"][1]["accepted"].as_u64());
    let held = rows(&desk.path(OUT), "_quarantine");
    let mut paths = tables::texts(&held, "input_path");
    paths.dedup();
    assert_eq!(paths, [Some("logs/0002.log".to_owned())]);
    assert_eq!(tables::texts(&held, "input_sha256")[0].as_deref(), inputs[2]["input"]["sha256"].as_str());
}

#[test]
fn an_input_claims_the_same_alone_and_among_others() {
    let desk = desk(3, |at| at == 1);
    let (among, _) = taken_apart(&over(&desk, &["logs"], OUT).done());
    for (at, among) in among.iter().enumerate() {
        let name = format!("logs/{at:04}.log");
        let alone = over(&desk, &[&name], &format!("alone{at}")).done().report();
        assert_eq!(alone["claim_sha256"], among["claim_sha256"], "{name}");
        assert!(alone["claim_sha256"].is_string());
    }
}

#[test]
fn the_number_of_workers_changes_no_byte_and_no_claim() {
    let desk = desk(600, |at| at % 50 == 7);
    let run = |jobs: &str| {
        let out = format!("out{jobs}");
        let said = over(&desk, &["logs"], &out).args(&["--jobs", jobs]).done();
        let (inputs, all) = taken_apart(&said);
        let claims: Vec<Json> = inputs.iter().map(|input| input["claim_sha256"].clone()).collect();
        let mut files = files(&desk.path(&out));
        // Its circumstances tell how many there were.
        files.remove("_receipt.json");
        (all["claim_sha256"].clone(), claims, files)
    };
    let one = run("1");
    assert!(one.0.is_string());
    assert_eq!(one.2.keys().filter(|name| name.starts_with("messages/")).count(), 3);
    for jobs in ["2", "4"] {
        let other = run(jobs);
        assert!((&one.0, &one.1) == (&other.0, &other.1), "{jobs} workers make other claims");
        assert_eq!(one.2.keys().collect::<Vec<_>>(), other.2.keys().collect::<Vec<_>>());
        for (name, bytes) in &one.2 {
            assert!(*bytes == other.2[name], "{jobs} workers: {name} differs");
        }
    }
}

#[test]
fn a_worker_that_is_replaced_changes_no_claim_and_no_row() {
    let desk = desk(9, |at| at == 4);
    let run = |out: &str, more: &[&str]| {
        let (_, all) = taken_apart(&over(&desk, &["logs"], out).args(more).done());
        (all["claim_sha256"].clone(), rows(&desk.path(out), "messages"))
    };
    let (claim, messages) = run(OUT, &[]);
    let (other_claim, other_messages) = run("often", &["--recycle-after", "2"]);
    assert_eq!(claim, other_claim);
    assert_eq!(host::names(&desk.path("often/messages")).len(), 5);
    for column in ["_cf_source", "msg_type"] {
        assert_eq!(tables::texts(&messages, column), tables::texts(&other_messages, column));
    }
}

#[test]
fn an_input_that_ends_badly_is_left_out_wherever_it_stands() {
    for place in [0, 2, 4] {
        let desk = desk(5, |_| false);
        desk.write(&format!("logs/{place:04}.log"), &long());
        let said = frugal(over(&desk, &["logs"], OUT)).args(&["--jobs", "1"]).done();
        let (inputs, all) = taken_apart(&said);
        assert_eq!((said.exit, all["status"].as_str()), (3, Some("partial")), "{all}");
        let bad = format!("logs/{place:04}.log");
        assert_eq!(all["left_out"][0]["input"], bad.as_str());
        assert_eq!(all["left_out"][0]["fault"]["code"], "fuel-exhausted");
        let statuses: Vec<_> =
            inputs.iter().map(|input| input["status"].as_str() == Some("completed")).collect();
        assert_eq!(statuses, (0..5).map(|at| at != place).collect::<Vec<_>>());
        let due: Vec<String> =
            (0..5).filter(|at| *at != place).map(|at| format!("logs/{at:04}.log")).collect();
        for table in ["messages", "fields"] {
            assert_eq!(sources(&rows(&desk.path(OUT), table)), due, "{table}");
        }
    }
}

#[test]
fn where_every_input_fails_nothing_is_published() {
    let desk = desk(0, |_| false);
    desk.write("logs/a", &long());
    desk.write("logs/b", &long());
    let said = frugal(over(&desk, &["logs"], OUT)).done();
    let (_, all) = taken_apart(&said);
    assert_eq!((said.exit, all["status"].as_str()), (10, Some("failed")), "{all}");
    assert_eq!(desk.names(), ["input", "logs"]);
}

#[test]
fn strict_publishes_nothing_where_an_input_fails_or_holds_something_back() {
    let desk = desk(3, |_| false);
    let strict = |inputs: &[&str]| {
        let said = over(&desk, inputs, OUT).arg("--strict").done();
        let (_, all) = taken_apart(&said);
        assert_eq!(all["status"], "held", "{all}");
        said.exit
    };
    assert_eq!(strict(&["logs", "nowhere"]), 12);
    desk.write("logs/bad", &log(0, true));
    assert_eq!(strict(&["logs"]), 1);
    assert!(!desk.path(OUT).exists());
    assert_eq!(host::names(&desk.path("out.held")), ["_quarantine", "_receipt.json", "_receipts.jsonl"]);
}

#[test]
fn an_input_that_is_not_there_is_left_out_and_said() {
    let desk = desk(2, |_| false);
    let said = over(&desk, &["logs/0000.log", "nowhere", "logs/0001.log"], OUT).done();
    let (inputs, all) = taken_apart(&said);
    assert_eq!((said.exit, inputs[1]["fault"]["code"].as_str()), (3, Some("input-missing")));
    assert_eq!(all["inputs"]["failed"], 1);
    assert_eq!(sources(&rows(&desk.path(OUT), "messages")), ["logs/0000.log", "logs/0001.log"]);
}

#[test]
fn files_of_one_name_in_two_folders_are_told_apart() {
    let desk = desk(0, |_| false);
    for folder in ["logs/a", "logs/b"] {
        std::fs::create_dir(desk.path(folder)).expect("a folder");
        desk.write(&format!("{folder}/same.log"), &log(0, false));
    }
    over(&desk, &["logs"], OUT).done();
    assert_eq!(sources(&rows(&desk.path(OUT), "messages")), ["logs/a/same.log", "logs/b/same.log"]);
}

#[test]
fn a_folder_without_files_is_refused() {
    let desk = desk(0, |_| false);
    let said = over(&desk, &["logs"], OUT).done();
    let (inputs, all) = taken_apart(&said);
    assert_eq!((said.exit, all["fault"]["code"].as_str()), (12, Some("no-inputs")));
    assert!(inputs.is_empty());
    assert_eq!(desk.names(), ["input", "logs"]);
}

#[test]
fn i_08_folders_that_are_deep_and_full_are_walked_within_bounds() {
    let desk = desk(700, |_| false);
    let mut deep = desk.path("logs");
    for _ in 0..70 {
        deep.push("d");
        std::fs::create_dir(&deep).expect("a folder");
    }
    std::fs::write(deep.join("unseen"), log(0, false)).expect("a file");
    symlink(desk.path("logs"), desk.path("logs/loop")).expect("a link");
    let said = over(&desk, &["logs"], OUT).done();
    let (inputs, all) = taken_apart(&said);
    assert_eq!((said.exit, inputs.len()), (0, 700));
    let why: Vec<_> = all["passed_by"].as_array().into_iter().flatten().map(|it| it["why"].clone()).collect();
    assert_eq!(why, ["too deep", "a symbolic link"]);
}

#[test]
fn a_dataset_takes_the_place_of_one_and_never_of_other_folders() {
    let desk = desk(2, |at| at == 1);
    assert_eq!(over(&desk, &["logs"], OUT).done().exit, 0);
    assert_eq!(over(&desk, &["logs"], OUT).done().exit, 12, "it exists");
    assert_eq!(over(&desk, &["logs"], OUT).arg("--replace").done().exit, 0);
    desk.write("out/messages/mine.txt", b"precious");
    let said = over(&desk, &["logs"], OUT).arg("--replace").done();
    assert_eq!((said.exit, taken_apart(&said).1["fault"]["code"].as_str()), (12, Some("output-not-ours")));
    assert!(desk.path("out/messages/mine.txt").exists());
}

#[test]
fn the_quarantine_of_a_dataset_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk(1, |_| true);
    over(&desk, &["logs"], OUT).done();
    let mode = |name: &str| std::fs::metadata(desk.path(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode("out/_quarantine"), mode("out/_quarantine/000000.parquet")), (0o700, 0o600));
}

#[test]
fn a_preview_shows_rows_of_the_first_inputs_and_writes_nothing() {
    let desk = desk(3, |_| false);
    let said = desk.call(&["run"]).arg(guest("fix")).args(&["logs", "--preview-rows", "2"]).done();
    assert_eq!(said.exit, 0, "{said:?}");
    assert!(said.stdout.contains("first 2 of"), "{said:?}");
    assert!(said.stderr.contains("3 inputs"), "{said:?}");
    assert_eq!(desk.names(), ["input", "logs"]);
}

#[test]
fn every_input_of_a_dataset_has_a_line_in_its_receipts() {
    let desk = desk(2, |_| false);
    let said = over(&desk, &["logs", "nowhere"], OUT).done();
    let (inputs, all) = taken_apart(&said);
    let text = std::fs::read_to_string(desk.path("out/_receipts.jsonl")).expect("receipts");
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    for (line, input) in lines.iter().zip(&inputs) {
        assert_eq!((&line["claim_sha256"], &line["status"]), (&input["claim_sha256"], &input["status"]));
    }
    assert_eq!(lines[2]["fault"]["code"], "input-missing");
    let receipt: Json =
        serde_json::from_slice(&std::fs::read(desk.path("out/_receipt.json")).expect("a receipt"))
            .expect("JSON");
    assert_eq!(receipt["claim_sha256"], all["claim_sha256"]);
    assert_eq!(receipt["claim"]["inputs"]["failed"], 1);
}

#[test]
fn a_dataset_is_verified_by_its_receipt_and_an_edited_one_is_refused() {
    let desk = desk(3, |at| at == 1);
    over(&desk, &["logs"], OUT).done();
    let verify = || desk.call(&["verify"]).arg(desk.path("out/_receipt.json")).done().exit;
    assert_eq!(verify(), 0);
    for name in ["_receipts.jsonl", "messages/000000.parquet"] {
        let path = desk.path(OUT).join(name);
        let whole = std::fs::read(&path).expect("a file");
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("written");
        assert_eq!(verify(), 1, "{name} was cut");
        std::fs::write(&path, whole).expect("written");
    }
    std::fs::copy(desk.path("out/messages/000000.parquet"), desk.path("out/messages/000001.parquet"))
        .expect("a copy");
    assert_eq!(verify(), 1, "a part that nobody claimed");
}

/// Whoever reads a folder takes what is in it for that table: with the digests set right, only the name is wrong.
#[test]
fn a_part_under_the_name_of_another_is_not_the_datasets() {
    let desk = desk(3, |at| at == 1);
    over(&desk, &["logs"], OUT).done();
    let receipt = desk.path("out/_receipt.json");
    let text = std::fs::read_to_string(&receipt).expect("a receipt");
    for (name, other) in [
        ("messages/000000.parquet", "messages/000001.parquet"),
        ("_quarantine/000000.parquet", "messages/000001.parquet"),
    ] {
        std::fs::write(&receipt, text.replace(name, other)).expect("written");
        std::fs::rename(desk.path(OUT).join(name), desk.path(OUT).join(other)).expect("moved");
        let said = desk.call(&["verify", "out/_receipt.json", "--json"]).done();
        let fields = said.report()["files"]["different"].to_string();
        assert_eq!((said.exit, fields.contains(&format!("{other}.name"))), (1, true), "{fields}");
        std::fs::rename(desk.path(OUT).join(other), desk.path(OUT).join(name)).expect("moved");
    }
}

/// Of inputs that bring columns of their own, those that the contract goes with are published.
#[test]
fn an_input_with_a_column_that_the_contract_does_not_name_ends_no_other() {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("in")).expect("a folder");
    desk.write("in/0.csv", b"id,px\n1,2.5\n2,3.5\n");
    let draft = desk.call(&["contract", "infer", "in/0.csv", "--parser"]).arg(guest("csv"));
    assert_eq!(draft.args(&["--out", "draft.yaml"]).done().exit, 0);
    desk.write("in/1.csv", b"id,px,new\n3,4.5,x\n");
    desk.write("in/2.csv", b"id,px\n4,5.5\n");
    let call = desk.call(&["run"]).arg(guest("csv")).args(&["in", "--json", "--contract", "draft.yaml"]);
    let mut reports = call.args(&["--tables", "rows", "--out", OUT]).done().reports();
    let all = reports.pop().expect("a summary");
    assert_eq!((&all["inputs"]["completed"], &all["inputs"]["failed"]), (&2.into(), &1.into()), "{all}");
    assert_eq!(reports[1]["fault"]["code"], "column-not-in-contract", "{}", reports[1]);
}

/// Verifies a dataset, and runs it again.
fn verified(desk: &Desk, out: &str, from: &str, parser: &str) -> Said {
    let receipt = format!("{out}/_receipt.json");
    let call = desk.call(&["verify", &receipt, "--json", "--input", from, "--component"]);
    call.arg(guest(parser)).done()
}

#[test]
fn a_dataset_that_is_run_again_claims_the_same_from_wherever_its_inputs_are_reached() {
    let desk = desk(5, |at| at == 2);
    over(&desk, &["logs", "nowhere"], OUT).done();
    let said = verified(&desk, OUT, ".", "fix");
    assert_eq!(said.exit, 0, "{said:?}");
    let elsewhere = desk.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    std::fs::rename(desk.path("logs"), elsewhere.join("logs")).expect("moved");
    assert_eq!(verified(&desk, OUT, "elsewhere", "fix").exit, 0);
}

#[test]
fn a_dataset_is_run_again_as_it_was_written_united_or_as_text() {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("in")).expect("a folder");
    desk.write("in/a.csv", b"id,name\n1,ann\n2,bob\n3,cy\n");
    desk.write("in/b.csv", b"id,price\n4,1\n5,2\n6,3\n");
    for (out, more) in
        [("union", vec!["--schema", "union"]), ("text", vec!["--schema", "union", "--format", "csv"])]
    {
        let call = desk.call(&["run"]).arg(guest("csv")).args(&["in", "--tables", "rows", "--out", out]);
        assert_eq!(call.args(&more).done().exit, 0);
        assert_eq!(verified(&desk, out, ".", "csv").exit, 0, "{out}");
    }
}

#[test]
fn an_input_that_was_changed_is_named_when_a_dataset_is_run_again() {
    let desk = desk(3, |_| false);
    over(&desk, &["logs"], OUT).done();
    desk.write("logs/0001.log", &log(5, true));
    let said = verified(&desk, OUT, ".", "fix");
    assert_eq!(said.exit, 1, "{said:?}");
    let different = said.report()["run"]["claim"]["different"].clone();
    let fields: Vec<&str> =
        different.as_array().into_iter().flatten().filter_map(|it| it["field"].as_str()).collect();
    assert!(fields.contains(&"inputs.2") && !fields.contains(&"inputs.1"), "{fields:?}");
}

#[test]
fn every_row_of_a_dataset_is_held_against_the_claim_of_its_input() {
    let desk = desk(3, |at| at == 1);
    over(&desk, &["logs"], OUT).done();
    let said = desk.call(&["verify", "out/_receipt.json", "--json"]).done();
    assert_eq!(said.exit, 0, "{said:?}");
    let same = said.report()["files"]["same"].clone();
    let fields: Vec<&str> = same.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    for field in ["inputs.3.messages.digest", "inputs.2.quarantine.digest", "tables.messages.sum", "records"]
    {
        assert!(fields.contains(&field), "{field}: {fields:?}");
    }
}

#[test]
fn the_quarantine_of_a_dataset_is_read_as_one_and_every_row_says_its_input() {
    let desk = desk(600, |at| at % 100 == 7);
    over(&desk, &["logs"], OUT).done();
    assert!(host::names(&desk.path("out/_quarantine")).len() > 1);
    let due: Vec<String> = (0..6).map(|at| format!("logs/{:04}.log", at * 100 + 7)).collect();
    let rows = desk.call(&["quarantine", "list", OUT, "--json"]).done().reports();
    let mut inputs: Vec<&str> = rows.iter().filter_map(|row| row["input_path"].as_str()).collect();
    inputs.dedup();
    assert_eq!(inputs, due);
    let list = desk.call(&["quarantine", "list", OUT]).done();
    assert!(due.iter().all(|input| list.stdout.contains(input.as_str())), "{list:?}");
    let shown = desk.call(&["quarantine", "show", OUT, "--input", &due[3]]).done();
    assert!(shown.stdout.starts_with(&format!("{}\nrecord ", due[3])), "{shown:?}");
    assert!(!shown.stdout.contains(due[0].as_str()), "{shown:?}");
    let call = desk.call(&["quarantine", "export", OUT, "--format", "jsonl", "--out", "held.jsonl"]);
    assert_eq!(call.done().exit, 0);
    let exported = std::fs::read_to_string(desk.path("held.jsonl")).expect("a file");
    assert_eq!(exported.lines().count(), rows.len());
    assert_eq!(desk.call(&["quarantine", "top", OUT, "--json"]).done().report()["rows"], rows.len());
}

#[test]
fn one_part_of_a_quarantine_and_the_folder_of_them_are_read_too() {
    let desk = desk(1, |_| true);
    over(&desk, &["logs"], OUT).done();
    for place in ["out/_quarantine/000000.parquet", "out/_quarantine"] {
        assert_eq!(desk.call(&["quarantine", "list", place]).done().exit, 0, "{place}");
    }
}

/// Nothing of a guest that trapped is left, but its worker is not asked again.
#[test]
fn a_record_that_kills_costs_one_input_that_record_and_the_worker_its_place() {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("logs")).expect("a folder");
    for (name, lines) in [("a", "one\ntwo\n"), ("b", "three\n!trap\nfour\n"), ("c", "five\n")] {
        desk.write(&format!("logs/{name}.txt"), lines.as_bytes());
    }
    let call = desk.call(&["run"]).arg(guest("evil")).args(&["logs", "--json", "--jobs", "1", "--out", OUT]);
    let said = call.option("evil", "poison").option("text", "lines").done();
    let (inputs, all) = taken_apart(&said);
    assert_eq!((said.exit, all["status"].as_str()), (0, Some("completed_with_quarantine")), "{all}");
    let killers: Vec<_> = inputs.iter().map(|input| input["traps"]["killers"].as_u64()).collect();
    assert_eq!(killers, [Some(0), Some(1), Some(0)]);
    let due = ["one", "two", "three", "four", "five"].map(|text| Some(text.to_owned()));
    assert_eq!(tables::texts(&rows(&desk.path(OUT), "rows"), "text"), due);
    // A worker completes its part when it is let go.
    assert_eq!(host::names(&desk.path(OUT).join("rows")).len(), 2);
}

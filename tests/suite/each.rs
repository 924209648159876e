//! Many inputs with an output each: what a run over each alone writes, whatever becomes of the others.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use crate::host::{self, Call, Desk, OUT, Said, guest};

const GOOD: &str = "id,name\n1,ann\n2,bob\n3,cy\n";
const BAD: &str = "id,name\n1,ann\n2,bob\n3,cy,x,y\n4,dan\n5,eve\n6,fay\n";

/// A desk with files in two folders, two of them of one name, one with a bad record.
fn desk() -> Desk {
    let desk = Desk::new(b"");
    for folder in ["in", "in/more"] {
        std::fs::create_dir(desk.path(folder)).expect("a folder");
    }
    for (name, text) in [("in/a.csv", GOOD), ("in/b.csv", BAD), ("in/c.csv", GOOD), ("in/more/c.csv", BAD)] {
        desk.write(name, text.as_bytes());
    }
    desk
}

fn over<'a>(desk: &'a Desk, inputs: &[&str], out: &str) -> Call<'a> {
    let call = desk.call(&["run"]).arg(guest("csv")).args(inputs);
    call.args(&["--json", "--tables", "rows", "--out-per-input", out])
}

#[track_caller]
fn taken_apart(said: &Said) -> (Vec<Json>, Json) {
    let mut reports = said.reports();
    let all = reports.pop().unwrap_or_else(|| panic!("nothing was said: {said:?}"));
    assert_eq!(all["kind"], "each", "{said:?}");
    (reports, all)
}

/// Files of an output. Its receipt has circumstances, which need not be the same twice.
fn files(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = host::names(out).into_iter().filter(|name| name != "_receipt.json");
    names.map(|name| (name.clone(), std::fs::read(out.join(name)).expect("a file"))).collect()
}

fn claim(out: &Path) -> String {
    let text = std::fs::read(out.join("_receipt.json")).expect("a receipt");
    let receipt: Json = serde_json::from_slice(&text).expect("JSON");
    receipt["claim_sha256"].as_str().expect("a digest").to_owned()
}

#[test]
fn every_input_has_the_output_that_a_run_over_it_alone_writes() {
    let desk = desk();
    let said = over(&desk, &["in"], OUT).done();
    let (inputs, all) = taken_apart(&said);
    assert_eq!((said.exit, all["status"].as_str()), (0, Some("completed_with_quarantine")), "{said:?}");
    assert_eq!((inputs.len(), all["outputs"].as_array().map(Vec::len)), (4, Some(4)));
    for (at, report) in inputs.iter().enumerate() {
        let path = report["input"]["path"].as_str().expect("a path");
        let alone = format!("alone{at}");
        let call = desk.call(&["run"]).arg(guest("csv")).args(&[path, "--tables", "rows", "--out", &alone]);
        assert_eq!(call.done().exit, 0);
        let receipt = desk.path(report["receipt"].as_str().expect("a receipt"));
        let out = receipt.parent().expect("a folder");
        assert!(files(out) == files(&desk.path(&alone)), "{path}");
        assert_eq!(claim(out), claim(&desk.path(&alone)), "{path}");
        assert_eq!(desk.call(&["verify"]).arg(receipt).done().exit, 0);
    }
}

#[test]
fn inputs_of_one_name_are_told_apart_and_others_keep_theirs() {
    let desk = desk();
    over(&desk, &["in"], OUT).done();
    let names = host::names(&desk.path(OUT));
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names[..2], ["a.csv", "b.csv"]);
    assert!(names[2..].iter().all(|name| name.starts_with("c.csv-")), "{names:?}");
}

#[test]
fn the_number_of_inputs_side_by_side_changes_no_output_and_no_order() {
    let desk = desk();
    let run = |jobs: &str| {
        let out = format!("out{jobs}");
        let said = over(&desk, &["in"], &out).args(&["--jobs", jobs]).done();
        let (inputs, _) = taken_apart(&said);
        let paths: Vec<Json> = inputs.iter().map(|input| input["input"]["path"].clone()).collect();
        let outs = host::names(&desk.path(&out));
        let all: Vec<_> = outs.iter().map(|name| files(&desk.path(&out).join(name))).collect();
        let claims: Vec<_> = outs.iter().map(|name| claim(&desk.path(&out).join(name))).collect();
        (paths, outs, all, claims)
    };
    assert!(run("1") == run("4"));
}

#[test]
fn an_input_that_fails_leaves_no_output_and_does_not_fail_the_others() {
    let desk = desk();
    let said = over(&desk, &["in/a.csv", "nowhere.csv", "in/c.csv"], OUT).done();
    let (inputs, all) = taken_apart(&said);
    assert_eq!((said.exit, all["status"].as_str()), (3, Some("partial")), "{said:?}");
    assert_eq!(inputs[1]["fault"]["code"], "input-missing");
    assert_eq!(all["left_out"][0]["input"], "nowhere.csv");
    assert_eq!(host::names(&desk.path(OUT)), ["a.csv", "c.csv"]);
}

#[test]
fn an_output_that_is_there_is_kept_unless_somebody_asks_for_another() {
    let desk = desk();
    over(&desk, &["in/a.csv"], OUT).done();
    let before = std::fs::read(desk.path("out/a.csv/_receipt.json")).expect("a receipt");
    desk.write("in/a.csv", BAD.as_bytes());
    let said = over(&desk, &["in/a.csv", "in/b.csv"], OUT).done();
    let (inputs, _) = taken_apart(&said);
    assert_eq!((said.exit, inputs[0]["fault"]["code"].as_str()), (3, Some("output-exists")), "{said:?}");
    assert!(std::fs::read(desk.path("out/a.csv/_receipt.json")).expect("a receipt") == before);
    let said = over(&desk, &["in"], OUT).arg("--replace").done();
    assert_eq!(said.exit, 0, "{said:?}");
    assert!(std::fs::read(desk.path("out/a.csv/_receipt.json")).expect("a receipt") != before);
}

#[test]
fn an_output_that_is_held_stands_beside_its_place() {
    let desk = desk();
    let said = over(&desk, &["in/a.csv", "in/b.csv"], OUT).arg("--strict").done();
    let (_, all) = taken_apart(&said);
    assert_eq!((said.exit, all["inputs"]["held"].as_u64()), (3, Some(1)), "{all}");
    assert_eq!(host::names(&desk.path(OUT)), ["a.csv", "b.csv.held"]);
}

#[test]
fn a_person_is_told_where_outputs_are_and_what_was_left_out() {
    let desk = desk();
    let call = desk.call(&["run"]).arg(guest("csv")).args(&["in", "nowhere.csv", "--tables", "rows"]);
    let said = call.args(&["--out-per-input", OUT]).done();
    let has = |words: &str| assert!(said.stderr.contains(words), "{words}: {said:?}");
    ["5 inputs", "out/a.csv", "left out: nowhere.csv", "isolation L"].into_iter().for_each(has);
}

#[test]
fn outputs_go_to_one_place_only() {
    let desk = desk();
    for more in [["--out", "other"], ["--sink", "sqlite://a.db"], ["--schema", "union"]] {
        assert_eq!(over(&desk, &["in"], OUT).args(&more).done().exit, 2, "{more:?}");
    }
    assert!(!desk.path(OUT).exists());
}

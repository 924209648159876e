//! `host contract infer`, as people type it: a draft that holds what it was made of, questions, and who rules a type out.

use std::path::Path;

use crate::host::{Desk, INPUT, Said, guest, root};

/// Begins a draft over what is on the desk, by the parser of `key=value` lines.
fn infer(desk: &Desk, words: &[&str]) -> Said {
    let parser = guest("hello_parser");
    let call = desk.call(&["contract", "infer"]).arg("--parser").arg(parser).arg("--no-progress");
    call.args(words).done()
}

/// Lines of one value each.
fn lines(values: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    values.into_iter().map(|value| format!("a={value}\n")).collect()
}

/// Returns how many rows a run over these inputs holds back.
fn held_back(desk: &Desk, parser: &Path, inputs: &[&Path], contract: &[&str]) -> u64 {
    let mut call = desk.call(&["run"]).arg(parser);
    for input in inputs {
        call = call.arg(*input);
    }
    let said = call.args(contract).args(&["--tables", "all", "--whatif", "--json"]).done();
    let report = said.reports().pop().unwrap_or_else(|| panic!("{said:?}"));
    assert_ne!(report["status"], "failed", "{report}");
    report["quarantine"]["rows"].as_u64().expect("a count")
}

#[test]
fn a_draft_is_fine_and_holds_back_no_row_that_it_was_made_of() {
    let samples = root().join("guests/fix/samples");
    let logs = [samples.join("demo.log"), samples.join("good/market_data.log")];
    let inputs = logs.each_ref().map(|log| log.as_path());
    let (desk, fix) = (Desk::new(b""), guest("fix"));
    let mut call = desk.call(&["contract", "infer"]).arg("--parser").arg(&fix);
    for input in inputs {
        call = call.arg(input);
    }
    let said = call.args(&["--out", "draft.yaml"]).done();
    assert_eq!(said.exit, 0, "{said:?}");
    let lint = desk.call(&["contract", "lint", "draft.yaml"]).done();
    assert_eq!((lint.exit, lint.stdout.as_str()), (0, "draft.yaml: ok\n"), "{lint:?}");
    let before = held_back(&desk, &fix, &inputs, &["--no-contract"]);
    assert_eq!(held_back(&desk, &fix, &inputs, &["--contract", "draft.yaml"]), before);
}

#[test]
fn a_text_is_typed_where_all_values_agree_and_the_draft_accepts_them() {
    let desk = Desk::new(lines(["1.50", "-2.25", "NA", ""]).as_bytes());
    let said = infer(&desk, &[INPUT, "--out", "draft.yaml"]);
    assert_eq!(said.exit, 0, "{said:?}");
    let draft = std::fs::read_to_string(desk.path("draft.yaml")).expect("a draft");
    assert!(draft.contains("physicalType: DECIMAL(18,2)"), "{draft}");
    assert!(draft.contains(r#"{property: missingValues, value: ["","NA"]}"#), "{draft}");
    let input = desk.path(INPUT);
    assert_eq!(held_back(&desk, &guest("hello_parser"), &[&input], &["--contract", "draft.yaml"]), 0);
}

#[test]
fn what_is_open_is_asked_and_can_be_answered() {
    let desk = Desk::new(lines(["01/02/2024", "03/04/2024"]).as_bytes());
    let said = infer(&desk, &[INPUT]);
    assert!(said.stdout.contains("# QUESTION dates: does the day or the month come first?"), "{said:?}");
    assert!(said.stderr.contains("hint: --assume dates=dmy | mdy | text"), "{said:?}");
    assert!(!said.stdout.contains("logicalType: date"), "{said:?}");
    let answered = infer(&desk, &[INPUT, "--assume", "dates=mdy"]);
    assert!(answered.stdout.contains("{property: dateOrder, value: MDY}"), "{answered:?}");
    assert!(!answered.stdout.contains("QUESTION"), "{answered:?}");
    let misuse = infer(&desk, &[INPUT, "--assume", "dates=ymd"]);
    assert_eq!(misuse.exit, 2, "{misuse:?}");
}

#[test]
fn why_names_the_value_that_rules_a_type_out_and_where_it_stands() {
    let desk = Desk::new(lines(["7", "0042"]).as_bytes());
    let said = infer(&desk, &[INPUT, "--why", "value"]);
    assert!(said.stdout.contains("\"0042\" in input at byte 4 (CF0202)"), "{said:?}");
    let unknown = infer(&desk, &[INPUT, "--why", "colour"]);
    assert_eq!(unknown.exit, 12, "{unknown:?}");
    assert!(unknown.stderr.contains(".value"), "{unknown:?}");
}

#[test]
fn one_input_among_many_can_decide_and_which_does_not_depend_on_the_number_of_workers() {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("logs")).expect("a folder");
    for at in 0..12 {
        let day = if at == 7 { 31 } else { at % 12 + 1 };
        desk.write(&format!("logs/{at:02}"), lines([format!("{day:02}.01.2024")]).as_bytes());
    }
    let one = infer(&desk, &["logs", "--json", "--jobs", "1"]);
    let many = infer(&desk, &["logs", "--json", "--jobs", "4"]);
    assert_eq!(one.report()["draft"], many.report()["draft"], "{one:?}");
    assert_eq!(one.report()["tables"], many.report()["tables"]);
    assert!(one.stdout.contains("{property: dateOrder, value: DMY}"), "{one:?}");
    let why = infer(&desk, &["logs", "--why", "value"]);
    assert!(why.stdout.contains("\"31.01.2024\" in logs/07 at byte 0 (CF0201)"), "{why:?}");
}

#[test]
fn an_input_that_fails_is_left_out_and_said() {
    let desk = Desk::new(lines(["7"]).as_bytes());
    let said = infer(&desk, &[INPUT, "no-such-file"]);
    assert_eq!(said.exit, 3, "{said:?}");
    assert!(said.stderr.contains("left out no-such-file"), "{said:?}");
    assert!(said.stdout.contains("Drafted from 1 of 2 inputs"), "{said:?}");
}

#[test]
fn where_there_is_no_row_there_is_no_draft_and_nothing_is_written() {
    let desk = Desk::new(b"no pair\n");
    let said = infer(&desk, &[INPUT, "--out", "draft.yaml"]);
    assert_eq!(said.exit, 11, "{said:?}");
    assert!(said.stderr.contains("the parser gave no row of 1 inputs"), "{said:?}");
    desk.assert_untouched();
}

#[test]
fn a_file_that_is_there_is_never_replaced_and_that_is_said_first() {
    let desk = Desk::new(lines(["7"]).as_bytes());
    desk.write("draft.yaml", b"mine");
    let said = infer(&desk, &["no-such-file", "--out", "draft.yaml"]);
    assert_eq!(said.exit, 12, "{said:?}");
    assert!(said.stderr.contains("cannot write draft.yaml"), "{said:?}");
    assert_eq!(std::fs::read(desk.path("draft.yaml")).expect("it is there"), b"mine");
}

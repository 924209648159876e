//! Ranges of one input side by side: the number of threads shows in nothing that a run says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::host::{self, Call, Desk, INPUT, Said, guest};
use crate::tables;

/// What of a report follows from the input.
const SAME: [&str; 8] =
    ["status", "claim_sha256", "tables", "quarantine", "accounting", "traps", "fuel", "memory_peak_bytes"];
/// A Python parser that says where its input can be cut.
const FILLS: &str = r#"
from casparian import by_lines, parser

@parser(name="fills", version="1.0.0", plan=by_lines)
def parse(source, out):
    fills = out.table("fills", symbol=str, px="decimal(18,4)", qty=int)
    for line in source.lines():
        cells = line.split(",")
        if len(cells) == 3:
            fills.append(line, *cells)
        else:
            out.reject(line, "undeclared", f"{len(cells)} cells, not 3")
"#;

/// Files of a run by name, and its report.
struct Run {
    files: BTreeMap<String, Vec<u8>>,
    report: Json,
    receipt: Json,
}

fn run(desk: &Desk, parser: &Path, jobs: &str, words: &[&str]) -> Run {
    let out = format!("out-{jobs}");
    let call = desk
        .call(&["run"])
        .arg(parser)
        .arg(desk.path(INPUT))
        .args(&["--json", "--jobs", jobs, "--out", &out]);
    let said = call.args(words).done();
    assert_eq!(said.exit, 0, "{said:?}");
    let read = |name: String| (name.clone(), std::fs::read(desk.path(&out).join(name)).expect("a file"));
    let mut files: BTreeMap<_, _> = host::names(&desk.path(&out)).into_iter().map(read).collect();
    let receipt = files.remove("_receipt.json").expect("a receipt");
    // What is written stands elsewhere each time.
    let report = said.report().to_string().replace(&format!("{out}/"), "OUT/");
    let [report, receipt] =
        [report.as_bytes(), &receipt].map(|text| serde_json::from_slice(text).expect("JSON"));
    Run { files, report, receipt }
}

/// Runs a parser by one thread, two and four, and checks that nothing else is different. Returns the first run.
#[track_caller]
fn assert_same(desk: &Desk, parser: &Path, words: &[&str]) -> Run {
    let one = run(desk, parser, "1", words);
    let ranges = one.receipt["circumstances"]["ranges"].as_u64();
    assert!(ranges > Some(5), "{ranges:?} ranges");
    for jobs in ["2", "4"] {
        let other = run(desk, parser, jobs, words);
        for part in SAME {
            assert_eq!(other.report[part], one.report[part], "{part} by {jobs} threads");
        }
        assert_eq!(
            other.receipt["circumstances"]["log"], one.receipt["circumstances"]["log"],
            "by {jobs} threads"
        );
        assert_eq!(other.receipt["circumstances"]["ranges"].as_u64(), ranges);
        assert!(other.files == one.files, "what is written differs by {jobs} threads");
    }
    one
}

fn fills() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fills.py");
    std::fs::write(&path, FILLS).expect("a program");
    (folder, path)
}

fn log() -> Vec<u8> {
    let samples = host::root().join("guests/fix/samples");
    let (good, bad) = (samples.join("demo.log"), samples.join("bad"));
    let mut log = std::fs::read(good).expect("a sample").repeat(4);
    for name in host::names(&bad).into_iter().filter(|name| name.ends_with(".log")) {
        log.extend(std::fs::read(bad.join(name)).expect("a sample"));
    }
    log.repeat(2)
}

#[test]
fn a_compiled_parser_claims_and_writes_the_same_by_any_number_of_threads() {
    let desk = Desk::new(&log());
    let run = assert_same(&desk, &guest("fix"), &["--range-bytes", "20000", "--tables", "all"]);
    assert!(run.files.contains_key("_quarantine.parquet"), "{:?}", run.files.keys());
}

#[test]
fn a_table_that_the_plan_opened_is_one_table_by_any_number_of_threads() {
    let mut table = "id,name,amount\n".to_owned();
    (0..3_000).for_each(|at| table.push_str(&format!("{at},\"name, {at}\",{at}.50\n")));
    let words = ["--range-bytes", "5000", "--batch-bytes", "1000", "--tables", "all"];
    let desk = Desk::new(table.as_bytes());
    assert_same(&desk, &guest("csv"), &words);
    assert_eq!(tables::count(&tables::read(&desk.path("out-1/rows.parquet"))), 3_000);
}

#[test]
fn a_parser_in_python_claims_and_writes_the_same_by_any_number_of_threads() {
    let (_folder, program) = fills();
    let line = |at: u64| if at % 50 == 7 { "no fill\n".to_owned() } else { format!("S{at},{at}.25,{at}\n") };
    let input: String = (0..2_000).map(line).collect();
    let run = assert_same(&Desk::new(input.as_bytes()), &program, &["--range-bytes", "3000"]);
    assert_eq!(run.report["tables"][0]["accepted"], 1_960, "{}", run.report);
}

#[test]
fn who_has_a_key_first_in_the_input_keeps_it_whoever_parses_it_first() {
    let (folder, program) = fills();
    let contract = "apiVersion: v3.1.0\nkind: DataContract\nid: fills\nversion: 1.0.0\nstatus: active\nschema:\n  - name: fills\n    properties:\n      - {name: symbol, logicalType: string, unique: true}\n      - {name: px, logicalType: number, physicalType: 'decimal(18,4)'}\n      - {name: qty, logicalType: integer, physicalType: int64}\n";
    let path = folder.path().join("unique.odcs.yaml");
    std::fs::write(&path, contract).expect("a contract");
    let input: String = (0..2_000).map(|at| format!("S{},1.5,{at}\n", at % 1_500)).collect();
    let desk = Desk::new(input.as_bytes());
    let contract = path.to_str().expect("a path that is text");
    let run = assert_same(&desk, &program, &["--range-bytes", "3000", "--contract", contract]);
    let fills = &run.report["tables"][0];
    assert_eq!((&fills["accepted"], &fills["quarantined"]), (&1_500.into(), &500.into()), "{}", run.report);
}

#[test]
fn a_guest_that_counts_its_calls_sees_one_range_whoever_parses_it() {
    let words = ["--option", "evil=remembers", "--range-bytes", "10"];
    let desk = Desk::new(&[b'x'; 200]);
    assert_same(&desk, &guest("evil"), &words);
    let texts = tables::texts(&tables::read(&desk.path("out-1/rows.parquet")), "text");
    assert_eq!(texts, vec![Some("call 1".to_owned()); 20]);
}

/// Lines, some of which do something else.
fn lines(count: usize, among: &[(usize, &str)]) -> Vec<u8> {
    let line = |at: usize| {
        let other = among.iter().find(|(place, _)| *place == at).map(|(_, line)| format!("{line}\n"));
        other.unwrap_or_else(|| format!("line {at}\n"))
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

const POISON: [&str; 10] = [
    "--option",
    "evil=poison",
    "--option",
    "text=lines",
    "--option",
    "m=7",
    "--limit",
    "fuel=50M",
    "--range-bytes",
    "300",
];

#[test]
fn records_that_kill_in_several_ranges_are_held_by_any_number_of_threads() {
    let among =
        [(3, "!trap"), (90, "!grow"), (91, "!shy"), (200, "!spin"), (250, "!recurse"), (299, "!handles")];
    let run = assert_same(&Desk::new(&lines(300, &among)), &guest("evil"), &POISON);
    assert_eq!((&run.report["traps"]["killers"], &run.report["quarantine"]["rows"]), (&5.into(), &5.into()));
    assert_eq!(run.report["tables"][0]["accepted"], 295);
}

fn poison<'a>(desk: &'a Desk, jobs: &str, words: &[&str]) -> Call<'a> {
    desk.run(&guest("evil")).args(&POISON).args(&["--jobs", jobs]).args(words)
}

/// Runs it by one thread, two and four; each must fail alike.
#[track_caller]
fn fails_alike(input: &[u8], words: &[&str]) -> Json {
    let desk = Desk::new(input);
    let fault = |jobs: &str| {
        let said: Said = poison(&desk, jobs, words).done();
        desk.assert_untouched();
        let report = said.report();
        (report["fault"].clone(), report["fuel"].clone(), report["exit"].clone())
    };
    let one = fault("1");
    assert_eq!(one.0["blame"], "guest", "{}", one.0);
    for jobs in ["2", "4", "4"] {
        assert_eq!(fault(jobs), one, "by {jobs} threads");
    }
    one.0
}

#[test]
fn killers_are_counted_over_all_ranges_and_the_seventeenth_ends_the_run() {
    let among: Vec<_> = (0..17).map(|at| (at * 25, "!trap")).collect();
    let fault = fails_alike(&lines(500, &among), &[]);
    let message = fault["message"].as_str().expect("a message");
    assert_eq!(fault["code"], "guest-trap");
    assert!(message.contains("records that kill the parser: limit 16, used 16, wanted 1 more"), "{message}");
    let desk = Desk::new(&lines(500, &among[..16]));
    assert_eq!(poison(&desk, "4", &[]).done().report()["traps"]["killers"], 16);
}

/// The later one is there long before the first: it has nothing to burn.
#[test]
fn of_two_faults_the_first_in_the_input_ends_the_run_whichever_is_found_first() {
    let slow = lines(300, &[(20, "!burn 5000000"), (60, "!spin"), (120, "!refused"), (290, "!trap")]);
    let fault = fails_alike(&slow, &["--on-trap", "fail"]);
    assert_eq!(fault["code"], "fuel-exhausted", "{fault}");
    fails_alike(&lines(300, &[(20, "!burn 5000000"), (120, "!refused"), (290, "!refused")]), &[]);
}

#[test]
fn bounds_on_the_output_hold_for_all_ranges_together() {
    let fault = fails_alike(&lines(2_000, &[]), &["--limit", "output=20KB"]);
    assert_eq!(fault["code"], "limit-exceeded", "{fault}");
    assert!(
        fault["message"].as_str().expect("a message").starts_with("output bytes: limit 20000"),
        "{fault}"
    );
}

/// Threads that are ahead of the range with the fault say no word any more, and are not waited for.
#[test]
fn a_guest_that_spins_further_on_keeps_nobody_from_telling_a_fault() {
    let spins = (100..300).step_by(20).map(|at| (at, "!spin"));
    let words: Vec<_> = [(40, "!burn 50000000"), (41, "!refused")].into_iter().chain(spins).collect();
    let desk = Desk::new(&lines(300, &words));
    let fault = |jobs: &str| {
        let bounds = ["--limit", "fuel=400G", "--limit", "time=20s", "--jobs", jobs];
        let cut = desk.run(&guest("evil")).args(&POISON[..6]).args(&POISON[8..]);
        cut.args(&bounds).done().report()["fault"].clone()
    };
    let one = fault("1");
    assert_ne!(one["code"], "deadline-exceeded", "{one}");
    for jobs in ["2", "4"] {
        assert_eq!(fault(jobs), one, "by {jobs} threads");
    }
}

/// Inputs of which some end badly, one after the other: what guests of one are still at is gone before the next.
#[test]
fn inputs_of_a_dataset_claim_and_fail_the_same_by_any_number_of_threads() {
    let desk = Desk::new(b"");
    std::fs::create_dir(desk.path("lines")).expect("a folder");
    for (at, other) in ["!trap", "!refused", "line", "!spin", "!refused", "!shy"].into_iter().enumerate() {
        desk.write(&format!("lines/{at}"), &lines(300, &[(100 + at, other), (250, "!burn 100000")]));
    }
    let run = |jobs: &str| {
        let out = format!("out-{jobs}");
        let call = desk.call(&["run"]).arg(guest("evil")).args(&["lines", "--json", "--out", &out]);
        let mut reports = call.args(&POISON).args(&["--jobs", jobs]).done().reports();
        assert_eq!(reports.pop().expect("a summary")["kind"], "dataset");
        let told = |report: Json| [report["claim_sha256"].clone(), report["fault"]["message"].clone()];
        let rows = host::names(&desk.path(&out).join("rows")).into_iter();
        let rows = rows.map(|part| std::fs::read(desk.path(&out).join("rows").join(part)).expect("a part"));
        (reports.into_iter().map(told).collect::<Vec<_>>(), rows.collect::<Vec<_>>())
    };
    let one = run("1");
    assert_eq!(one.0.iter().filter(|told| told[0].is_null()).count(), 2, "{:?}", one.0);
    for jobs in ["2", "4"] {
        let other = run(jobs);
        assert_eq!(other.0, one.0, "by {jobs} threads");
        assert!(other.1 == one.1, "what is written differs by {jobs} threads");
    }
}

#[test]
fn another_run_by_another_number_of_threads_agrees() {
    let desk = Desk::new(&log());
    let run = run(&desk, &guest("fix"), "3", &["--range-bytes", "20000"]);
    assert!(run.receipt["circumstances"]["threads"].as_u64() >= Some(4), "{}", run.receipt);
    let verify = desk.call(&["verify", "out-3/_receipt.json", "--json", "--input"]).arg(desk.path(INPUT));
    let said = verify.arg("--component").arg(guest("fix")).done();
    assert_eq!((said.exit, &said.report()["agrees"]), (0, &true.into()), "{said:?}");
}

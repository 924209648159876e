//! Same bytes in, same bytes out: whatever the sizes of reads, whether code was kept, how often it is tried.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use crate::host::{self, Desk, INPUT, guest};

/// A log with good and bad messages, of several windows' size.
fn log() -> Vec<u8> {
    let samples = host::root().join("guests/fix/samples");
    let mut names: Vec<_> = ["good", "bad"].iter().flat_map(|folder| logs(&samples.join(folder))).collect();
    names.sort();
    let one = std::fs::read(samples.join("demo.log")).expect("a sample");
    let mut log = one.repeat(1 + (600 << 10) / one.len());
    log.extend(names.iter().flat_map(|path| std::fs::read(path).expect("a sample")));
    log
}

fn logs(folder: &Path) -> Vec<std::path::PathBuf> {
    let names = host::names(folder).into_iter().filter(|name| name.ends_with(".log"));
    names.map(|name| folder.join(name)).collect()
}

/// All that a run wrote, and its report without what may differ.
fn run(desk: &Desk, out: &str, more: &[&str]) -> (BTreeMap<String, Vec<u8>>, Json) {
    let call = desk
        .call(&["run"])
        .arg(guest("fix"))
        .arg(desk.path(INPUT))
        .args(&["--json", "--tables", "all", "--out", out]);
    let said = call.args(more).cache(desk.path("cache")).done();
    assert_eq!(said.exit, 0, "{said:?}");
    let folder = desk.path(out);
    let read = |name: String| (name.clone(), std::fs::read(folder.join(name)).expect("a file"));
    // Circumstances differ; what a receipt claims has a test of its own.
    let files = host::names(&folder).into_iter().filter(|name| name != "_receipt.json").map(read).collect();
    let mut report = said.report();
    assert!(report["wall_ms"].take().is_u64());
    (files, without(out, report))
}

/// Takes the name of the output out of a report's paths.
fn without(out: &str, report: Json) -> Json {
    let text = report.to_string().replace(&format!("{out}/"), "OUT/");
    serde_json::from_str(&text).expect("still JSON")
}

fn assert_same(
    one: &(BTreeMap<String, Vec<u8>>, Json),
    other: &(BTreeMap<String, Vec<u8>>, Json),
    what: &str,
) {
    assert_eq!(one.0.keys().collect::<Vec<_>>(), other.0.keys().collect::<Vec<_>>(), "{what}");
    for (name, bytes) in &one.0 {
        assert!(other.0[name] == *bytes, "{what}: {name} differs");
    }
    assert_eq!(one.1, other.1, "{what}");
}

#[test]
fn two_runs_write_the_same_bytes_and_kept_code_changes_nothing() {
    let desk = Desk::new(&log());
    let cold = run(&desk, "cold", &[]);
    assert!(cold.0.contains_key("_quarantine.parquet") && cold.0.contains_key("messages.parquet"));
    assert_same(&run(&desk, "warm", &[]), &cold, "the second run");
}

#[test]
fn how_much_a_read_gives_changes_nothing_that_is_written() {
    let desk = Desk::new(&log());
    let (files, report) = run(&desk, "full", &[]);
    for sizes in ["1:4096", "2:70000", "3:262144"] {
        let (short_files, short_report) = run(&desk, &sizes.replace(':', "-"), &["--read-sizes", sizes]);
        for (name, bytes) in &files {
            assert!(short_files[name] == *bytes, "--read-sizes {sizes}: {name} differs");
        }
        // More reads are more calls, and calls cost fuel; how much memory a guest takes is its own affair.
        for part in ["tables", "quarantine", "accounting", "records", "status"] {
            assert_eq!(short_report[part], report[part], "--read-sizes {sizes}: {part}");
        }
    }
}

/// Reads that end within a character, between the two bytes of a line's end, within a byte order mark.
#[test]
fn i_12_no_cut_of_reads_changes_what_is_made_of_odd_bytes() {
    let odd: &[u8] = b"\xef\xbb\xbfa=1\r\nb=\xe4\r\n\0c=\0\nd=\xe2\x82\xac\r\r\n=\n\xff\xfee=2\nf=\xc3";
    let desk = Desk::new(&odd.repeat(50));
    let files = |sizes: &[&str]| {
        let out = format!("out-{}", sizes.last().unwrap_or(&"whole").replace(':', "-"));
        let call = desk.call(&["run"]).arg(guest("hello_parser")).arg(desk.path(INPUT));
        assert_eq!(call.args(&["--json", "--out", &out]).args(sizes).done().exit, 0, "{sizes:?}");
        let out = desk.path(&out);
        let names = host::names(&out).into_iter().filter(|name| name != "_receipt.json");
        names.map(|name| std::fs::read(out.join(name)).expect("a file")).collect::<Vec<_>>()
    };
    let whole = files(&[]);
    assert_eq!(whole.len(), 2, "a table and a quarantine");
    for sizes in ["1:1", "2:2", "3:7", "4:64"] {
        assert!(files(&["--read-sizes", sizes]) == whole, "--read-sizes {sizes}");
    }
}

/// Rows of CSV with as many columns as fill several row groups, and now and then one that is ragged.
fn table() -> Vec<u8> {
    let line = |at: u32| match at % 1_000 {
        999 => format!("{at},ragged,2025-01-01,1.5,2,3,4,5\n"),
        _ => format!("{at},name {},2025-01-{:02},{}.5,{}\n", at % 97, 1 + at % 28, at % 1_013, at % 7),
    };
    let lines: String = (0..300_000).map(line).collect();
    format!("id,name,day,price,kind\n{lines}").into_bytes()
}

#[test]
fn how_many_threads_work_on_an_input_changes_nothing_that_is_written_or_claimed() {
    let desk = Desk::new(&table());
    let run = |jobs: &str| {
        let out = format!("out-{jobs}");
        let call = desk.call(&["run"]).arg(guest("csv")).arg(desk.path(INPUT));
        let said = call.args(&["--json", "--jobs", jobs, "--out", &out]).done();
        assert_eq!(said.exit, 0, "{said:?}");
        let read = |name: String| (name.clone(), std::fs::read(desk.path(&out).join(name)).expect("a file"));
        let mut files: BTreeMap<_, _> = host::names(&desk.path(&out)).into_iter().map(read).collect();
        let receipt = files.remove("_receipt.json").expect("a receipt");
        let receipt: Json = serde_json::from_slice(&receipt).expect("JSON");
        (files, receipt["claim_sha256"].clone(), receipt["circumstances"]["threads"].as_u64())
    };
    let (files, claim, threads) = run("1");
    assert_eq!((files.len(), threads), (3, Some(2)), "a profile, rows, and a quarantine");
    for jobs in ["2", "5"] {
        let (others, other_claim, more) = run(jobs);
        assert!(more > threads, "{jobs} jobs: {more:?} threads");
        assert_eq!(other_claim, claim, "{jobs} jobs");
        for (name, bytes) in &files {
            assert!(others[name] == *bytes, "{jobs} jobs: {name} differs");
        }
    }
}

//! A trap that costs a record: the program, over a parser of lines that does what a line tells it to.

use serde_json::Value as Json;

use crate::host::{self, Call, Desk, INPUT, OUT, guest};
use crate::tables;

/// Lines that kill, and the code of each.
const KILLERS: [(&str, &str); 5] = [
    ("!trap", "CF0801"),
    ("!spin", "CF0802"),
    ("!grow", "CF0803"),
    ("!recurse", "CF0804"),
    ("!handles", "CF0805"),
];

/// Good lines with others among them, each behind as many good ones as it says.
fn lines(count: usize, among: &[(usize, &str)]) -> Vec<u8> {
    let line = |at: usize| {
        let other = among.iter().find(|(place, _)| *place == at).map(|(_, line)| format!("{line}\n"));
        other.unwrap_or_else(|| format!("line {at}\n"))
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

fn killers() -> Vec<(usize, &'static str)> {
    KILLERS.iter().enumerate().map(|(at, (line, _))| (at * 37 + 20, *line)).collect()
}

/// A parser of lines that says where they begin; `resync` may be another word for how it says that.
fn poison<'a>(desk: &'a Desk, resync: &str) -> Call<'a> {
    // Little fuel, so that what spins is over soon.
    let call = desk.evil("poison").args(&["--on-trap", "isolate"]);
    call.option("text", resync).option("m", 11).limit("fuel", "50M")
}

fn receipt(desk: &Desk, out: &str) -> Json {
    let text = std::fs::read(desk.path(out).join("_receipt.json")).expect("a receipt");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn e_40_a_record_that_kills_the_parser_is_quarantined_and_all_others_are_accepted() {
    let input = lines(300, &killers());
    let desk = Desk::new(&input);
    let said = poison(&desk, "lines").done();
    let report = said.report();
    assert_eq!((said.exit, report["status"].as_str()), (0, Some("completed_with_quarantine")), "{report}");
    assert_eq!(report["traps"]["killers"], 5);
    assert_eq!(report["accounting"]["coverage"], "full");
    for (line, code) in KILLERS {
        assert_eq!(report["quarantine"]["by_code"][code], 1, "{line}: {report}");
    }
    let texts = tables::texts(&tables::read(&desk.path("out/rows.parquet")), "text");
    let good = String::from_utf8(input).expect("text");
    let good: Vec<_> =
        good.lines().filter(|line| !line.starts_with('!')).map(|l| Some(l.to_owned())).collect();
    assert_eq!(texts, good);
    let list = desk.call(&["quarantine", "list", OUT, "--json"]).done();
    assert!(list.stdout.contains("told to trap at byte"), "{list:?}");
}

#[test]
fn e_40_with_on_trap_fail_nothing_is_published() {
    for (line, _) in KILLERS {
        let desk = Desk::new(&lines(50, &[(25, line)]));
        let said = desk.evil("poison").option("text", "lines").option("m", 11).limit("fuel", "50M").done();
        assert_eq!((said.exit, said.report()["status"].as_str()), (10, Some("failed")), "{line}: {said:?}");
        desk.assert_untouched();
    }
}

#[test]
fn what_is_claimed_depends_neither_on_reads_nor_on_commits_and_comes_out_again() {
    let desk = Desk::new(&lines(300, &killers()));
    let cache = desk.path("cache");
    let claim = |out: &str, m: u64, words: &[&str]| {
        let call = desk.call(&["run"]).arg(guest("evil")).arg(desk.path(INPUT));
        let call = call.args(&["--json", "--out", out, "--limit", "fuel=50M", "--option", "evil=poison"]);
        let call = call.args(&["--on-trap", "isolate"]);
        let call = call.option("text", "lines").option("m", m).args(words).cache(cache.clone());
        assert_eq!(call.done().exit, 0);
        receipt(&desk, out)["claim"].clone()
    };
    let first = claim("first", 11, &[]);
    assert_eq!(claim("short", 11, &["--read-sizes", "1:3"]), first);
    for (out, m) in [("one", 1), ("few", 4), ("many", 100), ("all", 1000)] {
        let other = claim(out, m, &["--read-sizes", "5:7"]);
        for part in ["tables", "quarantine", "records", "bytes", "verdict"] {
            assert_eq!(other[part], first[part], "{part} with a commit every {m} lines");
        }
    }
    let verify = desk.call(&["verify", "first/_receipt.json", "--json", "--limit", "fuel=50M"]);
    let said = verify.arg("--input").arg(desk.path(INPUT)).arg("--component").arg(guest("evil")).done();
    assert_eq!((said.exit, said.report()["agrees"].as_bool()), (0, Some(true)), "{said:?}");
}

#[test]
fn e_41_a_parser_that_leaks_is_made_anew_and_costs_no_record() {
    let desk = Desk::new(&lines(200, &[(50, "!shy")]));
    let report = poison(&desk, "lines").option("n", 30).done().assert_completed();
    assert_eq!(report["tables"][0]["accepted"], 200);
    assert_eq!(report["traps"]["killers"], 0);
    assert!(report["traps"]["traps"].as_u64() > Some(5), "{report}");
}

#[test]
fn e_42_the_seventeenth_killer_ends_the_run_and_nothing_is_published() {
    let among: Vec<_> = (0..17).map(|at| (at * 5, "!trap")).collect();
    let desk = Desk::new(&lines(85, &among));
    let message = poison(&desk, "lines").done().assert_fault("guest", "guest-trap");
    let bound = "records that kill the parser: limit 16, used 16, wanted 1 more";
    assert!(message.contains(bound), "{message}");
    desk.assert_untouched();
    let desk = Desk::new(&lines(80, &among[..16]));
    assert_eq!(poison(&desk, "lines").done().report()["traps"]["killers"], 16);
}

#[test]
fn e_42_a_killer_of_more_than_a_megabyte_ends_the_run() {
    let mut input = vec![b' '; 1 << 20];
    input.extend(b"!trap");
    // Trimmed at its end only: begin with the word.
    input.rotate_right(5);
    let desk = Desk::new(&input);
    let message = poison(&desk, "lines").limit("memory", "256MiB").done().assert_fault("guest", "guest-trap");
    assert!(message.contains("bytes of records that kill the parser: limit 1048576"), "{message}");
    desk.assert_untouched();
}

#[test]
fn e_43_a_parser_that_lies_about_boundaries_is_not_gone_on_with() {
    for (resync, said) in [
        ("nothing", "resync names no boundary past byte"),
        ("traps", "resync names no boundary past byte"),
        ("stands", "resync named byte"),
        ("leaves", "resync named byte"),
    ] {
        let desk = Desk::new(&lines(50, &[(25, "!trap")]));
        let run = poison(&desk, resync).done();
        run.assert_fault("guest", "guest-trap");
        let fault = run.report()["fault"].to_string();
        assert!(fault.contains(said), "{resync}: {fault}");
        desk.assert_untouched();
    }
    let desk = Desk::new(&lines(50, &[(25, "!trap")]));
    let message = poison(&desk, "speaks").done().assert_fault("guest", "call-out-of-phase");
    assert_eq!(message, "`output.commit` was called outside plan and parse");
    desk.assert_untouched();
}

#[test]
fn a_refusal_is_no_records_doing() {
    let desk = Desk::new(&lines(50, &[(25, "!refused")]));
    poison(&desk, "lines").done().assert_fault("guest", "span-outside");
    assert_eq!(host::names(&desk.path("")), [INPUT]);
}

#[test]
fn the_summary_says_how_many_records_killed_the_parser() {
    let desk = Desk::new(&lines(50, &[(25, "!trap"), (30, "!recurse")]));
    let call = desk.call(&["run"]).arg(guest("evil")).arg(INPUT).args(&["--option", "evil=poison"]);
    let said = call.option("text", "lines").option("m", 3).args(&["--on-trap", "isolate"]).done();
    let line = "warning: 2 records killed the parser and went to quarantine: 1 CF0801, 1 CF0804";
    assert!(said.stderr.contains(line), "{}", said.stderr);
}

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
    poison_by(desk, resync, 11)
}

/// The same, with a commit every `m` lines.
fn poison_by<'a>(desk: &'a Desk, resync: &str, m: u64) -> Call<'a> {
    // Little fuel, so that what spins is over soon.
    desk.evil("poison").option("text", resync).option("m", m).limit("fuel", "50M")
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
        let said = poison(&desk, "lines").args(&["--on-trap", "fail"]).done();
        assert_eq!((said.exit, said.report()["status"].as_str()), (10, Some("failed")), "{line}: {said:?}");
        desk.assert_untouched();
    }
}

/// What a claim says of an input, whatever its options were.
const CLAIMED: [&str; 5] = ["tables", "quarantine", "records", "bytes", "verdict"];

/// Runs over a desk's input, each into a folder of its own, with the code compiled once.
struct Runs {
    desk: Desk,
    cache: std::path::PathBuf,
}

impl Runs {
    fn over(input: &[u8]) -> Self {
        let desk = Desk::new(input);
        let cache = desk.path("cache");
        Self { desk, cache }
    }

    fn run(&self, out: &str, options: &[(&str, &str)], words: &[&str]) -> Call<'_> {
        let call = self.desk.call(&["run"]).arg(guest("evil")).arg(self.desk.path(INPUT));
        let call = call.args(&["--json", "--out", out, "--option", "evil=poison"]);
        let call = options.iter().fold(call, |call, (key, value)| call.option(key, value));
        call.args(words).cache(self.cache.clone())
    }

    /// Returns what a run claims, with a commit every `m` lines.
    #[track_caller]
    fn claim(&self, out: &str, m: usize, words: &[&str]) -> Json {
        let m = m.to_string();
        let said = self.run(out, &[("text", "lines"), ("m", &m)], words).limit("fuel", "20M").done();
        assert_eq!(said.exit, 0, "{said:?}");
        receipt(&self.desk, out)["claim"].clone()
    }

    fn verify(&self, out: &str, words: &[&str]) -> host::Said {
        let receipt = format!("{out}/_receipt.json");
        let verify = self.desk.call(&["verify", &receipt, "--json"]).args(words).cache(self.cache.clone());
        verify.arg("--input").arg(self.desk.path(INPUT)).arg("--component").arg(guest("evil")).done()
    }
}

#[test]
fn what_is_claimed_depends_neither_on_reads_nor_on_commits_and_comes_out_again() {
    let runs = Runs::over(&lines(300, &killers()));
    let first = runs.claim("first", 11, &[]);
    assert_eq!(runs.claim("short", 11, &["--read-sizes", "1:3"]), first);
    for (out, m) in [("one", 1), ("few", 4), ("many", 100), ("all", 1000)] {
        let other = runs.claim(out, m, &["--read-sizes", "5:7"]);
        for part in CLAIMED {
            assert_eq!(other[part], first[part], "{part} with a commit every {m} lines");
        }
    }
    let said = runs.verify("first", &[]);
    assert_eq!((said.exit, said.report()["agrees"].as_bool()), (0, Some(true)), "{said:?}");
}

/// Lines of all kinds, by a seed: those that kill, those that are dear and those that nearly are, those that read the whole input.
fn drawn(seed: u64) -> Vec<u8> {
    const OTHERS: [&str; 11] = [
        "!trap",
        "!spin",
        "!grow",
        "!recurse",
        "!handles",
        "!shy",
        "!ahead",
        "!burn 500000",
        "!burn 2000000",
        "!burn 3000000",
        "!burn 9000000",
    ];
    let mut state = seed;
    let mut below = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let count = 20 + below(250) as usize;
    let among: Vec<_> = (0..10)
        .map(|_| (below(count as u64) as usize, OTHERS[below(OTHERS.len() as u64) as usize]))
        .collect();
    lines(count, &among)
}

#[test]
fn no_verdict_hangs_on_batches_reads_ranges_or_on_what_is_near() {
    for seed in 0..4 {
        let runs = Runs::over(&drawn(seed));
        let first = runs.claim("first", 1, &[]);
        let variants: [(&str, usize, &[&str]); 4] = [
            ("few", 3, &["--read-sizes", "1:5"]),
            ("many", 50, &["--range-bytes", "700"]),
            ("all", 1000, &["--batch-bytes", "4096"]),
            ("cut", 7, &["--range-bytes", "64", "--read-sizes", "9:60"]),
        ];
        for (out, m, words) in variants {
            let other = runs.claim(out, m, words);
            for part in CLAIMED {
                assert_eq!(other[part], first[part], "{part} of seed {seed}, {out}");
            }
        }
    }
}

#[test]
fn a_second_run_has_the_bounds_that_decided_and_no_higher_ones() {
    let runs = Runs::over(&lines(40, &[(20, "!burn 9000000")]));
    assert_eq!(runs.claim("out", 3, &[])["quarantine"]["by_code"]["CF0802"], 1);
    assert_eq!(runs.verify("out", &[]).exit, 0);
    assert_eq!(runs.verify("out", &["--limit", "fuel=30M"]).exit, 0);
    let said = runs.verify("out", &["--limit", "fuel=10M"]);
    let message = "operator: the receipt's run had 20000000 fuel, and this one may have 10000000";
    assert!(said.exit == 12 && said.stderr.contains(message), "{said:?}");
}

#[test]
fn what_a_record_says_in_quarantine_names_no_bound() {
    let desk =
        Desk::new(&lines(50, &killers()[1..4].iter().map(|(at, line)| (at % 50, *line)).collect::<Vec<_>>()));
    assert_eq!(poison(&desk, "lines").done().exit, 0);
    let list = desk.call(&["quarantine", "list", OUT, "--json"]).done();
    for number in ["50000000", "1048576", "used"] {
        assert!(!list.stdout.contains(number), "{number}: {}", list.stdout);
    }
}

#[test]
fn e_44_of_a_parser_that_commits_within_its_records_nothing_is_claimed() {
    let input = b"one\ntwo\n\nthree\nfour\n!trap\nfive\n\nsix\n";
    let run = |desk: &Desk, m: u64| poison_by(desk, "paragraphs", m).done();
    let desk = Desk::new(input);
    run(&desk, 2).assert_fault("guest", "guest-trap");
    let hint = run(&desk, 2).report()["fault"]["hint"].to_string();
    assert!(hint.contains("it committed up to byte 15, where no record begins by its resync"), "{hint}");
    desk.assert_untouched();
    // As long as it commits where records end, a record is a paragraph.
    let desk = Desk::new(input);
    let report = run(&desk, 1000).report();
    assert_eq!((&report["traps"]["killers"], &report["traps"]["killer_bytes"]), (&1.into(), &23.into()));
    assert_eq!(report["tables"][0]["accepted"], 4, "{report}");
}

#[test]
fn e_45_rows_that_stand_for_a_call_are_not_multiplied_behind_a_trap() {
    let desk = Desk::new(&lines(50, &[(25, "!trap")]));
    let message = poison(&desk, "lines and a sum").done().assert_fault("guest", "no-spans-behind-trap");
    assert!(message.contains("table `extremes` has no spans"), "{message}");
    desk.assert_untouched();
    let desk = Desk::new(&lines(50, &[]));
    poison(&desk, "lines and a sum").done().assert_completed();
}

#[test]
fn e_46_a_table_that_only_a_killer_opened_was_never_opened() {
    let desk = Desk::new(&lines(50, &[(25, "!opens")]));
    let report = poison(&desk, "lines").args(&["--tables", "rows,extremes"]).done().report();
    assert_eq!(report["traps"]["killers"], 1, "{report}");
    let tables: Vec<_> = report["tables"].as_array().expect("tables").iter().map(|t| &t["name"]).collect();
    assert_eq!(tables, ["rows"]);
    assert!(!desk.path("out/extremes.parquet").exists());
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
    // Of an input that is long enough for reading on to be worth fuel it is asked beforehand, and what it says costs nothing.
    let long = Desk::new(&lines(60_000, &[]));
    for resync in ["nothing", "traps", "stands", "leaves"] {
        let run = long.evil("poison").option("text", resync).option("m", 1000);
        let report = run.done().assert_completed();
        let (accepted, traps) = (&report["tables"][0]["accepted"], &report["traps"]["traps"]);
        assert_eq!((accepted, traps), (&60_000.into(), &0.into()), "{resync}");
        std::fs::remove_dir_all(long.path("out")).expect("the output");
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
    let said = call.option("text", "lines").option("m", 3).done();
    let line = "warning: 2 records killed the parser and went to quarantine: 1 CF0801, 1 CF0804";
    assert!(said.stderr.contains(line), "{}", said.stderr);
}

//! The command line as a person meets it: what it refuses, what it leaves behind, how it ends when somebody ends it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::host::{self, Call, Desk, INPUT, OUT, Said, guest};

const FILE: &[u8] = b"The parser is told what to do, and this is what it would read.\r\n";

#[test]
fn an_output_that_exists_is_refused_and_stays_as_it_is() {
    let desk = Desk::new(FILE);
    desk.evil("honest").done().assert_completed();
    let before = std::fs::read(desk.path("out/rows.parquet")).expect("rows");
    let said = desk.evil("honest").option("text", "other").done();
    let message = said.assert_fault("operator", "output-exists");
    assert!(message.ends_with("out exists"), "{message}");
    assert_eq!(std::fs::read(desk.path("out/rows.parquet")).expect("rows"), before);
    assert_eq!(desk.names(), [INPUT, OUT]);
}

#[test]
fn replace_exchanges_the_output_and_leaves_nothing_of_the_old_one() {
    let desk = Desk::new(FILE);
    desk.evil("rejects_unknown_fault").option("n", 0).done();
    assert_eq!(host::names(&desk.path(OUT)), ["_quarantine.parquet", "_receipt.json"]);
    desk.evil("honest").arg("--replace").done().assert_completed();
    assert_eq!(host::names(&desk.path(OUT)), ["_receipt.json", "rows.parquet"]);
    assert_eq!(desk.names(), [INPUT, OUT]);
}

#[test]
fn replace_that_fails_leaves_the_old_output() {
    let desk = Desk::new(FILE);
    desk.evil("honest").done().assert_completed();
    desk.evil("late_trap").option("n", 9).arg("--replace").done().assert_fault("guest", "guest-trap");
    assert_eq!(host::names(&desk.path(OUT)), ["_receipt.json", "rows.parquet"]);
    assert_eq!(desk.names(), [INPUT, OUT]);
}

#[test]
fn replace_takes_away_nothing_that_no_run_has_made() {
    let desk = Desk::new(FILE);
    std::fs::create_dir(desk.path(OUT)).expect("a folder");
    desk.write("out/thesis.txt", b"years of work");
    let message = desk.evil("honest").arg("--replace").done().assert_fault("operator", "output-not-ours");
    assert!(message.contains("thesis.txt"), "{message}");
    assert_eq!(host::names(&desk.path(OUT)), ["thesis.txt"]);
}

#[test]
fn i_03_an_input_that_is_not_there_or_is_no_file_is_refused() {
    let desk = Desk::new(FILE);
    let run = |input: &str| {
        let call = desk.call(&["run"]).arg(guest("evil")).args(&[input, "--json", "--out", "out"]);
        call.done()
    };
    run("nowhere").assert_fault("operator", "input-missing");
    std::fs::create_dir(desk.path("folder")).expect("a folder");
    let empty = run("folder");
    assert_eq!((empty.exit, empty.report()["fault"]["code"].as_str()), (12, Some("no-inputs")));
    run("/dev/zero").assert_fault("operator", "input-not-regular");
    run("/proc/self/maps").assert_fault("operator", "input-not-regular");
    let fifo = desk.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    // Nobody ever writes to it: a host that waited for somebody would hang here.
    run("pipe").assert_fault("operator", "input-not-regular");
    assert_eq!(desk.names(), ["folder", INPUT, "pipe"]);
}

#[test]
fn an_empty_input_has_no_records_and_no_dark_bytes() {
    let desk = Desk::new(b"");
    let report = desk.evil("honest").done().assert_completed();
    assert_eq!(
        (&report["records"], &report["accounting"]["coverage"]),
        (&Json::from(0), &Json::from("full"))
    );
}

#[test]
fn i_07_a_name_with_escapes_in_it_is_shown_and_not_obeyed() {
    let desk = Desk::new(FILE);
    let name = "evil\u{1b}]52;c;aGk=\u{7}\n\u{202e}gol.txt";
    desk.write(name, FILE);
    // `done` checks that nothing of it steers the terminal.
    let call = desk.call(&["run"]).arg(guest("evil")).arg(name);
    assert_eq!(call.done().exit, 0);
    let call = desk.call(&["run"]).arg(guest("evil")).arg(format!("{name}.missing"));
    assert_eq!(call.done().exit, 12);
}

#[test]
fn what_the_parser_does_not_have_is_the_operators_fault() {
    let desk = Desk::new(FILE);
    let message =
        desk.evil("honest").args(&["--tables", "trades"]).done().assert_fault("operator", "unknown-table");
    assert_eq!(message, "the parser has no table `trades`; it has: rows, extremes");
    let message = desk.evil("honest").option("colour", "red").done().assert_fault("operator", "bad-option");
    assert_eq!(message, "the parser has no option `colour`; it has: evil, n, m, text");
    let message = desk.evil("honest").option("n", "many").done().assert_fault("operator", "bad-option");
    assert_eq!(message, "option `n` takes an integer, not `many`");
    desk.assert_untouched();
}

#[test]
fn what_cannot_be_understood_is_a_matter_of_usage() {
    let desk = Desk::new(FILE);
    let exit = |words: &[&str]| desk.call(words).done().exit;
    let evil = guest("evil").to_string_lossy().into_owned();
    assert_eq!(exit(&[]), 2);
    assert_eq!(exit(&["dance"]), 2);
    assert_eq!(exit(&["run", &evil]), 2);
    assert_eq!(exit(&["run", &evil, INPUT, "--limit", "cpu=1"]), 2);
    assert_eq!(exit(&["run", &evil, INPUT, "--limit", "memory=5GiB"]), 2);
    assert_eq!(exit(&["run", &evil, INPUT, "--tables", "../x"]), 2);
    assert_eq!(exit(&["run", &evil, INPUT, "--replace"]), 2);
    assert_eq!(exit(&["--help"]), 0);
    assert_eq!(exit(&["--version"]), 0);
    desk.assert_untouched();
}

#[test]
fn every_exit_code_is_in_the_help() {
    let desk = Desk::new(FILE);
    let help = desk.call(&["--help"]).done().stdout;
    for code in ["0", "1", "2", "10", "11", "12", "70", "75", "130"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{code}  "))),
            "{code}: {help}"
        );
    }
}

#[test]
fn strict_publishes_nothing_and_holds_the_quarantine() {
    let desk = Desk::new(FILE);
    let said = desk.evil("undeclared_code").option("text", "bad").arg("--strict").done();
    let report = said.report();
    assert_eq!(
        (said.exit, &report["status"], &report["exit"]),
        (1, &Json::from("held"), &Json::from(1)),
        "{report}"
    );
    assert_eq!(desk.names(), [INPUT, "out.held"]);
    assert_eq!(host::names(&desk.path("out.held")), ["_quarantine.parquet", "_receipt.json"]);
    assert_eq!(
        report["quarantine"]["path"],
        desk.path("out.held/_quarantine.parquet").to_string_lossy().as_ref()
    );
    assert_eq!(report["tables"][0]["path"], Json::Null);
    let mode =
        std::fs::metadata(desk.path("out.held/_quarantine.parquet")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn strict_passes_what_is_clean() {
    let desk = Desk::new(FILE);
    desk.evil("honest").arg("--strict").done().assert_completed();
    assert_eq!(desk.names(), [INPUT, OUT]);
}

#[test]
fn whatif_and_a_preview_write_nothing() {
    let desk = Desk::new(FILE);
    let said = desk.evil("honest").arg("--whatif").done();
    assert_eq!(said.assert_completed()["tables"][0]["accepted"], 1);
    desk.assert_untouched();
    let preview = desk.call(&["run"]).arg(guest("evil")).arg(INPUT).option("text", "to be shown").done();
    assert!(preview.exit == 0 && preview.stdout.contains("to be shown"), "{preview:?}");
    desk.assert_untouched();
}

#[test]
fn inspect_says_what_a_parser_is() {
    let desk = Desk::new(FILE);
    let said = desk.call(&["inspect"]).arg(guest("fix")).arg("--json").done();
    let inspection = said.report();
    assert_eq!(inspection["description"]["name"], "fix");
    let imports: Vec<_> =
        inspection["imports"].as_array().expect("imports").iter().filter_map(Json::as_str).collect();
    assert!(imports.iter().all(|name| name.starts_with("casparian:parser/")), "{imports:?}");
    let tables: Vec<_> =
        inspection["columns"].as_array().expect("columns").iter().map(|t| t["table"].clone()).collect();
    let due = ["messages", "execution_reports", "session_events", "market_data_entries", "groups", "fields"];
    assert_eq!(tables, due);
    assert_eq!(desk.call(&["inspect"]).arg(guest("fix")).done().exit, 0);
    assert_eq!(desk.call(&["inspect"]).arg(INPUT).done().exit, 12);
}

#[test]
fn doctor_looks_at_this_machine() {
    let desk = Desk::new(FILE);
    let said = desk.call(&["doctor", "--json"]).done();
    assert!([0, 1].contains(&said.exit), "{said:?}");
    assert!(said.report()["checks"].is_array(), "{said:?}");
}

/// A run that spins until somebody ends it.
struct Spinning<'a> {
    child: Child,
    desk: &'a Desk,
}

impl<'a> Spinning<'a> {
    /// Starts it and waits until the guest has said that it spins.
    fn start(desk: &'a Desk, more: impl Fn(Call<'a>) -> Call<'a>) -> Self {
        let call = more(desk.evil("spin").limit("fuel", "1000T"));
        Self::started(desk, &call)
    }

    /// Starts one whose guest does something else before it spins.
    fn started(desk: &'a Desk, call: &Call<'a>) -> Self {
        let mut command = call.command();
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut talk = BufReader::new(child.stderr.take().expect("its talk"));
        let mut line = String::new();
        while !line.contains("spinning") {
            line.clear();
            assert!(talk.read_line(&mut line).expect("a line") > 0, "it ended before it spun");
        }
        child.stderr = Some(talk.into_inner());
        Spinning { child, desk }
    }

    /// The process that runs the guest.
    fn worker(&self) -> Pid {
        let id = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("its children");
        let worker = children.split_whitespace().next().expect("a worker").parse().expect("a number");
        Pid::from_raw(worker).expect("a process")
    }

    fn supervisor(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn end(self) -> Said {
        Said::new(self.child.wait_with_output().expect("it ends"))
    }
}

/// Waits until a process is gone: reaped, or a zombie that nobody has reaped yet.
fn wait_until_gone(process: Pid) {
    let status = format!("/proc/{}/stat", process.as_raw_nonzero());
    let is_there = || std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z "));
    let begun = std::time::Instant::now();
    while is_there() {
        assert!(begun.elapsed().as_secs() < 30, "process {process:?} outlives its supervisor");
        std::thread::yield_now();
    }
}

#[test]
fn s_01_a_supervisor_that_is_killed_takes_its_worker_along_and_the_next_run_sweeps_up() {
    let desk = Desk::new(FILE);
    let mut spinning = Spinning::start(&desk, |call| call);
    let worker = spinning.worker();
    assert!(desk.names().iter().any(|name| name.starts_with(".casparian-staging-")), "{:?}", desk.names());
    kill_process(spinning.supervisor(), Signal::KILL).expect("killed");
    spinning.child.wait().expect("it ends");
    wait_until_gone(worker);
    assert!(!desk.path(OUT).exists());
    desk.evil("honest").done().assert_completed();
    assert_eq!(desk.names(), [INPUT, OUT]);
}

#[test]
fn s_03_a_worker_that_hangs_is_killed_at_the_deadline() {
    let desk = Desk::new(FILE);
    let spinning = Spinning::start(&desk, |call| call.limit("time", "3s"));
    let worker = spinning.worker();
    kill_process(worker, Signal::STOP).expect("stopped");
    spinning.end().assert_fault("guest", "deadline-exceeded");
    wait_until_gone(worker);
    desk.assert_untouched();
}

#[test]
fn e_35_a_worker_that_crashes_is_told_from_a_guest_that_traps() {
    let desk = Desk::new(FILE);
    let spinning = Spinning::start(&desk, |call| call);
    kill_process(spinning.worker(), Signal::ABORT).expect("a signal");
    let message = spinning.end().assert_fault("host", "worker-crash");
    assert_eq!(message, "the worker died: SIGABRT (out of memory?)");
    desk.assert_untouched();
}

#[test]
fn e_06_a_guest_that_touches_all_it_may_have_costs_the_machine_that_and_a_little() {
    const MIB: u64 = 1 << 20;
    let desk = Desk::new(FILE);
    // 16 pages are for what the guest has already.
    let call = desk.evil("grow").option("text", "touch").option("n", 128 * 16 - 16 - 32);
    let spinning = Spinning::started(&desk, &call.limit("fuel", "1000T").limit("memory", 128 * MIB));
    let worker = spinning.worker();
    let pid = u32::try_from(worker.as_raw_nonzero().get()).expect("a process");
    let kib = casparian_tests::marks::of_process(pid).expect("its peak") / 1024;
    assert!((100 * 1024..(128 + 64) * 1024).contains(&kib), "{kib} KiB for a guest of 125 MiB");
    kill_process(spinning.supervisor(), Signal::INT).expect("a signal");
    assert_eq!(spinning.end().exit, 130);
}

#[test]
fn an_interrupted_run_publishes_nothing_and_says_so() {
    for signal in [Signal::INT, Signal::TERM] {
        let desk = Desk::new(FILE);
        let spinning = Spinning::start(&desk, |call| call);
        let (desk, worker) = (spinning.desk, spinning.worker());
        kill_process(spinning.supervisor(), signal).expect("a signal");
        let said = spinning.end();
        assert_eq!(
            (said.exit, &said.report()["fault"]["code"]),
            (130, &Json::from("interrupted")),
            "{said:?}"
        );
        wait_until_gone(worker);
        desk.assert_untouched();
    }
}

/// The commands that documents show: lines of `console` blocks behind a prompt.
fn commands(document: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(document).expect("a document");
    let blocks = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(|block| block.lines().filter_map(|line| line.strip_prefix("$ ")));
    lines.map(str::to_owned).collect()
}

fn documents(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for name in host::names(folder) {
        let path = folder.join(&name);
        match path.is_dir() {
            true if !name.starts_with('.') && name != "target" => found.extend(documents(&path)),
            false if name.ends_with(".md") => found.push(path),
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_that_a_document_shows_is_one_that_there_is() {
    let desk = Desk::new(FILE);
    let chores = std::fs::read_to_string(host::root().join("xtask/src/main.rs")).expect("the chores");
    for document in documents(host::root()) {
        for command in commands(&document) {
            let place = format!("{}: {command}", document.display());
            let words: Vec<&str> = command.split_whitespace().collect();
            match words.as_slice() {
                ["host", sub, rest @ ..]
                | ["target/release/host", sub, rest @ ..]
                | ["./target/release/host", sub, rest @ ..] => {
                    assert_known(&desk, sub, rest, &place);
                }
                ["cargo", "xtask", chore, ..] => {
                    assert!(chores.contains(&format!("(\"{chore}\"")), "{place}")
                }
                _ => {}
            }
        }
    }
}

fn assert_known(desk: &Desk, sub: &str, rest: &[&str], place: &str) {
    if sub.starts_with('-') {
        return;
    }
    let mut help = desk.call(&[sub, "--help"]).done();
    assert_eq!(help.exit, 0, "{place}: there is no `{sub}`");
    // Of a command with others below it, flags are theirs.
    if let Some(below) = rest.first().filter(|_| help.stdout.contains("Commands:")) {
        help = desk.call(&[sub, below, "--help"]).done();
        assert_eq!(help.exit, 0, "{place}: there is no `{sub} {below}`");
    }
    let flags: BTreeSet<&str> = rest.iter().filter(|word| word.starts_with("--")).copied().collect();
    for flag in flags {
        let name = flag.split('=').next().unwrap_or(flag);
        assert!(help.stdout.contains(name), "{place}: `{sub}` has no {name}");
    }
}

//! Parsers by wasm-smith (`casparian_fuzz::smith`), bounded: some hundred in this process, a few in a locked worker, and components that
//! are no parsers. They are the same on every machine. `CASPARIAN_FUZZ_RUNS=n` tries n of each and says what they did,
//! `CASPARIAN_FUZZ_SEED=n` begins with another one. `cargo xtask fuzz guest stranger` goes on for longer.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic;

use casparian_core::flow::{TableTally, Tally};
use casparian_core::ledger::{Account, ByteClasses};
use casparian_core::limits::Limits;
use casparian_fuzz::Dice;
use casparian_fuzz::smith::stranger::{self, Refused};
use casparian_fuzz::smith::{self, CALLS_COUNT, Generated, Ran, Under, call_names};
use casparian_sandbox::journal::Level;
use serde_json::{Value as Json, json};

use crate::host::{Desk, INPUT, OUT};

/// Parsers that an ordinary run tries, and those of them that it tries in a worker too.
const GUESTS: u64 = 160;
const LOCKED_IN: u64 = 16;
/// How often the host must hear of each call at least, all of them together.
const CALLS_LEAST: u64 = 25;
/// One in so many is run again.
const AGAIN: u64 = 8;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().expect("a number"))
}

/// Does something for seed after seed; says for which one it panicked.
fn for_seeds(usual: u64, mut each: impl FnMut(u64, &[u8])) {
    let (first, runs) =
        (number("CASPARIAN_FUZZ_SEED").unwrap_or(1), number("CASPARIAN_FUZZ_RUNS").unwrap_or(usual));
    for seed in first..first + runs {
        let bytes = smith::chance(&mut Dice::new(seed));
        let done = panic::catch_unwind(panic::AssertUnwindSafe(|| each(seed, &bytes)));
        assert!(done.is_ok(), "it does not hold for CASPARIAN_FUZZ_SEED={seed}");
    }
}

/// Whether there are enough of them to prove something together.
fn are_enough(usual: u64) -> bool {
    number("CASPARIAN_FUZZ_RUNS").is_none_or(|runs| runs >= usual)
}

/// Says what they did, if somebody has asked for more of them than usual.
#[expect(clippy::print_stderr, reason = "somebody has asked")]
fn tell(what: &impl Debug) {
    if number("CASPARIAN_FUZZ_RUNS").is_some() {
        eprintln!("{what:#?}");
    }
}

/// What many of them came to.
#[derive(Debug, Default)]
struct Sum {
    ends: BTreeMap<String, u64>,
    calls: BTreeMap<&'static str, u64>,
    /// By class: accepted, quarantined, skipped.
    bytes: [u64; 3],
    killers: u64,
}

impl Sum {
    fn add(&mut self, ran: &Ran) {
        *self.ends.entry(ran.code().to_owned()).or_default() += 1;
        for (name, calls) in call_names().into_iter().zip(ran.calls) {
            *self.calls.entry(name).or_default() += calls;
        }
        self.killers += ran.killers;
        if let Some((_, account)) = &ran.story {
            let classes = &account.classes;
            let bytes = [classes.accepted_bytes, classes.quarantined_bytes, classes.skipped_bytes];
            self.bytes.iter_mut().zip(bytes).for_each(|(sum, bytes)| *sum += bytes);
        }
    }

    /// They did enough of everything to prove something.
    fn assert_rich(&self, runs: u64) {
        assert_eq!(self.calls.len(), CALLS_COUNT);
        for (name, calls) in &self.calls {
            assert!(*calls >= CALLS_LEAST, "{name} is called {calls} times: {self:#?}");
        }
        let well = self.ends.get("ok").copied().unwrap_or(0);
        assert!(well * 5 > runs && self.ends.len() > 6, "they end all alike: {self:#?}");
        assert!(
            self.bytes.iter().all(|bytes| *bytes > 1000) && self.killers > 0,
            "they say little: {self:#?}"
        );
    }
}

#[test]
fn generated_parsers_make_every_call_and_end_well_or_by_a_fault_of_their_own() {
    let (mut sum, mut runs) = (Sum::default(), 0);
    for_seeds(GUESTS, |seed, bytes| {
        let Some(ran) = smith::run(bytes) else { return };
        if seed % AGAIN == 0 {
            assert_eq!(Some(&ran), smith::run(bytes).as_ref(), "the same bytes come to something else");
        }
        runs += 1;
        sum.add(&ran);
    });
    tell(&sum);
    if are_enough(GUESTS) {
        sum.assert_rich(runs);
    }
}

/// Fuel for each of them where they run in a worker: what is left of a bound that one can set there.
const FUEL: u64 = 5_000_000;

/// A desk with a generated parser on it.
fn desk_with(generated: &Generated) -> Desk {
    let desk = Desk::new(&generated.input);
    desk.write("parser.wasm", &generated.component);
    desk
}

fn run_locked_in(desk: &Desk, generated: &Generated, out: &str) -> Json {
    let on_trap = if generated.isolates { "isolate" } else { "fail" };
    let call = desk.call(&["run", "parser.wasm", INPUT, "--json", "--out", out, "--on-trap", on_trap]);
    call.limit("fuel", FUEL).cache(desk.path("cache")).done().report()
}

/// Whether the program confirms a claim. What is generated may look at how large batches are wanted, and reads no further where
/// it got less than it asked for: then it is told so.
fn is_confirmed(desk: &Desk) -> bool {
    let receipt = format!("{OUT}/_receipt.json");
    let call = desk.call(&["verify", &receipt, "--json", "--input", INPUT, "--component", "parser.wasm"]);
    let said = call.limit("fuel", FUEL).cache(desk.path("cache")).done();
    assert!([0, 1, 10].contains(&said.exit), "{said:?}");
    said.exit == 0
}

/// What this process does under the same bounds.
fn run_here(generated: &Generated) -> Ran {
    let limits = Limits { fuel_base: FUEL, fuel_per_byte: 0, ..Limits::default() };
    smith::run_under(generated, &Under { limits, log_level: Level::Info, is_attached: false })
}

/// What is claimed is what this process came to.
fn assert_claim(desk: &Desk, (tally, account): &(Tally, Account)) {
    let text = std::fs::read(desk.path(OUT).join("_receipt.json")).expect("a receipt");
    let claim = serde_json::from_slice::<Json>(&text).expect("it is JSON")["claim"].clone();
    let table = |table: &TableTally| {
        let claimed =
            json!({ "accepted": table.accepted, "quarantined": table.quarantined, "digest": table.digest });
        (table.name.to_string(), claimed)
    };
    assert_eq!(claim["tables"], tally.tables.iter().map(table).collect::<Json>());
    assert_eq!(claim["quarantine"]["digest"], json!(tally.quarantine.digest));
    assert_eq!(claim["records"], json!(tally.records));
    let ByteClasses { accepted_bytes, quarantined_bytes, skipped_bytes, dark_bytes } = account.classes;
    let bytes = ["accepted", "quarantined", "skipped", "dark"].map(|class| claim["bytes"][class].as_u64());
    assert_eq!(bytes, [accepted_bytes, quarantined_bytes, skipped_bytes, dark_bytes].map(Some));
}

#[test]
fn generated_parsers_come_to_the_same_in_a_locked_worker_and_again() {
    let (mut ends, mut confirmed) = (BTreeMap::<String, u64>::new(), 0);
    for_seeds(LOCKED_IN, |_, bytes| {
        let Some(generated) = smith::generate(bytes) else { return };
        let (desk, ran) = (desk_with(&generated), run_here(&generated));
        let reports = [OUT, "again"].map(|out| run_locked_in(&desk, &generated, out));
        for report in &reports {
            assert_eq!((&report["fault"], &report["fuel"]), (&json!(ran.fault), &json!(ran.usage.fuel)));
            assert_eq!(report["claim_sha256"], reports[0]["claim_sha256"]);
        }
        match &ran.story {
            Some(story) => {
                assert_claim(&desk, story);
                confirmed += u64::from(is_confirmed(&desk));
            }
            None => assert!(!desk.path(OUT).exists(), "something is published of a run that failed"),
        }
        *ends.entry(ran.code().to_owned()).or_default() += 1;
    });
    tell(&(&ends, confirmed));
    let well = ends.get("ok").copied().unwrap_or(0);
    let is_rich = ends.len() > 3 && well > 3 && confirmed * 2 > well;
    assert!(is_rich || !are_enough(LOCKED_IN), "{confirmed} are confirmed of {ends:?}");
}

#[test]
fn generated_components_that_are_no_parsers_are_refused_at_the_door_or_by_the_compiler() {
    let mut refused: BTreeMap<Refused, u64> = BTreeMap::new();
    for_seeds(GUESTS, |_, bytes| {
        for refusal in stranger::refuse(bytes).into_iter().flatten() {
            *refused.entry(refusal).or_default() += 1;
        }
    });
    tell(&refused);
    let compiled = refused.iter().filter(|(refusal, _)| matches!(refusal, Refused::Compiled(_)));
    let compiled: u64 = compiled.map(|(_, times)| times).sum();
    assert!(compiled > GUESTS / 2 || !are_enough(GUESTS), "next to none is compiled: {refused:?}");
}

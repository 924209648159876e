//! Any calls of the world in any order, with any numbers for handles, addresses and lengths: a component that does as its
//! input says. `CASPARIAN_FUZZ_RUNS=n` tries n inputs.

use std::collections::BTreeMap;

use casparian_core::limits::Limits;
use casparian_fuzz::{Dice, one_call, target};
use casparian_tests::{Bench, Outcome};

use crate::component::Text;

/// Inputs that an ordinary run tries.
const RUNS: u64 = 2000;
/// The size of every input: instructions, and from [`MESSAGES_AT`] on a schema and a batch.
const INPUT_BYTES: usize = 4096;
const MESSAGES_AT: usize = 1024;
/// An instruction: which call, two numbers of 64 bits, five of 32, and four bytes that mean nothing.
const CALL_BYTES: usize = 48;
/// Where the component's heap begins, and so where it has its input.
const INPUT_AT: u64 = 8192;
/// Kinds of calls.
const KINDS: usize = 14;

/// A component that reads its input and makes the calls that it lists, until one of them is none.
fn component() -> Bench {
    let text = Text {
        memory: "4",
        parse: r#"
      (local $at i32)
      (call $read (local.get $input) (i64.const 0) (i32.const 65536) (i32.const 2048))
      (local.set $at (i32.load (i32.const 2048)))
      (loop $more
        (if (i32.lt_u (i32.load8_u (local.get $at)) (i32.const 14)) (then
          (call $one (local.get $input) (local.get $at))
          (local.set $at (i32.add (local.get $at) (i32.const 48)))
          (br $more))))
      (i32.const 1400)"#,
        more: concat!(r#"(data (i32.const 1312) "\00\10")"#, one_call!()),
        ..Text::of_every_call()
    };
    Bench::new(&text.component()).unwrap_or_else(|(code, why)| panic!("{code}: {why}"))
}

/// Makes an input: calls as a parser makes them, with some of their numbers exchanged for odd ones.
fn input(dice: &mut Dice, schema: &[u8], batch: &[u8]) -> Vec<u8> {
    let schema_at = INPUT_AT + MESSAGES_AT as u64;
    let batch_at = schema_at + schema.len().next_multiple_of(8) as u64;
    let (text_at, result_at) = (4096, 2048);
    let usual = |kind: usize, edge: u64| -> [u64; 7] {
        match kind {
            0 => [0, 0, 0, result_at, 0, 0, 0],
            2 => [0, 0, 0, 64, result_at, 0, 0],
            3 => [0, 0, text_at, 4, result_at, 0, 0],
            4 => [0, 0, text_at, 4, schema_at, schema.len() as u64, result_at],
            5 => [0, 0, 2, batch_at, batch.len() as u64, result_at, 0],
            6 => [0, 0, 2, 0, 0, 0, 0],
            7 => [0, 0, text_at, 0, result_at, 0, 0],
            8 => [edge, 16, 0, text_at, 4, result_at, 0],
            9 => [edge, 0, result_at, 0, 0, 0, 0],
            10 => [0, 0, text_at, 4, 0, 0, 0],
            13 => [edge, 1, 4, text_at, 8, 1, 0],
            _ => [0; 7],
        }
    };
    let mut input = vec![0xff; INPUT_BYTES];
    for place in 0..dice.below(MESSAGES_AT / CALL_BYTES) {
        let kind = dice.below(KINDS);
        let mut numbers = usual(kind, dice.below(INPUT_BYTES + 20) as u64);
        while dice.below(8) == 0 {
            numbers[dice.below(7)] = odd(dice);
        }
        let bytes = instruction(kind, &numbers);
        input[place * CALL_BYTES..][..CALL_BYTES].copy_from_slice(&bytes);
    }
    input[MESSAGES_AT..][..schema.len()].copy_from_slice(schema);
    let at = usize::try_from(batch_at - INPUT_AT).expect("an offset");
    input[at..][..batch.len()].copy_from_slice(batch);
    input
}

fn odd(dice: &mut Dice) -> u64 {
    let edges =
        [0, 1, 2, 3, 7, 255, 65_535, 65_536, 262_143, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 63, 8192];
    match dice.below(3) {
        0 => dice.roll(),
        1 => dice.roll() % 300_000,
        _ => edges[dice.below(edges.len())],
    }
}

fn instruction(kind: usize, numbers: &[u64; 7]) -> [u8; CALL_BYTES] {
    let mut bytes = [0; CALL_BYTES];
    bytes[0] = u8::try_from(kind).expect("few kinds");
    for (place, number) in numbers.iter().enumerate() {
        match place {
            0 | 1 => bytes[8 + place * 8..][..8].copy_from_slice(&number.to_le_bytes()),
            _ => bytes[16 + place * 4..][..4].copy_from_slice(&number.to_le_bytes()[..4]),
        }
    }
    bytes
}

/// Whatever was called, the host lives, keeps its bounds, and calls nothing its own fault.
fn assert_bounded(outcome: &Outcome, limits: &Limits, what: &str) {
    assert!(!["internal", "output-failed", "worker-crash"].contains(&outcome.code()), "{what}: {outcome:?}");
    let granted = limits.fuel_for(limits.fuel_window_bytes + INPUT_BYTES as u64);
    assert!(outcome.usage.fuel <= granted, "{what}: {} fuel", outcome.usage.fuel);
    assert!(outcome.log.iter().all(|line| line.text.raw().len() <= 1024 + "…".len()), "{what}");
    assert!(outcome.said.len() <= MESSAGES_AT / CALL_BYTES, "{what}: {} words", outcome.said.len());
}

#[test]
fn any_calls_in_any_order_end_in_peace_or_in_a_fault_that_is_the_guests() {
    let runs = std::env::var("CASPARIAN_FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().expect("a number"));
    let (schemas, batches) = ("wire_schema", "wire_batch");
    let least = |name: &str, fits: fn(&[u8]) -> bool| {
        let mut seeds = (target(name).expect("a target").seeds)();
        seeds.retain(|seed| fits(seed));
        seeds.sort_by_key(Vec::len);
        seeds
    };
    let schema = least(schemas, |seed| casparian_core::wire::schema(seed).is_ok()).remove(0);
    let batch = least(batches, |seed| seed.len() > 200).remove(0)[1..].to_vec();
    let (bench, limits, mut dice) = (component(), Limits::default(), Dice::new(7));
    let mut ends: BTreeMap<&'static str, u64> = BTreeMap::new();
    for run in 0..runs {
        let input = input(&mut dice, &schema, &batch);
        let outcome = bench.run(&limits, &input, &[]);
        assert_bounded(&outcome, &limits, &format!("run {run}"));
        *ends.entry(outcome.code()).or_default() += 1;
    }
    assert!(ends.len() > 5 && ends.contains_key("ok"), "the calls are all alike: {ends:?}");
}

//! Any calls of the world in any order, with any numbers for handles, addresses and lengths: a component that does as its
//! input says. `CASPARIAN_FUZZ_RUNS=n` tries n inputs.

use std::collections::BTreeMap;

use casparian_core::limits::Limits;
use casparian_fuzz::{Dice, target};
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
        input: r#"
    (export "[method]blob.name" (func (param "self" (borrow $blob)) (result string)))
    (export "[method]blob.read" (func (param "self" (borrow $blob)) (param "offset" u64) (param "len" u32)
      (result (list u8))))
    (export "attachment" (func (param "name" string) (result (option (own $blob)))))"#,
        imports: r#"
  (import "casparian:parser/output@0.2.0" (instance $output
    (export "table" (type $table (sub resource)))
    (export "[static]table.open" (func (param "name" string) (param "schema" (list u8))
      (result (result (own $table) (error $fault)))))
    (export "[method]table.emit" (func (param "self" (borrow $table)) (param "batch" (list u8))
      (result (result (error $fault)))))
    (export "reject" (func (param "records" (list $rejection)) (result (result (error $fault)))))
    (export "skip" (func (param "at" $span) (param "kind" $skip-kind) (param "note" string)
      (result (result (error $fault)))))
    (export "commit" (func (param "up-to" u64) (result (result (error $fault)))))
    (export "wanted" (func (param "table" string) (result bool)))
    (export "batch-bytes" (func (result u32)))))
  (import "casparian:parser/log@0.2.0" (instance $log
    (export "enabled" (func (param "level" $level) (result bool)))
    (export "log" (func (param "level" $level) (param "message" string) (param "at" (option $span))))))
  (alias export $output "table" (type $table-handle))"#,
        core_imports: r#"
    (import "world" "name" (func $name (param i32 i32)))
    (import "world" "read" (func $read (param i32 i64 i32 i32)))
    (import "world" "attachment" (func $attachment (param i32 i32 i32)))
    (import "world" "open" (func $open (param i32 i32 i32 i32 i32)))
    (import "world" "emit" (func $emit (param i32 i32 i32 i32)))
    (import "world" "close" (func $close (param i32)))
    (import "world" "reject" (func $reject (param i32 i32 i32)))
    (import "world" "skip" (func $skip (param i64 i64 i32 i32 i32 i32)))
    (import "world" "commit" (func $commit (param i64 i32)))
    (import "world" "wanted" (func $wanted (param i32 i32) (result i32)))
    (import "world" "batch_bytes" (func $batch_bytes (result i32)))
    (import "world" "enabled" (func $enabled (param i32) (result i32)))
    (import "world" "log" (func $log (param i32 i32 i32 i32 i64 i64)))"#,
        world: r#"
  (core func $name (canon lower (func $input "[method]blob.name") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $read (canon lower (func $input "[method]blob.read") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $attachment (canon lower (func $input "attachment") (memory (core memory $heap "memory"))))
  (core func $open (canon lower (func $output "[static]table.open") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $emit (canon lower (func $output "[method]table.emit") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $close (canon resource.drop $table-handle))
  (core func $reject (canon lower (func $output "reject") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $skip (canon lower (func $output "skip") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $commit (canon lower (func $output "commit") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $wanted (canon lower (func $output "wanted") (memory (core memory $heap "memory"))))
  (core func $batch_bytes (canon lower (func $output "batch-bytes")))
  (core func $enabled (canon lower (func $log "enabled")))
  (core func $log (canon lower (func $log "log") (memory (core memory $heap "memory"))))"#,
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
        more: r#"
    (data (i32.const 1312) "\00\10")
    (func $a (param i32) (result i64) (i64.load offset=8 (local.get 0)))
    (func $b (param i32) (result i64) (i64.load offset=16 (local.get 0)))
    (func $c (param i32) (result i32) (i32.load offset=24 (local.get 0)))
    (func $d (param i32) (result i32) (i32.load offset=28 (local.get 0)))
    (func $e (param i32) (result i32) (i32.load offset=32 (local.get 0)))
    (func $f (param i32) (result i32) (i32.load offset=36 (local.get 0)))
    (func $g (param i32) (result i32) (i32.load offset=40 (local.get 0)))
    (func $one (param $input i32) (param $p i32)
      (local $h i32)
      ;; A handle as the input has it, or the one of the input itself.
      (local.set $h (select (local.get $input) (call $c (local.get $p)) (i32.eqz (call $c (local.get $p)))))
      (block $13 (block $12 (block $11 (block $10 (block $9 (block $8 (block $7 (block $6 (block $5 (block $4
      (block $3 (block $2 (block $1 (block $0
        (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 $12 $13 (i32.load8_u (local.get $p))))
        (call $name (local.get $h) (call $d (local.get $p))) (return))
        (drop (call $len (local.get $h))) (return))
        (call $read (local.get $h) (call $a (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p))) (return))
        (call $attachment (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p))) (return))
        (call $open (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p)) (call $f (local.get $p))
          (call $g (local.get $p))) (return))
        (call $emit (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p)) (call $f (local.get $p)))
        (return))
        (call $close (call $c (local.get $p))) (return))
        (call $reject (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p))) (return))
        (call $skip (call $a (local.get $p)) (call $b (local.get $p)) (call $c (local.get $p)) (call $d (local.get $p))
          (call $e (local.get $p)) (call $f (local.get $p))) (return))
        (call $commit (call $a (local.get $p)) (call $c (local.get $p))) (return))
        (drop (call $wanted (call $c (local.get $p)) (call $d (local.get $p)))) (return))
        (drop (call $batch_bytes)) (return))
        (drop (call $enabled (call $c (local.get $p)))) (return))
        (call $log (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p)) (call $f (local.get $p))
          (call $a (local.get $p)) (call $b (local.get $p))))"#,
        ..Text::default()
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

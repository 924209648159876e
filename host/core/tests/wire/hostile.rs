//! Group A of the hostile cases, as far as a message alone can be hostile. Those that are one message each are vectors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int8Array, ListArray, RecordBatch,
    StructArray, TimestampNanosecondArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use casparian_core::fault::{Blame, Blamed};
use casparian_core::limits::{Budget, Limits};
use casparian_core::wire::{self, TableSchema};
use proptest::prelude::*;

use crate::allocations::allocated;
use crate::forge::{
    Forged, batch_message, batch_of, budget, encapsulate, schema_message, schema_of, shared_field_schema,
    shared_metadata_schema, table,
};
use crate::honest::{any_batch, cases, every_type};
use crate::oracle::{check_columns, check_reading};
use crate::vectors::{all, fills, nested};

/// How many mutated messages of each kind to try. An optimised build does ten times as many in the time; whoever has
/// an evening to spend says so in `CASPARIAN_MUTATIONS`.
fn mutations() -> u64 {
    let asked = std::env::var("CASPARIAN_MUTATIONS").ok();
    let asked = asked.map(|asked| asked.parse().expect("CASPARIAN_MUTATIONS is a number"));
    asked.unwrap_or(if cfg!(debug_assertions) { 10_000 } else { 100_000 })
}

/// SplitMix64: the same numbers on every machine.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A number that code tends to get wrong, or a small step from `near`.
    fn awkward(&mut self, near: i64) -> i64 {
        match self.below(12) {
            0 => 0,
            1 => -1,
            2 => i64::MAX,
            3 => i64::MIN,
            4 => 1 << 60,
            5 => i64::from(i32::MAX),
            6 => -near,
            7 => near.wrapping_mul(2),
            _ => near.wrapping_add(self.below(33) as i64 - 16),
        }
    }

    /// Spoils one to four places of a message, some of them whole numbers where numbers are aligned.
    fn spoil(&mut self, message: &mut [u8]) {
        // There is nothing to spoil in the body of a batch without rows.
        let places = if message.is_empty() { 0 } else { 1 + self.below(4) };
        for _ in 0..places {
            let at = self.below(message.len());
            let word = (at & !7)..((at & !7) + 8).min(message.len());
            match self.below(6) {
                0 => message[at] ^= 1 << self.below(8),
                1 => message[at] = self.next() as u8,
                2 => {
                    let awkward = self.awkward(at as i64).to_le_bytes();
                    let length = word.len();
                    message[word].copy_from_slice(&awkward[..length]);
                }
                3 => {
                    let half = (at & !3)..((at & !3) + 4).min(message.len());
                    let awkward = (self.awkward(at as i64) as i32).to_le_bytes();
                    let length = half.len();
                    message[half].copy_from_slice(&awkward[..length]);
                }
                4 => {
                    let from = self.below(message.len()) & !7;
                    let end = (from + word.len()).min(message.len());
                    let to = word.start.min(message.len() - (end - from));
                    message.copy_within(from..end, to);
                }
                _ => message[at] = message[at].wrapping_add(1),
            }
        }
    }

    /// Spoils the numbers of a batch and keeps its metadata well formed, so that the deeper checks are met too.
    fn spoil_numbers(&mut self, batch: &mut Forged) {
        let (nodes, buffers) = (batch.nodes.len(), batch.buffers.len());
        match self.below(7) {
            0 => batch.rows = self.awkward(batch.rows),
            1 => batch.nodes[self.below(nodes)].0 = self.awkward(batch.rows),
            2 => batch.nodes[self.below(nodes)].1 = self.awkward(1),
            3 | 4 => {
                let at = self.below(buffers);
                batch.buffers[at].0 = self.awkward(batch.buffers[at].0);
            }
            5 => {
                let at = self.below(buffers);
                batch.buffers[at].1 = self.awkward(batch.buffers[at].1);
            }
            _ => self.spoil(&mut batch.body),
        }
    }
}

/// Guards a batch message. What is refused must be the guest's fault, what is accepted must read well.
fn is_accepted(schema: &TableSchema, message: &[u8]) -> bool {
    match wire::guard(schema, message, &mut budget()) {
        Ok(checked) => {
            check_reading(schema, &checked, message);
            true
        }
        Err(fault) => {
            assert_eq!(fault.blame(), Blame::Guest, "{fault}");
            false
        }
    }
}

fn is_schema(message: &[u8]) -> bool {
    match wire::schema(message) {
        Ok(schema) => {
            check_columns(&schema, message);
            true
        }
        Err(fault) => {
            assert_eq!(fault.blame(), Blame::Guest, "{fault}");
            false
        }
    }
}

/// The hostile cases that are one message each, and the vectors that stand for them. The others have tests below.
const CASES: [(&str, &[&str]); 13] = [
    ("A-03", &["length-negative", "length-huge"]),
    ("A-04", &["body-length-huge", "body-length-minus"]),
    ("A-06", &["type-none", "type-unknown", "int-7", "float-16", "time-unit-9"]),
    ("A-07", &["buffer-overflow", "buffer-past-end", "buffer-huge", "buffer-minus"]),
    ("A-09", &["compressed-lz4", "compressed-zstd"]),
    ("A-10", &["type-null"]),
    ("A-11", &["type-run-ends"]),
    ("A-12", &["type-utf8-view"]),
    ("A-14", &["fixed-size-binary-0", "type-fixed-size-list", "struct-empty"]),
    ("A-16", &["many-fields", "name-long", "name-twice", "name-case", "name-case-folded"]),
    ("A-18", &["schema-for-batch", "two-batches", "schema-then-end", "body-long"]),
    ("A-21", &["nulls-lie", "nulls-hidden", "nulls-many", "length-minus", "buffer-short"]),
    ("A-23", &["utf8-broken", "utf8-cut", "utf8-before"]),
];

#[test]
fn every_case_that_is_one_message_has_vectors_that_are_refused() {
    let refused: Vec<&str> =
        all().iter().filter(|vector| vector.code.is_some()).map(|vector| vector.name).collect();
    for (case, vectors) in CASES {
        vectors.iter().for_each(|name| assert!(refused.contains(name), "{case}: no vector {name}"));
    }
}

#[test]
fn a_01_a_message_cut_at_any_byte_is_refused() {
    for batch in [fills(), every_type(3)] {
        let (schema, message) = (schema_message(&batch.schema()), batch_message(&batch, 8));
        let table = wire::schema(&schema).unwrap();
        assert!((0..schema.len()).all(|cut| wire::schema(&schema[..cut]).is_err()));
        assert!((0..message.len()).all(|cut| wire::guard(&table, &message[..cut], &mut budget()).is_err()));
    }
}

#[test]
fn a_02_whatever_a_mutated_batch_passes_with_reads_well() {
    let mut seeded = Seeded(2);
    let mut accepted = 0;
    let batches = [fills(), every_type(3), every_type(70)];
    let originals = batches.map(|batch| (table(&batch), batch_message(&batch, 8)));
    for _ in 0..mutations() {
        let (schema, original) = &originals[seeded.below(3)];
        let mut message = original.clone();
        seeded.spoil(&mut message);
        accepted += u64::from(is_accepted(schema, &message));
    }
    // Most of a message is values, and any value is a good one here.
    assert!(accepted > mutations() / 20, "only {accepted} passed: the test has lost its teeth");
}

#[test]
fn a_02_whatever_a_batch_of_mutated_numbers_passes_with_reads_well() {
    let mut seeded = Seeded(3);
    let mut accepted = 0;
    let batches = [fills(), every_type(3), every_type(70)];
    let originals = batches.map(|batch| (table(&batch), Forged::of(&batch)));
    for _ in 0..mutations() / 4 {
        let (schema, original) = &originals[seeded.below(3)];
        let message = original.with(|batch| seeded.spoil_numbers(batch)).message();
        accepted += u64::from(is_accepted(schema, &message));
    }
    assert!(accepted > mutations() / 400, "only {accepted} passed: the test has lost its teeth");
}

#[test]
fn a_02_whatever_a_mutated_schema_passes_with_is_what_arrow_reads() {
    let mut seeded = Seeded(5);
    let originals = [schema_message(&fills().schema()), schema_message(&every_type(0).schema())];
    for _ in 0..mutations() {
        let mut message = originals[seeded.below(2)].clone();
        seeded.spoil(&mut message);
        is_schema(&message);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_02_whatever_a_batch_of_any_types_and_mutated_numbers_passes_with_reads_well(
        batch in any_batch(),
        seed in any::<u64>(),
    ) {
        let (schema, original, mut seeded) = (table(&batch), Forged::of(&batch), Seeded(seed));
        for _ in 0..20 {
            is_accepted(&schema, &original.with(|batch| seeded.spoil_numbers(batch)).message());
        }
    }
}

#[test]
fn a_02_no_refusal_allocates_more_than_the_message_is_long() {
    let mut seeded = Seeded(7);
    let batch = every_type(70);
    let (schema, original) = (table(&batch), batch_message(&batch, 8));
    for _ in 0..mutations() / 10 {
        let mut message = original.clone();
        seeded.spoil(&mut message);
        let (guarded, bytes) = allocated(|| wire::guard(&schema, &message, &mut budget()).map(drop));
        assert!(bytes <= message.len() as u64, "{bytes} bytes allocated for {guarded:?}");
    }
}

#[test]
fn a_02_reading_allocates_the_body_twice_at_most_and_a_little_for_each_array() {
    for rows in [3, 70, 5_000] {
        let batch = every_type(rows);
        let (schema, message) = (table(&batch), batch_message(&batch, 8));
        let arrays = Forged::from_message(&message).nodes.len() as u64;
        let (read, bytes) = allocated(|| wire::decode(&schema, &message, &mut budget()));
        let most = 2 * message.len() as u64 + 1024 * arrays;
        assert!(read.is_ok() && bytes <= most, "{bytes} bytes for {} of {arrays} arrays", message.len());
    }
}

#[test]
fn a_09_to_a_14_bombs_are_refused_at_once_and_cost_nothing() {
    let bombs = [
        "type-null",
        "type-run-ends",
        "type-utf8-view",
        "fixed-size-binary-0",
        "rows-many",
        "buffer-huge",
        "compressed-lz4",
    ];
    let fills = table(&fills());
    for vector in all().iter().filter(|vector| bombs.contains(&vector.name)) {
        let refuse = || match vector.schema {
            None => wire::schema(&vector.message).map(drop),
            Some(_) => wire::guard(&fills, &vector.message, &mut budget()).map(drop),
        };
        let began = Instant::now();
        let (refused, bytes) = allocated(refuse);
        assert!(refused.is_err() && bytes < 4096, "{}: {bytes} bytes", vector.name);
        assert!(began.elapsed() < Duration::from_millis(100), "{} took {:?}", vector.name, began.elapsed());
    }
}

#[test]
fn a_15_ten_thousand_structs_in_each_other_are_too_deep_and_do_no_harm() {
    let fault = wire::schema(&shared_field_schema(1, 10_000)).unwrap_err();
    assert_eq!(fault.to_string(), "field 4 is 5 types deep, the limit is 4");
    assert!(wire::schema(&schema_of([Field::new("c", nested(4), true)])).is_ok());
}

#[test]
fn a_15_a_tree_that_shares_its_branches_is_not_walked_to_the_end() {
    // 4,000 times 4,000 times 4,000 times 4,000 fields, in 50 kB.
    let (refused, bytes) = allocated(|| wire::schema(&shared_field_schema(4_000, 4)));
    assert!(refused.is_err() && bytes < 8 << 20, "{bytes} bytes for {refused:?}");
    let fault = wire::schema(&shared_metadata_schema(50_000, 500_000)).unwrap_err();
    assert_eq!(fault.code(), "metadata-malformed", "{fault}");
}

#[test]
fn a_16_a_hundred_thousand_columns_and_a_name_of_a_megabyte_are_refused() {
    assert_eq!(wire::schema(&shared_field_schema(100_000, 1)).unwrap_err().code(), "too-many-fields");
    let long = schema_of([Field::new("x".repeat(1_000_000), DataType::Int8, true)]);
    assert_eq!(wire::schema(&long).unwrap_err().code(), "name-length");
}

#[test]
fn a_17_a_batch_of_another_schema_is_refused_wherever_their_shapes_differ() {
    let other = batch_of([("n", Arc::new(Int8Array::from(vec![1])) as ArrayRef)]);
    let fault = wire::guard(&table(&fills()), &batch_message(&other, 8), &mut budget()).unwrap_err();
    assert_eq!(fault.to_string(), "batch has 1 field nodes, its schema needs 8");
}

#[test]
fn a_19_empty_batches_cannot_go_on_forever() {
    let batch = every_type(0);
    let (schema, message) = (table(&batch), batch_message(&batch, 8));
    let mut budget = Budget::new(&Limits { batches_max: 3, ..Limits::default() }, 0);
    (0..3).for_each(|_| drop(wire::decode(&schema, &message, &mut budget).unwrap()));
    let refused = wire::decode(&schema, &message, &mut budget).unwrap_err();
    assert_eq!(refused.to_string(), "output batches: limit 3, used 3, wanted 1 more");
}

#[test]
fn a_message_past_the_limit_is_refused_by_its_length_alone() {
    let mut budget = Budget::new(&Limits { batch_bytes_max: 1000, ..Limits::default() }, 0);
    let refused = wire::decode(&table(&fills()), &[0; 1001], &mut budget).unwrap_err();
    assert_eq!(refused.to_string(), "batch bytes: limit 1000, used 0, wanted 1001 more");
}

/// Guards the batch `fills`, spoilt.
fn guarded(spoil: impl FnOnce(&mut Forged)) -> Result<(), String> {
    let message = Forged::of(&fills()).with(spoil).message();
    wire::guard(&table(&fills()), &message, &mut budget()).map(drop).map_err(|fault| fault.to_string())
}

#[test]
fn a_gap_of_64_bytes_is_padding_and_a_longer_one_is_not() {
    let gap = |bytes: usize| {
        guarded(|f| {
            f.body.splice(0..0, vec![0; bytes]);
            f.buffers.iter_mut().for_each(|buffer| buffer.0 += bytes as i64);
        })
    };
    assert_eq!(gap(64), Ok(()));
    let refused =
        "column \"_cf_offset\": 72 bytes of the body before 72 are in no buffer, padding has at most 64";
    assert_eq!(gap(72), Err(refused.to_owned()));
}

#[test]
fn a_buffer_64_bytes_too_long_is_padded_and_a_longer_one_is_not() {
    let slack = |bytes: i64| {
        guarded(|f| {
            f.body.resize(f.body.len() + 80, 0);
            f.buffers[17].1 = 12 + bytes;
        })
    };
    assert_eq!(slack(64), Ok(()));
    let refused = "column \"legs\": value buffer has 77 bytes for 12, padding has at most 64";
    assert_eq!(slack(65), Err(refused.to_owned()));
}

#[test]
fn a_body_64_bytes_too_long_is_padded_and_a_longer_one_is_not() {
    let slack = |bytes: usize| {
        guarded(|f| {
            f.buffers[17].1 = 16;
            f.body.resize(f.buffers[17].0 as usize + 16 + bytes, 0);
        })
    };
    assert_eq!(slack(64), Ok(()));
    assert_eq!(slack(72), Err("body has 72 bytes behind its last buffer, padding has at most 64".to_owned()));
}

#[test]
fn a_limit_is_what_may_be_and_not_what_may_not() {
    let message = batch_message(&fills(), 8);
    let bytes = message.len() as u64;
    let read = |batch_bytes_max, batch_rows_max| {
        let limits = Limits { batch_bytes_max, batch_rows_max, ..Limits::default() };
        wire::guard(&table(&fills()), &message, &mut Budget::new(&limits, 0)).map(drop)
    };
    assert_eq!(read(bytes, 3), Ok(()));
    let refusals = [read(bytes - 1, 3), read(bytes, 2)].map(|refused| refused.unwrap_err().to_string());
    let wanted = [
        format!("batch bytes: limit {}, used 0, wanted {bytes} more", bytes - 1),
        "batch rows: limit 2, used 0, wanted 3 more".to_owned(),
    ];
    assert_eq!(refusals, wanted);
}

#[test]
fn a_fall_of_offsets_is_told_with_the_first_value_that_it_breaks() {
    let refused = guarded(|f| {
        f.poke(10, 4, &0_i32.to_le_bytes());
        f.poke(10, 12, &2_i32.to_le_bytes());
    });
    assert_eq!(refused, Err("column \"symbol\": offsets fall from 10 to 2 at value 2".to_owned()));
}

#[test]
fn a_text_that_is_none_is_told_with_its_value() {
    // The values are `ABC`, `Zürich` and nothing; `ü` is at 4 and 5.
    for (at, byte, value) in [(0, 0xff, 0), (2, 0xc3, 0), (4, 0xff, 1), (9, 0xc3, 1)] {
        let refused = guarded(|f| f.poke(11, at, &[byte]));
        assert_eq!(refused, Err(format!("column \"symbol\": value {value} is not UTF-8")), "at {at}");
    }
}

/// One row: a list of structs of eight bools.
fn list_of_bools(count: usize) -> RecordBatch {
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true; count]));
    let structs = StructArray::from((0..8).map(|at| (flag(at), Arc::clone(&flags))).collect::<Vec<_>>());
    let item = Arc::new(Field::new("item", structs.data_type().clone(), true));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([count]), Arc::new(structs), None);
    batch_of([("flags", Arc::new(list) as ArrayRef)])
}

fn flag(at: usize) -> Arc<Field> {
    Arc::new(Field::new(format!("f{at}"), DataType::Boolean, true))
}

#[test]
fn values_in_lists_are_counted_by_the_column_and_not_by_the_byte() {
    let most = usize::try_from(Limits::default().batch_bytes_max).unwrap() / 8;
    let decode = |count| {
        let batch = list_of_bools(count);
        wire::decode(&table(&batch), &batch_message(&batch, 8), &mut budget()).map(|read| read.num_rows())
    };
    assert_eq!(decode(most).unwrap(), 1);
    let refused = decode(most + 1).unwrap_err().to_string();
    assert_eq!(refused, "batch elements: limit 16777216, used 0, wanted 16777224 more");
}

#[test]
fn rows_of_all_batches_together_are_bounded() {
    let mut budget = Budget::new(&Limits { output_rows_max: 5, ..Limits::default() }, 0);
    let (schema, message) = (table(&fills()), batch_message(&fills(), 8));
    assert!(wire::decode(&schema, &message, &mut budget).is_ok());
    let refused = wire::decode(&schema, &message, &mut budget).unwrap_err();
    assert_eq!((refused.code(), refused.blame()), ("limit-exceeded", Blame::Guest));
}

#[test]
fn a_24_and_a_25_extreme_values_pass_untouched_for_the_contract_to_judge() {
    let decimals = Decimal128Array::from(vec![i128::MAX, i128::MIN]).with_precision_and_scale(4, 2).unwrap();
    let batch = batch_of([
        ("price", Arc::new(decimals) as ArrayRef),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![i64::MAX, i64::MIN]))),
        ("ratio", Arc::new(Float64Array::from(vec![f64::NAN, -0.0]))),
    ]);
    let read = wire::decode(&table(&batch), &batch_message(&batch, 8), &mut budget()).unwrap();
    assert_eq!(read.rows().columns()[..2], batch.columns()[..2]);
    assert_eq!(
        read.rows().column(2).to_data().buffers()[0].as_slice(),
        batch.column(2).to_data().buffers()[0].as_slice()
    );
}

#[test]
fn a_30_metadata_past_a_megabyte_are_refused() {
    let fault = wire::schema(&encapsulate(&[0; (1 << 20) + 8], &[])).unwrap_err();
    assert_eq!(fault.to_string(), "metadata length is 1048584, it must be from 8 to 1048576");
}

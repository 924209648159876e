use std::sync::{Arc, Mutex};

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, Decimal256Array,
    Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray, ListArray, StringArray,
    StructArray, Time32SecondArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
    types::Int32Type,
};
use arrow_buffer::i256;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::fault::Blame;

/// A file in memory.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<u8>>>);

impl Scratch for Room {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), FaultReport> {
        let bytes = self.0.lock().unwrap();
        into.copy_from_slice(&bytes[at as usize..][..into.len()]);
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FaultReport> {
        let mut all = self.0.lock().unwrap();
        let end = at as usize + bytes.len();
        if all.len() < end {
            all.resize(end, 0);
        }
        all[at as usize..end].copy_from_slice(bytes);
        Ok(())
    }
}

/// A room that breaks after so many requests.
struct Brittle(Room, usize);

impl Brittle {
    fn ask(&mut self) -> Result<(), FaultReport> {
        self.1 = self.1.checked_sub(1).ok_or_else(|| FaultReport {
            blame: Blame::Operator,
            code: "disk-full".to_owned(),
            message: "no room".to_owned(),
            hint: None,
            at: None,
        })?;
        Ok(())
    }
}

impl Scratch for Brittle {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), FaultReport> {
        self.ask()?;
        self.0.read(at, into)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FaultReport> {
        self.ask()?;
        self.0.write(at, bytes)
    }
}

fn set(in_memory_max: usize) -> KeySet {
    KeySet::new(in_memory_max, Box::new(|| Ok(Box::new(Room::default()))))
}

fn key(number: u64) -> KeyHash {
    Sha256::digest(number.to_be_bytes())[..16].try_into().unwrap()
}

#[test]
fn a_set_that_fits_into_memory_asks_for_no_room() {
    let mut keys = KeySet::new(3, Box::new(|| panic!("it was asked for")));
    for number in [1, 2, 3, 2, 1] {
        keys.insert(key(number)).unwrap();
    }
    assert_eq!(keys.len(), 3);
}

#[test]
fn the_key_that_looks_like_an_empty_slot_is_a_key() {
    let mut keys = set(0);
    assert!(!keys.contains(&[0; 16]).unwrap());
    assert!(keys.insert([0; 16]).unwrap());
    assert!(keys.contains(&[0; 16]).unwrap());
    assert!(!keys.insert([0; 16]).unwrap());
    assert_eq!(keys.len(), 1);
}

#[test]
fn keys_that_all_begin_in_the_last_slot_go_on_behind_it() {
    let mut keys = set(1);
    let last = |number: u16| {
        let mut key = [0xff; 16];
        key[14..].copy_from_slice(&number.to_be_bytes());
        key
    };
    assert!((0..2000).all(|number| keys.insert(last(number)).unwrap()));
    assert!((0..2000).all(|number| keys.contains(&last(number)).unwrap()));
    assert!(!keys.contains(&last(2000)).unwrap());
    assert_eq!(keys.len(), 2000);
}

#[test]
fn a_hundred_thousand_keys_are_all_found_again() {
    let mut keys = set(100);
    assert!((0..100_000).all(|number| keys.insert(key(number)).unwrap()));
    assert!((0..100_000).all(|number| keys.contains(&key(number)).unwrap()));
    assert!((100_000..200_000).all(|number| !keys.contains(&key(number)).unwrap()));
    assert_eq!(keys.len(), 100_000);
}

#[test]
fn the_file_takes_at_most_86_bytes_for_a_key() {
    let room = Room::default();
    let given = room.clone();
    let mut keys = KeySet::new(1000, Box::new(move || Ok(Box::new(given))));
    (0..50_000).for_each(|number| {
        keys.insert(key(number)).unwrap();
    });
    // Three eighths full at worst, which is 43 bytes; and the smaller tables before it take as much.
    let bytes = room.0.lock().unwrap().len();
    assert!(bytes <= 50_000 * 86 + 8 * 4096, "{bytes} bytes");
}

#[test]
fn a_set_whose_room_failed_answers_nothing_any_more() {
    let mut failed_at = Vec::new();
    for asked in 0..40 {
        let mut keys = KeySet::new(10, Box::new(move || Ok(Box::new(Brittle(Room::default(), asked)))));
        let mut numbers = 0..100_000;
        let fault = numbers.find_map(|number| keys.insert(key(number)).err()).unwrap();
        assert_eq!(fault.code, "disk-full");
        assert_eq!(keys.contains(&key(0)).unwrap_err(), fault);
        assert_eq!(keys.insert(key(0)).unwrap_err(), fault);
        failed_at.push(numbers.start);
    }
    assert!(failed_at.is_sorted() && failed_at[0] < failed_at[39], "{failed_at:?}");
}

#[test]
fn a_set_that_gets_no_room_says_so() {
    let fault =
        || FaultReport { blame: Blame::Host, code: "x".into(), message: "y".into(), hint: None, at: None };
    let mut keys = KeySet::new(1, Box::new(move || Err(fault())));
    keys.insert(key(1)).unwrap();
    assert_eq!(keys.insert(key(2)).unwrap_err().code, "x");
    assert_eq!(keys.contains(&key(1)).unwrap_err().code, "x");
}

#[test]
fn the_filter_knows_every_key_and_few_others() {
    // As full as that of a run is with ten million keys.
    let mut filter = filter::Filter::new(1 << 14);
    (0..10_000).for_each(|number| filter.add(&key(number)));
    assert!((0..10_000).all(|number| filter.may_have(&key(number))));
    let others = (10_000..110_000).filter(|number| filter.may_have(&key(*number))).count();
    assert!(others < 500, "{others} of 100000");
}

proptest! {
    #[test]
    fn a_set_says_what_a_set_in_memory_says(
        in_memory_max in 0_usize..40,
        // Few leading bytes: long runs of slots that are taken, and keys that come again.
        stream in prop::collection::vec((any::<bool>(), prop::sample::select(vec![0_u8, 1, 0x7f, 0x80, 0xff]), 0_u16..600), 0..1500),
    ) {
        let mut keys = set(in_memory_max);
        let mut expected = std::collections::HashSet::new();
        for (is_question, lead, number) in stream {
            let mut key: KeyHash = if number % 2 == 0 { key(u64::from(number)) } else { [0; 16] };
            key[0] = lead;
            if is_question {
                prop_assert_eq!(keys.contains(&key).unwrap(), expected.contains(&key));
            } else {
                key[15] ^= number as u8;
                prop_assert_eq!(keys.insert(key).unwrap(), expected.insert(key));
            }
        }
        prop_assert_eq!(keys.len(), expected.len() as u64);
        for key in &expected {
            prop_assert!(keys.contains(key).unwrap());
        }
    }
}

fn hash(values: impl arrow_array::Array + 'static) -> Vec<Option<KeyHash>> {
    hash_keys(&[Arc::new(values)])
}

fn decimal(digits: i128, scale: i8) -> Decimal128Array {
    Decimal128Array::from(vec![digits]).with_precision_and_scale(38, scale).unwrap()
}

fn hex(key: Option<KeyHash>) -> String {
    key.unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_hash_is_that_of_the_documented_bytes() {
    let columns: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec!["ab"])),
        Arc::new(decimal(-150, 2)),
        Arc::new(Date32Array::from(vec![1])),
    ];
    let mut bytes = vec![1, 5, 0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b'];
    bytes.extend([2, 0xff, 0xff]);
    bytes.extend((-15_i128).to_be_bytes());
    bytes.push(7);
    bytes.extend(1_i128.to_be_bytes());
    assert_eq!(hash_keys(&columns), [Some(Sha256::digest(&bytes)[..16].try_into().unwrap())]);
    assert_eq!(hex(hash_keys(&columns)[0]), "0c5660396517a37ef74d43231e58a2f6");
}

#[test]
fn a_null_in_any_column_leaves_the_row_without_a_key() {
    let columns: [ArrayRef; 2] = [
        Arc::new(Int64Array::from(vec![Some(1), None, Some(1)])),
        Arc::new(StringArray::from(vec![Some("a"), Some("a"), None])),
    ];
    let there: Vec<bool> = hash_keys(&columns).iter().map(Option::is_some).collect();
    assert_eq!(there, [true, false, false]);
}

#[test]
fn one_number_has_one_hash_in_columns_of_any_exact_type() {
    let hundred = hash(Int8Array::from(vec![100]));
    assert_eq!(hash(UInt64Array::from(vec![100])), hundred);
    assert_eq!(hash(decimal(100, 0)), hundred);
    assert_eq!(hash(decimal(1_000_000, 4)), hundred);
    assert_eq!(hash(decimal(1, -2)), hundred);
    let wide = Decimal256Array::from(vec![i256::from_i128(10_000)]).with_precision_and_scale(76, 2).unwrap();
    assert_eq!(hash(wide), hundred);
    assert_ne!(hash(decimal(100, 1)), hundred);
    assert_ne!(hash(Float64Array::from(vec![100.0])), hundred, "a float is another kind of number");
}

#[test]
fn one_value_has_one_hash_whatever_holds_it() {
    assert_eq!(hash(StringArray::from(vec!["ä"])), hash(LargeStringArray::from(vec!["ä"])));
    assert_ne!(hash(StringArray::from(vec!["ä"])), hash(BinaryArray::from_vec(vec!["ä".as_bytes()])));
    assert_eq!(hash(Float32Array::from(vec![0.5])), hash(Float64Array::from(vec![0.5])));
    assert_eq!(hash(Date32Array::from(vec![-1])), hash(Date64Array::from(vec![-86_400_000])));
    assert_eq!(
        hash(TimestampSecondArray::from(vec![-1])),
        hash(TimestampMicrosecondArray::from(vec![-1_000_000]))
    );
    let utc = TimestampSecondArray::from(vec![-1]).with_timezone("UTC");
    assert_ne!(hash(TimestampSecondArray::from(vec![-1])), hash(utc));
    assert_ne!(hash(Date32Array::from(vec![1])), hash(Time32SecondArray::from(vec![1])));
}

#[test]
fn both_zeros_are_one_key_and_so_is_every_nan() {
    let zeros = hash(Float64Array::from(vec![0.0, -0.0]));
    assert_eq!(zeros[0], zeros[1]);
    let nans = hash(Float64Array::from(vec![
        f64::NAN,
        -f64::NAN,
        f64::from_bits(0x7ff0_0000_0000_0001),
        f64::INFINITY,
    ]));
    assert_eq!((nans[0], nans[1]), (nans[1], nans[2]));
    assert_ne!(nans[0], nans[3]);
}

#[test]
fn lists_and_objects_are_told_apart_by_what_is_in_them() {
    let list = |items: Vec<Option<i32>>| ListArray::from_iter_primitive::<Int32Type, _, _>([Some(items)]);
    let empty = hash(list(vec![]));
    let with_null = hash(list(vec![None]));
    assert!(empty[0].is_some() && with_null[0].is_some());
    assert_ne!(empty, with_null);
    assert_ne!(hash(list(vec![Some(0)])), with_null);
    let object = |value| {
        let field = arrow_schema::Field::new("a", arrow_schema::DataType::Int32, true);
        StructArray::from(vec![(Arc::new(field), Arc::new(Int32Array::from(vec![value])) as ArrayRef)])
    };
    assert_ne!(hash(object(Some(0))), hash(object(None)));
    assert!(hash(object(None))[0].is_some());
}

#[test]
fn moving_a_character_between_columns_changes_the_hash() {
    let pair = |a: &str, b: &str| -> Vec<Option<KeyHash>> {
        hash_keys(&[Arc::new(StringArray::from(vec![a])), Arc::new(StringArray::from(vec![b]))])
    };
    assert_ne!(pair("ab", "c"), pair("a", "bc"));
    assert_ne!(pair("", "a"), pair("a", ""));
}

proptest! {
    #[test]
    fn where_a_batch_is_cut_does_not_change_a_hash(
        rows in prop::collection::vec((any::<Option<i64>>(), prop::option::of("[ab]{0,3}"), any::<Option<bool>>(),
            prop::option::of(prop::collection::vec(any::<Option<i32>>(), 0..3))), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows.iter().map(|row| row.3.clone()))),
        ];
        let at = cut.index(rows.len());
        let part = |from: usize, count: usize| -> Vec<Option<KeyHash>> {
            hash_keys(&columns.iter().map(|column| column.slice(from, count)).collect::<Vec<_>>())
        };
        prop_assert_eq!([part(0, at), part(at, rows.len() - at)].concat(), hash_keys(&columns));
    }

    #[test]
    fn two_decimals_have_one_hash_if_and_only_if_they_are_equal(a in -3000_i128..3000, b in -3000_i128..3000, c in 0_i8..5, d in 0_i8..5) {
        let is_equal = a * 10_i128.pow(4 - c as u32) == b * 10_i128.pow(4 - d as u32);
        prop_assert_eq!(hash(decimal(a, c)) == hash(decimal(b, d)), is_equal);
    }

    #[test]
    fn large_decimals_have_the_hash_of_small_ones_where_they_are_equal(digits: i128, zeros in 0_u32..30) {
        let large = i256::from_i128(digits).checked_mul(i256::from_i128(10).wrapping_pow(zeros)).unwrap();
        let large = Decimal256Array::from(vec![large]).with_precision_and_scale(76, zeros as i8).unwrap();
        prop_assert_eq!(hash(large), hash(decimal(digits, 0)));
    }
}

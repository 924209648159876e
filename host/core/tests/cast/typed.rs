//! Values that are no texts: numbers to numbers, times to times, bytes, and values to texts.

use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::{Buffer, OffsetBuffer, i256};
use arrow_schema::{DataType, TimeUnit};
use casparian_core::contract::Decoding;
use casparian_core::contract::cast::{Cast, check_pattern, literal};
use casparian_core::contract::verdict::Code;
use casparian_core::fault::{Blame, Blamed as _};
use proptest::prelude::*;
use serde_json::Value as Json;

use crate::{data_type, decoding, outcome};

const VALUES: &str = include_str!("../../../../docs/spec/vectors/cast-values.jsonl");

#[test]
fn every_vector_of_a_value_holds() {
    let mut broken = Vec::new();
    for line in VALUES.lines() {
        let vector: Json = serde_json::from_str(line).expect("a vector");
        let kind = |name: &str| data_type(vector[name].as_str().expect("a type"));
        let source = one(vector["source"].as_str(), &kind("from"));
        let found = Cast::plan(&kind("from"), &kind("to"), &decoding(&vector["decoding"]));
        let found = found.ok().map(|cast| {
            let column = cast.run(&source);
            assert_eq!(*column.values.data_type(), kind("to"), "{line}");
            outcome(&column)
        });
        let is_met = match (&found, vector["code"].as_str()) {
            (None, None) => vector["never"] == Json::Bool(true),
            (Some(Err(code)), Some(wanted)) => code.as_str() == wanted,
            (Some(Ok(value)), None) => {
                vector["never"].is_null() && value.as_deref() == vector["value"].as_str()
            }
            _ => false,
        };
        broken.extend((!is_met).then(|| format!("{line}\n    gave {found:?}")));
    }
    assert!(broken.is_empty(), "{} vectors are broken:\n{}", broken.len(), broken.join("\n"));
}

/// Makes a column of one value out of its vector: a number, a count of units, or bytes in hex; `None` for null.
fn one(text: Option<&str>, of: &DataType) -> ArrayRef {
    use DataType::*;
    fn number<T: ArrowPrimitiveType<Native: std::str::FromStr>>(
        text: Option<&str>,
        of: &DataType,
    ) -> ArrayRef {
        let value = text.map(|text| text.parse().ok().expect("a number"));
        Arc::new(PrimitiveArray::<T>::from_iter([value]).with_data_type(of.clone()))
    }
    let digits = text.map(|text| text.replace('.', ""));
    match of {
        Boolean => Arc::new(BooleanArray::from(vec![text.map(|text| text == "true")])),
        Int8 => number::<Int8Type>(text, of),
        Int16 => number::<Int16Type>(text, of),
        Int32 => number::<Int32Type>(text, of),
        Int64 => number::<Int64Type>(text, of),
        UInt8 => number::<UInt8Type>(text, of),
        UInt16 => number::<UInt16Type>(text, of),
        UInt32 => number::<UInt32Type>(text, of),
        UInt64 => number::<UInt64Type>(text, of),
        Float32 => number::<Float32Type>(text, of),
        Float64 => number::<Float64Type>(text, of),
        Decimal128(..) => number::<Decimal128Type>(digits.as_deref(), of),
        Decimal256(..) => {
            let value = digits.map(|digits| i256::from_string(&digits).expect("a number"));
            Arc::new(Decimal256Array::from_iter([value]).with_data_type(of.clone()))
        }
        Date32 => number::<Date32Type>(text, of),
        Date64 => number::<Date64Type>(text, of),
        Time32(TimeUnit::Second) => number::<Time32SecondType>(text, of),
        Time32(_) => number::<Time32MillisecondType>(text, of),
        Time64(TimeUnit::Microsecond) => number::<Time64MicrosecondType>(text, of),
        Time64(_) => number::<Time64NanosecondType>(text, of),
        Timestamp(TimeUnit::Second, _) => number::<TimestampSecondType>(text, of),
        Timestamp(TimeUnit::Millisecond, _) => number::<TimestampMillisecondType>(text, of),
        Timestamp(TimeUnit::Microsecond, _) => number::<TimestampMicrosecondType>(text, of),
        Timestamp(TimeUnit::Nanosecond, _) => number::<TimestampNanosecondType>(text, of),
        Duration(_) => number::<DurationSecondType>(text, of),
        Utf8 => Arc::new(StringArray::from(vec![text])),
        LargeUtf8 => Arc::new(LargeStringArray::from(vec![text])),
        Binary => Arc::new(BinaryArray::from_iter([text.map(bytes)])),
        LargeBinary => Arc::new(LargeBinaryArray::from_iter([text.map(bytes)])),
        FixedSizeBinary(width) => {
            let values = [text.map(bytes)].into_iter();
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, *width).expect("the width"))
        }
        other => panic!("no vector has a {other}"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex")).collect()
}

const NUMBERS: [&str; 16] = [
    "i8",
    "i16",
    "i32",
    "i64",
    "u8",
    "u16",
    "u32",
    "u64",
    "f32",
    "f64",
    "decimal(5,2)",
    "decimal(18,4)",
    "decimal(38,0)",
    "decimal(38,20)",
    "decimal256(50,10)",
    "decimal256(76,40)",
];

fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i8>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (any::<i32>(), 0..9u8)
            .prop_map(|(number, places)| format!("{}", f64::from(number) / 10f64.powi(places.into()))),
        any::<u64>().prop_map(|bits| f64::from_bits(bits).to_string()),
        any::<u32>().prop_map(|bits| f32::from_bits(bits).to_string()),
    ]
}

/// Makes a column of the number that a text means, if the type has it.
fn of_text(text: &str, of: &DataType) -> Option<ArrayRef> {
    match of {
        DataType::Float32 => Some(one(Some(text), of)),
        DataType::Float64 => Some(one(Some(text), of)),
        DataType::Decimal256(_, scale) => {
            let value = literal(text, &DataType::Decimal128(38, *scale)).ok()?;
            let units = cast::AsArray::as_primitive::<Decimal128Type>(&value).value(0);
            Some(Arc::new(Decimal256Array::from(vec![i256::from_i128(units)]).with_data_type(of.clone())))
        }
        of => literal(text, of).ok(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn a_number_that_became_another_type_turns_back(
        text in any_number(),
        from in prop::sample::select(NUMBERS.to_vec()),
        to in prop::sample::select(NUMBERS[..14].to_vec()),
    ) {
        let (from, to) = (data_type(from), data_type(to));
        let Some(source) = of_text(&text, &from) else { return Ok(()) };
        let there = Cast::plan(&from, &to, &Decoding::default()).expect("numbers fit numbers").run(&source);
        if there.failed.is_empty() && !matches!(from, DataType::Decimal256(..)) {
            let back = Cast::plan(&to, &from, &Decoding::default()).expect("and back").run(&there.values);
            prop_assert_eq!(&back.failed, &[]);
            let (one, other) = (crate::written::written(&back.values, 0), crate::written::written(&source, 0));
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn integers_fit_where_the_number_fits(
        number in prop_oneof![any::<i8>().prop_map(i64::from), any::<i16>().prop_map(i64::from), any::<i64>()],
        to in prop::sample::select(NUMBERS[..8].to_vec()),
    ) {
        let to = data_type(to);
        let source: ArrayRef = Arc::new(Int64Array::from(vec![number]));
        let cast = Cast::plan(&DataType::Int64, &to, &Decoding::default()).expect("integers fit integers");
        let found = outcome(&cast.run(&source));
        let range = match to {
            DataType::Int8 => i8::MIN.into()..=i8::MAX.into(),
            DataType::Int16 => i16::MIN.into()..=i16::MAX.into(),
            DataType::Int32 => i32::MIN.into()..=i32::MAX.into(),
            DataType::UInt8 => 0..=u8::MAX.into(),
            DataType::UInt16 => 0..=u16::MAX.into(),
            DataType::UInt32 => 0..=u32::MAX.into(),
            DataType::UInt64 => 0..=i64::MAX,
            _ => i64::MIN..=i64::MAX,
        };
        let expected = if range.contains(&number) { Ok(Some(number.to_string())) } else { Err(Code::Overflow) };
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn the_same_type_is_handed_through() {
    for name in [
        "bool",
        "i64",
        "f64",
        "utf8",
        "binary",
        "date32",
        "timestamp(us,UTC)",
        "timestamp(us,Europe/Berlin)",
        "duration(s)",
    ] {
        let of = data_type(name);
        assert!(Cast::plan(&of, &of, &Decoding::default()).expect("itself").is_identity(), "{name}");
    }
}

#[test]
fn decimals_are_looked_at_though_the_type_is_the_same() {
    let of = data_type("decimal(5,2)");
    assert!(!Cast::plan(&of, &of, &Decoding::default()).expect("itself").is_identity());
}

#[test]
fn types_that_never_fit_are_named_with_what_to_declare_instead() {
    let refusals = [
        (["date32", "timestamp(us)"], ["date", "timestamp(6)"], "a date has no time of day"),
        (["timestamp(us)", "date32"], ["timestamp(6)", "date"], "the time of day would be lost"),
        (["time32(s)", "date32"], ["time(0)", "date"], "one of them is a time, and the other is not"),
        (["i64", "date32"], ["i64", "date"], "one of them is a time, and the other is not"),
        (["bool", "i64"], ["boolean", "i64"], "their values have nothing in common"),
    ];
    for (pair, [from, to], why) in refusals {
        let [one, other] = pair.map(data_type);
        let refused = Cast::plan(&one, &other, &Decoding::default()).expect_err(why);
        assert_eq!(refused.to_string(), format!("no {from} is ever a {to}: {why}"));
        assert_eq!((refused.blame(), refused.code()), (Blame::Operator, "cast-impossible"));
        let hint = format!("declare the column as {from}, or let the parser send text");
        assert_eq!(refused.hint(), Some(hint));
    }
}

#[test]
fn a_decoding_that_contradicts_itself_is_the_operators() {
    let decoding = Decoding { group_char: Some('.'), ..Decoding::default() };
    let refused = Cast::plan(&DataType::Utf8, &DataType::Int64, &decoding).expect_err("one for both");
    assert_eq!(
        refused.to_string(),
        "this decoding reads nothing: '.' stands between groups of digits and before a fraction"
    );
    assert_eq!((refused.blame(), refused.code()), (Blame::Operator, "decoding-contradicts"));
    assert_eq!(refused.hint().as_deref(), Some("give each character and each word one meaning"));
}

#[test]
fn a_pattern_that_is_refused_is_shown_and_a_good_one_beside_it() {
    let decoding = Decoding { decode_patterns: vec!["yy".to_owned()], ..Decoding::default() };
    let refused = Cast::plan(&DataType::Utf8, &DataType::Date32, &decoding).expect_err("two digits");
    assert_eq!(refused.to_string(), "the pattern `yy` cannot be used: a year has four digits: `yyyy`");
    assert_eq!((refused.blame(), refused.code()), (Blame::Operator, "decode-pattern"));
    let hint = refused.hint().expect("a hint");
    let pattern = hint.split('`').nth(1).expect("a pattern");
    assert_eq!(check_pattern(pattern, &data_type("timestamp(ms,UTC)")), Ok(()), "{hint}");
}

#[test]
fn nested_types_are_for_the_caller_to_take_apart() {
    let list = DataType::new_list(DataType::Int64, true);
    for (from, to) in [(&list, &DataType::Utf8), (&DataType::Utf8, &list), (&list, &list)] {
        let refused = Cast::plan(from, to, &Decoding::default()).expect_err("a list");
        assert!(refused.to_string().ends_with(": nested types are taken apart first"), "{refused}");
    }
}

#[test]
fn a_word_for_true_and_false_is_refused() {
    let decoding = Decoding { false_values: vec!["true".to_owned()], ..Decoding::default() };
    let refused = Cast::plan(&DataType::Utf8, &DataType::Boolean, &decoding).expect_err("a word for both");
    assert_eq!(refused.to_string(), "this decoding reads nothing: \"true\" stands for true and for false");
}

#[test]
fn characters_that_numbers_need_are_refused() {
    for (decimal_char, group_char) in [
        ('5', None),
        ('-', None),
        ('e', None),
        (' ', None),
        ('.', Some('.')),
        ('.', Some('+')),
        ('.', Some('1')),
    ] {
        let decoding = Decoding { decimal_char, group_char, ..Decoding::default() };
        assert!(
            Cast::plan(&DataType::Utf8, &DataType::Int64, &decoding).is_err(),
            "{decimal_char:?} {group_char:?}"
        );
    }
}

#[test]
fn patterns_that_cannot_be_read_back_are_refused() {
    let refusals = [
        ("yyyy-MM-dd", "timestamp(us)", "it does not say the hour"),
        ("yyyy-MM-dd HH:mm", "date32", "a date has no room for the hour"),
        ("yy-MM-dd", "date32", "a year has four digits: `yyyy`"),
        ("MM-dd", "date32", "it does not say the year"),
        ("yyyy-MM", "date32", "it says neither month and day nor the day of the year"),
        ("yyyy-MM-DDD", "date32", "it says the day of the year, and a month or day beside it"),
        ("yyyy-MM-dd MM", "date32", "it says the month twice"),
        ("Mdyyyy", "date32", "nobody can tell where the month ends: a digit follows"),
        ("yyyyMMd1", "date32", "nobody can tell where the day ends: a digit follows"),
        ("hh:mm", "time32(s)", "the hour is `HH`, or `hh` and `a`"),
        ("HH:mm a", "time32(s)", "the hour is `HH`, or `hh` and `a`"),
        ("HH", "time32(s)", "it does not say the minute"),
        ("HH:mm.SSS", "time32(s)", "it says the fraction of a second, and no second"),
        ("yyyy HH:mm", "time32(s)", "a time(0) has no room for the year"),
        ("yyyy-MM-dd HH:mmXXX", "timestamp(us)", "a timestamp(6) has no room for the offset"),
        ("yyyy-MM-dd'T", "date32", "a quote is not closed"),
        ("yyyy-MM-ddT", "date32", "`T` is no field that is read here"),
        ("EEE yyyy-MM-dd", "date32", "`EEE` is no field that is read here"),
        ("yyyy-MM-dd", "i64", "a i64 is not read by patterns"),
        ("yyyy-MM-dd HH:mmX1", "timestamp(us,UTC)", "nobody can tell where the offset ends: a digit follows"),
    ];
    for (pattern, of, why) in refusals {
        assert_eq!(check_pattern(pattern, &data_type(of)), Err(why.to_owned()), "{pattern}");
    }
}

#[test]
fn what_ends_by_itself_may_stand_before_anything() {
    let patterns =
        [("dMMMyyyy", "date32"), ("yyyy-MM-dd HH:mmXX1", "timestamp(us,UTC)"), ("h:m:sa", "time32(s)")];
    for (pattern, of) in patterns {
        assert_eq!(check_pattern(pattern, &data_type(of)), Ok(()), "{pattern}");
    }
}

#[test]
fn sixteen_patterns_of_128_bytes_are_the_most() {
    let pattern = |bytes: usize| format!("yyyy-MM-dd'{}'", "x".repeat(bytes - 12));
    assert_eq!(check_pattern(&pattern(128), &DataType::Date32), Ok(()));
    let refused = check_pattern(&pattern(129), &DataType::Date32);
    assert_eq!(refused, Err("129 bytes, and 128 are the most".to_owned()));

    let plan = |patterns: usize| {
        let decode_patterns = (0..patterns).map(|at| format!("yyyy-MM-dd {at}#")).collect();
        let decoding = Decoding { decode_patterns, ..Decoding::default() };
        Cast::plan(&DataType::Utf8, &DataType::Date32, &decoding).map(drop)
    };
    assert_eq!(plan(16), Ok(()));
    let refused = plan(17).expect_err("one too many").to_string();
    assert_eq!(refused, "this decoding reads nothing: 17 patterns, and 16 are the most");
}

#[test]
fn what_offsets_of_32_bits_cannot_reach_is_past_what_a_column_can_hold() {
    // Room of zeros costs nothing until it is written to.
    let room = Buffer::from_vec(vec![0u8; 1 << 31]);
    let offsets = OffsetBuffer::new(vec![0, 1, 1 << 31].into());
    let bytes: ArrayRef = Arc::new(LargeBinaryArray::new(offsets.clone(), room.clone(), None));
    let texts: ArrayRef = Arc::new(LargeStringArray::new(offsets, room, None));
    for source in [&bytes, &texts] {
        for to in [DataType::Binary, DataType::Utf8] {
            let cast = Cast::plan(source.data_type(), &to, &Decoding::default()).expect("a wide one");
            let column = cast.run(source);
            assert_eq!(column.failed, [(1, Code::Overflow)], "{} to {to}", source.data_type());
            assert_eq!((column.values.is_null(0), column.values.is_null(1)), (false, true));
        }
    }
}

#[test]
fn a_literal_is_one_value() {
    let value = literal("0.5", &data_type("decimal(10,2)")).expect("a value");
    assert_eq!((value.len(), crate::written::written(&value, 0)), (1, Some("0.50".to_owned())));
    assert_eq!(literal("0.505", &data_type("decimal(10,2)")).err(), Some(Code::Lossy));
    assert_eq!(literal("abc", &data_type("i64")).err(), Some(Code::Unparseable));
}

proptest! {
    #[test]
    fn the_order_of_patterns_changes_nothing(
        patterns in Just(vec!["dd/MM/yyyy", "MM/dd/yyyy", "yyyy-MM-dd", "d.M.yyyy"]).prop_shuffle(),
        text in "[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}",
    ) {
        let cast = |patterns: &[&str]| {
            let decode_patterns = patterns.iter().map(ToString::to_string).collect();
            let decoding = Decoding { decode_patterns, ..Decoding::default() };
            crate::cast_text(&text, &DataType::Date32, &decoding)
        };
        let mut sorted = patterns.clone();
        sorted.sort_unstable();
        prop_assert_eq!(cast(&patterns), cast(&sorted));
    }
}

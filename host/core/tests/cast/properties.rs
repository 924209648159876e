//! What holds for every text and every value.

use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray};
use arrow_schema::{DataType, TimeUnit};
use casparian_core::contract::cast::{self, Cast};
use casparian_core::contract::{DateOrder, Decoding};
use proptest::prelude::*;

use crate::oracle::is_same;
use crate::written::{per_second, written};
use crate::{cast_text, cast_texts, data_type};

const TYPES: [&str; 26] = [
    "bool",
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
    "decimal(38,10)",
    "decimal(9,0)",
    "utf8",
    "date32",
    "time32(s)",
    "time32(ms)",
    "time64(us)",
    "time64(ns)",
    "timestamp(s)",
    "timestamp(ms,UTC)",
    "timestamp(us)",
    "timestamp(us,UTC)",
    "timestamp(ns,UTC)",
];

fn any_type() -> impl Strategy<Value = DataType> {
    prop::sample::select(TYPES.to_vec()).prop_map(data_type)
}

/// Texts that look like something, and texts that look like nothing.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[-+]?[0-9]{0,22}",
        4 => "[-+]?[0-9]{1,12}[.][0-9]{0,12}",
        4 => "[-+]?[0-9]{1,18}([.][0-9]{1,18})?[eE][-+]?[0-9]{1,3}",
        1 => "[-+]?(NaN|nan|inf|Infinity|true|false|TRUE)",
        3 => "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]",
        3 => "[0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.][0-9]{0,12})?",
        4 => "[0-2][0-9]{3}-[01][0-9]-[0-2][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]{1,10})?(Z|z|[-+][01][0-9]:[0-5][0-9])?",
        2 => "[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}",
        3 => "[-+0-9.,eE_: TZ/'\u{a0}٣１]{0,24}",
        1 => any::<String>(),
    ]
}

fn any_decoding() -> impl Strategy<Value = Decoding> {
    let characters =
        (prop::sample::select(vec!['.', ',']), prop::option::of(prop::sample::select(vec!['_', ' ', '\''])));
    let orders = [DateOrder::YearMonthDay, DateOrder::MonthDayYear, DateOrder::DayMonthYear];
    let order = prop::option::of(prop::sample::select(orders.to_vec()));
    let offset = prop::option::of(-86_340i32..86_340);
    let missing = prop::collection::vec("[0-9N.-]{0,3}", 0..3);
    (characters, order, offset, missing, any::<bool>()).prop_map(
        |((decimal_char, group_char), date_order, offset, missing_values, trim)| Decoding {
            decimal_char,
            group_char,
            date_order,
            default_offset_seconds: offset,
            missing_values,
            trim,
            ..Decoding::default()
        },
    )
}

/// Writes values, holds the writing to the slow writer, and reads it back.
fn check_round_trip(values: ArrayRef) {
    let texts =
        Cast::plan(values.data_type(), &DataType::Utf8, &Decoding::default()).expect("a writer").run(&values);
    assert_eq!(texts.failed, [], "{values:?}");
    for row in 0..values.len() {
        assert_eq!(written(&texts.values, row), written(&values, row));
    }
    let back = Cast::plan(&DataType::Utf8, values.data_type(), &Decoding::default())
        .expect("a reader")
        .run(&texts.values);
    assert_eq!(back.failed, [], "{texts:?}");
    assert_eq!(back.values.to_data(), values.to_data());
}

fn column<T: ArrowPrimitiveType>(values: Vec<Option<T::Native>>, of: &DataType) -> ArrayRef {
    Arc::new(values.into_iter().collect::<PrimitiveArray<T>>().with_data_type(of.clone()))
}

macro_rules! whatever_is_written_reads_back {
    ($($name:ident: $kind:ty, $of:expr, $values:expr;)*) => {$(
        proptest! {
            #[test]
            fn $name(values in prop::collection::vec(prop::option::of($values), 1..20)) {
                check_round_trip(column::<$kind>(values, &$of));
            }
        }
    )*};
}

const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
const SECONDS: std::ops::Range<i64> = -719_162 * 86_400..2_932_897 * 86_400;

fn moments(unit: TimeUnit) -> impl Strategy<Value = i64> {
    let each = per_second(unit);
    SECONDS.start.saturating_mul(each)..SECONDS.end.saturating_mul(each)
}

fn utc(unit: TimeUnit) -> DataType {
    DataType::Timestamp(unit, Some("UTC".into()))
}

whatever_is_written_reads_back! {
    every_i8_reads_back: Int8Type, DataType::Int8, any::<i8>();
    every_i16_reads_back: Int16Type, DataType::Int16, any::<i16>();
    every_i32_reads_back: Int32Type, DataType::Int32, any::<i32>();
    every_i64_reads_back: Int64Type, DataType::Int64, any::<i64>();
    every_u8_reads_back: UInt8Type, DataType::UInt8, any::<u8>();
    every_u16_reads_back: UInt16Type, DataType::UInt16, any::<u16>();
    every_u32_reads_back: UInt32Type, DataType::UInt32, any::<u32>();
    every_u64_reads_back: UInt64Type, DataType::UInt64, any::<u64>();
    every_f32_reads_back: Float32Type, DataType::Float32, any::<u32>().prop_map(f32::from_bits).prop_filter("one NaN", |x| !x.is_nan());
    every_f64_reads_back: Float64Type, DataType::Float64, any::<u64>().prop_map(f64::from_bits).prop_filter("one NaN", |x| !x.is_nan());
    every_short_f64_reads_back: Float64Type, DataType::Float64, (any::<i32>(), 0..9).prop_map(|(n, e)| f64::from(n) / 10f64.powi(e));
    every_decimal_reads_back: Decimal128Type, DataType::Decimal128(18, 4), -999_999_999_999_999_999i128..=999_999_999_999_999_999;
    every_long_decimal_reads_back: Decimal128Type, DataType::Decimal128(38, 20), -(10i128.pow(38) - 1)..10i128.pow(38);
    every_decimal_without_places_reads_back: Decimal128Type, DataType::Decimal128(38, 0), -(10i128.pow(38) - 1)..10i128.pow(38);
    every_date_reads_back: Date32Type, DataType::Date32, DAYS;
    every_second_reads_back: Time32SecondType, DataType::Time32(TimeUnit::Second), 0..86_400;
    every_millisecond_reads_back: Time32MillisecondType, DataType::Time32(TimeUnit::Millisecond), 0..86_400_000;
    every_microsecond_reads_back: Time64MicrosecondType, DataType::Time64(TimeUnit::Microsecond), 0i64..86_400_000_000;
    every_nanosecond_reads_back: Time64NanosecondType, DataType::Time64(TimeUnit::Nanosecond), 0i64..86_400_000_000_000;
    every_timestamp_in_seconds_reads_back: TimestampSecondType, DataType::Timestamp(TimeUnit::Second, None), moments(TimeUnit::Second);
    every_timestamp_in_milliseconds_reads_back: TimestampMillisecondType, utc(TimeUnit::Millisecond), moments(TimeUnit::Millisecond);
    every_timestamp_in_microseconds_reads_back: TimestampMicrosecondType, utc(TimeUnit::Microsecond), moments(TimeUnit::Microsecond);
    every_timestamp_in_nanoseconds_reads_back: TimestampNanosecondType, DataType::Timestamp(TimeUnit::Nanosecond, None), any::<i64>();
}

#[test]
fn every_truth_reads_back() {
    check_round_trip(Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])));
}

#[test]
fn days_of_every_year_read_back() {
    check_round_trip(column::<Date32Type>(DAYS.step_by(53).map(Some).collect(), &DataType::Date32));
}

fn oracle_month_days(year: i64, month: i64) -> i64 {
    crate::oracle::days(year, month + 1) - crate::oracle::days(year, month)
}

/// A moment as a pattern writes it: local date, local time and offset.
#[derive(Debug, Clone, Copy)]
struct Local {
    days: i32,
    seconds: i64,
    nanos: i64,
    offset_minutes: i64,
}

/// Writes a moment by a pattern, letter by letter.
fn by_pattern(pattern: &str, local: Local) -> String {
    let date: ArrayRef = Arc::new(PrimitiveArray::<Date32Type>::from(vec![local.days]));
    let date = written(&date, 0).expect("a date");
    let (year, month, day) = (&date[..4], date[5..7].parse::<usize>().expect("a month"), &date[8..]);
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (hour, minute, second) = (local.seconds / 3600, local.seconds / 60 % 60, local.seconds % 60);
    let half = if hour % 12 == 0 { 12 } else { hour % 12 };
    let offset = |between: &str| {
        let (sign, size) = (if local.offset_minutes < 0 { '-' } else { '+' }, local.offset_minutes.abs());
        format!("{sign}{:02}{between}{:02}", size / 60, size % 60)
    };
    let zulu = |text: String| if local.offset_minutes == 0 { "Z".to_owned() } else { text };
    let short = if local.offset_minutes % 60 == 0 { offset("")[..3].to_owned() } else { offset("") };
    let fields = [
        ("yyyy", year.to_owned()),
        ("MMM", names[month - 1].to_owned()),
        ("MM", format!("{month:02}")),
        ("M", month.to_string()),
        ("dd", day.to_owned()),
        ("d", day.trim_start_matches('0').to_owned()),
        ("HH", format!("{hour:02}")),
        ("H", hour.to_string()),
        ("hh", format!("{half:02}")),
        ("h", half.to_string()),
        ("a", if hour < 12 { "AM" } else { "PM" }.to_owned()),
        ("mm", format!("{minute:02}")),
        ("m", minute.to_string()),
        ("ss", format!("{second:02}")),
        ("s", second.to_string()),
        ("SSSSSSSSS", format!("{:09}", local.nanos)),
        ("SSS", format!("{:03}", local.nanos / 1_000_000)),
        ("XXX", zulu(offset(":"))),
        ("XX", zulu(offset(""))),
        ("X", zulu(short.clone())),
        ("xxx", offset(":")),
        ("xx", offset("")),
        ("x", short),
    ];
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        let field = fields.iter().find(|(name, _)| rest.starts_with(name));
        let quoted = rest.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        rest = match (quoted, field) {
            (Some((literal, behind)), _) => {
                text.push_str(literal);
                behind
            }
            (None, Some((name, value))) => {
                text.push_str(value);
                &rest[name.len()..]
            }
            (None, None) => {
                text.push(next);
                &rest[next.len_utf8()..]
            }
        };
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_accepted_is_what_was_written(text in any_text(), to in any_type()) {
        if let Ok(value) = cast_text(&text, &to, &Decoding::default()) {
            let written = value.expect("nothing stands for null");
            prop_assert!(is_same(&text, &written, &to), "{text:?} became {written:?} as {to}");
        }
    }

    #[test]
    fn where_the_source_is_cut_does_not_matter(
        texts in prop::collection::vec(prop::option::weighted(0.9, any_text()), 1..40),
        to in any_type(),
        decoding in any_decoding(),
        cut in any::<prop::sample::Index>(),
    ) {
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let whole = cast_texts(&texts, &to, &decoding);
        let cut = cut.index(texts.len());
        let source: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let cast = Cast::plan(&DataType::Utf8, &to, &decoding).expect("a cast from text");
        let mut failed = Vec::new();
        for (from, length) in [(0, cut), (cut, texts.len() - cut)] {
            let part = cast.run(&source.slice(from, length));
            prop_assert_eq!(part.values.to_data(), whole.values.slice(from, length).to_data());
            failed.extend(part.failed.iter().map(|(row, code)| (row + from as u32, *code)));
        }
        prop_assert_eq!(failed, whole.failed);
    }

    #[test]
    fn a_row_that_failed_is_null_and_named_once(
        texts in prop::collection::vec(prop::option::weighted(0.9, any_text()), 1..40),
        to in any_type(),
        decoding in any_decoding(),
    ) {
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let column = cast_texts(&texts, &to, &decoding);
        prop_assert_eq!(column.values.data_type(), &to);
        prop_assert_eq!(column.values.len(), texts.len());
        prop_assert!(column.failed.is_sorted_by(|one, other| one.0 < other.0));
        for (row, text) in texts.iter().enumerate() {
            let failed = column.failed.iter().any(|(failed, _)| *failed as usize == row);
            let stands_for_null = text.is_none_or(|text| {
                let text = if decoding.trim { text.trim_ascii() } else { text };
                decoding.missing_values.iter().any(|missing| missing == text)
            });
            prop_assert_eq!(column.values.is_null(row), failed || stands_for_null);
            prop_assert!(!(failed && stands_for_null));
        }
    }

    #[test]
    fn large_texts_are_read_as_short_ones_are(texts in prop::collection::vec(any_text(), 1..20), to in any_type()) {
        let large: ArrayRef = Arc::new(arrow_array::LargeStringArray::from_iter_values(&texts));
        let large = Cast::plan(&DataType::LargeUtf8, &to, &Decoding::default()).expect("a cast").run(&large);
        let texts: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
        let short = cast_texts(&texts, &to, &Decoding::default());
        prop_assert_eq!(large.values.to_data(), short.values.to_data());
        prop_assert_eq!(large.failed, short.failed);
    }

    #[test]
    fn no_pattern_and_no_text_is_too_much(pattern in "[yMdHhmsSXxaDE'T:/ .0-9-]{0,16}", text in any_text(), to in any_type()) {
        if cast::check_pattern(&pattern, &to).is_ok() {
            let decoding = Decoding { decode_patterns: vec![pattern], ..Decoding::default() };
            let _ = cast_text(&text, &to, &decoding);
        }
    }

    #[test]
    fn what_a_pattern_writes_it_reads(
        pattern in prop::sample::select(vec![
            "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSXXX", "d/M/yyyy H:m:s.SSSSSSSSS X", "yyyyMMddHHmmssSSSSSSSSSxx",
            "dd MMM yyyy, hh:mm:ss.SSSSSSSSS a xxx", "h:mm:ss.SSSSSSSSS a 'on' d MMM yyyy x", "MM.dd.yyyy HH:mm:ss.SSSSSSSSSXX",
        ]),
        // What a 64-bit count of nanoseconds reaches, and a little less.
        days in -106_000i32..106_000, seconds in 0i64..86_400, nanos in 0i64..1_000_000_000, offset_minutes in -1439i64..1440,
    ) {
        let to = utc(TimeUnit::Nanosecond);
        let local = Local { days, seconds, nanos, offset_minutes };
        let decoding = Decoding { decode_patterns: vec![pattern.to_owned()], ..Decoding::default() };
        let text = by_pattern(pattern, local);
        let units = (i64::from(days) * 86_400 + seconds - offset_minutes * 60) * 1_000_000_000 + nanos;
        let expected = column::<TimestampNanosecondType>(vec![Some(units)], &to);
        prop_assert_eq!(cast_text(&text, &to, &decoding), Ok(written(&expected, 0)), "{}", text);
    }

    #[test]
    fn a_declared_order_reads_its_dates_and_no_others(
        year in 0i64..10_100, month in 0i64..14, day in 0i64..33, is_padded in any::<bool>(),
        marks in prop::sample::select(vec!["//", "--", "..", "/-", "  ", "__"]),
        order in prop::sample::select(vec![DateOrder::YearMonthDay, DateOrder::MonthDayYear, DateOrder::DayMonthYear]),
    ) {
        let small = |number: i64| if is_padded { format!("{number:02}") } else { number.to_string() };
        let (one, other) = marks.split_at(1);
        let (month_text, day_text) = (small(month), small(day));
        let text = match order {
            DateOrder::YearMonthDay => format!("{year:04}{one}{month_text}{other}{day_text}"),
            DateOrder::MonthDayYear => format!("{month_text}{one}{day_text}{other}{year:04}"),
            DateOrder::DayMonthYear => format!("{day_text}{one}{month_text}{other}{year:04}"),
        };
        let is_day = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=oracle_month_days(year, month)).contains(&day);
        let is_written_so = one == other && "-./".contains(one);
        let decoding = Decoding { date_order: Some(order), ..Decoding::default() };
        let found = cast_text(&text, &DataType::Date32, &decoding);
        if is_day && is_written_so {
            prop_assert_eq!(found, Ok(Some(format!("{year:04}-{month:02}-{day:02}"))));
        } else {
            prop_assert!(found.is_err(), "{} became {:?}", text, found);
        }
    }

    #[test]
    fn a_decimal_character_and_groups_change_nothing_but_the_writing(units in any::<i64>()) {
        let to = DataType::Decimal128(22, 3);
        let plain = written(&column::<Decimal128Type>(vec![Some(units.into())], &to), 0).expect("a value");
        let (sign, body) = plain.split_at(usize::from(units < 0));
        let (whole, fraction) = body.split_once('.').expect("a point");
        let groups: Vec<&str> = whole.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
        let text = format!("{sign}{},{fraction}", groups.join("."));
        let decoding = Decoding { decimal_char: ',', group_char: Some('.'), ..Decoding::default() };
        prop_assert_eq!(cast_text(&text, &to, &decoding), Ok(Some(plain)));
    }
}

//! The language once more: row by row, on its own trees, slowly. Shares no code with what it checks.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt64Array,
};
use proptest::prelude::*;

use super::{Expression, batch, shown};

/// A value, or why there is none.
#[derive(Debug, Clone, PartialEq)]
enum Cell<T> {
    Known(T),
    Null,
    Failed,
}
use Cell::{Failed, Known, Null};

impl<T> Cell<T> {
    fn of(value: Option<T>) -> Self {
        value.map_or(Null, Known)
    }

    /// Failure before null before a value.
    fn and_then<U>(self, next: impl FnOnce(T) -> Cell<U>) -> Cell<U> {
        match self {
            Known(value) => next(value),
            Null => Null,
            Failed => Failed,
        }
    }

    fn zip<U>(self, other: Cell<U>) -> Cell<(T, U)> {
        match (self, other) {
            (Failed, _) | (_, Failed) => Failed,
            (Null, _) | (_, Null) => Null,
            (Known(a), Known(b)) => Known((a, b)),
        }
    }
}

/// A number: digits and how many of them stand behind the point.
type Number = (i128, u32);

#[derive(Debug, Clone)]
struct Row {
    i: Option<i64>,
    j: Option<i32>,
    u: Option<u64>,
    d: Option<i128>,
    w: Option<i128>,
    f: Option<f64>,
    g: Option<f32>,
    b: Option<bool>,
    s: Option<String>,
    t: Option<String>,
    day: Option<i32>,
    at: Option<i64>,
    late: Option<i64>,
}

#[derive(Debug, Clone)]
enum Exact {
    Column(&'static str),
    Literal(i64, u32),
    Compute(char, Box<Exact>, Box<Exact>),
    Negate(Box<Exact>),
    Absolute(Box<Exact>),
    Length(Text),
    Coalesce(Box<Exact>, Box<Exact>),
}

#[derive(Debug, Clone)]
enum Float {
    Column(&'static str),
    Compute(char, Box<Float>, Box<Float>),
    Negate(Box<Float>),
    Coalesce(Box<Float>, Box<Float>),
}

#[derive(Debug, Clone)]
enum Text {
    Column(&'static str),
    Literal(String),
    Coalesce(Box<Text>, Box<Text>),
}

#[derive(Debug, Clone)]
enum Truth {
    Column,
    Literal(bool),
    Not(Box<Truth>),
    And(Box<Truth>, Box<Truth>),
    Or(Box<Truth>, Box<Truth>),
    Same(&'static str, Box<Truth>, Box<Truth>),
    Exacts(&'static str, Exact, Exact),
    Floats(&'static str, Float, Float),
    FloatAnd(&'static str, &'static str, i32),
    Texts(&'static str, Text, Text),
    Days(&'static str, i32),
    Moments(&'static str),
    Between(bool, Exact, Exact, Exact),
    In(bool, Exact, Vec<(i64, u32)>),
    TextIn(Text, Vec<String>),
    IsNull(bool, Exact),
    TextIsNull(Text),
}

fn decimal(digits: i64, scale: u32) -> String {
    let text = format!("{:0width$}", digits.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - scale as usize);
    let point = if scale == 0 { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if digits < 0 { "-" } else { "" })
}

/// A literal has no more decimal places than it needs.
fn shortest(digits: i64, scale: u32) -> Number {
    let (mut digits, mut scale) = (i128::from(digits), scale);
    while scale > 0 && digits % 10 == 0 {
        (digits, scale) = (digits / 10, scale - 1);
    }
    (digits, scale)
}

impl Exact {
    fn text(&self) -> String {
        match self {
            Exact::Column(name) => (*name).to_owned(),
            Exact::Literal(digits, scale) => decimal(*digits, *scale),
            Exact::Compute(sign, a, b) => format!("({} {sign} {})", a.text(), b.text()),
            Exact::Negate(a) => format!("-({})", a.text()),
            Exact::Absolute(a) => format!("ABS( {} )", a.text()),
            Exact::Length(a) => format!("length({})", a.text()),
            Exact::Coalesce(a, b) => format!("coalesce({}, {})", a.text(), b.text()),
        }
    }

    fn scale(&self) -> u32 {
        match self {
            Exact::Column("d") => 4,
            Exact::Column("w") => 10,
            Exact::Column(_) | Exact::Length(_) => 0,
            Exact::Literal(digits, scale) => shortest(*digits, *scale).1,
            Exact::Compute('*', a, b) => a.scale() + b.scale(),
            Exact::Compute(_, a, b) | Exact::Coalesce(a, b) => a.scale().max(b.scale()),
            Exact::Negate(a) | Exact::Absolute(a) => a.scale(),
        }
    }

    /// Whether every part of it has 38 decimal places or fewer.
    fn is_allowed(&self) -> bool {
        let parts = match self {
            Exact::Compute(_, a, b) | Exact::Coalesce(a, b) => a.is_allowed() && b.is_allowed(),
            Exact::Negate(a) | Exact::Absolute(a) => a.is_allowed(),
            _ => true,
        };
        parts && self.scale() <= 38
    }

    fn of(&self, row: &Row) -> Cell<i128> {
        let checked = |value: Option<i128>| value.map_or(Failed, Known);
        match self {
            Exact::Column("i") => Cell::of(row.i.map(i128::from)),
            Exact::Column("j") => Cell::of(row.j.map(i128::from)),
            Exact::Column("u") => Cell::of(row.u.map(i128::from)),
            Exact::Column("d") => Cell::of(row.d),
            Exact::Column(_) => Cell::of(row.w),
            Exact::Literal(digits, scale) => Known(shortest(*digits, *scale).0),
            Exact::Compute('*', a, b) => {
                a.of(row).zip(b.of(row)).and_then(|(a, b)| checked(a.checked_mul(b)))
            }
            Exact::Compute(sign, a, b) => {
                // Bringing both to one scale is part of the sum: beside a null it is not tried.
                let raise =
                    |value: i128, part: &Exact| value.checked_mul(10_i128.pow(self.scale() - part.scale()));
                let sum = |x: i128, y: i128| {
                    let (x, y) = (raise(x, a)?, raise(y, b)?);
                    if *sign == '+' { x.checked_add(y) } else { x.checked_sub(y) }
                };
                a.of(row).zip(b.of(row)).and_then(|(x, y)| checked(sum(x, y)))
            }
            Exact::Negate(a) => a.of(row).and_then(|a| checked(a.checked_neg())),
            Exact::Absolute(a) => a.of(row).and_then(|a| checked(a.checked_abs())),
            Exact::Length(a) => a.of(row).and_then(|a| Known(a.chars().count() as i128)),
            Exact::Coalesce(a, b) => match raised(a, self.scale(), row) {
                Null => raised(b, self.scale(), row),
                found => found,
            },
        }
    }

    fn number(&self, row: &Row) -> Cell<Number> {
        self.of(row).and_then(|value| Known((value, self.scale())))
    }
}

fn raised(part: &Exact, scale: u32, row: &Row) -> Cell<i128> {
    part.of(row).and_then(|value| value.checked_mul(10_i128.pow(scale - part.scale())).map_or(Failed, Known))
}

/// Compares two numbers by their digits, as on paper.
fn on_paper(a: Number, b: Number) -> Ordering {
    let digits = |(value, scale): Number| {
        let text = format!("{}{}", value.unsigned_abs(), "0".repeat(80 - scale as usize));
        format!("{text:0>160}")
    };
    match (a.0.signum(), b.0.signum()) {
        (x, y) if x != y => x.cmp(&y),
        (-1, _) => digits(b).cmp(&digits(a)),
        _ => digits(a).cmp(&digits(b)),
    }
}

fn holds(sign: &str, order: Option<Ordering>) -> bool {
    match sign {
        "=" => order == Some(Ordering::Equal),
        "<>" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

impl Float {
    fn text(&self) -> String {
        match self {
            Float::Column(name) => (*name).to_owned(),
            Float::Compute(sign, a, b) => format!("({} {sign} {})", a.text(), b.text()),
            Float::Negate(a) => format!("-{}", a.text()),
            Float::Coalesce(a, b) => format!("coalesce({}, {})", a.text(), b.text()),
        }
    }

    fn of(&self, row: &Row) -> Cell<f64> {
        match self {
            Float::Column("f") => Cell::of(row.f),
            Float::Column(_) => Cell::of(row.g.map(f64::from)),
            Float::Compute(sign, a, b) => a.of(row).zip(b.of(row)).and_then(|(a, b)| {
                let value = match sign {
                    '+' => a + b,
                    '-' => a - b,
                    _ => a * b,
                };
                if !value.is_finite() && a.is_finite() && b.is_finite() { Failed } else { Known(value) }
            }),
            Float::Negate(a) => a.of(row).and_then(|a| Known(-a)),
            Float::Coalesce(a, b) => match a.of(row) {
                Null => b.of(row),
                found => found,
            },
        }
    }
}

impl Text {
    fn text(&self) -> String {
        match self {
            Text::Column(name) => (*name).to_owned(),
            Text::Literal(text) => format!("'{}'", text.replace('\'', "''")),
            Text::Coalesce(a, b) => format!("coalesce({}, {})", a.text(), b.text()),
        }
    }

    fn of(&self, row: &Row) -> Cell<String> {
        match self {
            Text::Column("s") => Cell::of(row.s.clone()),
            Text::Column(_) => Cell::of(row.t.clone()),
            Text::Literal(text) => Known(text.clone()),
            Text::Coalesce(a, b) => match a.of(row) {
                Null => b.of(row),
                found => found,
            },
        }
    }
}

impl Truth {
    fn text(&self) -> String {
        let not = |is_negated: &bool| if *is_negated { "not " } else { "" };
        match self {
            Truth::Column => "b".to_owned(),
            Truth::Literal(truth) => truth.to_string(),
            Truth::Not(a) => format!("NOT ({})", a.text()),
            Truth::And(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Truth::Or(a, b) => format!("({}) or ({})", a.text(), b.text()),
            Truth::Same(sign, a, b) => format!("({}) {sign} ({})", a.text(), b.text()),
            Truth::Exacts(sign, a, b) => format!("{}{sign}{}", a.text(), b.text()),
            Truth::Floats(sign, a, b) => format!("{} {sign} {}", a.text(), b.text()),
            Truth::FloatAnd(sign, name, tenths) => {
                format!("{name} {sign} {}", decimal(i64::from(*tenths), 1))
            }
            Truth::Texts(sign, a, b) => format!("{} {sign} {}", a.text(), b.text()),
            Truth::Days(sign, days) => {
                format!("day {sign} {}", super::literal::text(i128::from(*days), super::tree::Kind::Date))
            }
            Truth::Moments(sign) => format!("at {sign} late"),
            Truth::Between(is_negated, a, low, high) => {
                format!("{} {}between {} and {}", a.text(), not(is_negated), low.text(), high.text())
            }
            Truth::In(is_negated, a, items) => {
                let items: Vec<String> =
                    items.iter().map(|(digits, scale)| decimal(*digits, *scale)).collect();
                format!("{} {}in ({})", a.text(), not(is_negated), items.join(","))
            }
            Truth::TextIn(a, items) => {
                let items: Vec<String> =
                    items.iter().map(|item| format!("'{}'", item.replace('\'', "''"))).collect();
                format!("{} in ({})", a.text(), items.join(","))
            }
            Truth::IsNull(is_negated, a) => format!("{} is {}null", a.text(), not(is_negated)),
            Truth::TextIsNull(a) => format!("{} is null", a.text()),
        }
    }

    fn is_allowed(&self) -> bool {
        match self {
            Truth::Not(a) => a.is_allowed(),
            Truth::And(a, b) | Truth::Or(a, b) | Truth::Same(_, a, b) => a.is_allowed() && b.is_allowed(),
            Truth::Exacts(_, a, b) => a.is_allowed() && b.is_allowed(),
            Truth::Between(_, a, b, c) => a.is_allowed() && b.is_allowed() && c.is_allowed(),
            Truth::In(_, a, _) | Truth::IsNull(_, a) => a.is_allowed(),
            _ => true,
        }
    }

    fn of(&self, row: &Row) -> Cell<bool> {
        let flip = |cell: Cell<bool>, is_negated: bool| cell.and_then(|truth| Known(truth != is_negated));
        match self {
            Truth::Column => Cell::of(row.b),
            Truth::Literal(truth) => Known(*truth),
            Truth::Not(a) => flip(a.of(row), true),
            Truth::And(a, b) => joined(false, a.of(row), b.of(row)),
            Truth::Or(a, b) => joined(true, a.of(row), b.of(row)),
            Truth::Same(sign, a, b) => {
                a.of(row).zip(b.of(row)).and_then(|(a, b)| Known((a == b) == (*sign == "=")))
            }
            Truth::Exacts(sign, a, b) => compared(sign, a.number(row), b.number(row)),
            Truth::Floats(sign, a, b) => {
                a.of(row).zip(b.of(row)).and_then(|(a, b)| Known(holds(sign, a.partial_cmp(&b))))
            }
            Truth::FloatAnd(sign, "f", tenths) => Cell::of(row.f)
                .and_then(|value| Known(holds(sign, value.partial_cmp(&(f64::from(*tenths) / 10.0))))),
            Truth::FloatAnd(sign, _, tenths) => Cell::of(row.g)
                .and_then(|value| Known(holds(sign, value.partial_cmp(&(*tenths as f32 / 10.0))))),
            Truth::Texts(sign, a, b) => {
                a.of(row).zip(b.of(row)).and_then(|(a, b)| Known(holds(sign, Some(a.chars().cmp(b.chars())))))
            }
            Truth::Days(sign, days) => {
                Cell::of(row.day).and_then(|day| Known(holds(sign, Some(day.cmp(days)))))
            }
            Truth::Moments(sign) => compared(
                sign,
                Cell::of(row.at.map(|at| (i128::from(at), 3))),
                Cell::of(row.late.map(|late| (i128::from(late), 9))),
            ),
            Truth::Between(is_negated, a, low, high) => {
                let above = compared(">=", a.number(row), low.number(row));
                let below = compared("<=", a.number(row), high.number(row));
                flip(joined(false, above, below), *is_negated)
            }
            Truth::In(is_negated, a, items) => {
                let is_in = |value| {
                    items.iter().any(|(digits, scale)| on_paper(value, shortest(*digits, *scale)).is_eq())
                };
                flip(a.number(row).and_then(|value| Known(is_in(value))), *is_negated)
            }
            Truth::TextIn(a, items) => a.of(row).and_then(|a| Known(items.contains(&a))),
            Truth::IsNull(is_negated, a) => match a.of(row) {
                Failed => Failed,
                found => Known((found == Null) != *is_negated),
            },
            Truth::TextIsNull(a) => Known(a.of(row) == Null),
        }
    }
}

fn compared(sign: &str, a: Cell<Number>, b: Cell<Number>) -> Cell<bool> {
    a.zip(b).and_then(|(a, b)| Known(holds(sign, Some(on_paper(a, b)))))
}

/// The first of these that one of them is: what decides, failed, null.
fn joined(deciding: bool, a: Cell<bool>, b: Cell<bool>) -> Cell<bool> {
    let both = [a, b];
    let is_one = |cell: Cell<bool>| both.contains(&cell);
    match () {
        () if is_one(Known(deciding)) => Known(deciding),
        () if is_one(Failed) => Failed,
        () if is_one(Null) => Null,
        () => Known(!deciding),
    }
}

fn sign() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="])
}

fn operator() -> impl Strategy<Value = char> {
    prop::sample::select(vec!['+', '-', '*'])
}

fn literal() -> impl Strategy<Value = (i64, u32)> {
    prop_oneof![4 => -3_i64..30, 1 => any::<i64>()].prop_flat_map(|digits| (Just(digits), 0_u32..5))
}

fn exact() -> impl Strategy<Value = Exact> {
    let leaf = prop_oneof![
        3 => prop::sample::select(vec!["i", "j", "u", "d", "w"]).prop_map(Exact::Column),
        1 => literal().prop_map(|(digits, scale)| Exact::Literal(digits, scale)),
        1 => text().prop_map(Exact::Length),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            4 => (operator(), inner.clone(), inner.clone()).prop_map(|(sign, a, b)| Exact::Compute(sign, a.into(), b.into())),
            // A sign before a literal belongs to it, as the literals here have it.
            1 => inner.clone().prop_filter("no literal", |a| !matches!(a, Exact::Literal(..))).prop_map(|a| Exact::Negate(a.into())),
            1 => inner.clone().prop_map(|a| Exact::Absolute(a.into())),
            1 => (inner.clone(), inner).prop_map(|(a, b)| Exact::Coalesce(a.into(), b.into())),
        ]
    })
}

fn float() -> impl Strategy<Value = Float> {
    prop::sample::select(vec!["f", "g"]).prop_map(Float::Column).prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            2 => (operator(), inner.clone(), inner.clone()).prop_map(|(sign, a, b)| Float::Compute(sign, a.into(), b.into())),
            1 => inner.clone().prop_map(|a| Float::Negate(a.into())),
            1 => (inner.clone(), inner).prop_map(|(a, b)| Float::Coalesce(a.into(), b.into())),
        ]
    })
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "b", "ab", "ä", "it's", "\u{1f600}", "\u{ffff}"])
        .prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = Text> {
    let leaf = prop_oneof![
        2 => prop::sample::select(vec!["s", "t"]).prop_map(Text::Column),
        1 => word().prop_map(Text::Literal),
    ];
    leaf.prop_recursive(1, 2, 2, |inner| {
        (inner.clone(), inner).prop_map(|(a, b)| Text::Coalesce(a.into(), b.into()))
    })
}

fn truth() -> impl Strategy<Value = Truth> {
    let leaf = prop_oneof![
        1 => Just(Truth::Column),
        1 => any::<bool>().prop_map(Truth::Literal),
        6 => (sign(), exact(), exact()).prop_map(|(sign, a, b)| Truth::Exacts(sign, a, b)),
        2 => (sign(), float(), float()).prop_map(|(sign, a, b)| Truth::Floats(sign, a, b)),
        1 => (sign(), prop::sample::select(vec!["f", "g"]), -30..30).prop_map(|(sign, name, tenths)| Truth::FloatAnd(sign, name, tenths)),
        2 => (sign(), text(), text()).prop_map(|(sign, a, b)| Truth::Texts(sign, a, b)),
        1 => (sign(), -3..3).prop_map(|(sign, days)| Truth::Days(sign, days)),
        1 => sign().prop_map(Truth::Moments),
        2 => (any::<bool>(), exact(), exact(), exact()).prop_map(|(not, a, b, c)| Truth::Between(not, a, b, c)),
        2 => (any::<bool>(), exact(), prop::collection::vec(literal(), 1..5)).prop_map(|(not, a, items)| Truth::In(not, a, items)),
        1 => (text(), prop::collection::vec(word(), 1..4)).prop_map(|(a, items)| Truth::TextIn(a, items)),
        1 => (any::<bool>(), exact()).prop_map(|(not, a)| Truth::IsNull(not, a)),
        1 => text().prop_map(Truth::TextIsNull),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|a| Truth::Not(a.into())),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Truth::And(a.into(), b.into())),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Truth::Or(a.into(), b.into())),
            1 => (prop::sample::select(vec!["=", "<>"]), inner.clone(), inner).prop_map(|(sign, a, b)| Truth::Same(sign, a.into(), b.into())),
        ]
    })
}

/// Values that meet each other often, and some at the ends.
fn near<T: std::fmt::Debug + Clone + 'static>(
    small: Vec<T>,
    ends: Vec<T>,
) -> impl Strategy<Value = Option<T>> {
    prop_oneof![
        1 => Just(None),
        5 => prop::sample::select(small).prop_map(Some),
        2 => prop::sample::select(ends).prop_map(Some),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let most = 10_i128.pow(38) - 1;
    let exacts = (
        near(vec![-1, 0, 1, 2, 3], vec![i64::MIN, i64::MAX, 1_000_000_007]),
        near(vec![-1, 0, 1, 2, 3], vec![i32::MIN, i32::MAX]),
        near(vec![0, 1, 2, 3], vec![u64::MAX]),
        near(vec![-10_000, 0, 10_000, 15_000, 20_001], vec![10_i128.pow(18) - 1]),
        near(vec![0, 10_000_000_000, 15_000_000_000, 1], vec![most, -most, 10_i128.pow(28)]),
    );
    let others = (
        near(
            vec![-0.0, 0.0, 1.0, 0.1, 0.2, 0.3],
            vec![f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE],
        ),
        near(vec![0.0, 1.0, 0.1, 0.2, 0.3], vec![f32::NAN, f32::NEG_INFINITY, f32::MAX]),
        near(vec![true, false], vec![true]),
        (prop::option::of(word()), prop::option::of(word())),
        near(vec![-1, 0, 1], vec![i32::MIN, i32::MAX]),
        near(vec![-1, 0, 1], vec![i64::MIN, i64::MAX]),
        near(vec![-1_000_000, 0, 1_000_000], vec![i64::MIN, i64::MAX]),
    );
    (exacts, others).prop_map(|((i, j, u, d, w), (f, g, b, (s, t), day, at, late))| Row {
        i,
        j,
        u,
        d,
        w,
        f,
        g,
        b,
        s,
        t,
        day,
        at,
        late,
    })
}

fn table(rows: &[Row]) -> (Vec<crate::contract::Column>, RecordBatch) {
    fn all<T>(rows: &[Row], cell: impl Fn(&Row) -> Option<T>) -> Vec<Option<T>> {
        rows.iter().map(cell).collect()
    }
    let of: Vec<(&str, ArrayRef)> = vec![
        ("i", Arc::new(Int64Array::from(all(rows, |row| row.i)))),
        ("j", Arc::new(Int32Array::from(all(rows, |row| row.j)))),
        ("u", Arc::new(UInt64Array::from(all(rows, |row| row.u)))),
        (
            "d",
            Arc::new(Decimal128Array::from(all(rows, |row| row.d)).with_precision_and_scale(18, 4).unwrap()),
        ),
        (
            "w",
            Arc::new(Decimal128Array::from(all(rows, |row| row.w)).with_precision_and_scale(38, 10).unwrap()),
        ),
        ("f", Arc::new(Float64Array::from(all(rows, |row| row.f)))),
        ("g", Arc::new(Float32Array::from(all(rows, |row| row.g)))),
        ("b", Arc::new(BooleanArray::from(all(rows, |row| row.b)))),
        ("s", Arc::new(StringArray::from(all(rows, |row| row.s.clone())))),
        ("t", Arc::new(LargeStringArray::from(all(rows, |row| row.t.clone())))),
        ("day", Arc::new(Date32Array::from(all(rows, |row| row.day)))),
        ("at", Arc::new(TimestampMillisecondArray::from(all(rows, |row| row.at)).with_timezone("UTC"))),
        ("late", Arc::new(TimestampNanosecondArray::from(all(rows, |row| row.late)).with_timezone("UTC"))),
    ];
    batch(of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_batch_is_judged_as_its_rows_are_one_by_one(rule in truth(), rows in prop::collection::vec(row(), 1..12), cut in any::<prop::sample::Index>()) {
        let (columns, rows_of_arrow) = table(&rows);
        let read = Expression::parse(&rule.text(), &columns);
        prop_assert_eq!(read.is_ok(), rule.is_allowed(), "{} {:?}", rule.text(), read.err());
        let Ok(read) = read else { return Ok(()) };
        let expected: String = rows.iter().map(|row| match rule.of(row) {
            Known(true) | Null => '.',
            Known(false) => 'x',
            Failed => '?',
        }).collect();
        prop_assert_eq!(shown(&read.judge(&rows_of_arrow), rows.len()), &*expected, "{}", rule.text());
        // Nor does it matter where a batch is cut, or how the rule is spelt.
        let again = Expression::parse(&read.canonical(), &columns).unwrap();
        prop_assert_eq!(&again, &read);
        let at = cut.index(rows.len());
        let parts = [rows_of_arrow.slice(0, at), rows_of_arrow.slice(at, rows.len() - at)];
        let in_parts: String = parts.iter().map(|part| shown(&again.judge(part), part.num_rows())).collect();
        prop_assert_eq!(in_parts, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_batch_of_many_rows_is_judged_as_its_rows_are(rule in truth(), row in prop::collection::vec(row(), 4), count in 2000_usize..9000) {
        prop_assume!(rule.is_allowed());
        let rows: Vec<Row> = row.iter().cycle().take(count).cloned().collect();
        let (columns, rows_of_arrow) = table(&rows);
        let (_, few) = table(&row);
        let read = Expression::parse(&rule.text(), &columns).unwrap();
        let few = shown(&read.judge(&few), 4);
        let expected: String = few.chars().cycle().take(count).collect();
        prop_assert_eq!(shown(&read.judge(&rows_of_arrow), count), expected);
    }
}

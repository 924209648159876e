//! `#[derive(Row)]` makes the table that `table!` makes, and fills it with the same cells.
#![allow(missing_docs, reason = "tests are named as sentences")]

use casparian_sdk::column::Columns;
use casparian_sdk::harness::{Said, run_steadily};
use casparian_sdk::prelude::*;
use casparian_sdk::schema::Schema;

/// A leg of an order.
#[derive(Row)]
struct Leg<'a> {
    /// Where to.
    to: &'a str,
    miles: Option<i64>,
}

/// One row per line,
/// of every type.
#[derive(Row)]
#[row(table = "everything", default_off, without_faults)]
struct Value<'a> {
    /// What it says.
    text: &'a str,
    owned: Option<String>,
    flag: bool,
    bytes: &'a [u8],
    hash: [u8; 3],
    big: Option<u64>,
    ratio: f64,
    px: Decimal<18, 4>,
    day: Option<Date>,
    seen: Timestamp<Nanos, Utc>,
    local: Timestamp<Seconds>,
    time: Time<Micros>,
    #[row(name = "type")]
    kind: i8,
    r#match: u8,
    words: Option<Vec<String>>,
    numbers: Vec<i64>,
    leg: Leg<'a>,
    legs: Option<Vec<Leg<'a>>>,
}

table! {
    /// A leg of an order.
    struct Legs = "leg" {
        /// Where to.
        to: String,
        miles: Option<i64>,
    }
}

table! {
    /// One row per line,
    /// of every type.
    struct Values = "everything", default_off, without_faults {
        /// What it says.
        text: String,
        owned: Option<String>,
        flag: bool,
        bytes: Vec<u8>,
        hash: FixedBytes<3>,
        big: Option<u64>,
        ratio: f64,
        px: Decimal<18, 4>,
        day: Option<Date>,
        seen: Timestamp<Nanos, Utc>,
        local: Timestamp<Seconds>,
        time: Time<Micros>,
        kind: i8 = "type",
        matched: u8 = "match",
        words: Option<Vec<String>>,
        numbers: Vec<i64>,
        leg: Nested<Legs>,
        legs: Option<Vec<Nested<Legs>>>,
    }
}

type Parse = fn(&Input, Span, &Output) -> Result<(), Fault>;

struct Of(Parse);

impl Parser for Of {
    fn describe(&self) -> Description {
        Description::new("of", "1.0.0").rows::<Value>()
    }

    fn parse(&self, input: &Input, range: Span, _: &[u8], _: &Options, out: &Output) -> Result<(), Fault> {
        (self.0)(input, range, out)
    }
}

fn as_rows(input: &Input, range: Span, out: &Output) -> Result<(), Fault> {
    let mut values = out.rows::<Value>()?;
    for line in input.lines(range) {
        let text = line.text().unwrap_or_default();
        let n = text.len() as i64;
        let is_odd = n % 2 == 1;
        let value = Value {
            text,
            owned: is_odd.then(|| text.repeat(2)),
            flag: is_odd,
            bytes: text.as_bytes(),
            hash: [n as u8; 3],
            big: is_odd.then_some(u64::MAX),
            ratio: n as f64 / 3.0,
            px: Decimal::new(n.into()),
            day: is_odd.then(|| Date::new(n as i32)),
            seen: Timestamp::new(n),
            local: Timestamp::new(-n),
            time: Time::new(n),
            kind: n as i8,
            r#match: 7,
            words: is_odd.then(|| text.split(' ').map(str::to_owned).collect()),
            numbers: (0..n % 3).collect(),
            leg: Leg { to: text, miles: None },
            legs: is_odd.then(|| text.split(' ').map(|to| Leg { to, miles: Some(n) }).collect()),
        };
        values.push(line.span(), value)?;
    }
    Ok(())
}

fn as_columns(input: &Input, range: Span, out: &Output) -> Result<(), Fault> {
    let mut values = out.table::<Values>()?;
    for line in input.lines(range) {
        let text = line.text().unwrap_or_default();
        let n = text.len() as i64;
        let is_odd = n % 2 == 1;
        let mut row = values.row(line.span())?;
        let at = row.at();
        row.text.set(at, text);
        row.flag.set(at, is_odd);
        row.bytes.set(at, text.as_bytes());
        row.hash.set(at, &[n as u8; 3]);
        row.ratio.set(at, n as f64 / 3.0);
        row.px.set(at, n.into());
        row.seen.set(at, n);
        row.local.set(at, -n);
        row.time.set(at, n);
        row.kind.set(at, n as i8);
        row.matched.set(at, 7);
        row.numbers.begin(at);
        (0..n % 3).for_each(|number| row.numbers.push(at, number));
        row.leg.set(at).to.set(at, text);
        if is_odd {
            row.owned.set(at, &text.repeat(2));
            row.big.set(at, u64::MAX);
            row.day.set(at, n as i32);
            text.split(' ').for_each(|word| row.words.push(at, word));
            for to in text.split(' ') {
                let (legs, item) = row.legs.item(at);
                let leg = legs.set(item);
                leg.to.set(item, to);
                leg.miles.set(item, n);
            }
        }
    }
    Ok(())
}

fn said(parse: Parse) -> Said {
    let mut lines: Vec<String> = (0..500).map(|n| format!("line {n}{}", "x y".repeat(n % 4))).collect();
    lines.push(String::from(" "));
    run_steadily(&Of(parse), lines.join("\n").as_bytes()).unwrap()
}

#[test]
fn a_row_makes_the_table_that_its_columns_make() {
    let schema = <Value as IntoRow>::Columns::schema();
    let expected = Values::schema();
    assert_eq!(schema, expected);
    assert_eq!(schema.doc, "One row per line,\n of every type.");
    assert_eq!(schema.fields[0].doc, "What it says.");
}

#[test]
fn a_row_fills_the_cells_that_its_columns_have() {
    let (rows, columns) = (said(as_rows), said(as_columns));
    assert_eq!(rows.rows("everything").len(), 501);
    assert_eq!(format!("{:?}", rows.rows("everything")), format!("{:?}", columns.rows("everything")));
}

#[test]
fn a_table_is_called_after_its_struct_unless_it_says_otherwise() {
    #[derive(Row)]
    struct OrderLine {
        px: u8,
    }
    let Schema { name, default_on, with_faults, .. } = <OrderLine as IntoRow>::Columns::schema();
    assert_eq!((name.as_str(), default_on, with_faults), ("order_line", true, true));
}

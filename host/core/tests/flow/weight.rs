//! What costs a stranger little costs us little.

use casparian_core::fault::Span;
use casparian_core::flow::{Flow, Tally};
use casparian_core::intake::{Intake, TableId};
use casparian_core::limits::Limits;

use super::guest::{batch_message, schema_message};
use super::oracle::{Row, table_name};
use super::{Count, description};

const ROWS: usize = 200_000;

/// Says `ROWS` rows in one batch, then commits as often as `commits` says.
fn tally(rows: impl Fn(usize) -> (Span, Row), commits: impl Iterator<Item = u64>) -> (Tally, u64) {
    let mut intake = Intake::new(&description(), &Limits::default(), ROWS as u64);
    intake.begin(Span { offset: 0, length: ROWS as u64 });
    let mut held = Count::default();
    let mut flow = Flow::new(Count::default(), &mut held, vec![table_name(0)], Vec::new());
    let (_, opened) = intake.open("t0", &schema_message()).expect("a good table");
    flow.hear(opened.expect("it is new")).expect("heard");
    let message = batch_message(&(0..ROWS).map(rows).collect::<Vec<_>>());
    flow.hear(intake.emit(TableId(0), &message).expect("a good batch")).expect("heard");
    for up_to in commits {
        flow.hear(intake.commit(up_to).expect("forward").expect("a word")).expect("heard");
    }
    let (_, _, tally, _) = flow.finish(ROWS as u64);
    (tally, held.0)
}

#[test]
fn one_bad_row_of_a_record_of_many_costs_no_more_than_its_rows() {
    let at = Span { offset: 0, length: 1 };
    let row = |n| (at, Row { table: 0, value: (n > 0).then_some(1), is_faulty: false });
    let (tally, held) = tally(row, std::iter::once(1));
    assert_eq!((tally.tables[0].quarantined, held), (ROWS as u64, ROWS as u64));
    assert_eq!(tally.records, 1);
}

#[test]
fn a_commit_for_each_row_of_a_batch_costs_no_more_than_the_batch() {
    let row = |n| (Span { offset: n as u64, length: 1 }, Row { table: 0, value: Some(1), is_faulty: false });
    let (tally, _) = tally(row, 1..=ROWS as u64);
    assert_eq!((tally.tables[0].accepted, tally.records), (ROWS as u64, ROWS as u64));
}

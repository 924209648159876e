//! Ranges that were taken in apart: what leaves the flow is what the input holds, however it is cut and whoever came first, and
//! what binds an input as a whole binds them together.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use casparian_core::fault::{Blamed as _, Span};
use casparian_core::flow::Flow;
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::intake::{Intake, Killer, Refusal, Rejection, Said, SkipKind, TableId};
use casparian_core::isolate::{Cause, Restarts, Toll};
use casparian_core::ledger::ByteClasses;
use casparian_core::limits::{LimitExceeded, Limits};
use casparian_core::merge::{Merge, MergeFault};

use super::guest::{Script, batch_message, schema_message, schema_message_of};
use super::oracle::{self, Record, Row, Truth, table_name};
use super::seed::{Seed, seeds};
use super::{Collect, CollectHeld, Left, description};

fn span(offset: u64, length: u64) -> Span {
    Span { offset, length }
}

/// Cuts an input anywhere, within records too.
fn cut(truth: &Truth, seed: &mut Seed) -> Vec<Span> {
    let mut cuts: Vec<u64> = (0..seed.below(5)).map(|_| seed.below(truth.input_bytes)).collect();
    cuts.extend([0, truth.input_bytes]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|cut| span(cut[0], cut[1] - cut[0])).collect()
}

/// What begins in a range and is spoken of. The input ends for its guest where its last record does.
fn part(truth: &Truth, range: Span) -> Truth {
    let end = range.offset + range.length;
    let begins = |at: &Span| (range.offset..end).contains(&at.offset);
    let is_spoken_of = |record: &&Record| record.is_rejected || !record.rows.is_empty();
    let records = truth.records.iter().filter(is_spoken_of).filter(|record| begins(&record.at));
    let records: Vec<_> = records.cloned().collect();
    let last = records.iter().map(|record| record.at.offset + record.at.length).max();
    Truth {
        input_bytes: last.unwrap_or(end).max(end),
        records,
        skips: truth.skips.iter().filter(|at| begins(at)).copied().collect(),
    }
}

/// What an intake lets pass of a range. One that has nothing to say may not say even that.
fn taken_in(truth: &Truth, range: Span, seed: &mut Seed) -> Vec<Said> {
    let intake = Intake::new(&description(), &Limits::default(), truth.input_bytes);
    let mut intake = intake.starting_at(range.offset);
    intake.begin(range);
    let part = part(truth, range);
    if part.records.is_empty() && part.skips.is_empty() && seed.one_in(2) {
        return intake.end().expect("nothing was said");
    }
    let script = Script::draw_complete(&part, seed);
    let words = script.said.iter().filter_map(|said| said.tell(&mut intake).expect("an honest guest"));
    let mut words: Vec<_> = words.collect();
    words.extend(intake.end().expect("all is committed"));
    words
}

fn play(truth: &Truth, ranges: &[Span], seed: &mut Seed) -> (Left, ByteClasses) {
    // Who comes first is anybody's guess.
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    (1..order.len()).rev().for_each(|at| order.swap(at, seed.below(at as u64 + 1) as usize));
    let mut words: Vec<Vec<Said>> = ranges.iter().map(|_| Vec::new()).collect();
    order.into_iter().for_each(|at| words[at] = taken_in(truth, ranges[at], seed));

    let mut collect = Collect(Left { accepted: vec![Vec::new(); oracle::TABLES], quarantined: Vec::new() });
    let mut held = CollectHeld(Vec::new());
    let codes = oracle::FAULTS.iter().map(|fault| (*fault).to_owned()).collect();
    let wanted: Vec<TableName> = (0..oracle::TABLES).map(table_name).collect();
    let mut flow = Flow::new(&mut collect, &mut held, wanted, codes);
    let mut merge = Merge::new(&Limits::default(), truth.input_bytes);
    for (at, words) in words.into_iter().enumerate() {
        if at > 0
            && let Some(said) = merge.begin_next(ranges[at])
        {
            flow.hear(said).expect("nothing waits");
        }
        for word in words {
            if let Some(word) = merge.hear(word).expect("honest guests") {
                flow.hear(word).expect("honest words fit together");
            }
        }
        merge.end(Toll::default(), Restarts::default()).expect("nobody trapped");
    }
    let account = flow.finish(truth.input_bytes).3;
    collect.0.quarantined = held.0;
    (collect.0, account.classes)
}

#[test]
fn what_leaves_the_flow_is_the_same_however_an_input_is_cut_and_whoever_comes_first() {
    for seed in seeds(20_000) {
        let mut seed = Seed(seed);
        let truth = Truth::draw(&mut seed);
        let ranges = cut(&truth, &mut seed);
        let (left, classes) = play(&truth, &ranges, &mut seed);
        // An input without bytes has no range, and nobody opens a table.
        assert_eq!((left, classes), truth.released_before(u64::MAX), "seed {seed:?}, ranges {ranges:?}");
    }
}

fn row(at: Span) -> (Span, Row) {
    (at, Row { table: 0, value: Some(1), is_faulty: false })
}

/// One range of a hundred bytes and one behind it, both with the first table open.
struct Two {
    merge: Merge,
    second: Intake,
}

impl Two {
    /// The first range ends with a record that reaches ten bytes into the second.
    fn new(limits: &Limits) -> Self {
        let mut merge = Merge::new(limits, 200);
        let mut first = Intake::new(&description(), limits, 200);
        first.begin(span(0, 100));
        let opened = first.open("t0", &schema_message()).expect("a table").1.expect("a new one");
        let rows = first.emit(TableId(0), &batch_message(&[row(span(90, 20))])).expect("a row");
        let committed = first.commit(110).expect("a commit").expect("something leaves");
        for said in [opened, rows, committed] {
            merge.hear(said).expect("one range is as ever");
        }
        assert!(first.end().expect("all is said").is_empty());
        merge.end(Toll::default(), Restarts::default()).expect("nobody trapped");
        assert!(merge.begin_next(span(100, 100)).is_none(), "all before it has been said");
        let mut second = Intake::new(&description(), limits, 200).starting_at(100);
        second.begin(span(100, 100));
        Self { merge, second }
    }

    fn open(&mut self, name: &str, schema: &[u8]) -> Result<Option<Said>, MergeFault> {
        let said = self.second.open(name, schema).expect("the intake knows of no other range").1;
        self.merge.hear(said.expect("a new one"))
    }

    fn emit(&mut self, at: Span) -> Result<Option<Said>, MergeFault> {
        let said = self.second.emit(TableId(0), &batch_message(&[row(at)]));
        self.merge.hear(said.expect("the intake knows of no other range"))
    }
}

#[test]
fn a_table_that_another_range_has_opened_is_that_table_and_opened_once() {
    let mut two = Two::new(&Limits::default());
    assert!(matches!(two.open("t1", &schema_message()), Ok(Some(Said::Opened { table: TableId(1), .. }))));
    assert!(two.open("t0", &schema_message()).expect("the same columns").is_none());
    let said = two.second.emit(TableId(1), &batch_message(&[row(span(120, 5))])).expect("a row");
    assert!(matches!(two.merge.hear(said), Ok(Some(Said::Rows { table: TableId(0), .. }))));
}

#[test]
fn a_table_has_the_same_columns_in_all_ranges() {
    let mut two = Two::new(&Limits::default());
    let other = Schema::new(vec![Arc::new(Field::new("other", DataType::Int64, true))]);
    let refused = two.open("t0", &schema_message_of(&other)).expect_err("other columns");
    assert_eq!(refused, MergeFault::Refused(Refusal::SchemaChanged { name: table_name(0) }));
}

#[test]
fn nothing_begins_before_what_earlier_ranges_have_said() {
    let allowed = span(110, 90);
    let outside = |what, at| MergeFault::Refused(Refusal::SpanOutside { what, at, allowed });
    let at = span(109, 1);
    let mut two = Two::new(&Limits::default());
    two.open("t0", &schema_message()).expect("the same columns");
    two.emit(span(110, 5)).expect("it begins where the last one ends");
    assert_eq!(two.emit(at).expect_err("within the last record"), outside("row", at));
    let rejection = Rejection { at, fault: 0, message: GuestText::new("", 1) };
    let said = two.second.reject(vec![rejection]).expect("the intake knows of no other range");
    assert_eq!(two.merge.hear(said).expect_err("within the last record"), outside("rejection", at));
    let said = two.second.skip(at, SkipKind::Blank).expect("the intake knows of no other range");
    assert_eq!(two.merge.hear(said).expect_err("within the last record"), outside("skip", at));
    let killer = Killer { at, cause: Cause::Trap, word: String::new(), message: GuestText::new("", 1) };
    let refused = two.merge.hear(Said::Killed(killer)).expect_err("within the last record");
    assert_eq!((refused.code(), refused), ("span-outside", outside("record", at)));
}

#[test]
fn the_watermark_of_the_run_never_moves_back() {
    let mut two = Two::new(&Limits::default());
    let said = two.second.commit(105).expect("the intake knows of no other range").expect("a word");
    assert!(matches!(two.merge.hear(said), Ok(Some(Said::Committed { up_to: 110 }))));
}

#[test]
fn what_a_range_has_not_committed_is_let_go_before_the_next() {
    let mut merge = Merge::new(&Limits::default(), 200);
    merge.end(Toll::default(), Restarts::default()).expect("nobody trapped");
    assert!(matches!(merge.begin_next(span(100, 100)), Some(Said::Committed { up_to: 100 })));
}

#[test]
fn bounds_on_output_and_tables_hold_for_all_ranges_together() {
    let limits = Limits { output_rows_max: 2, tables_max: 2, ..Limits::default() };
    let mut two = Two::new(&limits);
    two.open("t0", &schema_message()).expect("the same columns");
    two.emit(span(110, 5)).expect("the last row");
    let rows = LimitExceeded { name: "output rows", limit: 2, current: 2, wanted: 1 };
    let said = two.second.emit(TableId(0), &batch_message(&[row(span(115, 5))])).expect("two of its own");
    assert_eq!(two.merge.hear(said).expect_err("one too many"), MergeFault::from(rows));
    two.open("t1", &schema_message()).expect("the last table");
    let mut third = Two::new(&limits);
    third.open("t1", &schema_message()).expect("the last table");
    let tables = LimitExceeded { name: "open tables", limit: 2, current: 2, wanted: 1 };
    assert_eq!(third.open("t2", &schema_message()).expect_err("one too many"), MergeFault::from(tables));
}

#[test]
fn what_a_range_takes_back_costs_the_run_nothing_and_its_tables_are_opened_anew() {
    let limits = Limits { output_rows_max: 2, tables_max: 2, ..Limits::default() };
    let mut two = Two::new(&limits);
    for _ in 0..3 {
        two.open("t1", &schema_message()).expect("the last table");
        two.emit(span(110, 5)).expect("the last row");
        let said = two.second.take_back();
        two.merge.hear(said).expect("it was never said");
        two.second.begin(span(100, 100));
    }
    let opened = two.open("t2", &schema_message()).expect("room for one");
    assert!(matches!(opened, Some(Said::Opened { table: TableId(1), .. })));
}

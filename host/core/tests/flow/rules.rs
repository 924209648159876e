//! Each rule of the interface, broken by itself: what is refused, in what words, and what still passes one step before.

use casparian_core::fault::{Blame, Blamed as _, Span};
use casparian_core::guest_text::GuestText;
use casparian_core::intake::{Intake, Refusal, Rejection, SkipKind, TableId};
use casparian_core::limits::Limits;

use super::description;
use super::guest::{batch_message, batch_message_of, schema_message, schema_message_of};
use super::oracle::Row;

const INPUT_BYTES: u64 = 100;

fn span(offset: u64, length: u64) -> Span {
    Span { offset, length }
}

fn intake_with(limits: &Limits) -> Intake {
    let mut intake = Intake::new(&description(), limits, INPUT_BYTES);
    intake.begin(span(0, INPUT_BYTES));
    intake
}

fn intake() -> Intake {
    intake_with(&Limits::default())
}

/// An intake with one open table.
fn with_table(mut intake: Intake) -> Intake {
    intake.open("t0", &schema_message()).expect("a good table");
    intake
}

fn rows(spans: &[Span]) -> Vec<u8> {
    let row = |at: &Span| (*at, Row { table: 0, value: Some(1), is_faulty: false });
    batch_message(&spans.iter().map(row).collect::<Vec<_>>())
}

fn said<T: std::fmt::Debug>(refused: Result<T, Refusal>) -> String {
    let refusal = refused.expect_err("it is refused");
    assert_eq!(refusal.blame(), Blame::Guest);
    refusal.to_string()
}

#[test]
fn rows_of_one_bit_each_weigh_sixteen_bytes_until_they_are_committed() {
    let flags = |rows: usize| {
        let field = arrow_schema::Field::new("flag", arrow_schema::DataType::Boolean, false);
        let schema = std::sync::Arc::new(arrow_schema::Schema::new(vec![field]));
        let flags: arrow_array::ArrayRef =
            std::sync::Arc::new(arrow_array::BooleanArray::from(vec![true; rows]));
        arrow_array::RecordBatch::try_new(schema, vec![flags]).expect("rows")
    };
    let limits = Limits { uncommitted_bytes_max: 20 << 10, ..Limits::default() };
    let mut intake = intake_with(&limits);
    intake.open("t0", &schema_message_of(flags(0).schema_ref())).expect("a good table");
    intake
        .emit(TableId(0), &batch_message_of(&flags(1000)))
        .expect("16,704 bytes of 20,480: what there is beside values weighs too");
    let refused = intake.emit(TableId(0), &batch_message_of(&flags(1000)));
    assert_eq!(said(refused), "uncommitted bytes: limit 20480, used 16704, wanted 16704 more");
}

/// Columns of one bit.
fn flags(columns: usize) -> arrow_schema::Schema {
    let field = |at| arrow_schema::Field::new(format!("f{at}"), arrow_schema::DataType::Boolean, true);
    arrow_schema::Schema::new((0..columns).map(field).collect::<Vec<_>>())
}

/// Tables may have any name.
fn undescribed() -> casparian_core::description::Description {
    casparian_core::description::Description { tables: Vec::new(), ..description() }
}

#[test]
fn all_tables_together_have_so_many_fields_and_those_that_are_taken_back_do_not_count() {
    let mut intake = Intake::new(&undescribed(), &Limits::default(), INPUT_BYTES);
    intake.begin(span(0, INPUT_BYTES));
    for table in ["a", "b"] {
        intake.open(table, &schema_message_of(&flags(4096))).expect("8,192 in all");
    }
    let refused = intake.open("e", &schema_message_of(&flags(1)));
    assert_eq!(said(refused), "fields of all tables: limit 8192, used 8192, wanted 1 more");
    intake.take_back();
    intake.begin(span(0, INPUT_BYTES));
    intake.open("e", &schema_message()).expect("the others are gone");
}

#[test]
fn ranges_have_so_many_fields_together_too() {
    let limits = Limits::default();
    let mut merge = casparian_core::merge::Merge::new(&limits, INPUT_BYTES);
    let mut open = |from: u64, tables: &[&str]| {
        let mut intake = Intake::new(&undescribed(), &limits, INPUT_BYTES).starting_at(from);
        intake.begin(span(from, INPUT_BYTES - from));
        merge.begin_next(span(from, INPUT_BYTES - from));
        let mut said = tables.iter().map(|table| intake.open(table, &schema_message_of(&flags(4096))));
        said.try_for_each(|said| merge.hear(said.expect("few").1.expect("new")).map(drop))
    };
    open(0, &["a"]).expect("one");
    open(1, &["a", "b"]).expect("the same, and one");
    let refused = open(2, &["e"]).expect_err("it is one too many");
    assert_eq!(refused.to_string(), "fields of all tables: limit 8192, used 8192, wanted 4096 more");
}

#[test]
fn a_table_whose_name_could_leave_its_folder_is_refused() {
    for name in ["../x", "a/b", "", "T0", "x\";drop table y;--", "_quarantine", "é"] {
        assert!(matches!(intake().open(name, &schema_message()), Err(Refusal::BadName { .. })), "{name:?}");
    }
}

#[test]
fn a_table_that_is_not_described_is_refused() {
    let refused = intake().open("other", &schema_message());
    assert_eq!(said(refused), "table `other` is not among those the parser describes");
}

#[test]
fn a_table_may_be_opened_again_with_the_same_schema_only() {
    let mut intake = with_table(intake());
    let (again, said_again) = intake.open("t0", &schema_message()).expect("the same schema");
    assert_eq!(again, TableId(0));
    assert!(said_again.is_none());
    let mut other = schema_message();
    let name = other.windows(5).position(|w| w == b"value").expect("a column's name");
    other[name] = b'w';
    assert_eq!(said(intake.open("t0", &other)), "table `t0` was opened again with another schema");
}

#[test]
fn the_last_table_passes_and_the_next_is_one_too_many() {
    let limits = Limits { tables_max: 2, ..Limits::default() };
    let mut intake = intake_with(&limits);
    intake.open("t0", &schema_message()).expect("the first");
    intake.open("t1", &schema_message()).expect("the last");
    let refused = intake.open("t2", &schema_message());
    assert_eq!(said(refused), "open tables: limit 2, used 2, wanted 1 more");
}

#[test]
fn a_row_may_end_where_the_input_ends_and_not_a_byte_later() {
    let mut intake = with_table(intake());
    intake.emit(TableId(0), &rows(&[span(90, 10)])).expect("up to the end");
    let refused = intake.emit(TableId(0), &rows(&[span(90, 11)]));
    assert_eq!(
        said(refused),
        "row at bytes 90..101 is outside bytes 0..100, which is what may be spoken of now"
    );
}

#[test]
fn a_row_whose_span_overflows_is_refused_not_wrapped() {
    let mut intake = with_table(intake());
    let refused = intake.emit(TableId(0), &rows(&[span(u64::MAX, 2)]));
    assert!(matches!(refused, Err(Refusal::SpanOutside { .. })));
}

#[test]
fn nothing_is_said_before_the_watermark_any_more() {
    let mut intake = with_table(intake());
    intake.commit(50).expect("forward");
    intake.emit(TableId(0), &rows(&[span(50, 1)])).expect("at the watermark");
    let refused = intake.emit(TableId(0), &rows(&[span(49, 1)]));
    assert!(said(refused).contains("bytes 50..100"));
    assert!(matches!(intake.skip(span(0, 50), SkipKind::Blank), Err(Refusal::SpanOutside { .. })));
}

#[test]
fn a_record_may_end_past_its_range_and_be_committed_to_its_end() {
    let mut intake = with_table(intake());
    intake.begin(span(0, 10));
    let refused = intake.commit(11);
    assert_eq!(said(refused), "commit up to 11, but it may go from 0 to 10");
    intake.emit(TableId(0), &rows(&[span(8, 20)])).expect("it begins in the range");
    intake.commit(28).expect("to its end");
}

#[test]
fn a_row_without_bytes_is_refused() {
    let mut intake = with_table(intake());
    assert_eq!(said(intake.emit(TableId(0), &rows(&[span(5, 0)]))), "row at byte 5 has no bytes");
}

#[test]
fn a_rejection_must_name_a_described_fault() {
    let rejection = |fault| Rejection { at: span(1, 1), fault, message: GuestText::new("", 1) };
    let mut intake = intake();
    intake.reject(vec![rejection(1)]).expect("the last one described");
    let refused = intake.reject(vec![rejection(2)]);
    assert_eq!(said(refused), "rejection at bytes 1..2 names fault 2, but the parser describes 2");
}

#[test]
fn outside_plan_and_parse_nothing_may_be_said() {
    let mut intake = Intake::new(&description(), &Limits::default(), INPUT_BYTES);
    let refused = intake.commit(1);
    assert_eq!(said(refused), "`output.commit` was called outside plan and parse");
}

#[test]
fn uncommitted_bytes_are_bounded_to_the_byte_and_freed_by_a_commit() {
    let bytes = {
        let mut probe = with_table(intake());
        match probe.emit(TableId(0), &rows(&[span(0, 1)])).expect("a batch") {
            casparian_core::intake::Said::Rows { batch, .. } => batch.weight_bytes(),
            other => panic!("rows were said, not {other:?}"),
        }
    };
    let limits = |uncommitted_bytes_max| Limits { uncommitted_bytes_max, ..Limits::default() };
    let mut intake = with_table(intake_with(&limits(2 * bytes)));
    for offset in [0, 1] {
        intake.emit(TableId(0), &rows(&[span(offset, 1)])).expect("within the bound");
    }
    let refused = intake.emit(TableId(0), &rows(&[span(2, 1)]));
    let words = format!("uncommitted bytes: limit {}, used {}, wanted {bytes} more", 2 * bytes, 2 * bytes);
    assert_eq!(said(refused), words);
    intake.commit(1).expect("the first is complete");
    intake.emit(TableId(0), &rows(&[span(2, 1)])).expect("there is room again");
}

#[test]
fn the_last_row_of_the_output_passes_and_the_next_does_not() {
    let limits = Limits { output_rows_max: 3, ..Limits::default() };
    let mut intake = with_table(intake_with(&limits));
    intake.emit(TableId(0), &rows(&[span(0, 1), span(1, 1), span(2, 1)])).expect("three rows");
    let refused = intake.emit(TableId(0), &rows(&[span(3, 1)]));
    assert_eq!(said(refused), "output rows: limit 3, used 3, wanted 1 more");
}

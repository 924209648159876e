//! Contracts that were inferred: they accept every row that they were inferred from, ask where they cannot know, and are the
//! same however the rows came.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::*;
use arrow_schema::{DataType, Field, Schema};
use casparian_core::contract::judge::TableJudge;
use casparian_core::contract::{Column, Contract, canon, odcs};
use casparian_core::id::TableName;
use casparian_core::infer::draft::{self, About};
use casparian_core::infer::settle::{Answers, ColumnFinding, Outcome, QUESTIONS, TableFinding};
use casparian_core::infer::{Inference, Place, Places};
use proptest::prelude::*;
use proptest::sample::select;

use super::{bad_rows, batch, texts};

type Columns = Vec<(&'static str, ArrayRef)>;

fn name() -> TableName {
    TableName::new("t").unwrap()
}

fn schema(columns: &Columns) -> Schema {
    let field = |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

/// Looks at some of the rows, in pieces of so many.
fn seen(columns: &Columns, rows: std::ops::Range<usize>, step: usize) -> Inference {
    let mut inference = Inference::default();
    inference.open(&name(), &schema(columns)).unwrap();
    for from in rows.clone().step_by(step.max(1)) {
        let count = step.max(1).min(rows.end - from);
        let cells: Vec<ArrayRef> = columns.iter().map(|(_, column)| column.slice(from, count)).collect();
        let first = Place { piece: 0, row: from as u64 };
        inference.see(&name(), &cells, &Places { first, inputs: None, offsets: None });
    }
    inference
}

fn findings(columns: &Columns, answers: &[(&str, &str)]) -> Vec<TableFinding> {
    let rows = columns[0].1.len();
    let answers: Answers = answers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    seen(columns, 0..rows, rows).settle(&answers)
}

fn about() -> About {
    About {
        id: "p".to_owned(),
        preamble: vec!["drafted".to_owned()],
        unseen: Vec::new(),
        docs: BTreeMap::new(),
    }
}

/// Reads the draft back as anybody would, and holds it against what it was to say.
fn drafted(findings: &[TableFinding]) -> Contract {
    let text = draft::write(&about(), findings);
    let read = odcs::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    assert!(read.notes.is_empty(), "{:?}\n{text}", read.notes);
    let meant = draft::contract(&about(), findings);
    assert_eq!(canon::canonical(&read.contract), canon::canonical(&meant), "{text}");
    read.contract
}

fn refused_rows(columns: &Columns, contract: &Contract) -> Vec<usize> {
    let batch = batch(columns);
    let sent = batch.rows().schema();
    let judge = TableJudge::new(contract.tables[0].clone(), &sent, &sent).expect("it fits");
    bad_rows(&judge.judge(batch).expect("columns of one length"))
}

/// Infers the one column of these texts, and sees to it that all of them are accepted.
fn infer(cells: &[&str], answers: &[(&str, &str)]) -> (ColumnFinding, Column) {
    let columns: Columns = vec![("c", texts(&cells.iter().map(|cell| Some(*cell)).collect::<Vec<_>>()))];
    let found = findings(&columns, answers);
    let contract = drafted(&found);
    assert_eq!(refused_rows(&columns, &contract), [0_usize; 0], "{cells:?}: {:?}", contract.tables[0]);
    (found[0].columns[0].clone(), contract.tables[0].columns[0].clone())
}

fn type_of(cells: &[&str]) -> String {
    infer(cells, &[]).0.data_type.unwrap()
}

fn question_of(cells: &[&str]) -> Option<&'static str> {
    let (finding, column) = infer(cells, &[]);
    let key = finding.questions.first().map(|question| question.key);
    assert_eq!(key.is_some(), finding.outcome == Outcome::Ambiguous);
    assert!(key.is_none() || column.data_type == DataType::Utf8, "what is open stays text");
    key
}

#[test]
fn numbers_get_the_narrowest_type_that_says_what_they_are() {
    assert_eq!(type_of(&["1", "-2", "9007199254740993"]), "i64");
    assert_eq!(type_of(&["1", "18446744073709551615"]), "u64");
    assert_eq!(type_of(&["1", "-184467440737095516150"]), "decimal(38,0)");
    assert_eq!(type_of(&["48179.53", "-2668.60"]), "decimal(18,2)");
    assert_eq!(type_of(&["10.00", "20.00"]), "decimal(18,2)");
    assert_eq!(type_of(&["1e5", "0.1"]), "f64");
    assert_eq!(type_of(&["0.30000000000000004", "1.5"]), "f64");
}

#[test]
fn what_a_cast_would_alter_stays_text() {
    for cells in [["0042", "17"], ["1", "x"], ["007.5", "1"], ["12/31/99", "1/1/00"], ["NaN", "nan?"]] {
        assert_eq!(type_of(&cells), "string", "{cells:?}");
    }
}

#[test]
fn marks_between_digits_are_declared_where_only_one_meaning_is_left() {
    let (_, column) = infer(&["1.234,50", "99,95"], &[]);
    assert_eq!((column.decoding.decimal_char, column.decoding.group_char), (',', Some('.')));
    let (finding, column) = infer(&["1,234", "1,234,567"], &[]);
    assert_eq!(finding.data_type.as_deref(), Some("i64"));
    assert_eq!(column.decoding.group_char, Some(','));
    let (finding, column) = infer(&["1.234", "1.234.567"], &[]);
    assert_eq!(finding.data_type.as_deref(), Some("decimal(38,0)"), "an i64 has no other mark for fractions");
    assert_eq!((column.decoding.decimal_char, column.decoding.group_char), (',', Some('.')));
    assert_eq!(infer(&["1 234", "5"], &[]).1.decoding.group_char, Some(' '));
}

#[test]
fn a_mark_that_could_be_either_is_a_question() {
    assert_eq!(question_of(&["1,234", "5"]), Some("comma"));
    assert_eq!(question_of(&["1.234", "55.678"]), Some("point"));
    assert_eq!(question_of(&["1.234", "0.678"]), None, "no group begins with a zero");
    let (group, _) = infer(&["1,234", "5"], &[("comma", "group")]);
    let (fraction, _) = infer(&["1,234", "5"], &[("comma", "decimal")]);
    let (text, _) = infer(&["1,234", "5"], &[("comma", "text")]);
    let types = [group, fraction, text].map(|finding| finding.data_type.unwrap());
    assert_eq!(types, ["i64", "decimal(18,3)", "string"]);
}

#[test]
fn day_and_month_are_a_question_until_a_number_above_twelve() {
    assert_eq!(question_of(&["01/02/2024", "03/04/2024"]), Some("dates"));
    assert_eq!(question_of(&["01/02/2024 10:30", "03/04/2024 23:59"]), Some("dates"));
    let (finding, column) = infer(&["01/02/2024", "31/04/2023", "13/04/2024"], &[]);
    assert_eq!(finding.data_type.as_deref(), Some("string"), "no 31st of April: {column:?}");
    assert_eq!(type_of(&["01/02/2024", "13/04/2024"]), "date");
    let (mixed, _) = infer(&["2024-03-08 10:00:00", "03/09/2024 10:00:00"], &[]);
    assert!(mixed.questions[0].asks.contains("03/09/2024"), "{mixed:?}");
    let (finding, _) = infer(&["01/02/2024", "03/04/2024"], &[("dates", "mdy")]);
    assert_eq!(finding.data_type.as_deref(), Some("date"));
}

#[test]
fn moments_are_read_as_they_are_written() {
    assert_eq!(type_of(&["2025-03-14", "2025-03-15"]), "date");
    assert_eq!(type_of(&["14.03.2025", "1.3.2025"]), "date");
    assert_eq!(type_of(&["14 Mar 2025", "1 Apr 2025"]), "date");
    assert_eq!(type_of(&["10:00:00", "23:59:59.5"]), "time(6)");
    assert_eq!(type_of(&["9:05", "23:59"]), "time(6)");
    assert_eq!(type_of(&["2025-03-14 10:00:00", "2025-03-14T10:00:00.5"]), "timestamp(6)");
    assert_eq!(type_of(&["2025-03-14T10:00:00Z", "2025-03-14T10:00:00+02:00"]), "timestamp(6, UTC)");
    assert_eq!(type_of(&["2025-03-14T10:00:00.123456789Z"]), "timestamp(9, UTC)");
    assert_eq!(type_of(&["20250314-10:00:00.123", "20250314-10:00:00"]), "timestamp(6)");
    assert_eq!(
        type_of(&["2025-03-14T10:00:00Z", "2025-03-14T10:00:00"]),
        "string",
        "with a zone and without"
    );
}

#[test]
fn digits_that_are_dates_too_are_a_question() {
    assert_eq!(question_of(&["20250314", "20250401"]), Some("digits"));
    assert_eq!(type_of(&["20250314", "20251301"]), "i64");
    assert_eq!(infer(&["20250314", "20250401"], &[("digits", "date")]).0.data_type.unwrap(), "date");
}

#[test]
fn a_plus_before_digits_is_a_question_and_before_a_fraction_none() {
    assert_eq!(question_of(&["+4915112345678", "+442071234567"]), Some("plus"));
    assert_eq!(type_of(&["+1.50", "-0.25"]), "decimal(18,2)");
    assert_eq!(infer(&["+5", "-3"], &[("plus", "number")]).0.data_type.unwrap(), "i64");
}

#[test]
fn both_words_of_a_pair_make_a_boolean_and_one_alone_does_not() {
    assert_eq!(type_of(&["true", "FALSE"]), "boolean");
    let (_, column) = infer(&["Y", "N", ""], &[]);
    assert_eq!(
        (column.decoding.true_values, column.decoding.false_values),
        (vec!["Y".into()], vec!["N".into()])
    );
    assert_eq!(column.decoding.missing_values, [""]);
    assert_eq!(type_of(&["Y", "Y"]), "string");
    assert_eq!(type_of(&["0", "1"]), "i64");
}

#[test]
fn tokens_are_null_beside_values_and_texts_beside_texts() {
    let (_, column) = infer(&["1", "NA", "", "-"], &[]);
    assert_eq!((column.data_type, column.decoding.missing_values.len()), (DataType::Int64, 3));
    let (finding, column) = infer(&["a", "NULL", ""], &[]);
    assert!(column.decoding.missing_values.is_empty());
    assert!(finding.remarks.iter().any(|remark| remark.contains("\"NULL\"")), "{finding:?}");
    assert_eq!(infer(&["", "NA"], &[]).0.outcome, Outcome::Unseen);
}

#[test]
fn blanks_are_taken_off_only_where_they_were_seen() {
    assert!(infer(&[" 5", "6"], &[]).1.decoding.trim);
    assert!(!infer(&["5", "6"], &[]).1.decoding.trim);
    assert!(!infer(&[" a", "b"], &[]).1.decoding.trim);
}

#[test]
fn few_values_over_many_rows_only_warn_of_others_and_many_rows_make_a_column_required() {
    let cells: Vec<&str> = (0..100).map(|at| if at % 3 == 0 { "buy" } else { "sell" }).collect();
    let (_, column) = infer(&cells, &[]);
    assert_eq!(column.checks.len(), 1);
    assert_eq!(column.checks[0].severity, casparian_core::contract::Severity::Warning);
    assert!(column.required);
    assert!(!infer(&cells[..99], &[]).1.required, "99 rows are too few to say so");
}

#[test]
fn a_value_that_rules_a_reading_out_is_named_with_its_place() {
    let mut inference = Inference::default();
    let columns: Columns = vec![("c", texts(&[Some("1"), Some("0042"), Some("x")]))];
    inference.open(&name(), &schema(&columns)).unwrap();
    let places = Places {
        first: Place { piece: 3, row: 7 },
        inputs: Some(StringArray::from(vec!["a.csv", "a.csv", "b.csv"])),
        offsets: Some(UInt64Array::from(vec![0, 2, 9])),
    };
    inference.see(&name(), &[Arc::clone(&columns[0].1)], &places);
    let found = &inference.settle(&BTreeMap::new())[0].columns[0];
    let out = found.ruled_out.iter().find(|out| out.readings.iter().any(|reading| reading == "i64")).unwrap();
    assert_eq!(out.by.to_string(), "\"0042\" in a.csv at byte 2");
    assert_eq!(out.by.code.unwrap().as_str(), "CF0202");
}

#[test]
fn what_the_parser_has_typed_keeps_its_type() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None]), None]);
    let amounts = Decimal128Array::from(vec![Some(1), None]).with_precision_and_scale(9, 2).unwrap();
    let times = TimestampMillisecondArray::from(vec![Some(1), Some(2)]).with_timezone("Europe/Berlin");
    let columns: Columns = vec![
        ("list", Arc::new(lists)),
        ("amount", Arc::new(amounts)),
        ("at", Arc::new(times)),
        ("small", Arc::new(UInt8Array::from(vec![1, 2]))),
        ("large", Arc::new(LargeStringArray::from(vec!["1", "2"]))),
    ];
    let found = findings(&columns, &[]);
    let contract = drafted(&found);
    assert_eq!(refused_rows(&columns, &contract), [0_usize; 0]);
    let types: Vec<_> = found[0].columns.iter().map(|column| column.data_type.clone().unwrap()).collect();
    assert_eq!(types, ["array of i32", "decimal(9,2)", "timestamp(3, UTC)", "u8", "i64"]);
}

#[test]
fn a_column_that_no_contract_can_say_comes_along_as_it_is() {
    let columns: Columns = vec![
        ("took", Arc::new(DurationSecondArray::from(vec![1, 2]))),
        ("midnight", Arc::new(Date64Array::from(vec![0, 86_400_000]))),
        ("noon", Arc::new(Date64Array::from(vec![0, 43_200_000]))),
    ];
    let found = findings(&columns, &[]);
    let contract = drafted(&found);
    assert_eq!(found[0].columns[0].outcome, Outcome::Unsayable);
    assert_eq!(found[0].columns[1].data_type.as_deref(), Some("date"));
    assert_eq!(found[0].columns[2].outcome, Outcome::Unsayable);
    assert_eq!(refused_rows(&columns, &contract), [0_usize; 0]);
}

#[test]
fn names_and_values_of_strangers_do_not_break_the_file() {
    let cells: Vec<Option<&str>> =
        (0..60).map(|at| Some(if at % 2 == 0 { "a\"b\\ # {x: y}" } else { "no" })).collect();
    let cells: Vec<_> = cells.iter().chain(&cells).copied().collect();
    let columns: Columns =
        vec![("yes: \"no\" # {x}", texts(&cells)), ("\u{e9}t\u{e9}, *a &b", texts(&cells))];
    let contract = drafted(&findings(&columns, &[]));
    assert_eq!(contract.tables[0].columns[0].name, "yes: \"no\" # {x}");
    assert_eq!(contract.tables[0].columns[0].checks.len(), 1);
}

/// Cells of one kind, as columns of texts have them.
fn kind() -> impl Strategy<Value = BoxedStrategy<String>> {
    let date = |form: &'static str| {
        (1_u32..29, 1_u32..13, 1990_u32..2040)
            .prop_map(move |(d, m, y)| {
                form.replace("DD", &format!("{d:02}"))
                    .replace("MM", &format!("{m:02}"))
                    .replace('Y', &y.to_string())
            })
            .boxed()
    };
    let pattern = |regex: &'static str| proptest::string::string_regex(regex).unwrap().boxed();
    select(vec![
        any::<i64>().prop_map(|n| n.to_string()).boxed(),
        (-99_i32..99).prop_map(|n| n.to_string()).boxed(),
        any::<f64>().prop_map(|n| n.to_string()).boxed(),
        pattern("[+-]?[1-9][0-9]{0,30}"),
        pattern("0?[0-9]{1,4}"),
        pattern("-?[0-9]{1,3}([.,' _][0-9]{3}){0,2}"),
        pattern("[1-9][0-9]{0,2}(\\.[0-9]{3}){0,2},[0-9]{1,2}"),
        pattern("-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,14})?"),
        pattern("[0-9]{1,2}e[0-9]{1,2}"),
        date("Y-MM-DD"),
        date("DD/MM/Y"),
        date("MM/DD/Y"),
        date("DD.MM.Y 10:30"),
        date("YMMDD"),
        date("Y-MM-DDT10:00:00Z"),
        date("Y-MM-DD 10:00:00.123456789"),
        pattern("([0-1]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"),
        select(vec!["true", "false", "TRUE", "False"]).prop_map(str::to_owned).boxed(),
        select(vec!["Y", "N", "y"]).prop_map(str::to_owned).boxed(),
        select(vec!["0", "1"]).prop_map(str::to_owned).boxed(),
        pattern("\\PC{0,8}"),
        pattern("(.|\\n){0,4}"),
    ])
}

fn token() -> impl Strategy<Value = String> {
    select(vec!["", "NA", "NULL", "-", "null", "n/a", "nan", "NaN", " ", "\\N", "."]).prop_map(str::to_owned)
}

/// A column of one kind, with tokens, nulls, blanks, and now and then a cell of another kind.
fn column() -> impl Strategy<Value = Vec<Option<String>>> {
    (kind(), kind(), 0_u32..3, any::<bool>(), any::<bool>()).prop_flat_map(
        |(kind, other, foreign, blanks, tokens)| {
            let cell = prop_oneof![
                20 => kind.clone().prop_map(Some),
                u32::from(foreign == 0) => other.prop_map(Some),
                2 * u32::from(tokens) => token().prop_map(Some),
                u32::from(tokens) => Just(None),
                2 * u32::from(blanks) => kind.prop_map(|cell| Some(format!(" {cell}\t"))),
            ];
            prop::collection::vec(cell, 1..150)
        },
    )
}

fn table() -> impl Strategy<Value = Columns> {
    (column(), column(), any::<bool>()).prop_map(|(mut one, mut other, large)| {
        let rows = one.len().min(other.len());
        one.truncate(rows);
        other.truncate(rows);
        let other: ArrayRef =
            if large { Arc::new(LargeStringArray::from(other)) } else { Arc::new(StringArray::from(other)) };
        vec![("one", Arc::new(StringArray::from(one)) as ArrayRef), ("other", other)]
    })
}

fn answers() -> impl Strategy<Value = Answers> {
    let answer = |(key, answers): (&'static str, &'static [&'static str])| {
        prop::option::of(select(answers.to_vec())).prop_map(move |answer| answer.map(|answer| (key, answer)))
    };
    QUESTIONS.map(answer).to_vec().prop_map(|answers| {
        answers.into_iter().flatten().map(|(key, answer)| (key.to_owned(), answer.to_owned())).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_draft_accepts_every_row_that_it_was_made_of(columns in table(), answers in answers()) {
        let rows = columns[0].1.len();
        let found = seen(&columns, 0..rows, rows).settle(&answers);
        let contract = drafted(&found);
        prop_assert_eq!(refused_rows(&columns, &contract), Vec::<usize>::new(), "{:?}", contract.tables[0]);
    }

    #[test]
    fn neither_cuts_nor_order_nor_grouping_change_what_is_found(
        columns in table(), step in 1_usize..40, cut in 0_usize..150,
    ) {
        let rows = columns[0].1.len();
        let cut = cut.min(rows);
        let whole = seen(&columns, 0..rows, rows);
        prop_assert_eq!(&seen(&columns, 0..rows, step), &whole);
        let (head, tail) = (seen(&columns, 0..cut, step), seen(&columns, cut..rows, rows));
        let mut forth = head.clone();
        forth.merge(tail.clone()).unwrap();
        prop_assert_eq!(&forth, &whole);
        let mut back = tail;
        back.merge(head).unwrap();
        prop_assert_eq!(&back, &whole);
    }

    #[test]
    fn rows_that_are_looked_at_out_of_order_say_the_same(columns in table(), cut in 0_usize..150) {
        let rows = columns[0].1.len();
        let cut = cut.min(rows);
        let mut inference = Inference::default();
        inference.open(&name(), &schema(&columns)).unwrap();
        for part in [cut..rows, 0..cut] {
            let cells: Vec<ArrayRef> =
                columns.iter().map(|(_, column)| column.slice(part.start, part.len())).collect();
            let first = Place { piece: 0, row: part.start as u64 };
            inference.see(&name(), &cells, &Places { first, inputs: None, offsets: None });
        }
        prop_assert_eq!(inference, seen(&columns, 0..rows, rows));
    }

    #[test]
    fn evidence_that_comes_twice_changes_no_conclusion(columns in table()) {
        let rows = columns[0].1.len();
        let once = seen(&columns, 0..rows, rows);
        let mut twice = once.clone();
        twice.merge(once.clone()).unwrap();
        let types = |inference: &Inference| -> Vec<_> {
            let found = inference.settle(&Answers::new()).remove(0).columns;
            found.into_iter().map(|found| (found.data_type, found.questions, found.ruled_out)).collect()
        };
        prop_assert_eq!(types(&twice), types(&once));
    }
}

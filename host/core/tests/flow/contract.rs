//! The same story under a contract with keys, ranges, faults that are allowed, and rows that leave their record alone; and an
//! oracle that looks at one record after the other.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use casparian_core::contract::{
    Check, Column, Contract, ExtraTables, Key, Rule, Severity, TableContract, VerdictUnit,
};
use casparian_core::fault::{Blame, FaultReport};
use casparian_core::flow::{Flow, ProvideScratch, Tally};
use casparian_core::intake::Intake;
use casparian_core::limits::Limits;
use casparian_core::{fault::Span, id::TableName};

use arrow_schema::{DataType, Field, Schema};

use super::guest::Script;
use super::oracle::{FAULTS, Record, Row, TABLES, Truth, table_name};
use super::seed::{Seed, seeds};
use super::{Collect, CollectHeld, Left, description};

/// Values below it are bad.
const MINIMUM: i64 = 1;
/// Values above it are warned of, in the last table.
const WARNED: i64 = 5;

fn declared(name: &TableName) -> TableContract {
    TableContract::declared(name, &Schema::new(vec![Field::new("value", DataType::Int64, false)]))
}

fn minimum() -> Check {
    Check { name: "minimum".to_owned(), rule: Rule::Minimum(MINIMUM.to_string()), severity: Severity::Error }
}

/// Table 0 has a key and quarantines records, table 1 has one and quarantines rows, table 2 allows a fault and warns.
fn contract() -> Contract {
    let key = || vec![Key { name: "unique".to_owned(), columns: vec![0], severity: Severity::Error }];
    let mut tables: Vec<TableContract> = (0..TABLES).map(|at| declared(&table_name(at))).collect();
    let check = |column: &mut Column, check| column.checks.push(check);
    tables.iter_mut().for_each(|table| check(&mut table.columns[0], minimum()));
    (tables[0].keys, tables[1].keys) = (key(), key());
    tables[1].verdict_unit = VerdictUnit::Row;
    tables[2].allowed_faults = BTreeSet::from([FAULTS[0].to_owned()]);
    let warned = Rule::Maximum(WARNED.to_string());
    check(
        &mut tables[2].columns[0],
        Check { name: "big".to_owned(), rule: warned, severity: Severity::Warning },
    );
    Contract { id: "c".to_owned(), version: "1".to_owned(), tables, extra_tables: ExtraTables::Freeze }
}

fn no_scratch() -> ProvideScratch {
    let fault = || FaultReport {
        blame: Blame::Host,
        code: "none".to_owned(),
        message: "no scratch here".to_owned(),
        hint: None,
        at: None,
    };
    Arc::new(move || Err(fault()))
}

/// What is wrong with a row by itself, in the order in which a row lists it.
fn flaws(row: &Row) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut rules = Vec::new();
    match row.value {
        None => rules.push("required"),
        Some(value) if value < MINIMUM => rules.push("minimum"),
        Some(_) => {}
    }
    let faults = if row.is_faulty && row.table != 2 { vec![FAULTS[0]] } else { vec![] };
    (rules, faults)
}

/// Judges record by record, and says what leaves.
fn oracle(truth: &Truth, up_to: u64) -> (Left, u64) {
    let mut left = Left { accepted: vec![Vec::new(); TABLES], quarantined: Vec::new() };
    let mut taken: HashSet<(usize, i64)> = HashSet::new();
    let mut warned = 0;
    let spoken = truth.records.iter().filter(|record| record.is_rejected || !record.rows.is_empty());
    for (number, record) in spoken.take_while(|record| record.at.offset < up_to).enumerate() {
        judge(number as u64, record, &mut taken, &mut left, &mut warned);
    }
    (left, warned)
}

fn judge(number: u64, record: &Record, taken: &mut HashSet<(usize, i64)>, left: &mut Left, warned: &mut u64) {
    let is_flawed = |row: &Row| !flaws(row).0.is_empty() || !flaws(row).1.is_empty();
    let mut is_bad = record.is_rejected || record.rows.iter().any(|row| row.table != 1 && is_flawed(row));
    let rows: Vec<&Row> =
        (0..TABLES).flat_map(|at| record.rows.iter().filter(move |row| row.table == at)).collect();
    let mut late = vec![false; rows.len()];
    if !is_bad {
        let mut claimed = HashSet::new();
        for (row, late) in rows.iter().zip(&mut late).filter(|(row, _)| row.table < 2 && !is_flawed(row)) {
            let key = (row.table, row.value.expect("a row without a flaw has a value"));
            *late = taken.contains(&key) || !claimed.insert(key);
        }
        is_bad = rows.iter().zip(&late).any(|(row, late)| *late && row.table == 0);
        if !is_bad {
            taken.extend(claimed);
        }
    }
    if record.is_rejected {
        left.quarantined.push((number, record.at, None, vec![FAULTS[1].to_owned()]));
    }
    let mut ordinals = [0; TABLES];
    for (row, late) in rows.into_iter().zip(late) {
        let ordinal = ordinals[row.table];
        ordinals[row.table] += 1;
        let (mut rules, faults) = flaws(row);
        rules.extend(late.then_some("unique"));
        rules.extend(faults);
        if rules.is_empty() && !is_bad {
            let value = row.value.expect("a good row has a value");
            *warned += u64::from(row.table == 2 && value > WARNED);
            left.accepted[row.table].push((number, record.at, value));
            continue;
        }
        if rules.is_empty() {
            rules.push("record");
        }
        let rules = rules.into_iter().map(str::to_owned).collect();
        left.quarantined.push((number, record.at, Some((row.table, ordinal, row.value)), rules));
    }
}

/// Records whose values collide now and then.
fn draw(seed: &mut Seed) -> Truth {
    let mut truth = Truth::draw(seed);
    let colliding = |value: i64| (value / 100 + value * 31) % 9;
    for row in truth.records.iter_mut().flat_map(|record| &mut record.rows) {
        row.value = row.value.map(colliding);
    }
    truth
}

fn play(truth: &Truth, script: &Script) -> (Left, Tally) {
    let mut collect = Collect(Left { accepted: vec![Vec::new(); TABLES], quarantined: Vec::new() });
    let mut held = CollectHeld(Vec::new());
    let codes = FAULTS.iter().map(|fault| (*fault).to_owned()).collect();
    let wanted: Vec<TableName> = (0..TABLES).map(table_name).collect();
    let mut flow = Flow::new(&mut collect, &mut held, wanted, codes).with_contract(contract(), no_scratch());
    let mut intake = Intake::new(&description(), &Limits::default(), truth.input_bytes);
    intake.begin(Span { offset: 0, length: truth.input_bytes });
    for said in &script.said {
        if let Some(word) = said.tell(&mut intake).expect("an honest guest") {
            flow.hear(word).expect("words that fit together");
        }
    }
    let (_, _, tally, account) = flow.finish(truth.input_bytes);
    let classes = account.classes;
    let sum = classes.accepted_bytes + classes.quarantined_bytes + classes.skipped_bytes + classes.dark_bytes;
    assert_eq!(sum, truth.input_bytes);
    collect.0.quarantined = held.0;
    (collect.0, tally)
}

#[test]
fn under_a_contract_what_leaves_the_flow_depends_on_the_records_alone() {
    for seed in seeds(30_000) {
        let mut seed = Seed(seed);
        let truth = draw(&mut seed);
        let script = Script::draw_complete(&truth, &mut seed);
        let (left, tally) = play(&truth, &script);
        let (expected, warned) = oracle(&truth, script.released_up_to);
        assert_eq!(left, expected, "seed {seed:?}, script {script:#?}");
        assert_eq!(tally.warnings.iter().map(|warning| warning.rows).sum::<u64>(), warned, "seed {seed:?}");
        let rows: usize = truth.records.iter().map(|record| record.rows.len()).sum();
        let counted: u64 = tally.tables.iter().map(|table| table.accepted + table.quarantined).sum();
        assert_eq!(counted, rows as u64, "every row is accepted or in quarantine, once");
    }
}

#[test]
fn rows_of_one_record_that_share_a_key_cost_no_more_than_rows() {
    use super::guest::{batch_message, schema_message};
    use casparian_core::intake::TableId;
    const ROWS: usize = 200_000;
    let mut intake = Intake::new(&description(), &Limits::default(), 1);
    intake.begin(Span { offset: 0, length: 1 });
    let mut held = super::Count::default();
    let mut flow = Flow::new(super::Count::default(), &mut held, vec![table_name(0)], Vec::new())
        .with_contract(contract(), no_scratch());
    let (_, opened) = intake.open("t0", &schema_message()).expect("a good table");
    flow.hear(opened.expect("it is new")).expect("heard");
    for half in [0, 1] {
        let row = |n: usize| {
            (
                Span { offset: 0, length: 1 },
                Row { table: 0, value: Some(1 + half * (n as i64 % 2)), is_faulty: false },
            )
        };
        let message = batch_message(&(0..ROWS / 2).map(row).collect::<Vec<_>>());
        flow.hear(intake.emit(TableId(0), &message).expect("a good batch")).expect("heard");
    }
    flow.hear(intake.commit(1).expect("forward").expect("a word")).expect("heard");
    let (_, _, tally, _) = flow.finish(1);
    assert_eq!((tally.tables[0].quarantined, held.0), (ROWS as u64, ROWS as u64));
}

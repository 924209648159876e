//! The story, told a hundred thousand times by a fake guest and checked against an oracle that knows nothing of batches,
//! commits or tables' buffers: it looks at the records alone.

mod contract;
mod guest;
mod isolate;
mod meaning;
mod merge;
mod oracle;
mod rules;
mod seed;
mod weight;

use casparian_core::contract::verdict::{Accepted, Rejected};
use casparian_core::description::{Description, FaultInfo, TableInfo};
use casparian_core::fault::Span;
use casparian_core::flow::{Flow, Hold, PortFault, Sinks};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::intake::{Intake, TableId};
use casparian_core::limits::Limits;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use guest::{Ending, Said, Script};
use oracle::Truth;
use seed::{Seed, seeds};

/// What left the flow, in plain values.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    /// Per table: record number, span and value of every row.
    accepted: Vec<Vec<(u64, Span, i64)>>,
    quarantined: Vec<Held>,
}

/// Record number, span, table with ordinal and value (none: unreadable), rules.
type Held = (u64, Span, Option<(usize, u64, Option<i64>)>, Vec<String>);

struct Collect(Left);

impl Sinks for &mut Collect {
    fn open(&mut self, _: TableId, _: &TableName, _: &arrow_schema::SchemaRef) -> Result<(), PortFault> {
        Ok(())
    }

    fn write(&mut self, table: TableId, rows: &Accepted) -> Result<(), PortFault> {
        let (offsets, lengths) = rows.spans().expect("every table here has spans");
        let values = rows.rows().column(0).as_primitive::<Int64Type>();
        for row in 0..rows.rows().num_rows() {
            let at = Span { offset: offsets.value(row), length: u64::from(lengths.value(row)) };
            self.0.accepted[table.0].push((rows.record_no().value(row), at, values.value(row)));
        }
        Ok(())
    }
}

/// The hold is a second collector, put together with the first one afterwards.
struct CollectHeld(Vec<Held>);

impl Hold for &mut CollectHeld {
    fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault> {
        let row = rejected.row().map(|row| {
            let (batch, at) = row.place();
            let cells = batch.column(0).slice(at, 1);
            let cells = cells.as_primitive::<Int64Type>();
            let value = arrow_array::Array::is_valid(cells, 0).then(|| cells.value(0));
            (oracle::table_of(row.table()), row.ordinal(), value)
        });
        let rules = rejected.violations().iter().map(|v| v.rule.name.clone()).collect();
        let (number, at) = (rejected.record_no().expect("a number"), rejected.at().expect("a span"));
        self.0.push((number, at, row, rules));
        Ok(())
    }
}

/// Counts rows and forgets them.
#[derive(Default)]
struct Count(u64);

impl Sinks for Count {
    fn open(&mut self, _: TableId, _: &TableName, _: &arrow_schema::SchemaRef) -> Result<(), PortFault> {
        Ok(())
    }

    fn write(&mut self, _: TableId, rows: &Accepted) -> Result<(), PortFault> {
        self.0 += rows.rows().num_rows() as u64;
        Ok(())
    }
}

impl Hold for &mut Count {
    fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault> {
        self.0 += u64::from(rejected.row().is_some());
        Ok(())
    }
}

fn description() -> Description {
    let text = |t: &str| GuestText::new(t, 64);
    let table =
        |at: usize| TableInfo { name: oracle::table_name(at), doc: text(""), default_on: true, schema: None };
    Description {
        name: text("fake"),
        version: text("0"),
        doc: text(""),
        tables: (0..oracle::TABLES).map(table).collect(),
        faults: oracle::FAULTS.iter().map(|f| FaultInfo { code: (*f).to_owned(), doc: text("") }).collect(),
        options: vec![],
        patterns: vec![],
    }
}

/// Plays a script to the end, or to where the guest traps or is refused.
fn play(truth: &Truth, script: &Script) -> (Left, Option<casparian_core::ledger::Account>, bool) {
    let mut collect = Collect(Left { accepted: vec![Vec::new(); oracle::TABLES], quarantined: Vec::new() });
    let mut held = CollectHeld(Vec::new());
    let description = description();
    let codes = oracle::FAULTS.iter().map(|f| (*f).to_owned()).collect();
    let wanted: Vec<TableName> = (0..oracle::TABLES).map(oracle::table_name).collect();
    let mut flow = Flow::new(&mut collect, &mut held, wanted, codes);
    let mut intake = Intake::new(&description, &Limits::default(), truth.input_bytes);
    intake.begin(Span { offset: 0, length: truth.input_bytes });
    let mut refused = false;
    for said in &script.said {
        match said.tell(&mut intake) {
            Ok(Some(word)) => flow.hear(word).expect("an honest guest's words fit together"),
            Ok(None) => {}
            Err(_) => {
                refused = true;
                break;
            }
        }
    }
    let account = match script.ending {
        Ending::Returns if !refused => {
            for word in intake.end().expect("an honest guest commits everything") {
                flow.hear(word).expect("nothing is left over");
            }
            Some(flow.finish(truth.input_bytes).3)
        }
        _ => {
            drop(flow);
            None
        }
    };
    collect.0.quarantined = held.0;
    (collect.0, account, refused)
}

#[test]
fn what_leaves_the_flow_depends_on_the_records_alone() {
    for seed in seeds(100_000) {
        let mut seed = Seed(seed);
        let truth = Truth::draw(&mut seed);
        let script = Script::draw(&truth, &mut seed);
        let (left, account, refused) = play(&truth, &script);
        assert_eq!(refused, script.ending == Ending::IsRefused, "seed {seed:?}");
        let (expected, classes) = truth.released_before(script.released_up_to);
        assert_eq!(left, expected, "seed {seed:?}, script {script:#?}");
        if script.ending == Ending::Returns {
            let account = account.expect("it ended well");
            assert_eq!(account.classes, classes, "seed {seed:?}");
        }
    }
}

#[test]
fn two_schedules_of_the_same_records_leave_the_same() {
    for seed in seeds(5_000) {
        let truth = Truth::draw(&mut Seed(seed));
        let script = |n| Script::draw_complete(&truth, &mut Seed(seed * 2 + n));
        let (one, two) = (play(&truth, &script(0)), play(&truth, &script(1)));
        assert_eq!(one, two, "seed {seed}");
    }
}

#[test]
fn rows_that_are_never_committed_are_a_refusal_not_a_loss() {
    let truths = (0..).map(|seed| Truth::draw(&mut Seed(seed)));
    let mut spoken = truths.filter(|truth| truth.records.iter().any(|record| !record.rows.is_empty()));
    let truth = spoken.next().expect("some seed gives a record with rows");
    let mut script = Script::draw_complete(&truth, &mut Seed(7));
    script.said.retain(|said| !matches!(said, Said::Commit(_)));
    let mut intake = Intake::new(&description(), &Limits::default(), truth.input_bytes);
    intake.begin(Span { offset: 0, length: truth.input_bytes });
    for said in &script.said {
        said.tell(&mut intake).expect("an honest guest");
    }
    let refusal = intake.end().expect_err("something was left over").to_string();
    assert!(refusal.contains("not yet committed"), "{refusal}");
}

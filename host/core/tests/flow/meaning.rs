//! A column of texts that says what they are meant to be, where no contract says more.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use casparian_core::contract::verdict::{Accepted, Code, Rejected};
use casparian_core::fault::Span;
use casparian_core::flow::{Flow, Hold, PortFault, Sinks};
use casparian_core::id::TableName;
use casparian_core::intake::{Intake, TableId};
use casparian_core::limits::Limits;

use super::description;
use super::guest::{batch_message_of, schema_message_of};
use super::oracle::table_name;

#[derive(Default)]
struct Written {
    types: Vec<DataType>,
    rows: usize,
}

impl Sinks for &mut Written {
    fn open(&mut self, _: TableId, _: &TableName, schema: &SchemaRef) -> Result<(), PortFault> {
        self.types = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        Ok(())
    }

    fn write(&mut self, _: TableId, rows: &Accepted) -> Result<(), PortFault> {
        let types: Vec<DataType> = rows.rows().columns().iter().map(|c| c.data_type().clone()).collect();
        assert_eq!(types, self.types);
        self.rows += rows.rows().num_rows();
        Ok(())
    }
}

#[derive(Default)]
struct Held(Vec<(Code, Option<String>, String)>);

impl Hold for &mut Held {
    fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault> {
        let why = &rejected.violations()[0];
        let observed = why.observed.as_ref().expect("it shows the text").raw().to_owned();
        self.0.push((why.code, why.rule.column.clone(), observed));
        Ok(())
    }
}

#[test]
fn texts_become_what_they_are_meant_to_be_and_those_that_are_none_are_held() {
    let meant = |name: &str, format: &str| {
        let metadata = HashMap::from([("casparian.type".to_owned(), format.to_owned())]);
        Field::new(name, DataType::Utf8, true).with_metadata(metadata)
    };
    let schema = Schema::new(vec![
        meant("price", "d:18,4"),
        Field::new("note", DataType::Utf8, true),
        Field::new("_cf_offset", DataType::UInt64, false),
        Field::new("_cf_length", DataType::UInt32, false),
    ]);
    let rows = RecordBatch::try_new(
        Arc::new(schema.clone()),
        vec![
            Arc::new(StringArray::from(vec![Some("1.50"), Some("twelve"), None])),
            Arc::new(StringArray::from(vec!["7", "8", "9"])),
            Arc::new(UInt64Array::from(vec![0, 1, 2])),
            Arc::new(UInt32Array::from(vec![1, 1, 1])),
        ],
    );
    let (mut written, mut held) = (Written::default(), Held::default());
    let mut intake = Intake::new(&description(), &Limits::default(), 3);
    intake.begin(Span { offset: 0, length: 3 });
    let mut flow = Flow::new(&mut written, &mut held, vec![table_name(0)], Vec::new());
    let (_, opened) = intake.open("t0", &schema_message_of(&schema)).expect("a good table");
    flow.hear(opened.expect("it is new")).expect("heard");
    let rows = intake.emit(TableId(0), &batch_message_of(&rows.expect("columns of one length")));
    flow.hear(rows.expect("a good batch")).expect("heard");
    flow.hear(intake.commit(3).expect("forward").expect("a word")).expect("heard");
    drop(flow);
    assert_eq!(written.types, [DataType::Decimal128(18, 4), DataType::Utf8]);
    assert_eq!(written.rows, 2);
    assert_eq!(held.0, [(Code::Unparseable, Some("price".to_owned()), "twelve".to_owned())]);
}

#[test]
fn a_table_opened_again_means_the_same() {
    let schema = |format: &str| {
        let metadata = HashMap::from([("casparian.type".to_owned(), format.to_owned())]);
        schema_message_of(&Schema::new(vec![Field::new("n", DataType::Utf8, true).with_metadata(metadata)]))
    };
    let mut intake = Intake::new(&description(), &Limits::default(), 3);
    intake.begin(Span { offset: 0, length: 3 });
    intake.open("t0", &schema("l")).expect("a good table");
    intake.open("t0", &schema("l")).expect("the same");
    intake.open("t0", &schema("L")).expect_err("another");
}

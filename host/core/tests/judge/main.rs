//! The judge, under contracts as people write them: what fits, what is said of a row, and that neither cuts nor neighbours matter.

mod checks;
mod fit;
mod inferred;
mod measure;
mod property;
mod reasons;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_ipc::writer::{DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow_schema::{Field, Schema};
use casparian_core::batch::Batch;
use casparian_core::contract::judge::{Judged, SchemaFault, TableJudge};
use casparian_core::contract::odcs;
use casparian_core::limits::{Budget, Limits};
use casparian_core::wire;

/// Writes a contract around the properties of its one table `t`; `rest` is what else the table says.
fn contract(properties: &str, rest: &str) -> String {
    let indent = |text: &str, by: usize| {
        text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect::<String>()
    };
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: c\nname: c\nversion: 1.0.0\nstatus: draft\nschema:\n  - name: t\n    \
         logicalType: object\n    physicalType: table\n    properties:\n{}{}",
        indent(properties, 6),
        indent(rest, 4),
    )
}

fn judge_for(properties: &str, rest: &str, sent: &Schema) -> Result<TableJudge, SchemaFault> {
    let yaml = contract(properties, rest);
    let contract = odcs::read(yaml.as_bytes()).unwrap_or_else(|faults| panic!("{faults}\n{yaml}")).contract;
    TableJudge::new(contract.tables[0].clone(), sent, sent)
}

/// Judges columns under a contract that they fit.
fn judged(properties: &str, rest: &str, columns: &[(&str, ArrayRef)]) -> Judged {
    let batch = batch(columns);
    let judge = judge_for(properties, rest, &batch.rows().schema()).expect("they fit");
    judge.judge(batch).expect("columns of one length")
}

/// A column of texts; `None` is null.
fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Takes columns through the wire: nothing else makes a batch.
fn batch(columns: &[(&str, ArrayRef)]) -> Batch {
    let field = |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let cells = columns.iter().map(|(_, column)| Arc::clone(column)).collect();
    let rows = RecordBatch::try_new(Arc::clone(&schema), cells).expect("columns of one length");
    let (options, mut tracker) = (IpcWriteOptions::default(), DictionaryTracker::new(true));
    let encoder = IpcDataGenerator::default();
    let schema = encoder.schema_to_bytes_with_dictionary_tracker(&schema, &mut tracker, &options);
    let (_, rows) =
        encoder.encode(&rows, &mut tracker, &options, &mut Default::default()).expect("no dictionaries");
    let schema = wire::schema(&message(schema)).expect("types of the wire");
    wire::decode(&schema, &message(rows), &mut Budget::new(&Limits::default(), 1 << 40))
        .expect("an honest batch")
}

fn message(encoded: EncodedData) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, encoded, &IpcWriteOptions::default()).expect("written to memory");
    bytes
}

/// What is said of a row: code, column, rule, and what was there.
fn reasons(judged: &Judged, row: usize) -> Vec<String> {
    let (violations, count) = judged.violations(row);
    assert_eq!(violations.len() as u64, count.min(64));
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    violations
        .iter()
        .map(|violation| {
            let observed = violation.observed.as_ref().map(|text| format!(" `{text}`")).unwrap_or_default();
            let rule = &violation.rule;
            format!("{} {} {}{observed}", violation.code, word(&rule.column), rule.name)
        })
        .collect()
}

fn bad_rows(judged: &Judged) -> Vec<usize> {
    judged.bad().map(|bad| bad.set_indices().collect()).unwrap_or_default()
}

fn is_null(judged: &Judged, column: &str, row: usize) -> bool {
    judged.rows().column_by_name(column).expect("a column").is_null(row)
}

//! The door for bytes: what the guard lets in is read without a fault, is valid, and is what Arrow reads.

use casparian_core::fault::Blame;
use casparian_core::limits::{Budget, Limits};
use casparian_core::wire;

use super::assert_refusal;
use crate::Target;
use crate::oracle::{check_columns, check_reading};
use crate::vectors::{self, TABLES};

pub(super) const SCHEMA: Target =
    Target { name: "wire_schema", bytes_max: 8192, run: schema, seeds: vectors::schemas };
pub(super) const BATCH: Target =
    Target { name: "wire_batch", bytes_max: 8192, run: batch, seeds: vectors::batches };

fn schema(message: &[u8]) {
    match wire::schema(message) {
        Ok(schema) => check_columns(&schema, message),
        Err(fault) => assert_refusal(&fault, Blame::Guest),
    }
}

/// The first byte chooses the table.
fn batch(input: &[u8]) {
    let Some((choice, message)) = input.split_first() else { return };
    let Some((_, schema)) = TABLES.get(usize::from(*choice) % TABLES.len()) else { return };
    match wire::guard(schema, message, &mut Budget::new(&Limits::default(), 0)) {
        Ok(checked) => drop(check_reading(schema, &checked, message)),
        Err(fault) => assert_refusal(&fault, Blame::Guest),
    }
}

//! What a budget counts in accepted rows.

use arrow_array::{Array, RecordBatch};

use super::check::Kernel;
use super::{SchemaFault, where_valid};
use crate::contract::{Metric, TableContract};

/// A budget's metric, ready for the rows of its table.
#[derive(Debug)]
pub struct Measure(What);

#[derive(Debug)]
enum What {
    Rows,
    Nulls(usize),
    Broken(usize, Kernel),
    /// Keys are counted where they are claimed.
    Elsewhere,
}

impl Measure {
    /// Makes a metric ready; `name` is the budget's.
    pub fn new(metric: &Metric, contract: &TableContract, name: &str) -> Result<Self, SchemaFault> {
        let fault = |why| SchemaFault::Rule { table: contract.name.clone(), rule: name.to_owned(), why };
        Ok(Self(match metric {
            Metric::RowCount => What::Rows,
            Metric::NullValues(at) => What::Nulls(*at),
            Metric::DuplicateValues(_) => What::Elsewhere,
            Metric::InvalidValues(at, rule) => {
                let column =
                    contract.columns.get(*at).ok_or_else(|| fault("its column is not there".to_owned()))?;
                What::Broken(*at, Kernel::new(rule, &column.data_type).map_err(fault)?)
            }
        }))
    }

    /// Counts in rows as they are written.
    pub fn count(&self, rows: &RecordBatch) -> u64 {
        let column = |at: &usize| rows.columns().get(*at);
        let count = match &self.0 {
            What::Rows => rows.num_rows(),
            What::Nulls(at) => column(at).map_or(0, Array::null_count),
            What::Broken(at, kernel) => column(at)
                .map_or(0, |cells| where_valid(kernel.broken(cells), cells.nulls()).count_set_bits()),
            What::Elsewhere => 0,
        };
        count as u64
    }
}

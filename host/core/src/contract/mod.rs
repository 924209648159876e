//! What rows must be, and the judge.
//!
//! Without a written contract, the schema that a parser declares is the contract: types and nullability only. Types need no
//! judging, since a batch of another type does not pass the wire; what is left is which columns must have a value, and the
//! faults that the parser names itself.

pub mod judge;
pub mod verdict;

use arrow_schema::Schema;

use crate::wire::TableSchema;

/// What the rows of one table must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContract {
    /// Columns that must have a value: place in the payload and name.
    required: Vec<(usize, String)>,
}

impl TableContract {
    /// Takes the declared schema as the contract.
    pub fn declared(schema: &TableSchema) -> Self {
        Self { required: required_columns(schema.declared()) }
    }

    /// Returns the columns that must have a value: place and name.
    pub fn required(&self) -> &[(usize, String)] {
        &self.required
    }
}

fn required_columns(schema: &Schema) -> Vec<(usize, String)> {
    let fields = schema.fields().iter().enumerate();
    fields.filter(|(_, field)| !field.is_nullable()).map(|(at, field)| (at, field.name().clone())).collect()
}

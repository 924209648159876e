//! Opens a table that its description does not have.

use crate::arrow::schema;
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    Table::open("undeclared", &schema(&columns(&[], &[])))?;
    scene.commit()
}

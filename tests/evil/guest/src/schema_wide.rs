//! Opens a table of `n` columns.

use crate::arrow::{Cells, Column, schema};
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let column = |number| Column { name: format!("c{number}"), nullable: true, cells: Cells::U32(vec![]) };
    let columns: Vec<Column> = (0..scene.n).map(column).collect();
    Table::open("rows", &schema(&columns))?;
    scene.commit()
}

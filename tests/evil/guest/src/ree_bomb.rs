//! Opens a table with a column of runs, for a batch of 2^50 rows.

use crate::arrow::{Cells, Column, batch, schema};
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let columns = [Column { name: "runs".into(), nullable: true, cells: Cells::RunEnds }];
    let table = Table::open("rows", &schema(&columns))?;
    let mut bomb = batch(&columns);
    bomb.rows = 1 << 50;
    table.emit(&bomb.message())?;
    scene.commit()
}

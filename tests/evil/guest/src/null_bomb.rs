//! Opens a table with a column of no bytes, for a batch of 2^40 rows.

use crate::arrow::{Cells, Column, batch, schema};
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let columns = [Column { name: "nothing".into(), nullable: true, cells: Cells::Null }];
    let table = Table::open("rows", &schema(&columns))?;
    let mut bomb = batch(&columns);
    (bomb.rows, bomb.nodes[0]) = (1 << 40, (1 << 40, 1 << 40));
    table.emit(&bomb.message())?;
    scene.commit()
}

//! Opens a table whose column has a name of `n` bytes.

use crate::arrow::{Cells, Column, schema};
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let column = Column { name: "a".repeat(scene.n as usize), nullable: true, cells: Cells::U32(vec![]) };
    Table::open("rows", &schema(&[column]))?;
    scene.commit()
}

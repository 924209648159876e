//! Emits a row whose faults are the word `text`.

use crate::arrow::{Cells, Column, batch, schema};
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let mut columns = columns(&[(scene.range.offset, scene.range.length as u32)], &["x"]);
    let words = Cells::Texts(vec![vec![scene.text.into()]]);
    columns.push(Column { name: "_cf_faults".into(), nullable: true, cells: words });
    Table::open("rows", &schema(&columns))?.emit(&batch(&columns).message())?;
    scene.commit()
}

//! Opens a table again with another schema.

use crate::arrow::schema;
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let _first = scene.rows()?;
    let mut other = columns(&[], &[]);
    other[2].name = "other".into();
    Table::open("rows", &schema(&other))?;
    scene.commit()
}

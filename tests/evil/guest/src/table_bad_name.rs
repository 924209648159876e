//! Opens a table called `text`, or `n` letters where `n` is not 0.

use crate::arrow::schema;
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, columns};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let long = "a".repeat(scene.n as usize);
    let name = if scene.n > 0 { &long } else { scene.text };
    Table::open(name, &schema(&columns(&[], &[])))?;
    scene.commit()
}

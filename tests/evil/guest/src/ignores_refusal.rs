//! Is refused a table, ignores it, behaves, and returns as if all were well.

use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::honest;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let _refused = Table::open("Not A Name", &[]);
    honest::parse(scene)
}

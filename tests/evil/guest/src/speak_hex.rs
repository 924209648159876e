//! Opens a table with the schema that `text` gives in hexadecimal, and emits the batch that follows it after a slash.

use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, fault};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let (schema, batch) = scene.text.split_once('/').unwrap_or((scene.text, ""));
    let table = Table::open("rows", &bytes(schema)?)?;
    if scene.text.contains('/') {
        table.emit(&bytes(batch)?)?;
    }
    scene.commit()
}

fn bytes(hex: &str) -> Result<Vec<u8>, Fault> {
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).map_err(|_| fault("no-hex", hex));
    (0..hex.len() / 2).map(byte).collect()
}

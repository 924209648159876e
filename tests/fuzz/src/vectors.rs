//! What the repository keeps for others to test against, as seeds: golden messages, contracts, receipts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use casparian_core::wire::{self, TableSchema};
use serde_json::Value;

use crate::corpus::bytes;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the golden messages that are schemas.
pub(crate) fn schemas() -> Vec<Vec<u8>> {
    goldens().into_iter().filter(|(schema, _)| schema.is_none()).map(|(_, message)| message).collect()
}

/// Returns the golden messages that are batches, each behind a byte that chooses its table.
pub(crate) fn batches() -> Vec<Vec<u8>> {
    let batch = |(schema, message): (Option<String>, Vec<u8>)| {
        let schema = schema?;
        let place = TABLES.iter().position(|(file, _)| *file == schema).unwrap_or_default();
        Some([&[u8::try_from(place).unwrap_or(0)], message.as_slice()].concat())
    };
    goldens().into_iter().filter_map(batch).collect()
}

/// The tables that batches are fuzzed against, with the names of their schemas' files. An input's first byte chooses one.
pub(crate) static TABLES: LazyLock<Vec<(String, TableSchema)>> = LazyLock::new(|| {
    let files = ["schema-fills.hex", "schema-every-type.hex", "schema-minimal.hex"];
    let table = |file: &str| wire::schema(&message(file)).expect("the schema is a good one");
    files.map(|file| (file.to_owned(), table(file))).into()
});

/// Reads the golden messages, each with the name of its schema's file unless it is a schema itself.
fn goldens() -> Vec<(Option<String>, Vec<u8>)> {
    let index = fs::read_to_string(root().join("wit/vectors/index.json")).expect("the index is there");
    let index: Value = serde_json::from_str(&index).expect("the index is JSON");
    let entries = index["vectors"].as_array().expect("the index has vectors");
    let golden = |entry: &Value| {
        let file = entry["file"].as_str().expect("a vector has a file");
        (entry["schema"].as_str().map(str::to_owned), message(file))
    };
    entries.iter().map(golden).collect()
}

fn message(file: &str) -> Vec<u8> {
    bytes(&fs::read_to_string(root().join("wit/vectors").join(file)).expect("the vector is there"))
}

/// Returns the files below a folder whose names end so, in order.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

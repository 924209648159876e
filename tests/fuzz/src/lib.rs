//! What the targets share: the golden messages of `wit/vectors` to start from, and Arrow's reader for a second opinion.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use casparian_core::wire::{self, TableSchema};
use serde_json::Value;

#[path = "../../../host/core/tests/wire/oracle.rs"]
pub mod oracle;

/// A golden message.
pub struct Golden {
    /// Its name in the index.
    pub name: String,
    /// The name of its schema's file; `None` where it is a schema itself.
    pub schema: Option<String>,
    /// Its bytes.
    pub message: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/vectors")
}

fn bytes(file: &str) -> Vec<u8> {
    let text = fs::read_to_string(folder().join(file)).expect("the vector is there");
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("digits are text"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("digits are hexadecimal")).collect()
}

/// Reads the golden messages.
pub fn goldens() -> Vec<Golden> {
    let index = fs::read_to_string(folder().join("index.json")).expect("the index is there");
    let index: Value = serde_json::from_str(&index).expect("the index is JSON");
    let entries = index["vectors"].as_array().expect("the index has vectors");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let golden = |entry: &Value| Golden {
        name: text(&entry["name"]).expect("a vector has a name"),
        schema: text(&entry["schema"]),
        message: bytes(entry["file"].as_str().expect("a vector has a file")),
    };
    entries.iter().map(golden).collect()
}

/// The tables that batches are fuzzed against, with the names of their schemas' files. An input's first byte chooses one.
pub static TABLES: LazyLock<Vec<(String, TableSchema)>> = LazyLock::new(|| {
    let files = ["schema-fills.hex", "schema-every-type.hex", "schema-minimal.hex"];
    let table = |file: &str| wire::schema(&bytes(file)).expect("the schema is a good one");
    files.map(|file| (file.to_owned(), table(file))).into()
});

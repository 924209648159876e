//! `wit/vectors`, kept true: the files are written by this test and compared by it ever after.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::wire::{self, TableSchema, WireFault};
use serde::Serialize;

use crate::forge::budget;
use crate::oracle::{check_columns, check_reading};
use crate::vectors::{Vector, all};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit/vectors")
}

fn hex(message: &[u8]) -> String {
    let mut text = String::new();
    for line in message.chunks(32) {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text.push('\n');
    }
    text
}

/// `index.json`. Structs, not loose values: their fields are written in this order whatever features serde_json has.
#[derive(Serialize)]
struct Index {
    interface: &'static str,
    vectors: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    kind: &'static str,
    file: String,
    schema: Option<String>,
    verdict: &'static str,
    code: Option<&'static str>,
    why: &'static str,
}

fn entry(vector: &Vector) -> Entry {
    Entry {
        name: vector.name,
        kind: if vector.schema.is_some() { "batch" } else { "schema" },
        file: format!("{}.hex", vector.name),
        schema: vector.schema.map(|schema| format!("{schema}.hex")),
        verdict: if vector.code.is_some() { "refuse" } else { "accept" },
        code: vector.code,
        why: vector.why,
    }
}

/// Everything that belongs in the folder besides its README, by file name.
fn files(vectors: &[Vector]) -> BTreeMap<String, String> {
    let world = include_str!("../../../../wit/world.wit");
    let package =
        world.lines().find_map(|line| line.strip_prefix("package ")).expect("a world has a package");
    let index =
        Index { interface: package.trim_end_matches(';'), vectors: vectors.iter().map(entry).collect() };
    let index = serde_json::to_string_pretty(&index).unwrap() + "\n";
    let messages = vectors.iter().map(|vector| (format!("{}.hex", vector.name), hex(&vector.message)));
    messages.chain([("index.json".to_owned(), index)]).collect()
}

#[test]
fn the_files_in_wit_vectors_are_what_this_test_would_write() {
    let wanted = files(&all());
    if std::env::var_os("CASPARIAN_BLESS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        wanted.iter().for_each(|(name, text)| fs::write(folder().join(name), text).unwrap());
    }
    let entries = fs::read_dir(folder()).expect("wit/vectors exists").map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let found: BTreeSet<String> = names.filter(|name| name != "README.md").collect();
    let hint = "read the difference, then run again with CASPARIAN_BLESS=1";
    assert_eq!(found, wanted.keys().cloned().collect(), "{hint}");
    for (name, text) in &wanted {
        assert!(fs::read_to_string(folder().join(name)).unwrap() == *text, "{name} has changed: {hint}");
    }
}

#[test]
fn every_vector_meets_its_verdict_and_refused_ones_never_reach_the_reader() {
    let vectors = all();
    let schemas: BTreeMap<&str, TableSchema> = vectors
        .iter()
        .filter(|vector| vector.schema.is_none() && vector.code.is_none())
        .map(|vector| (vector.name, wire::schema(&vector.message).unwrap()))
        .collect();
    for vector in &vectors {
        // The reader takes a `Checked` and nothing else, and the guard alone makes one: a refusal is before it by type.
        let met = match vector.schema {
            None => wire::schema(&vector.message).map(|schema| check_columns(&schema, &vector.message)),
            Some(schema) => wire::guard(&schemas[schema], &vector.message, &mut budget()).map(|checked| {
                check_reading(&schemas[schema], &checked, &vector.message);
            }),
        };
        check_verdict(vector, met);
    }
}

fn check_verdict(vector: &Vector, met: Result<(), WireFault>) {
    match (met, vector.code) {
        (Ok(()), None) => {}
        (Err(fault), Some(code)) => {
            assert_eq!(fault.code(), code, "{}: {fault}", vector.name);
            assert_eq!(fault.blame(), Blame::Guest, "{}: {fault}", vector.name);
        }
        (Ok(()), Some(code)) => panic!("{} was accepted, it should be refused: {code}", vector.name),
        (Err(fault), None) => panic!("{} was refused: {fault}", vector.name),
    }
}

#[test]
fn every_code_of_a_refusal_has_a_vector() {
    let source = include_str!("../../src/wire/fault.rs");
    let codes = source.lines().filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","));
    let shown: BTreeSet<&str> = all().iter().filter_map(|vector| vector.code).collect();
    // The one that is our own fault cannot be provoked.
    let bare: Vec<&str> = codes.filter(|code| !shown.contains(code) && *code != "batch-reader").collect();
    assert_eq!(bare, [""; 0]);
}

#[test]
fn names_of_vectors_are_unique() {
    let vectors = all();
    let names: BTreeSet<&str> = vectors.iter().map(|vector| vector.name).collect();
    assert_eq!(names.len(), vectors.len());
}

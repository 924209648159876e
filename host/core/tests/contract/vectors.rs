//! The vectors of `docs/spec/vectors/contract`: files that must be read as written there, and files that must be refused
//! for the faults written there. `CASPARIAN_BLESS=1` writes what is read now; look at the difference before you keep it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use casparian_core::contract::{canon, odcs};
use casparian_core::id::Digest;
use serde::{Deserialize, Serialize};

/// What is said of each file, by its name without `.odcs.yaml`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Index {
    accepted: BTreeMap<String, Accepted>,
    refused: BTreeMap<String, Vec<Finding>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Accepted {
    contract_hash: String,
    notes: Vec<Finding>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Finding {
    line: u32,
    column: u32,
    code: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/contract")
}

fn blesses() -> bool {
    std::env::var_os("CASPARIAN_BLESS").is_some()
}

/// Returns the files of a room, by name.
fn files(room: &str) -> BTreeMap<String, Vec<u8>> {
    let entries =
        fs::read_dir(folder().join(room)).expect("the vectors").map(|entry| entry.expect("a file").path());
    let name = |path: &Path| Some(path.file_name()?.to_str()?.strip_suffix(".odcs.yaml")?.to_owned());
    entries.filter_map(|path| Some((name(&path)?, fs::read(&path).expect("a file")))).collect()
}

/// Compares with a file, or writes it.
#[track_caller]
fn compare(path: &Path, is: &str) {
    if blesses() {
        fs::write(path, is).expect("written");
    }
    let said = fs::read_to_string(path).unwrap_or_default();
    assert!(said == is, "{} says\n{said}\nand it is\n{is}", path.display());
}

fn accepted(name: &str, yaml: &[u8]) -> Accepted {
    let read = odcs::read(yaml).unwrap_or_else(|faults| panic!("{name}: {:#?}", faults.faults()));
    let path = folder().join(format!("accepted/{name}.canonical.json"));
    compare(&path, &canon::canonical(&read.contract));
    let digest = Digest::of(&fs::read(&path).expect("the canonical text"));
    assert_eq!(canon::hash(&read.contract), digest, "{name}");
    let notes = read.notes.into_iter().map(|note| finding(note.at, note.code)).collect();
    Accepted { contract_hash: canon::hash(&read.contract).to_string(), notes }
}

fn refused(name: &str, yaml: &[u8]) -> Vec<Finding> {
    let faults = match odcs::read(yaml) {
        Ok(read) => panic!("{name} is read: {read:#?}"),
        Err(faults) => faults,
    };
    faults.faults().iter().map(|fault| finding(fault.at, fault.code)).collect()
}

fn finding(at: odcs::Place, code: &str) -> Finding {
    Finding { line: at.line, column: at.column, code: code.to_owned() }
}

#[test]
fn every_vector_is_read_as_it_says() {
    let index = Index {
        accepted: files("accepted").iter().map(|(name, yaml)| (name.clone(), accepted(name, yaml))).collect(),
        refused: files("refused").iter().map(|(name, yaml)| (name.clone(), refused(name, yaml))).collect(),
    };
    assert!(index.accepted.len() > 5 && index.refused.len() > 20, "the vectors have gone astray");
    let text = serde_json::to_string_pretty(&index).expect("JSON");
    compare(&folder().join("index.json"), &format!("{text}\n"));
}

#[test]
fn two_files_that_say_the_same_have_one_hash() {
    for (one, other) in [("least", "least-in-other-words"), ("values", "values-in-other-words")] {
        let files = files("accepted");
        let hash = |name: &str| canon::hash(&odcs::read(&files[name]).expect("accepted").contract);
        assert_eq!(hash(one), hash(other), "{one}");
    }
}

#[test]
fn the_examples_are_contracts_without_faults() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/contracts");
    for entry in fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("a file").path();
        let read = odcs::read(&fs::read(&path).expect("a file"));
        assert_eq!(read.map(|read| read.notes).as_deref(), Ok(&[][..]), "{}", path.display());
    }
}

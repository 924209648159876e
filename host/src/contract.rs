//! Contracts by themselves, without a run: reads one from a file or out of a component, says what is wrong with it, what it
//! says, and what it changes of another.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use casparian_core::contract::amend::{self, Amendment};
use casparian_core::contract::odcs::{self, ContractFault, ContractFaults, Note, Place};
use casparian_core::contract::{Contract, canon, export};
use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_sandbox::section::{self, CONTRACT_BYTES_MAX};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::component::Component;
use crate::terms::WASM;

/// The version of the shapes of this room.
pub const CONTRACT_SCHEMA: u32 = 1;

/// What is wrong with a contract, or odd about it.
#[derive(Debug, Clone, Serialize)]
pub struct Lint {
    /// The file that was named.
    pub path: String,
    /// Whether the contract came out of a component.
    pub embedded: bool,
    /// Its name and version, where it could be read.
    #[serde(flatten)]
    pub identity: Option<Identity>,
    /// Why there is nothing to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultReport>,
    /// Faults, or notes where there are no faults, in the order of the file.
    pub findings: Vec<Finding>,
    /// How many faults there are in all; not all of them are listed.
    pub faults: usize,
}

/// Which contract it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of its canonical JSON.
    pub hash: Digest,
}

impl Identity {
    fn of(contract: &Contract) -> Self {
        let (id, version) = (contract.id.clone(), contract.version.clone());
        Self { id, version, hash: canon::hash(contract) }
    }
}

/// One thing that is wrong or odd.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Whether it is an error or a warning.
    pub severity: Gravity,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// A stable machine word in kebab case.
    pub code: &'static str,
    /// A lower-case fragment with its numbers, already escaped.
    pub message: String,
    /// The next move.
    pub hint: Option<String>,
    /// The line as the file has it: a stranger's words.
    #[serde(skip)]
    pub source: String,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// The contract cannot be used.
    Error,
    /// It can, and something in it is hardly meant.
    Warning,
}

/// Why there is no contract.
#[derive(Debug)]
pub enum Refused {
    /// Nothing could be read.
    Unread(FaultReport),
    /// What was read is no contract.
    Faulty(Box<Lint>),
}

impl From<FaultReport> for Refused {
    fn from(fault: FaultReport) -> Self {
        Refused::Unread(fault)
    }
}

/// A contract, read.
#[derive(Debug)]
pub struct Shown {
    /// Which it is.
    pub identity: Identity,
    /// What it says.
    pub contract: Contract,
    /// What is odd about it.
    pub lint: Lint,
}

impl Shown {
    /// Returns its canonical JSON, of which its hash is taken.
    pub fn canonical(&self) -> String {
        canon::canonical(&self.contract)
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            schema: u32,
            #[serde(flatten)]
            identity: &'a Identity,
            embedded: bool,
            contract: Value,
            notes: &'a [Finding],
        }
        let contract = serde_json::from_str(&self.canonical()).map_err(serde::ser::Error::custom)?;
        let Shown { identity, lint, .. } = self;
        let (embedded, notes) = (lint.embedded, lint.findings.as_slice());
        Shape { schema: CONTRACT_SCHEMA, identity, embedded, contract, notes }.serialize(serializer)
    }
}

/// What one contract changes of another.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// [`CONTRACT_SCHEMA`].
    pub schema: u32,
    /// The one that is changed.
    pub old: Identity,
    /// The one that changes it.
    pub new: Identity,
    /// What is changed, and the class of it.
    #[serde(flatten)]
    pub amendment: Amendment,
}

/// Another language for a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// JSON Schema, 2020-12.
    JsonSchema,
    /// Arrow's schemas, in its JSON format.
    Arrow,
}

/// Says what is wrong with the contract in a file or a component, or odd about it.
pub fn lint(path: &Path) -> Lint {
    match read(path) {
        Ok(Shown { lint, .. }) => lint,
        Err(Refused::Faulty(lint)) => *lint,
        Err(Refused::Unread(fault)) => Lint { fault: Some(fault), ..Lint::of(path, false) },
    }
}

/// Reads the contract in a file or a component.
pub fn read(path: &Path) -> Result<Shown, Refused> {
    let Words { text, embedded } = words(path)?;
    let lint = Lint::of(path, embedded);
    match odcs::read(&text) {
        Ok(odcs::Read { contract, notes }) => {
            let identity = Identity::of(&contract);
            let findings = notes.into_iter().map(|note| Finding::noted(note, &text)).collect();
            let lint = Lint { identity: Some(identity.clone()), findings, ..lint };
            Ok(Shown { identity, contract, lint })
        }
        Err(faults) => Err(Refused::Faulty(Box::new(lint.with(&faults, &text)))),
    }
}

/// Says what one contract changes of another.
pub fn diff(old: &Path, new: &Path) -> Result<Difference, Refused> {
    let (old, new) = (read(old)?, read(new)?);
    let amendment = amend::diff(&old.contract, &new.contract);
    Ok(Difference { schema: CONTRACT_SCHEMA, old: old.identity, new: new.identity, amendment })
}

/// Says a contract in another language.
pub fn export(path: &Path, language: Language) -> Result<Value, Refused> {
    let Shown { contract, .. } = read(path)?;
    Ok(match language {
        Language::JsonSchema => export::json_schema(&contract),
        Language::Arrow => export::arrow(&contract),
    })
}

impl Lint {
    fn of(path: &Path, embedded: bool) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self { path, embedded, identity: None, fault: None, findings: Vec::new(), faults: 0 }
    }

    fn with(self, faults: &ContractFaults, text: &[u8]) -> Self {
        let findings = faults.faults().iter().map(|fault| Finding::faulted(fault, text)).collect();
        Self { findings, faults: faults.count(), ..self }
    }
}

impl Finding {
    fn faulted(fault: &ContractFault, text: &[u8]) -> Self {
        let ContractFault { at, code, message, hint } = fault.clone();
        Self::at(Gravity::Error, at, code, message, hint, text)
    }

    fn noted(note: Note, text: &[u8]) -> Self {
        Self::at(Gravity::Warning, note.at, note.code, note.message, note.hint, text)
    }

    fn at(
        severity: Gravity,
        at: Place,
        code: &'static str,
        message: String,
        hint: Option<String>,
        text: &[u8],
    ) -> Self {
        let source = line(text, at.line);
        Self { severity, line: at.line, column: at.column, code, message, hint, source }
    }
}

/// Returns a line of a text, from 1.
fn line(text: &[u8], number: u32) -> String {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let nth = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let line = text.split(|byte| *byte == b'\n').nth(nth).unwrap_or_default();
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// A contract as it is written.
struct Words {
    text: Vec<u8>,
    embedded: bool,
}

fn words(path: &Path) -> Result<Words, FaultReport> {
    let text = File::open(path).and_then(read_to_limit).map_err(|error| unread(path, &error))?;
    if !text.starts_with(WASM) {
        // What is too long is for the reader of contracts to say.
        return Ok(Words { text, embedded: false });
    }
    let component = Component::open(path)?.read()?;
    match section::contract(&component) {
        Ok(Some(text)) => Ok(Words { text: text.to_vec(), embedded: true }),
        Ok(None) => Err(no_contract(path)),
        Err(fault) => Err(fault.report()),
    }
}

/// Reads one byte more than there may be, so that who looks at the length sees that there is too much.
fn read_to_limit(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(CONTRACT_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn unread(path: &Path, error: &io::Error) -> FaultReport {
    let message = format!("cannot read {}: {error}", shown(path));
    let hint = Some("a contract is a file of YAML, or stands in a component".to_owned());
    FaultReport { blame: Blame::Operator, code: "contract-unreadable".to_owned(), message, hint, at: None }
}

fn shown(path: &Path) -> GuestText {
    GuestText::new(&path.to_string_lossy(), 4096)
}

fn no_contract(path: &Path) -> FaultReport {
    let message = format!("{} carries no contract", shown(path));
    let hint = Some("the types that it declares are its contract; `host inspect` shows them".to_owned());
    FaultReport { blame: Blame::Operator, code: "no-contract".to_owned(), message, hint, at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_without_its_end_and_without_a_mark_before_the_first() {
        let text = b"\xef\xbb\xbfone\r\ntwo\n";
        assert_eq!([line(text, 1), line(text, 2), line(text, 9)], ["one", "two", ""]);
    }
}

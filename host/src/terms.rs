//! What a run is judged by: the contract that somebody gave, the one that its component carries, or none.
//!
//! The supervisor finds the words and hands them over in sealed memory; it reads only those that its own user gave, to refuse
//! them early. A component's contract is a stranger's text, so it is the worker that reads it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use casparian_core::contract::odcs::{self, ContractFaults};
use casparian_core::contract::{Contract, canon};
use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_sandbox::section::{self, CONTRACT_BYTES_MAX};

use crate::code_cache::{read_sealed, seal};
use crate::component::Component;
use crate::report::{ContractOrigin, ContractReport};
use crate::request::ContractChoice;

/// What a component begins with.
pub(crate) const WASM: &[u8] = b"\0asm";

/// The words of a contract, on their way to the worker.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) origin: ContractOrigin,
    /// Sealed memory.
    pub(crate) text: File,
}

impl Terms {
    /// Finds the contract that was chosen.
    pub(crate) fn find(choice: &ContractChoice, component: &Component) -> Result<Option<Self>, FaultReport> {
        match choice {
            ContractChoice::Declared => Ok(None),
            ContractChoice::File(path) => {
                let (text, _) = read_given(path)?;
                Self::sealed(ContractOrigin::Given, &text).map(Some)
            }
            ContractChoice::Default if component.program().is_some() => Self::of_program(component),
            ContractChoice::Default => match section::contract(&component.read()?) {
                Ok(Some(text)) => Self::sealed(ContractOrigin::Embedded, text).map(Some),
                Ok(None) => Ok(None),
                Err(fault) => Err(fault.report()),
            },
        }
    }

    /// Finds the default contract of a program.
    pub(crate) fn of_program(component: &Component) -> Result<Option<Self>, FaultReport> {
        let text = component.program().and_then(|program| program.contract());
        text.map(|text| Self::sealed(ContractOrigin::Embedded, text)).transpose()
    }

    fn sealed(origin: ContractOrigin, text: &[u8]) -> Result<Self, FaultReport> {
        let text = seal(text).map_err(|error| FaultReport {
            blame: Blame::Host,
            code: "internal".to_owned(),
            message: format!("memory for the contract: {error}"),
            hint: None,
            at: None,
        })?;
        Ok(Self { origin, text })
    }
}

/// Reads a contract that somebody gave: its words, and what they mean.
pub(crate) fn read_given(path: &Path) -> Result<(Vec<u8>, Contract), FaultReport> {
    let text = read_file(path)?;
    let given = |faults: ContractFaults| of_file(path, faults.report());
    let contract = odcs::read(&text).map_err(given)?.contract;
    Ok((text, contract))
}

/// Reads the contract that a component carries.
pub(crate) fn embedded(component: &[u8]) -> Result<Option<(Contract, ContractReport)>, FaultReport> {
    let text = section::contract(component).map_err(|fault| fault.report())?;
    text.map(|text| understand(ContractOrigin::Embedded, text)).transpose()
}

/// Reads a contract out of the memory that a supervisor has handed over.
pub(crate) fn receive(origin: ContractOrigin, text: File) -> Result<(Contract, ContractReport), FaultReport> {
    let text = read_sealed(&text, CONTRACT_BYTES_MAX as u64 + 1).map_err(|error| FaultReport {
        blame: Blame::Host,
        code: "internal".to_owned(),
        message: format!("the contract's memory: {error}"),
        hint: None,
        at: None,
    })?;
    understand(origin, &text)
}

fn understand(origin: ContractOrigin, text: &[u8]) -> Result<(Contract, ContractReport), FaultReport> {
    let contract = odcs::read(text).map_err(|faults| blamed(origin, faults.report()))?.contract;
    let (id, version) = (contract.id.clone(), contract.version.clone());
    let report = ContractReport { id, version, hash: canon::hash(&contract), origin };
    Ok((contract, report))
}

/// Returns the digest of the contract in a file.
pub(crate) fn hash_of_file(path: &Path) -> Result<Digest, FaultReport> {
    let read = odcs::read(&read_file(path)?).map_err(|faults| of_file(path, faults.report()))?;
    Ok(canon::hash(&read.contract))
}

/// A contract that came with a component is the parser's fault.
fn blamed(origin: ContractOrigin, fault: FaultReport) -> FaultReport {
    match origin {
        ContractOrigin::Given => fault,
        ContractOrigin::Embedded => FaultReport {
            blame: Blame::Guest,
            message: format!("the default {}", fault.message),
            hint: Some("--no-contract or --contract FILE runs the parser without it".to_owned()),
            ..fault
        },
    }
}

fn of_file(path: &Path, fault: FaultReport) -> FaultReport {
    let shown = GuestText::new(&path.to_string_lossy(), 4096);
    FaultReport { message: format!("{shown}: {}", fault.message), ..fault }
}

fn read_file(path: &Path) -> Result<Vec<u8>, FaultReport> {
    let refuse = |code: &str, message: String, hint: &str| {
        let (code, hint) = (code.to_owned(), Some(hint.to_owned()));
        of_file(path, FaultReport { blame: Blame::Operator, code, message, hint, at: None })
    };
    let unread = |error: io::Error| {
        refuse("contract-unreadable", format!("cannot read the contract: {error}"), "--contract takes a file")
    };
    let text = File::open(path).and_then(read_to_limit).map_err(unread)?;
    if text.starts_with(WASM) {
        let message = "it is a component, and no contract".to_owned();
        let hint = "a parser is judged by the contract that it carries without --contract";
        return Err(refuse("contract-is-component", message, hint));
    }
    if text.len() > CONTRACT_BYTES_MAX {
        let message = format!("contract bytes: limit {CONTRACT_BYTES_MAX}, and there are more");
        return Err(refuse("contract-too-large", message, "a contract of many tables can be several"));
    }
    Ok(text)
}

/// Reads one byte more than there may be, so that who looks at the length sees that there is too much.
fn read_to_limit(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(CONTRACT_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

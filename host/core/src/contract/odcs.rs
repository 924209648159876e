//! Reads a contract from an ODCS 3.1.0 file in YAML: the strict profile that `docs/spec/contract.md` lays down.
//!
//! A file is read to its end before it is refused, so that all its faults are told at once, each with its place. Nothing
//! is guessed and nothing is passed over: a key that the profile does not know is a fault, unless it is documentation.
//! Contracts come out of hostile components too: size, depth, counts and the cost of every pattern are bounded.

mod column;
mod decoding;
mod document;
mod fault;
mod fields;
mod options;
mod physical;
mod quality;
mod table;
mod tree;
mod value;

pub use fault::{ContractFault, ContractFaults, FAULTS_MAX, NOTES_MAX, Note, Place};
pub use tree::{BYTES_MAX, DEPTH_MAX};

use fault::Findings;

use super::Contract;

/// A contract, and what is odd about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// What the file says, resolved.
    pub contract: Contract,
    /// What is allowed and hardly meant, in the order of the file.
    pub notes: Vec<Note>,
}

/// Reads a contract, or finds fault with it.
pub fn read(yaml: &[u8]) -> Result<Read, ContractFaults> {
    let mut reading = Reading::default();
    let contract =
        tree::read(yaml, &mut reading.found).and_then(|root| document::contract(&root, &mut reading));
    let notes = reading.found.close()?;
    // A contract that could not be made has left a fault, so this is never the answer to anything.
    let contract = contract.unwrap_or_else(document::nothing);
    Ok(Read { contract, notes })
}

/// One reading of one file: what it has found and what it may still spend.
#[derive(Debug)]
struct Reading {
    found: Findings,
    /// Patterns and expressions that may still be compiled.
    trials_left: usize,
}

/// Most patterns and expressions of one contract, together. Each may take milliseconds to compile.
const TRIALS_MAX: usize = 512;

impl Default for Reading {
    fn default() -> Self {
        Self { found: Findings::default(), trials_left: TRIALS_MAX }
    }
}

impl Reading {
    /// Spends one of the trials, or finds fault.
    fn try_one(&mut self, at: Place) -> bool {
        if self.trials_left == 0 {
            let message = format!("more than {TRIALS_MAX} patterns and expressions in one contract");
            self.found.fault(at, "too-many", message);
            return false;
        }
        self.trials_left = self.trials_left.saturating_sub(1);
        true
    }
}

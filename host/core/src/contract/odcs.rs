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
    let mut contract = contract.unwrap_or_else(document::nothing);
    super::canon::put_in_order(&mut contract);
    Ok(Read { contract, notes })
}

/// One reading of one file: what it has found and what it may still spend.
#[derive(Debug)]
struct Reading {
    found: Findings,
    /// What may still be spent on compiling patterns and expressions.
    trials_left: usize,
}

/// What compiling may cost in one contract.
const TRIALS_MAX: usize = 2048;
/// What a pattern or an expression costs: it may take a few milliseconds.
const TRIAL: usize = 4;
/// What each class of a pattern costs that ignores case: that of all letters takes as long as two patterns.
const FOLDED_CLASS: usize = 8;

impl Default for Reading {
    fn default() -> Self {
        Self { found: Findings::default(), trials_left: TRIALS_MAX }
    }
}

impl Reading {
    /// Pays for an expression, or finds fault.
    fn try_expression(&mut self, at: Place) -> bool {
        self.pay(TRIAL, at)
    }

    /// Pays for a pattern, or finds fault.
    fn try_pattern(&mut self, pattern: &str, at: Place) -> bool {
        let ignores_case = pattern
            .split("(?")
            .skip(1)
            .any(|rest| rest.split([':', ')', '-']).next().is_some_and(|flags| flags.contains('i')));
        let classes = ["[", "\\p", "\\P"].iter().map(|class| pattern.matches(class).count()).sum::<usize>();
        let folded = if ignores_case { classes } else { 0 };
        self.pay(TRIAL.saturating_add(folded.saturating_mul(FOLDED_CLASS)), at)
    }

    fn pay(&mut self, cost: usize, at: Place) -> bool {
        let Some(left) = self.trials_left.checked_sub(cost) else {
            let most = TRIALS_MAX / TRIAL;
            let message =
                format!("too many patterns and expressions: {most}, or fewer where patterns ignore case");
            let hint = "list values instead, or name the letters that are meant: `[A-Za-z]`";
            self.found.fault_with_hint(at, "too-many", message, hint);
            return false;
        };
        self.trials_left = left;
        true
    }
}

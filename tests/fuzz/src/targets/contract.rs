//! The reader of contracts: what it reads has one canonical form, differs in nothing from itself, and can be exported; what
//! it refuses it refuses in words.

use casparian_core::contract::{amend, canon, export, odcs};

use super::{assert_harmless, assert_refusal};
use crate::{Target, vectors};
use casparian_core::fault::Blame;

pub(super) const TARGET: Target = Target { name: "contract", bytes_max: 16_384, run, seeds };

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vectors::files("docs/spec/vectors/contract", ".yaml");
    seeds.extend(vectors::files("guests", "contract.odcs.yaml"));
    seeds
}

fn run(yaml: &[u8]) {
    match odcs::read(yaml) {
        Ok(read) => {
            let canonical = canon::canonical(&read.contract);
            serde_json::from_str::<serde_json::Value>(&canonical).expect("the canonical form is JSON");
            let again = odcs::read(yaml).expect("it was read before").contract;
            assert_eq!(canon::canonical(&again), canonical);
            assert_eq!(amend::diff(&read.contract, &again).operations, []);
            let _ = (export::json_schema(&read.contract), export::arrow(&read.contract));
            read.notes.iter().for_each(|note| assert_harmless(&note.to_string()));
        }
        Err(faults) => {
            assert_refusal(&faults, Blame::Operator);
            assert!(!faults.faults().is_empty() && faults.count() >= faults.faults().len());
            faults.faults().iter().for_each(|fault| assert_harmless(&fault.to_string()));
        }
    }
}

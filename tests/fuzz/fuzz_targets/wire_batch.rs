//! A batch that is accepted is read without a fault, holds only valid arrays, and is what Arrow reads.

#![no_main]

use casparian_core::fault::{Blame, Blamed};
use casparian_core::limits::{Budget, Limits};
use casparian_core::wire;
use casparian_fuzz::TABLES;
use casparian_fuzz::oracle::check_reading;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, message)) = input.split_first() else { return };
    let (_, schema) = &TABLES[usize::from(*choice) % TABLES.len()];
    match wire::guard(schema, message, &mut Budget::new(&Limits::default(), 0)) {
        Ok(checked) => drop(check_reading(schema, &checked, message)),
        Err(fault) => assert_eq!(fault.blame(), Blame::Guest, "{fault}"),
    }
});

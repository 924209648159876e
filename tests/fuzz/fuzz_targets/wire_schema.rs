//! A schema that is accepted has the columns that Arrow reads from it.

#![no_main]

use casparian_core::fault::{Blame, Blamed};
use casparian_core::wire;
use casparian_fuzz::oracle::check_columns;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    match wire::schema(message) {
        Ok(schema) => check_columns(&schema, message),
        Err(fault) => assert_eq!(fault.blame(), Blame::Guest, "{fault}"),
    }
});

//! libFuzzer over the target that `CASPARIAN_FUZZ` names. With `CASPARIAN_FUZZ_SEEDS` it writes what fuzzing begins with
//! into that folder, and ends.

#![no_main]

use std::env;
use std::fs;
use std::path::Path;
use std::process;
use std::sync::LazyLock;

use casparian_fuzz::{TARGETS, Target, target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("CASPARIAN_FUZZ").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    target(&name).unwrap_or_else(|| panic!("CASPARIAN_FUZZ is to be one of {}", names.join(", ")))
});

libfuzzer_sys::fuzz_target!(init: {
    if let Some(folder) = env::var_os("CASPARIAN_FUZZ_SEEDS") {
        for (number, input) in TARGET.corpus().iter().enumerate() {
            let path = Path::new(&folder).join(format!("seed-{number}"));
            fs::write(path, input).expect("the folder of seeds takes files");
        }
        process::exit(0);
    }
}, |input: &[u8]| (TARGET.run)(input));

//! What of the SDK for Python is compiled says the same as what stands in for it elsewhere, which is what says what is right.

use std::path::PathBuf;

use crate::host::{Desk, OUT, root};
use crate::tables;

/// The program that says everything twice.
fn same() -> PathBuf {
    root().join("tests/speed/same.py")
}

/// Seeds of one run: as many as its fuel lasts for.
const SEEDS: u32 = 60;

#[test]
fn what_is_compiled_says_what_python_says() {
    for run in 0..4 {
        let seeds: String = (0..SEEDS).map(|seed| format!("seed {}\n", run * SEEDS + seed)).collect();
        let desk = Desk::new(seeds.as_bytes());
        let report = desk.run(&same()).done().assert_completed();
        assert_eq!(report["tables"][0]["accepted"], SEEDS, "{report}");
        let said = tables::numbers(&tables::read(&desk.path(OUT).join("done.parquet")), "said");
        let said: Vec<u64> = said.into_iter().flatten().collect();
        let rich = said.iter().filter(|count| **count >= 20).count();
        assert!(said.iter().sum::<u64>() > 1_000 && rich >= 10, "scripts say much: {said:?}");
    }
}

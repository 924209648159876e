//! Receipts: what is read is written as it was, and steers no terminal; a claim is like itself.

use casparian_core::fault::Blame;
use casparian_core::guest_text::steers;
use casparian_core::id::Digest;
use casparian_core::limits::Limits;
use casparian_core::receipt::{Circumstances, Claim, CodeCache, LogCircumstances, Receipt};
use serde_json::Value;

use super::assert_refusal;
use crate::{Target, vectors};

pub(super) const TARGET: Target = Target { name: "receipt", bytes_max: 16_384, run, seeds };

/// Claims that are kept for others. Where those leave a parser's digest open there is one here.
fn seeds() -> Vec<Vec<u8>> {
    let receipt = |claim: Vec<u8>| {
        let claim = String::from_utf8_lossy(&claim)
            .replace("\"sha256\": null", &format!("\"sha256\": \"{}\"", "0".repeat(64)));
        Some(sealed(serde_json::from_str(&claim).ok()?)?.into_bytes())
    };
    vectors::files("tests/golden", "claim.json").into_iter().filter_map(receipt).collect()
}

/// Seals a claim as a run does.
fn sealed(claim: Claim) -> Option<String> {
    Receipt::new(claim, circumstances()).and_then(|receipt| receipt.to_json()).ok()
}

fn circumstances() -> Circumstances {
    Circumstances {
        host_version: "0.1.0".to_owned(),
        engine: "engine 1".to_owned(),
        isolation: "L1".to_owned(),
        isolation_missing: vec!["seccomp: none".to_owned()],
        input_path: "logs/a.log".to_owned(),
        input_path_hex: None,
        contract_origin: None,
        fuel: 1,
        memory_peak_bytes: 1,
        limits: Limits::default(),
        log: LogCircumstances { lines: 0, lines_dropped: 0, sha256: Digest::of(b"") },
        short_reads: None,
        format: "parquet".to_owned(),
        batch_bytes: 1,
        range_bytes: None,
        ranges: 1,
        on_trap: Some(casparian_core::isolate::OnTrap::Isolate),
        traps: casparian_core::isolate::Toll::default(),
        threads: 2,
        code_cache: CodeCache::Warm,
        wall_ms: 1,
        files: Vec::new(),
    }
}

/// No fuzzer guesses a digest: what is no receipt as it stands is tried once more with its claim sealed.
fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    check(text);
    if let Some(text) = resealed(text) {
        check(&text);
    }
}

fn resealed(text: &str) -> Option<String> {
    let receipt: Value = serde_json::from_str(text).ok()?;
    sealed(serde_json::from_value(receipt.get("claim")?.clone()).ok()?)
}

fn check(text: &str) {
    match Receipt::read(text) {
        Ok(receipt) => {
            let written = receipt.to_json().expect("it came from JSON");
            assert!(!written.chars().any(|c| c != '\n' && steers(c)), "{written:?}");
            assert_eq!(Receipt::read(&written).expect("it was written by us"), receipt);
            let itself = receipt.claim.compare(&receipt.claim).expect("a claim is JSON");
            assert_eq!(itself.different, []);
        }
        Err(fault) => assert_refusal(&fault, Blame::Input),
    }
}

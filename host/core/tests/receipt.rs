//! Receipts as a stranger may have edited them.

use std::collections::BTreeMap;

use casparian_core::flow::Tally;
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_core::ledger::{Account, ByteClasses};
use casparian_core::limits::Limits;
use casparian_core::receipt::{
    Asked, Circumstances, Claim, CodeCache, ComponentClaim, InputClaim, LogCircumstances, OptionsClaim,
    Parties, Receipt,
};
use proptest::prelude::*;

fn receipt() -> Receipt {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let parties = Parties {
        component: ComponentClaim {
            name: GuestText::new("trades \u{202e}", 64),
            version: GuestText::new("1.0.0", 64),
            sha256: digest("parser"),
        },
        input: InputClaim { name: "a.log".to_owned(), sha256: digest("input"), bytes: 10, unpacked: None },
        contract: None,
        options: OptionsClaim {
            sha256: digest("options"),
            values: BTreeMap::from([("encoding".to_owned(), "\"\\\u{7}".to_owned())]),
        },
        asked: Asked { tables: None, strict: false },
    };
    let mut tally = Tally { records: 3, ..Tally::default() };
    tally.quarantine.digest = Some(digest("quarantine"));
    let classes = ByteClasses { accepted_bytes: 7, quarantined_bytes: 1, skipped_bytes: 2, dark_bytes: 0 };
    let account = Account { classes, dark: Vec::new(), dark_ranges: 0 };
    let circumstances = Circumstances {
        host_version: "0.1.0".to_owned(),
        engine: "engine 1".to_owned(),
        isolation: "L1".to_owned(),
        isolation_missing: Vec::new(),
        input_path: "logs/a.log".to_owned(),
        input_path_hex: None,
        contract_origin: None,
        fuel: 1,
        memory_peak_bytes: 2,
        limits: Limits::default(),
        log: LogCircumstances { lines: 0, lines_dropped: 0, sha256: digest("") },
        short_reads: None,
        format: "parquet".to_owned(),
        batch_bytes: 3,
        range_bytes: None,
        ranges: 1,
        on_trap: Some(casparian_core::isolate::OnTrap::Isolate),
        traps: casparian_core::isolate::Toll::default(),
        threads: 2,
        code_cache: CodeCache::Cold,
        wall_ms: 4,
        files: Vec::new(),
    };
    Receipt::new(Claim::new(parties, &tally, &account).expect("counted"), circumstances).expect("sealed")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_is_edited_no_other_claim_is_believed(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut bytes = receipt().to_json().expect("JSON").into_bytes();
        for (at, byte, what) in edits {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(read) = Receipt::read(&String::from_utf8_lossy(&bytes)) {
            prop_assert_eq!(read.claim, receipt().claim);
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_refused(text in ".{0,200}") {
        let _ = Receipt::read(&text);
    }
}

//! Bundles: what is read is written to the same bytes, and no name in it leads out of it.

use std::collections::BTreeMap;

use casparian_core::fault::Blamed as _;
use casparian_host::program::Bundle;

use super::assert_harmless;
use crate::Target;

pub(super) const TARGET: Target = Target { name: "bundle", bytes_max: 4096, run, seeds };

fn bundle(files: &[(&str, &str)]) -> Vec<u8> {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    let files: BTreeMap<_, _> = files.collect();
    let bundle = Bundle { entry: "parser".to_owned(), dependencies: Vec::new(), files };
    bundle.to_bytes().expect("a good bundle")
}

fn seeds() -> Vec<Vec<u8>> {
    let two = [("parser.py", "import a.b\n"), ("a/b.py", "x = 1\n")];
    vec![bundle(&two), bundle(&two[..1]), b"PK\x03\x04".to_vec()]
}

fn run(bytes: &[u8]) {
    match Bundle::from_bytes(bytes) {
        Ok(read) => {
            assert_eq!(read.to_bytes().ok().as_deref(), Some(bytes));
            let leads_out = |name: &String| name.starts_with('/') || name.split('/').any(|part| part == "..");
            assert!(!read.files.keys().any(leads_out), "{:?}", read.files.keys());
        }
        Err(fault) => {
            assert_harmless(&fault.to_string());
            assert!(!fault.code().is_empty());
        }
    }
}

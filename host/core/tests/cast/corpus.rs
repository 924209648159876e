//! The corpus of value changes: texts that readers commonly take for a value that does not write back.

use casparian_core::contract::Decoding;
use serde_json::Value as Json;

use crate::oracle::is_same;
use crate::{cast_text, data_type};

const CORPUS: &str = include_str!("../../../../tests/peers/corpus.jsonl");

const PAGE: &str = include_str!("../../../../docs/value-changes.md");

#[test]
fn no_text_of_the_corpus_is_changed() {
    let mut changed = Vec::new();
    let (mut kept, mut rejected) = (0, 0);
    for line in CORPUS.lines() {
        let case: Json = serde_json::from_str(line).expect("a case");
        let text = case["text"].as_str().expect("a text");
        let to = data_type(case["type"].as_str().expect("a type"));
        match cast_text(text, &to, &Decoding::default()) {
            Ok(Some(value)) if is_same(text, &value, &to) => kept += 1,
            Ok(value) => changed.push(format!("{line}\n    became {value:?}")),
            Err(_) => rejected += 1,
        }
    }
    assert!(changed.is_empty(), "{} texts are changed:\n{}", changed.len(), changed.join("\n"));
    assert!(CORPUS.lines().count() >= 500, "the corpus is not all there");
    let row = format!("| Casparian | {kept} | 0 | {rejected} | 0 | 0 | 0 |");
    assert!(PAGE.contains(&row), "docs/value-changes.md does not say: {row}");
}

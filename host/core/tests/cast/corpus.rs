//! The corpus of value changes: texts that readers commonly take for a value that does not write back.

use casparian_core::contract::Decoding;
use serde_json::Value as Json;

use crate::oracle::is_same;
use crate::{cast_text, data_type};

const CORPUS: &str = include_str!("../../../../tests/peers/corpus.jsonl");

#[test]
fn no_text_of_the_corpus_is_changed() {
    let mut changed = Vec::new();
    for line in CORPUS.lines() {
        let case: Json = serde_json::from_str(line).expect("a case");
        let text = case["text"].as_str().expect("a text");
        let to = data_type(case["type"].as_str().expect("a type"));
        if let Ok(value) = cast_text(text, &to, &Decoding::default()) {
            let is_kept = value.as_deref().is_some_and(|value| is_same(text, value, &to));
            changed.extend((!is_kept).then(|| format!("{line}\n    became {value:?}")));
        }
    }
    assert!(changed.is_empty(), "{} texts are changed:\n{}", changed.len(), changed.join("\n"));
    assert!(CORPUS.lines().count() >= 500, "the corpus is not all there");
}

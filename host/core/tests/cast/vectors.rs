//! The vectors of the specification.

use serde_json::Value as Json;

use crate::{cast_text, data_type, decoding};

const TEXTS: &str = include_str!("../../../../docs/spec/vectors/cast.jsonl");

#[test]
fn every_vector_of_a_text_holds() {
    let mut broken = Vec::new();
    for line in TEXTS.lines() {
        let vector: Json = serde_json::from_str(line).expect("a vector");
        let to = data_type(vector["type"].as_str().expect("a type"));
        let text = vector["text"].as_str().expect("a text");
        let found = cast_text(text, &to, &decoding(&vector["decoding"]));
        let is_met = match (&found, vector["code"].as_str()) {
            (Err(code), Some(wanted)) => code.as_str() == wanted,
            (Ok(value), None) => value.as_deref() == vector["value"].as_str(),
            _ => false,
        };
        broken.extend((!is_met).then(|| format!("{line}\n    gave {found:?}")));
    }
    assert!(broken.is_empty(), "{} vectors are broken:\n{}", broken.len(), broken.join("\n"));
    assert!(TEXTS.lines().count() >= 300, "the vectors are not all there");
}

//! The digest of a claim: SHA-256 of its canonical JSON ([RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)).
//!
//! A dataset has a claim for each of its inputs, and nearly all claims are plain: what serde_json writes of them is canonical as it
//! is. The others go the long way, which takes five times as long.

use serde::Serialize;
use serde_json::Value;

use super::EXACT_MAX;
use crate::id::Digest;

/// Takes the digest of a claim.
pub(super) fn digest(claim: &impl Serialize) -> Result<Digest, serde_json::Error> {
    let value = serde_json::to_value(claim)?;
    let text = if is_plain(&value) {
        serde_json::to_vec(&value)?
    } else {
        serde_json_canonicalizer::to_vec(&value)?
    };
    Ok(Digest::of(&text))
}

/// Whether two orders are one, that of bytes, in which serde_json has the keys of an object, and that of UTF-16, in which
/// section 3.2.3 wants them; and whether every number is written out, as section 3.2.2.3 wants those that a double holds.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_u64().is_some_and(|number| number <= EXACT_MAX),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(entries) => entries.iter().all(|(key, value)| key.is_ascii() && is_plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn is_as_by_the_book(value: &Value) -> bool {
        digest(value).unwrap() == Digest::of(&serde_json_canonicalizer::to_vec(value).unwrap())
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (EXACT_MAX - 2..EXACT_MAX + 3).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let key = prop_oneof!["[a-z_]{0,4}", "[\\x00-\\x7f]{0,3}", any::<String>()];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(key, inner, 0..6).prop_map(Value::from_iter),
            ]
        })
    }

    #[test]
    fn keys_beyond_ascii_and_numbers_beyond_a_double_go_the_long_way() {
        // In UTF-8 the first of these keys comes first, in UTF-16 the second.
        for odd in [json!({"\u{e000}": 1, "\u{10000}": 2}), json!(EXACT_MAX + 2), json!(1.0), json!(-1)] {
            assert!(!is_plain(&odd) && is_as_by_the_book(&odd), "{odd}");
        }
        assert!(is_plain(&json!({"b": [EXACT_MAX, "\u{10000}\u{1f}"], "a": null})));
    }

    proptest! {
        #[test]
        fn both_ways_are_one(value in values()) {
            prop_assert!(is_as_by_the_book(&value), "{}", value);
        }
    }
}

//! Strangers' words: cut at their bound, and shown so that no terminal is steered.

use casparian_core::guest_text::{GuestText, steers};
use casparian_core::id::TableName;

use super::assert_harmless;
use crate::Target;

pub(super) const TARGET: Target = Target { name: "names", bytes_max: 512, run, seeds };

/// What the cut adds.
const MARK_BYTES: usize = "…".len();

fn seeds() -> Vec<Vec<u8>> {
    [
        "\u{5}a\u{1b}]52;c\u{7}\u{9b}2J\r\u{202e}b\0",
        "\u{40}ääää",
        "\u{9}con",
        "\u{3}../x",
        "\u{0}",
        "\u{4}\u{e0041}\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// The first byte is the bound.
fn run(input: &[u8]) {
    let Some((bound, rest)) = input.split_first() else { return };
    let (bytes_max, text) = (usize::from(*bound), String::from_utf8_lossy(rest));
    let kept = GuestText::new(&text, bytes_max);
    assert!(kept.raw().len() <= bytes_max + MARK_BYTES);
    assert!(kept.raw() == text || text.len() > bytes_max);
    assert_harmless(&kept.to_string());
    assert_harmless(&format!("{kept:?}"));
    assert!(!kept.lines().to_string().chars().any(|c| c != '\n' && steers(c)));
    let is_plain = |name: &str| {
        name.len() <= 63 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if let Some(name) = TableName::new(&text) {
        assert!(is_plain(name.as_str()) && name.as_str().starts_with(|c: char| c.is_ascii_lowercase()));
    }
}

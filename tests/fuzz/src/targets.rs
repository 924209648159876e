//! The targets. Each is a file with a property and its seeds.

#[cfg(feature = "host")]
mod bundle;
#[cfg(feature = "host")]
mod component;
mod contract;
mod expression;
mod names;
#[cfg(feature = "host")]
mod news;
#[cfg(feature = "host")]
mod packing;
mod receipt;
#[cfg(feature = "host")]
mod smith;
mod wire;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::steers;

use crate::Target;

/// Everything that is fuzzed.
pub const TARGETS: &[Target] = &[
    wire::SCHEMA,
    wire::BATCH,
    contract::TARGET,
    expression::TARGET,
    names::TARGET,
    receipt::TARGET,
    #[cfg(feature = "host")]
    component::PRECHECK,
    #[cfg(feature = "host")]
    component::SECTION,
    #[cfg(feature = "host")]
    bundle::TARGET,
    #[cfg(feature = "host")]
    news::TARGET,
    #[cfg(feature = "host")]
    packing::TARGET,
    #[cfg(feature = "host")]
    smith::GUEST,
    #[cfg(feature = "host")]
    smith::STRANGER,
];

/// A refusal names who has to act, has a code, and steers no terminal.
pub(crate) fn assert_refusal(fault: &dyn Blamed, blame: Blame) {
    assert_eq!(fault.blame(), blame, "{fault}");
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(!fault.code().is_empty() && fault.code().chars().all(is_word), "{}", fault.code());
    assert_harmless(&fault.to_string());
    assert_harmless(&fault.hint().unwrap_or_default());
}

/// Nothing in a text for people moves a cursor, hides or reorders.
pub(crate) fn assert_harmless(text: &str) {
    assert!(!text.chars().any(steers), "this steers a terminal: {text:?}");
}

//! Plans ranges that are no cut of the input: `text` says how. With `text` at `even` they are one, in `n` parts.

use crate::bindings::casparian::parser::types::{Layout, Span};
use crate::scene::Scene;

pub(crate) fn plan(scene: &Scene<'_>) -> Layout {
    let len = scene.range.length;
    let span = |offset, length| Span { offset, length };
    let half = len / 2;
    let ranges = match (scene.evil, scene.text) {
        ("bad_layout", "gap") => vec![span(0, half), span(half + 1, len - half - 1)],
        ("bad_layout", "overlap") => vec![span(0, half), span(half - 1, len - half + 1)],
        ("bad_layout", "short") => vec![span(0, len - 1)],
        ("bad_layout", "long") => vec![span(0, len + 1)],
        ("bad_layout", "none") => vec![],
        ("bad_layout", "late") => vec![span(1, len - 1)],
        ("bad_layout", "hollow") => vec![span(0, 0), span(0, len)],
        ("bad_layout", "backwards") => vec![span(half, len - half), span(0, half)],
        ("bad_layout", "endless") => vec![span(0, u64::MAX), span(u64::MAX, u64::MAX)],
        ("bad_layout", "even") => (0..scene.n).map(|part| even(part, scene.n, len)).collect(),
        _ if len == 0 => vec![],
        _ => vec![span(0, len)],
    };
    Layout { ranges, context: vec![] }
}

fn even(part: u64, parts: u64, len: u64) -> Span {
    let (from, to) = (part * len / parts, (part + 1) * len / parts);
    Span { offset: from, length: to - from }
}

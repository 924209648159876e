//! Writes down how often it was called, to find out whether anything of an earlier file or range is left.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::bindings::casparian::parser::types::Fault;
use crate::honest;
use crate::scene::Scene;

static CALLS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    honest::parse(&Scene { text: &format!("call {calls}"), ..*scene })
}

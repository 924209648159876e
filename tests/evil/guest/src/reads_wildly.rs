//! Reads beyond every end, and says what came back where it was not what the interface promises.

use crate::bindings::casparian::parser::types::Fault;
use crate::honest;
use crate::scene::{Scene, fault};

const READ_BYTES_MAX: usize = 1 << 20;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let len = scene.input.len();
    for (offset, bytes) in [(u64::MAX, u32::MAX), (u64::MAX, 0), (len, 1), (len + 1, u32::MAX), (0, 0)] {
        if !scene.input.read(offset, bytes).is_empty() {
            return Err(fault("read-not-empty", &format!("read({offset}, {bytes})")));
        }
    }
    for offset in [0, len - 1] {
        let read = scene.input.read(offset, u32::MAX).len();
        if read == 0 || read > READ_BYTES_MAX || read as u64 > len - offset {
            return Err(fault("read-too-long", &format!("read({offset}, all) gave {read}")));
        }
    }
    honest::parse(scene)
}

//! Says where its heap is and in what order a hash map gives its keys: what no run should know of another.

use std::collections::HashMap;

use crate::bindings::casparian::parser::types::Fault;
use crate::scene::{Scene, rows_of};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let keys: HashMap<u64, Box<u64>> = (0..100).map(|key| (key, Box::new(key))).collect();
    let order: Vec<u64> = keys.keys().copied().collect();
    let address = keys.get(&7).map_or(std::ptr::null(), |boxed| std::ptr::from_ref(boxed.as_ref()));
    let span = (scene.range.offset, scene.range.length as u32);
    scene.rows()?.emit(&rows_of(span, 1, &format!("{address:?} {order:?}")))?;
    scene.commit()
}

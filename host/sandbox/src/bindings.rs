//! What `wit/world.wit` says, in Rust. The imports are linked by hand in [`crate::world`], so that one list shows all of
//! them and batches are guarded in the guest's own memory, before they are copied.

#![allow(missing_docs, unreachable_pub, reason = "generated from wit/world.wit, which documents every item")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "casparian:parser/parser",
    with: {
        "casparian:parser/input.blob": crate::handles::BlobHandle,
        "casparian:parser/output.table": crate::handles::TableHandle,
    },
});

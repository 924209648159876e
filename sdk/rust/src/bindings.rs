//! What is made of `wit/world.wit`: the imports and exports of a component, as they cross its boundary.

wit_bindgen::generate!({
    path: "../../wit",
    world: "parser",
    pub_export_macro: true,
    default_bindings_module: "casparian_sdk::wasm::bindings",
});

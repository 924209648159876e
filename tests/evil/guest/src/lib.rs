//! Every way we know for a parser to misbehave, one per file, chosen by the option `evil`. Made on the bare interface: the SDK
//! would not let it.
#![cfg(target_family = "wasm")]

mod bindings {
    #![allow(
        missing_docs,
        unreachable_pub,
        unsafe_code,
        clippy::all,
        reason = "generated from wit/world.wit"
    )]
    wit_bindgen::generate!({ path: "../../../wit", world: "parser" });
    use super::Guest;
    export!(Guest with_types_in self);
}

mod arrow;
mod scene;

/// Declares the evils: a module for each, called as the option calls it.
macro_rules! evils {
    ($($evil:ident),+ $(,)?) => {
        $(mod $evil;)+
        /// What `parse` does, by name.
        const EVILS: &[(&str, fn(&Scene<'_>) -> Result<(), Fault>)] = &[$((stringify!($evil), $evil::parse)),+];
    };
}

evils! {
    batch_garbage,
    batch_lie_about_rows,
    batch_null_count_lie,
    batch_of_another_schema,
    batch_schema_again,
    batch_trailing_bytes,
    batch_truncated,
    batch_two_messages,
    commit_backwards,
    commit_never,
    commit_past_end,
    compressed,
    counts_reads,
    empty_batches,
    extreme_values,
    flood,
    flood_uncommitted,
    gives_up,
    grow,
    handles,
    heap_address,
    honest,
    ignores_refusal,
    late_trap,
    log_escapes,
    log_flood,
    loud_panic,
    null_bomb,
    poison,
    quarantine_flood,
    reads_wildly,
    recurse,
    ree_bomb,
    rejects_unknown_fault,
    remembers,
    reopens,
    schema_long_name,
    schema_wide,
    skips_everything,
    span_before_watermark,
    span_empty,
    span_outside,
    spans_overlap,
    speak_hex,
    spin,
    table_bad_name,
    table_undeclared,
    tells_batch_bytes,
    undeclared_code,
}

mod bad_layout;

use bindings::casparian::parser::log;
use bindings::casparian::parser::types::{
    Description, Fault, FaultInfo, Layout, Level, OptionInfo, OptionKind, Span, TableInfo,
};
use bindings::exports::casparian::parser::format;
use scene::{Blob, Scene};

struct Guest;

impl format::Guest for Guest {
    fn describe() -> Description {
        hear_panics();
        remembers::count();
        Description {
            name: "evil".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            doc: "Misbehaves as told.".into(),
            tables: vec![table("rows", true), table("extremes", false)],
            faults: vec![FaultInfo { code: "bad".into(), doc: "Said to be bad.".into() }],
            options: vec![
                option("evil", OptionKind::Text, "honest"),
                option("n", OptionKind::Integer, "0"),
                option("m", OptionKind::Integer, "1"),
                option("text", OptionKind::Text, "x"),
            ],
            patterns: vec![],
            extra: vec![],
        }
    }

    fn sniff(_: &Blob) -> u8 {
        0
    }

    fn plan(input: &Blob, options: Vec<(String, String)>, target_bytes: u64) -> Result<Layout, Fault> {
        let range = Span { offset: 0, length: input.len() };
        let scene = Scene::new(input, range, &options);
        if matches!(scene.evil, "poison" | "remembers") {
            return Ok(Layout { context: scene.text.into(), ranges: poison::cut(input.len(), target_bytes) });
        }
        // What resync is asked comes with the context and without options.
        Ok(Layout { context: scene.text.into(), ..bad_layout::plan(&scene) })
    }

    fn parse(input: &Blob, range: Span, _: Vec<u8>, options: Vec<(String, String)>) -> Result<(), Fault> {
        hear_panics();
        let scene = Scene::new(input, range, &options);
        match EVILS.iter().find(|(name, _)| *name == scene.evil) {
            Some((_, parse)) => parse(&scene),
            // The layouts are evil enough; their ranges are parsed like anybody's.
            None if scene.evil == "bad_layout" => honest::parse(&scene),
            None => Err(scene::fault("unknown-evil", scene.evil)),
        }
    }

    fn resync(input: &Blob, context: Vec<u8>, after: u64) -> Option<u64> {
        hear_panics();
        poison::resync(input, &context, after)
    }
}

fn hear_panics() {
    std::panic::set_hook(Box::new(|panic| log::log(Level::Error, &panic.to_string(), None)));
}

fn table(name: &str, default_on: bool) -> TableInfo {
    TableInfo { name: name.into(), doc: String::new(), schema: None, default_on }
}

fn option(name: &str, kind: OptionKind, default: &str) -> OptionInfo {
    OptionInfo { name: name.into(), kind, choices: vec![], default: Some(default.into()), doc: String::new() }
}

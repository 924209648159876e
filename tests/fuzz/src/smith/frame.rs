//! The parser that a generated module is put into: one of our world, which does as its input says and lets the module do what it
//! will in between.
//!
//! ```text
//! heap: memory for all
//! world ── the host's calls ──> shim ──> generated ──> code ──> format
//!                           └───────────────────^
//! ```
//!
//! A call with random arguments ends an instance nearly always, so what is generated calls by way of a shim. It has each call
//! three times: as it is; with arguments that are made likely, except for one in so many; and without any, all of them likely.
//! It tells of each in the log, at a level that nobody hears who does not ask for it: which one stands where a line says what it is
//! about.

use std::fmt::Write as _;
use std::sync::LazyLock;

use wasm_encoder::{Component, RawSection};

use super::calls::{CALLS, Call};
use crate::component::Text;
use crate::one_call;

/// Bytes of an input, and so of the one range that is planned.
pub(super) const INPUT_BYTES: usize = 4096;
/// Bytes of each record that the shim speaks of, and that `resync` sees.
pub(super) const RECORD_BYTES: u64 = 64;

/// What makes arguments likely.
const SHIM: &str = include_str!("shim.wat");

/// What a generated module exports: what a parser does, and may do otherwise than the frame would.
const ANSWERS: &str = r#"
    (func (export "describe") (result i32) unreachable)
    (func (export "plan") (param i32 i32 i32 i64) (result i32) unreachable)
    (func (export "parse") (param i32 i64 i64 i32 i32 i32 i32) (result i32) unreachable)
    (func (export "resync") (param i32 i32 i32 i64) (result i32) unreachable)"#;
/// Functions that a generated module exports for the frame to call. Many, since each comes to its end soon.
pub(super) const WORKS: usize = 12;

/// The module that stands where a generated one will: its imports and exports are what every generated one has.
fn stub() -> String {
    let mut text = "(import \"heap\" \"memory\" (memory 4))".to_owned();
    for call in &CALLS {
        let Call { name, .. } = call;
        let _ = write!(text, "\n    (import \"world\" \"easy_{name}\" (func))");
        let _ = write!(text, "\n    (import \"world\" \"likely_{name}\" (func {}))", call.ty());
    }
    for place in 0..WORKS {
        let _ = write!(text, "\n    (func (export \"work_{place}\") (param i32 i64))");
    }
    text + ANSWERS
}

/// What a generated module is to look like from outside.
pub(super) static SHAPE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    wat::parse_str(format!("(module {})", stub()))
        .unwrap_or_else(|error| panic!("the shape is none: {error}"))
});

/// Who answers the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The frame, which lets the generated code work in between.
    Framed,
    /// The frame, but that the generated code parses.
    Parses,
    /// The generated code.
    Bare,
}

/// Puts a generated module into the frame.
pub(super) fn around(module: &[u8], manner: Manner) -> Vec<u8> {
    static FRAMES: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
        [Manner::Framed, Manner::Parses, Manner::Bare].map(|manner| frame(manner).component())
    });
    let [framed, parses, bare] = &*FRAMES;
    let frame = match manner {
        Manner::Framed => framed,
        Manner::Parses => parses,
        Manner::Bare => bare,
    };
    let mut component = Component::new();
    let mut modules = 0;
    for (id, data) in sections(frame) {
        modules += u32::from(id == CORE_MODULE);
        // The heap is the first module, the shim the second.
        let data = if id == CORE_MODULE && modules == 3 { module } else { data };
        component.section(&RawSection { id, data });
    }
    component.finish()
}

/// The sections of a component that hold a core module each.
const CORE_MODULE: u8 = 1;

/// Cuts a component into its sections. It is one of ours: it is whole.
fn sections(component: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = component.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (id, mut after) = rest.split_first()?;
        let mut size = 0;
        for shift in (0..35).step_by(7) {
            let (byte, behind) = after.split_first()?;
            (size, after) = (size | usize::from(byte & 0x7f) << shift, behind);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (data, behind) = after.split_at_checked(size)?;
        rest = behind;
        Some((*id, data))
    })
}

/// The frame, with a module in it that does nothing but trap.
fn frame(manner: Manner) -> Text {
    let every = Text::of_every_call();
    let [describe, plan, parse, resync] = bodies(manner);
    let world = format!("{}{}", lowered(every.world), instances());
    let works: String = (0..WORKS)
        .map(|place| {
            format!("\n    (import \"world\" \"work_{place}\" (func $work_{place} (param i32 i64)))")
        })
        .collect();
    let core_imports = format!("{}{OURS}{works}", every.core_imports);
    let more = [ADDRESSES, one_call!(), &work()].concat();
    Text {
        world: world.leak(),
        core_imports: core_imports.leak(),
        memory: "4",
        describe,
        plan,
        parse,
        resync,
        more: more.leak(),
        ..every
    }
}

/// A function `work` that calls the function of the generated module that its first argument stands for.
fn work() -> String {
    let choice: String = (0..WORKS)
        .map(|place| {
            format!(
                "\n      (if (i32.eq (i32.rem_u (local.get 0) (i32.const {WORKS})) (i32.const {place})) \
                 (then (call $work_{place} (local.get 0) (local.get 1))))"
            )
        })
        .collect();
    format!("\n    (func $work (param i32 i64) {choice})")
}

/// The host's calls under names of their own: the usual ones are the shim's.
fn lowered(world: &str) -> String {
    let renamed = world.replace("\n  (core func $", "\n  (core func $host_");
    let more = r#"
  (core func $host_len (canon lower (func $input "[method]blob.len")))
  (core func $host_drop (canon resource.drop $blob))"#;
    renamed + more
}

/// The shim, the generated module, and what they are made of.
fn instances() -> String {
    let (mut shim, mut imports, mut lent, mut ours) =
        (String::new(), String::new(), String::new(), String::new());
    for (place, call) in CALLS.iter().enumerate() {
        let (Call { name, .. }, ty) = (call, call.ty());
        shim += &call.wrapped(place);
        imports += &format!("\n    (import \"world\" \"{name}\" (func $host_{name} {ty}))");
        lent += &format!("\n    (export \"{name}\" (func $host_{name}))");
        // These two every text has as they are.
        if !["len", "drop"].contains(name) {
            ours += &format!("\n  (alias core export $shim \"{name}\" (core func ${name}))");
        }
    }
    let stub = stub();
    let works: String = (0..WORKS)
        .map(|place| format!("\n  (alias core export $generated \"work_{place}\" (core func $work_{place}))"))
        .collect();
    format!(
        r#"
  (core module $shim
    {imports}
    {SHIM}
    {shim})
  (core instance $shim (instantiate $shim
    (with "heap" (instance $heap))
    (with "world" (instance {lent}))))
  (core module $generated {stub})
  (core instance $generated (instantiate $generated
    (with "heap" (instance $heap))
    (with "world" (instance $shim))))
  (alias core export $shim "set" (core func $set))
  (alias core export $shim "finish" (core func $finish))
  {works}
  (alias core export $generated "describe" (core func $other_describe))
  (alias core export $generated "plan" (core func $other_plan))
  (alias core export $generated "parse" (core func $other_parse))
  (alias core export $generated "resync" (core func $other_resync))
  {ours}"#
    )
}

/// What the frame's own module imports of the shim and of the generated module.
const OURS: &str = r#"
    (import "world" "set" (func $set (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i64)))
    (import "world" "finish" (func $finish))
    (import "world" "other_describe" (func $other_describe (result i32)))
    (import "world" "other_plan" (func $other_plan (param i32 i32 i32 i64) (result i32)))
    (import "world" "other_parse" (func $other_parse (param i32 i64 i64 i32 i32 i32 i32) (result i32)))
    (import "world" "other_resync" (func $other_resync (param i32 i32 i32 i64) (result i32)))"#;

/// A range of the input's size, and one fault called `text`.
const ADDRESSES: &str = r#"
    (data (i32.const 1312) "\00\10")
    (data (i32.const 1056) "\60\04\00\00\01\00\00\00")
    (data (i32.const 1120) "\00\10\00\00\04\00\00\00\00\10\00\00\04\00\00\00")
"#;

/// Does as the input says: makes a call, lets the generated module work, sets the shim, has it commit.
const OBEY: &str = r#"
      (local $at i32) (local $kind i32) (local $base i32)
      (call $read (local.get $input) (i64.const 0) (i32.const 65536) (i32.const 2048))
      (local.set $base (i32.load (i32.const 2048)))
      (local.set $at (local.get $base))
      (block $done (loop $more
        (local.set $kind (i32.load8_u (local.get $at)))
        (br_if $done (i32.gt_u (local.get $kind) (i32.const 16)))
        (if (i32.lt_u (local.get $kind) (i32.const 14))
          (then (call $one (local.get $input) (local.get $at))))
        (if (i32.eq (local.get $kind) (i32.const 14))
          (then (call $work
            ;; Another function for another record.
            (i32.add (call $c (local.get $at)) (i32.wrap_i64 (i64.shr_u (local.get 1) (i64.const 6))))
            (call $a (local.get $at)))))
        (if (i32.eq (local.get $kind) (i32.const 15)) (then
          (call $set (call $c (local.get $at)) (call $d (local.get $at))
            (i32.add (local.get $base) (call $e (local.get $at))) (call $f (local.get $at))
            (i32.add (local.get $base) (call $g (local.get $at))) (i32.wrap_i64 (call $a (local.get $at)))
            (i32.add (local.get $base) (i32.wrap_i64 (call $b (local.get $at))))
            (local.get $input) (local.get 1) (local.get 2))))
        (if (i32.eq (local.get $kind) (i32.const 16)) (then (call $finish)))
        (local.set $at (i32.add (local.get $at) (i32.const 48)))
        (br $more)))"#;

/// The next end of a record, where the input has one.
const RESYNC: &str = r#"
      (call $drop (local.get $input))
      (i64.store (i32.const 1608)
        (i64.shl (i64.add (i64.shr_u (local.get 3) (i64.const 6)) (i64.const 1)) (i64.const 6)))
      (i32.store8 (i32.const 1600) (i64.le_u (i64.load (i32.const 1608)) (i64.const 4096)))
      (i32.const 1600)"#;

/// The bodies of `describe`, `plan`, `parse` and `resync`.
fn bodies(manner: Manner) -> [&'static str; 4] {
    let usual = Text::default();
    match manner {
        Manner::Framed => [usual.describe, usual.plan, concat_parse("(i32.const 1400)"), RESYNC],
        Manner::Parses => [
            usual.describe,
            usual.plan,
            // Whatever it leaves is an address where an answer may be.
            concat_parse(
                "(i32.and (call $other_parse (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6)) (i32.const 0x7f8))",
            ),
            RESYNC,
        ],
        Manner::Bare => [
            "(call $other_describe)",
            "(call $other_plan (local.get 0) (local.get 1) (local.get 2) (local.get 3))",
            "(call $other_parse (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6))",
            "(call $other_resync (local.get 0) (local.get 1) (local.get 2) (local.get 3))",
        ],
    }
}

/// Obeys, and leaves an address.
fn concat_parse(address: &str) -> &'static str {
    format!("{OBEY}\n      {address}").leak()
}

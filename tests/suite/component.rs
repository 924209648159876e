//! Components written as text, for what no honest toolchain would make: a start function that loops, a forged handle, an import
//! that nobody offers.

/// A parser of inputs of [`INPUT`]'s size that does nothing, but for the parts that a test replaces.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// More of the interface `input`.
    pub(crate) input: &'static str,
    /// Imports of the component, and what is made of them before its core module is instantiated.
    pub(crate) imports: &'static str,
    /// Core imports of the module, from the instance `world`.
    pub(crate) core_imports: &'static str,
    /// What the instance `world` is made of.
    pub(crate) world: &'static str,
    /// The memory's type.
    pub(crate) memory: &'static str,
    /// The body of `describe`; it leaves the address of a description.
    pub(crate) describe: &'static str,
    /// The body of `parse`; it leaves the address of a result.
    pub(crate) parse: &'static str,
    /// More of the core module.
    pub(crate) more: &'static str,
}

/// The input that these components are made for: their plan is one range of its size.
pub(crate) const INPUT: &[u8] = b"sixteen bytes...";

impl Default for Text {
    fn default() -> Self {
        Text {
            input: "",
            imports: "",
            core_imports: "",
            world: "",
            memory: "1",
            describe: "(i32.const 1024)",
            parse: "(i32.const 1400)",
            more: "",
        }
    }
}

impl Text {
    /// Makes the component.
    pub(crate) fn component(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap_or_else(|error| panic!("the test's text is no component: {error}"))
    }

    fn text(&self) -> String {
        let Text { input, imports, core_imports, world, memory, describe, parse, more } = self;
        format!(
            r#"(component
{TYPES}
  (import "casparian:parser/input@0.2.0" (instance $input
    (export "blob" (type $blob (sub resource)))
    (export "[method]blob.len" (func (param "self" (borrow $blob)) (result u64)))
{input}))
  (alias export $input "blob" (type $blob))
{imports}
  (core module $heap
    (memory (export "memory") {memory})
    (global $end (mut i32) (i32.const 8192))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
      (global.set $end (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $heap (instantiate $heap))
  (core func $drop (canon resource.drop $blob))
  (core func $len (canon lower (func $input "[method]blob.len")))
{world}
  (core module $code
    (import "heap" "memory" (memory {memory}))
    (import "world" "drop" (func $drop (param i32)))
    (import "world" "len" (func $len (param i32) (result i64)))
{core_imports}
    ;; 1024: a description called `text`. 1200: a layout of one range, at 1304. 1400: success; 1448: a fault, at 1456.
    (data (i32.const 1024) "\00\10\00\00\04\00\00\00\00\10\00\00\01\00\00\00")
    (data (i32.const 1208) "\18\05\00\00\01\00\00\00")
    (data (i32.const 1312) "\10")
    (data (i32.const 1448) "\01")
    (data (i32.const 1456) "\04\10\00\00\04\00\00\00\04\10\00\00\04\00\00\00\01")
    (data (i32.const 4096) "textseen")
    ;; Ends `parse` with a fault whose place is the two numbers seen.
    (func $seen (param i64 i64) (result i32)
      (i64.store (i32.const 1480) (local.get 0))
      (i64.store (i32.const 1488) (local.get 1))
      (i32.const 1448))
    (func (export "describe") (result i32) {describe})
    (func (export "sniff") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 0))
    (func (export "plan") (param i32 i32 i32 i64) (result i32) (call $drop (local.get 0)) (i32.const 1200))
    (func (export "parse") (param $input i32) (param i64 i64 i32 i32 i32 i32) (result i32)
      {parse}
      (call $drop (local.get $input)))
    (func (export "resync") (param i32 i32 i32 i64) (result i32) (call $drop (local.get 0)) (i32.const 1600))
{more})
  (core instance $code (instantiate $code
    (with "heap" (instance $heap))
    (with "world" (instance
      (export "drop" (func $drop))
      (export "len" (func $len))
{with}))))
{EXPORTS})"#,
            with = self.with(),
        )
    }

    /// What the instance `world` exports: every core import by its name, which is its function's.
    fn with(&self) -> String {
        let names =
            self.core_imports.split("(import \"world\" \"").skip(1).filter_map(|rest| rest.split('"').next());
        names.map(|name| format!("      (export \"{name}\" (func ${name}))\n")).collect()
    }
}

/// The shapes of the interface, by name.
const TYPES: &str = r#"
  (import "casparian:parser/types@0.2.0" (instance $types
    (type $span-shape (record (field "offset" u64) (field "length" u64)))
    (export "span" (type $span (eq $span-shape)))
    (type $fault-shape (record (field "code" string) (field "message" string) (field "at" (option $span))))
    (export "fault" (type $fault (eq $fault-shape)))
    (type $table-shape (record (field "name" string) (field "doc" string) (field "schema" (option (list u8)))
      (field "default-on" bool)))
    (export "table-info" (type $table (eq $table-shape)))
    (type $fault-info-shape (record (field "code" string) (field "doc" string)))
    (export "fault-info" (type $fault-info (eq $fault-info-shape)))
    (type $kind-shape (enum "text" "integer" "number" "flag" "choice"))
    (export "option-kind" (type $kind (eq $kind-shape)))
    (type $option-shape (record (field "name" string) (field "kind" $kind) (field "choices" (list string))
      (field "default" (option string)) (field "doc" string)))
    (export "option-info" (type $option (eq $option-shape)))
    (type $description-shape (record (field "name" string) (field "version" string) (field "doc" string)
      (field "tables" (list $table)) (field "faults" (list $fault-info)) (field "options" (list $option))
      (field "patterns" (list string)) (field "extra" (list (tuple string string)))))
    (export "description" (type $description (eq $description-shape)))
    (type $layout-shape (record (field "ranges" (list $span)) (field "context" (list u8))))
    (export "layout" (type $layout (eq $layout-shape)))
    (type $level-shape (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level-shape)))
    (type $rejection-shape (record (field "at" $span) (field "fault" u16) (field "message" string)))
    (export "rejection" (type $rejection (eq $rejection-shape)))
    (type $skip-shape (enum "blank" "comment" "preamble" "header" "footer" "separator" "padding" "other"))
    (export "skip-kind" (type $skip-kind (eq $skip-shape)))))
  (alias export $types "span" (type $span))
  (alias export $types "fault" (type $fault))
  (alias export $types "description" (type $description))
  (alias export $types "layout" (type $layout))
  (alias export $types "level" (type $level))
  (alias export $types "rejection" (type $rejection))
  (alias export $types "skip-kind" (type $skip-kind))"#;

/// The interface `format`, over the core module's functions.
const EXPORTS: &str = r#"
  (func $describe (result $description)
    (canon lift (core func $code "describe") (memory (core memory $heap "memory"))))
  (func $sniff (param "input" (borrow $blob)) (result u8)
    (canon lift (core func $code "sniff")))
  (func $plan (param "input" (borrow $blob)) (param "options" (list (tuple string string)))
    (param "target-bytes" u64) (result (result $layout (error $fault)))
    (canon lift (core func $code "plan") (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
  (func $parse (param "input" (borrow $blob)) (param "range" $span) (param "context" (list u8))
    (param "options" (list (tuple string string))) (result (result (error $fault)))
    (canon lift (core func $code "parse") (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
  (func $resync (param "input" (borrow $blob)) (param "context" (list u8)) (param "after" u64)
    (result (option u64))
    (canon lift (core func $code "resync") (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
  (instance $format
    (export "describe" (func $describe))
    (export "sniff" (func $sniff))
    (export "plan" (func $plan))
    (export "parse" (func $parse))
    (export "resync" (func $resync)))
  (export "casparian:parser/format@0.2.0" (instance $format))"#;

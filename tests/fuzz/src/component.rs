//! Components written as text, for what no honest toolchain would make: a start function that loops, a forged handle, an import
//! that nobody offers.

/// A parser of inputs of [`INPUT`]'s size that does nothing, but for the parts that a test replaces.
#[derive(Debug, Clone)]
pub struct Text {
    /// More of the interface `input`.
    pub input: &'static str,
    /// Imports of the component, and what is made of them before its core module is instantiated.
    pub imports: &'static str,
    /// Core imports of the module, from the instance `world`.
    pub core_imports: &'static str,
    /// What the instance `world` is made of.
    pub world: &'static str,
    /// The memory's type.
    pub memory: &'static str,
    /// The body of `describe`; it leaves the address of a description.
    pub describe: &'static str,
    /// The body of `plan`; it leaves the address of a result.
    pub plan: &'static str,
    /// The body of `parse`; it leaves the address of a result.
    pub parse: &'static str,
    /// The body of `resync`; it leaves the address of an answer.
    pub resync: &'static str,
    /// More of the core module.
    pub more: &'static str,
}

/// The input that these components are made for: their plan is one range of its size.
pub const INPUT: &[u8] = b"sixteen bytes...";

impl Default for Text {
    fn default() -> Self {
        Text {
            input: "",
            imports: "",
            core_imports: "",
            world: "",
            memory: "1",
            describe: "(i32.const 1024)",
            plan: "(call $drop (local.get $input)) (i32.const 1200)",
            parse: "(i32.const 1400)",
            resync: "(call $drop (local.get $input)) (i32.const 1600)",
            more: "",
        }
    }
}

impl Text {
    /// Returns a parser to which everything is lent that a host offers: core functions by the names of the calls.
    pub fn of_every_call() -> Self {
        Text {
            input: r#"
    (export "[method]blob.name" (func (param "self" (borrow $blob)) (result string)))
    (export "[method]blob.read" (func (param "self" (borrow $blob)) (param "offset" u64) (param "len" u32)
      (result (list u8))))
    (export "attachment" (func (param "name" string) (result (option (own $blob)))))"#,
            imports: r#"
  (import "casparian:parser/output@0.2.0" (instance $output
    (export "table" (type $table (sub resource)))
    (export "[static]table.open" (func (param "name" string) (param "schema" (list u8))
      (result (result (own $table) (error $fault)))))
    (export "[method]table.emit" (func (param "self" (borrow $table)) (param "batch" (list u8))
      (result (result (error $fault)))))
    (export "reject" (func (param "records" (list $rejection)) (result (result (error $fault)))))
    (export "skip" (func (param "at" $span) (param "kind" $skip-kind) (param "note" string)
      (result (result (error $fault)))))
    (export "commit" (func (param "up-to" u64) (result (result (error $fault)))))
    (export "wanted" (func (param "table" string) (result bool)))
    (export "batch-bytes" (func (result u32)))))
  (import "casparian:parser/log@0.2.0" (instance $log
    (export "enabled" (func (param "level" $level) (result bool)))
    (export "log" (func (param "level" $level) (param "message" string) (param "at" (option $span))))))
  (alias export $output "table" (type $table-handle))"#,
            core_imports: r#"
    (import "world" "name" (func $name (param i32 i32)))
    (import "world" "read" (func $read (param i32 i64 i32 i32)))
    (import "world" "attachment" (func $attachment (param i32 i32 i32)))
    (import "world" "open" (func $open (param i32 i32 i32 i32 i32)))
    (import "world" "emit" (func $emit (param i32 i32 i32 i32)))
    (import "world" "close" (func $close (param i32)))
    (import "world" "reject" (func $reject (param i32 i32 i32)))
    (import "world" "skip" (func $skip (param i64 i64 i32 i32 i32 i32)))
    (import "world" "commit" (func $commit (param i64 i32)))
    (import "world" "wanted" (func $wanted (param i32 i32) (result i32)))
    (import "world" "batch_bytes" (func $batch_bytes (result i32)))
    (import "world" "enabled" (func $enabled (param i32) (result i32)))
    (import "world" "log" (func $log (param i32 i32 i32 i32 i64 i64)))"#,
            world: r#"
  (core func $name (canon lower (func $input "[method]blob.name") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $read (canon lower (func $input "[method]blob.read") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $attachment (canon lower (func $input "attachment") (memory (core memory $heap "memory"))))
  (core func $open (canon lower (func $output "[static]table.open") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $emit (canon lower (func $output "[method]table.emit") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $close (canon resource.drop $table-handle))
  (core func $reject (canon lower (func $output "reject") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $skip (canon lower (func $output "skip") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $commit (canon lower (func $output "commit") (memory (core memory $heap "memory"))
    (realloc (core func $heap "realloc"))))
  (core func $wanted (canon lower (func $output "wanted") (memory (core memory $heap "memory"))))
  (core func $batch_bytes (canon lower (func $output "batch-bytes")))
  (core func $enabled (canon lower (func $log "enabled")))
  (core func $log (canon lower (func $log "log") (memory (core memory $heap "memory"))))"#,
            ..Text::default()
        }
    }

    /// Makes the component.
    #[track_caller]
    pub fn component(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap_or_else(|error| panic!("the test's text is no component: {error}"))
    }

    fn text(&self) -> String {
        let Text { input, imports, core_imports, world, memory, describe, plan, parse, resync, more } = self;
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
    (func (export "plan") (param $input i32) (param i32 i32 i64) (result i32) {plan})
    (func (export "parse") (param $input i32) (param i64 i64 i32 i32 i32 i32) (result i32)
      {parse}
      (call $drop (local.get $input)))
    (func (export "resync") (param $input i32) (param i32 i32 i64) (result i32) {resync})
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

/// More of a core module that may make every call: a function `one` that makes the call that stands at an address, in 48 bytes.
/// The first byte says which of the fourteen; then, from byte 8 on, two numbers of 64 bits and five of 32. A handle of nothing
/// is the input's.
#[macro_export]
macro_rules! one_call {
    () => {
        r#"
    (func $a (param i32) (result i64) (i64.load offset=8 (local.get 0)))
    (func $b (param i32) (result i64) (i64.load offset=16 (local.get 0)))
    (func $c (param i32) (result i32) (i32.load offset=24 (local.get 0)))
    (func $d (param i32) (result i32) (i32.load offset=28 (local.get 0)))
    (func $e (param i32) (result i32) (i32.load offset=32 (local.get 0)))
    (func $f (param i32) (result i32) (i32.load offset=36 (local.get 0)))
    (func $g (param i32) (result i32) (i32.load offset=40 (local.get 0)))
    (func $one (param $input i32) (param $p i32)
      (local $h i32)
      ;; A handle as the input has it, or the one of the input itself.
      (local.set $h (select (local.get $input) (call $c (local.get $p)) (i32.eqz (call $c (local.get $p)))))
      (block $13 (block $12 (block $11 (block $10 (block $9 (block $8 (block $7 (block $6 (block $5 (block $4
      (block $3 (block $2 (block $1 (block $0
        (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 $12 $13 (i32.load8_u (local.get $p))))
        (call $name (local.get $h) (call $d (local.get $p))) (return))
        (drop (call $len (local.get $h))) (return))
        (call $read (local.get $h) (call $a (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p))) (return))
        (call $attachment (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p))) (return))
        (call $open (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p)) (call $f (local.get $p))
          (call $g (local.get $p))) (return))
        (call $emit (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p)) (call $f (local.get $p)))
        (return))
        (call $close (call $c (local.get $p))) (return))
        (call $reject (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p))) (return))
        (call $skip (call $a (local.get $p)) (call $b (local.get $p)) (call $c (local.get $p)) (call $d (local.get $p))
          (call $e (local.get $p)) (call $f (local.get $p))) (return))
        (call $commit (call $a (local.get $p)) (call $c (local.get $p))) (return))
        (drop (call $wanted (call $c (local.get $p)) (call $d (local.get $p)))) (return))
        (drop (call $batch_bytes)) (return))
        (drop (call $enabled (call $c (local.get $p)))) (return))
        (call $log (call $c (local.get $p)) (call $d (local.get $p)) (call $e (local.get $p)) (call $f (local.get $p))
          (call $a (local.get $p)) (call $b (local.get $p))))"#
    };
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

//! The calls that a host offers, and what the shim makes of each.

use casparian_core::fault::Span;

/// How many calls a host offers.
pub const CALLS_COUNT: usize = 15;
/// Where no input has bytes: a line of the log about it tells of a call.
const TELLS_OF_CALL: u64 = 0x5eed_5eed_5eed;

/// A call, as a core function.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) name: &'static str,
    /// What each of its arguments is: the shim has a function that makes one likely.
    arguments: &'static str,
    result: &'static str,
}

const fn call(name: &'static str, arguments: &'static str, result: &'static str) -> Call {
    Call { name, arguments, result }
}

/// What a host offers.
pub(super) const CALLS: [Call; CALLS_COUNT] = [
    call("name", "input answer", ""),
    call("len", "input", "i64"),
    call("read", "input offset some answer", ""),
    call("attachment", "word few answer", ""),
    call("open", "word few schema schema_bytes answer", ""),
    call("emit", "table batch batch_bytes answer", ""),
    call("close", "table", ""),
    call("drop", "attached", ""),
    call("reject", "rejection one answer", ""),
    call("skip", "record bytes kind word few answer", ""),
    call("commit", "up_to answer", ""),
    call("wanted", "word few", "i32"),
    call("batch_bytes", "", "i32"),
    call("enabled", "level", "i32"),
    call("log", "level word few bit offset bytes", ""),
];

/// Arguments of 64 bits; the others have 32.
const LONG: [&str; 4] = ["offset", "record", "bytes", "up_to"];
/// Arguments that speak of the next record: where there is none, no likely call is made.
const OF_RECORD: [&str; 3] = ["batch", "rejection", "record"];

/// Returns the names of all calls.
pub fn call_names() -> [&'static str; CALLS_COUNT] {
    CALLS.map(|call| call.name)
}

/// Returns which call a line of the log tells of, by what it is about.
pub(super) fn call_told(at: Span) -> Option<usize> {
    let place = usize::try_from(at.length).ok()?;
    (at.offset == TELLS_OF_CALL && place < CALLS.len()).then_some(place)
}

impl Call {
    fn arguments(&self) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
        let of = |argument| if LONG.contains(&argument) { "i64" } else { "i32" };
        self.arguments.split_whitespace().enumerate().map(move |(at, argument)| (at, argument, of(argument)))
    }

    /// Returns its type, as text: `(param i32 i64) (result i32)`.
    pub(super) fn ty(&self) -> String {
        let params: String = self.arguments().map(|(_, _, ty)| format!("(param {ty}) ")).collect();
        let result = if self.result.is_empty() { String::new() } else { format!("(result {})", self.result) };
        params + &result
    }

    /// Returns what the shim has of it: as it is, and told of; with likely arguments; without any, all of them by chance and likely.
    pub(super) fn wrapped(&self, place: usize) -> String {
        let (Self { name, .. }, ty, [before, behind]) = (self, self.ty(), self.circumstances());
        let given: String = self.arguments().map(|(at, ..)| format!("(local.get {at}) ")).collect();
        let rolled: String = self.arguments().map(|(_, _, ty)| format!("(call $roll_{ty}) ")).collect();
        let likely =
            |(at, argument, _)| format!("(local.set {at} (call $likely_{argument} (local.get {at}))) ");
        let likely: String = self.arguments().map(likely).collect();
        let drop = if self.result.is_empty() { "" } else { "(drop)" };
        format!(
            r#"
    (func $told_{name} (export "{name}") {ty}
      (call $host_log (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i64.const {TELLS_OF_CALL}) (i64.const {place}))
      (call $host_{name} {given}))
    (func $made_{name} (export "likely_{name}") {ty} {before} {likely} (call $told_{name} {given}) {behind})
    (func $easy_{name} (export "easy_{name}") (call $made_{name} {rolled}) {drop})"#,
        )
    }

    /// Returns what a likely call needs to make sense, and what is to be remembered of it.
    fn circumstances(&self) -> [&'static str; 2] {
        match self.name {
            "open" => ["", "(call $note_table (local.get 4))"],
            "attachment" => ["", "(call $note_attached (local.get 2))"],
            "emit" => [
                "(if (call $is_full) (then (return))) (if (i32.eqz (global.get $table)) (then (call $easy_open)))",
                "(call $go_on)",
            ],
            "close" => {
                ["(if (i32.eqz (global.get $table)) (then (return)))", "(global.set $table (i32.const 0))"]
            }
            "drop" => [
                "(if (i32.eqz (global.get $attached)) (then (call $easy_attachment) (return)))",
                "(global.set $attached (i32.const 0))",
            ],
            _ if self.arguments().any(|(_, argument, _)| OF_RECORD.contains(&argument)) => {
                ["(if (call $is_full) (then (return)))", "(call $go_on)"]
            }
            _ => ["", ""],
        }
    }
}

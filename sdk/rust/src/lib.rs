//! Write a parser once; run it in Casparian's sandbox, under `cargo test`, or in a benchmark.
//!
//! A parser is a type with [`Parser`] on it and [`export!`] beneath it. It is handed an [`Input`] (random access, never a
//! path), a range of it, and an [`Output`], and pushes rows, which are structs with `#[derive(Row)]`, into tables. What it cannot read it rejects;
//! what holds no record it skips; and the SDK sees to batches, to the wire format and to the watermark.
//!
//! The rooms:
//! * [`fault`]: spans, faults, and the codes a parser declares; [`describe`]: what a parser says of itself.
//! * [`input`]: lines, records, and the [`Window`] for whoever wants bytes; [`scan`]: finding bytes many at a time.
//! * [`schema`], [`mod@column`], [`mod@table`]: typed columns, and [`dynamic`] ones; [`output`]: batches, rejections, skips, the watermark.
//! * [`host`]: the far side of all this, as a trait: the component's imports, or anything else natively.
//! * [`mod@log`]: lines for people. [`harness`]: a parser under `cargo test`, without wasm.
//!
//! Absent on purpose: clocks, randomness, threads, files, and any crate of the host's. Only `wit/world.wit` is shared.

mod backlog;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated from wit/world.wit")]
pub mod bindings;
pub mod column;
pub mod describe;
pub mod dynamic;
pub mod fault;
#[cfg(not(target_family = "wasm"))]
pub mod harness;
pub mod host;
pub mod input;
mod ipc;
pub mod log;
pub mod output;
pub mod scan;
pub mod schema;
pub mod session;
pub mod table;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod wasm;

pub use casparian_derive::Row;
pub use describe::{Description, Layout, OptionInfo, Options};
pub use fault::{Fault, FaultCode, FaultSet, Span};
pub use host::SkipKind;
pub use input::{Input, Line, Window};
pub use output::Output;
pub use table::{Row, Table};

/// What a parser's source usually wants.
pub mod prelude {
    pub use crate::column::{
        At, Date, Decimal, FixedBytes, LargeText, Micros, Millis, Nanos, Nested, NoZone, Seconds, Time,
        Timestamp, Utc,
    };
    pub use crate::column::{Columns, IntoRow};
    pub use crate::describe::{Description, Layout, OptionInfo, Options};
    pub use crate::fault::{Fault, FaultCode, FaultSet, Span};
    pub use crate::host::SkipKind;
    pub use crate::input::{Grown, Input, Line, Window};
    pub use crate::output::Output;
    pub use crate::table::{Row, Table};
    pub use crate::{Parser, export, faults, log, scan, table};
    pub use casparian_derive::Row;
}

/// A parser. It keeps no state between calls: every range is parsed apart, perhaps by another instance.
pub trait Parser {
    /// Says what this parser is. A constant.
    fn describe(&self) -> Description;

    /// Returns how sure it is that this input is its own: 0 not at all, 100 certainly.
    fn sniff(&self, input: &Input) -> u8 {
        let _ = input;
        0
    }

    /// Cuts the input into ranges of about `target_bytes` and settles what all of them need to know. It depends on input and
    /// options only. Through `out` it may say what belongs to the file rather than to a range. Fails where the input as a
    /// whole cannot be parsed.
    fn plan(
        &self,
        input: &Input,
        options: &Options,
        target_bytes: u64,
        out: &Output,
    ) -> Result<Layout, Fault> {
        let _ = (options, target_bytes, out);
        Ok(Layout::whole(input.len()))
    }

    /// Parses the records that begin in `range`, reading past its end where the last one does. Everything pushed into `out` is
    /// flushed and committed by the SDK. Fails where the input as a whole cannot be parsed.
    fn parse(
        &self,
        input: &Input,
        range: Span,
        context: &[u8],
        options: &Options,
        out: &Output,
    ) -> Result<(), Fault>;

    /// Returns the first record boundary past `after`, which is one itself (> `after`, <= length): where the record ends that
    /// begins there.
    ///
    /// A parser that answers can be asked to parse from any boundary, and a run then goes on behind a record that killed it: of
    /// lines, `input.line_end(after)` is all. Leave it out where a record is understood by what is before it.
    fn resync(&self, input: &Input, context: &[u8], after: u64) -> Option<u64> {
        let _ = (input, context, after);
        None
    }
}

/// Makes a component of a parser (any type with `Parser` and `Default`). Natively it does nothing.
///
/// ```ignore
/// casparian_sdk::export!(Fills);
/// ```
#[macro_export]
macro_rules! export {
    ($parser:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::wasm::Guest<$parser>;
    $crate::wasm::bindings::export!(Exported with_types_in $crate::wasm::bindings);
        };
    };
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

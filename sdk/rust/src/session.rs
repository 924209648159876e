//! One call of a parser: the same on wasm and natively.

use crate::Parser;
use crate::describe::{Layout, Options};
use crate::fault::{Fault, Span};
use crate::host::{Blob, Host};

/// Runs `plan` and commits what it said.
pub fn plan(parser: &dyn Parser, host: &dyn Host, blob: &dyn Blob, options: &Options, target_bytes: u64) -> Result<Layout, Fault> {
    let _ = (parser, host, blob, options, target_bytes);
    unimplemented!()
}

/// Runs `parse` over one range, flushes and commits.
pub fn parse(parser: &dyn Parser, host: &dyn Host, blob: &dyn Blob, range: Span, context: &[u8], options: &Options) -> Result<(), Fault> {
    let _ = (parser, host, blob, range, context, options);
    unimplemented!()
}

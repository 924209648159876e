//! One call of a parser: the same on wasm and natively.

use crate::Parser;
use crate::describe::{Layout, Options};
use crate::fault::{Fault, Span};
use crate::host::{Blob, Host};
use crate::input::Input;
use crate::log;
use crate::output::Output;

/// Runs `plan`, and flushes and commits what it said. Fails where the parser does or the host refuses.
pub fn plan(
    parser: &dyn Parser,
    host: &dyn Host,
    blob: &dyn Blob,
    options: &Options,
    target_bytes: u64,
) -> Result<Layout, Fault> {
    log::attend(host);
    let out = Output::new(host, 0);
    let layout = parser.plan(&Input::new(blob), options, target_bytes, &out);
    let layout = layout.and_then(|layout| out.finish_said().map(|()| layout));
    log::deliver(host);
    layout
}

/// Runs `parse` over one range, and flushes and commits what it said. Fails where the parser does or the host refuses.
pub fn parse(
    parser: &dyn Parser,
    host: &dyn Host,
    blob: &dyn Blob,
    range: Span,
    context: &[u8],
    options: &Options,
) -> Result<(), Fault> {
    log::attend(host);
    let out = Output::new(host, range.offset);
    let parsed = parser.parse(&Input::new(blob), range, context, options, &out);
    let parsed = parsed.and_then(|()| out.finish(range.end()));
    log::deliver(host);
    parsed
}

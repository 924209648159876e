//! The only code that knows wasmtime: a closed world, bounded.
//!
//! # Threat model in one screen
//!
//! Who attacks: the author of a component (or whoever got into their supply chain), a sender of files, both together. What
//! is owed: the host's integrity, other inputs' secrecy, the output's truth, the queue's life.
//!
//! | a guest could | what stops it | where |
//! |---|---|---|
//! | import what it should not have | an allow-list by name, before anything is compiled | [`precheck`] |
//! | see a clock, randomness, files, the network | the world is one list; WASI, where imported at all, is empty | `world`, `wasi` |
//! | loop | fuel that follows the watermark; the supervisor's deadline | [`session`] |
//! | grow, recurse, hoard handles | memory, table, instance, stack and handle bounds | [`limiter`], `engine` |
//! | hand over hostile bytes | the wire guard, before any reader | `casparian_core::wire` |
//! | say things out of order, or twice | the intake | `casparian_core::intake` |
//! | steer a terminal or flood a log | cut, escaped, counted | [`journal`] |
//! | live on after a trap | a session that trapped is consumed; who goes on is a fresh one | [`session`], [`drive`] |
//! | remember the last file, or the last range | a fresh store and instance per range | [`session`], [`drive`] |
//!
//! What is absent on purpose: an epoch ticker (the run is a process that its supervisor kills at the deadline), threads, garbage collection, exceptions, 64-bit memories, async.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bindings;
pub mod compile;
pub mod drive;
mod engine;
mod fault;
mod handles;
pub mod journal;
pub mod limiter;
pub mod precheck;
mod program;
pub mod section;
pub mod session;
mod state;
mod wasi;
mod world;

pub use compile::{CompileFault, Loaded, Sandbox};
pub use engine::ENGINE;
pub use fault::SessionFault;
pub use handles::Blob;
pub use program::Program;
pub use session::{Ended, Session, Setup, Usage};
pub use state::{Ear, Hangup};
pub use wasi::on_this_thread_alone;

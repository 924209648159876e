//! What the host knows of one running guest.

use std::collections::BTreeMap;
use std::sync::Arc;

use casparian_core::intake::{Intake, Refusal, Said};
use casparian_core::limits::Limits;
use casparian_core::wanted::Wanted;
use wasmtime::component::ResourceTable;

use crate::handles::Blob;
use crate::journal::Journal;
use crate::limiter::Limiter;
use crate::program::Program;
use crate::session::Usage;

/// Hears what the guest says, in order.
pub type Ear = Box<dyn FnMut(Said) -> Result<(), Hangup> + Send>;

/// Nobody listens any more: the other side has failed and knows why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hangup;

/// What the host knows of one running guest.
pub(crate) struct State {
    pub(crate) handles: ResourceTable,
    pub(crate) wasi: wasmtime_wasi::WasiCtx,
    pub(crate) attachments: BTreeMap<String, Arc<dyn Blob>>,
    /// None for a parser that is one without it.
    pub(crate) program: Option<Arc<Program>>,
    pub(crate) limits: Limits,
    pub(crate) limiter: Limiter,
    pub(crate) journal: Journal,
    pub(crate) tank: Tank,
    /// What instances before this one used.
    pub(crate) before: Usage,
    /// None while the guest has nothing to say: before there is an input.
    pub(crate) talk: Option<Talk>,
}

/// Fuel that was handed out to one instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tank {
    /// All of it, but what was taken away again.
    pub(crate) granted: u64,
    /// What it was filled with last, where it is filled and not added to.
    pub(crate) filled: u64,
    /// For what more is handed out.
    pub(crate) grants: Grants,
    /// How far into the input it reaches, where it is for bytes.
    pub(crate) reach: u64,
    /// Bytes of the input that were read since the last commit.
    pub(crate) read_bytes: u64,
}

/// For what an instance is handed out more fuel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grants {
    /// For nothing: what it has is all it gets.
    Nothing,
    /// At each commit as much as it began with, whatever is left.
    Commits,
    /// For every byte that it commits, and that it reads.
    CommitsAndReads,
}

/// A guest's way to say something about one input.
pub(crate) struct Talk {
    pub(crate) intake: Intake,
    pub(crate) ear: Ear,
    pub(crate) wanted: Wanted,
    pub(crate) input_bytes: u64,
    /// The end of the furthest byte of the input that was asked for since the last call began.
    pub(crate) read_up_to: u64,
    /// The size that the guest is asked to make its batches.
    pub(crate) batch_bytes: u64,
    /// The first refusal. It is final, whatever the guest does with it.
    pub(crate) refused: Option<Refusal>,
}

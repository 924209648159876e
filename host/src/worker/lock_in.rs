//! How a worker is locked in, according to what it is there for. What it maps it maps before; what a stranger made it reads
//! after.

use std::fs::File;
use std::io;
use std::thread;

use casparian_core::contract::text::Pattern;
use casparian_core::fault::{Blame, Blamed, FaultReport};
use casparian_core::limits::Limits;
use casparian_jail::{Bounded, Bounds, Confinement, Isolation, TooWeak, Walled};
use casparian_sandbox::{Loaded, Sandbox};

use super::guest_thread::GuestThreads;
use super::{Failed, LANES_MAX, broken, failed, internal, load};
use crate::component::CODE_BYTES_MAX;
use crate::link::Link;
use crate::orders::News;
use crate::sinks::Encoders;

/// What the worker's own buffers may take on top of the guest's memory.
const HOST_DATA_BYTES: u64 = 1536 * 1024 * 1024;
/// All addresses of a worker that compiles: nothing is reserved there that is not used.
const COMPILE_ADDRESS_BYTES: u64 = 3 * 1024 * 1024 * 1024;
/// Any one file of a run. What a run may write is bounded by its rows; this stops a file that claims to be larger than any disk.
pub(super) const RUN_FILE_BYTES: u64 = 1 << 40;
/// Open descriptors: a table each, and a handful more.
const FILES: u64 = 256;

/// A worker that is to be locked in.
pub(super) struct Cell<'a> {
    link: &'a Link,
    /// The least that somebody wants.
    required: Isolation,
    /// Whether what the parent left open is closed.
    closed: io::Result<()>,
}

impl<'a> Cell<'a> {
    pub(super) fn new(link: &'a Link, required: Isolation, closed: io::Result<()>) -> Self {
        Self { link, required, closed }
    }

    /// Maps code, then locks this process in with threads for as many guests, and with those that encode if more threads than one may
    /// work on an input. No file grows past `file_bytes`.
    pub(super) fn around_guests(
        self,
        limits: &Limits,
        code: &File,
        file_bytes: u64,
        threads: usize,
    ) -> Result<(Loaded, GuestThreads, Encoders), Failed> {
        let guests = threads.clamp(1, LANES_MAX);
        let guest_bytes = limits.memory_bytes_max.saturating_mul(guests as u64);
        let bounded = self.bound(guest_bytes, None, file_bytes)?;
        // A contract's patterns come later. The first one that a process compiles reads how many cores there are.
        Pattern::compile("x").map_err(|fault| internal(format!("a pattern: {fault}")))?;
        let fenced = bounded.fence();
        // What is mapped is a compiler's work that a stranger's component may have steered.
        let (loaded, guests) = load(limits, code, guests)?;
        let walled = fenced.wall_in();
        let guest_threads = GuestThreads::start(limits, guests)?;
        let encoders = Encoders::beside(threads);
        self.lock(walled)?;
        Ok((loaded, guest_threads, encoders))
    }

    /// Locks this process in with the threads that compile.
    pub(super) fn around_compilers(self, limits: &Limits) -> Result<Sandbox, Failed> {
        let bounded = self.bound(0, Some(COMPILE_ADDRESS_BYTES), CODE_BYTES_MAX)?;
        let sandbox = Sandbox::new(limits).map_err(failed)?;
        // How many there may be stands in files.
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let walled = bounded.wall_in();
        Sandbox::start_compilers(threads).map_err(failed)?;
        self.lock(walled)?;
        Ok(sandbox)
    }

    /// Locks this process in without a guest. No file grows past `file_bytes`.
    pub(super) fn around_no_guest(self, file_bytes: u64) -> Result<(), Failed> {
        let walled = self.bound(0, None, file_bytes)?.wall_in();
        self.lock(walled)
    }

    fn bound(
        &self,
        guest_bytes: u64,
        address_bytes: Option<u64>,
        file_bytes: u64,
    ) -> Result<Bounded, FaultReport> {
        let bounds = Bounds {
            // The address space is wasmtime's to reserve; what counts is what is written to.
            data_bytes: guest_bytes.saturating_add(HOST_DATA_BYTES),
            address_bytes,
            file_bytes,
            files: FILES,
        };
        let bounded =
            casparian_jail::bound(&bounds).map_err(|e| internal(format!("limits of this process: {e}")))?;
        Ok(match &self.closed {
            Ok(()) => bounded,
            Err(error) => bounded.lacks(format!("inherited descriptors cannot be closed: {error}")),
        })
    }

    /// Closes the last wall, says how far it went, and goes on only if that is far enough.
    fn lock(self, walled: Walled) -> Result<(), Failed> {
        let confinement: Confinement = walled.lock();
        let enough = confinement.check(self.required);
        self.link.send(&News::Confined(confinement), &[]).map_err(|fault| broken(&fault))?;
        enough.map_err(|fault| failed(IsolationTooWeak(fault)))
    }
}

/// No guest has run yet.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct IsolationTooWeak(TooWeak);

impl Blamed for IsolationTooWeak {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        "isolation-too-weak"
    }

    fn hint(&self) -> Option<String> {
        let level = self.0.level;
        Some(format!(
            "nothing was run; take a kernel that has what is missing, or be content with `--require-isolation {level}`"
        ))
    }
}

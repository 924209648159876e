//! The first steps, which every kernel can take: what a process has from its parent, and how much of anything it may use.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// What a worker may use. Processor time is bounded by its supervisor, who knows the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Memory that is written to. What wasmtime reserves and does not touch does not count.
    pub data_bytes: u64,
    /// All addresses together; none where wasmtime is to reserve some.
    pub address_bytes: Option<u64>,
    /// The size of any one file that it writes.
    pub file_bytes: u64,
    /// Open descriptors.
    pub files: u64,
}

/// A process that is bounded, and may still map code. What could not be had so far goes with it.
#[must_use = "a process that is only bounded can still open files"]
pub struct Bounded {
    pub(crate) missing: Vec<String>,
}

/// Closes every descriptor past standard error. What a careless parent left open is nothing that a guest should find.
///
/// # Errors
///
/// Fails where the kernel has no `close_range`, which came with Linux 5.9.
///
/// # Safety
///
/// Nothing in this process owns a descriptor past standard error yet.
#[expect(unsafe_code, reason = "descriptors are closed that nobody here has opened")]
pub unsafe fn close_inherited() -> io::Result<()> {
    // SAFETY: the call takes three numbers; that none of these descriptors has an owner is the caller's promise.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Bounds this process, takes its privileges and the way to new ones from it, and ties its life to its parent's. Capabilities
/// are a thread's: there must be no other yet.
///
/// # Errors
///
/// Fails where a limit cannot be set: below what it is to be, nobody but the superuser may raise it.
pub fn bound(bounds: &Bounds) -> io::Result<Bounded> {
    let limit = |resource, most| {
        let inherited = rustix::process::getrlimit(resource).maximum;
        let most = inherited.map_or(most, |inherited| inherited.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, bounds.files)?;
    limit(Resource::Data, bounds.data_bytes)?;
    limit(Resource::Fsize, bounds.file_bytes)?;
    if let Some(address_bytes) = bounds.address_bytes {
        limit(Resource::As, address_bytes)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // From here on nobody lives on without a supervisor; one that is gone already has closed its socket.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let kept = give_up_capabilities().err().map(|error| format!("capabilities cannot be given up: {error}"));
    Ok(Bounded { missing: kept.into_iter().collect() })
}

/// Gives up what the superuser may do and others may not. What goes from these three sets the kernel takes from the ambient
/// set; the bounding set matters to nobody who starts no program.
fn give_up_capabilities() -> io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

//! What a worker takes from itself before a stranger's code runs in it. Whoever breaks out of WebAssembly then stands in a
//! process that can compute, read and write what it was handed, and nothing else.
//!
//! The order is part of the promise, so the types hold it. Each step leaves behind what the next one must not need any more:
//!
//! 1. [`close_inherited`]: no descriptor that somebody forgot to close;
//! 2. [`bound`]: resource limits, no capabilities, no new privileges, no dumps, death with the parent;
//! 3. [`Bounded::fence`]: no file system, no network, no signals to others. Landlock binds the calling thread and those that
//!    it starts later, so there must be no other yet;
//! 4. the worker maps its code;
//! 5. [`Fenced::wall_in`]: no new executable memory;
//! 6. the worker starts its threads and waits until they stand;
//! 7. [`Walled::lock`]: the system calls on one list, for all threads, and death for any other.
//!
//! What a kernel cannot do is left out and said: [`Confinement::missing`]. Who wants all of it asks [`Confinement::check`].
//!
//! What is absent on purpose: namespaces, users and control groups. They need privileges or a set-up that ordinary users of
//! ordinary machines do not have.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bounds;
mod calls;
mod confinement;
mod walls;

pub use bounds::{Bounded, Bounds, bound, close_inherited};
pub use confinement::{Confinement, Isolation, TooWeak};
pub use walls::{Fenced, Walled, fence_to};

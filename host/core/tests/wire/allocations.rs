//! Counts what a piece of work allocates, so that "refused before anything is allocated" can be a test.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to implement; this one hands everything to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // A thread that is going away has no counter any more, and nothing that we would measure.
    let _gone = BYTES.try_with(|counter| counter.set(counter.get() + bytes as u64));
}

// SAFETY: every call goes to the system's allocator with the very arguments that came in.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, allocated: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(allocated, layout) }
    }

    unsafe fn realloc(&self, allocated: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(allocated, layout, bytes) }
    }
}

/// Does the work and returns with it how many bytes it allocated in all, on this thread.
pub(crate) fn allocated<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = BYTES.get();
    let done = work();
    (done, BYTES.get() - before)
}

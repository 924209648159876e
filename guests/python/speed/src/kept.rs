//! What the runtime keeps outside of the memory that every guest begins with a copy of.

use core::ptr::null_mut;

use crate::python::{self, Py, none};

/// Copies what is kept, from a place in it. The linker writes the body of this function (`xtask/src/one_module/kept.rs`), whose
/// instruction Rust has no word for; before that nothing is kept.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) unsafe extern "C" fn casparian_kept(to: *mut u8, from: usize, len: usize) {
    core::hint::black_box(from); // an argument that nobody looks at is not passed
    for at in 0..len {
        // SAFETY: the caller has room for so many. Volatile, lest the compiler thinks that it knows what is written.
        unsafe { to.add(at).write_volatile(0) };
    }
}

/// `kept(from, len)`: some bytes of what is kept. Past its end the guest traps.
pub(crate) unsafe extern "C" fn kept(_: Py, arguments: *const Py, count: isize) -> Py {
    // SAFETY: called by the interpreter, with `count` arguments.
    unsafe {
        if count != 2 {
            return none();
        }
        let [from, len] =
            [0, 1].map(|which| usize::try_from(python::PyLong_AsLongLong(*arguments.add(which))));
        let (Ok(from), Ok(len)) = (from, len) else {
            return if python::PyErr_Occurred().is_null() { none() } else { null_mut() };
        };
        python::bytes(len, |to| casparian_kept(to, from, len))
    }
}

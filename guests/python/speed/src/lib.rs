//! What the SDK for Python does for every line, row and cell, compiled: a module for the CPython of the runtime.
//!
//! Everything here but [`kept`] stands in for a function of the SDK in Python and says the same to the byte. What is not the plain case it
//! answers with `None`, and the function in Python takes over: it alone says what is right.
//!
//! This is `unsafe` code: it talks to an interpreter in C, and reads its objects where they lie. It runs inside the sandbox, so a
//! mistake in it can end a parser or make it say something wrong about its own input, as one in the interpreter could, and reach
//! nothing else. How objects lie in memory is looked at when the module is loaded; where they do not lie as they did, it is not there.
#![cfg(target_family = "wasm")]
#![no_std]
#![expect(unsafe_code, reason = "a module for an interpreter in C")]

mod kept;
mod line;
mod message;
mod python;
mod rows;
mod texts;

use core::ffi::{CStr, c_int, c_void};
use core::panic::PanicInfo;
use core::ptr::null_mut;

use python::{Definition, FASTCALL, Function, Method, ONE, Table};

const NAME: &CStr = c"_casparian_speed";
/// The version of the interpreter's interface that modules name, fixed since Python 3.
const API: c_int = 1013;

static METHODS: Table<[Method; 8]> = Table::new([
    Method::new(c"lines", Function { many: line::lines }, FASTCALL),
    Method::new(c"spans", Function { one: line::spans }, ONE),
    Method::new(c"texts", Function { one: texts::texts }, ONE),
    Method::new(c"sizes", Function { one: texts::sizes }, ONE),
    Method::new(c"framed", Function { many: message::framed }, FASTCALL),
    Method::new(c"kept", Function { many: kept::kept }, FASTCALL),
    Method::new(c"appender", Function { one: rows::appender }, ONE),
    Method::END,
]);

static MODULE: Table<Definition> = Table::new(Definition::new(NAME, METHODS.get().cast()));

/// Makes the module. The interpreter calls it by its name.
///
/// # Safety
/// The interpreter has been started and calls this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__casparian_speed() -> *mut c_void {
    // SAFETY: called by the interpreter.
    unsafe {
        let (module, line) = (python::PyModule_Create2(MODULE.get(), API), line::make_type());
        if module.is_null() || line.is_null() {
            return null_mut();
        }
        if !texts::learn(line) {
            python::PyErr_SetString(python::import_error(), c"texts lie otherwise in memory".as_ptr());
            return null_mut();
        }
        python::PyModule_AddObjectRef(module, c"Line".as_ptr(), line);
        module.cast()
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

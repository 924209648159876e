//! Runs a program and writes down how much memory it took: `weigh FILE PROGRAM ARGUMENT…`.
//!
//! The kernel knows the high-water mark of a process that has ended, but where the process was started by a large one it begins
//! with that one's. So tests, which are large, have programs started by this one, which is not.
//!
//! The file gets two numbers of bytes: the mark of the largest process among the program and those that it has waited for, which
//! is exact; and, with `CASPARIAN_MEMORY` set, that of all together, from looking every two milliseconds, else 0. The second is the sum
//! of the marks, also of processes that never lived at a time.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode};

use casparian_tests::marks;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(file), Some(program)) = (words.next(), words.next()) else {
        return Err("usage: weigh FILE PROGRAM ARGUMENT…".into());
    };
    let mut child = Command::new(program).args(words.collect::<Vec<OsString>>()).spawn()?;
    let is_watched = std::env::var_os("CASPARIAN_MEMORY").is_some();
    let together: u64 = if is_watched { marks::watch(&child)?.values().sum() } else { 0 };
    let status = child.wait()?;
    fs::write(file, format!("{} {together}", largest_of_children()?))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)))
}

/// Returns the high-water mark of the largest process that was waited for, by this one or by one of those, in bytes.
fn largest_of_children() -> Result<u64, Box<dyn Error>> {
    // SAFETY: a `rusage` is made of numbers, which may all be zero.
    #[expect(unsafe_code, reason = "the kernel says it in no other way once a process is gone")]
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `rusage` that lives.
    #[expect(unsafe_code, reason = "as above")]
    let got = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    if got != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(u64::try_from(usage.ru_maxrss)? * 1024)
}

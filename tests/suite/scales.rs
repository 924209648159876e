//! What memory a call of the program took, and what it may take: 256 MiB besides what its guests had, or may have where nobody says
//! what they had.
//!
//! Every call that a test waits for is weighed (`weigh`): the largest of its processes, supervisor or worker, files mapped included. A
//! worker whose input is cut into ranges has a guest for each at a time, as far as it has threads. `CASPARIAN_MEMORY=FILE`
//! has what each call took written there, a line each, and what all its processes took together; `cargo xtask memory` reads it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::host::{beside_tests, program};

/// What a process may take besides what its guests may have, and besides what they had.
const HOST_BYTES_MAX: u64 = 256 << 20;
/// The size of ranges that parsers are asked for.
const RANGE_BYTES: u64 = 4 << 20;

/// Guests of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guests {
    /// What each may have.
    pub(crate) memory_bytes_max: u64,
    /// What the one had that had most; none where nobody says.
    pub(crate) memory_bytes: Option<u64>,
    /// Most of them in one process.
    pub(crate) at_a_time: u64,
}

impl Guests {
    /// Returns how many guests a worker may have at a time over an input, by as many threads as somebody says or there are cores.
    pub(crate) fn at_a_time(jobs: Option<u64>, input: &Path) -> u64 {
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let ranges = fs::metadata(input).map_or(1, |file| file.len().div_ceil(RANGE_BYTES).max(1));
        jobs.unwrap_or(cores).min(ranges)
    }
}

/// The pan that a call is weighed in.
pub(crate) struct Scales(PathBuf);

impl Scales {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("weight-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    /// Begins a command of the program that is weighed.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(beside_tests("weigh"));
        command.arg(&self.0).arg(program());
        command
    }

    /// Checks what was weighed, and writes it down where somebody wants to know.
    #[track_caller]
    pub(crate) fn check(self, guests: Guests, words: &str) {
        let text =
            fs::read_to_string(&self.0).unwrap_or_else(|error| panic!("{words} was not weighed: {error}"));
        fs::remove_file(&self.0).expect("the weight is there");
        let (largest, together) = text.split_once(' ').expect("two numbers");
        let Guests { memory_bytes_max, memory_bytes, at_a_time } = guests;
        let had = memory_bytes.map_or("-".to_owned(), |bytes| bytes.to_string());
        write_down(&format!("{largest} {together} {memory_bytes_max} {had} {at_a_time}"), words);
        let largest: u64 = largest.parse().expect("a number");
        let over = largest.saturating_sub(memory_bytes.unwrap_or(memory_bytes_max) * at_a_time);
        assert!(over <= HOST_BYTES_MAX, "{words} took {largest} bytes, {over} more than {guests:?}");
    }
}

fn write_down(numbers: &str, words: &str) {
    let Some(file) = std::env::var_os("CASPARIAN_MEMORY") else { return };
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let mut file =
        OpenOptions::new().create(true).append(true).open(file).expect("a file to write down weights");
    // One write, so that tests side by side do not mix their lines.
    file.write_all(format!("{numbers} {test} {words}\n").as_bytes()).expect("the weight is written down");
}

//! The logs that are measured: written from a seed, and kept.

// The generator is a program of the parser's; only what writes lines is wanted of it here.
#[path = "../../guests/fix/examples/generate.rs"]
#[expect(dead_code, reason = "its command line stays unused")]
mod generate;

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use generate::{Generator, Order};

use crate::Outcome;
use crate::site::Site;

const SEED: u64 = 7;
const SOH: u8 = 1;
/// As much of a kept log is compared with what would be written today.
const HEAD_BYTES: u64 = 64_000;

/// A log to be parsed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    pub(crate) megabytes: u64,
    /// Lines of a hundred that have something wrong with them.
    pub(crate) dirty_percent: u64,
}

impl Log {
    pub(crate) const fn clean(megabytes: u64) -> Log {
        Log { megabytes, dirty_percent: 0 }
    }

    pub(crate) const fn dirty(megabytes: u64) -> Log {
        Log { megabytes, dirty_percent: 10 }
    }

    fn order(self, bytes: u64) -> Order {
        Order { bytes, seed: SEED, dirty: self.dirty_percent * 10_000, delimiter: SOH }
    }

    /// Returns where the log is, after writing it unless it is there and what the generator would write now.
    pub(crate) fn path(self, site: &Site) -> Outcome<PathBuf> {
        let Log { megabytes, dirty_percent } = self;
        let path = site.folder.join(format!("fix-{megabytes}MB-{dirty_percent}pc-seed{SEED}.log"));
        if !self.is_kept(&path)? {
            eprintln!("  writing {} of {megabytes} MB", path.display());
            // Under its own name only when it is whole.
            let unfinished = path.with_extension("unfinished");
            write(&self.order(megabytes * 1_000_000), &unfinished)?;
            fs::rename(&unfinished, &path)?;
        }
        warm(&path)?;
        Ok(path)
    }

    fn is_kept(self, path: &Path) -> Outcome<bool> {
        let Ok(log) = File::open(path) else { return Ok(false) };
        let mut head = Vec::new();
        log.take(HEAD_BYTES).read_to_end(&mut head)?;
        let mut generator = Generator::new(&self.order(HEAD_BYTES));
        let mut due = Vec::new();
        while due.len() < head.len() {
            due.extend_from_slice(generator.line());
        }
        Ok(!head.is_empty() && due.starts_with(&head))
    }
}

/// Writes `count` logs of about `bytes` bytes each, every one from a seed of its own, and returns where they are.
pub(crate) fn small(site: &Site, count: u64, bytes: u64) -> Outcome<Vec<PathBuf>> {
    let folder = site.folder.join("small");
    fs::create_dir_all(&folder)?;
    let one = |seed: u64| {
        let path = folder.join(format!("{seed:04}.log"));
        write(&Order { bytes, seed, dirty: 0, delimiter: SOH }, &path)?;
        Ok(path)
    };
    (0..count).map(one).collect()
}

fn write(order: &Order, path: &Path) -> Outcome {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut generator = Generator::new(order);
    let mut written = 0;
    while written < order.bytes {
        let line = generator.line();
        written += line.len() as u64;
        out.write_all(line)?;
    }
    Ok(out.flush()?)
}

/// Reads a file once, so that every contender finds it in memory.
fn warm(path: &Path) -> Outcome {
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 1 << 20];
    while file.read(&mut chunk)? > 0 {}
    Ok(())
}

//! What a person asks of a run, and what they hear while it goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use casparian_core::guest_text::GuestText;
use casparian_core::isolate::OnTrap;
use casparian_core::limits::Limits;
use casparian_jail::Isolation;
use casparian_sandbox::journal::Level;
use serde::{Deserialize, Serialize};

use crate::input::{STDIN, STDIN_NAME};
use crate::packing::Compression;
use crate::sinks::Format;
use crate::source::ReadSizes;
use crate::staging::Extent;

/// What a person asked for. No file has been opened yet.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The parser: a component, or a Python program.
    pub component: PathBuf,
    /// The file to parse, a member of a ZIP as `ARCHIVE!MEMBER`, or [`STDIN`].
    pub input: PathBuf,
    /// How it is taken to be packed.
    pub compression: Compression,
    /// The member of a ZIP; none: the one that the path names, or the only one.
    pub member: Option<String>,
    /// Where the tables go; none: nothing is written and the first rows are shown.
    pub out: Option<PathBuf>,
    /// Whether `out` is a folder or the file of one table.
    pub extent: Extent,
    /// How tables are written.
    pub format: Format,
    /// Whether an `out` that exists is exchanged for the new one.
    pub replace: bool,
    /// Which tables.
    pub tables: TableChoice,
    /// Options for the parser, as given.
    pub options: Vec<(String, String)>,
    /// The bounds.
    pub limits: Limits,
    /// What rows are judged by.
    pub contract: ContractChoice,
    /// Whether anything in quarantine makes the verdict no.
    pub strict: bool,
    /// Rows of each table to show where nothing is written; 0 for none (`--whatif`).
    pub preview_rows: usize,
    /// The least grave lines of the parser's log that are told.
    pub log_level: Level,
    /// What the input is to be called; none: what its path calls it.
    pub input_name: Option<String>,
    /// The size of the ranges that the input is parsed in; none: the usual one, except in checks.
    pub range_bytes: Option<u64>,
    /// Threads that may work on one input side by side; at least one. What a run claims does not depend on it.
    pub threads: usize,
    /// What to do where the parser traps.
    pub on_trap: OnTrap,
    /// How much a read gives: all that was asked for, except in checks.
    pub read_sizes: ReadSizes,
    /// Where compiled code is kept.
    pub cache_dir: PathBuf,
    /// The component that makes parsers of Python programs.
    pub python_runtime: PathBuf,
    /// The program whose `worker` command does the run; nearly always this one.
    pub worker_exe: PathBuf,
    /// The least that must stand between the parser and this machine; where it does not, nothing is run.
    pub require_isolation: Isolation,
    /// Set by somebody who wants the run to end: the worker is killed, nothing is published.
    pub stop: Arc<AtomicBool>,
}

impl RunRequest {
    /// Returns whether the input is piped in.
    pub fn is_piped(&self) -> bool {
        self.input.as_os_str() == STDIN
    }

    /// Returns what people call the input, with bytes that are no text replaced.
    pub fn called(&self) -> String {
        match &self.input_name {
            Some(name) => name.clone(),
            None if self.is_piped() => STDIN_NAME.to_owned(),
            None => self.input.to_string_lossy().into_owned(),
        }
    }
}

/// Which contract a run is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContractChoice {
    /// The one that the component carries; if it carries none, the schema that the parser declares.
    Default,
    /// This file.
    File(PathBuf),
    /// The schema that the parser declares.
    Declared,
}

/// Which tables a run writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableChoice {
    /// Those that the parser has on by default.
    Default,
    /// All that the parser describes.
    All,
    /// These.
    Named(Vec<String>),
}

/// What a run tells while it goes on.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Compiling the component for the first time on this machine.
    Compiling {
        /// Its size.
        bytes: u64,
        /// Whether it is a language runtime: a long wait, once for all its programs.
        is_runtime: bool,
    },
    /// The parser has begun.
    Started {
        /// The name it gives itself.
        name: GuestText,
        /// Its version.
        version: GuestText,
        /// The size of the input.
        input_bytes: u64,
    },
    /// The watermark moved.
    Committed {
        /// Input bytes settled.
        bytes: u64,
        /// Rows accepted so far.
        accepted: u64,
        /// Rows quarantined so far.
        quarantined: u64,
    },
    /// The guest logged a line.
    Log {
        /// How grave.
        level: Level,
        /// What it said, cut.
        line: GuestText,
    },
}

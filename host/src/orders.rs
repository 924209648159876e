//! What supervisor and worker say to each other. One shape per thing, nothing optional that is not meant to be.

use casparian_core::description::Description;
use casparian_core::fault::FaultReport;
use casparian_core::flow::Tally;
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};
use casparian_core::isolate::{OnTrap, Toll};
use casparian_core::ledger::Account;
use casparian_core::limits::Limits;
use casparian_core::receipt::Unpacked;
use casparian_jail::Confinement;
use casparian_sandbox::journal::{Level, LogLine};
use serde::{Deserialize, Serialize};

use crate::columns::{Column, SchemaRule};
use crate::interface::Interface;
use crate::packing::Wish;
use crate::report::{ContractOrigin, ContractReport, Preview, Used};
use crate::request::TableChoice;
use crate::sinks::Format;
use crate::source::ReadSizes;

/// What a supervisor asks of a worker: one thing, or one input after another; then the worker is gone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Check the component in the first descriptor, compile it into the second. A runtime may import what parsers may not.
    Compile { limits: Limits, is_runtime: bool, component_bytes: u64 },
    /// Have a runtime (its code in the first descriptor) compile a program (second) into the third.
    Prepare { limits: Limits },
    /// Describe the component in the first descriptor by running its code, in the second; of a program and the program
    /// compiled (third and fourth) its runtime's. A default contract of a program is the last.
    Inspect { limits: Limits, component_bytes: u64, has_program: bool, has_contract: bool },
    /// Run code (first descriptor) over an input (second), a runtime's with its program (two more), and judge by a contract, if
    /// there is one (the last).
    Run(Box<Order>),
    /// Run code over inputs that come one after another, each as a [`Next`]. The descriptors are those of a run, but for the
    /// input. The order is that of every input but for its name and its digest.
    RunMany(Box<Order>),
    /// Write parts of a dataset again, with all columns of their tables. They come one after another, as [`NextPart`].
    Widen(Box<Widening>),
    /// Be locked in as for a run, and say how far that went.
    LockIn,
}

/// What a worker with many inputs is to do next.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Next {
    /// Begin a segment: what was agreed on columns is no longer known.
    Begin,
    /// Run the input that comes with it: what it is called, its digest, and what is to be read of it.
    Input { name: String, sha256: Digest, wish: Wish },
    /// Complete the part that is open, and say [`News::Rests`].
    Rest,
}

/// What parts that are written again have in common.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Widening {
    pub(crate) made_by: MadeBy,
    pub(crate) format: Format,
    /// Tables that shared the memory there was.
    pub(crate) tables_wanted: usize,
}

/// What the rows of a dataset were made by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MadeBy {
    pub(crate) parser_name: GuestText,
    pub(crate) parser_version: GuestText,
    pub(crate) parser_sha256: Digest,
    pub(crate) contract: Option<ContractReport>,
}

/// What a worker that writes parts again is to do next. It says [`News::Rests`] to begin with, and behind each piece of columns.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum NextPart {
    /// Hear the columns of a table, or some of them.
    Columns { table: TableName, columns: Vec<Column> },
    /// Write the part of a table that comes with it into a file to be asked for, unless it is as it should be.
    Part(TableName),
}

/// What of a part is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kept {
    /// All of it.
    All,
    /// The quarantine: the one input in it was held.
    Quarantine,
    /// Nothing: the one input in it has failed.
    Nothing,
}

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) limits: Limits,
    /// What people call the input.
    pub(crate) input_name: String,
    /// None: it is being taken, and is asked for when it is needed.
    pub(crate) input_sha256: Option<Digest>,
    /// What is to be read of it.
    pub(crate) wish: Wish,
    pub(crate) component_sha256: Digest,
    /// Whether the code is a runtime's, and a program comes with it.
    pub(crate) has_program: bool,
    /// Whose words the contract is; none: rows are judged by the schema that the parser declares.
    pub(crate) contract: Option<ContractOrigin>,
    pub(crate) tables: TableChoice,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) format: Format,
    /// What becomes of inputs whose columns differ.
    pub(crate) schema: SchemaRule,
    /// Whether exactly one table must be wanted: it is the whole output.
    pub(crate) one_table: bool,
    /// Rows of each table to send back, where no files are written.
    pub(crate) preview_rows: Option<usize>,
    pub(crate) log_level: Level,
    pub(crate) read_sizes: ReadSizes,
    /// What to do where the parser traps.
    pub(crate) on_trap: OnTrap,
    /// The size that the parser is asked to make its ranges; none: the usual one.
    pub(crate) range_bytes: Option<u64>,
    /// Threads that may work on one input side by side; at least one.
    pub(crate) threads: usize,
}

/// What a worker tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum News {
    /// The worker is locked in. It runs nothing before it has said so.
    Confined(Confinement),
    /// The parser has said what it is, and the contract has been read.
    Described {
        description: Box<Description>,
        contract: Option<ContractReport>,
    },
    /// The input was packed, and what it holds is in the spool.
    Unpacked(Unpacked),
    /// A file is needed: an [`Answer`] is awaited.
    File(FileFor),
    /// The digest of the input is needed, as it stands there: it is awaited.
    WantsDigest,
    Progress {
        bytes: u64,
        accepted: u64,
        quarantined: u64,
    },
    /// A record that killed the parser is quarantined: what it burnt has taken its time.
    Buried,
    Log(LogLine),
    /// Some rows of a table.
    Preview(Preview),
    /// A table has these columns in the input at hand, or these among them: behind the last an [`Answer`] is awaited, which says
    /// why the input does not fit into the dataset, if it does not.
    Columns {
        table: TableName,
        columns: Vec<Column>,
        is_last: bool,
    },
    /// A part has all columns of its table: whether it was written again for that.
    Widened(bool),
    /// The part that was open is complete: files that are asked for from now on are of another one.
    PartEnded(Kept),
    /// Nothing is open, as was asked.
    Rests,
    /// The end of a worker that was only to be locked in.
    LockedIn,
    /// The end of a compilation.
    Compiled,
    /// The end of an inspection.
    Inspected(Box<Interface>),
    /// The end of a run.
    Done(Box<Done>),
    /// The end of anything that went wrong.
    Failed {
        fault: FaultReport,
        used: Used,
        /// Guests may still be at work, whose words nobody hears any more: no input is to follow.
        leaves_guests: bool,
    },
}

/// What a worker needs a file for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum FileFor {
    Table(TableName),
    Quarantine,
    /// Keys that do not fit into memory.
    Scratch,
    /// What a packed input holds.
    Spool,
}

/// The answer to [`News::File`]: a descriptor comes with it, or none could be had. And to [`News::Columns`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
}

/// What a run came to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Whether there was anything to hold.
    pub(crate) has_quarantine: bool,
    pub(crate) tally: Tally,
    pub(crate) account: Account,
    /// Ranges that the parser cut the input into.
    pub(crate) ranges: u64,
    /// Threads that the worker has.
    pub(crate) threads: u32,
    /// What going on behind traps has cost.
    pub(crate) toll: Toll,
    pub(crate) used: Used,
}

//! What a run tells its caller: the struct that `--json` prints, the summary renders, and other faces will return.

use std::collections::BTreeMap;
use std::path::Path;

use casparian_core::contract::verdict::Code;
use casparian_core::fault::{Blame, FaultReport, Span};
use casparian_core::flow::{BrokenBudget, Tally, WarningTally};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};
use casparian_core::intake::SkipKind;
use casparian_core::isolate::Toll;
use casparian_core::ledger::Account;
use casparian_core::receipt::{Claim, Unpacked};
use casparian_jail::Confinement;
pub use casparian_jail::Isolation;
use casparian_sandbox::Usage;
use serde::{Deserialize, Serialize};

use crate::input;
use crate::loader::LoadReport;

/// The version of [`Report`]'s shape.
pub const REPORT_SCHEMA: u32 = 1;

/// What became of one input.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`REPORT_SCHEMA`].
    pub schema: u32,
    /// The input.
    pub input: InputReport,
    /// The parser.
    pub component: ComponentReport,
    /// The contract that rows were judged by; none: the schema that the parser declares.
    pub contract: Option<ContractReport>,
    /// How it ended.
    pub status: Status,
    /// The exit code that this input alone would give.
    pub exit: u8,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultReport>,
    /// The tables that were wanted, in the order of their opening. A wanted table that never appeared has no rows.
    pub tables: Vec<TableReport>,
    /// What is in quarantine.
    pub quarantine: QuarantineReport,
    /// Traps of the parser that the run went on behind, and the records that are in quarantine for it.
    pub traps: Toll,
    /// Records of the input.
    pub records: u64,
    /// Every byte of the input, by class.
    pub accounting: Accounting,
    /// Fuel burnt.
    pub fuel: u64,
    /// The most linear memory that the guest had, in bytes.
    pub memory_peak_bytes: u64,
    /// What stood between the guest and this machine; [`Isolation::L0`] where no worker got far enough to say.
    pub isolation: Isolation,
    /// What this machine did not give of it, a line each: nothing at L3.
    pub isolation_missing: Vec<String>,
    /// Guest log lines dropped because the log was full.
    pub log_lines_dropped: u64,
    /// Rules of the contract that only warn, with the accepted rows that broke them.
    pub rule_warnings: Vec<WarningTally>,
    /// What the contract wants of a run as a whole and was not kept; anything here holds publication.
    pub held: Vec<BrokenBudget>,
    /// What did not end the run and should be known: a bound of the log, code that somebody changed.
    pub warnings: Vec<FaultReport>,
    /// Time from the first look at the input to the last word about it.
    pub wall_ms: u64,
    /// Digest of what the run claims; none where it failed.
    pub claim_sha256: Option<Digest>,
    /// Where the receipt was published.
    pub receipt: Option<String>,
    /// What became of it in a database; none where its output is files, or nothing was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadReport>,
    /// What the run claims, to be checked by another run.
    #[serde(skip)]
    pub claim: Option<Claim>,
    /// First rows of each table, where nothing is written.
    #[serde(skip)]
    pub previews: Vec<Preview>,
}

impl Report {
    /// Begins the report of a run of which nothing is known yet.
    pub(crate) fn begin(component: &Path, input: &Path) -> Self {
        let stem = component.file_stem().unwrap_or_default().to_string_lossy();
        Self {
            schema: REPORT_SCHEMA,
            input: InputReport {
                path: input.to_string_lossy().into_owned(),
                link: None,
                path_hex: input::hex_of_odd(input),
                sha256: None,
                bytes: 0,
                unpacked: None,
            },
            component: ComponentReport { name: GuestText::new(&stem, 128), version: None, sha256: None },
            contract: None,
            status: Status::Failed,
            exit: Status::Failed.exit_code(),
            fault: None,
            tables: Vec::new(),
            quarantine: QuarantineReport::default(),
            traps: Toll::default(),
            records: 0,
            accounting: Accounting::default(),
            fuel: 0,
            memory_peak_bytes: 0,
            isolation: Isolation::L0,
            isolation_missing: Vec::new(),
            log_lines_dropped: 0,
            rule_warnings: Vec::new(),
            held: Vec::new(),
            warnings: Vec::new(),
            wall_ms: 0,
            claim_sha256: None,
            receipt: None,
            load: None,
            claim: None,
            previews: Vec::new(),
        }
    }

    /// Ends it badly. What was counted before is of no use: nothing was published.
    pub(crate) fn fail(&mut self, fault: FaultReport) {
        self.status = Status::Failed;
        self.exit = if fault.code == "interrupted" { EXIT_INTERRUPTED } else { fault.blame.exit_code() };
        self.fault = Some(fault);
        self.tables.clear();
        self.records = 0;
        (self.claim, self.claim_sha256, self.receipt) = (None, None, None);
        self.load = None;
        self.previews.clear();
        self.quarantine = QuarantineReport::default();
        self.accounting = Accounting::default();
    }

    /// Writes down how far the worker was locked in.
    pub(crate) fn confine(&mut self, confinement: Option<&Confinement>) {
        if let Some(Confinement { level, missing }) = confinement {
            self.isolation = *level;
            self.isolation_missing.clone_from(missing);
        }
    }

    /// Writes down what the guest has used.
    pub(crate) fn use_up(&mut self, used: Used) {
        self.fuel = used.fuel;
        self.memory_peak_bytes = used.memory_peak_bytes;
        self.log_lines_dropped = used.log_lines_dropped;
        self.warnings.extend(used.log_overflow.map(|message| FaultReport {
            blame: Blame::Guest,
            code: "log-full".to_owned(),
            message: format!("{message}; {} lines dropped", used.log_lines_dropped),
            hint: None,
            at: None,
        }));
    }
}

/// The exit code of a run that somebody stopped.
pub const EXIT_INTERRUPTED: u8 = 130;

/// The input of a run.
#[derive(Debug, Clone, Serialize)]
pub struct InputReport {
    /// As it was given.
    pub path: String,
    /// The bytes of that in hex, where they are no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// Where it led to, if it was a symbolic link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Digest of its bytes; none where it could not be read.
    pub sha256: Option<Digest>,
    /// Its size on disk.
    pub bytes: u64,
    /// What it holds, if it was packed: every offset is about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<Unpacked>,
}

impl InputReport {
    /// Returns the size of what the parser reads.
    pub fn read_bytes(&self) -> u64 {
        self.unpacked.as_ref().map_or(self.bytes, |unpacked| unpacked.bytes)
    }
}

/// The parser of a run.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentReport {
    /// The name it gives itself; its file's name where it did not get to say.
    pub name: GuestText,
    /// The version it gives itself.
    pub version: Option<GuestText>,
    /// Digest of the component's bytes; none where they could not be read.
    pub sha256: Option<Digest>,
}

/// The contract of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractReport {
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its `contract_hash`.
    pub hash: Digest,
    /// Whose words it is.
    pub origin: ContractOrigin,
}

/// Whose words a contract is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContractOrigin {
    /// Somebody gave it for this run.
    Given,
    /// It came with the component.
    Embedded,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every record met the contract.
    Completed,
    /// Done, and some records are in quarantine.
    CompletedWithQuarantine,
    /// The verdict is no: judged, and held back from publication.
    Held,
    /// A fault ended it; nothing was published.
    Failed,
}

impl Status {
    /// Returns the words for it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Completed => "completed",
            Status::CompletedWithQuarantine => "completed with quarantine",
            Status::Held => "held",
            Status::Failed => "failed",
        }
    }

    /// Returns the one word for it, for machines.
    pub(crate) fn snake(self) -> &'static str {
        match self {
            Status::Completed => "completed",
            Status::CompletedWithQuarantine => "completed_with_quarantine",
            Status::Held => "held",
            Status::Failed => "failed",
        }
    }

    /// Returns the exit code of a run that ended so. A failed one has its fault's.
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Completed | Status::CompletedWithQuarantine => 0,
            Status::Held => 1,
            Status::Failed => Blame::Host.exit_code(),
        }
    }
}

/// One table of a run.
#[derive(Debug, Clone, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: TableName,
    /// Rows that met the contract.
    pub accepted: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
    /// Where its rows were published.
    pub path: Option<String>,
}

/// The quarantine of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct QuarantineReport {
    /// Rows, and records that could not be read.
    pub rows: u64,
    /// Where it was published.
    pub path: Option<String>,
    /// Rows by reason code.
    pub by_code: BTreeMap<Code, u64>,
    /// Rows by rule: a contract's, or the parser's own word for a fault.
    pub by_rule: BTreeMap<String, u64>,
}

/// Every byte of an input, by class. The four add up to its size; all are 0 where the run failed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Accounting {
    /// Whether the classes mean anything.
    pub coverage: Coverage,
    /// Bytes of records that met the contract.
    pub accepted_bytes: u64,
    /// Bytes of records in quarantine.
    pub quarantined_bytes: u64,
    /// Bytes that the parser said hold no record.
    pub skipped_bytes: u64,
    /// Bytes that nobody spoke for.
    pub dark_bytes: u64,
    /// The first dark ranges.
    pub dark: Vec<Span>,
    /// How many dark ranges there are in all.
    pub dark_ranges: u64,
    /// Skipped bytes by kind.
    pub skipped_by_kind: BTreeMap<SkipKind, u64>,
}

impl Accounting {
    pub(crate) fn new(tally: &Tally, account: Account) -> Self {
        let classes = account.classes;
        let spoken_for = tally.records > 0 || classes.skipped_bytes > 0;
        let coverage = match (classes.dark_bytes, spoken_for) {
            (0, _) => Coverage::Full,
            (_, true) => Coverage::Partial,
            (_, false) => Coverage::None,
        };
        Self {
            coverage,
            accepted_bytes: classes.accepted_bytes,
            quarantined_bytes: classes.quarantined_bytes,
            skipped_bytes: classes.skipped_bytes,
            dark_bytes: classes.dark_bytes,
            dark: account.dark,
            dark_ranges: account.dark_ranges,
            skipped_by_kind: tally.skipped_by_kind.clone(),
        }
    }
}

/// How far the accounting goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// No byte is dark.
    Full,
    /// Some bytes are dark.
    Partial,
    /// The parser gives no spans, or the run failed.
    #[default]
    None,
}

/// The first rows of a table, as text. Cells are cut; no terminal is steered by them once they are shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Preview {
    /// The table.
    pub table: TableName,
    /// Column name and type.
    pub columns: Vec<(GuestText, String)>,
    /// Rows of cells; none is null.
    pub rows: Vec<Vec<Option<GuestText>>>,
}

/// What a guest has used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) fuel: u64,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) log_lines_dropped: u64,
    /// A bound of the log that was hit, in words.
    pub(crate) log_overflow: Option<String>,
}

impl From<Usage> for Used {
    fn from(usage: Usage) -> Self {
        Self {
            fuel: usage.fuel,
            memory_peak_bytes: usage.memory_peak_bytes,
            log_lines_dropped: usage.log_lines_dropped,
            log_overflow: usage.log_overflow.map(|limit| limit.to_string()),
        }
    }
}

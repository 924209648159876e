//! Why a run cannot be loaded. Whatever it is, the database is as it was.

use std::io;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use rusqlite::ErrorCode;
use thiserror::Error;

use crate::sinks::sqlite::Unstorable;

/// Most bytes of a name or a message that are told.
pub(super) const WORDS_BYTES_MAX: usize = 1024;

/// A run cannot be loaded.
#[derive(Debug, Error)]
pub(super) enum LoadFault {
    #[error("loader {exe} cannot be started: {error}")]
    Start { exe: String, error: io::Error },
    #[error("the socket between supervisor and loader: {0}")]
    Link(String),
    #[error("the loader died: {0}")]
    Died(String),
    #[error("loading ms: limit {limit_ms}, used up")]
    Deadline { limit_ms: u64 },
    #[error("interrupted")]
    Interrupted,
    #[error("the database is in use by somebody else: waited {waited_ms} ms")]
    Locked { waited_ms: u64 },
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    #[error("the database cannot be opened: {0}")]
    Unopened(String),
    #[error("no space left for the database: {0}")]
    Full(String),
    #[error("the file is no SQLite database, or a damaged one: {0}")]
    NoDatabase(String),
    #[error("the database keeps text as {0}, in which some characters are altered")]
    Encoding(String),
    #[error("the database has {kind} `{table}` that no run has made")]
    Foreign { table: String, kind: String },
    #[error("table `{table}` of the database has other columns: {difference}")]
    OtherColumns { table: String, difference: String },
    #[error("table `{table}`: SQLite keeps names that begin with `sqlite_` to itself")]
    ReservedName { table: String },
    #[error("table `{table}`: columns `{one}` and `{other}` are one to SQLite, which takes A for a")]
    Clash { table: String, one: GuestText, other: GuestText },
    #[error("table `{table}`: a column is called `{column}`, with a NUL, at which SQLite stops reading")]
    Nul { table: String, column: GuestText },
    #[error("table `{table}`: columns: limit {limit}, wanted {wanted}")]
    TooManyColumns { table: String, limit: usize, wanted: usize },
    #[error("table `{table}`, column `{column}`, row {row} of the run: {why}")]
    Unstorable { table: String, column: GuestText, row: u64, why: Unstorable },
    #[error("table `{table}`, row {row} of the run: SQLite does not take it: {error}")]
    Row { table: String, row: u64, error: String },
    #[error("{file} that was staged cannot be read: {error}")]
    Staged { file: String, error: String },
    #[error("table `{table}` was staged with {staged} rows, and {claimed} are claimed")]
    Rows { table: String, staged: u64, claimed: u64 },
    #[error("the database: {0}")]
    Sqlite(String),
}

impl Blamed for LoadFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Start { .. } | Self::Link(_) | Self::Died(_) | Self::Sqlite(_) => Blame::Host,
            Self::Staged { .. } | Self::Rows { .. } => Blame::Host,
            _ => Blame::Operator,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Start { .. } => "worker-not-started",
            Self::Link(_) | Self::Rows { .. } => "internal",
            Self::Died(_) => "loader-crash",
            Self::Deadline { .. } => "load-deadline",
            Self::Interrupted => "interrupted",
            Self::Locked { .. } => "database-locked",
            Self::ReadOnly(_) => "database-read-only",
            Self::Unopened(_) => "database-unopened",
            Self::Full(_) => "disk-full",
            Self::NoDatabase(_) => "not-a-database",
            Self::Encoding(_) => "database-encoding",
            Self::Foreign { .. } => "database-foreign-table",
            Self::OtherColumns { .. } => "database-other-columns",
            Self::ReservedName { .. } | Self::Clash { .. } | Self::Nul { .. } => "database-name",
            Self::TooManyColumns { .. } => "database-columns",
            Self::Unstorable { .. } | Self::Row { .. } => "database-value",
            Self::Staged { .. } | Self::Sqlite(_) => "load-failed",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Died(_) => "nothing is half-loaded; run it again: what is loaded already stays loaded once",
            Self::Deadline { .. } => "give it more time: `--limit time=…`",
            Self::Locked { .. } => {
                "close what reads or writes it, or have readers not block: `PRAGMA journal_mode=WAL`"
            }
            Self::ReadOnly(_) | Self::Unopened(_) => {
                "the file, its folder, and the -journal or -wal beside it must be writable"
            }
            Self::Full(_) => "free some space where the database is; it is as it was",
            Self::NoDatabase(_) => "name another file, or one that is not there yet",
            Self::Encoding(_) => "load into a new database: UTF-8 is what SQLite begins one with",
            Self::Foreign { .. } => "load into another database, or rename what is there",
            Self::OtherColumns { .. } => {
                "load into another database, or run what made the table: tables are never altered"
            }
            Self::ReservedName { .. } | Self::Clash { .. } | Self::Nul { .. } => {
                "write it with `--out`, or have the parser name it otherwise"
            }
            Self::TooManyColumns { .. } => "write it with `--out`",
            Self::Unstorable { .. } => {
                "nothing was loaded; write it with `--out`, or have a contract make the column text or a decimal"
            }
            Self::Row { .. } => "nothing was loaded; write it with `--out`",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Says what SQLite's refusal is about.
impl From<rusqlite::Error> for LoadFault {
    fn from(error: rusqlite::Error) -> Self {
        let words = GuestText::new(&error.to_string(), WORDS_BYTES_MAX).to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { waited_ms: 0 },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(words),
            Some(ErrorCode::CannotOpen) => Self::Unopened(words),
            Some(ErrorCode::DiskFull) => Self::Full(words),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::NoDatabase(words),
            _ => Self::Sqlite(words),
        }
    }
}

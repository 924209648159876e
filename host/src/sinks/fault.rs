//! A file that cannot be written, whatever its format.

use std::io;

use arrow_schema::ArrowError;
use casparian_core::fault::{Blame, Blamed};
use casparian_core::flow::PortFault;
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use thiserror::Error;

use crate::columns::SchemaRule;

/// A file cannot be written.
#[derive(Debug, Error)]
pub enum SinkFault {
    /// There is no file to write to.
    #[error("no file to write {file} to: {error}")]
    NoFile {
        /// What should be in it.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A decimal has more digits than its type.
    #[error("column `{column}` of {file}: {error}")]
    Decimal {
        /// What should be in the file.
        file: String,
        /// The column.
        column: GuestText,
        /// The value, and what it may be.
        error: ArrowError,
    },
    /// A table has other columns than in the rest of its dataset.
    #[error("table `{table}` has other columns than the dataset: {difference}")]
    OtherColumns {
        /// The table.
        table: TableName,
        /// Whether other columns would have been united.
        rule: SchemaRule,
        /// In what they differ.
        difference: String,
    },
    /// There is no space left.
    #[error("no space left for {file} after {bytes} bytes of it: {error}")]
    NoSpace {
        /// What is in it.
        file: String,
        /// Bytes that were written.
        bytes: u64,
        /// What the system says.
        error: String,
    },
    /// It cannot be written.
    #[error("{file} cannot be written after {bytes} bytes of it: {error}")]
    Unwritten {
        /// What is in it.
        file: String,
        /// Bytes that were written.
        bytes: u64,
        /// What the encoder or the system says.
        error: String,
    },
}

impl Blamed for SinkFault {
    fn blame(&self) -> Blame {
        match self {
            Self::NoFile { .. } | Self::Unwritten { .. } => Blame::Host,
            Self::Decimal { .. } => Blame::Guest,
            Self::OtherColumns { .. } => Blame::Input,
            Self::NoSpace { .. } => Blame::Operator,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoFile { .. } | Self::Unwritten { .. } => "output-failed",
            Self::Decimal { .. } => "decimal-too-large",
            Self::OtherColumns { .. } => "columns-differ",
            Self::NoSpace { .. } => "disk-full",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoSpace { .. } => {
                Some("free some space, or choose another place for the output".to_owned())
            }
            Self::Decimal { .. } => {
                Some("the parser must declare a decimal that holds its values".to_owned())
            }
            Self::OtherColumns { rule: SchemaRule::Same, .. } => Some(
                "`--schema union` makes one table with the columns of all; or run it apart, into an output of its own"
                    .to_owned(),
            ),
            Self::OtherColumns { rule: SchemaRule::Union, .. } => Some(
                "a contract gives a column one name and one type in all inputs; or run it apart, into an output of its own"
                    .to_owned(),
            ),
            Self::NoFile { .. } | Self::Unwritten { .. } => None,
        }
    }
}

impl From<SinkFault> for PortFault {
    fn from(fault: SinkFault) -> Self {
        PortFault(fault.report())
    }
}

/// Makes a fault of what the system said when `bytes` of a file had been written.
pub(super) fn of_system(what: &str, bytes: u64, said: &io::Error) -> SinkFault {
    let (file, error) = (what.to_owned(), said.to_string());
    match said.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            SinkFault::NoSpace { file, bytes, error }
        }
        _ => SinkFault::Unwritten { file, bytes, error },
    }
}

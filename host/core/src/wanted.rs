//! Which tables somebody wants.

use crate::id::TableName;

/// The tables whose rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever is opened: the parser does not say beforehand what its tables are, and nobody has named any.
    All,
    /// These.
    Only(Vec<TableName>),
}

impl Wanted {
    /// Returns whether the table of this name is wanted.
    pub fn has(&self, table: &str) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Only(tables) => tables.iter().any(|name| name.as_str() == table),
        }
    }
}

impl From<Vec<TableName>> for Wanted {
    fn from(tables: Vec<TableName>) -> Self {
        Wanted::Only(tables)
    }
}

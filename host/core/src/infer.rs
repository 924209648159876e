//! What a contract could say of rows that were seen: found by elimination, over all of them.
//!
//! Every column begins with all readings there are, and a value can only take some away. What it takes away has a witness: the
//! first such value, and where it stands. What is left in the end is the answer; where several are left that mean different
//! things it is a question, and the column stays text until somebody answers it. The casts of contracts decide, so a draft
//! accepts every row that was seen.
//!
//! An [`Inference`] can be made of pieces: in any order, grouped in any way, the same comes out. Its memory follows the number
//! of columns, never the number of rows. [`Inference::settle`] draws the conclusions, [`draft`] writes them down.

pub mod draft;
mod evidence;
mod reading;
pub mod settle;
mod sketch;
mod typed;
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray as _;
use arrow_schema::{DataType, FieldRef, Schema};
use thiserror::Error;

use self::evidence::Evidence;
use self::reading::Reading;
pub use self::sketch::{Distinct, Sketch};
pub use self::witness::{Place, Places, Witness};
use crate::contract::Decoding;
use crate::contract::cast::Cast;
use crate::fault::{Blame, Blamed};
use crate::id::TableName;

/// Most columns of all tables together: each may take some 50 kB.
pub const COLUMNS_MAX: usize = 8192;

/// Why nothing can be inferred.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InferFault {
    /// There is no end of columns.
    #[error("columns of all tables: limit {COLUMNS_MAX}, and table `{table}` makes more of them")]
    TooManyColumns {
        /// The table that is too much.
        table: TableName,
    },
    /// A table has other columns than before.
    #[error("table `{table}` has {known} columns in one input and {found} in another, or others")]
    OtherColumns {
        /// The table.
        table: TableName,
        /// How many it had first.
        known: usize,
        /// How many it has now.
        found: usize,
    },
}

impl Blamed for InferFault {
    fn blame(&self) -> Blame {
        match self {
            Self::TooManyColumns { .. } => Blame::Guest,
            Self::OtherColumns { .. } => Blame::Input,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooManyColumns { .. } => "too-many-columns",
            Self::OtherColumns { .. } => "columns-differ",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooManyColumns { .. } => "name the tables that matter with --tables".to_owned(),
            Self::OtherColumns { .. } => "infer a contract of each kind of input apart".to_owned(),
        })
    }
}

/// What rows say of the contract that they might be held to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inference {
    tables: BTreeMap<TableName, Table>,
}

/// What is known of a table.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    /// Rows seen. Pieces must not overlap: all else in here would not mind.
    rows: u64,
    columns: Vec<ColumnSeen>,
}

/// What is known of a column.
#[derive(Debug, Clone)]
struct ColumnSeen {
    field: FieldRef,
    readings: Arc<[Reading]>,
    nulls: u64,
    evidence: Evidence,
}

impl PartialEq for ColumnSeen {
    /// Readings follow from the field.
    fn eq(&self, other: &Self) -> bool {
        self.field == other.field && self.nulls == other.nulls && self.evidence == other.evidence
    }
}

impl ColumnSeen {
    fn new(field: &FieldRef) -> Self {
        let readings = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => reading::of_texts(),
            other => typed::readings(other).into(),
        };
        let evidence = Evidence::new(&readings);
        Self { field: Arc::clone(field), readings, nulls: 0, evidence }
    }

    fn see(&mut self, cells: &ArrayRef, places: &Places) {
        self.nulls = self.nulls.saturating_add(u64::try_from(cells.null_count()).unwrap_or(u64::MAX));
        match self.field.data_type() {
            DataType::Utf8 => self.evidence.see(&self.readings, cells, places),
            DataType::LargeUtf8 => self.see_as_texts(cells, places),
            _ if !self.readings.is_empty() => self.evidence.see(&self.readings, cells, places),
            other if other.is_integer() => self.see_as_texts(cells, places),
            _ => {}
        }
    }

    /// Looks at the cells as they are written.
    fn see_as_texts(&mut self, cells: &ArrayRef, places: &Places) {
        let Ok(cast) = Cast::plan(cells.data_type(), &DataType::Utf8, &Decoding::default()) else { return };
        let texts = cast.run(cells).values;
        if texts.as_string_opt::<i32>().is_some() {
            self.evidence.see(&self.readings, &texts, places);
        }
    }
}

impl Inference {
    /// Adds a table, with or without rows.
    pub fn open(&mut self, name: &TableName, schema: &Schema) -> Result<(), InferFault> {
        let found = schema.fields().len();
        if let Some(known) = self.tables.get(name) {
            let known_fields = known.columns.iter().map(|column| &column.field);
            return match known_fields.eq(schema.fields()) {
                true => Ok(()),
                false => {
                    Err(InferFault::OtherColumns { table: name.clone(), known: known.columns.len(), found })
                }
            };
        }
        if self.columns().saturating_add(found) > COLUMNS_MAX {
            return Err(InferFault::TooManyColumns { table: name.clone() });
        }
        let columns = schema.fields().iter().map(ColumnSeen::new).collect();
        self.tables.insert(name.clone(), Table { rows: 0, columns });
        Ok(())
    }

    fn columns(&self) -> usize {
        self.tables.values().map(|table| table.columns.len()).sum()
    }

    /// Looks at rows of a table that is open. Columns stand as they did then.
    pub fn see(&mut self, name: &TableName, columns: &[ArrayRef], places: &Places) {
        let Some(table) = self.tables.get_mut(name) else { return };
        let rows = columns.first().map_or(0, |column| column.len());
        table.rows = table.rows.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
        table.columns.iter_mut().zip(columns).for_each(|(column, cells)| column.see(cells, places));
    }

    /// Adds what was seen of other rows.
    pub fn merge(&mut self, other: Self) -> Result<(), InferFault> {
        for (name, table) in other.tables {
            let fields: Vec<FieldRef> =
                table.columns.iter().map(|column| Arc::clone(&column.field)).collect();
            self.open(&name, &Schema::new(fields))?;
            let Some(known) = self.tables.get_mut(&name) else { continue };
            known.rows = known.rows.saturating_add(table.rows);
            for (column, other) in known.columns.iter_mut().zip(table.columns) {
                column.nulls = column.nulls.saturating_add(other.nulls);
                column.evidence.merge(other.evidence, &column.readings);
            }
        }
        Ok(())
    }
}

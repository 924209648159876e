//! The table `file_profile`: every decision with what speaks for it, one row each.

use casparian_sdk::prelude::*;

/// One decision about the input, one of its tables, or a column of one.
#[derive(Clone, Debug, Default, Row)]
#[row(table = "file_profile")]
pub struct Decision {
    /// The table that it is about; null for the input as a whole.
    pub table_name: Option<String>,
    /// The column that it is about, if it is about one.
    pub column_name: Option<String>,
    /// What was decided.
    pub decision: String,
    /// What it was decided to be.
    pub value: String,
    /// How sure that is, from 0 to 1.
    pub score: Option<f64>,
    /// What speaks for it.
    pub evidence: String,
    /// Who decided: `found` in the input, or an `option`.
    pub decided_by: String,
}

impl Decision {
    /// Makes a decision about the input as a whole.
    pub fn new(decision: &str, value: impl Into<String>, evidence: impl Into<String>) -> Decision {
        Decision {
            decision: decision.to_owned(),
            value: value.into(),
            evidence: evidence.into(),
            decided_by: "found".to_owned(),
            ..Decision::default()
        }
    }

    /// Says how sure it is.
    #[must_use]
    pub fn score(mut self, score: f64) -> Decision {
        self.score = Some((score * 1e4).round() / 1e4);
        self
    }

    /// Says that an option decided it, if one did.
    #[must_use]
    pub fn told(mut self, is_told: bool) -> Decision {
        if is_told {
            self.decided_by = "option".to_owned();
        }
        self
    }

    /// Makes it one about a table.
    #[must_use]
    pub fn of_table(mut self, table: &str) -> Decision {
        self.table_name = Some(table.to_owned());
        self
    }

    /// Makes it one about a column.
    #[must_use]
    pub fn of_column(mut self, column: &str) -> Decision {
        self.column_name = Some(column.to_owned());
        self
    }
}

type Columns = <Decision as casparian_sdk::column::IntoRow>::Columns;

/// Returns the table's schema. Its rows are about the input, so they stand for no bytes of it.
pub fn schema() -> casparian_sdk::schema::Schema {
    <Columns as casparian_sdk::column::Columns>::schema().without_spans()
}

/// Writes decisions, if anybody wants them.
pub fn write(decisions: &[Decision], out: &Output) -> Result<(), Fault> {
    let schema = schema();
    if !out.wanted(&schema.name) {
        return Ok(());
    }
    let mut table = out.open(&schema, <Columns as casparian_sdk::column::Columns>::empty())?;
    for decision in decisions {
        let mut row = table.loose_row();
        let at = row.at();
        decision.clone().into_row(&mut row, at);
    }
    Ok(())
}

//! What can be found out about a parser without giving it an input.

use casparian_core::contract::Contract;
use casparian_core::description::{Description, TableInfo};
use casparian_core::fault::{Blamed as _, FaultReport};
use casparian_core::flow::check_fit;
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::wire;
use casparian_sandbox::precheck::Checked;
use serde::{Deserialize, Serialize};

use crate::report::ContractReport;

/// The columns of one table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TableColumns {
    /// The table.
    pub table: TableName,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: GuestText,
    /// Its Arrow type.
    pub kind: String,
    /// Whether it may be null.
    pub nullable: bool,
    /// What it holds, in the parser's words; empty where it does not say.
    pub doc: GuestText,
}

/// Past this many bytes the docs of a table's further columns are left out: what is passed on has an end.
const DOCS_BYTES_MAX: usize = 16 << 10;

/// What a worker finds out about a parser.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) contract: Option<ContractReport>,
    /// Why one of its tables does not fit its contract.
    pub(crate) misfit: Option<FaultReport>,
    pub(crate) description: Description,
    pub(crate) columns: Vec<TableColumns>,
}

impl Interface {
    pub(crate) fn new(
        checked: &Checked<'_>,
        contract: Option<(Contract, ContractReport)>,
        description: Description,
    ) -> Self {
        let (contract, report) = contract.unzip();
        Self {
            contract: report,
            misfit: contract.and_then(|contract| misfit(&contract, &description)),
            imports: checked.imports().to_vec(),
            exports: checked.exports().to_vec(),
            columns: description.tables.iter().filter_map(columns_of).collect(),
            description,
        }
    }
}

/// Finds a table that a run would refuse to open. Of those whose columns are not known beforehand nothing can be said; one
/// that is off by default and that the contract does not name need never be opened.
fn misfit(contract: &Contract, description: &Description) -> Option<FaultReport> {
    let opened =
        description.tables.iter().filter(|info| info.default_on || contract.table(&info.name).is_some());
    let check = |info: &TableInfo| {
        let schema = wire::schema(info.schema.as_ref()?).ok()?;
        check_fit(contract, &info.name, &schema).err()
    };
    opened.filter_map(check).next().map(|fault| fault.report())
}

/// Reads the columns out of a described schema. One that is no schema is as good as none: a run would refuse it.
fn columns_of(info: &TableInfo) -> Option<TableColumns> {
    let schema = wire::schema(info.schema.as_ref()?).ok()?;
    let mut docs_bytes = 0;
    let column = |(field, doc): (&arrow_schema::FieldRef, &GuestText)| {
        docs_bytes += doc.raw().len();
        Column {
            name: GuestText::new(field.name(), 256),
            kind: field.data_type().to_string(),
            nullable: field.is_nullable(),
            doc: if docs_bytes <= DOCS_BYTES_MAX { doc.clone() } else { GuestText::new("", 0) },
        }
    };
    let columns = schema.meant().fields().iter().zip(schema.docs()).map(column).collect();
    Some(TableColumns { table: info.name.clone(), columns })
}

//! The document as a whole: what it is called, its tables, and what becomes of tables that it does not name.

use std::collections::BTreeSet;

use super::fault::Findings;
use super::fields::{self, Fields};
use super::tree::Node;
use super::{Reading, table};
use crate::contract::{Contract, ExtraTables, Metric, TableContract};

/// Most tables of one contract.
const TABLES_MAX: usize = 1024;
/// Most keys of one contract.
const KEYS_MAX: usize = 64;

const DOCUMENTATION: [&str; 14] = [
    "name",
    "tenant",
    "tags",
    "status",
    "servers",
    "dataProduct",
    "description",
    "domain",
    "support",
    "price",
    "team",
    "roles",
    "authoritativeDefinitions",
    "contractCreatedTs",
];
const AGREEMENTS: [&str; 2] = ["slaDefaultElement", "slaProperties"];

/// Reads the document. None: the findings say why.
pub(super) fn contract(root: &Node, reading: &mut Reading) -> Option<Contract> {
    let mut fields = Fields::open(root, "a contract", &mut reading.found)?;
    let found = &mut reading.found;
    if let Some(node) = fields.want("apiVersion", found) {
        fields::word(node, &[("v3.1.0", ())], found);
    }
    if let Some(node) = fields.want("kind", found) {
        fields::word(node, &[("DataContract", ())], found);
    }
    let id = fields.want("id", found).and_then(|node| fields::name(node, found));
    let version = fields.want("version", found).and_then(|node| fields::name(node, found));
    fields.want("status", found);
    fields.pass(&DOCUMENTATION);
    fields.pass(&AGREEMENTS);
    let extra_tables = fields.take("customProperties").and_then(|node| extra_tables(node, found));
    let tables = fields.want("schema", found).map(|node| tables(node, reading)).unwrap_or_default();
    check_keys(root, &tables, &mut reading.found);
    fields.close(&mut reading.found);
    Some(Contract { id: id?, version: version?, tables, extra_tables: extra_tables.unwrap_or_default() })
}

/// Every key, and every count of duplicates, may need a file of its own.
fn check_keys(root: &Node, tables: &[TableContract], found: &mut Findings) {
    let duplicates = |table: &TableContract| {
        table.budgets.iter().filter(|budget| matches!(budget.metric, Metric::DuplicateValues(_))).count()
    };
    let keys: usize = tables.iter().map(|table| table.keys.len().saturating_add(duplicates(table))).sum();
    if keys > KEYS_MAX {
        found.fault(root.at, "too-many", format!("{keys} keys and counts of duplicates; limit {KEYS_MAX}"));
    }
}

/// A contract about nothing.
pub(super) fn nothing() -> Contract {
    Contract {
        id: String::new(),
        version: String::new(),
        tables: Vec::new(),
        extra_tables: ExtraTables::Freeze,
    }
}

fn extra_tables(node: &Node, found: &mut Findings) -> Option<ExtraTables> {
    let mut fields = Fields::open_custom(node, "customProperties of a contract", found)?;
    let words = [("freeze", ExtraTables::Freeze), ("evolve", ExtraTables::Evolve)];
    let extra = fields.take("extraTables").and_then(|node| fields::word(node, &words, found));
    fields.close(found);
    extra
}

fn tables(node: &Node, reading: &mut Reading) -> Vec<crate::contract::TableContract> {
    let items = fields::list(node, TABLES_MAX, &mut reading.found).unwrap_or_default();
    if items.is_empty() && reading.found.count() == 0 {
        reading.found.fault(node.at, "no-tables", "a contract without a table");
    }
    let mut names = BTreeSet::new();
    let mut tables = Vec::with_capacity(items.len());
    for item in items {
        let Some(table) = table::table(item, reading) else { continue };
        if !names.insert(table.name.clone()) {
            reading.found.fault(item.at, "name-twice", format!("two tables are called `{}`", table.name));
        }
        tables.push(table);
    }
    tables
}

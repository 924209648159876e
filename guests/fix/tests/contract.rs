//! The contract that goes with the component names every table and column, in order, and needs what is never null.

use casparian_sdk::Parser;
use fix::Fix;

const CONTRACT: &str = include_str!("../contract.odcs.yaml");

/// Name, columns, and columns that must have a value.
type Table = (String, Vec<String>, Vec<String>);

/// Reads the tables as far as the layout of this one file shows them.
fn written() -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut in_columns = false;
    for line in CONTRACT.lines() {
        let value = |key: &str| line.strip_prefix(key).map(str::to_owned);
        if let Some(name) = value("  - name: ") {
            tables.push((name, Vec::new(), Vec::new()));
        }
        let Some(table) = tables.last_mut() else { continue };
        in_columns = match line {
            "    properties:" => true,
            _ if line.starts_with("    ") && !line.starts_with("     ") => false,
            _ => in_columns,
        };
        if in_columns {
            table.1.extend(value("      - name: "));
            if line == "        required: true" {
                table.2.extend(table.1.last().cloned());
            }
        }
    }
    tables
}

#[test]
fn the_contract_names_every_table_and_column_in_order() {
    let (described, written) = (Fix.describe().tables, written());
    assert_eq!(described.len(), written.len());
    for (table, (name, columns, required)) in described.iter().zip(&written) {
        let schema = table.schema.as_ref().expect("columns that are known beforehand");
        assert_eq!(*name, table.name);
        let declared: Vec<&String> = schema.fields.iter().map(|field| &field.name).collect();
        assert_eq!(columns.iter().collect::<Vec<_>>(), declared, "{name}");
        let never_null = schema.fields.iter().filter(|field| !field.nullable);
        let missing: Vec<&String> =
            never_null.map(|field| &field.name).filter(|name| !required.contains(name)).collect();
        assert_eq!(missing, [""; 0], "{name}");
    }
}

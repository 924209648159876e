//! The columns that a table of a run has in a database: how it is made, and whether one that is there is the same.

use std::collections::HashMap;

use arrow_schema::{Fields, Schema};
use casparian_core::guest_text::GuestText;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::RUN_COLUMN;
use super::fault::{LoadFault, WORDS_BYTES_MAX};
use crate::sinks::sqlite::type_word;

/// Most columns that SQLite takes.
const COLUMNS_MAX: usize = 2_000;
/// Most columns that a difference names on either side.
const NAMED_MAX: usize = 8;

/// A table as it should be.
pub(super) struct Shape {
    name: String,
    /// Names and types, in their order.
    columns: Vec<(String, &'static str)>,
}

impl Shape {
    /// Returns the shape of a table with these columns, each row with the number of its run, if SQLite has room for it.
    pub(super) fn new(table: &str, schema: &Schema) -> Result<Self, LoadFault> {
        check_names(table, schema.fields())?;
        let own = (RUN_COLUMN.to_owned(), "INTEGER");
        let theirs = schema.fields().iter();
        let theirs = theirs.map(|field| (field.name().clone(), type_word(field.data_type())));
        Ok(Self { name: table.to_owned(), columns: [own].into_iter().chain(theirs).collect() })
    }

    fn sql(&self) -> String {
        let column = |(name, kind): &(String, &str)| {
            let must = if name == RUN_COLUMN { " NOT NULL" } else { "" };
            format!("  {} {kind}{must}", quoted(name))
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        format!("CREATE TABLE {} (\n{}\n) STRICT", quoted(&self.name), columns.join(",\n"))
    }

    /// Returns the statement that adds a row.
    pub(super) fn insert(&self) -> String {
        let places = vec!["?"; self.columns.len()].join(", ");
        format!("INSERT INTO {} VALUES ({places})", quoted(&self.name))
    }

    /// Makes the table, or checks that the one that is there is what would be made.
    pub(super) fn ensure(&self, database: &Connection) -> Result<(), LoadFault> {
        let Some((kind, sql)) = found(database, &self.name)? else {
            return Ok(database.execute_batch(&self.sql())?);
        };
        if kind == "table" && sql.as_deref() == Some(&self.sql()) {
            return Ok(());
        }
        let there = columns_of(database, &self.name)?;
        let is_of_a_run = there.iter().any(|(name, _)| name == RUN_COLUMN);
        match difference(&self.columns, &there).filter(|_| kind == "table" && is_of_a_run) {
            Some(difference) => Err(LoadFault::OtherColumns { table: self.name.clone(), difference }),
            None => Err(foreign(&self.name, &kind)),
        }
    }
}

/// Makes a table of ours with this text, or checks that it is there.
pub(super) fn ensure(database: &Connection, table: &str, sql: &str) -> Result<(), LoadFault> {
    match found(database, table)? {
        None => Ok(database.execute_batch(sql)?),
        Some((_, there)) if there.as_deref() == Some(sql) => Ok(()),
        Some((kind, _)) => Err(foreign(table, &kind)),
    }
}

fn foreign(table: &str, kind: &str) -> LoadFault {
    let article = if kind == "index" { "an" } else { "a" };
    LoadFault::Foreign { table: table.to_owned(), kind: format!("{article} {kind}") }
}

/// Returns what there is of this name, tables and all else, and the statement that made it.
fn found(database: &Connection, name: &str) -> Result<Option<(String, Option<String>)>, LoadFault> {
    let sql = "SELECT type, sql FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type <> 'trigger'";
    let row = database.query_row(sql, [name], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.optional()?)
}

fn columns_of(database: &Connection, table: &str) -> Result<Vec<(String, String)>, LoadFault> {
    let mut statement = database.prepare("SELECT name, type FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let rows = statement.query_map(params![table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Says in what two lists of columns differ. `None` where they do not.
fn difference(due: &[(String, &str)], there: &[(String, String)]) -> Option<String> {
    let due: Vec<(&str, &str)> = due.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    let there: Vec<(&str, &str)> = there.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    if due == there {
        return None;
    }
    let only_due = named(due.iter().filter(|column| !there.contains(column)));
    let only_there = named(there.iter().filter(|column| !due.contains(column)));
    let sides = [
        only_due.map(|columns| format!("the run has {columns}")),
        only_there.map(|columns| format!("the table has {columns}")),
    ];
    let sides: Vec<String> = sides.into_iter().flatten().collect();
    Some(if sides.is_empty() { "they stand in another order".to_owned() } else { sides.join("; ") })
}

fn named<'a>(columns: impl Iterator<Item = &'a (&'a str, &'a str)>) -> Option<String> {
    let mut words: Vec<String> =
        columns.map(|(name, kind)| format!("`{}` {}", shown(name), shown(kind))).collect();
    let more = words.len().saturating_sub(NAMED_MAX);
    words.truncate(NAMED_MAX);
    words.extend((more > 0).then(|| format!("and {more} more")));
    (!words.is_empty()).then(|| words.join(", "))
}

pub(super) fn shown(text: &str) -> GuestText {
    GuestText::new(text, WORDS_BYTES_MAX / 8)
}

fn check_names(table: &str, columns: &Fields) -> Result<(), LoadFault> {
    let named = || table.to_owned();
    if table.starts_with("sqlite_") {
        return Err(LoadFault::ReservedName { table: named() });
    }
    if columns.len() >= COLUMNS_MAX {
        return Err(LoadFault::TooManyColumns {
            table: named(),
            limit: COLUMNS_MAX - 1,
            wanted: columns.len(),
        });
    }
    let mut seen = HashMap::from([(RUN_COLUMN.to_owned(), RUN_COLUMN)]);
    for column in columns {
        let name = column.name().as_str();
        if name.contains('\0') {
            return Err(LoadFault::Nul { table: named(), column: shown(name) });
        }
        if let Some(one) = seen.insert(name.to_ascii_lowercase(), name) {
            return Err(LoadFault::Clash { table: named(), one: shown(one), other: shown(name) });
        }
    }
    Ok(())
}

/// Returns a name as SQL has it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

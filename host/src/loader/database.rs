//! One transaction: the tables of a run, its quarantine, and what it was, or nothing.

use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use cap_std::fs::Dir;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Statement, TransactionBehavior, params};

use super::columns::{self, Shape, shown};
use super::fault::LoadFault;
use super::staged::{self, Rows};
use super::{Input, Loaded, Order, QUARANTINE_TABLE, Run, path_of};
use crate::quarantine;
use crate::sinks::FORMAT_VERSION;
use crate::sinks::sqlite::Column;

const RUNS: &str = "_cf_runs";
/// A number is never given twice: what is left of a run that was taken back belongs to no other.
const RUNS_SQL: &str = "CREATE TABLE \"_cf_runs\" (
  \"id\" INTEGER PRIMARY KEY AUTOINCREMENT,
  \"format_version\" INTEGER NOT NULL,
  \"claim_sha256\" TEXT NOT NULL UNIQUE,
  \"parser_name\" TEXT NOT NULL,
  \"parser_version\" TEXT,
  \"parser_sha256\" TEXT,
  \"contract_id\" TEXT,
  \"contract_version\" TEXT,
  \"contract_sha256\" TEXT,
  \"receipt\" TEXT NOT NULL
) STRICT";
const INPUTS: &str = "_cf_inputs";
const INPUTS_SQL: &str = "CREATE TABLE \"_cf_inputs\" (
  \"_cf_run\" INTEGER NOT NULL,
  \"input\" TEXT NOT NULL,
  \"sha256\" TEXT,
  \"bytes\" INTEGER NOT NULL,
  \"status\" TEXT NOT NULL,
  \"claim_sha256\" TEXT
) STRICT";

/// Loads a run, unless one with the same claim is in the database already. A transaction that is not committed is no more:
/// whoever opens the database next takes back what is left of it.
pub(super) fn load(order: &Order, staged: &Dir) -> Result<Loaded, LoadFault> {
    let loaded = attempt(order, staged);
    loaded.map_err(|fault| match fault {
        LoadFault::Locked { .. } => LoadFault::Locked { waited_ms: order.busy_ms },
        fault => fault,
    })
}

fn attempt(order: &Order, staged: &Dir) -> Result<Loaded, LoadFault> {
    let mut database = open(order)?;
    // At once with the right to write: nobody changes what is compared here before it is written to.
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    columns::ensure(&transaction, RUNS, RUNS_SQL)?;
    columns::ensure(&transaction, INPUTS, INPUTS_SQL)?;
    if let Some(run) = known(&transaction, &order.run)? {
        return Ok(Loaded { run, is_new: false });
    }
    let run = add_run(&transaction, &order.run, staged)?;
    add_inputs(&transaction, run, &order.run, staged)?;
    for (table, rows) in &order.run.tables {
        add_table(&transaction, run, table.as_str(), *rows, None, staged)?;
    }
    let schema = Some(quarantine::schema());
    add_table(&transaction, run, QUARANTINE_TABLE, order.run.quarantine, schema, staged)?;
    transaction.commit()?;
    // What has been committed stays so, however the handle is closed.
    let _ = database.close();
    Ok(Loaded { run, is_new: true })
}

/// Opens the database, which is there. What others put into it runs nothing here: no trigger, no function that its schema
/// calls.
fn open(order: &Order) -> Result<Connection, LoadFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path_of(&order.database), flags)?;
    database.busy_timeout(Duration::from_millis(order.busy_ms))?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // EXTRA: the end of the journal is safe on disk, too, before anybody is told.
    database.pragma_update(None, "synchronous", "EXTRA")?;
    database.pragma_update(None, "temp_store", "MEMORY")?;
    let encoding: String = database.pragma_query_value(None, "encoding", |row| row.get(0))?;
    match encoding.as_str() {
        "UTF-8" => Ok(database),
        _ => Err(LoadFault::Encoding(encoding)),
    }
}

fn known(database: &Connection, run: &Run) -> Result<Option<i64>, LoadFault> {
    let sql = "SELECT id FROM _cf_runs WHERE claim_sha256 = ?1";
    let found = database.query_row(sql, [run.claim_sha256.to_string()], |row| row.get(0));
    Ok(found.optional()?)
}

fn add_run(database: &Connection, run: &Run, staged: &Dir) -> Result<i64, LoadFault> {
    let contract = run.contract.as_ref();
    let sha256 = |named: Option<&super::Named>| Some(named?.sha256?.to_string());
    database.execute(
        "INSERT INTO _cf_runs VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            FORMAT_VERSION,
            run.claim_sha256.to_string(),
            run.parser.name,
            run.parser.version,
            sha256(Some(&run.parser)),
            contract.map(|contract| &contract.name),
            contract.and_then(|contract| contract.version.as_ref()),
            sha256(contract),
            staged::receipt(staged)?,
        ],
    )?;
    Ok(database.last_insert_rowid())
}

fn add_inputs(database: &Connection, id: i64, run: &Run, staged: &Dir) -> Result<(), LoadFault> {
    let mut statement = database.prepare("INSERT INTO _cf_inputs VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut add = |input: &Input| {
        let text = |digest: Option<casparian_core::id::Digest>| digest.map(|digest| digest.to_string());
        let (sha256, claim_sha256) = (text(input.sha256), text(input.claim_sha256));
        let bytes = i64::try_from(input.bytes).unwrap_or(i64::MAX);
        statement.execute(params![id, input.input, sha256, bytes, input.status, claim_sha256])?;
        Ok(())
    };
    match &run.input {
        Some(input) => add(input),
        None => staged::each_input(staged, add),
    }
}

/// Adds the rows of a table. One that has no file is made only where `otherwise` says what its columns would be.
fn add_table(
    database: &Connection,
    run: i64,
    table: &str,
    claimed: u64,
    otherwise: Option<SchemaRef>,
    staged: &Dir,
) -> Result<(), LoadFault> {
    let rows = Rows::of(staged, table)?;
    let mut loaded = 0;
    if let Some(schema) = rows.schema()?.or(otherwise) {
        let shape = Shape::new(table, &schema)?;
        shape.ensure(database)?;
        let statement = database.prepare(&shape.insert())?;
        let mut adder = Adder { table, run, statement, rows: 0 };
        rows.each(|batch| adder.add(batch))?;
        loaded = adder.rows;
    }
    match loaded == claimed {
        true => Ok(()),
        false => Err(LoadFault::Rows { table: table.to_owned(), staged: loaded, claimed }),
    }
}

/// Adds rows to one table.
struct Adder<'a> {
    table: &'a str,
    run: i64,
    statement: Statement<'a>,
    /// Added so far.
    rows: u64,
}

impl Adder<'_> {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), LoadFault> {
        let file = || self.table.to_owned();
        let columns = Column::of(batch);
        let mut columns =
            columns.map_err(|error| LoadFault::Staged { file: file(), error: error.to_string() })?;
        for row in 0..batch.num_rows() {
            self.statement.raw_bind_parameter(1, self.run)?;
            for (at, column) in columns.iter_mut().enumerate() {
                let value = column.value(row);
                let value = value.map_err(|why| LoadFault::Unstorable {
                    table: self.table.to_owned(),
                    column: shown(batch.schema().field(at).name()),
                    row: self.rows + 1,
                    why,
                })?;
                self.bind(at + 2, value)?;
            }
            let executed = self.statement.raw_execute();
            executed.map_err(|error| self.refused(error))?;
            self.rows += 1;
        }
        Ok(())
    }

    fn bind(&mut self, at: usize, value: ValueRef<'_>) -> Result<(), LoadFault> {
        let bound = self.statement.raw_bind_parameter(at, ToSqlOutput::Borrowed(value));
        bound.map_err(|error| self.refused(error))
    }

    /// Says which row SQLite does not take, where it is about that.
    fn refused(&self, error: rusqlite::Error) -> LoadFault {
        use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        match error.sqlite_error_code() {
            Some(ConstraintViolation | TooBig | TypeMismatch) => LoadFault::Row {
                table: self.table.to_owned(),
                row: self.rows + 1,
                error: shown(&error.to_string()).to_string(),
            },
            _ => error.into(),
        }
    }
}

//! The files beside a receipt: their bytes against what the receipt says of them, their rows against what it claims.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, BooleanArray, RecordBatch, StringArray, UInt64Array};
use casparian_core::digest::{HeldRow, HeldViolation, QuarantineDigest, TableDigest};
use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{FieldHasher, TableName};
use casparian_core::receipt::{Claim, Comparison, Difference, FileCircumstances, Receipt, Verdict};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustix::fs::{Mode, OFlags};
use serde_json::{Value, json};

use crate::quarantine::{RAW_BYTES_MAX, q_id, row_id};
use crate::receipt::hash_file;
use crate::sinks::Format;
use crate::source::Source;
use crate::staging::{QUARANTINE_FILE, RECEIPT_FILE, is_table_file};

/// Rows that are looked at at once.
pub(super) const BATCH_ROWS: usize = 8 << 10;
/// What a run says of every row in quarantine.
const OPEN: &str = "open";
/// How many names are tried in all to find the places of rows whose place is nowhere but in their name.
const PLACES_TRIED_MAX: u64 = 1 << 20;

/// Checks every file that a receipt names, and that it names every file there should be.
pub(super) fn check(folder: &Path, receipt: &Receipt) -> Result<Comparison, FaultReport> {
    let mut found = Found::default();
    let claim = &receipt.claim;
    for file in &receipt.circumstances.files {
        check_file(folder, file, claim, &mut found)?;
    }
    check_all_there(claim, &receipt.circumstances.files, &mut found);
    check_no_others(folder, &receipt.circumstances.files, &mut found)?;
    Ok(found.into_comparison())
}

/// Returns the files whose rows cannot be read back as they were: the claim's digest is of rows with types, and text has none.
pub(super) fn unread(receipt: &Receipt) -> Vec<String> {
    let files = receipt.circumstances.files.iter();
    files.filter(|file| !is_parquet(Path::new(&file.name))).map(|file| file.name.clone()).collect()
}

/// What was compared so far.
#[derive(Default)]
pub(super) struct Found(Comparison);

impl Found {
    pub(super) fn compare(&mut self, field: String, claimed: impl Into<Value>, found: impl Into<Value>) {
        let (claimed, found) = (claimed.into(), found.into());
        if claimed == found {
            self.0.same.push(field);
        } else {
            self.differ(field, Some(claimed), Some(found));
        }
    }

    fn differ(&mut self, field: String, claimed: Option<Value>, found: Option<Value>) {
        self.0.different.push(Difference { field, claimed, found });
    }

    pub(super) fn into_comparison(self) -> Comparison {
        self.0
    }
}

/// A file that cannot be looked at at all is an error; one that is not what it should be is a difference.
fn check_file(
    folder: &Path,
    file: &FileCircumstances,
    claim: &Claim,
    found: &mut Found,
) -> Result<(), FaultReport> {
    let name = &file.name;
    let Some(path) = place(folder, name).filter(|_| is_name_of(file)) else {
        found.differ(format!("{name}.place"), Some("beside the receipt".into()), None);
        return Ok(());
    };
    let opened = match open_regular(&path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.differ(format!("{name}.sha256"), Some(file.sha256.to_string().into()), None);
            return Ok(());
        }
        Err(error) => return Err(unreadable(&path, &error)),
    };
    // What is longer than it should be is no longer that file, however much more of it there is.
    let hashed = opened.try_clone().and_then(|copy| hash_file(copy.take(file.bytes.saturating_add(1))));
    let (bytes, sha256) = hashed.map_err(|error| unreadable(&path, &error))?;
    found.compare(format!("{name}.bytes"), file.bytes, bytes);
    found.compare(format!("{name}.sha256"), file.sha256.to_string(), sha256.to_string());
    if !is_parquet(&path) {
        return Ok(());
    }
    let read = match &file.table {
        Some(table) => check_table(opened, name, table, claim, found),
        None => check_quarantine(opened, name, claim, found),
    };
    // Whatever it is, it is not the file that a run has written.
    read.or_else(|why| {
        found.differ(format!("{name}.rows"), Some("readable".into()), Some(why.into()));
        Ok(())
    })
}

/// Whether a file is called as Parquet files are, in whatever case.
pub(super) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(Format::Parquet.extension()))
}

/// Whether a file is called as a run calls it: what it is called decides how it is checked.
fn is_name_of(file: &FileCircumstances) -> bool {
    match &file.table {
        None => file.name == QUARANTINE_FILE,
        // A single file has whatever name its run was given.
        Some(_) if file.name.starts_with("../") => true,
        Some(table) => {
            is_table_file(OsStr::new(&file.name)) && file.name.split('.').next() == Some(table.as_str())
        }
    }
}

/// Opens a file as it stands there: no link, no pipe that nobody writes to.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// Returns where a file is that a receipt names: beside the receipt, or beside its folder. Names lead nowhere else.
pub(super) fn place(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    match name.strip_prefix("../") {
        Some(name) => plain(name).then(|| folder.join("..").join(name)),
        None => plain(name).then(|| folder.join(name)),
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "output-unreadable".to_owned(),
        message: format!("{}: {error}", GuestText::new(&path.to_string_lossy(), 4096)),
        hint: Some("the files beside the receipt must be readable".to_owned()),
        at: None,
    }
}

fn check_table(
    file: File,
    name: &str,
    table: &TableName,
    claim: &Claim,
    found: &mut Found,
) -> Result<(), String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
    let mut digest = TableDigest::new(table, reader.schema().fields());
    let mut rows = 0;
    for batch in reader.with_batch_size(BATCH_ROWS).build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        rows += batch.num_rows() as u64;
        digest.add(batch.columns()).map_err(|error| error.to_string())?;
    }
    let claimed = claim.tables.get(table);
    found.compare(format!("{name}.rows"), json!(claimed.map(|claimed| claimed.accepted)), rows);
    let claimed = json!(claimed.map(|claimed| claimed.digest));
    found.compare(format!("{name}.digest"), claimed, digest.finish().to_string());
    Ok(())
}

fn check_quarantine(file: File, name: &str, claim: &Claim, found: &mut Found) -> Result<(), String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
    let mut held = Held::new(claim);
    for batch in reader.with_batch_size(BATCH_ROWS).build().map_err(|error| error.to_string())? {
        held.add(&batch.map_err(|error| error.to_string())?)?;
    }
    held.compare(name, found);
    Ok(())
}

/// A quarantine, read back.
pub(super) struct Held<'a> {
    claim: &'a Claim,
    rows: u64,
    by_code: BTreeMap<String, u64>,
    digest: QuarantineDigest,
    /// By table, unreadable records under no name: where the last row's record begins, and the place after that row's.
    places: BTreeMap<String, (Option<u64>, u64)>,
    /// Places that may still be tried.
    tries_left: u64,
}

impl<'a> Held<'a> {
    pub(super) fn new(claim: &'a Claim) -> Self {
        Self {
            claim,
            rows: 0,
            by_code: BTreeMap::new(),
            digest: QuarantineDigest::default(),
            places: BTreeMap::new(),
            tries_left: PLACES_TRIED_MAX,
        }
    }

    /// Compares what was read with what is claimed.
    pub(super) fn compare(self, name: &str, found: &mut Found) {
        let claimed = &self.claim.quarantine;
        found.compare(format!("{name}.rows"), claimed.rows, self.rows);
        found.compare(format!("{name}.by_code"), json!(claimed.by_code), json!(self.by_code));
        found.compare(format!("{name}.digest"), claimed.digest.to_string(), self.digest.finish().to_string());
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), String> {
        check_same_everywhere(batch, self.claim)?;
        let columns = Columns::of(batch)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let (table, offset) = (text(columns.table, row), number(columns.offset, row));
            let name = text(columns.row_id, row).unwrap_or_default();
            let place = self.place_of(table.unwrap_or_default(), offset, name)?;
            self.check_name(table.unwrap_or_default(), offset, place, text(columns.q_id, row))?;
            let is_long = number(columns.length, row).is_some_and(|length| length > RAW_BYTES_MAX as u64);
            if columns.raw_truncated.value(row) != is_long {
                return Err(not_of_this_run("raw_truncated"));
            }
            let violations = columns.violations(row)?;
            let codes: BTreeSet<&str> = violations.iter().map(|violation| violation.code).collect();
            codes.into_iter().for_each(|code| *self.by_code.entry(code.to_owned()).or_default() += 1);
            let held = HeldRow {
                table,
                record_no: number(columns.record_no, row),
                offset,
                length: number(columns.length, row),
                ordinal: Some(place),
                n_violations: number(columns.n_violations, row).unwrap_or_default(),
            };
            self.digest.add_row(&held, violations.into_iter());
        }
        Ok(())
    }

    fn check_name(
        &self,
        table: &str,
        offset: Option<u64>,
        place: u64,
        name: Option<&str>,
    ) -> Result<(), String> {
        let claim = self.claim;
        let contract = claim.contract.as_ref().map(|contract| contract.sha256);
        let row = row_id(claim.input.read_sha256(), table, offset, place);
        let due = q_id(row, contract, claim.component.sha256, claim.options.sha256).to_string();
        if name == Some(due.as_str()) { Ok(()) } else { Err(self.misnamed()) }
    }

    fn misnamed(&self) -> String {
        format!("row {} is not called as rows of this run are", self.rows - 1)
    }

    /// Finds the place of a row in its record, which is part of its name and stands nowhere else. Mostly it is the next one;
    /// rows in between are those that were accepted.
    fn place_of(&mut self, table: &str, offset: Option<u64>, name: &str) -> Result<u64, String> {
        let mut place = match self.places.get(table) {
            Some((last, next)) if *last == offset => *next,
            _ => 0,
        };
        while row_id(self.claim.input.read_sha256(), table, offset, place).to_string() != name {
            place += 1;
            // The rejections of a record are all there, so there is nothing in between.
            let left = if table.is_empty() { None } else { self.tries_left.checked_sub(1) };
            self.tries_left = left.ok_or_else(|| self.misnamed())?;
        }
        self.places.insert(table.to_owned(), (offset, place.saturating_add(1)));
        Ok(place)
    }
}

/// Checks the columns that say the same of every row: what it was judged by, and what nobody knows yet.
fn check_same_everywhere(batch: &RecordBatch, claim: &Claim) -> Result<(), String> {
    let contract = claim.contract.as_ref();
    let texts = [
        ("input_sha256", Some(claim.input.read_sha256().to_string())),
        ("parser_name", Some(claim.component.name.raw().to_owned())),
        ("parser_version", Some(claim.component.version.raw().to_owned())),
        ("parser_hash", Some(claim.component.sha256.to_string())),
        ("contract_id", contract.map(|contract| contract.id.clone())),
        ("contract_version", contract.map(|contract| contract.version.clone())),
        ("contract_hash", contract.map(|contract| contract.sha256.to_string())),
        ("status", Some(OPEN.to_owned())),
    ];
    for (name, due) in &texts {
        check_texts(batch, name, |found| found == due.as_deref())?;
    }
    // Of what the input was called, a parser and so a claim know the last part.
    let is_named = |found: Option<&str>| found.map(Source::base_name_of) == Some(claim.input.name.as_str());
    check_texts(batch, "input_path", is_named)?;
    for name in ["job_id", "attempt", "first_seen", "last_seen"] {
        let column = batch.column_by_name(name).ok_or_else(|| no_column(name))?;
        if column.null_count() < column.len() {
            return Err(not_of_this_run(name));
        }
    }
    Ok(())
}

fn check_texts(batch: &RecordBatch, name: &str, is_due: impl Fn(Option<&str>) -> bool) -> Result<(), String> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let column = column.ok_or_else(|| no_column(name))?;
    if column.iter().all(is_due) { Ok(()) } else { Err(not_of_this_run(name)) }
}

fn not_of_this_run(column: &str) -> String {
    format!("column `{column}` is not what it is in this run")
}

/// The columns of a quarantine file that count.
struct Columns<'a> {
    q_id: &'a StringArray,
    row_id: &'a StringArray,
    table: &'a StringArray,
    record_no: &'a UInt64Array,
    offset: &'a UInt64Array,
    length: &'a UInt64Array,
    n_violations: &'a UInt64Array,
    raw_truncated: &'a BooleanArray,
    violations: &'a arrow_array::ListArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, String> {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| no_column(name));
        let texts = |name: &str| column(name)?.as_string_opt().ok_or_else(|| no_column(name));
        let numbers =
            |name: &str| column(name)?.as_primitive_opt::<UInt64Type>().ok_or_else(|| no_column(name));
        Ok(Self {
            q_id: texts("q_id")?,
            row_id: texts("row_id")?,
            table: texts("table")?,
            record_no: numbers("record_no")?,
            offset: numbers("byte_offset")?,
            length: numbers("byte_length")?,
            n_violations: numbers("n_violations")?,
            raw_truncated: column("raw_truncated")?
                .as_boolean_opt()
                .ok_or_else(|| no_column("raw_truncated"))?,
            violations: column("violations")?.as_list_opt().ok_or_else(|| no_column("violations"))?,
        })
    }

    fn violations(&self, row: usize) -> Result<Vec<HeldViolation<'a>>, String> {
        let offsets = self.violations.value_offsets();
        let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
        let items = self.violations.values().as_struct_opt().ok_or_else(|| no_column("violations"))?;
        let field = |name: &str| {
            let column = items.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| no_column(name))
        };
        let (code, severity, column) = (field("code")?, field("severity")?, field("column")?);
        let (rule, expected, observed) = (field("rule")?, field("expected")?, field("observed")?);
        let hash = field("rule_hash")?;
        let violation = |at| HeldViolation {
            code: text(code, at).unwrap_or_default(),
            severity: text(severity, at).unwrap_or_default(),
            column: text(column, at),
            rule: text(rule, at).unwrap_or_default(),
            expected: text(expected, at),
            observed: text(observed, at),
        };
        let violations: Vec<HeldViolation<'_>> = (from..to).map(violation).collect();
        let mut told = violations.iter().zip(from..to);
        match told.all(|(violation, at)| text(hash, at) == Some(&rule_hash(violation))) {
            true => Ok(violations),
            false => Err(not_of_this_run("violations.rule_hash")),
        }
    }
}

fn rule_hash(violation: &HeldViolation<'_>) -> String {
    let fields =
        [violation.column.unwrap_or_default(), violation.rule, violation.expected.unwrap_or_default()];
    let hasher = FieldHasher::new("casparian:rule:1");
    fields.iter().fold(hasher, |hasher, field| hasher.field(field.as_bytes())).finish().to_string()
}

fn no_column(name: &str) -> String {
    format!("it has no column `{name}` as quarantine files have it")
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn number(column: &UInt64Array, row: usize) -> Option<u64> {
    column.is_valid(row).then(|| column.value(row))
}

/// Checks that there is a file for each table that was published and for what is in quarantine.
fn check_all_there(claim: &Claim, files: &[FileCircumstances], found: &mut Found) {
    let tables: Vec<&TableName> = files.iter().filter_map(|file| file.table.as_ref()).collect();
    let wanted: Vec<&TableName> = match claim.verdict {
        Verdict::Held => Vec::new(),
        Verdict::Completed | Verdict::CompletedWithQuarantine => claim.tables.keys().collect(),
    };
    found.compare("files.tables".to_owned(), json!(wanted), json!(tables));
    let quarantines = files.iter().filter(|file| file.table.is_none()).count();
    found.compare("files.quarantine".to_owned(), usize::from(claim.quarantine.rows > 0), quarantines);
}

/// Checks that nobody has put other files of the kind that runs write beside the receipt.
fn check_no_others(folder: &Path, files: &[FileCircumstances], found: &mut Found) -> Result<(), FaultReport> {
    let named: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).chain([RECEIPT_FILE]).collect();
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    for entry in entries {
        let name = entry.map_err(|error| unreadable(folder, &error))?.file_name();
        let name = name.to_string_lossy();
        if name == QUARANTINE_FILE && !named.contains(name.as_ref()) || is_strange_table(&name, &named) {
            found.differ(format!("files.{name}"), None, Some("a file that the receipt does not name".into()));
        }
    }
    Ok(())
}

fn is_strange_table(name: &str, named: &BTreeSet<&str>) -> bool {
    is_table_file(OsStr::new(name)) && !named.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_receipt_leads_nowhere_but_to_files_beside_it() {
        let folder = Path::new("out");
        assert_eq!(place(folder, "orders.parquet"), Some(PathBuf::from("out/orders.parquet")));
        assert_eq!(place(folder, "../o.csv"), Some(PathBuf::from("out/../o.csv")));
        for bad in ["", ".", "..", "/etc/passwd", "../../x", "../..", "a/b", "../"] {
            assert_eq!(place(folder, bad), None, "{bad}");
        }
    }
}

//! The receipt of a dataset: its files, the claims of its inputs and their rows, against what it claims.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};
use casparian_core::receipt::dataset::{
    DatasetClaim, DatasetReceipt, HeldClaim, InputsDigest, KIND, RowsClaim,
};
use casparian_core::receipt::{Claim, Comparison, FileCircumstances};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::files::{Found, is_parquet, open_regular};
use super::refused;
use super::rows::Rows;
use crate::receipt::hash_file;
use crate::sinks::Format;
use crate::staging::{RECEIPT_FILE, RECEIPTS_FILE, is_parts_folder, part_name};

/// The longest line of the receipts of inputs.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Whether a receipt says that it is a dataset's.
pub(super) fn is_dataset(text: &str) -> bool {
    let kind = serde_json::from_str::<Value>(text).ok().and_then(|receipt| receipt.get("kind").cloned());
    kind.is_some_and(|kind| kind == KIND)
}

/// Checks a dataset by its receipt. Returns what was compared.
pub(super) fn check(receipt: &DatasetReceipt, folder: &Path) -> Result<Comparison, FaultReport> {
    let mut found = Found::default();
    for file in &receipt.circumstances.files {
        check_file(folder, file, &mut found)?;
    }
    if !receipt.circumstances.files.iter().any(|file| file.name == RECEIPTS_FILE) {
        found.compare(format!("{RECEIPTS_FILE}.named"), true, false);
    }
    check_names(receipt, &mut found);
    check_no_others(folder, receipt, &mut found)?;
    check_inputs(folder, receipt, &mut found)?;
    check_rows(folder, receipt, &mut found);
    Ok(found.into_comparison())
}

fn check_file(folder: &Path, file: &FileCircumstances, found: &mut Found) -> Result<(), FaultReport> {
    let name = &file.name;
    let Some(path) = place(folder, name) else {
        found.compare(format!("{name}.place"), "in the dataset", Value::Null);
        return Ok(());
    };
    let opened = match open_regular(&path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.compare(format!("{name}.sha256"), file.sha256.to_string(), Value::Null);
            return Ok(());
        }
        Err(error) => return Err(unreadable(&path, &error)),
    };
    let hashed = hash_file(opened.take(file.bytes.saturating_add(1)));
    let (bytes, sha256) = hashed.map_err(|error| unreadable(&path, &error))?;
    found.compare(format!("{name}.bytes"), file.bytes, bytes);
    found.compare(format!("{name}.sha256"), file.sha256.to_string(), sha256.to_string());
    Ok(())
}

/// Returns where a file stands: beside the receipt or in a folder of parts, and nowhere else.
pub(super) fn place(folder: &Path, name: &str) -> Option<PathBuf> {
    if name == RECEIPTS_FILE {
        return Some(folder.join(name));
    }
    let (parts, file) = name.split_once('/')?;
    let is_plain = !file.contains('/') && file.starts_with(|c: char| c.is_ascii_digit());
    (is_plain && is_parts_folder(parts.as_ref())).then(|| folder.join(parts).join(file))
}

/// Checks that parts are called what a run calls them: who reads a folder takes what is in it for that table, in that order.
fn check_names(receipt: &DatasetReceipt, found: &mut Found) {
    let format = Format::of_word(&receipt.circumstances.format).map(Format::extension);
    let mut numbers: BTreeMap<Option<&TableName>, u64> = BTreeMap::new();
    for file in receipt.circumstances.files.iter().filter(|file| file.name != RECEIPTS_FILE) {
        let number = numbers.entry(file.table.as_ref()).or_default();
        let wanted = part_name(file.table.as_ref(), *number, format.unwrap_or_default());
        *number += 1;
        found.compare(format!("{}.name", file.name), wanted, file.name.clone());
    }
}

/// Finds parts that the receipt does not name: a reader of the whole folder would take their rows for the dataset's.
fn check_no_others(folder: &Path, receipt: &DatasetReceipt, found: &mut Found) -> Result<(), FaultReport> {
    let list = |folder: &Path| -> Result<Vec<(String, bool)>, FaultReport> {
        let entries = folder.read_dir().map_err(|error| unreadable(folder, &error))?;
        let entry = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.file_type()?.is_dir()))
        };
        entries.map(entry).collect::<io::Result<_>>().map_err(|error| unreadable(folder, &error))
    };
    let is_named = |name: &str| receipt.circumstances.files.iter().any(|file| file.name == name);
    for (name, is_dir) in list(folder)? {
        let within = if is_dir { list(&folder.join(&name))? } else { Vec::new() };
        let names: Vec<String> = match is_dir {
            true => within.into_iter().map(|(file, _)| format!("{name}/{file}")).collect(),
            false => vec![name],
        };
        for name in names.iter().filter(|name| *name != RECEIPT_FILE && !is_named(name)) {
            found.compare(format!("{name}.place"), Value::Null, "in the dataset");
        }
    }
    Ok(())
}

/// One line of the receipts of inputs, as far as it is looked at.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) input: String,
    pub(super) sha256: Option<Digest>,
    pub(super) status: String,
    pub(super) claim_sha256: Option<Digest>,
    pub(super) claim: Option<Claim>,
}

/// Checks every input's claim against its digest, and all of them against the dataset's.
fn check_inputs(folder: &Path, receipt: &DatasetReceipt, found: &mut Found) -> Result<(), FaultReport> {
    let path = folder.join(RECEIPTS_FILE);
    let file = match open_regular(&path) {
        Ok(file) => file,
        Err(error) => {
            found.compare(format!("{RECEIPTS_FILE}.readable"), "a file", error.to_string());
            return Ok(());
        }
    };
    let (mut digest, mut counts, mut number) = (InputsDigest::default(), BTreeMap::new(), 0_u64);
    let (mut sums, mut rows) = (Sums::default(), Rows::of(folder, receipt));
    let mut lines = BufReader::new(file);
    while let Some(line) = read_line(&mut lines, &path)? {
        number += 1;
        let line: Line = match serde_json::from_str(&line) {
            Ok(line) => line,
            Err(error) => {
                found.compare(format!("inputs.{number}"), "a receipt", error.to_string());
                return Ok(());
            }
        };
        let hash = line.claim.as_ref().and_then(|claim| claim.hash().ok());
        if hash != line.claim_sha256 {
            let hex = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
            found.compare(format!("inputs.{number}.claim_sha256"), hex(line.claim_sha256), hex(hash));
        }
        if let Some(claim) = line.claim.as_ref().filter(|claim| Some(claim.input.sha256) != line.sha256) {
            let claimed = line.sha256.map(|digest| digest.to_string());
            found.compare(format!("inputs.{number}.sha256"), claimed, claim.input.sha256.to_string());
        }
        if let Some(claim) = &line.claim {
            let is_out = sums.add(claim);
            rows.check((number, &line.input), claim, is_out, found);
        }
        digest.add(line.sha256, line.claim_sha256, &line.status);
        *counts.entry(line.status).or_insert(0_u64) += 1;
    }
    rows.finish(found);
    sums.compare(&receipt.claim, found);
    let inputs = &receipt.claim.inputs;
    let count = |status: &str| counts.get(status).copied().unwrap_or_default();
    found.compare("inputs.completed".to_owned(), inputs.completed, count("completed"));
    let with_quarantine = count("completed_with_quarantine");
    found.compare(
        "inputs.completed_with_quarantine".to_owned(),
        inputs.completed_with_quarantine,
        with_quarantine,
    );
    found.compare("inputs.held".to_owned(), inputs.held, count("held"));
    found.compare("inputs.failed".to_owned(), inputs.failed, count("failed"));
    found.compare("inputs.sha256".to_owned(), inputs.sha256.to_string(), digest.finish().to_string());
    Ok(())
}

/// What the claims of inputs add up to.
#[derive(Default)]
struct Sums {
    tables: BTreeMap<TableName, RowsClaim>,
    quarantine: HeldClaim,
    records: u64,
    bytes: u64,
}

impl Sums {
    /// Adds what an input claims. Returns whether its rows are among those of the tables, unless those are held.
    fn add(&mut self, claim: &Claim) -> bool {
        // What is held by a budget is in no table; what `--strict` holds would be.
        let is_out = claim.held.iter().all(|broken| broken.table.is_none());
        for (name, table) in &claim.tables {
            let sum = self.tables.entry(name.clone()).or_default();
            sum.quarantined = sum.quarantined.saturating_add(table.quarantined);
            sum.accepted = sum.accepted.saturating_add(if is_out { table.accepted } else { 0 });
        }
        self.quarantine.rows = self.quarantine.rows.saturating_add(claim.quarantine.rows);
        for (code, rows) in &claim.quarantine.by_code {
            let sum = self.quarantine.by_code.entry(*code).or_default();
            *sum = sum.saturating_add(*rows);
        }
        self.records = self.records.saturating_add(claim.records);
        self.bytes = self.bytes.saturating_add(claim.input.read_bytes());
        is_out
    }

    fn compare(&self, claim: &DatasetClaim, found: &mut Found) {
        found.compare("inputs.bytes".to_owned(), claim.inputs.bytes, self.bytes);
        found.compare("records".to_owned(), claim.records, self.records);
        let rows = |rows: &RowsClaim| json!([rows.accepted, rows.quarantined]);
        for (name, claimed) in &claim.tables {
            let sum = self.tables.get(name).cloned().unwrap_or_default();
            found.compare(format!("tables.{name}.sum"), rows(claimed), rows(&sum));
        }
        let unclaimed = self.tables.keys().filter(|name| !claim.tables.contains_key(*name));
        for name in unclaimed {
            found.compare(format!("tables.{name}.sum"), Value::Null, rows(&self.tables[name]));
        }
        let held = |held: &HeldClaim| json!({ "rows": held.rows, "by_code": held.by_code });
        found.compare("quarantine.sum".to_owned(), held(&claim.quarantine), held(&self.quarantine));
    }
}

pub(super) fn read_line(lines: &mut BufReader<File>, path: &Path) -> Result<Option<String>, FaultReport> {
    let mut line = Vec::new();
    let read = lines.take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
    match read.map_err(|error| unreadable(path, &error))? {
        0 => Ok(None),
        bytes if bytes as u64 > LINE_BYTES_MAX => {
            let message = format!("{}: line bytes: limit {LINE_BYTES_MAX}, and there are more", shown(path));
            Err(refused(Blame::Input, "receipt-too-large", message, "no run writes one of this size"))
        }
        _ => Ok(Some(String::from_utf8_lossy(&line).into_owned())),
    }
}

/// Compares how many rows Parquet files have with what is claimed. What is held has no tables.
fn check_rows(folder: &Path, receipt: &DatasetReceipt, found: &mut Found) {
    let files = &receipt.circumstances.files;
    let rows_of = |wanted: &dyn Fn(&FileCircumstances) -> bool| -> Option<u64> {
        let parts = files.iter().filter(|file| wanted(file) && file.name != RECEIPTS_FILE);
        let rows = |file: &FileCircumstances| {
            let path = place(folder, &file.name).filter(|path| is_parquet(path))?;
            let reader = ParquetRecordBatchReaderBuilder::try_new(open_regular(&path).ok()?).ok()?;
            u64::try_from(reader.metadata().file_metadata().num_rows()).ok()
        };
        parts.map(rows).try_fold(0_u64, |sum, rows| sum.checked_add(rows?))
    };
    for (name, claimed) in receipt.claim.tables.iter().filter(|_| !is_held(&receipt.claim)) {
        // Text has no count of its rows; a file that is damaged differs already.
        if let Some(rows) = rows_of(&|file| file.table.as_ref() == Some(name)) {
            found.compare(format!("tables.{name}.accepted"), claimed.accepted, rows);
        }
    }
    if let Some(rows) = rows_of(&|file| file.table.is_none()) {
        found.compare("quarantine.rows".to_owned(), receipt.claim.quarantine.rows, rows);
    }
}

/// Returns the files whose rows nobody holds against a claim: text has no types, and tables that are united have other columns.
pub(super) fn unread(receipt: &DatasetReceipt) -> Vec<String> {
    let is_union = receipt.claim.columns.is_some();
    let tables = receipt.circumstances.files.iter().filter(|file| file.table.is_some());
    let unread = tables.filter(|file| is_union || !is_parquet(Path::new(&file.name)));
    unread.map(|file| file.name.clone()).collect()
}

/// Whether a dataset's claim says that its tables are held.
pub(super) fn is_held(claim: &DatasetClaim) -> bool {
    let inputs = &claim.inputs;
    let is_short = inputs.held > 0 || inputs.failed > 0 || claim.quarantine.rows > 0;
    inputs.completed + inputs.completed_with_quarantine == 0 || claim.asked.strict && is_short
}

fn shown(path: &Path) -> GuestText {
    GuestText::new(&path.to_string_lossy(), 4096)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> FaultReport {
    let message = format!("{}: {error}", shown(path));
    refused(Blame::Operator, "file-unreadable", message, "it must be a readable file of the dataset")
}

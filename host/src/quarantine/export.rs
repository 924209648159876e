//! Held rows for other programs: a line for each in JSON, or a line for each of their reasons in CSV.
//!
//! Values are data here and stay what they are. A spreadsheet takes a text that begins with `=` for a formula; whoever opens
//! the file in one asks for these to be marked.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;
use thiserror::Error;

use super::held::{HeldRow, HeldViolation};
use super::read::ReadFault;
use super::sentence::sentence;

/// Only its owner may read what was held back.
const MODE: u32 = 0o600;
const PATH_BYTES_MAX: usize = 4096;

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header.
    Csv,
    /// An object a line.
    Jsonl,
}

/// How a record's bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawForm {
    /// As text; bytes that are no text, controls and `\` as `\xNN`.
    Escaped,
    /// In base64.
    Base64,
    /// Not at all.
    Absent,
}

/// What an export looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The format.
    pub format: Format,
    /// The form of the records' bytes.
    pub raw: RawForm,
    /// Whether, in CSV, `'` is put before a text that a spreadsheet would take for a formula.
    pub marks_formulas: bool,
}

/// An export failed. No file is left.
#[derive(Debug, Error)]
pub enum ExportFault {
    /// There is something of that name.
    #[error("{path} exists")]
    Exists {
        /// As it was given.
        path: GuestText,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {error}")]
    Unwritten {
        /// As it was given.
        path: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// The quarantine cannot be read.
    #[error(transparent)]
    Read(#[from] ReadFault),
}

impl Blamed for ExportFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Exists { .. } | Self::Unwritten { .. } => Blame::Operator,
            Self::Read(fault) => fault.blame(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "output-exists",
            Self::Unwritten { .. } => "output-failed",
            Self::Read(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("choose another name, or move it away".to_owned()),
            Self::Unwritten { .. } => None,
            Self::Read(fault) => fault.hint(),
        }
    }
}

/// Writes rows to a new file, which is there when it is whole. Returns how many rows.
pub fn export(
    rows: impl Iterator<Item = Result<HeldRow, ReadFault>>,
    shape: Shape,
    path: &Path,
) -> Result<u64, ExportFault> {
    let unfinished = Unfinished::begin(path).map_err(|error| unwritten(path, error))?;
    let mut lines = Lines::begin(&unfinished.file, shape).map_err(|error| unwritten(path, error))?;
    let mut count = 0;
    for row in rows {
        lines.add(&row?).map_err(|error| unwritten(path, error))?;
        count += 1;
    }
    lines.end().map_err(|error| unwritten(path, error))?;
    unfinished.publish(path)?;
    Ok(count)
}

fn unwritten(path: &Path, error: io::Error) -> ExportFault {
    ExportFault::Unwritten { path: shown(path), error }
}

fn shown(path: &Path) -> GuestText {
    GuestText::new(&path.to_string_lossy(), PATH_BYTES_MAX)
}

/// A file under another name until it is whole.
struct Unfinished {
    file: File,
    name: PathBuf,
}

impl Unfinished {
    fn begin(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let name = PathBuf::from(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&name)?;
        Ok(Self { file, name })
    }

    fn publish(self, path: &Path) -> Result<(), ExportFault> {
        self.file.sync_all().map_err(|error| unwritten(path, error))?;
        match renameat_with(CWD, &self.name, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::EXIST) => Err(ExportFault::Exists { path: shown(path) }),
            Err(error) => Err(unwritten(path, error.into())),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone already where it was published.
        let _ = std::fs::remove_file(&self.name);
    }
}

/// Rows on their way into a file.
enum Lines<'a> {
    Csv(BufWriter<&'a File>, Shape),
    Jsonl(BufWriter<&'a File>, RawForm),
}

/// A row as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    row: &'a HeldRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

const HEADER: [&str; 18] = [
    "q_id",
    "row_id",
    "table",
    "input_path",
    "record_no",
    "line_first",
    "line_last",
    "byte_offset",
    "byte_length",
    "code",
    "severity",
    "column",
    "rule",
    "expected",
    "observed",
    "reason",
    "raw",
    "raw_truncated",
];

impl<'a> Lines<'a> {
    fn begin(file: &'a File, shape: Shape) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        match shape.format {
            Format::Jsonl => Ok(Self::Jsonl(file, shape.raw)),
            Format::Csv => {
                file.write_all(csv_line(HEADER.into_iter().map(str::to_owned)).as_bytes())?;
                Ok(Self::Csv(file, shape))
            }
        }
    }

    fn add(&mut self, row: &HeldRow) -> io::Result<()> {
        match self {
            Self::Jsonl(file, raw) => {
                serde_json::to_writer(&mut *file, &Line { row, raw: raw_in(*raw, row) })?;
                file.write_all(b"\n")
            }
            Self::Csv(file, shape) => {
                let raw = raw_in(shape.raw, row).unwrap_or_default();
                row.violations.iter().try_for_each(|reason| {
                    let cells = csv_cells(row, reason, &raw).map(|cell| marked(&cell, shape.marks_formulas));
                    file.write_all(csv_line(cells.into_iter()).as_bytes())
                })
            }
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Jsonl(mut file, _) | Self::Csv(mut file, _) => file.flush(),
        }
    }
}

fn csv_cells(row: &HeldRow, reason: &HeldViolation, raw: &str) -> [String; 18] {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        row.q_id.clone(),
        row.row_id.clone(),
        text(&row.table),
        row.input_path.clone(),
        number(row.record_no),
        number(row.line_first),
        number(row.line_last),
        number(row.byte_offset),
        number(row.byte_length),
        reason.code.clone(),
        reason.severity.clone(),
        text(&reason.column),
        reason.rule.clone(),
        text(&reason.expected),
        text(&reason.observed),
        sentence(reason),
        raw.to_owned(),
        row.raw_truncated.to_string(),
    ]
}

/// Returns a record of RFC 4180.
fn csv_line(cells: impl Iterator<Item = String>) -> String {
    let quoted = |cell: String| match cell.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    };
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}

/// Returns a cell with `'` before it, if it is wanted and a spreadsheet would take it for a formula.
fn marked(cell: &str, wanted: bool) -> String {
    let is_formula = cell
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    format!("{}{cell}", if wanted && is_formula { "'" } else { "" })
}

/// Returns a record's bytes in the form that is wanted.
pub fn raw_in(form: RawForm, row: &HeldRow) -> Option<String> {
    let raw = row.raw.as_deref()?;
    match form {
        RawForm::Escaped => Some(escaped(raw)),
        RawForm::Base64 => Some(BASE64_STANDARD.encode(raw)),
        RawForm::Absent => None,
    }
}

/// Returns bytes as text that reads back: what is no text, a control or `\` is `\xNN`.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\x5c"),
                c if c.is_control() => hex_escape(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut text),
                c => text.push(c),
            }
        }
        hex_escape(chunk.invalid(), &mut text);
    }
    text
}

fn hex_escape(bytes: &[u8], text: &mut String) {
    bytes.iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_bytes_are_text_on_one_line_and_tell_every_byte() {
        assert_eq!(escaped("a\\ä\n\u{1}|\u{85}".as_bytes()), "a\\x5cä\\x0a\\x01|\\xc2\\x85");
        assert_eq!(escaped(b"\xff8=FIX\xc3"), "\\xff8=FIX\\xc3");
    }

    #[test]
    fn a_cell_that_holds_a_comma_a_quote_or_a_line_end_is_quoted() {
        let cells = ["a", "b,c", "say \"d\"", "e\nf", ""].map(str::to_owned);
        assert_eq!(csv_line(cells.into_iter()), "a,\"b,c\",\"say \"\"d\"\"\",\"e\nf\",\r\n");
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_marked_where_that_is_wanted() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(marked(cell, true), format!("'{cell}"));
            assert_eq!(marked(cell, false), cell);
        }
        assert_eq!(marked("1=1", true), "1=1");
    }

    #[test]
    fn an_export_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shape = Shape { format: Format::Csv, raw: RawForm::Absent, marks_formulas: false };
        let missing = || Err(ReadFault::Missing { path: GuestText::new("x", 8) });
        let path = folder.path().join("rows.csv");
        assert!(matches!(export([missing()].into_iter(), shape, &path), Err(ExportFault::Read(_))));
        std::fs::write(&path, b"mine").unwrap();
        assert!(matches!(export([].into_iter(), shape, &path), Err(ExportFault::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}

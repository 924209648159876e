//! Real and made files whose cells are known. They are not part of this repository: `CASPARIAN_DATA` names the directory that has
//! them. Without it these tests say so and pass.
#![expect(clippy::print_stdout, reason = "the scores are for whoever runs the test")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use casparian_sdk::harness::{Run, Said, Value};
use csv::Csv;
use serde_json::Value as Json;

fn data() -> Option<PathBuf> {
    let data = std::env::var_os("CASPARIAN_DATA").map(|data| PathBuf::from(data).join("csv"));
    let found = data.filter(|data| data.is_dir());
    if found.is_none() {
        println!("skipped: CASPARIAN_DATA names no directory with csv/ in it");
    }
    found
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a directory");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    files.sort();
    files
}

fn read(bytes: &[u8]) -> Said {
    Run::default().over(&Csv, bytes).expect("an input is never refused")
}

/// What the columns of a table are called in the input, in order, and what the table calls them.
fn columns(said: &Said, table: &str) -> Vec<(String, String)> {
    let of_columns = said
        .rows("file_profile")
        .iter()
        .filter(|row| row["table_name"] == table && row["decision"] == "column");
    of_columns
        .map(|row| {
            let evidence = row["evidence"].text().expect("evidence");
            let said = evidence.strip_prefix("the header says `").and_then(|rest| rest.strip_suffix('`'));
            (row["column_name"].text().expect("a name").to_owned(), said.unwrap_or_default().to_owned())
        })
        .collect()
}

fn has_header(said: &Said, table: &str) -> bool {
    said.rows("file_profile")
        .iter()
        .any(|row| row["table_name"] == table && row["decision"] == "header" && row["value"] != "0")
}

/// A table as rows of cells, the header first if there is one; cells that are not there are left out.
fn cells(said: &Said, table: &str) -> Vec<Vec<String>> {
    let columns = columns(said, table);
    let mut all = Vec::new();
    if has_header(said, table) {
        all.push(trimmed(columns.iter().map(|(_, said)| Some(said.clone())).collect(), columns.len()));
    }
    for row in said.rows(table) {
        let cells = columns.iter().map(|(name, _)| match &row[name.as_str()] {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        });
        all.push(trimmed(cells.collect(), 0));
    }
    all
}

fn trimmed(cells: Vec<Option<String>>, least: usize) -> Vec<String> {
    let len = cells.iter().rposition(Option::is_some).map_or(0, |last| last + 1).max(least);
    cells.into_iter().take(len).map(Option::unwrap_or_default).collect()
}

fn texts(rows: &Json) -> Vec<Vec<String>> {
    let text = |cell: &Json| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| row.as_array().expect("cells").iter().map(text).collect())
        .collect()
}

/// Whether the cells are those of the truth. What the header says in columns that it does not have is nothing.
fn same(found: &[Vec<String>], truth: &[Vec<String>]) -> bool {
    let header = |row: &Vec<String>| row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    match (found.split_first(), truth.split_first()) {
        (Some((one, found)), Some((other, truth))) => {
            one[..header(one)] == other[..header(other)] && found == truth
        }
        (None, None) => true,
        _ => false,
    }
}

#[test]
fn made_files_come_out_cell_by_cell() {
    let Some(data) = data() else { return };
    let (mut scored, mut exact) = (0, Vec::new());
    for path in files(&data.join("synth"), ".truth.json") {
        let truth: Json = serde_json::from_slice(&std::fs::read(&path).expect("a truth")).expect("JSON");
        let input = PathBuf::from(path.to_string_lossy().replace(".truth.json", ".csv"));
        let Ok(bytes) = std::fs::read(&input) else { continue };
        let said = read(&bytes);
        assert_eq!(said.dark(), [], "{}", input.display());
        if truth["cells"].is_null() {
            println!(
                "{:40} {} rows, {} rejected",
                input.display(),
                said.rows("rows").len(),
                said.rejects.len()
            );
            continue;
        }
        scored += 1;
        let (found, truth) = (cells(&said, "rows"), texts(&truth["cells"]));
        if same(&found, &truth) {
            exact.push(path.file_name().map(|name| name.to_string_lossy().into_owned()));
            continue;
        }
        let differs = found.iter().zip(&truth).position(|(one, other)| one != other);
        println!(
            "{}: {} rows, {} in truth; first difference {differs:?}",
            input.display(),
            found.len(),
            truth.len()
        );
        let at = differs.unwrap_or(found.len().min(truth.len()));
        println!(
            "  found {:?}\n  truth {:?}\n  rejects {:?}",
            found.get(at),
            truth.get(at),
            said.rejects.first()
        );
    }
    println!("{} of {scored} exact", exact.len());
    assert!(exact.len() >= 30, "{} of {scored}", exact.len());
}

#[test]
fn a_spectrum_of_small_files_comes_out_whole() {
    let Some(data) = data() else { return };
    for path in
        files(&data, ".json").into_iter().filter(|path| path.to_string_lossy().contains("csvspectrum"))
    {
        let truth: Json = serde_json::from_slice(&std::fs::read(&path).expect("a truth")).expect("JSON");
        let said = read(&std::fs::read(path.with_extension("csv")).expect("an input"));
        let records = truth.as_array().cloned().unwrap_or_else(|| vec![truth.clone()]);
        assert_eq!(said.rows("rows").len(), records.len(), "{}", path.display());
        for (row, record) in said.rows("rows").iter().zip(&records) {
            // One truth there is of another file: it has another telephone number.
            for (name, value) in record
                .as_object()
                .expect("a record")
                .iter()
                .filter(|(name, _)| *name != "Contact Phone Number")
            {
                assert_eq!(row[name.as_str()].text(), value.as_str(), "{}", path.display());
            }
        }
    }
}

#[test]
fn every_real_file_has_a_verdict_within_seconds_and_no_dark_byte() {
    let Some(data) = data() else { return };
    let mut slowest = (Duration::ZERO, PathBuf::new());
    let all = files(&data, "");
    for path in &all {
        let bytes = std::fs::read(path).expect("an input");
        let start = Instant::now();
        let said = read(&bytes);
        slowest = slowest.max((start.elapsed(), path.clone()));
        assert_eq!(said.dark(), [], "{}", path.display());
        if std::env::var_os("SHOWN").is_some() {
            let tables: Vec<String> = said
                .tables
                .iter()
                .filter(|(name, _)| *name != "file_profile")
                .map(|(name, rows)| format!("{name} {}x{}", rows.len(), columns(&said, name).len()))
                .collect();
            println!(
                "{:60} {:?} rejects {} {:?}",
                path.file_name().unwrap().to_string_lossy(),
                tables,
                said.rejects.len(),
                said.rejects.first().map(|it| &it.message)
            );
        }
    }
    println!("{} files, the slowest took {:?}: {}", all.len(), slowest.0, slowest.1.display());
    assert!(slowest.0 < Duration::from_secs(10));
}

//! A run again on every save: what the files of a parser look like, and what changed from one run to the next.
//!
//! Files are looked at, not listened for: it takes no descriptors, works on every file system, and costs nothing beside a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use casparian_core::id::Digest;

use crate::input;
use crate::program::folder::{is_aside, is_output, is_source};
use crate::report::Report;

/// Most files that are looked at, and folders below each other.
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 8;

/// What some files looked like at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl Look {
    /// Looks at files, and at the sources in folders. What cannot be seen looks like nothing.
    pub fn at<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut seen = BTreeMap::new();
        // Of a member the archive is what can be seen.
        paths.into_iter().for_each(|path| look(&input::find(path).0, 0, &mut seen));
        Self(seen)
    }
}

fn look(path: &Path, depth: usize, seen: &mut BTreeMap<PathBuf, (Option<SystemTime>, u64)>) {
    let Ok(found) = fs::metadata(path) else { return };
    if !found.is_dir() {
        seen.insert(path.to_owned(), (found.modified().ok(), found.len()));
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let goes_down = depth < DEPTH_MAX && entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_looked_at = (goes_down || is_source(&name)) && seen.len() < FILES_MAX;
        if is_looked_at && !is_aside(&name, depth) && !is_output(&entry.path()) {
            look(&entry.path(), depth + 1, seen);
        }
    }
}

/// Says what one run came to that the one before did not, a line for each thing; nothing where both came to the same.
pub fn difference(before: &Report, after: &Report) -> Vec<String> {
    if before.status != after.status {
        let mut lines = vec![format!("{} -> {}", before.status.word(), after.status.word())];
        lines.extend(counts(before, after));
        return lines;
    }
    counts(before, after)
}

fn counts(before: &Report, after: &Report) -> Vec<String> {
    let (old, new) = (numbers(before), numbers(after));
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let line = |name: &String| {
        let (was, is) = (old.get(name).copied().unwrap_or(0), new.get(name).copied().unwrap_or(0));
        let signed = i128::from(is) - i128::from(was);
        (was != is).then(|| format!("{name}: {was} -> {is} ({signed:+})"))
    };
    let changed: Vec<String> = names.filter_map(line).collect();
    let others = digests(after).into_iter().filter(|(name, digest)| {
        let same_count = !changed.iter().any(|line| line.starts_with(name.as_str()));
        same_count && digests(before).get(name).is_some_and(|before| before != digest)
    });
    let others: Vec<String> = others.map(|(name, _)| format!("{name}: as many, but others")).collect();
    changed.into_iter().chain(others).collect()
}

/// What is counted, by what it is called.
fn numbers(report: &Report) -> BTreeMap<String, u64> {
    let accepted = report.tables.iter().map(|table| (rows_of(table.name.as_str()), table.accepted));
    let by_code = report.quarantine.by_code.iter().map(|(code, rows)| (format!("quarantine {code}"), *rows));
    let by_rule =
        report.quarantine.by_rule.iter().map(|(rule, rows)| (format!("quarantine by {rule}"), *rows));
    let dark = ("bytes not accounted for".to_owned(), report.accounting.dark_bytes);
    accepted.chain(by_code).chain(by_rule).chain([dark]).collect()
}

fn digests(report: &Report) -> BTreeMap<String, Digest> {
    let tables = report.claim.iter().flat_map(|claim| &claim.tables);
    tables.map(|(name, claim)| (rows_of(name.as_str()), claim.digest)).collect()
}

fn rows_of(table: &str) -> String {
    format!("{table} rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::TableReport;
    use casparian_core::id::TableName;

    fn report(accepted: u64) -> Report {
        let mut report = Report::begin(Path::new("p.py"), Path::new("in"));
        let name = TableName::new("fills").unwrap();
        report.tables.push(TableReport { name, accepted, quarantined: 0, path: None });
        report
    }

    #[test]
    fn two_runs_that_came_to_the_same_do_not_differ() {
        assert_eq!(difference(&report(3), &report(3)), Vec::<String>::new());
    }

    #[test]
    fn rows_more_and_rows_fewer_are_said_with_their_sign() {
        assert_eq!(difference(&report(3), &report(5)), ["fills rows: 3 -> 5 (+2)"]);
        assert_eq!(difference(&report(3), &report(0)), ["fills rows: 3 -> 0 (-3)"]);
    }

    #[test]
    fn an_archive_that_was_saved_looks_different_to_who_watches_a_member() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.zip");
        fs::write(&archive, "1").unwrap();
        let member = folder.path().join("a.zip!b");
        let before = Look::at([member.as_path()]);
        fs::write(&archive, "12").unwrap();
        assert_ne!(Look::at([member.as_path()]), before);
    }

    #[test]
    fn a_file_that_was_saved_or_added_looks_different_and_what_is_no_source_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("parser.py", "1");
        let first = Look::at([folder.path()]);
        write("notes.txt", "");
        assert_eq!(Look::at([folder.path()]), first);
        write("parser.py", "12");
        let second = Look::at([folder.path()]);
        assert_ne!(second, first);
        write("helper.py", "");
        assert_ne!(Look::at([folder.path()]), second);
    }
}

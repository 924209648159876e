//! Tracked files speak of the project, not of the machine somebody wrote them on.

use crate::Outcome;
use crate::workspace::{read, read_text, tracked};
use std::path::Path;

/// First parts of paths that belong to one person's machine. Spelled without slashes, or this file would find itself.
const PLACES: [&str; 4] = ["work", "root", "home", "Users"];

/// The one place that dependencies come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Fails where a tracked file names a path of a machine, or the lockfile a source other than crates.io.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut found = Vec::new();
    for name in tracked(root, false)? {
        let lines = places_in(&read(&root.join(&name))?);
        found
            .extend(lines.into_iter().map(|(number, line)| format!("  {}:{number}: {line}", name.display())));
    }
    found.extend(foreign_sources(&read_text(&root.join("Cargo.lock"))?));
    if found.is_empty() {
        println!("tracked files: no paths of a machine");
        return Ok(());
    }
    Err(format!("paths of a machine in tracked files:\n{}", found.join("\n")))
}

fn foreign_sources(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter(|line| line.starts_with("source = "));
    sources.filter(|line| !line.contains(REGISTRY)).map(|line| format!("  Cargo.lock: {line}")).collect()
}

/// The lines that name such a path, by number. Binary files are read too: a component can carry a path as well.
fn places_in(content: &[u8]) -> Vec<(usize, String)> {
    let text = String::from_utf8_lossy(content);
    let lines = text.lines().enumerate().filter(|(_, line)| PLACES.iter().any(|place| names(line, place)));
    lines.map(|(index, line)| (index + 1, line.trim().chars().take(120).collect())).collect()
}

/// Whether a line holds `/place/` at the start of a path, not in the middle of one.
fn names(line: &str, place: &str) -> bool {
    let path = format!("/{place}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-*~})>".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_with_its_line() {
        let text = format!("fine\nsee {}{}/notes\n", "/wor", "k");
        assert_eq!(places_in(text.as_bytes()).first().map(|(number, _)| *number), Some(2));
    }

    #[test]
    fn the_middle_of_a_longer_path_is_left_alone() {
        assert!(!names(&format!("target{}{}/x", "/wor", "k"), "work"));
        assert!(!names(&format!("~{}{}/x", "/wor", "k"), "work"));
    }

    #[test]
    fn another_registry_in_the_lockfile_is_found() {
        let lock = format!("source = \"{REGISTRY}\"\nsource = \"git+https://example.org/a\"\n");
        assert_eq!(foreign_sources(&lock).len(), 1);
    }
}

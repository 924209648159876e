//! What documents tell people to type works: every `$ host …` line of theirs is run, from a folder that looks like the checkout.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::host::{guest, program, root};

/// Documents that show commands.
const DOCUMENTS: [&str; 4] =
    ["README.md", "docs/architecture.md", "guests/fix/README.md", "sdk/rust/README.md"];

/// Returns the words behind `$ host` in a document's console blocks.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut is_console = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            is_console = language == "console";
        }
        if let Some(words) = line.strip_prefix("$ host ").filter(|_| is_console) {
            let words = words.split('#').next().unwrap_or_default();
            found.push(words.split_whitespace().map(str::to_owned).collect());
        }
    }
    found
}

#[test]
fn every_command_that_a_document_shows_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("target")).expect("a target folder");
    let guests = guest("fix").parent().expect("a folder of guests").to_owned();
    symlink(guests, folder.path().join("target/guests")).expect("the built guests");
    symlink(root().join("guests"), folder.path().join("guests")).expect("the samples");
    let mut ran = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root().join(document)).expect("a document");
        for words in commands(&text) {
            run(folder.path(), document, &words);
            ran += 1;
        }
    }
    assert!(ran >= 4, "the README shows at least four commands, and {ran} were found");
}

fn run(folder: &Path, document: &str, words: &[String]) {
    let mut host = Command::new(program());
    host.args(words).current_dir(folder).stdin(Stdio::null());
    host.env("CASPARIAN_CACHE_DIR", folder.join("cache"));
    let output = host.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{document}: `host {}`:\n{said}", words.join(" "));
}

//! `demo`: the shortest way to see the house at work.

use crate::Outcome;
use crate::command::run;
use crate::guests;
use crate::site::Site;
use crate::suite::build_host;
use crate::workspace::{self, entries, from_root};
use std::fs;
use std::path::Path;
use std::process::Command;

const PARSER: &str = "fix";
const LOG: &str = "guests/fix/samples/demo.log";
const OUT: &str = "target/demo";

/// Previews the demo log, then writes it into a fresh folder and shows what is there.
pub(crate) fn run_demo(root: &Path) -> Outcome {
    guests::build(root, &[PARSER.to_owned()])?;
    build_host()?;
    let parser = Site::of(root).out.join(format!("{PARSER}.wasm"));
    let host_run = || {
        let mut host = Command::new(from_root(root, &workspace::host_binary(root)));
        host.arg("run").arg(from_root(root, &parser)).arg(LOG);
        host
    };
    run(&mut host_run())?;
    let out = root.join(OUT);
    workspace::remove_folder(&out)?;
    run(host_run().args(["--out", OUT]))?;
    show(&out, root)
}

/// Lists the files of a run: its tables first, what the host says about them (`_quarantine`, `_receipt`) after.
fn show(out: &Path, root: &Path) -> Outcome {
    let mut files = entries(out)?;
    files.sort_by_key(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_')));
    println!("\nwritten:");
    for file in files {
        let length = fs::metadata(&file).map_err(|why| format!("{}: {why}", file.display()))?.len();
        println!("  {:<40} {length:>9} bytes", from_root(root, &file).display());
    }
    Ok(())
}

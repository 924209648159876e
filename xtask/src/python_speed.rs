//! What of the SDK for Python is compiled, as a module that the CPython of the runtime loads.
//!
//! It is an object for dynamic linking, as the libraries are that componentize-py brings along: position-independent, its
//! memory and its functions in those of the interpreter. rustc makes one for our target where it is told to; what of `core` is
//! in it is compiled again with it, since links are made over all of the program at once.

use std::path::PathBuf;

use crate::Outcome;
use crate::command;
use crate::rustc::TARGET;
use crate::site::Site;
use crate::toolchain::Toolchain;
use crate::workspace;

const PACKAGE: &str = "casparian-speed";
/// What its file is called, for the interpreter to find.
const FILE: &str = "_casparian_speed.cpython-314-wasm32-wasi.so";
const FLAGS: [&str; 6] =
    ["-C", "relocation-model=pic", "-C", "link-arg=-shared", "-C", "link-arg=--experimental-pic"];

/// Builds it, and returns the folder that it is in and nothing else.
pub(crate) fn build(site: &Site, toolchain: &Toolchain) -> Outcome<PathBuf> {
    let mut cargo = command::cargo();
    cargo.current_dir(&site.source).args(["rustc", "--quiet", "--package", PACKAGE, "--lib"]);
    cargo
        .args(["--crate-type=cdylib", "--profile=guest", "--target", TARGET, "--target-dir"])
        .arg(&site.build);
    toolchain.apply(&mut cargo, &[(&site.source, "/casparian"), (&site.build, "/build")])?;
    command::run_unseen(cargo.arg("--").args(FLAGS))?;
    let built = site.build.join(TARGET).join("guest").join(format!("{}.wasm", PACKAGE.replace('-', "_")));
    let folder = site.build.join("python");
    workspace::write(&folder.join(FILE), &workspace::read(&built)?)?;
    Ok(folder)
}

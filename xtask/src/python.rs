//! Environments for tools that are written in Python: made once, made again when their pins change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::command::run;

/// Makes an environment in `folder` with the packages that a file pins, unless it is there. Returns its Python.
pub(crate) fn environment(folder: &Path, pins: &Path) -> Outcome<PathBuf> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = folder.join("pinned.txt");
    let named = |path: &Path, why: std::io::Error| format!("{}: {why}", path.display());
    let pinned = fs::read_to_string(pins).map_err(|why| named(pins, why))?;
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|kept| kept == pinned) {
        return Ok(python);
    }
    let hint = |why| format!("{why}\n  it takes Python 3.11 or later with `venv`");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder)).map_err(hint)?;
    let mut pip = Command::new(&python);
    run(pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]).arg(pins))?;
    // Last, so that half an environment is never taken for a whole one.
    fs::write(&stamp, pinned).map_err(|why| named(&stamp, why))?;
    Ok(python)
}

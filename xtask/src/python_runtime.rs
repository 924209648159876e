//! The component that makes parsers of Python programs: CPython, the modules that a parser may import, and our SDK with what
//! of it is compiled, started once and kept as it was then; beside its memory, the code of modules that few parsers import.
//!
//! componentize-py builds it. Its bytes differ from build to build (the interpreter draws a hash seed when it starts, and where
//! things lie in its memory follows from that), so it is built when what it is made of has changed and not otherwise: what a
//! checkout has keeps its digest.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::command::run;
use crate::one_module;
use crate::python;
use crate::python_speed;
use crate::site::Site;
use crate::toolchain::Toolchain;
use crate::wit_lock::sha256;
use crate::workspace::{self, copy, entries, make_folder, read, rename};

/// What it is called among the guests.
pub(crate) const NAME: &str = "python";
/// What is handed to the interpreter, beside the interface.
const SOURCES: [&str; 3] = ["guests/python", "sdk/python/casparian", "xtask/src/one_module"];
const MAKERS: [&str; 4] = ["wit/world.wit", PINS, "xtask/src/python_runtime.rs", "xtask/src/one_module.rs"];
/// Where the halves of the build write down what they have made, on their path (`guests/python/library.py`).
const COMPILED: &str = "library";
const PINS: &str = "guests/python/requirements.txt";

/// Builds `target/guests/python.wasm` where it is out of date, and puts a copy where the host of this checkout looks for it.
pub(crate) fn build(root: &Path) -> Outcome {
    let component = root.join("target/guests/python.wasm");
    let stamp = root.join("target/guests/.python-made-of");
    let speed = python_speed::build(&Site::of(root), &Toolchain::find_or_make(root)?)?;
    let made_of = made_of(root, &speed)?;
    let is_fresh = component.is_file() && stamp.is_file() && read(&stamp)? == made_of.as_bytes();
    if !is_fresh {
        componentize(root, &speed, &component)?;
        workspace::write(&stamp, made_of.as_bytes())?;
    }
    let share = workspace::host_target(root).join("share/casparian/python.wasm");
    if !share.is_file() || read(&share)? != read(&component)? {
        copy(&component, &share)?;
    }
    let (bytes, news) = (read(&component)?.len(), if is_fresh { "unchanged" } else { "built" });
    println!("{NAME:<24} {bytes:>9} bytes  {news:<9}  {}", workspace::from_root(root, &component).display());
    Ok(())
}

/// Returns what it is made of, a line for each file. Of what is compiled the result counts, whatever was changed for it.
fn made_of(root: &Path, speed: &Path) -> Outcome<String> {
    let mut files: Vec<PathBuf> = MAKERS.iter().map(|file| root.join(file)).collect();
    files.extend(entries(speed)?);
    for folder in SOURCES {
        walk(&root.join(folder), &mut files)?;
    }
    let line = |path: &PathBuf| {
        Ok(format!("{} {}\n", sha256(&read(path)?), workspace::from_root(root, path).display()))
    };
    files.iter().map(line).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Outcome {
    for path in entries(folder)? {
        let is_source = || path.file_name().is_some_and(|name| name != "__pycache__" && name != "speed");
        if path.is_dir() && is_source() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "py" || ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// Builds it in two halves: an interpreter that is thrown away compiles the library, one that is kept imports what it needs of it.
fn componentize(root: &Path, speed: &Path, component: &Path) -> Outcome {
    let folder = component.parent().ok_or("the component stands in no folder")?;
    let (library, half) = (folder.join(".python-library"), folder.join(".python.wasm-half"));
    workspace::remove_folder(&library)?;
    make_folder(&library.join(COMPILED))?;
    let on_path = [Path::new("guests/python"), Path::new("sdk/python"), speed, &library];
    interpreter(root, &on_path, "compile_library", &half)?;
    interpreter(root, &on_path, "runtime", &half)?;
    let kept = read(&library.join(COMPILED).join("kept"))?;
    let linked =
        one_module::link(&read(&half)?, &kept).map_err(|fault| format!("{}: {fault}", half.display()))?;
    workspace::write(&half, &linked)?;
    rename(&half, component)
}

/// Starts an interpreter that imports a module, and makes a component of it as it is then.
fn interpreter(root: &Path, on_path: &[&Path], module: &str, component: &Path) -> Outcome {
    let python = python::environment(&root.join("target/venv-componentize"), &root.join(PINS))?;
    let tool = python.with_file_name(format!("componentize-py{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(tool);
    command.current_dir(root).args(["--wit-path", "wit", "--world", "runtime", "--quiet", "componentize"]);
    // Without WASI: the component imports our interfaces and nothing else.
    command.arg("--stub-wasi");
    for folder in on_path {
        command.arg("-p").arg(workspace::from_root(root, folder));
    }
    run(command.args([module, "--output"]).arg(component))
}

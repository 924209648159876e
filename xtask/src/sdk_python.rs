//! `python`: the tests of the SDK for Python and of the parsers written with it, on this machine's own interpreter, and their
//! types.
//!
//! pyarrow, which the SDK does without, says whether what it writes is Arrow. The packages are pinned and kept under `target/`.

use crate::Outcome;
use crate::command::run;
use crate::python;
use crate::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

const SDK: &str = "sdk/python";
const PINS: &str = "sdk/python/tests/requirements.txt";

const GUESTS: &str = "guests";

/// Checks the types of the SDK and runs its tests, then those of every parser; further arguments go to pytest.
pub(crate) fn test(root: &Path, args: &[String]) -> Outcome {
    let python = environment(root)?;
    module(&python, &root.join(SDK), &["mypy", "--cache-dir", "/dev/null"], &[])?;
    pytest(&python, &root.join(SDK), args)?;
    for guest in parsers(root)? {
        pytest(&python, &guest, args)?;
    }
    Ok(())
}

/// Returns the Python of the environment that has what the SDK is compared with.
pub(crate) fn environment(root: &Path) -> Outcome<PathBuf> {
    python::environment(&workspace::host_target(root).join("venv-sdk"), &root.join(PINS))
}

/// Returns the folders of the parsers in Python that have tests. Each is tested by itself: their modules share names.
fn parsers(root: &Path) -> Outcome<Vec<PathBuf>> {
    let mut folders = workspace::entries(&root.join(GUESTS))?;
    folders.retain(|folder| folder.join("parser.py").is_file() && folder.join("tests").is_dir());
    Ok(folders)
}

fn pytest(python: &Path, folder: &Path, args: &[String]) -> Outcome {
    module(python, folder, &["pytest", "-q", "-p", "no:cacheprovider"], args)
}

fn module(python: &Path, folder: &Path, module: &[&str], args: &[String]) -> Outcome {
    let mut command = Command::new(python);
    // No compiled files beside the sources: a checkout stays as it is.
    command.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.arg("-m").args(module).args(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parsers_in_python_are_found_and_the_others_left_out() {
        let root = workspace::root().expect("a checkout");
        let found = parsers(&root).expect("the guests");
        let names: Vec<_> = found.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
        assert!(names.contains(&"cot") && names.contains(&"mt940") && !names.contains(&"fix"), "{names:?}");
    }
}

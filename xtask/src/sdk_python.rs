//! `python`: the tests of the SDK for Python, on this machine's own interpreter, and its types.
//!
//! pyarrow, which the SDK does without, says whether what it writes is Arrow. The packages are pinned and kept under `target/`.

use crate::Outcome;
use crate::command::run;
use crate::python;
use crate::workspace;
use std::path::Path;
use std::process::Command;

const SDK: &str = "sdk/python";
const PINS: &str = "sdk/python/tests/requirements.txt";

/// Checks the types of the SDK and runs its tests; further arguments go to pytest.
pub(crate) fn test(root: &Path, args: &[String]) -> Outcome {
    let python = python::environment(&workspace::host_target(root).join("venv-sdk"), &root.join(PINS))?;
    let run_module = |module: &[&str], args: &[String]| {
        let mut command = Command::new(&python);
        // No compiled files beside the sources: a checkout stays as it is.
        command.current_dir(root.join(SDK)).env("PYTHONDONTWRITEBYTECODE", "1");
        run(command.arg("-m").args(module).args(args))
    };
    run_module(&["mypy", "--cache-dir", "/dev/null"], &[])?;
    run_module(&["pytest", "-q", "-p", "no:cacheprovider"], args)
}

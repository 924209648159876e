//! What a command finds around it: the folder for compiled parsers, this program, Ctrl-C.

use std::env;
use std::ffi::OsString;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use casparian_core::fault::{Blame, FaultReport};

use crate::interrupt;

/// Where things are that every command needs.
pub(super) struct Surroundings {
    /// The folder for compiled parsers.
    pub(super) cache_dir: PathBuf,
    /// This very program, which is also the worker.
    pub(super) program: PathBuf,
    /// The component that makes parsers of Python programs. It need not be there.
    pub(super) python_runtime: PathBuf,
}

impl Surroundings {
    /// Asks the environment. Fails, blamed on the operator, where it names no cache folder.
    pub(super) fn look() -> Result<Self, FaultReport> {
        let cache_dir = cache_dir(|name| env::var_os(name))?;
        let program =
            env::current_exe().map_err(|error| machine_fault("finding this very program", &error))?;
        let python_runtime = python_runtime(env::var_os("CASPARIAN_PYTHON"), &program);
        Ok(Self { cache_dir, program, python_runtime })
    }
}

/// Returns how many things are done side by side where nobody has said: as many as there are cores.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Returns the flag that Ctrl-C raises.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>, FaultReport> {
    interrupt::stop_flag().map_err(|error| machine_fault("listening for Ctrl-C", &error))
}

fn machine_fault(what: &str, error: &io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Host,
        code: "machine-refused".to_owned(),
        message: format!("{what} failed: {error}"),
        hint: None,
        at: None,
    }
}

/// Returns the cache folder: `$CASPARIAN_CACHE_DIR`, `$XDG_CACHE_HOME/casparian` or `~/.cache/casparian`, the first that is
/// set. Fails where none is.
fn cache_dir(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, FaultReport> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG specification: a relative path there is to be ignored.
    let absolute = |name: &str| set(name).filter(|path| path.is_absolute());
    set("CASPARIAN_CACHE_DIR")
        .or_else(|| absolute("XDG_CACHE_HOME").map(|xdg| xdg.join("casparian")))
        .or_else(|| absolute("HOME").map(|home| home.join(Path::new(".cache/casparian"))))
        .ok_or_else(no_home)
}

/// Returns where the Python runtime is: `$CASPARIAN_PYTHON`, beside the program, or in `share` beside the program's folder.
fn python_runtime(named: Option<OsString>, program: &Path) -> PathBuf {
    if let Some(named) = named.filter(|value| !value.is_empty()) {
        return PathBuf::from(named);
    }
    let folder = program.parent().unwrap_or(Path::new("."));
    let shared = folder.join("../share/casparian/python.wasm");
    Some(folder.join("python.wasm")).filter(|beside| beside.is_file()).unwrap_or(shared)
}

fn no_home() -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "no-cache-dir".to_owned(),
        message:
            "there is no folder for compiled parsers: neither XDG_CACHE_HOME nor HOME is an absolute path"
                .to_owned(),
        hint: Some("set CASPARIAN_CACHE_DIR to a folder that only you can write to".to_owned()),
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(pairs: &[(&str, &str)]) -> Result<PathBuf, FaultReport> {
        cache_dir(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn our_own_variable_goes_before_the_desktops_and_that_before_home() {
        let home = ("HOME", "/u");
        let xdg = ("XDG_CACHE_HOME", "/var/c");
        assert_eq!(among(&[home, xdg, ("CASPARIAN_CACHE_DIR", "here")]).unwrap(), Path::new("here"));
        assert_eq!(among(&[home, xdg]).unwrap(), Path::new("/var/c/casparian"));
        assert_eq!(among(&[home]).unwrap(), Path::new("/u/.cache/casparian"));
    }

    #[test]
    fn empty_and_relative_values_of_the_desktops_are_ignored() {
        let home = ("HOME", "/u");
        assert_eq!(among(&[home, ("XDG_CACHE_HOME", "rel")]).unwrap(), Path::new("/u/.cache/casparian"));
        assert_eq!(among(&[home, ("XDG_CACHE_HOME", "")]).unwrap(), Path::new("/u/.cache/casparian"));
    }

    #[test]
    fn without_any_the_operator_is_told_what_to_set() {
        let fault = among(&[]).unwrap_err();
        assert_eq!(fault.blame, Blame::Operator);
        assert!(fault.hint.unwrap().contains("CASPARIAN_CACHE_DIR"));
    }

    #[test]
    fn the_python_runtime_is_the_one_that_is_named_or_in_share() {
        let program = Path::new("/opt/casparian/bin/host");
        assert_eq!(python_runtime(Some("a.wasm".into()), program), Path::new("a.wasm"));
        let shared = "/opt/casparian/bin/../share/casparian/python.wasm";
        assert_eq!(python_runtime(None, program), Path::new(shared));
        assert_eq!(python_runtime(Some("".into()), program), Path::new(shared));
    }

    #[test]
    fn a_python_runtime_beside_the_program_goes_before_the_shared_one() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join("python.wasm");
        std::fs::write(&beside, b"").unwrap();
        assert_eq!(python_runtime(None, &folder.path().join("host")), beside);
    }
}

//! Where things stand: the program, the parser, and the folder for inputs and outputs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::native;

/// The places that measurements share.
pub(crate) struct Site {
    /// This program, which is a contender too.
    pub(crate) bench: PathBuf,
    /// The release build of the command line.
    pub(crate) host: PathBuf,
    /// The parser as a component.
    pub(crate) component: PathBuf,
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Inputs are kept in it from one benchmark to the next.
    pub(crate) folder: PathBuf,
}

impl Site {
    pub(crate) fn find() -> Outcome<Site> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let bench = std::env::current_exe()?;
        // Cargo puts a benchmark into `deps`, beside which the binaries are.
        let host = bench.ancestors().nth(2).ok_or("this program stands in no target folder")?.join("host");
        let component = root.join("target/guests/fix.wasm");
        for built in [&host, &component] {
            if !built.is_file() {
                return Err(format!("{} is not there: run `cargo xtask bench`", built.display()).into());
            }
        }
        let folder = root.join("target/bench");
        fs::create_dir_all(&folder)?;
        Ok(Site { bench, host, component, root, folder })
    }

    /// Returns a place for an output, where nothing is.
    pub(crate) fn fresh(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.folder.join("out").join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", path.display()).into());
            }
            _ => fs::create_dir_all(self.folder.join("out"))?,
        }
        Ok(path)
    }

    /// Makes a `host run` of the parser; inputs and flags are to be added. Compiled code is kept in the benchmark's own folder.
    pub(crate) fn host_run(&self) -> Command {
        let mut command = Command::new(&self.host);
        command.env("CASPARIAN_CACHE_DIR", self.folder.join("cache"));
        command.arg("run").arg(&self.component).args([
            "--tables",
            native::TABLE,
            "--no-contract",
            "--no-progress",
        ]);
        command
    }
}

//! What is asked of any compiler, whoever made it.

use crate::Outcome;
use crate::workspace;
use std::env;
use std::path::PathBuf;

/// A component built for this target imports the interfaces of `wit/world.wit` and nothing else; wasip2 would add WASI.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Returns one line of `rustc -vV` by its key.
pub(crate) fn fact(version: &str, key: &str) -> Outcome<String> {
    let mut lines = version.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| format!("rustc -vV says no {key}"))
}

/// The folders in which cargo keeps sources of dependencies, each with the name that it is to have in a component.
///
/// A mirror of crates.io has a folder of its own name, which would show too, so the folders inside are renamed as well.
/// They exist by now: this program has a dependency itself.
pub(crate) fn dependency_sources() -> Outcome<Vec<(PathBuf, String)>> {
    let home = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => env::home_dir().ok_or("neither CARGO_HOME nor a home folder is known")?.join(".cargo"),
    };
    let registries = workspace::entries(&home.join("registry/src"))?;
    let mut places = vec![(home, "/cargo".to_owned())];
    places.extend(registries.into_iter().map(|folder| (folder, "/crates.io".to_owned())));
    Ok(places)
}

/// Returns a search path (`PATH`, `LD_LIBRARY_PATH`) with some folders before what the variable says now.
pub(crate) fn with_folders(folders: &[PathBuf], variable: &str) -> Outcome<std::ffi::OsString> {
    let now = env::var_os(variable).unwrap_or_default();
    let now = env::split_paths(&now).filter(|folder| !folder.as_os_str().is_empty());
    let all = folders.iter().cloned().chain(now);
    env::join_paths(all).map_err(|why| format!("{variable}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_read_from_what_the_compiler_says() {
        let version = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(fact(version, "host").as_deref(), Ok("x86_64-unknown-linux-gnu"));
        assert!(fact(version, "commit-hash").is_err());
    }
}
